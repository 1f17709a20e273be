"""Scenes in motion: the camera keeps its distance, steps come in order, the day ends in lamplight."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen import animate, build
from voxgen.errors import RenderError, ReplyError, UsageError
from voxgen.language import builder
from voxgen.picture import animation, camera, renderer, sky
from voxgen.scene import Light, Scene, View

SMALL = (64, 48)
GL = pytest.param("gl", marks=pytest.mark.skipif(bool(renderer.probe()), reason="no OpenGL driver"))
DOCUMENT = {
    "title": "Hut",
    "size": [14, 10, 10],
    "palette": {"grass": "#5a9e3c", "wall": "#c8a070", "lamp": {"color": "#ffd080", "glow": 2}},
    "build": [
        {"box": [[0, 0, 0], [13, 9, 1]], "of": "grass"},
        {"box": [[8, 3, 2], [12, 7, 6]], "of": "wall"},
        {"box": [[9, 3, 3], [10, 3, 4]], "of": "lamp"},
        {"voxels": [[1, 1, 2], [1, 1, 3]], "of": "wall"},
    ],
}


@pytest.fixture(scope="module")
def scene() -> Scene:
    return build(DOCUMENT)


# --------------------------------------------------------------------------- the order of the steps


def test_cells_know_since_which_step_they_are_filled(scene: Scene) -> None:
    order = builder.order(DOCUMENT)
    assert order.shape == scene.grid.size
    np.testing.assert_array_equal(order > 0, scene.grid.indices > 0)
    assert order[0, 0, 0] == 1
    assert order[12, 7, 6] == 2
    assert order[9, 3, 3] == 2  # only painted over
    assert order[1, 1, 3] == 4


def test_what_was_carved_and_filled_again_counts_anew() -> None:
    steps = [
        {"box": [[0, 0, 0], [3, 0, 0]], "of": "red"},
        {"box": [[1, 0, 0], [2, 0, 0]], "of": "air"},
        {"voxels": [[2, 0, 0]], "of": "blue"},
    ]
    assert builder.order({"size": [4, 1, 1], "build": steps}).ravel().tolist() == [1, 0, 3, 1]


def test_borrowed_parts_appear_with_the_step_that_places_them() -> None:
    steps = [{"box": [[0, 0, 0], [15, 15, 0]], "of": "green"}, {"place": "@oak", "at": [8, 8, 1]}]
    document = {"size": [16, 16, 24], "build": steps}
    order, cells = builder.order(document), build(document).grid.indices
    assert (order[:, :, 0] == 1).all()
    assert np.count_nonzero(cells[:, :, 1:]) > 50
    np.testing.assert_array_equal(order[:, :, 1:], 2 * (cells[:, :, 1:] > 0))


_CORNER = st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2)).map(list)
_STEP = st.one_of(
    st.fixed_dictionaries({"box": st.tuples(_CORNER, _CORNER).map(list)}),
    st.fixed_dictionaries({"voxels": st.lists(_CORNER, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"mirror": st.just("x")}),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(_STEP, st.sampled_from(["red", "blue", "air"])), min_size=1, max_size=6))
def test_the_order_is_what_each_step_left_filled(steps: list[tuple[dict[str, Any], str]]) -> None:
    document = {"size": [5, 4, 3], "build": [{**step, "of": material} for step, material in steps]}
    since = np.zeros((5, 4, 3), int)
    for number in range(1, len(steps) + 1):  # built anew up to each step
        try:
            filled = build({**document, "build": document["build"][:number]}).grid.indices > 0
        except ReplyError:  # nothing stands
            filled = np.zeros(since.shape, bool)
        since = np.where(filled, np.where(since == 0, number, since), 0)
    if filled.any():
        np.testing.assert_array_equal(builder.order(document), since)


def test_a_document_without_a_size_is_cropped_alike() -> None:
    document = {"build": [{"sphere": {"center": [5, 5, 5], "radius": 2}, "of": "red"}]}
    built = build(document)
    order = builder.order(document)
    assert order.shape == built.grid.size
    np.testing.assert_array_equal(order > 0, built.grid.indices > 0)


# --------------------------------------------------------------------------- what moves


@pytest.mark.parametrize("draws", ["soft", GL])
def test_a_turn_shows_another_side_and_keeps_its_distance(scene: Scene, draws: str) -> None:
    frames = list(animate(scene, "spin", frames=4, size=SMALL, renderer=draws))
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 4
    for a, b in pairwise(frames):
        assert np.abs(a.astype(int) - b).mean() > 2


@pytest.mark.parametrize("style", ["clean", "pixel"])
@pytest.mark.parametrize("view", [None, "iso", "20,40,1.3"])
def test_the_camera_turns_on_a_circle(scene: Scene, style: str, view: str | None) -> None:
    stage, _ = renderer.set_stage(scene, (96, 64), None, [view], "draft", style, None, "soft", None)
    stage.steady_camera(view)
    middle = np.array([*stage.grid.size[:2]]) / 2
    seen = []
    for azimuth in np.linspace(0, 360, 25):
        stage.turn(View(azimuth, 30.0))
        out = stage.camera.eye[:2] - middle
        seen.append([np.hypot(*out), stage.camera.eye[2], stage.camera.half])
    assert np.ptp(seen, axis=0).max() < 0.02


def test_points_swept_by_a_turn_enclose_every_turn() -> None:
    points = np.array([[0.0, 0, 0], [6, 0, 0], [6, 4, 0], [0, 4, 3]])
    around = camera.revolved(points)
    assert around[:, 2].min() == 0
    assert around[:, 2].max() == 3
    radius = np.hypot(*(around[around[:, 2] == 0][:, :2] - [3, 2]).T)
    np.testing.assert_allclose(radius, np.hypot(3, 2))


@pytest.mark.parametrize("draws", ["soft", GL])
def test_a_build_up_grows_before_a_still_camera(scene: Scene, draws: str) -> None:
    frames = [f.astype(int) for f in animate(scene, "buildup", frames=7, size=SMALL, renderer=draws)]
    last = frames[-1]
    far = [np.abs(frame - last).mean() for frame in frames]
    assert far[0] > 1
    assert far == sorted(far, reverse=True)
    empty = np.abs(frames[0] - frames[0][:1, :1]).max()
    assert empty > 60  # the first frame shows something
    whole = renderer.draw(scene, size=SMALL, quality="draft", renderer=draws).astype(int)
    assert np.abs(whole - last).mean() < 2
    assert np.abs(frames[-2] - last).max() == 0  # it stays a moment


def test_without_a_document_layers_come_from_below(scene: Scene) -> None:
    bare = Scene("Hut", scene.grid)
    schedule = animation._schedule(np.zeros(scene.grid.size, np.uint16), scene.grid.indices, 7)
    assert [int(schedule[9, 4, z]) for z in range(7)] == list(range(7))
    assert len(list(animate(bare, "buildup", frames=3, size=SMALL, renderer="soft"))) == 3


def test_every_cell_appears_and_the_first_at_once(scene: Scene) -> None:
    for count in (1, 2, 5, 90):
        schedule = animation._schedule(builder.order(DOCUMENT), scene.grid.indices, count)
        shown = schedule[scene.grid.indices > 0]
        assert shown.min() == 0
        assert shown.max() == count - 1


@pytest.mark.parametrize("draws", ["soft", GL])
def test_a_day_ends_dark_with_lamps(scene: Scene, draws: str) -> None:
    frames = list(animate(scene, "daylight", frames=3, size=SMALL, renderer=draws))
    brightness = [float(frame.mean()) for frame in frames]
    assert brightness[1] > brightness[0] > brightness[2]
    assert frames[2].max() > 200


def test_a_day_changes_steadily_and_ends_as_the_night_preset() -> None:
    skies = [sky.daylight(t, 30.0) for t in np.linspace(0, 1, 401)]
    level = np.array([[s.open_irradiance().mean() * s.exposure, *s.top, *s.bottom] for s in skies])
    assert np.abs(np.diff(np.log(level[:, 0]))).max() < 0.1
    assert np.abs(np.diff(level[:, 1:], axis=0)).max() < 0.03
    for a, b in pairwise(skies):
        if a.sun @ b.sun < 0.99:  # the moon takes over while neither shines
            assert max(a.sun_light.max(), b.sun_light.max()) < 0.2
    night = sky.resolve(Light("night"), 30.0)
    np.testing.assert_allclose(skies[-1].sun, night.sun)
    np.testing.assert_allclose(skies[-1].zenith, night.zenith)
    assert skies[-1].exposure == pytest.approx(night.exposure)


def test_the_same_call_gives_the_same_frames(scene: Scene) -> None:
    for kind in animation.KINDS:
        a, b = (
            list(animate(scene, kind, frames=2, size=(32, 24), background="transparent", renderer="soft"))
            for _ in range(2)
        )
        np.testing.assert_array_equal(a, b)
        assert a[0].shape == (24, 32, 4)


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("kind", "frames", "size"),
    [("jump", 3, SMALL), ("spin", 1, SMALL), ("spin", 99999, SMALL), ("spin", 2000, (1600, 1200))],
)
def test_impossible_films_are_refused_at_once(
    scene: Scene, kind: str, frames: int, size: tuple[int, int]
) -> None:
    with pytest.raises(UsageError):
        animate(scene, kind, frames=frames, size=size)


def test_an_empty_scene_cannot_move(scene: Scene) -> None:
    empty = Scene("Nothing", type(scene.grid)(scene.grid.indices * 0, scene.grid.palette))
    with pytest.raises(RenderError):
        next(animate(empty, "spin", frames=2, size=SMALL, renderer="soft"))
