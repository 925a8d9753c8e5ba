"""A log that was touched is told, with the first operation that is not what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, text

from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import Payload
from promptstudio_lab.warehouse.history.chain import HASHED
from promptstudio_lab.warehouse.history.changelog import Stream
from promptstudio_lab.warehouse.history.undo import undo
from promptstudio_lab.warehouse.history.verify import Broken, Verified, verify
from tests.warehouse.parts import Place, log, make_flow, make_node, set_fields

if TYPE_CHECKING:
    from sqlalchemy import Connection

SECOND = "seq = 2 AND stream_id = :flow"
TAMPERED = {
    "stream_type": "'lab'",
    "stream_id": ":other",
    "seq": "900",
    "op_id": ":other",
    "op_type": "'edit '",
    "base_seq": "base_seq + 1",
    "patch": "'[]'",
    "inverse": "'[]'",
    "status": "'superseded'",
    "conflicts": "'[{}]'",
    "undo_of_seq": "1",
    "batch_id": ":other",
    "actor_id": "'somebody'",
    "actor_kind": "'assistant'",
    "client_id": "'view'",
    "created_at": "'2026-01-01T00:00:00.000000+00:00'",
    "hash": "'0'",
}


@pytest.fixture
def flow(place: Place) -> str:
    """Make a flow whose log holds all there can be."""
    key = make_flow(place)
    node = make_node(place, key, config={"text": "one"})
    log(place, key, set_fields(node, config={"text": "two"}), client_id="a", batch_id=new_id())
    colleague = place.as_somebody("colleague")
    log(colleague, key, set_fields(node, position_x=1.0), base_seq=1, client_id="b")
    colleague.do(lambda session: undo(session, Stream("flow", key)))
    return key


def sql(place: Place, statement: str, **values: str) -> None:
    """Change a row as the warehouse's owner can, past everything of ours."""

    def work(connection: Connection) -> None:
        assert connection.execute(text(statement), values).rowcount == 1

    place.write(work)


def look(place: Place, flow: str | None = None) -> Verified:
    stream = None if flow is None else Stream("flow", flow)
    found: Verified = place.see(lambda session: verify(session, stream))
    return found


def only(found: Verified) -> Broken:
    assert not found.ok
    (broken,) = found.broken
    return broken


def test_a_log_as_it_was_written_is_whole(place: Place, flow: str) -> None:
    other = make_flow(place, "other")
    found = look(place)
    assert (found.ok, found.broken, found.streams, found.operations) == (True, (), 2, 7)
    assert str(found) == "7 operations in 2 streams: whole"
    assert look(place, flow) == Verified(1, 4, ())
    assert look(place, other) == Verified(0, 0, ())
    assert look(place.elsewhere()).operations == 0


def test_every_column_that_has_meaning_is_tampered_with_below() -> None:
    assert set(TAMPERED) == {*HASHED, "hash"}


@pytest.mark.parametrize("column", TAMPERED)
def test_a_changed_column_is_named(place: Place, flow: str, column: str) -> None:
    cast = {"patch": "json", "inverse": "json", "conflicts": "json", "created_at": "timestamptz"}
    value = TAMPERED[column]
    if place.warehouse.dialect == "postgresql":
        kind = cast.get(column, "uuid" if value == ":other" else "")
        value = f"CAST({value} AS {kind})" if kind else value
    values = {"flow": flow, **({"other": new_id()} if ":other" in value else {})}
    sql(place, f"UPDATE change_log SET {column} = {value} WHERE {SECOND}", **values)
    broken = [each for each in look(place).broken if each.stream == Stream("flow", flow)]
    assert [each.seq for each in broken] == [2]
    assert f"flow {flow}, operation 2:" in str(broken[0])


def test_an_operation_that_moved_to_a_stream_without_a_root_is_told(
    place: Place, flow: str
) -> None:
    other = new_id()
    cast = "CAST(:other AS uuid)" if place.warehouse.dialect == "postgresql" else ":other"
    sql(
        place,
        f"UPDATE change_log SET stream_id = {cast} WHERE {SECOND}",
        flow=flow,
        other=other,
    )
    found = {each.stream.id: each.why for each in look(place).broken}
    assert found[flow] == "it is missing; the next one is 3"
    assert found[other] == "there is no flow that it belongs to"


def test_text_that_is_no_document_ends_no_look(sqlite_place: Place) -> None:
    place, flow = sqlite_place, make_flow(sqlite_place)
    for x in range(3):
        make_node(place, flow, position_x=float(x))
    sql(place, f"UPDATE change_log SET inverse = '[' WHERE {SECOND}", flow=flow)
    broken = only(look(place))
    assert (broken.seq, "cannot be read" in broken.why) == (2, True)
    assert look(place).operations == 5


@pytest.mark.parametrize(
    ("where", "seq", "why"),
    [
        ("seq = 1", 1, "the next one is 2"),
        ("seq = 2", 2, "the next one is 3"),
        ("seq = 4", 4, "the head counts 4"),
        ("seq > 0", 1, "it is missing"),
    ],
    ids=["first", "middle", "last", "all"],
)
def test_a_missing_operation_is_named(
    place: Place, flow: str, where: str, seq: int, why: str
) -> None:
    def work(connection: Connection) -> None:
        query = f"DELETE FROM change_log WHERE {where} AND stream_id = :flow"
        connection.execute(text(query), {"flow": flow})

    place.write(work)
    broken = only(look(place))
    assert (broken.stream, broken.seq, broken.op_id) == (Stream("flow", flow), seq, None)
    assert why in broken.why


@pytest.mark.parametrize(("head", "seq"), [(3, 4), (9, 5)])
def test_a_head_that_counts_wrong_is_told(place: Place, flow: str, head: int, seq: int) -> None:
    sql(place, f"UPDATE prompt_flow SET head_seq = {head} WHERE id = :flow", flow=flow)
    assert only(look(place)).seq == seq


def test_one_broken_stream_hides_no_other(place: Place, flow: str) -> None:
    other = make_flow(place, "other")
    for x in range(3):
        make_node(place, other, position_x=float(x))
    for key in (flow, other):
        sql(place, f"UPDATE change_log SET actor_id = 'x' WHERE {SECOND}", flow=key)
    assert {each.stream.id for each in look(place).broken} == {flow, other}
    assert only(look(place, other)).stream.id == other
    assert "2 broken" in str(look(place))


def test_erased_text_leaves_the_chain_whole(place: Place, flow: str) -> None:
    place.do(lambda session: session.execute(delete(Payload)))
    assert look(place, flow) == Verified(1, 4, ())
