"""The .schem format of Sponge and WorldEdit: one box of blocks, their numbers as varints.

Source: SpongePowered/Schematic-Specification, versions 1 to 3. Version 2 is written unless 3 is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import FileError
from voxgen.files import blocks, nbt, palettes
from voxgen.files.space import check_size, times
from voxgen.scene import Indices, Scene

_MOST_STATES = 1 << 20  # numbers a palette may give
_PIECE = 1 << 20  # bytes decoded at a time
_LONGEST = 5  # bytes of a varint
_LIMIT = 65_535


def scene(tree: dict[str, Any], title: str) -> Scene:
    """Return the scene of a tree of tags, versions 1 to 3."""
    tree = tree.get("Schematic", tree)
    held = tree["Blocks"] if isinstance(tree.get("Blocks"), dict) else tree
    x, y, z = (tree[side] & 0xFFFF for side in ("Width", "Height", "Length"))
    check_size((x, z, y), "the schematic")
    states: dict[int, str] = {}
    for state, number in held["Palette"].items():
        if 0 <= number < _MOST_STATES:
            states[number] = state
    materials: dict[str, int] = {}
    listed = [states.get(number, "air") for number in range(max(states, default=0) + 1)]
    numbers = blocks.numbers_of(listed, materials)
    data = held.pop("Data" if "Data" in held else "BlockData").view(np.uint8)
    cells = _decoded(data, numbers, math.prod((x, y, z)))
    del data  # as large as the grid
    return blocks.scene_of(cells.reshape(y, z, x), materials, blocks.title_of(tree) or title)


def _decoded(data: NDArray[np.uint8], numbers: blocks.Numbers, count: int) -> Indices:
    """Read `count` varints and look each up, piece by piece; a number nobody gave is air."""
    table = np.pad(numbers, (0, 256))  # so that any byte finds something
    cells = palettes.blank((count,), int(table.max()))
    done, start = 0, 0
    while start < len(data) and done < count:
        piece = data[start : start + _PIECE]
        ends = np.flatnonzero(piece < 128)
        if not len(ends):
            raise ValueError("its block numbers are no varints")
        piece = piece[: int(ends[-1]) + 1]
        start += len(piece)
        single = len(ends) == len(piece)
        found = piece if single else np.minimum(_varints(piece, ends), len(table) - 1)
        own = table[found[: count - done]]
        if own.any():  # memory of a grid takes none where it is air
            cells[done : done + len(own)] = own
        done += len(own)
    if done < count:
        raise ValueError(f"it holds {done:,} blocks of {count:,}")
    return cells


def _varints(piece: NDArray[np.uint8], ends: NDArray[np.intp]) -> NDArray[np.int64]:
    """Decode varints, seven bits a byte, lowest first; `ends` is where each ends."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    length = ends - starts + 1
    if int(length.max()) > _LONGEST:
        raise ValueError("its block numbers are no varints")
    value: NDArray[np.int64] = (piece[starts] & 127).astype(np.int64)
    for k in range(1, int(length.max())):
        longer = np.flatnonzero(length > k)
        value[longer] |= (piece[starts[longer] + k] & 127).astype(np.int64) << (7 * k)
    return value


def write(written: Scene, tell: Callable[[str], None], *, schem_version: int = 2) -> bytes:
    """Write a scene as .schem, version 2 or 3."""
    cells, states = blocks.blocks_of(written.grid, tell)
    y, z, x = cells.shape
    if max(cells.shape) > _LIMIT:
        raise FileError(f"{times((x, z, y))} blocks do not fit a .schem", f"the limit is {_LIMIT:,} a side")
    box = {"Width": np.uint16(x).view(np.int16), "Height": np.uint16(y).view(np.int16)}
    box["Length"] = np.uint16(z).view(np.int16)
    palette = {state: number for number, state in enumerate(states)}
    data = _encoded(cells)
    tree: dict[str, Any] = {
        "Version": schem_version,
        "DataVersion": blocks.DATA_VERSION,
        **box,
        "Offset": np.zeros(3, np.int32),
        "Metadata": {"Name": written.title[:200]},
        "Entities": [],  # some readers ask for it
    }
    if schem_version == 3:
        tree["Blocks"] = {"Palette": palette, "Data": data, "BlockEntities": []}
        return nbt.write({"Schematic": tree})
    tree |= {"Palette": palette, "PaletteMax": len(palette), "BlockData": data, "BlockEntities": []}
    return nbt.write(tree, "Schematic")


def _encoded(cells: Indices) -> NDArray[np.int8]:
    """Write numbers below 2^16 as varints."""
    flat = cells.reshape(-1).astype(np.uint32)
    parts = np.stack([flat & 127, flat >> 7 & 127, flat >> 14], axis=-1).astype(np.uint8)
    more = np.stack([flat >= 1 << 7, flat >= 1 << 14], axis=-1)
    parts[:, :2] |= more.view(np.uint8) << 7
    kept = np.concatenate([np.ones((len(flat), 1), bool), more], axis=1)
    encoded: NDArray[np.int8] = parts[kept].view(np.int8)
    return encoded
