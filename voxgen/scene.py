"""The data that walks the street: Material, VoxelGrid, Light, View, Repair, Scene."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]
Indices = NDArray[np.uint8] | NDArray[np.uint16]
Level = Literal["info", "warn", "loss"]
BUILT_IN = "built-in composer"  # Scene.origin["by"] where no model was asked
LIGHTS = ("day", "sunset", "night", "overcast", "studio")


@dataclass(frozen=True, slots=True)
class Material:
    """One palette entry."""

    name: str
    color: Color  # sRGB 0..255
    opacity: float = 1.0  # 0 clear .. 1 solid
    glow: float = 0.0  # emitted light, 0 none .. 3 a strong lamp
    metal: float = 0.0  # 0 matt .. 1 mirror-like


def occupied(indices: Indices) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the low and high corner, (3,) both included, of what is not 0 in (X, Y, Z); of nothing, zeros.

    Reads the grid twice and takes no mask of it, which would be as large.
    """
    columns = np.bitwise_or.reduce(indices, axis=0)
    lines = np.bitwise_or.reduce(indices, axis=(1, 2)), columns.any(axis=1), columns.any(axis=0)
    filled = [np.flatnonzero(line) for line in lines]
    if not len(filled[0]):
        return np.zeros(3, np.intp), np.zeros(3, np.intp)
    return np.array([f[0] for f in filled]), np.array([f[-1] for f in filled])


AIR = Material("air", (0, 0, 0), opacity=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class VoxelGrid:
    """Palette indices in space: x right, y away from the viewer, z up; the unit is one voxel.

    indices: (X, Y, Z) uint8 or uint16, C order, read-only; 0 is air.
    palette: palette[0] is AIR; every index is below len(palette).
    """

    indices: Indices
    palette: tuple[Material, ...]

    def __post_init__(self) -> None:
        indices = self.indices.view()  # the caller's own array stays writable
        indices.setflags(write=False)
        object.__setattr__(self, "indices", indices)

    @property
    def size(self) -> tuple[int, int, int]:
        """Cells along x, y and z."""
        x, y, z = self.indices.shape
        return x, y, z

    @property
    def voxels(self) -> int:
        """How many cells are not air."""
        return int(np.count_nonzero(self.indices))

    def bounds(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the low and high corner, both included, of the cells that are not air.

        A grid of air only gives low = high = 0. Both are (3,) integers.
        """
        return occupied(self.indices)


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """The outside of a grid as quads, one row each, in voxel units.

    corners: (n, 4, 3) float32, counter-clockwise seen from outside.
    direction: (n,) uint8, where the quad faces: 0..5 is -x, +x, -y, +y, -z, +z.
    material: (n,) palette index, of the grid's own dtype.
    light: (n, 4) float32, how open each corner is: 0 in a deep corner, 1 free (ambient occlusion).
    """

    corners: NDArray[np.float32]
    direction: NDArray[np.uint8]
    material: Indices
    light: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Light:
    """A named preset and what the document changes of it; None keeps the preset's own value.

    Directions are degrees: azimuth 0 is the front (the viewer's side), 90 the right (+x), 180 the
    back, -90 the left; elevation 0 is the horizon, 90 straight above.
    """

    name: str = "day"  # one of LIGHTS
    horizon: Color | None = None  # sRGB
    zenith: Color | None = None  # sRGB
    azimuth: float | None = None
    elevation: float | None = None
    color: Color | None = None  # of the sun, sRGB
    strength: float | None = None  # of the sun, 1 as in the preset


@dataclass(frozen=True, slots=True)
class View:
    """Where the picture is taken from: degrees as in Light; zoom 1 fits the scene to the frame."""

    azimuth: float | None = None
    elevation: float | None = None
    zoom: float = 1.0


@dataclass(frozen=True, slots=True)
class Repair:
    """Something that was wrong in a reply and what was done about it.

    level: "info" changes nothing a viewer would miss, "warn" is a guess, "loss" leaves something out.

    >>> str(Repair("$.build[3].of", '"mosss" is not in the palette', 'used "moss"'))
    '$.build[3].of: "mosss" is not in the palette; used "moss"'
    """

    path: str  # "$.build[3].of", or "line 3, column 7" in the text
    problem: str
    fix: str
    level: Level = "warn"

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.fix}"


def grouped(repairs: Iterable[Repair], most: int = 3) -> list[str]:
    """Return repairs as lines for a person: of those alike but for names and numbers, only the first few.

    >>> holes = [Repair(f"$.build[{i}]", "radius is missing", "skipped the step", "loss") for i in range(9)]
    >>> grouped(holes)[-2:]
    ['$.build[2]: radius is missing; skipped the step', 'and 6 more like it']
    """
    groups: dict[str, list[Repair]] = {}
    for repair in repairs:
        kind = re.sub(r'"[^"]*"|[\d.,]+', "#", f"{repair.level} {repair.problem} {repair.fix}")
        groups.setdefault(kind, []).append(repair)
    lines: list[str] = []
    for group in groups.values():
        lines += [str(repair) for repair in group[:most]]
        if len(group) > most:
            lines.append(f"and {len(group) - most:,} more like it")
    return lines


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A voxel grid with everything needed to draw it again and to know where it came from.

    document: what was built, as decoded from the reply; {} for a scene that never was one.
    origin: prompt, model, template, seed, version, tokens: whatever is known, JSON values only.
    """

    title: str
    grid: VoxelGrid
    light: Light = field(default_factory=Light)
    view: View = field(default_factory=View)
    document: dict[str, Any] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()
    origin: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        size = "×".join(map(str, self.grid.size))
        voxels, materials = self.grid.voxels, len(self.grid.palette) - 1
        parts = [repr(self.title), size, f"{voxels:,} voxels", f"{materials} materials"]
        if self.repairs:
            parts.append(f"{len(self.repairs)} repair{'s' if len(self.repairs) != 1 else ''}")
        return f"Scene({', '.join(parts)})"

    def _repr_png_(self) -> bytes | None:
        """Return a draft picture, 640 x 480, which Jupyter shows; None where there is nothing to draw."""
        # pictures live further down the street: only a notebook that asks for one brings them in
        from voxgen.errors import RenderError
        from voxgen.files import png
        from voxgen.picture import renderer

        try:
            return png.encode(renderer.draw(self, size=(640, 480), quality="draft"), self)
        except RenderError:
            return None

    def but(self, **changes: Any) -> Scene:
        """Return a copy with some fields changed; a new grid leaves the document of the old one behind."""
        if changes.get("grid", self.grid) is not self.grid:
            changes = {"document": {}, **changes}
        return replace(self, **changes)
