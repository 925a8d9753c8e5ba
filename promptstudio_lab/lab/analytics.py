"""What an analyst asks of a lab: `lab.analytics.cost(by="flow")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.analytics.cost import Cost
from promptstudio_lab.analytics.keys import columns, known
from promptstudio_lab.analytics.spending import sums, told, without_calls
from promptstudio_lab.warehouse.frames.query import query as read

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.lab.frames import Frames
    from promptstudio_lab.warehouse.frames.period import When

_OF_NODES = ("flow_id", "node_id")
# Also what is archived or of another lab of the organisation has its name here.
_NAMES = {
    "prompt_template_id": "SELECT id AS prompt_template_id, name AS template FROM prompt_template "
    "WHERE organization_id = :organization_id",
    "flow_id": "SELECT id AS flow_id, name AS flow FROM prompt_flow "
    "WHERE organization_id = :organization_id",
    "node_id": "SELECT id AS node_id, node_key AS node FROM flow_node "
    "WHERE organization_id = :organization_id",
}


class Analytics:
    """Questions about what the organisation's runs cost; archived months are counted too."""

    def __init__(self, environment: Environment, frames: Frames) -> None:
        """Bind to a lab."""
        self._environment, self._frames = environment, frames

    def cost(
        self,
        by: str | Sequence[str] = "flow",
        since: When | None = None,
        until: When | None = None,
    ) -> Cost:
        """Return what provider calls cost, and how much of that is known.

        Simulated calls and answers from the cache are counted apart. A call of unknown price is
        unknown and never $0: `coverage` says which share of the calls has a price. What cached
        answers saved has no model, since no call was made for it; runs in which a stand-in answered
        are left out of it.

        Args:
            by: `template`, `version` (of a template), `flow`, `node`, `model`, `provider`, `user`
                (who asked for the run) or `day` (UTC), or several of them.
            since: the first moment of a call, an aware datetime, a date or ISO text.
            until: the moment after the last.

        Raises:
            AnalysisError: for a word that cost cannot be told by.

        >>> from promptstudio_lab.lab import connect
        >>> connect("memory").analytics.cost(by=["flow", "day"]).sentence
        'No real call was made.'
        """
        words = known(by)
        keys = columns(words)
        calls = self._calls(keys, since, until)
        found = sums(calls, self._taken(without_calls(keys), since, until), keys)
        names = {key: self._names(key) for key in keys if key in _NAMES}
        total, simulated, saved = (int(found[one].sum()) for one in ("cost", "simulated", "saved"))
        return Cost(words, told(found, keys, names), total, simulated, saved)

    def _calls(self, keys: Sequence[str], since: When | None, until: When | None) -> pl.LazyFrame:
        import polars as pl

        calls = self._frames.prompt_executions(since, until)
        if wanted := [key for key in keys if key in _OF_NODES]:
            nodes = self._frames.node_executions().select(
                *wanted, pl.col("id").alias("node_execution_id")
            )
            calls = calls.join(nodes, on="node_execution_id", how="left")
        return self._keyed(calls, keys).select(*keys, "cost", "simulated")

    def _taken(self, keys: Sequence[str], since: When | None, until: When | None) -> pl.LazyFrame:
        import polars as pl

        # What a stand-in answered was not saved in earnest.
        runs = self._frames.flow_executions().select(
            pl.col("id").alias("flow_execution_id"), played="simulated"
        )
        taken = (
            self._frames.node_executions(since, until)
            .filter(pl.col("cache_hit"))
            .join(runs, on="flow_execution_id", how="left")
            .filter(~pl.col("played").fill_null(value=False))
        )
        return self._keyed(taken, keys).select(*keys, "saved_cost")

    def _keyed(self, rows: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
        import polars as pl

        if "user" in keys:
            runs = self._frames.flow_executions().select(
                pl.col("id").alias("flow_execution_id"), user="requested_by"
            )
            rows = rows.join(runs, on="flow_execution_id", how="left")
        return rows.with_columns(day=pl.col("created_at").dt.date())

    def _names(self, key: str) -> pl.DataFrame:
        import polars as pl

        environment = self._environment
        found = read(environment.warehouse, environment.actor, _NAMES[key], {})
        return found.cast(dict.fromkeys(found.columns, pl.String))  # rowless, it knows no type
