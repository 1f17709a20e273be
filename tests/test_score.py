"""Scores put the better of two scenes first; confidence tells samples apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen import files
from voxgen.ask.composer import compose
from voxgen.ask.confidence import GROUP, Confidence, threshold
from voxgen.language.builder import build
from voxgen.language.reader import lost_steps, read
from voxgen.preview import BACKGROUND, blocks, look
from voxgen.scene import AIR, Material, Scene, VoxelGrid
from voxgen.score import Score, empty_layers, score

RED, BLUE = Material("red", (200, 40, 30)), Material("blue", (30, 60, 200))
RICH = read(compose("a garden with a cottage", 0, "small")[0])


def scene(*steps: dict[str, Any], size: tuple[int, int, int] = (16, 16, 16)) -> Scene:
    return build({"size": list(size), "build": list(steps)})


BOX = {"box": [[2, 2, 0], [13, 13, 9]], "of": "red"}
PAINTED = [
    BOX,
    *({"box": [[2, 2, i], [13, 13, i]], "of": f"#{i * 25:02x}{250 - i * 25:02x}80"} for i in range(10)),
]


@pytest.mark.parametrize(
    ("better", "worse", "measure"),
    [
        (scene(*PAINTED), scene(BOX), "colors"),
        (scene(BOX), scene(BOX, {"sphere": {"center": [1]}, "of": "red"}), "steps"),
        (scene({**BOX, "box": [[0, 0, 0], [15, 15, 15]]}), scene(BOX), "fill"),
        (scene(BOX), scene(BOX, {"box": [[3, 3, 13], [8, 8, 15]], "of": "blue"}), "connected"),
        (
            scene({**BOX, "box": [[0, 0, 0], [15, 15, 15]]}),
            scene({"voxels": [[8, 8, 0]], "of": "red"}),
            "frame",
        ),
        (
            scene({"box": [[0, 0, 0], [15, 15, 15]], "of": ["red", "blue"]}),
            scene(
                {"box": [[0, 0, 0], [15, 15, 15]], "of": "red"},
                {"box": [[0, 0, 0], [15, 0, 15]], "of": ["red", "blue"]},
            ),
            "sides",
        ),
    ],
)
def test_each_measure_puts_the_better_scene_first(better: Scene, worse: Scene, measure: str) -> None:
    assert getattr(score(better), measure) > getattr(score(worse), measure)


def test_a_rich_scene_scores_above_a_poor_one_and_all_measures_are_shares() -> None:
    poor = score(scene(BOX))
    rich = score(RICH)
    assert rich.total > poor.total + 0.1
    for measured in (rich, poor):
        assert all(0 <= value <= 1 for value in measured), measured
        assert 0 <= measured.total <= 1
    assert Score(1, 1, 1, 1, 1, 1).total == 1


def test_a_scene_of_one_colour_loses_half_of_its_steps() -> None:
    assert score(scene(BOX)).steps == 0.5


def test_lost_steps_are_counted_in_repeats_and_parts_once_each() -> None:
    bad = {"sphere": {"radius": 3}, "of": "red"}
    built = build(
        {
            "size": [8, 8, 8],
            "parts": {"p": {"build": [{"box": [[0, 0, 0], [1, 1, 1]], "of": "red"}]}},
            "build": [
                {"box": [[0, 0, 0], [7, 7, 0]], "of": "green"},
                {"repeat": 4, "as": "i", "build": [bad, {"voxels": [["i", 1, 1]], "of": "red"}]},
                {"place": "p", "at": [2, 2, 1]},
                bad,
            ],
        }
    )
    lost, steps = lost_steps(built)
    assert lost == 2
    assert steps == 7


def test_a_scene_without_a_document_has_no_steps_to_lose() -> None:
    grid = VoxelGrid(np.ones((3, 3, 3), np.uint8), (AIR, RED))
    assert lost_steps(Scene("x", grid)) == (0, 0)
    assert score(Scene("x", grid)).steps == 1


def test_empty_layers_are_counted_along_each_axis() -> None:
    cells = np.zeros((5, 6, 7), np.uint8)
    cells[1:3, 2, 0:4] = 1
    assert empty_layers(VoxelGrid(cells, (AIR, RED))) == (3, 5, 3)


# --------------------------------------------------------------------------- the quick look


def test_a_look_shows_what_stands_in_front() -> None:
    cells = np.zeros((8, 8, 8), np.uint8)
    cells[:, 7, :], cells[:, 0, :4] = 1, 2  # a red wall behind, a low blue one in front
    grid = VoxelGrid(cells, (AIR, RED, BLUE))
    image, seen = look(grid, 40, 40, azimuth=0, elevation=0)
    assert seen.any()
    column = image[:, 20]
    solid = column[seen[:, 20]]
    assert tuple(solid[-1]) == tuple(int(c * 0.86) for c in BLUE.color)
    assert tuple(solid[0]) == tuple(int(c * 0.86) for c in RED.color)
    assert tuple(look(grid, 40, 40)[0][0, 0]) == BACKGROUND


def test_the_top_is_brighter_than_the_sides() -> None:
    grid = VoxelGrid(np.ones((6, 6, 6), np.uint8), (AIR, RED))
    image, seen = look(grid, 60, 60)
    assert len({tuple(pixel) for pixel in image[seen].tolist()}) == 3


@settings(deadline=None, max_examples=25)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    st.integers(1, 30),
    st.integers(1, 30),
    st.floats(-400, 400),
    st.floats(-90, 90),
)
def test_any_grid_can_be_looked_at_from_anywhere(
    size: tuple[int, int, int], width: int, height: int, azimuth: float, elevation: float
) -> None:
    grid = VoxelGrid(np.ones(size, np.uint8), (AIR, RED))
    image, seen = look(grid, width, height, azimuth, elevation)
    assert image.shape == (height, width, 3)
    assert seen.shape == (height, width)


def test_a_grid_of_air_shows_nothing() -> None:
    assert not look(VoxelGrid(np.zeros((4, 4, 4), np.uint8), (AIR,)), 9, 9)[1].any()


def test_half_blocks_hold_two_pixels_and_change_colour_only_where_it_changes() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    image[0, 3:] = 9
    lines = blocks(image).split("\n")
    assert len(lines) == 2
    assert [line.count("▀") for line in lines] == [5, 5]
    assert lines[0].count("\x1b[38;2") == 2
    assert all(line.endswith("\x1b[0m") for line in lines)


def test_the_gallery_is_looked_at_in_a_moment() -> None:
    assert files is not None
    image, seen = look(RICH.grid, 96, 72)
    assert 0.2 < seen.mean() < 1
    assert len({tuple(pixel) for pixel in image[seen].tolist()}) > 20


# --------------------------------------------------------------------------- confidence


def fed(values: list[float]) -> Confidence:
    confidence = Confidence()
    for value in values:
        confidence.add("box", [-value, -value])
    return confidence


def test_confidence_is_that_of_the_weakest_group_and_the_tail() -> None:
    values = [5.0] * GROUP + [1.0] * GROUP + [3.0] * 600
    confidence = fed(values)
    assert confidence.lowest == pytest.approx(1.0)
    assert confidence.tail == pytest.approx(3.0)
    assert confidence.group == pytest.approx(3.0)
    assert confidence.rank == (pytest.approx(1.0), pytest.approx(3.0))


def test_a_short_reply_is_ranked_by_its_tail() -> None:
    assert fed([2.0] * 10).rank == (2.0, 2.0)
    assert fed([2.0] * 10).group == math.inf
    assert Confidence().rank == (0.0, 0.0)


def test_brackets_masks_and_nonsense_do_not_count() -> None:
    confidence = Confidence()
    confidence.add('":[', [-0.1])
    confidence.add("box", [])
    confidence.add("box", [-1e9, float("nan"), "x", None, 3.0])
    assert confidence.tokens == 0
    confidence.add("box", [-2.0, -1e9])
    assert confidence.tail == 2.0


def test_the_threshold_is_a_low_percentile_of_the_finished_samples() -> None:
    low, high = fed([2.0] * GROUP), fed([4.0] * GROUP)
    assert threshold([]) == threshold([low]) == -math.inf
    assert threshold([low, high]) == pytest.approx(2.2)
    assert threshold([low, Confidence()]) == -math.inf


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 20), min_size=1, max_size=700))
def test_the_sliding_sums_are_those_of_the_windows(values: list[float]) -> None:
    confidence = fed(values)
    groups = [sum(values[i : i + GROUP]) / GROUP for i in range(len(values) - GROUP + 1)]
    assert confidence.lowest == pytest.approx(min(groups, default=math.inf), abs=1e-6)
    assert confidence.tail == pytest.approx(sum(values[-512:]) / len(values[-512:]), abs=1e-6)
