"""The page of a scene: what is in it, and what a real browser makes of it."""

from __future__ import annotations

import base64
import json
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from browser import PROGRAM, Browser
from hypothesis import given, settings
from hypothesis import strategies as st

import voxgen
from voxgen import files
from voxgen.cli import run
from voxgen.errors import RenderError
from voxgen.files import html
from voxgen.picture import camera, setting
from voxgen.scene import AIR, LIGHTS, Light, Material, Scene, View, VoxelGrid

ROOT = Path(__file__).parent.parent
HOSTILE = "</script><script>document.title='taken'</script><!-- & \"<b>\" @SCRIPT@ \\u003c"
SKY = (slice(20, 60), slice(560, 620))  # a corner of a page of 640 x 480 that shows only sky


def built(title: str = "A hut", dtype: type = np.uint8, **changes: Any) -> Scene:
    """Return a small scene with everything: ground, a hollow hut, a lamp, water and gold."""
    indices = np.zeros((24, 20, 14), dtype)
    indices[2:22, 2:18, :3] = 1
    indices[4:12, 5:14, 3:10] = 2
    indices[5:11, 6:13, 4:9] = 0
    indices[7:9, 5, 4:7] = 3
    indices[14:20, 5:12, 1:3] = 4
    indices[16, 14, 3:9] = 5
    palette = (
        AIR,
        Material("grass", (90, 160, 70)),
        Material("wall", (220, 200, 170)),
        Material("lamp", (255, 200, 110), glow=1.0),
        Material("water", (60, 140, 190), opacity=0.5),
        Material("gold", (230, 180, 60), metal=0.8),
    )
    return Scene(title, VoxelGrid(indices, palette), **changes)


def data_of(page: bytes) -> dict[str, Any]:
    """Return what a page says of its scene."""
    found = re.search(rb'<script type="application/json" id="scene">(.*?)</script>', page, re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def cells_of(data: dict[str, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the materials and steps (X, Y, Z) of a page, as its script reads them."""
    stream = zlib.decompress(base64.b85decode(data["grid"].replace(".", "<")))
    rare, kinds = data["rare"], data["kinds"]
    end = 2 * rare + 3 * kinds
    more = np.frombuffer(stream, "<u2", rare)
    look = np.append(0, np.frombuffer(stream, "<u2", kinds, 2 * rare))
    step = np.append(0, np.frombuffer(stream, np.uint8, kinds, end - kinds))
    cells = np.frombuffer(stream, np.uint8, int(np.prod(data["size"])), end).astype(int)
    assert stream[end + len(cells) :].startswith(b"#part common")
    cells[cells == 255] += more
    cells = cells.reshape(data["size"][::-1]).T
    return look[cells], step[cells]


def grid_of(data: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return the grid (X, Y, Z) of a page."""
    return cells_of(data)[0]


# --------------------------------------------------------------------------- what is in it


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_page_holds_the_occupied_grid_bit_for_bit(dtype: type) -> None:
    scene = built(dtype=dtype)
    data = data_of(html.write(scene))
    assert data["size"] == [20, 16, 10]
    assert np.array_equal(grid_of(data), scene.grid.indices[2:22, 2:18, :10])


def test_more_materials_than_a_byte_holds_are_kept() -> None:
    indices = np.arange(1, 1001, dtype=np.uint16).reshape(10, 10, 10)
    palette = (AIR, *(Material(f"m{i}", (i % 256, i // 256, 7)) for i in range(1, 1001)))
    data = data_of(html.write(Scene("Many", VoxelGrid(indices, palette))))
    assert data["rare"] == 1000 - 254
    assert len(data["materials"]) == 1000 * 12
    assert data["materials"][-12:] == "e80307ff0000"
    assert np.array_equal(grid_of(data), indices)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 700), st.integers(1, 600), st.integers(0, 99))
def test_a_page_holds_every_cell_with_its_material_and_step(materials: int, steps: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (11, 9, 8)
    indices = random.integers(0, materials + 1, shape).astype(np.uint16)
    palette = (AIR, *(Material(f"m{i}", (i % 256, i // 256, 7)) for i in range(1, materials + 1)))
    order = (random.integers(1, steps + 1, shape) * (indices > 0)).astype(np.uint16)
    grid, low, _ = setting.cropped(VoxelGrid(indices, palette))
    box = order[tuple(slice(a, a + n) for a, n in zip(low, grid.size, strict=True))]
    packed = html._packed(grid, box)
    stream = base64.b85encode(html._deflated(*packed.parts, b"#part common")).replace(b"<", b".").decode()
    look, step = cells_of({**packed._asdict(), "grid": stream, "size": grid.size})
    assert np.array_equal(look, grid.indices)
    filled = look > 0
    given_, kept = box[filled].astype(int), step[filled]
    assert kept.min() == 1
    assert kept.max() == packed.steps <= 254
    later = np.argsort(given_, kind="stable")
    assert (np.diff(kept[later]) >= 0).all()  # in order
    if len(set(given_.tolist())) <= 254:
        assert len(set(kept.tolist())) == len(set(given_.tolist()))  # and each step for itself


def test_a_page_knows_the_steps_of_its_document_and_one_where_there_is_none() -> None:
    scene = voxgen.build(
        {
            "size": [4, 3, 3],
            "build": [
                {"box": [[0, 0, 0], [3, 2, 0]], "of": "green"},
                {"voxels": [[9, 9, 9]], "of": "green"},
                {"box": [[0, 0, 1], [1, 1, 2]], "of": "green"},
            ],
        }
    )
    step = cells_of(data_of(html.write(scene)))[1]
    assert (step[:, :, 0] == 1).all()
    assert (step[:2, :2, 1:] == 2).all()
    assert np.count_nonzero(step) == scene.grid.voxels
    data = data_of(html.write(built()))
    assert data["steps"] == 1
    assert cells_of(data)[1].max() == 1


def test_materials_keep_glass_glow_and_metal() -> None:
    materials = data_of(html.write(built()))["materials"]
    parts = [materials[i : i + 12] for i in range(0, len(materials), 12)]
    assert parts == ["5aa046ff0000", "dcc8aaff0000", "ffc86eff2000", "3c8cbe800000", "e6b43cff00cc"]


def test_the_light_and_the_view_are_the_scenes_own() -> None:
    scene = built(light=Light("sunset", zenith=(10, 20, 30)), view=View(70.0, 12.0, 1.5))
    data = data_of(html.write(scene))
    assert list(data["lights"]) == list(LIGHTS)
    assert data["light"] == "sunset"
    assert data["lights"]["sunset"]["top_color"] == pytest.approx([10 / 255, 20 / 255, 30 / 255], abs=1e-4)
    assert data["view"] == {"azimuth": 70.0, "elevation": 12.0, "zoom": 1.5}
    usual = data_of(html.write(built()))["view"]
    assert (usual["azimuth"], usual["elevation"]) == camera.VIEWS["hero"][:2]


def test_a_hostile_title_stays_text() -> None:
    page = html.write(built(HOSTILE))
    assert data_of(page)["title"] == HOSTILE
    assert page.count(b"<script") == html.write(built()).count(b"<script")
    assert b"<b>" not in page
    assert b"<title>&lt;/script&gt;&lt;script&gt;" in page


def test_a_page_asks_for_nothing_outside_itself() -> None:
    page = html.write(built())
    assert not re.search(rb"https?:|[^.]\b(?:src|href)=|import\s*\(|@import|url\(", page)


def test_the_same_scene_gives_the_same_page() -> None:
    assert html.write(built()) == html.write(built())


def test_pages_packed_by_another_zlib_are_alike_and_other_grids_are_not() -> None:
    page = html.write(built())
    data = data_of(page)
    stream = zlib.decompress(base64.b85decode(data["grid"].replace(".", "<")))
    again = base64.b85encode(zlib.compress(stream, 1)).replace(b"<", b".")
    assert html.is_like(page, page.replace(data["grid"].encode(), again))
    assert not html.is_like(page, html.write(built("Another")))
    other = zlib.compress(b"\1" * (20 * 16 * 10))
    other_grid = base64.b85encode(other).replace(b"<", b".")
    assert not html.is_like(page, page.replace(data["grid"].encode(), other_grid))
    assert not html.is_like(page, b"")
    assert not html.is_like(page, page.replace(data["grid"].encode(), b"nonsense"))


def test_an_empty_scene_has_no_page() -> None:
    with pytest.raises(RenderError, match="empty"):
        html.write(Scene("None", VoxelGrid(np.zeros((2, 2, 2), np.uint8), (AIR,))))


def test_a_page_tells_what_is_too_long_for_it(folder: Path) -> None:
    palette = (AIR, Material("rope", (200, 180, 120)))
    for side in (1024, 1025):
        files.save(Scene("Rope", VoxelGrid(np.ones((2, side, 1), np.uint8), palette)), folder / f"{side}.npz")
    assert run(["export", "1024.npz", "rope.html"]) == 0
    assert run(["export", "1025.npz", "long.html"]) == 6
    assert run(["view", "1025.npz", "--no-open"]) == 6
    assert not list(folder.glob("long*")) + list(folder.glob("1025.html"))


def test_the_page_of_the_pagoda_is_small() -> None:
    assert len(html.write(files.load(ROOT / "gallery" / "pagoda" / "scene.json"))) <= 120_000


# --------------------------------------------------------------------------- commands and notebooks


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Catch the addresses that would be opened in a browser."""
    addresses: list[str] = []
    monkeypatch.setattr(html.webbrowser, "open", lambda url: bool(addresses.append(url)) or True)
    return addresses


def test_view_writes_a_page_beside_those_there_are_and_opens_it(
    folder: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    files.save(built(), folder / "hut.npz")
    assert run(["view", "hut.npz"]) == 0
    assert run(["view", "hut.npz", "--no-open"]) == 0
    assert capsys.readouterr().out.split() == ["hut.html", "hut-2.html"]
    assert opened == [(folder / "hut.html").as_uri()]
    assert (folder / "hut.html").read_bytes() == (folder / "hut-2.html").read_bytes() == html.write(built())


def test_view_goes_where_it_is_told(
    folder: Path, opened: list[str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    files.save(built(), folder / "hut.npz")
    assert run(["view", "hut.npz", "-o", "there.html", "--no-open"]) == 0
    assert capsysbinary.readouterr().out == b"there.html\n"
    assert run(["view", "hut.npz", "-o", "-"]) == 0
    assert capsysbinary.readouterr().out == html.write(built())
    assert run(["view", "hut.npz", "-o", "there.png"]) == 6
    assert b"a page is HTML" in capsysbinary.readouterr().err
    assert opened == []


def test_export_knows_html(folder: Path) -> None:
    files.save(built(), folder / "hut.npz")
    assert run(["export", "hut.npz", "hut.html"]) == 0
    assert (folder / "hut.html").read_bytes() == html.write(built())


def test_show_opens_the_browser_where_there_is_no_notebook(opened: list[str]) -> None:
    path = voxgen.show(built())
    assert path is not None
    assert opened == [path.as_uri()]
    assert path.read_bytes() == html.write(built())
    path.unlink()


def test_show_puts_the_page_in_a_frame_of_the_notebook(
    monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    shown: list[str] = []
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]
    display = SimpleNamespace(HTML=lambda text: text, display=shown.append)
    monkeypatch.setitem(sys.modules, "IPython.display", display)  # type: ignore[arg-type]
    assert voxgen.show(built(HOSTILE)) is None
    assert opened == []
    (frame,) = shown
    assert frame.startswith("<div><iframe srcdoc=")
    assert frame.count("<") == 4  # nothing of the page stands outside the attribute


def test_a_scene_shows_itself_as_a_picture() -> None:
    png = built()._repr_png_()
    assert png is not None
    assert png.startswith(b"\x89PNG")
    assert Scene("None", VoxelGrid(np.zeros((2, 2, 2), np.uint8), (AIR,)))._repr_png_() is None


# --------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=640, height=480, deviceScaleFactor=1, mobile=False
    )
    yield browser
    browser.close()


@pytest.fixture
def hut(tmp_path: Path) -> str:
    """Return the address of a page."""
    (tmp_path / "hut.html").write_bytes(html.write(built(HOSTILE)))
    return (tmp_path / "hut.html").as_uri()


def difference(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.browser
def test_a_page_opens_without_a_word_on_the_console_or_the_network(page: Browser, hut: str) -> None:
    page.open(hut)
    picture = page.picture()
    assert page.complaints() == []
    assert page.run("document.querySelector('#message')") is None
    assert page.run("document.title") == HOSTILE
    assert page.run("document.querySelector('h1').textContent") == HOSTILE
    blue = picture[SKY].mean((0, 1))
    assert blue[2] > blue[0] + 30  # the sky of day
    assert picture[150:330, 200:440].std() > 20  # and something in the middle


@pytest.mark.browser
def test_drag_wheel_keys_and_slider_change_the_picture(page: Browser, hut: str) -> None:
    page.open(hut)
    first = page.picture()
    page.mouse("mousePressed", 320, 240, button="left", clickCount=1)
    for x in range(340, 440, 20):
        page.mouse("mouseMoved", x, 250, button="left", buttons=1)
    page.mouse("mouseReleased", 420, 250, button="left")
    turned = page.picture()
    assert difference(turned, first) > 2
    page.mouse("mouseWheel", 320, 240, deltaX=0, deltaY=400)
    small = page.picture()
    assert difference(small, turned) > 2
    page.key("h")
    assert difference(page.picture(), first) < 0.5  # as at first
    for key in ("e", "l", "-", "ArrowLeft"):
        before = page.picture()
        page.key(key)
        assert difference(page.picture(), before) > 0.5, key
    page.key("h")
    page.run("layers.value = 6; layers.dispatchEvent(new Event('input'))")
    cut = page.picture()
    assert difference(cut, first) > 1
    page.key("?")
    assert page.run("keys.hidden") is False
    assert page.complaints() == []


@pytest.mark.browser
def test_a_cut_is_closed_and_shows_what_is_inside(page: Browser, tmp_path: Path) -> None:
    indices = np.ones((9, 9, 9), np.uint8)
    indices[1:-1, 1:-1, 1:-1] = 2  # red inside a white box
    palette = (AIR, Material("white", (240, 240, 240)), Material("red", (220, 20, 20)))
    (tmp_path / "box.html").write_bytes(html.write(Scene("Box", VoxelGrid(indices, palette))))

    def red(hash_: str) -> int:
        page.open((tmp_path / "box.html").as_uri() + hash_)
        picture = page.picture().astype(int)
        return int((picture[..., 0] > picture[..., 1] + 80).sum())

    assert red("#bare&view=30,60") == 0
    assert red("#bare&view=30,60&layers=5") > 10_000


@pytest.mark.browser
def test_spin_and_build_move_and_the_build_ends(page: Browser, hut: str) -> None:
    page.open(hut)
    first = page.picture()
    page.key("b")
    page.wait("document.getElementById('build').getAttribute('aria-pressed') === 'false'")
    assert difference(page.picture(), first) < 0.5
    page.key(" ")
    frames = page.run("+document.documentElement.dataset.frames")
    page.wait(f"+document.documentElement.dataset.frames > {frames} + 5")
    page.key(" ")
    assert difference(page.picture(), first) > 1
    assert page.complaints() == []


@pytest.mark.browser
def test_a_build_up_shows_the_steps_in_their_order(page: Browser, tmp_path: Path) -> None:
    colors = {"red": "#e01010", "green": "#10c010", "blue": "#1030e0"}
    steps = [
        {"box": [[0, 0, 0], [19, 19, 2]], "of": "red"},
        {"box": [[2, 2, 10], [17, 17, 12]], "of": "green"},  # the top before what is below
        {"box": [[5, 5, 3], [14, 14, 9]], "of": "blue"},
        {"box": [[5, 5, 13], [14, 14, 15]], "of": "blue"},
    ]
    scene = voxgen.build({"size": [20, 20, 16], "palette": colors, "build": steps})
    (tmp_path / "steps.html").write_bytes(html.write(scene))
    page.open((tmp_path / "steps.html").as_uri())

    def shown(hash_: str) -> list[int]:
        page.run(f"location.hash = '#bare&light=overcast&view=30,30{hash_}'")
        picture = page.picture().astype(int)
        assert page.complaints() == []
        return [int((picture[..., k] > picture.sum(2) - picture[..., k] + 20).sum()) for k in range(3)]

    nothing, ground, roof, middle, whole = (shown(f"&built={share}") for share in (0, 0.25, 0.5, 0.75, 1))
    assert nothing == [0, 0, 0]
    assert ground[0] > 5000
    assert ground[1:] == [0, 0]
    assert roof[1] > 5000
    assert roof[2] == 0
    assert middle[2] > 1000
    assert middle[0] < ground[0]  # it stands before the ground
    assert shown("&built=0.62")[2] < middle[2] < shown("&built=0.9")[2]  # each step from below
    assert whole == shown("")
    assert whole[2] > middle[2]


@pytest.mark.browser
def test_the_build_button_goes_through_the_steps_and_ends_with_all(page: Browser, hut: str) -> None:
    page.open(hut)
    first = page.picture()
    page.key("b")
    page.wait("document.getElementById('build').getAttribute('aria-pressed') === 'true'")
    page.key("b")  # enough of it
    assert page.run("document.getElementById('build').getAttribute('aria-pressed')") == "false"
    assert difference(page.picture(), first) < 0.5


@pytest.mark.browser
@pytest.mark.parametrize("azimuth", [20, 200])
def test_glass_shows_what_is_behind_it_also_glass(page: Browser, tmp_path: Path, azimuth: int) -> None:
    palette = (
        AIR, Material("floor", (128, 128, 128)), Material("clear", (255, 255, 255), opacity=0.15),
        Material("red", (255, 0, 0), opacity=0.5),
    )  # fmt: skip
    indices = np.zeros((20, 12, 16), np.uint8)
    indices[:, :, 0] = 1
    pictures = []
    for panes in ({2: 2, 10: 2}, {2: 2, 6: 3, 10: 2}):
        cells = indices.copy()
        for y, material in panes.items():
            cells[:, y, 1:] = material
        (tmp_path / "glass.html").write_bytes(html.write(Scene("Glass", VoxelGrid(cells, palette))))
        page.open((tmp_path / "glass.html").as_uri() + f"#bare&view={azimuth},15")
        pictures.append(page.picture()[200:260, 280:360].astype(float).mean((0, 1)))
        assert page.complaints() == []
    without, with_red = pictures
    assert with_red[0] - with_red[1] > without[0] - without[1] + 40


@pytest.mark.browser
@pytest.mark.parametrize("light", LIGHTS)
def test_each_light_has_the_sky_of_its_preset(page: Browser, hut: str, light: str) -> None:
    page.open(f"{hut}#bare&light={light}")
    corner = page.picture()[SKY].mean((0, 1)) / 255
    expected = np.array(data_of(html.write(built()))["lights"][light]["top_color"])
    assert np.abs(corner - expected).max() < 0.12


@pytest.mark.browser
def test_the_save_button_gives_a_png(page: Browser, hut: str) -> None:
    page.open(hut)
    page.run("URL.createObjectURL = blob => { window.saved = blob; return 'about:blank#'; }")
    page.run("HTMLAnchorElement.prototype.click = function () { window.named = this.download; }")
    page.key("s")
    page.wait("window.named")
    assert page.run("saved.type") == "image/png"
    assert page.run("saved.size") > 10_000
    assert re.fullmatch(r"[\w-]+\.png", page.run("named"))


@pytest.mark.browser
def test_the_controls_fit_on_a_phone(page: Browser, hut: str) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=2, mobile=True)
    try:
        page.open(hut)
        box = page.run("JSON.stringify(document.getElementById('bar').getBoundingClientRect())")
        bar = json.loads(box)
        assert bar["left"] >= 0
        assert bar["right"] <= 360
        assert bar["bottom"] <= 640
        assert page.run("document.documentElement.scrollWidth") == 360
        assert page.picture().shape == (1280, 720, 3)
        assert page.complaints() == []
    finally:
        page.call(
            "Emulation.setDeviceMetricsOverride", width=640, height=480, deviceScaleFactor=1, mobile=False
        )


@pytest.mark.browser
def test_the_page_looks_like_the_picture(page: Browser, hut: str) -> None:
    for light in ("day", "night"):
        page.open(f"{hut}#bare&light={light}")
        picture = voxgen.render(built(), size=(640, 480), light=light, quality="draft")
        coarse = [image.reshape(24, 20, 32, 20, 3).mean((1, 3)) for image in (page.picture(), picture)]
        assert difference(*coarse) < 9, light


@pytest.mark.browser
def test_a_lamp_keeps_its_colour_at_night(page: Browser, tmp_path: Path) -> None:
    indices = np.zeros((24, 24, 16), np.uint8)
    indices[:, :, :2] = 1
    indices[8:16, 8:16, 2:14] = 2
    palette = (AIR, Material("grass", (90, 160, 70)), Material("lamp", (255, 190, 90), glow=2.5))
    scene = Scene("Lamp", VoxelGrid(indices, palette))
    (tmp_path / "lamp.html").write_bytes(html.write(scene))
    page.open((tmp_path / "lamp.html").as_uri() + "#bare&light=night&view=30,20")
    middle = (slice(210, 250), slice(300, 340))
    shown = page.picture()[middle].mean((0, 1))
    drawn = voxgen.render(scene, size=(640, 480), light="night", view="30,20", quality="draft")[middle]
    assert np.abs(shown - drawn.mean((0, 1))).max() < 30
    assert shown[0] > shown[2] + 60  # not white


@pytest.mark.browser
def test_without_webgl_the_page_says_so(tmp_path: Path, hut: str) -> None:
    if PROGRAM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    browser = Browser(tmp_path / "profile", (640, 480), "--disable-3d-apis")
    try:
        browser.open(hut)
        assert "WebGL 2" in browser.run("document.querySelector('.failed').textContent")
        assert browser.run("document.querySelector('h1').textContent") == HOSTILE
    finally:
        browser.close()
