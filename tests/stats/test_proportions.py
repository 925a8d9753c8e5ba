from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom
from statsmodels.stats.proportion import confint_proportions_2indep

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.proportions import hidden, mcnemar, newcombe, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (20, 20), (1, 1), (7, 20)])
def test_a_share_stays_between_nothing_and_all(successes: int, n: int) -> None:
    share = wilson(successes, n)
    assert 0 <= share.low <= share.share <= share.high <= 1
    assert share.high - share.low > 0


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_is_refused(successes: int, n: int) -> None:
    with pytest.raises(AnalysisError, match=r"no share|whole number"):
        wilson(successes, n)


def test_items_that_never_disagree_say_nothing() -> None:
    assert math.isnan(mcnemar(0, 0).p_value)


def test_negative_counts_are_refused() -> None:
    with pytest.raises(AnalysisError, match="only_control is -1"):
        mcnemar(-1, 3)


@pytest.mark.parametrize(("n", "p"), [(20, 0.95), (50, 0.9), (30, 0.5)])
def test_newcombe_covers_small_samples(n: int, p: float) -> None:
    """Every outcome there is, weighed by how probable it is."""
    weight = binom.pmf(range(n + 1), n, p)
    covered = 0.0
    for old in range(n + 1):
        for new in range(n + 1):
            if weight[old] * weight[new] < 1e-8:
                continue
            gap = newcombe((old, n), (new, n))
            covered += weight[old] * weight[new] * (gap.low <= 0 <= gap.high)
    assert covered >= 0.94


@given(st.integers(1, 50), st.integers(1, 50), st.data())
def test_newcombe_is_statsmodels_and_flips(n: int, m: int, data: st.DataObject) -> None:
    old = (data.draw(st.integers(0, n)), n)
    new = (data.draw(st.integers(0, m)), m)
    gap, back = newcombe(old, new, alpha=0.1), newcombe(new, old, alpha=0.1)
    oracle = confint_proportions_2indep(*new, *old, method="newcomb", alpha=0.1)
    assert (gap.low, gap.high) == pytest.approx(oracle, abs=1e-9)
    assert (back.low, back.high) == pytest.approx((-gap.high, -gap.low))


def test_continuity_can_be_corrected() -> None:
    assert mcnemar(86, 150, exact=False, correction=True).statistic == pytest.approx(63**2 / 236)
    assert mcnemar(86, 150, exact=False).statistic == pytest.approx(64**2 / 236)


def test_exact_mcnemar_is_rarely_fooled() -> None:
    """Thirty items on which the variants differ by chance: every outcome there is."""
    weight = binom.pmf(range(31), 30, 0.5)
    fooled = [mcnemar(k, 30 - k).p_value < 0.05 for k in range(31)]
    assert weight @ fooled <= 0.05


@pytest.mark.parametrize("n", [1, 7, 300])
def test_what_none_of_n_may_hide_is_clopper_and_pearsons_end(n: int) -> None:
    most = hidden(n, 0.05)
    assert most == pytest.approx(beta.ppf(0.95, 1, n))
    # A share that large has shown nothing in n units once in twenty, and after more of them less.
    assert (1 - most) ** n == pytest.approx(0.05)


def test_no_unit_at_all_hides_anything() -> None:
    with pytest.raises(AnalysisError, match="whole number"):
        hidden(0)
