"""What is laid into the ground: water, paths, flower beds, fences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from voxgen.ask.draft import Draft
from voxgen.ask.layout import Plot, Point, between, pick, roll, shuffled, smooth
from voxgen.stock import parts

BLOOMS = ["red", "yellow", "rose", "lavender", "white", "orange", "purple", "blue", "pink"]


def lay_path(draft: Draft, points: Sequence[Point], width: float, fill: str = "sand") -> None:
    """Draw a curved path through the points: an edging of stone, then the fill, both flush with the turf."""
    trail = smooth(points)
    climbs = any(draft.plot.rise(x, y) >= 1 for x, y in trail)
    line = [
        [round(x, 1), round(y, 1), draft.plot.surface(x, y)] for x, y in (trail[::2] if climbs else points)
    ]
    draft.lay("path", line=line, width=width, fill=fill)
    draft.plot.trails.append(trail)
    for x, y in trail:
        draft.plot.claim(x, y, width / 2 + 1)


BRIDGES = ("footbridge", "stone_bridge")


def afloat(recipe: dict[str, Any]) -> bool:
    """Say whether the focal thing of a recipe swims."""
    name = recipe["focal"][0]
    return parts()[name]["on"] in ("water", "underwater") and name not in BRIDGES


def lay_pond(draft: Draft, x: float, y: float, rx: float, ry: float) -> None:
    """Dig a pond with a mossy stone shore, three cells deep, its surface one below the turf."""
    plot, h = draft.plot, draft.level
    draft.lay(
        "pond", x=x, y=y, rx=rx, ry=ry, seed=roll(draft.rng, 1, 40), **_box(plot, x, y, rx * 1.3, ry * 1.3)
    )
    plot.claim_oval(x, y, rx * 1.14, ry * 1.14)

    def around(px: float, py: float) -> bool:
        return 1.35 < ((px - x) / rx) ** 2 + ((py - y) / ry) ** 2 < 2.4 and plot.inside(px, py, 3)

    def open_water(px: float, py: float) -> bool:
        return ((px - x) / rx) ** 2 + ((py - y) / ry) ** 2 < 0.46

    plot.zones |= {"water": around, "shore": around, "afloat": open_water}
    draft.afloat = lambda px, py: h


def lay_stream(draft: Draft, x: float, y: float, half: float) -> Callable[[float], float]:
    """Let a stream wind across the plot through (x, y), half so wide; return its middle line: x -> y."""
    plot, h, w = draft.plot, draft.level, draft.plot.width
    bend, period = round(between(draft.rng, 2.5, 5) * w / 80, 1), round(w / between(draft.rng, 4.5, 6))
    draft.lay("stream", x=x, y=y, a=bend, p=period, half=half, seed=roll(draft.rng, 1, 40))

    def middle(px: float) -> float:
        return y - bend * cosine((px - x) / period + 1.5708)

    for px in range(w):
        plot.claim(px, middle(px), half + 1.5)

    def shore(px: float, py: float) -> bool:
        return half + 1.6 < abs(py - middle(px)) < half + 5 and plot.inside(px, py, 2)

    zones = {"afloat": lambda px, py: abs(py - middle(px)) < half - 2.4 and 8 < px < w - 9}
    plot.zones |= {"water": shore, "shore": shore, **zones}
    draft.afloat = lambda px, py: h
    return middle


def _box(plot: Plot, x: float, y: float, rx: float, ry: float) -> dict[str, int]:
    """Return the corners of a box around a place, clipped to the plot."""
    x0, x1 = max(0, int(x - rx)), min(plot.width - 1, int(x + rx))
    return {"x0": x0, "x1": x1, "y0": max(0, int(y - ry)), "y1": min(plot.depth - 1, int(y + ry))}


def lay_moat(draft: Draft, x: float, y: float, half_x: float, half_y: float, gate: float) -> None:
    """Dig a moat around a rectangle and lead a causeway with parapets over it at x = gate."""
    plot = draft.plot
    draft.lay("moat", x=x, y=y, a=half_x, b=half_y, gate=int(gate), front=int(y - half_y),
              **_box(plot, x, y, half_x + 12, half_y + 12))  # fmt: skip
    plot.claim_box(x - half_x - 9, y - half_y - 9, x + half_x + 9, y + half_y + 9)

    def ring(px: float, py: float) -> bool:
        out_x, out_y = abs(px - x) - half_x, abs(py - y) - half_y
        return 3.8 < max(out_x, out_y) < 5.6 and min(out_x, out_y) < -8 and abs(px - gate) > 10

    plot.zones["moat"] = ring


def stock_moat(draft: Draft) -> None:
    """Put ducks, lilies and reeds on the moat."""
    for name in ("duck", "duck", "duck", "lily", "lily", "lily_pad", "lily_pad", "lily", "lily_pad"):
        for _ in range(80):
            x = round(between(draft.rng, 0.05, 0.95) * draft.plot.width)
            y = round(between(draft.rng, 0.05, 0.75) * draft.plot.depth)
            if draft.plot.zones["moat"](x, y):
                draft.stand(name, x, y, draft.level, 90 * roll(draft.rng, 0, 3))
                break


def lay_field(draft: Draft, x: float, y: float, rx: float, ry: float, crop: Sequence[str]) -> None:
    """Sow a field in rows along y: wheat for no families, else flowers of each in broad bands."""
    box = {"x0": int(x - rx), "x1": int(x + rx), "y0": int(y - ry), "y1": int(y + ry)}
    draft.lay("field", **box)
    if not crop:
        draft.lay("wheat", **box)
    else:
        band = f"floor((x-{box['x0']})/3)%{len(crop)}"
        name = "rows_" + "_".join(crop)
        rules = [{"when": f"{band}=={i}", "of": _bloom(family)} for i, family in enumerate(crop[:-1])]
        draft.textures[name] = [*rules, {"of": _bloom(crop[-1])}]
        draft.lay("flower_rows", blooms=name, **box)
    draft.plot.claim_box(box["x0"] - 1, box["y0"] - 1, box["x1"] + 1, box["y1"] + 1)


def lay_craters(draft: Draft, count: int) -> None:
    """Press round craters with raised rims into free ground."""
    for _ in range(count):
        radius = roll(draft.rng, 4, 8)
        spot = draft.plot.find(draft.rng, radius + 2, (0.08, 0.06, 0.92, 0.9))
        if spot:
            draft.lay("crater", x=spot[0], y=spot[1], r=radius, deep=2 + radius / 4)
            draft.plot.claim(*spot, radius + 1)


def stock_pond(draft: Draft, x: float, y: float, rx: float, ry: float, clear: Point | None = None) -> None:
    """Put lilies, koi, ducks, reeds and shore stones into a pond, away from the bridge at `clear`."""
    rng, h = draft.rng, draft.level
    size = rx * ry
    guests = ["lily"] * min(8, max(2, int(size / 60))) + ["lily_pad"] * min(10, max(2, int(size / 60)))
    guests = draft.recipe.get("swimmers", ["duck", "duck"]) + guests
    guests += ["koi"] * min(12, max(3, int(size / 30)))
    if draft.recipe.get("season") == "winter":
        guests = []
    used: list[Point] = []
    heart = 0.62 * rx if afloat(draft.recipe) else 0  # where the focal thing swims
    for name in guests:
        for _ in range(30):
            angle, share = between(rng, 0, 6.28), between(rng, 0.05, 0.62)
            px, py = x + rx * share * cosine(angle), y + ry * share * cosine(angle - 1.5708)
            apart = all((px - a) ** 2 + (py - b) ** 2 > 14 for a, b in used)
            if (
                apart
                and ((px - x) ** 2 + (py - y) ** 2 > heart**2)
                and (clear is None or abs(px - clear[0]) > 7)
            ):
                z = h - 1 if name == "koi" else h
                bloom = pick(rng, ("pink", "white", "rose"))
                scale = pick(rng, ("orange", "red", "amber"))
                slots = {"bloom": bloom, "scale": scale, **draft.recipe.get("swimmer_slots", {})}
                draft.stand(name, px, py, z, 90 * roll(rng, 0, 3), **slots)
                used.append((px, py))
                break
    for i in range(max(5, int((rx + ry) / 2.6))):
        angle = between(rng, 0, 6.28)
        px, py = x + rx * 1.04 * cosine(angle), y + ry * 1.04 * cosine(angle - 1.5708)
        if (clear is None or abs(px - clear[0]) > 6) and draft.plot.inside(px, py, 3) and y - py < ry * 0.7:
            draft.stand("rock" if i % 2 else "reed", px, py, h + 1, 90 * roll(rng, 0, 3))


def cosine(angle: float) -> float:
    """Cosine by its series, so that the last bit is the same on every platform."""
    angle = (angle + 3.14159265) % 6.2831853 - 3.14159265
    square, term, total = angle * angle, 1.0, 1.0
    for n in range(1, 10):
        term *= -square / ((2 * n - 1) * (2 * n))
        total += term
    return total


def lay_bed(draft: Draft, x: float, y: float, rx: float, ry: float, blooms: Sequence[str]) -> None:
    """Plant an oval flower bed: soil, a cushion of leaves, flowers in clusters of each colour."""
    name = "blooms_" + "_".join(blooms)
    cuts = [0.56, 0.44, 0.33][: len(blooms) - 1]
    field = f"noise(x/3.4,y/3.4,{5 + len(blooms)})"
    rules = [{"when": f"{field}>{c}", "of": _bloom(b)} for c, b in zip(cuts, blooms[:-1], strict=True)]
    draft.textures[name] = [*rules, {"of": _bloom(blooms[-1])}]
    draft.lay("bed", x=x, y=y, rx=rx, ry=ry, seed=roll(draft.rng, 1, 90), blooms=name,
              **_box(draft.plot, x, y, rx + 1, ry + 1))  # fmt: skip
    draft.plot.claim_oval(x, y, rx, ry)


def _bloom(family: str) -> dict[str, float]:
    return {family: 4, f"{family}_light": 2, f"{family}_dark": 1}


def border_blooms(draft: Draft, count: int) -> list[str]:
    """Return so many flower colours that go together."""
    return shuffled(draft.rng, draft.recipe.get("blooms", BLOOMS))[:count]


def lay_fence(draft: Draft, kind: str, gate: float, inset: int = 4) -> None:
    """Fence the plot: a hedge along the back and the left, something low in front and on the right.

    kind: "picket", "rail", "box" or "bamboo"; gate: x of the gap in the front.
    """
    x0, y0 = inset, inset
    x1, y1 = draft.plot.width - 1 - inset, draft.plot.depth - 1 - inset
    left, right = int(gate - 5), int(gate + 5) + 1
    thick = 1 if kind == "box" else 0
    ground = {"bamboo": "bamboo_fence"}.get(kind, kind)
    for a, b, c, d, axis in (
        (x0, y0, left, y0 + thick, "x"),
        (right, y0, x1, y0 + thick, "x"),
        (x1, y0, x1 + thick, y1, "y"),
    ):
        if a <= c:
            draft.lay(ground, x0=a, y0=b, x1=c, y1=d, axis=axis)
            draft.plot.claim_box(a - 1, b - 1, c + 1, d + 1)
    draft.lay("hedge", x0=x0, y0=y0, x1=x1, y1=y1)
    draft.plot.claim_box(x0 - 2, y1 - 2, x1 + 2, y1 + 2)
    draft.plot.claim_box(x0 - 2, y0, x0 + 2, y1)
