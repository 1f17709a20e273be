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
from pathlib import Path
from typing import Any

import numpy as np

from voxgen.picture.camera import aim
from voxgen.picture.setting import cropped
from voxgen.picture.sky import Sky, resolve
from voxgen.scene import LIGHTS, Light, Material, Scene

_SCRIPTS = ("mesh.js", "light.js", "draw.js", "viewer.js")
_SAFE = bytes.maketrans(b"<", b".")  # of base85: nothing that HTML or JSON would have to escape
_GRID = re.compile(rb'"grid":"([^"]*)"')
_FRAME_HEIGHT = 600  # pixels, in a notebook


def write(scene: Scene) -> bytes:
    """Write a scene as a page of UTF-8 that needs no other file: a viewer in WebGL 2 without libraries.

    The page holds the occupied part of the grid as zlib in base85, z slowest, the materials and the five
    lights as `render` has them, and opens at the scene's own view. Raises RenderError for an empty scene.
    """
    grid, _, _ = cropped(scene.grid)
    azimuth, elevation, zoom, _ = aim(scene.view)
    lights = {
        name: _light(resolve(scene.light if name == scene.light.name else Light(name), azimuth))
        for name in LIGHTS
    }
    data = {
        "title": scene.title,
        "size": grid.size,
        "bits": grid.indices.dtype.itemsize * 8,
        "materials": "".join(map(_material, grid.palette[1:])),
        "light": scene.light.name,
        "lights": lights,
        "view": {"azimuth": azimuth, "elevation": elevation, "zoom": zoom},
        "grid": base64.b85encode(_packed(grid.indices.T.tobytes())).translate(_SAFE).decode(),
    }
    size = "×".join(map(str, grid.size))
    # no text of a scene may end the script it stands in
    parts = {
        "TITLE": html.escape(scene.title),
        "ABOUT": f"{size} · {grid.voxels:,} voxels · {len(grid.palette) - 1} materials",
        "BACKGROUND": "#"
        + "".join(f"{round(255 * v):02x}" for v in lights[scene.light.name]["bottom_color"]),
        "SCENE": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        "SHADERS": _source("shaders.glsl"),
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


def _packed(data: bytes) -> bytes:
    """Return data as zlib; grids of mixed materials shrink most when its code tables change often."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 5)
    return packer.compress(data) + packer.flush()


def _source(name: str) -> str:
    """Return a file of the viewer without its comments and indentation."""
    text = (Path(__file__).with_name("viewer") / name).read_text(encoding="utf-8")
    for spare in (r"^ +", r"^/\*\* .* \*/\n", r"^// .*\n", r" *// (?!.*').*$", r"^\n"):
        text = re.sub(spare, "", text, flags=re.M)
    return text


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
