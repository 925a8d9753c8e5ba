"""The hash chain of the log: what an operation's hash covers, as one formula over plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.values import Json, content_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

# Every column that says what happened. What a reference points at may be erased; where it points
# is covered.
HASHED = (
    "stream_type",
    "stream_id",
    "seq",
    "op_id",
    "op_type",
    "base_seq",
    "patch",
    "inverse",
    "status",
    "conflicts",
    "undo_of_seq",
    "batch_id",
    "actor_id",
    "actor_kind",
    "client_id",
    "created_at",
)


def chained(previous: str | None, row: Mapping[str, Json]) -> str:
    """Return the hash of an operation, which holds the hash of the one before it.

    Args:
        previous: the hash of the operation before it in its stream; None for the first.
        row: the columns of `HASHED` as plain JSON values; `created_at` as `types.iso` writes it.

    >>> first = chained(None, dict.fromkeys(HASHED))
    >>> chained(first, dict.fromkeys(HASHED)) == first
    False
    """
    return content_hash([previous, {name: row[name] for name in HASHED}])
