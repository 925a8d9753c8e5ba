"""Who works in a shared warehouse: logins of PostgreSQL and what each is in an organisation.

Only the owner of the warehouse can say so; on SQLite whoever has the file has everything in it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from promptstudio_lab.errors import AccessDenied, NotFound, OperationRefused, did_you_mean
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import Membership, Organization
from promptstudio_lab.warehouse.entities.organizations import ROLES
from promptstudio_lab.warehouse.schema import security
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor, Role
    from promptstudio_lab.warehouse.connect import Warehouse

_LOGIN = re.compile(r"[a-z_][a-z0-9_.-]{0,62}")
_PASSWORD_BYTES = 18


@dataclass(frozen=True, slots=True)
class Added:
    """A login that works in an organisation from now on.

    Attributes:
        login: its name.
        role: `viewer`, `analyst` or `admin`.
        organization: the organisation's short name.
        password: what it logs in with; None for a login that was there before.
    """

    login: str
    role: str
    organization: str
    password: str | None


def add_organization(warehouse: Warehouse, actor: Actor, name: str) -> str:
    """Make an organisation and return its id; one of that name stays as it is."""
    _require_owner(warehouse)

    def work(session: Session) -> str:
        found = session.scalars(select(Organization.id).where(Organization.slug == name)).first()
        if found is not None:
            return found
        row = Organization(id=new_id(), name=name, slug=name, payload_key=new_payload_key())
        session.add(row)
        session.flush()
        return row.id

    return warehouse.transact(actor, work)


def new_payload_key() -> str:
    """Return a fresh key for the addresses of one organisation's payloads."""
    return secrets.token_hex(32)


def add_member(
    warehouse: Warehouse, actor: Actor, login: str, role: str, organization: str
) -> Added:
    """Let a login work in the actor's organisation, making the login where there is none.

    Args:
        warehouse: an open one, on PostgreSQL.
        actor: the owner, acting for the organisation.
        login: the name, in small letters.
        role: `viewer` reads, `analyst` works, `admin` also gives permissions.
        organization: the organisation's short name.

    Raises:
        OperationRefused: for a name or a role that cannot be.
        AccessDenied: if this login does not own the warehouse.
    """
    _require_owner(warehouse)
    if not _LOGIN.fullmatch(login):
        message = f"{login!r} is no login: small letters, digits, `_`, `.` and `-`, such as 'ada'"
        raise OperationRefused(message)
    if role not in ROLES:
        message = f"there is no role {role!r}.{did_you_mean(role, ROLES)}"
        raise OperationRefused(message)

    def work(session: Session) -> Added:
        connection = session.connection()
        security.make_roles(connection)
        password = _make_login(connection, login)
        row = _membership(session, login)
        if row is None:
            session.add(Membership(id=new_id(), login=login, role=role))
        else:
            row.role = role
        session.flush()
        _regroup(session, login)
        return Added(login, role, organization, password)

    return warehouse.transact(actor, work)


def remove_member(warehouse: Warehouse, actor: Actor, login: str) -> None:
    """End a login's work in the actor's organisation; the login itself stays.

    Raises:
        NotFound: if it does not work there.
        AccessDenied: if this login does not own the warehouse.
    """
    _require_owner(warehouse)

    def work(session: Session) -> None:
        row = _membership(session, login)
        if row is None:
            known = session.scalars(select(Membership.login)).all()
            message = f"{login!r} does not work in this organisation.{did_you_mean(login, known)}"
            raise NotFound(message)
        row.deleted_at, row.deleted_by = now(), actor.id
        session.flush()
        _regroup(session, login)

    warehouse.transact(actor, work)


def _require_owner(warehouse: Warehouse) -> None:
    if warehouse.dialect == "sqlite":
        message = (
            "a SQLite warehouse has no members: the file is the boundary, and whoever can read it "
            "can read everything in it. Share one on PostgreSQL: promptstudio init postgresql://…"
        )
        raise OperationRefused(message)
    if not warehouse.owned:
        message = "only the login that owns the warehouse decides who works in it"
        raise AccessDenied(message)


def _membership(session: Session, login: str) -> Membership | None:
    return session.scalars(select(Membership).where(Membership.login == login)).first()


def _make_login(connection: Connection, login: str) -> str | None:
    if security.role_exists(connection, login):
        return None
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    name = security.quoted(connection, login)
    # The password is letters, digits, `-` and `_`: nothing that could end the text.
    connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    return password


def _regroup(session: Session, login: str) -> None:
    """Put a login into the group that its roles in all organisations need."""
    connection = session.connection()
    roles = session.execute(
        text("SELECT role FROM membership WHERE login = :login AND deleted_at IS NULL"),
        {"login": login},
    ).scalars()
    wanted = {security.READER if role == "viewer" else security.WRITER for role in roles}
    for kind in (security.READER, security.WRITER):
        group = security.quoted(connection, security.role_name(connection, kind))
        name = security.quoted(connection, login)
        verb = "GRANT {} TO {}" if kind in wanted else "REVOKE {} FROM {}"
        connection.exec_driver_sql(verb.format(group, name))


def members(session: Session) -> dict[str, Role]:
    """Return the role of each login that works in the session's organisation."""
    rows = session.execute(
        select(Membership.login, Membership.role).order_by(func.lower(Membership.login))
    )
    return {row.login: row.role for row in rows}
