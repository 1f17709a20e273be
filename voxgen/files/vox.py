"""The .vox format of MagicaVoxel and Teardown: models, scene graph, palette, materials.

Source: ephtracy/voxel-model, MagicaVoxel-file-format-vox.txt and -vox-extension.txt. Colour index i is
entry i-1 of RGBA; z is up; of an animation the first frame is read.
"""

from __future__ import annotations

import itertools
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import FileError
from voxgen.files import palettes
from voxgen.files.space import check_size, times
from voxgen.scene import AIR, Color, Indices, Material, Scene, VoxelGrid

_BLOCK, _MAX_COLORS = 256, 255
_MAX_PLACED = 1 << 24  # voxels over all instances
_MAX_PACKED = 1 << 26  # cells over all packed models
_MAX_CHUNKS, _MAX_PARTS, _MAX_TEXT = 100_000, 20_000, 8 << 20  # parts of the scene graph; bytes of its chunks
_MAX_DEPTH, _MAX_KEYS, _MAX_SHIFT = 64, 1000, 1 << 24
_TEXTS = (b"MATL", b"MATT", b"LAYR", b"nTRN", b"nGRP", b"nSHP")
_SLICE = 1 << 20  # voxels handled at a time
_RAMP = (238, 221, 187, 170, 136, 119, 85, 68, 34, 17)

Bytes = NDArray[np.uint8]
Vector = tuple[int, int, int]
Traits = dict[str, str]


class _Model(NamedTuple):
    size: Vector
    voxels: Bytes  # (n, 4) x, y, z, colour index


class _Node(NamedTuple):
    kind: bytes
    children: tuple[int, ...]  # of a shape: its first model
    traits: Traits
    layer: int = -1
    frame: Traits = {}  # noqa: RUF012  a transform's first; never changed


class _Pose(NamedTuple):
    """World axis k is sign[k] times own axis[k], moved by shift[k]."""

    axis: Vector = (0, 1, 2)
    sign: Vector = (1, 1, 1)
    shift: Vector = (0, 0, 0)


@dataclass
class _Contents:
    models: list[_Model] = field(default_factory=list)
    nodes: dict[int, _Node] = field(default_factory=dict)
    layers: dict[int, Traits] = field(default_factory=dict)
    surfaces: dict[int, Traits] = field(default_factory=dict)
    colors: list[Color] | None = None  # colors[i] is colour index i


def read(data: bytes, title: str) -> Scene:
    """Read a .vox file, versions 150 and 200, as one grid cropped to what is visible.

    Raises FileError for anything damaged, empty, or larger than 2047 a side or 2^27 cells.
    """
    if data[:4] != b"VOX ":
        raise FileError(
            "not a MagicaVoxel file: it does not begin with VOX",
            "the .vox of SLAB6 and Voxlap is another format; open it in MagicaVoxel and save it there",
        )
    try:
        contents = _contents(data)
        indices = _flatten(contents)
    except (struct.error, ValueError, zlib.error, IndexError, RecursionError) as error:
        raise FileError(f"the .vox file is damaged: {error}", "save or download it again") from None
    return Scene(title, _with_palette(indices, contents))


def _contents(data: bytes) -> _Contents:
    """Read all chunks; those of MAIN simply follow it."""
    found, size, cells, solid, text = _Contents(), (0, 0, 0), 0, 0, 0
    for name, body in _chunks(data):
        if name == b"SIZE":
            size = struct.unpack_from("<3i", body)
        elif name == b"XYZI":
            found.models.append(_Model(size, _listed(body)))
        elif name == b"TDCZ":
            size = struct.unpack_from("<3i", body)
            cells += math.prod(size)
            if min(size) < 1 or max(size) > 256:
                raise FileError(f"a model declares {times(size)} voxels", "256 a side is the limit of .vox")
            dense = _unpacked(body, size) if cells <= _MAX_PACKED else np.zeros(0, np.uint8)
            solid += int(np.count_nonzero(dense))
            if cells > _MAX_PACKED or solid > _MAX_PLACED:
                raise FileError("the packed models hold more than 2^24 voxels or 2^26 cells", "save a part")
            found.models.append(_Model(size, _solid(dense)))
        elif name == b"RGBA":
            rows = np.frombuffer(body, np.uint8, 1024).reshape(256, 4).tolist()
            found.colors = [(0, 0, 0), *((r, g, b) for r, g, b, _ in rows[:255])]
        elif name in _TEXTS:
            text += len(body)
            if text > _MAX_TEXT:
                raise FileError("more than 8 MB of materials and scene graph", "save a part of the scene")
            _add_text(found, name, body)
    return found


def _add_text(found: _Contents, name: bytes, body: memoryview) -> None:
    if name in (b"MATL", b"MATT", b"LAYR"):
        _add_traits(found, name, body)
    else:
        found.nodes[struct.unpack_from("<i", body)[0]] = _node(name, body)


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, at, count = memoryview(data), 8, 0
    while at < len(data):
        name = data[at : at + 4]
        length, below = struct.unpack_from("<ii", data, at + 4)
        start, at = at + 12, at + 12 + length
        whole = at + below if name == b"MAIN" else at
        if length < 0 or below < 0 or whole > len(data):
            raise ValueError(f"chunk {ascii(name)[2:-1]} at byte {start - 12:,} is longer than the file")
        count += 1
        if count > _MAX_CHUNKS:
            raise ValueError(f"more than {_MAX_CHUNKS:,} chunks")
        yield name, view[start:at]
    if not count:
        raise ValueError("it ends after its first line")


def _listed(body: memoryview) -> Bytes:
    (count,) = struct.unpack_from("<i", body)
    if not 0 <= count <= (len(body) - 4) // 4:
        raise ValueError(f"a model declares {count:,} voxels and holds {(len(body) - 4) // 4:,}")
    return np.frombuffer(body, np.uint8, 4 * count, 4).reshape(count, 4)


def _unpacked(body: memoryview, size: Vector) -> Bytes:
    raw = zlib.decompressobj().decompress(body[12:], math.prod(size))
    if len(raw) < math.prod(size):
        raise ValueError(f"a packed model of {times(size)} voxels is cut short")
    return np.frombuffer(raw, np.uint8).reshape(size[::-1])


def _solid(dense: Bytes) -> Bytes:
    """Return the voxels of a (Z, Y, X) grid of colour indices as (n, 4) x, y, z, colour index."""
    rows, start = np.zeros((np.count_nonzero(dense), 4), np.uint8), 0
    for level, plane in enumerate(dense):
        where = np.flatnonzero(plane)
        part = rows[start : start + len(where)]
        part[:, 1], part[:, 0] = np.divmod(where, plane.shape[1])
        part[:, 2], part[:, 3] = level, plane.reshape(-1)[where]
        start += len(where)
    return rows


def _add_traits(found: _Contents, name: bytes, body: memoryview) -> None:
    if name == b"MATT":  # the material chunk before 0.99
        index, kind, weight = struct.unpack_from("<iif", body)
        kinds = ("_diffuse", "_metal", "_glass", "_emit")
        if 0 <= kind < len(kinds):
            found.surfaces.setdefault(index & 255, {"_type": kinds[kind], "_weight": str(weight)})
        return
    (index,) = struct.unpack_from("<i", body)
    traits, _ = _traits(body, 4)
    if name == b"MATL":
        found.surfaces[index & 255] = traits
    else:
        found.layers[index] = traits


def _node(kind: bytes, body: memoryview) -> _Node:
    traits, at = _traits(body, 4)
    if kind == b"nTRN":
        child, _, layer, frames = struct.unpack_from("<4i", body, at)
        frame = _traits(body, at + 16)[0] if frames > 0 else {}
        return _Node(kind, (child,), traits, layer, frame)
    (count,) = struct.unpack_from("<i", body, at)
    if not 0 <= count <= _MAX_PARTS:
        raise ValueError(f"a group declares {count:,} parts")
    if kind == b"nSHP":
        count = min(count, 1)  # the rest are later frames
    return _Node(kind, struct.unpack_from(f"<{count}i", body, at + 4), traits)


def _traits(body: memoryview, at: int) -> tuple[Traits, int]:
    """Return a DICT of strings and where it ends."""
    (count,) = struct.unpack_from("<i", body, at)
    if not 0 <= count <= _MAX_KEYS:
        raise ValueError(f"a dictionary declares {count:,} keys")
    at += 4
    words: list[str] = []
    for _ in range(2 * count):
        (length,) = struct.unpack_from("<i", body, at)
        at += 4 + length
        if length < 0 or at > len(body):
            raise ValueError("a text is longer than its chunk")
        words.append(str(body[at - length : at], "utf-8", "replace"))
    return dict(zip(words[::2], words[1::2], strict=True)), at


def _instances(found: _Contents) -> Iterator[tuple[_Model, _Pose]]:
    """Yield what is visible, in drawing order; without a scene graph that is the first model."""
    if not found.nodes:
        yield from ((model, _Pose()) for model in found.models[:1])
        return
    stack, pushed = [(min(found.nodes), _Pose(), 0)], 1
    while stack:
        key, pose, depth = stack.pop()
        node = found.nodes.get(key)
        if node is None or _hidden(node.traits) or _hidden(found.layers.get(node.layer, {})):
            continue
        if node.kind == b"nSHP":
            yield from ((found.models[i], pose) for i in node.children if 0 <= i < len(found.models))
            continue
        pushed += len(node.children)
        if depth >= _MAX_DEPTH or pushed > _MAX_PARTS:
            raise ValueError("its scene graph runs in a circle or is far too deep")
        below = _moved(pose, node.frame) if node.kind == b"nTRN" else pose
        stack += [(child, below, depth + 1) for child in reversed(node.children)]


def _hidden(traits: Traits) -> bool:
    return traits.get("_hidden") == "1"


def _moved(outer: _Pose, frame: Traits) -> _Pose:
    """Return the pose of a child whose own is `frame`: rotation byte _r and translation _t."""
    code = int(frame.get("_r", "4"))
    first, second = code & 3, code >> 2 & 3
    if first == second or 3 in (first, second):
        raise ValueError(f"{code} is no rotation")
    axis = (first, second, 3 - first - second)
    sign = tuple(-1 if code >> bit & 1 else 1 for bit in (4, 5, 6))
    shift = [int(word) for word in frame.get("_t", "0 0 0").split()]
    if len(shift) != 3 or max(map(abs, shift)) > _MAX_SHIFT:
        raise ValueError("a translation is no three numbers within reason")
    rows = tuple(zip(outer.axis, outer.sign, outer.shift, strict=True))
    a, b, c = (axis[k] for k, _, _ in rows)
    d, e, f = (s * sign[k] for k, s, _ in rows)
    x, y, z = (t + s * shift[k] for k, s, t in rows)
    return _Pose((a, b, c), (d, e, f), (x, y, z))


def _flatten(found: _Contents) -> Bytes:
    """Return the (X, Y, Z) grid of file colour indices, cropped; its size is checked before it is made."""
    boxes: dict[int, tuple[Bytes, Bytes, int] | None] = {}
    placed, low, high, total = [], [math.inf] * 3, [-math.inf] * 3, 0
    for model, pose in _instances(found):
        if id(model) not in boxes:
            boxes[id(model)] = _box(model)
        box = boxes[id(model)]
        if box is None:
            continue
        total += box[2]
        if total > _MAX_PLACED:
            raise FileError("the scene repeats its models to more than 2^24 voxels", "save a part of it")
        line = _line(model.size, pose)
        for k, (axis, sign, base) in enumerate(line):
            ends = sorted(sign * int(corner[axis]) + base for corner in box[:2])
            low[k], high[k] = min(low[k], ends[0]), max(high[k], ends[1])
        placed.append((model, line))
    if not placed:
        raise FileError("the .vox file shows no voxel", "are all its layers hidden?")
    x, y, z = (int(b - a) + 1 for a, b in zip(low, high, strict=True))
    check_size((x, y, z), "the scene")
    grid = np.zeros((x, y, z), np.uint8)
    for model, line in placed:
        _place(grid.reshape(-1), model, line, (y * z, z, 1), [int(v) for v in low])
    return grid


def _line(size: Vector, pose: _Pose) -> list[Vector]:
    """Return (axis, sign, base) for each world axis: voxel p stands at sign * p[axis] + base.

    This is floor(R (p + 1/2 - floor(size / 2)) + t) of the format, which for a mirrored axis is one less.
    """
    rows = zip(pose.axis, pose.sign, pose.shift, strict=True)
    return [(k, s, t - s * (size[k] // 2) - (s < 0)) for k, s, t in rows]


def _points(model: _Model) -> Iterator[Bytes]:
    """Yield the voxels of a model as (n, 4) x, y, z, colour index, some at a time; none lies outside."""
    sx, sy, sz = model.size
    for start in range(0, len(model.voxels), _SLICE):
        part = model.voxels[start : start + _SLICE]
        keep = (part[:, 0] < sx) & (part[:, 1] < sy) & (part[:, 2] < sz) & (part[:, 3] > 0)
        yield part if keep.all() else part[keep]


def _box(model: _Model) -> tuple[Bytes, Bytes, int] | None:
    """Return the low and high corner of a model's voxels and their number, or None if it has none."""
    low, high, count = np.full(3, 255, np.uint8), np.zeros(3, np.uint8), 0
    for part in _points(model):
        if len(part):
            columns = [part[:, k] for k in range(3)]
            low = np.minimum(low, np.array([c.min() for c in columns], np.uint8))
            high = np.maximum(high, np.array([c.max() for c in columns], np.uint8))
            count += len(part)
    return (low, high, count) if count else None


def _place(flat: Bytes, model: _Model, line: list[Vector], strides: Vector, low: list[int]) -> None:
    """Write a model into the grid; each of its axes is one stride of the flat grid."""
    for part in _points(model):
        where = np.zeros(len(part), np.int64)
        for (axis, sign, base), stride, corner in zip(line, strides, low, strict=True):
            where += part[:, axis].astype(np.int64) * (sign * stride) + (base - corner) * stride
        flat[where] = part[:, 3]


def _with_palette(indices: Bytes, found: _Contents) -> VoxelGrid:
    """Renumber a grid of file colour indices, in place, to the materials it uses."""
    colors, used = found.colors or _default_colors(), np.zeros(256, bool)
    for slab in indices:
        used |= np.bincount(slab.reshape(-1), minlength=256) > 0
    used[0] = True  # air
    numbers = (np.cumsum(used) - 1).astype(np.uint8)
    for slab in indices:
        slab[...] = numbers[slab]
    solid = np.flatnonzero(used)[1:].tolist()
    materials = (_material(i, colors[i], found.surfaces.get(i, {})) for i in solid)
    return VoxelGrid(indices, (AIR, *materials))


def _material(index: int, color: Color, traits: Traits) -> Material:
    """Return a palette entry; a surface without _type is diffuse, whatever else it holds."""
    kind = traits.get("_type", "_diffuse").lstrip("_")
    weight = _number(traits, "_weight", 1.0)
    opacity = glow = metal = 0.0
    if kind in ("glass", "blend", "media"):
        clear = _number(traits, "_trans", _number(traits, "_alpha", weight if kind == "glass" else 0.0))
        opacity = max(0.1, round(1 - min(clear, 1.0), 6))  # glass nobody sees is no glass
    if kind == "emit":
        shine = _number(traits, "_emit", weight) * (1 + _number(traits, "_flux", 0.0))
        glow = min(3.0, round(shine, 6))
    if kind in ("metal", "blend"):
        metal = min(1.0, _number(traits, "_metal", weight if kind == "metal" else 0.0))
    name = kind if kind in ("glass", "emit", "metal") else "color"
    return Material(f"{name} {index}", color, opacity or 1.0, glow, metal)


def _number(traits: Traits, key: str, default: float) -> float:
    """Return a number of at least 0, or the default for anything that is none."""
    try:
        value = float(traits[key])
    except (KeyError, ValueError):
        return default
    return max(value, 0.0) if math.isfinite(value) else default


def _default_colors() -> list[Color]:
    """Return MagicaVoxel's own palette: a colour cube without black, then red, green, blue, grey ramps."""
    steps = (255, 204, 153, 102, 51, 0)
    cube = [(r, g, b) for r in steps for g in steps for b in steps][:-1]
    ramps = [(v * (k == 0), v * (k == 1), v * (k == 2)) for k in range(3) for v in _RAMP]
    return [(0, 0, 0), *cube, *ramps, *((v, v, v) for v in _RAMP)]


# --------------------------------------------------------------------------- writing


def write(scene: Scene, tell: Callable[[str], None]) -> bytes:
    """Write a scene as .vox: models of at most 256 a side, placed by a scene graph on the ground.

    Over 255 materials are brought down to 255, which `tell` says.
    Version 150, which every reader of the format takes.
    """
    grid = palettes.distinct(scene.grid)
    given = len(grid.palette) - 1
    if given > _MAX_COLORS:
        grid = palettes.reduced(grid, _MAX_COLORS)
        tell(f".vox holds {_MAX_COLORS} materials: {given:,} were brought down to them")
    if any(m.glow > 0 and m.opacity < 1 for m in grid.palette[1:]):
        tell(".vox materials glow or let light through, not both: those that do both only glow")
    blocks = list(_blocks(grid.indices))
    if len(blocks) > 1:
        tell(f".vox models have {_BLOCK} voxels a side at most: the scene is {len(blocks)} models")
    models = b"".join(_written_model(block) for _, block in blocks)
    body = models + _written_graph(grid.size, blocks) + _written_palette(grid.palette)
    return b"VOX " + _ints(150) + _chunk(b"MAIN", b"", body)


def _blocks(indices: Indices) -> Iterator[tuple[Vector, Bytes]]:
    """Yield corner and cells of each block of the grid that holds a voxel; of an empty grid the first."""
    starts = [range(0, side, _BLOCK) for side in indices.shape]
    found = False
    for corner in itertools.product(*starts):
        block = indices[tuple(slice(c, c + _BLOCK) for c in corner)]
        if block.any():
            found = True
            yield (corner[0], corner[1], corner[2]), block.astype(np.uint8, copy=False)
    if not found:
        yield (0, 0, 0), np.zeros((1, 1, 1), np.uint8)


def _written_model(block: Bytes) -> bytes:
    """Write one model: its size and its voxels, plane by plane."""
    rows, start = np.zeros((np.count_nonzero(block), 4), np.uint8), 0
    for x, plane in enumerate(block):
        where = np.flatnonzero(plane)
        part = rows[start : start + len(where)]
        part[:, 0] = x
        part[:, 1], part[:, 2] = np.divmod(where, plane.shape[1])
        part[:, 3] = plane.reshape(-1)[where]
        start += len(where)
    return _chunk(b"SIZE", _ints(*block.shape)) + _chunk(b"XYZI", _ints(len(rows)) + rows.tobytes())


def _written_graph(size: Vector, blocks: list[tuple[Vector, Bytes]]) -> bytes:
    """Write root, group, and a transform and a shape for each model; the origin is amid the ground."""
    nodes = []
    for number, (corner, block) in enumerate(blocks):
        key = 2 + 2 * number
        x, y, z = (c + n // 2 for c, n in zip(corner, block.shape, strict=True))  # a model turns about this
        place = {"_t": f"{x - size[0] // 2} {y - size[1] // 2} {z}"}
        nodes.append(
            _chunk(b"nTRN", _ints(key) + _words({}) + _ints(key + 1, -1, 0, 1) + _words(place))
            + _chunk(b"nSHP", _ints(key + 1) + _words({}) + _ints(1, number) + _words({}))
        )
    root = _chunk(b"nTRN", _ints(0) + _words({}) + _ints(1, -1, -1, 1) + _words({}))
    children = range(2, 2 + 2 * len(blocks), 2)
    group = _chunk(b"nGRP", _ints(1) + _words({}) + _ints(len(children), *children))
    layer = _chunk(b"LAYR", _ints(0) + _words({"_name": "voxgen"}) + _ints(-1))
    return root + group + b"".join(nodes) + layer


def _written_palette(palette: tuple[Material, ...]) -> bytes:
    """Write the colours, and the surface of each material that is not plain."""
    rows = np.zeros((256, 4), np.uint8)
    rows[:, 3] = 255
    rows[: len(palette) - 1, :3] = np.array([m.color for m in palette[1:]], np.uint8).reshape(-1, 3)
    surfaces = ((index, _surface(m)) for index, m in enumerate(palette) if index)
    return _chunk(b"RGBA", rows.tobytes()) + b"".join(
        _chunk(b"MATL", _ints(index) + _words(traits)) for index, traits in surfaces if traits
    )


def _surface(material: Material) -> Traits:
    """Return the traits of MATL; {} for a plain, solid material."""
    clear = dict.fromkeys(("_trans", "_alpha"), f"{1 - material.opacity:.6g}")  # the second before 0.99.7
    if material.glow > 0:
        flux = max(0, math.ceil(material.glow) - 1)  # _emit ends at 1, _flux is a power above it
        return {"_type": "_emit", "_emit": f"{material.glow / (1 + flux):.9g}", "_flux": str(flux)}
    if material.opacity < 1 and material.metal > 0:
        return {"_type": "_blend", "_metal": f"{material.metal:.6g}", "_rough": "0.1", "_ior": "0.3", **clear}
    if material.opacity < 1:
        return {"_type": "_glass", "_rough": "0.1", "_ior": "0.3", **clear}
    if material.metal > 0:
        return {"_type": "_metal", "_metal": f"{material.metal:.6g}", "_rough": "0.2"}
    return {}


def _chunk(name: bytes, body: bytes, below: bytes = b"") -> bytes:
    return b"".join((name, _ints(len(body), len(below)), body, below))


def _ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def _words(traits: Traits) -> bytes:
    words = [word.encode() for pair in traits.items() for word in pair]
    return _ints(len(traits)) + b"".join(_ints(len(word)) + word for word in words)
