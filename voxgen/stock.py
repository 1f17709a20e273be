"""The stock library: parts, colours and functions in the scene language, read from library/*.json.

A part names its colours by slot ("leaf", "leaf_dark", "roof_light"); `tint` fills the slots with
colour families, so that one oak serves summer, autumn and snow. `dress` adds to a document whatever
its steps refer to: parts, the parts those place, palette entries, functions.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

Part = dict[str, Any]
Document = dict[str, Any]
Recipe = dict[str, Any]  # of a scene: an entry of library/subjects.json, changed to a prompt
SHADES = ("_dark", "", "_light")
_HOLE = re.compile(r"\{(\w+)([+-]\d+(?:\.\d+)?)?\}")
_WORDS = ("place", "note", "as", "when", "formula")  # keys of a step whose value names no material
KEPT = ("note", "size", "params", "build", "layers", "key")


@cache
def shelf(name: str) -> dict[str, Any]:
    """Return one file of the library ("palette", "plants", "buildings"…), decoded."""
    text = files("voxgen.ask").joinpath("library", f"{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@cache
def parts() -> dict[str, Part]:
    """Return every stock part by name, with its words, tags, ground, foot, slots, size and build."""
    names = sorted(p.name for p in files("voxgen.ask").joinpath("library").iterdir())
    shelves = [shelf(n.removesuffix(".json")) for n in names if n.endswith(".json")]
    return {
        name: entry
        for s in shelves
        for name, entry in s.items()
        if isinstance(entry, dict) and "build" in entry
    }


def tint(name: str, slots: dict[str, str]) -> tuple[str, Part]:
    """Return a part's name in the document and its body with every slot filled by a colour family.

    Slots the part does not have are ignored. The name tells what differs: "oak", "oak_maple".
    """
    stock = parts()[name]
    own: dict[str, str] = stock.get("slots", {})
    filled = {slot: slots.get(slot, family) for slot, family in own.items()}
    changed = [family for slot, family in filled.items() if family != own[slot]]
    return "_".join([name, *changed]), {k: rename(v, shaded(filled)) for k, v in stock.items() if k in KEPT}


def footing(name: str) -> float:
    """Return the radius of free ground a part needs: its foot, or half its length if it is long and low."""
    stock = parts()[name]
    wide, deep = sorted(stock["size"][:2])
    long = (
        deep > 1.7 * wide and deep > 6 and "plant" not in stock["tags"] and stock["on"] not in ("road", "sky")
    )
    return float(max(stock["foot"], deep / 2 - 1)) if long else float(stock["foot"])


SEATS = {
    "bench": 2,
    "table": 6,
    "barrel": 5,
    "crate": 4,
    "chest": 4,
    "rock": 3,
    "boulder": 7,
    "great_chest": 20,
}


def perch(name: str, below: str) -> int:
    """Return how high on another part a part can sit, in cells; 0 where it is too large for that."""
    if below not in SEATS:
        return 0
    wide, deep, tall = parts()[name]["size"]
    fits = max(wide, deep) <= max(parts()[below]["size"][:2]) + 3 and tall <= 14
    return SEATS[below] if fits and not {"plant", "vehicle"} & set(parts()[name]["tags"]) else 0


def small_kin(name: str) -> str:
    """Return the small version of a part, or the part if there is none."""
    return f"{name}_small" if f"{name}_small" in parts() else name


def shaded(slots: dict[str, str]) -> dict[str, str]:
    """Return slot names in all their shades -> family names in theirs."""
    return {slot + shade: family + shade for slot, family in slots.items() for shade in SHADES}


def rename(value: Any, names: dict[str, str]) -> Any:
    """Replace material names throughout a step: as values, and as the keys of a mix."""
    if isinstance(value, list):
        return [rename(v, names) for v in value]
    if isinstance(value, str):
        return names.get(value, value)
    if not isinstance(value, dict):
        return value
    if not all(isinstance(v, (int, float)) for v in value.values()):  # a step, not a mix
        return {k: v if k in _WORDS else rename(v, names) for k, v in value.items()}
    mixed: dict[str, float] = {}
    for name, share in value.items():
        new: str = names.get(str(name), str(name))
        mixed[new] = mixed.get(new, 0) + share
    return mixed


def fill(template: Any, values: dict[str, Any]) -> Any:
    """Return a template of library/grounds.json with {name}, {name+2} and {name-2} filled in.

    >>> fill({"box": [["{x}", 0, "{h+1}"]], "formula": "hypot(x-{x},y)<{r}"}, {"x": 7, "h": 8, "r": 2.5})
    {'box': [[7, 0, 9]], 'formula': 'hypot(x-7,y)<2.5'}
    """
    if isinstance(template, dict):
        return {fill(k, values): fill(v, values) for k, v in template.items()}
    if isinstance(template, list):
        return [fill(v, values) for v in template]
    if not isinstance(template, str):
        return template
    whole = _HOLE.fullmatch(template)
    return _value(whole, values) if whole else _HOLE.sub(lambda m: str(_value(m, values)), template)


def _value(hole: re.Match[str], values: dict[str, Any]) -> Any:
    value = values[hole[1]]
    if isinstance(value, (int, float)):
        value = round(value + float(hole[2] or 0), 3)
        return int(value) if value == int(value) else value
    return value


def strings(value: Any) -> set[str]:
    """Return every string in a step, the keys of its objects included."""
    if isinstance(value, dict):
        return set().union(*(strings(v) for v in value.values()), value)
    if isinstance(value, list):
        return set().union(*(strings(v) for v in value))
    return {value} if isinstance(value, str) else set()


def dress(document: Document, lit: bool = False) -> Document:
    """Fill in the palette entries and the functions that the document's parts and steps name.

    lit: windows glow. Entries already in the document win over the library's.
    """
    colors = shelf("palette")
    used = strings([document.get("parts", {}), document["build"], document.get("textures", {})])
    known = {**family_colors(), **colors["colors"], **(colors["lit"] if lit else {})}
    palette = {n: c for n, c in known.items() if n in used} | document.get("palette", {})
    own = document.get("functions", {})
    functions = {
        signature: body
        for signature, body in colors["functions"].items()
        if any(re.search(rf"\b{signature.partition('(')[0]}\(", s) for s in used | set(own.values()))
    }
    return {**document, "palette": palette, "functions": {**functions, **own}}


def family_colors() -> dict[str, str]:
    """Return every shade of every colour family: name -> "#rrggbb"."""
    families = shelf("palette")["families"]
    return {f + s: c for f, three in families.items() for s, c in zip(SHADES, three, strict=True)}


def specimen(name: str) -> Document:
    """Return a document that shows one stock part on a plate of stone."""
    bodies: dict[str, Part] = {}

    def take(name: str) -> None:
        bodies[name] = tint(name, {})[1]
        for inner in placed(bodies[name]["build"]):
            take(inner)

    take(name)
    wide, deep, tall = bodies[name]["size"]
    plate = {"box": [[0, 0, 0], [wide - 1, deep - 1, 0]], "of": "stone"}
    steps = [plate, {"place": name, "at": [[0, 0, 1]]}]
    return dress({"title": name, "size": [wide, deep, tall + 1], "parts": bodies, "build": steps})


def write(document: Document) -> str:
    """Return the document as JSON a person can read: a line for each step, arrays kept compact."""
    lines = []
    for key, value in document.items():
        if key == "parts":
            body = ",\n".join(f"{_compact(n)}: {_part_text(p)}" for n, p in value.items())
            lines.append(f'"parts": {{\n{body}\n}}')
        elif key == "palette":
            lines.append(f'"palette": {{\n{_wrapped(value)}\n}}')
        elif key in ("build", "functions", "textures"):
            lines.append(f'"{key}": {_lines(value)}')
        else:
            lines.append(f"{_compact(key)}: {_compact(value)}")
    return "{" + ",\n".join(lines) + "}\n"


def _part_text(part: Part) -> str:
    head = [f"{_compact(k)}: {_compact(v)}" for k, v in part.items() if k != "build"]
    return "{" + ", ".join([*head, f'"build": {_lines(part["build"])}']) + "}"


def _lines(value: Any) -> str:
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{_compact(k)}: {_compact(v)}" for k, v in value.items()) + "\n}"
    return "[\n" + ",\n".join(_compact(v) for v in value) + "\n]"


def _wrapped(palette: dict[str, Any], width: int = 100) -> str:
    """Return palette entries in lines of about `width` characters."""
    rows: list[str] = []
    row = ""
    for name, color in palette.items():
        entry = f"{_compact(name)}: {_compact(color)}"
        if row and len(row) + len(entry) > width:
            rows, row = [*rows, row], ""
        row = f"{row}, {entry}" if row else entry
    return ",\n".join([*rows, row])


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def placed(value: Any) -> list[str]:
    """Return the names a step or a list of steps places or scatters, in order."""
    if isinstance(value, dict):
        own = value.get("place", [])
        scattered = value.get("scatter", [])
        names = [own] if isinstance(own, str) else []
        names += [s for s in scattered if isinstance(s, str)]
        return names + [n for k, v in value.items() if k == "build" for n in placed(v)]
    return [n for v in value for n in placed(v)] if isinstance(value, list) else []


def offer() -> str:
    """Return the stock parts a prompt offers to a model, one kind a line, with their sizes in cells."""
    rows = []
    for kind, names in shelf("vocabulary")["offer"].items():
        rows.append(f"{kind}: {', '.join(f'{name} {_sides(name)}' for name in names)}")
    return "\n".join(rows)


def _sides(name: str) -> str:
    wide, deep, tall = parts()[name]["size"]
    return f"{wide}x{tall}" if wide == deep else f"{wide}x{deep}x{tall}"
