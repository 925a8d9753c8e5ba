from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.multiplicity import Correction, adjust

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
METHODS: tuple[Correction, ...] = ("holm", "hommel", "bonferroni", "bh", "by")


def test_holm_holds_the_chance_of_any_false_finding() -> None:
    """Fifteen correlated tests: five metrics of one run, three variants against one control."""
    random = np.random.default_rng(20261101)
    shared = random.normal(size=(4000, 15, 1))
    p_values = 2 * stats.norm.sf(
        np.abs(np.sqrt(0.3) * shared[:, :1, 0] + np.sqrt(0.7) * random.normal(size=(4000, 15)))
    )
    holm = [any(adjust(row).rejected) for row in p_values]
    assert np.mean(holm) <= 0.05
    assert (p_values < 0.05).any(axis=1).mean() > 0.3


def test_bh_holds_the_share_of_false_findings() -> None:
    random = np.random.default_rng(2)
    shift = np.repeat([0.0, 3.0], [10, 5])
    shares = []
    for _ in range(4000):
        found = adjust(2 * stats.norm.sf(np.abs(random.normal(shift))), "bh").rejected
        shares.append(sum(found[:10]) / max(1, sum(found)))
    assert np.mean(shares) == pytest.approx(0.05 * 10 / 15, abs=0.004)


@given(P_VALUES)
def test_bh_and_by_are_scipys(p_values: list[float]) -> None:
    for method in ("bh", "by"):
        oracle = stats.false_discovery_control(p_values, method=method)
        assert adjust(p_values, method).p_values == pytest.approx(oracle)


@settings(max_examples=4)  # statsmodels collects garbage at each call
@given(P_VALUES)
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    oracle = multipletests(p_values, method="holm")
    assert adjust(p_values).p_values == pytest.approx(oracle[1])


@given(P_VALUES, st.sampled_from(METHODS), st.floats(0.01, 0.3))
def test_corrections_only_ever_raise_and_keep_the_order(
    p_values: list[float], method: Correction, alpha: float
) -> None:
    found = adjust(p_values, method, alpha=alpha)
    assert (np.array(found.p_values) >= np.array(p_values) - 1e-12).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(found.p_values)[order]) >= -1e-12).all()
    assert adjust(p_values[::-1], method, alpha=alpha).p_values == pytest.approx(
        found.p_values[::-1]
    )


def test_one_question_needs_no_correction() -> None:
    assert adjust([0.03]).p_values == (0.03,)


def test_no_question_has_no_answer() -> None:
    assert adjust([]).p_values == ()


def test_what_is_no_p_value_is_refused() -> None:
    with pytest.raises(AnalysisError, match="'p_values' row 1 is nan"):
        adjust([0.5, float("nan")])
    for bad in (-0.1, 1.1):
        with pytest.raises(AnalysisError, match=r"p-value 1 is .* between 0 and 1"):
            adjust([0.5, bad])
    with pytest.raises(AnalysisError, match="'holm'"):
        adjust([0.5], "halm")  # type: ignore[arg-type] # the mistake
