"""The .qb format of Qubicle: matrices of plain colours, y up.

Source: minddesk.com, "Qubicle Binary File Format" (version 1.1.0.0). Files marked left-handed have z
towards the viewer, those marked right-handed away from him, as Goxel and vengi read them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import FileError
from voxgen.files import palettes
from voxgen.files.space import check_size, cropped, y_up, z_up
from voxgen.language.palette import hex_of
from voxgen.scene import AIR, Material, Scene, VoxelGrid

_MOST_PLACED, _MOST_CELLS = 1 << 24, 1 << 26  # over all matrices, and of the box they lie in
_MOST_MATRICES = 1 << 16
_REPEAT, _NEXT = 2, 6  # code words of a compressed matrix
_MAX_COLORS = 65_535
Words = NDArray[np.uint32]


class _Matrix(NamedTuple):
    corner: tuple[int, int, int]
    colors: Words  # (z, y, x): 0 empty, else 0xAABBGGRR


def read(data: bytes, title: str) -> Scene:
    """Read a .qb file, all matrices in their places, later ones over earlier ones, cropped to what is there.

    Raises FileError for anything damaged, empty, or larger than 2047 a side or 2^24 cells in its matrices.
    """
    try:
        matrices = list(_matrices(data))
        away = struct.unpack_from("<I", data, 8)[0] == 1
        return Scene(title, _grid(matrices, away))
    except (struct.error, ValueError, IndexError) as error:
        raise FileError(f"the .qb file is damaged: {error}", "save or download it again") from None


def _matrices(data: bytes) -> Iterator[_Matrix]:
    _, blue_first, _, compressed, _, count = struct.unpack_from("<6I", data)
    at, cells = 24, 0
    if count > _MOST_MATRICES:
        raise ValueError(f"it declares {count:,} matrices")
    for number in range(count):
        at += 1 + data[at]  # its name
        x, y, z, *corner = struct.unpack_from("<3I3i", data, at)
        at += 24
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
        yield _Matrix((corner[0], corner[1], corner[2]), colors.reshape(z, y, x))


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


def _grid(matrices: list[_Matrix], away: bool) -> VoxelGrid:
    """Return the cropped grid of all matrices, each colour a material."""
    if not matrices:
        raise ValueError("it holds no matrix")
    low = [min(m.corner[k] for m in matrices) for k in range(3)]
    high = [max(m.corner[k] + m.colors.shape[2 - k] for m in matrices) for k in range(3)]
    x, y, z = (b - a for a, b in zip(low, high, strict=True))
    check_size((x, y, z), "the scene")
    if x * y * z > _MOST_CELLS:
        raise FileError("the matrices lie too far apart", "2^26 cells is the limit; save a part of it")
    colors = _colors(matrices)
    numbers = np.arange(len(colors))
    whole = palettes.blank((x, y, z), len(colors) - 1)
    for corner, own in matrices:
        cells = palettes.looked_up(numbers, np.searchsorted(colors, own)).transpose(2, 1, 0)
        box = tuple(slice(c - a, c - a + n) for c, a, n in zip(corner, low, cells.shape, strict=True))
        np.copyto(whole[box], cells, where=cells > 0)
    palette = [Material(hex_of(c), c) for c in ((v & 255, v >> 8 & 255, v >> 16 & 255) for v in colors[1:])]
    indices = cropped(z_up(whole[:, :, ::-1] if away else whole))
    return VoxelGrid(indices.copy(), (AIR, *palette))


def _colors(matrices: list[_Matrix]) -> Words:
    """Return the colours there are, sorted, after the 0 of an empty cell."""
    found = np.zeros(1, np.uint32)
    for matrix in matrices:
        sorted_ = np.sort(np.concatenate([found, matrix.colors], axis=None))
        found = sorted_[np.diff(sorted_, prepend=np.uint32(0xFFFFFFFF)) != 0]
    if len(found) > _MAX_COLORS + 1:
        raise FileError(f"it has {len(found):,} colours", f"the limit is {_MAX_COLORS:,}; save it with fewer")
    return found


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
