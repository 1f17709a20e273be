"""What steps and their options are called: by the language, and by models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from voxgen.language.mending.values import show
from voxgen.language.palette import fold, nearest

__all__ = [
    "BUILD_WORDS",
    "COMMON",
    "FILLED",
    "STEPS",
    "STEP_NAMES",
    "WORDS",
    "looks_like_step",
    "name_of",
    "table",
    "word_of",
]

Step = dict[str, Any]

# What the language knows: each step and its own options, here or in its object. The one table of it.
STEPS: Mapping[str, frozenset[str]] = {
    "box": frozenset({"hollow", "walls"}),
    "sphere": frozenset({"center", "radius", "hollow", "keep"}),
    "ellipsoid": frozenset({"center", "radius", "hollow", "keep"}),
    "cylinder": frozenset({"base", "radius", "height", "top", "axis", "hollow"}),
    "cone": frozenset({"base", "radius", "height", "top", "axis", "hollow"}),
    "roof": frozenset({"box", "along"}),
    "pyramid": frozenset(),
    "line": frozenset({"width", "curve", "taper"}),
    "voxels": frozenset(),
    "layers": frozenset({"at", "key", "facing"}),
    "terrain": frozenset({"box", "scale", "seed", "top"}),
    "formula": frozenset({"in"}),
    "repeat": frozenset({"as", "build"}),
    "place": frozenset({"at", "with", "turn", "mirror", "anchor"}),
    "scatter": frozenset({"on", "area", "count", "gap", "seed", "turn"}),
    "mirror": frozenset(),
}

COMMON = frozenset({"of", "note", "when", "only"})  # every step takes these

# What belongs into the object under the step's name; "hollow", "keep" and "top" may also stand beside it.
BODY: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("sphere", "ellipsoid"), frozenset({"center", "radius"})),
    **dict.fromkeys(("cylinder", "cone"), frozenset({"base", "radius", "height", "top", "axis"})),
    "roof": STEPS["roof"],
    "terrain": frozenset({"box", "scale", "seed"}),
}
FILLED = frozenset(STEPS) - {"layers", "repeat", "place", "scatter", "mirror"}  # steps that need an `of`


def table(text: str) -> dict[str, str]:
    """Read lines of "word: other ways to say it" into a dict from each of them to the word."""
    rows = (line.split(":") for line in text.strip().splitlines())
    return {alias: word.strip() for word, aliases in rows for alias in [word.strip(), *aliases.split()]}


STEP_NAMES = table("""
    box: cube cuboid block rect rectangle prism fill filledbox solidbox slab floor plane room wall
    box: fillbox addbox
    sphere: ball orb dome globe addsphere circle
    ellipsoid: ellipse oval spheroid
    cylinder: tube pillar column disc disk pipe rod addcylinder
    cone: spike funnel
    roof: gable gableroof gabled
    pyramid: hip hiproof hipped
    line: polyline path segment beam curve spline stroke wire rope addline
    voxels: voxel point pixel cell set points pixels cells dots setblock setvoxel addvoxel blocks
    layers: layer slices slice grid rows
    terrain: heightmap hills landscape noise
    formula: expr expression sdf implicit equation function math
    repeat: loop for array times foreach
    place: stamp instance use insert put part clone copy prefab
    scatter: sprinkle distribute strew spread
    mirror: symmetry symmetric reflect
""")

_HOLLOW_NAMES = {"hollowbox", "hollowsphere", "shell", "hollowcylinder", "outline", "hollowcube", "frame"}

_CARVE_NAMES = {"carve", "clear", "remove", "delete", "erase", "subtract", "cut", "air", "empty", "dig"}

BUILD_WORDS = {"build", "steps", "group", "children", "ops", "objects", "do", "body", "commands"}

_TYPE_KEYS = (
    "type",
    "op",
    "shape",
    "kind",
    "step",
    "command",
    "cmd",
    "action",
    "primitive",
    "operation",
    "tool",
)

WORDS = table("""
    of: color colour material mat block blocktype blockid blockname texture paint col using materials colors
    note: comment name label description desc title id notes reason
    when: if
    only: onlyon onlyin mask replace replaces
    from: start begin p1 p0 min lo low lower corner1 first pos1 point1 a mincorner startpos frompos
    to: end stop p2 max hi high upper corner2 second pos2 point2 b maxcorner endpos topos
    at: pos position xyz origin location offset coords coordinate coordinates translate corner
    center: centre middle mid c
    size: dimensions dims extent extents
    radius: r rad radii
    diameter:
    height: h
    length: len l
    width: w thickness
    depth: d
    points: path vertices nodes positions cells waypoints through voxels
    axis: direction dir orientation
    base: bottom foot
    along: ridge ridgeaxis
    hollow: shell hollowed
    solid: filled fill
    walls: wallsonly
    keep: half
    curve: smooth curved
    taper: endwidth width2 widthend
""")

_ROUND = """
    top: r2 topradius radiustop radius2 endradius
    radius: r1 radiusbottom bottomradius baseradius
"""
_OWN_WORDS: Mapping[str, dict[str, str]] = {
    "cylinder": table(_ROUND),
    "cone": table(_ROUND),
    "roof": table("""
        along: axis direction orientation dir
        box: area region bounds
    """),
    "line": table("""
        from: a start
        to: b end
        width: diameter size thickness w
        points: coords xyz at
    """),
    "layers": table("""
        key: legend palette map mapping symbols chars colors
        at: from
        facing: face view
    """),
    "terrain": table("""
        top: surface topmaterial cover
        scale: frequency wavelength
        box: in area region bounds
    """),
    "formula": table("""
        in: box area region bounds range within volume domain space
        formula: condition where
    """),
    "repeat": table("""
        repeat: count n number
        as: var variable index iterator name
        build: steps do body children ops
    """),
    "place": table("""
        place: part ref object what
        with: params args parameters values set vars
        turn: rotate rotation rot angle yaw turns
        mirror: flip
        anchor: pivot align origin
        at: positions points coords locations to from xyz
    """),
    "scatter": table("""
        scatter: what things objects items parts part of
        on: ground onto target surface
        area: region within box in bounds range
        count: n number amount quantity density
        gap: spacing distance mindistance separation
        turn: rotate rotation
    """),
    "mirror": table("mirror: axis"),
}
_RAW = {
    "x",
    "y",
    "z",
    "x0",
    "y0",
    "z0",
    "x1",
    "y1",
    "z1",
    "x2",
    "y2",
    "z2",
    "rx",
    "ry",
    "rz",
    "dx",
    "dy",
    "dz",
}

# --------------------------------------------------------------------------- which step is it


def looks_like_step(value: Any, parts: Collection[str] = ()) -> bool:
    """Say whether a value may be a step, however it is written."""
    if isinstance(value, (list, tuple)):
        return bool(value) and isinstance(value[0], str) and fold(value[0]) in STEP_NAMES
    if not isinstance(value, Mapping) or len(value) > 40:
        return False
    return name_of({str(k): v for k, v in value.items()}, parts) is not None


def name_of(step: Mapping[str, Any], parts: Collection[str]) -> tuple[str, Step, str] | None:
    """Return the name of a step, the step under it, and a remark if it was called something else."""
    exact = [key for key in step if key in STEPS]
    if exact:
        first = next(
            (
                n
                for n in ("repeat", "place", "scatter", "formula", "terrain", "roof", "pyramid")
                if n in exact
            ),
            exact[0],
        )
        return first, dict(step), ""
    return _by_type(step, parts) or _by_key(step, parts) or _by_content(step)


def _by_type(step: Mapping[str, Any], parts: Collection[str]) -> tuple[str, Step, str] | None:
    """Read {"type": "box", …} and its relatives."""
    key = next((k for t in _TYPE_KEYS for k in step if fold(k) == t and isinstance(step[k], str)), None)
    if key is None:
        return None
    rest = {k: v for k, v in step.items() if k != key}
    word = fold(step[key])
    hint = f"{show(key)}: {show(step[key])}"
    if step[key] in parts:
        return "place", {"place": step[key], **rest}, hint
    if word in _CARVE_NAMES:
        inner = _by_type(rest, parts) or _by_key(rest, parts) or _by_content(rest)
        return (inner[0], {**inner[1], "of": "air"}, hint) if inner else None
    if word in _HOLLOW_NAMES:
        name = "sphere" if "sphere" in word else "cylinder" if "cylinder" in word else "box"
        return name, {name: None, "hollow": True, **rest}, hint
    name = STEP_NAMES.get(word) or STEP_NAMES.get(word.removesuffix("s")) or nearest(word, STEPS) or ""
    if not name:
        return None
    if name == "box" and word in ("wall", "walls", "room"):
        rest = {"walls": True, **rest} if word != "wall" else rest
    if word == "dome":
        rest = {"keep": "top", **rest}
    return name, {name: _body(name, rest), **rest}, hint


def _body(name: str, rest: Mapping[str, Any]) -> Any:
    """Find what belongs under the step's own name when the name came from "type"."""
    wanted = {
        "line": ("points",),
        "voxels": ("points",),
        "layers": ("layers", "rows", "data", "grid", "slices"),
    }
    own = {alias for alias, word in _OWN_WORDS.get(name, {}).items() if word == name}
    for key, value in rest.items():
        folded = fold(key)
        if folded in own or folded in wanted.get(name, ()) or WORDS.get(folded) in wanted.get(name, ()):
            return value
    if name == "formula":
        return next((v for k, v in rest.items() if STEP_NAMES.get(fold(k)) == "formula"), None)
    if name == "place":
        return next((v for k, v in rest.items() if fold(k) in ("name", "id")), None)
    return None


def _by_key(step: Mapping[str, Any], parts: Collection[str]) -> tuple[str, Step, str] | None:
    """Read a step under another spelling of its name: {"Cuboid": …}, {"sphre": …}, {"oak": [[x, y, z]]}."""
    for key, value in step.items():
        rest = {k: v for k, v in step.items() if k != key}
        folded = fold(key)
        if folded in _HOLLOW_NAMES | _CARVE_NAMES | {"dome", "walls", "room"} and isinstance(
            value, (list, dict)
        ):
            body = (
                value if isinstance(value, dict) else {"points" if folded in _CARVE_NAMES else "box": value}
            )
            return _by_type({"type": key, **body, **rest}, parts)
        name = STEP_NAMES.get(folded)
        if name and (
            isinstance(value, (list, dict))
            or (isinstance(value, str) and name in ("formula", "place", "scatter"))
        ):
            return name, {name: value, **rest}, f"no step is called {show(key)}"
        if key in parts and isinstance(value, (list, dict)):
            return (
                "place",
                {"place": key, **({"at": value} if isinstance(value, list) else value), **rest},
                show(key),
            )
    for key, value in step.items():
        name = nearest(key, STEPS) if len(key) > 3 and isinstance(value, (list, dict, str)) else None
        if name and WORDS.get(fold(key)) is None:
            return (
                name,
                {name: value, **{k: v for k, v in step.items() if k != key}},
                f"no step is called {show(key)}",
            )
    return None


def _by_content(step: Mapping[str, Any]) -> tuple[str, Step, str] | None:
    """Tell a step by its fields alone: two corners are a box, a centre and a radius a sphere."""
    words = {WORDS.get(fold(k), fold(k)) for k in step}
    name = None
    if {"from", "to"} <= words or {"x1", "x2"} <= words:
        name = "box"
    elif "radius" in words or "diameter" in words:
        name = "cylinder" if "height" in words or "base" in words else "sphere"
    elif "box" in words:
        name = "box"
    elif "points" in words:
        name = "voxels"
    elif "size" in words and words & {"at", "center", "from", "x"}:
        name = "box"
    elif words & BUILD_WORDS and words & {"times", "count", "for", "n"}:
        name = "repeat"
    elif (words & {"at"} and "of" in words) or {"x", "y", "z"} <= words:
        name = "box" if words & {"width", "height", "depth"} else "voxels"
    if name is None:
        return None
    if name == "repeat":
        count = next((step[k] for t in ("times", "count", "n", "for") for k in step if fold(k) == t), None)
        step = {("as" if fold(k) == "for" and isinstance(v, str) else k): v for k, v in step.items()}
        return name, {"repeat": count, **step}, ""
    return name, {name: _body(name, step), **step}, "no step is named"


# --------------------------------------------------------------------------- which option is it


def word_of(key: str, value: Any, name: str) -> str:
    """Return which option of a step a key means, the key itself where it means none."""
    known = STEPS[name] | COMMON | {name}
    if key in known:
        return key
    folded = fold(key)
    if folded in ("c", "fill", "value", "m") and (isinstance(value, str) or folded == "c"):
        return "of"
    word = (
        _OWN_WORDS.get(name, {}).get(folded)
        or WORDS.get(folded)
        or (folded if folded in _RAW | known else "")
    )
    if not word and folded in ("layers", "rows", "data", "slices", "grid") and name == "layers":
        return name
    if not word and folded in _TYPE_KEYS and isinstance(value, str):
        return "of" if name in FILLED and folded in ("type", "kind") else "note"
    return word or (nearest(key, known) if len(key) > 3 else None) or key
