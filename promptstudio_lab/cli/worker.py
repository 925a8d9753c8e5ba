"""`promptstudio worker`: runs what was queued, and goes on where a person has answered."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from promptstudio_lab.lab import connect
from promptstudio_lab.lab.running.worker import Worker
from promptstudio_lab.values import dumps

if TYPE_CHECKING:
    import argparse

_LOOK_EVERY_S = 0.5


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--warehouse", help="its address; by default the one in use")
    parser.add_argument("--organization", help="needed only where there are several")
    parser.add_argument("--user", help="the login it works as; by default this process's user")
    parser.add_argument(
        "--idle", type=float, metavar="SECONDS", help="end after so long without work"
    )
    parser.add_argument(
        "--child",
        action="store_true",
        help="end when the process that started it is gone; tell it what models say, as JSON lines",
    )


def run(chosen: argparse.Namespace) -> int:
    """Work until it is interrupted, or nothing has come for long enough."""
    lab = connect(chosen.warehouse, organization=chosen.organization, user=chosen.user)
    worker = Worker(lab.environment, _say, _pass_on if chosen.child else None)
    parent = os.getppid()
    _say(f"works on {lab.warehouse.url} ({lab.choice.why}) as {lab.actor.name}")
    last = time.monotonic()
    try:
        while not (chosen.child and os.getppid() != parent):
            if worker.look():
                last = time.monotonic()
            elif chosen.idle is not None and time.monotonic() - last > chosen.idle:
                break
            time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        _say("ends when what is in hand is over")
    finally:
        worker.close()
    return 0


def _pass_on(run: str, node: str, text: str) -> None:
    # Nobody may listen any more; what is said is in the warehouse when it is whole.
    with suppress(OSError):
        _say(dumps({"run": run, "node": node, "text": text}))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
