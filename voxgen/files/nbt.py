"""NBT, the tree of named tags that Minecraft keeps everything in, read and written.

Source: minecraft.wiki, "NBT format". A tree is dict, list, str, int, float and numpy arrays (the tags byte,
int and long array, and lists of numbers). Written widths are those of numpy: np.int16(1) is a short.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import Any

import numpy as np

from voxgen.errors import FileError

_GZIP = b"\x1f\x8b"
_END, _STRING, _LIST, _COMPOUND = 0, 8, 9, 10
_NUMBERS = {1: "b", 2: "h", 3: "i", 4: "q", 5: "f", 6: "d"}
_ARRAYS = {7: "i1", 11: "i4", 12: "i8"}
_TAGS = {"int8": 1, "int16": 2, "int32": 3, "int64": 4, "float32": 5, "float64": 6}
_ARRAY_TAGS = {"int8": 7, "int32": 11, "int64": 12}

_MOST_BYTES = (1 << 27) + (1 << 24)  # unpacked; the largest grid takes 2^27
_MOST_TAGS, _DEEPEST = 1_500_000, 100
# what a grid has no use for: walked over, never kept (a storehouse has a million items)
_IGNORED = {"BlockEntities", "TileEntities", "Entities", "entities", "PendingBlockTicks", "PendingFluidTicks"}
_PIECE = 1 << 20  # bytes read at a time


def read(data: bytes, kind: str) -> dict[str, Any]:
    """Read a tree, gzipped or plain, of Java or Bedrock (little-endian); its root's name is dropped.

    Raises FileError, naming the file `kind`, for anything damaged, deeper than 100 tags, or larger than
    1.5 million tags or 144 MB unpacked. An array is refused by its length before memory is taken.
    """
    try:
        stream: Any = gzip.GzipFile(fileobj=io.BytesIO(data)) if data.startswith(_GZIP) else io.BytesIO(data)
        order = "<" if data[:3] == b"\n\0\0" and data[5:6] == b"\0" else ">"  # of the first name's length
        tree = _Reader(stream, order).root()
        stream.read(1)  # of a gzip file the end, where its checksum is looked at
    except (EOFError, OSError, zlib.error, struct.error, ValueError, KeyError) as error:
        said = str(error) or "it ends in the middle"
        raise FileError(f"the {kind} file is damaged: {said}", "save or download it again") from None
    except _TooLargeError as error:
        raise FileError(f"the {kind} file {error}", "save a smaller part of it") from None
    return tree


def begins(data: bytes) -> bool:
    """Tell whether bytes begin like a tree, gzipped or plain: with a compound of a short name and a tag."""
    if data.startswith(_GZIP):
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, 64)
        except zlib.error:
            return False
    return len(data) > 3 and data[0] == _COMPOUND and 0 in (data[1], data[2]) and max(data[1:3]) < 64


class _TooLargeError(Exception):
    """A file that asks for more than it may."""


class _Reader:
    """Reads tag after tag from a stream, and counts."""

    def __init__(self, stream: Any, order: str) -> None:
        self.stream, self.order = stream, order
        self.bytes = self.tags = 0
        self.formats = {tag: struct.Struct(order + letter) for tag, letter in _NUMBERS.items()}
        self.length = struct.Struct(order + "H")

    def root(self) -> dict[str, Any]:
        if self.take(1) != b"\n":
            raise ValueError("it begins with no compound")
        self.text()
        return self.compound(0, True)

    def take(self, count: int) -> bytes:
        self.bytes += count
        data: bytes = self.stream.read(count)
        if len(data) < count:
            raise ValueError("it ends in the middle")
        return data

    def text(self) -> str:
        (length,) = self.length.unpack(self.take(2))
        return self.take(length).decode("utf-8", "replace")

    def array(self, kind: str) -> Any:
        """Read a count and that many numbers, in pieces, so that only what is there takes memory."""
        (count,) = self.formats[3].unpack(self.take(4))
        dtype = np.dtype(self.order + kind)
        size = count * dtype.itemsize
        if count < 0:
            raise ValueError(f"an array of {count:,} numbers")
        if self.bytes + size > _MOST_BYTES:
            raise _TooLargeError(f"holds an array of {count:,} numbers where 2^27 is the limit")
        self.bytes += size
        raw = np.zeros(size, np.uint8)
        for start in range(0, size, _PIECE):
            piece = self.stream.read(min(_PIECE, size - start))
            if len(piece) < min(_PIECE, size - start):
                raise ValueError("it ends in the middle")
            raw[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        return raw.view(dtype)

    def value(self, tag: int, depth: int, keep: bool) -> Any:
        self.tags += 1
        if self.tags > _MOST_TAGS or self.bytes > _MOST_BYTES:
            raise _TooLargeError(f"holds more than {_MOST_TAGS:,} tags or {_MOST_BYTES >> 20} MB")
        if depth > _DEEPEST:
            raise _TooLargeError(f"nests more than {_DEEPEST} tags deep")
        if tag in self.formats:
            one = self.formats[tag]
            return one.unpack(self.take(one.size))[0]
        if tag in _ARRAYS:
            return self.array(_ARRAYS[tag])
        if tag == _STRING:
            return self.text()
        if tag == _LIST:
            return self.items(depth, keep)
        if tag == _COMPOUND:
            return self.compound(depth, keep)
        raise ValueError(f"{tag} is no tag")

    def items(self, depth: int, keep: bool) -> Any:
        tag = self.take(1)[0]
        if tag in _NUMBERS:
            return self.array(np.dtype(_NUMBERS[tag]).str[1:])
        (count,) = self.formats[3].unpack(self.take(4))
        if count > 0 and tag == _END:
            raise ValueError(f"a list of {count:,} ends")
        found = []
        for _ in range(count):
            value = self.value(tag, depth + 1, keep)
            if keep:
                found.append(value)
        return found

    def compound(self, depth: int, keep: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while tag := self.take(1)[0]:
            name = self.text()
            kept = keep and name not in _IGNORED
            value = self.value(tag, depth + 1, kept)
            if kept:
                found[name] = value
        return found


# --------------------------------------------------------------------------- writing


def write(tree: dict[str, Any], name: str = "") -> bytes:
    """Write a tree gzipped, without a time stamp: the same tree gives the same bytes."""
    return packed(plain(tree, name))


def packed(data: bytes) -> bytes:
    """Return bytes gzipped without a time stamp."""
    return gzip.compress(data, 6, mtime=0)


def plain(tree: dict[str, Any], name: str = "") -> bytes:
    """Write a tree big-endian and unpacked."""
    out = [b"\n", _text(name)]
    _write(tree, out)
    return b"".join(out)


def _tag(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return _ARRAY_TAGS[value.dtype.name]
    if isinstance(value, np.generic):
        return _TAGS[value.dtype.name]
    return {int: 3, float: 6, str: _STRING, list: _LIST, dict: _COMPOUND}[type(value)]


def _write(value: Any, out: list[bytes]) -> None:
    """Append a value without its tag and name."""
    tag = _tag(value)
    if tag in _NUMBERS:
        out.append(struct.pack(">" + _NUMBERS[tag], value))
    elif tag in _ARRAYS:
        out += [struct.pack(">i", len(value)), value.astype(">" + _ARRAYS[tag]).tobytes()]
    elif tag == _STRING:
        out.append(_text(value))
    elif tag == _LIST:
        out.append(struct.pack(">bi", _tag(value[0]) if value else _END, len(value)))
        for item in value:
            _write(item, out)
    else:
        for name, item in value.items():
            out += [bytes([_tag(item)]), _text(name)]
            _write(item, out)
        out.append(b"\0")


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:65_535]
    return struct.pack(">H", len(data)) + data
