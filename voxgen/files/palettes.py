"""Palettes of files: materials in use, fewer of them, and colours as the eye compares them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from voxgen.scene import AIR, Color, Indices, Material, VoxelGrid

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

# B. Ottosson, "A perceptual color space for image processing", 2020: linear sRGB → cone responses → Lab
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(colors: Iterable[Color]) -> Floats:
    """Return sRGB colours 0..255 in OKLab, (n, 3): lightness 0..1, green-red, blue-yellow."""
    srgb = np.array(list(colors), np.float64).reshape(-1, 3) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab: Floats = np.cbrt(linear @ _CONES.T) @ _LAB.T
    return lab


def counts(grid: VoxelGrid) -> Numbers:
    """Return how many cells each palette entry fills, (materials,)."""
    total = np.zeros(len(grid.palette), np.int64)
    for slab in grid.indices:  # bincount takes 8 bytes a cell
        total += np.bincount(slab.reshape(-1), minlength=len(total))
    return total


def blank(shape: tuple[int, ...], highest: int) -> Indices:
    """Return cells of air in as many bytes as `highest`, below 2^16, takes."""
    if highest < 256:
        return np.zeros(shape, np.uint8)
    return np.zeros(shape, np.uint16)


def looked_up(numbers: NDArray[np.integer], cells: NDArray[np.integer]) -> Indices:
    """Return numbers[cells] in as many bytes as the largest of the numbers (below 2^16) takes."""
    if int(numbers.max(initial=0)) < 256:
        narrow: NDArray[np.uint8] = numbers.astype(np.uint8)[cells]
        return narrow
    wide: NDArray[np.uint16] = numbers.astype(np.uint16)[cells]
    return wide


def in_use(grid: VoxelGrid) -> VoxelGrid:
    """Return the grid with only the materials that fill a cell, in their order."""
    used = counts(grid) > 0
    used[0] = True
    if used.all() and (grid.indices.dtype == np.uint8 or len(used) > 256):
        return grid
    palette = tuple(m for m, keep in zip(grid.palette, used, strict=True) if keep)
    return VoxelGrid(looked_up(np.cumsum(used) - 1, grid.indices), palette)


def distinct(grid: VoxelGrid) -> VoxelGrid:
    """Return the grid with the materials in use, those that look the same as one."""
    grid = in_use(grid)
    first: dict[object, int] = {None: 0}
    palette = [AIR]
    numbers = np.zeros(len(grid.palette), np.int64)
    for index, m in enumerate(grid.palette[1:], 1):
        look = (m.color, m.opacity, m.glow, m.metal)
        numbers[index] = first.setdefault(look, len(palette))
        if numbers[index] == len(palette):
            palette.append(m)
    if len(palette) == len(grid.palette):
        return grid
    return VoxelGrid(looked_up(numbers, grid.indices), tuple(palette))


def reduced(grid: VoxelGrid, most: int) -> VoxelGrid:
    """Return the grid with at most `most` materials, each the mean of those it stands for.

    The group that strays furthest from its mean, weighted by cells, is split at its mean until there are
    enough (P. Heckbert, "Color image quantization for frame buffer display", 1982, on variance).
    """
    grid = distinct(grid)
    palette = grid.palette[1:]
    if len(palette) <= most:
        return grid
    weight = counts(grid)[1:].astype(np.float64)
    traits = np.array([(m.opacity, m.glow, m.metal) for m in palette])
    features = np.hstack([oklab(m.color for m in palette), traits])
    groups = [_spread(np.arange(len(palette)), features, weight)]
    while len(groups) < most:
        groups.sort(key=lambda group: group[0])
        _, axis, middle, members = groups.pop()
        low = features[members, axis] <= middle
        groups += [_spread(part, features, weight) for part in (members[low], members[~low])]
    groups.sort(key=lambda group: int(group[3][0]))
    numbers = np.zeros(len(grid.palette), np.int64)
    mixed = []
    for number, (_, _, _, members) in enumerate(groups, 1):
        numbers[members + 1] = number
        mixed.append(_mean([palette[i] for i in members], weight[members]))
    return VoxelGrid(looked_up(numbers, grid.indices), (AIR, *mixed))


_Group = tuple[float, int, float, NDArray[np.intp]]


def _spread(members: NDArray[np.intp], features: Floats, weight: Floats) -> _Group:
    """Return how far a group strays, along which feature most, the mean there, and the members."""
    own, share = features[members], weight[members, None]
    mean = (own * share).sum(axis=0) / share.sum()
    strays = ((own - mean) ** 2 * share).sum(axis=0)
    axis = int(strays.argmax())
    middle = min(float(mean[axis]), float(np.nextafter(own[:, axis].max(), -np.inf)))  # both halves get some
    return float(strays[axis]) if len(members) > 1 else -1.0, axis, middle, members


def _mean(materials: list[Material], weight: Floats) -> Material:
    """Return the mean of some materials under the name of the most used one."""
    if len(materials) == 1:
        return materials[0]
    rows = np.array([(*m.color, m.opacity, m.glow, m.metal) for m in materials])
    red, green, blue, opacity, glow, metal = np.average(rows, axis=0, weights=weight).tolist()
    name = materials[int(weight.argmax())].name
    rest = (round(value, 6) for value in (opacity, glow, metal))
    return Material(name, (round(red), round(green), round(blue)), *rest)
