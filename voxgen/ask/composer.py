"""The built-in composer: a prompt becomes a scene document offline, from the stock library.

It is no model and never says it is one: it reads the prompt for words it knows (`wish`), makes a recipe
of them (`recipe`), lays the scene out on a plot and writes it in the scene language.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from voxgen.ask.draft import Draft
from voxgen.ask.ground import float_plot, isle_plot, lay_cliff, lay_float, lay_isle, lay_slab, slab_plot
from voxgen.ask.land import compose_land
from voxgen.ask.recipe import choose
from voxgen.ask.sea import compose_sea, sea_plot
from voxgen.ask.street import compose_street, street_plot
from voxgen.ask.weather import bring_weather
from voxgen.ask.wish import Wish, understand
from voxgen.errors import UsageError
from voxgen.stock import Recipe, parts, write

SCALES = {"small": 0.64, "medium": 0.84, "large": 1.17}
LEVEL = 8  # z of the surface
LEAST, MOST = 40, 256  # cells along x and y the composer can fill well
SMALLEST = 34  # for a scene that is one small thing
_DARK = ("sunset", "night")


def compose(prompt: str, seed: int = 0, size: str | None = None) -> tuple[str, list[str]]:
    """Return a scene document as JSON text, and notes on what was not understood.

    size: "small", "medium", "large" or "96x96x56"; None leaves it to the subject (about 96 cells).
    The same prompt, seed and size give the same bytes on every machine. Raises UsageError for a
    size that is neither.
    """
    wish = understand(prompt)
    notes = [f"took {word!r} for {meant!r}" for word, meant in wish.guessed.items()]
    if wish.unknown:
        notes.append(f"no word for {', '.join(map(repr, wish.unknown))} in the stock library")
    rng = Random(zlib.crc32(" ".join(prompt.lower().split()).encode()) * 1000003 + seed)
    recipe = choose(wish, seed, rng, notes)
    width, depth, tall = extent(recipe, wish, size)
    _fit_focal(recipe, width, depth)
    draft = _start(recipe, rng, seed, width, depth)
    _LAYOUTS[recipe["kind"]](draft)
    bring_weather(draft)
    missing = dict.fromkeys(name for name, *_ in recipe["named"] if name in draft.missing)
    if missing:
        names = ", ".join(name.replace("_", " ") for name in missing)
        notes.append(f"no room for {names}; --size large has more")
    needed = max(draft.top + 2, draft.level + 12)
    if tall is not None and tall < needed:
        notes.append(f"a height of {tall} would cut the scene off; it is {needed} high")
    return write(draft.document((width, depth, max(tall or 0, needed)))), notes


def extent(recipe: Recipe, wish: Wish, size: str | None) -> tuple[int, int, int | None]:
    """Return the cells along x and y, and along z where the caller fixed it."""
    lead = wish.nouns[0].size if wish.nouns else ""
    named = size or ("" if recipe["focal"] and recipe.get("company") else lead)
    match = re.fullmatch(r"\s*(\d{1,4})\s*[x×*,]\s*(\d{1,4})(?:\s*[x×*,]\s*(\d{1,4}))?\s*", named)
    if match:
        x, y = (min(max(int(v), LEAST), MOST) for v in match.group(1, 2))
        return x, y, int(match[3]) if match[3] else None
    if named and named not in SCALES:
        raise UsageError(
            f"size {size!r} is not known", 'use "small", "medium", "large" or cells such as "96x96x56"'
        )
    x, y = recipe["size"]
    scale = SCALES.get(named, 1)
    return max(round(x * scale), SMALLEST), max(round(y * scale), SMALLEST), None


def _fit_focal(recipe: Recipe, width: int, depth: int) -> None:
    """Take a smaller focal thing where the plot is too small for the recipe's own."""
    if not recipe["focal"]:
        return
    share = {"isle": 0.52, "float": 0.55, "sea": 0.82}.get(recipe["kind"], 0.8)
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


def _start(recipe: Recipe, rng: Random, seed: int, width: int, depth: int) -> Draft:
    """Return an empty draft on the right kind of plot, with its ground laid."""
    kind, shape = recipe["kind"], ""
    stormy = "overcast" if recipe["weather"] in ("rain", "storm", "fog") else ""
    light = recipe["light"] or stormy or ("sunset" if seed % 5 == 3 else "day")
    if kind == "isle":
        plot, shape = isle_plot(width, depth, LEVEL + recipe.get("cliff", 0), rng)
    else:
        plots: dict[str, Callable[[int, int, int], Any]] = {
            "land": slab_plot,
            "float": float_plot,
            "sea": sea_plot,
            "street": street_plot,
        }
        plot = plots[kind](width, depth, LEVEL + (20 if kind == "float" else 0))
    side = 1 if (seed + (rng.random() < 0.5)) % 2 else -1
    lit = light not in ("day", "overcast")
    draft = Draft(recipe["title"], rng, recipe, plot, recipe["slots"], light, lit, side=side, shape=shape)
    draft.plan.append(_plan(recipe, light))
    lay = {"land": lay_slab, "float": lay_float, "isle": lay_cliff if recipe.get("cliff") else lay_isle}
    if kind in lay:
        lay[kind](draft)
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
    "float": compose_land,
    "sea": compose_sea,
    "street": compose_street,
}
