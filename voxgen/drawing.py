"""Options of the command line → pictures, still or moving, in a file or a window."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxgen.errors import UsageError
from voxgen.terminal import busy, counted, printable, speaker

if TYPE_CHECKING:
    from voxgen.scene import Scene

Look = dict[str, Any]  # how a picture is drawn: view, light, quality, style, background, renderer


def choose(renderer: str, say: Callable[[str], None]) -> str:
    """Return what will draw, gl or soft; say in one line where it could be better."""
    from voxgen.picture import renderer as renderers

    chosen, missing = renderers.choose(renderer)
    if missing:
        say(f"drawing without OpenGL, slower and a little plainer: {missing}")
    return chosen


def check_look(look: Look, size: tuple[int, int], views: int | None) -> None:
    """Refuse a mistyped view, light, quality, style, background or size before anything is paid or drawn."""
    from voxgen.picture import renderer, sheet
    from voxgen.scene import View

    renderer.check_look(**look)
    if views is None:
        renderer.check_size(size)
        return
    if look["view"] is not None:
        raise UsageError("--view and --views at once", "a sheet begins with the scene's own view")
    sheet.views(views, View())
    renderer.check_sheet(views, size)


def draw(
    scene: Scene,
    target: Path,
    size: tuple[int, int],
    look: Look,
    views: int | None,
    preview: bool,
    quiet: bool,
) -> None:
    """Draw one picture, or a sheet of views, to a file or stdout; show it in the terminal as well."""
    from voxgen import files
    from voxgen.files import png
    from voxgen.picture import renderer

    with busy(f"drawing {printable(scene.title)[:60]}", quiet):
        if views is None:
            image = renderer.draw(scene, size=size, tell=speaker(quiet), **look)
        else:
            same = {name: value for name, value in look.items() if name != "view"}
            image = renderer.draw_sheet(scene, views, size=size, tell=speaker(quiet), **same)
    data = png.encode(image, scene)
    if str(target) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        files.write_bytes(target, data)
    if preview and not quiet and sys.stdout.isatty():
        from voxgen import preview as previews

        previews.show(image, sys.stderr)


def check_moving(moving: dict[str, Path], sources: list[Path], others: list[str], light: str | None) -> None:
    """Refuse what does not go together with moving pictures."""
    for name in others:
        raise UsageError(f"{name} and --{next(iter(moving))} at once", "run voxgen twice")
    if light is not None and "daylight" in moving:
        raise UsageError("--light and --daylight at once", "a day has lights of its own")
    if len(sources) > 1:
        raise UsageError("one moving picture for several scenes", "run voxgen once for each")
    if len(set(moving.values())) < len(moving):
        raise UsageError("two moving pictures in one file", "give each a name of its own")


def check_film(moving: dict[str, Path], size: tuple[int, int], frames: int | None, fps: float) -> None:
    """Refuse moving pictures that cannot be drawn or written, before anything is read."""
    from voxgen.files import motion
    from voxgen.picture import animation

    for kind, path in moving.items():
        animation.check(kind, animation.FRAMES if frames is None else frames, size)
        motion.check(path, fps)


def film(
    scene: Scene,
    kind: str,
    path: Path,
    size: tuple[int, int],
    look: Look,
    frames: int | None,
    fps: float,
    quiet: bool,
) -> None:
    """Draw one moving picture of a scene to a file."""
    from voxgen.files import motion
    from voxgen.film import animate
    from voxgen.picture import animation

    count = animation.FRAMES if frames is None else frames
    pictures = animate(scene, kind, frames=count, size=size, tell=speaker(quiet), **look)
    with counted(count, kind, quiet) as count_off:
        motion.write(path, count_off(pictures), count, fps)


def show(scene: Scene, look: Look, quiet: bool) -> None:
    """Open a window to turn a scene in; returns when it is closed."""
    from voxgen.picture import window

    window.check_display()
    with busy(f"lighting {printable(scene.title)[:60]}", quiet):
        plotter = window.set_up(scene, light=look["light"], view=look["view"], quality=look["quality"])
    plotter.show()
