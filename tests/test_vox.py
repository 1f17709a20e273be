"""Reading .vox: what stands where, in which material, and what damage does."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import voxgen
from voxgen.errors import FileError
from voxgen.files import vox
from voxgen.scene import Scene

SHARED = Path(__file__).parents[2] / "shared"
Voxels = list[tuple[int, int, int, int]]


def chunk(name: bytes, body: bytes = b"", below: bytes = b"") -> bytes:
    return name + struct.pack("<ii", len(body), len(below)) + body + below


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def traits(**words: str) -> bytes:
    pairs = [word.encode() for pair in words.items() for word in pair]
    return ints(len(words)) + b"".join(ints(len(word)) + word for word in pairs)


def model(size: tuple[int, int, int], voxels: Voxels) -> bytes:
    rows = ints(len(voxels)) + b"".join(map(bytes, voxels))
    return chunk(b"SIZE", ints(*size)) + chunk(b"XYZI", rows)


def move(key: int, child: int, layer: int = -1, hidden: str = "0", **frame: str) -> bytes:
    body = ints(key) + traits(_hidden=hidden) + ints(child, -1, layer, 1) + traits(**frame)
    return chunk(b"nTRN", body)


def group(key: int, *children: int) -> bytes:
    return chunk(b"nGRP", ints(key) + traits() + ints(len(children), *children))


def shape(key: int, which: int) -> bytes:
    return chunk(b"nSHP", ints(key) + traits() + ints(1, which) + traits())


def packed(size: tuple[int, int, int], raw: bytes) -> bytes:
    return chunk(b"TDCZ", ints(*size) + zlib.compress(raw))


def rgba(*colors: tuple[int, int, int]) -> bytes:
    return chunk(b"RGBA", b"".join(bytes((*c, 255)) for c in colors).ljust(1024, b"\0"))


def file(*chunks: bytes, version: int = 150) -> bytes:
    return b"VOX " + ints(version) + chunk(b"MAIN", b"", b"".join(chunks))


def read(*chunks: bytes) -> Scene:
    return vox.read(file(*chunks, version=200), "Test")


def cells(scene: Scene) -> dict[tuple[int, ...], tuple[int, int, int]]:
    grid = scene.grid
    return {tuple(p): grid.palette[grid.indices[tuple(p)]].color for p in np.argwhere(grid.indices).tolist()}


BAR = model((3, 1, 1), [(0, 0, 0, 1), (1, 0, 0, 2), (2, 0, 0, 3)])
RGB = rgba((255, 0, 0), (0, 255, 0), (0, 0, 255))
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
GRAPH = (
    move(0, 1)
    + group(1, 2, 4)
    + move(2, 3)
    + shape(3, 0)
    + move(4, 5, layer=7, _r="17", _t="0 5 2")
    + shape(5, 0)
)


def test_a_plain_model_is_cropped_and_index_i_is_entry_i_minus_1() -> None:
    scene = vox.read(file(model((9, 9, 9), [(4, 5, 6, 1), (4, 5, 8, 3)]), RGB), "Test")
    assert scene.grid.size == (1, 1, 3)
    assert cells(scene) == {(0, 0, 0): RED, (0, 0, 2): BLUE}
    assert scene.title == "Test"


def test_a_second_model_is_turned_and_moved() -> None:
    # 17: world x is -own y, world y is own x: the bar lies along y, red end first
    scene = read(BAR, GRAPH, RGB)
    # half a voxel either side of the pivot: own y 0 stands at world x -1, the first bar at -1, 0, 1
    turned = {p: c for p, c in cells(scene).items() if p[2] == 2}
    assert turned == {(0, 4, 2): RED, (0, 5, 2): GREEN, (0, 6, 2): BLUE}
    assert scene.grid.voxels == 6


def test_hidden_nodes_and_hidden_layers_stay_out() -> None:
    layer = chunk(b"LAYR", ints(7) + traits(_hidden="1") + ints(-1))
    assert read(BAR, GRAPH, layer, RGB).grid.voxels == 3
    nodes = move(0, 1) + group(1, 2, 4) + move(2, 3) + shape(3, 0)
    assert read(BAR, nodes, move(4, 5, hidden="1", _t="0 5 0"), shape(5, 0)).grid.voxels == 3
    with pytest.raises(FileError, match="no voxel"):
        read(BAR, move(0, 1, hidden="1"), shape(1, 0))


def test_of_an_animation_the_first_model_is_read() -> None:
    assert read(chunk(b"PACK", ints(2)), BAR, model((1, 1, 1), [(0, 0, 0, 1)])).grid.voxels == 3


def test_materials_become_glass_lamp_and_metal() -> None:
    def matl(index: int, **words: str) -> bytes:
        return chunk(b"MATL", ints(index) + traits(**words))

    scene = read(
        BAR,
        matl(1, _type="_glass", _trans="0.7"),
        matl(2, _type="_emit", _emit="0.5", _flux="1"),
        chunk(b"MATT", struct.pack("<iif", 3, 1, 0.25)),
    )
    glass, lamp, metal = scene.grid.palette[1:]
    assert (round(glass.opacity, 6), glass.glow, glass.metal) == (0.3, 0, 0)
    assert (lamp.opacity, lamp.glow) == (1, 1)
    assert (metal.opacity, metal.metal) == (1, 0.25)


@pytest.mark.parametrize("word", ["nan", "inf", "-5", "x", ""])
def test_nonsense_in_a_material_stays_in_range(word: str) -> None:
    lamp = chunk(b"MATL", ints(1) + traits(_type="_emit", _emit=word, _flux=word))
    assert 0 <= read(BAR, lamp).grid.palette[1].glow <= 3


def test_without_rgba_the_default_palette_holds() -> None:
    rows = [(0, 0, 0, 1), (1, 0, 0, 2), (2, 0, 0, 215), (3, 0, 0, 216), (4, 0, 0, 246), (5, 0, 0, 255)]
    colors = [m.color for m in read(model((6, 1, 1), rows)).grid.palette[1:]]
    expected = [(255, 255, 255), (255, 255, 204), (0, 0, 51), (238, 0, 0), (238, 238, 238), (17, 17, 17)]
    assert colors == expected


def test_a_packed_model_of_teardown_is_x_fastest() -> None:
    scene = read(packed((2, 1, 2), bytes([1, 2, 0, 3])), RGB)
    assert cells(scene) == {(0, 0, 0): RED, (1, 0, 0): GREEN, (1, 0, 1): BLUE}


@pytest.mark.parametrize(
    "data",
    [
        b"\x10\0\0\0\x10\0\0\0\x10\0\0\0" + bytes(99),  # SLAB6
        b"VOX ",
        file(),
        file(chunk(b"SIZE", ints(1, 1, 1)) + chunk(b"XYZI", ints(10**9))),
        file(chunk(b"TDCZ", ints(1000, 1000, 1000) + zlib.compress(b"\0"))),
        file(chunk(b"TDCZ", ints(256, 256, 256) + zlib.compress(b"\1"))),
        file(packed((256, 256, 256), bytes(1 << 24)) * 3),
        file(BAR, move(0, 0)),
        file(BAR, group(0, *[0] * 1000)),
        file(BAR, *(group(k, *[k + 1] * 10) for k in range(30))),
        file(BAR, move(0, 1, _t="9" * 5000), shape(1, 0)),
        file(BAR, move(0, 1, _r="0"), shape(1, 0)),
        file(BAR, group(0, 1, 3), move(1, 2, _t="3000 0 0"), shape(2, 0), shape(3, 0)),
        file(BAR, chunk(b"nGRP", ints(0) + traits() + ints(2**31 - 1))),
        file(BAR, chunk(b"nTRN", ints(0, 1, -8))),
        file(packed((256, 256, 1), b"\1" * 65536), group(0, *[1] * 60000), shape(1, 0)),
    ],
)
def test_hostile_files_give_one_clear_line(data: bytes) -> None:
    with pytest.raises(FileError) as caught:
        vox.read(data, "Test")
    assert "\n" not in str(caught.value)
    assert caught.value.hint


WHOLE = file(BAR, GRAPH, RGB)


@pytest.mark.parametrize("end", range(0, len(WHOLE), 7))
def test_a_file_cut_anywhere_gives_one_line(end: int) -> None:
    with pytest.raises(FileError):
        vox.read(WHOLE[:end], "Test")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(4, len(WHOLE) - 1), st.integers(0, 255)), max_size=6))
def test_changed_bytes_give_a_scene_or_a_file_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at] = value
    try:
        scene = vox.read(bytes(data), "Test")
    except FileError:
        return
    assert scene.grid.voxels > 0
    assert scene.grid.indices.max() < len(scene.grid.palette)


def test_real_files_have_the_listed_size_and_voxel_count() -> None:
    if not (SHARED / "files").is_dir():
        pytest.skip("the shared files are not here")
    for entry in json.loads((SHARED / "files/manifest.json").read_text()):
        if entry["file"].endswith(".vox"):
            grid = voxgen.load(SHARED / "files" / entry["file"]).grid
            assert ("x".join(map(str, grid.size)), str(grid.voxels)) == (entry["dims"], entry["voxels"])
    for entry in json.loads((SHARED / "builds/manifest.json").read_text()):
        if entry["file"].endswith(".vox"):
            grid, (x, up, away) = (
                voxgen.load(SHARED / "builds" / entry["file"]).grid,
                json.loads(entry["dims"]),
            )
            assert (grid.size, str(grid.voxels)) == ((x, away, up), entry["voxels"])
