"""Lists of single cells in any form → places and what is there: objects, rows, columns, groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from voxgen.language.foreign.drawing import GREY, Drawing
from voxgen.language.mending.values import literal, point
from voxgen.language.palette import fold, read_color

__all__ = ["Cells", "add_cells", "cells_in", "first", "is_cell", "list_of", "name_in", "place_of"]

Cells = tuple[list[Any], list[Any]]  # [x, y, z] each, and what each is made of

AXES = ("x", "y", "z")
PLACES = (
    "pos", "position", "coords", "coord", "coordinates", "coordinate", "location", "loc", "xyz", "at", "p",
    "point", "place",
)  # fmt: skip
MANY_PLACES = (
    "voxels",
    "positions",
    "cells",
    "blocks",
    "coords",
    "coordinates",
    "points",
    "locations",
    "at",
    "cubes",
)
NAMES = (
    "c", "color", "colour", "type", "block", "blocktype", "blockid", "blockname", "material", "mat", "id",
    "hex", "value", "name", "key", "state", "rgb", "rgba", "v", "m", "colorindex", "colourindex",
    "paletteindex", "materialindex", "colorid", "materialid", "index", "i", "kind", "texture",
)  # fmt: skip
CHANNELS = (("r", "g", "b"), ("red", "green", "blue"))
ROW_TEXT = re.compile(
    r"\s*\(?\s*(-?\d{1,6})\s*[,; ]\s*(-?\d{1,6})\s*[,; ]\s*(-?\d{1,6})\s*\)?\s*"
    r"(?:[,;: ]\s*([\w:#.\[\]=]+(?:\s*,\s*\d+)*))?\s*"
)


def first(value: Mapping[Any, Any], *keys: str) -> Any:
    """Return what stands under the first of some keys that is there."""
    return next((value[k] for k in keys if k in value), None)


def list_of(value: Any, test: Callable[[Any], bool]) -> bool:
    """Say whether a value is a list of which half of nine samples pass a test, and an early one."""
    if not isinstance(value, list) or not value:
        return False
    samples = [value[i] for i in sorted({i * (len(value) - 1) // 8 for i in range(9)})]
    return any(map(test, samples[:2])) and sum(map(test, samples)) * 2 >= len(samples)


# --------------------------------------------------------------------------- one cell


def is_cell(value: Any) -> bool:
    """Say whether a value is an object with x, y and z, or a place under one of the words for it."""
    if not isinstance(value, Mapping) or len(value) > 20:
        return False
    keys = _keys(value)
    return all(axis in keys for axis in AXES) or any(point(value[keys[k]]) for k in PLACES if k in keys)


def place_of(value: Mapping[Any, Any]) -> list[Any] | None:
    """Return [x, y, z] of a cell, whatever it calls them."""
    keys = _keys(value)
    if all(axis in keys for axis in AXES):
        return [value[keys[axis]] for axis in AXES]
    return next((found for k in PLACES if k in keys and (found := point(value[keys[k]]))), None)


def name_in(value: Mapping[Any, Any]) -> Any:
    """Return what a cell is made of, under whichever key."""
    keys = _keys(value)
    for channels in CHANNELS:
        if all(c in keys for c in channels):
            return [value[keys[c]] for c in channels]
    return next((value[keys[k]] for k in NAMES if k in keys), GREY)


def _keys(value: Mapping[Any, Any]) -> dict[str, Any]:
    """Return an object's keys by their folded names."""
    return {fold(k): k for k in islice(value, 100) if isinstance(k, str)}


# --------------------------------------------------------------------------- all of them


def add_cells(drawing: Drawing, cells: list[Any]) -> None:
    """Draw a list of cells of any form."""
    places, names = _columns(cells) or _one_by_one(drawing, cells)
    drawing.cells(places, names)


def cells_in(value: Any) -> Cells | None:
    """Return cells that are kept as columns or in groups of one material; None where there are none."""
    return (
        (_by_columns(value) or _by_name(value) or _by_group(value))
        if isinstance(value, (Mapping, list))
        else None
    )


def is_row(value: Any) -> bool:
    """Say whether a value is a cell: an object, [x, y, z, …], [name, x, y, z] or [[x, y, z], name]."""
    if isinstance(value, Mapping):
        return is_cell(value)
    if not isinstance(value, list) or not 2 <= len(value) <= 7:
        return False
    if len(value) == 2:
        return _is_place(value[0]) and not isinstance(value[1], list) and value[1] is not None
    if isinstance(value[0], str) and literal(value[0]) is None:
        return len(value) == 4 and _is_place(value[1:])
    return _is_place(value[:3])


def is_row_text(value: Any) -> bool:
    """Say whether a value is "0, 0, 0, stone"."""
    return isinstance(value, str) and len(value) < 100 and bool(ROW_TEXT.fullmatch(value))


def _is_place(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(literal(v) is not None for v in value)


def _columns(cells: list[Any]) -> Cells | None:
    """Split cells of one form into places and names, the fast way; None where they are not of one form."""
    try:
        if all(type(c) is list and len(c) == 4 for c in cells) and not isinstance(cells[0][0], str):
            return [c[:3] for c in cells], [c[3] for c in cells]
        if all(type(c) is list and len(c) == 6 for c in cells):
            return [c[:3] for c in cells], [c[3:] for c in cells]
        keys = _keys(cells[0]) if isinstance(cells[0], Mapping) else {}
        name = next((keys[k] for k in NAMES if k in keys), None)
        x, y, z = (keys[axis] for axis in AXES)
        return [[c[x], c[y], c[z]] for c in cells], [c[name] for c in cells]
    except (TypeError, KeyError, IndexError):
        return None


def _one_by_one(drawing: Drawing, cells: list[Any]) -> Cells:
    """Split cells of any form into places and names; what is no cell counts as lost."""
    places, names = [], []
    for cell in cells:
        place, name = _split(cell)
        if place is None:
            drawing.lost += 1
        else:
            places.append(place)
            names.append(name)
    return places, names


def _split(cell: Any) -> tuple[list[Any] | None, Any]:
    """Return where a cell is and what is there."""
    if isinstance(cell, Mapping):
        return place_of(cell), name_in(cell)
    if isinstance(cell, str) and (found := ROW_TEXT.fullmatch(cell[:100])):
        rest = found[4] or GREY
        channels = (
            [int(v) for v in rest.split(",")] if re.fullmatch(r"\d+\s*,\s*\d+\s*,\s*\d+", rest) else None
        )
        return [int(found[1]), int(found[2]), int(found[3])], channels or rest
    if not isinstance(cell, (list, tuple)) or len(cell) < 2:
        return None, None
    if isinstance(cell[0], (list, Mapping)):
        return point(cell[0]), cell[1]
    if len(cell) == 4 and isinstance(cell[0], str) and literal(cell[0]) is None:
        return list(cell[1:]), cell[0]
    rest = list(cell[3:])
    place = list(cell[:3])
    return (place if len(place) == 3 else None), GREY if not rest else rest[0] if len(rest) < 3 else rest[:3]


# --------------------------------------------------------------------------- columns and groups


def _by_columns(value: Any) -> Cells | None:
    """Read {"x": […], "y": […], "z": […], "color": […]} and {"positions": […], "colors": […]}."""
    if not isinstance(value, Mapping):
        return None
    lists = {folded: value[k] for folded, k in _keys(value).items() if isinstance(value[k], list)}
    names = next((lists[k] for n in NAMES for k in (n, n + "s") if k in lists), None)
    places: list[Any] = next((lists[k] for k in MANY_PLACES if list_of(lists.get(k), _is_place)), [])
    if all(axis in lists for axis in AXES):
        places = [list(p) for p in zip(*(lists[axis] for axis in AXES), strict=False)]
    return (places, names) if places and names and len(names) == len(places) else None


def _by_name(value: Any) -> Cells | None:
    """Read {"stone": [[x, y, z], …], "oak_log": […]}: at least two materials, or a known colour or block."""
    if not isinstance(value, Mapping) or not value or len(value) > 2000:
        return None
    lists = {k: v for k, v in value.items() if list_of(v, _is_place)}
    if len(lists) < len(value) or not (len(lists) > 1 or read_color(next(iter(lists)))):
        return None
    if any(fold(str(k)) in MANY_PLACES for k in lists):
        return None
    return [p for v in lists.values() for p in v], [k for k, v in lists.items() for _ in v]


def _by_group(value: Any) -> Cells | None:
    """Read [{"color": "red", "voxels": [[x, y, z], …]}, …]."""
    if not list_of(value, _is_group):
        return None
    places: list[Any] = []
    names: list[Any] = []
    for group in value:
        if _is_group(group):
            cells = _places_of(group)
            places += cells
            names += [name_in(group)] * len(cells)
    return places, names


def _is_group(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(_places_of(value)) and name_in(value) is not GREY


def _places_of(group: Mapping[Any, Any]) -> list[Any]:
    keys = _keys(group)
    return next((group[keys[k]] for k in MANY_PLACES if k in keys and list_of(group[keys[k]], _is_place)), [])
