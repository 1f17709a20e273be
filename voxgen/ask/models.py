"""Which model is asked, where, with whose key, and what it costs: one table and the choice from it.

A model is written `provider/name`, as in openrouter/qwen/qwen3-max. Limits and prices were read from the
providers' published lists in the month named by PRICED; a price a server sends with its reply wins.
"""

from __future__ import annotations

import ipaddress
import math
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from voxgen.errors import ModelError, UsageError

__all__ = [
    "BUILTIN",
    "CHARACTERS_A_TOKEN",
    "EDIT_OUTPUT",
    "USUAL_OUTPUT",
    "Choice",
    "Model",
    "Price",
    "Usage",
    "affordable",
    "choose",
    "cost",
    "custom",
    "estimated",
    "host",
    "is_loopback",
    "near",
    "rows",
    "tokens_in",
]

PRICED = "2026-11"
CHARACTERS_A_TOKEN = 2.6  # of the scene language
USUAL_OUTPUT, EDIT_OUTPUT = 9_000, 1_500  # tokens of a scene, of a change of one


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, for prompts of at most `upto` tokens."""

    input: float
    output: float
    cached: float | None = None  # None: as input
    upto: float = float("inf")


@dataclass(frozen=True, slots=True)
class Model:
    """A model at an OpenAI-compatible endpoint, and what has to be known to ask it."""

    provider: str
    name: str  # as the endpoint knows it; "" is whatever it lists first
    base_url: str
    keys: tuple[str, ...] = ()  # environment variables, in order
    needs_key: bool = True
    window: int | None = None  # tokens it can read
    output: int | None = None  # tokens it can write
    context: int | None = None  # tokens it can read and write together, where that is less than both
    prices: tuple[Price, ...] = ()  # by rising `upto`
    launch_prices: tuple[Price, ...] = ()  # what it cost when it came out
    free: bool = False  # runs on this machine, nobody sends a bill
    limit_field: str = "max_tokens"  # or max_completion_tokens
    limit: int | None = None  # sent where the server's own limit would cut a scene short
    usage_option: bool = True  # knows stream_options.include_usage
    schema: str = ""  # profile of the JSON schema under which it writes a scene more surely, "" for none
    logprobs: int = 0  # alternatives a token it tells the probability of
    caches_marked: str = ""  # a pattern for names of models that cache only what is marked with cache_control
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)  # fields sent as they are
    advice: Mapping[str, str] = field(default_factory=dict, compare=False)  # kind of failure → what to do

    @property
    def id(self) -> str:
        """The name a person types: provider/name."""
        return f"{self.provider}/{self.name}" if self.name not in ("", self.provider) else self.provider

    @property
    def marks_cache(self) -> bool:
        """Whether a mark on the system prompt pays.

        Without one nothing is cached; with one the first request pays a quarter more for the prompt, and
        every other within minutes a tenth of it. Where a provider caches by itself a mark would only cost.
        """
        return bool(self.caches_marked and re.search(self.caches_marked, self.name))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request: cached is part of input, reasoning of output; cost in USD, if it is sent.

    estimated: the server sent no counts, these are ours.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    cost: float | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The model to ask and the key for it; `why` is a sentence for the person."""

    model: Model
    key: str | None = field(repr=False)
    key_source: str  # the variable, or ""
    why: str


BUILTIN = Model("builtin", "builtin", "", needs_key=False, free=True)

# Endpoints with the model each is asked for by default. The hosted ones stand in the order in which keys are
# looked for.
_QWEN = Price(2, 6, 0.25)
_REGION = "such a key works in its own region only, here Singapore; the base URL for Beijing is "
HOSTED: tuple[Model, ...] = (
    Model(
        "dashscope", "qwen3.8-max", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        ("DASHSCOPE_API_KEY",), window=991_808, output=131_072, prices=(_QWEN,), logprobs=5,
        advice={"key": _REGION + "https://dashscope.aliyuncs.com/compatible-mode/v1"},
    ),
    Model(
        "openrouter", "qwen/qwen3-max", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",),
        caches_marked=r"^anthropic/", extra={"usage": {"include": True}}, logprobs=20,
    ),
    Model(
        "anthropic", "claude-opus-5-5", "https://api.anthropic.com/v1", ("ANTHROPIC_API_KEY",),
        window=1_000_000, output=128_000, prices=(Price(4, 20, 0.2),), limit=64_000,
    ),
    Model(
        "openai", "gpt-6.1-sol", "https://api.openai.com/v1", ("OPENAI_API_KEY",), window=922_000,
        output=128_000, prices=(Price(2, 10, 0.1, 272_000), Price(4, 15, 0.2)),
        limit_field="max_completion_tokens",
    ),
    Model(
        "gemini", "gemini-3.8-flash", "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"), window=1_048_576, output=65_536,
        prices=(Price(0.75, 3.75, 0.075),),
    ),
    Model(
        "deepseek", "deepseek-v4-pro", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",),
        window=1_000_000, output=393_216, prices=(Price(1.32, 3.96, 0.044),), limit=65_536, logprobs=20,
    ),
    Model(
        "mistral", "mistral-large-4", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",),
        window=1_048_576, output=1_048_576, prices=(Price(1.36, 4.18, 0.14),), usage_option=False,
    ),
    Model(
        "groq", "openai/gpt-oss-120b", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",),
        window=131_072, output=65_536, prices=(Price(0.15, 0.6, 0.075),),
    ),
    Model(
        "huggingface", "Qwen/Qwen3-235B-A22B-Instruct-2507", "https://router.huggingface.co/v1",
        ("HF_TOKEN", "HUGGINGFACE_API_KEY"), limit=32_768,
        advice={"key": 'a fine-grained token needs the right to make calls to "Inference Providers"'},
    ),
)  # fmt: skip

_SHORT = "its context is short by default: start it with OLLAMA_CONTEXT_LENGTH=32768 ollama serve"
LOCAL: tuple[Model, ...] = (
    Model(
        "ollama", "", "http://localhost:11434/v1", needs_key=False, free=True, schema="portable",
        advice={"refused": "is Ollama running? start it with: ollama serve", "length": _SHORT,
                "missing": "fetch the model with: ollama pull NAME"},
    ),
    Model("llamacpp", "", "http://localhost:8080/v1", ("LLAMA_API_KEY",), needs_key=False, free=True,
          schema="bounded", logprobs=20,
          advice={"refused": "is it running? start it with: llama-server -m MODEL.gguf"}),
    Model("vllm", "", "http://localhost:8000/v1", ("VLLM_API_KEY",), needs_key=False, free=True,
          logprobs=20, advice={"refused": "is it running? start it with: vllm serve MODEL"}),
    Model("lmstudio", "", "http://localhost:1234/v1", ("LM_API_TOKEN",), needs_key=False, free=True,
          schema="portable", advice={"refused": "is it running? start it with: lms server start"}),
)  # fmt: skip


def _at(provider: str, name: str, window: int, output: int, *prices: Price) -> Model:
    base = next(model for model in HOSTED if model.provider == provider)
    return replace(base, name=name, window=window, output=output, prices=prices)


# Qwen3-Max-Preview's own prices of September 2025, for prompts to 32K, 128K and 252K
_LAUNCH = (
    Price(0.861, 3.441, None, 32_000),
    Price(1.434, 5.735, None, 128_000),
    Price(2.151, 8.602, None, 252_000),
)
_QWEN3 = (Price(1.2, 6, 0.24, 32_000), Price(2.4, 12, 0.48, 128_000), Price(3, 15, 0.6))
MORE: tuple[Model, ...] = (
    _at("dashscope", "qwen3.7-max", 991_808, 65_536, Price(2.5, 7.5, 0.5)),
    _at("dashscope", "qwen3-max", 258_048, 65_536, *_QWEN3),
    replace(_at("dashscope", "qwen3-max-preview", 258_048, 32_768, *_QWEN3),
            context=262_144, launch_prices=_LAUNCH),
    _at("dashscope", "qwen3.8-flash", 991_808, 131_072, Price(0.15, 0.47, 0.016)),
    _at("anthropic", "claude-fable-5-1", 1_000_000, 128_000, Price(10, 50, 0.25)),
    _at("anthropic", "claude-sonnet-5-5", 1_000_000, 128_000, Price(2, 10, 0.1)),
    _at("anthropic", "claude-haiku-5-5", 1_000_000, 128_000,
        Price(0.1, 0.5, 0.01, 100_000), Price(0.5, 2.5, 0.05)),
    _at("openai", "gpt-6.1-terra", 922_000, 128_000, Price(1, 5, 0.05, 272_000), Price(2, 7.5, 0.1)),
    _at("openai", "gpt-6-luna", 922_000, 128_000, Price(0.1, 0.5, 0.01, 272_000), Price(0.2, 0.75, 0.02)),
    _at("gemini", "gemini-4-argon", 1_048_576, 1_048_576, Price(2, 10, 0.1)),
    _at("gemini", "gemini-3.1-pro-preview", 1_048_576, 65_536,
        Price(2, 12, 0.2, 200_000), Price(4, 18, 0.4)),
    _at("deepseek", "deepseek-flash", 1_000_000, 393_216, Price(0.3, 1.2, 0.006)),
)  # fmt: skip
PRESETS = (*(m for first in HOSTED for m in (first, *MORE) if m.provider == first.provider), *LOCAL)

ALIASES = {  # the first whose key is found
    "qwen": ("dashscope", "openrouter"),
    "claude": ("anthropic",),
    "gpt": ("openai",),
    "google": ("gemini",),
    "hf": ("huggingface",),
}


def choose(name: str | None, base_url: str | None, environ: Mapping[str, str]) -> Choice:
    """Choose the model to ask: flags, then VOXGEN_* variables, the first key found, a local server, builtin.

    `name` is a preset, an alias (qwen, claude, gpt, gemini, local …), a provider, provider/name or "builtin";
    with a base URL it is the name as that endpoint knows it. VOXGEN_PRICE is the price of a model that the
    table has none of. Raises UsageError for an unknown name or no price, ModelError if its key is not set or
    nothing local answers.
    """
    environ = {variable: value.strip() for variable, value in environ.items() if value.strip()}
    url = base_url or environ.get("VOXGEN_BASE_URL")
    wanted = (name or environ.get("VOXGEN_MODEL", "")).strip()
    if wanted in ("builtin", "offline"):
        return Choice(BUILTIN, None, "", "the built-in composer draws this one, offline")
    ours = not base_url and bool(name) and _is_known(wanted)  # --model openai beats VOXGEN_BASE_URL
    if url and not ours:
        return _with_key(_first_listed(custom(url, wanted), environ), environ, base_url=url)
    if wanted == "local":
        found = next(_local(environ), None)
        if not found:
            ports = ", ".join(str(urlsplit(model.base_url).port) for model in LOCAL)
            raise ModelError(f"no local model server answers on ports {ports}", "start one: ollama serve")
        return _with_key(found, environ)
    if wanted:
        return _with_key(_first_listed(_named(wanted, environ), environ), environ)
    return _first_found(environ)


def custom(base_url: str, name: str = "") -> Model:
    """Return the model of that name at any OpenAI-compatible endpoint, with the table's data if it is there.

    Raises UsageError unless the URL is http(s)://host[:port][/path].
    """
    url = base_url.strip().rstrip("/").removesuffix("/chat/completions")
    try:
        parts = urlsplit(url)
        named = re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", parts.hostname or "")
        valid = parts.scheme in ("http", "https") and bool(named) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or not url.isprintable() or " " in url:
        hint = "http(s)://host[:port]/path, as in http://localhost:8080/v1"
        raise UsageError(f"not the address of a model server: {_masked(base_url)}", hint)
    if "@" in parts.netloc:
        raise UsageError("the base URL carries a key", "put the key into VOXGEN_API_KEY instead")
    url = url if parts.path else url + "/v1"
    same: list[Model] = [model for model in PRESETS if _origin(model.base_url) == _origin(url)]
    for model in same:
        if model.name == name:
            return replace(model, base_url=url)
    if same:
        return replace(same[0], name=name or same[0].name, base_url=url, window=None, output=None, prices=())
    return Model(parts.hostname or "", name, url, needs_key=False, logprobs=20)


def rows(environ: Mapping[str, str], probe: bool = True) -> list[dict[str, Any]]:
    """Return what `voxgen models` shows, one dict a model: never a key, only whether it is set.

    `found` is whether the model could be asked now; local servers are only looked for if `probe`.
    """
    answering = {model.provider: model for model in _local(environ)} if probe else {}
    table = []
    for preset in PRESETS:
        model = answering.get(preset.provider, preset)
        key = next((variable for variable in model.keys if environ.get(variable, "").strip()), None)
        table.append(
            {
                "name": model.id,
                "endpoint": model.base_url,
                "key_variable": " or ".join(model.keys) if model.needs_key else None,
                "found": bool(key) if model.needs_key else model.provider in answering,
                "window": model.window,
                "output": model.output,
                "context": model.context or model.window,
                "price": [_tier(price) for price in model.prices],
                "launch_price": [_tier(price) for price in model.launch_prices],
                "priced": PRICED if model.prices else None,
                "schema": model.schema,
                "logprobs": model.logprobs,
            }
        )
    nothing = dict.fromkeys(table[0])
    return [*table, nothing | {"name": "builtin", "found": True, "price": [], "launch_price": []}]


def cost(usage: Usage, model: Model) -> tuple[float | None, bool]:
    """Return what a request cost in USD, and whether that is our estimate from the table; None if unknown."""
    if usage.cost is not None:
        return usage.cost, False
    if model.free:
        return 0.0, False
    price = _price(model, usage.input)
    if price is None or not (usage.input or usage.output):
        return None, False
    cached = price.input if price.cached is None else price.cached
    fresh = usage.input - usage.cached
    return (fresh * price.input + usage.cached * cached + usage.output * price.output) / 1e6, True


def affordable(
    messages: Iterable[Mapping[str, str]], model: Model, dollars: float, usual: int = USUAL_OUTPUT
) -> int | None:
    """Return how many tokens a model may write for so much money, its prompt paid; None without a bill.

    usual: tokens that such a reply has. Raises UsageError where the price is not known or the money buys less
    than half of them.
    """
    if model.free:
        return None
    if not math.isfinite(dollars):
        raise UsageError("--max-cost is no amount of money", "USD, as in 0.25")
    asked = tokens_in(messages)
    price = _price(model, asked)
    if price is None:
        raise UsageError(
            f"the price of {model.id} is not known, so --max-cost cannot be kept",
            "set VOXGEN_PRICE to USD per million tokens in and out, as in 1.2,6, or leave --max-cost out",
        )
    left = int((dollars - asked * price.input / 1e6) * 1e6 / price.output)
    if 2 * left < usual:
        needed = (asked * price.input + usual * price.output) / 1e6
        raise UsageError(
            f"--max-cost: ${dollars:g} is too little for {model.id}, it takes ≈ ${needed:.3f}",
            "allow more, or name another model with --model",
        )
    return left


def tokens_in(messages: Iterable[Mapping[str, str]]) -> int:
    """Return about how many tokens messages have."""
    return sum(len(message["content"].encode("utf-8", "replace")) for message in messages) // 4


def estimated(messages: Iterable[Mapping[str, str]], text: str, reasoning: str) -> Usage:
    """Return about how many tokens were exchanged, for a server that does not count."""
    thought = len(reasoning) // 4
    written = int(len(text) / CHARACTERS_A_TOKEN) + thought
    return Usage(input=tokens_in(messages), output=written, reasoning=thought, estimated=True)


def _price(model: Model, asked: int) -> Price | None:
    return next((price for price in model.prices if asked <= price.upto), None)


def near(name: str, names: list[str], count: int = 3) -> list[str]:
    """Return the names most like one that is not there, best first; the part after the slash may do."""
    short = {known.lower().rsplit("/", 1)[-1]: known for known in reversed(names)}
    full = {known.lower(): known for known in names}
    wanted = name.lower()
    close = [full[match] for match in get_close_matches(wanted, full, count)]
    close += [short[match] for match in get_close_matches(wanted.rsplit("/", 1)[-1], short, count)]
    return list(dict.fromkeys(close))[:count]


def host(url: str) -> str:
    """Return host[:port] of a URL, nothing else of it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def is_loopback(url: str) -> bool:
    """Say whether a URL names this machine."""
    name = urlsplit(url).hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_known(name: str) -> bool:
    known = {model.provider for model in PRESETS} | {model.id for model in PRESETS} | {"local", *ALIASES}
    return name in known


def _named(name: str, environ: Mapping[str, str]) -> Model:
    """Return the model a person means by a name without a base URL."""
    providers = {model.provider: model for model in reversed(PRESETS)}  # the first of each is its default
    if name in ALIASES:
        meant = [providers[provider] for provider in ALIASES[name]]
        return next((model for model in meant if _key(model, environ)[0]), meant[0])
    if name in providers:
        return providers[name]
    for model in PRESETS:
        if name in (model.id, model.name):
            return model
    provider, _, rest = name.partition("/")
    if rest and provider in providers:
        return replace(providers[provider], name=rest, window=None, output=None, prices=())
    names = [model.id for model in PRESETS if model.name] + [*providers, *ALIASES, "local", "builtin"]
    close = near(name, names)
    known = f"did you mean {' or '.join(close)}?" if close else "voxgen models lists some."
    hint = f"{known} Any other is written provider/name, as in openrouter/qwen/qwen3-max"
    raise UsageError(f"no model is called {name[:80]!r}", hint)


def _key(model: Model, environ: Mapping[str, str], base_url: str | None = None) -> tuple[str | None, str]:
    """Return the key for a model and the variable it came from.

    VOXGEN_API_KEY counts first, but next to VOXGEN_BASE_URL it belongs to that address and goes nowhere else.
    """
    theirs = environ.get("VOXGEN_BASE_URL")
    for_url = _origin(base_url or model.base_url)
    own = "VOXGEN_API_KEY" if not theirs or _origin(theirs) == for_url else ""
    for variable in (own, *model.keys):
        if environ.get(variable):
            return environ[variable], variable
    return None, ""


def _with_key(model: Model, environ: Mapping[str, str], base_url: str | None = None) -> Choice:
    key, source = _key(model, environ, base_url)
    if model.needs_key and not key:
        hint = f"export {' or '.join(model.keys)}=…, or draw offline with --model builtin"
        raise ModelError(f"no key for {model.id}: {model.keys[0]} is not set", hint)
    said = f" with the key from {source}" if source else ""
    if not model.prices and not model.free and environ.get("VOXGEN_PRICE"):
        model = replace(model, prices=(_stated(environ["VOXGEN_PRICE"]),))
    return Choice(model, key, source, f"asking {model.name} at {host(model.base_url)}{said}")


def _stated(text: str) -> Price:
    """Read the price a person gives for a model that the table has none of: "1.2,6"."""
    try:
        given, written = (float(number) for number in text.split(","))
    except ValueError:
        given = written = -1.0
    if not (0 <= given <= 1e6 and 1e-6 <= written <= 1e6):
        hint = "USD per million tokens in and out, as in 1.2,6"
        raise UsageError(f"VOXGEN_PRICE: {text[:40]!r} is not a price", hint)
    return Price(given, written)


def _first_found(environ: Mapping[str, str]) -> Choice:
    """Choose when nobody named a model."""
    if "VOXGEN_API_KEY" in environ:
        hint = "set VOXGEN_MODEL, as in openai/gpt-6.1-sol, or VOXGEN_BASE_URL"
        raise UsageError("VOXGEN_API_KEY is set, but not for which model", hint)
    for model in HOSTED:
        if _key(model, environ)[0]:
            return _with_key(model, environ)
    for model in _local(environ):
        return _with_key(model, environ)
    why = "no model key and no local model server found: the built-in composer draws this one, offline"
    return Choice(BUILTIN, None, "", why)


def _first_listed(model: Model, environ: Mapping[str, str]) -> Model:
    """Fill in the name of a model that was not named with the first one its server lists."""
    if model.name:
        return model
    from voxgen.ask.client import list_models

    key, source = _key(model, environ)
    names = _chatty(list_models(model, key, key_source=source))
    if not names:
        raise ModelError(f"{host(model.base_url)} lists no model", "name one with --model")
    return replace(model, name=names[0])


def _local(environ: Mapping[str, str]) -> Iterator[Model]:
    """Yield the local servers that answer, each with the first model it lists."""
    for model in LOCAL:
        if not _listens(model.base_url):
            continue
        from voxgen.ask.client import list_models

        try:
            names = _chatty(list_models(model, _key(model, environ)[0], timeout=1.0))
        except ModelError:
            continue  # something else lives at this port
        if names:
            yield replace(model, name=names[0])


def _chatty(names: list[str]) -> list[str]:
    """Leave out models that do not write text."""
    return [name for name in names if not re.search(r"embed|rerank|whisper|tts|\bbge\b", name, re.IGNORECASE)]


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url.strip())
        name = "localhost" if is_loopback(url) else parts.hostname
        return parts.scheme, name, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None


def _masked(url: str) -> str:
    """Return a URL fit to be printed: no user, no password, no control characters."""
    return repr(re.sub(r"//[^/@]*@", "//***@", url.partition("?")[0][:80]))


def _tier(price: Price) -> dict[str, float | None]:
    upto = None if price.upto == float("inf") else price.upto
    return {"upto": upto, "input": price.input, "output": price.output, "cached": price.cached}
