"""A grid's outside: exposed faces, and the same faces merged into rectangles (numpy only).

    grid ─_bits─▶ one bit a voxel ─_shown─▶ words of 64 with exposed faces ─_patches─▶ faces
         ─_runs─▶ rows of equal faces ─_rectangles─▶ quads

Greedy meshing after M. Lysenko, "Meshing in a Minecraft game" (2012), on bit masks as in "binary greedy
meshing" (cgerikj): a face mask is a shift and an AND on words of 64 voxels, slab by slab so that the
words stay in cache, or for the occupied words alone where most are empty. Merging is two run-length
passes over sorted keys, each key one packed int64 (a sort of int64 is many times faster than any
argsort).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.scene import Indices, Mesh, VoxelGrid

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

_SLAB_WORDS = 1 << 15  # worked on at a time, small enough for a core's own cache
_SPARSE = 4  # below one occupied word in so many, only those are looked at: there both ways cost the same
_FEW = 16  # up to so many translucent materials are compared one by one, which beats a look-up
_KEY_BITS = 63  # of a packed int64 key
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]


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
    towards air and towards translucent voxels of another material. Up to 32767 cells a side.
    """
    materials = np.ascontiguousarray(grid.indices).reshape(-1)
    found: list[list[tuple[NDArray[np.int16], Any]]] = [[] for _ in range(6)]
    for patch in _patches(_bits(grid)):
        found[patch.direction].append((patch.voxels(), materials[patch.flat(grid.size)]))
    counts = [sum(len(material) for _, material in part) for part in found]
    voxel, material = np.zeros((sum(counts), 3), np.int16), np.zeros(sum(counts), materials.dtype)
    at = 0
    for part in found:
        while part:  # each is let go once it is copied: all faces are in memory only once
            voxels, values = part.pop(0)
            voxel[at : at + len(values)], material[at : at + len(values)] = voxels, values
            at += len(values)
    return Faces(voxel, np.repeat(np.arange(6, dtype=np.uint8), counts), material)


def culled(grid: VoxelGrid, *, occlusion: bool = False) -> Mesh:
    """Return one unit quad for every exposed face; arguments and errors are those of `greedy`."""
    return _mesh(grid, merge=False, occlusion=occlusion)


def greedy(grid: VoxelGrid, *, occlusion: bool = False) -> Mesh:
    """Return the exposed faces merged into rectangles of one material.

    occlusion: fill `light`; faces then merge only where their corner light is the same, so the
    rectangles show exactly what the unit faces would.
    Raises ValueError where not even one plane fits the packed keys: above 8191 cells a side.
    """
    return _mesh(grid, merge=True, occlusion=occlusion)


# --------------------------------------------------------------------------- bits


class _Bits(NamedTuple):
    """The occupied part of a grid, one bit a voxel, in flat words with room around: see `_packed`.

    solid: which voxels are there. hiding: which are opaque; the same array where all are. same: along x,
    y and z, which voxels are of the same material as the one before; none where nothing is translucent.
    low: x, y, z of the first bit. steps: how many words further the next x, y and 64 z are.
    """

    solid: Words
    hiding: Words
    same: list[Words]
    low: list[int]
    steps: tuple[int, int, int]


def _bits(grid: VoxelGrid) -> _Bits:
    low, high = grid.bounds()
    low[2], high[2] = low[2] & ~63, high[2] | 63  # whole words: unbroken columns are packed faster
    cells, opaque = grid.indices[tuple(map(slice, low, high + 1))], _opaque(grid)
    bytewise = cells.itemsize == 1
    solid = hiding = _packed(cells.shape, lambda rows: cells[rows] if bytewise else cells[rows] != 0)
    same = []
    if not opaque[1:].all():
        hiding = _packed(cells.shape, lambda rows: _where_opaque(cells[rows], opaque))
        same = [_packed(cells.shape, partial(_same_as_before, cells, axis)) for axis in range(3)]
    column = _words(cells.shape[2]) + 1
    return _Bits(solid, hiding, same, low.tolist(), ((cells.shape[1] + 1) * column, column, 1))


def _words(cells: int) -> int:
    """Return how many words hold a column's bits."""
    return -(-cells // 64)


def _opaque(grid: VoxelGrid) -> NDArray[np.bool_]:
    """Which palette entries hide what is behind them: (materials,) bool."""
    opaque = np.array([material.opacity >= 1 for material in grid.palette], bool)
    opaque[0] = False
    return opaque


def _packed(shape: tuple[int, ...], cells: Callable[[slice], NDArray[Any]]) -> Words:
    """Pack which bytes of (X, Y, Z) are not 0 into words: bit k of word w of a column is z = 64 w + k.

    There is an empty plane at both ends, an empty column after each plane and an empty word after each
    column, so that every neighbour of a word is a fixed number of words away and nothing lies beyond an
    edge. The cells are asked for a few x at a time: a mask of all would be as large as the grid.
    """
    nx, ny, nz = shape
    out = np.zeros((nx + 2, ny + 1, 8 * (_words(nz) + 1)), np.uint8)
    step = max(1, 64 * _SLAB_WORDS // max(1, ny * nz))
    for start in range(0, nx, step):
        rows = slice(start, min(nx, start + step))
        mask = cells(rows)
        if nz % 8 == 0 and mask.flags.c_contiguous:
            packed = np.packbits(mask, bitorder="little").reshape(len(mask), ny, nz // 8)
        else:
            packed = np.packbits(mask, axis=-1, bitorder="little")
        out[rows.start + 1 : rows.stop + 1, :ny, : packed.shape[-1]] = packed
    return out.view("<u8").reshape(-1)


def _where_opaque(cells: Indices, opaque: NDArray[np.bool_]) -> NDArray[np.bool_]:
    clear = np.flatnonzero(~opaque)
    if len(clear) > _FEW:
        return np.asarray(opaque[cells])
    mask: NDArray[np.bool_] = np.ones(cells.shape, bool)
    for material in clear:
        mask &= cells != material
    return mask


def _same_as_before(indices: Indices, axis: int, rows: slice) -> NDArray[np.bool_]:
    """Which cells of some x hold what the cell before them along an axis holds."""
    cells = indices[rows]
    mask = np.zeros(cells.shape, bool)
    if axis == 0:
        first = max(rows.start, 1)
        mask[first - rows.start :] = indices[first : rows.stop] == indices[first - 1 : rows.stop - 1]
    elif axis == 1:
        mask[:, 1:] = cells[:, 1:] == cells[:, :-1]
    else:
        mask[..., 1:] = cells[..., 1:] == cells[..., :-1]
    return mask


# --------------------------------------------------------------------------- exposed faces


class _Patch(NamedTuple):
    """Some exposed faces that all face one way, whole planes of x, in x, y, z order: bits of words."""

    direction: int
    at: Ints  # (words,) flat places of the words in _Bits
    word: Ints  # (faces,) which of the words
    bit: Ints  # (faces,) 0..63
    x: Ints  # (words,)
    y: Ints
    z: Ints  # of bit 0

    def flat(self, size: tuple[int, int, int]) -> Ints:
        """Return each face's place in the flattened grid: (faces,)."""
        flat: Ints = ((self.x * size[1] + self.y) * size[2] + self.z)[self.word]
        flat += self.bit
        return flat

    def voxels(self) -> NDArray[np.int16]:
        """Return each face's cell: (faces, 3)."""
        out = np.zeros((len(self.word), 3), np.int16)
        for axis, place in enumerate((self.x, self.y, self.z)):
            out[:, axis] = place.astype(np.int16)[self.word]
        out[:, 2] += self.bit.astype(np.int16)
        return out

    def packed(self, shifts: Sequence[int]) -> Ints:
        """Return one integer a face: x, y and z, each shifted to its place: (faces,)."""
        words = (self.x << shifts[0]) | (self.y << shifts[1]) | (self.z << shifts[2])
        packed: Ints = words[self.word]
        packed += self.bit << shifts[2]
        return packed


def _patches(bits: _Bits) -> Iterator[_Patch]:
    """Find the exposed faces: patch after patch, those of each direction in x, y, z order."""
    for direction, at, shown in _shown(bits):
        position = _set_bits(shown)
        x = at // bits.steps[0]  # np.divmod takes several times as long
        rest = at - x * bits.steps[0]
        y = rest // bits.steps[1]
        z = (rest - y * bits.steps[1] << 6) + bits.low[2]
        x += bits.low[0] - 1  # the first plane is empty
        y += bits.low[1]
        yield _Patch(direction, at, position >> 6, position & 63, x, y, z)


def _set_bits(words: Words) -> Ints:
    """Return where the bits of words are 1: 64 times the word, plus the bit."""
    octets = words.view(np.uint8)
    used = np.flatnonzero(octets != 0)  # most words hold a bit or two: unpack no more than their bytes
    ones = np.flatnonzero(np.unpackbits(octets[used], bitorder="little").view(bool))
    position: Ints = used[ones >> 3] << 3
    position |= ones & 7
    return position


def _shown(bits: _Bits) -> Iterator[tuple[int, Ints, Words]]:
    """Yield (direction, flat places, words) of the words that show a face, slab by slab."""
    for slab in _slabs(bits):
        for direction in range(6):
            shown = ~_neighbours(bits.hiding, slab, bits.steps, direction)
            if bits.same:
                axis, side = divmod(direction, 2)
                same = bits.same[axis]
                shown &= ~(_neighbours(same, slab, bits.steps, direction) if side else _at(same, slab))
            shown &= _at(bits.solid, slab)
            rows = np.flatnonzero(shown != 0)
            if len(rows):
                yield direction, rows + slab.start if isinstance(slab, slice) else slab[rows], shown[rows]


def _slabs(bits: _Bits) -> Iterator[slice | Ints]:
    """Cut the words into slabs of whole planes of x, where most words are empty into lists of the others."""
    plane = bits.steps[0]
    end = len(bits.solid) - plane
    occupied = bits.solid != 0
    if np.count_nonzero(occupied) * _SPARSE < end - plane:
        used = np.flatnonzero(occupied)
        while len(used):
            last = int(used[min(_SLAB_WORDS, len(used)) - 1])
            count = int(np.searchsorted(used, (last // plane + 1) * plane))
            yield used[:count]
            used = used[count:]
    else:
        step = max(1, _SLAB_WORDS // plane) * plane
        for start in range(plane, end, step):
            yield slice(start, min(end, start + step))


def _at(words: Words, slab: slice | Ints, offset: int = 0) -> Words:
    """Return the words that lie some words after those of a slab."""
    if isinstance(slab, slice):
        return words[slab.start + offset : slab.stop + offset]
    return np.asarray(words[slab + offset])


def _neighbours(
    words: Words, slab: slice | Ints, steps: Sequence[int], direction: int, offset: int = 0
) -> Words:
    """Return, for the words of a slab (and an offset), the cells one step away in a direction."""
    axis, side = divmod(direction, 2)
    if axis < 2:
        return _at(words, slab, offset + (steps[axis] if side else -steps[axis]))
    here, one, top = _at(words, slab, offset), np.uint64(1), np.uint64(63)
    if side:
        return np.asarray((here >> one) | (_at(words, slab, offset + 1) << top))
    return np.asarray((here << one) | (_at(words, slab, offset - 1) >> top))


# --------------------------------------------------------------------------- merging


class _Key(NamedTuple):
    """How many bits the parts of a packed key take.

    place: of a coordinate. value: of all that must match to merge. light: of these, the low ones that hold
    corner light. sheet: what is left for direction and plane together; more sheets go in blocks.
    """

    place: int
    value: int
    light: int
    sheet: int


def _key(grid: VoxelGrid, occlusion: bool) -> _Key:
    place, light = max(grid.size).bit_length(), 8 if occlusion else 0
    value = 8 * grid.indices.dtype.itemsize + light
    free = _KEY_BITS - 3 * place - value
    if free < 0:
        raise ValueError(f"a grid of {max(grid.size)} cells a side is too large to mesh")
    return _Key(place, value, light, min(place + 3, free))


def _mesh(grid: VoxelGrid, *, merge: bool, occlusion: bool) -> Mesh:
    key, bits = _key(grid, occlusion), _bits(grid)
    materials = np.ascontiguousarray(grid.indices).reshape(-1)
    blocks: list[list[Ints]] = [[] for _ in range(-(-6 << key.place >> key.sheet))]
    for patch in _patches(bits):
        value = materials[patch.flat(grid.size)].astype(np.int64)
        if occlusion:
            value = value << key.light | _corner_codes(bits, patch)
        sheet, packed = _runs(patch, value, key, merge)
        if len(blocks) == 1:
            blocks[0].append(packed)
            continue
        for number, block in enumerate(blocks):
            block.append(packed[sheet >> key.sheet == number])
    found = [_rectangles(blocks, number, key, merge) for number in range(len(blocks))]
    direction = np.concatenate([f.direction for f in found])
    value = np.concatenate([f.value for f in found])
    corners, at = np.zeros((len(value), 4, 3), np.float32), 0
    for rectangles in found:
        _fill_corners(corners[at : at + len(rectangles.value)], rectangles)
        at += len(rectangles.value)
    material: Indices = (value >> key.light).astype(materials.dtype)
    light = _corner_light(value & 255, direction) if occlusion else np.ones((len(value), 4), np.float32)
    return Mesh(corners, direction, material, light)


def _run_axes(direction: int) -> tuple[int, int, int]:
    """Return the axis across the plane, the second merge axis q and the first merge axis r.

    Cells come sorted along r, but for z faces, which are sorted into it.
    """
    return ((0, 1, 2), (1, 0, 2), (2, 0, 1))[direction >> 1]


def _runs(patch: _Patch, value: Ints, key: _Key, merge: bool) -> tuple[Ints, Ints]:
    """First pass: neighbours along r that match become runs: sheets, and (sheet, r, length, value, q) packed.

    Of the sheet, which is direction and plane, the key holds what fits: its place in its block.
    """
    plane_axis, q_axis, _ = _run_axes(patch.direction)
    place, low = key.place, key.value
    shifts = [low, low, low]
    # y faces stay in the order x, y, z that the cells come in
    first, second = (q_axis, plane_axis) if plane_axis == 1 else (plane_axis, q_axis)
    shifts[first] += 2 * place
    shifts[second] += place
    packed = patch.packed(shifts)
    packed |= value
    if plane_axis == 2 and merge:
        packed.sort()
    length: Any = 0
    if merge:
        broken = np.ones(len(packed), bool)
        np.not_equal(packed[1:] - packed[:-1], 1 << low, out=broken[1:])
        if key.light:
            broken[1:] |= ~_SAME_ALONG_R[packed[1:] & 255]
        start, length = _groups(broken)
        length -= 1
        packed = packed[start]
    ones = (1 << place) - 1
    coordinates = packed >> (2 * place + low), packed >> (place + low) & ones
    q, plane = coordinates if plane_axis == 1 else coordinates[::-1]
    sheet = plane + (patch.direction << place)
    out = (sheet & ((1 << key.sheet) - 1)) << place | packed >> low & ones
    out = (out << place | length) << low | packed & ((1 << low) - 1)
    return sheet, out << place | q


def _groups(first: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return where groups start and how long they are; `first` marks the first of each."""
    start = np.flatnonzero(first)
    length = np.zeros_like(start)
    np.subtract(start[1:], start[:-1], out=length[:-1])
    length[-1:] = len(first) - start[-1:]
    return start, length


class _Rectangles(NamedTuple):
    """Rectangles sorted by direction and plane: where they lie, their low corner, extents and value."""

    direction: NDArray[np.uint8]
    plane: Ints
    q: Ints
    r: Ints
    height: Ints  # along q
    length: Ints  # along r
    value: Ints


def _rectangles(blocks: list[list[Ints]], number: int, key: _Key, merge: bool) -> _Rectangles:
    """Second pass: runs of one block, side by side, that match; the block is used up."""
    packed = np.concatenate([np.zeros(0, np.int64), *blocks[number]])
    blocks[number] = []
    packed.sort()
    height = np.ones(len(packed), np.int64)
    if merge and len(packed):
        broken = np.ones(len(packed), bool)
        np.not_equal(packed[1:] - packed[:-1], 1, out=broken[1:])
        if key.light:
            broken[1:] |= ~_SAME_ALONG_Q[packed[1:] >> key.place & 255]
        start, height = _groups(broken)
        packed = packed[start]
    ones = (1 << key.place) - 1
    q, packed = packed & ones, packed >> key.place
    value, packed = packed & ((1 << key.value) - 1), packed >> key.value
    length, packed = (packed & ones) + 1, packed >> key.place
    r, sheet = packed & ones, (packed >> key.place) + (number << key.sheet)
    return _Rectangles((sheet >> key.place).astype(np.uint8), sheet & ones, q, r, height, length, value)


def _fill_corners(points: NDArray[np.float32], found: _Rectangles) -> None:
    """Write the corner points of rectangles: (n, 4, 3)."""
    ends = np.searchsorted(found.direction, np.arange(7, dtype=np.uint8)).tolist()
    for direction in range(6):
        rows = slice(ends[direction], ends[direction + 1])
        plane_axis, q_axis, r_axis = _run_axes(direction)
        plane, q, r = found.plane[rows] + (direction & 1), found.q[rows], found.r[rows]
        along_q, along_r = (q, q + found.height[rows]), (r, r + found.length[rows])
        for corner, unit in enumerate(CORNERS[direction].tolist()):
            points[rows, corner, plane_axis] = plane
            points[rows, corner, q_axis] = along_q[unit[q_axis]]
            points[rows, corner, r_axis] = along_r[unit[r_axis]]


# --------------------------------------------------------------------------- corner light

# Corner light codes hold 2 bits for each corner: (q0 r0), (q0 r1), (q1 r0), (q1 r1).
_CODES = np.arange(256)[:, None] >> np.array([0, 2, 4, 6]) & 3
_SAME_ALONG_R = (_CODES[:, 0] == _CODES[:, 1]) & (_CODES[:, 2] == _CODES[:, 3])
_SAME_ALONG_Q = (_CODES[:, 0] == _CODES[:, 2]) & (_CODES[:, 1] == _CODES[:, 3])


def _corner_codes(bits: _Bits, patch: _Patch) -> NDArray[np.uint8]:
    """Return how closed the corners of each face are, per corner 0 (free) .. 3 (both sides): (faces,).

    M. Lysenko, "Ambient occlusion for Minecraft-like worlds" (2013), on words: each corner's count of
    opaque cells in front of the face becomes two bit planes.
    """
    front, q, r = _offsets(patch.direction)
    planes = []
    for a in (-q, q):
        for b in (-r, r):
            side, other, beyond = (_away(bits, patch.at, front + step) for step in (a, b, a + b))
            both, either = side & other, side ^ other
            planes += [both | (either ^ beyond), both | (either & beyond)]
    each = np.stack(planes, axis=-1)[patch.word] >> patch.bit.astype(np.uint64)[:, None]
    return np.packbits((each & np.uint64(1)).astype(np.uint8), axis=1, bitorder="little")[:, 0]


def _offsets(direction: int) -> tuple[Ints, Ints, Ints]:
    """Return steps in cells out of a face, along q and along r."""
    unit = np.eye(3, dtype=np.int64)
    _, q, r = _run_axes(direction)
    return NORMALS[direction], unit[q], unit[r]


def _away(bits: _Bits, at: Ints, step: Ints) -> Words:
    """Return the opaque cells a step of -1, 0 or 1 cells along x, y and z away from words."""
    offset = int(step[0]) * bits.steps[0] + int(step[1]) * bits.steps[1]
    if step[2]:
        return _neighbours(bits.hiding, at, bits.steps, 4 + int(step[2] > 0), offset)
    return _at(bits.hiding, at, offset)


def _corner_light(code: Ints, direction: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Codes -> openness 0..1 in the order of each quad's corners: (n, 4)."""
    light = np.ones((len(code), 4), np.float32)
    for d in range(6):
        _, q_axis, r_axis = _run_axes(d)
        slot = CORNERS[d][:, q_axis] * 2 + CORNERS[d][:, r_axis]
        rows = direction == d
        light[rows] = 1 - _CODES[code[rows]][:, slot] / 3
    return light
