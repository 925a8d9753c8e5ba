"""The same report from somebody's own rows: polars, pandas, Parquet files, or a Dask frame.

Rows become sums where they lie, in one pass; a Dask frame's partitions become sums on its workers.
Rows of one unit are averaged first, so a unit may lie in several partitions or files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.experiments.analysis import Part, analyze_all, two_variants
from promptstudio_lab.experiments.behind import Columns, parts_of, raw
from promptstudio_lab.experiments.rows import are_pairs
from promptstudio_lab.experiments.several import Comparisons
from promptstudio_lab.experiments.wording import ROWS, Noun
from promptstudio_lab.metrics import default_metrics
from promptstudio_lab.stats.bayes.effect import FLAT
from promptstudio_lab.stats.sums import LEAST_ROWS, Sums, SumsApart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    import polars as pl

    from promptstudio_lab.experiments.report import Report
    from promptstudio_lab.experiments.rows import Rows
    from promptstudio_lab.metrics import Metric
    from promptstudio_lab.stats.bayes.effect import Prior
    from promptstudio_lab.stats.looks import Method

_CONTROL = "control"
_SAMPLE = 1000
_FLAG = 2
_SIMULATED = "simulated"
_ROWS = "__rows"


@dataclass(frozen=True, slots=True)
class _Wanted:
    variant: str
    unit: str | None
    columns: tuple[str, ...]
    shift: tuple[float, ...] = ()
    flag: int | None = None  # the place of a column that has two values


def analyze_frame(  # noqa: PLR0913 — what the columns mean, what is asked, and how it is judged
    data: Any,  # a frame of polars, pandas or Dask, Parquet files, or a list of them
    *,
    variant: str = "variant",
    unit: str | None = None,
    control: str | None = None,
    metrics: Sequence[Metric] | None = None,
    by: str | None = None,
    cluster: str | None = None,
    paired: bool | None = None,
    weights: Mapping[str, float] | None = None,
    method: Method = "anytime",
    alpha: float = 0.05,
    name: str = "frame",
    prior: Prior = FLAT,
) -> Any:  # a Report of one treatment, Comparisons of several
    """Return the report of an experiment whose runs are rows of a frame.

    Args:
        data: a frame of polars (also lazy), pandas or Dask, the path of a Parquet file or files, or
            a list of these as parts of one table.
        variant: the column that names each row's variant.
        unit: the column of the item or the person; rows of one unit count once, with their mean.
            Without it each row is a unit of its own.
        control: the control's variant; the one called `control` by default.
        metrics: what to measure; of the usual ones by default those whose columns are there.
        by: the column of the segments: every goal is told for each of its values, too.
        cluster: the column of what units come in, such as the document of a question.
        paired: what you take the data for. Where more than half of the units met several variants
            they are compared with themselves, whatever is said here, and the report says so; True
            does that for fewer, too.
        weights: the promised share of each variant, which the counts are then tested against.
        method: `anytime`, which allows looking at any time, or `fixed`.
        alpha: the chance of naming a winner where there is none.
        name: what the report is called.
        prior: of every relative effect, for the chance to win, which describes: `ps.Prior(0, 0.3)`.

    Returns:
        A `Report` of one treatment, or `Comparisons` of several.

    Raises:
        AnalysisError: if a column or a variant is missing, or too few units are there.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"variant": ["control", "b"] * 80, "success": [0, 1, 1, 1] * 40})
    >>> report = analyze_frame(frame)
    >>> report.decision.action, report["success"].estimate
    ('ship', 0.5)
    """
    noun = ROWS if unit is None else Noun.of(unit)
    where = Columns(variant, unit, by, cluster, paired, weights, noun=noun)
    judged: Any = {"name": name, "alpha": alpha, "method": method, "prior": prior}  # as it takes
    reports = frame_reports(data, where, metrics=metrics, control=control, **judged)
    if len(reports) == 1:
        return reports[0]
    return Comparisons(name, reports[0].control, tuple(reports))


def frame_columns(data: Any) -> list[str]:  # as `analyze_frame` takes it
    """Return the names of the columns of somebody's own rows."""
    return _Shards.of(data).columns()


def frame_reports(
    data: Any,  # as `analyze_frame` takes it
    where: Columns,
    *,
    metrics: Sequence[Metric] | None = None,
    control: str | None = None,
    treatments: Sequence[str] | None = None,
    standing: Callable[[list[Part]], list[Part]] = list,
    **judged: Any,  # as `analyze_all` takes it
) -> list[Report]:
    """Return the reports of somebody's own rows: one a treatment.

    Args:
        data: as `analyze_frame` takes it.
        where: what its columns mean.
        metrics: as `analyze_frame` takes it.
        control: the same.
        treatments: the variants to compare with the control; all others by default.
        standing: says of parts where their planned looks stand.
        judged: the reports' name, and how they are judged, as `analyze_all` takes it.

    Raises:
        AnalysisError: if a column or a variant is missing, or too few units are there.
    """
    shards = _Shards.of(data)
    there = shards.columns()
    chosen = _metrics(metrics, there)
    columns = tuple(dict.fromkeys(column for metric in chosen for column in metric.columns))
    for column in (*where.named, *raw(chosen)):
        if column not in there:
            message = f"the frame has no column {column!r}.{did_you_mean(column, there)}"
            raise AnalysisError(message)
    simulated = _SIMULATED in there and shards.any(_SIMULATED)
    wanted = [*where.named, *raw(chosen), *([_SIMULATED] if simulated else [])]

    def read(first: str, others: Sequence[str]) -> list[Part]:
        return parts_of(shards.whole(wanted), where, first, others, chosen)

    if where.needs_rows(chosen):
        first, others = _arms(shards.variants(where.variant), control, treatments)
        parts = read(first, others)
    else:
        asked = _Wanted(where.variant, where.unit, columns)
        found = _rows_apart(shards, asked) if where.unit is None else _units(shards, asked, where)
        first, others = _arms(found.rows, control, treatments)
        parts = [
            replace(
                part,
                simulated=simulated,
                read=partial(_rows, read, first, part.treatment),
            )
            for part in found.parts(first, others, where)
        ]
    whole = standing(parts)
    return analyze_all(whole, control=first, metrics=chosen, paired=where.paired, **judged)


def _rows(read: Callable[..., list[Part]], control: str, treatment: str) -> Rows:
    (part,) = read(control, [treatment])
    if part.rows is None:
        message = "these parts were made of no rows"
        raise AnalysisError(message)
    return part.rows


@dataclass(frozen=True, slots=True)
class _Shards:
    """The parts of one table, each lazy; or a Dask frame, whose parts lie elsewhere."""

    lazy: tuple[pl.LazyFrame, ...]
    spread: Any = None  # a Dask frame, which has no types

    @classmethod
    def of(cls, data: Any) -> _Shards:  # as `analyze_frame` takes it
        if hasattr(data, "map_partitions"):
            return cls((), data)
        return cls(tuple(map(_lazy, data if isinstance(data, (list, tuple)) else [data])))

    def columns(self) -> list[str]:
        if self.spread is not None:
            return [str(name) for name in self.spread.columns]
        return self.lazy[0].collect_schema().names()

    def any(self, column: str) -> bool:
        """Return whether a column of flags has any that is set."""
        import polars as pl

        if self.spread is not None:
            return bool(self.spread[column].any().compute())
        flags = [one.select(pl.col(column).cast(pl.Boolean).any()).collect() for one in self.lazy]
        return any(flag.item() for flag in flags)

    def variants(self, column: str) -> list[str]:
        """Return the names of the variants."""
        import polars as pl

        if self.spread is not None:
            found = set(self.spread[column].astype(str).unique().compute())
        else:
            names = pl.col(column).cast(pl.String).unique()
            found = {name for one in self.lazy for name in one.select(names).collect()[column]}
        if None in found:
            raise _nameless()
        return sorted(found)

    def whole(self, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns of all rows, here."""
        import polars as pl

        names = list(dict.fromkeys(columns))
        if self.spread is not None:
            return pl.from_pandas(self.spread[names].compute())
        parts = [one.select(names) for one in self.lazy]
        return pl.concat(parts, how="vertical_relaxed").collect()

    def sample(self, columns: Sequence[str]) -> pl.DataFrame:
        """Return some rows, to see where numbers lie."""
        head = _lazy(self._head()) if self.spread is not None else self.lazy[0]
        return head.head(_SAMPLE).select(columns).collect()

    def _head(self) -> pd.DataFrame:
        first: pd.DataFrame = self.spread.partitions[0].map_partitions(_first).compute()
        return first

    def reduced(self, wanted: _Wanted, work: Callable[..., pl.DataFrame]) -> list[pl.DataFrame]:
        """Return what `work` makes of each part, computed where the part lies."""
        import polars as pl

        if self.spread is None:
            return [work(one, wanted) for one in self.lazy]
        of_part = partial(_of_partition, wanted=wanted, work=work)
        like = of_part(self._head())
        return [pl.from_pandas(self.spread.map_partitions(of_part, meta=like.iloc[:0]).compute())]


@dataclass(frozen=True, slots=True)
class _Paired:
    rows: dict[str, int]
    table: pl.DataFrame
    wanted: _Wanted

    def parts(self, control: str, others: Sequence[str], where: Columns) -> list[Part]:
        found = []
        for treatment in others:
            sides = [
                self.table.filter(variant=name).drop_nulls().rename(
                    {column: f"{name}.{column}" for column in self.wanted.columns}
                ).drop("variant")
                for name in (control, treatment)
            ]  # fmt: skip
            both = sides[0].join(sides[1], on="unit", how="inner")
            every = self.table.filter(self.table["variant"].is_in([control, treatment]))
            alone = set(every["unit"]) - set(both["unit"])
            sums = Sums.of({c: both[c].to_numpy() for c in both.columns if c != "unit"})
            found.append(
                Part(
                    treatment,
                    sums,
                    counts={name: self.rows[name] for name in (control, treatment)},
                    expected=where.expected(control, treatment),
                    unpaired=tuple(sorted(map(str, alone))),
                    noun=where.noun,
                )
            )
        return found


@dataclass(frozen=True, slots=True)
class _Apart:
    rows: dict[str, int]
    arms: dict[str, Sums]
    left_out: int | None = None

    def parts(self, control: str, others: Sequence[str], where: Columns) -> list[Part]:
        for name in (control, *others):
            if name not in self.arms or self.arms[name].n < LEAST_ROWS:
                few = f"fewer than 2 {where.noun.many} met {name!r}"
                message = f"{few}, so nothing can be compared with it"
                raise AnalysisError(message)
        return [
            Part(
                treatment,
                SumsApart({name: self.arms[name] for name in (control, treatment)}),
                counts={name: self.arms[name].n for name in (control, treatment)},
                expected=where.expected(control, treatment),
                multi=self.left_out,
                noun=where.noun,
                notes=(two_variants(self.left_out),) if self.left_out else (),
            )
            for treatment in others
        ]


def _rows_apart(shards: _Shards, wanted: _Wanted) -> _Apart:
    """Return each variant's sums, every row a unit: one pass over the columns that are needed."""
    sample = shards.sample(wanted.columns).get_columns()
    flag = next((at for at, column in enumerate(sample) if _two_valued(column)), None)
    wanted = replace(wanted, shift=tuple(map(_near, sample)), flag=flag)
    arms: dict[str, Sums] = {}
    for table in shards.reduced(wanted, _row_sums):
        for row in table.iter_rows(named=True):
            sums = _sums(row, wanted)
            name = str(row["variant"])
            arms[name] = arms[name].merge(sums) if name in arms else sums
    return _Apart({name: sums.n for name, sums in arms.items()}, arms, 0)


def _units(shards: _Shards, wanted: _Wanted, where: Columns) -> _Paired | _Apart:
    """Return the sums over units, each with its mean."""
    import polars as pl

    whole = pl.concat(shards.reduced(wanted, _unit_sums), how="vertical_relaxed")
    added = whole.group_by("variant", "unit").agg(pl.all().sum())
    met = added.group_by("unit").len()
    several = met.filter(pl.col("len") > 1)
    smaller = min(added.group_by("variant").len()["len"], default=0)
    paired = are_pairs(several.height, smaller, paired=where.paired)
    totals = added.group_by("variant").agg(pl.col(_ROWS).sum())
    rows = dict(totals.iter_rows())
    means = added.select(
        "variant",
        "unit",
        *(
            pl.when(pl.col(f"n {name}") > 0).then(pl.col(name) / pl.col(f"n {name}")).alias(name)
            for name in wanted.columns
        ),
    ).sort("variant", "unit")
    if paired:
        return _Paired(rows, means, wanted)
    once = means.join(several, on="unit", how="anti").drop_nulls()
    arms = {
        str(name): Sums.of({column: arm[column].to_numpy() for column in wanted.columns})
        for (name,), arm in once.partition_by("variant", as_dict=True).items()
    }
    return _Apart(rows, arms, several.height)


def _row_sums(rows: pl.LazyFrame, wanted: _Wanted) -> pl.DataFrame:
    import polars as pl

    moved = [
        pl.col(name).cast(pl.Float64) - shift
        for name, shift in zip(wanted.columns, wanted.shift, strict=True)
    ]
    # Rows of one flag share its value: what is added up with it need not be made row by row.
    apart = [at for at in range(len(moved)) if at != wanted.flag]
    asked = [
        pl.len().alias(_ROWS),
        *(pl.col(wanted.columns[at]).null_count().alias(f"no {at}") for at in apart),
        *(moved[at].sum().alias(f"sum {at}") for at in apart),
        *((moved[i] * moved[j]).sum().alias(_product(i, j)) for i, j in _pairs(apart)),
    ]
    keys = [pl.col(wanted.variant).cast(pl.String).alias("variant")]
    lacking = [pl.col(f"no {at}") > 0 for at in apart]
    if wanted.flag is not None:
        keys.append(pl.col(wanted.columns[wanted.flag]).alias("flag"))
        lacking.append(pl.col("flag").is_null())
    found = rows.group_by(keys).agg(asked).collect(engine="streaming")
    if found.select(pl.any_horizontal(lacking).any()).item():
        # Rarely: a row counts if it is whole.
        return _row_sums(rows.drop_nulls([wanted.variant, *wanted.columns]), wanted)
    return _named(found if wanted.flag is None else _flagged(found, wanted, wanted.flag))


def _flagged(found: pl.DataFrame, wanted: _Wanted, flag: int) -> pl.DataFrame:
    """Return sums of each variant from those of each variant and flag."""
    import polars as pl

    value = pl.col("flag").cast(pl.Float64) - wanted.shift[flag]
    total = value * pl.col(_ROWS)
    crossed = [
        (value * (total if at == flag else pl.col(f"sum {at}"))).alias(_product(at, flag))
        for at in range(len(wanted.columns))
    ]
    whole = found.with_columns(total.alias(f"sum {flag}"), *crossed)
    return whole.group_by("variant").agg(pl.exclude("flag").sum())


def _unit_sums(rows: pl.LazyFrame, wanted: _Wanted) -> pl.DataFrame:
    import polars as pl

    keys = {"variant": wanted.variant, "unit": str(wanted.unit)}
    numbers = [pl.col(name).cast(pl.Float64) for name in wanted.columns]
    asked = [
        pl.len().cast(pl.Int64).alias(_ROWS),
        *(one.sum() for one in numbers),
        *(pl.col(name).count().cast(pl.Int64).alias(f"n {name}") for name in wanted.columns),
    ]
    by = [pl.col(column).cast(pl.String).alias(name) for name, column in keys.items()]
    found = rows.group_by(by).agg(asked).collect(engine="streaming")
    if found["unit"].null_count():
        message = f"a row has no {wanted.unit!r}, so nobody knows whose it is"
        raise AnalysisError(message)
    return _named(found)


def _named(found: pl.DataFrame) -> pl.DataFrame:
    if found["variant"].null_count():
        raise _nameless()
    return found


def _nameless() -> AnalysisError:
    return AnalysisError("a row has no variant, so nobody knows what it is a result of")


def _first(part: pd.DataFrame) -> pd.DataFrame:
    return part.head(_SAMPLE)


def _of_partition(
    part: pd.DataFrame, wanted: _Wanted, work: Callable[..., pl.DataFrame]
) -> pd.DataFrame:
    return work(_lazy(part), wanted).to_pandas()


def _lazy(data: Any) -> pl.LazyFrame:  # a frame of either library, or a path
    import polars as pl

    if isinstance(data, pl.LazyFrame):
        return data
    if isinstance(data, (str, Path)):
        return pl.scan_parquet(data)
    frame = data if isinstance(data, pl.DataFrame) else pl.from_pandas(data)
    return frame.lazy()


def _two_valued(column: pl.Series) -> bool:
    return not column.dtype.is_float() and column.drop_nulls().n_unique() <= _FLAG


def _near(column: pl.Series) -> float:
    import polars as pl

    values = column.cast(pl.Float64).drop_nulls().to_numpy()
    if not len(values) or not np.isfinite(values).all():
        return 0.0
    # The mean of a constant may round away from it.
    return float(values[0]) if values.min() == values.max() else float(values.mean())


def _sums(row: Mapping[str, Any], wanted: _Wanted) -> Sums:  # a row of sums
    width = len(wanted.columns)
    products = [[0.0] * width for _ in range(width)]
    for i, j in _pairs(range(width)):
        products[i][j] = products[j][i] = float(row[_product(i, j)])
    totals = tuple(float(row[f"sum {at}"]) for at in range(width))
    for name, total in zip(wanted.columns, totals, strict=True):
        if not math.isfinite(total):
            message = f"the sums of column {name!r} are not finite, because a value is not"
            raise AnalysisError(message)
    squares = tuple(map(tuple, products))
    return Sums(int(row[_ROWS]), wanted.columns, wanted.shift, totals, squares)


def _pairs(places: Iterable[int]) -> Iterable[tuple[int, int]]:
    return combinations_with_replacement(places, 2)


def _product(i: int, j: int) -> str:
    return f"product {min(i, j)} {max(i, j)}"


def _metrics(metrics: Sequence[Metric] | None, there: Sequence[str]) -> list[Metric]:
    if metrics is not None:
        return list(metrics)
    usual = [metric for metric in default_metrics() if set(metric.raw) <= set(there)]
    if not usual:
        message = (
            f"none of the usual metrics has its columns among {', '.join(there)}."
            " Hint: metrics=[ps.Mean(column, role='goal')]"
        )
        raise AnalysisError(message)
    return usual


def _arms(
    there: Iterable[str], control: str | None, treatments: Sequence[str] | None
) -> tuple[str, list[str]]:
    names = sorted(there)
    first = control or _CONTROL
    if first not in names:
        message = f"no row is of the variant {first!r}.{did_you_mean(first, names)}"
        raise AnalysisError(message)
    for name in treatments or ():
        if name not in names:
            message = f"no row is of the variant {name!r}.{did_you_mean(name, names)}"
            raise AnalysisError(message)
    others = list(treatments or (name for name in names if name != first))
    if not others:
        message = f"all rows are of the variant {first!r}: at least two are compared"
        raise AnalysisError(message)
    return first, others
