"""Whole steps in other coordinates: moved, or turned from "y runs up" to "z runs up"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from voxgen.language.mending.corners import sorted_corners
from voxgen.language.mending.values import literal

__all__ = ["Move", "shape_of_layers", "turned", "with_points"]

Step = dict[str, Any]
Point = list[Any]
Move = Callable[[Point], Point]

AXES = {"x": "x", "y": "z", "z": "y"}  # what an axis of a y-up model is called here
_RUN = re.compile(r".\*(\d{1,4})")  # "a*10" in a row of layers
_NAME = re.compile(r"[A-Za-z_]\w*")


def with_points(step: Step, move: Move) -> Step:
    """Return a step with every point moved; a formula stays where it is."""
    new = dict(step)
    for key in ("box", "pyramid", "line", "voxels"):
        if key in new:
            new[key] = [move(p) for p in new[key]]
    for key, inner in (("sphere", "center"), ("ellipsoid", "center"), ("cylinder", "base"), ("cone", "base")):
        if key in new:
            new[key] = {**new[key], inner: move(new[key][inner])}
    for key in ("roof", "terrain"):
        if key in new:
            new[key] = {**new[key], "box": [move(p) for p in new[key]["box"]]}
    if "place" in new:
        new["at"] = [move(p) for p in new["at"]]
    if "layers" in new:
        new["at"] = move(new.get("at", [0, 0, 0]))
    if "build" in new:
        new["build"] = [with_points(s, move) for s in new["build"]]
    return new


def turned(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document whose y runs up and z towards the viewer in the language's own axes.

    Its (x, y, z) is (x, D-1-z, y) here, D its depth: a turn, never a mirror image. Every step turns, formulas
    and conditions by their names, parts in their own coordinates. Words that speak of up stay: "top",
    slices from the bottom, a turn about the upright axis, a cylinder that stands.
    """
    parts = document.get("parts")
    turn = _Turn(document.get("size"), parts if isinstance(parts, Mapping) else {})
    new = {**document, "build": turn.steps(document["build"], frozenset())}
    if "size" in new:
        new["size"] = _swapped(new["size"])
    if isinstance(parts, Mapping):
        new["parts"] = {name: _part(part, parts) for name, part in parts.items()}
    if isinstance(new.get("textures"), Mapping):
        new["textures"] = {
            name: [turn.told(rule, frozenset()) for rule in rules] for name, rules in new["textures"].items()
        }
    return new


def _part(part: Any, parts: Mapping[str, Any]) -> Any:
    if not isinstance(part, Mapping):
        return part
    turn = _Turn(part.get("size"), parts)
    new = dict(part)
    if "layers" in part:
        new = turn.step(new, frozenset()) if "at" in part else new
    if "build" in part:
        new["build"] = turn.steps(part["build"], frozenset())
    if "size" in new:
        new["size"] = _swapped(new["size"])
    return new


def _swapped(size: Any) -> Any:
    return [size[0], size[2], size[1]] if isinstance(size, list) and len(size) == 3 else size


class _Turn:
    """The turn of one space: the scene's, or a part's."""

    def __init__(self, size: Any, parts: Mapping[str, Any]) -> None:
        sized = isinstance(size, list) and len(size) == 3
        self.last = _minus(size[2], 1) if sized else 0  # the last cell of its depth
        self.parts = parts

    def steps(self, steps: list[Step], counters: frozenset[str]) -> list[Step]:
        return [self.step(step, counters) for step in steps]

    def point(self, p: Point) -> Point:
        return [p[0], _minus(self.last, p[2]), p[1]]

    def step(self, step: Step, counters: frozenset[str]) -> Step:
        """Turn one step; counters are the names of the repeats around it, which are no coordinates."""
        new = self.told(with_points({k: v for k, v in step.items() if k != "build"}, self.point), counters)
        self._turn_shape(new, step)
        if "mirror" in new:
            new["mirror"] = "".join(AXES.get(axis, axis) for axis in str(new["mirror"]))
        if "area" in new:
            (x0, z0), (x1, z1) = new["area"]
            new["area"] = [[x0, _minus(self.last, z1)], [x1, _minus(self.last, z0)]]
        if "layers" in new:
            new["at"] = self._low(step.get("at", [0, 0, 0]), shape_of_layers(step)[1])
        if "place" in new:
            new["at"] = self._places(step)
        if "build" in step:
            new["build"] = self.steps(step["build"], counters | {str(step.get("as", "i"))})
        return new

    def _turn_shape(self, new: Step, step: Step) -> None:
        """Turn what is more than a point: corners, radii along the axes, the axis itself."""
        for key in ("box", "pyramid", "in"):
            if key in new:
                new[key] = self._corners(step[key])
        for key in ("roof", "terrain"):
            if key in new:
                new[key] = {**new[key], "box": self._corners(step[key]["box"])}
        for key in ("sphere", "ellipsoid"):
            if key in new:
                new[key] = {**new[key], "radius": _swapped(new[key]["radius"])}
        for key in ("cylinder", "cone"):
            if key in new:
                new[key] = _tube(new[key])
        if "roof" in new and "along" in new["roof"]:
            new["roof"] = {**new["roof"], "along": AXES.get(new["roof"]["along"], "x")}

    def told(self, step: Mapping[str, Any], counters: frozenset[str]) -> Step:
        """Return a step or a rule with its formula and its condition in the new names of the axes."""
        new = dict(step)
        for key in ("formula", "when"):
            if isinstance(new.get(key), str):
                new[key] = self._renamed(new[key], counters)
        return new

    def _renamed(self, text: str, counters: frozenset[str]) -> str:
        names = {"y": "z", "z": f"({self.last}-y)"}
        return _NAME.sub(lambda n: n[0] if n[0] in counters else names.get(n[0], n[0]), text)

    def _corners(self, pair: list[Point]) -> list[Point]:
        """Turn two corners; the near one of the depth was the far one."""
        (x0, y0, z0), (x1, y1, z1) = pair
        low, high = [x0, _minus(self.last, z1), y0], [x1, _minus(self.last, z0), y1]
        return sorted_corners([low, high])

    def _low(self, at: Point, depth: Any) -> Point:
        """Turn the low corner of something that is so many cells deep."""
        return [at[0], _minus(_minus(self.last, at[2]), _minus(depth, 1)), at[1]]

    def _places(self, step: Step) -> list[Point]:
        """Turn where copies of a part stand, by how deep each is once turned about."""
        part = self.parts.get(step["place"])
        size = part.get("size") if isinstance(part, Mapping) else None
        if not isinstance(size, list) or len(size) != 3:
            return [self.point(p) for p in step["at"]]
        turns = step.get("turn") or 0
        turns = turns if isinstance(turns, list) and turns else [turns]
        places = []
        for i, at in enumerate(step["at"]):
            depth = size[0] if (literal(turns[i % len(turns)]) or 0) % 180 else size[2]
            if step.get("anchor") == "center":
                odd = (literal(depth) or 1) % 2
                places.append([at[0], _minus(self.last, _minus(at[2], 0 if odd else 1)), at[1]])
            else:
                places.append(self._low(at, depth))
        return places


def _tube(body: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a cylinder's axis: one along the depth runs the other way here."""
    new = dict(body)
    axis = body.get("axis")
    if axis == "y":
        del new["axis"]
    elif axis == "z":
        new["axis"] = "y"
        height = literal(body["height"])
        new["height"] = f"-({body['height']})" if height is None else -height
    return new


def shape_of_layers(step: Step) -> tuple[int, int, int]:
    """Return how many cells text slices take along x, y and z of this language."""
    rows = [str(layer).split("/") for layer in step["layers"]]
    wide = max((_width(row) for layer in rows for row in layer), default=1)
    tall = max(map(len, rows), default=1)
    return (wide, len(rows), tall) if step.get("facing") == "front" else (wide, tall, len(rows))


def _width(row: str) -> int:
    return len(_RUN.sub("", row)) + sum(map(int, _RUN.findall(row)))


def _minus(a: Any, b: Any) -> Any:
    """Return a - b, as an expression where one of them is one."""
    x, y = literal(a), literal(b)
    if x is not None and y is not None:
        return x - y
    return a if y == 0 else f"({a})-({b})"
