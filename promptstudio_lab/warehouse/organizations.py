"""The organisation and the lab that an actor works in, made on first use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from promptstudio_lab.errors import AccessDenied, NotFound, did_you_mean
from promptstudio_lab.identity import Actor, login
from promptstudio_lab.ids import new_id
from promptstudio_lab.warehouse.entities import Organization, PromptLab
from promptstudio_lab.warehouse.members import members, new_payload_key

if TYPE_CHECKING:
    from promptstudio_lab.warehouse.connect import Warehouse

DEFAULT = "default"


def enter(warehouse: Warehouse, organization: str | None = None, name: str | None = None) -> Actor:
    """Return the actor of this process: the user, within the organisation.

    An empty warehouse gets one organisation, `default`. On PostgreSQL a member acts under its
    login and no other name; the owner acts for whoever it serves.

    Args:
        warehouse: an open one.
        organization: the slug; needed only when there are several.
        name: the login, when somebody else has established it: the server for its user.

    Raises:
        NotFound: if there is no such organisation, or the choice is not clear.
        AccessDenied: if this login of PostgreSQL works in no organisation.
    """
    found = organizations(warehouse)
    if not found:
        _require_founder(warehouse)
        found = {organization or DEFAULT: _found(warehouse, organization or DEFAULT)}
    if organization is None and len(found) == 1:
        organization = next(iter(found))
    if organization not in found:
        asked = f"there is no organisation {organization!r}" if organization else "which one"
        message = f"{asked}?{did_you_mean(organization or '', found)}"
        raise NotFound(message)
    if not warehouse.owned:
        return _member(warehouse, found[organization])
    who = name or login()
    return Actor(id=who, name=who, kind="user", organization_id=found[organization])


def organizations(warehouse: Warehouse) -> dict[str, str]:
    """Return the id of every organisation that this process may see, by its short name."""
    with Session(warehouse.engine) as session:
        query = select(Organization.slug, Organization.id).order_by(Organization.slug)
        return {row.slug: row.id for row in session.execute(query)}


def _require_founder(warehouse: Warehouse) -> None:
    if not warehouse.owned:
        message = (
            f"{warehouse.login} works in no organisation of {warehouse.url}. Its owner lets it in: "
            f"promptstudio analyst add {warehouse.login}"
        )
        raise AccessDenied(message)


def _member(warehouse: Warehouse, organization_id: str) -> Actor:
    looking = Actor(warehouse.login, warehouse.login, "user", organization_id, "viewer")
    with warehouse.reading(looking) as session:
        role = members(session)[warehouse.login]
    return replace(looking, role=role)


def open_lab(warehouse: Warehouse, actor: Actor, name: str | None = None) -> PromptLab:
    """Return the lab of that name, making `default` in an organisation that has none.

    Raises:
        NotFound: if there is no lab of that name.
    """
    wanted = name or DEFAULT

    def work(session: Session) -> PromptLab:
        labs = {lab.name: lab for lab in session.scalars(select(PromptLab))}
        if wanted in labs:
            return labs[wanted]
        if name is not None and labs:
            message = f"there is no lab {name!r}.{did_you_mean(name, labs)}"
            raise NotFound(message)
        lab = PromptLab(id=new_id(), name=wanted)
        session.add(lab)
        session.flush()
        return lab

    with warehouse.reading(actor) as session:
        existing = session.scalars(select(PromptLab).where(PromptLab.name == wanted)).first()
        if existing is not None:
            session.expunge(existing)
            return existing
    return warehouse.transact(actor, work)


def _found(warehouse: Warehouse, slug: str) -> str:
    founder = Actor(id="promptstudio", name="PromptStudio Lab", kind="system", organization_id="-")

    def work(session: Session) -> str:
        existing = session.scalars(select(Organization.id).where(Organization.slug == slug)).first()
        if existing:
            return existing
        key = new_payload_key()
        session.add(Organization(id=new_id(), name=slug, slug=slug, payload_key=key))
        session.flush()
        return session.scalars(select(Organization.id).where(Organization.slug == slug)).one()

    return warehouse.transact(founder, work)
