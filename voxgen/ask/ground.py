"""The ground a scene stands on: a slab with an edge worth looking at, hills, cover."""

from __future__ import annotations

from random import Random

from voxgen.ask.draft import Draft
from voxgen.ask.layout import Plot, between, pick, roll

LEVEL_OF_SEA = 5  # z of the water below a cliff
TOPS = ["grass", "grass_light", "grass_dark"]


def slab_plot(width: int, depth: int, level: int) -> Plot:
    """Return the plot of a rounded slab: free cells lie a few cells inside its ragged rim."""
    half_x, half_y = (width - 1) / 2, (depth - 1) / 2

    def inside(x: float, y: float, margin: float) -> bool:
        u = (abs(x - half_x) + margin + 1.5) / (half_x + 0.5)
        v = (abs(y - half_y) + margin + 1.5) / (half_y + 0.5)
        return u**10 + v**10 < 0.95

    return Plot(width, depth, level, inside)


def isle_plot(width: int, depth: int, level: int, rng: Random) -> tuple[Plot, str]:
    """Return the plot of an island made of two ovals in a square of sea, and its shape as an expression.

    The expression is below 1 on the island and grows outwards; the plateau lies below 0.62.
    """
    ovals = [
        (round(width * 0.47), round(depth * 0.55), round(width * 0.4), round(depth * 0.38)),
        (
            round(width * between(rng, 0.52, 0.6)),
            round(depth * between(rng, 0.42, 0.5)),
            round(width * 0.35),
            round(depth * 0.34),
        ),
    ]
    shape = "min(" + ",".join(f"hypot((x-{x})/{rx},(y-{y})/{ry})" for x, y, rx, ry in ovals) + ")"

    def far(x: float, y: float) -> float:
        return min(float((((x - a) / rx) ** 2 + ((y - b) / ry) ** 2) ** 0.5) for a, b, rx, ry in ovals)

    def inside(x: float, y: float, margin: float) -> bool:
        return far(x, y) < 0.66 - margin / (0.42 * width)

    def sea(x: float, y: float) -> bool:
        return far(x, y) > 1.22 and 9 < x < width - 10 and 9 < y < depth - 10

    plot = Plot(width, depth, level, inside)
    plot.zones = {"beach": lambda x, y: 0.82 < far(x, y) < 0.9, "sea": sea}
    return plot, shape


def float_plot(width: int, depth: int, level: int) -> Plot:
    """Return the plot of an island in the sky: an oval whose rim hangs over nothing."""

    def inside(x: float, y: float, margin: float) -> bool:
        u = (x - width / 2 + 0.5) / (width / 2 * 0.84 - margin)
        v = (y - depth / 2 + 0.5) / (depth / 2 * 0.84 - margin)
        return margin < width * 0.4 and u * u + v * v < 1

    return Plot(width, depth, level, inside)


def lay_float(draft: Draft) -> None:
    """Draw an island in the sky, its rock tapering to a point, and small ones around it."""
    w, d, h = draft.plot.width, draft.plot.depth, draft.level
    draft.lay("float", mx=w / 2 - 0.5, my=d / 2 - 0.5, rx=w / 2, ry=d / 2)
    for x, y, z in ((0.1, 0.12, h - 6), (0.9, 0.88, h + 6), (0.1, 0.9, h + 2)):
        if draft.rng.random() < 0.8:
            draft.stand_in_air("floating_rock", x * w, y * d, z + roll(draft.rng, -4, 4))


def lay_slab(draft: Draft) -> None:
    """Draw rock, earth and turf with a ragged edge, and darker patches on top."""
    w, d = draft.plot.width, draft.plot.depth
    draft.lay("slab", mx=w / 2 - 0.5, my=d / 2 - 0.5, rx=w / 2, ry=d / 2)


def lay_isle(draft: Draft) -> None:
    """Draw a square of sea with shallows, a beach and a green plateau at its heart."""
    w, d, h = draft.plot.width, draft.plot.depth, draft.level
    draft.afloat, draft.ashore = (lambda x, y: h - 3), (lambda x, y: h - 1)
    draft.lay("isle", mx=w / 2 - 0.5, my=d / 2 - 0.5, rx=w / 2, ry=d / 2, shape=draft.shape)
    if draft.recipe.get("crags"):
        draft.lay("crags")


def lay_cliff(draft: Draft) -> None:
    """Draw a square of sea and a high island with sheer sides, boulders in the surf below."""
    w, d, sea = draft.plot.width, draft.plot.depth, LEVEL_OF_SEA
    draft.afloat, draft.ashore = (lambda x, y: sea + 1), (lambda x, y: sea)
    draft.lay("cliff", mx=w / 2 - 0.5, my=d / 2 - 0.5, rx=w / 2, ry=d / 2, shape=draft.shape, s=sea)
    beach = draft.plot.zones["beach"]
    draft.plot.zones["beach"] = lambda x, y: beach(x * 0.9 + w * 0.05, y * 0.9 + d * 0.05)


def lay_cave(draft: Draft, height: int) -> None:
    """Raise the walls of a cave at the back and the left, leaning over its floor."""
    w, d = draft.plot.width, draft.plot.depth
    at = {"cx": round(0.64 * w), "cy": round(0.32 * d), "ax": round(0.56 * w), "ay": round(0.54 * d)}
    draft.lay("cave", tall=height, az=round(height * 0.96), top=draft.level + height, **at)
    for y in range(d):
        for x in range(w):
            far = ((x - at["cx"]) / at["ax"]) ** 2 + ((y - at["cy"]) / at["ay"]) ** 2
            if far > 0.74 and (x - w * 0.62) * 0.5 < y - d * 0.3:
                draft.plot.taken[y * w + x] = 1
    draft.top = max(draft.top, draft.level + height)


def lay_hills(draft: Draft, spots: list[tuple[float, float, float, float, float]]) -> None:
    """Raise hills (x, y, radius x, radius y, height), flat on top, and remember them in the plot."""
    if not spots:
        return
    draft.plot.hills.extend(spots)
    bells = "+".join(
        f"{t:g}*min(1,1.7*exp(-((x-{x:g})/{a:g})**2-((y-{y:g})/{b:g})**2))" for x, y, a, b, t in spots
    )
    draft.lay("hills", bells=bells, top=draft.level + 1 + int(max(s[4] for s in spots) * 1.6))


def cover(draft: Draft, count: int) -> None:
    """Scatter tufts everywhere and wild flowers in a few drifts on what grass is left."""
    rng, w, d = draft.rng, draft.plot.width, draft.plot.depth
    if not draft.recipe.get("tufts", True):
        return
    tufts = draft.recipe.get("tufts", ["grass_light", "grass_dark"])
    much = count * draft.recipe.get("litter", 1)
    draft.add({"note": "tufts", "scatter": tufts, "on": TOPS, "area": [[3, 3], [w - 4, d - 4]], "count": much,
               "gap": 2, "seed": roll(rng, 1, 999)})  # fmt: skip
    for name, bloom in draft.recipe.get("wild", []):
        spot = draft.plot.find(rng, 3, (0.1, 0.08, 0.9, 0.75))
        if spot is None:
            continue
        reach = between(rng, 0.05, 0.09) * w
        area = [[round(v - reach) for v in spot], [round(v + reach) for v in spot]]
        part, gap = draft.part(name, {"bloom": bloom}), pick(rng, (1, 1, 2))
        draft.add({"scatter": [part], "on": TOPS, "area": area, "count": max(6, count // 6), "gap": gap,
                   "seed": roll(rng, 1, 999)})  # fmt: skip


def lay_mountain(draft: Draft, side: int, height: float) -> None:
    """Raise a crag with a snowy summit across from the focal thing; peaks are (x, y, height, radius)."""
    w, d, h = draft.plot.width, draft.plot.depth, draft.level
    x, row = w * (0.5 - side * between(draft.rng, 0.16, 0.22)), draft.recipe.get("mountain_row", 0.78)
    peaks = [
        (x, d * row, height, 0.3),
        (x + side * w * 0.27, d * (row + 0.08), height * 0.68, 0.24),
        (x - side * w * 0.17, d * (row + 0.05), height * 0.6, 0.2),
    ]
    cones = [
        f"{t:g}*(1-hypot((x-{a:.0f})/{r * w:.0f},(y-{b:.0f})/{r * d * 0.66:.0f}))" for a, b, t, r in peaks
    ]
    top = h + round(height) + 6
    draft.lay("mountain", peaks=f"max({','.join(cones)})", snow=h + height * 0.62, moss=h + height * 0.4,
              back=int(d * 0.5), top=top)  # fmt: skip
    for a, b, t, r in peaks:
        draft.plot.crowns.append((a, b, r * w * 0.5))
        draft.plot.claim_oval(a, b, r * w * 1.05, r * d * 0.7)
        draft.plot.screens.append((a, b, r * w * 0.3, t))
    draft.top = max(draft.top, top)


def lay_planet(draft: Draft) -> None:
    """Hang a blue planet in the sky over the back corner."""
    x, y, z = round(draft.plot.width * 0.16), round(draft.plot.depth * 0.9), draft.level + 52
    draft.lay("planet", x=x, y=y, z=z)
    draft.top = max(draft.top, z + 9)
