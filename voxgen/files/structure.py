"""The structure .nbt of Minecraft itself, as structure blocks save it: a list with one entry a block.

Source: minecraft.wiki, "Structure file".
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from voxgen.files import blocks, nbt, palettes
from voxgen.files.space import check_size
from voxgen.scene import Scene

_LOADED = 48  # blocks a side a structure block loads


def scene(tree: dict[str, Any], title: str) -> Scene:
    """Return the scene of a tree of tags; of several palettes the first."""
    x, y, z = (int(side) for side in tree["size"])
    check_size((x, z, y), "the structure")
    materials: dict[str, int] = {}
    palette = tree["palette"] if "palette" in tree else tree["palettes"][0]
    table = blocks.numbers_of([blocks.state_of(entry) for entry in palette], materials)
    places = np.array([block["pos"] for block in tree["blocks"]], np.int64).reshape(-1, 3)
    states = np.array([block["state"] for block in tree["blocks"]], np.int64)
    inside = ((places >= 0) & (places < (x, y, z))).all(axis=1) & (states >= 0) & (states < len(table))
    if not inside.all():
        raise ValueError("a block lies outside its size or its palette")
    cells = palettes.blank((y, z, x), len(materials))
    cells[places[:, 1], places[:, 2], places[:, 0]] = table[states]
    return blocks.scene_of(cells, materials, title)


def write(written: Scene, tell: Callable[[str], None]) -> bytes:
    """Write a scene as structure .nbt; air is not listed, so what stands there stays."""
    cells, states = blocks.blocks_of(written.grid, tell)
    y, z, x = cells.shape
    if max(cells.shape) > _LOADED:
        tell(f"structure blocks load {_LOADED} blocks a side; other programs load more")
    palette = [blocks.entry_of(state) for state in states]
    head = {"DataVersion": blocks.DATA_VERSION, "size": [x, y, z], "palette": palette, "entities": []}
    # a list entry by entry would be a million small objects: every entry is the same but for four numbers
    before, between = b"\x09\0\3pos\3\0\0\0\3", b"\3\0\5state"
    entry = [("before", f"V{len(before)}"), ("place", ">i4", 3), ("between", f"V{len(between)}")]
    entry += [("state", ">i4"), ("end", "u1")]
    level, row, column = np.nonzero(cells)
    rows = np.zeros(len(level), np.dtype(entry))
    rows["before"], rows["between"] = np.void(before), np.void(between)
    rows["place"] = np.stack([column, level, row], axis=-1)
    rows["state"] = cells[level, row, column]
    listed = b"\x09\0\6blocks\x0a" + struct.pack(">i", len(rows)) + rows.tobytes()
    return nbt.packed(nbt.plain(head)[:-1] + listed + b"\0")
