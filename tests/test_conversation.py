"""What a conversation with a model keeps, continues, remembers and costs."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers import DONE, Script, event, failure, in_turn, recorded, serving, stream

from voxgen.ask import cache, client
from voxgen.ask.models import Choice, Price, Usage, custom
from voxgen.ask.stream import Reply
from voxgen.conversation import Conversation, bill, total
from voxgen.errors import ModelError, UsageError

MESSAGES = [{"role": "system", "content": "rules"}, {"role": "user", "content": "a pond"}]
KEY = "sk-proj-0123456789abcdefSECRET"
STEPS = [{"box": [[i, 2 * i, 0], [7 - i, 7, i]], "of": f"#{i}{i}8844"} for i in range(1, 6)]
SCENE = json.dumps({"size": [8, 8, 4], "build": STEPS})
PAID = {"prompt_tokens": 1000, "completion_tokens": 500, "cost": 0.01}


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    client._LEARNT.clear()
    yield
    client._LEARNT.clear()


class Talk:
    """One conversation with a scripted server, and what it told."""

    def __init__(self, script: Script, folder: Path, **options: Any) -> None:
        self.told: list[str] = []
        self.path = folder / "pond.reply.txt"
        prices = options.pop("prices", ())
        with serving(script) as server:
            model = replace(custom(server.url, "m"), prices=prices, base_url=options.pop("at", server.url))
            self.talk = Conversation(Choice(model, KEY, "MY_KEY", ""), tell=self.told.append, **options)
            file = self.path.open("w", encoding="utf-8", newline="")
            try:
                self.reply = self.talk.ask(MESSAGES, self.path, file)
            finally:
                self.requests = server.requests


def parts(*texts: str, finish: str = "length") -> list[Script]:
    """Answer with one text after the other, all cut off by the length limit but the last."""
    ends = [finish] * (len(texts) - 1) + ["stop"]
    return [
        stream(event(text), event(finish=end), event(choices=[], usage=PAID), DONE)
        for text, end in zip(texts, ends, strict=True)
    ]


# --------------------------------------------------------------------------- going on


def test_a_reply_that_was_too_long_is_continued_twice_and_joined(tmp_path: Path) -> None:
    first, second, third = SCENE[:60], SCENE[50:140], "```json\n" + SCENE[140:] + "\n```"
    talk = Talk(in_turn(*parts(first, second, third)), tmp_path)
    assert talk.reply.text == SCENE
    assert talk.reply.partial == ""
    assert talk.path.read_text(encoding="utf-8") == SCENE
    assert len(talk.requests) == 3
    asked = talk.requests[2].body["messages"]
    assert asked[:2] == MESSAGES, "the prompt stays byte for byte what it was"
    assert [m["role"] for m in asked[2:]] == ["assistant", "user"]
    assert asked[2]["content"] == SCENE[:140]
    assert total([talk.talk])["dollars"] == 0.03
    assert sum("go on" in line for line in talk.told) == 2


def test_after_two_continuations_what_came_is_kept_and_said_to_be_a_part(tmp_path: Path) -> None:
    scripts = parts(SCENE[:60], SCENE[60:100], SCENE[100:120], "never asked")
    talk = Talk(in_turn(*scripts), tmp_path)
    assert len(talk.requests) == 3
    assert talk.reply.text == SCENE[:120]
    assert any("only a part" in line and "length limit" in line for line in talk.told)
    assert cache.usage() == (0, 0), "a part of a reply is not remembered"


def test_a_continuation_that_fails_keeps_what_had_come(tmp_path: Path) -> None:
    talk = Talk(in_turn(*parts(SCENE[:60], "")[:1], failure("401 Unauthorized", "no")), tmp_path)
    assert talk.reply.text == SCENE[:60]
    assert any("kept what had come" in line for line in talk.told)


def test_a_cut_connection_is_not_continued_and_said(tmp_path: Path) -> None:
    talk = Talk(stream(event(SCENE[:60]), end=False), tmp_path)
    assert len(talk.requests) == 1
    assert talk.reply.text == talk.path.read_text(encoding="utf-8") == SCENE[:60]
    assert any("only a part" in line and "broke" in line for line in talk.told)


# --------------------------------------------------------------------------- nothing paid twice


def test_the_same_request_is_answered_from_the_cache_until_asked_afresh(tmp_path: Path) -> None:
    def ask(**options: Any) -> Talk:
        return Talk(recorded(SCENE, usage=PAID), tmp_path, at=at, **options)

    at = ""
    with serving(recorded(SCENE, usage=PAID)) as server:
        at = server.url
        first, second = ask(), ask()
        assert len(server.requests) == 1
        assert first.reply.text == second.reply.text == second.path.read_text(encoding="utf-8")
        assert any("from the cache" in line and "--fresh" in line for line in second.told)
        assert bill(total([second.talk])) == "1 reply from the cache, nothing paid"
        assert total([first.talk])["dollars"] == 0.01
        ask(fresh=True)
        ask(seed=4)
        ask(sample=1)
        assert len(server.requests) == 4
        ask()
        assert len(server.requests) == 4
    assert cache.usage()[0] == 3
    assert cache.clear() == 3
    assert cache.usage() == (0, 0)


def test_what_is_kept_holds_no_key_and_only_its_owner_reads_the_folder(tmp_path: Path) -> None:
    Talk(recorded(SCENE + KEY), tmp_path)
    kept = list(cache.folder().iterdir())
    assert len(kept) == 1
    assert "SECRET" not in kept[0].name + kept[0].read_text(encoding="utf-8")
    assert "SECRET" not in (tmp_path / "pond.reply.txt").read_text(encoding="utf-8")
    if sys.platform != "win32":
        assert stat.S_IMODE(os.stat(cache.folder()).st_mode) & 0o077 == 0


def reply(**changes: Any) -> Reply:
    whole = Reply("{}", "hm", "stop", Usage(1, 0, 2), "m", 1.5)
    return replace(whole, **changes)


def test_a_reply_comes_back_as_it_was() -> None:
    cache.keep("a", reply(text='{"α": "\u2028"}'))
    assert cache.recall("a") == reply(text='{"α": "\u2028"}')
    assert cache.recall("b") is None


@pytest.mark.parametrize("part", [{"partial": "cut"}, {"finish": "length"}, {"finish": "cut"}, {"text": " "}])
def test_only_whole_replies_are_kept(part: dict[str, Any]) -> None:
    cache.keep("a", reply(**part))
    assert cache.usage() == (0, 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw.replace(b"hm", b"xx"),
        lambda raw: b"[" * 100_000,
        lambda raw: b"\xff\x00",
        lambda raw: b'{"reply": {"text": 3}, "sha256": ""}',
    ],
)
def test_a_damaged_entry_is_no_entry(damage: Any) -> None:
    cache.keep("a", reply())
    (path,) = cache.folder().iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert cache.recall("a") is None
    cache.keep("a", reply())
    assert cache.recall("a") == reply()


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("VOXGEN_CACHE_DIR", str(tmp_path / "file" / "deeper"))
    cache.keep("a", reply())
    assert cache.recall("a") is None
    assert cache.usage() == (0, 0)
    assert cache.clear() == 0


def test_what_else_is_in_the_folder_stays() -> None:
    cache.keep("a", reply())
    other = cache.folder() / "notes.txt"
    other.write_text("mine", encoding="utf-8")
    assert cache.clear() == 1
    assert other.exists()


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, "~/.cache/voxgen/replies"),
        ("linux", {"XDG_CACHE_HOME": "/var/c"}, "/var/c/voxgen/replies"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "~/.cache/voxgen/replies"),
        ("darwin", {"XDG_CACHE_HOME": "/var/c"}, "~/Library/Caches/voxgen/replies"),
        ("win32", {"LOCALAPPDATA": "/Users/me/Local"}, "/Users/me/Local/voxgen/replies"),
        ("linux", {"VOXGEN_CACHE_DIR": "/mine"}, "/mine"),
    ],
)
def test_replies_are_kept_where_the_system_keeps_such_things(
    platform: str, environ: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache.sys, "platform", platform)
    assert cache.folder(environ) == Path(expected).expanduser()


# --------------------------------------------------------------------------- money


def test_a_limit_of_money_is_kept_by_asking_for_no_more_than_it_buys(tmp_path: Path) -> None:
    prices = (Price(1.0, 10.0),)
    talk = Talk(recorded(SCENE), tmp_path, max_cost=0.05, prices=prices)
    assert talk.requests[0].body["max_tokens"] == pytest.approx(5000, abs=5)


def test_what_was_spent_counts_when_asked_to_go_on(tmp_path: Path) -> None:
    scripts = parts(SCENE[:60], SCENE[60:])
    talk = Talk(in_turn(*scripts), tmp_path, max_cost=0.05, prices=(Price(1.0, 10.0),))
    assert len(talk.requests) == 1
    assert talk.reply.text == SCENE[:60]
    assert any("--max-cost" in line for line in talk.told)


@pytest.mark.parametrize(
    ("prices", "words"), [((Price(1.0, 10.0),), "too little for"), ((), r"is not known, so --max-cost")]
)
def test_what_money_does_not_buy_is_not_sent(prices: tuple[Price, ...], words: str, tmp_path: Path) -> None:
    with serving(recorded(SCENE)) as server:
        model = replace(custom(server.url, "m"), prices=prices)
        talk = Conversation(Choice(model, None, "", ""), max_cost=0.01, tell=lambda _: None)
        with pytest.raises(UsageError, match=words) as caught:
            talk.check(MESSAGES)
        assert not server.requests
    assert caught.value.hint


def test_a_model_on_this_machine_costs_nothing(tmp_path: Path) -> None:
    with serving(recorded(SCENE)) as server:
        model = replace(custom(server.url, "m"), free=True)
        talk = Conversation(Choice(model, None, "", ""), max_cost=0.0, tell=lambda _: None)
        talk.ask(MESSAGES, tmp_path / "r.txt", (tmp_path / "r.txt").open("w"))
        assert "max_tokens" not in server.requests[0].body
    assert total([talk])["dollars"] == 0


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "1,600 tokens in (900 cached), 8,200 out (300 reasoning), 61 s, $0.052"),
        (
            {"dollars_estimated": True},
            "1,600 tokens in (900 cached), 8,200 out (300 reasoning), 61 s, ≈ $0.052",
        ),
        (
            {"dollars": None},
            "1,600 tokens in (900 cached), 8,200 out (300 reasoning), 61 s, cost unknown",
        ),
        (
            {"tokens": {"input": 5, "cached": 0, "output": 7}, "tokens_estimated": True},
            "≈ 5 tokens in, ≈ 7 out, 61 s, $0.052",
        ),
        (
            {"recalled": 1},
            "1,600 tokens in (900 cached), 8,200 out (300 reasoning), 61 s, $0.052, 1 reply from the cache",
        ),
    ],
)
def test_the_bill_is_one_line(changes: dict[str, Any], line: str) -> None:
    origin = {
        "tokens": {"input": 1600, "cached": 900, "output": 8200, "reasoning": 300},
        "seconds": 61.2,
        "dollars": 0.0524,
        "dollars_estimated": False,
    }
    assert bill(origin | changes) == line


def test_what_a_server_does_not_count_is_estimated_and_said_to_be(tmp_path: Path) -> None:
    talk = Talk(stream(event(SCENE), event(finish="stop"), DONE), tmp_path, prices=(Price(1.0, 10.0),))
    summed = total([talk.talk])
    assert summed["tokens"]["output"] == int(len(SCENE) / 2.6)
    assert summed["tokens_estimated"]
    assert summed["dollars_estimated"]
    assert bill(summed).startswith("≈ ")


def test_a_run_that_asked_nobody_has_no_bill() -> None:
    assert bill({"by": "built-in composer"}) == ""


def test_an_ask_that_fails_leaves_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        Talk(failure("401 Unauthorized", "no"), tmp_path)
    assert list(tmp_path.iterdir()) == []
