from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from servers import Server, answer, dropped, failure, recorded, serving

from voxgen.ask import models
from voxgen.ask.models import (
    BUILTIN,
    PRESETS,
    Model,
    Price,
    Usage,
    affordable,
    choose,
    cost,
    custom,
    near,
    rows,
)
from voxgen.errors import ModelError, UsageError

KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_local_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from servers that happen to run on this machine."""
    monkeypatch.setattr(models, "LOCAL", ())


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    listed = {"data": [{"id": "nomic-embed-text"}, {"id": "llama3.3"}, {"id": "qwen3"}]}
    with serving(answer(listed)) as server:
        local = Model("ollama", "", server.url, needs_key=False)
        monkeypatch.setattr(models, "LOCAL", (local,))
        monkeypatch.setattr(models, "PRESETS", (*models.HOSTED, *models.MORE, local))
        yield server


def test_without_key_and_server_the_composer_draws_and_says_so() -> None:
    choice = choose(None, None, {})
    assert choice.model is BUILTIN
    assert choice.key is None
    assert "built-in composer" in choice.why
    assert "offline" in choice.why


def test_the_first_key_in_the_order_of_the_table_is_taken() -> None:
    environ = {variable: KEY for model in models.HOSTED for variable in model.keys}
    for model in models.HOSTED:
        choice = choose(None, None, environ)
        assert choice.model == model
        assert choice.key == KEY
        assert choice.key_source == model.keys[0]
        assert model.name in choice.why
        assert model.keys[0] in choice.why
        for variable in model.keys:
            del environ[variable]
    assert choose(None, None, environ).model is BUILTIN


def test_an_empty_variable_is_no_key() -> None:
    assert (
        choose(None, None, {"OPENAI_API_KEY": "  ", "VOXGEN_MODEL": "", "VOXGEN_API_KEY": " "}).model
        is BUILTIN
    )


def test_without_a_key_a_local_server_that_answers_is_asked_for_a_model_that_writes(ollama: Server) -> None:
    choice = choose(None, None, {})
    assert (choice.model.provider, choice.model.name) == ("ollama", "llama3.3")
    assert choice.key is None
    assert choose("local", None, {"OPENAI_API_KEY": KEY}).model.name == "llama3.3"
    assert choose("ollama", None, {}).model.name == "llama3.3"
    assert choose("ollama/qwen3:8b", None, {}).model.name == "qwen3:8b"


def test_a_key_comes_before_a_local_server(ollama: Server) -> None:
    assert choose(None, None, {"OPENAI_API_KEY": KEY}).model.provider == "openai"
    assert ollama.requests == []


@pytest.mark.parametrize(
    "script", [answer(b"<html>hello</html>", kind="text/html"), dropped, failure("404 Not Found", "")]
)
def test_something_else_at_a_local_port_is_passed_over(
    script: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(script) as server:  # type: ignore[arg-type]
        monkeypatch.setattr(models, "LOCAL", (Model("vllm", "", server.url, needs_key=False),))
        assert choose(None, None, {}).model is BUILTIN


def test_no_local_server_is_one_clear_line() -> None:
    with pytest.raises(ModelError, match="no local model server answers") as caught:
        choose("local", None, {})
    assert "ollama serve" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "expected", "variable"),
    [
        ("qwen", "dashscope/qwen3.8-max", "DASHSCOPE_API_KEY"),
        ("qwen", "openrouter/qwen/qwen3-max", "OPENROUTER_API_KEY"),
        ("claude", "anthropic/claude-opus-5-5", "ANTHROPIC_API_KEY"),
        ("gpt", "openai/gpt-6.1-sol", "OPENAI_API_KEY"),
        ("gemini", "gemini/gemini-3.8-flash", "GOOGLE_API_KEY"),
        ("hf", "huggingface/Qwen/Qwen3-235B-A22B-Instruct-2507", "HF_TOKEN"),
        ("qwen3-max-preview", "dashscope/qwen3-max-preview", "DASHSCOPE_API_KEY"),
        ("openrouter/moonshotai/kimi-k9", "openrouter/moonshotai/kimi-k9", "OPENROUTER_API_KEY"),
        ("openai/gpt-9", "openai/gpt-9", "OPENAI_API_KEY"),
    ],
)
def test_names_aliases_and_provider_slash_name_are_understood(
    name: str, expected: str, variable: str
) -> None:
    for choice in (
        choose(name, None, {variable: KEY}),
        choose(None, None, {variable: KEY, "VOXGEN_MODEL": name}),
    ):
        assert choice.model.id == expected
        assert choice.key_source == variable


def test_a_model_that_is_not_in_the_table_has_no_limits_and_no_price_of_another() -> None:
    model = choose("openai/gpt-9", None, {"OPENAI_API_KEY": KEY}).model
    assert (model.window, model.output, model.prices) == (None, None, ())
    assert model.limit_field == "max_completion_tokens"


def test_a_missing_key_names_the_variable() -> None:
    with pytest.raises(ModelError, match="OPENAI_API_KEY is not set") as caught:
        choose("gpt", None, {"ANTHROPIC_API_KEY": KEY})
    assert "--model builtin" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "meant"), [("qwne", "qwen"), ("gpt-6.1-sool", "openai/gpt-6.1-sol"), ("builtn", "builtin")]
)
def test_an_unknown_name_is_refused_with_names_like_it(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(name, None, {"OPENAI_API_KEY": KEY})
    assert meant in caught.value.hint


def test_a_name_like_none_is_refused_with_the_way_to_write_any() -> None:
    with pytest.raises(UsageError, match="provider/name"):
        choose("zzzzzz" * 100, None, {})


@pytest.mark.parametrize("name", ["builtin", "offline"])
def test_builtin_asks_nobody_even_with_keys_and_base_urls(name: str) -> None:
    environ = {"OPENAI_API_KEY": KEY, "VOXGEN_BASE_URL": "http://localhost:1/v1"}
    assert choose(name, None, environ).model is BUILTIN


def test_the_model_flag_beats_the_variables() -> None:
    environ = {"VOXGEN_MODEL": "gpt", "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    assert choose(None, None, environ).model.provider == "openai"
    assert choose("claude", None, environ).model.provider == "anthropic"
    environ["VOXGEN_BASE_URL"] = "http://localhost:1/v1"
    assert choose("claude", None, environ).model.provider == "anthropic"
    assert choose("my-own", None, environ).model.base_url == "http://localhost:1/v1"


def test_with_a_base_url_the_name_is_taken_as_it_is() -> None:
    choice = choose("openai/gpt-oss-20b", "http://localhost:1234/v1", {"OPENAI_API_KEY": KEY})
    assert choice.model.name == "openai/gpt-oss-20b"
    assert choice.key is None, "a key of another provider goes nowhere else"


def test_with_a_base_url_and_no_name_the_first_listed_model_is_taken() -> None:
    with serving(recorded("", model="tiny")) as server:
        assert choose(None, server.url, {}).model.name == "tiny"
        assert choose(None, None, {"VOXGEN_BASE_URL": server.url}).model.name == "tiny"


def test_a_server_that_lists_nothing_asks_for_a_name() -> None:
    with serving(answer({"data": []})) as server, pytest.raises(ModelError, match="lists no model") as caught:
        choose(None, server.url, {})
    assert "--model" in caught.value.hint


def test_voxgen_api_key_counts_before_the_provider_key() -> None:
    environ = {"VOXGEN_API_KEY": "mine", "OPENAI_API_KEY": KEY}
    assert choose("gpt", None, environ).key_source == "VOXGEN_API_KEY"
    assert choose("m", "https://models.example/v1", environ).key == "mine"


def test_voxgen_api_key_of_a_base_url_goes_nowhere_else() -> None:
    environ = {
        "VOXGEN_API_KEY": "mine",
        "VOXGEN_BASE_URL": "https://models.example/v1",
        "OPENAI_API_KEY": KEY,
    }
    assert choose("m", None, environ).key == "mine"
    assert choose("gpt", None, environ).key == KEY
    assert choose("m", "https://other.example/v1", environ).key is None
    assert choose("m", "https://models.example:443/v2", environ).key == "mine"


def test_a_provider_key_goes_to_the_provider_by_base_url_over_https_only() -> None:
    environ = {"OPENAI_API_KEY": KEY}
    assert choose("gpt-9", "https://api.openai.com/v1", environ).key == KEY
    assert choose("gpt-9", "http://api.openai.com/v1", environ).key is None
    assert choose("gpt-9", "https://api.openai.com.evil.example/v1", environ).key is None


def test_voxgen_api_key_alone_is_asked_about() -> None:
    with pytest.raises(UsageError, match="VOXGEN_API_KEY is set") as caught:
        choose(None, None, {"VOXGEN_API_KEY": KEY, "OPENAI_API_KEY": KEY})
    assert "VOXGEN_BASE_URL" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8080", "http://localhost:8080/v1"),
        ("http://localhost:8080/", "http://localhost:8080/v1"),
        ("https://models.example/api/v1/chat/completions", "https://models.example/api/v1"),
        (" https://[::1]:8443/v1/ ", "https://[::1]:8443/v1"),
    ],
)
def test_base_urls_are_taken_as_people_paste_them(url: str, expected: str) -> None:
    assert custom(url, "m").base_url == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "ftp://host/v1",
        "http://",
        "https://host:0/v1",
        "https://host:99999/v1",
        "http://[::1/v1",
        "https://host/v1?key=abc",
        "https://ho st/v1",
        "https://host/\nv1",
        "file:///etc/passwd",
        "http://a\\b.localhost/",
    ],
)
def test_what_is_no_base_url_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        custom(url, "m")
    assert "\n" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_key_inside_a_base_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="VOXGEN_API_KEY") as caught:
        custom(f"https://me:{KEY}@models.example/v1", "m")
    assert KEY not in str(caught.value)


def test_a_base_url_of_the_table_brings_its_data() -> None:
    assert custom("https://api.openai.com/v1", "gpt-6.1-sol").prices
    assert custom("https://api.openai.com/v1", "gpt-9").prices == ()
    assert custom("https://api.openai.com/v1", "gpt-9").keys == ("OPENAI_API_KEY",)
    assert not custom("http://127.0.0.1:11434/v1", "x").needs_key


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1/v1", True),
        ("http://127.8.9.1/v1", True),
        ("http://[::1]/v1", True),
        ("http://a.localhost/v1", True),
        ("http://localhost.evil.example/v1", False),
        ("http://127.0.0.1.evil.example/v1", False),
        ("http://192.168.1.5/v1", False),
        ("http://localhost@evil.example/v1", False),
    ],
)
def test_loopback_is_told_from_what_only_looks_like_it(url: str, here: bool) -> None:
    assert models.is_loopback(url) is here


def test_rows_show_what_is_found_and_never_a_key(ollama: Server) -> None:
    table = rows({"OPENAI_API_KEY": KEY, "DASHSCOPE_API_KEY": ""})
    assert KEY not in repr(table)
    found = {row["name"]: row["found"] for row in table}
    assert found["openai/gpt-6.1-sol"] is True
    assert found["dashscope/qwen3.8-max"] is False
    assert found["ollama/llama3.3"] is True
    assert found["builtin"] is True
    assert len({frozenset(row) for row in table}) == 1, "every row has the same columns"
    assert rows({}, probe=False)
    assert len(ollama.requests) == 1


def test_a_choice_never_shows_its_key() -> None:
    assert KEY not in repr(choose("gpt", None, {"OPENAI_API_KEY": KEY}))


def test_cost_sent_by_the_server_wins() -> None:
    assert cost(Usage(1000, 0, 1000, cost=0.25), PRESETS[0]) == (0.25, False)


def test_cost_is_estimated_by_the_tier_of_the_prompt_with_cached_tokens_cheaper() -> None:
    tiers = (Price(1.0, 10.0, cached=0.1, upto=1000), Price(2.0, 20.0, cached=0.1))
    model = replace(PRESETS[0], prices=tiers)
    assert cost(Usage(1000, 400, 200), model)[0] == pytest.approx((600 + 40 + 2000) / 1e6)
    assert cost(Usage(1001, 400, 200), model)[0] == pytest.approx((1202 + 40 + 4000) / 1e6)
    assert cost(Usage(1000, 400, 200), model)[1] is True


def test_cost_is_unknown_without_a_price_or_without_counts() -> None:
    assert cost(Usage(10, 0, 10), custom("http://localhost:1/v1", "m")) == (None, False)
    assert cost(Usage(), PRESETS[0]) == (None, False)


def test_the_table_is_sound() -> None:
    assert len({model.id for model in PRESETS}) == len(PRESETS)
    for model in PRESETS:
        limits = [price.upto for price in model.prices]
        assert limits == sorted(limits)
        assert model.base_url.startswith("https://") or models.is_loopback(model.base_url)
        assert not model.prices or limits[-1] == float("inf")
        assert model.limit_field in ("max_tokens", "max_completion_tokens")
    assert re.fullmatch(r"20\d\d-\d\d", models.PRICED)


def test_near_names_are_found_by_either_half() -> None:
    names = ["qwen/qwen3-max", "openai/gpt-6", "llama3.3"]
    assert near("qwen3-maxx", names)[0] == "qwen/qwen3-max"
    assert near("lama3.3", names) == ["llama3.3"]
    assert near("maverik", ["some-organisation-with-a-long-name/maverick"])
    assert near("zzz", names) == []


def test_the_launch_prices_of_qwen3_max_preview_stand_beside_todays() -> None:
    model = choose("qwen3-max-preview", None, {"DASHSCOPE_API_KEY": KEY}).model
    assert (model.window, model.output, model.context) == (258_048, 32_768, 262_144)
    assert [(p.upto, p.input, p.output) for p in model.launch_prices] == [
        (32_000, 0.861, 3.441),
        (128_000, 1.434, 5.735),
        (252_000, 2.151, 8.602),
    ]
    assert [(p.upto, p.input, p.output) for p in model.prices] == [
        (32_000, 1.2, 6),
        (128_000, 2.4, 12),
        (float("inf"), 3, 15),
    ]
    (row,) = (row for row in rows({}, probe=False) if row["name"] == "dashscope/qwen3-max-preview")
    assert [tier["input"] for tier in row["launch_price"]] == [0.861, 1.434, 2.151]
    assert row["context"] == 262_144


@pytest.mark.parametrize(
    ("tokens", "dollars"), [(32_000, 0.0384 + 0.006), (32_001, 0.0768 + 0.012), (200_000, 0.6 + 0.015)]
)
def test_the_tier_is_that_of_the_prompt(tokens: int, dollars: float) -> None:
    model = choose("qwen3-max-preview", None, {"DASHSCOPE_API_KEY": KEY}).model
    assert cost(Usage(tokens, 0, 1000), model)[0] == pytest.approx(dollars, rel=1e-4)


def test_every_alias_of_the_documentation_is_understood() -> None:
    environ = {variable: KEY for model in models.HOSTED for variable in model.keys}
    for alias, provider in (
        ("qwen", "dashscope"),
        ("claude", "anthropic"),
        ("gpt", "openai"),
        ("gemini", "gemini"),
    ):
        assert choose(alias, None, environ).model.provider == provider
    with pytest.raises(ModelError, match="no local model server"):
        choose("local", None, environ)


def test_models_of_this_machine_are_free_and_hosted_ones_never() -> None:
    assert all(not model.free and model.needs_key for model in models.HOSTED + models.MORE)
    assert {model.provider for model in PRESETS if model.free} == {"ollama", "llamacpp", "vllm", "lmstudio"}
    assert BUILTIN.free


def test_a_mark_for_the_cache_pays_for_claude_behind_a_router_only() -> None:
    assert choose("openrouter/anthropic/claude-9", None, {"OPENROUTER_API_KEY": KEY}).model.marks_cache
    assert not any(model.marks_cache for model in PRESETS)


def test_money_buys_tokens_of_the_tier_or_is_refused() -> None:
    tiers = (Price(1.0, 10.0, upto=1000), Price(2.0, 20.0))
    model = replace(PRESETS[0], prices=tiers)
    short, long = [{"content": "x" * 400}], [{"content": "x" * 8000}]
    assert affordable(short, model, 0.1) == pytest.approx(9990, abs=1)
    assert affordable(long, model, 0.1) == pytest.approx(4800, abs=1)
    with pytest.raises(UsageError, match=r"too little .* takes ≈ \$0\.090"):
        affordable(short, model, 0.01)
    assert affordable(short, model, 0.01, 1500) == pytest.approx(990, abs=1)
    assert affordable(short, BUILTIN, 0.0) is None
    for nonsense in (float("nan"), float("inf")):
        with pytest.raises(UsageError, match="no amount of money"):
            affordable(short, model, nonsense)


def test_a_price_that_the_table_lacks_can_be_stated() -> None:
    environ = {"OPENROUTER_API_KEY": "k", "DASHSCOPE_API_KEY": "k", "VOXGEN_PRICE": " 1.2, 6 "}
    assert choose("openrouter/qwen/qwen3-max", None, environ).model.prices == (Price(1.2, 6),)
    assert choose("m", "https://example.org/v1", environ).model.prices == (Price(1.2, 6),)
    known = choose("dashscope/qwen3-max", None, {"DASHSCOPE_API_KEY": "k"}).model
    assert choose("dashscope/qwen3-max", None, environ).model == known, "what the table knows stays"


@pytest.mark.parametrize(
    "text", ["cheap", "1.2", "1,2,3", "-1,6", "nan,6", "1,0", "1,inf", "1,1e-320", "1e308,1e308"]
)
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="VOXGEN_PRICE") as caught:
        choose("m", "https://example.org/v1", {"VOXGEN_PRICE": text})
    assert "1.2,6" in caught.value.hint


def test_the_refusal_to_keep_to_a_cost_says_how_to_state_the_price() -> None:
    model = choose("openrouter/qwen/qwen3-max", None, {"OPENROUTER_API_KEY": "k"}).model
    with pytest.raises(UsageError, match="openrouter/qwen/qwen3-max is not known") as caught:
        affordable([{"content": "x"}], model, 1.0)
    assert "VOXGEN_PRICE" in caught.value.hint
