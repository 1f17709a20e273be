"""The .gox format of Goxel, read only: layers of blocks of 16x16x16 cells, each a small PNG.

Source: guillaumechereau/goxel, the comment at the top of src/formats/gox.c. Materials of layers are left out,
as .vox and .qb leave them out too when Goxel writes those.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, UnidentifiedImageError

from voxgen.errors import FileError
from voxgen.files import boxes
from voxgen.scene import Scene

_SIDE = 16
_MOST_BLOCKS = 1 << 13  # kept, and placed over all layers
_MOST_KEYS = 100


def read(data: bytes, title: str) -> Scene:
    """Read a .gox file, versions 1 and 2: all visible layers, later ones over earlier ones, cropped.

    Raises FileError for anything damaged or empty, or more than 8192 blocks or 2^26 cells.
    """
    if data[:4] != b"GOX ":
        raise FileError("not a Goxel file: it does not begin with GOX", "save or download it again")
    try:
        return Scene(title, boxes.grid_of(list(_boxes(data))))
    except (struct.error, ValueError, IndexError, OSError, SyntaxError) as error:
        said = "a block is no picture" if isinstance(error, UnidentifiedImageError) else str(error)
        raise FileError(f"the .gox file is damaged: {said}", "save or download it again") from None


def _boxes(data: bytes) -> Iterator[boxes.Box]:
    """Yield every block of every visible layer in its place."""
    (version,) = struct.unpack_from("<i", data, 4)
    shift = 8 if version == 1 else 0
    blocks: list[boxes.Words] = []
    placed = 0
    for kind, body in _chunks(data):
        if kind == b"BL16":
            blocks.append(_block(body))
            if len(blocks) > _MOST_BLOCKS:
                raise FileError(f"it has more than {_MOST_BLOCKS:,} blocks", "save a part of it")
        elif kind == b"LAYR":
            (count,) = struct.unpack_from("<i", body)
            rows = np.frombuffer(body, "<i4", 5 * count, 4).reshape(-1, 5).tolist() if count > 0 else []
            placed += len(rows)
            if placed > _MOST_BLOCKS:
                raise FileError(f"its layers have more than {_MOST_BLOCKS:,} blocks", "save a part of it")
            if _traits(body, 4 + 20 * len(rows)).get(b"visible") != b"\0":
                for number, x, y, z, _ in rows:
                    if not 0 <= number < len(blocks):
                        raise ValueError(f"a layer has block {number:,} of {len(blocks):,}")
                    yield boxes.Box((x - shift, y - shift, z - shift), blocks[number])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<i", data, at + 4)
        if length < 0 or at + 8 + length > len(data):
            raise ValueError("a chunk is longer than the file")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 12 + length  # a checksum follows, which Goxel leaves 0


def _block(body: bytes) -> boxes.Words:
    """Return the cells of a block, (X, Y, Z): its 64x64 pixels run along x, then y, then z."""
    image = Image.open(io.BytesIO(body), formats=["PNG"])
    if image.size != (64, 64):
        raise ValueError("a block is no picture of 64x64 pixels")
    rgba = np.asarray(image.convert("RGBA")).reshape(_SIDE, _SIDE, _SIDE, 4)
    colors = np.ascontiguousarray(rgba).view("<u4")[..., 0].transpose(2, 1, 0)
    return np.where(colors >= 1 << 24, colors | np.uint32(0xFF000000), np.uint32(0))


def _traits(body: bytes, at: int) -> dict[bytes, bytes]:
    """Return what a layer says about itself."""
    found: dict[bytes, bytes] = {}
    while at + 4 <= len(body) and len(found) < _MOST_KEYS:
        words = []
        for _ in range(2):
            (length,) = struct.unpack_from("<i", body, at)
            if length < 0 or at + 4 + length > len(body):
                raise ValueError("a text is longer than its chunk")
            words.append(body[at + 4 : at + 4 + length])
            at += 4 + length
            if not words[0]:
                return found
        found[words[0]] = words[1]
    return found
