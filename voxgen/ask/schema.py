"""scene_schema(): the scene language as JSON Schema, for endpoints that hold a model to one.

Two profiles. "portable" is what every provider accepts: closed objects with every property required, `anyOf`,
`enum`, no references, no bounds. "bounded" adds how many numbers a point has and how large they are, for
engines that compile a schema into a grammar of their own. Maps with free keys have no place in either:
palette and parts are lists of named entries, which the language reads too; `let`, `functions`, `textures` and
the params of parts stay out. What is required costs tokens, so a step has the options that matter.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["HINT", "scene_schema"]

Schema = dict[str, Any]

# What a model is told that has to keep to the schema: the prompt teaches the maps.
HINT = 'Write "palette" and "parts" as lists whose entries have a "name"; no "let", "functions", "textures".'


def _one_of(*values: Any) -> Schema:
    return {"type": "string" if isinstance(values[0], str) else "integer", "enum": list(values)}


def _many(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _closed(**properties: Schema) -> Schema:
    """Return an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
YES: Schema = {"type": "boolean"}
NAME: Schema = {"type": "string", "pattern": "^[A-Za-z_#][A-Za-z0-9_]{0,23}$"}
LEAST = 8  # steps of a scene
AXIS = _one_of("x", "y", "z")
SIDE = 512  # cells


@cache
def scene_schema(profile: str = "portable") -> Schema:
    """Return the schema of a scene document; the caller must not change it."""
    bounded = profile == "bounded"
    steps = _steps(bounded)
    name = NAME if bounded else TEXT
    size = _several(_whole(bounded, 16, SIDE), bounded, 3)
    color: Schema = {"type": "string", "pattern": "^#[0-9a-f]{6}$"} if bounded else TEXT
    repeat = _closed(repeat=_whole(bounded, 1, 64), **{"as": name}, build=_many({"anyOf": steps}))
    build = _many({"anyOf": [*steps, repeat]}) | ({"minItems": LEAST} if bounded else {})
    return _closed(
        title=TEXT,
        plan=TEXT,
        size=size,
        light=_one_of("day", "sunset", "night", "overcast"),
        palette=_many(_closed(name=name, color=color, opacity=NUMBER, glow=NUMBER)),
        parts=_many(_closed(name=name, size=size, build=_many({"anyOf": steps}))),
        build=build,
    )


def _whole(bounded: bool, least: int, most: int) -> Schema:
    return {"type": "integer"} | ({"minimum": least, "maximum": most} if bounded else {})


def _several(item: Schema, bounded: bool, least: int, most: int | None = None) -> Schema:
    """Return a list of `least` to `most` items, of exactly `least` where no other number is given."""
    return _many(item) | ({"minItems": least, "maxItems": most or least} if bounded else {})


def _steps(bounded: bool) -> list[Schema]:
    """Return the schema of every step but repeat, which holds others."""
    value: Schema = {"anyOf": [_whole(bounded, 0, SIDE) if bounded else NUMBER, TEXT]}  # or an expression
    name = NAME if bounded else TEXT
    material: Schema = {"anyOf": [name, _several(name, bounded, 1, 6)]}
    point = _several(value, bounded, 3)
    corners, points = _several(point, bounded, 2), _several(point, bounded, 1, 400)
    area = _several(_several(value, bounded, 2), bounded, 2)
    ball = {"center": point, "radius": {"anyOf": [value, point]}}
    tube = {"base": point, "radius": value, "height": value}
    thickness, number = _whole(bounded, 0, 9), _whole(bounded, 0, 99)
    formula = {"formula": TEXT, "in": corners}
    return [
        _closed(box=corners, hollow=thickness, walls=YES, of=material),
        _closed(sphere=_closed(**ball), hollow=thickness, of=material),
        _closed(ellipsoid=_closed(**ball), hollow=thickness, of=material),
        _closed(cylinder=_closed(**tube, top=value, axis=AXIS), hollow=thickness, of=material),
        _closed(cone=_closed(**tube, axis=AXIS), hollow=thickness, of=material),
        _closed(roof=_closed(box=corners, along=_one_of("x", "y")), of=material),
        _closed(pyramid=corners, of=material),
        _closed(line=points, width=value, taper=value, curve=YES, of=material),
        _closed(voxels=points, of=material),
        _closed(layers=_many(TEXT), at=point),
        _closed(terrain=_closed(box=corners, scale=value, seed=number, top=material), of=material),
        _closed(**formula, of=material),
        _closed(**formula, only=material, of=material),
        _closed(place=name, at=points, turn=_one_of(0, 90, 180, 270)),
        _closed(scatter=_many(name), on=_many(name), area=area, count=value, gap=value, seed=number),
        _closed(mirror=_one_of("x", "y")),
    ]
