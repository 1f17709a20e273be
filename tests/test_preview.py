"""Pictures in a terminal: the right escapes for each kind, and none where nobody could show them."""

from __future__ import annotations

import base64
import io
import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from voxgen import preview

TRUE = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
PICTURE = np.zeros((60, 80, 3), np.uint8)
PICTURE[:30] = (255, 0, 0)
PICTURE[30:] = (0, 0, 255)


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({}, None),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, None),
        ({"TERM": "xterm-256color"}, None),
        (TRUE, "blocks"),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, "blocks"),
        ({**TRUE, "NO_COLOR": "1"}, None),
        ({**TRUE, "NO_COLOR": ""}, "blocks"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230800"}, "iterm"),
        ({**TRUE, "TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({**TRUE, "TMUX": "socket,1,0", "TERM_PROGRAM": "iTerm.app"}, "blocks"),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, None),
    ],
)
def test_a_terminal_is_known_by_its_environment(environment: Mapping[str, str], way: str | None) -> None:
    assert preview.protocol(environment) == way


def _shown(environment: Mapping[str, str], columns: int = 60, lines: int = 20) -> str:
    """Return what a terminal of a size receives."""
    import pty
    from fcntl import ioctl
    from termios import TIOCSWINSZ

    parent, child = pty.openpty()
    ioctl(child, TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    received: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(parent, 1 << 16):
                received.append(data)
        except OSError:  # the other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    with open(child, "w", encoding="utf-8") as file:
        shows = preview.show(PICTURE, file, environment)
    reader.join(10)
    os.close(parent)
    text = b"".join(received).decode().replace("\r\n", "\n")
    assert shows == bool(text)
    return text


@pytest.mark.skipif(sys.platform == "win32", reason="has no pty")
def test_half_blocks_fit_the_terminal() -> None:
    text = _shown(TRUE, 60, 20)
    rows = text.rstrip("\n").split("\n")
    assert len(rows) <= 16
    assert 20 <= max(row.count("▀") for row in rows) < 60
    assert "\x1b[38;2;255;0;0;48;2;255;0;0m" in rows[0]
    assert "\x1b[38;2;0;0;255;48;2;0;0;255m" in rows[-1]
    assert all(row.endswith("\x1b[0m") for row in rows)
    assert not _shown({"TERM": "dumb"})
    assert len(_shown(TRUE, 5, 3)) < 2000  # the smallest of terminals


@pytest.mark.skipif(sys.platform == "win32", reason="has no pty")
def test_kitty_gets_a_png_in_chunks() -> None:
    text = _shown({"TERM": "xterm-kitty"})
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) + "\n" == text
    assert parts[0][0].startswith("a=T,f=100,q=2,c=")
    assert [keys[-1] for keys, _ in parts] == ["1"] * (len(parts) - 1) + ["0"]
    assert all(len(data) <= 4096 for _, data in parts)
    assert _red_over_blue(base64.b64decode("".join(data for _, data in parts)))
    many = preview.kitty(os.urandom(10_000), 10, 5)
    assert many.count("\x1b_G") == 4


@pytest.mark.skipif(sys.platform == "win32", reason="has no pty")
def test_iterm_gets_a_png_inline() -> None:
    text = _shown({"TERM": "xterm", "TERM_PROGRAM": "iTerm.app"})
    found = re.fullmatch(r"\x1b]1337;File=inline=1;width=\d+;height=\d+;size=(\d+):([^\x07]*)\x07\n", text)
    assert found
    png = base64.b64decode(found[2])
    assert len(png) == int(found[1])
    assert _red_over_blue(png)


def _red_over_blue(png: bytes) -> bool:
    image = np.asarray(Image.open(io.BytesIO(png)))
    return bool((image[0, 0] == [255, 0, 0]).all() and (image[-1, -1] == [0, 0, 255]).all())


def test_nothing_is_shown_where_nothing_is_seen() -> None:
    file = io.StringIO()
    assert not preview.show(PICTURE, file, TRUE)
    assert not file.getvalue()


def test_what_is_see_through_is_laid_on_the_background() -> None:
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (preview._shrunk(clear, 2, 2) == preview.BACKGROUND).all()


@pytest.mark.skipif(sys.platform == "win32", reason="has no pty")
@pytest.mark.parametrize(
    ("args", "environment", "shows"),
    [
        ([], TRUE, True),
        (["--no-preview"], TRUE, False),
        (["-q"], TRUE, False),
        ([], {**TRUE, "NO_COLOR": "1"}, False),
        ([], {"TERM": "xterm"}, False),
    ],
)
def test_a_run_on_a_terminal_ends_with_the_picture(
    args: list[str], environment: dict[str, str], shows: bool, tmp_path: Path
) -> None:
    assert ("▀" in _run(args, environment, tmp_path, None)) == shows


@pytest.mark.skipif(sys.platform == "win32", reason="has no pty")
def test_a_run_whose_output_is_piped_shows_none(tmp_path: Path) -> None:
    assert "▀" not in _run([], TRUE, tmp_path, subprocess.DEVNULL)


def _run(args: list[str], environment: dict[str, str], folder: Path, stdout: int | None) -> str:
    """Draw a scene with stderr, and stdout unless it is told, on a terminal; return what that receives."""
    import pty

    (folder / "a.json").write_text('{"size": [4, 4, 4], "build": [{"box": [[0,0,0],[3,3,3]], "of": "red"}]}')
    command = [sys.executable, "-m", "voxgen", "render", "a.json", "--size", "64x48", "--renderer", "soft"]
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORTERM", "TMUX", "TERM_PROGRAM")}
    parent, child = pty.openpty()
    run = subprocess.Popen(
        [*command, *args], cwd=folder, env={**kept, **environment}, stderr=child,
        stdout=child if stdout is None else stdout,
    )  # fmt: skip
    os.close(child)
    received = b""
    try:
        while data := os.read(parent, 1 << 16):
            received += data
    except OSError:
        pass
    os.close(parent)
    assert run.wait(60) == 0
    assert (folder / "a.png").exists()
    return received.decode()
