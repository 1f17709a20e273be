"""Any text → the scene document in it: a reply is read however broken it is, and every repair is told.

The road of a reply: strict JSON, and nothing more where that works. Otherwise the text is taken out of what
it comes wrapped in (envelope.py), each top-level `{…}` or `[…]` is cut into tokens that forgive a lot
(tokens.py), its structure is mended (brackets.py) and its value built (salvage.py); of all the pieces the
best scene wins (pieces.py). YAML and TOML are read too (outline.py).
Everything is linear in the length of the text and bounded in depth.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from voxgen.errors import ReplyError
from voxgen.language.brackets import Frame, Mender
from voxgen.language.envelope import joined_events, joined_pieces, letter, regions, unwrapped
from voxgen.language.outline import outlined
from voxgen.language.pieces import HEAD_KEYS, SCENE_KEYS, Found, choose, continued, plausible, score, weigh
from voxgen.language.refusal import binary, nothing, refuse
from voxgen.language.salvage import Builder, rehoused
from voxgen.language.tokens import (
    MAX_REPAIRS,
    ONLY_DOTS,
    SCAN,
    STRICT,
    Effort,
    Note,
    Token,
    Tokens,
    short,
    unescape,
)
from voxgen.scene import Level, Repair

__all__ = ["parse", "uncollected"]

MAX_TEXT = 64 << 20  # characters
MAX_LOOSE = 11 << 20  # of a reply that must be mended: the rest is left out, so that time ends
MAX_MEMORY = 310 << 20  # bytes that the values of a reply may take, by estimate: the rest is left out
COSTS = {"[": 60, "{": 260, ",": 30, '"': 45}  # bytes that each of these stands for, about
MAX_STEPS = 500_000  # tries at mending
MAX_LETTERS = 4  # texts inside texts inside texts

START = re.compile(  # not {words, in brackets}, [code=json], a [Call(name=…)], a brace around a brace or code
    r"(?:\{(?!\s{0,9}\{)|[\[｛［【])"
    r"(?!\s*[A-Za-z_][A-Za-z_ ,.]{0,60}[\]}]|[A-Za-z_]\w{0,60}\(\w{1,60}=|\w{1,20}=\w{1,20}\]"
    r"|\s*(?:return|const|let|var)\s)"
)
AFTER = re.compile(r"[^\w{\[(<]*[,*.+]")  # what may go on after a closing bracket: it was closed too early
BRACKET = re.compile(r"[\[\]{}]")
FIRST_KEYS = re.compile(r"[\"'](\w{1,20})[\"']\s*:")
ESCAPED_START = re.compile(r"[{\[](?:\s|\\[nt])*\\\"")
NO_BRACES = re.compile(
    rf"^[ \t]*[\"'“]?(?:{'|'.join(sorted(SCENE_KEYS))})[\"'”]?\s*[:=]\s*[\[{{\"'\d(]", re.M
)
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours of a terminal
HALF = re.compile(  # half of a surrogate pair, which nothing could write
    r"\\u[dD][89abAB][\da-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][\da-fA-F]{2}"
)
DOTS_ITEM = re.compile(r"[\"'](?:\.{3}|…)[^\"']*[\"']\s*[,\]]")


def parse(text: str | bytes) -> tuple[Any, list[Repair]]:
    """Return the scene document in any text, and what was mended to read it.

    Strict JSON is returned as it is, with no repairs. The value is normally a dict in the scene
    language, or a list or dict in somebody else's; a repair's path is "line 3, column 7" of the text.

    >>> parse('Here: {"size": [2, 2, 1,], "build": []}')[0]
    {'size': [2, 2, 1], 'build': []}

    Raises ReplyError where the text holds nothing that could be a scene.
    """
    if kind := binary(text):
        raise ReplyError(f"this is {kind}, not text", "is it whole, and is its name right?")
    text = _clean(text)
    if len(text) > MAX_TEXT:
        raise ReplyError(f"the reply is {len(text):,} characters long", f"the limit is {MAX_TEXT:,}")
    try:
        with uncollected():
            return _parse(text, 0)
    except ReplyError:
        raise
    except Exception as error:  # whatever a reply breaks, it must not break the program
        raise ReplyError(
            f"the reply cannot be read ({type(error).__name__}: {error})", "ask again"
        ) from error


@contextmanager
def uncollected() -> Iterator[None]:
    """Do without the garbage collector: looking through millions of small lists takes twice the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _clean(text: str | bytes) -> str:
    """Decode bytes; drop a byte order mark, NULs and halves of characters."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "replace")
    text = text.removeprefix("\ufeff").replace("\0", "")
    if "\x1b" in text:
        text = ANSI.sub("", text)
    if not text.isascii():
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return HALF.sub(r"\\ufffd", text) if "\\ud" in text or "\\uD" in text else text


def _parse(text: str, letters: int) -> tuple[Any, list[Repair]]:
    """Parse text; letters counts the envelopes already opened."""
    whole, most = len(text), _affordable(text)
    try:
        if whole > most:
            raise ValueError
        value = STRICT.decode(text)
        notes: list[Note] = []
    except (ValueError, RecursionError):
        most = min(most, MAX_LOOSE)
        text, off = unwrapped(text[:most])
        value, notes = _parse_loosely(text, letters)
        notes += [(0, mark, "taken off", "info") for mark in off]
        if whole > most:
            problem = f"the reply is {whole:,} characters long"
            notes.append((most, problem, f"read the first {most:,}", "loss"))
    inner = _inner_text(value)
    if inner is not None and letters < MAX_LETTERS:
        value, repairs = _parse(inner, letters + 1)
        notes.append((0, "the scene is a text inside this", "unpacked", "info"))
        return value, _located(text, notes) + repairs
    refuse(value, text)
    return value, _located(text, notes)


def _affordable(text: str) -> int:
    """Return how many characters of a text can be read within MAX_MEMORY."""
    left = MAX_MEMORY
    for at in range(0, len(text), 1 << 20):
        cost = sum(text.count(mark, at, at + (1 << 20)) * cost for mark, cost in COSTS.items())
        if cost > left:
            return at + min(1 << 20, len(text) - at) * left // cost
        left -= cost
    return len(text)


def _inner_text(value: Any) -> str | None:
    """Return the text a value is only the envelope of; None if it is a scene itself."""
    if isinstance(value, str):
        return value if START.search(value) else None
    if isinstance(value, list) and len(value) > 1 and isinstance(value[0], dict):
        return joined_pieces(value)
    return letter(value) if isinstance(value, dict) and not SCENE_KEYS & value.keys() else None


def _parse_loosely(text: str, letters: int) -> tuple[Any, list[Note]]:
    """Find the best scene in text that is not strict JSON; a text is returned where the text was wrapped."""
    events = joined_events(text)
    if events is not None and letters < MAX_LETTERS:
        return events, [(0, "a pasted event stream", "its pieces are joined", "info")]
    found, notes = _search(text)
    best = choose(continued(found, text), text, notes) if found else None
    outline = outlined(text, _flow)
    if outline and (best is None or score(outline.value) > score(best.value)):
        return outline.value, [(outline.start, f"{outline.kind} in place of JSON", "read as that", "info")]
    if best is None:
        raise nothing(text)
    return best.value, notes + best.notes


def _search(text: str) -> tuple[list[Found], list[Note]]:
    """Read every top-level container outside the reasoning, left to right, no character twice."""
    effort = Effort(scan=8 * len(text) + 20_000, steps=min(len(text), MAX_STEPS) + 30_000)
    notes: list[Note] = []
    spans = list(regions(text, notes))
    found: list[Found] = []
    for start, stop in spans:
        found += _containers(text, _rejoined(found, text, start, stop, effort), stop, effort)
    for start, stop in spans:
        bracket = START.search(text, start, stop)
        before = min(bracket.end() if bracket else stop, start + 20_000)
        if pair := NO_BRACES.search(text, start, before):
            bare = _read(text, pair.start(), stop, effort, braces=False)
            if score(bare.value) >= max((score(one.value) for one in found), default=0) + 5:
                return [bare], notes
    if found and (text[: found[0].start].strip() or text[found[-1].end :].strip()):
        notes.append((0, "text around the JSON", "ignored", "info"))
    return [one for one in found if plausible(one.value)], notes


def _rejoined(found: list[Found], text: str, start: int, stop: int, effort: Effort) -> int:
    """Read on where a fence cut the last container, if this span continues it; return where to read next."""
    last = found[-1] if found else None
    if last is None or not last.open or effort.scan <= 0 or not BRACKET.search(text, start, stop):
        return start
    opening = START.search(text, start, stop)
    if opening and len(HEAD_KEYS.intersection(FIRST_KEYS.findall(text, opening.start(), stop)[:2])) == 2:
        return start  # a scene of its own
    length = last.end - last.start
    both = text[last.start : last.end].rstrip() + "\n" + text[start:stop]
    shift = start - (len(both) - (stop - start))
    effort.scan -= len(both)  # read twice: that must not happen too often
    one = _read(both, 0, len(both), effort)
    if one.open and weigh(one.value) <= weigh(last.value):
        return start
    places = ((note[0] + (last.start if note[0] < length else shift), *note[1:]) for note in one.notes)
    cut: Note = (last.end, "the scene goes on after a break", "joined", "info")
    found[-1] = Found(one.value, last.start, one.end + shift, [*places, cut], one.open)
    return one.end + shift


def _containers(text: str, start: int, stop: int, effort: Effort) -> Iterator[Found]:
    while effort.tokens > 0 and (opening := START.search(text, start, stop)):
        one = _read_whole(text, opening.start(), stop, effort) or _read(text, opening.start(), stop, effort)
        yield one
        start = max(one.end, opening.end())


def _read_whole(text: str, start: int, stop: int, effort: Effort) -> Found | None:
    """Read a container that is well formed and ends for sure where it does, at the speed of C."""
    try:
        value, end = SCAN(text, start) if effort.scan > 0 else ([], stop + 1)
    except (ValueError, StopIteration, RecursionError) as error:
        effort.scan -= 100 + start // 64 + getattr(error, "pos", start) - start
        return None
    effort.tokens -= 1
    if end > stop or AFTER.match(text, end, stop) or len(value) < 1:
        return None
    return Found(value, start, end)


def _read(text: str, start: int, stop: int, effort: Effort, braces: bool = True) -> Found:
    """Read the container that opens at start, or the pairs there that lack their braces."""
    if ESCAPED_START.match(text, start, stop):
        inner = unescape(text[start:stop])
        one = _read(inner, 0, len(inner), effort)
        notes: list[Note] = [(start, "escaped quotes", "unescaped", "info")]
        return Found(one.value, start, stop, notes + [(start, *note[1:]) for note in one.notes])
    tokens = Tokens(text, start, stop, effort)
    outside = Frame("", "k", None, "", ())
    if braces:
        mender = Mender(tokens, outside)
    else:
        tokens.inside.append("{")
        mender = Mender(tokens, Frame("{", "k", outside, "", ()))
        mender.built.append(("{", Token("{", None, start, start)))
        tokens.note(start, "no brackets around the scene", "put in", "warn")
    end = mender.run()
    builder = Builder(tokens.note)
    value = builder.build(
        mender.built, next((token.value for token in tokens.read if token.kind == "~"), None)
    )
    if builder.left:
        tokens.note(end, builder.left, "what was finished is kept", "loss")
    if isinstance(value, dict) and (mender.edits or builder.left) and value.keys() & {"parts", "palette"}:
        moved = ", ".join(rehoused(value))
        if moved:
            tokens.note(start, f"{short(moved)} in the wrong place", "moved", "warn")
    if DOTS_ITEM.search(text, start, end) and _without_dots(value):
        tokens.note(start, "the model left something out: ...", "nothing was added", "loss")
    notes = [note for note in tokens.notes if note[0] <= end] + mender.notes()
    return Found(value, start, end, sorted(notes, key=lambda note: note[0]), bool(builder.left))


def _flow(text: str) -> Any:
    """Read the brackets in an outline."""
    try:
        return STRICT.decode(text)
    except (ValueError, RecursionError):
        return _read(text, 0, len(text), Effort(scan=8 * len(text), steps=len(text), tokens=20_000)).value


def _without_dots(value: Any) -> bool:
    """Take "..." out of every list of containers; say whether there were any."""
    found, stack = False, [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list) and item and isinstance(item[0], dict | list):
            kept = [one for one in item if not (isinstance(one, str) and ONLY_DOTS.match(one))]
            found = found or len(kept) < len(item)
            item[:] = kept
            stack.extend(kept)
    return found


def _located(text: str, notes: list[Note]) -> list[Repair]:
    """Turn notes into repairs with line and column, at most MAX_REPAIRS and one that counts the rest."""
    shown = notes[:MAX_REPAIRS]
    places, line, last = {}, 1, 0
    for at in sorted({note[0] for note in shown}):
        line, last = line + text.count("\n", last, at), at
        places[at] = f"line {line}, column {at - text.rfind(chr(10), 0, at)}"
    repairs = [Repair(places[at], problem, fix, level) for at, problem, fix, level in shown]
    rest = notes[MAX_REPAIRS:]
    if rest:
        levels: list[Level] = ["loss", "warn", "info"]
        worst = next(level for level in levels if any(note[3] == level for note in rest))
        repairs.append(Repair("line 1, column 1", f"{len(rest):,} more of these", "mended alike", worst))
    return repairs
