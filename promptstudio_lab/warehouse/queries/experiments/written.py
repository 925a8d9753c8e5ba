"""A query as somebody can run it again: with its values in it, and lines where its parts begin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"(?<![:\w]):([a-z]\w*)")
_PART = re.compile(
    r" (?=(?:FROM|WHERE|JOIN|LEFT JOIN|GROUP BY|HAVING|ORDER BY)\b)|(?<=\)) (?=SELECT)"
)


def written(query: str, values: Mapping[str, object]) -> str:
    """Return a query with its values written out: ids as text, numbers to the last digit.

    Args:
        query: with `:name` parameters.
        values: of them; only our own ids and numbers.

    >>> print(written("SELECT sum(x - :by) FROM unit WHERE id = :id", {"by": 0.5, "id": "a'b"}))
    SELECT sum(x - 0.5)
    FROM unit
    WHERE id = 'a''b'
    """
    whole = _NAME.sub(lambda found: _literal(values[found[1]]), query)
    return _PART.sub("\n", whole)


def _literal(value: object) -> str:
    if isinstance(value, (int, float)):
        return repr(value) if value >= 0 else f"({value!r})"
    return "'" + str(value).replace("'", "''") + "'"
