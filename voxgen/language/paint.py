"""What fills a step: palette names, literal colours, mixes, textures and material parameters → indices."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.language import chance, expression
from voxgen.language.canvas import Choice, Chooser
from voxgen.language.document import guess_material, read_color, read_material
from voxgen.language.shapes import Floats
from voxgen.scene import AIR, Material

_SHARES = 1 << 16  # a mix is a table of this many entries, looked up by the top bits of the hash
_NOTHING = {None, "air", "none", "null", "empty", ""}
_MAX_MATERIALS = 65_535
_MAX_MIX = 1_000  # names in one mix
_MAX_GUESSES = 500  # unknown names compared with the palette; further ones get a colour by hash


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names in a step stand for: numbers for expressions, materials for `of`."""

    numbers: Mapping[str, Any] = field(default_factory=dict)
    materials: Mapping[str, Any] = field(default_factory=dict)  # parameters: name → any `of`

    def with_number(self, name: str, value: float) -> Scope:
        """Return a scope in which one more name is a number."""
        return Scope({**self.numbers, name: value}, self.materials)


class Paints:
    """The palette of a document while it is built: it grows by literal colours and guessed names.

    report: called with (problem, fix) for every name that had to be guessed.
    """

    def __init__(
        self,
        entries: Mapping[str, Any],
        textures: Mapping[str, list[dict[str, Any]]],
        functions: Mapping[str, expression.Function],
        seed: int,
        report: Callable[[str, str], None],
    ) -> None:
        self.materials: list[Material] = [AIR]
        self._indices: dict[str, int] = {}
        self.textures = textures
        self.functions = functions
        self.seed = seed
        self.report = report
        for name, entry in entries.items():
            self._add(name, AIR if name in _NOTHING else read_material(name, entry))
        self._named = list(self._indices)
        self._guesses = 0

    def knows(self, name: Any) -> bool:
        """Tell whether a name is a palette entry, a texture, air or a literal colour."""
        if not isinstance(name, str):
            return name is None or isinstance(name, (dict, list))
        return (
            name in self._indices or name in self.textures or name in _NOTHING or read_color(name) is not None
        )

    def index(self, name: str | None) -> int:
        """Return the palette index of a plain name or colour; unknown names are guessed and reported."""
        if name in _NOTHING or name is None:
            return 0
        if name not in self._indices:
            color = read_color(name)
            if color is not None:
                self._add(name, Material(name, color[0], color[1]))
            else:
                self._guess(name)
        return self._indices[name]

    def choice(self, of: Any, scope: Scope, depth: int = 0) -> Choice:
        """Turn an `of` into a palette index, or into a function from cells to indices.

        Raises ValueError for what is no material at all, and for textures that contain each other.
        """
        if depth > 8:
            raise ValueError("textures and mixes contain each other")
        if isinstance(of, str) and of in scope.materials and scope.materials[of] != of:
            return self.choice(scope.materials[of], scope, depth + 1)
        if isinstance(of, str) and of in self.textures:
            return self._texture(self.textures[of], scope, depth)
        if of is None or isinstance(of, str):
            return self.index(of)
        if isinstance(of, list) and of:
            return self._mix(Counter("air" if name is None else str(name) for name in of), scope, depth)
        if isinstance(of, dict) and of:
            return self._mix(of, scope, depth)
        raise ValueError(f"{json.dumps(of)[:60]} is not a material")

    def indices(self, of: Any, scope: Scope) -> NDArray[np.bool_]:
        """Return for every palette index whether a list of materials ("only", "on") names it.

        Naming a mix or a texture names everything it may put down.
        """
        names: set[int] = set()
        for item in of if isinstance(of, list) else [of]:
            names |= self._members(item, scope, 0)
        mask = np.zeros(len(self.materials), bool)
        mask[list(names)] = True
        return mask

    def _members(self, of: Any, scope: Scope, depth: int) -> set[int]:
        if depth > 8:
            return set()
        if isinstance(of, str) and of in scope.materials and scope.materials[of] != of:
            return self._members(scope.materials[of], scope, depth + 1)
        if isinstance(of, str) and of in self.textures:
            parts = [rule.get("of") for rule in self.textures[of]]
        elif isinstance(of, (dict, list)):
            parts = list(of)
        else:
            return {self.index(of)}
        return set().union(*(self._members(part, scope, depth + 1) for part in parts))

    def _add(self, name: str, material: Material) -> None:
        if len(self.materials) > _MAX_MATERIALS:
            raise ValueError(f"more than {_MAX_MATERIALS} materials")
        if material is AIR:
            self._indices[name] = 0
            return
        self._indices[name] = len(self.materials)
        self.materials.append(material)

    def _guess(self, name: str) -> None:
        self._guesses += 1
        known = [*self._named, *self.textures] if self._guesses <= _MAX_GUESSES else []
        guess, fix = guess_material(name, known)
        self.report(f'"{name}" is not in the palette', fix)
        if isinstance(guess, Material):
            self._add(name, guess)
        elif guess in self._indices:
            self._indices[name] = self._indices[guess]
        else:  # the name of a texture: the first thing it may put down
            self._indices[name] = min(self._members(guess, Scope(), 0) - {0}, default=0)

    def _mix(self, weights: Mapping[str, Any], scope: Scope, depth: int) -> Choice:
        """Let each cell pick by a hash of (cell, the mix, seed): the order of the names plays no part."""
        if len(weights) > _MAX_MIX:
            raise ValueError(f"a mix of {len(weights):,} materials; the limit is {_MAX_MIX:,}")
        shares = {name: self._weight(weights[name], scope) for name in sorted(weights)}
        shares = {name: share for name, share in shares.items() if share > 0}
        if not shares:
            raise ValueError("every weight of the mix is 0")
        choices = [self.choice(name, scope, depth + 1) for name in shares]
        if len(choices) == 1:
            return choices[0]
        resolved = {str(scope.materials.get(name, name)): share for name, share in shares.items()}
        salt = self.seed ^ zlib.crc32(json.dumps(resolved).encode())
        if all(isinstance(c, int) for c in choices):
            flat = _share_table(tuple(shares.values()), tuple(choices))
            return Chooser(lambda x, y, z: flat[chance.hash_cells(salt, x, y, z) >> np.uint32(16)])

        table = _share_table(tuple(shares.values()), tuple(range(len(choices))))

        def pick(x: Floats, y: Floats, z: Floats) -> Any:
            which = table[chance.hash_cells(salt, x, y, z) >> np.uint32(16)]
            return _select([which == k for k in range(len(choices))], choices, (x, y, z))

        return Chooser(pick, 8 + _work_of(choices))

    def _weight(self, weight: Any, scope: Scope) -> float:
        if isinstance(weight, str):
            weight = expression.evaluate(weight, scope.numbers, self.functions)
        return float(weight) if np.isfinite(weight) else 0.0

    def _texture(self, rules: list[dict[str, Any]], scope: Scope, depth: int) -> Choice:
        """Let the first rule whose condition holds decide a cell; no rule leaves the last one's material."""
        choices = [self.choice(rule.get("of"), scope, depth + 1) for rule in rules]
        whens = [None if rule.get("when") is None else expression.parse(str(rule["when"])) for rule in rules]
        if not choices:
            raise ValueError("the texture has no rules")

        def pick(x: Floats, y: Floats, z: Floats) -> Any:
            numbers = {**scope.numbers, "x": x, "y": y, "z": z}
            held = (True if w is None else expression.evaluate(w, numbers, self.functions) for w in whens)
            return _select((expression.truth(h) for h in held), choices, (x, y, z))

        tests = sum(expression.work(when, self.functions) for when in whens if when is not None)
        return Chooser(pick, tests + _work_of(choices))


def _work_of(choices: list[Choice]) -> int:
    return sum(2 if isinstance(choice, int) else 2 + choice.work for choice in choices)


def _select(conditions: Iterable[Any], choices: list[Choice], cells: tuple[Floats, Floats, Floats]) -> Any:
    """Give each cell the choice of the first condition that holds there, the last choice where none does.

    A choice is evaluated for the cells it decides only, where those are few.
    """
    shape = np.broadcast_shapes(*(c.shape for c in cells))
    result = np.zeros(shape, np.uint16)
    open_cells = np.ones(shape, bool)
    last = len(choices) - 1
    for k, (condition, choice) in enumerate(zip(conditions, choices, strict=True)):
        decided = open_cells.copy() if k == last else open_cells & condition
        open_cells &= ~decided
        if isinstance(choice, int):
            result[decided] = choice
        elif np.count_nonzero(decided) * 4 < decided.size:
            at = np.nonzero(decided)
            result[at] = choice.pick(*(np.broadcast_to(c, shape)[at] for c in cells))
        else:
            np.copyto(result, choice.pick(*cells), where=decided, casting="unsafe")
    return result


@lru_cache(maxsize=256)
def _share_table(shares: tuple[float, ...], values: tuple[int, ...]) -> NDArray[np.uint16]:
    """Return 65,536 entries that hold the values in proportion to their shares."""
    ends = np.floor(np.cumsum(shares) / sum(shares) * _SHARES + 0.5).astype(np.int64)
    ends[-1] = _SHARES
    return np.repeat(np.array(values, np.uint16), np.diff(ends, prepend=0))
