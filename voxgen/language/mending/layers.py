"""Text slices in any form → the "layers" of the language: rows of letters, and a key to them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping
from typing import Any

from voxgen.language.mending.values import Names, is_material, is_point, literal, material, plus, point, show
from voxgen.language.palette import fold

__all__ = ["is_layers", "mend_layers", "needs_key"]

MAX_SLICES = 4096
MAX_WIDTH = 4096
MAX_SLICE = 1 << 20  # characters of one slice: more than 512 rows of 512 names hold
MANY_ROWS = 8  # where one row in ten of another length is no shorthand any more
_RUN = re.compile(r"(.)\*(\d{1,6})")
_COUNTED = re.compile(r"(?:\d{1,4}[^\d\s*/,])+")  # "3g2." as in Conway's Life files
_LETTERS = string.ascii_letters + string.digits + "!#$%&+-:;<=>?@^_|~" + "".join(map(chr, range(0xC0, 0x250)))
_SPACED = re.compile(r"\s*\S+(?: +\S+){2,}\s*")  # "g g . d": at least three names with blanks between
_ROWS = ("rows", "data", "grid", "layer", "pattern", "map", "cells", "slice", "row", "blocks")
_LEVELS = ("y", "z", "level", "height", "index", "i", "yoffset", "layer", "range")


def is_layers(value: Any, step: Mapping[str, Any]) -> bool:
    """Say whether layers are as the language has them: ["row/row", …], even rows, a point, a key."""
    if not isinstance(value, list) or not value:
        return False
    if not all(isinstance(v, str) and 0 < len(v) <= MAX_SLICE for v in value):
        return False
    if not is_point(step.get("at", [0, 0, 0])) or step.get("facing", "front") != "front":
        return False
    if any(c in layer for layer in value for c in "\n,") or any(map(_is_uneven, value)):
        return False
    if all(_is_spaced(layer.split("/")) for layer in value):
        return False
    key = step.get("key", {})
    good = isinstance(key, dict) and all(len(k) == 1 and is_material(v) and v != {} for k, v in key.items())
    return good and not _is_counted(value, key)


def needs_key(step: Mapping[str, Any], names: Names) -> bool:
    """Say whether letters of layers mean nothing but what the step's `of` says."""
    if step.get("of") is None:
        return False
    key = step.get("key", {})
    return any(
        c not in key and c not in names.palette for c in _letters([v.split("/") for v in step["layers"]])
    )


def mend_layers(
    value: Any, given: Mapping[str, Any], path: str, names: Names, of: Any
) -> dict[str, Any] | None:
    """Return a "layers" step from slices in any form, or None where there are none.

    given: what else the step says: at, key, facing. of: fills letters that nothing else explains.
    """
    slices, lowest = _slices(value)
    if not slices:
        return None
    at = point(given.get("at", given.get("from"))) or [0, 0, 0]
    if lowest:
        at = [at[0], at[1], plus(at[2], lowest)]
    key = _key(given.get("key"), path, names)
    rows = [_rows(layer, key) for layer in slices]
    if _is_counted(["/".join(r) for r in rows], key):
        rows = [[re.sub(r"(\d+)(\D)", r"\2*\1", row) for row in r] for r in rows]
    rows = [_even(r, f"{path}.layers[{i}]", names) for i, r in enumerate(rows)]
    step: dict[str, Any] = {"layers": ["/".join(r) or "." for r in rows]}
    if given.get("at") is not None or given.get("from") is not None or lowest:
        step["at"] = at
    if of is not None:
        key.update({c: of for c in _letters(rows) if c not in key and c not in names.palette})
    if key or "key" in given:
        step["key"] = key
    facing = given.get("facing")
    if isinstance(facing, str) and fold(facing) in ("front", "upright", "vertical", "south"):
        step["facing"] = "front"
    if step["layers"] != value:
        names.notes.add(
            f"{path}.layers", f"{show(value)} is not how layers are written", "read them as rows", "info"
        )
    return step


# --------------------------------------------------------------------------- slices


def _slices(value: Any, depth: int = 0) -> tuple[list[Any], int]:
    """Return the slices bottom first, and the level of the lowest."""
    if isinstance(value, str):
        return [s for s in re.split(r"\n\s*\n", value.strip("\n")) if s.strip()][:MAX_SLICES], 0
    if isinstance(value, Mapping):
        inner = next(
            (v for k, v in value.items() if fold(str(k)) in ("layers", "slices", "rows", "data", "grid")),
            None,
        )
        return _slices(inner, depth + 1) if inner is not None and depth < 3 else _leveled(value.items())
    if not isinstance(value, (list, tuple)):
        return [], 0
    leveled = [_level_of(v) for v in value[:MAX_SLICES]]
    if value and all(leveled):
        return _leveled([pair for pair in leveled if pair])
    return [v for v in value[:MAX_SLICES] if isinstance(v, (str, list, tuple)) and v], 0


def _level_of(layer: Any) -> tuple[Any, Any] | None:
    """Read {"y": 0, "rows": …} as (level, rows)."""
    if not isinstance(layer, Mapping):
        return None
    folded = {fold(str(k)): v for k, v in layer.items()}
    rows = next((folded[k] for k in _ROWS if isinstance(folded.get(k), (str, list, tuple))), None)
    level = next((folded[k] for k in _LEVELS if isinstance(folded.get(k), (str, int, float, list))), None)
    return None if rows is None else (level, rows)


def _leveled(pairs: Any) -> tuple[list[Any], int]:
    """Put slices on their levels: "y=0", "2", "0-3" and [1, 3] repeat; what has no level goes on top."""
    levels: dict[int, Any] = {}
    for name, rows in pairs:
        numbers = [int(v) for v in re.findall(r"(?<![\d])-?\d+", str(name)[:60].replace("-", " -"))][:2]
        top = max(levels, default=-1) + 1
        low = numbers[0] if numbers else top
        high = abs(numbers[1]) if len(numbers) > 1 else low
        for level in range(low, min(max(high, low), low + MAX_SLICES) + 1):
            levels[level] = rows
    if not levels or max(levels) - min(levels) >= MAX_SLICES:
        return list(levels.values()), 0
    lowest = min(levels)
    return [levels.get(i, "") for i in range(lowest, max(levels) + 1)], lowest


# --------------------------------------------------------------------------- rows


def _rows(layer: Any, key: dict[str, Any]) -> list[str]:
    """Return the rows of one slice as letters; longer names get a letter of their own in `key`."""
    if isinstance(layer, str):
        layer = re.split(r"[/\n|]", layer[:MAX_SLICE].replace("\r", "").strip("\n"))
    if not isinstance(layer, (list, tuple)):
        return []
    if layer and all(isinstance(v, (int, float)) or v is None for v in layer):
        layer = [layer]  # one row of numbers
    spaced = _is_spaced(layer)
    return [_row(row, spaced, key) for row in layer]


def _is_spaced(rows: Any) -> bool:
    """Say whether rows are names with blanks between, "g g . d", as many in each row."""
    if len(rows) < 2 or not all(isinstance(row, str) and _SPACED.fullmatch(row) for row in rows):
        return False
    return len({len(row.split()) for row in rows}) == 1


def _row(row: Any, spaced: bool, key: dict[str, Any]) -> str:
    if isinstance(row, str):
        if "," in row:
            row = [c.strip() for c in row.strip(", ").split(",")]
        elif spaced:
            row = row.split()
        else:
            return row
    if not isinstance(row, (list, tuple)):
        row = [row]
    return "".join(_letter(token, key) for token in row)


def _letter(token: Any, key: dict[str, Any]) -> str:
    if token is None or token is False or token == "" or isinstance(token, (list, tuple, Mapping)):
        return "."
    number = literal(token) if not isinstance(token, str) else None
    name = str(number) if number is not None else str(token)[:80]
    if name == "0" and "0" not in key:
        return "."
    if len(name) == 1:
        return name
    if fold(name) in ("air", "none", "empty", "null"):
        return "."
    used = next((k for k, v in key.items() if v == name and len(k) == 1), None)
    if used is None:
        used = next((c for c in [name[0], *_LETTERS] if c not in key and c not in "./* 0"), "?")
        key[used] = key.pop(name, name)
    return used


def _letters(rows: list[list[str]]) -> set[str]:
    return {c for r in rows for row in r for c in _RUN.sub(r"\1", row)} - set(" .*/")


def _is_counted(layers: list[str], key: Mapping[str, Any]) -> bool:
    """Say whether rows are run lengths with the number in front, "3g2.", and digits mean nothing else."""
    rows = [row for layer in layers for row in layer.split("/") if row]
    return bool(rows) and not any(k.isdigit() for k in key) and all(map(_COUNTED.fullmatch, rows))


def _width(row: str) -> int:
    return len(_RUN.sub("", row)) + sum(int(n) for _, n in _RUN.findall(row))


def _usual(widths: list[int]) -> int:
    return Counter(widths).most_common(1)[0][0]


def _can_wrap(rows: list[str], widths: list[int], usual: int) -> bool:
    """Say whether only the breaks between rows are wrong: one too long, one too short, the sum right."""
    total = sum(widths) == usual * len(rows) and max(widths) <= usual + 2
    return total and len(set(widths)) > 1 and "*" not in "".join(rows)


def _is_uneven(layer: str) -> bool:
    """Say whether rows were miscounted; a few short rows are the language's own and filled up when built."""
    if "/" not in layer:
        return False
    rows = layer.split("/")
    widths = list(map(_width, rows))
    usual = _usual(widths)
    ragged = sum(w != usual for w in widths)
    return _can_wrap(rows, widths, usual) or (len(rows) >= MANY_ROWS and ragged > len(rows) / 10)


def _even(rows: list[str], path: str, names: Names) -> list[str]:
    """Wrap rows anew where only the breaks are wrong; fill them up where many are of different length."""
    if not _is_uneven("/".join(rows)):
        return rows
    widths = list(map(_width, rows))
    usual = _usual(widths)
    if _can_wrap(rows, widths, usual):
        text = "".join(rows)
        names.notes.add(path, f"rows of {min(widths)} to {max(widths)} cells", f"wrapped them at {usual}")
        return [text[i : i + usual] for i in range(0, len(text), usual)]
    ragged = sum(w != usual for w in widths)
    names.notes.add(path, f"{ragged} of {len(rows)} rows are longer or shorter", "filled them up with air")
    wide = min(max(widths), MAX_WIDTH)
    return [row + f".*{wide - w}" * (w < wide) for row, w in zip(rows, widths, strict=True)]


# --------------------------------------------------------------------------- the key


def _key(value: Any, path: str, names: Names) -> dict[str, Any]:
    """Return letter → material from a key in any form: an object either way round, or a list of pairs."""
    if isinstance(value, (list, tuple)):
        value = (
            {str(i): v for i, v in enumerate(value)}
            if not all(map(_is_entry, value))
            else dict(map(_entry, value))
        )
    if not isinstance(value, Mapping):
        return {}
    items = {str(k): v for k, v in value.items()}
    letters = sum(len(k) == 1 for k in items)
    turned = [v for v in items.values() if isinstance(v, str) and len(v) == 1 and v not in names.palette]
    if len(turned) == len(items) > letters:
        names.notes.add(f"{path}.key", "names come first, letters second", "turned it round", "info")
        items = {v: k for k, v in items.items()}
    key: dict[str, Any] = {}
    for letter, entry in items.items():
        try:
            key[letter] = material(entry, names)
        except ValueError as error:
            names.notes.add(f"{path}.key.{letter}", str(error), "took the letter for a material's name")
    return key


def _is_entry(value: Any) -> bool:
    return (isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str)) or (
        isinstance(value, Mapping) and len(value) >= 2
    )


def _entry(value: Any) -> tuple[str, Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    return str(value[0]), value[1]
