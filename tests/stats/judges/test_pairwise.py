from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.judges.pairwise import bradley_terry

WINS = [[0, 30, 45], [20, 0, 33], [10, 17, 0]]


def test_without_ties_it_is_statsmodels_glm() -> None:
    design, counts = [], []
    for one in range(3):
        for other in range(one + 1, 3):
            row = np.zeros(3)
            row[one], row[other] = 1, -1
            design.append(row[:2])
            counts.append([WINS[one][other], WINS[other][one]])
    fit = sm.GLM(np.array(counts), np.array(design), family=sm.families.Binomial()).fit()
    found = bradley_terry(["A", "B", "C"], WINS)
    assert found.ability[:2] == pytest.approx(fit.params)
    assert found.se[:2] == pytest.approx(fit.bse)
    assert (found.ability[2], found.se[2], found.tie) == (0, 0, 0)


@settings(max_examples=30)
@given(st.permutations([0, 1, 2]), st.sampled_from([0, 1, 2]))
def test_neither_order_nor_reference_changes_who_is_better(order: list[int], at: int) -> None:
    ties = np.array([[0, 5, 3], [5, 0, 8], [3, 8, 0]])
    wins, names = np.array(WINS), np.array(["A", "B", "C"])
    there = bradley_terry(names.tolist(), wins.tolist(), ties=ties.tolist())
    back = bradley_terry(
        names[order].tolist(),
        wins[np.ix_(order, order)].tolist(),
        ties=ties[np.ix_(order, order)].tolist(),
        reference=str(names[at]),
    )
    assert back.tie == pytest.approx(there.tie)
    for one in names:
        for other in names:
            assert back.chance(one, other) == pytest.approx(there.chance(one, other))


def test_ties_and_abilities_are_found_again() -> None:
    random = np.random.default_rng(20261101)
    ability, tie, size = [0.8, 0.2, 0.0], 0.7, 4
    inside = []
    for _ in range(300):
        wins, ties = np.zeros((3, 3)), np.zeros((3, 3))
        for one in range(3):
            for other in range(one + 1, 3):
                odds = np.array([math.exp(ability[one]), math.exp(ability[other])])
                odds = np.append(odds, tie * math.sqrt(odds.prod()))
                won, lost, same = random.multinomial(100 * size, odds / odds.sum())
                wins[one, other], wins[other, one] = won, lost
                ties[one, other] = ties[other, one] = same
        found = bradley_terry(["A", "B", "C"], wins.tolist(), ties=ties.tolist())
        assert found.tie == pytest.approx(tie, abs=0.25)
        inside.append(abs(found.ability[0] - 0.8) < 1.96 * found.se[0])
    assert 0.91 <= np.mean(inside) <= 0.98


def test_two_players_are_a_logit() -> None:
    found = bradley_terry(["a", "b"], [[0, 30], [10, 0]])
    assert found.ability[0] == pytest.approx(math.log(3))
    assert found.se[0] == pytest.approx(math.sqrt(1 / 30 + 1 / 10))


def test_lopsided_verdicts_are_still_reached() -> None:
    found = bradley_terry(["a", "b"], [[0, 1_000_000], [1, 0]])
    assert found.ability[0] == pytest.approx(math.log(1_000_000))


@pytest.mark.parametrize(
    ("players", "wins", "words", "says"),
    [
        (["a", "b"], [[0, 3], [0, 0]], {}, "infinite"),
        (["a", "b"], [[0, 3], [1, 0]], {"reference": "c"}, "'c' is not one"),
        (["a", "a"], [[0, 3], [1, 0]], {}, "two or more players"),
        (["a"], [[0]], {}, "two or more players"),
        ([], [], {}, "two or more players"),
        (["a", "b"], [[0, 3]], {}, "2 by 2 counts"),
        (["a", "b"], [[0, -3], [1, 0]], {}, "2 by 2 counts"),
        (["a", "b"], [[1, 3], [1, 0]], {}, "meets himself"),
        (["a", "b"], [[0, 3], [1, 0]], {"ties": [[0, 1], [2, 0]]}, "same both ways"),
    ],
)
def test_verdicts_that_rank_nobody_are_refused(
    players: list[str], wins: list[list[float]], words: dict[str, str], says: str
) -> None:
    with pytest.raises(AnalysisError, match=says):
        bradley_terry(players, wins, **words)  # type: ignore[arg-type] # the mistakes


@pytest.mark.parametrize("wins", [[[0, 3, 1], [2, 0]], [["many", 3], [2, 0]]])
def test_rows_of_different_lengths_are_refused(wins: list[list[float]]) -> None:
    with pytest.raises(AnalysisError, match="table of wins needs rows"):
        bradley_terry(["a", "b"], wins)
