from __future__ import annotations

import numpy as np
import pytest

from voxgen.picture import darkroom, sky, tone
from voxgen.scene import Light


def grey(value: float) -> np.ndarray:
    return np.full((1, 1, 3), value, np.float32)


def test_srgb_and_linear_are_inverse() -> None:
    values = np.linspace(0, 1, 256)
    assert np.allclose(tone.to_srgb(tone.to_linear(values)), values)
    assert np.isclose(tone.to_linear(np.array(0.5)), 0.21404, atol=1e-4)


def test_below_the_shoulder_the_palettes_own_colours_are_shown() -> None:
    colors = np.array([[200, 40, 40], [60, 160, 60], [40, 90, 190], [120, 120, 120]]) / 255
    shown = tone.tone_map(tone.to_linear(colors))
    assert np.abs(shown - colors).max() < 0.045


def test_white_stays_white_and_black_does_not_crush() -> None:
    assert tone.tone_map(grey(1.0)).min() > 0.91
    assert tone.tone_map(grey(1.3)).min() > 0.95
    assert tone.tone_map(grey(0.002)).min() > 0.015
    assert tone.tone_map(grey(0)).max() == 0


def test_brighter_light_is_never_shown_darker() -> None:
    ramp = np.linspace(0, 40, 4000, dtype=np.float32)[:, None] * np.array([1, 0.6, 0.3], np.float32)
    assert np.diff(tone.tone_map(ramp), axis=0).min() >= 0
    assert tone.tone_map(ramp).max() <= 1


def test_very_bright_colours_run_towards_white_not_to_another_hue() -> None:
    orange = np.array([1.0, 0.35, 0.05], np.float32)
    shown = tone.tone_map(np.stack([orange * 0.5, orange * 3, orange * 30]))
    assert (np.diff(shown, axis=1) <= 0).all()
    assert np.diff(np.ptp(shown, axis=1)).max() <= 0.25
    assert np.ptp(shown[2]) < 0.1


def test_light_that_is_no_number_of_any_size_gives_a_colour() -> None:
    shown = tone.tone_map(np.array([[0, 1e30, 0], [-1, 0.5, 0.5]], np.float32))
    assert np.isfinite(shown).all()
    assert shown.min() >= 0


def test_the_background_runs_from_top_to_bottom() -> None:
    top, bottom = np.array([0.2, 0.4, 0.8]), np.array([0.9, 0.9, 0.9])
    image = tone.gradient(top, bottom, (64, 48))
    assert image.shape == (48, 64, 3)
    assert np.abs(image[0, 32] - top).max() < 0.05
    assert np.diff(image[:, 32, 0]).min() > -0.01


def test_stars_are_always_the_same_and_above() -> None:
    night = np.zeros((90, 120, 3), np.float32)
    first = tone.add_stars(night)
    assert (first == tone.add_stars(night)).all()
    assert night.max() == 0
    assert first[:45].sum() > 2 * first[45:].sum() > 0
    assert (first[20:50] == tone.add_stars(night[20:50], height=90, rows=range(20, 50))).all()


def test_bloom_comes_only_from_what_glows_and_no_farther_than_it_says() -> None:
    size = (400, 880)
    dark = np.zeros((40, 40, 3), np.float32)
    assert not tone.bloom(dark, 0.8, size).any()
    dark[20, 20] = 1
    haze = tone.bloom(dark, 0.8, size)
    assert haze.shape == (160, 160, 3)
    assert haze.max() <= 1
    lit = np.flatnonzero(haze[..., 0].any(axis=1))
    reach = 4 * tone.bloom_reach(size)
    assert haze[90, 90].min() > 0
    assert 80 - reach <= lit[0] < 80 < 83 < lit[-1] < 84 + reach


@pytest.mark.parametrize("radius", [1, 3])
def test_blur_keeps_the_light_and_spreads_it(radius: int) -> None:
    image = np.zeros((41, 41, 3), np.float32)
    image[20, 20] = 1
    blurred = tone.blur(image, radius)
    assert np.isclose(blurred.sum(), 3, rtol=1e-4)
    assert blurred[20, 20, 0] < 0.2
    assert np.allclose(blurred, blurred[::-1, ::-1], atol=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_halving_averages(size: tuple[int, int]) -> None:
    assert np.allclose(tone.halved(np.full((*size, 3), 0.5, np.float32)), 0.5)


def test_stars_shine_over_ground_that_lies_in_the_dark() -> None:
    nothing = np.zeros((90, 120, 4), np.float32)
    image = darkroom.develop(darkroom.Shots(nothing, nothing[..., :3]), sky.resolve(Light("night"), 0.0))
    assert image.max() > 40
    assert np.median(image) == 0
