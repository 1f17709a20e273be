"""make(), edit(), undo(): the whole street for one prompt; every stage is on disk before the next begins."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from voxgen import __version__, changes, files, names
from voxgen.ask import alter, composer, prompts, schema
from voxgen.ask.confidence import Confidence, threshold
from voxgen.ask.models import BUILTIN, EDIT_OUTPUT, Choice, choose
from voxgen.ask.stream import Reply
from voxgen.conversation import Conversation, Tell, bill, total
from voxgen.errors import FileError, ModelError, ReplyError, UsageError, VoxgenError
from voxgen.files import text
from voxgen.language.builder import build
from voxgen.language.document import mend
from voxgen.language.limits import Limits
from voxgen.language.reader import lost_steps, read
from voxgen.language.reply import parse
from voxgen.names import free_stem, slug, with_ending
from voxgen.scene import BUILT_IN, Scene
from voxgen.score import empty_layers, score

__all__ = ["edit", "edit_prompt", "free_stem", "make", "slug", "undo"]

MOST_SAMPLES = 16
_MANY_LOST = 0.2  # of the steps: more, and the model is asked once more
_MOST_SAID = 12  # losses named to the model
_HOW_TO_GET_A_MODEL = "for a model set a key such as OPENROUTER_API_KEY or run Ollama; see voxgen models"


def make(
    prompt: str,
    *,
    model: str | None = None,
    base_url: str | None = None,
    size: str | None = None,
    seed: int | None = None,
    stock: bool = False,
    samples: int = 1,
    max_cost: float | None = None,
    fresh: bool = False,
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
    samples: how many scenes to ask for at once, 1 to 16; the one with the best
    `score` is kept, all are saved. max_cost: USD, refused before sending what it does not buy. fresh: ask
    again although the reply is in the cache. stem: path without extension for the files, by default made of
    the prompt in the current folder; a taken name gets -2. limits: how much a document may ask for.

    The reply is in <stem>.reply.txt while it arrives, before anything reads it, and the scene in
    <stem>.json. A reply with no scene, with nearly nothing in it or with more than a fifth of its steps lost
    is asked for once more, with the reason, and the better scene is kept; origin adds up what all of it cost.
    When the reply's file cannot be written on, the rest is read in memory.
    tell, on_text, on_reasoning, debug: called with sentences for the person, pieces of the reply, of the
    model's reasoning, and traces of the connection.
    Raises UsageError, ModelError, ReplyError, FileError.
    """
    tell = tell or _silent
    if max_cost is not None and not max_cost >= 0:
        raise UsageError(f"a cost of {max_cost:g} USD cannot be kept to", "0 or more")
    if not 1 <= samples <= MOST_SAMPLES:
        raise UsageError(f"{samples} samples", f"ask for 1 to {MOST_SAMPLES}")
    messages = prompts.scene_messages(prompt, size, seed, stock)  # first: it checks prompt and size
    choice = choose(model, base_url, os.environ)
    wanted = Path(stem) if stem is not None else Path(slug(prompt))
    if choice.model is BUILTIN:
        free = free_stem(wanted)
        tell(f"{choice.why}; {_HOW_TO_GET_A_MODEL}" if model is None else choice.why)
        if samples > 1:
            tell("the built-in composer draws one scene, not several; another seed gives another")
        scene = _compose(prompt, seed or 0, size, limits, tell)
        return _saved(scene, free, wanted)
    tell(choice.why)
    if choice.model.schema:
        messages[-1]["content"] += f"\n{schema.HINT}"
    talks = [
        Conversation(
            choice,
            seed=seed if samples == 1 else (seed or 0) + i,
            sample=i,
            max_cost=None if max_cost is None else max_cost / samples,
            fresh=fresh,
            tell=tell,
            on_text=on_text if i == 0 else None,
            on_reasoning=on_reasoning if i == 0 else None,
            debug=debug,
        )
        for i in range(samples)
    ]
    talks[0].check(messages)
    try:
        if samples > 1:
            return _best(prompt, messages, talks, wanted, limits, tell)
        hint = "nothing was asked; choose another place with -o"
        free, file = names.claim(free_stem(wanted), wanted, ".reply.txt", hint)
        return _saved(_ask(prompt, messages, talks[0], (free, file), limits, tell), free, wanted)
    except VoxgenError:
        _tell_bill(talks, tell)
        raise


def _schema(choice: Choice) -> dict[str, Any] | None:
    return schema.scene_schema(choice.model.schema) if choice.model.schema else None


def _silent(sentence: str) -> None:
    pass


def _tell_bill(talks: list[Conversation], tell: Tell) -> None:
    """Say what was paid for nothing."""
    if any(talk.replies for talk in talks):
        tell(bill(total(talks)))


def _compose(prompt: str, seed: int, size: str | None, limits: Limits | None, tell: Tell) -> Scene:
    text, notes = composer.compose(prompt, seed, size)
    for note in notes:
        tell(note)
    scene = read(text, limits=limits)
    origin = {"by": BUILT_IN, "prompt": prompt, "seed": seed, "voxgen": __version__}
    return scene.but(origin=origin)


# --------------------------------------------------------------------------- one scene


def _ask(
    prompt: str,
    messages: list[dict[str, str]],
    talk: Conversation,
    reply: tuple[Path, IO[str]],
    limits: Limits | None,
    tell: Tell,
) -> Scene:
    """Ask, and once more if too little of the reply can be drawn.

    reply: the stem of the files and the first reply's file, open.
    """
    stem, file = reply
    path, again = with_ending(stem, ".reply.txt"), with_ending(stem, ".reply-2.txt")
    first, reason = _attempt(talk.ask(messages, path, file, _schema(talk.choice)), prompt, talk, path, limits)
    if first is not None and not reason:
        return first
    tell(f"{path}: {reason}; asking once more")
    said = {"role": "user", "content": prompts.repair(reason, *_told(first))}
    try:
        answer = talk.ask([*messages, said], again, names.opened(again, "w"), _schema(talk.choice))
    except (ModelError, FileError, UsageError) as error:
        if first is None:
            error.message += f"; the first reply is in {path}"
            raise
        tell(f"{error}; kept the first scene")
        return first.but(origin={**first.origin, **total([talk])})
    second, reason = _attempt(answer, prompt, talk, again, limits)
    if first is None and second is None:
        raise ReplyError(f"{again}: {reason}", f"the first reply is in {path}")
    best = _better(first, second, tell)
    return best.but(origin={**best.origin, **total([talk])})


def _attempt(
    reply: Reply, prompt: str, talk: Conversation, path: Path, limits: Limits | None
) -> tuple[Scene | None, str]:
    """Read a reply; return its scene, if there is one, and the reason to ask again, if there is one."""
    try:
        scene = read(reply.text, limits=limits)
    except ReplyError as error:
        return None, error.message
    origin = {**scene.origin, **talk.origin(reply, "scene"), "prompt": prompt}
    return scene.but(origin=origin), _shortcoming(scene)


def _shortcoming(scene: Scene) -> str:
    """Return why a scene is too little to keep, "" if it is not."""
    if losses := _losses(scene):
        return losses[0]
    lost, steps = lost_steps(scene)
    if lost > _MANY_LOST * steps:
        return f"{lost} of {steps} steps could not be drawn"
    low, high = scene.grid.bounds()
    sides = scene.grid.size
    if max(sides) > 12 and all(3 * used < side for used, side in zip(high - low + 1, sides, strict=True)):
        used = "×".join(str(int(v)) for v in high - low + 1)
        return f"only {used} cells of {'×'.join(map(str, sides))} are used"
    return ""


def _losses(scene: Scene) -> list[str]:
    """Return what is lost of the scene as a whole."""
    return [r.problem for r in scene.repairs if r.path == "$" and r.level == "loss"]


def _told(scene: Scene | None) -> tuple[list[str], list[str]]:
    """Return the numbers of a scene and its losses, as they are told to the model."""
    if scene is None:
        return [], []
    low, high = scene.grid.bounds()
    lost, steps = lost_steps(scene)
    numbers = [
        f"size {list(scene.grid.size)}",
        f"{scene.grid.voxels:,} voxels from {low.tolist()} to {high.tolist()}",
        "empty layers {} along x, {} along y, {} along z".format(*empty_layers(scene.grid)),
        f"{lost} of {steps} steps lost",
    ]
    return numbers, [str(r) for r in scene.repairs if r.level == "loss" and r.path != "$"][:_MOST_SAID]


def _better(first: Scene | None, second: Scene | None, tell: Tell) -> Scene:
    """Return the scene that lost less, as a whole and of its steps, or has more voxels."""

    def shortcomings(scene: Scene) -> tuple[int, float, int]:
        lost, steps = lost_steps(scene)
        return len(_losses(scene)), round(lost / max(steps, 1), 1), -scene.grid.voxels

    best = min((scene for scene in (first, second) if scene is not None), key=shortcomings)
    if best is first:
        tell("the second reply is no better; kept the first scene")
    return best


# --------------------------------------------------------------------------- the best of several


def _best(
    prompt: str,
    messages: list[dict[str, str]],
    talks: list[Conversation],
    wanted: Path,
    limits: Limits | None,
    tell: Tell,
) -> Scene:
    """Ask for several scenes at once, save them all and return the one with the best score.

    Scores as good as equal are told apart by how sure the model was, where the endpoint says so; a sample
    that falls below what the finished ones stayed above is not heard to its end.
    """
    hint = "nothing was asked; choose another place with -o"
    stem, file = names.claim(free_stem(wanted), wanted, ".sample-1.reply.txt", hint)
    finished: list[Confidence] = []

    def sample(i: int) -> tuple[Scene, Confidence]:
        path = with_ending(stem, f".sample-{i + 1}.reply.txt")
        talk = talks[i]
        talk.hopeless = lambda group: group < threshold(finished)
        reply = talk.ask(messages, path, file if i == 0 else names.opened(path, "w"), _schema(talk.choice))
        if reply.finish == "unsure":
            raise ReplyError(f"{path}: the model was less sure than of the others")
        finished.append(reply.confidence)
        scene, reason = _attempt(reply, prompt, talk, path, limits)
        if scene is None:
            raise ReplyError(f"{path}: {reason}")
        saved = files.save(scene, with_ending(stem, f".sample-{i + 1}.json"))
        talk.files.append(str(saved))
        return scene, reply.confidence

    scenes: list[tuple[float, tuple[float, float], Scene]] = []
    errors: list[VoxgenError] = []
    for i, outcome in enumerate(_at_once(sample, len(talks))):
        if isinstance(outcome, VoxgenError):
            errors.append(outcome)
            tell(f"sample {i + 1}: {outcome}")
            continue
        scene, sure = outcome
        value = score(scene)
        scenes.append((round(value.total, 2), sure.rank, scene))
        tell(f"sample {i + 1}: {scene.title!r}, score {value.total:.2f}")
    if not scenes:
        raise errors[0]
    points, _, best = max(scenes, key=lambda entry: entry[:2])
    origin = {**best.origin, **total(talks), "samples": len(talks), "score": points}
    return _saved(best.but(origin=origin), stem, wanted)


def _at_once(do: Callable[[int], Any], count: int) -> list[Any]:
    """Return do(0), do(1) … done in threads of their own, a VoxgenError where that is what came of it.

    The threads end with the program, so that Ctrl-C waits for no reply.
    """
    outcomes: list[Any] = [None] * count

    def run(i: int) -> None:
        try:
            outcomes[i] = do(i)
        except BaseException as error:
            outcomes[i] = error

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, VoxgenError):
            raise outcome
    return outcomes


# --------------------------------------------------------------------------- changing a scene


def edit(
    scene: Scene | str | Path,
    prompt: str,
    *,
    model: str | None = None,
    base_url: str | None = None,
    max_cost: float | None = None,
    fresh: bool = False,
    stem: str | Path | None = None,
    limits: Limits | None = None,
    tell: Tell | None = None,
    on_text: Tell | None = None,
    on_reasoning: Tell | None = None,
    debug: Tell | None = None,
) -> Scene:
    """Ask a model, or the built-in composer, to change a scene; return the changed one.

    scene: a scene, or the path of a file that `load` reads. The model is sent the document, its steps and
    not its voxels, and answers with what changes. The new version is saved beside the old one under the next
    free name, the reply in <stem>.reply.txt; origin["edits"] holds the chain: each prompt, what it cost, and
    how to take it back. tell hears what changed, a line for each kind of thing. The other arguments are as
    in `make`.
    Raises UsageError, ModelError, ReplyError, FileError; a reply that changes nothing is a ReplyError.
    """
    tell = tell or _silent
    path = Path(scene) if isinstance(scene, (str, Path)) else None
    if not isinstance(scene, Scene):
        scene = files.load(scene, limits=limits)
    before = _document(scene)
    wanted = Path(stem) if stem is not None else _stem_of(scene, path)
    messages = prompts.edit_messages(changes.numbered(before), prompt)
    choice = choose(model, base_url, os.environ)
    tell(choice.why)
    source = str(path or (scene.origin.get("files") or [""])[-1])
    if choice.model is BUILTIN:
        free = free_stem(wanted)
        change, notes = alter.alter(before, prompt, scene.grid)
        for note in notes:
            tell(note)
        if not change:
            raise ReplyError(f"nothing in {prompt[:60]!r} is known to the built-in composer", _WHAT_IT_KNOWS)
        step = {"by": BUILT_IN, "prompt": prompt, "voxgen": __version__}
        return _saved(_changed(scene, before, change, step, source, limits, tell), free, wanted)
    talk = Conversation(
        choice,
        max_cost=max_cost,
        usual=EDIT_OUTPUT,
        fresh=fresh,
        tell=tell,
        on_text=on_text,
        on_reasoning=on_reasoning,
        debug=debug,
    )
    talk.check(messages)
    try:
        hint = "nothing was asked; choose another place with -o"
        free, file = names.claim(free_stem(wanted), wanted, ".reply.txt", hint)
        kept = with_ending(free, ".reply.txt")
        reply = talk.ask(messages, kept, file)
        try:
            change = changes.unwrapped(parse(reply.text)[0])
            step = {**talk.origin(reply, "edit"), "prompt": prompt}
            edited = _changed(scene, before, change, step, source, limits, tell)
        except ReplyError as error:
            raise ReplyError(
                f"{kept}: {error.message}", error.hint or "ask again, or in other words"
            ) from None
        return _saved(edited, free, wanted)
    except VoxgenError:
        _tell_bill([talk], tell)
        raise


_WHAT_IT_KNOWS = "it knows seasons, light, colours, and adding or removing its own things; a model knows more"


def edit_prompt(scene: Scene, prompt: str) -> list[dict[str, str]]:
    """Return exactly the messages that `edit` sends."""
    return prompts.edit_messages(changes.numbered(_document(scene)), prompt)


def undo(path: str | Path, limits: Limits | None = None) -> tuple[Path, bool]:
    """Go back to the version of a scene before its last edit; return its file, and whether it was written.

    Where the earlier file still stands beside it, it is that one; else it is made again from what the chain
    of edits remembers, under a free name. Nothing is overwritten or removed.
    Raises UsageError where there was no edit, FileError.
    """
    path = Path(path)
    scene = files.load(path, limits=limits)
    edits: Any = scene.origin.get("edits")
    last: Any = edits[-1] if isinstance(edits, list) and edits else None
    if not isinstance(last, dict) or not isinstance(last.get("undo"), dict) or not last["undo"]:
        raise UsageError(f"{path} has no earlier version", "only what voxgen edit made has one")
    before, _ = changes.apply(_document(scene), last["undo"])
    earlier = path.parent / Path(str(last.get("from") or ".")).name
    if earlier.suffix and earlier != path and _holds(earlier, before):
        return earlier, False
    origin = {key: value for key, value in scene.origin.items() if key != "edits"}
    origin |= {"edits": edits[:-1]} if edits[:-1] else {}
    restored = build(before, limits=limits, origin=origin)
    wanted = _stem_of(scene, path)
    return Path(_saved(restored, free_stem(wanted), wanted).origin["files"][-1]), True


def _document(scene: Scene) -> dict[str, Any]:
    """Return the document of a scene in the language's own forms, its origin left out."""
    document = mend(scene.document)[0] if scene.document else text.document_of(scene)
    return {key: value for key, value in document.items() if key not in ("origin", "picture")}


def _holds(path: Path, document: dict[str, Any]) -> bool:
    """Say whether a file is a scene of this document."""
    try:
        return _document(files.load(path)) == document
    except VoxgenError:
        return False


def _changed(
    scene: Scene,
    before: dict[str, Any],
    change: dict[str, Any],
    step: dict[str, Any],
    source: str,
    limits: Limits | None,
    tell: Tell,
) -> Scene:
    """Build what a change makes of a document, tell the difference, and add to the chain of edits."""
    after, wrong = changes.apply(before, change)
    for problem in wrong:
        tell(problem)
    after = {key: value for key, value in mend(after)[0].items() if key not in ("origin", "picture")}
    lines = changes.described(before, after)
    if not lines:
        raise ReplyError("the reply changes nothing", "say it in other words")
    for line in lines:
        tell(line)
    past = scene.origin.get("edits")
    listed = [
        *(past if isinstance(past, list) else []),
        {**step, "from": source, "undo": changes.difference(after, before)},
    ]
    origin = {key: value for key, value in scene.origin.items() if key not in ("files", "edits")}
    edited = build(after, limits=limits, origin={**origin, "edits": listed})
    return edited.but(origin={**edited.origin, "files": step.pop("files", [])})


def _stem_of(scene: Scene, path: Path | None) -> Path:
    """Return the stem that versions of a scene share: garden for garden-2.json, once it was edited."""
    if path is None:
        written = (scene.origin.get("files") or [""])[-1]
        path = Path(written) if str(written).endswith(".json") else Path(slug(scene.title))
    name = path.name.split(".")[0] or "scene"
    return path.with_name(re.sub(r"-\d+$", "", name) if scene.origin.get("edits") else name)


def _saved(scene: Scene, stem: Path, wanted: Path) -> Scene:
    """Write the scene's JSON; another run that was quicker keeps its file. Return it with its files."""
    stem, file = names.claim(stem, wanted, ".json", "choose another place with -o")
    file.close()
    path = with_ending(stem, ".json")
    try:
        files.save(scene, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return scene.but(origin={**scene.origin, "files": [*scene.origin.get("files", []), str(path)]})
