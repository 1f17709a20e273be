"""A scene as lit PyVista polygons, for any plotter or in a window of its own."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pyvista

from voxgen.errors import RenderError
from voxgen.picture import tone
from voxgen.picture.lightmap import atlas
from voxgen.picture.quality import quality_of
from voxgen.picture.renderer import check_look, choose
from voxgen.picture.stage import Stage, corners_of
from voxgen.scene import Light, Scene, View

PARTS = 4  # a face is divided into, at most: every face is lit, seen or not
SIZE = (1280, 960)  # of a window, in pixels


def to_pyvista(
    scene: Scene, *, light: str | Light | None = None, quality: str = "good"
) -> tuple[pyvista.PolyData, pyvista.Texture]:
    """Return every exposed face, lit, as quads, and the texture that goes on them.

    Show them with `plotter.add_mesh(mesh, texture=texture, lighting=False)`; positions are the grid's
    cells, and the cell array "material" holds palette indices. The sun stands where it flatters the
    scene's own view. Raises as `renderer.draw` does with "gl".
    """
    check_look(None, light, quality)
    choose("gl")
    stage = Stage(scene, light, None, SIZE)
    with closing(stage):
        mesh, texture = _lit(stage, quality)
    return mesh, texture


def check_display() -> None:
    """Raise RenderError where there is no display to open a window on."""
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in displays):
        raise RenderError("there is no display to open a window on", "leave out --show to save a picture")


def set_up(
    scene: Scene,
    *,
    light: str | Light | None = None,
    view: str | View | None = None,
    quality: str = "good",
    off_screen: bool = False,
) -> Any:
    """Return a pyvista.Plotter of the lit scene under its sky; its `show()` opens a window to turn it in.

    Raises as `renderer.draw` does with "gl".
    """
    check_look(view, light, quality)
    choose("gl")
    stage = Stage(scene, light, view, SIZE)
    with closing(stage):
        mesh, texture = _lit(stage, quality)
    plotter: Any = pyvista.Plotter(
        title=f"{scene.title} - voxgen", window_size=list(SIZE), off_screen=off_screen
    )
    plotter.set_background(stage.sky.bottom.tolist(), top=stage.sky.top.tolist())
    opacity = stage.volume.opacity[stage.faces.material]
    for share in sorted(set(opacity.tolist()), reverse=True):  # solid ones first
        part = mesh.extract_cells(opacity == share).extract_surface(algorithm=None)
        plotter.add_mesh(part, texture=texture, lighting=False, opacity=float(np.clip(share, 0.15, 1)))
    camera = stage.camera
    eye = camera.eye + stage.low
    plotter.camera_position = [eye, eye - camera.back * (camera.near + camera.far) / 2, camera.up]
    plotter.camera.view_angle = float(np.degrees(2 * np.arctan(camera.half)))
    return plotter


def _lit(stage: Stage, quality: str) -> tuple[pyvista.PolyData, pyvista.Texture]:
    """Light all faces of a stage: the quads and their texture."""
    budget = quality_of(quality)
    radiance = stage.radiance(stage.faces, replace(budget, parts=min(budget.parts, PARTS)))
    image, coords = atlas(tone.tone_map(radiance * np.float32(stage.sky.exposure)), stage.faces.direction)
    points: Any = (corners_of(stage.faces) + stage.low.astype(np.float32)).reshape(-1, 3)
    faces: Any = np.arange(len(points)).reshape(-1, 4)
    mesh = pyvista.PolyData.from_regular_faces(points, faces)
    mesh.active_texture_coordinates = coords.reshape(-1, 2)
    mesh.cell_data["material"] = stage.used[stage.faces.material]
    new_texture: Any = pyvista.Texture  # comes without types
    texture = new_texture(np.ascontiguousarray((image[::-1] * 255 + 0.5).astype(np.uint8)))
    texture.interpolate, texture.mipmap = True, False
    return mesh, texture
