"""Where things are: two corners, a size, a middle and a radius, in any way to say them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from voxgen.language.mending.values import literal, number, plus, point, show, times
from voxgen.language.mending.words import WORDS
from voxgen.language.palette import fold

__all__ = [
    "Lost",
    "axis_of",
    "center_of",
    "corners_of",
    "corners_of_ends",
    "corners_of_list",
    "radius_of",
    "sorted_corners",
    "span_of",
    "take",
]


class Lost(Exception):  # noqa: N818
    """A step that cannot be understood; the message says why."""


def take(fields: dict[str, Any], *words: str) -> Any:
    """Remove and return the first of some fields that is there."""
    return next((v for v in [fields.pop(w, None) for w in words] if v is not None), None)


def sorted_corners(pair: list[list[Any]]) -> list[list[Any]]:
    """Let the low corner come first, as far as plain numbers tell."""
    low, high = list(pair[0]), list(pair[1])
    for axis in range(3):
        a, b = low[axis], high[axis]
        if not isinstance(a, str) and not isinstance(b, str) and a > b:
            low[axis], high[axis] = b, a
    return [low, high]


def corners_of(value: Any, fields: dict[str, Any]) -> list[list[Any]]:
    """Return two corners from any way to give a box; raises Lost where there are none."""
    value = value if value is not None else take(fields, "box")
    if isinstance(value, Mapping):
        fields = {**{WORDS.get(fold(str(k)), fold(str(k))): v for k, v in value.items()}, **fields}
        value = fields.get("box")
    found = (
        corners_of_list(value)
        or corners_of_ends(fields)
        or _corners_of_size(fields)
        or _corners_of_ranges(fields)
    )
    if found is None:
        raise Lost("its two corners are missing" if value is None else f"{show(value)} is not two corners")
    return found


def corners_of_list(value: Any) -> list[list[Any]] | None:
    """Return two corners from [x, y, z, x, y, z], a range for each axis, several points or text, or None."""
    if isinstance(value, str):
        value = re.split(r"\s+to\s+|\s*(?:->|→|;|\.\.)\s*", value[:400])
        value = value if len(value) == 2 else re.split(r"[,\s]+", value[0].strip("()[] "))
    if not isinstance(value, (list, tuple)):
        return None
    if len(value) == 6 and all(number(v) is not None for v in value):
        value = [value[:3], value[3:]]
    if len(value) == 3 and all(isinstance(v, (list, tuple)) and len(v) == 2 for v in value):
        value = [[v[0] for v in value], [v[1] for v in value]]  # a range for each axis
    ends = [point(v) for v in value[:9]]
    if len(ends) < 2 or not all(ends):
        return None
    known = [e for e in ends if e]
    if len(known) > 2 and all(isinstance(v, (int, float)) for e in known for v in e):
        return [
            [min(axis) for axis in zip(*known, strict=True)],
            [max(axis) for axis in zip(*known, strict=True)],
        ]
    return [known[0], known[-1]]


def corners_of_ends(fields: dict[str, Any]) -> list[list[Any]] | None:
    """Return two corners from the fields from and to, or x1 … z2, and remove them; None without them."""
    low, high = point(fields.get("from")), point(fields.get("to"))
    if low and high:
        fields.pop("from"), fields.pop("to")
        return [low, high]
    for first, last in (("1", "2"), ("0", "1")):
        ends = [[number(fields.get(axis + end)) for axis in "xyz"] for end in (first, last)]
        if all(v is not None for end in ends for v in end):
            for axis in "xyz":
                fields.pop(axis + first), fields.pop(axis + last)
            return ends
    return None


def _corners_of_size(fields: dict[str, Any]) -> list[list[Any]] | None:
    size = _size(fields)
    center, corner = point(fields.get("center")), point(fields.get("at") or fields.get("from"))
    corner = corner or point(fields.get("base")) or point({k: fields.get(k) for k in "xyz"})
    if size is None:
        return [corner, list(corner)] if corner and not center and "at" in fields else None
    if center and not corner:
        corner = [_middle(c, s) for c, s in zip(center, size, strict=True)]
    if not corner:
        return None
    for word in ("center", "at", "from", "base", "x", "y", "z"):
        fields.pop(word, None)
    return [corner, [_far(c, s) for c, s in zip(corner, size, strict=True)]]


def _middle(center: Any, size: Any) -> Any:
    c, s = literal(center), literal(size)
    return f"({center})-({size})/2" if c is None or s is None else c - s // 2


def _far(corner: Any, size: Any) -> Any:
    """Return the last cell of a side: at least one cell, a negative size runs the other way."""
    s = literal(size)
    if s is None:
        return plus(corner, size, -1)
    return plus(corner, s - 1 if s >= 1 else s + 1 if s <= -1 else 0)


def _size(fields: dict[str, Any]) -> list[Any] | None:
    """Return the three sides given as a list, an object, "4x4x4", one number, or width, depth and height."""
    value = take(fields, "size")
    if isinstance(value, str) and re.fullmatch(r"\s*[\d.]+(\s*[x×*,]\s*[\d.]+){2}\s*", value):
        value = re.split(r"[x×*,]", value)
    if isinstance(value, Mapping):
        named = {WORDS.get(fold(str(k)), fold(str(k))): v for k, v in value.items()}
        value = point(named) or _sides(named)
    if isinstance(value, (list, tuple)):
        return point(list(value)) if len(value) == 3 else None
    if value is not None and number(value) is not None:
        return [number(value)] * 3
    return _sides(fields)


def _sides(fields: dict[str, Any]) -> list[Any] | None:
    """Read width, depth (or length) and height, or dx, dy, dz; one of them may be missing and is then 1."""
    if all(number(fields.get(d)) is not None for d in ("dx", "dy", "dz")):
        return [number(fields.pop(d)) for d in ("dx", "dy", "dz")]
    words = [w for w in ("width", "length", "depth", "height") if number(fields.get(w)) is not None]
    if len(words) < 2:
        return None
    sides = {w: number(fields.pop(w)) for w in words}
    first = sides.pop("width", None)
    first = sides.pop("length", 1) if first is None else first
    deep = sides.get("depth", sides.get("length", 1))
    return [first, deep, sides.get("height", 1)]


def _corners_of_ranges(fields: dict[str, Any]) -> list[list[Any]] | None:
    """Read {"x": [0, 5], "y": 3, "z": "0..4"}."""
    ends = []
    for axis in "xyz":
        value = fields.get(axis)
        if isinstance(value, str):
            value = re.split(r"\s*\.\.\s*|\s*:\s*", value[:60])
        value = value if isinstance(value, (list, tuple)) else [value]
        numbers = [number(v) if (plain := literal(v)) is None else plain for v in value]
        if len(numbers) not in (1, 2) or None in numbers:
            return None
        ends.append([numbers[0], numbers[-1]])
    for axis in "xyz":
        fields.pop(axis)
    return [[e[0] for e in ends], [e[1] for e in ends]]


# --------------------------------------------------------------------------- round things


def center_of(value: Any, fields: dict[str, Any], word: str) -> list[Any] | None:
    """Return the middle (or base) of a round shape from the words that may stand for it."""
    for name in (word, "center", "base", "at", "from"):
        found = point(fields.get(name))
        if found:
            fields.pop(name)
            return found
    found = point({k: fields.get(k) for k in "xyz"}) or (point(value) if isinstance(value, Mapping) else None)
    if found:
        for axis in "xyz":
            fields.pop(axis, None)
    return found


def radius_of(fields: dict[str, Any], axes: int) -> Any:
    """Return a radius: a number, or one for each axis."""
    value = take(fields, "radius")
    if value is None and (across := take(fields, "diameter")) is not None:
        value = [times(v, 0.5) for v in across] if isinstance(across, list) else times(across, 0.5)
    if value is None and any(r in fields for r in ("rx", "ry", "rz")):
        given = [number(fields.pop(r, None)) for r in ("rx", "ry", "rz")]
        value = [next((g for g in [r, *given] if g is not None), 1) for r in given][:axes]
    if value is None and axes == 3 and (size := take(fields, "size")) is not None:
        sides = point(size) if isinstance(size, (list, Mapping)) else None
        value = (
            [times(s, 0.5) for s in sides]
            if sides
            else times(size, 0.5)
            if number(size) is not None
            else None
        )
    if isinstance(value, Mapping):
        named = {fold(str(k)): v for k, v in value.items()}
        value = point({axis: named.get(axis, named.get("r" + axis)) for axis in "xyz"})
    if isinstance(value, (list, tuple)):
        numbers = [number(v) for v in value[:axes]]
        if not numbers or None in numbers:
            return None
        return numbers[0] if len(numbers) == 1 else [*numbers, *[numbers[0]] * (axes - len(numbers))]
    return number(value)


def axis_of(value: Any) -> str | None:
    """Return "x", "y" or "z" for a letter, a direction or a vector, else None."""
    if isinstance(value, (list, tuple)) and len(value) == 3:
        return next(("xyz"[i] for i, v in enumerate(value) if literal(v)), None)
    word = fold(str(value))[:10]
    return {"x": "x", "y": "y", "z": "z", "up": "z", "vertical": "z", "east": "x", "north": "y"}.get(word)


def span_of(start: list[Any], end: list[Any], axis: str | None) -> tuple[str | None, Any]:
    """Return along which axis two points lie apart, and how many cells from one to the other."""
    gaps = [literal(plus(b, times(a, -1))) or 0 for a, b in zip(start, end, strict=True)]
    along = "xyz".index(axis) if axis else max(range(3), key=lambda i: abs(gaps[i]))
    gap = gaps[along]
    return (None if along == 2 and not axis else "xyz"[along]), gap + 1 if gap >= 0 else gap - 1
