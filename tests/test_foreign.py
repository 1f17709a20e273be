import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen.errors import ReplyError
from voxgen.language.blocks import block_material, is_air
from voxgen.language.builder import build
from voxgen.language.foreign import Foreign, lines, recognise, recognise_text
from voxgen.language.palette import hex_of
from voxgen.language.reader import read
from voxgen.scene import VoxelGrid

FIXTURES = Path(__file__).parent / "fixtures" / "foreign"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))
VARIANTS = FIXTURES.parent / "builds"
MEANT = json.loads((VARIANTS / "expected.json").read_text(encoding="utf-8"))
BUILDS = Path(__file__).parents[2] / "shared" / "builds"
MANIFEST = json.loads((BUILDS / "manifest.json").read_text()) if BUILDS.exists() else []


def load(path: Path) -> Foreign:
    """Recognise a file; it must be known."""
    text = (
        gzip.decompress(path.read_bytes()).decode()
        if path.suffix == ".gz"
        else path.read_text(encoding="utf-8")
    )
    found = recognise_text(text) if path.suffix == ".txt" else recognise(json.loads(text))
    assert found is not None
    return found


def grid_of(found: Foreign | None) -> VoxelGrid:
    assert found is not None
    return found.grid if found.grid is not None else build(found.document or {}).grid


def cells(grid: VoxelGrid) -> dict[tuple[int, ...], str]:
    """Every solid cell and the name of its material."""
    return {
        tuple(int(v) for v in c): grid.palette[grid.indices[tuple(c)]].name for c in np.argwhere(grid.indices)
    }


@pytest.mark.parametrize("name", EXPECTED)
def test_every_shape_gives_its_cells_and_size(name: str) -> None:
    found = load(FIXTURES / name)
    grid = grid_of(found)
    assert (found.name, grid.voxels, list(grid.size)) == tuple(EXPECTED[name].values())
    assert not [r for r in found.repairs if r.level == "loss"]


@pytest.mark.parametrize("name", MEANT)
def test_every_variant_gives_its_very_cells_and_colors(name: str) -> None:
    """Other keys, orders and wrappers than the format's own change nothing."""
    grid = read((VARIANTS / name).read_bytes()).grid
    low = grid.bounds()[0]
    found = {
        ",".join(str(v) for v in cell - low): hex_of(grid.palette[grid.indices[tuple(cell)]].color)
        for cell in np.argwhere(grid.indices)
    }
    assert found == {cell: color or found.get(cell) for cell, color in MEANT[name].items()}


@pytest.mark.skipif(not MANIFEST, reason="the collected builds are not here")
@pytest.mark.parametrize("entry", [e for e in MANIFEST if e["schema"] != "vox"], ids=lambda e: e["file"])
def test_real_builds_have_the_listed_voxels_and_size(entry: dict[str, str]) -> None:
    found = load(BUILDS / entry["file"])
    x, y, z = json.loads(entry["dims"])
    assert found.grid is not None
    assert (found.grid.voxels, found.grid.size) == (int(entry["voxels"]), (x, z, y))
    unknown = [
        m
        for m in found.grid.palette
        if "_" in m.name and block_material(m.name) is None and "#" not in m.name
    ]
    assert not unknown


@pytest.mark.skipif(not BUILDS.exists(), reason="the collected builds are not here")
def test_a_recorded_tool_call_with_code_is_refused() -> None:
    value = json.loads((BUILDS / "minebench-duck.voxel_exec_call.json").read_text())
    with pytest.raises(ReplyError, match="runs no code"):
        recognise(value)


# --------------------------------------------------------------------------- axes and ends


def test_lights_beside_layers_are_not_the_build() -> None:
    lit = {"size": [2, 2, 1], "palette": {"a": "red"}, "layers": ["aa/aa"]}
    for key in ("lights", "spots"):
        found = recognise({**lit, key: [{"x": 1, "y": 1, "z": 9, "color": "white"}] * 3})
        assert found is not None
        assert found.name == "plain layers"


def test_y_up_is_turned_not_mirrored() -> None:
    """Up is +y there and +z here, towards the viewer +z there and -y here; x stays."""
    rows = [(0, 0, 0, "red"), (1, 0, 0, "lime"), (0, 1, 0, "blue"), (0, 0, 1, "white")]
    grid = grid_of(recognise([dict(zip("xyzc", row, strict=True)) for row in rows]))
    assert cells(grid) == {(0, 1, 0): "red", (1, 1, 0): "lime", (0, 1, 1): "blue", (0, 0, 0): "white"}


def test_cuboid_ends_are_excluded_and_shells_are_hollow() -> None:
    block = {"start": [0, 0, 0], "end": [3, 3, 3], "type": "minecraft:stone"}
    assert grid_of(recognise({"blocks": [block]})).voxels == 27
    assert grid_of(recognise({"blocks": [{**block, "fill": False}]})).voxels == 26


def test_later_cuboids_win_and_air_carves() -> None:
    first = {"start": [0, 0, 0], "end": [2, 1, 1], "type": "minecraft:stone"}
    later = {"start": [0, 0, 0], "end": [1, 1, 1], "type": "minecraft:oak_log"}
    carve = {"start": [1, 0, 0], "end": [2, 1, 1], "type": "minecraft:cave_air"}
    assert cells(grid_of(recognise({"blocks": [first, later]}))) == {(0, 0, 0): "oak_log", (1, 0, 0): "stone"}
    assert cells(grid_of(recognise({"blocks": [first, later, carve]}))) == {(0, 0, 0): "oak_log"}


def test_minebench_blocks_lie_over_lines_over_boxes_whatever_the_order_of_keys() -> None:
    value = {
        "blocks": [{"x": 0, "y": 0, "z": 0, "type": "gold_block"}],
        "lines": [{"from": {"x": 0, "y": 0, "z": 0}, "to": {"x": 1, "y": 0, "z": 0}, "type": "stone"}],
        "boxes": [{"x1": 0, "y1": 0, "z1": 0, "x2": 2, "y2": 0, "z2": 0, "type": "oak_planks"}],
    }
    assert list(cells(grid_of(recognise(value))).values()) == ["gold_block", "stone", "oak_planks"]


def test_artist_keys_that_are_not_in_the_palette_are_grey() -> None:
    value = {"palette": {"a": "#ff0000"}, "ops": [["fill", 0, 0, 0, 0, 0, 0, "zz"]]}
    assert grid_of(recognise(value)).palette[1].color == (0xCC, 0xCC, 0xCC)


def test_a_vibecraft_row_count_repeats_the_row_and_air_skips() -> None:
    value = {"p": {"S": "stone", "P": "oak_planks"}, "l": [["0-1", "S*2~2"], [1, ". P|P ."]]}
    grid = grid_of(recognise(value))
    assert grid.size == (2, 2, 2)
    assert sorted(cells(grid).values()) == ["oak_planks"] * 2 + ["stone"] * 6


def test_nested_arrays_are_indexed_z_y_x() -> None:
    grid = grid_of(recognise({"grid": [[["stone", 0, "sand"], ["dirt", 0, 0]]]}))
    assert cells(grid) == {(0, 0, 0): "stone", (2, 0, 0): "sand", (0, 1, 0): "dirt"}


def test_a_plain_grid_keeps_its_size_unless_cells_lie_outside() -> None:
    value = {"size": [3, 3, 3], "palette": {"a": "red"}, "voxels": [[0, 0, 0, "a"], [1, 1, 2, "a"]]}
    assert grid_of(recognise(value)).size == (3, 3, 3)
    value["voxels"].append([5, 0, 0, "a"])
    assert grid_of(recognise(value)).size == (6, 2, 3)


def test_two_places_that_round_to_one_cell_both_survive() -> None:
    rows = [{"x": x, "y": 0, "z": 0, "c": "red"} for x in (0, 0.3, 1, 3)]
    assert grid_of(recognise(rows)).voxels == 4


@pytest.mark.parametrize(
    "value",
    [
        {"palette": {"a": "red"}, "build": [{"box": [[0, 0, 0], [1, 1, 1]], "of": "a"}]},
        {"blocks": [{"type": "sphere", "center": [1, 1, 1], "radius": 2, "color": "red"}]},
        {"size": [4, 4, 4], "parts": {}, "layers": []},
        [{"type": "box", "from": [0, 0, 0], "to": [1, 1, 1]}],
        {"title": "x"}, [], {}, 5, None, "text",
    ],
)  # fmt: skip
def test_our_own_language_and_nothing_known_are_left_alone(value: object) -> None:
    assert recognise(value) is None


# --------------------------------------------------------------------------- text


def test_prose_and_json_are_no_text_format() -> None:
    for text in ("", "a garden", "2x4 of wood\nand a nail\nand more", '[[0,0,0,"stone"]]', "1 2 3"):
        assert recognise_text(text) is None


def test_brick_lines_may_stand_among_a_few_words() -> None:
    found = recognise_text("Here is the chair:\n2x2 (0,0,0)\n1x1 (0,0,1)\n")
    assert grid_of(found).voxels == 5


# --------------------------------------------------------------------------- block names


@pytest.mark.parametrize(
    ("name", "color"),
    [
        ("minecraft:grass_block[snowy=true]", "grass_block"),
        ("Grass Block", "grass_block"),
        ("minecraft:stone_brick_stairs[facing=east,half=top]", "stone_bricks"),
        ("mossy_cobblestone_wall", "mossy_cobblestone"),
        ("dark_oak_fence_gate", "dark_oak_planks"),
        ("waxed_oxidized_cut_copper_stairs", "oxidized_copper"),
        ("red_sandstone_slab", "red_sandstone"),
        ("potted_poppy", "poppy"),
        ("chest[facing=north]{Items:[]}", "chest"),
        ("silver_glazed_terracotta", "light_gray_glazed_terracotta"),
        ("lit_redstone_lamp", "redstone_lamp"),
        ("cobbled_deepslate_wall", "deepslate"),
        ("attached_melon_stem", "melon"),
    ],
)
def test_block_names_lose_their_state_and_family_ending(name: str, color: str) -> None:
    found, base = block_material(name), block_material(color)
    assert found is not None
    assert base is not None
    assert found.color == base.color


def test_dyes_woods_glass_water_and_lamps_look_like_themselves() -> None:
    def known(name: str):  # type: ignore[no-untyped-def]
        found = block_material(name)
        assert found is not None, name
        return found

    assert known("light_blue_wool").color != known("blue_wool").color
    assert known("birch_log").color != known("birch_planks").color
    assert known("cyan_stained_glass_pane").opacity < 1
    assert known("water").opacity < 1
    assert known("lava").glow > 0
    assert known("sea_lantern").glow > 0
    assert known("gold_block").metal > 0
    assert block_material("wobbly_thing") is None
    assert is_air("minecraft:cave_air")
    assert is_air(None)
    assert not is_air("stained_glass")


# --------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    "value",
    [
        {"blocks": [{"start": [0, 0, 0], "end": [float("inf")] * 3, "type": "stone"}]},
        [{"x": float("nan"), "y": 0, "z": 0, "c": "red"}] * 3,
        [{"x": "left", "y": 0, "z": 0, "c": "red"}],
        {"blocks": [{"start": [0, 0, 0], "end": [2, 2, 2], "type": "air"}]},
        {"boxes": [], "lines": [{"from": [0, 0, 0], "to": [10**9, 0, 0], "type": "stone"}]},
        [[[0, 0], [0, 0]]],
    ],
)
def test_builds_without_a_cell_are_one_clear_error(value: object) -> None:
    with pytest.raises(ReplyError, match="holds no block"):
        recognise(value)


def test_a_box_of_a_billion_cells_a_side_is_cut_and_told() -> None:
    found = recognise({"blocks": [{"start": [0, 0, 0], "end": [10**9, 1, 1], "type": "stone"}]})
    assert grid_of(found).size == (512, 1, 1)
    assert found is not None
    assert [r.level for r in found.repairs] == ["loss"]


def test_one_stray_cell_far_away_does_not_cost_the_build() -> None:
    near = [[x, y, 0, "stone"] for x in range(20) for y in range(20)]
    found = recognise([*near, [10**9, 0, 0, "stone"]])
    assert grid_of(found).voxels == 400


def test_bad_cells_are_left_out_and_counted() -> None:
    found = recognise(
        [[0, 0, 0, "stone"], [float("nan"), 0, 0, "stone"], ["a", 0, 0, "stone"], [1, 0, 0, "stone"]]
    )
    assert grid_of(found).voxels == 2
    assert found is not None
    assert "2 blocks have no place" in str(found.repairs[0])


KEYS = re.findall(
    r"\w+",
    "blocks boxes lines ops palette voxels layers grid l p s start end from to type fill x y z c pos state "
    "size rows x1 y1 z1 x2 y2 z2",
)
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6),
        st.sampled_from(["stone", "#ff0000", "S*3|S .~2", "1-3", "air", "box:3x3x3:S"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(st.integers(-3, 9), min_size=3, max_size=4),
        st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=25,
)  # fmt: skip


@given(JSON)
@settings(deadline=None, max_examples=150)
def test_any_value_gives_a_grid_within_limits_a_document_or_a_reply_error(value: object) -> None:
    try:
        found = recognise(value)
    except ReplyError:
        return
    if found is not None and found.grid is not None:
        assert found.grid.voxels
        assert max(found.grid.size) <= 512
        assert int(found.grid.indices.max()) < len(found.grid.palette)


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["2x4 (0,1,2)", "/fill 0 0 0 1 1 1 stone", "0 0 0 ff00ff", "x"])).map(
        "\n".join
    )
)
@settings(deadline=None, max_examples=100)
def test_any_text_gives_a_grid_or_nothing(text: str) -> None:
    found = recognise_text(text)
    assert found is None or grid_of(found).voxels


def test_layers_that_are_fullest_on_top_are_warned_about_and_kept() -> None:
    size = {"size": [3, 3, 3], "palette": {"a": "#808080"}}
    found = recognise({**size, "layers": [".../.a./...", ".../aa./...", "aaa/aaa/aaa"]})
    assert found is not None
    assert [r.level for r in found.repairs] == ["warn"]
    found = recognise({**size, "layers": ["aaa/aaa/aaa", ".../aa./...", ".../.a./..."]})
    assert found is not None
    assert not found.repairs


def test_very_many_names_each_get_a_color() -> None:
    cells = [{"x": i % 50, "y": i // 50 % 50, "z": i // 2500, "type": f"thing{i}"} for i in range(25_000)]
    found = recognise(cells)
    assert found is not None
    assert found.grid is not None
    assert found.grid.voxels == 25_000
    assert len(found.grid.palette) == 25_001


def test_a_text_format_of_endless_lines_is_cut_short_with_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINES", 4)
    found = recognise_text("".join(f"2x4 (0,0,{z})\n" for z in range(9)))
    assert found is not None
    assert found.grid is not None
    assert found.grid.size == (2, 4, 4)
    assert found.repairs[-1].level == "loss"
