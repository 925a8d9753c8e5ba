"""One experiment, one answer: from the warehouse, from frames of any library, and from Dask."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.analysis import Part, analyze_all
from promptstudio_lab.experiments.frames import analyze_frame
from promptstudio_lab.experiments.rows import rows_of
from promptstudio_lab.lab import OnlineExperiment
from tests.experiments.parts import frame as made
from tests.lab.test_online import compared as online
from tests.lab.test_unit_sums import compared as offline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from promptstudio_lab.experiments.report import Report
    from promptstudio_lab.lab import Lab

NUMBERS = ("control", "treatment", "estimate", "low", "high", "p_value", "se", "n")
RUNS = """
SELECT v.name AS variant, r.unit_key AS unit, r.success, r.execution_time_ms AS latency_ms,
    CAST(r.total_cost AS DOUBLE PRECISION) / 1e9 AS cost_usd
FROM flow_execution AS r JOIN flow_variant AS v ON v.id = r.variant_id
WHERE r.status IN ('succeeded', 'failed', 'partial') ORDER BY r.id
"""


def agree(found: Report, expected: Report) -> None:
    assert found.effects.keys() == expected.effects.keys()
    for name, effect in expected.effects.items():
        for number in NUMBERS:
            exact = pytest.approx(getattr(effect, number), rel=1e-9, abs=1e-15, nan_ok=True)
            assert getattr(found[name], number) == exact, (name, number)
    assert found.decision.action == expected.decision.action
    assert found.counts == expected.counts


def as_parquet(frame: pl.DataFrame, folder: Path) -> str:
    for part in range(3):
        frame[part::3].write_parquet(folder / f"part-{part}.parquet")
    return str(folder / "*.parquet")


def as_dask(frame: pl.DataFrame, folder: Path) -> Any:  # a Dask frame, which has no types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dask.dataframe as dd
    return dd.from_pandas(as_pandas(frame, folder), npartitions=4)  # type: ignore[no-untyped-call]  # Dask ships no types


def as_pandas(frame: pl.DataFrame, _: Path) -> pd.DataFrame:
    return pd.DataFrame(frame.to_dict(as_series=False))


SOURCES: dict[str, Callable[[pl.DataFrame, Path], Any]] = {  # whatever `analyze` takes
    "polars": lambda frame, _: frame,
    "lazy": lambda frame, _: frame.lazy(),
    "parts": lambda frame, _: [frame[:100], frame[100:].lazy()],
    "parquet": as_parquet,
    "pandas": as_pandas,
    "dask": as_dask,
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", ["paired", "apart"])
def test_every_source_gives_the_warehouses_report(
    shared_runs: dict[str, tuple[pl.DataFrame, Report]], tmp_path: Path, source: str, kind: str
) -> None:
    frame, expected = shared_runs[kind]
    data = SOURCES[source](frame, tmp_path)
    control = expected.control
    weights = {"formal": 0.5, "warm": 0.5} if kind == "apart" else None
    found = ps.analyze(data, unit="unit", control=control, weights=weights)
    agree(found, expected)


@pytest.fixture
def shared_runs(lab: Lab) -> dict[str, tuple[pl.DataFrame, Report]]:
    """Return the runs of a paired and of an online experiment, with the warehouse's reports."""
    paired = offline(lab)
    paired.run()
    found = {"paired": (lab.sql(RUNS), paired.report())}
    apart = online(lab).start()
    assert isinstance(apart, OnlineExperiment)
    apart.batch([{"user": f"u{n % 90}", "name": "x" * (n % 7)} for n in range(120)])
    runs = lab.sql(RUNS).filter(pl.col("variant").is_in(["formal", "warm"]))
    return {**found, "apart": (runs, apart.report())}


def rows(n: int = 500, seed: int = 3) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "variant": random.choice(["control", "b", "c"], n),
            "success": random.random(n) < 0.5,
            "cost_usd": random.lognormal(-8, 0.4, n) + 1e6,
        }
    )


@pytest.mark.parametrize("source", SOURCES)
def test_rows_without_units_are_units_of_their_own(source: str, tmp_path: Path) -> None:
    frame = rows()
    found = analyze_frame(SOURCES[source](frame, tmp_path))
    one = analyze_frame(frame.with_columns(id=pl.int_range(pl.len())), unit="id")
    for report, other in zip(found, one, strict=True):
        agree(report, other)
    assert found["b"].reason.startswith("each row met one variant")
    assert found["b"].counts == {
        name: frame.filter(variant=name).height for name in ("control", "b")
    }


def test_a_row_that_lacks_a_value_is_left_out() -> None:
    frame = rows()
    holed = frame.with_columns(
        cost_usd=pl.when(pl.int_range(pl.len()) % 10 == 0).then(None).otherwise("cost_usd")
    )
    whole = holed.drop_nulls()
    for report, other in zip(analyze_frame(holed), analyze_frame(whole), strict=True):
        agree(report, other)


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(pl.Series([True, False] * 2000), id="flags"),
        pytest.param(pl.Series([0, 1, 1, None] * 1000, dtype=pl.Int8), id="some missing"),
        pytest.param(pl.Series([1] * 1000 + [*range(3000)]), id="more than two in the end"),
        pytest.param(pl.Series([7, None] * 2000), id="always the same"),
    ],
)
def test_a_column_of_two_values_adds_up_as_any_other(flags: pl.Series) -> None:
    random = np.random.default_rng(4)
    frame = pl.DataFrame({
        "variant": random.choice(["control", "b"], 4000),
        "success": flags,
        "cost_usd": random.lognormal(-8, 0.5, 4000),
    })  # fmt: skip
    metrics = (ps.Mean("success"), ps.RatioOfSums("cost_usd", "success", name="each"))
    found = analyze_frame(frame, metrics=metrics)
    expected = analyze_frame(frame.cast({"success": pl.Float64}), metrics=metrics)
    agree(found, expected)


def test_units_that_met_both_are_paired_and_who_lacks_a_partner_is_named() -> None:
    frame = pl.DataFrame(
        {
            "variant": ["control"] * 40 + ["b"] * 39,
            "unit": [*range(40), *range(39)],
            "success": [0, 1] * 20 + [1] * 39,
        }
    )
    report = analyze_frame(frame, unit="unit")
    assert report.unpaired == ("39",)
    assert report.reason.startswith("paired by unit")
    few = analyze_frame(
        pl.concat([frame, frame.with_columns(unit=pl.col("unit") + pl.int_range(pl.len()) * 100)]),
        unit="unit",
        paired=False,
    )
    assert "that met two variants are left out" in few.reason


def test_what_cannot_be_compared_is_said() -> None:
    frame = rows()
    for wrong, said in (
        ({"variant": "varient"}, "did you mean 'variant'"),
        ({"unit": "id"}, "no column 'id'"),
        ({"control": "d"}, "no row is of the variant 'd'"),
        ({"metrics": [ps.Mean("quality")]}, "no column 'quality'"),
    ):
        with pytest.raises(AnalysisError, match=said):
            analyze_frame(frame, **wrong)
    with pytest.raises(AnalysisError, match="at least two"):
        analyze_frame(frame.filter(variant="control"))
    with pytest.raises(AnalysisError, match="none of the usual metrics"):
        analyze_frame(frame.select("variant"))
    with pytest.raises(AnalysisError, match="has no variant"):
        analyze_frame(frame.with_columns(variant=pl.lit(None, pl.String)))
    with pytest.raises(AnalysisError, match="has no 'id'"):
        analyze_frame(frame.with_columns(id=pl.lit(None, pl.String)), unit="id")
    with pytest.raises(AnalysisError, match="fewer than 2 rows met 'b'"):
        analyze_frame(pl.concat([frame.filter(variant="control"), frame.filter(variant="b")[:1]]))
    with pytest.raises(AnalysisError, match="'cost_usd' are not finite"):
        analyze_frame(frame.with_columns(cost_usd=pl.lit(float("nan"))))


def runs(n: int = 400, *, apart: bool = False) -> pl.DataFrame:
    """Return rows of two variants with documents, languages and who answered."""
    return made(n, apart=apart).with_columns(simulated=pl.lit(value=True))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("apart", [False, True], ids=["paired", "apart"])
def test_quantiles_segments_and_clusters_are_read_off_rows_of_any_source(
    tmp_path: Path, source: str, apart: Any
) -> None:
    frame = runs(apart=apart)
    metrics = [ps.Rate("success"), ps.Quantile("latency_ms", 0.9, max_regression="20%")]
    report = ps.analyze(
        SOURCES[source](frame, tmp_path),
        unit="unit",
        control="a",
        metrics=metrics,
        by="language",
        cluster="document",
    )
    expected = rows_of(
        frame,
        ["success", "latency_ms"],
        control="a",
        treatment="b",
        cluster="document",
        by="language",
    )
    (other,) = analyze_all(
        [Part.of_rows(expected, metrics)], name="frame", control="a", metrics=metrics
    )
    agree(report, other)
    assert {row.name for row in report.segments.rows} == {"en", "de"}
    assert report.rows.n == frame.unique("unit").height
    assert report.simulated


@pytest.mark.parametrize("source", ["lazy", "dask"])
@pytest.mark.parametrize("apart", [False, True], ids=["paired", "apart"])
def test_a_report_from_sums_reads_its_rows_when_it_is_asked(
    tmp_path: Path, source: str, apart: Any
) -> None:
    report = ps.analyze(SOURCES[source](runs(apart=apart), tmp_path), unit="unit", control="a")
    again = report.rows.sums([finding.metric for finding in report.findings])
    for finding in report.findings:
        effect = finding.metric.effect(again, "a", "b", finding.effect.alpha)
        assert effect.estimate == pytest.approx(finding.effect.estimate)
        assert effect.se == pytest.approx(finding.effect.se)
    assert report.plot("timeline").to_dict()["layer"]
    assert {check.name: check.state for check in report.health}["novelty"] == "ok"
    assert report.simulated


def test_an_unpaired_analysis_of_paired_rows_is_corrected_and_said() -> None:
    frame = runs()
    paired = ps.analyze(frame, unit="unit", control="a")
    for by in (None, "language"):
        report = ps.analyze(frame, unit="unit", control="a", paired=False, by=by)
        agree(report, paired)
        assert "an unpaired analysis was asked for" in report.reason
    apart = ps.analyze(runs(apart=True), unit="unit", control="a", paired=True)
    assert "a paired analysis was asked for" in apart.reason


def test_few_that_met_both_are_pairs_for_who_wants_them() -> None:
    frame = runs(apart=True)
    both = pl.concat([frame, runs()[:40]])
    assert ps.analyze(both, unit="unit", control="a").reason.startswith("each unit met one")
    found = ps.analyze(both, unit="unit", control="a", paired=True)
    assert found.items == 20
    assert found.decision.action == "invalid", "most lack a partner"
