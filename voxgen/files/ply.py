"""The .ply format, binary little-endian, write only: quads with a colour at each corner, z up.

Source: G. Turk, "The PLY Polygon File Format", 1994. Alpha is written where something is translucent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxgen.files import meshes, palettes
from voxgen.scene import Scene


def write(scene: Scene, tell: Callable[[str], None]) -> bytes:
    """Write a scene as .ply; glow and metal have no place in it, which `tell` says."""
    grid = palettes.in_use(scene.grid)
    if any(m.glow or m.metal for m in grid.palette):
        tell(".ply keeps colours and opacity; glow and metal are left out")
    parts = meshes.parts(grid)
    alpha = any(part.surface.opacity < 1 for part in parts)
    channels = ["red", "green", "blue", *(["alpha"] if alpha else [])]
    colors = np.array([(*m.color, round(255 * m.opacity)) for m in grid.palette], np.uint8)
    count = sum(len(part.mesh.direction) for part in parts)
    vertices = np.zeros(4 * count, np.dtype([("place", "<f4", 3), ("color", "u1", len(channels))]))
    faces = np.zeros(count, np.dtype([("corners", "u1"), ("vertex", "<i4", 4)]))
    if parts:
        mesh = meshes.merged(parts)
        vertices["place"] = mesh.corners.reshape(-1, 3)
        vertices["color"] = np.repeat(colors[mesh.material, : len(channels)], 4, axis=0)
    faces["corners"] = 4
    faces["vertex"] = np.arange(4 * count).reshape(-1, 4)
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment voxgen",
        f"element vertex {4 * count}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {channel}" for channel in channels),
        f"element face {count}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()
