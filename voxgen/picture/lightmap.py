"""Light on the voxel faces, traced through the grid by a fragment shader.

Light is baked at lattice points, not at faces: points at the corners (and between) that neighbouring
faces of one plane share, each an average over the faces around it. Shared points leave no seams and
need a quarter of the samples. Random numbers are seeded by place and direction, so a point gets the same
light whether the visible faces are baked or all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkTexture

from voxgen.errors import RenderError
from voxgen.picture.lattice import (
    FREE,
    SOFT,
    SUN,
    SUN_MAP,
    Floats,
    Paints,
    facing,
    free_space,
    lattice,
    resampled,
    smoothed,
    sunlight,
)  # fmt: skip
from voxgen.picture.mesher import CORNERS, TANGENTS, Faces
from voxgen.picture.quality import Quality
from voxgen.picture.screen import LIMIT, Screen, Uniforms, paint, quads, refill, set_uniforms, shader, texture
from voxgen.picture.sky import Sky
from voxgen.scene import Indices, Material

LAMPS = 4096  # entries of the lamp table
TILE = (1024, 256)  # points per draw
BLOCK = 4  # points along the side of a square of neighbours: drawn together, they take similar paths
SAMPLES_PER_DRAW = 16  # of a full tile: keeps one draw short, for drivers that stop long ones


class Volume(Paints):
    """A grid made ready to trace: textures and uniforms that every tracing shader takes.

    indices: (X, Y, Z), cropped to what is occupied; palette: material 0 is air.
    """

    def __init__(self, indices: Indices, palette: tuple[Material, ...], faces: Faces, sky: Sky) -> None:
        super().__init__(indices, palette, faces, sky)
        cells, columns_log2, wide = _grid_image(indices, self.opacity)
        lamps, count = _lamp_table(faces, self.emission)
        palette_image = _palette_image(self.albedo, self.opacity, self.emission, self.metal)
        self.textures: dict[str, vtkTexture] = {
            "grid": texture(cells),
            "palette": texture(palette_image),
            "lamps": texture(lamps),
        }
        self.sun_map_points, sun_map = _sun_map_plan(indices.shape, sky)
        side = int(np.sqrt(len(self.sun_map_points)))
        self.textures["sun_map"] = texture(np.zeros((side, side, 3), np.float32))
        x, y, z = indices.shape
        self.uniforms: Uniforms = {
            "size_x": x, "size_y": y, "size_z": z, "columns_log2": columns_log2, "wide": wide,
            "lamp_count": count, "sun": tuple(sky.sun), "sun_light": tuple(sky.sun_light),
            "sun_radius": sky.sun_radius, "zenith": tuple(sky.zenith), "horizon": tuple(sky.horizon),
            "ground": tuple(sky.ground), "brightest": 18.0 / sky.exposure, "max_bounces": 3, "candidates": 12,
            "lamp_every": sky.lamp_every,
            **sun_map,
        }  # fmt: skip


def _sun_map_plan(shape: tuple[int, ...], sky: Sky) -> tuple[Floats, Uniforms]:
    """Lay a square of rays across the sun's view of a grid: their starts (n, 4), and the map's uniforms."""
    a = np.cross(sky.sun, [0.0, 0.0, 1.0] if abs(sky.sun[2]) < 0.9 else [1.0, 0.0, 0.0])
    a /= np.linalg.norm(a)
    b = np.cross(sky.sun, a)
    corners = np.array([[x, y, z] for x in (0, shape[0]) for y in (0, shape[1]) for z in (0, shape[2])])
    across = np.stack([corners @ a, corners @ b], axis=-1)
    low, width = across.min(axis=0) - 1, float(np.ptp(across, axis=0).max()) + 2
    side = int(np.clip(4 * width, 64, 768))
    step, top = width / side, float((corners @ sky.sun).max()) + 1
    u = low[0] + step * np.arange(side)
    v = low[1] + step * np.arange(side)
    points = np.zeros((side, side, 4), np.float32)
    points[..., :3] = u[:, None] * a + (v[:, None] * b)[:, None, :] + top * sky.sun
    plan: Uniforms = {
        "sun_a": tuple(a), "sun_b": tuple(b), "sun_low": (low[0], low[1], 0.0), "sun_step": step,
        "sun_side": side, "sun_top": top,
    }  # fmt: skip
    return points.reshape(-1, 4), plan


def _grid_image(indices: Indices, opacity: Floats) -> tuple[NDArray[np.uint8], int, int]:
    """Lay the z slices out side by side: (rows, columns, 1 or 2) uint8, log2 of slices in a row, wide."""
    nx, ny, nz = indices.shape
    log2 = 0
    while (1 << log2) * nx < -(-nz // (1 << log2)) * ny:
        log2 += 1
    columns, rows = 1 << log2, -(-nz // (1 << log2))
    if columns * nx > LIMIT or rows * ny > LIMIT:
        raise RenderError(
            f"a grid of {nx}x{ny}x{nz} cells does not fit the graphics memory's largest texture",
            "512 cells a side fit; cut the scene, or build it at a smaller size",
        )
    wide = int(len(opacity) > 255 - FREE)
    image = np.zeros((rows, columns, ny, nx, 1 + wide), np.uint8)
    free = free_space(indices)
    for z in range(nz):
        layer = indices[:, :, z].T
        code = np.where(layer > 0, layer.astype(np.uint32) + (FREE - 1), free[:, :, z].T)
        image[z >> log2, z & (columns - 1), ..., 0] = code & 255
        if wide:
            image[z >> log2, z & (columns - 1), ..., 1] = code >> 8
    return image.transpose(0, 2, 1, 3, 4).reshape(rows * ny, columns * nx, 1 + wide), log2, wide


def _palette_image(albedo: Floats, opacity: Floats, emission: Floats, metal: Floats) -> Floats:
    """Pairs of rows of 256 materials: colour and opacity; emission and metal. (2 rows, 256, 4)."""
    rows = -(-len(opacity) // 256)
    image = np.zeros((rows, 2, 256, 4), np.float32)
    flat = np.zeros((rows * 256, 2, 4), np.float32)
    flat[: len(opacity), 0, :3], flat[: len(opacity), 0, 3] = albedo, opacity
    flat[: len(opacity), 1, :3], flat[: len(opacity), 1, 3] = emission, metal
    image[:] = flat.reshape(rows, 256, 2, 4).transpose(0, 2, 1, 3)
    return image.reshape(rows * 2, 256, 4)


def _lamp_table(faces: Faces, emission: Floats) -> tuple[Floats, int]:
    """Glowing faces, about as often as they are strong: (rows, 1024, 4) and the number of entries.

    Pairs of texels: voxel and direction; material and weight (the inverse of its probability).
    """
    power = emission.max(axis=1)[faces.material].astype(np.float64)
    glowing = np.flatnonzero(power > 0)
    if not len(glowing):
        return np.zeros((1, 1024, 4), np.float32), 0
    share = power[glowing] / power[glowing].sum()
    if len(glowing) <= LAMPS:
        times = np.maximum(1, np.floor(share * LAMPS)).astype(np.int64)
        weight = times.sum() / times
    else:  # systematic resampling: evenly spaced marks along the running sum
        times = np.diff(np.floor(np.cumsum(share) * LAMPS + 0.5).astype(np.int64), prepend=0)
        weight = 1 / share
    chosen = np.repeat(glowing, times)
    count = len(chosen)
    table = np.zeros((-(-count // 512) * 512, 2, 4), np.float32)
    table[:count, 0, :3], table[:count, 0, 3] = faces.voxel[chosen], faces.direction[chosen]
    table[:count, 1, 0], table[:count, 1, 1] = faces.material[chosen], np.repeat(weight, times)
    return table.reshape(-1, 1024, 4), count


class Baker:
    """Traces light at points; one window and one shader for all bakes of a picture.

    screen: the window of another Baker that is done; None opens a new one.
    """

    def __init__(self, volume: Volume, sky: Sky, screen: Screen | None = None) -> None:
        width, height = TILE
        self.sky = sky
        self.screen = screen or Screen(width, height)
        whole = np.array([[[-1, 0, 0], [1, 0, 0], [1, 1, 0], [-1, 1, 0]]])
        self.points = texture(np.zeros((height, width, 4), np.float32))
        textures = {**volume.textures, "points": self.points}
        self.actor = paint(quads(whole, whole[..., :2]), shader("grid", "bake"), "bake()", textures)
        set_uniforms(self.actor, volume.uniforms)
        flat = np.diag([1.0, 2.0, -0.1, 1.0])  # y 0..1 fills the window
        flat[1, 3] = -1
        self.screen.look((0, 0, 5), (0, 0, 0), (0, 1, 0), flat)
        side = int(np.sqrt(len(volume.sun_map_points)))
        depth = self.bake(volume.sun_map_points, 0.0, SUN_MAP, 1)
        refill(volume.textures["sun_map"], depth.reshape(side, side, 3))

    def bake(self, points: Floats, spacing: float, kind: int, samples: int, start: int = 0) -> Floats:
        """Return irradiance (n, 3) at points (n, 4): position in voxels, direction (6 is open ground).

        A direction below 0 is left out: its light is 0. start is the number of the first sample.
        """
        wanted = points[:, 3] >= 0
        if not wanted.all():
            light = np.zeros((len(points), 3), np.float32)
            light[wanted] = self.bake(points[wanted], spacing, kind, samples, start)
            return light
        width, height = TILE
        out = np.zeros((len(points), 3), np.float32)
        set_uniforms(self.actor, {"spacing": float(spacing), "kind": kind})
        for low in range(0, len(points), width * height):
            part = points[low : low + width * height]
            # draw no more rows than there are points: an idle fragment costs a few microseconds
            rows = BLOCK * -(-len(part) // (BLOCK * width))
            padded = np.full((rows * width, 4), -1, np.float32)
            padded[: len(part)] = part
            refill(self.points, _in_blocks(padded, width))
            self.actor.SetScale(1, rows / height, 1)
            total = np.zeros((rows, width, 4), np.float32)
            step = min(128, SAMPLES_PER_DRAW * (width * height // len(part)))
            for first in range(0, samples, step):
                count = min(step, samples - first)
                set_uniforms(self.actor, {"first": start + first, "samples": count})
                total += self.screen.shoot([self.actor])[:rows]
            out[low : low + len(part)] = _out_of_blocks(total)[: len(part), :3]
        return out / np.float32(samples)

    def bake_sun(self, points: Floats, spacing: float, samples: int) -> Floats:
        """Return the sun's irradiance (n, 3) at points as `bake` takes them."""

        def bake(some: Floats, first: int, count: int) -> Floats:
            return self.bake(some, spacing, SUN, count, first)

        return sunlight(bake, points, self.sky, samples)

    def close(self) -> None:
        """Give the window back."""
        self.screen.close()


def _in_blocks(points: Floats, width: int) -> Floats:
    """Lay points (n, c) in squares of neighbours: (n / width, width, c)."""
    squares = points.reshape(-1, width // BLOCK, BLOCK, BLOCK, points.shape[-1])
    return squares.transpose(0, 2, 1, 3, 4).reshape(-1, width, points.shape[-1])


def _out_of_blocks(image: Floats) -> Floats:
    """Undo `_in_blocks`: (H, W, c) to (H * W, c)."""
    height, width, channels = image.shape
    squares = image.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels)
    return squares.transpose(0, 2, 1, 3, 4).reshape(-1, channels)


def light_faces(baker: Baker, sky: Sky, faces: Faces, parts: int, fewest: int, quality: Quality) -> Floats:
    """Irradiance (n, parts + 1, parts + 1, 3) on faces, at the points of their lattice.

    Many points get fewer samples each, at least `fewest`, and are averaged with their neighbours instead.
    """
    out = np.zeros((len(faces), parts + 1, parts + 1, 3), np.float32)
    lit = np.flatnonzero(facing(faces.direction, sky.sun))
    points, index = lattice(faces.pick(lit), parts)
    wide = round(8 * sky.sun_radius)  # a large soft sun needs more samples, and bears some blur
    light = baker.bake_sun(points, 1 / parts, quality.sun * (1 + wide))
    for _ in range(wide):
        light = smoothed(light, index)
    out[lit] = light[index]
    paths, fewest = (int(number * sky.lamp_effort) for number in (quality.paths, fewest))
    coarse = quality.soft_parts
    while coarse > 1 and paths < fewest * coarse * len(faces):
        coarse -= 1
    points, index = lattice(faces, coarse)
    count = int(np.clip(paths / max(len(points), 1), max(4, fewest // coarse), quality.soft))
    light = baker.bake(points, 1 / coarse, SOFT, count)
    for _ in range(1 + max(0, round(np.log2(64 / count)))):
        light = smoothed(light, index)
    out += resampled(light[index], parts + 1)
    return out


def atlas(maps: Floats, direction: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Lay maps (n, side, side, c) of faces side by side: an image (H, W, c), corner coordinates (n, 4, 2).

    Coordinates run from texel centre to texel centre, so neighbours in the atlas never mix.
    """
    count, side, _, channels = maps.shape
    columns = max(1, int(np.ceil(np.sqrt(count))))
    rows = max(1, -(-count // columns))
    image = np.zeros((rows * columns, side, side, channels), np.float32)
    image[:count] = maps
    image = image.reshape(rows, columns, side, side, channels).transpose(0, 2, 1, 3, 4)
    image = image.reshape(rows * side, columns * side, channels)
    number = np.arange(count)
    corner = np.stack([number % columns, number // columns], axis=-1)[:, None, :] * side
    texel = corner + 0.5 + _CORNER_UV[direction] * (side - 1)
    return image, (texel / [columns * side, rows * side]).astype(np.float32)


# where each corner of a face lies in its map: along the second tangent (columns), the first (rows)
_CORNER_UV = np.stack([CORNERS[d][:, list(TANGENTS[d // 2][::-1])] for d in range(6)])
