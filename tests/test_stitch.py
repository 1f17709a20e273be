"""A reply that was cut off and its continuation become one text, however the model goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen.language.reply import parse
from voxgen.stitch import stitched

DOCUMENT = {
    "title": "A pond, seen",
    "plan": 'Water {deep} and "still"; reeds: many.',
    "size": [32, 32, 16],
    "palette": {"grass": "#6eac3f", "water": "#4fb4d0", "reed": "#8f9f58"},
    "build": [
        {"box": [[0, 0, 0], [31, 31, 3]], "of": {"grass": 5, "water": 1}},
        {"formula": "hypot(x-16,y-16)<9", "in": [[0, 0, 3], [31, 31, 3]], "of": "water"},
        {"repeat": 9, "as": "i", "build": [{"line": [["3*i", 4, 4], ["3*i", 4, 9]], "of": "reed"}]},
        {"voxels": [[1, 2, 4], [3, 3, 4], [5, 5, 5]], "of": "reed"},
    ],
}
WHOLE = json.dumps(DOCUMENT)
CUTS = range(8, len(WHOLE) - 1, 19)


@pytest.mark.parametrize("cut", CUTS)
def test_a_continuation_that_goes_on_exactly_is_joined(cut: int) -> None:
    assert stitched(WHOLE[:cut], WHOLE[cut:]) == WHOLE


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("repeated", [4, 12, 60])
def test_what_is_repeated_is_left_out(cut: int, repeated: int) -> None:
    start = max(0, cut - repeated)
    assert json.loads(stitched(WHOLE[:cut], WHOLE[start:])) == DOCUMENT


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("before", ["", "```json\n", "Sure:\n```json\n"])
def test_a_fence_or_a_sentence_before_the_rest_is_left_out(cut: int, before: str) -> None:
    for opening in ("```json\n", "```\n", "Continuing where I stopped:\n\n```json\n"):
        joined = stitched(before + WHOLE[:cut], f"{opening}{WHOLE[cut:]}\n```")
        assert parse(joined)[0] == DOCUMENT


@pytest.mark.parametrize("cut", [c for c in CUTS if c > WHOLE.index('"build"') + 20])
def test_a_sentence_without_a_fence_is_left_out(cut: int) -> None:
    assert parse(stitched(WHOLE[:cut], f"Here is the rest\n{WHOLE[cut:]}"))[0] == DOCUMENT


def starts() -> list[int]:
    """Return where each step begins."""
    return [WHOLE.index(json.dumps(step)) for step in DOCUMENT["build"]]  # type: ignore[arg-type, attr-defined]


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("into", [1, 6, 15])
@pytest.mark.parametrize("comma", ["", ", "])
def test_a_step_that_is_begun_anew_stands_once(step: int, into: int, comma: str) -> None:
    start = starts()[step]
    joined = stitched(WHOLE[: start + into], comma + WHOLE[start:])
    assert parse(joined)[0] == DOCUMENT


@pytest.mark.parametrize("cut", CUTS)
def test_a_scene_that_is_begun_anew_stands_once(cut: int) -> None:
    assert parse(stitched(WHOLE[:cut], f"```json\n{WHOLE}\n```"))[0] == DOCUMENT


def test_a_comma_that_is_missing_or_twice_is_mended() -> None:
    end = WHOLE.index(json.dumps(DOCUMENT["build"][1])) - 2  # type: ignore[index]
    assert parse(stitched(WHOLE[:end], WHOLE[end + 2 :]))[0] == DOCUMENT
    assert parse(stitched(WHOLE[: end + 1], WHOLE[end:]))[0] == DOCUMENT


@pytest.mark.parametrize("more", ["", "I cannot go on.", "```", "\n\n", "}" * 50])
def test_a_useless_continuation_loses_nothing(more: str) -> None:
    cut = WHOLE.index('{"voxels"')
    found: Any = parse(stitched(WHOLE[:cut], more))[0]
    assert found["build"][:3] == DOCUMENT["build"][:3]  # type: ignore[index]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_are_joined_without_an_error(before: str, more: str) -> None:
    assert isinstance(stitched(before, more), str)


def test_long_repetitive_replies_are_joined_in_no_time() -> None:
    row = '{"voxels": [[0, 0, 0], [0, 0, 0], [0, 0, 0]], "of": "a"}, '
    before = '{"size": [4, 4, 4], "build": [' + row * 600
    assert stitched(before[:-20], before[-60:] + '{"box": [[0,0,0],[1,1,1]], "of": "a"}]}').endswith("]}")
