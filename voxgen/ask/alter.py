"""What the built-in composer can change in a scene: season, light, colours, and the things it knows.

It reads the wish word by word, as `composer` does, and writes a change in the form of prompts/edit.md.
"""

from __future__ import annotations

import colorsys
import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from voxgen.ask.room import Room
from voxgen.ask.wish import Wish, singular, understand
from voxgen.scene import VoxelGrid
from voxgen.stock import Document, Part, dress, parts, placed, shaded, shelf, strings, tint

__all__ = ["alter"]

Change = dict[str, Any]
REMOVE = {"remove", "delete", "without", "no", "take", "away", "drop", "erase", "clear", "rid"}
ADD = {"add", "put", "place", "plant", "more", "another", "plus", "include", "insert", "with"}
TURN = {"make", "turn", "paint", "set", "change", "let", "be", "into", "color", "colour", "it", "get", "give"}
NEAR = {"by", "near", "beside", "around", "at"}
GROUND = re.compile(r"grass|meadow|lawn|turf|moss|field|soil|earth|ground|sand|dirt|snow|path|gravel")
EVERGREEN = re.compile(r"pine|fir|spruce|cypress|evergreen|ivy|hedge|cactus|lily|reed|parrot|frog|eye|coat")
BLOSSOM = re.compile(r"pink|blossom|sakura|petal")
LEAST = 0.14  # of chroma, 0 to 1: what has less is a grey, not a green
WATER = re.compile(r"water|pond|river|stream|lake")
WARM = (0.035, 0.06, 0.09, 0.115)  # hues of autumn leaves, 0 to 1
NOTED = ("flower", "fence")  # what is drawn by steps of its own, with a note
UNPAINTED = ("place", "note", "as", "when", "formula", "size", "params", "key")  # keys that name no colour
APART = "_of_stock"  # ends the name of a function that a document has another of
HEADROOM = 14  # cells of ground below a thing and air above it
AROUND = 9  # cells around a thing that are "by" it
SCATTERED = {  # what a season brings along: (part, how many)
    "autumn": (("pumpkin", 5), ("mushroom", 3)),
    "winter": (("snowman", 1), ("snowdrift", 6)),
}


def alter(document: Document, prompt: str, grid: VoxelGrid | None = None) -> tuple[Change, list[str]]:
    """Return the change a wish asks for, {} if none of it is understood, and notes on what was not.

    grid: the document, built; things that are added then stand on free ground, in sight.
    """
    room = Room(grid) if grid is not None else None
    change: Change = {}
    notes: list[str] = []
    unknown: list[str] = []
    mode = "turn"
    for clause in re.split(r"[,.;!]|\band\b|\bthen\b", prompt.lower()):
        words = re.findall(r"[^\W_]+", clause)
        mode = _mode(words) or mode
        wish = understand(" ".join(w for w in words if w not in REMOVE | ADD | TURN))
        for do in _DO[mode]:
            do(document, Clause(words, wish, room), change, notes)
        unknown += [w for w in wish.unknown if w not in _SLOTS and singular(w) not in _SLOTS]
    if unknown:
        notes.append(f"no word for {', '.join(map(repr, dict.fromkeys(unknown)))} in the stock library")
    return change, notes


def _mode(words: list[str]) -> str:
    """Return what the verb of a clause asks for, "" where it has none."""
    modes = (("remove", REMOVE), ("add", ADD - {"with"}), ("turn", TURN - {"it"}))
    return next((mode for word in words for mode, verbs in modes if word in verbs), "")


class Thing(NamedTuple):
    """A stock part as a wish names it."""

    part: str
    word: str  # what it was called, in the singular: every tree is a "tree"
    number: int
    color: str  # a family, or ""


class Clause(NamedTuple):
    """A part of a wish: its words, and what they mean."""

    words: list[str]
    wish: Wish
    room: Room | None


def _things(wish: Wish) -> list[Thing]:
    """Return the stock things that a wish names."""
    things = []
    for noun in wish.nouns:
        word = singular(noun.word.split()[-1])
        part = noun.part or next((name for name, stock in parts().items() if word in stock["words"]), "")
        if part:
            things.append(Thing(part, word, noun.many, noun.color or noun.material))
    return things


def _features(wish: Wish) -> list[str]:
    """Return what a wish names of the ground itself: pond, fence, flowers."""
    return [noun.feature for noun in wish.nouns if noun.feature]


def _light(document: Document, clause: Clause, change: Change, notes: list[str]) -> None:
    if clause.wish.light and document.get("light", "day") != clause.wish.light:
        change["light"] = clause.wish.light


# --------------------------------------------------------------------------- seasons


def _season(document: Document, clause: Clause, change: Change, notes: list[str]) -> None:
    """Turn the greens of the palette to the season, and bring what belongs to it."""
    season = clause.wish.season
    if not season:
        return
    if season == "summer":
        notes.append("what a season changed is taken back by voxgen undo")
        return
    palette = document.get("palette") or {}
    turned = {}
    for name, entry in palette.items():
        color = entry.get("color") if isinstance(entry, dict) else entry
        found = _SEASONS[season](name.lower(), str(color)) if _is_hex(color) else ""
        if found and found != color:
            turned[name] = {**entry, "color": found} if isinstance(entry, dict) else found
    if turned:
        change.setdefault("palette", {}).update(turned)
    else:
        notes.append(f"no colour of the palette knows {season}")
    for part, count in SCATTERED.get(season, ()):
        _drop(document, part, count, "", None, change, clause.room)


def _autumn(name: str, color: str) -> str:
    hue, light, strength = _hls(color)
    if BLOSSOM.search(name):
        return _hex(WARM[1], 0.75 * light, 0.8)
    if not 0.17 < hue < 0.47 or _chroma(color) < LEAST or EVERGREEN.search(name):
        return ""
    if GROUND.search(name):
        return _hex(0.125, light * 0.98, min(strength, 0.42))
    warm = WARM[zlib.crc32(re.sub(r"_(dark|light)$|\d+$", "", name).encode()) % len(WARM)]
    return _hex(warm, min(0.62, light * 1.12 + 0.03), max(strength, 0.66))


def _winter(name: str, color: str) -> str:
    hue, light, _ = _hls(color)
    if WATER.search(name):
        return _hex(0.53, 0.82, 0.45)
    if BLOSSOM.search(name):
        return _hex(0.58, 0.76 + 0.22 * light, 0.3)
    if not 0.12 < hue < 0.47 or _chroma(color) < LEAST:
        return ""
    if GROUND.search(name):
        return _hex(0.58, 0.87 + 0.1 * light, 0.3)
    return (
        _hex(0.45, 0.5 + 0.42 * light, 0.14) if not EVERGREEN.search(name) else _hex(0.42, light + 0.16, 0.2)
    )


def _spring(name: str, color: str) -> str:
    hue, light, strength = _hls(color)
    if (
        not 0.02 < hue < 0.47
        or strength < 0.18
        or GROUND.search(name)
        or not re.search(r"leaf|green|lime", name)
    ):
        return ""
    return (
        _hex(0.94, min(0.86, light + 0.34), 0.7)
        if zlib.crc32(name[:4].encode()) % 2
        else _hex(0.25, light + 0.1, 0.5)
    )


_SEASONS: dict[str, Callable[[str, str], str]] = {"autumn": _autumn, "winter": _winter, "spring": _spring}


def _is_hex(color: Any) -> bool:
    return isinstance(color, str) and bool(re.fullmatch(r"#[0-9a-fA-F]{6}", color))


def _hls(color: str) -> tuple[float, float, float]:
    r, g, b = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return colorsys.rgb_to_hls(r, g, b)


def _chroma(color: str) -> float:
    channels = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return (max(channels) - min(channels)) / 255


def _hex(hue: float, light: float, strength: float) -> str:
    channels = colorsys.hls_to_rgb(hue, max(0.0, min(1.0, light)), strength)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


# --------------------------------------------------------------------------- colours

_SLOTS = {  # what people call the parts of things, and what the stock library and models call them
    **{slot: slot for slot in ("leaf", "wall", "roof", "bark", "trim", "cloth", "fur", "flag", "sail")},
    **{slot: slot for slot in ("door", "hull", "grass", "water", "petal", "brick", "stone", "path")},
    "leaves": "leaf", "foliage": "leaf", "flower": "bloom", "blossom": "bloom", "tile": "roof",
    "lawn": "grass", "fence": "fence", "window": "window",
}  # fmt: skip


def _color(document: Document, clause: Clause, change: Change, notes: list[str]) -> None:
    """Give a colour that is named to what it is named with: a slot such as the roofs, or a thing."""
    named = _things(clause.wish)
    colors = [
        noun.color or noun.material or next(iter(noun.slots.values()), "") for noun in clause.wish.nouns
    ]
    family = next((color for color in [clause.wish.color, *colors] if color), "")
    if not family:
        return
    slots = [slot for word in clause.words if (slot := _SLOTS.get(word) or _SLOTS.get(singular(word)))]
    done = [slot for slot in slots if _recolor_slot(document, slot, family, change)]
    done += [t.word for t in named if not slots and _recolor_part(document, t, family, change)]
    wanted = slots or [thing.word for thing in named]
    missed = [name.replace("_", " ") for name in dict.fromkeys(wanted) if name not in done]
    if missed or not wanted:
        notes.append(f"nothing here takes the colour: {', '.join(missed) or 'name what'}")


def _recolor_slot(document: Document, slot: str, family: str, change: Change) -> bool:
    """Recolour a slot of all stock parts, and palette entries that are called like it."""
    named = {
        n: c for n, c in (document.get("palette") or {}).items() if re.search(rf"(^|_){slot}", n.lower())
    }
    shades = shelf("palette")["families"][family]
    if named:
        ordered = sorted(named, key=lambda n: _hls(c)[1] if _is_hex(c := _plain(named[n])) else 0.5)
        for place, name in enumerate(ordered):
            color = shades[round(2 * place / (len(ordered) - 1))] if len(ordered) > 1 else shades[1]
            entry = named[name]
            change.setdefault("palette", {})[name] = (
                {**entry, "color": color} if isinstance(entry, dict) else color
            )
    found = [name for name in document.get("parts") or {} if _retint(document, name, slot, family, change)]
    return bool(named or found)


def _recolor_part(document: Document, thing: Thing, family: str, change: Change) -> bool:
    """Recolour the parts of a document that are such a thing, in the slot that shows most."""
    called = [name for name in document.get("parts") or {} if _is_called(name, thing.word, thing.part)]
    found = False
    for name in _wings(document, called):
        slot = _shows(base) if (base := _base(name)) else ""
        found |= bool(slot) and _retint(document, name, slot, family, change)
    if not found and "building" in parts()[thing.part]["tags"]:  # a building a model drew
        notes = (str(step.get("note", "")) for step in document["build"] if isinstance(step, dict))
        if called or any(re.search(rf"\b{thing.word}", note.lower()) for note in notes):
            return _recolor_slot(document, "wall", family, change)
    return found


def _wings(document: Document, names: list[str]) -> list[str]:
    """Return parts of a document with the buildings those place: the towers of a castle."""
    bodies = document.get("parts") or {}
    for name in names:  # grows as it goes
        body = bodies[name]
        inner = placed(body.get("build")) if isinstance(body, dict) else []
        names += [n for n in inner if n in bodies and n not in names and _is_building(n)]
    return names


def _is_building(name: str) -> bool:
    base = _base(name)
    return base is not None and "building" in parts()[base]["tags"]


def _shows(name: str) -> str:
    """Return the slot of a stock part that a person would say its colour is; of buildings the walls."""
    building = "building" in parts()[name]["tags"]
    first = ("paint", "wall", "log") if building else ("body", "paint", "roof", "leaf", "bloom", "hull")
    slots = parts()[name]["slots"]
    return next((slot for slot in (*first, "wall", *slots) if slot in slots), "")


def _retint(document: Document, name: str, slot: str, family: str, change: Change) -> bool:
    """Give a stock part of the document another family in one slot; its other colours stay."""
    base = _base(name)
    if not base or slot not in parts()[base]["slots"]:
        return False
    body = change.get("parts", {}).get(name) or document["parts"][name]
    painted = _repainted(parts()[base], body, shaded({slot: family}))
    if painted == body:
        return False
    change.setdefault("parts", {})[name] = painted
    _dress(document, change)
    return True


def _repainted(stock: Any, body: Any, names: dict[str, str]) -> Any:
    """Return the body with new colours where the stock part it was made of has the slots `names` fills."""
    if isinstance(stock, list) and isinstance(body, list) and len(stock) == len(body):
        return [_repainted(s, b, names) for s, b in zip(stock, body, strict=True)]
    if isinstance(stock, str) and isinstance(body, str):
        return names.get(stock, body)
    if not isinstance(stock, dict) or not isinstance(body, dict):
        return body
    if not body or not all(isinstance(share, (int, float)) for share in body.values()):
        return {k: v if k in UNPAINTED else _repainted(stock.get(k), v, names) for k, v in body.items()}
    mixed: dict[str, float] = {}
    if len(stock) == len(body):  # else two slots had one colour
        for slot, (own, share) in zip(stock, body.items(), strict=True):
            new = names.get(str(slot), str(own))
            mixed[new] = mixed.get(new, 0) + share
    return mixed or body


def _plain(entry: Any) -> Any:
    return entry.get("color") if isinstance(entry, dict) else entry


# --------------------------------------------------------------------------- things


def _add(document: Document, clause: Clause, change: Change, notes: list[str]) -> None:
    """Drop stock things on the ground, near what they are to be near."""
    words = clause.words
    at = next((i for i, word in enumerate(words) if word in NEAR), len(words))
    place = words[at:]
    area = _area(document, place) if place else None
    if place and area is None:
        notes.append(f"found nothing to put it {' '.join(place)}; it stands where there is room")
    named = (word for word in words[:at] if word not in REMOVE | ADD | TURN)
    for thing in _things(understand(" ".join(named))):
        name = thing.part.replace("_", " ")
        wanted = thing.number
        stand = _drop(document, thing.part, wanted, thing.color, area, change, clause.room)
        if stand < wanted:
            few = f"only {stand} of {wanted}" if stand else "no"
            notes.append(f"{few} {name}: there is no free ground; remove something, or make a larger scene")


def _drop(
    document: Document, part: str, count: int, color: str, area: Any, change: Change, room: Room | None
) -> int:
    """Add a step that stands a stock part on free ground; return how many there is room for.

    Without a grid to look at, the part is scattered. Where there is no room the ground is made deeper.
    """
    stock = parts()[part]
    water = stock["on"] in ("water", "underwater")
    names = list(document.get("palette") or {})
    on = [n for n in names if (WATER if water else GROUND).search(n.lower())]
    if not on or stock["on"] in ("sky", "wall"):
        return 0
    more: list[Any] = []
    spots: list[list[int]] = []
    for _ in range(count if room else 0):
        assert room
        spot = room.stand(stock["size"], stock["foot"], on, area) or room.stand(
            stock["size"], stock["foot"], on, None
        )
        size = change.get("size") or document.get("size")
        if spot is None and not more and not water and isinstance(size, list) and len(size) == 3:
            more = room.widen(stock["size"], on)
            spot = room.stand(stock["size"], stock["foot"], on, None) if more else None
            if more:
                change["size"] = [size[0], room.tops.shape[1], size[2]]
        spots += [spot] if spot else []
    if room and not spots:
        return 0
    slots = {next(iter(stock["slots"])): color} if color and stock["slots"] else {}
    named = _put(document, part, slots, change)
    step: Change = {"note": f"added: {part.replace('_', ' ')}"}
    if spots:
        step |= {"place": named, "at": spots}
    else:
        gap, seed = max(2, max(stock["size"][:2])), zlib.crc32(named.encode()) % 1000
        step |= {"scatter": [named], "on": on, "count": count}
        step |= {**({"area": area} if area else {}), "gap": gap, "seed": seed}
    change.setdefault("add", []).extend([*more, step])
    _heighten(document, stock["size"][2], change)
    _dress(document, change)
    return len(spots) or count


def _heighten(document: Document, tall: int, change: Change) -> None:
    """Make the scene high enough for a thing that stands on its ground."""
    size = change.get("size") or document.get("size")
    if isinstance(size, list) and len(size) == 3 and isinstance(size[2], int) and size[2] < tall + HEADROOM:
        change["size"] = [*size[:2], min(tall + HEADROOM, 512)]


def _put(document: Document, part: str, slots: dict[str, str], change: Change) -> str:
    """Add a stock part, and those it places, to the change; return its name, which the document has not."""
    named, body = tint(part, slots)
    inner = {name: _put(document, name, {}, change) for name in dict.fromkeys(placed(body["build"]))}
    body = _of_stock(document, _placing(body, inner))
    own = document.get("parts") or {}
    while own.get(named, body) != body:
        named += "_2"
    change.setdefault("parts", {})[named] = body
    return named


def _placing(value: Any, names: dict[str, str]) -> Any:
    """Return steps that place parts by other names."""
    if isinstance(value, list):
        return [_placing(each, names) for each in value]
    if isinstance(value, dict):
        return {k: names.get(v, v) if k == "place" else _placing(v, names) for k, v in value.items()}
    return value


def _of_stock(document: Document, body: Part) -> Part:
    """Return a stock part that calls its functions by another name where the document has its own of that."""
    text = json.dumps(body)
    for signature, formula in shelf("palette")["functions"].items():
        name = signature.partition("(")[0]
        own = {s.partition("(")[0]: (s, f) for s, f in (document.get("functions") or {}).items()}
        if own.get(name, (signature, formula)) != (signature, formula):
            text = re.sub(rf"\b{name}\(", f"{name}{APART}(", text)
    return dict(json.loads(text))


def _dress(document: Document, change: Change) -> None:
    """Add the colours and functions that the parts of a change name and the document has not."""
    lit = document.get("light") in ("night", "sunset")
    bodies = change.get("parts", {})
    dressed = dress({"parts": bodies, "build": [], "palette": {}}, lit)
    functions = dressed.get("functions", {})
    for signature, formula in shelf("palette")["functions"].items():
        name, bracket, rest = signature.partition("(")
        if f"{name}{APART}(" in json.dumps(bodies):
            functions[f"{name}{APART}{bracket}{rest}"] = formula
    called = {s.partition("(")[0] for s in document.get("functions") or {}}
    functions = {s: f for s, f in functions.items() if s.partition("(")[0] not in called}
    for key, entries in (("palette", dressed["palette"]), ("functions", functions)):
        own = document.get(key) or {}
        if new := {n: v for n, v in entries.items() if n not in own and n not in change.get(key, {})}:
            change.setdefault(key, {}).update(new)


def _remove(document: Document, clause: Clause, change: Change, notes: list[str]) -> None:
    """Take the steps out that place or scatter a thing, and the beds and fences that a note names."""
    wanted = {thing.word: thing.part for thing in _things(clause.wish)}
    wanted |= {word: "" for feature in _features(clause.wish) if (word := singular(feature)) not in wanted}
    for word, part in wanted.items():
        gone = {str(i): None for i, step in enumerate(document["build"]) if _is_of(step, word, part)}
        if gone:
            change.setdefault("build", {}).update(gone)
        else:
            notes.append(f"there is no {word} to remove")


def _is_of(step: Any, word: str, part: str) -> bool:
    """Say whether a step stands things of a kind."""
    if not isinstance(step, dict):
        return False
    noted = word in NOTED and word in str(step.get("note", ""))
    return noted or any(_is_called(name, word, part) for name in placed([step]))


def _is_called(name: str, word: str, part: str) -> bool:
    """Say whether a part of a document is what a word names: a birch is a tree, a cottage may be thatched."""
    base = _base(name)
    stock = parts()[base] if base else {"words": (), "tags": ()}
    own = re.split(r"[_\W\d]+", name.lower())
    return base == part or word in own or word in stock["words"] or word in stock["tags"]


def _base(name: str) -> str | None:
    """Return the stock part that a part of a document is, by its name: "oak_maple" is an oak."""
    fitting = [part for part in parts() if name == part or name.startswith(f"{part}_")]
    return max(fitting, key=len) if fitting else None


def _area(document: Document, place: list[str]) -> list[list[int]] | None:
    """Return the corners of the ground around what words name: a pond, or a thing that stands there."""
    wish = understand(" ".join(place))
    for low, high in _boxes(document, wish):
        return [[low[0] - AROUND, low[1] - AROUND], [high[0] + AROUND, high[1] + AROUND]]
    return None


def _boxes(document: Document, wish: Wish) -> Iterator[tuple[list[int], list[int]]]:
    """Yield where what a place names stands: low and high corner along x and y."""
    bodies: dict[str, Part] = document.get("parts") or {}
    things, water = _things(wish), bool(_features(wish))
    for step in document["build"]:
        if not isinstance(step, dict):
            continue
        if water and "in" in step and any(WATER.search(s) for s in strings(step.get("of"))):
            yield _corners(step["in"])
        name = step.get("place")
        if isinstance(name, str) and any(_is_called(name, t.word, t.part) for t in things):
            at = step.get("at")
            first = at[0] if isinstance(at, list) and at and isinstance(at[0], list) else at
            if isinstance(first, list) and all(isinstance(v, (int, float)) for v in first[:2]):
                wide, deep = (bodies.get(name, {}).get("size") or [8, 8])[:2]
                x, y = int(first[0]), int(first[1])
                yield [x, y], [x + int(wide), y + int(deep)]


def _corners(box: Any) -> tuple[list[int], list[int]]:
    try:
        (a, b), (c, d) = (corner[:2] for corner in box)
        return [int(min(a, c)), int(min(b, d))], [int(max(a, c)), int(max(b, d))]
    except (TypeError, ValueError):
        return [0, 0], [512, 512]


_DO = {  # what the verb of a clause asks for
    "turn": (_light, _season, _color),
    "add": (_light, _season, _add),
    "remove": (_remove,),
}
