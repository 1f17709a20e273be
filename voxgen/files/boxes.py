"""Boxes of plain colours, each in its place, as one grid: what .qb and .gox have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import FileError
from voxgen.files import palettes
from voxgen.files.space import check_size, cropped
from voxgen.language.palette import hex_of
from voxgen.scene import AIR, Material, VoxelGrid

_MOST_CELLS = 1 << 26  # of the box that all boxes lie in
_MAX_COLORS = 65_535
Words = NDArray[np.uint32]


class Box(NamedTuple):
    """Cells (X, Y, Z) of colours 0xFFBBGGRR, 0 where there is none, and where their lowest corner lies."""

    corner: tuple[int, int, int]
    colors: Words


def grid_of(boxes: list[Box]) -> VoxelGrid:
    """Return the cropped grid of all boxes, later ones over earlier ones, each colour a material.

    Raises FileError above 2^26 cells or 65,535 colours, ValueError where there is no voxel.
    """
    if not boxes:
        raise ValueError("it holds no voxel")
    low = [min(box.corner[k] for box in boxes) for k in range(3)]
    high = [max(box.corner[k] + box.colors.shape[k] for box in boxes) for k in range(3)]
    x, y, z = (b - a for a, b in zip(low, high, strict=True))
    check_size((x, y, z), "the scene")
    if x * y * z > _MOST_CELLS:
        raise FileError("its parts lie too far apart", "2^26 cells is the limit; save a part of it")
    colors = _colors(boxes)
    numbers = np.arange(len(colors))
    whole = palettes.blank((x, y, z), len(colors) - 1)
    for corner, own in boxes:
        cells = palettes.looked_up(numbers, np.searchsorted(colors, own))
        place = tuple(slice(c - a, c - a + n) for c, a, n in zip(corner, low, cells.shape, strict=True))
        np.copyto(whole[place], cells, where=cells > 0)
    rgb = [(int(v) & 255, int(v) >> 8 & 255, int(v) >> 16 & 255) for v in colors[1:]]
    return VoxelGrid(cropped(whole).copy(), (AIR, *(Material(hex_of(color), color) for color in rgb)))


def _colors(boxes: list[Box]) -> Words:
    """Return the colours there are, sorted, after the 0 of an empty cell."""
    found, waiting, cells = np.zeros(1, np.uint32), [], 0
    for number, box in enumerate(boxes, 1):
        waiting.append(box.colors.reshape(-1))
        cells += box.colors.size
        if cells > 1 << 20 or number == len(boxes):  # a sort for each small box would take long
            everything = np.sort(np.concatenate([found, *waiting]))
            found = everything[np.flatnonzero(np.diff(everything, prepend=np.uint32(0xFFFFFFFF)))]
            waiting, cells = [], 0
    if len(found) > _MAX_COLORS + 1:
        raise FileError(f"it has {len(found):,} colours", f"the limit is {_MAX_COLORS:,}; save it with fewer")
    return found
