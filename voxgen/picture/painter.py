"""The same picture without any GL: numpy alone casts the light, finds what each sample shows, and shades it.

    grid ─exposed─▶ faces ─Room─▶ light ─outlines, fragments─▶ the face of each sample
         ─shade─▶ bounded radiance, water and glass over it ─▶ Shots, which `develop` takes as from VTK

A stand-in for stage.py where no OpenGL driver works; it imports neither VTK nor PyVista.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.picture import raster, style
from voxgen.picture.camera import Camera
from voxgen.picture.darkroom import Shots
from voxgen.picture.ground import Ground, bake_ground
from voxgen.picture.lamps import OFF
from voxgen.picture.lattice import Floats
from voxgen.picture.mesher import NORMALS, TANGENTS
from voxgen.picture.quality import Quality
from voxgen.picture.radiosity import Room, sky_radiance
from voxgen.picture.raster import Outlines
from voxgen.picture.setting import Setting, towards
from voxgen.picture.style import CLEAN, Style
from voxgen.picture.tone import peak
from voxgen.scene import Light, Scene, View

BAND_SAMPLES = 1_500_000  # shaded at once
HALF_SEAM = 0.03  # as in faces.glsl
DEEP = 8.0  # as in glossy.glsl
MANY_CLEAR = 100_000  # translucent faces
DEEPEST = 6  # translucent faces one behind the other in a sample; those farther off are left out

Ints = NDArray[np.signedinteger[Any]]


class Easel(Setting):
    """A setting painted as stage.Stage photographs it."""

    most_texels = 6_000_000  # 72 MB

    def __init__(
        self,
        scene: Scene,
        light: str | Light | None,
        view: str | View | None,
        size: tuple[int, int],
        style: Style = CLEAN,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(scene, light, view, size, style, tell)
        self.prepare()

    def prepare(self) -> None:
        """Make the room whose light is cast."""
        self.room = Room(self.grid, self.faces, self.sky)
        self.key = self._key(self.faces.voxel, self.faces.direction)  # rises: faces are sorted so

    def shoot(self, quality: Quality) -> Shots:
        """Cast the light on what is seen, and paint it; see quality.py."""
        sight = Sight(self, quality.edge)
        rows = sight.visible()
        quality = self.affordable(len(rows), quality)
        self.fill(quality)
        plane = self.plane(quality, self.camera) if self.sees_ground() else None
        return sight.paint(rows, self.light(rows, quality), plane)

    def shoot_all(self, views: Sequence[str | View], quality: Quality) -> Iterator[Shots]:
        """Cast the light on everything once, and paint it from many sides under the same sun."""
        quality = self.affordable(len(self.faces), quality)
        self.fill(quality)
        rows = np.arange(len(self.faces))
        light = self.light(rows, quality)
        plane = self.plane(quality, None)
        for view in views:
            self.turn(view)
            seen = plane if self.sees_ground() else None
            yield Sight(self, quality.edge).paint(rows, light, seen)

    def close(self) -> None:
        """Do nothing: there is no window."""

    def fill(self, quality: Quality) -> None:
        """Light the whole scene once, so that its parts light each other."""
        most = quality.soft // 3
        self.room.fill(int(np.clip(8 * quality.paths / len(self.faces), most / 2, most)))

    def light(self, rows: Ints, quality: Quality) -> Floats:
        """Exposed radiance (n, side, side, 3) of faces at their lattice."""
        room, faces = self.room, self.faces.pick(rows)
        light = room.light(faces, self.parts(len(faces), quality), quality)
        light *= (room.albedo * np.float32(self.sky.exposure / np.pi))[faces.material][:, None, None, :]
        light += room.shown[faces.material][:, None, None, :]
        return self.flattened(light)

    def plane(self, quality: Quality, camera: Camera | None) -> Ground:
        """Cast the light on the ground, all of it or what a camera sees."""
        return bake_ground(self.room, self.room, camera, self.sky, min(self.ground_side(), 240), quality)

    def mirrored(self, place: Floats, way: Floats) -> Floats:
        """Radiance (n, 3) that comes along mirrored rays: the sky, or what a face throws back and emits."""
        room, sky = self.room, self.sky
        hits = room.space.cast(place, way)
        seen = sky_radiance(sky, way)
        glint = np.clip((way @ sky.sun - 0.9985) / 0.0013, 0, 1)[:, None]
        seen += (sky.sun_light * 4 * glint * glint * (3 - 2 * glint)).astype(np.float32)
        on = np.flatnonzero(hits.direction >= 0)
        key = self._key(hits.cell[on], hits.direction[on])
        row = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        right = self.key[row] == key  # not where rounding went astray
        on, row = on[right], row[right]
        seen[on] = room.radiance[row + 1] + room.emission[self.faces.material[row]]
        return seen * hits.tint

    def _key(self, cell: NDArray[Any], direction: NDArray[Any]) -> NDArray[np.int64]:
        """Return a number for each face of cells (n, 3)."""
        x, y, z = (cell[:, axis].astype(np.int64) for axis in range(3))
        nx, ny, nz = self.room.shape
        return ((direction.astype(np.int64) * nx + x) * ny + y) * nz + z


class Sight:
    """What a camera sees of a scene's faces, band by band of the picture."""

    def __init__(self, easel: Easel, edge: int) -> None:
        self.easel, self.edge = easel, edge
        self.width = easel.size[0] * edge
        front = np.flatnonzero(towards(easel.faces, easel.camera))
        self.rows = front[raster.farthest_first(easel.faces.pick(front), easel.camera)]
        self.faces = easel.faces.pick(self.rows)
        clear = easel.room.opacity[self.faces.material] < 1
        self.solid, self.clear = np.flatnonzero(~clear), np.flatnonzero(clear)
        samples = BAND_SAMPLES // (1 if len(self.clear) < MANY_CLEAR else 4)  # they may lie layers deep
        self.step = max(1, samples // (self.width * edge))  # rows of pixels in a band
        self.solid_lines = self._outlines(self.solid)
        self.clear_lines = self._outlines(self.clear)
        self.number = np.zeros(0, np.intp)
        no_rims = np.zeros(0, np.uint8)
        self.free = style.rims(easel.grid.indices, self.faces) if easel.style.rimmed else no_rims

    def _outlines(self, ranks: Ints) -> Outlines:
        return raster.outlines(self.faces.pick(ranks), self.easel.camera, self.easel.size, self.edge)

    def bands(self) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """Yield the first and last pixel row of each band, and its samples' faces: 0 none, else rank + 1."""
        height = self.easel.size[1]
        for first in range(0, height, self.step):
            last = min(first + self.step, height)
            rank = np.zeros((last - first) * self.edge * self.width, np.int32)
            for sample, quad in self.solid_lines.fragments(first * self.edge, last * self.edge, self.width):
                rank[sample] = self.solid[quad] + 1  # of several to one sample, the last stays
            yield first, last, rank

    def visible(self) -> Ints:
        """Return the rows of the opaque faces that own a sample, and of all translucent ones in front."""
        seen = np.zeros(len(self.rows) + 1, bool)
        for _, _, rank in self.bands():
            seen[rank] = True
        seen[self.clear + 1] = True
        return np.sort(self.rows[seen[1:]])

    def paint(self, rows: Ints, light: Floats, plane: Ground | None) -> Shots:
        """Shade all samples with the light maps (n, side, side, 3) of the faces in rows, which are sorted."""
        width, height = self.easel.size
        self.number = np.searchsorted(rows, self.rows)  # where the light map of each rank is
        self.number = np.minimum(self.number, len(rows) - 1)
        scene = np.zeros((height, width, 4), np.float32)
        glows = bool(self.easel.room.shown.max() > 0) and self.easel.sky.bloom > 0
        glow = np.zeros((height, width, 4), np.float32) if glows else None
        defocus = np.zeros((height, width), np.float32) if self.easel.style.shallow else None
        for first, last, rank in self.bands():
            image = self._shaded(rank, first, last, light)
            self._add_clear(image, rank, first, last, light)
            scene[first:last] = self._averaged(image, last - first)
            if glow is not None:
                glow[first:last] = self._averaged(self._glowing(rank), last - first)
            if defocus is not None:
                defocus[first:last] = self._defocus(rank, first, last)
        ground = None if plane is None else self._ground(plane)
        return Shots(scene, ground, glow, defocus)

    def _glowing(self, rank: NDArray[np.int32]) -> Floats:
        """Bounded radiance and cover (samples, 4) of what glows alone."""
        bright = _bounded(self.easel.room.shown)[self.faces.material]
        out = np.zeros((len(rank), 4), np.float32)
        out[:, 3] = rank > 0
        lit = np.flatnonzero(np.append(False, bright.any(axis=1))[rank])
        out[lit, :3] = bright[rank[lit] - 1]
        return out

    def _defocus(self, rank: NDArray[np.int32], first: int, last: int) -> Floats:
        """How far from the focus the faces at the centres of a band's pixels lie: (rows, W)."""
        lead = rank.reshape(last - first, self.edge, -1, self.edge)[:, 0, :, 0]
        out = np.zeros(lead.shape, np.float32)
        y, x = np.nonzero(lead)
        face = lead[y, x] - 1
        place, _ = self._places(face, x + 0.5, y + first + 0.5)
        out[y, x] = self.easel.defocus(self.faces.voxel[face] + place)
        return out

    def _averaged(self, image: Floats, rows: int) -> Floats:
        edge = self.edge
        cells = image.reshape(rows, edge, self.width // edge, edge, image.shape[-1])
        total = sum(cells[:, i, :, j] for i in range(edge) for j in range(edge))
        return np.asarray(total / np.float32(edge * edge), np.float32)

    def _shaded(self, rank: NDArray[np.int32], first: int, last: int, light: Floats) -> Floats:
        """Bounded radiance and cover (samples, 4) of the solid faces.

        A pixel whose samples all show one face is shaded once, at its centre.
        """
        edge, width = self.edge, self.width
        grid = rank.reshape(last - first, edge, width // edge, edge)
        lead = grid[:, 0, :, 0]
        even = (grid == lead[:, None, :, None]).all(axis=(1, 3))
        if self.easel.style.rimmed:  # thinner than a pixel
            even[:] = False
        out = np.zeros((last - first, edge, width // edge, edge, 4), np.float32)
        y, x = np.nonzero(even & (lead > 0))
        color = self._colors(lead[y, x] - 1, x + 0.5, y + first + 0.5, light)
        for below in range(edge):
            for beside in range(edge):
                out[y, below, x, beside] = color
        single = (grid > 0) & ~even[:, None, :, None]
        row, i, column, j = np.nonzero(single)
        across, down = column + (j + 0.5) / edge, row + first + (i + 0.5) / edge
        out[row, i, column, j] = self._colors(grid[single] - 1, across, down, light)
        return out.reshape(-1, 4)

    def _colors(self, rank: Ints, x: NDArray[Any], y: NDArray[Any], light: Floats) -> Floats:
        """Bounded radiance and cover (n, 4) of solid faces at places in pixels."""
        easel = self.easel
        place, way = self._places(rank, x, y)
        color = self._looked_up(rank, place, light)
        seam = easel.seam()
        if easel.style.rimmed:
            free, direction = self.free[rank], self.faces.direction[rank]
            color *= style.edge_light(easel.style, easel.sky, place, direction, free, easel.scale * self.edge)
        elif seam:
            near = np.minimum(place, 1 - place)
            near = np.sort(near, axis=1)[:, 1]  # the axis across has 0 or 1, the next nearest counts
            t = np.clip((near - 0.5 * HALF_SEAM) / HALF_SEAM, 0, 1)
            color *= (1 - np.float32(seam) * (1 - t * t * (3 - 2 * t)))[:, None].astype(np.float32)
        metal = easel.room.metal[self.faces.material[rank]]
        shiny = np.flatnonzero(metal > 0)
        if len(shiny):
            rank, way = rank[shiny], _unit(way[shiny])
            normal = NORMALS[self.faces.direction[rank]].astype(np.float32)
            seen, away = self._reflected(rank, place[shiny], way, normal, normal)
            skin = easel.room.albedo[self.faces.material[rank]]
            share = np.float32(0.6) * metal[shiny, None]
            color[shiny] += share * (seen * (skin + (1 - skin) * away) - color[shiny])
        return np.concatenate([_bounded(color), np.ones((len(color), 1), np.float32)], axis=-1)

    def _places(self, rank: Ints, x: NDArray[Any], y: NDArray[Any]) -> tuple[Floats, Floats]:
        """Where rays through places in pixels meet faces, within each voxel 0..1, and their ways: (n, 3)."""
        width, height = self.easel.size
        start, way = self.easel.camera.rays(2 * x / width - 1, 1 - 2 * y / height)
        axis, side = self.faces.direction[rank] >> 1, self.faces.direction[rank] & 1
        voxel = self.faces.voxel[rank].astype(np.float32)
        start -= voxel
        rows = np.arange(len(rank))
        reach = (side - start[rows, axis]) / way[rows, axis]
        place = np.clip(start + way * reach[:, None], 0, 1).astype(np.float32)
        return place, way

    def _looked_up(self, rank: Ints, place: Floats, light: Floats) -> Floats:
        """Bilinear samples (n, 3) of light maps at places within voxels."""
        side = light.shape[1]
        tangents = np.array(TANGENTS)[self.faces.direction[rank] >> 1]
        rows = np.arange(len(rank))
        u, v = (place[rows, tangents[:, k]] * np.float32(side - 1) for k in (0, 1))
        i, j = (np.minimum(w.astype(np.int32), side - 2) for w in (u, v))
        u, v = (u - i)[:, None], (v - j)[:, None]
        texels = light.reshape(-1, 3)
        at = (self.number[rank] * side + i) * side + j
        low = texels[at] * (1 - v) + texels[at + 1] * v
        high = texels[at + side] * (1 - v) + texels[at + side + 1] * v
        return np.asarray(low + (high - low) * u, np.float32)

    def _reflected(
        self, rank: Ints, place: Floats, way: Floats, normal: Floats, facet: Floats
    ) -> tuple[Floats, Floats]:
        """Exposed radiance (n, 3) in the mirror, and Schlick's Fresnel term (n, 1)."""
        toward = (way * facet).sum(axis=1, keepdims=True)
        bounce = way - 2 * toward * facet
        rise = (bounce * normal).sum(axis=1, keepdims=True)
        bounce = _unit(np.where(rise < 0.03, bounce + normal * (np.float32(0.06) - rise), bounce))
        start = self.faces.voxel[rank] + place + normal * OFF
        seen = self.easel.mirrored(start.astype(np.float32), bounce) * np.float32(self.easel.sky.exposure)
        return seen, (1 - np.clip(-toward, 0, 1)) ** 5

    def _add_clear(
        self, image: Floats, rank: NDArray[np.int32], first: int, last: int, light: Floats
    ) -> None:
        """Lay water and glass over the samples (n, 4) of a band, the farthest first."""
        edge, width = self.edge, self.width
        parts = [(np.zeros(0, np.int32), np.zeros(0, np.intp))]
        for sample, quad in self.clear_lines.fragments(first * edge, last * edge, width):
            face = self.clear[quad]
            front = face + 1 > rank[sample]
            parts.append((sample[front], face[front]))
        sample, face = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        if not len(sample):
            return
        # each face is shaded once a pixel, at the pixel's centre
        pixel = (sample // width // edge) * (width // edge) + sample % width // edge
        pair = (pixel.astype(np.int64) << 32) | face
        ordered = np.sort(pair)
        ordered = ordered[np.diff(ordered, prepend=-1) > 0]
        y, x = np.divmod(ordered >> 32, width // edge)
        layer = self._layers(ordered & 0xFFFFFFFF, x + 0.5, y + first + 0.5, light)
        which = np.searchsorted(ordered, pair)
        order = np.lexsort((face, sample))
        sample, which = sample[order], which[order]
        begin = np.flatnonzero(np.diff(sample, prepend=-1))
        count = np.diff(begin, append=len(sample))
        for depth in range(min(DEEPEST, int(count.max())), 0, -1):  # from the nearest
            some = count >= depth
            at = begin[some] + count[some] - depth
            color = layer[which[at]]
            under = image[sample[at]]
            image[sample[at]] = under * (1 - color[:, 3:]) + color

    def _layers(self, rank: Ints, x: NDArray[Any], y: NDArray[Any], light: Floats) -> Floats:
        """Bounded radiance of translucent faces times their cover, and their cover: (n, 4).

        As glossy.glsl does.
        """
        room = self.easel.room
        place, way = self._places(rank, x, y)
        way = _unit(way)
        normal = NORMALS[self.faces.direction[rank]].astype(np.float32)
        material = self.faces.material[rank]
        world = (self.faces.voxel[rank] + place).astype(np.float32)
        facet = np.where(normal[:, 2:] > 0.5, _ripple(world), normal)
        seen, away = self._reflected(rank, place, way, normal, facet)
        start = world - normal * OFF
        hits = room.space.cast(start, way, np.full(len(way), DEEP, np.float32), material)
        out = np.minimum(room.space.exits(start, way), DEEP)  # glass may end where the scene does
        depth = np.maximum(np.where(hits.direction < 0, out, hits.reach), 0.35)
        opacity = np.minimum(room.opacity[material], 0.98)
        cover = (1 - (1 - opacity) ** (0.45 + 0.55 * np.minimum(depth, DEEP)))[:, None]
        fresnel = 0.02 + 0.98 * away
        alpha = 1 - (1 - fresnel) * (1 - cover)
        own = self._looked_up(rank, place, light)
        color = (fresnel * seen + (1 - fresnel) * cover * own) / np.maximum(alpha, 1e-3)
        return np.concatenate([_bounded(color) * alpha, alpha], axis=-1).astype(np.float32)

    def _ground(self, plane: Ground) -> Floats:
        """Light on the ground relative to open ground, seen in each pixel: (H, W, 3)."""
        width, height = self.easel.size
        out = np.ones((height, width, 3), np.float32)
        side = len(plane.light)
        x = 2 * (np.arange(width) + 0.5) / width - 1
        for row in range(height):
            y = np.full(width, 1 - 2 * (row + 0.5) / height)
            start, way = self.easel.camera.rays(x, y)
            reach = -start[:, 2] / np.minimum(way[:, 2], -1e-6)
            spot = start[:, :2] + way[:, :2] * reach[:, None] - plane.center.astype(np.float32)
            at = (spot / np.float32(plane.reach) + 1) * np.float32(0.5 * (side - 1))
            inside = np.flatnonzero((way[:, 2] < 0) & ((at >= 0) & (at <= side - 1)).all(axis=1))
            at = at[inside]
            low = np.minimum(at.astype(np.intp), side - 2)
            u, v = (at - low).astype(np.float32)[:, :, None].transpose(1, 0, 2)
            i, j = low.T
            near = plane.light[j, i] * (1 - u) + plane.light[j, i + 1] * u
            far = plane.light[j + 1, i] * (1 - u) + plane.light[j + 1, i + 1] * u
            out[row, inside] = near + (far - near) * v
        return out


def _bounded(color: NDArray[Any]) -> Floats:
    """Compress radiance to c / (1 + max c), which `develop` undoes after averaging."""
    return np.asarray(color / (1 + peak(color)), np.float32)


def _unit(way: NDArray[Any]) -> Floats:
    return np.asarray(way / np.sqrt((way * way).sum(axis=1, keepdims=True)), np.float32)


def _ripple(place: Floats) -> Floats:
    """Return normals (n, 3) of still water with small waves, as in glossy.glsl."""
    x, y = place[:, 0], place[:, 1]
    a = np.sin(x * 2.1 + 1.3 * np.sin(y * 0.9)) + 0.6 * np.sin(y * 3.7 + x)
    b = np.cos(y * 1.9 + 1.1 * np.sin(x * 1.3)) + 0.6 * np.sin(x * 4.1 - y * 0.7)
    return _unit(np.stack([0.022 * a, 0.022 * b, np.ones_like(a)], axis=-1))
