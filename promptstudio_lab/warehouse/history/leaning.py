"""What leans on what: nothing may be taken away while something that people see lies in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from promptstudio_lab.errors import Conflict
from promptstudio_lab.warehouse.history.changelog import LOG
from promptstudio_lab.warehouse.history.patches import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Select, Table
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor

# A flow goes with all that is in it and comes back with it.
_FLOW = "prompt_flow"
_WITH_THEIR_FLOW = frozenset({"flow_node", "flow_edge", "prompt_template"})


def refuse_orphans(session: Session, rows: Iterable[tuple[str, str]]) -> None:
    """Refuse a state in which a row that is live refers to one that is gone.

    Args:
        session: in which the rows were changed.
        rows: (table, id) of what was changed.

    Raises:
        Conflict: naming what would be left hanging.
    """
    actor: Actor = session.info["actor"]
    connection = session.connection()
    for name, key in sorted(rows):
        table = TABLES[name]
        if connection.execute(_live(table, actor).where(table.c.id == key)).first():
            _refuse_hanging(connection, table, key, actor)
            continue
        if name == _FLOW:
            _refuse_others_work(connection, key, actor)
        _refuse_leaving(connection, table, key, actor)


def _live(table: Table, actor: Actor) -> Select[Any]:  # columns of any type
    return select(table.c.id, table.c.created_by).where(
        table.c.organization_id == actor.organization_id, table.c.deleted_at.is_(None)
    )


def _references(table: Table) -> list[tuple[str, Table]]:
    """Return (column, target) of each reference to something that people can delete."""
    return sorted(
        (
            (constraint.column_keys[-1], constraint.referred_table)
            for constraint in table.foreign_key_constraints
            if constraint.referred_table.name in TABLES
        ),
        key=lambda found: found[0],
    )


def _refuse_hanging(connection: Connection, table: Table, key: str, actor: Actor) -> None:
    for column, target in _references(table):
        there = target.alias()
        query = select(there.c.id).join_from(table, there, table.c[column] == there.c.id)
        query = query.where(
            table.c.organization_id == actor.organization_id,
            table.c.id == key,
            there.c.deleted_at.is_not(None),
        )
        if connection.execute(query).first() is not None:
            message = f"that cannot be taken back now: its {_words(target)} is gone"
            raise Conflict(message)


def _refuse_leaving(connection: Connection, gone: Table, key: str, actor: Actor) -> None:
    for name, table in TABLES.items():
        for column, target in _references(table):
            if target is not gone or (target.name == _FLOW and name in _WITH_THEIR_FLOW):
                continue
            found = connection.execute(_live(table, actor).where(table.c[column] == key)).first()
            if found is not None:
                message = (
                    f"that cannot be taken back now: the {_words(gone)} would leave a "
                    f"{_words(table)} of {found.created_by} without it"
                )
                raise Conflict(message)


def _refuse_others_work(connection: Connection, flow_id: str, actor: Actor) -> None:
    query = (
        select(LOG.c.actor_id, LOG.c.seq)
        .where(
            LOG.c.organization_id == actor.organization_id,
            LOG.c.stream_id == flow_id,
            LOG.c.actor_id != actor.id,
            LOG.c.status == "applied",
        )
        .order_by(LOG.c.seq.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    if found is not None:
        message = (
            f"that cannot be taken back now: {found.actor_id} has worked in the flow since "
            f"(operation {found.seq} of the flow)"
        )
        raise Conflict(message)


def _words(table: Table) -> str:
    return table.name.replace("_", " ")
