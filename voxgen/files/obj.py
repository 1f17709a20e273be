"""The .obj format of Wavefront, write only, y up: quads, an .mtl and a palette picture beside it.

Source: Wavefront "Object Files" and "Material Library File", version 3.0, with the Pm, Pr and Ke of its PBR
extension. Colours are a picture, as programs disagree on whether Kd is linear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from voxgen.files import meshes, palettes, png
from voxgen.files.space import points_y_up
from voxgen.picture.mesher import NORMALS
from voxgen.scene import Scene


def write(scene: Scene, tell: Callable[[str], None], *, stem: str) -> dict[str, bytes]:
    """Write a scene as the files NAME.obj, NAME.mtl and NAME-palette.png, by their names; `stem` is NAME."""
    grid = palettes.in_use(scene.grid)
    beside = "_".join(stem.split()) or "scene"  # many readers end a name at its first blank
    parts = meshes.parts(grid)
    text = b"".join([f"# voxgen\nmtllib {beside}.mtl\no voxels\n".encode(), *_body(parts, grid.palette)])
    tell(f"{beside}.mtl and {beside}-palette.png belong beside it")
    library = "\n".join(_material(part.surface, f"{beside}-palette.png") for part in parts)
    picture = png.encode(meshes.palette_picture(grid.palette))
    return {f"{stem}.obj": text, f"{beside}.mtl": library.encode(), f"{beside}-palette.png": picture}


def _body(parts: list[meshes.Part], palette: tuple[object, ...]) -> Iterator[bytes]:
    """Yield points, places in the picture, normals, then the quads of each surface."""
    if not parts:
        return
    points, vertices = meshes.welded(meshes.merged(parts))
    yield from meshes.lines("v % % %", *meshes.numbered(points_y_up(points)))
    for u, v in meshes.palette_places(palette):  # type: ignore[arg-type]
        yield f"vt {u:.6f} {1 - v:.6f}\n".encode()
    yield from meshes.lines("vn % % %", *meshes.numbered(points_y_up(NORMALS)))
    corner = meshes.numbers(1, len(points))
    # a corner's place in the picture and its normal, alike at all four
    looks = np.array([b"/%d/%d" % (i, j) for i in range(1, len(palette) + 1) for j in range(1, 7)])
    start = 0
    for surface, mesh in parts:
        corners = vertices[start : start + len(mesh.direction)]
        start += len(corners)
        look = (looks, 6 * mesh.material.astype(np.int32) + mesh.direction)
        yield f"usemtl {surface.name}\n".encode()
        yield from meshes.lines(
            "f %% %% %% %%", *(column for which in corners.T for column in ((corner, which), look))
        )


def _material(surface: meshes.Surface, picture: str) -> str:
    glow = min(surface.glow, 1)
    rows = [f"newmtl {surface.name}", "Ka 0 0 0", "Kd 1 1 1", "Ks 0 0 0", f"map_Kd {picture}"]
    rows += [f"d {surface.opacity:g}"] if surface.opacity < 1 else []
    rows += [f"Ke {glow:g} {glow:g} {glow:g}", f"map_Ke {picture}"] if glow else []
    rows += [f"Pm {surface.metal:g}", f"Pr {0.9 - 0.6 * surface.metal:g}"] if surface.metal else []
    return "\n".join([*rows, "illum 1", ""])
