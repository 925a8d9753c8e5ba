from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.bayes.rates import rate_posterior

COUNTS = st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def miller(old: tuple[int, int], new: tuple[int, int]) -> float:
    """Return the exact chance to win under flat beliefs, by Miller's sum."""
    a, b = 1 + old[0], 1 + old[1] - old[0]
    c, d = 1 + new[0], 1 + new[1] - new[0]
    terms = (
        math.exp(betaln(a + i, b + d) - math.log(d + i) - betaln(1 + i, d) - betaln(a, b))
        for i in range(c)
    )
    return math.fsum(terms)


@settings(max_examples=50)
@given(COUNTS, COUNTS)
def test_the_chance_to_win_is_the_exact_sum(old: tuple[int, int], new: tuple[int, int]) -> None:
    found, back = rate_posterior(old, new), rate_posterior(new, old)
    assert found.chance_to_win == pytest.approx(miller(old, new), abs=1e-9)
    assert found.chance_to_win + back.chance_to_win == pytest.approx(1, abs=1e-9)
    assert (found.loss_of_control, found.loss_of_treatment) == pytest.approx(
        (back.loss_of_treatment, back.loss_of_control), abs=1e-9
    )
    gain = found.treatment - found.control
    assert found.loss_of_control - found.loss_of_treatment == pytest.approx(gain, abs=1e-9)


@pytest.mark.parametrize("prior", [(0.5, 0.5), (0.1, 0.1), (3.7, 20.2)])
def test_any_belief_agrees_with_drawing_from_it(prior: tuple[float, float]) -> None:
    random = np.random.default_rng(1)
    found = rate_posterior((0, 5), (2, 7), prior=prior)
    old = random.beta(prior[0], prior[1] + 5, 1_000_000)
    new = random.beta(prior[0] + 2, prior[1] + 5, 1_000_000)
    assert found.chance_to_win == pytest.approx(np.mean(new > old), abs=0.002)
    assert found.loss_of_treatment == pytest.approx(np.mean(np.maximum(old - new, 0)), abs=0.001)


def test_many_trials_are_no_harder() -> None:
    found = rate_posterior((500_000, 1_000_000), (501_000, 1_000_000))
    assert found.chance_to_win == pytest.approx(0.921, abs=0.001)


def test_what_is_no_rate_is_refused() -> None:
    with pytest.raises(AnalysisError, match="no share"):
        rate_posterior((3, 2), (1, 2))
    with pytest.raises(AnalysisError, match="prior"):
        rate_posterior((1, 2), (1, 2), prior=(0, 1))
