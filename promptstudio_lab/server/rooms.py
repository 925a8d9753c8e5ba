"""From a request to a lab: which warehouse, and as whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from promptstudio_lab.errors import AccessDenied, WarehouseUnavailable
from promptstudio_lab.lab import connect
from promptstudio_lab.server.once import Once
from promptstudio_lab.server.workers import Workers
from promptstudio_lab.settings import choose_warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from promptstudio_lab.lab import Lab

_THREADS = 4  # reads run side by side; writes queue for the warehouse's own lock anyway


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a request says about where it wants to work, and who sends it.

    Attributes:
        beside: a notebook or folder, as a path below the server's root; empty for the root.
        organization: the slug; empty where there is only one.
        user: the login that the server has established, or None for this process's user.
    """

    beside: str
    organization: str
    user: str | None


class Rooms:
    """The labs that requests work in.

    Attributes:
        pool: the threads that do what blocks, away from the server's event loop.
        workers: the processes that run what this server's users ask for.
        once: what was done lately, for whoever has not heard its outcome.
    """

    def __init__(self, root: Path) -> None:
        """Serve what lies below `root`; nothing is opened yet."""
        self._root = root.resolve()
        self.pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="promptstudio")
        self.workers = Workers()
        self.once = Once()

    def enter(self, visitor: Visitor) -> Lab:
        """Return the lab that a kernel beside the same notebook opens with `ps.connect()`.

        Raises:
            AccessDenied: if the path leads out of the server's root.
            WarehouseUnavailable: if the warehouse cannot be opened, or not by two processes.
        """
        folder = self._folder(visitor.beside)
        choice = choose_warehouse(beside=folder)
        if choice.url == "memory":
            message = (
                f"{choice.why} asks for a memory warehouse, which lives and ends inside one "
                "process, so JupyterLab cannot see it. Name a file or a PostgreSQL address instead."
            )
            raise WarehouseUnavailable(message)
        return connect(organization=visitor.organization or None, beside=folder, user=visitor.user)

    def _folder(self, beside: str) -> Path:
        try:
            place = (self._root / beside).resolve()
        except (ValueError, OSError):  # a NUL, or a name that no file can have
            place = self._root.parent
        if not place.is_relative_to(self._root):
            message = f"{beside!r} lies outside the folder that this server shows"
            raise AccessDenied(message)
        return place if place.is_dir() or place == self._root else place.parent


def established(username: str) -> str | None:
    """Return the login that the server knows, or None if it only knows that somebody may enter.

    A single-user server calls whoever has its token by a random number; that person is the one
    whose kernels it starts, so kernel and server must write down the same name.

    >>> established("rosa"), established("0d3e7f0f2b1c4b7f9a5d6c8e1f2a3b4c")
    ('rosa', None)
    """
    try:
        number = UUID(username).hex
    except ValueError:
        return username or None
    return None if number == username else username
