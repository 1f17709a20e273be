"""Outlines in place of JSON: the part of YAML that scenes are written in, and TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ["Outline", "outlined"]

MAX_TEXT = 4 << 20  # characters of an outline
MAX_DEPTH = 40  # levels of it

_HOLDERS = "build|steps|palette|parts|layers|voxels|blocks|scene|size|objects|boxes"
SIGN = re.compile(rf"^[ \t]*(?:- )?(?:{_HOLDERS})[ \t]*:[ \t]*(?:#.*)?\n\s*(?:- |[\w\"'-]+[ \t]*:)", re.M)
TABLE = re.compile(rf"^\[\[?(?:{_HOLDERS})(?:\.[\w.\"-]+)?\]\]?[ \t]*$", re.M)
TOP = re.compile(r"^(?:\w[\w-]*[ \t]*[:=].*|\[\[?\w.*)$", re.M)
KEY = re.compile(r"(\"[^\"]*\"|'[^']*'|[^\s\[\]{},#\"'-][^:#{}\[\]]{0,80}?|-?\d+)[ \t]*:(?:[ \t]+(.*)|$)")
REMARK = re.compile(r"(?:^|\s)#(?![0-9a-fA-F]{3,8}(?:\W|$)).*$")
COLOR = re.compile(r"(#[0-9a-fA-F]{3,8})(?=\s|$)")
BLOCK = re.compile(r"[|>][-+]?\d?$")


class Outline(NamedTuple):
    """A value written as an outline: what it says, where in the text it begins, "YAML" or "TOML"."""

    value: Any
    start: int
    kind: str


class _Line(NamedTuple):
    indent: int
    text: str


def outlined(text: str, flow: Callable[[str], Any]) -> Outline | None:
    """Read the first outline in a text, in a fence or bare; None where there is none.

    flow: reads what stands in brackets, None for what it cannot read. Of YAML there are block and flow
    mappings and lists, texts in quotes and not, blocks of text; no anchors, tags or documents.
    """
    text = text[:MAX_TEXT]
    if TABLE.search(text):
        for start, body in _bodies(text):
            try:
                return Outline(tomllib.loads(body), start, "TOML")
            except (tomllib.TOMLDecodeError, RecursionError):
                continue
    if SIGN.search(text):
        for start, body in _bodies(text):
            value = _Reader(body, flow).read()
            if isinstance(value, dict) and value:
                return Outline(value, start, "YAML")
    return None


def _bodies(text: str) -> Iterator[tuple[int, str]]:
    """Yield where outlines may begin, and their text: each fence, or what follows the first key."""
    at = 0
    for piece in re.split(r"(^[ \t]*```.*$)", text, flags=re.M):
        found = TOP.search(piece)
        if found and not piece.lstrip().startswith("```"):
            yield at + found.start(), piece[found.start() :]
        at += len(piece)


class _Reader:
    """Reads YAML by the indentation of its lines."""

    def __init__(self, text: str, flow: Callable[[str], Any]) -> None:
        self.flow = flow
        self.lines: list[_Line] = []
        for line in text.expandtabs(2).split("\n"):
            bare = line.strip()
            if bare and not bare.startswith("#") and bare != "---":
                self.lines.append(_Line(len(line) - len(line.lstrip()), bare))
        self.at = 0

    def read(self) -> Any:
        return self._block(0) if self.lines else None

    def _block(self, depth: int) -> Any:
        """Read the block that begins at the current line."""
        indent = self.lines[self.at].indent
        if depth > MAX_DEPTH:
            self.at = len(self.lines)
            return None
        if _is_item(self.lines[self.at].text):
            return self._list(indent, depth)
        return self._mapping(indent, depth)

    def _list(self, indent: int, depth: int) -> list[Any]:
        items: list[Any] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.indent != indent or not _is_item(line.text):
                break
            rest = line.text[1:].lstrip()
            if not rest:
                self.at += 1
                items.append(self._nested(indent, depth))
            elif KEY.match(rest) or _is_item(rest):
                self.lines[self.at] = _Line(indent + len(line.text) - len(rest), rest)
                items.append(self._block(depth + 1))
            else:
                self.at += 1
                items.append(self._value(rest, indent, depth))
        return items

    def _mapping(self, indent: int, depth: int) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while self.at < len(self.lines):
            line = self.lines[self.at]
            pair = KEY.match(line.text) if line.indent == indent else None
            if pair is None:
                if line.indent >= indent and depth:
                    self.at += 1  # a line that fits nowhere
                    continue
                break
            self.at += 1
            pairs[pair[1].strip("\"' ")] = self._value((pair[2] or "").strip(), indent, depth)
        return pairs

    def _nested(self, indent: int, depth: int) -> Any:
        """Read the deeper block that follows; a list may stand as far left as its key."""
        line = self.lines[self.at] if self.at < len(self.lines) else None
        if line is None or line.indent < indent or (line.indent == indent and not _is_item(line.text)):
            return None
        return self._block(depth + 1)

    def _value(self, text: str, indent: int, depth: int) -> Any:
        """Read what follows a key or a dash: nothing, a block of text, brackets, a text or a number."""
        plain = REMARK.sub("", text).strip()
        if not plain:
            return self._nested(indent, depth)
        if BLOCK.match(plain):
            return self._text(indent)
        if plain[0] in "[{":
            return self._flow(plain)
        if plain[0] in "\"'" and plain[-1] == plain[0] and len(plain) > 1:
            return plain[1:-1]
        if color := COLOR.match(plain):
            return color[1]
        try:
            return json.loads(plain)
        except (ValueError, RecursionError):
            return plain

    def _text(self, indent: int) -> str:
        """Read a block of text: the deeper lines that follow."""
        rows = []
        while self.at < len(self.lines) and self.lines[self.at].indent > indent:
            rows.append(self.lines[self.at].text)
            self.at += 1
        return "\n".join(rows)

    def _flow(self, text: str) -> Any:
        """Read brackets, over as many lines as they take."""
        rows, depth = [text], _opened(text)
        while depth > 0 and self.at < len(self.lines):
            row = REMARK.sub("", self.lines[self.at].text)
            depth += _opened(row)
            rows.append(row)
            self.at += 1
        return self.flow("\n".join(rows))


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _opened(text: str) -> int:
    """Count the brackets a line opens more than it closes."""
    return sum(text.count(c) for c in "[{") - sum(text.count(c) for c in "]}")
