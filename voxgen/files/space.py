"""Where a cell stands in other programs, and how large a file's grid may be.

voxgen, MagicaVoxel, PLY, STL: x right, y away from the viewer, z up.
Minecraft, glTF, OBJ, USD, Qubicle, binvox: x right (east), y up, z towards the viewer (south).
Both are right-handed, so nothing is mirrored: a point (x, y, z) here is (x, z, -y) there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import FileError
from voxgen.scene import Indices

MAX_SIDE, MAX_CELLS = 2047, 1 << 27  # of a grid read; what the mesher and the memory of a desk machine hold


def y_up(cells: Indices) -> Indices:
    """Turn (X, Y, Z) cells as voxgen has them into (x, y, z) of a y-up program; a view."""
    return cells[:, ::-1, :].transpose(0, 2, 1)


def z_up(cells: Indices) -> Indices:
    """Turn (x, y, z) cells of a y-up program into those of voxgen; a view, the inverse of `y_up`."""
    return cells.transpose(0, 2, 1)[:, ::-1, :]


def points_y_up(points: NDArray[Any]) -> NDArray[Any]:
    """Turn points or directions (..., 3) as voxgen has them into those of a y-up program."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def check_size(size: tuple[int, ...], what: str) -> None:
    """Refuse a grid before memory is taken for it; raises FileError naming `what` declares it."""
    if min(size) < 1:
        raise ValueError(f"{what} declares {times(size)} cells")
    if max(size) > MAX_SIDE or math.prod(size) > MAX_CELLS:
        limit = f"the limit is {MAX_SIDE:,} a side and 2^27 in all; save a part of it"
        raise FileError(f"{what} spans {times(size)} cells", limit)


def cropped(indices: Indices) -> Indices:
    """Return the box of the cells that are not air, as a view; raises ValueError if there are none."""
    filled = [np.zeros(side, bool) for side in indices.shape]
    for x, slab in enumerate(indices):  # one after the other: a mask of all would be as large as the grid
        solid = slab != 0
        filled[0][x] = solid.any()
        filled[1] |= solid.any(axis=1)
        filled[2] |= solid.any(axis=0)
    ends = [np.flatnonzero(side) for side in filled]
    if not len(ends[0]):
        raise ValueError("it holds no voxel")
    return indices[tuple(slice(int(side[0]), int(side[-1]) + 1) for side in ends)]


def times(size: tuple[int, ...]) -> str:
    """Return "3×4×5" for (3, 4, 5)."""
    return "×".join(f"{side:,}" for side in size)
