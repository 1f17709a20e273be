import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxgen.errors import ReplyError
from voxgen.language.builder import build
from voxgen.language.document import (
    COMMON,
    STEPS,
    guess_material,
    mend,
    read_color,
    read_light,
    read_material,
    read_view,
    remarks,
)
from voxgen.language.reader import lost_steps
from voxgen.language.remarks import components, solid_runs
from voxgen.scene import AIR, Light, Material, Repair, View, VoxelGrid

REPLIES = sorted((Path(__file__).parents[2] / "shared" / "replies").glob("*.txt"))
PALETTE = {"a": "#ff0000", "b": "blue", "lamp": {"color": "#ffdc8c", "glow": 1.6}}
PARTS = {"tree": {"size": [1, 1, 3], "build": [{"box": [[0, 0, 0], [0, 0, 2]], "of": "a"}]}}
BOX = {"box": [[0, 0, 0], [3, 3, 3]], "of": "a"}


def mended(step: Any, **more: Any) -> tuple[list[dict[str, Any]], list[Repair]]:
    """Mend one step of a document."""
    document, repairs = mend({"palette": PALETTE, "parts": PARTS, **more, "build": [step]})
    return document["build"], repairs


def scene(**more: Any) -> tuple[dict[str, Any], list[Repair]]:
    return mend({"palette": PALETTE, "build": [BOX], **more})


# --------------------------------------------------------------------------- what is valid stays

VALID_STEPS: list[dict[str, Any]] = [
    BOX,
    {"box": [["i", 0, "floor(2*i)"], [9, 9, 9]], "of": {"a": 5, "b": 0.2}, "hollow": True},
    {"box": [[0, 0, 0], [9, 9, 9]], "of": ["a", "b"], "walls": 2, "only": "air", "when": "i<3", "note": "x"},
    {"sphere": {"center": [5.5, 5, 5], "radius": 3}, "of": "#12ab34", "keep": "top"},
    {"ellipsoid": {"center": ["cx", 5, 5], "radius": [3, "r", 1]}, "of": None, "hollow": 1},
    {"cylinder": {"base": [5, 5, 0], "radius": 2.5, "height": "h", "top": 1, "axis": "x"}, "of": "air"},
    {"cone": {"base": [5, 5, 0], "radius": 2, "height": 4}, "of": "a"},
    {"roof": {"box": [[0, 0, 0], [9, 9, 4]], "along": "x"}, "of": "a"},
    {"pyramid": [[0, 0, 0], [9, 9, 4]], "of": "a"},
    {"line": [[0, 0, 0], ["x+1", 2, 3], [9, 9, 9]], "width": 2, "taper": 0.5, "curve": True, "of": "a"},
    {"voxels": [[0, 0, 0], [1, 2, "z"]], "of": "a"},
    {
        "layers": ["aab/b.a/a", "a*3.*2b/ "],
        "at": [1, 2, 3],
        "key": {"a": {"a": 1, "b": 2}},
        "facing": "front",
    },
    {"terrain": {"box": [[0, 0, 0], [9, 9, 4]], "scale": 8, "seed": 2, "top": "b"}, "of": "a"},
    {"formula": "z<=3+2*noise(x/7,y/7,0.5)", "in": [[0, 0, 0], [9, 9, 9]], "of": "a"},
    {"repeat": "n", "as": "k", "build": [{"repeat": 2, "build": [BOX]}]},
    {"place": "tree", "at": [[0, 0, 0], ["i", 0, 1]], "with": {"h": "2*i", "m": "a"}, "turn": [0, 90]},
    {"place": "tree", "at": [[0, 0, 0]], "turn": "90*i", "mirror": "x", "anchor": "center"},
    {"scatter": ["tree", "a"], "on": ["a"], "area": [[0, 0], ["w", 9]], "count": 5, "gap": 2, "seed": 1},
    {"mirror": "y"},
]


@pytest.mark.parametrize("step", VALID_STEPS, ids=lambda s: next(iter(s)))
def test_a_valid_step_needs_no_repair(step: dict[str, Any]) -> None:
    assert mended(step) == ([step], [])


def test_a_valid_document_comes_back_equal() -> None:
    document = {
        "voxgen": 1, "title": "t", "plan": "p", "size": [8, "n", 8.0], "seed": 3,
        "light": {"preset": "night", "sky": ["#000000", "navy"], "sun": {"azimuth": 30, "color": "white"}},
        "view": {"azimuth": -40, "elevation": 30, "zoom": 1.2},
        "palette": {**PALETTE, "air": "black", "glass": {"color": "White", "opacity": 0, "metal": 1}},
        "let": {"n": 8, "r": "n/2"},
        "functions": {"f(x,y)": "x*y"},
        "textures": {"stone": [{"when": "z>3", "of": {"a": 1, "b": 2}}, {"of": "a"}]},
        "parts": {**PARTS, "rug": {"layers": ["ab/ba"]},
                  "p": {"size": ["n", 1, 1], "params": {"h": 3, "m": "a"}, "build": VALID_STEPS}},
        "build": VALID_STEPS, "origin": {"prompt": "x"}, "credits": ["anything"],
    }  # fmt: skip
    before = copy.deepcopy(document)
    assert mend(document) == (document, [])
    assert document == before


@pytest.mark.skipif(not REPLIES, reason="the recorded replies are not here")
@pytest.mark.parametrize("path", REPLIES, ids=lambda p: p.stem)
def test_recorded_replies_need_no_repair(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    before = copy.deepcopy(document)
    assert mend(document) == (before, [])
    assert document == before


def test_every_step_has_its_options_and_none_is_common() -> None:
    assert set(STEPS) == {str(next(iter(step))) for step in VALID_STEPS}
    assert not any(options & COMMON for options in STEPS.values())


# --------------------------------------------------------------------------- steps in other words

AS_BOX = [
    {"type": "box", "from": [0, 0, 0], "to": [3, 3, 3], "color": "a"},
    {"op": "cuboid", "start": {"x": 0, "y": 0, "z": 0}, "end": {"x": 3, "y": 3, "z": 3}, "material": "a"},
    {"shape": "Cube", "position": [0, 0, 0], "size": 4, "block": "a"},
    {"kind": "fill", "min": "0,0,0", "max": "(3, 3, 3)", "colour": "a"},
    {"box": {"from": [0, 0, 0], "to": [3, 3, 3]}, "of": "a"},
    {"box": {"p1": [0, 0, 0], "p2": [3, 3, 3], "of": "a"}},
    {"box": [0, 0, 0, 3, 3, 3], "of": "a"},
    {"box": [[3, 0, 3], [0, 3, 0]], "of": "a"},
    {"box": [["0px", 0, False], ["3 cells", 3, 3]], "of": "a"},
    {"box": {"x": 0, "y": 0, "z": 0, "width": 4, "depth": 4, "height": 4}, "of": "a"},
    {"box": {"at": [0, 0, 0], "size": "4x4x4"}, "of": "a"},
    {"box": {"x": [0, 3], "y": [0, 3], "z": "0..3"}, "of": "a"},
    {"type": "box", "x1": 0, "y1": 0, "z1": 0, "x2": 3, "y2": 3, "z2": 3, "c": "a"},
    {"from": [0, 0, 0], "to": [3, 3, 3], "type": "a"},
    {"Box": [[0, 0, 0], [3, 3, 3]], "of": "a"},
    {"cuboid": [[0, 0, 0], [3, 3, 3]], "of": "a"},
    ["box", [0, 0, 0], [3, 3, 3], "a"],
    ["fill", 0, 0, 0, 3, 3, 3, "a"],
]


@pytest.mark.parametrize("step", AS_BOX, ids=json.dumps)
def test_a_box_in_other_words_is_the_box(step: Any) -> None:
    steps, repairs = mended(step)
    assert steps == [BOX]
    assert repairs
    assert {r.level for r in repairs} == {"info"}
    assert all(r.path.startswith("$.build[0]") for r in repairs)


@pytest.mark.parametrize(
    ("step", "meant"),
    [
        ({"op": "sphere", "center": [5, 5, 5], "r": 3}, {"sphere": {"center": [5, 5, 5], "radius": 3}}),
        ({"sphere": [5, 5, 5, 3]}, {"sphere": {"center": [5, 5, 5], "radius": 3}}),
        ({"ball": {"pos": [5, 5, 5], "diameter": 6}}, {"sphere": {"center": [5, 5, 5], "radius": 3}}),
        ({"sphre": {"centre": [5, 5, 5], "radius": 3}}, {"sphere": {"center": [5, 5, 5], "radius": 3}}),
        (
            {"type": "dome", "x": 1, "y": 2, "z": 3, "radius": 2},
            {"sphere": {"center": [1, 2, 3], "radius": 2}, "keep": "top"},
        ),
        (
            {"type": "cylinder", "from": [5, 5, 0], "to": [5, 5, 9], "radius": 2},
            {"cylinder": {"base": [5, 5, 0], "radius": 2, "height": 10}},
        ),
        (
            {"cone": {"center": [5, 5, 0], "r": 2, "h": 4}},
            {"cone": {"base": [5, 5, 0], "radius": 2, "height": 4}},
        ),
        (
            {"roof": [[0, 0, 0], [9, 9, 4]], "ridge": "x"},
            {"roof": {"box": [[0, 0, 0], [9, 9, 4]], "along": "x"}},
        ),
        ({"pyramid": {"base": [0, 0, 0], "size": [9, 9, 5]}}, {"pyramid": [[0, 0, 0], [8, 8, 4]]}),
        (
            {"line": {"from": [0, 0, 0], "to": [5, 5, 5]}, "thickness": 2},
            {"line": [[0, 0, 0], [5, 5, 5]], "width": 2},
        ),
        ({"type": "voxel", "x": 1, "y": 2, "z": 3}, {"voxels": [[1, 2, 3]]}),
        ({"voxels": [1, 2, 3]}, {"voxels": [[1, 2, 3]]}),
        ({"formula": "z<3", "box": [[0, 0, 0], [9, 9, 9]]}, {"formula": "z<3", "in": [[0, 0, 0], [9, 9, 9]]}),
        (
            {"terrain": {"from": [0, 0, 0], "to": [9, 9, 4]}, "top": "b"},
            {"terrain": {"box": [[0, 0, 0], [9, 9, 4]], "top": "b"}},
        ),
        (
            {"type": "hollow_box", "from": [0, 0, 0], "to": [4, 4, 4]},
            {"box": [[0, 0, 0], [4, 4, 4]], "hollow": True},
        ),
        ({"box": [[0, 0, 0], [4, 4, 4]], "fill": False}, {"box": [[0, 0, 0], [4, 4, 4]], "hollow": True}),
    ],
    ids=str,
)
def test_shapes_in_other_words(step: dict[str, Any], meant: dict[str, Any]) -> None:
    steps, repairs = mended({**step, "material": "a"})
    assert steps == [{**meant, "of": "a"}]
    assert not [r for r in repairs if r.level == "loss"]


@pytest.mark.parametrize(
    ("step", "meant"),
    [
        ({"place": "tree", "at": [1, 2, 3]}, {"place": "tree", "at": [[1, 2, 3]]}),
        ({"type": "tree", "position": [1, 2, 0]}, {"place": "tree", "at": [[1, 2, 0]]}),
        (
            {"place": {"part": "Tree", "pos": [1, 2, 3]}, "rotation": 1},
            {"place": "tree", "at": [[1, 2, 3]], "turn": 90},
        ),
        ({"place": "tre", "at": [[0, 0, 0]], "turn": -90}, {"place": "tree", "at": [[0, 0, 0]], "turn": 270}),
        (
            {"scatter": "tree", "on": "a", "area": [0, 0, 9, 9]},
            {"scatter": ["tree"], "on": ["a"], "area": [[0, 0], [9, 9]]},
        ),
        ({"mirror": {"axis": "x"}}, {"mirror": "x"}),
        ({"repeat": {"count": 3, "as": "k", "build": [BOX]}}, {"repeat": 3, "as": "k", "build": [BOX]}),
        ({"repeat": 3, **BOX}, {"repeat": 3, "build": [BOX]}),
        ({"for": "k", "times": 3, "steps": [BOX]}, {"repeat": 3, "as": "k", "build": [BOX]}),
    ],
    ids=str,
)
def test_steps_without_material_in_other_words(step: dict[str, Any], meant: dict[str, Any]) -> None:
    steps, repairs = mended(step)
    assert steps == [meant]
    assert repairs


def test_a_repeat_that_moves_writes_the_move_into_the_coordinates() -> None:
    steps, _ = mended({"repeat": 3, "offset": [4, 0, 0], "build": [BOX]})
    assert steps == [{"repeat": 3, "build": [{"box": [["(0)+(4)*i", 0, 0], ["(3)+(4)*i", 3, 3]], "of": "a"}]}]


def test_groups_are_opened_and_hand_down_their_material() -> None:
    steps, _ = mended({"group": [{"box": BOX["box"]}], "of": "b"})
    assert steps == [{"box": BOX["box"], "of": "b"}]


def test_several_shapes_in_one_step_are_drawn_in_turn() -> None:
    steps, _ = mended({**BOX, "sphere": {"center": [1, 1, 1], "radius": 2}})
    assert steps == [BOX, {"sphere": {"center": [1, 1, 1], "radius": 2}, "of": "a"}]


def test_cells_that_name_their_materials_are_grouped_and_the_last_of_a_cell_wins() -> None:
    steps, _ = mended({"voxels": [[0, 0, 0, "a"], [1, 0, 0, "b"], {"x": 0, "y": 0, "z": 0, "color": "b"}]})
    assert steps == [{"voxels": [[1, 0, 0], [0, 0, 0]], "of": "b"}]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"wibble": 3}, 'no step is called "wibble"'),
        ({"sphere": {"center": [1, 1, 1]}, "of": "a"}, "its radius is missing"),
        ({"cylinder": {"base": [1, 1, 1]}, "of": "a"}, "its radius and height are missing"),
        ({"box": [[float("nan"), 0, 0], [1, 1, 1]], "of": "a"}, "is not two corners"),
        ({"box": [[float("inf"), 0, 0], [1, 1, 1]], "of": "a"}, "is not two corners"),
        ({"place": 7, "at": [0, 0, 0]}, "7 is not the name of a part"),
        (7, "7 is not a step"),
        ("and so on", '"and so on" is not a step'),
    ],
    ids=str,
)
def test_what_cannot_be_understood_is_left_out_and_told(step: Any, said: str) -> None:
    steps, repairs = mended(step)
    assert steps == []
    assert [r.level for r in repairs] == ["loss"]
    assert said in str(repairs[0])


def test_one_bad_cell_costs_only_itself() -> None:
    steps, repairs = mended({"voxels": [[0, 0, 0], [float("nan"), 0, 0], [1, 1, 1]], "of": "a"})
    assert steps == [{"voxels": [[0, 0, 0], [1, 1, 1]], "of": "a"}]
    assert "loss" in {r.level for r in repairs}


def test_unknown_options_are_ignored_and_told() -> None:
    steps, repairs = mended({**BOX, "glossy": 1})
    assert steps == [BOX]
    assert str(repairs[0]) == '$.build[0]: "glossy" is not an option of box; ignored it'


def test_a_step_without_material_gets_the_first_of_the_palette() -> None:
    steps, repairs = mended({"box": BOX["box"]})
    assert steps == [BOX]
    assert [r.level for r in repairs] == ["warn"]


# --------------------------------------------------------------------------- materials


@pytest.mark.parametrize(
    ("of", "meant"),
    [
        ([["a", 3], ["b", 1]], {"a": 3, "b": 1}),
        ([{"material": "a", "weight": 3}, {"material": "b"}], {"a": 3, "b": 1}),
        ({"mix": {"a": 1, "b": 2}}, {"a": 1, "b": 2}),
        ({"a": "50%", "b": 2}, {"a": 50, "b": 2}),
        ({"name": "a"}, "a"),
        ([255, 128, 0], "#ff8000"),
        ({"r": 255, "g": 128, "b": 0}, "#ff8000"),
        (0xFF8000, "#ff8000"),
        (False, None),
    ],
    ids=str,
)
def test_materials_in_other_forms(of: Any, meant: Any) -> None:
    steps, repairs = mended({"box": BOX["box"], "of": of})
    assert steps == [{"box": BOX["box"], "of": meant}]
    assert len(repairs) == 1


def test_a_material_written_out_in_a_step_joins_the_palette() -> None:
    document, _ = mend({"build": [{"box": BOX["box"], "of": {"color": "#123456", "emissive": 2}}]})
    name = document["build"][0]["of"]
    assert document["palette"] == {name: {"color": "#123456", "glow": 2}}


@pytest.mark.parametrize(
    ("palette", "meant"),
    [
        ([{"name": "a", "color": "#f00"}], {"a": "#ff0000"}),
        ([["a", "3fa34d"]], {"a": "#3fa34d"}),
        ({"#3fa34d": "a"}, {"a": "#3fa34d"}),
        ({"a": [1, 0, 0], "b": [0.5, 0.2, 0.1]}, {"a": "#ff0000", "b": "#80331a"}),
        ({"a": [1, 0, 0], "b": [255, 0, 0]}, {"a": "#010000", "b": "#ff0000"}),
        ({"a": [1, 1, 0], "b": [0, 0, 1]}, {"a": "#ffff00", "b": "#0000ff"}),
        ({"a": "#3fa34d80"}, {"a": {"color": "#3fa34d", "opacity": 0.502}}),
        ({"a": {"rgb": [10, 20, 30], "alpha": 0.5, "emissive": True}},
         {"a": {"color": "#0a141e", "opacity": 0.5, "glow": 1.0}}),
        ({"a": {"color": "red", "opacity": 80, "glow": 9}},
         {"a": {"color": "#ff0000", "opacity": 0.8, "glow": 3}}),
        ({"a": "minecraft:oak_log[axis=y]"}, {"a": "#6d5533"}),
        ({"a": "dark green", "none": None}, {"a": "#006400"}),
        ({"colors": {"a": "red"}}, {"a": "red"}),
    ],
    ids=str,
)  # fmt: skip
def test_palettes_in_other_forms(palette: Any, meant: dict[str, Any]) -> None:
    document, repairs = mend({"palette": palette, "build": [BOX]})
    assert document["palette"] == meant
    assert all(r.path.startswith("$.palette") for r in repairs)


def test_numbers_name_the_places_of_a_list_from_zero_with_air_first() -> None:
    box = BOX["box"]
    document, _ = mend(
        {"palette": ["air", "#ff0000"], "build": [{"box": box, "of": 1}, {"box": box, "of": 0}]}
    )
    assert document["palette"] == {"1": "#ff0000"}
    assert [step["of"] for step in document["build"]] == ["1", "air"]


def test_numbers_that_reach_the_length_of_a_list_count_from_one() -> None:
    box = BOX["box"]
    document, _ = mend(
        {"palette": ["#ff0000", "#00ff00"], "build": [{"box": box, "of": 1}, {"box": box, "of": 2}]}
    )
    assert document["palette"] == {"1": "#ff0000", "2": "#00ff00"}


def test_a_colour_that_means_nothing_is_guessed_and_told() -> None:
    document, repairs = mend({"palette": {"wobbly": "??"}, "build": [BOX]})
    assert read_color(document["palette"]["wobbly"]) is not None
    assert [r.level for r in repairs] == ["warn"]


# --------------------------------------------------------------------------- layers


@pytest.mark.parametrize(
    ("step", "meant"),
    [
        ({"layers": [["aa", "bb"], ["a.", "b."]]}, {"layers": ["aa/bb", "a./b."]}),
        ({"layers": {"y=0": "aa/aa", "2-3": "bb/bb"}}, {"layers": ["aa/aa", ".", "bb/bb", "bb/bb"]}),
        ({"layers": [{"z": 1, "rows": ["ab"]}, {"z": 0, "rows": ["ba"]}]}, {"layers": ["ba", "ab"]}),
        ({"layers": [[[0, 1], [1, 0]]], "key": {"1": "a"}}, {"layers": [".1/1."], "key": {"1": "a"}}),
        ({"layers": ["a a b/b b a"]}, {"layers": ["aab/bba"]}),
        ({"layers": ["aa\nbb"]}, {"layers": ["aa/bb"]}),
        ({"layers": ["stone,stone,dirt"]}, {"layers": ["ssd"], "key": {"s": "stone", "d": "dirt"}}),
        ({"layers": ["3a2.1b"]}, {"layers": ["a*3.*2b*1"]}),
        ({"layers": ["aab/ab/aabb"]}, {"layers": ["aab/aba/abb"]}),
        ({"layers": ["X"], "key": {"stone": "X"}}, {"layers": ["X"], "key": {"X": "stone"}}),
        ({"layers": ["##"], "of": "a"}, {"layers": ["##"], "key": {"#": "a"}}),
    ],
    ids=str,
)
def test_layers_in_other_forms(step: dict[str, Any], meant: dict[str, Any]) -> None:
    steps, repairs = mended(step)
    assert steps == [meant]
    assert repairs


def test_many_ragged_rows_are_filled_up_and_told() -> None:
    rows = ["a" * n for n in (5, 5, 5, 5, 5, 5, 4, 3, 5, 5)]
    steps, repairs = mended({"layers": ["/".join(rows)]})
    assert steps[0]["layers"][0].split("/")[6:8] == ["aaaa.*1", "aaa.*2"]
    assert "2 of 10 rows are longer or shorter" in str(repairs[0])


# --------------------------------------------------------------------------- the document around


@pytest.mark.parametrize(
    "reply",
    [
        {"scene": {"palette": PALETTE, "build": [BOX]}},
        {"palette": PALETTE, "scene": {"build": [BOX]}},
        {"name": "build_scene", "arguments": {"palette": PALETTE, "build": [BOX]}},
        {"tool_calls": [{"function": {"arguments": json.dumps({"palette": PALETTE, "build": [BOX]})}}]},
        [{"palette": PALETTE, "build": [BOX]}],
        [{"palette": PALETTE}, {"build": [BOX]}],
        json.dumps({"palette": PALETTE, "build": [BOX]}),
        {"palette": PALETTE, "steps": [BOX]},
        {"materials": PALETTE, "objects": [BOX]},
        {"colors": PALETTE, "commands": BOX},
        {"palette": PALETTE, "build": {"house": [BOX]}},
        {"palette": PALETTE, "the house": [BOX]},
        {"palette": PALETTE, **BOX},
    ],
    ids=str,
)
def test_the_document_is_found_wherever_it_is(reply: Any) -> None:
    assert mend(reply)[0] == {"palette": PALETTE, "build": [BOX]}


@pytest.mark.parametrize(
    "reply",
    [
        5, None, "hello", [], {}, [1, 2], {"hello": "world"}, float("nan"),
        {"$schema": "x", "type": "object", "properties": {"build": {"type": "array"}}},
        {"type": "object", "properties": {}},
        {"tool": "voxel.exec", "input": {"code": "box(0, 0, 0)"}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_scene_at_all_is_one_clear_error(reply: Any) -> None:
    with pytest.raises(ReplyError) as caught:
        mend(reply)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("size", "meant"),
    [
        ("16x16x8", [16, 16, 8]), ("16 × 16 × 8", [16, 16, 8]), (16, [16, 16, 16]), ("16", [16] * 3),
        ({"x": 4, "y": 5, "z": 6}, [4, 5, 6]), ({"width": 4, "height": 6, "depth": 5}, [4, 5, 6]),
        ([4, 5, -6], [4, 5, 6]), (["4px", 5, 6], [4, 5, 6]), ([4, 5, 6, 7], [4, 5, 6]),
    ],
    ids=str,
)  # fmt: skip
def test_sizes_in_other_forms(size: Any, meant: list[int]) -> None:
    assert scene(size=size)[0]["size"] == meant


@pytest.mark.parametrize("size", [0, [0, 1, 2], "big", [1, 2], [float("nan"), 1, 1], {}, None], ids=str)
def test_a_size_that_is_none_is_measured(size: Any) -> None:
    document, repairs = scene(size=size)
    assert "size" not in document
    assert "measured" in str(repairs[0])


def test_parts_as_a_list_as_bare_steps_and_as_one_step() -> None:
    step = {"place": "t", "at": [[0, 0, 0]]}
    for parts in ([{"name": "t", "steps": [BOX]}], {"t": [BOX]}, {"t": BOX}, {"t": {"objects": [BOX]}}):
        document, repairs = mend({"palette": PALETTE, "parts": parts, "build": [step]})
        assert document["parts"] == {"t": {"build": [BOX]}}
        assert {r.level for r in repairs} == {"info"}


def test_parts_that_lead_back_to_themselves_lose_that_step() -> None:
    def placing(name: str) -> dict[str, Any]:
        return {
            "size": [4, 4, 4],
            "build": [BOX, {"repeat": 9, "build": [{"place": name, "at": [[0, 0, 0]]}]}],
        }

    parts = {"a": placing("b"), "b": placing("c"), "c": placing("a"), "d": placing("d")}
    document, repairs = mend({"palette": PALETTE, "parts": parts, "build": [BOX]})
    assert document["parts"]["c"]["build"] == [BOX, {"repeat": 9, "build": []}]
    assert document["parts"]["d"]["build"] == [BOX, {"repeat": 9, "build": []}]
    assert [r.level for r in repairs] == ["loss", "loss"]


def test_lists_of_named_entries_are_read_as_maps() -> None:
    lists = {
        "let": [{"name": "h", "value": "12"}, {"id": "w", "is": 5, "note": "cells"},
                ["d", "h/2"], "r = 3", {"n": 2}],
        "functions": [
            {"name": "f", "params": ["x"], "formula": "x*h"},
            {"name": "g(a,b)", "expr": "a+b"},
            {"signature": "k(q)", "params": [], "body": "q"},
            {"id": "l", "arguments": [{"name": "a"}, {"name": "b"}], "returns": "a*b"},
            "m(x) = x+1",
        ],
        "textures": [
            {"name": "stone", "rules": [{"when": "z>3", "of": ["a", "b"]}, {"when": "", "of": "a"}]},
            {"id": "u", "of": ["a", "b"]},
        ],
        "parts": [{
            "name": "post", "size": [3, 3, "h"],
            "params": [{"name": "h", "value": 4}, {"name": "m", "type": "material", "default": "wood"}],
            "build": [{"box": [[0, 0, 0], [0, 0, "h"]], "of": "m"}],
        }],
        "build": [
            {"place": "post", "at": [[0, 0, 0]],
             "with": [{"name": "h", "value": 5}, {"param": "m", "of": "a"}]},
            {"layers": ["ab"], "key": [{"letter": "a", "of": "stone"}, {"char": "b", "of": ["x", "y"]}]},
        ],
    }  # fmt: skip
    maps = {
        "let": {"h": "12", "w": 5, "d": "h/2", "r": "3", "n": 2},
        "functions": {"f(x)": "x*h", "g(a,b)": "a+b", "k(q)": "q", "l(a,b)": "a*b", "m(x)": "x+1"},
        "textures": {"stone": [{"when": "z>3", "of": ["a", "b"]}, {"of": "a"}], "u": [{"of": ["a", "b"]}]},
        "parts": {"post": {"size": [3, 3, "h"], "params": {"h": 4, "m": "wood"},
                           "build": [{"box": [[0, 0, 0], [0, 0, "h"]], "of": "m"}]}},
        "build": [{"place": "post", "at": [[0, 0, 0]], "with": {"h": 5, "m": "a"}},
                  {"layers": ["ab"], "key": {"a": "stone", "b": ["x", "y"]}}],
    }  # fmt: skip
    document, repairs = mend(lists)
    assert document == maps
    assert mend(maps) == (maps, [])
    assert {r.level for r in repairs} == {"info"}


def test_entries_of_a_list_that_name_nothing_are_told() -> None:
    document, repairs = mend({"let": [{"name": "h", "value": 3}, 7, None], "build": [BOX]})
    assert document["let"] == {"h": 3}
    assert [r.level for r in repairs if "has no name" in r.problem] == ["loss", "loss"]
    assert mend({"let": [], "functions": [], "textures": [], "build": [BOX]})[1] == []


@pytest.mark.parametrize("key", ["ground", "Base", "floor"])
def test_what_a_scene_stands_on_is_drawn_before_the_rest(key: str) -> None:
    corners = {"from": {"x": 0, "y": 0, "z": 0}, "to": {"x": 9, "y": 9, "z": 0}}
    document, repairs = mend({"palette": PALETTE, "build": [BOX], key: {"box": corners, "of": "b"}})
    assert document["build"] == [{"box": [[0, 0, 0], [9, 9, 0]], "of": "b"}, BOX]
    assert {r.level for r in repairs} == {"info"}
    assert mend({"palette": PALETTE, "build": [BOX], key: [BOX, BOX]})[0]["build"] == [BOX] * 3


@pytest.mark.parametrize("of", ["", "air", None, [], ["", "."], "clear"])
def test_a_ground_of_nothing_is_of_the_first_material(of: Any) -> None:
    palette = {"clear": "#00000000", **PALETTE}
    document, _ = mend({"palette": palette, "build": [], "ground": {"box": BOX["box"], "of": of}})
    assert document["build"] == [{"box": BOX["box"], "of": "a"}]


WORD = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
AMOUNT = st.one_of(st.integers(-9, 99), st.sampled_from(["2+3", "max(3, 4)", "7"]))
MADE_OF = st.one_of(
    st.sampled_from(["moss", "#336699"]), st.lists(st.sampled_from(["moss", "rock"]), min_size=1)
)
RULES = st.lists(
    st.fixed_dictionaries({"of": MADE_OF}, optional={"when": st.sampled_from(["z>2", "x<y"])}),
    min_size=1,
    max_size=3,
)
LISTED = st.fixed_dictionaries({
    "let": st.dictionaries(WORD, AMOUNT, max_size=4),
    "functions": st.dictionaries(
        WORD, st.tuples(st.lists(st.sampled_from("abc"), unique=True), AMOUNT), max_size=3
    ),
    "textures": st.dictionaries(WORD, RULES, max_size=3),
    "params": st.dictionaries(WORD, st.one_of(AMOUNT, MADE_OF), max_size=3),
    "with": st.dictionaries(WORD, st.one_of(AMOUNT, MADE_OF), max_size=3),
})  # fmt: skip


@given(
    LISTED, st.sampled_from(["name", "id", "key"]), st.sampled_from(["value", "is", "expression", "default"])
)
def test_maps_and_lists_of_named_entries_mean_the_same(said: dict[str, Any], name: str, value: str) -> None:
    def listed(entries: dict[str, Any]) -> list[Any]:
        return [{name: k, value: v} for k, v in entries.items()]

    def whole(let: Any, functions: Any, textures: Any, params: Any, given: Any) -> dict[str, Any]:
        part = {
            "params": params,
            "build": [{"box": [[0, 0, 0], [1, 1, 3]], "of": next(iter(said["params"]), "clay")}],
        }
        steps = [{"box": [[0, 0, 0], [4, 4, 4]], "of": next(iter(said["textures"]), "clay")},
                 {"place": "p", "at": [[6, 0, 0]], "with": given}]  # fmt: skip
        return {
            "let": let,
            "functions": functions,
            "textures": textures,
            "parts": {"p": part},
            "build": steps,
        }

    functions = {f"{f}({','.join(a)})": str(body) for f, (a, body) in said["functions"].items()}
    maps = whole(said["let"], functions, said["textures"], said["params"], said["with"])
    lists = whole(
        listed(said["let"]),
        [{name: f, "params": a, "formula": body} for f, (a, body) in said["functions"].items()],
        [{name: t, "rules": rules} for t, rules in said["textures"].items()],
        listed(said["params"]),
        listed(said["with"]),
    )
    first, second = mend(maps)[0], mend(lists)[0]
    assert json.dumps(first) == json.dumps(second)
    assert (build(maps).grid.indices == build(lists).grid.indices).all()


def test_functions_constants_and_textures_in_other_forms() -> None:
    document, _ = scene(
        functions={"g": {"args": ["a", "b"], "body": "a+b"}, "h": "(a, b) => a*b", "k": "lambda q: q*2"},
        let=[{"n": 3}, {"m": "2*n"}, {"bad": None}],
        textures={"t": "a", "u": [{"if": "x>2", "material": "a"}, "b"]},
    )
    assert document["functions"] == {"g(a,b)": "a+b", "h(a,b)": "a*b", "k(q)": "q*2"}
    assert document["let"] == {"n": 3, "m": "2*n"}
    assert document["textures"] == {"t": [{"of": "a"}], "u": [{"when": "x>2", "of": "a"}, {"of": "b"}]}


# --------------------------------------------------------------------------- space


def test_a_scene_counted_from_one_is_moved_as_a_whole() -> None:
    document, repairs = scene(size=[4, 4, 4], build=[{"box": [[1, 1, 1], [4, 4, 4]], "of": "a"}])
    assert document["build"] == [BOX]
    assert "counted from 1" in str(repairs[0])


def test_a_scene_around_the_origin_is_moved_into_its_size() -> None:
    document, _ = scene(size=[8, 8, 4], build=[{"box": [[-4, -4, 0], [3, 3, 3]], "of": "a"}])
    assert document["build"] == [{"box": [[0, 0, 0], [7, 7, 3]], "of": "a"}]


def test_y_up_is_turned_only_where_that_fixes_everything() -> None:
    tower = {"box": [[0, 0, 0], [7, 19, 7]], "of": "a"}
    document, repairs = scene(size=[8, 8, 20], build=[tower])
    assert document["build"] == [{"box": [[0, 0, 0], [7, 7, 19]], "of": "a"}]
    assert repairs[0].level == "warn"
    for other in ({"box": [[0, 0, 0], [8, 0, 0]], "of": "a"}, {"box": [[0, 0, 0], ["w", 1, 1]], "of": "a"}):
        assert scene(size=[8, 8, 20], build=[tower, BOX, other])[0]["build"] == [tower, BOX, other]
    assert scene(size=[8, 8, 20], up="z", build=[tower, BOX])[1] == []


def test_a_size_that_most_steps_reach_out_of_grows() -> None:
    far = {"box": [[0, 0, 0], [7, 9, 7]], "of": "a"}
    document, repairs = scene(size=[4, 4, 4], build=[BOX, far, far])
    assert document["size"] == [8, 10, 8]
    assert [(r.path, r.level) for r in repairs] == [("$.size", "warn")]
    assert scene(size=[4, 4, 4], build=[BOX, BOX, far])[1] == []
    assert scene(size=[4, 4, 4], build=[BOX, {"box": [[0, 0, 0], [999, 9, 9]], "of": "a"}] * 3)[1] == []


def test_numbers_between_cells_are_rounded_and_counted_once() -> None:
    document, repairs = scene(build=[{"box": [[0.5, 0, 0], [3.4, 3.004, 3]], "of": "a"}])
    assert document["build"] == [{"box": [[1, 0, 0], [3, 3.004, 3]], "of": "a"}]
    assert [(r.path, r.problem, r.level) for r in repairs] == [
        ("$.build", "2 numbers lie between cells", "warn")
    ]


def test_a_step_outside_of_the_scene_is_told() -> None:
    away = {"box": [[40, 0, 0], [43, 3, 3]], "of": "a"}
    found = build({"size": [8, 8, 8], "palette": PALETTE, "build": [BOX, BOX, away]}).repairs
    assert ("$.build[2]", "info") in [(r.path, r.level) for r in found]


def test_a_cell_given_twice_is_counted_and_a_clear_color_is_air() -> None:
    document, repairs = scene(
        palette={"a": "#ff0000", "b": "#00ff0000"},
        build=[{"voxels": [[0, 0, 0, "a"], [0, 0, 0, "b"]]}, {**BOX, "of": "b"}],
    )
    assert document["build"] == [{"voxels": [[0, 0, 0]], "of": "air"}, {**BOX, "of": "air"}]
    assert "1 cell is given twice" in [r.problem for r in repairs]


def test_cells_outside_are_left_to_be_clipped() -> None:
    document = {
        "palette": PALETTE,
        "size": [8, 8, 8],
        "build": [{"box": [[-2, 0, 0], [20, 3, 3]], "of": "a"}],
    }
    assert mend(document) == (document, [])


# --------------------------------------------------------------------------- colours


@pytest.mark.parametrize(
    ("value", "color", "opacity"),
    [
        ("#3fa34d", (63, 163, 77), 1), ("3fa34d", (63, 163, 77), 1), ("0x3fa34d", (63, 163, 77), 1),
        (0x3FA34D, (63, 163, 77), 1), (0xFF3FA34D, (63, 163, 77), 1), ("#abc", (170, 187, 204), 1),
        ("#abcd", (170, 187, 204), 0.867), ("#3fa34d80", (63, 163, 77), 0.502),
        ("rgb(10, 20, 30)", (10, 20, 30), 1), ("rgba(10 20 30 / 50%)", (10, 20, 30), 0.5),
        ("rgb(100%, 0%, 50%)", (255, 0, 128), 1), ("hsl(120, 50%, 50%)", (64, 191, 64), 1),
        ("hsla(120deg 100% 50% / 0.3)", (0, 255, 0), 0.3), ("ForestGreen", (34, 139, 34), 1),
        ("dark green", (0, 100, 0), 1), ("Light-Blue", (173, 216, 230), 1), ("grey", (128, 128, 128), 1),
        ("transparent", (0, 0, 0), 0), ([255, 0, 128], (255, 0, 128), 1), ([0.2, 0.4, 1], (51, 102, 255), 1),
        ([10, 20, 30, 0.5], (10, 20, 30), 0.5), ({"r": 1, "g": 2, "b": 3}, (1, 2, 3), 1),
        ({"color": "#010203"}, (1, 2, 3), 1), ("[12, 13, 14]", (12, 13, 14), 1), (0, (0, 0, 0), 1),
    ],
    ids=str,
)  # fmt: skip
def test_colours_in_every_spelling(value: Any, color: tuple[int, int, int], opacity: float) -> None:
    assert read_color(value) == (color, opacity)


@pytest.mark.parametrize(
    "value",
    [
        "bed",
        "facade",
        "moss",
        "dark",
        "",
        "#ff",
        "#gg0000",
        None,
        True,
        -1,
        float("nan"),
        [1, 2],
        [1, 2, "x"],
        {},
    ],
)
def test_what_is_no_colour_is_none(value: Any) -> None:
    assert read_color(value) is None


def test_shades_are_darker_and_lighter_than_the_colour() -> None:
    found = [read_color(f"{shade} cream") for shade in ("dark", "", "light")]
    dark, plain, light = (sum(color[0]) for color in found if color)
    assert dark < plain < light


def test_a_material_is_clamped_and_never_missing() -> None:
    assert read_material("m", {"color": "red", "opacity": 7, "glow": 9, "metal": -1}) == Material(
        "m", (255, 0, 0), 1, 3, 0
    )
    guess, _ = guess_material("moss", ())
    assert isinstance(guess, Material)
    assert read_material("moss", {"color": "??"}).color == guess.color


@pytest.mark.parametrize(
    ("name", "meant", "words"),
    [
        ("mosss", "moss", 'used "moss"'),
        ("MOSS", "moss", 'used "moss"'),
        ("stone-Light", "stone_light", 'used "stone_light"'),
    ],
)
def test_a_name_close_to_one_that_is_known_is_that_one(name: str, meant: str, words: str) -> None:
    assert guess_material(name, ["moss", "stone_light", "st"]) == (meant, words)


def test_a_name_close_to_two_is_neither() -> None:
    assert isinstance(guess_material("roof3", ["roof1", "roof2"])[0], Material)


def test_unknown_names_become_blocks_colour_words_or_a_stable_colour() -> None:
    glass, said = guess_material("glass", ["grass"])
    assert isinstance(glass, Material)
    assert glass.opacity < 1
    assert "Minecraft" in said
    brown, _ = guess_material("dark_oak_brown", ())
    assert isinstance(brown, Material)
    assert brown.color[0] > brown.color[2]
    assert guess_material("xyzzy", ()) == guess_material("xyzzy", ())
    assert guess_material("xyzzy", ())[0] != guess_material("yzzyx", ())[0]


# --------------------------------------------------------------------------- light and view


@pytest.mark.parametrize(
    ("light", "meant"),
    [
        ("Golden Hour", "sunset"), ("a stormy evening", "overcast"), ("strange", "day"),
        ({"type": "night"}, {"preset": "night"}),
        ({"sky": "skyblue", "sun": {"intensity": "2", "colour": [255, 0, 0]}},
         {"sky": ["#87ceeb", "#87ceeb"], "sun": {"strength": 2, "color": "#ff0000"}}),
        ({"sun": {"direction": [1, -1, 1.4142]}}, {"sun": {"azimuth": 45, "elevation": 45}}),
    ],
    ids=str,
)  # fmt: skip
def test_lights_in_other_words(light: Any, meant: Any) -> None:
    document, repairs = scene(light=light)
    assert document["light"] == meant
    assert len(repairs) == 1


def test_a_background_is_the_sky_of_the_light() -> None:
    assert scene(light="night", background="#102030")[0]["light"] == {
        "preset": "night",
        "sky": ["#102030"] * 2,
    }


def test_a_camera_is_the_view() -> None:
    assert scene(camera={"position": [10, -10, 0], "target": [0, 0, 0]})[0]["view"] == {
        "azimuth": 45,
        "elevation": 0,
    }


def test_light_and_view_are_read() -> None:
    light = read_light(
        {"name": "night", "sky": ["#010203", "white"], "sun": {"azimuth": 30, "color": "red", "strength": 2}}
    )
    assert light == Light("night", (1, 2, 3), (255, 255, 255), 30, None, (255, 0, 0), 2)
    assert read_light("sunset") == Light("sunset")
    assert read_view({"azimuth": "20", "zoom": 1.5}) == View(20, None, 1.5)


@pytest.mark.parametrize(
    "value", [None, 5, "x", [], {"sky": 3, "sun": 4}, {"zoom": -1, "azimuth": float("nan")}]
)
def test_light_and_view_fall_back_to_their_defaults(value: Any) -> None:
    assert read_light(value) == Light()
    assert read_view(value) == View()


# --------------------------------------------------------------------------- remarks


def grid(
    cells: list[tuple[int, int, int]], size: tuple[int, int, int] = (9, 9, 9), colors: int = 9
) -> VoxelGrid:
    indices = np.zeros(size, np.uint8)
    for n, cell in enumerate(cells):
        indices[cell] = 1 + n % colors
    return VoxelGrid(indices, (AIR, *(Material(f"m{i}", (i, i, i)) for i in range(9))))


FLOOR = [(x, y, 0) for x in range(9) for y in range(9)]


def test_an_empty_a_single_and_a_one_coloured_scene_are_worth_asking_again() -> None:
    for cells, colors in (([], 1), ([(4, 4, 4)], 1), (FLOOR, 1)):
        found = remarks(grid(cells, colors=colors))
        assert [r.level for r in found] == ["loss"]
    assert remarks(grid(FLOOR)) == []


def test_floating_pieces_are_counted_and_those_that_touch_at_a_corner_are_not() -> None:
    assert remarks(grid([*FLOOR, (1, 1, 1), (2, 2, 2)])) == []
    found = remarks(grid([*FLOOR, (1, 1, 4), (1, 1, 5), (7, 7, 7)]))
    assert [r.level for r in found] == ["info"]
    assert "2 pieces float, 3 voxels, the largest 2 at [1,1,4]" in str(found[0])


@given(st.sets(st.tuples(*[st.integers(0, 4)] * 3), min_size=2, max_size=40))
@settings(deadline=None, max_examples=60)
def test_pieces_are_counted_like_a_flood_fill_does(cells: set[tuple[int, int, int]]) -> None:
    left, pieces = set(cells), []
    while left:
        stack, piece = [left.pop()], []
        while stack:
            cell = stack.pop()
            piece.append(cell)
            near = {c for c in left if max(abs(a - b) for a, b in zip(c, cell, strict=True)) == 1}
            left -= near
            stack += near
        pieces.append(piece)
    ground = min(z for _, _, z in cells)
    largest = max(map(len, pieces))
    loose = [p for p in pieces if min(z for _, _, z in p) > ground]
    stands = any(len(p) == largest and p not in loose for p in pieces)
    expected = sum(map(len, loose)) - (0 if stands else largest)
    said = str(remarks(grid(sorted(cells), (5, 5, 5))))
    assert ("float" in said) == (expected > 0)
    assert not expected or f"{expected} voxel" in said


def test_pieces_are_told_apart_in_the_far_corner_of_the_largest_grids() -> None:
    runs = [[0, 0, 0, 9], [2000, 2047, 1500, 2040], [2001, 2046, 3, 9], [2001, 2047, 1000, 1499]]
    assert components(np.array(runs, np.int32)).tolist() == [0, 1, 2, 1]


def test_dust_is_not_kept_as_runs() -> None:
    dust = VoxelGrid(np.tile(np.array([1, 0, 2, 0], np.uint8), (800, 800, 1)), (AIR, AIR, AIR))
    runs, tops = solid_runs(dust)
    assert runs is None
    assert tops.tolist() == [0, 640_000, 640_000]


# --------------------------------------------------------------------------- anything

WORDS = sorted({*STEPS, *COMMON, *(o for options in STEPS.values() for o in options)})
KEYS = st.sampled_from(
    [*WORDS, "type", "from", "to", "color", "size", "x", "y", "z", "palette", "parts", "scene", "tree", "0"]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(["a", "tree", "3px", "i*2", "1,2,3", "aa/bb", "#ff0000", "box", "x", "16x16x8", "50%"]),
)  # fmt: skip
POINTS = st.lists(st.integers(-2, 9), min_size=3, max_size=3)
JSON = st.recursive(
    SCALARS | POINTS | st.lists(POINTS, min_size=2, max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)
DOCUMENTS = st.fixed_dictionaries(
    {"build": st.lists(JSON | st.sampled_from(VALID_STEPS), max_size=4)},
    optional={
        "palette": JSON,
        "parts": JSON,
        "size": JSON,
        "light": JSON,
        "let": JSON,
        "textures": JSON,
        "view": JSON,
    },
)


@example({"build": [], "textures": {"bark": {"of": "red", "when": False}}})
@given(JSON | DOCUMENTS)
@settings(deadline=None, max_examples=200)
def test_any_value_gives_a_document_that_needs_no_more_mending_or_a_reply_error(value: Any) -> None:
    before = json.dumps(value)
    try:
        document, found = mend(value)
    except ReplyError:
        return
    assert not [r for r in found if "beyond understanding" in r.problem]
    assert json.dumps(value) == before
    assert all(isinstance(step, dict) for step in document["build"])
    again, repairs = mend(document)
    assert json.dumps(again, sort_keys=True) == json.dumps(document, sort_keys=True)
    assert repairs == []


def nested(depth: int, key: str | None) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if key is None else {key: value}
    return value


@pytest.mark.parametrize("key", [None, "scene", "build", "group", "of", "layers", "color", "repeat"])
def test_nesting_without_end_ends(key: str | None) -> None:
    deep = nested(50_000, key)
    for value in (deep, {"build": deep}, {"palette": deep, "build": [BOX]}, {"build": [{**BOX, "of": deep}]},
                  {"build": [{"box": deep, "of": "a"}]}, {"size": deep, "light": deep, "build": [BOX]},
                  {"view": deep, "build": [BOX]}, {"build": [{"layers": deep}]},
                  {"parts": deep, "textures": deep, "let": deep, "build": [BOX]}):  # fmt: skip
        try:
            document, _ = mend(value)
        except ReplyError:
            continue
        assert isinstance(document["build"], list)


def test_a_document_inside_itself_ends() -> None:
    inside: dict[str, Any] = {"palette": PALETTE}
    inside["build"] = [BOX, inside]
    document, _ = mend(inside)
    assert document["build"][0] == BOX


def test_numbers_beyond_all_bounds_are_kept_for_the_limits_or_dropped() -> None:
    assert scene(size=[1e9, 1e9, 1e9])[0]["size"] == [1e9, 1e9, 1e9]
    assert "size" not in scene(size=[10**400, 1, 1])[0]
    assert mended({"box": [[10**400, 0, 0], [1, 1, 1]], "of": "a"})[0] == []


def test_a_million_bad_steps_end_in_a_short_list_of_repairs() -> None:
    document, repairs = mend({"build": [5] * 1_000_000})
    assert document["build"] == []
    assert len(repairs) <= 1002
    assert "more like these" in str(repairs[-1])


def test_a_declared_y_up_turns_the_scene_once() -> None:
    document = {"size": [4, 6, 8], "up": "y", "build": [{"box": [[0, 0, 0], [3, 5, 0]], "of": "red"}]}
    mended, repairs = mend(document)
    assert mended["size"] == [4, 8, 6]
    assert mended["build"] == [{"box": [[0, 7, 0], [3, 7, 5]], "of": "red"}]
    assert any(r.path == "$.up" for r in repairs)
    assert mend(mended) == (mended, [])


@pytest.mark.parametrize("key", ["buil", "biuld", "buildd"])
def test_a_misspelt_build_is_built_and_warned_about(key: str) -> None:
    steps = [{"voxels": [[0, 0, 0]], "of": "red"}]
    mended, repairs = mend({"size": [2, 2, 2], key: steps, "pallete": {"red": "#ff0000"}})
    assert mended == {"size": [2, 2, 2], "build": steps, "palette": {"red": "#ff0000"}}
    assert [r.level for r in repairs] == ["warn", "warn"]


def test_colour_names_are_known_after_a_picture_was_drawn_on_one_of_them() -> None:
    from PIL import ImageColor

    from voxgen.language import palette

    palette._names.cache_clear()
    ImageColor.getrgb("tomato")  # Pillow then keeps it in another form
    assert palette.read_color("tomato") == palette.read_color("#ff6347")


def test_lost_steps_are_counted_once_each_beside_all_there_are() -> None:
    steps = [
        BOX,
        {"wibble": 1},
        {"sphere": {"center": [1, 1, 1]}, "of": "a"},
        {"place": "none", "at": [0, 0, 0]},
    ]
    parts = {"p": {"size": [1, 1, 1], "build": [{"voxels": [[0, 0, 0]], "of": "a"}, {"wobble": 2}]}}
    nested = {"repeat": 2, "build": [BOX, {"box": 3, "of": "a"}]}
    for size in ([8, 8, 8], None):
        found = build({"size": size, "palette": PALETTE, "parts": parts, "build": [*steps, nested]})
        assert lost_steps(found) == (5, 9)
    assert lost_steps(build({"build": [BOX]})) == (0, 1)


# --------------------------------------------------------------------------- y runs up

LITERAL = [  # what means the same cells in any axes
    {"box": [[1, 0, 2], [3, 5, 4]], "of": "red", "hollow": True},
    {"box": [["1", "k-k", 2], [3, "2+3", "k"]], "of": "red"},
    {"sphere": {"center": [4, 3, 2], "radius": [3, 2, 1]}, "of": "red"},
    {"ellipsoid": {"center": [4, 3, 2.5], "radius": 2}, "of": "red"},
    {"cylinder": {"base": [4, 0, 3], "radius": [2, 1], "height": 5, "axis": "y"}, "of": "red"},
    {"cylinder": {"base": [4, 2, 1], "radius": 2, "height": 4, "axis": "z", "top": 0}, "of": "red"},
    {"cone": {"base": [0, 3, 3], "radius": 3, "height": "k+1", "axis": "x"}, "of": "red"},
    {"line": [[0, 0, 0], [7, 5, 6]], "width": 2, "of": "red"},
    {"voxels": [[0, 1, 2], [7, 5, 0]], "of": "red"},
    {"formula": "x + 2*y > z + 3 and not (z == 2)", "in": [[0, 0, 1], [6, 4, 5]], "of": "red"},
    {"formula": "hypot(x-3, z-2) < 2", "of": "red", "when": "y < 4"},
    {"repeat": 3, "as": "z", "build": [{"box": [["z", "z", 0], ["z", "z+1", "z"]], "of": "red"}]},
    {"mirror": "z"},
]


@pytest.mark.parametrize("step", LITERAL, ids=json.dumps)
def test_every_step_turns_with_a_scene_whose_y_runs_up(step: dict[str, Any]) -> None:
    corner = {"voxels": [[0, 0, 0], [1, 0, 0], [0, 1, 0]], "of": "blue"}
    document = {"size": [8, 6, 7], "let": {"k": 4}, "build": [corner, step]}
    lying, standing = build(document).grid, build({**document, "up": "y"}).grid
    assert standing.size == (8, 7, 6)
    assert np.array_equal(standing.indices, lying.indices.transpose(0, 2, 1)[:, ::-1])


def cells_of(document: dict[str, Any]) -> set[tuple[int, ...]]:
    return {tuple(int(v) for v in cell) for cell in np.argwhere(build(document).grid.indices)}


@pytest.mark.parametrize(
    ("y_up", "z_up"),
    [
        (  # what stands goes on standing
            {"cylinder": {"base": [3, 1, 2], "radius": 1, "height": 4}},
            {"cylinder": {"base": [3, 4, 1], "radius": 1, "height": 4}},
        ),
        (
            {"roof": {"box": [[0, 1, 1], [6, 4, 5]], "along": "z"}},
            {"roof": {"box": [[0, 1, 1], [6, 5, 4]], "along": "y"}},
        ),
        ({"pyramid": [[0, 0, 2], [4, 3, 6]]}, {"pyramid": [[0, 0, 0], [4, 4, 3]]}),
        (
            {"sphere": {"center": [3, 2, 3], "radius": 2}, "keep": "top"},
            {"sphere": {"center": [3, 3, 2], "radius": 2}, "keep": "top"},
        ),
        (
            {"layers": ["ab/a./b.", "a*2/.b/.a"], "at": [1, 2, 0], "key": {"a": "red", "b": "red"}},
            {"layers": ["ab/a./b.", "a*2/.b/.a"], "at": [1, 4, 2], "key": {"a": "red", "b": "red"}},
        ),
        (
            {
                "layers": ["ab/a.", ".b/.a"],
                "at": [1, 2, 1],
                "key": {"a": "red", "b": "red"},
                "facing": "front",
            },
            {
                "layers": ["ab/a.", ".b/.a"],
                "at": [1, 4, 2],
                "key": {"a": "red", "b": "red"},
                "facing": "front",
            },
        ),
        ({"place": "p", "at": [[1, 0, 2]]}, {"place": "q", "at": [[1, 2, 0]]}),
        ({"place": "p", "at": [[1, 0, 2]], "turn": 90}, {"place": "q", "at": [[1, 3, 0]], "turn": 90}),
        (
            {"place": "p", "at": [[3, 1, 3]], "anchor": "center", "mirror": "z"},
            {"place": "q", "at": [[3, 3, 1]], "anchor": "center", "mirror": "y"},
        ),
        (
            {"terrain": {"box": [[0, 0, 1], [6, 0, 4]], "scale": 4}},
            {"terrain": {"box": [[0, 2, 0], [6, 5, 0]], "scale": 4}},
        ),
    ],
    ids=str,
)
def test_what_knows_up_by_itself_keeps_it(y_up: dict[str, Any], z_up: dict[str, Any]) -> None:
    parts = {
        "p": {
            "size": [2, 3, 3],
            "build": [{"voxels": [[0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 0, 2]], "of": "red"}],
        },
        "q": {
            "size": [2, 3, 3],
            "build": [{"voxels": [[0, 2, 0], [1, 2, 0], [0, 2, 2], [1, 0, 0]], "of": "red"}],
        },
    }
    up = {"size": [8, 6, 7], "up": "y", "parts": parts, "build": [{**y_up, "of": "red"}]}
    assert cells_of(up) == cells_of({"size": [8, 7, 6], "parts": parts, "build": [{**z_up, "of": "red"}]})


def test_a_turned_document_needs_no_more_mending() -> None:
    document = {"size": [8, 6, 7], "up": "y", "palette": PALETTE, "build": LITERAL}
    again, _ = mend(document)
    assert mend(again)[0] == again


def test_axes_that_only_may_be_swapped_are_asked_about_and_kept() -> None:
    steps = [{"box": [[0, 0, i], [3, 9, i]], "of": "a"} for i in range(3)]
    document = {"size": [8, 4, 12], "palette": PALETTE, "build": [*steps, {"repeat": 2, "build": [BOX]}]}
    assert mend(document)[1] == []
    assert any('"up": "y"' in r.fix for r in build(document).repairs)
    assert not any('"up": "y"' in r.fix for r in build({**document, "up": "z"}).repairs)


@pytest.mark.parametrize(
    ("key", "name"), [("name", "oak"), ("id", "oak"), ("key", "oak"), ("part", "oak"), ("name", 7)]
)
def test_a_part_of_a_list_has_the_name_it_says(key: str, name: Any) -> None:
    part = {key: name, "build": [{"voxels": [[0, 0, 0]], "of": "red"}]}
    assert list(mend({"parts": [part], "build": []})[0]["parts"]) == [str(name)]


def test_a_part_of_a_list_that_is_only_steps_is_called_by_its_place() -> None:
    steps = [{"voxels": [[0, 0, 0]], "of": "red"}]
    assert list(mend({"parts": [steps, {"oak": {"build": steps}}], "build": []})[0]["parts"]) == [
        "part0",
        "oak",
    ]
