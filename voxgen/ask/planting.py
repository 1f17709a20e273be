"""What stands on the ground: trees at the back, things beside paths, life everywhere."""

from __future__ import annotations

from typing import Any

from voxgen.ask.draft import Draft
from voxgen.ask.features import cosine
from voxgen.ask.layout import LOOKS_DOWN, TOWARDS_VIEWER, Zone, between, pick, roll, shuffled
from voxgen.stock import footing, parts, perch, shelf

ZONES: dict[str, list[Zone]] = {
    "back": [(0.06, 0.72, 0.95, 0.95), (0.05, 0.4, 0.26, 0.95), (0.74, 0.66, 0.95, 0.95)],
    "side": [(0.05, 0.3, 0.3, 0.95), (0.7, 0.5, 0.95, 0.95)],
    "middle": [(0.12, 0.25, 0.88, 0.75)],
    "front": [(0.07, 0.07, 0.93, 0.42)],
    "left": [(0.05, 0.08, 0.45, 0.6)],
    "right": [(0.55, 0.08, 0.95, 0.6)],
    "edge": [
        (0.09, 0.3, 0.13, 0.88),
        (0.1, 0.85, 0.9, 0.89),
        (0.87, 0.1, 0.91, 0.88),
        (0.1, 0.09, 0.9, 0.13),
    ],
    "corner": [(0.06, 0.7, 0.24, 0.94), (0.76, 0.06, 0.94, 0.26), (0.06, 0.06, 0.22, 0.26)],
    "any": [(0.06, 0.06, 0.94, 0.94)],
}
LEAVES = {
    "spring": {"green": ["green", "lime"], "lime": ["lime"]},
    "autumn": {
        "green": ["crimson", "orange", "amber", "red"],
        "lime": ["amber", "yellow", "orange"],
        "pink": ["crimson", "orange"],
    },
    "winter": {
        "green": ["frost"],
        "lime": ["frost"],
        "pink": ["frost"],
        "pine": ["frost"],
        "crimson": ["frost"],
        "hedge": ["frost"],
    },
}


def leaf_of(draft: Draft, name: str) -> dict[str, str]:
    """Return the leaf slot of a plant as the season has it; ever-greens keep theirs in autumn."""
    stock = parts()[name]
    own = stock.get("slots", {}).get("leaf")
    if own is None or "leaf" in draft.slots:
        return {}
    season = draft.recipe.get("season", "")
    choices = LEAVES.get(season, {}).get(own)
    if season == "autumn" and "tree" not in stock["tags"]:
        choices = None
    if choices:
        return {"leaf": pick(draft.rng, choices)}
    if not season and own == "green" and draft.rng.random() < 0.35 and "tree" in stock["tags"]:
        return {"leaf": "lime"}
    return {}


def plant(draft: Draft, name: str, count: int, zone: str = "back", **slots: str) -> int:
    """Stand so many of a part in a zone, where there is room and it hides nothing; return how many stand."""
    stock = parts()[name]
    wide, deep, tall = stock["size"]
    crown = max(wide, deep) / 2 if tall > 9 else 0
    stand = 0
    for _ in range(count):
        if zone in draft.plot.zones:
            stand += _drop(draft, name, zone, slots)
            continue
        relation, _, anchor = zone.partition(":")
        if anchor:
            stand += _relate(draft, name, relation, anchor, (stand, count), slots)
            continue
        spot = _beside_path(draft, stock) if zone == "path" else _in_zone(draft, zone, name, crown)
        if spot is None:
            continue
        x, y, turn = spot
        leaves = {k: v for k, v in leaf_of(draft, name).items() if k in stock["slots"]}
        draft.stand(name, x, y, None, turn, **{**leaves, **slots})
        stand += 1
    return stand


def _relate(
    draft: Draft, name: str, relation: str, anchor: str, which: tuple[int, int], slots: dict[str, str]
) -> bool:
    """Stand a part by, around, behind, before or under something that stands; say whether there was room.

    which: how many stand already, and how many there shall be: they go evenly around.
    """
    plot, stock, rng = draft.plot, parts()[name], draft.rng
    x, y, radius = draft.spots.get(anchor, draft.spots["focal"])
    if relation == "on" and not which[0] and _seat(draft, name, anchor, x, y):
        return True
    foot = max(footing(name), max(stock["size"][:2]) / 2 if "building" in stock["tags"] else 0)
    middle = {"behind": 1.7, "before": -1.35, "under": -1.2}.get(relation, -1.2)
    for step in range(60):
        if relation == "around":
            angle = 6.2832 * (which[0] + 0.5) / which[1] + between(rng, -0.2, 0.2) * (step > 8)
        else:
            angle = middle + between(rng, -1.1, 1.1) * (1 + step / 30)
        far = radius + foot + 1.5 + step / 3 + between(rng, 0, 2)
        px, py = x + far * cosine(angle), y + far * cosine(angle - 1.5708)
        if plot.free(px, py, min(foot, 10)):
            leaves = {k: v for k, v in leaf_of(draft, name).items() if k in stock["slots"]}
            draft.stand(name, round(px), round(py), None, 0, **{**leaves, **slots})
            return True
    return False


def _seat(draft: Draft, name: str, anchor: str, x: float, y: float) -> bool:
    """Sit a small part on top of the one that stands at (x, y); say whether it can."""
    below = anchor if anchor in draft.spots and anchor != "focal" else draft.recipe["focal"][0]
    height = perch(name, below)
    top = next((t for a, b, _, t in reversed(draft.tops) if (a, b) == (x, y)), None)
    if not height or top is None:
        return False
    wide, deep, _ = parts()[name]["size"]
    along = parts()[below]["size"][0] > parts()[below]["size"][1] and deep > wide
    base = top - parts()[below]["size"][2] + height
    draft.stand_in_air(name, x, y - (below == "bench"), base, 90 if along else 0)
    return True


def _drop(draft: Draft, name: str, zone: str, slots: dict[str, str]) -> bool:
    """Stand a part in one of the plot's own zones (sea, beach, water); say whether there was room."""
    plot, stock = draft.plot, parts()[name]
    afloat = zone in ("sea", "afloat")
    for _ in range(200):
        x, y = (
            round(between(draft.rng, 0.04, 0.96) * plot.width),
            round(between(draft.rng, 0.04, 0.96) * plot.depth),
        )
        reach = max(stock["size"][:2]) / 2 if afloat else stock["foot"]
        if zone == "afloat":
            if not _floats(draft, x, y, reach):
                continue
        elif not plot.zones[zone](x, y) or plot.busy(x, y, reach):
            continue
        tall = stock["size"][2]
        if not (tall > 9 and (plot.hides(x, y, reach, tall) or not plot.clear_above(x, y, reach))):
            z = draft.afloat(x, y) if afloat else draft.ashore(x, y)
            quarter = (
                90 + 180 * roll(draft.rng, 0, 1) if "vehicle" in stock["tags"] else 90 * roll(draft.rng, 0, 3)
            )
            draft.stand(name, x, y, z, quarter, **slots)  # vessels show their side
            plot.claim(x, y, reach)
            return True
    return False


def _floats(draft: Draft, x: float, y: float, reach: float) -> bool:
    """Say whether there is open water all around a place, and nothing else on it."""
    water = draft.plot.zones["afloat"]
    around = [(x, y), (x - reach, y), (x + reach, y), (x, y - reach * 0.6), (x, y + reach * 0.6)]
    apart = all((x - a) ** 2 + (y - b) ** 2 > (reach + r) ** 2 for a, b, r, _ in draft.tops)
    return apart and all(water(*p) for p in around)


def _in_zone(draft: Draft, zone: str, name: str, crown: float) -> tuple[float, float, int] | None:
    """Return a place and a turn somewhere in one of the zone's areas."""
    stock = parts()[name]
    wide, deep, tall = stock["size"]
    half = max(wide, deep) / 2
    for area in shuffled(draft.rng, ZONES.get(zone, ZONES["any"])):
        spot = draft.plot.find(draft.rng, footing(name) + 0.5, area, tall if tall > 6 else 0, crown)
        if spot and half <= spot[0] < draft.plot.width - half and half <= spot[1] < draft.plot.depth - half:
            turn = 90 * roll(draft.rng, 0, 3) if {"plant", "animal", "land"} & set(stock["tags"]) else 0
            return (*spot, turn)
    return None


def _beside_path(draft: Draft, stock: dict[str, Any]) -> tuple[float, float, int] | None:
    """Return a place next to a path, turned towards it."""
    reach = stock["foot"] + 3.6
    for _ in range(40 if draft.plot.trails else 0):
        trail = pick(draft.rng, draft.plot.trails)
        x, y = pick(draft.rng, trail[6:-6] or trail)
        side = -1 if draft.rng.random() < 0.5 else 1
        tall = stock["size"][2]
        hidden = tall > 6 and draft.plot.hides(x + side * reach, y, reach, tall)
        if not hidden and draft.plot.free(x + side * reach, y, stock["foot"]):
            return round(x + side * reach), round(y), 90 if side < 0 else 270
    return None


def grove(draft: Draft, kinds: list[str], count: int, zone: str = "back") -> None:
    """Plant a mixed group of trees: mostly the first kind, tall ones before small ones."""
    names = [kinds[0] if draft.rng.random() < 0.45 else pick(draft.rng, kinds) for _ in range(count)]
    for name in sorted(names, key=lambda n: -parts()[n]["size"][2]):
        plant(draft, name, 1, zone)


def furnish(draft: Draft, wishes: list[list[Any]], wanted: bool = False) -> None:
    """Stand the recipe's extras: [part, count, zone], with slots where a fourth item gives them.

    What finds no room in its zone is tried everywhere, then remembered in draft.missing. wanted: the
    prompt names them, so that all shall stand, even where one hides something.
    """
    for name, count, zone, *rest in wishes:
        slots = rest[0] if rest else {}
        picked = {k: pick(draft.rng, v) if isinstance(v, list) else v for k, v in slots.items()}
        stand = plant(draft, name, count, zone, **picked)
        if not stand and zone not in ("sea", "beach"):
            stand = plant(draft, name, 1, "any", **picked)
        while wanted and stand < count and zone not in draft.plot.zones:
            spot = draft.plot.find(draft.rng, footing(name), (0.05, 0.05, 0.95, 0.95), tries=200)
            if spot is None:
                break
            draft.stand(name, *spot, None, 0, **picked)
            stand += 1
        if not stand:
            draft.missing.append(name)


def hang(draft: Draft, wishes: list[list[Any]]) -> None:
    """Hang what the prompt names in the sky, [part, count, slots], above whatever stands below."""
    litters = shelf("vocabulary")["litters"]
    for name, count, slots in wishes:
        for i in range(min(count, 12)):
            own = {slot: pick(draft.rng, colors) for slot, colors in litters.items()} if i else {}
            z, x, y = min(_airy(draft, name, first=not i) for _ in range(12))
            draft.stand_in_air(name, x, y, z + roll(draft.rng, 0, 3), 0, **{**own, **slots})


def _airy(draft: Draft, name: str, first: bool) -> tuple[int, float, float]:
    """Return a place in the air, (z, x, y): animals fly low, the first large thing beside the focal one."""
    plot, rng = draft.plot, draft.rng
    wide, deep, _ = parts()[name]["size"]
    animal = "animal" in parts()[name]["tags"]
    aside = 0.5 - draft.side * between(rng, 0.1, 0.25)
    x = (aside if first and not animal else between(rng, 0.16, 0.84)) * plot.width
    y = plot.depth * between(rng, 0.3, 0.8)
    x = min(max(x, wide / 2 + 2), plot.width - wide / 2 - 3)
    y = min(max(y, deep / 2 + 2), plot.depth - deep / 2 - 3)
    z = draft.level + (9 if animal else 26)
    for a, b, radius, top in draft.tops:
        if abs(a - x) < radius + wide / 2 and abs(b - y) < radius + deep / 2:
            z = max(z, top + 4)
    return z, x, y


def fly(draft: Draft, name: str, count: int, low: int, high: int) -> None:
    """Let birds and balloons fly beside what is tall, butterflies over the beds."""
    plot, rng = draft.plot, draft.rng
    near, bird = name == "butterfly", name in ("gull", "bird")
    for i in range(count):
        for attempt in range(80):
            share = between(rng, 0.15, 0.85) if near else between(rng, 0.06, 0.3) + 0.64 * (i % 2)
            x, y = (
                share * plot.width,
                between(rng, 0.12, 0.6) * plot.depth + (0 if near else 0.32 * plot.depth),
            )
            reach = max(parts()[name]["size"][:2]) / 2
            if (
                plot.clear_above(x, y, reach + 2)
                and reach < x < plot.width - reach
                and reach < y < plot.depth - reach
            ):
                wing = pick(rng, ("yellow", "sky", "orange", "white"))
                cloth = pick(rng, ("red", "blue", "amber", "purple", "teal"))
                z = draft.level + roll(rng, low, high) + (attempt // 8 if bird else 0)
                shown = not bird or attempt >= 60 or _against_sky(draft, x, y, reach, z)
                if not shown or not _free_air(draft, x, y, reach + 1, z - 1):
                    continue
                draft.stand_in_air(name, x, y, z, 90 * roll(rng, 0, 3), wing=wing, cloth=cloth)
                plot.crowns.append((x, y, reach))
                break


def _free_air(draft: Draft, x: float, y: float, reach: float, z: float) -> bool:
    """Say whether nothing that stands comes up to this height within reach."""
    return all(top <= z or max(abs(a - x), abs(b - y)) >= r + reach for a, b, r, top in draft.tops)


def _against_sky(draft: Draft, x: float, y: float, reach: float, z: float) -> bool:
    """Say whether the viewer sees a place in the air with nothing tall right before or behind it."""
    for a, b, radius, top in draft.tops:
        along = (a - x) * TOWARDS_VIEWER[0] + (b - y) * TOWARDS_VIEWER[1]
        across = abs((a - x) * -TOWARDS_VIEWER[1] + (b - y) * TOWARDS_VIEWER[0])
        if across < radius + reach and top + 2 > z + LOOKS_DOWN * along - radius * LOOKS_DOWN:
            return False
    return True
