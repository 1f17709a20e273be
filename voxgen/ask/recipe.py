"""From a wish to a recipe: which scene of library/subjects.json, changed how, with what added.

One noun leads: it becomes the focal thing, in its own scene, in the one the prompt names, or in the one
its tags are nearest to. The other nouns are added where the prompt says they lie.
"""

from __future__ import annotations

from random import Random

from voxgen.ask.dressing import dress_season, dress_style
from voxgen.ask.layout import SMALL_PLOT, pick
from voxgen.ask.wish import Noun, Wish
from voxgen.stock import Part, Recipe, parts, perch, shelf, small_kin

_WALLS = ("white", "black", "gray", "sand", "cream", "pink", "brick", "stone", "wood", "steel")
_MATERIAL_SLOTS = {"wood": ("plank", "wall", "log", "hull", "frame", "body")}
_STONY_SLOTS = ("wall", "body", "basin", "stone", "frame")
# The share of a plot's width that the focal thing may take.
_ROOM = {"land": 0.78, "isle": 0.5, "float": 0.52, "sea": 0.82, "street": 0.9}


def choose(wish: Wish, seed: int, rng: Random, notes: list[str]) -> Recipe:
    """Return the recipe for a wish: lead, setting, colours, named things, features, style and season."""
    lead = find_lead(wish)
    recipe = _set_scene(wish, lead, seed, rng, notes)
    _color(recipe, wish, lead)
    for noun in wish.nouns:
        if noun is not lead and noun.part and noun.part not in recipe["focal"]:
            _include(recipe, wish, noun, lead)
    _shape(recipe, wish, lead)
    dress_style(recipe, wish)
    dress_season(recipe, wish.season or recipe.get("season", ""))
    named = {name for name, *_ in recipe["named"]}
    recipe["named"].sort(key=lambda entry: entry[2].startswith("on:"))  # after what they sit on
    recipe["extras"] = [extra for extra in recipe["extras"] if extra[0] not in named]
    if recipe["kind"] == "sea" and named:
        longest = max(max(parts()[name]["size"][:2]) for name in named)
        recipe["size"] = [min(side + (longest if longest > 20 else 0), 160) for side in recipe["size"]]
    recipe["weather"] = wish.weather or recipe.get("weather", "")
    night = lead is not None and lead.part and "night" in parts()[lead.part]["tags"] and recipe["aloft"]
    recipe["light"] = wish.light or recipe.get("light", "") or ("night" if night else "")
    return recipe


# --------------------------------------------------------------------------- who leads, and where


def find_lead(wish: Wish) -> Noun | None:
    """Return the noun that becomes the focal thing; None if the prompt names only a place."""
    nouns = wish.nouns
    first = next((n for n in nouns if n.subject or n.part), None)
    if first is None:
        return None
    if _is_setting(first):
        return next((n for n in nouns if n is not first and _can_take_over(n, first)), None)
    anchor = nouns[first.anchor] if 0 <= first.anchor < len(nouns) else None
    if anchor and anchor.part and first.part and first.relation == "on" and perch(first.part, anchor.part):
        return anchor  # a cat on a bench: the bench stands, the cat sits on it
    if anchor and first.relation not in ("with", "in", "over") and _dwarfs(anchor, first, 1.5):
        return anchor  # sheep around the castle: the castle leads
    return next((n for n in nouns if n.many == 1 and _dwarfs(n, first, 2.5)), first)  # knights and a dragon


def _dwarfs(noun: Noun, other: Noun, times: float) -> bool:
    """Say whether a noun's part is so many times larger than another's, and no tree."""
    if not noun.part or not other.part or _is_setting(noun) or "tree" in parts()[noun.part]["tags"]:
        return False
    solid = parts()[noun.part]["on"] not in ("sky", "water") or parts()[other.part]["on"] == "water"
    return solid and bool(max(parts()[noun.part]["size"]) > times * max(parts()[other.part]["size"]))


def _is_setting(noun: Noun) -> bool:
    return bool(noun.subject and shelf("subjects")[noun.subject].get("setting"))


def _can_take_over(noun: Noun, setting: Noun) -> bool:
    """Say whether a thing in a setting is large enough to be what the picture is about."""
    if not noun.part or noun.many > 1 or _is_setting(noun):
        return False
    stock = parts()[noun.part]
    if noun.subject and shelf("subjects")[noun.subject].get("companion"):
        return False
    return bool({"focal", "landmark"} & set(stock["tags"])) and stock["on"] != "sky"


def _set_scene(wish: Wish, lead: Noun | None, seed: int, rng: Random, notes: list[str]) -> Recipe:
    table = shelf("subjects")
    settings = [n.subject for n in wish.nouns if _is_setting(n)]
    hard = [s for s in settings if not table[s].get("feature")]
    alone = lead is not None and not any(n.part and n is not lead and not _is_setting(n) for n in wish.nouns)
    shy = lead is not None and bool(lead.part) and table.get(lead.subject, {}).get("companion")
    subject = lead.subject if lead and (alone or not shy) else ""
    hero = parts()[lead.part].get("hero", lead.part) if lead and lead.part and alone else ""
    if lead is None:
        place = (hard or settings or [_nearest(wish, notes)])[0]
    elif subject:
        place = subject
    else:
        place = (hard or settings or [_home(hero or lead.part)])[0]
    if (
        place == "sea"
        and lead
        and lead.part
        and parts()[lead.part]["on"] not in ("water", "underwater", "sky")
    ):
        place = "island"  # what stands on the ground does not float
    recipe = _variant(place, wish, seed)
    recipe["focal"] = [pick(rng, recipe["focal"])] if recipe.get("focal") else []
    if subject and hard and lead and hard[0] != subject:
        recipe = _graft(_variant(hard[0], wish, seed), recipe)
    elif lead and not subject:
        _feature_part(recipe, lead, alone, bool(hard))
    if len(shelf("subjects")[place]["variants"]) == 1:
        _vary_water(recipe, seed)
    if lead:
        recipe["company"] = min(lead.many, 7) - 1
        recipe["size"] = _grown(recipe, lead)
    return recipe


def _home(name: str) -> str:
    """Return the subject a part is at home in: the one it names, else by its ground and its tags."""
    stock = parts()[name]
    if stock.get("home"):
        return str(stock["home"])
    ground = {"road": "city", "water": "pond", "underwater": "pond", "shore": "pond", "sky": "sky"}.get(
        stock["on"]
    )
    near = shelf("vocabulary")["nearest"]
    return ground or next((near[t] for t in stock["tags"] if t in near), "garden")


def _nearest(wish: Wish, notes: list[str]) -> str:
    """Return the setting nearest to a prompt without any known noun, and note which it is."""
    near, tags = shelf("vocabulary")["nearest"], {"neon": "city", "classical": "meadow", "cottage": "garden"}
    features = {"moat": "castle", "path": "garden", "fence": "garden", "flowers": "garden"}
    feature = next((n.feature for n in wish.nouns if n.feature), "")
    styled = [s for s in (tags.get(style, style) for style in wish.styles) if s in near]
    if feature:
        return features.get(feature, "meadow")
    name = next(iter(wish.hinted.values()), "") or (near[styled[0]] if styled else "")
    name = name or ("winter" if "winter" in (wish.season, *wish.styles) else "garden")
    for word, subject in wish.hinted.items():
        notes.append(f"no part for {word!r}; its nearest is {subject!r}, composed instead")
    if not wish.hinted:
        notes.append(f"no subject understood; composed a {name} instead")
    return name


def _vary_water(recipe: Recipe, seed: int) -> None:
    """Let another seed bring other water to a subject with a single recipe: a pond, a stream, a lake."""
    wet = recipe["kind"] == "land" and recipe.get("water") in ("pond", "moat", "bridge")
    fixed = ("feature", "cave", "rails", "pools", "ground", "mountain")
    if not wet or any(recipe.get(key) for key in fixed) or min(recipe["size"]) < 84:
        return
    shallow = bool(recipe["focal"]) and parts()[recipe["focal"][0]]["size"][1] < 0.3 * recipe["size"][1]
    recipe["water"] = (recipe["water"], "stream", "lake" if shallow else recipe["water"])[seed % 3]


def _variant(name: str, wish: Wish, seed: int) -> Recipe:
    """Return a copy of one of a subject's recipes: by style if the prompt names one, else by seed."""
    subject = shelf("subjects")[name]
    fitting = [v for v in subject["variants"] if v.get("style") in wish.styles] or subject["variants"]
    chosen = {**subject, **fitting[seed % len(fitting)]}
    lists = {key: [list(e) for e in chosen.get(key, [])] for key in ("extras", "wild")}
    return {
        "size": [96, 96],
        **chosen,
        **lists,
        "subject": name,
        "named": [],
        "aloft": [list(e) for e in chosen.get("aloft", [])],
        "trees": list(chosen.get("trees", [])),
    }


def _graft(setting: Recipe, subject: Recipe) -> Recipe:
    """Return the setting's recipe with the subject's focal thing in it."""
    if subject["kind"] == "sea" or (setting["kind"] == "sea" and subject["kind"] == "isle"):
        return subject
    kept = (
        "title",
        "focal",
        "roofs",
        "tint",
        "focal_slots",
        "small_focal",
        "sails",
        "flyers",
        "subject",
        "rails",
    )
    grafted = {**setting, **{k: subject[k] for k in kept if k in subject}}
    grafted["title"] = f"{subject['title']}, {setting['title'].lower()}"
    if setting["kind"] == "sea":
        grafted = {**subject, "kind": "isle", "water": "", "fence": "", "gate": "", "hill": 0}
    extras = [e for e in subject["extras"][:7] if setting["kind"] != "street" and not _foreign(e[0], setting)]
    grafted["extras"] = extras + setting.get("extras", [])
    grafted["size"] = [max(a, b) for a, b in zip(setting["size"], subject["size"], strict=True)]
    focal: Part = parts()[subject["focal"][0]] if subject["focal"] else {"foot": 0, "size": [0, 0, 0]}
    if setting.get("mountain") and focal["foot"] > 18:  # the range stands behind it
        grafted |= {"mountain": 62, "mountain_row": 0.9, "focal_row": 0.4}
        grafted["size"] = [grafted["size"][0], grafted["size"][1] + 36]
    if setting.get("cave"):
        grafted["cave"] = max(setting["cave"], round(focal["size"][2] * 0.8))
    return grafted


def _foreign(name: str, setting: Recipe) -> bool:
    """Say whether a part looks out of place on the setting's bare ground."""
    return bool(setting.get("ground")) and bool({"garden", "farm", "plant"} & set(parts()[name]["tags"]))


def _feature_part(recipe: Recipe, lead: Noun, alone: bool, hard: bool) -> None:
    """Make a stock part the focal thing, in a scene cut down to its size.

    alone: the prompt names nothing else; then a small thing is shown by its large version.
    """
    name = lead.part
    if alone or lead.size == "large":
        name = parts()[name].get("hero", name)
    small = f"{name}_small"
    if lead.size == "small" and small in parts():
        name = small
    stock = parts()[name]
    recipe["title"] = f"{lead.word.capitalize()}, {recipe['title'].lower()}" if alone else recipe["title"]
    recipe["roofs"] = (
        recipe.get("roofs", []) if "roof" in stock["slots"] and "building" in stock["tags"] else []
    )
    recipe["focal_slots"], recipe["tinted_focal"] = {}, name
    if stock["on"] == "sky":
        recipe["aloft"] = [[name, lead.many, {}]]
        return
    recipe["focal"] = [name]
    recipe["rails"] = name == "train"
    if recipe["kind"] == "street" and stock["on"] != "road":
        return
    _cut_down(recipe, stock)


def _cut_down(recipe: Recipe, focal: Part) -> None:
    """Fit plot, trees and extras to the focal thing, so that it is large in the picture."""
    wide = max(focal["size"][:2])
    low = focal["size"][2] < 10
    side = max(wide * 2 + 26, focal["size"][2] * 1.3 + 22, 36 if low else 42)
    if recipe["kind"] == "sea":
        side = max(wide * 1.3 + 24, 48)
    side = round(min(side, max(recipe["size"])))
    if recipe["kind"] in ("isle", "float"):
        side = round(min(max(wide / 0.42, 64), 128))
    area = (side / max(recipe["size"])) ** 2
    recipe["size"] = [side, round(side * 0.95)]
    if not recipe.get("backdrop"):
        recipe["second"] = []
    recipe |= {"houses": [], "field": 0, "tulips": 0, "big_water": 1, "stage": ""}
    if side < 60 and focal["on"] not in ("water", "underwater", "shore"):
        recipe |= {"water": "", "fence": ""}
    if side < SMALL_PLOT:
        recipe |= {
            "hill": min(recipe.get("hill", 4), 4),
            "gate": "",
            "mountain": 0,
            "planet": 0,
            "beds": 0.8 * recipe.get("beds", 1),
        }
        recipe["trees"] = list(dict.fromkeys(small_kin(t) for t in recipe["trees"]))
    if side < 60:
        recipe["flyers"] = [["butterfly", 2, 4, 8]] if recipe.get("flyers") != [] else []
        recipe["hilltop"] = 3 if low and recipe["kind"] == "land" and not recipe["water"] else 0
    tall = max(focal["size"][2], 6)
    kept = [
        [name, max(1, round(count * area**0.6)), *rest]
        for name, count, *rest in recipe["extras"]
        if name not in recipe["focal"]
        and parts()[name]["size"][2] <= tall
        and max(parts()[name]["size"][:2]) <= max(0.4 * side, 8)
    ]
    recipe["extras"] = kept[: max(8, side // 4)]


def _grown(recipe: Recipe, lead: Noun) -> list[int]:
    """Return the plot's size with room for the focal thing and its like beside it."""
    if not recipe["focal"]:
        return list(recipe["size"])
    wide = max(parts()[recipe["focal"][0]]["size"][:2])
    many = recipe.get("company", 0)
    side = wide / _ROOM[recipe["kind"]] * 1.06
    each = 0.8 if "building" in parts()[recipe["focal"][0]]["tags"] else 0.5
    if many and not recipe["aloft"]:
        side = max(side, wide * (1.6 + each * min(many, 5)) + 22)
    return [max(old, min(round(side * k), 150)) for old, k in zip(recipe["size"], (1, 0.96), strict=True)]


# --------------------------------------------------------------------------- colours


def _color(recipe: Recipe, wish: Wish, lead: Noun | None) -> None:
    """Give the focal thing, or the flowers of a garden, the colour named with it."""
    color = (lead.color if lead else "") or next(
        (n.color for n in wish.nouns if _is_setting(n) and n.color), ""
    )
    color = color or wish.color
    material = lead.material if lead else ""
    if recipe["subject"] == "garden" and color and (lead is None or not lead.color):
        recipe["blooms"] = [color, "white", "pink" if color in ("rose", "red", "purple") else "yellow"]
        return
    names = [entry[0] for entry in recipe["aloft"]] or recipe["focal"]
    if not names or not (color or material or (lead and lead.slots)):
        return
    if lead and lead.subject and "tinted_focal" in recipe and not recipe["aloft"]:
        recipe["focal"], recipe["roofs"] = [recipe["tinted_focal"]], ["slate", "timber", "gray"]
        names = recipe["focal"]
    slots = tinted(names[0], color, material, recipe.get("tint", [])) | _own_slots(lead, names[0])
    recipe["focal_slots"] = {**recipe.get("focal_slots", {}), **slots}
    for entry in recipe["aloft"]:
        entry[2] = slots


def _own_slots(lead: Noun | None, name: str) -> dict[str, str]:
    """Return the colours the prompt gives to the roof, the walls or the sails of the lead."""
    return {k: v for k, v in lead.slots.items() if k in parts()[name]["slots"]} if lead else {}


def tinted(name: str, color: str, material: str, first: list[str] | None = None) -> dict[str, str]:
    """Return the slots of a part that a colour and a material fill.

    >>> tinted("footbridge", "red", "wood")
    {'rail': 'red', 'plank': 'wood'}
    """
    slots: dict[str, str] = parts()[name]["slots"]
    filled: dict[str, str] = {}
    wanted = [s for s in [*(first or []), *slots] if s in slots and s not in ("bark", "bloom_leaf")]
    if color and wanted:
        wall = "wall" in slots and (color in _WALLS or "house" in parts()[name]["tags"])
        filled["wall" if wall else wanted[0]] = color
    if material:
        fitting = _MATERIAL_SLOTS.get(material, _STONY_SLOTS)
        own = next((s for s in fitting if s in slots and s not in filled), "")
        if own:
            filled[own] = material
    return filled


# --------------------------------------------------------------------------- what else the prompt names


def _sized(noun: Noun) -> str:
    """Return the noun's part in the size the prompt gives it, where the library has that."""
    large = parts()[noun.part].get("hero", noun.part)
    return {"large": str(large), "small": small_kin(noun.part)}.get(noun.size, noun.part)


def _include(recipe: Recipe, wish: Wish, noun: Noun, lead: Noun | None) -> None:
    """Work a thing the prompt names into the recipe, where the prompt says it lies."""
    name, count = _sized(noun), noun.many
    stock = parts()[name]
    slots = tinted(name, noun.color, noun.material)
    zone = _zone(wish, noun, lead)
    ground, kind = stock["on"], recipe["kind"]
    afloat = ground in ("water", "underwater")
    if ground == "wall":
        return
    if ground == "road" and kind == "street":
        recipe["traffic"] = [*recipe.get("traffic", []), *[[name, slots]] * count]
    elif name in ("footbridge", "stone_bridge"):
        recipe |= {"water": "stream" if recipe.get("water") != "bridge" else "bridge", "bridge": name}
        recipe["bridge_slots"] = slots
    elif ground == "sky" and not (zone.startswith("on:") and perch(name, wish.nouns[noun.anchor].part)):
        recipe["aloft"] = [*recipe["aloft"], [name, count, slots]]
    elif name in ("torii", "rose_arch", "garden_gate") and kind == "land":
        recipe |= {"gate": name, "gate_slots": slots}
    elif name == "fountain" and kind == "land" and recipe.get("water", "") in ("", "pond", "fountain"):
        recipe["water"] = "fountain"
    elif kind == "sea":
        recipe["named"].append([name, count, "sea", slots])
    elif afloat and stock["foot"] <= 2 and kind != "isle":
        recipe["water"] = recipe.get("water") or "pond"
        recipe["swimmers"] = [*[name] * count, *recipe.get("swimmers", [])]
        recipe["swimmer_slots"] = slots
    elif afloat:
        recipe["water"] = recipe.get("water") if recipe.get("water") in ("lake", "moat", "stream") else "pond"
        recipe["named"].append([name, count, "sea" if kind == "isle" else "afloat", slots])
    elif "flower" in stock["tags"] and stock["foot"] < 2:
        recipe["wild"] = [
            *recipe["wild"],
            *[[name, slots.get("bloom", c)] for c in ("red", "pink", "yellow")][:2],
        ]
        recipe["named"].append([name, max(count, 9 if noun.count < 2 else 1), zone, slots])
    else:
        if "tree" in stock["tags"]:
            recipe["trees"] = [name, *recipe["trees"]]
            ashore = kind == "isle" and ground == "sand"
            zone = "beach" if ashore else "back" if zone == "front" else zone
            count = count if noun.count > 1 else 3
        recipe["named"].append([name, min(count, 24), zone, slots])


def _zone(wish: Wish, noun: Noun, lead: Noun | None) -> str:
    """Return the zone a named thing goes to: a side of the plot, or its relation to another thing."""
    if lead is not None and 0 <= lead.anchor < len(wish.nouns) and wish.nouns[lead.anchor] is noun:
        turned = {"behind": "before:focal", "before": "behind:focal", "under": "behind:focal"}
        return turned.get(lead.relation, "by:focal")
    if noun.relation in ("by", "around", "under", "behind", "before", "on", "over") and noun.anchor >= 0:
        relation = "around" if noun.relation == "around" else noun.relation
        anchor = wish.nouns[noun.anchor]
        if anchor.feature in ("pond", "lake", "stream"):
            return "shore"
        if anchor is lead or not anchor.part:
            return f"{relation}:focal"
        return f"{relation}:{anchor.part}"
    if noun.relation in ("corner", "left", "right", "back", "front", "middle"):
        return noun.relation
    return "side" if parts()[noun.part]["foot"] > 8 else "front"


def _shape(recipe: Recipe, wish: Wish, lead: Noun | None) -> None:
    """Apply the features a prompt names: water, hill, fence, path, flowers."""
    for noun in wish.nouns:
        feature, water = noun.feature, recipe.get("water")
        if (feature == "pond" and water not in ("lake", "bridge", "stream")) or feature in (
            "lake",
            "stream",
            "moat",
        ):
            recipe["water"] = feature
        elif feature == "hill" and recipe["kind"] in ("land", "float"):
            on_top = lead is not None and lead.relation == "on"
            recipe |= {"hilltop": 10} if on_top or recipe["subject"] == "hill" else {"hill": 12}
        elif feature == "fence":
            recipe["fence"] = recipe.get("fence") or "picket"
        elif feature == "path":
            recipe["path"] = recipe.get("path") or "sand"
        elif feature == "flowers" and not recipe.get("ground"):
            recipe["beds"] = max(1, recipe.get("beds", 1))
            recipe["wild"] += [["tulip", "red"], ["daisy", "yellow"], ["lupin", "purple"]]
    deep = parts()[recipe["focal"][0]]["size"][1] if recipe["focal"] else 0
    if recipe.get("water") == "lake" and deep > 0.3 * recipe["size"][1]:  # room between lake and door
        recipe["size"] = [max(recipe["size"][0], deep + 60), max(recipe["size"][1], deep + 90)]
    if recipe.get("water") == "moat" and recipe["focal"] and parts()[recipe["focal"][0]]["foot"] < 8:
        recipe["water"] = "pond"
