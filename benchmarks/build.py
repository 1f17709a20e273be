"""How long documents take to build, and formula steps beside plain numpy on the same box.

    python benchmarks/build.py [--json]

Times are CPU seconds, the minimum of five runs, imports not counted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from voxgen.language.builder import build

GALLERY = Path(__file__).parents[1] / "gallery"
SIDE = 160


def best_of(call: Callable[[], object], runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def scenes() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for path in sorted(GALLERY.glob("*/scene.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        seconds = best_of(lambda document=document: build(document))
        grid = build(document).grid
        cells = int(np.prod(grid.size))
        rows.append(
            {
                "scene": path.parent.name,
                "size": "×".join(map(str, grid.size)),
                "voxels": grid.voxels,
                "seconds": round(seconds, 3),
                "seconds_per_million_cells": round(seconds / cells * 1e6, 3),
            }
        )
    return rows


FORMULAS: dict[str, tuple[str, Callable[..., object]]] = {
    "ball": (
        "hypot(x-80, y-80, z-80) < 70",
        lambda x, y, z: np.sqrt((x - 80) ** 2 + (y - 80) ** 2 + (z - 80) ** 2) < 70,
    ),
    "wave": (
        "z < 80 + 12*sin(x/9) + 9*cos(y/7)",
        lambda x, y, z: z < 80 + 12 * np.sin(x / 9) + 9 * np.cos(y / 7),
    ),
    "torus": (
        "(sqrt((x-80)**2+(y-80)**2)-50)**2 + (z-80)**2 < 400",
        lambda x, y, z: (np.sqrt((x - 80) ** 2 + (y - 80) ** 2) - 50) ** 2 + (z - 80) ** 2 < 400,
    ),
}


def formulas() -> list[dict[str, object]]:
    """Time one formula step against numpy on full coordinate arrays, which is how one would write it."""
    rows: list[dict[str, object]] = []
    for name, (formula, plain) in FORMULAS.items():
        box = [[0, 0, 0], [SIDE - 1] * 3]
        document = {"size": [SIDE] * 3, "build": [{"formula": formula, "in": box, "of": "red"}]}

        def numpy_alone(plain: Callable[..., object] = plain) -> object:
            x, y, z = np.meshgrid(*[np.arange(SIDE, dtype=float)] * 3, indexing="ij")
            grid = np.zeros((SIDE,) * 3, np.uint8)
            grid[plain(x, y, z)] = 1
            return grid

        assert np.array_equal(build(document).grid.indices, numpy_alone())
        ours = best_of(lambda document=document: build(document))
        theirs = best_of(numpy_alone)
        rows.append(
            {
                "formula": name,
                "voxgen": round(ours, 3),
                "numpy": round(theirs, 3),
                "ratio": round(ours / theirs, 2),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    result = {"scenes": scenes(), "formulas": formulas()}
    if parser.parse_args().json:
        print(json.dumps(result, indent=1))
        return
    for rows in result.values():
        print(" | ".join(rows[0]))
        for row in rows:
            print(" | ".join(str(v) for v in row.values()))
        print()


if __name__ == "__main__":
    main()
