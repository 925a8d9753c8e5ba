"""The processes that run what is asked for without a kernel: the server itself runs no node."""

from __future__ import annotations

import atexit
import subprocess
import sys
from collections import OrderedDict
from threading import Lock, Thread
from typing import TYPE_CHECKING

from promptstudio_lab.settings import child_environment
from promptstudio_lab.values import loads
from promptstudio_lab.warehouse.organizations import organizations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promptstudio_lab.lab import Lab

_IDLE_S = 300
_SHOWN = 400  # characters of an answer that a card shows while it comes
_RUNS = 64


class Said:
    """What models have said lately in the runs of some workers.

    >>> said = Said()
    >>> said.listen(iter([b'{"run": "r", "node": "ask", "text": "Hel"}', b"words for people"]))
    >>> said.listen(iter([b'{"run": "r", "node": "ask", "text": "lo"}']))
    >>> said.of("r"), said.of("another")
    ({'ask': 'Hello'}, {})
    """

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._texts: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._hearing = Lock()

    def listen(self, lines: Iterable[bytes]) -> None:
        """Hear a worker to its end."""
        for line in lines:
            if line.startswith(b"{"):
                told = loads(line.decode())
                self._hear(told["run"], told["node"], told["text"])

    def _hear(self, run: str, node: str, text: str) -> None:
        with self._hearing:
            texts = self._texts.setdefault(run, {})
            texts[node] = (texts.get(node, "") + text)[-_SHOWN:]
            self._texts.move_to_end(run)
            if len(self._texts) > _RUNS:
                self._texts.popitem(last=False)

    def of(self, run: str) -> dict[str, str]:
        """Return the end of what each node's model has said, by the whole name of the node."""
        with self._hearing:
            return dict(self._texts.get(run, {}))


class Workers:
    """One `promptstudio worker` for each user and warehouse, started when there is work for it.

    It ends by itself when nothing has come for a while, or when this server is gone.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._said = Said()
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
                process = _start(url, slugs[actor.organization_id], actor.id)
                self._started[place] = process
                Thread(target=self._said.listen, args=(process.stdout,), daemon=True).start()

    def said(self, run: str) -> dict[str, str]:
        """Return the end of what models say in a run just now, by the whole name of their node."""
        return self._said.of(run)

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
        stdout=subprocess.PIPE,
    )
