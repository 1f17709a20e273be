"""Which value in a reply is the document, under which keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from voxgen.errors import ReplyError
from voxgen.language.mending.values import Notes, show
from voxgen.language.mending.words import BUILD_WORDS, STEPS, looks_like_step, table
from voxgen.language.palette import fold, nearest

__all__ = ["DOCUMENT_WORDS", "KNOWN", "holds_steps", "is_program", "named", "unwrapped"]

_MAX_WRAPPERS = 8
_MAX_PIECES = 1000  # of one document, or drafts of it
DOCUMENT_WORDS = table("""
    voxgen:
    title: name scenename
    plan: description reasoning thoughts concept planning
    size: dimensions dims gridsize bounds extent resolution
    light: lighting lights sun timeofday
    view: camera viewpoint
    palette: materials material colors colours colormap legend
    let: constants vars variables define defs
    functions: funcs function
    textures: texture patterns
    parts: components prefabs templates modules part
    build: steps objects commands operations ops instructions elements shapes primitives actions
    build: structure geometry blocks
    seed: randomseed
    sky: background skycolor backgroundcolor
""")

_WRAPPERS = (
    "scene", "document", "voxelscene", "voxgenscene", "result", "output", "response", "answer", "arguments",
    "input", "parameters", "args", "function", "toolcalls", "tooluse", "content", "message", "choices",
    "json", "data", "text", "payload", "world", "model", "value", "body", "root", "build",
)  # fmt: skip

KNOWN = frozenset({
    "voxgen", "title", "plan", "size", "light", "view", "palette", "let", "functions", "textures", "parts",
    "build", "seed", "origin",
})  # fmt: skip

_LONG_WORDS = ("build", "palette", "parts", "textures", "functions")

_PATCH_KEYS = ("path", "key", "type", "kind")
_TELLING = ("build", "parts", "palette", "size", "voxgen", "textures", "functions")  # what only scenes have


def unwrapped(value: Any, notes: Notes) -> dict[str, Any]:
    """Take a document out of whatever it came in; raises ReplyError where there is none."""
    for _ in range(_MAX_WRAPPERS):
        if isinstance(value, str):
            value = _decoded(value)
        if isinstance(value, (list, tuple)):
            value = _of_list(list(value), notes)
        if not isinstance(value, Mapping):
            raise ReplyError(f"the reply is {show(value)}, not a scene", "ask again for one JSON object")
        _refuse(value)
        inner = _inner(value)
        if inner is None:
            return {str(k): v for k, v in value.items()}
        key, value = inner
        notes.add("$", f"the scene is wrapped in {show(key)}", "unwrapped it", "info")
    raise ReplyError("there is no scene in the reply, only wrappers around each other", "ask again")


def _decoded(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        raise ReplyError(f"the reply is text, not a scene: {show(text)}", "ask again for one JSON object")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ReplyError(
            "the scene is a string that cannot be decoded", "ask again for one JSON object"
        ) from None


def _of_list(values: list[Any], notes: Notes) -> Any:
    """Read a list as pieces of one document, as drafts of which the last counts, as patches or as steps."""
    if _is_patch(values[-1] if values else None):
        notes.add("$", f"the scene comes in {len(values):,} patches", "put them together", "info")
        return _patched(values)
    if len(values) > 1 and all(map(_is_pair, values)):
        notes.add("$", "is a list of keys and values", "put them together", "info")
        return dict(values)
    if len(values) == 1 and isinstance(values[0], Mapping) and _inner(values[0]) is not None:
        return values[0]  # a list of one tool call
    documents = [v for v in values[:_MAX_PIECES] if isinstance(v, Mapping) and _knows(v)]
    steps = [v for v in values[:50] if looks_like_step(v)]
    if documents and len(documents) == len(values) and len(steps) < len(documents):
        if len(values) == 1:
            notes.add("$", "the scene is in a list", "unwrapped it", "info")
            return values[0]
        keys = [k for d in documents for k in d]
        if len(keys) == len(set(keys)):
            notes.add("$", f"the scene comes in {len(values)} pieces", "joined them", "info")
            return {k: v for d in documents for k, v in d.items()}
        notes.add("$", f"there are {len(values)} scenes", "took the last")
        return next((d for d in reversed(documents) if "build" in d), documents[-1])
    if steps and len(steps) * 2 >= len(values[:50]):
        notes.add("$", "is a list of steps without a document around it", "built them", "info")
        return {"build": values}
    raise ReplyError(f"there is no scene in {show(values)}", "ask again for one JSON object")


def _is_pair(value: Any) -> bool:
    """Say whether a value is ["palette", {…}]."""
    return isinstance(value, list) and len(value) == 2 and str(value[0]) in KNOWN


def _is_patch(value: Any) -> bool:
    """Say whether a value is {"path": "/build/-", "value": …} or {"type": "palette", "value": …}."""
    return (
        isinstance(value, Mapping)
        and "value" in value
        and any(isinstance(value.get(k), str) for k in _PATCH_KEYS)
        and not isinstance(value["value"], (int, float))
    )


def _patched(values: list[Any]) -> dict[str, Any]:
    """Put a document together from patches, as in RFC 6902 ("add" and "replace" only), and its beginning."""
    document: dict[str, Any] = {}
    for value in values:
        if not _is_patch(value):
            if isinstance(value, Mapping):
                document.update({str(k): v for k, v in value.items()})
            continue
        path = next(str(value[k]) for k in _PATCH_KEYS if isinstance(value.get(k), str))
        keys = [k for k in path.strip("/$.").replace(".", "/").split("/") if k]
        word = DOCUMENT_WORDS.get(fold(keys[0]), keys[0]) if keys else ""
        one = value["value"]
        if word in ("step", "op", "build") and not (isinstance(one, list) and len(keys) < 2):
            word, one = "build", [one]
        if len(keys) > 1 and word != "build":
            one = {keys[1]: one}
        old = document.get(word)
        if isinstance(old, list) and isinstance(one, list):
            one = old + one
        elif isinstance(old, Mapping) and isinstance(one, Mapping):
            one = {**old, **one}
        document[word] = one
    return document


def _knows(value: Mapping[Any, Any]) -> bool:
    return any(
        DOCUMENT_WORDS.get(fold(str(k))) in _TELLING or _is_misspelt(str(k), v, {})
        for k, v in islice(value.items(), 200)
    )


def _refuse(value: Mapping[Any, Any]) -> None:
    """Raise ReplyError for what is certainly no scene: a JSON schema, a program."""
    keys = {str(k) for k in list(value)[:200]}
    built = any(isinstance(value.get(k), list) for k in ("build", "steps", "blocks", "voxels", "layers"))
    if built:
        return
    if "$schema" in keys or (value.get("type") == "object" and isinstance(value.get("properties"), Mapping)):
        raise ReplyError("the reply is a JSON schema, not a scene", "ask again, or use another model")
    if is_program(value):
        raise ReplyError(
            "the reply is a program, not a scene; voxgen runs no code", "ask for the scene as data"
        )


def is_program(value: Mapping[Any, Any]) -> bool:
    """Say whether an object holds source code in place of data, as a tool call does."""
    for holder in (value, value.get("input"), value.get("arguments"), value.get("parameters")):
        if isinstance(holder, Mapping):
            for key in ("code", "script", "javascript", "python", "js", "source", "program"):
                if isinstance(holder.get(key), str) and not holder[key].lstrip().startswith(("{", "[")):
                    return True
    return False


def _inner(value: Mapping[Any, Any], depth: int = 0) -> tuple[str, Any] | None:
    """Return (key, what it holds) where a document is only a wrapper around another."""
    keys = {fold(str(k)): k for k in list(value)[:200]}
    if any(isinstance(value.get(keys.get(k)), list) for k in ("build", "steps", "objects", "parts")):
        return None
    for wrapper in _WRAPPERS if not _holds_named_steps(value.get(keys.get("build"))) else ():
        inner = value.get(keys[wrapper]) if wrapper in keys else None
        found = _unpacked(wrapper, inner, value, depth)
        if found is not None:
            return wrapper, found
    if len(value) == 1 and not _knows(value) and not looks_like_step(value):
        key, inner = next(iter(value.items()))
        if isinstance(inner, (Mapping, list)) and inner:
            return str(key), inner
    drafts = [k for k, v in islice(value.items(), 50) if isinstance(v, Mapping) and _is_whole(v)]
    return (str(drafts[-1]), value[drafts[-1]]) if drafts and not _is_whole(value) else None


def _is_whole(value: Mapping[Any, Any]) -> bool:
    """Say whether an object has steps, and a size or a palette."""
    words = {DOCUMENT_WORDS.get(fold(str(k))) for k in islice(value, 200)}
    return "build" in words and bool(words & {"size", "palette"})


def _holds_named_steps(value: Any) -> bool:
    """Say whether a value is {"ground": [steps], "plants": [steps]}."""
    return isinstance(value, Mapping) and bool(value) and all(map(holds_steps, islice(value.values(), 20)))


def _unpacked(wrapper: str, inner: Any, value: Mapping[Any, Any], depth: int) -> Any:
    """Return the document in one key of a wrapper, with what stands beside it; None where it is none."""
    if isinstance(inner, str):
        return inner if inner.lstrip().startswith(("{", "[")) and not _knows(value) else None
    if isinstance(inner, Mapping) and not looks_like_step(inner):
        if not _knows(inner) and (depth >= _MAX_WRAPPERS or _inner(inner, depth + 1) is None):
            return None
        called = wrapper in ("arguments", "input", "parameters", "function", "args")
        outer = {} if called else {k: v for k, v in value.items() if _is_sibling(k, v, inner)}
        return {**outer, **inner}
    if isinstance(inner, list) and inner:
        if wrapper in ("choices", "toolcalls", "content"):
            return inner[0]
        if wrapper != "build" and all(map(looks_like_step, inner[:5])):
            return {**{k: v for k, v in value.items() if v is not inner}, "build": inner}
    return None


def _is_sibling(key: Any, value: Any, inner: Mapping[Any, Any]) -> bool:
    """Say whether a key beside a wrapped document belongs to it."""
    return value is not inner and key not in inner and fold(str(key)) in DOCUMENT_WORDS


# --------------------------------------------------------------------------- the keys


def named(document: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """Return the document under the language's own keys; keys it does not know are kept."""
    fields: dict[str, Any] = {}
    for key, value in document.items():
        word = key if key in KNOWN else DOCUMENT_WORDS.get(fold(key), key)
        value = _unquoted(value, f"$.{key}", notes)
        if word == key and _is_misspelt(key, value, document) and (meant := nearest(key, _LONG_WORDS)):
            if meant not in fields:
                word = meant
                notes.add(f"$.{key}", f"{show(key)} is not a word of the language", f'read it as "{word}"')
            fields[word] = value
            continue
        if word == "sky":
            word, value = "light", {"sky": value, **_lit(document.get("light"))}
            fields.pop("light", None)
        if word != key and (word in fields or word in document) and word != "light":
            if not holds_steps(value):
                notes.add(f"$.{key}", f'says "{word}" a second time', "ignored it", "info")
                continue
            word = key
        fields[word] = value
        if word != key:
            problem = f"{show(key)} is not a word of the language"
            notes.add(f"$.{key}", problem, f'read it as "{word}"', "info")
    told = any(k in fields for k in _TELLING) or any(k in STEPS for k in fields)
    if not told and not any(map(holds_steps, fields.values())):
        raise ReplyError("there is no scene in the reply", "ask again for one JSON object")
    return fields


def _unquoted(value: Any, path: str, notes: Notes) -> Any:
    """Decode a palette or a list of steps that was written as a text."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        inner = json.loads(value)
    except (ValueError, RecursionError):
        return value
    notes.add(path, "is JSON in a text", "unpacked it", "info")
    return inner


def _is_misspelt(key: str, value: Any, document: Mapping[str, Any]) -> bool:
    """Say whether a key is nearly one of the language's, which is not there, and holds what that would."""
    meant = nearest(key, _LONG_WORDS) if key not in KNOWN | STEPS.keys() and len(key) < 20 else None
    if meant is None or meant in document:
        return False
    return holds_steps(value) if meant == "build" else isinstance(value, (Mapping, list))


def _lit(light: Any) -> dict[str, Any]:
    if isinstance(light, Mapping):
        return {str(k): v for k, v in light.items()}
    return {"preset": light} if isinstance(light, str) else {}


def holds_steps(value: Any) -> bool:
    """Say whether a value is a list that is mostly steps."""
    if not isinstance(value, list) or not value:
        return False
    return sum(looks_like_step(v) or _is_group(v) for v in value[:20]) * 2 > len(value[:20])


def _is_group(value: Any) -> bool:
    """Say whether an object holds steps under one of the words for that: {"name": "ground", "steps": […]}."""
    steps = (
        next((v for k, v in value.items() if fold(str(k)) in BUILD_WORDS), None)
        if isinstance(value, Mapping)
        else None
    )
    return isinstance(steps, list) and any(map(looks_like_step, steps[:20]))
