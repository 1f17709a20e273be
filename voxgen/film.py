"""animate(): a scene in motion, frame by frame; a build-up asks the builder which step came when."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from voxgen.language import builder
from voxgen.picture import animation
from voxgen.scene import Light, Scene, View


def animate(
    scene: Scene,
    kind: str = "spin",
    *,
    frames: int = animation.FRAMES,
    size: tuple[int, int] = animation.SIDE,
    light: str | Light | None = None,
    view: str | View | None = None,
    quality: str = "draft",
    style: str = "clean",
    background: str | None = None,
    renderer: str = "auto",
    tell: Callable[[str], None] | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Draw a scene in motion: an iterator of frames, each (H, W, 3 or 4) uint8 sRGB as `render` makes them.

    kind: "spin" turns once around; "buildup" lets its steps appear in the order the model wrote them, or
    layers from below where no document is known; "daylight" goes from sunrise to night. size, light, view,
    quality, style, background, renderer, tell: as for `render`.
    Raises UsageError at once, RenderError before the first frame.
    """
    animation.check(kind, frames, size)
    return animation.draw(
        scene,
        kind,
        frames=frames,
        order=builder.order_of(scene) if kind == "buildup" else None,
        size=size,
        light=light,
        view=view,
        quality=quality,
        style=style,
        background=background,
        renderer=renderer,
        tell=tell,
    )
