"""Saving and loading: what goes out comes back, and hostile files end in one line."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen import files
from voxgen.errors import FileError, ReplyError
from voxgen.files import npz, png, text
from voxgen.language.builder import build
from voxgen.scene import AIR, Light, Material, Scene, View, VoxelGrid

DOCUMENT: dict[str, Any] = {
    "title": "Two cells",
    "size": [4, 3, 2],
    "light": "night",
    "view": {"azimuth": 40, "elevation": 20},
    "palette": {"red": "#ff0000", "lamp": {"color": "#ffeeaa", "glow": 2}},
    "build": [{"box": [[0, 0, 0], [3, 0, 0]], "of": {"red": 2, "lamp": 1}}],
}


@pytest.mark.parametrize("name", ["scene.json", "scene.npz"])
def test_a_saved_scene_comes_back_the_same(tmp_path: Path, name: str) -> None:
    scene = build(DOCUMENT, origin={"prompt": "two", "by": "test"})
    again = files.load(files.save(scene, tmp_path / name))
    assert np.array_equal(again.grid.indices, scene.grid.indices)
    assert again.grid.palette == scene.grid.palette
    assert (again.title, again.light, again.view) == (scene.title, scene.light, scene.view)
    assert again.origin == scene.origin
    assert not again.repairs


def test_a_saved_scene_is_readable_json_that_keeps_unknown_keys(tmp_path: Path) -> None:
    path = files.save(build({**DOCUMENT, "mood": "calm"}), tmp_path / "scene.json")
    written = path.read_text(encoding="utf-8")
    assert json.loads(written)["mood"] == "calm"
    assert '"size": [4, 3, 2],\n' in written


_GRIDS = st.tuples(
    st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.integers(1, 300), st.integers(0, 99)
)


@settings(deadline=None, max_examples=40)
@given(_GRIDS)
def test_any_grid_survives_both_formats(shape: tuple[int, int, int, int, int]) -> None:
    x, y, z, materials, seed = shape
    random = np.random.default_rng(seed)
    dtype = np.uint8 if materials < 256 else np.uint16
    indices = random.integers(0, materials + 1, (x, y, z)).astype(dtype)
    indices.flat[0] = 1
    palette = tuple(
        Material(f"m{i}", (i % 256, i // 256, 7), 1.0 if i % 3 else 0.5) for i in range(1, materials + 1)
    )
    scene = Scene("Any", VoxelGrid(indices, (AIR, *palette)))
    assert np.array_equal(npz.read(npz.write(scene), "").grid.indices, indices)
    again = text.read(text.write(scene), "")
    colors = [m.color for m in again.grid.palette]
    assert [colors[i] for i in again.grid.indices.flat] == [(AIR, *palette)[i].color for i in indices.flat]


def test_an_npz_of_somebody_elses_needs_only_indices(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", indices=np.eye(3, dtype=np.uint8)[None] * 2)
    scene = files.load(tmp_path / "plain.npz")
    assert scene.title == "Plain"
    assert scene.grid.voxels == 3


def test_gzipped_text_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "scene.json.gz").write_bytes(gzip.compress(json.dumps(DOCUMENT).encode()))
    assert files.load(tmp_path / "scene.json.gz").title == "Two cells"


def _bomb() -> bytes:
    return gzip.compress(b"[" * (80 << 20))


def _huge_npz() -> bytes:
    header = io.BytesIO()
    shape: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": (100_000, 100_000, 100)}
    np.lib.format.write_array_header_1_0(header, shape)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("indices.npy", header.getvalue())
    return file.getvalue()


def _pickled_npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, indices=np.array([[[{"a": 1}]]], dtype=object))
    return file.getvalue()


def _cut_npz() -> bytes:
    return npz.write(build(DOCUMENT))[:-40]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("bomb.json", _bomb(), "more than 64 MB"),
        ("cut.gz", gzip.compress(b"{" * 999)[:3] + b"\x07" * 9, "damaged"),
        ("huge.npz", _huge_npz(), "declares 100000×100000×100"),
        ("pickled.npz", _pickled_npz(), "not an .npz archive"),
        ("cut.npz", _cut_npz(), "not an .npz archive"),
        ("text.npz", b"hello", "not an .npz archive"),
        ("empty.npz", b"", "not an .npz archive"),
    ],
)
def test_hostile_files_end_in_one_line(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FileError) as caught:
        files.load(tmp_path / name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\x00\xff\xfe", b"I am sorry, I cannot do that.", b"[]", b"null"])
def test_text_without_a_scene_is_a_reply_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "reply.txt").write_bytes(data)
    with pytest.raises(ReplyError):
        files.load(tmp_path / "reply.txt")


def test_files_that_cannot_be_read_or_written_say_why(tmp_path: Path) -> None:
    scene = build(DOCUMENT)
    with pytest.raises(FileError, match="no such file"):
        files.load(tmp_path / "missing.json")
    with pytest.raises(FileError, match="is a folder"):
        files.load(tmp_path)
    with pytest.raises(FileError, match="no such file"):
        files.save(scene, tmp_path / "missing" / "scene.json")
    with pytest.raises(FileError, match=r"unknown.*known are \.json, \.npz"):
        files.save(scene, tmp_path / "scene.xyz")
    with pytest.raises(FileError, match="no extension"):
        files.save(scene, tmp_path / "scene")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "scene.json"
    target.write_text("old", encoding="utf-8")
    os.symlink("/dev/full", tmp_path / ".scene.json.part")
    with pytest.raises(FileError, match="no space left"):
        files.save(build(DOCUMENT), target)
    assert target.read_text(encoding="utf-8") == "old"


def test_pictures_keep_their_pixels_and_carry_the_title() -> None:
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    data = png.encode(image, build(DOCUMENT))
    assert np.array_equal(png.decode(data), image)
    assert b"Two cells" in data


def test_light_and_view_survive_in_full() -> None:
    light = Light("sunset", (1, 2, 3), (4, 5, 6), 10.0, 20.0, (7, 8, 9), 1.5)
    scene = build(DOCUMENT).but(light=light, view=View(1.0, 2.0, 1.5))
    again = npz.read(npz.write(scene), "")
    assert (again.light, again.view) == (light, View(1.0, 2.0, 1.5))
