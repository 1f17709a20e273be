"""One integer hash behind every random choice: mixes, noise, rand, scatter, terrain.

Everything here uses integer arithmetic and exactly rounded float operations only, so results are the
same on every platform and numpy version (numpy's own generators promise no such thing).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TABLE_CELLS = 1 << 20  # the largest table of noise lattice values


def scramble(h: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Mix the bits of 32-bit integers in place, so that neighbours share nothing.

    "lowbias32" of Chris Wellons' hash prospector (public domain).
    """
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def hash_cells(seed: int, *coordinates: ArrayLike) -> NDArray[np.uint32]:
    """Hash integer coordinates, which broadcast against each other, to 32 even random bits.

    Open grids are cheap: with (X, 1, 1), (1, Y, 1), (1, 1, Z) only the last step works on all cells.
    """
    with np.errstate(over="ignore"):
        h = scramble(np.array([seed & 0xFFFFFFFF], np.uint32))
        for coordinate in coordinates:
            c = np.asarray(coordinate).astype(np.int64).astype(np.uint32)
            h = scramble(h + c * np.uint32(0x9E3779B1))
    return h.reshape(np.broadcast_shapes(*(np.shape(c) for c in coordinates)))


def uniform(seed: int, *coordinates: ArrayLike) -> NDArray[np.float64]:
    """White noise in [0, 1), one value a cell."""
    return hash_cells(seed, *coordinates).astype(np.float64) * (1.0 / 4294967296.0)


def to_integers(values: ArrayLike) -> NDArray[np.int64]:
    """Floor floats to integers within ±2^31; NaN gives -2^31, so that no platform's cast is asked."""
    floored = np.floor(np.asarray(values, np.float64))
    return np.fmin(np.fmax(floored, -2147483648.0), 2147483647.0).astype(np.int64)


def noise(x: ArrayLike, y: ArrayLike = 0.0, z: ArrayLike = 0.0, seed: int = 0) -> NDArray[np.float64]:
    """Smooth value noise in 0..1, one lattice cell per unit, of coordinates that broadcast.

    Lattice values are hashed; between them the smoothstep 3t² - 2t³ blends along x, then y, then z.
    The three ways below do the same operations in the same order and so agree to the last bit.
    """
    points = [np.asarray(p, np.float64) for p in (x, y, z)]
    cells = [to_integers(p) for p in points]
    blends = []
    for p in points:
        t = np.fmax(p - np.floor(p), 0.0)  # of NaN and infinity: 0
        blends.append(t * t * (3.0 - 2.0 * t))
    lows = [int(c.min()) if c.size else 0 for c in cells]
    spans = [int(c.max()) - low + 2 if c.size else 2 for c, low in zip(cells, lows, strict=True)]
    shape = np.broadcast_shapes(*(p.shape for p in points))
    if spans[0] * spans[1] * spans[2] > min(_TABLE_CELLS, 8 * int(np.prod(shape)) + 4096):
        return _blend(lambda a, b, c: uniform(seed, cells[0] + a, cells[1] + b, cells[2] + c), blends)
    table = uniform(seed, *np.ix_(*(low + np.arange(span) for low, span in zip(lows, spans, strict=True))))
    indices = [c - low for c, low in zip(cells, lows, strict=True)]
    axes = [_only_axis(p, len(shape), -1 - k) for k, p in enumerate(points)]
    if None not in axes and len(set(axes)) == 3:
        return _separable(table, indices, blends, [a for a in axes if a is not None], shape)
    flat = table.reshape(-1)
    base = (indices[0] * spans[1] + indices[1]) * spans[2] + indices[2]
    steps = (spans[1] * spans[2], spans[2], 1)
    return _blend(lambda a, b, c: flat[base + (a * steps[0] + b * steps[1] + c)], blends)


def _blend(corner: Any, t: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Trilinear blend of the eight values corner(a, b, c), a, b, c in 0..1."""

    def along_x(b: int, c: int) -> NDArray[np.float64]:
        return corner(0, b, c) * (1.0 - t[0]) + corner(1, b, c) * t[0]  # type: ignore[no-any-return]

    def along_y(c: int) -> NDArray[np.float64]:
        return along_x(0, c) * (1.0 - t[1]) + along_x(1, c) * t[1]

    return along_y(0) * (1.0 - t[2]) + along_y(1) * t[2]


def _only_axis(p: NDArray[Any], dimensions: int, none: int) -> int | None:
    """Return the one axis along which p varies, `none` if it is constant, None for several."""
    long = [dimensions - p.ndim + axis for axis, length in enumerate(p.shape) if length > 1]
    if len(long) > 1:
        return None
    return long[0] if long else none


def _separable(
    table: NDArray[np.float64],  # (I, J, K) lattice values
    indices: list[NDArray[np.int64]],
    blends: list[NDArray[np.float64]],
    axes: list[int],
    shape: tuple[int, ...],
) -> NDArray[np.float64]:
    """Blend axis by axis where each coordinate varies along an axis of its own: one pass over all cells."""
    value = table
    for axis in range(3):
        i, t = indices[axis].reshape(-1), blends[axis].reshape([-1 if a == axis else 1 for a in range(3)])
        value = np.take(value, i, axis) * (1.0 - t) + np.take(value, i + 1, axis) * t
    order = sorted(range(3), key=lambda k: axes[k] if axes[k] >= 0 else len(shape) + k)
    target = [length if d in axes else 1 for d, length in enumerate(shape)]
    return value.transpose(order).reshape(target)
