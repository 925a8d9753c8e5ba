"""Opening a warehouse: one object per process and warehouse, for units of work and reads."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections import OrderedDict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, with_loader_criteria

from promptstudio_lab.errors import AccessDenied, WarehouseUnavailable
from promptstudio_lab.warehouse.access import require
from promptstudio_lab.warehouse.engines import PATIENCE_S
from promptstudio_lab.warehouse.engines.postgresql import PostgresDatabase
from promptstudio_lab.warehouse.engines.sqlite import SqliteFile
from promptstudio_lab.warehouse.entities.tenancy import AuditableEntity, Tenant
from promptstudio_lab.warehouse.retry import FAULTS, REFUSALS, told, until_kept
from promptstudio_lab.warehouse.schema.migrate import migrate
from promptstudio_lab.warehouse.types import now

__all__ = ["Session", "Warehouse"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import ORMExecuteState, SessionTransaction, UOWTransaction

    from promptstudio_lab.identity import Actor

T = TypeVar("T")

_open: weakref.WeakSet[Warehouse] = weakref.WeakSet()


class Warehouse:
    """A warehouse that is open: its schema is current and its rules are in force.

    Args:
        url: `memory` for one that ends with the process, else a SQLAlchemy URL.
        upgrade: whether to upgrade a PostgreSQL warehouse of an older schema.
        patience_s: how long a write waits for its turn, for other programs, or for a server.

    Attributes:
        id: the warehouse's own identity.
        read_only: why nothing can be written, or None.

    Raises:
        WarehouseUnavailable: if it cannot be opened safely.
        SchemaMismatch: if another version of the product made it.
    """

    def __init__(self, url: str, *, upgrade: bool = False, patience_s: float = PATIENCE_S) -> None:
        """Open the database and bring its schema up to date."""
        folder: str | None = None
        if url == "memory":
            folder = tempfile.mkdtemp(prefix="promptstudio-", dir=_memory())
            url = f"sqlite:///{folder}/warehouse.db"
        try:
            parsed = make_url(url)
        except ArgumentError:
            message = f"{url!r} is not the address of a warehouse"
            raise WarehouseUnavailable(message) from None
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            self._database: SqliteFile | PostgresDatabase = SqliteFile(parsed, patience_s)
        elif backend == "postgresql":
            self._database = PostgresDatabase(parsed, patience_s)
        else:
            message = f"a warehouse is SQLite or PostgreSQL, not {backend}"
            raise WarehouseUnavailable(message)
        self._parsed, self.url = parsed, parsed.render_as_string(hide_password=True)
        with ExitStack() as unless_kept:
            unless_kept.callback(_close, self._database, folder, os.getpid())
            try:
                opened = migrate(self._database, upgrade=upgrade)
            except FAULTS as error:
                raise told(self.url, error) from error
            unless_kept.pop_all()
        self.id, self.read_only = opened.id, self._database.read_only or opened.read_only
        self._database.revision = opened.revision
        # What was committed at a sequence, for all sessions to look up: see `history.rewind`.
        self._known: OrderedDict[tuple[str, int], object] = OrderedDict()
        # Closing is never forgotten: not when the last reference goes, not when the process ends.
        self._close = weakref.finalize(self, _close, self._database, folder, os.getpid())
        _open.add(self)

    @property
    def dialect(self) -> str:
        """Return `sqlite` or `postgresql`."""
        return self._database.name

    @property
    def login(self) -> str:
        """Return the login of PostgreSQL, or nothing on SQLite, which has none."""
        return self._database.login

    @property
    def owned(self) -> bool:
        """Tell whether this login owns the warehouse: it decides who works in it."""
        return self._database.owned

    def address_of(self, login: str, password: str | None) -> str:
        """Return the address that another login of PostgreSQL pastes."""
        there = self._parsed.set(drivername="postgresql", username=login, password=password)
        return there.render_as_string(hide_password=False)

    @property
    def engine(self) -> Engine:
        """Return the engine, for the modules of this package."""
        return self._database.engine

    def transact(self, actor: Actor, work: Callable[[Session], T]) -> T:
        """Do one unit of work and return its result once it is committed.

        The whole unit is done again when the database asks for it, so it must not have effects
        outside the session; the ids that it makes beforehand keep its rows single.

        Args:
            actor: who acts. Only rows of the actor's organisation can be reached.
            work: gets the session; nothing else may commit it.
        """
        self._require_writable(actor)

        def unit(connection: Connection) -> T:
            info = {"actor": actor, "bind": self._database.bind, "known": self._known}
            with Session(connection, expire_on_commit=False, info=info) as session:
                result = work(session)
                session.flush()
                with self._database.committing(session.connection()):
                    session.commit()
                return result

        return until_kept(self._database, self.url, unit)

    def _require_writable(self, actor: Actor) -> None:
        require(actor, "write")
        if self.read_only is not None:
            message = f"{self.url} is open for reading only: {self.read_only}"
            raise WarehouseUnavailable(message)

    @contextmanager
    def reading(self, actor: Actor) -> Iterator[Session]:
        """Give a session that sees one consistent state and writes nothing.

        Raises:
            WarehouseError: if the database refuses, as it refuses every write.
        """
        require(actor, "read")
        info = {"actor": actor, "bind": self._database.bind, "known": self._known}
        try:
            with (
                self._database.reading() as connection,
                Session(connection, info={**info, "read_only": True}) as session,
            ):
                yield session
        except REFUSALS as error:
            raise told(self.url, error) from error

    def append(self, actor: Actor, work: Callable[[Connection], None]) -> None:
        """Do one group of raw writes in one transaction; it returns once that is committed.

        Args:
            actor: who acts: on PostgreSQL nothing gets into another organisation.
            work: writes rows that carry their own ids, so that it may be done again.
        """
        self._require_writable(actor)

        def group(connection: Connection) -> None:
            with connection.begin():
                self._database.bind(connection, actor.organization_id)
                work(connection)

        until_kept(self._database, self.url, group)

    def alone(self, actor: Actor, work: Callable[[Connection], None]) -> None:
        """Do raw work that opens its own transactions; nobody else writes to a SQLite file then.

        Args:
            actor: who acts.
            work: may be done again, so it must find out what it has done already.
        """
        self._require_writable(actor)
        until_kept(self._database, self.url, work)

    def bind(self, connection: Connection, organization_id: str) -> None:
        """Say for which organisation the present transaction acts from now on."""
        self._database.bind(connection, organization_id)

    def forget(self) -> None:
        """Drop the connections without closing them: they belong to the parent of a fork."""
        self._database.forget()

    def close(self) -> None:
        """Let the warehouse go. A memory warehouse is gone with it."""
        _open.discard(self)
        self._close()


def _memory() -> str | None:
    shared = Path("/dev/shm")  # noqa: S108 — a private directory is made inside it
    return str(shared) if os.access(shared, os.W_OK) else None


@event.listens_for(Session, "after_begin")
def _bind(session: Session, transaction: SessionTransaction, connection: Connection) -> None:  # noqa: ARG001 — SQLAlchemy's signature
    actor, bind = session.info.get("actor"), session.info.get("bind")
    if actor is not None and bind is not None:
        bind(connection, actor.organization_id)


@event.listens_for(Session, "do_orm_execute")
def _only_own_rows(state: ORMExecuteState) -> None:
    actor = state.session.info.get("actor")
    if actor is None or state.is_column_load or state.is_relationship_load:
        return
    organization_id = actor.organization_id
    state.statement = state.statement.options(
        with_loader_criteria(
            Tenant, lambda cls: cls.organization_id == organization_id, include_aliases=True
        )
    )
    if state.is_select and not state.execution_options.get("deleted_too"):
        state.statement = state.statement.options(
            with_loader_criteria(
                AuditableEntity, lambda cls: cls.deleted_at.is_(None), include_aliases=True
            )
        )


@event.listens_for(Session, "before_flush")
def _stamp(session: Session, context: UOWTransaction, instances: object) -> None:  # noqa: ARG001 — SQLAlchemy's signature
    actor: Actor | None = session.info.get("actor")
    if actor is None:
        return
    if session.info.get("read_only"):
        message = "this session only reads; use Warehouse.transact to write"
        raise AccessDenied(message)
    for row in session.new:
        if isinstance(row, Tenant):
            _own(row, actor)
    for row in session.dirty:
        if isinstance(row, Tenant):
            _own(row, actor)
        if isinstance(row, AuditableEntity) and session.is_modified(row):
            row.updated_at, row.updated_by = now(), actor.id
            row.row_version += 1


def _own(row: Any, actor: Actor) -> None:  # any mapped row: the mixins have no common base
    if row.organization_id is None:
        row.organization_id = actor.organization_id
    if getattr(row, "created_by", "") is None:
        row.created_by = actor.id
    if row.organization_id != actor.organization_id:
        message = f"{type(row).__name__} {row.id} belongs to another organisation"
        raise AccessDenied(message)


def _close(database: SqliteFile | PostgresDatabase, folder: str | None, process: int) -> None:
    if os.getpid() != process:
        # A forked child leaves its parent's warehouse alone.
        return
    database.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _forget_in_child() -> None:
    for warehouse in list(_open):
        warehouse.forget()


os.register_at_fork(after_in_child=_forget_in_child)
