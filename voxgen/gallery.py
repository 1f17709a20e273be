"""The gallery: folders of a scene, its reply, picture.png and perhaps spin.webp; README.md is the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen import files, film
from voxgen.errors import FileError
from voxgen.files import motion, png
from voxgen.picture import renderer
from voxgen.scene import BUILT_IN, Scene

MEAN_TOLERANCE = 2.0  # of 255, over the whole picture: another driver's rounding
BLOCK_TOLERANCE = 16.0  # of 255, over any block of 16×16 pixels: something else is drawn there
_BLOCK = 16
SPIN_FRAMES, SPIN_RATE, SPIN_SIZE = 30, 10.0, (320, 240)  # keeps a turntable below 400 kB


def scenes(folder: Path) -> list[str]:
    """Return the names of the scene folders, sorted; raises FileError if there is none."""
    names = sorted(path.parent.name for path in folder.glob("*/scene.json"))
    if not names:
        raise FileError(f"{folder} holds no */scene.json", "name a gallery folder, or run where gallery/ is")
    return names


def redraw(folder: Path, name: str, check_only: bool = False) -> bool:
    """Draw one scene's picture again; with `check_only` only compare. Return whether it was as stored.

    How it is drawn is what "picture" in scene.json says: size, view, light, quality, style, background.
    """
    scene = files.load(folder / name / "scene.json")
    image = renderer.draw(scene, **_settings(scene))
    path = folder / name / "picture.png"
    same = path.exists() and _shows(files.read_bytes(path), image)
    if not same and not check_only:
        files.write_bytes(path, png.encode(image, scene))
    return same


def spin(folder: Path, name: str, heed: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> Path:
    """Draw a small turntable of one scene, in its own light, and return its path.

    heed: is given the frames and gives them on, to show how far it is.
    """
    scene = files.load(folder / name / "scene.json")
    look = {key: value for key, value in _settings(scene).items() if key not in ("size", "quality")}
    frames = film.animate(
        scene, "spin", frames=SPIN_FRAMES, size=SPIN_SIZE, quality="good", renderer="gl", **look
    )
    return motion.write(folder / name / "spin.webp", heed(frames), SPIN_FRAMES, SPIN_RATE)


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
    """Write README.md for the scenes; with `check_only` only compare. Return whether it was as stored.

    Scenes of the built-in composer come last. Raises FileError where README.md is somebody else's page.
    """
    loaded = {name: files.load(folder / name / "scene.json") for name in names}
    order = sorted(names, key=lambda name: (loaded[name].origin.get("by") == BUILT_IN, name))
    entries = [_entry(loaded[name], name, (folder / name / "spin.webp").exists()) for name in order]
    text = "\n".join([_HEADING, "", _INTRODUCTION, *entries]) + "\n"
    path = folder / "README.md"
    stored = (
        files.read_bytes(path).decode("utf-8", "replace").replace("\r\n", "\n") if path.exists() else None
    )
    same = stored == text
    if not same and not check_only:
        if stored is not None and not stored.startswith(_HEADING):
            hint = "move it away, or name another folder"
            raise FileError(f'{path} is no index of a gallery: it does not start with "{_HEADING}"', hint)
        files.write_bytes(path, text.encode())
    return same


_HEADING = "# Gallery"
_INTRODUCTION = """Every folder holds the scene (`scene.json`), the text it was read from, untouched
(`reply.txt`), and its picture. `voxgen gallery` draws all pictures and this page again,
`voxgen gallery --check` says which would differ. Any scene can be drawn another way:
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
        f"{len(grid.palette) - 1} materials · [scene]({name}/scene.json) · [reply]({name}/reply.txt)"
        f"{f' · [turning]({name}/spin.webp)' if turning else ''}\n"
    )


_LOOK = ("size", "light", "view", "quality", "style", "background")


def _settings(scene: Scene) -> dict[str, Any]:
    stored = scene.document.get("picture")
    stored = stored if isinstance(stored, dict) else {}
    known = {key: stored[key] for key in _LOOK if stored.get(key) is not None}
    if "size" in known:
        known["size"] = tuple(known["size"])
    return known
