"""The options of a step in any form: turns, thicknesses, areas, arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voxgen.language.mending.corners import Lost, corners_of
from voxgen.language.mending.entries import by_name, value_of
from voxgen.language.mending.values import (
    Names,
    is_material,
    is_number,
    literal,
    material,
    number,
    point,
    show,
)
from voxgen.language.mending.words import BODY, STEPS, WORDS, table
from voxgen.language.palette import fold

Step = dict[str, Any]

__all__ = ["choice_of", "mend_options"]


def mend_options(name: str, fields: dict[str, Any], path: str, names: Names) -> Step:
    """Return a step's own options in the language's form, and remove them from the fields."""
    options: Step = {}
    for word in [w for w in fields if w in STEPS[name] - BODY.get(name, frozenset())]:
        value = fields.pop(word)
        clean = _clean(name, word, value, names)
        if clean is None:
            names.notes.add(f"{path}.{word}", f"{show(value)} makes no sense here", "ignored it")
            continue
        options[word] = clean
        if clean != value or type(clean) is not type(value):
            names.notes.add(
                f"{path}.{word}", f"{show(value)} is not how it is written", f"used {show(clean)}", "info"
            )
    return options


def _clean(name: str, word: str, value: Any, names: Names) -> Any:
    """Return an option's value as the language has it, None where it makes no sense."""
    if word in ("hollow", "walls", "curve"):
        return _yes(value) if word == "curve" else _thickness(value)
    if word in ("keep", "mirror", "anchor", "facing"):
        return choice_of(word, value)
    if word == "turn":
        return _turns(value)
    if word == "with":
        return _arguments(value, names)
    if word == "on":
        try:
            found = material(value, names)
        except ValueError:
            return None
        return list(found) if isinstance(found, (list, dict)) else [found]
    return _area(value) if word == "area" else number(value)


def _yes(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "yes": True, "false": False, "no": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, (bool, int, float)) else None


def _thickness(value: Any) -> Any:
    yes = _yes(value) if isinstance(value, (str, bool)) else None
    return yes if yes is not None else number(value)


_CHOICES: Mapping[str, dict[str, str]] = {
    "keep": table("top: upper up above north\nbottom: lower down below south"),
    "mirror": table(
        "x: true flipx horizontal leftright\ny: flipy depth frontback\nxy: yx both\nz: flipz vertical"
    ),
    "anchor": table("center: centre middle mid base\ncorner: low min origin"),
    "facing": table("front: upright vertical face viewer south"),
}


def choice_of(word: str, value: Any) -> str | None:
    """Return which of an option's few values is meant ("keep", "mirror", "anchor", "facing"), else None."""
    text = "".join(map(str, value)) if isinstance(value, list) and len(value) < 4 else str(value)
    return _CHOICES[word].get(fold(text[:20]))


def _turns(value: Any) -> Any:
    """Read turns about z: one, a list of them, angles about x, y, z, or an object with one."""
    if isinstance(value, Mapping):
        value = next((v for k, v in value.items() if fold(str(k)) in ("z", "yaw", "angle")), None)
    if not isinstance(value, (list, tuple)):
        return _turn(value)
    turns = [_turn(v) for v in value]
    return None if None in turns or not turns else turns


def _turn(value: Any) -> Any:
    """Read a turn in degrees; 1, 2 and 3 count quarters, other angles go to the nearest quarter."""
    if isinstance(value, bool):
        return 90 if value else 0
    angle = literal(number(value))
    if angle is None:
        return None if isinstance(value, (list, tuple)) else number(value)
    if angle in (1, 2, 3):
        return int(angle) * 90
    return value if angle in (0, 90, 180, 270) else int(angle / 90 + (0.5 if angle > 0 else -0.5)) * 90 % 360


def _arguments(value: Any, names: Names) -> dict[str, Any] | None:
    """Return what a placed part is handed: name → number or material, also from a list of named entries."""
    if isinstance(value, (list, tuple)):
        value = {k: value_of(v) for k, v in by_name(value)[0].items()}
    if not isinstance(value, Mapping):
        return None
    found: dict[str, Any] = {}
    for key, v in value.items():
        if is_number(v) or is_material(v):
            found[str(key)] = v
            continue
        try:
            found[str(key)] = material(v, names)
        except ValueError:
            continue
    return found


def _area(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and len(value) == 4 and all(number(v) is not None for v in value):
        value = [value[:2], value[2:]]
    if isinstance(value, Mapping):
        try:
            value = corners_of(None, {WORDS.get(fold(str(k)), fold(str(k))): v for k, v in value.items()})
        except Lost:
            return None
    corners = [point(c) for c in value] if isinstance(value, (list, tuple)) and len(value) == 2 else []
    return [c[:2] for c in corners if c] if len(corners) == 2 and all(corners) else None
