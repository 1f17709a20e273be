"""What mending needs everywhere: a notebook of repairs, and numbers, points and materials in any form."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxgen.language.blocks import is_air
from voxgen.language.palette import MANY, fold, hex_of, read_color
from voxgen.scene import Level, Repair

MAX_REPAIRS = 1000
MAX_STEPS = 30_000  # half as many again as build() draws
MAX_LIKENESSES = 50  # wrong part names that are compared with all parts
MAX_TEXT = 4000  # characters of one expression that are looked at

_UNIT = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-z°%]+)", re.IGNORECASE)
_NAMED_AXIS = re.compile(r"\b([xyz])\s*[:=]\s*([-+]?\d+(?:\.\d+)?)(?=\s*(?:[,;)\s]|$))")
_FOREIGN = re.compile(r"[#\"'`{}$@\\;]")  # in no expression
_UNITS = {
    "px", "pixel", "pixels", "cell", "cells", "voxel", "voxels", "vox", "block", "blocks", "unit", "units",
    "u", "m", "deg", "degree", "degrees", "°",
}  # fmt: skip
_LOOK_KEYS = {
    "color", "colour", "hex", "rgb", "rgba", "css", "opacity", "alpha", "glow", "emissive", "emission",
    "metal", "metallic",
}  # fmt: skip
_WRAPPERS = (
    "color",
    "colour",
    "material",
    "mat",
    "mix",
    "of",
    "name",
    "block",
    "type",
    "palette",
    "random",
    "choices",
    "id",
    "texture",
)
_WEIGHTS = ("weight", "weights", "w", "share", "probability", "chance", "ratio", "amount", "percent", "p")


@dataclass
class Notes:
    """The repairs found so far; past MAX_REPAIRS they are only counted."""

    repairs: list[Repair] = field(default_factory=list)
    unlisted: dict[Level, int] = field(default_factory=dict)

    def add(self, path: str, problem: str, fix: str, level: Level = "warn") -> None:
        """Note one repair."""
        if len(self.repairs) < MAX_REPAIRS:
            path = " ".join(path.split())  # a key may hold line ends
            self.repairs.append(Repair(path, problem, fix, level))
        else:
            self.unlisted[level] = self.unlisted.get(level, 0) + 1

    @property
    def count(self) -> int:
        """How many repairs were noted."""
        return len(self.repairs) + sum(self.unlisted.values())

    def all(self) -> list[Repair]:
        """Return the repairs, the unlisted ones as one line of the gravest level among them."""
        if not self.unlisted:
            return self.repairs
        worst = next(level for level in ("loss", "warn", "info") if level in self.unlisted)
        count = sum(self.unlisted.values())
        return [*self.repairs, Repair("$", f"{count:,} more like these", "mended them as well", worst)]


@dataclass
class Names:
    """What the document calls things, and where repairs are noted."""

    notes: Notes
    palette: dict[str, Any]  # grows by materials that were written out in a step
    parts: Collection[str] = ()
    counted: bool = False  # the palette came as a list: whole numbers are its places
    air: frozenset[str] = frozenset()  # palette names that mean empty cells
    likenesses: dict[str, str | None] = field(default_factory=dict)  # wrong part name → the right one
    up: str = ""  # the axis that the document says runs up
    left: int = MAX_STEPS  # how many more steps are looked at


def show(value: Any, width: int = 40) -> str:
    """Return a short picture of any value for a message; containers are not walked into."""
    if isinstance(value, str):
        return json.dumps(value if len(value) <= width else value[: width - 1] + "…", ensure_ascii=False)
    if isinstance(value, Mapping):
        keys = ", ".join(str(k)[:12] for k in list(value)[:3])
        return f"{{{keys}{', …' if len(value) > 3 else ''}}}"
    if isinstance(value, (list, tuple)):
        if len(value) <= 6 and all(isinstance(v, (int, float)) and abs(v) < 1e12 for v in value):
            return json.dumps(value)
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) > 10**15:
        return "a huge number"
    return str(value)[:width]


def nonsense(path: str, value: Any, names: Names, level: Level = "warn") -> Any:
    """Note a value that means nothing and return None in its place."""
    if value is not None:
        names.notes.add(path, f"{show(value)} makes no sense here", "ignored it", level)
    return None


# --------------------------------------------------------------------------- numbers and points


def is_number(value: Any) -> bool:
    """Say whether a value is a number of the language: finite, or a string that may be an expression."""
    if type(value) is int or isinstance(value, float):
        return -1e300 < value < 1e300
    if not isinstance(value, str) or not value.strip() or _FOREIGN.search(value):
        return False
    return (":" not in value or "?" in value) and not _UNIT.fullmatch(value[:60])


def number(value: Any) -> Any:
    """Return a value as a number or an expression, None where it is neither.

    >>> number("3px"), number(" 12 "), number("2*i"), number(float("nan"))
    (3, ' 12 ', '2*i', None)
    """
    if isinstance(value, bool):
        return int(value)
    if is_number(value):
        return value
    if isinstance(value, str):
        return _with_unit(value.strip())
    if isinstance(value, (list, tuple)) and len(value) == 1 and not isinstance(value[0], (list, tuple)):
        return number(value[0])
    return None


def _with_unit(text: str) -> Any:
    found = _UNIT.fullmatch(text[:60])
    if not found:
        return None
    if found[2].lower() in _UNITS:
        return literal(found[1])
    return f"{found[1]}*{found[2]}" if found[2].isalpha() else literal(found[1])


def literal(value: Any) -> float | int | None:
    """Return the plain number a value is, also one in a string, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(found):
        return None
    return int(found) if found == int(found) and abs(found) < 1e15 else found


def is_point(value: Any) -> bool:
    """Say whether a value is [x, y, z]."""
    if type(value) is not list or len(value) != 3:
        return False
    a, b, c = value
    return is_number(a) and is_number(b) and is_number(c)


def is_pair(value: Any) -> bool:
    """Say whether a value is [[x, y, z], [x, y, z]]."""
    return type(value) is list and len(value) == 2 and is_point(value[0]) and is_point(value[1])


def is_points(value: Any) -> bool:
    """Say whether a value is a list of points."""
    if type(value) is not list or not value:
        return False
    if len(value) > MANY:
        with suppress(ValueError, TypeError):  # of uneven rows
            table = np.array(value)
            if table.dtype.kind in "if" and table.shape[1:] == (3,):
                return bool(np.isfinite(table).all())
    return all(map(is_point, value))


def point(value: Any) -> list[Any] | None:
    """Return [x, y, z] from any way to write a point: a list, an object, "1, 2, 3"; z is 0 where missing."""
    if isinstance(value, str):
        named = dict(_NAMED_AXIS.findall(value[:MAX_TEXT]))  # "x=5, y=5, z=0"
        value = named if {"x", "y"} <= named.keys() else _split(value)
    if isinstance(value, Mapping):
        value = _from_axes(value)
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 8:
        return None
    numbers = [number(v) for v in value[:3]]
    if len(numbers) == 2:
        numbers.append(0)
    if any(n is None for n in numbers):
        return None
    return [n if type(n) is not str or (plain := literal(n)) is None else plain for n in numbers]


def _split(text: str) -> list[str] | None:
    """Split "1, 2, 3" or "(1, max(2, i), 3)" at the outer commas, "1 2 3" at blanks."""
    text = text.strip()[:MAX_TEXT]
    if text[:1] in ("(", "[", "{") and text[-1:] in (")", "]", "}"):
        text = text[1:-1]
    if re.fullmatch(r"\s*[-+.\de]+(?:[\s;]+[-+.\de]+){1,5}\s*", text):
        return text.replace(";", " ").split()
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts] if len(parts) > 1 else None


def _from_axes(value: Mapping[Any, Any]) -> list[Any] | None:
    folded = {fold(k): v for k, v in list(value.items())[:12] if isinstance(k, str)}
    if "x" not in folded or "y" not in folded:
        return None
    return [folded["x"], folded["y"], folded.get("z", 0)]


def points(value: Any) -> tuple[list[list[Any]], int]:
    """Return a list of points in any form, and how many of them could not be read."""
    if isinstance(value, str) and ";" in value:
        value = [part for part in value[: 1 << 20].split(";") if part.strip()]
    if not isinstance(value, (list, tuple)):
        one = point(value)
        return ([one], 0) if one else ([], 1)
    if value and all(not isinstance(v, (list, tuple, Mapping, str)) for v in value):
        if len(value) == 3:
            value = [value]
        elif len(value) % 3 == 0:
            value = [value[i : i + 3] for i in range(0, len(value), 3)]
    elif len(value) == 3 and all(is_number(v) for v in value) and any(point(v) is None for v in value):
        value = [value]  # ["x0", 2, "3*i"], one point of expressions
    found = [point(v) for v in value]
    return [p for p in found if p], sum(p is None for p in found)


def plus(a: Any, b: Any, offset: int = 0) -> Any:
    """Return a + b + offset, as an expression where one of them is one."""
    x, y = literal(a), literal(b)
    if x is not None and y is not None:
        return x + y + offset
    tail = f"{offset:+d}" if offset else ""
    return f"({a})+({b}){tail}"


def times(a: Any, factor: float) -> Any:
    """Return a * factor, as an expression where a is one."""
    x = literal(a)
    return f"({a})*{factor:g}" if x is None else x * factor


# --------------------------------------------------------------------------- materials


def is_material(value: Any) -> bool:
    """Say whether a value is an `of` of the language: a name, null, a list of names, a weighted mix."""
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, list):
        return bool(value) and all(v is None or isinstance(v, str) for v in value)
    if not isinstance(value, dict) or not value:
        return False
    if any(isinstance(value.get(k), str) and literal(value[k]) is None for k in _WRAPPERS):
        return False  # {"name": "moss"}
    return all(isinstance(k, str) and is_number(v) and not _negative(v) for k, v in value.items())


def is_channels(value: Any, palette: Collection[str]) -> bool:
    """Say whether a value is {"r", "g", "b"} and no mix of materials of these names."""
    if not isinstance(value, Mapping) or not {"r", "g", "b"} <= set(value) <= set("rgba"):
        return False
    return not {"r", "g", "b"} <= set(palette)


def material(value: Any, names: Names, depth: int = 0) -> Any:
    """Return the `of` a value most likely means; raises ValueError where it means none."""
    found = _material(value, names, depth)
    return "air" if names.air and isinstance(found, str) and found in names.air else found


def _material(value: Any, names: Names, depth: int) -> Any:
    if depth > 4:
        raise ValueError("nested too deeply")
    if isinstance(value, bool):
        return None if not value else _nothing(value)
    if isinstance(value, (int, float)):
        return _numbered(value, names)
    if isinstance(value, (list, tuple)):
        return _listed(list(value), names, depth)
    if isinstance(value, Mapping):
        return _object(value, names, depth)
    return value if is_material(value) else _nothing(value)


def first_material(names: Names) -> str:
    """Return what fills a step that says nothing of it: the first of the palette, else a grey."""
    return next((name for name in names.palette if not is_air(name)), "#b0b0b0")


def _nothing(value: Any) -> Any:
    raise ValueError(f"{show(value)} is not a material")


def _numbered(value: float, names: Names) -> str:
    name = str(literal(value))
    if name in names.palette:
        return name
    color = None if names.counted and value < 4096 else read_color(value)
    if color is None:
        return name
    return written_color(*color)


def written_color(color: tuple[int, int, int], opacity: float) -> str:
    """Return "#rrggbb", or "#rrggbbaa" where it is not solid."""
    return hex_of(color) + ("" if opacity >= 1 else f"{round(opacity * 255):02x}")


def _listed(value: list[Any], names: Names, depth: int) -> Any:
    if is_material(value):
        return value
    if len(value) in (3, 4) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value):
        color = None if all(str(v) in names.palette for v in value) else read_color(value)
        if color:
            return written_color(*color)
    mix: dict[str, Any] = {}
    for item in value[:256]:
        for name, weight in _weighed(item, names, depth):
            if not _negative(weight):
                mix[name] = plus(mix[name], weight) if name in mix else weight
    if not mix:
        return _nothing(value)
    return mix if len(set(map(str, mix.values()))) > 1 else list(mix)


def _weighed(item: Any, names: Names, depth: int) -> Iterable[tuple[str, Any]]:
    """Yield (name, weight) of one entry of a mix: "a", ["a", 3], {"material": "a", "weight": 3}, {"a": 3}."""
    weight: Any = 1
    if isinstance(item, (list, tuple)) and len(item) == 2 and is_number(item[1]):
        item, weight = item
    elif isinstance(item, Mapping):
        folded = {fold(k): v for k, v in list(item.items())[:12] if isinstance(k, str)}
        weight = next(
            (number(folded[w]) for w in _WEIGHTS if w in folded and number(folded[w]) is not None), 1
        )
        item = {k: v for k, v in item.items() if not isinstance(k, str) or fold(k) not in _WEIGHTS} or item
    found = material(item, names, depth + 1)
    if isinstance(found, Mapping):
        yield from found.items()
    elif isinstance(found, list):
        yield from ((name or "air", weight) for name in found)
    else:
        yield found or "air", weight


def _object(value: Mapping[Any, Any], names: Names, depth: int) -> Any:
    folded = {fold(k): v for k, v in list(value.items())[:64] if isinstance(k, str)}
    if _is_look(folded, names.palette):
        return _named_look(value, names)
    inner = next((folded[w] for w in _WRAPPERS if _is_wrapped(folded.get(w))), None)
    if inner is None:
        mix = {str(k): number(v) for k, v in list(value.items())[:256]}
        weights = {k: v for k, v in mix.items() if v is not None and not _negative(v)}
        return weights or _nothing(value)
    shares = next((folded[w] for w in _WEIGHTS if isinstance(folded.get(w), list)), None)
    if isinstance(inner, list) and shares and len(shares) == len(inner):
        inner = [list(pair) for pair in zip(inner, shares, strict=True)]
    return material(inner, names, depth + 1)


def _is_wrapped(value: Any) -> bool:
    """Say whether what stands under "material" and the like is a material, not a weight."""
    return isinstance(value, (Mapping, list)) or (isinstance(value, str) and literal(value) is None)


def _is_look(folded: Mapping[str, Any], palette: Collection[str]) -> bool:
    """Say whether an object describes a material rather than a mix: {"color": …} or {"r", "g", "b"}."""
    if is_channels(folded, palette):
        return True
    return any(k in _LOOK_KEYS and k not in palette for k in folded) and read_color(dict(folded)) is not None


def _named_look(value: Mapping[Any, Any], names: Names) -> str:
    """Return a colour, or the name of a new palette entry for a material written out in a step."""
    entry = look(value)
    if isinstance(entry, str):
        return entry
    if entry is None:
        raise ValueError(f"{show(value)} is not a material")
    name = " ".join(str(v) if k == "color" else f"{k} {v:g}" for k, v in entry.items())
    names.palette.setdefault(name, entry)
    return name


def _negative(value: Any) -> bool:
    found = literal(value)
    return found is not None and found < 0


# --------------------------------------------------------------------------- palette entries

_GLOW = (
    "glow",
    "emissive",
    "emission",
    "emit",
    "luminance",
    "emissiveintensity",
    "lightlevel",
    "luminous",
    "light",
)
_METAL = ("metal", "metallic", "metalness")
_OPACITY = ("opacity", "alpha", "a")


def look(value: Any) -> Any:
    """Return a palette entry from any description of a material: "#rrggbb" or an object, or None."""
    found = read_color(value)
    if found is None:
        return None
    color, opacity = found
    folded = (
        {fold(k): v for k, v in value.items() if isinstance(k, str)} if isinstance(value, Mapping) else {}
    )
    entry: dict[str, Any] = {"color": hex_of(color)}
    opacity = _share(folded, _OPACITY, opacity)
    if (clear := folded.get("transparency")) is not None:
        opacity = 1 - _share({"a": clear}, ("a",), 0.0)
    if folded.get("transparent") is True:
        opacity = min(opacity, 0.5)
    glow, metal = _strength(folded, _GLOW), _share(folded, _METAL, 0.0)
    for key, amount, default in (("opacity", opacity, 1.0), ("glow", glow, 0.0), ("metal", metal, 0.0)):
        if amount != default:
            entry[key] = amount
    return entry if len(entry) > 1 else entry["color"]


def _share(folded: Mapping[str, Any], keys: Iterable[str], default: float) -> float:
    """Read a share 0..1, also given as a percentage, 0..255 or a yes."""
    value = next((folded[k] for k in keys if k in folded), None)
    if isinstance(value, bool):
        return float(value) if default == 0.0 else default
    if isinstance(value, str) and value.strip().endswith("%"):
        value = literal(value.strip()[:-1])
        return default if value is None else min(1.0, max(0.0, value / 100))
    found = literal(value)
    if found is None:
        return default
    if found > 1:
        found = found / 100 if found <= 100 else found / 255
    return round(min(1.0, max(0.0, found)), 4)


def _strength(folded: Mapping[str, Any], keys: Iterable[str]) -> float:
    """Read how much a material glows: a number, a Minecraft light level, a yes, or a colour."""
    key = next((k for k in keys if k in folded), None)
    value = folded.get(key) if key else None
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    found = literal(value)
    if found is None:
        lit = read_color(value) if isinstance(value, (str, list)) else None
        return 1.0 if lit and max(lit[0]) > 0 else 0.0
    if key == "lightlevel":
        found = found / 10
    return round(min(3.0, max(0.0, found)), 4)
