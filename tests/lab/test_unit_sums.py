"""What units add up to is what their runs say, whatever happened on the way."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import promptstudio_lab as ps
from promptstudio_lab.engine import recorder
from promptstudio_lab.engine.recorder import write
from promptstudio_lab.engine.records import RunEnded, RunInput, RunStarted
from promptstudio_lab.engine.rows import Rows
from promptstudio_lab.errors import Conflict, WarehouseUnavailable
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.running import execution
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.queries.experiments.units import Ended, fold, still_open, unfold
from promptstudio_lab.warehouse.types import now
from tests.lab.parts import TICKETS, change_runs, classifying

if TYPE_CHECKING:
    import polars as pl

    from promptstudio_lab.lab import Experiment, Lab
    from promptstudio_lab.warehouse.queries.experiments.units import Ending

DATA = [{**TICKETS[n % 4], "id": f"t{n}"} for n in range(12)]
FROM_RUNS = """
SELECT variant_id, unit_key, count(*) AS runs, count(success) AS success_runs,
    sum(CASE WHEN success THEN 1 ELSE 0 END) AS success, count(total_cost) AS cost_runs,
    coalesce(sum(total_cost), 0) AS cost, count(execution_time_ms) AS latency_runs,
    coalesce(sum(execution_time_ms), 0) AS latency_ms, count(quality) AS quality_runs,
    coalesce(sum(quality), 0) AS quality, coalesce(sum(total_input_tokens), 0) AS input_tokens,
    coalesce(sum(total_output_tokens), 0) AS output_tokens
FROM flow_execution
WHERE experiment_id IS NOT NULL AND status IN ('succeeded', 'failed', 'partial')
GROUP BY variant_id, unit_key ORDER BY variant_id, unit_key
"""


def compared(lab: Lab, name: str = "e", **more: Any) -> Experiment:  # the lab's own arguments
    flow = classifying(lab, "Label {{ ticket }}", **more)
    return lab.experiment(
        name,
        flow=flow,
        variants={"a": None, "b": flow.vary("classify.prompt", "Which label? {{ ticket }}")},
        data=DATA,
        scorer=ps.exact("label"),
    )


def agree(lab: Lab) -> pl.DataFrame:
    """Check that the roll-up is the runs, and return it."""
    from_runs = lab.sql(FROM_RUNS)
    names = ", ".join(from_runs.columns)
    kept = lab.sql(
        f"SELECT {names} FROM experiment_unit WHERE runs > 0 ORDER BY variant_id, unit_key"
    )
    for name in from_runs.columns[:2]:
        assert kept[name].to_list() == from_runs[name].to_list()
    for name in from_runs.columns[2:]:
        assert kept[name].to_list() == pytest.approx(list(map(float, from_runs[name]))), name
    return kept


def ended(lab: Lab, where: str = "experiment_id IS NOT NULL") -> list[Ended]:
    """Return runs as they are added to their units."""
    found = lab.sql(f"SELECT id, experiment_id FROM flow_execution WHERE {where}")
    return [Ended(*row) for row in found.rows()]


def test_units_add_up_what_their_runs_say(lab: Lab) -> None:
    compared(lab).run()
    compared(lab, "again").run()
    assert agree(lab).height == 2 * 2 * len(DATA)


def test_a_run_without_an_experiment_belongs_to_no_unit(lab: Lab) -> None:
    flow = classifying(lab, "Label {{ ticket }}")
    flow.run(ticket="billing")
    flow.batch(DATA, scorer=ps.exact("label"))
    assert lab.sql("SELECT count(*) AS n FROM experiment_unit")["n"].item() == 0


def test_a_unit_that_runs_again_adds_to_its_sums(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    one = rows_of(lab, experiment, "t3")
    lab.warehouse.append(lab.actor, lambda connection: write(connection, one))
    kept = agree(lab)
    assert kept.filter(unit_key="t3")["runs"].sort().to_list() == [1, 2]


def test_runs_of_one_unit_in_one_group_all_count(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    for _ in range(2):
        again = rows_of(lab, experiment, "t3")
        lab.warehouse.append(lab.actor, partial(write, rows=again))
    runs = ended(lab)
    before = agree(lab)
    lab.warehouse.append(lab.actor, lambda connection: unfold(connection, runs))
    assert lab.sql("SELECT count(*) AS n FROM v_experiment_unit")["n"].item() == 0
    sums = lab.sql("SELECT sum(cost) AS cost, sum(output_runs) AS runs FROM experiment_unit")
    assert sums.row(0) == (0, 0)
    lab.warehouse.append(lab.actor, lambda connection: fold(connection, [*runs, *runs]))
    assert agree(lab).equals(before)


def test_a_group_that_is_written_twice_counts_once(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    again = rows_of(lab, experiment, "new")
    for _ in range(3):
        lab.warehouse.append(lab.actor, lambda connection: write(connection, again))
    assert agree(lab).filter(unit_key="new")["runs"].to_list() == [1]


def test_a_crash_in_between_leaves_neither_the_run_nor_its_sum(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    rows = rows_of(lab, experiment, "cut")

    def cut(connection: Any) -> None:  # a connection
        write(connection, rows)
        raise WarehouseUnavailable

    with pytest.raises(WarehouseUnavailable):
        lab.warehouse.append(lab.actor, cut)
    assert agree(lab).filter(unit_key="cut").height == 0
    lab.warehouse.append(lab.actor, lambda connection: write(connection, rows))
    assert agree(lab).filter(unit_key="cut").height == 1


def test_who_has_lost_the_lease_adds_nothing(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    rows = rows_of(lab, experiment, "late", epoch=7)
    lab.warehouse.append(lab.actor, lambda connection: write(connection, rows))
    assert agree(lab).filter(unit_key="late").height == 0
    (late,) = rows.endings
    held = late._replace(epoch=1)
    for ending, there in ((held, [held.run_id]), (late, []), (held._replace(owner="other"), [])):
        assert open_of(lab, ending) == there


def open_of(lab: Lab, ending: Ending) -> list[str]:
    found: list[Ended] = []
    lab.warehouse.append(lab.actor, lambda c: found.extend(still_open(c, [ending])))
    return [each.run_id for each in found]


def test_a_run_that_is_taken_while_its_end_is_written_is_counted_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = compared(lab)
    experiment.run()
    rows = rows_of(lab, experiment, "taken")
    whole = rows.endings, rows.updates
    rows.endings, rows.updates = [], {}
    lab.warehouse.append(lab.actor, lambda connection: write(connection, rows))
    rows.endings, rows.updates = whole
    (ending,) = rows.endings

    def take() -> None:
        change_runs(lab, lease_until=now() - timedelta(minutes=5))
        with suppress(Conflict):
            lab.resume(ending.run_id)

    taking = threading.Thread(target=take)

    def slowly(connection: Any, endings: Any) -> list[Ended]:
        found = still_open(connection, endings)
        if not taking.ident:
            taking.start()
            taking.join(2)
        return found

    monkeypatch.setattr(recorder, "still_open", slowly)
    lab.warehouse.append(lab.actor, lambda connection: write(connection, rows))
    taking.join()
    assert agree(lab).filter(unit_key="taken")["runs"].to_list() == [1]


def test_a_failed_run_that_goes_on_is_counted_once(lab: Lab) -> None:
    experiment = compared(lab)
    experiment.run()
    rows = rows_of(lab, experiment, "twice", status="failed")
    lab.warehouse.append(lab.actor, lambda connection: write(connection, rows))
    kept = agree(lab).filter(unit_key="twice")
    assert kept.select("runs", "success").rows() == [(1, 0)]
    run_id = lab.sql("SELECT id FROM flow_execution WHERE unit_key = 'twice'")["id"].item()
    lab.resume(run_id)
    kept = agree(lab).filter(unit_key="twice")
    assert kept.select("runs", "success_runs").row(0)[0] == 1
    assert kept["cost"].item() > 0


def rows_of(
    lab: Lab, experiment: Experiment, unit: str, status: Any = "succeeded", epoch: int = 1
) -> Rows:
    """Return what the recorder writes for one more run of a unit, from its begin to its end."""
    started = experiment._found()
    plan = execution.prepare(
        lab.environment, experiment.flow.head().id, experiment.variants, experiment.scorer
    )
    variants = {
        name: replace(variant, variant_id=started.variants[name])
        for name, variant in plan.variants.items()
    }
    plan = replace(plan, experiment_id=started.id, variants=variants)
    with lab.warehouse.reading(lab.actor) as session:
        rows = Rows(payloads.address(session), "somebody", now())
    run = RunStarted(plan, variants["a"], RunInput(new_id(), "a", DATA[0], unit), now())
    rows.add(run)
    late = replace(run, input=replace(run.input, past=replace(run.input.past, epoch=epoch)))
    rows.add(
        RunEnded(
            run=late, status=status, completed_at=now(), execution_time_ms=12.5, outputs={},
            score=None, cost=1000, input_tokens=10, output_tokens=None, simulated=True,
            error_code=None, error=None, failed_node=None, nodes=(),
        )
    )  # fmt: skip
    return rows
