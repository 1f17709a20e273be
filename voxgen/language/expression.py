"""Formulas: text → a checked syntax tree → numpy.

Nothing is ever handed to eval: the grammar below is all there is.

    choice  := or ["if" or "else" choice]  |  or "?" choice ":" choice
    or      := and {("or" | "||") and}          and  := not {("and" | "&&") not}
    not     := ("not" | "!") not | compare      compare := sum {(< <= > >= == !=) sum}
    sum     := product {(+ | -) product}        product := sign {(* | / | // | %) sign}
    sign    := (- | +) sign | power             power   := atom [(** | ^) sign]
    atom    := number | name | name "(" choice {"," choice} ")" | "(" choice ")"

sin, exp and their like differ in the last bit between processors and numpy builds. Wherever a value
turns into a decision (comparisons, truth, floor, //, %), it is rounded to 9 decimals first, so that
the same formula draws the same cells everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache, reduce
from typing import Any

import numpy as np

from voxgen.language import chance

Value = Any  # a float, np.float64, or an array of floats or booleans

MAX_LENGTH = 2000  # characters
MAX_DEPTH = 40  # brackets and choices within each other
MAX_WORK = 20_000  # nodes, functions written out
_ROUNDING = 1e9


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; the message says why, in the model's words."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a syntax tree.

    kind "number" (value: float), "name" (value: str), "call" (value: function name), "unary" (value:
    "-" or "not"), "chain" (value: the operators between the arguments, left to right), "logic" (the same
    with "and"s or "or"s), "compare" (the same, each pair compared), "choice" (arguments: condition, then,
    else).
    """

    kind: str
    value: Any
    arguments: tuple[Node, ...] = ()
    work: int = 1  # nodes in this tree
    names: frozenset[str] = frozenset()  # names read in this tree
    calls: tuple[str, ...] = ()  # functions called in this tree, each as often as it is


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the model's own: its parameters and the expression it stands for."""

    parameters: tuple[str, ...]
    body: Node
    work: int = 0  # nodes with the functions it calls written out, set by `resolve`


# --------------------------------------------------------------------------- arithmetic


def _number(v: Value) -> Value:
    """Let booleans count as 0 and 1 in arithmetic, as models expect."""
    if isinstance(v, np.ndarray):
        return v.astype(np.float64) if v.dtype == np.bool_ else v
    return float(v) if isinstance(v, (bool, np.bool_)) else v


def _snap(v: Value) -> Value:
    """Round to 9 decimals; adding 0.0 makes -0.0 a plain zero."""
    return np.rint(_number(v) * _ROUNDING) / _ROUNDING + 0.0


def truth(v: Value) -> Value:
    """Return where a value is not 0 to 9 decimals; NaN is false."""
    if isinstance(v, (bool, np.bool_)) or (isinstance(v, np.ndarray) and v.dtype == np.bool_):
        return v
    return np.abs(v) >= 0.5 / _ROUNDING


def _floor(v: Value) -> Value:
    return np.floor(_snap(v))


def _modulo(a: Value, b: Value) -> Value:
    return a - b * _floor(np.divide(a, b))


def _round(v: Value, digits: Value = 0.0) -> Value:
    scale = np.power(10.0, digits)
    return np.floor(_snap(v * scale) + 0.5) / scale


def _hypot(*values: Value) -> Value:
    return np.sqrt(reduce(np.add, [np.square(v) for v in values]))


def _log(v: Value, base: Value | None = None) -> Value:
    return np.log(v) if base is None else np.log(v) / np.log(base)


def _lerp(a: Value, b: Value, t: Value) -> Value:
    return a * (1.0 - t) + b * t


def _seed(value: Value) -> int:
    if np.ndim(value):
        raise ExpressionError("the fourth argument of noise and rand is a plain number")
    return int(chance.to_integers(value))


def _noise(x: Value, y: Value = 0.0, z: Value = 0.0, seed: Value = 0.0) -> Value:
    return chance.noise(x, y, z, _seed(seed))


def _rand(x: Value, y: Value = 0.0, z: Value = 0.0, seed: Value = 0.0) -> Value:
    return chance.uniform(_seed(seed) ^ 0x52414E44, *(chance.to_integers(_snap(v)) for v in (x, y, z)))


CONSTANTS: Mapping[str, float] = {"pi": math.pi, "tau": math.tau, "e": math.e}

# What prompts/scene.md teaches: name → (function, fewest arguments, most arguments).
FUNCTIONS: Mapping[str, tuple[Callable[..., Value], int, int]] = {
    "sin": (np.sin, 1, 1),
    "cos": (np.cos, 1, 1),
    "tan": (np.tan, 1, 1),
    "atan2": (lambda y, x: np.arctan2(_snap(y), _snap(x)), 2, 2),
    "sqrt": (lambda v: np.sqrt(np.maximum(v, 0.0)), 1, 1),
    "abs": (np.abs, 1, 1),
    "min": (lambda *v: reduce(np.minimum, v), 1, 64),
    "max": (lambda *v: reduce(np.maximum, v), 1, 64),
    "hypot": (_hypot, 1, 64),
    "floor": (_floor, 1, 1),
    "ceil": (lambda v: np.ceil(_snap(v)), 1, 1),
    "round": (_round, 1, 2),
    "sign": (lambda v: np.sign(_snap(v)), 1, 1),
    "clamp": (lambda v, low=0.0, high=1.0: np.minimum(np.maximum(v, low), high), 1, 3),
    "exp": (np.exp, 1, 1),
    "log": (_log, 1, 2),
    "noise": (_noise, 1, 4),
    "rand": (_rand, 1, 4),
}

# What models write all the same.
UNDERSTOOD: Mapping[str, tuple[Callable[..., Value], int, int]] = {
    "acos": (lambda v: np.arccos(np.clip(v, -1.0, 1.0)), 1, 1),
    "asin": (lambda v: np.arcsin(np.clip(v, -1.0, 1.0)), 1, 1),
    "atan": (np.arctan, 1, 1),
    "cbrt": (np.cbrt, 1, 1),
    "cosh": (np.cosh, 1, 1),
    "fract": (lambda v: v - _floor(v), 1, 1),
    "int": (lambda v: np.trunc(_snap(v)), 1, 1),
    "lerp": (_lerp, 3, 3),
    "mix": (_lerp, 3, 3),
    "mod": (_modulo, 2, 2),
    "pow": (np.power, 2, 2),
    "radians": (np.radians, 1, 1),
    "sinh": (np.sinh, 1, 1),
    "smoothstep": (lambda a, b, v: _smoothstep(np.divide(v - a, b - a)), 3, 3),
    "step": (lambda edge, v: np.rint(v * _ROUNDING) >= np.rint(edge * _ROUNDING), 2, 2),
    "tanh": (np.tanh, 1, 1),
    "trunc": (lambda v: np.trunc(_snap(v)), 1, 1),
}
_CALLS = {**FUNCTIONS, **UNDERSTOOD}
_LITERALS = {"true": 1.0, "false": 0.0, "none": 0.0, "null": 0.0, "inf": math.inf, "π": math.pi}

_ARITHMETIC: Mapping[str, Callable[[Value, Value], Value]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "//": lambda a, b: _floor(np.divide(a, b)),
    "%": _modulo,
    "**": np.power,
}
_COMPARISONS: Mapping[str, Callable[[Value, Value], Value]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


def _smoothstep(t: Value) -> Value:
    t = np.minimum(np.maximum(t, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


# --------------------------------------------------------------------------- parsing

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?:(?:math|np|numpy|Math)\.)?(?P<name>[^\W\d]\w*)"
    r"|(?P<operator>\*\*|//|<=|>=|==|!=|<>|&&|\|\||[-+*/%^<>=!(),?:]|[≤≥≠×·÷−])|(?P<end>$))"
)
_SPELLINGS = {
    "^": "**", "&&": "and", "||": "or", "!": "not", "=": "==", "<>": "!=",
    "≤": "<=", "≥": ">=", "≠": "!=", "×": "*", "·": "*", "÷": "/", "−": "-",
}  # fmt: skip
_KEYWORDS = {"and", "or", "not", "if", "else"}
# Binary operators by how tightly they bind; each level is a chain from left to right.
_LEVELS = (("or",), ("and",), tuple(_COMPARISONS), ("+", "-"), ("*", "/", "//", "%"))
_COMPARE_LEVEL = 2


@lru_cache(maxsize=512)
def parse(source: str) -> Node:
    """Read an expression into a syntax tree.

    Raises ExpressionError, with the column, for anything the grammar does not know, for more than
    2000 characters and for brackets nested deeper than 40.

    >>> parse("2*x + 1").arguments[0].value
    ('*',)
    """
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(source)} characters; the limit is {MAX_LENGTH}")
    return _Parser(source).whole()


class _Parser:
    """Precedence climbing over a list of tokens."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = _tokens(source)
        self.at = 0
        self.depth = 0

    def whole(self) -> Node:
        node = self.choice()
        if self.peek() != "":
            self.fail(f"unexpected {self.peek()!r}")
        return node

    def peek(self) -> str:
        return self.tokens[self.at][1]

    def take(self, *wanted: str) -> bool:
        if self.tokens[self.at][0] == "operator" and self.peek() in wanted:
            self.at += 1
            return True
        return False

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            self.fail(f"{wanted!r} is missing" + (f" before {self.peek()!r}" if self.peek() else ""))

    def fail(self, why: str) -> None:
        raise ExpressionError(f"{why} at column {self.tokens[self.at][2] + 1}")

    def choice(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH}")
        node = self.chain(0)
        if self.take("if"):
            condition = self.chain(0)
            self.expect("else")
            node = _node("choice", None, condition, node, self.choice())
        elif self.take("?"):
            then = self.choice()
            self.expect(":")
            node = _node("choice", None, node, then, self.choice())
        self.depth -= 1
        return node

    def chain(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self.sign()
        if level == _COMPARE_LEVEL and self.take("not"):
            return _node("unary", "not", self.nested(lambda: self.chain(_COMPARE_LEVEL)))
        arguments, operators = [self.chain(level + 1)], []
        while self.take(*_LEVELS[level]):
            operators.append(self.tokens[self.at - 1][1])
            arguments.append(self.chain(level + 1))
        if not operators:
            return arguments[0]
        kind = ("logic", "logic", "compare", "chain", "chain")[level]
        return _node(kind, tuple(operators), *arguments)

    def nested(self, rule: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH}")
        node = rule()
        self.depth -= 1
        return node

    def sign(self) -> Node:
        if self.take("-"):
            return _node("unary", "-", self.nested(self.sign))
        if self.take("+"):
            return self.nested(self.sign)
        if self.take("not"):  # as in "1 + not x": odd, but clear
            return _node("unary", "not", self.nested(self.sign))
        return self.power()

    def power(self) -> Node:
        node = self.atom()
        if self.take("**"):
            node = _node("chain", ("**",), node, self.nested(self.sign))
        return node

    def atom(self) -> Node:
        kind, text, _ = self.tokens[self.at]
        if self.take("("):
            node = self.choice()
            self.expect(")")
            return node
        if kind == "number":
            self.at += 1
            node = Node("number", float(text))
            if self.tokens[self.at][0] == "name" or self.peek() == "(":  # 2pi, 3(x+1), 2x**2
                return _node("chain", ("*",), node, self.power())
            return node
        if kind != "name":
            self.fail(f"no number or name but {text!r}" if text else "the expression ends too early")
        self.at += 1
        return self.call(text) if self.take("(") else _node("name", text)

    def call(self, name: str) -> Node:
        arguments: list[Node] = []
        while not self.take(")"):
            arguments.append(self.choice())
            if not self.take(","):
                self.expect(")")
                break
        if name in _CALLS and not _CALLS[name][1] <= len(arguments) <= _CALLS[name][2]:
            self.fail(f"{name}() does not take {len(arguments)} arguments")
        return _node("call", name, *arguments)


def _node(kind: str, value: Any, *arguments: Node) -> Node:
    names = frozenset([value] if kind == "name" else []).union(*(a.names for a in arguments))
    calls = ((value,) if kind == "call" else ()) + tuple(name for a in arguments for name in a.calls)
    return Node(kind, value, arguments, 1 + sum(a.work for a in arguments), names, calls)


def _tokens(source: str) -> list[tuple[str, str, int]]:
    """Split into (kind, text, column); the last one has the kind "end"."""
    tokens: list[tuple[str, str, int]] = []
    at = 0
    while not tokens or tokens[-1][0] != "end":
        match = _TOKEN.match(source, at)
        if match is None:
            column = at + len(source[at:]) - len(source[at:].lstrip())
            raise ExpressionError(f"unexpected {source[column]!r} at column {column + 1}")
        kind = match.lastgroup or "end"
        text = match[kind]
        if kind == "name" and text in _KEYWORDS:
            kind = "operator"
        tokens.append((kind, _SPELLINGS.get(text, text), match.start(kind)))
        at = match.end()
    return tokens


_SIGNATURE = re.compile(r"\s*([^\W\d]\w*)\s*\(([^()]*)\)\s*$")


def parse_function(signature: str, body: str) -> tuple[str, Function]:
    """Read one entry of a document's "functions".

    >>> name, function = parse_function("bump(a, r)", "a < r")
    >>> name, function.parameters
    ('bump', ('a', 'r'))
    """
    match = _SIGNATURE.match(signature)
    if match is None:
        raise ExpressionError(f'"{signature[:60]}" is not a signature such as "name(a,b)"')
    parameters = tuple(p.strip() for p in match[2].split(",") if p.strip())
    return match[1], Function(parameters, parse(body))


# --------------------------------------------------------------------------- evaluation


def resolve(functions: Mapping[str, Function]) -> tuple[dict[str, Function], dict[str, str]]:
    """Return the functions of the model's own that can be used, and why the others cannot: name → reason.

    They may call each other in any order but never themselves, and written out in full none may grow
    beyond 20,000 nodes: a few lines that double at each step must cost nothing.
    """
    usable: dict[str, Function] = {}
    wrong: dict[str, str] = {}

    def visit(name: str, inside: tuple[str, ...]) -> None:
        if name in usable or name in wrong:
            return
        if name in inside or len(inside) > MAX_DEPTH:
            wrong[name] = "calls itself" if name in inside else "calls nest too deeply"
            return
        body = functions[name].body
        called = [call for call in body.calls if call in functions]
        for call in called:
            visit(call, (*inside, name))
        bad = next((call for call in called if call in wrong), None)
        if bad is not None:
            wrong.setdefault(name, f"calls {bad}(), which cannot be used")
            return
        work = body.work + sum(usable[call].work for call in called)
        if work > MAX_WORK:
            wrong[name] = f"grows beyond {MAX_WORK} operations"
        else:
            usable[name] = replace(functions[name], work=work)

    for name in functions:
        visit(name, ())
    return usable, wrong


def work(node: Node, functions: Mapping[str, Function]) -> int:
    """Return how many operations an expression takes, the model's functions written out."""
    return node.work + sum(functions[call].work for call in node.calls if call in functions)


def names_used(node: Node, functions: Mapping[str, Function]) -> frozenset[str]:
    """Return every name an expression reads, also inside the functions it calls."""
    inner = [
        names_used(functions[call].body, functions) - frozenset(functions[call].parameters)
        for call in set(node.calls)
        if call in functions
    ]
    return node.names.union(*inner)


def evaluate(
    source: str | Node, names: Mapping[str, Value], functions: Mapping[str, Function] | None = None
) -> Value:
    """Evaluate an expression on numbers or on arrays that broadcast.

    names: what x, y, z, i and the document's constants stand for. functions: the document's own, as
    `resolve` returns them; they see their arguments and everything the expression sees.
    Raises ExpressionError for unknown names and functions, and beyond 20,000 operations.

    >>> float(evaluate("hypot(x, 4) + (1 if x > 2 else 0)", {"x": 3.0}))
    6.0
    """
    node = parse(source) if isinstance(source, str) else source
    functions = functions or {}
    if work(node, functions) > MAX_WORK:
        raise ExpressionError(f"grows beyond {MAX_WORK} operations")
    try:
        with np.errstate(all="ignore"):
            return _evaluate(node, names, functions)
    except ExpressionError:
        raise
    except (ArithmeticError, ValueError, TypeError, RecursionError) as error:
        raise ExpressionError(f"cannot be worked out ({type(error).__name__})") from None


def _evaluate(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    return _EVALUATORS[node.kind](node, names, functions)


def _constant(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    return node.value


def _lookup(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    name = node.value
    if name in names:
        return names[name]
    if name.lower() in CONSTANTS:
        return CONSTANTS[name.lower()]
    if name.lower() in _LITERALS:
        return _LITERALS[name.lower()]
    raise ExpressionError(f'unknown name "{name}"{_near(name, [*names, *CONSTANTS])}')


def _near(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f' (is it "{near[0]}"?)' if near else ""


def _unary(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    inner = _evaluate(node.arguments[0], names, functions)
    return np.logical_not(truth(inner)) if node.value == "not" else np.negative(_number(inner))


def _choice(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    condition = truth(_evaluate(node.arguments[0], names, functions))
    if np.ndim(condition) == 0:
        return _evaluate(node.arguments[1 if condition else 2], names, functions)
    then, otherwise = (_number(_evaluate(a, names, functions)) for a in node.arguments[1:])
    return np.where(condition, then, otherwise)


def _call(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    name = node.value
    arguments = [_number(_evaluate(a, names, functions)) for a in node.arguments]
    if name in functions:
        function = functions[name]
        wanted = len(function.parameters)
        if len(arguments) != wanted:
            raise ExpressionError(f"{name}() takes {wanted} arguments, not {len(arguments)}")
        scope = {**names, **dict(zip(function.parameters, arguments, strict=True))}
        return _evaluate(function.body, scope, functions)
    if name in _CALLS:
        return _CALLS[name][0](*arguments)
    raise ExpressionError(f'unknown function "{name}"{_near(name, [*functions, *_CALLS])}')


def _comparison(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    rounded = [np.rint(_number(_evaluate(a, names, functions)) * _ROUNDING) for a in node.arguments]
    pairs = zip(node.value, rounded, rounded[1:], strict=False)
    return reduce(np.logical_and, [_COMPARISONS[operator](a, b) for operator, a, b in pairs])


def _chain(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    result = _number(_evaluate(node.arguments[0], names, functions))
    for operator, argument in zip(node.value, node.arguments[1:], strict=True):
        result = _ARITHMETIC[operator](result, _number(_evaluate(argument, names, functions)))
    return result


def _logic(node: Node, names: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    """Combine truths from left to right; one plain number that decides ends it early."""
    join, decided = (np.logical_and, False) if node.value[0] == "and" else (np.logical_or, True)
    result: Value = not decided
    for argument in node.arguments:
        result = join(result, truth(_evaluate(argument, names, functions)))
        if np.ndim(result) == 0 and bool(result) is decided:
            break
    return result


_EVALUATORS: Mapping[str, Callable[[Node, Mapping[str, Value], Mapping[str, Function]], Value]] = {
    "number": _constant,
    "name": _lookup,
    "unary": _unary,
    "choice": _choice,
    "call": _call,
    "compare": _comparison,
    "chain": _chain,
    "logic": _logic,
}
