"""Other people's formats → a grid: told by their shape, each with its own axes, ends and block names.

Space: all the JSON formats of Minecraft and three.js tools have y up and z towards the viewer (south).
Ours has z up and y away from the viewer, so their (x, y, z) is our (x, -z, y): a turn, never a mirror
image. Grids that say nothing of the kind, `{"size", "palette", "voxels"}` and `grid[z][y][x]`, are taken
as ours. The lowest cell ends up at [0, 0, 0], whatever the coordinates were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from voxgen.errors import ReplyError
from voxgen.language.foreign import boxes, grids
from voxgen.language.foreign.cells import is_cell, is_row_text, list_of
from voxgen.language.foreign.drawing import Foreign
from voxgen.language.foreign.lines import recognise_lines, recognise_text
from voxgen.language.foreign.vibecraft import vibecraft
from voxgen.language.mending.unwrapping import is_program
from voxgen.language.mending.words import STEPS, looks_like_step
from voxgen.language.palette import fold

__all__ = ["Foreign", "recognise", "recognise_text"]

_WRAPPERS = frozenset([
    "scene", "build", "result", "output", "data", "arguments", "input", "model", "structure", "schematic",
    "blueprint", "design", "voxelmodel", "content", "response", "answer", "grid", "world", "object",
])  # fmt: skip
_TEXTS = frozenset(["bricks", "commands", "lines", "blocks", "voxels", "build", "rows", "data"])


def recognise(value: Any) -> Foreign | None:
    """Read a decoded value in another format; None means that it is our own language, or nothing known.

    Raises ReplyError for programs in place of data, and for builds that hold no cell.
    """
    for candidate in _candidates(value):
        if isinstance(candidate, Mapping) and _is_own(candidate):
            return None
        for reader in _READERS:
            found = reader(candidate)
            if found is not None:
                return found
    if isinstance(value, Mapping) and is_program(value):
        raise ReplyError(
            "the reply is a program, not a scene; voxgen runs no code", "ask for the scene as data"
        )
    return None


def _candidates(value: Any) -> Iterator[Any]:
    """Yield a value and what it may be wrapped in."""
    for _ in range(4):
        yield value
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, Mapping):
            held = (v for k, v in islice(value.items(), 100) if fold(str(k)) in _WRAPPERS)
            inner = next((v for v in held if isinstance(v, Mapping)), None)
            if inner is None:
                return
            value = inner
        else:
            return


def _is_own(value: Mapping[Any, Any]) -> bool:
    """Say whether an object has steps of our own language."""
    if "parts" in value or "functions" in value or "textures" in value:
        return True
    for key in ("build", "steps", "objects"):
        steps = value.get(key)
        if isinstance(steps, list) and any(map(looks_like_step, steps[:20])):
            cells = "size" not in value and all(map(_is_bare_cell, steps[:20]))
            cuboids = "palette" not in value and list_of(steps, boxes.is_cuboid)
            return not cells and not cuboids
    blocks = value.get("blocks")
    return isinstance(blocks, list) and bool(blocks) and all(map(_is_named_step, blocks[:20]))


def _is_bare_cell(step: Any) -> bool:
    """Say whether a step is nothing but {"x", "y", "z"} and what is there."""
    if not is_cell(step) or len(step) > 6 or "of" in step:
        return False
    return not STEPS.keys() & step.keys() and not _is_named_step(step)


def _is_named_step(value: Any) -> bool:
    """Say whether an object is a step by its "type", not a block of that type: {"type": "sphere", …}."""
    return isinstance(value, Mapping) and looks_like_step({"type": value.get("type", "")}) and len(value) > 1


def _texts(value: Any) -> Foreign | None:
    """Read lines of a text format in a list, bare or under a key: ["2x4 (0,0,0)", …]."""
    if isinstance(value, Mapping):
        value = next(
            (v for k, v in islice(value.items(), 100) if fold(str(k)) in _TEXTS and list_of(v, _is_text)),
            None,
        )
    if not list_of(value, _is_text):
        return None
    lines = [line for line in value if isinstance(line, str)]
    if list_of(value, is_row_text):
        return grids.cells_of(lines)
    return recognise_lines(lines)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) < 400


_READERS: tuple[Callable[[Any], Foreign | None], ...] = (
    boxes.cuboids,
    boxes.artist,
    grids.structure,
    boxes.minebench,
    boxes.bricks,
    _texts,
    grids.flat_array,
    vibecraft,
    grids.arrays,
    grids.cell_list,
    grids.plain_layers,
    grids.keyed,
)
