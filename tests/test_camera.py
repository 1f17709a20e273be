from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen.errors import UsageError
from voxgen.picture.camera import VIEWS, Camera, aim, direction, fit, outline, parse
from voxgen.scene import AIR, Material, View, VoxelGrid


def box(*size: int) -> VoxelGrid:
    return VoxelGrid(np.ones(size, np.uint8), (AIR, Material("stone", (128, 128, 128))))


def frame(camera: Camera, grid: VoxelGrid) -> np.ndarray:
    """Return where the corners of all occupied voxels fall in the frame, (n, 2) in -1..1."""
    cells = np.argwhere(grid.indices)
    corners = [cells + np.array([dx, dy, dz]) for dx in (0, 1) for dy in (0, 1) for dz in (0, 1)]
    return camera.project(np.concatenate(corners))[..., :2]


SHAPES = [(1, 1, 1), (20, 20, 12), (60, 60, 1), (1, 1, 90), (5, 40, 3), (40, 5, 30)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("view", [*VIEWS, "-130,5", "200,80", "33,-20"])
@pytest.mark.parametrize("size", [(1280, 960), (400, 900), (1600, 400)])
def test_the_scene_fills_the_frame_and_nothing_is_cut(
    shape: tuple[int, int, int], view: str, size: tuple[int, int]
) -> None:
    grid = box(*shape)
    seen = frame(fit(outline(grid), view, size), grid)
    share = (seen.max(axis=0) - seen.min(axis=0)) / 2
    assert 0.85 <= share.max() <= 0.95
    assert np.abs(seen).max() <= 0.96


@settings(deadline=None, max_examples=40)
@given(
    st.floats(-400, 400), st.floats(-90, 90), st.integers(0, 2**32),
    st.tuples(st.integers(50, 4000), st.integers(50, 4000)),
)  # fmt: skip
def test_any_view_of_any_scene_is_framed(
    azimuth: float, elevation: float, seed: int, size: tuple[int, int]
) -> None:
    random = np.random.default_rng(seed)
    indices = (random.random(random.integers(1, 12, 3)) < 0.3).astype(np.uint8)
    indices.flat[0] = 1
    grid = VoxelGrid(indices, (AIR, Material("stone", (128, 128, 128))))
    camera = fit(outline(grid), View(azimuth, elevation), size)
    seen = frame(camera, grid)
    assert 0.85 <= (seen.max(axis=0) - seen.min(axis=0)).max() / 2 <= 0.95
    assert np.abs(seen).max() <= 0.96
    depth = camera.project(outline(grid))[..., 2]
    assert camera.near < depth.min()
    assert depth.max() < camera.far


@pytest.mark.parametrize(
    ("azimuth", "where"), [(0, (0, -1, 0)), (90, (1, 0, 0)), (180, (0, 1, 0)), (-90, (-1, 0, 0))]
)
def test_azimuth_goes_from_the_front_to_the_right(azimuth: float, where: tuple[int, int, int]) -> None:
    assert np.allclose(direction(azimuth, 0), where)


def test_from_the_front_x_runs_right_and_z_up() -> None:
    camera = fit(outline(box(9, 9, 9)), "front", (800, 600))
    assert np.allclose(camera.right, [1, 0, 0])
    assert camera.up[2] > 0.9
    assert camera.eye[1] < 0


def test_from_the_top_the_back_of_the_scene_is_up() -> None:
    camera = fit(outline(box(9, 9, 9)), "top", (800, 600))
    assert np.allclose(camera.up, [0, 1, 0])


def test_the_isometric_view_shows_three_sides_alike() -> None:
    camera = fit(outline(box(9, 9, 9)), "iso", (800, 600))
    assert camera.parallel
    assert np.allclose(np.abs(camera.back), 3**-0.5)


def test_zoom_enlarges() -> None:
    grid = box(9, 9, 9)
    near, far = (np.ptp(frame(fit(outline(grid), f"30,20,{z}", (800, 600)), grid), axis=0) for z in (2, 1))
    assert np.allclose(near, 2 * far)


def test_a_view_leaves_open_what_the_hero_fills() -> None:
    azimuth, elevation, _ = VIEWS["hero"]
    assert aim(None) == (azimuth, elevation, 1.0, False)
    assert aim(View(azimuth=90)) == (90, elevation, 1.0, False)
    assert aim(View(elevation=5, zoom=2)) == (azimuth, 5, 2, False)


@pytest.mark.parametrize("view", ["iso", " Hero ", "10,20", "-10, 20, 1.5"])
def test_views_are_read(view: str) -> None:
    assert isinstance(parse(view)[0], View)


@pytest.mark.parametrize(
    "view",
    ["", "upside", "1", "1,2,3,4", "a,b", "nan,3", "1,inf", "0,91", "0,0,0", "0,0,-1", "0,0,1e9", "1,,2"],
)
def test_nonsense_is_refused_with_a_clear_line(view: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(view)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_projecting_points_and_the_projection_matrix_agree() -> None:
    for view in ("hero", "iso"):
        camera = fit(outline(box(9, 9, 9)), view, (800, 600))
        for point in np.array([[0.0, 0.0, 0.0], [9.0, 2.0, 5.0]]):
            turned = np.stack([camera.right, camera.up, camera.back]) @ (point - camera.eye)
            clip = camera.projection() @ np.append(turned, 1.0)
            assert np.allclose(clip[:2] / clip[3], camera.project(point)[:2])
