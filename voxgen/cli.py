"""The command line: arguments in, paths and messages out; no decisions."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from voxgen import __version__
from voxgen.errors import FileError, RenderError, ReplyError, UsageError, VoxgenError

if TYPE_CHECKING:
    from voxgen.language.builder import Limits
    from voxgen.scene import Scene

_EPILOG = (
    "Settings: flag, then environment (VOXGEN_MODEL, VOXGEN_BASE_URL, VOXGEN_API_KEY, each provider's own "
    "key variable), then default. Without any key or local server the built-in composer answers, offline. "
    "Exit codes: 0 done, repairs included; 1 a bug; 2 usage; 3 model or network; 4 nothing to draw in the "
    "reply; 5 no picture possible on this machine; 6 files; 130 Ctrl-C."
)


class _Commands(TyperGroup):
    """Commands, with the first argument taken for a prompt where it is none of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put "make" in front of a prompt."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "--version"):
            args = ["make", *args]
            _ask_about_slip([a for a in args[1:] if not a.startswith("-")][:2], list(self.commands))
        return super().parse_args(ctx, args)


def _ask_about_slip(words: list[str], commands: list[str]) -> None:
    """Stop before money is spent on a mistyped command or a file name."""
    if not words or " " in words[0]:
        return
    word = words[0]
    near = get_close_matches(word.lower(), commands, 1, 0.7)
    if Path(word).is_file():
        meant = f"voxgen render {word}"
    elif near and (len(words) == 1 or Path(words[1]).exists()):
        meant = f"voxgen {near[0]}"
    else:
        return
    question = f'"{word}" would be sent to a model as a prompt; did you mean: {meant}'
    if sys.stdin.isatty() and sys.stderr.isatty():
        if typer.confirm(f"voxgen: {question}\nSend it as a prompt all the same?", default=False, err=True):
            return
        raise UsageError("nothing was sent", meant)
    raise UsageError(question, f'to send it: voxgen make "{word}"')


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
    help='One sentence in, a beautiful voxel scene out: voxgen "a quiet garden"',
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[
    Path | None, typer.Option("-o", "--output", help="Where to write; - is stdout.", show_default=False)
]
Picture = Annotated[str, typer.Option(help="Width and height of the picture in pixels.")]
View = Annotated[
    str | None,
    typer.Option(help="iso, hero, front, back, left, right, top, or AZIMUTH,ELEVATION[,ZOOM] in degrees."),
]
Light = Annotated[
    str | None, typer.Option(help="day, sunset, night or overcast; the scene's own if not given.")
]
Quality = Annotated[str, typer.Option(help="draft, good or best.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="End with exit code 4 if anything had to be repaired.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was done as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
Debug = Annotated[
    bool, typer.Option("--debug", help="Trace the connection (never a key) and show tracebacks.")
]
ModelName = Annotated[
    str | None, typer.Option("--model", help='A model, alias or "builtin"; voxgen models lists them.')
]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Any OpenAI-compatible endpoint.")]
GridSize = Annotated[str | None, typer.Option("--size", help="small, medium, large or cells as 128x128x96.")]
LimitList = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", metavar="NAME=N", help="side, cells, steps, step_seconds or total_seconds of a scene."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Another number, another scene of the built-in composer.")]


@app.command()
def make(
    prompt: Annotated[str, typer.Argument(help="What to build, in a sentence; - reads it from stdin.")],
    output: Out = None,
    size: GridSize = None,
    picture: Picture = "1280x960",
    view: View = None,
    light: Light = None,
    quality: Quality = "good",
    seed: Seed = None,
    model: ModelName = None,
    base_url: BaseUrl = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Stop at the scene's JSON.")] = False,
    limit: LimitList = None,
    strict: Strict = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Ask a model for a scene, build it and save its picture (the default command)."""
    from voxgen import maker

    say = _speaker(quiet)
    pixels = _pixels(picture)
    if not no_picture:
        _check_screen()  # before a model is paid
        _check_look(view, light, quality)
    with _progress(quiet) as (on_text, on_reasoning):
        scene = maker.make(
            _stdin_text() if prompt == "-" else prompt,
            model=model,
            base_url=base_url,
            size=size,
            seed=seed,
            stem=_stem(output, prompt),
            limits=_limits(limit),
            tell=say,
            on_text=on_text,
            on_reasoning=on_reasoning,
            debug=_speaker(False) if debug else None,
        )
    _tell_repairs(scene, scene.title, say)
    target = None
    if not no_picture:
        beside = Path(scene.origin["files"][-1]).with_suffix(".png")
        target = output if output is not None and (str(output) == "-" or output.suffix) else beside
        _draw(scene, target, pixels, view, light, quality, say)
    _report([_about(scene, target)], as_json or str(target) == "-", as_json)
    _strictly(strict, [scene])


@app.command()
def render(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenes or replies; - is stdin.")],
    output: Out = None,
    size: Picture = "1280x960",
    view: View = None,
    light: Light = None,
    quality: Quality = "good",
    limit: LimitList = None,
    strict: Strict = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw saved scenes, raw replies or foreign builds, however broken."""
    say = _speaker(quiet)
    pixels = _pixels(size)
    _check_screen()
    _check_look(view, light, quality)
    if output is not None and len(sources) > 1 and not output.is_dir():
        raise UsageError("one output for several pictures", "name a folder that exists with -o")
    done, scenes = [], []
    for source in sources:
        scene = _load(source, limit)
        _tell_repairs(scene, str(source), say)
        target = _target(output, source, ".png")
        _draw(scene, target, pixels, view, light, quality, say)
        done.append(_about(scene, target, source))
        scenes.append(scene)
    _report(done, as_json or str(output) == "-", as_json)
    _strictly(strict, scenes)


@app.command()
def check(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenes or replies; - is stdin.")],
    limit: LimitList = None,
    strict: Strict = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Read and build without drawing, and list what was repaired; --json lists all of it."""
    from dataclasses import asdict

    from voxgen.scene import grouped

    done, scenes = [], []
    for source in sources:
        scene = _load(source, limit)
        scenes.append(scene)
        done.append({**_about(scene, None, source), "repairs": [asdict(r) for r in scene.repairs]})
        if not as_json:
            for line in grouped(scene.repairs):
                typer.echo(f"{source}: {line}")
            typer.echo(f"{source}: {scene!r}")
    _report(done, not as_json, as_json)
    _strictly(strict, scenes)


@app.command()
def prompt(
    subject: Annotated[str, typer.Argument(metavar="PROMPT", help="What to build; - reads it from stdin.")],
    size: GridSize = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Print exactly what would be sent, to paste into any chat; voxgen render - takes the answer."""
    from voxgen.ask import prompts

    messages = prompts.scene_messages(_stdin_text() if subject == "-" else subject, size)
    typer.echo(json.dumps(messages, ensure_ascii=False) if as_json else prompts.text(messages))


@app.command()
def export(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A scene or reply; - is stdin.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The format is its extension: .json, .npz or .png; - is JSON on stdout."
        ),
    ],
    limit: LimitList = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Save a scene in another format."""
    from voxgen import files

    say = _speaker(quiet)
    scene = _load(source, limit)
    _tell_repairs(scene, str(source), say)
    if str(target) == "-":
        sys.stdout.buffer.write(files.text.write(scene))
        return
    if target.suffix.lower() == ".png":
        _check_screen()
        _draw(scene, target, (1280, 960), None, None, "good", say)
    else:
        files.save(scene, target)
    typer.echo(target)


@app.command()
def models(
    as_json: AsJson = False,
    no_probe: Annotated[bool, typer.Option("--no-probe", help="Do not look for local servers.")] = False,
    debug: Debug = False,
) -> None:
    """List the models voxgen knows: endpoint, key found or not, limits, prices."""
    from voxgen.ask import models as table

    rows = table.rows(os.environ, probe=not no_probe)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        typer.echo(_model_line(row))
    typer.echo("+ ready: its key is set or it answers here. Prices: USD per million tokens in/out.", err=True)


@app.command()
def gallery(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="A folder of scene folders.")] = Path(
        "gallery"
    ),
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; say which pictures differ (exit code 6).")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Redraw every picture of a gallery and its index, or check them."""
    from voxgen import gallery as galleries

    _check_screen()
    names = galleries.scenes(folder)
    differing = []
    with typer.progressbar(
        names,
        label="gallery",
        file=sys.stderr,
        hidden=quiet or not sys.stderr.isatty(),
        item_show_func=lambda n: n,
    ) as bar:
        for name in bar:
            if not galleries.redraw(folder, name, check_only):
                differing.append(name)
    if not galleries.write_index(folder, names, check_only):
        differing.append("README.md")
    if check_only and differing:
        raise FileError(
            f"{folder}: differs from what is drawn now: {', '.join(differing)}", "run voxgen gallery"
        )
    typer.echo(f"{folder}: {len(names)} pictures {'as stored' if check_only else 'drawn'}")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"voxgen {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options of the whole program."""


# --------------------------------------------------------------------------- reading arguments


def _pixels(text: str) -> tuple[int, int]:
    try:
        width, height = (int(side) for side in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise UsageError(
            f"{text!r} is not a picture size", "WIDTHxHEIGHT in pixels, as in 1600x1200"
        ) from None
    return width, height


def _stem(output: Path | None, prompt: str) -> Path | None:
    """Return where the scene and the reply go: beside the picture, or in the folder given."""
    from voxgen import maker

    if output is None or str(output) == "-":
        return None
    if output.is_dir() or not output.suffix:
        if not output.is_dir():
            raise FileError(f"{output} is no folder", "make it first, or end the name in .png")
        return output / maker.slug(prompt)
    if output.suffix.lower() != ".png":
        raise UsageError(
            f"{output}: pictures are PNG", f"name it {output.stem}.png; voxgen export has other formats"
        )
    if not output.parent.is_dir():
        raise FileError(f"{output.parent} is no folder", "make it first")
    return output.with_suffix("")


def _target(output: Path | None, source: Path, ending: str) -> Path:
    """Return where the picture of a source goes: as told, else a free name in the current folder."""
    from voxgen import maker

    if output is not None and not output.is_dir():
        if str(output) != "-" and output.suffix.lower() != ending:
            raise UsageError(
                f"{output}: pictures are PNG", "end the name in .png; voxgen export has other formats"
            )
        return output
    stem = "scene" if str(source) == "-" else source.name.split(".")[0] or "scene"
    return maker.free_path((output or Path()) / f"{stem}{ending}")


def _stdin_text() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _limits(settings: list[str] | None) -> Limits | None:
    if not settings:
        return None
    from voxgen.language.builder import parse_limits

    return parse_limits(settings)


def _load(source: Path, limit: list[str] | None) -> Scene:
    from voxgen import files

    limits = _limits(limit)
    if str(source) == "-":
        return files.text.read(sys.stdin.buffer.read(files.MAX_FILE), "", limits)
    try:
        return files.load(source, limits=limits)
    except VoxgenError as error:
        if str(source) not in error.message:
            error.message = f"{source}: {error.message}"
        raise


# --------------------------------------------------------------------------- doing and telling


def _check_screen() -> None:
    from voxgen.picture import driver

    missing = driver.probe().missing
    if missing:
        raise RenderError("no picture can be drawn on this machine", missing)


def _check_look(view: str | None, light: str | None, quality: str) -> None:
    """Refuse a mistyped view, light or quality before anything is paid or drawn."""
    from voxgen.picture import camera
    from voxgen.scene import LIGHTS

    if view is not None:
        camera.parse(view)
    if light is not None and light not in LIGHTS:
        raise UsageError(f"no light is called {light!r}", f"there are {', '.join(LIGHTS)}")
    if quality not in ("draft", "good", "best"):
        raise UsageError(f"no quality is called {quality!r}", "there are draft, good and best")


def _draw(
    scene: Scene,
    target: Path,
    size: tuple[int, int],
    view: str | None,
    light: str | None,
    quality: str,
    say: Callable[[str], None],
) -> None:
    from voxgen import files
    from voxgen.files import png
    from voxgen.picture import renderer

    with _busy(f"drawing {scene.title}", say):
        image = renderer.draw(scene, size=size, view=view, light=light, quality=quality)
    data = png.encode(image, scene)
    if str(target) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        files.write_bytes(target, data)


def _about(scene: Scene, picture: Path | None, source: Path | None = None) -> dict[str, Any]:
    low, high = scene.grid.bounds()
    return {
        "source": None if source is None else str(source),
        "picture": None if picture is None else str(picture),
        "title": scene.title,
        "size": list(scene.grid.size),
        "occupied": [int(v) for v in high - low + 1],
        "voxels": scene.grid.voxels,
        "materials": len(scene.grid.palette) - 1,
        "light": scene.light.name,
        "repairs": {
            level: sum(r.level == level for r in scene.repairs) for level in ("info", "warn", "loss")
        },
        "origin": scene.origin,
    }


def _report(done: list[dict[str, Any]], silent: bool, as_json: bool) -> None:
    """Print the results on stdout: JSON, or the paths that were written."""
    if as_json:
        typer.echo(json.dumps(done[0] if len(done) == 1 else done, ensure_ascii=False))
    elif not silent:
        for item in done:
            for path in (
                [*item["origin"].get("files", []), item["picture"]]
                if item["source"] is None
                else [item["picture"]]
            ):
                if path:
                    typer.echo(path)


def _tell_repairs(scene: Scene, name: str, say: Callable[[str], None], most: int = 5) -> None:
    from voxgen.scene import grouped

    found = scene.origin.get("format")
    if found:
        say(f"{name}: read as {found}")
    lines = grouped((r for r in scene.repairs if r.level != "info"), 1)
    for line in lines[:most]:
        say(f"{name}: {line}")
    if len(lines) > most:
        say(f"{name}: and more; voxgen check lists them all")


def _strictly(strict: bool, scenes: Sequence[Scene]) -> None:
    count = sum(r.level != "info" for scene in scenes for r in scene.repairs)
    if strict and count:
        raise ReplyError(f"{count} repair{'s' if count != 1 else ''} and --strict", "voxgen check lists them")


def _model_line(row: dict[str, Any]) -> str:
    price = row["price"][0] if row["price"] else None
    cost = "" if price is None else f"${price['input']:g}/{price['output']:g}"
    window = f"{row['window'] // 1000}k" if row["window"] else ""
    mark = "+" if row["found"] else " "
    return f"{mark} {row['name']:34} {window:>6} {cost:>12}  {row['key_variable'] or ''}".rstrip()


def _speaker(quiet: bool) -> Callable[[str], None]:
    def say(sentence: str) -> None:
        if not quiet:
            _clear_line()
            typer.echo(f"voxgen: {sentence}", err=True)

    return say


def _clear_line() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


@contextmanager
def _busy(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Show on a terminal what takes a moment."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what} …")
        sys.stderr.flush()
    try:
        yield
    finally:
        _clear_line()


@contextmanager
def _progress(quiet: bool) -> Iterator[tuple[Callable[[str], None] | None, Callable[[str], None] | None]]:
    """Show a live line about the reply on a terminal: seconds, tokens, title, parts and steps so far."""
    if quiet or not sys.stderr.isatty():
        yield None, None
        return
    from voxgen.progress import Line

    line = Line(sys.stderr)
    try:
        yield line.on_text, line.on_reasoning
    finally:
        _clear_line()


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code; never raises."""
    try:
        code = app(args=list(args), prog_name="voxgen", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except VoxgenError as error:
        return _failed(f"{error.message}" + (f"; {error.hint}" if error.hint else ""), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _failed("stopped; what was finished is kept", 130)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # Typer's own usage errors
            return _failed(f"{error.format_message()}; voxgen --help", 2)
        if "--debug" in args:
            raise
        return _failed(f"a bug in voxgen: {type(error).__name__}: {error}; --debug shows where", 1)


def _failed(message: str, code: int) -> int:
    _clear_line()
    typer.echo("voxgen: " + " ".join(message.split()), err=True)
    return code
