from __future__ import annotations

import pytest

from promptstudio_lab.experiments.further import further
from promptstudio_lab.metrics import Mean, Rate
from promptstudio_lab.stats.planning.items import items_needed
from tests.experiments.parts import frame, items, report
from tests.experiments.test_rows import read, told


def test_an_open_goal_says_how_many_items_and_dollars() -> None:
    found = report(items(n=120, lift=0.05))
    (step,) = found.further
    effect = found["success"]
    assert step.metric == "success"
    assert step.items == (items_needed(effect) or 0) - effect.n
    cost = found["cost_usd"]
    assert step.cost_usd == pytest.approx(step.items * (cost.control + cost.treatment))
    assert step.text in found.decision.text


def test_units_apart_cost_one_run_each() -> None:
    found = told(read(frame(200, lift=0.05, apart=True)))
    (step,) = found.further
    cost = found["cost_usd"]
    assert step.items is not None
    assert step.cost_usd == pytest.approx(step.items * (cost.control + cost.treatment) / 2)


def test_clusters_are_counted_in_their_items() -> None:
    found = told(read(frame(200, lift=0.05), cluster="document"))
    (step,) = found.further
    effect = found["success"]
    assert step.items == 4 * ((items_needed(effect) or 0) - effect.n)


def test_what_is_settled_needs_nothing_further() -> None:
    assert report().further == ()


def test_no_difference_needs_no_number() -> None:
    effect = report(items(lift=0.2))["success"]
    step = further("success", effect, aim="tell", bound=effect.estimate)
    assert step.items is None
    assert step.text == "at this difference no number of items would tell"
    assert report(metrics=[Rate("success"), Mean("cost_usd")]).further == ()
