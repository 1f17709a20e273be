"""What our client costs: asking for a streamed reply against reading the same bytes with bare httpx.

    python benchmarks/client.py [--json]

A server in another process holds a reply of 30,000 characters, 8 to an event, as models send it. It writes it
in three ways: event by event, the way replies come, in segments of a network, and all at once, which leaves
the client nothing to wait for. Both sides open a client, send the request and read to the end; ask() also
decodes the events and the JSON in them. Exit code 1 if that takes more than 1.5 times as long in any way.
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
    ways = {"event by event": 0, "by 1,400 bytes": 1400, "all at once": 1 << 30}
    rows = [compared(way, text, size) for way, size in ways.items()]
    show({f"{LENGTH:,} characters, median of {ROUNDS} rounds": rows}, given.json)
    return int(max(row["× httpx"] for row in rows) > LIMIT)


def compared(way: str, text: str, size: int) -> Row:
    """Time ask() beside bare httpx; size: bytes written at once, 0 for an event."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(text, size, theirs), daemon=True)
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
    length = read_with_httpx()
    bare, full = timed(read_with_httpx, read_with_ask)
    server.terminate()
    row: Row = {"how": way, "bytes": length, "bare httpx ms": bare * 1e3, "ask() ms": full * 1e3}
    return row | {"× httpx": full / bare, "at most": LIMIT}


def serve(text: str, size: int, parent: Connection) -> None:
    script = recorded(text, chunk=8)
    whole = b"".join(script(Request("POST", "", {}, None)))
    pieces = [whole[start : start + size] for start in range(0, len(whole), size or len(whole))]
    with serving((lambda _: pieces) if size else script) as server:
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
