"""The rows behind sums: read where sums cannot answer, or when somebody wants to see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promptstudio_lab.experiments.analysis import Part
from promptstudio_lab.experiments.rows import rows_of
from promptstudio_lab.experiments.wording import ITEMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.metrics import Metric

EACH = "|row"
"""The column of units where each row is one."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of rows mean, and how they are compared.

    Attributes:
        variant: the column of each row's variant.
        unit: the column of the item or the person; None where each row is one.
        by: the column of the segments.
        cluster: the column of what units come in.
        paired: what the data are taken for; they decide for themselves, unless it is True.
        promised: the share of each variant, where shares were promised.
        fields: values of `by` and `cluster` by unit, where they are no columns.
        noun: what the units are.
    """

    variant: str = "variant"
    unit: str | None = None
    by: str | None = None
    cluster: str | None = None
    paired: bool | None = None
    promised: Mapping[str, float] | None = None
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    noun: Noun = ITEMS

    def needs_rows(self, metrics: Sequence[Metric]) -> bool:
        """Return whether sums alone cannot answer."""
        made = any(metric.raw != metric.columns for metric in metrics)
        return made or bool(self.by or self.cluster)

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that rows must have, beside what is measured."""
        marks = (one for one in (self.by, self.cluster) if one not in self.fields)
        return tuple(dict.fromkeys(filter(None, (self.variant, self.unit, *marks))))

    def expected(self, *variants: str) -> dict[str, float] | None:
        """Return the promised share of each of these variants, or None if none was promised."""
        promised = self.promised
        return None if promised is None else {name: promised.get(name, 1.0) for name in variants}


def raw(metrics: Sequence[Metric]) -> list[str]:
    """Return every column that metrics are made from, once."""
    return list(dict.fromkeys(name for metric in metrics for name in metric.raw))


def parts_of(
    frame: pl.DataFrame,
    where: Columns,
    control: str,
    treatments: Sequence[str],
    metrics: Sequence[Metric],
    sql: str = "",
) -> list[Part]:
    """Return each treatment's rows beside the control's.

    Args:
        frame: one row a run.
        where: what its columns mean.
        control: the control's variant.
        treatments: the others.
        metrics: what is measured; the frame has their columns.
        sql: the query that made the rows.

    Raises:
        AnalysisError: if a column is missing, or a variant has no run.
    """
    whole = _with_fields(frame, where)
    parts = []
    for treatment in treatments:
        rows = rows_of(
            whole,
            raw(metrics),
            control=control,
            treatment=treatment,
            unit=where.unit or EACH,
            variant=where.variant,
            cluster=where.cluster,
            by=where.by,
            paired=where.paired,
        )
        expected = where.expected(control, treatment)
        parts.append(Part.of_rows(rows, metrics, expected=expected, sql=sql, noun=where.noun))
    return parts


def _with_fields(frame: pl.DataFrame, where: Columns) -> pl.DataFrame:
    import polars as pl

    if where.unit is None:
        return frame.with_row_index(EACH)
    added = [
        pl.Series(name, [of.get(str(unit)) for unit in frame[where.unit]], dtype=pl.String)
        for name, of in where.fields.items()
    ]
    return frame.with_columns(added)
