"""Light on the voxel faces without any GL: sun and lamps by rays, all the rest swept from all sides.

The numpy twin of lightmap.py: the same sky, palette and lamps, the same lattice of points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.picture.lamps import ACROSS, BRICK, OFF, UP, WAYS, Choice, Lamps, Noise, bricks
from voxgen.picture.lattice import SUN, Floats, Paints, facing, lattice, resampled, smoothed, sunlight
from voxgen.picture.mesher import NORMALS, Faces
from voxgen.picture.quality import Quality
from voxgen.picture.rays import Space
from voxgen.picture.sky import Sky
from voxgen.picture.sweep import Sweeper, Takers, in_front, sphere
from voxgen.scene import VoxelGrid

CANDIDATES = 4  # lamps weighed for each shadow ray
BRIGHTEST = 60.0  # exposed radiance of white paint that one such ray may add
CROWD = 1 << 14  # points whose lamps are chosen together


class Room(Paints):
    """A cropped grid under a sky, and the light on it; `faces` are all that are exposed.

    After `fill`, radiance (faces + 1, 3) is what each face throws back, row 0 nothing.
    """

    def __init__(self, grid: VoxelGrid, faces: Faces, sky: Sky) -> None:
        super().__init__(grid.indices, grid.palette, faces, sky)
        self.faces, self.sky = faces, sky
        vivid = self.albedo / np.maximum(self.albedo.max(axis=1, keepdims=True), np.float32(0.05))
        opacity = self.opacity[:, None]
        self.tint = (1 + opacity * (vivid - 1)) * (1 - np.float32(0.35) * opacity)  # as in grid.glsl
        self.space = Space(grid.indices, self.opacity, self.tint)
        self.sweeper = Sweeper(self.shape, faces, self.opacity < 1)
        self.takers = in_front(faces)
        self.lamps = Lamps(faces, self.emission)
        self.radiance = np.zeros((len(faces) + 1, 3), np.float32)
        self.ways = 0

    def fill(self, ways: int) -> None:
        """Find what every face throws back: sun, lamps, and light that bounced twice or more."""
        self.ways = ways
        faces = self.faces
        direct = self._swept_sun()
        direct += self.lamplight(np.c_[self._middles(), faces.direction].astype(np.float32), 0.9, 1)
        share = (self.albedo / np.float32(np.pi))[faces.material]
        open_sky = np.float32(np.pi) * self._sky(WAYS[:6].astype(np.float64) * 0.7)[faces.direction]
        self.radiance[1:] = share * (direct + np.float32(0.1) * open_sky)  # a guess to start from
        soft = np.float32(np.pi) * self._swept(self.takers, max(16, ways // 2))
        self.radiance[1:] = share * (direct + soft)

    def light(self, faces: Faces, parts: int, quality: Quality) -> Floats:
        """Irradiance (n, parts + 1, parts + 1, 3) on some of the faces, at the points of their lattice."""
        out = np.zeros((len(faces), parts + 1, parts + 1, 3), np.float32)
        lit = np.flatnonzero(facing(faces.direction, self.sky.sun))
        points, index = lattice(faces.pick(lit), parts)
        wide = round(8 * self.sky.sun_radius)
        light = self.bake_sun(points, 1 / parts, quality.sun * (1 + wide))
        for _ in range(wide):
            light = smoothed(light, index)
        out[lit] = light[index]
        points, index = lattice(faces, 1)
        corners = np.float32(np.pi) * self._swept(in_front(faces), self.ways, corners=True)
        soft = _shared(corners, index, len(points))
        if self.lamps:
            rays = float(np.clip(quality.paths / max(len(points), 1), 4, quality.soft / 12))
            lamps = self.lamplight(points, 1.0, max(1, round(rays / self.sky.lamp_every)))
            for _ in range(2):
                lamps = smoothed(lamps, index)
            soft += lamps
        out += resampled(smoothed(soft, index)[index], parts + 1)
        return out

    # ------------------------------------------------------------------ for the ground, as lightmap.Baker

    def bake(self, points: Floats, spacing: float, kind: int, samples: int) -> Floats:
        """Return irradiance (n, 3) of open ground at points (n, 4); a direction below 0 is left out."""
        if kind == SUN:
            return self.bake_sun(points, spacing, samples)
        wanted = np.flatnonzero(points[:, 3] >= 0)
        cell = np.floor(points[wanted, :3]).astype(np.int32)
        takers = Takers(cell, np.full(len(wanted), 5, np.uint8))
        light = np.zeros((len(points), 3), np.float32)
        light[wanted] = np.float32(np.pi) * self._swept(takers, self.ways)
        if self.lamps:
            rays = max(1, samples // 4 // self.sky.lamp_every)
            light[wanted] += self.lamplight(points[wanted], spacing, rays)
        return light

    def bake_sun(self, points: Floats, spacing: float, samples: int) -> Floats:
        """Return the sun's irradiance (n, 3) at points as `bake` takes them."""

        def bake(some: Floats, first: int, count: int) -> Floats:
            light = np.zeros((len(some), 3), np.float32)
            wanted = np.flatnonzero(some[:, 3] >= 0)
            light[wanted] = self._sunlight(some[wanted], spacing, first, count)
            return light

        return sunlight(bake, points, self.sky, samples)

    # ------------------------------------------------------------------ single kinds of light

    def lamplight(self, points: Floats, spacing: float, rays: int) -> Floats:
        """Irradiance (n, 3) of lamps at points (n, 4) by resampled importance sampling.

        Each ray weighs a few lamps without shadow, and one of them gets a shadow ray (Talbot, Cline &
        Egbert, 2005). The lamps weighed are those that matter in a point's surroundings.
        """
        light = np.zeros((len(points), 3), np.float32)
        if not self.lamps:
            return light
        order = np.argsort(bricks(points[:, :3], BRICK), kind="stable")  # neighbours share their lamps
        for start in range(0, len(points), CROWD):
            rows = order[start : start + CROWD]
            place = points[rows]
            choice = self.lamps.choice(place[:, :3])
            total = np.zeros((len(rows), 3), np.float32)
            for number in range(rays):
                self._add_lamp(total, place, spacing, choice, Noise(place, number + 1000))
            light[rows] = total / np.float32(rays)
        return light

    def _add_lamp(self, light: Floats, points: Floats, spacing: float, choice: Choice, noise: Noise) -> None:
        """Add one shadow ray's light (n, 3) to points (n, 4)."""
        normal = WAYS[points[:, 3].astype(np.intp)]
        spot = self.spots(points, spacing, noise) + normal * OFF
        target, total, reach = np.zeros((3, len(points)), np.float32)
        gain, way = np.zeros((2, len(points), 3), np.float32)
        for _ in range(CANDIDATES):
            lamp, weight = self.lamps.pick(choice, noise)
            to = self.lamps.place(lamp, noise) - spot
            distance = np.sqrt((to * to).sum(axis=1))
            to /= distance[:, None] + np.float32(1e-9)
            here = (to * normal).sum(axis=1)
            there = -(to * WAYS[self.lamps.direction[lamp]]).sum(axis=1)
            form = np.maximum(here, 0) * np.maximum(there, 0) / np.maximum(distance**2, np.float32(0.3))
            value = form * self.lamps.strength[lamp]
            total += value * weight
            take = np.flatnonzero(noise() * total < value * weight)
            target[take], way[take], reach[take] = value[take], to[take], distance[take]
            gain[take] = form[take, None] * self.lamps.emission[lamp[take]]
        lit = np.flatnonzero(target > 0)
        hits = self.space.cast(spot[lit], way[lit], reach[lit] * np.float32(0.999) - np.float32(2e-3))
        clear = hits.direction < 0
        lit = lit[clear]
        # what is this bright is white in any case; more would only show as a speck
        most = np.float32(BRIGHTEST * np.pi / self.sky.exposure)
        factor = np.minimum(total[lit] / np.float32(CANDIDATES), most) / target[lit]
        light[lit] += gain[lit] * hits.tint[clear] * factor[:, None]

    def spots(self, points: Floats, spacing: float, noise: Noise) -> Floats:
        """Move points (n, 4) anywhere within a square around them, but never off the exposed faces."""
        by = (np.stack([noise(), noise()], axis=-1) - np.float32(0.5)) * np.float32(spacing)
        flips = ((1, 1), (-1, 1), (1, -1), (-1, -1))
        out = points[:, :3].copy()
        left = np.arange(len(points))
        for flip in flips:
            spot = self._moved(points[left], by[left] * np.array(flip, np.float32))
            fine = self._on_face(spot, points[left, 3])
            out[left[fine]] = spot[fine]
            left = left[~fine]
            if not len(left):
                break
        return out

    def _moved(self, points: Floats, by: Floats) -> Floats:
        out = points[:, :3].copy()
        across = ACROSS[points[:, 3].astype(np.intp)]
        rows = np.arange(len(out))
        for axis in (0, 1):
            out[rows, across[:, axis]] += by[:, axis]
        return out

    def _on_face(self, spot: Floats, direction: Floats) -> NDArray[np.bool_]:
        """Whether a face shows at places of face planes; open ground shows everywhere but under walls."""
        half = np.float32(0.5) * WAYS[direction.astype(np.intp)]
        edge = np.array(self.shape)
        materials: list[NDArray[Any]] = []
        for place in (spot - half, spot + half):
            cell: NDArray[Any] = np.floor(place).astype(np.intp)
            inside: NDArray[Any] = np.logical_and.reduce((cell >= 0) & (cell < edge), axis=1)
            x, y, z = np.where(inside[:, None], cell, -1).T
            materials.append(self.space.material[self.space.flat(x, y, z)] * inside)
        own, front = materials
        free = (self.opacity[front] < 1) | (front == 0)
        shows: NDArray[np.bool_] = free & ((direction == UP) | ((own > 0) & (own != front)))
        return shows

    def _sunlight(self, points: Floats, spacing: float, first: int, samples: int) -> Floats:
        sky = self.sky
        light = np.zeros((len(points), 3), np.float32)
        a = np.cross(sky.sun, [0.0, 0.0, 1.0] if abs(sky.sun[2]) < 0.9 else [1.0, 0.0, 0.0])
        a /= np.linalg.norm(a)
        frame = np.stack([a, np.cross(sky.sun, a)]).astype(np.float32) * np.float32(sky.sun_radius)
        normal = WAYS[points[:, 3].astype(np.intp)]
        for number in range(first, first + samples):
            noise = Noise(points, number)
            spot = self.spots(points, spacing, noise) + normal * OFF
            radius, angle = np.sqrt(noise()), np.float32(2 * np.pi) * noise()
            disc = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
            way = disc @ frame + sky.sun.astype(np.float32)
            way /= np.sqrt((way * way).sum(axis=1, keepdims=True))
            cosine = (way * normal).sum(axis=1)
            lit = np.flatnonzero(cosine > 0)
            hits = self.space.cast(spot[lit], way[lit])
            free = hits.direction < 0
            lit = lit[free]
            light[lit] += cosine[lit, None] * hits.tint[free]
        return light * (sky.sun_light / samples).astype(np.float32)

    def _swept_sun(self) -> Floats:
        """Return the sun's irradiance (faces, 3), averaged over each face."""
        sky = self.sky
        count = 6
        ways = np.repeat(sky.sun[None], count, axis=0) + (sphere(count) * sky.sun_radius * 0.6)
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        none = np.zeros((len(self.faces) + 1, 3), np.float32)
        tint = np.concatenate([np.ones((1, 3), np.float32), self.tint[self.faces.material]])
        light = self.sweeper.gather(self.takers, ways, lambda _: sky.sun_light.astype(np.float32), none, tint)
        cosine = np.maximum(NORMALS @ sky.sun, 0).astype(np.float32)[self.faces.direction]
        return light * cosine[:, None]

    def _swept(self, takers: Takers, ways: int, *, corners: bool = False) -> Floats:
        """Mean radiance of sky and faces that takers see, weighted by the cosine."""
        opacity = np.concatenate([[1], self.opacity[self.faces.material]]).astype(np.float32)[:, None]
        opacity = np.where(opacity >= 1, 1, opacity)
        through = np.broadcast_to(np.where(opacity < 1, 1 - opacity, 0), self.radiance.shape).copy()
        through[0] = 1
        shown = np.where(opacity < 1, opacity * self.radiance, self.radiance)
        return self.sweeper.gather(takers, sphere(ways), self._along, shown, through, corners)

    def _along(self, way: NDArray[np.float64]) -> Floats:
        light: Floats = self._sky(way[None])[0]
        return light

    def _sky(self, way: NDArray[np.float64]) -> Floats:
        return sky_radiance(self.sky, way)

    def _middles(self) -> Floats:
        out = self.faces.voxel + 0.5 + 0.5 * NORMALS[self.faces.direction]
        return out.astype(np.float32)


def sky_radiance(sky: Sky, way: NDArray[Any]) -> Floats:
    """Radiance (n, 3) of the sky, or of the ground below the horizon, along ways (n, 3)."""
    z = way[:, 2:]
    above = sky.horizon + (sky.zenith - sky.horizon) * np.sqrt(np.clip(z, 0, 1))
    return np.asarray(sky.ground + (above - sky.ground) * np.clip(z / 0.06 + 0.5, 0, 1), np.float32)


def _shared(corners: Floats, index: NDArray[np.intp], count: int) -> Floats:
    """Average what faces say of the corners (n, 2, 2, 3) that they share: (count, 3)."""
    flat = index.ravel()
    times = np.bincount(flat, minlength=count)
    values = corners.reshape(-1, 3)
    sums = [np.bincount(flat, values[:, channel], count) / times for channel in range(3)]
    return np.stack(sums, axis=-1).astype(np.float32)
