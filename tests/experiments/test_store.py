from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.errors import Conflict
from promptstudio_lab.experiments import store
from promptstudio_lab.ids import new_id
from tests.lab.parts import classifying, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.values import Json

PLAN: dict[str, Any] = {
    "flow_version": 1,
    "alpha": 0.05,
    "variants": [["a", []], ["b", [{"op": "add"}]]],
}  # JSON
PATCHES: dict[str, Json] = {"a": [], "b": [{"op": "add"}]}


@pytest.fixture
def lab(warehouse_url: str) -> Iterator[Lab]:
    """Give an empty lab on each engine."""
    with opened(warehouse_url) as found:
        yield found


def start(lab: Lab, name: str = "e", **changed: Json) -> store.Started:
    flow = classifying(lab, "Label {{ ticket }}")
    flow.save()
    return lab.warehouse.transact(
        lab.actor,
        lambda session: store.start(
            session, str(flow.id), name, {**PLAN, **changed}, PATCHES, None
        ),
    )


def test_a_plan_is_frozen_and_found_again(lab: Lab) -> None:
    first, again = start(lab), start(lab)
    assert again == first
    assert list(first.variants) == ["a", "b"], "the control comes first"
    assert first.plan == PLAN
    rows = lab.sql("SELECT name, is_control, flow_version, experiment_id FROM flow_variant")
    assert sorted(rows.select("name", "is_control").rows()) == [("a", True), ("b", False)]
    assert lab.sql("SELECT count(*) AS n FROM experiment")["n"].item() == 1


def test_the_order_of_a_plans_keys_is_no_change(lab: Lab) -> None:
    first = start(lab)
    assert start(lab, **dict(reversed(PLAN.items()))) == first


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"alpha": 0.1}, "alpha changed"),
        ({"alpha": 0.1, "flow_version": 2}, "alpha, flow_version changed"),
        ({"extra": 1}, "extra changed"),
        ({"variants": [["b", [{"op": "add"}]], ["a", []]]}, "variants changed"),
    ],
)
def test_another_plan_under_the_same_name_is_refused(
    lab: Lab, changed: Any, said: str
) -> None:  # parts of a plan
    start(lab)
    with pytest.raises(Conflict, match=f"{said}.*new name"):
        start(lab, **changed)
    assert start(lab, "another", **changed).id != start(lab).id


def test_who_has_run_is_counted_by_variant_and_unit(lab: Lab) -> None:
    started = start(lab)
    seen = lab.warehouse.transact(
        lab.actor, lambda session: store.finished_units(session, started.id)
    )
    assert seen == {}


def test_an_experiment_is_completed_once(lab: Lab) -> None:
    started = start(lab)

    def ended() -> tuple[Any, ...]:  # columns of their own types
        lab.warehouse.transact(lab.actor, lambda session: store.complete(session, started.id))
        return lab.sql("SELECT status, ended_at FROM experiment").row(0)

    first = ended()
    assert first[0] == "completed"
    assert ended() == first
    lab.warehouse.transact(lab.actor, lambda session: store.complete(session, new_id()))
