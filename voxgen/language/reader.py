"""read(): any text a model or a person may have → Scene: decode, recognise, build."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from voxgen.errors import ReplyError
from voxgen.language import foreign
from voxgen.language.builder import build
from voxgen.language.document import mend
from voxgen.language.limits import Limits
from voxgen.language.reply import parse, uncollected
from voxgen.scene import Repair, Scene

STEP = re.compile(r"\$(?:\.parts\.[^.]+)?(?:\.build\[\d+\])+")  # the path of a step
UNDRAWN = ("skipped the step", "stopped the step there")
FORMAT = "format"  # the key of Scene.origin that names a foreign format


def read(text: str | bytes, *, limits: Limits | None = None, title: str = "") -> Scene:
    """Read a reply, a saved scene or a foreign build, however broken, into a Scene.

    `Scene.repairs` says what was mended, `Scene.origin` where a saved scene says it came from, and under
    "format" whose format it was if not our own. `title` is used where the text names none.
    Raises ReplyError when nothing in it can be drawn.
    """
    with uncollected():
        return _titled(_read(text, limits, title), title)


def _read(text: str | bytes, limits: Limits | None, title: str) -> Scene:
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", "replace")
    found = foreign.recognise_text(text)
    repairs: list[Repair] = []
    value: Any = None
    if found is None:
        value, repairs = parse(text)
        found = foreign.recognise(value)
    if found is None:
        return _own(value, repairs, limits)
    origin = {FORMAT: found.name}
    if found.grid is not None:
        if not found.grid.voxels:
            raise ReplyError(f"the {found.name} holds no voxel", "is the file complete?")
        return Scene(title or "Untitled", found.grid, repairs=(*repairs, *found.repairs), origin=origin)
    assert found.document is not None
    return build(found.document, [*repairs, *found.repairs], limits, origin)


def _own(value: Any, repairs: list[Repair], limits: Limits | None) -> Scene:
    origin = value.get("origin") if isinstance(value, Mapping) else None
    return build(value, repairs, limits, origin if isinstance(origin, Mapping) else None)


def _titled(scene: Scene, title: str) -> Scene:
    return scene.but(title=title) if title and scene.title == "Untitled" else scene


def lost_steps(scene: Scene) -> tuple[int, int]:
    """Return how many steps of a scene's document could not be drawn, and how many it has, parts included.

    A step counts once, whatever was wrong with it; steps in a repeat count once each. (0, 0) for a build in
    another format.
    """
    if not scene.document:
        return 0, 0
    mended, notes = mend(scene.document)
    parts = mended.get("parts")
    homes = [mended, *(parts.values() if isinstance(parts, Mapping) else [])]
    kept = sum(_count(home.get("build")) for home in homes if isinstance(home, Mapping))
    unread = {r.path for r in notes if r.level == "loss" and STEP.fullmatch(r.path)}
    undrawn = {r.path for r in scene.repairs if r.fix in UNDRAWN}
    return len(unread) + len(undrawn), kept + len(unread)


def _count(steps: Any) -> int:
    """Count steps and the steps in them."""
    return sum(1 + _count(step.get("build")) for step in steps) if isinstance(steps, list) else 0
