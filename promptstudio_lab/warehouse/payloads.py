"""Payloads: text kept once under an address that only its organisation can compute."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sqlalchemy import select

from promptstudio_lab.errors import NotFound
from promptstudio_lab.ids import hashed_id
from promptstudio_lab.values import Json, dumps, keyed_hash, loads
from promptstudio_lab.warehouse.append import insert_missing
from promptstudio_lab.warehouse.archive.manifest import month_of_payload
from promptstudio_lab.warehouse.entities import Organization, Payload
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from promptstudio_lab.identity import Actor

# Each write needs its organisation's key, and a key never changes.
_known: WeakKeyDictionary[Engine, dict[str, PayloadAddress]] = WeakKeyDictionary()

COLUMNS = (
    "id",
    "organization_id",
    "body",
    "byte_count",
    "subject_key_id",
    "created_at",
    "created_by",
)


class PayloadAddress:
    """Computes where values of one organisation lie.

    Args:
        key: the organisation's payload key, in hexadecimal digits.
    """

    def __init__(self, key: str) -> None:
        """Keep the key in memory only."""
        self._key = bytes.fromhex(key)

    def of(self, text: str) -> str:
        """Return the id of the payload whose canonical JSON is `text`."""
        return hashed_id(keyed_hash(self._key, text))


def address(session: Session) -> PayloadAddress:
    """Return the addresses of the session's organisation."""
    actor: Actor = session.info["actor"]
    known = _known.setdefault(session.connection().engine, {})
    if actor.organization_id not in known:
        key = session.scalars(
            select(Organization.payload_key).where(Organization.id == actor.organization_id)
        ).one()
        known[actor.organization_id] = PayloadAddress(key)
    return known[actor.organization_id]


def put(session: Session, values: Iterable[Json]) -> list[str]:
    """Store each value once and return the ids, in order."""
    actor: Actor = session.info["actor"]
    where, moment = address(session), now()
    texts = [dumps(value) for value in values]
    ids = [where.of(text) for text in texts]
    rows = {
        key: (key, actor.organization_id, text, len(text), None, moment, actor.id)
        for key, text in zip(ids, texts, strict=True)
    }
    insert_missing(session.connection(), Payload.__tablename__, COLUMNS, list(rows.values()))
    return ids


def get(session: Session, payload_id: str) -> Json:
    """Return the value of a payload.

    Raises:
        NotFound: if there is none in the session's organisation, or none but in an archived month.
    """
    body = session.scalars(select(Payload.body).where(Payload.id == payload_id)).one_or_none()
    if body is None:
        raise NotFound(_missing(session, payload_id))
    return loads(body)


def _missing(session: Session, payload_id: str) -> str:
    month = month_of_payload(session, payload_id)
    if month is None:
        return f"there is no payload {payload_id}; it may have been erased"
    return f"payload {payload_id} is archived in {month}; restore it: lab.restore_month('{month}')"


def get_many(session: Session, payload_ids: Iterable[str]) -> dict[str, Json]:
    """Return the values of several payloads by id; missing ones are left out."""
    wanted = sorted(set(payload_ids))
    found: dict[str, Json] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        rows = session.execute(select(Payload.id, Payload.body).where(Payload.id.in_(part)))
        found.update((key, loads(body)) for key, body in rows)
    return found


_AT_ONCE = 500
