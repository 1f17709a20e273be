"""A scene, a light and a camera brought together, and the photographs taken of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.picture import screen
from voxgen.picture.camera import Camera
from voxgen.picture.darkroom import Shots
from voxgen.picture.ground import Ground, bake_ground
from voxgen.picture.lattice import Floats
from voxgen.picture.lightmap import Baker, Volume, atlas, light_faces
from voxgen.picture.mesher import CORNERS, NORMALS, Faces
from voxgen.picture.quality import Quality
from voxgen.picture.setting import Setting, towards
from voxgen.picture.style import CLEAN, Style, rims
from voxgen.scene import Light, Scene, View

TILE_SAMPLES = 1_300_000  # drawn at once: 21 MB of float pixels, several times over in the driver
FACES_AT_ONCE = 1_000_000  # sent to the driver when it is asked what is in sight: about 400 MB
NUMBERED = (
    "vec4(dot(round(at), vec2(1.0, 4096.0)), 0.0, 0.0, 1.0)"  # twelve bits each: exact when interpolated
)
MOST_NUMBERS = 1 << 24  # that a float tells apart


class Stage(Setting):
    """A setting photographed by VTK."""

    most_texels = 16_000_000  # 256 MB

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
        self.window: screen.Screen | None = None  # where light is traced
        self.prepare()
        self.screens: dict[tuple[int, int], screen.Screen] = {}  # by their size in samples

    def prepare(self) -> None:
        """Hand the grid, its palette and the sky to the driver."""
        self.volume = Volume(self.grid.indices, self.grid.palette, self.faces, self.sky)
        self.baker = Baker(self.volume, self.sky, self.window)
        self.window = self.baker.screen

    def shoot(self, quality: Quality) -> Shots:
        """Trace the light of what is seen, and photograph it."""
        faces = self.faces.pick(self.visible(quality.edge))
        quality = self.affordable(len(faces), quality)
        radiance = self.radiance(faces, quality)
        plane = self.plane(quality, self.camera) if self.sees_ground() else None
        return self.expose(faces, radiance, plane, quality.edge)

    def shoot_all(self, views: Sequence[str | View], quality: Quality) -> Iterator[Shots]:
        """Trace the light of all that any view sees once, and photograph it from there under one sun."""
        seen = np.zeros(len(self.faces), bool)
        for view in views:
            self.turn(view)
            seen[self.visible(quality.edge)] = True
        self.turn(views[0])
        self.faces = self.faces.pick(seen)
        quality = self.affordable(len(self.faces), quality)
        radiance = self.radiance(self.faces, quality)
        plane = self.plane(quality, None)
        for view in views:
            self.turn(view)
            rows = self.visible(quality.edge)
            under = plane if self.sees_ground() else None
            yield self.expose(self.faces.pick(rows), radiance[rows], under, quality.edge)

    def expose(self, faces: Faces, radiance: Floats, plane: Ground | None, edge: int) -> Shots:
        """Take all photographs of lit faces and ground."""
        light = radiance * np.float32(self.sky.exposure)
        image = self.photograph(self.actors(faces, light), edge)
        ground = None if plane is None else self.ground(plane)
        return Shots(
            image, ground, self.glow(faces), self.depth_of_focus(faces) if self.style.shallow else None
        )

    def steady_quality(self, quality: Quality) -> Quality:
        """Return a quality that gives a point as many samples as now, however many points there are."""
        faces = len(self.visible(quality.edge))
        quality = self.affordable(faces, quality)
        points = max(faces * quality.soft_parts**2, 1)
        soft = int(np.clip(quality.paths / points, self.fewest, quality.soft))
        return replace(quality, soft=soft, rays=math.inf)

    def radiance(self, faces: Faces, quality: Quality) -> Floats:
        """Radiance (n, side, side, 3) of faces at their lattice: what they throw back and what they emit."""
        volume = self.volume
        parts = self.parts(len(faces), quality)
        light = light_faces(self.baker, self.sky, faces, parts, self.fewest, quality)
        light *= (volume.albedo / np.float32(np.pi))[faces.material][:, None, None, :]
        light += (volume.shown / np.float32(self.sky.exposure))[faces.material][:, None, None, :]
        return self.flattened(light)

    def visible(self, edge: int) -> NDArray[np.intp]:
        """Return the rows of the opaque faces that own a sample, and of all translucent ones towards it."""
        front = np.flatnonzero(towards(self.faces, self.camera))
        opaque = self.volume.opacity[self.faces.material[front]] >= 1
        solid = front[opaque]
        if len(solid) >= MOST_NUMBERS:
            return front
        seen = np.zeros(len(solid) + 1, bool)
        for frame, _, _ in self.frames(edge):
            for start in range(0, max(len(solid), 1), FACES_AT_ONCE):
                number = np.arange(start + 1, min(start + FACES_AT_ONCE, len(solid)) + 1)
                coords = np.zeros((len(number), 4, 2), np.float32)
                coords[..., 0], coords[..., 1] = (number & 4095)[:, None], (number >> 12)[:, None]
                mesh = quads(self.faces.pick(solid[number - 1]), coords)
                image = frame.shoot([screen.paint(mesh, "", NUMBERED, {})], over=start > 0)
            seen[image[..., 0].astype(np.int32)] = True
        return np.concatenate([solid[seen[1:]], front[~opaque]])

    def actors(self, faces: Faces, radiance: Floats) -> list[Any]:
        """Return the quads of the scene: matt, metal, and translucent ones from back to front."""
        opaque = self.volume.opacity[faces.material] >= 1
        metal = opaque & (self.volume.metal[faces.material] > 0)
        matt = opaque & ~metal
        out = [self.matt(faces.pick(matt), radiance[matt])]
        if metal.any():
            out.append(self.glossy(faces.pick(metal), radiance[metal], translucent=False))
        if not opaque.all():
            rows = np.flatnonzero(~opaque)
            rows = rows[np.argsort(-self.depth(faces.pick(rows)), kind="stable")]
            out.append(self.glossy(faces.pick(rows), radiance[rows], translucent=True))
        return out

    def matt(self, faces: Faces, radiance: Floats) -> Any:
        """Return faces that show their light map, with the seams or edges of the style."""
        if not self.style.rimmed:
            return _matt(faces, radiance, {"seam": self.seam()})
        tag = (rims(self.grid.indices, faces) + 16 * faces.direction).astype(np.float32)
        tags = np.broadcast_to(tag[:, None, None, None], (*radiance.shape[:3], 1))
        used = ("sun", "sun_light", "zenith", "horizon", "ground")
        looks: screen.Uniforms = {
            **{name: self.volume.uniforms[name] for name in used},
            "rimmed": 1, "bevel": self.style.bevel, "ink": self.style.ink,
        }  # fmt: skip
        return _matt(faces, np.concatenate([radiance, tags], axis=-1), looks)

    def depth(self, faces: Faces) -> NDArray[np.float64]:
        """How far faces are from the camera, in an order that draws each before what covers it: (n,)."""
        offset = faces.voxel + 0.5 + 0.5 * NORMALS[faces.direction] - self.camera.eye
        along: NDArray[np.float64] = -(offset @ self.camera.back)
        return along if self.camera.parallel else (offset**2).sum(axis=1)

    def glossy(self, faces: Faces, radiance: Floats, *, translucent: bool) -> Any:
        """Return faces that also mirror the scene."""
        tag = (faces.material.astype(np.float32) * 6 + faces.direction)[:, None, None, None]
        tag = np.broadcast_to(tag, (*radiance.shape[:3], 1))
        image, coords = atlas(np.concatenate([radiance, tag], axis=-1), faces.direction)
        textures = {**self.volume.textures, "lightmap": screen.texture(image, smooth=True)}
        actor = screen.paint(
            quads(faces, coords),
            screen.shader("grid", "glossy"),
            "shade(place, texture(lightmap, at))",
            textures,
            translucent=translucent,
        )
        screen.set_uniforms(actor, self.volume.uniforms)
        view: screen.Uniforms = {
            "eye": tuple(self.camera.eye),
            "forward": tuple(-self.camera.back),
            "parallel": int(self.camera.parallel),
            "exposure": self.sky.exposure,
        }
        screen.set_uniforms(actor, view)
        return actor

    def plane(self, quality: Quality, camera: Camera | None) -> Ground:
        """Trace the light on the ground, all of it or what a camera sees."""
        return bake_ground(self.baker, self.volume, camera, self.sky, self.ground_side(), quality)

    def ground(self, plane: Ground) -> Floats:
        """Light on the ground relative to open ground: (H, W, 3), row 0 at the top."""
        corners, coords = plane.corners()
        light = screen.texture(plane.light, smooth=True)
        mesh = screen.quads(corners[None], coords[None])
        actor = screen.paint(mesh, "", "vec4(texture(light, at).rgb, 1.0)", {"light": light})
        far = 100 * self.camera.far
        image = self.photograph([actor], 1, replace(self.camera, near=1e-4 * far, far=far))
        return image[..., :3] + (1 - image[..., 3:])

    def glow(self, faces: Faces) -> Floats | None:
        """Photograph what glows and nothing else: (H, W, 4) as in Shots, None without lamps."""
        shown = self.volume.shown
        if not shown.max() > 0 or self.sky.bloom <= 0:
            return None
        solid = faces.pick(self.volume.opacity[faces.material] >= 1)
        maps = np.broadcast_to(shown[solid.material][:, None, None, :], (len(solid), 2, 2, 3))
        return self.photograph([_matt(solid, maps)], 1)

    def depth_of_focus(self, faces: Faces) -> Floats:
        """How far from the focus what is seen lies: (H, W), as `defocus`."""
        actor = screen.paint(quads(faces, np.zeros((len(faces), 4, 2))), "", "vec4(place, 1.0)", {})
        return self.defocus(self.photograph([actor], 1)[..., :3])

    def photograph(self, actors: list[Any], edge: int, camera: Camera | None = None) -> Floats:
        """Draw actors with edge x edge samples a pixel: (H, W, 4), row 0 at the top."""
        width, height = self.size
        out = np.zeros((height, width, 4), np.float32)
        for frame, x, y in self.frames(edge, camera):
            part = _averaged(frame.shoot(actors), edge)[: height - y, : width - x]
            out[y : y + part.shape[0], x : x + part.shape[1]] = part
        return out[::-1]

    def frames(self, edge: int, camera: Camera | None = None) -> Iterator[tuple[screen.Screen, int, int]]:
        """Go over the picture piece by piece: yield a screen of its samples, and its lower left pixel x, y.

        A piece has as many samples as the picture has pixels, so that one screen serves for every edge,
        or fewer in a large picture. The last pieces may reach beyond the picture.
        """
        camera = camera or self.camera
        width, height = self.size
        across = edge * -(-width // screen.LIMIT)
        tile_width = -(-width // across)
        down = edge * -(-height * tile_width * edge // TILE_SAMPLES)
        tile_height = -(-height // down)
        samples = tile_width * edge, tile_height * edge
        if samples not in self.screens:
            self.screens[samples] = screen.Screen(*samples)
        for x in range(0, width, tile_width):
            for y in range(0, height, tile_height):
                left, right = 2 * x / width - 1, 2 * (x + tile_width) / width - 1
                bottom, top = 2 * y / height - 1, 2 * (y + tile_height) / height - 1
                projection = camera.projection((left, right, bottom, top))
                self.screens[samples].look(camera.eye, camera.eye - camera.back, camera.up, projection)
                yield self.screens[samples], x, y

    def close(self) -> None:
        """Give all windows back."""
        for window in (self.baker.screen, *self.screens.values()):
            window.close()


def quads(faces: Faces, coords: NDArray[Any]) -> Any:
    """Make VTK polygons of unit faces, with texture coordinates (n, 4, 2)."""
    return screen.quads(corners_of(faces), coords)


def corners_of(faces: Faces) -> Floats:
    """Corners (n, 4, 3) of unit faces."""
    out: Floats = CORNERS.astype(np.float32)[faces.direction]
    out += faces.voxel[:, None, :]
    return out


def _matt(faces: Faces, texels: Floats, looks: screen.Uniforms | None = None) -> Any:
    """Return faces that show their light map (n, side, side, 3), or with a tag as its fourth channel."""
    image, coords = atlas(texels, faces.direction)
    lightmap = screen.texture(image, smooth=True)
    main = "face(texture(lightmap, at), place)"
    actor = screen.paint(quads(faces, coords), screen.shader("faces"), main, {"lightmap": lightmap})
    black = (0.0, 0.0, 0.0)
    plain: screen.Uniforms = {
        "seam": 0.0, "rimmed": 0, "bevel": 0.0, "ink": 0.0,
        "sun": black, "sun_light": black, "zenith": black, "horizon": black, "ground": black,
    }  # fmt: skip
    screen.set_uniforms(actor, {**plain, **(looks or {})})
    return actor


def _averaged(image: Floats, edge: int) -> Floats:
    """Average edge x edge samples of (H, W, 4)."""
    if edge == 1:
        return image
    height, width, channels = image.shape
    rows = image.reshape(height // edge, edge, width * channels).sum(axis=1)
    total: Floats = np.einsum("yxec->yxc", rows.reshape(height // edge, width // edge, edge, channels))
    total *= np.float32(1 / edge**2)
    return total
