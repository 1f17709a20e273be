"""Several views of one scene on one labelled sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from voxgen.errors import UsageError
from voxgen.picture import camera
from voxgen.scene import View

FEWEST, MOST = 4, 12
_ROUND = ("iso", "front", "right", "back", "left", "top", "150,26", "-90,50", "-30,26", "30,60", "210,26")
# pixel art already turns the scene's own view to a corner
_CORNERS = ("135,30", "225,30", "-45,30", *_ROUND[1:6], "150,26", "-90,50", "30,60")
Image8 = NDArray[np.uint8]


def views(count: int, own: View, *, corners: bool = False) -> list[str | View]:
    """Return the views of a sheet: the scene's own first, then around it; corners: only those of pixel art.

    Raises UsageError unless count is 4 to 12.
    """
    if not FEWEST <= count <= MOST:
        raise UsageError(f"a sheet of {count} views cannot be laid out", f"{FEWEST} to {MOST} views")
    around = _CORNERS if corners else _ROUND
    return [own, *around[: count - 1]]


def cells(count: int, size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """Return how many columns a sheet of (width, height) pixels has, and the size of one view."""
    columns = math.ceil(math.sqrt(count))
    return columns, (size[0] // columns, size[1] // -(-count // columns))


def lay_out(pictures: Iterable[Image8], labels: Iterable[str], columns: int) -> Image8:
    """Put pictures of one size (H, W, 3 or 4) into rows, each with its label: one picture of the kind."""
    labelled = [_labelled(picture, label) for picture, label in zip(pictures, labels, strict=True)]
    blank = np.zeros_like(labelled[0])
    if blank.shape[2] == 3:
        blank[:] = labelled[-1][0, 0]
    labelled += [blank] * (-len(labelled) % columns)
    rows = [np.concatenate(labelled[i : i + columns], axis=1) for i in range(0, len(labelled), columns)]
    return np.concatenate(rows)


def label(view: str | View) -> str:
    """Return what is written on a view: its name, or where it looks from."""
    if isinstance(view, str) and view in camera.VIEWS:
        return view
    azimuth, elevation, _, _ = camera.aim(view)
    return f"{azimuth:g}°, {elevation:g}°"


def _labelled(picture: Image8, text: str) -> Image8:
    image = Image.fromarray(picture).convert("RGBA")
    points = max(11, round(picture.shape[0] / 28))
    layer = Image.new("RGBA", image.size)
    ImageDraw.Draw(layer).text(
        (points * 0.7, points * 0.5),
        text,
        "white",
        ImageFont.load_default(points),
        stroke_width=max(1, points // 9),
        stroke_fill="#00000066",
    )
    image.alpha_composite(layer)
    return np.asarray(image if picture.shape[2] == 4 else image.convert("RGB"))
