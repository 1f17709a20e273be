"""Lists of named entries where the language has maps: [{"name": "h", "value": 12}, …] → {"h": 12, …}."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from voxgen.language.palette import fold

__all__ = ["NAMES", "VALUES", "by_name", "value_of"]

NAMES = ("name", "id", "key", "param", "parameter", "variable", "var", "constant", "symbol", "letter", "char")
VALUES = (
    "value", "is", "equals", "default", "expression", "expr", "formula", "number", "amount", "val", "to",
    "of", "material", "color", "colour", "v",
)  # fmt: skip
_ASIDE = {"note", "comment", "description", "type", "kind", "unit"}
_EQUATION = re.compile(r"\s*([^\W\d]\w*(?:\s*\([^()]*\))?)\s*(?::=|=(?!=)|:)\s*(.+)", re.DOTALL)  # "h = 12"


def by_name(values: Collection[Any], names: Collection[str] = NAMES) -> tuple[dict[str, Any], list[Any]]:
    """Return what a list of entries says as a map in the list's order, and the entries without a name.

    An entry is an object with its name under one of `names` (what else it says is its value), an object that
    is a small map itself, a pair, or a text such as "h = 12". Of two entries of one name the later counts.

    >>> by_name([{"id": "h", "value": 12}, {"w": 5}, ["d", 7], "r = h/2", 4])
    ({'h': {'value': 12}, 'w': 5, 'd': 7, 'r': 'h/2'}, [4])
    """
    found: dict[str, Any] = {}
    nameless: list[Any] = []
    for entry in values:
        if isinstance(entry, Mapping):
            key = _name_key(entry, names)
            rest = {str(k): v for k, v in entry.items() if k != key}
            found |= rest if key is None else {str(entry[key]): rest}
        elif isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[0], str):
            found[entry[0]] = entry[1]
        elif isinstance(entry, str) and (equation := _EQUATION.fullmatch(entry)):
            found[equation[1]] = equation[2].strip()
        else:
            nameless.append(entry)
    return found, nameless


def _name_key(entry: Mapping[Any, Any], names: Collection[str]) -> Any:
    """Return the key under which an entry has its name, None where it has none."""
    folded = {fold(str(k)): k for k in entry}
    keys = (folded[name] for name in names if name in folded)
    return next((k for k in keys if isinstance(entry[k], str) and len(entry) > 1), None)


def value_of(rest: Any, words: Collection[str] = VALUES) -> Any:
    """Return the one value that an entry says beside its name, the entry itself where it says more.

    >>> value_of({"value": 12, "note": "cells"}), value_of({"height": 3}), value_of({"oak": 3, "birch": 1})
    (12, 3, {'oak': 3, 'birch': 1})
    """
    if not isinstance(rest, Mapping):
        return rest
    folded = {fold(str(k)): v for k, v in rest.items()}
    key = next((word for word in words if word in folded), None)
    if key is not None:
        return folded[key]
    told = [v for k, v in folded.items() if k not in _ASIDE]
    return told[0] if len(told) == 1 else rest
