"""Rows as items, read as their turn comes: however many there are, few of them are ever objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar, overload

from promptstudio_lab.errors import DatasetError, did_you_mean
from promptstudio_lab.values import Json, loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

T = TypeVar("T")
Row: TypeAlias = "dict[str, Json]"
_AT_ONCE = 1_000


class Item(NamedTuple):
    """One row of a dataset.

    Attributes:
        id: the row in the warehouse, or None for a row that is not kept there.
        key: the unit that experiments pair by.
        values: the row itself, by column.
    """

    id: str | None
    key: str
    values: Row


class _Read(Sequence[T]):
    """A sequence whose members are made from columns, many at once, whenever they are asked for."""

    def _part(self, part: slice) -> list[T]:
        raise NotImplementedError

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> list[T]: ...
    def __getitem__(self, at: int | slice) -> T | list[T]:
        if isinstance(at, slice):
            return self._part(at)
        place = range(len(self))[at]
        return self._part(slice(place, place + 1))[0]

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._part(slice(start, start + _AT_ONCE))


class FrameRows(_Read[Row]):
    """The rows of a polars frame.

    Args:
        frame: whose columns are kept as they are now.

    >>> import polars as pl
    >>> rows = FrameRows(pl.DataFrame({"ticket": ["Hi", "Ho"]}))
    >>> len(rows), rows[1], rows[:1]
    (2, {'ticket': 'Ho'}, [{'ticket': 'Hi'}])
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        """Share the columns with the frame."""
        self.frame = frame.clone()

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self.frame.height

    def _part(self, part: slice) -> list[Row]:
        return self.frame[part].to_dicts()


class TextRows(_Read[Row]):
    """Rows that lie in memory as canonical JSON.

    Args:
        texts: one object a row.
    """

    def __init__(self, texts: pl.Series) -> None:
        """Bind the texts."""
        self._texts = texts

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._texts)

    def _part(self, part: slice) -> list[Row]:
        return [loads(text) for text in self._texts[part]]


class Items(_Read[Item]):
    """The items of a dataset, in order.

    Attributes:
        keys: the key of each, a column of text.

    Args:
        rows: their values.
        keys: their keys.
        ids: their rows in the warehouse, where they are kept.
    """

    def __init__(self, rows: Sequence[Row], keys: pl.Series, ids: pl.Series | None = None) -> None:
        """Bind the columns, which are equally long."""
        self._rows, self.keys, self._ids = rows, keys, ids

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.keys)

    def _part(self, part: slice) -> list[Item]:
        rows, keys = self._rows[part], self.keys[part]
        ids = self._ids[part] if self._ids is not None else [None] * len(keys)
        return list(map(Item, ids, keys, rows))


def items(rows: Sequence[Mapping[str, Json]], key: str | None = None) -> Items:
    """Return rows as items.

    Args:
        rows: mappings by column; a list of them is copied.
        key: the column that identifies a row; `id` if there is one, else the row's number.

    Raises:
        DatasetError: for no rows, and for a key that is missing or stands twice.

    >>> items([{"id": "a", "ticket": "Hi"}])[0]
    Item(id=None, key='a', values={'id': 'a', 'ticket': 'Hi'})
    """
    import polars as pl

    if not rows:
        message = "the dataset has no rows"
        raise DatasetError(message)
    kept = rows if isinstance(rows, FrameRows) else [dict(row) for row in rows]
    column = key or ("id" if "id" in kept[0] else None)
    if column is None:
        return Items(kept, pl.int_range(1, len(kept) + 1, eager=True).cast(pl.String))
    keys = _keys(kept, column)
    twice = (~keys.is_first_distinct()).arg_true()
    if len(twice):
        message = (
            f"row {twice[0] + 1}: the key {keys[twice[0]]!r} stands twice in column {column!r}"
        )
        raise DatasetError(message)
    return Items(kept, keys)


def _keys(rows: Sequence[Row], column: str) -> pl.Series:
    if isinstance(rows, FrameRows) and column in rows.frame.columns:
        # Only this column is read; the others may be long.
        rows = FrameRows(rows.frame.select(column))
    named = ((_key(row, number, column),) for number, row in enumerate(rows, start=1))
    (keys,) = text_columns(named, 1)
    return keys


def _key(row: Row, number: int, column: str) -> str:
    if row.get(column) is None:
        message = f"row {number} has no {column!r}.{did_you_mean(column, map(str, row))}"
        raise DatasetError(message)
    return str(row[column])


def text_columns(rows: Iterable[tuple[str, ...]], count: int) -> list[pl.Series]:
    """Return rows of texts, which may come one by one, as columns.

    Args:
        rows: one text a column.
        count: how many columns there are.

    >>> [column.to_list() for column in text_columns([("a", "b"), ("c", "d")], 2)]
    [['a', 'c'], ['b', 'd']]
    """
    import polars as pl

    schema = {str(number): pl.String for number in range(count)}
    parts, waiting = [pl.DataFrame(schema=schema)], iter(rows)
    while part := list(islice(waiting, _AT_ONCE)):
        parts.append(pl.DataFrame(part, schema=schema, orient="row"))
    return pl.concat(parts, rechunk=True).get_columns()
