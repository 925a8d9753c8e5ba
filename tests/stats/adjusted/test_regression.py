from __future__ import annotations

import math

import numpy as np
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.adjusted.regression import ancova


def arms(random: np.random.Generator) -> tuple[np.ndarray, ...]:
    before = random.normal(0, 1, (2, 60))
    return (
        before[0] + random.normal(0, 1, 60),
        before[0],
        before[1] + random.normal(0, 2, 60),
        before[1],
    )


def test_it_is_the_sandwich() -> None:
    old, old_before, new, new_before = arms(np.random.default_rng(1))
    design = np.column_stack(
        [np.ones(120), np.repeat([0.0, 1.0], 60), np.concatenate([old_before, new_before])]
    )
    outcomes = np.concatenate([old, new])
    inverse = np.linalg.inv(design.T @ design)
    slopes = inverse @ design.T @ outcomes
    residuals = outcomes - design @ slopes
    covariance = inverse @ (design.T * residuals**2 @ design) @ inverse * 120 / 117
    found = ancova((old, old_before), (new, new_before))
    assert found.estimate == pytest.approx(slopes[1])
    assert found.se == pytest.approx(math.sqrt(covariance[1, 1]))
    assert found.df == 117


def test_it_covers_when_spreads_differ() -> None:
    random = np.random.default_rng(20261101)
    inside = []
    for _ in range(1500):
        old, old_before, new, new_before = arms(random)
        test = ancova((old, old_before), (new, new_before)).test()
        inside.append(test.low <= 0 <= test.high)
    assert 0.935 <= np.mean(inside) <= 0.965


def test_swapping_the_arms_flips_the_sign_and_offsets_do_nothing() -> None:
    old, old_before, new, new_before = arms(np.random.default_rng(2))
    there, back = (
        ancova((old, old_before), (new, new_before)),
        ancova((new, new_before), (old, old_before)),
    )
    assert (back.estimate, back.se) == pytest.approx((-there.estimate, there.se))
    far = ancova((old, old_before + 1e9), (new, new_before + 1e9))
    assert (far.estimate, far.se) == pytest.approx((there.estimate, there.se), rel=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (([1, 2], [1]), ([1, 2], [1, 2, 3]), "one of each"),
        (([1, 2], [1]), ([1, 2], [1, 2]), "one of each"),
        (([1, 2], [0, 0]), ([1, 2], [1, 1]), "do not tell"),
        (([1], [1]), ([2], [5]), "do not tell"),
        (([], []), ([], []), "do not tell"),
        (([1, math.nan], [1, 2]), ([2, 3], [5, 6]), "'control outcome' row 1"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    old: tuple[list[float], list[float]], new: tuple[list[float], list[float]], says: str
) -> None:
    with pytest.raises(AnalysisError, match=says):
        ancova(old, new)
