"""The .qb format of Qubicle: matrices of plain colours, y up.

Source: minddesk.com, "Qubicle Binary File Format" (version 1.1.0.0). Files marked left-handed have z
towards the viewer, those marked right-handed away from him, as Goxel and vengi read them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import FileError
from voxgen.files import boxes, palettes
from voxgen.files.space import check_size, y_up
from voxgen.scene import Scene

_MOST_PLACED = 1 << 24  # cells over all matrices
_MOST_MATRICES = 1 << 16
_REPEAT, _NEXT = 2, 6  # code words of a compressed matrix
Words = NDArray[np.uint32]


def read(data: bytes, title: str) -> Scene:
    """Read a .qb file, all matrices in their places, later ones over earlier ones, cropped to what is there.

    Raises FileError for anything damaged, empty, or larger than 2047 a side or 2^24 cells in its matrices.
    """
    try:
        return Scene(title, boxes.grid_of(list(_matrices(data))))
    except (struct.error, ValueError, IndexError) as error:
        raise FileError(f"the .qb file is damaged: {error}", "save or download it again") from None


def _matrices(data: bytes) -> Iterator[boxes.Box]:
    _, blue_first, away, compressed, _, count = struct.unpack_from("<6I", data)
    at, cells = 24, 0
    if count > _MOST_MATRICES:
        raise ValueError(f"it declares {count:,} matrices")
    for number in range(count):
        at += 1 + data[at]  # its name
        x, y, z, *corner = struct.unpack_from("<3I3i", data, at)
        at += 24
        across, up, deep = corner
        check_size((x, y, z), f"matrix {number + 1}")
        cells += x * y * z
        if cells > _MOST_PLACED:
            raise FileError("the matrices hold more than 2^24 cells", "save a part of it")
        if compressed:
            colors, at = _unpacked(data, at, (z, y * x))
        else:
            colors = np.frombuffer(data, "<u4", x * y * z, at)
            at += 4 * x * y * z
        if blue_first:
            colors = colors.view(np.uint8).reshape(-1, 4)[:, [2, 1, 0, 3]].copy().view("<u4").reshape(-1)
        solid = colors >= 1 << 24  # the last byte is which sides show, 0 for no voxel
        colors = np.where(solid, colors | np.uint32(0xFF000000), np.uint32(0))
        turned = colors.reshape(z, y, x).transpose(2, 0, 1)
        if away == 1:
            yield boxes.Box((across, deep, up), turned)
        else:
            yield boxes.Box((across, -deep - z, up), turned[:, ::-1])


def _unpacked(data: bytes, at: int, shape: tuple[int, int]) -> tuple[Words, int]:
    """Return the slices of a compressed matrix and where it ends; plain colours are copied run by run."""
    words = np.frombuffer(data, "<u4", (len(data) - at) // 4, at)
    codes = iter(np.flatnonzero((words == _REPEAT) | (words == _NEXT)).tolist())
    cells = np.zeros(shape, np.uint32)
    word = row = place = 0
    for code in codes:
        if code < word:  # the count or colour of a repeat only looks like a code
            continue
        plain = code - word
        repeated = 0 if words[code] == _NEXT else int(words[code + 1])
        if place + plain + repeated > shape[1]:
            raise ValueError("a slice holds more cells than its matrix")
        cells[row, place : place + plain] = words[word:code]
        place += plain
        if words[code] == _NEXT:
            word, row, place = code + 1, row + 1, 0
            if row == shape[0]:
                return cells, at + 4 * word
        else:
            cells[row, place : place + repeated] = words[code + 2]
            word, place = code + 3, place + repeated
    raise ValueError("it ends in the middle of a matrix")


def write(scene: Scene, tell: Callable[[str], None]) -> bytes:
    """Write a scene as one uncompressed matrix; opacity, glow and metal have no place, which `tell` says."""
    grid = palettes.in_use(scene.grid)
    if any((m.opacity, m.glow, m.metal) != (1, 0, 0) for m in grid.palette[1:]):
        tell(".qb keeps colours only; opacity, glow and metal are left out")
    colors = np.zeros(len(grid.palette), "<u4")
    colors[1:] = [0xFF000000 | b << 16 | g << 8 | r for r, g, b in (m.color for m in grid.palette[1:])]
    x, y, z = y_up(grid.indices).shape
    head = struct.pack("<6IB6s3I3i", 257, 0, 0, 0, 0, 1, 6, b"voxgen", x, y, z, -(x // 2), 0, -(z // 2))
    return head + colors[y_up(grid.indices).transpose(2, 1, 0)].tobytes()
