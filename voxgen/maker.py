"""make(): the whole street for one prompt; every stage is on disk before the next begins."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from voxgen import __version__, files
from voxgen.ask import composer, prompts
from voxgen.ask.models import BUILTIN, Choice, Usage, choose, cost, host
from voxgen.errors import FileError, ModelError, ReplyError
from voxgen.language.builder import Limits
from voxgen.language.reader import read
from voxgen.scene import BUILT_IN, Scene

if TYPE_CHECKING:
    from voxgen.ask.client import Reply

Tell = Callable[[str], None]

_NAME_LENGTH = 60
_HOW_TO_GET_A_MODEL = "for a model set a key such as OPENROUTER_API_KEY or run Ollama; see voxgen models"


def make(
    prompt: str,
    *,
    model: str | None = None,
    base_url: str | None = None,
    size: str | None = None,
    seed: int | None = None,
    stock: bool = False,
    stem: str | Path | None = None,
    limits: Limits | None = None,
    tell: Tell | None = None,
    on_text: Tell | None = None,
    on_reasoning: Tell | None = None,
    debug: Tell | None = None,
) -> Scene:
    """Ask a model, or the built-in composer, for a scene, and build what comes back.

    size: "small", "medium", "large" or cells as "128x128x96". seed: varies the composer's scene, and is
    named to a model. stock: offer a model the parts of the stock library.
    stem: path without extension for the files, by default made of the prompt in the
    current folder; a taken name gets -2. limits: how much a document may ask for.
    The reply is in <stem>.reply.txt while it arrives, before anything
    reads it, and the scene in <stem>.json. A reply without any scene, or with a scene of one colour, is
    asked for once more, with the reason, and the better scene is kept; origin adds up what both asks cost.
    When the reply's file cannot be written on, the rest is read in memory.
    tell, on_text, on_reasoning, debug: called with sentences for the person, pieces of the reply, of the
    model's reasoning, and traces of the connection.
    Raises UsageError, ModelError, ReplyError, FileError.
    """
    tell = tell or _silent
    messages = prompts.scene_messages(prompt, size, seed, stock)  # first: it checks prompt and size
    choice = choose(model, base_url, os.environ)
    wanted = Path(stem) if stem is not None else Path(slug(prompt))
    free = free_stem(wanted)
    if choice.model is BUILTIN:
        tell(f"{choice.why}; {_HOW_TO_GET_A_MODEL}" if model is None else choice.why)
        scene = _compose(prompt, seed or 0, size, limits, tell)
    else:
        tell(choice.why)
        listen = {"on_text": on_text, "on_reasoning": on_reasoning, "debug": debug}
        free, file = _claim(free, wanted, ".reply.txt", "nothing was asked; choose another place with -o")
        scene = _ask(prompt, messages, choice, seed, (free, file), limits, tell, listen)
    path = _save(scene, free, wanted)
    return scene.but(origin={**scene.origin, "files": [*scene.origin.get("files", []), str(path)]})


def _silent(sentence: str) -> None:
    pass


def _compose(prompt: str, seed: int, size: str | None, limits: Limits | None, tell: Tell) -> Scene:
    text, notes = composer.compose(prompt, seed, size)
    for note in notes:
        tell(note)
    scene = read(text, limits=limits)
    origin = {"by": BUILT_IN, "prompt": prompt, "seed": seed, "voxgen": __version__}
    return scene.but(origin=origin)


def _ask(
    prompt: str,
    messages: list[dict[str, str]],
    choice: Choice,
    seed: int | None,
    reply: tuple[Path, IO[str]],
    limits: Limits | None,
    tell: Tell,
    listen: dict[str, Tell | None],
) -> Scene:
    """Ask once, and once more if there is no scene in the reply, or one of a single colour.

    reply: the stem of the files and the first reply's file, open.
    """
    stem, file = reply
    path, again = _with_ending(stem, ".reply.txt"), _with_ending(stem, ".reply-2.txt")
    first, text = _listen(messages, choice, seed, path, file, tell, listen)
    first = {**first, "prompt": prompt}
    scene, reason = _attempt(text, first, path, limits)
    if scene is not None and not reason:
        return scene
    tell(f"{path}: {reason}; asking once more")
    messages = [*messages, {"role": "user", "content": prompts.repair(reason)}]
    try:
        second, text = _listen(messages, choice, seed, again, _opened(again, "w"), tell, listen)
    except (ModelError, FileError) as error:
        if scene is None:
            error.message += f"; the first reply is in {path}"
            raise
        tell(f"{error}; kept the first scene")
        return scene
    other, reason = _attempt(text, {**second, "prompt": prompt}, again, limits)
    if scene is None and other is None:
        raise ReplyError(f"{again}: {reason}", f"the first reply is in {path}")
    best = _better(scene, other, tell)
    return best.but(origin={**best.origin, **_both(first, second)})


def _attempt(
    text: str, origin: dict[str, Any], path: Path, limits: Limits | None
) -> tuple[Scene | None, str]:
    """Read a reply; return its scene, if there is one, and the reason to ask again, if there is one."""
    try:
        scene = read(text, limits=limits)
    except ReplyError as error:
        return None, error.message
    return scene.but(origin={**scene.origin, **origin}), next(iter(_losses(scene)), "")


def _losses(scene: Scene) -> list[str]:
    """Return what is lost of the scene as a whole."""
    return [r.problem for r in scene.repairs if r.path == "$" and r.level == "loss"]


def _better(first: Scene | None, second: Scene | None, tell: Tell) -> Scene:
    """Return the scene that lost less as a whole, or has more voxels."""
    scenes = [scene for scene in (first, second) if scene is not None]
    best = min(scenes, key=lambda scene: (len(_losses(scene)), -scene.grid.voxels))
    if best is first:
        tell("the second reply is no better; kept the first scene")
    return best


def _both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return what two asks cost together, and the files of both replies."""
    tokens = [first["tokens"], second["tokens"]]
    dollars = [first["dollars"], second["dollars"]]
    return {
        "tokens": {key: sum(t.get(key, 0) for t in tokens) for key in tokens[0] | tokens[1]},
        "seconds": round(first["seconds"] + second["seconds"], 1),
        "dollars": None if None in dollars else round(sum(dollars), 6),
        "dollars_estimated": first["dollars_estimated"] or second["dollars_estimated"],
        "files": first["files"] + second["files"],
    }


def _listen(
    messages: list[dict[str, str]],
    choice: Choice,
    seed: int | None,
    path: Path,
    file: IO[str],
    tell: Tell,
    listen: dict[str, Tell | None],
) -> tuple[dict[str, Any], str]:
    """Stream one reply into a file; return what is known of it and its text."""
    from voxgen.ask import client

    on_text, lost = listen["on_text"], False

    def keep(piece: str) -> None:
        nonlocal lost
        try:
            if not lost:
                file.write(piece)
                file.flush()  # what has arrived survives even kill -9
        except OSError as error:  # the reply is paid: go on without the file
            lost = True
            tell(f"{path} cannot be written: {files.reason(error)}; reading on in memory")
        if on_text is not None:
            on_text(piece)

    try:
        reply = client.ask(
            messages,
            choice.model,
            key=choice.key,
            key_source=choice.key_source,
            seed=seed,
            on_text=keep,
            on_reasoning=listen["on_reasoning"],
            debug=listen["debug"],
        )
    finally:
        with suppress(OSError):
            file.close()
        if not path.stat().st_size:
            path.unlink()
    if lost:
        with suppress(FileError):  # there may be room again
            files.write_bytes(path, reply.text.encode("utf-8", "replace"))
    return _told(reply, choice, seed, path, tell), reply.text


def _told(reply: Reply, choice: Choice, seed: int | None, path: Path, tell: Tell) -> dict[str, Any]:
    """Tell what a reply cost and return what is known of it."""
    if reply.partial:
        tell(f"the reply is only a part: {reply.partial}")
    dollars, estimated = cost(reply.usage, choice.model)
    tell(summary(reply.usage, reply.seconds, dollars, estimated))
    return {
        "by": reply.model or choice.model.name,
        "endpoint": host(choice.model.base_url),
        "template": f"scene.md {prompts.sha('scene')}",
        "seed": seed,
        "voxgen": __version__,
        "tokens": {"input": reply.usage.input, "cached": reply.usage.cached, "output": reply.usage.output}
        | ({"reasoning": reply.usage.reasoning} if reply.usage.reasoning else {}),
        "seconds": round(reply.seconds, 1),
        "dollars": dollars if dollars is None else round(dollars, 6),
        "dollars_estimated": estimated,
        "files": [str(path)] if path.exists() else [],
    } | ({"partial": reply.partial} if reply.partial else {})


def summary(usage: Usage, seconds: float, dollars: float | None, estimated: bool) -> str:
    """Return the line every paid run ends with.

    >>> summary(Usage(input=1600, output=8200), 61.0, 0.0524, True)
    '1,600 tokens in, 8,200 out, 61 s, ≈ $0.052'
    """
    cached = f" ({usage.cached:,} cached)" if usage.cached else ""
    reasoning = f" ({usage.reasoning:,} reasoning)" if usage.reasoning else ""
    price = "" if dollars is None else f", {'≈ ' if estimated else ''}${dollars:.3f}"
    counts = f"{usage.input:,} tokens in{cached}, {usage.output:,} out{reasoning}, "
    return (counts if usage.input or usage.output else "") + f"{seconds:.0f} s{price}"


# --------------------------------------------------------------------------- names of files


def slug(prompt: str) -> str:
    """Return a file name made of a prompt.

    >>> slug("A quiet garden, with koi!")
    'quiet-garden-with-koi'
    """
    text = unicodedata.normalize("NFKC", prompt).lower()
    words = re.findall(r"[^\W_]+", text)
    if len(words) > 1 and words[0] in ("a", "an", "the"):
        words = words[1:]
    name = ""
    for word in words:
        if len(f"{name}-{word}".encode()) > _NAME_LENGTH:
            break
        name = f"{name}-{word}" if name else word
    return name or "scene"


def free_stem(stem: Path) -> Path:
    """Return the stem, or the first of stem-2, stem-3 … whose .json, .png and .reply.txt are not taken."""
    endings = (".json", ".png", ".reply.txt", ".reply-2.txt")
    candidate, n = stem, 1
    while any(os.path.lexists(_with_ending(candidate, ending)) for ending in endings):
        n += 1
        candidate = stem.with_name(f"{stem.name}-{n}")
    return candidate


def free_path(path: Path) -> Path:
    """Return the path, or the first of name-2, name-3 … that is not taken."""
    candidate, n = path, 1
    while candidate.exists():
        n += 1
        candidate = path.with_name(f"{path.stem}-{n}{path.suffix}")
    return candidate


def _with_ending(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _save(scene: Scene, stem: Path, wanted: Path) -> Path:
    """Write the scene's JSON and return its path; another run that was quicker keeps its file."""
    stem, file = _claim(stem, wanted, ".json", "choose another place with -o")
    file.close()
    path = _with_ending(stem, ".json")
    try:
        return files.save(scene, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _claim(stem: Path, wanted: Path, ending: str, hint: str) -> tuple[Path, IO[str]]:
    """Create a stem's file, or where it is taken that of the next free stem; return stem and file."""
    while True:
        try:
            return stem, _opened(_with_ending(stem, ending), "x", hint)
        except FileExistsError:  # another run took it in the meantime
            stem = free_stem(wanted)


def _opened(path: Path, mode: str, hint: str = "choose another place with -o") -> IO[str]:
    try:
        return path.open(mode, encoding="utf-8", errors="replace", newline="")
    except FileExistsError:
        raise
    except OSError as error:
        raise FileError(f"{path} cannot be written: {files.reason(error)}", hint) from None
