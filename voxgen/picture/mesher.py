"""A grid's outside: exposed faces, and the same faces merged into rectangles (numpy only).

The grid is read once into one bit a voxel; six face masks are then a shift and an AND on words of 64
voxels (binary greedy meshing), slab by slab so that the words stay in cache. Merging is two
run-length passes over sorted keys, each key one packed int64 (a sort of int64 is many times faster
than any argsort).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.scene import Indices, Mesh, VoxelGrid

if TYPE_CHECKING:
    pass

NORMALS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])
# the other two axes of each face, so that (axis, first, second) is right-handed
TANGENTS = ((1, 2), (2, 0), (0, 1))
# corners of the unit face in each direction, counter-clockwise seen from outside: (6, 4, 3)
CORNERS = np.zeros((6, 4, 3), np.int64)
for _direction in range(6):
    _axis, _side = divmod(_direction, 2)
    _u, _v = TANGENTS[_axis] if _side else TANGENTS[_axis][::-1]
    CORNERS[_direction, :, _axis] = _side
    CORNERS[_direction, 1:3, _u] = 1
    CORNERS[_direction, 2:4, _v] = 1

SLAB_BYTES = 1 << 18  # face masks of one slab, small enough for a core's own cache
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Cells = tuple[Ints, Ints, Ints]  # x, y, z


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Exposed unit faces, one row each, sorted by direction and then by x, y, z.

    voxel: (n, 3) int16, the cell a face belongs to; direction: (n,) uint8 as in Mesh;
    material: (n,) palette index.
    """

    voxel: NDArray[np.int16]
    direction: NDArray[np.uint8]
    material: Indices

    def __len__(self) -> int:
        return len(self.direction)

    def pick(self, rows: NDArray[Any]) -> Faces:
        """Return some of the faces: rows is a mask, a slice of indices, or indices."""
        return Faces(self.voxel[rows], self.direction[rows], self.material[rows])


def exposed(grid: VoxelGrid) -> Faces:
    """Return every face that can be seen.

    An opaque voxel shows a face towards air and towards translucent voxels; a translucent one
    towards air and towards translucent voxels of another material.
    """
    parts: list[list[NDArray[np.int16]]] = [[np.zeros((0, 3), np.int16)] for _ in range(6)]
    for direction, _, cells in _exposed_cells(grid):
        parts[direction].append(np.stack(cells, axis=-1).astype(np.int16))
    sides = [np.concatenate(part) for part in parts]
    direction_of = np.repeat(np.arange(6, dtype=np.uint8), [len(side) for side in sides])
    voxel = np.concatenate(sides)
    material: Indices = grid.indices[voxel[:, 0], voxel[:, 1], voxel[:, 2]]
    return Faces(voxel, direction_of, material)


def culled(grid: VoxelGrid, *, occlusion: bool = False) -> Mesh:
    """Return one unit quad for every exposed face."""
    return _mesh(grid, merge=False, occlusion=occlusion)


def greedy(grid: VoxelGrid, *, occlusion: bool = False) -> Mesh:
    """Return the exposed faces merged into rectangles of one material.

    occlusion: fill `light`; faces then merge only where their corner light is the same, so the
    rectangles show exactly what the unit faces would.
    Raises ValueError above 2047 cells a side (the packed keys' range).
    """
    return _mesh(grid, merge=True, occlusion=occlusion)


def _opaque(grid: VoxelGrid) -> NDArray[np.bool_]:
    """Which palette entries hide what is behind them: (materials,) bool."""
    opaque = np.array([material.opacity >= 1 for material in grid.palette], bool)
    opaque[0] = False
    return opaque


def _bits(mask: NDArray[Any]) -> Words:
    """Pack non-zero cells of (X, Y, Z) into words: bit k of word w is z = 64 w + k."""
    nx, ny, nz = mask.shape
    words = -(-nz // 64)
    if nz % 64 == 0 and mask.flags.c_contiguous and mask.dtype.itemsize == 1:
        return np.packbits(mask, bitorder="little").view("<u8").reshape(nx, ny, words)
    if mask.dtype.itemsize != 1:
        mask = mask != 0
    packed = np.zeros((nx, ny, words * 8), np.uint8)
    packed[..., : -(-nz // 8)] = np.packbits(mask, axis=-1, bitorder="little")
    return packed.view("<u8")


def _neighbours(bits: Words, start: int, stop: int, direction: int) -> Words:
    """Return, for slab start:stop, the words of the cells one step away in a direction."""
    slab = bits[start:stop]
    out = np.zeros_like(slab)
    if direction == 0:
        out[1:] = slab[:-1]
        out[0] = bits[start - 1] if start else 0
    elif direction == 1:
        out[:-1] = slab[1:]
        out[-1] = bits[stop] if stop < len(bits) else 0
    elif direction == 2:
        out[:, 1:] = slab[:, :-1]
    elif direction == 3:
        out[:, :-1] = slab[:, 1:]
    elif direction == 4:
        np.left_shift(slab, np.uint64(1), out=out)
        out[..., 1:] |= slab[..., :-1] >> np.uint64(63)
    else:
        np.right_shift(slab, np.uint64(1), out=out)
        out[..., :-1] |= slab[..., 1:] << np.uint64(63)
    return out


def _exposed_cells(grid: VoxelGrid) -> Iterator[tuple[int, Ints, Cells]]:
    """Yield (direction, flat cell index, (x, y, z)) slab by slab, cells in x, y, z order."""
    indices, opaque = grid.indices, _opaque(grid)
    nx, ny, nz = indices.shape
    solid = _bits(indices)
    hiding = solid if opaque[1:].all() else _opaque_bits(indices, opaque)
    step = max(1, SLAB_BYTES // max(1, solid[0].nbytes))
    for start in range(0, nx, step):
        stop = min(nx, start + step)
        for direction in range(6):
            shown = _neighbours(hiding, start, stop, direction)
            np.invert(shown, out=shown)
            shown &= solid[start:stop]
            flat, cells = _set_bits(shown, start, ny, nz)
            if hiding is not solid:
                keep = _not_inside(indices, opaque, flat, cells, direction)
                flat, cells = flat[keep], (cells[0][keep], cells[1][keep], cells[2][keep])
            if len(flat):
                yield direction, flat, cells


def _opaque_bits(indices: Indices, opaque: NDArray[np.bool_]) -> Words:
    """Pack the opaque cells, one x at a time (a whole mask would be as large as the grid)."""
    return np.concatenate([_bits(opaque[indices[x : x + 1]]) for x in range(len(indices))])


def _set_bits(words: Words, x0: int, ny: int, nz: int) -> tuple[Ints, Cells]:
    """Return flat index and x, y, z of every set bit of a slab that starts at x0."""
    per_row = words.shape[2]
    flat_words = words.reshape(-1)
    used = np.flatnonzero(flat_words != 0)
    ones = np.unpackbits(flat_words[used].view(np.uint8), bitorder="little").view(bool)
    position = np.flatnonzero(ones)
    word, bit = position >> 6, position & 63
    row = used // per_row
    z = (used - row * per_row) << 6
    x = row // ny
    y = row - x * ny
    x += x0
    flat = ((x * ny + y) * nz + z)[word] + bit
    return flat, (x[word], y[word], z[word] + bit)


def _not_inside(
    indices: Indices, opaque: NDArray[np.bool_], flat: Ints, cells: Cells, direction: int
) -> NDArray[np.bool_]:
    """Mask out faces between two cells of the same translucent material."""
    axis, side = divmod(direction, 2)
    strides = (indices.shape[1] * indices.shape[2], indices.shape[2], 1)
    values = indices.reshape(-1)
    material = values[flat]
    at_edge = cells[axis] == (indices.shape[axis] - 1 if side else 0)
    other = np.where(at_edge, flat, flat + (strides[axis] if side else -strides[axis]))
    same: NDArray[np.bool_] = (values[other] == material) & ~at_edge & ~opaque[material]
    return ~same


class _Key(NamedTuple):
    """How many bits the parts of a packed key take: a coordinate, and all that must match to merge."""

    place: int
    value: int
    light: int  # of value, the low bits that hold corner light


def _mesh(grid: VoxelGrid, *, merge: bool, occlusion: bool) -> Mesh:
    light_bits = 8 if occlusion else 0
    key = _Key(max(grid.indices.shape).bit_length(), 8 * grid.indices.dtype.itemsize + light_bits, light_bits)
    if 4 * key.place + key.value >= 64:
        raise ValueError(f"a grid of {max(grid.indices.shape)} cells a side is too large to mesh at once")
    openness = _Openness(grid) if occlusion else None
    materials = np.ascontiguousarray(grid.indices).reshape(-1)
    runs: list[list[Ints]] = [[np.zeros(0, np.int64)] for _ in range(6)]
    for direction, flat, cells in _exposed_cells(grid):
        value = materials[flat].astype(np.int64) << light_bits
        if openness is not None:
            value |= openness.code(cells, direction)
        runs[direction].append(_runs(cells, value, direction, key, merge))
    sides = [_rectangles(np.concatenate(part), key, merge) for part in runs]
    direction_of = np.repeat(np.arange(6, dtype=np.uint8), [len(side[0]) for side in sides])
    value = np.concatenate([side[-1] for side in sides])
    corners = np.concatenate([_corners(d, *side[:-1]) for d, side in enumerate(sides)])
    material: Indices = (value >> light_bits).astype(materials.dtype)
    light = _corner_light(value & 255, direction_of) if occlusion else np.ones((len(value), 4), np.float32)
    return Mesh(corners, direction_of, material, light)


def _run_axes(direction: int) -> tuple[int, int, int]:
    """Return the axis across the plane, the second merge axis q and the first merge axis r.

    Cells come sorted along r, but for z faces, which are sorted into it.
    """
    return ((0, 1, 2), (1, 0, 2), (2, 0, 1))[direction >> 1]


def _runs(cells: Cells, value: Ints, direction: int, key: _Key, merge: bool) -> Ints:
    """First pass: neighbours along r that match become runs, packed as (plane, r, length, value, q)."""
    plane_axis, q_axis, r_axis = _run_axes(direction)
    place, low = key.place, key.value
    # y faces stay in the order x, y, z that the cells come in
    first, second = (q_axis, plane_axis) if plane_axis == 1 else (plane_axis, q_axis)
    packed = (cells[first] << (2 * place + low)) | (cells[second] << (place + low))
    packed |= (cells[r_axis] << low) | value
    if plane_axis == 2:
        packed.sort()
    length = np.zeros(1, np.int64)
    if merge:
        broken = np.ones(len(packed), bool)
        np.not_equal(packed[1:] - packed[:-1], 1 << low, out=broken[1:])
        if key.light:
            broken[1:] |= ~_SAME_ALONG_R[packed[1:] & 255]
        start = np.flatnonzero(broken)
        length = np.diff(start, append=len(packed)) - 1
        packed = packed[start]
    ones = (1 << place) - 1
    a, b = packed >> (2 * place + low), packed >> (place + low) & ones
    plane, q = (b, a) if plane_axis == 1 else (a, b)
    out = plane << place | packed >> low & ones
    out = (out << place | length) << low | packed & ((1 << low) - 1)
    return out << place | q


def _rectangles(packed: Ints, key: _Key, merge: bool) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    """Second pass: runs side by side that match become (plane, q, r, height, length, value)."""
    height = np.ones(len(packed), np.int64)
    if merge and len(packed):
        packed.sort()
        broken = np.ones(len(packed), bool)
        np.not_equal(packed[1:] - packed[:-1], 1, out=broken[1:])
        if key.light:
            broken[1:] |= ~_SAME_ALONG_Q[packed[1:] >> key.place & 255]
        start = np.flatnonzero(broken)
        height = np.diff(start, append=len(packed))
        packed = packed[start]
    ones = (1 << key.place) - 1
    q, packed = packed & ones, packed >> key.place
    value, packed = packed & ((1 << key.value) - 1), packed >> key.value
    length, packed = (packed & ones) + 1, packed >> key.place
    return packed >> key.place, q, packed & ones, height, length, value


def _corners(
    direction: int, plane: Ints, q: Ints, r: Ints, height: Ints, length: Ints
) -> NDArray[np.float32]:
    """Corner points (n, 4, 3) of rectangles that all face one way."""
    plane_axis, q_axis, r_axis = _run_axes(direction)
    unit = CORNERS[direction]
    points = np.zeros((len(plane), 4, 3), np.float32)
    points[..., plane_axis] = (plane + (direction & 1))[:, None]
    points[..., q_axis] = q[:, None] + unit[:, q_axis] * height[:, None]
    points[..., r_axis] = r[:, None] + unit[:, r_axis] * length[:, None]
    return points


# Corner light codes hold 2 bits for each corner: (q0 r0), (q0 r1), (q1 r0), (q1 r1).
_CODES = np.arange(256)[:, None] >> np.array([0, 2, 4, 6]) & 3
_SAME_ALONG_R = (_CODES[:, 0] == _CODES[:, 1]) & (_CODES[:, 2] == _CODES[:, 3])
_SAME_ALONG_Q = (_CODES[:, 0] == _CODES[:, 2]) & (_CODES[:, 1] == _CODES[:, 3])


class _Openness:
    """Corner ambient occlusion (M. Lysenko, "Ambient occlusion for Minecraft-like worlds", 2013)."""

    def __init__(self, grid: VoxelGrid) -> None:
        filled = np.pad(_opaque(grid)[grid.indices], 1)
        self.filled = filled.reshape(-1).view(np.uint8)
        self.strides = (filled.shape[1] * filled.shape[2], filled.shape[2], 1)

    def code(self, cells: Cells, direction: int) -> NDArray[np.uint8]:
        """Return (n,) codes: per corner 0 (free) .. 3 (both sides blocked)."""
        plane, q, r = (self.strides[axis] for axis in _run_axes(direction))
        x, y, z = (cells[axis] + 1 for axis in range(3))
        front = x * self.strides[0] + y * self.strides[1] + z + (plane if direction & 1 else -plane)
        code = np.zeros(len(front), np.uint8)
        for corner, (a, b) in enumerate(((-q, -r), (-q, r), (q, -r), (q, r))):
            sides = self.filled[front + a] + self.filled[front + b]
            blocked = np.where(sides == 2, 3, sides + self.filled[front + a + b])
            code |= (blocked << (2 * corner)).astype(np.uint8)
        return code


def _corner_light(code: Ints, direction: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Codes -> openness 0..1 in the order of each quad's corners: (n, 4)."""
    light = np.ones((len(code), 4), np.float32)
    for d in range(6):
        _, q_axis, r_axis = _run_axes(d)
        slot = CORNERS[d][:, q_axis] * 2 + CORNERS[d][:, r_axis]
        rows = direction == d
        light[rows] = 1 - _CODES[code[rows]][:, slot] / 3
    return light
