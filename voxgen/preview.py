"""Pictures in a terminal, by kitty's or iTerm2's protocol or in half blocks; a quick look at a grid."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from voxgen.files.png import encode
from voxgen.scene import VoxelGrid

__all__ = ["blocks", "look", "protocol", "show", "terminal"]

BACKGROUND = (22, 24, 30)  # sRGB
_SIDE = 160  # cells a side: of larger grids only every second, third … cell is looked at
_FACES = np.array([0.74, 0.86, 1.0], np.float32)  # brightness of faces along x, y, z
_STEP = 0.7  # cells a ray goes on at a time
_MOST_COLUMNS, _MOST_LINES = 72, 24  # of a picture in the terminal
_PIXELS_A_COLUMN = 8  # of what the terminal draws itself


def look(
    grid: VoxelGrid, width: int, height: int, azimuth: float = 30.0, elevation: float = 28.0
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return an (height, width, 3) sRGB picture without shadows, and where in it something stands.

    Angles are degrees as in scene.View; the projection is parallel and fills the frame. A fraction of a
    second at terminal sizes; what is thinner than a cell in a large grid may be missed.
    """
    every = max(1, -(-max(grid.size) // _SIDE))
    cells = grid.indices[::every, ::every, ::every]
    hit, face = _march(cells, width, height, np.radians(azimuth), np.radians(elevation))
    colors = np.array([material.color for material in grid.palette], np.float32)
    glowing = np.array([material.glow > 0 for material in grid.palette])
    light = np.where(glowing[hit], 1.0, _FACES[face])
    seen = hit > 0
    image = np.where(seen[:, None], colors[hit] * light[:, None], np.array(BACKGROUND, np.float32))
    return image.astype(np.uint8).reshape(height, width, 3), seen.reshape(height, width)


def _march(
    cells: NDArray[np.generic], width: int, height: int, azimuth: float, elevation: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each pixel, row by row, the first material its ray meets and the axis of that face."""
    sides = np.array(cells.shape, np.float32)
    toward = np.array([np.sin(azimuth), -np.cos(azimuth), 0]) * np.cos(elevation) + [0, 0, np.sin(elevation)]
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0])
    up = np.cross(toward, right)
    corners = np.array(np.meshgrid(*([0, s] for s in sides))).reshape(3, -1).T - sides / 2
    spans = [np.abs(corners @ axis).max() * 2 for axis in (right, up)]
    pitch = max(spans[0] / width, spans[1] / height)
    columns = (np.arange(width) - (width - 1) / 2) * pitch
    rows = ((height - 1) / 2 - np.arange(height)) * pitch
    reach = float(np.linalg.norm(sides)) / 2 + 1
    places = sides / 2 + toward * reach + np.kron(rows, 1).reshape(-1, 1, 1) * up + columns[:, None] * right
    at = places.reshape(-1, 3).astype(np.float32)
    way = (-toward).astype(np.float32)
    hit, face = np.zeros(len(at), np.intp), np.full(len(at), 2, np.intp)
    on = np.arange(len(at))
    for _ in range(int(2 * reach / _STEP) + 1):
        at += way * np.float32(_STEP)
        cell = np.floor(at).astype(np.intp)
        inside = ((cell >= 0) & (cell < sides.astype(np.intp))).all(1)
        found = np.zeros(len(at), np.intp)
        found[inside] = cells[tuple(cell[inside].T)]
        met = found > 0
        if met.any():
            hit[on[met]] = found[met]
            depth = np.where(way > 0, at[met] - cell[met], cell[met] + 1 - at[met])
            face[on[met]] = (depth / np.maximum(np.abs(way), 1e-6)).argmin(1)
            at, on = at[~met], on[~met]
    return hit, face


def blocks(image: NDArray[np.uint8]) -> str:
    """Write an (H, W, 3) picture as lines of half blocks, two pixels a character, without an odd last row."""
    lines = []
    for upper, lower in zip(image[0::2].tolist(), image[1::2].tolist(), strict=False):
        line, last = [], None
        for pair in zip(upper, lower, strict=True):
            if pair != last:
                (r, g, b), (s, h, c) = pair
                line.append(f"\x1b[38;2;{r};{g};{b};48;2;{s};{h};{c}m")
                last = pair
            line.append("▀")
        lines.append("".join(line) + "\x1b[0m")
    return "\n".join(lines)


# --------------------------------------------------------------------------- pictures in a terminal


def protocol(environment: Mapping[str, str]) -> str | None:
    """Return how a terminal shows pictures, by its environment: "kitty", "iterm", "blocks" or None.

    Within tmux and screen, which keep graphics from the terminal, half blocks are all there is.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if environment.get("NO_COLOR") or term in ("", "dumb"):
        return None
    if not environment.get("TMUX") and not term.startswith(("tmux", "screen")):
        if environment.get("KITTY_WINDOW_ID") or "kitty" in term or "ghostty" in f"{term} {program}":
            return "kitty"
        if program in ("iTerm.app", "WezTerm", "mintty") or environment.get("KONSOLE_VERSION"):
            return "iterm"
    return "blocks" if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") else None


def show(image: NDArray[np.uint8], file: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Show an (H, W, 3 or 4) picture in the terminal a file is, small; return whether there is such a one."""
    if not file.isatty():
        return False
    way = protocol(environment)
    if way is None:
        return False
    columns, lines = terminal(file)
    height = max(4, min(lines - 4, _MOST_LINES))
    width = min(columns - 1, _MOST_COLUMNS, round(height * 2 * image.shape[1] / image.shape[0]))
    height = max(1, round(width * image.shape[0] / image.shape[1] / 2))
    if way == "blocks":
        text = blocks(_shrunk(image, width, 2 * height))
    else:
        cell = _PIXELS_A_COLUMN
        png = encode(_shrunk(image, width * cell, height * 2 * cell))
        text = kitty(png, width, height) if way == "kitty" else iterm(png, width, height)
    file.write(text + "\n")
    file.flush()
    return True


def kitty(png: bytes, columns: int, lines: int) -> str:
    """Write a PNG for terminals with kitty's graphics protocol, in chunks of 4096 characters.

    https://sw.kovidgoyal.net/kitty/graphics-protocol/: a=T shows, f=100 is PNG, q=2 wants no answer.
    """
    data = base64.b64encode(png).decode()
    parts = [data[i : i + 4096] for i in range(0, len(data), 4096)]
    keys = [f"a=T,f=100,q=2,c={columns},r={lines},"] + [""] * (len(parts) - 1)
    more = [1] * (len(parts) - 1) + [0]
    return "".join(f"\x1b_G{k}m={m};{part}\x1b\\" for k, m, part in zip(keys, more, parts, strict=True))


def iterm(png: bytes, columns: int, lines: int) -> str:
    """Write a PNG as an inline image of iTerm2: https://iterm2.com/documentation-images.html."""
    data = base64.b64encode(png).decode()
    return f"\x1b]1337;File=inline=1;width={columns};height={lines};size={len(png)}:{data}\x07"


def terminal(file: TextIO) -> tuple[int, int]:
    """Return columns and lines of the terminal a file is."""
    try:
        columns, lines = os.get_terminal_size(file.fileno())
    except (OSError, ValueError):
        columns, lines = 0, 0
    return columns or 80, lines or 24  # a terminal may not know its size


def _shrunk(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resample a picture; what is see-through becomes BACKGROUND."""
    picture = Image.fromarray(image)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (*BACKGROUND, 255)), picture)
    return np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
