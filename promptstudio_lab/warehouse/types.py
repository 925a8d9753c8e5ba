"""Column types that mean the same on both engines."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from sqlalchemy import BigInteger, Boolean, Double, Integer, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.ids import is_id
from promptstudio_lab.values import Json, check_text, dumps, loads

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class Guid(TypeDecorator[str]):
    """A key: TEXT of 36 characters on SQLite, native `uuid` on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Choose the engine's own type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=False))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse what is no key on both engines alike."""
        if value is not None and not is_id(value):
            message = f"{value!r} is not an id"
            raise ValueRefused(message)
        return value


class PlainText(TypeDecorator[str]):
    """Text that both engines store exactly: no NUL, no lone surrogate."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse what one engine would store and the other would not."""
        return None if value is None else check_text(value)


class CanonicalJson(TypeDecorator[Json]):
    """A JSON value as its canonical text; `json` on PostgreSQL, which keeps the text as it is."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Json]:
        """Choose the engine's own type, with our codec and not the driver's."""
        if dialect.name == "postgresql":
            return _JsonText()
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Json, dialect: Dialect) -> str | None:
        """Write the canonical text."""
        return None if value is None else dumps(value)

    def process_result_value(self, value: Json, dialect: Dialect) -> Json:
        """Read the text back; PostgreSQL's driver has parsed it already."""
        return loads(value) if isinstance(value, str) else value


class _JsonText(UserDefinedType[str]):
    """PostgreSQL's `json`, given and taken as text: the text that we hash is the text it keeps."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the column's type."""
        return "JSON"


class FiniteNumber(TypeDecorator[float]):
    """A number that is one on both engines: SQLite would store NaN as NULL."""

    impl = Double
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[float]:
        """Choose the engine's own type."""
        kind: TypeEngine[float] = sqlite.REAL() if dialect.name == "sqlite" else Double()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Refuse NaN and infinities."""
        if value is not None and not math.isfinite(value):
            message = f"{value} is not a number that can be stored"
            raise ValueRefused(message)
        return value


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in UTC: ISO text with six digits on SQLite, `timestamptz` on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        """Choose the engine's own type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(_iso_text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Refuse naive times; turn the others into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"{value.isoformat()} has no time zone; give an aware datetime"
            raise ValueRefused(message)
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else iso(moment)

    def process_result_value(
        self,
        value: datetime | str | None,
        dialect: Dialect,
    ) -> datetime | None:
        """Return an aware time in UTC."""
        if value is None:
            return None
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)


def _iso_text() -> TypeEngine[Any]:  # text that stands for a time
    return Text()


def iso(moment: datetime) -> str:
    """Return the text form of an aware time: it sorts as the times do.

    >>> iso(datetime(2026, 1, 2, tzinfo=UTC))
    '2026-01-02T00:00:00.000000+00:00'
    """
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


# SQLite's strict tables know INTEGER, REAL and TEXT only.
_Whole = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
_Flag = Boolean(create_constraint=False).with_variant(Integer(), "sqlite")

Key: TypeAlias = Annotated[str, mapped_column(Guid)]
OptionalKey: TypeAlias = Annotated[str | None, mapped_column(Guid)]
Words: TypeAlias = Annotated[str, mapped_column(PlainText)]
OptionalWords: TypeAlias = Annotated[str | None, mapped_column(PlainText)]
Count: TypeAlias = Annotated[int, mapped_column(_Whole)]
OptionalCount: TypeAlias = Annotated[int | None, mapped_column(_Whole)]
Number: TypeAlias = Annotated[float, mapped_column(FiniteNumber)]
OptionalNumber: TypeAlias = Annotated[float | None, mapped_column(FiniteNumber)]
Flag: TypeAlias = Annotated[bool, mapped_column(_Flag)]
OptionalFlag: TypeAlias = Annotated[bool | None, mapped_column(_Flag)]
Moment: TypeAlias = Annotated[datetime, mapped_column(UTCDateTime)]
OptionalMoment: TypeAlias = Annotated[datetime | None, mapped_column(UTCDateTime)]
Document: TypeAlias = Annotated[Json, mapped_column(CanonicalJson)]
