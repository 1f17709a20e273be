"""Asks a model and listens: messages → streamed reply, from any OpenAI-compatible endpoint.

The only file that imports httpx.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from voxgen import __version__
from voxgen.ask.faults import (
    STEP,
    Fault,
    backoff,
    classify,
    clean,
    decoded,
    duration,
    model_error,
    place,
    step_down,
    worded,
)
from voxgen.ask.models import Model, estimated, host, is_loopback, near, tokens_in
from voxgen.ask.stream import Answer, Doubt, Listener, Reply, read_body
from voxgen.errors import ModelError

__all__ = ["ask", "list_models"]

CHAT = "/chat/completions"
MAX_REPLY = 64 << 20  # bytes on the wire
MAX_ERROR = 64 << 10  # bytes read of an error page
MAX_LIST = 4 << 20  # bytes read of a list of models
MAX_STEPS = 8  # refused fields in one request
LONG = ("messages", "response_format")  # fields that no trace shows
CONNECT, WRITE = 10.0, 30.0  # seconds

# (endpoint, model) → refusals heard, replayed on the next body
_LEARNT: dict[tuple[str, str], list[str]] = {}


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
    schema: dict[str, Any] | None = None,
    hopeless: Doubt | None = None,
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
    `schema` is a JSON schema for the reply, sent where `model` profits from one. With `hopeless` the endpoint
    is asked how sure the model is of each token; it is told the confidence of the last group of them, and
    where it says yes the reply ends there. `key_source` names the variable the key came from; `debug` gets
    one line an event, never a key. Raises ModelError.
    """
    key = _checked(messages, model, key, key_source)
    body = _body(messages, model, max_tokens, temperature, seed, schema, hopeless is not None)
    heard = list(_LEARNT.get((model.base_url, model.name), ()))  # own copy: samples are asked for at once
    for refusal in heard:
        step_down(body, refusal)

    def trace(line: str) -> None:
        if debug:
            debug(clean(line, key))

    start, tries, steps = time.monotonic(), 0, 0
    limits = _Limits(start + timeout, timeout, silence)
    with _client(model.base_url) as client:
        while True:
            answer = Answer(on_text, on_reasoning, key=key, hopeless=hopeless)
            fault = _listen(client, model, body, key, limits, answer, trace)
            if fault is None or answer.visible:
                reply = _reply(answer, fault, model, key, messages, time.monotonic() - start)
                trace(f"{reply.finish}: {len(reply.text):,} characters in {reply.seconds:.1f} s")
                return reply
            if steps < MAX_STEPS and fault.status in STEP and (change := step_down(body, fault.said)):
                trace(f"asking again: {change}")
                if len(heard) < MAX_STEPS:
                    heard.append(fault.said)
                    _LEARNT[model.base_url, model.name] = heard
                steps += 1
                continue
            tries += 1
            wait = backoff(fault, tries, retries, limits.deadline)
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
                listed = decoded(_bounded(response, MAX_LIST, timeout))
        except Fault as fault:
            raise model_error(fault, replace(model, name=""), key, key_source) from None
    if isinstance(listed, dict):
        listed = listed.get("data") or listed.get("models")
    entries = listed if isinstance(listed, list) else []
    names = [entry.get("id") or entry.get("name") for entry in entries if isinstance(entry, dict)]
    return [name.removeprefix("models/") for name in names if isinstance(name, str)]


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
    tokens = tokens_in(messages)
    if model.window and tokens > model.window:
        said = f"about {tokens:,} tokens, of {model.window:,}"
        raise model_error(Fault("context", said), model, key, key_source)
    return key


def _body(
    messages: list[dict[str, str]],
    model: Model,
    max_tokens: int | None,
    temperature: float | None,
    seed: int | None,
    schema: dict[str, Any] | None,
    logprobs: bool,
) -> dict[str, Any]:
    """Return the request: always a stream, and no field that was not asked for."""
    body: dict[str, Any] = {"model": model.name, "messages": messages, "stream": True, **model.extra}
    if model.marks_cache:
        body["messages"] = _marked(messages)
    if model.usage_option:
        body["stream_options"] = {"include_usage": True}
    limit = max_tokens or model.limit
    if limit:
        body[model.limit_field] = _fitting(limit, messages, model)
    optional: dict[str, Any] = {"temperature": temperature, "seed": seed}
    if schema and model.schema:
        optional["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "scene", "strict": True, "schema": schema},
        }
    if logprobs and model.logprobs:
        body |= {"logprobs": True, "top_logprobs": model.logprobs}
    return body | {name: value for name, value in optional.items() if value is not None}


def _fitting(limit: int, messages: list[dict[str, str]], model: Model) -> int:
    """Return how many tokens may be written: within the model's limit, and its window with the prompt."""
    limit = min(limit, model.output or limit)
    left = (model.context or limit) - tokens_in(messages) if model.context else limit
    return max(1, min(limit, left))


def _marked(messages: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Mark the end of the system prompt for a provider that caches only what is marked."""
    first, *rest = messages
    part = {"type": "text", "text": first["content"], "cache_control": {"type": "ephemeral"}}
    return [{**first, "content": [part]}, *rest]


def _headers(key: str | None) -> dict[str, str]:
    headers = {
        "accept": "text/event-stream, application/json",
        "content-type": "application/json",
        "accept-encoding": "identity",  # what is compressed cannot be passed on as it comes
        "user-agent": f"voxgen/{__version__}",
    }
    return headers | ({"authorization": f"Bearer {key}"} if key else {})


def _client(base_url: str) -> httpx.Client:
    """Return a client that follows no redirect, and uses no proxy for this machine."""
    try:
        return httpx.Client(follow_redirects=False, trust_env=not is_loopback(base_url))
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        said = clean(re.sub(r"//[^/@\s]*@", "//***@", str(error)), None)
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
    fields = " ".join(f"{name}={value}" for name, value in body.items() if name not in LONG)
    trace(f"POST {place(model.base_url + CHAT)} {fields} authorization={'Bearer ***' if key else 'none'}")
    longest = max(0.001, min(limits.silence, limits.deadline - time.monotonic()))
    timeout = httpx.Timeout(connect=min(CONNECT, longest), write=WRITE, pool=CONNECT, read=longest)
    request = client.build_request(
        "POST", model.base_url + CHAT, content=json.dumps(body), headers=_headers(key), timeout=timeout
    )
    try:
        with _wire(client, request) as response:
            trace(f"{response.status_code} {response.headers.get('content-type', '')}")
            read_body(_timed(response.iter_bytes(), limits), answer)
        fault = answer.verdict()
    except Fault as caught:
        fault = caught
        if answer.visible:
            answer.flush()
    if fault:
        trace(f"{fault.kind} {fault.status or ''}: {fault.said}")
    return fault


def _timed(chunks: Iterator[bytes], limits: _Limits) -> Iterator[bytes]:
    """Hand chunks on, within the limits of time and size."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_REPLY:
            raise Fault("size", f"{MAX_REPLY >> 20} MB")
        yield chunk
        if time.monotonic() > limits.deadline:
            raise Fault("late", duration(limits.timeout))


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
                raise Fault("redirect", place(response.headers["location"]), response.status_code)
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
        return Fault("silence", duration(timeout["connect"]), retry=True)
    if isinstance(error, httpx.WriteTimeout):
        return Fault("deaf", duration(timeout["write"]), retry=True)
    if isinstance(error, httpx.TimeoutException):
        return Fault("silence", duration(timeout["read"]))
    return Fault("cut", said, retry=isinstance(error, httpx.TransportError))


def _proxied(url: httpx.URL) -> bool:
    """Say whether the environment names a proxy for an address."""
    proxies = getproxies()
    through = url.scheme in proxies or "all" in proxies
    return through and not is_loopback(str(url)) and not proxy_bypass(url.host)


def _reply(
    answer: Answer,
    fault: Fault | None,
    model: Model,
    key: str | None,
    messages: list[dict[str, str]],
    seconds: float,
) -> Reply:
    text, reasoning = "".join(answer.text), "".join(answer.reasoning)
    partial = "the model answered in its reasoning only" if answer.aloud else ""
    if fault:
        advice = f"; {model.advice[fault.kind]}" if fault.kind in model.advice else ""
        partial = f"cut off, {worded(fault, model, key)}{advice}"
    finish = "stop" if not fault else fault.kind if fault.kind in ("length", "filter", "unsure") else "cut"
    name = clean(answer.model or model.name, key)
    usage = answer.usage
    if not (usage.input or usage.output):  # a cut stream never gets to its counts
        usage = estimated(messages, text, reasoning)
    return Reply(text, reasoning, finish, usage, name, seconds, partial, answer.confidence)


def _error(fault: Fault, model: Model, key: str | None, key_source: str, tries: int) -> ModelError:
    """Put a failure into words; for a model that is not there, with the names of those that are like it."""
    error = model_error(fault, model, key, key_source, tries)
    if fault.kind == "missing" and model.name:
        with suppress(ModelError):
            if close := near(model.name, list_models(model, key, timeout=5.0)):
                error.hint = f"did you mean {' or '.join(clean(name, key) for name in close)}?"
    return error
