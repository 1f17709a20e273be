"""What a scene comes wrapped in: reasoning, code fences, event streams, tool calls, marked lines."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from voxgen.language.tokens import Note

__all__ = ["joined_events", "joined_pieces", "letter", "regions", "unwrapped"]

_NAMES = r"(?:think|thinking|thoughts?|reasoning|analysis|scratchpad|reflection)"
REASONING = re.compile(
    rf"<(?:\w+:)?{_NAMES}\b[^<>\n]{{0,40}}>|◁think▷|\[THINK\]|<\|begin_of_thought\|>"
    r"|<\|channel\|>\s*(?:analysis|commentary(?!\s+to=))\b",  # a commentary "to=" a tool is the call itself
    re.I,
)
REASONING_END = re.compile(rf"</(?:\w+:)?{_NAMES}\s*>|◁/think▷|\[/THINK\]|<\|end_of_thought\|>", re.I)
FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*(?:final|commentary\s+to=)")
FENCE = re.compile(r"^[ \t>]*(?:`{3,}|~{3,})[ \t]*[\w+.#-]*[^\n`]*$", re.M)
LINE_MARKS = [  # of a mail, a diff, a listing, a list
    re.compile(mark, re.M)
    for mark in (
        r"^[ \t]*>[ ]?",
        r"^\+",
        r"^[ \t]*\d{1,6}[ ]*[:|│→)\t][ \t]?",
        r"^[ \t]*[-*•][ ]",
        r"^[ \t]*[│┃|][ ]?",
    )
]
DIFF_HEAD = re.compile(r"^(?:---|\+\+\+|@@|diff |index |-).*$", re.M)
MOST = 0.8  # of the lines carry a mark where it stands for all of them
ESCAPED_MARKS = re.compile(r"\\([\[\]{}_#<>])")  # of LaTeX and Markdown
QUOTE_ENTITY = re.compile(r"&(?:quot|#34|#x22);")
LONE_BRACE = re.compile(r"(?<!\{)\{(?:\{\{)*(?!\{)|(?<!\})\}(?:\}\})*(?!\})")
DICT_CALL = re.compile(r"\bdict\(\s*(?:\w+\s*=[^=]|\))")
ROUND = re.compile(  # brackets, and what may hold some that are none
    r"""\\.|\bdict\(|[()]|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\#(?![0-9a-fA-F]{6})[^\n]*"""
)
EVENT_PATHS: list[tuple[str | int, ...]] = [
    ("choices", 0, "delta", "content"),
    ("choices", 0, "message", "content"),
    ("choices", 0, "text"),
    ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
    ("choices", 0, "delta", "function_call", "arguments"),
    ("delta", "text"),
    ("delta", "partial_json"),
    ("delta",),
    ("candidates", 0, "content", "parts", 0, "text"),
    ("message", "content"),
    ("response",),
    ("token", "text"),
]
LETTER_KEYS = frozenset({
    "choices", "message", "messages", "content", "text", "arguments", "input", "output", "function",
    "tool_calls", "parameters", "args", "response", "result", "data", "answer", "completion", "candidates",
    "parts", "reply", "json", "scene", "document", "body",
})  # fmt: skip


def regions(text: str, notes: list[Note]) -> Iterator[tuple[int, int]]:
    """Yield the spans of text outside the reasoning, cut at code fences; say in notes what was left out."""
    fenced = "```" in text or "~~~" in text
    for start, stop in answers(text, notes):
        if not fenced:
            yield start, stop
            continue
        at = start
        for fence in FENCE.finditer(text, start, stop):
            if at < fence.start():
                yield at, fence.start()
            at = fence.end()
        if at < stop:
            yield at, stop


def answers(text: str, notes: list[Note]) -> Iterator[tuple[int, int]]:
    """Yield the spans of text outside the model's reasoning."""
    at = 0
    if not any(mark in text for mark in ("<", "◁", "[THINK", "[think")):
        yield 0, len(text)
        return
    first, end = REASONING.search(text), REASONING_END.search(text)
    if end and not (first and first.start() < end.start()):
        notes.append((0, "the model's reasoning", "ignored", "info"))  # it began before the reply did
        at = max(found.end() for found in REASONING_END.finditer(text))
    while opened := REASONING.search(text, at):
        yield at, opened.start()
        notes.append((opened.start(), "the model's reasoning", "ignored", "info"))
        closing = FINAL_CHANNEL if opened[0].startswith("<|channel") else REASONING_END
        end = closing.search(text, opened.end())
        if not end:
            return
        at = end.end()
    yield at, len(text)


def unwrapped(text: str) -> tuple[str, list[str]]:
    """Take off what a mail, a listing, a diff, a web page or a template put on every line or brace.

    Returns the text, its lines and mostly its columns still in their places, and what was taken off.
    """
    off: list[str] = []
    lines = [line for line in text.split("\n", 2000)[:2000] if line.strip()]
    for mark in LINE_MARKS:
        if len(lines) > 2 and sum(bool(mark.match(line)) for line in lines) >= MOST * len(lines):
            if mark.pattern == r"^\+":
                text = DIFF_HEAD.sub("", text)
            text = mark.sub(_blanks, text)
            off.append("a mark at the start of every line")
            break
    if len(QUOTE_ENTITY.findall(text)) > text.count('"'):
        text = html.unescape(text)
        off.append("HTML escapes")
    if "<![CDATA[" in text:
        text = text.replace("<![CDATA[", " " * 9).replace("]]>", "   ")
        off.append("a CDATA section")
    if ("\\{" in text or "\\[" in text or "\\<" in text) and not re.search(r"\\\\[\[{<]", text):
        text = ESCAPED_MARKS.sub(r"\1", text)
        off.append("backslashes before brackets")
    if "{{" in text and not LONE_BRACE.search(text):
        text = text.replace("{{", "{ ").replace("}}", " }")
        off.append("doubled braces")
    if call := DICT_CALL.search(text):
        text = _braced(text, call.start())
        off.append("dict() of Python around objects")
    return text, off


def _braced(text: str, start: int) -> str:
    """Write dict(a=1) as {a=1} from a place on, every character that stays in its place."""
    pieces: list[str] = []
    inside: list[str] = []
    at = 0
    for found in ROUND.finditer(text, start):
        mark = found[0]
        if mark.endswith("("):
            inside.append(mark)
        if mark == "dict(" or (mark == ")" and inside and inside.pop() == "dict("):
            pieces += [text[at : found.start()], "{".rjust(len(mark)) if mark == "dict(" else "}"]
            at = found.end()
    return "".join([*pieces, text[at:]])


def _blanks(mark: re.Match[str]) -> str:
    return " " * len(mark[0])


def joined_events(text: str) -> str | None:
    """Join the text of a pasted event stream, `data:` lines or one JSON object a line; None if it is none."""
    if "data:" not in text and "}\n{" not in text.replace("\r", ""):
        return None
    lines = [line.strip() for line in text.split("\n")]
    events = [line[5:].strip() for line in lines if line.startswith("data:")]
    if not events:
        events = [line for line in lines if line]
        if len(events) < 2 or not all(line.startswith("{") for line in events) or _piece(events[0]) is None:
            return None
    pieces = [piece for piece in map(_piece, events) if piece is not None]
    return "".join(pieces) if pieces else None


def _piece(event: str) -> str | None:
    """Return the text one event of a stream carries; None if it carries none."""
    try:
        return _text_of(json.loads(event))
    except (ValueError, RecursionError):
        return None


def joined_pieces(events: list[Any]) -> str | None:
    """Join the text of the events of a stream, decoded already; None if one of the first carries none."""
    pieces = [_text_of(event) for event in events]
    return None if None in pieces[:2] else "".join(piece for piece in pieces if piece)


def _text_of(data: Any) -> str | None:
    """Return the text an event carries; None if it carries none."""
    for path in EVENT_PATHS:
        inner: Any = data
        for step in path:
            try:
                inner = inner[step]
            except (LookupError, TypeError):
                break
        else:
            if isinstance(inner, str):
                return inner
    return None


def letter(value: dict[str, Any]) -> str | None:
    """Find the longest text with JSON in it under the names that envelopes use; None if there is none."""
    texts: list[str] = []
    stack: list[tuple[Any, int]] = [(value, 0)]
    for _ in range(500):
        if not stack:
            break
        item, depth = stack.pop()
        if isinstance(item, str):
            texts += [item] * ("{" in item and '"' in item)
        elif isinstance(item, dict) and depth < 8:
            stack += [(item[key], depth + 1) for key in item if key in LETTER_KEYS]
        elif isinstance(item, list) and depth < 8:
            stack += [(one, depth + 1) for one in item[:20]]
    return max(texts, key=len, default=None)
