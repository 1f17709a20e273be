"""Start-up: voxgen --version and --help beside `import typer`, as whole processes in turn.

    python benchmarks/start.py [--json]

CPU seconds (user + system) of the child, the minimum of nine runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys

COMMANDS = {
    "import typer": ["-c", "import typer"],
    "voxgen --version": ["-m", "voxgen", "--version"],
    "voxgen --help": ["-m", "voxgen", "--help"],
}


def cpu_seconds(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(9):
        for name, arguments in COMMANDS.items():
            times[name].append(cpu_seconds(arguments))
    base = min(times["import typer"])
    rows = [
        {"command": name, "seconds": round(min(runs), 3), "ratio": round(min(runs) / base, 2)}
        for name, runs in times.items()
    ]
    if parser.parse_args().json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(f"{row['command']:18} {row['seconds']:.3f} s  {row['ratio']:.2f} × import typer")


if __name__ == "__main__":
    main()
