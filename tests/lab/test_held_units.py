"""Units that this process holds say what the database says, whatever changed in between."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from promptstudio_lab.engine.recorder import write
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.queries.experiments import held
from promptstudio_lab.warehouse.queries.experiments.sums import (
    arm_sums,
    paired_sums,
    seen,
    unpaired,
)
from promptstudio_lab.warehouse.queries.experiments.units import fold, unfold
from tests.lab.test_online import compared as online
from tests.lab.test_unit_sums import compared as offline
from tests.lab.test_unit_sums import ended, rows_of

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab

COLUMNS = ["success", "cost_usd", "latency_ms", "quality"]
SHIFT = {"success": 0.5, "cost_usd": 1e-6, "latency_ms": 20.0, "quality": 0.5}


def asked(lab: Lab, key: str, variants: dict[str, str]) -> list[Any]:  # of several types
    """Return all that reports ask of an experiment's units."""
    arms = dict(list(variants.items())[:2])
    with lab.warehouse.reading(lab.actor) as session:
        return [
            seen(session, key, COLUMNS),
            seen(session, key, COLUMNS, apart=True),
            arm_sums(session, key, COLUMNS, SHIFT),
            paired_sums(session, key, arms, COLUMNS, SHIFT),
            unpaired(session, key, arms, COLUMNS),
        ]


def flat(answers: Any) -> list[Any]:  # whatever they are made of
    """Return all values in an order that both ways have."""
    if isinstance(answers, dict):
        return [value for key in sorted(answers) for value in (key, *flat(answers[key]))]
    if isinstance(answers, (list, tuple)):
        return [value for each in answers for value in flat(each)]
    if hasattr(answers, "__dataclass_fields__"):
        return [v for name in answers.__dataclass_fields__ for v in flat(getattr(answers, name))]
    return [answers]


def agree(lab: Lab, key: str, variants: dict[str, str], patch: pytest.MonkeyPatch) -> list[Any]:
    """Check that the units that are held say what the database adds up."""
    mine = flat(asked(lab, key, variants))
    with patch.context() as without:
        without.setattr("promptstudio_lab.warehouse.queries.experiments.sums.units_of", no_units)
        theirs = flat(asked(lab, key, variants))
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs, strict=True):
        assert one == (pytest.approx(other, rel=1e-9, abs=1e-15) if type(one) is float else other)
    return mine


def no_units(*_: object) -> None:
    """Hold nothing."""


def test_what_is_held_is_what_the_database_adds_up(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = offline(lab)
    experiment.run()
    found = experiment._found()
    first = agree(lab, found.id, found.variants, monkeypatch)
    # A unit that only one variant has, and one that runs again.
    for unit in ("new", "t3"):
        again = rows_of(lab, experiment, unit)
        lab.warehouse.append(lab.actor, partial(write, rows=again))
    second = agree(lab, found.id, found.variants, monkeypatch)
    assert first != second
    assert "new" in second
    # Nothing begins, and still something changes.
    runs = ended(lab, "unit_key = 't3'")
    lab.warehouse.append(lab.actor, lambda connection: unfold(connection, runs))
    assert agree(lab, found.id, found.variants, monkeypatch) != second
    lab.warehouse.append(lab.actor, lambda connection: fold(connection, runs))
    third = agree(lab, found.id, found.variants, monkeypatch)
    assert third == pytest.approx(second)


def test_who_met_two_variants_is_left_out_of_what_is_held(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = online(lab).start()
    for user in range(40):
        experiment.run(f"user-{user}", name="Ada")
    found = experiment._found()
    before = agree(lab, found.id, found.variants, monkeypatch)
    lab.warehouse.transact(
        lab.actor,
        lambda session: session.execute(
            text("UPDATE experiment_exposure SET multi = :yes WHERE unit_key = 'user-3'"),
            {"yes": True},
        ),
    )
    assert agree(lab, found.id, found.variants, monkeypatch) != before


def test_only_what_changed_is_read_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = online(lab).start()
    for user in range(20):
        experiment.run(f"user-{user}", name="Ada")
    experiment.report()
    read, present = [], held._read

    def noted(*asked: Any) -> Any:  # what is read, and a frame
        read.append(present(*asked))
        return read[-1]

    monkeypatch.setattr(held, "_read", noted)
    experiment.run("user-3", name="Ada")
    assert sum(arm.n for arm in experiment.report().sums.arms.values()) == 20
    (changed,) = read
    assert set(changed["unit_key"]) == {"user-3"}


def test_many_runs_are_not_looked_up_one_by_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = offline(lab)
    experiment.run()
    found = experiment._found()
    before = agree(lab, found.id, found.variants, monkeypatch)
    runs = ended(lab)
    for again in (unfold, fold):
        lab.warehouse.append(lab.actor, partial(again, runs=runs))
    monkeypatch.setattr(held, "_changed", None)
    after = agree(lab, found.id, found.variants, monkeypatch)
    assert after == pytest.approx(before)


def test_what_is_committed_after_a_look_is_seen_by_the_next(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = offline(lab)
    experiment.run()
    found = experiment._found()
    rows, quick = rows_of(lab, experiment, "slow"), ended(lab, "unit_key = 't3'")
    first = agree(lab, found.id, found.variants, monkeypatch)
    meanwhile: list[Any] = []  # of several types

    def slow(connection: Any) -> None:  # a connection
        write(connection, rows)
        if lab.warehouse.dialect == "postgresql":  # where two may write at once
            lab.warehouse.append(lab.actor, lambda other: unfold(other, quick))
        meanwhile[:] = agree(lab, found.id, found.variants, monkeypatch)

    lab.warehouse.append(lab.actor, slow)
    assert "slow" not in meanwhile
    assert (meanwhile == first) == (lab.warehouse.dialect == "sqlite")
    assert "slow" in agree(lab, found.id, found.variants, monkeypatch)


def test_what_is_not_committed_is_not_held(lab: Lab) -> None:
    experiment = offline(lab)
    experiment.run()
    key = experiment._found().id

    def work(session: Any) -> None:  # a session that writes
        session.execute(text("UPDATE experiment_unit SET cost = 7"))
        assert held.units_of(session, key) is None
        session.rollback()

    lab.warehouse.transact(lab.actor, work)
    with lab.warehouse.reading(lab.actor) as session:
        units = held.units_of(session, key)
    assert units is not None
    assert 7 not in units["cost"].to_list()


def test_too_many_units_are_added_up_by_the_database(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = offline(lab)
    experiment.run()
    here = experiment.report()
    monkeypatch.setattr(held, "_shelves", {})
    monkeypatch.setattr(held, "MOST", 3)
    with lab.warehouse.reading(lab.actor) as session:
        assert held.units_of(session, experiment._found().id) is None
    there = experiment.report()
    assert there["success"].estimate == pytest.approx(here["success"].estimate, rel=1e-9)
    assert there["latency_ms"].se == pytest.approx(here["latency_ms"].se, rel=1e-9)


def test_marks_that_begin_anew_are_noticed(lab: Lab) -> None:
    experiment = offline(lab)
    experiment.run()
    experiment.report()
    key = experiment._found().id
    entry = {"id": new_id(), "own": lab.actor.organization_id, "at": "2026-01-01T00:00:00.000000Z"}

    def emptied(session: Any) -> None:  # a session that writes
        session.execute(text("UPDATE experiment_unit SET cost = 7"))
        session.execute(
            text(
                "INSERT INTO cold_partition (id, organization_id, table_name, month, location, "
                "row_count, byte_count, digest, created_at, created_by) "
                "VALUES (:id, :own, 'payload', '2026-01', 'x', 0, 0, '', :at, 'x')"
            ),
            entry,
        )

    lab.warehouse.transact(lab.actor, emptied)
    with lab.warehouse.reading(lab.actor) as session:
        units = held.units_of(session, key)
    assert units is not None
    assert set(units["cost"]) == {7}
