"""load() and save(): one module per format, chosen by extension."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voxgen.errors import FileError
from voxgen.files import html, npz, text, vox
from voxgen.language.builder import Limits
from voxgen.scene import Scene

MAX_FILE = 256 << 20  # bytes read of any file

READERS: Mapping[str, Callable[[bytes, str], Scene]] = {".npz": npz.read, ".vox": vox.read}
MAGIC: Mapping[bytes, Callable[[bytes, str], Scene]] = {b"PK\x03\x04": npz.read, b"VOX ": vox.read}
WRITERS: Mapping[str, Callable[[Scene], bytes]] = {
    ".html": html.write,
    ".json": text.write,
    ".npz": npz.write,
}


def load(path: str | Path, *, limits: Limits | None = None) -> Scene:
    """Read a scene: a saved scene, a raw reply, a foreign build (also gzipped), or an .npz archive.

    The extension only matters for binary formats; everything else is read as text, within `limits`.
    Raises FileError if the file cannot be read, ReplyError if nothing in it can be drawn.
    """
    path = Path(path)
    data = read_bytes(path)
    reader = READERS.get(path.suffix.lower())
    return reader(data, _title(path)) if reader else text.read(data, _title(path), limits)


def read(data: bytes, title: str, limits: Limits | None = None) -> Scene:
    """Read a scene of which only the bytes are known: binary formats by their first bytes, else text."""
    for magic, reader in MAGIC.items():
        if data.startswith(magic):
            return reader(data, title)
    return text.read(data, title, limits)


def save(scene: Scene, path: str | Path) -> Path:
    """Write a scene in the format its extension names and return the path.

    Raises FileError for an unknown extension and when the file cannot be written.
    """
    path = Path(path)
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        kind = f"the extension {path.suffix!r} is unknown" if path.suffix else "the name has no extension"
        raise FileError(f"{path}: {kind}", f"known are {', '.join(sorted(WRITERS))}")
    write_bytes(path, writer(scene))
    return path


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
    draft = path.with_name(f".{path.name}.part")
    try:
        if path.is_dir():
            raise FileError(f"{path} is a folder", "name a file in it")
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise FileError(
            f"{path} cannot be written: {reason(error)}", "choose another place with -o"
        ) from None


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
