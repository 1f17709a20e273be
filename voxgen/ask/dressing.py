"""What style and season do to a recipe: its plants, colours, roofs, small things."""

from __future__ import annotations

from voxgen.ask.layout import SMALL_PLOT
from voxgen.ask.wish import Wish
from voxgen.stock import Recipe, parts, shelf, small_kin


def dress_style(recipe: Recipe, wish: Wish) -> None:
    """Dress a recipe that has no variant of the style in the style's plants, colours and things."""
    for style in dict.fromkeys(wish.styles):
        dress = shelf("vocabulary")["dress"].get(style)
        if dress is None or recipe.get("style") == style:
            continue
        bare, small = recipe.get("ground"), max(recipe["size"]) < SMALL_PLOT
        for key, value in dress.items():
            if key == "extras":
                fitting = [list(e) for e in value if not small or max(parts()[e[0]]["size"]) < 22]
                recipe["extras"] = [*fitting, *recipe["extras"]] if not bare else recipe["extras"]
            elif key == "slots":
                recipe["slots"] = (
                    {**value, **recipe.get("slots", {})} if not bare else recipe.get("slots", {})
                )
            elif key == "trees":
                trees = [small_kin(t) for t in value] if small else value
                recipe["trees"] = (
                    [*trees, *recipe["trees"][:1]] if recipe["trees"] and not bare else recipe["trees"]
                )
            elif key == "roofs":
                recipe["roofs"] = value if recipe.get("roofs") else []
            elif key == "light":
                recipe["light"] = recipe.get("light") or value
            elif key in ("gate", "path", "blooms", "house_roofs", "season", "beds"):
                recipe[key] = value if not bare else recipe.get(key, "")
    recipe["neon"] = "neon" in wish.styles


def dress_season(recipe: Recipe, season: str) -> None:
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
    if "snowman" not in recipe["focal"]:
        recipe["extras"].append(["snowman", 1, "front", {"scarf": ["red", "blue", "green"]}])
    recipe["extras"].append(["snowdrift", 8 if max(recipe["size"]) > SMALL_PLOT else 3, "any"])


def _turn_autumn(recipe: Recipe) -> None:
    """Yellowed grass, fallen leaves, late flowers in warm colours, maples and pumpkins."""
    warm = ["orange", "amber", "red", "crimson", "yellow"]
    small = max(recipe["size"]) < SMALL_PLOT
    recipe["slots"] = {"grass": "meadow", **recipe["slots"]}
    recipe |= {"blooms": warm, "tufts": ["orange", "amber", "crimson", "grass_light"], "litter": 3}
    recipe["wild"] = [[name, color] for (name, _), color in zip(recipe.get("wild", []), warm, strict=False)]
    recipe["extras"] += [
        ["pumpkin", 2 if small else 5, "front"],
        ["maple", 2, "side"],
        ["mushroom", 2, "any"],
    ]


def _turn_spring(recipe: Recipe) -> None:
    """Cherry blossom and tulips."""
    if recipe["trees"]:
        small = max(recipe["size"]) < SMALL_PLOT
        recipe["trees"] = ["cherry_small" if small else "cherry", *recipe["trees"]]
    recipe["wild"] += [["tulip", color] for color in ("red", "yellow", "pink")]
