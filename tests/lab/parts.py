"""What tests of a lab stand on: open labs, somebody else in them, a flow and its data."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update

from promptstudio_lab.identity import Actor
from promptstudio_lab.lab import Lab, _warehouses, connect
from promptstudio_lab.settings import WarehouseChoice
from promptstudio_lab.warehouse.entities import FlowExecution
from promptstudio_lab.warehouse.types import now
from tests.warehouse.parts import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from promptstudio_lab.lab import Flow
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.connect import Session, Warehouse

LABELS = ["billing", "tech"]
TICKETS: list[dict[str, Json]] = [
    {"id": "t1", "ticket": "My invoice is wrong", "label": "billing"},
    {"id": "t2", "ticket": "The tech screen is black", "label": "tech"},
    {"id": "t3", "ticket": "Refund the billing charge", "label": "billing"},
    {"id": "t4", "ticket": "Hello", "label": "tech"},
]


@contextmanager
def opened(url: str) -> Iterator[Lab]:
    """Give a lab in the warehouse of that address, which is closed with the block."""
    lab = connect(url)
    try:
        yield lab
    finally:
        _warehouses.pop(url, None)
        lab.warehouse.close()


def settled_lab(warehouse: Warehouse) -> Lab:
    """Return a lab of a new organisation in a warehouse that others use too."""
    place = settled(warehouse)
    choice = WarehouseChoice(warehouse.url, "a test")
    return Lab(warehouse, place.actor, place.lab_id, "default", choice)


def as_somebody(lab: Lab, name: str) -> Lab:
    """Return the same lab as another person of the organisation sees it."""
    other = Actor(name, name, "user", lab.actor.organization_id)
    return Lab(lab.warehouse, other, lab.id, lab.name, lab.choice)


def change_runs(lab: Lab, **values: Json) -> None:
    """Write something into every run of the lab's organisation, as only a fault would."""

    def work(session: Session) -> None:
        session.execute(
            update(FlowExecution)
            .where(FlowExecution.organization_id == lab.actor.organization_id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )

    lab.warehouse.transact(lab.actor, work)


def expire(lab: Lab) -> None:
    """Let every lease be over, as if its holder had stood still for long."""
    change_runs(lab, lease_until=now() - timedelta(minutes=5))


def until(done: Callable[[], bool], *, for_s: float = 30) -> None:
    """Wait for something that another thread brings about."""
    late = time.monotonic() + for_s
    while not done():
        assert time.monotonic() < late
        time.sleep(0.02)


def classifying(lab: Lab, prompt: str, path: str = "support/classify", **settings: Json) -> Flow:
    """Build the flow of one cell: a ticket, a label."""
    flow = lab.flow(path)
    ticket = flow.input("ticket", "text")
    kind = flow.llm("classify", prompt=prompt, ticket=ticket, returns={"label": LABELS}, **settings)
    flow.output(label=kind.label)
    return flow
