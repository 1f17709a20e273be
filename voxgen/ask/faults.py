"""What can go wrong on the way to a model, in which words, and what to try against it."""

from __future__ import annotations

import email.utils
import html
import json
import math
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from voxgen.ask.models import Model, host
from voxgen.errors import ModelError

__all__ = [
    "STEP",
    "WORDS",
    "Fault",
    "backoff",
    "classify",
    "classify_event",
    "clean",
    "decoded",
    "described",
    "duration",
    "model_error",
    "place",
    "step_down",
    "text_of",
    "worded",
]

MAX_SAID = 300  # characters shown of what a server said
MAX_WAIT = 60.0  # seconds a server may ask us to wait
PAGE = re.compile(r"^\s*<|<(!doctype|html|head|body|title|h1)\b", re.IGNORECASE)
TEXTS = ("text", "thinking", "summary", "content")


@dataclass(eq=False)
class Fault(Exception):  # noqa: N818  (it need not be an error: a length limit is one)
    """A failure before it is put into words: `kind` is a key of WORDS, `said` the server's own text."""

    kind: str
    said: str = ""
    status: int | None = None
    wait: float | None = None  # seconds, as the server asks
    retry: bool = False  # whether it may pass


OTHER = "or name another model with --model"
WORDS = {  # kind → what happened, what to do next
    "key": ("{host} refused the key{source}: {said}", "voxgen models shows which keys are found"),
    "no key": ("{host} wants a key: {said}", "set VOXGEN_API_KEY"),
    "quota": ("no credit left at {host}: {said}", f"add credit there, {OTHER}"),
    "rate": ("{host} limits how often it is asked: {said}", f"wait a little, {OTHER}"),
    "busy": ("{host} is overloaded or down: {said}", f"try again later, {OTHER}"),
    "missing": ("{host} has no model {name}: {said}", "voxgen models lists some; name one with --model"),
    "path": ("{host} has no chat completions at this address: {said}", "check the base URL: most end in /v1"),
    "web": ("{host} answered with a web page, not a model: {said}", "check the base URL: most end in /v1"),
    "garbled": ("{host} sent JSON that cannot be read: {said}", f"try again, {OTHER}"),
    "redirect": ("{host} redirects to {said}, which is not followed", "if it is right, make it the base URL"),
    "request": ("{host} did not accept the request: {said}", "--debug shows what was sent"),
    "context": ("the prompt is too long for {name}: {said}", f"shorten it, {OTHER}"),
    "filter": ("{name} refused to answer: {said}", f"put it in other words, {OTHER}"),
    "empty": ("{name} sent no text: {said}", f"try again, {OTHER}"),
    "length": ("{name} reached its length limit: {said}", "allow more tokens, or ask for a smaller scene"),
    "address": ("the address {host} is not found", "check the base URL and the network connection"),
    "refused": ("nothing answers at {host}", "check the base URL, and that the server is running"),
    "tls": ("no safe connection to {host}: {said}", "SSL_CERT_FILE can name a proxy's certificate"),
    "proxy": ("the proxy does not reach {host}: {said}", "check HTTPS_PROXY, ALL_PROXY and NO_PROXY"),
    "deaf": ("{host} took in nothing of the request for {said}", f"try again, {OTHER}"),
    "silence": ("{host} sent nothing for {said}", f"try again, {OTHER}"),
    "unsure": ("{name} was less sure of it than of the other samples{said}", "ask for fewer samples"),
    "late": ("{host} took longer than {said}", f"allow more time, {OTHER}"),
    "cut": ("the connection to {host} broke: {said}", "try again"),
    "size": ("{host} sent more than {said}", "name another model with --model"),
}


def classify(status: int, headers: Mapping[str, str], body: bytes | str | dict[str, Any]) -> Fault:
    """Return what an HTTP status (or an error object inside a stream) means."""
    said, code = described(body)
    said = said or f"HTTP {status}"
    wait = _retry_after(headers)
    kind = _kind(status, said, code)
    if status == 402 and wait is not None:
        kind = "rate"  # no credit left for this moment, because of requests in flight
    retry = kind in ("rate", "busy") and headers.get("x-should-retry") != "false"
    if kind == "busy" and str(status) not in said:
        said = f"{said} ({status})"
    return Fault(kind, said, status=status, wait=wait, retry=retry)


def classify_event(error: dict[str, Any] | str) -> Fault:
    """Return what an error inside a stream that began with status 200 means."""
    _, code = described(error)
    number = re.search(r"\b[45]\d\d\b", code)
    named = (("rate_limit", 429), ("insufficient", 402), ("authentication", 401), ("invalid_request", 400))
    status = int(number[0]) if number else next((s for name, s in named if name in code), 502)
    return classify(status, {}, error)


def _kind(status: int, said: str, code: str) -> str:
    """Sort a failed request by what a person would have to do about it."""
    text = f"{code} {said}".lower()
    if re.search(r"data.?inspection|content.?filter|moderation|flagged", text):
        return "filter"
    if status == 402 or re.search(r"insufficient|billing|arrear|payment|freetier", code.lower()):
        return "quota"
    if status in (401, 403) or re.search(r"api.?key.{0,20}valid|(invalid|incorrect).{0,9}api.?key", text):
        return "key"
    if status == 429:
        return "rate"
    if re.search(r"context.?(length|window|size)|prompt is too long|too many (input )?tokens", text):
        return "context"
    if status == 404:
        return "missing" if "model" in text else "path"
    return "busy" if status >= 500 or status in (408, 409, 425) else "request"


def described(body: bytes | str | dict[str, Any]) -> tuple[str, str]:
    """Return (message, code) out of the many shapes of an error; of an HTML page only the title."""
    value: Any = body if isinstance(body, dict) else decoded(body)
    if value is None:
        raw = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
        if PAGE.search(raw[:2000]):
            title = re.search(r"<(title|h1)[^>]*>([^<]{1,300})", raw, re.IGNORECASE)
            return html.unescape(title[2]).strip() if title else "a web page", ""
        return raw.strip(), ""
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return text_of(error), text_of(value.get("code")) if isinstance(value, dict) else ""
    said = next((str(error[name]) for name in ("message", "detail", "msg") if error.get(name)), "")
    meta = error.get("metadata")
    if isinstance(meta, dict) and meta.get("raw"):
        said += f": {meta['raw']}"  # a router hands on what the provider behind it said
    return said, " ".join(str(error[name]) for name in ("code", "type", "status") if error.get(name))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to wait: milliseconds, seconds or an HTTP date (RFC 9110, 10.2.3)."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, OverflowError, OSError):
                continue
        if not math.isnan(seconds):
            return max(0.0, seconds)
    return None


STEP = {400, 404, 415, 422, 500, 501}  # llama-cpp-python answers 500 to a field it does not know
LIMIT = r"max_(completion_|output_|new_)?tokens|in the completion"
TOO_HIGH = r"too (large|high)|at most|exceed|maximum|range|less than|[<>]"
LADDER = (
    ("stream_options", r"stream_options|include_usage"),
    ("temperature", r"temperature"),
    ("seed", r"\bseed\b"),
    ("stream", r"\bstream(ing)?\b.*(not|n't|un)\W*(support|allow|available)"),
    ("enable_thinking", r"enable_thinking"),
    ("chat_template_kwargs", r"chat_template_kwargs"),
    ("thinking", r"\bthinking\b"),
    ("reasoning_effort", r"reasoning.?effort"),
    ("reasoning", r"\breasoning\b"),
    ("usage", r"\busage\b"),
)
FORMAT = r"response_format|json_schema|json_object|structured output|schema|grammar"
LOGPROBS = r"log_?probs"
MARKS = r"cache_control|content.{0,60}(string|str\b)"


def step_down(body: dict[str, Any], said: str) -> str:
    """Weaken in place the one field that a refusal names; return what was changed, "" if nothing can be."""
    for step in (_lower_limit, _plainer_format, _fewer_logprobs, _without_marks):
        if change := step(body, said):
            return change
    for field, pattern in LADDER:
        if field in body and re.search(pattern, said, re.IGNORECASE):
            del body[field]
            return f"no {field}"
    return ""


def _lower_limit(body: dict[str, Any], said: str) -> str:
    """Send the limit of tokens under its other name, lower, or not at all."""
    for field, other in (("max_completion_tokens", "max_tokens"), ("max_tokens", "max_completion_tokens")):
        if field in body and re.search(LIMIT, said, re.IGNORECASE):
            value = body.pop(field)
            if not re.search(TOO_HIGH, said, re.IGNORECASE):
                body[other] = value
                return f"{other} instead of {field}"
            allowed = [n for n in map(int, re.findall(r"\d{3,9}", said)) if n < value]
            if not allowed or "context" in said:
                return f"no {field}"
            body[field] = max(allowed)
            return f"{field} {max(allowed)}"
    return ""


def _plainer_format(body: dict[str, Any], said: str) -> str:
    """Ask for any JSON object instead of a schema's, then for nothing but what the prompt says."""
    if "response_format" not in body or not re.search(FORMAT, said, re.IGNORECASE):
        return ""
    if body["response_format"].get("type") == "json_object":
        del body["response_format"]
        return "no response_format"
    body["response_format"] = {"type": "json_object"}
    return "any JSON object instead of the schema"


def _fewer_logprobs(body: dict[str, Any], said: str) -> str:
    """Ask for as many alternatives as are allowed, or for none."""
    if "logprobs" not in body or not re.search(LOGPROBS, said, re.IGNORECASE):
        return ""
    allowed = [n for n in map(int, re.findall(r"\b\d{1,2}\b", said)) if 0 < n < body["top_logprobs"]]
    if allowed:
        body["top_logprobs"] = max(allowed)
        return f"top_logprobs {max(allowed)}"
    del body["logprobs"], body["top_logprobs"]
    return "no logprobs"


def _without_marks(body: dict[str, Any], said: str) -> str:
    """Send messages as plain text, without a mark for the provider's cache."""
    messages = body.get("messages") or []
    if not any(isinstance(m["content"], list) for m in messages) or not re.search(MARKS, said, re.IGNORECASE):
        return ""
    body["messages"] = [{**message, "content": text_of(message["content"])} for message in messages]
    return "no cache_control"


def backoff(fault: Fault, tries: int, retries: int, deadline: float) -> float | None:
    """Return the seconds to wait before asking again, None to give up.

    As many as the server asks for, else exponential with jitter; `deadline` is on the monotonic clock.
    """
    wait = fault.wait
    if wait is None:
        wait = min(0.5 * 2 ** (tries - 1), 8.0) * random.uniform(0.75, 1.0)
    if not fault.retry or tries > retries or wait > MAX_WAIT or time.monotonic() + wait > deadline:
        return None
    return wait


def model_error(
    fault: Fault, model: Model, key: str | None, key_source: str = "", tries: int = 1
) -> ModelError:
    """Return the error a person reads: what happened, where, and what to do next."""
    message = worded(fault, model, key, key_source)
    if fault.wait is not None and fault.wait > MAX_WAIT:
        message += f", it asks to wait {duration(fault.wait)}"
    elif tries > 1:
        message += f", tried {tries} times"
    hint = model.advice.get(fault.kind) or WORDS[fault.kind][1]
    if fault.kind == "key" and not key:
        hint = f"set {' or '.join(model.keys) or 'VOXGEN_API_KEY'}"
    return ModelError(message, hint, fault.status)


def worded(fault: Fault, model: Model, key: str | None, key_source: str = "") -> str:
    """Say in one line what happened, without the key."""
    template = WORDS["no key" if fault.kind == "key" and not key else fault.kind][0]
    message = template.format(
        host=host(model.base_url),
        name=clean(model.name, key) or "this model",
        source=f" from {key_source}" if key_source else "",
        said=clean(fault.said, key).rstrip("."),
    )
    return message.removesuffix(": ")


def place(url: str) -> str:
    """Return a URL without what may be secret in it: user, password, query."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{host(url)}{parts.path}" if parts.hostname else parts.path
    except ValueError:
        return "an address that is none"


def clean(said: str, key: str | None) -> str:
    """Return text of a server fit for one line: no key, no control characters, not too long."""
    if key:
        said = said.replace(key, "***")
        said = re.sub(re.escape(key[:10]) + r"\S*", "***", said) if len(key) > 15 else said  # cut short
    said = " ".join("".join(c if c.isprintable() else " " for c in said[: 4 * MAX_SAID]).split())
    return said if len(said) <= MAX_SAID else said[: MAX_SAID - 1] + "…"


def duration(seconds: float) -> str:
    """Write seconds as a person would: 0.2 s, 3 min, 28 h."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


# JSON of any shape, read here and in stream.py


def text_of(value: object, depth: int = 4) -> str:
    """Return the text of a string, of a part with text in it, or of a list of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return next((t for name in TEXTS if (t := text_of(value.get(name), depth - 1))), "") if depth else ""
    return "".join(text_of(part, depth - 1) for part in value) if isinstance(value, list) and depth else ""


_decode = json.JSONDecoder().decode  # spares a stream of thousands of events what json.loads asks each time


def decoded(raw: str | bytes) -> Any:
    """Return the value of a JSON text, None if it is none."""
    try:
        return _decode(raw) if isinstance(raw, str) else json.loads(raw)
    except (ValueError, RecursionError):
        return None
