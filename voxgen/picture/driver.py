"""Which OpenGL driver VTK will find, asked without VTK: that ends the process when there is none."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any, NamedTuple

APT = "apt-get install -y --no-install-recommends libegl1 libgl1-mesa-dri"
# numbers of the EGL headers
_PLATFORM_DEVICE, _OPENGL_API = 0x313F, 0x30A2
_SURFACE_TYPE, _PBUFFER, _RENDERABLE_TYPE, _OPENGL_BIT, _DEPTH_SIZE, _NONE = (
    0x3033, 0x0001, 0x3040, 0x0008, 0x3025, 0x3038,
)  # fmt: skip


class Driver(NamedTuple):
    """The VTK window class that works here (None: VTK's own choice), or what is missing."""

    window: str | None
    missing: str | None


@cache
def probe() -> Driver:
    """Look for a driver: EGL first, then OSMesa; macOS and Windows bring their own. Milliseconds."""
    if not sys.platform.startswith("linux"):
        return Driver(None, None)
    lack = _egl_lack()
    if lack is None:
        return Driver("vtkEGLRenderWindow", None)
    if _has_osmesa():
        return Driver("vtkOSOpenGLRenderWindow", None)
    return Driver(None, f"{lack}; on Debian or Ubuntu: {APT}")


def _egl_lack() -> str | None:
    """Return None when some EGL device can be opened with OpenGL, else what is wrong."""
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
    for device in devices[: count.value]:
        display = display_of(_PLATFORM_DEVICE, device, None)
        if display and _opens(egl, display):
            return None
    return "libEGL was found, but none of its devices can draw"


def _extension(egl: ctypes.CDLL, name: bytes, result: Any, *arguments: Any) -> Any:
    """Look up an EGL extension function, None when it does not exist."""
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    address = egl.eglGetProcAddress(name)
    return ctypes.CFUNCTYPE(result, *arguments)(address) if address else None


def _opens(egl: ctypes.CDLL, display: int) -> bool:
    """Return whether a display gives an off-screen OpenGL configuration."""
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    egl.eglInitialize.argtypes = [pointer, pointer, pointer]
    egl.eglTerminate.argtypes = [pointer]
    egl.eglBindAPI.argtypes = [ctypes.c_uint]
    egl.eglChooseConfig.argtypes = [
        pointer, ctypes.POINTER(integer), ctypes.POINTER(pointer), integer, ctypes.POINTER(integer),
    ]  # fmt: skip
    if not egl.eglInitialize(display, None, None):
        return False
    wanted = (integer * 7)(_SURFACE_TYPE, _PBUFFER, _RENDERABLE_TYPE, _OPENGL_BIT, _DEPTH_SIZE, 8, _NONE)
    config, count = (pointer * 1)(), integer(0)
    works = bool(egl.eglBindAPI(_OPENGL_API)) and bool(
        egl.eglChooseConfig(display, wanted, config, 1, ctypes.byref(count))
    )
    egl.eglTerminate(display)
    return works and count.value > 0


def _has_osmesa() -> bool:
    """Return whether Mesa's off-screen library can be loaded."""
    for name in ("libOSMesa.so", "libOSMesa.so.8", "libOSMesa.so.6"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False
