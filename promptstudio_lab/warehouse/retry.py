"""Doing a unit of work until the database has kept it, or has said why it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from promptstudio_lab.errors import PromptStudioError, WarehouseError, WarehouseUnavailable
from promptstudio_lab.warehouse.engines import ConnectionLost
from promptstudio_lab.warehouse.engines.sqlite import LogReplaced
from promptstudio_lab.warehouse.engines.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from promptstudio_lab.warehouse.engines.postgresql import PostgresDatabase
    from promptstudio_lab.warehouse.engines.sqlite import SqliteFile

T = TypeVar("T")

_TRIES = 5
_CROSSED = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_SAME_MOMENT = "23505"  # a row that somebody else made just now
REFUSALS = (StatementError, PoolTimeoutError)
FAULTS = (*REFUSALS, OverflowError, UnicodeError)


def until_kept(
    database: SqliteFile | PostgresDatabase, shown: str, unit: Callable[[Connection], T]
) -> T:
    """Do the whole unit, again where that helps, and return its result once it is committed.

    Args:
        database: where.
        shown: its address, for messages.
        unit: works in a connection that may write, and commits.

    Raises:
        WarehouseUnavailable: if the server stays away, or others keep crossing the unit.
        WarehouseError: if the database refuses what the unit does.
    """
    away, crossing = Waits(database.patience_s), Waits(database.patience_s)
    tries = 0
    while True:
        try:
            with database.writing() as connection:
                return unit(connection)
        except ConnectionLost:
            if not away.pause():
                raise
            continue
        except LogReplaced as error:
            database.reopen()
            refusal = _refusal(shown, error)
        except FAULTS as error:
            if _state(error) not in {*_CROSSED, _SAME_MOMENT}:
                raise told(shown, error) from error
            refusal = _refusal(shown, error)
        tries += 1
        if tries == _TRIES:
            raise refusal
        crossing.pause()


def told(shown: str, error: Exception) -> PromptStudioError:
    """Return a database's error in the product's own words."""
    cause = getattr(error, "orig", None)
    if isinstance(cause, PromptStudioError):
        return cause
    return WarehouseError(f"{shown}: {cause or error}")


def _refusal(shown: str, error: Exception) -> PromptStudioError:
    refusal: PromptStudioError
    if isinstance(error, LogReplaced):
        message = f"{shown}: another program keeps replacing the warehouse's log"
        refusal = WarehouseUnavailable(message)
    elif _state(error) in _CROSSED:
        message = (
            f"{shown}: others change the same rows in another order, and {_TRIES} tries ended in "
            f"one another's way. Nothing of this was kept; try again later ({told(shown, error)})"
        )
        refusal = WarehouseUnavailable(message)
    else:
        refusal = told(shown, error)
    refusal.__cause__ = error
    return refusal


def _state(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)
