"""A scripted HTTP server on loopback, for everything that asks a model over a real connection.

    with serving(recorded(text, chunk=20, delay=0.001)) as server:
        client.ask(messages, custom(server.url, "m"), key=None)
        server.requests[0].body["model"]

A script is called with each Request and returns what goes down the wire, head and all; an exception drops the
connection. Helpers make the usual answers: `recorded`, `stream`, `answer`, `failure`, `in_turn`.
"""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: Any  # decoded JSON, None if there is none


@dataclass
class Server:
    url: str  # a base URL, ends in /v1
    requests: list[Request] = field(default_factory=list)


Script = Callable[[Request], Iterable[bytes]]
DONE = b"data: [DONE]\n\n"


@contextmanager
def serving(script: Script) -> Iterator[Server]:
    """Serve `script` on a free port of this machine while the block runs."""
    served = Server("")

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            request = _request(self.rfile)
            if request is None:
                return
            served.requests.append(request)
            try:
                for piece in script(request):
                    self.wfile.write(piece)
            except OSError:
                pass  # the client has hung up

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Threads(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def recorded(
    text: str,
    *,
    chunk: int = 40,
    delay: float = 0.0,
    model: str = "scripted",
    usage: dict[str, Any] | None = None,
) -> Script:
    """Stream `text`, `chunk` characters an event, `delay` seconds before each; GET lists `model`."""
    tokens = {"prompt_tokens": 1500, "completion_tokens": max(1, len(text) // 4)}

    def script(request: Request) -> Iterator[bytes]:
        if request.method == "GET":
            yield from answer({"data": [{"id": model}]})(request)
            return
        yield head("200 OK", "text/event-stream", chunked=True)
        for start in range(0, len(text), chunk):
            time.sleep(delay)
            yield framed(event(text[start : start + chunk], model=model))
        yield framed(event(finish="stop", model=model))
        yield framed(event(choices=[], usage=usage or tokens) + DONE)
        yield b"0\r\n\r\n"

    return script


def stream(*pieces: bytes, end: bool = True) -> Script:
    """Send the pieces as an event stream; without `end` the connection is cut after them."""

    def script(request: Request) -> Iterator[bytes]:
        yield head("200 OK", "text/event-stream", chunked=True)
        yield from map(framed, pieces)
        if end:
            yield b"0\r\n\r\n"

    return script


def answer(body: Any, status: str = "200 OK", kind: str = "application/json", **headers: Any) -> Script:
    """Send one whole body: bytes as they are, anything else as JSON. Header names take _ for -."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def script(request: Request) -> Iterator[bytes]:
        yield head(status, kind, length=len(raw), **headers) + raw

    return script


def failure(status: str, message: str, code: str = "", **headers: Any) -> Script:
    """Send an error as OpenAI words it."""
    return answer({"error": {"message": message, "code": code or None}}, status, **headers)


def in_turn(*scripts: Script) -> Script:
    """Answer the first request with the first script and so on; the last one stays."""
    left = list(scripts)

    def script(request: Request) -> Iterable[bytes]:
        return (left.pop(0) if len(left) > 1 else left[0])(request)

    return script


def dropped(request: Request) -> Iterable[bytes]:
    """Hang up without a word."""
    return ()


def event(text: str | None = None, finish: str | None = None, **fields: Any) -> bytes:
    """Return one chat.completion.chunk as a server-sent event, its text not escaped to ASCII."""
    delta = {} if text is None else {"content": text}
    value = {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} | fields
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def head(
    status: str, kind: str, *, chunked: bool = False, length: int | None = None, **headers: str
) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close"]
    lines += ["Transfer-Encoding: chunked"] if chunked else []
    lines += [] if length is None else [f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def framed(piece: bytes) -> bytes:
    """Return a piece in the frame of chunked transfer."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def _request(source: Any) -> Request | None:
    words = source.readline().split()
    if len(words) < 2:
        return None
    headers = {}
    while line := source.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    raw = source.read(int(headers.get("content-length", 0)))
    return Request(words[0].decode(), words[1].decode(), headers, json.loads(raw) if raw else None)
