"""make() with a model: two runs at once, full disks, second tries."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest
from servers import Request, Script, failure, in_turn, recorded, serving

from voxgen import files, maker, names
from voxgen.errors import FileError, ModelError, ReplyError
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
