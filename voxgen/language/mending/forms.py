"""What a step of the language looks like: nothing that passes here needs mending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voxgen.language.mending.layers import is_layers
from voxgen.language.mending.values import is_material, is_number, is_pair, is_point, is_points
from voxgen.language.mending.words import BODY, FILLED, STEPS

Step = dict[str, Any]

__all__ = ["is_valid"]


def is_valid(name: str, step: Step) -> bool:
    """Say whether a step is written as the language has it, so that nothing needs mending."""
    options = STEPS[name]
    for key, value in step.items():
        if key in ("of", "only"):
            if not is_material(value) or (value == {}):
                return False
        elif key == "note":
            if not isinstance(value, str):
                return False
        elif key == "when":
            if not is_number(value) and not isinstance(value, bool):
                return False
        elif key != name and (key not in options or key in BODY.get(name, ())):
            return False
    if name in FILLED and "of" not in step:
        return False
    return _VALID[name](step[name], step)


def _optional(step: Mapping[str, Any], **checks: Callable[[Any], bool]) -> bool:
    return all(check(step[key]) for key, check in checks.items() if key in step)


def _is_amount(value: Any) -> bool:
    """Say whether a value is a yes or no or a thickness."""
    return isinstance(value, bool) or is_number(value)


def _valid_ball(value: Any, step: Step) -> bool:
    if not isinstance(value, dict) or not set(value) <= {"center", "radius", "hollow", "keep"}:
        return False
    radius = value.get("radius")
    return (
        is_point(value.get("center"))
        and (is_number(radius) or is_point(radius))
        and _valid_shell(value, step)
    )


def _valid_shell(value: Mapping[str, Any], step: Step) -> bool:
    for holder in (value, step):
        if not _optional(holder, hollow=_is_amount, keep=lambda v: v in ("top", "bottom")):
            return False
    return True


def _valid_tube(value: Any, step: Step) -> bool:
    if not isinstance(value, dict) or not set(value) <= STEPS["cylinder"]:
        return False
    radius = value.get("radius")
    wide = is_number(radius) or (
        isinstance(radius, list) and len(radius) == 2 and all(map(is_number, radius))
    )
    axes = {"axis": lambda v: v in ("x", "y", "z"), "top": is_number}
    placed = is_point(value.get("base")) and wide and is_number(value.get("height"))
    return placed and "top" not in step and _optional(value, **axes) and _valid_shell(value, step)


def _valid_terrain(value: Any, step: Step) -> bool:
    if not isinstance(value, dict) or not set(value) <= STEPS["terrain"] or not is_pair(value.get("box")):
        return False
    return _optional(value, scale=is_number, seed=is_number, top=is_material) and _optional(
        step, top=is_material
    )


def _valid_place(value: Any, step: Step) -> bool:
    checks: dict[str, Callable[[Any], bool]] = {
        "with": lambda v: isinstance(v, dict),
        "turn": lambda v: is_number(v) or (isinstance(v, list) and bool(v) and all(map(is_number, v))),
        "mirror": lambda v: v in ("x", "y", "z", "xy", "yx"),
        "anchor": lambda v: v in ("center", "corner"),
    }
    return isinstance(value, str) and is_points(step.get("at")) and _optional(step, **checks)


def _valid_scatter(value: Any, step: Step) -> bool:
    checks: dict[str, Callable[[Any], bool]] = {
        "on": lambda v: isinstance(v, list) and is_material(v),
        "area": _is_area,
        "count": is_number,
        "gap": is_number,
        "seed": is_number,
    }
    return (isinstance(value, (list, dict)) and is_material(value)) and _optional(step, **checks)


def _is_area(value: Any) -> bool:
    corners = isinstance(value, list) and len(value) == 2 and all(isinstance(c, list) for c in value)
    return corners and all(len(c) == 2 and all(map(is_number, c)) for c in value)


_VALID: Mapping[str, Callable[[Any, Step], bool]] = {
    "box": lambda v, s: is_pair(v) and not _reversed(v) and _optional(s, hollow=_is_amount, walls=_is_amount),
    "sphere": _valid_ball,
    "ellipsoid": _valid_ball,
    "cylinder": _valid_tube,
    "cone": _valid_tube,
    "roof": lambda v, s: (
        isinstance(v, dict)
        and set(v) <= {"box", "along"}
        and is_pair(v.get("box"))
        and v.get("along", "x") in ("x", "y")
    ),
    "pyramid": lambda v, s: is_pair(v),
    "line": lambda v, s: (
        is_points(v) and _optional(s, width=is_number, taper=is_number, curve=lambda c: isinstance(c, bool))
    ),
    "voxels": lambda v, s: is_points(v),
    "layers": is_layers,
    "terrain": _valid_terrain,
    "formula": lambda v, s: isinstance(v, str) and bool(v.strip()) and _optional(s, **{"in": is_pair}),
    "repeat": lambda v, s: (
        is_number(v) and isinstance(s.get("as", "i"), str) and isinstance(s.get("build"), list)
    ),
    "place": _valid_place,
    "scatter": _valid_scatter,
    "mirror": lambda v, s: v in ("x", "y", "z", "xy", "yx"),
}


def _reversed(pair: list[list[Any]]) -> bool:
    return any(type(a) is not str and type(b) is not str and a > b for a, b in zip(*pair, strict=True))
