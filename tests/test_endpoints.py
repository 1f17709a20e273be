"""What the wire may do to a run of the program: each fault with its line and exit code, no key anywhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import (
    DONE,
    Request,
    Script,
    answer,
    dropped,
    event,
    failure,
    framed,
    head,
    in_turn,
    recorded,
    serving,
    stream,
)

from voxgen.ask import client
from voxgen.cli import run

KEY = "sk-proj-0123456789abcdefSECRET"
SCENE = json.dumps(
    {
        "title": "A post",
        "size": [8, 8, 8],
        "palette": {"wood": "#7d5636", "red": "#bd3a33"},
        "build": [
            {"box": [[0, 0, 0], [7, 7, 0]], "of": "wood"},
            {"box": [[2, 2, 1], [2, 2, 5]], "of": "red"},
            {"box": [[4, 4, 1], [4, 4, 5]], "of": "red"},
        ],
    }
)
CUT = len(SCENE) - 30  # in the third step
HALF, REST = event(SCENE[:CUT]), event(SCENE[CUT:])
END = event(finish="stop") + DONE
OK = stream(HALF, REST, END)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for nothing between two tries, and forget what endpoints refused."""
    monkeypatch.setattr("voxgen.ask.client.backoff", lambda *args: 0.0 if real(*args) is not None else None)
    client._LEARNT.clear()
    yield
    client._LEARNT.clear()


real = client.backoff


def piecewise(raw: bytes) -> Script:
    return stream(*(bytes([byte]) for byte in raw))


def picky(*fields: tuple[str, str]) -> Script:
    """Refuse each field with its message while it is sent."""

    def script(request: Request) -> Iterable[bytes]:
        for name, message in fields:
            if name in request.body:
                return failure("400 Bad Request", message)(request)
        return OK(request)

    return script


def half_a_chunk(request: Request) -> Iterable[bytes]:
    yield head("200 OK", "text/event-stream", chunked=True)
    yield framed(HALF)
    yield framed(REST)[:40]


WHOLE = HALF + REST + END
BODY = {"choices": [{"message": {"content": SCENE, "reasoning": "hm"}, "finish_reason": "stop"}]}
REFUSED = {"error": {"message": "API key not valid", "code": 400, "status": "INVALID_ARGUMENT"}}
PAGE = b"<html><head><style>x{}</style></head><h1>502 Bad Gateway</h1></html>"

# fault → (server, exit code, what the last line or one before says)
FAULTS: dict[str, tuple[Script, int, str]] = {
    "nothing wrong": (OK, 0, "tokens in"),
    "byte by byte": (piecewise(WHOLE), 0, "tokens in"),
    "CRLF": (stream(WHOLE.replace(b"\n", b"\r\n")), 0, "tokens in"),
    "CR": (stream(WHOLE.replace(b"\n", b"\r")), 0, "tokens in"),
    "no space after the colon": (stream(WHOLE.replace(b"data: ", b"data:")), 0, "tokens in"),
    "no blank lines": (stream(WHOLE.replace(b"\n\n", b"\n")), 0, "tokens in"),
    "no [DONE], no last blank line": (stream((HALF + REST + event(finish="stop")).rstrip()), 0, "tokens in"),
    "comments and pings": (
        stream(b": PROCESSING\n\n", b'event: ping\ndata: {"type":"ping"}\n\n', WHOLE),
        0,
        "tokens in",
    ),
    "a cut connection": (stream(HALF, end=False), 0, "the reply is only a part"),
    "cut inside a chunk": (half_a_chunk, 0, "the reply is only a part"),
    "an error in the middle": (
        stream(HALF, event(error={"code": 502, "message": "provider died"})),
        0,
        "provider died",
    ),
    "an error as the first event": (
        in_turn(stream(event(error={"code": 429, "message": "busy"})), OK),
        0,
        "tokens in",
    ),
    "a JSON body instead of a stream": (answer(BODY), 0, "tokens in"),
    "two error pages, then the reply": (
        in_turn(*[answer(PAGE, "502 Bad Gateway", "text/html")] * 2, OK),
        0,
        "tokens in",
    ),
    "error pages only": (answer(PAGE, "502 Bad Gateway", "text/html"), 3, "is overloaded or down: 502 Bad"),
    "429, then the reply": (in_turn(failure("429 Too Many", "slow", Retry_After="2"), OK), 0, "tokens in"),
    "429 for a day": (
        failure("429 Too Many", "daily limit", Retry_After="86400"),
        3,
        "daily limit, it asks to wait 24 h",
    ),
    "no quota": (failure("429 Too Many", "quota exceeded", "insufficient_quota"), 3, "no credit left"),
    "402": (failure("402 Payment Required", "Insufficient credits"), 3, "no credit left"),
    "a list of errors": (answer([REFUSED], "400 Bad Request"), 3, "refused the key"),
    "refused fields": (
        picky(("stream_options", "stream_options is not supported"), ("seed", "unknown: seed")),
        0,
        "tokens in",
    ),
    "a reset, then the reply": (in_turn(dropped, OK), 0, "tokens in"),
    "an empty reply": (stream(END), 3, "sent no text: finish_reason stop, tried 3 times"),
    "no such model": (answer({"error": "model not found"}, "404 Not Found"), 3, "has no model m"),
    "no such path": (answer(b"404", "404 Not Found", "text/plain"), 3, "no chat completions at this address"),
    "a sign-in page": (answer(b"<title>Sign in</title>", kind="text/html"), 3, "answered with a web page"),
    "a refusal": (
        stream(event(choices=[{"delta": {"refusal": "I won't"}}]), DONE),
        3,
        "refused to answer: I won't",
    ),
    "a filter": (stream(event(finish="content_filter"), DONE), 3, "refused to answer"),
    "a filter in the middle": (stream(HALF, event(finish="content_filter"), DONE), 0, "is only a part"),
    "too long, then the rest": (
        in_turn(stream(HALF, event(finish="length"), DONE), stream(REST, END)),
        0,
        "asking it to go on",
    ),
    "too long three times": (
        in_turn(
            stream(HALF, event(finish="length"), DONE),
            stream(event(SCENE[CUT : CUT + 9]), event(finish="length"), DONE),
            stream(event(SCENE[CUT + 9 : CUT + 15]), event(finish="length"), DONE),
        ),
        0,
        f"only a part, {CUT + 15} characters: cut off, m reached its length limit",
    ),
    "a redirect": (
        answer(b"", "302 Found", Location="https://elsewhere.example/v1"),
        3,
        "redirects to https://elsewhere",
    ),
    "context overflow": (failure("400 Bad", "context_length_exceeded: 9 tokens"), 3, "prompt is too long"),
    "a wrong key": (failure("401 Unauthorized", "Incorrect API key"), 3, "the key from VOXGEN_API_KEY"),
    "an unknown status": (answer(b"", "418 Teapot"), 3, "HTTP 418"),
    "text that is no scene": (recorded("I would love to."), 4, "no scene in the reply"),
    "no HTTP at all": (lambda request: [b"SSH-2.0-x\r\n"], 3, "the connection to 127.0.0.1"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_its_line_and_exit_code(
    fault: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, code, words = FAULTS[fault]
    monkeypatch.setenv("VOXGEN_API_KEY", KEY)
    with serving(script) as server:
        args = ["a post", "--base-url", server.url, "--model", "m", "--no-picture", "--seed", "4"]
        assert run(args) == code
    said = capsys.readouterr()
    assert words in said.err, said.err
    assert "Traceback" not in said.err
    assert all(line.startswith("voxgen: ") for line in said.err.splitlines())
    if code == 0:
        assert said.out.split()[-1] == "post.json"
        assert "tokens in" in said.err.splitlines()[-1], "the last line is the bill"
    else:
        assert said.out == ""
        assert not (folder / "post.json").exists()


# --------------------------------------------------------------------------- keys


def test_after_twenty_failing_runs_the_key_is_nowhere(
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = f"Incorrect API key provided: {KEY}; Bearer {KEY}"
    echoes: list[Script] = [
        failure("401 Unauthorized", said, KEY),
        failure("400 Bad", "x" * 290 + said),
        failure("404 Not Found", f"no model {KEY}"),
        failure("403 Forbidden", f"the token {KEY[:20]} is not allowed"),
        failure("429 Too Many", said, Retry_After="99999"),
        failure("500 Oops", said),
        failure("402 Payment Required", said),
        answer(f"<title>{said}</title>".encode(), "502 Bad", "text/html"),
        answer(said.encode(), "400 Bad", "text/plain"),
        answer(b"", "302 Found", Location=f"https://{KEY}@models.example/?k={KEY}"),
        answer(f"<title>{said}</title>".encode(), kind="text/html"),
        answer({"headers": {"authorization": f"Bearer {KEY}"}}),
        stream(event(error={"code": 401, "message": said, "metadata": {"raw": said}})),
        stream(event("{"), event(error={"code": 502, "message": said})),
        stream(event(choices=[{"delta": {"refusal": said}}]), event(finish="stop")),
        stream(event(finish=KEY), DONE),
        stream(event("{", model=KEY), event(finish="stop"), DONE),
        stream(event(said), END),
        stream(*(event(letter) for letter in said), END),
        stream(event(choices=[{"delta": {"reasoning": said}}]), event(SCENE.replace("A post", said)), END),
        stream(event("{"), end=False),
        dropped,
    ]
    caplog.set_level("INFO")  # more is only logged by who asks httpcore for it, not by us
    monkeypatch.setenv("VOXGEN_API_KEY", KEY)
    codes = []
    for script in echoes:
        with serving(script) as server:
            args = ["a post", "--base-url", server.url, "--model", "m", "--no-picture", "--fresh", "--debug"]
            codes.append(run(args))
    assert len([code for code in codes if code]) >= 18
    written = [path for path in (*folder.rglob("*"), *folder.parent.rglob("*")) if path.is_file()]
    assert any(path.name.endswith(".reply.txt") for path in written)
    kept = [*(path.read_bytes() for path in written), *map(str.encode, map(str, written))]
    from voxgen.ask import cache

    kept += [path.read_bytes() for path in cache.folder().iterdir()] if cache.folder().exists() else []
    shown = [*capfd.readouterr(), caplog.text]
    for text in [*shown, *(raw.decode("utf-8", "replace") for raw in kept)]:
        assert "SECRET" not in text
        assert "0123456789ab" not in text
    assert "Bearer ***" in "".join(shown)


def test_a_traceback_of_debug_shows_no_key(folder: Path) -> None:
    code = (
        "import sys; from voxgen.ask import client; client.read_body = lambda *_: 1 / 0\n"
        "from voxgen.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    with serving(OK) as server:
        args = ["a post", "--base-url", server.url, "--model", "m", "--no-picture", "--debug"]
        done = subprocess.run(
            [sys.executable, "-c", code, *args],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "VOXGEN_API_KEY": KEY},
        )
    assert "ZeroDivisionError" in done.stderr
    assert "SECRET" not in done.stderr + done.stdout


# --------------------------------------------------------------------------- proxies


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Run a proxy that answers every request itself, and say what it was asked for."""
    asked: list[str] = []

    def script(request: Request) -> Iterable[bytes]:
        asked.append(f"{request.method} {request.path}")
        return OK(request)

    with serving(script) as server:
        yield server.url.removesuffix("/v1"), asked


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(
    variable: str, proxy: tuple[str, list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = proxy
    monkeypatch.setenv(variable, url)
    args = ["a post", "--base-url", "http://models.invalid/v1", "--model", "m", "--no-picture", "-q"]
    assert run(args) == 0
    assert asked == ["POST http://models.invalid/v1/chat/completions"]


def test_no_proxy_is_kept_to(
    proxy: tuple[str, list[str]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, asked = proxy
    monkeypatch.setenv("HTTP_PROXY", url)
    monkeypatch.setenv("NO_PROXY", "models.invalid")
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: (_ for _ in ()).throw(socket.gaierror(-2, "no"))
    )
    assert run(["a post", "--base-url", "http://models.invalid/v1", "--model", "m", "--no-picture"]) == 3
    assert asked == []
    assert "models.invalid is not found" in capsys.readouterr().err


def test_a_server_on_this_machine_needs_no_proxy(
    proxy: tuple[str, list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = proxy
    monkeypatch.setenv("ALL_PROXY", url)
    with serving(OK) as server:
        assert run(["a post", "--base-url", server.url, "--model", "m", "--no-picture", "-q"]) == 0
    assert asked == []


# --------------------------------------------------------------------------- time


def test_a_server_that_does_not_take_the_request_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from voxgen.ask.models import custom
    from voxgen.errors import ModelError

    monkeypatch.setattr(client, "WRITE", 0.2)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def deaf() -> None:
            connections = [listener.accept()]
            done.wait(20)
            for connection, _ in connections:
                connection.close()

        thread = threading.Thread(target=deaf, daemon=True)
        thread.start()
        model = custom(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "m")
        huge: list[dict[str, Any]] = [{"role": "user", "content": "x" * (16 << 20)}]
        with pytest.raises(ModelError, match=r"took in nothing of the request for 0\.2 s"):
            client.ask(huge, model, key=None, retries=0)
        done.set()
        thread.join(5)


def test_a_host_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from voxgen.ask.models import custom
    from voxgen.errors import ModelError

    monkeypatch.setattr(client, "CONNECT", 0.2)

    def slow(*_: Any, **__: Any) -> Any:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", slow)
    with pytest.raises(ModelError, match=r"sent nothing for 0\.2 s"):
        client.ask([{"role": "user", "content": "x"}], custom("http://10.255.255.1/v1", "m"), key=None)
