"""From when until when, and what of it: the question that a frame of runs asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from promptstudio_lab.errors import ValueRefused
from promptstudio_lab.ids import lowest_id

When: TypeAlias = datetime | date | str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Some columns of an organisation's rows of a time.

    Attributes:
        table: a table of runs.
        columns: names of its columns.
        organization_id: whose rows.
        since: the first moment, or None for the beginning.
        until: the moment after the last, or None for no end.
        limit: how many rows at most.
    """

    table: str
    columns: tuple[str, ...]
    organization_id: str
    since: datetime | None
    until: datetime | None
    limit: int | None

    @property
    def whole(self) -> bool:
        """Tell whether the rows of all times are wanted."""
        return self.since is None and self.until is None

    def conditions(self) -> list[tuple[str, str, str | datetime]]:
        """Return what must hold of a row: column, sign, value.

        The ids carry the moments, so they are bounded too: it is by id that rows are found.
        """
        found: list[tuple[str, str, str | datetime]] = [
            ("organization_id", "=", self.organization_id)
        ]
        if self.since is not None:
            found += [("id", ">=", lowest_id(self.since)), ("created_at", ">=", self.since)]
        if self.until is not None:
            # Ids know whole milliseconds only.
            beyond = lowest_id(self.until + timedelta(microseconds=999))
            found += [("id", "<", beyond), ("created_at", "<", self.until)]
        return found


def moment(when: When | None) -> datetime | None:
    """Return a moment in UTC; a day begins at midnight UTC.

    >>> moment("2026-03-01")
    datetime.datetime(2026, 3, 1, 0, 0, tzinfo=datetime.timezone.utc)

    Raises:
        ValueRefused: if it is no time, or a time of day without its zone.
    """
    if when is None:
        return None
    found = _parsed(when) if isinstance(when, str) else when
    if not isinstance(found, datetime):
        return datetime(found.year, found.month, found.day, tzinfo=UTC)
    if found.tzinfo is None:
        message = f"{found.isoformat()} has no time zone; add one, such as +00:00"
        raise ValueRefused(message)
    return found.astimezone(UTC)


def _parsed(text: str) -> datetime | date:
    for kind in (date, datetime):
        try:
            return kind.fromisoformat(text)
        except ValueError:
            continue
    message = f"{text!r} is no time; write 2026-03-01 or 2026-03-01T09:30:00+00:00"
    raise ValueRefused(message)
