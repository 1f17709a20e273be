"""Fills the templates of prompts/: what is sent to a model, and what `voxgen prompt` prints.

A template is Markdown. All before its `# Request` heading never changes, byte for byte, and is sent first, so
that a provider's prompt cache hits; what is asked for this time comes last.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from voxgen.errors import FileError, UsageError
from voxgen.stock import offer

__all__ = ["edit_messages", "parse_size", "repair", "scene_messages", "sha", "text", "text_of"]

Message = dict[str, str]

MAX_SIDE = 512  # cells
REQUEST = "\n\n# Request\n"
SIZES = {
    "small": "small (48-64 cells a side, the chunky look)",
    "medium": "medium (96-128 cells a side)",
    "large": "large (128-200 cells along an object or figure, 160-256 across a scene)",
}


def scene_messages(
    prompt: str, size: str | None = None, seed: int | None = None, stock: bool = False
) -> list[Message]:
    """Return the system and the user message that ask for a scene; `size` as in `parse_size`, large if None.

    stock: offer the parts of the stock library, which a scene may place by name.
    Raises UsageError if the prompt is empty or the size is none.
    """
    if not prompt.strip():
        raise UsageError("the prompt is empty", 'say what to build: voxgen "a quiet garden"')
    prompt = prompt.strip().encode("utf-8", "replace").decode()  # bytes that were no text become "?"
    words, _ = parse_size(size or "large")
    chosen = "" if seed is None else f'\nWrite "seed":{seed} and let it vary what you choose.'
    rules, request = _template("scene").rstrip().split(REQUEST)
    offered = "\n" + Template(_template("stock").strip()).substitute(parts=offer()) if stock else ""
    asked = Template(REQUEST.lstrip() + request).substitute(
        size=words, seed=chosen, stock=offered, prompt=prompt
    )
    return [{"role": "system", "content": rules}, {"role": "user", "content": asked}]


def repair(reason: str, numbers: Sequence[str] = (), lost: Sequence[str] = ()) -> str:
    """Return what a model is told when too little of its reply can be drawn.

    numbers: what was measured of the scene it gave. lost: the repairs that left something out.
    """
    measured = f"\nWhat came of it: {', '.join(numbers)}.\n" if numbers else ""
    listed = "\nWhat could not be used:\n" + "\n".join(f"- {line}" for line in lost) + "\n" if lost else ""
    filled = Template(_template("repair").rstrip()).substitute(reason=reason, numbers=measured, lost=listed)
    return re.sub(r"\n{3,}", "\n\n", filled)


def edit_messages(document: str, prompt: str) -> list[Message]:
    """Return the messages that ask to change a scene; `document` is its text, its steps numbered.

    The system message is the one a scene is asked for with, byte for byte. Raises UsageError if the prompt
    is empty.
    """
    if not prompt.strip():
        raise UsageError("nothing is said to change", 'say what: voxgen edit scene.json "make it autumn"')
    prompt = prompt.strip().encode("utf-8", "replace").decode()
    asked = Template(_template("edit").rstrip()).substitute(document=document, prompt=prompt)
    return [scene_messages(prompt)[0], {"role": "user", "content": asked}]


def text_of(name: str) -> str:
    """Return the text of a template that has nothing to fill in."""
    return _template(name).strip()


def text(messages: list[Message]) -> str:
    """Return the messages as one text, to paste into any chat."""
    return "\n\n".join(message["content"] for message in messages)


def sha(name: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of a template: which prompt a scene was made with."""
    return hashlib.sha256(_template(name).encode()).hexdigest()[:12]


def parse_size(size: str) -> tuple[str, tuple[int, int, int] | None]:
    """Return the words for the prompt, and the cells along x, y and z where the size names them.

    >>> parse_size("64x48x40")
    ('exactly [64,48,40]', (64, 48, 40))

    Raises UsageError on anything but small, medium, large or XxYxZ with sides of 1 to 512 cells.
    """
    name = size.strip().lower()
    if name in SIZES:
        return SIZES[name], None
    sides = re.fullmatch(r"(\d{1,9})\s*[x×,]\s*(\d{1,9})\s*[x×,]\s*(\d{1,9})", name, re.ASCII)
    if not sides:
        raise UsageError(f"no such size: {size[:40]!r}", "small, medium, large, or cells as in 128x128x96")
    x, y, z = (int(side) for side in sides.groups())
    if not all(1 <= side <= MAX_SIDE for side in (x, y, z)):
        raise UsageError(f"size {x}x{y}x{z} is out of range", f"each side is 1 to {MAX_SIDE} cells")
    return f"exactly [{x},{y},{z}]", (x, y, z)


def _template(name: str) -> str:
    """Read prompts/<name>.md: inside the package in a wheel, at the root in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package, package.parent):
        file = folder / "prompts" / f"{name}.md"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise FileError(f"prompts/{name}.md is missing from the installation", "install voxgen again")
