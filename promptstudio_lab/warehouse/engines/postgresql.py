"""How PostgreSQL is opened: UTC, and commits that survive a crash of either side."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.ids import is_id
from promptstudio_lab.warehouse.engines import PATIENCE_S, ConnectionLost, halved, moved
from promptstudio_lab.warehouse.engines.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

_LOWEST = (15, 0)
# Until the transaction ends: a connection that goes back to its pool is nobody's again.
# Whoever owns the tables, or may do anything; an empty database is its maker's.
_WHO = text(
    "SELECT session_user::text, NOT EXISTS (SELECT FROM pg_class WHERE "
    "oid = to_regclass('organization') AND pg_get_userbyid(relowner) <> session_user) "
    "OR (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)"
)
_BIND = text(
    "SELECT set_config('promptstudio.organization_id', :organization_id, true), "
    "(SELECT version_num FROM promptstudio_alembic_version) AS revision"
)
# A crash forgets numbers of transactions that it has not kept, and gives them to others. But every
# commit of ours comes after `written`, and a recovery marks where it ended as a checkpoint.
_MARK = """
SELECT pg_current_xact_id_if_assigned()::text AS number, pg_current_wal_insert_lsn() AS written,
    checkpoint_lsn AS checkpoint FROM pg_control_checkpoint()
"""
_OUTCOME = text("""
SELECT CASE
    WHEN checkpoint_lsn <> CAST(:checkpoint AS pg_lsn)
        AND checkpoint_lsn <= CAST(:written AS pg_lsn)
    THEN 'aborted' ELSE pg_xact_status(CAST(:number AS xid8)) END
FROM pg_control_checkpoint()
""")
_SESSION = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = text(
    "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
    "WHERE pid = :pid AND backend_start = :backend_start"
)
# The server shuts down, starts up, has no room, or hears nothing; 08 is every broken connection.
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "57P05", "53300")
_OF_THE_FUTURE = "22023"  # a server that took over never saw the transaction
# What a dead network is told by; whoever names another value in the address gets it.
_NETWORK = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class PostgresDatabase:
    """One PostgreSQL database as a warehouse.

    Args:
        url: a `postgresql://` URL.
        patience_s: how long a write waits for a server that is away.

    Raises:
        WarehouseUnavailable: if the driver is missing, nothing answers, or the server is too old.
    """

    name = "postgresql"
    read_only: str | None = None

    def __init__(self, url: URL, patience_s: float = PATIENCE_S) -> None:
        """Connect once, so that a wrong address is told at once."""
        self.login, self.owned = "", False
        self.revision: str | None = None
        self.patience_s = patience_s
        self._shown = url.render_as_string(hide_password=True)
        try:
            self.engine: Engine = create_engine(
                url.set(drivername="postgresql+psycopg"),
                hide_parameters=True,
                pool_pre_ping=True,
                connect_args=_arguments(url),
            )
        except ModuleNotFoundError:
            message = "PostgreSQL needs its driver: pip install 'promptstudio-lab[postgres]'"
            raise WarehouseUnavailable(message) from None
        # Sessions that may not have heard of their end: what they hold would be waited for.
        self._orphans: list[dict[str, object]] = []
        event.listen(self.engine, "connect", _prepared)
        self.readers = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        try:
            with self.engine.connect() as connection:
                version = connection.dialect.server_version_info or (0,)
                self.login, self.owned = connection.execute(_WHO).one()
        except OperationalError as error:
            message = f"cannot reach {self._shown}: {_one_line(error.orig)}"
            raise WarehouseUnavailable(message) from None
        event.listen(self.engine, "handle_error", self._tell)
        event.listen(self.engine, "commit", _refuse_half)
        if version < _LOWEST:
            found = ".".join(map(str, version))
            message = f"PostgreSQL {found} is too old: 15 is the first that can guard its views"
            raise WarehouseUnavailable(message)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection for one unit of work."""
        with self.engine.connect() as connection:
            if self._orphans:
                self._end_orphans(connection)
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state and cannot write."""
        with self.readers.connect() as connection:
            yield connection

    def bind(self, connection: Connection, organization_id: str) -> None:
        """Say for which organisation the present transaction acts; row security reads it.

        Raises:
            SchemaMismatch: if another process has moved the schema since this one opened it.
        """
        known = organization_id if is_id(organization_id) else ""
        found = connection.execute(_BIND, {"organization_id": known}).one()
        if self.revision is not None and found.revision != self.revision:
            raise moved(self._shown, self.revision)

    @contextmanager
    def committing(self, connection: Connection) -> Iterator[None]:
        """Find out, when the answer to the commit in the block is lost, whether it was done."""
        mark = connection.exec_driver_sql(_MARK).one()
        try:
            yield
        except ConnectionLost:
            # Without a number nothing was written.
            if mark.number is not None and not self._was_kept(mark._asdict()):
                raise

    def _was_kept(self, mark: dict[str, object]) -> bool:
        waits = Waits(self.patience_s)
        outcome: object = None
        while True:
            try:
                with self.engine.connect() as connection:
                    outcome = connection.execute(_OUTCOME, mark).scalar_one()
                    if outcome in {"committed", "aborted"}:
                        return bool(outcome == "committed")
                    self._end_orphans(connection)
            except ConnectionLost as error:
                outcome = error
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != _OF_THE_FUTURE:
                    raise
                return False
            if outcome is None or not waits.pause():
                message = (
                    f"the connection to {self._shown} broke in a commit, and whether that was "
                    f"kept cannot be found out ({outcome or 'it is too old'}): look before you "
                    "do it again"
                )
                raise WarehouseUnavailable(message)

    def _end_orphans(self, connection: Connection) -> None:
        with connection.begin() if not connection.in_transaction() else nullcontext():
            for session in self._orphans[:]:
                connection.execute(_END, session)
                with suppress(ValueError):  # another thread was faster
                    self._orphans.remove(session)

    def _tell(self, context: ExceptionContext) -> None:
        if context.is_pre_ping:
            return
        state = getattr(context.original_exception, "sqlstate", None) or ""
        if context.is_disconnect or context.connection is None or state.startswith(_LOST_STATES):
            context.is_disconnect = True
            broken = context.connection
            if broken is not None and not broken.invalidated and "session" in broken.info:
                self._orphans.append(broken.info.pop("session"))
            message = (
                f"the connection to {self._shown} broke "
                f"({_one_line(context.original_exception)}). Nothing of this was kept; try again"
            )
            raise ConnectionLost(message)

    def reopen(self) -> None:
        """Do nothing: no other program can replace a server's log."""

    def forget(self) -> None:
        """Drop, in a forked child, the connections of its parent without a word to the server."""
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Let every connection go; those that threads still use, as soon as they are given back."""
        event.listen(self.engine, "checkin", lambda _, record: record.invalidate())
        self.engine.dispose()


def _arguments(url: URL) -> dict[str, object]:
    given = url.query.get("options", "")
    options = given if isinstance(given, str) else " ".join(given)
    network = {name: value for name, value in _NETWORK.items() if name not in url.query}
    return {**network, "options": f"{options} -c timezone=UTC".strip()}


def _refuse_half(connection: Connection) -> None:
    # The server answers the commit of a failed transaction by rolling it back, without an error.
    raw: Any = connection.connection.driver_connection  # a psycopg connection, imported only here
    if raw.info.transaction_status.name == "INERROR":
        raise halved()


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


def _prepared(raw: Any, entry: ConnectionPoolEntry) -> None:  # a psycopg connection, imported here
    from psycopg.types.string import TextLoader

    raw.adapters.register_loader("json", TextLoader)
    pid, backend_start = raw.execute(_SESSION).fetchone()
    raw.rollback()
    entry.info["session"] = {"pid": pid, "backend_start": backend_start}
