"""Moving picture files: every format gives back the frames, their number, order and time."""

from __future__ import annotations

import gc
import struct
import sys
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from voxgen.errors import FileError, UsageError
from voxgen.files import motion

Frames = list[NDArray[np.uint8]]


def frames(count: int = 5, channels: int = 3, height: int = 24, width: int = 33) -> Frames:
    """Draw a bright square that walks over a still gradient."""
    out = []
    for i in range(count):
        image = np.zeros((height, width, channels), np.uint8)
        image[..., 0] = np.linspace(0, 120, width)
        image[..., 2] = 60
        image[4:12, 4 + 2 * i : 12 + 2 * i, :3] = (250, 200, 40)
        if channels == 4:
            image[..., 3] = 255
            image[:3, :, 3] = 0
        out.append(image)
    return out


def pages(path: Path, mode: str = "RGB") -> tuple[Frames, list[int]]:
    """Return what Pillow reads, and for how many ms each is shown."""
    shown, times = [], []
    with Image.open(path) as film:
        for i in range(getattr(film, "n_frames", 1)):
            film.seek(i)
            film.load()
            times.append(round(film.info["duration"]))
            shown.append(np.asarray(film.convert(mode)))
    return shown, times


@pytest.mark.parametrize(("ending", "error"), [(".apng", 0), (".gif", 12), (".webp", 40)])
def test_the_frames_come_back(ending: str, error: int, tmp_path: Path) -> None:
    given = frames()
    shown, times = pages(motion.write(tmp_path / f"a{ending}", iter(given), len(given), 10))
    assert len(shown) == len(given)
    assert times == [100] * len(given)
    for before, after in zip(given, shown, strict=True):
        assert np.abs(before.astype(int) - after).mean() <= error / 4
    assert [p.name for p in tmp_path.iterdir()] == [f"a{ending}"]


@pytest.mark.parametrize("ending", [".apng", ".gif", ".webp"])
def test_what_is_see_through_stays_so(ending: str, tmp_path: Path) -> None:
    given = frames(3, 4)
    shown, _ = pages(motion.write(tmp_path / f"a{ending}", iter(given), 3, 10), "RGBA")
    for before, after in zip(given, shown, strict=True):
        np.testing.assert_array_equal(before[..., 3], after[..., 3])


@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.integers(1, 5), st.integers(1, 5))
def test_apng_is_lossless_whatever_changes(kinds: list[int], height: int, width: int) -> None:
    noise = np.random.default_rng(sum(kinds)).integers(0, 256, (4, height, width, 3), np.uint8)
    noise[1] = noise[0]
    noise[1, -1, -1] ^= 1
    with tempfile.TemporaryDirectory() as folder:
        path = motion.write(Path(folder) / "a.apng", iter([noise[k] for k in kinds]), len(kinds), 20)
        shown, _ = pages(path)
    for kind, image in zip(kinds, shown, strict=True):
        np.testing.assert_array_equal(noise[kind], image)


def test_a_still_part_does_not_flicker_in_a_gif(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    still = rng.integers(0, 256, (24, 40, 3), np.uint8)
    given = []
    for i in range(6):
        image = np.concatenate([still, rng.integers(0, 256, (24, 8, 3), np.uint8)], axis=1)
        image[0, 40:, :] = i * 40
        given.append(image)
    shown, _ = pages(motion.write(tmp_path / "a.gif", iter(given), 6, 10))
    for image in shown[1:]:
        np.testing.assert_array_equal(image[:, :40], shown[0][:, :40])


def test_a_smooth_sky_has_no_bands_in_a_gif_and_few_colours_stay_exact(tmp_path: Path) -> None:
    y, x = np.mgrid[0:96, 0:128] / 128
    sky = [np.stack([90 + 20 * y, 120 + 20 * x * y + i / 4, 210 - 20 * y], -1) for i in range(12)]
    noise = np.random.default_rng(1).integers(0, 256, (192, 128, 3))  # takes most of the palette
    given = [np.concatenate([part, noise]).astype(np.uint8) for part in sky]
    shown, _ = pages(motion.write(tmp_path / "a.gif", iter(given), 12, 10))
    blocks = [f[:96].reshape(12, 8, 16, 8, 3).swapaxes(1, 2).astype(float) for f in (shown[5], given[5])]
    one_color = (blocks[0] == blocks[0][:, :, :1, :1]).all((2, 3, 4))
    assert one_color.mean() < 0.05
    assert np.abs(blocks[0].mean((2, 3)) - blocks[1].mean((2, 3))).mean() < 2
    flat = [np.full((9, 9, 3), 10 * i + np.arange(3), np.uint8) for i in range(5)]
    shown, _ = pages(motion.write(tmp_path / "b.gif", iter(flat), 5, 10))
    np.testing.assert_array_equal(shown, flat)


def test_frames_of_a_third_of_a_second_add_up(tmp_path: Path) -> None:
    for ending, unit in ((".webp", 1), (".apng", 1), (".gif", 10)):
        _, times = pages(motion.write(tmp_path / f"a{ending}", iter(frames(9)), 9, 15))
        assert abs(sum(times) - 600) <= unit, ending


@pytest.mark.parametrize("ending", [".apng", ".webp"])
def test_frames_are_asked_for_one_after_the_other(ending: str, tmp_path: Path) -> None:
    """No format but GIF, whose frames wait on disk, may hold all frames."""
    alive: list[weakref.ref[NDArray[np.uint8]]] = []
    most = 0

    def watched() -> Iterator[NDArray[np.uint8]]:
        nonlocal most
        for number in range(12):
            image = np.full((16, 16, 3), number, np.uint8)
            alive.append(weakref.ref(image))
            yield image
            del image
            gc.collect()
            most = max(most, sum(ref() is not None for ref in alive))

    motion.write(tmp_path / f"a{ending}", watched(), 12, 10)
    assert most <= 3


def test_an_mp4_plays(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = motion.write(tmp_path / "a.mp4", iter(frames(6, height=23)), 6, 10)
    count, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert count == 6
    assert seconds == pytest.approx(0.6, abs=0.11)
    assert struct.unpack_from(">4s", path.read_bytes(), 4)[0] == b"ftyp"
    with pytest.raises(UsageError, match="no see-through background"):
        motion.write(tmp_path / "b.mp4", iter(frames(2, 4)), 2, 10)
    assert not (tmp_path / "b.mp4").exists()


def test_mp4_without_ffmpeg_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UsageError) as caught:
        motion.check("a.mp4", 10)
    assert "pip install 'voxgen[mp4]'" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["a.mov", "a", "a.png"])
def test_an_unknown_ending_lists_the_known(name: str) -> None:
    with pytest.raises(FileError) as caught:
        motion.check(name, 10)
    assert ".webp, .gif, .apng or .mp4" in str(caught.value.hint)


@pytest.mark.parametrize("rate", [0, -1, 1000, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match="frames a second"):
        motion.check("a.gif", rate)


@pytest.mark.parametrize("ending", [".apng", ".gif", ".webp"])
def test_a_failure_on_the_way_leaves_nothing(ending: str, tmp_path: Path) -> None:
    def broken() -> Iterator[NDArray[np.uint8]]:
        yield frames(1)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        motion.write(tmp_path / f"a{ending}", broken(), 3, 10)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileError, match="cannot be written"):
        motion.write(tmp_path / "no" / f"a{ending}", iter(frames()), 5, 10)
