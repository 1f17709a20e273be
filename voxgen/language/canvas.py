"""A grid while it is painted: every step ends in one of the writes here, clipped to what there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.language.shapes import Floats, Mask, Shape
from voxgen.scene import Indices, occupied


class Chooser(NamedTuple):
    """A function from cells to palette indices, or to truths, and its array operations a cell."""

    pick: Callable[[Floats, Floats, Floats], Any]
    work: int = 8


Choice = int | Chooser  # one palette index, or one for each cell

Cell = NDArray[np.int64]  # (3,)

_SLAB_CELLS = 1 << 18  # evaluated at a time: small temporaries stay in the cache
_SLAB_WORK = 1 << 27  # cells × operations at a time, so that the clock is looked at often enough
_STARTS = 64  # shapes that a scene beyond the limits may start with
_SPARSE = 8  # below one cell in so many, materials are chosen for the cells alone


class Canvas:
    """Palette indices over the cells low .. high, which starts as air."""

    measuring = False

    def __init__(self, size: tuple[int, int, int], low: tuple[int, int, int] = (0, 0, 0)) -> None:
        self.grid: Indices = np.zeros(size, np.uint8)  # (X, Y, Z), 0 is air
        self.low: Cell = np.array(low, np.int64)
        self.high: Cell = self.low + np.array(size, np.int64) - 1
        self.only: NDArray[np.bool_] | None = None  # per palette index: may it be overwritten?
        self.when: Chooser | None = None  # a condition per cell
        self.deadline = float("inf")  # time.monotonic() at which a step has to stop
        self.touched: list[tuple[Cell, Cell]] | None = None  # the boxes painted in, for whoever wants to know

    def paint(self, shape: Shape, choice: Choice, materials: int) -> None:
        """Fill a shape; `materials` is how many the palette holds by now.

        Raises TimeoutError once the deadline has passed.
        """
        self._widen(materials)
        low, high = np.maximum(shape.low, self.low), np.minimum(shape.high, self.high)
        if (low > high).any():
            return
        work = shape.work + (0 if isinstance(choice, int) else choice.work)
        for start, stop in self._slabs(low, high, work):
            cells = _open_cells(start, stop)
            mask = shape.inside(*cells) if shape.inside is not None else None
            _write(self._region(start, stop), self._filtered(mask, start, stop, cells), choice, cells)

    def paint_cells(self, cells: NDArray[np.int64], choice: Choice, materials: int) -> None:
        """Fill single cells, (n, 3) integers; the later of two wins."""
        self.check_time()
        self._widen(materials)
        cells = cells[((cells >= self.low) & (cells <= self.high)).all(1)]
        if self.only is not None:
            cells = cells[self.only[self.grid[tuple((cells - self.low).T)]]]
        if self.when is not None:
            cells = cells[self.when.pick(*cells.T.astype(np.float64))]
        if len(cells):
            if self.touched is not None:
                self.touched.append((cells.min(0), cells.max(0)))
            at = tuple((cells - self.low).T)
            self.grid[at] = choice if isinstance(choice, int) else choice.pick(*cells.T.astype(np.float64))

    def stamp(self, part: Indices, at: Cell, materials: int) -> None:
        """Copy the cells of a part that are not air, its low corner at `at`."""
        self._widen(materials)
        low, high = np.maximum(at, self.low), np.minimum(at + np.array(part.shape) - 1, self.high)
        if (low > high).any():
            return
        for start, stop in self._slabs(low, high):
            source = part[tuple(map(slice, start - at, stop - at + 1))]
            mask = self._filtered(source != 0, start, stop, _open_cells(start, stop))
            np.copyto(self._region(start, stop), source, where=mask, casting="unsafe")

    def mirror(self, axis: int, materials: int) -> None:
        """Copy what stands to the other half, where that is empty."""
        self._widen(materials)
        flipped = np.flip(self.grid, axis)
        for start, stop in self._slabs(self.low, self.high):
            here, source = self._region(start, stop), self._region(start, stop, flipped)
            mask = self._filtered(here == 0, start, stop, _open_cells(start, stop))
            np.copyto(here, source, where=mask)

    def check_time(self) -> None:
        """Raise TimeoutError once the deadline has passed."""
        if time.monotonic() > self.deadline:
            raise TimeoutError("took longer than the time for one step")

    def column_tops(self, low: Cell, high: Cell) -> tuple[Any, Any]:
        """Return z and index of the top cell of the columns low .. high, (2,) each; index 0: an empty one."""
        a, b = low - self.low[:2], high - self.low[:2] + 1
        columns = self.grid[a[0] : b[0], a[1] : b[1]]
        tops = columns.shape[2] - 1 - np.argmax(columns[:, :, ::-1] != 0, axis=2)
        indices = np.take_along_axis(columns, tops[:, :, None], 2)[:, :, 0]
        return tops + self.low[2], indices

    def cropped(self) -> tuple[Indices, Cell]:
        """Return the occupied part of the grid and its low corner; one empty cell if there is none."""
        low, high = occupied(self.grid)
        part: Any = np.ascontiguousarray(self.grid[tuple(map(slice, low, high + 1))])
        return part, self.low + low

    def _slabs(self, low: Cell, high: Cell, work: int = 1) -> Iterator[tuple[Cell, Cell]]:
        """Cut a box into slabs that are cheap to evaluate, and look at the clock before each."""
        if self.touched is not None:
            self.touched.append((low, high))
        for slab in _slabs(low, high, work + (self.when.work if self.when else 0)):
            self.check_time()
            yield slab

    def _widen(self, materials: int) -> None:
        """Use two bytes a cell once the palette needs them, and forbid "only" what came after it."""
        if self.only is not None and len(self.only) < materials:
            self.only = np.concatenate([self.only, np.zeros(materials - len(self.only), bool)])
        if self.grid.dtype == np.uint8 and materials > 256:
            self.grid = self.grid.astype(np.uint16)

    def _region(self, low: Cell, high: Cell, grid: Indices | None = None) -> Indices:
        a, b = low - self.low, high - self.low + 1
        return (self.grid if grid is None else grid)[a[0] : b[0], a[1] : b[1], a[2] : b[2]]

    def _filtered(
        self, mask: Mask | None, low: Cell, high: Cell, cells: tuple[Floats, Floats, Floats]
    ) -> Mask | None:
        """Narrow a mask to the cells that "only" and "when" allow."""
        if self.only is not None:
            allowed = self.only[self._region(low, high)]
            mask = allowed if mask is None else mask & allowed
        if self.when is not None:
            allowed = self.when.pick(*cells)
            mask = allowed if mask is None else mask & allowed
        return mask


class Ruler(Canvas):
    """A canvas that paints nothing and remembers the corners of what would have been drawn."""

    measuring = True

    def __init__(self) -> None:
        super().__init__((1, 1, 1))
        self.lows: list[Cell] = []
        self.highs: list[Cell] = []
        self.headroom = 0  # what things scattered on top may add to the height

    def paint(self, shape: Shape, choice: Choice, materials: int) -> None:
        """Note the corners of a shape."""
        self._note(np.array(shape.low), np.array(shape.high))

    def paint_cells(self, cells: NDArray[np.int64], choice: Choice, materials: int) -> None:
        """Note the corners of single cells."""
        if len(cells):
            self._note(cells.min(0), cells.max(0))

    def stamp(self, part: Indices, at: Cell, materials: int) -> None:
        """Note the corners of a part."""
        self._note(at, at + np.array(part.shape) - 1)

    def bounds(self, side: int) -> Iterator[tuple[Cell, Cell]]:
        """Yield the low and high corner of everything, of one cell if nothing was drawn.

        Where that is longer than `side` cells it starts with one of the first shapes: where, on each such
        axis, the most of them begin within reach. The next best starts with the very first.
        """
        if not self.lows:
            self._note(self.low, self.high)
        lows, high = np.array(self.lows), np.max(self.highs, axis=0) + np.array([0, 0, self.headroom])
        low = lows.min(axis=0)
        long = high - low >= side
        if not long.any():
            yield low, high
            return
        some = lows[:: 1 + len(lows) // _STARTS**2]
        ahead = some[None] - lows[:_STARTS, None]
        within = ((ahead >= 0) & (ahead < side) | ~long).all(axis=2)
        for start in (within.sum(axis=1).argmax(), 0):
            yield np.where(long, lows[start], low), high

    def _note(self, low: Cell, high: Cell) -> None:
        self.lows.append(low)
        self.highs.append(high)


def _slabs(low: Cell, high: Cell, work: int) -> Iterator[tuple[Cell, Cell]]:
    """Cut a box along x, and y where needed, into boxes that are cheap to evaluate."""
    budget = max(1 << 10, min(_SLAB_CELLS, _SLAB_WORK // max(work, 1)))
    size = high - low + 1
    deep = max(1, min(int(size[1]), budget // int(size[2])))
    wide = max(1, budget // (deep * int(size[2])))
    for x in range(int(low[0]), int(high[0]) + 1, wide):
        for y in range(int(low[1]), int(high[1]) + 1, deep):
            yield (
                np.array([x, y, low[2]]),
                np.array([min(x + wide - 1, high[0]), min(y + deep - 1, high[1]), high[2]]),
            )


def _open_cells(low: Cell, high: Cell) -> tuple[Floats, Floats, Floats]:
    """Return the coordinates of a box as floats of shape (X, 1, 1), (1, Y, 1), (1, 1, Z)."""
    x, y, z = (np.arange(a, b + 1, dtype=np.float64) for a, b in zip(low, high, strict=True))
    return x[:, None, None], y[None, :, None], z[None, None, :]


def _write(region: Indices, mask: Mask | None, choice: Choice, cells: tuple[Floats, Floats, Floats]) -> None:
    """Write one slab; where few cells are wanted, choose materials for those cells alone."""
    if isinstance(choice, int):
        np.copyto(region, choice, where=True if mask is None else mask, casting="unsafe")
        return
    if mask is None:
        np.copyto(region, choice.pick(*cells), casting="unsafe")
        return
    wanted = np.broadcast_to(mask, region.shape)
    count = int(np.count_nonzero(wanted))
    if count * _SPARSE >= region.size:
        np.copyto(region, choice.pick(*cells), where=wanted, casting="unsafe")
    elif count:
        at = np.nonzero(wanted)
        x, y, z = (c.reshape(-1)[i] for c, i in zip(cells, at, strict=True))
        region[at] = choice.pick(x, y, z)
