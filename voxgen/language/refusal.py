"""Why a reply holds no scene, said so that one knows what to do next."""

from __future__ import annotations

import re
from typing import Any

from voxgen.errors import ReplyError
from voxgen.language.envelope import answers
from voxgen.language.pieces import SCENE_KEYS, is_row
from voxgen.language.tokens import MAX_DEPTH, Note, short, too_deep

__all__ = ["binary", "nothing", "refuse"]

CODE_KEYS = frozenset(["code", "script", "javascript", "js", "python", "source", "program"])
CODE = re.compile(
    r"(?m)^[ \t]*(?:const|let|var|function|import|from|def|class|for|while|return)\b[^\n]{0,200}[;:{(=]"
    r"|=>|\bfor\s?\(|\w\([^()\n]{0,80}\);[ \t]*$"
)
BINARY = (  # how files that are no text begin; "?" is what became of a byte that is no character
    (rb"\x1f[\x8b?][\x08?]", "a gzip archive that cannot be unpacked"),
    (rb"PK[\x03\x05]", "a zip archive"),
    (rb"[\x89?]PNG\r?\n", "a PNG picture"),
    (rb"[\xff?][\xd8?][\xff?][\xe0\xe1\xdb?]\x00", "a JPEG picture"),
    (rb"GIF8", "a GIF picture"),
    (rb"glTF", "a glTF model"),
    (rb"VOX \x96\x00", "a MagicaVoxel file"),
    (rb"%PDF", "a PDF document"),
)
REFUSAL = re.compile(r"(?i)\b(?:i can(?:no|['’])t|i am unable|i['’]m (?:sorry|unable)|i won['’]t|as an ai)\b")


def binary(text: str | bytes) -> str:
    """Name the kind of file that bytes, or bytes taken for text, are; "" for what may be text."""
    head = text[:8] if isinstance(text, bytes) else text[:8].encode("latin-1", "replace")
    return next((kind for mark, kind in BINARY if re.match(mark, head)), "")


def refuse(value: Any, text: str) -> None:
    """Raise where a value was read but cannot be a scene."""
    if not isinstance(value, dict | list) or not value or is_row(value):
        raise nothing(text)
    if _nests_too_deep(value):
        raise too_deep("in all of it")
    if isinstance(value, list):
        return
    if isinstance(value.get("properties"), dict) and (value.get("type") == "object" or "$schema" in value):
        raise ReplyError("the reply repeats the JSON schema it was given", "ask again, or without a schema")
    if SCENE_KEYS & value.keys():
        return
    if _holds_code(value) or (CODE.search(text[:100_000]) and not text[:100].lstrip().startswith("{")):
        raise _code_error()


def _holds_code(call: Any) -> bool:
    """Whether this is a tool call whose argument is a program."""
    for _ in range(4):
        if not isinstance(call, dict):
            return False
        if any(isinstance(call[key], str) and CODE.search(call[key]) for key in CODE_KEYS & call.keys()):
            return True
        names = ("input", "arguments", "parameters", "args", "function")
        call = next((call[name] for name in names if name in call), None)
    return False


def _code_error() -> ReplyError:
    return ReplyError(
        "the reply is code, not data; voxgen never executes it", "ask for the scene as one JSON object"
    )


def nothing(text: str) -> ReplyError:
    """Say why nothing in a text can be drawn."""
    plain = text[:100_000].strip()
    notes: list[Note] = []
    if not text.strip():
        return ReplyError("the reply is empty", "ask again")
    if not "".join(text[start:stop] for start, stop in answers(text, notes)).strip() and notes:
        problem = "the reply holds only reasoning: it was cut before the answer began"
        return ReplyError(problem, "allow a longer reply, or less thinking")
    if plain[:200].lower().startswith(("<!doctype", "<html")):
        said = short(re.sub("<[^>]*>", " ", plain[:2000]))
        return ReplyError(f"the reply is a web page: {said}", "check the address of the model")
    if REFUSAL.search(plain[:400]):
        return ReplyError(f"the model refused: {short(plain)}", "say it in other words, or ask another model")
    if CODE.search(plain):
        return _code_error()
    return ReplyError(f"no scene in the reply: {short(plain)}", "ask for one JSON object")


def _nests_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
