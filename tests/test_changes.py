"""A change makes the next document, and the difference of two documents is a change that does so again."""

from __future__ import annotations

import copy
import doctest
import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen import changes, conversation, names, stitch
from voxgen.changes import apply, described, difference, numbered, unwrapped
from voxgen.errors import ReplyError
from voxgen.language.reply import parse

STEPS = [{"voxels": [[i, 0, 0]], "of": "leaf"} for i in range(6)]
DOCUMENT: dict[str, Any] = {
    "title": "A tree",
    "size": [8, 8, 8],
    "light": "day",
    "palette": {"leaf": "#3f8b3d", "bark": "#6b4733"},
    "parts": {"twig": {"size": [1, 1, 3], "build": [{"box": [[0, 0, 0], [0, 0, 2]], "of": "bark"}]}},
    "build": STEPS,
}


def step(name: str) -> dict[str, Any]:
    return {"note": name, "voxels": [[0, 0, 1]], "of": "leaf"}


def changed(change: dict[str, Any]) -> list[str]:
    """Return the steps after a change, as numbers for the old ones and notes for the new."""
    after, wrong = apply(DOCUMENT, change)
    assert not wrong
    return [s["note"] if "note" in s else str(STEPS.index(s)) for s in after["build"]]


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"build": {"2": step("new")}}, "0 1 new 3 4 5"),
        ({"build": {"2": [step("a"), step("b")]}}, "0 1 a b 3 4 5"),
        ({"build": {"2": None, "4": None}}, "0 1 3 5"),
        ({"build": {"1-3": None}}, "0 4 5"),
        ({"build": {"1-3": step("one")}}, "0 one 4 5"),
        ({"build": {"+2": step("after")}}, "0 1 2 after 3 4 5"),
        ({"build": {"2": None, "+2": [step("a")], "+5": [step("b")]}}, "0 1 a 3 4 5 b"),
        ({"build": {"$.build[2]": step("new"), "step 3": None}}, "0 1 new 4 5"),
        ({"add": [step("a"), step("b")]}, "0 1 2 3 4 5 a b"),
        ({"add": step("a")}, "0 1 2 3 4 5 a"),
        ({"build": [step("a")]}, "0 1 2 3 4 5 a"),
        ({"build": {"0": None}, "add": [step("z")]}, "1 2 3 4 5 z"),
    ],
)
def test_steps_change_by_their_numbers(change: dict[str, Any], steps: str) -> None:
    assert changed(change) == steps.split()


def test_names_come_change_and_go() -> None:
    change = {
        "palette": {"leaf": "#d2622a", "rust": "#8d4a2f", "bark": None},
        "parts": {"twig": None},
        "let": {"h": 3},
        "light": "sunset",
    }
    before = copy.deepcopy(DOCUMENT)
    after, wrong = apply(DOCUMENT, change)
    assert wrong == []
    assert after["palette"] == {"leaf": "#d2622a", "rust": "#8d4a2f"}
    assert after["parts"] == {}
    assert (after["let"], after["light"], after["build"]) == ({"h": 3}, "sunset", STEPS)
    assert before == DOCUMENT, "the document that was given stays"


def test_a_whole_document_is_a_change_too() -> None:
    whole = {"title": "Bare", "size": [4, 4, 4], "build": [step("only")]}
    after, _ = apply(DOCUMENT, whole)
    assert (after["title"], after["build"], after["palette"]) == ("Bare", [step("only")], DOCUMENT["palette"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"build": {"6": None}}, "no step '6', they go from 0 to 5"),
        ({"build": {"roof": None}}, "no step 'roof'"),
        ({"build": {"4-2": None}}, "no step '4-2'"),
        ({"palette": {"gold": None}}, "no 'gold' in palette"),
    ],
)
def test_what_is_not_there_is_said(change: dict[str, Any], words: str) -> None:
    after, wrong = apply(DOCUMENT, change)
    assert words in wrong[0]
    assert after["build"] == STEPS


@pytest.mark.parametrize(
    "reply",
    [
        '{"light": "night", "build": {"0": null}}',
        'Here is the change:\n```json\n{"light": "night", "build": {"0": null,},}\n```\nEnjoy!',
        '{"changes": {"light": "night", "build": {"0": null}}}',
        '{"lighting": "night", "remove": [0]}',
        '{"light": "night", "remove": "0"}',
        '{"light": "night", "replace": {"0": null}}',
        "{'light': 'night', 'steps': {'0': None}}",
        '{"light": "night", "delete": [0], "build": {}}',
    ],
)
def test_a_change_is_read_however_it_is_written(reply: str) -> None:
    after, wrong = apply(DOCUMENT, unwrapped(parse(reply)[0]))
    assert wrong == []
    assert after["light"] == "night"
    assert after["build"] == STEPS[1:]


def test_a_bare_list_of_steps_is_added() -> None:
    assert changed(unwrapped([step("a")])) == ["0", "1", "2", "3", "4", "5", "a"]


@pytest.mark.parametrize("value", [3, "text", None, [1, 2]])
def test_what_is_no_change_is_refused(value: Any) -> None:
    with pytest.raises(ReplyError):
        unwrapped(value)


def test_the_steps_are_sent_with_their_numbers_and_without_the_origin() -> None:
    text = numbered(DOCUMENT | {"origin": {"by": "me"}})
    assert '/* 5 */ {"voxels":[[5,0,0]],"of":"leaf"}' in text
    assert "origin" not in text
    assert parse(text)[0] == DOCUMENT, "it is still a document"


def test_the_difference_is_told_in_a_few_lines() -> None:
    change = {
        "light": "sunset",
        "palette": {"leaf": "#d2622a", "rust": "#8d4a2f"},
        "parts": {"bench": {"build": []}},
        "build": {"1": step("x"), "2": step("y"), "5": None},
        "add": [step("a bench"), {"place": "twig", "at": [1, 1, 1]}],
    }
    assert described(DOCUMENT, apply(DOCUMENT, change)[0]) == [
        "light: day → sunset",
        "palette: +rust, leaf #3f8b3d → #d2622a",
        "parts: +bench",
        "steps: 3 changed (1–2, 5), 1 added (twig)",
    ]
    assert described(DOCUMENT, copy.deepcopy(DOCUMENT)) == []


def test_long_lists_are_cut_short() -> None:
    after = {**DOCUMENT, "palette": {f"color{i}": "#ffffff" for i in range(40)}}
    (line,) = described(DOCUMENT, after)
    assert "and 37 more" in line


@pytest.mark.parametrize("module", [changes, conversation, names, stitch], ids=lambda m: m.__name__)
def test_examples_in_docstrings_are_true(module: ModuleType) -> None:
    tried = doctest.testmod(module)
    assert tried.attempted
    assert not tried.failed


words = st.sampled_from(["leaf", "bark", "rust", "snow"])
documents = st.fixed_dictionaries(
    {"build": st.lists(st.integers(0, 6).map(lambda i: STEPS[i % 6] | {"when": str(i)}), max_size=7)},
    optional={
        "title": st.sampled_from(["a", "b"]),
        "light": st.sampled_from(["day", "night"]),
        "size": st.just([8, 8, 8]),
        "palette": st.dictionaries(words, st.sampled_from(["#111111", "#222222"])),
        "let": st.dictionaries(words, st.integers(0, 2)),
        "own": st.integers(0, 2),
    },
)


@settings(deadline=None, max_examples=300)
@given(documents, documents)
def test_the_difference_makes_one_of_the_other_to_the_last_key(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    change = json.loads(json.dumps(difference(before, after)))
    found, wrong = apply(before, change)
    assert wrong == []
    assert json.dumps(found) == json.dumps(after)
