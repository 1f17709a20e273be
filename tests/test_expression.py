"""The formulas of the scene language: what they mean, and what they must refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgen.language import chance, expression
from voxgen.language.expression import (
    ExpressionError,
    evaluate,
    names_used,
    parse,
    parse_function,
    resolve,
    work,
)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("2 ^ 3 ^ 2", 512),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("-1 % 3", 2),
        ("1 < 2 < 3", 1),
        ("1 < 2 > 3", 0),
        ("not 1 < 2 or 3 == 3", 1),
        ("!0 && 1 || 0", 1),
        ("5 if 0 else 6 if 0 else 7", 7),
        ("1 > 2 ? 5 : 6", 6),
        ("2pi", 2 * math.pi),
        ("2(1 + 2)**2", 18),
        ("3(1 + 1)", 6),
        ("PI", math.pi),
        ("hypot(3, 4)", 5),
        ("hypot(2, 3, 6)", 7),
        ("min(3, 1, 2) + max(3, 1, 2)", 4),
        ("clamp(5, 0, 3) + clamp(-5, 0, 3) + clamp(2)", 4),
        ("round(2.5) + round(-2.5)", 1),
        ("round(1.26, 1)", 1.3),
        ("sign(-3) + ceil(1.2) + abs(-1)", 2),
        ("atan2(1, 0)", math.pi / 2),
        ("log(8, 2)", 3),
        ("Math.sin(0) + np.cos(0)", 1),
        ("(3 > 2) + (2 > 1)", 2),
        ("2 ≤ 3 and 2 ≠ 3", 1),
        ("sqrt(-1)", 0),
        ("mod(7, 4) + pow(2, 3)", 11),
    ],
)
def test_an_expression_means_what_mathematics_says(source: str, value: float) -> None:
    assert float(evaluate(source, {})) == pytest.approx(value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("0.1 + 0.2 == 0.3", True),  # binary rounding decides nothing
        ("floor(2.9999999999)", 3),
        ("ceil(3.0000000001)", 3),
        ("6.0000000000001 // 2", 3),
        ("5.9999999999999 % 2 < 0.001", True),
        ("12 * cos(pi / 3) >= 6", True),
        ("sign(sin(pi))", 0),
        ("1 if sin(pi) else 2", 2),
    ],
)
def test_decisions_are_made_on_nine_decimals(source: str, value: float) -> None:
    assert float(evaluate(source, {})) == value


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("", "ends too early"),
        ("1 +", "ends too early at column 4"),
        ("sin(", "ends too early"),
        ("(1", "')' is missing"),
        ("1 2", "unexpected '2' at column 3"),
        ("x.y", "unexpected '.'"),
        ("__import__('os')", 'unexpected "\'"'),
        ("[1]", "unexpected '['"),
        ("lambda: 1", "unexpected ':'"),
        ("x := 1", "unexpected ':'"),
        ("sin(1, 2)", "sin() does not take 2 arguments"),
        ("foo(1)", 'unknown function "foo"'),
        ("hypott(1)", 'is it "hypot"?'),
        ("widht", 'unknown name "widht" (is it "width"?)'),
        ("(" * 60 + "1" + ")" * 60, "nested deeper than 40"),
        ("-" * 60 + "1", "nested deeper than 40"),
        ("not " * 60 + "1", "nested deeper than 40"),
        ("2**" * 60 + "1", "nested deeper than 40"),
        ("1+" * 1500 + "1", "the limit is 2000"),
    ],
)
def test_what_the_grammar_does_not_know_is_refused_in_one_line(source: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match=r".") as caught:
        evaluate(source, {"width": 1.0})
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_long_sums_are_not_deep() -> None:
    assert float(evaluate("+".join(["1"] * 900), {})) == 900
    assert float(evaluate(" or ".join(["0"] * 300), {})) == 0


def test_powers_of_powers_cost_nothing() -> None:
    assert float(evaluate("9**9**9", {})) == math.inf


def test_open_grids_stay_open_until_needed() -> None:
    x, y, z = np.ix_(*(np.arange(n, dtype=float) for n in (3, 4, 5)))
    assert evaluate("hypot(x, 1)", {"x": x, "y": y, "z": z}).shape == (3, 1, 1)
    assert evaluate("x + y < z", {"x": x, "y": y, "z": z}).shape == (3, 4, 5)


def test_nan_is_never_true() -> None:
    assert not evaluate("log(-1) or 0/0 or 0/0 > 1", {})


def test_one_branch_of_a_plain_choice_is_not_evaluated() -> None:
    assert float(evaluate("1 if i < 4 else missing", {"i": 2.0})) == 1


def functions_of(**bodies: str) -> dict[str, expression.Function]:
    return dict(parse_function(f"{name}(x)", body) for name, body in bodies.items())


def test_functions_see_their_arguments_and_constants() -> None:
    named = dict([parse_function("d(a, b)", "hypot(a - cx, b)"), parse_function("near(a)", "d(a, 0) < r")])
    functions, wrong = resolve(named)
    assert wrong == {}
    assert bool(evaluate("near(5)", {"cx": 3.0, "r": 2.5}, functions))
    assert names_used(parse("near(5)"), functions) == {"cx", "r"}
    with pytest.raises(ExpressionError, match=r"d\(\) takes 2 arguments, not 1"):
        evaluate("d(1)", {"cx": 0.0}, functions)


def test_functions_that_call_themselves_are_left_out_with_those_that_call_them() -> None:
    usable, wrong = resolve(functions_of(a="b(x)", b="a(x)", c="x", d="a(x)"))
    assert set(usable) == {"c"}
    assert "calls itself" in wrong.values()
    assert wrong["d"] == "calls a(), which cannot be used"


def test_a_constant_may_have_the_name_of_a_function() -> None:
    functions, _ = resolve(functions_of(r="r + x"))
    assert float(evaluate("r(2)", {"r": 5.0}, functions)) == 7


def test_functions_that_double_at_each_step_are_found() -> None:
    doubling = {f"f{k}": f"f{k - 1}(x) + f{k - 1}(x)" for k in range(1, 30)}
    usable, wrong = resolve(functions_of(f0="x + 1", **doubling))
    assert "f5" in usable
    assert usable["f5"].work == 32 * 3 + 31 * 5
    assert "f29" in wrong
    assert any("grows beyond" in reason for reason in wrong.values())
    with pytest.raises(ExpressionError, match="grows beyond"):
        evaluate("+".join(["f10(1)"] * 30), {}, usable)


def test_work_counts_every_call_written_out() -> None:
    functions, _ = resolve(functions_of(f="x + x + x + x"))
    assert work(parse("f(1) + f(2)"), functions) == parse("f(1) + f(2)").work + 2 * 5


@pytest.mark.parametrize(
    "source", ["smoothstep(1, 1, 2)", "log(8, 1)", "sqrt(0 - 1) / 0", "noise(1, 2, 3, 1/0)"]
)
def test_arithmetic_that_goes_wrong_is_a_number_or_an_expression_error(source: str) -> None:
    try:
        evaluate(source, {})
    except ExpressionError as error:
        text = str(error)
        assert "cannot be worked out" in text


def test_the_seed_of_noise_is_one_number() -> None:
    with pytest.raises(ExpressionError, match="fourth argument"):
        evaluate("noise(x, 0, 0, x)", {"x": np.arange(4.0)})


@pytest.mark.parametrize("signature", ["f", "f(", "f)a(", "f(a)b", "", "1(a)"])
def test_a_function_without_a_signature_is_refused(signature: str) -> None:
    with pytest.raises(ExpressionError, match="signature"):
        parse_function(signature, "1")


_TOKENS = ["x", "y", "1", "2.5", "+", "-", "*", "/", "**", "%", "//", "(", ")", "<", "==", "and", "or", "not",
           "if", "else", "sin(", "noise(", ",", "?", ":", "max(", "e", "pi"]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(_TOKENS), max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_text_is_a_value_or_an_expression_error(source: str) -> None:
    x = np.linspace(-3, 3, 7)
    try:
        value = evaluate(source, {"x": x, "y": 2.0})
    except ExpressionError:
        return
    assert np.broadcast_shapes(np.shape(value), x.shape) == x.shape


@settings(deadline=None, max_examples=50)
@given(st.integers(-5, 5), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 3), st.integers(0, 9))
def test_noise_is_the_same_for_open_grids_points_and_far_places(
    shift: int, bend: float, offset: float, scale: float, seed: int
) -> None:
    x, y, z = np.ix_(*(np.arange(n, dtype=float) + shift for n in (9, 8, 7)))
    separate = chance.noise(x / scale + offset, y / scale, z / scale, seed)
    whole = chance.noise(*np.broadcast_arrays(x / scale + offset, y / scale, z / scale), seed=seed)
    assert np.array_equal(separate, whole)
    bent = chance.noise(x / scale + bend * y, y / scale, z, seed)
    points = [np.broadcast_to(p, (9, 8, 7)).reshape(-1)[::5] for p in (x / scale + bend * y, y / scale, z)]
    assert np.array_equal(bent.reshape(-1)[::5], chance.noise(*points, seed=seed))
    assert ((separate >= 0) & (separate <= 1)).all()


def test_noise_is_smooth_and_uses_its_range() -> None:
    x = np.arange(0, 200, 0.01)
    values = chance.noise(x, 0.3, 0.7)
    assert np.abs(np.diff(values)).max() < 0.02
    assert values.min() < 0.15
    assert values.max() > 0.85


def test_white_noise_is_even() -> None:
    values = chance.uniform(5, *np.ix_(range(40), range(40), range(40)))
    assert abs(values.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]) < 0.01
    counts = np.histogram(values, 10, (0, 1))[0]
    assert counts.min() > 0.9 * counts.mean()


def test_hashes_never_change() -> None:
    """Stored documents depend on these numbers."""
    assert chance.hash_cells(7, [0, 1, -1], [0, 2, 300], [0, 3, 5]).tolist() == EXPECTED_HASHES
    assert [round(float(chance.noise(v, 0.25, 9.5)), 12) for v in (0.5, -3.75, 1e6)] == EXPECTED_NOISE


EXPECTED_HASHES = [4051666722, 1455900489, 1701351683]
EXPECTED_NOISE = [0.460705411055, 0.448810040528, 0.654466654119]


def test_the_tables_of_functions_do_not_overlap() -> None:
    assert not set(expression.FUNCTIONS) & set(expression.UNDERSTOOD)
