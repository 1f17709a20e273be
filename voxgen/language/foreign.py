"""Other people's formats → a grid: told by their shape, each with its own axes, ends and block names.

Space: all the JSON formats of Minecraft and three.js tools have y up and z towards the viewer (south).
Ours has z up and y away from the viewer, so their (x, y, z) is our (x, -z, y): a turn, never a mirror
image. Grids that say nothing of the kind, `{"size", "palette", "voxels"}` and `grid[z][y][x]`, are taken
as ours. The lowest cell ends up at [0, 0, 0], whatever the coordinates were.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import ReplyError
from voxgen.language.blocks import block_material, is_air
from voxgen.language.mending.unwrapping import is_program
from voxgen.language.mending.values import Notes, literal, look, point, show
from voxgen.language.mending.words import looks_like_step
from voxgen.language.palette import fold, guess_material, read_color, read_material
from voxgen.scene import AIR, Material, Repair, VoxelGrid

__all__ = ["Foreign", "recognise", "recognise_text"]

MAX_SIDE = 512
MAX_CELLS = 1 << 27
MAX_PAINTED = 1 << 31  # cells touched by all boxes together
MAX_COLORS = 60_000  # beyond it colours are rounded, to at most 4096 more
MAX_NAMES = 20_000  # beyond it only colours are read; other names get one that depends on the name
MAX_LINES = 100_000  # of a text format
MAX_SETTLED = 200_000  # cells between the cells of the grid that are sorted out one by one
MAX_RUNS = 300_000  # boxes drawn for the rows of a layered build
FAR = 1 << 40  # coordinates beyond this mean nothing

Points = NDArray[np.int64]  # (n, 3)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A build in another format: whose it is, and a grid, or a document in our own language."""

    name: str
    grid: VoxelGrid | None = None
    document: dict[str, Any] | None = None
    repairs: tuple[Repair, ...] = ()


def recognise(value: Any) -> Foreign | None:
    """Read a decoded value in another format; None means that it is our own language, or nothing known.

    Raises ReplyError for programs in place of data, and for builds that hold no cell.
    """
    for candidate in _candidates(value):
        if isinstance(candidate, Mapping) and _is_own(candidate):
            return None
        for reader in _READERS:
            found = reader(candidate)
            if found is not None:
                return found
    if isinstance(value, Mapping) and is_program(value):
        raise ReplyError(
            "the reply is a program, not a scene; voxgen runs no code", "ask for the scene as data"
        )
    return None


def _candidates(value: Any) -> Iterator[Any]:
    """Yield a value and what it may be wrapped in."""
    for _ in range(4):
        yield value
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, Mapping):
            keys = (
                "scene",
                "build",
                "result",
                "output",
                "data",
                "arguments",
                "input",
                "model",
                "structure",
                "schematic",
            )
            inner = next((value[k] for k in keys if isinstance(value.get(k), Mapping)), None)
            if inner is None:
                return
            value = inner
        else:
            return


def _is_own(value: Mapping[Any, Any]) -> bool:
    """Say whether an object has steps of our own language."""
    if "parts" in value or "functions" in value or "textures" in value:
        return True
    for key in ("build", "steps", "objects"):
        if isinstance(value.get(key), list) and any(map(looks_like_step, value[key][:20])):
            return True
    blocks = value.get("blocks")
    return isinstance(blocks, list) and bool(blocks) and all(map(_is_named_step, blocks[:20]))


def _is_named_step(value: Any) -> bool:
    """Say whether an object is a step by its "type", not a block of that type: {"type": "sphere", …}."""
    return isinstance(value, Mapping) and looks_like_step({"type": value.get("type", "")}) and len(value) > 1


# --------------------------------------------------------------------------- painting


class _Build:
    """What a foreign build draws, in order, in our axes: boxes and cells, later ones over earlier ones."""

    def __init__(
        self, palette: Mapping[str, Any] | None = None, up: str = "y", unknown: str | None = None
    ) -> None:
        self.palette = palette or {}
        self.up = up
        self.unknown = unknown  # the colour of keys that are not in the palette
        self.notes = Notes()
        self.materials: list[Material] = [AIR]
        self.indices: dict[Any, int] = {None: 0}
        self.drawn: list[tuple[Points, Points, int, bool] | tuple[Points, NDArray[np.int64]]] = []
        self.lost = 0
        self.rounded = False

    # ----------------------------------------------------------------- collecting

    def index(self, name: Any) -> int:
        """Return the palette index of a block name, colour or palette key; 0 for air."""
        plain = isinstance(name, (str, int, type(None)))
        key = name if plain else tuple(name) if _is_rgb(name) else repr(_short(name))
        found = self.indices.get(key)
        if found is None:
            found = self.indices[key] = self._add(name)
        return found

    def _add(self, name: Any) -> int:
        if len(self.indices) > MAX_NAMES and not isinstance(name, int) and (quick := _quick(name)):
            material: Material | None = quick
        else:
            material = self._material(name)
        if material is None or material.opacity == 0:
            return 0
        if len(self.materials) > MAX_COLORS:
            return self._rounded(material)
        self.materials.append(material)
        return len(self.materials) - 1

    def _rounded(self, material: Material) -> int:
        """Return the index of a colour rounded to 16 steps a channel, where there are too many."""
        red, green, blue = (c & 0xF0 | 8 for c in material.color)
        key = ("rounded", red, green, blue)
        if key not in self.indices:
            if not self.rounded:
                self.notes.add("$", f"there are more than {MAX_COLORS:,} colours", "rounded the rest", "warn")
            self.rounded = True
            self.indices[key] = len(self.materials)
            self.materials.append(Material(material.name, (red, green, blue)))
        return self.indices[key]

    def _material(self, name: Any) -> Material | None:
        if isinstance(name, str) and not self.palette and _HEX.fullmatch(name):
            red, green, blue = bytes.fromhex(name[1:])  # the fast way for millions of them
            return Material(name, (red, green, blue))
        if is_air(name):
            return None
        entry = self.palette.get(str(name)) if isinstance(name, (str, int)) else None
        if entry is not None:
            return self._entry(str(name), entry)
        if self.unknown is not None:
            return read_material(str(name), self.unknown)
        if isinstance(name, str):
            return self._named(name)
        written = look(name)
        if written is None:
            self.notes.add("$", f"{show(name)} is not a colour", "left those cells out", "loss")
            return None
        return read_material(written if isinstance(written, str) else written["color"], written)

    def _entry(self, name: str, entry: Any) -> Material | None:
        if is_air(entry):
            return None
        written = look(entry)
        if written is not None:
            return read_material(name, written)
        word = (
            entry.get("Name", entry.get("name", entry.get("type"))) if isinstance(entry, Mapping) else entry
        )
        return (
            self._named(word)
            if isinstance(word, str) and not is_air(word)
            else None
            if is_air(word)
            else self._named(name)
        )

    def _named(self, name: str) -> Material:
        """Return the material of a block name or colour; what neither knows gets a colour of its own."""
        block = None if name.startswith("#") else block_material(name)
        if block is not None:
            return Material(block.name, block.color, block.opacity, block.glow, block.metal)
        color = read_color(name)
        if color is not None:
            return Material(name, color[0], color[1])
        guess, fix = guess_material(name, ())
        self.notes.add("$", f"{show(name)} is not a block or colour that voxgen knows", fix)
        assert isinstance(guess, Material)
        return guess

    def box(self, a: Any, b: Any, name: Any, hollow: bool = False, open_end: bool = False) -> None:
        """Draw a box between two corners, both included unless `open_end`."""
        low, high = _cell(a), _cell(b)
        if low is None or high is None:
            self.lost += 1
            return
        if open_end:  # the end is the first cell beyond, on whichever side it lies
            low, high = np.minimum(low, high), np.maximum(low, high) - 1
            if (high < low).any():
                return
        ends = _turned(np.stack([low, high]), self.up)
        self.drawn.append((ends.min(0), ends.max(0), self.index(name), hollow))

    def cells(self, points: Points, indices: NDArray[np.int64]) -> None:
        """Draw single cells, each with its palette index."""
        if len(points):
            self.drawn.append((_turned(points, self.up), indices))

    def line(self, a: Any, b: Any, name: Any) -> None:
        """Draw a straight line of single cells, both ends included."""
        first, last = _cell(a), _cell(b)
        if first is None or last is None:
            self.lost += 1
            return
        steps = int(np.abs(last - first).max())
        if steps > 1 << 20:
            self.lost += 1
            return
        t = np.arange(steps + 1)[:, None] / max(steps, 1)
        points = np.floor(first + (last - first) * t + 0.5).astype(np.int64)
        self.cells(points, np.full(len(points), self.index(name)))

    # ----------------------------------------------------------------- finishing

    def finish(self, name: str, size: tuple[int, int, int] | None = None) -> Foreign:
        """Draw everything into a grid, as small as what is drawn, or of a given size where that fits."""
        if self.lost:
            blocks = "1 block has" if self.lost == 1 else f"{self.lost:,} blocks have"
            self.notes.add("$", f"{blocks} no place", "left out", "loss")
        bounds = self._bounds()
        if bounds is None:
            raise ReplyError(f"the {name} holds no block", "is the reply complete?")
        low, high = self._window(*bounds)
        if size is not None and (low >= 0).all() and (high < size).all():
            low, high = np.zeros(3, np.int64), np.array(size) - 1
        dtype = np.uint8 if len(self.materials) <= 256 else np.uint16
        grid = np.zeros(high - low + 1, dtype)
        self._paint(grid, low)
        if size is None:
            grid = _cropped(grid)
        if not grid.any():
            raise ReplyError(f"the {name} holds no block", "everything drawn is carved away again")
        return Foreign(name, _compact(grid, self.materials), repairs=tuple(self.notes.all()))

    def _bounds(self) -> tuple[Points, Points] | None:
        lows, highs = [], []
        for drawn in self.drawn:
            if len(drawn) == 4:
                if drawn[2]:
                    lows.append(drawn[0])
                    highs.append(drawn[1])
            elif (solid := drawn[1] != 0).any():
                lows.append(drawn[0][solid].min(0))
                highs.append(drawn[0][solid].max(0))
        return (np.min(lows, 0), np.max(highs, 0)) if lows else None

    def _window(self, low: Points, high: Points) -> tuple[Points, Points]:
        """Limit the bounds to MAX_SIDE a side, around the middle of what is drawn."""
        if (high - low < MAX_SIDE).all():
            return low, high
        middles = [d[0] if len(d) == 2 else (d[0] + d[1])[None] // 2 for d in self.drawn]
        places = np.concatenate(middles)
        away = np.abs(places - np.median(places, axis=0)).max(axis=1)
        middle = places[away.argmin()]
        start = np.maximum(low, np.minimum(middle - MAX_SIDE // 2, high - MAX_SIDE + 1))
        start = np.where(high - low < MAX_SIDE, low, start)
        size = "×".join(str(min(int(v), 10**12)) for v in high - low + 1)
        self.notes.add(
            "$", f"{size} cells are beyond the limits", f"kept {MAX_SIDE} a side around the middle", "loss"
        )
        return start, np.minimum(high, start + MAX_SIDE - 1)

    def _paint(self, grid: NDArray[Any], low: Points) -> None:
        left = MAX_PAINTED
        top = np.array(grid.shape)
        for drawn in self.drawn:
            if len(drawn) == 2:
                at, inside = drawn[0] - low, None
                inside = ((at >= 0) & (at < top)).all(1)
                x, y, z = at[inside].T
                grid[x, y, z] = drawn[1][inside]  # in order: of two in one cell the later wins
                continue
            a, b = np.maximum(drawn[0] - low, 0), np.minimum(drawn[1] - low + 1, top)
            if (a >= b).any():
                continue
            left -= int((b - a).prod())
            if left < 0:
                self.notes.add("$", "the boxes overlap too often", "left the rest out", "loss")
                return
            if drawn[3]:
                _paint_shell(grid, drawn[0] - low, drawn[1] - low, a, b, drawn[2])
            else:
                grid[a[0] : b[0], a[1] : b[1], a[2] : b[2]] = drawn[2]


def _quick(name: Any) -> Material | None:
    """Return the material of the twenty-thousandth new name, at little cost; None for plain colours."""
    if isinstance(name, str):
        if name.startswith("#") or name in _AIR_WORDS:
            return None
        return Material(name[:80], _hashed(name))
    if _is_rgb(name) and 1 < max(name) <= 255 and min(name) >= 0:
        return Material("#" + bytes(name).hex(), (name[0], name[1], name[2]))
    return None


def _is_rgb(value: Any) -> bool:
    """Say whether a value is a list of three whole numbers."""
    return (
        type(value) is list and len(value) == 3 and type(value[0]) is type(value[1]) is type(value[2]) is int
    )


def _hashed(name: str) -> tuple[int, int, int]:
    red, green, blue, _ = zlib.crc32(name.encode()).to_bytes(4, "big")
    return red, green, blue


def _paint_shell(grid: NDArray[Any], low: Points, high: Points, a: Points, b: Points, index: int) -> None:
    """Paint the six sides of a box, as far as they lie in the grid (a included, b not)."""
    for axis in range(3):
        for side in (low[axis], high[axis]):
            if a[axis] <= side < b[axis]:
                where = [slice(int(p), int(q)) for p, q in zip(a, b, strict=True)]
                where[axis] = slice(int(side), int(side) + 1)
                grid[tuple(where)] = index


def _turned(points: Points, up: str) -> Points:
    """Return points in our axes: (x, y, z) with y up becomes (x, -z, y)."""
    return points if up == "z" else np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)


def _cropped(grid: NDArray[Any]) -> NDArray[Any]:
    """Return the smallest part of a grid that holds everything; the grid itself where nothing goes."""
    for axis in range(3):
        filled = np.flatnonzero(grid.any(axis=tuple(a for a in range(3) if a != axis)))
        if len(filled) and (filled[0] or filled[-1] < grid.shape[axis] - 1):
            where = [slice(None)] * 3
            where[axis] = slice(int(filled[0]), int(filled[-1]) + 1)
            grid = grid[tuple(where)]
    return np.ascontiguousarray(grid)


def _compact(grid: NDArray[Any], materials: list[Material]) -> VoxelGrid:
    """Drop materials that no cell uses."""
    used = (
        np.bincount(grid.reshape(-1), minlength=len(materials)) > 0
        if grid.size < 1 << 22
        else _used(grid, len(materials))
    )
    used[0] = True
    if used.all():
        return VoxelGrid(grid, tuple(materials))
    table = (np.cumsum(used) - 1).astype(np.uint8 if used.sum() <= 256 else np.uint16)
    kept = tuple(m for m, keep in zip(materials, used, strict=True) if keep)
    return VoxelGrid(table[grid], kept)


def _used(grid: NDArray[Any], count: int) -> NDArray[np.bool_]:
    used = np.zeros(count, bool)
    for slab in grid:  # a slab at a time, to keep temporaries small
        used[slab.reshape(-1)] = True
    return used


# --------------------------------------------------------------------------- reading places


def _cell(value: Any) -> Points | None:
    """Return the cell of a point, halves rounded up; None where it is none or lies beyond all bounds."""
    found = point(value)
    numbers = [literal(v) for v in found] if found else []
    if len(numbers) != 3 or any(n is None or abs(n) > FAR for n in numbers):
        return None
    return np.floor(np.array(numbers, np.float64) + 0.5).astype(np.int64)


def _cell_array(rows: list[Any]) -> tuple[Points, NDArray[np.bool_]]:
    """Return (n, 3) cells of [x, y, z] rows and which rows are good."""
    try:
        table = np.array(rows, np.float64).reshape(-1, 3)
    except (TypeError, ValueError, OverflowError):
        plain = [[literal(v) for v in row] for row in rows]
        table = np.array([[np.nan if v is None else float(v) for v in row] for row in plain]).reshape(-1, 3)
    good: NDArray[np.bool_] = np.all(np.abs(table) <= FAR, axis=1)
    return _settled(table[good]), good


def _settled(places: NDArray[np.float64]) -> Points:
    """Put (n, 3) places between the cells into the nearest free one, so that none covers another.

    Whole numbers stay; what lies between goes no further out than the cells at the ends do.
    """
    whole = (places == np.floor(places)).all(1)
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
        cell = tuple(b + o for b, o in zip(base, offset, strict=True))
        if cell not in taken and all(a <= c <= b for a, c, b in zip(low, cell, high, strict=True)):
            return cell
    return tuple(min(max(b, c), d) for b, c, d in zip(base, low, high, strict=True))


@lru_cache(maxsize=1024)
def _around(fraction: tuple[float, ...]) -> list[tuple[int, ...]]:
    """Return the cells around a place in a cell, nearest first."""
    offsets = product(range(-2, 4), repeat=3)
    return sorted(offsets, key=lambda o: (sum((a - f) ** 2 for a, f in zip(o, fraction, strict=True)), o))


def _short(value: Any) -> Any:
    """Return a value as a key: containers by their first items only."""
    if isinstance(value, Mapping):
        return [(str(k), _plain(v)) for k, v in list(value.items())[:8]]
    return [_plain(v) for v in list(value)[:8]] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__


_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_AIR_WORDS = ("", ".", "air", "minecraft:air", "none", "empty")
_XYZ = ("x", "y", "z")
_CELL_NAMES = (
    "c",
    "color",
    "colour",
    "type",
    "block",
    "material",
    "mat",
    "id",
    "hex",
    "value",
    "name",
    "key",
    "state",
    "rgb",
    "v",
)


def _is_cell(value: Any) -> bool:
    return isinstance(value, Mapping) and all(axis in value for axis in _XYZ)


def _name_in(cell: Mapping[str, Any]) -> Any:
    """Return what a cell is made of, under whichever key."""
    for key in _CELL_NAMES:
        if key in cell:
            return cell[key]
    for red, green, blue in (("r", "g", "b"), ("red", "green", "blue")):
        if red in cell and green in cell and blue in cell:
            return [cell[red], cell[green], cell[blue]]
    return "#b0b0b0"


def _first(value: Mapping[Any, Any], *keys: str) -> Any:
    return next((value[k] for k in keys if k in value), None)


def _list_of(value: Any, test: Callable[[Any], bool]) -> bool:
    """Say whether a value is a list of which half of nine samples pass a test, and an early one."""
    if not isinstance(value, list) or not value:
        return False
    samples = [value[i] for i in sorted({i * (len(value) - 1) // 8 for i in range(9)})]
    return any(map(test, samples[:2])) and sum(map(test, samples)) * 2 >= len(samples)


# --------------------------------------------------------------------------- the formats


def _cuboids(value: Any) -> Foreign | None:
    """MinecraftLM: {"blocks": [{"start", "end", "type", "fill"}]}, the end excluded, later over earlier."""
    blocks = value.get("blocks", value.get("structures")) if isinstance(value, Mapping) else None
    if not _list_of(blocks, lambda b: isinstance(b, Mapping) and "start" in b and "end" in b):
        return None
    build = _Build()
    for block in blocks or []:
        if isinstance(block, Mapping):
            name = _first(block, "type", "block", "material", "name")
            build.box(block.get("start"), block.get("end"), name, block.get("fill") is False, open_end=True)
    return build.finish("MinecraftLM build")


def _minebench(value: Any) -> Foreign | None:
    """MineBench: {"boxes", "lines", "blocks"}, ends included; blocks over lines over boxes."""
    if not isinstance(value, Mapping):
        return None
    boxes, lines, blocks = (value.get(k) for k in ("boxes", "lines", "blocks"))
    told = (_list_of(boxes, _is_block), _list_of(lines, _is_block), _list_of(blocks, _is_block))
    if not any(told) or (told == (False, False, True) and "palette" in value):
        return None
    build = _Build()
    for box in boxes if isinstance(boxes, list) else []:
        ends = _ends(box)
        build.box(*ends, _name_in(box)) if ends else _lose(build)
    for line in lines if isinstance(lines, list) else []:
        ends = _ends(line)
        build.line(*ends, _name_in(line)) if ends else _lose(build)
    _add_cells(build, blocks if isinstance(blocks, list) else [])
    return build.finish("MineBench build")


def _is_block(value: Any) -> bool:
    return isinstance(value, Mapping) and (_is_cell(value) or _ends(value) is not None)


def _lose(build: _Build) -> None:
    build.lost += 1


def _ends(value: Any) -> tuple[Any, Any] | None:
    """Return the two ends of a box or line: x1…z2, or from and to, min and max, start and end."""
    if not isinstance(value, Mapping):
        return None
    if all(axis + end in value for axis in _XYZ for end in "12"):
        return [value[a + "1"] for a in _XYZ], [value[a + "2"] for a in _XYZ]
    for first, last in (("from", "to"), ("min", "max"), ("start", "end"), ("p1", "p2"), ("a", "b")):
        if first in value and last in value:
            return value[first], value[last]
    return None


def _add_cells(build: _Build, cells: Iterable[Any]) -> None:
    """Draw [{"x", "y", "z", …}] and [[x, y, z, name]] lists."""
    cells = list(cells)
    places, names = _columns(cells) or _mixed_columns(build, cells)
    if not places:
        return
    indices = np.array(list(map(build.index, names)), np.int64)
    points, good = _cell_array(places)
    build.lost += len(places) - len(points)
    between = sum(any(type(v) is float and 0 < v % 1 < 1 for v in place) for place in places)
    if between:
        problem = f"{between:,} places lie between cells" if between > 1 else "1 place lies between cells"
        build.notes.add("$", problem, "used the nearest free cell", "info")
    build.cells(points, indices[good])


def _columns(cells: list[Any]) -> tuple[list[Any], list[Any]] | None:
    """Split cells of one form into places and names, the fast way; None where they are not of one form."""
    if all(type(cell) is list and len(cell) == 4 for cell in cells):
        return [cell[:3] for cell in cells], [cell[3] for cell in cells]
    key = next((k for k in _CELL_NAMES if k in cells[0]), None) if _is_cell(cells[0]) else None
    try:
        return [[c["x"], c["y"], c["z"]] for c in cells], [c[key] for c in cells]
    except (TypeError, KeyError, IndexError):
        return None


def _mixed_columns(build: _Build, cells: list[Any]) -> tuple[list[Any], list[Any]]:
    """Split cells of any form into places and names, one by one."""
    places, names = [], []
    for cell in cells:
        if isinstance(cell, Mapping) and not _is_cell(cell):
            place = point(_first(cell, "pos", "position", "at", "p"))
            cell = dict(cell) | dict(zip(_XYZ, place, strict=True)) if place else cell
        if _is_cell(cell):
            places.append([cell["x"], cell["y"], cell["z"]])
            names.append(_name_in(cell))
        elif isinstance(cell, (list, tuple)) and len(cell) >= 3:
            rest = cell[3:]
            places.append(list(cell[:3]))
            names.append("#b0b0b0" if not rest else rest[0] if len(rest) < 3 else list(rest[:3]))
        else:
            build.lost += 1
    return places, names


def _artist(value: Any) -> Foreign | None:
    """VoxelAIArtist: {"palette": {key: hex}, "ops": [["fill", …], …]}, ends included, later over earlier."""
    ops = value.get("ops") if isinstance(value, Mapping) else None
    if not _list_of(ops, lambda op: isinstance(op, list) and len(op) > 3 and isinstance(op[0], str)):
        return None
    assert isinstance(value, Mapping)
    palette = value.get("palette")
    build = _Build(
        {str(k): v for k, v in palette.items()} if isinstance(palette, Mapping) else {}, unknown="#cccccc"
    )
    for op in ops or []:
        if not isinstance(op, list) or not op or not _artist_op(build, fold(str(op[0])), op[1:]):
            build.lost += 1
    return build.finish("VoxelAIArtist build")


def _artist_op(build: _Build, name: str, rest: list[Any]) -> bool:
    """Draw one operation; say whether it could be read."""
    if name in ("fill", "box") and len(rest) >= 7:
        build.box(rest[:3], rest[3:6], rest[6], hollow=name == "box")
    elif name == "line" and len(rest) >= 7:
        build.line(rest[:3], rest[3:6], rest[6])
    elif name == "del" and len(rest) >= 3:
        build.box(rest[:3], rest[3:6] if len(rest) >= 6 else rest[:3], None)
    elif name == "rect" and len(rest) >= 7 and rest[0] in _XYZ:
        level, axis = rest[1], _XYZ.index(rest[0])
        first, last = [rest[2], rest[3]], [rest[4], rest[5]]
        first.insert(axis, level)
        last.insert(axis, level)
        build.box(first, last, rest[6])
    elif name == "set" and len(rest) >= 4:
        triples = [rest[i : i + 3] for i in range(1, len(rest) - 2, 3)]
        _add_cells(build, [[*triple, rest[0]] for triple in triples])
    else:
        return False
    return True


def _structure(value: Any) -> Foreign | None:
    """Minecraft structure files as JSON: {"palette": [{"Name"}], "blocks": [{"state", "pos"}]}."""
    if not isinstance(value, Mapping) or not isinstance(value.get("palette"), list):
        return None
    blocks = value.get("blocks")
    if not _list_of(blocks, lambda b: isinstance(b, Mapping) and "state" in b and "pos" in b):
        return None
    build = _Build({str(i): entry for i, entry in enumerate(value["palette"])})
    rows = [
        [*b["pos"][:3], b["state"]]
        for b in blocks or []
        if isinstance(b, Mapping) and isinstance(b.get("pos"), list)
    ]
    _add_cells(build, rows)
    return build.finish("Minecraft structure")


def _cell_list(value: Any) -> Foreign | None:
    """Any list of [{"x", "y", "z", "c"}] or [[x, y, z, "minecraft:stone"]], bare or under a key; y up."""
    cells, palette, up, size = value, {}, "y", None
    if isinstance(value, Mapping):
        key = next(
            (
                k
                for k in ("voxels", "blocks", "cells", "cubes", "points", "data")
                if _list_of(value.get(k), _is_row)
            ),
            "",
        )
        if not key:
            return None
        cells, palette = value[key], _palette_of(value)
        own = key == "voxels" and (isinstance(cells[0], list) or (bool(palette) and "size" in value))
        up = _up(value, "z" if own else "y")
        size = _size_of(value) if up == "z" else None
    elif not _list_of(value, _is_row) or (isinstance(value[0], list) and not _are_rows(value)):
        return None
    build = _Build(palette, up)
    _add_cells(build, cells)
    if size is not None:
        _count_from_zero(build, size)
    return build.finish("plain voxel grid" if up == "z" else "voxel list", size)


def _is_row(value: Any) -> bool:
    """Say whether a value is {"x", "y", "z"} or [x, y, z, …]."""
    if isinstance(value, Mapping):
        return _is_cell(value) or any(isinstance(value.get(k), list) for k in ("pos", "position"))
    return isinstance(value, list) and 3 <= len(value) <= 7 and all(literal(v) is not None for v in value[:3])


def _are_rows(rows: list[Any]) -> bool:
    """Say whether all the first hundred are rows, not only the few that were looked at."""
    return all(isinstance(row, (list, Mapping)) for row in rows[:100])


def _palette_of(value: Mapping[Any, Any]) -> dict[str, Any]:
    palette = next(
        (value[k] for k in ("palette", "colors", "materials", "legend", "key") if k in value), None
    )
    if isinstance(palette, list):
        return {str(i): entry for i, entry in enumerate(palette)}
    return {str(k): v for k, v in palette.items()} if isinstance(palette, Mapping) else {}


def _up(value: Mapping[Any, Any], default: str) -> str:
    """Return which axis is declared as up."""
    declared = next((str(value[k]).lower() for k in ("up", "upAxis", "up_axis", "upaxis") if k in value), "")
    return declared[-1] if declared[-1:] in ("y", "z") else default


def _size_of(value: Mapping[Any, Any]) -> tuple[int, int, int] | None:
    sides = [literal(v) for v in value["size"]] if isinstance(value.get("size"), list) else []
    good = [int(s) for s in sides if s is not None and 1 <= s <= MAX_SIDE]
    return (good[0], good[1], good[2]) if len(good) == len(sides) == 3 else None


def _count_from_zero(build: _Build, size: tuple[int, int, int]) -> None:
    """Move cells that are counted from 1 to the size."""
    bounds = build._bounds()
    if bounds is None or not ((bounds[0] == 1).all() and (bounds[1] == size).all()):
        return
    build.drawn = [(d[0] - 1, d[1]) for d in build.drawn if len(d) == 2]
    build.notes.add("$.voxels", "cells are counted from 1", "moved everything by -1")


def _arrays(value: Any) -> Foreign | None:
    """Nested arrays grid[z][y][x] of numbers or names, bare or under "grid", z up, 0 and "" empty."""
    grid, palette, pictured = value, {}, False
    if isinstance(value, Mapping):
        keys = ("grid", "voxels", "layers", "data", "cells", "blocks", "array")
        key = next((k for k in keys if _is_nested(value.get(k))), "")
        if not key:
            return None
        grid, palette = value[key], _palette_of(value)
        pictured = key == "layers"  # as in text, the first row of a layer is the back
    elif not _is_nested(value):
        return None
    build = _Build(palette, "z")
    cells = _stacked(grid, _Codes(build))
    if pictured:
        cells = cells[:, ::-1]
    if not cells.any():
        raise ReplyError("the nested grid holds no block", "is the reply complete?")
    if any(side > MAX_SIDE for side in cells.shape):
        build.notes.add("$", f"{cells.shape} cells are beyond the limits", f"kept {MAX_SIDE} a side", "loss")
        cells = cells[:MAX_SIDE, :MAX_SIDE, :MAX_SIDE]
    narrow = cells.astype(np.uint8 if len(build.materials) <= 256 else np.uint16, order="C")
    found = _compact(narrow, build.materials)
    return Foreign("nested grid", found, repairs=tuple(build.notes.all()))


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
    """Palette indices of the items of a nested grid, each worked out once."""

    def __init__(self, build: _Build) -> None:
        self.build = build

    def of_row(self, row: list[Any]) -> list[int]:
        """Return the palette indices of a row."""
        try:
            return list(map(self.__getitem__, row))
        except TypeError:  # lists are no keys
            return [self[cell] if _plain(cell) is cell else self.__missing__(cell) for cell in row]

    def __missing__(self, cell: Any) -> int:
        palette = self.build.palette
        code = 0 if _is_empty(cell, palette) else self.build.index(_shown(cell, palette))
        if _plain(cell) is cell:
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
    """Return what a cell is made of; a number without palette gets a colour of its own."""
    if (
        isinstance(cell, (int, float))
        and not isinstance(cell, bool)
        and str(cell) not in palette
        and cell < 4096
    ):
        return f"material {cell:g}"
    return cell


def _layered(value: Any) -> Foreign | None:
    """VibeCraft: {"p": {"S": "stone"}, "l": [[0, "S*10|S P*8 S~8"], ["1-3", …]]}, long or short; y up.

    Rows run from north to south, `S*10` repeats a block, `~8` a whole row, `.`, `_` and `~` are air.
    """
    if not isinstance(value, Mapping):
        return None
    layers = _first(value, "l", "layers")
    shape = _first(value, "s", "shape")
    palette = _first(value, "p", "palette")
    short = isinstance(shape, str) and ":" in shape and isinstance(palette, Mapping)
    if not _list_of(layers, _is_level) and not short:
        return None
    build = _Build({**_palette_of({"palette": palette or {}}), **dict.fromkeys((".", "_", "~", " "), "air")})
    for layer in layers if isinstance(layers, list) else []:
        if not _is_level(layer):
            build.lost += 1
            continue
        levels, rows = _level(layer)
        for z, row in enumerate(rows):
            _add_row(build, row, levels, z)
        if len(build.drawn) > MAX_RUNS:
            build.notes.add("$.layers", "too many runs", "left the rest out", "loss")
            break
    if short:
        _add_shape(build, str(shape))
    return build.finish("VibeCraft build")


def _add_row(build: _Build, row: list[str], levels: list[int], z: int) -> None:
    """Draw a row on all its levels, a box for each run of one block; air skips what stands there."""
    x = 0
    for name, run in groupby(row):
        end = x + len(list(run))
        if build.index(name):
            build.box([x, levels[0], z], [end - 1, levels[-1], z], name)
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


def _levels(value: Any) -> list[int]:
    """Read 3, "3" or "1-3"."""
    found = re.fullmatch(r"\s*(-?\d{1,4})(?:\s*(?:-|\.\.|to)\s*(-?\d{1,4}))?\s*", str(value))
    if not found:
        return []
    first = int(found[1])
    return list(range(first, min(int(found[2] or first), first + MAX_SIDE) + 1))


def _level(layer: Any) -> tuple[list[int], list[list[str]]]:
    """Return the levels a layer stands on, and its rows of palette keys."""
    if isinstance(layer, Mapping):
        levels, rows = _levels(_first(layer, "y", "y_offset", "level")), _first(layer, "rows", "grid")
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


def _add_shape(build: _Build, shape: str) -> None:
    """Draw "box:10x5x10:S" (hollow) or "room:12x4x12:W:F" (its floor of F)."""
    found = re.fullmatch(r"\s*(box|room):(\d{1,4})x(\d{1,4})x(\d{1,4}):([^:]+)(?::([^:]+))?\s*", shape)
    if not found:
        build.lost += 1
        return
    wide, tall, deep = (int(found[i]) - 1 for i in (2, 3, 4))
    build.box([0, 0, 0], [wide, tall, deep], found[5], hollow=True)
    if found[1] == "room" and found[6]:
        build.box([0, 0, 0], [wide, 0, deep], found[6])


def _plain_layers(value: Any) -> Foreign | None:
    """Plain grids {"size", "palette", "layers": ["row/row", …]}: a document of one step."""
    if not isinstance(value, Mapping) or "build" in value:
        return None
    layers = value.get("layers")
    text = _list_of(layers, lambda v: isinstance(v, (str, list)) and bool(v)) or isinstance(layers, Mapping)
    if not text or (isinstance(layers, list) and _is_nested(layers)):
        return None
    step = {"layers": layers, **{k: value[k] for k in ("at", "key", "facing") if k in value}}
    rest = {k: v for k, v in value.items() if k not in ("layers", "at", "key", "facing")}
    repairs = (_top_first(layers),) if isinstance(layers, list) and _is_fullest_on_top(layers) else ()
    return Foreign("plain layers", document={**rest, "build": [step]}, repairs=repairs)


def _is_fullest_on_top(layers: list[Any]) -> bool:
    """Say whether the last of at least three text slices holds most cells, by far more than the first."""
    if len(layers) < 3 or not all(isinstance(v, str) for v in layers):
        return False
    filled = [len(re.sub(r"[\s./_~]", "", layer)) for layer in layers]
    return filled[-1] == max(filled) and filled[-1] > 2 * filled[0]


def _top_first(layers: list[Any]) -> Repair:
    problem = f"the last of {len(layers)} layers is the fullest: they may run from the top down"
    return Repair("$.layers", problem, "kept the first at the bottom")


def _keyed(value: Any) -> Foreign | None:
    """Cells under their coordinates: {"0,0,0": "stone"} or {"(0, 0, 0)": …}; our own axes."""
    cells = value
    if isinstance(value, Mapping):
        cells = next(
            (value[k] for k in ("voxels", "blocks", "cells") if isinstance(value.get(k), Mapping)), value
        )
    if not isinstance(cells, Mapping) or not cells:
        return None
    keys = list(cells)
    if not all(isinstance(k, str) and _PLACE.fullmatch(k) for k in (keys[0], keys[-1], keys[len(keys) // 2])):
        return None
    build = _Build(_palette_of(value) if cells is not value else {}, "z")
    rows = []
    for key, name in cells.items():
        found = _PLACE.fullmatch(key) if isinstance(key, str) else None
        rows.append([int(found[1]), int(found[2]), int(found[3]), name] if found else None)
    _add_cells(build, rows)
    return build.finish("cells by coordinates", _size_of(value) if isinstance(value, Mapping) else None)


_PLACE = re.compile(r"\s*[(\[]?\s*(-?\d{1,9})\s*[,;_ ]\s*(-?\d{1,9})\s*[,;_ ]\s*(-?\d{1,9})\s*[)\]]?\s*")
_READERS: tuple[Callable[[Any], Foreign | None], ...] = (
    _cuboids,
    _artist,
    _structure,
    _minebench,
    _cell_list,
    _layered,
    _arrays,
    _plain_layers,
    _keyed,
)


# --------------------------------------------------------------------------- text

_BRICK = re.compile(
    r"\s*(\d{1,3})\s*[x×]\s*(\d{1,3})\s*\("
    r"\s*(-?\d{1,6})\s*,\s*(-?\d{1,6})\s*,\s*(-?\d{1,6})\s*\)\s*[.;,]?\s*"
)
_COMMAND = re.compile(
    r"\s*/?(fill|setblock)((?:\s+[~^]?-?\d*){3,6})\s+([\w:]+(?:\[[^\]]*\])?)(?:\s+(\w+))?.*"
)
_COLORED = re.compile(r"\s*(-?\d{1,6})\s+(-?\d{1,6})\s+(-?\d{1,6})\s+#?([0-9a-fA-F]{6})\s*")
_BRICK_COLORS = ("#c4281c", "#f5cd2f", "#0d69ab", "#287f46", "#f2f3f2", "#da8540", "#6e99c9", "#a3a2a4")


def recognise_text(text: str) -> Foreign | None:
    """Read text formats: BrickGPT's `2x4 (x,y,z)`, /fill and /setblock commands, Goxel's `x y z rrggbb`.

    None where fewer than half of the lines look like one of them.
    """
    if text.lstrip()[:1] in ("{", "[") or len(text) > 1 << 26:
        return None
    written = text.split("\n", MAX_LINES)
    more = len(written) > MAX_LINES
    lines = [
        line
        for line in written[:MAX_LINES]
        if line.strip() and not line.lstrip().startswith(("#", "//", "```"))
    ]
    for pattern, reader in ((_BRICK, _bricks), (_COMMAND, _commands), (_COLORED, _colored)):
        if not lines or not any(pattern.fullmatch(line) for line in lines[:50]):
            continue
        found = [match for match in map(pattern.fullmatch, lines) if match]
        if len(found) * 2 >= len(lines):
            build = reader(found)
            return _cut_short(build) if more else build
    return None


def _cut_short(build: Foreign) -> Foreign:
    repair = Repair("$", f"more than {MAX_LINES:,} lines", "left the rest out", "loss")
    return replace(build, repairs=(*build.repairs, repair))


def _bricks(found: list[re.Match[str]]) -> Foreign:
    """BrickGPT: z up, one plate one voxel, no colours; each brick gets one, so that bricks show."""
    build = _Build(up="z")
    for match in found:
        wide, deep, x, y, z = (int(v) for v in match.groups())
        color = _BRICK_COLORS[zlib.crc32(match[0].strip().encode()) % len(_BRICK_COLORS)]
        build.box([x, y, z], [x + wide, y + deep, z + 1], color, open_end=True)
    return build.finish("BrickGPT bricks")


def _commands(found: list[re.Match[str]]) -> Foreign:
    """Minecraft commands; relative coordinates (~) count from 0."""
    build = _Build()
    for match in found:
        numbers = [int(re.sub(r"[~^]", "", v) or 0) for v in match[2].split()]
        ends = (numbers[:3], numbers[3:6] or numbers[:3])
        hollow = match[4] in ("hollow", "outline")
        build.box(*ends, match[3], hollow) if len(numbers) in (3, 6) else _lose(build)
    return build.finish("Minecraft commands")


def _colored(found: list[re.Match[str]]) -> Foreign:
    """Goxel's text export: z up."""
    build = _Build(up="z")
    _add_cells(build, [[int(m[1]), int(m[2]), int(m[3]), "#" + m[4].lower()] for m in found])
    return build.finish("Goxel text")
