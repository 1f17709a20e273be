"""A scene as one HTML page to turn, cut and light it in: viewer/ with the grid inside, and no network."""

from __future__ import annotations

import base64
import html
import json
import re
import sys
import tempfile
import webbrowser
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import FileError
from voxgen.files import space
from voxgen.language import builder
from voxgen.picture.camera import aim
from voxgen.picture.setting import cropped
from voxgen.picture.sky import Sky, resolve
from voxgen.scene import LIGHTS, Light, Material, Scene, VoxelGrid

_SCRIPTS = ("mesh.js", "light.js", "draw.js", "viewer.js")
_SAFE = bytes.maketrans(b"<", b".")  # of base85: nothing that HTML or JSON would have to escape
_GRID = re.compile(rb'"grid":"([^"]*)"')
_COMMON = 255  # the kinds below are one byte a cell
_MOST_STEPS = 254  # told apart in a page; more share numbers
_MOST_KEYS = 1 << 20  # materials times steps
_MOST_SIDE = 1024  # cells: a place has ten bits in the viewer
_FRAME_HEIGHT = 600  # pixels, in a notebook


def write(scene: Scene) -> bytes:
    """Write a scene as a page of UTF-8 that needs no other file: a viewer in WebGL 2 without libraries.

    The page holds the occupied part of the grid, the step each cell came with, the materials and the five
    lights as `render` has them, and opens at the scene's own view. Raises RenderError for an empty scene,
    FileError for one of more than 1024 cells a side.
    """
    grid, low, _ = cropped(scene.grid)
    if max(grid.size) > _MOST_SIDE:
        raise FileError(
            f"the scene spans {space.times(grid.size)} cells", f"a page holds {_MOST_SIDE:,} a side"
        )
    order = builder.order_of(scene)
    if order is not None:
        order = order[tuple(slice(a, a + n) for a, n in zip(low, grid.size, strict=True))]
    packed = _packed(grid, order)
    stream = _deflated(*packed.parts, _source("shaders.glsl").encode())
    azimuth, elevation, zoom, _ = aim(scene.view)
    lights = {
        name: _light(resolve(scene.light if name == scene.light.name else Light(name), azimuth))
        for name in LIGHTS
    }
    data = {
        "title": scene.title,
        "size": grid.size,
        "kinds": packed.kinds,
        "rare": packed.rare,
        "steps": packed.steps,
        "materials": "".join(map(_material, grid.palette[1:])),
        "light": scene.light.name,
        "lights": lights,
        "view": {"azimuth": azimuth, "elevation": elevation, "zoom": zoom},
        "grid": base64.b85encode(stream).translate(_SAFE).decode(),
    }
    size = "×".join(map(str, grid.size))
    # no text of a scene may end the script it stands in
    parts = {
        "TITLE": html.escape(scene.title),
        "ABOUT": f"{size} · {grid.voxels:,} voxels · {len(grid.palette) - 1} materials",
        "BACKGROUND": "#"
        + "".join(f"{round(255 * v):02x}" for v in lights[scene.light.name]["bottom_color"]),
        "SCENE": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        "SCRIPT": "".join(map(_source, _SCRIPTS)),
    }
    page = re.sub(r"@([A-Z]+)@", lambda mark: parts[mark[1]], _source("page.html"))
    return page.encode("utf-8", "replace")


def is_like(a: bytes, b: bytes) -> bool:
    """Tell whether two pages show the same: another zlib packs the same grid in other bytes."""
    return _unpacked(a) == _unpacked(b)


def show(scene: Scene) -> Path | None:
    """Show a scene to turn: in a frame of the notebook this runs in, else in the browser.

    Returns the page that was opened, in the folder for temporary files; None in a notebook.
    Raises RenderError when the scene is empty.
    """
    page = write(scene)
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and hasattr(shell, "kernel"):
        from IPython.display import HTML, display

        display(HTML(_frame(page.decode())))
        return None
    with tempfile.NamedTemporaryFile(prefix="voxgen-", suffix=".html", delete=False) as file:
        file.write(page)
    open_page(Path(file.name))
    return Path(file.name)


def open_page(path: Path) -> bool:
    """Open a page in the browser of whoever runs this; tell whether there was one."""
    return webbrowser.open(path.resolve().as_uri())


def _frame(page: str) -> str:
    """Return a page within a page; the <div> keeps IPython from advising its IFrame, which takes a URL."""
    style = f"width:100%;height:{_FRAME_HEIGHT}px;border:0;border-radius:8px"
    return f'<div><iframe srcdoc="{html.escape(page)}" style="{style}" allow="fullscreen"></iframe></div>'


class _Packed(NamedTuple):
    """A grid as bytes, and how to read them; `kinds` are what differs in material or step.

    parts: uint16 (rare,), uint16 (kinds,) materials, uint8 (kinds,) steps, then a byte a cell, x fastest: 0
    is air, else it is the number of its kind, from 1; 255 stands for 255 more than the next of the rare.
    """

    kinds: int
    rare: int
    steps: int
    parts: list[memoryview]


def _packed(grid: VoxelGrid, order: NDArray[np.uint16] | None) -> _Packed:
    """Pack cells by their kinds, so that knowing each cell's step takes little more than its material.

    order: the step of each cell, (X, Y, Z), 0 where it is unknown and counts as the last one.
    """
    rank = _ranks(order)
    steps = min(int(rank.max()) + 1, _MOST_STEPS, max(1, _MOST_KEYS // len(grid.palette)))
    while True:
        step = (rank * steps // (rank.max() + 1)).astype(np.uint8)
        counts = np.zeros(len(grid.palette) * steps, np.int64)
        for keys in _keys(grid, order, step, steps):
            counts += np.bincount(keys.reshape(-1), minlength=len(counts))
        kinds = np.flatnonzero(counts[steps:]) + steps
        if len(kinds) < 1 << 16:
            break
        steps //= 2
    often = np.zeros(len(counts), bool)
    often[kinds[np.argsort(-counts[kinds], kind="stable")[: _COMMON - 1]]] = True
    kinds = np.concatenate([kinds[often[kinds]], kinds[~often[kinds]]])
    number = np.zeros(len(counts), np.uint8 if len(kinds) < _COMMON else "<u2")
    number[kinds] = np.arange(1, len(kinds) + 1)
    cells = np.zeros(grid.size, number.dtype)
    for x, keys in enumerate(_keys(grid, order, step, steps)):
        cells[x] = number[keys]
    cells = np.ascontiguousarray(cells.T)
    rare = cells[cells >= _COMMON].astype("<u2") - np.uint16(_COMMON)
    if len(rare):
        cells = np.minimum(cells, _COMMON).astype(np.uint8)
    materials, with_step = (kinds // steps).astype("<u2"), (kinds % steps + 1).astype(np.uint8)
    parts = [rare.data, materials.data, with_step.data, cells.data]
    return _Packed(len(kinds), len(rare), steps, parts)


def _ranks(order: NDArray[np.uint16] | None) -> NDArray[np.int64]:
    """Return, for each number a cell's order may be, how many lower ones there are."""
    if order is None:
        return np.zeros(1, np.int64)
    used = np.zeros(1 << 16, bool)
    for plane in order:
        used[plane] = True
    rank = np.maximum(np.cumsum(used[1:]) - 1, 0)
    return np.append(rank.max(), rank)


def _keys(
    grid: VoxelGrid, order: NDArray[np.uint16] | None, step: NDArray[np.uint8], steps: int
) -> Iterator[NDArray[np.integer]]:
    """Yield steps * material + step of each plane of x; what is below `steps` is air."""
    wide = np.min_scalar_type(len(grid.palette) * steps)
    for x, plane in enumerate(grid.indices):
        yield plane if order is None else plane.astype(wide) * wide.type(steps) + step[order[x]]


def _deflated(*data: bytes | memoryview) -> bytes:
    """Return data as zlib; grids of mixed materials shrink most when its code tables change often."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 5)
    return b"".join([*[packer.compress(piece) for piece in data], packer.flush()])


def _source(name: str) -> str:
    """Return a file of the viewer without its comments and indentation, a script without spare blanks too."""
    text = (Path(__file__).with_name("viewer") / name).read_text(encoding="utf-8")
    for spare in (r"^ +", r"^/\*\* .* \*/\n", r"^// .*\n", r" *// (?!.*').*$", r"^\n"):
        text = re.sub(spare, "", text, flags=re.M)
    if name.endswith(".html"):
        return text
    pieces = re.split(r"('[^'\n]*'|`[^`]*`)", text)  # every other one is a string
    pieces[::2] = [re.sub(r" ?([,;:?=<>{}()&|*/]) ?", r"\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _material(material: Material) -> str:
    """Return twelve hexadecimal digits: red, green, blue, opacity, glow / 8, metal."""
    opacity = 255 if material.opacity >= 1 else min(round(255 * material.opacity), 254)
    glow = min(round(255 * material.glow / 8) or (material.glow > 0), 255)
    return bytes([*material.color, opacity, glow, round(255 * material.metal)]).hex()


def _light(sky: Sky) -> dict[str, Any]:
    """Return what the shaders need of a light."""
    vectors = {
        "sun": sky.sun,
        "sun_light": sky.sun_light,
        "zenith": sky.zenith,
        "horizon": sky.horizon,
        "ground": sky.ground,
        "top_color": sky.top,
        "bottom_color": sky.bottom,
    }
    numbers = {
        "radius": sky.sun_radius,
        "exposure": sky.exposure,
        "glow": sky.glow,
        "bloom": sky.bloom,
        "stars": float(sky.stars),
    }
    rounded = {name: [round(float(v), 5) for v in np.ravel(vector)] for name, vector in vectors.items()}
    return {**rounded, **{name: round(number, 5) for name, number in numbers.items()}}


def _unpacked(page: bytes) -> tuple[bytes, bytes]:
    """Return a page without its grid, and the grid's own bytes; of no page of ours, all and nothing."""
    found = _GRID.search(page)
    if found is None:
        return page, b""
    try:
        return _GRID.sub(b"", page), zlib.decompress(base64.b85decode(found[1].replace(b".", b"<")))
    except (ValueError, zlib.error):
        return page, b""
