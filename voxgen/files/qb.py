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
from voxgen.files.space import MAX_CELLS, check_size, cropped, y_up, z_up
from voxgen.language.palette import hex_of
from voxgen.scene import AIR, Material, Scene, VoxelGrid

_MOST_PLACED = 1 << 24  # cells over all matrices
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
        return Scene(title, _grid(_placed(matrices), away))
    except (struct.error, ValueError, IndexError) as error:
        raise FileError(f"the .qb file is damaged: {error}", "save or download it again") from None


def _matrices(data: bytes) -> Iterator[_Matrix]:
    _, blue_first, _, compressed, _, count = struct.unpack_from("<6I", data)
    at, cells = 24, 0
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
        colors = np.where(colors >> np.uint32(24), colors, np.uint32(0))  # the last byte is 0 for no voxel
        yield _Matrix((corner[0], corner[1], corner[2]), colors.reshape(z, y, x))


def _unpacked(data: bytes, at: int, shape: tuple[int, int]) -> tuple[Words, int]:
    """Return the slices of a compressed matrix and where it ends."""
    words = np.frombuffer(data, "<u4", (len(data) - at) // 4, at)
    cells = np.zeros(shape, np.uint32)
    word = 0
    for row in cells:
        place = 0
        while words[word] != _NEXT:
            length = 1
            if words[word] == _REPEAT:
                length, word = int(words[word + 1]), word + 2
            if place + length > len(row):
                raise ValueError("a slice holds more cells than its matrix")
            row[place : place + length] = words[word]
            place, word = place + length, word + 1
        word += 1
    return cells, at + 4 * word


def _placed(matrices: list[_Matrix]) -> Words:
    """Return all matrices in one (x, y, z) array of colours."""
    if not matrices:
        raise ValueError("it holds no matrix")
    low = [min(m.corner[k] for m in matrices) for k in range(3)]
    high = [max(m.corner[k] + m.colors.shape[2 - k] for m in matrices) for k in range(3)]
    size = tuple(b - a for a, b in zip(low, high, strict=True))
    check_size(size, "the scene")
    if 4 * np.prod(size) > MAX_CELLS:  # four bytes a cell until the colours are numbered
        raise FileError("the matrices lie too far apart", "the limit is 2^25 cells; save a part of it")
    whole = np.zeros(size, np.uint32)
    for corner, colors in matrices:
        cells = colors.transpose(2, 1, 0)
        box = (slice(c - a, c - a + n) for c, a, n in zip(corner, low, cells.shape, strict=True))
        part = whole[tuple(box)]
        np.copyto(part, cells, where=cells > 0)
    return whole


def _grid(colors: Words, away: bool) -> VoxelGrid:
    """Return the grid of colours (x, y, z), each a material."""
    colors = np.where(colors > 0, colors | np.uint32(0xFF000000), np.uint32(0))
    found = np.sort(colors, axis=None)
    found = found[np.concatenate([[True], found[1:] != found[:-1]])]
    found = found[found > 0]
    if len(found) > _MAX_COLORS:
        raise FileError(f"it has {len(found):,} colours", f"the limit is {_MAX_COLORS:,}; save it with fewer")
    found = np.concatenate([np.zeros(1, np.uint32), found])
    indices = palettes.looked_up(np.arange(len(found)), np.searchsorted(found, colors))
    rgb = [(int(c) & 255, int(c) >> 8 & 255, int(c) >> 16 & 255) for c in found[1:]]
    indices = cropped(z_up(indices[:, :, ::-1] if away else indices))
    palette = (AIR, *(Material(hex_of(c), c) for c in rgb))
    return VoxelGrid(indices.copy(), palette)


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
