"""The command line: arguments in, paths and messages out; no decisions."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from voxgen import __version__, drawing, terminal
from voxgen.drawing import Look
from voxgen.errors import FileError, ReplyError, UsageError, VoxgenError
from voxgen.terminal import printable, speaker

if TYPE_CHECKING:
    from voxgen.language.limits import Limits
    from voxgen.scene import Scene

_EPILOG = (
    "Settings: flag, then environment (VOXGEN_MODEL, VOXGEN_BASE_URL, VOXGEN_API_KEY, VOXGEN_PRICE, each "
    "provider's own key variable), then default. Without any key or local server the built-in composer "
    "answers, offline. Exit codes: 0 done, repairs included; 1 a bug; 2 usage; 3 model or network; 4 nothing "
    "to draw in the reply; 5 OpenGL was asked for and does not work here; 6 files; 130 Ctrl-C."
)


_UNNAMED = "voxgen.unnamed"  # the command was left out: it may be a slip


class _Commands(TyperGroup):
    """Commands, with the first argument taken for a prompt where it is none of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put "make" in front of a prompt, and remember that a person did not."""
        if args in (["help"], ["version"]):
            args = [f"--{args[0]}"]
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help", "--version"):
            args = ["make", *args]
            ctx.meta[_UNNAMED] = True
        return super().parse_args(ctx, args)


def _ask_about_slip(prompt: str, commands: list[str]) -> None:
    """Stop before money is spent on a mistyped command or the name of a file."""
    if len(prompt.split()) != 1:
        return
    near = get_close_matches(prompt.lower(), commands, 1, 0.8)
    if _is_file(prompt):
        meant = f"voxgen render {prompt}"
    elif near:
        meant = f"voxgen {near[0]}"
    else:
        return
    question = f'"{prompt}" would be sent to a model as a prompt; did you mean: {meant}'
    if sys.stdin.isatty() and sys.stderr.isatty():
        if typer.confirm(f"voxgen: {question}\nSend it as a prompt all the same?", default=False, err=True):
            return
        raise UsageError("nothing was sent", meant)
    raise UsageError(question, f'to send it: voxgen make "{prompt}"')


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        return False


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

# readable=False: a file that cannot be read is told in our own words and code
Source = Annotated[Path, typer.Argument(metavar="FILE", readable=False, help="A scene or reply; - is stdin.")]
Sources = Annotated[
    list[Path], typer.Argument(metavar="FILE...", readable=False, help="Scenes or replies; - is stdin.")
]
Out = Annotated[
    Path | None, typer.Option("-o", "--output", help="Where to write; - is stdout.", show_default=False)
]
Picture = Annotated[str, typer.Option(help="Width and height of the picture in pixels.")]
View = Annotated[
    str | None,
    typer.Option(help="iso, hero, front, back, left, right, top, or AZIMUTH,ELEVATION[,ZOOM] in degrees."),
]
Light = Annotated[
    str | None, typer.Option(help="day, sunset, night, overcast or studio; the scene's own if not given.")
]
Quality = Annotated[str, typer.Option(help="draft, good or best.")]
Renderer = Annotated[
    str, typer.Option(help="auto, gl or soft: with OpenGL where it works, or in plain numpy on any machine.")
]
Style = Annotated[str, typer.Option(help="clean, bevel, edges, pixel or tilt-shift.")]
Background = Annotated[
    str | None,
    typer.Option(help="A colour, TOP,BOTTOM for a gradient, or transparent; the light's sky if not given."),
]
Views = Annotated[
    int | None, typer.Option(metavar="N", help="A labelled sheet of 4 to 12 views instead of one.")
]
Frames = Annotated[
    int | None, typer.Option("--frames", metavar="N", help="Of a moving picture: 60 if not given.")
]
Rate = Annotated[float, typer.Option("--fps", metavar="N", help="Frames a second of a moving picture.")]
NoPreview = Annotated[
    bool, typer.Option("--no-preview", help="Do not show the picture in the terminal as well.")
]
Spin = Annotated[
    Path | None,
    typer.Option("--spin", metavar="OUT", help="A turn around it, as .webp, .gif, .apng or .mp4."),
]
BuildUp = Annotated[
    Path | None,
    typer.Option("--buildup", metavar="OUT", help="Its steps appear in the order they were written."),
]
Daylight = Annotated[
    Path | None, typer.Option("--daylight", metavar="OUT", help="A day from sunrise to night.")
]
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
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", metavar="USD", help="Refuse to send what may cost more.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Ask again, although the reply is in the cache.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show the scene in the terminal while it is written.")]
NoPicture = Annotated[bool, typer.Option("--no-picture", help="Stop at the scene's JSON.")]
Seed = Annotated[int | None, typer.Option(help="Another number, another scene; models are told it too.")]
Stock = Annotated[
    bool, typer.Option("--stock", help="Offer the model the parts of the stock library, as @oak.")
]


@app.command()
def make(
    ctx: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What to build, in a sentence; - reads it from stdin.")],
    output: Out = None,
    size: GridSize = None,
    picture: Picture = "1280x960",
    view: View = None,
    light: Light = None,
    quality: Quality = "good",
    style: Style = "clean",
    background: Background = None,
    views: Views = None,
    renderer: Renderer = "auto",
    seed: Seed = None,
    stock: Stock = False,
    model: ModelName = None,
    base_url: BaseUrl = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", help="Ask for N scenes at once and keep the best.")
    ] = 1,
    max_cost: MaxCost = None,
    fresh: Fresh = False,
    watch: Watch = False,
    no_picture: NoPicture = False,
    no_preview: NoPreview = False,
    limit: LimitList = None,
    strict: Strict = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Ask a model for a scene, build it and save its picture (the default command)."""
    from voxgen import maker

    if ctx.meta.get(_UNNAMED):
        _ask_about_slip(prompt, [command for command in _COMMANDS if command != "make"])
    say = speaker(quiet)
    look: Look = {"view": view, "light": light, "quality": quality, "style": style, "background": background}
    pixels = _pixels(picture)
    _check_output(output, as_json)
    if not no_picture:
        drawing.check_look(look, pixels, views)  # before a model is paid
        look["renderer"] = drawing.choose(renderer, say)
    with terminal.progress(quiet, watch) as (on_text, on_reasoning):
        scene = maker.make(
            _stdin_text() if prompt == "-" else printable(prompt),
            model=model,
            base_url=base_url,
            size=size,
            seed=seed,
            stock=stock,
            samples=samples,
            max_cost=max_cost,
            fresh=fresh,
            stem=_stem(output, prompt),
            limits=_limits(limit),
            tell=say,
            on_text=on_text,
            on_reasoning=on_reasoning,
            debug=speaker(False) if debug else None,
        )
    drawn = None if no_picture else (pixels, look, views, not no_preview)
    _present(scene, scene.origin, drawn, output, strict, as_json, quiet)


@app.command()
def edit(
    source: Source,
    prompt: Annotated[str, typer.Argument(metavar="CHANGE", help="What to change, in a sentence.")],
    output: Out = None,
    picture: Picture = "1280x960",
    view: View = None,
    light: Light = None,
    quality: Quality = "good",
    style: Style = "clean",
    background: Background = None,
    renderer: Renderer = "auto",
    model: ModelName = None,
    base_url: BaseUrl = None,
    max_cost: MaxCost = None,
    fresh: Fresh = False,
    no_picture: NoPicture = False,
    no_preview: NoPreview = False,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print exactly what would be sent, and send nothing.")
    ] = False,
    limit: LimitList = None,
    strict: Strict = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Change a scene by a sentence; the new version stands beside the old one."""
    from voxgen import maker
    from voxgen.ask import prompts

    if print_only:
        messages = maker.edit_prompt(_load(source, limit), printable(prompt))
        typer.echo(json.dumps(messages, ensure_ascii=False) if as_json else prompts.text(messages))
        return
    say = speaker(quiet)
    look: Look = {"view": view, "light": light, "quality": quality, "style": style, "background": background}
    pixels = _pixels(picture)
    _check_output(output, as_json)
    if not no_picture:
        drawing.check_look(look, pixels, None)
        look["renderer"] = drawing.choose(renderer, say)
    named = output is not None and str(output) != "-"
    with terminal.progress(quiet, built=False) as (on_text, on_reasoning):
        scene = maker.edit(
            _load(source, limit) if str(source) == "-" else source,
            printable(prompt),
            model=model,
            base_url=base_url,
            max_cost=max_cost,
            fresh=fresh,
            stem=_stem(output, source.name.split(".")[0]) if named else None,
            limits=_limits(limit),
            tell=say,
            on_text=on_text,
            on_reasoning=on_reasoning,
            debug=speaker(False) if debug else None,
        )
    drawn = None if no_picture else (pixels, look, None, not no_preview)
    _present(scene, scene.origin["edits"][-1], drawn, output, strict, as_json, quiet)


@app.command()
def undo(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", readable=False, help="A scene that voxgen edit made.")
    ],
    limit: LimitList = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Go back to the version before the last edit: its file, made again if it is gone."""
    from voxgen import maker

    if str(source) == "-":
        raise UsageError("undo looks for the version before beside a file", "name the file, not -")
    path, written = maker.undo(source, _limits(limit))
    speaker(quiet)(f"{path}: {'made again' if written else 'still there'}")
    typer.echo(json.dumps({"scene": str(path), "written": written}) if as_json else path)


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Delete the replies that are kept.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say how many replies are kept so that nothing is paid twice, and where."""
    from voxgen.ask import cache as kept

    replies, size = kept.usage()
    if clear:
        replies = kept.clear()
    done = {"folder": str(kept.folder()), "replies": replies, "bytes": size, "cleared": clear}
    if as_json:
        typer.echo(json.dumps(done))
    else:
        what = f"{replies:,} repl{'ies' if replies != 1 else 'y'}, {size / 1e6:.1f} MB"
        typer.echo(f"{done['folder']}: {'deleted ' if clear else ''}{what}")


@app.command()
def render(
    sources: Sources,
    output: Out = None,
    size: Annotated[
        str | None,
        typer.Option(help="Width and height in pixels: 1280x960 if not given, 640x480 if it moves."),
    ] = None,
    view: View = None,
    light: Light = None,
    quality: Annotated[
        str | None, typer.Option(help="draft, good or best: good if not given, draft if it moves.")
    ] = None,
    style: Style = "clean",
    background: Background = None,
    views: Views = None,
    show: Annotated[bool, typer.Option("--show", help="Open a window to turn the scene in.")] = False,
    spin: Spin = None,
    buildup: BuildUp = None,
    daylight: Daylight = None,
    frames: Frames = None,
    fps: Rate = 15.0,
    renderer: Renderer = "auto",
    no_preview: NoPreview = False,
    limit: LimitList = None,
    strict: Strict = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw saved scenes, raw replies or foreign builds, however broken, standing still or moving."""
    say = speaker(quiet)
    kinds = {"spin": spin, "buildup": buildup, "daylight": daylight}
    moving = {kind: path for kind, path in kinds.items() if path is not None}
    size = size or ("640x480" if moving else "1280x960")
    quality = quality or ("draft" if moving else "good")
    look: Look = {"view": view, "light": light, "quality": quality, "style": style, "background": background}
    pixels = _pixels(size)
    if moving:
        lone = {"--show": show, "-o": output is not None, "--views": views is not None}
        drawing.check_moving(moving, sources, [name for name, given in lone.items() if given], light)
        drawing.check_film(moving, pixels, frames, fps)
    elif frames is not None:
        raise UsageError("--frames without anything that moves", "add --spin, --buildup or --daylight")
    if as_json and str(output) == "-":
        raise UsageError("the picture and the JSON both want stdout", "leave out -o - or --json")
    drawing.check_look(look, pixels, views)
    look["renderer"] = drawing.choose("gl" if show else renderer, say)
    if output is not None and len(sources) > 1 and not output.is_dir():
        raise UsageError("one output for several pictures", "name a folder that exists with -o")

    def draw(source: Path) -> int:
        scene = _load(source, limit)
        _tell_repairs(scene, str(source), say)
        if show:
            drawing.show(scene, look, quiet)
            return _repaired(scene)
        if moving:
            for kind, path in moving.items():
                drawing.film(scene, kind, path, pixels, look, frames, fps, quiet)
            _report({**_about(scene, None, source), "moving": moving}, False, as_json)
            return _repaired(scene)
        target = _target(output, source, ".png")
        alone = len(sources) == 1
        drawing.draw(scene, target, pixels, look, views, alone and not no_preview, quiet or not alone)
        _report(_about(scene, target, source), str(target) == "-", as_json)
        return _repaired(scene)

    with terminal.bar(sources, "render", quiet) as bar:
        _strictly(strict, _each(bar, draw))


@app.command()
def view(
    source: Source,
    output: Out = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Write the page and do not open it.")] = False,
    limit: LimitList = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a scene as one HTML page to turn, light and cut it in, and open it in the browser."""
    from voxgen import files
    from voxgen.files import html

    say = speaker(quiet)
    scene = _load(source, limit)
    _tell_repairs(scene, str(source), say)
    page, target = html.write(scene), _target(output, source, ".html")
    if str(target) == "-":
        sys.stdout.buffer.write(page)
        return
    files.write_bytes(target, page)
    typer.echo(target)
    if not no_open and not html.open_page(target):
        say("no browser opened; the page needs no server, open it in any")


@app.command()
def check(
    sources: Sources,
    limit: LimitList = None,
    strict: Strict = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Read and build without drawing, and list what was repaired; --json lists all of it."""
    from dataclasses import asdict

    from voxgen.scene import grouped

    def tell(source: Path) -> int:
        scene = _load(source, limit)
        if found := scene.origin.get("format"):
            typer.echo(f"{source}: read as {found}", err=True)
        if as_json:
            about = {**_about(scene, None, source), "repairs": [asdict(r) for r in scene.repairs]}
            typer.echo(json.dumps(about, ensure_ascii=False))
        else:
            for line in grouped(scene.repairs):
                typer.echo(f"{source}: {line}")
            typer.echo(f"{source}: {scene!r}")
        return _repaired(scene)

    _strictly(strict, _each(sources, tell))


@app.command()
def prompt(
    subject: Annotated[str, typer.Argument(metavar="PROMPT", help="What to build; - reads it from stdin.")],
    size: GridSize = None,
    seed: Seed = None,
    stock: Stock = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Print exactly what would be sent, to paste into any chat; voxgen render - takes the answer."""
    from voxgen.ask import prompts

    text = _stdin_text() if subject == "-" else printable(subject)
    messages = prompts.scene_messages(text, size, seed, stock)
    typer.echo(json.dumps(messages, ensure_ascii=False) if as_json else prompts.text(messages))


@app.command()
def export(
    source: Source,
    targets: Annotated[
        list[Path],
        typer.Argument(
            metavar="OUT...",
            help="The format is the extension: .vox, .schem, .litematic, .nbt, .glb, .obj, .ply, .stl, "
            ".usdz, .qb, .binvox, .npz, .json, .html or .png; - is JSON on stdout.",
        ),
    ],
    schem_version: Annotated[
        int | None, typer.Option("--schem-version", help="Of .schem: 2 (read by the most programs) or 3.")
    ] = None,
    manifold: Annotated[
        bool, typer.Option("--manifold", help="Of .stl: every edge is shared by two triangles, for printing.")
    ] = False,
    no_quantize: Annotated[
        bool, typer.Option("--no-quantize", help="Of .glb: floats only, for loaders without quantization.")
    ] = False,
    renderer: Renderer = "auto",
    limit: LimitList = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Save a scene in other formats."""
    from voxgen import files
    from voxgen.files import text

    known = sorted(files.WRITERS)
    for target in targets:
        if str(target) != "-" and target.suffix.lower() not in known:
            kind = f"the extension {target.suffix!r} is unknown" if target.suffix else "no extension"
            raise FileError(f"{target}: {kind}", f"known are {', '.join(known)}")
    given: dict[str, int] = {} if schem_version is None else {"schem_version": schem_version}
    given |= {"manifold": True} if manifold else {}
    given |= {"quantize": False} if no_quantize else {}
    files.check_options(given, targets)
    say = speaker(quiet)
    pictures = any(target.suffix.lower() == ".png" for target in targets)
    chosen = drawing.choose(renderer, say) if pictures else renderer
    scene = _load(source, limit)
    _tell_repairs(scene, str(source), say)
    for target in targets:
        if str(target) == "-":
            sys.stdout.buffer.write(text.write(scene))
            continue
        ending = target.suffix.lower()
        if ending == ".png":
            drawing.draw(scene, target, (1280, 960), {"renderer": chosen}, None, False, quiet)
        else:
            own = {name: value for name, value in given.items() if files.OPTIONS[name][0] == ending}
            with terminal.busy(f"writing {target}", quiet):
                files.save(scene, target, tell=_teller(say, target), **own)
        typer.echo(target)


def _teller(say: Callable[[str], None], target: Path) -> Callable[[str], None]:
    return lambda sentence: say(f"{target}: {sentence}")


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
        bool, typer.Option("--check", help="Change nothing; say what differs (exit code 6).")
    ] = False,
    spin: Annotated[
        list[str] | None,
        typer.Option("--spin", metavar="NAME", help="Only draw the turntable of this scene, or all of them."),
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make every picture, page and turntable of a gallery and its indexes again, or check them."""
    from voxgen import gallery as galleries

    drawing.choose("gl", speaker(quiet))  # its pictures are OpenGL's
    names = galleries.scenes(folder)
    if spin:
        _turn_gallery(folder, names, spin, check_only, quiet)
        return
    differing = []
    with terminal.bar(names, "gallery", quiet) as bar:
        for name in bar:
            if not galleries.redraw(folder, name, check_only):
                differing.append(name)
    if not galleries.write_index(folder, names, check_only):
        differing.append("README.md, index.html")
    if check_only and differing:
        raise FileError(
            f"{folder}: differs from what is drawn now: {', '.join(differing)}", "run voxgen gallery"
        )
    typer.echo(f"{folder}: {len(names)} scenes {'as stored' if check_only else 'drawn'}")


def _turn_gallery(folder: Path, names: list[str], wanted: list[str], check_only: bool, quiet: bool) -> None:
    """Draw the turntables that are wanted, "all" of them or by name, and the index that links them."""
    from voxgen import gallery as galleries

    unknown = [name for name in wanted if name not in [*names, "all"]]
    if unknown or check_only:
        problem = f"{folder} has no scene {', '.join(unknown)}" if unknown else "--check and --spin at once"
        raise UsageError(problem, "name folders of the gallery, or all")
    for name in names if "all" in wanted else dict.fromkeys(wanted):
        with terminal.counted(galleries.SPIN_FRAMES, name, quiet) as count:
            typer.echo(galleries.spin(folder, name, count))
    galleries.write_index(folder, names)


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


_COMMANDS = [command.callback.__name__ for command in app.registered_commands if command.callback]


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
        raise FileError(
            f"{output}: pictures are PNG", f"name it {output.stem}.png; voxgen export has other formats"
        )
    if not output.parent.is_dir():
        raise FileError(f"{output.parent} is no folder", "make it first")
    return output.with_suffix("")


_KINDS = {".png": "pictures are PNG", ".html": "a page is HTML"}


def _target(output: Path | None, source: Path, ending: str) -> Path:
    """Return where the picture or page of a source goes: as told, else a free name in the current folder."""
    from voxgen import files

    if output is not None and not output.is_dir():
        if str(output) != "-" and output.suffix.lower() != ending:
            raise FileError(
                f"{output}: {_KINDS[ending]}", f"end the name in {ending}; voxgen export has other formats"
            )
        return output
    stem = "scene" if str(source) == "-" else source.name.split(".")[0] or "scene"
    return files.free_path((output or Path()) / f"{stem}{ending}")


def _stdin_text() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _limits(settings: list[str] | None) -> Limits | None:
    if not settings:
        return None
    from voxgen.language.limits import parse_limits

    return parse_limits(settings)


def _load(source: Path, limit: list[str] | None) -> Scene:
    from voxgen import files

    limits = _limits(limit)
    if str(source) == "-":
        return files.read(sys.stdin.buffer.read(files.MAX_FILE), "", limits)
    try:
        return files.load(source, limits=limits)
    except VoxgenError as error:
        if str(source) not in error.message:
            error.message = f"{source}: {error.message}"
        raise


# --------------------------------------------------------------------------- doing and telling


def _check_output(output: Path | None, as_json: bool) -> None:
    if as_json and str(output) == "-":
        raise UsageError("the picture and the JSON both want stdout", "leave out -o - or --json")


def _present(
    scene: Scene,
    paid: dict[str, Any],
    drawn: tuple[tuple[int, int], Look, int | None, bool] | None,
    output: Path | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell what a new scene is, draw it if it is to be `drawn`, and end with what was `paid` for it.

    drawn: pixels, look and number of views of its picture, and whether the terminal shows it too.
    """
    say = speaker(quiet)
    with _billed(paid, say):
        _tell_repairs(scene, scene.title, say)
        target = None if drawn is None else _beside(scene, output)
        if drawn is not None and target is not None:
            drawing.draw(scene, target, *drawn, quiet)
        _report(_about(scene, target), str(target) == "-", as_json)
    _strictly(strict, _repaired(scene))


def _beside(scene: Scene, output: Path | None) -> Path:
    """Return where the picture of a new scene goes: as told, else beside its JSON."""
    if output is not None and (str(output) == "-" or output.suffix):
        return output
    return Path(scene.origin["files"][-1]).with_suffix(".png")


@contextmanager
def _billed(origin: dict[str, Any], say: Callable[[str], None]) -> Iterator[None]:
    """End what is done with a scene by what it cost."""
    from voxgen.conversation import bill

    try:
        yield
    finally:
        if line := bill(origin):
            say(line)


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


def _report(done: dict[str, Any], silent: bool, as_json: bool) -> None:
    """Print a result on stdout: one line of JSON, or the paths that were written."""
    terminal.clear_line()
    if as_json:
        typer.echo(json.dumps(done, ensure_ascii=False, default=str))
    elif not silent:
        made = done["origin"].get("files", []) if done["source"] is None else []
        for path in filter(None, [*made, done["picture"], *done.get("moving", {}).values()]):
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


def _repaired(scene: Scene) -> int:
    """Return how many repairs --strict minds: no notes, and no remarks on the scene as a whole."""
    return sum(repair.level != "info" and repair.path != "$" for repair in scene.repairs)


def _each(sources: Iterable[Path], do: Callable[[Path], int]) -> int:
    """Do one file after the other, past those that fail; end with the code of the first failure."""
    total, first = 0, None
    for source in sources:
        try:
            total += do(source)
        except VoxgenError as error:
            terminal.failed(terminal.told(error), error.exit_code)
            first = first or error
    if first is not None:
        raise typer.Exit(first.exit_code)
    return total


def _strictly(strict: bool, count: int) -> None:
    if strict and count:
        raise ReplyError(f"{count} repair{'s' if count != 1 else ''} and --strict", "voxgen check lists them")


def _model_line(row: dict[str, Any]) -> str:
    price = row["price"][0] if row["price"] else None
    cost = "" if price is None else f"${price['input']:g}/{price['output']:g}"
    window = f"{row['window'] // 1000}k" if row["window"] else ""
    mark = "+" if row["found"] else " "
    return f"{mark} {row['name']:34} {window:>6} {cost:>12}  {row['key_variable'] or ''}".rstrip()


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code; raises only with --debug, and only for a bug."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a title may not fit the terminal's encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(args=list(args) or ["--help"], prog_name="voxgen", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SystemExit as error:
        if error.code != 1:
            raise
        return 0  # Click ends so where the reader of a pipe went away
    except VoxgenError as error:
        return terminal.failed(terminal.told(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return terminal.failed("stopped; what was finished is kept", 130)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            return _bug(error, args)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return terminal.failed("stdout cannot be written: no space left on device", FileError.exit_code)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # Typer's own usage errors
            several = "extra argument" in error.format_message() and not {*args[:1]} & {*_COMMANDS}
            hint = (
                'a prompt of several words goes in quotes: voxgen "a garden"' if several else "voxgen --help"
            )
            return terminal.failed(f"{error.format_message()}; {hint}", 2)
        return _bug(error, args)


def _bug(error: Exception, args: Sequence[str]) -> int:
    if "--debug" in args:
        raise error
    return terminal.failed(f"a bug in voxgen: {type(error).__name__}: {error}; --debug shows where", 1)
