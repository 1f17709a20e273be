"""The .binvox format: the bare shape as run lengths, y up.

Source: P. Min, "binvox file format", https://www.patrickmin.com/binvox/binvox.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from voxgen.errors import FileError
from voxgen.files.space import check_size, cropped, y_up, z_up
from voxgen.scene import AIR, Material, Scene, VoxelGrid

_STONE = Material("stone", (168, 164, 156))
_HEADER = 1 << 16  # bytes in which the header ends
_LONGEST = 255


def read(data: bytes, title: str) -> Scene:
    """Read a .binvox file as a grid of one material, cropped to what is there.

    Raises FileError for anything damaged, empty, or larger than 2047 a side or 2^27 cells.
    """
    found = re.match(rb"#binvox[^\n]*\n(.*?)\ndata[^\n]*\n", data[:_HEADER], re.DOTALL)
    sides = (
        re.search(rb"^dim +(\d{1,6}) +(\d{1,6}) +(\d{1,6})\s*$", found[1], re.MULTILINE) if found else None
    )
    if found is None or sides is None:
        raise FileError("not a .binvox file: its header has no dim and data", "save or download it again")
    size = tuple(int(side) for side in sides.groups())
    try:
        check_size(size, "the grid")
        runs = np.frombuffer(data, np.uint8, (len(data) - found.end()) // 2 * 2, found.end()).reshape(-1, 2)
        total = int(runs[:, 1].sum(dtype=np.int64))
        if total != int(np.prod(size)):
            raise ValueError(f"its runs hold {total:,} cells of {int(np.prod(size)):,}")
        cells = np.repeat(runs[:, 0] > 0, runs[:, 1]).view(np.uint8)
        x, z, y = size  # y is fastest
        indices = cropped(z_up(cells.reshape(x, z, y).transpose(0, 2, 1))).copy()
    except ValueError as error:
        raise FileError(f"the .binvox file is damaged: {error}", "save or download it again") from None
    return Scene(title, VoxelGrid(indices, (AIR, _STONE)))


def write(scene: Scene, tell: Callable[[str], None]) -> bytes:
    """Write a scene's shape as .binvox, its grid made a cube, as the format's own programs want it."""
    if len(scene.grid.palette) > 2:
        tell(".binvox is the bare shape; colours and materials are left out")
    side = max(scene.grid.size)
    cube = np.zeros((side, side, side), np.uint8)
    shape = y_up(scene.grid.indices)
    cube[tuple(slice(0, n) for n in shape.shape)] = shape != 0
    flat = cube.transpose(0, 2, 1).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    length = np.diff(starts, append=flat.size)
    pieces = -(-length // _LONGEST)
    runs = np.full((int(pieces.sum()), 2), _LONGEST, np.uint8)
    runs[:, 0] = np.repeat(flat[starts], pieces)
    runs[np.cumsum(pieces) - 1, 1] = length - (pieces - 1) * _LONGEST
    header = f"#binvox 1\ndim {side} {side} {side}\ntranslate 0 0 0\nscale {side}\ndata\n"
    return header.encode() + runs.tobytes()
