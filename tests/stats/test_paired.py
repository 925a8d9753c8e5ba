from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.clusters import clustered_difference
from promptstudio_lab.stats.paired import mean_difference, paired_t, ratio_difference
from promptstudio_lab.stats.sums import Sums

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.stats.tails import Alternative

METHODS = ("anytime", "fixed")
NUMBERS = st.integers(-1000, 1000).map(float)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=60)


def compare(pairs: list[tuple[float, float]], method: Method = "anytime") -> Effect:
    control, treatment = zip(*pairs, strict=True)
    return mean_difference(
        Sums.of({"c": control, "t": treatment}), "c", "t", method=method, alpha=0.1
    )


def spread(pairs: list[tuple[float, float]]) -> bool:
    return len({treatment - control for control, treatment in pairs}) > 1


@settings(max_examples=60)
@given(PAIRS)
def test_fixed_is_scipys_paired_t(pairs: list[tuple[float, float]]) -> None:
    assume(spread(pairs))
    effect = compare(pairs, "fixed")
    oracle = ttest_rel([t for _, t in pairs], [c for c, _ in pairs])
    ends = oracle.confidence_interval(0.9)
    assert effect.p_value == pytest.approx(oracle.pvalue, rel=1e-6)
    assert (effect.low, effect.high) == pytest.approx((ends.low, ends.high), rel=1e-6, abs=1e-6)


@settings(max_examples=60)
@given(PAIRS, st.sampled_from(METHODS))
def test_swapping_the_arms_flips_the_sign(pairs: list[tuple[float, float]], method: Method) -> None:
    there, back = compare(pairs, method), compare([(t, c) for c, t in pairs], method)
    assert back.estimate == -there.estimate
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), rel=1e-9, abs=1e-9)
    assert back.p_value == pytest.approx(there.p_value, rel=1e-9)


@settings(max_examples=60)
@given(PAIRS, st.integers(-(10**9), 10**9), st.sampled_from(METHODS))
def test_moving_both_arms_moves_nothing(
    pairs: list[tuple[float, float]], offset: int, method: Method
) -> None:
    here = compare(pairs, method)
    there = compare([(c + offset, t + offset) for c, t in pairs], method)
    for name in ("estimate", "low", "high", "p_value", "se"):
        assert getattr(there, name) == pytest.approx(getattr(here, name), rel=1e-6, abs=1e-6)


@settings(max_examples=60)
@given(PAIRS, st.sampled_from(METHODS))
def test_the_p_value_and_the_interval_say_the_same(
    pairs: list[tuple[float, float]], method: Method
) -> None:
    effect = compare(pairs, method)
    excludes = not effect.low <= 0 <= effect.high
    assume(abs(effect.p_value - 0.1) > 1e-9)
    assert excludes == (effect.p_value < 0.1)


def test_pairing_tells_what_arms_alone_cannot() -> None:
    random = np.random.default_rng(1)
    items = random.normal(0, 10, 300)
    lifted = items + 1 + random.normal(0, 1, 300)
    shuffled = random.permutation(lifted)
    paired = mean_difference(Sums.of({"c": items, "t": lifted}), "c", "t")
    broken = mean_difference(Sums.of({"c": items, "t": shuffled}), "c", "t")
    assert paired.low > 0 > broken.low
    assert broken.se / paired.se > 5


def test_the_relative_effect_is_right_about_its_spread() -> None:
    random = np.random.default_rng(2)
    control = random.gamma(4, 1, (2000, 200))
    treatment = control * 1.1 + random.normal(0, 0.5, control.shape)
    effects = [
        mean_difference(Sums.of({"c": c, "t": t}), "c", "t", method="fixed")
        for c, t in zip(control[:400], treatment[:400], strict=True)
    ]
    inside = [(e.relative_low or 0) <= 0.1 <= (e.relative_high or 0) for e in effects]
    assert 0.92 <= np.mean(inside) <= 0.98


def test_a_ratio_is_right_about_its_spread() -> None:
    random = np.random.default_rng(3)
    shape = (500, 150)
    hits = (random.random((2, *shape)) < [[[0.5]], [[0.6]]]).astype(float)
    costs = random.lognormal(0, 0.3, (2, *shape)) + hits
    truth = (np.exp(0.045) + 0.6) / 0.6 - (np.exp(0.045) + 0.5) / 0.5
    inside = []
    for row in range(len(costs[0])):
        columns = {"cc": costs[0, row], "ch": hits[0, row], "tc": costs[1, row], "th": hits[1, row]}
        sums = Sums.of(columns)
        effect = ratio_difference(sums, ("cc", "ch"), ("tc", "th"), method="fixed")
        assert effect.control == pytest.approx(costs[0, row].sum() / hits[0, row].sum())
        inside.append(effect.low <= truth <= effect.high)
    assert 0.92 <= np.mean(inside) <= 0.98


def test_a_ratio_by_ones_is_a_mean() -> None:
    columns = {"c": [1.0, 3.0, 5.0], "t": [2.0, 3.0, 9.0], "one": [1.0, 1.0, 1.0]}
    sums = Sums.of(columns)
    mean = mean_difference(sums, "c", "t")
    ratio = ratio_difference(sums, ("c", "one"), ("t", "one"))
    for name in ("estimate", "low", "high", "relative", "relative_low", "se", "p_value"):
        assert getattr(ratio, name) == pytest.approx(getattr(mean, name)), name


@pytest.mark.parametrize("method", METHODS)
def test_no_difference_on_any_item_is_said_and_not_tested(method: Method) -> None:
    effect = compare([(0.1, 0.1), (0.3, 0.3), (0.7, 0.7)] * 20, method)
    assert effect.identical
    assert (effect.estimate, effect.low, effect.high, effect.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert (effect.relative, effect.relative_low, effect.relative_high) == (0.0, 0.0, 0.0)
    assert "same result on all 60 items" in effect.reason


@pytest.mark.parametrize("method", METHODS)
def test_shares_that_no_item_told_apart_may_differ_by_what_so_few_items_hide(
    method: Method,
) -> None:
    sums = Sums.of({"c": [1.0, 0.0] * 15, "t": [1.0, 0.0] * 15})
    effect = mean_difference(sums, "c", "t", method=method, share=True)
    assert effect.identical
    most = 1 - 0.05 ** (1 / 30)
    assert (effect.low, effect.high) == pytest.approx((-most, most))
    assert (effect.relative_low, effect.relative_high) == pytest.approx((-2 * most, 2 * most))
    assert effect.reason.endswith("up to 9.5 % of all items may differ all the same")
    nothing = Sums.of({"c": [0.0] * 30, "t": [0.0] * 30})
    none = mean_difference(nothing, "c", "t", method=method, share=True)
    assert none.high == pytest.approx(most)
    assert none.relative_high is None
    told = Sums.of({"c": [1.0, 0.0, 1.0], "t": [1.0, 1.0, 0.0]})
    assert mean_difference(told, "c", "t", share=True) == mean_difference(told, "c", "t")


def test_rounding_is_no_difference() -> None:
    control = [0.1 + 0.2, 1e9 + 0.1] * 20
    treatment = [0.3, 1e9 + 0.1] * 20
    effect = mean_difference(Sums.of({"c": control, "t": treatment}), "c", "t")
    assert effect.identical


def test_the_grain_of_large_numbers_is_no_difference() -> None:
    base = 1e9 + np.arange(40) * 1e-6
    sums = Sums.of({"c": (base * 1.1 * 1.3).tolist(), "t": (base * 1.43).tolist()})
    assert mean_difference(sums, "c", "t").identical


@pytest.mark.parametrize(
    ("method", "n", "p_value"), [("anytime", 10, 11 / 1024), ("fixed", 10, 1 / 512)]
)
def test_the_same_difference_on_every_item_gets_a_sign_test(
    method: Method, n: int, p_value: float
) -> None:
    effect = compare([(float(i), i + 2.0) for i in range(n)], method)
    assert effect.estimate == 2.0
    assert effect.p_value == pytest.approx(p_value)
    assert 0 < effect.low < 2 < effect.high
    assert "sign test" in effect.reason
    assert effect.relative_low is not None
    assert effect.relative_low < effect.relative_high  # type: ignore[operator] # both are there


def test_three_equal_differences_are_not_enough() -> None:
    assert compare([(0.0, 1.0)] * 3).low < 0


def test_a_thousand_equal_differences_are_plenty() -> None:
    effect = compare([(0.0, 1.0)] * 2000, "fixed")
    assert 0 < effect.se < 0.1


def test_the_same_relative_effect_on_every_item_keeps_an_interval() -> None:
    effect = compare([(float(i), 2.0 * i) for i in range(1, 41)])
    assert effect.relative == pytest.approx(1.0)
    assert effect.relative_low is not None
    assert 0 < effect.relative_low < 0.9
    assert "same relative effect" in effect.reason


def test_nothing_relative_to_a_control_of_zero() -> None:
    effect = compare([(0.0, 1.0), (0.0, 0.0), (0.0, 1.0)] * 20)
    assert effect.relative is effect.relative_low is effect.relative_high is None
    assert effect.low > 0
    assert "no relative effect" in effect.reason


def test_a_rise_from_a_negative_control_is_a_rise() -> None:
    effect = compare([(-4.0, -2.0), (-2.0, -1.0), (-3.0, -2.0)] * 20)
    assert effect.estimate > 0
    assert effect.relative is not None
    assert effect.relative > 0


def test_no_change_on_average_still_has_a_relative_interval() -> None:
    effect = compare([(1.0, 2.0), (2.0, 1.0)] * 20)
    assert effect.relative == 0
    assert effect.relative_high is not None
    assert effect.relative_high > 0


@pytest.mark.parametrize(("arm", "other"), [("control", "treatment"), ("treatment", "control")])
def test_a_ratio_by_zero_is_unknown_and_says_why(arm: str, other: str) -> None:
    sums = Sums.of({"cost": [1.0, 2.0], "hits": [0.0, 0.0], "some": [1.0, 1.0]})
    under = {arm: ("cost", "hits"), other: ("cost", "some")}
    effect = ratio_difference(sums, under["control"], under["treatment"])
    numbers = (effect.estimate, effect.low, effect.high, effect.p_value, effect.se)
    assert all(map(math.isnan, (getattr(effect, arm), *numbers)))
    assert getattr(effect, other) == 1.5
    assert effect.relative is None
    assert f"the {arm} would divide by 0" in effect.reason


def test_few_items_are_called_few() -> None:
    assert "fewer than 30" in compare([(0.0, 1.0), (1.0, 1.0)]).reason
    assert "fewer than 30" not in compare([(0.0, 1.0), (1.0, 1.0)] * 15).reason


def test_one_item_is_refused() -> None:
    with pytest.raises(AnalysisError, match="at least 2"):
        compare([(0.0, 1.0)])


@settings(max_examples=60)
@given(PAIRS, st.sampled_from(["two-sided", "greater", "less"]))
def test_the_t_test_of_differences_is_scipys(
    pairs: list[tuple[float, float]], alternative: Alternative
) -> None:
    assume(spread(pairs))
    old, new = zip(*pairs, strict=True)
    oracle = ttest_rel(new, old, alternative=alternative)
    found = paired_t([b - a for a, b in pairs], alternative=alternative)
    assert (found.statistic, found.p_value) == pytest.approx((oracle.statistic, oracle.pvalue))


def test_the_t_test_of_equal_differences_is_refused() -> None:
    with pytest.raises(AnalysisError, match="all 3 differences are 2"):
        paired_t([2.0, 2.0, 2.0])


def test_pairing_saves_the_share_of_variance_that_items_explain() -> None:
    random = np.random.default_rng(5)
    hard = random.beta(2, 2, 400_000)
    control, treatment = (random.random((2, hard.size)) < hard).astype(float)
    paired = np.var(treatment - control)
    assert paired / (np.var(control) + np.var(treatment)) == pytest.approx(0.80, abs=0.01)


def test_sums_of_clusters_are_read_as_the_clustered_difference() -> None:
    random = np.random.default_rng(3)
    clusters = np.repeat(np.arange(25), 8)
    shared = random.normal(size=25)[clusters]
    old, new = shared + random.normal(size=200), shared * 1.4 + 0.3 + random.normal(size=200)
    totals = {
        name: np.bincount(clusters, weights=values).astype(np.float64)
        for name, values in (("a", old), ("b", new), ("weight", np.ones(200)))
    }
    found = mean_difference(Sums.of(totals), "a", "b", method="fixed")
    exact = clustered_difference(old, new, clusters)
    assert found.estimate == pytest.approx(exact.mean, rel=1e-9)
    assert found.se == pytest.approx(exact.se, rel=1e-9)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert "200 items in 25 clusters" in found.reason
