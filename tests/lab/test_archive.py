"""Archiving as an analyst meets it: on the lab, in a report, on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.cli import main
from promptstudio_lab.errors import AnalysisError, NotFound
from promptstudio_lab.warehouse import append, payloads
from promptstudio_lab.warehouse.archive import export
from tests.lab.parts import TICKETS, classifying

if TYPE_CHECKING:
    from pathlib import Path

    from promptstudio_lab.lab import Experiment, Lab

PRESENT = f"{datetime.now(UTC):%Y-%m}"


@pytest.fixture(autouse=True)
def _later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the present month be past for whoever archives."""
    monkeypatch.setenv("PROMPTSTUDIO_COLD", str(tmp_path))
    for module in (export, append):
        monkeypatch.setattr(module, "now", lambda: datetime.now(UTC) + timedelta(days=32))


def compared(lab: Lab) -> Experiment:
    """Return an experiment of two variants."""
    flow = classifying(lab, "Label it: {{ ticket }}")
    variants: dict[str, Any] = {"a": None, "b": flow.vary("classify.seed", 1)}
    return lab.experiment(
        "labels", flow=flow, variants=variants, data=TICKETS, scorer=ps.exact("label")
    )


def test_a_report_counts_archived_runs_as_ever(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    before, results = repr(experiment.report()), experiment.results()
    done = lab.archive(PRESENT)
    assert done.cost is not None
    assert done.cost > 0
    told = re.escape(
        f"runs of this experiment are archived in {PRESENT}; restore them: "
        f"lab.restore_month('{PRESENT}')"
    )
    assert repr(experiment.report()) == before
    for ask in (experiment.results, experiment.run):
        with pytest.raises(AnalysisError, match=told):
            ask()
    assert lab.runs().height == 0
    lab.restore_month(PRESENT)
    assert repr(experiment.report()) == before
    assert experiment.results().equals(results)
    assert experiment.run().equals(results)


def test_other_experiments_are_reported_as_ever(lab: Lab) -> None:
    compared(lab).run()
    lab.archive(PRESENT)
    flow = classifying(lab, "Another: {{ ticket }}", "support/other")
    variants: dict[str, Any] = {"a": None, "b": flow.vary("classify.seed", 1)}
    other = lab.experiment(
        "other", flow=flow, variants=variants, data=TICKETS, scorer=ps.exact("label")
    )
    other.run()
    assert other.report().n == len(TICKETS)


def test_months_on_the_lab(lab: Lab) -> None:
    assert lab.months().height == 0
    classifying(lab, "Label it: {{ ticket }}").run(ticket="billing")
    hot = lab.months()
    assert set(hot["where"]) == {"hot"}
    lab.archive(PRESENT)
    assert set(lab.months()["where"]) == {"cold"}
    assert lab.months()["rows"].sum() > hot["rows"].sum()  # texts went along


def test_archived_text_is_not_called_erased(lab: Lab) -> None:
    classifying(lab, "Label it: {{ ticket }}").run(ticket="billing")
    key = lab.sql("SELECT output_payload_id AS k FROM flow_execution")["k"].item()
    lab.archive(PRESENT)
    with (
        lab.warehouse.reading(lab.actor) as session,
        pytest.raises(NotFound, match=f"is archived in {PRESENT}"),
    ):
        payloads.get(session, key)


def test_command_archives_and_restores(
    lab: Lab, warehouse_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classifying(lab, "Label it: {{ ticket }}").run(ticket="billing")
    before = lab.sql("SELECT * FROM node_execution ORDER BY id")
    folder = str(tmp_path / "there")
    at = ["--warehouse", warehouse_url]
    assert main(["archive", PRESENT, "--folder", folder, *at]) == 0
    assert re.fullmatch(
        rf"{PRESENT} is archived: \d+ rows in \d files, [\d,]+ bytes; its runs had cost \$.*\n",
        capsys.readouterr().out,
    )
    assert list((tmp_path / "there").rglob("part-0.parquet"))
    assert main(["archive", PRESENT, "--folder", folder, *at]) == 0
    assert "holds no runs" in capsys.readouterr().out
    assert main(["archive", PRESENT, "--restore", *at]) == 0
    assert re.fullmatch(
        rf"{PRESENT} is back in the database: \d+ rows\.\n", capsys.readouterr().out
    )
    assert lab.sql("SELECT * FROM node_execution ORDER BY id").equals(before)
    assert main(["archive", PRESENT, "--restore", *at]) == 1
    assert f"nothing of {PRESENT} is archived" in capsys.readouterr().err
