from __future__ import annotations

from typing import Any

import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.metrics import Mean, Rate, RatioOfSums
from promptstudio_lab.metrics.margin import Margin, Regression


@pytest.mark.parametrize(
    ("written", "unit", "value", "relative"),
    [
        ("10%", "ms", 0.1, True),
        (" 2.5 % ", "", 0.025, True),
        (0.1, "ms", 0.1, True),
        (0, "ms", 0.0, True),
        (".5pp", "share", 0.005, False),
        ("1 pp", "", 0.01, False),
        ("200 ms", "ms", 200.0, False),
        ("2", "points", 2.0, False),
        ("$0.01", "usd", 0.01, False),
        ("$0.01", "usd per success", 0.01, False),
    ],
)
def test_what_people_write_is_read(
    written: Regression, unit: str, value: float, relative: Any
) -> None:  # a switch, said in words above
    found = Margin.of(written, unit)
    assert found is not None
    assert found.value == pytest.approx(value)
    assert found.relative is relative


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("-5%", "ms"),
        (-0.1, "ms"),
        (float("nan"), "ms"),
        (float("inf"), "ms"),
        ("much", "ms"),
        ("", "ms"),
        ("200 ms", "usd"),
        ("1pp", "ms"),
        ("$1", "ms"),
    ],
)
def test_what_makes_no_sense_is_refused_with_examples(written: Regression, unit: str) -> None:
    with pytest.raises(AnalysisError, match=r"cannot be read\. Hint: '10%'"):
        Margin.of(written, unit)


def test_metrics_read_a_margin_in_their_own_unit() -> None:
    assert Mean("latency_ms", max_regression="200 ms").margin == Margin(200.0, relative=False)
    assert Rate("refusal", max_regression=".5pp").margin == Margin(0.005, relative=False)
    costs = RatioOfSums("cost_usd", "success", max_regression="$0.01")
    assert costs.margin == Margin(0.01, relative=False)
    assert Mean("latency_ms").margin is None
