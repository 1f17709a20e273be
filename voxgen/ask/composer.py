"""The built-in composer: a prompt becomes a scene document offline, from the stock library.

It is no model and never says it is one: it reads the prompt for words it knows (`wish`), picks a
recipe from library/subjects.json, lays the scene out on a plot and writes it in the scene language.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from voxgen.ask.draft import Draft
from voxgen.ask.ground import isle_plot, lay_isle, lay_slab, slab_plot
from voxgen.ask.land import compose_land, is_focal
from voxgen.ask.layout import pick
from voxgen.ask.sea import compose_sea, sea_plot
from voxgen.ask.stock import parts, shelf, write
from voxgen.ask.street import compose_street, street_plot
from voxgen.ask.wish import Wish, understand
from voxgen.errors import UsageError

Recipe = dict[str, Any]
SCALES = {"small": 0.64, "medium": 0.84, "large": 1.17}
LEVEL = 8  # z of the surface
LEAST, MOST = 40, 256  # cells along x and y the composer can fill well


def compose(prompt: str, seed: int = 0, size: str | None = None) -> tuple[str, list[str]]:
    """Return a scene document as JSON text, and notes on what was not understood.

    size: "small", "medium", "large" or "96x96x56"; None leaves it to the subject (about 96 cells).
    The same prompt, seed and size give the same bytes on every machine. Raises UsageError for a
    size that is neither.
    """
    wish = understand(prompt)
    notes = [f"no word for {', '.join(map(repr, wish.unknown))} in the stock library"] if wish.unknown else []
    rng = Random(zlib.crc32(" ".join(prompt.lower().split()).encode()) * 1000003 + seed)
    recipe = choose(wish, seed, rng, notes)
    width, depth, tall = extent(recipe, wish, size)
    _fit_focal(recipe, width, depth)
    draft = _start(recipe, wish, rng, seed, width, depth)
    _LAYOUTS[recipe["kind"]](draft)
    wanted = [part for part, _, _ in wish.things if part in draft.missing]
    if wanted:
        notes.append(f"no room for {', '.join(n.replace('_', ' ') for n in wanted)}")
    needed = max(draft.top + 2, LEVEL + 12)
    if tall is not None and tall < needed:
        notes.append(f"a height of {tall} would cut the scene off; it is {needed} high")
    return write(draft.document((width, depth, max(tall or 0, needed)))), notes


def choose(wish: Wish, seed: int, rng: Random, notes: list[str]) -> Recipe:
    """Return the recipe for a wish: a subject, grafted onto a setting, with season, light and extras."""
    table = shelf("subjects")
    settings = [s for s in wish.subjects if table[s].get("setting")]
    objects = [s for s in wish.subjects if not table[s].get("setting")]
    if "boat" in objects and not settings and {"pond", "stream"} & set(wish.features):
        settings, objects = ["meadow"], []
        wish.things.append(("rowboat", 1, wish.tints.get("boat", "")))
    first = (settings or objects or [""])[0]
    objects = [o for o in objects if o == first or not (table[o].get("companion") and _after(wish, o, first))]
    if not wish.subjects:
        settings = [_nearest(wish)]
        if not wish.things:
            notes.append(f"no subject understood; composed a {settings[0]} instead")
    base = settings[0] if settings else objects[0]
    recipe = _variant(base, wish, seed)
    if settings and objects:
        recipe = _graft(recipe, _variant(objects[0], wish, seed))
    recipe["focal"] = [pick(rng, recipe["focal"])] if recipe.get("focal") else []
    _color(recipe, wish, (objects or settings)[0])
    for part, count, color in wish.things:
        _include(recipe, part, count, color, bool(objects))
    _shape(recipe, wish)
    _dress_season(recipe, wish.season or recipe.get("season", ""))
    return recipe


def _after(wish: Wish, name: str, other: str) -> bool:
    return other in wish.subjects and wish.subjects.index(name) > wish.subjects.index(other)


def _variant(name: str, wish: Wish, seed: int) -> Recipe:
    """Return a copy of one of a subject's recipes: by style if the prompt names one, else by seed."""
    subject = shelf("subjects")[name]
    fitting = [v for v in subject["variants"] if v.get("style") in wish.styles] or subject["variants"]
    chosen = {**subject, **fitting[seed % len(fitting)]}
    return {
        **chosen,
        "extras": [list(e) for e in chosen.get("extras", [])],
        "trees": list(chosen.get("trees", [])),
    }


def _nearest(wish: Wish) -> str:
    """Return the setting whose tags fit the named things and styles best; a garden if none does."""
    near = shelf("vocabulary")["nearest"]
    tags = [t for part, _, _ in wish.things for t in parts()[part]["tags"] if part in parts()]
    if "garden" in tags:
        return "garden"
    tags += [
        {
            "spooky": "spooky",
            "magic": "magic",
            "medieval": "medieval",
            "neon": "city",
            "tropical": "beach",
        }.get(s, "")
        for s in wish.styles
    ]
    return next((near[t] for t in tags if t in near), "winter" if wish.season == "winter" else "garden")


def _graft(setting: Recipe, subject: Recipe) -> Recipe:
    """Return the setting's recipe with the subject as its focal thing."""
    if subject["kind"] == "sea" or (setting["kind"] == "sea" and subject["kind"] == "isle"):
        return subject
    kept = ("title", "focal", "roofs", "tint", "focal_slots", "small_focal", "sails", "flyers")
    grafted = {**setting, **{k: subject[k] for k in kept if k in subject}}
    grafted["title"] = f"{subject['title']}, {setting['title'].lower()}"
    if setting["kind"] == "sea":
        grafted = {**subject, "kind": "isle", "water": "", "fence": "", "gate": "", "hill": 0}
    if subject["kind"] == "isle" and setting["kind"] != "street":
        grafted["kind"] = setting["kind"]
    grafted["extras"] = subject["extras"][:7] + setting.get("extras", [])
    grafted["size"] = [
        max(a, b) for a, b in zip(setting.get("size", [96, 96]), subject.get("size", [96, 96]), strict=True)
    ]
    if setting.get("mountain") and parts()[subject["focal"][0]]["foot"] > 18:  # the range stands behind it
        grafted |= {"mountain": 62, "mountain_row": 0.9, "focal_row": 0.4}
        grafted["size"] = [grafted["size"][0], grafted["size"][1] + 36]
    if setting.get("ground"):
        grafted["extras"] = [e for e in grafted["extras"] if "garden" not in parts()[e[0]]["tags"]]
    return grafted


def _color(recipe: Recipe, wish: Wish, subject: str) -> None:
    """Give the focal thing, or the flowers of a garden, the colour named with the subject."""
    family = wish.tints.get(subject) or wish.tints.get("")
    if not family or not recipe["focal"]:
        return
    slots = parts()[recipe["focal"][0]]["slots"]
    if "tinted_focal" in recipe:
        recipe["focal"], recipe["roofs"] = [recipe["tinted_focal"]], ["slate", "timber", "gray"]
    wanted = [s for s in recipe.get("tint", ["leaf", "roof", "body"]) if s in slots]
    if "wall" in slots and family in (
        "white",
        "black",
        "gray",
        "sand",
        "cream",
        "pink",
        "brick",
        "stone",
        "wood",
    ):
        wanted = ["wall"]
    if subject == "garden":
        recipe["blooms"] = [family, "white", "pink" if family in ("rose", "red", "purple") else "yellow"]
    elif wanted:
        recipe["focal_slots"] = {**recipe.get("focal_slots", {}), wanted[0]: family}


def _include(recipe: Recipe, part: str, count: int, color: str, has_object: bool) -> None:
    """Work a thing the prompt names into the recipe: as focal thing, tree, swimmer, flyer or extra."""
    stock = parts()[part]
    slots = {next(iter(stock["slots"])): color} if color and stock["slots"] else {}
    ground = stock["on"]
    if ground == "wall" or part in recipe["focal"]:
        return
    if ground == "road" and recipe["kind"] == "street":
        recipe["paints"] = [color] if color else recipe.get("paints")
        return
    if ground in ("water", "underwater", "shore") and recipe["kind"] == "land":
        recipe["water"] = recipe.get("water") or "pond"
        recipe["swimmers"] = recipe.get("swimmers", []) + [part] * count
    elif ground == "sky":
        recipe["flyers"] = [*recipe.get("flyers", []), [part, count, 24, 34]]
    elif is_focal(part) and not has_object and recipe["kind"] in ("land", "isle"):
        recipe["focal"], recipe["focal_slots"], recipe["second"] = [part], slots, []
    elif "tree" in stock["tags"]:
        recipe["trees"] = [part, *recipe["trees"]]
        recipe["extras"] = [[part, max(2, count), "side", slots], *recipe["extras"]]
    elif ground == "gate" or part in ("rose_arch", "torii"):
        recipe["gate"] = part
    elif part in ("fountain", "footbridge"):
        recipe["water"] = {"fountain": "fountain", "footbridge": "bridge"}[part]
    else:
        zone = "sea" if recipe["kind"] == "sea" else "middle" if "building" in stock["tags"] else "front"
        recipe["extras"] = [[part, min(count, 24), zone, slots], *recipe["extras"]]


def _shape(recipe: Recipe, wish: Wish) -> None:
    """Apply the features a prompt names: water, hill, fence, path, flowers."""
    for feature in wish.features:
        if feature in ("pond", "fountain"):
            recipe["water"] = (
                feature if recipe.get("water") != "bridge" or feature == "fountain" else "bridge"
            )
        elif feature in ("stream", "bridge"):
            recipe["water"] = "bridge"
        elif feature == "moat":
            recipe["water"] = "moat"
        elif feature == "hill":
            recipe["hill"] = 12
        elif feature == "fence":
            recipe["fence"] = recipe.get("fence") or "picket"
        elif feature == "path":
            recipe["path"] = recipe.get("path") or "sand"
        elif not recipe.get("ground"):
            recipe["beds"] = 1
            recipe["wild"] = [
                *recipe.get("wild", []),
                ["tulip", "red"],
                ["daisy", "yellow"],
                ["lupin", "purple"],
            ]


def _dress_season(recipe: Recipe, season: str) -> None:
    """Turn the recipe's colours, plants and extras to the season; sand, moon and Mars know none."""
    bare = recipe.get("ground", "")
    recipe["season"] = season
    recipe["slots"] = {**shelf("vocabulary")["grounds"].get(bare, {}), **recipe.get("slots", {})}
    turn = {"winter": _turn_winter, "autumn": _turn_autumn, "spring": _turn_spring}.get(season)
    if turn and not bare:
        turn(recipe)


def _turn_winter(recipe: Recipe) -> None:
    """Snow on the ground and the roofs, frost on the leaves, ice on the pond, no flowers, a snowman."""
    tender = {"flower", "vegetable", "meadow"}
    recipe["slots"] |= {"grass": "snow", "hedge": "frost", "water": "ice", "moss": "snow"}
    recipe |= {"beds": 0, "wild": [], "swimmers": [], "tufts": ["snow_light"], "tulips": 0, "field": 0}
    recipe |= {"flyers": [], "house_roofs": ["snow"], "roofs": ["snow"] if recipe.get("roofs") else []}
    recipe["extras"] = [e for e in recipe["extras"] if not tender & set(parts()[e[0]]["tags"])]
    recipe["extras"] += [
        ["snowman", 1, "front", {"scarf": ["red", "blue", "green"]}],
        ["snowdrift", 8, "any"],
    ]


def _turn_autumn(recipe: Recipe) -> None:
    """Yellowed grass, fallen leaves, late flowers in warm colours, maples and pumpkins."""
    warm = ["orange", "amber", "red", "crimson", "yellow"]
    recipe["slots"] = {"grass": "meadow", **recipe["slots"]}
    recipe |= {"blooms": warm, "tufts": ["orange", "amber", "crimson", "grass_light"], "litter": 3}
    recipe["wild"] = [[name, color] for (name, _), color in zip(recipe.get("wild", []), warm, strict=False)]
    recipe["extras"] += [["pumpkin", 5, "front"], ["maple", 2, "side"], ["mushroom", 2, "any"]]


def _turn_spring(recipe: Recipe) -> None:
    """Cherry blossom and tulips."""
    if recipe["trees"]:
        recipe["trees"] = ["cherry", *recipe["trees"]]
    tulips = [["tulip", color] for color in ("red", "yellow", "pink")]
    recipe["wild"] = [*recipe.get("wild", []), *tulips]


def extent(recipe: Recipe, wish: Wish, size: str | None) -> tuple[int, int, int | None]:
    """Return the cells along x and y, and along z where the caller fixed it."""
    named = size or wish.size or ""
    match = re.fullmatch(r"\s*(\d{1,4})\s*[x×*,]\s*(\d{1,4})(?:\s*[x×*,]\s*(\d{1,4}))?\s*", named)
    if match:
        x, y = (min(max(int(v), LEAST), MOST) for v in match.group(1, 2))
        return x, y, int(match[3]) if match[3] else None
    if named and named not in SCALES:
        raise UsageError(
            f"size {size!r} is not known", 'use "small", "medium", "large" or cells such as "96x96x56"'
        )
    x, y = recipe.get("size", [96, 96])
    scale = SCALES.get(named, 1)
    return round(x * scale), round(y * scale), None


def _fit_focal(recipe: Recipe, width: int, depth: int) -> None:
    """Take a smaller focal thing where the plot is too small for the recipe's own."""
    if not recipe["focal"]:
        return
    share = {"isle": 0.4, "sea": 0.82}.get(recipe["kind"], 0.78)
    for name in (
        recipe["focal"][0],
        recipe.get("small_focal", ""),
        "sailboat" if recipe["kind"] == "sea" else "tower",
        "well",
    ):
        wide, deep = parts()[name]["size"][:2] if name else (MOST, MOST)
        if wide <= width * share and deep <= depth * share:
            recipe["focal"] = [name]
            break
    if recipe.get("water") == "moat" and max(parts()[recipe["focal"][0]]["size"][:2]) + 30 > min(
        width, depth
    ):
        recipe["water"] = "pond"


def _start(recipe: Recipe, wish: Wish, rng: Random, seed: int, width: int, depth: int) -> Draft:
    """Return an empty draft on the right kind of plot, with its ground laid."""
    kind = recipe["kind"]
    light = (
        wish.light
        or recipe.get("light")
        or ("night" if "neon" in wish.styles or kind == "street" else "sunset" if seed % 5 == 3 else "day")
    )
    plots: dict[str, Callable[[int, int, int], Any]] = {
        "land": slab_plot,
        "sea": sea_plot,
        "street": street_plot,
    }
    shape = ""
    if kind == "isle":
        plot, shape = isle_plot(width, depth, LEVEL, rng)
    else:
        plot = plots[kind](width, depth, LEVEL)
    side = -1 if rng.random() < 0.5 else 1
    lit = light not in ("day", "overcast")
    draft = Draft(recipe["title"], rng, recipe, plot, recipe["slots"], light, lit, side=side, shape=shape)
    draft.plan.append(_plan(recipe, light))
    if kind == "land":
        lay_slab(draft)
    elif kind == "isle":
        lay_isle(draft)
    return draft


def _plan(recipe: Recipe, light: Any) -> str:
    """Return the first sentence of the document's plan."""
    heart = recipe["focal"][0].replace("_", " ") if recipe["focal"] else "street"
    mood = f", {light} light" if isinstance(light, str) else ""
    colors = f"{recipe['season']} colours" if recipe.get("season") else "clear colours"
    story = f"{recipe['title']}: {colors}{mood}. The {heart} is the heart of it"
    return f"{story}; tall things stand behind, low ones in front; a ragged edge of earth holds it all."


_LAYOUTS: dict[str, Callable[[Draft], None]] = {
    "land": compose_land,
    "isle": compose_land,
    "sea": compose_sea,
    "street": compose_street,
}
