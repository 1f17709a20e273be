"""build(): document → Scene. Walks the steps; shapes.py, paint.py and canvas.py do the drawing."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen import borrow
from voxgen.errors import ReplyError, VoxgenError
from voxgen.language import chance, expression, shapes
from voxgen.language import document as documents
from voxgen.language.canvas import Canvas, Choice, Chooser, Ruler
from voxgen.language.limits import Limits
from voxgen.language.paint import Paints, Scope
from voxgen.scene import Indices, Level, Light, Repair, Scene, View, VoxelGrid, occupied

_MAX_REPAIRS = 1000
_MAX_PART_DEPTH = 12
_MAX_STOCK = 1 << 28  # bytes of finished parts kept for the next copy
_MAX_CELLS_AT_ONCE = 1 << 18
_MAX_RUN = 1024  # cells a run length such as "a*10" may stand for


class _LimitError(Exception):
    """The document asked for more than its limits; what stands so far is kept."""


def build(
    document: Any,
    repairs: Sequence[Repair] = (),
    limits: Limits | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Scene:
    """Build a decoded document into a Scene.

    A step that cannot be drawn is skipped and becomes a Repair of level "loss"; `repairs` are those
    found while reading, kept in front. The same document gives the same grid, bit for bit. Parts
    placed as "@name" come from the stock library.
    Raises ReplyError when the document cannot be a scene or no voxel is left.

    >>> scene = build({"size": [2, 1, 1], "build": [{"voxels": [[1, 0, 0]], "of": "red"}]})
    >>> scene.grid.indices.tolist()
    [[[0]], [[1]]]
    """
    mended, notes = documents.mend(document)
    builder = _Builder(borrow.resolve(mended), limits or Limits())
    builder.repairs.extend(notes)
    grid = builder.run()
    found = [*repairs, *builder.repairs]
    if not grid.any():
        losses = sorted((r for r in found if r.level == "loss"), key=lambda r: "build" not in r.path)
        lost = next(map(str, losses), "the steps draw no cell")
        raise ReplyError("the scene is empty", f"first loss: {lost}")
    voxels = VoxelGrid(grid, tuple(builder.paints.materials))
    found += [*(documents.oddities(mended) if builder.sized else ()), *documents.remarks(voxels)]
    return Scene(
        title=str(mended.get("title") or "Untitled"),
        grid=voxels,
        light=documents.read_light(mended["light"]) if "light" in mended else Light(),
        view=documents.read_view(mended["view"]) if "view" in mended else View(),
        document=dict(document) if isinstance(document, Mapping) else mended,
        repairs=tuple(found),
        origin=dict(origin or {}),
    )


def order(document: Any, limits: Limits | None = None) -> NDArray[np.uint16]:
    """Build a document again and tell since which of its steps each cell is filled without a break.

    The array is as large as the grid: 0 where nothing stands, else the number of the top-level step,
    counted from 1; steps past 65,535 count as that one. What is only painted over keeps its number.

    >>> steps = [{"voxels": [[0, 0, 0]], "of": "red"}, {"voxels": [[0, 0, 0], [1, 0, 0]], "of": "blue"}]
    >>> order({"size": [3, 1, 1], "build": steps}).ravel().tolist()
    [1, 2, 0]
    """
    mended, _ = documents.mend(document)
    builder = _Builder(borrow.resolve(mended), limits or Limits())
    since = np.zeros((1, 1, 1), np.uint16)

    def note(number: int, canvas: Canvas) -> None:
        nonlocal since
        if canvas.touched is None:
            since = np.zeros(canvas.grid.shape, np.uint16)
            boxes = [(canvas.low, canvas.high)]
        else:
            boxes = canvas.touched
        canvas.touched = []
        if not boxes:
            return
        low, high = (end([box[i] for box in boxes], axis=0) for i, end in enumerate((np.min, np.max)))
        box = tuple(map(slice, low - canvas.low, high - canvas.low + 1))
        filled = canvas.grid[box] != 0
        since[box] *= filled
        np.copyto(since[box], min(number + 1, 65535), where=filled & (since[box] == 0))

    builder.on_step = note
    shape = builder.run().shape
    if since.shape == shape:
        return since
    low, high = occupied(since)
    return since[tuple(map(slice, low, high + 1))]


def order_of(scene: Scene) -> NDArray[np.uint16] | None:
    """Return which step made each cell, as `order` does; None where the grid was not built from steps."""
    if not scene.document:
        return None
    try:
        found = order(scene.document)
    except VoxgenError:
        return None
    return found if found.shape == scene.grid.size else None


class _Builder:
    on_step: Callable[[int, Canvas], None] | None = None  # is told of each top-level step that is done

    def __init__(self, document: Mapping[str, Any], limits: Limits) -> None:
        self.document = document
        self.limits = limits
        self.repairs: list[Repair] = []
        self.said: set[tuple[str, str]] = set()  # what was noted, where
        self.path = "$"
        self.sized = True  # the grid is as large as the document says, if it does
        self.slot = "of"  # the key of the step whose materials are looked up
        self.steps_left = limits.steps
        self.deadline = time.monotonic() + limits.total_seconds
        self.seed = int(document.get("seed") or 0)
        self.functions = self._functions()
        self.parts: dict[str, Any] = document.get("parts") or {}
        self.stock: dict[str, tuple[Indices, NDArray[np.int64]]] = {}  # finished parts, newest last
        self.mentions: dict[str, frozenset[str]] = {}
        self.texts = {k.split("(")[0].strip(): str(v) for k, v in (document.get("functions") or {}).items()}
        for kind in ("textures", "parts"):
            self.texts |= {k: json.dumps(v) for k, v in (document.get(kind) or {}).items()}
        self.depth = 0
        self.paints = Paints(
            document.get("palette") or {},
            document.get("textures") or {},
            self.functions,
            self.seed,
            self._guessed,
        )
        self.constants = self._constants()
        self.scope = Scope(self.constants)

    # ----------------------------------------------------------------- the document

    def run(self) -> Indices:
        size = self._size()
        self.path = "$"
        grid = self._drawn(Canvas(size)).grid if size else None
        if grid is not None and grid.any():
            return grid
        for canvas in self._measured(lambda c: self.steps(c, self.document.get("build") or [], self.scope)):
            around = self._drawn(canvas).cropped()[0]
            if around.any():
                break
        if grid is None or not around.any():
            return around if grid is None else grid
        self.sized = False
        problem = f"everything lies outside of {'×'.join(map(str, grid.shape))}"
        self.note(problem, "used the bounding box of what is built", path="$.size")
        return around

    def _drawn(self, canvas: Canvas) -> Canvas:
        """Draw the steps of the document, as far as its limits allow."""
        try:
            self.steps(canvas, self.document.get("build") or [], self.scope)
        except _LimitError as stop:
            self.note(str(stop), "kept what was built until then", "loss")
        self.path, self.steps_left = "$", self.limits.steps
        return canvas

    def note(self, problem: str, fix: str, level: Level = "warn", path: str | None = None) -> None:
        """Add a repair, once; measuring and drawing may both run into it."""
        path = self.path if path is None else path
        if len(self.repairs) < _MAX_REPAIRS and (path, problem) not in self.said:
            self.said.add((path, problem))
            self.repairs.append(Repair(path, problem, fix, level))

    def _guessed(self, problem: str, fix: str) -> None:
        self.note(problem, fix, path=f"{self.path}.{self.slot}")

    def _functions(self) -> dict[str, expression.Function]:
        functions: dict[str, expression.Function] = {}
        paths: dict[str, str] = {}
        for signature, body in (self.document.get("functions") or {}).items():
            path = f"$.functions[{json.dumps(signature)}]"
            try:
                name, function = expression.parse_function(signature, str(body))
                functions[name], paths[name] = function, path
            except expression.ExpressionError as error:
                self.note(str(error), "left the function out", "loss", path)
        usable, wrong = expression.resolve(functions)
        for name, reason in wrong.items():
            self.note(reason, f"left {name}() out", "loss", paths[name])
        return usable

    def _constants(self) -> dict[str, float]:
        constants: dict[str, float] = {}
        for name, value in (self.document.get("let") or {}).items():
            self.path = f"$.let.{name}"
            try:
                constants[name] = self.number(str(value), Scope(constants))
            except ValueError as error:
                self.note(str(error), "left the constant out", "loss")
            except _LimitError as stop:
                self.note(str(stop), "left the other constants out", "loss")
                break
        return constants

    def _size(self) -> tuple[int, int, int] | None:
        self.path = "$.size"
        if self.document.get("size") is None:
            return None
        try:
            size = [max(1, math.ceil(round(self.number(v, self.scope), 9))) for v in self.document["size"]]
        except (ValueError, TypeError) as error:
            self.note(str(error), "used the bounding box of what is built")
            return None
        return self._bounded(size)

    def _bounded(self, size: Sequence[int]) -> tuple[int, int, int]:
        """Clamp a size to the limits before any memory is taken."""
        sides = [min(int(v), self.limits.side) for v in size]
        while math.prod(sides) > self.limits.cells:
            sides[sides.index(max(sides))] //= 2
        if sides != [int(v) for v in size]:
            wanted, got = ("×".join(map(str, s)) for s in (size, sides))
            self.note(f"{wanted} is beyond the limits", f"built {got} of it", "loss")
        return sides[0], sides[1], sides[2]

    def _measured(self, draw: Callable[[Canvas], None]) -> Iterator[Canvas]:
        """Yield an empty canvas just large enough for what `draw` draws, and perhaps another to try."""
        ruler = Ruler()
        left, path = self.steps_left, self.path
        with suppress(_LimitError):
            draw(ruler)
        self.steps_left, self.path = left, path
        for low, high in ruler.bounds(self.limits.side):
            yield Canvas(self._bounded((high - low + 1).tolist()), tuple(low.tolist()))

    # ----------------------------------------------------------------- steps

    def steps(self, canvas: Canvas, steps: Any, scope: Scope) -> None:
        above = self.path
        for i, step in enumerate(steps):
            self.path = f"{above}.build[{i}]"
            self._count()
            try:
                self.step(canvas, step, scope)
            except TimeoutError as error:
                self.note(str(error), "stopped the step there", "loss")
            except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
                self.note(_reason(error), "skipped the step", "loss")
            except (MemoryError, RecursionError) as error:
                self.note(f"too large to build ({type(error).__name__})", "skipped the step", "loss")
            if self.on_step is not None and above == "$" and not canvas.measuring:
                self.on_step(i, canvas)
        self.path = above

    def _count(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise _LimitError(f"more than {self.limits.steps:,} steps")
        self._check_time()

    def _check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise _LimitError(f"took longer than {self.limits.total_seconds:g} s")

    def step(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        """Draw one step, its "when" and "only" in force, and clean up after it."""
        kept = canvas.only, canvas.when, canvas.deadline
        try:
            if "when" in step and not self._holds(canvas, step["when"], scope):
                return
            if step.get("only") is not None and not canvas.measuring:
                allowed = self.indices(step["only"], scope, "only")
                canvas.only = allowed if kept[0] is None else _both(kept[0], allowed)
            if "build" not in step:
                canvas.deadline = min(kept[2], time.monotonic() + self.limits.step_seconds, self.deadline)
            name = next((key for key in step if key in _STEPS), None)
            if name is None:
                raise ValueError(f"no step is called {', '.join(map(repr, list(step)[:3])) or 'nothing'}")
            _STEPS[name](self, canvas, step, scope)
        finally:
            canvas.only, canvas.when, canvas.deadline = kept

    def _holds(self, canvas: Canvas, when: Any, scope: Scope) -> bool:
        """Evaluate "when"; one that speaks of x, y, z holds or fails cell by cell."""
        node = expression.parse(str(when))
        if not ({"x", "y", "z"} - set(scope.numbers)) & expression.names_used(node, self.functions):
            return bool(np.all(expression.truth(self.value(node, scope))))
        outer = canvas.when

        def condition(x: Any, y: Any, z: Any) -> Any:
            held = expression.truth(self.value(node, scope, x=x, y=y, z=z))
            return held if outer is None else held & outer.pick(x, y, z)

        work = expression.work(node, self.functions) + (outer.work if outer else 0)
        canvas.when = Chooser(condition, work)
        return True

    # ----------------------------------------------------------------- values

    def value(self, source: Any, scope: Scope, **cells: Any) -> Any:
        self._check_time()
        return expression.evaluate(
            source, {**scope.numbers, **cells} if cells else scope.numbers, self.functions
        )

    def number(self, value: Any, scope: Scope) -> float:
        """Return a number, or the value of a string expression; raises ValueError for anything else."""
        if isinstance(value, str):
            value = self.value(value, scope)
        if isinstance(value, (list, dict)) or value is None:
            raise ValueError(f"{json.dumps(value)[:60]} is not a number")
        return _finite(value)

    def point(self, value: Any, scope: Scope) -> tuple[float, float, float]:
        if not isinstance(value, (list, tuple)) or len(value) != 3:
            raise ValueError(f"{json.dumps(value)[:60]} is not a point [x,y,z]")
        x, y, z = (self.number(v, scope) for v in value)
        return x, y, z

    def points(self, value: Any, scope: Scope) -> NDArray[np.float64]:
        """Return one point or a list of points as (n, 3)."""
        if not isinstance(value, list) or not value:
            raise ValueError(f"{json.dumps(value)[:60]} is not a list of points")
        rows = value if isinstance(value[0], list) else [value]
        if len(rows) > 100:  # the fast path for long lists of plain cells
            with suppress(ValueError, TypeError):
                table = np.array(rows)
                if table.dtype.kind == "i" and table.shape[1:] == (3,):
                    return table.astype(np.float64)
        return np.array([self.point(row, scope) for row in rows], np.float64)

    def pair(self, value: Any, scope: Scope) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        if isinstance(value, Mapping):
            value = value.get("box")
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ValueError(f"{json.dumps(value)[:60]} is not a pair of corners")
        return self.point(value[0], scope), self.point(value[1], scope)

    def thickness(self, value: Any, scope: Scope) -> float:
        """Return "hollow" or "walls": false 0, true 1, else a number of cells."""
        return max(0.0, self.number(value or 0, scope))

    # ----------------------------------------------------------------- drawing

    def choice(self, of: Any, scope: Scope, slot: str = "of") -> Choice:
        self.slot = slot
        return self.paints.choice(of, scope)

    def indices(self, of: Any, scope: Scope, slot: str) -> NDArray[np.bool_]:
        self.slot = slot
        return self.paints.indices(of, scope)

    def fill(self, canvas: Canvas, shape: shapes.Shape, of: Any, scope: Scope, slot: str = "of") -> None:
        choice = self.choice(of, scope, slot)
        canvas.paint(shape, choice, len(self.paints.materials))

    def box(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        a, b = self.pair(step["box"], scope)
        hollow, walls = (self.thickness(step.get(k, 0), scope) for k in ("hollow", "walls"))
        self.fill(canvas, shapes.box(a, b, hollow, walls), step.get("of"), scope)

    def sphere(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        ball = step.get("sphere") or step["ellipsoid"]
        radius = ball["radius"]
        radii = self.point(radius if isinstance(radius, list) else [radius] * 3, scope)
        hollow = self.thickness(step.get("hollow", ball.get("hollow", 0)), scope)
        keep = str(step.get("keep", ball.get("keep", "")))
        shape = shapes.ellipsoid(self.point(ball["center"], scope), radii, hollow, keep)
        self.fill(canvas, shape, step.get("of"), scope)

    def cylinder(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        body = step.get("cylinder") or step["cone"]
        radius = body["radius"]
        rx, ry = (self.number(r, scope) for r in (radius[:2] if isinstance(radius, list) else [radius] * 2))
        top = body.get("top", 0 if "cone" in step else None)
        shape = shapes.cylinder(
            self.point(body["base"], scope),
            (rx, ry),
            self.number(body["height"], scope),
            None if top is None else self.number(top, scope),
            str(body.get("axis", "z")),
            self.thickness(step.get("hollow", body.get("hollow", 0)), scope),
        )
        self.fill(canvas, shape, step.get("of"), scope)

    def roof(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        body = step.get("roof") or step["pyramid"]
        a, b = self.pair(body, scope)
        along = str(body.get("along", "") or "") if isinstance(body, Mapping) and "roof" in step else ""
        if "roof" in step and along not in ("x", "y"):
            along = "x" if abs(b[0] - a[0]) >= abs(b[1] - a[1]) else "y"
        self.fill(canvas, shapes.roof(a, b, along), step.get("of"), scope)

    def line(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        points = self.points(step["line"], scope)
        width = self.number(step.get("width", 1), scope)
        taper = self.number(step.get("taper", width), scope)
        if step.get("curve"):
            points = shapes.smooth(points)
        choice = self.choice(step.get("of"), scope)
        reach = canvas.low.astype(np.float64), canvas.high.astype(np.float64)
        if canvas.measuring:
            reach = np.full(3, -float(self.limits.side)), np.full(3, 2.0 * self.limits.side)
        for shape in shapes.line(points, width, taper, reach):
            canvas.paint(shape, choice, len(self.paints.materials))

    def voxels(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        points, choice = self.points(step["voxels"], scope), self.choice(step.get("of"), scope)
        for at in range(0, len(points), _MAX_CELLS_AT_ONCE):  # millions of them would take much memory
            some = np.clip(points[at : at + _MAX_CELLS_AT_ONCE], -1e6, 1e6)
            cells = np.floor(np.round(some, 9) + 0.5).astype(np.int64)
            canvas.paint_cells(cells, choice, len(self.paints.materials))

    def layers(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        at = self.point(step.get("at", [0, 0, 0]), scope)
        slices = [_rows(layer) for layer in step["layers"]]
        codes, letters = _sliced(slices, upright=step.get("facing") == "front")
        low = (shapes.cell(at[0]), shapes.cell(at[1]), shapes.cell(at[2]))
        key = step.get("key") or {}
        choices = [self.choice(key.get(letter, letter), scope, "key") for letter in letters]
        table = np.array([0] + [c if isinstance(c, int) else 0 for c in choices], np.uint16)
        shape, held = shapes.drawing(codes, low)
        plain = Chooser(lambda x, y, z: table[held(x, y, z)])
        canvas.paint(shape, plain, len(self.paints.materials))  # all plain letters at once
        for code, choice in enumerate(choices, 1):
            if not isinstance(choice, int):
                canvas.paint(shapes.picture(codes, code, low), choice, len(self.paints.materials))

    def terrain(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        body = step["terrain"]
        a, b = self.pair(body, scope)
        scale = max(1.0, self.number(body.get("scale", 12), scope))
        seed = int(self.number(body.get("seed", 1), scope)) ^ self.seed
        ground, surface = shapes.terrain(a, b, scale, seed)
        self.fill(canvas, ground, step.get("of"), scope)
        self.fill(canvas, surface, body.get("top", step.get("top", step.get("of"))), scope, "top")

    def formula(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        node = expression.parse(str(step["formula"]))
        if "in" in step:
            low, high = shapes.outward(*self.pair(step["in"], scope))
        elif canvas.measuring:
            return  # it fills what the other steps span
        else:
            low, high = shapes.corners(canvas.low.tolist(), canvas.high.tolist())

        def inside(x: Any, y: Any, z: Any) -> Any:
            return expression.truth(self.value(node, scope, x=x, y=y, z=z))

        shape = shapes.Shape(low, high, inside, expression.work(node, self.functions))
        self.fill(canvas, shape, step.get("of"), scope)

    def mirror(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        axes = [axis for axis in str(step["mirror"]) if axis in "xyz"]
        if not axes:
            raise ValueError(f'{json.dumps(step["mirror"])[:40]} is not "x" or "y"')
        for axis in axes:
            canvas.mirror("xyz".index(axis), len(self.paints.materials))

    # ----------------------------------------------------------------- steps within steps

    def repeat(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        times = self.number(step["repeat"], scope)
        name = str(step.get("as", "i"))
        for i in range(max(0, shapes.cell(times))):
            self._count()
            self.steps(canvas, step["build"], scope.with_number(name, float(i)))

    def place(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        points = self.points(step["at"], scope)
        turns = step.get("turn") or 0
        turns = turns if isinstance(turns, list) and turns else [turns or 0]
        part, corner = self.part(str(step["place"]), step.get("with") or {}, scope)
        for i, point in enumerate(points):
            turned, offset = _turned(
                part, corner, self.number(turns[i % len(turns)], scope), str(step.get("mirror", ""))
            )
            at = np.array([shapes.cell(v) for v in point]) + offset
            if step.get("anchor") in ("center", "centre"):
                at[:2] -= np.array(turned.shape[:2]) // 2
            canvas.stamp(turned, at, len(self.paints.materials))

    def part(self, name: str, given: Mapping[str, Any], scope: Scope) -> tuple[Indices, NDArray[np.int64]]:
        """Return a part's grid and its low corner, built once for each set of values it depends on."""
        if name not in self.parts:
            raise ValueError(f'no part is called "{name}"')
        inner = self._part_scope(name, given, scope)
        own = {k: v for k, v in inner.numbers.items() if self.constants.get(k) != v}
        key = json.dumps([name, own, inner.materials], sort_keys=True, default=float)
        if key not in self.stock:
            if self.depth >= _MAX_PART_DEPTH:
                raise ValueError(
                    f'the part "{name}" places itself, or parts nest deeper than {_MAX_PART_DEPTH}'
                )
            self.depth += 1
            path = self.path
            self.path = f"$.parts.{name}"
            try:
                self.stock[key] = self._build_part(self.parts[name], inner)
                while (
                    sum(grid.nbytes for grid, _ in self.stock.values()) > _MAX_STOCK and len(self.stock) > 1
                ):
                    del self.stock[next(iter(self.stock))]
            finally:
                self.depth -= 1
                self.path = path
        return self.stock[key]

    def _part_scope(self, name: str, given: Mapping[str, Any], scope: Scope) -> Scope:
        """Return the names a part sees: its parameters, and what it mentions of the caller's."""
        mentioned = self._mentioned(name)
        numbers = {k: v for k, v in scope.numbers.items() if k in mentioned or k in self.constants}
        materials = {k: v for k, v in scope.materials.items() if k in mentioned}
        part = self.parts[name]
        defaults = (part.get("params") or {}) if isinstance(part, Mapping) else {}
        for parameter, value in {**defaults, **given}.items():
            numbers.pop(parameter, None)
            materials.pop(parameter, None)
            outer = scope if parameter in given else Scope(numbers, materials)
            number = self._parameter(value, defaults.get(parameter), outer)
            if number is None:
                materials[parameter] = outer.materials.get(value, value) if isinstance(value, str) else value
            else:
                numbers[parameter] = number
        return Scope(numbers, materials)

    def _parameter(self, value: Any, default: Any, scope: Scope) -> float | None:
        """Return a parameter's number, None where it is a material.

        A name of the palette is a material unless the default is a number; so is what is no expression.
        """
        if isinstance(value, str):
            named = value in scope.materials or self.paints.knows(value)
            if named and not isinstance(default, (int, float)):
                return None
        elif not isinstance(value, (int, float)):
            return None
        try:
            return self.number(value, scope)
        except ValueError:
            return None

    def _mentioned(self, name: str) -> frozenset[str]:
        """Return every word in a part and in the parts, functions and textures it speaks of."""
        if name not in self.mentions:
            words: set[str] = set()
            waiting = [name]
            while waiting:
                found = set(re.findall(r"[^\W\d]\w*", self.texts[waiting.pop()])) - words
                words |= found
                waiting += [word for word in found if word in self.texts]
            self.mentions[name] = frozenset(words)
        return self.mentions[name]

    def _build_part(self, part: Any, scope: Scope) -> tuple[Indices, NDArray[np.int64]]:
        body = {"build": part} if isinstance(part, list) else part
        steps = body.get("build") or ([body] if "layers" in body else [])
        if body.get("size") is not None:
            size = [max(1, math.ceil(round(self.number(v, scope), 9))) for v in body["size"]]
            canvas = Canvas(self._bounded(size))
            self.steps(canvas, steps, scope)
            return canvas.grid, np.zeros(3, np.int64)
        canvas = next(self._measured(lambda c: self.steps(c, steps, scope)))
        self.steps(canvas, steps, scope)
        grid, corner = canvas.cropped()
        before = np.maximum(corner, 0)  # the part's own box starts at 0, or below if it draws there
        if (before + grid.shape > self.limits.side).any():
            return grid, corner  # so far off that the box would not fit
        if before.any():
            grid = np.pad(grid, [(int(n), 0) for n in before])  # type: ignore[assignment]
        return grid, np.minimum(corner, 0)

    def scatter(self, canvas: Canvas, step: Mapping[str, Any], scope: Scope) -> None:
        """Drop things on the surface: free columns are tried in the order of a hash until enough stand."""
        things = step["scatter"] if isinstance(step["scatter"], (list, dict)) else [step["scatter"]]
        kinds = [self._thing(thing, scope) for thing in things]
        shares = list(things.values()) if isinstance(things, dict) else [1.0] * len(kinds)
        weights = [self.number(share, scope) for share in shares]
        count, gap = self.number(step.get("count", 10), scope), self.number(step.get("gap", 1), scope)
        if isinstance(canvas, Ruler):
            canvas.headroom = max(
                [canvas.headroom, 1, *(k.shape[2] for k in kinds if isinstance(k, np.ndarray))]
            )
            return
        allowed = self.indices(step["on"], scope, "on") if step.get("on") is not None else None
        seed = int(self.number(step.get("seed", 7), scope)) ^ self.seed
        field = _Field(canvas, self._area(canvas, step, scope), allowed, max(gap, 0.0))
        standing = 0
        for x, y in field.columns(seed):
            if standing >= count:
                break
            canvas.check_time()
            z = field.free(x, y)
            if z is None:
                continue
            draw, turn = chance.hash_cells(seed + 1, x, y, [0, 1]).tolist()
            self._drop(canvas, kinds[_weighted(draw, weights)], (x, y, z + 1), turn, step, scope)
            field.taken(x, y)
            standing += 1
        if standing < math.floor(count):
            self.note(f"room for {standing} of {count:g} things", "scattered those", "info")

    def _thing(self, thing: Any, scope: Scope) -> Any:
        """Return a part's grid, or a material for a single cell."""
        return self.part(thing, {}, scope)[0] if thing in self.parts else thing

    def _area(
        self, canvas: Canvas, step: Mapping[str, Any], scope: Scope
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        low, high = canvas.low[:2], canvas.high[:2]
        if step.get("area") is None:
            return low, high
        ends = np.array([[shapes.cell(self.number(v, scope)) for v in corner[:2]] for corner in step["area"]])
        return np.maximum(low, ends.min(0)), np.minimum(high, ends.max(0))

    def _drop(
        self,
        canvas: Canvas,
        kind: Any,
        at: tuple[int, int, int],
        turn: int,
        step: Mapping[str, Any],
        scope: Scope,
    ) -> None:
        if not isinstance(kind, np.ndarray):
            choice = self.choice(kind, scope, "scatter")
            canvas.paint_cells(np.array([at]), choice, len(self.paints.materials))
            return
        degrees = step.get("turn", True)
        quarter = 90.0 * (turn % 4) if degrees is True else 0.0
        if isinstance(degrees, (int, float)) and not isinstance(degrees, bool):
            quarter = float(degrees)
        elif isinstance(degrees, list) and degrees:
            quarter = self.number(degrees[turn % len(degrees)], scope)
        turned, _ = _turned(kind, np.zeros(3, np.int64), quarter, "")
        low = np.array(at) - np.array([turned.shape[0] // 2, turned.shape[1] // 2, 0])
        canvas.stamp(turned, low, len(self.paints.materials))


class _Field:
    """The surface of a canvas in one area, kept up to date while things are dropped on it."""

    def __init__(
        self,
        canvas: Canvas,
        area: tuple[NDArray[np.int64], NDArray[np.int64]],
        allowed: NDArray[np.bool_] | None,
        gap: float,
    ) -> None:
        self.canvas, self.allowed, self.gap = canvas, allowed, gap
        self.low, self.high = area
        self.blocked = np.zeros(np.maximum(self.high - self.low + 1, 0), bool)
        reach = math.ceil(min(gap, 1024.0))
        steps = np.arange(-reach, reach + 1)
        self.disc = np.argwhere(steps[:, None] ** 2 + steps[None, :] ** 2 < max(gap, 1.0) ** 2) - reach

    def columns(self, seed: int) -> list[list[int]]:
        """Return the columns that may hold something, [x, y] each, in an order shuffled by a hash."""
        if not self.blocked.size:
            return []
        _, indices = self.canvas.column_tops(self.low, self.high)
        good = indices != 0 if self.allowed is None else (indices != 0) & self.allowed[indices]
        cells = np.argwhere(good) + self.low
        order = np.argsort(chance.hash_cells(seed, cells[:, 0], cells[:, 1]), kind="stable")
        return cells[order].tolist()  # type: ignore[no-any-return]

    def free(self, x: int, y: int) -> int | None:
        """Return the surface's z at a column where something may still be dropped, else None."""
        if self.blocked[x - self.low[0], y - self.low[1]]:
            return None
        column = np.array([x, y])
        top, index = self.canvas.column_tops(column, column)
        if not index[0, 0] or (self.allowed is not None and not self.allowed[index[0, 0]]):
            return None
        return int(top[0, 0])

    def taken(self, x: int, y: int) -> None:
        """Keep the gap around a column free."""
        near = self.disc + np.array([x - self.low[0], y - self.low[1]])
        near = near[((near >= 0) & (near < self.blocked.shape)).all(1)]
        self.blocked[near[:, 0], near[:, 1]] = True


_STEPS: Mapping[str, Callable[[_Builder, Canvas, Mapping[str, Any], Scope], None]] = {
    "box": _Builder.box,
    "sphere": _Builder.sphere,
    "ellipsoid": _Builder.sphere,
    "cylinder": _Builder.cylinder,
    "cone": _Builder.cylinder,
    "pyramid": _Builder.roof,
    "roof": _Builder.roof,
    "line": _Builder.line,
    "voxels": _Builder.voxels,
    "layers": _Builder.layers,
    "terrain": _Builder.terrain,
    "formula": _Builder.formula,
    "repeat": _Builder.repeat,
    "place": _Builder.place,
    "scatter": _Builder.scatter,
    "mirror": _Builder.mirror,
}


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a number to build with")
    return number


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error) or type(error).__name__


def _both(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Combine two sets of palette indices, the older one shorter."""
    both = b.copy()
    both[: len(a)] &= a
    both[len(a) :] = False
    return both


def _weighted(draw: int, weights: list[Any]) -> int:
    """Pick a position in proportion to the weights by 32 random bits."""
    shares = np.cumsum([max(0.0, float(w)) for w in weights])
    return int(np.searchsorted(shares / max(shares[-1], 1e-9), draw / 4294967296.0, side="right"))


def _turned(
    part: Indices, corner: NDArray[np.int64], degrees: float, mirror: str
) -> tuple[Indices, NDArray[np.int64]]:
    """Return a part mirrored in its own coordinates, then turned about z, seen from above anticlockwise."""
    for axis in mirror:
        if axis in "xyz":
            part = np.flip(part, "xyz".index(axis))
    quarters = round(degrees / 90) % 4
    if quarters:
        part = np.rot90(part, quarters, (0, 1))
    return part, corner if not quarters and not mirror else np.array([0, 0, corner[2]])


def _rows(layer: Any) -> list[str]:
    """Split one text slice into rows and write run lengths ("a*10.*3b") out."""
    rows = layer if isinstance(layer, list) else str(layer).split("/")
    return [re.sub(r"(.)\*(\d{1,6})", lambda m: m[1] * min(int(m[2]), _MAX_RUN), str(row)) for row in rows]


def _sliced(slices: list[list[str]], upright: bool) -> tuple[NDArray[np.uint8], list[str]]:
    """Turn text slices into an (X, Y, Z) array of codes 1.., and the letters they stand for."""
    wide = max((len(row) for rows in slices for row in rows), default=0)
    tall = max((len(rows) for rows in slices), default=0)
    if not wide or wide * tall * len(slices) > 1 << 26:
        raise ValueError("the layers are empty" if not wide else "the layers are too large")
    letters = sorted(set().union(*(set(row) for rows in slices for row in rows)) - {".", " "})
    if len(letters) > 255:
        raise ValueError(f"{len(letters)} different letters in one step")
    table = np.zeros(0x110000, np.uint8)  # code point → code
    table[[ord(letter) for letter in letters]] = range(1, len(letters) + 1)
    shape = (wide, len(slices), tall) if upright else (wide, tall, len(slices))
    codes = np.zeros(shape, np.uint8)
    for s, rows in enumerate(slices):
        for r, row in enumerate(rows):
            cells = table[np.frombuffer(row.encode("utf-32-le", "surrogatepass"), np.uint32)]
            back = len(rows) - 1 - r  # rows run from the back, or from the top, downwards
            codes[(slice(0, len(row)), s, back) if upright else (slice(0, len(row)), back, s)] = cells
    return codes, letters
