"""What an edit changes: a change as a model writes it → the next document, back again, and as lines to read.

A change is a document of which only what changes is there: the names of palette, parts, let, functions and
textures with their new values, null for what goes, and under "build" the steps by their numbers ("12", "3-5"
for several, "+12" for after it), each with a step, a list of steps or null; "add" has steps for the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from voxgen.errors import ReplyError
from voxgen.language.mending.unwrapping import DOCUMENT_WORDS
from voxgen.language.palette import fold

__all__ = ["apply", "described", "difference", "numbered", "unwrapped"]

Document = dict[str, Any]
PLAIN = ("title", "plan", "size", "light", "view", "seed")
MAPS = ("palette", "let", "functions", "textures", "parts")
_WORDS = {
    "replace": "build", "change": "build", "changed": "build", "update": "build",
    "remove": "remove", "delete": "remove", "removed": "remove",
    "add": "add", "append": "add", "added": "add", "insert": "build",
}  # fmt: skip
_NUMBER = re.compile(r"\D*?(\+|after\s*)?(\d{1,7})\]?(?:\s*(?:-|–|to|\.\.)\s*(\d{1,7}))?\s*")
_WIDE = 90  # characters of a line of the diff


def numbered(document: Mapping[str, Any]) -> str:
    """Return a document as text, a line for each palette, part and step, the steps with their numbers."""
    lines = []
    for key, value in document.items():
        if key in ("origin", "picture"):
            continue
        if key == "build":
            steps = ",\n".join(f"/* {i} */ {_line(step)}" for i, step in enumerate(value))
            lines.append(f'"build": [\n{steps}\n]')
        elif key in ("parts", "textures") and isinstance(value, Mapping):
            named = ",\n".join(f"{_line(name)}: {_line(body)}" for name, body in value.items())
            lines.append(f'"{key}": {{\n{named}\n}}')
        else:
            lines.append(f"{_line(key)}: {_line(value)}")
    return "{" + ",\n".join(lines) + "}"


def unwrapped(value: Any) -> dict[str, Any]:
    """Return a change in its own words, out of whatever a reply put it in; raises ReplyError."""
    for _ in range(4):
        if isinstance(value, list):
            value = {"add": value} if all(isinstance(v, Mapping) for v in value) else None
        if not isinstance(value, Mapping):
            raise ReplyError("the reply is no change of a scene", "ask again")
        inner = [v for v in value.values() if isinstance(v, (Mapping, list))]
        if any(_word(str(key)) for key in value) or len(inner) != 1:
            break
        value = inner[0]
    change: dict[str, Any] = {}
    for key, entry in value.items():
        word = _word(str(key)) or str(key).replace("document", "")
        if word == "remove":
            numbers = entry if isinstance(entry, list) else [entry]
            change.setdefault("build", {}).update({str(n): None for n in numbers})
        elif isinstance(entry, Mapping) and isinstance(change.get(word), dict):
            change[word].update(entry)
        else:
            change[word] = dict(entry) if isinstance(entry, Mapping) else entry
    return change


def _word(key: str) -> str:
    """Return which word of a change a key means, "" for none."""
    known = (*PLAIN, *MAPS, "build", "add")
    return key if key in known else _WORDS.get(key.lower()) or DOCUMENT_WORDS.get(fold(key), "")


def apply(document: Document, change: Mapping[str, Any]) -> tuple[Document, list[str]]:
    """Return the changed document, and what of the change could not be used; the given one stays as it is.

    A change whose "build" is a list is a whole document if it says its size too, laid over the given one;
    else these are steps to add. {"document": …} replaces all of it.
    """
    if isinstance(change.get("document"), Mapping):
        return dict(change["document"]), []
    after, wrong = dict(document), []
    for key in PLAIN:
        if key in change:
            _set(after, key, change[key])
    for key in MAPS:
        if isinstance(change.get(key), Mapping):
            after[key] = dict(document.get(key) or {})
            for name, value in change[key].items():
                if value is None and name not in after[key]:
                    wrong.append(f"there is no {name!r} in {key} to remove")
                _set(after[key], name, value)
    build, added = change.get("build"), _steps(change.get("add"))
    if isinstance(build, list) and ("size" in change or not document.get("build")):
        return {**document, **change}, []
    if isinstance(build, list):
        build, added = {}, [*build, *added]
    if build or added:
        steps = list(document.get("build") or [])
        after["build"] = [*_rebuilt(steps, build if isinstance(build, Mapping) else {}, wrong), *added]
    return after, wrong


def _set(table: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _steps(value: Any) -> list[Any]:
    """Return the steps that stand for one: itself, a list of them, none for null."""
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def _rebuilt(steps: list[Any], changed: Mapping[str, Any], wrong: list[str]) -> list[Any]:
    """Return the steps with those changed, removed or put in that have a number in `changed`."""
    instead: dict[int, list[Any]] = {}
    after: dict[int, list[Any]] = {}
    for key, value in changed.items():
        found = _NUMBER.fullmatch(str(key))
        first, last = (int(found[2]), int(found[3] or found[2])) if found else (-1, -1)
        if not found or last < first or last >= len(steps):
            wrong.append(f"there is no step {str(key)[:40]!r}, they go from 0 to {len(steps) - 1}")
            continue
        if found[1]:
            after.setdefault(first, []).extend(_steps(value))
        else:
            instead |= {number: [] for number in range(first, last + 1)}
            instead[first] = _steps(value)
    rebuilt: list[Any] = []
    for number, step in enumerate(steps):
        rebuilt += [*instead.get(number, [step]), *after.get(number, [])]
    return rebuilt


def difference(before: Document, after: Document) -> dict[str, Any]:
    """Return the change that makes `after` of `before`, key for key and in its order.

    >>> apply({"build": [1, 2]}, difference({"build": [1, 2]}, {"build": [1, 3, 4]}))[0]
    {'build': [1, 3, 4]}
    """
    change: dict[str, Any] = {key: after.get(key) for key in PLAIN if before.get(key) != after.get(key)}
    for key in MAPS:
        old, new = before.get(key) or {}, after.get(key) or {}
        if old != new:
            change[key] = {n: new.get(n) for n in {**old, **new} if old.get(n) != new.get(n)}
    if before.get("build") != after.get("build"):
        change |= _stepwise(before.get("build") or [], after.get("build") or [])
    if json.dumps(apply(before, change)[0]) != json.dumps(after):  # the order of names, or keys of its own
        return {"document": after}
    return change


def _stepwise(before: list[Any], after: list[Any]) -> dict[str, Any]:
    """Return {"build": …, "add": …} between two lists of steps."""
    build: dict[str, Any] = {}
    added: list[Any] = []
    old, new = [json.dumps(step) for step in before], [json.dumps(step) for step in after]
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "insert" and i == len(before):
            added = after[k:m]
        elif kind == "insert" and i == 0:
            build["0"] = [*after[k:m], before[0]]
        elif kind == "insert":
            build[f"+{i - 1}"] = after[k:m]
        elif kind != "equal":
            pairs = list(zip(range(i, j), range(k, m), strict=False))
            build |= {str(number): after[place] for number, place in pairs}
            build |= {str(number): None for number in range(i + len(pairs), j)}
            if rest := after[k + len(pairs) : m]:
                build[str(j - 1)] = [after[k + len(pairs) - 1], *rest]
    return ({"build": build} if build else {}) | ({"add": added} if added else {})


def described(before: Document, after: Document) -> list[str]:
    """Return what differs between two documents, a line for each kind of thing; [] if nothing does."""
    lines = []
    for key in PLAIN:
        old, new = before.get(key), after.get(key)
        if old != new:
            lines.append(key if key == "plan" else f"{key}: {_short(old)} → {_short(new)}")
    for key in MAPS:
        old, new = before.get(key) or {}, after.get(key) or {}
        names = [
            *(f"+{n}" for n in new if n not in old),
            *(f"−{n}" for n in old if n not in new),
            *(_renewed(n, old[n], new[n]) for n in new if n in old and old[n] != new[n]),
        ]
        if names:
            lines.append(f"{key}: {_listed(names)}")
    old, new = ([json.dumps(step) for step in document.get("build") or []] for document in (before, after))
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    if changes := list(_counted(codes, after.get("build") or [])):
        lines.append(f"steps: {', '.join(changes)}")
    return lines


def _counted(codes: Sequence[tuple[str, int, int, int, int]], steps: list[Any]) -> Iterator[str]:
    """Say how many steps changed, came and went, with the numbers they had and what those are that came."""
    changed: list[int] = []
    gone: list[int] = []
    came: list[str] = []
    for kind, i, j, k, m in codes:
        if kind != "equal":
            both = min(j - i, m - k)
            changed += range(i, i + both)
            gone += range(i + both, j)
            came += [_name(step) for step in steps[k + both : m]]
    for word, numbers in (("changed", changed), ("removed", gone)):
        if numbers:
            yield f"{len(numbers)} {word} ({_listed(list(_ranges(numbers)))})"
    if came:
        yield f"{len(came)} added ({_listed(list(dict.fromkeys(came)))})"


def _ranges(numbers: list[int]) -> Iterator[str]:
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        first, *rest = (number for _, number in run)
        yield f"{first}–{rest[-1]}" if rest else str(first)


def _name(step: Any) -> str:
    """Name a step for a person: its note, what it places, or its kind."""
    if not isinstance(step, Mapping):
        return "?"
    for key in ("note", "place"):
        if isinstance(step.get(key), str):
            return str(step[key])[:40]
    if isinstance(step.get("scatter"), list):
        return " ".join(map(str, step["scatter"]))[:40]
    return str(next(iter(step), "?"))


def _renewed(name: str, old: Any, new: Any) -> str:
    plain = isinstance(old, str) and isinstance(new, str)
    return f"{name} {old} → {new}" if plain and len(old) + len(new) < 40 else name


def _listed(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "none" if value is None else _line(value)
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
