"""A scene, a light and a camera brought together, and the photographs taken of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.picture import camera as cameras
from voxgen.picture import screen, sky
from voxgen.picture.camera import Camera
from voxgen.picture.ground import Ground, bake_ground
from voxgen.picture.lattice import Floats
from voxgen.picture.lightmap import Baker, Volume, atlas, light_faces
from voxgen.picture.mesher import CORNERS, NORMALS, Faces, cropped, exposed, towards
from voxgen.picture.tone import Shots
from voxgen.scene import Light, Scene, View

TILE_SAMPLES = 1_300_000  # drawn at once: 21 MB of float pixels, several times over in the driver
SEAM = 0.16  # how much darker the seams between large voxels are
MAX_TEXELS = 16_000_000  # of all light maps together: 256 MB


class Stage:
    """A scene under one light, seen by one camera at a time."""

    def __init__(
        self, scene: Scene, light: str | Light | None, view: str | View | None, size: tuple[int, int]
    ) -> None:
        self.size = size
        self.grid, self.low, self.used = cropped(scene.grid)
        self.outline = cameras.outline(self.grid)
        view = scene.view if view is None else view
        self.turn(view)
        chosen = Light(light) if isinstance(light, str) else light or scene.light
        self.sky = sky.resolve(chosen, cameras.aim(view)[0])
        self.faces = exposed(self.grid)
        self.volume = Volume(self.grid.indices, self.grid.palette, self.faces, self.sky)
        self.baker = Baker(self.volume, self.sky)

    def shoot(self, quality: dict[str, int]) -> Shots:
        """Trace the light of what is seen, and photograph it; quality is explained in renderer.py."""
        rows = self.visible(quality["edge"])
        faces = self.faces.pick(rows)
        radiance = self.radiance(faces, quality)
        plane = self.plane(quality, self.camera) if self.sees_ground() else None
        return self.expose(faces, radiance, plane, quality["edge"])

    def shoot_all(self, views: Iterable[str | View], quality: dict[str, int]) -> Iterator[Shots]:
        """Trace the light of everything once, and photograph it from many sides under the same sun."""
        radiance = self.radiance(self.faces, quality)
        plane = self.plane(quality, None)
        for view in views:
            self.turn(view)
            rows = self.visible(quality["edge"])
            seen = plane if self.sees_ground() else None
            yield self.expose(self.faces.pick(rows), radiance[rows], seen, quality["edge"])

    def close(self) -> None:
        """Give the window back."""
        self.baker.close()

    def turn(self, view: str | View) -> None:
        """Look from somewhere else; the sun stays."""
        self.camera = cameras.fit(self.outline, view, self.size)
        self.scale = self.camera.pixels_per_voxel(self.outline, self.size[1])

    def expose(self, faces: Faces, radiance: Floats, plane: Ground | None, edge: int) -> Shots:
        """Take all photographs of lit faces and ground."""
        light = radiance * np.float32(self.sky.exposure)
        image = self.photograph(self.actors(faces, light), edge)
        return Shots(image, None if plane is None else self.ground(plane), self.glow(faces))

    def parts(self, faces: int, quality: dict[str, int]) -> int:
        """Into how many parts a face is divided each way: as many as its size in the picture asks for."""
        parts = int(np.clip(round(self.scale / quality["grain"]), 1, quality["parts"]))
        while parts > 1 and faces * (parts + 1) ** 2 > MAX_TEXELS:
            parts -= 1
        return parts

    def radiance(self, faces: Faces, quality: dict[str, int]) -> Floats:
        """Radiance (n, side, side, 3) of faces at their lattice: what they throw back and what they emit."""
        volume = self.volume
        fewest = int(np.clip(3.5 * self.scale, 4, 16))  # a face of few pixels hides its noise
        parts = self.parts(len(faces), quality)
        light = light_faces(self.baker, self.sky, faces, parts, fewest, quality)
        light *= (volume.albedo / np.float32(np.pi))[faces.material][:, None, None, :]
        light += (volume.shown / np.float32(self.sky.exposure))[faces.material][:, None, None, :]
        return light

    def visible(self, edge: int) -> NDArray[np.intp]:
        """Return the rows of the opaque faces that own a sample, and of all translucent ones towards it."""
        front = np.flatnonzero(towards(self.faces, self.camera))
        opaque = self.volume.opacity[self.faces.material[front]] >= 1
        solid = front[opaque]
        number = np.arange(1, len(solid) + 1)
        coords = np.repeat(np.stack([number & 4095, number >> 12], -1)[:, None, :], 4, axis=1)
        mesh = quads(self.faces.pick(solid), coords)
        seen = np.zeros(len(solid) + 1, bool)
        for image, _, _ in self.tiles([screen.paint(mesh, "", "vec4(at, 0.0, 1.0)", {})], edge):
            low, high = ((image[..., channel] + np.float32(0.5)).astype(np.int32) for channel in (0, 1))
            seen[low + (high << 12)] = True
        return np.concatenate([solid[seen[1:]], front[~opaque]])

    def actors(self, faces: Faces, radiance: Floats) -> list[Any]:
        """Return the quads of the scene: matt, metal, and translucent ones from back to front."""
        opaque = self.volume.opacity[faces.material] >= 1
        metal = opaque & (self.volume.metal[faces.material] > 0)
        matt = opaque & ~metal
        seam = SEAM * float(np.clip((self.scale - 7) / 12, 0, 1))  # none where it would look like noise
        out = [_matt(faces.pick(matt), radiance[matt], seam)]
        if metal.any():
            out.append(self.glossy(faces.pick(metal), radiance[metal], translucent=False))
        if not opaque.all():
            rows = np.flatnonzero(~opaque)
            rows = rows[np.argsort(-self.depth(faces.pick(rows)), kind="stable")]
            out.append(self.glossy(faces.pick(rows), radiance[rows], translucent=True))
        return out

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

    def sees_ground(self) -> bool:
        """Whether the camera looks down on the ground."""
        return bool(self.camera.eye[2] > 0 and self.camera.back[2] > 0.02)

    def plane(self, quality: dict[str, int], camera: Camera | None) -> Ground:
        """Trace the light on the ground, all of it or what a camera sees."""
        wide = 2.5 * max(self.grid.size)
        side = int(np.clip(wide * self.scale / quality["grain"] / 1.5, 96, 360))
        return bake_ground(self.baker, self.volume, camera, self.sky, side, quality)

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

    def photograph(self, actors: list[Any], edge: int, camera: Camera | None = None) -> Floats:
        """Draw actors with edge x edge samples a pixel: (H, W, 4), row 0 at the top."""
        width, height = self.size
        out = np.zeros((height, width, 4), np.float32)
        for image, x, y in self.tiles(actors, edge, camera):
            part = _averaged(image, edge)[: height - y, : width - x]
            out[y : y + part.shape[0], x : x + part.shape[1]] = part
        return out[::-1]

    def tiles(
        self, actors: list[Any], edge: int, camera: Camera | None = None
    ) -> Iterator[tuple[Floats, int, int]]:
        """Draw the frame piece by piece: yield samples (h, w, 4), row 0 at the bottom, and their pixel x, y.

        The last pieces may reach beyond the frame; each one overwrites the samples of the one before.
        """
        camera = camera or self.camera
        width, height = self.size
        across = -(-width * edge // screen.LIMIT)
        tile_width = -(-width // across)
        down = -(-height * tile_width * edge * edge // TILE_SAMPLES)
        tile_height = -(-height // down)
        frame = screen.Screen(tile_width * edge, tile_height * edge)
        for actor in actors:
            frame.renderer.AddActor(actor)
        for x in range(0, width, tile_width):
            for y in range(0, height, tile_height):
                left, right = 2 * x / width - 1, 2 * (x + tile_width) / width - 1
                bottom, top = 2 * y / height - 1, 2 * (y + tile_height) / height - 1
                projection = camera.projection((left, right, bottom, top))
                frame.look(camera.eye, camera.eye - camera.back, camera.up, projection)
                yield frame.shoot(), x, y
        frame.close()


def quads(faces: Faces, coords: NDArray[Any]) -> Any:
    """Make VTK polygons of unit faces, with texture coordinates (n, 4, 2)."""
    return screen.quads(corners_of(faces), coords)


def corners_of(faces: Faces) -> Floats:
    """Corners (n, 4, 3) of unit faces."""
    return (faces.voxel[:, None, :] + CORNERS[faces.direction]).astype(np.float32)


def _matt(faces: Faces, radiance: Floats, seam: float = 0.0) -> Any:
    """Return faces that show their light map, with seams between voxels."""
    image, coords = atlas(radiance, faces.direction)
    lightmap = screen.texture(image, smooth=True)
    main = "face(texture(lightmap, at).rgb, place)"
    actor = screen.paint(quads(faces, coords), screen.shader("faces"), main, {"lightmap": lightmap})
    screen.set_uniforms(actor, {"seam": seam})
    return actor


def _averaged(image: Floats, edge: int) -> Floats:
    """Average edge x edge samples of (H, W, 4)."""
    total = image[::edge, ::edge].copy()
    for y in range(edge):
        for x in range(edge):
            if x or y:
                total += image[y::edge, x::edge]
    return total / np.float32(edge * edge)
