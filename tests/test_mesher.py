"""The outside of grids: which faces show, and that rectangles show the same; work is counted, never timed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pyvista
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from voxgen.picture import mesher
from voxgen.picture.mesher import CORNERS, NORMALS, Faces, culled, exposed, greedy
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
@given(grids(), st.sampled_from([(0, 1), (1, 2), (2, 0)]))
def test_turning_the_grid_turns_the_faces(grid: VoxelGrid, axes: tuple[int, int]) -> None:
    a, b = axes
    turned = grid_of(np.rot90(grid.indices, axes=axes))  # what pointed along a points along b
    expected = []
    for row in naive_faces(grid):
        cell, normal = list(row[:3]), NORMALS[row[3]].copy()
        cell[a], cell[b] = grid.size[b] - 1 - cell[b], cell[a]
        normal[a], normal[b] = -normal[b], normal[a]
        direction = int(np.flatnonzero((normal == NORMALS).all(axis=1))[0])
        expected.append((*cell, direction, row[4]))
    for mesh in (greedy(turned), greedy(turned, occlusion=True)):
        assert unit_faces(mesh) == sorted(expected)


@settings(deadline=None, max_examples=25)
@given(grids())
def test_faces_are_those_of_surface_nets_without_smoothing(grid: VoxelGrid) -> None:
    opaque = VoxelGrid(grid.indices, (AIR, *(Material(str(i), (i, i, i)) for i in range(1, 5))))
    padded = np.pad(grid.indices, 1)  # it wants some background on all sides
    image = pyvista.ImageData(dimensions=padded.shape)
    image.point_data["material"] = padded.ravel(order="F")
    surface = image.contour_labels(
        "external", smoothing=False, output_mesh_type="quads", pad_background=False, scalars="material"
    )
    expected = []
    if surface.n_cells:
        middles = 2 * surface.points[surface.regular_faces].mean(axis=1) - 1
        expected = np.column_stack([middles, surface.cell_data["boundary_labels"]]).tolist()
    mesh = culled(opaque)
    ours = np.column_stack([2 * mesh.corners.mean(axis=1), mesh.material]).tolist()
    assert sorted(ours) == sorted(expected)


def same(a: Any, b: Any) -> bool:
    """Tell whether two meshes, or two lists of faces, are equal row by row."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in type(a).__dataclass_fields__)


def everything(grid: VoxelGrid) -> list[Mesh | Faces]:
    return [exposed(grid), culled(grid), greedy(grid), greedy(grid, occlusion=True)]


@pytest.mark.parametrize(
    ("name", "value"), [("_SPARSE", 0), ("_SPARSE", 1 << 20), ("_SLAB_WORDS", 1), ("_FEW", 0)]
)
def test_dense_and_sparse_small_slabs_and_large_give_the_same(
    monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    for seed, share in enumerate((0.003, 0.2, 0.9)):
        random = np.random.default_rng(seed)
        filled = random.random((19, 11, 150)) < share
        grid = grid_of((random.integers(1, 5, filled.shape) * filled).astype(np.uint8))
        usual = everything(grid)
        with monkeypatch.context() as changed:
            changed.setattr(mesher, name, value)
            assert all(map(same, everything(grid), usual))


@pytest.mark.parametrize("occlusion", [False, True])
def test_planes_in_blocks_give_what_they_give_at_once(
    monkeypatch: pytest.MonkeyPatch, occlusion: bool
) -> None:
    random = np.random.default_rng(5)
    grid = grid_of(
        (random.integers(0, 5, (40, 33, 70)) * (random.random((40, 33, 70)) < 0.4)).astype(np.uint8)
    )
    whole = greedy(grid, occlusion=occlusion)
    for room in (0, 1, 3):
        monkeypatch.setattr(mesher, "_KEY_BITS", 3 * 7 + 8 + 8 * occlusion + room)
        assert same(greedy(grid, occlusion=occlusion), whole)
    monkeypatch.setattr(mesher, "_KEY_BITS", 3 * 7 + 8 + 8 * occlusion - 1)
    with pytest.raises(ValueError, match="70 cells a side is too large"):
        greedy(grid, occlusion=occlusion)


def test_a_thousand_cells_a_side_cost_their_bits_and_their_faces() -> None:
    cells = np.zeros((1024, 20, 1024), np.uint8)
    cells[[0, 1023, 512], [0, 19, 3], [0, 1023, 900]] = 1, 2, 3
    cells[100:900, 10, 1000:1024] = 1
    grid = grid_of(cells)
    mesh = greedy(grid, occlusion=True)
    assert len(mesh.direction) == 4 * 6
    assert mesh.corners.max(axis=(0, 1)).tolist() == [1024, 20, 1024]
    faces, peak = peak_of(lambda: exposed(grid))
    assert len(faces) == 3 * 6 + 2 * (800 * 24 + 800 + 24)
    assert peak < 5 * 1.2 * cells.size / 8 + 6e6 + 60 * len(faces)


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


def test_two_thousand_cells_a_side_in_two_bytes_with_light_are_meshed_in_blocks() -> None:
    rod = np.ones((1, 2, 1 << 11), np.uint16)
    rod[0, 1] = 2
    mesh = greedy(grid_of(rod), occlusion=True)
    assert len(mesh.direction) == 10
    assert mesh.corners.max(axis=(0, 1)).tolist() == [1, 2, 1 << 11]


# --------------------------------------------------------------------------- work


def hills(side: int) -> VoxelGrid:
    """Return rolling ground in three layers of material, with a lake: what scenes are made of."""
    x, y, z = np.ogrid[:side, :side, :side]
    height = side * (0.3 + 0.1 * np.sin(x * 9 / side) + 0.08 * np.cos(y * 7 / side))
    cells = np.zeros((side,) * 3, np.uint8)
    cells[np.broadcast_to(z < side * 0.26, cells.shape)] = 3
    cells[z < height] = 1
    cells[(z < height) & (z >= height - 1)] = 2
    return grid_of(cells)


def peak_of(call: Callable[[], Any]) -> tuple[Any, int]:
    """Return what a call gives, and the bytes it held at most, its result with them."""
    tracemalloc.start()
    try:
        result = call()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_hills_take_a_quarter_of_the_quads() -> None:
    grid = hills(96)
    faces = exposed(grid)
    assert len(greedy(grid).direction) < 0.24 * len(faces)
    assert len(greedy(grid, occlusion=True).direction) < 0.6 * len(faces)
    assert len(culled(grid).direction) == len(faces)


def test_meshes_take_a_fraction_of_the_grids_memory() -> None:
    grid = hills(192)
    cells = grid.indices.size
    quads, peak = peak_of(lambda: greedy(grid))
    assert peak < cells * 6 / 8 + 4e6 + 120 * len(quads.direction)
    faces, peak = peak_of(lambda: exposed(grid))
    assert peak < cells * 6 / 8 + 4e6 + 24 * len(faces)


def test_cells_are_packed_once_and_four_times_more_where_any_is_translucent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = []
    packbits = np.packbits
    monkeypatch.setattr(
        np, "packbits", lambda a, **options: read.append(np.size(a)) or packbits(a, **options)
    )
    grid = hills(64)
    exposed(grid)
    assert sum(read) == 5 * 64**3
    read.clear()
    exposed(VoxelGrid(grid.indices, PALETTE[:3] + PALETTE[1:2]))
    assert sum(read) == 64**3


def test_inside_a_lake_nothing_is_looked_at_face_by_face(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    unpackbits = np.unpackbits
    monkeypatch.setattr(
        np, "unpackbits", lambda a, **options: looked.append(8 * np.size(a)) or unpackbits(a, **options)
    )
    lake = grid_of(np.full((64, 64, 128), 3, np.uint8))
    assert len(exposed(lake)) == 2 * (64 * 64 + 2 * 64 * 128)
    assert sum(looked) == 2 * 64 * 64 * 8 + 4 * 64 * 128  # whole sides of words, a byte at each end


def test_of_a_mostly_empty_grid_only_occupied_words_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    neighbours = mesher._neighbours

    def counted(*arguments: Any) -> Any:
        words = neighbours(*arguments)
        looked.append(len(words))
        return words

    monkeypatch.setattr(mesher, "_neighbours", counted)
    cells = np.zeros((128, 128, 128), np.uint8)
    cells[::127, ::127, ::127] = 1
    exposed(VoxelGrid(cells, PALETTE[:3]))
    assert sum(looked) == 6 * 8
