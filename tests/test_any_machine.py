"""Pictures on machines that lack this or that of OpenGL, each made by hiding it in a mount namespace."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from voxgen.picture import driver

SCENE = {
    "size": [12, 12, 10],
    "palette": {"grass": "#6eac3f", "red": "#bd3a33", "water": {"color": "#3a7fb8", "opacity": 0.5}},
    "build": [
        {"box": [[0, 0, 0], [11, 11, 0]], "of": "grass"},
        {"box": [[1, 1, 0], [5, 4, 0]], "of": "water"},
        {"box": [[5, 5, 1], [9, 9, 7]], "of": "red"},
    ],
}
LOOK = ("--size", "160x120", "--quality", "draft")
LIBRARIES = ("/usr/lib*", "/usr/lib/*-linux-gnu", "/usr/local/lib*", "/lib*", "/lib/*-linux-gnu")
PARTS = {
    "nothing": (),
    "libEGL": ("libEGL.so*",),
    "Mesa's EGL": ("libEGL_mesa.so*",),
    "DRI drivers": ("dri/*.so", "libgallium*.so*"),
    "libGL": ("libGL.so*",),
    "libX11": ("libX11.so*",),
    "libLLVM": ("libLLVM*.so*",),
}  # fmt: skip
PARTS["all of them"] = tuple(pattern for patterns in PARTS.values() for pattern in patterns)


def _why_not() -> str:
    """Return why this test cannot run here, "" where it can."""
    if not sys.platform.startswith("linux"):
        return "mount namespaces are Linux's"
    unshare = shutil.which("unshare")
    if unshare is None:
        return "there is no unshare"
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", "mount --bind /dev/null /etc/hostname"], capture_output=True, check=False
    )
    return "" if done.returncode == 0 else "no right to a mount namespace of one's own"


pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(_why_not()), reason=_why_not() or "-")]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(SCENE))
    return path


def _files(patterns: tuple[str, ...]) -> list[str]:
    found = (glob.glob(f"{folder}/{pattern}") for folder in LIBRARIES for pattern in patterns)
    return sorted({os.path.realpath(path) for paths in found for path in paths})


def _voxgen(hidden: list[str], *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run voxgen where files are hidden: an unreadable page lies over each of them."""
    cover = "".join(f"mount --bind /dev/null '{path}' && " for path in hidden)
    command = f'{cover}exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", command, "sh", sys.executable, "-m", "voxgen", *args],
        capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def _drawn(path: Path) -> None:
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert image.shape == (120, 160, 3)
    assert image.std() > 20


@pytest.mark.parametrize("part", PARTS)
def test_a_picture_comes_out_whatever_is_missing(part: str, scene: Path, tmp_path: Path) -> None:
    hidden = _files(PARTS[part])
    if PARTS[part] and not hidden:
        pytest.skip(f"{part}: not installed here")
    target = tmp_path / "scene.png"
    done = _voxgen(hidden, "render", str(scene), "-o", str(target), *LOOK)
    assert (done.returncode, done.stdout.strip()) == (0, str(target)), done.stderr
    _drawn(target)
    told = [line for line in done.stderr.splitlines() if line.startswith("voxgen: drawing without OpenGL")]
    assert len(told) == ("apt-get install" in done.stderr) <= 1
    assert done.stderr.count("\n") == len(told)
    asked = _voxgen(hidden, "render", str(scene), "-o", str(target), "--renderer", "gl", *LOOK)
    assert asked.returncode == (5 if told else 0), asked.stderr
    if part == "all of them":
        assert told


def test_without_any_of_it_the_picture_is_that_of_the_soft_renderer(scene: Path, tmp_path: Path) -> None:
    alone, asked = tmp_path / "alone.png", tmp_path / "asked.png"
    hidden = _files(PARTS["all of them"])
    assert _voxgen(hidden, "render", str(scene), "-o", str(alone), *LOOK).returncode == 0
    assert _voxgen([], "render", str(scene), "-o", str(asked), "--renderer", "soft", *LOOK).returncode == 0
    assert np.array_equal(np.asarray(Image.open(alone)), np.asarray(Image.open(asked)))


@pytest.mark.parametrize(
    "environment",
    [
        {"MESA_GL_VERSION_OVERRIDE": "2.1"}, {"MESA_GL_VERSION_OVERRIDE": "3.1"},
        {"MESA_EXTENSION_OVERRIDE": "-GL_ARB_framebuffer_object"}, {"LIBGL_ALWAYS_SOFTWARE": "1"},
        {"GALLIUM_DRIVER": "softpipe"}, {"GALLIUM_DRIVER": "nonsense"}, {"LIBGL_DRIVERS_PATH": "/nowhere"},
        {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nowhere.json"}, {"HOME": "/nowhere"}, {"HOME": "/proc"},
        {"HOME": ""}, {"EGL_PLATFORM": "x11"}, {"DISPLAY": ":77"},
    ],
    ids=lambda environment: "=".join(*environment.items()),
)  # fmt: skip
def test_a_picture_comes_out_whatever_the_environment_says(
    environment: dict[str, str], scene: Path, tmp_path: Path
) -> None:
    target = tmp_path / "scene.png"
    done = _voxgen([], "render", str(scene), "-o", str(target), *LOOK, **environment)
    assert (done.returncode, done.stdout.strip()) == (0, str(target)), done.stderr
    _drawn(target)
    if "VERSION" in str(environment):
        assert "OpenGL 3.2; on Debian or Ubuntu: apt-get install" in done.stderr


@pytest.mark.skipif(driver.probe().missing is not None, reason=str(driver.probe().missing))
def test_a_driver_that_kills_vtk_is_found_out_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESA_EXTENSION_OVERRIDE", "-GL_ARB_framebuffer_object")
    assert driver._tried("vtkEGLRenderWindow") == "the graphics driver crashes"
    monkeypatch.delenv("MESA_EXTENSION_OVERRIDE")
    assert driver._tried("vtkEGLRenderWindow") is None
