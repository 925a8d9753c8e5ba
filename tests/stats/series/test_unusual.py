"""What is unusual by what came before: how often it is wrong, and what it never hides."""

from __future__ import annotations

import math

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.series.unusual import unusual

NAN = float("nan")


@pytest.mark.parametrize("season", [None, 7])
def test_usual_values_are_seldom_called_unusual(season: int | None) -> None:
    random = np.random.default_rng(6)
    cycle = 0.0 if season is None else np.array([0, 0, 0, 0, 0, -60, -70])[np.arange(3_500) % 7]
    judged = unusual(random.normal(100, 10, 3_500) + cycle, season=season)[28:]
    assert np.mean([one.state != "ok" for one in judged]) <= 0.006


def test_weekends_are_not_unusual_once_they_are_known() -> None:
    weeks = np.tile([100.0, 102, 98, 101, 99, 40, 30], 8)
    weeks += np.random.default_rng(7).normal(0, 1, weeks.size)
    weeks[-1] = 100
    blind, knowing = unusual(weeks)[-3:], unusual(weeks, season=7)[-3:]
    assert [one.state for one in knowing] == ["ok", "ok", "high"]
    assert knowing[-1].expected == pytest.approx(30, abs=3)
    assert blind[-1].state == "ok"


def test_an_outlier_hides_no_later_one() -> None:
    series = [*np.random.default_rng(9).normal(50, 1, 30), 500.0, 50.0, 500.0, 5.0]
    assert [one.state for one in unusual(series)[-4:]] == ["high", "ok", "high", "low"]


def test_no_data_is_a_state_of_its_own() -> None:
    judged = unusual([1.0, 2.0] * 6 + [NAN, NAN, 1.0])
    assert [one.state for one in judged[-3:]] == ["no data", "no data", "ok"]
    assert math.isfinite(judged[-3].expected)
    assert unusual([NAN])[0].state == "no data"


def test_few_values_let_expect_nothing() -> None:
    judged = unusual([1.0] * 7 + [90.0, 91.0])
    assert [one.state for one in judged] == ["learning"] * 8 + ["ok"]
    assert math.isnan(judged[0].expected)


def test_equal_values_make_every_other_one_unusual() -> None:
    assert unusual([5.0] * 10 + [5.01])[-1].state == "high"
    # More than half of them equal, but not all: their spread is not nothing.
    assert unusual([0.0] * 8 + [1.0, 2.0, 0.0, 1.0])[-1].state == "ok"


def test_a_season_of_which_too_little_was_seen_is_left_out() -> None:
    series = [1.0, 2.0] * 7
    assert unusual(series, season=7)[-1] == unusual(series)[-1]


def test_impossible_questions() -> None:
    with pytest.raises(AnalysisError, match="history is 4"):
        unusual([1.0], history=4)
    with pytest.raises(AnalysisError, match="alpha is 2"):
        unusual([1.0], alpha=2)
