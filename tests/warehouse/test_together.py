"""Four processes edit one flow at once, all of them behind: nothing is lost, all can be undone."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

from promptstudio_lab.errors import Conflict
from promptstudio_lab.flows.facts import Facts
from promptstudio_lab.flows.gestures.changes import applied
from promptstudio_lab.flows.graph import Graph, Node
from promptstudio_lab.flows.operations import changes
from promptstudio_lab.flows.store import head
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import ChangeLog
from promptstudio_lab.warehouse.history.changelog import (
    Operation,
    Stream,
    changes_of,
    record,
)
from promptstudio_lab.warehouse.history.undo import undo
from promptstudio_lab.warehouse.history.verify import verify
from promptstudio_lab.warehouse.rows import find
from tests.warehouse.parts import Place, finish, make_flow, opened, start

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from promptstudio_lab.values import Json

PROCESSES, OPERATIONS, NODES = 4, 1_250, 60
LOOKS_EVERY = 5
UNDOES_AT_ONCE = 200
LONG_S = 240.0  # where the machine has other work


def edit_much(url: str, flow: str, number: int, operations: int) -> None:
    """Edit as one person whose view of the flow is up to some operations old."""
    random = Random(number)
    with opened(url) as somewhere:
        place = somewhere.as_somebody(f"person {number}")
        for turn in range(operations):
            if turn % LOOKS_EVERY == 0:
                seen = place.see(lambda session: head(session, flow))
            name = f"n{number}_{turn}"
            wanted = one_of_many(random, seen.graph, name)
            done = changes(seen.graph, flow, wanted, Facts())
            operation = Operation(
                wanted["type"], done, base_seq=seen.seq, client_id=f"view {number}"
            )
            place.do(partial(record, stream=Stream("flow", flow), operation=operation))


def one_of_many(random: Random, graph: Graph, name: str) -> dict[str, Json]:
    """Return some edit, as a canvas would send it."""
    kind = random.choices(
        ["move", "configure", "rename", "add", "remove"], [40, 25, 10, 15, 10 if graph.nodes else 0]
    )[0]
    if kind == "add" or not graph.nodes:
        room = len(graph.nodes) < NODES
        kind = "add" if room else "remove"
    if kind == "add":
        return {"type": "add", "node": new_id(), "kind": "input", "key": name}
    node = random.choice(graph.nodes).id
    x, y = random.randrange(2_000), random.randrange(2_000)
    others: dict[str, dict[str, Json]] = {
        "move": {"nodes": {node: {"x": x, "y": y}}},
        "configure": {"node": node, "config": {"type": "int", "default": x}},
        "rename": {"node": node, "key": name},
        "remove": {"nodes": [node]},
    }
    return {"type": kind, **others[kind]}


def test_four_processes_lose_nothing_and_everything_can_be_undone(
    own_place: Place, warehouse_url: str
) -> None:
    flow = make_flow(own_place)
    begin(own_place, flow)
    running = [start(edit_much, warehouse_url, flow, n, OPERATIONS) for n in range(PROCESSES)]
    assert finish(running, LONG_S) == [0] * PROCESSES
    whole(own_place, flow, NODES + PROCESSES * OPERATIONS)
    rows = log_of(own_place, flow)
    statuses = {
        status: sum(row.status == status for row in rows) for status in ("applied", "superseded")
    }
    assert statuses["superseded"] > 0, "people edited what others had removed"
    assert any(row.conflicts for row in rows)
    undone = undo_all(own_place, flow)
    assert own_place.see(lambda session: head(session, flow)).graph == Graph()
    assert undone == statuses["applied"]
    whole(own_place, flow, NODES + PROCESSES * OPERATIONS + undone)


def begin(place: Place, flow: str) -> None:
    """Put some nodes into the flow."""

    def work(session: Session) -> None:
        for number in range(NODES):
            wanted = {"type": "add", "node": new_id(), "kind": "input", "key": f"first_{number}"}
            done = changes(Graph(), flow, wanted, Facts())
            record(session, Stream("flow", flow), Operation("add", done))

    place.do(work)


def log_of(place: Place, flow: str) -> list[ChangeLog]:
    found: list[ChangeLog] = place.see(
        lambda session: find(session, ChangeLog, order=("seq",), stream_id=flow)
    )
    return found


def whole(place: Place, flow: str, operations: int) -> None:
    """Check that the log has no gap, is what was written, and tells the flow as it stands."""
    rows = log_of(place, flow)
    assert [row.seq for row in rows] == list(range(1, operations + 1))
    assert place.see(verify).ok
    standing = place.see(lambda session: head(session, flow)).graph
    assert place.see(lambda session: replayed(session, rows)).by_id == standing.by_id


def replayed(session: Session, rows: list[ChangeLog]) -> Graph:
    """Return the flow as the log alone tells it."""
    done = [row for row in rows if row.status == "applied"]
    patches = changes_of(session, [each for row in done for each in row.patch])
    nodes: dict[str, Node] = {}
    gone: dict[str, Node] = {}
    for change in patches:
        if change.action == "restore":
            nodes[change.id] = gone.pop(change.id)
        elif change.action == "delete":
            gone[change.id] = nodes.pop(change.id)
        else:
            standing = tuple(nodes[key] for key in [change.id] if key in nodes)
            graph = applied(Graph(standing), (change,))
            nodes[change.id] = graph.by_id[change.id]
    return Graph(tuple(nodes.values()))


def undo_all(place: Place, flow: str) -> int:
    """Let each take back as much as the others allow, in turn, until nobody can; return how much.

    What somebody else has changed since must be taken back by them first. The newest operation
    that stands is in nobody's way, so every round takes something back.
    """
    people = [place, *(place.as_somebody(f"person {number}") for number in range(PROCESSES))]
    undone = 0
    while done := sum(undo_some(person, flow) for person in people):
        undone += done
    return undone


def undo_some(person: Place, flow: str) -> int:
    """Let a person take back what they can; return how many operations that were."""
    try:
        done = person.do(lambda session: undo(session, Stream("flow", flow), steps=UNDOES_AT_ONCE))
    except Conflict:
        return 0
    return len(done)
