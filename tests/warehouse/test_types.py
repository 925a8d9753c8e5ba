"""What is stored comes back exactly, and what one engine could not keep neither takes."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, select, text

from promptstudio_lab.errors import PromptStudioError, ValueRefused
from promptstudio_lab.ids import new_id
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse import types
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.entities import (
    Dataset,
    Payload,
    PromptFlow,
    PromptLab,
    SubjectKey,
)
from promptstudio_lab.warehouse.rows import find
from tests.warehouse.parts import added, log, make_flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from tests.warehouse.parts import Place

PROBE = Table(
    "probe",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("moment", types.UTCDateTime),
    Column("document", types.CanonicalJson),
    Column("words", types.PlainText),
    Column("whole", types._Whole),
    Column("number", types.FiniteNumber),
    sqlite_strict=True,
)
DOCUMENTS = [
    {"b": 1, "a": [True, None, 2.5]},
    {"nul": "a\0b", "emoji": "\U0001f600", "line": "\u2028", "é": "\\u0000 \\ud800"},
    {"big": 2**63, "bigger": -(10**40), "small": 5e-324, "large": 1.7976931348623157e308},
    "text",
    "5",
    "",
    "null",
    [],
    {},
    0,
    False,
    [1, 1.0, -0.0],
]
BEYOND_FLOATS = 2**53 + 1
MOST_BIGINT = 2**63 - 1
BAD_TEXTS = {"a\0b": "NUL", "\ud800": "lone surrogate", "ok \udfff": "lone surrogate"}


class Probe(NamedTuple):
    """A table with a column of each type."""

    place: Place

    def keep(self, **values: object) -> Any:  # whatever the column holds
        """Store one row and return it as it comes back."""
        with self.place.warehouse.engine.begin() as connection:
            key = connection.scalar(PROBE.insert().values(**values).returning(PROBE.c.id))
        with self.place.warehouse.engine.connect() as connection:
            row = connection.execute(select(PROBE).where(PROBE.c.id == key)).one()
            return getattr(row, next(iter(values)))

    def raw(self, column: str) -> str:
        """Return the text of the newest row, as another program sees it."""
        with self.place.warehouse.engine.connect() as connection:
            query = f"SELECT CAST({column} AS TEXT) FROM probe ORDER BY id DESC LIMIT 1"
            return str(connection.execute(text(query)).scalar_one())

    def height(self) -> int:
        """Return how many rows there are."""
        with self.place.warehouse.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM probe")).scalar_one())


@pytest.fixture
def probe(place: Place) -> Iterator[Probe]:
    with place.warehouse.engine.begin() as connection:
        PROBE.create(connection)
    yield Probe(place)
    with place.warehouse.engine.begin() as connection:
        PROBE.drop(connection)


def test_naive_time_is_refused(place: Place) -> None:
    naive = datetime(2026, 1, 2, 3, 4)  # noqa: DTZ001 — what is refused
    key = SubjectKey(id=new_id(), subject_ref="x", destroyed_at=naive)
    with pytest.raises(ValueRefused, match="2026-01-02T03:04:00 has no time zone"):
        place.do(lambda session: session.add(key))
    assert place.see(lambda session: session.scalars(select(SubjectKey)).all()) == []


def test_naive_time_is_refused_in_bulk(place: Place) -> None:
    naive = datetime(2026, 1, 2)  # noqa: DTZ001 — what is refused
    row = (new_id(), place.actor.organization_id, "x", naive, "somebody")
    columns = ("id", "organization_id", "subject_ref", "created_at", "created_by")
    with pytest.raises(ValueRefused, match="has no time zone"):
        place.write(lambda c: insert_missing(c, "subject_key", columns, [row]))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_aware_times_come_back_in_utc(probe: Probe, moment: datetime) -> None:
    found = probe.keep(moment=moment)
    assert found == moment
    assert found.utcoffset() == timedelta(0)


def test_times_are_text_of_one_length_on_sqlite(sqlite_place: Place) -> None:
    place = sqlite_place
    moments = [datetime(2026, 1, 2, 0, 0, 0, micro, tzinfo=UTC) for micro in (0, 1, 100_000)]
    rows = [SubjectKey(id=new_id(), subject_ref=str(at), created_at=at) for at in moments]
    place.do(lambda session: session.add_all(rows))
    with place.warehouse.engine.connect() as connection:
        query = "SELECT DISTINCT length(created_at) FROM subject_key"
        assert connection.scalars(text(query)).all() == [32]


def test_times_sort_as_moments(probe: Probe) -> None:
    east = timezone(timedelta(hours=9))
    later = datetime(2026, 1, 1, 12, tzinfo=UTC)
    earlier = datetime(2026, 1, 1, 20, tzinfo=east)
    for moment in (later, earlier, later.replace(microsecond=1)):
        probe.keep(moment=moment)
    with probe.place.warehouse.engine.connect() as connection:
        found = connection.scalars(select(PROBE.c.moment).order_by(PROBE.c.moment)).all()
    assert found == [earlier, later, later.replace(microsecond=1)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=dumps)
def test_documents_come_back_exactly(probe: Probe, document: object) -> None:
    found = probe.keep(document=document)
    assert dumps(found) == dumps(document)
    assert probe.raw("document") == dumps(document)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    document=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ).filter(lambda value: value is not None)
)
def test_any_document_comes_back(probe: Probe, document: object) -> None:
    assert dumps(probe.keep(document=document)) == dumps(document)


def test_no_document_is_no_value(probe: Probe) -> None:
    assert probe.keep(document=None) is None
    with probe.place.warehouse.engine.connect() as connection:
        query = "SELECT count(*) FROM probe WHERE document IS NULL"
        assert connection.execute(text(query)).scalar() == 1


def test_nan_in_a_document_is_refused_with_its_place(place: Place) -> None:
    flow = make_flow(place)
    node = added(flow, new_id(), config={"scores": [1, {"mean": math.nan}]})
    before = place.see(lambda session: len(session.scalars(select(Payload)).all()))
    with pytest.raises(ValueRefused, match=r"^/scores/1/mean: NaN has no JSON form$"):
        log(place, flow, node)
    assert place.see(lambda session: len(session.scalars(select(Payload)).all())) == before
    assert place.see(lambda session: find(session, PromptFlow, id=flow)[0].head_seq) == 0


@pytest.mark.parametrize("words", BAD_TEXTS, ids=ascii)
def test_text_that_cannot_be_kept_is_refused(place: Place, words: str) -> None:
    with pytest.raises(ValueRefused, match=BAD_TEXTS[words]):
        place.do(lambda session: session.add(PromptLab(id=new_id(), name=words)))
    assert len(place.see(lambda session: session.scalars(select(PromptLab)).all())) == 1


@pytest.mark.parametrize("words", BAD_TEXTS, ids=ascii)
def test_text_that_cannot_be_kept_is_refused_in_bulk(place: Place, words: str) -> None:
    row = (new_id(), place.actor.organization_id, words, types.now(), "somebody")
    columns = ("id", "organization_id", "subject_ref", "created_at", "created_by")
    with pytest.raises(ValueRefused, match=BAD_TEXTS[words]):
        place.write(lambda c: insert_missing(c, "subject_key", columns, [row]))


@pytest.mark.parametrize("words", ["", " ", "\x01\x7f", "\U0001f600\u200b\u202e", "a" * 100_000])
def test_other_text_comes_back_exactly(probe: Probe, words: str) -> None:
    assert probe.keep(words=words) == words


@pytest.mark.parametrize("money", [BEYOND_FLOATS, MOST_BIGINT, -BEYOND_FLOATS, 0])
def test_money_is_exact(probe: Probe, money: int) -> None:
    assert probe.keep(whole=money) == money
    assert probe.raw("whole") == str(money)


def test_money_that_does_not_fit_is_refused(probe: Probe) -> None:
    def add(session: Session) -> None:
        session.execute(PROBE.insert().values(whole=MOST_BIGINT + 1))

    with pytest.raises(PromptStudioError):
        probe.place.do(add)
    assert probe.height() == 0


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_number_that_is_none_gets_one_verdict(probe: Probe, number: float) -> None:
    with pytest.raises(ValueRefused):
        probe.place.do(lambda session: session.execute(PROBE.insert().values(number=number)))


@pytest.mark.parametrize("number", [0.1, 5e-324, 1.7976931348623157e308, 1e16 + 2])
def test_numbers_come_back_exactly(probe: Probe, number: float) -> None:
    assert probe.keep(number=number) == number


def test_key_that_is_none_gets_one_verdict(place: Place) -> None:
    with pytest.raises(ValueRefused):
        place.do(lambda session: session.add(PromptLab(id="not-a-key", name="x")))


def test_asking_for_a_key_that_is_none_finds_nothing(place: Place) -> None:
    query = select(Dataset).where(Dataset.id == "not-a-key")
    try:
        found = place.see(lambda session: session.scalars(query).all())
    except ValueRefused:
        found = []
    assert found == []
