from __future__ import annotations

import math

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.adjusted.strata import heterogeneity, post_stratified
from promptstudio_lab.stats.arms import Arm
from promptstudio_lab.stats.independent import contrast

EASY = Arm(50, 0.9, 0.09), Arm(70, 0.95, 0.05)
HARD = Arm(60, 0.2, 0.16), Arm(40, 0.3, 0.2)


def test_one_stratum_is_no_stratum() -> None:
    for scale in ("absolute", "relative"):
        found = post_stratified([EASY], scale=scale)
        plain = contrast(*EASY, scale=scale)
        assert (found.estimate, found.se) == pytest.approx((plain.estimate, plain.se))


def test_swapping_the_arms_flips_the_sign() -> None:
    there = post_stratified([EASY, HARD])
    back = post_stratified([EASY[::-1], HARD[::-1]])
    assert (back.estimate, back.se) == pytest.approx((-there.estimate, there.se))


@pytest.mark.parametrize(("scale", "truth"), [("absolute", 0.5), ("relative", 0.5 / 4)])
def test_it_covers_and_is_sharper_than_without(scale: str, truth: float) -> None:
    random = np.random.default_rng(20261101)
    inside, sharper = [], []
    for _ in range(1500):
        group = random.binomial(1, 0.4, 400)
        treated = random.binomial(1, 0.5, 400)
        values = 2 + 5 * group + 0.5 * treated + random.normal(0, 1, 400)
        strata = [
            (
                Arm.of_values(values[(group == one) & (treated == 0)]),
                Arm.of_values(values[(group == one) & (treated == 1)]),
            )
            for one in (0, 1)
        ]
        found = post_stratified(strata, scale=scale)  # type: ignore[arg-type] # its words
        plain = contrast(
            Arm.of_values(values[treated == 0]),
            Arm.of_values(values[treated == 1]),
            scale=scale,  # type: ignore[arg-type] # likewise
        )
        test = found.test()
        inside.append(test.low <= truth <= test.high)
        sharper.append(found.se < plain.se)
    assert 0.935 <= np.mean(inside) <= 0.965
    assert np.mean(sharper) > 0.99


def test_segments_that_agree_rarely_look_different() -> None:
    random = np.random.default_rng(2)
    ses = np.array([0.1, 0.2, 0.3, 0.15])
    found = [
        heterogeneity(row, ses.tolist()).p_value
        for row in random.normal(1, ses, (5000, 4)).tolist()
    ]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.01)


def test_two_segments_are_the_z_test_of_their_difference() -> None:
    found = heterogeneity([0.1, 0.5], [0.1, 0.2])
    assert found.statistic == pytest.approx(0.4**2 / (0.1**2 + 0.2**2))
    assert found.pooled == pytest.approx((0.1 / 0.01 + 0.5 / 0.04) / (1 / 0.01 + 1 / 0.04))
    assert heterogeneity([-0.1, -0.5], [0.1, 0.2]).p_value == pytest.approx(found.p_value)


def test_nothing_relative_to_a_control_of_zero() -> None:
    found = post_stratified([(Arm(9, 0.0, 1.0), Arm(9, 1.0, 1.0))], scale="relative")
    assert math.isnan(found.se)


def test_strata_that_show_nothing_are_refused() -> None:
    with pytest.raises(AnalysisError, match="no stratum"):
        post_stratified([])
    with pytest.raises(AnalysisError, match="merge it"):
        post_stratified([EASY, (Arm(1, 1.0, 0.0), Arm(9, 1.0, 1.0))])
    with pytest.raises(AnalysisError, match="no spread"):
        post_stratified([(Arm(9, 1.0, 0.0), Arm(9, 1.0, 0.0))])
    for estimates, ses in (([1.0], [1.0]), ([1.0, 2.0], [1.0])):
        with pytest.raises(AnalysisError, match="at least 2 segments"):
            heterogeneity(estimates, ses)
    for ses in ([0.0, 1.0], [math.nan, 1.0]):
        with pytest.raises(AnalysisError, match="above 0"):
            heterogeneity([1.0, 2.0], ses)
    with pytest.raises(AnalysisError, match=r"effects are .*nan"):
        heterogeneity([1.0, math.nan], [1.0, 1.0])
