"""Scene → picture: path-traced light on textured quads, drawn off screen by PyVista's VTK, or without it.

    grid ─exposed─▶ faces ─visible─▶ those in sight
         ─light_faces─▶ light maps ─photograph─▶ Shots ─develop─▶ uint8

Solid faces carry their light map as a texture. Water, glass and metal add a mirrored ray a pixel. The
ground is a plane that only takes shadow and lamp light. VTK is imported only after `probe` found a
driver: without one it would end the process, and painter.py draws the same in numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import RenderError, UsageError
from voxgen.picture import camera, driver, tone
from voxgen.picture.sky import Sky
from voxgen.scene import Light, Scene, View

if TYPE_CHECKING:
    import pyvista

    from voxgen.picture.painter import Easel
    from voxgen.picture.stage import Stage
    from voxgen.picture.tone import Shots

Floats = NDArray[np.float32]

RENDERERS = ("auto", "gl", "soft")
MIN_SIDE, MAX_SIDE, MAX_PIXELS = 16, 8192, 40_000_000  # of a picture
SHADE = 0.46  # power of the ground's light on the sRGB background: a little above the 1 / 2.4 of nature
# sun: samples of the sun at each point; soft: at most so many of everything else
#   (painter.py sweeps light from a third as many sides)
# paths: samples of everything else in the whole picture, about; big scenes share them out
# parts: a face is divided into, at most; soft_parts: the same for everything but the sun
# grain: pixels that a part should span; edge: samples that a pixel has along each side
QUALITIES: dict[str, dict[str, int]] = {
    "draft": {"sun": 6, "soft": 96, "paths": 400_000, "parts": 2, "soft_parts": 1, "grain": 6, "edge": 2},
    "good": {"sun": 12, "soft": 384, "paths": 1_500_000, "parts": 6, "soft_parts": 1, "grain": 4, "edge": 2},
    "best": {
        "sun": 32,
        "soft": 1024,
        "paths": 16_000_000,
        "parts": 10,
        "soft_parts": 2,
        "grain": 3,
        "edge": 3,
    },
}


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
    background: str | None = None,
    renderer: str = "auto",
) -> NDArray[np.uint8]:
    """Draw a scene: (H, W, 3) uint8 sRGB, row 0 at the top.

    size: width and height in pixels. light: a name of LIGHTS or a Light; None is the scene's own.
    view: a name of camera.VIEWS, "AZ,EL[,ZOOM]" or a View; None is the scene's own. quality: draft,
    good or best. background: "#rrggbb" instead of the light's sky. renderer: "gl", "soft" (numpy, on any
    machine) or "auto", which is gl where there is a driver for it. The same call gives the same bytes.
    Raises UsageError for an argument out of range, RenderError when the scene is empty, or when "gl" was
    asked for and this machine has no driver.
    """
    steps, size, backdrop = _quality(quality), check_size(size), _color(background)
    if isinstance(view, str):
        camera.parse(view)
    stage = _stage(renderer)(scene, light, view, size)
    shots = stage.shoot(steps)
    stage.close()
    return develop(shots, stage.sky, backdrop)


def draw_views(
    scene: Scene,
    views: Sequence[str | View],
    *,
    size: tuple[int, int] = (640, 480),
    light: str | Light | None = None,
    quality: str = "good",
    background: str | None = None,
    renderer: str = "auto",
) -> Iterator[NDArray[np.uint8]]:
    """Draw a scene from several sides, one picture a view as `draw` would, its light traced only once.

    The sun stands where it flatters the first view and stays there. For turntables and sheets: after
    the first picture each further one takes a fraction of its time. Raises as `draw` does.
    """
    steps, size, backdrop = _quality(quality), check_size(size), _color(background)
    for view in views:
        camera.aim(view)
    if not views:
        return
    stage = _stage(renderer)(scene, light, views[0], size)
    for shots in stage.shoot_all(views, steps):
        yield develop(shots, stage.sky, backdrop)
    stage.close()


def to_pyvista(
    scene: Scene, *, light: str | Light | None = None, quality: str = "good"
) -> tuple[pyvista.PolyData, pyvista.Texture]:
    """Return every exposed face, lit, as quads, and the texture that goes on them.

    Show them with `plotter.add_mesh(mesh, texture=texture, lighting=False)`; positions are the grid's
    cells, and the cell array "material" holds palette indices. The sun stands where it flatters the
    scene's own view. Raises as `draw` does with renderer="gl".
    """
    steps = _quality(quality)
    choose("gl")
    import pyvista

    from voxgen.picture.lightmap import atlas
    from voxgen.picture.stage import Stage, corners_of

    stage = Stage(scene, light, None, (1280, 960))
    radiance = stage.radiance(stage.faces, {**steps, "parts": min(steps["parts"], 4)})
    stage.close()
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


def develop(shots: Shots, sky: Sky, backdrop: NDArray[np.float64] | None = None) -> NDArray[np.uint8]:
    """Tone map what the camera saw, over the sky or over one colour (3,) sRGB 0..1: (H, W, 3) uint8."""
    height, width = shots.scene.shape[:2]
    if backdrop is None:
        behind = tone.gradient(sky.top, sky.bottom, (width, height))
    else:
        behind = np.broadcast_to(backdrop.astype(np.float32), (height, width, 3))
    if shots.ground is not None:
        ratio = shots.ground
        room = np.clip(0.15 / np.maximum(tone.peak(behind), np.float32(0.1)), 0, 1)  # to grow brighter
        ratio = np.where(ratio > 1, 1 + room * (ratio - 1) / (1 + (ratio - 1) / 14), np.maximum(ratio, 0))
        behind = behind * ratio ** np.float32(SHADE)
    if sky.stars and backdrop is None:
        behind = tone.add_stars(behind)
    cover = shots.scene[..., 3:]
    image = tone.tone_map(_unbounded(shots.scene)) * cover + behind * (1 - cover)
    if shots.glow is not None:
        glow = tone.halved(tone.halved(shots.glow))
        image = tone.add_bloom(image, tone.tone_map(_unbounded(glow)) * glow[..., 3:], sky.bloom)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _unbounded(image: Floats) -> Floats:
    """Undo the shaders' c / (1 + max c) and the cover they are multiplied with: (H, W, 4) -> (H, W, 3)."""
    color = np.asarray(image[..., :3] / np.maximum(image[..., 3:], np.float32(1e-4)), np.float32)
    return np.asarray(color / np.maximum(1 - tone.peak(color), np.float32(1e-3)), np.float32)


def _stage(renderer: str) -> type[Stage] | type[Easel]:
    """Return what draws: the one place where the two ways part."""
    if choose(renderer)[0] == "gl":
        from voxgen.picture.stage import Stage

        return Stage
    from voxgen.picture.painter import Easel

    return Easel


def _quality(name: str) -> dict[str, int]:
    if name not in QUALITIES:
        raise UsageError(f"{name!r} is not a quality", f"one of {', '.join(QUALITIES)}")
    return QUALITIES[name]


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return a picture's width and height in pixels; raises UsageError beyond what can be drawn."""
    width, height = (int(side) for side in size)
    if not (
        min(width, height) >= MIN_SIDE and max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS
    ):
        limit = f"{MIN_SIDE} to {MAX_SIDE} pixels a side, {MAX_PIXELS // 1_000_000} million in all"
        raise UsageError(f"a picture of {width}x{height} pixels cannot be drawn", limit)
    return width, height


def _color(text: str | None) -> NDArray[np.float64] | None:
    """Read "#rrggbb" or "#rgb" as sRGB 0..1, (3,)."""
    if text is None:
        return None
    digits = text.strip().removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * d for d in digits)
    if len(digits) != 6 or not all(d in "0123456789abcdefABCDEF" for d in digits):
        raise UsageError(f"{text[:40]!r} is not a background", "a colour such as #e8f0ff")
    number = int(digits, 16)
    return np.array([number >> 16, number >> 8 & 255, number & 255]) / 255
