"""What the camera saw → pixels: tone mapped, over its background, with stars, bloom and a shallow focus."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import UsageError
from voxgen.picture import tone
from voxgen.picture.sky import Sky

Floats = NDArray[np.float32]

SHADE = 0.46  # power of the ground's light on the sRGB background: a little above the 1 / 2.4 of nature
TRANSPARENT = "transparent"
BAND = 32  # rows developed at a time: they stay in the processor's cache
SHALLOW = 0.006  # radius of the widest blur of a shallow focus, in frame heights


@dataclass(frozen=True, slots=True, eq=False)
class Shots:
    """What the camera saw, each averaged over the samples of a pixel, row 0 at the top.

    scene: (H, W, 4), bounded radiance c / (1 + max c) times cover, and cover.
    ground: (H, W, 3), light relative to open ground, or None where no ground is seen.
    glow: (H, W, 4), as scene, of what glows alone, or None.
    defocus: (H, W), how far from the focus, 0 sharp .. 1; None where everything is sharp.
    """

    scene: Floats
    ground: Floats | None = None
    glow: Floats | None = None
    defocus: Floats | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.scene.shape[1], self.scene.shape[0]


def check_background(background: str | None) -> None:
    """Raise UsageError unless a background is None, transparent, a colour or two of them."""
    if background is not None and background.strip().lower() != TRANSPARENT:
        _colors(background)


def develop(shots: Shots, sky: Sky, background: str | None = None) -> NDArray[np.uint8]:
    """Make the picture: (H, W, 3) uint8 sRGB, or (H, W, 4) with straight alpha where nothing is behind.

    background: None is the light's own sky, "transparent" nothing; else a colour by hex or CSS name, or
    two of them, "TOP,BOTTOM", for a gradient.
    """
    width, height = shots.size
    clear = background is not None and background.strip().lower() == TRANSPARENT
    haze = _haze(shots, sky)
    blurred = None if shots.defocus is None else _defocused(_toned(shots.scene), shots.defocus)
    out = np.zeros((height, width, 3 + clear), np.uint8)

    def develop_band(start: int) -> None:
        rows = range(start, min(start + BAND, height))
        band = slice(rows.start, rows.stop)
        scene = _toned(shots.scene[band]) if blurred is None else blurred[band]
        ground = None if shots.ground is None else shots.ground[band]
        near = None if haze is None else haze[band]
        if clear:
            out[band] = _bytes(_cut_out(scene, ground, near))
        else:
            behind = _backdrop(sky, background, shots.size, rows, ground)
            out[band] = _bytes(_laid_over(scene, near, behind))

    with ThreadPoolExecutor() as pool:
        list(pool.map(develop_band, range(0, height, BAND)))
    return out


def _toned(scene: Floats) -> Floats:
    """Tone map (H, W, 4) of Shots where anything is seen: sRGB 0..1 times cover, and cover."""
    covered = np.flatnonzero(scene[..., 3])
    seen = scene.reshape(-1, 4)[covered]
    cover = seen[:, 3:]
    out = np.zeros(scene.shape, np.float32)
    out.reshape(-1, 4)[covered] = np.concatenate([tone.tone_map(_unbounded(seen)) * cover, cover], axis=-1)
    return out


def _backdrop(
    sky: Sky, background: str | None, size: tuple[int, int], rows: range, ground: Floats | None
) -> Floats:
    """Return some rows of what is behind the scene and its shadow on it, (rows, W, 3) sRGB 0..1."""
    width, height = size
    image: Floats
    if background is None:
        image = tone.gradient(sky.top, sky.bottom, size, rows)
    else:
        top, bottom = _colors(background)
        ramp = np.linspace(0, 1, height, dtype=np.float32)[rows.start : rows.stop, None, None]
        image = np.broadcast_to(top + (bottom - top) * ramp, (len(rows), width, 3))
    if ground is not None:
        image = image * _ground_light(ground, image)
    return tone.add_stars(image, sky.stars, height, rows) if sky.stars and background is None else image


def _laid_over(scene: Floats, haze: Floats | None, behind: Floats) -> Floats:
    """Lay a scene over its background: (H, W, 3) sRGB 0..1."""
    image = scene[..., :3] + behind * (1 - scene[..., 3:])
    return image if haze is None else image + (1 - image) * haze


def _cut_out(scene: Floats, ground: Floats | None, haze: Floats | None) -> Floats:
    """Put a scene over nothing, (H, W, 4): its shadow becomes see-through black, its glow a haze."""
    color, cover = scene[..., :3], scene[..., 3:]
    if ground is not None:
        light = tone.peak(_ground_light(np.minimum(ground, np.float32(1)), color))
        cover = cover + (1 - cover) * (1 - light)
    if haze is not None:
        color = color + (1 - color) * haze
        cover = cover + (1 - cover) * tone.peak(haze)
    return np.concatenate([color / np.maximum(cover, np.float32(1e-4)), cover], axis=-1)


def _bytes(image: Floats) -> NDArray[np.uint8]:
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _ground_light(ratio: Floats, behind: Floats) -> Floats:
    """Turn light relative to open ground into a factor on sRGB; a bright background has no room to grow."""
    room = np.clip(0.15 / np.maximum(tone.peak(behind), np.float32(0.1)), 0, 1)
    lit = 1 + room * (ratio - 1) / (1 + (ratio - 1) / 14)
    return np.asarray(np.where(ratio > 1, lit, np.maximum(ratio, 0)) ** np.float32(SHADE), np.float32)


def _haze(shots: Shots, sky: Sky) -> Floats | None:
    """Return what glows spread over its surroundings: (H, W, 3), how far each pixel is lifted to white."""
    if shots.glow is None:
        return None
    width, height = shots.size
    bright = tone.peak(shots.glow)[..., 0] > 0
    out = np.zeros((height, width, 3), np.float32)
    reach = 4 * tone.bloom_reach(shots.size)
    low, high = [], []
    for axis, side in ((1, height), (0, width)):
        lit = np.flatnonzero(bright.any(axis=axis))
        if not len(lit):
            return None
        low.append(max(0, lit[0] - reach) // 4 * 4)
        high.append(min(side, lit[-1] // 4 * 4 + 4 + reach))
    piece = slice(low[0], high[0]), slice(low[1], high[1])
    small = tone.halved(tone.halved(shots.glow[piece]))
    glow = np.asarray(tone.tone_map(_unbounded(small)) * small[..., 3:], np.float32)
    out[piece] = tone.bloom(glow, sky.bloom, shots.size)[: high[0] - low[0], : high[1] - low[1]]
    return out


def _unbounded(image: Floats) -> Floats:
    """Undo the shaders' c / (1 + max c) and the cover they are multiplied with: (H, W, 4) -> (H, W, 3)."""
    color = np.asarray(image[..., :3] / np.maximum(image[..., 3:], np.float32(1e-4)), np.float32)
    return np.asarray(color / np.maximum(1 - tone.peak(color), np.float32(1e-3)), np.float32)


def _defocused(image: Floats, defocus: Floats) -> Floats:
    """Blur each pixel of (H, W, 4) by its own defocus: a mix of the two nearest of four copies."""
    widest = max(1.0, SHALLOW * image.shape[0])
    radii = [0, *(max(1, round(widest * share)) for share in (0.25, 0.5, 1.0))]
    cover = image[..., 3:]
    spread = tone.blur(np.concatenate([defocus[..., None] * cover, cover], axis=-1), 2 * radii[-1])
    level = np.where(cover > 0.5, defocus[..., None], spread[..., :1] / np.maximum(spread[..., 1:], 1e-3))
    level = np.clip(level, 0, 1).astype(np.float32) * np.float32(len(radii) - 1)
    out = np.zeros_like(image)
    for number, radius in enumerate(radii):
        weight = np.clip(1 - np.abs(level - np.float32(number)), 0, 1)
        out += weight * (tone.blur(image, radius) if radius else image)
    return out


def _colors(text: str) -> tuple[Floats, Floats]:
    """Read one colour or "TOP,BOTTOM" as sRGB 0..1, (3,) each."""
    from PIL import ImageColor

    parts = [text] if "(" in text else text.split(",")
    try:
        rgb = [ImageColor.getrgb(part.strip())[:3] for part in parts]
        colors: list[Floats] = [np.array(color, np.float32) / np.float32(255) for color in rgb]
    except ValueError:
        colors = []
    if not 1 <= len(colors) <= 2:
        hint = f"{TRANSPARENT}, a colour such as #e8f0ff or navy, or TOP,BOTTOM for a gradient"
        raise UsageError(f"{text[:40]!r} is not a background", hint)
    return colors[0], colors[-1]
