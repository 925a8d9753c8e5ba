"""A calendar month in UTC, and the ids that fall into it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from promptstudio_lab.errors import ValueRefused

_FORM = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_DECEMBER = 12


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month: the rows of a run lie in the month that their ids carry.

    >>> Month.of("2026-12").until
    datetime.datetime(2027, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """

    year: int
    number: int

    @classmethod
    def of(cls, text: str) -> Month:
        """Return the month of that name.

        Raises:
            ValueRefused: if it is none.
        """
        if not _FORM.fullmatch(text) or text.startswith("0000"):
            message = f"{text!r} is no month; write it as 2026-03"
            raise ValueRefused(message)
        return cls(int(text[:4]), int(text[5:]))

    @property
    def since(self) -> datetime:
        """Return its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """Return the first moment after it."""
        if self.number == _DECEMBER:
            return datetime(self.year + 1, 1, 1, tzinfo=UTC)
        return datetime(self.year, self.number + 1, 1, tzinfo=UTC)

    @property
    def ids(self) -> tuple[str, str]:
        """Return the lowest id of the month, and the lowest after it."""
        return _lowest(self.since), _lowest(self.until)

    @property
    def leaf(self) -> str:
        """Return what PostgreSQL's partitions of this month end with."""
        return f"_p{self.year:04}{self.number:02}01"

    def meets(self, since: datetime | None, until: datetime | None) -> bool:
        """Tell whether any moment of the half-open span falls into it.

        >>> Month.of("2026-03").meets(None, datetime(2026, 3, 1, tzinfo=UTC))
        False
        """
        return (since is None or since < self.until) and (until is None or until > self.since)

    def __str__(self) -> str:
        """Return its name."""
        return f"{self.year:04}-{self.number:02}"


def _lowest(moment: datetime) -> str:
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"
