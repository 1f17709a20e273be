"""From light to pixels: sRGB, tone mapping, background, stars and bloom (numpy only)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Image = NDArray[np.float32]

# Bright colours are compressed in a space whose channels are mixed a little, so that they run towards
# white instead of shifting in hue: the idea of T. Sobotka's AgX. Below SHOULDER nothing is compressed:
# there the picture shows the palette's own colours.
MIX = 0.05
SHOULDER = 0.6
VIVIDNESS = 1.04
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_MIXED = ((1 - 3 * MIX) * np.eye(3) + MIX).astype(np.float32)
_UNMIXED = np.linalg.inv(_MIXED).astype(np.float32)


def to_linear(srgb: NDArray[Any]) -> NDArray[Any]:
    """SRGB 0..1 -> linear light 0..1 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: NDArray[Any]) -> NDArray[Any]:
    """Linear light -> sRGB, negative light as 0."""
    linear = np.maximum(linear, 0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


_SRGB = to_srgb(np.linspace(0, 1, 1 << 14)).astype(np.float32)  # the curve as a table, many times faster


def tone_map(light: NDArray[Any]) -> Image:
    """Exposed linear light (..., 3), any brightness -> sRGB 0..1 float32; a lit white is about 1."""
    x = np.maximum(light.astype(np.float32), 0)
    grey = (x @ _LUMA)[..., None]
    x = np.maximum(grey + np.float32(VIVIDNESS) * (x - grey), 0)
    x = x @ _MIXED
    room = np.float32(1 - SHOULDER)
    np.copyto(x, 1 - room * np.exp((SHOULDER - np.maximum(x, SHOULDER)) / room), where=x > SHOULDER)
    x = x @ _UNMIXED
    return np.asarray(_SRGB[(np.clip(x, 0, 1) * (len(_SRGB) - 1) + 0.5).astype(np.int32)], np.float32)


def peak(image: Image) -> Image:
    """Return the largest channel of (..., 3) as (..., 1); a reduction over so short an axis is slow."""
    largest: Image = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
    return largest[..., None]


def gradient(top: Doubles, bottom: Doubles, size: tuple[int, int], rows: range | None = None) -> Image:
    """Background (H, W, 3) sRGB 0..1 between two colours, row 0 at the top; a little darker far out.

    rows: which of the picture's rows, all of them by default.
    """
    width, height = size
    rows = rows or range(height)
    y = np.linspace(0, 1, height, dtype=np.float32)[rows.start : rows.stop]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    ramp = (3 * y**2 - 2 * y**3)[:, None, None]
    image = (top + (bottom - top) * ramp).astype(np.float32)
    distance = ((x**2 * np.float32(1.1))[None, :] + ((y - np.float32(0.45)) ** 2)[:, None]) / np.float32(0.6)
    shade = np.float32(1.03) - np.float32(0.13) * np.minimum(distance, np.float32(1.5))
    return np.minimum(image * shade[..., None], np.float32(1))


def add_stars(image: Image, strength: float = 1.0, height: int = 0, rows: range | None = None) -> Image:
    """Scatter stars over the upper part of a picture (H, W, 3), always the same ones; strength 0..1.

    Where the image is only some rows of a picture, its height and which of its rows they are.
    """
    height, width = height or len(image), image.shape[1]
    rows = rows or range(height)
    count = int(np.clip(height * width / 3800, 40, 320))
    number = np.arange(1, 5 * count + 1, dtype=np.uint64).reshape(count, 5).T
    noise = (_mixed(number) >> np.uint64(11)).astype(np.float64) / 2**53  # (5, stars)
    y = (noise[0] ** 1.4 * height * 0.8).astype(int)
    x = (noise[1] * width).astype(int)
    glow = (noise[2] ** 4 * 0.85 + 0.08) * (1 - y / height)
    tint = np.stack([0.85 + 0.15 * noise[3], np.full(count, 0.93), 0.85 + 0.15 * noise[4]], -1)
    light = (strength * glow[:, None] * tint).astype(np.float32)
    out = image.copy()
    side = max(1, round(height / 700))
    for dy in range(side):
        for dx in range(side):
            row, column = np.minimum(y + dy, height - 1), np.minimum(x + dx, width - 1)
            here = (row >= rows.start) & (row < rows.stop)
            out[row[here] - rows.start, column[here]] += light[here]
    return np.clip(out, 0, 1)


def _mixed(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash integers: the SplitMix64 finisher (Steele, Lea & Flood, 2014)."""
    with np.errstate(over="ignore"):
        z = number * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def bloom(glow: Image, strength: float, size: tuple[int, int]) -> Image:
    """Spread what glows: (4 h, 4 w, 3), how far each pixel is lifted towards white, 0..1.

    glow: (h, w, 3) sRGB 0..1, a picture of that width and height halved twice, or a piece of it with
    `bloom_reach` dark pixels around.
    """
    narrow, wide = _bloom_radii(size)
    haze = 0.6 * blur(glow, narrow) + 0.9 * blur(glow, wide)
    haze = blur(haze.repeat(2, axis=0).repeat(2, axis=1), 1)
    haze = np.float32(strength) * haze.repeat(2, axis=0).repeat(2, axis=1)
    return np.clip(haze, 0, 1, out=haze)


def bloom_reach(size: tuple[int, int]) -> int:
    """How far light is spread in a picture of that width and height, in pixels of its quarter."""
    return 3 * _bloom_radii(size)[1] + 2  # three filters; and one of half a pixel, three times


def _bloom_radii(size: tuple[int, int]) -> tuple[int, int]:
    return max(1, size[1] // 880), max(2, size[1] // 200)


def halved(image: Image) -> Image:
    """Average 2 x 2 pixels of (H, W, C); an odd edge repeats."""
    height, width, _ = image.shape
    image = np.pad(image, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")
    return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / np.float32(4)


def blur(image: Image, radius: int) -> Image:
    """Blur (H, W, C) by three box filters, close to a Gaussian; edges repeat."""
    for _ in range(3):
        for axis in (0, 1):
            pad = [(radius + 1, radius) if a == axis else (0, 0) for a in range(3)]
            total = np.cumsum(np.pad(image, pad, mode="edge"), axis=axis, dtype=np.float64)
            high, low = [slice(None)] * 3, [slice(None)] * 3
            high[axis], low[axis] = slice(2 * radius + 1, None), slice(None, -2 * radius - 1)
            image = ((total[tuple(high)] - total[tuple(low)]) / (2 * radius + 1)).astype(np.float32)
    return image
