"""Start-up: voxgen --version and --help beside `import typer`, as whole processes in turn.

    python benchmarks/start.py [--json]

CPU seconds (user + system) of the child, the minimum of nine runs.
"""

from __future__ import annotations

from measure import arguments, processes, show

COMMANDS = {
    "import typer": ["-c", "import typer"],
    "voxgen --version": ["-m", "voxgen", "--version"],
    "voxgen --help": ["-m", "voxgen", "--help"],
}


def main() -> None:
    given = arguments(__doc__)
    times = processes(COMMANDS, 9)
    base = times["import typer"]
    rows = [{"command": n, "CPU s": s, "× import typer": s / base} for n, s in times.items()]
    show({"start-up": rows}, given.json)


if __name__ == "__main__":
    main()
