"""Where things may stand: an occupancy map, hills, curves, and the random choices that use them.

Everything is plain Python and draws only on `random.Random.random`, whose stream is the same in
every Python version, so a seed gives the same scene everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

SMALL_PLOT = 66  # cells: a narrower plot gets small trees and few things
T = TypeVar("T")
Point = tuple[float, float]
# The camera looks from the front right: unit vector on the ground from the scene towards it.
TOWARDS_VIEWER = (0.57, -0.82)
LOOKS_DOWN = 0.5  # cells the line of sight sinks a cell of ground


def pick(rng: Random, items: Sequence[T]) -> T:
    """Return one of the items."""
    return items[int(rng.random() * len(items))]


def between(rng: Random, low: float, high: float) -> float:
    """Return a number from low to high."""
    return low + (high - low) * rng.random()


def roll(rng: Random, low: int, high: int) -> int:
    """Return a whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def shuffled(rng: Random, items: Sequence[T]) -> list[T]:
    """Return the items in random order."""
    return [item for _, _, item in sorted((rng.random(), i, item) for i, item in enumerate(items))]


@dataclass
class Plot:
    """The ground of a scene seen from above: which cells are taken, and how high it is.

    taken: one byte a cell, row by row: 0 free, 1 taken.
    hills: (x, y, radius along x, radius along y, height) of hills on the flat ground, flat on top.
    inside: says whether a cell is at least so many cells from the rim.
    """

    width: int
    depth: int
    level: int  # z of the flat surface
    inside: Callable[[float, float, float], bool]
    taken: bytearray = field(init=False)
    hills: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    screens: list[tuple[float, float, float, float]] = field(default_factory=list)  # x, y, radius, height
    crowns: list[tuple[float, float, float]] = field(default_factory=list)  # x, y, radius of what is tall
    trails: list[list[Point]] = field(default_factory=list)  # the middle lines of the paths
    zones: dict[str, Callable[[float, float], bool]] = field(default_factory=dict)  # beach, sea, water

    def __post_init__(self) -> None:
        self.taken = bytearray(self.width * self.depth)

    def spans(self, x: float, y: float, radius: float) -> Iterator[tuple[int, int]]:
        """Yield a disc, clipped to the plot, as runs (start, stop) of indices into `taken`, one a row."""
        limit = (radius + 0.3) ** 2
        for row in range(
            max(0, math.ceil(y - radius - 0.3)), min(self.depth, math.floor(y + radius + 0.3) + 1)
        ):
            reach = math.sqrt(max(0.0, limit - (row - y) ** 2))
            first, last = max(0, math.ceil(x - reach)), min(self.width - 1, math.floor(x + reach))
            if first <= last:
                yield row * self.width + first, row * self.width + last + 1

    def busy(self, x: float, y: float, radius: float) -> bool:
        """Say whether anything stands on a disc."""
        return any(self.taken.find(1, start, stop) >= 0 for start, stop in self.spans(x, y, radius))

    def claim(self, x: float, y: float, radius: float) -> None:
        """Mark a disc as taken."""
        for start, stop in self.spans(x, y, radius):
            self.taken[start:stop] = b"\1" * (stop - start)

    def claim_box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Mark a rectangle as taken, both corners included."""
        for row in range(max(0, round(y0)), min(self.depth, round(y1) + 1)):
            for column in range(max(0, round(x0)), min(self.width, round(x1) + 1)):
                self.taken[row * self.width + column] = 1

    def claim_oval(self, x: float, y: float, rx: float, ry: float) -> None:
        """Mark an oval with these radii as taken."""
        for row in range(max(0, int(y - ry)), min(self.depth, int(y + ry) + 2)):
            for column in range(max(0, int(x - rx)), min(self.width, int(x + rx) + 2)):
                if ((column - x) / rx) ** 2 + ((row - y) / ry) ** 2 <= 1:
                    self.taken[row * self.width + column] = 1

    def free(self, x: float, y: float, radius: float) -> bool:
        """Say whether a disc lies on the plot and nothing stands there."""
        middle = round(y) * self.width + round(x)
        if not 0 <= middle < len(self.taken) or self.taken[middle]:
            return False
        return self.inside(x, y, radius) and not self.busy(x, y, radius)

    def rise(self, x: float, y: float) -> float:
        """Return how far the hills lift the ground above its level."""
        lift = 0.0
        for cx, cy, rx, ry, height in self.hills:
            lift += height * min(1.0, 1.7 * math.exp(-(((x - cx) / rx) ** 2) - ((y - cy) / ry) ** 2))
        return lift

    def surface(self, x: float, y: float, radius: float = 0) -> int:
        """Return z of the lowest surface cell within the radius."""
        around = [(x + dx * radius, y + dy * radius) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        return self.level + math.floor(round(min(self.rise(*p) for p in around), 6))

    def hides(self, x: float, y: float, radius: float, height: float) -> bool:
        """Say whether something this wide and tall would stand between the viewer and what matters."""
        for sx, sy, screen_radius, screen_height in self.screens:
            along = (x - sx) * TOWARDS_VIEWER[0] + (y - sy) * TOWARDS_VIEWER[1]
            across = abs((x - sx) * -TOWARDS_VIEWER[1] + (y - sy) * TOWARDS_VIEWER[0])
            reach = 2 + 1.5 * max(0.0, height - 0.3 * screen_height)
            if 0 < along < screen_radius + reach and across < screen_radius * 0.8 + radius * 0.6:
                return True
        return False

    def clear_above(self, x: float, y: float, radius: float) -> bool:
        """Say whether a crown of this radius would touch no other crown and no building."""
        return all((x - a) ** 2 + (y - b) ** 2 > (0.84 * (radius + r)) ** 2 for a, b, r in self.crowns)

    def find(
        self, rng: Random, radius: float, zone: Zone, height: float = 0, crown: float = 0, tries: int = 40
    ) -> Point | None:
        """Return a free place in the zone for something with this foot, height and crown, or None."""
        for _ in range(tries):
            x = between(rng, zone[0], zone[2]) * (self.width - 1)
            y = between(rng, zone[1], zone[3]) * (self.depth - 1)
            if not self.free(x, y, radius) or (height and self.hides(x, y, crown or radius, height)):
                continue
            if not crown or self.clear_above(x, y, crown):
                return round(x), round(y)
        return None


Zone = tuple[float, float, float, float]  # x0, y0, x1, y1 as shares of the plot


def smooth(points: Sequence[Point], parts: int = 12) -> list[Point]:
    """Return points along the Catmull-Rom curve through the given ones, as `"curve": true` draws it."""
    if len(points) < 3:
        (x0, y0), (x1, y1) = points[0], points[-1]
        return [(x0 + (x1 - x0) * i / parts, y0 + (y1 - y0) * i / parts) for i in range(parts + 1)]
    ends = [_beyond(points[0], points[1]), *points, _beyond(points[-1], points[-2])]
    curve = []
    for p0, p1, p2, p3 in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for i in range(parts):
            t = i / parts
            curve.append(tuple(_spline(a, b, c, d, t) for a, b, c, d in zip(p0, p1, p2, p3, strict=True)))
    return [(c[0], c[1]) for c in curve] + [points[-1]]


def _beyond(end: Point, inner: Point) -> Point:
    return 2 * end[0] - inner[0], 2 * end[1] - inner[1]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
