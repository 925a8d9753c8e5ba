"""What a lab's objects share: the warehouse, the actor, and the facts that validation needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from promptstudio_lab.engine.recorder import Recorder
from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.flows import store as flow_store
from promptstudio_lab.lab.gathering import Gathering
from promptstudio_lab.settings import CLASSES, notebook
from promptstudio_lab.templates import store as template_store
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.frames.query import query as read
from promptstudio_lab.warehouse.queries.kept import questions
from promptstudio_lab.warehouse.queries.views import views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import polars as pl

    from promptstudio_lab.flows.facts import Facts
    from promptstudio_lab.flows.graph import Graph
    from promptstudio_lab.identity import Actor
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session, Warehouse


class Environment:
    """A lab's room without its doors.

    Attributes:
        warehouse: where everything is kept.
        actor: who works.
        lab_id: the lab.
        default_model: the model of nodes that name none.
        flow_named: opens the flow at a path.
    """

    flow_named: Callable[[str], Any]  # a Flow, which lies above its environment

    def __init__(self, warehouse: Warehouse, actor: Actor, lab_id: str, default_model: str) -> None:
        """Bind the parts."""
        self.warehouse, self.actor, self.lab_id = warehouse, actor, lab_id
        self.default_model = default_model
        self.trigger, self.origin = "cell", notebook()

    def facts(
        self,
        *graphs: Graph,
        session: Session | None = None,
        flow_id: str | None = None,
        data: str = CLASSES[0],
    ) -> Facts:
        """Return what flows may refer to, as far as they name it.

        Args:
            graphs: the flows.
            session: a unit of work, where one is open.
            flow_id: the flow itself, when it is kept.
            data: how closely what it runs on is kept.
        """
        configs = [node.config for graph in graphs for node in graph.nodes]
        found = self.facts_of(configs, session)
        own = self._kept_as(flow_id, session) if flow_id else CLASSES[0]
        return replace(found, flow_id=flow_id, classification=max(own, data, key=CLASSES.index))

    def _kept_as(self, flow_id: str, session: Session | None) -> str:
        if session is not None:
            return flow_store.classification(session, flow_id)
        with self.warehouse.reading(self.actor) as reading:
            return flow_store.classification(reading, flow_id)

    def facts_for(self, config: Mapping[str, Json]) -> Facts:
        """Return the facts that one node's config needs."""
        return self.facts_of([config])

    def facts_of(
        self, configs: Iterable[Mapping[str, Json]], session: Session | None = None
    ) -> Facts:
        """Return the facts that some nodes' configs need."""
        known = list(configs)
        gathering = Gathering(self.lab_id, self.default_model, known)
        if not gathering.asks_warehouse:
            return gathering.facts(None)
        if session is not None:
            return gathering.facts(session)
        with self.warehouse.reading(self.actor) as reading:
            return gathering.facts(reading)

    def recorder(self, ack: str) -> Recorder:
        """Return a recorder of this lab's runs."""
        with self.warehouse.reading(self.actor) as session:
            address = payloads.address(session)
        return Recorder(self.warehouse, self.actor, address, ack)

    def flows(self) -> pl.DataFrame:
        """Return the lab's flows, one a row."""
        import polars as pl

        with self.warehouse.reading(self.actor) as session:
            rows = [
                (path, row.current_version, nodes, row.created_by, row.created_at, row.id)
                for path, row, nodes in flow_store.listed(session, self.lab_id)
            ]
        schema: dict[str, Any] = {  # polars' own union of types
            "flow": pl.String,
            "version": pl.Int64,
            "nodes": pl.Int64,
            "created_by": pl.String,
            "created_at": pl.Datetime("us", "UTC"),
            "flow_id": pl.String,
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    def templates(self) -> pl.DataFrame:
        """Return the lab's templates, one a row."""
        import polars as pl

        with self.warehouse.reading(self.actor) as session:
            rows = [
                (path, row.current_version, row.created_by, row.created_at, row.id)
                for path, row in template_store.listed(session, self.lab_id)
            ]
        schema: dict[str, Any] = {  # polars' own union of types
            "template": pl.String,
            "version": pl.Int64,
            "created_by": pl.String,
            "created_at": pl.Datetime("us", "UTC"),
            "prompt_template_id": pl.String,
        }
        return pl.DataFrame(rows, schema=schema, orient="row")

    def runs(self, limit: int) -> pl.DataFrame:
        """Return the newest runs, one a row."""
        mark_interrupted(self.warehouse, self.actor)
        query = (
            "SELECT r.* FROM v_flow_execution AS r "
            "JOIN prompt_flow AS f ON f.id = r.flow_id "
            "JOIN workflow_library AS l ON l.id = f.workflow_library_id "
            "WHERE r.organization_id = :organization_id AND l.prompt_lab_id = :lab_id "
            "ORDER BY r.started_at DESC, r.flow_execution_id DESC LIMIT :limit"
        )
        bound = {"lab_id": self.lab_id, "limit": limit}
        return read(self.warehouse, self.actor, query, bound)

    def questions(self) -> pl.DataFrame:
        """Return the questions that nobody has answered, one a row."""
        import polars as pl

        with self.warehouse.reading(self.actor) as session:
            rows = questions(session)
        schema: dict[str, Any] = {  # polars' own union of types
            "question_id": pl.String,
            "flow": pl.String,
            "node": pl.String,
            "path": pl.String,
            "asked_at": pl.Datetime("us", "UTC"),
            "flow_execution_id": pl.String,
            "prompt": pl.String,
            "value": pl.String,
            "schema": pl.String,
        }
        plain = [
            {
                name: dumps(value) if isinstance(value, (dict, list)) else value
                for name, value in row.items()
            }
            for row in rows
        ]
        return pl.DataFrame(plain, schema=schema, orient="row", strict=False)

    def outcomes(self, experiment: str, metric: str, within: timedelta) -> pl.DataFrame:
        """Return each exposure with what was measured within a window after it."""
        import polars as pl

        exposed = (
            "SELECT x.unit_key, x.exposed_at, v.name AS variant FROM experiment_exposure AS x "
            "JOIN experiment AS e ON e.id = x.experiment_id "
            "JOIN flow_variant AS v ON v.id = x.variant_id "
            "WHERE e.name = :experiment AND x.organization_id = :organization_id"
        )
        found = (
            "SELECT r.unit_key, v.name AS variant, m.metric_timestamp AS measured_at, "
            "m.metric_value AS value FROM execution_metric AS m "
            "JOIN flow_execution AS r ON r.id = m.flow_execution_id "
            "JOIN experiment AS e ON e.id = r.experiment_id "
            "JOIN flow_variant AS v ON v.id = r.variant_id "
            "WHERE e.name = :experiment AND m.metric_name = :metric "
            "AND m.organization_id = :organization_id"
        )
        named = {"experiment": experiment}
        # Where nothing was measured yet, a frame knows no types of its own.
        moment = pl.Datetime("us", "UTC")
        keys = [pl.col("unit_key", "variant").cast(pl.String)]
        exposures = read(self.warehouse, self.actor, exposed, named).with_columns(
            *keys, pl.col("exposed_at").cast(moment)
        )
        outcomes = read(
            self.warehouse, self.actor, found, {**named, "metric": metric}
        ).with_columns(*keys, pl.col("measured_at").cast(moment), pl.col("value").cast(pl.Float64))
        late = pl.col("measured_at") - pl.col("exposed_at")
        counted = (
            exposures.join(outcomes, on=["unit_key", "variant"], how="inner")
            .filter(late.is_between(timedelta(0), within))
            .group_by("unit_key", "variant")
            .agg(pl.len().alias("outcomes"), pl.col("value").sum())
        )
        return (
            exposures.join(counted, on=["unit_key", "variant"], how="left")
            .with_columns(pl.col("outcomes").fill_null(0))
            .select("unit_key", "variant", "exposed_at", "outcomes", "value")
        )

    def trace(self, reference: str) -> pl.DataFrame:
        """Return where a template version was used."""
        path, version = template_store.parse_reference(reference)
        with self.warehouse.reading(self.actor) as session:
            named = reference if isinstance(version, str) else path
            found = template_store.load(session, self.lab_id, named)
        query = (
            "SELECT * FROM v_template_performance WHERE organization_id = :organization_id "
            "AND prompt_template_id = :template_id"
        )
        bound: dict[str, object] = {"template_id": found.template_id}
        if version is not None:
            query += " AND template_version = :version"
            bound["version"] = found.version if isinstance(version, str) else version
        query += " ORDER BY template_version, flow, node_key"
        return read(self.warehouse, self.actor, query, bound)

    def views(self) -> pl.DataFrame:
        """Return every column of every view with its meaning."""
        import polars as pl

        rows = [
            (view.name, view.grain, column, meaning)
            for view in views()
            for column, meaning in view.columns.items()
        ]
        return pl.DataFrame(rows, schema=["view", "grain", "column", "meaning"], orient="row")
