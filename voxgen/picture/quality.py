"""What each quality spends on a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from voxgen.errors import UsageError


@dataclass(frozen=True, slots=True)
class Quality:
    """Numbers of samples, and how finely light is stored."""

    sun: int  # samples of the sun at each point
    soft: int  # of everything else at each point, at most; big scenes share `paths` out
    paths: int  # of everything else in the whole picture, about
    parts: int  # a face is divided into, each way, at most
    soft_parts: int  # the same for everything but the sun
    grain: int  # pixels that a part should span
    edge: int  # samples that a pixel has along each side
    rays: float = math.inf  # that a picture may take, about
    instead: str = ""  # the quality that is used where it would take more


QUALITIES = {
    "draft": Quality(5, 96, 250_000, 2, 1, 6, 2),
    "good": Quality(6, 256, 500_000, 6, 2, 3, 2, 16e6, "draft"),
    "best": Quality(32, 1024, 9_000_000, 10, 2, 3, 3, 200e6, "good"),
}


def quality_of(name: str) -> Quality:
    """Return a quality by its name; raises UsageError for one that is not in QUALITIES."""
    if name not in QUALITIES:
        raise UsageError(f"{name!r} is not a quality", f"one of {', '.join(QUALITIES)}")
    return QUALITIES[name]
