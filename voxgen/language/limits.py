"""How much a document may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from voxgen.errors import UsageError

MAX_LIMITS = {"side": 2048, "cells": 1 << 32, "steps": 10**7, "step_seconds": 3600, "total_seconds": 86400}


class Limits(NamedTuple):
    """How much a document may ask for; every breach is a repair that says so."""

    side: int = 512  # cells a side
    cells: int = 1 << 27  # cells in all
    steps: int = 20_000  # after repeats
    step_seconds: float = 5.0
    total_seconds: float = 60.0


def parse_limits(settings: Sequence[str]) -> Limits:
    """Read settings such as "side=1024" into Limits; raises UsageError for what is none.

    >>> parse_limits(["side=1024", "steps=50000"]).side
    1024
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            values[name] = type(Limits._field_defaults[name])(value)
        except (KeyError, ValueError):
            names = ", ".join(f"{k}={v}" for k, v in Limits._field_defaults.items())
            raise UsageError(
                f"{setting!r} is not a limit", f"the limits and their usual values: {names}"
            ) from None
        if not 0 < values[name] <= MAX_LIMITS[name]:
            raise UsageError(f"{setting}: out of range", f"{name} goes up to {MAX_LIMITS[name]}")
    return Limits(**values)
