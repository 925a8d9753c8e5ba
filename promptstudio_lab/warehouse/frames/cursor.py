"""Free queries by the engine's own driver: the small ones, and those of unusual values."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import CursorResult, text

from promptstudio_lab.errors import ValueRefused, WarehouseError
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl
    from sqlalchemy.orm import Session

    from promptstudio_lab.warehouse.append import Row

# Fewer rows are quicker by the driver's cursor than by any other way.
BIG = 5_000
READS = ("SELECT", "WITH", "VALUES")

# Text, names, remarks: what looks like SQL in them is none.
_QUOTED = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$", re.DOTALL
)
_REMARK = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*", re.DOTALL)
_MARK = re.compile(r"(?<![:\w$\\])(:[\w$]+)(?![:\w$])")
_ALLOWED = (*READS, "EXPLAIN")
_BEYOND = 2**127  # no whole number of polars goes so far

Answer = CursorResult[Any]  # rows of whatever was asked for


def one_query(sql: str) -> str:
    r"""Return a statement that only reads, ready for SQLAlchemy's `text`.

    >>> one_query("SELECT ':no', :yes -- :no;")
    "SELECT '\\:no', :yes -- \\:no;"

    Raises:
        WarehouseError: if it is several statements, or begins with another word.
    """
    bare = _QUOTED.sub(lambda found: " " * len(found[0]), sql).rstrip()
    end = len(bare.rstrip("; \n\t\r"))
    if ";" in bare[:end]:
        message = "this is more than one statement; a query is one SELECT, so ask one at a time"
        raise WarehouseError(message)
    first = first_word(sql)
    if first not in _ALLOWED:
        began = f"begins with {first}" if first else "is empty"
        message = f"a query only reads: it begins with SELECT or WITH, and this one {began}"
        raise WarehouseError(message)
    kept = sql if end == len(bare) else sql[:end] + sql[len(bare) :]
    return _QUOTED.sub(lambda found: _MARK.sub(r"\\\1", found[0]), kept)


def first_word(sql: str) -> str:
    r"""Return the word that a statement begins with, after remarks and brackets.

    >>> first_word("-- why\n (select 1)")
    'SELECT'
    """
    start = _REMARK.match(sql)
    word = re.match(r"\w*", sql[start.end() if start else 0 :])
    return word[0].upper() if word else ""


def marks(sql: str) -> list[str]:
    """Return the names of a query's `:name` parameters.

    >>> marks("SELECT a::text, ':b' FROM t WHERE c = :d AND e > :d")
    ['d']
    """
    bare = _QUOTED.sub(" ", sql)
    return list(dict.fromkeys(found[1:] for found in _MARK.findall(bare)))


def ready(parameters: Mapping[str, Any], dialect: str) -> dict[str, Any]:  # of their columns' types
    """Return parameters as the columns of the engine hold them.

    Raises:
        ValueRefused: if a time has no zone.
    """
    return {name: _ready(value, dialect) for name, value in parameters.items()}


def _ready(value: object, dialect: str) -> object:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            message = f"{value.isoformat()} has no time zone; give an aware datetime"
            raise ValueRefused(message)
        return iso(value) if dialect == "sqlite" else value
    if isinstance(value, date) and dialect == "sqlite":
        return value.isoformat()
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return value.item()
    return str(value) if isinstance(value, UUID) else value


def begun(session: Session, sql: str, bound: Mapping[str, object]) -> Answer:
    """Run a query and return its result, none of its rows fetched yet.

    Raises:
        WarehouseError: if it returns no rows, or two columns of one name.
    """
    result = session.execute(text(sql), bound)
    if not isinstance(result, CursorResult) or not result.returns_rows:
        message = "this statement returns no rows; a query begins with SELECT"
        raise WarehouseError(message)
    refuse_twins(result.keys())
    return result


def refuse_twins(names: Iterable[str]) -> None:
    """Refuse an answer of which two columns have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        message = (
            f"the query returns more than one column named {twice[0]!r}; "
            f"name one of them otherwise, as in {twice[0]} AS other_{twice[0]}"
        )
        raise WarehouseError(message)


def frame_of(names: Sequence[str], rows: Sequence[Row]) -> pl.DataFrame:
    """Return rows as a frame; a column's type is that of all its values.

    Raises:
        WarehouseError: if the values of a column have no type in common.
    """
    import polars as pl

    try:
        return pl.DataFrame(list(rows), schema=list(names), orient="row", infer_schema_length=None)
    except (pl.exceptions.PolarsError, OverflowError) as error:
        message = f"the values of a column have no type in common; CAST them in the query: {error}"
        raise WarehouseError(message) from None


def plain(rows: Iterable[Sequence[Any]]) -> list[Row]:  # whatever the driver returns
    """Return rows without the driver's own types."""
    return [tuple(_plain(value) for value in row) for row in rows]


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        # PostgreSQL sums and averages whole numbers exactly; SQLite gives plain numbers.
        whole = value.as_tuple().exponent == 0 and abs(value) < _BEYOND
        return int(value) if whole else float(value)
    return str(value) if isinstance(value, UUID) else value


def positional(session: Session, sql: str, bound: Mapping[str, object]) -> tuple[str, list[object]]:
    """Return a query with the engine's own marks, and the values in their order."""
    compiled = text(sql).compile(dialect=session.get_bind().dialect)
    order = getattr(compiled, "positiontup", None) or []
    return str(compiled), [bound[name] for name in order]
