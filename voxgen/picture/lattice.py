"""What light is cast on with and without GL: shared points of faces, empty space, paints, the sun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.picture.mesher import NORMALS, TANGENTS, Faces
from voxgen.picture.sky import Sky
from voxgen.picture.tone import to_linear
from voxgen.scene import Indices, Material

Floats = NDArray[np.float32]

FREE = 16  # as in grid.glsl
ALBEDO = 0.92  # what the whitest paint throws back
SUN, SOFT, SUN_MAP = 0, 1, 2  # kinds of light, as in bake.glsl


class Paints:
    """What a cropped grid is painted with, by material, under a sky; material 0 is air.

    albedo, shown, emission: (materials, 3), of which shown is exposed radiance, emission radiance; opacity,
    metal: (materials,); base: (X, Y), what stands on the ground.

    A lamp is shown no brighter than keeps its colour; the light that it casts is much stronger, but less
    so where much glows, as if the eye adapted.
    """

    def __init__(self, indices: Indices, palette: tuple[Material, ...], faces: Faces, sky: Sky) -> None:
        colors = to_linear(np.array([m.color for m in palette], np.float64) / 255)
        glow = np.array([np.clip(m.glow, 0, 8) for m in palette], np.float64)
        share = float((glow * colors.max(axis=1))[faces.material].mean()) if len(faces) else 0.0
        emission = colors * (glow * sky.glow / sky.exposure / (1 + 14 * share))[:, None]
        self.albedo = (colors * ALBEDO).astype(np.float32)
        self.shown = (colors * (1.5 * (1 - np.exp(-1.2 * glow)))[:, None]).astype(np.float32)
        self.emission = emission.astype(np.float32)
        self.opacity = np.array([np.clip(m.opacity, 0, 1) for m in palette], np.float32)
        self.metal = np.array([np.clip(m.metal, 0, 1) for m in palette], np.float32)
        self.base = self.opacity[indices[:, :, 0]] >= 1
        self.shape: tuple[int, ...] = indices.shape


def sunlight(bake: Callable[[Floats, int, int], Floats], points: Floats, sky: Sky, samples: int) -> Floats:
    """Return the sun's irradiance (n, 3): a few samples settle what is fully lit or fully in shade.

    bake: gives it for points (n, 4) by the number of the first sample and how many.
    """
    few = min(4, samples)
    light = bake(points, 0, few)
    ways = np.concatenate([NORMALS, [[0, 0, 1]]])
    open_sun = np.maximum(ways @ sky.sun, 0) * sky.sun_light.max()  # by direction
    share = light.max(axis=1) / np.maximum(open_sun[np.clip(points[:, 3].astype(np.intp), 0, 6)], 1e-6)
    unsure = np.flatnonzero((share > 0.01) & (share < 0.97) & (samples > few))
    more = bake(points[unsure], few, samples - few)
    light[unsure] += (more - light[unsure]) * np.float32((samples - few) / samples)
    return light


def free_space(indices: Indices) -> NDArray[np.uint8]:
    """How many cells around each cell are empty on all sides, 0..15: (X, Y, Z) uint8.

    The chessboard distance to the nearest voxel, less one. Grown on packed bits: one dilation a step,
    counted in four bit planes.
    """
    nx, ny, nz = indices.shape
    packed = np.packbits(indices != 0, axis=-1, bitorder="little")
    filled = np.zeros((nx, ny, -(-packed.shape[2] // 8) * 8), np.uint8)
    filled[..., : packed.shape[2]] = packed
    words = filled.view("<u8")
    planes = [np.zeros_like(words) for _ in range(4)]
    for _ in range(FREE - 1):
        words = _dilated(words)
        carry = ~words
        if not carry.any():
            break
        for plane in planes:
            carry, plane[...] = plane & carry, plane ^ carry
    free = np.zeros((nx, ny, nz), np.uint8)
    for power, plane in enumerate(planes):
        bits = np.unpackbits(plane.view(np.uint8), axis=-1, count=nz, bitorder="little")
        free |= bits << np.uint8(power)
    return free


def _dilated(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Grow set bits by one cell in all 26 directions."""
    one, top = np.uint64(1), np.uint64(63)
    out: NDArray[np.uint64] = words | (words << one) | (words >> one)
    out[..., 1:] |= words[..., :-1] >> top
    out[..., :-1] |= words[..., 1:] << top
    for axis in (0, 1):
        before = out.copy()
        ahead, behind = [slice(None)] * 3, [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        out[tuple(ahead)] |= before[tuple(behind)]
        out[tuple(behind)] |= before[tuple(ahead)]
    return out


def lattice(faces: Faces, parts: int) -> tuple[Floats, NDArray[np.intp]]:
    """Return the points (m, 4) that divide faces into parts, and which of them each face has.

    The second array is (n, parts + 1, parts + 1): along the face's first and second tangent.
    """
    bits = 20
    steps = np.arange(parts + 1)
    key = np.zeros((len(faces), parts + 1, parts + 1), np.int64)
    for direction in range(6):
        rows = np.flatnonzero(faces.direction == direction)
        axis, side = divmod(direction, 2)
        u, v = TANGENTS[axis]
        voxel = faces.voxel[rows].astype(np.int64)[:, None, None, :] * parts
        place = np.broadcast_to(voxel, (len(rows), parts + 1, parts + 1, 3)).copy()
        place[..., axis] += side * parts
        place[..., u] += steps[:, None]
        place[..., v] += steps
        packed = (place[..., 0] << (2 * bits)) | (place[..., 1] << bits) | place[..., 2]
        key[rows] = (direction << (3 * bits)) | packed
    ordered = np.sort(key, axis=None)
    ordered = ordered[np.diff(ordered, prepend=-1) > 0]
    mask = (1 << bits) - 1
    parts_of = [ordered >> (2 * bits) & mask, ordered >> bits & mask, ordered & mask]
    points = np.stack([*(p / parts for p in parts_of), ordered >> (3 * bits)], axis=-1).astype(np.float32)
    return points, np.searchsorted(ordered, key)


def smoothed(light: Floats, index: NDArray[np.intp]) -> Floats:
    """Average lattice values (m, 3) with their neighbours on the same faces: index (n, q, q).

    Each point takes the mean of the means of the quads around it: on a plane the binomial 3 x 3
    filter, and nothing crosses a wall.
    """
    quads_of = np.stack([index[:, :-1, :-1], index[:, 1:, :-1], index[:, :-1, 1:], index[:, 1:, 1:]], axis=-1)
    corners = quads_of.reshape(-1, 4)
    times = np.bincount(corners.ravel(), minlength=len(light))
    out = np.zeros_like(light)
    for channel in range(3):
        mean = light[corners, channel].mean(axis=1, dtype=np.float64)
        out[:, channel] = np.bincount(corners.ravel(), np.repeat(mean, 4), len(light)) / times
    return out


def facing(direction: NDArray[np.uint8], sun: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which faces look towards the sun, or a little past its edge."""
    signed = np.stack([-sun, sun], axis=-1).reshape(-1)  # as in Mesh: -x, +x, -y, +y, -z, +z
    facing: NDArray[np.bool_] = (signed > -0.25)[direction]
    return facing


def resampled(image: Floats, side: int) -> Floats:
    """Resample (n, q, q, 3) to (n, side, side, 3), corners to corners, bilinear."""
    q = image.shape[1]
    if q == side:
        return image
    t = np.linspace(0, q - 1, side)
    low = np.minimum(t.astype(int), q - 2)
    weight = (t - low).astype(np.float32)
    rows = image[:, low] * (1 - weight)[:, None, None] + image[:, low + 1] * weight[:, None, None]
    out: Any = rows[:, :, low] * (1 - weight)[:, None] + rows[:, :, low + 1] * weight[:, None]
    return np.asarray(out, np.float32)
