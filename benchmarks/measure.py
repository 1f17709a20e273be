"""Time and memory, measured fairly on a busy machine: CPU time, in turns, the minimum of several."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
_SHORT = 0.1  # seconds


def in_turn(calls: Mapping[str, Callable[[], object]], runs: int = 5) -> dict[str, float]:
    """Return the least CPU seconds (user + system, all threads) of each call; short ones get more runs."""
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(runs):
        for name, call in calls.items():
            for _ in range(5 if least[name] < _SHORT else 1):
                start = time.process_time()
                call()
                least[name] = min(least[name], time.process_time() - start)
    return least


def processes(commands: Mapping[str, Sequence[str]], runs: int = 5) -> dict[str, float]:
    """Return the least CPU seconds (user + system) of each Python command line, as a whole process."""
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(runs):
        for name, arguments in commands.items():
            child = subprocess.Popen(
                [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            assert child.stderr is not None
            said = child.stderr.read().decode("utf-8", "replace")
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                raise RuntimeError(f"{name} failed: {said[-500:]}")
            least[name] = min(least[name], usage.ru_utime + usage.ru_stime)
    return least


def memory_of(call: Callable[[], object]) -> int:
    """Return the bytes of resident memory that a call adds at most (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again from here
    before = _status("VmRSS")
    kept = call()
    added = _status("VmHWM") - before
    del kept
    return added


def _status(name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.M)
    assert match is not None
    return int(match[1]) * 1024


def arguments(description: str | None, *flags: str) -> argparse.Namespace:
    """Read the command line: --json, and other flags."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    for flag in ("--json", *flags):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def show(tables: Mapping[str, Iterable[Row]], as_json: bool) -> None:
    """Print tables of rows, each under its title."""
    if as_json:
        print(json.dumps({title: list(rows) for title, rows in tables.items()}, indent=1))
        return
    for title, table in tables.items():
        rows = [{name: _text(value) for name, value in row.items()} for row in table]
        names = list(dict.fromkeys(name for row in rows for name in row))
        widths = {n: max(len(n), *(len(row.get(n, "")) for row in rows)) for n in names}
        print(f"\n{title}\n" + "  ".join(n.ljust(widths[n]) for n in names).rstrip())
        for row in rows:
            print("  ".join(row.get(n, "").ljust(widths[n]) for n in names).rstrip())
        sys.stdout.flush()


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
