"""The scene language: what each step draws, what names mean, what is repaired, what is refused."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen.errors import ReplyError
from voxgen.language import canvas
from voxgen.language.builder import _STEPS, build
from voxgen.language.document import STEPS
from voxgen.language.limits import Limits
from voxgen.scene import Scene

PALETTE = {"a": "#ff0000", "b": "#00ff00", "c": "#0000ff", "d": "#ffff00"}


def made(*steps: dict[str, Any], size: Any = (8, 8, 8), **more: Any) -> Scene:
    return build({"size": list(size) if size else None, "palette": PALETTE, "build": list(steps), **more})


def cells(scene: Scene, name: str = "a") -> set[tuple[int, int, int]]:
    index = [m.name for m in scene.grid.palette].index(name)
    return {(int(x), int(y), int(z)) for x, y, z in np.argwhere(scene.grid.indices == index)}


def count(scene: Scene, name: str = "a") -> int:
    return len(cells(scene, name))


def clean(scene: Scene) -> bool:
    """Tell whether every step was drawn as written; "$" speaks of the look of the whole."""
    return not [r for r in scene.repairs if r.level != "info" and r.path != "$"]


# --------------------------------------------------------------------------- shapes


def test_a_box_includes_both_corners_in_any_order() -> None:
    scene = made({"box": [[3, 1, 5], [1, 2, 4]], "of": "a"})
    assert cells(scene) == {(x, y, z) for x in (1, 2, 3) for y in (1, 2) for z in (4, 5)}


@pytest.mark.parametrize(
    ("option", "voxels"),
    [
        ({"hollow": True}, 125 - 27),
        ({"hollow": 2}, 125 - 1),
        ({"walls": True}, 5 * 16),
        ({"walls": 2}, 5 * 24),
    ],
)
def test_hollow_boxes_keep_a_shell_and_walls_the_four_sides(option: dict[str, Any], voxels: int) -> None:
    assert count(made({"box": [[0, 0, 0], [4, 4, 4]], "of": "a", **option})) == voxels


def test_boxes_are_clipped_and_far_ones_cost_nothing() -> None:
    scene = made(
        {"box": [[-5, -5, -5], [10**9, 0, 0]], "of": "a"}, {"box": [[10**9] * 3, [10**12] * 3], "of": "b"}
    )
    assert cells(scene) == {(x, 0, 0) for x in range(8)}


def test_a_sphere_is_symmetric_and_round() -> None:
    scene = made({"sphere": {"center": [8, 8, 8], "radius": 5}, "of": "a"}, size=(17, 17, 17))
    grid = scene.grid.indices != 0
    for axis in range(3):
        assert np.array_equal(grid, np.flip(grid, axis))
    assert abs(grid.sum() - 4 / 3 * np.pi * 5.35**3) < 60
    assert grid[8, 8, 3:14].all()


def test_ellipsoids_take_three_radii_and_can_be_hollow_or_halved() -> None:
    ball = {"center": [8, 8, 8], "radius": [6, 3, 2]}
    solid = made({"ellipsoid": ball, "of": "a"}, size=(17, 17, 17))
    low, high = solid.grid.bounds()
    assert (high - low).tolist() == [12, 6, 4]
    top = made({"sphere": ball, "keep": "top", "of": "a"}, size=(17, 17, 17))
    bottom = made({"sphere": ball, "keep": "bottom", "of": "a"}, size=(17, 17, 17))
    assert min(z for _, _, z in cells(top)) == 8
    assert max(z for _, _, z in cells(bottom)) == 8
    assert cells(top) | cells(bottom) == cells(solid)
    hollow = made(
        {"sphere": {"center": [8, 8, 8], "radius": 6}, "hollow": True, "of": "a"}, size=(17, 17, 17)
    )
    assert (8, 8, 8) not in cells(hollow)
    assert {(2, 8, 8), (14, 8, 8), (8, 8, 14)} <= cells(hollow)
    assert (4, 8, 8) not in cells(hollow)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_cylinders_run_along_any_axis_for_exactly_their_height(axis: str) -> None:
    base = [8, 8, 8]
    base["xyz".index(axis)] = 2
    body = {"base": base, "radius": 3, "height": 10, "axis": axis}
    scene = made({"cylinder": body, "of": "a"}, size=(17, 17, 17))
    low, high = scene.grid.bounds()
    span = (high - low + 1).tolist()
    assert span.pop("xyz".index(axis)) == 10
    assert span == [7, 7]
    tube = made({"cylinder": body, "hollow": True, "of": "a"}, size=(17, 17, 17))
    assert tuple(base) not in cells(tube)
    assert cells(tube) < cells(scene)


def test_cones_taper_to_a_point_and_cylinders_to_their_top() -> None:
    cone = made({"cone": {"base": [8, 8, 0], "radius": 6, "height": 12}, "of": "a"}, size=(17, 17, 17))
    widths = [sum(z == level for _, _, z in cells(cone)) for level in range(12)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 1
    flared = {"base": [8, 8, 0], "radius": 0, "height": 12, "top": 6}
    trumpet = made({"cylinder": flared, "of": "a"}, size=(17, 17, 17))
    assert [sum(z == level for _, _, z in cells(trumpet)) for level in range(12)] == widths[::-1]


def test_gable_roofs_keep_their_ridge_and_hip_roofs_close_on_all_sides() -> None:
    corners = [[1, 1, 0], [13, 7, 3]]
    gable = cells(made({"roof": {"box": corners, "along": "x"}, "of": "a"}, size=(15, 9, 5)))
    ridge = {(x, y) for x, y, z in gable if z == 3}
    assert ridge == {(x, 4) for x in range(1, 14)}
    hip = cells(made({"pyramid": corners, "of": "a"}, size=(15, 9, 5)))
    assert hip < gable
    assert {(x, y) for x, y, z in hip if z == 0} == {(x, y) for x in range(1, 14) for y in range(1, 8)}
    assert (1, 4, 3) not in hip


def test_thin_lines_are_connected_and_end_where_they_should() -> None:
    line = cells(made({"line": [[0, 0, 0], [15, 7, 3], [0, 14, 15]], "of": "a"}, size=(16, 16, 16)))
    assert {(0, 0, 0), (15, 7, 3), (0, 14, 15)} <= line
    found, edge = set(), [(0, 0, 0)]
    while edge:
        x, y, z = edge.pop()
        found.add((x, y, z))
        near = {(x + i, y + j, z + k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)}
        edge += near & line - found
    assert found == line


def test_thick_lines_taper_and_curves_pass_through_their_points() -> None:
    step = {"line": [[4, 8, 8], [28, 8, 8]], "width": 7, "taper": 1, "of": "a"}
    line = cells(made(step, size=(33, 17, 17)))
    widths = [sum(x == at for x, _, _ in line) for at in (5, 12, 20, 27)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 25
    points = [[2, 2, 2], [20, 12, 4], [8, 20, 12], [28, 28, 20]]
    curve = cells(made({"line": points, "curve": True, "width": 2, "of": "a"}, size=(32, 32, 24)))
    assert {(x, y, z) for x, y, z in points} <= curve


def test_endless_lines_end_at_the_scene() -> None:
    scene = made({"line": [[-(10**9), 4, 4], [10**9, 4, 4]], "width": 1, "of": "a"})
    assert cells(scene) == {(x, 4, 4) for x in range(8)}


def test_layers_read_from_the_bottom_and_from_the_back() -> None:
    scene = made({"layers": ["ab/.c", "a"], "at": [1, 1, 1], "key": {"a": "a", "b": "b", "c": "c"}})
    assert cells(scene, "a") == {(1, 2, 1), (1, 1, 2)}
    assert cells(scene, "b") == {(2, 2, 1)}
    assert cells(scene, "c") == {(2, 1, 1)}


def test_layers_take_run_lengths_and_upright_pictures() -> None:
    runs = made({"layers": ["a*3.*2b*2"], "key": {"a": "a", "b": "b"}})
    assert cells(runs, "a") == {(0, 0, 0), (1, 0, 0), (2, 0, 0)}
    assert cells(runs, "b") == {(5, 0, 0), (6, 0, 0)}
    face = made({"layers": ["aa/.b", "c"], "facing": "front", "key": {"a": "a", "b": "b", "c": "c"}})
    assert cells(face, "a") == {(0, 0, 1), (1, 0, 1)}
    assert cells(face, "b") == {(1, 0, 0)}
    assert cells(face, "c") == {(0, 1, 0)}


def test_terrain_rolls_within_its_box_and_has_a_surface() -> None:
    step = {"terrain": {"box": [[0, 0, 2], [31, 31, 12]], "scale": 10, "seed": 3, "top": "b"}, "of": "a"}
    scene = made(step, size=(32, 32, 16))
    grid = scene.grid.indices
    heights = 15 - np.argmax(grid[:, :, ::-1] != 0, axis=2)
    assert heights.min() >= 2
    assert heights.max() <= 12
    assert np.ptp(heights) >= 5
    assert max(np.abs(np.diff(heights, axis=axis)).max() for axis in (0, 1)) <= 4
    assert (np.take_along_axis(grid, heights[:, :, None], 2) == 2).all()
    assert not grid[:, :, :2].any()


def test_a_formula_fills_every_cell_of_its_box_where_it_holds() -> None:
    scene = made({"formula": "x + y + z < 4 and z > 0", "in": [[0, 0, 0], [7, 7, 7]], "of": "a"})
    assert cells(scene) == {
        (x, y, z) for x in range(8) for y in range(8) for z in range(1, 8) if x + y + z < 4
    }
    assert count(made({"formula": "z < 2", "of": "a"})) == 128


def test_a_formula_gives_the_same_in_one_box_and_in_slices() -> None:
    formula = "noise(x/5, y/7+sin(x/3), z/6) > 0.5 and hypot(x-20, y-20) < 18+3*rand(x,y,z)"
    whole = made(
        {"formula": formula, "in": [[0, 0, 0], [119, 59, 49]], "of": {"a": 3, "b": 1}}, size=(120, 60, 50)
    )
    slices = [
        {"formula": formula, "in": [[x, 0, 0], [x, 59, 49]], "of": {"a": 3, "b": 1}} for x in range(120)
    ]
    assert np.array_equal(whole.grid.indices, made(*slices, size=(120, 60, 50)).grid.indices)


def test_mirror_fills_only_what_is_empty_on_the_other_half() -> None:
    scene = made(
        {"box": [[0, 0, 0], [2, 0, 0]], "of": "a"}, {"voxels": [[7, 0, 0]], "of": "b"}, {"mirror": "x"}
    )
    assert cells(scene, "a") == {(x, 0, 0) for x in (0, 1, 2, 5, 6)}
    assert cells(scene, "b") == {(7, 0, 0)}


# --------------------------------------------------------------------------- materials


def test_later_steps_overwrite_earlier_ones_and_air_carves() -> None:
    scene = made(
        {"box": [[0, 0, 0], [3, 0, 0]], "of": "a"},
        {"voxels": [[1, 0, 0]], "of": "b"},
        {"voxels": [[2, 0, 0]], "of": "air"},
        {"voxels": [[3, 0, 0]], "of": None},
    )
    assert cells(scene, "a") == {(0, 0, 0)}
    assert cells(scene, "b") == {(1, 0, 0)}


def test_a_mix_follows_its_weights_and_ignores_the_order_of_names() -> None:
    box = [[0, 0, 0], [31, 31, 31]]
    mix = made({"box": box, "of": {"a": 6, "b": 3, "c": 1}}, size=(32, 32, 32))
    shares = [count(mix, name) / 32**3 for name in "abc"]
    assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.01)
    swapped = made({"box": box, "of": {"c": 1, "b": 3, "a": 6}}, size=(32, 32, 32))
    assert np.array_equal(mix.grid.indices, swapped.grid.indices)
    equal = made({"box": box, "of": ["a", "b"]}, size=(32, 32, 32))
    assert count(equal) / 32**3 == pytest.approx(0.5, abs=0.01)


def test_inserting_a_step_changes_no_other_steps_texture() -> None:
    mix = {"box": [[0, 0, 0], [7, 7, 3]], "of": {"a": 1, "b": 1}}
    alone, later = made(mix), made({"box": [[0, 0, 6], [7, 7, 7]], "of": ["c", "d"]}, mix)
    assert np.array_equal(alone.grid.indices[:, :, :4], later.grid.indices[:, :, :4])


def test_the_seed_changes_mixes() -> None:
    step = {"box": [[0, 0, 0], [7, 7, 7]], "of": ["a", "b"]}
    assert not np.array_equal(made(step, seed=1).grid.indices, made(step, seed=2).grid.indices)


def test_textures_choose_by_place_and_may_hold_mixes() -> None:
    textures = {
        "wall": [{"when": "z < 2", "of": "a"}, {"when": "z < 4", "of": {"b": 1, "c": 1}}, {"of": "d"}]
    }
    scene = made({"box": [[0, 0, 0], [7, 7, 7]], "of": "wall"}, textures=textures)
    assert {z for _, _, z in cells(scene, "a")} == {0, 1}
    assert {z for _, _, z in cells(scene, "b") | cells(scene, "c")} == {2, 3}
    assert {z for _, _, z in cells(scene, "d")} == {4, 5, 6, 7}
    mixed = made({"box": [[0, 0, 0], [7, 7, 7]], "of": {"wall": 1, "d": 1}}, textures=textures)
    assert 0 < count(mixed, "a") < count(scene, "a")


def test_literal_colours_join_the_palette() -> None:
    scene = made({"voxels": [[0, 0, 0]], "of": "#123456"}, {"voxels": [[1, 0, 0]], "of": "tomato"})
    assert [m.color for m in scene.grid.palette[-2:]] == [(0x12, 0x34, 0x56), (255, 99, 71)]
    assert clean(scene)


def test_an_unknown_name_is_guessed_and_reported_with_its_path() -> None:
    scene = build(
        {"size": [2, 2, 2], "palette": {"moss": "#00aa00"}, "build": [{"voxels": [[0, 0, 0]], "of": "mosss"}]}
    )
    assert cells(scene, "moss") == {(0, 0, 0)}
    assert str(scene.repairs[0]) == '$.build[0].of: "mosss" is not in the palette; used "moss"'


def test_only_limits_a_step_to_what_it_may_overwrite() -> None:
    ground = {"box": [[0, 0, 0], [7, 7, 0]], "of": "a"}
    snow = {"box": [[0, 0, 0], [7, 7, 1]], "of": "b", "only": "a"}
    assert count(made(ground, snow), "b") == 64
    assert count(made(ground, {**snow, "only": ["c", "air"]}), "b") == 64
    assert cells(made(ground, {"line": [[0, 0, 0], [7, 7, 1]], "only": "air", "of": "b"}), "b").isdisjoint(
        {(x, y, 0) for x in range(8) for y in range(8)}
    )


def test_when_skips_a_step_or_chooses_cells() -> None:
    off = {"box": [[0, 0, 0], [7, 7, 7]], "of": "a", "when": "n > 3"}
    keep = {"voxels": [[0, 0, 0]], "of": "b"}
    assert count(made(keep, off, let={"n": 3})) == 0
    assert count(made(keep, off, let={"n": 4})) == 512
    assert count(made(keep, {**off, "when": "z < 2"})) == 128


def test_more_than_255_materials_use_two_bytes() -> None:
    colors = [f"#{i:06x}" for i in range(1, 400)]
    steps = [{"voxels": [[i % 20, i // 20, 0]], "of": color} for i, color in enumerate(colors)]
    scene = made(*steps, size=(20, 20, 1))
    assert scene.grid.indices.dtype == np.uint16
    assert len(np.unique(scene.grid.indices)) == 400  # noqa: TID251


# --------------------------------------------------------------------------- names, repeats, parts


def test_numbers_anywhere_may_be_expressions() -> None:
    scene = made(
        {"repeat": "n", "as": "i", "build": [{"voxels": [["round(4+3*cos(i*pi/2))", "4+i", 0]], "of": "a"}]},
        let={"n": 4},
    )
    assert cells(scene) == {(7, 4, 0), (4, 5, 0), (1, 6, 0), (4, 7, 0)}


def test_random_numbers_of_plain_numbers_are_plain_numbers() -> None:
    step = {"line": [["i", 0, 0], ["i", 7, "round(7*rand(i,1,1))+noise(i)*0"]], "of": "a"}
    scene = made({"repeat": 4, "as": "i", "build": [step]})
    assert clean(scene)
    assert {x for x, _, _ in cells(scene)} == {0, 1, 2, 3}


def test_constants_build_on_earlier_ones_and_functions_on_both() -> None:
    scene = made(
        {"formula": "d(x, y) < r", "in": [[0, 0, 0], [7, 7, 0]], "of": "a"},
        let={"r": 2, "c": "r * 2"},
        functions={"sq(a)": "a * a", "d(x, y)": "sqrt(sq(x - c) + sq(y - c))"},
    )
    assert count(scene) == 9


def test_repeats_nest() -> None:
    inner = {"repeat": 3, "as": "j", "build": [{"voxels": [["i", "j", "i+j"]], "of": "a"}]}
    assert cells(made({"repeat": 2, "as": "i", "build": [inner]})) == {
        (i, j, i + j) for i in range(2) for j in range(3)
    }


POST = {
    "size": [1, 2, 3],
    "build": [{"box": [[0, 0, 0], [0, 1, 2]], "of": "a"}, {"voxels": [[0, 0, 2]], "of": "b"}],
}


def test_parts_are_stamped_turned_mirrored_and_centred() -> None:
    def stamped(**options: Any) -> tuple[set[Any], set[Any]]:
        scene = made({"place": "post", "at": [[3, 3, 0]], **options}, parts={"post": POST})
        return cells(scene, "a"), cells(scene, "b")

    assert stamped() == ({(3, 3, 0), (3, 4, 0), (3, 3, 1), (3, 4, 1), (3, 4, 2)}, {(3, 3, 2)})
    assert stamped(turn=180)[1] == {(3, 4, 2)}
    assert stamped(mirror="y")[1] == {(3, 4, 2)}
    assert stamped(turn=90)[1] == {(4, 3, 2)}
    assert stamped(turn=270)[1] == {(3, 3, 2)}
    assert stamped(anchor="center")[1] == {(3, 2, 2)}


def test_four_quarter_turns_come_round_again() -> None:
    part = {"layers": ["ab/cd", "a./.."], "key": {k: k for k in "abcd"}}
    grids = []
    for turn in (0, 90, 180, 270, 360):
        grid = made(
            {"place": "p", "at": [0, 0, 0], "turn": turn}, size=(2, 2, 2), parts={"p": part}
        ).grid.indices
        grids.append(grid)
    assert np.array_equal(grids[0], grids[4])
    for before, after in pairwise(grids):
        assert np.array_equal(np.rot90(before, 1, (0, 1)), after)


def test_a_list_of_turns_goes_round_the_copies() -> None:
    scene = made({"place": "post", "at": [[0, 0, 0], [4, 4, 0]], "turn": [0, 180]}, parts={"post": POST})
    assert cells(scene, "b") == {(0, 0, 2), (4, 5, 2)}


def test_air_in_a_part_leaves_what_is_there() -> None:
    ring = {
        "size": [3, 3, 1],
        "build": [{"box": [[0, 0, 0], [2, 2, 0]], "of": "a"}, {"voxels": [[1, 1, 0]], "of": "air"}],
    }
    scene = made(
        {"box": [[0, 0, 0], [7, 7, 0]], "of": "b"}, {"place": "ring", "at": [2, 2, 0]}, parts={"ring": ring}
    )
    assert (3, 3, 0) in cells(scene, "b")


def test_parameters_are_numbers_or_materials_with_defaults() -> None:
    tower = {
        "params": {"h": 2, "m": "a"},
        "size": [1, 1, "h"],
        "build": [{"box": [[0, 0, 0], [0, 0, "h-1"]], "of": {"m": 1}}],
    }
    scene = made(
        {"place": "tower", "at": [0, 0, 0]},
        {"place": "tower", "at": [1, 0, 0], "with": {"h": "1+k", "m": "b"}},
        {"place": "tower", "at": [2, 0, 0], "with": {"m": {"c": 1, "d": 1}}},
        parts={"tower": tower},
        let={"k": 4},
    )
    assert cells(scene, "a") == {(0, 0, 0), (0, 0, 1)}
    assert cells(scene, "b") == {(1, 0, z) for z in range(5)}
    assert cells(scene, "c") | cells(scene, "d") == {(2, 0, 0), (2, 0, 1)}


def test_parts_place_parts_and_see_the_callers_counter() -> None:
    parts = {
        "inner": {"size": [1, 1, 8], "build": [{"voxels": [[0, 0, "i"]], "of": "a"}]},
        "outer": {"size": [2, 1, 8], "build": [{"place": "inner", "at": [[0, 0, 0], [1, 0, 0]]}]},
    }
    scene = made({"repeat": 3, "as": "i", "build": [{"place": "outer", "at": [0, "i", 0]}]}, parts=parts)
    assert cells(scene) == {(x, i, i) for x in range(2) for i in range(3)}


def test_a_part_that_places_itself_is_a_repair() -> None:
    parts = {
        "p": {
            "size": [2, 2, 2],
            "build": [{"voxels": [[0, 0, 0]], "of": "a"}, {"place": "p", "at": [1, 0, 0]}],
        }
    }
    scene = made({"place": "p", "at": [0, 0, 0]}, parts=parts)
    assert (0, 0, 0) in cells(scene)
    assert any(r.path.startswith("$.parts.p") and r.level == "loss" for r in scene.repairs)


def test_a_part_without_a_size_is_as_large_as_what_it_draws() -> None:
    parts = {"p": {"build": [{"box": [[2, 0, 0], [3, 4, 1]], "of": "a"}]}}
    scene = made({"place": "p", "at": [1, 1, 1]}, parts=parts)
    assert cells(scene) == {(x, y, z) for x in (3, 4) for y in range(1, 6) for z in (1, 2)}


def test_scatter_stands_on_its_ground_with_a_gap_and_counts() -> None:
    steps = [
        {"box": [[0, 0, 0], [31, 31, 0]], "of": "a"},
        {"box": [[0, 0, 0], [15, 31, 0]], "of": "b"},
        {"scatter": ["post"], "on": ["a"], "count": 9, "gap": 4, "seed": 2, "turn": False},
        {"scatter": "c", "on": "b", "area": [[0, 0], [7, 7]], "count": 5},
    ]
    post = {"size": [1, 1, 3], "build": [{"box": [[0, 0, 0], [0, 0, 2]], "of": "d"}]}
    scene = made(*steps, size=(32, 32, 8), parts={"post": post})
    feet = [(x, y) for x, y, z in cells(scene, "d") if z == 1]
    assert len(feet) == 9
    assert all(x > 15 for x, _ in feet)
    assert all(np.hypot(x - u, y - v) >= 4 for x, y in feet for u, v in feet if (x, y) != (u, v))
    assert len(cells(scene, "c")) == 5
    assert all(x < 8 and y < 8 and z == 1 for x, y, z in cells(scene, "c"))
    assert clean(scene)


def test_scatter_says_when_there_is_no_room() -> None:
    scene = made(
        {"box": [[0, 0, 0], [3, 3, 0]], "of": "a"}, {"scatter": ["b"], "on": ["a"], "count": 99, "gap": 2}
    )
    assert scene.repairs[0].level == "info"
    assert "of 99" in scene.repairs[0].problem


def test_parts_see_constants_counters_and_textures_behind_what_they_name() -> None:
    parts = {"p": {"size": [7, 7, 3], "build": [{"formula": "d(x, y) < r + i", "of": "wall"}]}}
    scene = made(
        {"repeat": 2, "as": "i", "build": [{"place": "p", "at": ["8*i", 0, 0]}]},
        size=(16, 8, 4),
        let={"cx": 3, "r": 1.5, "h": 1},
        functions={"sq(x)": "(x - cx)**2", "d(x, y)": "sqrt(sq(x) + sq(y))"},
        textures={"wall": [{"when": "z < h", "of": "a"}, {"of": "b"}]},
        parts=parts,
    )
    assert clean(scene)
    assert cells(scene, "a") == {(x, y, 0) for x, y, z in cells(scene, "b") if z == 1}
    widths = [sum(low <= x < low + 8 for x, _, _ in cells(scene, "a")) for low in (0, 8)]
    assert widths == [9, 21]


def test_a_default_may_use_another_parameter() -> None:
    tower = {"params": {"h": 2, "w": "h+1"}, "build": [{"box": [[0, 0, 0], ["w-1", 0, "h-1"]], "of": "a"}]}
    scene = made({"place": "t", "at": [0, 0, 0], "with": {"h": 3}}, parts={"t": tower})
    assert cells(scene) == {(x, 0, z) for x in range(4) for z in range(3)}


@pytest.mark.parametrize(
    "step",
    [
        {"line": [[0, 0, 0], [7, 7, 7]], "width": 3, "of": "#123456", "only": ["air"]},
        {"layers": ["abab"], "key": {"a": "#123456", "b": "#654321"}, "only": ["air"]},
        {"terrain": {"box": [[0, 0, 0], [7, 7, 4]], "top": "#123456"}, "of": "#654321", "only": ["air"]},
        {"repeat": 4, "as": "i", "only": ["air"], "build": [{"voxels": [["i", 0, 0]], "of": "tomato"}]},
    ],
)
def test_only_works_with_colours_the_palette_does_not_hold_yet(step: dict[str, Any]) -> None:
    scene = made({"voxels": [[7, 0, 7]], "of": "a"}, step)
    assert clean(scene)
    assert scene.grid.voxels > 1


def test_guesses_and_losses_are_said_where_no_size_is_given() -> None:
    parts = {"p": {"build": [{"voxels": [[0, 0, 0]], "of": "reddd"}, {"formula": "q(x)", "of": "a"}]}}
    scene = build({"palette": {"reddd1": "#f00"}, "parts": parts, "build": [{"place": "p", "at": [0, 0, 0]}]})
    paths = [r.path for r in scene.repairs if r.path != "$"]
    assert paths.count("$.parts.p.build[0].of") == 1
    assert paths.count("$.parts.p.build[1]") == 1


def test_hollow_cones_keep_their_tip_and_fractional_bases_their_height() -> None:
    cone = {"base": [8, 8, 0], "radius": 6, "height": 12}
    solid = made({"cone": cone, "of": "a"}, size=(17, 17, 17))
    hollow = made({"cone": cone, "hollow": True, "of": "a"}, size=(17, 17, 17))
    assert {z for _, _, z in cells(hollow)} == set(range(12))
    assert cells(hollow) < cells(solid)
    shifted = made({"cone": {**cone, "base": [8, 8, 0.5]}, "of": "a"}, size=(17, 17, 17))
    assert {z for _, _, z in cells(shifted)} == set(range(1, 13))


def test_mirror_keeps_to_only_and_when() -> None:
    block = {"box": [[0, 0, 0], [2, 0, 5]], "of": "a"}
    scene = made(block, {"mirror": "x", "when": "z < 3"})
    assert {(x, z) for x, _, z in cells(scene) if x > 4} == {(x, z) for x in (5, 6, 7) for z in range(3)}
    assert count(made(block, {"mirror": "x", "only": ["b"]})) == 18


def test_a_part_without_a_size_turns_about_its_own_box() -> None:
    parts = {"p": {"build": [{"voxels": [[2, 0, 0]], "of": "a"}]}}
    ends = [
        cells(made({"place": "p", "at": [1, 1, 0], "turn": turn}, parts=parts)) for turn in (0, 90, 180, 270)
    ]
    assert ends == [{(3, 1, 0)}, {(1, 3, 0)}, {(1, 1, 0)}, {(1, 1, 0)}]


def test_a_when_may_speak_of_cells_through_a_function() -> None:
    scene = made({"box": [[0, 0, 0], [7, 7, 7]], "of": "a", "when": "low()"}, functions={"low()": "z < 2"})
    assert count(scene) == 128


def test_every_bad_function_is_named_at_its_own_place() -> None:
    scene = made(
        {"voxels": [[0, 0, 0]], "of": "a"},
        functions={"a(x)": "a(x)", "b(x)": "1 +", "c(x)": "x"},
    )
    assert {r.path for r in scene.repairs if r.level == "loss" and r.path != "$"} == {
        '$.functions["a(x)"]',
        '$.functions["b(x)"]',
    }


@pytest.mark.parametrize(
    "step",
    [
        {"place": "p", "at": [[0, 0, 0]] * 3000},
        {"scatter": ["a"], "count": 1e12, "gap": 0},
        {"voxels": [["f9(1)", "f9(2)", "f9(3)"]] * 400, "of": "a"},
        {"formula": "+".join(["f9(x+y+z)"] * 4) + "> 0", "of": "a"},
    ],
)
def test_no_step_outlives_its_time(step: dict[str, Any]) -> None:
    """The limits are tiny here: what counts is that the clock is looked at in every kind of step."""
    functions = {"f0(x)": "x+1"} | {f"f{k}(x)": f"f{k - 1}(x)+f{k - 1}(x)" for k in range(1, 10)}
    document = {
        "size": [256, 256, 64],
        "functions": functions,
        "parts": {
            "p": {"size": [200, 200, 60], "build": [{"box": [[0, 0, 0], [199, 199, 59]], "of": "red"}]}
        },
        "build": [{"box": [[0, 0, 0], [255, 255, 0]], "of": "blue"}, step],
    }
    scene = build(document, limits=Limits(step_seconds=0.05, total_seconds=0.5))
    assert any("longer than" in r.problem for r in scene.repairs)


# --------------------------------------------------------------------------- documents


def test_a_missing_size_is_the_bounding_box_of_what_is_built() -> None:
    steps = [
        {"box": [[-3, 2, 0], [4, 5, 1]], "of": "a"},
        {"sphere": {"center": [0, 3, 6], "radius": 2}, "of": "b"},
        {"scatter": "c", "on": "a", "count": 2},
    ]
    scene = made(*steps, size=None)
    assert scene.grid.size == (8, 5, 9)
    assert count(scene) + count(scene, "b") == (scene.grid.voxels - 2)


def test_a_bare_list_of_steps_is_a_scene_that_can_be_saved() -> None:
    scene = build([{"box": [[0, 0, 0], [1, 1, 1]], "of": "red"}])
    assert scene.grid.voxels == 8
    assert scene.document["build"] == [{"box": [[0, 0, 0], [1, 1, 1]], "of": "red"}]


def test_light_view_and_title_come_from_the_document() -> None:
    scene = made(
        {"voxels": [[0, 0, 0]], "of": "a"}, title="T", light="night", view={"azimuth": 70, "elevation": 10}
    )
    assert (scene.title, scene.light.name, scene.view.azimuth, scene.view.elevation) == ("T", "night", 70, 10)


def test_every_step_of_the_language_is_built() -> None:
    assert set(_STEPS) == set(STEPS)


# --------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    "step",
    [
        {"box": [[0, 0], [1, 1]], "of": "a"},
        {"box": [[0, 0, "what"], [1, 1, 1]], "of": "a"},
        {"box": [[0, 0, 0], [1, 1, float("nan")]], "of": "a"},
        {"sphere": {"radius": 2}, "of": "a"},
        {"formula": "x <", "in": [[0, 0, 0], [1, 1, 1]], "of": "a"},
        {"formula": "q(x)", "in": [[0, 0, 0], [1, 1, 1]], "of": "a"},
        {"place": "nothing", "at": [0, 0, 0]},
        {"voxels": [[0, 0, 0]], "of": {"a": "1/0", "b": -1}},
        {"scatter": [], "on": "a"},
        {"layers": [], "key": {}},
        {"mirror": "w"},
        {"repeat": "n", "build": []},
    ],
)
def test_one_bad_step_is_skipped_and_named(step: dict[str, Any]) -> None:
    scene = made({"voxels": [[7, 7, 7]], "of": "b"}, step, {"voxels": [[6, 7, 7]], "of": "b"})
    assert {(6, 7, 7), (7, 7, 7)} <= cells(scene, "b")
    assert any(r.path.startswith("$.build[1]") for r in scene.repairs)


def test_a_scene_without_any_voxel_is_an_error_with_the_reason() -> None:
    with pytest.raises(ReplyError, match=r"empty.*nothing"):
        made({"place": "nothing", "at": [0, 0, 0]})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"size": [10**9] * 3, "build": [{"voxels": [[0, 0, 0]], "of": "red"}]}, "beyond the limits"),
        ({"build": [{"voxels": [[0, 0, 0], [10**9, 0, 0]], "of": "red"}]}, "beyond the limits"),
        (
            {
                "size": [4, 4, 4],
                "build": [{"voxels": [[0, 0, 0]], "of": "red"}, {"repeat": 10**12, "build": []}],
            },
            "more than 20,000 steps",
        ),
        (
            {
                "size": [4, 4, 4],
                "build": [{"voxels": [[0, 0, 0]], "of": "red"}, {"formula": "9**9**9 < x", "of": "red"}],
            },
            "",
        ),
    ],
)
def test_what_asks_for_too_much_takes_no_memory(document: dict[str, Any], words: str) -> None:
    tracemalloc.start()
    try:
        scene = build(document)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 400e6
    assert scene.grid.voxels >= 1
    assert any(words in r.problem for r in scene.repairs) or not words


BIG = 176


def large_documents(side: int) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return how many grids of a side are held at once, and documents that fill them."""
    whole = [[0, 0, 0], [side - 1] * 3]
    mixed = {"box": whole, "of": ["red", "green"]}
    holes = "noise(x/9,y/9,z/9) > 0.4"
    found: dict[str, tuple[int, dict[str, Any]]] = {
        "formulas, mixes and mirrors": (
            1,
            {
                "build": [
                    {"formula": holes, "of": {"red": 2, "blue": 1}},
                    {**mixed, "only": "blue", "when": "hypot(x,y,z) > 30"},
                    {"mirror": "x"},
                ]
            },
        ),
        "nothing but dust": (1, {"build": [{"formula": "rand(x,y,z) > 0.5", "of": ["red", "green"]}]}),
        "textures": (
            1,
            {
                "textures": {"wall": [{"when": holes, "of": ["red", "blue"]}, {"of": "green"}]},
                "build": [{"box": whole, "of": "wall"}],
            },
        ),
        "more than 255 materials": (
            1,
            {"build": [mixed, {"voxels": [[0, 0, 0]], "of": [f"#{i:06x}" for i in range(300)]}]},
        ),
        "no size": (1, {"size": None, "build": [mixed]}),
        "a large part": (
            2,
            {
                "parts": {"bulk": {"size": [side] * 3, "build": [mixed]}},
                "build": [{"place": "bulk", "at": [[0, 0, 0]], "turn": 90, "when": holes}],
            },
        ),
        "things scattered": (1, {"build": [mixed, {"scatter": ["blue"], "on": ["red"], "count": 50}]}),
    }
    return {name: (grids, {"size": [side] * 3, **document}) for name, (grids, document) in found.items()}


@pytest.mark.parametrize("name", list(large_documents(1)))
def test_memory_stays_within_three_bytes_a_cell_and_one_slab(name: str) -> None:
    grids, document = large_documents(BIG)[name]
    tracemalloc.start()
    try:
        build(document)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * grids * BIG**3 + 12e6


@pytest.mark.parametrize("cells", [1 << 10, 3001])
def test_the_grid_does_not_depend_on_the_size_of_slabs(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for _, document in large_documents(40).values():
        whole = build(document).grid
        with monkeypatch.context() as changed:
            changed.setattr(canvas, "_SLAB_CELLS", cells)
            assert np.array_equal(build(document).grid.indices, whole.indices)


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of cells of every box that a step works on."""
    cells = []
    open_cells = canvas._open_cells

    def counted(low: Any, high: Any) -> Any:
        cells.append(int(np.prod(high - low + 1)))
        return open_cells(low, high)

    monkeypatch.setattr(canvas, "_open_cells", counted)
    return cells


AREA = [[8, 8, 8], [23, 15, 19]]
CELLS_OF_AREA = 16 * 8 * 12


@pytest.mark.parametrize(
    ("step", "times"),
    [
        ({"box": AREA, "hollow": True}, 1),
        ({"sphere": {"center": [15.5, 11.5, 13.5], "radius": [7.5, 3.5, 5.5]}}, 1),
        ({"cylinder": {"base": [15.5, 11.5, 8], "radius": [7.5, 3.5], "height": 12}}, 1),
        ({"roof": {"box": AREA}}, 1),
        ({"pyramid": AREA}, 1),
        ({"terrain": {"box": AREA}}, 2),  # the body, and its surface
        ({"formula": "noise(x,y,z) > 0.2", "in": AREA}, 1),
        ({"line": [[10, 12, 14], [21, 12, 14]], "width": 4}, 1),
        ({"layers": [["a" * 16] * 8] * 12, "at": AREA[0], "key": {"a": "a"}}, 1),
        ({"place": "bulk", "at": [AREA[0]], "turn": 180}, 1),
        ({"scatter": ["bulk"], "area": [[8, 8], [8, 8]], "count": 1, "turn": False}, 1),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_no_step_works_on_more_cells_than_its_own_box(
    step: dict[str, Any], times: int, worked: list[int]
) -> None:
    part = {"size": [16, 8, 12], "build": [{"voxels": [[8, 4, 0]], "of": "a"}]}
    scene = made(
        {"voxels": [[8, 8, 0]], "of": "b"},
        {"of": "a", **step, "when": "x > 3", "only": ["air", "b"]},
        size=(64, 64, 64),
        parts={"bulk": part},
    )
    assert count(scene) > 0
    assert 0 < sum(worked) <= times * CELLS_OF_AREA


def test_a_large_formula_is_worked_out_slab_by_slab(worked: list[int]) -> None:
    build({"size": [BIG] * 3, "build": [{"formula": "hypot(x-80, y-80, z-80) < 80", "of": "red"}]})
    assert sum(worked) == BIG**3
    assert max(worked) <= canvas._SLAB_CELLS


def test_limits_can_be_changed() -> None:
    document = {"size": [64, 64, 64], "build": [{"box": [[0, 0, 0], [63, 63, 63]], "of": "red"}]}
    assert build(document, limits=Limits(side=16)).grid.size == (16, 16, 16)
    assert build(document, limits=Limits(cells=64 * 64 * 32)).grid.voxels == 64 * 64 * 32


_NUMBERS = st.integers(-3, 12) | st.sampled_from(["i", "2+2", "7*sin(1)", "1/0", None, 1e300, "x", [], True])
_POINTS = st.lists(_NUMBERS, min_size=3, max_size=3)
_PAIRS = st.lists(_POINTS, min_size=2, max_size=2)
_OF = st.sampled_from(
    ["a", "b", {"a": 1, "b": 2}, ["a", "c"], "air", None, "#123", "stone", {"a": "i"}, 5, "t"]
)
_STEP = st.one_of(
    st.fixed_dictionaries({"box": _PAIRS, "of": _OF}, optional={"hollow": _NUMBERS, "walls": st.booleans()}),
    st.fixed_dictionaries(
        {"sphere": st.fixed_dictionaries({"center": _POINTS, "radius": _NUMBERS}), "of": _OF}
    ),
    st.fixed_dictionaries({"line": st.lists(_POINTS, max_size=4), "width": _NUMBERS, "of": _OF}),
    st.fixed_dictionaries({"formula": st.sampled_from(["x<y", "noise(x)", "z"]), "in": _PAIRS, "of": _OF}),
    st.fixed_dictionaries({"scatter": _OF, "count": _NUMBERS, "gap": _NUMBERS, "on": _OF}),
    st.fixed_dictionaries({"voxels": st.lists(_POINTS, max_size=4), "of": _OF}, optional={"only": _OF}),
    st.fixed_dictionaries({"place": st.just("p"), "at": _POINTS, "turn": _NUMBERS}),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(_STEP, max_size=6), st.lists(st.integers(1, 12), min_size=3, max_size=3) | st.none())
def test_any_document_gives_a_grid_within_its_size_or_a_reply_error(steps: list[Any], size: Any) -> None:
    document = {
        "size": size,
        "palette": PALETTE,
        "textures": {"t": [{"when": "z<3", "of": "a"}, {"of": "b"}]},
        "parts": {"p": {"size": [2, 2, 2], "build": [{"box": [[0, 0, 0], [1, 0, 1]], "of": "d"}]}},
        "build": [*steps, {"repeat": 2, "as": "i", "build": steps}],
    }
    try:
        scene = build(document)
    except ReplyError:
        return
    if size is not None and not any(r.path == "$.size" for r in scene.repairs):
        assert scene.grid.size == tuple(size)
    assert scene.grid.indices.max() < len(scene.grid.palette)
    assert np.array_equal(build(document).grid.indices, scene.grid.indices)


# --------------------------------------------------------------------------- recorded replies

GALLERY = Path(__file__).parents[1] / "gallery"
DIGESTS = json.loads((Path(__file__).parent / "digests.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_the_recorded_scenes_give_the_same_grid_bit_for_bit(name: str) -> None:
    document = json.loads((GALLERY / name / "scene.json").read_text(encoding="utf-8"))
    scene = build(document)
    assert clean(scene)
    digest = hashlib.sha256(repr(scene.grid.size).encode() + scene.grid.indices.tobytes()).hexdigest()
    assert digest == DIGESTS[name]


@pytest.mark.parametrize("far", [100, -1000, 10**5])
def test_a_scene_wholly_outside_of_its_size_is_drawn_where_it_stands(far: int) -> None:
    steps = [
        {"repeat": 3, "as": "i", "build": [{"box": [[f"{far}+i", 20, 1], [f"{far}+i", 24, 6]], "of": "red"}]}
    ]
    scene = build({"size": [16, 16, 16], "build": steps})
    assert scene.grid.indices.shape == (3, 5, 6)
    assert scene.grid.voxels == 90
    assert [str(r) for r in scene.repairs if r.path == "$.size"] == [
        "$.size: everything lies outside of 16×16×16; used the bounding box of what is built"
    ]
    inside = build({"size": [16, 16, 16], "build": [*steps, {"voxels": [[0, 0, 0]], "of": "red"}]})
    assert inside.grid.indices.shape == (16, 16, 16), "a size that holds anything is kept"


def test_a_scene_outside_of_its_size_that_draws_nothing_is_empty() -> None:
    with pytest.raises(ReplyError, match="the scene is empty"):
        build({"size": [4, 4, 4], "build": [{"box": [["90", 0, 0], [99, 9, 9]], "of": "air"}]})


@pytest.mark.parametrize("far", [-(10**6), -5000, 5000, 10**12])
def test_one_step_far_away_does_not_cost_the_rest_of_a_scene_without_a_size(far: int) -> None:
    steps = [{"voxels": [[far, 0, 0]], "of": "blue"}, {"box": [[2, 3, 0], [9, 9, 9]], "of": "red"}]
    near = {"box": [[0, 0, 0], [4, 4, 4]], "of": "red"}
    assert build({"build": [*steps, near]}).grid.voxels >= 500


@pytest.mark.parametrize("far", [20_000, 90_000])
def test_a_part_far_from_its_origin_costs_no_memory_and_stands_where_it_is_placed(far: int) -> None:
    steps = [{"voxels": [[far, far, 0]], "of": "#ff0000"}]
    document = {
        "size": [4, 4, 4],
        "parts": {"far": {"build": steps}},
        "build": [
            {"box": [[0, 0, 0], [3, 3, 0]], "of": "#00ff00"},
            {"place": "far", "at": [[2 - far, 1 - far, 3]]},
        ],
    }
    tracemalloc.start()
    scene = build(document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert scene.grid.palette[scene.grid.indices[2, 1, 3]].color == (255, 0, 0)
