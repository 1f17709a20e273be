"""The .npz archive: the grid as it is, for numpy and for keeping.

Entries: indices (X, Y, Z) uint8 or uint16 · names (n,) str · colors (n, 3) uint8 · surface (n, 3) float64
opacity, glow, metal · about: one JSON text with title, light, view, document and origin.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import asdict
from typing import Any

import numpy as np

from voxgen.errors import FileError
from voxgen.scene import AIR, Light, Material, Scene, View, VoxelGrid

MAX_CELLS = 1 << 27
_MAX_ENTRY = 1 << 29  # bytes one entry may unpack to
_NAMES = ("indices", "names", "colors", "surface", "about")


def write(scene: Scene) -> bytes:
    """Write a scene as a compressed .npz archive."""
    palette = scene.grid.palette
    about = {
        "title": scene.title,
        "light": asdict(scene.light),
        "view": asdict(scene.view),
        "document": scene.document,
        "origin": scene.origin,
    }
    file = io.BytesIO()
    np.savez_compressed(
        file,
        indices=scene.grid.indices,
        names=np.array([m.name for m in palette]),
        colors=np.array([m.color for m in palette], np.uint8),
        surface=np.array([(m.opacity, m.glow, m.metal) for m in palette]),
        about=np.array(json.dumps(about, ensure_ascii=False)),
    )
    return file.getvalue()


def read(data: bytes, title: str) -> Scene:
    """Read an archive written by `write`, or any .npz that holds "indices" and nothing else known.

    Raises FileError for anything that is no such archive, or that declares more than 2^27 cells.
    """
    try:
        entries = _entries(data)
        indices = entries["indices"]
        if indices.ndim != 3 or indices.dtype not in (np.uint8, np.uint16) or not indices.any():
            raise FileError(
                '"indices" is no 3-D grid of uint8 or uint16 with a voxel in it', "see the README"
            )
        palette = _palette(entries, int(indices.max()))
        about = json.loads(str(entries["about"])) if "about" in entries else {}
        return Scene(
            str(about.get("title", title)),
            VoxelGrid(np.ascontiguousarray(indices), palette),
            Light(**_colors_as_tuples(about.get("light", {}))),
            View(**about.get("view", {})),
            about.get("document", {}),
            origin=about.get("origin", {}),
        )
    except (
        zipfile.BadZipFile,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        OSError,
        NotImplementedError,
    ) as error:
        raise FileError(
            f"not an .npz archive of voxgen: {error}", "it needs an entry named indices"
        ) from None


def _entries(data: bytes) -> dict[str, Any]:
    """Unpack the known entries; what a header declares is checked before memory is taken."""
    entries: dict[str, Any] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in _NAMES:
            if f"{name}.npy" not in archive.namelist():
                continue
            with archive.open(f"{name}.npy") as file:
                version = np.lib.format.read_magic(file)
                header = (
                    np.lib.format.read_array_header_1_0(file)
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0(file)
                )
            shape, _, dtype = header
            if math.prod(shape) > MAX_CELLS or math.prod(shape) * dtype.itemsize > _MAX_ENTRY:
                raise FileError(
                    f"{name} declares {'×'.join(map(str, shape))} entries", "the limit is 2^27 cells"
                )
            with archive.open(f"{name}.npy") as file:
                entries[name] = np.lib.format.read_array(file, allow_pickle=False)
    return entries


def _palette(entries: dict[str, Any], highest: int) -> tuple[Material, ...]:
    """Return the materials, in shades of grey where the archive has none."""
    if "colors" not in entries:
        greys = [round(60 + 180 * i / max(highest, 1)) for i in range(highest + 1)]
        return (AIR, *(Material(f"material {i}", (g, g, g)) for i, g in enumerate(greys) if i))
    colors = entries["colors"].tolist()
    if len(colors) <= highest:
        raise ValueError(f"{len(colors)} colours for {highest + 1} materials")
    names = entries["names"].tolist() if "names" in entries else [f"material {i}" for i in range(len(colors))]
    surface = entries["surface"].tolist() if "surface" in entries else [(1.0, 0.0, 0.0)] * len(colors)
    rest = zip(names[1:], colors[1:], surface[1:], strict=True)
    return (AIR, *(Material(str(n), (r, g, b), *map(float, s)) for n, (r, g, b), s in rest))


def _colors_as_tuples(light: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in light.items()}
