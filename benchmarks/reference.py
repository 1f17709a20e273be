"""A scene as Mitsuba 3 sees it: the reference of `lighting.py`, kept between runs.

The path tracer gets what our renderer works from: the exposed faces of a Stage, its albedo and emission,
its Sky (the sun as a disc painted on an environment map) and its Camera. Translucent faces let a share of
the light through (a `mask`) and are a dull plastic for the rest. There is no ground plane.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mitsuba
import numpy as np
from numpy.typing import NDArray

from voxgen.picture.mesher import CORNERS
from voxgen.picture.sky import Sky
from voxgen.picture.stage import Stage

EDGE = 4  # parts of a pixel, each way
STRATA = 16  # samples of a part in one pass
AT_ONCE = 2  # of them; the compiled variants keep every sample of a frame in memory
DEPTH = 8  # of a path
SUN_MAP = 2048  # environment map's width
VERSION = 2  # of this file: raise it where the same scene gives another reference


def trace(
    stage: Stage, passes: int, cache: Path, tell: Callable[[str], None], variant: str = "scalar_rgb"
) -> NDArray[np.float32]:
    """Return radiance (2, EDGE * H, EDGE * W, 3), row 0 at the top: halves of passes x 256 samples a pixel.

    variant: Mitsuba's; llvm_ad_rgb is twice as fast, but ends the process with an LLVM older than 16.
    """
    mitsuba.set_variant(variant)
    width, height = (side * EDGE for side in stage.size)
    total = np.zeros((2, height, width, 3), np.float32)
    name = _digest(stage)
    scene: Any = None
    for number in range(passes):
        file = cache / f"{name}-{number}.npy"
        if not file.is_file():
            began = time.perf_counter()
            scene = scene or _load(stage)
            sensor = mitsuba.load_dict(_sensor(stage, width, height))
            cache.mkdir(parents=True, exist_ok=True)
            np.save(file, _pass(scene, sensor, number))
            tell(f"reference: pass {number + 1} of {passes}, {time.perf_counter() - began:.0f} s")
        total += np.load(file)
    return total / np.float32(passes)


def _load(stage: Stage) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return mitsuba.load_dict(_described(stage, Path(folder)))


def _pass(scene: Any, sensor: Any, number: int) -> NDArray[np.float32]:
    """Trace one pass: (2, height, width, 3), every other part of it in either half."""
    halves = np.zeros((2, *sensor.film().size()[::-1], 3), np.float32)
    for part in range(STRATA // AT_ONCE):
        image = mitsuba.render(scene, sensor=sensor, spp=AT_ONCE, seed=number * STRATA + part)
        halves[part % 2] += np.array(image)[..., :3]
    return halves * np.float32(2 * AT_ONCE / STRATA)


def _digest(stage: Stage) -> str:
    """Name a reference by everything that it depends on."""
    faces, volume, sky, camera = stage.faces, stage.volume, stage.sky, stage.camera
    name = hashlib.sha256(repr((EDGE, STRATA, DEPTH, SUN_MAP, VERSION)).encode())
    for part in (
        faces.voxel,
        faces.direction,
        faces.material,
        volume.albedo,
        volume.emission,
        volume.opacity,
    ):
        name.update(np.ascontiguousarray(part).tobytes())
    for part in (
        sky.sun,
        sky.sun_light,
        sky.zenith,
        sky.horizon,
        sky.ground,
        camera.eye,
        camera.back,
        camera.up,
    ):
        name.update(np.asarray(part, np.float64).tobytes())
    name.update(repr((sky.sun_radius, camera.half, camera.parallel, stage.size)).encode())
    name.update(mitsuba.__version__.encode())
    return name.hexdigest()[:24]


def _described(stage: Stage, folder: Path) -> dict[str, Any]:
    """Write the meshes into a folder, and describe the scene to Mitsuba."""
    volume = stage.volume
    parts: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "volpath", "max_depth": DEPTH, "rr_depth": 6},
        "sky": {
            "type": "envmap",
            "bitmap": mitsuba.Bitmap(_environment(stage.sky)),
            "to_world": mitsuba.ScalarTransform4f().rotate([1, 0, 0], 90),
            "sampling_weight": float(stage.sky.open_irradiance().mean() * len(stage.faces) / 4),
        },
    }
    for material in range(1, len(volume.albedo)):
        rows = stage.faces.material == material
        if not rows.any():
            continue
        faces = stage.faces.pick(rows)
        file = folder / f"{material}.ply"
        _write_ply(file, faces.voxel[:, None, :] + CORNERS[faces.direction])
        shape: dict[str, Any] = {"type": "ply", "filename": str(file), "face_normals": True}
        shape["bsdf"] = _skin(volume.albedo[material], float(volume.opacity[material]))
        if volume.emission[material].max() > 0:
            radiance = volume.emission[material]
            power = float(radiance.mean() * np.pi * len(faces))
            shape["emitter"] = {"type": "area", "radiance": _rgb(radiance), "sampling_weight": power}
        parts[f"material_{material}"] = shape
    return parts


def _skin(albedo: NDArray[np.float32], opacity: float) -> dict[str, Any]:
    if opacity >= 1:
        return {"type": "diffuse", "reflectance": _rgb(albedo)}
    plastic = {"type": "plastic", "diffuse_reflectance": _rgb(albedo)}
    return {"type": "mask", "opacity": opacity, "nested": {"type": "twosided", "nested": plastic}}


def _rgb(color: NDArray[Any]) -> dict[str, Any]:
    return {"type": "rgb", "value": [float(c) for c in color]}


def _write_ply(file: Path, corners: NDArray[Any]) -> None:
    """Write quads (n, 4, 3) as triangles."""
    first = 4 * np.arange(len(corners))[:, None, None]
    triangles = (first + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    rows = np.zeros(len(triangles), [("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, triangles
    head = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {4 * len(corners)}\nproperty float x\n"
        f"property float y\nproperty float z\nelement face {len(rows)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    file.write_bytes(head.encode() + corners.reshape(-1, 3).astype("<f4").tobytes() + rows.tobytes())


def sky_radiance(sky: Sky, way: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sky's radiance (..., 3) in directions (..., 3), as the shaders see it."""
    rise = way[..., 2:]
    above = sky.horizon + (sky.zenith - sky.horizon) * np.sqrt(np.clip(rise, 0, 1))
    out: NDArray[np.float64] = sky.ground + (above - sky.ground) * np.clip(rise / 0.06 + 0.5, 0, 1)
    return out


def _environment(sky: Sky) -> NDArray[np.float32]:
    """Paint sky and sun on a latitude-longitude map (H, W, 3) whose pole is z."""
    width, height = SUN_MAP, SUN_MAP // 2
    down = ((np.arange(height) + 0.5) * np.pi / height)[:, None]
    around = (np.arange(width) + 0.5) * 2 * np.pi / width
    x, y, z = np.broadcast_arrays(np.sin(around) * np.sin(down), np.cos(around) * np.sin(down), np.cos(down))
    way = np.stack([x, y, z], axis=-1)
    image = sky_radiance(sky, way)
    disc = way @ sky.sun >= np.cos(np.arctan(sky.sun_radius))
    angle = np.broadcast_to(np.sin(down) * (np.pi / height) * (2 * np.pi / width), disc.shape)
    image[disc] += sky.sun_light / angle[disc].sum()
    return image.astype(np.float32)


def _sensor(stage: Stage, width: int, height: int) -> dict[str, Any]:
    camera = stage.camera
    place = mitsuba.ScalarTransform4f().look_at(
        origin=camera.eye.tolist(), target=(camera.eye - camera.back).tolist(), up=camera.up.tolist()
    )
    lens: dict[str, Any] = {
        "type": "perspective",
        "fov": float(np.degrees(2 * np.arctan(camera.half))),
        "fov_axis": "y",
    }
    if camera.parallel:
        place = place @ mitsuba.ScalarTransform4f().scale(
            [camera.half * camera.aspect, camera.half * camera.aspect, 1]
        )
        lens = {"type": "orthographic"}
    film = {
        "type": "hdrfilm",
        "width": width,
        "height": height,
        "pixel_format": "rgb",
        "rfilter": {"type": "box"},
    }
    return {
        **lens,
        "near_clip": 0.1,
        "far_clip": 10_000.0,
        "to_world": place,
        "film": film,
        "sampler": {"type": "independent"},
    }
