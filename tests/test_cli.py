"""The command line as a person meets it: what it prints, writes, refuses, and with which exit code."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers import failure, in_turn, recorded, serving

from voxgen.cli import run
from voxgen.files import png
from voxgen.picture import driver

SMALL = json.dumps(
    {
        "title": "A post",
        "size": [5, 5, 6],
        "palette": {"wood": "#7d5636", "red": "#bd3a33"},
        "build": [
            {"box": [[0, 0, 0], [4, 4, 0]], "of": "wood"},
            {"box": [[2, 2, 1], [2, 2, 5]], "of": "red"},
        ],
    }
)
LOOK = ["--quality", "draft"]


@pytest.fixture
def _needs_gl() -> None:
    missing = driver.probe().missing
    if missing:
        pytest.skip(missing)


def called(*args: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "voxgen", *args], capture_output=True, check=False, timeout=120
    )


def one_line(err: str) -> bool:
    return err.startswith("voxgen: ") and err.count("\n") == 1 and "Traceback" not in err


# --------------------------------------------------------------------------- start-up


@pytest.mark.parametrize("args", [["--version"], ["--help"], ["make", "--help"], ["prompt", "a pond"]])
def test_what_draws_and_asks_nothing_imports_nothing_heavy(args: list[str]) -> None:
    script = (
        "import sys; import voxgen; from voxgen.cli import run; run(sys.argv[1:]);"
        "sys.exit(any(m in sys.modules for m in ('numpy', 'httpx', 'pyvista', 'vtkmodules', 'PIL')))"
    )
    done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.usefixtures("_needs_gl")
def test_what_draws_imports_neither_the_composer_nor_what_shows_windows(folder: Path) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    script = (
        "import sys; from voxgen.cli import run; run(sys.argv[1:]);"
        "unwanted = ('voxgen.ask', 'voxgen.maker', 'httpx', 'pyvista', 'matplotlib', 'vtkmodules.all');"
        "print(sorted(m for m in unwanted if m in sys.modules))"
    )
    command = [sys.executable, "-c", script, "render", "post.json", *LOOK, "--size", "64x48"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    assert done.stdout.decode().splitlines() == ["post.png", "[]"]


def test_version_is_one_word_and_a_number() -> None:
    done = called("--version")
    assert done.stdout.decode().startswith("voxgen 0.")
    assert run(["--version"]) == 0


@pytest.mark.parametrize(
    "command",
    ["make", "edit", "undo", "render", "check", "prompt", "export", "models", "cache", "gallery"],
)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert "Usage: voxgen" in capsys.readouterr().out


# --------------------------------------------------------------------------- the built-in composer


@pytest.mark.usefixtures("_needs_gl")
def test_a_prompt_becomes_a_scene_and_a_picture_and_never_overwrites(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["a small garden", "--model", "builtin", "--size", "small", "--picture", "160x120", *LOOK]
    assert run(args) == 0
    first = capsys.readouterr()
    assert first.out.split() == ["small-garden.json", "small-garden.png"]
    assert "built-in composer" in first.err
    assert run(args) == 0
    assert capsys.readouterr().out.split() == ["small-garden-2.json", "small-garden-2.png"]
    assert (folder / "small-garden.json").read_bytes() == (folder / "small-garden-2.json").read_bytes()
    assert png.decode((folder / "small-garden.png").read_bytes()).shape == (120, 160, 3)
    origin = json.loads((folder / "small-garden.json").read_text(encoding="utf-8"))["origin"]
    assert origin["by"] == "built-in composer"


def test_json_goes_to_stdout_and_quiet_keeps_quiet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["a garden", "--model", "builtin", "--size", "small", "--no-picture", "--json", "-q"]
    assert run(args) == 0
    said = capsys.readouterr()
    assert said.err == ""
    about = json.loads(said.out)
    assert about["voxels"] > 1000
    assert about["origin"]["files"] == ["garden.json"]
    assert (folder / "garden.json").exists()


def test_the_output_may_be_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out").mkdir()
    args = ["a garden", "--model", "builtin", "--size", "small", "--no-picture", "-o", "out"]
    assert run(args) == 0
    assert capsys.readouterr().out.split() == [str(Path("out") / "garden.json")]


# --------------------------------------------------------------------------- a model


def test_a_streamed_reply_is_kept_read_and_built(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(recorded("Here you are:\n```json\n" + SMALL + "\n```")) as server:
        assert run(["a post", "--base-url", server.url, "--model", "m", "--no-picture"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == ["post.reply.txt", "post.json"]
    assert (folder / "post.reply.txt").read_text(encoding="utf-8").startswith("Here you are")
    scene = json.loads((folder / "post.json").read_text(encoding="utf-8"))
    assert scene["origin"]["prompt"] == "a post"
    assert scene["origin"]["tokens"]["output"] > 0
    sent = server.requests[0].body["messages"]
    assert sent[-1]["content"].endswith("a post")


def test_a_reply_without_a_scene_is_kept_and_asked_for_once_more(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(in_turn(recorded("I would love to, but first: which colour?"), recorded(SMALL))) as server:
        assert run(["a post", "--base-url", server.url, "--model", "m", "--no-picture"]) == 0
        assert len(server.requests) == 2
    said = capsys.readouterr()
    assert said.out.split() == ["post.reply.txt", "post.reply-2.txt", "post.json"]
    assert "asking once more" in said.err


def test_two_replies_without_a_scene_end_with_the_place_of_the_reply(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(recorded("No.")) as server:
        assert run(["a post", "--base-url", server.url, "--model", "m", "--no-picture"]) == 4
        assert len(server.requests) == 2
    assert "post.reply-2.txt" in capsys.readouterr().err
    assert (folder / "post.reply.txt").read_text(encoding="utf-8") == "No."


def stopped_in_the_middle(
    folder: Path, sign: int, name: str = "post.reply.txt", *options: str
) -> tuple[int, bytes, str]:
    """Send a signal while a reply streams; return the exit code, stderr and what is on disk of the reply."""
    with serving(recorded(SMALL * 50, chunk=20, delay=0.05)) as server:
        args = ["a post", "--base-url", server.url, "--model", "m", "--no-picture", *options]
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgen", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        reply = folder / name
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (reply.exists() and reply.stat().st_size > 100):
            time.sleep(0.02)
        process.send_signal(sign)
        _, err = process.communicate(timeout=30)
    return process.returncode, err, reply.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_kill_9_in_the_middle_leaves_what_had_arrived(folder: Path) -> None:
    _, _, kept = stopped_in_the_middle(folder, signal.SIGKILL)
    assert kept.startswith('{"title": "A post"')
    assert 100 < len(kept) < len(SMALL) * 50


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_with_130_and_keeps_the_reply(folder: Path) -> None:
    code, err, kept = stopped_in_the_middle(folder, signal.SIGINT)
    assert code == 130
    assert b"Traceback" not in err
    assert len(kept) > 100


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_waits_for_none_of_several_samples(folder: Path) -> None:
    start = time.monotonic()
    code, err, kept = stopped_in_the_middle(
        folder, signal.SIGINT, "post.sample-2.reply.txt", "--samples", "3"
    )
    assert code == 130
    assert b"Traceback" not in err
    assert len(kept) > 100
    assert time.monotonic() - start < 15, "the whole reply would take half a minute"


def test_a_refused_key_is_one_line_without_the_key(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXGEN_API_KEY", "sk-verysecretkey123")
    with serving(failure("401 Unauthorized", "Incorrect API key provided: sk-verysecretkey123")) as server:
        assert run(["a post", "--base-url", server.url, "--model", "m", "--no-picture"]) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "verysecret" not in err
    assert "127.0.0.1" in err
    assert not list(folder.iterdir())


def test_a_dead_server_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["a post", "--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--no-picture", "-q"]
    assert run(args) == 3
    err = capsys.readouterr().err
    assert one_line(err)
    assert "127.0.0.1:9" in err


def test_an_unwritable_place_is_found_before_anything_is_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(recorded(SMALL)) as server:
        args = [
            "a post",
            "--base-url",
            server.url,
            "--model",
            "m",
            "--no-picture",
            "-o",
            "missing/post.png",
            "-q",
        ]
        assert run(args) == 6
        assert not server.requests
    assert one_line(capsys.readouterr().err)


# --------------------------------------------------------------------------- refusing


def test_a_mistyped_command_is_asked_about_and_not_sent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rendr"]) == 2
    assert "did you mean: voxgen render" in capsys.readouterr().err
    (folder / "garden.json").write_text(SMALL, encoding="utf-8")
    assert run(["garden.json"]) == 2
    assert "did you mean: voxgen render garden.json" in capsys.readouterr().err
    assert run(["rendre", "garden.json"]) == 2
    assert "goes in quotes" in capsys.readouterr().err
    assert run(["rendr", "--light", "sunset"]) == 2
    assert "did you mean: voxgen render" in capsys.readouterr().err
    assert list(folder.iterdir()) == [folder / "garden.json"]


@pytest.mark.parametrize("word", ["castle", "lake", "garden" * 60, "庭" * 200, "pond\udcff"])
def test_a_single_word_that_is_no_slip_is_a_prompt(folder: Path, word: str) -> None:
    assert run([word, "--model", "builtin", "--size", "small", "--no-picture", "-q"]) == 0
    assert len(list(folder.glob("*.json"))) == 1


def test_an_output_that_exists_is_no_slip(folder: Path) -> None:
    (folder / "garden.png").write_bytes(b"old")
    assert run(["-o", "garden.png", "a garden", "--model", "builtin", "--size", "small", "--no-picture"]) == 0
    assert (folder / "garden-2.json").exists()
    assert (folder / "garden.png").read_bytes() == b"old"


def test_a_named_command_is_never_taken_for_a_slip(folder: Path) -> None:
    assert run(["make", "rendr", "--model", "builtin", "--size", "small", "--no-picture", "-q"]) == 0


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["make", ""], 2, "empty"),
        (["make", "   ", "--no-picture"], 2, "empty"),
        (["a garden", "--size", "huge"], 2, "no such size"),
        (["a garden", "--size", "9999x1x1"], 2, "out of range"),
        (["a garden", "--model", "no-such-model-at-all"], 2, "no-such-model"),
        (["a garden", "--picture", "big"], 2, "WIDTHxHEIGHT"),
        (["a garden", "--light", "dusk"], 2, "is not a light"),
        (["a garden", "--quality", "superb"], 2, "is not a quality"),
        (["a garden", "--view", "sideways"], 2, "view"),
        (["a garden", "-o", "garden.jpg"], 6, "PNG"),
        (["a garden", "--frobnicate"], 2, "frobnicate"),
        (["render", "missing.json"], 6, "missing.json cannot be read"),
        (["render", "."], 6, "is a folder"),
        (["check", "hello.txt"], 4, "hello.txt"),
        (["export", "post.json", "."], 6, "known are .binvox, .glb, .html"),
        (["export", "post.json", "post.xyz"], 6, "known are"),
        (["render", "post.json", "-o", "post.gif"], 6, "PNG"),
        (["render", "post.json", "post.json", "-o", "x.png"], 2, "one output"),
        (["render", "post.json", "--size", "0x5"], 2, "0x5"),
        (["render", "post.json", "--size", "100000x100000"], 2, "cannot be drawn"),
        (["a garden", "--picture", "0x5"], 2, "0x5"),
        (["render", "post.json", "-o", "-", "--json"], 2, "both want stdout"),
        (["a", "quiet", "garden"], 2, "goes in quotes"),
        (["gallery", "."], 6, "holds no"),
        (["render"], 2, "FILE"),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str], args: list[str], code: int, words: str
) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    (folder / "hello.txt").write_text("hello", encoding="utf-8")
    assert run(args) == code
    said = capsys.readouterr()
    assert one_line(said.err), said.err
    assert words in said.err
    assert said.out == ""
    assert {p.name for p in folder.iterdir()} == {"post.json", "hello.txt"}


@pytest.fixture
def _without_gl(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "libEGL is missing; apt-get install libegl1"
    monkeypatch.setattr(driver, "probe", lambda: driver.Driver(None, missing))


@pytest.mark.usefixtures("_without_gl")
def test_no_driver_is_said_before_anything_is_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(recorded(SMALL)) as server:
        model = ["--base-url", server.url, "--model", "m"]
        assert run(["a post", "--renderer", "gl", *model]) == 5
        assert run(["a post", "--renderer", "vulkan", *model]) == 2
        assert not server.requests
    first, second = capsys.readouterr().err.splitlines()
    assert one_line(f"{first}\n")
    assert "apt-get install" in first
    assert "vulkan" in second


@pytest.mark.usefixtures("_without_gl")
def test_without_a_driver_a_picture_comes_all_the_same_and_one_line_says_what_is_better(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("post.json").write_text(SMALL)
    assert run(["render", "post.json", "--size", "64x48", *LOOK]) == 0
    said = capsys.readouterr()
    assert said.out == "post.png\n"
    assert one_line(said.err)
    assert "apt-get install" in said.err
    assert run(["render", "post.json", "--size", "64x48", "--renderer", "soft", "-o", "b.png", *LOOK]) == 0
    assert capsys.readouterr().err == ""
    assert Path("post.png").read_bytes() == Path("b.png").read_bytes()
    assert run(["export", "post.json", "c.png", "--renderer", "gl"]) == 5
    assert run(["gallery", "."]) == 5  # its pictures are OpenGL's


def test_a_bug_is_one_line_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from voxgen.ask import models

    monkeypatch.setattr(models, "rows", lambda *_, **__: 1 / 0)
    assert run(["models"]) == 1
    err = capsys.readouterr().err
    assert one_line(err)
    assert "a bug in voxgen: ZeroDivisionError" in err


# --------------------------------------------------------------------------- the other commands


@pytest.mark.usefixtures("_needs_gl")
def test_render_draws_to_free_names_folders_and_stdout(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "post.txt").write_text(f"Sure!\n```json\n{SMALL[:-1]},}}\n```", encoding="utf-8")
    small = ["--size", "64x48", *LOOK]
    assert run(["render", "post.txt", *small]) == 0
    assert run(["render", "post.txt", *small]) == 0
    assert capfdbinary.readouterr().out.split() == [b"post.png", b"post-2.png"]
    assert (folder / "post.png").read_bytes() == (folder / "post-2.png").read_bytes()
    (folder / "out").mkdir()
    assert run(["render", "post.txt", "post.txt", "-o", "out", *small]) == 0
    assert {p.name for p in (folder / "out").iterdir()} == {"post.png", "post-2.png"}
    capfdbinary.readouterr()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SMALL.encode())))
    assert run(["render", "-", "-o", "-", *small]) == 0
    data = capfdbinary.readouterr().out
    assert png.decode(data).shape == (48, 64, 3)


def test_check_lists_repairs_with_their_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "post.json").write_text(SMALL.replace('"of": "red"', '"of": "redd"'), encoding="utf-8")
    assert run(["check", "post.json"]) == 0
    assert 'post.json: $.build[1].of: "redd" is not in the palette; used "red"' in capsys.readouterr().out
    assert run(["check", "post.json", "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["repairs"][0]["path"] == "$.build[1].of"
    assert run(["check", "post.json", "--strict"]) == 4


def test_export_round_trips_through_npz(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    assert run(["export", "post.json", "post.npz"]) == 0
    assert run(["export", "post.npz", "again.json"]) == 0
    assert capsys.readouterr().out.split() == ["post.npz", "again.json"]
    assert json.loads((folder / "again.json").read_text(encoding="utf-8")) == json.loads(SMALL)


def test_several_files_are_told_one_by_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    (folder / "bad.txt").write_text("nothing", encoding="utf-8")
    assert run(["check", "post.json", "post.json", "--json"]) == 0
    assert [json.loads(line)["title"] for line in capsys.readouterr().out.splitlines()] == ["A post"] * 2
    assert run(["check", "post.json", "bad.txt", "post.json"]) == 4
    said = capsys.readouterr()
    assert said.out.count("post.json: Scene('A post'") == 2
    assert one_line(said.err)
    assert "bad.txt" in said.err


def test_a_brick_build_and_an_archive_are_read_from_stdin(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    assert run(["export", "post.json", "post.npz"]) == 0
    for data in ((folder / "post.npz").read_bytes(), b"2x4 (0,0,0)\n2x4 (0,0,1)\n1x1 (3,3,2)\n"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert run(["check", "-"]) == 0
    said = capsys.readouterr().out
    assert "30 voxels" in said
    assert "17 voxels" in said


def test_strict_minds_repairs_and_not_the_look_of_the_whole(folder: Path) -> None:
    plain = {"size": [4, 4, 4], "build": [{"box": [[0, 0, 0], [3, 3, 3]], "of": "red"}]}
    (folder / "plain.json").write_text(json.dumps(plain), encoding="utf-8")
    assert run(["check", "plain.json", "--strict"]) == 0


def test_export_to_stdout_is_json(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    assert run(["export", "post.json", "-"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == json.loads(SMALL)


def test_limits_can_be_set_and_breaches_are_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    assert run(["check", "post.json", "--limit", "side=4"]) == 0
    assert "$.size: 5×5×6 is beyond the limits; built 4×4×4 of it" in capsys.readouterr().out
    assert run(["check", "post.json", "--limit", "steps=1"]) == 0
    assert "more than 1 steps" in capsys.readouterr().out
    for wrong in ("side", "side=", "side=x", "height=3", "side=0", "side=999999"):
        assert run(["check", "post.json", "--limit", wrong]) == 2
        assert one_line(capsys.readouterr().err)


def test_prompt_prints_exactly_what_is_sent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prompt", "a post", "--size", "small"]) == 0
    printed = capsys.readouterr().out
    with serving(recorded(SMALL)) as server:
        assert (
            run(["a post", "--size", "small", "--base-url", server.url, "--model", "m", "--no-picture"]) == 0
        )
    sent = "\n\n".join(m["content"] for m in server.requests[0].body["messages"])
    assert printed == sent + "\n"


def test_models_lists_keys_found_and_never_keys(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecretkey123")
    assert run(["models", "--no-probe"]) == 0
    table = capsys.readouterr().out
    assert any(line.startswith("+ openai/") for line in table.splitlines())
    assert any(line.startswith("  openrouter/") for line in table.splitlines())
    assert run(["models", "--no-probe", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert "verysecret" not in table + json.dumps(rows)
    assert {"name", "endpoint", "key_variable", "found", "price"} <= set(rows[0])


def test_cache_says_what_is_kept_and_clears_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(recorded(SMALL)) as server:
        for _ in range(2):
            assert run(["a post", "--base-url", server.url, "--model", "m", "--no-picture"]) == 0
        assert len(server.requests) == 1
    assert "answered from the cache, nothing is paid; --fresh asks again" in capsys.readouterr().err
    assert run(["cache"]) == 0
    assert capsys.readouterr().out.endswith(": 1 reply, 0.0 MB\n")
    assert run(["cache", "--clear", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["replies"], done["cleared"]) == (1, True)
    assert run(["cache"]) == 0
    assert ": 0 replies" in capsys.readouterr().out


def test_money_that_buys_nothing_is_refused_before_anything_is_sent(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecretkey123")
    assert run(["a post", "--model", "gpt", "--no-picture", "-q", "--max-cost", "0.001"]) == 2
    err = capsys.readouterr().err
    assert one_line(err)
    assert "--max-cost: $0.001 is too little for openai/gpt-6.1-sol" in err
    assert not list(folder.iterdir())


@pytest.mark.parametrize("words", [[], ["help"], ["-h"]])
def test_help_is_had_by_any_name(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(words) == 0
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "voxgen", "prompt", "a pond"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 6
    assert one_line(done.stderr.decode())


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = f"{sys.executable} -m voxgen prompt 'a pond' | head -c 10"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"], capture_output=True, check=False, timeout=60
    )
    assert done.stdout.startswith(b"You are a")
    assert b"Traceback" not in done.stderr


@pytest.mark.usefixtures("_needs_gl")
def test_gallery_draws_checks_and_indexes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgen.gallery.SPIN_FRAMES", 2)
    scene = json.loads(SMALL) | {
        "picture": {"size": [64, 48], "quality": "draft"},
        "origin": {"by": "a test"},
    }
    (folder / "gallery" / "post").mkdir(parents=True)
    (folder / "gallery" / "post" / "scene.json").write_text(json.dumps(scene), encoding="utf-8")
    assert run(["gallery", "--check"]) == 6
    assert "post, README.md" in capsys.readouterr().err
    assert run(["gallery"]) == 0
    assert run(["gallery", "--check"]) == 0
    index = (folder / "gallery" / "README.md").read_text(encoding="utf-8")
    assert "## A post" in index
    assert "A test · 5×5×6 · 30 voxels" in index
    assert "[turning](post/spin.webp)" in index
    image = png.decode((folder / "gallery" / "post" / "picture.png").read_bytes())
    (folder / "gallery" / "post" / "picture.png").write_bytes(png.encode(image[::-1].copy()))
    assert run(["gallery", "--check"]) == 6


@pytest.mark.usefixtures("_needs_gl")
def test_gallery_turns_what_it_is_told_to_and_links_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgen.gallery.SPIN_FRAMES", 3)
    monkeypatch.setattr("voxgen.gallery.SPIN_SIZE", (32, 24))
    for name in ("post", "pole"):
        (folder / "gallery" / name).mkdir(parents=True)
        (folder / "gallery" / name / "scene.json").write_text(SMALL, encoding="utf-8")
    assert run(["gallery", "--spin", "pots"]) == 2
    assert run(["gallery", "--spin", "post", "--check"]) == 2
    assert run(["gallery", "--spin", "post"]) == 0
    assert [path.parent.name for path in folder.rglob("spin.webp")] == ["post"]
    index = (folder / "gallery" / "README.md").read_text(encoding="utf-8")
    assert "[turning](post/spin.webp)" in index
    assert "pole/spin.webp" not in index
    assert run(["gallery", "--spin", "all"]) == 0
    assert run(["gallery"]) == 0
    assert run(["gallery", "--check"]) == 0
    (folder / "gallery" / "pole" / "spin.webp").unlink()
    assert run(["gallery", "--check"]) == 6
    assert run(["gallery"]) == 0
    assert (folder / "gallery" / "pole" / "spin.webp").exists()


def test_the_same_machine_code_runs_as_a_module() -> None:
    assert called("prompt", "").returncode == 2
    assert os.linesep.encode() in called("prompt", "a pond").stdout


class Terminal(io.StringIO):
    """A stream that says it is a terminal, or that it is none."""

    def __init__(self, *, shows: bool) -> None:
        super().__init__()
        self.shows = shows

    def isatty(self) -> bool:
        return self.shows


@pytest.mark.usefixtures("_needs_gl")
@pytest.mark.parametrize("shows", [True, False])
def test_several_pictures_come_from_one_process_with_a_bar_on_a_terminal_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, shows: bool
) -> None:
    names = ["a.json", "b.json", "broken.json"]
    for name in names:
        (folder / name).write_text(SMALL if name != "broken.json" else "no scene", encoding="utf-8")
    stderr = Terminal(shows=shows)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert run(["render", *names, *LOOK, "--size", "64x48"]) == 4
    assert (folder / "a.png").exists()
    assert (folder / "b.png").exists()
    said = stderr.getvalue()
    assert ("render" in said and "b.json" in said and "100%" in said) == shows
    assert "voxgen: broken.json" in said
    assert shows or said.count("\n") == 1


# --------------------------------------------------------------------------- moving pictures


def test_scenes_move(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.json").write_text(SMALL, encoding="utf-8")
    args = ["render", "a.json", "--size", "32x24", "--frames", "3", "--renderer", "soft", "--fps", "5"]
    outs = ["--spin", "s.webp", "--buildup", "b.gif", "--daylight", "d.apng"]
    assert run([*args, *outs]) == 0
    told = capsys.readouterr()
    assert told.out.split() == ["s.webp", "b.gif", "d.apng"]
    assert {path.name for path in folder.iterdir()} == {"a.json", "s.webp", "b.gif", "d.apng"}
    assert run([*args, "--spin", "s.webp", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["moving"] == {"spin": "s.webp"}


@pytest.mark.parametrize("shows", [True, False])
@pytest.mark.parametrize("name", ["s.webp", "s.gif", "s.apng"])
def test_the_bar_of_a_moving_picture_ends_full_and_is_silent_when_piped(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, shows: bool
) -> None:
    (folder / "a.json").write_text(SMALL, encoding="utf-8")
    stderr = Terminal(shows=shows)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert (
        run(["render", "a.json", "--spin", name, "--frames", "3", "--size", "32x24", "--renderer", "soft"])
        == 0
    )
    said = stderr.getvalue()
    assert ("100%" in said) == shows
    assert shows or said == ""


@pytest.mark.usefixtures("_needs_gl")
@pytest.mark.parametrize("shows", [True, False])
def test_checking_a_gallery_shows_how_far_it_is_on_a_terminal_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, shows: bool
) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "scene.json").write_text(SMALL, encoding="utf-8")
    stderr = Terminal(shows=shows)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert run(["gallery", ".", "--check"]) == 6
    said = stderr.getvalue()
    assert ("100%" in said and "two" in said.split("\n")[0]) == shows
    assert "voxgen: .: differs" in said
    assert shows or said.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["a.json", "--spin", "a.mov"], ".webp, .gif, .apng or .mp4"),
        (["a.json", "--spin", "a.gif", "--frames", "1"], "1 frame cannot be drawn"),
        (["a.json", "--spin", "a.gif", "--fps", "0"], "frames a second"),
        (["a.json", "b.json", "--spin", "a.gif"], "run voxgen once for each"),
        (["a.json", "--spin", "a.gif", "--show"], "--show and --spin at once"),
        (["a.json", "--spin", "a.gif", "-o", "a.png"], "-o and --spin at once"),
        (["a.json", "--spin", "a.gif", "--views", "4"], "--views and --spin at once"),
        (["a.json", "--spin", "a.gif", "--buildup", "a.gif"], "two moving pictures in one file"),
        (["a.json", "--frames", "9"], "without anything that moves"),
        (["a.json", "--daylight", "a.gif", "--light", "day"], "--light and --daylight at once"),
    ],
)
def test_what_cannot_move_is_refused_first(
    args: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["render", *args]) == (6 if args[-1] == "a.mov" else 2)
    assert says in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_failure(folder: Path) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    command = f"{sys.executable} -m voxgen check post.json post.json | head -c 0"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_link_names_is_written_and_the_link_stays(folder: Path) -> None:
    (folder / "post.json").write_text(SMALL, encoding="utf-8")
    (folder / "far").mkdir()
    (folder / "link.npz").symlink_to(folder / "far" / "scene.npz")
    assert run(["export", "post.json", "link.npz"]) == 0
    assert (folder / "link.npz").is_symlink()
    assert (folder / "far" / "scene.npz").stat().st_size > 0
