"""What a person sees while voxgen works: messages, bars and moving lines, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from voxgen.errors import VoxgenError


def speaker(quiet: bool) -> Callable[[str], None]:
    """Return what tells a person something, in a line of its own; nothing when quiet."""

    def say(sentence: str) -> None:
        if not quiet:
            clear_line()
            typer.echo(f"voxgen: {sentence}", err=True)

    return say


def failed(message: str, code: int) -> int:
    """Say in one line why nothing came of it, and return the exit code."""
    clear_line()
    typer.echo("voxgen: " + printable(" ".join(message.split())), err=True)
    return code


def told(error: VoxgenError) -> str:
    """Return an error as one line: what, where, and what to do next."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def printable(text: str) -> str:
    """Replace what is no text: half a surrogate pair, from an argument that was not UTF-8."""
    return text.encode("utf-8", "replace").decode()


def clear_line() -> None:
    """Remove what was shown of work in progress."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


@contextmanager
def busy(what: str, quiet: bool) -> Iterator[None]:
    """Show on a terminal what takes a moment."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    sys.stderr.write(f"\r\x1b[K{what} …")
    sys.stderr.flush()
    try:
        yield
    finally:
        clear_line()


def bar(items: Sequence[Any], label: str, quiet: bool) -> Any:
    """Show on a terminal how many of several pictures are drawn: a context that gives the items."""
    hidden = quiet or len(items) == 1 or not sys.stderr.isatty()
    return typer.progressbar(items, label=label, file=sys.stderr, hidden=hidden, item_show_func=_shown)


@contextmanager
def counted(length: int, label: str, quiet: bool) -> Iterator[Callable[[Iterable[Any]], Iterator[Any]]]:
    """Show on a terminal how many of `length` frames are drawn: a context that gives a way to count them."""
    hidden = quiet or not sys.stderr.isatty()
    with typer.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar:

        def counted(items: Iterable[Any]) -> Iterator[Any]:
            for item in items:
                yield item
                bar.update(1)

        yield counted
        bar.update(length - bar.pos)  # who takes the last frame need not ask for another


def _shown(item: Any) -> str | None:
    return None if item is None else str(item)


@contextmanager
def progress(
    quiet: bool, watch: bool = False, built: bool = True
) -> Iterator[tuple[Callable[[str], None] | None, Callable[[str], None] | None]]:
    """Show a live line about the reply on a terminal, and with `watch` the scene so far."""
    if quiet or not sys.stderr.isatty():
        yield None, None
        return
    from voxgen.progress import Line

    line = Line(sys.stderr, watch, built)
    try:
        yield line.on_text, line.on_reasoning
    finally:
        line.close()
        clear_line()
