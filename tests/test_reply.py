"""Reading replies: every fixture decodes to what was meant, nothing hangs, nothing finished is lost."""

from __future__ import annotations

import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxgen.errors import ReplyError
from voxgen.language import reply
from voxgen.language.envelope import unwrapped
from voxgen.language.reader import read
from voxgen.language.reply import parse
from voxgen.language.stream import Listener
from voxgen.language.tokens import MAX_DEPTH, MAX_REPAIRS, work_out
from voxgen.scene import Scene

FIXTURES = Path(__file__).parent / "fixtures" / "replies"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text("utf-8"))
ROOT = Path(__file__).parents[1]
POND = FIXTURES.parent / "pond"
CASES = Path(__file__).parents[2] / "shared" / "broken" / "cases.json"

SCENE: dict[str, Any] = {
    "title": "Pond “at night”",
    "size": [12, 12, 9],
    "palette": {"soil": "#6a4830", "water": {"color": "#49b3d1", "opacity": 0.7}},
    "functions": {"f(a,b)": "hypot(a,b)<3"},
    "parts": {
        "reed": {"size": [1, 1, 4], "build": [{"box": [[0, 0, 0], [0, 0, 3]], "of": "soil"}]},
        "lily": {"size": [3, 3, 1], "layers": [".a./aaa/.a."], "key": {"a": "soil"}},
    },
    "build": [
        {"box": [[0, 0, 0], [11, 11, 1]], "of": {"soil": 5, "water": 0.5}, "note": 'mud, "deep" [wet]'},
        {"formula": "f(x-6,y-6) and z==1", "in": [[0, 0, 0], [11, 11, 2]], "of": "water"},
        {
            "repeat": 3,
            "as": "i",
            "build": [{"place": "reed", "at": [["2+3*i", 4, 2]]}, {"voxels": [[1, 2, 3]]}],
        },
        {"place": "lily", "at": [[4, 4, 2], [7, 5, 2]], "turn": 90},
        {"sphere": {"center": [6, 6, 4], "radius": [2, 2, 1.5]}, "of": "air"},
    ],
}

keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | keys,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)
documents = st.dictionaries(keys, values, min_size=1, max_size=5).map(
    lambda value: {"size": [1, 1, 1], **value}
)
marks = st.sampled_from([*"{}[]()<>\"',:;=+-*/#.\\`“”‘’«»\n\t 0123456789abxyz…，［］\0\u2028\ufeff\ud800"])
RUBBLE = r'''
"a": "build":[ {"box":[[0,0,0],[1,1,1]],"of":"m"} "size":[1,1,1] "palette":{"a":"#fff"} true None NaN //c /*
"parts":{"p":{"size":[1,1,1],"build":[]}} ... \" <think> </think> range(9) rgb(1,2,3) #fff \u00 0x1f 1e5 =>
.repeat(3) *3] minecraft:stone <|channel|>final<|message|> {{ }} &quot; data: data:{"delta":"[1"} "...":"..."
2*(3+4) np.array( {"content":"{\"a\":1}"} [x """ ``` ]+[
'''
words = st.sampled_from([*RUBBLE.split(), "\n> ", "for x in range(3)", "data: [DONE]\n", '" + "'])
rubble = st.lists(marks | words, max_size=60).map("".join)


# ------------------------------------------------------------------------------------ fixtures


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_fixture_is_read_as_meant_and_says_what_was_mended(name: str) -> None:
    value, repairs = parse((FIXTURES / f"{name}.txt").read_bytes())
    assert value == EXPECTED[name]["value"]
    assert any(EXPECTED[name]["problem"] in f"{repair.problem}; {repair.fix}" for repair in repairs) or (
        EXPECTED[name]["problem"] == ""
    )


def test_every_fixture_file_has_an_expected_value() -> None:
    assert {path.stem for path in FIXTURES.glob("*.txt")} == set(EXPECTED)


@pytest.mark.parametrize("path", sorted(POND.glob("*.txt")), ids=lambda path: path.stem)
def test_every_way_to_write_the_pond_builds_the_pond(path: Path) -> None:
    """Whatever it comes wrapped in and however it is written: the very same cells and colours."""
    meant, found = read((POND / "pond.json").read_bytes()), read(path.read_bytes())
    assert found.grid.size == meant.grid.size
    assert np.array_equal(colors(found), colors(meant))


def colors(scene: Scene) -> Any:
    """Return (X, Y, Z, 3) colours, -1 in the air."""
    table = np.array([material.color if i else (-1,) * 3 for i, material in enumerate(scene.grid.palette)])
    return table[scene.grid.indices]


@pytest.mark.skipif(not CASES.exists(), reason="the shared cases are not here")
def test_the_shared_broken_replies_come_out_right() -> None:
    benchmarks = str(Path(__file__).parents[1] / "benchmarks")
    sys.path.insert(0, benchmarks)
    try:
        import replies
    finally:
        sys.path.remove(benchmarks)
    right, wrong = replies.right_answers(replies.voxgen_reader)
    assert right >= 92, wrong


# -------------------------------------------------------------------------------- strict replies


@given(documents)
@settings(deadline=None, max_examples=60)
def test_a_document_written_as_json_comes_back_without_repairs(document: dict[str, Any]) -> None:
    assert parse(json.dumps(document)) == (document, [])
    assert parse(json.dumps(document, ensure_ascii=False, indent=2).encode()) == (document, [])


def test_a_list_of_voxels_is_a_document_too() -> None:
    assert parse('[[0, 0, 0, "red"], [1, 0, 0, "red"]]') == ([[0, 0, 0, "red"], [1, 0, 0, "red"]], [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_bytes_of_any_unicode_encoding_are_read(encoding: str) -> None:
    assert parse('{"title": "Teich ü", "build": []}'.encode(encoding))[0] == {"title": "Teich ü", "build": []}


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_written() -> None:
    value, _ = parse('{"title": "a\\ud83c b\\ud83c\\udf38", "size": [1, 1, 1]}')
    assert value["title"] == "a\ufffd b\U0001f338"
    assert parse('{"title": "a\ud800", "size": [1, 1, 1]}')[0]["title"] == "a\ufffd"


# ------------------------------------------------------------------------------------- any text


@given(st.text(max_size=300) | rubble)
@settings(deadline=None, max_examples=150)
@example('{"a":{"b":[1}')
@example("[a(range(3)(range(3)[“")
@example('{"size":[1,1,1]},"x":[{"y":1},{')
def test_any_text_gives_a_value_or_a_reply_error(text: str) -> None:
    try:
        value, repairs = parse(text)
    except ReplyError as error:
        if "cannot be read" in error.message:
            raise  # a bug, caught at the last moment
        return
    assert isinstance(value, dict | list)
    assert len(repairs) <= 3 * (MAX_REPAIRS + 1)
    assert all(repair.path.startswith("line ") and repair.problem and repair.fix for repair in repairs)


def test_small_damage_hardly_ever_loses_more_than_a_step_or_two() -> None:
    rng = random.Random(0)
    marks, survived = "{}[]()<>\"',:;=+-*/#.\\`“”‘’«»\n\t 01abxyz…，［］\0", 0
    for _ in range(300):
        text = json.dumps(SCENE)
        for _ in range(rng.randint(1, 2)):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(marks) + text[at + rng.randrange(3) :]
        value = json.dumps(parse(text)[0])
        survived += sum(json.dumps(step) in value for step in SCENE["build"]) >= 3
    assert survived >= 290


# ----------------------------------------------------------------------------------- truncation


def complete_steps(text: str) -> int:
    """Count the scene's steps that end before the end of a cut text."""
    whole = json.dumps(SCENE)
    ends, decoder, at = (
        [],
        json.JSONDecoder(),
        whole.index('"build": [{"box": [[0, 0, 0], [11') + len('"build": ['),
    )
    for _ in SCENE["build"]:
        _, at = decoder.raw_decode(whole, at)
        ends.append(at)
        at += 2
    return sum(end <= len(text) for end in ends)


@pytest.mark.parametrize(
    ("before", "stride"), [("", 1), ("<think>a pond</think>\nHere it is:\n```json\n", 9)]
)
def test_cutting_a_reply_anywhere_keeps_everything_finished(before: str, stride: int) -> None:
    whole = json.dumps(SCENE)
    for length in range(len('{"title": "P'), len(whole), stride):
        value, repairs = parse(before + whole[:length])
        steps = value.get("build", [])
        finished = complete_steps(whole[:length])
        assert steps[:finished] == SCENE["build"][:finished], length
        assert len(steps) <= finished + 1, length
        assert repairs, length
        for key in value.keys() - {"title", "build", "parts", "palette", "functions", "size"}:
            pytest.fail(f"{key!r} came from nowhere at {length}")
        for name, part in value.get("parts", {}).items():
            whole_steps = SCENE["parts"][name].get("build")
            assert part.get("build", whole_steps) == whole_steps, length


def test_a_cut_reply_keeps_the_finished_steps_of_an_unfinished_repeat() -> None:
    text = '{"size": [9, 9, 9], "build": [{"repeat": 3, "as": "i", "build": [{"voxels": [[1, 1, 1]]}, {"vox'
    value, _ = parse(text)
    assert value["build"] == [{"repeat": 3, "as": "i", "build": [{"voxels": [[1, 1, 1]]}]}]


def test_a_cut_reply_says_so_and_where() -> None:
    _, repairs = parse('{"size": [4, 4, 4],\n "voxels": [[0, 0, 0, "g"], [1, 0')
    assert any(repair.level == "loss" and repair.path.startswith("line 2, ") for repair in repairs)


# -------------------------------------------------------------------------------------- repairs


def test_a_repair_says_line_and_column_of_the_odd_place() -> None:
    _, repairs = parse('{"size": [4, 4, 4],\n  "build": [], // nothing yet\n  "title": tree}')
    assert [(repair.path, repair.level) for repair in repairs] == [
        ("line 2, column 16", "info"),
        ("line 3, column 12", "info"),
    ]


def test_a_repair_says_the_place_in_the_text_as_it_came() -> None:
    _, repairs = parse('> {"size": [4, 4, 4],\n>  "build": [], // nothing\n>  "title": tree}\n')
    assert [repair.path for repair in repairs][:2] == ["line 2, column 17", "line 3, column 13"]


def test_repairs_are_capped_and_the_rest_counted() -> None:
    rows = ", ".join("[0, 0, 0,]" for _ in range(1000))
    value, repairs = parse(f'{{"size": [1, 1, 1], "voxels": [{rows}]}}')
    assert len(value["voxels"]) == 1000
    assert len(repairs) == MAX_REPAIRS + 1
    assert "more of these" in repairs[-1].problem


def test_what_the_model_left_out_is_a_loss() -> None:
    _, repairs = parse('{"size": [1, 1, 1], "voxels": [[0, 0, 0, "g"], /* remaining rows omitted */]}')
    assert [repair.level for repair in repairs if "left something out" in repair.problem] == ["loss"]


def test_expressions_in_texts_stay_texts() -> None:
    text = '{"size": [4, 4, 4], "build": [{"box": [["20+12*cos(i)", "1+1", 0], [1+1, 2, 2]], "of": "g",}]}'
    assert parse(text)[0]["build"][0]["box"] == [["20+12*cos(i)", "1+1", 0], [2, 2, 2]]


@pytest.mark.parametrize(
    ("text", "value"),
    [("21+1", 22), ("3*4", 12), ("1/2", 0.5), ("(2+3)*2", 10), ("7//2", 3), ("-(4)", -4), ("6/3", 2)]
    + [(text, None) for text in ("1/0", "9**9**9", "cx+3", "2020-01-0x", "()", "1+", "a", "", "1" * 81)],
)
def test_sums_of_numbers_only_are_worked_out(text: str, value: float | None) -> None:
    assert work_out(text) == value


def test_numbers_beyond_all_bounds_are_kept_as_infinite_not_raised() -> None:
    value, _ = parse('{"x": NaN, "y": -Infinity, "z": ' + "9" * 5000 + ', "size": [1, 1, 1],}')
    assert math.isnan(value["x"])
    assert value["y"] == -math.inf


# ------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   \n\t", "empty"),
        ("A garden would have green grass, a pond and some trees.", "no scene"),
        ("I'm sorry, but I can't help with that.", "refused"),
        ('<think>First the ground: {"size": [4, 4, 4]}, then', "reasoning"),
        ('<|channel|>analysis<|message|>Maybe {"size": [2, 2, 2]}', "reasoning"),
        ("<html><body><h1>502 Bad Gateway</h1></body></html>", "web page"),
        ("```python\nfor x in range(9):\n    put(x, 0, 0)\n```", "code"),
        ("```js\nfor (let x = 0; x < 9; x++) { world.set(x, 0, 0, {color: 'red'}); }\n```", "code"),
        (
            '{"tool": "voxel.exec", "input": {"code": "const W = 9;\\nfor (let i = 0; i < W; i++) box(i);"}}',
            "code",
        ),
        (
            '{"name": "run", "arguments": "{\\"code\\": \\"const W = 9; function f() { return W; }\\"}"}',
            "code",
        ),
        ('{"type": "object", "properties": {"size": {"type": "array"}}, "required": ["size"]}', "schema"),
        ("null", "no scene"),
        ("{}", "no scene"),
        ("[]", "no scene"),
        ('"hello"', "no scene"),
        ("42", "no scene"),
        ("{size, palette, voxels} as in [x, y, z]", "no scene"),
        ("2x4 (1,2,0)\n1x1 (3,3,1)", "no scene"),
        ("[" * 100_000, "deeper"),
        ("[" * 500 + "]" * 500, "deeper"),
        ('{"a":' * 5000, "deeper"),
    ],
)
def test_what_holds_no_scene_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse(text)
    assert reason in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 200


def test_a_stray_exception_becomes_a_reply_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str, letters: int) -> None:
        raise KeyError("x")

    monkeypatch.setattr(reply, "_parse", broken)
    with pytest.raises(ReplyError, match="KeyError"):
        parse("{}")


def test_too_long_a_reply_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "MAX_TEXT", 100)
    with pytest.raises(ReplyError, match="101 characters"):
        parse("[" + " " * 99 + "]")


def test_nesting_up_to_the_limit_is_read() -> None:
    deep = "[" * (MAX_DEPTH - 1) + "[0, 0, 0]" + "]" * (MAX_DEPTH - 1)
    assert parse(deep)[1] == []


# ------------------------------------------------------------------------------------- streaming


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
@example([1])
def test_a_listener_hands_over_each_piece_once_complete_however_the_reply_is_chopped(
    sizes: list[int],
) -> None:
    text = (
        f'<think>Like {{"title": 1}}?</think>Here {{}}:\n```json\n{json.dumps(SCENE, indent=1)}\n```\nDone.'
    )
    listener, pieces, at = Listener(), [], 0
    while at < len(text):
        for size in sizes:
            pieces += listener.feed(text[at : at + size])
            at += size
    assert [piece.value for piece in pieces if piece.kind == "step"] == SCENE["build"]
    assert {piece.name: piece.value for piece in pieces if piece.kind == "part"} == SCENE["parts"]
    assert {piece.name: piece.value for piece in pieces if piece.kind == "color"} == SCENE["palette"]
    assert (listener.title, listener.colors, listener.parts, listener.steps) == (SCENE["title"], 2, 2, 5)


def test_a_listener_hands_a_step_over_before_the_reply_ends() -> None:
    listener = Listener()
    assert listener.feed('{"title": "Pond", "build": [{"box": [[0,0,0],[1,1,1]]}')[0].value == "Pond"
    assert [piece.value for piece in listener.feed(', {"sph')] == [{"box": [[0, 0, 0], [1, 1, 1]]}]
    assert listener.steps == 1


def test_a_listener_reads_a_broken_step_and_skips_a_hopeless_one() -> None:
    listener = Listener()
    pieces = listener.feed('{"build": [{"box": [[0,0,0],[1,1,1],], "of": moss}, ???, {"voxels": [[1,1,1]]}]}')
    assert [piece.value for piece in pieces] == [
        {"box": [[0, 0, 0], [1, 1, 1]], "of": "moss"},
        {"voxels": [[1, 1, 1]]},
    ]


@given(rubble, st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_a_listener_never_raises(text: str, size: int) -> None:
    listener = Listener()
    for at in range(0, len(text), size):
        listener.feed(text[at : at + size])
    assert listener.steps >= 0


@pytest.mark.parametrize("text", [b"\x1f\x8b\x08\x00abc", "\x1f\ufffd\x08\x00abc", "\x1f\x8b\x08\x00abc"])
def test_a_damaged_archive_is_called_one(text: str | bytes) -> None:
    with pytest.raises(ReplyError, match="gzip archive"):
        parse(text)


def test_of_a_reply_beyond_the_limit_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "MAX_MEMORY", 2000)
    step = {"box": [[0, 0, 0], [1, 1, 1]]}
    value, repairs = parse(json.dumps({"build": [step] * 5}))
    assert value["build"] == [step] * len(value["build"])
    assert 0 < len(value["build"]) < 5, value
    assert any(r.level == "loss" and "characters long" in r.problem for r in repairs)


@pytest.mark.parametrize("path", sorted(ROOT.glob("gallery/*/reply.txt")), ids=lambda path: path.parent.name)
def test_a_listener_hands_over_every_piece_of_a_recorded_reply_character_by_character(path: Path) -> None:
    text = path.read_text("utf-8")
    document = json.loads(text)
    listener = Listener()
    pieces = [piece for sign in text for piece in listener.feed(sign)]
    assert [piece.value for piece in pieces if piece.kind == "step"] == document["build"]
    assert {p.name: p.value for p in pieces if p.kind == "part"} == document.get("parts", {})
    assert {p.name: p.value for p in pieces if p.kind == "color"} == document["palette"]


def test_a_listener_knows_at_every_cut_what_a_cut_reply_would_keep() -> None:
    text = json.dumps(SCENE, indent=1)
    listener, steps = Listener(), 0
    for length in range(1, len(text) + 1):
        steps += sum(piece.kind == "step" for piece in listener.feed(text[length - 1]))
        if length % 7 == 0 and length > 300:
            kept = parse(text[:length])[0].get("build", [])
            assert kept[:steps] == SCENE["build"][:steps]
            assert len(kept) <= steps + 1
    assert steps == len(SCENE["build"])


def test_a_listener_looks_at_each_character_a_bounded_number_of_times() -> None:
    """Reading ten times as much takes ten times the work, counted in calls of the patterns, not in time."""

    def work(times: int) -> int:
        text = '{"build": [' + '{"box": [[0, 0, 0], [1, 1, 1]], "of": "red", "note": "a [b] c"},' * times
        calls = 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        listener = Listener()
        sys.setprofile(count)
        try:
            for at in range(0, len(text), 5):
                listener.feed(text[at : at + 5])
        finally:
            sys.setprofile(None)
        assert listener.steps == times
        return calls

    assert work(400) < 11 * work(40)


def test_cells_given_twice_by_a_whole_scene_are_joined() -> None:
    value, repairs = parse('{"voxels":[[0,0,0,"g"]],"size":[4,4,4],"voxels":[[1,0,0,"g"]]}')
    assert value == {"size": [4, 4, 4], "voxels": [[0, 0, 0, "g"], [1, 0, 0, "g"]]}
    assert [r.fix for r in repairs] == ["the lists are joined"]


def test_many_escaped_quotes_beside_a_call_of_dict_take_no_time() -> None:
    text = "dict(a=1)" + "\\'" * 200_000
    began = time.process_time()
    unwrapped(text)
    assert time.process_time() - began < 5
