from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sequential.mixture import msprt, normal_mixture

ALPHA = 0.05


@settings(max_examples=20)
@given(st.floats(-0.5, 0.5), st.floats(0.1, 4), st.integers(1, 200), st.floats(0.01, 1))
def test_the_ratio_is_the_average_over_effects(
    estimate: float, variance: float, pairs: int, tau2: float
) -> None:
    se, tau = math.sqrt(variance / pairs), math.sqrt(tau2)
    centre, width = estimate * tau2 / (tau2 + se**2), math.sqrt(1 / (1 / tau2 + 1 / se**2))

    def part(effect: float) -> float:
        return float(norm.pdf(estimate, effect, se) * norm.pdf(effect, 0, tau))

    mixed, _ = quad(part, centre - 9 * width, centre + 9 * width, epsabs=0, epsrel=1e-10)
    found = msprt(estimate, variance, pairs, tau2)
    assert found.likelihood_ratio == pytest.approx(mixed / norm.pdf(estimate, 0, se), rel=1e-6)
    assert msprt(-estimate, variance, pairs, tau2).p_value == found.p_value
    if abs(found.p_value - ALPHA) > 1e-9:
        assert (found.p_value < ALPHA) == (not found.low <= 0 <= found.high)


def test_pairs_may_be_peeked_at() -> None:
    random = np.random.default_rng(20261101)
    differences = random.binomial(1, 0.1, (3000, 2, 2000))
    means = np.cumsum(differences[:, 1] - differences[:, 0], axis=1) / np.arange(1, 2001)
    looks, tau2 = range(100, 2001, 100), (0.05 * 0.3) ** 2
    fooled = [any(msprt(row[n - 1], 0.18, n, tau2).p_value < ALPHA for n in looks) for row in means]
    assert np.mean(fooled) <= ALPHA


def test_sums_may_be_peeked_at() -> None:
    random = np.random.default_rng(20261101)
    sums = np.cumsum(random.normal(size=(20_000, 20)) * 5, axis=1)  # 25 more values at each look
    bounds = [normal_mixture(25.0 * look, v_opt=250).bound for look in range(1, 21)]
    assert np.mean((np.abs(sums) > bounds).any(axis=1)) <= ALPHA


def test_overwhelming_evidence_does_not_overflow() -> None:
    found = msprt(9.0, 1.0, 10_000, 1.0)
    assert found.likelihood_ratio == math.inf
    assert found.log_likelihood_ratio > 400_000
    assert found.p_value == 0


def test_another_null_moves_the_test() -> None:
    assert msprt(1.2, 1.0, 50, 0.1, null=1.0).p_value == pytest.approx(
        msprt(0.2, 1.0, 50, 0.1).p_value
    )


@given(st.floats(0.1, 1e4), st.floats(0.001, 0.5))
def test_the_boundary_is_where_the_mixture_reaches_its_level(v: float, alpha: float) -> None:
    found = normal_mixture(v, v_opt=100, alpha=alpha, alpha_opt=0.05)
    log_mixture = math.log(found.rho / (v + found.rho)) / 2
    log_mixture += found.bound**2 / (2 * (v + found.rho))
    assert log_mixture == pytest.approx(-math.log(alpha))


def test_the_boundary_is_tuned_to_its_own_level_unless_told() -> None:
    assert normal_mixture(50, v_opt=100, alpha=0.01) == normal_mixture(
        50, v_opt=100, alpha=0.01, alpha_opt=0.01
    )


def test_impossible_mixtures_are_refused() -> None:
    with pytest.raises(AnalysisError, match="tau2"):
        msprt(0.1, 1.0, 10, 0.0)
    with pytest.raises(AnalysisError, match="estimate"):
        msprt(math.nan, 1.0, 10, 1.0)
    with pytest.raises(AnalysisError, match="intrinsic time"):
        normal_mixture(-1.0, v_opt=100)
