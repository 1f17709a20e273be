"""What a build in another format draws: boxes and cells, in order, into a grid of our own axes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import ReplyError
from voxgen.language.blocks import block_material, is_air
from voxgen.language.foreign.places import Points, cell, cell_array
from voxgen.language.mending.values import Notes, look, show
from voxgen.language.palette import guess_material, many_channels, read_color, read_material, rounded
from voxgen.scene import AIR, Material, Repair, VoxelGrid

MAX_SIDE = 512
MAX_CELLS = 1 << 27
MAX_PAINTED = 1 << 30  # cells touched by all boxes together
MAX_BOXES = 250_000
MAX_COLORS = 60_000  # beyond it colours are rounded, to at most 4096 more
MAX_NAMES = 20_000  # beyond it only colours are read; other names get one that depends on the name
GREY = "#b0b0b0"  # of what says nothing of its colour

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_AIR_WORDS = ("", ".", "air", "minecraft:air", "none", "empty")
_Box = tuple[int, int, int, int, int, int, int, bool]  # low, high, palette index, hollow


@dataclass(frozen=True, slots=True)
class Foreign:
    """A build in another format: whose it is, and a grid, or a document in our own language."""

    name: str
    grid: VoxelGrid | None = None
    document: dict[str, Any] | None = None
    repairs: tuple[Repair, ...] = ()


class Drawing:
    """Boxes and cells in another format's axes, later ones over earlier ones, and what they are made of."""

    def __init__(
        self, palette: Mapping[str, Any] | None = None, up: str = "y", unknown: str | None = None
    ) -> None:
        self.palette = palette or {}
        self.up = up
        self.unknown = unknown  # the colour of keys that are not in the palette
        self.notes = Notes()
        self.materials: list[Material] = [AIR]
        self.indices: dict[Any, int] = {None: 0}
        self.drawn: list[tuple[Points, NDArray[np.int64]] | Points] = []  # cells, or rows of boxes
        self.boxes: list[_Box] = []  # not yet in `drawn`
        self.lost = 0
        self.rounded = False

    # ----------------------------------------------------------------- collecting

    def box(self, a: Any, b: Any, name: Any, hollow: bool = False, open_end: bool = False) -> None:
        """Draw a box between two corners, both included unless `open_end`."""
        low, high = cell(a), cell(b)
        if low is None or high is None:
            self.lost += 1
            return
        x0, y0, z0 = map(min, low, high)
        x1, y1, z1 = map(max, low, high)
        if open_end:  # the end is the first cell beyond, on whichever side it lies
            x1, y1, z1 = x1 - 1, y1 - 1, z1 - 1
            if x1 < x0 or y1 < y0 or z1 < z0:
                return
        self.boxes.append((x0, y0, z0, x1, y1, z1, self.index(name), hollow))

    def few(self, boxes: list[Any]) -> list[Any]:
        """Return the boxes of a build, as many as can be drawn in time."""
        if len(boxes) > MAX_BOXES:
            self.notes.add("$", f"{len(boxes):,} boxes", f"drew the first {MAX_BOXES:,}", "loss")
        return boxes[:MAX_BOXES]

    def cells(self, places: Any, names: list[Any]) -> None:
        """Draw single cells: [x, y, z] each, and what each is made of."""
        if not len(places):
            return
        indices = self._indices_of(names)
        points, good, between = cell_array(places)
        self.lost += len(places) - len(points)
        if between:
            problem = f"{between:,} places lie between cells" if between > 1 else "1 place lies between cells"
            self.notes.add("$", problem, "used the nearest free cell", "info")
        self._flush()
        if len(points):
            self.drawn.append((_turned(points, self.up), indices[good]))

    def line(self, a: Any, b: Any, name: Any) -> None:
        """Draw a straight line of single cells, both ends included."""
        first, last = cell(a), cell(b)
        if first is None or last is None:
            self.lost += 1
            return
        steps = max(abs(p - q) for p, q in zip(first, last, strict=True))
        if steps > 1 << 20:
            self.lost += 1
            return
        t = np.arange(steps + 1)[:, None] / max(steps, 1)
        points = np.floor(np.array(first) + (np.array(last) - np.array(first)) * t + 0.5).astype(np.int64)
        self._flush()
        self.drawn.append((_turned(points, self.up), np.full(len(points), self.index(name))))

    def _flush(self) -> None:
        """Put the boxes so far into `drawn`, in our axes."""
        if self.boxes:
            rows = np.array(self.boxes, np.int64)
            if self.up == "y":  # low and high change places where an axis is turned round
                rows = rows[:, [0, 5, 1, 3, 2, 4, 6, 7]] * np.array([1, -1, 1, 1, -1, 1, 1, 1])
            self.drawn.append(rows)
            self.boxes = []

    # ----------------------------------------------------------------- materials

    def index(self, name: Any) -> int:
        """Return the palette index of a block name, colour or palette key; 0 for air."""
        plain = isinstance(name, (str, int, type(None)))
        key = name if plain else tuple(name) if _is_rgb(name) else repr(_short(name))
        found = self.indices.get(key)
        if found is None:
            found = self.indices[key] = self._add(name)
        return found

    def _indices_of(self, names: Any) -> NDArray[np.int64]:
        """Return the palette indices of many names, of plain colours at once."""
        colors = None if self.palette else many_channels(names)
        if colors is None:
            return np.array(list(map(self.index, names)), np.int64)
        codes, fewer = rounded(colors, MAX_COLORS - len(self.materials), 5)
        if fewer:
            self._say_rounded()
        used = np.zeros(1 << 24, bool)
        used[codes] = True
        table = np.zeros(1 << 24, np.uint16)
        for code in np.flatnonzero(used).tolist():
            table[code] = self.index(f"#{code:06x}")
        return table[codes].astype(np.int64)

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
            self._say_rounded()
            self.indices[key] = len(self.materials)
            self.materials.append(Material(material.name, (red, green, blue)))
        return self.indices[key]

    def _say_rounded(self) -> None:
        if not self.rounded:
            self.notes.add("$", f"there are more than {MAX_COLORS:,} colours", "rounded them")
        self.rounded = True

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
        if written is None and isinstance(name, Mapping):
            inner = next((name[k] for k in ("type", "block", "name", "material", "Name") if k in name), None)
            return self._material(inner) if isinstance(inner, str) else None
        if written is None:
            self.notes.add("$", f"{show(name)} is not a colour", "left those cells out", "loss")
            return None
        return read_material(written if isinstance(written, str) else written["color"], written)

    def _entry(self, name: str, entry: Any) -> Material | None:
        """Return the material of a palette entry: a colour, a block name, or an object with one."""
        if is_air(entry):
            return None
        written = look(entry)
        if written is not None:
            return read_material(name, written)
        word = entry
        if isinstance(entry, Mapping):
            word = next((entry[k] for k in ("Name", "name", "type", "block") if k in entry), name)
        if is_air(word):
            return None
        return self._named(word if isinstance(word, str) else name)

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

    # ----------------------------------------------------------------- finishing

    def finish(self, name: str, size: tuple[int, int, int] | None = None) -> Foreign:
        """Draw everything into a grid, as small as what is drawn, or of a given size where that fits."""
        self._flush()
        if self.lost:
            blocks = "1 block has" if self.lost == 1 else f"{self.lost:,} blocks have"
            self.notes.add("$", f"{blocks} no place", "left out", "loss")
        bounds = self.bounds()
        if bounds is None:
            raise ReplyError(f"the {name} holds no block", "is the reply complete?")
        low, high = self._window(*bounds)
        if size is not None and (low >= 0).all() and (high < size).all():
            low, high = np.zeros(3, np.int64), np.array(size) - 1
        dtype = np.uint8 if len(self.materials) <= 256 else np.uint16
        grid = np.zeros(high - low + 1, dtype)
        self._paint(grid, low)
        self._tell_twice(grid)
        if size is None:
            grid = _cropped(grid)
        if not grid.any():
            raise ReplyError(f"the {name} holds no block", "everything drawn is carved away again")
        return Foreign(name, compact(grid, self.materials), repairs=tuple(self.notes.all()))

    def _tell_twice(self, grid: NDArray[Any]) -> None:
        """Say how many cells of a list were given twice."""
        if len(self.drawn) != 1 or isinstance(self.drawn[0], np.ndarray) or max(grid.shape) >= MAX_SIDE:
            return
        twice = int(np.count_nonzero(self.drawn[0][1])) - int(np.count_nonzero(grid))
        if twice > 0:
            cells = "1 cell is" if twice == 1 else f"{twice:,} cells are"
            self.notes.add("$", f"{cells} given twice", "the last counts", "info")

    def bounds(self) -> tuple[Points, Points] | None:
        """Return the lowest and the highest cell of what is drawn and not air."""
        self._flush()
        ends = []
        for drawn in self.drawn:
            solid = drawn[:, 6] != 0 if isinstance(drawn, np.ndarray) else drawn[1] != 0
            if solid.any():
                lows = drawn[solid, :3] if isinstance(drawn, np.ndarray) else drawn[0][solid]
                highs = drawn[solid, 3:6] if isinstance(drawn, np.ndarray) else lows
                ends.append((lows.min(0), highs.max(0)))
        return (np.min([a for a, _ in ends], 0), np.max([b for _, b in ends], 0)) if ends else None

    def move(self, offset: int) -> None:
        """Move all cells along every axis."""
        self._flush()
        self.drawn = [(d[0] + offset, d[1]) for d in self.drawn if not isinstance(d, np.ndarray)]

    def _window(self, low: Points, high: Points) -> tuple[Points, Points]:
        """Limit the bounds to MAX_SIDE a side, around the middle of what is drawn."""
        if (high - low < MAX_SIDE).all():
            return low, high
        middles = [(d[:, :3] + d[:, 3:6]) // 2 if isinstance(d, np.ndarray) else d[0] for d in self.drawn]
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
            if isinstance(drawn, np.ndarray):
                left = _paint_boxes(grid, drawn, low, left)
                if left < 0:
                    self.notes.add("$", "the boxes overlap too often", "left the rest out", "loss")
                    return
                continue
            at = drawn[0] - low
            inside = ((at >= 0) & (at < top)).all(1)
            x, y, z = at[inside].T
            grid[x, y, z] = drawn[1][inside]  # in order: of two in one cell the later wins


def _paint_boxes(grid: NDArray[Any], boxes: Points, low: Points, left: int) -> int:
    """Paint rows of boxes until `left` cells were touched; return how many may still be."""
    a, b = np.maximum(boxes[:, :3] - low, 0), np.minimum(boxes[:, 3:6] - low + 1, grid.shape)
    seen = (a < b).all(1)
    touched = np.cumsum(np.where(seen, (b - a).clip(0).prod(1), 0))
    seen &= touched <= left
    rows = np.concatenate([a, b, boxes[:, :3] - low, boxes[:, 3:6] - low, boxes[:, 6:]], axis=1)[seen]
    for x0, y0, z0, x1, y1, z1, *ends, index, hollow in rows.tolist():
        if hollow:
            _paint_shell(grid, ends[:3], ends[3:], (x0, y0, z0), (x1, y1, z1), index)
        else:
            grid[x0:x1, y0:y1, z0:z1] = index
    return left - int(touched[-1])


def _paint_shell(
    grid: NDArray[Any], low: list[int], high: list[int], a: Iterable[int], b: Iterable[int], index: int
) -> None:
    """Paint the six sides of a box, as far as they lie in the grid (a included, b not)."""
    where = [slice(p, q) for p, q in zip(a, b, strict=True)]
    for axis, inside in enumerate(where):
        for side in (low[axis], high[axis]):
            if inside.start <= side < inside.stop:
                grid[(*where[:axis], slice(side, side + 1), *where[axis + 1 :])] = index


def _quick(name: Any) -> Material | None:
    """Return the material of the twenty-thousandth new name, at little cost; None for plain colours."""
    if isinstance(name, str):
        if name.startswith("#") or name in _AIR_WORDS:
            return None
        red, green, blue, _ = zlib.crc32(name.encode()).to_bytes(4, "big")
        return Material(name[:80], (red, green, blue))
    if _is_rgb(name) and 1 < max(name) <= 255 and min(name) >= 0:
        return Material("#" + bytes(name).hex(), (name[0], name[1], name[2]))
    return None


def _is_rgb(value: Any) -> bool:
    """Say whether a value is a list of three whole numbers."""
    return (
        type(value) is list and len(value) == 3 and type(value[0]) is type(value[1]) is type(value[2]) is int
    )


def _short(value: Any) -> Any:
    """Return a value as a key: containers by their first items only."""
    if isinstance(value, Mapping):
        return [(str(k), plain(v)) for k, v in list(value.items())[:8]]
    return [plain(v) for v in list(value)[:8]] if isinstance(value, (list, tuple)) else value


def plain(value: Any) -> Any:
    """Return a value that can be a key, or the name of its type."""
    return value if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__


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


def compact(grid: NDArray[Any], materials: list[Material]) -> VoxelGrid:
    """Drop materials that no cell uses."""
    used = np.zeros(len(materials), bool)
    for slab in grid:  # a slab at a time, to keep temporaries small
        used[slab.reshape(-1)] = True
    used[0] = True
    if used.all():
        return VoxelGrid(grid, tuple(materials))
    table = (np.cumsum(used) - 1).astype(np.uint8 if used.sum() <= 256 else np.uint16)
    kept = tuple(m for m, keep in zip(materials, used, strict=True) if keep)
    return VoxelGrid(table[grid], kept)
