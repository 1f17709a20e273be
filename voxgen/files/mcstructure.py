"""The .mcstructure format of Minecraft Bedrock, read only.

Source: wiki.bedrock.dev, ".mcstructure". Numbers run along z fastest, then y, then x; -1 is nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from voxgen.files import blocks, palettes
from voxgen.files.space import check_size
from voxgen.scene import Scene

_MOST_CELLS = 1 << 24


def scene(tree: dict[str, Any], title: str) -> Scene:
    """Return the scene of a tree of tags: the first layer of blocks, without the water they stand in."""
    x, y, z = (int(side) for side in tree["size"])
    check_size((x, z, y), "the structure")
    if x * y * z > _MOST_CELLS:
        raise ValueError(f"it spans {x * y * z:,} blocks, more than any structure block saves")
    held = tree["structure"]
    entries = held["palette"]["default"]["block_palette"]
    materials: dict[str, int] = {}
    table = blocks.numbers_of([_state(entry) for entry in entries], materials)
    numbers = np.asarray(held["block_indices"][0])
    if numbers.size != x * y * z:
        raise ValueError(f"it holds {numbers.size:,} blocks of {x * y * z:,}")
    known = (numbers >= 0) & (numbers < len(table))
    cells = palettes.looked_up(np.append(table, 0), np.where(known, numbers, len(table)))
    return blocks.scene_of(cells.reshape(x, y, z).transpose(1, 2, 0), materials, title)


def _state(entry: dict[str, Any]) -> str:
    """Return a block as text, its colour and wood, which are states there, as part of its name."""
    name, states = str(entry["name"]), entry.get("states") or {}
    space, _, short = name.rpartition(":")
    kind = states.get("color") or states.get("wood_type") or states.get("old_log_type")
    if kind is None or not isinstance(kind, str) or kind in short:
        return name
    return f"{space or 'minecraft'}:{'light_gray' if kind == 'silver' else kind}_{short}"
