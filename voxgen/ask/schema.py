"""scene_schema(): the scene language as JSON Schema, for endpoints that hold a model to one.

Two profiles. "portable" is what every provider accepts: closed objects with every property required, `anyOf`,
`enum`, no references, no bounds. "bounded" adds how many numbers a point has and how large they are, for
engines that compile a schema into a grammar of their own. Maps with free keys have no place in either: what
the language has as a map, from the palette to the params of a part, is a list of named entries, which it
reads too. What is required costs tokens, so a step has the options that matter, and what is seldom said is a
variant of its own.

Without bounds a list of steps may be [], and a point as well. That whatever fits the schema draws something
is due to "ground", a box whose corners are objects: the language draws it first, wherever it lies.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["HINT", "scene_schema"]

Schema = dict[str, Any]

# What a model is told that has to keep to the schema: the prompt teaches the maps.
HINT = (
    'Write "palette", "let", "functions", "textures", "parts", "params", "with" and "key" as lists whose '
    'entries have a "name": {"name":"r","value":5}, {"name":"f","params":["a"],"formula":"a*r"}, '
    '{"name":"cliff","rules":[{"when":"z>9","of":"moss"},{"of":"rock"}]}, {"name":"w","of":"wall"}. '
    "A mix is a list of names; a name given twice counts double. "
    '"ground" is drawn before "build": a box from one corner to the other, of what all else stands on.'
)


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
NAME: Schema = {"type": "string", "pattern": "^[A-Za-z_@#][A-Za-z0-9_]{0,31}$"}
LEAST = 8  # steps of a scene
AXIS = _one_of("x", "y", "z")
SMALL, SIDE = 16, 512  # cells a side, at least and at most


@cache
def scene_schema(profile: str = "portable") -> Schema:
    """Return the schema of a scene document; the caller must not change it."""
    bounded = profile == "bounded"
    steps = _steps(bounded)
    name = NAME if bounded else TEXT
    size = _several(_whole(bounded, SMALL, SIDE), bounded, 3)
    color: Schema = {"type": "string", "pattern": "^#[0-9a-f]{6}$"} if bounded else TEXT
    look = {"color": color, "opacity": _share(bounded, 0.1, 1), "glow": _share(bounded, 0, 3)}
    rule = {"anyOf": [_closed(when=TEXT, of=_material(bounded)), _closed(of=_material(bounded))]}
    inner = _some({"anyOf": steps}, bounded)
    repeat = _closed(repeat=_whole(bounded, 1, 64), **{"as": name}, build=inner)
    return _closed(
        title=TEXT,
        plan=TEXT,
        size=size,
        light=_one_of("day", "sunset", "night", "overcast"),
        palette=_many(_closed(name=name, **look)),
        let=_named(bounded),
        functions=_many(_closed(name=name, params=_many(name), formula=TEXT)),
        textures=_many(_closed(name=name, rules=_some(rule, bounded))),
        parts=_many(_closed(name=name, size=size, params=_named(bounded), build=inner)),
        ground=_closed(box=_closed(**{"from": _spot(bounded), "to": _spot(bounded)}), of=_material(bounded)),
        build=_many({"anyOf": [*steps, repeat]}) | ({"minItems": LEAST} if bounded else {}),
    )


def _spot(bounded: bool) -> Schema:
    """Return the schema of a point that has three numbers without being told how many."""
    return _closed(**dict.fromkeys("xyz", _whole(bounded, 0, SIDE)))


def _material(bounded: bool) -> Schema:
    """Return the schema of a name, or of several in equal shares."""
    name = NAME if bounded else TEXT
    return {"anyOf": [name, _several(name, bounded, 1, 8)]}


def _named(bounded: bool) -> Schema:
    """Return the schema of a map from names to numbers, expressions or materials, as a list."""
    return _many(_closed(name=NAME if bounded else TEXT, value={"anyOf": [NUMBER, TEXT]}))


def _share(bounded: bool, least: float, most: float) -> Schema:
    return NUMBER | ({"minimum": least, "maximum": most} if bounded else {})


def _whole(bounded: bool, least: int, most: int) -> Schema:
    return {"type": "integer"} | ({"minimum": least, "maximum": most} if bounded else {})


def _some(item: Schema, bounded: bool) -> Schema:
    return _many(item) | ({"minItems": 1} if bounded else {})


def _several(item: Schema, bounded: bool, least: int, most: int | None = None) -> Schema:
    """Return a list of `least` to `most` items, of exactly `least` where no other number is given."""
    return _many(item) | ({"minItems": least, "maxItems": most or least} if bounded else {})


def _steps(bounded: bool) -> list[Schema]:
    """Return the schema of every step but repeat, which holds others."""
    value: Schema = {"anyOf": [_whole(bounded, 0, SIDE) if bounded else NUMBER, TEXT]}  # or an expression
    name = NAME if bounded else TEXT
    material, names = _material(bounded), _several(name, bounded, 1, 8)
    point = _several(value, bounded, 3)
    corners, points = _several(point, bounded, 2), _several(point, bounded, 1, 400)
    area = _several(_several(value, bounded, 2), bounded, 2)
    ball = {"center": point, "radius": {"anyOf": [value, point]}}
    tube = {"base": point, "radius": value, "height": value}
    thickness, number = _whole(bounded, 0, 9), _whole(bounded, 0, 99)
    formula, turn = {"formula": TEXT, "in": corners}, _one_of(0, 90, 180, 270)
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
        _closed(layers=_some(TEXT, bounded), at=point, key=_many(_closed(name=name, of=material))),
        _closed(terrain=_closed(box=corners, scale=value, seed=number, top=material), of=material),
        _closed(**formula, of=material),
        _closed(**formula, only=material, of=material),
        _closed(place=name, at=points, turn=turn),
        _closed(place=name, at=points, turn=turn, **{"with": _named(bounded)}),
        _closed(scatter=names, on=names, area=area, count=value, gap=value, seed=number),
        _closed(mirror=_one_of("x", "y")),
    ]
