"""Builds made of boxes: MinecraftLM, MineBench, VoxelAIArtist, BrickGPT's bricks as objects."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from voxgen.language.foreign.cells import AXES, add_cells, first, is_cell, is_row, list_of, name_in, place_of
from voxgen.language.foreign.drawing import Drawing, Foreign
from voxgen.language.foreign.palettes import palette_of
from voxgen.language.mending.values import literal, point
from voxgen.language.mending.words import STEP_NAMES
from voxgen.language.palette import fold

__all__ = ["artist", "bricks", "cuboids", "is_cuboid", "minebench", "shade_of"]

LISTS = ("blocks", "structures", "cuboids", "elements", "boxes", "build", "data")
PAIRS = (("from", "to"), ("min", "max"), ("start", "end"), ("p1", "p2"), ("a", "b"), ("corner1", "corner2"))
ENDINGS = (("1", "2"), ("min", "max"), ("from", "to"), ("start", "end"), ("0", "1"))
SIDES = (
    ("w", "width", "dx", "sizex"),
    ("h", "height", "dy", "sizey"),
    ("d", "depth", "l", "length", "dz", "sizez"),
)
OPS = frozenset(["fill", "box", "line", "rect", "set", "del"])
BRICK_COLORS = ("#c4281c", "#f5cd2f", "#0d69ab", "#287f46", "#f2f3f2", "#da8540", "#6e99c9", "#a3a2a4")

# --------------------------------------------------------------------------- MinecraftLM


def cuboids(value: Any) -> Foreign | None:
    """MinecraftLM: {"blocks": [{"start", "end", "type", "fill"}]}, the end excluded, later over earlier."""
    blocks = value
    if isinstance(value, Mapping):
        blocks = next((value[k] for k in LISTS if list_of(value.get(k), is_cuboid)), None)
    if not list_of(blocks, is_cuboid):
        return None
    drawing = Drawing()
    for block in drawing.few(blocks):
        if isinstance(block, Mapping):
            hollow = _no(block.get("fill")) or block.get("hollow") is True
            drawing.box(block.get("start"), block.get("end"), name_in(block), hollow, open_end=True)
    return drawing.finish("MinecraftLM build")


def is_cuboid(value: Any) -> bool:
    """Say whether an object is a cuboid, not a step of our own: {"type": "box", "start", "end"}."""
    if not isinstance(value, Mapping) or "start" not in value or "end" not in value or "op" in value:
        return False
    kind = first(value, "type", "block", "material", "name")
    return isinstance(kind, str) and fold(kind) not in STEP_NAMES


def _no(value: Any) -> bool:
    return (
        value is False or value == 0 or (isinstance(value, str) and fold(value) in ("false", "no", "hollow"))
    )


# --------------------------------------------------------------------------- MineBench


def minebench(value: Any) -> Foreign | None:
    """MineBench: {"boxes", "lines", "blocks"}, ends included; blocks over lines over boxes."""
    if list_of(value, _is_long_box):
        value = {"boxes": value}
    if not isinstance(value, Mapping):
        return None
    boxes, lines, blocks = (_list(value, k) for k in ("boxes", "lines", "blocks"))
    told = (list_of(boxes, _is_span), list_of(lines, _is_span), list_of(blocks, _is_block))
    if not any(told) or (told == (False, False, True) and "palette" in value):
        return None
    if told == (False, False, True) and all(isinstance(b, list) for b in blocks[:20]):
        return None  # a list of cells
    drawing = Drawing(palette_of(value))
    for box in drawing.few(boxes):
        ends = _ends(box)
        drawing.box(ends[0], ends[1], _name_of(box)) if ends else _lose(drawing)
    for line in drawing.few(lines):
        ends = _ends(line)
        drawing.line(ends[0], ends[1], _name_of(line)) if ends else _lose(drawing)
    single = [b for b in blocks if is_row(b) or _ends(b) is None]
    for block in blocks if len(single) < len(blocks) else ():
        if (ends := _ends(block)) and not is_row(block):
            drawing.box(ends[0], ends[1], _name_of(block))
    add_cells(drawing, single)
    return drawing.finish("MineBench build")


def _list(value: Mapping[Any, Any], key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _is_block(value: Any) -> bool:
    return is_row(value) or _is_span(value)


def _is_span(value: Any) -> bool:
    return _ends(value) is not None


def _is_long_box(value: Any) -> bool:
    """Say whether an object is {"x1", "y1", "z1", "x2", "y2", "z2", "type": "stone"}, and no step of ours."""
    if not isinstance(value, Mapping) or not {"x1", "y1", "z1", "x2", "y2", "z2"} <= value.keys():
        return False
    kind = first(value, "type", "block", "material")
    return (
        isinstance(kind, str) and fold(kind) not in STEP_NAMES and "shape" not in value and "op" not in value
    )


def _lose(drawing: Drawing) -> None:
    drawing.lost += 1


def _name_of(value: Any) -> Any:
    return name_in(value) if isinstance(value, Mapping) else value[-1]


def _ends(value: Any) -> tuple[Any, Any] | None:
    """Return the two ends of a box or line: x1…z2, from and to, a place and a size, or a row of them."""
    if isinstance(value, list):
        return _ends_in_row(value)
    if not isinstance(value, Mapping):
        return None
    for low, high in PAIRS:
        if low in value and high in value:
            return value[low], value[high]
    if "x1" in value and all(axis + end in value for axis in AXES for end in "12"):
        return [value["x1"], value["y1"], value["z1"]], [value["x2"], value["y2"], value["z2"]]
    keys = {fold(str(k)): v for k, v in value.items()}
    for low, high in ENDINGS:
        for style in ("{axis}{end}", "{end}{axis}"):
            ends = [[keys.get(style.format(axis=a, end=end)) for a in AXES] for end in (low, high)]
            if None not in ends[0] + ends[1]:
                return ends[0], ends[1]
    return _ends_by_size(value, keys)


def _ends_in_row(row: list[Any]) -> tuple[Any, Any] | None:
    """Read [x, y, z, x, y, z, name] and [[x, y, z], [x, y, z], name]."""
    if (
        len(row) == 7
        and all(literal(v) is not None for v in row[:6])
        and not isinstance(row[6], (int, float))
    ):
        return row[:3], row[3:6]
    if len(row) == 3 and isinstance(row[0], list) and isinstance(row[1], list):
        return (row[0], row[1]) if point(row[0]) and point(row[1]) else None
    return None


def _ends_by_size(value: Mapping[Any, Any], keys: Mapping[str, Any]) -> tuple[Any, Any] | None:
    corner = place_of(value) if is_cell(value) else None
    size = point(first(keys, "size", "dimensions", "dims", "extent"))
    if size is None:
        size = [next((keys[k] for k in names if k in keys), None) for names in SIDES]
    sides = [literal(v) for v in size]
    start = [literal(v) for v in corner] if corner else []
    if len(start) != 3 or None in start or None in sides:
        return None
    return start, [
        a + max(s, 1) - 1 for a, s in zip(start, sides, strict=True) if a is not None and s is not None
    ]


# --------------------------------------------------------------------------- VoxelAIArtist


def artist(value: Any) -> Foreign | None:
    """VoxelAIArtist: {"palette": {key: hex}, "ops": [["fill", …], …]}, ends included, later over earlier."""
    if not isinstance(value, Mapping):
        return None
    key = next(
        (k for k in ("ops", "operations", "commands", "instructions") if list_of(value.get(k), _is_op)), ""
    )
    palette = palette_of(value)
    if not key or (isinstance(value[key][0], str) and not palette):
        return None  # without one, lines are Minecraft's commands
    drawing = Drawing(palette, unknown="#cccccc")
    for op in drawing.few(value[key]):
        name, rest = _op(op)
        if not _draw(drawing, name, rest):
            drawing.lost += 1
    return drawing.finish("VoxelAIArtist build")


def _is_op(value: Any) -> bool:
    name, rest = _op(value)
    return name in OPS and len(rest) > 2


def _op(op: Any) -> tuple[str, list[Any]]:
    """Return the name and the arguments of ["fill", …], {"op": "fill", "args": […]} or "fill 0 0 0 …"."""
    if isinstance(op, Mapping):
        arguments = first(op, "args", "params", "arguments")
        op = [first(op, "op", "type", "cmd", "name"), *(arguments if isinstance(arguments, list) else [])]
    elif isinstance(op, str):
        op = re.split(r"[\s,]+", op.strip()[:200_000])
    if not isinstance(op, list) or not op or not isinstance(op[0], str):
        return "", []
    rest = op[1:] if len(op) < 1 << 20 else op[1 : 1 << 22]
    if len(rest) < 40 and any(isinstance(v, list) for v in rest):
        rest = [v for item in rest for v in (item if isinstance(item, list) else [item])]
    name = fold(op[0])
    if name in ("fill", "box", "line") and len(rest) == 7 and literal(rest[0]) is None:
        rest = [*rest[1:], rest[0]]  # the key came first
    return name, rest


def _draw(drawing: Drawing, name: str, rest: list[Any]) -> bool:
    """Draw one operation; say whether it could be read."""
    if name in ("fill", "box") and len(rest) >= 7:
        drawing.box(rest[:3], rest[3:6], rest[6], hollow=name == "box")
    elif name == "line" and len(rest) >= 7:
        drawing.line(rest[:3], rest[3:6], rest[6])
    elif name == "del" and len(rest) >= 3:
        drawing.box(rest[:3], rest[3:6] if len(rest) >= 6 else rest[:3], None)
    elif name == "rect" and len(rest) >= 7 and fold(str(rest[0])) in AXES:
        axis = AXES.index(fold(str(rest[0])))
        low, high = [rest[2], rest[3]], [rest[4], rest[5]]
        low.insert(axis, rest[1])
        high.insert(axis, rest[1])
        drawing.box(low, high, rest[6])
    elif name == "set" and len(rest) >= 4:
        try:
            places = np.array(rest[1 : len(rest) - (len(rest) - 1) % 3], np.float64).reshape(-1, 3)
        except (ValueError, TypeError, OverflowError):
            return False
        drawing.cells(places, [rest[0]] * len(places))
    else:
        return False
    return True


# --------------------------------------------------------------------------- bricks


def bricks(value: Any) -> Foreign | None:
    """BrickGPT's bricks as objects: {"bricks": [{"h", "w", "x", "y", "z"}]}; z up, one plate one voxel."""
    listed = value.get("bricks") if isinstance(value, Mapping) else None
    if not list_of(listed, _is_brick):
        return None
    drawing = Drawing(up="z")
    for i, brick in enumerate(listed or []):
        sides, place = (_sides(brick), place_of(brick)) if isinstance(brick, Mapping) else (None, None)
        start = [literal(v) for v in place] if place else []
        if sides is None or len(start) != 3 or None in start:
            drawing.lost += 1
            continue
        x, y, z = (int(v) for v in start if v is not None)
        color = (
            name_in(brick)
            if first(brick, "color", "colour") is not None
            else shade_of(f"{i} {sides} {place}")
        )
        drawing.box([x, y, z], [x + sides[0], y + sides[1], z + 1], color, open_end=True)
    return drawing.finish("BrickGPT bricks")


def _is_brick(value: Any) -> bool:
    return isinstance(value, Mapping) and _sides(value) is not None and is_cell(value)


def _sides(brick: Mapping[Any, Any]) -> tuple[int, int] | None:
    """Return how many studs a brick covers along x and y."""
    keys = {fold(str(k)): v for k, v in brick.items()}
    written = first(keys, "size", "dimensions", "dims", "brick", "type", "shape")
    found = re.match(r"\s*(\d{1,3})\s*[x×]\s*(\d{1,3})", written) if isinstance(written, str) else None
    pair = (
        [found[1], found[2]]
        if found
        else written
        if isinstance(written, list)
        else [keys.get("h"), keys.get("w")]
    )
    sides = [literal(v) for v in pair[:2]]
    if len(sides) != 2 or sides[0] is None or sides[1] is None:
        return None
    return int(sides[0]), int(sides[1])


def shade_of(brick: str) -> str:
    """Return a colour for a brick that has none, so that bricks show."""
    return BRICK_COLORS[zlib.crc32(brick.encode()) % len(BRICK_COLORS)]
