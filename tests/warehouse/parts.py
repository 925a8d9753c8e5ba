"""What tests of rows stand on: open warehouses, places to work in, processes of their own."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import make_url

from promptstudio_lab.identity import Actor
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities import WorkflowLibrary
from promptstudio_lab.warehouse.history.changelog import Change, Operation, Recorded, Stream, record
from promptstudio_lab.warehouse.libraries import find_or_make
from promptstudio_lab.warehouse.organizations import _found, enter, open_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

PATIENCE_S = 60
processes = get_context("forkserver")  # clean children that need not import everything anew
processes.set_forkserver_preload(["tests.warehouse.parts"])


class Place(NamedTuple):
    """Where and as whom a test works."""

    warehouse: Warehouse
    actor: Actor
    lab_id: str

    def do(self, work: Callable[[Session], Any]) -> Any:  # whatever the work returns
        """Do a unit of work."""
        return self.warehouse.transact(self.actor, work)

    def write(self, work: Callable[[Connection], None]) -> None:
        """Do a group of raw writes."""
        self.warehouse.append(self.actor, work)

    def see(self, work: Callable[[Session], Any]) -> Any:  # whatever the work returns
        """Return what a read finds."""
        with self.warehouse.reading(self.actor) as session:
            return work(session)

    def as_somebody(self, name: str) -> Place:
        """Return the same place for another person of the organisation."""
        other = Actor(name, name, "user", self.actor.organization_id)
        return self._replace(actor=other)

    def elsewhere(self) -> Place:
        """Return a lab of another organisation in the same warehouse."""
        return settled(self.warehouse)


def settled(warehouse: Warehouse) -> Place:
    """Return a lab of a new organisation."""
    actor = Actor("analyst", "Analyst", "user", _found(warehouse, f"test-{new_id()}"))
    return Place(warehouse, actor, open_lab(warehouse, actor).id)


@contextmanager
def opened(url: str, **more: Any) -> Iterator[Place]:  # what else the warehouse takes
    """Give a place in the warehouse of that address, which is closed with the block."""
    with closing(Warehouse(url, **more)) as warehouse:
        actor = enter(warehouse, name="analyst")
        yield Place(warehouse, actor, open_lab(warehouse, actor).id)


def make_flow(place: Place, name: str = "flow") -> str:
    """Make a flow without nodes and return its id."""
    key = new_id()

    def work(session: Session) -> None:
        library = find_or_make(session, WorkflowLibrary, place.lab_id, ["Drafts"])
        fields = {"workflow_library_id": library.id, "name": name}
        made = Operation("create flow", (Change("prompt_flow", key, "insert", fields),))
        record(session, Stream("lab", place.lab_id), made)

    place.do(work)
    return key


def added(flow_id: str, node_id: str, **fields: object) -> Change:
    """Return the change that puts a node into a flow."""
    node: dict[str, object] = {
        "flow_id": flow_id,
        "parent_node_id": None,
        "node_key": f"node_{node_id}",
        "kind": "llm",
        "kind_version": 1,
        "config": {},
        "policy": {},
        "position_x": 0.0,
        "position_y": 0.0,
    }
    return Change("flow_node", node_id, "insert", {**node, **fields})


def set_fields(node_id: str, **fields: object) -> Change:
    """Return the change of some fields of a node."""
    return Change("flow_node", node_id, "update", fields)


def log(place: Place, flow_id: str, *changes: Change, **more: Any) -> Recorded:  # other parts of it
    """Record one operation in a unit of work of its own."""
    operation = Operation(more.pop("type", "edit"), changes, **more)
    done: Recorded = place.do(lambda session: record(session, Stream("flow", flow_id), operation))
    return done


def make_node(place: Place, flow_id: str, **fields: object) -> str:
    """Put a node into a flow and return its id."""
    key = new_id()
    log(place, flow_id, added(flow_id, key, **fields))
    return key


def start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a process that does some work of this package's tests."""
    process = processes.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def finish(running: list[BaseProcess], patience_s: float = PATIENCE_S) -> list[int | None]:
    """Wait for processes and return how they ended; one that does not end is killed: -9."""
    for process in running:
        process.join(patience_s)
        if process.is_alive():
            process.kill()
            process.join()
    return [process.exitcode for process in running]


def file_of(url: str) -> Path:
    """Return the file of a SQLite warehouse."""
    return Path(str(make_url(url).database))


def count(path: Path, table: str) -> int:
    """Return how many rows a table has, as any other program would see it."""
    with closing(sqlite3.connect(path)) as other:
        found: int = other.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found
