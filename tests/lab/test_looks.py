"""Each look at an experiment is kept and counted; what variants say of themselves follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import promptstudio_lab as ps
from promptstudio_lab.engine.recorder import write
from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.identity import Actor
from promptstudio_lab.lab import Lab
from tests.lab.test_unit_sums import compared, rows_of

if TYPE_CHECKING:
    from promptstudio_lab.lab import Experiment


def look_again(lab: Lab, experiment: Experiment, unit: str) -> None:
    rows = rows_of(lab, experiment, unit)
    lab.warehouse.append(lab.actor, lambda connection: write(connection, rows))


def test_a_report_is_kept_as_it_was_shown(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    report = experiment.report()
    rows = lab.sql("SELECT * FROM v_experiment_analysis ORDER BY metric")
    assert set(rows["metric"]) == set(report.effects)
    assert set(rows["look"]) == {1}
    assert set(rows["plan_hash"]) == {experiment._found().plan_hash}
    for row in rows.to_dicts():
        effect = report[row["metric"]]
        for name in ("n", "estimate", "low", "high", "p_value", "se", "control", "treatment"):
            assert row[name] == pytest.approx(getattr(effect, name), rel=1e-12), name
        assert (row["method"], row["decision"]) == (report.method, report.decision.action)
        assert row["variant"] == report.treatment
        assert row["made_with"].startswith("promptstudio-lab ")


def test_the_same_data_are_one_look_however_often_somebody_asks(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    experiment.report()
    experiment.report()
    experiment.report(method="fixed")
    experiment.report(metrics=[ps.Rate("success")])
    looks = lab.sql("SELECT look, method, count(*) AS n FROM v_experiment_analysis GROUP BY 1, 2")
    assert sorted(looks.rows()) == [(1, "anytime", 5), (1, "fixed", 4)]
    look_again(lab, experiment, "t1")
    experiment.report()
    assert lab.sql("SELECT max(look) AS n FROM experiment_analysis")["n"].item() == 2


def test_a_second_look_by_a_fixed_interval_is_flagged(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    assert "look 2" not in experiment.report(method="fixed").reason
    look_again(lab, experiment, "t1")
    assert "this is look 2, and a fixed interval" in experiment.report(method="fixed").reason
    assert "look 2" not in experiment.report().reason, "this one is safe to look at"


def test_sizing_an_experiment_is_no_look(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    experiment.plan(0.1)
    assert lab.sql("SELECT count(*) AS n FROM experiment_analysis")["n"].item() == 0


def test_who_may_only_look_gets_the_same_report(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    told = repr(experiment.report())
    actor = lab.actor
    viewer = Actor("v", "v", "user", actor.organization_id, role="viewer")
    seen = Lab(lab.warehouse, viewer, lab.id, lab.name, lab.choice)
    experiment._environment = seen.environment
    assert repr(experiment.report()) == told
    assert set(lab.sql("SELECT created_by AS b FROM experiment_analysis")["b"]) == {actor.id}


def test_variants_say_what_the_newest_look_found(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    before = lab.sql("SELECT * FROM v_flow_variant ORDER BY variant")
    assert before["look"].to_list() == [None, None]
    assert before["significant"].to_list() == [None, None]
    report = experiment.report()
    control, treatment = lab.sql("SELECT * FROM v_flow_variant ORDER BY variant").to_dicts()
    assert (control["variant"], control["look"], control["units"]) == ("a", None, 12)
    assert control["traffic_share"] == 0.5
    assert treatment["p_value"] == pytest.approx(report["success"].p_value)
    assert bool(treatment["significant"]) == (
        not report["success"].low <= 0 <= report["success"].high
    )
    assert treatment["decision"] == report.decision.action
    assert treatment["metric"] == "success"


def test_no_such_method_is_told_before_anything_is_kept(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    with pytest.raises(AnalysisError, match="'fixed'"):
        experiment.report(method="fixd")
