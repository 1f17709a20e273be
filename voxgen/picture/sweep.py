"""Light from all sides, swept through the voxel grid along bundles of parallel lines (numpy only).

For one direction the grid is sheared so that each line through it becomes one pixel of an image. The
image then sweeps through the layers, from where the light comes from: solid voxels paint over it what
they throw back, water and glass tint it, and faces read what reaches them. It is the global-lines
method (M. Sbert, 1993; L. Szirmay-Kalos, "Global ray-bundle tracing", 1998): no ray is ever traced alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.picture.lattice import Floats
from voxgen.picture.mesher import NORMALS, TANGENTS, Faces

Ints = NDArray[np.int32]
Colors = Callable[[NDArray[np.float64]], Floats]


class Takers:
    """Places that gather light: cells (n, 3) in front of what is lit, and directions (n,) as in Mesh."""

    def __init__(self, cell: Ints, direction: NDArray[np.uint8]) -> None:
        self.cell, self.direction = cell.astype(np.int32), direction
        self._orders: dict[tuple[int, int], tuple[NDArray[np.intp], Ints]] = {}

    def __len__(self) -> int:
        return len(self.direction)

    def order(self, axis: int, sign: int) -> tuple[NDArray[np.intp], Ints]:
        """Return the rows sorted by the layer after which they read a sweep along an axis, and that layer.

        What faces along the axis also sees its own layer, as a line may leave a cell through its side.
        """
        if (axis, sign) not in self._orders:
            layer = self.cell[:, axis] - np.where(self.direction >> 1 == axis, sign, 0).astype(np.int32)
            rows = np.argsort(layer.astype(np.int16), kind="stable")
            self._orders[axis, sign] = rows, layer[rows]
        return self._orders[axis, sign]


class _Layers(NamedTuple):
    """The surface of a grid cut into layers across one axis."""

    start: NDArray[np.intp]  # where each layer begins
    cell: tuple[Ints, Ints, Ints]
    rows: Ints  # (6, n), the face each cell shows to each side, numbered from 1; 0 is none


class Sweeper:
    """The surface of a grid, made ready to be swept in any direction."""

    def __init__(self, shape: tuple[int, ...], faces: Faces, clear: NDArray[np.bool_]) -> None:
        """Take a grid's shape, its exposed faces and which materials (m,) let light through."""
        self.shape = shape
        _, ny, nz = shape
        x, y, z = (faces.voxel[:, axis].astype(np.int64) for axis in range(3))
        flat = (x * ny + y) * nz + z
        cells = np.sort(flat)
        cells = cells[np.diff(cells, prepend=-1) > 0]
        rows = np.zeros((6, len(cells)), np.int32)
        rows[faces.direction, np.searchsorted(cells, flat)] = np.arange(1, len(faces) + 1)
        place = np.stack([cells // (ny * nz), cells // nz % ny, cells % nz]).astype(np.int32)
        is_clear = clear[faces.material[rows.max(axis=0) - 1]]
        self.solid = [self._layers(axis, place[:, ~is_clear], rows[:, ~is_clear]) for axis in range(3)]
        self.clear = [self._layers(axis, place[:, is_clear], rows[:, is_clear]) for axis in range(3)]

    def _layers(self, axis: int, place: Ints, rows: Ints) -> _Layers:
        order = np.argsort(place[axis], kind="stable")
        start = np.searchsorted(place[axis][order], np.arange(self.shape[axis] + 1))
        x, y, z = place[:, order]
        return _Layers(start, (x, y, z), np.ascontiguousarray(rows[:, order]))

    def gather(
        self,
        takers: Takers,
        ways: NDArray[np.float64],
        sky: Colors,
        radiance: Floats,
        through: Floats,
        corners: bool = False,
    ) -> Floats:
        """Return the cosine-weighted mean radiance from ways (m, 3): (n, 3), or (n, 2, 2, 3) at corners.

        sky: a way to its radiance (3,). radiance, through (faces + 1, 3): what each face shows and lets
        through, row 0 for none. The irradiance of a face is pi times its mean.
        """
        total = np.zeros((len(takers), 4, 3) if corners else (len(takers), 3), np.float32)
        weight = np.zeros((len(takers), 4 if corners else 1), np.float32)
        for number, way in enumerate(ways):
            # R3 sequence (M. Roberts, 2018): where the lines run within cells, and start on faces
            shift = np.array([0.8191725134, 0.6710436067, 0.5497004779]) * (number + 1) % 1
            sweep = _Sweep(self.shape, way, shift)
            rows, light = self._seen(sweep, takers, sky(way), radiance, through)
            cosine = np.maximum(NORMALS @ way, 0).astype(np.float32)[takers.direction[rows]]
            if corners:
                share = sweep.shares(takers.cell[rows, sweep.axis], takers.direction[rows])
                share *= cosine[:, None]
                weight[rows] += share
                light = share[:, :, None] * light[:, None, :]
            else:
                weight[rows, 0] += cosine
                light *= cosine[:, None]
            total[rows] += light
        total /= np.maximum(weight, np.float32(1e-6))[..., None] if corners else np.maximum(weight, 1e-6)
        return total.reshape(-1, 2, 2, 3) if corners else total

    def _seen(
        self, sweep: _Sweep, takers: Takers, sky: Floats, radiance: Floats, through: Floats
    ) -> tuple[NDArray[np.intp], Floats]:
        """Return the rows of the takers that face one way, and the radiance (n, 3) that reaches them."""
        axis, forward = sweep.axis, sweep.sign > 0
        facing = (NORMALS @ sweep.way > 1e-9)[takers.direction]
        rows, layer = takers.order(axis, int(sweep.sign))
        some = facing[rows]
        rows, layer = rows[some], layer[some]
        start = np.searchsorted(layer, np.arange(self.shape[axis] + 1))
        line = sweep.starts(takers.cell[rows], takers.direction[rows])
        solid, clear = self.solid[axis], self.clear[axis]
        solid_line, clear_line = (sweep.lines(part.cell, part.cell[axis]) for part in (solid, clear))
        shown = radiance[sweep.entered(solid)]
        entered = sweep.entered(clear)
        left = sweep.left(clear)
        crossed = np.where(entered > 0, entered, left)
        tint, glimmer = through[crossed], radiance[crossed]
        image, light = np.tile(sky, (sweep.size + 1, 1)), np.tile(sky, (len(rows), 1))
        layers = range(self.shape[axis])
        for k in reversed(layers) if forward else layers:
            a, b = start[k], start[k + 1]
            if b > a:
                light[a:b] = image[line[a:b]]
            a, b = solid.start[k], solid.start[k + 1]
            if b > a:
                image[solid_line[a:b]] = shown[a:b]
            a, b = clear.start[k], clear.start[k + 1]
            if b > a:
                at = clear_line[a:b]
                image[at] = image[at] * tint[a:b] + glimmer[a:b]
        last = slice(0, start[0]) if forward else slice(start[-1], len(rows))
        light[last] = image[line[last]]
        return rows, light


class _Sweep:
    """One direction: the axis it runs along most, and the shear that turns its lines into pixels."""

    def __init__(self, shape: tuple[int, ...], way: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
        self.way, self.shift, self.height = way, shift[:2], float(shift[2])
        self.axis = int(np.abs(way).argmax())
        self.across = [other for other in range(3) if other != self.axis]
        self.sign = 1.0 if way[self.axis] > 0 else -1.0
        self.slope = way[self.across] / abs(way[self.axis])
        moved = self.moved(np.array([-1, shape[self.axis]]))
        self.low = [-1 - int(m.max()) for m in moved]
        far = [shape[a] - int(m.min()) + 1 for a, m in zip(self.across, moved, strict=True)]
        self.width = [high - low for high, low in zip(far, self.low, strict=True)]
        self.size = self.width[0] * self.width[1]

    def moved(self, layer: NDArray[Any], ahead: float = 0.0) -> list[Ints]:
        """How many cells a line has moved across, along each of the other axes, at the middle of a layer.

        ahead: at so much of a layer before or behind the middle.
        """
        return [np.floor(place).astype(np.int32) for place in self.along(layer, ahead)]

    def along(self, layer: NDArray[Any], ahead: float = 0.0) -> list[NDArray[np.float64]]:
        """Return what `moved` rounds down: how far a line has moved."""
        progress = self.sign * (layer + 0.5) + ahead
        return [f + s * progress for f, s in zip(self.shift, self.slope, strict=True)]

    def lines(self, cell: tuple[Ints, ...], layer: Ints) -> Ints:
        """Return the line (n,) through the middle of each cell of the grid."""
        low = int(layer.min(initial=0))
        b, c = (moved[layer - low] for moved in self.moved(np.arange(low, int(layer.max(initial=0)) + 1)))
        return self._numbered(cell[self.across[0]] - b, cell[self.across[1]] - c)

    def starts(self, cell: Ints, direction: NDArray[np.uint8]) -> Ints:
        """Return the line (n,) that starts on each face, just behind a cell (n, 3)."""
        layer = cell[:, self.axis]
        low = int(layer.min(initial=0))
        k = np.arange(low, int(layer.max(initial=0)) + 1)
        table = np.zeros((2, 3, len(k)), np.int32)
        table[:, self.axis] = self.moved(k, -0.5)
        started, reached = self.moved(k, self.height - 0.5), self.moved(k, 1.0)
        for number, axis in enumerate(self.across):
            # a side starts at its plane, and is in some cell of the next layer when the line gets there
            way = self.slope[number] * (1.5 - self.height)
            cells = np.floor(way) if way > 0 else np.ceil(way)
            table[number, axis] = reached[number] - np.int32(cells)
            table[1 - number, axis] = started[1 - number]
        b, c = table[:, direction >> 1, layer - low]
        return self._numbered(cell[:, self.across[0]] - b, cell[:, self.across[1]] - c)

    def _numbered(self, b: Ints, c: Ints) -> Ints:
        """Return the number of lines by their place across; `size` stands for all that miss the grid."""
        b, c = b - self.low[0], c - self.low[1]
        inside = (b >= 0) & (b < self.width[0]) & (c >= 0) & (c < self.width[1])
        return np.where(inside, b * self.width[1] + c, self.size)

    def entered(self, layers: _Layers) -> Ints:
        """Return the face (n,), numbered from 1, through which the line enters each cell; 0 is none."""
        return self._faces(layers, -self.way, 0)

    def left(self, layers: _Layers) -> Ints:
        """Return the face through which the line leaves each cell."""
        return self._faces(layers, self.way, int(self.sign))

    def _faces(self, layers: _Layers, towards: NDArray[np.float64], step: int) -> Ints:
        """Pick the face that looks `towards`: one that the line has just moved over, or the layer's own."""
        sides = [layers.rows[2 * a + (towards[a] > 0)] for a in range(3)]
        own, (b, c) = sides[self.axis], (sides[a] for a in self.across)
        layer = np.arange(len(layers.start) - 1) + step
        before, now = self.moved(layer - int(self.sign)), self.moved(layer)
        count = np.diff(layers.start)
        over_b, over_c = (np.repeat(x != y, count) for x, y in zip(before, now, strict=True))
        best = np.where(own > 0, own, np.maximum(b, c))
        best = np.where(over_c & (c > 0), c, best)
        return np.asarray(np.where(over_b & (b > 0), b, best), np.int32)

    def shares(self, layer: Ints, direction: NDArray[np.uint8]) -> Floats:
        """How near the line comes to each corner of a face (n, 4): 1 at it, 0 at the others."""
        low = int(layer.min(initial=0))
        k = np.arange(low, int(layer.max(initial=0)) + 1)
        table = np.zeros((3, len(k), 4), np.float32)
        for normal_axis in range(3):
            ahead = -0.5 if normal_axis == self.axis else self.height - 0.5
            place = dict(zip(self.across, (way % 1 for way in self.along(k, ahead)), strict=True))
            place[self.axis] = np.full(len(k), self.height if self.sign > 0 else 1 - self.height)
            u, v = (place[tangent] for tangent in TANGENTS[normal_axis])
            table[normal_axis] = np.stack([(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v], axis=-1)
        out: Floats = table[direction >> 1, layer - low]
        return out


def sphere(count: int) -> NDArray[np.float64]:
    """Return directions (count, 3) spread evenly over the sphere (Fibonacci lattice; R. Swinbank, 2006)."""
    i = np.arange(count) + 0.5
    z, angle = 1 - 2 * i / count, 2 * np.pi * i * 0.6180339887498949
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=-1)


def in_front(faces: Faces) -> Takers:
    """Return the places just in front of faces."""
    return Takers(faces.voxel.astype(np.int32) + NORMALS[faces.direction].astype(np.int32), faces.direction)
