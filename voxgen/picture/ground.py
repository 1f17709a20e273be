"""The plane a scene stands on: invisible, but it takes the scene's shadow and its lamps' light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxgen.picture.camera import Camera
from voxgen.picture.lattice import SOFT, SUN, Floats
from voxgen.picture.quality import Quality
from voxgen.picture.sky import Sky

if TYPE_CHECKING:
    from voxgen.picture.lightmap import Baker, Volume
    from voxgen.picture.radiosity import Room

SOFT_SIDE, SOFT_SAMPLES = 96, 28  # points along each side, and samples, of all light but the sun's
UP = 6  # the direction of open ground, as in bake.glsl


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A square of ground at z = 0 and its light relative to open ground, fading to 1 at the edge.

    light: (side, side, 3) float32, rows along y; center: (2,); reach: half the square's width.
    """

    light: Floats
    center: NDArray[np.float64]
    reach: float

    def corners(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the square's corners (4, 3) and where they are in the light map's texture (4, 2)."""
        square = np.array([[-1.0, -1.0], [1, -1], [1, 1], [-1, 1]])
        place = np.concatenate([self.center + square * self.reach, np.zeros((4, 1))], axis=1)
        return place, 0.5 + square * (0.5 - 0.5 / len(self.light))


def bake_ground(
    baker: Baker | Room,
    volume: Volume | Room,
    camera: Camera | None,
    sky: Sky,
    side: int,
    quality: Quality,
) -> Ground:
    """Trace the light on the ground around a scene, or only what a camera sees of it.

    side is how many points the sun's map has a side.
    """
    wide, tall = max(volume.shape[:2]), volume.shape[2]
    center = np.array(volume.shape[:2]) / 2
    shadow = tall * float(np.hypot(*sky.sun[:2])) / max(float(sky.sun[2]), 0.2)
    reach = wide / 2 + float(np.clip(1.15 * shadow, 0.6 * wide, 1.6 * wide + 20))
    sun = _baked(baker, volume, camera, center, reach, side, SUN, quality.sun)
    for _ in range(1 + int(np.clip(sky.sun_radius * 24, 0, 5))):
        sun = _blurred(sun)
    soft = _baked(baker, volume, camera, center, reach, SOFT_SIDE, SOFT, int(SOFT_SAMPLES * sky.lamp_effort))
    light = sun + _enlarged(_blurred(_blurred(soft)), side)
    ratio = light / sky.open_irradiance().astype(np.float32)
    away = np.abs(np.linspace(-1, 1, side))
    distance = (away[:, None] ** 3 + away**3) ** (1 / 3)  # a square with round corners
    fade = np.clip((1 - distance) / 0.45, 0, 1)
    fade = (fade * fade * (3 - 2 * fade))[..., None]
    return Ground((1 + (ratio - 1) * fade).astype(np.float32), center, reach)


def _baked(
    baker: Baker | Room,
    volume: Volume | Room,
    camera: Camera | None,
    center: NDArray[np.float64],
    reach: float,
    side: int,
    kind: int,
    samples: int,
) -> Floats:
    """Irradiance (side, side, 3) of the ground, filled in a little under the scene."""
    x, y = (c + np.linspace(-reach, reach, side) for c in center)
    points = np.zeros((side, side, 4), np.float32)
    points[..., 0], points[..., 1], points[..., 3] = x, y[:, None], UP
    covered = _covered(volume, np.floor(x).astype(int), np.floor(y).astype(int))
    points[covered, 3] = -1
    if camera is not None:
        seen = camera.project(points[..., :3])
        points[(np.abs(seen[..., :2]) > 1.15).any(axis=-1) | (seen[..., 2] < 0), 3] = -1
    spacing = 2 * reach / (side - 1)
    if kind == SUN:
        light = baker.bake_sun(points.reshape(-1, 4), spacing, samples)
    else:
        light = baker.bake(points.reshape(-1, 4), spacing, kind, samples)
    return _filled(light.reshape(side, side, 3), points[..., 3] >= 0)


def _covered(volume: Volume | Room, x: NDArray[np.intp], y: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which columns (x, y) an opaque voxel of the lowest layer stands on: (len(y), len(x))."""
    nx, ny = volume.shape[:2]
    inside = ((x >= 0) & (x < nx))[None, :] & ((y >= 0) & (y < ny))[:, None]
    base = volume.base[np.clip(x, 0, nx - 1)][:, np.clip(y, 0, ny - 1)].T
    covered: NDArray[np.bool_] = base & inside
    return covered


def _filled(image: Floats, known: NDArray[np.bool_]) -> Floats:
    """Grow known pixels of (H, W, 3) into the unknown, farther than any blur reaches."""
    width = known.shape[1] + 2
    there = np.pad(known, 1).reshape(-1)
    light = np.pad(image * known[..., None], [(1, 1), (1, 1), (0, 0)]).reshape(-1, 3)
    unknown = np.flatnonzero(np.pad(~known, 1))
    for _ in range(16):
        around = unknown[:, None] + np.array([-width, width, -1, 1])
        times = there[around].sum(axis=1)
        grown, edge = unknown[times > 0], around[times > 0]
        light[grown] = light[edge].sum(axis=1) / times[times > 0, None].astype(np.float32)
        there[grown] = True
        unknown = unknown[times == 0]
    return light.reshape(-1, width, 3)[1:-1, 1:-1]


def _blurred(image: Floats) -> Floats:
    """Blur (H, W, 3) by a 5-tap binomial filter both ways; edges repeat."""
    for axis in (0, 1):
        wide = np.pad(image, [(2, 2) if a == axis else (0, 0) for a in range(3)], mode="edge")
        length = image.shape[axis]
        taps = [wide.take(range(i, i + length), axis) for i in range(5)]
        image = (taps[0] + taps[4] + 4 * (taps[1] + taps[3]) + 6 * taps[2]) / np.float32(16)
    return image


def _enlarged(image: Floats, side: int) -> Floats:
    """Resample (n, n, c) to (side, side, c), corners to corners, bilinear."""
    t = np.linspace(0, len(image) - 1, side)
    low = np.minimum(t.astype(int), len(image) - 2)
    weight = (t - low).astype(np.float32)[:, None, None]
    for _ in range(2):
        image = (image[low] * (1 - weight) + image[low + 1] * weight).transpose(1, 0, 2)
    return image
