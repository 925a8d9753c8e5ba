"""A PostgreSQL warehouse as teams share one: an owner who is no superuser, and its members."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url

from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.members import add_member, add_organization
from promptstudio_lab.warehouse.organizations import enter, open_lab
from tests.warehouse.parts import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.sql import Composed
    from sqlalchemy import URL


@dataclass(frozen=True, slots=True)
class Team:
    """A warehouse with two organisations, `acme` and `beta`, and a member of each.

    Attributes:
        url: the address as its owner.
        superuser: the address as somebody who may do everything.
        owner: the owner at work in `acme`.
        acme: an analyst of `acme`.
        beta: an analyst of `beta`.
        suffix: what tells this warehouse's logins from others on the server.
    """

    url: URL
    superuser: URL
    owner: Place
    acme: Place
    beta: Place
    suffix: str

    def as_login(self, name: str) -> str:
        """Return the address for a login."""
        return self.url.set(username=name).render_as_string(hide_password=False)

    def raw(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        """Return a bare connection of a login, as any program of an analyst would have."""
        url = self.url.set(drivername="postgresql", username=name)
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


@contextmanager
def owned_database(server: URL) -> Iterator[tuple[URL, str]]:
    """Give the address of an empty database as its owner, and the suffix of its logins."""
    suffix = uuid4().hex[:8]
    owner, name = f"owner_{suffix}", f"team_{suffix}"
    run(server, SQL("CREATE ROLE {} LOGIN CREATEROLE").format(Identifier(owner)))
    run(server, SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), Identifier(owner)))
    try:
        yield make_url(server).set(database=name, username=owner), suffix
    finally:
        run(server, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
        for role in roles(server, suffix):
            run(server, SQL("DROP ROLE {}").format(Identifier(role)))


@contextmanager
def team(server: URL) -> Iterator[Team]:
    """Give a warehouse that two organisations share."""
    with ExitStack() as stack:
        url, suffix = stack.enter_context(owned_database(server))
        address = url.render_as_string(hide_password=False)
        warehouse = stack.enter_context(closing(Warehouse(address)))
        founder = enter(warehouse, "acme")
        owner = Place(warehouse, founder, open_lab(warehouse, founder).id)
        add_organization(warehouse, founder, "beta")
        for organization in ("acme", "beta"):
            actor = enter(warehouse, organization)
            add_member(warehouse, actor, f"{organization}_{suffix}", "analyst", organization)
        acme, beta = (
            stack.enter_context(member(url.set(username=f"{name}_{suffix}")))
            for name in ("acme", "beta")
        )
        yield Team(url, server.set(database=url.database), owner, acme, beta, suffix)


@contextmanager
def member(url: URL) -> Iterator[Place]:
    """Give a place as a member has it who pastes the address."""
    with closing(Warehouse(url.render_as_string(hide_password=False))) as warehouse:
        actor = enter(warehouse)
        yield Place(warehouse, actor, open_lab(warehouse, actor).id)


def run(server: URL, statement: Composed) -> None:
    """Run one statement as the superuser."""
    url = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def roles(server: URL, suffix: str) -> list[str]:
    """Return the roles of one warehouse on the server."""
    url = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        query = "SELECT rolname FROM pg_roles WHERE rolname LIKE %s"
        return [str(row[0]) for row in connection.execute(query, [f"%{suffix}%"])]
