"""What a prompt asks for: its nouns, colours, season, light, size, and the words nobody knows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from voxgen.ask.stock import parts, shelf

Meaning = tuple[str, Any]  # what kind of word it is, and what it stands for
LONGEST = 3  # words in a phrase


@dataclass
class Wish:
    """A prompt, understood.

    subjects: names in subjects.json, in the order of the prompt.
    things: (part, how many, colour family or "") for every stock part named.
    """

    subjects: list[str] = field(default_factory=list)
    things: list[tuple[str, int, str]] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    tints: dict[str, str] = field(default_factory=dict)  # subject -> colour family
    season: str = ""
    light: str = ""
    size: str = ""
    unknown: list[str] = field(default_factory=list)


def understand(prompt: str) -> Wish:
    """Read a prompt word by word, longest phrases first.

    >>> wish = understand("a red castle at sunset with three sheep")
    >>> wish.subjects, wish.light, wish.things
    (['castle'], 'sunset', [('sheep', 3, '')])
    """
    words = re.findall(r"[^\W_]+", prompt.lower())[:200]
    wish, color, count, at = Wish(), "", 0, 0
    while at < len(words):
        length, meanings = phrase(words, at)
        for kind, value in meanings:
            if kind == "color":
                color = value
            elif kind == "number":
                count = value
            elif kind == "noun":
                _take_noun(wish, value, count, color, plural=words[at + length - 1].endswith("s"))
                color, count = "", 0
            elif kind != "silent":
                _take_mood(wish, kind, value)
        if not meanings:
            if words[at].isdigit():
                count = min(int(words[at][:4]), 24)
            elif words[at] not in wish.unknown:
                wish.unknown.append(words[at])
        at += length
    if color:
        wish.tints.setdefault(wish.subjects[0] if wish.subjects else "", color)
    return wish


def _take_noun(wish: Wish, names: dict[str, str], count: int, color: str, plural: bool) -> None:
    subject, part = names.get("subject"), names.get("part")
    if subject and not (wish.subjects and part and subject in wish.subjects):
        if subject not in wish.subjects:
            wish.subjects.append(subject)
        if color:
            wish.tints.setdefault(subject, color)
    if part and (not subject or len(wish.subjects) > 1 or count > 1):
        wish.things.append((part, count or (4 if plural else 1), color))


def _take_mood(wish: Wish, kind: str, value: str) -> None:
    if kind == "feature":
        wish.features.append(value)
    elif kind == "style":
        wish.styles.append(value)
    elif kind in ("season", "light", "size"):
        setattr(wish, kind, getattr(wish, kind) or value)


def phrase(words: list[str], at: int) -> tuple[int, list[Meaning]]:
    """Return how many words the longest known phrase has, and what it means; (1, []) if none is known."""
    for length in range(min(LONGEST, len(words) - at), 0, -1):
        phrase = words[at : at + length]
        for form in (" ".join(phrase), " ".join([*phrase[:-1], singular(phrase[-1])])):
            if form in dictionary():
                return length, dictionary()[form]
    return 1, []


def singular(word: str) -> str:
    """Return the singular of a regular English plural.

    >>> [singular(w) for w in ("cats", "cities", "foxes", "leaves", "glass")]
    ['cat', 'city', 'fox', 'leaf', 'glass']
    """
    for ending, stem in (
        ("ies", "y"),
        ("ves", "f"),
        ("xes", "x"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("sses", "ss"),
    ):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + stem
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


@cache
def dictionary() -> dict[str, list[Meaning]]:
    """Return every known phrase and its meanings; a noun may be a subject, a part, or both."""
    table: dict[str, list[Meaning]] = {}
    nouns: dict[str, dict[str, str]] = {}
    for name, subject in shelf("subjects").items():
        for word in subject["words"]:
            nouns.setdefault(word, {})["subject"] = name
    for name, part in parts().items():
        for word in [name.replace("_", " "), *part["words"]]:
            nouns.setdefault(word, {}).setdefault("part", name)
    words = shelf("vocabulary")
    for kind in ("color", "season", "light", "size", "style", "number", "feature"):
        for word, value in words[f"{kind}s"].items():
            table.setdefault(word, []).append((kind, value))
    for word, names in nouns.items():
        table.setdefault(word, []).append(("noun", names))
    for word in words["silent"]:
        table.setdefault(word, [("silent", "")])
    return table
