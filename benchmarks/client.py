"""What our client costs: asking for a streamed reply against reading the same bytes with bare httpx.

    python benchmarks/client.py [--json]

A server in another process holds a reply of 30,000 characters, 8 to an event, as models send it. It writes it
in two ways: event by event, and all at once, which leaves the client nothing to wait for. Both sides open a
client, send the request and read to the end; ask() also decodes the events and the JSON in them.
Exit code 1 if that takes more than 1.5 times as long event by event, the way replies come.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
from measure import Row, arguments, show

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from servers import Request, recorded, serving

from voxgen.ask.client import ask
from voxgen.ask.models import custom

LENGTH = 30_000
LIMIT = 1.5
ROUNDS = 15
MESSAGES = [{"role": "user", "content": "a pond"}]


def main() -> int:
    given = arguments(__doc__)
    text = ('{"box":[[0,0,0],[63,63,2]],"of":{"grass":5,"moss":2}},' * LENGTH)[:LENGTH]
    rows = [compared("event by event", text, at_once=False), compared("all at once", text, at_once=True)]
    show({f"{LENGTH:,} characters, median of {ROUNDS} rounds": rows}, given.json)
    return int(rows[0]["× httpx"] > LIMIT)


def compared(how: str, text: str, at_once: bool) -> Row:
    """Time ask() beside bare httpx."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(text, at_once, theirs), daemon=True)
    server.start()
    url = ours.recv()
    model = custom(url, "m")

    def read_with_ask() -> int:
        return len(ask(MESSAGES, model, key=None).text)

    def read_with_httpx() -> int:
        body = {"model": "m", "messages": MESSAGES, "stream": True}
        with (
            httpx.Client() as client,
            client.stream("POST", f"{url}/chat/completions", json=body) as response,
        ):
            return sum(map(len, response.iter_bytes()))

    assert read_with_ask() == len(text)
    size = read_with_httpx()
    bare, full = timed(read_with_httpx, read_with_ask)
    server.terminate()
    row: Row = {"how": how, "bytes": size, "bare httpx ms": bare * 1e3, "ask() ms": full * 1e3}
    return row | {"× httpx": full / bare, "at most": "" if at_once else LIMIT}


def serve(text: str, at_once: bool, parent: Connection) -> None:
    script = recorded(text, chunk=8)
    whole = b"".join(script(Request("POST", "", {}, None)))
    with serving((lambda _: [whole]) if at_once else script) as server:
        parent.send(server.url)
        time.sleep(600)


def timed(*functions: Callable[[], int]) -> list[float]:
    """Return the median seconds of each, taken in turns so that a busy machine slows all alike."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, taken in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


if __name__ == "__main__":
    sys.exit(main())
