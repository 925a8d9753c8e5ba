"""What ran, as lazy polars frames: `lab.frames`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.shown import offered, offered_html
from promptstudio_lab.warehouse.frames.tables import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse
    from promptstudio_lab.warehouse.frames.period import When


class Frames:
    """The organisation's runs, one frame a table; nothing is read before `.collect()`.

    All take the same: `since`, the first moment of `created_at`, and `until`, the moment after the
    last, each an aware datetime, a date (midnight UTC) or ISO text; `columns`, by default all. Only
    the columns that a query needs are read. Rows come in no particular order. For pandas write
    `.collect().to_pandas()`.

    >>> from promptstudio_lab.lab import connect
    >>> runs = connect("memory").frames.flow_executions(since="2026-01-01")
    >>> runs.collect_schema()["created_at"]
    Datetime(time_unit='us', time_zone='UTC')
    >>> runs.select("status", "total_cost").collect().to_pandas().shape
    (0, 2)
    """

    def __init__(self, warehouse: Warehouse, actor: Actor) -> None:
        """Bind the frames to whoever reads them."""
        self._warehouse, self._actor = warehouse, actor

    def __repr__(self) -> str:
        """Name the frames."""
        return f"<Frames {', '.join(name for name, _ in offered(self))}>"

    _repr_html_ = offered_html

    def flow_executions(
        self,
        since: When | None = None,
        until: When | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Return one row a run: who asked, what it cost, how it ended."""
        return self._scan("flow_execution", since, until, columns)

    def node_executions(
        self,
        since: When | None = None,
        until: When | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Return one row a node of a run, with the template version that really ran."""
        return self._scan("node_execution", since, until, columns)

    def prompt_executions(
        self,
        since: When | None = None,
        until: When | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Return one row a provider call: every retry, turn and panel member."""
        return self._scan("prompt_execution", since, until, columns)

    def execution_metrics(
        self,
        since: When | None = None,
        until: When | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Return one row a further measurement of a run or of one of its nodes."""
        return self._scan("execution_metric", since, until, columns)

    def _scan(
        self,
        table: str,
        since: When | None,
        until: When | None,
        columns: Sequence[str] | None,
    ) -> pl.LazyFrame:
        return scan(self._warehouse, self._actor, table, since=since, until=until, columns=columns)
