from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sequential.bounded import bounded_mean

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def test_it_is_the_papers_sequence_step_by_step() -> None:
    scores = np.random.default_rng(1).beta(2, 5, 40).tolist()
    surprise, bets, centre, price = math.log(2 / 0.05), 0.0, 0.0, 0.0
    seen, spread, mean_before, spread_before = 0.0, 0.0, 0.5, 0.25
    low, high = 0.0, 1.0
    found = bounded_mean(scores)
    for t, score in enumerate(scores, start=1):
        bet = min(0.5, math.sqrt(2 * surprise / (spread_before * t * math.log(1 + t))))
        bets, centre = bets + bet, centre + bet * score
        price += 4 * (score - mean_before) ** 2 * (-math.log(1 - bet) - bet) / 4
        low = max(low, centre / bets - (surprise + price) / bets)
        high = min(high, centre / bets + (surprise + price) / bets)
        seen += score
        mean_before = (0.5 + seen) / (t + 1)
        spread += (score - mean_before) ** 2
        spread_before = (0.25 + spread) / (t + 1)
        assert (found.lows[t - 1], found.highs[t - 1]) == pytest.approx((low, high))


@pytest.mark.parametrize("rate", [0.02, 0.5])
def test_every_score_may_be_peeked_at_from_the_first(rate: float) -> None:
    random = np.random.default_rng(20261101)
    fooled = []
    for row in random.binomial(1, rate, (1500, 400)).astype(float):
        found = bounded_mean(row)
        fooled.append(found.low > rate or found.high < rate)
    assert np.mean(fooled) <= 0.05


@given(SCORES)
def test_swapping_good_and_bad_flips_the_interval(scores: list[float]) -> None:
    there, back = bounded_mean(scores), bounded_mean([1 - score for score in scores])
    assert (back.low, back.high) == pytest.approx((1 - there.high, 1 - there.low), abs=1e-9)


@given(SCORES, st.floats(-100, 100), st.floats(0.1, 100))
def test_other_bounds_are_another_unit(scores: list[float], low: float, width: float) -> None:
    there = bounded_mean(scores)
    moved = np.clip(low + width * np.array(scores), low, low + width)
    back = bounded_mean(moved, low=low, high=low + width)
    assert back.low == pytest.approx(low + width * there.low, rel=1e-6, abs=1e-6)
    assert back.estimate == pytest.approx(low + width * there.estimate, rel=1e-6, abs=1e-6)


def test_scores_that_vary_little_are_known_sooner() -> None:
    random = np.random.default_rng(2)
    quiet = bounded_mean(random.uniform(0.45, 0.55, 500))
    loud = bounded_mean(random.binomial(1, 0.5, 500).astype(float))
    assert quiet.high - quiet.low < (loud.high - loud.low) / 3


def test_impossible_scores_are_refused() -> None:
    for scores, says in (
        ([], "no scores"),
        ([0.5, 1.5], "score 1 is 1.5; it must lie between"),
        ([0.5, -0.5], "score 1 is -0.5"),
        ([math.nan], "'scores' row 0 is nan"),
    ):
        with pytest.raises(AnalysisError, match=says):
            bounded_mean(scores)
    with pytest.raises(AnalysisError, match="comes first"):
        bounded_mean([0.5], low=1, high=0)
