"""A reply read while it arrives: every palette, part and step as soon as it is complete."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from voxgen.errors import ReplyError
from voxgen.language.envelope import REASONING, REASONING_END
from voxgen.language.reply import parse

__all__ = ["Listener", "Piece"]

START = re.compile(r'\{\s*(?=["}])')
SIGN = re.compile(r'["\[\]{},]')
TEXT = re.compile(r'(?:[^"\\]+|\\.)*', re.S)
KEY = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*:\s*', re.S)
HOMES = ("palette", "parts", "build")
LONGEST_MARK = 60  # characters: a tag of reasoning may arrive in two halves


@dataclass(frozen=True, slots=True)
class Piece:
    """One finished piece of a scene; name is a part's or a color's, "" for a step."""

    kind: Literal["title", "color", "part", "step"]
    name: str
    value: Any


class Listener:
    """Reads a streamed reply piece by piece, in time linear in its length.

    >>> listener = Listener()
    >>> [piece.value for piece in listener.feed('{"title": "Pond", "build": [{"box": [[0, 0, 0], ')]
    ['Pond']
    >>> [piece.value for piece in listener.feed('[4, 4, 0]]}, {"sph')]
    [{'box': [[0, 0, 0], [4, 4, 0]]}]
    >>> listener.title, listener.steps
    ('Pond', 1)

    It serves progress lines and first pictures: reasoning and prose before the scene are skipped, and a piece
    that is broken is read as `parse` would, or left out. The whole reply still goes through `parse`.
    """

    def __init__(self) -> None:
        self.title = ""
        self.colors = self.parts = self.steps = 0
        self._before = ""  # the last characters before the scene
        self._open = ""  # the brackets open, outermost first; "" before the scene and after it
        self._home = ""  # the key of the scene whose items are being read, "" outside of these
        self._held: list[str] = []  # the piece being read, as far as it arrived
        self._quoted = self._escaped = False  # the last character was inside a text, was a backslash there

    def feed(self, text: str) -> list[Piece]:
        """Take the next characters of the reply; return the pieces they finish."""
        pieces: list[Piece] = []
        while text:
            if not self._open:
                text = self._find_start(text)
            if self._open:
                text = self._read_on(text, pieces)
        return pieces

    def _find_start(self, text: str) -> str:
        """Skip what stands before a scene; return what follows its opening bracket, "" if it did not come."""
        text = self._before + text
        while opened := REASONING.search(text):
            end = REASONING_END.search(text, opened.end())
            if not end:
                self._before = opened[0] + text[opened.end() :][-LONGEST_MARK:]
                return ""
            text = text[end.end() :]
        start = START.search(text)
        if not start or self.steps:
            self._before = text[-LONGEST_MARK:]
            return ""
        self._before, self._open = "", "{"
        return text[start.end() :]

    def _read_on(self, text: str, pieces: list[Piece]) -> str:
        """Read to the end of text or of the scene; return what follows the scene."""
        at = begin = 0  # begin: of the piece being read
        while at < len(text) and self._open:
            if self._quoted:
                at = self._to_quote(text, at)
                continue
            sign = SIGN.search(text, at)
            if not sign:
                break
            at = sign.end()
            if sign[0] == '"':
                self._quoted = True
            elif sign[0] in "[{":
                if self._enters(sign[0], text[begin : sign.start()]):
                    begin = at
            else:
                if len(self._open) == (2 if self._home else 1):
                    self._finish("".join(self._held) + text[begin : sign.start()], pieces)
                    begin = at
                self._leave(sign[0])
        if not self._open:
            return text[at:]
        self._held.append(text[begin:])
        return ""

    def _to_quote(self, text: str, at: int) -> int:
        """Go past a text, as far as it arrived; return where."""
        if self._escaped:
            self._escaped = False
            return at + 1
        found = TEXT.match(text, at)
        at = found.end() if found else at
        if at < len(text):
            self._escaped = text[at] == "\\"
            self._quoted = self._escaped
        return at + 1

    def _enters(self, mark: str, text: str) -> bool:
        """Open a bracket; say whether the items of a home follow it."""
        self._open += mark
        if len(self._open) != 2:
            return False
        key = KEY.fullmatch("".join(self._held) + text)
        if not key or key[1] not in HOMES:
            return False
        self._home = key[1]
        self._held.clear()
        return True

    def _leave(self, mark: str) -> None:
        if mark != ",":
            self._open = self._open[:-1]
            self._home = self._home if len(self._open) > 1 else ""

    def _finish(self, text: str, pieces: list[Piece]) -> None:
        """Read one finished piece of text."""
        self._held.clear()
        key = KEY.match(text) if self._home != "build" else None
        name = key[1] if key else ""
        if not self._home and name != "title":
            return
        value = _read(text[key.end() if key else 0 :].strip())
        if value is None:
            return
        if not self._home:
            self.title = str(value)
            pieces.append(Piece("title", "", self.title))
        elif self._home == "build":
            self.steps += 1
            pieces.append(Piece("step", "", value))
        elif self._home == "parts":
            self.parts += 1
            pieces.append(Piece("part", name, value))
        else:
            self.colors += 1
            pieces.append(Piece("color", name, value))


def _read(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return parse(text)[0]
    except ReplyError:
        return None
