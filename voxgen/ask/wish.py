"""What a prompt asks for: its nouns and how they lie to each other, colours, season, weather, light, size."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any

from voxgen.ask.tongue import ADJECTIVE_LAST, translate
from voxgen.stock import parts, shelf

Meaning = tuple[str, Any]  # what kind of word it is, and what it stands for
LONGEST = 4  # words in a phrase
MANY = 24  # of one thing at most
_MATERIALS = ("wood", "stone", "brick", "thatch", "steel", "sand")


@dataclass
class Noun:
    """One thing a prompt names.

    subject, part, feature: what the library has for it: a recipe, a stock part, something in the ground.
    count: how many; 0 if the prompt does not say. relation: how it lies to the noun at index `anchor`
    ("by", "on", "in", "around", "under", "over", "behind", "before", "with"), or alone a place on the
    plot ("corner", "left", "right", "back", "front", "middle").
    """

    word: str
    subject: str = ""
    part: str = ""
    feature: str = ""
    count: int = 0
    plural: bool = False
    color: str = ""
    material: str = ""
    size: str = ""
    relation: str = ""
    anchor: int = -1
    slots: dict[str, str] = field(default_factory=dict)  # colours of its roof, walls, sails

    @property
    def many(self) -> int:
        """How many to stand: what the prompt says, else one, or four of a plural."""
        return self.count or (4 if self.plural else 1)


@dataclass
class Wish:
    """A prompt, understood."""

    nouns: list[Noun] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    season: str = ""
    weather: str = ""
    light: str = ""
    color: str = ""  # a colour that belongs to no noun
    guessed: dict[str, str] = field(default_factory=dict)  # misspelt word -> the word it was taken for
    hinted: dict[str, str] = field(default_factory=dict)  # word without a part -> the nearest subject
    unknown: list[str] = field(default_factory=list)


@dataclass
class _Pending:
    """What was said before the noun it belongs to."""

    color: str = ""
    material: str = ""
    size: str = ""
    count: int = 0
    relation: str = ""
    place: str = ""


def understand(prompt: str) -> Wish:
    """Read a prompt word by word, longest phrases first.

    >>> wish = understand("three black cats by the pond at sunset")
    >>> [(n.word, n.many, n.color, n.relation) for n in wish.nouns], wish.light
    ([('cats', 3, 'black', 'by'), ('pond', 1, '', '')], 'sunset')
    """
    said, language = translate(re.findall(r"[^\W_]+", prompt.lower())[:200])
    words = " ".join(said).split()
    wish, pending, at, after = Wish(), _Pending(), 0, False
    while at < len(words):
        length, meanings = phrase(words, at)
        if not meanings:
            meanings = _guess(wish, pending, words[at])
        kinds = [kind for kind, _ in meanings]
        if "color" in kinds and "noun" in kinds:  # a stone tower, made of stone; but: a stone
            told = after or any(kind == "noun" for kind, _ in phrase(words, at + length)[1])
            meanings = [m for m in meanings if (m[0] == "color") == told]
        for kind, value in meanings:
            late = bool(wish.nouns) and not pending.relation and (after or language in ADJECTIVE_LAST)
            if kind == "noun":
                _take_noun(wish, pending, " ".join(words[at : at + length]), value)
                pending = _Pending()
            else:
                _take(wish, pending, kind, value, late)
        after = words[at] in ("of", "made")
        at += length
    wish.color = pending.color or pending.material
    return wish


def _take_noun(wish: Wish, pending: _Pending, word: str, names: dict[str, str]) -> None:
    """Add a noun with what was said before it, and tie it to the noun it relates to."""
    noun = Noun(
        word,
        names.get("subject", ""),
        names.get("part", ""),
        names.get("feature", ""),
        pending.count,
        word.endswith("s") and not word.endswith("ss") and word not in dictionary(),
        pending.color,
        pending.material,
        pending.size,
        pending.place,
    )
    here, last = len(wish.nouns), wish.nouns[-1] if wish.nouns else None
    if pending.relation in ("with", "surrounded"):
        noun.relation, noun.anchor = "around" if pending.relation == "surrounded" else "with", here - 1
    elif pending.relation and last and last.relation in ("", "with"):
        last.relation, last.anchor = pending.relation, here
    wish.nouns.append(noun)


def _take(wish: Wish, pending: _Pending, kind: str, value: Any, late: bool) -> None:
    """Keep what a word other than a noun says; late: it may belong to the noun before it."""
    last = wish.nouns[-1] if wish.nouns else None
    if kind == "color":
        slot = "material" if value in _MATERIALS else "color"
        owner = last if late and last and not getattr(last, slot) else pending
        setattr(owner, slot, value)
    elif kind == "size":
        owner = last if late and last and not last.size else pending
        owner.size = owner.size or value
    elif kind == "number":
        pending.count = value
    elif kind == "slot":
        if last and pending.color:
            last.slots[value] = pending.color
        pending.color = pending.relation = ""
    elif kind == "relation":
        pending.relation = value
    elif kind == "place" and last and last.relation in ("", "with"):
        last.relation = value
    elif kind == "place":
        pending.place = value
    elif kind == "style":
        wish.styles.append(value)
    elif kind in ("season", "light", "weather"):
        setattr(wish, kind, getattr(wish, kind) or value)


def _guess(wish: Wish, pending: _Pending, word: str) -> list[Meaning]:
    """Return what an unknown word may mean: a number, a misspelt word, a word with a near subject."""
    if word.isdigit():
        pending.count = min(int(word[:4]), MANY)
        return []
    hints = shelf("vocabulary")["hints"]
    for form in (word, singular(word)):
        subject = next((s for s, known in hints.items() if form in known), None)
        if subject:
            wish.hinted[word] = subject
            return []
    near = get_close_matches(word, _spellings(), 4, 0.84) if 5 <= len(word) <= 30 else []
    if near:
        best = next((form for form in near if "subject" in nouns().get(form, {})), near[0])
        wish.guessed[word] = best
        return dictionary()[best]
    if word not in wish.unknown:
        wish.unknown.append(word)
    return []


@cache
def _spellings() -> list[str]:
    return sorted(word for word in dictionary() if len(word) > 4 and " " not in word)


def phrase(words: list[str], at: int) -> tuple[int, list[Meaning]]:
    """Return how many words the longest known phrase has, and what it means; (1, []) if none is known."""
    for length in range(min(LONGEST, len(words) - at), 0, -1):
        phrase = words[at : at + length]
        for form in (" ".join(phrase), " ".join([*phrase[:-1], singular(phrase[-1])])):
            if form in dictionary():
                return length, dictionary()[form]
    return 1, []


_IRREGULAR = {
    "geese": "goose", "men": "man", "children": "child", "mice": "mouse", "wolves": "wolf",
    "leaves": "leaf", "people": "person", "cacti": "cactus", "knives": "knife", "oxen": "ox",
    "buses": "bus", "igloos": "igloo", "volcanoes": "volcano", "tomatoes": "tomato",
}  # fmt: skip


def singular(word: str) -> str:
    """Return the singular of an English plural.

    >>> [singular(w) for w in ("cats", "cities", "foxes", "wolves", "glass")]
    ['cat', 'city', 'fox', 'wolf', 'glass']
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("men") and len(word) > 4:
        return word[:-3] + "man"
    for ending, stem in (("ies", "y"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + stem
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


@cache
def dictionary() -> dict[str, list[Meaning]]:
    """Return every known phrase and its meanings; a noun may be a subject, a part and a feature at once."""
    table: dict[str, list[Meaning]] = {}
    words = shelf("vocabulary")
    kinds = ("color", "season", "light", "weather", "size", "style", "number", "relation", "place", "slot")
    for kind in kinds:
        for word, value in words[f"{kind}s"].items():
            table.setdefault(word, []).append((kind, value))
    for word, names in nouns().items():
        table.setdefault(word, []).append(("noun", names))
    for word in words["silent"]:
        table.setdefault(word, [("silent", "")])
    return table


@cache
def nouns() -> dict[str, dict[str, str]]:
    """Return every noun the library knows: phrase -> {"subject", "part", "feature"}, those it has."""
    table: dict[str, dict[str, str]] = {}
    for name, subject in shelf("subjects").items():
        for word in subject["words"]:
            table.setdefault(word, {}).setdefault("subject", name)
    for name, part in parts().items():
        for word in [name.replace("_", " "), *part["words"]]:
            table.setdefault(word, {}).setdefault("part", name)
    for word, feature in shelf("vocabulary")["features"].items():
        table.setdefault(word, {}).setdefault("feature", feature)
    return table
