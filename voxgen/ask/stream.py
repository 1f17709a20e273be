"""Decodes what a model streams: server-sent events → text, reasoning, usage.

Event streams: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from voxgen.ask.confidence import Confidence
from voxgen.ask.faults import Fault, classify_event, decoded, described, text_of
from voxgen.ask.models import Usage

__all__ = ["Answer", "Doubt", "EventStream", "Listener", "Mask", "Reply", "read_body", "read_usage"]

FILTERED = r"filter|refusal|safety|recitation|prohibited|blocklist|sensitive"
TOO_LONG = r"length|max_tokens|exceeded"
THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
WHITE = b" \t\r\n\xef\xbb\xbf"
THINK, UNTHINK = "<think>", "</think>"

Listener = Callable[[str], object]
Doubt = Callable[[float], bool]  # told the confidence of the last group of tokens, says whether to stop


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered; `partial` is empty, or says why `text` is only a part of it."""

    text: str
    reasoning: str
    finish: str  # "stop", "length", "filter", "unsure" or "cut"
    usage: Usage
    model: str  # as the server names it
    seconds: float
    partial: str = ""
    confidence: Confidence = field(default_factory=Confidence, compare=False, repr=False)


def read_body(chunks: Iterator[bytes], answer: Answer) -> None:
    """Let `answer` gather a body: an event stream, or the one JSON object of a server that does not stream.

    Raises Fault if it is neither, or tells of an error.
    """
    head = b""
    for chunk in chunks:
        head = (head + chunk).lstrip(WHITE)
        if head:
            break
    if head[:1] in (b"{", b"[", b"<"):
        whole = head + b"".join(chunks)
        value = decoded(whole)
        if value is None:
            page = head[:1] == b"<"
            raise Fault("web" if page else "garbled", described(whole)[0], retry=not page)
        answer.chunk(value)
        answer.done = True
        return
    events = EventStream()
    complete = (event for chunk in itertools.chain([head], chunks) for event in events.feed(chunk))
    for name, data in itertools.chain(complete, events.end()):
        answer.event(name, data)
        if answer.done:
            return


class EventStream:
    """Decodes server-sent events: bytes in, (event, data) out, however they are cut.

    Only LF, CR and CRLF end a line. Forgiving where servers are careless: a missing blank line between two
    JSON events, and an unfinished last event.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._pieces: list[str] = []  # of an unfinished line
        self._after_cr = False
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """Yield the events that `chunk` completes."""
        text = self._plain(self._decoder.decode(chunk))
        at = 0
        while True:
            whole = not (self._pieces or self._data or self._event)  # nothing begun: whole events at a time
            end = text.find("\n\n" if whole else "\n", at)
            if end < 0:
                break
            block = text[at:end]
            at = end + 1 + whole
            if whole and block.startswith("data:") and "\n" not in block:
                yield "", block[5:].removeprefix(" ")
                continue
            first, *more = block.split("\n")
            for line in ("".join([*self._pieces, first]), *more, *([""] if whole else [])):
                yield from self._line(line)
            self._pieces.clear()
        *lines, rest = text[at:].split("\n")
        for line in lines:
            yield from self._line(line)
        if rest:
            self._pieces.append(rest)

    def end(self) -> Iterator[tuple[str, str]]:
        """Yield what is left over when no more bytes come."""
        yield from self._line("".join(self._pieces) + self._decoder.decode(b"", True))
        yield from self._flush()

    def _plain(self, text: str) -> str:
        """Return text with LF alone for the end of a line, also where a CRLF is cut in the middle."""
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        if "\r" not in text:
            return text
        self._after_cr = text.endswith("\r")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def _line(self, line: str) -> Iterator[tuple[str, str]]:
        if not line:
            yield from self._flush()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            if self._data and self._data[-1].endswith("}") and value.startswith(("{", "[")):
                yield from self._flush()
            self._data.append(value)

    def _flush(self) -> Iterator[tuple[str, str]]:
        if self._data:
            yield self._event, "\n".join(self._data)
        self._event, self._data = "", []


class Answer:
    """Gathers the chunks of one reply, text and reasoning apart, and tells listeners as they come."""

    def __init__(
        self,
        on_text: Listener | None = None,
        on_reasoning: Listener | None = None,
        *,
        key: str | None = None,
        hopeless: Doubt | None = None,
    ) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.visible = False  # whether text other than white space has come
        self.aloud = False  # whether the reasoning had to stand in for the text
        self.finish = ""
        self.refusal = ""
        self.usage = Usage()
        self.model = ""
        self.done = False
        self.confidence = Confidence()
        self._hopeless = hopeless
        self._masks = [Mask(key or ""), Mask(key or "")]  # of the text, of the reasoning
        self._on_text = on_text
        self._on_reasoning = on_reasoning
        self._held = ""  # text that may be part of a tag
        self._thinking: bool | None = None  # None: not known yet whether the text opens with <think>

    def event(self, name: str, data: str) -> None:
        """Take in one server-sent event; see `chunk`."""
        if data.strip() == "[DONE]":
            self.done = True
            return
        value = decoded(data)
        if name == "error":
            raise classify_event(value if isinstance(value, dict) else data)
        self.chunk(value)

    def chunk(self, value: object) -> None:
        """Take in one chunk, or a whole completion; what has another shape is passed over.

        Raises Fault if the chunk is an error.
        """
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, dict):
            return
        if value.get("error"):
            raise classify_event(value)
        self.model = text_of(value.get("model")) or self.model
        if isinstance(value.get("usage"), dict):
            self.usage = read_usage(value["usage"])
        choices = value.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and not choice.get("index"):
                self._choice(choice)

    def verdict(self) -> Fault | None:
        """Close the reply and return what is wrong with it as a whole."""
        self.flush()
        if self.refusal or re.search(FILTERED, self.finish, re.IGNORECASE):
            return Fault("filter", self.refusal or f"finish_reason {self.finish}")
        if re.search(TOO_LONG, self.finish, re.IGNORECASE):
            spent = f"{self.usage.output:,} tokens" if self.usage.output else ""
            return Fault("length", spent + (" of reasoning" if spent and not self.visible else ""))
        if not (self.finish or self.done):
            return Fault("cut", "the reply stopped in the middle", retry=True)
        if not self.visible and any("{" in piece for piece in self.reasoning):
            self.aloud = True
            self._thinking = False
            self._say("".join(self.reasoning))
        if not self.visible:
            return Fault("empty", f"finish_reason {self.finish or 'none'}", retry=True)
        return None

    def flush(self) -> None:
        """Pass on what was held back, as nothing more comes."""
        held, self._held = self._held, ""
        if self._thinking:
            self._think(held)
        elif held:
            self._thinking = False
            self._say(held)
        self._think("", last=True)
        self._write("", last=True)

    def _choice(self, choice: dict[str, Any]) -> None:
        message = choice.get("delta") or choice.get("message")
        if not isinstance(message, dict):
            message = {"content": choice.get("text")}
        if finish := choice.get("finish_reason"):
            self.finish = text_of(finish) or self.finish
        if refusal := message.get("refusal"):
            self.refusal += text_of(refusal)
        for name in THOUGHTS:
            if name in message and (thought := text_of(message[name])):
                self._think(thought)
                break  # some servers send it under two names
        content = message.get("content")
        if isinstance(content, str):
            self._say(content)
        elif content:
            for part in content if isinstance(content, list) else [content]:
                if isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
                    self._think(text_of(part))
                else:
                    self._say(text_of(part))
        if choice.get("logprobs"):
            self._weigh(choice["logprobs"])

    def _weigh(self, logprobs: object) -> None:
        """Take in the log-probabilities of some tokens; raise Fault if what they say is hopeless."""
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        for token in tokens if isinstance(tokens, list) else []:
            top = token.get("top_logprobs") if isinstance(token, dict) else None
            if isinstance(top, list):
                values = [each.get("logprob") for each in top if isinstance(each, dict)]
                self.confidence.add(text_of(token.get("token")), values)
        if self._hopeless and self._hopeless(self.confidence.group):
            raise Fault("unsure")

    def _say(self, text: str) -> None:
        """Take in text, of which a <think> block at the very beginning is reasoning."""
        if self._thinking is None:
            text, self._held = self._held + text, ""
            begun = text.lstrip()
            if len(begun) < len(THINK) and THINK.startswith(begun):
                self._held = text
                return
            self._thinking = begun.startswith(THINK)
            text = begun.removeprefix(THINK) if self._thinking else text
        if self._thinking:
            thought, closed, text = (self._held + text).partition(UNTHINK)
            self._thinking = not closed
            kept = 0 if closed else _overlap(thought, UNTHINK)
            self._held = thought[len(thought) - kept :]
            self._think(thought[: len(thought) - kept])
        if text:
            self._write(text)

    def _write(self, text: str, last: bool = False) -> None:
        if text := self._masks[0].feed(text, last):
            self.text.append(text)
            self.visible = self.visible or not text.isspace()
            if self._on_text:
                self._on_text(text)

    def _think(self, thought: str, last: bool = False) -> None:
        if thought := self._masks[1].feed(thought, last):
            self.reasoning.append(thought)
            if self._on_reasoning:
                self._on_reasoning(thought)


class Mask:
    """Hides a key in text that comes in pieces: a server may send it back."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._held = ""  # what may be the beginning of the key

    def feed(self, text: str, last: bool = False) -> str:
        """Return the text that may be passed on, with *** for the key; `last` passes on all."""
        if not self._key:
            return text
        text = (self._held + text).replace(self._key, "***")
        kept = 0 if last else _overlap(text, self._key)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]


def _overlap(text: str, tag: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `tag`."""
    return next((n for n in range(len(tag) - 1, 0, -1) if text.endswith(tag[:n])), 0)


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read token counts in any provider's words; reasoning that is left out of the output is added to it."""

    def count(*names: str) -> int:
        for name in names:
            value: object = usage
            for step in name.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, int) and 0 < value < 1e12:
                return int(value)
        return 0

    sent = count("prompt_tokens", "input_tokens")
    written = count("completion_tokens", "output_tokens")
    total = count("total_tokens")
    cached = count(
        "prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"
    )
    thought = count("completion_tokens_details.reasoning_tokens", "reasoning_tokens")
    price = usage.get("cost")
    cost = float(price) if isinstance(price, int | float) and 0 <= price < 1e6 else None
    output = max(written, total - sent) if sent else written
    return Usage(sent, min(cached, sent), output, min(thought, output), cost)
