"""Scene → frames: a turn around it, its growth step by step, a day from sunrise to night.

The camera keeps its distance, and what does not change is computed once: all light of a turn, a frame in
which nothing new appears. Noise is seeded by place, so it stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import UsageError
from voxgen.picture.camera import aim
from voxgen.picture.quality import Quality
from voxgen.picture.renderer import Drawing, check_look, check_size, choose, developed, set_stage
from voxgen.picture.sky import daylight
from voxgen.scene import Indices, Light, Scene, View

KINDS = ("spin", "buildup", "daylight")
FRAMES = 60  # where nothing is said
MOST_FRAMES, MOST_PIXELS = 2000, 600_000_000  # of all frames together
HELD = 0.15  # share of the frames of a build-up that show it finished
SIDE = 640, 480  # pixels

Image = NDArray[np.uint8]


def draw(
    scene: Scene,
    kind: str = "spin",
    *,
    frames: int = FRAMES,
    order: NDArray[np.uint16] | None = None,
    size: tuple[int, int] = SIDE,
    light: str | Light | None = None,
    view: str | View | None = None,
    quality: str = "draft",
    style: str = "clean",
    background: str | None = None,
    renderer: str = "auto",
    tell: Callable[[str], None] | None = None,
) -> Iterator[Image]:
    """Draw the frames of a moving picture, each (H, W, 3 or 4) uint8 as `renderer.draw` makes them.

    kind: "spin" turns once around the scene, from the view on; "buildup" lets it appear by the numbers of
    `order`, (X, Y, Z) as its grid, from low to high and each from below; "daylight" goes from sunrise to
    night, whatever the light. All else is as for a picture.
    Raises UsageError at once, RenderError before the first frame.
    """
    check(kind, frames, size)
    check_look(view, light, quality, style, background)
    chosen = choose(renderer)[0]

    def run() -> Iterator[Image]:
        stage, budget = set_stage(scene, size, light, [view], quality, style, background, chosen, tell)
        start = scene.view if view is None else view
        if kind == "spin":
            shots = _turn(stage, budget, start, frames)
        elif kind == "buildup":
            shots = _growth(stage, budget, order, frames)
        else:
            shots = _day(stage, budget, start, frames)
        yield from _developed(stage, shots, background)

    return run()


def check(kind: str, frames: int, size: tuple[int, int]) -> None:
    """Raise UsageError for an unknown kind of moving picture, or for too many or too large frames."""
    if kind not in KINDS:
        raise UsageError(f"{kind[:40]!r} is not a moving picture", f"one of {', '.join(KINDS)}")
    width, height = check_size(size)
    most = min(MOST_FRAMES, MOST_PIXELS // (width * height))
    if not 2 <= frames <= most:
        hint = f"2 to {most} frames of {width}x{height} pixels"
        raise UsageError(f"{frames} frame{'s' if frames != 1 else ''} cannot be drawn", hint)


def _developed(stage: Drawing, shots: Iterator[Any], background: str | None) -> Iterator[Image]:
    """Make pictures of shots; None shows the last one again."""
    image = np.zeros((0, 0, 3), np.uint8)
    try:
        for shot in shots:
            if shot is not None:
                image = developed(stage, shot, background)
            yield image
    finally:
        stage.close()


def _turn(stage: Drawing, budget: Quality, view: str | View, frames: int) -> Iterator[Any]:
    """Go once around, to the right."""
    azimuth, elevation, zoom, _ = aim(view)
    stage.steady_camera(view)
    around = [View(azimuth + 360 * i / frames, elevation, zoom) for i in range(frames)]
    yield from stage.shoot_all(around, budget)


def _growth(stage: Drawing, budget: Quality, order: NDArray[np.uint16] | None, frames: int) -> Iterator[Any]:
    """Let the scene appear; as many samples a point as the finished one has, so that nothing flickers."""
    whole = stage.grid.indices
    if order is None:
        order = np.zeros(whole.shape, np.uint16)
    else:
        order = order[tuple(slice(a, a + n) for a, n in zip(stage.low, whole.shape, strict=True))]
    growing = max(1, frames - round(frames * HELD))
    when = _schedule(order, whole, growing)
    budget = stage.steady_quality(budget)
    arriving = np.bincount(when[whole > 0], minlength=growing)
    for frame in range(frames):
        if frame >= growing or not arriving[frame]:
            yield None
            continue
        shown: Indices = whole * (when <= frame)
        stage.change(shown)
        yield stage.shoot(budget)


def _schedule(order: NDArray[np.uint16], whole: Indices, frames: int) -> NDArray[np.uint16]:
    """Return in which frame each cell appears, (X, Y, Z): steps take equally long, each from below."""
    steps, tall = int(order.max()) + 1, whole.shape[2]
    present = np.zeros((steps, tall), bool)
    for z in range(tall):
        present[order[:, :, z][whole[:, :, z] > 0], z] = True
    layers = present.sum(axis=1)
    number = np.cumsum(layers > 0) - 1  # of each step that shows
    time = number[:, None] + (np.cumsum(present, axis=1) - 1) / np.maximum(layers, 1)[:, None]
    last = float(time[present].max())
    first = np.rint(time / max(last, 1e-9) * (frames - 1)).clip(0, frames - 1).astype(np.uint16)
    when = np.zeros(whole.shape, np.uint16)
    for z in range(tall):
        when[:, :, z] = first[order[:, :, z], z]
    return when


def _day(stage: Drawing, budget: Quality, view: str | View, frames: int) -> Iterator[Any]:
    """Let the sun go over, as seen from the view."""
    azimuth, budget = aim(view)[0], stage.steady_quality(budget)
    for i in range(frames):
        stage.change(light=daylight(i / (frames - 1), azimuth))
        yield stage.shoot(budget)
