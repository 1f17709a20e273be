"""Weather over a finished scene: rain, falling snow, a thunderstorm, mist."""

from __future__ import annotations

from voxgen.ask.draft import Draft
from voxgen.ask.layout import between, roll


def bring_weather(draft: Draft) -> None:
    """Fill the air above the scene with the weather of the recipe, if it has any."""
    weather = draft.recipe["weather"]
    if weather in ("rain", "storm"):
        _gather_clouds(draft, 3 if weather == "storm" else 2)
        if weather == "storm":
            _strike(draft)
        draft.lay("rain", top=draft.top, seed=roll(draft.rng, 1, 99))
    elif weather == "snow":
        draft.top = max(draft.top, draft.level + 34)
        draft.lay("snowfall", top=draft.top, seed=roll(draft.rng, 1, 99))
    elif weather == "fog":
        draft.lay("fog", seed=roll(draft.rng, 1, 99))


def _gather_clouds(draft: Draft, count: int) -> None:
    """Hang dark clouds over the back of the scene, above everything."""
    w, d = draft.plot.width, draft.plot.depth
    name = "storm_cloud" if w >= 64 else "cloud_small"
    high = max(draft.top + 2, draft.level + 30)
    for i in range(count):
        x = w * (0.24 + 0.52 * i / max(1, count - 1)) + between(draft.rng, -4, 4)
        draft.stand_in_air(name, x, d * between(draft.rng, 0.66, 0.8), high + roll(draft.rng, -1, 3))


def _strike(draft: Draft) -> None:
    """Let a bolt of lightning fall from a cloud behind the focal thing."""
    x, y = round(draft.plot.width * (0.5 - draft.side * 0.3)), round(draft.plot.depth * 0.84)
    z, points = draft.top - 6, []
    while z > draft.level + 4:
        points.append([x, y, z])
        x, z = x + roll(draft.rng, -5, 5), z - roll(draft.rng, 6, 10)
    draft.add({"note": "lightning", "line": points, "width": 1.5, "only": "air", "of": "bolt"})
