from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.judges.corrected import prediction_powered, rogan_gladen


def test_the_corrected_rate_covers_and_the_raw_rate_is_wrong() -> None:
    random = np.random.default_rng(20261101)
    truth, caught, failed = 0.6, 0.9, 0.8
    passed = truth * caught + (1 - truth) * (1 - failed)
    draws = random.binomial([1000, 150, 150], [passed, caught, failed], (4000, 3)).tolist()
    found = [rogan_gladen((a, 1000), (b, 150), (c, 150)) for a, b, c in draws]
    assert 0.94 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.97
    estimates = [one.estimate for one in found]
    assert np.std(estimates) == pytest.approx(np.mean([one.se for one in found]), rel=0.05)
    assert np.mean([one.estimate for one in found]) == pytest.approx(truth, abs=0.005)
    assert np.mean([one.raw for one in found]) == pytest.approx(passed, abs=0.001)


@given(st.integers(0, 500), st.integers(60, 100), st.integers(60, 100))
def test_a_perfect_judge_needs_no_correction_and_none_leaves_0_to_1(
    passed: int, caught: int, failed: int
) -> None:
    found = rogan_gladen((passed, 500), (caught, 100), (failed, 100))
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    perfect = rogan_gladen((passed, 500), (100, 100), (100, 100))
    assert perfect.estimate == pytest.approx(passed / 500)


def test_swapping_good_and_bad_flips_the_rate() -> None:
    there = rogan_gladen((300, 500), (90, 100), (80, 100))
    back = rogan_gladen((200, 500), (80, 100), (90, 100))
    assert (back.estimate, back.se) == pytest.approx((1 - there.estimate, there.se))


def test_a_judge_no_better_than_chance_is_refused() -> None:
    with pytest.raises(AnalysisError, match="no better than chance"):
        rogan_gladen((50, 100), (50, 100), (50, 100))
    with pytest.raises(AnalysisError, match="no share"):
        rogan_gladen((50, 100), (1, 0), (50, 100))


def test_prediction_powered_means_cover_whatever_the_judge_is_like() -> None:
    random = np.random.default_rng(2)
    for bias, noise in ((0.0, 0.1), (0.3, 0.5)):
        inside, sharper = [], []
        for _ in range(2000):
            truths = random.normal(1.0, 1.0, 900)
            verdicts = truths + random.normal(bias, noise, 900)
            found = prediction_powered(verdicts[100:], verdicts[:100], truths[:100])
            inside.append(found.low <= 1.0 <= found.high)
            sharper.append(found.se < truths[:100].std() / 10)
        assert 0.93 <= np.mean(inside) <= 0.965
        assert np.mean(sharper) > 0.99


def test_prediction_powered_means_are_ppis_closed_form() -> None:
    random = np.random.default_rng(3)
    verdicts, checked, truths = random.random(50), random.random(20), random.random(20)
    found = prediction_powered(verdicts, checked, truths)
    error = checked - truths
    assert found.estimate == pytest.approx(verdicts.mean() - error.mean())
    assert found.se**2 == pytest.approx(verdicts.var(ddof=1) / 50 + error.var(ddof=1) / 20)


def test_verdicts_without_their_truths_are_refused() -> None:
    with pytest.raises(AnalysisError, match="do not match"):
        prediction_powered([1, 2], [1, 2], [1])
