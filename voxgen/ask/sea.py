"""Scenes at sea: a vessel on a swell, foam, rocks, what swims and what drifts."""

from __future__ import annotations

import math

from voxgen.ask.draft import Draft
from voxgen.ask.layout import Plot, between, pick, roll
from voxgen.ask.planting import fly, furnish, hang
from voxgen.stock import parts


def sea_plot(width: int, depth: int, level: int) -> Plot:
    """Return the plot of an open sea; everything afloat goes into its zone "sea"."""

    def inside(x: float, y: float, margin: float) -> bool:
        return margin + 4 < x < width - 5 - margin and margin + 4 < y < depth - 5 - margin

    plot = Plot(width, depth, level, inside)
    plot.zones = {"sea": lambda x, y: inside(x, y, 4)}
    return plot


def swell(level: int, x: float, y: float) -> int:
    """Return z of the first free cell above the waves, without their ripples."""
    height = 1.6 * math.sin(x / 7 + y / 12) + 1.2 * math.sin(y / 5 - x / 16)
    return level + math.floor(round(height, 6)) + 1


def compose_sea(draft: Draft) -> None:
    """Draw the waves, sail the vessel through them, and put life around it."""
    rng, plot, recipe = draft.rng, draft.plot, draft.recipe
    draft.afloat = lambda x, y: swell(draft.level, x, y)
    draft.lay("waves")
    _lay_reef(draft)
    name = recipe["focal"][0]
    wide, deep, tall = parts()[name]["size"]
    x, y = round(plot.width * 0.5), round(plot.depth * 0.52)
    vessel = "vehicle" in parts()[name]["tags"]
    turn = 0 if wide > deep or not vessel else 270
    slots = {"sail": pick(rng, recipe["sails"])} if "sails" in recipe else {}
    sunk = (4 if wide > 40 else 2) if vessel else 1
    draft.stand(name, x, y, draft.level - sunk + 1, turn, **{**slots, **recipe.get("focal_slots", {})})
    long, broad = max(wide, deep), min(wide, deep)
    plot.claim_box(x - long / 2 - 2, y - broad / 2 - 1, x + long / 2 + 2, y + broad / 2 + 1)
    draft.spots["focal"] = draft.spots[name]
    if vessel:
        _lay_wake(draft, x, y, long, min(broad, 18))
    for _ in range(recipe.get("company", 0)):
        recipe["named"].append([name, 1, "sea", recipe.get("focal_slots", {})])
    furnish(draft, recipe["named"])
    furnish(draft, recipe["extras"])
    hang(draft, recipe["aloft"])
    fly(draft, "gull", 3, 26, 40)
    for _ in range(2):
        cx, cy = between(rng, 0.16, 0.84) * plot.width, between(rng, 0.86, 0.9) * plot.depth
        draft.stand_in_air("cloud", cx, cy, draft.level + max(30, tall - roll(rng, 2, 16)))


def _lay_reef(draft: Draft) -> None:
    """Raise a jagged reef in a front corner, with foam around it."""
    w, d = draft.plot.width, draft.plot.depth
    x, y = (
        (round(w * 0.9), round(d * 0.14)) if draft.rng.random() < 0.5 else (round(w * 0.1), round(d * 0.16))
    )
    reach = round(w * 0.085)
    box = {"x0": max(0, x - reach * 2), "x1": min(w - 1, x + reach * 2)}
    draft.lay("reef", x=x, y=y, r=reach * 1.4, y0=max(0, y - reach * 2), y1=min(d - 1, y + reach * 2), **box)
    draft.plot.claim(x, y, reach * 1.5)


def _lay_wake(draft: Draft, x: int, y: int, long: int, broad: int) -> None:
    """Draw foam along the waterline and the wake behind the stern, which is on the left."""
    draft.lay("wake", y=y, half=broad / 2, bow=x + long * 0.1, taper=long * 0.42, x0=int(x - long / 2),
              x1=int(x + long / 2), y0=y - broad, y1=y + broad)  # fmt: skip
