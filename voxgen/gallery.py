"""The gallery: folders of a scene, its untouched reply, picture, page and turntable; two indexes.

README.md is the index where files are read as text, index.html in a browser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen import files, film
from voxgen.errors import FileError
from voxgen.files import html, motion, png
from voxgen.picture import camera, renderer
from voxgen.scene import BUILT_IN, Light, Scene

MEAN_TOLERANCE = 2.0  # of 255, over the whole picture: another driver's rounding
BLOCK_TOLERANCE = 16.0  # of 255, over any block of 16×16 pixels: something else is drawn there
_BLOCK = 16
_SPIN = "spin.webp"
SPIN_FRAMES, SPIN_RATE, SPIN_SIZE = 30, 10.0, (320, 240)  # keeps a turntable below 400 kB


def scenes(folder: Path) -> list[str]:
    """Return the names of the scene folders, sorted; raises FileError if there is none."""
    names = sorted(path.parent.name for path in folder.glob("*/scene.json"))
    if not names:
        raise FileError(f"{folder} holds no */scene.json", "name a gallery folder, or run where gallery/ is")
    return names


def redraw(folder: Path, name: str, check_only: bool = False) -> bool:
    """Draw one scene's picture and page again; with `check_only` only compare.

    Return whether both were as stored, with a turntable; that is drawn too where it is missing or turns what
    has changed.
    How it is drawn is what "picture" in scene.json says: size, view, light, quality, style, background.
    """
    scene = files.load(folder / name / "scene.json")
    settings = _settings(scene)
    image, page = renderer.draw(scene, **settings), html.write(_as_drawn(scene, settings))
    wanted: list[tuple[str, bytes, Callable[[bytes], bool]]] = [
        ("picture.png", png.encode(image, scene), lambda data: _shows(data, image)),
        ("page.html", page, lambda data: html.is_like(data, page)),
    ]
    kept = [_kept(folder / name / file, data, is_like, True) for file, data, is_like in wanted]
    same = all(kept) and _turns(folder / name / _SPIN)
    if not same and not check_only:
        spin(folder, name)  # first: where that is stopped, the page still tells that it is old
        for file, data, is_like in wanted:
            _kept(folder / name / file, data, is_like, False)
    return same


def _turns(path: Path) -> bool:
    """Tell whether there is a turntable, a WebP."""
    return path.exists() and files.read_bytes(path)[:4] == b"RIFF"


def _kept(path: Path, data: bytes, is_like: Callable[[bytes], bool], check_only: bool) -> bool:
    """Write a file that is missing or not like its data, unless only checking; tell whether it was."""
    same = path.exists() and is_like(files.read_bytes(path))
    if not same and not check_only:
        files.write_bytes(path, data)
    return same


def _as_drawn(scene: Scene, settings: dict[str, Any]) -> Scene:
    """Return a scene seen and lit as its picture is."""
    view, light = settings.get("view"), settings.get("light")
    return scene.but(
        view=scene.view if view is None else camera.parse(view)[0],
        light=scene.light if light is None else Light(light),
    )


def spin(folder: Path, name: str, heed: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> Path:
    """Draw a small turntable of one scene, in its own light, and return its path.

    heed: is given the frames and gives them on, to show how far it is.
    """
    scene = files.load(folder / name / "scene.json")
    look = {key: value for key, value in _settings(scene).items() if key not in ("size", "quality")}
    frames = film.animate(
        scene, "spin", frames=SPIN_FRAMES, size=SPIN_SIZE, quality="good", renderer="gl", **look
    )
    return motion.write(folder / name / _SPIN, heed(frames), SPIN_FRAMES, SPIN_RATE)


def _shows(data: bytes, image: NDArray[np.uint8]) -> bool:
    """Tell whether a PNG shows the image; a damaged one does not."""
    try:
        return is_like(png.decode(data), image)
    except FileError:
        return False


def is_like(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    """Tell whether two (H, W, 3) pictures show the same, small differences of drivers aside."""
    if a.shape != b.shape:
        return False
    difference = np.abs(a.astype(np.float32) - b)
    rows, columns = (side - side % _BLOCK for side in a.shape[:2])
    blocks = difference[:rows, :columns].reshape(rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK, 3)
    worst = float(blocks.mean((1, 3, 4)).max()) if blocks.size else 0.0
    return float(difference.mean()) <= MEAN_TOLERANCE and worst <= BLOCK_TOLERANCE


def write_index(folder: Path, names: list[str], check_only: bool = False) -> bool:
    """Write README.md and index.html; with `check_only` only compare. Return whether both were as stored.

    Scenes of the built-in composer come last. Raises FileError where one of them is somebody else's page.
    """
    loaded = {name: files.load(folder / name / "scene.json") for name in names}
    order = sorted(names, key=lambda name: (loaded[name].origin.get("by") == BUILT_IN, name))
    entries = [_entry(loaded[name], name, (folder / name / _SPIN).exists()) for name in order]
    cards = [_card(loaded[name], name) for name in order]
    stored = [
        _index(folder / "README.md", _HEADING, [_HEADING, "", _INTRODUCTION, *entries], check_only),
        _index(folder / "index.html", _MARK, [_MARK, _STYLE, *cards, "</main>"], check_only),
    ]
    return all(stored)


def _index(path: Path, heading: str, lines: list[str], check_only: bool) -> bool:
    """Keep one index of text, and never overwrite a page that does not begin like one."""
    text = "\n".join(lines) + "\n"

    def is_like(data: bytes) -> bool:
        stored = data.decode("utf-8", "replace").replace("\r\n", "\n")
        if not check_only and not stored.startswith(heading):
            hint = "move it away, or name another folder"
            raise FileError(f'{path} is no index of a gallery: it does not start with "{heading}"', hint)
        return stored == text

    return _kept(path, text.encode(), is_like, check_only)


_HEADING = "# Gallery"
_INTRODUCTION = """Every folder holds the scene (`scene.json`), the text it was read from, untouched
(`reply.txt`), its picture, a page to turn it in (`page.html`) and a turntable; `index.html` shows
them all in a browser. `voxgen gallery` makes all of this again, `voxgen gallery --check` says what
would differ. Any scene can be drawn another way:
`voxgen render gallery/garden/scene.json --light sunset --view 60,20`.
"""


def _entry(scene: Scene, name: str, turning: bool) -> str:
    grid = scene.grid
    size = "×".join(map(str, grid.size))
    by = str(scene.origin.get("by", "unknown origin"))
    prompt = f"> {scene.origin['prompt']}\n\n" if scene.origin.get("prompt") else ""
    return (
        f"## {scene.title}\n\n![{scene.title}]({name}/picture.png)\n\n{prompt}"
        f"{by[:1].upper() + by[1:]} · {size} · {grid.voxels:,} voxels · "
        f"{len(grid.palette) - 1} materials · [page]({name}/page.html) · "
        f"[scene]({name}/scene.json) · [reply]({name}/reply.txt)"
        f"{f' · [turning]({name}/spin.webp)' if turning else ''}\n"
    )


_MARK = "<!doctype html><!-- a gallery of voxgen -->"
_STYLE = """<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Gallery</title>
<style>
body { margin: 0; padding: 24px; font: 15px/1.45 system-ui, sans-serif }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); gap: 24px }
a { color: inherit; text-decoration: none }
img { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: cover; border-radius: 12px }
a:hover img, a:focus-visible img { outline: 3px solid #2f62e8 }
h1 { margin: 0 0 20px } h2 { margin: 10px 0 0; font-size: 17px } p { margin: 2px 0 0; opacity: .7 }
</style>
<h1>Gallery</h1>
<main>"""


def _card(scene: Scene, name: str) -> str:
    title, prompt = escape(scene.title), escape(str(scene.origin.get("prompt") or ""))
    size, place = "×".join(map(str, scene.grid.size)), escape(name)
    return (
        f'<a href="{place}/page.html"><img src="{place}/picture.png" alt="{title}" loading="lazy">'
        f"<h2>{title}</h2><p>{prompt or f'{size} · {scene.grid.voxels:,} voxels'}</p></a>"
    )


_LOOK = ("size", "light", "view", "quality", "style", "background")


def _settings(scene: Scene) -> dict[str, Any]:
    stored = scene.document.get("picture")
    stored = stored if isinstance(stored, dict) else {}
    known = {key: stored[key] for key in _LOOK if stored.get(key) is not None}
    if "size" in known:
        known["size"] = tuple(known["size"])
    return known
