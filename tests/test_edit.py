"""Editing: a model or the composer changes a scene, a new version stands beside it, and undo goes back."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from servers import failure, recorded, serving

import voxgen
from voxgen import files, maker
from voxgen.ask.alter import alter
from voxgen.ask.composer import compose
from voxgen.cli import run
from voxgen.errors import ModelError, ReplyError, UsageError
from voxgen.language.builder import build
from voxgen.picture import driver
from voxgen.scene import Scene

POST = {
    "title": "A post",
    "size": [8, 8, 8],
    "palette": {"wood": "#7d5636", "red": "#bd3a33", "grass": "#6ba83f"},
    "build": [
        {"box": [[0, 0, 0], [7, 7, 0]], "of": "grass"},
        {"box": [[2, 2, 1], [2, 2, 5]], "of": "wood"},
        {"voxels": [[2, 2, 6]], "of": "red"},
    ],
}
CHANGE = {
    "light": "sunset",
    "palette": {"red": "#2244cc"},
    "build": {"1": {"box": [[2, 2, 1], [2, 2, 4]], "of": "wood"}},
}
PAID = {"prompt_tokens": 3000, "completion_tokens": 90, "cost": 0.004}


@pytest.fixture
def post(folder: Path) -> Path:
    (folder / "post.json").write_text(json.dumps(POST), encoding="utf-8")
    return folder


def edited(reply: Any, prompt: str = "make it blue", told: list[str] | None = None, **options: Any) -> Scene:
    text = reply if isinstance(reply, str) else json.dumps(reply)
    with serving(recorded(text, usage=PAID)) as server:
        tell = (told if told is not None else []).append
        path = options.pop("path", "post.json")
        return maker.edit(path, prompt, model="m", base_url=server.url, tell=tell, **options)


def digest(scene: Scene) -> str:
    return hashlib.sha256(scene.grid.indices.tobytes() + repr(scene.grid.palette).encode()).hexdigest()


def test_a_change_is_applied_told_and_saved_beside_the_old_version(post: Path) -> None:
    told: list[str] = []
    before = (post / "post.json").read_bytes()
    scene = edited(CHANGE, told=told)
    assert scene.light.name == "sunset"
    assert scene.grid.indices[2, 2, 5] == 0
    assert (post / "post.json").read_bytes() == before
    assert scene.origin["files"] == ["post-2.reply.txt", "post-2.json"]
    assert told[1:] == [
        "light: none → sunset",
        "palette: red #bd3a33 → #2244cc",
        "steps: 1 changed (1)",
    ]
    (link,) = files.load("post-2.json").origin["edits"]
    assert link["prompt"] == "make it blue"
    assert link["from"] == "post.json"
    assert link["template"].startswith("edit.md ")
    assert link["dollars"] == 0.004


def test_the_model_is_sent_the_steps_and_not_the_voxels(post: Path) -> None:
    with serving(recorded(json.dumps(CHANGE))) as server:
        maker.edit("post.json", "make it blue", model="m", base_url=server.url)
        with suppress(ReplyError):
            maker.make("a post", model="m", base_url=server.url)
    asked, made = (request.body["messages"] for request in server.requests[:2])
    assert asked[0] == made[0], "the system prompt is that of a new scene, so a provider's cache hits"
    assert '/* 2 */ {"voxels":[[2,2,6]],"of":"red"}' in asked[1]["content"]
    assert asked[1]["content"].endswith("# Change\nmake it blue")
    assert asked == maker.edit_prompt(files.load("post.json"), "make it blue")


def test_a_whole_document_is_accepted_too(post: Path) -> None:
    whole = POST | {"title": "Another", "build": POST["build"][:2]}  # type: ignore[index]
    scene = edited("Sure!\n```json\n" + json.dumps(whole) + "\n```")
    assert scene.title == "Another"
    assert scene.grid.voxels == 64 + 5


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("I would rather not.", "post-2.reply.txt: no scene in the reply"),
        ('{"light": null, "build": {}}', "post-2.reply.txt: the reply changes nothing"),
        ('{"build": {"0": null, "1": null, "2": null}}', "post-2.reply.txt: the scene is empty"),
        ('{"palette": {"red": "#bd3a33"}}', "changes nothing"),
        ("[1, 2, 3]", "post-2.reply.txt: "),
    ],
)
def test_a_reply_that_cannot_be_used_is_one_line_and_stays_on_disk(
    post: Path, reply: str, words: str
) -> None:
    with pytest.raises(ReplyError) as caught:
        edited(reply)
    assert words in caught.value.message
    assert caught.value.hint
    assert (post / "post-2.reply.txt").read_text(encoding="utf-8") == reply
    assert sorted(p.name for p in post.iterdir()) == ["post-2.reply.txt", "post.json"]


def test_what_is_not_there_is_told_and_the_rest_is_done(post: Path) -> None:
    told: list[str] = []
    scene = edited({"light": "night", "build": {"77": None}}, told=told)
    assert scene.light.name == "night"
    assert "there is no step '77', they go from 0 to 2" in told


def test_versions_form_a_chain_that_undo_walks_back(post: Path) -> None:
    first = edited(CHANGE)
    second = edited({"build": {"2": None}}, "no red", path="post-2.json")
    assert second.origin["files"][-1] == "post-3.json"
    assert [link["prompt"] for link in second.origin["edits"]] == ["make it blue", "no red"]
    assert maker.undo("post-3.json") == (Path("post-2.json"), False)
    assert maker.undo("post-2.json") == (Path("post.json"), False)
    with pytest.raises(UsageError, match="no earlier version"):
        maker.undo("post.json")
    for name in ("post-2.json", "post.json"):
        (post / name).unlink()
    path, written = maker.undo("post-3.json")
    assert written
    again = files.load(path)
    assert digest(again) == digest(first)
    assert len(again.origin["edits"]) == 1
    (post / path).rename(post / "kept.json")
    oldest, _ = maker.undo("kept.json")
    assert digest(files.load(oldest)) == digest(build(POST))
    assert "edits" not in files.load(oldest).origin


def test_an_earlier_file_that_was_changed_since_is_not_taken_for_the_version(post: Path) -> None:
    edited(CHANGE)
    (post / "post.json").write_text(json.dumps(POST | {"light": "night"}), encoding="utf-8")
    path, written = maker.undo("post-2.json")
    assert written
    assert path not in (Path("post.json"), Path("post-2.json"))
    assert digest(files.load(path)) == digest(build(POST))


@pytest.mark.parametrize("edits", [[{"from": "../../etc/passwd", "undo": 7}], ["x"], [{}], "x", [], 7])
def test_a_chain_that_was_tampered_with_is_none(post: Path, edits: Any) -> None:
    (post / "odd.json").write_text(json.dumps(POST | {"origin": {"edits": edits}}), encoding="utf-8")
    with pytest.raises(UsageError, match="no earlier version"):
        maker.undo("odd.json")


def test_a_scene_is_edited_from_python(folder: Path) -> None:
    scene = voxgen.make("a garden", model="builtin", size="small")
    autumn = voxgen.edit(scene, "make it autumn", model="builtin")
    assert autumn.origin["files"] == ["garden-2.json"]
    assert autumn.origin["prompt"] == "a garden", "the scene still says where it came from"
    assert digest(autumn) != digest(scene)


def test_a_grid_that_never_was_a_document_is_edited_as_slices(folder: Path) -> None:
    files.save(build(POST), "post.npz")
    scene = edited({"light": "night"}, path="post.npz")
    assert scene.light.name == "night"
    assert scene.grid.voxels == build(POST).grid.voxels


def test_a_failing_model_leaves_the_scene_alone(post: Path) -> None:
    with serving(failure("401 Unauthorized", "no")) as server, pytest.raises(ModelError):
        maker.edit("post.json", "make it blue", model="m", base_url=server.url)
    assert [p.name for p in post.iterdir()] == ["post.json"]


# --------------------------------------------------------------------------- the command


def test_the_command_shows_the_change_and_ends_with_the_bill(
    post: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(recorded(json.dumps(CHANGE), usage=PAID)) as server:
        asked = ["--base-url", server.url, "--model", "m", "--no-picture"]
        assert run(["edit", "post.json", "make it blue", *asked]) == 0
        assert run(["edit", "post.json", "make it blue", *asked, "--json", "-q"]) == 0
        assert len(server.requests) == 1, "the second was answered from the cache"
    said = capsys.readouterr()
    first, _, last = said.out.partition("post-2.json\n")
    assert first == "post-2.reply.txt\n"
    assert json.loads(last)["origin"]["edits"][-1]["recalled"] == 1
    lines = said.err.splitlines()
    assert "voxgen: steps: 1 changed (1)" in lines
    assert lines[-1].startswith("voxgen: 3,000 tokens in, 90 out, ")
    assert lines[-1].endswith("$0.004")


def test_print_shows_exactly_what_is_sent_and_sends_nothing(
    post: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["edit", "post.json", "make it blue", "--print"]) == 0
    printed = capsys.readouterr().out
    with serving(recorded(json.dumps(CHANGE))) as server:
        maker.edit("post.json", "make it blue", model="m", base_url=server.url)
    assert printed == "\n\n".join(m["content"] for m in server.requests[0].body["messages"]) + "\n"


def test_undo_prints_the_earlier_file(post: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited(CHANGE)
    assert run(["undo", "post-2.json"]) == 0
    assert capsys.readouterr().out == "post.json\n"
    assert run(["undo", "post-2.json", "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out) == {"scene": "post.json", "written": False}
    assert run(["undo", "post.json"]) == 2
    assert run(["undo", "-"]) == 2
    assert run(["undo", "none.json"]) == 6


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["edit", "none.json", "x"], 6, "none.json cannot be read"),
        (["edit", "post.json", " "], 2, "nothing is said to change"),
        (["edit", "post.json"], 2, "CHANGE"),
        (["edit", "post.json", "add a frob", "--model", "builtin"], 4, "is known to the built-in composer"),
        (["edit", "post.json", "x", "-o", "x.gif"], 6, "PNG"),
        (["edit", "post.json", "x", "-o", "-", "--json"], 2, "both want stdout"),
    ],
)
def test_bad_edits_are_one_line_and_write_nothing(
    post: Path, capsys: pytest.CaptureFixture[str], args: list[str], code: int, words: str
) -> None:
    assert run([*args, "-q", "--no-picture"]) == code
    err = capsys.readouterr().err
    assert err.startswith("voxgen: ")
    assert err.count("\n") == 1
    assert words in err
    assert [p.name for p in post.iterdir()] == ["post.json"]


def test_an_edited_picture_stands_beside_the_new_version(post: Path) -> None:
    if missing := driver.probe().missing:
        pytest.skip(missing)
    args = ["edit", "post.json", "at night", "--model", "builtin", "--picture", "64x48", "--quality", "draft"]
    assert run([*args, "-q"]) == 0
    assert (post / "post-2.png").exists()


# --------------------------------------------------------------------------- the built-in composer


@pytest.fixture(scope="module")
def garden() -> dict[str, Any]:
    return dict(json.loads(compose("a garden with a pond", 0)[0]))


def altered(document: dict[str, Any], prompt: str) -> tuple[Scene, list[str]]:
    from voxgen import changes

    change, notes = alter(document, prompt)
    after, wrong = changes.apply(document, change)
    assert wrong == []
    scene = build(after)
    assert [r for r in scene.repairs if r.level == "loss"] == []
    return scene, notes


@pytest.mark.parametrize("season", ["autumn", "winter", "spring"])
def test_a_season_turns_the_greens(garden: dict[str, Any], season: str) -> None:
    def green(scene: Scene) -> int:
        return sum(g > r + 15 and g > b + 15 for r, g, b in (m.color for m in scene.grid.palette))

    scene, notes = altered(garden, f"make it {season}")
    assert notes == []
    assert green(scene) < green(build(garden))


def test_light_is_set(garden: dict[str, Any]) -> None:
    assert altered(garden, "at night please")[0].light.name == "night"


def test_things_are_added_where_they_are_wanted(garden: dict[str, Any]) -> None:
    change, notes = alter(garden, "add a bench by the pond and three sheep")
    assert notes == []
    bench, sheep = change["add"]
    assert (bench["count"], sheep["count"]) == (1, 3)
    assert "area" in bench
    assert "area" not in sheep
    assert (
        altered(garden, "add a bench by the pond and three sheep")[0].grid.voxels > build(garden).grid.voxels
    )


@pytest.mark.parametrize("wish", ["add a dragon", "add two sheep and a bench", "add a well by the pond"])
def test_what_is_added_stands_on_free_ground(garden: dict[str, Any], wish: str) -> None:
    from voxgen import changes

    before = build(garden)
    change, notes = alter(garden, wish, before.grid)
    assert notes == []
    assert alter(garden, wish, before.grid)[0] == change
    after = build(changes.apply(garden, change)[0])
    old, new = before.grid, after.grid
    names = [np.array([m.name for m in grid.palette], dtype=object) for grid in (old, new)]
    width, depth, height = old.size
    was, now = names[0][old.indices], names[1][new.indices[:width, :depth, :height]]
    low = was != "air"
    assert np.count_nonzero(was[low] != now[low]) <= 12  # a tuft of grass
    assert all(at[2] < 20 for step in change["add"] for at in step.get("at", []))  # not on each other
    for step in change["add"]:
        wide, deep, _ = change["parts"].get(step.get("place"), {"size": [0, 0, 0]})["size"]
        for x, y, _ in step.get("at", []):
            assert x >= 0
            assert y >= 0
            assert (x + wide, y + deep) <= (new.size[0], new.size[1])


def test_an_island_without_room_says_what_to_do() -> None:
    island = json.loads(compose("a sky island", 0, "small")[0])
    change, notes = alter(island, "add a dragon", build(island).grid)
    assert change == {}
    assert notes == ["no dragon: there is no free ground; remove something, or make a larger scene"]


def test_things_are_removed_and_what_is_not_there_is_named(garden: dict[str, Any]) -> None:
    kind = next(s["place"] for s in garden["build"] if s.get("place", "").startswith(("duck", "koi")))
    word = kind.split("_")[0]
    change, notes = alter(garden, f"remove the {word} and the dragon")
    assert change["build"]
    assert set(change["build"].values()) == {None}
    assert notes == ["there is no dragon to remove"]


def test_colours_are_given_to_things_and_to_what_they_are_made_of(garden: dict[str, Any]) -> None:
    change, _ = alter(garden, "make the leaves purple")
    assert change["parts"]
    assert "purple" in json.dumps(change["parts"])
    own = {"palette": {"roof": "#aa3322", "roof_dark": "#771111", "wall": "#ffffff"}, "build": []}
    change, notes = alter(own, "paint the roof blue")
    assert set(change["palette"]) == {"roof", "roof_dark"}
    assert notes == []


def test_a_house_is_the_colour_of_its_walls_whichever_it_had_before() -> None:
    village = json.loads(compose("a village", 0)[0])
    for color in ("purple", "pink"):
        change, notes = alter(village, f"make the house {color}")
        assert notes == []
        for name, body in change["parts"].items():
            before, after = json.dumps(village["parts"][name]), json.dumps(body)
            assert f'"{color}' in after
            assert f'"{color}' not in before
            for kept in ("window", "timber", "slate", "clay"):
                assert before.count(kept) == after.count(kept)
        village["parts"] |= change["parts"]


def test_a_castle_takes_a_colour_with_its_towers() -> None:
    change, _ = alter(json.loads(compose("a castle", 0)[0]), "make the castle pink")
    assert {"castle", "tower", "keep", "turret"} <= {name.split("_")[0] for name in change["parts"]}


def test_a_house_a_model_drew_is_painted_by_its_walls() -> None:
    own = {"palette": {"wall": "#ffffff", "roof": "#aa3322"}, "parts": {"house": {"build": []}}, "build": []}
    assert set(alter(own, "make the house pink")[0]["palette"]) == {"wall"}


def test_a_stock_thing_takes_no_name_of_the_document(garden: dict[str, Any]) -> None:
    own = {
        "palette": {"grass": "#55aa44"},
        "functions": {"puff(a)": "a"},
        "parts": {"oak": {"size": [1, 1, 2], "build": [{"box": [[0, 0, 0], [0, 0, 1]], "of": "grass"}]}},
        "size": [64, 64, 40],
        "build": [{"box": [[0, 0, 0], [63, 63, 2]], "of": "grass"}],
    }
    change, _ = alter(own, "add an oak and a window box")
    assert "oak" not in change["parts"]
    assert change["add"][0]["scatter"] == ["oak_2"]
    assert "puff_of_stock(u,v,w,r,h)" in change["functions"]
    assert not any(signature.startswith("puff(") for signature in change["functions"])
    scene, _ = altered(own, "add an oak")
    assert scene.grid.voxels > 64 * 64 * 3 + 100


def test_every_tree_is_a_tree_and_every_flower_a_flower(garden: dict[str, Any]) -> None:
    change, notes = alter(garden, "remove the trees and the flowers")
    gone = [garden["build"][int(number)] for number in change["build"]]
    named = {step.get("place", "") for step in gone}
    assert notes == []
    assert len({name.split("_")[0] for name in named if name}) > 2
    left, _ = altered(garden, "remove the trees and the flowers")
    assert left.grid.voxels < build(garden).grid.voxels


def test_to_remove_the_snow_is_no_wish_for_winter(garden: dict[str, Any]) -> None:
    assert alter(garden, "remove the snow")[0] == {}


def test_a_place_that_is_not_there_is_said(garden: dict[str, Any]) -> None:
    assert alter(garden, "add a bench near the dragon")[1] == [
        "found nothing to put it near the dragon; it stands where there is room"
    ]


def test_unknown_words_are_named_and_nothing_known_is_no_change(garden: dict[str, Any]) -> None:
    assert alter(garden, "frobnicate the quux") == (
        {},
        ["no word for 'frobnicate', 'quux' in the stock library"],
    )


@pytest.mark.parametrize(
    "wish", ["make it autumn, add a bench", "remove the trees", "paint the house red", ""]
)
@pytest.mark.parametrize(
    "document",
    [
        {"build": []},
        {
            "build": [7, {}, {"place": "oak"}, {"place": "oak", "at": "x"}, {"in": 3, "of": "water"}],
            "palette": {"grass": 5},
        },
        {"build": [{"place": 5}], "palette": {"grass": {"color": None}}, "parts": {"oak": {"build": []}}},
    ],
)
def test_any_document_can_be_altered_without_an_error(document: dict[str, Any], wish: str) -> None:
    change, notes = alter(document, wish)
    assert isinstance(change, dict)
    assert all(isinstance(note, str) for note in notes)


def test_a_tall_thing_makes_the_scene_high_enough(garden: dict[str, Any]) -> None:
    change, _ = alter(garden, "add a rocket")
    assert change["size"][2] > garden["size"][2]
    scene, _ = altered(garden, "add a rocket")
    assert not any("outside" in r.problem for r in scene.repairs)
