"""The .glb format, binary glTF 2.0, write only: quads coloured by a small palette picture.

Source: Khronos glTF 2.0, KHR_mesh_quantization, KHR_materials_emissive_strength. One primitive and one
material for each surface; ambient occlusion is COLOR_0, which a viewer multiplies in. One voxel is one unit,
the middle of the ground is the origin.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.files import meshes, palettes, png
from voxgen.files.space import points_y_up
from voxgen.picture.mesher import NORMALS
from voxgen.scene import Mesh, Scene

_SHADE = 0.55  # of the light is kept in the deepest corner
_TYPES = {"int8": 5120, "uint8": 5121, "uint16": 5123, "uint32": 5125, "float32": 5126}
_ARRAY, _ELEMENTS = 34962, 34963  # bufferView targets
_NEAREST, _CLAMP = 9728, 33071


@dataclass
class _Buffer:
    """The binary half of the file, and the JSON that says what lies where in it."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)

    def view(self, data: bytes | memoryview, **about: Any) -> int:
        """Append bytes on a boundary of four and return the number of their bufferView."""
        self.data += bytes(-len(self.data) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **about})
        self.data += data
        return len(self.views) - 1

    def vertices(self, rows: NDArray[Any], width: int, *, bounds: bool = False) -> int:
        """Append one attribute, (n, width and what fills its rows up to four bytes); return its accessor."""
        about: dict[str, Any] = {}
        if bounds:
            columns = [rows[:, k] for k in range(width)]
            about = {"min": [c.min().item() for c in columns], "max": [c.max().item() for c in columns]}
        elif rows.dtype.kind != "f":
            about = {"normalized": True}
        view = self.view(_bytes(rows), byteStride=rows.shape[1] * rows.itemsize, target=_ARRAY)
        return self._accessor(view, rows, f"VEC{width}", about)

    def elements(self, values: NDArray[np.uint32]) -> int:
        """Append vertex numbers and return their accessor."""
        return self._accessor(self.view(_bytes(values), target=_ELEMENTS), values, "SCALAR", {})

    def _accessor(self, view: int, values: NDArray[Any], kind: str, about: dict[str, Any]) -> int:
        component = _TYPES[values.dtype.name]
        self.accessors.append(
            {"bufferView": view, "componentType": component, "count": len(values), "type": kind, **about}
        )
        return len(self.accessors) - 1


def write(scene: Scene, tell: Callable[[str], None], *, quantize: bool = True) -> bytes:
    """Write a scene as .glb; `quantize` packs positions and normals into integers, 20 bytes a corner.

    Without it every attribute is a float but the shade, for loaders that lack KHR_mesh_quantization.
    """
    grid = palettes.in_use(scene.grid)
    buffer = _Buffer()
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    places = meshes.palette_places(grid.palette)
    for surface, mesh in meshes.parts(grid, occlusion=True):
        attributes = _attributes(buffer, mesh, places, grid.size[1], quantize)
        elements = buffer.elements(meshes.triangles(mesh.light).reshape(-1))
        primitives.append({"attributes": attributes, "indices": elements, "material": len(materials)})
        materials.append(_material(surface))
    picture = buffer.view(png.encode(meshes.palette_picture(grid.palette)))
    return _file(scene, buffer, primitives, materials, picture, quantize)


def _attributes(
    buffer: _Buffer, mesh: Mesh, places: NDArray[np.float64], depth: int, quantize: bool
) -> dict[str, int]:
    """Append the corners of a mesh and return which accessor holds what."""
    number, filler = (np.uint16, 1) if quantize else (np.float32, 0)
    points = np.zeros((len(mesh.direction), 4, 3 + filler), number)
    points[..., 0] = mesh.corners[..., 0]  # points_y_up, in place, with the back at 0
    points[..., 1] = mesh.corners[..., 2]
    points[..., 2] = depth - mesh.corners[..., 1]
    normals = np.zeros((6, 3 + filler), np.int8 if quantize else np.float32)
    normals[:, :3] = points_y_up(NORMALS) * (127 if quantize else 1)
    if quantize:
        places = np.round(places * 65535)
    shade = np.round(255 * (_SHADE + (1 - _SHADE) * mesh.light.reshape(-1))).astype(np.uint32)
    shade = (shade * np.uint32(0x010101) | np.uint32(0xFF000000)).astype("<u4")
    return {
        "POSITION": buffer.vertices(points.reshape(-1, 3 + filler), 3, bounds=True),
        "NORMAL": buffer.vertices(_at_corners(normals, mesh.direction), 3),
        "TEXCOORD_0": buffer.vertices(_at_corners(places.astype(number), mesh.material), 2),
        "COLOR_0": buffer.vertices(shade.view(np.uint8).reshape(-1, 4), 4),
    }


def _at_corners(table: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return a row of the table for each of the four corners of a quad, (4 n, columns)."""
    whole = np.ascontiguousarray(table).view(f"V{table.shape[1] * table.itemsize}").reshape(-1)
    return np.repeat(whole[rows], 4).view(table.dtype).reshape(-1, table.shape[1])


def _bytes(values: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _material(surface: meshes.Surface) -> dict[str, Any]:
    clear, metal = surface.opacity < 1, surface.metal
    pbr: dict[str, Any] = {
        "baseColorTexture": {"index": 0},
        "metallicFactor": metal,
        "roughnessFactor": 0.1 if clear else round(0.9 - 0.6 * metal, 3),
    }
    material: dict[str, Any] = {"name": surface.name, "pbrMetallicRoughness": pbr}
    if clear:
        pbr["baseColorFactor"] = [1, 1, 1, surface.opacity]
        material["alphaMode"] = "BLEND"
    if surface.glow:
        material |= {"emissiveTexture": {"index": 0}, "emissiveFactor": [min(surface.glow, 1)] * 3}
    if surface.glow > 1:
        strength = {"emissiveStrength": surface.glow}
        material["extensions"] = {"KHR_materials_emissive_strength": strength}
    return material


def _file(
    scene: Scene,
    buffer: _Buffer,
    primitives: list[dict[str, Any]],
    materials: list[dict[str, Any]],
    picture: int,
    quantize: bool,
) -> bytes:
    """Put header, JSON chunk and binary chunk together."""
    x, y, _ = scene.grid.size
    node = {"name": scene.title[:200], "mesh": 0, "translation": [-x / 2, 0, -y / 2]}
    about: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "voxgen"},
        "scene": 0,
        "scenes": [{"name": scene.title[:200], "nodes": [0]}],
        "nodes": [node],
        "materials": materials,
        "textures": [{"source": 0, "sampler": 0}],
        "images": [{"name": "palette", "bufferView": picture, "mimeType": "image/png"}],
        "samplers": [{"magFilter": _NEAREST, "minFilter": _NEAREST, "wrapS": _CLAMP, "wrapT": _CLAMP}],
        "meshes": [{"name": "voxels", "primitives": primitives}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data) + -len(buffer.data) % 4}],
    }
    used = [name for material in materials for name in material.get("extensions", {})][:1]
    if quantize:
        used.append("KHR_mesh_quantization")
        about["extensionsRequired"] = ["KHR_mesh_quantization"]
    if used:
        about["extensionsUsed"] = used
    if not primitives:  # a scene of air: nothing that refers to nothing may stand there
        about = {"asset": about["asset"], "scene": 0, "scenes": [{"name": scene.title[:200]}]}
        buffer = _Buffer()
    text = json.dumps(about, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    text += b" " * (-len(text) % 4)
    chunks: list[bytes | bytearray] = [struct.pack("<I4s", len(text), b"JSON"), text]
    if buffer.data:
        buffer.data += bytes(-len(buffer.data) % 4)
        chunks += [struct.pack("<I4s", len(buffer.data), b"BIN\0"), buffer.data]
    return b"".join([struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, chunks))), *chunks])
