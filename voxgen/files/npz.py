"""The .npz archive: the grid as it is, for numpy and for keeping.

Entries: indices (X, Y, Z) uint8 or uint16 · names (n,) str · colors (n, 3) uint8 · surface (n, 3) float64
opacity, glow, metal · about: one JSON text with title, light, view, document and origin.
"""

from __future__ import annotations

import io
import json
import math
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from voxgen.errors import FileError
from voxgen.language.limits import Limits
from voxgen.scene import AIR, LIGHTS, Color, Light, Material, Scene, View, VoxelGrid

MAX_CELLS = Limits().cells
_MAX_PALETTE = 1 << 18  # items of an entry beside the grid: three for each of 65,536 materials
_MAX_ENTRY = 1 << 29  # bytes one entry may unpack to
_RANGES = (("opacity", 1), ("glow", 3), ("metal", 1))
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

    Raises FileError for anything that is no such archive, that declares more than 2^27 cells, or whose
    palette, light or view holds what no scene can.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy on headers of Python 2
            return _scene(_entries(data), title)
    except FileError:
        raise
    except Exception as error:  # a damaged archive fails in zipfile, zlib, lzma or numpy, each its own way
        said = str(error).split("\n")[0][:200] or type(error).__name__
        raise FileError(f"not an .npz archive of voxgen: {said}", "it needs an entry named indices") from None


def _scene(entries: dict[str, Any], title: str) -> Scene:
    indices = entries["indices"]
    if indices.ndim != 3 or indices.dtype not in (np.uint8, np.uint16) or not indices.any():
        raise FileError('"indices" is no 3-D grid of uint8 or uint16 with a voxel in it', "see the README")
    about = json.loads(str(entries["about"])) if "about" in entries else {}
    named, document, origin = about.get("title"), about.get("document"), about.get("origin")
    return Scene(
        named if isinstance(named, str) else title,
        VoxelGrid(np.ascontiguousarray(indices), _palette(entries, int(indices.max()))),
        _light(about.get("light", {})),
        _view(about.get("view", {})),
        document if isinstance(document, dict) else {},
        origin=origin if isinstance(origin, dict) else {},
    )


def _entries(data: bytes) -> dict[str, Any]:
    """Unpack the known entries; what a header declares is checked before memory is taken."""
    entries: dict[str, Any] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in _NAMES:
            if f"{name}.npy" not in archive.namelist():
                continue
            if archive.getinfo(f"{name}.npy").file_size > 2 * _MAX_ENTRY:
                raise FileError(f"{name} unpacks to too much", "the limit is 2^27 cells")
            with archive.open(f"{name}.npy") as file:
                version = np.lib.format.read_magic(file)
                header = (
                    np.lib.format.read_array_header_1_0(file)
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0(file)
                )
            shape, _, dtype = header
            items, most = math.prod(shape), MAX_CELLS if name == "indices" else _MAX_PALETTE
            if items > most or items * dtype.itemsize > _MAX_ENTRY:
                declared = "×".join(map(str, shape))
                raise FileError(f"{name} declares {declared} entries", f"the limit is {most:,}")
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
    return (AIR, *(_material(*entry) for entry in rest))


def _material(name: Any, color: Any, surface: list[Any]) -> Material:
    for value, (what, high) in zip(surface, _RANGES, strict=True):
        if not 0 <= value <= high:
            raise ValueError(f"{what} {value} of {str(name)[:80]!r} is not within 0..{high}")
    return Material(str(name), _color(color), *map(float, surface))


def _color(value: Any) -> Color:
    red, green, blue = value
    if not all(type(c) is int and 0 <= c <= 255 for c in (red, green, blue)):
        raise ValueError(f"{str(value)[:80]} is no colour")
    return red, green, blue


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:80]} is no number")
    return float(value)


def _light(fields: dict[str, Any]) -> Light:
    if fields.get("name", "day") not in LIGHTS:
        raise ValueError(f"{str(fields['name'])[:80]!r} is no light")
    known: dict[str, Callable[[Any], Any]] = {
        "name": str,
        **dict.fromkeys(("horizon", "zenith", "color"), _color),
    }
    known |= dict.fromkeys(("azimuth", "elevation", "strength"), _number)
    return Light(**{key: known[key](value) for key, value in fields.items() if value is not None})


def _view(fields: dict[str, Any]) -> View:
    view = View(**{key: _number(value) for key, value in fields.items() if value is not None})
    if view.zoom <= 0:
        raise ValueError(f"zoom {view.zoom} is not above 0")
    return view
