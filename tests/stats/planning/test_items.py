from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.stats.looks import rule
from promptstudio_lab.stats.paired import mean_difference, ratio_difference
from promptstudio_lab.stats.planning.items import items_needed
from promptstudio_lab.stats.sums import Sums

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.looks import Method


def observed(method: Method = "anytime") -> Effect:
    sums = Sums.of({"c": [0, 1, 0, 1, 1, 0, 0] * 9, "t": [1, 1, 0, 1, 0, 1, 0] * 9})
    return mean_difference(sums, "c", "t", method=method)


@pytest.mark.parametrize("method", ["anytime", "fixed"])
def test_that_many_items_tell_and_one_fewer_does_not(method: Method) -> None:
    effect = observed(method)
    needed = items_needed(effect)
    assert needed is not None
    look = rule(method, effect.alpha)

    def z(n: int) -> float:
        return effect.estimate / effect.se * math.sqrt(n / effect.n)

    assert z(needed) > look.half_width(needed)
    assert z(needed - 1) <= look.half_width(needed - 1)


def test_no_difference_needs_no_number() -> None:
    assert items_needed(replace(observed(), estimate=0.0)) is None


def test_an_unknown_difference_needs_no_number() -> None:
    sums = Sums.of({"a": [1, 2], "b": [0, 0]})
    assert items_needed(ratio_difference(sums, ("a", "b"), ("a", "b"))) is None


def test_a_difference_too_small_for_any_data_set_needs_no_number() -> None:
    assert items_needed(replace(observed(), estimate=1e-9)) is None
