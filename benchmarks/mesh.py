"""Grid → mesh: greedy meshing beside what people use in Python, and beside one read of the grid.

    python benchmarks/mesh.py [--json] [--large]

CPU milliseconds, the minimum of several runs taken in turns; memory is what resident memory grows by at most,
each in a process of its own. The grid is benchmarks/landscape.py at several sizes; --large adds 1024 cells a
side, which takes 2 GB.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
import pyvista as pv
import trimesh
from landscape import PALETTE, RGB, garden
from measure import Row, arguments, in_turn, memory_of, show

from voxgen.picture import mesher
from voxgen.picture.mesher import exposed, greedy
from voxgen.scene import VoxelGrid

mpl.use("agg")

# how much faster greedy meshing has to be
DEMANDS = {
    (64, "threshold + extract_surface"): 15,
    (128, "contour_labels"): 12,
    (128, "glyph"): 100,
    (128, "trimesh as_boxes"): 400,
}


def threshold(grid: VoxelGrid) -> object:
    image = pv.ImageData(dimensions=np.array(grid.size) + 1)
    image.cell_data["material"] = grid.indices.ravel(order="F")
    return image.threshold(0.5, scalars="material").extract_surface(algorithm="dataset_surface")


def contour_labels(grid: VoxelGrid) -> object:
    image = pv.ImageData(dimensions=grid.size)
    image.point_data["material"] = grid.indices.ravel(order="F")
    return image.contour_labels(
        "external", smoothing=False, output_mesh_type="quads", pad_background=True, scalars="material"
    )


def glyph(grid: VoxelGrid) -> object:
    cells = np.argwhere(grid.indices)
    points = pv.PolyData(cells.astype(np.float32))
    points["material"] = grid.indices[tuple(cells.T)]
    return points.glyph(geom=pv.Cube(), scale=False, orient=False)


def as_boxes(grid: VoxelGrid) -> object:
    return trimesh.voxel.VoxelGrid(grid.indices != 0).as_boxes(colors=RGB[grid.indices])


def ax_voxels(grid: VoxelGrid) -> object:
    from matplotlib.figure import Figure

    axes: Any = Figure().add_subplot(projection="3d")
    return axes.voxels(grid.indices != 0, facecolors=RGB[grid.indices] / 255)


PEERS: dict[str, tuple[Callable[[VoxelGrid], object], int]] = {  # and up to which size
    "threshold + extract_surface": (threshold, 256),
    "contour_labels": (contour_labels, 256),
    "glyph": (glyph, 128),
    "trimesh as_boxes": (as_boxes, 128),
    "matplotlib voxels": (ax_voxels, 16),
}


def beside_peers() -> list[Row]:
    rows: list[Row] = []
    for side in (16, 32, 64, 128, 256):
        grid = garden(side)
        peers = {name: partial(peer, grid) for name, (peer, most) in PEERS.items() if side <= most}
        times = in_turn({"greedy": partial(greedy, grid), **peers}, 3 if side >= 128 else 7)
        for name in peers:
            ratio = times[name] / times["greedy"]
            row: Row = {
                "side": side,
                "peer": name,
                "ms": 1e3 * times[name],
                "greedy ms": 1e3 * times["greedy"],
            }
            rows.append(row | {"× greedy": ratio, "demand": DEMANDS.get((side, name), "")})
    return rows


def growth(large: bool) -> list[Row]:
    """Show that cost grows as faces and cells: each size beside one read, and beside the size before."""
    rows: list[Row] = []
    for side in (32, 64, 128, 256, 512, *([1024] if large else [])):
        grid = garden(side)
        calls = {"read": grid.indices.max, "greedy": partial(greedy, grid), "exposed": partial(exposed, grid)}
        calls["with light"] = partial(greedy, grid, occlusion=True)
        times = in_turn(calls, 3 if side > 128 else 9)
        row: Row = {"side": side, "cells": grid.indices.size, "faces": len(exposed(grid))}
        row |= {"quads": len(greedy(grid).direction)}
        row |= {f"{name} ms": 1e3 * seconds for name, seconds in times.items()}
        row["greedy × read"] = times["greedy"] / times["read"]
        if rows:
            for name in ("cells", "faces", "greedy ms"):
                row[f"{name.split()[0]} × before"] = row[name] / rows[-1][name]
        rows.append(row)
    return rows


def sparse() -> list[Row]:
    """Compare words of occupied cells alone with all words, at both ends of the rule that chooses."""
    rows: list[Row] = []
    chosen = mesher._SPARSE
    for balls in (4, 16, 64, 256):
        grid = floating(256, balls)
        times = {}
        for name, rule in (("sparse", 0), ("dense", 1 << 30), ("chosen", chosen)):
            mesher._SPARSE = rule
            times |= in_turn({name: partial(exposed, grid)}, 5)
        bits = mesher._bits(grid)
        share = np.count_nonzero(bits.solid) / len(bits.solid)
        rows.append({"words occupied": share} | {f"{name} ms": 1e3 * t for name, t in times.items()})
    return rows


def floating(side: int, balls: int) -> VoxelGrid:
    """Return hollow balls in an empty space."""
    random, grid = np.random.default_rng(1), np.zeros((side,) * 3, np.uint8)
    x, y, z = np.ogrid[-20:21, -20:21, -20:21]
    distance = x * x + y * y + z * z
    for low in random.integers(0, side - 41, (balls, 3)):
        part = grid[tuple(slice(v, v + 41) for v in low)]
        part[(distance <= 400) & (distance > 324)] = 1
    return VoxelGrid(grid, PALETTE)


def blocks(side: int) -> VoxelGrid:
    """Return every other cube of a lattice: many faces, at 512 cells a side 25 million."""
    x, y, z = (np.arange(side, dtype=np.uint8 if side <= 256 else np.uint16) // 16 for _ in range(3))
    cells = (x[:, None, None] + y[None, :, None] + z[None, None, :]) & 1
    return VoxelGrid(cells.astype(np.uint8), PALETTE)


CASES: dict[str, Callable[[VoxelGrid], object]] = {
    "greedy": greedy,
    "greedy with light": partial(greedy, occlusion=True),
    "exposed": exposed,
    **{name: peer for name, (peer, most) in PEERS.items() if most >= 128},
}


def peak(name: str, side: int, scene: str = "garden") -> int:
    """Return the peak bytes of one call, measured in a process of its own."""
    command = [sys.executable, __file__, "--peak", name, str(side), scene]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


def memory() -> list[Row]:
    rows: list[Row] = []
    ours = peak("greedy", 128)
    for name in CASES:
        used = peak(name, 128)
        rows.append({"side": 128, "what": name, "MB": used / 1e6, "× greedy": used / ours})
    rows[-1]["demand"] = ""
    next(row for row in rows if row["what"].startswith("threshold"))["demand"] = 10
    for scene in ("garden", "blocks"):
        grid = {"garden": garden, "blocks": blocks}[scene](512)
        faces = len(exposed(grid))
        used = peak("exposed", 512, scene)
        rows.append(
            {"side": 512, "what": f"exposed, {scene}, {faces / 1e6:.1f} M faces", "MB": used / 1e6}
            | {"bytes a face": used / faces}
        )
    return rows


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        name, side, scene = sys.argv[2:5]
        CASES[name](garden(16))  # what it imports and sets up is not counted
        grid = {"garden": garden, "blocks": blocks}[scene](int(side))
        print(memory_of(lambda: CASES[name](grid)))
        return
    given = arguments(__doc__, "--large")
    tables = {
        "grid → mesh, beside peers": beside_peers(),
        "cost from 32 to 512 cells a side": growth(given.large),
        "mostly empty grids of 256 cells a side": sparse(),
        "memory": memory(),
    }
    show(tables, given.json)


if __name__ == "__main__":
    main()
