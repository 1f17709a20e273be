"""Reading any file of Minecraft: which of its formats it is, is told by what it holds, not by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from voxgen.errors import FileError
from voxgen.files import litematic, mcstructure, nbt, schem, schematic, structure
from voxgen.scene import Scene

_Reader = Callable[[dict[str, Any], str], Scene]
# a tag found in one format only: what to call it, and who reads it
_KINDS: Mapping[str, tuple[str, _Reader]] = {
    "Regions": (".litematic", litematic.scene),
    "Schematic": (".schem", schem.scene),
    "BlockData": (".schem", schem.scene),
    "Materials": (".schematic", schematic.scene),
    "structure": (".mcstructure", mcstructure.scene),
    "blocks": ("structure .nbt", structure.scene),
}


def read(data: bytes, title: str) -> Scene:
    """Read a file of any kind in _KINDS; its size is kept, air and all.

    Raises FileError for anything damaged, empty, or larger than 2047 a side or 2^27 cells.
    """
    tree = nbt.read(data, "Minecraft")
    kind, reader = next((_KINDS[tag] for tag in _KINDS if tag in tree), ("", None))
    if reader is None:
        held = ", ".join(ascii(tag) for tag in list(tree)[:6])[:80]
        hint = (
            "known are .schem, .schematic, .litematic, .nbt and .mcstructure; load and save it as one of them"
        )
        raise FileError(f"a Minecraft file of another kind: it holds {held or 'nothing'}", hint)
    try:
        with np.errstate(invalid="ignore"):  # numbers that should be whole and are none
            return reader(tree, title)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        said = "a tag holds another kind of thing than it should"
        if isinstance(error, KeyError):
            said = f"it has no {error}"
        elif isinstance(error, ValueError):
            said = str(error)
        raise FileError(f"the {kind} file is damaged: {said}", "save or download it again") from None
