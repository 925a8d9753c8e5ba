"""Runs whose process is gone: they show as `interrupted`, never as running for ever."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from promptstudio_lab.warehouse.queries.interrupted import interrupt, lease_owners

if TYPE_CHECKING:
    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse


def mark_interrupted(warehouse: Warehouse, actor: Actor) -> int:
    """Mark the runs whose lease is over, or whose process on this host has died.

    Returns:
        How many runs were marked.
    """
    with warehouse.reading(actor) as session:
        owners = lease_owners(session)
    if not owners:
        return 0
    dead = [owner for owner in owners if _is_dead(owner)]
    return warehouse.transact(actor, lambda session: interrupt(session, dead))


def _is_dead(owner: str) -> bool:
    host, process = owner.split(":")[:2]
    if host != platform.node() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        # It is alive and somebody else's.
        return False
    return False
