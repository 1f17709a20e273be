"""One sentence in, a beautiful voxel scene out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxgen.errors import FileError, ModelError, RenderError, ReplyError, UsageError, VoxgenError
    from voxgen.files import load, save
    from voxgen.files.html import show
    from voxgen.film import animate
    from voxgen.language.builder import build
    from voxgen.language.reader import read
    from voxgen.maker import edit, make
    from voxgen.picture.renderer import draw as render
    from voxgen.picture.window import to_pyvista
    from voxgen.scene import Light, Material, Repair, Scene, View, VoxelGrid

__version__ = "0.1.0"

# Public name → where it lives; looked up on first use, so that `import voxgen` costs nothing.
_HOMES = {
    "FileError": "voxgen.errors",
    "Light": "voxgen.scene",
    "Material": "voxgen.scene",
    "ModelError": "voxgen.errors",
    "RenderError": "voxgen.errors",
    "Repair": "voxgen.scene",
    "ReplyError": "voxgen.errors",
    "Scene": "voxgen.scene",
    "UsageError": "voxgen.errors",
    "View": "voxgen.scene",
    "VoxelGrid": "voxgen.scene",
    "VoxgenError": "voxgen.errors",
    "animate": "voxgen.film",
    "build": "voxgen.language.builder",
    "edit": "voxgen.maker",
    "load": "voxgen.files",
    "make": "voxgen.maker",
    "read": "voxgen.language.reader",
    "render": "voxgen.picture.renderer:draw",
    "save": "voxgen.files",
    "show": "voxgen.files.html",
    "to_pyvista": "voxgen.picture.window",
}

__all__ = [
    "FileError",
    "Light",
    "Material",
    "ModelError",
    "RenderError",
    "Repair",
    "ReplyError",
    "Scene",
    "UsageError",
    "View",
    "VoxelGrid",
    "VoxgenError",
    "animate",
    "build",
    "edit",
    "load",
    "make",
    "read",
    "render",
    "save",
    "show",
    "to_pyvista",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'voxgen' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
