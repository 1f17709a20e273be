"""Glowing faces as lamps: gathered in clusters, and picked at random where they matter (numpy only)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgen.picture.lattice import Floats
from voxgen.picture.mesher import NORMALS, TANGENTS, Faces

OFF = np.float32(1e-3)  # start rays this far off a surface
UP = 6  # the direction of open ground
BRICK = 8  # cells a side of the boxes whose points share a choice of lamps
CLUSTER = 4  # the same, of the boxes whose lamps are chosen together; more where there are many
MOST_CLUSTERS, MOST_CHANCES = 600, 4_000_000
_MARGIN = 1 << 16  # boxes outside the grid count from here
# normals of the six directions and of open ground, and the two axes across each
WAYS = np.concatenate([NORMALS, [[0, 0, 1]]]).astype(np.float32)
ACROSS = np.array([*(t for axis in range(3) for t in [sorted(TANGENTS[axis])] * 2), [0, 1]])

# each place's brick, the bricks' running chances of clusters, and those chances
Choice = tuple[NDArray[np.intp], NDArray[np.float64], Floats]


class Noise:
    """Random numbers 0..1 seeded by place, direction and the number of a sample; each call gives the next."""

    def __init__(self, points: Floats, number: int) -> None:
        at = np.floor(points * np.float32(60) + np.float32(0.5)).astype(np.int64).astype(np.uint32)
        seed = np.full(len(points), number * 26699 & 0xFFFFFFFF, np.uint32)
        for column in range(at.shape[1]):
            seed = _pcg(seed + at[:, column])
        self.state = seed

    def __call__(self) -> Floats:
        """Return the next number of each point: (n,) float32."""
        self.state = _pcg(self.state)
        return (self.state >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def _pcg(v: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Hash integers as grid.glsl does: Jarzynski & Olano, "Hash functions for GPU rendering", 2020."""
    v = v * np.uint32(747796405) + np.uint32(2891336453)
    word = ((v >> ((v >> np.uint32(28)) + np.uint32(4))) ^ v) * np.uint32(277803737)
    return (word >> np.uint32(22)) ^ word


class Lamps:
    """Glowing faces, gathered in clusters, and which clusters matter where."""

    def __init__(self, faces: Faces, emission: Floats) -> None:
        strength = emission.max(axis=1)[faces.material]
        rows = np.flatnonzero(strength > 0)
        side = CLUSTER
        key = bricks(faces.voxel[rows], side)
        while len(_distinct(key)) > MOST_CLUSTERS:
            side *= 2
            key = bricks(faces.voxel[rows], side)
        order = np.argsort(key, kind="stable")
        rows, key = rows[order], key[order]
        self.voxel = faces.voxel[rows].astype(np.float32)
        self.direction = faces.direction[rows]
        self.emission = emission[faces.material[rows]]
        self.strength = strength[rows]
        self.first = np.flatnonzero(np.diff(key, prepend=-1))  # of each cluster
        if not len(rows):
            return
        middle = self.voxel + 0.5
        self.power = np.add.reduceat(self.strength, self.first).astype(np.float64)
        weighted = np.add.reduceat(middle * self.strength[:, None], self.first)
        self.center = (weighted / self.power[:, None]).astype(np.float32)
        running = np.cumsum(self.strength.astype(np.float64))
        before = np.concatenate([[0.0], running])[self.first]
        cluster = np.repeat(np.arange(len(self.first)), np.diff(self.first, append=len(rows)))
        self.within = (
            cluster + (running - before[cluster]) / self.power[cluster]
        )  # rises through all clusters

    def __len__(self) -> int:
        return len(self.strength)

    def choice(self, place: Floats) -> Choice:
        """Return each place's brick, the bricks' running chances of clusters, and those chances."""
        side = BRICK
        key = bricks(place, side)
        known = _distinct(key)
        while len(known) * len(self.first) > MOST_CHANCES:  # points that are strewn far
            side *= 2
            key = bricks(place, side)
            known = _distinct(key)
        mask = (1 << 20) - 1
        middle: NDArray[Any] = np.stack([known >> 40, known >> 20 & mask, known & mask], axis=-1) - _MARGIN
        spot = (middle * side + side / 2).astype(np.float32)
        square = np.zeros((len(known), len(self.first)), np.float32)
        for axis in range(3):
            square += (spot[:, axis : axis + 1] - self.center[:, axis]) ** 2
        chance: Any = self.power.astype(np.float32) / np.maximum(square, np.float32(0.6 * side**2))
        chance /= chance.sum(axis=1, keepdims=True)
        running: Any = np.cumsum(chance, axis=1, dtype=np.float64)
        running /= running[:, -1:]
        running += np.arange(len(known))[:, None]
        return np.searchsorted(known, key), running.reshape(-1), chance.reshape(-1)

    def pick(self, choice: Choice, noise: Noise) -> tuple[NDArray[np.intp], Floats]:
        """Pick a lamp for each place, near and strong ones more often; return it and 1 / its chance."""
        brick, running, chance = choice
        count = len(self.first)
        at = np.searchsorted(running, brick + noise().astype(np.float64), side="right")
        at = np.minimum(at, (brick + 1) * count - 1)
        cluster = at - brick * count
        lamp = np.searchsorted(self.within, cluster + noise().astype(np.float64), side="right")
        last = np.append(self.first[1:], len(self))[cluster] - 1
        lamp = np.minimum(lamp, last)
        share = self.strength[lamp] / self.power[cluster] * chance[at]
        return lamp, (1 / np.maximum(share, 1e-12)).astype(np.float32)

    def place(self, lamp: NDArray[np.intp], noise: Noise) -> Floats:
        """Return a random place on each lamp's face (n, 3), a little in front of it."""
        normal = WAYS[self.direction[lamp]]
        spot = self.voxel[lamp] + np.maximum(normal, 0) + normal * OFF
        across = ACROSS[self.direction[lamp]]
        rows = np.arange(len(lamp))
        for axis in (0, 1):
            spot[rows, across[:, axis]] += noise()
        return spot


def bricks(place: NDArray[Any], side: int) -> NDArray[np.int64]:
    """Return a number for the box of `side` cells that each place (n, 3) is in."""
    cell = np.floor(place / side).astype(np.int64) + _MARGIN
    return np.asarray((cell[:, 0] << 40) | (cell[:, 1] << 20) | cell[:, 2])


def _distinct(key: NDArray[np.int64]) -> NDArray[np.int64]:
    ordered = np.sort(key)
    return ordered[np.diff(ordered, prepend=-1) > 0]
