"""What units measured, row by row: for what no sums can answer.

Quantiles, segments, clusters, halves in time and pictures need rows; everything else is read from
sums. Rows are in the order in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.wording import visible
from promptstudio_lab.shown import card
from promptstudio_lab.stats.arms import WEIGHT
from promptstudio_lab.stats.sums import LEAST_ROWS, Sums, SumsApart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd
    import polars as pl
    from numpy.typing import NDArray

    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.sums import Floats

_PAIRED = 0.5  # from this share of the smaller variant's units on, they were meant to be pairs


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of units that met the same variants.

    Attributes:
        values: the columns of each variant: one number a row.
        clusters: the place of each row's cluster, from 0; or None when rows are independent.
        labels: the segment of each row, empty when none were asked for.
        at: the place of each row in time, among all rows.
        units: the key of each row's unit.
    """

    values: dict[str, dict[str, Floats]]
    clusters: NDArray[np.intp] | None
    labels: NDArray[np.str_]
    at: NDArray[np.intp]
    units: NDArray[np.str_]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.at)

    def where(self, chosen: NDArray[np.bool_]) -> Table:
        """Return some of the rows."""
        return Table(
            {
                name: {key: column[chosen] for key, column in columns.items()}
                for name, columns in self.values.items()
            },
            None if self.clusters is None else self.clusters[chosen],
            self.labels[chosen] if len(self.labels) else self.labels,
            self.at[chosen],
            self.units[chosen],
        )

    def columns(self, metrics: Iterable[Metric]) -> dict[str, dict[str, Floats]]:
        """Return the columns that metrics add up, of each variant; what cannot be made is left out.

        Args:
            metrics: what is measured.
        """
        found: dict[str, dict[str, Floats]] = {}
        for variant, values in self.values.items():
            mine = found.setdefault(variant, {})
            for metric in metrics:
                try:
                    made = metric.derived(values, self.clusters)
                except AnalysisError:
                    continue  # the metric itself says that it is unknown
                mine.update({name: values[name] for name in metric.columns if name in values})
                mine.update(made)
        return found

    def summed(self, columns: dict[str, Floats]) -> Sums:
        """Return sums of columns over rows, or over clusters of them."""
        if self.clusters is None:
            return Sums.of(columns)
        places, at = np.unique(self.clusters, return_inverse=True)
        totals = {
            name: np.bincount(at, weights=values, minlength=len(places)).astype(np.float64)
            for name, values in {**columns, WEIGHT: np.ones(self.n)}.items()
        }
        return Sums.of(totals)


@dataclass(frozen=True, repr=False)
class Rows:
    """The rows of two variants.

    Attributes:
        control: the control's variant.
        treatment: the treatment's variant.
        paired: one table of the units that met both, or None when each met one variant.
        apart: otherwise a table of each variant.
        runs: how many runs each variant had; units where each met one variant.
        lost: keys of the units that were left out for want of a value or a partner.
        multi: how many units were left out because they met both variants.
        by: what the segments are called, or "".
        simulated: whether a stand-in answered any run.
    """

    control: str
    treatment: str
    paired: Table | None
    apart: dict[str, Table] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    multi: int = 0
    by: str = ""
    simulated: bool = False

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table there is."""
        return (self.paired,) if self.paired is not None else tuple(self.apart.values())

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments, the largest first."""
        labels = np.concatenate([table.labels for table in self.tables])
        names, counts = np.unique(labels, return_counts=True)
        return tuple(str(names[at]) for at in np.lexsort((names, -counts)))

    def sums(self, metrics: Sequence[Metric]) -> Sums | SumsApart:
        """Return the sums that metrics take.

        Raises:
            AnalysisError: if there are no rows.
        """
        if self.paired is not None:
            found = self.paired.columns(metrics)
            named = {
                f"{variant}.{name}": values
                for variant, columns in found.items()
                for name, values in columns.items()
            }
            return self.paired.summed(named)
        return SumsApart({
            variant: table.summed(table.columns(metrics)[variant])
            for variant, table in self.apart.items()
        })  # fmt: skip

    def to_polars(self) -> pl.DataFrame:
        """Return one row a unit and variant, in the order in which they came.

        Columns are `unit`, its `cluster` (a number) and its segment where these were asked for,
        `variant`, and what was measured: the mean over the unit's runs.
        """
        import polars as pl

        whole = pl.concat([_frame(table, self.by) for table in self.tables])
        return whole.sort("at", maintain_order=True).drop("at")

    def to_pandas(self) -> pd.DataFrame:
        """Return what `to_polars` returns, as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.to_polars().to_dict(as_series=False))

    def __repr__(self) -> str:
        """Say how many there are, and of what."""
        first = self.tables[0]
        measured = ", ".join(next(iter(first.values.values())))  # noqa: PD011 — no frame
        names = f"{visible(self.control)} and {visible(self.treatment)}"
        return f"<Rows of {self.n:,} units under {names}: {measured}; .to_polars()>"

    def _repr_html_(self) -> str:
        return card(repr(self).strip("<>"), tag="rows")

    def where(self, chosen: Callable[[Table], NDArray[np.bool_]]) -> Rows:
        """Return the rows that a question chooses from each table."""
        from dataclasses import replace

        apart = {name: table.where(chosen(table)) for name, table in self.apart.items()}
        paired = None if self.paired is None else self.paired.where(chosen(self.paired))
        return replace(self, paired=paired, apart=apart)

    def segment(self, label: str) -> Rows:
        """Return the rows of one segment."""
        return self.where(lambda table: table.labels == label)

    def first(self, count: int) -> Rows:
        """Return the rows that came first."""
        return self.where(lambda table: table.at < count)

    def after(self, count: int) -> Rows:
        """Return the rows that came later."""
        return self.where(lambda table: table.at >= count)

    @property
    def n(self) -> int:
        """How many rows there are in all."""
        return sum(table.n for table in self.tables)

    @property
    def clusters(self) -> int:
        """How many independent clusters there are in all."""
        return sum(
            table.n if table.clusters is None else len(np.unique(table.clusters))
            for table in self.tables
        )


def _frame(table: Table, by: str) -> pl.DataFrame:
    import polars as pl

    marks: dict[str, NDArray[Any]] = {"unit": table.units}  # text, or numbers
    if table.clusters is not None:
        marks["cluster"] = table.clusters
    if by:
        marks[by] = table.labels
    sides = [
        pl.DataFrame({"at": table.at, **marks, "variant": [name] * table.n, **columns})
        for name, columns in table.values.items()  # noqa: PD011 — no frame
    ]
    return pl.concat(sides)


def rows_of(  # noqa: PLR0913 # what each column of the frame is
    frame: Any,  # a frame of either library, or a lazy one
    columns: Sequence[str],
    *,
    control: str,
    treatment: str,
    unit: str = "unit",
    variant: str = "variant",
    cluster: str | None = None,
    by: str | None = None,
    paired: bool | None = None,
) -> Rows:
    """Return the rows of a frame that has one row a run, in the order in which the runs came.

    Each unit counts once, with its mean over its runs. Where most units met both variants they are
    pairs, whatever anybody takes them for; else who met both is left out.

    Args:
        frame: with the columns named here; `simulated` is read when it is there.
        columns: what was measured; null where it was not.
        control: the control's variant.
        treatment: the treatment's variant.
        unit: the column of the item, user or session.
        variant: that of the variant.
        cluster: the column of what units come in.
        by: that of the segments.
        paired: True for pairs wherever any two units met both variants.

    Raises:
        AnalysisError: if a column or a variant is missing; the message names the nearest.

    >>> import polars as pl
    >>> columns = {"unit": list("xxyy"), "variant": ["a", "b"] * 2, "score": [1, 2, 3, 5]}
    >>> frame = pl.DataFrame(columns)
    >>> rows = rows_of(frame, ["score"], control="a", treatment="b")
    >>> rows.paired.values["b"]["score"].tolist()
    [2.0, 5.0]
    """
    found = _units(_polars(frame), columns, (control, treatment), (unit, variant, cluster, by))
    sides = {name: found.filter(variant=name) for name in (control, treatment)}
    for name, side in sides.items():
        if side.is_empty():
            message = f"there is no run of {name!r}.{did_you_mean(name, found['variant'])}"
            raise AnalysisError(message)
    both = sides[control].join(sides[treatment], on="unit", suffix="|")
    smaller = min(side.height for side in sides.values())
    known = {
        "control": control,
        "treatment": treatment,
        "runs": {name: int(side["runs"].sum()) for name, side in sides.items()},
        "by": by or "",
        "simulated": bool(found["simulated"].any()),
    }
    if are_pairs(both.height, smaller, paired=paired):
        return _pairs(both, found, columns, known, bool(cluster), bool(by))
    return _apart(sides, both, columns, known, bool(cluster), bool(by))


def are_pairs(both: int, smaller: int, *, paired: bool | None) -> bool:
    """Return whether units are compared with themselves.

    Args:
        both: how many units met several variants.
        smaller: how many met the variant that the fewest met.
        paired: what somebody takes them for; what most of them are cannot be argued away.
    """
    return both > _PAIRED * smaller or (paired is True and both >= LEAST_ROWS)


def _pairs(
    both: pl.DataFrame,
    found: pl.DataFrame,
    columns: Sequence[str],
    known: dict[str, Any],  # what any rows know of themselves
    *asked: bool,
) -> Rows:
    names = [*columns, *(f"{column}|" for column in columns)]
    whole = both.drop_nulls(names).sort("at")
    keys = set(found["unit"]) - set(whole["unit"])
    values = {
        known["control"]: {name: whole[name].to_numpy() for name in columns},
        known["treatment"]: {name: whole[f"{name}|"].to_numpy() for name in columns},
    }
    units = whole["unit"].to_numpy().astype(np.str_)
    table = Table(values, *_marks(whole, *asked), np.arange(whole.height), units)
    return Rows(paired=table, lost=tuple(sorted(keys)), **known)


def _apart(
    sides: dict[str, pl.DataFrame],
    both: pl.DataFrame,
    columns: Sequence[str],
    known: dict[str, Any],  # what any rows know of themselves
    *asked: bool,
) -> Rows:
    import polars as pl

    single = pl.concat(sides.values()).join(both, on="unit", how="anti")
    # Units, not runs: who came back often was promised no more.
    known["runs"] = {name: single.filter(variant=name).height for name in sides}
    whole = single.drop_nulls(list(columns)).sort("at").with_row_index("place")
    tables = {}
    for name in sides:
        mine = whole.filter(variant=name)
        values = {name: {column: mine[column].to_numpy() for column in columns}}
        at = mine["place"].to_numpy().astype(np.intp)
        units = mine["unit"].to_numpy().astype(np.str_)
        tables[name] = Table(values, *_marks(mine, *asked), at, units)
    lost = tuple(sorted(set(single["unit"]) - set(whole["unit"])))
    return Rows(paired=None, apart=tables, lost=lost, multi=both.height, **known)


def _marks(
    found: pl.DataFrame,
    cluster: bool,  # noqa: FBT001 — a private question
    by: bool,  # noqa: FBT001 — as above
) -> tuple[NDArray[np.intp] | None, NDArray[np.str_]]:
    clusters = found["cluster"].rank("dense").to_numpy().astype(np.intp) - 1 if cluster else None
    labels = found["segment"].to_numpy() if by else np.array([], dtype=np.str_)
    return clusters, labels.astype(np.str_)


def _units(
    frame: pl.DataFrame,
    columns: Sequence[str],
    variants: tuple[str, str],
    names: tuple[str, str, str | None, str | None],
) -> pl.DataFrame:
    import polars as pl

    unit, variant, cluster, by = names
    for name in (*columns, *filter(None, names)):
        if name not in frame.columns:
            message = f"the frame has no column {name!r}.{did_you_mean(name, frame.columns)}"
            raise AnalysisError(message)
    marks = [
        pl.col(name).cast(pl.String).fill_null("unknown").first().alias(as_)
        for name, as_ in ((cluster, "cluster"), (by, "segment"))
        if name
    ]
    stand_in = pl.col("simulated").any() if "simulated" in frame.columns else pl.lit(value=False)
    return (
        frame.with_row_index("|at")
        .filter(pl.col(variant).is_in(variants))
        .group_by(
            pl.col(unit).cast(pl.String).alias("unit"),
            pl.col(variant).cast(pl.String).alias("variant"),
            maintain_order=True,
        )
        .agg(
            *(pl.col(name).cast(pl.Float64).mean().alias(name) for name in columns),
            *marks,
            pl.len().alias("runs"),
            pl.col("|at").max().alias("at"),
            stand_in.alias("simulated"),
        )
    )


def _polars(frame: Any) -> pl.DataFrame:  # a frame of either library, or a lazy one
    import polars as pl

    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    return frame if isinstance(frame, pl.DataFrame) else pl.from_pandas(frame)
