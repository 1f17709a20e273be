"""The .stl format, binary, write only: the bare shape, z up, for printing.

Source: 3D Systems, "StereoLithography Interface Specification", 1989.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from voxgen.picture import mesher
from voxgen.scene import Material, Scene, VoxelGrid

_SOLID = (Material("air", (0, 0, 0), opacity=0.0), Material("solid", (255, 255, 255)))


def write(scene: Scene, tell: Callable[[str], None], *, manifold: bool = False) -> bytes:
    """Write a scene as .stl, everything in it solid.

    manifold: every edge belongs to exactly two triangles, as slicers want it. For that, voxels that touch
    along an edge only are joined by another voxel, and faces are not merged.
    """
    if len(scene.grid.palette) > 2:
        tell(".stl is the bare shape; colours and materials are left out")
    solid = scene.grid.indices != 0
    if manifold:
        filled = _joined(solid)
        added = int(np.count_nonzero(filled)) - int(np.count_nonzero(solid))
        if added:
            tell(f"{added:,} voxels were added where others touch along an edge only")
        solid = filled
    grid = VoxelGrid(solid.view(np.uint8), _SOLID)
    mesh = mesher.culled(grid) if manifold else mesher.greedy(grid)
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("about", "<u2")])
    triangles = np.zeros(2 * len(mesh.direction), record)
    triangles["normal"] = np.repeat(mesher.NORMALS[mesh.direction], 2, axis=0)
    triangles["corners"] = mesh.corners[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3, 3)
    return b"voxgen".ljust(80) + np.uint32(len(triangles)).tobytes() + triangles.tobytes()


def _joined(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells with one more wherever two touch along an edge with nothing beside it."""
    solid = solid.copy()
    while sum(_join(solid, *axes) for axes in ((0, 1), (0, 2), (1, 2))):  # all three, each time
        pass
    return solid


def _join(solid: NDArray[np.bool_], first: int, second: int) -> bool:
    """Fill, in place, one cell beside every bare edge across two axes; tell whether there was one."""

    def quarter(a: int, b: int) -> NDArray[np.bool_]:
        cut = [slice(None)] * 3
        cut[first], cut[second] = slice(a, a - 1 or None), slice(b, b - 1 or None)
        return solid[tuple(cut)]

    here, across, right, up = quarter(0, 0), quarter(1, 1), quarter(1, 0), quarter(0, 1)
    rising = here & across & ~right & ~up
    falling = right & up & ~here & ~across
    found = bool(rising.any() or falling.any())
    right |= rising
    here |= falling
    return found
