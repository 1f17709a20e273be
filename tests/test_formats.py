"""Voxel and mesh files: what is written comes back, meshes enclose every voxel, hostile files are refused."""

from __future__ import annotations

import gzip
import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import voxgen
from voxgen import cli, files
from voxgen.errors import FileError, UsageError
from voxgen.files import blocks, glb, gox, meshes, minecraft, nbt, palettes, qb, schematic, space, vox
from voxgen.scene import AIR, Material, Scene, VoxelGrid

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "files"
# what each format keeps of a material beside its place
KEPT: dict[str, Callable[[Material], object]] = {
    ".vox": lambda m: (m.color, m.opacity, m.glow, m.metal),
    ".qb": lambda m: m.color,
    ".binvox": lambda m: True,
    ".npz": lambda m: m,
    ".schem": lambda m: m.name,
    ".litematic": lambda m: m.name,
    ".nbt": lambda m: m.name,
}
MESHES = (".glb", ".obj", ".ply", ".stl", ".usdz")
STATES = [
    "minecraft:stone",
    "minecraft:oak_log[axis=y]",
    "minecraft:water[level=0]",
    "create:cogwheel",
    "a:b[c=d,e=f]",
]


def quiet(sentence: str) -> None:
    """Hear what a format cannot keep."""


def random_scene(shape: tuple[int, ...], materials: int, seed: int, filled: float = 0.5) -> Scene:
    """Return a scene in which any material may be glass, a lamp or metal, all of it random."""
    random = np.random.default_rng(seed)
    indices = (random.integers(1, materials + 1, shape) * (random.random(shape) < filled)).astype(np.uint16)
    indices.flat[random.integers(indices.size)] = 1
    surfaces = [
        (1.0, 0.0, 0.0),
        (0.35, 0.0, 0.0),
        (1.0, 0.5, 0.0),
        (1.0, 1.6, 0.0),
        (1.0, 3.0, 0.0),
        (1.0, 0.0, 0.7),
    ]
    palette = [AIR]
    for number in range(1, materials + 1):
        color = (number % 256, number // 256, 9)
        palette.append(Material(f"m{number}", color, *surfaces[int(random.integers(len(surfaces)))]))
    return Scene("Random", VoxelGrid(indices, tuple(palette)))


def cells(scene: Scene, look: Callable[[Material], object]) -> tuple[tuple[int, ...], list[object]]:
    """Return size and look of every cell of the box that is not air."""
    box = space.cropped(scene.grid.indices)
    looks = [look(m) if i else None for i, m in enumerate(scene.grid.palette)]
    return box.shape, [looks[i] for i in box.flat]


def written(scene: Scene, ending: str, **options: Any) -> bytes:
    own = {"stem": "scene"} if ending == ".obj" else {}
    data = files.WRITERS[ending](scene, quiet, **own, **options)
    return data if isinstance(data, bytes) else data["scene.obj"]


_SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7))


@pytest.mark.parametrize("ending", [".vox", ".qb", ".binvox", ".npz"])
@settings(deadline=None, max_examples=40)
@given(shape=_SHAPES, materials=st.integers(1, 255), seed=st.integers(0, 999))
def test_any_scene_comes_back(ending: str, shape: tuple[int, ...], materials: int, seed: int) -> None:
    scene = random_scene(shape, materials, seed)
    again = files.READERS[ending](written(scene, ending), "Again")
    assert cells(again, KEPT[ending]) == cells(scene, KEPT[ending])


@pytest.mark.parametrize(
    ("ending", "options"),
    [(".schem", {}), (".schem", {"schem_version": 3}), (".litematic", {}), (".nbt", {})],
)
@settings(deadline=None, max_examples=40)
@given(shape=_SHAPES, many=st.integers(0, 400), seed=st.integers(0, 999))
def test_any_blocks_come_back_state_and_all(
    ending: str, options: dict[str, Any], shape: tuple[int, ...], many: int, seed: int
) -> None:
    scene = random_scene(shape, len(STATES) + many, seed)
    names = STATES + [f"mod:block_{i}[level={i}]" for i in range(many)]
    palette = (AIR, *(Material(name, (1, 2, 3)) for name in names))
    scene = scene.but(grid=VoxelGrid(scene.grid.indices, palette))
    again = files.READERS[ending](written(scene, ending, **options), "Again")
    assert again.grid.size == scene.grid.size
    assert cells(again, KEPT[ending]) == cells(scene, KEPT[ending])


def test_blocks_of_any_scene_are_the_same_the_second_time() -> None:
    scene = voxgen.load(ROOT / "gallery/garden/scene.json")
    once = minecraft.read(written(scene, ".schem"), "Once")
    twice = minecraft.read(written(once, ".litematic"), "Twice")
    assert np.array_equal(once.grid.indices > 0, scene.grid.indices > 0)
    assert cells(once, lambda m: m.name) == cells(twice, lambda m: m.name)
    assert not once.repairs


# --------------------------------------------------------------------------- MagicaVoxel


def test_a_scene_above_256_a_side_is_several_models_in_one_place() -> None:
    scene = random_scene((300, 9, 270), 20, 1)
    told: list[str] = []
    again = vox.read(vox.write(scene, told.append), "Again")
    assert cells(again, KEPT[".vox"]) == cells(scene, KEPT[".vox"])
    assert told == [".vox models have 256 voxels a side at most: the scene is 4 models"]


def test_above_255_materials_the_nearest_become_one_and_it_is_said() -> None:
    ramp = [Material(f"m{i}", (i % 256, i // 3, 90)) for i in range(700)]
    scene = Scene("Ramp", VoxelGrid(np.arange(1, 701, dtype=np.uint16).reshape(-1, 7, 1), (AIR, *ramp)))
    told: list[str] = []
    again = vox.read(vox.write(scene, told.append), "Again")
    assert len(again.grid.palette) == 256
    assert told == [".vox holds 255 materials: 700 were brought down to them"]
    wanted = np.array([ramp[i - 1].color for i in scene.grid.indices.flat])
    got = np.array([again.grid.palette[i].color for i in again.grid.indices.flat])
    assert np.abs(wanted - got).mean() < 3


def test_bringing_colours_down_keeps_lamps_and_glass() -> None:
    palette = [Material(f"m{i}", (i, 255 - i, 90)) for i in range(250)]
    palette += [Material("lamp", (9, 246, 90), glow=2), Material("pane", (9, 246, 91), opacity=0.3)]
    scene = Scene("Lamp", VoxelGrid(np.arange(1, 253, dtype=np.uint16).reshape(-1, 2, 1), (AIR, *palette)))
    kept = palettes.reduced(scene.grid, 40).palette
    assert len(kept) == 41
    assert {m.glow for m in kept} == {0, 2}
    assert 0.3 in {m.opacity for m in kept}


def test_materials_that_look_the_same_are_one_in_vox() -> None:
    grid = VoxelGrid(np.array([[[1, 2, 3]]], np.uint8), (AIR, *(Material(n, (5, 5, 5)) for n in "abc")))
    assert len(vox.read(vox.write(Scene("Same", grid), quiet), "").grid.palette) == 2


# --------------------------------------------------------------------------- axes

# a flag: a tall pole at the left front corner, red above, its cloth to the right, blue behind
FLAG = np.zeros((3, 4, 5), np.uint8)
FLAG[0, 0, :] = 1
FLAG[1:, 0, 4] = 2
FLAG[0, 3, 0] = 3


def flag() -> Scene:
    colors = {"pole": (120, 90, 60), "cloth": (200, 30, 30), "stone": (30, 30, 200)}
    return Scene("Flag", VoxelGrid(FLAG, (AIR, *(Material(n, c) for n, c in colors.items()))))


def test_minecraft_has_east_right_up_and_south_towards_the_viewer() -> None:
    tree = nbt.read(written(flag(), ".nbt"), "Minecraft")
    place = {tuple(b["pos"].tolist()): b["state"] for b in tree["blocks"]}
    assert tree["size"].tolist() == [3, 5, 4]
    assert place[2, 4, 3] == place[1, 4, 3] != place[0, 4, 3]  # the cloth: east of the pole, at the top
    assert (0, 0, 0) in place  # the stone: north


@pytest.mark.parametrize("ending", [*KEPT])
def test_nothing_is_mirrored_on_its_way(ending: str) -> None:
    again = files.READERS[ending](written(flag(), ending), "Again")
    assert np.array_equal(space.cropped(again.grid.indices) > 0, FLAG > 0)


def test_left_and_right_handed_qubicle_files_differ_in_depth_only() -> None:
    data = bytearray(written(flag(), ".qb"))
    data[8] = 1
    mirrored = qb.read(bytes(data), "").grid.indices
    assert np.array_equal(mirrored > 0, FLAG[:, ::-1] > 0)


# --------------------------------------------------------------------------- Minecraft


@pytest.mark.parametrize(
    ("name", "color", "more", "block"),
    [
        ("stone", (128, 128, 128), {}, "stone"),
        ("Oak Planks", (170, 135, 80), {}, "oak_planks"),
        ("stone", (250, 20, 20), {}, "red_concrete"),
        ("grass", (110, 160, 70), {}, "grass_block"),
        ("leaves", (78, 138, 44), {}, "oak_leaves[persistent=true]"),
        ("water", (60, 120, 230), {"opacity": 0.6}, "water[level=0]"),
        ("waterd", (40, 100, 130), {"opacity": 0.88}, "water[level=0]"),
        ("roof", (63, 91, 128), {}, "lapis_block"),
        ("window", (250, 250, 255), {"opacity": 0.4}, "white_stained_glass"),
        ("wine", (160, 40, 40), {"opacity": 0.5}, "red_stained_glass"),
        ("lamp", (255, 217, 140), {"glow": 2.0}, "glowstone"),
        ("neon", (200, 230, 220), {"glow": 1.0}, "sea_lantern"),
        ("snowfield", (246, 251, 251), {}, "snow_block"),
        ("minecraft:tnt[unstable=false]", (1, 2, 3), {}, "tnt[unstable=false]"),
    ],
)
def test_a_material_becomes_the_block_a_builder_would_take(
    name: str, color: Any, more: Any, block: str
) -> None:
    assert blocks.block_of(Material(name, color, **more)) == f"minecraft:{block}"


def test_every_block_that_may_be_written_has_a_colour() -> None:
    listed = [*blocks._WHOLE, *blocks._LIGHTS, *blocks._GLASS, *blocks._BY_NAME_ONLY, *blocks._LEAVES]
    assert [b for b in {*listed, *blocks._MEANT.values()} if voxgen_block(b) is None] == []


def voxgen_block(name: str) -> Material | None:
    from voxgen.language.blocks import block_material

    return block_material(name)


def tree_of(**changes: Any) -> dict[str, Any]:
    """Return a small .schem of version 2 as a tree."""
    tree: dict[str, Any] = {
        "Version": 2,
        "Width": np.int16(2),
        "Height": np.int16(1),
        "Length": np.int16(2),
        "Palette": {"minecraft:air": 0, "minecraft:stone": 1, "some:thing": 5},
        "BlockData": np.array([0, 1, 5, 1], np.int8),
    }
    return {key: value for key, value in {**tree, **changes}.items() if value is not None}


def test_a_block_nobody_knows_is_drawn_and_told() -> None:
    scene = minecraft.read(nbt.write(tree_of(), "Schematic"), "")
    assert scene.grid.voxels == 3
    assert [r.problem for r in scene.repairs] == ['"some:thing" is no block known here']


def test_regions_of_a_litematic_lie_where_they_say_and_may_grow_backwards() -> None:
    def region(corner: tuple[int, int, int], size: tuple[int, int, int], block: str) -> dict[str, Any]:
        words = -(-abs(size[0] * size[1] * size[2]) * 2 // 64)
        ones = np.full(words, 0x5555555555555555, np.int64)
        palette = [{"Name": "minecraft:air"}, {"Name": block}]
        place = dict(zip("xyz", corner, strict=True))
        box = dict(zip("xyz", size, strict=True))
        return {"Position": place, "Size": box, "BlockStatePalette": palette, "BlockStates": ones}

    regions = {
        "a": region((0, 0, 0), (2, 1, 1), "minecraft:stone"),
        "b": region((5, 2, -1), (-2, 1, 1), "minecraft:dirt"),
    }
    scene = minecraft.read(nbt.write({"Version": 6, "Regions": regions}), "")
    assert scene.grid.size == (6, 2, 3)
    names = {
        tuple(p): scene.grid.palette[scene.grid.indices[tuple(p)]].name
        for p in np.argwhere(scene.grid.indices).tolist()
    }
    stone, dirt = "minecraft:stone", "minecraft:dirt"
    assert names == {(0, 0, 0): stone, (1, 0, 0): stone, (4, 1, 2): dirt, (5, 1, 2): dirt}


def test_numbers_of_old_schematics_have_the_names_of_today() -> None:
    tree = {"Width": np.int16(2), "Height": np.int16(2), "Length": np.int16(1), "Materials": "Alpha"}
    tree |= {"Blocks": np.array([1, 35, 0, -4], np.int8), "Data": np.array([3, 14, 0, 15], np.int8)}
    grid = minecraft.read(nbt.write(tree, "Schematic"), "").grid
    names = [grid.palette[grid.indices[x, 0, z]].name for z in range(2) for x in range(2)]
    assert names == ["minecraft:diorite", "minecraft:red_wool", "air", "minecraft:black_concrete_powder"]
    assert len(schematic._NAMES) == 256


def test_bedrock_structures_are_little_endian_and_run_along_z() -> None:
    def little(tree: dict[str, Any]) -> bytes:
        """Return a tree of compounds, texts and lists as Bedrock writes it."""
        out = b""
        for name, value in tree.items():
            kind = {dict: b"\x0a", str: b"\x08", list: b"\x09"}[type(value)]
            out += kind + struct.pack("<H", len(name)) + name.encode() + items(value)
        return out + b"\0"

    def items(value: Any) -> bytes:
        if isinstance(value, dict):
            return little(value)
        if isinstance(value, str):
            return struct.pack("<H", len(value)) + value.encode()
        kind = {int: 3, dict: 10, list: 9}[type(value[0])]
        rest = b"".join(struct.pack("<i", v) if isinstance(v, int) else items(v) for v in value)
        return struct.pack("<bi", kind, len(value)) + rest

    palette = [{"name": "minecraft:stone"}, {"name": "minecraft:wool", "states": {"color": "silver"}}]
    held = {"block_indices": [[0, 1, -1, -1]], "palette": {"default": {"block_palette": palette}}}
    data = b"\n\0\0" + little({"format_version": [1], "size": [1, 2, 2], "structure": held})
    grid = minecraft.read(data, "").grid
    names = [grid.palette[grid.indices[0, y, 0]].name for y in range(2)]  # the first is south
    assert names == ["minecraft:light_gray_wool", "minecraft:stone"]
    assert grid.voxels == 2


def test_what_stands_in_chests_is_walked_over_but_never_kept() -> None:
    chest = {"Items": [{"Slot": i, "id": "minecraft:stone"} for i in range(27)]}
    tree = nbt.read(nbt.write({**tree_of(), "BlockEntities": [chest] * 50}), "Minecraft")
    assert "BlockEntities" not in tree
    assert tree["Palette"]["minecraft:stone"] == 1


# --------------------------------------------------------------------------- meshes


def volume(corners: NDArray[Any]) -> float:
    """Return the signed volume quads (n, 4, 3) enclose."""
    a, b, c, d = np.moveaxis(corners.astype(np.float64), 1, 0)
    return float(((np.cross(a, b) * c).sum() + (np.cross(a, c) * d).sum()) / 6)


@settings(deadline=None, max_examples=40)
@given(shape=_SHAPES, materials=st.integers(1, 300), seed=st.integers(0, 999))
def test_the_bodies_of_a_mesh_enclose_every_voxel_once(
    shape: tuple[int, ...], materials: int, seed: int
) -> None:
    scene = random_scene(shape, materials, seed)
    parts = meshes.parts(scene.grid, occlusion=True)
    assert sum(volume(part.mesh.corners) for part in parts) == pytest.approx(scene.grid.voxels)
    assert len({part.surface for part in parts}) == len(parts)


def test_a_long_scene_of_many_materials_is_meshed_with_its_corner_light() -> None:
    scene = random_scene((1500, 3, 2), 700, 1)
    parts = meshes.parts(scene.grid, occlusion=True)
    assert sum(volume(part.mesh.corners) for part in parts) == pytest.approx(scene.grid.voxels)
    assert min(float(part.mesh.light.min()) for part in parts) < 1


@settings(deadline=None, max_examples=40)
@given(low=st.integers(-99_999_999, 99_999_999), count=st.integers(0, 2000))
@example(low=-1000, count=2000)
def test_numbers_are_written_as_python_would(low: int, count: int) -> None:
    words = meshes.numbers(low, low + count - 1)
    text = b"".join(meshes.lines("%", (words, np.arange(count))))
    assert text.decode().split() == [str(low + i) for i in range(count)]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.integers(-99_999, 99_999)] * 3), max_size=9), st.integers(1, 2000))
def test_lines_are_written_as_python_would(rows: list[tuple[int, int, int]], times: int) -> None:
    rows *= times  # more than are written at once
    columns = meshes.numbered(np.array(rows, np.int64).reshape(-1, 3))
    text = b"".join(meshes.lines("f %/%  %.", *columns)).decode()
    assert text == "".join(f"f {a}/{b}  {c}.\n" for a, b, c in rows)


@settings(deadline=None, max_examples=40)
@given(shape=_SHAPES, materials=st.integers(1, 300), seed=st.integers(0, 999))
def test_welding_keeps_every_corner_and_each_point_once(
    shape: tuple[int, ...], materials: int, seed: int
) -> None:
    mesh = meshes.merged(meshes.parts(random_scene(shape, materials, seed).grid))
    points, vertices = meshes.welded(mesh)
    assert np.array_equal(points[vertices], mesh.corners)
    assert len(set(map(tuple, points.tolist()))) == len(points)


@settings(deadline=None, max_examples=25)
@given(shape=_SHAPES, seed=st.integers(0, 999), filled=st.floats(0.05, 0.9))
def test_a_manifold_stl_has_every_edge_exactly_twice(
    shape: tuple[int, ...], seed: int, filled: float
) -> None:
    told: list[str] = []
    data = files.WRITERS[".stl"](random_scene(shape, 3, seed, filled), told.append, manifold=True)
    assert isinstance(data, bytes)
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("about", "<u2")])
    corners = np.frombuffer(data, record, offset=84)["corners"].astype(int)
    edges: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    for triangle in corners.tolist():
        for i in range(3):
            edge = (tuple(triangle[i]), tuple(triangle[(i + 1) % 3]))
            edges[edge] = edges.get(edge, 0) + 1
    assert set(edges.values()) == {1}
    assert all((b, a) in edges for a, b in edges)


def gltf(data: bytes) -> dict[str, Any]:
    """Return the JSON of a .glb."""
    (length,) = struct.unpack_from("<I", data, 12)
    about: dict[str, Any] = json.loads(data[20 : 20 + length])
    return about


def test_glass_and_lamps_are_materials_of_their_own() -> None:
    palette = (
        AIR,
        Material("wall", (9, 9, 9)),
        Material("pane", (8, 8, 8), 0.4),
        Material("lamp", (255, 9, 9), glow=2.5),
    )
    scene = Scene("Three", VoxelGrid(np.array([[[1, 2, 3]]], np.uint8), palette))
    about = gltf(glb.write(scene, quiet))
    wall, lamp, pane = about["materials"]
    assert "emissiveTexture" not in wall
    assert lamp["extensions"]["KHR_materials_emissive_strength"]["emissiveStrength"] == 2.5
    assert (pane["alphaMode"], pane["pbrMetallicRoughness"]["baseColorFactor"][3]) == ("BLEND", 0.4)
    assert "KHR_mesh_quantization" in about["extensionsRequired"]
    plain = gltf(glb.write(scene, quiet, quantize=False))
    assert "extensionsRequired" not in plain
    assert {
        plain["accessors"][p["attributes"]["POSITION"]]["componentType"]
        for p in plain["meshes"][0]["primitives"]
    } == {5126}


def test_the_files_of_an_obj_name_each_other_and_leave_the_picture_alone(tmp_path: Path) -> None:
    (tmp_path / "my house.png").write_bytes(b"a picture")
    told: list[str] = []
    files.save(flag(), tmp_path / "my house.obj", tell=told.append)
    text = (tmp_path / "my house.obj").read_text()
    assert "mtllib my_house.mtl\n" in text
    assert "map_Kd my_house-palette.png" in (tmp_path / "my_house.mtl").read_text()
    assert (tmp_path / "my_house-palette.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "my house.png").read_bytes() == b"a picture"
    assert told == ["my_house.mtl and my_house-palette.png belong beside it"]


def test_the_parts_of_a_usdz_begin_on_boundaries_of_64() -> None:
    data = written(random_scene((5, 4, 3), 9, 1), ".usdz")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            with archive.open(entry):
                pass
            name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
            assert (entry.header_offset + 30 + name + extra) % 64 == 0
            assert entry.compress_type == zipfile.ZIP_STORED


@pytest.mark.parametrize("ending", sorted(set(files.WRITERS) - {".png"}))
def test_the_same_scene_gives_the_same_file(ending: str) -> None:
    scene = random_scene((5, 4, 3), 9, 1)
    assert ending == ".npz" or written(scene, ending) == written(scene, ending)


@pytest.mark.parametrize("ending", sorted(set(files.WRITERS) - {".html", ".png", ".json", ".npz"}))
def test_a_scene_of_air_is_written_all_the_same(ending: str) -> None:
    scene = Scene("Air", VoxelGrid(np.zeros((3, 2, 1), np.uint8), (AIR, Material("red", (255, 0, 0)))))
    assert written(scene, ending)


# --------------------------------------------------------------------------- options


def test_options_belong_to_one_format(tmp_path: Path) -> None:
    assert (
        files.load(files.save(flag(), tmp_path / "a.schem", schem_version=3)).grid.voxels
        == FLAG.astype(bool).sum()
    )
    for path, options in (
        ("a.vox", {"manifold": True}),
        ("a.stl", {"schem_version": 2}),
        ("a.schem", {"schem_version": 4}),
        ("a.glb", {"quantise": False}),
    ):
        with pytest.raises(UsageError):
            files.save(flag(), tmp_path / path, **options)
        assert not (tmp_path / path).exists() or path == "a.schem"


def test_export_writes_several_files_and_says_what_is_lost(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(files.save(flag(), folder / "flag.json"))
    assert cli.run(["export", source, "flag.schem", "flag.stl", "flag.vox", "--schem-version", "3"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == ["flag.schem", "flag.stl", "flag.vox"]
    assert said.err == "voxgen: flag.stl: .stl is the bare shape; colours and materials are left out\n"
    assert "Schematic" in nbt.read((folder / "flag.schem").read_bytes(), "Minecraft")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["flag.vox", "--manifold"], 2, "manifold is an option of .stl"),
        (["flag.glb", "--schem-version", "3"], 2, "schem version is an option of .schem"),
        (["flag.schem", "--schem-version", "1"], 2, "schem version is 2 or 3, not 1"),
        (["flag.vox", "flag.xyz"], 6, "known are .binvox, .glb"),
    ],
)
def test_export_refuses_before_anything_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], args: list[str], code: int, words: str
) -> None:
    files.save(flag(), folder / "flag.json")
    assert cli.run(["export", "flag.json", *args]) == code
    assert words in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["flag.json"]


# --------------------------------------------------------------------------- Goxel


def gox_of(*layers: tuple[tuple[int, int, int], bool], version: int = 2) -> bytes:
    """Return a .gox of one block, a red voxel at its (1, 2, 3), that every layer has at its own place."""
    pixels = np.zeros((16, 16, 16, 4), np.uint8)
    pixels[3, 2, 1] = (255, 0, 0, 255)
    picture = io.BytesIO()
    Image.fromarray(pixels.reshape(64, 64, 4)).save(picture, "PNG")

    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<i", len(body)) + body + bytes(4)

    data = b"GOX " + struct.pack("<i", version) + chunk(b"BL16", picture.getvalue())
    for place, visible in layers:
        traits = struct.pack("<i7si?", 7, b"visible", 1, visible)
        data += chunk(b"LAYR", struct.pack("<6i", 1, 0, *place, 0) + traits)
    return data


def test_visible_layers_of_a_gox_lie_in_their_places() -> None:
    scene = gox.read(gox_of(((0, 0, 0), True), ((-16, 0, 32), True), ((99, 0, 0), False)), "")
    assert scene.grid.size == (17, 1, 33)
    assert np.argwhere(scene.grid.indices).tolist() == [[0, 0, 32], [16, 0, 0]]
    assert scene.grid.palette[1].color == (255, 0, 0)


# --------------------------------------------------------------------------- hostile files

READABLE = [".vox", ".qb", ".binvox", ".npz", ".schem", ".litematic", ".nbt"]
SMALL = {ending: written(random_scene((4, 3, 3), 7, 5), ending) for ending in READABLE}
SMALL[".gox"] = gox_of(((0, 0, 0), True), ((16, 0, 0), True))
SMALL["plain"] = gzip.decompress(SMALL[".schem"])
SMALL["packed.qb"] = (
    SMALL[".qb"][:12]
    + b"\1"
    + SMALL[".qb"][13:24]
    + b"\1a"
    + struct.pack(
        "<3I3i11I",
        3,
        2,
        2,
        0,
        0,
        0,
        2,
        5,
        0xFF0000FF,
        0xFF00FF00,
        6,
        0xFF0000FF,
        2,
        2,
        0xFF000002,
        0xFF0000FF,
        6,
    )
)


def reader_of(name: str) -> files.Reader:
    return files.READERS.get("." + name.rpartition(".")[2], minecraft.read)


def check_reads_or_refuses(name: str, data: bytes) -> None:
    try:
        grid = reader_of(name)(data, "Hostile").grid
    except FileError as error:
        message, hint = str(error), error.hint
    else:
        assert 0 < int(grid.indices.max()) < len(grid.palette)
        return
    assert hint
    assert "\n" not in message


def test_a_packed_qubicle_matrix_is_read_run_by_run() -> None:
    scene = qb.read(SMALL["packed.qb"], "")
    assert scene.grid.voxels == 6 + 4


@pytest.mark.parametrize("name", sorted(SMALL))
def test_files_cut_anywhere_end_in_one_line(name: str) -> None:
    data = SMALL[name]
    for end in range(0, len(data), max(1, len(data) // 150)):
        check_reads_or_refuses(name, data[:end])


@pytest.mark.parametrize("name", sorted(SMALL))
@settings(deadline=None, max_examples=120)
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=5))
def test_files_with_changed_bytes_are_a_scene_or_one_line(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL[name])
    packed = data[:2] == b"\x1f\x8b"
    if packed:  # behind its checksum, where the flips count
        data = bytearray(gzip.decompress(bytes(data)))
    for place, value in changes:
        data[place % len(data)] = value
    check_reads_or_refuses(name, gzip.compress(bytes(data), 1) if packed else bytes(data))


def deep(levels: int) -> bytes:
    return b"\n\0\0" + b"\n\0\1a" * levels + b"\0" * (levels + 1)


def bomb(**changes: Any) -> bytes:
    return gzip.compress(nbt.plain(tree_of(**changes)), 1)


def array_header(count: int) -> bytes:
    """Return a gzipped tree that declares an array of bytes and then holds many zeros."""
    return gzip.compress(b"\n\0\0\x07\0\4Data" + struct.pack(">i", count) + bytes(1 << 20), 9)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "deep.schem": lambda: deep(100_000),
    "deep packed.litematic": lambda: gzip.compress(deep(300)),
    "huge.schem": lambda: bomb(Width=np.int16(1000), Height=np.int16(1000), Length=np.int16(1000)),
    "cube.binvox": lambda: b"#binvox 1\ndim 1000 1000 1000\ndata\n" + b"\1\xff" * 500_000,
    "far.qb": lambda: (
        struct.pack("<6I", 257, 0, 0, 0, 0, 2)
        + b"".join(b"\0" + struct.pack("<3I3iI", 1, 1, 1, at, 0, 0, 0xFFFFFFFF) for at in (0, 1 << 30))
    ),
    "array.schem": lambda: array_header(2**31 - 1),
    "negative.schem": lambda: array_header(-5),
    "cut array.schem": lambda: array_header(1 << 27),
    "all air.schem": lambda: bomb(
        Width=np.int16(512), Height=np.int16(512), Length=np.int16(512), BlockData=np.zeros(1 << 27, np.int8)
    ),
    "list of ends.nbt": lambda: b"\n\0\0\x09\0\1a\0" + struct.pack(">i", 2**31 - 1),
    "many tags.nbt": lambda: b"\n\0\0\x09\0\1a\x0a" + struct.pack(">i", 3_000_000) + bytes(3_000_000),
    "varints.schem": lambda: bomb(BlockData=np.full(1000, -1, np.int8)),
    "no dimensions.schem": lambda: bomb(Width=None),
    "text for a number.schem": lambda: bomb(Width="wide"),
    "a number for a palette.schem": lambda: bomb(Palette=5),
    "a place that is no number.nbt": lambda: nbt.write(
        {
            "size": [1, 1, 1],
            "palette": [{"Name": "minecraft:stone"}],
            "blocks": [{"pos": [float("nan"), 0.0, 0.0], "state": 0}],
        }
    ),
    "regions of nothing.litematic": lambda: nbt.write({"Regions": {"a": {}}}),
    "no regions.litematic": lambda: nbt.write({"Regions": {}}),
    "a level.nbt": lambda: nbt.write({"Data": {"LevelName": "World"}}),
    "not a picture.gox": lambda: b"GOX \2\0\0\0BL16" + struct.pack("<i", 99) + bytes(103),
    "a block that is not there.gox": lambda: gox_of(((0, 0, 0), True)).replace(
        b"\1\0\0\0" + bytes(4), b"\1\0\0\0\7" + bytes(3)
    ),
    "far.gox": lambda: gox_of(((0, 0, 0), True), ((1 << 30, 0, 0), True)),
    "many matrices.qb": lambda: struct.pack("<6I", 257, 0, 0, 0, 0, 2**32 - 1) + bytes(999),
    "huge matrix.qb": lambda: (
        struct.pack("<6IB3I3i", 257, 0, 0, 0, 0, 1, 0, 2000, 2000, 2000, 0, 0, 0) + bytes(99)
    ),
    "endless run.qb": lambda: struct.pack(
        "<6IB3I3i3I", 257, 0, 0, 1, 0, 1, 0, 9, 9, 9, 0, 0, 0, 2, 2**32 - 1, 7
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_in_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name]())
    with pytest.raises(FileError) as caught:
        files.load(path)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_hostile_files_take_little_memory(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in HOSTILE]
    for path in paths:
        path.write_bytes(HOSTILE[path.name]())
    check = (
        "import sys; sys.path.insert(0, sys.argv[1]); import voxgen.cli\n"
        "code = voxgen.cli.run(['check', *sys.argv[2:]])\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]\n"
        "print(code, int(peak) // 1024)"
    )
    command = [sys.executable, "-c", check, str(ROOT), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert done.stderr.count("\n") == len(paths)
    code, megabytes = done.stdout.split()
    assert code == "6"
    assert int(megabytes) < 300


@pytest.mark.parametrize(("name", "word"), [("a.qbcl", "Qubicle"), ("a.kv6", "voxel"), ("a.glb", "mesh")])
def test_formats_that_are_not_read_say_what_to_do(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / name).write_bytes(b"whatever")
    with pytest.raises(FileError, match=f"{word}.*which is not read") as caught:
        files.load(tmp_path / name)
    assert caught.value.hint


# --------------------------------------------------------------------------- real files


def listed() -> list[dict[str, str]]:
    if not SHARED.is_dir():
        return []
    entries: list[dict[str, str]] = json.loads((SHARED / "manifest.json").read_text())
    return [entry for entry in entries if not entry["file"].endswith(".vox")]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are not here")
@pytest.mark.parametrize("entry", listed(), ids=lambda entry: entry["file"])
def test_real_files_have_the_listed_size_and_voxel_count(entry: dict[str, str]) -> None:
    path = SHARED / entry["file"]
    if path.suffix == ".qbcl" or "size-limit" in entry["note"]:
        with pytest.raises(FileError):
            files.load(path)
        return
    if path.suffix == ".qb":  # listed matrix by matrix; one grid holds what they share once
        matrices = list(qb._matrices(path.read_bytes()))
        assert str(sum(int((m.colors > 0).sum()) for m in matrices)) == entry["voxels"]
        assert files.load(path).grid.voxels <= int(entry["voxels"])
        return
    grid = files.load(path).grid
    x, y, z = grid.size
    assert grid.voxels > 0
    if entry["dims"]:
        assert (f"{x}x{z}x{y}", str(grid.voxels)) == (entry["dims"], entry["voxels"])
