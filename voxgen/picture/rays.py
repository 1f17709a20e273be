"""Rays through the voxel grid in numpy: thousands walk at once, each leaping over empty space."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from voxgen.picture.lattice import Floats, free_space
from voxgen.scene import Indices

Ints = NDArray[np.int32]

CHUNK = 1 << 14  # rays that walk together: their arrays stay in a core's own cache
NUDGE = 2e-4  # step this far into the next cell
FLATTEST = 1e-3  # of a way's parts: flatter ones would be lost in rounding
SOLID, CLEAR = 255, 128  # codes of cells; below: how many cells around are empty on all sides


class Hits(NamedTuple):
    """Where rays ended: one row each.

    cell: (n, 3) int32; direction: (n,) of the face that was hit as in Mesh, -1 where none was;
    reach: (n,) float32, the distance along the ray; tint: (n, 3), what translucent voxels let through.
    """

    cell: Ints
    direction: NDArray[np.int8]
    reach: Floats
    tint: Floats


class Space:
    """A grid made ready for rays: indices (X, Y, Z), opacity and tint (materials, 3) of what lies in it."""

    def __init__(self, indices: Indices, opacity: Floats, tint: Floats) -> None:
        self.size = np.array(indices.shape, np.float32)
        clear = (opacity > 0) & (opacity < 1)
        clear[0] = False
        code = free_space(indices)
        code[(opacity >= 1)[indices] & (indices > 0)] = SOLID
        self.has_clear = bool(clear.any())
        if self.has_clear:
            code[clear[indices]] = CLEAR
        self.code = np.pad(code, 1).reshape(-1)
        self.material = np.pad(indices, 1).reshape(-1)
        self.strides = ((indices.shape[1] + 2) * (indices.shape[2] + 2), indices.shape[2] + 2, 1)
        self.tint = tint

    def flat(self, x: NDArray[np.intp], y: NDArray[np.intp], z: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return where cells are in `code` and `material`; one cell beyond the grid is air."""
        at: NDArray[np.intp] = (x + 1) * self.strides[0] + (y + 1) * self.strides[1] + z + 1
        return at

    def exits(self, origin: Floats, way: Floats) -> Floats:
        """Return how far rays from origin along way (n, 3) go until they leave the grid: (n,)."""
        flat = np.where(np.abs(way) < FLATTEST, np.copysign(np.float32(FLATTEST), way), way)
        return np.asarray(np.maximum(-origin / flat, (self.size - origin) / flat).min(axis=1), np.float32)

    def cast(
        self, origin: Floats, way: Floats, limit: Floats | None = None, within: Indices | None = None
    ) -> Hits:
        """Send rays from origin (n, 3) along way (n, 3), unit length, to the first solid voxel.

        limit (n,) ends a ray without a hit. within (n,) are the materials that rays start in: they then
        end where that material does.
        """
        n = len(origin)
        hits = Hits(
            np.zeros((n, 3), np.int32),
            np.full(n, -1, np.int8),
            np.full(n, np.inf, np.float32),
            np.ones((n, 3), np.float32),
        )
        for low in range(0, n, CHUNK):
            part = slice(low, low + CHUNK)
            self._walk(
                np.ascontiguousarray(origin[part].T),
                np.ascontiguousarray(way[part].T),
                None if limit is None else limit[part],
                None if within is None else within[part],
                Hits(hits.cell[part], hits.direction[part], hits.reach[part], hits.tint[part]),
            )
        return hits

    def _walk(self, o: Floats, d: Floats, limit: Floats | None, within: Indices | None, hits: Hits) -> None:
        """Leap from cell to cell (Amanatides & Woo, 1987) over boxes known to be empty."""
        d = np.where(np.abs(d) < FLATTEST, np.copysign(np.float32(FLATTEST), d), d)
        inverse = 1 / d
        a, b = -o * inverse, (self.size[:, None] - o) * inverse
        t = np.maximum(np.minimum(a, b).max(axis=0), 0) + np.float32(NUDGE)
        end = np.maximum(a, b).min(axis=0)
        if limit is not None:
            end = np.minimum(end, limit)
        ahead = (d > 0).astype(np.float32)
        ray = np.flatnonzero(t < end)
        state = np.concatenate([o, d, inverse, ahead, [t, end]])[:, ray]
        medium = np.zeros(len(ray), self.material.dtype) if within is None else within[ray]
        sx, sy, _ = self.strides
        for _ in range(4096):
            if not len(ray):
                return
            o, d, inverse, ahead, (t, end) = state[:3], state[3:6], state[6:9], state[9:12], state[12:]
            cell = np.floor(o + d * t)
            x, y, z = cell.astype(np.int32)
            at = x * sx + y * sy + z + (sx + sy + 1)
            code = self.code[at]
            if within is None:
                done = code == SOLID
                if self.has_clear:
                    medium = self._tinted(ray, at, code, medium, hits)
            else:
                done = self.material[at] != medium
            if done.any():
                self._store(np.flatnonzero(done), ray, cell, state, hits)
            radius = np.where(code < CLEAR, code, 0).astype(np.float32)
            side = ahead * (2 * radius + 1)
            side += cell - radius
            side -= o
            side *= inverse
            t += np.float32(8 * NUDGE)  # at least, where rounding holds a ray back
            np.maximum(np.minimum(np.minimum(side[0], side[1]), side[2]), t, out=t)
            t += np.float32(NUDGE)
            stay = np.flatnonzero(~done & (t < end))
            if len(stay) < len(ray):
                ray, state, medium = ray[stay], state.take(stay, axis=1), medium[stay]

    def _tinted(
        self, ray: NDArray[np.intp], at: Ints, code: NDArray[np.uint8], medium: Indices, hits: Hits
    ) -> Indices:
        """Tint rays that enter another translucent material; return what they are in now."""
        now: Any = np.where(code == CLEAR, self.material[at], 0).astype(medium.dtype)
        entered = np.flatnonzero((now != medium) & (now > 0))
        hits.tint[ray[entered]] *= self.tint[now[entered]]
        return cast(Indices, now)

    def _store(
        self, done: NDArray[np.intp], ray: NDArray[np.intp], cell: Floats, state: Floats, hits: Hits
    ) -> None:
        """Write down the rays that are done: they came in through the side they reached last."""
        rows, (o, inverse, ahead) = ray[done], (state[k : k + 3, done] for k in (0, 6, 9))
        cell = cell[:, done]
        entry = (cell + (1 - ahead) - o) * inverse
        axis = entry.argmax(axis=0)
        hits.cell[rows] = cell.T
        hits.direction[rows] = 2 * axis + 1 - np.take_along_axis(ahead, axis[None], axis=0)[0]
        hits.reach[rows] = np.take_along_axis(entry, axis[None], axis=0)[0]
