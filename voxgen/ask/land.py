"""Scenes on land: a focal building, beast or tree, and water, paths, beds, trees and life around it."""

from __future__ import annotations

from typing import Any, NamedTuple

from voxgen.ask.draft import Draft
from voxgen.ask.features import (
    border_blooms,
    lay_bed,
    lay_craters,
    lay_fence,
    lay_field,
    lay_moat,
    lay_path,
    lay_pond,
    stock_moat,
    stock_pond,
)
from voxgen.ask.ground import cover, lay_hills, lay_mountain, lay_planet
from voxgen.ask.layout import Point, between, pick
from voxgen.ask.planting import fly, furnish, grove, leaf_of
from voxgen.ask.stock import parts


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
    if recipe.get("mountain"):
        lay_mountain(draft, side, recipe["mountain"])
    lay_hills(draft, _hills(draft, side))
    gate = _gate(draft, name, focal)
    water = _plan_water(draft, name, focal, gate, side)
    _stand_focal(draft, name, focal)
    second = _stand_second(draft, focal, side)
    _lay_paths(draft, name, focal, gate, water, second)
    _fill_water(draft, water, gate)
    _stand_houses(draft)
    if recipe.get("fence"):
        lay_fence(draft, recipe["fence"], gate)
    if recipe.get("gate"):
        _stand_gate(draft, recipe["gate"], gate)
    _sow(draft)
    area = draft.plot.width * draft.plot.depth / 9216
    lay_craters(draft, recipe.get("craters", 0))
    _lay_beds(draft, water, recipe.get("beds", 1))
    if recipe["trees"]:
        grove(draft, recipe["trees"], round(13 * area * recipe.get("dense", 1)))
    furnish(draft, recipe["extras"])
    if recipe["trees"]:
        grove(draft, recipe["trees"][1:] or recipe["trees"], round(4 * area * recipe.get("dense", 1)), "side")
    cover(draft, round(90 * area))
    if recipe.get("planet"):
        lay_planet(draft)
    for flyer, count, low, high in recipe.get("flyers", [["butterfly", 4, 5, 10], ["gull", 2, 28, 36]]):
        fly(draft, flyer, count, low, high)


def _focal_spot(draft: Draft, name: str, side: int) -> Point:
    """Return the centre of the focal thing: at a third, towards the back; large things in the middle."""
    foot, plot = parts()[name]["foot"], draft.plot
    if plot.zones:  # an island: its middle is near enough
        return round(plot.width * (0.5 + side * 0.08)), round(plot.depth * 0.56)
    row = draft.recipe.get("focal_row", 0.56)
    shift = 0.17 if foot < 0.18 * plot.width else 0.05 if foot < 0.24 * plot.width else 0
    x = plot.width * (0.5 + side * shift + between(draft.rng, -0.03, 0.03) * (shift > 0))
    y = plot.depth * (between(draft.rng, 0.6, 0.68) if foot < 0.24 * plot.width else row)
    return round(x), round(min(y, plot.depth - 8 - foot))


def _hills(draft: Draft, side: int) -> list[tuple[float, float, float, float, float]]:
    w, d, rng = draft.plot.width, draft.plot.depth, draft.rng
    tall = draft.recipe.get("hill", 6)
    if not tall or draft.plot.zones:
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
    if draft.recipe.get("water") == "moat":
        return door
    return round(door + (draft.plot.width * 0.5 - door) * between(draft.rng, 0.2, 0.9))


def _plan_water(draft: Draft, name: str, focal: Point, gate: float, side: int) -> Water | None:
    """Choose where the water lies, opposite the focal thing and in front of it."""
    w, d, rng = draft.plot.width, draft.plot.depth, draft.rng
    kind, more = draft.recipe.get("water", ""), draft.recipe.get("big_water", 1)
    if kind == "moat":
        wide, deep, _ = parts()[name]["size"]
        return Water(kind, *focal, wide / 2 + 1, deep / 2 + 1)
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


def _stand_focal(draft: Draft, name: str, at: Point) -> None:
    recipe = draft.recipe
    slots = {"roof": pick(draft.rng, recipe["roofs"])} if recipe.get("roofs") else {}
    slots |= leaf_of(draft, name) | recipe.get("focal_slots", {})
    draft.stand(name, *at, None, 0, **slots)
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
    rng = draft.rng
    bend = between(rng, 3, 6) * (1 if rng.random() < 0.5 else -1)
    if water and water.kind == "bridge":
        middle = [(gate, 8.0), (gate, water.y - 14.0), (gate, water.y + 14.0)]
    elif water and water.kind == "fountain":
        middle = [(gate, 8.0), (gate, water.y - 8.0), (gate, water.y + 9.0)]
    elif water and water.kind == "moat":
        middle = [(gate + bend, 6.0), (gate, max(10.0, door[1] - 14.0))]
    else:
        middle = [(gate + bend, door[1] * 0.3), (gate - bend * 0.6, door[1] * 0.6)]
    start: Point = (gate, 0) if not draft.plot.zones else (gate, door[1] * 0.42)
    if draft.plot.zones:
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


def _lay_plaza(draft: Draft, x: float, y: float) -> None:
    """Lay a round plaza with a ring of bricks and stand the fountain on it."""
    draft.lay("plaza", x=int(x), y=int(y))
    draft.stand("fountain", x, y)
    draft.plot.claim(x, y, 15)


def _stand_gate(draft: Draft, name: str, gate: float) -> None:
    wide = parts()[name]["size"][0]
    draft.stand(name, gate, 6 if wide < 15 else 8, bloom=pick(draft.rng, ("rose", "red", "pink", "white")))
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
    left = round(10 * share * w * d / 9216)
    for x, y, rx, ry in spots:
        points = [(x + i * rx * 0.8, y + j * ry * 0.8) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        if left > 0 and all(draft.plot.free(px, py, 1.2) for px, py in points):
            lay_bed(draft, round(x), round(y), round(rx, 1), round(ry, 1), pick(rng, palettes))
            left -= 1


def is_focal(name: str) -> bool:
    """Say whether a stock part can carry a scene."""
    stock: dict[str, Any] = parts()[name]
    return bool({"focal", "landmark"} & set(stock["tags"]))
