"""A quick look at a grid: rays through the cells in numpy; half blocks in 24-bit colour for a terminal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxgen.scene import VoxelGrid

__all__ = ["blocks", "look"]

BACKGROUND = (22, 24, 30)  # sRGB
_SIDE = 160  # cells a side: of larger grids only every second, third … cell is looked at
_FACES = np.array([0.74, 0.86, 1.0], np.float32)  # brightness of faces along x, y, z
_STEP = 0.7  # cells a ray goes on at a time


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
