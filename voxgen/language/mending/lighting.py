"""Light and view in any form, and what they mean."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from voxgen.language.mending.coloring import is_entry
from voxgen.language.mending.values import Names, literal, nonsense, point, show
from voxgen.language.mending.words import table
from voxgen.language.palette import fold, hex_of, read_color
from voxgen.scene import LIGHTS, Color, Light, View

__all__ = ["mend_light", "mend_view", "read_light", "read_view"]

_LIGHT_WORDS = table("""
    day: daylight noon midday morning sunny bright sun clear daytime afternoon summer
    sunset: dusk dawn evening sunrise goldenhour golden twilight warm autumn
    night: midnight moonlight moon moonlit dark nighttime starry stars
    overcast: cloudy clouds fog foggy mist misty rain rainy storm stormy snow snowy grey gray
""")


def mend_light(value: Any, names: Names) -> Any:
    """Return a preset's name, or an object {"preset", "sky", "sun"}."""
    if isinstance(value, str):
        return _preset(value, names)
    if not isinstance(value, Mapping):
        return nonsense("$.light", value, names)
    if _is_light(value):
        return value
    folded = {fold(str(k)): v for k, v in value.items()}
    light: dict[str, Any] = {}
    given = next(
        (folded[k] for k in ("preset", "name", "type", "mood", "time", "timeofday") if k in folded), None
    )
    if isinstance(given, str) and (preset := _LIGHT_WORDS.get(fold(given))):
        light["preset"] = preset
    if sky := _sky(next((folded[k] for k in ("sky", "background", "colors") if k in folded), folded)):
        light["sky"] = sky
    if sun := _sun(folded.get("sun", folded.get("key", folded))):
        light["sun"] = sun
    names.notes.add(
        "$.light", f"{show(value)} is not how a light is written", f"read it as {show(light)}", "info"
    )
    return light or None


def _preset(value: str, names: Names) -> str | None:
    if value in LIGHTS:
        return value
    words = re.findall(r"[a-z]+", value.lower()[:80])
    found = _LIGHT_WORDS.get(fold(value)) or next((_LIGHT_WORDS[w] for w in words if w in _LIGHT_WORDS), None)
    names.notes.add(
        "$.light", f"{show(value)} is not a light", f'used "{found or "day"}"', "info" if found else "warn"
    )
    return found or "day"


def _is_light(value: Mapping[Any, Any]) -> bool:
    sky, sun = value.get("sky", ["white"]), value.get("sun", {})
    if (
        not set(value) <= {"preset", "name", "sky", "sun"}
        or not isinstance(sky, list)
        or not isinstance(sun, dict)
    ):
        return False
    named = all(value[k] in LIGHTS for k in ("preset", "name") if k in value)
    colors = [*sky, *([sun["color"]] if "color" in sun else [])]
    amounts = [sun[k] for k in ("azimuth", "elevation", "strength") if k in sun]
    good = all(isinstance(c, str) and is_entry(c) for c in colors) and all(
        literal(a) is not None for a in amounts
    )
    return good and named and 1 <= len(sky) <= 2 and set(sun) <= {"azimuth", "elevation", "color", "strength"}


def _sky(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        folded = {fold(str(k)): v for k, v in value.items()}
        value = [folded[k] for k in ("horizon", "bottom", "zenith", "top") if k in folded] or read_color(
            value
        )
        value = [value[0]] if isinstance(value, tuple) else value
    if isinstance(value, (list, tuple)) and read_color(value) is None:
        colors = [read_color(v) for v in value[:2]]
    else:
        colors = [read_color(value)]
    found = [hex_of(c[0]) for c in colors if c]
    return found * 2 if len(found) == 1 else found


def _sun(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    folded = {fold(str(k)): v for k, v in value.items()}
    sun: dict[str, Any] = {}
    words = {
        "azimuth": ("azimuth", "yaw", "heading"),
        "elevation": ("elevation", "altitude", "pitch", "angle"),
    }
    for word, keys in {**words, "strength": ("strength", "intensity", "power", "brightness")}.items():
        found = next((literal(folded[k]) for k in keys if k in folded), None)
        if found is not None:
            sun[word] = found
    if "direction" in folded and (toward := point(folded["direction"])):
        sun.update(_angles(toward))
    if color := next((read_color(folded[k]) for k in ("color", "colour", "tint") if k in folded), None):
        sun["color"] = hex_of(color[0])
    return sun


def _angles(toward: list[Any]) -> dict[str, float]:
    """Return azimuth and elevation of a direction, degrees; the front is 0, the right 90."""
    x, y, z = (literal(v) or 0 for v in toward)
    z = abs(z)  # the sun is above, whichever way the vector runs
    azimuth, elevation = math.atan2(x, -y), math.atan2(z, math.hypot(x, y))
    return {"azimuth": round(math.degrees(azimuth)), "elevation": round(math.degrees(elevation))}


def mend_view(value: Any, names: Names) -> Any:
    """Return a view with azimuth, elevation and zoom, None where nothing of the kind is said."""
    if not isinstance(value, Mapping):
        return nonsense("$.view", value, names, "info")
    if set(value) <= {"azimuth", "elevation", "zoom"} and all(literal(v) is not None for v in value.values()):
        return value
    folded = {fold(str(k)): v for k, v in value.items()}
    view: dict[str, Any] = {}
    words = {
        "azimuth": ("azimuth", "yaw", "rotation"),
        "elevation": ("elevation", "pitch", "altitude"),
        "zoom": ("zoom", "scale"),
    }
    for word, keys in words.items():
        found = next((literal(folded[k]) for k in keys if k in folded), None)
        if found is not None:
            view[word] = found
    place, target = point(folded.get("position")), point(folded.get("target", folded.get("lookat")))
    if place and target and "azimuth" not in view:
        view.update(
            _angles([(literal(a) or 0) - (literal(b) or 0) for a, b in zip(place, target, strict=True)])
        )
    names.notes.add(
        "$.view", f"{show(value)} is not how a view is written", f"read it as {show(view)}", "info"
    )
    return view or None


# --------------------------------------------------------------------------- valid values, read


def read_light(value: Any) -> Light:
    """Return the Light of a document's "light": a preset's name, or an object with sky and sun.

    Never raises: what cannot be read keeps the preset's own value.
    """
    if not isinstance(value, Mapping):
        return Light(value) if isinstance(value, str) and value in LIGHTS else Light()
    name = value.get("preset", value.get("name"))
    sky = value.get("sky")
    skies = [_color(c) for c in sky[:2]] if isinstance(sky, (list, tuple)) else []
    sun = value.get("sun")
    sun = sun if isinstance(sun, Mapping) else {}
    return Light(
        name if isinstance(name, str) and name in LIGHTS else "day",
        horizon=skies[0] if skies else None,
        zenith=skies[-1] if skies else None,
        azimuth=_number(sun.get("azimuth")),
        elevation=_number(sun.get("elevation")),
        color=_color(sun.get("color")),
        strength=_number(sun.get("strength")),
    )


def read_view(value: Any) -> View:
    """Return the View of a document's "view": angles in degrees, zoom above 0. Never raises."""
    if not isinstance(value, Mapping):
        return View()
    zoom = _number(value.get("zoom"))
    return View(
        azimuth=_number(value.get("azimuth")),
        elevation=_number(value.get("elevation")),
        zoom=zoom if zoom is not None and zoom > 0 else 1.0,
    )


def _color(value: Any) -> Color | None:
    found = read_color(value)
    return found[0] if found else None


def _number(value: Any) -> float | None:
    """Return a finite number, also from a string, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
