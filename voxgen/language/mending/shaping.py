"""Each shape from the fields that a model gave it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from voxgen.language.mending.corners import (
    Lost,
    axis_of,
    center_of,
    corners_of,
    corners_of_ends,
    corners_of_list,
    radius_of,
    sorted_corners,
    span_of,
    take,
)
from voxgen.language.mending.layers import mend_layers
from voxgen.language.mending.options import choice_of
from voxgen.language.mending.values import (
    MAX_LIKENESSES,
    Names,
    is_number,
    material,
    number,
    plus,
    point,
    points,
    show,
    times,
)
from voxgen.language.mending.words import word_of
from voxgen.language.palette import MANY, fold, many_channels, nearest, rounded

MAX_SHADES = 4096  # of the cells of one step; more are rounded
Step = dict[str, Any]

__all__ = ["SHAPES", "Place", "part_like"]


class Place:
    """Where a shape is read: its path, the document's names, and what was said of its material."""

    def __init__(self, path: str, names: Names, common: Step) -> None:
        self.path, self.names, self.common = path, names, common


def _box(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    return [{"box": sorted_corners(corners_of(value, fields))}]


def _ball(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    center, radius = center_of(value, fields, "center"), radius_of(fields, 3)
    if isinstance(value, (list, tuple)) and radius is None:
        center, radius = _packed(value, 3)
    if center is None or radius is None:
        found = corners_of_ends(fields) or corners_of_list(fields.pop("box", None))
        if found is None:
            raise Lost("its center is missing" if center is None else "its radius is missing")
        low, high = sorted_corners(found)
        halves = [times(plus(b, times(a, -1)), 0.5) for a, b in zip(low, high, strict=True)]
        middle = [times(plus(a, b), 0.5) for a, b in zip(low, high, strict=True)]
        center, radius = center or middle, halves if radius is None else radius
    return [{"sphere": {"center": center, "radius": radius}}]


def _ellipsoid(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    return [{"ellipsoid": _ball(value, fields, place)[0]["sphere"]}]


def _packed(value: Any, axes: int) -> tuple[list[Any] | None, Any]:
    """Read [x, y, z, r], [[x, y, z], r] or [[x, y, z], [rx, ry, rz]]."""
    if len(value) == 4 and all(number(v) is not None for v in value):
        return point(value[:3]), number(value[3])
    if len(value) == 2:
        return point(value[0]), radius_of({"radius": value[1]}, axes)
    return (point(value) if len(value) == 3 else None), None


def _tube(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    axis = axis_of(take(fields, "axis", "along"))
    end = point(fields.get("to"))
    start = point(fields.get("from")) if end else None
    base = center_of(value, fields, "base")
    radius, height = radius_of(fields, 2), number(take(fields, "height", "length"))
    if base is None and isinstance(value, (list, tuple)):
        base, radius, height = _packed_tube(value, radius, height)
    if start and end and height is None:
        fields.pop("to")
        axis, height = span_of(start, end, axis)
    body: Step = {"base": base, "radius": radius, "height": height}
    if missing := [k for k, v in body.items() if v is None]:
        raise Lost(f"its {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    if (top := number(take(fields, "top"))) is not None:
        body["top"] = top
    if axis:
        body["axis"] = axis
    return [{"cylinder": body}]


def _cone(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    return [{"cone": _tube(value, fields, place)[0]["cylinder"]}]


def _packed_tube(value: Any, radius: Any, height: Any) -> tuple[list[Any] | None, Any, Any]:
    """Read [x, y, z, r, h] or [[x, y, z], r, h]."""
    if len(value) == 5:
        return point(value[:3]), number(value[3]), number(value[4])
    if len(value) == 3 and isinstance(value[0], (list, Mapping)):
        return point(value[0]), radius_of({"radius": value[1]}, 2), number(value[2])
    return point(list(value)[:3]), radius, height


def _roof(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    along = take(fields, "along", "axis")
    body: Step = {"box": sorted_corners(corners_of(value, fields))}
    level = ("x", "z") if place.names.up == "y" else ("x", "y")
    if (axis := axis_of(along)) in level:
        body["along"] = axis
    return [{"roof": body}]


def _pyramid(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    return [{"pyramid": sorted_corners(corners_of(value, fields))}]


def _terrain(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    top = fields.pop("top", None)
    body: Step = {"box": sorted_corners(corners_of(value, fields))}
    for word in ("scale", "seed"):
        if (amount := number(fields.pop(word, None))) is not None:
            body[word] = amount
    if top is not None:
        try:
            body["top"] = material(top, place.names)
        except ValueError as error:
            place.names.notes.add(f"{place.path}.terrain.top", str(error), "ignored it")
    return [{"terrain": body}]


def _line(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    value = value if value is not None else take(fields, "points")
    ends = [fields.pop(w) for w in ("from", "at", "to") if w in fields and (value is None or w != "at")]
    if value is None and not ends:
        found = corners_of_ends(fields) or []
    else:
        found, lost = points(ends if value is None else value)
        if lost:
            place.names.notes.add(
                f"{place.path}.line", f"{lost} points cannot be read", "left them out", "loss"
            )
    if not found:
        raise Lost("its points are missing")
    if (radius := number(take(fields, "radius"))) is not None:
        fields.setdefault("width", times(radius, 2))
    return [{"line": found}]


# --------------------------------------------------------------------------- cells


def _voxels(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    value = value if value is not None else take(fields, "points", "at", "center", "from")
    if value is None:
        value = {k: fields.pop(k, None) for k in "xyz"}
    if (
        isinstance(value, (list, tuple))
        and value
        and all(isinstance(v, (list, tuple, Mapping)) for v in value)
    ):
        return _colored_voxels(value, place)
    found, lost = points(value)
    if found != value and found:
        cells = show(found[0]) if len(found) == 1 else f"{len(found)} cells"
        place.names.notes.add(
            f"{place.path}.voxels", f"{show(value)} is not a list of cells", f"read {cells}", "info"
        )
    return _voxel_steps({None: found}, lost, place)


def _colored_voxels(value: Any, place: Place) -> list[Step]:
    """Read cells that may each carry a material: [x, y, z, "stone"] or {"x", "y", "z", "color"}."""
    if len(value) > MANY and (many := _many_voxels(value, place)):
        return _voxel_steps(many, 0, place)
    cells: dict[tuple[Any, ...], Any] = {}
    lost = 0
    for entry in value:
        if _is_plain_cell(entry):
            cells.pop(entry_place := tuple(entry[:3]), None)
            cells[entry_place] = "air" if entry[3] in place.names.air else entry[3]
            continue
        found = point(entry)
        if found is None:
            lost += 1
            continue
        cells.pop(tuple(found), None)  # a later entry of the same cell wins
        cells[tuple(found)] = _material_of_cell(entry, place.names)
    if twice := len(value) - lost - len(cells):
        problem = "1 cell is given twice" if twice == 1 else f"{twice:,} cells are given twice"
        place.names.notes.add(f"{place.path}.voxels", problem, "the last counts", "info")
    groups: dict[Any, list[list[Any]]] = {}
    for cell, name in cells.items():
        groups.setdefault(name, []).append(list(cell))
    return _voxel_steps(groups, lost, place)


def _many_voxels(value: Any, place: Place) -> dict[Any, list[list[Any]]] | None:
    """Group very many cells with colours written out by their colours; None where they are not all alike."""
    first = value[0]
    try:
        if isinstance(first, Mapping):
            key: Any = next(k for k, v in first.items() if word_of(str(k), v, "voxels") == "of")
            axes: tuple[Any, ...] = ("x", "y", "z")
        else:
            key, axes = (3 if len(first) == 4 else slice(3, None)), (0, 1, 2)
        cells = np.stack([np.array([c[axis] for c in value]) for axis in axes], axis=1)
        names = [c[key] for c in value]
    except (TypeError, ValueError, LookupError, StopIteration, OverflowError):
        return None
    colors = many_channels(names)
    if colors is None or cells.dtype.kind != "i" or cells.shape[1:] != (3,) or np.abs(cells).max() >= 1 << 20:
        return None
    codes, fewer = rounded(colors, MAX_SHADES, 4)
    if fewer:
        problem = f"there are more than {MAX_SHADES:,} colours"
        place.names.notes.add(f"{place.path}.voxels", problem, "rounded them")
    keys = (cells + (1 << 20)) @ np.array([1 << 42, 1 << 21, 1])
    order = np.argsort(keys, kind="stable")
    last = np.append(keys[order][1:] != keys[order][:-1], True)  # of two in one cell the later wins
    kept = np.sort(order[last])
    kept = kept[np.argsort(codes[kept], kind="stable")]
    ends = np.flatnonzero(np.diff(codes[kept])) + 1
    return {f"#{codes[part[0]]:06x}": cells[part].tolist() for part in np.split(kept, ends)}


def _is_plain_cell(entry: Any) -> bool:
    """Say whether an entry is [int, int, int, name], as nearly all are."""
    if type(entry) is not list or len(entry) != 4 or type(entry[3]) is not str:
        return False
    return type(entry[0]) is int and type(entry[1]) is int and type(entry[2]) is int


def _material_of_cell(entry: Any, names: Names) -> str | None:
    if isinstance(entry, Mapping):
        entry = [
            0,
            0,
            0,
            next((v for k, v in entry.items() if word_of(str(k), v, "voxels") in ("of", "note")), None),
        ]
    if len(entry) < 4:
        return None
    try:
        found = material(list(entry[3:]) if len(entry) in (6, 7) else entry[3], names)
    except ValueError:
        return None
    return found if isinstance(found, str) else "air" if found is None and entry[3] is not None else None


def _voxel_steps(groups: Mapping[Any, list[list[Any]]], lost: int, place: Place) -> list[Step]:
    if lost:
        text = "1 cell is not [x, y, z]" if lost == 1 else f"{lost:,} cells are not [x, y, z]"
        place.names.notes.add(f"{place.path}.voxels", text, "left out", "loss")
    steps = [{"voxels": cells, **({"of": name} if name else {})} for name, cells in groups.items() if cells]
    if not steps:
        raise Lost("its cells are missing")
    if any("of" in step for step in steps):
        place.names.notes.add(
            f"{place.path}.voxels", "the cells name their own materials", "grouped them", "info"
        )
    return steps


# --------------------------------------------------------------------------- the rest


def _layers(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    given: dict[str, Any] = {k: fields.pop(k) for k in ("at", "key", "facing", "from") if k in fields}
    fields.pop("size", None)
    step = mend_layers(value, given, place.path, place.names, place.common.pop("of", None))
    if step is None:
        raise Lost("its layers are missing")
    return [step]


def _formula(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    if isinstance(value, (list, tuple)):
        value = " and ".join(f"({v})" for v in value[:20] if isinstance(v, str))
    if isinstance(value, bool) or is_number(value):
        value = str(int(value)) if isinstance(value, bool) else str(value)
    if not isinstance(value, str) or not value.strip():
        raise Lost("the expression is missing")
    step: Step = {
        "formula": re.sub(r"^\s*(?:lambda\s+[\w\s,]*:|\(?\s*x\s*,\s*y\s*,\s*z\s*\)?\s*=>)\s*", "", value)
    }
    region = fields.pop("in", None)
    try:
        step["in"] = corners_of(region, fields)
    except Lost:
        if region is not None:
            place.names.notes.add(
                f"{place.path}.in", f"{show(region)} is not two corners", "used the whole scene"
            )
    return [step]


def _place(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    part = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(part, str):
        raise Lost(
            "the part's name is missing" if part is None else f"{show(part)} is not the name of a part"
        )
    if part not in place.names.parts and (other := part_like(part, place.names)):
        place.names.notes.add(f"{place.path}.place", f"no part is called {show(part)}", f'used "{other}"')
        part = other
    where = take(fields, "at", "points", "from", "center")
    if where is None and all(axis in fields for axis in "xyz"):
        where = {axis: fields.pop(axis) for axis in "xyz"}
    where = [[0, 0, 0]] if where is None else where
    found, lost = points(where)
    if not found:
        raise Lost(f"{show(where)} is not a place")
    if found != where or lost:
        problem = f"{lost} places cannot be read" if lost else f"{show(where)} is not a list of points"
        fix = "left them out" if lost else f"used {json.dumps(found) if len(found) < 3 else show(found)}"
        place.names.notes.add(f"{place.path}.at", problem, fix, "loss" if lost else "info")
    return [{"place": part, "at": found}]


def part_like(name: str, names: Names) -> str | None:
    """Return the part that a name that is none most likely means, else None."""
    if name not in names.likenesses and len(names.likenesses) < MAX_LIKENESSES:
        same = [p for p in names.parts if fold(p) == fold(name)]
        names.likenesses[name] = same[0] if same else nearest(name, names.parts)
    return names.likenesses.get(name)


def _scatter(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    things = value if value is not None else place.common.pop("of", None)
    place.common.pop("of", None)
    try:
        things = material(things, place.names)
    except ValueError as error:
        raise Lost(str(error)) from None
    if things is None:
        raise Lost("what to scatter is missing")
    if "area" not in fields and "from" in fields and "to" in fields:
        fields["area"] = [fields.pop("from"), fields.pop("to")]
    return [{"scatter": things if isinstance(things, (list, dict)) else [things]}]


def _mirror(value: Any, fields: dict[str, Any], place: Place) -> list[Step]:
    fields.clear()
    place.common.pop("of", None)
    axis = choice_of("mirror", value)
    if axis is None:
        raise Lost(f"{show(value)} is not an axis to mirror along")
    return [{"mirror": axis}]


SHAPES: Mapping[str, Callable[[Any, dict[str, Any], Place], list[Step]]] = {
    "box": _box,
    "sphere": _ball,
    "ellipsoid": _ellipsoid,
    "cylinder": _tube,
    "cone": _cone,
    "roof": _roof,
    "pyramid": _pyramid,
    "line": _line,
    "voxels": _voxels,
    "layers": _layers,
    "terrain": _terrain,
    "formula": _formula,
    "place": _place,
    "scatter": _scatter,
    "mirror": _mirror,
}
