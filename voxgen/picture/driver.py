"""Which OpenGL driver VTK will find, asked without VTK: that ends the process when there is none."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import threading
from functools import cache
from typing import Any, NamedTuple

APT = "apt-get install -y --no-install-recommends libegl1 libgl1-mesa-dri"
_PROBING = threading.Lock()
_LOG_LEVEL = "EGL_LOG_LEVEL"  # environment variable that Mesa reads once
NEEDED = (3, 2)  # the OpenGL version that VTK asks for, core profile
# numbers of the EGL headers
_PLATFORM_DEVICE, _OPENGL_API = 0x313F, 0x30A2
_SURFACE_TYPE, _PBUFFER, _RENDERABLE_TYPE, _OPENGL_BIT, _DEPTH_SIZE, _NONE = (
    0x3033, 0x0001, 0x3040, 0x0008, 0x3025, 0x3038,
)  # fmt: skip
_MAJOR_VERSION, _MINOR_VERSION, _PROFILE, _CORE = 0x3098, 0x30FB, 0x30FD, 0x0001
_WIDTH, _HEIGHT, _GL_VERSION = 0x3057, 0x3056, 0x1F02
_EGL_VERSION, _DRAW, _READ = 0x3054, 0x3059, 0x305A


class Driver(NamedTuple):
    """The VTK window class that works here (None: VTK's own choice), or what is missing."""

    window: str | None
    missing: str | None


@cache
def probe() -> Driver:
    """Look for a driver: EGL first, then OSMesa; macOS and Windows bring their own. 25 ms, without VTK.

    Where that cannot tell, VTK is tried in a process of its own, for half a second: with OSMesa, and where
    variables of the environment bend Mesa into something that may crash.
    """
    if not sys.platform.startswith("linux"):
        return Driver(None, None)  # untested: Cocoa and WGL come with the system
    with _PROBING:
        return _probed()


def _probed() -> Driver:
    """Look for a driver on Linux; two threads that did so at once would close each other's display."""
    bent = any(name.startswith("MESA_") and name.endswith("_OVERRIDE") for name in os.environ)
    quiet = os.environ.get(_LOG_LEVEL)
    os.environ.setdefault(_LOG_LEVEL, "fatal")  # what Mesa has to say of its search would alarm
    try:
        lack = _tried("vtkEGLRenderWindow") if bent else _egl_lack()
    finally:
        if quiet is None:
            os.environ.pop(_LOG_LEVEL, None)
    if lack is None:
        return Driver("vtkEGLRenderWindow", None)
    if _has_osmesa() and _tried("vtkOSOpenGLRenderWindow") is None:
        return Driver("vtkOSOpenGLRenderWindow", None)
    return Driver(None, f"{lack}; on Debian or Ubuntu: {APT}")


def _tried(window: str) -> str | None:
    """Let VTK open a window of a class in another process; return what went wrong or None."""
    code = "import sys; from voxgen.picture import driver; driver.trial(sys.argv[1])"
    crashed = "the graphics driver crashes"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, window], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return crashed
    return None if done.returncode == 0 else done.stdout.strip() or crashed


def trial(window: str) -> None:
    """Open and draw a window of a class; end the process with a word on stdout where that cannot work.

    For a process of its own: where VTK finds no driver it ends it.
    """
    lack = _egl_lack() if window == "vtkEGLRenderWindow" else None
    if lack is not None:
        print(lack)  # noqa: T201  (the answer to the process that asked)
        sys.exit(1)
    os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = window
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the OpenGL classes)
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

    screen = vtkRenderWindow()
    screen.SetOffScreenRendering(1)
    screen.SetSize(16, 16)
    screen.AddRenderer(vtkRenderer())
    screen.Render()


def _egl_lack() -> str | None:
    """Return None when some EGL device opens the OpenGL that VTK needs, else what is wrong."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return "the library libEGL.so.1 was not found"
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    query = _extension(
        egl, b"eglQueryDevicesEXT", ctypes.c_uint, integer, ctypes.POINTER(pointer), ctypes.POINTER(integer)
    )
    display_of = _extension(egl, b"eglGetPlatformDisplayEXT", pointer, ctypes.c_uint, pointer, pointer)
    if query is None or display_of is None:
        return "libEGL is too old to list its devices"
    devices, count = (pointer * 16)(), integer(0)
    if not query(16, devices, ctypes.byref(count)) or count.value == 0:
        return "libEGL was found, but no graphics driver behind it"
    lack = "libEGL was found, but none of its devices can draw"
    for device in devices[: count.value]:
        display = display_of(_PLATFORM_DEVICE, device, None)
        if display:
            found = _lack_of(egl, display)
            if found is None:
                return None
            lack = found or lack
    return lack


def _extension(egl: ctypes.CDLL, name: bytes, result: Any, *arguments: Any) -> Any:
    """Look up an EGL extension function, None when it does not exist."""
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    address = egl.eglGetProcAddress(name)
    return ctypes.CFUNCTYPE(result, *arguments)(address) if address else None


def _lack_of(egl: ctypes.CDLL, display: int) -> str | None:
    """Return None when a display opens a context as VTK does, else what it lacks, "" where unknown."""
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    integers, pointers = ctypes.POINTER(integer), ctypes.POINTER(pointer)
    for name, result, arguments in (
        ("eglInitialize", ctypes.c_uint, [pointer, pointer, pointer]),
        ("eglTerminate", ctypes.c_uint, [pointer]),
        ("eglBindAPI", ctypes.c_uint, [ctypes.c_uint]),
        ("eglChooseConfig", ctypes.c_uint, [pointer, integers, pointers, integer, integers]),
        ("eglCreateContext", pointer, [pointer, pointer, pointer, integers]),
        ("eglDestroyContext", ctypes.c_uint, [pointer, pointer]),
        ("eglCreatePbufferSurface", pointer, [pointer, pointer, integers]),
        ("eglDestroySurface", ctypes.c_uint, [pointer, pointer]),
        ("eglMakeCurrent", ctypes.c_uint, [pointer, pointer, pointer, pointer]),
        ("eglQueryString", ctypes.c_char_p, [pointer, integer]),
        ("eglGetCurrentContext", pointer, []),
        ("eglGetCurrentDisplay", pointer, []),
        ("eglGetCurrentSurface", pointer, [integer]),
    ):
        function = getattr(egl, name)
        function.restype, function.argtypes = result, arguments
    held = egl.eglQueryString(display, _EGL_VERSION) is not None  # a display is one for the whole process
    if not egl.eglInitialize(display, None, None):
        return ""
    try:
        wanted = (integer * 7)(_SURFACE_TYPE, _PBUFFER, _RENDERABLE_TYPE, _OPENGL_BIT, _DEPTH_SIZE, 8, _NONE)
        configs, count = (pointer * 1)(), integer(0)
        if not egl.eglBindAPI(_OPENGL_API) or not egl.eglChooseConfig(
            display, wanted, configs, 1, ctypes.byref(count)
        ):
            return ""
        return _version_lack(egl, display, configs[0]) if count.value else ""
    finally:
        if not held:
            egl.eglTerminate(display)


def _version_lack(egl: ctypes.CDLL, display: int, config: int | None) -> str | None:
    """Open a context, ask it for its version and close it again; return what is wrong with it or None."""
    integer = ctypes.c_int
    major, minor = NEEDED
    asked = (integer * 7)(_MAJOR_VERSION, major, _MINOR_VERSION, minor, _PROFILE, _CORE, _NONE)
    too_old = f"the graphics driver does not offer OpenGL {major}.{minor}"
    context = egl.eglCreateContext(display, config, None, asked)
    if not context:
        return too_old
    surface = egl.eglCreatePbufferSurface(display, config, (integer * 5)(_WIDTH, 8, _HEIGHT, 8, _NONE))
    before = (
        egl.eglGetCurrentDisplay(), egl.eglGetCurrentSurface(_DRAW), egl.eglGetCurrentSurface(_READ),
        egl.eglGetCurrentContext(),
    )  # fmt: skip
    try:
        if not surface or not egl.eglMakeCurrent(display, surface, surface, context):
            return ""
        text = _extension(egl, b"glGetString", ctypes.c_char_p, ctypes.c_uint)
        version = re.match(rb"(\d+)\.(\d+)", (text and text(_GL_VERSION)) or b"")
        fine = version is not None and (int(version[1]), int(version[2])) >= NEEDED
        return None if fine else too_old
    finally:
        egl.eglMakeCurrent(display, None, None, None)
        if before[0] and before[3]:
            egl.eglMakeCurrent(*before)
        if surface:
            egl.eglDestroySurface(display, surface)
        egl.eglDestroyContext(display, context)


def _has_osmesa() -> bool:
    """Return whether Mesa's off-screen library can be loaded."""
    for name in ("libOSMesa.so", "libOSMesa.so.8", "libOSMesa.so.6"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False
