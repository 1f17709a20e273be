"""settle(): what only the whole document shows: parts that place themselves, other coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from voxgen.language.mending.values import Notes, is_pair, literal

__all__ = ["settle"]

Step = dict[str, Any]
Point = list[Any]
Move = Callable[[Point], Point]

_FIXED = frozenset({"formula", "terrain", "repeat", "scatter", "mirror", "roof", "cone", "cylinder"})


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
    """Turn or shift a scene that then fits its size, and did not before.

    Only where every coordinate is a plain number in a step without a direction of its own, so that the
    whole scene moves as one; a scene that already touches its size is left alone.
    """
    size = [literal(v) for v in document["size"]] if isinstance(document.get("size"), list) else []
    if len(size) != 3 or any(v is None for v in size) or document.get("functions") or document.get("let"):
        return
    sides = [v for v in size if v is not None]
    steps = document["build"]
    ends = _extent(steps)
    if ends is None:
        if _up(document) == "y":
            notes.add("$.up", '"y" cannot be followed by every step here', "kept z up")
        return
    if _up(document) == "y":
        deep = max(int(sides[2]), 1) - 1
        document["build"] = [_moved(step, lambda p: [p[0], deep - p[2], p[1]], True) for step in steps]
        document["size"] = [document["size"][0], document["size"][2], document["size"][1]]
        document["up"] = "z"
        notes.add("$.up", "y runs up", "turned the scene so that z does", "info")
        return
    found = _turned(ends, sides) or _shifted(ends, sides)
    if found:
        problem, fix, move = found
        document["build"] = [_moved(step, move, fix.startswith("swapped")) for step in steps]
        notes.add("$.build", problem, fix, "warn")


def _up(document: Mapping[str, Any]) -> str:
    """Return the axis a document declares as up, "z" where it says nothing."""
    said = next((document[k] for k in ("up", "upAxis", "up_axis") if isinstance(document.get(k), str)), "z")
    return "y" if said.lower().strip("+") == "y" else "z"


def _extent(steps: list[Step]) -> tuple[list[float], list[float]] | None:
    """Return the low and high corner of everything, None where that is not known from plain numbers."""
    places: list[list[float]] = []
    for step in steps:
        if _FIXED & set(step) or "when" in step:
            return None
        found = _places(step)
        if found is None or len(places) > 2_000_000:
            return None
        places += found
    if not places:
        return None
    return [min(axis) for axis in zip(*places, strict=True)], [
        max(axis) for axis in zip(*places, strict=True)
    ]


def _places(step: Step) -> list[list[float]] | None:
    """Return the outermost points of a step."""
    points: list[Any] = []
    for key in ("box", "pyramid", "line", "voxels"):
        points += step.get(key, [])
    if "place" in step or "layers" in step:
        return None
    ball = step.get("sphere", step.get("ellipsoid"))
    if ball:
        center, radius = ball["center"], ball["radius"]
        radii = radius if isinstance(radius, list) else [radius] * 3
        points += [[_sum(c, r, sign) for c, r in zip(center, radii, strict=True)] for sign in (-1, 1)]
    plain = [[v for v in p if isinstance(v, (int, float))] for p in points]
    return plain if all(len(p) == 3 for p in plain) else None


def _sum(center: Any, radius: Any, sign: int) -> Any:
    c, r = literal(center), literal(radius)
    return None if c is None or r is None else c + sign * r


def _fits(low: list[float], high: list[float], size: list[float]) -> bool:
    return all(a >= 0 and b <= s - 1 for a, b, s in zip(low, high, size, strict=True))


def _turned(ends: tuple[list[float], list[float]], size: list[float]) -> tuple[str, str, Move] | None:
    """Read a scene whose y runs up, where exactly that makes it fit."""
    low, high = ends
    x, z, y = 0, 1, 2  # where a y-up model keeps our axes
    swapped = [low[x], low[y], low[z]], [high[x], high[y], high[z]]
    if _fits(low, high, size) or size[1] == size[2] or not _fits(*swapped, size):
        return None
    deep = size[1] - 1
    return (
        f"cells reach y = {high[1]:g} and z = {high[2]:g} in a scene of {size[1]:g} × {size[2]:g}",
        "swapped y and z",
        lambda p: [p[0], deep - p[2], p[1]],
    )


def _shifted(ends: tuple[list[float], list[float]], size: list[float]) -> tuple[str, str, Move] | None:
    """Read a scene counted from 1, or built around the origin, where exactly that makes it fit."""
    low, high = ends
    if all(a == 1 and b == s for a, b, s in zip(low, high, size, strict=True)):
        return "cells are counted from 1", "moved everything by -1", lambda p: [c - 1 for c in p]
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
        lambda p: [c + s for c, s in zip(p, shift, strict=True)],
    )


def _is_centered(low: float, high: float) -> bool:
    return low < 0 < high and abs(low + high) <= (high - low) / 4


def _moved(step: Step, move: Move, turned: bool) -> Step:
    new = dict(step)
    for key in ("box", "pyramid", "line", "voxels"):
        if key in new:
            new[key] = [move(p) for p in new[key]]
            if key == "box" and is_pair(new[key]):
                new[key] = [
                    [min(c) for c in zip(*new[key], strict=True)],
                    [max(c) for c in zip(*new[key], strict=True)],
                ]
    for key in ("sphere", "ellipsoid"):
        if key in new:
            ball = {**new[key], "center": move(new[key]["center"])}
            if turned and isinstance(ball["radius"], list):
                ball["radius"] = [ball["radius"][0], ball["radius"][2], ball["radius"][1]]
            new[key] = ball
    return new
