"""Whenever an archive is cut short, a month is whole in the database or whole in its files."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import pytest

from promptstudio_lab.errors import Conflict
from promptstudio_lab.warehouse.archive import archive, cold_rows, export, restore, restore_month
from promptstudio_lab.warehouse.archive.content import EXECUTIONS, TABLES
from promptstudio_lab.warehouse.archive.manifest import live
from promptstudio_lab.warehouse.connect import Warehouse
from tests.warehouse.parts import finish, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from promptstudio_lab.identity import Actor
    from tests.warehouse.months import Filled


class Crash(RuntimeError):
    """The moment at which everything ends."""


class Step(NamedTuple):
    """A call within `export`: which one of them, and whether it is still made."""

    name: str
    call: int = 1
    made: bool = True


STEPS = (
    Step("keep", 1, made=False),
    Step("keep", 3),
    Step("keep", len(TABLES)),
    Step("_compare"),
    Step("delete", 1),
    Step("_delete"),
    Step("insert_missing"),
    Step("drop"),
)
AFTER = Step("give_back", 1, made=False)


def cut(step: Step, end: Callable[[], None]) -> Callable[..., Any]:
    """Return the function of that name, which ends everything at its call."""
    whole, calls = getattr(export, step.name), []

    def short(*arguments: object) -> object:
        calls.append(1)
        if len(calls) < step.call:
            return whole(*arguments)
        if step.made:
            whole(*arguments)
        end()
        return None

    return short


def crash() -> None:
    raise Crash


def whole(filled: Filled) -> bool:
    """Tell whether the month is cold, and prove that it is wholly so or wholly hot."""
    entries = filled.place.see(lambda session: len(live(session, month=filled.month)))
    rows = [len(found) for table, found in filled.dump().items() if table in EXECUTIONS]
    if entries == 0:
        assert rows == [5] * len(EXECUTIONS)
        return False
    assert entries == len(TABLES)
    assert rows == [2] * len(EXECUTIONS)
    assert all(filled.cold(table).height == 3 for table in EXECUTIONS)
    return True


@pytest.mark.parametrize("step", [*STEPS, AFTER], ids=str)
def test_archive_that_fails_is_whole_or_nothing(
    filled: Filled, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    if step.name == "delete" and filled.place.warehouse.dialect == "postgresql":
        step = Step("delete", 1, made=False)
    before = filled.dump()
    with monkeypatch.context() as patch:
        patch.setattr(export, step.name, cut(step, crash))
        with pytest.raises(Crash):
            filled.archive()
    assert whole(filled) is (step == AFTER)
    if step != AFTER:
        assert filled.dump() == before
        filled.archive()
        assert whole(filled)
    assert [path.name for path in filled.files()] == ["part-0.parquet"] * len(TABLES)
    filled.restore()
    assert filled.dump() == before


def killed(url: str, actor: Actor, month: str, folder: str, step: Step) -> None:
    """Archive in a process that is killed at a step."""
    os.environ["PROMPTSTUDIO_COLD"] = folder
    setattr(export, step.name, cut(step, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    with closing(Warehouse(url)) as warehouse:
        archive(warehouse, actor, month)


def address(filled: Filled) -> str:
    return filled.place.warehouse._parsed.render_as_string(hide_password=False)


@pytest.mark.parametrize("step", [Step("keep", 3), Step("drop"), AFTER], ids=str)
def test_archive_that_is_killed_is_whole_or_nothing(filled: Filled, step: Step) -> None:
    before = filled.dump()
    at = (address(filled), filled.place.actor, filled.month, str(filled.folder), step)
    assert finish([start(killed, *at)]) == [-signal.SIGKILL]
    assert whole(filled) is (step == AFTER)
    if step != AFTER:
        assert filled.dump() == before
        filled.archive()
        assert whole(filled)
    filled.restore()
    assert filled.dump() == before


def test_rows_that_come_while_it_is_archived_are_not_lost(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = export._share

    def late(*arguments: Any) -> object:
        found = share(*arguments)
        if arguments[1].organization_id == filled.place.actor.organization_id:
            filled.run(filled.march)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(export, "_share", late)
        with pytest.raises(
            Conflict, match=r"changed while .* was archived, so nothing was deleted"
        ):
            filled.archive()
    assert filled.files() == []
    assert filled.archive().rows >= 4 * len(EXECUTIONS)
    assert filled.cold("flow_execution").height == 4


def test_text_that_is_used_again_meanwhile_is_not_lost(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = export._share

    def again(*arguments: Any) -> object:
        found = share(*arguments)
        if arguments[1].organization_id == filled.place.actor.organization_id:
            first = filled.files()
            assert first
            key = pl.read_parquet(
                next(path for path in first if "/payload/" in str(path)), hive_partitioning=False
            )["id"][0]
            filled.run(filled.april, input_payload_id=key)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(export, "_share", again)
        with pytest.raises(Conflict, match="payload changed"):
            filled.archive()
    filled.archive()
    assert filled.cold("payload").height == 8


def test_file_that_was_not_written_whole_deletes_nothing(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled.dump()
    keep = export.keep  # type: ignore[attr-defined]  # as the module calls it

    def short(folder: Path, table: str, rows: Any, taken: Any) -> object:
        return keep(folder, table, ([*batch][:-1] for batch in rows), taken)

    with monkeypatch.context() as patch:
        patch.setattr(export, "keep", short)
        with pytest.raises(Conflict, match="nothing was deleted"):
            filled.archive()
    assert filled.dump() == before


def test_restore_that_fails_changes_nothing(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.archive()
    left, insert = filled.dump(), restore.insert_missing  # type: ignore[attr-defined]  # as above

    def half(connection: Any, table: str, *rest: Any) -> None:
        insert(connection, table, *rest)
        if table == "node_execution":
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(restore, "insert_missing", half)
        with pytest.raises(Crash):
            filled.restore()
    assert filled.dump() == left
    assert whole(filled)
    filled.restore()
    assert not whole(filled)


def test_a_month_is_restored_once(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.archive()
    place, check = filled.place, restore._check

    def overtaken(*arguments: Any) -> None:
        check(*arguments)
        monkeypatch.setattr(restore, "_check", check)
        kept = [(path, path.read_bytes()) for path in filled.files()]
        restore_month(place.warehouse, place.actor, filled.month)
        for path, content in kept:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    monkeypatch.setattr(restore, "_check", overtaken)
    with pytest.raises(Conflict, match="somebody else has just restored"):
        filled.restore()
    assert cold_rows(place.warehouse, place.actor, "flow_execution") is None
    assert len(filled.dump()["flow_execution"]) == 5
