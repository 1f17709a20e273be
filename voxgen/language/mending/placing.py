"""settle(): what only the whole document shows: parts that place themselves, other coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from voxgen.language.mending.turning import Move, shape_of_layers, turned, with_points
from voxgen.language.mending.values import Notes, literal, plus
from voxgen.scene import Repair

__all__ = ["oddities", "settle", "upright_axis"]

Step = dict[str, Any]
Ends = tuple[list[float], list[float]]  # the low and the high corner

_FREE = frozenset({"formula", "repeat", "scatter", "mirror", "when"})  # where they end is not plain to see
MAX_SIDE = 512  # that a size may grow to
MAX_LOOKED_AT = 20_000  # steps
MAX_ROUNDED = 100_000  # cells of a step that are looked through for fractions
MAX_ODD = 100  # of them that are told
_UP = ("up", "upAxis", "up_axis", "upaxis", "vertical", "vertical_axis")


def settle(document: dict[str, Any], notes: Notes) -> None:
    """Mend in place what the whole of a mended document shows: circles of parts, shifted or turned space."""
    if isinstance(document.get("parts"), Mapping):
        document["parts"] = _without_circles(document["parts"], notes)
    _settle_space(document, notes)


# --------------------------------------------------------------------------- parts within parts


def _without_circles(parts: Mapping[str, Any], notes: Notes) -> Mapping[str, Any]:
    """Take out the steps by which a part ends up inside itself."""
    uses = {name: sorted({p for p in _placed(_steps(part)) if p in parts}) for name, part in parts.items()}
    closing = _closing(uses)
    if not closing:
        return parts
    mended = dict(parts)
    for name, target in closing:
        notes.add(
            f"$.parts.{name}", f'places "{target}", which leads back to it', "left that step out", "loss"
        )
        part = mended[name]
        steps = _without(_steps(part), target)
        mended[name] = {**part, "build": steps} if isinstance(part, Mapping) else steps
    return mended


def _steps(part: Any) -> list[Step]:
    build = part.get("build") if isinstance(part, Mapping) else part
    return build if isinstance(build, list) else []


def _targets(step: Step) -> list[str]:
    things = step.get("scatter", [])
    names = [step.get("place"), *(things if isinstance(things, (list, dict)) else [])]
    return [name for name in names if isinstance(name, str)]


def _placed(steps: list[Step]) -> Iterator[str]:
    for step in steps:
        yield from _targets(step)
        if isinstance(step.get("build"), list):
            yield from _placed(step["build"])


def _closing(uses: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Return the edges that close a circle: those to a part still open in a depth-first walk."""
    state: dict[str, int] = {}  # 1 open, 2 done
    closing = []
    for root in uses:
        stack = [(root, iter(uses[root]))] if root not in state else []
        if stack:
            state[root] = 1
        while stack:
            name, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                state[name] = 2
                stack.pop()
            elif state.get(target) == 1:
                closing.append((name, target))
            elif target not in state:
                state[target] = 1
                stack.append((target, iter(uses[target])))
    return closing


def _without(steps: list[Step], target: str) -> list[Step]:
    kept = []
    for step in steps:
        if target in _targets(step):
            continue
        inner = step.get("build")
        kept.append({**step, "build": _without(inner, target)} if isinstance(inner, list) else step)
    return kept


# --------------------------------------------------------------------------- space


def _settle_space(document: dict[str, Any], notes: Notes) -> None:
    """Turn a scene that says its y runs up; turn or shift one that then fits its size, and did not before.

    Unasked only where every coordinate is a plain number, so that the whole scene moves as one; a scene
    that already touches its size is left alone.
    """
    up = upright_axis(document)
    if up == "y":
        document.update(turned(document))
        document["up"] = up = "z"
        notes.add("$.up", "y runs up", "turned the scene so that z does", "info")
    _round_cells(document, notes)
    sides = _sides(document)
    if not sides or document.get("functions") or document.get("let"):
        return
    steps = document["build"]
    whole = _extent(steps, document)
    if whole is None:
        return
    fits = _fits(*whole, sides)
    if not fits and up != "z" and (standing := _stood_up(document, sides)):
        problem = f"cells reach y = {whole[1][1]:g} and z = {whole[1][2]:g} in a scene of {_by(sides)}"
        notes.add("$.build", problem, 'swapped y and z; "up": "z" in the document keeps them')
        document.update(standing)
    elif shift := _shift(whole, sides):
        problem, fix, move = shift
        document["build"] = [with_points(step, move) for step in steps]
        notes.add("$.build", problem, fix)
    elif not fits and (wide := _grown(document, whole, sides)):
        notes.add("$.size", f"most steps reach outside of {_by(sides)}", f"made it {_by(wide)}")
        document["size"] = wide


def _sides(document: Mapping[str, Any]) -> list[float]:
    """Return the three sides of a scene, [] where they are not plain numbers."""
    size = document.get("size")
    sides = [v for v in map(literal, size) if v is not None] if isinstance(size, list) else []
    return sides if len(sides) == 3 else []


def _round_cells(document: dict[str, Any], notes: Notes) -> None:
    """Round the corners of boxes and single cells that lie between cells, halves up, as drawing them does."""
    count = 0

    def rounded(value: Any) -> Any:
        nonlocal count
        if type(value) is not float or abs(value - round(value)) <= 0.01:
            return value
        count += 1
        return math.floor(value + 0.5)

    steps = []
    for step in document["build"]:
        key = next((k for k in ("box", "voxels") if k in step and len(step[k]) <= MAX_ROUNDED), None)
        before = count
        cells = [[rounded(v) for v in p] for p in step[key]] if key else []
        steps.append({**step, key: cells} if key and count > before else step)
    if count:
        document["build"] = steps
        notes.add("$.build", f"{count:,} numbers lie between cells", "rounded them to the nearest")


def _stood_up(document: dict[str, Any], sides: list[float]) -> dict[str, Any] | None:
    """Return a document whose cells have y up, its size not, in our axes; None where that does not fit."""
    if sides[1] == sides[2]:
        return None
    size = document["size"]
    standing = {**turned({**document, "size": [size[0], size[2], size[1]]}), "size": size}
    whole = _extent(standing["build"], standing)
    return standing if whole and _fits(*whole, sides) else None


def _grown(document: Mapping[str, Any], whole: Ends, sides: list[float]) -> list[int] | None:
    """Return the size that holds everything, where most steps reach out of the one declared."""
    ends = [_ends(step, document) for step in document["build"]]
    out = sum(not _fits(*end, sides) for end in ends if end)
    wide = [max(int(s), math.floor(high + 1.5)) for s, high in zip(sides, whole[1], strict=True)]
    return wide if out * 2 > len(ends) and min(whole[0]) >= 0 and max(wide) <= MAX_SIDE else None


def oddities(document: Mapping[str, Any]) -> list[Repair]:
    """Return what looks odd about where the steps of a mended document are, and was left as it is."""
    sides = _sides(document)
    ends = [_ends(step, document) for step in document["build"][:MAX_LOOKED_AT]] if sides else []
    found = [
        Repair(f"$.build[{i}]", f"lies outside the scene of {_by(sides)}", "nothing of it is drawn", "info")
        for i, end in enumerate(ends)
        if end and not _meets(*end, sides)
    ][:MAX_ODD]
    known = [end for end in ends if end]
    standing = sum(_fits(*end, sides) for end in known)
    lying = sum(_fits(*_swapped(end), sides) for end in known)
    if len(known) > 2 and not upright_axis(document) and lying > standing * 1.5 + 1:
        problem = f"{lying} of {len(known)} steps fit the size with y and z swapped, {standing} as they are"
        fix = 'kept them; if y runs up here, add "up": "y" to the document'
        found.append(Repair("$.build", problem, fix))
    return found


def _swapped(ends: Ends) -> Ends:
    (x0, y0, z0), (x1, y1, z1) = ends
    return [x0, z0, y0], [x1, z1, y1]


def _meets(low: list[float], high: list[float], size: list[float]) -> bool:
    return all(b > -0.5 and a < s - 0.5 for a, b, s in zip(low, high, size, strict=True))


def _by(size: Sequence[float]) -> str:
    return "×".join(f"{s:g}" for s in size)


def upright_axis(document: Mapping[str, Any]) -> str:
    """Return the axis a document declares as up, "" where it says nothing."""
    said = next((document[k] for k in _UP if isinstance(document.get(k), str)), "")
    return said.lower().strip(" +").removesuffix("-up").removesuffix(" up")[-1:]


def _extent(steps: list[Step], document: Mapping[str, Any]) -> Ends | None:
    """Return the low and high corner of everything, None where that is not known from plain numbers."""
    if any(_FREE & step.keys() for step in steps):
        return None
    ends = [_ends(step, document) for step in steps]
    known = [end for end in ends if end]
    if not known or len(known) < len(ends):
        return None
    lows, highs = np.array([low for low, _ in known]), np.array([high for _, high in known])
    return lows.min(0).tolist(), highs.max(0).tolist()


def _ends(step: Step, document: Mapping[str, Any]) -> Ends | None:
    """Return the corners of a step, None where they are not plain numbers."""
    points: list[Any] = []
    for key in ("box", "pyramid", "line", "voxels"):
        points = points + step.get(key, [])
    for key in ("roof", "terrain"):
        points = points + (step[key]["box"] if key in step else [])
    if "layers" in step:
        at, cells = step.get("at", [0, 0, 0]), shape_of_layers(step)
        points = [*points, at, [_sum(a, n - 1) for a, n in zip(at, cells, strict=True)]]
    if "place" in step:
        part = (document.get("parts") or {}).get(step["place"])
        shape = part.get("size") if isinstance(part, Mapping) else None
        if not isinstance(shape, list) or step.get("turn") or step.get("anchor") or len(step["at"]) > 10_000:
            return None
        points = points + step["at"]
        points += [[_sum(a, _sum(n, -1)) for a, n in zip(at, shape, strict=True)] for at in step["at"]]
    points += _round_ends(step)
    try:
        table = np.array(points, np.float64)
    except (TypeError, ValueError):
        return None
    if (
        table.shape[1:] != (3,)
        or not np.isfinite(table).all()
        or any(type(v) is str for p in points[:1000] for v in p)
    ):
        return None
    return table.min(0).tolist(), table.max(0).tolist()


def _round_ends(step: Step) -> list[Any]:
    """Return the outermost points of a round shape."""
    ball, tube = step.get("sphere", step.get("ellipsoid")), step.get("cylinder", step.get("cone"))
    if ball:
        radius = ball["radius"]
        radii = radius if isinstance(radius, list) else [radius] * 3
        return [[_sum(c, r, sign) for c, r in zip(ball["center"], radii, strict=True)] for sign in (-1, 1)]
    if not tube:
        return []
    along = "xyz".index(tube.get("axis", "z"))
    radii = list(tube["radius"]) if isinstance(tube["radius"], list) else [tube["radius"]] * 2
    radii.insert(along, 0)
    height = literal(tube["height"])
    far = list(tube["base"])
    far[along] = None if height is None else _sum(far[along], height - 1 if height > 0 else height + 1)
    ends = [(end, sign) for end in (tube["base"], far) for sign in (-1, 1)]
    return [[_sum(c, r, sign) for c, r in zip(end, radii, strict=True)] for end, sign in ends]


def _sum(a: Any, b: Any, sign: int = 1) -> Any:
    x, y = literal(a), literal(b)
    return None if x is None or y is None else x + sign * y


def _fits(low: list[float], high: list[float], size: list[float]) -> bool:
    return all(a >= 0 and b <= s - 1 for a, b, s in zip(low, high, size, strict=True))


def _shift(ends: Ends, size: list[float]) -> tuple[str, str, Move] | None:
    """Read a scene counted from 1, or built around the origin, where exactly that makes it fit."""
    low, high = ends
    if all(a == 1 and b == s for a, b, s in zip(low, high, size, strict=True)):
        return "cells are counted from 1", "moved everything by -1", lambda p: [plus(c, -1) for c in p]
    if _fits(low, high, size):
        return None
    shift = [int(s // 2) if _is_centered(a, b) else 0 for a, b, s in zip(low, high, size, strict=True)]
    moved = [[a + s for a, s in zip(end, shift, strict=True)] for end in ends]
    if not any(shift) or not _fits(moved[0], moved[1], size):
        return None
    text = ",".join(f"{s:+d}" if s else "0" for s in shift)
    return (
        "the scene is built around the origin",
        f"moved everything by [{text}]",
        lambda p: [plus(c, s) for c, s in zip(p, shift, strict=True)],
    )


def _is_centered(low: float, high: float) -> bool:
    return low < 0 < high and abs(low + high) <= (high - low) / 4
