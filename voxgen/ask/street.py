"""A city street: a row of houses, pavements, a road with traffic, lamps and people."""

from __future__ import annotations

from voxgen.ask.draft import Draft
from voxgen.ask.layout import Plot, between, pick, roll, shuffled
from voxgen.ask.planting import hang
from voxgen.stock import parts

WALLS = {
    "townhouse": ["brick", "slate", "clay", "teal", "amber", "gray"],
    "cafe": ["cream", "sand", "pink", "sky"],
    "tower_block": ["slate", "gray", "teal", "purple"],
}
NIGHT_WALLS = ["black", "slate", "purple", "teal"]
SIGNS = ["neon_pink", "neon_cyan", "neon_yellow", "neon_violet"]
PAINTS = ["red", "amber", "blue", "white", "teal", "black", "purple"]


def street_plot(width: int, depth: int, level: int) -> Plot:
    """Return the plot of a street: a rectangle."""

    def inside(x: float, y: float, margin: float) -> bool:
        return margin < x < width - 1 - margin and margin < y < depth - 1 - margin

    return Plot(width, depth, level, inside)


def compose_street(draft: Draft) -> None:
    """Lay road and pavements, build the row of houses, park the cars, light the lamps."""
    w, d, h = draft.plot.width, draft.plot.depth, draft.level
    kerb = max(16, min(round(d * 0.54), d - 36))  # y where the far pavement begins
    near = max(3, min(round(d * 0.2), kerb - 18))  # y where the near pavement ends
    draft.lay("street", near=near, kerb=kerb, lane=(near + kerb) // 2)
    row = kerb + 9
    _build_row(draft, row)
    _stand_focal(draft, near, kerb)
    focal = parts()[draft.recipe["focal"][0]] if draft.recipe.get("focal") else {"on": ""}
    wide = w >= 80 and (not focal["on"] or "building" in focal["tags"])  # nothing may hide the focal thing
    for x in range(9, w - 6, 24):
        draft.stand("street_lamp", x, kerb + 2, h + 2)
        if wide and x + 12 < w - 6:
            draft.stand("street_lamp", x + 12, near - 3, h + 2, 180)
    _line_pavements(draft, near, kerb, wide)
    _furnish(draft, near, kerb)
    hang(draft, draft.recipe["aloft"])


def _stand_focal(draft: Draft, near: int, kerb: int) -> None:
    """Stand what the prompt is about in the road; traffic only where that leaves it free."""
    recipe, w, h = draft.recipe, draft.plot.width, draft.level
    focal = recipe["focal"][0] if recipe.get("focal") else ""
    if not focal or "building" in parts()[focal]["tags"]:
        _drive(draft, near, kerb)
        return
    wide, quarter = parts()[focal]["size"][0], (kerb - near) / 4
    on_road = parts()[focal]["on"] == "road"
    for i in range(recipe.get("company", 0) + 1):
        x = w * 0.5 + (wide + 4) * ((i + on_road) // 2) * (-1) ** i
        lane = (near + quarter, kerb - quarter)[i % 2] if on_road else (near + kerb) / 2
        if wide / 2 < x < w - wide / 2:
            slots: dict[str, str] = {"body": pick(draft.rng, PAINTS)} if i else {}
            slots |= recipe.get("focal_slots", {})
            turn = 180 * (i % 2) if on_road else 0
            draft.stand(focal, x, lane, h + 1, turn, **slots)
    draft.spots["focal"] = draft.spots[focal]


def _build_row(draft: Draft, row: int) -> None:
    """Build houses side by side from left to right; a strip of park fills the rest."""
    w, d, h, rng = draft.plot.width, draft.plot.depth, draft.level, draft.rng
    kinds = shuffled(
        rng, ["tower_block", "townhouse", "cafe", "townhouse", "cafe", "tower_block", "townhouse"]
    )
    signs = shuffled(rng, SIGNS)
    focal = draft.recipe["focal"][0] if draft.recipe.get("focal") else ""
    given: dict[str, str] = {}
    if focal and "building" in parts()[focal]["tags"]:
        kinds[1:1] = [focal] * (draft.recipe.get("company", 0) + 1)
        given = draft.recipe.get("focal_slots", {})
    elif focal and w < 90:  # a small street has low houses: they must not dwarf what it is about
        kinds = [kind for kind in kinds if kind != "tower_block"]
    x, i, last = 2, 0, ""
    while i < len(kinds):
        name = kinds[i]
        wide, deep, _ = parts()[name]["size"]
        if x + wide > w - 2 or row + deep > d:
            break
        walls = NIGHT_WALLS if draft.recipe.get("neon") else WALLS.get(name, WALLS["townhouse"])
        wall = pick(rng, [c for c in walls if c != last])
        cloth, roof = pick(rng, ("red", "teal", "blue", "amber")), pick(rng, ("clay", "slate", "red"))
        slots = {"wall": wall, "sign": signs[i % 4], "cloth": cloth, "roof": roof}
        slots |= given if name == focal else {}
        draft.stand(name, x + wide // 2, row + deep // 2, h + 2, 0, **slots)
        draft.plot.claim_box(x, row, x + wide, row + deep)
        x, i, last = x + wide + roll(rng, 0, 1), i + 1, wall
    while x + 11 < w:
        draft.stand("street_tree", x + 6, row + 5, h + 2)
        draft.stand("bench", x + 6, row + 16 if row + 18 < d else row - 4, h + 2)
        x += 12


def _drive(draft: Draft, near: int, kerb: int) -> None:
    """Put cars and a bus into the two lanes, heading their own way."""
    w, h, rng = draft.plot.width, draft.level, draft.rng
    quarter = (kerb - near) / 4
    for lane, turn in ((near + quarter, 0), (kerb - quarter, 180)):
        x = between(rng, 10, 18)
        while x < w - 12:
            name = "bus" if rng.random() < 0.22 else "car"
            wide = parts()[name]["size"][0]
            if x + wide / 2 > w - 3:
                break
            draft.stand(
                name,
                x + wide / 2 - 8,
                lane,
                h + 1,
                turn,
                body=pick(rng, draft.recipe.get("paints") or PAINTS),
            )
            x += wide + between(rng, 7, 20)


def _line_pavements(draft: Draft, near: int, kerb: int, wide: bool) -> None:
    """Set trees, benches, people and small things along both pavements; only low ones if not wide."""
    w, h, rng = draft.plot.width, draft.level, draft.rng
    for i, x in enumerate(range(15, w - 8, 24)):
        if near > 13:
            if wide:
                draft.stand("street_tree", x, near - 6, h + 2)
            draft.stand("bench", x + 13, near - 9, h + 2, 180)
            if i % 2:
                draft.stand("pot", x + 6, near - 4, h + 2, bloom=pick(rng, ("rose", "red", "lavender")))
    draft.stand("hydrant", 10, near - 3, h + 2)
    draft.stand("traffic_light", w - 11, kerb + 2, h + 2)
    if wide:
        draft.stand("post_box", 5, near - 5, h + 2)
        draft.stand("traffic_light", w - 26, near - 2, h + 2, 180)
    for _ in range(round(w / 12)):
        y = kerb + roll(rng, 4, 7) if rng.random() < 0.55 else roll(rng, 3, max(4, near - 12))
        x = roll(rng, 5, w - 6)
        if not draft.plot.busy(x, y, 2):
            draft.stand(
                "person",
                x,
                y,
                h + 2,
                90 * roll(rng, 0, 3),
                shirt=pick(rng, PAINTS),
                hair=pick(rng, ("brown", "amber", "black")),
            )
    draft.stand("dog", roll(rng, 20, w - 20), kerb + 6, h + 2, 90, fur=pick(rng, ("wood", "white", "black")))


def _furnish(draft: Draft, near: int, kerb: int) -> None:
    """Stand what the prompt names on the pavements, where there is room."""
    w, rng = draft.plot.width, draft.rng
    for name, slots in draft.recipe.get("traffic", []):
        x = roll(rng, 14, w - 15)
        if not draft.plot.busy(x, near + (kerb - near) / 4, 8):
            draft.stand(name, x, near + (kerb - near) / 4, draft.level + 1, 0, **slots)
    for name, count, _, *rest in [*draft.recipe["named"], *draft.recipe.get("extras", [])]:
        foot = parts()[name]["foot"]
        slots = {k: pick(rng, v) if isinstance(v, list) else v for k, v in (rest[0] if rest else {}).items()}
        stand = 0
        for _ in range(60):
            x = roll(rng, 4 + foot, w - 5 - foot)
            y = roll(rng, foot + 1, near - foot - 1) if near > 2 * foot + 2 else kerb + 5
            if stand < count and not draft.plot.busy(x, y, foot):
                draft.stand(name, x, y, draft.level + 2, 90 * roll(rng, 0, 3), **slots)
                stand += 1
        if not stand:
            draft.missing.append(name)
