"""How long documents take to build, and formula steps beside plain numpy on the same box.

    python benchmarks/build.py [--json]

Times are CPU seconds, the minimum of several runs, imports not counted; memory is what resident memory grows
by at most.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import Row, arguments, in_turn, memory_of, show

from voxgen.language.builder import build
from voxgen.language.limits import Limits

GALLERY = Path(__file__).parents[1] / "gallery"
SIDE = 160
PATIENT = Limits(step_seconds=600, total_seconds=3600)  # a busy machine changes no grid


def large() -> list[Row]:
    rows: list[Row] = []
    for side in (128, 256, 512):
        call = partial(build, document(side, 200), limits=PATIENT)
        used = memory_of(call)
        seconds = in_turn({"build": call}, 2)["build"]
        row: Row = {"steps": 200, "side": side, "voxels": call().grid.voxels, "seconds": seconds}
        row["seconds per million cells"] = seconds / side**3 * 1e6
        rows.append(row | {"MB": used / 1e6, "bytes a cell": used / side**3})
    return rows


def document(side: int, steps: int) -> dict[str, Any]:
    """Return hills with boxes, balls, cylinders, cones, roofs, curves and formulas in and over them."""
    chance = random.Random(side)
    ground = {
        "terrain": {"box": [[0, 0, 0], [side - 1, side - 1, side // 5]], "scale": side / 6, "top": "grass"}
    }
    build: list[dict[str, Any]] = [{**ground, "of": {"stone": 3, "moss": 1}}]
    for number in range(steps - 1):
        x, y, z = place = [chance.randrange(side) for _ in range(3)]
        wide = chance.randrange(side // 20, side // 6)
        box = [[v - wide for v in place], [v + wide for v in place]]
        ball = f"hypot(x-{x},y-{y},z-{z}) < {wide}*(0.6+0.4*noise(x/9,y/9,z/9))"
        shapes: list[dict[str, Any]] = [
            {"box": box, "hollow": 3},
            {"sphere": {"center": place, "radius": wide}},
            {"cylinder": {"base": [x, y, 0], "radius": wide // 2, "height": z + 4}},
            {"cone": {"base": place, "radius": wide, "height": 2 * wide}},
            {"roof": {"box": box}},
            {"line": [*box, [x, y, 0]], "width": 8, "curve": True},
            {"formula": ball, "in": box},
            {"formula": f"abs(z-{z}-{wide}*sin(x/17)*cos(y/23)) < 3", "in": box},
        ]
        build.append(
            {**shapes[number % len(shapes)], "of": chance.choice(["red", "moss", {"stone": 3, "moss": 1}])}
        )
    palette = {"stone": "#888888", "grass": "#55aa33", "moss": "#446633", "red": "#cc3333"}
    return {"size": [side] * 3, "palette": palette, "build": build}


def scenes() -> list[Row]:
    rows: list[Row] = []
    for path in sorted(GALLERY.glob("*/scene.json")):
        call = partial(build, json.loads(path.read_text(encoding="utf-8")))
        seconds = in_turn({"build": call}, 3)["build"]
        grid = call().grid
        cells = int(np.prod(grid.size))
        rows.append(
            {
                "scene": path.parent.name,
                "size": "×".join(map(str, grid.size)),
                "voxels": grid.voxels,
                "seconds": seconds,
                "seconds per million cells": seconds / cells * 1e6,
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


def formulas() -> list[Row]:
    """Time one formula step against numpy on full coordinate arrays, which is how one would write it."""
    rows: list[Row] = []
    for name, (formula, plain) in FORMULAS.items():
        box = [[0, 0, 0], [SIDE - 1] * 3]
        document = {"size": [SIDE] * 3, "build": [{"formula": formula, "in": box, "of": "red"}]}

        def numpy_alone(plain: Callable[..., object] = plain) -> object:
            x, y, z = np.meshgrid(*[np.arange(SIDE, dtype=float)] * 3, indexing="ij")
            grid = np.zeros((SIDE,) * 3, np.uint8)
            grid[plain(x, y, z)] = 1
            return grid

        assert np.array_equal(build(document).grid.indices, numpy_alone())
        times = in_turn({"voxgen": partial(build, document), "numpy": numpy_alone})
        rows.append({"formula": name, **times, "× numpy": times["voxgen"] / times["numpy"]})
    return rows


def main() -> None:
    given = arguments(__doc__)
    tables = {
        "large scenes": large(),
        "the gallery": scenes(),
        "one formula step beside numpy on full arrays, seconds": formulas(),
    }
    show(tables, given.json)


if __name__ == "__main__":
    main()
