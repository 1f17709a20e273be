"""Scenes on land: a focal building, beast or tree, and water, paths, beds, trees and life around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from voxgen.ask.draft import Draft
from voxgen.ask.features import (
    BRIDGES,
    afloat,
    border_blooms,
    cosine,
    lay_bed,
    lay_craters,
    lay_fence,
    lay_field,
    lay_moat,
    lay_path,
    lay_pond,
    lay_stream,
    stock_moat,
    stock_pond,
)
from voxgen.ask.ground import cover, lay_cave, lay_hills, lay_mountain, lay_planet
from voxgen.ask.layout import Point, between, pick, roll
from voxgen.ask.planting import fly, furnish, grove, hang, leaf_of
from voxgen.stock import parts, shelf


class Water(NamedTuple):
    """Where the water lies: what it is, its centre and its radii."""

    kind: str
    x: float
    y: float
    rx: float
    ry: float


def compose_land(draft: Draft) -> None:
    """Lay out the scene from the back to the front, from what is large to what is small."""
    recipe = draft.recipe
    side = draft.side
    name = recipe["focal"][0]
    focal = _focal_spot(draft, name, side)
    if recipe.get("cave"):
        lay_cave(draft, recipe["cave"])
    if recipe.get("mountain"):
        lay_mountain(draft, side, recipe["mountain"])
    lay_hills(draft, _hills(draft, side, focal))
    gate = _gate(draft, name, focal)
    water = _plan_water(draft, name, focal, gate, side)
    focal = _beside_water(draft, name, focal, water)
    middle = lay_stream(draft, focal[0], water.y, water.ry) if water and water.kind == "stream" else None
    if name in BRIDGES and middle:
        focal = (focal[0], round(middle(focal[0])))
    _stand_focal(draft, name, focal)
    second = _stand_second(draft, focal, side)
    _lay_paths(draft, name, focal, gate, water, second)
    _fill_water(draft, water, gate)
    if middle:
        _cross_stream(draft, name, gate, middle)
    _stand_company(draft, name, focal)
    if recipe.get("fence"):
        lay_fence(draft, recipe["fence"], gate)
    if recipe.get("gate"):
        _stand_gate(draft, recipe["gate"], gate)
    furnish(draft, recipe["named"], wanted=True)
    _stand_houses(draft)
    _sow(draft)
    area = draft.plot.width * draft.plot.depth / 9216
    lay_craters(draft, recipe.get("craters", 0))
    _lay_beds(draft, water, recipe.get("beds", 1))
    if recipe["trees"]:
        grove(draft, recipe["trees"], round(13 * area * recipe.get("dense", 1)))
    furnish(draft, recipe["extras"])
    if recipe["trees"]:
        grove(draft, recipe["trees"][1:] or recipe["trees"], round(4 * area * recipe.get("dense", 1)), "side")
    cover(draft, max(round(90 * area), 45))
    if recipe.get("planet"):
        lay_planet(draft)
    hang(draft, recipe["aloft"])
    for flyer, count, low, high in recipe.get("flyers", [["butterfly", 4, 5, 10], ["gull", 2, 28, 36]]):
        fly(draft, flyer, count, low, high)


def _is_island(draft: Draft) -> bool:
    return draft.recipe["kind"] in ("isle", "float")


def _focal_spot(draft: Draft, name: str, side: int) -> Point:
    """Return the centre of the focal thing: at a third, towards the back; large things in the middle."""
    foot, plot, recipe = parts()[name]["foot"], draft.plot, draft.recipe
    if _is_island(draft):  # its middle is near enough
        return round(plot.width * (0.5 + side * 0.06)), round(plot.depth * 0.56)
    if recipe.get("rails") or recipe.get("plaza"):
        return round(plot.width * (0.5 + side * 0.03)), round(plot.depth * 0.52)
    if afloat(recipe):
        return round(plot.width * (0.5 + side * 0.04)), round(plot.depth * 0.45)
    if name in BRIDGES:
        return round(plot.width * (0.5 + side * 0.1)), round(plot.depth * 0.45)
    row = recipe.get("focal_row", 0.56)
    shift = 0.17 if foot < 0.18 * plot.width else 0.05 if foot < 0.24 * plot.width else 0
    if recipe.get("company") or recipe.get("hilltop"):
        shift *= 0.3
    x = plot.width * (0.5 + side * shift + between(draft.rng, -0.03, 0.03) * (shift > 0))
    y = plot.depth * (between(draft.rng, 0.6, 0.68) if foot < 0.24 * plot.width else row)
    if plot.width < 66:  # a small plot is all focal thing
        row = 0.43 if parts()[name]["size"][2] < 10 else 0.5
        x, y = plot.width * (0.5 + side * shift * 0.7), plot.depth * between(draft.rng, row, row + 0.06)
    if recipe.get("cave"):
        y = plot.depth * 0.48
    return round(x), round(min(y, plot.depth - 8 - foot))


def _hills(draft: Draft, side: int, focal: Point) -> list[tuple[float, float, float, float, float]]:
    """Return two hills at the back, and where the recipe says so one below the focal thing."""
    w, d, rng = draft.plot.width, draft.plot.depth, draft.rng
    tall, top = draft.recipe.get("hill", 6), draft.recipe.get("hilltop", 0)
    if top:
        wide, deep, _ = parts()[draft.recipe["focal"][0]]["size"]
        foot = parts()[draft.recipe["focal"][0]]["foot"]
        reach = (max(wide, deep) / 2 if "building" in parts()[draft.recipe["focal"][0]]["tags"] else foot) + 3
        return [(*focal, round(reach * 1.3 + 6), round(reach * 1.3 + 5), top)]
    if not tall or _is_island(draft):
        return []
    x = w * (0.5 - side * 0.34)
    one = (round(x), round(d * 0.85), round(w * between(rng, 0.13, 0.18)), round(d * 0.1), tall)
    two = (
        round(w * (0.5 + side * 0.36)),
        round(d * 0.94),
        round(w * 0.14),
        round(d * 0.06),
        round(tall * 0.6),
    )
    return [one, two]


def _gate(draft: Draft, name: str, focal: Point) -> float:
    door = _door(name, focal)[0]
    if draft.recipe.get("water") == "moat" or name in BRIDGES:
        return door
    if draft.recipe.get("water") == "lake":
        return round(draft.plot.width * (0.5 + draft.side * 0.38))
    return round(door + (draft.plot.width * 0.5 - door) * between(draft.rng, 0.2, 0.9))


def _plan_water(draft: Draft, name: str, focal: Point, gate: float, side: int) -> Water | None:
    """Choose where the water lies, opposite the focal thing and in front of it."""
    w, d, rng = draft.plot.width, draft.plot.depth, draft.rng
    kind, more = draft.recipe.get("water", ""), draft.recipe.get("big_water", 1)
    if kind == "moat":
        wide, deep, _ = parts()[name]["size"]
        return Water(kind, *focal, wide / 2 + 1, deep / 2 + 1)
    if afloat(draft.recipe):
        wide, deep, _ = parts()[name]["size"]
        reach = max(wide, deep) * (0.62 + 0.3 * draft.recipe.get("company", 0)) + 7
        ry = min(reach * 0.9, d * 0.38)
        return Water(
            "lake" if kind == "lake" else "pond", *focal, round(min(reach * 1.12, w * 0.4)), round(ry)
        )
    if kind and draft.recipe["kind"] == "float":  # well inside the rim
        return Water("pond", round(w * (0.5 - side * 0.16)), round(d * 0.34), round(w * 0.12), round(d * 0.1))
    if kind == "lake":
        return Water(kind, round(w * (0.5 - side * 0.06)), round(d * 0.34), round(w * 0.34), round(d * 0.2))
    if kind == "stream":
        y = focal[1] if name in BRIDGES else round(min(d * 0.34, focal[1] - parts()[name]["foot"] - 14))
        return Water(
            kind, focal[0], max(y, 14), w, 7.6 if draft.recipe.get("bridge", name) == "stone_bridge" else 6
        )
    room = _door(name, focal)[1] - 12  # cells from the front rim to the doorstep
    if kind == "bridge" and room > 30:
        ry = min(d * between(rng, 0.085, 0.1), 9)
        return Water(
            kind, round(w * 0.5 - side * w * 0.05), round(room * 0.62), round(w * 0.34), round(ry, 1)
        )
    if kind == "fountain" and room > 30:
        return Water(kind, gate, round(min(room * 0.6, room - 8)), 9, 9)
    if kind:
        x = w * (0.5 - side * between(rng, 0.22, 0.27) / more)
        rx, ry = w * between(rng, 0.14, 0.18) * more, d * between(rng, 0.12, 0.15) * more
        y = max(ry * 1.2 + 5, d * between(rng, 0.26, 0.32))
        wide, deep, _ = parts()[name]["size"]
        front = focal[1] - (deep / 2 if "building" in parts()[name]["tags"] else parts()[name]["foot"]) - 2
        if y + ry * 1.2 > front and abs(x - focal[0]) < wide / 2 + rx * 1.2:
            ry = min(ry, front / 2.4 - 3)
            y = front / 2 + 1.5
        return Water("pond", round(x), round(y), round(rx), round(ry)) if ry > 3.5 else None
    return None


def _beside_water(draft: Draft, name: str, focal: Point, water: Water | None) -> Point:
    """Move the focal thing back where a lake would reach its doorstep."""
    if water is None or water.kind != "lake" or afloat(draft.recipe):
        return focal
    deep = parts()[name]["size"][1] / 2 if "building" in parts()[name]["tags"] else parts()[name]["foot"]
    row = max(focal[1], water.y + water.ry * 1.15 + deep + 4)
    return focal[0], round(min(row, draft.plot.depth - 7 - deep))


def _cross_stream(draft: Draft, name: str, gate: float, middle: Callable[[float], float]) -> None:
    """Lay a bridge where the path crosses the stream, and put life in and beside the water."""
    recipe, rng = draft.recipe, draft.rng
    if name not in BRIDGES:
        bridge = recipe.get("bridge", "footbridge")
        draft.stand(bridge, gate, middle(gate), draft.level + 1, 0, **recipe.get("bridge_slots", {}))
    for swimmer in ["lily", "lily_pad", "lily_pad", "koi", "koi", *recipe.get("swimmers", ["duck"])]:
        x = between(rng, 0.1, 0.9) * draft.plot.width
        if abs(x - gate) > 8 and recipe.get("season") != "winter":
            z = draft.level - (swimmer == "koi")
            draft.stand_in_air(swimmer, x, middle(x) + between(rng, -2.4, 2.4), z, 90 * roll(rng, 0, 3))


def _stand_company(draft: Draft, name: str, focal: Point) -> None:
    """Stand more of the focal thing around it, in other colours, as near as there is room."""
    recipe, stock, plot = draft.recipe, parts()[name], draft.plot
    tall = stock["size"][2]
    wide, deep, _ = stock["size"]
    reach = max(wide, deep) / 2 + 1 if "building" in stock["tags"] else (wide + deep) / 4
    given = recipe.get("focal_slots", {})
    for _ in range(recipe.get("company", 0) if not recipe["aloft"] else 0):
        spot = _near(draft, focal, reach, afloat(recipe))
        if spot is None:
            recipe["named"].append([name, 1, "any", given])
            continue
        families = shelf("vocabulary")["litters"]
        own = {s: pick(draft.rng, families[s]) for s in stock["slots"] if s in families and s not in given}
        z = draft.level if afloat(recipe) else None
        draft.stand(name, *spot, z, 0, **{**leaf_of(draft, name), **own, **given})
        plot.claim(*spot, reach)
        plot.screens.append((*spot, max(reach, 6), tall))


def _near(draft: Draft, focal: Point, reach: float, swims: bool) -> Point | None:
    """Return the free place for something so wide that is nearest to the focal thing."""
    angles = [-2.5, -0.6, -3.1, 0.1, -1.6, 2.6, 0.8, 1.7, -2.1, -1, 2.1, 1.2]
    start = 0 if draft.side > 0 else 1
    for far in range(round(2 * reach) + 2, draft.plot.width, 2):
        for angle in angles[start:] + angles[:start]:
            x, y = focal[0] + far * cosine(angle), focal[1] + far * 0.8 * cosine(angle - 1.5708)
            if swims and draft.plot.zones["afloat"](x, y) and far > 2 * reach:
                return round(x), round(y)
            if not swims and draft.plot.free(x, y, reach * 0.9):
                return round(x), round(y)
    return None


def _stand_focal(draft: Draft, name: str, at: Point) -> None:
    recipe = draft.recipe
    if recipe.get("plaza"):
        draft.lay("plaza", x=int(at[0]), y=int(at[1]))
    if recipe.get("rails"):
        draft.lay("rails", y=int(at[1]))
        draft.plot.claim_box(0, at[1] - 7, draft.plot.width, at[1] + 7)
    slots = {"roof": pick(draft.rng, recipe["roofs"])} if recipe.get("roofs") else {}
    slots |= leaf_of(draft, name) | recipe.get("focal_slots", {})
    z = draft.level if afloat(recipe) else draft.level + 1 if name in BRIDGES else None
    draft.stand(name, *at, z, 0, **slots)
    draft.spots["focal"] = draft.spots[name]
    foot, tall = parts()[name]["foot"], parts()[name]["size"][2]
    draft.plot.claim(*at, foot + 1)
    draft.plot.screens.append((*at, max(foot, 8), tall))


def _stand_second(draft: Draft, focal: Point, side: int) -> Point | None:
    """Stand the second building across from the focal one; return its doorstep, if there was room."""
    names = draft.recipe.get("second")
    if not names:
        return None
    name = pick(draft.rng, names)
    wide, deep, tall = parts()[name]["size"]
    w, d = draft.plot.width, draft.plot.depth
    radius = max(wide, deep) / 2
    for y in (between(draft.rng, 0.58, 0.7), 0.75, 0.5):
        x = round(min(max(w * (0.5 - side * 0.28), radius + 8), w - radius - 8))
        row = round(min(d * y, d - radius - 7))
        if draft.plot.free(x, row, radius * 0.9):
            break
    else:
        return None
    blooms = {"bloom": pick(draft.rng, ("lavender", "rose", "white"))}
    roofs = {"roof": pick(draft.rng, draft.recipe["roofs"])} if draft.recipe.get("roofs") else {}
    draft.stand(name, x, row, None, 0, **blooms, **roofs)
    draft.plot.screens.append((x, row, radius * 0.7, tall * 0.7))
    return _door(name, (x, row))


def _stand_houses(draft: Draft) -> None:
    """Stand the houses of a village around the square, and lead narrow paths to their doors."""
    roofs = draft.recipe.get("house_roofs", ["clay"])
    for name, count in draft.recipe.get("houses", []):
        wide, deep, tall = parts()[name]["size"]
        for _ in range(count):
            for zone in ((0.08, 0.3, 0.92, 0.9), (0.08, 0.5, 0.92, 0.92)):
                spot = draft.plot.find(draft.rng, max(wide, deep) * 0.56, zone, tall * 0.8, 0, 80)
                if spot:
                    draft.stand(
                        name,
                        *spot,
                        roof=pick(draft.rng, roofs),
                        wall=pick(draft.rng, ("cream", "white", "sand")),
                    )
                    draft.plot.screens.append((*spot, wide * 0.35, tall * 0.6))
                    _lead_to(draft, _door(name, spot))
                    break


def _lead_to(draft: Draft, door: Point) -> None:
    """Lead a narrow path from a door to the nearest point of the main path."""
    trail = draft.plot.trails[0] if draft.plot.trails else []
    near = [p for p in trail if p[1] < door[1] - 2]
    if near:
        end = min(near, key=lambda p: (p[0] - door[0]) ** 2 + (p[1] - door[1]) ** 2)
        lay_path(draft, [door, (door[0], door[1] - 3), end], 2, draft.recipe.get("path", "sand"))


def _door(name: str, at: Point) -> Point:
    """Return the cell in front of a part's door, for a part that is not turned."""
    stock = parts()[name]
    wide, deep, _ = stock["size"]
    door = stock.get("door", [wide // 2, deep // 2 - stock["foot"] - 2])
    return at[0] - wide // 2 + door[0], at[1] - deep // 2 + door[1]


def _lay_paths(
    draft: Draft, name: str, focal: Point, gate: float, water: Water | None, second: Point | None
) -> None:
    """Lead a path from the gate to the door, past the water, and a narrower one to the second place."""
    fill = draft.recipe.get("path", "sand")
    if not fill:
        return
    door = _door(name, focal)
    if afloat(draft.recipe):
        door = (gate, max(6.0, focal[1] - (water.ry if water else 0) * 1.15))
    rng = draft.rng
    bend = between(rng, 3, 6) * (1 if rng.random() < 0.5 else -1)
    if water and water.kind == "bridge":
        middle = [(gate, 8.0), (gate, water.y - 14.0), (gate, water.y + 14.0)]
    elif water and water.kind == "lake" and not afloat(draft.recipe):
        middle = [(gate, door[1] * 0.3), (gate + draft.side * 1.5, door[1] * 0.66)]
    elif water and water.kind == "stream":
        middle = [(gate, water.y - 13.0), (gate, water.y + 13.0)]
    elif water and water.kind == "fountain":
        middle = [(gate, 8.0), (gate, water.y - 8.0), (gate, water.y + 9.0)]
    elif water and water.kind == "moat":
        middle = [(gate + bend, 6.0), (gate, max(10.0, door[1] - 14.0))]
    else:
        middle = [(gate + bend, door[1] * 0.3), (gate - bend * 0.6, door[1] * 0.6)]
    start: Point = (gate, 0) if not _is_island(draft) else (gate, door[1] * 0.42)
    if name in BRIDGES:
        door = (gate + bend, draft.plot.depth - 3)
    if _is_island(draft):
        middle = [((gate + door[0]) / 2 + bend, (start[1] + door[1]) / 2)]
    lay_path(draft, [start, *middle, (door[0], door[1] - 4), door], 5, fill)
    joint = middle[-1]
    if second:
        halfway = ((joint[0] + second[0]) / 2, joint[1] + (second[1] - joint[1]) * 0.4)
        lay_path(draft, [joint, halfway, (second[0], second[1] - 4), second], 3, fill)


def _fill_water(draft: Draft, water: Water | None, gate: float) -> None:
    """Dig the pond or set the fountain, now that the paths are laid."""
    if water is None:
        return
    kind, x, y, rx, ry = water
    if kind == "stream":
        return
    if kind == "fountain":
        _lay_plaza(draft, x, y)
    elif kind == "moat":
        lay_moat(draft, x, y, rx, ry, gate)
        stock_moat(draft)
    else:
        clear = (gate, y) if kind == "bridge" else None
        lay_pond(draft, x, y, rx, ry)
        if clear:
            draft.stand("footbridge", gate, y, draft.level + 1)
        stock_pond(draft, x, y, rx, ry, clear)
        for _ in range(draft.recipe.get("pools", 1) - 1):
            _dig_pool(draft)


def _dig_pool(draft: Draft) -> None:
    """Dig one more small pond where there is room."""
    rx, ry = roll(draft.rng, 6, 9), roll(draft.rng, 5, 7)
    spot = draft.plot.find(draft.rng, rx * 1.2, (0.1, 0.1, 0.9, 0.9), tries=120)
    if spot:
        lay_pond(draft, *spot, rx, ry)
        stock_pond(draft, *spot, rx, ry)


def _lay_plaza(draft: Draft, x: float, y: float) -> None:
    """Lay a round plaza with a ring of bricks and stand the fountain on it."""
    draft.lay("plaza", x=int(x), y=int(y))
    draft.stand("fountain", x, y)
    draft.plot.claim(x, y, 15)


def _stand_gate(draft: Draft, name: str, gate: float) -> None:
    wide = parts()[name]["size"][0]
    slots = {"bloom": pick(draft.rng, ("rose", "red", "pink", "white"))} | draft.recipe.get("gate_slots", {})
    draft.stand(name, gate, 6 if wide < 15 else 8, **slots)
    draft.plot.claim(gate, 6, parts()[name]["foot"])


def _sow(draft: Draft) -> None:
    """Lay out fields of wheat and bands of tulips where there is room."""
    rng, recipe = draft.rng, draft.recipe
    crops: list[list[str]] = [[]] * recipe.get("field", 0)
    crops += [border_blooms(draft, 3) for _ in range(recipe.get("tulips", 0))]
    for crop in crops:
        for _ in range(60):
            rx, ry = between(rng, 8, 13), between(rng, 6, 11)
            spot = draft.plot.find(rng, 3, (0.12, 0.1, 0.88, 0.6))
            if spot and all(
                draft.plot.free(spot[0] + i * rx / 2, spot[1] + j * ry / 2, min(rx, ry) / 2 + 1)
                for i in (-1, 0, 1)
                for j in (-1, 0, 1)
            ):
                lay_field(draft, *spot, rx, ry, crop)
                break


def _lay_beds(draft: Draft, water: Water | None, share: float) -> None:
    """Plant flower beds: around the plaza, beside the paths, along the fence, the rest in the lawn."""
    rng, w, d = draft.rng, draft.plot.width, draft.plot.depth
    spots: list[tuple[float, float, float, float]] = []
    if water and water.kind == "fountain":
        spots += [(water.x + sx * 15.5, water.y + sy * 13.5, 6, 5) for sx in (-1, 1) for sy in (-1, 1)]
    for trail in draft.plot.trails:
        spots += [(x + side * 9, y, 3.3, 4.6) for x, y in trail[8::7] for side in (-1, 1)]
    for _ in range(12):
        spots.append((between(rng, 0.12, 0.88) * w, 11, between(rng, 5, 9), 2.8))
        spots.append((w - 12, between(rng, 0.15, 0.8) * d, 2.8, between(rng, 5, 9)))
        spots.append(
            (
                between(rng, 0.12, 0.85) * w,
                between(rng, 0.12, 0.62) * d,
                between(rng, 3.6, 6),
                between(rng, 3, 4.6),
            )
        )
    palettes = [border_blooms(draft, 3) for _ in range(3)]
    left = max(round(10 * share * w * d / 9216), round(4 * share))
    for x, y, rx, ry in spots:
        points = [(x + i * rx * 0.8, y + j * ry * 0.8) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        if left > 0 and all(draft.plot.free(px, py, 1.2) for px, py in points):
            lay_bed(draft, round(x), round(y), round(rx, 1), round(ry, 1), pick(rng, palettes))
            left -= 1
