"""The .usdz format, write only and experimental: USD text and a palette picture in an uncompressed zip.

Source: openusd.org, "Usdz File Format Specification" 1.3 and "UsdPreviewSurface Specification" 2.6. Apple's
viewers are said to want binary USD; three.js writes text for them as here. A voxel is a centimetre.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from voxgen.files import meshes, palettes, png
from voxgen.files.space import points_y_up
from voxgen.picture.mesher import NORMALS
from voxgen.scene import Mesh, Scene

_ALIGNED = 64  # bytes: where each file's own bytes begin
_PADDING = 0x1986  # the number of a zip extra field that is only padding
_MADE = 0x21  # 1 January 1980, as the date of a zip entry


def write(scene: Scene, tell: Callable[[str], None]) -> bytes:
    """Write a scene as .usdz."""
    tell(".usdz is experimental: not tried on a phone")
    grid = palettes.in_use(scene.grid)
    places = meshes.palette_places(grid.palette)
    places[:, 1] = 1 - places[:, 1]
    stage = [f'{_HEAD}def Xform "scene" (kind = "component")\n{{\n'.encode()]
    for number, part in enumerate(meshes.parts(grid)):
        stage += _body(number, part, places, (grid.size[0], grid.size[1]))
    stage.append(b"}\n")
    picture = png.encode(meshes.palette_picture(grid.palette))
    return _archive({"scene.usda": stage, "palette.png": [picture]})


_EACH_FACE = ' (interpolation = "uniform")'
_HEAD = """#usda 1.0
(
    defaultPrim = "scene"
    metersPerUnit = 0.01
    upAxis = "Y"
)
"""


def _body(
    number: int, part: meshes.Part, places: NDArray[np.float64], ground: tuple[int, int]
) -> Iterator[bytes]:
    """Write the mesh of one surface, the middle of the ground as origin, and its material."""
    points, vertices = meshes.welded(part.mesh)
    points -= np.array([ground[0] // 2, ground[1] // 2, 0], np.int32)
    points = points_y_up(points)
    used, place = _distinct(part.mesh, len(places))
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    uv = ",".join(f"({u:.6f},{v:.6f})" for u, v in places[used])
    index = meshes.numbers(0, max(len(points), len(used)) - 1)
    normals = np.array([b"(%d,%d,%d)" % tuple(normal) for normal in points_y_up(NORMALS).tolist()])
    yield f'def Mesh "voxels{number}" (prepend apiSchemas = ["MaterialBindingAPI"])\n{{\n'.encode()
    yield b'uniform token subdivisionScheme = "none"\nuniform bool doubleSided = 0\n'
    yield f"float3[] extent = [{tuple(low)},{tuple(high)}]\n".encode()
    yield from _list("int[] faceVertexCounts", "%", (np.array([b"4"]), np.zeros(len(vertices), np.uint8)))
    yield from _list("int[] faceVertexIndices", "%,%,%,%", *((index, column) for column in vertices.T))
    yield from _list("point3f[] points", "(%,%,%)", *meshes.numbered(points))
    yield from _list("normal3f[] normals", "%", (normals, part.mesh.direction), about=_EACH_FACE)
    yield f"texCoord2f[] primvars:st = [{uv}]{_EACH_FACE}\n".encode()
    yield from _list("int[] primvars:st:indices", "%", (index, place))
    yield f"rel material:binding = </scene/surface{number}>\n}}\n".encode()
    yield _material(f"surface{number}", part.surface).encode()


def _distinct(mesh: Mesh, count: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return which materials a mesh has, and for each quad which of those."""
    there = np.zeros(count, bool)
    there[mesh.material] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[mesh.material]


def _list(
    name: str, pattern: str, *columns: tuple[meshes.Words, NDArray[np.integer]], about: str = ""
) -> Iterator[bytes]:
    """Write rows of words as one array of USD."""
    pieces = meshes.lines(pattern + ",", *columns)
    yield f"{name} = [".encode()
    last = next(pieces)
    for piece in pieces:
        yield last
        last = piece
    yield last[:-2] + f"]{about}\n".encode()


def _material(name: str, surface: meshes.Surface) -> str:
    """Write a material whose colour, and glow, is the palette picture."""
    picture = f"</scene/{name}/picture.outputs:rgb>"
    rough = 0.1 if surface.opacity < 1 else round(0.9 - 0.6 * surface.metal, 3)
    glow = f"color3f inputs:emissiveColor.connect = {picture}" if surface.glow else ""
    return f"""def Material "{name}"
{{
token outputs:surface.connect = </scene/{name}/look.outputs:surface>
def Shader "look"
{{
uniform token info:id = "UsdPreviewSurface"
color3f inputs:diffuseColor.connect = {picture}
{glow}
float inputs:opacity = {surface.opacity:g}
float inputs:roughness = {rough:g}
float inputs:metallic = {surface.metal:g}
token outputs:surface
}}
def Shader "picture"
{{
uniform token info:id = "UsdUVTexture"
asset inputs:file = @palette.png@
token inputs:sourceColorSpace = "sRGB"
token inputs:wrapS = "clamp"
token inputs:wrapT = "clamp"
float2 inputs:st.connect = </scene/{name}/place.outputs:result>
float3 outputs:rgb
}}
def Shader "place"
{{
uniform token info:id = "UsdPrimvarReader_float2"
string inputs:varname = "st"
float2 outputs:result
}}
}}
"""


def _archive(files: dict[str, list[bytes]]) -> bytes:
    """Return a zip of uncompressed files, each in pieces, whose bytes begin on boundaries of 64.

    The standard library's zipfile cannot say where an entry's bytes begin.
    """
    body: list[bytes] = []
    directory, at = b"", 0
    for name, pieces in files.items():
        title = name.encode()
        gap = -(at + 30 + len(title) + 4) % _ALIGNED
        extra = struct.pack("<HH", _PADDING, gap) + bytes(gap)
        size, check = sum(map(len, pieces)), 0
        for piece in pieces:
            check = zlib.crc32(piece, check)
        about = (20, 0, 0, 0, _MADE, check, size, size, len(title))
        directory += struct.pack("<4sH5H3I5H2I", b"PK\1\2", 20, *about, 0, 0, 0, 0, 0, at) + title
        body += [struct.pack("<4s5H3I2H", b"PK\3\4", *about, len(extra)), title, extra, *pieces]
        at = sum(map(len, body))
    count = len(files)
    end = (0, 0, count, count, len(directory), at, 0)
    return b"".join([*body, directory, struct.pack("<4s4H2IH", b"PK\5\6", *end)])
