"""The processes that run what is asked for without a kernel: the server itself runs no node."""

from __future__ import annotations

import atexit
import subprocess
import sys
from threading import Lock
from typing import TYPE_CHECKING

from promptstudio_lab.settings import child_environment
from promptstudio_lab.warehouse.organizations import organizations

if TYPE_CHECKING:
    from promptstudio_lab.lab import Lab

_IDLE_S = 300


class Workers:
    """One `promptstudio worker` for each user and warehouse, started when there is work for it.

    It ends by itself when nothing has come for a while, or when this server is gone.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._started: dict[tuple[str, str, str], subprocess.Popen[bytes]] = {}
        self._starting = Lock()
        atexit.register(self.close)

    def wanted(self, lab: Lab) -> None:
        """See to it that somebody works for a lab's user in its warehouse."""
        actor, url = lab.actor, lab.choice.url
        place = (url, actor.organization_id, actor.id)
        with self._starting:
            process = self._started.get(place)
            if process is None or process.poll() is not None:
                slugs = {key: slug for slug, key in organizations(lab.warehouse).items()}
                self._started[place] = _start(url, slugs[actor.organization_id], actor.id)

    def close(self) -> None:
        """End all of them; what they have in hand shows as interrupted and can be gone on with."""
        with self._starting:
            for process in self._started.values():
                process.terminate()
                process.wait()
            self._started.clear()


def _start(url: str, organization: str, user: str) -> subprocess.Popen[bytes]:
    program = "import sys; from promptstudio_lab.cli import main; sys.exit(main())"
    words = ["--child", "--idle", str(_IDLE_S), "--organization", organization, "--user", user]
    return subprocess.Popen(  # noqa: S603 — our own program with words of ours
        [sys.executable, "-c", program, "worker", *words],
        # An address may hold a password, and arguments are for everybody to see.
        env=child_environment(url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
