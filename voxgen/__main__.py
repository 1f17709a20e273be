"""python -m voxgen, and the `voxgen` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:  # answered before anything is imported
        from voxgen import __version__

        sys.stdout.write(f"voxgen {__version__}\n")
        sys.exit(0)
    from voxgen.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
