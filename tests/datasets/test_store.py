from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptstudio_lab.datasets import store
from promptstudio_lab.datasets.items import Item, items
from promptstudio_lab.datasets.store import digest
from promptstudio_lab.errors import DatasetError, NotFound, ValueRefused
from promptstudio_lab.warehouse.entities import Dataset, DatasetItem
from promptstudio_lab.warehouse.rows import find
from tests.warehouse import conftest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.warehouse.parts import Place

Rows = list[dict[str, Any]]  # any JSON value a column

shared = conftest.shared
place = conftest.place


def rows(**texts: str) -> Rows:
    return [{"id": key, "ticket": text} for key, text in texts.items()]


def save(place: Place, data: Rows, name: str = "tickets") -> Dataset:
    done: Dataset = place.do(lambda s: store.save(s, place.lab_id, name, items(data)))
    return done


def load(place: Place, name: str = "tickets") -> tuple[int, Rows]:
    dataset, found = place.see(lambda s: store.load(s, place.lab_id, name))
    return dataset.current_version, [item.values for item in found]


def intervals(place: Place) -> Mapping[str, list[tuple[int, int | None]]]:
    """Return from which version to which each row belonged, by key."""
    found: dict[str, list[tuple[int, int | None]]] = {}
    for row in place.see(lambda s: find(s, DatasetItem, order=("added_in_version",))):
        span = (row.added_in_version, row.removed_in_version)
        found.setdefault(row.item_key, []).append(span)
    return found


def test_rows_come_back_in_order(place: Place) -> None:
    data = [{"id": f"t{n}", "x": [n, None, {"é": "\U0001f600"}]} for n in (3, 1, 2, 30)]
    save(place, data)
    assert load(place) == (1, data)


def test_same_rows_make_no_version(place: Place) -> None:
    first = save(place, rows(a="one", b="two"))
    again = save(place, rows(a="one", b="two"))
    assert (again.id, again.current_version) == (first.id, 1)
    assert len(intervals(place)) == 2


def test_changed_rows_end_and_others_stay(place: Place) -> None:
    save(place, rows(same="1", changed="2", gone="3"))
    before = {row.item_key: row.id for row in place.see(lambda s: find(s, DatasetItem))}
    assert save(place, rows(same="1", changed="two", new="4")).current_version == 2
    assert intervals(place) == {
        "same": [(1, None)],
        "changed": [(1, 2), (2, None)],
        "gone": [(1, 2)],
        "new": [(2, None)],
    }
    after = {row.id for row in place.see(lambda s: find(s, DatasetItem, item_key="same"))}
    assert after == {before["same"]}
    assert load(place) == (2, rows(same="1", changed="two", new="4"))


def test_row_may_come_back(place: Place) -> None:
    for data in (rows(a="1", b="2"), rows(a="1"), rows(a="1", b="2")):
        save(place, data)
    assert intervals(place) == {"a": [(1, None)], "b": [(1, 2), (3, None)]}
    assert load(place) == (3, rows(a="1", b="2"))


@pytest.mark.parametrize(
    "later",
    [rows(new="0", a="1", b="2"), rows(a="1", new="0", b="2"), rows(a="one", new="0", b="2")],
    ids=["before", "between", "changed"],
)
def test_order_is_that_of_the_newest_save(place: Place, later: Rows) -> None:
    save(place, rows(a="1", b="2"))
    save(place, later)
    assert load(place) == (2, later)


def test_order_alone_is_kept_too(place: Place) -> None:
    save(place, rows(a="1", b="2"))
    save(place, rows(b="2", a="1"))
    assert load(place)[1] == rows(b="2", a="1")


def test_items_know_their_rows(place: Place) -> None:
    save(place, rows(a="1"))
    _, (item,) = place.see(lambda s: store.load(s, place.lab_id, "tickets"))
    (row,) = place.see(lambda s: find(s, DatasetItem))
    assert item == Item(row.id, "a", {"id": "a", "ticket": "1"})


def test_unknown_dataset_names_the_nearest(place: Place) -> None:
    save(place, rows(a="1"))
    with pytest.raises(NotFound, match=r"no dataset 'tikets'.*did you mean 'tickets'"):
        load(place, "tikets")
    with pytest.raises(NotFound):
        load(place.elsewhere())


def test_value_that_cannot_be_kept_leaves_nothing(place: Place) -> None:
    with pytest.raises(ValueRefused, match="NaN"):
        save(place, [{"id": "a", "score": float("nan")}])
    assert place.see(lambda s: find(s, Dataset)) == []


def test_key_is_the_id_or_the_number() -> None:
    assert [item.key for item in items([{"id": 7}, {"id": "x"}])] == ["7", "x"]
    assert [item.key for item in items([{"a": 1}, {"a": 1}])] == ["1", "2"]
    assert [item.key for item in items([{"id": 1, "n": "a"}, {"id": 1, "n": "b"}], "n")] == [
        "a",
        "b",
    ]


def test_items_are_copies() -> None:
    row = {"id": "a", "x": 1}
    (item,) = items([row])
    row["x"] = 2
    assert item == Item(None, "a", {"id": "a", "x": 1})


@pytest.mark.parametrize(
    ("data", "key", "message"),
    [
        ([], None, "the dataset has no rows"),
        ([{"id": "a"}, {"id": "a"}], None, "row 2: the key 'a' stands twice in column 'id'"),
        ([{"id": 1}, {"id": "1"}], None, "row 2: the key '1' stands twice"),
        ([{"id": "a"}, {"x": 1}], None, "row 2 has no 'id'"),
        ([{"id": "a"}, {"id": None}], None, "row 2 has no 'id'"),
        ([{"ticket": "a"}], "tikcet", "row 1 has no 'tikcet'.*did you mean 'ticket'"),
    ],
)
def test_bad_keys_are_named(data: Rows, key: str | None, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        items(data, key)


def test_digest_pins_keys_values_and_order() -> None:
    pinned = digest(items(rows(a="1", b="2")))
    assert digest(items([{"ticket": "1", "id": "a"}, *rows(b="2")])) == pinned
    others = [rows(b="2", a="1"), rows(a="1"), rows(a="1", b="3"), rows(a="1", c="2")]
    assert pinned not in {digest(items(data)) for data in others}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    saves=st.lists(
        st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2"]), min_size=1),
        min_size=1,
        max_size=4,
    )
)
def test_every_save_reads_back(place: Place, saves: list[dict[str, str]]) -> None:
    name = f"set {len(place.see(lambda s: find(s, Dataset)))}"
    for data in saves:
        save(place, rows(**data), name)
        found = load(place, name)[1]
        assert sorted(found, key=str) == sorted(rows(**data), key=str)
