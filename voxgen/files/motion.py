"""Frames → a moving picture: animated WebP, GIF and APNG by Pillow, MP4 by imageio-ffmpeg where installed.

Frames are written as they come; a GIF's wait in a temporary file until its one palette is known.
"""

from __future__ import annotations

import importlib
import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from voxgen import files
from voxgen.errors import FileError, UsageError

Frame = NDArray[np.uint8]

WEBP_QUALITY, WEBP_EFFORT = 80, 2
SAMPLED = 1 << 18  # pixels of all frames together that a GIF's palette is made of
MOST_DITHER = 16  # of 255
OPAQUE = 128  # alpha from which a GIF shows a pixel


def check(path: str | Path, fps: float) -> Path:
    """Return the path; raises FileError for another extension, UsageError for a rate none has."""
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise FileError(
            f"{path}: {path.suffix or 'no extension'} is no moving picture", f"end it in {_KNOWN}"
        )
    if not 0.1 <= fps <= 100:
        raise UsageError(f"{fps:g} frames a second cannot be shown", "0.1 to 100")
    if path.suffix.lower() == ".mp4":
        _ffmpeg()
    return path


def write(path: str | Path, frames: Iterable[Frame], count: int, fps: float) -> Path:
    """Write `count` frames, (H, W, 3) or (H, W, 4) uint8 sRGB and all alike, as the extension says.

    They loop for ever, but in MP4. Raises as `check` does, and UsageError for MP4 with a see-through
    background; FileError when the file cannot be written.
    """
    path = check(path, fps)
    if path.is_dir() or not path.parent.is_dir():
        raise FileError(f"{path} cannot be written", "name a file in a folder that exists")
    draft = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        WRITERS[path.suffix.lower()](draft, iter(frames), count, fps)
        draft.replace(path)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {files.reason(error)}", "choose another place") from None
    finally:
        draft.unlink(missing_ok=True)
    return path


_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])


class _Film(Image.Image):
    """Frames as Pillow sees a file of several: it asks for them one after the other."""

    def __init__(self, frames: Iterator[Frame], count: int) -> None:
        super().__init__()
        self.__dict__.update(Image.fromarray(next(frames)).__dict__)
        self.n_frames, self._frames, self._at = count, frames, 0

    def seek(self, frame: int) -> None:
        """Go on to a frame; those before are gone."""
        while self._at < frame:
            self._at += 1
            self.paste(Image.fromarray(next(self._frames)))

    def tell(self) -> int:
        """Return the number of the frame."""
        return self._at


def _webp(path: Path, frames: Iterator[Frame], count: int, fps: float) -> None:
    timing = _milliseconds(count, fps)
    look = {"quality": WEBP_QUALITY, "method": WEBP_EFFORT}
    with path.open("wb") as out:
        _Film(frames, count).save(out, "WEBP", save_all=True, duration=timing, loop=0, **look)


def _gif(path: Path, frames: Iterator[Frame], count: int, fps: float) -> None:
    """Write frames in the 255 colours that suit all of them best, dithered by place: no flicker, no bands."""
    with path.open("wb") as out, tempfile.TemporaryFile() as store:
        sample, shape = _store(store, frames, count)
        palette = Image.fromarray(sample).quantize(255, Image.Quantize.MEDIANCUT, kmeans=2)
        clear, screen = shape[2] == 4, _screen(shape, sample, palette)
        pages = (_paletted(frame, palette, screen) for frame in _stored(store, shape, count))
        first = next(pages)
        more: dict[str, Any] = {"transparency": 255, "disposal": 2} if clear else {"disposal": 1}
        first.save(
            out, "GIF", save_all=True, append_images=pages, duration=_milliseconds(count, fps, 10), loop=0,
            optimize=False, **more,
        )  # fmt: skip


def _store(store: IO[bytes], frames: Iterator[Frame], count: int) -> tuple[Frame, tuple[int, ...]]:
    """Keep frames, and return every so many-th pixel of all, (n, 1, 3), and the shape of one."""
    samples: list[Frame] = []
    shape: tuple[int, ...] = (0, 0, 3)
    for frame in frames:
        shape = frame.shape
        store.write(np.ascontiguousarray(frame).data)
        pixels = frame.reshape(-1, shape[2])
        pixels = pixels[:: max(1, len(pixels) * count // SAMPLED)]
        samples.append(pixels[pixels[:, -1] >= OPAQUE, :3] if shape[2] == 4 else pixels)
    sample = np.concatenate(samples) if any(map(len, samples)) else np.zeros((1, 3), np.uint8)
    return sample[:, None, :], shape


def _stored(store: IO[bytes], shape: tuple[int, ...], count: int) -> Iterator[Frame]:
    store.seek(0)
    for _ in range(count):
        yield np.frombuffer(store.read(int(np.prod(shape))), np.uint8).reshape(shape)


def _screen(shape: tuple[int, ...], sample: Frame, palette: Image.Image) -> NDArray[np.int16]:
    """Return what to add to each pixel before it takes the nearest colour, (H, W, 3): about a palette's step.

    Ordered dithering after B. E. Bayer (1973), with the pattern mirrored for green and for blue.
    """
    missed = np.abs(sample - np.asarray(_nearest(sample, palette).convert("RGB"), np.float32)).mean()
    pattern = (_BAYER + 0.5) / _BAYER.size - 0.5
    tile = np.stack([pattern, pattern[::-1], pattern[:, ::-1]], axis=-1) * min(3 * missed, MOST_DITHER)
    repeats = [-(-side // len(_BAYER)) for side in shape[:2]]
    screen: NDArray[np.int16] = np.rint(np.tile(tile, (*repeats, 1))).astype(np.int16)
    return screen[: shape[0], : shape[1]]


def _nearest(image: Frame, palette: Image.Image) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image)).quantize(palette=palette, dither=Image.Dither.NONE)


def _paletted(frame: Frame, palette: Image.Image, screen: NDArray[np.int16]) -> Image.Image:
    """Return a frame in a palette's colours; what is see-through is number 255."""
    page = _nearest((frame[..., :3] + screen).clip(0, 255).astype(np.uint8), palette)
    if frame.shape[2] == 4:
        page.paste(255, mask=Image.fromarray(np.where(frame[..., 3] < OPAQUE, 255, 0).astype(np.uint8)))
    return page


def _apng(path: Path, frames: Iterator[Frame], count: int, fps: float) -> None:
    """Write PNGs one after the other into one file, each only where it differs from the last one.

    The format: https://www.w3.org/TR/png-3/#apng-frame-based-animation
    """
    number = 0  # of fcTL and fdAT chunks so far
    before: Frame | None = None
    with path.open("wb") as out:
        for duration, frame in zip(_milliseconds(count, fps), frames, strict=True):
            x, y, part = _difference(before, frame)
            chunks = list(_chunks(_png(part)))
            if before is None:
                out.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", chunks[0][1]))
                out.write(_chunk(b"acTL", struct.pack(">II", count, 0)))
            height, width = part.shape[:2]
            control = struct.pack(">IIIIIHHBB", number, width, height, x, y, duration, 1000, 0, 0)
            out.write(_chunk(b"fcTL", control))
            number += 1
            for name, data in chunks:
                if name == b"IDAT" and before is None:
                    out.write(_chunk(b"IDAT", data))
                elif name == b"IDAT":
                    out.write(_chunk(b"fdAT", struct.pack(">I", number) + data))
                    number += 1
            before = frame
        out.write(_chunk(b"IEND", b""))


def _difference(before: Frame | None, frame: Frame) -> tuple[int, int, Frame]:
    """Return the smallest part of a frame that holds all that changed, and its left and upper edge."""
    if before is None:
        return 0, 0, frame
    changed = (before != frame).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return 0, 0, frame[:1, :1]
    return int(columns[0]), int(rows[0]), frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _png(image: Frame) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG", compress_level=4)
    return file.getvalue()


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        yield name, png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _mp4(path: Path, frames: Iterator[Frame], count: int, fps: float) -> None:
    """Write H.264 that players everywhere show: even sides, colours at half the resolution."""
    ffmpeg = _ffmpeg()
    first = _even(next(frames))
    if first.shape[2] == 4:
        raise UsageError("MP4 has no see-through background", f"end it in {_KNOWN.replace(' or .mp4', '')}")
    height, width = first.shape[:2]
    options = ["-crf", "18", "-preset", "medium", "-movflags", "+faststart"]
    pipe = ffmpeg.write_frames(
        str(path), (width, height), fps=fps, codec="libx264", macro_block_size=2, quality=None,
        output_params=options, ffmpeg_log_level="error",
    )  # fmt: skip
    pipe.send(None)
    try:
        for frame in chain([first], map(_even, frames)):
            pipe.send(np.ascontiguousarray(frame).data)
    finally:
        pipe.close()


def _even(frame: Frame) -> Frame:
    """Repeat the last row or column of a frame with an odd side."""
    height, width = frame.shape[:2]
    return np.pad(frame, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")


def _ffmpeg() -> Any:
    try:
        return importlib.import_module("imageio_ffmpeg")
    except ImportError:
        hint = f"pip install 'voxgen[mp4]', or end it in {_KNOWN.replace(' or .mp4', '')}"
        raise UsageError("MP4 needs ffmpeg, which is not installed", hint) from None


def _milliseconds(count: int, fps: float, unit: int = 1) -> list[int]:
    """Return how long each frame is shown, in whole units of ms that add up to the right time."""
    ends = [round(i * 1000 / fps / unit) * unit for i in range(count + 1)]
    return [max(unit, b - a) for a, b in pairwise(ends)]


WRITERS: Mapping[str, Callable[[Path, Iterator[Frame], int, float], None]] = {
    ".webp": _webp,
    ".gif": _gif,
    ".apng": _apng,
    ".mp4": _mp4,
}
_KNOWN = ".webp, .gif, .apng or .mp4"
