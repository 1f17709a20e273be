"""How long files of 1.3 million voxels take, beside numpy's own .npy on the same grid.

    python benchmarks/files.py [--json]

Times are CPU seconds, the minimum of three runs. "solid" is a block of many colours; "town" is blocks with
streets between, which has an outside as real scenes have; "noise" is every other cell at random, the worst a
mesh can be asked for.
"""

from __future__ import annotations

import argparse
import io
import json
from typing import Any

import numpy as np
from measure import in_turn

from voxgen import files
from voxgen.scene import AIR, Material, Scene, VoxelGrid

PALETTE = (
    AIR,
    *(Material(f"m{i}", (i, 255 - i, i * 7 % 256), 0.5 if i % 50 == 0 else 1.0) for i in range(1, 201)),
)
FORMATS = [ending for ending in files.WRITERS if ending not in (".png", ".json")]


def scenes() -> dict[str, Scene]:
    random = np.random.default_rng(1)
    solid = random.integers(1, 201, (110, 110, 108)).astype(np.uint8)
    town = np.zeros((256, 256, 64), np.uint8)
    for x in range(0, 256, 16):
        for y in range(0, 256, 16):
            town[x : x + 11, y : y + 11, : 20 + int(random.integers(45))] = random.integers(1, 201)
    town[..., 0] = 7
    town[random.random(town.shape) < 0.01] = 0  # chips, so that faces do not merge into a few
    noise = (random.integers(1, 201, (160, 160, 100)) * (random.random((160, 160, 100)) < 0.5)).astype(
        np.uint8
    )
    grids = {"solid": solid, "town": town, "noise": noise}
    return {name: Scene(name, VoxelGrid(cells, PALETTE)) for name, cells in grids.items()}


def quiet(sentence: str) -> None:
    pass


def numpy_alone(scene: Scene) -> tuple[float, float]:
    """Return seconds for np.save and np.load of the bare indices."""
    file = io.BytesIO()

    def save() -> None:
        file.seek(0)
        np.save(file, scene.grid.indices)

    def load() -> None:
        file.seek(0)
        np.load(file)

    least = in_turn({"save": save, "load": load})
    return least["save"], least["load"]


def measure(scene: Scene, ending: str) -> dict[str, Any]:
    own = {"stem": "scene"} if ending == ".obj" else {}
    written = files.WRITERS[ending](scene, quiet, **own)
    data = written if isinstance(written, bytes) else next(iter(written.values()))
    row: dict[str, Any] = {"scene": scene.title, "format": ending, "megabytes": round(len(data) / 1e6, 2)}
    calls: dict[str, Any] = {"write": lambda: files.WRITERS[ending](scene, quiet, **own)}
    if ending in files.READERS and not (ending == ".nbt" and scene.grid.voxels > 400_000):
        calls["read"] = lambda: files.READERS[ending](data, "")
    least = in_turn(calls, 3)
    row["write"], row["read"] = least["write"], least.get("read")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    rows = []
    for scene in scenes().values():
        saving, loading = numpy_alone(scene)
        for ending in FORMATS:
            row = measure(scene, ending)
            row["write_beside_npy"] = round(row["write"] / max(saving, 1e-4))
            row["read_beside_npy"] = row["read"] and round(row["read"] / max(loading, 1e-4))
            rows.append({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()})
        rows[-len(FORMATS)]["voxels"] = scene.grid.voxels
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    print("scene | format | MB | write s | read s | write, read beside .npy")
    for row in rows:
        if "voxels" in row:
            print(f"{row['scene']}: {row['voxels']:,} voxels")
        print(
            " | ".join(str("–" if v is None else v) for k, v in row.items() if k not in ("scene", "voxels"))
        )


if __name__ == "__main__":
    main()
