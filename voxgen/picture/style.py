"""Ways to draw a scene: what each style does to faces, pixels and focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import UsageError
from voxgen.picture.mesher import NORMALS, TANGENTS, Faces
from voxgen.scene import Indices


@dataclass(frozen=True, slots=True)
class Style:
    """What differs from plain cubes; everything off is the style called clean."""

    bevel: float = 0.0  # width of rounded edges, in voxels
    ink: float = 0.0  # how dark the edges are drawn
    flat: bool = False  # one light a face, square pixels, no perspective
    shallow: bool = False  # only what lies at the middle of the scene is in focus

    @property
    def rimmed(self) -> bool:
        """Whether faces must know which of their edges are free."""
        return self.bevel > 0 or self.ink > 0


STYLES = {
    "clean": Style(),
    "bevel": Style(bevel=0.16),
    "edges": Style(ink=0.55),
    "pixel": Style(flat=True),
    "tilt-shift": Style(shallow=True),
}


def style_of(name: str) -> Style:
    """Return a style by its name; raises UsageError for one that is not in STYLES."""
    if name not in STYLES:
        raise UsageError(f"{name!r} is not a style", f"one of {', '.join(STYLES)}")
    return STYLES[name]


def rims(indices: Indices, faces: Faces) -> NDArray[np.uint8]:
    """Tell which edges of unit faces are convex, with air beside and above them: (n,) bits.

    Bits 0 to 3 are the edges at the low and high end of the first tangent, then of the second.
    """
    filled = np.pad(indices != 0, 1)
    out = np.zeros(len(faces), np.uint8)
    for direction in range(6):
        rows = np.flatnonzero(faces.direction == direction)
        cell = faces.voxel[rows].astype(np.intp) + 1
        for bit in range(4):
            step = np.zeros(3, np.intp)
            step[TANGENTS[direction >> 1][bit >> 1]] = 1 if bit & 1 else -1
            beside, above = cell + step, cell + step + NORMALS[direction]
            free = ~(filled[tuple(beside.T)] | filled[tuple(above.T)])
            out[rows] |= free.astype(np.uint8) << np.uint8(bit)
    return out
