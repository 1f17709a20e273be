"""Stock parts in anyone's document: "@oak" is borrowed from the library when the document is built."""

from __future__ import annotations

import re
from typing import Any

from voxgen.stock import KEPT, SHADES, Part, family_colors, parts, rename, shelf, strings

MARK = "@"  # before the name of a stock part, and of its colours in the document


def resolve(document: dict[str, Any]) -> dict[str, Any]:
    """Return a mended document with the stock parts it places or scatters as "@name" among its own parts.

    A part of that name in the document wins, written with or without the mark. `with` may fill a part's
    colour slots, with a colour family of the library or with any material of the document. A document that
    calls for no stock part comes back as it is; unknown names are left for the builder.
    """
    own = document.get("parts") or {}
    added: dict[str, Part] = {}
    renamed = {
        "build": _steps(document.get("build"), own, added),
        "parts": {name: _part(body, own, added) for name, body in own.items()},
    }
    whole = {key: renamed.get(key, value) for key, value in document.items()}
    if not added:
        return whole if whole != document else document
    used = {name.removeprefix(MARK) for name in strings(list(added.values())) if name.startswith(MARK)}
    colors = shelf("palette")
    known = {**family_colors(), **colors["colors"]}
    palette = {MARK + name: color for name, color in known.items() if name in used}
    functions = {f"stock_{signature}": body for signature, body in colors["functions"].items()}
    for key, more in (("palette", palette), ("functions", functions), ("parts", added)):
        whole[key] = {**more, **(whole.get(key) or {})}
    return whole


def find(name: str) -> str | None:
    """Return the name of the stock part called so, by its name or one of its words."""
    plain = name.strip().lower().replace("-", " ").replace("_", " ")
    called = {**{w: n for n, part in reversed(parts().items()) for w in part["words"]}}
    called |= {n.replace("_", " "): n for n in parts()}
    return called.get(plain) or called.get(plain.removesuffix("s"))


def _part(body: Any, own: dict[str, Any], added: dict[str, Part]) -> Any:
    """Return a part of the document with the stock parts it places resolved."""
    if isinstance(body, dict) and "build" in body:
        return {**body, "build": _steps(body["build"], own, added)}
    return _steps(body, own, added)


def _steps(steps: Any, own: dict[str, Any], added: dict[str, Part]) -> Any:
    """Return steps with the names of stock parts in them resolved."""
    if not isinstance(steps, list):
        return steps
    return [_step(step, own, added) if isinstance(step, dict) else step for step in steps]


def _step(step: dict[str, Any], own: dict[str, Any], added: dict[str, Part]) -> dict[str, Any]:
    if isinstance(step.get("place"), str) and step["place"].startswith(MARK):
        name, rest = _fetch(step["place"], step.get("with"), own, added)
        step = {**step, "place": name} | ({"with": rest} if "with" in step else {})
    if isinstance(step.get("scatter"), list):
        things = [_fetch(t, None, own, added)[0] if isinstance(t, str) else t for t in step["scatter"]]
        step = {**step, "scatter": things} if things != step["scatter"] else step
    if "build" in step:
        step = {**step, "build": _steps(step["build"], own, added)}
    return step


def _fetch(name: str, given: Any, own: dict[str, Any], added: dict[str, Part]) -> tuple[str, Any]:
    """Add a stock part to a document's; return its name there and what is left of `with`."""
    if not name.startswith(MARK) or name in own:
        return name, given
    bare = name.removeprefix(MARK)
    found = bare if bare in own else find(bare)
    if found is None or bare in own:
        return found or name, given
    slots: dict[str, str] = parts()[found]["slots"]
    values = given if isinstance(given, dict) else {}
    filled = {slot: v for slot, v in values.items() if slot in slots and isinstance(v, str)}
    label = MARK + "_".join([found, *(f"{slot}_{v}" for slot, v in filled.items())])
    if label not in added:
        added[label] = {}  # a part may place parts that place others
        added[label] = _marked(found, filled, own, added)
    rest = {k: v for k, v in values.items() if k not in filled} if filled else given
    return label, rest


def _marked(name: str, filled: dict[str, str], own: dict[str, Any], added: dict[str, Part]) -> Part:
    """Return a stock part's body with the mark before its colours, functions and parts."""
    families = shelf("palette")["families"]
    stock = parts()[name]
    body = {k: v for k, v in stock.items() if k in KEPT}
    names = {color: MARK + color for color in {**family_colors(), **shelf("palette")["colors"]}}
    for slot, family in {**stock["slots"], **filled}.items():
        for shade in SHADES:
            names[slot + shade] = MARK + family + shade if family in families else family
    marked: Part = _renamed_functions(rename(body, names))
    for step in marked["build"]:
        if "place" in step:
            step["place"] = _fetch(MARK + step["place"], None, {}, added)[0]
    return marked


def _renamed_functions(value: Any) -> Any:
    """Put "stock_" before the library's functions in every formula."""
    if isinstance(value, list):
        return [_renamed_functions(v) for v in value]
    if isinstance(value, dict):
        return {k: _renamed_functions(v) for k, v in value.items()}
    if not isinstance(value, str):
        return value
    calls = "|".join(signature.partition("(")[0] for signature in shelf("palette")["functions"])
    return re.sub(rf"\b({calls})\(", r"stock_\1(", value)
