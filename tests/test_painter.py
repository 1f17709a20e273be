"""Pictures without OpenGL: what must hold of each of them, alone and beside those with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import voxgen
from voxgen.errors import RenderError, UsageError
from voxgen.picture import camera, painter, raster, renderer
from voxgen.picture.lamps import Lamps, Noise
from voxgen.picture.mesher import NORMALS, exposed
from voxgen.picture.radiosity import Room
from voxgen.picture.rays import Space
from voxgen.picture.sky import resolve
from voxgen.picture.sweep import Sweeper, in_front, sphere
from voxgen.scene import AIR, LIGHTS, Light, Material, Scene, VoxelGrid

SMALL = (96, 72)
WHITE, LAMP, GLASS, RED, GOLD = 1, 2, 3, 4, 5
PALETTE = (
    AIR,
    Material("white", (235, 235, 235)),
    Material("lamp", (255, 214, 140), glow=1.5),
    Material("glass", (150, 200, 240), opacity=0.4),
    Material("red", (200, 40, 30)),
    Material("gold", (240, 190, 80), metal=1.0),
)


def scene_of(indices: np.ndarray, light: str = "day") -> Scene:
    return Scene("test", VoxelGrid(indices, PALETTE), Light(light))


def filled(x: int, y: int, z: int, of: int = WHITE) -> np.ndarray:
    return np.full((x, y, z), of, np.uint8)


def draw(indices: np.ndarray, light: str = "day", **options: Any) -> np.ndarray:
    options = {"size": SMALL, "quality": "draft", "background": "#808080", **options}
    return renderer.draw(scene_of(indices, light), renderer="soft", **options).astype(int)


def yard() -> np.ndarray:
    grid = np.zeros((14, 14, 9), np.uint8)
    grid[:, :, 0] = WHITE
    grid[3:6, 8:11, 1:8] = RED
    grid[8:12, 3:7, 1] = GLASS
    grid[11, 11, 1:5] = GOLD
    grid[2, 2, 1] = LAMP
    return grid


def room_of(grid: np.ndarray, light: str = "day") -> Room:
    whole = VoxelGrid(grid, PALETTE)
    room = Room(whole, exposed(whole), resolve(Light(light), 0.0))
    room.fill(48)
    return room


# --------------------------------------------------------------------------- the whole picture


@pytest.mark.parametrize("light", LIGHTS)
def test_the_same_call_gives_the_same_bytes(light: str) -> None:
    first = draw(yard(), light)
    assert first.shape == (72, 96, 3)
    assert first.tobytes() == draw(yard(), light).tobytes()


@pytest.mark.parametrize("view", ["hero", "iso", "front", "top", "-120,-20"])
def test_the_scene_fills_the_frame_and_nothing_is_cut(view: str) -> None:
    image = draw(yard(), view=view, light="overcast", background="#00ff00")
    scene = np.abs(image - [0, 255, 0]).sum(axis=-1) > 200
    rows, columns = np.flatnonzero(scene.any(axis=1)), np.flatnonzero(scene.any(axis=0))
    share = max(np.ptp(rows) / image.shape[0], np.ptp(columns) / image.shape[1])
    assert 0.8 < share < 0.97
    assert 0 < rows[0] < rows[-1] < 71
    assert 0 < columns[0] < columns[-1] < 95


@pytest.mark.parametrize(
    "grid",
    [filled(1, 1, 1), filled(1, 1, 512), filled(300, 1, 1), filled(64, 64, 1), filled(5, 5, 5, GLASS),
     filled(5, 5, 5, LAMP), filled(5, 5, 5, GOLD)],
    ids=["one", "pole", "beam", "flat", "glass", "glow", "gold"],
)  # fmt: skip
def test_odd_scenes_are_drawn(grid: np.ndarray) -> None:
    for light in ("day", "night"):
        image = draw(grid, light)
        assert np.abs(image - 128).max() > 5  # a pole is an eighth of a pixel wide


def test_an_empty_scene_is_refused() -> None:
    with pytest.raises(RenderError, match="empty"):
        draw(filled(3, 3, 3, 0))


@pytest.mark.parametrize("quality", ["draft", "good", "best"])
def test_every_quality_shows_the_same_scene(quality: str) -> None:
    image = draw(yard(), quality=quality)
    assert np.abs(image - draw(yard(), quality="good")).mean() < 6


def test_odd_sizes_and_bands_show_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw(yard(), size=(97, 71))
    monkeypatch.setattr(painter, "BAND_SAMPLES", 2500)
    monkeypatch.setattr(raster, "MOST", 700)
    assert np.array_equal(draw(yard(), size=(97, 71)), whole)


def test_views_share_their_light_and_the_first_is_the_same_alone() -> None:
    scene = scene_of(yard())
    options: dict[str, Any] = {"size": SMALL, "quality": "draft", "renderer": "soft"}
    sheet = list(renderer.draw_views(scene, ["30,26", "120,26"], **options))
    alone = renderer.draw(scene, view="30,26", **options)
    assert np.abs(sheet[0].astype(int) - alone).mean() < 1.5
    assert np.abs(sheet[0].astype(int) - sheet[1]).mean() > 2


def test_the_shaded_side_is_darker_and_the_ground_takes_the_shadow() -> None:
    scene = scene_of(filled(6, 6, 6))
    light = Light("day", azimuth=-60, elevation=40)  # from the left
    front, corner = (
        renderer.draw(
            scene, size=(160, 120), light=light, view=view, background="#808080", renderer="soft"
        ).astype(int)
        for view in ("0,20", "45,20")
    )
    assert abs(front[88, 4].mean() - 128) < 6
    assert front[88, 150].mean() < 100  # the shadow falls to the right
    assert corner[62, 60].mean() > corner[62, 100].mean() + 30


def test_a_lamp_brightens_its_surroundings() -> None:
    dark, lit = filled(11, 11, 1), np.zeros((11, 11, 2), np.uint8)
    lit[:, :, 0] = WHITE
    lit[5, 5, 1] = LAMP
    without = np.zeros_like(lit)
    without[:, :, :1] = dark
    without[5, 5, 1] = WHITE
    a, b = (draw(g, "night", view="top") for g in (lit, without))
    near, far = (slice(20, 52), slice(30, 66)), (slice(10, 14), slice(14, 24))
    assert a[near].mean() > b[near].mean() + 40
    assert (a - b)[near].mean() > 2 * (a - b)[far].mean()


def test_what_stands_behind_glass_shows_through_tinted() -> None:
    grid = np.zeros((9, 3, 9), np.uint8)
    grid[:, 2, :] = RED
    grid[:, 0, :5] = GLASS
    image = draw(grid, view="front", light="studio", background="#000000")
    bare, behind = image[18:26, 40:56].mean(axis=(0, 1)), image[46:54, 40:56].mean(axis=(0, 1))
    assert bare[0] > 2 * bare[2]
    assert behind[2] > bare[2] + 10  # bluer
    assert behind[0] > behind[2] - 60  # and yet still red


def test_the_nearer_of_two_panes_is_laid_over_the_farther() -> None:
    palette = (*PALETTE[:3], Material("blue", (20, 40, 220), 0.85), Material("pink", (230, 60, 60), 0.85))
    image = {}
    for name, (near, far) in {"blue": (3, 4), "red": (4, 3)}.items():
        grid = np.zeros((6, 5, 6), np.uint8)
        grid[:, 0, :], grid[:, 4, :] = near, far
        scene = Scene("panes", VoxelGrid(grid, palette), Light("studio"))
        image[name] = (
            renderer.draw(scene, size=SMALL, view="front", quality="draft", renderer="soft")
            .astype(int)[30:42, 42:54]
            .mean(axis=(0, 1))
        )
    assert image["blue"][2] > image["blue"][0]
    assert image["red"][0] > image["red"][2]


@pytest.mark.parametrize("options", [{"renderer": "vulkan"}, {"view": "sideways"}, {"light": "moonlight"},
                                     {"quality": "perfect"}, {"size": (3, 3)}])  # fmt: skip
def test_nonsense_is_refused_in_one_line(options: dict[str, Any]) -> None:
    options = {"renderer": "soft", **options}
    with pytest.raises(UsageError) as caught:
        renderer.draw(scene_of(yard()), **options)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_neither_vtk_nor_pyvista_is_imported() -> None:
    code = (
        "import sys, numpy as np, voxgen\n"
        "grid = voxgen.VoxelGrid(np.ones((2, 2, 2), np.uint8), (voxgen.Material('air', (0, 0, 0), 0), "
        "voxgen.Material('a', (200, 50, 50), 1.0, 1.0)))\n"
        "voxgen.render(voxgen.Scene('t', grid), size=(64, 48), quality='draft', renderer='soft')\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('vtk', 'vtkmodules', 'pyvista')])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


@pytest.mark.skipif(renderer.probe() is not None, reason=str(renderer.probe()))
@pytest.mark.parametrize("light", ["day", "night"])
def test_it_looks_as_with_opengl(light: str) -> None:
    scene = scene_of(yard(), light)
    ours, theirs = (
        renderer.draw(scene, size=(240, 180), renderer=name).astype(int) for name in ("soft", "gl")
    )
    difference = np.abs(ours - theirs).max(axis=-1)
    assert np.abs(ours.mean() - theirs.mean()) < 3
    assert difference.mean() < 5
    assert np.median(difference) <= 2
    assert (difference > 40).mean() < 0.02


# --------------------------------------------------------------------------- its parts


GRIDS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed)).map(
    lambda rng: (rng.random(tuple(rng.integers(1, 9, 3))) < rng.random()).astype(np.uint8)
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(GRIDS, st.integers(0, 1000))
def test_rays_end_where_a_slow_walk_does(grid: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = np.array(grid.shape)
    origin = (rng.random((50, 3)) * (size + 4) - 2).astype(np.float32)
    way = rng.normal(size=(50, 3))
    way = (way / np.linalg.norm(way, axis=1, keepdims=True)).astype(np.float32)
    space = Space(grid, np.array([0, 1], np.float32), np.ones((2, 3), np.float32))
    hits = space.cast(origin, way)
    steps = np.arange(0, 40, 0.01, np.float32)
    for k in range(50):
        cells = np.floor(origin[k] + way[k] * steps[:, None]).astype(int)
        inside = ((cells >= 0) & (cells < size)).all(axis=1)
        solid = np.zeros(len(steps), bool)
        solid[inside] = grid[tuple(cells[inside].T)] > 0
        long = solid & np.roll(solid, 1) & np.roll(solid, -1)  # no mere graze of a corner
        if hits.direction[k] < 0:
            assert not (long & np.roll(long, 1)).any()
        else:
            assert grid[tuple(hits.cell[k])] == 1
            assert not (long & (steps < hits.reach[k] - 0.05)).any()


@settings(max_examples=30, deadline=None)
@given(GRIDS, st.sampled_from(["hero", "iso", "70,-30", "200,60"]))
def test_each_sample_shows_the_face_that_a_ray_meets(grid: np.ndarray, view: str) -> None:
    if not grid.any():
        return
    scene = Scene("random", VoxelGrid(grid, PALETTE[:2]), Light("day"))
    easel = painter.Easel(scene, None, view, (48, 40))
    sight = painter.Sight(easel, 1)
    ((_, _, rank),) = sight.bands()
    y, x = np.divmod(np.arange(48 * 40), 48)
    start, way = easel.camera.rays(2 * (x + 0.5) / 48 - 1, 1 - 2 * (y + 0.5) / 40)
    way = way / np.linalg.norm(way, axis=1, keepdims=True)
    hits = easel.room.space.cast(start, way)
    shown = np.where(rank > 0, easel.key[sight.rows[rank - 1]], -1)
    met = np.where(hits.direction >= 0, easel._key(hits.cell, hits.direction), -1)
    assert (shown != met).mean() < 0.01  # but for samples on an edge


def test_an_open_plain_takes_all_of_the_sky_and_a_pit_less() -> None:
    grid = filled(9, 9, 4)
    grid[4, 4, 1:] = 0
    faces = exposed(VoxelGrid(grid, PALETTE))
    sweeper = Sweeper(grid.shape, faces, np.zeros(len(PALETTE), bool))
    none = np.zeros((len(faces) + 1, 3), np.float32)
    light = sweeper.gather(in_front(faces), sphere(400), lambda _: np.ones(3, np.float32), none, none + 1)
    up = faces.direction == 5
    assert np.allclose(light[up & (faces.voxel[:, 2] == 3)], 1)
    bottom = light[up & (faces.voxel[:, 2] == 0), 0]
    assert 0.02 < bottom < 0.2  # 1 / (1 + 4 · depth²) of a disc, about


def test_swept_light_at_corners_averages_to_that_of_the_face() -> None:
    room = room_of(yard())
    whole = room._swept(room.takers, 96)
    corners = room._swept(room.takers, 96, corners=True)
    assert np.abs(corners.mean(axis=(1, 2)) - whole).mean() < 0.05 * whole.mean()


def test_a_red_wall_colours_the_floor_beside_it() -> None:
    grid = np.zeros((10, 10, 8), np.uint8)
    grid[:, :, 0] = WHITE
    grid[:, 8:, 1:] = RED
    room = room_of(grid)
    floor = (room.faces.direction == 5) & (room.faces.voxel[:, 2] == 0) & (room.faces.voxel[:, 0] == 5)
    light = room.radiance[1:][floor]
    order = np.argsort(room.faces.voxel[floor][:, 1])
    redness = light[order, 0] / light[order, 2]
    assert redness[-1] > 1.03 * redness[0]


def test_a_lamp_lights_as_far_as_the_inverse_square_says() -> None:
    grid = np.zeros((41, 3, 24), np.uint8)
    grid[:, :, 0] = WHITE
    grid[20, 1, 20] = LAMP
    room = room_of(grid, "night")
    points = np.array([[20.5, 1.5, 1, 5], [36.5, 1.5, 1, 5]], np.float32)
    light = np.mean([room.lamplight(points, 0.5, 64)], axis=0)
    emitted = room.emission[LAMP]
    below = emitted / 19**2
    assert np.allclose(light[0], below, rtol=0.1)
    # aslant: two faces of the lamp are seen, each at its own angle
    d2 = 16**2 + 19.5**2
    c, s = 19.5 / d2**0.5, 16 / d2**0.5
    assert np.allclose(light[1], emitted * c * (c + s) / d2, rtol=0.15)


def test_random_numbers_depend_on_the_place_alone() -> None:
    points = np.array([[1, 2, 3, 4], [5, 6, 7, 1], [1, 2, 3, 4]], np.float32)
    noise = Noise(points, 7)
    numbers = np.stack([noise() for _ in range(100)])
    assert np.array_equal(numbers[:, 0], numbers[:, 2])
    assert (numbers[:, 0] != numbers[:, 1]).all()
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert 0.35 < numbers[:, :2].mean() < 0.65


def test_lamps_are_picked_by_strength_and_their_chances_are_true() -> None:
    grid = np.zeros((30, 4, 4), np.uint8)
    grid[0:3, 0, 0] = grid[28, 2, 2] = LAMP
    faces = exposed(VoxelGrid(grid, PALETTE))
    emission = np.zeros((len(PALETTE), 3), np.float32)
    emission[LAMP] = 2
    lamps = Lamps(faces, emission)
    points = np.random.default_rng(0).random((4000, 4)).astype(np.float32) * [30, 4, 4, 5]
    choice = lamps.choice(points[:, :3].astype(np.float32))
    lamp, weight = lamps.pick(choice, Noise(points.astype(np.float32), 1))
    # the mean of 1 / chance is the number of lamps, whatever the chances are
    assert weight.mean() == pytest.approx(len(lamps), rel=0.15)
    near = lamps.voxel[lamp][points[:, 0] < 8][:, 0] < 10
    assert near.mean() > 0.7


def test_the_nearest_face_is_painted_last() -> None:
    faces = exposed(VoxelGrid(yard(), PALETTE))
    for view in ("hero", "iso"):
        eye = camera.fit(camera.outline(VoxelGrid(yard(), PALETTE)), view, SMALL)
        order = raster.farthest_first(faces, eye)
        depth = ((faces.voxel + 0.5 + 0.5 * NORMALS[faces.direction] - eye.eye) @ -eye.back)[order]
        assert depth[:20].mean() > depth[-20:].mean()


def test_the_python_door_takes_the_renderer(tmp_path: Path) -> None:
    image = voxgen.render(scene_of(yard()), size=(64, 48), renderer="soft", quality="draft")
    assert image.shape == (48, 64, 3)
