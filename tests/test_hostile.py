"""Input made to hang, blow up or crash ends soon, in little memory, with a scene or one clear line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxgen.errors import ReplyError
from voxgen.language.document import STEPS, mend
from voxgen.language.limits import Limits
from voxgen.language.reader import read

ROOT = Path(__file__).parents[1]
MEMORY = 500 << 20  # bytes more than the idle process
HANG = 60  # seconds; far above what any of these takes, so that only a hang fails

CHECK = """
import sys
sys.path.insert(0, sys.argv[2])
import voxgen.cli, voxgen.files
voxgen.files.read(b'{"build": [{"voxels": [[0, 0, 0]]}]}', "")  # what is imported is not the reply's memory
def peak():  # ru_maxrss would count the parent's memory, this is of this process alone
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()
if sys.argv[3:]:
    taken = bytearray(int(sys.argv[3]))
code = voxgen.cli.run(["check", sys.argv[1]])
print("MEMORY", (peak() - before) * 1024, "CODE", code)
"""


def scene(*steps: Any, **more: Any) -> str:
    keep = {"voxels": [[0, 0, 0], [1, 0, 0]], "of": "red"}
    return json.dumps({"size": [32, 32, 32], "palette": {"red": "#ff0000"}, "build": [keep, *steps], **more})


def doubling(depth: int) -> dict[str, Any]:
    parts = {
        f"p{k}": {"build": [{"place": f"p{k + 1}", "at": [[0, 0, 0], [1, 0, 0]]}] * 8} for k in range(depth)
    }
    return {**parts, f"p{depth}": {"build": [{"voxels": [[0, 0, 0]], "of": "red"}]}}


KEEP = '{"voxels":[[0,0,0]],"of":"red"}'
INPUTS: dict[str, tuple[str, int]] = {  # name → the text, the exit code
    "a size of 10^9": (scene(size=[10**9] * 3), 0),
    "a box of 10^9": (scene({"box": [[0, 0, 0], [10**9] * 3], "of": "red", "hollow": True}), 0),
    "a ball of 10^9": (scene({"sphere": {"center": [0, 0, 0], "radius": 10**9}, "of": "red"}), 0),
    "no size and far voxels": (scene({"voxels": [[0, 0, 0], [10**9] * 3], "of": "red"}, size=None), 0),
    "a repeat of 10^12": (scene({"repeat": 10**12, "build": [{"voxels": [["i", 0, 0]], "of": "red"}]}), 0),
    "repeats in repeats": (
        scene({"repeat": 10**6, "build": [{"repeat": 10**6, "build": [{"repeat": 10**6, "build": []}]}]}),
        0,
    ),
    "powers of powers": (scene({"box": [[0, 0, 0], ["9**9**9", 1, 1]], "of": "red"}), 0),
    "powers in the text": (
        scene({"box": [[0, 0, 0], ["@", 1, 1]], "of": "red"}).replace('"@"', "9**9**9"),
        0,
    ),
    "a formula of 100 kB": (scene({"formula": "x+" * 50_000 + "1>0", "of": "red"}), 0),
    "a deep formula": (scene({"formula": "(" * 20_000 + "x" + ")" * 20_000, "of": "red"}), 0),
    "functions that double": (
        scene(
            {"formula": "f59(x)>0", "of": "red"},
            functions={"f0(x)": "x"} | {f"f{k}(x)": f"f{k - 1}(x)+f{k - 1}(x)" for k in range(1, 60)},
        ),
        0,
    ),
    "parts that place themselves": (
        scene({"place": "p", "at": [0, 0, 0]}, parts={"p": {"build": [{"place": "p", "at": [1, 0, 0]}]}}),
        0,
    ),
    "parts that double": (scene({"place": "p0", "at": [0, 0, 0]}, parts=doubling(10)), 0),
    "a million brackets": ("[" * 1_000_000, 4),
    "a million braces": ('{"a":' * 300_000, 4),
    "a million closed brackets": ("[" * 500_000 + "]" * 500_000, 4),
    "a million steps": (scene(*[{"voxels": [[1, 1, 1]], "of": "red"}] * 300_000), 0),
    "nan and infinity": (scene({"box": [["0/0", 0, 0], [1e999, 1, 1]], "of": "red"}), 0),
    "a number of 10,000 digits": ('{"seed":' + "9" * 10_000 + ',"build":[' + KEEP + "]}", 0),
    "sixty megabytes of prose": ("I think that {y} and [x, z] go together. " * 1_500_000, 4),
    "a long cut text": ('{"size":[64,64,64],"build":[' + (KEEP + ",") * 150_000, 0),
    "layers that unroll": (scene({"layers": ["a*999999/" * 200] * 50, "key": {"a": "red"}}), 0),
    "a huge scatter": (
        scene(
            {"box": [[0, 0, 0], [31, 31, 0]], "of": "red"},
            {"scatter": ["red"], "count": 1e12, "gap": 1e9},
        ),
        0,
    ),
    "an endless line": (scene({"line": [[-1e15, 0, 0], [1e15, 9, 9]], "width": 1e9, "of": "red"}), 0),
    "a mix of a hundred thousand": (
        scene({"box": [[0, 0, 0], [9, 9, 9]], "of": {f"m{i}": 1 for i in range(100_000)}}),
        0,
    ),
    "a palette of a hundred thousand": (scene(palette={f"m{i}": "#123456" for i in range(100_000)}), 0),
}


def checked(path: Path, *more: str) -> tuple[int, int, str]:
    """Return the memory that reading a file took, in bytes, the exit code and what was said."""
    command = [sys.executable, "-c", CHECK, str(path), str(ROOT), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    memory, code = (int(v) for v in done.stdout.rsplit("MEMORY", 1)[1].replace("CODE", "").split())
    return memory, code, done.stdout[-500:] + done.stderr[-500:]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", INPUTS)
def test_hostile_text_ends_soon_and_small(tmp_path: Path, name: str) -> None:
    text, code = INPUTS[name]
    path = tmp_path / "reply.txt"
    path.write_text(text, encoding="utf-8")
    memory, said, output = checked(path)
    assert said == code, output
    assert memory < MEMORY


LARGE = 60_000_000  # characters
HEAD = '{"size":[99,99,99],"palette":{"red":"#ff0000"},"build":['
STEP = '{"box":[[1,2,3],[4,5,6]],"of":"red"},'
KINDS: dict[
    str, tuple[str, str, str, int]
] = {  # name → what comes before, over and over, after; the exit code
    "valid steps": (HEAD, STEP, STEP[:-1] + "]}", 0),
    "cut steps": (HEAD, STEP, "", 0),
    "steps with a comma too many": (HEAD, STEP.replace("}", ",}"), "]}", 0),
    "steps without quotes": (HEAD, STEP.replace('"', ""), "]}", 0),
    "one step a line": ("", STEP[:-1] + "\n", "", 0),
    "cells": (HEAD + '{"of":"red","voxels":[', "[12,3,4],", "[1,2,3]]}]}", 0),
    "cells with colors": (HEAD + '{"voxels":[', "[12,3,4,[200,10,33]],", "[1,2,3,[1,2,3]]]}]}", 0),
    "foreign cells": ("[", '{"x":1,"y":2,"z":3,"c":"#ff0000"},', '{"x":1,"y":2,"z":3,"c":"red"}]', 0),
    "foreign cells, cut": ("[", '[12,3,4,"minecraft:stone"],', "", 0),
    "foreign cuboids": ('{"blocks":[', '{"start":[0,0,0],"end":[3,3,3],"type":"stone"},', "", 0),
    "foreign operations": ('{"palette":{"a":"red"},"ops":[["set","a",', "1,2,3,", "4,5,6]]}", 0),
    "bricks": ("", "2x4 (1,2,3)\n", "", 0),
    "one text": ('{"title":"', "abcdefghij", '"', 4),
    "quotes in a text": ('{"title":"', 'abc"def, ', "", 4),
    "numbers": ("[", "1,", "1]", 4),
    "lists": ("[", "[],", "[]]", 4),
    "rubble": ("", '{]:"a,1[} ', "", 4),
    "rows of a layer": (HEAD[:-8] + '"layers":["', "aaaaaaaa/", 'a"]}', 0),
}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("name", KINDS)
def test_sixty_megabytes_of_one_kind_end_soon_and_small(tmp_path: Path, name: str) -> None:
    before, unit, after, code = KINDS[name]
    path = tmp_path / "reply.txt"
    path.write_text(before + unit * (LARGE // len(unit)) + after, encoding="utf-8")
    memory, said, output = checked(path)
    assert said == code, output
    assert memory < MEMORY


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("cell", ["[%d,%d,%d,[%d,%d,%d]]", "[%d,%d,%d,%d,%d,%d]"])
@pytest.mark.parametrize("around", ['{"size":[100,100,100],"voxels":[%s]}', HEAD + '{"voxels":[%s]}]}'])
def test_a_million_cells_of_a_million_colors_are_all_read(tmp_path: Path, cell: str, around: str) -> None:
    numbers = range(1_000_000)
    rows = (cell % (i % 100, i // 100 % 100, i // 10_000, i % 256, i // 256 % 256, i >> 16) for i in numbers)
    path = tmp_path / "reply.txt"
    path.write_text(around % ",".join(rows), encoding="utf-8")
    memory, said, output = checked(path)
    assert said == 0, output
    assert "1,000,000 voxels" in output
    assert memory < MEMORY


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_the_measure_of_memory_sees_memory(tmp_path: Path) -> None:
    path = tmp_path / "reply.txt"
    path.write_text(scene(), encoding="utf-8")
    assert checked(path, str(300 << 20))[0] > 300 << 20
    assert checked(path)[0] < 100 << 20


FIXTURES = Path(__file__).parent / "fixtures"
TEXTS = [  # what a fuzzer damages: real replies, and every way to write a scene or a build
    *(path.read_text("utf-8") for path in sorted(ROOT.glob("gallery/*/reply.txt"))),
    *(
        path.read_bytes().decode("utf-8", "replace")
        for folder in ("pond", "replies", "builds", "foreign")
        for path in sorted((FIXTURES / folder).iterdir())
        if path.name != "expected.json"
    ),
]
_MARKS = "{}[]\",:\\\n\x00\u2028 .0123456789-+*/#eE'`|><()=x"


def damaged(seed: int) -> str:
    """Return a text, mostly a piece of it, with a few random edits and sometimes a piece of another."""
    chance = random.Random(seed)
    text = chance.choice(TEXTS)
    text = text[: chance.randrange(200, 4000)] if chance.random() < 0.7 else text[:20_000]
    for _ in range(chance.choice([0, 1, 2, 4, 16])):
        at = chance.randrange(len(text) + 1)
        cut = chance.choice([0, 0, 1, 1, 3, 40])
        text = text[:at] + "".join(chance.choices(_MARKS, k=chance.randrange(4))) + text[at + cut :]
    if chance.random() < 0.2:
        other, at = chance.choice(TEXTS)[:2000], chance.randrange(len(text) + 1)
        text = text[:at] + other[chance.randrange(len(other)) :] + text[at:]
    return text


def reads_or_says_why(text: str) -> None:
    found, reason = None, ""
    try:
        found = read(text, limits=Limits(step_seconds=1, total_seconds=3))
    except ReplyError as error:
        reason = str(error)
    if found is None:
        assert reason
        assert "\n" not in reason
        assert "the reply cannot be read" not in reason  # a bug, caught at the last moment
        return
    assert not [r for r in found.repairs if "beyond understanding" in r.problem], found.repairs
    assert found.grid.voxels > 0
    assert found.grid.indices.max() < len(found.grid.palette)


_WORDS = [
    "size", "palette", "build", "box", "of", "sphere", "center", "radius", "parts", "place", "at", "layers",
    "blocks", "boxes", "x", "y", "z", "type", "color", "ops", "start", "end", "repeat", "formula", "in",
    "let", "scatter", "on", "count", "voxels", "key", "light", "view", "textures", "functions",
    "when", "only", "up", "palette", "start", "end", "from", "to", "position", "ops", "l", "p", "data",
    "positions", "colors", "dims", "width", "bricks", "commands", "path", "value", "op", "scene", "turn",
    "axis", "base", "height", "cylinder", "roof", "terrain", "line", "formula", "mirror", "hollow",
]  # fmt: skip
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 99)
    | st.floats()
    | st.sampled_from(
        ["x", "y", "#fff", "i+1", "air", "2x4", "stone", "1,2,3", "S*3|S", "2x4 (0,0,0)", "{}", "red"]
    )
    | st.lists(st.integers(-3, 12), min_size=3, max_size=7)
    | st.lists(st.lists(st.integers(-3, 12), min_size=3, max_size=3), min_size=2, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(_WORDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)
FUZZ = int(os.environ.get("VOXGEN_FUZZ", "60"))  # examples; `make fuzz` takes many more
_quickly = settings(deadline=None, max_examples=FUZZ, suppress_health_check=list(HealthCheck))


@_quickly
@given(st.integers(0, 2**32))
def test_any_damage_to_a_reply_leaves_a_scene_or_a_reason(seed: int) -> None:
    reads_or_says_why(damaged(seed))


@_quickly
@given(_JSON)
def test_any_json_is_a_scene_or_a_reason(value: Any) -> None:
    reads_or_says_why(json.dumps(value))


_STEP = st.sampled_from(sorted(STEPS)).flatmap(
    lambda name: st.fixed_dictionaries(
        {name: _JSON, "of": st.sampled_from(["a", "red", {"a": 1, "b": 2}, None, ["a"], "zzz"])},
        optional=dict.fromkeys(sorted(STEPS[name]), _JSON) | {"when": _JSON, "only": st.just("air")},
    )
)


@_quickly
@given(
    st.lists(_STEP, max_size=5), st.sampled_from(["", "y", "z"]), st.sampled_from([None, [8, 6, 7], "9x9x9"])
)
def test_any_steps_give_a_grid_within_their_size_or_a_reason(steps: list[Any], up: str, size: Any) -> None:
    document = {"size": size, "up": up, "palette": {"a": "#123456", "b": "red"}, "build": steps}
    reads_or_says_why(json.dumps(document))
    mended, _ = mend(json.loads(json.dumps(document)))
    assert mend(mended)[1] == []


@pytest.mark.parametrize("path", sorted((FIXTURES / "fuzz").glob("*.txt")), ids=lambda path: path.stem)
def test_what_a_fuzzer_once_broke_is_read_or_refused(path: Path) -> None:
    reads_or_says_why(path.read_bytes().decode("utf-8"))


@_quickly
@given(st.text(max_size=400))
def test_any_text_is_a_scene_or_a_reason(text: str) -> None:
    reads_or_says_why(text)
