"""make() with a model: two runs at once, full disks, second tries."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest
from servers import DONE, Request, Script, event, failure, framed, head, in_turn, recorded, serving

from voxgen import files, maker, names
from voxgen.errors import FileError, ModelError, ReplyError, UsageError
from voxgen.scene import Scene


def scene_of(title: str, *steps: tuple[list[list[int]], str]) -> str:
    palette = {"wood": "#7d5636", "red": "#bd3a33"}
    build = [{"box": corners, "of": of} for corners, of in steps]
    return json.dumps({"title": title, "size": [8, 8, 8], "palette": palette, "build": build})


GROUND = ([[0, 0, 0], [7, 7, 0]], "wood")
POST = scene_of("A post", GROUND, ([[2, 2, 1], [2, 2, 5]], "red"))
SLAB = scene_of("A slab", GROUND, ([[0, 0, 1], [7, 7, 3]], "wood"))
THIN = scene_of("A sheet", GROUND)


def made(script: Script, told: list[str] | None = None, **options: Any) -> Scene:
    with serving(script) as server:
        tell = (told if told is not None else []).append
        return maker.make("a post", model="m", base_url=server.url, tell=tell, **options)


# --------------------------------------------------------------------------- two runs at once


def test_runs_of_one_prompt_at_once_share_no_file(folder: Path) -> None:
    together = threading.Barrier(3)

    def script(request: Request) -> Iterable[bytes]:
        with suppress(threading.BrokenBarrierError):
            together.wait(timeout=10)  # every run has opened its reply before any gets one
        return recorded(POST)(request)

    scenes: list[Scene] = []
    with serving(script) as server:
        runs = [
            threading.Thread(
                target=lambda: scenes.append(maker.make("a post", model="m", base_url=server.url))
            )
            for _ in range(3)
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    listed = [name for scene in scenes for name in scene.origin["files"]]
    assert len(scenes) == 3
    assert len(set(listed)) == 6
    assert all((folder / name).stat().st_size for name in listed)
    assert {p.name for p in folder.iterdir()} == set(listed)


def test_a_name_taken_between_the_look_and_the_opening_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = maker.free_stem

    def slow(stem: Path) -> Path:
        found = look(stem)
        if found == stem:
            (folder / "post.reply.txt").write_text("another run's", encoding="utf-8")
        return found

    monkeypatch.setattr(maker, "free_stem", slow)
    assert made(recorded(POST)).origin["files"] == ["post-2.reply.txt", "post-2.json"]
    assert (folder / "post.reply.txt").read_text(encoding="utf-8") == "another run's"


@pytest.mark.parametrize("model", ["m", "builtin"])
def test_a_scene_saved_in_the_meantime_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    reading = maker.read

    def slow(text: Any, **options: Any) -> Scene:
        (folder / "post.json").write_text("another run's", encoding="utf-8")
        return reading(text, **options)

    monkeypatch.setattr(maker, "read", slow)
    with serving(recorded(POST)) as server:
        base = None if model == "builtin" else server.url
        scene = maker.make("a post", model=model, base_url=base, size="small")
    assert scene.origin["files"][-1] == "post-2.json"
    assert (folder / "post.json").read_text(encoding="utf-8") == "another run's"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_to_nowhere_is_a_taken_name(folder: Path) -> None:
    (folder / "post.reply.txt").symlink_to(folder / "nowhere")
    assert made(recorded(POST)).origin["files"][0] == "post-2.reply.txt"


# --------------------------------------------------------------------------- a full disk


class Full:
    """A file that takes one piece and then no more."""

    def __init__(self, file: IO[str]) -> None:
        self.file, self.room = file, 1

    def write(self, piece: str) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(28, "No space left on device")
        self.file.write(piece)

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.file.close()
        raise OSError(28, "No space left on device")


@pytest.fixture
def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = names.opened
    monkeypatch.setattr(
        names,
        "opened",
        lambda path, *rest: Full(opened(path, *rest)) if ".reply" in path.name else opened(path, *rest),
    )


@pytest.mark.usefixtures("_full")
def test_a_disk_that_fills_up_loses_nothing_of_the_reply(folder: Path) -> None:
    told: list[str] = []
    pieces: list[str] = []
    scene = made(recorded(POST), told, on_text=pieces.append)
    assert scene.title == "A post"
    assert "".join(pieces) == POST
    assert (folder / "post.reply.txt").read_text(encoding="utf-8") == POST  # there was room again
    assert [line for line in told if "no space left" in line] == [
        "post.reply.txt cannot be written: no space left on device; reading on in memory"
    ]


@pytest.mark.usefixtures("_full")
def test_a_disk_that_stays_full_is_a_file_error_with_the_reply_so_far(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise FileError(f"{path} cannot be written: no space left on device")

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(FileError, match=r"post\.json cannot be written"):
        made(recorded(POST))
    assert POST.startswith((folder / "post.reply.txt").read_text(encoding="utf-8"))
    assert [p.name for p in folder.iterdir()] == ["post.reply.txt"]


# --------------------------------------------------------------------------- the second try


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (SLAB, POST, "A post"),
        (SLAB, THIN, "A slab"),
        (THIN, SLAB, "A slab"),
        (SLAB, "No.", "A slab"),
        ("No.", SLAB, "A slab"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_of_two_replies_the_better_scene_is_kept_and_both_are_paid(
    first: str, second: str, kept: str
) -> None:
    usage = [
        {"prompt_tokens": 1000, "completion_tokens": 200, "cost": 0.25},
        {"prompt_tokens": 1300, "completion_tokens": 50, "cost": 0.5},
    ]
    scene = made(in_turn(recorded(first, usage=usage[0]), recorded(second, usage=usage[1])))
    assert scene.title == kept
    assert scene.origin["tokens"] == {"input": 2300, "cached": 0, "output": 250}
    assert scene.origin["dollars"] == 0.75
    assert scene.origin["prompt"] == "a post"
    assert scene.origin["files"] == ["post.reply.txt", "post.reply-2.txt", "post.json"]
    saved = files.load("post.json").origin
    assert saved["files"] == ["post.reply.txt", "post.reply-2.txt"]
    assert saved["tokens"] == scene.origin["tokens"]


@pytest.mark.usefixtures("folder")
def test_a_second_ask_that_fails_names_the_first_reply_or_keeps_its_scene() -> None:
    refused = failure("401 Unauthorized", "no")
    with pytest.raises(ModelError, match=r"first reply is in post\.reply\.txt"):
        made(in_turn(recorded("No."), refused))
    assert Path("post.reply.txt").read_text(encoding="utf-8") == "No."
    scene = made(in_turn(recorded(SLAB), refused))
    assert scene.title == "A slab"
    assert scene.origin["files"] == ["post-2.reply.txt", "post-2.json"]


@pytest.mark.usefixtures("folder")
def test_two_replies_without_a_scene_name_both_files() -> None:
    with pytest.raises(ReplyError, match=r"post\.reply-2\.txt: .*post\.reply\.txt"):
        made(recorded("No."))


BAD_STEPS = [{"sphere": {"radius": i}, "of": "red"} for i in range(4)]


def with_losses(title: str, lost: int) -> str:
    document = json.loads(POST) | {"title": title}
    return json.dumps(document | {"build": [*document["build"], *BAD_STEPS[:lost]]})


@pytest.mark.usefixtures("folder")
def test_more_than_a_fifth_of_the_steps_lost_is_asked_about_with_numbers_and_never_the_old_reply() -> None:
    told: list[str] = []
    with serving(in_turn(recorded(with_losses("Poor", 3)), recorded(POST))) as server:
        scene = maker.make("a post", model="m", base_url=server.url, tell=told.append)
    assert scene.title == "A post"
    assert "post.reply.txt: 3 of 5 steps could not be drawn; asking once more" in told
    *first, said = server.requests[1].body["messages"]
    assert first == server.requests[0].body["messages"], "the cached prefix stays"
    for word in (
        "size [8, 8, 8]",
        "69 voxels",
        "[0, 0, 0] to [7, 7, 5]",
        "empty layers 0 along x",
        "3 of 5 steps",
    ):
        assert word in said["content"]
    assert "- $.build[2]: its center is missing; left the step out" in said["content"]
    assert with_losses("Poor", 3)[:40] not in said["content"]


@pytest.mark.usefixtures("folder")
def test_a_step_lost_among_many_is_not_asked_about() -> None:
    many = json.loads(POST)
    many["build"] = [*many["build"] * 3, BAD_STEPS[0]]
    with serving(recorded(json.dumps(many))) as server:
        maker.make("a post", model="m", base_url=server.url)
        assert len(server.requests) == 1


@pytest.mark.usefixtures("folder")
def test_a_scene_in_a_corner_of_its_size_is_asked_about() -> None:
    told: list[str] = []
    tiny = json.dumps(json.loads(POST) | {"size": [96, 96, 96]})
    with serving(in_turn(recorded(tiny), recorded(POST))) as server:
        maker.make("a post", model="m", base_url=server.url, tell=told.append)
    assert any("only 8×8×6 cells of 96×96×96 are used" in line for line in told)


@pytest.mark.usefixtures("folder")
def test_of_two_replies_that_lost_steps_the_one_that_lost_less_is_kept() -> None:
    scene = made(in_turn(recorded(with_losses("More", 4)), recorded(with_losses("Less", 2))))
    assert scene.title == "Less"
    scene = made(in_turn(recorded(with_losses("Less", 2)), recorded(with_losses("More", 4))), fresh=True)
    assert scene.title == "Less"


# --------------------------------------------------------------------------- several samples

RICHER = json.dumps(
    json.loads(POST)
    | {
        "title": "Richer",
        "build": [
            *json.loads(POST)["build"],
            *({"box": [[i, i, 1], [7, i, 6 - i % 3]], "of": f"#{i}{i}{9 - i}044"} for i in range(1, 7)),
        ],
    }
)


def by_seed(*replies: str | Script) -> Script:
    """Answer each sample with its own reply."""

    def script(request: Request) -> Iterable[bytes]:
        reply = replies[request.body["seed"]]
        return (recorded(reply) if isinstance(reply, str) else reply)(request)

    return script


def test_of_several_samples_the_best_is_kept_and_all_are_saved(folder: Path) -> None:
    told: list[str] = []
    with serving(by_seed(SLAB, RICHER, POST)) as server:
        scene = maker.make("a post", model="m", base_url=server.url, samples=3, tell=told.append)
        assert len(server.requests) == 3
        assert len({json.dumps(r.body["messages"]) for r in server.requests}) == 1
    assert scene.title == "Richer"
    assert scene.origin["samples"] == 3
    assert scene.origin["tokens"]["input"] == 4500
    assert {p.name for p in folder.iterdir()} == {
        "post.json",
        *(f"post.sample-{i}{ending}" for i in (1, 2, 3) for ending in (".reply.txt", ".json")),
    }
    assert set(scene.origin["files"]) == {p.name for p in folder.iterdir()}
    assert scene.origin["files"][-1] == "post.json"
    assert files.load("post.sample-1.json").title == "A slab"
    assert sum(line.startswith("sample ") and "score 0." in line for line in told) == 3


def test_samples_that_fail_are_said_and_the_others_count(folder: Path) -> None:
    told: list[str] = []
    with serving(by_seed("No.", failure("401 Unauthorized", "no"), POST)) as server:
        scene = maker.make("a post", model="m", base_url=server.url, samples=3, tell=told.append)
    assert scene.title == "A post"
    assert any("sample 1: post.sample-1.reply.txt: no scene" in line for line in told)
    assert any(line.startswith("sample 2: ") for line in told)
    with serving(failure("401 Unauthorized", "no")) as server, pytest.raises(ModelError):
        maker.make("a post", model="m", base_url=server.url, samples=2, fresh=True)


@pytest.mark.parametrize("samples", [0, -1, 17])
def test_odd_numbers_of_samples_are_refused(samples: int) -> None:
    with pytest.raises(UsageError, match="samples"):
        maker.make("a post", model="m", base_url="http://localhost:9/v1", samples=samples)


def told_apart(text: str, sure: float, tokens: int, delay: float = 0.0) -> Script:
    """Stream a reply whose every token has the confidence `sure`."""
    size = max(1, len(text) // tokens)

    def script(request: Request) -> Iterable[bytes]:
        assert request.body["logprobs"] is True
        yield head("200 OK", "text/event-stream", chunked=True)
        for start in range(0, len(text), size):
            time.sleep(delay)
            top = [{"token": "a", "logprob": -sure}] * 3
            logprobs = {"content": [{"token": "box", "logprob": -0.1, "top_logprobs": top}]}
            delta = {"content": text[start : start + size]}
            yield framed(event(choices=[{"index": 0, "delta": delta, "logprobs": logprobs}]))
        yield framed(event(finish="stop") + DONE)
        yield b"0\r\n\r\n"

    return script


LONG = json.dumps(json.loads(POST) | {"plan": "x " * 600})


@pytest.mark.usefixtures("folder")
def test_equal_samples_are_told_apart_by_how_sure_the_model_was() -> None:
    unsure, sure = LONG.replace("A post", "Unsure"), LONG.replace("A post", "Sure")
    with serving(by_seed(told_apart(unsure, 1.0, 300), told_apart(sure, 4.0, 300))) as server:
        scene = maker.make("a post", model="m", base_url=server.url, samples=2)
        assert scene.title == "Sure"
        assert server.requests[0].body["top_logprobs"] == 20


def test_a_sample_that_falls_below_the_others_is_not_heard_to_its_end(folder: Path) -> None:
    told: list[str] = []
    slow = told_apart(LONG.replace("A post", "Hopeless"), 0.5, 1000, delay=0.004)
    with serving(by_seed(told_apart(LONG, 4.0, 300), told_apart(LONG, 3.0, 300), slow)) as server:
        scene = maker.make("a post", model="m", base_url=server.url, samples=3, tell=told.append)
    assert scene.title == "A post"
    assert any("less sure" in line for line in told)
    assert 0 < len((folder / "post.sample-3.reply.txt").read_text(encoding="utf-8")) < len(LONG) - 20


@pytest.mark.usefixtures("folder")
def test_the_money_is_shared_among_samples() -> None:
    with serving(recorded(POST)) as server, pytest.raises(UsageError, match="not known"):
        maker.make("a post", model="m", base_url=server.url, samples=2, max_cost=0.1)
    assert not server.requests
