"""What a report promises about its errors holds for experiments that really ran."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from scipy.stats import binom

from promptstudio_lab.stats.planning.items import items_to_see
from tests.lab.simulation import ALPHA, simulate

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab

COUNT = 30
RARE = 1e-4


@pytest.mark.parametrize("online", [False, True], ids=["paired", "online"])
def test_experiments_that_ran_err_as_rarely_as_promised(memory: Lab, online: bool) -> None:
    found = simulate(memory, COUNT, (0.5, 0.5), 40, seed=1, online=online)
    assert found.fixed * COUNT <= binom.isf(RARE, COUNT, ALPHA)
    assert found.decided <= found.fixed
    assert found.invalid == 0
    assert found.covered == pytest.approx(1 - found.fixed), "an interval and its p-value agree"


def test_experiments_that_ran_see_what_they_were_planned_for(memory: Lab) -> None:
    rates = (0.4, 0.7)
    sd = math.sqrt(sum(rate * (1 - rate) for rate in rates))
    units = items_to_see(0.3, sd, method="fixed", alpha=ALPHA, power=0.8)
    found = simulate(memory, COUNT, rates, units, seed=2, online=False)
    assert found.fixed * COUNT >= binom.ppf(RARE, COUNT, 0.8)
    assert 0 < found.decided < found.fixed, "looking at any time has its price"
