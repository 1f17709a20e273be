from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
from voxgen.ask.client import ask, list_models
from voxgen.ask.faults import WORDS, Fault, classify, step_down
from voxgen.ask.models import Model, Usage, custom
from voxgen.ask.stream import Answer, EventStream, Reply, read_usage
from voxgen.errors import ModelError

KEY = "sk-proj-0123456789abcdefSECRET"
MESSAGES = [{"role": "system", "content": "rules"}, {"role": "user", "content": "a pond"}]
SCENE = '{"size": [4, 4, 4]}'
OK = stream(event('{"size": '), event("[4, 4, 4]}"), event(finish="stop"), DONE)


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    client._LEARNT.clear()
    yield
    client._LEARNT.clear()


def talk(script: Script, **options: Any) -> Reply:
    """Ask a scripted server once, without waiting between tries."""
    reply, _, _ = conversation(script, **options)
    return reply


def conversation(script: Script, **options: Any) -> tuple[Reply, list[Request], list[float]]:
    waits: list[float] = []
    options = {"key": None, "sleep": waits.append} | options
    with serving(script) as server:
        reply = ask(MESSAGES, options.pop("model", None) or custom(server.url, "m"), **options)
    return reply, server.requests, waits


def failing(script: Script, **options: Any) -> ModelError:
    """Ask a scripted server that fails, and return the error: one line with something to do next."""
    with pytest.raises(ModelError) as caught:
        talk(script, **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert caught.value.hint
    return caught.value


def thought(text: str) -> bytes:
    return event(choices=[{"delta": {"reasoning": text}}])


# ---------------------------------------------------------------- what arrives


def bytewise(*events: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in b"".join(events)]


WIRES = {
    "plain": [event('{"size": '), event("[4, 4, 4]}"), event(finish="stop"), DONE],
    "one byte at a time": bytewise(event('{"size": '), event("[4, 4, 4]}"), event(finish="stop"), DONE),
    "CRLF": [b"".join((event(SCENE), event(finish="stop"), DONE)).replace(b"\n", b"\r\n")],
    "CRLF cut between CR and LF": bytewise(*(e.replace(b"\n", b"\r\n") for e in (event(SCENE), DONE))),
    "CR": [b"".join((event(SCENE), event(finish="stop"), DONE)).replace(b"\n", b"\r")],
    "no space after the colon": [
        event(SCENE).replace(b"data: ", b"data:"),
        DONE.replace(b"data: ", b"data:"),
    ],
    "no blank lines": [b"".join((event('{"size": '), event("[4, 4, 4]}"), DONE)).replace(b"\n\n", b"\n")],
    "no last blank line": [event(SCENE), event(finish="stop").rstrip(b"\n")],
    "no [DONE]": [event(SCENE), event(finish="stop")],
    "comments and pings": [
        b": PROCESSING\n\n",
        b'event: ping\ndata: {"type": "ping"}\n\n',
        event(SCENE),
        b": x\n",
        DONE,
    ],
    "byte order mark and blank lines": [b"\xef\xbb\xbf", b"\n\n  \n", event(SCENE), DONE],
    "other fields": [b"id: 7\nretry: 10\n" + event(SCENE), DONE],
    "junk between": [
        b"data: not json\n\n",
        b"data: 7\n\n",
        b"data: null\n\n",
        b"what\n\n",
        event(SCENE),
        DONE,
    ],
    "an event over several lines": [
        b"".join(
            b"data: " + line + b"\n"
            for line in json.dumps(json.loads(event(SCENE)[6:]), indent=1).encode().split(b"\n")
        )
        + b"\n",
        DONE,
    ],
    "content as parts": [event(choices=[{"delta": {"content": [{"type": "text", "text": SCENE}]}}]), DONE],
    "another sample beside it": [
        event(choices=[{"index": 1, "delta": {"content": "no"}}]),
        event(SCENE),
        DONE,
    ],
    "old completions": [event(choices=[{"text": SCENE, "finish_reason": "stop"}]), DONE],
    "a whole message in the stream": [
        event(choices=[{"message": {"content": SCENE}, "finish_reason": "stop"}])
    ],
}


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_every_way_to_write_a_stream_gives_the_same_text(wire: list[bytes]) -> None:
    heard: list[str] = []
    reply = talk(stream(*wire), on_text=heard.append)
    assert reply.text == "".join(heard) == SCENE
    assert (reply.partial, reply.finish) == ("", "stop")


def test_text_is_passed_on_as_it_comes_and_not_only_at_the_end() -> None:
    heard: list[str] = []
    talk(OK, on_text=heard.append)
    assert heard == ['{"size": ', "[4, 4, 4]}"]


@pytest.mark.parametrize("text", ["花园 🌸 é", "a\u2028b\u2029c\x85d", "tab\tline\nreturn\r\n", "\ufeff"])
def test_any_text_comes_through_whole_even_cut_inside_a_character(text: str) -> None:
    assert talk(stream(*bytewise(event("x" + text), DONE))).text == "x" + text


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain"])
def test_a_json_body_in_answer_to_a_stream_request_is_read(kind: str) -> None:
    body = {
        "model": "real-name",
        "choices": [{"message": {"content": SCENE, "reasoning": "hm"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5},
    }
    heard: list[str] = []
    reply = talk(answer(body, kind=kind), on_text=heard.append)
    assert (reply.text, reply.reasoning, reply.model, heard) == (SCENE, "hm", "real-name", [SCENE])
    assert reply.usage == Usage(3, 0, 5)


def test_a_json_body_may_begin_with_blank_lines_and_a_byte_order_mark() -> None:
    body = json.dumps({"choices": [{"message": {"content": SCENE}}]}).encode()
    assert talk(answer(b"\n \xef\xbb\xbf\r\n" + body)).text == SCENE


def test_nothing_is_waited_for_after_done() -> None:
    reply = talk(hanging(event(SCENE), DONE), silence=0.3)
    assert (reply.text, reply.partial) == (SCENE, "")


@pytest.mark.parametrize(
    "pieces",
    [
        [
            event(choices=[{"delta": {"reasoning_content": "let me "}}]),
            event(choices=[{"delta": {"reasoning": "see"}}]),
        ],
        [event(choices=[{"delta": {"reasoning_details": [{"text": "let me "}, {"summary": "see"}]}}])],
        [event(choices=[{"delta": {"thinking": "let me see"}}])],
        [
            event(
                choices=[{"delta": {"content": [{"type": "thinking", "thinking": [{"text": "let me see"}]}]}}]
            )
        ],
        [event("<think>let me see</think>")],
        [event(character) for character in "\n<think>let me see</think>"],
        [event("<th"), event("ink>let me"), event(" see</thi"), event("nk>")],
    ],
)
def test_reasoning_is_kept_apart_from_the_text(pieces: list[bytes]) -> None:
    heard: list[str] = []
    reply = talk(stream(*pieces, event(SCENE), DONE), on_reasoning=heard.append)
    assert reply.text == SCENE
    assert reply.reasoning == "".join(heard) == "let me see"


def test_what_only_begins_like_a_think_tag_is_text() -> None:
    assert talk(stream(event("<thin"), event(finish="stop"), DONE)).text == "<thin"


def test_a_think_tag_inside_the_text_is_text() -> None:
    text = "{} <think>no</think>"
    assert talk(stream(*map(event, text), DONE)).text == text


def test_a_model_that_answers_only_in_its_reasoning_is_heard_and_it_is_said() -> None:
    heard: list[str] = []
    reply = talk(stream(thought(SCENE), event(finish="stop")), on_text=heard.append)
    assert reply.text == "".join(heard) == SCENE
    assert "reasoning" in reply.partial


def test_usage_cost_and_the_name_of_the_model_are_read() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "cost": 0.003}
    reply = talk(recorded(SCENE, usage=usage, model="qwen3-max-2026"))
    assert reply.usage == Usage(10, 0, 20, 0, 0.003)
    assert reply.model == "qwen3-max-2026"
    assert reply.seconds > 0


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}, Usage(9, 0, 7)),
        ({"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 30}, Usage(9, 0, 21)),
        ({"input_tokens": 9, "output_tokens": 7, "cache_read_input_tokens": 4}, Usage(9, 4, 7)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}, Usage(9, 4)),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 99}, Usage(9, 9)),
        ({"completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 5}}, Usage(0, 0, 7, 5)),
        ({"prompt_tokens": "9", "completion_tokens": -1, "cost": "free"}, Usage()),
        ({"prompt_tokens": 1e400, "cost": float("nan"), "prompt_tokens_details": 3}, Usage()),
    ],
)
def test_token_counts_are_read_in_any_providers_words(sent: dict[str, Any], expected: Usage) -> None:
    assert read_usage(sent) == expected


# ---------------------------------------------------------------- partial replies


@pytest.mark.parametrize(
    ("script", "finish", "reason"),
    [
        (stream(event("{"), end=False), "cut", "broke"),
        (stream(event("{")), "cut", "stopped in the middle"),
        (stream(event("{"), event(finish="length"), DONE), "length", "length limit"),
        (stream(event("{"), event(finish="MAX_TOKENS"), DONE), "length", "length limit"),
        (stream(event("{"), event(finish="model_context_window_exceeded")), "length", "length limit"),
        (stream(event("{"), event(finish="content_filter"), DONE), "filter", "refused"),
        (stream(event("{"), event(error={"code": 502, "message": "provider died"})), "cut", "provider died"),
        (stream(event("{"), b"event: error\ndata: provider died\n\n"), "cut", "provider died"),
        (stream(event("{"), b'event: error\ndata: {"message": "provider died"}\n\n'), "cut", "provider died"),
    ],
)
def test_what_has_arrived_is_returned_and_said_to_be_a_part(script: Script, finish: str, reason: str) -> None:
    reply, requests, _ = conversation(script)
    assert reply.text == "{"
    assert reply.finish == finish
    assert reason in reply.partial
    assert len(requests) == 1, "paid text is never asked for again"


def test_a_partial_reply_carries_the_advice_of_its_provider() -> None:
    with serving(stream(event("{"), event(finish="length"), DONE)) as server:
        model = replace(custom(server.url, "m"), advice={"length": "give it more room"})
        assert ask(MESSAGES, model, key=None).partial.endswith("; give it more room")


def test_silence_in_the_middle_ends_the_wait() -> None:
    reply = talk(hanging(event("{")), silence=0.2)
    assert (reply.text, reply.finish) == ("{", "cut")
    assert "sent nothing for 0.2 s" in reply.partial


def test_a_reply_that_takes_too_long_ends_even_if_bytes_keep_coming() -> None:
    reply = talk(recorded("{" * 10_000, chunk=1, delay=0.01), timeout=0.3)
    assert reply.text
    assert set(reply.text) == {"{"}
    assert "took longer than 0.3 s" in reply.partial


def test_a_reply_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_REPLY", 1 << 20)
    endless = stream(*[b"data: " + b"x" * 60_000 for _ in range(40)])
    assert "more than 1 MB" in str(failing(endless))
    reply = talk(stream(*[event("y" * 60_000) for _ in range(40)]))
    assert "more than 1 MB" in reply.partial


# ---------------------------------------------------------------- trying again


@pytest.mark.parametrize(
    "first",
    [
        failure("429 Too Many", "slow down", Retry_After="2"),
        failure("503 Unavailable", "busy"),
        failure("529 Overloaded", "busy"),
        failure("402 Payment Required", "credits held by requests in flight", Retry_After="2"),
        answer(b"<html><head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway", "text/html"),
        dropped,
        answer(b'{"choices": [{"message": <<<'),
        stream(event(error={"code": 429, "message": "upstream busy"})),
        stream(b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'),
        stream(event("\n "), end=False),
        stream(thought("hm"), end=False),
        stream(event(finish="stop"), DONE),
        stream(),
    ],
)
def test_a_failure_before_the_first_text_is_tried_again(first: Script) -> None:
    reply, requests, waits = conversation(in_turn(first, OK))
    assert (reply.text, reply.partial) == (SCENE, "")
    assert len(requests) == 2
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        ({"Retry_After": "7"}, 7, 7),
        ({"Retry_After_Ms": "1500", "Retry_After": "9"}, 1.5, 1.5),
        ({"Retry_After": formatdate(usegmt=True)}, 0, 1),
        ({"Retry_After": "soon"}, 0.375, 0.5),
        ({"Retry_After": "nan"}, 0.375, 0.5),
        ({"Retry_After": "-4"}, 0, 0),
        ({}, 0.375, 0.5),
    ],
)
def test_the_wait_is_the_one_the_server_asks_for(asked: dict[str, str], low: float, high: float) -> None:
    _, _, waits = conversation(in_turn(failure("429 Too Many", "slow", **asked), OK))
    assert low <= waits[0] <= high


def test_waits_grow_and_tries_end() -> None:
    waits: list[float] = []
    error = failing(failure("503 Unavailable", "busy"), retries=4, sleep=waits.append)
    assert waits == sorted(waits)
    assert len(waits) == 4
    assert "tried 5 times" in str(error)
    assert error.status == 503


def test_a_server_that_asks_for_a_long_wait_is_not_waited_for() -> None:
    waits: list[float] = []
    error = failing(failure("429 Too Many", "daily limit", Retry_After="121"), sleep=waits.append)
    assert waits == []
    assert "asks to wait 2 min" in str(error)


def test_a_wait_that_is_longer_than_the_time_left_is_not_begun() -> None:
    waits: list[float] = []
    failing(failure("429 Too Many", "slow", Retry_After="30"), timeout=20, sleep=waits.append)
    assert waits == []


@pytest.mark.parametrize(
    ("script", "words", "hint"),
    [
        (failure("401 Unauthorized", "bad key"), "refused the key from MY_KEY: bad key", "voxgen models"),
        (failure("403 Forbidden", "not your region"), "refused the key from MY_KEY", "voxgen models"),
        (
            answer(
                [{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}],
                "400 Bad",
            ),
            "refused the key",
            "voxgen models",
        ),
        (failure("402 Payment Required", "Insufficient credits"), "no credit left", "add credit"),
        (
            failure("429 Too Many", "You exceeded your quota", "insufficient_quota"),
            "no credit left",
            "add credit",
        ),
        (failure("400 Bad", "overdue", "Arrearage"), "no credit left", "add credit"),
        (failure("400 Bad", "inspection", "DataInspectionFailed"), "m refused to answer", "other words"),
        (
            failure("400 Bad", "This model's maximum context length is 10", "context_length_exceeded"),
            "too long for m",
            "shorten",
        ),
        (
            failure("422 Unprocessable", "messages: wrong"),
            "did not accept the request: messages: wrong",
            "--debug",
        ),
        (
            answer(b"404 page not found", "404 Not Found", "text/plain"),
            "no chat completions at this address",
            "/v1",
        ),
        (
            answer(b"<!doctype html><title>Sign &amp; in</title><p>x", kind="text/html"),
            "model: Sign & in",
            "/v1",
        ),
        (
            stream(event(choices=[{"delta": {"refusal": "I won't"}}]), DONE),
            "refused to answer: I won't",
            "other",
        ),
        (stream(event(finish="content_filter"), DONE), "refused to answer", "other words"),
        (stream(thought("hm {"), event(finish="length"), DONE), "length limit", "more tokens"),
        (failure("503 Unavailable", "no", X_Should_Retry="false"), "overloaded or down: no (503)", "later"),
        (answer({"error": "plain words"}, "400 Bad"), "plain words", "--debug"),
        (answer({"detail": [{"loc": ["body", "x"], "msg": "extra"}]}, "422 Bad"), "extra", "--debug"),
        (answer(b"", "418 Teapot"), "HTTP 418", "--debug"),
    ],
)
def test_a_final_failure_is_one_line_and_asked_once(script: Script, words: str, hint: str) -> None:
    waits: list[float] = []
    error = failing(script, key=KEY, key_source="MY_KEY", sleep=waits.append)
    assert words in str(error)
    assert hint in error.hint
    assert waits == []


def test_every_error_says_which_host() -> None:
    with serving(failure("401 Unauthorized", "no")) as server, pytest.raises(ModelError) as caught:
        ask(MESSAGES, custom(server.url, "m"), key=KEY)
    assert server.url.removeprefix("http://").removesuffix("/v1") in str(caught.value)


def test_a_server_that_wants_a_key_is_told_from_one_that_refuses_it() -> None:
    error = failing(failure("401 Unauthorized", "no key"), key=None)
    assert "wants a key" in str(error)
    assert "VOXGEN_API_KEY" in error.hint


def test_a_model_that_is_not_there_brings_names_like_it() -> None:
    missing = failure("404 Not Found", "The model `m` does not exist", "model_not_found")
    listed = {"data": [{"id": "qwen3-max"}, {"id": "gpt-6"}, {"name": "models/gemini-9"}, "x", {"id": 5}]}

    def script(request: Request) -> Any:
        return (answer(listed) if request.method == "GET" else missing)(request)

    with serving(script) as server, pytest.raises(ModelError) as caught:
        ask(MESSAGES, custom(server.url, "qwen3-maxi"), key=None)
    assert "no model qwen3-maxi" in str(caught.value)
    assert caught.value.hint == "did you mean qwen3-max?"
    assert caught.value.status == 404


def test_a_provider_adds_its_own_advice() -> None:
    model = Model(
        "ollama", "m", "http://localhost:1/v1", needs_key=False, advice={"refused": "is Ollama running?"}
    )
    with pytest.raises(ModelError, match="nothing answers at localhost:1") as caught:
        ask(MESSAGES, model, key=None)
    assert caught.value.hint == "is Ollama running?"


# ---------------------------------------------------------------- refused fields


def picky(*refused: tuple[str, str]) -> Script:
    """Refuse each field with its message while it is sent, one at a time."""

    def script(request: Request) -> Any:
        for name, message in refused:
            if name in request.body:
                return failure("400 Bad", message)(request)
        return OK(request)

    return script


def test_refused_fields_are_left_out_one_by_one_and_remembered() -> None:
    script = picky(
        ("max_completion_tokens", "Unrecognized request argument supplied: max_completion_tokens"),
        ("stream_options", "stream_options is not supported"),
        ("temperature", "temperature: only the default (1) value is supported"),
        ("seed", "Unknown parameter: seed"),
    )
    with serving(script) as server:
        model = replace(custom(server.url, "m"), limit_field="max_completion_tokens")
        for _ in range(2):
            reply = ask(MESSAGES, model, key=None, max_tokens=500, temperature=0.7, seed=3)
            assert reply.text == SCENE
    assert len(server.requests) == 6
    assert server.requests[-1].body == server.requests[4].body
    assert set(server.requests[-1].body) == {"model", "messages", "stream", "max_tokens"}


@pytest.mark.parametrize(
    ("said", "before", "after"),
    [
        (
            "'max_tokens' is unsupported. Use 'max_completion_tokens'",
            {"max_tokens": 9},
            {"max_completion_tokens": 9},
        ),
        (
            "max_tokens: 64000 > 32000, which is the maximum allowed",
            {"max_tokens": 64000},
            {"max_tokens": 32000},
        ),
        ("Range of max_tokens should be [1, 8192]", {"max_tokens": 64000}, {"max_tokens": 8192}),
        ("max_tokens is too large", {"max_tokens": 64000}, {}),
        ("'max_tokens' is too large: 64000. The maximum context length is 8192", {"max_tokens": 64000}, {}),
        ("Streaming is not supported for this model", {"stream": True}, {}),
        (
            "[{'loc': ['body', 'stream_options'], 'msg': 'Extra'}]",
            {"stream": True, "stream_options": 1},
            {"stream": True},
        ),
        ("messages must end with a user turn", {"stream": True, "seed": 1}, {"stream": True, "seed": 1}),
        ("a tall evergreen and its seedling", {"seed": 1}, {"seed": 1}),
    ],
)
def test_one_step_down_changes_only_the_field_that_is_named(
    said: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    sent = dict(before)
    changed = step_down(sent, said)
    assert sent == after
    assert bool(changed) == (before != after)


def test_a_server_that_refuses_whatever_is_sent_is_given_up() -> None:
    script = picky(("max_tokens", "use max_completion_tokens"), ("max_completion_tokens", "use max_tokens"))
    with serving(script) as server, pytest.raises(ModelError, match="did not accept"):
        ask(MESSAGES, custom(server.url, "m"), key=None, max_tokens=9)
    assert len(server.requests) <= client.MAX_STEPS + 1


def test_only_what_was_asked_for_is_sent() -> None:
    _, requests, _ = conversation(OK)
    assert requests[0].path == "/v1/chat/completions"
    assert requests[0].body == {
        "model": "m",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "authorization" not in requests[0].headers


def test_a_prompt_of_any_characters_is_sent() -> None:
    with serving(OK) as server:
        ask([{"role": "user", "content": "花园 🌸 \ud800 \x00"}], custom(server.url, "m"), key=None)
    assert server.requests[0].body["messages"][0]["content"] == "花园 🌸 \ud800 \x00"


def test_the_limits_of_the_model_are_kept() -> None:
    with serving(OK) as server:
        model = replace(custom(server.url, "m"), output=100, limit=64, limit_field="max_completion_tokens")
        ask(MESSAGES, model, key=None)
        ask(MESSAGES, model, key=None, max_tokens=5000)
        ask(MESSAGES, replace(model, usage_option=False), key=None)
    assert [request.body["max_completion_tokens"] for request in server.requests] == [64, 100, 64]
    assert "stream_options" not in server.requests[-1].body


def test_a_prompt_longer_than_the_window_is_not_sent() -> None:
    with (
        serving(OK) as server,
        pytest.raises(ModelError, match="about 2,500 tokens, of 2,000"),
    ):
        ask(
            [{"role": "user", "content": "x" * 10_000}],
            replace(custom(server.url, "m"), window=2000),
            key=None,
        )
    assert server.requests == []


# ---------------------------------------------------------------- the network


def hanging(*pieces: bytes) -> Script:
    """Send the pieces as a stream, then keep silent until the client hangs up."""

    def script(request: Request) -> Iterator[bytes]:
        yield head("200 OK", "text/event-stream", chunked=True)
        yield from map(framed, pieces)
        time.sleep(1.0)

    return script


def test_silence_before_the_first_byte_is_one_clear_line() -> None:
    error = failing(hanging(), silence=0.2)
    assert "sent nothing for 0.2 s" in str(error)


def test_a_closed_port_is_one_clear_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ModelError, match=rf"nothing answers at 127\.0\.0\.1:{port}") as caught:
        ask(MESSAGES, custom(f"http://127.0.0.1:{port}/v1", "m"), key=None)
    assert "server is running" in caught.value.hint


def test_an_unknown_host_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ModelError, match=r"the address models\.invalid is not found") as caught:
        ask(MESSAGES, custom("http://models.invalid/v1", "m"), key=None)
    assert "network" in caught.value.hint


def test_a_server_that_speaks_no_tls_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 this is no TLS\r\n")
                connection.recv(4096)

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(ModelError, match="no safe connection") as caught:
            ask(MESSAGES, custom(f"https://127.0.0.1:{listener.getsockname()[1]}/v1", "m"), key=KEY)
        thread.join()
    assert "SSL_CERT_FILE" in caught.value.hint


def test_a_server_that_speaks_no_http_is_one_clear_line() -> None:
    def script(request: Request) -> Iterator[bytes]:
        yield b"SSH-2.0-OpenSSH_9.9\r\n"

    assert "broke" in str(failing(script))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "nonsense://me:hunter2@proxy:1"),
        ("HTTP_PROXY", "http://me:hunter2@[proxy"),
        ("ALL_PROXY", "socks5://proxy:1"),
    ],
)
def test_proxy_settings_that_do_not_work_are_one_clear_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ModelError) as caught:
        ask(MESSAGES, custom("http://models.invalid/v1", "m"), key=None)
    assert "PROXY" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_a_dead_proxy_is_one_clear_line_and_this_machine_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://me:hunter2@127.0.0.1:1")
    assert talk(OK).text == SCENE
    with pytest.raises(ModelError) as caught:
        ask(MESSAGES, custom("http://models.invalid/v1", "m"), key=None)
    assert "hunter2" not in str(caught.value)


def test_a_listener_that_fails_is_no_fault_of_the_network() -> None:
    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    with serving(OK) as server, pytest.raises(OSError, match="No space left"):
        ask(MESSAGES, custom(server.url, "m"), key=None, on_text=full)
    assert len(server.requests) == 1


def test_an_endless_error_page_is_read_only_so_far() -> None:
    def script(request: Request) -> Iterator[bytes]:
        yield head("500 Oops", "text/html", length=1 << 40)
        for _ in range(1000):
            yield b"<p>" + b"sorry " * 20_000
            sent.append(1)

    sent: list[int] = []
    assert "a web page" in str(failing(script, retries=0))
    assert len(sent) < 500


def test_an_error_page_that_is_cut_still_says_what_its_status_says() -> None:
    def script(request: Request) -> Iterator[bytes]:
        yield head("401 Unauthorized", "application/json", length=1000) + b'{"error": {"mess'

    assert failing(script, key=KEY).status == 401


def test_control_characters_of_a_server_do_not_reach_the_terminal() -> None:
    error = failing(failure("400 Bad", "\x1b[31mred\x07\r\nnext\u202e"))
    assert all(character.isprintable() for character in str(error))


# ---------------------------------------------------------------- keys


def test_a_key_goes_into_the_authorization_header_only() -> None:
    _, requests, _ = conversation(OK, key=f" {KEY}\n")
    assert requests[0].headers.pop("authorization") == f"Bearer {KEY}"
    assert KEY not in repr(requests[0])


@pytest.mark.parametrize(
    "url", ["http://192.168.1.5:8000/v1", "http://localhost.evil.example/v1", "HTTP://models.example/v1"]
)
def test_a_key_is_never_sent_unencrypted_to_another_machine(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    for call in (
        lambda m: ask(MESSAGES, m, key=KEY, key_source="MY_KEY"),
        lambda m: list_models(m, KEY, key_source="MY_KEY"),
    ):
        with pytest.raises(ModelError, match=r"the key from MY_KEY would go to \S+ unencrypted") as caught:
            call(custom(url, "m"))
        assert "https://" in caught.value.hint
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed_and_carries_no_key_away(status: str) -> None:
    with serving(OK) as other:
        error = failing(answer(b"", status, Location=f"{other.url}/x?token={KEY}"), key=KEY)
    assert other.requests == []
    assert "redirects to" in str(error)
    assert "base URL" in error.hint
    assert KEY not in str(error)


@pytest.mark.parametrize("location", ["//[", "/elsewhere", "?", "\u00e9"])
def test_odd_redirects_are_one_clear_line(location: str) -> None:
    assert "redirects to" in str(failing(answer(b"", "302 Found", Location=location)))


@pytest.mark.parametrize("key", ["sk-\nabc", "sk-schlüssel", "two words", "sk-\x00"])
def test_a_key_that_cannot_be_one_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ModelError, match="characters that no key has") as caught:
        ask(MESSAGES, custom("https://models.example/v1", "m"), key=key, key_source="MY_KEY")
    assert key not in str(caught.value)


def echoes() -> list[Script]:
    """Servers that repeat the key in every place they can."""
    said = f"Incorrect API key provided: {KEY} (Bearer {KEY})"
    return [
        failure("401 Unauthorized", said, KEY),
        failure("400 Bad", "x" * 290 + said),
        failure("404 Not Found", f"no model {KEY}"),
        failure("403 Forbidden", f"the token {KEY[:20]} is not allowed"),
        failure("429 Too Many", said, Retry_After="99999"),
        failure("500 Oops", said),
        answer(f"<title>{said}</title>".encode(), "502 Bad", "text/html"),
        answer(said.encode(), "400 Bad", "text/plain"),
        answer(b"", "302 Found", Location=f"https://{KEY}@models.example/?k={KEY}"),
        answer(f"<title>{said}</title>".encode(), kind="text/html"),
        stream(event(error={"code": 401, "message": said, "metadata": {"raw": said}})),
        stream(event("{"), event(error={"code": 502, "message": said})),
        stream(event(choices=[{"delta": {"refusal": said}}]), event(finish="stop")),
        stream(event(finish=KEY), DONE),
        stream(event("{", model=KEY), event(finish="stop"), DONE),
        stream(event("{"), end=False),
        dropped,
    ]


def test_a_key_appears_in_no_reply_error_trace_or_output(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    seen: list[str] = []
    for script in echoes():
        with serving(script) as server:
            model = custom(server.url, "m")
            try:
                reply = ask(
                    MESSAGES, model, key=KEY, key_source="MY_KEY", debug=seen.append, sleep=lambda _: None
                )
                seen.append(repr(reply))
            except ModelError as error:
                seen += [str(error), repr(error), repr(error.__cause__), repr(error.args)]
            try:
                list_models(model, KEY, key_source="MY_KEY")
            except ModelError as error:
                seen += [str(error), repr(error)]
    said = "\n".join([*seen, *capfd.readouterr(), caplog.text])
    assert "SECRET" not in said
    assert "0123456789" not in said
    assert "Bearer ***" in said


def test_the_trace_tells_the_story_one_line_an_event() -> None:
    told: list[str] = []
    talk(
        in_turn(failure("400 Bad", "no seed"), failure("503 Unavailable", "busy"), OK),
        seed=1,
        key=KEY,
        debug=told.append,
    )
    assert [line.split()[0] for line in told] == [
        *("POST", "request", "asking"),
        *("POST", "busy", "asking"),
        *("POST", "200", "stop:"),
    ]
    assert not any("\n" in line for line in told)


# ---------------------------------------------------------------- properties

names = st.sampled_from(
    [
        *("choices", "delta", "message", "content", "text", "reasoning", "index", "usage", "error", "code"),
        *("type", "finish_reason", "model", "refusal", "detail", "metadata"),
    ]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(values)
def test_a_chunk_of_any_shape_is_taken_in_or_is_a_fault(value: Any) -> None:
    gathered = Answer()
    with suppress(Fault):
        gathered.chunk({"choices": [value], "usage": value})
        gathered.chunk(value)
        gathered.verdict()
    assert all(isinstance(piece, str) for piece in gathered.text + gathered.reasoning)


@settings(deadline=None, max_examples=50)
@given(values, st.integers(400, 599))
def test_an_error_body_of_any_shape_is_classified(value: Any, status: int) -> None:
    fault = classify(status, {}, json.dumps(value).encode())
    assert fault.kind in WORDS
    assert fault.said


lines_of_events = st.sampled_from(
    ["data: {}", "data: [DONE]", "data: é\u2028", ": hi", "event: error", "", "id: 1", "data"]
)


@settings(deadline=None, max_examples=100)
@given(st.lists(lines_of_events, max_size=12), st.sampled_from(["\n", "\r", "\r\n"]), st.data())
def test_events_do_not_depend_on_where_the_bytes_are_cut(
    lines: list[str], ending: str, data: st.DataObject
) -> None:
    raw = ending.join(lines).encode()
    whole = EventStream()
    expected = [*whole.feed(raw), *whole.end()]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    pieces = EventStream()
    found = [e for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True) for e in pieces.feed(raw[a:b])]
    assert [*found, *pieces.end()] == expected


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_without_an_error(raw: bytes) -> None:
    events = EventStream()
    assert all(isinstance(data, str) for _, data in [*events.feed(raw), *events.end()])


@settings(deadline=None, max_examples=100)
@given(st.text("<think>/ax \n", max_size=30), st.data())
def test_thinking_is_told_from_text_wherever_it_is_cut(text: str, data: st.DataObject) -> None:
    def parted(pieces: list[str]) -> tuple[str, str]:
        gathered = Answer()
        for piece in pieces:
            gathered.chunk({"choices": [{"delta": {"content": piece}}]})
        gathered.finish = "length"  # so that nothing is read twice
        gathered.verdict()
        return "".join(gathered.text), "".join(gathered.reasoning)

    cut = data.draw(st.integers(0, len(text)))
    assert parted([text[:cut], text[cut:]]) == parted([text]) == parted(list(text))


# ---------------------------------------------------------------- what else is asked for

SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def test_a_schema_is_given_up_in_two_steps_and_that_is_remembered() -> None:
    def script(request: Request) -> Any:
        kind = (request.body.get("response_format") or {}).get("type")
        if kind:
            return failure("400 Bad", f"response_format type {kind} is unavailable")(request)
        return OK(request)

    with serving(script) as server:
        model = replace(custom(server.url, "m"), schema="portable")
        for _ in range(2):
            assert ask(MESSAGES, model, key=None, schema=SCHEMA).text == SCENE
        assert ask(MESSAGES, replace(model, name="other"), key=None, schema=SCHEMA).text == SCENE
    kinds = [(r.body.get("response_format") or {}).get("type") for r in server.requests]
    assert kinds == ["json_schema", "json_object", None, None, "json_schema", "json_object", None]


def test_samples_asked_for_at_once_step_down_each_for_itself_and_once() -> None:
    together = threading.Barrier(4)

    def script(request: Request) -> Any:
        if "max_completion_tokens" in request.body:
            with suppress(threading.BrokenBarrierError):
                together.wait(timeout=5)  # all are refused before any steps down
            return failure("400 Bad", "Unrecognized request argument: max_completion_tokens")(request)
        return OK(request)

    with serving(script) as server:
        model = replace(custom(server.url, "m"), limit_field="max_completion_tokens", limit=500)
        threads = [
            threading.Thread(target=ask, args=(MESSAGES, model), kwargs={"key": None}) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 8
        ask(MESSAGES, model, key=None)
    assert server.requests[-1].body["max_tokens"] == 500
    assert len(server.requests) == 9


@pytest.mark.parametrize("status", ["400 Bad", "404 Not Found", "415 No", "422 No", "500 Oops", "501 No"])
def test_fields_are_refused_with_any_of_these_statuses(status: str) -> None:
    def script(request: Request) -> Any:
        return (failure(status, "unknown field: seed") if "seed" in request.body else OK)(request)

    reply, requests, _ = conversation(script, seed=3)
    assert reply.text == SCENE
    assert "seed" not in requests[1].body


def test_log_probabilities_are_asked_for_only_to_compare_and_only_where_there_are_any() -> None:
    with serving(OK) as server:
        model = replace(custom(server.url, "m"), logprobs=20)
        ask(MESSAGES, model, key=None)
        ask(MESSAGES, model, key=None, hopeless=lambda _: False)
        ask(MESSAGES, replace(model, logprobs=0), key=None, hopeless=lambda _: False)
    assert ["logprobs" in request.body for request in server.requests] == [False, True, False]
    assert server.requests[1].body["top_logprobs"] == 20


@pytest.mark.parametrize(
    ("said", "after"),
    [
        ("logprobs is not supported", {}),
        ("top_logprobs must be between 0 and 5", {"logprobs": True, "top_logprobs": 5}),
        ("something else", {"logprobs": True, "top_logprobs": 20}),
    ],
)
def test_log_probabilities_step_down(said: str, after: dict[str, Any]) -> None:
    body = {"logprobs": True, "top_logprobs": 20}
    step_down(body, said)
    assert body == after


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("enable_thinking is not supported by this model", "enable_thinking"),
        ("Unrecognized request argument: reasoning_effort", "reasoning_effort"),
        ("chat_template_kwargs: extra inputs", "chat_template_kwargs"),
        ("unknown field thinking", "thinking"),
        ("reasoning is not allowed", "reasoning"),
        ("usage: extra inputs are not permitted", "usage"),
    ],
)
def test_a_field_of_the_table_that_is_refused_is_left_out(said: str, field: str) -> None:
    def script(request: Request) -> Any:
        return (failure("400 Bad", said) if field in request.body else OK)(request)

    with serving(script) as server:
        model = replace(custom(server.url, "m"), extra={field: {"include": True}})
        assert ask(MESSAGES, model, key=None).text == SCENE
    assert [field in request.body for request in server.requests] == [True, False]


def test_a_mark_for_the_cache_stands_only_where_it_pays_and_can_be_refused() -> None:
    def script(request: Request) -> Any:
        marked = isinstance(request.body["messages"][0]["content"], list)
        return (failure("400 Bad", "messages[0].content must be a string") if marked else OK)(request)

    with serving(script) as server:
        model = replace(custom(server.url, "anthropic/claude-9"), caches_marked="^anthropic/")
        assert ask(MESSAGES, model, key=None).text == SCENE
        assert ask(MESSAGES, replace(model, name="qwen/qwen-9"), key=None).text == SCENE
    first, *others = (request.body["messages"] for request in server.requests)
    assert first[0]["content"] == [{"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}]
    assert others == [MESSAGES, MESSAGES]


def test_what_may_be_written_fits_the_window_with_the_prompt() -> None:
    with serving(OK) as server:
        model = replace(custom(server.url, "m"), window=3000, output=2000, context=4000, limit=2000)
        ask([{"role": "user", "content": "x" * 10_000}], model, key=None)
        ask([{"role": "user", "content": "x" * 400}], model, key=None)
    assert [request.body["max_tokens"] for request in server.requests] == [1500, 2000]


def test_a_key_that_a_server_writes_into_its_reply_is_hidden_however_it_is_cut() -> None:
    text = f'{{"title": "{KEY}", "plan": "{KEY[:9]}"}}'
    for pieces in ([text], list(text), [text[:20], text[20:]]):
        heard: list[str] = []
        script = stream(*map(event, pieces), event(choices=[{"delta": {"reasoning": KEY}}]), DONE)
        reply = talk(script, key=KEY, on_text=heard.append)
        assert reply.text == "".join(heard) == f'{{"title": "***", "plan": "{KEY[:9]}"}}'
        assert reply.reasoning == "***"


def test_what_was_held_back_of_a_cut_reply_is_not_lost() -> None:
    script = stream(event("{"), event(f'"title": "{KEY[:7]}'), end=False)
    heard: list[str] = []
    assert talk(script, key=KEY, on_text=heard.append).text == "".join(heard) == f'{{"title": "{KEY[:7]}'


def test_a_reply_without_counts_has_estimates_that_say_so() -> None:
    usage = talk(stream(event(SCENE), thought("hm hm hm"), event(finish="stop"))).usage
    assert usage.estimated
    assert (usage.input, usage.output, usage.reasoning) == (2, int(len(SCENE) / 2.6) + 2, 2)
    assert not talk(recorded(SCENE)).usage.estimated


def test_a_doubtful_reply_ends_early() -> None:
    top = {"content": [{"token": "box", "top_logprobs": [{"logprob": -1.5}]}]}
    pieces = [event(choices=[{"delta": {"content": "x"}, "logprobs": top}]) for _ in range(600)]
    asked: list[float] = []

    def hopeless(group: float) -> bool:
        asked.append(group)
        return len(asked) == 400

    reply = talk(stream(*pieces, DONE), hopeless=hopeless)
    assert reply.finish == "unsure"
    assert len(reply.text) == 400
    assert asked[0] == float("inf")
    assert asked[-1] == pytest.approx(1.5)
    assert reply.confidence.tail == pytest.approx(1.5)
