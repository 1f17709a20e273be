"""The grid of the benchmarks at any size: rolling ground, a lake, trees, flowers and a house."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxgen.language.shapes import terrain_heights
from voxgen.scene import AIR, Material, VoxelGrid

COLORS = {
    "grass": "#6eac3f", "soil": "#7d5636", "stone": "#8c8c88", "water": "#3a76a8", "bark": "#6b4733",
    "leaf": "#3f8b3d", "bush": "#579437", "rose": "#d8486a", "tulip": "#e8b23a", "iris": "#6a5acd",
    "poppy": "#c8362c", "daisy": "#f4f1e6", "wall": "#d9c8a4", "roof": "#9c3f30",
}  # fmt: skip
GRASS, SOIL, STONE, WATER, BARK, LEAF, BUSH, ROSE, TULIP, IRIS, POPPY, DAISY, WALL, ROOF = range(1, 15)
RGB = np.array([[0, 0, 0], *([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLORS.values())], np.uint8)
PALETTE = (AIR, *(Material(n, tuple(map(int, c))) for n, c in zip(COLORS, RGB[1:], strict=True)))


def garden(side: int) -> VoxelGrid:
    """Return a garden of side × side × side cells, about a fifth of them filled; the same each time."""
    random = np.random.default_rng(side)
    grid = np.zeros((side, side, side), np.uint8)
    steps = np.arange(side, dtype=float)
    relief = terrain_heights(steps[:, None, None], steps[None, :, None], side / 4, 1)[..., 0]
    height = (side * (0.12 + 0.18 * relief)).astype(int)
    sea = int(side * 0.18)
    for x in range(side):
        ground = height[x]
        for y, top in enumerate(ground):
            grid[x, y, : max(top - side // 32 - 1, 0)] = STONE
            grid[x, y, max(top - side // 32 - 1, 0) : top] = SOIL
            grid[x, y, top - 1] = GRASS
            grid[x, y, top:sea] = WATER
    for _ in range(side * side // 300):
        _plant(grid, height, sea, random)
    x, y = random.integers(0, side, (2, side * side // 20))
    dry = height[x, y] >= sea
    x, y, z = x[dry], y[dry], height[x, y][dry]
    bare = grid[x, y, z] == 0
    grid[x[bare], y[bare], z[bare]] = random.integers(ROSE, DAISY + 1, np.count_nonzero(bare))
    _house(grid, height)
    return VoxelGrid(grid, PALETTE)


def _plant(grid: NDArray[np.uint8], height: NDArray[np.int_], sea: int, random: np.random.Generator) -> None:
    """Put one tree on dry ground: a trunk, and a ball of leaves where nothing is yet."""
    side = len(grid)
    r = min(5, max(1, int(side * 0.02 * random.uniform(0.6, 1.6))))
    x, y = random.integers(r, side - r, 2)
    top = height[x, y] + 2 * r + 1
    if height[x, y] < sea or top + r >= side:
        return
    grid[x, y, height[x, y] : top] = BARK
    i, j, k = np.ogrid[-r : r + 1, -r : r + 1, -r : r + 1]
    around = grid[x - r : x + r + 1, y - r : y + r + 1, top - r : top + r + 1]
    around[(i * i + j * j + k * k <= r * r + 0.5) & (around == 0)] = random.integers(LEAF, BUSH + 1)


def _house(grid: NDArray[np.uint8], height: NDArray[np.int_]) -> None:
    low, wide = len(grid) // 2, len(grid) // 8
    if wide < 4:
        return
    z = int(height[low : low + wide, low : low + wide].max())
    grid[low : low + wide, low : low + wide, z : z + wide] = WALL
    grid[low + 1 : low + wide - 1, low + 1 : low + wide - 1, z : z + wide] = 0
    grid[low : low + wide, low : low + wide, z + wide - 1] = ROOF
