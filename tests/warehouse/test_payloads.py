from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from promptstudio_lab.errors import NotFound, ValueRefused
from promptstudio_lab.ids import hashed_id, is_id, new_id
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.entities import Payload
from promptstudio_lab.warehouse.payloads import PayloadAddress
from promptstudio_lab.warehouse.rows import find

if TYPE_CHECKING:
    from tests.warehouse.parts import Place

VALUES: list[object] = [
    {"ticket": "né \U0001f600 \0", "n": 2**70},
    "text",
    "5",
    "",
    None,
    True,
    5,
    5.0,
    [],
    {"a": {"b": [1, None]}},
]


def put(place: Place, *values: object) -> list[str]:
    keys: list[str] = place.do(lambda session: payloads.put(session, values))
    return keys


def test_values_come_back_exactly(place: Place) -> None:
    keys = put(place, *VALUES)
    assert len(set(keys)) == len(VALUES)
    found = place.see(lambda session: [payloads.get(session, key) for key in keys])
    assert list(map(dumps, found)) == list(map(dumps, VALUES))
    many = place.see(lambda session: payloads.get_many(session, keys))
    assert [dumps(many[key]) for key in keys] == list(map(dumps, VALUES))


def test_equal_values_are_one_row(place: Place) -> None:
    keys = put(place, {"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert keys[0] == keys[1] == put(place.as_somebody("else"), {"a": 1, "b": 2})[0]
    (row,) = place.see(lambda session: find(session, Payload))
    assert (row.body, row.byte_count, row.created_by) == ('{"a":1,"b":2}', 13, "analyst")


def test_address_is_the_organisations_secret(place: Place) -> None:
    other = place.elsewhere()
    (mine,), (theirs,) = put(place, "personal"), put(other, "personal")
    assert mine != theirs
    assert is_id(mine)
    guessed = hashed_id(hashlib.sha256(b'"personal"').digest())
    assert guessed not in {mine, theirs}
    with pytest.raises(NotFound, match=f"no payload {mine}; it may have been erased"):
        other.see(lambda session: payloads.get(session, mine))
    assert other.see(lambda session: payloads.get_many(session, [mine, theirs])) == {
        theirs: "personal"
    }


@given(
    key=st.binary(min_size=1, max_size=32), text=st.text(st.characters(exclude_categories=["Cs"]))
)
def test_addresses_are_ids_that_depend_on_key_and_text(key: bytes, text: str) -> None:
    address = PayloadAddress(key.hex())
    assert is_id(address.of(text))
    assert address.of(text) == PayloadAddress(key.hex()).of(text)
    assert address.of(text) != address.of(text + "x")
    assert address.of(text) != PayloadAddress((key + b"x").hex()).of(text)


def test_many_are_read_in_parts(place: Place) -> None:
    keys = put(place, *range(1201))
    found = place.see(lambda session: payloads.get_many(session, [*keys, keys[0], new_id()]))
    assert [found[key] for key in keys] == list(range(1201))
    assert len(found) == 1201


def test_refused_value_leaves_nothing(place: Place) -> None:
    with pytest.raises(ValueRefused, match="/x: Infinity has no JSON form"):
        put(place, "fine", {"x": float("inf")})
    assert place.see(lambda session: session.scalars(select(Payload)).all()) == []


def test_nothing_is_put(place: Place) -> None:
    assert put(place) == []
    assert place.see(lambda session: payloads.get_many(session, [])) == {}
