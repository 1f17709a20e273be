"""The value in the mended tokens of a reply, with everything kept that was finished."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

from voxgen.language.brackets import IN_PART, STEP_KEYS, TOP
from voxgen.language.tokens import LEFT_OUT, MAX_DEPTH, MAX_REPEAT, ONLY_DOTS, Token, counted, short, work_out
from voxgen.scene import Level

__all__ = ["Builder", "rehoused"]

PROSE_KEYS = frozenset(["title", "name", "plan", "description"])  # half a sentence is better than none
IN_STEP = STEP_KEYS | TOP
LOOP = re.compile(r"\s*for (\w+) in (range\([-\d, ]+\)|\([-\d, ]+\))")
NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass
class _Open:
    """A container being built, and the key a value is waited for."""

    value: Any
    key: str | None = None
    rows: bool = True  # a list of texts only


class Builder:
    """Puts the building steps of the mender together; `left` says what the end of the text left open."""

    def __init__(self, note: Callable[[int, str, str, Level], None]) -> None:
        self.note = note
        self.stack: list[_Open] = [_Open([])]
        self.left = ""

    def build(self, steps: list[tuple[str, Token]], cut: str | None) -> Any:
        """Return the value; cut is the beginning of a text that the end of the reply cut off."""
        for what, token in steps:
            top = self.stack[-1]
            if what in "{[":
                self.stack.append(_Open({} if what == "{" else []))
            elif what == "<":
                self._put(self._repeated(self.stack.pop().value, token), token)
            elif what == "k":
                top.key = token.value if isinstance(token.value, str) else json.dumps(token.value)
            elif what == "r":
                self._put_run(top, token)
            else:
                self._put(token.value, token, bare=what == "w", text=token.kind in "sw")
        self._finish(cut)
        root = self.stack[0].value
        return root[0] if root else None

    def _put_run(self, top: _Open, token: Token) -> None:
        """Add many items, or pairs, at once."""
        if isinstance(top.value, list):
            top.rows = top.rows and all(isinstance(item, str) for item in token.value)
            top.value.extend(token.value)
            return
        for key, value in token.value:
            top.value[key] = self._merge(key, top.value[key], value, token) if key in top.value else value

    def _repeated(self, done: Any, closer: Token) -> Any:
        """Repeat a list as often as its closing bracket says: [0] * 9."""
        times = int(closer.value)
        if times == 1 or not isinstance(done, list) or len(done) * times > MAX_REPEAT:
            return done
        self.note(closer.start, f"a list times {times}", f"repeated {times} times", "info")
        return done * times

    def _put(self, value: Any, token: Token, bare: bool = False, text: bool = False) -> None:
        """Add a value to the innermost container; bare: words without quotes."""
        top = self.stack[-1]
        if isinstance(top.value, dict):
            self._put_key(top, value, token, text)
            return
        looped = _looped(top.value[-1], value) if bare and top.value else None
        if looped is not None:
            self.note(token.start, f"a Python loop: {short(value)}", "worked out", "warn")
            top.value[-1:] = looped
        elif (
            text and top.value and isinstance(top.value[0], list | dict) and (bare or ONLY_DOTS.match(value))
        ):
            left_out = ONLY_DOTS.match(value) or LEFT_OUT.search(value)
            problem = "the model left something out" if left_out else "stray words"
            self.note(token.start, f"{problem}: {short(value)}", "ignored", "loss")
        else:
            top.rows = top.rows and text
            top.value.append(value)

    def _put_key(self, top: _Open, value: Any, token: Token, text: bool) -> None:
        key, top.key = top.key, None
        if key is None:
            return
        if text and ONLY_DOTS.match(key) and ONLY_DOTS.match(value):
            self.note(token.start, "the model left something out", "nothing was added", "loss")
            return
        inside = len(self.stack) > 2 and isinstance(self.stack[-2].value, list)  # of a list, not the whole
        if key in STEP_KEYS and key in top.value and inside:
            self.note(
                token.start, f"a second {short(json.dumps(key))} in one step", "began a new step", "warn"
            )
            self.stack[-2].value.append(top.value)
            top.value = {}
        if key in top.value:
            value = self._merge(key, top.value[key], value, token)
        top.value[key] = value

    def _merge(self, key: str, old: Any, new: Any, token: Token) -> Any:
        """Join what one key is given twice: lists and objects together, of anything else the last."""
        problem = f"{short(json.dumps(key))} is there twice"
        if isinstance(old, list) and isinstance(new, list):
            self.note(token.start, problem, "the lists are joined", "warn")
            old.extend(new)
            return old
        if isinstance(old, dict) and isinstance(new, dict):
            self.note(token.start, problem, "merged", "warn")
            old.update(new)
            return old
        self.note(token.start, problem, "the last one counts", "warn" if old == new else "loss")
        return new

    def _finish(self, cut: str | None) -> None:
        """Close what the end of the text left open: finished items stay, an unfinished last one goes."""
        if (scene := self._restarted()) is not None:
            self.stack = [_Open([scene])]
            self.left = "an unfinished scene, then another"
            return
        top = self.stack[-1]
        count = len(self.stack) - 1
        if count:
            self.left = f"the text ends with {count} bracket{'s' if count > 1 else ''} open"
        whole = cut is None and top.key is None
        if cut is not None and isinstance(top.value, list) and top.rows and top.value:
            top.value.append(cut)  # a row of a layer
        elif cut is not None and top.key in PROSE_KEYS:
            top.value[top.key] = cut
        while len(self.stack) > 1:
            self._close(self.stack.pop().value, whole)
            whole = False

    def _restarted(self) -> dict[str, Any] | None:
        """Find a whole scene inside the unfinished one: the model started over."""
        root = self.stack[1].value if len(self.stack) > 2 else None
        if not isinstance(root, dict):
            return None
        inner = [item for one in self.stack[2:] if isinstance(one.value, list) for item in one.value[-2:]]
        inner += [one.value for one in self.stack[2:]]
        whole = [
            v
            for v in inner
            if isinstance(v, dict) and "build" in v and {"size", "palette"} <= v.keys() & root.keys()
        ]
        return whole[-1] if whole else None

    def _close(self, value: Any, whole: bool) -> None:
        """Put an unfinished container where it belongs; whole: it lacks nothing but its bracket."""
        up = self.stack[-1]
        if isinstance(up.value, list):
            before = up.value[-1] if up.value else None
            if len(self.stack) == 1 or (whole and _alike(value, before)) or _worth_keeping(value, before):
                up.value.append(value)
        elif up.key is not None:
            old = up.value.get(up.key)
            among_parts = len(self.stack) > 1 and self.stack[-2].key == "parts"
            if isinstance(old, list) and isinstance(value, list):
                old.extend(value)
            elif isinstance(old, dict) and isinstance(value, dict):
                old.update(value)
            elif among_parts and isinstance(value, dict) and not _worth_keeping(value, None):
                pass  # a part without a finished step
            elif value or len(self.stack) == 2:
                up.value[up.key] = value
        up.key = None


def _alike(value: Any, before: Any) -> bool:
    """Whether an item that only lacks its closing bracket is as complete as the one before it."""
    if isinstance(value, dict) and isinstance(before, dict):
        return set(before) <= set(value)
    return isinstance(value, list) and isinstance(before, list) and len(value) >= len(before) > 0


def _worth_keeping(value: Any, before: Any) -> bool:
    """Whether an unfinished item holds finished ones: steps, rows, or a first scene in a list."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], list | dict | str)
    cells = value.get("voxels")
    if (
        isinstance(cells, list)
        and cells
        and isinstance(cells[0], list)
        and ("of" in value or len(cells[0]) > 3)
    ):
        return True  # a step of single cells, those that are finished
    scene = before is None and bool({"size", "palette"} & value.keys())
    for key, inner in value.items():
        if isinstance(inner, list) and inner:
            rows = key in ("layers", "rows") and isinstance(inner[0], str)
            if rows or isinstance(inner[0], dict) or (scene and key != "size" and isinstance(inner[0], list)):
                return True
    return False


def _looped(item: Any, words: str) -> list[Any] | None:
    """Work out `item for x in range(…)`: plain counting loops over at most MAX_REPEAT items.

    >>> _looped(["x", 0, "x+1", "moss"], "for x in range(2)")
    [[0, 0, 1, 'moss'], [1, 0, 2, 'moss']]
    """
    loops = LOOP.findall(words)
    ranges = [counts for _, span in loops if (counts := counted(span)) is not None]
    if not loops or len(ranges) < len(loops) or LOOP.sub("", words).strip():
        return None
    if math.prod(map(len, ranges)) > MAX_REPEAT:
        return None
    names = [name for name, _ in loops]
    return [_filled_in(item, dict(zip(names, counts, strict=True))) for counts in product(*ranges)]


def _filled_in(item: Any, names: dict[str, int]) -> Any:
    """Put numbers for names wherever that gives a number."""
    if isinstance(item, list):
        return [_filled_in(one, names) for one in item]
    if isinstance(item, dict):
        return {key: _filled_in(one, names) for key, one in item.items()}
    if not isinstance(item, str) or not NAME.search(item):
        return item
    value = work_out(NAME.sub(lambda name: f"({names[name[0]]})" if name[0] in names else name[0], item))
    return item if value is None else value


def rehoused(scene: dict[str, Any]) -> list[str]:
    """Move what a missing or an extra bracket put on the wrong floor; return the keys that moved.

    Keys of the scene are taken out of its palette, functions and parts; parts out of parts, out of steps
    and out of the scene.
    """
    moved: list[str] = []
    for _ in range(MAX_DEPTH):
        strays = [(home, key) for home, own in _homes(scene) for key in _strays(home, own, scene)]
        if not strays:
            break
        for home, key in strays:
            if key in home:
                moved.append(key)
                _settle(scene, key, home.pop(key))
        for part in _built(scene):
            part["build"] = [step for step in part["build"] if step != {}]
    return moved


def _homes(scene: dict[str, Any]) -> list[tuple[dict[str, Any], frozenset[str]]]:
    """List the objects that may hold strays, each with the keys that are its own."""
    parts = scene.get("parts")
    homes: list[tuple[Any, frozenset[str]]] = [(scene, TOP), (parts, frozenset())]
    homes += [(scene.get(key), frozenset()) for key in ("palette", "functions", "textures", "let")]
    if isinstance(parts, dict):
        homes += [(part, IN_PART) for part in parts.values() if _is_part(part)]
    homes += [(step, IN_STEP) for part in _built(scene) for step in part["build"]]
    return [(home, own) for home, own in homes if isinstance(home, dict)]


def _built(scene: dict[str, Any]) -> list[dict[str, Any]]:
    """List the scene and its parts, those with a list of steps."""
    parts = scene.get("parts")
    all_parts = [scene, *parts.values()] if isinstance(parts, dict) else [scene]
    return [part for part in all_parts if isinstance(part, dict) and isinstance(part.get("build"), list)]


def _strays(home: dict[str, Any], own: frozenset[str], scene: dict[str, Any]) -> list[str]:
    """List the keys of home that belong to the scene or among its parts."""
    strays = []
    for key, value in home.items():
        if key in own:
            continue
        if key in TOP:
            of_scene = (
                isinstance(value, list)
                if key == "build"
                else isinstance(value, dict) and "color" not in value
            )
            strays += [key] * of_scene
        elif _is_part(value) and home is not scene.get("parts"):
            strays.append(key)
    return strays


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and "size" in value and ("build" in value or "layers" in value)


def _settle(scene: dict[str, Any], key: str, value: Any) -> None:
    """Put a value where it belongs: a key of the scene at the top, a part among the parts."""
    home = scene if key in TOP else scene.setdefault("parts", {})
    if isinstance(home, dict):
        old = home.get(key)
        if isinstance(old, list) and isinstance(value, list):
            value = old + value
        elif isinstance(old, dict) and isinstance(value, dict):
            value = old | value
        home[key] = value
