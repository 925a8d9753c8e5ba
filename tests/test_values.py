from __future__ import annotations

import json
import math
from collections import OrderedDict
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.values import (
    check_text,
    content_hash,
    dumps,
    keyed_hash,
    loads,
    total,
    without_surrogates,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)
DEEP = 100_000
LONG_NUMBER = 10**5000


@given(JSON)
def test_values_come_back_as_they_were(value: object) -> None:
    text = dumps(value)
    assert text.isascii()
    assert loads(text) == value == json.loads(text)
    assert dumps(loads(text)) == text


@given(st.dictionaries(TEXTS, JSON))
def test_order_of_keys_is_no_difference(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert dumps(turned) == dumps(value)
    assert content_hash(turned) == content_hash(value)


@given(JSON, JSON)
def test_equal_hashes_are_equal_texts(one: object, other: object) -> None:
    assert (content_hash(one) == content_hash(other)) == (dumps(one) == dumps(other))


def test_text_is_the_shortest() -> None:
    assert dumps({"b": [1, 2.0, None, True], "a": "é\u2028\0"}) == (
        '{"a":"\\u00e9\\u2028\\u0000","b":[1,2.0,null,true]}'
    )


@pytest.mark.parametrize(
    "value", [(1, (2,)), OrderedDict(b=1, a=2), MappingProxyType({"a": (1,)}), {"x": [(1, 2)]}]
)
def test_other_mappings_and_sequences_are_values_too(value: object) -> None:
    def plain(part: Any) -> Any:  # the same with JSON's own types
        if isinstance(part, (OrderedDict, MappingProxyType, dict)):
            return {key: plain(item) for key, item in part.items()}
        return list(map(plain, part)) if isinstance(part, (tuple, list)) else part

    assert dumps(value) == dumps(plain(value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "^/: NaN has no JSON form"),
        ({"a": [0, math.inf]}, "^/a/1: Infinity has no JSON form"),
        ({"a": {"b": -math.inf}}, "^/a/b: Infinity"),
        ({"a": "x\ud800"}, "^/a: a lone surrogate"),
        ({"\udfff": 1}, "lone surrogate"),
        ("\ud83d\ude00", "^/: a lone surrogate"),
        ({1: "a"}, "^/: the key 1 is not text"),
        ({"a": {None: 1}}, "^/a: the key None is not text"),
        ({"a": 1, 2: 3}, "the key 2 is not text"),
        ({"a": b"x"}, "^/a: bytes has no JSON form"),
        ([{1, 2}], "^/0: set has no JSON form"),
        ({"a": Ellipsis}, "^/a: ellipsis has no JSON form"),
        ({"a": 1j}, "^/a: complex has no JSON form"),
    ],
    ids=repr,
)
def test_value_without_a_form_is_refused_with_its_place(value: object, message: str) -> None:
    with pytest.raises(ValueRefused, match=message):
        dumps(value)


def test_place_is_a_json_pointer() -> None:
    with pytest.raises(ValueRefused, match=r"^/a~1b~0c/0: NaN"):
        dumps({"a/b~c": [math.nan]})


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [200, 400, 600, 900, 1100, DEEP])
def test_deep_value_has_a_form_or_is_refused(depth: int) -> None:
    try:
        assert dumps(nested(depth)) == "[" * (depth + 1) + "]" * (depth + 1)
    except ValueRefused:
        assert depth > 200
    with pytest.raises(ValueRefused, match="not JSON"):
        loads("[" * DEEP + "]" * DEEP)


def test_value_inside_itself_is_refused() -> None:
    value: list[object] = []
    value.append({"again": value})
    with pytest.raises(ValueRefused):
        dumps(value)


def test_very_long_number_has_a_form_or_is_refused() -> None:
    for attempt in (lambda: dumps({"n": LONG_NUMBER}), lambda: loads("1" * 5000)):
        with suppress(ValueRefused):
            attempt()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ("[1,]", "not JSON"),
        ("1 2", "not JSON"),
        (b"\xff", "not JSON"),
        ('{"a": {"b": 1, "b": 1}}', "duplicate key 'b'"),
        ("[NaN]", "NaN has no JSON form"),
        ("-Infinity", "-Infinity has no JSON form"),
        ("[1e999]", "no JSON form"),
    ],
)
def test_text_that_is_no_value_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueRefused, match=message):
        loads(text)


@given(st.text(st.characters()), st.binary(min_size=1, max_size=64))
def test_text_is_kept_or_refused(text: str, key: bytes) -> None:
    bad = next((n for n, letter in enumerate(text) if letter == "\0" or is_surrogate(letter)), None)
    if bad is None:
        assert check_text(text) is text
        assert len(keyed_hash(key, text)) == 32
    else:
        with pytest.raises(ValueRefused, match=f"^it holds .* at position {bad}$"):
            check_text(text, "it")


def is_surrogate(letter: str) -> bool:
    return 0xD800 <= ord(letter) <= 0xDFFF


@given(st.text(st.characters()))
def test_text_of_strangers_can_always_be_kept(text: str) -> None:
    found = without_surrogates(text)
    assert len(found) == len(text)
    assert not any(map(is_surrogate, found))
    if not any(map(is_surrogate, text)):
        assert found == text


def test_keyed_hash_depends_on_key_and_text() -> None:
    found = {keyed_hash(key, text) for key in (b"a", b"b", b"ab") for text in ("x", "y", "")}
    assert len(found) == 9
    assert keyed_hash(b"a", "x") == keyed_hash(b"a", "x")


@given(st.lists(st.none() | st.integers()))
def test_unknown_part_makes_the_total_unknown(parts: list[int | None]) -> None:
    known = [part for part in parts if part is not None]
    assert total(parts) == (sum(known) if len(known) == len(parts) else None)
