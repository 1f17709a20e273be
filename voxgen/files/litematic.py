"""The .litematic format of Litematica: boxes of blocks, their numbers packed into 64-bit words.

Source: maruohon/litematica, LitematicaSchematic and LitematicaBitArray. A number may lie across two words;
a negative size grows away from its region's position.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.files import blocks, nbt, palettes
from voxgen.files.space import check_size
from voxgen.scene import Indices, Scene

_PIECE = 1 << 18  # numbers unpacked at a time, a multiple of 64
_MOST_REGIONS = 1000
_VERSION, _MINOR = 6, 1  # of Minecraft 1.20


def scene(tree: dict[str, Any], title: str) -> Scene:
    """Return the scene of a tree of tags: all regions, each in its place."""
    regions = list(tree["Regions"].values())
    if not 0 < len(regions) <= _MOST_REGIONS:
        raise ValueError(f"it has {len(regions):,} regions")
    boxes = [_box(region) for region in regions]
    low = np.min([corner for corner, _ in boxes], axis=0)
    high = np.max([corner + size for corner, size in boxes], axis=0)
    x, y, z = (int(side) for side in high - low)
    check_size((x, z, y), "the schematic")
    materials: dict[str, int] = {}
    tables = [
        blocks.numbers_of([blocks.state_of(entry) for entry in region["BlockStatePalette"]], materials)
        for region in regions
    ]
    cells = palettes.blank((y, z, x), len(materials))
    for region, (corner, size), table in zip(regions, boxes, tables, strict=True):
        sx, sy, sz = size.tolist()
        cx, cy, cz = (corner - low).tolist()
        part = cells[cy : cy + sy, cz : cz + sz, cx : cx + sx]
        found = _unpacked(region["BlockStates"], table, sx * sy * sz).reshape(sy, sz, sx)
        if found.any():
            np.copyto(part, found, where=found > 0)
    return blocks.scene_of(cells, materials, blocks.title_of(tree) or title)


def _box(region: dict[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the lowest corner of a region and its size along x, y, z."""
    size = np.array([int(region["Size"][axis]) for axis in "xyz"])
    corner = np.array([int(region["Position"][axis]) for axis in "xyz"])
    x, y, z = np.abs(size).tolist()
    check_size((x, z, y), "a region")
    return np.where(size < 0, corner + size + 1, corner), np.abs(size)


def _bits(states: int) -> int:
    return max(2, (states - 1).bit_length())


def _unpacked(words: NDArray[np.int64], numbers: blocks.Numbers, count: int) -> Indices:
    """Read `count` packed numbers and look each up; one beyond the palette is air."""
    bits = _bits(len(numbers))
    if len(words) < -(-count * bits // 64):
        raise ValueError(f"its {len(words):,} words cannot hold {count:,} blocks")
    table = np.pad(numbers, (0, (1 << bits) - len(numbers)))
    cells = palettes.blank((count,), int(table.max()))
    for start in range(0, count, _PIECE):
        stop = min(count, start + _PIECE)
        first = start * bits // 64
        own = words[first : -(-stop * bits // 64)].astype(np.int64).view(np.uint64)
        at = np.arange(start, stop, dtype=np.int64) * bits - 64 * first
        word, shift = at >> 6, (at & 63).astype(np.uint64)
        value = own[word] >> shift
        over = np.flatnonzero(shift + np.uint64(bits) > 64)
        value[over] |= own[word[over] + 1] << (np.uint64(64) - shift[over])
        found = table[value & np.uint64((1 << bits) - 1)]
        if found.any():  # memory of a grid takes none where it is air
            cells[start:stop] = found
    return cells


def write(written: Scene, tell: Callable[[str], None]) -> bytes:
    """Write a scene as .litematic with one region."""
    cells, states = blocks.blocks_of(written.grid, tell)
    y, z, x = cells.shape
    size = {"x": x, "y": y, "z": z}
    title = written.title[:200]
    region = {
        "Position": {"x": 0, "y": 0, "z": 0},
        "Size": size,
        "BlockStatePalette": [blocks.entry_of(state) for state in states],
        "BlockStates": _packed(cells, _bits(len(states))),
        **{kind: [] for kind in ("Entities", "TileEntities", "PendingBlockTicks", "PendingFluidTicks")},
    }
    about = {
        "Name": title,
        "Author": "voxgen",
        "Description": "",
        "EnclosingSize": size,
        "RegionCount": 1,
        "TimeCreated": np.int64(0),  # the same scene gives the same file
        "TimeModified": np.int64(0),
        "TotalBlocks": int(np.count_nonzero(cells)),
        "TotalVolume": math.prod(cells.shape),
    }
    return nbt.write(
        {
            "Version": _VERSION,
            "SubVersion": _MINOR,
            "MinecraftDataVersion": blocks.DATA_VERSION,
            "Metadata": about,
            "Regions": {title or "voxgen": region},
        }
    )


def _packed(cells: Indices, bits: int) -> NDArray[np.int64]:
    """Pack numbers into words, the first in the lowest bits."""
    flat = cells.reshape(-1)
    words = np.zeros(-(-flat.size * bits // 64) + 1, np.uint64)
    for start in range(0, flat.size, _PIECE):  # whole words: a piece is a multiple of 64
        values = flat[start : start + _PIECE].astype(np.uint64)
        at = np.arange(len(values), dtype=np.int64) * bits
        word, shift = at >> 6, (at & 63).astype(np.uint64)
        first = np.flatnonzero(np.diff(word, prepend=-1))
        own = words[start * bits // 64 :]
        own[: len(first)] = np.bitwise_or.reduceat(values << shift, first)
        over = np.flatnonzero(shift + np.uint64(bits) > 64)
        own[word[over] + 1] |= values[over] >> (np.uint64(64) - shift[over])
    return words[:-1].view(np.int64)
