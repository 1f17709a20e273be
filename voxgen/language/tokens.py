"""The tokens of a reply, read forgivingly: quotes, numbers, words, comments and brackets of every kind."""

from __future__ import annotations

import ast
import json
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from voxgen.errors import ReplyError
from voxgen.scene import Level

__all__ = ["MAX_DEPTH", "MAX_REPAIRS", "MAX_REPEAT", "Effort", "Note", "Token", "Tokens"]

MAX_DEPTH = 100  # brackets inside brackets
MAX_REPAIRS = 200
MAX_NOTES = 50 * MAX_REPAIRS
MAX_ESCAPES = 200_000
MAX_REPEAT = 65_536  # items of ["g"] * n, characters of "g" * n

Note = tuple[int, str, str, Level]  # where in the text, problem, fix, level


class Token(NamedTuple):
    """One piece of a reply.

    kind: one of `{ } [ ] , :`, or `s` text in quotes, `w` a bare word, `n` a number or literal, `v` a whole
    well-formed container, `r` a run of well-formed items or pairs, each with its comma, `~` text cut off by
    the end, `$` the end.
    """

    kind: str
    value: Any
    start: int
    end: int


@dataclass
class Effort:
    """What guessing may still cost, in characters scanned and steps tried, over a whole reply."""

    scan: int
    steps: int
    broken: int = 0  # where a strict scan met the first thing it could not read
    tokens: int = 150_000  # read one by one; what follows is left out, so that no reply takes minutes


class _TwiceError(ValueError):
    """A strict object that names a key twice: left to the forgiving reader, which merges."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError
    return found


def _constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON; the forgiving reader notes them


STRICT = json.JSONDecoder(strict=False, object_pairs_hook=_object, parse_constant=_constant)
SCAN: Callable[[str, int], tuple[Any, int]] = STRICT.scan_once  # type: ignore[attr-defined]


LONGEST = 4000  # characters of one bare word
BLOCK = 1 << 16  # characters of many items read in one go,
BLOCK_AFTER = 64  # after so many of them one by one
LAST = 4  # items of a run left to be read one by one, in case the mender needs them

# blanks, comments, what the model says it left out
BLANK = re.compile(r"(?:[\s\x00-\x1f\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff]|\\[nrt](?![a-z]))*")
SPACE = re.compile(r"\s*")
HOPELESS = re.compile(
    r"\{\s*[^\s\"}]|\[\s*(?:[^\s\[\]{\"\d\-tfn]|\{\s*[^\s\"}])|[^\[{\"\d\-tfn]"
)  # no strict JSON
PAIR = re.compile(r'\s*"([^"\\\x00-\x1f]*)"\s*:\s*')
COMMA = re.compile(r"\s*,")
LINE_COMMENT = re.compile(r"//[^\n]*|/\*[^\n]*|<!--[^\n]*|#[^\n]*|--[ \t][^\n]*")
CLOSERS = {"/*": "*/", "<!": "-->"}
COMMENT_AFTER = re.compile(r"\s(?://|/\*|#|<!--)")
JSON_AGAIN = re.compile(r"[\"'][\w (),-]{1,40}[\"']\s*:|[\[{]\s*[\"'\[{\d]|[\]}]")
TAG = re.compile(r"</?[A-Za-z|][^<>\n]{0,80}>")
DOTS = re.compile(r"(?:\.{2,}|…)[^\n\]}\[{,\"]*")
ONLY_DOTS = re.compile(r"\s*(?:\.{3,}|…)(?:\s.*|\(.*)?$", re.S)
LEFT_OUT = re.compile(
    r"(?i)\.\.\.|…|\b(?:and so on|etc|remaining|(?:the )?rest of|the rest|same (?:as|for)|omitted|truncated"
    r"|for brevity|(?:\d+|many|more) more|more (?:rows|layers|voxels|steps|blocks))\b"
    r"|\b(?:repeat|continu|similar|snip)"
)

# text in quotes
QUOTES = {
    '"': '"', "'": "'", "`": "`´'", "´": "´`", "“": "”“\"", "”": "”\"", "„": "“”\"", "＂": "＂",
    "‘": "’‘'", "’": "’'", "«": "»", "»": "«",
}  # fmt: skip
STOPS = {quote: re.compile(rf"\\.|[{ends}]", re.S) for quote, ends in QUOTES.items()}
RUN_ON = {quote: re.compile(rf"(?:[^\\{ends}]+|\\.){{0,5000}}", re.S) for quote, ends in QUOTES.items()}
MIXED = re.compile(r"(?:'(\w[\w #.-]{0,40})[\"”]|\"(\w[\w #.-]{0,40})['”’])(?=\s*[:,\]}])")  # 'name"
PLAIN = re.compile(r'"([^"\\\x00-\x1f]*)"(?=\s*[,\]}:])')
TWO_QUOTES = re.compile(r'""[^\s,\]}:"]')
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|(.))", re.S)
ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "\n": ""}
CUT_ESCAPE = re.compile(r"(?<!\\)\\(?:u[0-9a-fA-F]{0,3})?$")
AFTER_COMMA = re.compile(  # what may follow a comma after a closing quote
    r"\s*(?:[\"'“‘`„«\[\]{}()\d#./<…+\\-]|$|(?:true|false|null|None|True|False|NaN)\b"
    r"|[\w ]{1,40}[\"']?\s*[:=]|\w+\s*[,\]}])"
)
POSTFIX = re.compile(r"\*\s*\d|\+\s*[\"'`]|\.(?:repeat|join|fill)\(|\.{3}")
ENDING = re.compile(r"//|/\*|#|</|<!--|```|\\[nrt\"]")
DOUBLED = re.compile(r"[\"'](?=\s*(?:[,\]}:]|$))")
BREAK = re.compile(r"(?:[^,\[\]{}\n(]|\([^()\n]*\)|\()*")
KEY_END = re.compile(r"\s*[:=,{}\[\]]")
LINE_END = re.compile(r"[,\]}][ \t]*\n|[\]}]\s*$")
STRUCTURE = re.compile(r'["{}\[\]]')
SCALAR = re.compile(r"-?\d|true\b|false\b|null\b")
REPEAT = re.compile(r"\s*\*\s*(\d{1,9})(?=\s*[,\]})+;\n])|\s*\.repeat\(\s*(\d{1,9})\s*\)")
PLUS_TEXT = re.compile(r"\s*\+\s*(?=[\"'`])")

# numbers and bare words
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?(?=\s*[,\]}:])")
LOOSE_NUMBER = re.compile(r"[-+−–]?(?:0[xX][\da-fA-F]+|0[bB][01]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
UNIT = re.compile(r"\s*(?:f|px|m|cm|mm|vox|voxels?|units?|blocks?|cells?|%|deg|degrees|°)")
SIZES = re.compile(r"(?!0x)\d{1,6}(?:\s{0,3}[x×]\s{0,3}\d{1,6}){1,2}(?=\s*[,\]}])")
NO_BRACKETS = re.compile(  # "size": 6, 6, 4, "palette": … but not 1,024
    r"-?\d+(?:\.\d+)?(?:\s*,\s*-?\d+(?:\.\d+)?){2,5}(?=\s*(?:,\s*[\"'A-Za-z_]|\}))"
)
THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+")
SPACED = re.compile(r"\s+(?=[\w.#\"']|[-+][\d.])")
SUM = re.compile(r"[\d.\s()+\-*/%_eE]+")
RANGE = re.compile(r"range\(\s*(-?\d{1,6})\s*(?:,\s*(-?\d{1,6})\s*)?(?:,\s*(-?\d{1,6})\s*)?\)")
HEX_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})(?=\s*[,\]}\"'\n]|\s+//|\s*$)")
NAMESPACED = re.compile(r"[a-z][\w.-]*:[a-z][\w/.-]*(?:\[[\w=,: ]*\])?")
TUPLE = re.compile(r"\((?:[^()]|\([^()]*\))*\)\s*")
TUPLE_KEY = re.compile(r"\(([^()\n]{1,80})\)(?=\s*:)")
FUNCTIONS: dict[str, Callable[..., float]] = {
    "floor": math.floor, "ceil": math.ceil, "round": round, "trunc": int, "int": int, "float": float,
    "max": max, "min": min, "abs": abs,
}  # fmt: skip
CALL = re.compile(r"(?:new\s+)?[A-Za-z_][\w.]*\(([^()]*)\)")
COLOR_CALL = re.compile(r"(?i)(?:rgb|hsl|hsv|hwb|lab|lch|oklab|oklch|color)a?\(")
PHRASE = re.compile(  # bare text up to the next mark; brackets after a name belong to it
    r"""(?:[^,;\[\]{}()"'\\\n:=，：；、｛｝［］【】“”]+|[<>=!]=|=(?=>)|'(?!\s*[,\]}:])"""
    r"""|\((?:[^()\n"\[\]{}]|\([^()\n"]*\))*\))+"""
)
WORDS: dict[str, Any] = {
    "true": True, "false": False, "yes": True, "no": False,
    "null": None, "none": None, "nil": None, "undefined": None,
    "nan": math.nan, "infinity": math.inf, "-infinity": -math.inf, "inf": math.inf, "-inf": -math.inf,
}  # fmt: skip
PREFIXES = frozenset(["r", "b", "f", "u", "rb", "br", "fr", "rf"])  # of Python's texts
MARKS = {
    ",": ",", ";": ",", "，": ",", "、": ",", "；": ",", ":": ":", "=": ":", "：": ":",
    "{": "{", "｛": "{", "}": "}", "｝": "}", "[": "[", "［": "[", "【": "[", "]": "]", "］": "]", "】": "]",
}  # fmt: skip


class Tokens:
    """The tokens of text[start:stop], read as far as somebody asks."""

    def __init__(self, text: str, start: int, stop: int, effort: Effort, whole: bool = True) -> None:
        self.text, self.position, self.stop, self.effort = text, start, stop, effort
        self.whole = whole  # take well-formed containers in one bite
        self.read: list[Token] = []
        self.notes: list[Note] = []
        self.inside: list[str] = []  # the brackets open here, as written
        self.missing: set[str] = set()  # what closes comments and does not come any more
        self.streak = 0  # whole values read one by one since the last run

    def __getitem__(self, i: int) -> Token:
        while i >= len(self.read):
            if self.read and self.read[-1].kind == "$":
                return self.read[-1]
            self._next()
        return self.read[i]

    def note(self, at: int, problem: str, fix: str, level: Level = "info") -> None:
        """Remember what was odd at a place in the text, as long as anybody could want to know."""
        if len(self.notes) < MAX_NOTES:
            self.notes.append((at, problem, fix, level))

    def unpack(self, i: int) -> None:
        """Replace the whole container that is token i by the tokens in it."""
        token = self.read[i]
        inner = Tokens(self.text, token.start, token.end, self.effort, whole=False)
        while not inner.read or inner.read[-1].kind != "$":
            inner._next()
            inner.whole = token.end - token.start > 400  # of a large one, only the outermost brackets
        self.read[i : i + 1] = inner.read[:-1]

    def _add(self, kind: str, value: Any, start: int, end: int) -> None:
        self.read.append(Token(kind, value, start, end))
        self.position = end

    def _next(self) -> None:
        """Read one token, or step over something that is none."""
        start = self.position = self._skip_blanks()
        self.effort.tokens -= 1
        if self.effort.tokens <= 0 and start < self.stop:
            self.notes.append(
                (start, "the reply is too long and too broken to mend", "the rest is left out", "loss")
            )
            self.stop = start
        if start >= self.stop:
            self._add("$", None, self.stop, self.stop)
            return
        sign = self.text[start]
        mark = ":" if self.text.startswith("->", start) and self.read[-1].kind in "sw" else MARKS.get(sign)
        if mark in ("{", "["):
            self._open(start, mark)
        elif mark in ("}", "]"):
            self._close(start, mark)
        elif mark:
            self._separator(start, mark)
        elif sign in QUOTES or self.text.startswith('\\"', start):
            self._text(start)
        elif sign in "()":
            self._round(start, sign)
        else:
            self._bare(start)

    def _skip_blanks(self) -> int:
        """Step over blanks, comments and tags; return where the next token starts."""
        text, at = self.text, self.position
        while True:
            found = BLANK.match(text, at, self.stop)
            if found and "\\" in found[0]:
                self.note(at, "escaped line ends outside a text", "ignored")
            at = found.end() if found else at
            sign = text[at : at + 1]
            if sign not in "/#<-`" or not sign or at >= self.stop:
                return at
            if text.startswith("```", at):
                self.stop = at  # a fence ends whatever was not finished
                return at
            if sign == "#" and HEX_COLOR.match(text, at, self.stop):
                return at
            end = self._comment_end(at)
            if end < 0:
                return at
            at = self._comment(at, end)
            self.effort.tokens -= 1
            if self.effort.tokens <= 0:
                return at

    def _comment_end(self, start: int) -> int:
        """Return where a comment or a tag ends, -1 if there is none; one never closed ends with its line."""
        closer = CLOSERS.get(self.text[start : start + 2])
        if closer and closer not in self.missing:
            end = self.text.find(closer, start + 2, self.stop)
            if end >= 0:
                return end + len(closer)
            self.missing.add(closer)  # looking for it once is enough
        found = LINE_COMMENT.match(self.text, start, self.stop) or TAG.match(self.text, start, self.stop)
        return found.end() if found else -1

    def _comment(self, start: int, end: int) -> int:
        """Note a comment; return where reading goes on."""
        if end == self.stop and self.text[start] in "/#-" and self.text[start + 1 : start + 2] != "*":
            rest = JSON_AGAIN.search(self.text, start, end)  # all on one line: the scene goes on in it
            end = rest.start() if rest else end
        said = self.text[start : min(end, start + 400)]
        if LEFT_OUT.search(said):
            self.note(start, f"the model left something out: {short(said)}", "nothing was added", "loss")
        else:
            self.note(start, f"a comment: {short(said)}", "ignored")
        return max(end, start + 1)

    def _open(self, start: int, mark: str) -> None:
        """Take a well-formed container whole, at the speed of C, or only its bracket."""
        hopeless = self.effort.broken - start > 4 * BLOCK  # one scan of so much is enough
        found = self._scanned(start) if self.whole and not hopeless and self.text[start] == mark else None
        if found and found[1] <= self.stop:
            self.streak += 1
            self._repeatable("v", found[0], start, found[1])
            return
        self._enter(start, mark)
        self._run(start + 1)

    def _enter(self, start: int, mark: str) -> None:
        self.inside.append(self.text[start])
        if len(self.inside) > MAX_DEPTH:
            raise too_deep(place(self.text, start))
        self._add(mark, None, start, start + 1)

    def _scanned(self, start: int) -> tuple[Any, int] | None:
        """Read one strict JSON value and say where it ends; None if there is none, or no effort left."""
        if self.effort.scan <= 0 or HOPELESS.match(self.text, start):
            return None
        try:
            return SCAN(self.text, start)
        except (ValueError, StopIteration, RecursionError) as error:
            # a failure counts the newlines before it, hence the share of `start`
            at = getattr(error, "pos", start + 5000)
            self.effort.scan -= 100 + start // 64 + at - start
            self.effort.broken = max(self.effort.broken, at)
            return None

    def _run(self, at: int) -> None:
        """Take the well-formed items, or pairs, that follow in one token, all but the last few."""
        start, pairs = at, self.inside[-1] == "{"
        items: list[Any] = []
        ends: list[int] = []  # of the items read one by one since the last block
        self.streak = 0
        while self.whole and (lead := (PAIR if pairs else SPACE).match(self.text, at)):
            if len(ends) >= BLOCK_AFTER and not pairs and (block := self._block(at)):
                items += block[0]
                at, ends = block[1], []
                continue
            found = self._scanned(lead.end())
            comma = COMMA.match(self.text, found[1], self.stop) if found else None
            if not found or not comma:
                break
            at = comma.end()
            items.append((lead[1], found[0]) if pairs else found[0])
            ends.append(at)
        if len(items) > 2 * LAST and len(ends) > LAST:
            self._add("r", items[:-LAST], start, ends[-1 - LAST])
        elif len(items) > 2 * LAST:
            self._add("r", items, start, at)

    def _block(self, at: int) -> tuple[list[Any], int] | None:
        """Read many items of one sort in one go; return them and where the next begins, if well formed."""
        closer = self.text[at - 2 : at]  # "]," or "},"; plain items have a comma only
        closer = closer if closer in ("],", "},") else ","
        end = self.text.rfind(closer, at, min(self.stop, at + BLOCK)) + len(closer) - 1
        if end < at or self.effort.scan <= 0:
            return None
        try:
            return STRICT.decode(f"[{self.text[at:end]}]"), end + 1
        except (ValueError, RecursionError):
            self.effort.scan -= end - at
            return None

    def _close(self, start: int, mark: str) -> None:
        if self.inside:
            self.inside.pop()
        times = REPEAT.match(self.text, start + 1, self.stop) if mark == "]" else None
        if times:
            self._add(mark, _count(times), start, times.end())
        else:
            self._add(mark, 1, start, start + 1)

    def _separator(self, start: int, mark: str) -> None:
        text, end = self.text, start + 1
        if text[start] in "=-" and text[end : end + 1] == ">":
            end += 1
        if text[start] != mark:
            self.note(start, f"{text[start:end]} in place of {mark}", f"read as {mark}")
        self._add(mark, None, start, end)
        if self.streak > 4 * LAST and mark == "," and self.inside:
            self._run(end)

    def _round(self, start: int, sign: str) -> None:
        """Round brackets: a sum, a tuple as a key, a tuple, or the rest of a call."""
        if sign == ")":
            if self.inside and self.inside[-1] == "(":
                self._close(start, "]")
            self.position = max(self.position, start + 1)
            return
        before = self.read[-1].kind if self.read else "["
        phrase = PHRASE.match(self.text, start, min(start + 200, self.stop))
        value = work_out(phrase[0]) if phrase else None
        if phrase and value is not None:
            self.note(start, f"a sum: {short(phrase[0])}", f"read as {value}")
            self._add("n", value, start, phrase.end())
        elif before in "{," and (key := TUPLE_KEY.match(self.text, start, self.stop)):
            self.note(start, f"a tuple as a key: {key[0]}", "read as text")
            self._add("s", re.sub(r"\s", "", key[1]), start, key.end())
        elif phrase and not TUPLE.fullmatch(phrase[0]):
            self._phrase(phrase[0].rstrip(), start)
        else:
            self.note(start, "a tuple", "read as a list")
            self._enter(start, "[")

    def _repeatable(self, kind: str, value: Any, start: int, end: int) -> None:
        """Add a text or a container, as often as Python or JavaScript would make it: "ab" * 3."""
        times = (
            REPEAT.match(self.text, end, self.stop) if self.text[end : end + 1] in (" ", "*", ".") else None
        )
        if times and not isinstance(value, dict) and len(value) * _count(times) <= MAX_REPEAT:
            self.note(end, f"an expression: {short(times[0])}", f"repeated {_count(times)} times")
            value, end = value * _count(times), times.end()
        self._add(kind, value, start, end)

    def _text(self, start: int) -> None:
        """Read text in quotes, or texts added with +."""
        if plain := PLAIN.match(self.text, start, self.stop):
            self._add("s", plain[1], start, plain.end())
            return
        if (mixed := MIXED.match(self.text, start, self.stop)) and self._ends_alone(mixed):
            self.note(start, f"text between {mixed[0][0]} and {mixed[0][-1]}", "read as text")
            self._add("s", mixed[1] or mixed[2], start, mixed.end())
            return
        content, end = self._triple(start) or self._quoted(start)
        if content is None and end < self.stop:
            self.note(start, f"a stray {self.text[start]}", "ignored", "warn")
            self.position = end
            return
        if content is None:
            self.note(start, "the reply ends inside a text", "what was finished is kept", "loss")
            self._add("~", unescape(self.text[start + 1 : self.stop]), start, self.stop)
            return
        plus = PLUS_TEXT.match(self.text, end, self.stop)
        if plus and plus.end() < self.stop:
            self.note(start, "texts added with +", "joined")
            more, end = self._quoted(plus.end())
            content += more or ""
        self._repeatable("s", content, start, end)

    def _ends_alone(self, mixed: re.Match[str]) -> bool:
        """Whether a text ends at a quote of another kind: its own does not come soon after."""
        after = self.text[mixed.end() : min(mixed.end() + 60, self.stop)]
        own = after.find(mixed[0][0])
        return own < 0 or not after[:own].strip(" \t\r\n,:[{}]") or bool(re.search(r'["“\[{]', after[:own]))

    def _triple(self, start: int) -> tuple[str, int] | None:
        """Read a text in triple quotes, if there is one."""
        quotes = self.text[start : start + 3]
        end = self.text.find(quotes, start + 3, self.stop) if quotes in ('"""', "'''") else -1
        if end < 0:
            return None
        self.note(start, "a text in triple quotes", "read as text")
        return self.text[start + 3 : end], end + 3

    def _quoted(self, start: int) -> tuple[str | None, int]:
        """Return the text that opens at start and where it ends; None if the reply ends inside it."""
        text, escaped = self.text, self.text[start] == "\\"
        start += escaped
        quote = text[start]
        if TWO_QUOTES.match(text, start, self.stop):
            self.note(start, "a quote too many", "dropped", "warn")
            start += 1
        if quote != '"':
            self.note(start, f"text between {quote} and {QUOTES[quote][0]}", "read as text")
        stop = self.stop if self.effort.steps > 0 else min(self.stop, start + 200)
        at, first = start + 1, -1  # first: a quote that may be an inner one
        while found := STOPS[quote].search(text, at, stop):
            at = found.end()
            if found[0][0] == "\\" and not (escaped and found[0] == '\\"'):
                at = at if escaped else RUN_ON[quote].match(text, at, stop).end()  # type: ignore[union-attr]
                continue
            if first >= 0 and self._too_far(first, found.start()):
                break
            verdict = self._judge(start, at)
            if quote not in "\"'" and '"' in text[start + 1 : found.start()]:
                return None, start + 1  # a stray mark: between such quotes there are no others
            if verdict == "end":
                if first >= 0:
                    self.note(first, "quotes inside a text", "kept", "warn")
                return unescape(text[start + 1 : found.start()]), at + self._doubled(at, quote)
            if verdict == "reopened":
                content = self._before_break(text[start + 1 : found.start()])
                self.note(start, f"no quote after {short(content)}", "closed it", "warn")
                return unescape(content), start + 1 + len(content)
            first = found.start() if first < 0 else first
        return self._unsure(start, first)

    def _unsure(self, start: int, first: int) -> tuple[str | None, int]:
        """End a text that has no sure end: at a doubtful quote, at the end of its line, or cut off."""
        text = self.text
        if first >= 0:
            self.note(first, "something after a closing quote", "the text ends at the quote", "warn")
            return unescape(text[start + 1 : first]), first + 1
        self.effort.steps -= (self.stop - start) // 16  # all of it was searched for a closing quote
        if text[start] != '"' and STRUCTURE.search(text, start + 1, min(self.stop, start + 2000)):
            return None, start + 1
        line = LINE_END.search(text, start + 1, min(self.stop, start + 2000))
        if not line:
            return None, self.stop
        self.note(start, "no closing quote", "the text ends with its line", "warn")
        content = text[start + 1 : line.start()].rstrip(" \t\r\n,]}")
        return unescape(content), start + 1 + len(content)

    def _before_break(self, swallowed: str) -> str:
        """Return the text itself where a missing quote let it swallow what follows."""
        text = swallowed.rstrip(" \t\r\n,:{}[]")
        if self._expects_key():
            return KEY_END.split(text, maxsplit=1)[0]
        if not re.search(r"[\[\]{}\n]", swallowed[len(text) :]):
            return text
        return BREAK.match(text)[0]  # type: ignore[index]

    def _too_far(self, first: int, here: int) -> bool:
        """Whether the search for a better closing quote has gone on long enough."""
        self.effort.steps -= 2
        return here - first > 2000 or self.effort.steps < 0 or "\n" in self.text[first:here]

    def _judge(self, start: int, at: int) -> str:
        """Say what the quote that ends before `at` is: the "end", "reopened" (another's start) or "inner"."""
        text, stop = self.text, self.stop
        blank = BLANK.match(text, at, stop)
        after = blank.end() if blank else at
        sign = text[after : after + 1] if after < stop else ""
        if not sign or sign in "]}:：=)];，,］｝】":
            return "end" if sign not in ",，" or AFTER_COMMA.match(text, after + 1, stop) else "inner"
        if sign in "+*.":
            return "end" if POSTFIX.match(text, after, stop) else "inner"
        tail = text[max(start + 1, at - 40) : at - 1].rstrip(" \t\r\n")
        if tail and tail[-1] in ",:{}[]" and self._well_quoted(at):
            return "reopened"
        if sign in "/#<`\\" and ENDING.match(text, after, stop):
            return "end"
        if "\n" in text[at:after]:
            return "end"
        if sign in "[{":  # after a key a colon is missing, in a list a comma; after a pair's text neither
            return "end" if self._expects_key() or self.inside[-1:] != ["{"] else "inner"
        if sign in QUOTES:
            apart = after > at or DOUBLED.match(text, after, stop) or self._well_quoted(after + 1)
            return "end" if apart else "inner"
        return "end" if self._expects_key() and SCALAR.match(text, after, stop) else "inner"

    def _well_quoted(self, at: int) -> bool:
        """Whether a text that starts here ends at its next quote, on the same line."""
        self.effort.steps -= 1
        end = self.text.find('"', at + 1, min(self.stop, at + 2000)) if self.effort.steps > 0 else -1
        return end > 0 and "\n" not in self.text[at:end] and bool(DOUBLED.match(self.text, end, self.stop))

    def _doubled(self, at: int, quote: str) -> int:
        """Count a second closing quote right after the first."""
        extra = self.text[at : at + 1] == quote and bool(DOUBLED.match(self.text, at, self.stop))
        if extra:
            self.note(at, "a quote too many", "dropped", "warn")
        return int(extra)

    def _expects_key(self) -> bool:
        return bool(self.inside and self.inside[-1] == "{" and self.read and self.read[-1].kind in "{,")

    def _bare(self, start: int) -> None:
        """Read a number, a literal, a sum or a word without quotes."""
        text, stop = self.text, min(self.stop, start + LONGEST)
        if listed := self._list_without_brackets(start, stop):
            self.note(start, f"no brackets around {short(listed[0])}", "put in", "warn")
            self._add("v", [_number(n) for n in re.split(r"\s*,\s*", listed[0])], start, listed.end())
        elif number := NUMBER.match(text, start, stop):
            self._add("n", _number(number[0]), start, number.end())
        elif sizes := SIZES.match(text, start, stop):
            self.note(start, f"no quotes around {sizes[0]}", "read as text")
            self._add("s", sizes[0], start, sizes.end())
        elif color := HEX_COLOR.match(text, start, stop):
            self.note(start, f"no quotes around {color[0]}", "read as text")
            self._add("s", color[0], start, color.end() + (text[color.end() : color.end() + 1] == '"'))
        elif dots := DOTS.match(text, start, stop):
            self._left_out(dots[0], start)
        elif not self._expects_key() and (named := NAMESPACED.match(text, start, stop)):
            self._phrase(named[0], start)
        elif phrase := PHRASE.match(text, start, stop):
            self._phrase(COMMENT_AFTER.split(phrase[0], maxsplit=1)[0].rstrip() or text[start], start)
        else:
            self.note(start, f"a stray {text[start]!r}", "ignored")
            self.position = start + 1

    def _list_without_brackets(self, start: int, stop: int) -> re.Match[str] | None:
        """Match numbers after a key that lack the brackets of a list."""
        if self.inside[-1:] != ["{"] or not self.read or self.read[-1].kind != ":":
            return None
        listed = NO_BRACKETS.match(self.text, start, stop)
        return None if listed is None or THOUSANDS.fullmatch(listed[0]) else listed

    def _left_out(self, words: str, start: int) -> None:
        self.note(start, f"the model left something out: {short(words)}", "nothing was added", "loss")
        self.position = start + len(words)

    def _phrase(self, words: str, start: int) -> None:
        """Take bare words for what they most likely are."""
        end = start + len(words)
        after = self.text[end : end + 1] if end < self.stop else ""
        if end >= len(self.text):
            self.note(start, f"the reply ends in {short(words)}", "dropped", "loss")
            self._add("$", None, end, end)
        elif after and after in "\"'" and words.lower() in PREFIXES:
            self.position = end
        elif after and after in "\"'" and DOUBLED.match(self.text, end, self.stop):
            self.note(start, f"no quote before {short(words)}", "opened it", "warn")
            number = None if self._expects_key() else _loose_number(words)
            self._add("s" if number is None else "n", words if number is None else number, start, end + 1)
        elif words[0] in "0123456789+-.−–" and self._numeric(words, start):
            pass
        elif words.lower() in WORDS:
            if words not in ("true", "false", "null"):
                self.note(start, f"{words} is not JSON", f"read as {WORDS[words.lower()]}")
            self._add("n", WORDS[words.lower()], start, end)
        elif after != ":" and self.inside and LEFT_OUT.search(words) and re.search(r" |^etc", words):
            self._left_out(words, start)
        elif after == "(":
            self.note(start, f"a call of {short(words)}", "its argument is read")
            self.position = end + 1
        else:
            self._word(words, start, end)

    def _word(self, words: str, start: int, end: int) -> None:
        """Take words for a range, a list written as a call, or text."""
        numbers = counted(words)
        if numbers is not None and len(numbers) <= MAX_REPEAT:
            self.note(start, f"an expression: {words}", "worked out")
            self._add("v", list(numbers), start, end)
            return
        if (call := CALL.fullmatch(words)) and not COLOR_CALL.match(words):
            items = [work_out(x) for x in call[1].split(",")]
            value = _called(words.split("(")[0], items)
            if value is not None:
                self.note(start, f"a sum: {short(words)}", f"read as {value}")
                self._add("n", value, start, end)
                return
            if len(items) > 1 and None not in items:
                self.note(start, f"a call: {short(words)}", "read as a list")
                self._add("v", items, start, end)
                return
        self.note(start, f"no quotes around {short(words)}", "read as text")
        self._add("w", words, start, end)

    def _numeric(self, words: str, start: int) -> bool:
        """Read words that begin like a number; False where they are text after all."""
        loose = LOOSE_NUMBER.match(words)
        if not loose:
            return False
        rest, value, end = words[loose.end() :], None, start + len(words)
        if not rest or UNIT.fullmatch(rest):
            value = _loose_number(loose[0])
        elif SPACED.match(rest):
            value, end = _loose_number(loose[0]), start + loose.end()
        else:
            value = work_out(words)
        if value is None:
            return False
        if self.text[start:end] != str(value):
            self.note(start, f"{short(self.text[start:end])} is not a JSON number", f"read as {value}")
        self._add("n", value, start, end)
        return True


def too_deep(where: str) -> ReplyError:
    """Say that brackets nest too deep."""
    problem = f"the reply nests brackets deeper than {MAX_DEPTH} ({where})"
    return ReplyError(problem, "ask again: a scene needs a few levels only")


def short(text: str) -> str:
    """Shorten a text to one line of at most 40 characters."""
    text = " ".join(text[:80].split())
    return text if len(text) <= 40 else text[:39] + "…"


def _count(times: re.Match[str]) -> int:
    return int(times[1] or times[2])


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)  # also what has more digits than int() takes


def _loose_number(text: str) -> float | None:
    plain = text.strip().replace("_", "").replace("−", "-").replace("–", "-")
    try:
        return int(plain, 0) if re.match(r"[-+]?0[xXbB]", plain) else _number(plain)
    except ValueError:
        return None


def counted(span: str) -> Sequence[int] | None:
    """Read range(3), range(1, 4), range(9, 0, -2) or (0, 5)."""
    if span.startswith("("):
        return [int(n) for n in re.findall(r"-?\d{1,6}", span)]
    found = RANGE.fullmatch(span)
    bounds = [int(bound) for bound in found.groups() if bound] if found else []
    return range(*bounds) if bounds and 0 not in bounds[2:] else None


OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


def work_out(text: str) -> float | None:
    """Work out + - * / on numbers, as in 21+1; None for anything else.

    >>> work_out("2*(3+4)")
    14
    """
    text = text.strip()
    if len(text) > 80 or not SUM.fullmatch(text):
        return None
    try:
        value = _evaluate(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError, Warning):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _evaluate(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_evaluate(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    raise ValueError(node)


def _called(name: str, items: list[Any]) -> float | None:
    """Work out Math.floor(5.5), max(2, 3) and their like; None for anything else."""
    function = FUNCTIONS.get(name.rsplit(".", 1)[-1].lower())
    if function is None or None in items:
        return None
    try:
        return function(*items)
    except (TypeError, ValueError, ArithmeticError):
        return None


def unescape(text: str) -> str:
    """Resolve the escapes of JSON, Python and JavaScript; unknown ones stay as they are."""
    if "\\" not in text:
        return text
    if text.count("\\") > MAX_ESCAPES:
        text = text.replace('\\"', '"')  # the commonest first, at the speed of C
    text = ESCAPE.sub(_escaped, CUT_ESCAPE.sub("", text))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        number = int(code, 16)
        return chr(number) if number < 0x110000 else "\ufffd"
    return ESCAPED.get(found[4], found[4] if found[4] in "\"'\\/`" else found[0])


def place(text: str, at: int) -> str:
    """Say where a position is: "line 3, column 7", both from 1."""
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"
