"""Rows of runs in any number, as the recorder writes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from promptstudio_lab.ids import lowest_id, time_of

if TYPE_CHECKING:
    from promptstudio_lab.warehouse.append import Row

RUN_COLUMNS = (
    "id", "organization_id", "flow_id", "flow_version", "change_seq", "requested_by",
    "executed_by", "trigger", "status", "started_at", "created_at", "created_by",
)  # fmt: skip
NODE_COLUMNS = (
    "id", "organization_id", "flow_execution_id", "flow_id", "flow_version", "node_id", "node_key",
    "path", "status", "started_at", "completed_at", "execution_time_ms", "cost", "input_tokens",
    "output_tokens", "cache_hit", "attempt_count", "prompt_execution_id", "error_code",
    "created_at", "created_by",
)  # fmt: skip
EVERY = 50  # a node of so many fails


def key_at(moment: datetime, number: int) -> str:
    """Return the key of that number of a moment.

    >>> from datetime import UTC
    >>> key_at(datetime(2026, 1, 1, tzinfo=UTC), 1)
    '019b76da-a800-7000-8000-000000000001'
    """
    return str(UUID(int=UUID(lowest_id(moment)).int + number))


def run_row(organization_id: str, flow_id: str, key: str) -> Row:
    """Return a run that still goes on."""
    at = time_of(key)
    return (key, organization_id, flow_id, 1, 1, "a", "a", "cell", "running", at, at, "a")


def node_rows(
    organization_id: str, flow_id: str, run_id: str, node_id: str, count: int, start: int = 0
) -> list[Row]:
    """Return nodes of a run in its own month, a millisecond apart; few have an error's code."""
    begun = time_of(run_id)
    rows = []
    for number in range(start, start + count):
        # Never into the next month, however near its end the run began.
        at = begun - timedelta(milliseconds=number % 1000)
        at = at if at.month == begun.month else begun
        failed = number % EVERY == EVERY - 1
        status, code = ("failed", "timeout") if failed else ("succeeded", None)
        rows.append((
            key_at(at, number), organization_id, run_id, flow_id, 1, node_id, "classify", "é",
            status, at, at, 100.5 + number % 977, number * 75, number % 500, number % 90,
            number % 7 == 0, 1, key_at(at, number + (1 << 40)), code, at, "analyst",
        ))  # fmt: skip
    return rows
