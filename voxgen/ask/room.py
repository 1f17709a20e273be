"""Free ground in a built scene: where a thing can stand without touching another, in sight of the viewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.ask.layout import LOOKS_DOWN, TOWARDS_VIEWER
from voxgen.scene import VoxelGrid

TUFT = 1  # cells that may stick out of the ground below a thing
SIGHT = 120  # cells a line of sight is followed
RIM = 6  # cells from the back where a slab of ground is whole
MOST = 512  # cells a side of a scene


class Room:
    """The tops of a grid's columns, and what they are of; things that take room on it are remembered."""

    def __init__(self, grid: VoxelGrid) -> None:
        cells = grid.indices
        self.tops = np.where(cells.any(2), cells.shape[2] - 1 - np.argmax(cells[:, :, ::-1] != 0, axis=2), -1)
        surface = np.take_along_axis(cells, np.maximum(self.tops, 0)[:, :, None], axis=2)[:, :, 0]
        self.names = np.array([m.name for m in grid.palette], dtype=object)[surface]
        self.below = np.array([m.name for m in grid.palette], dtype=object)[cells[:, :, 0]]

    def stand(
        self, size: list[int], foot: float, on: list[str], area: list[list[int]] | None
    ) -> list[int] | None:
        """Return the low corner of a free, visible place for a thing of this size, and take it; None if none.

        foot: radius of what touches the ground. on: names of the materials it may stand on.
        """
        wide, deep, tall = size
        across, along = self.tops.shape
        if wide > across or deep > along:
            return None
        reach = int(min(foot, (wide - 1) // 2, (deep - 1) // 2))
        ground = np.isin(self.names, on)
        level = self.tops[wide // 2 : wide // 2 + across - wide + 1, deep // 2 : deep // 2 + along - deep + 1]
        low = _over(np.where(ground, self.tops, -9), 2 * reach + 1, 2 * reach + 1, np.min)
        low = low[wide // 2 - reach :, deep // 2 - reach :][: level.shape[0], : level.shape[1]]
        free = (_over(self.tops, wide, deep, np.max) <= level + TUFT) & (low >= level - TUFT) & (level >= 0)
        spots = np.argwhere(free)
        if area:
            middle = spots + np.array([wide // 2, deep // 2])
            spots = spots[((middle >= area[0]) & (middle <= area[1])).all(1)]
        seen = [s for s in spots.tolist() if self._seen(s[0] + wide / 2, s[1] + deep / 2, size, level[*s])]
        if not seen:
            return None
        goal = np.mean(area, axis=0) if area else np.array(self.tops.shape) * (0.5, 0.45)
        x, y = min(seen, key=lambda s: (round(float(np.hypot(*(s + np.array(size[:2]) / 2 - goal))), 6), s))
        z = int(level[x, y]) + 1
        self.tops[x : x + wide, y : y + deep] = z + tall
        self.names[x : x + wide, y : y + deep] = ""
        return [x, y, z]

    def _seen(self, x: float, y: float, size: list[int], level: int) -> bool:
        """Say whether nothing stands between the viewer and the middle of a thing."""
        start = max(size[:2]) / 2
        for step in range(1, SIGHT):
            a, b = int(x + (start + step) * TOWARDS_VIEWER[0]), int(y + (start + step) * TOWARDS_VIEWER[1])
            if not (0 <= a < self.tops.shape[0] and 0 <= b < self.tops.shape[1]):
                return True
            if self.tops[a, b] > level + 1 + 0.6 * size[2] + step * LOOKS_DOWN:
                return False
        return True

    def widen(self, size: list[int], on: list[str]) -> list[dict[str, Any]]:
        """Lay new ground behind a slab, deep enough for a thing; return its steps, [] for an island or so."""
        across, along = self.tops.shape
        ground = np.isin(self.names, on)
        more = size[1] + RIM
        if not ground.any() or size[0] > across or along + more > MOST:
            return []
        level = Counter(self.tops[ground].tolist()).most_common(1)[0][0]
        if np.mean(self.tops[:, max(along - RIM, 0)] >= level) < 0.8:
            return []
        turf = Counter(self.names[ground & (self.tops == level)].tolist()).most_common(4)
        base = Counter(n for n in self.below.ravel().tolist() if n != "air").most_common(1)
        box = [[0, along - RIM, 0], [across - 1, along + more - 1, level]]
        top = [[0, along - RIM, level], box[1]]
        mix = {str(name): count for name, count in turf}
        self.tops = np.pad(self.tops, ((0, 0), (0, more)), constant_values=level)
        self.names = np.pad(self.names, ((0, 0), (0, more)), constant_values=turf[0][0])
        return [
            {"note": "more ground, its turf", "box": top, "only": "air", "of": mix},
            {"note": "more ground", "box": box, "only": "air", "of": base[0][0] if base else mix},
        ]


def _over(values: NDArray[Any], wide: int, deep: int, of: Callable[..., NDArray[Any]]) -> NDArray[Any]:
    """Return the least or the most over every window of wide x deep cells."""
    rows = of(np.lib.stride_tricks.sliding_window_view(values, wide, 0), axis=-1)
    return of(np.lib.stride_tricks.sliding_window_view(rows, deep, 1), axis=-1)
