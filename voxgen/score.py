"""score(): how promising a scene is by measures of its own, to choose among samples of one prompt."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxgen.language.reader import lost_steps
from voxgen.language.remarks import components, solid_runs
from voxgen.preview import look
from voxgen.scene import Scene, VoxelGrid

__all__ = ["Score", "empty_layers", "score"]

_MANY = 50  # colours a rich scene shows
_SHARE = 0.4  # of the frame a well filled picture covers
_FRAME = (96, 72)  # pixels the measures are taken in


class Score(NamedTuple):
    """The measures of a scene, each 0 to 1, and what they make together."""

    steps: float  # share of the steps that could be drawn
    fill: float  # share of the layers along x, y and z that hold something
    colors: float  # how many colours are seen, of 50
    connected: float  # share of the voxels in the largest piece or standing on the lowest layer
    sides: float  # detail of the plainest side, of the average of the four
    frame: float  # share of the picture that is covered, of two fifths

    @property
    def total(self) -> float:
        """The weighted mean, 0 to 1."""
        return sum(w * v for w, v in zip(_WEIGHTS, self, strict=True)) / sum(_WEIGHTS)


_WEIGHTS = (3.0, 1.0, 2.0, 1.0, 1.5, 1.5)  # drawing what was meant counts most, then colour


def score(scene: Scene) -> Score:
    """Measure a scene; nothing here knows what was asked for, so compare scenes of one prompt only.

    Half of `steps` is lost where the scene as a whole is (nothing in it, one voxel, one colour).
    """
    grid = scene.grid
    lost, steps = lost_steps(scene)
    drawn = (1 - lost / max(steps, 1)) * (
        0.5 if any(r.path == "$" and r.level == "loss" for r in scene.repairs) else 1
    )
    layers = sum(grid.size)
    views = [_detail(grid, azimuth) for azimuth in (30.0, 120.0, 210.0, 300.0)]
    details = [detail for detail, _, _ in views]
    _, colors, cover = views[0]
    return Score(
        steps=drawn,
        fill=1 - sum(empty_layers(grid)) / layers,
        colors=min(1.0, colors / _MANY),
        connected=_connected(grid),
        sides=min(details) / max(float(np.mean(details)), 1e-9),
        frame=min(1.0, cover / _SHARE),
    )


def empty_layers(grid: VoxelGrid) -> tuple[int, int, int]:
    """Return how many layers across x, y and z hold nothing."""
    solid = grid.indices != 0
    x, y, z = (int((~solid.any(axis=axes)).sum()) for axes in ((1, 2), (0, 2), (0, 1)))
    return x, y, z


def _detail(grid: VoxelGrid, azimuth: float) -> tuple[float, int, float]:
    """Return how often the colour changes between pixels, the colours and the share covered in a view."""
    image, seen = look(grid, *_FRAME, azimuth=azimuth)
    packed = image.astype(np.int32) @ np.array([65536, 256, 1])
    both = seen[:, 1:] & seen[:, :-1]
    changes = int(((packed[:, 1:] != packed[:, :-1]) & both).sum())
    flat = np.sort(packed[seen])
    colors = int((np.diff(flat) != 0).sum()) + 1 if len(flat) else 0
    return changes / max(int(both.sum()), 1), colors // 2, float(seen.mean())  # two shades a colour, at least


def _connected(grid: VoxelGrid) -> float:
    """Return the share of voxels that are no loose piece; a cloud of dust counts as none."""
    runs, _ = solid_runs(grid)
    if runs is None or not len(runs):
        return 0.0
    labels = components(runs)
    heights = runs[:, 3] - runs[:, 2] + 1
    sizes = np.bincount(labels, heights)
    standing = np.zeros(len(sizes), bool)
    standing[labels[runs[:, 2] == runs[:, 2].min()]] = True
    standing[sizes.argmax()] = True
    return float(sizes[standing].sum() / sizes.sum())
