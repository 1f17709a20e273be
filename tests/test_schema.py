"""The JSON schema of the scene language: portable, complete, and whatever fits it builds."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers import DONE, Request, answer, event, framed, head, recorded, serving

from voxgen import maker
from voxgen.ask.client import ask
from voxgen.ask.models import PRESETS, Choice, custom
from voxgen.ask.schema import HINT, scene_schema
from voxgen.errors import ReplyError
from voxgen.language.document import COMMON, STEPS
from voxgen.language.limits import Limits
from voxgen.language.reader import read

llguidance = pytest.importorskip("llguidance", reason="pip install llguidance")
numpy = pytest.importorskip("numpy")

BOUNDS = {"minItems", "maxItems", "minimum", "maximum", "pattern"}
PORTABLE = {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf"}
SMALL = Limits(side=64, step_seconds=5.0, total_seconds=60.0)


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema in a schema."""
    if isinstance(value, dict):
        yield value
        inner = [*value.get("properties", {}).values(), value.get("items"), *value.get("anyOf", [])]
        for each in inner:
            yield from schemas(each)


def test_it_keeps_to_what_every_provider_accepts() -> None:
    for schema in schemas(scene_schema()):
        assert set(schema) <= {
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "enum",
            "anyOf",
        }
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
    assert scene_schema()["type"] == "object"


def depth(schema: Any) -> int:
    """Return how many objects and lists stand inside each other."""
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    inner += [schema["items"]] if "items" in schema else []
    return (schema.get("type") in ("object", "array")) + max(map(depth, inner), default=0)


def test_it_is_not_too_deep_nor_too_long() -> None:
    assert depth(scene_schema()) <= 10
    assert len(json.dumps(scene_schema())) < 30_000


def test_it_has_every_step_of_the_language_and_no_other_option() -> None:
    steps = scene_schema()["properties"]["build"]["items"]["anyOf"]
    named = [(next(iter(step["properties"])), step) for step in steps]
    assert {name for name, _ in named} == set(STEPS)
    for name, step in named:
        body = step["properties"][name].get("properties", {})
        options = {*step["properties"], *body} - {name}
        assert options <= STEPS[name] | COMMON, name


@pytest.mark.parametrize("profile", ["portable", "bounded"])
def test_llguidance_compiles_it(profile: str) -> None:
    grammar = llguidance.LLMatcher.grammar_from_json_schema(scene_schema(profile))
    matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte"), grammar)
    assert not matcher.get_error()


def written(schema: dict[str, Any], seed: int, most: int = 2500) -> str:
    """Return random text that the schema allows, as a constrained decoder without a model would write it.

    Every byte is drawn evenly from the printable ones that are allowed; after `most` of them what closes is
    preferred, so that it ends.
    """
    tokenizer = llguidance.LLTokenizer("byte")
    settings = {"whitespace_flexible": False}
    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=settings)
    matcher = llguidance.LLMatcher(tokenizer, grammar)
    if error := matcher.get_error():
        raise ValueError(error)
    chance, text = random.Random(seed), bytearray()
    while not matcher.is_stopped():
        bits = numpy.unpackbits(numpy.frombuffer(matcher.compute_bitmask(), numpy.uint8), bitorder="little")
        allowed = numpy.flatnonzero(bits).tolist()
        usual = [i for i in allowed if 32 <= i < 127] or allowed
        closing = [i for i in usual if i in b']}"'] if len(text) > most else []
        token = chance.choice(closing or usual)
        if token == tokenizer.eos_token:
            break
        matcher.consume_token(token)
        text.append(token)
        assert len(text) < 20 * most
    return text.decode("utf-8", "replace")


def decoder(request: Request) -> Iterable[bytes]:
    """Answer as an endpoint that holds its model to the schema it is sent."""
    wanted = (request.body.get("response_format") or {}).get("json_schema")
    if not wanted:
        yield from recorded("no schema")(request)
        return
    try:
        text = written(wanted["schema"], request.body.get("seed", 0))
    except ValueError as error:
        message = f"Invalid schema for response_format: {error}"
        yield from answer({"error": {"message": message}}, "400 Bad Request")(request)
        return
    limit = request.body.get("max_tokens") or len(text)
    yield head("200 OK", "text/event-stream", chunked=True)
    for start in range(0, min(limit, len(text)), 24):
        yield framed(event(text[start : min(start + 24, limit)]))
    yield framed(event(finish="length" if limit < len(text) else "stop") + DONE)
    yield b"0\r\n\r\n"


@pytest.mark.parametrize("profile", ["portable", "bounded"])
@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(40, 440), marks=pytest.mark.slow)], ids=len)
def test_every_reply_that_fits_the_schema_builds(profile: str, seeds: range) -> None:
    for seed in seeds:
        text = written(scene_schema(profile), seed)
        json.loads(text)
        assert read(text, limits=SMALL).grid.voxels > 0, seed


@pytest.mark.parametrize("profile", ["portable", "bounded"])
def test_a_server_that_holds_its_model_to_the_schema_is_understood(profile: str) -> None:
    with serving(decoder) as server:
        model = replace(custom(server.url, "random"), schema=profile)
        for seed in range(8):
            reply = ask(
                [{"role": "user", "content": "a garden"}],
                model,
                key=None,
                seed=seed,
                schema=scene_schema(profile),
                max_tokens=200 if seed % 4 == 3 else None,
            )
            if reply.finish == "stop":
                assert read(reply.text, limits=SMALL).grid.voxels > 0, seed
                continue
            assert seed % 4 == 3
            with suppress(ReplyError):  # cut off before anything is drawn: honest, and no other error
                read(reply.text, limits=SMALL)
    assert len(server.requests) == 8


@pytest.mark.parametrize("of", ["", ".", "air", [], ["", "none"], "clear", "w", ["w", "air"], "no such name"])
@pytest.mark.parametrize("at", [0, -70, 900, 10**25])
def test_the_ground_draws_wherever_it_lies_and_whatever_it_is_of(of: Any, at: int) -> None:
    palette = [{"name": "clear", "color": "#00000000", "opacity": 0, "glow": 0}, *CHOSEN["palette"]]
    ground = {"box": {"from": dict.fromkeys("xyz", at), "to": dict.fromkeys("xyz", at + 3)}, "of": of}
    document = CHOSEN | {"parts": [], "palette": palette, "ground": ground, "build": []}
    assert read(json.dumps(document)).grid.voxels > 0


CHOSEN = {
    "title": "A post", "plan": "", "size": [16, 16, 16], "light": "sunset",
    "palette": [{"name": "w", "color": "#7d5636", "opacity": 1, "glow": 0},
                {"name": "lamp", "color": "#ffd27a", "opacity": 1, "glow": 2}],
    "let": [{"name": "r", "value": 1}, {"name": "far", "value": "8*r"}],
    "functions": [{"name": "hill", "params": ["a", "b"], "formula": "r+a*b/40"}],
    "textures": [{"name": "bark", "rules": [{"when": "z>2", "of": ["w", "w", "lamp"]}, {"of": "w"}]}],
    "parts": [{"name": "post", "size": [16, 16, 16],
               "params": [{"name": "h", "value": 4}, {"name": "m", "value": "w"}],
               "build": [{"box": [[0, 0, 0], [0, 0, "h"]], "hollow": 0, "walls": False, "of": "m"}]}],
    "ground": {"box": {"from": {"x": 0, "y": 0, "z": 0}, "to": {"x": 8, "y": 8, "z": 0}}, "of": "w"},
    "build": [
        {"place": "post", "at": [[2, 2, 1], [6, 6, 1]], "turn": 0},
        {"place": "post", "at": [[4, 4, 1]], "turn": 90,
         "with": [{"name": "h", "value": "far"}, {"name": "m", "value": "bark"}]},
        {"repeat": 3, "as": "i", "build": [
            {"sphere": {"center": ["2*i", 4, 3], "radius": "r"}, "hollow": 0, "of": "lamp"}]},
        {"scatter": ["lamp"], "on": ["w"], "area": [[0, 0], [8, 8]], "count": 3, "gap": 1, "seed": 2},
        {"cylinder": {"base": [7, 1, 1], "radius": 1, "height": 3, "top": 1, "axis": "z"}, "hollow": 0,
         "of": "lamp"},
        {"layers": ["ab"], "at": [0, 0, 1], "key": [{"name": "a", "of": "w"}, {"name": "b", "of": "bark"}]},
        {"formula": "z<hill(x,y)", "in": [[0, 0, 0], [8, 8, 4]], "of": "bark"},
        {"line": [[0, 8, 1], [8, 8, 5]], "width": 1, "taper": 1, "curve": False, "of": "w"},
        {"place": "@oak", "at": [[9, 9, 1]], "turn": 0},
        {"mirror": "x"},
    ],
}  # fmt: skip


def test_a_scene_in_the_form_of_the_schema_builds_with_nothing_guessed() -> None:
    for profile in ("portable", "bounded"):
        grammar = llguidance.LLMatcher.grammar_from_json_schema(scene_schema(profile))
        matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte"), grammar)
        assert matcher.consume_tokens(list(json.dumps(CHOSEN).encode())), profile
    scene = read(json.dumps(CHOSEN))
    assert [r for r in scene.repairs if r.level != "info"] == []
    assert {m.name for m in scene.grid.palette} >= {"w", "lamp"}
    assert any(material.glow == 2 for material in scene.grid.palette)


def test_what_the_model_is_told_of_the_schema_is_what_the_schema_says() -> None:
    named = {
        key
        for schema in [*schemas(scene_schema())]
        for key, value in schema.get("properties", {}).items()
        if "name" in value.get("items", {}).get("properties", {})
    }
    assert named == {"palette", "let", "functions", "textures", "parts", "params", "with", "key"}
    assert all(f'"{word}"' in HINT for word in {*named, "ground"})
    shown = re.findall(r"{.*?}(?=,? {|\.)", HINT)
    layers = next(
        step
        for step in scene_schema()["properties"]["build"]["items"]["anyOf"]
        if "layers" in step["properties"]
    )
    places = [scene_schema()["properties"][key] for key in ("let", "functions", "textures")]
    for schema, entry in zip([*places, layers["properties"]["key"]], shown, strict=True):
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema)
        matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte"), grammar)
        assert matcher.consume_tokens(list(f"[{entry}]".encode())), entry


def test_it_is_sent_only_where_the_table_says_so() -> None:
    with serving(recorded("{}")) as server:
        for schema in ("portable", ""):
            model = replace(custom(server.url, "m"), schema=schema)
            ask([{"role": "user", "content": "x"}], model, key=None, schema=scene_schema())
    assert ["response_format" in request.body for request in server.requests] == [True, False]
    assert server.requests[0].body["response_format"]["json_schema"]["strict"] is True
    assert {model.provider for model in PRESETS if model.schema} == {"ollama", "llamacpp", "lmstudio"}


def test_a_scene_is_asked_for_with_the_schema_and_its_hint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(decoder) as server:
        model = replace(custom(server.url, "random"), schema="bounded")
        monkeypatch.setattr(maker, "choose", lambda *_: Choice(model, None, "", "asking nobody"))
        scene = maker.make("a garden", seed=3, limits=SMALL)
    first = server.requests[0].body
    assert first["messages"][-1]["content"].rstrip().endswith(HINT)
    assert first["response_format"]["json_schema"]["schema"] == scene_schema("bounded")
    saved = read((folder / "garden.json").read_bytes(), limits=SMALL)
    assert saved.grid.voxels == scene.grid.voxels > 0
