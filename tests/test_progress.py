"""The live line: it counts what arrives and shows nothing a terminal would obey."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from servers import recorded, serving

from voxgen.language.builder import build
from voxgen.progress import Line


def test_the_line_counts_tokens_parts_and_steps() -> None:
    line = Line(io.StringIO())
    line.on_reasoning("let me think " * 10)
    assert "thinking" in line.text()
    line.on_text('{"title": "Quiet\\u001b[31m pond", "parts": {"a": {"build": []}}, "build": [{"box": [')
    line.on_text('[0,0,0],[1,1,1]], "of": "a"}, {"voxels": [[0,0,0]], "of": "a"}, ')
    text = line.text()
    assert "≈ " in text
    assert "Quiet[31m pond" in text
    assert "\x1b" not in text
    assert text.endswith("1 part · 2 steps")


def test_the_line_is_redrawn_in_place() -> None:
    file = io.StringIO()
    Line(file).on_text('{"title": "Pond"')
    assert file.getvalue().startswith("\r\x1b[K")
    assert "\n" not in file.getvalue()


STEPS = [
    '{"title": "Pond", "size": [16, 16, 8], "palette": {"g": "#44aa44", "w": "#3377cc"}, "build": [',
    '{"box": [[0, 0, 0], [15, 15, 1]], "of": "g"}, ',
    '{"box": [[4, 4, 2], [11, 11, 2]], "of": "w"}, ',
    '{"sphere": {"center": [8, 8, 4], "radius": 2}, "of": "#cc3322"}]}',
]


def shown(line: Line, pieces: list[str]) -> str:
    """Feed a line and give the sketch the time it needs after each piece."""
    for piece in pieces:
        line.on_text(piece)
        deadline = time.monotonic() + 5
        while piece.startswith('{"box') and line.sketch.scene is None and time.monotonic() < deadline:
            time.sleep(0.01)
        line.shown = 0.0
    line.on_text(" ")
    line.close()
    assert isinstance(line.file, io.StringIO)
    return line.file.getvalue()


def test_the_line_counts_the_voxels_built_so_far() -> None:
    line = Line(io.StringIO())
    written = shown(line, [*STEPS[:2], " "])
    assert line.sketch.scene is not None
    assert "512 voxels" in line.text()
    assert "▀" not in written, "no picture unless it is asked for"


def test_a_reply_to_an_edit_is_counted_and_not_built() -> None:
    line = Line(io.StringIO(), built=False)
    line.on_text('{"palette": {"leaf": "#cc6622"}, "build": {"3": {"box": [[0,0,0],[1,1,1]], "of": "leaf"}}}')
    assert "thinking" not in line.text()
    assert "voxel" not in line.text()
    assert line.sketch._thread.ident is None


def test_watch_redraws_the_scene_as_steps_complete() -> None:
    line = Line(io.StringIO(), watch=True)
    written = shown(line, [*STEPS[:2], " "])
    assert "▀" in written
    assert "\x1b[38;2;" in written
    rows = written.count("\n")
    assert rows == line._rows > 4


def test_a_second_picture_is_drawn_over_the_first() -> None:
    line = Line(io.StringIO(), watch=True)
    shown(line, [*STEPS[:2], " "])
    first = line._rows
    line.sketch.scene = build({"size": [4, 4, 4], "build": [{"box": [[0, 0, 0], [3, 3, 3]], "of": "red"}]})
    line.shown = 0.0
    line.on_text(" ")
    assert f"\x1b[{first}A" in line.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "piece", ["not json at all }", '{"build": [' + "[" * 3000, '{"size": [1e9, 1e9, 1e9], "build": [']
)
def test_a_preview_of_nonsense_ends_nothing(piece: str) -> None:
    line = Line(io.StringIO(), watch=True)
    for _ in range(3):
        line.on_text(piece)
        line.sketch.feed("", finished=True)
    line.close()
    line.close()
    if line.sketch._thread.ident:
        line.sketch._thread.join(10)
    assert not line.sketch._thread.is_alive()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("watch", [True, False])
def test_on_a_terminal_a_run_shows_its_progress_and_piped_it_is_quiet(folder: Path, watch: bool) -> None:
    import pty

    text = "".join(STEPS)
    args = ["a pond", "--model", "m", "--no-picture", "--fresh", *(["--watch"] if watch else [])]
    with serving(recorded(text, chunk=12, delay=0.03)) as server:
        command = [sys.executable, "-m", "voxgen", *args, "--base-url", server.url]
        parent, child = pty.openpty()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=child)
        os.close(child)
        seen = b""
        with suppress(OSError):  # the terminal is gone with the program
            while piece := os.read(parent, 65536):
                seen += piece
        os.close(parent)
        assert process.communicate(timeout=30)[0].split()[-1].endswith(b".json")
        piped = subprocess.run(command, capture_output=True, check=True)
    assert b"\x1b[K" in seen
    assert "tokens · ".encode() in seen
    assert b"Pond" in seen
    assert ("▀".encode() in seen) == watch
    assert b"\x1b" not in piped.stderr
    assert b"\r" not in piped.stderr
