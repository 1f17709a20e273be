"""Colours and materials: any spelling → sRGB, palette entries → Material, unknown names → a guess."""

from __future__ import annotations

import colorsys
import math
import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.language.blocks import block_material, is_block
from voxgen.scene import Color, Material

__all__ = [
    "fold",
    "guess_material",
    "hex_of",
    "is_css_name",
    "nearest",
    "read_channels",
    "read_color",
    "read_material",
]

# Colour words beyond CSS, as people and models use them.
MANY = 1000  # colours that are worth reading all at once

_WORDS = {
    "amber": "#ffbf00", "apricot": "#fbceb1", "auburn": "#922724", "blond": "#e6cf8b", "blonde": "#e6cf8b",
    "burgundy": "#800020", "caramel": "#c68e4e", "charcoal": "#36454f", "cobalt": "#0047ab",
    "cream": "#fff1d0", "ebony": "#3a302a", "ginger": "#b06500", "graphite": "#41424c", "jade": "#00a86b",
    "lemon": "#fde74c", "lilac": "#c8a2c8", "mahogany": "#6b2f1d", "mauve": "#c9a0dc", "mint": "#98e2b7",
    "mocha": "#7b5544", "mustard": "#d9a520", "ochre": "#cc7722", "peach": "#ffcba4",
    "periwinkle": "#b4b4ff", "rose": "#e8547c", "ruby": "#c21e46", "rust": "#b0431e", "sapphire": "#1f4fb0",
    "scarlet": "#e0301e", "taupe": "#8a7d72", "umber": "#635147", "vanilla": "#f3e5ab",
    "vermilion": "#e34234",
}  # fmt: skip
# Things that are not in Minecraft under that name, for names that hold them.
_THINGS = {
    "ash": "#b2beb5", "bark": "#6b4a30", "brass": "#b5a642", "brick": "#a5523f", "bronze": "#a97142",
    "cherry": "#d2042d", "cinnamon": "#b1632f", "clay": "#b66a50", "cloth": "#d8cfc0", "copper": "#b87333",
    "dirt": "#79553a", "earth": "#6a4830", "fire": "#f08a24", "flesh": "#e8b796", "foam": "#e6f4f6",
    "foliage": "#4c8a35", "fur": "#9a6f45", "glass": "#c4e2ea", "grape": "#6f2da8", "grass": "#69a443",
    "ground": "#79603f", "hair": "#5a3b22", "honey": "#eba937", "ice": "#b9def2", "iron": "#7d8288",
    "lamp": "#ffdc8c", "leaf": "#4c8a35", "leather": "#8a5a32", "leaves": "#4c8a35", "metal": "#9aa1a8",
    "moss": "#6b7f3a", "mud": "#5b4632", "night": "#1c2440", "pearl": "#eae0c8", "petal": "#f2a7c3",
    "pine": "#23582f", "rock": "#7d7d78", "roof": "#a14a36", "sand": "#dcc692", "shadow": "#3a3a40",
    "skin": "#e8b796", "sky": "#8fc6ea", "smoke": "#9a9a9a", "soil": "#6a4830", "steel": "#8b98a5",
    "stone": "#8b8d89", "straw": "#dcc56b", "thatch": "#b99a55", "tile": "#a85a42", "trunk": "#6b4a30",
    "wall": "#cfc6b4", "water": "#3f8fc4", "wine": "#722f37", "wood": "#9a6c3c",
}  # fmt: skip
_SHADES = {  # word: (towards black below 0 or white above, change of saturation)
    "dark": (-0.4, 0.0), "darker": (-0.5, 0.0), "deep": (-0.35, 0.1), "dim": (-0.35, -0.1),
    "light": (0.4, 0.0), "lighter": (0.5, 0.0), "pale": (0.55, -0.1), "pastel": (0.5, -0.1),
    "soft": (0.25, -0.1), "bright": (0.1, 0.3), "vivid": (0.0, 0.4), "hot": (0.0, 0.3), "neon": (0.1, 0.5),
    "medium": (0.0, 0.0), "mid": (0.0, 0.0), "very": (0.0, 0.0), "dull": (-0.1, -0.4), "muted": (0.05, -0.4),
    "dusty": (0.1, -0.4), "faded": (0.2, -0.4), "weathered": (0.05, -0.4), "dirty": (-0.2, -0.3),
    "warm": (0.0, 0.1), "cool": (0.0, -0.1),
}  # fmt: skip
# English words that happen to be six hex digits
_NOT_HEX = {"facade", "decade", "accede", "efface", "deface", "beaded"}
_HEX_INSIDE = re.compile(r"(?<!\w)#([0-9a-f]{6})(?!\w)")
_HEX = re.compile(r"(#|0x|&h|\$)?([0-9a-f]{3,8})")
_CALL = re.compile(r"(rgb|hsl)a?\s*\(?([^()]*)\)?")
_LISTED = re.compile(r"[\[(]?([\d.]+(?:\s*[,;]\s*[\d.]+){2,3})[\])]?")
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)\s*(%|deg|°)?")


def fold(name: str) -> str:
    """Return a name without case, blanks and punctuation: "Dark_Green" and "dark green" are one."""
    return _folded(name[:200])


@lru_cache(maxsize=8192)
def _folded(name: str) -> str:
    return re.sub(r"[^0-9a-z#]+", "", name.lower())


def hex_of(color: Color) -> str:
    """Return "#rrggbb" of an sRGB colour."""
    return "#{:02x}{:02x}{:02x}".format(*color)


# --------------------------------------------------------------------------- colours


def read_color(value: Any) -> tuple[Color, float] | None:
    """Return the sRGB colour (0..255 each) and opacity (0..1) that any usual spelling means, or None.

    Hex with 3, 4, 6 or 8 digits, with or without # or 0x; integers 0xRRGGBB; rgb(), rgba(), hsl(), hsla();
    CSS names (css-color-4); words such as "dark green"; lists of 3 or 4 numbers 0..255 or 0..1; objects with
    r, g, b or color.
    """
    if isinstance(value, str):
        return _text_color(value) if len(value) <= 100 else None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return _whole_color(value)
    if isinstance(value, (list, tuple)):
        return read_channels(value)
    return _object_color(value) if isinstance(value, dict) else None


@lru_cache(maxsize=4096)
def _text_color(text: str) -> tuple[Color, float] | None:
    text = text.strip().strip("\"'`;").lower()
    found = _HEX.fullmatch(text)
    if found and (found[1] or text not in _NOT_HEX):
        color = _hex_color(found[1], found[2])
        if color:
            return color
    if called := _CALL.fullmatch(text):
        return _called_color(called[1], called[2])
    if len(inside := _HEX_INSIDE.findall(text)) == 1:
        return _hex_color("#", inside[0])  # "brown #6a4830", "#6a4830 (brown)"
    if text in ("transparent", "clear", "invisible"):
        return (0, 0, 0), 0.0
    if listed := _LISTED.fullmatch(text):
        return _called_color("rgb", listed[1])
    named = _named_color(fold(text)) or _shaded_color(re.findall(r"[a-z]+", text), _WORDS)
    return (named, 1.0) if named else None


def _hex_color(prefix: str | None, digits: str) -> tuple[Color, float] | None:
    if len(digits) in (5, 7) or (not prefix and len(digits) < 6 and not re.search(r"\d", digits)):
        return None  # "bed" and "face" are words
    if prefix == "0x" and len(digits) == 8 and digits.startswith("ff"):
        digits = digits[2:]  # 0xAARRGGBB, as Java and Android write it
    if len(digits) < 5:
        digits = "".join(d + d for d in digits)
    red, green, blue, *alpha = bytes.fromhex(digits)
    return (red, green, blue), round(alpha[0] / 255, 3) if alpha else 1.0


def _called_color(kind: str, arguments: str) -> tuple[Color, float] | None:
    parts = _NUMBER.findall(arguments)[:4]
    if len(parts) < 3:
        return None
    numbers = [float(n) / 100 if unit == "%" else float(n) for n, unit in parts]
    if kind == "hsl":
        hue, saturation, light = numbers[0] / 360 % 1.0, _unit(numbers[1], 100), _unit(numbers[2], 100)
        channels = [255 * c for c in colorsys.hls_to_rgb(hue, light, saturation)]
    elif all(unit == "%" for _, unit in parts[:3]):
        channels = [255 * n for n in numbers[:3]]
    else:
        return read_channels(numbers)
    return _channels(channels), _unit(numbers[3], 255) if len(numbers) > 3 else 1.0


def _unit(value: float, full: float) -> float:
    """Read a share given as 0..1 or 0..full."""
    return min(1.0, max(0.0, value / full if value > 1 else value))


def _channels(values: Iterable[float]) -> Color:
    """Round half up into 0..255."""
    red, green, blue = (int(min(255.0, max(0.0, v)) + 0.5) for v in values)
    return min(red, 255), min(green, 255), min(blue, 255)


def _whole_color(value: float) -> tuple[Color, float] | None:
    if not math.isfinite(value) or value != int(value) or not 0 <= value <= 0xFFFFFFFF:
        return None
    number = int(value)
    alpha = number >> 24
    color = (number >> 16 & 255, number >> 8 & 255, number & 255)
    return color, round(alpha / 255, 3) if alpha else 1.0


def read_channels(value: Sequence[Any], scale: float | None = None) -> tuple[Color, float] | None:
    """Read [r, g, b] or [r, g, b, a]; `scale`: what full means, 1 or 255, None to tell by the values."""
    numbers = [_as_number(v) for v in value[:5]]
    if len(numbers) not in (3, 4) or any(n is None or not math.isfinite(n) for n in numbers):
        return None
    known = [n for n in numbers if n is not None]
    if scale is None:
        scale = 1.0 if max(known[:3]) <= 1 else 255.0
    color = _channels(n * 255 / scale for n in known[:3])
    return color, round(_unit(known[3], 255), 3) if len(known) > 3 else 1.0


def many_channels(names: Sequence[Any]) -> NDArray[np.int64] | None:
    """Read many colours of one spelling at once: (n, 3) 0..255; None where they are not, or are few.

    Spellings: "#rrggbb", "rgb(…)", [r, g, b] and {"r", "g", "b"}.
    """
    if len(names) <= MANY:
        return None
    one = names[0]
    try:
        if isinstance(one, dict):
            rows: Any = [[n["r"], n["g"], n["b"]] for n in names]
        elif isinstance(one, str) and one[:4] == "rgb(":
            rows = [n[4:-1].split(",") for n in names]
        elif isinstance(one, str) and one[:1] == "#":
            rows = [list(bytes.fromhex(n[1:])) for n in names]
        else:
            rows = names if isinstance(one, list) else []
        found = np.array(rows, np.int64)
    except (TypeError, ValueError, KeyError, OverflowError):
        return None
    plain = found.shape == (len(names), 3) and found.min() >= 0 and 1 < found.max() <= 255
    if plain and isinstance(one, (list, dict)):
        plain = not (np.array(rows, np.float64) % 1).any()  # 0.5 of 1 is no 0 of 255
    return found if plain else None


def rounded(colors: NDArray[np.int64], most: int, bits: int) -> tuple[NDArray[np.int64], bool]:
    """Return 0xRRGGBB of (n, 3) colours, and whether more than `most` were rounded to `bits` a channel."""
    codes = colors @ np.array([1 << 16, 1 << 8, 1])
    used = np.zeros(1 << 24, bool)
    used[codes] = True
    if np.count_nonzero(used) <= most:
        return codes, False
    kept = (0xFF << 8 - bits & 0xFF) * 0x010101
    return codes & kept | (1 << 7 - bits) * 0x010101, True


def _as_number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return float(value) if len(value) < 30 else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e300 else math.inf


def _object_color(value: dict[Any, Any]) -> tuple[Color, float] | None:
    keys = {fold(k): v for k, v in list(value.items())[:30] if isinstance(k, str)}
    for channels in (("r", "g", "b", "a"), ("red", "green", "blue", "alpha")):
        if all(n in keys for n in channels[:3]):
            return read_channels([keys[n] for n in channels if n in keys])
    if all(n in keys for n in "hsl"):
        return _called_color("hsl", f"{keys['h']} {keys['s']} {keys['l']}"[:90])
    inner = next(
        (keys[n] for n in ("color", "colour", "hex", "rgb", "rgba", "value", "css") if n in keys), None
    )
    return None if isinstance(inner, dict) else read_color(inner)


@lru_cache(maxsize=1)
def _names() -> dict[str, Color]:
    from PIL import ImageColor

    colors = {name: ImageColor.getrgb(name) for name in list(ImageColor.colormap)}
    return {name: (color[0], color[1], color[2]) for name, color in colors.items()}


def is_css_name(name: str) -> bool:
    """Say whether a string is a CSS colour name, in any case."""
    return name.lower() in _names()


def _named_color(name: str) -> Color | None:
    """Return the colour of a CSS name, grey spelled either way."""
    return _names().get(name)


def _word_color(word: str, words: Mapping[str, str]) -> Color | None:
    if word in words:
        red, green, blue = bytes.fromhex(words[word][1:])
        return red, green, blue
    return _named_color(word) or (_named_color(word.removesuffix("ish")) if len(word) > 6 else None)


def _shaded_color(parts: Sequence[str], words: Mapping[str, str]) -> Color | None:
    """Read "dark green" or "light grey blue": shade words, then colour words, nothing else."""
    shades = [_SHADES[w] for w in parts if w in _SHADES]
    names = [w for w in parts if w not in _SHADES]
    colors = [c for c in (_word_color(w, words) for w in names[:3]) if c]
    if not colors or len(colors) != len(names):
        return None
    mixed = _channels(sum(c[i] for c in colors) / len(colors) for i in range(3))
    for lightness, saturation in shades[:3]:
        mixed = _shade(mixed, lightness, saturation)
    return mixed


def _shade(color: Color, lightness: float, saturation: float) -> Color:
    """Mix with black or white, then push away from or towards grey."""
    target = 255 if lightness > 0 else 0
    mixed = [c + (target - c) * abs(lightness) for c in color]
    grey = sum(mixed) / 3
    return _channels(grey + (c - grey) * (1 + saturation) for c in mixed)


# --------------------------------------------------------------------------- materials


def read_material(name: str, entry: Any) -> Material:
    """Return the material of a palette entry: a colour, or an object with color, opacity, glow and metal.

    Never raises: values are clamped (opacity 0..1, glow 0..3, metal 0..1), a colour that cannot be read is
    guessed from the name.
    """
    found = read_color(entry)
    if found is None:
        guess = guess_material(name, ())[0]
        found = (guess.color, guess.opacity) if isinstance(guess, Material) else ((128, 128, 128), 1.0)
    color, opacity = found
    extra = entry if isinstance(entry, dict) else {}
    return Material(
        name,
        color,
        opacity=_clamped(extra.get("opacity"), 1.0, opacity),
        glow=_clamped(extra.get("glow"), 3.0, 0.0),
        metal=_clamped(extra.get("metal"), 1.0, 0.0),
    )


def _clamped(value: Any, high: float, default: float) -> float:
    number = high / 2 if value is True else _as_number(value)
    return default if number is None or math.isnan(number) else min(high, max(0.0, number))


def guess_material(name: str, known: Collection[str]) -> tuple[str | Material, str]:
    """Return what an unknown material name most likely means, and the words for Repair.fix.

    Either one of the `known` names (the same but for case and punctuation, or the only one within a few
    typing errors) or a new Material: a colour, a Minecraft block, a colour word inside the name, else a
    colour that depends on the name alone.

    >>> guess_material("mosss", ["moss", "stone"])
    ('moss', 'used "moss"')
    """
    name = name[:200]
    folded, last = fold(name), fold(name.rsplit(".", 1)[-1])  # of Material.MOSS
    for other in known:
        if folded and fold(other) in (folded, last):
            return other, f'used "{other}"'
    if color := read_color(name):
        return Material(name, color[0], color[1]), f"used the colour {hex_of(color[0])}"
    block = block_material(name)
    near = None if is_block(name) else nearest(name, known)
    if near:
        return near, f'used "{near}"'
    if block:
        new = Material(name, block.color, block.opacity, block.glow, block.metal)
        return new, f"used the colour of that Minecraft block, {hex_of(block.color)}"
    if inside := _color_inside(name):
        return Material(name, inside), f"used {hex_of(inside)}, the colour in its name"
    fallback = _stable_color(folded or name)
    return Material(name, fallback), f"gave it the colour {hex_of(fallback)}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the only one of `known` within two typing errors (one in a short word), or None.

    Optimal string alignment distance: insertions, deletions, exchanges and swapped neighbours count one.
    """
    folded = fold(name[:80])
    limit = 0 if len(folded) < 3 else 1 if len(folded) < 6 else 2
    best, found = limit + 1, []
    for other in list(known)[:1000]:
        if abs(len(other) - len(name)) > 4 or not limit:
            continue
        distance = _distance(folded, fold(other[:80]), limit)
        if distance < best:
            best, found = distance, [other]
        elif distance == best <= limit:
            found.append(other)
    return found[0] if len(found) == 1 else None


def _distance(a: str, b: str, limit: int) -> int:
    if abs(len(a) - len(b)) > limit or not b:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, p in enumerate(a, 1):
        above, row = row, [i] + [0] * len(b)
        for j, q in enumerate(b, 1):
            row[j] = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (p != q))
            if i > 1 and j > 1 and p == b[j - 2] and a[i - 2] == q:
                row[j] = min(row[j], before[j - 2] + 1)
        if min(row) > limit:
            return limit + 1
        before = above
    return row[-1]


def _color_inside(name: str) -> Color | None:
    """Find a colour among the words of a name: "dark_oak_brown", "roofRed2"."""
    parts = [w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)][:12]
    shades = [w for w in parts if w in _SHADES]
    for words in ({}, _WORDS, _THINGS):
        for part in reversed(parts):  # the noun comes last
            found = _shaded_color([*shades, part], words) if part not in _SHADES else None
            if found:
                return found
    return None


def _stable_color(name: str) -> Color:
    """Return a visible colour that depends on the name alone."""
    number = zlib.crc32(name.encode("utf-8", "replace"))
    hue, light = (number & 0xFFFF) / 0x10000, 0.45 + (number >> 16 & 0xFF) / 0xFF * 0.2
    return _channels(255 * c for c in colorsys.hls_to_rgb(hue, light, 0.5))
