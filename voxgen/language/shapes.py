"""Geometry: where a step draws, as a box and a test for the cells inside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.language import chance

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Inside = Callable[[Floats, Floats, Floats], Mask]  # open coordinates (X,1,1) (1,Y,1) (1,1,Z) → broadcastable
Point = Sequence[float]

_FAT = 0.35  # added to radii, so that a ball of radius 2 is round and not a cross
_THIN = 0.6  # up to this radius a line is drawn as single cells
_CURVE_STEPS = 12  # straight pieces between two points of a curve
_REACH = 1 << 20  # no corner lies further out than this


@dataclass(frozen=True, slots=True)
class Shape:
    """A box of cells, both corners included, and which of them belong; `inside` None means all.

    work: array operations a cell, for keeping temporaries small.
    """

    low: tuple[int, int, int]
    high: tuple[int, int, int]
    inside: Inside | None = None
    work: int = 8


def cell(v: float) -> int:
    """Round a coordinate to the nearest cell, halves up, after the language's 9 decimals."""
    if not math.isfinite(v):
        raise ValueError(f"{v} is not a coordinate")
    return math.floor(round(max(-_REACH, min(_REACH, float(v))), 9) + 0.5)


def corners(a: Point, b: Point) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Sort two corners of a box into the low and the high one, as cells."""
    pairs = [sorted((cell(p), cell(q))) for p, q in zip(a, b, strict=True)]
    return (pairs[0][0], pairs[1][0], pairs[2][0]), (pairs[0][1], pairs[1][1], pairs[2][1])


def outward(a: Point, b: Point) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Sort two corners and round them to the smallest box of whole cells around both."""
    pairs = [sorted(pair) for pair in zip(a, b, strict=True)]
    return _around([p[0] for p in pairs], [p[1] for p in pairs])


def _around(low: Point, high: Point) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the smallest box of whole cells around fractional corners."""
    lows = [cell(math.floor(round(v, 9))) for v in low]
    highs = [cell(math.ceil(round(v, 9))) for v in high]
    return (lows[0], lows[1], lows[2]), (highs[0], highs[1], highs[2])


def box(a: Point, b: Point, hollow: float = 0, walls: float = 0) -> Shape:
    """Return a box; `hollow` keeps a shell that thick, `walls` only its four sides."""
    low, high = corners(a, b)
    thickness = hollow or walls
    if not thickness:
        return Shape(low, high)

    def inside(x: Floats, y: Floats, z: Floats) -> Mask:
        sides = [(x, 0), (y, 1)] if walls and not hollow else [(x, 0), (y, 1), (z, 2)]
        shell: Mask = np.zeros((1, 1, 1), bool)
        for c, axis in sides:
            shell = shell | (c - low[axis] < thickness) | (high[axis] - c < thickness)
        return shell

    return Shape(low, high, inside)


def ellipsoid(center: Point, radii: Point, hollow: float = 0, keep: str = "") -> Shape:
    """Return a ball or ellipsoid; `keep` "top" or "bottom" halves it at its centre."""
    outer = [abs(r) + _FAT for r in radii]
    inner = [abs(r) + _FAT - hollow for r in radii]
    low, high = _around(
        [c - abs(r) for c, r in zip(center, radii, strict=True)],
        [c + abs(r) for c, r in zip(center, radii, strict=True)],
    )
    if keep == "top":
        low = (low[0], low[1], math.ceil(round(center[2], 9)))
    elif keep == "bottom":
        high = (high[0], high[1], math.floor(round(center[2], 9)))

    def within(radii: list[float], *coordinates: Floats) -> Mask:
        total: Floats = np.zeros((1, 1, 1))
        for c, middle, r in zip(coordinates, center, radii, strict=True):
            total = total + ((c - middle) / r) ** 2
        return total <= 1.0 + 1e-9

    def inside(x: Floats, y: Floats, z: Floats) -> Mask:
        ball = within(outer, x, y, z)
        if hollow and min(inner) > 0:
            ball = ball & ~within(inner, x, y, z)
        return ball

    return Shape(low, high, inside)


def cylinder(
    base: Point,
    radii: tuple[float, float],
    height: float,
    top: float | None = None,
    axis: str = "z",
    hollow: float = 0,
) -> Shape:
    """Return an upright or lying cylinder, cone or tube.

    base: centre of the first disc. radii: along the two axes across, in the order x, y, z. height: in
    cells, negative runs the other way. top: radius at the far end (None: as at the base).
    hollow: thickness of the wall; the ends stay open.
    """
    along = "xyz".index(axis)
    across = [a for a in range(3) if a != along]
    length = max(1, abs(cell(height)))
    start = cell(base[along])
    far = start + (length - 1 if height >= 0 else 1 - length)
    near_radii = abs(radii[0]), abs(radii[1])
    far_radii = near_radii
    if top is not None:
        far_radii = abs(top), abs(top) * (near_radii[1] / near_radii[0] if near_radii[0] else 1.0)
    low, high = [0.0] * 3, [0.0] * 3
    low[along], high[along] = min(start, far), max(start, far)
    for a, r0, r1 in zip(across, near_radii, far_radii, strict=True):
        low[a], high[a] = base[a] - max(r0, r1), base[a] + max(r0, r1)
    corner_low, corner_high = _around(low, high)

    def inside(x: Floats, y: Floats, z: Floats) -> Mask:
        c = (x, y, z)
        t = np.clip(np.abs(c[along] - start) / max(length - 1, 1), 0.0, 1.0)
        outer: Floats = np.zeros((1, 1, 1))
        inner: Floats = np.zeros((1, 1, 1))
        thick: Mask = np.zeros((1, 1, 1), bool)  # where the wall leaves no room inside
        for a, r0, r1 in zip(across, near_radii, far_radii, strict=True):
            r = r0 + (r1 - r0) * t + _FAT
            distance = (c[a] - base[a]) ** 2
            outer = outer + distance / r**2
            inner = inner + distance / np.maximum(r - hollow, 1e-3) ** 2
            thick = thick | (r - hollow <= 0)
        solid: Mask = outer <= 1.0 + 1e-9
        return solid & ((inner > 1.0) | thick) if hollow else solid

    return Shape(corner_low, corner_high, inside)


def roof(a: Point, b: Point, along: str = "") -> Shape:
    """Return a gable roof with its ridge along "x" or "y", or a hip roof (a pyramid) without."""
    low, high = corners(a, b)
    rise = max(high[2] - low[2], 1)

    def inside(x: Floats, y: Floats, z: Floats) -> Mask:
        t = (z - low[2]) / rise
        result: Mask = np.ones((1, 1, 1), bool)
        for c, axis in ((x, 0), (y, 1)):
            if along != "xy"[axis]:
                inset = np.minimum(c - low[axis], high[axis] - c)
                result = result & (inset >= np.floor(t * ((high[axis] - low[axis]) / 2) + 1e-9))
        return result

    return Shape(low, high, inside)


def terrain_heights(x: Floats, y: Floats, scale: float, seed: int) -> Floats:
    """Return rolling hills 0..1: three octaves of value noise, the middle stretched a little."""
    total: Floats = np.zeros((1, 1, 1))
    for octave, share in enumerate((4.0, 2.0, 1.0)):
        size = max(scale / 2**octave, 1e-3)
        total = total + share / 7.0 * chance.noise(x / size, y / size, 0.0, seed + 101 * octave)
    stretched: Floats = np.clip((total - 0.5) * 1.5 + 0.5, 0.0, 1.0)
    return stretched


def terrain(a: Point, b: Point, scale: float, seed: int) -> tuple[Shape, Shape]:
    """Return hills inside a box as two shapes: the body, and the cells of its surface."""
    low, high = corners(a, b)

    def surface(x: Floats, y: Floats) -> Floats:
        heights = terrain_heights(x - low[0], y - low[1], scale, seed)
        level: Floats = low[2] + np.floor(heights * (high[2] - low[2]) + 0.5)
        return level

    return (
        Shape(low, high, lambda x, y, z: z < surface(x, y), 40),
        Shape(low, high, lambda x, y, z: z == surface(x, y), 40),
    )


def drawing(codes: NDArray[np.uint8], at: tuple[int, int, int]) -> tuple[Shape, Inside]:
    """Return where a small (X, Y, Z) array of codes is not 0, and what it holds there."""

    def held(x: Floats, y: Floats, z: Floats) -> Any:
        i, j, k = (np.asarray(c - o).astype(np.intp) for c, o in zip((x, y, z), at, strict=True))
        return codes[i, j, k]

    high = (at[0] + codes.shape[0] - 1, at[1] + codes.shape[1] - 1, at[2] + codes.shape[2] - 1)
    return Shape(at, high, lambda x, y, z: held(x, y, z) != 0), held


def picture(codes: NDArray[np.uint8], code: int, at: tuple[int, int, int]) -> Shape:
    """Return the cells of a small (X, Y, Z) array of codes, its low corner at `at`, that hold `code`."""
    shape, held = drawing(codes, at)
    return Shape(shape.low, shape.high, lambda x, y, z: held(x, y, z) == code)


# --------------------------------------------------------------------------- lines


def smooth(points: Floats) -> Floats:
    """Return a smooth curve through (n, 3) points as many more points: a uniform Catmull-Rom spline."""
    if len(points) < 3:
        return points
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = (np.arange(_CURVE_STEPS) / _CURVE_STEPS)[:, None]
    pieces = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = (-p0 + 3 * p1 - 3 * p2 + p3) * (t * t * t) + (2 * p0 - 5 * p1 + 4 * p2 - p3) * (t * t)
        pieces.append(0.5 * (cubic + (p2 - p0) * t + 2 * p1))
    return np.vstack([*pieces, points[-1:]])


def line(points: Floats, width: float, taper: float, reach: tuple[Floats, Floats]) -> Iterator[Shape]:
    """Yield a thick polyline through (n, 3) points as many small shapes.

    width, taper: thickness in cells at the start and at the end. reach: the low and high corner beyond
    which nothing is drawn anyway, so that a line to the far end of the world costs nothing.
    """
    lengths = np.sqrt(((points[1:] - points[:-1]) ** 2).sum(1))
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    total = max(float(ends[-1]), 1e-9)
    for k in range(len(lengths)):
        a, b = points[k], points[k + 1]
        radii = [(width + (taper - width) * float(e) / total) / 2 for e in ends[k : k + 2]]
        widest = max(*radii, 0.5)
        span = _clip(a, b, reach[0] - widest - 1, reach[1] + widest + 1)
        if span is not None:
            yield from _segment(a, b, radii[0], radii[1], span)
    if len(points) == 1:
        yield ellipsoid(points[0].tolist(), [max(width / 2 - _FAT, 0.0)] * 3)


def _clip(a: Floats, b: Floats, low: Floats, high: Floats) -> tuple[float, float] | None:
    """Return the part t0..t1 of the segment a..b that lies in a box (Liang-Barsky), None if none does."""
    t0, t1 = 0.0, 1.0
    for start, step, lo, hi in zip(a, b - a, low, high, strict=True):
        if step == 0.0:
            if not lo <= start <= hi:
                return None
            continue
        near, far = sorted(((lo - start) / step, (hi - start) / step))
        t0, t1 = max(t0, near), min(t1, far)
    return (t0, t1) if t0 <= t1 else None


def _segment(a: Floats, b: Floats, ra: float, rb: float, span: tuple[float, float]) -> Iterator[Shape]:
    """Yield the shapes of one straight piece, cut so short that each box stays small."""
    reach = float(np.abs(b - a).max())
    stride = max(16.0, 4.0 * max(ra, rb))
    pieces = max(1, math.ceil(reach / stride))
    for k in range(math.floor(span[0] * pieces), min(pieces, math.floor(span[1] * pieces) + 1)):
        t0, t1 = k / pieces, (k + 1) / pieces
        r0, r1 = ra + (rb - ra) * t0, ra + (rb - ra) * t1
        yield _capsule(a + (b - a) * t0, a + (b - a) * t1, r0, r1)


def _capsule(a: Floats, b: Floats, ra: float, rb: float) -> Shape:
    d = b - a
    squared = float((d**2).sum())
    widest = max(ra, rb)
    if widest <= _THIN:
        return _thin(a, b)
    low, high = _around((np.minimum(a, b) - widest).tolist(), (np.maximum(a, b) + widest).tolist())

    def inside(x: Floats, y: Floats, z: Floats) -> Mask:
        along = (x - a[0]) * d[0] + (y - a[1]) * d[1] + (z - a[2]) * d[2]
        t = np.clip(along / squared, 0.0, 1.0) if squared else np.zeros((1, 1, 1))
        distance = (x - a[0] - t * d[0]) ** 2 + (y - a[1] - t * d[1]) ** 2 + (z - a[2] - t * d[2]) ** 2
        r = np.maximum(ra + (rb - ra) * t, 0.5)
        result: Mask = distance <= r**2 + 0.2
        return result

    return Shape(low, high, inside, 24)


def _thin(a: Floats, b: Floats) -> Shape:
    """Return a line of single cells: the nearest cell of points half a cell apart."""
    steps = max(1, math.ceil(2 * float(np.sqrt(((b - a) ** 2).sum()))))
    t = (np.arange(steps + 1) / steps)[:, None]
    cells = np.floor(np.round(a + (b - a) * t, 9) + 0.5).astype(np.int64)  # (n, 3)
    low, high = cells.min(0), cells.max(0)
    codes = np.zeros(high - low + 1, np.uint8)
    codes[tuple((cells - low).T)] = 1
    return picture(codes, 1, (int(low[0]), int(low[1]), int(low[2])))
