"""What a report of a real experiment tells beyond its sums: segments, clusters, health."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments import analysis
from promptstudio_lab.experiments.wording import amount, p_value
from promptstudio_lab.lab.experimenting.own import measured
from promptstudio_lab.metrics import default_metrics
from promptstudio_lab.stats.sums import Sums
from tests.lab.parts import TICKETS, classifying
from tests.lab.test_looks import look_again
from tests.lab.test_online import compared as online

if TYPE_CHECKING:
    from pathlib import Path

    from promptstudio_lab.lab import Experiment, Lab, OnlineExperiment

DATA = [
    {**TICKETS[n % 4], "id": f"t{n}", "language": "en" if n % 3 else "de", "document": f"d{n // 4}"}
    for n in range(48)
]


@pytest.fixture
def ran(memory: Lab) -> Experiment:
    return made(memory)


def made(lab: Lab) -> Experiment:
    flow = classifying(lab, "Label {{ ticket }}")
    experiment = lab.experiment(
        "e",
        flow=flow,
        variants={"a": None, "b": flow.vary("classify.prompt", "Which label? {{ ticket }}")},
        data=DATA,
        scorer=ps.exact("label"),
    )
    experiment.run()
    return experiment


def states(report: Any) -> dict[str, str]:  # a Report
    return {check.name: check.state for check in report.health}


def test_a_field_of_the_items_makes_segments(ran: Experiment) -> None:
    report = ran.report(by="language")
    counts = {row.name: row.n for row in report.segments.rows}
    assert counts == {"en": 32, "de": 16}
    plain = ran.report()
    assert report["success"].estimate == pytest.approx(plain["success"].estimate)
    assert report["cost_usd"].se == pytest.approx(plain["cost_usd"].se, rel=1e-6)
    with pytest.raises(AnalysisError, match=r"no field 'langage'.*'language'"):
        ran.report(by="langage")


def test_a_field_of_the_items_makes_clusters(ran: Experiment) -> None:
    report = ran.report(cluster="document")
    assert (report.items, report.n) == (48, 12)
    assert states(report)["clusters"] == "warn"


def test_quantiles_read_the_rows_that_sums_cannot_answer(ran: Experiment) -> None:
    metrics = [ps.Rate("success"), ps.Quantile("latency_ms", 0.5, max_regression="50%")]
    report = ran.report(metrics=metrics)
    frame = ran.results().pivot("variant", index="item", values="latency_ms")
    effect = report["latency_ms_p50"]
    assert effect.control == pytest.approx(frame["a"].median())
    assert effect.treatment == pytest.approx(frame["b"].median())


def test_a_report_reads_its_rows_for_pictures_and_halves(ran: Experiment) -> None:
    report = ran.report()
    assert states(report)["novelty"] in {"ok", "warn"}
    assert report.rows.n == 48
    assert report.plot("timeline").to_dict()["layer"]


def test_halves_of_pairs_add_up_to_all_of_them(
    ran: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ran.report()
    monkeypatch.setattr(analysis, "FEW_ROWS", 10)
    report = ran.report(metrics=[ps.Rate("success"), ps.Mean("cost_usd")])
    assert states(report)["novelty"] == states(whole)["novelty"] == "ok"
    started = ran._found()
    columns = ("success", "cost_usd")
    first, second = ran._halved(started, dict(started.variants), columns)
    assert isinstance(first, Sums)
    assert isinstance(second, Sums)
    both = first.merge(second)
    assert both.n == 48
    assert 20 <= first.n <= 28, "in halves, but for those that were running at the same time"
    for name in (f"{arm}.{column}" for arm in "ab" for column in columns):
        assert both.mean(name) == pytest.approx(report.sums.mean(name))


def test_a_metric_that_no_run_has_is_said_to_be_missing(ran: Experiment) -> None:
    report = ran.report(metrics=[ps.Rate("success"), ps.Mean("politeness")])
    check = next(check for check in report.health if check.name == "scores")
    assert check.state == "warn"
    assert "no run has a value of politeness" in check.meaning


def test_a_second_look_by_fixed_is_answered_by_a_safe_one(memory: Lab, ran: Experiment) -> None:
    assert ran.report(method="fixed").method == "fixed"
    look_again(memory, ran, "t1")
    report = ran.report(method="fixed")
    assert report.method == "anytime"
    assert states(report)["method"] == "warn"
    kept = memory.sql("SELECT DISTINCT look, method FROM experiment_analysis ORDER BY look")
    assert kept.rows() == [(1, "fixed"), (2, "anytime")], "kept as it was shown"


def test_what_was_taken_for_unpaired_is_paired_and_said(ran: Experiment) -> None:
    report = ran.report(paired=False)
    assert "an unpaired analysis was asked for" in report.reason


@pytest.mark.parametrize("by", [None, "language"])
def test_each_number_of_a_page_can_be_followed_to_its_sums_its_sql_and_its_rows(
    lab: Lab, by: str | None
) -> None:
    experiment = made(lab)
    metrics = [*default_metrics(), ps.Quantile("latency_ms", 0.5)] if by else None
    report = experiment.report(by=by, metrics=metrics)
    page = report.to_html()
    for finding in report.findings:
        again = finding.metric.effect(report.sums, "a", "b", finding.effect.alpha, report.method)
        assert again == finding.effect, "the sums give every number of a metric"
        for shown in (amount(again.control, finding.metric.unit), p_value(finding.p_adjusted)):
            assert escape(shown) in page
    found = lab.sql(report.sql)
    if by is None:
        (row,) = found.rows()
        width = len(report.sums.columns)
        assert row[0] == report.sums.n
        assert row[1 : width + 1] == pytest.approx(report.sums.totals)
    else:
        assert found.height == 96
        rows = report.rows.to_polars().filter(language="de", variant="b")
        segment = next(row for row in report.segments.rows if row.name == "de")
        assert segment.finding.effect.treatment == pytest.approx(rows["success"].mean())
        assert segment.n == rows.height
        (line,) = [one for one in report.findings if one.metric.name == "latency_ms_p50"]
        whole = report.rows.to_polars().filter(variant="b")
        assert line.effect.treatment == pytest.approx(whole["latency_ms"].median())
    assert escape(report.sql.splitlines()[0]) in page
    assert "The sums behind these numbers" in page
    assert "report.rows.to_polars()" in page


def test_rows_say_what_they_are_in_either_library(ran: Experiment) -> None:
    rows = ran.report(cluster="document").rows
    assert repr(rows).startswith("<Rows of 48 units under a and b: success, cost_usd")
    assert "48 units" in rows._repr_html_()
    frame = rows.to_polars()
    assert frame.columns[:3] == ["unit", "cluster", "variant"]
    assert frame["cluster"].n_unique() == 12
    assert rows.to_pandas()["unit"].tolist() == frame["unit"].to_list()


def test_the_sql_of_arms_apart_runs_again(lab: Lab) -> None:
    experiment = online(lab).start()
    experiment.batch([{"user": f"u{n}", "name": "x" * (n % 7)} for n in range(60)])
    report = experiment.report()
    found = lab.sql(report.sql)
    counts = {str(row[0]): row[1] for row in found.rows()}
    variants = experiment._found().variants
    assert {name: counts[key] for name, key in variants.items()} == report.counts
    assert set(report.rows.to_polars()["unit"]) == {f"u{n}" for n in range(60)}


@pytest.mark.parametrize("kind", ["polars", "pandas", "lazy", "parquet"])
def test_results_are_reported_as_the_warehouse_reports_them(
    ran: Experiment, tmp_path: Path, kind: str
) -> None:
    results, expected = ran.results(), ran.report(by="language", cluster="document")
    whole = measured(results)
    path = str(tmp_path / "runs.parquet")
    whole.write_parquet(path)
    data = {"polars": results, "pandas": results.to_pandas(), "lazy": whole.lazy(), "parquet": path}
    found = ran.report(data[kind], by="language", cluster="document")
    for name, effect in expected.effects.items():
        assert found[name].estimate == pytest.approx(effect.estimate), name
        assert found[name].se == pytest.approx(effect.se), name
    assert found.decision.action == expected.decision.action
    assert [(row.name, row.n) for row in found.segments.rows] == [
        (row.name, row.n) for row in expected.segments.rows
    ]
    assert found.simulated
    assert found.rows.n == expected.rows.n == 48
    assert found.shares.test is not None, "shares as promised"


def test_rows_of_ones_own_are_judged_by_the_plan_and_are_no_look(memory: Lab) -> None:
    flow = classifying(memory, "Label {{ ticket }}")
    variants = {"a": None, "b": flow.vary("classify.prompt", "Which label? {{ ticket }}")}
    experiment = memory.experiment(
        "planned",
        flow=flow,
        variants=variants,
        data=DATA,
        scorer=ps.exact("label"),
        goals=[ps.Rate("success")],
        guards=[ps.Quantile("latency_ms", 0.5, max_regression="90%")],
        alpha=0.1,
    )
    experiment.run()
    again = experiment.results().with_columns(politeness=pl.lit(0.5))
    report = experiment.report(again, metrics=[ps.Mean("politeness")])
    assert report["success"].alpha == 0.1
    assert report["latency_ms_p50"].n == 48
    assert states(report)["plan"] == "warn"
    assert "politeness was not in the plan" in report.reason
    assert memory.sql("SELECT count(*) AS n FROM experiment_analysis")["n"].item() == 0
    experiment.report(method="fixed")
    assert experiment.report(again, method="fixed").method == "anytime", "somebody has looked"


def test_what_rows_of_ones_own_lack_is_said(ran: Experiment) -> None:
    results = ran.results()
    for data, words in (
        (results.drop("variant"), "no column 'variant'"),
        (results.drop("score"), "no column 'success'"),
        (results.filter(variant="a"), "no row is of the variant 'b'"),
    ):
        with pytest.raises(AnalysisError, match=words):
            ran.report(data)
    found = ran.report(results.drop("latency_ms"))
    assert states(found)["scores"] == "warn"
    with pytest.raises(AnalysisError, match="no variant 'c'"):
        ran.report(results, "c")


def test_a_goal_that_no_run_has_a_value_of_is_named(memory: Lab, ran: Experiment) -> None:
    adjusted = ps.Mean("latency_ms", role="goal", covariate="latency_before")
    for experiment in (ran, greeted(memory)):
        for goal, lacking in ((adjusted, "latency_before"), (ps.Rate("politeness"), "politeness")):
            with pytest.raises(AnalysisError, match=f"no run has a value of '{lacking}', which"):
                experiment.report(metrics=[goal])


def test_what_units_were_like_before_narrows_an_online_report(memory: Lab) -> None:
    experiment = greeted(memory)
    units = experiment.report().rows.to_polars().with_row_index("before")
    units = units.with_columns(minutes=pl.col("before") + pl.col("before") % 2)
    plain = experiment.report(units, metrics=[ps.Mean("minutes", role="goal")])["minutes"]
    adjusted = ps.Mean("minutes", role="goal", covariate="before")
    narrow = experiment.report(units, metrics=[adjusted])["minutes"]
    assert narrow.se < 0.1 * plain.se
    assert "CUPED: 'before' takes out" in narrow.reason


def greeted(lab: Lab) -> OnlineExperiment:
    experiment = online(lab).start()
    experiment.batch([{"user": f"u{n}", "name": "Ada"} for n in range(60)])
    return experiment
