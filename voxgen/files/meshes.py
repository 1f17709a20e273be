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

Numbers = NDArray[np.int64]
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
    if len(kinds) == 1 and len(mesh.direction):
        yield Part(kinds[0], mesh)
        return
    for number, surface in enumerate(kinds):
        rows = np.flatnonzero(kind == number)
        if len(rows):
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
    columns = [mesh.corners[..., axis].astype(np.int32) for axis in range(3)]
    low = [int(column.min()) for column in columns]
    _, ny, nz = shape = [int(column.max()) - least + 1 for column, least in zip(columns, low, strict=True)]
    key = ((columns[0] - low[0]) * np.int32(ny) + (columns[1] - low[1])) * np.int32(nz) + (
        columns[2] - low[2]
    )
    used = np.zeros(math.prod(shape), bool)  # below 2^28 for 2^27 cells, so that a key fits
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

Letters = NDArray[np.uint8]
Column = NDArray[np.integer] | Letters
_STEP = 1 << 16  # rows written at a time

_DIGITS = np.array([list(b"%04d" % n) for n in range(10_000)], np.uint8)
_SHOWN = np.maximum.accumulate(np.greater(_DIGITS, ord("0")), axis=1)  # False where a digit is a leading zero
_LEAD = np.where(_SHOWN, _DIGITS, np.uint8(0))  # the first digits of a number; those of 0 are none
# the last four digits: of a number below 10,000, then of a longer one
_LAST = np.concatenate([_LEAD, _DIGITS])
_LAST[0, 3] = ord("0")
_LEAD_WORDS, _LAST_WORDS = _LEAD.view(np.uint32).reshape(-1), _LAST.view(np.uint32).reshape(-1)


def lines(pattern: str, *columns: Column) -> bytes:
    """Write one line a row, numpy only; each % of the pattern stands for a column.

    A column is whole numbers (n,) between -10^8 and 10^8, or letters (n, width) with 0 for none.
    """
    parts = [text.encode() for text in (pattern + "\n").split("%")]
    pieces = []
    for start in range(0, len(columns[0]), _STEP):
        cut = [column[start : start + _STEP] for column in columns]
        written = [column if column.ndim == 2 else digits(column) for column in cut]
        rows = np.zeros((len(cut[0]), sum(map(len, parts)) + sum(w.shape[1] for w in written)), np.uint8)
        at = 0
        for text, letters in zip(parts, [*written, np.zeros((len(rows), 0), np.uint8)], strict=True):
            rows[:, at : at + len(text)] = np.frombuffer(text, np.uint8)
            at += len(text)
            rows[:, at : at + letters.shape[1]] = letters
            at += letters.shape[1]
        pieces.append(rows[rows > 0].tobytes())
    return b"".join(pieces)


def digits(column: NDArray[np.integer]) -> Letters:
    """Return whole numbers as letters (n, 4 to 9), 0 for none."""
    size = np.abs(column).astype(np.uint32)
    if int(size.max(initial=0)) < 10_000:
        words = _LAST_WORDS[size][:, None]
    else:
        high = size // np.uint32(10_000)
        low = size - high * np.uint32(10_000) + np.uint32(10_000) * (high > 0)
        words = np.stack([_LEAD_WORDS[high], _LAST_WORDS[low]], axis=1)
    letters: Letters = words.view(np.uint8)
    if not (column < 0).any():
        return letters
    sign = np.where(column < 0, np.uint8(ord("-")), np.uint8(0))
    return np.concatenate([sign[:, None], letters], axis=1)
