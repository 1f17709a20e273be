"""Our pictures beside Mitsuba 3 and beside PyVista's default look: how close, and how long they take.

    python benchmarks/lighting.py [--json] [--no-times] [--scene NAME]... [--cache DIR] [--variant NAME]

Three scenes (`scenes/`), drawn at 800 x 600 in every quality, against a path-traced reference made from the
same faces, paints, lamps, sky, sun and camera (`reference.py`) and developed with our own tone mapping.
Where the picture departs from nature by choice, the reference follows or the pixel is left out:

- only pixels that show nothing but matt faces, or nothing but one lamp, count; the others (background,
  ground, water, glass, outlines of lamps) are made equal in both pictures. "FLIP" is the mean over the
  whole picture, "inside" over the pixels that count, as are PSNR and SSIM;
- lamps light their surroundings as strongly as `Volume.emission` says, in the reference too, but show no
  brighter than `Volume.shown`;
- a pixel averages bounded samples (`faces.glsl`), in the reference too (16 parts of a pixel); "linear" is
  FLIP against the plain average instead;
- bloom, stars and the seams between voxels are off.

FLIP is Andersson et al. 2020, SSIM Wang et al. 2004, PSNR in dB, all of sRGB pictures. "floor" is what the
reference's own noise costs, about: the FLIP error between its two halves, halved.
Times are at 1024 x 768, warm, in one process: ratios to a flat `pyvista.Plotter` screenshot of the same
grid, measured in turns, wall clock and CPU; each the minimum of some runs. A cold time is a whole process,
grid file to PNG. References are kept in the cache folder; one takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import voxgen
from voxgen.picture import driver
from voxgen.scene import Scene

Image = NDArray[np.float32]

SCENES = Path(__file__).with_name("scenes")
NAMES = ("garden", "castle", "street")
PASSES = {"garden": 1, "castle": 1, "street": 2}  # of 256 samples a pixel
SIZE, TIMED_SIZE, FRAME_SIZE, FRAMES = (800, 600), (1024, 768), (640, 480), 60
OUTLINE = 8  # samples a pixel, each way, that tell what it shows
MATT = 2  # codes of what a face is: 1 is left out, 2 matt, 2 + material a lamp
# FLIP error of good and best, time of good as a multiple of the flat look
DEMANDS = {"garden": (0.036, 0.030, 7.0), "castle": (0.018, 0.016, 17.0), "street": (0.047, 0.042, 21.0)}
COLD_DEMAND = 1.1


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# ---- how close


def closeness(name: str, scene: Scene, cache: Path, variant: str) -> dict[str, dict[str, float]]:
    """Compare every quality and the flat look with the reference: measures by look."""
    from reference import trace

    from voxgen.picture import setting
    from voxgen.picture import stage as stages
    from voxgen.picture.darkroom import develop
    from voxgen.picture.quality import QUALITIES

    setting.SEAM = 0.0
    stage = stages.Stage(scene, None, None, SIZE)
    stage.sky = replace(stage.sky, bloom=0.0, stars=False)
    halves = trace(stage, PASSES[name], cache, lambda line: say(f"{name} {line}"), variant)
    shows = first_faces(stage)
    counts = shows >= MATT
    reference, linear = (developed(stage, halves, shows, bounded=bounded) for bounded in (True, False))
    first, second = (developed(stage, half[None], shows, bounded=True) for half in halves)
    floor = flip(first, second, counts) / 2
    looks = {q: develop(stage.shoot(steps), stage.sky) for q, steps in QUALITIES.items()}
    looks["flat"] = flat(stage.grid, SIZE, stage.camera)
    stage.close()
    rows = {}
    for look, picture in looks.items():
        test = picture.astype(np.float32) / 255
        inside = flip(reference, test, counts)
        rows[look] = {
            "psnr": psnr(reference, test, counts),
            "ssim": ssim(reference, test, counts),
            "flip": inside * float(counts.mean()),
            "flip_inside": inside,
            "flip_linear": flip(linear, test, counts) * float(counts.mean()),
            "floor": floor * float(counts.mean()),
            "inside": float(counts.mean()),
        }
    return rows


def first_faces(stage: Any) -> NDArray[np.int32]:
    """Tell what each pixel shows (H, W): 0 for the background or several things, else a face's code."""
    from voxgen.picture import screen
    from voxgen.picture.stage import quads

    volume = stage.volume
    codes = np.where(volume.opacity >= 1, MATT, 1)
    lamps = np.flatnonzero((volume.emission.max(axis=1) > 0) & (volume.opacity >= 1))
    codes[lamps] += lamps
    coords = np.zeros((len(stage.faces), 4, 2), np.float32)
    coords[..., 0] = codes[stage.faces.material][:, None]
    actor = screen.paint(quads(stage.faces, coords), "", "vec4(at, 0.0, 1.0)", {})
    width, height = stage.size
    out = np.zeros((height, width), np.int32)
    for frame, x, y in stage.frames(OUTLINE):
        part = (frame.shoot([actor])[..., 0] + np.float32(0.5)).astype(np.int32)
        part = part.reshape(part.shape[0] // OUTLINE, OUTLINE, -1, OUTLINE)
        low, high = part.min(axis=(1, 3)), part.max(axis=(1, 3))
        same = np.where(low == high, low, 0)[: height - y, : width - x]
        out[y : y + same.shape[0], x : x + same.shape[1]] = same
    return out[::-1]


def developed(stage: Any, halves: Image, shows: NDArray[np.int32], *, bounded: bool) -> Image:
    """Make the picture of a reference (n, H, W, 3), sRGB 0..1, with lamps shown as our renderer shows them.

    The mean of bounded samples falls with their noise. Of two halves the fall is known, and taken back
    (the jackknife: M. Quenouille, 1956).
    """
    from reference import EDGE

    from voxgen.picture.tone import peak, tone_map

    volume, sky = stage.volume, stage.sky
    height, width = shows.shape
    change = volume.shown / np.float32(sky.exposure) - volume.emission
    lamp = np.maximum(shows - MATT, 0)  # material 0 is air, which nothing changes
    change = change[lamp][:, None, :, None, :]

    def exposed(radiance: Image) -> Image:
        parts = radiance.reshape(height, EDGE, width, EDGE, 3) + change
        return np.maximum(parts, 0) * np.float32(sky.exposure)

    def averaged(parts: Image) -> Image:
        return (parts / (1 + peak(parts))).mean(axis=(1, 3))

    whole = exposed(halves.mean(axis=0))
    if not bounded:
        return tone_map(whole.mean(axis=(1, 3)))
    mean = averaged(whole)
    if len(halves) == 2:
        mean = 2 * mean - (averaged(exposed(halves[0])) + averaged(exposed(halves[1]))) / 2
    return tone_map(mean / np.maximum(1 - peak(mean), np.float32(1e-3)))


def psnr(reference: Image, test: Image, mask: NDArray[np.bool_]) -> float:
    """Peak signal to noise, dB, of the pixels in a mask (H, W)."""
    return float(-10 * np.log10(((reference - test)[mask] ** 2).mean()))


def flip(reference: Image, test: Image, mask: NDArray[np.bool_]) -> float:
    """Mean FLIP error of the pixels in a mask (H, W); the others are made equal."""
    import flip_evaluator

    test = np.where(mask[..., None], test, reference)
    error, _, _ = flip_evaluator.evaluate(reference, test, "LDR", applyMagma=False)
    return float(error[..., 0][mask].mean())


def ssim(reference: Image, test: Image, mask: NDArray[np.bool_]) -> float:
    """Mean structural similarity of luma in a mask (H, W); the other pixels are made equal."""
    test = np.where(mask[..., None], test, reference)
    a, b = (image @ np.array([0.299, 0.587, 0.114], np.float32) for image in (reference, test))
    mean_a, mean_b = _gaussian(a), _gaussian(b)
    spread = _gaussian(a * a) - mean_a**2 + _gaussian(b * b) - mean_b**2
    common = _gaussian(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * mean_a * mean_b + c1) * (2 * common + c2)
    return float((score / ((mean_a**2 + mean_b**2 + c1) * (spread + c2)))[mask].mean())


def _gaussian(image: Image) -> Image:
    """Blur (H, W) with a Gaussian of 1.5 pixels, 11 taps; edges repeat."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()
    for axis in (0, 1):
        wide = np.pad(image, [(5, 5) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        length = image.shape[axis]
        image = sum(tap * wide.take(range(i, i + length), axis) for i, tap in enumerate(taps))
    return image


# ---- how long


def flat(
    grid: voxgen.VoxelGrid, size: tuple[int, int], camera: Any = None, picture: str | None = None
) -> NDArray[np.uint8]:
    """Draw a grid as PyVista does when nothing is said but the colours, and save its screenshot."""
    window = driver.probe().window
    if window:
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", window)
    os.environ.setdefault("ALLOW_PLOTTING", "true")
    import pyvista

    from voxgen.picture.mesher import culled

    mesh = culled(grid)
    corners = mesh.corners.reshape(-1, 3)
    surface = pyvista.PolyData.from_regular_faces(corners, np.arange(len(corners)).reshape(-1, 4))
    surface.cell_data["color"] = np.array([m.color for m in grid.palette], np.uint8)[mesh.material]
    plotter = pyvista.Plotter(off_screen=True, window_size=size)
    plotter.add_mesh(surface, scalars="color", rgb=True)
    if camera is not None:
        plotter.camera.position = camera.eye
        plotter.camera.focal_point = camera.eye - camera.back * (camera.near + camera.far) / 2
        plotter.camera.up = camera.up
        plotter.camera.view_angle = float(np.degrees(2 * np.arctan(camera.half)))
        plotter.renderer.ResetCameraClippingRange()
    image: NDArray[np.uint8] = plotter.screenshot(picture, return_img=True)
    plotter.close()
    return image


def warm(scene: Scene, rounds: int) -> dict[str, dict[str, float]]:
    """Time every quality and the flat look in turns: seconds and CPU seconds, each with its ratio."""
    looks: dict[str, Callable[[], object]] = {
        "flat": lambda: flat(scene.grid, TIMED_SIZE),
        "draft": lambda: voxgen.render(scene, size=TIMED_SIZE, quality="draft"),
        "good": lambda: voxgen.render(scene, size=TIMED_SIZE, quality="good"),
        "best": lambda: voxgen.render(scene, size=TIMED_SIZE, quality="best"),
    }
    times: dict[str, list[tuple[float, float]]] = {look: [] for look in looks}
    for number in range(rounds + 1):  # the first one warms up
        for look, draw in looks.items():
            if look == "best" and number > 1:
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            draw()
            if number or look == "best":
                times[look].append((time.perf_counter() - wall, time.process_time() - cpu))
    least = {look: np.min(runs, axis=0) for look, runs in times.items()}
    return {
        look: {
            "seconds": float(wall),
            "cpu_seconds": float(cpu),
            "ratio": float(wall / least["flat"][0]),
            "cpu_ratio": float(cpu / least["flat"][1]),
        }
        for look, (wall, cpu) in least.items()
    }


def cold(scene: Scene, rounds: int) -> dict[str, float]:
    """Time whole processes in turns: a grid file to a PNG, ours (good) and flat."""
    import resource

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    times: dict[str, list[tuple[float, float]]] = {"good": [], "flat": []}
    with tempfile.TemporaryDirectory() as folder:
        grid = Path(folder) / "grid.npz"
        voxgen.save(scene, grid)
        installed = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        for number in range(rounds + 1):
            for look, runs in times.items():
                wall, cpu = time.perf_counter(), spent()
                command = [sys.executable, __file__, "--one", look, str(grid), str(Path(folder) / "p.png")]
                subprocess.run(command, check=True, capture_output=True, env=installed)
                if number:  # the first one fills the caches, as pip does that of bytecode
                    runs.append((time.perf_counter() - wall, spent() - cpu))
    (good, good_cpu), (plain, plain_cpu) = (np.min(times[look], axis=0) for look in ("good", "flat"))
    return {
        "seconds": float(good),
        "flat_seconds": float(plain),
        "ratio": float(good / plain),
        "cpu_ratio": float(good_cpu / plain_cpu),
    }


def draw_one(look: str, grid: str, picture: str) -> None:
    """Draw one picture and end: what `cold` times. Each way writes its PNG as it does for its users."""
    scene = voxgen.load(grid)
    if look == "flat":
        flat(scene.grid, TIMED_SIZE, picture=picture)
    else:
        from voxgen.files import png

        Path(picture).write_bytes(png.encode(voxgen.render(scene, size=TIMED_SIZE), scene))


def turntable(scene: Scene) -> dict[str, float]:
    """Draw a turntable, and count how often light was traced."""
    from voxgen.picture.renderer import draw_views
    from voxgen.picture.stage import Stage

    bakes, bake = 0, Stage.radiance

    def counted(*arguments: Any) -> Any:
        nonlocal bakes
        bakes += 1
        return bake(*arguments)

    Stage.radiance = counted  # type: ignore[method-assign]
    began, first = time.perf_counter(), 0.0
    views = [f"{360 * i / FRAMES},22" for i in range(FRAMES)]
    for number, _ in enumerate(draw_views(scene, views, size=FRAME_SIZE)):
        if number == 0:
            first = time.perf_counter() - began
    whole = time.perf_counter() - began
    Stage.radiance = bake  # type: ignore[method-assign]
    return {
        "frames": FRAMES,
        "bakes": bakes,
        "first_seconds": first,
        "seconds_per_frame": (whole - first) / (FRAMES - 1),
        "seconds": whole,
    }


# ---- the table


def verdict(value: float, most: float) -> str:
    return f"{'≤' if value <= most else 'over'} {most:g}"


def print_scene(name: str, rows: dict[str, dict[str, float]]) -> None:
    good, best, ratio = DEMANDS[name]
    print(f"\n{name:8} PSNR   SSIM    FLIP  inside  linear  time ×  CPU ×")
    for look, row in rows.items():
        most = {"good": good, "best": best}.get(look)
        line = f"{look:7}"
        line += f"{row['psnr']:6.1f}  {row['ssim']:.3f}"
        line += f"  {row['flip']:.4f}  {row['flip_inside']:.4f}  {row['flip_linear']:.4f}"
        if "ratio" in row:
            line += f"  {row['ratio']:6.1f}  {row['cpu_ratio']:5.1f}"
        if most is not None:
            line += f"  FLIP {verdict(row['flip'], most)}"
        if look == "good" and "ratio" in row:
            line += f", time {verdict(row['ratio'], ratio)}"
        print(line)
    floor, share = rows["good"]["floor"], rows["good"]["inside"]
    print(f"floor of the reference's noise {floor:.4f}; {share:.0%} of the pixels count")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scene", action="append", choices=NAMES, help="only this one")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "voxgen-lighting")
    parser.add_argument("--variant", default="scalar_rgb", help="Mitsuba's, such as llvm_ad_rgb")
    parser.add_argument("--no-times", action="store_true")
    parser.add_argument("--rounds", type=int, default=5, help="of timing")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        draw_one(*options.one)
        return
    out: dict[str, Any] = {}
    scenes = {name: voxgen.load(SCENES / f"{name}.json") for name in options.scene or NAMES}
    for name, scene in scenes.items():
        rows = closeness(name, scene, options.cache, options.variant)
        if not options.no_times:
            say(f"{name} times")
            for look, figures in warm(scene, options.rounds).items():
                rows[look] |= figures
        out[name] = rows
        if not options.json:
            print_scene(name, rows)
    if not options.no_times and "garden" in scenes:
        out["cold"] = cold(scenes["garden"], options.rounds)
        if not options.json:
            print(
                "\ncold garden, grid file to PNG: {seconds:.2f} s, flat {flat_seconds:.2f} s,"
                " {ratio:.2f} ×, CPU {cpu_ratio:.2f} ×".format(**out["cold"]),
                verdict(out["cold"]["ratio"], COLD_DEMAND),
            )
    if not options.no_times and "castle" in scenes:
        out["turntable"] = turntable(scenes["castle"])
        if not options.json:
            print(
                "castle turntable: {frames} frames, light traced {bakes} time(s),"
                " first {first_seconds:.2f} s, then {seconds_per_frame:.3f} s each".format(**out["turntable"])
            )
    if options.json:
        print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
