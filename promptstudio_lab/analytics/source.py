"""Where analytics reads: the facts that all its questions share, names, and SQL of the same time.

A fact is a call within a node within a run. A node that made no call, because it needs none or
took a cached answer, is one fact without a call, so nodes and runs can be counted too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from promptstudio_lab.ids import lowest_id
from promptstudio_lab.warehouse.frames.period import moment
from promptstudio_lab.warehouse.frames.query import query
from promptstudio_lab.warehouse.frames.tables import scan
from promptstudio_lab.warehouse.types import iso

if TYPE_CHECKING:
    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse
    from promptstudio_lab.warehouse.frames.period import When

_NODE = {
    "id": "node_execution_id", "flow_execution_id": "flow_execution_id", "created_at": "created_at",
    "flow_id": "flow_id", "flow_version": "flow_version", "node_id": "node_id", "node_key": "node",
    "path": "path", "status": "node_status", "started_at": "node_started_at",
    "completed_at": "node_completed_at", "execution_time_ms": "node_ms", "cache_hit": "cache_hit",
    "saved_cost": "saved_cost", "original_node_execution_id": "original_node_execution_id",
    "prompt_template_id": "_template", "template_version": "_version",
}  # fmt: skip
_CALL = {
    "node_execution_id": "node_execution_id", "id": "prompt_execution_id",
    "call_index": "call_index", "prompt_template_id": "prompt_template_id",
    "template_version": "template_version", "provider": "provider", "model": "model",
    "status": "status", "error_code": "error_code", "input_tokens": "input_tokens",
    "cached_tokens": "cached_tokens", "output_tokens": "output_tokens",
    "reasoning_tokens": "reasoning_tokens", "cost": "cost", "latency_ms": "latency_ms",
    "simulated": "simulated",
}  # fmt: skip
_RUN = {
    "id": "flow_execution_id", "flow_id": "root_flow_id", "flow_version": "root_flow_version",
    "requested_by": "user", "status": "run_status", "success": "success", "quality": "score",
    "execution_time_ms": "run_ms", "simulated": "run_simulated", "variant_id": "variant_id",
    "experiment_id": "experiment_id", "unit_key": "unit_key",
}  # fmt: skip


def _places(kind: str) -> str:
    """Return the common table of all libraries of a kind with their paths."""
    return (
        f"{kind}(id, path) AS (SELECT id, CAST(name AS TEXT) FROM {kind}_library "  # noqa: S608 — our own words
        "WHERE parent_id IS NULL AND organization_id = :organization_id "
        "UNION ALL SELECT l.id, above.path || '/' || l.name "
        f"FROM {kind}_library AS l JOIN {kind} AS above ON l.parent_id = above.id)"
    )


# With the place of what has a name of its own in a library; an inline prompt lies in its flow.
# Also what is archived or of another lab of the organisation has its name here.
NAMES = {
    "prompt_template_id": f"WITH RECURSIVE {_places('prompt')}, {_places('workflow')} "  # noqa: S608 — our own words
    "SELECT t.id AS prompt_template_id, t.name AS template, "
    "coalesce(p.path, w.path || '/' || f.name) AS place FROM prompt_template AS t "
    "LEFT JOIN prompt AS p ON p.id = t.prompt_library_id "
    "LEFT JOIN prompt_flow AS f ON f.id = t.flow_id "
    "LEFT JOIN workflow AS w ON w.id = f.workflow_library_id "
    "WHERE t.organization_id = :organization_id",
    "flow_id": f"WITH RECURSIVE {_places('workflow')} "  # noqa: S608 — our own words
    "SELECT f.id AS flow_id, f.name AS flow, w.path AS place FROM prompt_flow AS f "
    "LEFT JOIN workflow AS w ON w.id = f.workflow_library_id "
    "WHERE f.organization_id = :organization_id",
    "node_id": "SELECT id AS node_id, node_key AS node FROM flow_node "
    "WHERE organization_id = :organization_id",
}
_TOLD = {"prompt_template_id": "template", "flow_id": "flow"}


@dataclass(frozen=True, slots=True)
class Source:
    """An organisation's runs of a time.

    All rows of a run carry the run's own moment, so every table is bounded by the same two ends.

    Attributes:
        warehouse: where to read.
        actor: who reads.
        since: the first moment of a run; None from the beginning.
        until: the moment after the last; None without end.
    """

    warehouse: Warehouse
    actor: Actor
    since: When | None = None
    until: When | None = None

    def facts(self) -> pl.LazyFrame:
        """Return one row a call, and one for each node without a call; nothing is read yet.

        `first` is true once a node, so that nodes are counted by it. `cost` is in nano-dollars;
        null where no price is known, or no call was made.
        """
        nodes = self.table("node_execution", _NODE)
        calls = self.table("prompt_execution", _CALL)
        runs = self.table("flow_execution", _RUN)
        return (
            nodes.join(calls, on="node_execution_id", how="left")
            .join(runs, on="flow_execution_id", how="left")
            .with_columns(
                day=pl.col("created_at").dt.date(),
                first=pl.col("call_index").fill_null(0) == 0,
                prompt_template_id=pl.coalesce("prompt_template_id", "_template"),
                template_version=pl.coalesce("template_version", "_version"),
            )
            .drop("_template", "_version")
        )

    def table(self, name: str, columns: dict[str, str]) -> pl.LazyFrame:
        """Return some columns of a table of runs under other names, archived months too."""
        rows = scan(
            self.warehouse,
            self.actor,
            name,
            since=self.since,
            until=self.until,
            columns=list(columns),
        )
        return rows.select(pl.col(old).alias(new) for old, new in columns.items())

    def ask(
        self, sql: str, parameters: dict[str, object] | None = None
    ) -> pl.DataFrame:  # of any columns
        """Return the rows of a SELECT; `:organization_id` is known."""
        return query(self.warehouse, self.actor, sql, parameters)

    def names(self, key: str) -> pl.DataFrame:
        """Return the name of every template, flow or node, by its id.

        Where two templates, or two flows, have one name, it is their path.
        """
        found = self._placed(key)
        if key not in _TOLD:
            return found
        name, path = pl.col(_TOLD[key]), pl.concat_str("place", _TOLD[key], separator="/")
        several = pl.len().over(_TOLD[key]) > 1
        shown = pl.when(several & pl.col("place").is_not_null()).then(path).otherwise(name)
        return found.select(key, shown.alias(_TOLD[key]))

    def named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return rows with `template` and `flow` as `names` tells them, by their ids."""
        for key, name in _TOLD.items():
            if key in frame.columns and name in frame.columns:
                told = frame.drop(name).join(
                    self.names(key), on=key, how="left", maintain_order="left"
                )
                frame = told.select(frame.columns)
        return frame

    def template_ids(self, template: str) -> pl.Series:
        """Return the ids of the templates that a path means, or a name alone."""
        path = pl.concat_str("place", "template", separator="/")
        wanted = path if "/" in template else pl.col("template")
        return self._placed("prompt_template_id").filter(wanted == template)["prompt_template_id"]

    def _placed(self, key: str) -> pl.DataFrame:
        found = self.ask(NAMES[key])
        return found.cast(dict.fromkeys(found.columns, pl.String))  # rowless, it knows no type

    def held(self, *ids: str, at: str = "created_at") -> str:
        """Return the SQL condition that rows are the organisation's and of this time.

        Args:
            ids: columns of UUIDv7 keys, which carry the moment: rows are found by them.
            at: the column with the moment.
        """
        first, end = moment(self.since), moment(self.until)
        parts = ["organization_id = :organization_id"]
        if first is not None:
            parts += [f"{key} >= '{lowest_id(first)}'" for key in ids]
            parts.append(f"{at} >= '{iso(first)}'")
        if end is not None:
            # Ids know whole milliseconds only.
            beyond = lowest_id(end + timedelta(microseconds=999))
            parts += [f"{key} < '{beyond}'" for key in ids]
            parts.append(f"{at} < '{iso(end)}'")
        return " AND ".join(parts)


def played(facts: pl.DataFrame) -> tuple[pl.DataFrame, bool, int]:
    """Return the facts of real calls, or of simulated ones where there are no real ones.

    Returns:
        The facts; whether they are simulated; how many simulated calls were left out.
    """
    simulated = facts.filter(pl.col("simulated"))
    real = facts.filter(~pl.col("simulated"))
    if real.is_empty() and not simulated.is_empty():
        return simulated, True, 0
    return real, False, simulated.height
