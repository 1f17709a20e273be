"""Sun, sky and ground of each light, in the units the light maps are traced in."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import UsageError
from voxgen.picture.camera import direction
from voxgen.picture.tone import to_linear
from voxgen.scene import LIGHTS, Color, Light

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Preset:
    """One light by name. Colours are sRGB; the sun stands `aside` degrees from the camera's azimuth."""

    aside: float
    elevation: float
    sun_color: Color
    sun: float  # irradiance of a surface that faces the sun
    softness: float  # the sun's radius, degrees
    zenith: Color
    horizon: Color
    sky: float  # radiance of a white sky
    ground: Color  # what the ground throws back
    bounce: float  # radiance of a white ground
    exposure: float
    glow: float  # radiance, after exposure, of a white voxel of glow 1
    bloom: float  # how much glowing things bleed over their surroundings
    lamp_every: int = 4  # look for lamps in one of so many samples
    stars: bool = False


PRESETS = {
    "day": Preset(
        -52, 46, (255, 241, 216), 5.6, 1.2, (122, 184, 240), (232, 243, 251), 1.25,
        (232, 230, 220), 0.62, 0.63, 1.5, 0.25,
    ),
    "sunset": Preset(
        -58, 17, (255, 172, 92), 6.6, 1.6, (104, 120, 190), (255, 204, 156), 1.0,
        (240, 190, 150), 0.55, 0.72, 2.4, 0.45, 2,
    ),
    "night": Preset(
        -48, 44, (150, 182, 255), 0.42, 2.0, (10, 15, 44), (38, 44, 92), 1.5,
        (60, 62, 100), 0.7, 2.4, 32.0, 0.7, 1, True,
    ),
    "overcast": Preset(
        -45, 58, (255, 250, 242), 1.6, 14.0, (176, 190, 205), (226, 231, 235), 1.75,
        (222, 222, 218), 0.62, 0.80, 1.8, 0.35,
    ),
    "studio": Preset(
        -50, 52, (255, 248, 238), 3.8, 6.0, (244, 242, 238), (226, 221, 212), 1.2,
        (240, 236, 230), 0.60, 0.58, 1.6, 0.2,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """A light made ready to trace; all arrays are (3,) float64, linear RGB unless said."""

    sun: Doubles  # unit vector towards the sun
    sun_light: Doubles  # irradiance of a surface that faces it
    sun_radius: float  # tangent of the angle it spans
    zenith: Doubles
    horizon: Doubles
    ground: Doubles
    exposure: float
    glow: float
    bloom: float
    lamp_every: int
    stars: float  # 0 none .. 1
    top: Doubles  # the background's two ends, sRGB 0..1
    bottom: Doubles

    @property
    def lamp_effort(self) -> float:
        """How many times as many samples as by day it takes to find the lamps."""
        return 2.0 if self.lamp_every == 1 else 1.0

    def open_irradiance(self) -> Doubles:
        """Irradiance (3,) of a level surface that nothing shades, never quite 0."""
        t = np.sqrt(np.sqrt(1 - (np.arange(64) + 0.5) / 64)).mean()  # of the mix, weighted by the cosine
        sky = np.pi * (self.horizon + (self.zenith - self.horizon) * t)
        light: Doubles = np.maximum(sky + self.sun_light * max(float(self.sun[2]), 0.0), 1e-3)
        return light


def resolve(light: Light, camera_azimuth: float) -> Sky:
    """Fill what a light leaves open from the preset of its name.

    Without an azimuth of its own the sun stands to the front left of the camera, where it flatters.
    Raises UsageError for a name that is not one of LIGHTS.
    """
    if light.name not in PRESETS:
        raise UsageError(f"{light.name!r} is not a light", f"one of {', '.join(LIGHTS)}")
    _check(light)
    preset = PRESETS[light.name]
    azimuth = camera_azimuth + preset.aside if light.azimuth is None else light.azimuth
    elevation = preset.elevation if light.elevation is None else light.elevation
    zenith, horizon = light.zenith or preset.zenith, light.horizon or preset.horizon
    tint = _linear(light.color or preset.sun_color)
    strength = 1.0 if light.strength is None else float(np.clip(light.strength, 0, 20))
    up = float(np.clip(1 + elevation / 5, 0, 1))  # it sets between 0 and -5 degrees
    sky = Sky(
        sun=direction(azimuth, float(np.clip(elevation, -5, 90))),
        sun_light=tint / max(float(tint.max()), 1e-3) * preset.sun * strength * up,
        sun_radius=float(np.tan(np.radians(preset.softness))),
        zenith=_muted(_linear(zenith), 0.25) * preset.sky,
        horizon=_linear(horizon) * preset.sky,
        ground=_linear(preset.ground) * preset.bounce,
        exposure=preset.exposure,
        glow=preset.glow,
        bloom=preset.bloom,
        lamp_every=preset.lamp_every,
        stars=float(preset.stars),
        top=np.array(zenith) / 255,
        bottom=np.array(horizon) / 255,
    )
    if light == Light(light.name):
        return sky
    return _adapted(sky, resolve(Light(light.name), camera_azimuth))


class _Hour(NamedTuple):
    """A time of day: what the light is like, and where the sun stands, at night the moon."""

    time: float  # 0 sunrise .. 1 night
    light: str
    aside: float  # degrees from the camera's azimuth
    elevation: float
    strength: float  # share of what the light's sun has


_DAY = (
    _Hour(0.00, "sunset", 66, 7, 0.55),
    _Hour(0.10, "sunset", 56, 17, 1.0),
    _Hour(0.27, "day", 30, 42, 1.0),
    _Hour(0.42, "day", -28, 52, 1.0),
    _Hour(0.57, "sunset", -62, 17, 1.0),
    _Hour(0.66, "sunset", -74, 4, 0.4),
    _Hour(0.84, "night", -82, -3, 0.0),
    _Hour(0.84, "night", -38, 36, 0.0),
    _Hour(0.94, "night", -48, 44, 1.0),
    _Hour(1.00, "night", -48, 44, 1.0),
)


def daylight(time: float, camera_azimuth: float) -> Sky:
    """Return the sky at a time between 0, sunrise, and 1, night; all of it changes steadily.

    The colours are those of the presets or between two of them; the sun rises right of the camera, sets
    left of it, and the moon follows.
    """
    after = next((i for i, hour in enumerate(_DAY) if i and time <= hour.time), len(_DAY) - 1)
    start, end = _DAY[after - 1], _DAY[after]
    share = (time - start.time) / (end.time - start.time)
    a, b = (resolve(Light(hour.light), camera_azimuth) for hour in (start, end))
    a = replace(a, sun_light=a.sun_light * start.strength)
    b = replace(b, sun_light=b.sun_light * end.strength)
    mixed = {f.name: _between(getattr(a, f.name), getattr(b, f.name), share) for f in fields(Sky)}
    aside = _between(start.aside, end.aside, share)
    mixed["sun"] = direction(camera_azimuth + aside, _between(start.elevation, end.elevation, share))
    mixed["lamp_every"] = min(a.lamp_every, b.lamp_every)
    for name in ("exposure", "glow", "zenith", "horizon", "ground"):  # as the eye takes brightness
        mixed[name] = getattr(a, name) ** (1 - share) * getattr(b, name) ** share
    return Sky(**mixed)


def _between(a: Any, b: Any, share: float) -> Any:
    return a + (b - a) * share


def _check(light: Light) -> None:
    """Raise UsageError for a light whose numbers make none."""
    numbers = [light.azimuth, light.elevation, light.strength]
    colors = [c for c in (light.horizon, light.zenith, light.color) if c is not None]
    if not all(n is None or np.isfinite(n) for n in numbers):
        raise UsageError("a light whose angle or strength is no number", "degrees, and a strength of 0 to 20")
    if not all(len(c) == 3 and all(0 <= v <= 255 for v in c) for c in colors):
        raise UsageError("a light whose colour is out of range", "red, green and blue are 0 to 255")


def _adapted(sky: Sky, usual: Sky) -> Sky:
    """Let exposure, ground and lamps follow a light that was changed, as an eye would: most of the way."""
    ratio = sky.open_irradiance() / usual.open_irradiance()
    darker = float(np.clip(1 / ratio.mean(), 0.05, 20))
    dark = darker > 4  # lamps matter now
    return replace(
        sky,
        ground=usual.ground * ratio,
        exposure=sky.exposure * darker**0.6,
        glow=sky.glow * max(darker, 1.0) ** 0.9,
        bloom=max(sky.bloom, 0.6) if dark else sky.bloom,
        lamp_every=1 if dark else sky.lamp_every,
        stars=max(sky.stars, float(dark and float(sky.top.max()) < 0.35)),
    )


def _linear(color: Color) -> Doubles:
    return to_linear(np.array(color, np.float64) / 255)


def _muted(color: Doubles, share: float) -> Doubles:
    """Mix a colour with its own grey: an open sky is less blue than its zenith."""
    grey: Doubles = color + share * (color @ [0.2126, 0.7152, 0.0722] - color)
    return grey
