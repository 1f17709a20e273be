"""Which face each sample of a picture shows: quads filled row by row, in painter's order (numpy only)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxgen.picture.camera import Camera
from voxgen.picture.mesher import CORNERS, Faces

Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]

MOST = 1 << 20  # fragments written at once


def farthest_first(faces: Faces, camera: Camera) -> NDArray[np.intp]:
    """Return the order in which each face comes before all that cover it.

    Exact on a voxel grid: along any ray from the eye no step brings a cell nearer to it in any axis, so
    the sum of the distances along the axes only grows; with parallel rays the depth along the view does.
    """
    centre = faces.voxel + np.float32(0.5)
    if camera.parallel:
        return np.argsort(centre @ camera.back, kind="stable")
    return np.argsort(-np.abs(centre - camera.eye.astype(np.float32)).sum(axis=1), kind="stable")


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """Quads in a picture (n, 4), in samples from its upper left corner, and their edges as lines x = a + b y.

    The left edges bound a quad from below in x, the right ones from above; what is no such edge is
    infinitely far out. top, bottom (n,): the first and last sample row, the last one not included.
    """

    left: tuple[Doubles, Doubles]
    right: tuple[Doubles, Doubles]
    top: Ints
    bottom: Ints

    def fragments(self, first: int, last: int, width: int) -> Iterator[tuple[Ints, Ints]]:
        """Yield samples and the quads that cover them, in the quads' order, of rows first to last.

        A sample is its row, counted from `first`, times width plus its column. Neighbours that share an
        edge share no sample on it and leave none out.
        """
        top, bottom = np.maximum(self.top, first), np.minimum(self.bottom, last)
        rows = np.maximum(bottom - top, 0)
        some = np.flatnonzero(rows)
        ends = np.cumsum(rows[some])
        start = 0
        while start < len(some):
            done = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + MOST // 8)))
            quads = some[start:stop]
            yield from self._filled(quads, top[quads], rows[quads], first, width)
            start = stop

    def _filled(
        self, quads: NDArray[np.intp], top: Ints, rows: Ints, first: int, width: int
    ) -> Iterator[tuple[Ints, Ints]]:
        ends = np.cumsum(rows)
        quad = np.repeat(quads, rows)
        y = np.arange(ends[-1]) - np.repeat(ends - rows - top, rows)
        middle = y + 0.5
        left, right = self.left[0][:, quad], self.right[0][:, quad]
        left += self.left[1][:, quad] * middle
        right += self.right[1][:, quad] * middle
        x0 = np.clip(np.ceil(left.max(axis=0) - 0.5), 0, width).astype(np.int32)
        x1 = np.clip(np.ceil(right.min(axis=0) - 0.5), 0, width).astype(np.int32)
        length = np.maximum(x1 - x0, 0)
        begin = ((y - first) * width + x0).astype(np.int32)
        ends = np.cumsum(length)
        start = 0
        while start < len(length):
            done = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + MOST)))
            part = slice(start, stop)
            count = length[part]
            offset = begin[part] - (ends[part] - count - done).astype(np.int32)
            samples = np.repeat(offset, count) + np.arange(ends[stop - 1] - done, dtype=np.int32)
            yield samples, np.repeat(quad[part].astype(np.int32), count)
            start = stop


def outlines(faces: Faces, camera: Camera, size: tuple[int, int], edge: int) -> Outlines:
    """Project faces into a picture of (width, height) pixels with edge x edge samples each."""
    corners = camera.project_each(faces.voxel[:, None, :] + CORNERS[faces.direction])
    x = (corners[..., 0] + 1) * (0.5 * size[0] * edge)
    y = (1 - corners[..., 1]) * (0.5 * size[1] * edge)
    left, right = ((np.full((4, len(x)), sign * np.inf), np.zeros((4, len(x)))) for sign in (-1, 1))
    for corner in range(4):
        follower = (corner + 1) % 4
        falls = y[:, follower] > y[:, corner]
        rises = y[:, follower] < y[:, corner]
        for rows, start, end, bound in ((falls, corner, follower, left), (rises, follower, corner, right)):
            # from the upper end down, so that two quads compute their common edge alike
            slope = (x[rows, end] - x[rows, start]) / (y[rows, end] - y[rows, start])
            bound[1][corner, rows] = slope
            bound[0][corner, rows] = x[rows, start] - slope * y[rows, start]
    tall = size[1] * edge
    top, bottom = (np.clip(np.ceil(limit - 0.5), 0, tall).astype(np.int32) for limit in (y.min(1), y.max(1)))
    return Outlines(left, right, top, bottom)
