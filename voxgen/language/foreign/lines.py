"""Builds written as lines of text: BrickGPT's bricks, Minecraft's commands, Goxel's voxels, CSV."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from voxgen.language.foreign.boxes import shade_of
from voxgen.language.foreign.cells import ROW_TEXT, add_cells
from voxgen.language.foreign.drawing import Drawing, Foreign
from voxgen.scene import Repair

__all__ = ["recognise_text"]

MAX_LINES = 100_000

_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,5}[.):])\s+(?=\S)")
_BRICK = re.compile(
    r"\s*(\d{1,3})\s*[x×]\s*(\d{1,3})\s*(?:at\s*)?[(\[]"
    r"\s*(-?\d{1,6})\s*,\s*(-?\d{1,6})\s*,\s*(-?\d{1,6})\s*[)\]]\s*[.;,]?\s*"
)
_COMMAND = re.compile(
    r"\s*/?(fill|setblock)((?:\s+[~^]?-?\d*){3,6})\s+([\w:]+(?:\[[^\]]*\])?)(?:\s+(\w+))?.*"
)
_COLORED = re.compile(r"\s*(-?\d{1,6})\s+(-?\d{1,6})\s+(-?\d{1,6})\s+#?([0-9a-fA-F]{6})\s*")
_HEADER = re.compile(r"\s*x\s*,\s*y\s*,\s*z\s*(?:,[\w ,]*)?\s*", re.I)
_Rows = list[re.Match[str]]


def recognise_text(text: str) -> Foreign | None:
    """Read text formats: BrickGPT's `2x4 (x,y,z)`, /fill and /setblock, Goxel's `x y z rrggbb`, CSV.

    None where fewer than half of the lines look like one of them.
    """
    if text.lstrip()[:1] in ("{", "[") or len(text) > 1 << 26:
        return None
    written = text.split("\n", MAX_LINES)
    found = recognise_lines(written[:MAX_LINES])
    if found is None or len(written) <= MAX_LINES:
        return found
    repair = Repair("$", f"more than {MAX_LINES:,} lines", "left the rest out", "loss")
    return replace(found, repairs=(*found.repairs, repair))


def recognise_lines(written: list[str]) -> Foreign | None:
    """Read lines of one of the text formats; None where fewer than half of them look like it."""
    lines = [line for line in written if line.strip() and not line.lstrip().startswith(("#", "//", "```"))]
    if not lines:
        return None
    if any(map(_HEADER.fullmatch, lines[:10])):
        return _read(lines, ROW_TEXT, _rows)
    for pattern, reader in ((_BRICK, _bricks), (_COMMAND, _commands), (_COLORED, _colored)):
        if found := _read(lines, pattern, reader):
            return found
    return None


def _read(lines: list[str], pattern: re.Pattern[str], reader: Callable[[_Rows], Foreign]) -> Foreign | None:
    """Read lines if half of them fit a pattern, once or, with nothing between, several times."""
    if not any(map(pattern.match, (_BULLET.sub("", line, count=1) for line in lines[:50]))):
        return None
    found: _Rows = []
    good = 0
    for line in lines:
        bare = _BULLET.sub("", line, count=1)
        one = pattern.fullmatch(bare)
        several = [one] if one else list(pattern.finditer(bare)) if len(bare) < 1 << 20 else []
        if several and (one or sum(len(m[0]) for m in several) > 0.8 * len(bare)):
            found += several
            good += 1
    return reader(found) if found and good * 2 >= len(lines) else None


def _bricks(found: _Rows) -> Foreign:
    """BrickGPT: z up, one plate one voxel, no colours; each brick gets one, so that bricks show."""
    drawing = Drawing(up="z")
    for match in found:
        wide, deep, x, y, z = (int(v) for v in match.groups())
        color = shade_of(match[0].strip())
        drawing.box([x, y, z], [x + wide, y + deep, z + 1], color, open_end=True)
    return drawing.finish("BrickGPT bricks")


def _commands(found: _Rows) -> Foreign:
    """Minecraft commands; relative coordinates (~) count from 0."""
    drawing = Drawing()
    for match in found:
        numbers = [int(re.sub(r"[~^]", "", v) or 0) for v in match[2].split()]
        if len(numbers) not in (3, 6):
            drawing.lost += 1
            continue
        drawing.box(numbers[:3], numbers[3:] or numbers, match[3], match[4] in ("hollow", "outline"))
    return drawing.finish("Minecraft commands")


def _colored(found: _Rows) -> Foreign:
    """Goxel's text export: z up."""
    drawing = Drawing(up="z")
    rows: list[Any] = [[int(m[1]), int(m[2]), int(m[3]), "#" + m[4].lower()] for m in found]
    add_cells(drawing, rows)
    return drawing.finish("Goxel text")


def _rows(found: _Rows) -> Foreign:
    """Lines of `x,y,z,block` under a header; y up."""
    drawing = Drawing()
    add_cells(drawing, [match[0] for match in found])
    return drawing.finish("voxel list")
