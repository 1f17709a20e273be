"""Names of files: made of a prompt, free, and claimed before anything is written."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import IO

from voxgen import files
from voxgen.errors import FileError

__all__ = ["claim", "free_stem", "opened", "slug", "with_ending"]

_LENGTH = 60  # bytes of a name made of a prompt
_ENDINGS = (".json", ".png", ".reply.txt", ".reply-2.txt", ".sample-1.reply.txt")


def slug(prompt: str) -> str:
    """Return a file name made of a prompt.

    >>> slug("A quiet garden, with koi!")
    'quiet-garden-with-koi'
    """
    text = unicodedata.normalize("NFKC", prompt).lower()
    words = re.findall(r"[^\W_]+", text)
    if len(words) > 1 and words[0] in ("a", "an", "the"):
        words = words[1:]
    name = ""
    for word in words:
        if len(f"{name}-{word}".encode()) > _LENGTH:
            break
        name = f"{name}-{word}" if name else word
    return name or "scene"


def free_stem(stem: Path) -> Path:
    """Return the stem, or the first of stem-2, stem-3 … of which no file is taken."""
    candidate, n = stem, 1
    while any(os.path.lexists(with_ending(candidate, ending)) for ending in _ENDINGS):
        n += 1
        candidate = stem.with_name(f"{stem.name}-{n}")
    return candidate


def with_ending(stem: Path, ending: str) -> Path:
    """Return stem.json and the like, also for a stem with dots in it."""
    return stem.with_name(stem.name + ending)


def claim(stem: Path, wanted: Path, ending: str, hint: str) -> tuple[Path, IO[str]]:
    """Create a stem's file, or where it is taken that of the next free stem; return stem and file."""
    while True:
        try:
            return stem, opened(with_ending(stem, ending), "x", hint)
        except FileExistsError:  # another run took it in the meantime
            stem = free_stem(wanted)


def opened(path: Path, mode: str, hint: str = "choose another place with -o") -> IO[str]:
    """Open a text file for writing; raises FileError, but FileExistsError for mode "x" on a taken name."""
    try:
        return path.open(mode, encoding="utf-8", errors="replace", newline="")
    except FileExistsError:
        raise
    except OSError as error:
        raise FileError(f"{path} cannot be written: {files.reason(error)}", hint) from None
