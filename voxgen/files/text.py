"""Scenes as text: JSON in the scene language, replies, foreign builds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np

from voxgen.errors import FileError, ReplyError
from voxgen.language import document as documents
from voxgen.language.blocks import is_air
from voxgen.language.limits import Limits
from voxgen.language.palette import hex_of
from voxgen.language.reader import read as read_text
from voxgen.picture.sky import PRESETS
from voxgen.scene import Light, Material, Scene, View

MAX_TEXT = 64 << 20  # bytes, after unpacking
_GZIP = b"\x1f\x8b"
_WIDTH = 110  # characters a line may take before its items get lines of their own
# One letter a material in "layers", where digits, dots, stars and slashes mean something else.
_LETTERS = [chr(c) for c in (*range(65, 91), *range(97, 123), *range(0xC0, 0x180)) if chr(c).isalpha()]


def read(data: bytes, title: str, limits: Limits | None = None) -> Scene:
    """Read text, gzipped or plain, of any kind `language.reader.read` knows."""
    return read_text(_unpacked(data), title=title, limits=limits)


def write(scene: Scene) -> bytes:
    """Write a scene as JSON that builds the same grid again, its origin included.

    Its document stands as it came, but for a title, light or view that were changed since.
    """
    document = _document(scene) or document_of(scene)
    if scene.origin:
        document["origin"] = scene.origin
    return (dumps(document) + "\n").encode(errors="replace")


def _document(scene: Scene) -> dict[str, Any]:
    """Return the scene's document with title, light and view as they are now; {} where it has none."""
    if not scene.document:
        return {}
    try:
        said, _ = documents.mend(scene.document)
    except ReplyError:
        return {}
    now: dict[str, Any] = {}
    if scene.title != str(said.get("title") or "Untitled"):
        now["title"] = scene.title
    if scene.light != documents.read_light(said.get("light")):
        now["light"] = _light(scene.light)
    if scene.view != documents.read_view(said.get("view")):
        now["view"] = _view(scene.view)
    return {**now, **said, **now} if now else {**scene.document}


def dumps(document: dict[str, Any]) -> str:
    """Write JSON a person can read: what fits on a line stands on one line.

    >>> print(dumps({"size": [2, 2, 2], "build": []}))
    {
    "size": [2, 2, 2],
    "build": []
    }
    """
    return "\n".join(_lines(document, ""))


def document_of(scene: Scene) -> dict[str, Any]:
    """Return a document that builds a grid that never had one: its cells as text slices."""
    names = _names(scene.grid.palette)
    palette = {name: _entry(m) for name, m in zip(names[1:], scene.grid.palette[1:], strict=True)}
    steps = []
    for first in range(1, len(names), len(_LETTERS)):
        wanted = range(first, min(first + len(_LETTERS), len(names)))
        letters = np.full(len(names), ".", dtype="<U1")
        for letter, index in zip(_LETTERS, wanted, strict=False):
            letters[index] = letter
        layers = ["/".join(_rows(letters[layer])) for layer in np.moveaxis(scene.grid.indices, 2, 0)]
        key = {str(letters[index]): names[index] for index in wanted}
        steps.append({"layers": layers, "at": [0, 0, 0], "key": key})
    look = {"light": _light(scene.light)} if scene.light != Light() else {}
    look |= {"view": _view(scene.view)} if scene.view != View() else {}
    size = list(scene.grid.size)
    return {"title": scene.title, "size": size, **look, "palette": palette, "build": steps}


def _names(palette: tuple[Material, ...]) -> list[str]:
    """Return a name for each material: two may share one, keys may not, and none may mean air."""
    names: dict[str, None] = {"air": None}
    for index, material in enumerate(palette[1:], 1):
        name = f"material {index}" if is_air(material.name) else material.name
        while name in names:
            name = f"{name} {index}"
        names[name] = None
    return list(names)


def _light(light: Light) -> Any:
    """Write a light: its preset's name, or an object with what is changed of it."""
    preset = PRESETS[light.name]  # the language has both colours of the sky or none
    sky = [hex_of(light.horizon or preset.horizon), hex_of(light.zenith or preset.zenith)]
    sun = {key: getattr(light, key) for key in ("azimuth", "elevation", "strength")}
    sun["color"] = hex_of(light.color) if light.color else None
    sun = {key: value for key, value in sun.items() if value is not None}
    changed: dict[str, Any] = {"sky": sky} if light.horizon or light.zenith else {}
    changed |= {"sun": sun} if sun else {}
    return {"preset": light.name, **changed} if changed else light.name


def _view(view: View) -> dict[str, float]:
    angles = {"azimuth": view.azimuth, "elevation": view.elevation}
    fields = {key: value for key, value in angles.items() if value is not None}
    return fields if view.zoom == 1 else {**fields, "zoom": view.zoom}


def _rows(layer: Any) -> Iterator[str]:
    """Yield the rows of one (X, Y) layer of letters, back row first, runs written as "a*10"."""
    for row in layer.T[::-1]:
        runs = [(letter, len(list(run))) for letter, run in groupby(row.tolist())]
        yield "".join(f"{letter}*{n}" if n > 3 else letter * n for letter, n in runs)


def _entry(material: Material) -> Any:
    color = hex_of(material.color)
    extra = {
        name: float(value)
        for name, value, usual in (
            ("opacity", material.opacity, 1.0),
            ("glow", material.glow, 0.0),
            ("metal", material.metal, 0.0),
        )
        if value != usual
    }
    return {"color": color, **extra} if extra else color


def _lines(value: Any, tail: str) -> Iterator[str]:
    whole = json.dumps(value, ensure_ascii=False)
    is_document = isinstance(value, dict) and "build" in value and "size" in value
    if not isinstance(value, (dict, list)) or (len(whole) <= _WIDTH and not is_document):
        yield whole + tail
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield opening
    items = list(value.items()) if isinstance(value, dict) else [(None, item) for item in value]
    for i, (key, item) in enumerate(items):
        head = "" if key is None else json.dumps(key, ensure_ascii=False) + ": "
        for line in _lines(item, "," if i < len(items) - 1 else ""):
            yield head + line
            head = ""
    yield closing + tail


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    try:
        unpack = zlib.decompressobj(wbits=31)
        text = unpack.decompress(data, MAX_TEXT + 1)
    except zlib.error:
        text = b""
    if not text:  # a file that was cut still gives what it can
        raise FileError("the gzip file is damaged or empty", "unpack it by hand and try what is left")
    if len(text) > MAX_TEXT:
        raise FileError(f"the file unpacks to more than {MAX_TEXT >> 20} MB", "that is beyond any scene")
    return text
