"""Where the cells of other formats are: points in any form → whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.language.mending.values import literal, point

__all__ = ["Points", "cell", "cell_array"]

MAX_SETTLED = 200_000  # cells between the cells of the grid that are sorted out one by one
FAR = 1 << 40  # coordinates beyond this mean nothing

Points = NDArray[np.int64]  # (n, 3)


def cell(value: Any) -> tuple[int, int, int] | None:
    """Return the cell of a point, halves rounded up; None where it is none or lies beyond all bounds."""
    if type(value) is not list or len(value) != 3 or not all(type(v) is int for v in value):
        found = point(value)
        numbers = [literal(v) for v in found] if found else []
        if len(numbers) != 3 or any(n is None for n in numbers):
            return None
        value = [math.floor(n + 0.5) for n in numbers if n is not None]
    x, y, z = value
    return (x, y, z) if max(abs(x), abs(y), abs(z)) <= FAR else None


def cell_array(rows: Any) -> tuple[Points, NDArray[np.bool_], int]:
    """Return (n, 3) cells of [x, y, z] rows, which rows are good, and how many lie between cells."""
    try:
        table = np.array(rows, np.float64).reshape(-1, 3)
    except (TypeError, ValueError, OverflowError):
        plain = [[literal(v) for v in row] if _is_three(row) else [None] * 3 for row in rows]
        table = np.array([[np.nan if v is None else float(v) for v in row] for row in plain]).reshape(-1, 3)
    good: NDArray[np.bool_] = np.all(np.abs(table) <= FAR, axis=1)
    places = table[good]
    whole = (places == np.floor(places)).all(1)
    return _settled(places, whole), good, int(len(places) - np.count_nonzero(whole))


def _is_three(row: Any) -> bool:
    return isinstance(row, (list, tuple, np.ndarray)) and len(row) == 3


def _settled(places: NDArray[np.float64], whole: NDArray[np.bool_]) -> Points:
    """Put (n, 3) places between the cells into the nearest free one, so that none covers another.

    Whole numbers stay; what lies between goes no further out than the cells at the ends do.
    """
    cells = np.floor(places + 0.5).astype(np.int64)
    between = np.flatnonzero(~whole)
    if not len(between) or len(between) > MAX_SETTLED:
        return cells
    low, high = np.trunc(places.min(0)).astype(int).tolist(), np.trunc(places.max(0)).astype(int).tolist()
    taken: dict[tuple[int, ...], tuple[float, ...] | None] = dict.fromkeys(map(tuple, cells[whole].tolist()))
    found: dict[tuple[float, ...], tuple[int, ...]] = {}
    for i in between.tolist():
        place = tuple(places[i].tolist())
        if place not in found:
            found[place] = _nearest_free(place, taken, low, high)
            taken[found[place]] = place
        cells[i] = found[place]
    return cells


def _nearest_free(
    place: tuple[float, ...], taken: Mapping[Any, Any], low: list[int], high: list[int]
) -> tuple[int, ...]:
    """Return the free cell nearest to a place within two cells of it, else the cell it lies in."""
    base = [math.floor(v) for v in place]
    order = _around(tuple(round(v - b, 3) for v, b in zip(place, base, strict=True)))
    for offset in order:
        near = tuple(b + o for b, o in zip(base, offset, strict=True))
        if near not in taken and all(a <= c <= b for a, c, b in zip(low, near, high, strict=True)):
            return near
    return tuple(min(max(b, c), d) for b, c, d in zip(base, low, high, strict=True))


@lru_cache(maxsize=1024)
def _around(fraction: tuple[float, ...]) -> list[tuple[int, ...]]:
    """Return the cells around a place in a cell, nearest first."""
    offsets = product(range(-2, 4), repeat=3)
    return sorted(offsets, key=lambda o: (sum((a - f) ** 2 for a, f in zip(o, fraction, strict=True)), o))
