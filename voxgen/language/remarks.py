"""remarks(): what is odd about a finished grid: nothing in it, one colour, pieces that float."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxgen.scene import Repair, VoxelGrid

__all__ = ["remarks"]

_MOST = 0.95  # of one colour is as good as all
MAX_RUNS = 500_000  # of solid cells: more take seconds to join into pieces

Runs = NDArray[np.int32]  # (n, 4): x, y, first z, last z of solid cells above each other


def remarks(grid: VoxelGrid) -> list[Repair]:
    """Return what a person would find odd about a grid; nothing in it is changed.

    An empty scene, a single voxel and a scene of one colour are "loss", worth asking the model again;
    pieces that touch neither the ground nor the largest piece are "info": clouds and birds may float. They
    are looked for among at most MAX_RUNS runs: what is more broken than that is a cloud of dust.
    """
    count = grid.voxels
    if count == 0:
        return [Repair("$", "the scene is empty", "there is nothing to draw", "loss")]
    if count == 1:
        return [Repair("$", "the scene is a single voxel", "drew it", "loss")]
    runs, tops = solid_runs(grid)
    return [*_one_color(grid, tops, count), *(_floating(runs) if runs is not None else [])]


def _one_color(grid: VoxelGrid, tops: NDArray[np.int64], count: int) -> list[Repair]:
    """Remark on one material for nearly everything, inside and on top."""
    most = int(tops.argmax())
    if tops[most] < _MOST * tops.sum():
        return []
    share = sum(int(np.count_nonzero(cells == most)) for cells in grid.indices) / count
    if share < _MOST:
        return []
    name = grid.palette[most].name
    return [Repair("$", f'{share:.0%} of the scene is "{name}"', "drew it as it is", "loss")]


def _floating(runs: Runs) -> list[Repair]:
    """Remark on pieces that touch neither the lowest layer nor the largest piece, not even at a corner."""
    labels = components(runs)
    sizes = np.bincount(labels, runs[:, 3] - runs[:, 2] + 1).astype(np.int64)
    lowest = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(lowest, labels, runs[:, 2])
    loose = (lowest > lowest.min()) & (sizes > 0)
    loose[(sizes * 2 + ~loose).argmax()] = False  # the largest; of equal ones, one that stands
    pieces = np.flatnonzero(loose)
    if not len(pieces):
        return []
    largest = pieces[sizes[pieces].argmax()]
    x, y, z, _ = (int(v) for v in runs[np.flatnonzero(labels == largest)[0]])
    voxels = int(sizes[pieces].sum())
    if len(pieces) == 1:
        problem = f"a piece of {voxels:,} voxel{'s' if voxels > 1 else ''} floats at [{x},{y},{z}]"
    else:
        most = f"the largest {sizes[largest]:,} at [{x},{y},{z}]"
        problem = f"{len(pieces):,} pieces float, {voxels:,} voxels, {most}"
    return [Repair("$", problem, "kept as they are" if len(pieces) > 1 else "kept as it is", "info")]


def solid_runs(grid: VoxelGrid) -> tuple[Runs | None, NDArray[np.int64]]:
    """Return the runs of solid cells along z, sorted, and how often each material tops one: (materials,).

    The runs are (n, 4) rows x, y, first z, last z; None for more than MAX_RUNS, which would take memory.
    """
    _, wide, tall = grid.size
    slab = np.zeros((wide, tall + 1), bool)  # one cell of air parts the columns
    tops = np.zeros(len(grid.palette), np.int64)
    found, count = [], 0
    for x, cells in enumerate(grid.indices):
        np.not_equal(cells, 0, out=slab[:, :tall])
        flat = slab.ravel()
        change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        if flat[0]:
            change = np.concatenate([[0], change])
        y, low = np.divmod(change[0::2], tall + 1)
        high = low + (change[1::2] - change[0::2]) - 1
        tops += np.bincount(cells[y, high], minlength=len(tops))
        count += len(y)
        if count <= MAX_RUNS:
            found.append(np.stack([np.full(len(y), x), y, low, high], axis=1).astype(np.int32))
    return (np.concatenate(found) if count <= MAX_RUNS else None), tops


def components(runs: Runs) -> NDArray[np.int64]:
    """Label runs that touch, diagonals included (26-connectivity): (n,) labels 0.. in order of first run.

    Pairs of touching runs come from binary search in the neighbouring columns; labels are joined by
    hooking and pointer jumping (Shiloach and Vishkin 1982).
    """
    a, b = _touching(runs)
    parent = np.arange(len(runs), dtype=np.int32)
    while len(a):
        low, high = np.minimum(parent[a], parent[b]), np.maximum(parent[a], parent[b])
        apart = low != high
        if not apart.any():
            break
        a, b, low, high = a[apart], b[apart], low[apart], high[apart]
        parent[high] = low  # whichever wins: low < high, so no circle can arise
        while True:
            jumped = parent[parent]
            if np.array_equal(jumped, parent):
                break
            parent = jumped
    roots = parent == np.arange(len(parent))
    labels: NDArray[np.int64] = (np.cumsum(roots) - 1)[parent]
    return labels


def _touching(runs: Runs) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the pairs of runs in neighbouring columns whose cells touch, each pair once."""
    x, y, low, high = runs.T
    wide, tall = int(y.max()) + 3, int(high.max()) + 4
    if (int(x.max()) + 3) * wide * tall >= 1 << 31:  # cells as large as this are numbered in 64 bits
        x, y, low, high = runs.T.astype(np.int64)
    column = x * wide + y
    starts, ends = column * tall + low, column * tall + high
    firsts, seconds = [], []
    for step in (1, wide - 1, wide, wide + 1):  # (x, y+1), (x+1, y-1), (x+1, y), (x+1, y+1)
        base = (column + step) * tall
        begin = np.searchsorted(ends, base + low - 1)
        end = np.searchsorted(starts, base + high + 1, side="right")
        count = np.maximum(end - begin, 0)
        first = np.repeat(np.arange(len(runs), dtype=np.int32), count)
        skip = (begin - np.cumsum(count) + count).astype(np.int32)  # from a pair's number to its second run
        firsts.append(first)
        seconds.append(np.arange(len(first), dtype=np.int32) + skip[first])
    return np.concatenate(firsts), np.concatenate(seconds)
