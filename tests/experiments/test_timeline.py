from __future__ import annotations

import pytest

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.experiments.timeline import timeline
from promptstudio_lab.experiments.tradeoff import tradeoff
from promptstudio_lab.metrics import Mean, Rate
from tests.experiments.parts import frame, report
from tests.experiments.test_rows import read
from tests.experiments.test_several import compared, part


def test_each_moment_is_the_report_of_the_items_so_far() -> None:
    rows, goal = read(frame(200)), Rate("success")
    found = timeline(rows, goal)
    assert found[-1].n == 200
    assert len(found) <= 40
    for moment in found[::7]:
        early = rows.first(moment.n)
        assert moment.effect == goal.effect(early.sums([goal]), "a", "b")


def test_units_apart_have_a_timeline_too() -> None:
    found = timeline(read(frame(200, apart=True)), Mean("cost_usd"))
    assert [moment.n for moment in found] == sorted({moment.n for moment in found})
    assert found[-1].effect.n == 200


def test_too_few_rows_have_none() -> None:
    with pytest.raises(AnalysisError, match="too few"):
        timeline(read(frame(1)), Rate("success"))


def test_who_is_dearer_and_no_better_is_beaten() -> None:
    found = tradeoff(compared(part("worse", -0.3), part("cot", 0.4)).reports)
    assert found is not None
    by_name = {place.variant: place for place in found.places}
    assert by_name["worse"].beaten_by == "prod"
    assert by_name["prod"].beaten_by == by_name["cot"].beaten_by == ""
    assert (found.cost.name, found.quality.name) == ("cost_usd", "success")
    assert by_name["prod"].cost_ends is None
    low, high = by_name["cot"].quality_ends or (0, 0)
    assert low < by_name["cot"].quality < high


def test_without_a_cost_there_is_no_tradeoff() -> None:
    assert tradeoff([report(metrics=[Rate("success")])]) is None
    assert tradeoff([]) is None
