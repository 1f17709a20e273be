"""The pieces of JSON in a reply: which is the scene, or which make one together."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from voxgen.language.brackets import STEP_KEYS
from voxgen.language.tokens import Note

__all__ = [
    "FILLED_KEYS",
    "HEAD_KEYS",
    "SCENE_KEYS",
    "Found",
    "choose",
    "continued",
    "is_row",
    "plausible",
    "score",
    "weigh",
]

# what scenes are made of, in the scene language and in others; the second kind holds the voxels
FILLED_KEYS = frozenset({
    "build", "parts", "layers", "voxels", "blocks", "boxes", "lines", "grid", "ops", "cuboids", "shapes",
    "objects", "steps", "spheres", "elements", "rows",
})  # fmt: skip
SCENE_KEYS = FILLED_KEYS | {
    "size",
    "palette",
    "functions",
    "let",
    "textures",
    "title",
    "dims",
    "dimensions",
    "bounds",
    "colors",
}
HEAD_KEYS = SCENE_KEYS | {"voxgen", "plan", "light", "view", "seed", "name", "description"}
LABEL = re.compile(
    rf"(?i)\b({'|'.join(sorted(HEAD_KEYS - {'name', 'plan', 'description'}))})\b[\"'*_`:=\s]*(?:```\w*\s*)?$"
)


@dataclass
class Found:
    """One value read from the text."""

    value: Any
    start: int
    end: int
    notes: list[Note] = field(default_factory=list)
    open: bool = False  # the text ended before it did


def plausible(value: Any) -> bool:
    """Whether a value says anything at all: not a sentence in braces."""
    if isinstance(value, dict):
        return any(item is not None for item in value.values())
    return isinstance(value, list) and (any(isinstance(item, list | dict) for item in value) or is_row(value))


def score(value: Any) -> float:
    """How much a value looks like the scene: keys of scenes first, then weight; a wrapper does not count."""
    while (
        isinstance(value, dict) and len(value) == 1 and isinstance(inner := next(iter(value.values())), dict)
    ):
        value = inner
    weight = math.log2(1 + weigh(value))
    if isinstance(value, dict):
        known = sum(key in SCENE_KEYS for key in value)
        filled = any(key in FILLED_KEYS and value[key] for key in value)
        return 10 * known + 10 * filled + min(5, len(value)) + weight
    if isinstance(value, list) and value and isinstance(value[0], list | dict):
        return 5 + weight
    return 0


def weigh(value: Any, limit: int = 5000) -> int:
    """Count the values inside, up to about a limit."""
    count, stack = 0, [value]
    while stack and count < limit:
        item = stack.pop()
        count += 1
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item[:limit])
    return count


def choose(found: list[Found], text: str, notes: list[Note]) -> Found:
    """Pick the best scene, of equal ones the last; or join the pieces of one."""
    if len(found) == 1:
        return found[0]
    pieces = f"{len(found)} separate pieces of JSON"
    joined = _joined([one.value for one in found])
    best = found[-1]
    if joined is None:
        best = max(enumerate(found), key=lambda pair: (round(score(pair[1].value)), pair[0]))[1]
        labeled = _labeled(found, text)
        joined = labeled if score(labeled) > score(best.value) else None
    if joined is not None:
        notes.append((found[0].start, pieces, "joined", "info"))
        return Found(joined, found[0].start, found[-1].end, [note for one in found for note in one.notes])
    notes.append((best.start, pieces, "this one is the best scene", "info"))
    return best


def continued(found: list[Found], text: str) -> list[Found]:
    """Give steps that follow a scene with nothing but marks between back to it: it was closed too early."""
    joined: list[Found] = []
    for one in found:
        scene = joined[-1] if joined else one
        build = scene.value.get("build") if isinstance(scene.value, dict) else None
        follows = bool(joined) and not text[scene.end : min(one.start, scene.end + 50)].strip(" \t\r\n,]}")
        if (
            follows
            and isinstance(build, list)
            and isinstance(one.value, dict)
            and STEP_KEYS & one.value.keys()
        ):
            build.append(one.value)
            scene.end = one.end
            scene.notes += [(one.start, "a step after the end of the scene", "put in", "warn"), *one.notes]
        else:
            joined.append(one)
    return joined


def _joined(values: list[Any]) -> Any:
    """Join values that make one scene only together; None if they do not."""
    if all(is_row(value) for value in values):
        return values
    if len(values) == 2 and isinstance(values[1], list) and isinstance(values[0], dict):
        values = [values[0], *values[1]]  # the head of a scene, then the list of its steps
    if not all(isinstance(value, dict) for value in values):
        return None
    if all({"x", "y", "z"} <= value.keys() for value in values):
        return values
    if all("value" in value and value.keys() & {"path", "type", "key"} for value in values[1:]):
        return values  # a scene piece by piece, or patches to it
    steps = [value for value in values if _is_step(value)]
    heads = [value for value in values if not _is_step(value)]
    keys = [key for head in heads for key in head]
    if len(set(keys)) < len(keys) or not HEAD_KEYS.issuperset(keys):
        return None
    scene = {key: head[key] for head in heads for key in head}
    if not steps:
        return scene
    return {**scene, "build": steps} if len(steps) > 1 and not scene.get("build") else None


def _is_step(value: dict[str, Any]) -> bool:
    return bool(STEP_KEYS & value.keys()) and not {"palette", "size"} & value.keys()


def _labeled(found: list[Found], text: str) -> dict[str, Any]:
    """Join pieces by the words before them: a heading `palette`, `size = `, `"build":`."""
    scene: dict[str, Any] = {}
    for one in found:
        label = LABEL.search(text, max(0, one.start - 60), one.start)
        if isinstance(one.value, dict) and HEAD_KEYS.issuperset(one.value):
            scene.update(one.value)
        elif label:
            scene[label[1].lower()] = one.value
    return scene


def is_row(value: Any) -> bool:
    """Whether this is one voxel: [x, y, z], or these and its color."""
    return (
        isinstance(value, list) and 3 <= len(value) <= 7 and all(type(n) in (int, float) for n in value[:3])
    )
