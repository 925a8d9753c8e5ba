from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.sequential.traffic import sequential_srm


def test_the_evidence_is_the_average_over_shares() -> None:
    prior = beta(100 * 0.3, 100 * 0.7)
    mixed, _ = quad(lambda share: binom.pmf(80, 200, share) * prior.pdf(share), 0, 1)
    found = sequential_srm([(80, 120)], [3, 7], concentration=100)
    assert np.exp(found.log_bayes_factor) == pytest.approx(mixed / binom.pmf(80, 200, 0.3))


def test_healthy_traffic_may_be_peeked_at() -> None:
    random = np.random.default_rng(20261101)
    steps = random.multinomial(500, [0.5, 0.25, 0.25], size=(3000, 20))
    found = [
        sequential_srm(looks, [0.5, 0.25, 0.25], threshold=0.05).ok
        for looks in np.cumsum(steps, axis=1)
    ]
    assert np.mean(np.logical_not(found)) <= 0.05


def test_a_leak_is_found_and_when() -> None:
    looks = [(1000, 1000), (2100, 2000), (9000, 8000), (18_000, 16_000)]
    found = sequential_srm(looks, [1, 1])
    assert not found.ok
    assert found.first_alarm == 2
    assert sequential_srm(looks[:2], [1, 1]).first_alarm is None


def test_an_alarm_stays() -> None:
    found = sequential_srm([(900, 600), (100_000, 100_000)], [1, 1])
    assert not found.ok
    assert found.log_bayes_factor < 0


def test_the_order_of_variants_does_not_matter() -> None:
    there, back = sequential_srm([(30, 50)], [1, 2]), sequential_srm([(50, 30)], [2, 1])
    assert there.p_value == pytest.approx(back.p_value)


def test_nothing_seen_is_no_evidence() -> None:
    assert sequential_srm([(0, 0)], [1, 1]).p_value == 1


def test_impossible_looks_are_refused() -> None:
    for looks in ([], [(5, 5), (4, 6)]):
        with pytest.raises(AnalysisError, match="look before it"):
            sequential_srm(looks, [1, 1])
    with pytest.raises(AnalysisError, match="2 counts and 1 weights"):
        sequential_srm([(1, 2)], [1])
    with pytest.raises(AnalysisError, match="concentration"):
        sequential_srm([(1, 2)], [1, 1], concentration=0)


def test_a_threshold_is_a_level() -> None:
    with pytest.raises(AnalysisError, match="threshold"):
        sequential_srm([(5, 6)], [1, 1], threshold=float("nan"))
