"""Asks a model and listens: messages → streamed reply, from any OpenAI-compatible endpoint.

`EventStream`, `Answer`, `classify` and `step_down` know no network; `_listen` and its helpers do. The only
file that imports httpx. Event streams: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import codecs
import email.utils
import html
import itertools
import json
import math
import random
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from voxgen import __version__
from voxgen.ask.models import Model, Usage, host, is_loopback, near
from voxgen.errors import ModelError

__all__ = ["Answer", "EventStream", "Fault", "Reply", "ask", "classify", "list_models", "step_down"]

CHAT = "/chat/completions"
MAX_REPLY = 64 << 20  # bytes on the wire
MAX_ERROR = 64 << 10  # bytes read of an error page
MAX_LIST = 4 << 20  # bytes read of a list of models
MAX_SAID = 300  # characters of it shown
MAX_WAIT = 60.0  # seconds a server may ask us to wait
MAX_STEPS = 6  # refused fields in one request
CONNECT, WRITE = 10.0, 30.0  # seconds
RETRY = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}

FILTERED = r"filter|refusal|safety|recitation|prohibited|blocklist|sensitive"
TOO_LONG = r"length|max_tokens|exceeded"
THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
TEXTS = ("text", "thinking", "summary", "content")
WHITE = b" \t\r\n\xef\xbb\xbf"
THINK, UNTHINK = "<think>", "</think>"

Listener = Callable[[str], object]
_LEARNT: dict[
    tuple[str, str], list[str]
] = {}  # (endpoint, model) → refusals heard, replayed on the next body


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered; `partial` is empty, or says why `text` is only a part of it."""

    text: str
    reasoning: str
    finish: str  # "stop", "length", "filter" or "cut"
    usage: Usage
    model: str  # as the server names it
    seconds: float
    partial: str = ""


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
    "silence": ("{host} sent nothing for {said}", f"try again, {OTHER}"),
    "late": ("{host} took longer than {said}", f"allow more time, {OTHER}"),
    "cut": ("the connection to {host} broke: {said}", "try again"),
    "size": ("{host} sent more than {said}", "name another model with --model"),
}


def ask(
    messages: list[dict[str, str]],
    model: Model,
    *,
    key: str | None,
    key_source: str = "",
    on_text: Listener | None = None,
    on_reasoning: Listener | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    timeout: float = 1800.0,
    silence: float = 180.0,
    retries: int = 2,
    sleep: Callable[[float], object] = time.sleep,
    debug: Listener | None = None,
) -> Reply:
    """Ask a model and return its reply, passing text and reasoning on as they arrive.

    Times are seconds: `timeout` for all of it (looked at whenever bytes arrive), `silence` between two of
    them. Before the first visible text a failure that may pass is retried; a field the endpoint refuses is
    left out and remembered. After it what has arrived is returned, with `partial` saying what is missing.
    `key_source` names the variable the key came from; `debug` gets one line an event, never a key.
    Raises ModelError.
    """
    key = _checked(messages, model, key, key_source)
    body = _body(messages, model, max_tokens, temperature, seed)
    learnt = _LEARNT.setdefault((model.base_url, model.name), [])
    for refusal in learnt:
        step_down(body, refusal)
    trace = _tracer(debug, key)
    start, tries, steps = time.monotonic(), 0, 0
    limits = _Limits(start + timeout, timeout, silence)
    with _client(model.base_url) as client:
        while True:
            answer = Answer(on_text, on_reasoning)
            fault = _listen(client, model, body, key, limits, answer, trace)
            if fault is None or answer.visible:
                reply = _reply(answer, fault, model, key, time.monotonic() - start)
                trace(f"{reply.finish}: {len(reply.text):,} characters in {reply.seconds:.1f} s")
                return reply
            if steps < MAX_STEPS and fault.status in STEP and (change := step_down(body, fault.said)):
                trace(f"asking again: {change}")
                learnt.append(fault.said)
                steps += 1
                continue
            tries += 1
            wait = _wait(fault, tries, retries, limits.deadline)
            if wait is None:
                raise _error(fault, model, key, key_source, tries) from None
            trace(f"asking again in {wait:.1f} s")
            sleep(wait)


def list_models(model: Model, key: str | None, *, key_source: str = "", timeout: float = 10.0) -> list[str]:
    """Return the names of the models that the endpoint of `model` lists. Raises ModelError."""
    key = _checked([], model, key, key_source)
    with _client(model.base_url) as client:
        request = client.build_request(
            "GET", model.base_url + "/models", headers=_headers(key), timeout=timeout
        )
        try:
            with _wire(client, request) as response:
                listed = _decoded(_bounded(response, MAX_LIST, timeout))
        except Fault as fault:
            raise _error(fault, replace(model, name=""), key, key_source, 1) from None
    if isinstance(listed, dict):
        listed = listed.get("data") or listed.get("models")
    entries = listed if isinstance(listed, list) else []
    names = [entry.get("id") or entry.get("name") for entry in entries if isinstance(entry, dict)]
    return [name.removeprefix("models/") for name in names if isinstance(name, str)]


# What is sent, and the wire -------------------------------------------------------------------------------


class _Limits(NamedTuple):
    deadline: float  # on the monotonic clock
    timeout: float  # seconds, as asked for
    silence: float  # seconds


def _checked(messages: list[dict[str, str]], model: Model, key: str | None, key_source: str) -> str | None:
    """Return the key fit for a header; raise ModelError where it must not or need not be sent."""
    key = (key or "").strip() or None
    source = f" from {key_source}" if key_source else ""
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise ModelError(f"the key{source} has characters that no key has", "copy it again, without quotes")
    try:
        url = httpx.URL(model.base_url)
    except httpx.InvalidURL as error:
        raise ModelError(f"not the address of a model server: {error}", "check the base URL") from None
    if key and url.scheme != "https" and not is_loopback(str(url)):
        hint = "use an https:// base URL, or unset the key if the server needs none"
        raise ModelError(f"the key{source} would go to {host(str(url))} unencrypted and is not sent", hint)
    tokens = sum(len(message["content"].encode("utf-8", "replace")) for message in messages) // 4
    if model.window and tokens > model.window:
        said = f"about {tokens:,} tokens, of {model.window:,}"
        raise _error(Fault("context", said), model, key, key_source, 1)
    return key


def _body(
    messages: list[dict[str, str]],
    model: Model,
    max_tokens: int | None,
    temperature: float | None,
    seed: int | None,
) -> dict[str, Any]:
    """Return the request: always a stream, and no field that was not asked for."""
    body: dict[str, Any] = {"model": model.name, "messages": messages, "stream": True}
    if model.usage_option:
        body["stream_options"] = {"include_usage": True}
    limit = max_tokens or model.limit
    if limit:
        body[model.limit_field] = min(limit, model.output or limit)
    optional = {"temperature": temperature, "seed": seed}
    return body | {name: value for name, value in optional.items() if value is not None}


def _headers(key: str | None) -> dict[str, str]:
    headers = {
        "accept": "text/event-stream, application/json",
        "content-type": "application/json",
        "accept-encoding": "identity",  # what is compressed cannot be passed on as it comes
        "user-agent": f"voxgen/{__version__}",
    }
    return headers | ({"authorization": f"Bearer {key}"} if key else {})


def _tracer(debug: Listener | None, key: str | None) -> Listener:
    return (lambda line: debug(_clean(line, key))) if debug else (lambda line: None)


def _client(base_url: str) -> httpx.Client:
    """Return a client that follows no redirect, and uses no proxy for this machine."""
    try:
        return httpx.Client(follow_redirects=False, trust_env=not is_loopback(base_url))
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        said = _clean(re.sub(r"//[^/@\s]*@", "//***@", str(error)), None)
        hint = "check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
        raise ModelError(f"the network settings of this shell do not work: {said}", hint) from None


def _listen(
    client: httpx.Client,
    model: Model,
    body: dict[str, Any],
    key: str | None,
    limits: _Limits,
    answer: Answer,
    trace: Listener,
) -> Fault | None:
    """Ask once, let `answer` gather what comes, and return what went wrong."""
    fields = " ".join(f"{name}={value}" for name, value in body.items() if name != "messages")
    trace(f"POST {_place(model.base_url + CHAT)} {fields} authorization={'Bearer ***' if key else 'none'}")
    longest = max(0.001, min(limits.silence, limits.deadline - time.monotonic()))
    timeout = httpx.Timeout(connect=min(CONNECT, longest), write=WRITE, pool=CONNECT, read=longest)
    request = client.build_request(
        "POST", model.base_url + CHAT, content=json.dumps(body), headers=_headers(key), timeout=timeout
    )
    try:
        with _wire(client, request) as response:
            trace(f"{response.status_code} {response.headers.get('content-type', '')}")
            _read(_timed(response.iter_bytes(), limits), answer)
        fault = answer.verdict()
    except Fault as caught:
        fault = caught
    if fault:
        trace(f"{fault.kind} {fault.status or ''}: {fault.said}")
    return fault


def _read(chunks: Iterator[bytes], answer: Answer) -> None:
    """Read a body: an event stream, or the one JSON object of a server that does not stream."""
    head = b""
    for chunk in chunks:
        head = (head + chunk).lstrip(WHITE)
        if head:
            break
    if head[:1] in (b"{", b"[", b"<"):
        whole = head + b"".join(chunks)
        value = _decoded(whole)
        if value is None:
            raise Fault("web" if b"<" in whole[:200] else "cut", _described(whole)[0])
        answer.chunk(value)
        answer.done = True
        return
    events = EventStream()
    complete = (event for chunk in itertools.chain([head], chunks) for event in events.feed(chunk))
    for name, data in itertools.chain(complete, events.end()):
        answer.event(name, data)
        if answer.done:
            return


def _timed(chunks: Iterator[bytes], limits: _Limits) -> Iterator[bytes]:
    """Hand chunks on, within the limits of time and size."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_REPLY:
            raise Fault("size", f"{MAX_REPLY >> 20} MB")
        yield chunk
        if time.monotonic() > limits.deadline:
            raise Fault("late", _duration(limits.timeout))


def _bounded(response: httpx.Response, limit: int, seconds: float) -> bytes:
    """Read a body, up to so many bytes and for so long."""
    raw, end = b"", time.monotonic() + seconds
    with suppress(httpx.TransportError):  # a cut error page is still an error page
        for chunk in response.iter_bytes():
            raw += chunk
            if len(raw) > limit or time.monotonic() > end:
                break
    return raw[:limit]


@contextmanager
def _wire(client: httpx.Client, request: httpx.Request) -> Iterator[httpx.Response]:
    """Send a request and turn every failure of the network and every status but 200 into a Fault."""
    try:
        with closing(client.send(request, stream=True)) as response:
            if response.is_redirect:
                raise Fault("redirect", _place(response.headers["location"]), response.status_code)
            if response.status_code != 200:
                raise classify(response.status_code, response.headers, _bounded(response, MAX_ERROR, CONNECT))
            yield response
    except httpx.HTTPError as error:
        raise _network(error, request) from None
    except (httpx.InvalidURL, httpx.StreamError) as error:
        raise Fault("cut", str(error)) from None


def _network(error: httpx.HTTPError, request: httpx.Request) -> Fault:
    """Sort a failure of the network by the system's error at its root."""
    causes: list[BaseException] = [error]
    while len(causes) < 20 and (cause := causes[-1].__cause__ or causes[-1].__context__):
        causes.append(cause)
    said, timeout = str(error) or type(error).__name__, request.extensions["timeout"]

    def caused_by(kind: type[BaseException]) -> bool:
        return any(isinstance(cause, kind) for cause in causes)

    unconnected = isinstance(error, httpx.ConnectError) and _proxied(request.url)
    if unconnected or isinstance(error, httpx.ProxyError):
        return Fault("proxy", said)
    if caused_by(socket.gaierror):
        return Fault("address")
    if caused_by(ssl.SSLError):
        return Fault("tls", said)
    if caused_by(ConnectionRefusedError):
        return Fault("refused")
    if isinstance(error, httpx.ConnectTimeout):
        return Fault("silence", _duration(timeout["connect"]), retry=True)
    if isinstance(error, httpx.TimeoutException):
        return Fault("silence", _duration(timeout["read"]))
    return Fault("cut", said, retry=isinstance(error, httpx.TransportError))


def _proxied(url: httpx.URL) -> bool:
    """Say whether the environment names a proxy for an address."""
    proxies = getproxies()
    through = url.scheme in proxies or "all" in proxies
    return through and not is_loopback(str(url)) and not proxy_bypass(url.host)


def _reply(answer: Answer, fault: Fault | None, model: Model, key: str | None, seconds: float) -> Reply:
    text, reasoning = "".join(answer.text), "".join(answer.reasoning)
    partial = "the model answered in its reasoning only" if answer.aloud else ""
    if fault:
        advice = f"; {model.advice[fault.kind]}" if fault.kind in model.advice else ""
        partial = f"cut off after {len(text):,} characters: {_worded(fault, model, key)}{advice}"
    finish = {"length": "length", "filter": "filter"}.get(fault.kind, "cut") if fault else "stop"
    name = _clean(answer.model or model.name, key)
    return Reply(text, reasoning, finish, answer.usage, name, seconds, partial)


# What arrives ---------------------------------------------------------------------------------------------


class EventStream:
    """Decodes server-sent events: bytes in, (event, data) out, however they are cut.

    Only LF, CR and CRLF end a line. Forgiving where servers are careless: a missing blank line between two
    JSON events, and an unfinished last event.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._pieces: list[str] = []  # of an unfinished line
        self._after_cr = False
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """Yield the events that `chunk` completes."""
        text = self._decoder.decode(chunk)
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        self._after_cr = self._after_cr or text.endswith("\r")
        *lines, rest = re.split(r"\r\n|\n|\r", text)
        for line in lines:
            yield from self._line("".join([*self._pieces, line]))
            self._pieces.clear()
        if rest:
            self._pieces.append(rest)

    def end(self) -> Iterator[tuple[str, str]]:
        """Yield what is left over when no more bytes come."""
        yield from self._line("".join(self._pieces) + self._decoder.decode(b"", True))
        yield from self._flush()

    def _line(self, line: str) -> Iterator[tuple[str, str]]:
        if not line:
            yield from self._flush()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            if self._data and self._data[-1].endswith("}") and value.startswith(("{", "[")):
                yield from self._flush()
            self._data.append(value)

    def _flush(self) -> Iterator[tuple[str, str]]:
        if self._data:
            yield self._event, "\n".join(self._data)
        self._event, self._data = "", []


class Answer:
    """Gathers the chunks of one reply, text and reasoning apart, and tells listeners as they come."""

    def __init__(self, on_text: Listener | None = None, on_reasoning: Listener | None = None) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.visible = False  # whether text other than white space has come
        self.aloud = False  # whether the reasoning had to stand in for the text
        self.finish = ""
        self.refusal = ""
        self.usage = Usage()
        self.model = ""
        self.done = False
        self._listeners = on_text, on_reasoning
        self._held = ""  # text that may be part of a tag
        self._thinking: bool | None = None  # None: not known yet whether the text opens with <think>

    def event(self, name: str, data: str) -> None:
        """Take in one server-sent event; see `chunk`."""
        if data.strip() == "[DONE]":
            self.done = True
            return
        value = _decoded(data)
        if name == "error":
            raise _in_stream(value if isinstance(value, dict) else data)
        self.chunk(value)

    def chunk(self, value: object) -> None:
        """Take in one chunk, or a whole completion; what has another shape is passed over.

        Raises Fault if the chunk is an error.
        """
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, dict):
            return
        if value.get("error"):
            raise _in_stream(value)
        self.model = _text(value.get("model")) or self.model
        if isinstance(value.get("usage"), dict):
            self.usage = read_usage(value["usage"])
        choices = value.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and not choice.get("index"):
                self._choice(choice)

    def verdict(self) -> Fault | None:
        """Close the reply and return what is wrong with it as a whole."""
        held, self._held = self._held, ""
        if self._thinking:
            self._think(held)
        elif held:
            self._thinking = False
            self._say(held)
        if self.refusal or re.search(FILTERED, self.finish, re.IGNORECASE):
            return Fault("filter", self.refusal or f"finish_reason {self.finish}")
        if re.search(TOO_LONG, self.finish, re.IGNORECASE):
            spent = f"{self.usage.output:,} tokens" if self.usage.output else ""
            return Fault("length", spent + (" of reasoning" if spent and not self.visible else ""))
        if not (self.finish or self.done):
            return Fault("cut", "the reply stopped in the middle", retry=True)
        if not self.visible and any("{" in piece for piece in self.reasoning):
            self.aloud = True
            self._thinking = False
            self._say("".join(self.reasoning))
        if not self.visible:
            return Fault("empty", f"finish_reason {self.finish or 'none'}", retry=True)
        return None

    def _choice(self, choice: dict[str, Any]) -> None:
        message = choice.get("delta") or choice.get("message")
        if not isinstance(message, dict):
            message = {"content": choice.get("text")}
        self.finish = _text(choice.get("finish_reason")) or self.finish
        self.refusal += _text(message.get("refusal"))
        for name in THOUGHTS:
            if thought := _text(message.get(name)):
                self._think(thought)
                break  # some servers send it under two names
        content = message.get("content")
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
                self._think(_text(part))
            else:
                self._say(_text(part))

    def _say(self, text: str) -> None:
        """Take in text, of which a <think> block at the very beginning is reasoning."""
        if self._thinking is None:
            text, self._held = self._held + text, ""
            begun = text.lstrip()
            if len(begun) < len(THINK) and THINK.startswith(begun):
                self._held = text
                return
            self._thinking = begun.startswith(THINK)
            text = begun.removeprefix(THINK) if self._thinking else text
        if self._thinking:
            thought, closed, text = (self._held + text).partition(UNTHINK)
            self._thinking = not closed
            kept = 0 if closed else _overlap(thought, UNTHINK)
            self._held = thought[len(thought) - kept :]
            self._think(thought[: len(thought) - kept])
        if text:
            self.text.append(text)
            self.visible = self.visible or not text.isspace()
            if self._listeners[0]:
                self._listeners[0](text)

    def _think(self, thought: str) -> None:
        if thought:
            self.reasoning.append(thought)
            if self._listeners[1]:
                self._listeners[1](thought)


def _overlap(text: str, tag: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `tag`."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read token counts in any provider's words; reasoning that is left out of the output is added to it."""

    def count(*names: str) -> int:
        for name in names:
            value: object = usage
            for step in name.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, int) and 0 < value < 1e12:
                return int(value)
        return 0

    sent = count("prompt_tokens", "input_tokens")
    written = count("completion_tokens", "output_tokens")
    total = count("total_tokens")
    cached = count(
        "prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"
    )
    thought = count("completion_tokens_details.reasoning_tokens", "reasoning_tokens")
    price = usage.get("cost")
    cost = float(price) if isinstance(price, int | float) and 0 <= price < 1e6 else None
    output = max(written, total - sent) if sent else written
    return Usage(sent, min(cached, sent), output, min(thought, output), cost)


def _text(value: object, depth: int = 4) -> str:
    """Return the text of a string, of a part with text in it, or of a list of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return next((t for name in TEXTS if (t := _text(value.get(name), depth - 1))), "") if depth else ""
    return "".join(_text(part, depth - 1) for part in value) if isinstance(value, list) and depth else ""


def _decoded(raw: str | bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


# What goes wrong ------------------------------------------------------------------------------------------


def classify(status: int, headers: Mapping[str, str], body: bytes | str | dict[str, Any]) -> Fault:
    """Return what an HTTP status (or an error object inside a stream) means."""
    said, code = _described(body)
    said = said or f"HTTP {status}"
    wait = _retry_after(headers)
    kind = _kind(status, said, code)
    if status == 402 and wait is not None:
        kind = "rate"  # no credit left for this moment, because of requests in flight
    retry = kind in ("rate", "busy") and headers.get("x-should-retry") != "false"
    if kind == "busy" and str(status) not in said:
        said = f"{said} ({status})"
    return Fault(kind, said, status=status, wait=wait, retry=retry)


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
    return "busy" if status in RETRY or status >= 500 else "request"


def _described(body: bytes | str | dict[str, Any]) -> tuple[str, str]:
    """Return (message, code) out of the many shapes of an error; of an HTML page only the title."""
    value: Any = body if isinstance(body, dict) else _decoded(body)
    if value is None:
        raw = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
        if "<" in raw[:200]:
            title = re.search(r"<(title|h1)[^>]*>([^<]{1,300})", raw, re.IGNORECASE)
            return html.unescape(title[2]).strip() if title else "a web page", ""
        return raw.strip(), ""
    if isinstance(value, list) and value:
        value = value[0]
    error = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return _text(error), _text(value.get("code")) if isinstance(value, dict) else ""
    said = next((str(error[name]) for name in ("message", "detail", "msg") if error.get(name)), "")
    meta = error.get("metadata")
    if isinstance(meta, dict) and meta.get("raw"):
        said += f": {meta['raw']}"  # a router hands on what the provider behind it said
    return said, " ".join(str(error[name]) for name in ("code", "type", "status") if error.get(name))


def _in_stream(error: dict[str, Any] | str) -> Fault:
    """Return what an error inside a stream that began with status 200 means."""
    _, code = _described(error)
    number = re.search(r"\b[45]\d\d\b", code)
    named = (("rate_limit", 429), ("insufficient", 402), ("authentication", 401), ("invalid_request", 400))
    status = int(number[0]) if number else next((s for name, s in named if name in code), 502)
    return classify(status, {}, error)


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
)


def step_down(body: dict[str, Any], said: str) -> str:
    """Weaken in place the one field that a refusal names; return what was changed, "" if nothing can be."""
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
    for field, pattern in LADDER:
        if field in body and re.search(pattern, said, re.IGNORECASE):
            del body[field]
            return f"no {field}"
    return ""


def _wait(fault: Fault, tries: int, retries: int, deadline: float) -> float | None:
    """Return the seconds to wait before asking again, None to give up."""
    backoff = min(0.5 * 2 ** (tries - 1), 8.0) * random.uniform(0.75, 1.0)
    wait = backoff if fault.wait is None else fault.wait
    if not fault.retry or tries > retries or wait > MAX_WAIT or time.monotonic() + wait > deadline:
        return None
    return wait


def _error(fault: Fault, model: Model, key: str | None, key_source: str, tries: int) -> ModelError:
    """Put a failure into words; for a model that is not there, with the names of those that are like it."""
    message = _worded(fault, model, key, key_source)
    if fault.wait is not None and fault.wait > MAX_WAIT:
        message += f", it asks to wait {_duration(fault.wait)}"
    elif tries > 1:
        message += f", tried {tries} times"
    hint = model.advice.get(fault.kind) or WORDS[fault.kind][1]
    if fault.kind == "key" and not key:
        variables = " or ".join(model.keys) or "VOXGEN_API_KEY"
        hint = f"set {variables}"
    if fault.kind == "missing" and model.name:
        try:
            close = near(model.name, list_models(model, key, timeout=5.0))
        except ModelError:
            close = []
        hint = f"did you mean {' or '.join(_clean(name, key) for name in close)}?" if close else hint
    return ModelError(message, hint, fault.status)


def _worded(fault: Fault, model: Model, key: str | None, key_source: str = "") -> str:
    place, name = host(model.base_url), _clean(model.name, key) or "this model"
    source = f" from {key_source}" if key_source else ""
    template = WORDS["no key" if fault.kind == "key" and not key else fault.kind][0]
    message = template.format(host=place, name=name, source=source, said=_clean(fault.said, key).rstrip("."))
    return message.removesuffix(": ")


def _place(url: str) -> str:
    """Return a URL without what may be secret in it: user, password, query."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{host(url)}{parts.path}" if parts.hostname else parts.path
    except ValueError:
        return "an address that is none"


def _clean(said: str, key: str | None) -> str:
    """Return text of a server fit for one line: no key, no control characters, not too long."""
    if key:
        said = said.replace(key, "***")
        said = re.sub(re.escape(key[:10]) + r"\S*", "***", said) if len(key) > 15 else said  # cut short
    said = " ".join("".join(c if c.isprintable() else " " for c in said[: 4 * MAX_SAID]).split())
    return said if len(said) <= MAX_SAID else said[: MAX_SAID - 1] + "…"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
