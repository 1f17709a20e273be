"""scene_schema(): the scene language as JSON Schema, for endpoints that hold a model to one.

Only what every provider accepts: closed objects with every property required (null where the language leaves
one out), `anyOf`, `enum`, no references, no bounds. Maps with free keys have no place there, so palette and
parts are lists of named entries, which the language reads too; `let`, `functions` and `textures` stay out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["HINT", "scene_schema"]

Schema = dict[str, Any]

# What a model is told that has to keep to the schema: the prompt teaches the maps.
HINT = (
    'Write "palette" and "parts" as lists whose entries have a "name"; leave out "let", "functions" and '
    '"textures"; null stands for every option you do not use.'
)

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"anyOf": [{"type": "number"}, {"type": "string"}]}  # or an expression
WHOLE: Schema = {"type": "integer"}
YES: Schema = {"type": "boolean"}
LIGHTS = ("day", "sunset", "night", "overcast")


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def many(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def closed(**properties: Schema) -> Schema:
    """Return an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def optional(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


POINT = many(NUMBER)  # [x,y,z]: how many there are is said in the prompt
MATERIAL: Schema = {"anyOf": [TEXT, many(TEXT)]}
COMMON = {"of": MATERIAL, "only": optional(MATERIAL), "when": optional(TEXT)}


@cache
def scene_schema() -> Schema:
    """Return the schema of a scene document; the caller must not change it."""
    plain = list(_steps().values())
    repeat = closed(repeat=NUMBER, **{"as": TEXT}, build=many({"anyOf": plain}))
    steps = many({"anyOf": [*plain, repeat]})
    return closed(
        title=TEXT,
        plan=TEXT,
        size=many(WHOLE),
        light=one_of(*LIGHTS),
        palette=many(
            closed(name=TEXT, color=TEXT, opacity=optional(NUMBER_ONLY), glow=optional(NUMBER_ONLY))
        ),
        parts=many(closed(name=TEXT, size=many(WHOLE), build=many({"anyOf": plain}))),
        build=steps,
    )


NUMBER_ONLY: Schema = {"type": "number"}


def _steps() -> dict[str, Schema]:
    """Return the schema of every step but repeat, which holds others."""
    corners = many(POINT)
    hollow = optional({"anyOf": [YES, NUMBER_ONLY]})
    ball = {"center": POINT, "radius": {"anyOf": [NUMBER, POINT]}}
    tube = {"base": POINT, "radius": NUMBER, "height": NUMBER}
    axis = optional(one_of("x", "y", "z"))
    return {
        "box": closed(box=corners, hollow=hollow, walls=optional(YES), **COMMON),
        "sphere": closed(
            sphere=closed(**ball), hollow=hollow, keep=optional(one_of("top", "bottom")), **COMMON
        ),
        "ellipsoid": closed(
            ellipsoid=closed(**ball), hollow=hollow, keep=optional(one_of("top", "bottom")), **COMMON
        ),
        "cylinder": closed(cylinder=closed(**tube, top=optional(NUMBER), axis=axis), hollow=hollow, **COMMON),
        "cone": closed(cone=closed(**tube, axis=axis), hollow=hollow, **COMMON),
        "roof": closed(roof=closed(box=corners, along=one_of("x", "y")), **COMMON),
        "pyramid": closed(pyramid=corners, **COMMON),
        "line": closed(line=corners, width=NUMBER, taper=optional(NUMBER), curve=optional(YES), **COMMON),
        "voxels": closed(voxels=corners, **COMMON),
        "layers": closed(layers=many(TEXT), at=POINT, facing=optional(one_of("front")), only=COMMON["only"]),
        "terrain": closed(
            terrain=closed(box=corners, scale=NUMBER, seed=WHOLE, top=optional(MATERIAL)), **COMMON
        ),
        "formula": closed(formula=TEXT, **{"in": corners}, **COMMON),
        "place": closed(
            place=TEXT,
            at=corners,
            turn=optional({"type": "integer", "enum": [0, 90, 180, 270]}),
            when=COMMON["when"],
        ),
        "scatter": closed(
            scatter=many(TEXT), on=many(TEXT), area=optional(corners), count=NUMBER, gap=NUMBER, seed=WHOLE
        ),
        "mirror": closed(mirror=one_of("x", "y")),
    }
