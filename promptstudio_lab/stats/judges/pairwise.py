"""From verdicts on pairs to a score for each: Bradley-Terry, with ties after Davidson.

A pair is won with odds exp(ability difference); a tie weighs `tie` times the geometric mean of
both (Bradley & Terry 1952; Davidson 1970). The likelihood is concave, so Newton's steps find it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.stats.sums import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats

_STEPS = 100
_PRECISE = 1e-12


@dataclass(frozen=True, slots=True)
class Abilities:
    """How good each player is, on a scale of log odds.

    Attributes:
        players: their names, in the order given.
        ability: log odds against the reference, whose own is 0.
        se: the standard error of each ability; 0 for the reference, which is a convention.
        tie: the weight of a tie; 0 when ties were not counted.
        reference: the player that is 0.
    """

    players: tuple[str, ...]
    ability: tuple[float, ...]
    se: tuple[float, ...]
    tie: float
    reference: str

    def chance(self, player: str, other: str) -> float:
        """Return the chance that one beats the other when there is no tie.

        >>> found = bradley_terry(["a", "b"], [[0, 30], [10, 0]])
        >>> round(found.chance("a", "b"), 6)
        0.75
        """
        gap = (self.ability[self.players.index(name)] for name in (other, player))
        return 1 / (1 + math.exp(next(gap) - next(gap)))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Every outcome of every pair: what it adds to the score, and how often it happened."""

    features: Floats  # pair x outcome x parameter
    counts: Floats  # pair x outcome


def bradley_terry(
    players: Sequence[str],
    wins: Sequence[Sequence[float]],
    *,
    ties: Sequence[Sequence[float]] | None = None,
    reference: str | None = None,
) -> Abilities:
    """Return the abilities that make the verdicts most likely, with standard errors.

    Args:
        players: their names.
        wins: how often the row's player beat the column's.
        ties: how often the two tied, the same both ways; None when there are no ties.
        reference: the player whose ability is 0; the last one if None.

    Raises:
        AnalysisError: if the tables do not fit the players, or the verdicts leave an ability
            infinite: some group of players never lost to (or never beat) the rest.

    >>> found = bradley_terry(["A", "B", "C"], [[0, 30, 45], [20, 0, 33], [10, 17, 0]])
    >>> [round(ability, 4) for ability in found.ability]
    [1.3311, 0.7995, 0.0]
    """
    names = tuple(players)
    last = names[-1] if reference is None and names else str(reference)
    if len(set(names)) != len(names) or last not in names or len(names) == 1:
        message = f"{last!r} is not one of two or more players.{did_you_mean(last, names)}"
        raise AnalysisError(message)
    won = _table("wins", wins, len(names))
    tied = np.zeros_like(won) if ties is None else _table("ties", ties, len(names))
    if (tied != tied.T).any():
        message = "the table of ties must be the same both ways: A ties B as often as B ties A"
        raise AnalysisError(message)
    _connected(names, won + tied)
    pairs = _outcomes(won, tied, names.index(last))
    parameters, covariance = _newton(pairs)
    free = len(names) - 1
    at = names.index(last)
    ability = np.insert(parameters[:free], at, 0.0)
    se = np.insert(np.sqrt(np.diag(covariance)[:free]), at, 0.0)
    tie = math.exp(parameters[free]) if tied.any() else 0.0
    return Abilities(names, tuple(ability.tolist()), tuple(se.tolist()), tie, last)


def _table(name: str, table: Sequence[Sequence[float]], size: int) -> Floats:
    counts = table_of(name, table)
    if counts.shape != (size, size) or not (np.isfinite(counts) & (counts >= 0)).all():
        message = f"the table of {name} must hold {size} by {size} counts, one row a player"
        raise AnalysisError(message)
    if np.diag(counts).any():
        message = f"the table of {name} has a player who meets himself"
        raise AnalysisError(message)
    return counts


def _connected(names: tuple[str, ...], beaten: Floats) -> None:
    from scipy.sparse.csgraph import connected_components

    groups, group = connected_components(beaten > 0, directed=True, connection="strong")
    if groups > 1:
        alone = [name for name, of in zip(names, group, strict=True) if of == group[0]]
        message = (
            f"{', '.join(alone)} and the others never both won and lost against each other, so"
            " their distance is infinite. Hint: collect more verdicts between them."
        )
        raise AnalysisError(message)


def _outcomes(won: Floats, tied: Floats, reference: int) -> _Pairs:
    size = len(won)
    identity = np.delete(np.eye(size), reference, axis=1)
    features, counts = [], []
    for one, other in combinations(range(size), 2):
        rows = np.array([identity[one], identity[other], (identity[one] + identity[other]) / 2])
        features.append(np.column_stack([rows, [0.0, 0.0, 1.0]]))
        counts.append([won[one, other], won[other, one], tied[one, other]])
    found = _Pairs(np.array(features), np.array(counts))
    if tied.any():
        return found
    return _Pairs(found.features[:, :2, :-1], found.counts[:, :2])


def _newton(pairs: _Pairs) -> tuple[Floats, Floats]:
    """Return the parameters of greatest likelihood and their covariance."""
    parameters = np.zeros(pairs.features.shape[2])
    met = pairs.counts.sum(axis=1)
    for _ in range(_STEPS):
        gradient, information = _slope(pairs, met, parameters)
        step = np.linalg.solve(information, gradient)
        # Long steps overshoot where the likelihood is flat; it is concave, so shorter ones arrive.
        parameters = parameters + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < _PRECISE:
            break
    return parameters, np.asarray(np.linalg.inv(_slope(pairs, met, parameters)[1]))


def _slope(pairs: _Pairs, met: Floats, parameters: Floats) -> tuple[Floats, Floats]:
    from scipy.special import softmax

    chance = softmax(pairs.features @ parameters, axis=1)
    mean = np.einsum("po,pok->pk", chance, pairs.features)
    centred = pairs.features - mean[:, None, :]
    gradient = np.einsum("po,pok->k", pairs.counts - met[:, None] * chance, pairs.features)
    weight = met[:, None] * chance
    return gradient, np.einsum("po,pok,pol->kl", weight, centred, centred)
