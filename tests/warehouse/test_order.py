from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstudio_lab.warehouse.places.order import between, run

LONGEST = 80


@pytest.mark.parametrize("where", ["front", "back", "middle", "anywhere"])
def test_a_key_lies_between_its_neighbours_and_stays_short(where: str) -> None:
    keys: list[str] = []
    shares = {"front": 0.0, "middle": 0.5, "back": 1.0}
    drawn = Random(1)
    for _ in range(300):
        at = int(len(keys) * shares.get(where, drawn.random()))
        before, after = keys[at - 1] if at else None, keys[at] if at < len(keys) else None
        key = between(before, after)
        assert (before or "") < key
        assert after is None or key < after
        keys.insert(at, key)
    assert keys == sorted(set(keys))
    assert max(map(len, keys)) < LONGEST


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_any_order_of_insertions_sorts(draws: list[int]) -> None:
    keys: list[str] = []
    for draw in draws:
        at = draw % (len(keys) + 1)
        before, after = keys[at - 1] if at else None, keys[at] if at < len(keys) else None
        keys.insert(at, between(before, after))
    assert keys == sorted(set(keys))


def test_several_keys_come_in_their_order() -> None:
    keys = run("a", "b", 5)
    assert keys == sorted(set(keys))
    assert all("a" < key < "b" for key in keys)


@pytest.mark.parametrize(("before", "after"), [("b", "a"), ("a", "a"), (None, "0"), (None, "")])
def test_no_room_is_an_error(before: str | None, after: str | None) -> None:
    with pytest.raises(ValueError, match="there is no key between"):
        between(before, after)
