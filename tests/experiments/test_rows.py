from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.analysis import Part, analyze_all
from promptstudio_lab.experiments.rows import Rows, rows_of
from promptstudio_lab.metrics import Mean, Metric, Quantile, Rate, RatioOfSums
from promptstudio_lab.stats.clusters import clustered_difference
from promptstudio_lab.stats.sums import Sums, SumsApart
from tests.experiments.parts import frame, report

if TYPE_CHECKING:
    from promptstudio_lab.experiments.report import Report

COLUMNS = ("success", "cost_usd", "latency_ms")
METRICS: tuple[Metric, ...] = (
    Rate("success"),
    Mean("cost_usd"),
    RatioOfSums("cost_usd", "success", name="cost_per_success"),
    Quantile("latency_ms", 0.95, max_regression="20%"),
)


def read(found: pl.DataFrame | None = None, **more: Any) -> Rows:  # as `rows_of` takes it
    table = frame() if found is None else found
    return rows_of(table, COLUMNS, control="a", treatment="b", **more)


def told(rows: Rows, **more: object) -> Report:
    part = Part.of_rows(rows, METRICS, expected={"a": 1, "b": 1})
    usual = {"name": "triage", "control": "a", "metrics": METRICS}
    (found,) = analyze_all([part], **{**usual, **more})  # type: ignore[arg-type] # what it takes
    return found


def test_units_that_met_both_variants_are_pairs_and_their_sums_are_those_of_columns() -> None:
    table = frame()
    rows = read(table)
    assert rows.paired is not None
    assert (rows.n, rows.clusters, rows.lost, rows.multi) == (400, 400, (), 0)
    sides = [table.filter(variant=name)["success"].to_numpy() for name in "ab"]
    sums, direct = rows.sums([Rate("success")]), Sums.of({"x": sides[0], "y": sides[1]})
    assert isinstance(sums, Sums)
    assert sums.covariance() == pytest.approx(direct.covariance(), rel=1e-9)


def test_a_unit_that_ran_again_counts_once_and_a_missing_value_leaves_it_out() -> None:
    table = frame()
    again = pl.concat([table, table.head(2)])
    assert read(again).runs == {"a": 401, "b": 401}
    assert read(again).n == 400
    gone = pl.col("unit").is_in(["t3", "t7"])
    holes = table.with_columns(success=pl.when(~gone).then(pl.col("success")))
    assert read(holes).lost == ("t3", "t7")
    assert read(holes).n == 398


def test_units_that_met_one_variant_each_are_compared_apart() -> None:
    table = frame(apart=True)
    both = table.head(1).with_columns(variant=pl.lit("b"))
    rows = read(pl.concat([table, both]))
    assert rows.paired is None
    assert rows.multi == 1
    assert rows.runs == {"a": 199, "b": 200}
    sums = rows.sums(METRICS)
    assert isinstance(sums, SumsApart)
    assert sums["b"].n == 200
    found = told(rows)
    assert found.reason.startswith("each unit met one variant, independent arms of 199 and 200")
    assert {check.name: check.state for check in found.health}["exposures"] == "warn"


def test_clusters_are_those_of_the_clustered_difference() -> None:
    table = frame()
    found = told(read(table, cluster="document"), method="fixed")
    old, new = (table.filter(variant=name)["success"].to_numpy() for name in "ab")
    exact = clustered_difference(old, new, table.filter(variant="a")["document"].to_list())
    effect = found["success"]
    assert (effect.estimate, effect.se) == pytest.approx((exact.mean, exact.se), rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert (found.items, found.n) == (400, 100)
    tidy = found.to_polars()
    assert (tidy["n"][0], tidy["clusters"][0]) == (400, 100)
    assert "400 items in 100 clusters" in found.reason


def test_a_quantile_is_numpys_and_its_guardrail_is_judged() -> None:
    table = frame()
    found = told(read(table))
    effect = found["latency_ms_p95"]
    old, new = (table.filter(variant=name)["latency_ms"].to_numpy() for name in "ab")
    assert effect.control == pytest.approx(np.quantile(old, 0.95))
    assert effect.treatment == pytest.approx(np.quantile(new, 0.95))
    assert found.findings[3].guard in {"kept", "open"}
    few = told(read(frame(20)))
    assert math.isnan(few["latency_ms_p95"].estimate)
    assert "too few rows" in few["latency_ms_p95"].reason


def test_rows_come_in_order_and_halve() -> None:
    rows = read()
    assert rows.paired is not None
    first, rest = rows.first(100), rows.after(100)
    assert (first.n, rest.n) == (100, 300)
    assert first.paired is not None
    assert first.paired.values["a"]["cost_usd"].tolist() == (
        rows.paired.values["a"]["cost_usd"][:100].tolist()
    )


def test_frames_of_either_library_and_lazy_ones_say_the_same() -> None:
    table = frame(50)
    for other in (table.lazy(), table.to_pandas()):
        again = rows_of(other, COLUMNS, control="a", treatment="b")
        assert again.sums(METRICS[:3]) == read(table).sums(METRICS[:3])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"by": "langage"}, "no column 'langage'.*'language'"),
        ({"treatment": "c"}, "no run of 'c'"),
        ({"unit": "user"}, "no column 'user'"),
    ],
)
def test_what_is_not_there_is_named(
    given: dict[str, Any], words: str
) -> None:  # as `rows_of` takes it
    with pytest.raises(AnalysisError, match=words):
        rows_of(frame(10), COLUMNS, **{"control": "a", "treatment": "b", **given})


def test_a_report_from_sums_alone_has_no_rows() -> None:
    with pytest.raises(AnalysisError, match="made from sums alone"):
        _ = report().rows
