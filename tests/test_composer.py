"""The built-in composer: parts that build clean, scenes that fit, the same bytes for a seed."""

from __future__ import annotations

import json
import os
import re
import string
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from voxgen import stock
from voxgen.ask.composer import compose
from voxgen.ask.layout import Plot, smooth
from voxgen.ask.prompts import scene_messages
from voxgen.ask.wish import dictionary, nouns, singular, understand
from voxgen.errors import UsageError
from voxgen.language.builder import build

SUBJECTS = sorted(stock.shelf("subjects"))


def bad(scene: Any) -> list[str]:
    return [str(r) for r in scene.repairs if r.level != "info"]


@pytest.mark.parametrize("name", sorted(stock.parts()))
def test_a_part_builds_clean_stands_on_its_ground_and_fits_its_footprint(name: str) -> None:
    scene = build(stock.specimen(name))
    assert not bad(scene)
    grid = scene.grid.indices[:, :, 1:]
    assert (grid != 0).sum() > 1
    filled = [(grid != 0).any(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    share = [cells.mean() for cells in filled]
    assert max(share[:2]) > 0.8 or max(grid.shape) < 15, "its size is wider than what it draws"
    assert share[2] > 0.45, "its size is taller than what it draws"
    if stock.parts()[name]["on"] not in ("wall", "sky"):
        low = np.argwhere((grid[:, :, :2] != 0).any(axis=2)) - (np.array(grid.shape[:2]) - 1) / 2
        reach = 1.42 * stock.footing(name) + 1.5
        assert "building" in stock.parts()[name]["tags"] or np.hypot(*low.T).max() <= max(reach, 31)
        assert (grid[:, :, 0] != 0).any(), "nothing touches the ground"
        floats = [r.problem for r in scene.repairs if "float" in r.problem]
        loose = sum(int(m[1].replace(",", "")) for p in floats if (m := re.search(r"([\d,]+) voxel", p)))
        assert loose <= 12 or name in ("volcano", "whale"), floats  # their smoke and spray fly


@pytest.mark.parametrize("name", sorted(stock.parts()))
def test_a_part_uses_its_palette(name: str) -> None:
    """Every slot colours something, and large surfaces are mixes of near shades."""
    part = stock.parts()[name]
    document = stock.specimen(name)
    used = {m.name for m in build(document).grid.palette}
    for slot, family in part["slots"].items():
        shades = [family + shade for shade in stock.SHADES]
        assert used & set(shades), f"{slot} colours nothing"
    assert len(used) > 2 or max(part["size"]) < 4


@pytest.mark.parametrize("name", sorted(stock.parts()))
def test_a_part_is_fully_described(name: str) -> None:
    part = stock.parts()[name]
    assert {"words", "tags", "on", "foot", "slots", "size", "build"} <= set(part)
    assert part["words"] or "detail" in part["tags"] or name == "snowdrift"
    assert part.get("home", "garden") in SUBJECTS
    assert part.get("hero", name) in stock.parts()
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
    assert scene.grid.voxels > 10_000
    low, high = scene.grid.bounds()
    assert not low[2]
    assert all(high[:2] > [0.85 * s for s in scene.grid.size[:2]])


def stands(document: dict[str, Any], part: str) -> list[list[int]]:
    """Return where a part stands in a document, in whatever colours."""
    name = re.compile(re.escape(part) + r"(_(?!small)\w+)?")
    steps = [s for s in document["build"] if isinstance(s.get("place"), str) and name.fullmatch(s["place"])]
    return [at for step in steps for at in step["at"]]


def wanted(names: dict[str, str]) -> set[str]:
    """Return the parts any of which shows a noun."""
    part = names.get("part", "")
    small = {part, stock.parts()[part].get("hero", part)} if part else set()
    variants = stock.shelf("subjects")[names["subject"]]["variants"] if "subject" in names else []
    return small | {f for v in variants for f in [*v.get("focal", []), v.get("small_focal", "")]} - {""}


DISTINCT = {tuple(sorted(names.items())): word for word, names in nouns().items()}  # the last word for each


@pytest.mark.parametrize("share", range(6))
def test_every_noun_of_the_vocabulary_is_placed_on_the_plot_and_large(share: int) -> None:
    for word in sorted(DISTINCT.values())[share::6]:
        names = nouns()[word]
        if names.get("part") == "window_box" or not {"part", "subject"} & set(names):
            continue
        text, notes = compose(f"a {word}", len(word))
        document = json.loads(text)
        assert not notes, (word, notes)
        found = [(part, at) for part in wanted(names) for at in stands(document, part)]
        if names.get("subject") == "city" and not found:
            continue  # a street is all focal thing
        assert found, f"a {word}: none of {wanted(names)} stands"
        width, depth, _ = document["size"]
        for part, (x, y, z) in found:
            wide, deep, _ = stock.parts()[part]["size"]
            reach = max(wide, deep)
            assert -1 <= x <= width - min(wide, deep) + 1, (word, part)
            assert -1 <= y <= depth - min(wide, deep) + 1, (word, part)
            assert z >= 0, (word, part)
            assert reach <= max(width, depth), (word, part)


def test_what_stands_does_not_overlap() -> None:
    """Footprints of large things keep apart, whatever the prompt piles up."""
    for prompt in ("a castle with two windmills and five oaks", "a village", "four towers by the lake"):
        for seed in range(3):
            document = json.loads(compose(prompt, seed)[0])
            boxes = []
            for step in document["build"]:
                name = next((n for n in sorted(stock.parts(), key=len, reverse=True)
                             if str(step.get("place", "")).startswith(n)), None)  # fmt: skip
                if name and "building" in stock.parts()[name]["tags"]:
                    wide, deep, _ = stock.parts()[name]["size"]
                    boxes += [(x, y, x + wide, y + deep) for x, y, _ in step["at"]]
            for i, (ax, ay, bx, by) in enumerate(boxes):
                for cx, cy, dx, dy in boxes[:i]:
                    across, along = min(bx, dx) - max(ax, cx), min(by, dy) - max(ay, cy)
                    assert min(across, along) <= 3, (prompt, seed)


@pytest.mark.parametrize(
    ("prompt", "seed"), [("a garden", 0), ("a castle", 0), ("a castle", 3), ("a village", 2)]
)
def test_what_flies_has_free_cells_around(prompt: str, seed: int) -> None:
    document = json.loads(compose(prompt, seed)[0])
    still = [s for s in document["build"] if not str(s.get("place", "")).startswith(("gull", "butterfly"))]
    cells = build({**document, "build": still}).grid.indices
    flying = [("gull", at) for at in stands(document, "gull")]
    flying += [("butterfly", at) for at in stands(document, "butterfly")]
    assert flying
    for name, (x, y, z) in flying:
        reach = max(stock.parts()[name]["size"])
        assert not cells[max(x - 1, 0) : x + reach + 1, max(y - 1, 0) : y + reach + 1, z - 1 : z + 3].any()


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


@pytest.mark.parametrize("share", range(3))
def test_word_salads_never_fail(share: int) -> None:
    rng = Random(share)
    known = sorted(dictionary())
    for seed in range(100):
        words = [rng.choice(known) for _ in range(rng.randrange(0, 9))]
        words += ["".join(rng.choice(string.printable + "äß花🌸") for _ in range(rng.randrange(1, 12)))]
        rng.shuffle(words)
        document = json.loads(compose(" ".join(words), seed)[0])
        assert document["build"]
        if seed % 50 == 0:
            assert not bad(build(document))


@pytest.mark.parametrize("prompt", ["", "   ", "🌸", "x" * 5000, "{}[]\n\0", "mxyzptlk"])
def test_prompts_without_a_known_word_still_give_a_scene(prompt: str) -> None:
    text, notes = compose(prompt)
    assert json.loads(text)["title"]
    assert any("instead" in n for n in notes)


@pytest.mark.parametrize(
    ("prompt", "subject"), [("a kraken", "sea"), ("vampires", "graveyard"), ("samurai", "pagoda")]
)
def test_a_word_without_a_part_gives_its_nearest_scene_and_says_which(prompt: str, subject: str) -> None:
    text, notes = compose(prompt)
    titles = [v["title"] for v in stock.shelf("subjects")[subject]["variants"]]
    assert json.loads(text)["title"] in titles
    assert any(repr(subject) in note for note in notes)


def test_a_misspelt_word_is_taken_for_its_neighbour_and_said() -> None:
    text, notes = compose("a lighthose")
    assert notes == ["took 'lighthose' for 'lighthouse'"]
    assert stands(json.loads(text), "lighthouse")


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
    ("prompt", "part", "count"),
    [
        ("a garden with three cats", "cat", 3),
        ("three cats", "great_cat", 3),
        ("a castle with cherry trees", "cherry", 2),
        ("a pond with ducks", "duck", 3),
        ("robot in the city", "robot", 1),
        ("a village with a windmill", "windmill", 1),
        ("a snowman", "snowman", 1),
        ("a fountain", "fountain", 1),
        ("a lake with a rowboat", "rowboat", 1),
        ("four towers in a meadow", "tower", 4),
        ("roses around a statue", "rose", 6),
        ("a tiny red wooden bridge over a stream", "footbridge", 1),
    ],
)
def test_what_the_prompt_names_is_placed(prompt: str, part: str, count: int) -> None:
    assert len(stands(json.loads(compose(prompt)[0]), part)) >= count


PROMPTS_ABROAD = [
    ("un castello rosso nella neve", "castle", "snow"),
    ("un castillo medieval en la nieve", "castle", "snow"),
    ("ein Schloss im Schnee", "castle", "snow"),
    ("un château dans la neige", "castle", "snow"),
    ("雪中的城堡", "castle", "snow"),
    ("tre gatti", "great_cat", ""),
    ("drei Katzen", "great_cat", ""),
    ("trois chats", "great_cat", ""),
    ("tres gatos", "great_cat", ""),
    ("三只猫", "great_cat", ""),
    ("樱花树下的寺庙", "shrine", ""),
    ("湖边的小木屋", "cabin", ""),
    ("櫻花樹下的寺廟", "shrine", ""),
    ("雪地裡的龍", "dragon", "snow"),
    ("湖邊的小木屋", "cabin", ""),
    ("三隻貓", "great_cat", ""),
    ("太空人", "great_astronaut", ""),
    ("ein Leuchtturm am Meer", "lighthouse", ""),
    ("un moulin à vent", "windmill", ""),
]


@pytest.mark.parametrize(("prompt", "part", "weather"), PROMPTS_ABROAD)
def test_prompts_in_other_languages_are_understood(prompt: str, part: str, weather: str) -> None:
    text, notes = compose(prompt)
    assert not notes
    assert stands(json.loads(text), part)
    assert understand(prompt).weather == weather


@pytest.mark.parametrize("language", ["it", "es", "de", "fr", "zh"])
def test_every_word_of_a_language_is_one_the_dictionary_knows(language: str) -> None:
    words = stock.shelf("languages")[language]
    assert len(words) > 250
    assert [e for e in words.values() if e not in dictionary()] == []


def test_traditional_chinese_is_read_as_simplified() -> None:
    written, read = stock.shelf("languages")["traditional"]
    assert len(written) == len(read) == len(set(written))
    assert not set(written) & set("".join(stock.shelf("languages")["zh"]))
    for old, new in (("花園", "花园"), ("龍", "龙"), ("橋上的燈籠", "桥上的灯笼"), ("貓在橋上", "猫在桥上")):
        assert understand(old).nouns == understand(new).nouns != []


def test_relations_place_things_truly() -> None:
    def middle(document: dict[str, Any], part: str, i: int = 0) -> tuple[float, float]:
        wide, deep, _ = stock.parts()[part]["size"]
        x, y, _ = stands(document, part)[i]
        return x + wide / 2, y + deep / 2

    corner = json.loads(compose("a garden with a bench in the corner")[0])
    bench = [middle(corner, "bench", i) for i in range(len(stands(corner, "bench")))]
    assert any(
        min(x, corner["size"][0] - x) < 0.3 * corner["size"][0]
        and min(y, corner["size"][1] - y) < 0.34 * corner["size"][1]
        for x, y in bench
    )
    around = json.loads(compose("six sheep around the castle")[0])
    castle = middle(around, "castle")
    sides = {(x > castle[0], y > castle[1]) for x, y in (middle(around, "sheep", i) for i in range(6))}
    assert len(sides) >= 3
    hill = json.loads(compose("a church on a hill")[0])
    flat = json.loads(compose("a church")[0])
    assert stands(hill, "church")[0][2] >= stands(flat, "church")[0][2] + 8
    cliff = json.loads(compose("a lighthouse on a cliff")[0])
    assert stands(cliff, "lighthouse")[0][2] > 20
    behind = json.loads(compose("a windmill behind a well")[0])
    assert middle(behind, "windmill")[1] > middle(behind, "well")[1]


@pytest.mark.parametrize(
    "prompt",
    ["a cat on a bench", "un gatto su una panchina", "un gato sobre un banco", "eine Katze auf einer Bank",
     "un chat sur un banc", "貓坐在長椅上", "a garden with a cat on a bench"],
)  # fmt: skip
def test_what_is_small_sits_on_top(prompt: str) -> None:
    document = json.loads(compose(prompt)[0])
    benches, cats = stands(document, "bench"), stands(document, "cat")
    assert any(b[0] - 1 <= c[0] <= b[0] + 7 and c[2] == b[2] + 2 for b in benches for c in cats)


@pytest.mark.parametrize(
    ("prompt", "note"),
    [("a garden in the rain", "rain"), ("snowfall", "falling snow"), ("foggy forest", "mist")],
)
def test_weather_fills_the_air(prompt: str, note: str) -> None:
    document = json.loads(compose(prompt)[0])
    assert any(step.get("note") == note for step in document["build"])
    assert not bad(build(document))


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
    assert [n.subject for n in wish.nouns] == ["cat", "castle", "lake"]
    assert [n.color for n in wish.nouns] == ["black", "red", ""]
    assert [n.many for n in wish.nouns] == [3, 1, 1]
    assert (wish.nouns[1].relation, wish.nouns[1].anchor) == ("by", 2)
    assert (wish.season, wish.light) == ("winter", "sunset")
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


def test_a_stock_part_is_placed_by_name_in_anyones_document() -> None:
    ground = {"box": [[0, 0, 0], [59, 59, 3]], "of": "grass"}
    document = {"size": [60, 60, 40], "palette": {"grass": "green", "brown": "#ff00ff"}}
    oak = {"place": "@oak", "at": [[4, 4, 4]]}
    scene = build({**document, "build": [ground, oak, {"scatter": ["@tulip"], "on": ["grass"], "count": 5}]})
    assert not bad(scene)
    colours = {m.name: m.color for m in scene.grid.palette}
    assert colours["@brown"] == (0x6A, 0x47, 0x33), "its own brown, whatever the document's is"
    pink = build({**document, "build": [ground, {**oak, "with": {"leaf": "pink"}}]})
    assert "@pink" in {m.name for m in pink.grid.palette}
    assert "@green" not in {m.name for m in pink.grid.palette}


def test_a_part_of_the_documents_own_wins_over_the_stock_part() -> None:
    own = {"size": [2, 2, 2], "build": [{"box": [[0, 0, 0], [1, 1, 1]], "of": "red"}]}
    for name in ("oak", "@oak"):
        scene = build(
            {"size": [9, 9, 9], "parts": {name: own}, "build": [{"place": "@oak", "at": [[1, 1, 1]]}]}
        )
        assert scene.grid.voxels == 8


def test_a_stock_part_nobody_knows_is_a_repair() -> None:
    box = {"box": [[0, 0, 0], [1, 1, 1]], "of": "red"}
    scene = build({"size": [9, 9, 9], "build": [box, {"place": "@zorbulator", "at": [[1, 1, 1]]}]})
    assert any('"@zorbulator"' in problem for problem in bad(scene))


def test_the_stock_list_costs_a_prompt_at_most_600_tokens() -> None:
    """Counted dearly: a word costs a token for every five letters, every digit and sign another."""

    def tokens(text: str) -> int:
        return sum(-(-len(t) // 5) if t.isalpha() else 1 for t in re.findall(r"[A-Za-z]+|\d|[^\w\s]|_", text))

    offered, plain = (scene_messages("a farm", stock=stocked)[1]["content"] for stocked in (True, False))
    assert 200 < tokens(offered) - tokens(plain) < 600
    assert "@oak" in offered
    assert "@oak" not in plain
    for names in stock.shelf("vocabulary")["offer"].values():
        assert set(names) <= set(stock.parts())
