"""What all mesh formats share: the scene's outside as closed bodies, one part for each kind of surface."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.files import palettes
from voxgen.picture import mesher
from voxgen.scene import Material, Mesh, VoxelGrid

WIDTH = 256  # pixels in a row of a palette picture


class Surface(NamedTuple):
    """How the faces of one part take light; ranges as in Material."""

    opacity: float
    glow: float
    metal: float

    @property
    def name(self) -> str:
        """Return "solid", or what is special: "glass-0.35", "glow-2", "metal-0.5", or several."""
        words = [f"glass-{self.opacity:g}"] if self.opacity < 1 else []
        words += [f"glow-{self.glow:g}"] if self.glow else []
        words += [f"metal-{self.metal:g}"] if self.metal else []
        return "-".join(words) or "solid"


class Part(NamedTuple):
    """The quads of one surface; fields as in Mesh."""

    surface: Surface
    mesh: Mesh


def parts(grid: VoxelGrid, *, occlusion: bool = False) -> list[Part]:
    """Return the grid's outside as merged quads, solid parts first; each material's bodies are closed.

    Closed: their signed volumes add up to the number of voxels. So glass has a face towards the stone it
    stands on, which only the stone would see. `occlusion` fills Mesh.light of what is solid.
    """
    grid = palettes.in_use(grid)
    clear = np.array([m.opacity < 1 for m in grid.palette])
    clear[0] = False
    meshes = [mesher.greedy(_only(grid, ~clear), occlusion=occlusion)]
    if clear.any():
        meshes.append(mesher.greedy(_only(grid, clear)))
    return [part for mesh in meshes for part in _by_surface(mesh, grid.palette)]


def _only(grid: VoxelGrid, keep: NDArray[np.bool_]) -> VoxelGrid:
    """Return the grid with only some materials left."""
    if keep.all():
        return grid
    numbers = np.where(keep, np.arange(len(keep)), 0)
    return VoxelGrid(palettes.looked_up(numbers, grid.indices), grid.palette)


def _by_surface(mesh: Mesh, palette: tuple[Material, ...]) -> Iterator[Part]:
    """Split a mesh into the parts that take light alike, plain ones first."""
    surfaces = [Surface(m.opacity, m.glow, m.metal) for m in palette]
    kinds = sorted(set(surfaces[1:]), key=lambda s: (-s.opacity, s.glow, s.metal))
    kind = np.array([kinds.index(s) if s in kinds else -1 for s in surfaces])[mesh.material]
    for number, surface in enumerate(kinds):
        rows = np.flatnonzero(kind == number)
        if len(rows) == len(kind) > 0:
            yield Part(surface, mesh)
        elif len(rows):
            picked = Mesh(mesh.corners[rows], mesh.direction[rows], mesh.material[rows], mesh.light[rows])
            yield Part(surface, picked)


def merged(found: list[Part]) -> Mesh:
    """Return all parts as one mesh."""
    if len(found) == 1:
        return found[0].mesh
    columns = zip(*((m.corners, m.direction, m.material, m.light) for _, m in found), strict=True)
    corners, direction, material, light = (np.concatenate(column) for column in columns)
    return Mesh(corners, direction, material, light)


def welded(mesh: Mesh) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the (p, 3) distinct lattice points of a mesh and (n, 4) which of them each quad has."""
    opposite = mesh.corners[:, ::2].reshape(-1, 3)  # every other corner has a coordinate of one of these two
    low, high = ([int(end(column)) for column in opposite.T] for end in (np.min, np.max))
    _, ny, nz = shape = [last - least + 1 for least, last in zip(low, high, strict=True)]
    key = np.zeros((len(mesh.corners), 4), np.int32)  # below 2^28 for 2^27 cells
    for rows in (slice(at, at + _STEP) for at in range(0, len(key), _STEP)):
        x, y, z = (mesh.corners[rows, :, axis].astype(np.int32) - low[axis] for axis in range(3))
        key[rows] = (x * ny + y) * nz + z
    used = np.zeros(math.prod(shape), bool)
    used[key] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    row, z = np.divmod(np.flatnonzero(used), nz)
    x, y = np.divmod(row, ny)
    return (np.stack([x, y, z], axis=-1) + low).astype(np.int32), number[key]


def palette_picture(palette: tuple[Material, ...]) -> NDArray[np.uint8]:
    """Return the colours as an image (rows, 256, 3), entry i at row i / 256, column i % 256."""
    rows = 1 << (-(-len(palette) // WIDTH) - 1).bit_length()  # a power of two, which old hardware asks for
    image = np.zeros((rows * WIDTH, 3), np.uint8)
    image[: len(palette)] = np.array([m.color for m in palette], np.uint8)
    return image.reshape(rows, WIDTH, 3)


def palette_places(palette: tuple[Material, ...]) -> NDArray[np.float64]:
    """Return where each entry lies in that image, (materials, 2): 0..1 from its upper left corner."""
    rows = len(palette_picture(palette))
    index = np.arange(len(palette))
    return np.stack([(index % WIDTH + 0.5) / WIDTH, (index // WIDTH + 0.5) / rows], axis=-1)


def triangles(light: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return (n, 2, 3) corner numbers of quads with (n, 4) corner light, cut along the lighter diagonal."""
    across = light[:, 0] + light[:, 2] < light[:, 1] + light[:, 3]
    cut = np.where(
        across[:, None], np.array([1, 2, 3, 1, 3, 0], np.uint32), np.array([0, 1, 2, 0, 2, 3], np.uint32)
    )
    first = np.arange(0, 4 * len(light), 4, dtype=np.uint32)
    return (cut + first[:, None]).reshape(-1, 2, 3)


# --------------------------------------------------------------------------- numbers as text

Words = NDArray[np.bytes_]
_STEP = 1 << 13  # rows written at a time: they stay in a core's own cache


def lines(pattern: str, *columns: tuple[Words, NDArray[np.integer]]) -> Iterator[bytes]:
    """Write one line a row, in pieces of many; each % of the pattern stands for a column.

    A column is words and which of them each row has, (n,). The zero bytes of a word are left out.
    """
    texts = [text.encode() for text in (pattern + "\n").split("%")]
    kinds = [(f"text{i}", f"S{len(text)}") for i, text in enumerate(texts) if text]
    kinds += [(f"word{i}", words.dtype.str) for i, (words, _) in enumerate(columns)]
    kinds.sort(key=lambda kind: (int(kind[0][4:]), kind[0]))  # a text before the word of its number
    rows = np.zeros(_STEP, np.dtype(kinds))
    for i, text in enumerate(texts):
        if text:
            rows[f"text{i}"] = text
    for start in range(0, len(columns[0][1]), _STEP):
        for i, (words, which) in enumerate(columns):
            chosen = words.take(which[start : start + _STEP])
            rows[f"word{i}"][: len(chosen)] = chosen
        yield rows[: len(chosen)].tobytes().translate(None, b"\0")


def numbers(low: int, high: int) -> Words:
    """Return the whole numbers from low to high as words for `lines`."""
    value = np.arange(low, high + 1)
    size = np.abs(value).astype(np.uint32)
    count = len(str(size.max(initial=0)))
    letters = np.zeros((len(value), -(-(count + (low < 0)) // 4) * 4), np.uint8)
    for place in range(1, count + 1):
        digit = (size % np.uint32(10)).astype(np.uint8) + np.uint8(ord("0"))
        letters[:, -place] = digit if place == 1 else np.where(size > 0, digit, 0)
        size //= np.uint32(10)
    if low < 0:
        letters[: max(0, -low), 0] = ord("-")
    return letters.view(f"S{letters.shape[1]}").reshape(-1)


def numbered(values: NDArray[np.integer]) -> list[tuple[Words, NDArray[np.integer]]]:
    """Return the columns of whole numbers (n, columns) for `lines`; they lie close together."""
    low = int(values.min(initial=0))
    words = numbers(low, int(values.max(initial=0)))
    return [(words, column - low) for column in values.T]
