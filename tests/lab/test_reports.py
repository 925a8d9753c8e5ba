"""What a report of a real experiment tells beyond its sums: segments, clusters, health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.errors import AnalysisError
from tests.lab.parts import TICKETS, classifying
from tests.lab.test_looks import look_again

if TYPE_CHECKING:
    from promptstudio_lab.lab import Experiment, Lab

DATA = [
    {**TICKETS[n % 4], "id": f"t{n}", "language": "en" if n % 3 else "de", "document": f"d{n // 4}"}
    for n in range(48)
]


@pytest.fixture
def ran(memory: Lab) -> Experiment:
    flow = classifying(memory, "Label {{ ticket }}")
    experiment = memory.experiment(
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


def test_the_sums_behind_the_numbers_are_there(ran: Experiment) -> None:
    report = ran.report()
    assert report.sums.mean("b.success") == pytest.approx(report["success"].treatment)
    assert report.sql.startswith("WITH pair AS")
