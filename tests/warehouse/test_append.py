from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from promptstudio_lab.errors import WarehouseError
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.append import execute, insert_missing
from promptstudio_lab.warehouse.entities import SubjectKey
from promptstudio_lab.warehouse.rows import find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.warehouse.append import Row
    from tests.warehouse.parts import Place

COLUMNS = ("id", "organization_id", "subject_ref", "created_at", "created_by")
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)


def rows(place: Place, *names: str) -> list[Row]:
    own = place.actor.organization_id
    return [(new_id(), own, name, MOMENT, "recorder") for name in names]


def put(place: Place, ready: Sequence[Row]) -> None:
    place.write(lambda c: insert_missing(c, "subject_key", COLUMNS, ready))


def kept(place: Place) -> list[SubjectKey]:
    found: list[SubjectKey] = place.see(lambda s: find(s, SubjectKey, order=("subject_ref",)))
    return found


def test_rows_come_back_as_they_were(place: Place) -> None:
    ready = rows(place, "a", "b")
    put(place, ready)
    found = [
        (r.id, r.organization_id, r.subject_ref, r.created_at, r.created_by) for r in kept(place)
    ]
    assert found == ready


def test_rows_sent_again_change_nothing(place: Place) -> None:
    ready = rows(place, "a", "b")
    put(place, ready)
    changed = [(*row[:2], f"{row[2]} again", *row[3:]) for row in ready]
    put(place, [*changed, *rows(place, "c")])
    assert [row.subject_ref for row in kept(place)] == ["a", "b", "c"]


def test_no_rows_are_no_statement(place: Place) -> None:
    put(place, [])
    assert kept(place) == []


def test_broken_reference_is_told(place: Place) -> None:
    row = (new_id(), new_id(), "a", MOMENT, "recorder")
    with pytest.raises(WarehouseError):
        put(place, [row])


def test_statement_tells_how_many_rows_it_changed(place: Place) -> None:
    ready = rows(place, "a", "b", "c")
    put(place, ready)
    later = MOMENT.replace(year=2027)
    changed: list[int] = []
    sql = "UPDATE subject_key SET destroyed_at = ? WHERE id = ? AND destroyed_at IS NULL"
    changes = [(later, ready[0][0]), (later, ready[2][0]), (later, new_id())]
    for _ in range(2):
        place.write(lambda c: changed.append(execute(c, sql, changes)))
    place.write(lambda c: changed.append(execute(c, sql, [])))
    assert changed == [2, 0, 0]
    assert [row.destroyed_at for row in kept(place)] == [later, None, later]


def test_bulk_times_compare_with_the_others(place: Place) -> None:
    put(place, rows(place, "bulk"))
    place.do(lambda s: s.add(SubjectKey(id=new_id(), subject_ref="orm", created_at=MOMENT)))
    query = select(SubjectKey.subject_ref).where(SubjectKey.created_at == MOMENT)
    assert set(place.see(lambda s: s.scalars(query).all())) == {"bulk", "orm"}
    with place.warehouse.engine.connect() as connection:
        raw = text(
            "SELECT count(DISTINCT created_at) FROM subject_key WHERE organization_id = :own"
        )
        assert connection.scalar(raw, {"own": place.actor.organization_id}) == 1
