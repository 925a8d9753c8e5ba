"""What PostgreSQL's Arrow driver returns, as the types that a frame of the product has."""

from __future__ import annotations

from binascii import hexlify
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

_DIGITS = 32
_KEY = 36
# Where the groups of a key's digits begin, and where its dashes put them.
_GROUPS = ((0, 0, 8), (8, 9, 4), (12, 14, 4), (16, 19, 4), (20, 24, 12))
_POINT = r"[^0-9-]"  # a fraction, or NaN


def turn_of(arrow_type: Any) -> Callable[[Any], pl.Series] | None:  # pyarrow ships no types
    """Return how a column of that type becomes a series; None where only psycopg knows."""
    import polars as pl
    import pyarrow as pa

    name = getattr(arrow_type, "extension_name", "")
    if name == "arrow.opaque":
        return numbers if arrow_type.type_name == "numeric" else None
    if name:
        return {"arrow.uuid": keys, "arrow.json": _stored}.get(name)
    if pa.types.is_integer(arrow_type):
        return lambda column: _series(column).cast(pl.Int64)
    if pa.types.is_float32(arrow_type):
        # As people write it: 0.1 stays 0.1.
        return lambda column: _series(column).cast(pl.String).cast(pl.Float64)
    if any(kind(arrow_type) for kind in _plain_kinds()):
        return _series
    return None


def _plain_kinds() -> tuple[Callable[[Any], bool], ...]:  # pyarrow ships no types
    from pyarrow import types

    return (
        types.is_boolean,
        types.is_float64,
        types.is_string,
        types.is_binary,
        types.is_timestamp,
        types.is_date32,
    )


def _series(column: Any) -> pl.Series:  # pyarrow ships no types
    import polars as pl

    return pl.Series(values=pl.from_arrow(column, rechunk=False))


def _stored(column: Any) -> pl.Series:  # pyarrow ships no types
    return _series(column.cast(column.type.storage_type))


def numbers(column: Any) -> pl.Series:  # pyarrow ships no types
    """Return exact numbers, sent as text: whole ones exactly, fractions as a float each."""
    import polars as pl

    texts = _stored(column)
    if texts.str.contains(_POINT).any():
        return texts.cast(pl.Float64)
    for whole in (pl.Int64, pl.Int128):
        found = texts.cast(whole, strict=False)
        if found.null_count() == texts.null_count():
            return found
    return texts.cast(pl.Float64)


def keys(column: Any) -> pl.Series:  # pyarrow ships no types
    """Return keys, sent as 16 bytes each, as their text."""
    import pyarrow as pa

    return _series(pa.chunked_array([_dashed(chunk) for chunk in column.chunks], pa.string()))


def _dashed(chunk: Any) -> Any:  # pyarrow ships no types
    import numpy as np
    import pyarrow as pa

    stored = chunk.storage
    rows = stored.offset + len(stored)
    known, raw = stored.buffers()
    digits = np.frombuffer(hexlify(memoryview(raw)[: rows * 16]), np.uint8).reshape(rows, _DIGITS)
    text = np.full((rows, _KEY), ord("-"), np.uint8)
    for start, place, size in _GROUPS:
        text[:, place : place + size] = digits[:, start : start + size]
    ends = np.arange(0, (rows + 1) * _KEY, _KEY, dtype=np.int32)
    data, offsets = pa.py_buffer(text), pa.py_buffer(ends)
    return pa.StringArray.from_buffers(
        len(stored), offsets, data, known, stored.null_count, stored.offset
    )
