"""What is shown while a reply arrives: a live line with counts, and with --watch the scene so far."""

from __future__ import annotations

import threading
import time
from typing import TextIO

from voxgen.ask.models import CHARACTERS_A_TOKEN
from voxgen.errors import VoxgenError
from voxgen.language.limits import Limits
from voxgen.language.reader import read
from voxgen.language.stream import Listener
from voxgen.preview import blocks, look, terminal
from voxgen.scene import Scene

_PAUSE = 0.1  # seconds between two redraws
_REST = 4  # times as long as it took to build the scene so far, before it is built again
_QUICK = Limits(side=256, cells=1 << 24, step_seconds=0.5, total_seconds=3.0)


class Line:
    """One line on a terminal, redrawn while a model answers; `watch` puts the scene so far above it.

    The scene is built in a thread of its own, which a reply never waits for; a reply that is no whole scene,
    as to an edit, is not `built`.
    """

    def __init__(self, file: TextIO, watch: bool = False, built: bool = True) -> None:
        self.file = file
        self.start = time.monotonic()
        self.shown = 0.0
        self.characters = 0
        self.listener = Listener()
        self.sketch = Sketch()
        self._watch = watch
        self._built = built
        self._thinking = True  # no text has come
        self._drawn: Scene | None = None  # the scene of the picture shown
        self._rows = 0  # of that picture

    def on_text(self, piece: str) -> None:
        """Count what has arrived of the reply."""
        self._thinking = False
        if self._built:
            self.sketch.feed(piece, finished=bool(self.listener.feed(piece)))
        self._advance(piece)

    def on_reasoning(self, piece: str) -> None:
        """Count what the model thinks before it writes."""
        self._advance(piece)

    def close(self) -> None:
        """Stop building; the line stays as it is."""
        self.sketch.close()

    def text(self) -> str:
        """Return the line, as in "12 s · ≈ 3,400 tokens · Quiet pond · 43 steps · 51,000 voxels"."""
        seconds, tokens = time.monotonic() - self.start, self.characters / CHARACTERS_A_TOKEN
        counts = [f"{seconds:.0f} s", f"≈ {tokens:,.0f} tokens"]
        if seconds > 1:
            counts.append(f"≈ {tokens / seconds:,.0f} a second")
        if self._thinking:
            counts.append("thinking")
        if self.listener.title:
            counts.append("".join(c for c in self.listener.title[:40] if c.isprintable()))
        voxels = self.sketch.scene.grid.voxels if self.sketch.scene else 0
        for number, what in ((self.listener.parts, "part"), (self.listener.steps, "step"), (voxels, "voxel")):
            if number:
                counts.append(f"{number:,} {what}{'s' if number != 1 else ''}")
        return " · ".join(counts)

    def _advance(self, piece: str) -> None:
        self.characters += len(piece)
        now = time.monotonic()
        if now - self.shown >= _PAUSE:
            self.shown = now
            if self._watch and self.sketch.scene is not self._drawn:
                self._redraw()
            columns = terminal(self.file)[0]
            self.file.write(f"\r\x1b[K{self.text()[: columns - 1]}")
            self.file.flush()

    def _redraw(self) -> None:
        """Draw the scene so far over the picture before."""
        scene = self._drawn = self.sketch.scene
        if scene is None:
            return
        columns, lines = terminal(self.file)
        width, height = min(columns - 1, 120), 2 * max(2, min(lines - 3, 40))
        width = min(width, 2 * height)
        azimuth = 30.0 if scene.view.azimuth is None else scene.view.azimuth
        image, _ = look(scene.grid, width, height, azimuth=azimuth)
        back = f"\x1b[{self._rows}A" if self._rows else ""
        self._rows = height // 2
        self.file.write(f"\r\x1b[K{back}{blocks(image)}\n")


class Sketch:
    """Builds what has arrived of a reply, again and again, in a thread of its own."""

    def __init__(self) -> None:
        self.scene: Scene | None = None  # the newest
        self._text: list[str] = []
        self._news = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def feed(self, piece: str, finished: bool = False) -> None:
        """Take in a piece of the reply; `finished` says that it completes a step or a part."""
        self._text.append(piece)
        if finished:
            if self._thread.ident is None and not self._closed.is_set():
                self._thread.start()
            self._news.set()

    def close(self) -> None:
        """Let the thread end after the scene that is being built."""
        self._closed.set()
        self._news.set()

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            if self._closed.is_set():
                return
            start = time.monotonic()
            try:
                self.scene = read("".join(self._text), limits=_QUICK)
            except VoxgenError:
                pass  # nothing to see yet
            except Exception:  # a preview must not end a run; the whole reply is read anew
                return
            self._closed.wait(min(_REST * (time.monotonic() - start), 5.0))
