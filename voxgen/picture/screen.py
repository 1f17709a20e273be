"""A place to draw off screen: VTK windows with floating-point pixels, textures, quads, shaders.

Open a Screen only after `driver.probe()` found a driver: VTK ends the process where none works.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the OpenGL classes)
from numpy.typing import NDArray
from vtkmodules.util import numpy_support
from vtkmodules.vtkCommonCore import VTK_FLOAT, vtkLogger, vtkOutputWindow, vtkPoints, vtkStringOutputWindow
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow, vtkTexture

from voxgen.errors import RenderError
from voxgen.picture import driver

WINDOW_CLASS = "VTK_DEFAULT_OPENGL_WINDOW"  # environment variable that VTK reads for every new window
_HEARING = threading.RLock()  # where VTK complains is one for all threads
_ENVIRONMENT = threading.Lock()  # it is one for all threads
numpy_to_vtk: Any = numpy_support.numpy_to_vtk  # comes without types
LIMIT = 16384  # largest texture side that every OpenGL 4 driver and Mesa offer
Uniforms = Mapping[str, float | int | tuple[float, float, float]]


def shader(*names: str) -> str:
    """Return the text of shader files, one after the other."""
    folder = Path(__file__).with_name("shaders")
    return "\n".join((folder / f"{name}.glsl").read_text(encoding="utf-8") for name in names)


def texture(image: NDArray[Any], *, smooth: bool = False) -> vtkTexture:
    """Make a texture of (H, W, channels) uint8 or float32; row 0 is the bottom. Values stay as they are."""
    out = vtkTexture()
    out.SetInterpolate(smooth)
    out.MipmapOff()
    out.RepeatOff()
    out.SetColorModeToDirectScalars()
    refill(out, image)
    return out


def refill(out: vtkTexture, image: NDArray[Any]) -> None:
    """Give a texture another image."""
    height, width, channels = image.shape
    data = vtkImageData()
    data.SetDimensions(width, height, 1)
    scalars = numpy_to_vtk(np.ascontiguousarray(image).reshape(-1, channels), deep=True)
    scalars.SetName("texels")
    data.GetPointData().SetScalars(scalars)
    out.SetInputData(data)


def quads(corners: NDArray[Any], coords: NDArray[Any] | None = None) -> vtkPolyData:
    """Make polygons of corners (n, 4, 3), with texture coordinates (n, 4, 2)."""
    count = 4 * len(corners)
    mesh, points, cells = vtkPolyData(), vtkPoints(), vtkCellArray()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(corners, np.float32).reshape(count, 3), deep=True))
    cells.SetData(4, numpy_to_vtk(np.arange(count, dtype=np.int32), deep=True))
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    if coords is not None:
        flat = np.ascontiguousarray(coords, np.float32).reshape(count, 2)
        array = numpy_to_vtk(flat, deep=True)
        array.SetName("coords")
        mesh.GetPointData().SetTCoords(array)
    return mesh


def paint(
    mesh: vtkPolyData,
    functions: str,
    main: str,
    textures: Mapping[str, vtkTexture],
    *,
    translucent: bool = False,
) -> vtkActor:
    """Make an actor whose fragments are painted by GLSL: functions, then the statement `main`.

    In `main`, `at` is the texture coordinate and `place` the position in voxels.
    """
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.SetVBOShiftScaleMethod(0)  # keep positions as they are, in voxels
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.LightingOff()
    look.BackfaceCullingOn()
    if translucent:
        actor.ForceTranslucentOn()
    else:
        actor.ForceOpaqueOn()
    # VTK passes texture coordinates on only where there is a texture
    for name, image in (textures or {"blank": texture(np.zeros((1, 1, 4), np.uint8))}).items():
        look.SetTexture(name, image)
    body = f"  vec2 at = tcoordVCVSOutput; vec3 place = place_out;\n  gl_FragData[0] = {main};\n"
    vertex = {"Normal::Dec": "out vec3 place_out;\n", "Normal::Impl": "place_out = vertexMC.xyz;\n"}
    fragment = {"Normal::Dec": "in vec3 place_out;\n", "TCoord::Dec": f"{functions}\n", "TCoord::Impl": body}
    program = actor.GetShaderProperty()
    for mark, code in vertex.items():
        program.AddVertexShaderReplacement(f"//VTK::{mark}", True, f"//VTK::{mark}\n{code}", False)
    for mark, code in fragment.items():
        program.AddFragmentShaderReplacement(f"//VTK::{mark}", True, f"//VTK::{mark}\n{code}", False)
    return actor


def set_uniforms(actor: vtkActor, values: Uniforms) -> None:
    """Hand numbers to an actor's fragment shader; they need no declaration there."""
    uniforms = actor.GetShaderProperty().GetFragmentCustomUniforms()
    for name, value in values.items():
        if isinstance(value, (int, np.integer)):
            uniforms.SetUniformi(name, int(value))
        elif isinstance(value, (float, np.floating)):
            uniforms.SetUniformf(name, float(value))
        else:
            uniforms.SetUniform3f(name, [float(v) for v in value])


def _new_window() -> Any:
    """Open a window of the class that works here, and leave VTK's own choice for the next one as it was."""
    chosen = driver.probe().window
    with _ENVIRONMENT:
        before = os.environ.get(WINDOW_CLASS)
        if chosen:
            os.environ[WINDOW_CLASS] = chosen
        try:
            return vtkRenderWindow()
        finally:
            if before is None:
                os.environ.pop(WINDOW_CLASS, None)
            else:
                os.environ[WINDOW_CLASS] = before


@contextmanager
def _heard() -> Iterator[None]:
    """Raise RenderError where a shader does not compile: VTK prints it, line by line, and draws black."""
    usual, said = vtkOutputWindow.GetInstance(), vtkStringOutputWindow()
    loud = vtkLogger.GetCurrentVerbosityCutoff()
    vtkOutputWindow.SetInstance(said)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtkOutputWindow.SetInstance(usual)
        vtkLogger.SetStderrVerbosity(loud)
    complaint = said.GetOutput()
    if "shader program" in complaint:
        why = re.search(r"\berror:? (.+)", complaint)  # Mesa and others begin the line with it
        raise RenderError(
            f"the graphics driver refuses a shader: {why[1][:120] if why else 'it does not say why'}",
            "draw with --renderer soft, and report the driver",
        )
    if complaint:
        usual.DisplayText(complaint)


class Screen:
    """An off-screen window of float32 RGBA pixels, cleared to nothing."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.actors: list[vtkActor] = []
        self.image = np.zeros((height, width, 4), np.float32)
        self.window: Any = _new_window()
        self.window.SetOffScreenRendering(1)
        self.window.SwapBuffersOff()  # pixels are read where they were drawn
        self.window.SetFrameBlitModeToNoBlit()
        self.window.SetMultiSamples(0)
        self.window.SetAlphaBitPlanes(1)
        self.window.SetSize(width, height)
        self.renderer = vtkRenderer()
        self.renderer.SetBackground(0, 0, 0)
        self.renderer.SetBackgroundAlpha(0)
        self.renderer.SetUseOIT(False)
        self.window.AddRenderer(self.renderer)
        self.window.Render()
        frame: Any = self.window.GetRenderFramebuffer()
        frame.PopulateFramebuffer(width, height, True, 1, VTK_FLOAT, True, 24, 0, False)

    def look(self, position: Any, target: Any, up: Any, projection: NDArray[np.float64]) -> None:
        """Set the camera: an OpenGL projection matrix (4, 4) and where it stands."""
        camera = self.renderer.GetActiveCamera()
        camera.SetPosition(*position)
        camera.SetFocalPoint(*target)
        camera.SetViewUp(*up)
        matrix = vtkMatrix4x4()
        matrix.DeepCopy(projection.ravel().tolist())
        camera.SetExplicitProjectionTransformMatrix(matrix)
        camera.UseExplicitProjectionTransformMatrixOn()

    def shoot(self, actors: Sequence[vtkActor], *, over: bool = False) -> NDArray[np.float32]:
        """Draw actors and return (height, width, 4) float32, row 0 at the bottom; valid until the next call.

        over: draw into the last picture, behind what is nearer there.
        """
        if list(actors) != self.actors:  # VTK forgets an actor's buffers and shaders when it is taken away
            self.renderer.RemoveAllViewProps()
            for actor in actors:
                self.renderer.AddActor(actor)
            self.actors = list(actors)
        self.renderer.SetPreserveColorBuffer(over)
        self.renderer.SetPreserveDepthBuffer(over)
        with _HEARING, _heard():
            self.window.Render()
        color = self.window.GetRenderFramebuffer().GetColorAttachmentAsTextureObject(0)
        pixels = color.Download()
        pixels.Download2D(VTK_FLOAT, self.image, (self.width, self.height), 4, (0, 0))
        pixels.ReleaseMemory()  # the object's end alone would leave its buffer with the driver
        return self.image

    def close(self) -> None:
        """Give the window's memory back."""
        self.window.Finalize()
