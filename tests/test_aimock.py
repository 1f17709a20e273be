"""A mock server that others wrote, over real HTTP: npm's @copilotkit/aimock, where node and the package are.

npm install --prefix aimock @copilotkit/aimock
VOXGEN_AIMOCK=aimock/node_modules/.bin/llmock pytest -m foreign
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from voxgen.ask import client
from voxgen.ask.client import ask, list_models
from voxgen.ask.models import custom
from voxgen.cli import run
from voxgen.errors import ModelError

COMMAND = os.environ.get("VOXGEN_AIMOCK") or shutil.which("llmock") or ""
pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(not (COMMAND and shutil.which("node")), reason="npm's @copilotkit/aimock is not here"),
]
KEY = "sk-proj-0123456789abcdefSECRET"
MESSAGES = [{"role": "system", "content": "rules"}, {"role": "user", "content": "a pond"}]
SCENE = json.dumps(
    {
        "title": "A pond 花园",
        "size": [8, 8, 4],
        "build": [
            {"box": [[0, 0, 0], [7, 7, 0]], "of": "green"},
            {"box": [[2, 2, 1], [5, 5, 1]], "of": "blue"},
        ],
    },
    ensure_ascii=False,
)


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    client._LEARNT.clear()
    yield
    client._LEARNT.clear()


@contextmanager
def mock(folder: Path, *options: str, **response: object) -> Iterator[str]:
    """Run the server with one answer for every prompt; yield its base URL."""
    fixtures = {"fixtures": [{"match": {"userMessage": "pond"}, "response": {"content": SCENE, **response}}]}
    (folder / "fixtures.json").write_text(json.dumps(fixtures), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [COMMAND, "-p", str(port), "-f", str(folder / "fixtures.json"), "--log-level", "warn", *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(10)


def test_a_streamed_reply_arrives_whole_with_its_counts(tmp_path: Path) -> None:
    heard: list[str] = []
    with mock(tmp_path, "-c", "7", reasoning="let me see") as url:
        reply = ask(MESSAGES, custom(url, "gpt-9"), key=KEY, on_text=heard.append)
        assert list_models(custom(url, "gpt-9"), KEY)
    assert reply.text == "".join(heard) == SCENE
    assert len(heard) > 5
    assert (reply.finish, reply.partial) == ("stop", "")
    assert reply.reasoning == "let me see"


def test_the_program_makes_a_scene_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mock(folder) as url:
        assert run(["a pond", "--base-url", url, "--model", "gpt-9", "--no-picture"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == ["pond.reply.txt", "pond.json"]
    assert "tokens in" in said.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("chaos", "words"),
    [
        (("--chaos-drop", "1"), "overloaded or down"),
        (("--chaos-ratelimit", "1"), "limits how often"),
        (("--chaos-disconnect", "1"), "broke"),
        (("--chaos-malformed", "1"), "JSON that cannot be read"),
    ],
)
def test_its_chaos_is_one_clear_line(tmp_path: Path, chaos: tuple[str, str], words: str) -> None:
    with mock(tmp_path, *chaos) as url, pytest.raises(ModelError, match=words) as caught:
        ask(MESSAGES, custom(url, "gpt-9"), key=KEY, retries=1, sleep=lambda _: None)
    assert "\n" not in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.hint
