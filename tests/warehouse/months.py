"""Runs of past months as raw rows, and everything that a warehouse holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from promptstudio_lab.ids import derived_id, new_id
from promptstudio_lab.values import dumps
from promptstudio_lab.warehouse import payloads
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.archive import (
    Archived,
    Restored,
    archive,
    cold_rows,
    restore_month,
)
from promptstudio_lab.warehouse.archive.content import EXECUTIONS
from promptstudio_lab.warehouse.entities import (
    Entity,
    Experiment,
    FlowVariant,
    PromptLibrary,
    PromptTemplate,
)
from promptstudio_lab.warehouse.libraries import find_or_make
from tests.warehouse.parts import make_flow, make_node

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from tests.warehouse.parts import Place

MARCH = datetime(2026, 3, 5, 6, 7, 8, 123000, tzinfo=UTC)


@dataclass(frozen=True)
class Things:
    """What runs refer to."""

    flow: str
    node: str
    template: str
    experiment: str
    variant: str


def made(place: Place) -> Things:
    """Make a flow, a node, a template and an experiment."""
    flow = make_flow(place)
    node, template, experiment, variant = make_node(place, flow), new_id(), new_id(), new_id()

    def work(session: Session) -> None:
        library = find_or_make(session, PromptLibrary, place.lab_id, ["Drafts"])
        session.add(
            PromptTemplate(id=template, prompt_library_id=library.id, name="t", current_version=1)
        )
        session.add(
            Experiment(
                id=experiment, flow_id=flow, name="e", plan={}, plan_hash="", status="running",
                started_at=MARCH,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            FlowVariant(
                id=variant, flow_id=flow, experiment_id=experiment, name="a", flow_version=1,
                is_control=True, patch=[],
            )
        )  # fmt: skip

    place.do(work)
    return Things(flow, node, template, experiment, variant)


def id_at(moment: datetime) -> str:
    """Return a new id of that moment."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return derived_id(f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000", new_id())


def put(place: Place, *values: object) -> list[str]:
    """Keep values and return their payloads."""
    keys: list[str] = place.do(lambda session: payloads.put(session, values))
    return keys


def run(place: Place, things: Things, moment: datetime, **fields: object) -> str:
    """Write one run with everything that belongs to it, and return its id."""
    key, own = id_at(moment), place.actor.organization_id
    node = derived_id(key, "node")
    told, said, asked = put(place, {"run": key}, {"said": key}, {"asked": f"né 😀 {key}" * 20})
    made_at, by = moment, "recorder"
    cost = 10**14 + int(key[-12:], 16) % 10**9
    rows: dict[str, dict[str, object]] = {
        "flow_execution": {
            "id": key, "flow_id": things.flow, "flow_version": 1, "change_seq": 0,
            "variant_id": things.variant, "experiment_id": things.experiment, "unit_key": "ü",
            "requested_by": by, "executed_by": by, "trigger": "cell", "status": "succeeded",
            "started_at": moment + timedelta(microseconds=7), "completed_at": None,
            "execution_time_ms": 0.1 + 0.2, "total_cost": cost, "success": True, "quality": None,
            "simulated": False, "input_payload_id": told, "output_payload_id": said,
            **fields,
        },
        "node_attempt": {
            "id": derived_id(key, "attempt"), "flow_execution_id": key, "node_execution_id": node,
            "node_id": things.node, "attempt": 1, "status": "succeeded", "started_at": moment,
            "lease_epoch": 1,
        },
        "node_execution": {
            "id": node, "flow_execution_id": key, "flow_id": things.flow, "flow_version": 1,
            "node_id": things.node, "node_key": "n", "path": "", "status": "succeeded",
            "started_at": moment, "completed_at": moment, "execution_time_ms": -0.0, "cost": cost,
            "attempt_count": 1, "prompt_template_id": things.template, "template_version": 1,
            "prompt_execution_id": derived_id(key, "call"), "input_payload_id": told,
        },
        "prompt_execution": {
            "id": derived_id(key, "call"), "flow_execution_id": key, "node_execution_id": node,
            "call_index": 0, "prompt_template_id": things.template, "template_version": 1,
            "provider": "p", "model": "m", "status": "succeeded", "cost": cost,
            "latency_ms": 1e-9, "request_payload_id": asked, "response_payload_id": said,
        },
        "execution_metric": {
            "id": derived_id(key, "metric"), "flow_execution_id": key, "metric_name": "words",
            "metric_value": 1e300, "metric_timestamp": moment, "dimensions": dumps({"a": "ü"}),
        },
    }  # fmt: skip

    def work(connection: Connection) -> None:
        for table in EXECUTIONS:
            row = {**rows[table], "organization_id": own, "created_at": made_at, "created_by": by}
            insert_missing(connection, table, list(row), [tuple(row.values())])

    place.write(work)
    return key


def dump(place: Place) -> dict[str, list[tuple[str, ...]]]:
    """Return every row of the organisation in every table but the manifest, as text, sorted."""
    own = {"own": place.actor.organization_id}
    with place.warehouse.reading(place.actor) as session:
        return {
            name: sorted(
                tuple(map(repr, row))
                for row in session.execute(
                    text(f"SELECT * FROM {name} WHERE organization_id = :own"),
                    own,
                )
            )
            for name, table in Entity.metadata.tables.items()
            if "organization_id" in table.columns and name != "cold_partition"
        }


def files(folder: Path) -> list[Path]:
    """Return the files of cold rows."""
    return sorted(folder.rglob("*.parquet"))


class Filled(NamedTuple):
    """Three runs of one month, at its very edges, and two of the next; other tests use others."""

    place: Place
    things: Things
    march: datetime
    folder: Path

    @property
    def month(self) -> str:
        """Return its name."""
        return f"{self.march:%Y-%m}"

    @property
    def april(self) -> datetime:
        """Return the first moment of the next."""
        return datetime(self.march.year, 4, 1, tzinfo=UTC)

    def archive(self, month: str = "") -> Archived:
        """Archive it."""
        return archive(self.place.warehouse, self.place.actor, month or self.month)

    def restore(self) -> Restored:
        """Bring it back."""
        return restore_month(self.place.warehouse, self.place.actor, self.month)

    def files(self) -> list[Path]:
        """Return the organisation's files of cold rows."""
        own = f"organization_id={self.place.actor.organization_id}"
        return [path for path in files(self.folder) if own in str(path)]

    def dump(self) -> dict[str, list[tuple[str, ...]]]:
        """Return every row of the organisation."""
        return dump(self.place)

    def run(self, moment: datetime, **fields: object) -> str:
        """Write one more run."""
        return run(self.place, self.things, moment, **fields)

    def cold(self, table: str, **span: datetime) -> pl.DataFrame:
        """Return a table's cold rows."""
        found = cold_rows(self.place.warehouse, self.place.actor, table, **span)
        assert found is not None
        return found.collect().sort("id")
