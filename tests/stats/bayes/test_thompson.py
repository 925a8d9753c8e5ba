from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.bayes.thompson import best_probabilities, thompson, with_floor

BELIEFS = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 5)), min_size=1, max_size=5)


@given(st.floats(-3, 3), st.floats(0.01, 3), st.floats(0.01, 3))
def test_two_variants_are_the_normal_distribution(gap: float, one: float, other: float) -> None:
    found = best_probabilities([0.0, gap], [one, other])
    assert found[1] == pytest.approx(norm.cdf(gap / math.hypot(one, other)), abs=1e-9)


@settings(max_examples=40)
@given(BELIEFS)
def test_shares_add_up_and_follow_their_variant(beliefs: list[tuple[float, float]]) -> None:
    means, sds = zip(*beliefs, strict=True)
    found = best_probabilities(means, sds)
    assert sum(found) == pytest.approx(1)
    assert best_probabilities(means[::-1], sds[::-1])[::-1] == pytest.approx(found, abs=1e-9)
    mirrored = best_probabilities([-mean for mean in means], sds, lower_is_better=True)
    assert mirrored == pytest.approx(found, abs=1e-12)


def test_it_agrees_with_drawing() -> None:
    means, sds = [0.5, 0.55, 0.4, 0.52], [0.05, 0.1, 0.2, 0.02]
    draws = np.random.default_rng(1).normal(means, sds, (1_000_000, 4)).argmax(axis=1)
    shares = np.bincount(draws, minlength=4) / 1_000_000
    assert best_probabilities(means, sds) == pytest.approx(shares, abs=0.002)


def test_very_different_certainties_do_not_get_lost() -> None:
    found = best_probabilities([0.0, 0.0, 1e-7], [1.0, 1e-6, 1e-9])
    assert found[0] == pytest.approx(0.5, abs=1e-4)
    assert sum(found) == pytest.approx(1)


def test_a_floor_keeps_every_variant_alive() -> None:
    found = with_floor([1.0, 0.0], 0.1)
    assert found == pytest.approx((0.9, 0.1))
    with pytest.raises(AnalysisError, match="more than all traffic"):
        with_floor([1.0, 0.0], 0.6)
    with pytest.raises(AnalysisError, match="nan"):
        with_floor([math.nan, 0.5], 0.1)


def test_draws_follow_the_shares_and_carry_their_propensity() -> None:
    shares = (0.5, 0.3, 0.2)
    draws = [thompson(f"user-{unit}", shares, salt="exp/1") for unit in range(20_000)]
    seen = np.bincount([draw.variant for draw in draws], minlength=3) / 20_000
    assert seen == pytest.approx(shares, abs=0.01)
    assert all(draw.propensity == shares[draw.variant] for draw in draws)
    # An outcome divided by its propensity is right on average, whatever the shares.
    value = np.mean([(draw.variant == 2) / draw.propensity for draw in draws])
    assert value == pytest.approx(1, abs=0.05)


def test_a_variant_without_a_share_is_never_drawn() -> None:
    assert {thompson(str(unit), [0.0, 1.0], salt="s").variant for unit in range(100)} == {1}


def test_rounding_leaves_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "promptstudio_lab.stats.bayes.thompson.unit_interval", lambda *_: math.nextafter(1, 0)
    )
    shares = [0.1] * 10  # adds up to a hair less than 1
    assert thompson("user", [*shares[:9], 0.1 - 1e-12, 0.0], salt="s").variant == 9


def test_impossible_beliefs_are_refused() -> None:
    for means, sds in (([], []), ([1.0], [1.0, 2.0])):
        with pytest.raises(AnalysisError, match="one of each"):
            best_probabilities(means, sds)
    for sd in (0.0, math.nan):
        with pytest.raises(AnalysisError, match="above 0"):
            best_probabilities([1.0], [sd])
    with pytest.raises(AnalysisError, match="add up to 1"):
        thompson("user", [0.5, 0.6], salt="s")
