"""Whole processes, a saved grid in and a PNG out: ours beside PyVista, trimesh and matplotlib.

    python benchmarks/process.py [--json]

CPU seconds (user + system) of fresh processes taken in turns, the minimum of three; 1024×768 pixels, four
samples a pixel. "quads" draws our greedy quads in flat colours straight through VTK's own modules, "quads,
pv.Plotter" the same quads with the same texture and camera, so that the two pictures are alike. "voxgen
render" is the product, which also traces light; "to_pyvista" shows its lit mesh in a pv.Plotter.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import Row, arguments, processes, show

SIZE = (1024, 768)
SHADE = (0.8, 0.9, 0.75, 0.95, 0.6, 1.0)  # of faces towards -x, +x, -y, +y, -z, +z
ALIKE = 4.0  # of 255, mean difference of two pictures that show the same
DEMAND = 1.8


def quads() -> tuple[Any, Any, Any, Any]:
    """Mesh the grid: corners (n, 4, 3), texture coordinates (n, 4, 2), flat colours, the camera."""
    import numpy as np
    from landscape import PALETTE, RGB

    from voxgen.picture import camera
    from voxgen.picture.mesher import greedy
    from voxgen.scene import VoxelGrid

    grid = VoxelGrid(_grid(), PALETTE)
    mesh = greedy(grid)
    texture = (np.array(SHADE)[:, None, None] * RGB).astype(np.uint8)
    at = np.stack([(mesh.material + 0.5) / len(RGB), (mesh.direction + 0.5) / 6], axis=-1)
    eye = camera.fit(camera.outline(grid), "hero", SIZE)
    return mesh.corners, np.repeat(at[:, None], 4, axis=1).astype(np.float32), texture, eye


def direct(path: str) -> None:
    import numpy as np
    from PIL import Image

    from voxgen.picture import screen

    corners, coords, texture, eye = quads()
    width, height = SIZE
    frame = screen.Screen(width, height)
    look = {"flat_colors": screen.texture(texture)}
    actor = screen.paint(screen.quads(corners, coords), "", "texture(flat_colors, at)", look)
    picture = np.zeros((height, width, 3), np.uint8)
    for x, y in ((0, 0), (0, 1), (1, 0), (1, 1)):  # a quarter at a time, 2 × 2 samples a pixel
        frame.look(eye.eye, eye.eye - eye.back, eye.up, eye.projection((x - 1, x, y - 1, y)))
        samples = frame.shoot([actor]).reshape(height // 2, 2, width // 2, 2, 4)
        image = (samples[:, 0, :, 0] + samples[:, 0, :, 1] + samples[:, 1, :, 0] + samples[:, 1, :, 1]) / 4
        color = (image[..., :3] + (1 - image[..., 3:])).clip(0, 1) * 255 + 0.5
        picture[(1 - y) * height // 2 :][: height // 2, x * width // 2 :][:, : width // 2] = color[::-1]
    Image.fromarray(picture).save(path, compress_level=4)


def plotter(path: str) -> None:
    import numpy as np
    import pyvista as pv
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    corners, coords, texture, eye = quads()
    mesh = pv.PolyData.from_regular_faces(corners.reshape(-1, 3), np.arange(4 * len(corners)).reshape(-1, 4))
    mesh.active_texture_coordinates = coords.reshape(-1, 2)
    image = pv.Texture(texture[::-1])
    image.interpolate = image.mipmap = False
    shown = pv.Plotter(off_screen=True, window_size=list(SIZE))
    shown.add_mesh(mesh, texture=image, lighting=False)
    shown.camera.position, shown.camera.focal_point = eye.eye, eye.eye - eye.back
    shown.camera.up = eye.up
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(eye.projection((-1, 1, -1, 1)).ravel().tolist())
    shown.camera.SetExplicitProjectionTransformMatrix(matrix)
    shown.camera.UseExplicitProjectionTransformMatrixOn()
    shown.screenshot(path)


def peer(name: str, path: str) -> None:
    """Mesh the grid as a peer does and show it in a pv.Plotter with its own look."""
    import pyvista as pv
    from landscape import PALETTE, RGB
    from mesh import PEERS

    from voxgen.scene import VoxelGrid

    mesh = PEERS[name][0](VoxelGrid(_grid(), PALETTE))
    shown = pv.Plotter(off_screen=True, window_size=list(SIZE))
    if name.startswith("trimesh"):
        shown.add_mesh(pv.wrap(mesh), scalars=mesh.visual.face_colors, rgb=True)
    else:
        scalars = "boundary_labels" if name == "contour_labels" else "material"
        shown.add_mesh(mesh, scalars=scalars, cmap=[f"#{r:02x}{g:02x}{b:02x}" for r, g, b in RGB[1:]])
    shown.screenshot(path)


def matplotlib(path: str) -> None:
    from landscape import RGB
    from matplotlib.figure import Figure

    grid = _grid()
    figure = Figure(figsize=(10.24, 7.68), dpi=100)
    axes: Any = figure.add_subplot(projection="3d")
    axes.voxels(grid != 0, facecolors=RGB[grid] / 255)
    figure.savefig(path)


def to_pyvista(path: str) -> None:
    import pyvista as pv

    import voxgen

    mesh, texture = voxgen.to_pyvista(voxgen.load(os.environ["GRID"]))
    shown = pv.Plotter(off_screen=True, window_size=list(SIZE))
    shown.add_mesh(mesh, texture=texture, lighting=False)
    shown.screenshot(path)


def _grid() -> Any:
    import numpy as np

    return np.load(os.environ["GRID"])["indices"]


DRAW = {
    "quads": direct,
    "quads, pv.Plotter": plotter,
    "to_pyvista": to_pyvista,
    "matplotlib voxels": matplotlib,
}
PEERS = ("threshold + extract_surface", "contour_labels", "glyph", "trimesh as_boxes")


def compared(side: int, folder: Path) -> list[Row]:
    import numpy as np
    from landscape import garden
    from PIL import Image

    import voxgen

    saved = folder / f"garden-{side}.npz"
    voxgen.save(voxgen.Scene("Garden", garden(side)), saved)
    os.environ["GRID"] = str(saved)
    names = [
        "quads",
        "quads, pv.Plotter",
        *PEERS,
        "to_pyvista",
        *(["matplotlib voxels"] if side <= 32 else []),
    ]
    commands = {name: [__file__, "--draw", name, str(folder / f"{name}.png")] for name in names}
    picture = "x".join(map(str, SIZE))
    commands["voxgen render"] = [
        "-m",
        "voxgen",
        "render",
        str(saved),
        "-o",
        str(folder / "r.png"),
        "--size",
        picture,
    ]
    times = processes(commands, 3)
    ours, theirs = (np.asarray(Image.open(folder / f"{name}.png"), float) for name in names[:2])
    assert np.abs(ours - theirs).mean() < ALIKE, "the two ways to draw our quads give different pictures"
    rows = []
    for name, seconds in times.items():
        row: Row = {"side": side, "process": name, "CPU s": seconds, "× quads": seconds / times["quads"]}
        row["× voxgen render"] = seconds / times["voxgen render"]
        row["demand"] = DEMAND if side == 64 and name == "quads, pv.Plotter" else ""
        rows.append(row)
    return rows


def main() -> None:
    os.environ.setdefault(
        "VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow"
    )  # or VTK looks for a display first
    if sys.argv[1:2] == ["--draw"]:
        name, path = sys.argv[2:4]
        DRAW[name](path) if name in DRAW else peer(name, path)
        return
    given = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for side in (32, 64, 128) for row in compared(side, Path(folder))]
    show({"saved grid → PNG, whole processes": rows}, given.json)


if __name__ == "__main__":
    main()
