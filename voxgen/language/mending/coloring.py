"""The palette in any form → name: colour, or object with colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from voxgen.language.blocks import is_air, is_block
from voxgen.language.mending.unwrapping import DOCUMENT_WORDS
from voxgen.language.mending.values import Notes, literal, look, show
from voxgen.language.palette import fold, guess_material, hex_of, is_css_name, read_channels, read_color
from voxgen.scene import Level, Material

__all__ = ["is_entry", "mend_palette"]

MAX_ENTRIES = 10_000
_PLAIN = re.compile(r"#[0-9a-fA-F]{6}")

_LISTED = re.compile(
    r"([A-Za-z_][\w -]{0,40}?)[\"']?\s*[:=]\s*[\"']?(#[0-9a-fA-F]{3,8}|\w+)"
)  # "a: #fff, b: red"

_RANGES = {"opacity": 1, "glow": 3, "metal": 1}


def mend_palette(value: Any, build: Any, notes: Notes) -> tuple[dict[str, Any], bool, frozenset[str]]:
    """Return name → entry, whether the names are places in a list, and which of them are air."""
    if value is None:
        return {}, False, frozenset()
    if isinstance(value, Mapping) and len(value) == 1 and _wraps(value):
        value = next(iter(value.values()))
    if isinstance(value, str) and (listed := _LISTED.findall(value[:20_000])):
        notes.add("$.palette", f"{show(value)} is a text", f"read {len(listed)} colours in it", "info")
        value = {name.strip(): color for name, color in listed}
    if _is_list_of_pairs(value):
        notes.add("$.palette", "is a list", "put its entries together", "info")
        value = {k: v for entry in value for k, v in entry.items()}
    counted = isinstance(value, (list, tuple)) and not all(map(_own_name, value))
    if isinstance(value, (list, tuple)):
        notes.add(
            "$.palette",
            "is a list",
            "named its entries by their place" if counted else "took their names",
            "info",
        )
        first = 1 if counted and _counts_from_one(build, len(value)) else 0
        pairs = [(_own_name(v) or str(i), v) for i, v in enumerate(value, first)]
    elif isinstance(value, Mapping):
        pairs = _turned([(str(k), v) for k, v in value.items()], notes)
    else:
        notes.add("$.palette", f"{show(value)} is not a palette", "ignored it")
        return {}, False, frozenset()
    if len(pairs) > MAX_ENTRIES:
        notes.add("$.palette", f"{len(pairs):,} entries", f"kept {MAX_ENTRIES:,}", "loss")
        pairs = pairs[:MAX_ENTRIES]
    scale = _scale([v for _, v in pairs], notes)
    air = frozenset(name for name, v in pairs if _is_nothing(name, v, counted))
    palette = {
        name: _entry(name, v, scale, notes) for name, v in pairs if name not in air or (name == "air" and v)
    }
    return palette, counted, air - {"air"}


def _wraps(value: Mapping[Any, Any]) -> bool:
    """Say whether {"colors": {…}} only wraps the palette."""
    key, inner = next(iter(value.items()))
    return (
        DOCUMENT_WORDS.get(fold(str(key))) == "palette"
        and isinstance(inner, (list, dict))
        and read_color(inner) is None
    )


def _is_list_of_pairs(value: Any) -> bool:
    """Say whether a value is [{"moss": "#6b7f3a"}, {"soil": …}, …]."""
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(
            isinstance(entry, Mapping)
            and len(entry) == 1
            and look(entry) is None
            and _own_name(entry) is None
            for entry in value[:MAX_ENTRIES]
        )
    )


def _own_name(entry: Any) -> str | None:
    """Return the name a list's entry carries: {"name": "moss", …} or ["moss", "#6b7f3a"]."""
    if isinstance(entry, Mapping):
        folded = {fold(str(k)): v for k, v in entry.items()}
        found = next(
            (folded[k] for k in ("name", "id", "key", "char", "symbol", "index", "material") if k in folded),
            None,
        )
        return None if found is None or isinstance(found, (list, dict)) else str(found)
    if isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[0], str):
        return entry[0]
    return None


def _turned(pairs: list[tuple[str, Any]], notes: Notes) -> list[tuple[str, Any]]:
    """Turn {"#3fa34d": "moss"} round."""
    colors = [k for k, _ in pairs if k.startswith(("#", "0x", "rgb"))]
    named = [v for _, v in pairs if isinstance(v, str) and read_color(v) is None]
    if not pairs or len(colors) < len(pairs) or len(named) < len(pairs):
        return pairs
    notes.add("$.palette", "colours come first, names second", "turned it round", "info")
    return [(v, k) for k, v in pairs]


def _counts_from_one(build: Any, length: int) -> bool:
    """Say whether the steps number the entries of a list from 1 to its length."""
    used = set(_used_numbers(build, 0))
    return bool(used) and min(used) >= 1 and max(used) == length


def _used_numbers(steps: Any, depth: int) -> Iterator[int]:
    if isinstance(steps, (list, tuple)) and depth < 6:
        for step in steps[:20_000]:
            if not isinstance(step, Mapping):
                continue
            for key, value in step.items():
                if type(value) is int and fold(str(key)) in (
                    "of",
                    "color",
                    "colour",
                    "material",
                    "mat",
                    "c",
                    "block",
                ):
                    yield value
                elif isinstance(value, list) and fold(str(key)) in ("build", "steps"):
                    yield from _used_numbers(value, depth + 1)


def _is_nothing(name: str, value: Any, counted: bool) -> bool:
    """Say whether an entry stands for empty cells."""
    if value is None or (isinstance(value, str) and (is_air(value) or _is_clear(value))):
        return True
    given = _own_name(value)
    return bool(given and is_air(given)) or (not counted and is_air(name) and name != "air")


def _is_clear(value: str) -> bool:
    """Say whether a colour has an alpha of 0: "#11223300", "transparent"."""
    found = read_color(value)
    return found is not None and found[1] == 0


def _scale(values: list[Any], notes: Notes) -> float | None:
    """Tell from the whole palette whether lists of numbers run to 1 or to 255; None without lists."""
    lists = [found for found in map(_channels, values) if found]
    numbers = [v for channels in lists for v in channels]
    if not numbers:
        return None
    if max(numbers) > 1:
        return 255.0
    if all(v == int(v) for v in numbers) and sum(any(c) for c in lists) < 2:
        notes.add("$.palette", "colours of 0 and 1 may run to 1 or to 255", "took 1 for full")
    return 1.0


def _channels(value: Any) -> list[float] | None:
    if isinstance(value, Mapping):
        value = next((value[k] for k in ("color", "colour", "rgb", "rgba") if k in value), None)
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    if not isinstance(value, (list, tuple)) or len(value) not in (3, 4):
        return None
    numbers = [literal(v) for v in value[:3]]
    return None if any(n is None for n in numbers) else [n for n in numbers if n is not None]


# --------------------------------------------------------------------------- one entry


def is_entry(value: Any) -> bool:
    """Say whether a palette entry is as the language has it."""
    if isinstance(value, str):
        return bool(_PLAIN.fullmatch(value)) or is_css_name(value)
    if not isinstance(value, dict) or not set(value) <= {"color", *_RANGES}:
        return False
    good = isinstance(value.get("color"), str) and is_entry(value["color"])
    return good and all(
        isinstance(value[k], (int, float)) and not isinstance(value[k], bool) and 0 <= value[k] <= high
        for k, high in _RANGES.items()
        if k in value
    )


def _entry(name: str, value: Any, scale: float | None, notes: Notes) -> Any:
    """Return a palette entry in the language's own form, guessed from its name where it has no colour."""
    if is_entry(value):
        return value
    entry = look(_scaled(value, scale))
    if entry is None:
        word = value if isinstance(value, str) and value else _own_name(value) or name
        guess = guess_material(word, ())[0]
        assert isinstance(guess, Material)
        entry = _written(guess)
        level: Level = "info" if is_block(word) else "warn"
        notes.add(
            f"$.palette.{name}", f"{show(value)} is not a colour", f"used {show(entry)}{_rest(entry)}", level
        )
    elif entry != value:
        shown = entry if isinstance(entry, str) else entry["color"]
        notes.add(
            f"$.palette.{name}",
            f"{show(value)} is not how a colour is written",
            f'read it as "{shown}"',
            "info",
        )
    return entry


def _rest(entry: Any) -> str:
    return f" with {entry['color']}" if isinstance(entry, dict) else ""


def _written(guess: Material) -> Any:
    """Write a material as a palette entry."""
    amounts = {"opacity": guess.opacity, "glow": guess.glow, "metal": guess.metal}
    entry = {k: v for k, v in amounts.items() if v != (1.0 if k == "opacity" else 0.0)}
    return {"color": hex_of(guess.color), **entry} if entry else hex_of(guess.color)


def _scaled(value: Any, scale: float | None) -> Any:
    """Write a list of channels as a colour, by the scale of the whole palette."""
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    if (
        isinstance(value, (list, tuple))
        and scale is not None
        and (found := read_channels(list(value), scale))
    ):
        return {"color": hex_of(found[0]), "opacity": found[1]}
    if isinstance(value, Mapping) and (
        key := next((k for k in ("color", "colour", "rgb", "rgba") if k in value), None)
    ):
        inner = value[key]
        if isinstance(inner, (list, tuple)):
            return {**{k: v for k, v in value.items() if k != key}, **_as_dict(_scaled(inner, scale))}
    return value


def _as_dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"color": value}
    return {k: v for k, v in value.items() if k != "opacity" or v != 1.0}
