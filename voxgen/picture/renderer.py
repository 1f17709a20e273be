"""Scene → picture: path-traced light on textured quads, drawn off screen by PyVista's VTK, or without it.

    grid ─exposed─▶ faces ─visible─▶ those in sight
         ─light_faces─▶ light maps ─photograph─▶ Shots ─develop─▶ uint8

Solid faces carry their light map as a texture. Water, glass and metal add a mirrored ray a pixel. The
ground is a plane that only takes shadow and lamp light. VTK is imported only after `probe` found a
driver: without one it would end the process, and painter.py draws the same in numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import RenderError, UsageError
from voxgen.picture import camera, darkroom, driver
from voxgen.picture.quality import Quality, quality_of
from voxgen.picture.style import style_of
from voxgen.scene import LIGHTS, Light, Scene, View

if TYPE_CHECKING:
    from voxgen.picture.painter import Easel
    from voxgen.picture.stage import Stage

Drawing: TypeAlias = "Stage | Easel"
RENDERERS = ("auto", "gl", "soft")
MIN_SIDE, MAX_SIDE, MAX_PIXELS = 16, 8192, 40_000_000  # of a picture


def probe() -> str | None:
    """Return None when OpenGL can draw on this machine, else one line that says what is missing."""
    return driver.probe().missing


def choose(renderer: str = "auto") -> tuple[str, str | None]:
    """Return "gl" or "soft" for one of RENDERERS, and what is missing where "auto" has to do without GL.

    Raises UsageError for another name, RenderError for "gl" where there is no driver.
    """
    if renderer not in RENDERERS:
        raise UsageError(f"{renderer[:40]!r} is not a renderer", f"one of {', '.join(RENDERERS)}")
    missing = None if renderer == "soft" else probe()
    if renderer == "gl" and missing is not None:
        raise RenderError("OpenGL cannot draw on this machine", missing)
    return ("gl", None) if renderer != "soft" and missing is None else ("soft", missing)


def draw(
    scene: Scene,
    *,
    size: tuple[int, int] = (1280, 960),
    light: str | Light | None = None,
    view: str | View | None = None,
    quality: str = "good",
    style: str = "clean",
    background: str | None = None,
    renderer: str = "auto",
    tell: Callable[[str], None] | None = None,
) -> NDArray[np.uint8]:
    """Draw a scene: (H, W, 3) uint8 sRGB, row 0 at the top; (H, W, 4) on a transparent background.

    size: width and height in pixels. light: a name of LIGHTS or a Light; None is the scene's own.
    view: a name of camera.VIEWS, "AZ,EL[,ZOOM]" or a View; None is the scene's own. quality: draft,
    good or best. style: a name of STYLES. background: a colour by hex or CSS name, two of them as
    "TOP,BOTTOM", or "transparent", instead of the light's sky. renderer: "gl", "soft" (numpy, on
    any machine) or "auto", which is gl where there is a driver for it. tell: is told in a sentence when
    the scene is too much for its quality and a lower one is used. The same call gives the same bytes.
    Raises UsageError for an argument out of range, RenderError when the scene is empty, or when "gl" was
    asked for and this machine has no driver.
    """
    stage, budget = set_stage(scene, size, light, [view], quality, style, background, renderer, tell)
    with closing(stage):
        shots = stage.shoot(budget)
    return developed(stage, shots, background)


def draw_views(
    scene: Scene,
    views: Sequence[str | View],
    *,
    size: tuple[int, int] = (640, 480),
    light: str | Light | None = None,
    quality: str = "good",
    style: str = "clean",
    background: str | None = None,
    renderer: str = "auto",
    tell: Callable[[str], None] | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Draw a scene from several sides, one picture a view as `draw` would, its light traced only once.

    The sun stands where it flatters the first view and stays there. For turntables and sheets: after
    the first picture each further one takes a fraction of its time. Raises as `draw` does.
    """
    if not views:
        return
    stage, budget = set_stage(scene, size, light, views, quality, style, background, renderer, tell)
    with closing(stage):
        for shots in stage.shoot_all(views, budget):
            yield developed(stage, shots, background)


def draw_sheet(
    scene: Scene,
    count: int,
    *,
    size: tuple[int, int] = (1280, 960),
    light: str | Light | None = None,
    quality: str = "good",
    style: str = "clean",
    background: str | None = None,
    renderer: str = "auto",
    tell: Callable[[str], None] | None = None,
) -> NDArray[np.uint8]:
    """Draw 4 to 12 labelled views of a scene on one sheet of about `size` pixels; see `draw`."""
    from voxgen.picture import sheet

    views = sheet.views(count, scene.view, corners=style_of(style).flat)
    columns, cell = check_sheet(count, size)
    pictures = draw_views(
        scene,
        views,
        size=cell,
        light=light,
        quality=quality,
        style=style,
        background=background,
        renderer=renderer,
        tell=tell,
    )
    return sheet.lay_out(pictures, map(sheet.label, views), columns)


def set_stage(
    scene: Scene,
    size: tuple[int, int],
    light: str | Light | None,
    views: Sequence[str | View | None],
    quality: str,
    style: str,
    background: str | None,
    renderer: str,
    tell: Callable[[str], None] | None,
) -> tuple[Drawing, Quality]:
    """Check every argument, then set the stage for the first of the views."""
    for view in views:
        check_look(view, light, quality, style, background)
    budget, size, look = quality_of(quality), check_size(size), style_of(style)
    if look.flat:
        budget = replace(budget, parts=1, edge=1)
    return _drawing_class(renderer)(scene, light, views[0], size, look, tell), budget


def _drawing_class(renderer: str) -> type[Drawing]:
    """Return what draws: the one place where the two ways part."""
    if choose(renderer)[0] == "gl":
        from voxgen.picture.stage import Stage

        return Stage
    from voxgen.picture.painter import Easel

    return Easel


def developed(stage: Drawing, shots: darkroom.Shots, background: str | None) -> NDArray[np.uint8]:
    """Make the picture, in square pixels where the style wants them."""
    image = darkroom.develop(shots, stage.sky, background)
    if stage.grain > 1:
        width, height = stage.whole
        image = image.repeat(stage.grain, axis=0).repeat(stage.grain, axis=1)[:height, :width]
    return image


def check_look(
    view: str | View | None = None,
    light: str | Light | None = None,
    quality: str = "good",
    style: str = "clean",
    background: str | None = None,
) -> None:
    """Raise UsageError for an argument of `draw` that makes no picture."""
    camera.aim(view)
    name = light.name if isinstance(light, Light) else light
    if name is not None and name not in LIGHTS:
        raise UsageError(f"{name!r} is not a light", f"one of {', '.join(LIGHTS)}")
    quality_of(quality)
    style_of(style)
    darkroom.check_background(background)


def check_sheet(count: int, size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """Return a sheet's columns and the size of one view; raises UsageError where that cannot be drawn."""
    from voxgen.picture import sheet

    width, height = check_size(size)
    columns, cell = sheet.cells(count, (width, height))
    if min(cell) < MIN_SIDE:
        raise UsageError(
            f"{count} views do not fit a sheet of {width}x{height} pixels", "make it larger, or take fewer"
        )
    return columns, cell


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return a picture's width and height in pixels; raises UsageError beyond what can be drawn."""
    width, height = (int(side) for side in size)
    if not (
        min(width, height) >= MIN_SIDE and max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS
    ):
        limit = f"{MIN_SIDE} to {MAX_SIDE} pixels a side, {MAX_PIXELS // 1_000_000} million in all"
        raise UsageError(f"a picture of {width}x{height} pixels cannot be drawn", limit)
    return width, height
