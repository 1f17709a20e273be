"""Steps as models write them → the steps of the language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from voxgen.language.mending.corners import Lost, take
from voxgen.language.mending.forms import is_valid
from voxgen.language.mending.layers import needs_key
from voxgen.language.mending.options import mend_options
from voxgen.language.mending.shaping import SHAPES, Place, part_like
from voxgen.language.mending.turning import with_points
from voxgen.language.mending.values import (
    Names,
    first_material,
    is_channels,
    is_material,
    is_number,
    is_pair,
    literal,
    material,
    number,
    point,
    points,
    show,
)
from voxgen.language.mending.words import (
    BUILD_WORDS,
    COMMON,
    FILLED,
    STEP_NAMES,
    STEPS,
    WORDS,
    looks_like_step,
    name_of,
    word_of,
)
from voxgen.language.palette import fold

Step = dict[str, Any]

_MAX_DEPTH = 24

__all__ = ["mend_steps"]

# --------------------------------------------------------------------------- lists of steps


def mend_steps(steps: Any, path: str, names: Names, of: Any = None, depth: int = 0) -> list[Step]:
    """Return valid steps for whatever stands where steps should; `of` fills those that name nothing."""
    if depth > _MAX_DEPTH:
        names.notes.add(path, f"steps nest deeper than {_MAX_DEPTH}", "left them out", "loss")
        return []
    if isinstance(steps, Mapping):
        steps = _steps_of_object(steps, path, names)
    if not isinstance(steps, (list, tuple)):
        names.notes.add(path, f"{show(steps)} is not a list of steps", "left it out", "loss")
        return []
    mended: list[Step] = []
    for i, step in enumerate(steps):
        names.left -= 1
        if names.left < 0:
            if names.left == -1:
                names.notes.add(f"{path}[{i}]", "too many steps", "left the rest out", "loss")
            break
        mended += _mend_step(step, f"{path}[{i}]", names, of, depth)
    return mended


def _steps_of_object(steps: Mapping[Any, Any], path: str, names: Names) -> list[Any]:
    """Read one step in place of a list, or steps under names or numbers: {"roof": [steps], "1": step}."""
    if name_of(steps, names.parts):
        names.notes.add(path, "is one step, not a list", "read it as a list of one", "info")
        return [steps]
    names.notes.add(path, "is an object, not a list", "took its values in order", "info")
    values: list[Any] = []
    for value in steps.values():
        values += value if isinstance(value, list) else [value]
    return values


def _mend_step(step: Any, path: str, names: Names, of: Any, depth: int) -> list[Step]:
    if isinstance(step, dict):
        name = next((key for key in step if key in STEPS), None)
        if name and name != "repeat" and is_valid(name, step) and not _needs_names(name, step, names):
            return [step]
    before = names.notes.count
    try:
        mended = _understand(step, path, names, of, depth)
    except Lost as lost:
        names.notes.add(path, str(lost), "left the step out", "loss")
        return []
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        # a form nobody thought of must not cost the other steps
        names.notes.add(
            path, f"is beyond understanding ({type(error).__name__})", "left the step out", "loss"
        )
        return []
    if names.notes.count == before and mended != [step]:
        names.notes.add(path, "is not quite how the language has it", "wrote it that way", "info")
    return mended


def _needs_names(name: str, step: Step, names: Names) -> bool:
    """Say whether a step that is written well still says something else than it means in this document."""
    if names.air or is_channels(step.get("of"), names.palette):
        return True
    if name == "place" and step["place"] not in names.parts:
        return part_like(step["place"], names) is not None
    return name == "layers" and needs_key(step, names)


def _understand(step: Any, path: str, names: Names, of: Any, depth: int) -> list[Step]:
    if isinstance(step, str) and step.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            inner = json.loads(step)
            names.notes.add(path, "is JSON in a text", "unpacked it", "info")
            return mend_steps([inner], path, names, of, depth + 1)
    if isinstance(step, str):
        names.notes.add(
            path, f"{show(step)} is not a step", "left it out", "info" if step.startswith("//") else "loss"
        )
        return []
    if isinstance(step, (list, tuple)):
        step = list(step)
        if step and isinstance(step[0], (dict, list)) and not all(map(point, step)):
            return mend_steps(step, path, names, of, depth + 1)
        step = _positional(step)
    if not isinstance(step, Mapping):
        raise Lost(f"{show(step)} is not a step")
    step = {str(k): v for k, v in step.items()}
    found = name_of(step, names.parts)
    if found is None:
        return _group(step, path, names, of, depth)
    name, step, hint = found
    if name == "repeat":
        return _repeat(step, path, names, of, depth)
    others = [key for key in step if key in STEPS and key != name and key not in _absorbed(name)]
    if others:
        return _several(name, others, step, path, names, of, depth)
    return _rebuild(name, step, path, names, of, hint)


def _absorbed(name: str) -> frozenset[str]:
    """Return the step names that are options of another step when both stand together."""
    boxes = (
        {"box"}
        if name in ("formula", "roof", "pyramid", "terrain", "scatter", "sphere", "ellipsoid")
        else set()
    )
    own = set(STEPS[name]) | boxes
    return frozenset(own | ({"voxels"} if name == "line" else set()))


def _several(
    name: str, others: list[str], step: Step, path: str, names: Names, of: Any, depth: int
) -> list[Step]:
    """Take a step with several shapes apart; they share its options."""
    names.notes.add(
        path,
        f"{' and '.join(json.dumps(n) for n in [name, *others])} in one step",
        "drew them in turn",
        "info",
    )
    mended = []
    for part in [name, *others]:
        single = {k: v for k, v in step.items() if k == part or k not in (name, *others)}
        mended += _mend_step(single, path, names, of, depth)
    return mended


def _group(step: Step, path: str, names: Names, of: Any, depth: int) -> list[Step]:
    """Read an object without a shape that holds steps: {"build": […], "of": …}."""
    key = next((k for k in step if fold(k) in BUILD_WORDS), None)
    if key is None and all(
        isinstance(v, (Mapping, list)) and looks_like_step(v, names.parts) for v in step.values()
    ):
        names.notes.add(path, "is an object of steps", "took them in order", "info")
        return mend_steps(list(step.values()), path, names, of, depth + 1)
    if key is None or not isinstance(step[key], (list, dict)):
        if set(step) <= {"note", "comment", "_comment", "//"}:
            names.notes.add(path, "only holds a remark", "left it out", "info")
            return []
        raise Lost(f"no step is called {' or '.join(show(k, 20) for k in list(step)[:3]) or 'nothing'}")
    names.notes.add(path, "is a group of steps", "took its steps in order", "info")
    options = _common("repeat", {k: step[k] for k in ("when", "only") if k in step}, path, names)
    inner = mend_steps(step[key], f"{path}.{key}", names, _of_group(step, names, of), depth + 1)
    return [{"repeat": 1, "build": inner, **options}] if options else inner


def _of_group(step: Step, names: Names, of: Any) -> Any:
    given = next((step[k] for k in step if WORDS.get(fold(k)) == "of"), None)
    try:
        return of if given is None else material(given, names)
    except ValueError:
        return of


def _positional(step: list[Any]) -> Step:
    """Read ["box", [0,0,0], [4,4,4], "stone"] or ["fill", 0,0,0, 4,4,4, "stone"]."""
    name = STEP_NAMES.get(fold(step[0])) if step and isinstance(step[0], str) else None
    if name is None:
        raise Lost(f"{show(step)} is not a step")
    rest = step[1:]
    named: Step = {
        k: v for item in rest if isinstance(item, Mapping) for k, v in item.items() if isinstance(k, str)
    }
    places = [p for item in rest if isinstance(item, (list, tuple)) for p in points(list(item))[0]]
    numbers = [v for v in rest if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if not places:
        places = [numbers[i : i + 3] for i in range(0, len(numbers) - 2, 3)]
        numbers = numbers[3 * len(places) :]
    words = [v for v in rest if isinstance(v, str)]
    named = {"type": step[0], **({"of": words[-1]} if words else {}), **named}
    if name in ("sphere", "ellipsoid", "cylinder", "cone"):
        sizes = dict(zip(("radius", "height"), numbers, strict=False))
        return {**({"center": places[0]} if places else {}), **sizes, **named}
    return {**({"points": places} if name in ("line", "voxels") else _ends(places)), **named}


def _ends(places: list[list[Any]]) -> Step:
    return dict(zip(("from", "to"), places, strict=False))


# --------------------------------------------------------------------------- one step


def _rebuild(name: str, step: Step, path: str, names: Names, of: Any, hint: str) -> list[Step]:
    """Write a step anew from whatever its fields are called and wherever they stand."""
    fields = _fields(name, step, path, names)
    value = fields.pop(name, None)
    if fields.pop("solid", True) is False:
        fields.setdefault("hollow", True)
    common = _common(name, fields, path, names)
    shaped = SHAPES[name](value, fields, Place(path, names, common))
    options = mend_options(name, fields, path, names)
    for word in fields:
        names.notes.add(path, f"{show(word)} is not an option of {name}", "ignored it", "info")
    _explain(name, value, shaped[0], hint, path, names)
    if name in FILLED and "of" not in common and not all("of" in shape for shape in shaped):
        _add_missing(common, path, names, of)
    return [{**shape, **options, **{k: v for k, v in common.items() if k not in shape}} for shape in shaped]


def _explain(name: str, before: Any, shape: Step, hint: str, path: str, names: Names) -> None:
    """Note how the shape itself was rewritten, if it was."""
    after = shape.get(name)
    text = json.dumps(after) if name not in ("voxels", "layers", "line") else show(after)
    text = text if len(text) <= 80 else show(after)
    if hint:
        names.notes.add(path, hint, f"read it as {name} {text}", "info")
    elif before == after or name in ("voxels", "layers", "place"):
        return
    elif name == "box" and is_pair(before):
        names.notes.add(f"{path}.box", "the corners are reversed", "sorted them", "info")
    else:
        problem = "is not written like that" if before is None else f"{show(before)} is not how it is written"
        names.notes.add(f"{path}.{name}", problem, f"read it as {text}", "info")


def _fields(name: str, step: Step, path: str, names: Names) -> dict[str, Any]:
    """Return everything a step says, also inside its object, under the language's own words."""
    body = _decoded(step.get(name))
    step = {**step, name: body} if name in step else step
    inside = isinstance(body, dict) and _is_body(name, body)
    items = [*(body.items() if inside and isinstance(body, dict) else []), *step.items()]
    fields: dict[str, Any] = {} if inside else {name: body}
    for key, value in items:
        if key == name and value is body:
            continue
        word = word_of(str(key), value, name)
        if word in fields and word != name:
            continue
        if word != key and word in STEPS[name] | COMMON:
            names.notes.add(path, f"{show(key)} is not a word of {name}", f'read it as "{word}"', "info")
        if word != name or fields.get(name) is None:
            fields[word] = value
    return fields


def _decoded(body: Any) -> Any:
    """Return what a text says if it is an object of JSON."""
    if isinstance(body, str) and body.lstrip()[:1] == "{":
        with suppress(ValueError, RecursionError):
            return json.loads(body)
    return body


def _is_body(name: str, body: Mapping[str, Any]) -> bool:
    """Say whether an object under a step's name holds its fields, not a point, a mix or layers by number."""
    if name == "scatter" and is_material(body):
        return False
    return name != "layers" or any(fold(str(k)) in ("layers", "rows", "data", "slices", "grid") for k in body)


def _common(name: str, fields: dict[str, Any], path: str, names: Names) -> Step:
    common: Step = {}
    if "note" in fields:
        note = fields.pop("note")
        common["note"] = note if isinstance(note, str) else show(note)
    if "when" in fields:
        when = fields.pop("when")
        if isinstance(when, bool) or is_number(when):
            common["when"] = when
        else:
            names.notes.add(f"{path}.when", f"{show(when)} is not an expression", "ignored it")
    for key in ("of", "only"):
        if key in fields:
            _add_material(key, fields.pop(key), common, path, names)
    return common


def _add_material(key: str, value: Any, common: Step, path: str, names: Names) -> None:
    try:
        found = material(value, names)
    except ValueError as error:
        names.notes.add(f"{path}.{key}", str(error), "ignored it")
        return
    common[key] = found
    if found != value or (type(found) is not type(value) and not isinstance(value, (list, tuple))):
        names.notes.add(
            f"{path}.{key}", f"{show(value)} is not how a material is named", f"used {show(found)}", "info"
        )


def _add_missing(common: Step, path: str, names: Names, of: Any) -> None:
    if of is not None:
        common["of"] = of
        names.notes.add(path, 'has no "of"', f"used {show(of)} of the group around it", "info")
        return
    common["of"] = first_material(names)
    names.notes.add(path, 'has no "of"', f"used {show(common['of'])}")


# --------------------------------------------------------------------------- repeat


def _repeat(step: Step, path: str, names: Names, of: Any, depth: int) -> list[Step]:
    """Mend a repeat and the steps in it; a shape beside "repeat" is what is repeated."""
    inner = [k for k in step if k in STEPS and k != "repeat"]
    shape = {k: step.pop(k) for k in list(step) if k in inner or _is_of_shape(k, inner)}
    fields = _fields("repeat", step, path, names)
    count, variable = fields.pop("repeat", None), fields.pop("as", None)
    steps = fields.pop("build", None)
    offset = point(take(fields, "offset", "step", "spacing", "shift", "delta", "at"))
    result: Step = {"repeat": _count(count, path, names), **_common("repeat", fields, path, names)}
    group = result.pop("of", of)
    if variable is not None:
        result["as"] = variable if isinstance(variable, str) and variable.isidentifier() else "i"
    if shape:
        names.notes.add(path, "the step to repeat stands beside it", 'put it into "build"', "info")
        steps = [shape, *(steps if isinstance(steps, list) else [])]
    if steps is None:
        raise Lost("there is nothing to repeat")
    build = mend_steps(steps, f"{path}.build", names, group, depth + 1)
    if offset:
        names.notes.add(path, "moves with each turn", "wrote that into the coordinates", "info")
        build = [_shifted(s, offset, result.get("as", "i")) for s in build]
    for word in fields:
        names.notes.add(path, f"{show(word)} is not an option of repeat", "ignored it", "info")
    return [{**result, "build": build}]


def _is_of_shape(key: str, inner: list[str]) -> bool:
    """Say whether a key beside "repeat" belongs to the step that is repeated."""
    options = frozenset[str]().union(*(STEPS[name] for name in inner))
    return bool(inner) and (key in options - {"as", "build"} or WORDS.get(fold(key)) == "of")


def _count(value: Any, path: str, names: Names) -> Any:
    count = number(value)
    if count is None:
        names.notes.add(f"{path}.repeat", f"{show(value)} is not a number", "drew it once")
        return 1
    if count is not value:
        names.notes.add(
            f"{path}.repeat", f"{show(value)} is not how it is written", f"used {show(count)}", "info"
        )
    return count


def _shifted(step: Step, offset: list[Any], variable: str) -> Step:
    """Return a step moved by offset * variable; a formula stays where it is."""

    def moved(p: list[Any]) -> list[Any]:
        return [c if literal(o) == 0 else f"({c})+({o})*{variable}" for c, o in zip(p, offset, strict=True)]

    return with_points(step, moved)
