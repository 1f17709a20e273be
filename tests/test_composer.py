"""The built-in composer: parts that build clean, scenes that fit, the same bytes for a seed."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from voxgen import stock
from voxgen.ask.composer import compose
from voxgen.ask.layout import Plot, smooth
from voxgen.ask.wish import dictionary, singular, understand
from voxgen.errors import UsageError
from voxgen.language.builder import build

SUBJECTS = sorted(stock.shelf("subjects"))


def bad(scene: Any) -> list[str]:
    return [str(r) for r in scene.repairs if r.level != "info"]


def document_of(part: str) -> dict[str, Any]:
    """Return a document that holds one stock part on a plate, and the parts it places."""
    parts: dict[str, Any] = {}

    def take(name: str) -> None:
        parts[name] = stock.tint(name, {})[1]
        for inner in stock.placed(parts[name]["build"]):
            take(inner)

    take(part)
    wide, deep, tall = parts[part]["size"]
    plate = {"box": [[0, 0, 0], [wide - 1, deep - 1, 0]], "of": "stone"}
    size = [wide, deep, tall + 1]
    return stock.dress(
        {"title": part, "size": size, "parts": parts, "build": [plate, {"place": part, "at": [[0, 0, 1]]}]}
    )


@pytest.mark.parametrize("name", sorted(stock.parts()))
def test_a_part_builds_clean_and_stands_on_its_ground(name: str) -> None:
    scene = build(document_of(name))
    assert not bad(scene)
    grid = scene.grid.indices
    assert (grid[:, :, 1:] != 0).sum() > 1
    if stock.parts()[name]["on"] != "wall":
        assert (grid[:, :, 1] != 0).any(), "nothing touches the ground"
        assert not [r for r in scene.repairs if "float" in r.problem]


@pytest.mark.parametrize("name", sorted(stock.parts()))
def test_a_part_is_fully_described(name: str) -> None:
    part = stock.parts()[name]
    assert {"words", "tags", "on", "foot", "slots", "size", "build"} <= set(part)
    assert part["words"] or "detail" in part["tags"] or name in ("snowdrift", "turret")
    colours = {**stock.shelf("palette")["families"], **stock.shelf("palette")["colors"]}
    assert set(part["slots"].values()) <= set(colours)
    assert max(part["size"][:2]) >= part["foot"]


def test_every_recipe_names_parts_and_colours_that_exist() -> None:
    parts, families = stock.parts(), stock.shelf("palette")["families"]
    for subject in stock.shelf("subjects").values():
        for variant in subject["variants"]:
            recipe = {**subject, **variant}
            extras = [e[0] for e in recipe.get("extras", [])]
            wild = [w[0] for w in recipe.get("wild", [])]
            houses = [h[0] for h in recipe.get("houses", [])]
            named = [*recipe.get("focal", []), *recipe.get("trees", []), *recipe.get("second", [])]
            assert {*named, *extras, *wild, *houses} <= set(parts)
            colours = [
                *recipe.get("roofs", []),
                *recipe.get("blooms", []),
                *[w[1] for w in recipe.get("wild", [])],
            ]
            assert set(colours) <= set(families)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_gives_a_scene_without_repairs_that_matter(subject: str) -> None:
    word = stock.shelf("subjects")[subject]["words"][0]
    text, notes = compose(f"a {word}", len(subject), "medium")
    assert not notes
    assert text != compose(f"a {word}", len(subject) + 1, "medium")[0]
    scene = build(json.loads(text))
    assert not bad(scene)
    assert scene.grid.voxels > 20_000
    low, high = scene.grid.bounds()
    assert not low[2]
    assert all(high[:2] > [0.9 * s for s in scene.grid.size[:2]])


@pytest.mark.parametrize("season", ["spring", "summer", "autumn", "winter"])
@pytest.mark.parametrize("place", ["garden", "village"])
def test_seasons_build_clean(season: str, place: str) -> None:
    text, notes = compose(f"{place} in {season} at night", 2)
    document = json.loads(text)
    assert not notes
    assert document["light"] == "night"
    assert not bad(build(document))


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    code = "import sys; from voxgen.ask.composer import compose; sys.stdout.write(compose('a garden', 3)[0])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert run.stdout == compose("a garden", 3)[0]


def test_different_seeds_give_different_gardens() -> None:
    documents = [json.loads(compose("a garden", seed)[0]) for seed in range(6)]
    assert len({d["title"] for d in documents}) == 6
    assert len({json.dumps(d["build"]) for d in documents}) == 6


def test_spelling_of_case_and_spaces_does_not_matter() -> None:
    assert compose("A  Red Castle")[0] == compose("a red castle")[0]


def test_word_salads_never_fail() -> None:
    rng = Random(5)
    known = sorted(dictionary())
    for seed in range(100):
        words = [rng.choice(known) for _ in range(rng.randrange(0, 9))]
        words += ["".join(rng.choice(string.printable + "äß花🌸") for _ in range(rng.randrange(1, 12)))]
        rng.shuffle(words)
        document = json.loads(compose(" ".join(words), seed)[0])
        assert document["build"]
        if seed % 50 == 0:
            assert not bad(build(document))


@pytest.mark.parametrize("prompt", ["", "   ", "花园", "🌸", "x" * 5000, "{}[]\n\0"])
def test_prompts_without_a_known_word_still_give_a_scene(prompt: str) -> None:
    text, notes = compose(prompt)
    assert json.loads(text)["title"]
    assert any("instead" in n for n in notes)


def test_words_not_understood_are_named() -> None:
    notes = compose("a garden with a zorbulator and two frobnitzes")[1]
    assert len(notes) == 1
    assert "'zorbulator'" in notes[0]
    assert "'frobnitzes'" in notes[0]


@pytest.mark.parametrize(
    ("size", "expected"),
    [("96x80x90", (96, 80, 90)), ("48x48", (48, 48, None)), ("200×64×128", (200, 64, 128))],
)
def test_an_explicit_size_is_kept(size: str, expected: tuple[int, int, int | None]) -> None:
    text, notes = compose("a garden", 1, size)
    x, y, z = json.loads(text)["size"]
    assert (x, y) == expected[:2]
    if expected[2]:
        assert z == expected[2]
    assert not notes
    assert not bad(build(json.loads(text)))


def test_a_height_that_would_cut_the_scene_is_raised_and_said() -> None:
    text, notes = compose("a castle", 0, "112x112x20")
    assert json.loads(text)["size"][2] > 40
    assert any("height of 20" in n for n in notes)


@pytest.mark.parametrize("name", ["small", "medium", "large"])
@pytest.mark.parametrize(
    "prompt", ["a garden", "castle", "pagoda", "city", "pirate ship", "island", "pyramid"]
)
def test_named_sizes_grow(prompt: str, name: str) -> None:
    document = json.loads(compose(prompt, 0, name)[0])
    low, high = {"small": (40, 80), "medium": (54, 104), "large": (84, 144)}[name]
    assert all(low <= s <= high for s in document["size"][:2])
    if name == "small":
        assert not bad(build(document))


@pytest.mark.parametrize("size", ["enormous", "0.5", "axbxc", "96 by 96"])
def test_a_size_that_is_none_is_refused_in_one_line(size: str) -> None:
    with pytest.raises(UsageError) as caught:
        compose("a garden", 0, size)
    assert "\n" not in str(caught.value)
    assert "96x96x56" in str(caught.value)


def test_every_material_a_document_uses_is_in_its_palette() -> None:
    for prompt in ("a garden", "autumn village", "moon base", "a green dragon", "snowy castle"):
        document = json.loads(compose(prompt, 4)[0])
        known = {*document["palette"], *document.get("textures", {}), *document["parts"], "air"}

        def materials(value: Any, key: str = "") -> set[str]:
            if isinstance(value, list):
                return set().union(*(materials(v, key) for v in value))
            if isinstance(value, dict) and key in ("of", "top"):
                return set(value)
            if isinstance(value, dict):
                return set().union(*(materials(v, k) for k, v in value.items()))
            return (
                {value} if isinstance(value, str) and key in ("of", "only", "on", "scatter", "top") else set()
            )

        assert materials([document["build"], document.get("textures", {})]) <= known
        assert set(document["palette"]) <= stock.strings(
            [document["build"], document["parts"], document.get("textures", {})]
        )


def test_the_document_is_text_a_person_can_read() -> None:
    text, _ = compose("a garden")
    assert len(text) < 60_000
    assert text.count("\n") > 100
    assert text.isascii() or "×" in text


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("a garden with three cats", "cat"),
        ("a castle with cherry trees", "cherry"),
        ("a pond with ducks", "duck"),
        ("robot in the city", "robot"),
        ("a village with a windmill", "windmill"),
        ("a snowman", "snowman"),
        ("a fountain", "fountain"),
        ("a lake with a rowboat", "rowboat"),
    ],
)
def test_what_the_prompt_names_is_placed(prompt: str, part: str) -> None:
    document = json.loads(compose(prompt)[0])
    placed = [name for name in stock.placed(document["build"]) if name == part or name.startswith(part + "_")]
    assert placed


@pytest.mark.parametrize(
    ("prompt", "light"),
    [("a garden at sunset", "sunset"), ("castle by night", "night"), ("foggy forest", "overcast")],
)
def test_words_for_the_time_of_day_set_the_light(prompt: str, light: str) -> None:
    assert json.loads(compose(prompt)[0])["light"] == light


def test_a_colour_reaches_its_noun() -> None:
    document = json.loads(compose("a blue dragon")[0])
    assert any(name.startswith("dragon") and "blue" in name for name in document["parts"])


def test_understanding_reads_counts_colours_and_plurals() -> None:
    wish = understand("Three black cats and a red castle by the lake, snowy evening")
    assert wish.subjects == ["cat", "castle"]
    assert wish.tints["castle"] == "red"
    assert wish.tints["cat"] == "black"
    assert (wish.season, wish.light, wish.features) == ("winter", "sunset", ["pond"])
    assert wish.unknown == []
    assert [singular(w) for w in ("cities", "glass", "bus", "foxes")] == ["city", "glass", "bus", "fox"]


def test_a_plot_knows_what_is_free() -> None:
    plot = Plot(20, 20, 3, lambda x, y, margin: margin <= x <= 19 - margin and margin <= y <= 19 - margin)
    plot.claim(10, 10, 3)
    assert plot.taken.count(1) == sum(
        (x - 10) ** 2 + (y - 10) ** 2 <= 3.3**2 for x in range(20) for y in range(20)
    )
    assert not plot.free(10, 12, 1)
    assert plot.free(4, 4, 2)
    assert not plot.free(1, 1, 2)


def test_a_smooth_curve_goes_through_its_points() -> None:
    points = [(0.0, 0.0), (5.0, 8.0), (12.0, 3.0)]
    curve = smooth(points)
    assert all(min((x - a) ** 2 + (y - b) ** 2 for a, b in curve) < 1e-9 for x, y in points)


def test_renaming_keeps_steps_and_parts_and_changes_materials() -> None:
    step = {
        "roof": {"box": [[0, 0, 0], [2, 2, 2]]},
        "of": {"roof": 4, "roof_dark": 1},
        "place": "roof",
        "only": ["roof"],
    }
    renamed = stock.rename(step, stock.shaded({"roof": "red"}))
    assert renamed == {**step, "of": {"red": 4, "red_dark": 1}, "only": ["red"]}
    assert stock.rename({"of": {"leaf": 2, "green": 1}}, {"leaf": "green"}) == {"of": {"green": 3}}


def test_templates_of_grounds_fill_numbers_and_names() -> None:
    filled = stock.fill(
        {"box": [["{x}", 0, "{h+1}"]], "of": {"{fill}_dark": 2}}, {"x": 7, "h": 8, "fill": "sand"}
    )
    assert filled == {"box": [[7, 0, 9]], "of": {"sand_dark": 2}}


def test_nothing_that_is_scattered_as_a_material_is_called_like_a_part() -> None:
    for prompt in ("autumn pagoda", "snowy forest", "desert", "moon base", "a garden"):
        document = json.loads(compose(prompt)[0])
        for step in document["build"]:
            for name in step.get("scatter", []):
                assert not (name in document["palette"] and name in document["parts"])
