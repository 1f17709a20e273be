"""Ways to draw a scene: what each style does to faces, pixels and focus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import UsageError
from voxgen.picture.mesher import NORMALS, TANGENTS, Faces
from voxgen.picture.sky import Sky
from voxgen.scene import Indices

Floats = NDArray[np.float32]

LINE = 1.25  # half the width of a drawn edge, in samples, as in faces.glsl


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


CLEAN = Style()
STYLES = {
    "clean": CLEAN,
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


def edge_light(
    style: Style, sky: Sky, place: Floats, direction: NDArray[np.uint8], free: NDArray[np.uint8], scale: float
) -> Floats:
    """Return what the light of places on faces is multiplied with: (n, 1), as faces.glsl does.

    place: (n, 3) within the voxel, 0..1; free: bits of `rims`; scale: samples that a voxel takes.
    """
    rows = np.arange(len(place))
    u, v = np.array(TANGENTS)[direction >> 1].T
    at = np.stack([place[rows, u], place[rows, v]], axis=-1)
    far = np.stack([at[:, 0], 1 - at[:, 0], at[:, 1], 1 - at[:, 1]], axis=-1)  # in the order of the bits
    rim = (free[:, None] >> np.arange(4) & 1).astype(np.float32)
    factor = np.ones(len(place), np.float32)
    if style.bevel:
        normal = NORMALS[direction].astype(np.float32)
        turn = rim * np.clip(1 - far / style.bevel, 0, 1)
        rounded = normal.copy()
        rounded[rows, u] += turn[:, 1] - turn[:, 0]
        rounded[rows, v] += turn[:, 3] - turn[:, 2]
        rounded /= np.sqrt((rounded**2).sum(axis=1, keepdims=True))
        ratio = _open_light(rounded, sky) / np.maximum(_open_light(normal, sky), 1e-4)
        most = turn.max(axis=1)
        factor *= np.clip(ratio**0.75, 0.6, 1.8) * (1 + 0.18 * most)
        factor *= 1 - 0.10 * (1 - _smooth(far.min(axis=1) / 0.05)) * (1 - most)
    if style.ink:
        line = 1 - _smooth(far * scale - LINE)
        drawn = line * np.where(rim > 0, 1, 0.3 * _smooth((scale - 4) / 10))
        factor *= 1 - style.ink * drawn.max(axis=1)
    return np.asarray(factor[:, None], np.float32)


def _open_light(normal: NDArray[Any], sky: Sky) -> NDArray[Any]:
    """Light (n,) on an open surface, to compare one normal with another."""
    around = (sky.horizon + sky.zenith) / 2
    up = 0.5 + 0.5 * normal[:, 2:]
    light = sky.sun_light * np.maximum(normal @ sky.sun, 0)[:, None]
    light = light + np.pi * (sky.ground + (around - sky.ground) * up)
    return np.asarray(light @ [0.2126, 0.7152, 0.0722])


def _smooth(t: Any) -> Any:
    """Hermite step from 0 to 1, as GLSL's smoothstep."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
