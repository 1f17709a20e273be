"""A scene made ready to draw: cropped, before a camera, under its sky; what both ways of drawing share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import RenderError
from voxgen.picture import camera as cameras
from voxgen.picture import sky
from voxgen.picture.lattice import Floats
from voxgen.picture.mesher import NORMALS, Faces, exposed
from voxgen.picture.quality import QUALITIES, Quality
from voxgen.picture.style import Style
from voxgen.scene import Indices, Light, Material, Scene, View, VoxelGrid

SEAM = 0.16  # how much darker the seams between large voxels are
GROUND_GRAIN = 9  # pixels between two points of the ground, whose light is blurred anyway


class Setting:
    """A scene under one light, seen by one camera at a time.

    whole: the picture's width and height in pixels; grain: how many of them are one square of the style;
    size: width and height in such squares, which is what is drawn; scale: how many of them a voxel takes.
    """

    most_texels: int  # of all light maps together

    def __init__(
        self,
        scene: Scene,
        light: str | Light | None,
        view: str | View | None,
        size: tuple[int, int],
        style: Style,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.style, self.whole, self.tell = style, size, tell
        self.grid, self.low, self.used = cropped(scene.grid)
        self.outline = cameras.outline(self.grid)
        view = scene.view if view is None else view
        self.parallel: bool | None = None  # as the view says
        self.steady = False
        self.grain = cameras.pixel_grain(self.outline, view, size) if style.flat else 1
        self.size = cameras.coarse(size, self.grain)
        self.turn(view)
        chosen = Light(light) if isinstance(light, str) else light or scene.light
        self.sky = sky.resolve(chosen, cameras.aim(view)[0])
        self.faces = exposed(self.grid)

    def turn(self, view: str | View) -> None:
        """Look from somewhere else; the sun stays."""
        if self.style.flat and not self.steady:
            self.camera = cameras.pixel_camera(self.outline, view, self.whole, self.grain)
        else:
            self.camera = cameras.fit(self.outline, view, self.size, parallel=self.parallel)
        self.scale = self.camera.pixels_per_voxel(self.outline, self.size[1])

    def steady_camera(self, view: str | View | None) -> None:
        """Fit the camera once to the scene in every turn, so that it keeps its distance from now on."""
        self.outline = cameras.revolved(self.outline)
        self.parallel = self.style.flat or cameras.aim(view)[3]
        self.steady = True

    def steady_quality(self, quality: Quality) -> Quality:
        """Return what to spend on every picture of a series in which what is seen changes."""
        return quality

    def change(self, indices: Indices | None = None, light: sky.Sky | None = None) -> None:
        """Let something else stand there, (X, Y, Z) as the grid, or the light change; the camera stays."""
        if indices is not None:
            self.grid = VoxelGrid(indices, self.grid.palette)
            self.faces = exposed(self.grid)
        if light is not None:
            self.sky = light
        self.prepare()

    def prepare(self) -> None:
        """Get ready to trace: the grid, its faces or the sky are new."""
        raise NotImplementedError

    def affordable(self, faces: int, quality: Quality) -> Quality:
        """Return the quality, or the next lower one that is not too much for that many faces; tell so."""
        wanted = quality
        while (
            faces * (5 * self.parts(faces, quality) ** 2 + self.fewest * self.sky.lamp_effort) > quality.rays
        ):
            lower = QUALITIES[quality.instead]
            quality = replace(lower, edge=wanted.edge, parts=min(wanted.parts, lower.parts))
        if quality is not wanted and self.tell is not None:
            name = next(n for n, q in QUALITIES.items() if q.rays == quality.rays)
            self.tell(f"{faces:,} faces in sight are too many for this quality; drawn as {name}")
        return quality

    @property
    def fewest(self) -> int:
        """How many samples a face needs at least: one of few pixels hides its noise."""
        return int(np.clip(2.0 * self.scale, 4, 16))

    def parts(self, faces: int, quality: Quality) -> int:
        """Into how many parts a face is divided each way: as many as its size in the picture asks for."""
        parts = int(np.clip(round(self.scale / quality.grain), 1, quality.parts))
        while parts > 1 and faces * (parts + 1) ** 2 > self.most_texels:
            parts -= 1
        return parts

    def ground_side(self) -> int:
        """Return how many points the light of the ground has along each side."""
        return int(np.clip(2.5 * max(self.grid.size) * self.scale / GROUND_GRAIN, 96, 360))

    def sees_ground(self) -> bool:
        """Whether the camera looks down on the ground."""
        return bool(self.camera.eye[2] > 0 and self.camera.back[2] > 0.02)

    def seam(self) -> float:
        """Return how much darker seams between voxels are: not at all where they would look like noise."""
        return 0.0 if self.style.flat or self.style.rimmed else SEAM * min(max((self.scale - 7) / 12, 0), 1)

    def flattened(self, light: Floats) -> Floats:
        """Return light maps (n, side, side, 3) as the style has them: one value a face where it is flat."""
        if not self.style.flat:
            return light
        mean = light.mean(axis=(1, 2), keepdims=True)
        return np.broadcast_to(mean, (len(light), 2, 2, 3))

    def defocus(self, place: NDArray[Any]) -> Floats:
        """How far places (..., 3) lie before or behind the middle of the scene: 0 at the focus .. 1."""
        back = self.camera.back.astype(np.float32)
        along = (place - self.camera.eye.astype(np.float32)) @ -back
        ends = (self.outline - self.camera.eye) @ -self.camera.back
        focus, reach = 0.58 * ends.min() + 0.42 * ends.max(), max(float(np.ptp(ends)) / 2, 8.0)
        return np.asarray(np.clip((np.abs(along - focus) / reach - 0.12) / 0.8, 0, 1), np.float32)


def towards(faces: Faces, camera: cameras.Camera) -> NDArray[np.bool_]:
    """Which faces turn their front to the camera."""
    if camera.parallel:
        return np.asarray((NORMALS @ camera.back > 0)[faces.direction])
    axis, side = faces.direction >> 1, faces.direction & 1
    plane = np.take_along_axis(faces.voxel, axis[:, None], axis=1)[:, 0] + side
    beyond = camera.eye[axis] - plane
    return np.asarray(np.where(side == 1, beyond > 0, beyond < 0))


def cropped(grid: VoxelGrid) -> tuple[VoxelGrid, NDArray[np.intp], NDArray[np.intp]]:
    """Return the occupied part of a grid with only the materials it uses, its low corner, those materials.

    Raises RenderError when nothing is occupied.
    """
    if not grid.indices.any():
        raise RenderError("the scene is empty", "nothing was built, so there is nothing to draw")
    low, high = grid.bounds()
    box = grid.indices[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
    present = np.zeros(len(grid.palette), bool)
    for layer in box:
        present[layer] = True
    present[0] = True
    used = np.flatnonzero(present)
    number = np.zeros(len(grid.palette), np.uint8 if len(used) <= 256 else np.uint16)
    number[used] = np.arange(len(used))
    palette: tuple[Material, ...] = tuple(_sane(grid.palette[i]) for i in used)
    return VoxelGrid(np.ascontiguousarray(number[box]), palette), low, used


def _sane(material: Material) -> Material:
    """Return a material with its numbers in range; what is no number becomes the usual one."""

    def between(value: float, most: float, usual: float) -> float:
        return min(max(value, 0.0), most) if value == value else usual

    opacity = between(material.opacity, 1.0, 1.0)
    return replace(
        material,
        opacity=1.0 if opacity > 0.99 else opacity,  # as the shaders take it
        glow=between(material.glow, 8.0, 0.0),
        metal=between(material.metal, 1.0, 0.0),
    )
