from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import promptstudio_lab as ps
from promptstudio_lab.engine.records import measured
from promptstudio_lab.lab.running.recorded import measure
from tests.lab.test_batches import asking

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab


def test_a_measurement_is_kept_once(lab: Lab) -> None:
    found = asking(lab, "simulated:small").run(x="a")
    for _ in range(2):
        found.metric("clicks", 3)
        found.metric("clicks", 4, page="home")
        found.metric("clicks", 5, key="event 7")
    kept = lab.sql("SELECT metric_value AS v FROM execution_metric ORDER BY v")["v"]
    assert kept.to_list() == [3.0, 4.0, 5.0]


def test_an_outcome_counts_within_its_window(lab: Lab) -> None:
    flow = asking(lab, "simulated:small")
    experiment = lab.experiment(
        "window",
        flow=flow,
        variants={"control": None, "treatment": flow.vary("say.seed", 1)},
        data=[{"id": "u1", "x": "a", "y": "b"}, {"id": "u2", "x": "b", "y": "b"}],
        scorer=ps.exact("y"),
    )
    rows = experiment.run()
    at = datetime.now(UTC)
    told = lab.outcomes("window", "bought", timedelta(days=7))
    assert told.height == rows.height == 4
    assert told["outcomes"].to_list() == [0] * 4
    assert told["value"].null_count() == 4
    late = measured("bought", 5, None, {})
    for number, key in enumerate(rows.filter(variant="control")["flow_execution_id"]):
        for days in (1, 2, 8) if number == 0 else (8,):
            moment, name = at + timedelta(days=days), f"event {days}"
            measure(lab.environment, key, late, moment, name)
            measure(lab.environment, key, late, moment, name)
    counted = lab.outcomes("window", "bought", timedelta(days=7)).filter(variant="control")
    assert sorted(counted["outcomes"]) == [0, 2]
    assert sorted(counted["value"].drop_nulls()) == [10.0]
    wide = lab.outcomes("window", "bought", timedelta(days=30)).filter(variant="control")
    assert sorted(wide["value"].drop_nulls()) == [5.0, 15.0]
