"""The .ply format, binary little-endian, write only: quads with a colour at each corner, z up.

Source: G. Turk, "The PLY Polygon File Format", 1994. No alpha: with one, viewers show the inside of all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxgen.files import meshes, palettes
from voxgen.scene import Scene


def write(scene: Scene, tell: Callable[[str], None]) -> bytes:
    """Write a scene as .ply; opacity, glow and metal are left out, which `tell` says."""
    grid = palettes.in_use(scene.grid)
    if any((m.opacity, m.glow, m.metal) != (1, 0, 0) for m in grid.palette[1:]):
        tell(".ply keeps colours only; opacity, glow and metal are left out")
    parts = meshes.parts(grid)
    colors = np.array([m.color for m in grid.palette], np.uint8)
    count = sum(len(part.mesh.direction) for part in parts)
    vertices = np.zeros(4 * count, np.dtype([("place", "<f4", 3), ("color", "u1", 3)]))
    faces = np.zeros(count, np.dtype([("corners", "u1"), ("vertex", "<i4", 4)]))
    if parts:
        mesh = meshes.merged(parts)
        vertices["place"] = mesh.corners.reshape(-1, 3)
        vertices["color"] = np.repeat(colors[mesh.material], 4, axis=0)
    faces["corners"] = 4
    faces["vertex"] = np.arange(4 * count).reshape(-1, 4)
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment voxgen",
        f"element vertex {4 * count}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {channel}" for channel in ("red", "green", "blue")),
        f"element face {count}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()
