from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.ids import derived_id, hashed_id, is_id, new_id, time_of

FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-([78])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PARTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.integers())


def version_of(key: str) -> int:
    found = FORM.fullmatch(key)
    assert found, key
    return int(found[1])


def test_new_ids_are_sorted_by_time() -> None:
    before = datetime.now(UTC)
    keys = [new_id() for _ in range(10_000)]
    assert keys == sorted(set(keys))
    assert {version_of(key) for key in keys} == {7}
    millisecond = timedelta(milliseconds=1)
    assert before - millisecond <= time_of(keys[0]) <= time_of(keys[-1])
    assert time_of(keys[-1]) <= datetime.now(UTC) + timedelta(milliseconds=100)


def test_time_is_the_millisecond() -> None:
    assert time_of("00000000-0000-7000-8000-000000000000") == datetime(1970, 1, 1, tzinfo=UTC)
    expected = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)  # the example of RFC 9562
    assert time_of("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == expected


@given(PARTS, PARTS)
def test_derived_ids_depend_on_their_parts_alone(one: list[object], other: list[object]) -> None:
    parent = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    key = derived_id(parent, *one)
    assert key == derived_id(parent, *one)
    assert version_of(key) == 7
    assert time_of(key) == time_of(parent)
    if list(map(str, one)) != list(map(str, other)):
        assert key != derived_id(parent, *other)


def test_derived_ids_are_apart() -> None:
    parents = [new_id() for _ in range(100)]
    keys = {derived_id(parent, "node", n) for parent in parents for n in range(100)}
    assert len(keys) == 10_000
    assert derived_id(parents[0], "a", "b") != derived_id(parents[0], "b", "a")
    assert derived_id(parents[0], "ab") != derived_id(parents[0], "a", "b")


def test_derived_ids_stay_what_they_are() -> None:
    parent = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    assert derived_id(parent, "node", 1) == "017f22e2-79b0-7d61-9882-8f25b6bd95d4"


@given(st.binary(min_size=16, max_size=40))
def test_hashed_ids_keep_122_bits(digest: bytes) -> None:
    key = hashed_id(digest)
    assert version_of(key) == 8
    assert key == hashed_id(digest[:16])
    kept = uuid.UUID(key).int ^ int.from_bytes(digest[:16], "big")
    assert kept & ~(0xF << 76 | 0x3 << 62) == 0


@given(st.uuids())
def test_keys_have_one_form(key: uuid.UUID) -> None:
    assert is_id(str(key))
    for other in (key.hex, f"{{{key}}}", key.urn, f" {key}", key):
        assert not is_id(other)
    assert is_id(str(key).upper()) == (str(key).upper() == str(key))


@pytest.mark.parametrize("text", ["", "x", None, 5, b"", "../etc/passwd", "0" * 36])
def test_anything_else_is_no_key(text: object) -> None:
    assert not is_id(text)


def test_ids_of_later_milliseconds_sort_later() -> None:
    first = new_id()
    time.sleep(0.002)
    assert first[:13] < new_id()[:13]
