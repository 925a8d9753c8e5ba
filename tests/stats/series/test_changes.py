"""Where the level of a series changed: the truth is known, and so is how often there is none."""

from __future__ import annotations

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.series.changes import changes


def test_levels_are_found_where_they_are() -> None:
    random = np.random.default_rng(1)
    series = np.concatenate([random.normal(mean, 1, 25) for mean in (10, 14, 9)])
    found = changes(series)
    assert [one.index for one in found] == [25, 50]
    assert [round(found[0].before), round(found[0].after)] == [10, 14]
    assert found[0].effect.low < 4 < found[0].effect.high
    assert found[1].effect.estimate == pytest.approx(found[1].after - found[1].before)
    assert all(one.p_value <= 0.01 for one in found)


def test_turned_around_they_are_the_same_places() -> None:
    random = np.random.default_rng(2)
    series = np.concatenate([random.normal(mean, 1, 20) for mean in (5, 9)])
    (one,), (other,) = changes(series), changes(series[::-1])
    assert one.index == other.index == 20
    assert one.effect.estimate == pytest.approx(-other.effect.estimate)


def test_without_a_change_one_is_seldom_told() -> None:
    random = np.random.default_rng(3)
    alarms = [bool(changes(random.lognormal(0, 1, 40), alpha=0.05)) for _ in range(400)]
    assert 0.02 <= np.mean(alarms) <= 0.08


def test_what_shows_nothing() -> None:
    assert changes([]) == ()
    assert changes([3.0] * 30) == ()
    assert changes([1.0, 2.0, 9.0, 9.0]) == ()
    with pytest.raises(AnalysisError, match="least is 1"):
        changes([1.0, 2.0], least=1)
    with pytest.raises(AnalysisError, match="row 1"):
        changes([1.0, float("nan")])


def test_the_shuffles_are_the_same_each_time() -> None:
    series = np.random.default_rng(4).normal(0, 1, 60)
    series[30:] += 1
    assert changes(series) == changes(series)
