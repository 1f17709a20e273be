from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from voxgen.picture.mesher import CORNERS, NORMALS, culled, exposed, greedy
from voxgen.scene import AIR, Material, Mesh, VoxelGrid

PALETTE = (
    AIR,
    Material("stone", (120, 120, 120)),
    Material("grass", (60, 160, 60)),
    Material("water", (40, 90, 200), opacity=0.6),
    Material("glass", (200, 220, 230), opacity=0.3),
)
Face = tuple[int, int, int, int, int]  # x, y, z, direction, material


def grid_of(indices: NDArray[np.integer]) -> VoxelGrid:
    return VoxelGrid(np.ascontiguousarray(indices), PALETTE)


def naive_faces(grid: VoxelGrid) -> list[Face]:
    """List faces by one look at each side of each voxel: the reference."""
    faces = []
    padded = np.pad(grid.indices, 1)
    for x, y, z in np.argwhere(grid.indices != 0):
        own = int(grid.indices[x, y, z])
        for direction, (dx, dy, dz) in enumerate(NORMALS):
            other = int(padded[x + 1 + dx, y + 1 + dy, z + 1 + dz])
            hidden = other != 0 and (grid.palette[other].opacity >= 1 or other == own)
            if not hidden:
                faces.append((int(x), int(y), int(z), direction, own))
    return sorted(faces)


def unit_faces(mesh: Mesh) -> list[Face]:
    """Cut every quad of a mesh into the unit faces that it covers."""
    return [face for face, _ in lit_faces(mesh)]


def lit_faces(mesh: Mesh) -> list[tuple[Face, list[float]]]:
    """List unit faces with the light of their corners, which a merged quad gives to each of its faces."""
    faces = []
    for row, corners in enumerate(mesh.corners.astype(int)):
        low, high = corners.min(axis=0), corners.max(axis=0)
        axis, side = divmod(int(mesh.direction[row]), 2)
        low[axis] -= side
        high[axis] = low[axis] + 1
        xs, ys, zs = (range(a, b) for a, b in zip(low, high, strict=True))
        tail = int(mesh.direction[row]), int(mesh.material[row])
        faces += [((x, y, z, *tail), mesh.light[row].tolist()) for x in xs for y in ys for z in zs]
    return sorted(faces)


@st.composite
def grids(draw: st.DrawFn) -> VoxelGrid:
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 7, 9, 63, 64, 65])))
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    filled = random.random(shape) < draw(st.floats(0, 1))
    return grid_of((random.integers(1, 5, shape) * filled).astype(dtype))


@settings(deadline=None, max_examples=40)
@given(grids())
def test_meshes_cover_exactly_the_exposed_faces_once(grid: VoxelGrid) -> None:
    expected = naive_faces(grid)
    faces = exposed(grid)
    listed = np.column_stack([faces.voxel, faces.direction, faces.material]).tolist()
    assert sorted(map(tuple, listed)) == expected
    assert unit_faces(culled(grid)) == expected
    assert unit_faces(greedy(grid)) == expected


@settings(deadline=None, max_examples=25)
@given(grids())
def test_merging_keeps_the_corner_light_of_every_face(grid: VoxelGrid) -> None:
    merged, single = greedy(grid, occlusion=True), culled(grid, occlusion=True)
    assert lit_faces(merged) == lit_faces(single)


@settings(deadline=None, max_examples=30)
@given(grids())
def test_quads_wind_counter_clockwise_seen_from_outside(grid: VoxelGrid) -> None:
    mesh = greedy(grid)
    first, second = mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 3] - mesh.corners[:, 0]
    area = np.cross(first, second)
    assert (area * NORMALS[mesh.direction]).sum(axis=1).min(initial=1) > 0
    assert np.count_nonzero(area) == len(area)


@settings(deadline=None, max_examples=20)
@given(grids())
def test_turning_the_grid_turns_the_faces(grid: VoxelGrid) -> None:
    turned = exposed(grid_of(np.rot90(grid.indices, axes=(0, 1))))
    faces = exposed(grid)
    assert (
        np.bincount(turned.material, minlength=5).tolist()
        == np.bincount(faces.material, minlength=5).tolist()
    )
    assert len(greedy(grid).direction) <= len(faces)


def test_unit_faces_lie_on_the_side_they_face() -> None:
    assert (CORNERS.mean(axis=1) == (NORMALS + 1) / 2).all()


def test_a_solid_block_has_six_quads() -> None:
    mesh = greedy(grid_of(np.ones((70, 5, 130), np.uint8)))
    assert len(mesh.direction) == 6
    assert mesh.corners.max(axis=(0, 1)).tolist() == [70, 5, 130]
    assert mesh.light.min() == 1


def test_no_face_inside_water_but_one_between_water_and_glass() -> None:
    water = np.full((2, 1, 1), 3, np.uint8)
    assert len(exposed(grid_of(water))) == 10
    beside_glass = np.array([[[3]], [[4]]], np.uint8)
    assert len(exposed(grid_of(beside_glass))) == 12


def test_stone_shows_through_water_and_water_does_not_show_against_stone() -> None:
    pair = np.array([[[1]], [[3]]], np.uint8)
    faces = exposed(grid_of(pair))
    assert np.bincount(faces.material).tolist() == [0, 6, 0, 5]


def test_a_corner_between_two_walls_is_darkest() -> None:
    room = np.zeros((3, 3, 2), np.uint8)
    room[:, :, 0] = 1
    room[0, :, 1] = room[:, 0, 1] = 1
    mesh = culled(grid_of(room), occlusion=True)
    floor = (
        (mesh.direction == 5)
        & (mesh.corners[:, 0, 2] == 1)
        & (mesh.corners.min(axis=1)[:, :2] == 1).all(axis=1)
    )
    (row,) = np.flatnonzero(floor)
    at_walls = (mesh.corners[row, :, :2] == 1).all(axis=1)
    assert mesh.light[row][at_walls].tolist() == [0]
    assert mesh.light[row].max() == 1


def test_an_empty_grid_gives_no_faces() -> None:
    empty = grid_of(np.zeros((4, 5, 6), np.uint8))
    assert len(exposed(empty)) == 0
    assert greedy(empty).corners.shape == (0, 4, 3)


def test_a_grid_beyond_the_packed_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        greedy(grid_of(np.zeros((1, 1, 1 << 12), np.uint16)))
