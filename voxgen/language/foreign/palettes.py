"""What other formats call their colours and blocks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from voxgen.language.palette import fold

__all__ = ["palette_of", "size_of", "up_of"]

PALETTES = ("palette", "colors", "colours", "materials", "legend", "key", "p", "blocktypes", "mapping")
SIZES = ("size", "dims", "dimensions", "shape", "bounds", "gridsize")
SIDES = (("x", "width", "w"), ("y", "depth", "d", "length"), ("z", "height", "h"))
MAX_SIDE = 512


def palette_of(value: Mapping[Any, Any]) -> dict[str, Any]:
    """Return key → colour or block name from a palette in any form; a list's keys are its places."""
    keys = {fold(str(k)): k for k in islice(value, 100)}
    under = (value.get(keys.get(k)) for k in PALETTES)
    palette = next((v for v in under if isinstance(v, (list, Mapping))), None)
    if isinstance(palette, list):
        pairs = [pair for pair in map(_named, palette) if pair]
        if palette and len(pairs) == len(palette):
            return {str(key): entry for key, entry in pairs}
        names = {
            str(entry["name"]): entry for entry in palette if isinstance(entry, Mapping) and "name" in entry
        }
        return {**names, **{str(i): entry for i, entry in enumerate(palette)}}
    if not isinstance(palette, Mapping):
        return {}
    return _turned(palette) or {str(k): v for k, v in palette.items()}


def _turned(palette: Mapping[Any, Any]) -> dict[str, Any] | None:
    """Turn {"minecraft:stone": 1} round: a block's name for each number; None where values are none."""
    numbers = list(palette.values())
    if not numbers or not all(type(v) is int for v in numbers) or len(set(numbers)) < len(numbers):
        return None
    return {str(v): str(k) for k, v in palette.items()} if max(numbers) < len(numbers) + 8 else None


def _named(entry: Any) -> tuple[Any, Any] | None:
    """Return the key and the colour of ["S", "stone"] or {"id": 3, "color": "#fff"}."""
    if isinstance(entry, list) and len(entry) == 2:
        return (entry[0], entry[1]) if isinstance(entry[0], (str, int)) else None
    if not isinstance(entry, Mapping):
        return None
    keys = {fold(str(k)): v for k, v in entry.items()}
    name = next((keys[k] for k in ("key", "id", "char", "symbol", "index") if k in keys), None)
    return (name, entry) if isinstance(name, (str, int)) else None


def size_of(value: Mapping[Any, Any]) -> tuple[int, int, int] | None:
    """Return the size that a grid declares, x, y, z as it has them, where all sides are within limits."""
    keys = {fold(str(k)): k for k in islice(value, 100)}
    size = next((value[keys[k]] for k in SIZES if k in keys), None)
    if isinstance(size, Mapping):
        sides = {fold(str(k)): v for k, v in size.items()}
        size = [next((sides[k] for k in names if k in sides), None) for names in SIDES]
    good = [v for v in size if type(v) is int and 1 <= v <= MAX_SIDE] if isinstance(size, list) else []
    return (good[0], good[1], good[2]) if isinstance(size, list) and len(good) == len(size) == 3 else None


def up_of(value: Mapping[Any, Any], default: str) -> str:
    """Return which axis is declared as up."""
    declared = next((str(value[k]).lower() for k in ("up", "upAxis", "up_axis", "upaxis") if k in value), "")
    return declared[-1] if declared[-1:] in ("y", "z") else default
