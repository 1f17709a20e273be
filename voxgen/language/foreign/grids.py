"""Whole grids: nested and flat arrays, plain layers, cells under their coordinates, any list of cells."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import ReplyError
from voxgen.language.blocks import is_air
from voxgen.language.foreign.cells import add_cells, cells_in, is_cell, is_row, list_of
from voxgen.language.foreign.drawing import MAX_CELLS, MAX_SIDE, Drawing, Foreign, compact, plain
from voxgen.language.foreign.palettes import palette_of, size_of, up_of
from voxgen.language.palette import fold
from voxgen.scene import Repair

__all__ = ["arrays", "cell_list", "cells_of", "flat_array", "keyed", "plain_layers", "structure"]

LISTS = ("voxels", "blocks", "cells", "cubes", "points", "data")
NO_CELLS = frozenset([
    "size", "dims", "dimensions", "bounds", "palette", "colors", "colours", "boxes", "lines", "layers",
    "lights", "light", "camera", "cameras", "view", "views", "sun", "entities", "waypoints", "spawn",
])  # fmt: skip
PLACE = re.compile(r"\s*[(\[]?\s*(-?\d{1,9})\s*[,;_ ]\s*(-?\d{1,9})\s*[,;_ ]\s*(-?\d{1,9})\s*[)\]]?\s*")

# --------------------------------------------------------------------------- lists of cells


def structure(value: Any) -> Foreign | None:
    """Minecraft structure files as JSON: {"palette": [{"Name"}], "blocks": [{"state", "pos"}]}."""
    if not isinstance(value, Mapping) or not isinstance(value.get("palette"), list):
        return None
    blocks = value.get("blocks")
    if not list_of(blocks, lambda b: isinstance(b, Mapping) and "state" in b and "pos" in b):
        return None
    drawing = Drawing({str(i): entry for i, entry in enumerate(value["palette"])})
    good = [b for b in blocks or [] if isinstance(b, Mapping) and isinstance(b.get("pos"), list)]
    add_cells(drawing, [[*b["pos"][:3], b.get("state")] for b in good])
    return drawing.finish("Minecraft structure")


def cell_list(value: Any) -> Foreign | None:
    """Any list of [{"x", "y", "z", "c"}] or [[x, y, z, "minecraft:stone"]], bare or under a key; y up.

    So are columns, {"x": […], "y": […], "z": […], "color": […]}, and cells grouped by what they are made of.
    """
    if isinstance(value, list):
        if list_of(value, is_row) and all(isinstance(row, (list, Mapping)) for row in value[:100]):
            return _listed(value, {}, "y", None)
        return _grouped(value, {}, "y")
    if not isinstance(value, Mapping):
        return None
    palette = palette_of(value)
    if found := _grouped(value, palette, up_of(value, "y")):
        return found
    key = next((k for k in _by_likeliness(value) if list_of(value[k], is_row)), None)
    if key is None:
        inner = (value[k] for k in _by_likeliness(value) if isinstance(value[k], (list, Mapping)))
        return next((one for v in inner if (one := _grouped(v, palette, up_of(value, "y")))), None)
    cells = value[key]
    own = key == "voxels" and (isinstance(cells[0], list) or (bool(palette) and size_of(value) is not None))
    up = up_of(value, "z" if own else "y")
    return _listed(cells, palette, up, size_of(value) if up == "z" else None)


def cells_of(lines: list[str]) -> Foreign:
    """Read lines "0, 0, 0, stone"; y up."""
    return _listed(lines, {}, "y", None)


def _by_likeliness(value: Mapping[Any, Any]) -> list[Any]:
    """Return the keys that may hold the cells, the usual ones first."""
    known = [k for k in LISTS if k in value]
    if "layers" in value:
        return known
    others = [k for k in list(value)[:100] if k not in LISTS and fold(str(k)) not in NO_CELLS]
    return known + others


def _listed(
    cells: list[Any], palette: Mapping[str, Any], up: str, size: tuple[int, int, int] | None
) -> Foreign:
    if isinstance(cells[0], list) and cells[0] and all(isinstance(name, str) for name in cells[0]):
        cells = cells[1:] if fold(cells[0][0]) in ("x", "block", "type") else cells  # the names of columns
    drawing = Drawing(palette, up)
    add_cells(drawing, cells)
    if size is not None:
        _count_from_zero(drawing, size)
    return drawing.finish("plain voxel grid" if up == "z" else "voxel list", size)


def _grouped(value: Any, palette: Mapping[str, Any], up: str) -> Foreign | None:
    found = cells_in(value)
    if found is None:
        return None
    drawing = Drawing(palette if set(map(str, found[1][:9])) & palette.keys() else {}, up)
    drawing.cells(*found)
    return drawing.finish("voxel list")


def _count_from_zero(drawing: Drawing, size: tuple[int, int, int]) -> None:
    """Move cells that are counted from 1 to the size."""
    bounds = drawing.bounds()
    if bounds is not None and (bounds[0] == 1).all() and (bounds[1] == size).all():
        drawing.move(-1)
        drawing.notes.add("$.voxels", "cells are counted from 1", "moved everything by -1")


def keyed(value: Any) -> Foreign | None:
    """Cells under their coordinates: {"0,0,0": "stone"} or {"(0, 0, 0)": …}; our own axes."""
    cells = value
    if isinstance(value, Mapping):
        cells = next((value[k] for k in LISTS if isinstance(value.get(k), Mapping)), value)
    if not isinstance(cells, Mapping) or not cells:
        return None
    keys = list(cells)
    if not all(isinstance(k, str) and PLACE.fullmatch(k) for k in (keys[0], keys[-1], keys[len(keys) // 2])):
        return None
    drawing = Drawing(palette_of(value) if cells is not value else {}, "z")
    numbers: list[int] = []
    names: list[Any] = []
    for key, name in cells.items():
        if isinstance(key, str) and (found := PLACE.fullmatch(key)):
            numbers += map(int, found.groups())
            names.append(name)
        else:
            drawing.lost += 1
    drawing.cells(np.array(numbers).reshape(-1, 3), names)
    return drawing.finish("cells by coordinates", size_of(value) if isinstance(value, Mapping) else None)


# --------------------------------------------------------------------------- arrays


def arrays(value: Any) -> Foreign | None:
    """Nested arrays grid[z][y][x] of numbers or names, bare or under a key, z up, 0 and "" empty."""
    grid, palette, pictured = value, {}, False
    if isinstance(value, Mapping):
        key = next((k for k in value if _is_nested(value[k])), None)
        if key is None:
            return None
        grid, palette = value[key], palette_of(value)
        pictured = key == "layers"  # as in text, the first row of a layer is the back
    elif not _is_nested(value):
        return None
    drawing = Drawing(palette, "z")
    cells = _stacked(grid, _Codes(drawing))
    return _finished(cells[:, ::-1] if pictured else cells, drawing, "nested grid")


def flat_array(value: Any) -> Foreign | None:
    """Read a grid in one list: {"size": [X, Y, Z], "data": [0, 1, …]}, x fastest, then y, then z up.

    As Sponge schematics have it, {"Width", "Height", "Length", "BlockData"}, y is up and z comes second.
    """
    if not isinstance(value, Mapping):
        return None
    sides = [v for v in map(value.get, ("Width", "Length", "Height")) if type(v) is int and 0 < v <= MAX_SIDE]
    sponge = len(sides) == 3
    size = (sides[0], sides[1], sides[2]) if sponge else size_of(value)
    keys = ("data", "voxels", "grid", "cells", "blocks", "array", "values", "BlockData", "Blocks")
    data = next((value[k] for k in keys if isinstance(value.get(k), list)), None)
    if size is None or data is None or len(data) != math.prod(size):
        return None
    if len(data) > MAX_CELLS or any(isinstance(v, (list, Mapping)) for v in data[:100]):
        return None
    drawing = Drawing(palette_of(value), "z")
    wide, deep, tall = size
    cells = np.array(_Codes(drawing).of_row(data), np.uint16).reshape(tall, deep, wide).transpose(2, 1, 0)
    return _finished(cells[:, ::-1] if sponge else cells, drawing, "flat grid")


def _finished(cells: NDArray[np.uint16], drawing: Drawing, name: str) -> Foreign:
    if not cells.any():
        raise ReplyError(f"the {name} holds no block", "is the reply complete?")
    if any(side > MAX_SIDE for side in cells.shape):
        problem = f"{cells.shape} cells are beyond the limits"
        drawing.notes.add("$", problem, f"kept {MAX_SIDE} a side", "loss")
        cells = cells[:MAX_SIDE, :MAX_SIDE, :MAX_SIDE]
    narrow = cells.astype(np.uint8 if len(drawing.materials) <= 256 else np.uint16, order="C")
    return Foreign(name, compact(narrow, drawing.materials), repairs=tuple(drawing.notes.all()))


def _stacked(grid: list[Any], codes: _Codes) -> NDArray[np.uint16]:
    """Return (X, Y, Z) palette indices of grid[z][y][x]; short rows end in air."""
    layers = [[row for row in layer if isinstance(row, list)] for layer in grid if isinstance(layer, list)]
    deep = max(map(len, layers), default=0)
    wide = max((len(row) for layer in layers for row in layer), default=0)
    if wide * deep * len(layers) > MAX_CELLS:
        raise ReplyError(f"{wide}×{deep}×{len(layers)} cells are beyond the limits", "make the grid smaller")
    cells = np.zeros((len(layers), deep, wide), np.uint16)
    for z, layer in enumerate(layers):
        for y, row in enumerate(layer):
            cells[z, y, : len(row)] = codes.of_row(row)
    return cells.transpose(2, 1, 0)


class _Codes(dict[Any, int]):
    """Palette indices of the items of a grid, each worked out once."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing

    def of_row(self, row: list[Any]) -> list[int]:
        """Return the palette indices of a row."""
        try:
            return list(map(self.__getitem__, row))
        except TypeError:  # lists are no keys
            return [self[cell] if plain(cell) is cell else self.__missing__(cell) for cell in row]

    def __missing__(self, cell: Any) -> int:
        palette = self.drawing.palette
        code = 0 if _is_empty(cell, palette) else self.drawing.index(_shown(cell, palette))
        if plain(cell) is cell:
            self[cell] = code
        return code


def _is_nested(value: Any) -> bool:
    """Say whether a value is grid[z][y][x] of plain items."""
    for _ in range(2):
        if not isinstance(value, list) or not value or not all(isinstance(v, list) for v in value[:1000]):
            return False
        value = next((v for v in value if v), None)
    return isinstance(value, list) and not any(
        isinstance(v, (list, Mapping)) and len(v) > 4 for v in value[:100]
    )


def _is_empty(cell: Any, palette: Mapping[str, Any]) -> bool:
    if cell in (0, "0", None, "", ".", " ", False):
        return str(cell) not in palette or is_air(palette[str(cell)])
    return is_air(cell)


def _shown(cell: Any, palette: Mapping[str, Any]) -> Any:
    """Return what a cell is made of; a small number without palette gets a colour of its own."""
    number = isinstance(cell, (int, float)) and not isinstance(cell, bool)
    return f"material {cell:g}" if number and str(cell) not in palette and cell < 4096 else cell


# --------------------------------------------------------------------------- plain layers


def plain_layers(value: Any) -> Foreign | None:
    """Plain grids {"size", "palette", "layers": ["row/row", …]}: a document of one step."""
    if not isinstance(value, Mapping) or "build" in value:
        return None
    layers = value.get("layers")
    text = list_of(layers, _is_layer) or isinstance(layers, Mapping)
    if not text or (isinstance(layers, list) and _is_nested(layers)):
        return None
    step = {"layers": layers, **{k: value[k] for k in ("at", "key", "facing") if k in value}}
    rest = {k: v for k, v in value.items() if k not in ("layers", "at", "key", "facing")}
    repairs = [_top_first(layers)] if isinstance(layers, list) and _is_fullest_on_top(layers) else []
    size = size_of(value)
    if size and isinstance(layers, list) and len(layers) < size[2] and "facing" not in value:
        problem = f"{len(layers)} layers in a scene {size[2]} high"
        repairs.append(Repair("$.layers", problem, "left the top empty"))
    return Foreign("plain layers", document={**rest, "build": [step]}, repairs=tuple(repairs))


def _is_layer(value: Any) -> bool:
    if isinstance(value, Mapping):
        return not is_cell(value) and any(
            isinstance(value.get(k), (str, list)) for k in ("rows", "grid", "data")
        )
    return isinstance(value, (str, list)) and bool(value)


def _is_fullest_on_top(layers: list[Any]) -> bool:
    """Say whether the last of at least three text slices holds most cells, by far more than the first."""
    texts = ["/".join(v) if isinstance(v, list) and all(isinstance(r, str) for r in v) else v for v in layers]
    if len(texts) < 3 or not all(isinstance(v, str) for v in texts):
        return False
    filled = [len(re.sub(r"[\s./_~]", "", layer)) for layer in texts]
    return filled[-1] == max(filled) and filled[-1] > 2 * filled[0]


def _top_first(layers: list[Any]) -> Repair:
    problem = f"the last of {len(layers)} layers is the fullest: they may run from the top down"
    return Repair("$.layers", problem, "kept the first at the bottom")
