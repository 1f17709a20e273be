"""A conversation with one model: each reply on disk while it arrives, none paid twice, all of it added up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from voxgen import __version__, files
from voxgen.ask import cache, prompts
from voxgen.ask.models import USUAL_OUTPUT, Choice, affordable, cost, host
from voxgen.ask.stream import Doubt, Reply
from voxgen.errors import FileError, ModelError, UsageError
from voxgen.stitch import stitched

__all__ = ["Conversation", "Tell", "bill", "total"]

Tell = Callable[[str], None]
Message = dict[str, str]

MOST_PARTS = 3  # of one reply: the first and two continuations


class Conversation:
    """Asks one model, once or several times, within `max_cost` USD.

    usual: tokens a reply has. fresh: ask again although the reply is known. sample: a number that tells equal
    requests apart. tell, on_text, on_reasoning, debug: called with sentences for the person, pieces of the
    reply, of the model's reasoning, and traces of the connection.
    """

    def __init__(
        self,
        choice: Choice,
        *,
        seed: int | None = None,
        sample: int = 0,
        max_cost: float | None = None,
        usual: int = USUAL_OUTPUT,
        fresh: bool = False,
        tell: Tell,
        on_text: Tell | None = None,
        on_reasoning: Tell | None = None,
        debug: Tell | None = None,
    ) -> None:
        self.choice = choice
        self.seed = seed
        self.replies: list[Reply] = []  # those that were asked for
        self.recalled = 0  # how many more came out of the cache
        self.files: list[str] = []
        self.hopeless: Doubt | None = None  # see client.ask
        self._sample = sample
        self._max_cost = max_cost
        self._usual = usual
        self._fresh = fresh
        self._tell = tell
        self._on_text = on_text
        self._on_reasoning = on_reasoning
        self._debug = debug

    def check(self, messages: list[Message]) -> None:
        """Raise UsageError where the money does not buy a reply to the messages."""
        self._affordable(messages)

    def ask(self, messages: list[Message], path: Path, file: IO[str], schema: Any = None) -> Reply:
        """Return the reply to the messages, kept in `file` at `path` from its first characters on.

        One that the length limit cut off is continued where it stopped, at most twice. An empty file is
        removed again. Raises ModelError, UsageError.
        """
        named = cache.name(messages, self.choice.model, seed=self.seed, sample=self._sample, schema=schema)
        known = None if self._fresh else cache.recall(named)
        kept = _Kept(path, file, self._tell)
        try:
            if known is not None:
                self._tell("answered from the cache, nothing is paid; --fresh asks again")
                self.recalled += 1
                kept.write(known.text)
                reply = known
            else:
                reply = self._listen(messages, kept, schema)
        finally:
            kept.close()
            if path.exists():
                self.files.append(str(path))
        kept.complete(reply.text)
        if known is None:
            cache.keep(named, reply)
        if reply.partial:
            self._tell(f"the reply is only a part, {len(reply.text):,} characters: {reply.partial}")
        return reply

    def origin(self, reply: Reply, template: str) -> dict[str, Any]:
        """Return what is known of a reply, and what the whole conversation took."""
        return {
            "by": reply.model or self.choice.model.name,
            "endpoint": host(self.choice.model.base_url),
            "template": f"{template}.md {prompts.sha(template)}",
            "seed": self.seed,
            "voxgen": __version__,
            **total([self]),
        } | ({"partial": reply.partial} if reply.partial else {})

    def _listen(self, messages: list[Message], kept: _Kept, schema: Any) -> Reply:
        """Ask, and ask to go on while the length limit cuts the reply off."""
        reply = self._part(messages, kept, schema)
        for _ in range(MOST_PARTS - 1):
            if reply.finish != "length" or not reply.text.strip():
                break
            self._tell("the model reached its length limit; asking it to go on")
            begun = {"role": "assistant", "content": reply.text}
            on = [*messages, begun, {"role": "user", "content": prompts.text_of("continue")}]
            try:
                more = self._part(on, kept, None)
            except (ModelError, UsageError) as error:
                self._tell(f"{error}; kept what had come")
                break
            reply = _joined(reply, more)
        return reply

    def _part(self, messages: list[Message], kept: _Kept, schema: Any) -> Reply:
        from voxgen.ask import client

        def on_text(piece: str) -> None:
            kept.write(piece)
            if self._on_text is not None:
                self._on_text(piece)

        reply = client.ask(
            messages,
            self.choice.model,
            seed=self.seed,
            schema=schema,
            max_tokens=self._affordable(messages),
            on_text=on_text,
            on_reasoning=self._on_reasoning,
            hopeless=self.hopeless,
            key=self.choice.key,
            key_source=self.choice.key_source,
            debug=self._debug,
        )
        self.replies.append(reply)
        return reply

    def _affordable(self, messages: list[Message]) -> int | None:
        if self._max_cost is None:
            return None
        spent = sum(cost(reply.usage, self.choice.model)[0] or 0.0 for reply in self.replies)
        return affordable(messages, self.choice.model, self._max_cost - spent, self._usual)


class _Kept:
    """A file that a reply is written to as it comes; a disk that fills up loses the file, not the reply."""

    def __init__(self, path: Path, file: IO[str], tell: Tell) -> None:
        self._path, self._file, self._tell = path, file, tell
        self._lost = False
        self._written: list[str] = []

    def write(self, piece: str) -> None:
        self._written.append(piece)
        try:
            if not self._lost:
                self._file.write(piece)
                self._file.flush()  # what has arrived survives even kill -9
        except OSError as error:  # the reply is paid: go on without the file
            self._lost = True
            self._tell(f"{self._path} cannot be written: {files.reason(error)}; reading on in memory")

    def close(self) -> None:
        """Close the file, and remove it if nothing came."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            if not self._path.stat().st_size:
                self._path.unlink()

    def complete(self, text: str) -> None:
        """See to it that the file holds the whole text: there may be room again, or parts were joined."""
        if self._lost or text != "".join(self._written):
            with suppress(FileError):
                files.write_bytes(self._path, text.encode("utf-8", "replace"))


def _joined(first: Reply, more: Reply) -> Reply:
    """Return a reply and its continuation as one."""
    return replace(
        more,
        text=stitched(first.text, more.text),
        reasoning=first.reasoning + more.reasoning,
        seconds=first.seconds + more.seconds,
        confidence=first.confidence,
    )


def total(conversations: list[Conversation]) -> dict[str, Any]:
    """Return what conversations took together: tokens, seconds, USD, files."""
    replies = [(reply, c.choice.model) for c in conversations for reply in c.replies]
    prices = [cost(reply.usage, model) for reply, model in replies]
    known = [dollars for dollars, _ in prices if dollars is not None]
    tokens = {
        name: sum(getattr(reply.usage, name) for reply, _ in replies)
        for name in ("input", "cached", "output", "reasoning")
    }
    if not tokens["reasoning"]:
        del tokens["reasoning"]
    recalled = sum(c.recalled for c in conversations)
    return {
        "tokens": tokens,
        "tokens_estimated": any(reply.usage.estimated for reply, _ in replies),
        "seconds": round(sum(reply.seconds for reply, _ in replies), 1),
        "dollars": round(sum(known), 6) if len(known) == len(prices) else None,
        "dollars_estimated": any(
            guess or reply.usage.estimated for (reply, _), (_, guess) in zip(replies, prices, strict=True)
        ),
        "files": [name for c in conversations for name in c.files],
    } | ({"recalled": recalled} if recalled else {})


def bill(origin: dict[str, Any]) -> str:
    """Return the line a run ends with that asked a model, "" for one that did not.

    >>> bill({"tokens": {"input": 1600, "cached": 0, "output": 8200}, "seconds": 61.0, "dollars": 0.0524,
    ...       "dollars_estimated": True})
    '1,600 tokens in, 8,200 out, 61 s, ≈ $0.052'
    """
    if "tokens" not in origin:
        return ""
    tokens, dollars = origin["tokens"], origin["dollars"]
    about = "≈ " if origin.get("tokens_estimated") else ""
    cached = f" ({tokens['cached']:,} cached)" if tokens["cached"] else ""
    reasoning = f" ({tokens['reasoning']:,} reasoning)" if tokens.get("reasoning") else ""
    counts = f"{about}{tokens['input']:,} tokens in{cached}, {about}{tokens['output']:,} out{reasoning}, "
    price = "cost unknown" if dollars is None else f"${dollars:.3f}"
    guessed = "≈ " if dollars is not None and origin["dollars_estimated"] else ""
    recalled = origin.get("recalled", 0)
    known = f"{recalled} repl{'ies' if recalled > 1 else 'y'} from the cache" if recalled else ""
    if known and not tokens["output"]:
        return f"{known}, nothing paid"
    return f"{counts}{origin['seconds']:.0f} s, {guessed}{price}{f', {known}' if known else ''}"
