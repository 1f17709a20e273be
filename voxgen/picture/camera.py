"""Where the picture is taken from: view names, and cameras fitted to the occupied voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.errors import UsageError
from voxgen.scene import View, VoxelGrid

Doubles = NDArray[np.float64]

FOV = 28.0  # vertical field of view, degrees: a long lens keeps the voxels' proportions
FILL = 0.90  # share of the frame the scene takes in its limiting direction
ISO_ELEVATION = math.degrees(math.atan(math.sqrt(0.5)))  # 35.264: all three axes equally long
# name: azimuth, elevation, parallel projection
VIEWS: dict[str, tuple[float, float, bool]] = {
    "hero": (30.0, 26.0, False),
    "iso": (45.0, ISO_ELEVATION, True),
    "front": (0.0, 12.0, False),
    "right": (90.0, 12.0, False),
    "back": (180.0, 12.0, False),
    "left": (-90.0, 12.0, False),
    "top": (0.0, 90.0, True),
}


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A camera in voxel units; eye, right, up and back are (3,) float64, the last three unit length.

    half: half the frame's height, at distance 1 (perspective) or anywhere (parallel).
    near, far: distances along the view that enclose the scene.
    """

    eye: Doubles
    right: Doubles
    up: Doubles
    back: Doubles
    half: float
    aspect: float
    parallel: bool
    near: float
    far: float

    def project(self, points: NDArray[Any]) -> Doubles:
        """Points (..., 3) -> (..., 3): x and y in -1..1 inside the frame (y up), depth along the view."""
        offset = points - self.eye
        depth = -(offset @ self.back)
        scale = self.half if self.parallel else self.half * depth
        x = offset @ self.right / (scale * self.aspect)
        y = offset @ self.up / scale
        return np.stack([x, y, depth], axis=-1)

    def project_each(self, points: NDArray[Any]) -> Doubles:
        """Project as `project` does, and bit for bit alike wherever a point stands in the array."""
        offset = points - self.eye
        x, y, z = offset[..., 0], offset[..., 1], offset[..., 2]
        along = [x * v[0] + y * v[1] + z * v[2] for v in (self.right, self.up, -self.back)]
        scale = self.half if self.parallel else self.half * along[2]
        return np.stack([along[0] / (scale * self.aspect), along[1] / scale, along[2]], axis=-1)

    def rays(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return where the rays through points of the frame start and which way they go: (n, 3) each."""
        aside = (x * (self.half * self.aspect))[:, None] * self.right + (y * self.half)[:, None] * self.up
        if self.parallel:
            start, way = self.eye + aside, np.broadcast_to(-self.back, aside.shape)
        else:
            start, way = np.broadcast_to(self.eye, aside.shape), aside - self.back
        return start.astype(np.float32), way.astype(np.float32)

    def projection(self, window: tuple[float, float, float, float] = (-1, 1, -1, 1)) -> Doubles:
        """Return the OpenGL projection matrix (4, 4) of part of the frame: left, right, bottom, top."""
        left, right, bottom, top = window
        near, far = self.near, self.far
        matrix = np.zeros((4, 4))
        if self.parallel:
            matrix[0, 0], matrix[1, 1] = 1 / (self.half * self.aspect), 1 / self.half
            matrix[2, 2], matrix[2, 3] = -2 / (far - near), -(far + near) / (far - near)
            matrix[3, 3] = 1
        else:
            matrix[0, 0], matrix[1, 1] = 1 / (self.half * self.aspect), 1 / self.half
            matrix[2, 2], matrix[2, 3] = -(far + near) / (far - near), -2 * far * near / (far - near)
            matrix[3, 2] = -1
        crop = np.eye(4)
        crop[0, 0], crop[0, 3] = 2 / (right - left), -(right + left) / (right - left)
        crop[1, 1], crop[1, 3] = 2 / (top - bottom), -(top + bottom) / (top - bottom)
        return crop @ matrix

    def pixels_per_voxel(self, points: NDArray[Any], height: int) -> float:
        """How many pixels a voxel edge takes where the scene is nearest, in a frame `height` pixels high."""
        if self.parallel:
            return height / (2 * self.half)
        return height / (2 * self.half * max(self.near_depth(points), 1e-6))

    def near_depth(self, points: NDArray[Any]) -> float:
        """Distance along the view to the nearest of some points."""
        return float((-((points - self.eye) @ self.back)).min())


def parse(view: str) -> tuple[View, bool]:
    """Read a view: a name of VIEWS, "AZ,EL" or "AZ,EL,ZOOM"; the flag says parallel projection.

    >>> parse("40,20")
    (View(azimuth=40.0, elevation=20.0, zoom=1.0), False)

    Raises UsageError for anything else.
    """
    name = view.strip().lower()
    if name in VIEWS:
        azimuth, elevation, parallel = VIEWS[name]
        return View(azimuth, elevation), parallel
    hint = f"one of {', '.join(VIEWS)}, or AZIMUTH,ELEVATION[,ZOOM] in degrees such as 30,25"
    try:
        numbers = [float(part) for part in name.split(",")]
    except ValueError:
        raise UsageError(f"{view[:60]!r} is not a view", hint) from None
    if not 2 <= len(numbers) <= 3 or not all(math.isfinite(n) for n in numbers):
        raise UsageError(f"{view[:60]!r} is not a view", hint)
    return _checked(View(*numbers)), False


def _checked(view: View) -> View:
    """Return the view, or raise UsageError when its numbers make no picture."""
    azimuth, elevation, zoom = view.azimuth or 0.0, view.elevation or 0.0, view.zoom
    if not math.isfinite(azimuth) or not -90 <= elevation <= 90:
        raise UsageError(
            f"a view from elevation {elevation:g} is impossible", "elevation is -90 to 90 degrees"
        )
    if not 0.05 <= zoom <= 20:
        raise UsageError(f"a zoom of {zoom:g} is out of range", "zoom is 0.05 to 20, 1 fits the scene")
    return view


def aim(view: str | View | None) -> tuple[float, float, float, bool]:
    """Return azimuth, elevation, zoom and the parallel flag; what a view leaves open is the hero's."""
    view, parallel = parse(view) if isinstance(view, str) else (_checked(view or View()), False)
    azimuth, elevation, _ = VIEWS["hero"]
    azimuth = azimuth if view.azimuth is None else view.azimuth
    elevation = elevation if view.elevation is None else view.elevation
    return azimuth, elevation, view.zoom, parallel


def outline(grid: VoxelGrid) -> Doubles:
    """Return points (n, 3) whose convex hull encloses the occupied voxels: the ends of every column."""
    filled = grid.indices != 0
    columns = filled.any(axis=2)
    x, y = np.nonzero(columns)
    bottom = filled.argmax(axis=2)[x, y]
    top = filled.shape[2] - filled[:, :, ::-1].argmax(axis=2)[x, y]
    points = [np.stack([x + dx, y + dy, z], axis=-1) for dx in (0, 1) for dy in (0, 1) for z in (bottom, top)]
    return np.concatenate(points).astype(np.float64)


def revolved(points: Doubles, ways: int = 180) -> Doubles:
    """Return points (n, 3) around all that others sweep when they turn about the middle of their box."""
    middle = (points.min(axis=0) + points.max(axis=0))[:2] / 2
    radius = np.hypot(*(points[:, :2] - middle).T)
    heights, row = np.unique(points[:, 2], return_inverse=True)  # noqa: TID251 (of a few hundred heights)
    widest = np.zeros(len(heights))
    np.maximum.at(widest, row, radius)
    angle = np.arange(ways) * (2 * np.pi / ways)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    across = (middle + widest[:, None, None] * ring).reshape(-1, 2)
    return np.column_stack([across, np.repeat(heights, ways)])


def direction(azimuth: float, elevation: float) -> Doubles:
    """Return the unit vector (3,) towards a place in the sky; azimuth as in Light."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.cos(e) * math.sin(a), -math.cos(e) * math.cos(a), math.sin(e)])


def fit(
    points: Doubles, view: str | View | None, size: tuple[int, int], *, parallel: bool | None = None
) -> Camera:
    """Return a camera that shows all points (n, 3) in a frame of (width, height) pixels.

    Zoom 1 fills 90 % of the frame in the direction that limits it; the scene is centred. Solved
    exactly: in perspective each side of the frame is a plane, and the nearest eye is where two
    opposite planes both touch the points. parallel: None is as the view says.
    """
    azimuth, elevation, zoom, named_parallel = aim(view)
    parallel = named_parallel if parallel is None else parallel
    back = direction(azimuth, elevation)
    a = math.radians(azimuth)
    right = np.array([math.cos(a), math.sin(a), 0.0])
    up = np.cross(back, right)
    aspect = size[0] / size[1]
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    offset = points - centre
    x, y, z = offset @ right, offset @ up, offset @ back
    slope = math.tan(math.radians(FOV) / 2)
    if parallel:
        half = max(np.ptp(x) / aspect, np.ptp(y)) / 2 / (FILL * zoom)
        eye = centre + right * ((x.max() + x.min()) / 2) + up * ((y.max() + y.min()) / 2)
        distance = float(z.max()) + float(np.ptp(z)) + 10
    else:
        half = slope
        tall, wide = slope * FILL, slope * FILL * aspect
        east, west = (x + wide * z).max(), (-x + wide * z).max()
        north, south = (y + tall * z).max(), (-y + tall * z).max()
        distance = max((east + west) / (2 * wide), (north + south) / (2 * tall))
        half /= zoom  # a longer lens: the perspective stays
        eye = centre + right * ((east - west) / 2) + up * ((north - south) / 2)
    eye = eye + back * distance
    depth = distance - z
    near, far = float(depth.min()), float(depth.max())
    near, far = max(near - 1, 0.05 * near, 1e-2), far + 1
    return Camera(eye, right, up, back, float(half), aspect, parallel, near, far)


def pixel_view(view: str | View | None) -> View:
    """Return the view that pixel art takes: from a corner, two across for one up, but as given by number."""
    azimuth, elevation, zoom, _ = aim(view)
    if isinstance(view, str) and view.strip().lower() not in ("iso", "hero"):
        return View(azimuth, elevation, zoom)
    return View(45.0 + 90 * round((azimuth - 45) / 90), 30.0, zoom)


def pixel_grain(points: Doubles, view: str | View | None, size: tuple[int, int]) -> int:
    """Return how many pixels of a picture make one square pixel of pixel art, 2 to 6.

    About 3 in a picture 960 pixels high, a little more or less where voxels then come out even.
    """
    usual = int(np.clip(round(min(size) / 320), 2, 6))
    for grain in sorted(range(2, 7), key=lambda grain: abs(grain - usual)):
        if abs(grain - usual) <= 1 and _evened(points, view, size, grain) is not None:
            return grain
    return usual


def pixel_camera(points: Doubles, view: str | View | None, size: tuple[int, int], grain: int) -> Camera:
    """Return a parallel camera for pixel art, in a frame of size / grain pixels, rounded up.

    Where that costs little of the frame, the edges of voxels run from pixel corner to pixel corner.
    """
    camera = _evened(points, view, size, grain)
    return camera or fit(points, pixel_view(view), coarse(size, grain), parallel=True)


def coarse(size: tuple[int, int], grain: int) -> tuple[int, int]:
    """Return a picture's size in squares of grain pixels, rounded up."""
    return -(-size[0] // grain), -(-size[1] // grain)


def _evened(points: Doubles, view: str | View | None, size: tuple[int, int], grain: int) -> Camera | None:
    """Return the camera of pixel art with whole pixels a voxel, None where the scene would not fill it."""
    frame = coarse(size, grain)
    camera = fit(points, pixel_view(view), frame, parallel=True)
    run = frame[1] / (2 * camera.half) * abs(float(camera.right[0]))  # pixels along x for one voxel
    whole = math.floor(run * 0.94 / FILL)
    if whole < 2 or whole / run < 0.945 or abs(abs(camera.right[0]) - abs(camera.right[1])) > 1e-6:
        return None
    pixels = whole / abs(float(camera.right[0]))  # a voxel edge
    along = (
        float(camera.eye @ camera.right) * pixels - frame[0] / 2
    )  # of the frame's left side, on the lattice
    shift = (round(along) - along) / pixels
    return replace(camera, half=frame[1] / (2 * pixels), eye=camera.eye + camera.right * shift)
