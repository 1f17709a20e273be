"""Replies that were paid for, kept in the user's cache folder by what was asked: nothing is paid twice.

An entry's name is the SHA-256 of the request, its content the reply with a SHA-256 of its own. Keys are part
of neither.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from voxgen.ask.models import Model, Usage
from voxgen.ask.stream import Reply

__all__ = ["clear", "folder", "keep", "name", "recall", "usage"]

ENDING = ".reply.json"
FIELDS = {"text": str, "reasoning": str, "model": str, "seconds": float}


def folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return where replies are kept: VOXGEN_CACHE_DIR, else voxgen/replies in the user's cache folder.

    That is XDG_CACHE_HOME or ~/.cache, ~/Library/Caches on a Mac, LOCALAPPDATA on Windows.
    """
    environ = os.environ if environ is None else environ
    if own := environ.get("VOXGEN_CACHE_DIR"):
        return Path(own)
    if sys.platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        xdg = Path(environ.get("XDG_CACHE_HOME") or "")
        base = xdg if xdg.is_absolute() else Path.home() / ".cache"  # the specification wants it absolute
    return base / "voxgen" / "replies"


def name(messages: list[dict[str, str]], model: Model, **settings: Any) -> str:
    """Return the name of a request: equal requests to the same endpoint have the same."""
    asked = [model.base_url, model.name, messages, sorted(settings.items())]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def recall(name: str) -> Reply | None:
    """Return the reply kept under a name; None where there is none, or a damaged one."""
    try:
        entry = json.loads((folder() / (name + ENDING)).read_bytes())
        kept = entry["reply"]
        if entry["sha256"] != _sum(kept) or not all(isinstance(kept[k], t) for k, t in FIELDS.items()):
            return None
        return Reply(**{k: kept[k] for k in FIELDS}, finish="stop", usage=Usage(**kept["usage"]))
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, RecursionError):
        return None


def keep(name: str, reply: Reply) -> None:
    """Keep a whole reply under a name; a part of one is not kept, and a full disk is no fault.

    A reader finds the whole entry or none: it is written beside its place first.
    """
    if reply.partial or reply.finish != "stop" or not reply.text.strip():
        return
    kept = {**{k: getattr(reply, k) for k in FIELDS}, "usage": asdict(reply.usage)}
    draft = None
    try:
        place = folder()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("wb", dir=place, suffix=".part", delete=False) as file:
            draft = Path(file.name)
            file.write(json.dumps({"sha256": _sum(kept), "reply": kept}).encode())
        draft.replace(place / (name + ENDING))
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        if draft is not None:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def usage() -> tuple[int, int]:
    """Return how many replies are kept and how many bytes they take."""
    sizes = []
    for path in _entries():
        with suppress(OSError):  # cleared in the meantime
            sizes.append(path.stat().st_size)
    return len(sizes), sum(sizes)


def clear() -> int:
    """Delete what is kept and return how many replies there were; other files in the folder stay."""
    gone = 0
    for path in _entries():
        with suppress(OSError):
            path.unlink()
            gone += 1
    return gone


def _entries() -> list[Path]:
    place = folder()
    try:
        return [path for path in place.iterdir() if path.name.endswith((ENDING, ".part"))]
    except OSError:
        return []


def _sum(kept: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
