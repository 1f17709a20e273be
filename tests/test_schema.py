"""The JSON schema of the scene language: portable, complete, and whatever fits it builds."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from servers import DONE, Request, answer, event, framed, head, recorded, serving

from voxgen.ask.client import ask
from voxgen.ask.models import PRESETS, custom
from voxgen.ask.schema import HINT, scene_schema
from voxgen.errors import ReplyError
from voxgen.language.document import COMMON, STEPS
from voxgen.language.limits import Limits
from voxgen.language.reader import read

llguidance = pytest.importorskip("llguidance", reason="pip install llguidance")
numpy = pytest.importorskip("numpy")

BOUNDS = {"minItems", "maxItems", "minimum", "maximum", "pattern"}
PORTABLE = {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf"}
QUICK = Limits(side=64, step_seconds=0.2, total_seconds=2.0)


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
    assert len(json.dumps(scene_schema())) < 25_000


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


def written(schema: dict[str, Any], seed: int, most: int = 1500) -> str:
    """Return random text that the schema allows, as a constrained decoder without a model would write it.

    After `most` characters whatever closes is preferred, so that it ends.
    """
    tokenizer = llguidance.LLTokenizer("byte")
    settings = {"whitespace_flexible": False}
    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=settings)
    matcher = llguidance.LLMatcher(tokenizer, grammar)
    if error := matcher.get_error():
        raise ValueError(error)
    chance, text = random.Random(seed), bytearray()
    while not matcher.is_stopped() and len(text) < 3 * most:
        bits = numpy.unpackbits(numpy.frombuffer(matcher.compute_bitmask(), numpy.uint8), bitorder="little")
        allowed = numpy.flatnonzero(bits).tolist()
        usual = [i for i in allowed if 32 <= i < 127] or allowed
        digits = [i for i in usual if chr(i) in "0123456789"] if len(usual) < 20 else []  # not an expression
        ends = "]}," if digits else ']}",n'
        closing = [i for i in usual if chr(i) in ends] if len(text) > most or chance.random() < 0.3 else []
        token = chance.choice(closing or digits or usual)
        if token == tokenizer.eos_token:
            break
        matcher.consume_token(token)
        text.append(token)
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
def test_whatever_a_constrained_decoder_writes_is_read(profile: str) -> None:
    built = 0
    with serving(decoder) as server:
        model = replace(custom(server.url, "random"), schema=profile)
        for seed in range(16):
            reply = ask(
                [{"role": "user", "content": "a garden"}],
                model,
                key=None,
                seed=seed,
                schema=scene_schema(profile),
                max_tokens=200 if seed % 8 == 7 else None,
            )
            if reply.finish == "stop":
                json.loads(reply.text)
                with suppress(ReplyError):  # nothing of it draws a cell: honest, and never another error
                    built += read(reply.text, limits=QUICK).grid.voxels > 0
            else:
                with suppress(ReplyError):
                    read(reply.text, limits=QUICK)
    assert len(server.requests) == 16
    assert profile == "portable" or built >= 12, "with bounds the rest is at most outside of its own size"


CHOSEN = {
    "title": "A post", "plan": "", "size": [9, 9, 9], "light": "sunset",
    "palette": [{"name": "w", "color": "#7d5636", "opacity": 1, "glow": 0},
                {"name": "lamp", "color": "#ffd27a", "opacity": 1, "glow": 2}],
    "parts": [{"name": "post", "size": [16, 16, 16], "build": [
        {"box": [[0, 0, 0], [0, 0, 4]], "hollow": 0, "walls": False, "of": ["w", "lamp"]}]}],
    "build": [
        {"box": [[0, 0, 0], [8, 8, 0]], "hollow": 0, "walls": False, "of": "w"},
        {"place": "post", "at": [[2, 2, 1], [6, 6, 1]], "turn": 0},
        {"repeat": 3, "as": "i", "build": [
            {"sphere": {"center": ["2*i", 4, 3], "radius": 1}, "hollow": 0, "of": "lamp"}]},
        {"scatter": ["lamp"], "on": ["w"], "area": [[0, 0], [8, 8]], "count": 3, "gap": 1, "seed": 2},
        {"cylinder": {"base": [7, 1, 1], "radius": 1, "height": 3, "top": 1, "axis": "z"}, "hollow": 0,
         "of": "lamp"},
        {"layers": ["ww"], "at": [0, 0, 1]},
        {"line": [[0, 8, 1], [8, 8, 5]], "width": 1, "taper": 1, "curve": False, "of": "w"},
        {"mirror": "x"},
    ],
}  # fmt: skip


def test_a_scene_in_the_form_of_the_schema_builds_with_nothing_guessed() -> None:
    for profile in ("portable", "bounded"):
        grammar = llguidance.LLMatcher.grammar_from_json_schema(scene_schema(profile))
        matcher = llguidance.LLMatcher(llguidance.LLTokenizer("byte"), grammar)
        assert matcher.consume_tokens(list(json.dumps(CHOSEN | {"size": [16, 16, 16]}).encode())), profile
    scene = read(json.dumps(CHOSEN))
    assert [r for r in scene.repairs if r.level != "info"] == []
    assert {m.name for m in scene.grid.palette} >= {"w", "lamp"}
    assert any(material.glow == 2 for material in scene.grid.palette)


def test_it_is_sent_only_where_the_table_says_so() -> None:
    with serving(recorded("{}")) as server:
        for schema in ("portable", ""):
            model = replace(custom(server.url, "m"), schema=schema)
            ask([{"role": "user", "content": "x"}], model, key=None, schema=scene_schema())
    assert ["response_format" in request.body for request in server.requests] == [True, False]
    assert server.requests[0].body["response_format"]["json_schema"]["strict"] is True
    assert {model.provider for model in PRESETS if model.schema} == {"ollama", "llamacpp", "lmstudio"}
    assert all(word in HINT for word in ("palette", "parts", "name"))
