"""VibeCraft's builds: layers of rows of run lengths, and its shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from voxgen.language.foreign.cells import first, list_of
from voxgen.language.foreign.drawing import MAX_SIDE, Drawing, Foreign
from voxgen.language.foreign.palettes import palette_of

__all__ = ["vibecraft"]

MAX_RUNS = 100_000  # boxes drawn for the rows


def vibecraft(value: Any) -> Foreign | None:
    """VibeCraft: {"p": {"S": "stone"}, "l": [[0, "S*10|S P*8 S~8"], ["1-3", …]]}, long or short; y up.

    Rows run from north to south, `S*10` repeats a block, `~8` a whole row, `.`, `_` and `~` are air.
    """
    if not isinstance(value, Mapping):
        return None
    layers = first(value, "l", "layers")
    if isinstance(layers, Mapping) and ("l" in value or any(map(_is_run, layers.values()))):
        layers = [[level, rows] for level, rows in layers.items()]
    shape = first(value, "s", "shape")
    palette = first(value, "p", "palette")
    short = isinstance(shape, str) and ":" in shape and isinstance(palette, Mapping)
    if not list_of(layers, _is_level) and not short:
        return None
    drawing = Drawing(
        {**palette_of({"palette": palette or {}}), **dict.fromkeys((".", "_", "~", " "), "air")}
    )
    for layer in layers if isinstance(layers, list) else []:
        if not _is_level(layer):
            drawing.lost += 1
            continue
        levels, rows = _level(layer)
        if not levels:
            drawing.lost += 1
            continue
        for z, row in enumerate(rows):
            _add_row(drawing, row, levels, z)
        if len(drawing.boxes) > MAX_RUNS:
            drawing.notes.add("$.layers", "too many runs", "left the rest out", "loss")
            break
    if short:
        _add_shape(drawing, str(shape))
    return drawing.finish("VibeCraft build")


def _add_row(drawing: Drawing, row: list[str], levels: list[int], z: int) -> None:
    """Draw a row on all its levels, a box for each run of one block; air skips what stands there."""
    x = 0
    for name, run in groupby(row):
        end = x + len(list(run))
        if drawing.index(name):
            drawing.box([x, levels[0], z], [end - 1, levels[-1], z], name)
        x = end


def _is_level(value: Any) -> bool:
    """Say whether a value is [0, "row|row"], ["1-3", …] or {"y": 0, "rows": […]}."""
    if isinstance(value, Mapping):
        return any(k in value for k in ("y", "y_offset", "level")) and any(
            k in value for k in ("rows", "grid")
        )
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[1], (str, list))
        and _levels(value[0]) != []
    )


def _is_run(rows: Any) -> bool:
    """Say whether rows are written as VibeCraft has them: with | between, or with run lengths."""
    return isinstance(rows, str) and ("|" in rows or bool(re.search(r"\w\*\d", rows)))


def _levels(value: Any) -> list[int]:
    """Read 3, "3", "1-3" or [1, 3]."""
    if isinstance(value, list) and len(value) == 2:
        value = f"{value[0]}-{value[1]}"
    found = re.fullmatch(r"\s*(-?\d{1,4})(?:\s*(?:-|\.\.|to)\s*(-?\d{1,4}))?\s*", str(value))
    if not found:
        return []
    low = int(found[1])
    return list(range(low, min(int(found[2] or low), low + MAX_SIDE) + 1))


def _level(layer: Any) -> tuple[list[int], list[list[str]]]:
    """Return the levels a layer stands on, and its rows of palette keys."""
    if isinstance(layer, Mapping):
        levels, rows = _levels(first(layer, "y", "y_offset", "level")), first(layer, "rows", "grid")
    else:
        levels, rows = _levels(layer[0]), layer[1]
    if isinstance(rows, str):
        rows = rows.split("|")
    found: list[list[str]] = []
    for row in rows if isinstance(rows, list) else []:
        found += _row(row)
        if len(found) > MAX_SIDE:
            break
    return levels, found[:MAX_SIDE]


def _row(row: Any) -> list[list[str]]:
    """Return one written row as rows of keys: usually one, more where "~8" repeats it."""
    if isinstance(row, list):
        return [[str(c) for c in row[:MAX_SIDE]]]
    text = str(row).strip()
    if drawn := re.fullmatch(r"(fill|outline|walls|frame):(\d{1,4})x(\d{1,4}):([^:]+)(?::([^:]+))?", text):
        return _plan(drawn[1], int(drawn[2]), int(drawn[3]), drawn[4], drawn[5])
    repeat = re.search(r"~(\d{1,4})$", text)
    text = text[: repeat.start()] if repeat else text
    if " " not in text and "*" not in text:
        keys = list(text)  # "BB": a letter for each block
    else:
        keys = []
        for token in text.split():
            name, _, count = token.partition("*")
            keys += [name] * (min(int(count), MAX_SIDE) if count.isdigit() else 1)
    return [keys[:MAX_SIDE]] * (min(int(repeat[1]), MAX_SIDE) if repeat else 1)


def _plan(kind: str, wide: int, deep: int, name: str, inner: str | None) -> list[list[str]]:
    """Draw "fill:10x8:S" and "outline:12x12:S" as rows."""
    wide, deep = min(wide, MAX_SIDE), min(deep, MAX_SIDE)
    middle = name if kind == "fill" else inner or "."
    edge = [name] * wide
    inside = [name, *[middle] * (wide - 2), name][:wide]
    return [edge if row in (0, deep - 1) else inside for row in range(deep)]


def _add_shape(drawing: Drawing, shape: str) -> None:
    """Draw "box:10x5x10:S" (hollow) or "room:12x4x12:W:F" (its floor of F)."""
    found = re.fullmatch(r"\s*(box|room):(\d{1,4})x(\d{1,4})x(\d{1,4}):([^:]+)(?::([^:]+))?\s*", shape)
    if not found:
        drawing.lost += 1
        return
    wide, tall, deep = (int(found[i]) - 1 for i in (2, 3, 4))
    drawing.box([0, 0, 0], [wide, tall, deep], found[5], hollow=True)
    if found[1] == "room" and found[6]:
        drawing.box([0, 0, 0], [wide, 0, deep], found[6])
