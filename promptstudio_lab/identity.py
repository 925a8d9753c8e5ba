"""Who acts. No unit of work opens without an `Actor`."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Literal

from promptstudio_lab import settings

Role = Literal["viewer", "analyst", "admin"]
ActorKind = Literal["user", "assistant", "schedule", "import", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody, or something, that acts within one organisation.

    Attributes:
        id: a stable name of the login; advisory on SQLite, the login role decides on PostgreSQL.
        name: what people see.
        kind: whether a person, the assistant, a schedule, an import or the product itself acts.
        organization_id: the organisation whose rows the actor can reach.
        role: `viewer` reads, `analyst` works, `admin` also gives permissions.
    """

    id: str
    name: str
    kind: ActorKind
    organization_id: str
    role: Role = "admin"


def login() -> str:
    """Return the login of this process's user: JupyterHub's, else the operating system's."""
    hub = settings.hub_user()
    if hub:
        return hub
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run under a number that has no name.
        return "unknown"
