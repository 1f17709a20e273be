"""What a document means: mend() turns whatever a model may have meant into the language's own forms."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from voxgen.language.blocks import is_air
from voxgen.language.mending.coloring import mend_palette
from voxgen.language.mending.entries import NAMES, VALUES, by_name, value_of
from voxgen.language.mending.lighting import mend_light, mend_view, read_light, read_view
from voxgen.language.mending.placing import oddities, settle, upright_axis
from voxgen.language.mending.steps import mend_steps
from voxgen.language.mending.unwrapping import KNOWN, holds_steps, named, unwrapped
from voxgen.language.mending.values import (
    Names,
    Notes,
    first_material,
    is_material,
    is_number,
    literal,
    material,
    nonsense,
    number,
    show,
)
from voxgen.language.mending.words import COMMON, STEPS, looks_like_step, table
from voxgen.language.palette import fold, guess_material, read_color, read_material
from voxgen.language.remarks import remarks
from voxgen.scene import Level, Repair

__all__ = [
    "COMMON",
    "STEPS",
    "guess_material",
    "mend",
    "oddities",
    "read_color",
    "read_light",
    "read_material",
    "read_view",
    "remarks",
]

_VERSION = 1
_GROUNDS = {"ground", "base", "floor", "foundation"}
MAX_SHOWN = 20  # entries of a list that are told one by one


def mend(document: Any) -> tuple[dict[str, Any], list[Repair]]:
    """Return a document in the language's own forms and what had to be mended; the input stays as it is.

    A valid document comes back equal, without repairs; what was mended once needs no mending again.
    Levels: "info" changes nothing a viewer would miss, "warn" is a guess, "loss" leaves something out.
    Raises ReplyError when the value cannot be a scene at all: a number, a program, a JSON schema.

    >>> mend({"steps": [{"type": "box", "from": [0, 0, 0], "to": [1, 1, 1], "color": "red"}]})[0]
    {'build': [{'box': [[0, 0, 0], [1, 1, 1]], 'of': 'red'}]}
    """
    notes = Notes()
    fields = named(unwrapped(document, notes), notes)
    names = _names(fields, notes)
    mended: dict[str, Any] = {}
    for key, value in fields.items():
        found = _MENDERS[key](value, names) if key in _MENDERS else value
        if found is not None or key not in _MENDERS:
            mended[key] = found
    _set_build(mended, names)
    if names.palette or "palette" in fields:
        mended["palette"] = fields["palette"] if names.palette == fields.get("palette") else names.palette
    settle(mended, notes)
    return _in_order(mended, document), notes.all()


def _in_order(mended: dict[str, Any], document: Any) -> dict[str, Any]:
    """Return the document itself where nothing changed, so that what was valid stays the very same."""
    if not isinstance(document, dict) or list(document) != list(mended):
        return mended
    return document if all(map(operator.is_, document.values(), mended.values())) else mended


# --------------------------------------------------------------------------- names, then steps


def _names(fields: Mapping[str, Any], notes: Notes) -> Names:
    """Read what the document names: palette entries, parts, textures."""
    palette, places, air = mend_palette(fields.get("palette"), fields.get("build"), notes)
    parts = fields.get("parts")
    if isinstance(parts, (list, tuple)):
        parts = _named_parts(parts)
    known = dict.fromkeys(map(str, parts)) if isinstance(parts, Mapping) else {}
    return Names(notes, palette, known, places, air, up=upright_axis(fields))


def _set_build(mended: dict[str, Any], names: Names) -> None:
    """Mend the steps, wherever the document keeps them, into its "build"."""
    given = mended.get("build")
    steps = _ground(mended, names)
    steps += [] if given is None else mend_steps(given, "$.build", names)
    steps += _lone_step(mended, names) if not steps else []
    for key in [k for k, v in mended.items() if k not in KNOWN and holds_steps(v)]:
        names.notes.add(f"$.{key}", "holds steps, but is no part of the language", "built them as well")
        steps += mend_steps(mended.pop(key), f"$.{key}", names)
    if given is None and not steps:
        names.notes.add("$.build", "is missing", "there is nothing to draw", "loss")
    mended["build"] = given if _is_same(given, steps) else steps


def _ground(mended: dict[str, Any], names: Names) -> list[dict[str, Any]]:
    """Take what a document says beside "build" that the scene stands on: drawn first, and never of air."""
    key = next((k for k, v in mended.items() if fold(k) in _GROUNDS and _is_step(v)), None)
    if key is None:
        return []
    names.notes.add(f"$.{key}", "holds steps, but is no part of the language", "drew them first", "info")
    steps = mend_steps(mended.pop(key), f"$.{key}", names)
    return [{**step, "of": first_material(names)} if _is_hollow(step) else step for step in steps]


def _is_step(value: Any) -> bool:
    return looks_like_step(value) if isinstance(value, Mapping) else holds_steps(value)


def _is_hollow(step: Mapping[str, Any]) -> bool:
    """Say whether a step fills its shape with nothing."""
    of = step.get("of", 0)
    return all(map(is_air, of)) if isinstance(of, (list, Mapping)) else is_air(of)


def _lone_step(mended: dict[str, Any], names: Names) -> list[dict[str, Any]]:
    """Take a step out of a document that is one itself: {"palette", "layers", "key"}."""
    own = [key for key in mended if key in STEPS]
    if not own:
        return []
    names.notes.add("$", f"{show(own[0])} stands outside of build", "built it as a step", "info")
    options = COMMON.union(*(STEPS[name] for name in own)) - set(_MENDERS)
    return mend_steps([{k: mended.pop(k) for k in list(mended) if k in own or k in options}], "$", names)


def _is_same(before: Any, after: list[Any]) -> bool:
    return isinstance(before, list) and len(before) == len(after) and all(map(operator.is_, before, after))


# --------------------------------------------------------------------------- parts

_PART_WORDS = table("""
    build: steps objects ops commands elements shapes body
    size: dimensions dims bounds
    params: parameters args arguments variables defaults
    note: description comment title
""")


def _parts(value: Any, names: Names) -> Any:
    if isinstance(value, (list, tuple)):
        names.notes.add("$.parts", "is a list", "took each part's own name", "info")
        value = _named_parts(value)
    if not isinstance(value, Mapping):
        return nonsense("$.parts", value, names)
    parts = {}
    for name, part in value.items():
        mended = _part(part, f"$.parts.{name}", names)
        if mended is not None:
            parts[str(name)] = mended
    return parts


def _named_parts(parts: Collection[Any]) -> dict[str, Any]:
    """Turn [{"name": "oak", …}, …] into {"oak": {…}}; a part without a name is called by its place."""
    named: dict[str, Any] = {}
    for i, part in enumerate(parts):
        if isinstance(part, Mapping) and any(_is_of_part(str(k)) for k in part):
            keys = (k for k in part if fold(str(k)) in ("name", "id", "key", "part"))
            key = next((k for k in keys if isinstance(part[k], (str, int))), None)
            name = f"part{i}" if key is None else str(part[key])
            named[name] = {k: v for k, v in part.items() if key is None or k != key}
        else:
            found, nameless = by_name([part], (*NAMES, "part"))
            named |= found or {f"part{i}": part for part in nameless}
    return named


def _is_of_part(key: str) -> bool:
    return key in STEPS or fold(key) in _PART_WORDS


def _part(part: Any, path: str, names: Names) -> Any:
    """Return a part in the form {"size", "params", "build"}, None where it holds nothing."""
    if isinstance(part, (list, tuple)):
        names.notes.add(path, "is a list of steps", 'put them into "build"', "info")
        return {"build": mend_steps(list(part), f"{path}.build", names)}
    if not isinstance(part, Mapping):
        return nonsense(path, part, names)
    fields = {_PART_WORDS.get(fold(str(k)), str(k)): v for k, v in part.items()}
    if renamed := [k for k in part if str(k) not in fields]:
        names.notes.add(
            path, f"{show(str(renamed[0]))} is not a word of a part", "read it as its alias", "info"
        )
    step = {k: v for k, v in fields.items() if k not in ("size", "params", "note", "build")}
    kept = {k: fields[k] for k in ("size", "params", "note") if k in fields}
    mended: dict[str, Any] = {}
    for key, mend_part in (("size", _size), ("params", _params), ("note", _text)):
        if key in kept and (value := mend_part(kept[key], names, path)) is not None:
            mended[key] = value
    if "build" in fields:
        steps = fields["build"]
        mended["build"] = mend_steps(steps, f"{path}.build", names)
        if _is_same(steps, mended["build"]):
            mended["build"] = steps
        return (
            part
            if list(part) == list(mended) and all(map(operator.is_, part.values(), mended.values()))
            else mended
        )
    return _lone(part, step, mended, path, names)


def _lone(
    part: Mapping[Any, Any], step: dict[str, Any], mended: dict[str, Any], path: str, names: Names
) -> Any:
    """Read a part that is itself one step, such as {"layers": …}."""
    steps = mend_steps([step], path, names)
    if not steps:
        return None
    if len(steps) == 1 and "layers" in steps[0]:
        mended = {**mended, **steps[0]}
        return part if mended == part else mended
    names.notes.add(path, "is a step, not a part", 'put it into "build"', "info")
    return {**mended, "build": steps}


def _params(value: Any, names: Names, path: str) -> Any:
    if isinstance(value, (list, tuple)):
        value = _defaults(value, f"{path}.params", names)
    if not isinstance(value, Mapping):
        return nonsense(f"{path}.params", value, names)
    told = {k: v["default"] if isinstance(v, Mapping) and "default" in v else v for k, v in value.items()}
    good = {str(k): v for k, v in told.items() if is_number(v) or is_material(v)}
    for key, v in told.items():
        if str(key) not in good:
            try:
                good[str(key)] = material(v, names)
            except ValueError as error:
                names.notes.add(f"{path}.params.{key}", str(error), "left it out")
    return good


def _defaults(params: Collection[Any], path: str, names: Names) -> dict[str, Any]:
    """Read a list of params: {"name", "value"}, or only a name, which is 1 unless it is told otherwise."""
    found, bare = by_name(params)
    found = {name: value_of(entry) for name, entry in found.items()}
    without = {name: 1 for name in bare if isinstance(name, str)}
    if without or len(bare) > len(without):
        names.notes.add(path, "have no defaults", "took 1 for each", "warn")
    elif found:
        names.notes.add(path, "are a list", "took each entry's own name", "info")
    return {**without, **found}


# --------------------------------------------------------------------------- the smaller keys


def _text(value: Any, names: Names, path: str = "$") -> str | None:
    if isinstance(value, str) or value is None:
        return value
    return " ".join(map(str, value)) if isinstance(value, list) and len(value) < 100 else show(value, 200)


def _version(value: Any, names: Names) -> Any:
    if literal(value) != _VERSION:
        names.notes.add("$.voxgen", f"version {show(value)} is not known", f"read it as version {_VERSION}")
        return _VERSION
    return value


def _seed(value: Any, names: Names) -> Any:
    found = literal(value)
    if found is None:
        return nonsense("$.seed", value, names, "info")
    if type(value) is int:
        return value
    names.notes.add("$.seed", f"{show(value)} is not a whole number", f"used {int(found)}", "info")
    return int(found)


_SIDES = (("x", "width", "w", "sizex", "length"), ("y", "depth", "d", "sizey"), ("z", "height", "h", "sizez"))


def _size(value: Any, names: Names, path: str = "$") -> list[Any] | None:
    """Return [X, Y, Z] from a list, an object, "16x16x8" or one number."""
    if isinstance(value, list) and len(value) == 3 and all(is_number(v) and _positive(v) for v in value):
        return value
    found = _sides(value)
    if found is None:
        level: Level = "info" if value is None else "warn"
        names.notes.add(f"{path}.size", f"{show(value)} is not a size", "measured what is built", level)
        return None
    names.notes.add(
        f"{path}.size", f"{show(value)} is not how a size is written", f"read it as {show(found)}", "info"
    )
    return found


def _positive(value: Any) -> bool:
    found = literal(value)
    return found is None or found > 0


def _sides(value: Any) -> list[Any] | None:
    if isinstance(value, str):
        value = re.split(r"\s*[x×X*,;]\s*|\s+by\s+|\s+", value.strip()[:80])
        value = value[0] if len(value) == 1 else value
        if isinstance(value, str) and literal(number(value)) is None:
            return None
    if isinstance(value, Mapping):
        folded = {fold(str(k)): v for k, v in value.items()}
        value = [next((folded[k] for k in keys if k in folded), None) for keys in _SIDES]
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if not isinstance(value, (list, tuple)):
        value = [value] * 3
    numbers = [number(v) for v in list(value)[:3]]
    if len(numbers) == 3 and all(n is not None for n in numbers):
        sides = [n if literal(n) is None else abs(literal(n) or 0) for n in numbers]
        return sides if all(map(_positive, sides)) else None
    return None


def _listed(value: Any, key: str, names: Names, words: Collection[str] = NAMES) -> Any:
    """Turn a list of named entries into a map; anything else comes back as it is."""
    if not isinstance(value, (list, tuple)):
        return value
    found, nameless = by_name(value, words)
    if found:
        names.notes.add(f"$.{key}", "is a list", "took each entry's own name", "info")
    for entry in nameless[:MAX_SHOWN]:
        names.notes.add(f"$.{key}", f"{show(entry)} has no name", "left it out", "loss")
    return found


def _let(value: Any, names: Names) -> Any:
    if isinstance(value, (list, tuple)):
        value = {k: value_of(v) for k, v in _listed(value, "let", names).items()}
    if not isinstance(value, Mapping):
        return nonsense("$.let", value, names)
    good = {str(k): number(v) for k, v in value.items()}
    for key in [k for k, v in good.items() if v is None]:
        names.notes.add(f"$.let.{key}", f"{show(value.get(key))} is not a number", "left it out", "loss")
        del good[key]
    return value if isinstance(value, dict) and good == value else good


def _functions(value: Any, names: Names) -> Any:
    """Return "name(a,b)" → expression, also from {"name": {"args": […], "body": …}} and from "(a,b) => …"."""
    value = _listed(value, "functions", names, ("name", "signature", "function", "id", "key"))
    if not isinstance(value, Mapping):
        return nonsense("$.functions", value, names)
    good: dict[str, str] = {}
    for signature, body in value.items():
        found = _function(str(signature), body)
        if found is None:
            names.notes.add(
                f"$.functions.{signature}", f"{show(body)} is not a formula", "left it out", "loss"
            )
            continue
        good[found[0]] = found[1]
        if found != (signature, body):
            problem = "is not how a function is written"
            names.notes.add(
                f"$.functions.{signature}", problem, f"read it as {found[0]} = {found[1][:60]}", "info"
            )
    return good


_ARGUMENTS = ("args", "params", "arguments", "parameters", "variables", "inputs")
_BODIES = (*("body", "expr", "expression", "return", "returns", "formula", "definition"), *VALUES)


def _parameters(arguments: Any) -> str:
    """Return "a,b" from ["a", "b"], "a, b" or [{"name": "a"}, …]."""
    if not isinstance(arguments, (list, tuple)):
        return str(arguments or "").strip("() ")
    return ",".join(str(value_of(a, NAMES)) for a in arguments)


def _function(signature: str, body: Any) -> tuple[str, str] | None:
    if isinstance(body, Mapping):
        folded = {fold(str(k)): v for k, v in body.items()}
        arguments = next((folded[k] for k in _ARGUMENTS if k in folded), None)
        if arguments or "(" not in signature:
            signature = f"{signature.split('(')[0]}({_parameters(arguments)})"
        body = next((folded[k] for k in _BODIES if k in folded), None)
    if isinstance(body, (int, float)) and not isinstance(body, bool) and is_number(body):
        body = str(body)
    if not isinstance(body, str) or not body.strip():
        return None
    lambda_ = re.fullmatch(r"\s*(?:lambda\s+([\w\s,]*):|\(?([\w\s,]*)\)?\s*=>)\s*(.+)", body, re.DOTALL)
    if lambda_:
        arguments = (lambda_[1] or lambda_[2] or "").replace(" ", "")
        return f"{signature.split('(')[0]}({arguments})", lambda_[3]
    return (signature if "(" in signature else f"{signature}(x,y,z)"), body


def _textures(value: Any, names: Names) -> Any:
    value = _listed(value, "textures", names, ("name", "id", "key", "texture"))
    if not isinstance(value, Mapping):
        return nonsense("$.textures", value, names)
    good = {}
    for name, rules in value.items():
        mended = _rules(rules, f"$.textures.{name}", names)
        if mended:
            good[str(name)] = mended
    return good


_RULES = {"rules", "layers", "cases", "conditions", "value", "values"}


def _rules(value: Any, path: str, names: Names) -> list[dict[str, Any]]:
    """Return the rules of a texture; a bare material is a rule without condition."""
    if isinstance(value, Mapping):
        value = next((v for k, v in value.items() if fold(str(k)) in _RULES and isinstance(v, list)), value)
    given = value if isinstance(value, list) else [value]
    rules: list[dict[str, Any]] = []
    for i, rule in enumerate(given):
        if _is_rule(rule):
            rules.append(rule)
            continue
        found = _rule(rule, f"{path}[{i}]", names)
        rules += [found] if found else []
    return rules


def _is_rule(rule: Any) -> bool:
    """Say whether a rule is as the language has it."""
    if not isinstance(rule, dict) or not set(rule) <= {"when", "of", "note"}:
        return False
    return is_material(rule.get("of", 0)) and is_number(rule.get("when", 0))


def _rule(rule: Any, path: str, names: Names) -> dict[str, Any] | None:
    folded = {fold(str(k)): v for k, v in rule.items()} if isinstance(rule, Mapping) else {}
    when = next((folded[k] for k in ("when", "if", "condition", "where") if k in folded), None)
    when = int(when) if isinstance(when, bool) else when
    of = next(
        (folded[k] for k in ("of", "material", "color", "colour", "mat", "use", "then") if k in folded), rule
    )
    try:
        found = material(of, names)
    except ValueError as error:
        names.notes.add(path, str(error), "left the rule out", "loss")
        return None
    names.notes.add(path, f"{show(rule)} is not how a rule is written", "read what it means", "info")
    return {"when": when, "of": found} if is_number(when) else {"of": found}


_MENDERS: Mapping[str, Callable[[Any, Names], Any]] = {
    "voxgen": _version,
    "title": _text,
    "plan": _text,
    "size": _size,
    "light": mend_light,
    "view": mend_view,
    "palette": lambda palette, names: palette,
    "let": _let,
    "functions": _functions,
    "textures": _textures,
    "parts": _parts,
    "seed": _seed,
}
