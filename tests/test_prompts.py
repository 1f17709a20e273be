from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest

from voxgen.ask.prompts import edit_messages, parse_size, repair, scene_messages, sha, text, text_of
from voxgen.errors import FileError, UsageError
from voxgen.language.builder import build
from voxgen.language.document import COMMON, STEPS
from voxgen.language.expression import CONSTANTS, FUNCTIONS
from voxgen.language.reply import parse


def rules() -> str:
    return scene_messages("a pond")[0]["content"]


def section(title: str) -> str:
    return rules().split(f"# {title}\n")[1].split("\n# ")[0]


def taught_steps() -> dict[str, str]:
    """Return step → all that the prompt says about it."""
    taught: dict[str, str] = {}
    for line in section("Steps").split("Expressions:")[0].splitlines():
        for form in re.split(r"(?=\{\"(?:ellipsoid|cone|pyramid)\")", line):
            step = re.match(r'\{"(\w+)"', form)
            assert step, line
            taught[step[1]] = form
    return taught


def test_the_prompt_teaches_every_step_of_the_language_and_no_other() -> None:
    assert set(taught_steps()) == set(STEPS)


def test_the_prompt_names_every_option_of_every_step() -> None:
    said = section("Steps") + section("Document")
    named = set(re.findall(r'"(\w+)"', said))
    for options in (*STEPS.values(), COMMON):
        assert set(options) <= named


def test_the_prompt_names_no_option_that_the_language_does_not_know() -> None:
    named = set(re.findall(r'"(\w+)":', section("Steps"))) - {"a", "front"}  # a letter of layers, a facing
    assert named <= set(STEPS).union(COMMON, *STEPS.values())


def test_the_prompt_teaches_every_function_and_constant_and_no_other() -> None:
    names = section("Steps").split("Expressions:")[1].split("your functions")[0]
    plain = r"and|or|not|if|else|[abcxyz]|v|lo|hi|radians|smooth|white"
    words = {word for word in re.findall(r"[a-z]\w*", names) if not re.fullmatch(plain, word)}
    assert words == set(FUNCTIONS) | set(CONSTANTS)


def test_the_example_is_a_whole_scene_that_builds_without_a_repair() -> None:
    example = re.search(r"```json\n(.*?)\n```", rules(), re.DOTALL)
    assert example
    scene = build(json.loads(example[1]))
    assert scene.repairs == ()
    assert scene.grid.size == (136, 128, 140)
    assert scene.grid.voxels > 100_000
    used = {material.name for i, material in enumerate(scene.grid.palette) if (scene.grid.indices == i).any()}
    assert used >= set(scene.document["palette"])
    document, _ = parse(rules())
    assert document["title"] == scene.title, "a model that echoes the prompt is read as its example"


def test_the_prompt_is_about_1500_tokens() -> None:
    assert 1300 <= len(rules()) / 4 <= 1700


def test_the_rules_come_first_and_never_change_so_that_a_prompt_cache_hits() -> None:
    first, second = scene_messages("a pond"), scene_messages("a castle", "small", seed=4)
    assert [message["role"] for message in first] == ["system", "user"]
    assert first[0] == second[0]
    assert "pond" not in first[0]["content"]


def test_size_seed_and_prompt_come_last() -> None:
    request = scene_messages("  a pond\n", "64x64x40", seed=4)[1]["content"]
    assert request.endswith("Scene: a pond")
    assert "Size: exactly [64,64,40]" in request
    assert '"seed":4' in request
    assert "seed" not in scene_messages("a pond")[1]["content"]


@pytest.mark.parametrize(
    "prompt", ["costs $5 and $$", "${size} $prompt", "50% {braces} \\n `back`", "花园 🌸"]
)
def test_a_prompt_is_sent_as_it_is(prompt: str) -> None:
    assert scene_messages(prompt)[1]["content"].endswith(f"Scene: {prompt}")


def test_bytes_of_a_command_line_that_are_no_text_do_no_harm() -> None:
    assert scene_messages("a \udcffpond")[1]["content"].endswith("Scene: a ?pond")


def test_text_is_the_whole_template_with_the_request_filled_in() -> None:
    messages = scene_messages("a pond", "small")
    pasted = text(messages)
    assert pasted.startswith(messages[0]["content"])
    assert pasted.endswith(messages[1]["content"])
    assert not Template(messages[1]["content"]).get_identifiers()


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(UsageError, match="the prompt is empty"):
        scene_messages(" \n")


@pytest.mark.parametrize(
    ("size", "cells"),
    [("64x48x40", (64, 48, 40)), (" 64 × 48 X 40 ", (64, 48, 40)), ("1,512,3", (1, 512, 3)), ("small", None)],
)
def test_a_size_is_words_and_where_it_says_so_cells(size: str, cells: tuple[int, int, int] | None) -> None:
    words, found = parse_size(size)
    assert found == cells
    assert words in scene_messages("a pond", size)[1]["content"]


def test_without_a_size_scenes_are_large() -> None:
    assert scene_messages("a pond") == scene_messages("a pond", "large")


@pytest.mark.parametrize(
    "size", ["huge", "64", "64x64", "0x4x4", "513x4x4", "-4x4x4", "4x4x4x4", "1e9x4x4", "９x4x4", ""]
)
def test_nonsense_sizes_are_refused_in_one_line(size: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(size)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_sha_is_that_of_the_file_and_tells_templates_apart() -> None:
    file = Path(__file__).parents[1] / "prompts" / "scene.md"
    assert hashlib.sha256(file.read_bytes()).hexdigest().startswith(sha("scene"))
    assert len(sha("scene")) == 12
    assert sha("scene") != sha("repair")


def test_a_reply_without_a_scene_is_answered_with_the_reason() -> None:
    assert "the scene is empty, $5" in repair("the scene is empty, $5")


def test_the_numbers_and_the_losses_stand_in_the_question_and_nothing_is_left_open() -> None:
    asked = repair(
        "3 of 5 steps could not be drawn", ["size [8, 8, 8]", "69 voxels"], ["$.build[2]: no", "$x"]
    )
    assert "What came of it: size [8, 8, 8], 69 voxels." in asked
    assert "- $.build[2]: no\n- $x\n" in asked
    assert "\n\n\n" not in asked
    assert "What came of it" not in repair("no scene")
    assert "could not be used:\n" not in repair("no scene")


def test_an_edit_is_asked_for_with_the_same_rules_and_the_wish_last() -> None:
    rules, asked = edit_messages('{"build": []} $5 ${document}', "make it $10 autumn")
    assert rules == scene_messages("a pond")[0]
    assert asked["content"].endswith("# Change\nmake it $10 autumn")
    assert '{"build": []} $5 ${document}' in asked["content"]
    with pytest.raises(UsageError, match="nothing is said to change"):
        edit_messages("{}", " \n")


def test_the_example_of_an_edit_is_what_the_program_reads() -> None:
    asked = edit_messages("{}", "x")[1]["content"]
    for key in ("palette", "parts", "let", "functions", "textures", "light", "size", "view", "build", "add"):
        assert f'"{key}"' in asked
    for number in ('"12"', '"20-24":null', '"+41"'):
        assert number in asked


def test_going_on_is_asked_for_in_so_many_words() -> None:
    assert "exactly where it stopped" in text_of("continue")


def test_a_missing_template_is_one_clear_line() -> None:
    with pytest.raises(FileError, match=r"prompts/none\.md is missing"):
        sha("none")


def test_prompts_and_models_import_nothing_heavy() -> None:
    code = (
        "import sys, voxgen.ask.prompts, voxgen.ask.models;"
        "print(*{'httpx', 'numpy', 'pyvista', 'PIL'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
