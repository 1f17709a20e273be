"""Which bracket is missing: the structure of a reply, mended token by token.

Structure is mended as compilers do it (Burke and Fisher 1987, "A practical method for LR and LL syntactic
error diagnosis and recovery"): at an error every small edit nearby is tried, and the one that lets the
parser read on furthest, with the least that looks odd in a scene, is kept. The tries are paid from the
reply's `Effort`; when that is spent, what does not fit is left out, so reading stays linear.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from voxgen.language.tokens import MAX_NOTES, Note, Token, Tokens, short

__all__ = ["Frame", "Mender"]

WINDOW = 14  # tokens back from an error that an edit may be placed
AHEAD = 60  # tokens an edit is tried on
FAR = 200  # tokens back that the opening bracket, or something odd, is looked for

FIXES = {"no comma": "put in", "no colon": "put in", "a key that is no text": "read as text"}

# where the scene language has its keys, as far as it helps to find a missing bracket
TOP = frozenset(["palette", "parts", "textures", "functions", "plan", "light", "view", "let", "build"])
IN_PART = frozenset(["size", "params", "build", "layers", "key", "note", "at", "facing", "let", "seed"])
OF_STEP = frozenset(["of", "only", "when", "note"])
SOLIDS = frozenset(["sphere", "ellipsoid", "cylinder", "cone", "roof", "terrain"])
STEP_KEYS = SOLIDS | {
    "box",
    "pyramid",
    "line",
    "voxels",
    "layers",
    "formula",
    "repeat",
    "place",
    "scatter",
    "mirror",
}


class Frame(NamedTuple):
    """An open bracket and what may come next in it; frames form a chain to the outermost.

    state: of an object `k` a first key or the end, `K` a key or the end, `c` a colon, `v` a value, `s` a
    comma; of a list `k` or `K` an item, `s` a comma; of the text itself `k`, then `d` (done).
    """

    kind: str  # "{", "[" or "" for the text itself
    state: str
    up: Any  # Frame | None
    name: str  # the key it hangs on
    seen: Any  # an object's first keys; of a list, the sort of its last item, and + if there are more


class Step(NamedTuple):
    """What a token does: the frame after it, what to build (`{ [ < k v r w` or nothing), how odd it is."""

    frame: Frame
    build: str
    odd: int
    problem: str


def _advance(frame: Frame, tokens: Tokens, i: int) -> Step | None:
    """Let token i in; None if it cannot stand there."""
    token = tokens[i]
    if frame.kind == "{":
        return _in_object(frame, token, tokens, i)
    if frame.kind == "[":
        return _in_list(frame, token, tokens, i)
    if frame.state == "k" and token.kind in "{[":
        return Step(Frame(token.kind, "k", frame, "", ()), token.kind, 0, "")
    if frame.state == "k" and token.kind == "v":
        return Step(_in(frame, "d"), "v", 0, "")
    return None


def _in(frame: Frame, state: str) -> Frame:
    return Frame(frame.kind, state, frame.up, frame.name, frame.seen)


def _closed(frame: Frame, odd: int = 0, problem: str = "") -> Step:
    up = frame.up
    return Step(_in(up, "s" if up.kind else "d"), "<", odd, problem)


def _lonely(frame: Frame) -> int:
    """How odd it is that a list ends here: one of a single list, or of none, has a bracket too many."""
    return int(frame.seen in ("[", ()))


def _in_object(frame: Frame, token: Token, tokens: Tokens, i: int) -> Step | None:
    kind, state = token.kind, frame.state
    if kind == "}" and state in "kKs":
        return _closed(frame, problem="a comma before }" if state == "K" else "")
    if kind == "," and state in "kKs":
        return Step(_in(frame, "K"), "", int(state != "s"), "" if state == "s" else "a comma too many")
    if kind == "r" and state in "kK":
        return Step(_in(frame, "K"), "r", 0, "")
    if kind in "swn" and (state in "kK" or (state == "s" and tokens[i + 1].kind == ":")):
        key = str(token.value)
        odd = _misplaced(frame, key) + (kind != "s") + (state == "s")
        keys = (*frame.seen, key) if len(frame.seen) < 12 else frame.seen
        problem = "no comma" if state == "s" else "a key that is no text" if kind == "n" else ""
        return Step(Frame("{", "c", frame.up, frame.name, keys), "k", odd, problem)
    if kind == "~" and state in "kKsc":
        return Step(_in(frame, "K"), "", 0, "")  # a key cut off by the end
    if state == "c" and kind == ":":
        return Step(_in(frame, "v"), "", 0, "")
    if state == "v" and kind == ":":
        return Step(frame, "", 1, "a colon too many")
    if state == "v" or (state == "c" and kind in "{[v"):
        return _value_step(frame, token, int(state == "c"), "no colon" if state == "c" else "")
    if state == "c" and kind in "swn~" and tokens[i + 1].kind in ",}$":
        return _value_step(frame, token, 1, "no colon")
    if state == "c" and (kind == "}" or (kind == "," and tokens[i - 1].kind == "w")):
        return _closed(frame, 2, "no value") if kind == "}" else Step(_in(frame, "K"), "", 2, "no value")
    return None


def _in_list(frame: Frame, token: Token, tokens: Tokens, i: int) -> Step | None:
    kind, state = token.kind, frame.state
    if kind == "]":
        return _closed(frame, _lonely(frame), "a comma before ]" if state == "K" else "")
    if kind == ",":
        return Step(_in(frame, "K"), "", int(state != "s"), "" if state == "s" else "a comma too many")
    if kind in "sw" and tokens[i + 1].kind == ":":
        return None
    if kind == "r":
        return Step(
            Frame("[", "K", frame.up, frame.name, _sort(Token("v", token.value[-1], 0, 0)) + "+"), "r", 0, ""
        )
    return _value_step(frame, token, int(state == "s"), "no comma" if state == "s" else "")


def _value_step(frame: Frame, token: Token, odd: int, problem: str) -> Step | None:
    kind = token.kind
    if kind not in "{[vswn~":
        return None
    sort = _sort(token)
    name = frame.seen[-1] if frame.kind == "{" and frame.seen else frame.name
    if frame.kind == "[":
        odd += 2 * bool(frame.seen and frame.seen[0] != sort)
        frame = Frame("[", frame.state, frame.up, frame.name, sort + "+" if frame.seen else sort)
    if kind in "{[":
        return Step(Frame(kind, "k", frame, name, ()), kind, odd, problem)
    return Step(_in(frame, "s"), "w" if kind == "w" else "v", odd, problem)


def _sort(token: Token) -> str:
    """Sort an item: "[" a list, "{" an object, "x" anything else; most lists hold one sort only."""
    if token.kind == "v":
        return "{" if isinstance(token.value, dict) else "[" if isinstance(token.value, list) else "x"
    return token.kind if token.kind in "{[" else "x"


def _misplaced(frame: Frame, key: str) -> int:
    """How odd a key is in its place, by what the scene language knows."""
    if key in frame.seen:
        return 3
    at_top = not frame.up.kind
    if key in TOP and not at_top and frame.name in ("parts", "palette"):
        return 3
    if frame.up.name == "parts" and frame.up.kind == "{":
        return 0 if key in IN_PART else 3
    if key in OF_STEP and (at_top or frame.name in SOLIDS):
        return 3
    return 0


class _Edit(NamedTuple):
    """Put the kinds in `put` before token `at`, after taking `cut` tokens away."""

    at: int
    cut: int
    put: str
    cost: float


class Mender:
    """Reads tokens from one opening bracket on, mending the structure, into building steps."""

    def __init__(self, tokens: Tokens, frame: Frame) -> None:
        self.tokens = tokens
        self.frames = [frame]  # frames[i]: before token i
        self.built: list[tuple[str, Token]] = []
        self.marks: list[int] = []  # len(built) before token i
        self.strange = [0]  # how odd everything before token i is
        self.problems: list[str] = []  # what was wrong with token i, mostly nothing
        self.edits: list[Note] = []

    def notes(self) -> list[Note]:
        """Return what was mended."""
        small: list[Note] = []
        for token, problem in zip(self.tokens.read, self.problems, strict=False):
            if problem and len(small) < MAX_NOTES:
                small.append((token.start, problem, FIXES.get(problem, "dropped"), "info"))
        return self.edits + small

    def run(self) -> int:
        """Read to the closing bracket or the end; return where that is in the text."""
        i, tokens = 0, self.tokens
        while True:
            frame = self.frames[i]
            if tokens[i].kind == "$":
                return tokens[i].end
            if not frame.kind and frame.state == "d" and not self._goes_on(i):
                return tokens[i - 1].end
            step = _advance(frame, tokens, i)
            if step is None:
                i = self._mend(i)
                continue
            self.problems.append(step.problem)
            self.marks.append(len(self.built))
            if step.build:
                self.built.append((step.build, tokens[i]))
            self.frames.append(step.frame)
            self.strange.append(self.strange[-1] + step.odd)
            i += 1

    def _goes_on(self, i: int) -> bool:
        """Whether the outermost bracket was closed too early: one more pair, or one more item, follows."""
        first, comma, item, colon = (self.tokens[k] for k in (0, i, i + 1, i + 2))
        if comma.kind != ",":
            return False
        if first.kind == "{" or isinstance(first.value, dict):
            return item.kind in "sw" and colon.kind == ":"
        inner = first.value[:1] if first.kind == "v" else [self.tokens[1].value]
        return item.kind in "{v" and isinstance(item.value, dict | None) and isinstance(inner[0], dict | list)

    def _mend(self, i: int) -> int:
        """Change the tokens around error i so that reading can go on; return where to read on from."""
        effort, best, gain = self.tokens.effort, _Edit(i, 1, "", 1.0), -math.inf
        whole = self._whole_near(i) if effort.steps > 0 else None
        if whole is not None:
            effort.steps -= 100
            self.tokens.unpack(whole)
            return self._back_to(whole)
        for edit in self._edits(i) if effort.steps > 0 else ():
            if effort.steps <= 0:
                break
            reach = self._try(edit, i) - 3 * edit.cost
            if reach > gain:
                best, gain = edit, reach
        self._say(best)
        place = self.tokens[best.at].start
        self.tokens.read[best.at : best.at + best.cut] = [Token(kind, 1, place, place) for kind in best.put]
        return self._back_to(best.at)

    def _whole_near(self, i: int) -> int | None:
        """Find a container taken whole shortly before token i: the error may be hidden in it."""
        for k in range(max(0, i - 4), i):
            token = self.tokens[k]
            if token.kind == "v" and token.value and self.tokens.text[token.start] in "[{":
                return k
        return None

    def _back_to(self, i: int) -> int:
        """Forget what was built from token i on."""
        del self.frames[i + 1 :], self.strange[i + 1 :]
        if i < len(self.marks):
            del self.built[self.marks[i] :]
            del self.marks[i:], self.problems[i:]
        return i

    def _edits(self, i: int) -> Iterator[_Edit]:
        """Every small change around token i that may mend it."""
        frame, closers = self.frames[i], ""
        while frame.kind and len(closers) < 5:
            closers += "}" if frame.kind == "{" else "]"
            frame = frame.up
            yield _Edit(i, 0, closers, 0.4 + 0.6 * len(closers))
        opener, value = self._landmarks(i)
        if opener is not None:
            yield _Edit(opener, 1, "", 1.0)
        if value is not None:
            yield from (_Edit(value, 0, put, 1.4) for put in "[{")
        for at in self._strange_places(i):
            for put in "]}[{":
                yield _Edit(at, 0, put, 1.0)
        for back in range(min(WINDOW, i) + 1):
            yield from _edits_at(i - back, self.tokens[i - back].kind, back)

    def _strange_places(self, i: int) -> list[int]:
        """Find the last tokens before i that could stand where they do but looked wrong there."""
        back = range(i - 1, max(0, i - FAR), -1)
        return [k for k in back if self.strange[k + 1] - self.strange[k] > 1][:3]

    def _landmarks(self, i: int) -> tuple[int | None, int | None]:
        """Find what opened the innermost container around token i, and where its last value begins."""
        here, value = self.frames[i], None
        if here.up is None:
            return None, None
        for k in range(i - 1, max(-1, i - FAR), -1):
            before = self.frames[k]
            if before.up is here.up.up and before.kind == here.up.kind and self.tokens[k].kind in "{[":
                return k, value
            if value is None and before.up is here.up and before.state == "v":
                value = k
        return None, value

    def _try(self, edit: _Edit, i: int) -> float:
        """How far past token i an edit lets the parser read, less how odd that looks; -inf if not past it."""
        tokens, effort, frame = self.tokens, self.tokens.effort, self.frames[edit.at]
        odd = self.strange[edit.at] - self.strange[i]
        effort.steps -= 1
        for kind in edit.put:
            step = _advance_kind(frame, kind)
            if step is None:
                return -math.inf
            frame, odd = step.frame, odd + step.odd
        k = edit.at + edit.cut
        while k < i + AHEAD:
            effort.steps -= 1
            step = _advance(frame, tokens, k)
            if step is None:
                break
            frame, odd, k = step.frame, odd + step.odd, k + 1
        if k <= i and not (k == i and tokens[i].kind == "$"):
            return -math.inf
        if tokens[k].kind == "$":
            ahead = AHEAD if frame.state == "d" else max(k - i, AHEAD - 10) - _depth(frame)
        else:
            ahead = k - i - (0 if frame.kind or frame.state != "d" else 2)
        return ahead - 2 * odd

    def _say(self, edit: _Edit) -> None:
        """Note an edit as a repair."""
        token = self.tokens[edit.at]
        note: Note
        if not edit.cut:
            note = (token.start, f"no {' '.join(edit.put)}", "put in", "warn")
        elif edit.put:
            note = (token.start, f"{token.kind} in place of {edit.put}", f"read as {edit.put}", "warn")
        elif token.kind in "{}[],:":
            note = (token.start, f"a {token.kind} too many", "dropped", "warn")
        else:
            said = short(json.dumps(token.value, default=str))
            note = (token.start, f"{said} makes no sense here", "left out", "loss")
        if len(self.edits) < MAX_NOTES:
            self.edits.append(note)


def _edits_at(at: int, kind: str, back: int) -> Iterator[_Edit]:
    """Every change of one token, `back` before the error; further back is less likely."""
    far = back / 20
    if back < 2:
        yield _Edit(at, 0, ":", 1.3 + far)
    if kind == "$":
        return
    if kind not in "]}":
        yield from (_Edit(at, 0, put, 1 + far) for put in "[{")
    if back:
        yield from (_Edit(at, 0, put, 1 + far) for put in "]}")
    if kind in "{}[],:":
        yield from (_Edit(at, 1, put, 1.3 + far) for put in "[{]}" if put != kind)
    if kind in ",:":
        yield _Edit(at, 1, ":" if kind == "," else ",", 1.1 + far)
    yield _Edit(at, 1, "", (1.2 if kind in "{}[],:w" else 1.8) + far)


def _advance_kind(frame: Frame, kind: str) -> Step | None:
    """Let an inserted bracket or mark in."""
    if kind in "{[" and (frame.kind == "[" or frame.state == "v"):
        return _value_step(frame, Token(kind, None, 0, 0), int(frame.state == "s"), "")
    if kind == "]" and frame.kind == "[":
        return _closed(frame, _lonely(frame))
    if kind == "}" and frame.kind == "{" and frame.state in "kKs":
        return _closed(frame)
    if kind == ":" and frame.state == "c":
        return Step(_in(frame, "v"), "", 0, "")
    if kind == "," and frame.kind and frame.state == "s":
        return Step(_in(frame, "K"), "", 0, "")
    return None


def _depth(frame: Frame) -> int:
    depth = 0
    while frame.kind:
        depth, frame = depth + 1, frame.up
    return depth
