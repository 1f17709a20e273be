"""Saving and loading: what goes out comes back, and hostile files end in one line."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen import files, gallery
from voxgen.errors import FileError, ReplyError
from voxgen.files import npz, png, text
from voxgen.language.builder import build
from voxgen.scene import AIR, LIGHTS, Light, Material, Scene, View, VoxelGrid

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
        ("cut.gz", gzip.compress(b"{" * 999, mtime=0)[:3] + b"\x07" * 9, "damaged"),
        (
            "house.litematic",
            gzip.compress(b"\n\x00\x00\x03\x00\x07Version", mtime=0),
            "the Minecraft file is damaged",
        ),
        ("huge.npz", _huge_npz(), "declares 100000×100000×100"),
        ("pickled.npz", _pickled_npz(), "not an .npz archive"),
        ("cut.npz", _cut_npz(), "not an .npz archive"),
        ("text.npz", b"hello", "not an .npz archive"),
        ("empty.npz", b"", "is empty"),
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
    with pytest.raises(FileError, match=r"unknown.*known are \.binvox, \.glb, \.html"):
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


# --------------------------------------------------------------------------- a scene changed in Python

_NAMES = ["empty", "none", "null", "", "air", "red 3", "red", "red", "material 1", ".", "a:air", "#ff0000"]
LOOK = Light("night", (1, 2, 3), (4, 5, 6), 10.0, 20.5, (7, 8, 9), 1.5)


def same(a: Scene, b: Scene) -> bool:
    """Tell whether two scenes show the same, cell by cell."""
    looks = [
        [[m.color, m.opacity, m.glow, m.metal] if i else None for i, m in enumerate(s.grid.palette)]
        for s in (a, b)
    ]
    cells = [[look[i] for i in s.grid.indices.flat] for look, s in zip(looks, (a, b), strict=True)]
    return cells[0] == cells[1] and (a.title, a.light, a.view) == (b.title, b.light, b.view)


def named(*names: str) -> Scene:
    palette = (AIR, *(Material(name, (i, 2 * i, 255 - i)) for i, name in enumerate(names)))
    indices = np.arange(len(palette), dtype=np.uint8).reshape(-1, 1, 1)
    return Scene("Names", VoxelGrid(indices, palette))


def test_no_material_turns_into_air_by_its_name() -> None:
    scene = named(*_NAMES)
    again = text.read(text.write(scene), "")
    assert same(again, scene)
    assert not [r for r in again.repairs if r.level != "info"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=8) | st.sampled_from(_NAMES), min_size=1, max_size=9))
def test_any_names_of_materials_survive_as_json(names: list[str]) -> None:
    scene = named(*names)
    assert same(text.read(text.write(scene), ""), scene)


@pytest.mark.parametrize("light", [LOOK, Light("sunset"), Light("studio", strength=2.0), Light()])
@pytest.mark.parametrize("view", [View(), View(30.0, None, 2.0), View(zoom=0.5), View(1.5, -20.0)])
def test_a_grid_without_document_keeps_title_light_and_view(light: Light, view: View) -> None:
    scene = named("red").but(light=light, view=view)
    again = text.read(text.write(scene), "")
    assert same(again, scene)
    assert not [r for r in again.repairs if "light" in r.path or "view" in r.path]


def test_half_a_sky_is_written_with_the_other_half_of_its_preset() -> None:
    again = text.read(text.write(named("red").but(light=Light("day", zenith=(1, 2, 3)))), "")
    assert (again.light.horizon, again.light.zenith) == ((232, 243, 251), (1, 2, 3))


@pytest.mark.parametrize("changes", [{"title": "New"}, {"light": LOOK}, {"light": Light()}, {"view": View()}])
def test_what_was_changed_in_python_is_saved_and_the_steps_stay(changes: dict[str, Any]) -> None:
    scene = build({**DOCUMENT, "mood": "calm"}).but(**changes)
    written = json.loads(text.write(scene))
    assert same(text.read(text.write(scene), ""), scene)
    assert written["build"] == DOCUMENT["build"]
    assert written["mood"] == "calm"


def test_an_unchanged_scene_is_saved_as_it_came_however_it_was_written() -> None:
    document = {**DOCUMENT, "lighting": "midnight"}
    del document["light"]
    assert json.loads(text.write(build(document))) == document


@pytest.mark.parametrize("format_", [text, npz])
def test_a_changed_grid_is_saved_and_not_its_old_document(format_: Any) -> None:
    scene = build(DOCUMENT)
    indices = scene.grid.indices[::-1].copy()
    indices[0, 0, 1] = 2
    changed = scene.but(grid=VoxelGrid(indices, scene.grid.palette))
    assert same(format_.read(format_.write(changed), ""), changed)
    assert scene.but(grid=scene.grid).document == DOCUMENT


def test_text_that_no_encoding_knows_is_saved_all_the_same() -> None:
    written = text.write(build(DOCUMENT).but(title="half \ud800 a pair"))
    assert text.read(written, "").title == "half ? a pair"


# --------------------------------------------------------------------------- damaged archives

_WHOLE = npz.write(build(DOCUMENT).but(light=LOOK, origin={"by": "test"}))


def is_sound(scene: Scene) -> bool:
    """Tell whether a scene read from an archive holds what its types say."""
    light, view = scene.light, scene.view
    colors = [m.color for m in scene.grid.palette]
    colors += [c for c in (light.horizon, light.zenith, light.color) if c]
    numbers = [light.azimuth, light.elevation, light.strength, view.azimuth, view.elevation, view.zoom]
    return (
        isinstance(scene.title, str)
        and isinstance(scene.document, dict)
        and isinstance(scene.origin, dict)
        and light.name in LIGHTS
        and all(len(c) == 3 and all(type(v) is int and 0 <= v <= 255 for v in c) for c in colors)
        and all(n is None or np.isfinite(n) for n in numbers)
        and all(0 <= m.opacity <= 1 and 0 <= m.glow <= 3 and 0 <= m.metal <= 1 for m in scene.grid.palette)
        and int(scene.grid.indices.max()) < len(scene.grid.palette)
    )


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(_WHOLE) - 1), st.integers(0, 7)), min_size=1, max_size=4))
def test_an_archive_with_flipped_bits_is_a_scene_or_a_file_error(flips: list[tuple[int, int]]) -> None:
    data = bytearray(_WHOLE)
    for place, bit in flips:
        data[place] ^= 1 << bit
    with suppress(FileError):
        assert is_sound(npz.read(bytes(data), ""))


def archive(**changes: Any) -> bytes:
    """Return an archive of one red cell with some entries, or fields of "about", changed."""
    entries: dict[str, Any] = {
        "indices": np.ones((1, 1, 1), np.uint8),
        "names": np.array(["air", "red"]),
        "colors": np.array([[0, 0, 0], [255, 0, 0]]),
        "surface": np.array([[1.0, 0, 0], [1.0, 0, 0]]),
    }
    about = {key: value for key, value in changes.items() if key not in entries}
    entries |= {key: value for key, value in changes.items() if key in entries}
    file = io.BytesIO()
    np.savez(file, **entries, about=np.array(json.dumps(about)))
    return file.getvalue()


@pytest.mark.parametrize(
    "changes",
    [
        {"light": {"name": "dusk"}},
        {"light": {"name": ["day"]}},
        {"light": {"color": [1, 2]}},
        {"light": {"color": [1, 2, 256]}},
        {"light": {"color": "red"}},
        {"light": {"strength": float("nan")}},
        {"light": {"azimuth": "left"}},
        {"light": {"mood": 1}},
        {"light": "day"},
        {"view": {"azimuth": float("inf")}},
        {"view": {"zoom": 0}},
        {"view": [1, 2]},
        {"colors": np.array([[0, 0, 0], [256, 0, 0]])},
        {"colors": np.array([[0, 0, 0], [0.5, 0, 0]])},
        {"surface": np.array([[1.0, 0, 0], [1.5, 0, 0]])},
        {"surface": np.array([[1.0, 0, 0], [1.0, 4, 0]])},
        {"surface": np.array([[1.0, 0, 0], [1.0, 0, float("nan")]])},
        {"names": np.array(["air"])},
    ],
)
def test_values_no_scene_can_hold_are_a_file_error(changes: dict[str, Any]) -> None:
    with pytest.raises(FileError, match=r"not an \.npz archive of voxgen"):
        npz.read(archive(**changes), "")


def test_what_an_archive_says_about_itself_is_taken_only_in_its_own_type() -> None:
    scene = npz.read(archive(title=5, document=[1], origin="me", light={"strength": 2}), "Named")
    assert (scene.title, scene.document, scene.origin, scene.light) == ("Named", {}, {}, Light(strength=2))


def test_an_encrypted_archive_is_a_file_error() -> None:
    data = bytearray(archive())
    data[6] |= 1  # the flag of the first entry, at both of its places
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(FileError, match="encrypted"):
        npz.read(bytes(data), "")


# --------------------------------------------------------------------------- the gallery


@pytest.mark.parametrize("damage", [b"", b"no picture", "cut", "flipped"])
def test_a_damaged_picture_differs_and_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | str
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    monkeypatch.setattr(gallery.renderer, "draw", lambda *_, **__: image)
    turned: list[str] = []
    monkeypatch.setattr(gallery, "spin", lambda _, name: turned.append(name))
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "spin.webp").write_bytes(b"RIFF")
    files.save(build(DOCUMENT), tmp_path / "two" / "scene.json")
    whole = png.encode(image)
    data = {"cut": whole[: len(whole) // 2], "flipped": whole[:900] + b"\0\0\0" + whole[903:]}
    picture = tmp_path / "two" / "picture.png"
    picture.write_bytes(damage if isinstance(damage, bytes) else data[damage])
    assert not gallery.redraw(tmp_path, "two", check_only=True)
    assert turned == []
    assert not gallery.redraw(tmp_path, "two")
    assert gallery.redraw(tmp_path, "two")
    assert turned == ["two"], "the turntable of what has changed, once"
    (tmp_path / "two" / "spin.webp").write_bytes(b"")
    assert not gallery.redraw(tmp_path, "two", check_only=True)


def test_the_index_never_overwrites_somebody_elses_page(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    files.save(build(DOCUMENT), tmp_path / "two" / "scene.json")
    page = tmp_path / "README.md"
    for text_ in (b"# My own pages\n", b"\xff\xfe", b"See\n# Gallery\n"):
        page.write_bytes(text_)
        assert not gallery.write_index(tmp_path, ["two"], check_only=True)
        with pytest.raises(FileError, match="no index of a gallery"):
            gallery.write_index(tmp_path, ["two"])
        assert page.read_bytes() == text_
    page.write_bytes(b"# Gallery\n\nold\n")
    assert not gallery.write_index(tmp_path, ["two"])
    assert gallery.write_index(tmp_path, ["two"])
