"""stitched(): a reply that was cut off, and what a model wrote when asked to go on, as one text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from voxgen.errors import ReplyError
from voxgen.language.reply import parse

__all__ = ["stitched"]

LONGEST = 4000  # characters a continuation may repeat
_SURE = 4  # characters repeated that are no coincidence: 2 of 1,080 cuts of real replies look like it
_MOST = 3  # lengths of repetition tried
_FENCE = re.compile(r"\s*(?:[^\n{}\[\]\"]*\n)*?\s*```\w*[ \t]*\n?")
_PROSE = re.compile(r"\s*[A-Za-z][^\n{}\[\]\"]*\n\s*")


def stitched(before: str, more: str) -> str:
    r"""Join a reply that stopped in the middle and its continuation.

    The continuation may repeat the last characters, begin the last step anew, or the whole scene; it may come
    in a fence or after a sentence. Of all ways to join them the one that needs the fewest repairs is taken.

    >>> stitched('{"build": [{"box": [[0, 0', '```json\n[[0, 0, 0], [1, 1, 1]]}]}')
    '{"build": [{"box": [[0, 0, 0], [1, 1, 1]]}]}'
    """
    ways = list(dict.fromkeys(_ways(before, more)))
    return min(ways, key=lambda text: (_repairs(text), ways.index(text)))


def _ways(before: str, more: str) -> Iterator[str]:
    """Yield every way to join the two, the likeliest first."""
    for rest in dict.fromkeys([_bare(more), more.lstrip("\n"), more]):
        whole = _begun(before)
        if rest.lstrip().startswith("{") and rest.split()[:1] and _begins_anew(whole, rest):
            yield rest if len(rest) > len(whole) / 2 else before
        repeated = [
            n for n in range(min(LONGEST, len(rest), len(before)), 0, -1) if before.endswith(rest[:n])
        ]
        yield from (before + rest[n:] for n in repeated[:_MOST] if n >= _SURE)
        yield before + rest
        yield from (before + rest[n:] for n in repeated[-_MOST:] if n < _SURE)
        if (start := _last_item(before)) is not None:
            head, tail = before[:start], rest.lstrip().removeprefix(",").lstrip()
            yield head + tail
            yield head.rstrip().removesuffix(",") + "," + tail
        yield before.rstrip().removesuffix(",") + "," + rest.lstrip().removeprefix(",")


def _bare(more: str) -> str:
    """Return a continuation without the sentence and the fence it begins with."""
    for wrapping in (_FENCE, _PROSE):
        found = wrapping.match(more[:1000])
        if found:
            return re.sub(r"\n?```\s*$", "", more[found.end() :])
    return more


def _begun(text: str) -> str:
    """Return a reply from its first bracket on."""
    return text[max(0, text.find("{")) :]


def _begins_anew(whole: str, rest: str) -> bool:
    """Say whether a continuation is the scene once more from its beginning."""
    first, second = ("".join(text[:200].split())[:40] for text in (whole, rest.lstrip()))
    return len(first) >= 12 and first[:12] == second[:12]


def _last_item(text: str) -> int | None:
    """Return where the outermost unfinished step in a list begins, None where none is open."""
    opened: list[tuple[str, int]] = []
    quoted = False
    for found in re.finditer(r'\\.|["\[\]{}]', text):
        sign = found[0]
        if sign == '"':
            quoted = not quoted
        elif quoted or sign[0] == "\\":
            continue
        elif sign in "[{":
            opened.append((sign, found.start()))
        elif opened:
            opened.pop()
    for (outer, _), (sign, at) in pairwise(opened):
        if outer == "[" and sign == "{":
            return at
    return None


def _repairs(text: str) -> int:
    """Return how much has to be mended to read a text; what cannot be read comes last."""
    try:
        return len(parse(text)[1])
    except ReplyError:
        return 1 << 30
