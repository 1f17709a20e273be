"""The live line while a reply arrives: seconds, tokens, title, parts and steps so far."""

from __future__ import annotations

import time
from typing import TextIO

from voxgen.language.stream import Listener

_CHARACTERS_A_TOKEN = 2.6  # of the scene language; the count shown is an estimate and says so
_PAUSE = 0.1  # seconds between two redraws


class Line:
    """One line on a terminal, redrawn while a model answers."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.start = time.monotonic()
        self.shown = 0.0
        self.characters = 0
        self.listener = Listener()

    def on_text(self, piece: str) -> None:
        """Count what has arrived of the reply."""
        self.listener.feed(piece)
        self._advance(piece)

    def on_reasoning(self, piece: str) -> None:
        """Count what the model thinks before it writes."""
        self._advance(piece)

    def text(self) -> str:
        """Return the line, as in "12 s · ≈ 3,400 tokens · Quiet pond · 5 parts · 43 steps"."""
        counts = [
            f"{time.monotonic() - self.start:.0f} s",
            f"≈ {self.characters / _CHARACTERS_A_TOKEN:,.0f} tokens",
        ]
        if not self.listener.title and not self.listener.steps:
            counts.append("thinking")
        if self.listener.title:
            counts.append("".join(c for c in self.listener.title[:40] if c.isprintable()))
        for number, what in ((self.listener.parts, "part"), (self.listener.steps, "step")):
            if number:
                counts.append(f"{number} {what}{'s' if number != 1 else ''}")
        return " · ".join(counts)

    def _advance(self, piece: str) -> None:
        self.characters += len(piece)
        now = time.monotonic()
        if now - self.shown >= _PAUSE:
            self.shown = now
            self.file.write(f"\r\x1b[K{self.text()}")
            self.file.flush()
