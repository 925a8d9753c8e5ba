from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.paired import mean_difference, ratio_difference
from promptstudio_lab.stats.planning.items import items_needed, items_to_see, least_seen
from promptstudio_lab.stats.proportions import hidden
from promptstudio_lab.stats.sums import Sums

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method


def observed(method: Method = "anytime") -> Effect:
    sums = Sums.of({"c": [0, 1, 0, 1, 1, 0, 0] * 9, "t": [1, 1, 0, 1, 0, 1, 0] * 9})
    return mean_difference(sums, "c", "t", method=method)


@pytest.mark.parametrize("method", ["anytime", "fixed"])
def test_that_many_items_tell_and_one_fewer_does_not(method: Method) -> None:
    effect = observed(method)
    needed = items_needed(effect)
    assert needed is not None
    look = rule(method, effect.alpha)

    def z(n: int) -> float:
        return effect.estimate / effect.se * math.sqrt(n / effect.n)

    assert z(needed) > look.half_width(needed)
    assert z(needed - 1) <= look.half_width(needed - 1)


def test_no_difference_needs_no_number() -> None:
    assert items_needed(replace(observed(), estimate=0.0)) is None


def test_an_unknown_difference_needs_no_number() -> None:
    sums = Sums.of({"a": [1, 2], "b": [0, 0]})
    assert items_needed(ratio_difference(sums, ("a", "b"), ("a", "b"))) is None


def test_a_difference_too_small_for_any_data_set_needs_no_number() -> None:
    assert items_needed(replace(observed(), estimate=1e-9)) is None


def test_the_planned_items_see_the_difference_as_often_as_promised() -> None:
    n = items_to_see(0.4, 1.0, method="fixed")
    random = np.random.default_rng(20261126)
    seen = 0
    for _ in range(4_000):
        sums = Sums.of({"a": np.zeros(n), "b": random.normal(0.4, 1.0, n)})
        seen += mean_difference(sums, "a", "b", method="fixed").low > 0
    assert seen / 4_000 == pytest.approx(0.80, abs=0.02)


@pytest.mark.parametrize("method", ["fixed", "anytime"])
@pytest.mark.parametrize(("mde", "sd"), [(0.02, 0.5), (0.3, 1.0), (5.0, 40.0)])
def test_what_is_seen_and_how_many_items_see_it_are_inverse(
    method: Method, mde: float, sd: float
) -> None:
    n = items_to_see(mde, sd, method=method)
    assert least_seen(n, sd, method=method) <= mde < least_seen(n - 1, sd, method=method)
    assert items_to_see(-mde, sd, method=method) == n, "a fall is seen as well as a rise"


def test_what_no_number_of_items_shows_is_refused() -> None:
    with pytest.raises(AnalysisError, match="no number of items"):
        items_to_see(1e-12, 1.0)
    with pytest.raises(AnalysisError, match="at least 2"):
        least_seen(1, 1.0)


def test_a_margin_takes_the_items_that_exclude_it() -> None:
    effect = observed("fixed")
    needed = items_needed(effect, bound=-0.1)
    assert needed is not None
    look = rule("fixed", effect.alpha)

    def low(n: int) -> float:
        return effect.estimate - look.half_width(n) * effect.se * math.sqrt(effect.n / n)

    assert low(needed) > -0.1 >= low(needed - 1)
    assert items_needed(effect, bound=effect.estimate) is None


def test_units_that_are_all_alike_take_as_many_as_hide_less_than_the_margin() -> None:
    alike = replace(observed("fixed"), estimate=0.0, se=0.0, low=0.0, high=0.0)
    assert items_needed(alike, bound=-0.1) == alike.n
    sums = Sums.of({"a": [1.0] * 10, "b": [1.0] * 10})
    needed = items_needed(mean_difference(sums, "a", "b", share=True), bound=-0.02)
    assert needed is not None
    assert hidden(needed) < 0.02 <= hidden(needed - 1)
    assert items_needed(mean_difference(sums, "a", "b", share=True), bound=-0.5) == 10
