"""Words of other languages in English: Italian, Spanish, German, French and Chinese.

library/languages.json says which English word each stands for. A prompt is read in the language that
knows most of its words; endings of number and gender are cut off. Chinese is read in simplified characters,
cut into words and turned round where it puts the place before the thing.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from voxgen.stock import shelf

ADJECTIVE_LAST = ("it", "es", "fr")  # languages that say "a castle red"
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
_ENDINGS = {
    "it": r"(?:ghi|ghe|chi|che|[aeio])$",
    "es": r"(?:es|[ao]s|s|[aeo])$",
    "de": r"(?:en|ern|er|es|em|e|n|s)$",
    "fr": r"(?:es|e|s|x)$",
}
_PLACES = {"in", "on", "by", "under", "behind", "in front of", "around", "over"}
_LONGEST = 4  # words in a phrase


def translate(words: list[str]) -> tuple[list[str], str]:
    """Return the words in English where another language knows them better, and that language.

    words: lower case, without punctuation. The language is "" for English. Words nobody knows stay.

    >>> translate("un castillo rojo en la nieve".split())
    (['one', 'castle', 'red', 'in', 'the', 'snow'], 'es')
    >>> translate(["樱花树下的寺庙"]) == translate(["櫻花樹下的寺廟"])
    True
    >>> translate(["猫在桥上"])
    (['cat', 'on', 'bridge'], 'zh')
    """
    if any(_CHINESE.search(word) for word in words):
        return _from_chinese("".join(words)), "zh"
    best, most = "", sum(word in _english() for word in words)
    for language in _ENDINGS:
        known = sum(_find([word], language) is not None for word in words)
        if known > most:
            best, most = language, known
    return (_replace(words, best), best) if best else (words, "")


@cache
def _english() -> frozenset[str]:
    from voxgen.ask.wish import dictionary, singular

    single = {word for phrase in dictionary() for word in phrase.split()}
    return frozenset(single | {word + "s" for word in single} | {singular(word) for word in single})


def _replace(words: list[str], language: str) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            found = _find(words[at : at + length], language)
            if found is not None:
                out.append(found)
                break
        else:
            length = 1
            out.append(words[at])
        at += length
    return out


def _find(words: list[str], language: str) -> str | None:
    phrase = " ".join(words)
    exact, stems = _table(language)
    once = stem(phrase, language)
    forms = (phrase, fold(phrase), once, stem(once, language))
    return next((found for form in forms if (found := exact.get(form) or stems.get(form))), None)


@cache
def _table(language: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return a language's phrases as written and without accents, and by their stems."""
    exact: dict[str, str] = {}
    stems: dict[str, str] = {}
    for phrase, english in shelf("languages")[language].items():
        exact.setdefault(phrase, english)
        exact.setdefault(fold(phrase), english)
        if len(phrase) > 2 and english != "the":
            stems.setdefault(stem(phrase, language), english)
    return exact, stems


def fold(text: str) -> str:
    """Return text without accents: "château" is "chateau", "weiß" is "weiss"."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("œ", "oe"))
    return "".join(c for c in plain if not unicodedata.combining(c))


def stem(phrase: str, language: str) -> str:
    """Return a phrase without accents and without its words' endings of number and gender.

    >>> [stem(w, "it") for w in ("gatto", "gatti", "bosco", "boschi")]
    ['gatt', 'gatt', 'bosc', 'bosc']
    """
    cut = [_cut(word, language) for word in fold(phrase).split()]
    return " ".join(cut)


def _cut(word: str, language: str) -> str:
    if len(word) < 4:
        return word
    short = re.sub(_ENDINGS[language], "", word)
    if language == "it" and word[-3:] in ("chi", "che", "ghi", "ghe"):
        short += word[-3]
    if language == "es" and short.endswith("z"):
        short = short[:-1] + "c"
    return short if len(short) > 2 else word


def _from_chinese(text: str) -> list[str]:
    """Cut Chinese into words and put "B under A" for "A under 的 B"."""
    table = shelf("languages")["zh"]
    text = text.translate(str.maketrans(*shelf("languages")["traditional"]))
    longest = max(map(len, table))
    words: list[str] = []  # as English, or "的" where it joins a place to a thing
    unknown = ""
    at = 0
    while at < len(text):
        for length in range(min(longest, len(text) - at), 0, -1):
            piece = text[at : at + length]
            if piece in table:
                if unknown:
                    words.append(unknown)
                unknown = ""
                words.append("的" if piece == "的" else table[piece])
                break
        else:
            length = 1
            unknown += text[at]
        at += length
    if unknown:
        words.append(unknown)
    return _turned(_placed(words))


def _placed(words: list[str]) -> list[str]:
    """Put "B on A" for "B in A on": Chinese says on which side of a thing behind it."""
    if "in" in words[:-2] and "的" not in words and words[-1] in _PLACES:
        at = words.index("in")
        return [*words[:at], words[-1], *words[at + 1 : -1]]
    return words


def _turned(words: list[str]) -> list[str]:
    for i, word in enumerate(words):
        before = [w for w in words[:i] if w != "的"]
        if word != "的" or not before:
            continue
        after = words[i + 1 :]
        if before[-1] in _PLACES and len(before) > 1:  # A below 的 B
            front = before[:-1] if before[0] not in _PLACES else before[1:-1]
            return [*_turned(after), before[-1], *front]
        if before[0] == "with" and len(before) > 1:  # having A 的 B
            return [*_turned(after), "with", *before[1:]]
    return [w for w in words if w != "的"]
