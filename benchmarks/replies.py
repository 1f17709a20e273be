"""How well and how fast broken replies are read, beside json_repair: `python benchmarks/replies.py [--json]`.

Four questions: how many hand-made broken replies come out right; how much of real replies survives 1, 2 or 4
random damages; what a 5 MB reply cut off near its end costs compared with json.loads of the whole; and
the worst time over inputs of 32 kB made to be slow. json_repair is needed for the comparison only.

Honesty about the damages: the first kind, `damage`, is what models are known to do wrong, and the reader was
written with that list at hand. The second, `blind`, knows nothing of JSON: characters anywhere are deleted,
doubled, swapped or replaced. Neither reader was tuned to it, and what it does inside a text or a number
nobody can undo, which caps both alike.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from voxgen.errors import ReplyError
from voxgen.language.reply import parse

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT.parent / "shared" / "broken" / "cases.json"
REPLIES = [
    *sorted(ROOT.glob("gallery/*/reply.txt")),
    *sorted((ROOT.parent / "shared" / "replies").glob("*.txt")),
]
Reader = Callable[[str], Any]


def voxgen_reader(text: str) -> Any:
    try:
        return parse(text)[0]
    except ReplyError:
        return None


def json_repair_reader(text: str) -> Any:
    from json_repair import loads

    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None


def stripped_json_repair_reader(text: str) -> Any:
    """json_repair, given only what follows the reasoning and stands in the first fence."""
    text = re.sub(r"(?s)^.*</think>", "", text)
    fence = re.search(r"(?s)```\w*\n(.*?)(?:```|$)", text)
    return json_repair_reader(fence[1] if fence else text)


# ---------------------------------------------------------------------------- hand-made cases

MEANT: dict[str, Any] = {
    "__inf__": {"x": math.inf},
    "__nan__": {"palette": {"g": [0.1, math.nan, math.inf]}},
    "__dup__": {"size": [4, 4, 4], "voxels": [[0, 0, 0, "g"], [1, 0, 0, "g"]]},
}


def same(a: Any, b: Any) -> bool:
    """Equality in which NaN equals NaN, 1 equals 1.0 and True is not 1."""
    return json.dumps(plain(a), sort_keys=True) == json.dumps(plain(b), sort_keys=True)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def right_answers(reader: Reader) -> tuple[int, list[str]]:
    """Count the cases read right; name the wrong ones."""
    wrong = []
    cases = json.loads(CASES.read_text())
    for case in cases:
        value = reader(case["text"])
        accepted = [MEANT.get(ok, ok) if isinstance(ok, str) else ok for ok in case["ok"]]
        refused = "__reject__" in case["ok"] and not isinstance(value, dict | list)
        if not refused and not any(same(value, ok) for ok in accepted):
            wrong.append(case["id"])
    return len(cases) - len(wrong), wrong


# ------------------------------------------------------------------------------------- damage


def delete_mark(text: str, rng: random.Random) -> str:
    return _at_mark(text, rng, '{}[]",:', lambda mark: "")


def double_mark(text: str, rng: random.Random) -> str:
    return _at_mark(text, rng, '{}[]",:', lambda mark: mark * 2)


def swap_bracket(text: str, rng: random.Random) -> str:
    other = {"]": "}", "}": "]", "[": "{", "{": "["}
    return _at_mark(text, rng, "{}[]", lambda mark: other[mark])


def _at_mark(text: str, rng: random.Random, marks: str, change: Callable[[str], str]) -> str:
    places = [i for i, sign in enumerate(text) if sign in marks]
    i = rng.choice(places)
    return text[:i] + change(text[i]) + text[i + 1 :]


def delete_any(text: str, rng: random.Random) -> str:
    i = rng.randrange(len(text))
    return text[:i] + text[i + 1 :]


def trailing_comma(text: str, rng: random.Random) -> str:
    return _at_mark(text, rng, "]}", lambda mark: "," + mark)


def single_quotes(text: str, rng: random.Random) -> str:
    return _at_match(text, rng, r'"(\w+)"', r"'\1'")


def no_quotes(text: str, rng: random.Random) -> str:
    return _at_match(text, rng, r'"(\w+)"', r"\1")


def smart_quotes(text: str, rng: random.Random) -> str:
    return _at_match(text, rng, r'"(\w+)"', r"“\1”")


def arithmetic(text: str, rng: random.Random) -> str:
    return _at_match(text, rng, r"(?<=[\[ ])(\d+)(?=[,\]])", r"\1+0")


def tuple_for_list(text: str, rng: random.Random) -> str:
    return _at_match(text, rng, r"\[(-?\d+, ?-?\d+, ?-?\d+)\]", r"(\1)")


def comment(text: str, rng: random.Random) -> str:
    return _at_match(
        text, rng, r",\n", rng.choice([", // the next one\n", ",\n# next\n", ",\n/* and now */\n"])
    )


def ellipsis(text: str, rng: random.Random) -> str:
    return _at_match(text, rng, r"\},\n", rng.choice(["},\n...\n", "},\n// ... and so on\n"]))


def double_line(text: str, rng: random.Random) -> str:
    return _at_match(text, rng, r'\n("light": "\w+",\n)', r"\n\1\1")


def python_literals(text: str, rng: random.Random) -> str:
    return _at_match(text, rng, r"\btrue\b", "True")


def _at_match(text: str, rng: random.Random, pattern: str, template: str) -> str:
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    one = rng.choice(found)
    return text[: one.start()] + one.expand(template) + text[one.end() :]


def wrap(text: str, rng: random.Random) -> str:
    fence, plan = "Here it is:\n```json\n", '<think>A plan {"a": 1}.</think>\n'
    around = [(fence, "\n```\nEnjoy!"), (fence, ""), (plan, ""), ("Sure!\n\n", "\n\nEnjoy!")]
    before, after = rng.choice(around)
    return before + text + after


def cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text) // 3, len(text))]


DAMAGES = [
    delete_mark, delete_mark, delete_mark, double_mark, swap_bracket, delete_any, trailing_comma,
    single_quotes, no_quotes, smart_quotes, arithmetic, tuple_for_list, comment, ellipsis, double_line,
    python_literals, wrap, cut,
]  # fmt: skip


def blind(text: str, rng: random.Random) -> str:
    """Delete, double, swap or replace one character anywhere, or one to five in a row."""
    i = rng.randrange(len(text) - 6)
    kind = rng.randrange(5)
    if kind == 0:
        return text[:i] + text[i + 1 :]
    if kind == 1:
        return text[:i] + text[i] + text[i:]
    if kind == 2:
        return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    if kind == 3:
        return text[:i] + rng.choice(text) + text[i + 1 :]
    return text[:i] + text[i + rng.randrange(2, 6) :]


def pieces(document: Any) -> Counter[str]:
    """List what of a scene can be lost, colours, parts, steps and the rest, each as text."""
    found: Counter[str] = Counter()
    if not isinstance(document, dict):
        return found
    for key, value in document.items():
        if isinstance(value, list) and key == "build":
            found.update(f"build {json.dumps(step)}" for step in value)
        elif isinstance(value, dict):
            for name, item in value.items():
                steps = item.get("build") if isinstance(item, dict) else None
                if isinstance(steps, list):
                    found.update(f"{key} {name} {json.dumps(step)}" for step in steps)
                else:
                    found[f"{key} {name} {json.dumps(item)}"] += 1
        else:
            found[f"{key} {json.dumps(value)}"] += 1
    return found


def survival(
    readers: dict[str, Reader], kinds: list[Any], damages: int, count: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Share of exact scenes and of pieces found again, over `count` replies damaged `damages` times."""
    rng = random.Random(f"{seed} {damages}")
    texts = [path.read_text() for path in REPLIES]
    documents = [json.loads(text) for text in texts]
    whole = [pieces(document) for document in documents]
    exact, recall = Counter[str](), Counter[str]()
    for _ in range(count):
        k = rng.randrange(len(texts))
        text = texts[k]
        for damage in rng.sample(kinds, damages):
            text = damage(text, rng)
        for name, reader in readers.items():
            value = reader(text)
            exact[name] += value == documents[k]
            recall[name] += (pieces(value) & whole[k]).total() / whole[k].total()  # type: ignore[assignment]
    return {name: (exact[name] / count, recall[name] / count) for name in readers}


# -------------------------------------------------------------------------------------- speed


def seconds(call: Callable[[], Any]) -> float:
    """Time a call: the fastest of three runs, in seconds of this process."""
    times = []
    for _ in range(3):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def large_reply() -> str:
    """5 MB in the scene language: many steps and many single voxels."""
    rng = random.Random(1)
    steps: list[dict[str, Any]] = [
        {
            "box": [[rng.randrange(200) for _ in range(3)] for _ in range(2)],
            "of": rng.choice(["stone", "moss"]),
        }
        for _ in range(50_000)
    ]
    steps.append({"voxels": [[rng.randrange(200) for _ in range(3)] for _ in range(130_000)], "of": "moss"})
    scene = {
        "title": "large",
        "size": [200, 200, 200],
        "palette": {"stone": "#888", "moss": "#494"},
        "build": steps,
    }
    return json.dumps(scene)


def cut_ratio() -> float:
    """Time for a large reply cut near its end, as a multiple of json.loads of the whole."""
    text = large_reply()
    return seconds(lambda: parse(text[:-25])) / seconds(lambda: json.loads(text))


UNITS = (  # what the inputs made to be slow repeat
    r"""[ { ( ] } {"a": {"a":[ [" " ' \" \ {"a [[1, {'a "a" {y} {[( <think> </think> ```json"""
    r""" /* // <!-- # ... … 1+ (1+ 9** 1e - , : ; = a( range( [1 ["a"+ "a"*9, ` “ „ {"a":1,"a":2} [{"a":1}"""
    r""" {"build":[{"box":[[0,0,0],[1,1,1 x:[ "size":[ {'it's':'that's'}, \ud800 for\ x\ in\ range(9) <a"""
    r''' f(){return[ {"a":"b","c', minecraft: 0x 1 9 a a.b( .repeat(9) * &quot; {{ '"' ""a""'''
)


KILO = 32_000


def nasty(more: int = 300) -> Iterator[tuple[str, str]]:
    """Make inputs of 32 kB that are meant to be slow: units repeated, after three beginnings, and mixed.

    more: how many random mixes of two to four units are tried as well.
    """
    lines = ["data: {}\n", "```\n", "},\n{", "«a,\n", "- a: b\n", "  a:\n", "x,y,z\n1,2,3\n", "[[build]]\n"]
    units = [*UNITS.split(" "), *lines, " ", "\n", "\u2028", "it's ", "[x, z] ", "{a:b ", "\\[", "&quot;"]
    for unit in units:
        for before in ("", "[", '{"size":[1,1,1],"build":[', "build:\n"):
            yield before + unit, before + unit * (KILO // len(unit))
    rng = random.Random(2)
    for marks in ('[]{},:"1a ', "[]{}", "'\" a,", '{}":,[]\n/*#.'):
        yield f"random {marks}", "".join(rng.choice(marks) for _ in range(KILO))
    for _ in range(more):
        mix = "".join(rng.choices(units, k=rng.randrange(2, 5)))
        yield mix, mix * (KILO // len(mix))


def slowest() -> tuple[float, str, int]:
    """Find the worst time over the nasty inputs, which it is, and how many were tried."""
    worst, which, tried = 0.0, "", 0
    for name, text in nasty():
        start = time.process_time()
        voxgen_reader(text)
        tried += 1
        if (took := time.process_time() - start) > worst:
            worst, which = took, name
    return worst, which, tried


# -------------------------------------------------------------------------------------- table


def measure(count: int, seed: int) -> dict[str, Any]:
    readers: dict[str, Reader] = {"voxgen": voxgen_reader}
    try:
        import json_repair  # noqa: F401

        readers |= {"json_repair": json_repair_reader, "strip + json_repair": stripped_json_repair_reader}
    except ImportError:
        print("json_repair is not installed: voxgen alone", file=sys.stderr)
    report: dict[str, Any] = {}
    if CASES.exists():
        report["cases"] = {name: right_answers(reader) for name, reader in readers.items()}
    if REPLIES:
        for name, kinds in (("damage", DAMAGES), ("blind", [blind] * 4)):
            report[name] = {str(n): survival(readers, kinds, n, count, seed) for n in (1, 2, 4)}
    report["cut 5 MB / json.loads"] = cut_ratio()
    report["slowest 32 kB"] = slowest()
    return report


def show(report: dict[str, Any]) -> None:
    for name, (right, wrong) in report.get("cases", {}).items():
        print(
            f"cases    {name:20} {right} right" + (f"; wrong: {', '.join(wrong)}" if len(wrong) < 9 else "")
        )
    for kind in ("damage", "blind"):
        for damages, rows in report.get(kind, {}).items():
            for name, (exact, recall) in rows.items():
                print(f"{kind:6} {damages} {name:20} exact {exact:.3f}  recall {recall:.3f}")
    ratio = report["cut 5 MB / json.loads"]
    print(f"a 5 MB reply cut near its end: {ratio:.1f} times json.loads (demanded: 15)")
    worst, name, tried = report["slowest 32 kB"]
    print(f"slowest of {tried} nasty inputs of 32 kB: {worst:.2f} s, {name[:60]!r} (demanded: 0.5 s)")


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--json", action="store_true", help="print the numbers as JSON")
    options.add_argument("--count", type=int, default=150, help="damaged replies a level")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    report = measure(chosen.count, chosen.seed)
    if chosen.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


if __name__ == "__main__":
    main()
