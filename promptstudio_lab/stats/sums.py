"""Sufficient sums: the few numbers that every analysis of averages needs, instead of the rows.

Columns are shifted by a constant near their mean before they are squared, so that nothing is lost
when values are large and close together; sums of two shards can be merged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from promptstudio_lab.errors import AnalysisError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Labels: TypeAlias = Sequence[Hashable] | NDArray[np.generic]

LEAST_ROWS = 2
EPSILON = float(np.finfo(np.float64).eps)
_ROUNDINGS = 64


@dataclass(frozen=True)
class Sums:
    """Sums over the rows of a table of numbers.

    Attributes:
        n: how many rows there are.
        columns: the columns' names.
        shift: what was subtracted from each column.
        totals: the sum of each shifted column.
        products: the sums of the products of each two shifted columns.
    """

    n: int
    columns: tuple[str, ...]
    shift: tuple[float, ...]
    totals: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Refuse sums that do not fit together, or that no finite rows can have.

        Raises:
            AnalysisError: naming what is wrong, and the column where it is one column.
        """
        width = len(self.columns)
        shapes = {len(self.shift), len(self.totals), len(self.products), *map(len, self.products)}
        if len(set(self.columns)) != width or (shapes != {width} and width):
            message = f"the sums of {', '.join(self.columns)} do not fit together"
            raise AnalysisError(message)
        rows = zip(self.columns, self.shift, self.totals, self.products, strict=True)
        for name, shift, total, products in rows:
            if not all(map(math.isfinite, (shift, total, *products))):
                message = f"the sums of column {name!r} are not finite: its values are too large"
                raise AnalysisError(message)

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[float] | Floats]) -> Sums:
        """Return the sums of a table.

        Args:
            columns: the values of each column; row i of every column is the same item.

        Raises:
            AnalysisError: if a value is no finite number (the message names column and row), or
                the columns differ in length.

        >>> sums = Sums.of({"a": [1, 2, 3], "b": [2, 4, 9]})
        >>> sums.n, sums.mean("b")
        (3, 5.0)
        """
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) != 1:
            found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            message = f"every column needs the same number of rows, but {found or 'none is given'}"
            raise AnalysisError(message)
        table = np.array([numbers(name, values) for name, values in columns.items()]).T
        with np.errstate(over="ignore", invalid="ignore"):
            shift = _shift(table)
            moved = table - shift
            return cls(
                n=len(table),
                columns=tuple(columns),
                shift=tuple(shift.tolist()),
                totals=tuple(moved.sum(axis=0).tolist()),
                products=_rows(moved.T @ moved),
            )

    def index(self, name: str) -> int:
        """Return the position of a column.

        Raises:
            AnalysisError: if there is none of that name; the message names the nearest.
        """
        if name not in self.columns:
            message = f"there is no column {name!r}.{did_you_mean(name, self.columns)}"
            raise AnalysisError(message)
        return self.columns.index(name)

    def means(self) -> Floats:
        """Return the mean of every column, in order.

        Raises:
            AnalysisError: if there are no rows.
        """
        if not self.n:
            message = "there are no rows, so there is no mean"
            raise AnalysisError(message)
        return self._means

    def mean(self, name: str) -> float:
        """Return the mean of one column.

        >>> Sums.of({"cost_usd": [0.25, 0.75]}).mean("cost_usd")
        0.5
        """
        return float(self.means()[self.index(name)])

    def covariance(self) -> Floats:
        """Return the sample covariance of the columns, with n - 1 below the line.

        Raises:
            AnalysisError: if there are fewer than two rows.

        >>> Sums.of({"a": [1, 2, 3], "b": [2, 4, 6]}).covariance().tolist()
        [[1.0, 2.0], [2.0, 4.0]]
        """
        if self.n < LEAST_ROWS:
            message = f"{self.n} row(s) say nothing about spread: at least 2 are needed"
            raise AnalysisError(message)
        return self._covariance

    # Every metric asks for these two, and several questions for one metric.
    @cached_property
    def _means(self) -> Floats:
        found: Floats = np.asarray(self.shift) + np.asarray(self.totals) / self.n
        found.flags.writeable = False
        return found

    @cached_property
    def _covariance(self) -> Floats:
        totals = np.asarray(self.totals)
        centred = np.asarray(self.products) - np.outer(totals, totals) / self.n
        found: Floats = np.asarray(centred / (self.n - 1))
        found.flags.writeable = False
        return found

    def merge(self, other: Sums) -> Sums:
        """Return the sums over the rows of both.

        Raises:
            AnalysisError: if the columns differ.

        >>> left, right = Sums.of({"a": [1, 2]}), Sums.of({"a": [6]})
        >>> left.merge(right).mean("a")
        3.0
        """
        if self.columns != other.columns:
            message = f"cannot merge sums of {self.columns} with sums of {other.columns}"
            raise AnalysisError(message)
        if not (self.n and other.n):
            return self if self.n else other
        # Near the mean of both, neither side's squares swallow the other's.
        n = self.n + other.n
        shift = (self.means() * self.n + other.means() * other.n) / n
        left, right = self._shifted(shift), other._shifted(shift)
        return Sums(
            n=n,
            columns=self.columns,
            shift=left.shift,
            totals=tuple(np.add(left.totals, right.totals).tolist()),
            products=_rows(np.add(left.products, right.products)),
        )

    def _shifted(self, shift: Floats) -> Sums:
        step, totals = np.asarray(self.shift) - shift, np.asarray(self.totals)
        cross = np.outer(step, totals)
        return replace(
            self,
            shift=tuple(shift.tolist()),
            totals=tuple((totals + self.n * step).tolist()),
            products=_rows(self.products + cross + cross.T + self.n * np.outer(step, step)),
        )


@dataclass(frozen=True)
class SumsApart:
    """Sums of variants that met different units.

    Attributes:
        arms: the sums of each variant over its own units, whose columns are named without it.

    >>> apart = SumsApart({"a": Sums.of({"cost": [1, 2]}), "b": Sums.of({"cost": [3, 4, 5]})})
    >>> apart.n, apart["b"].mean("cost")
    (5, 4.0)
    """

    arms: Mapping[str, Sums]

    @property
    def n(self) -> int:
        """How many units there are in all variants together."""
        return sum(sums.n for sums in self.arms.values())

    def __getitem__(self, variant: str) -> Sums:
        """Return the sums of one variant.

        Raises:
            AnalysisError: if there is no such variant; the message names the nearest.
        """
        if variant not in self.arms:
            message = f"there is no variant {variant!r}.{did_you_mean(variant, self.arms)}"
            raise AnalysisError(message)
        return self.arms[variant]


def numbers(name: str, values: Sequence[float] | Floats) -> Floats:
    """Return values as numbers of which each is finite.

    Args:
        name: what they are called where the caller gave them.
        values: one a row.

    Raises:
        AnalysisError: naming the column, and the row of the first value that is no finite number.

    >>> numbers("cost_usd", [1, 2]).tolist()
    [1.0, 2.0]
    """
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty((0, 0))
    if found.ndim != 1:
        message = f"column {name!r} holds something that is no number"
        raise AnalysisError(message)
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found))[0])
        message = (
            f"column {name!r} row {row} is {found[row]}: a finite number is needed"
            " (rows count from 0)"
        )
        raise AnalysisError(message)
    return found


def table_of(name: str, rows: Sequence[Sequence[float]]) -> Floats:
    """Return rows of equal length as a table of numbers.

    Args:
        name: what an error calls the table.
        rows: its rows.

    Raises:
        AnalysisError: naming the table, if a row is longer than another or holds no numbers.

    >>> table_of("wins", [[0, 3], [2, 0]]).shape
    (2, 2)
    """
    try:
        return np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        message = f"the table of {name} needs rows of numbers, all of the same length"
        raise AnalysisError(message) from None


def variance_along(covariance: Floats, gradient: Floats, *, floor: float = 0.0) -> float:
    """Return the variance g' S g of a sum of columns, exactly 0 where rounding can explain it.

    Args:
        covariance: of the columns.
        gradient: the weight of each column.
        floor: what the caller's own rounding may have added.

    >>> variance_along(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.1 + 0.2, -0.3]))
    0.0
    """
    size = np.abs(gradient)
    noise = _ROUNDINGS * EPSILON * float(size @ np.abs(covariance) @ size) + floor
    variance = float(gradient @ covariance @ gradient)
    return variance if variance > noise else 0.0


def _shift(table: Floats) -> Floats:
    if not len(table):
        return np.zeros(table.shape[1])
    # The mean of a constant may round away from it, and would then show a spread that is not there.
    constant = table.min(axis=0) == table.max(axis=0)
    return np.asarray(np.where(constant, table[0], table.mean(axis=0)))


def _rows(matrix: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
