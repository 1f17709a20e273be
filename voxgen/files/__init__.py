"""load() and save(): one module per format, chosen by extension."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxgen.errors import FileError, UsageError
from voxgen.scene import Scene

if TYPE_CHECKING:
    from voxgen.language.limits import Limits

MAX_FILE = 256 << 20  # bytes read of any file

Tell = Callable[[str], None]
Reader = Callable[[bytes, str], Scene]


def _later(module: str, name: str) -> Callable[..., Any]:
    """Return a function of a format's module, which is imported when it is called."""

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(import_module(f"voxgen.files.{module}"), name)(*arguments, **options)

    return call


READERS: Mapping[str, Reader] = {
    **{f".{name}": _later(name, "read") for name in ("binvox", "gox", "npz", "qb", "vox")},
    **dict.fromkeys(
        (".litematic", ".mcstructure", ".nbt", ".schem", ".schematic"), _later("minecraft", "read")
    ),
}
MAGIC: Mapping[bytes, Reader] = {
    b"PK\x03\x04": READERS[".npz"],
    b"VOX ": READERS[".vox"],
    b"GOX ": READERS[".gox"],
    b"#binvox": READERS[".binvox"],
}
# a scene and who is told what a format cannot keep, to the bytes of the file, or of several by their names
WRITERS: Mapping[str, Callable[..., bytes | dict[str, bytes]]] = {
    **{
        f".{name}": _later(name, "write")
        for name in ("binvox", "glb", "litematic", "obj", "ply", "qb", "schem", "stl", "usdz", "vox")
    },
    ".html": lambda scene, tell: _later("html", "write")(scene),
    ".json": lambda scene, tell: _later("text", "write")(scene),
    ".nbt": _later("structure", "write"),
    ".npz": lambda scene, tell: _later("npz", "write")(scene),
    ".png": lambda scene, tell: _later("png", "draw")(scene),
}
# an option of a format: the extension, and the values it takes
OPTIONS: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    "schem_version": (".schem", (2, 3)),
    "manifold": (".stl", (False, True)),
    "quantize": (".glb", (False, True)),
}
_VOXELS = "open it in the program it is from and save it as .vox or .qb"
_MESHES = "it is written only; load the scene it was made from"
_UNREAD: Mapping[str, tuple[str, str]] = {
    ".html": ("a page", _MESHES),
    ".png": ("a picture", _MESHES),
    ".qbcl": ("a Qubicle project", "open it in Qubicle and export it as .qb"),
    ".qbt": ("a Qubicle tree", "open it in Qubicle and export it as .qb"),
    ".qef": ("a Qubicle exchange file", "open it in Qubicle and export it as .qb"),
    **dict.fromkeys((".kv6", ".kvx", ".vxl", ".cub", ".csm", ".vxm"), ("a voxel file of a kind", _VOXELS)),
    **dict.fromkeys((".glb", ".gltf", ".obj", ".ply", ".stl", ".usdz", ".fbx"), ("a mesh", _MESHES)),
}


def load(path: str | Path, *, limits: Limits | None = None) -> Scene:
    """Read a scene: a saved scene, a raw reply, a foreign build (also gzipped), or any of READERS.

    The extension only matters for binary formats; everything else is read as text, within `limits`.
    Raises FileError if the file cannot be read, ReplyError if nothing in it can be drawn.
    """
    path = Path(path)
    data, ending = read_bytes(path), path.suffix.lower()
    if ending in READERS and not data:
        raise FileError(f"{path} is empty", "save it again")
    if ending in READERS:
        return READERS[ending](data, _title(path))
    if ending in _UNREAD:
        kind, hint = _UNREAD[ending]
        raise FileError(f"{path} is {kind}, which is not read", hint)
    return read(data, _title(path), limits)


def read(data: bytes, title: str, limits: Limits | None = None) -> Scene:
    """Read a scene of which only the bytes are known: binary formats by their first bytes, else text."""
    for magic, reader in MAGIC.items():
        if data.startswith(magic):
            return reader(data, title)
    from voxgen.files import nbt, text

    if nbt.begins(data):
        return READERS[".nbt"](data, title)
    return text.read(data, title, limits)


def save(scene: Scene, path: str | Path, *, tell: Tell | None = None, **options: int) -> Path:
    """Write a scene in the format its extension names and return the path.

    `tell` is called with a sentence for all that the format cannot keep. options: schem_version=2 or 3 of
    .schem; manifold=True of .stl, every edge shared by two triangles; quantize=False of .glb, floats only.
    Raises FileError for an unknown extension and when the file cannot be written, UsageError for an option
    of another format.
    """
    path = Path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        kind = f"the extension {path.suffix!r} is unknown" if path.suffix else "the name has no extension"
        raise FileError(f"{path}: {kind}", f"known are {', '.join(sorted(WRITERS))}")
    check_options(options, [path])
    named = path.suffix.lower() == ".obj"  # its files name each other
    own: dict[str, Any] = {"stem": path.stem} if named else {}
    written = writer(scene, tell or (lambda sentence: None), **options, **own)
    files = {path.name: written} if isinstance(written, bytes) else written
    for name, data in reversed(files.items()):  # what belongs beside it first
        write_bytes(path.with_name(name), data)
    return path


def check_options(options: Mapping[str, int], paths: list[Path]) -> None:
    """Refuse an option that none of the paths takes, or a value that it does not; raises UsageError."""
    for name, value in options.items():
        ending, values = OPTIONS.get(name, ("", ()))
        if not ending:
            raise UsageError(f"no format has an option {name}", f"there are {', '.join(OPTIONS)}")
        if ending not in (path.suffix.lower() for path in paths):
            raise UsageError(f"{name.replace('_', ' ')} is an option of {ending}", "leave it out")
        if value not in values:
            known = " or ".join(map(str, values))
            raise UsageError(f"{name.replace('_', ' ')} is {known}, not {value}", "choose one of them")


def read_bytes(path: Path) -> bytes:
    """Read a whole file of at most 256 MB; raises FileError."""
    try:
        if path.is_dir():
            raise FileError(f"{path} is a folder", "name a file in it")
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise FileError(
            f"{path} cannot be read: {reason(error)}", "check the name and its permissions"
        ) from None
    if len(data) > MAX_FILE:
        raise FileError(f"{path} has more than {MAX_FILE >> 20} MB", "that is beyond any scene")
    return data


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file, beside its place first, so that no half-written file is ever found there."""
    path = path.resolve() if path.is_symlink() else path  # what a link names is written, the link stays
    draft = path.with_name(f".{path.name}.part")
    try:
        if path.is_dir():
            raise FileError(f"{path} is a folder", "name a file in it")
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise FileError(f"{path} cannot be written: {reason(error)}", "choose another place") from None


def reason(error: OSError) -> str:
    """Return what the system says, without the number and the path."""
    return (error.strerror or type(error).__name__).lower()


def _title(path: Path) -> str:
    stem: Any = path.name.split(".")[0].replace("-", " ").replace("_", " ").strip()
    return str(stem[:1].upper() + stem[1:])


def free_path(path: Path) -> Path:
    """Return the path, or the first of name-2, name-3 … that is not taken."""
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_name(f"{path.stem}-{n}{path.suffix}")
    return candidate
