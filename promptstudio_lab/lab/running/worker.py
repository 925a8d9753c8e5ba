"""A worker: takes the runs that were queued, or whose questions are answered, and goes on."""

from __future__ import annotations

from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from promptstudio_lab.engine.batch import Progress
from promptstudio_lab.errors import Conflict, PromptStudioError
from promptstudio_lab.lab.running.recorded import go_on
from promptstudio_lab.warehouse.queries.kept import ready
from promptstudio_lab.warehouse.queries.painted import stopped

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from promptstudio_lab.lab.facts import Environment

_AT_ONCE = 8
# What somebody has stopped is no longer a worker's.
_STANDING = ("waiting", "interrupted")


class Worker:
    """Goes on with whatever waits for nobody else; several workers share the work by lease.

    Args:
        environment: the lab; runs of other labs of the organisation are taken, too.
        tell: hears of each run as it is taken and as it ends.
        hear: gets (run, node name, text) as models answer.
    """

    def __init__(
        self,
        environment: Environment,
        tell: Callable[[str], None],
        hear: Callable[[str, str, str], None] | None = None,
    ) -> None:
        """Begin with nothing in hand."""
        self._environment, self._tell, self._hear = environment, tell, hear
        self._pool = ThreadPoolExecutor(_AT_ONCE, "promptstudio-worker")
        self._in_hand: dict[str, Future[None]] = {}
        self._progress: dict[str, Progress] = {}
        self._given_up: set[str] = set()

    def look(self) -> int:
        """Take what waits now, and return how many runs are in hand."""
        for run, work in self._in_hand.items():
            if work.done() and (error := work.exception()) is not None:
                self._give_up(run, repr(error))
        self._in_hand = {run: work for run, work in self._in_hand.items() if not work.done()}
        self._progress = {run: self._progress[run] for run in self._in_hand}
        with self._environment.warehouse.reading(self._environment.actor) as session:
            waiting = ready(session)
            ended = stopped(session, list(self._in_hand))
        for run in ended:
            self._progress[run].stop = True
            self._progress[run].cancel()
        for run in waiting:
            if run not in self._in_hand and run not in self._given_up:
                self._progress[run] = Progress(1)
                self._in_hand[run] = self._pool.submit(self._work, run)
        return len(self._in_hand)

    def close(self) -> None:
        """Wait for what is in hand; what has not begun is left to others."""
        self._pool.shutdown(cancel_futures=True)

    def _work(self, run: str) -> None:
        try:
            progress = self._progress[run]
            hear = partial(self._hear, run) if self._hear else None
            ended = go_on(
                self._environment, run, standing=_STANDING, progress=progress, on_text=hear
            )
        except (Conflict, CancelledError):
            # Another worker was first, or somebody has stopped it.
            return
        except PromptStudioError as error:
            self._give_up(run, str(error))
            return
        self._tell(f"{run} {ended.status} in {ended.execution_time_ms:,.0f} ms")

    def _give_up(self, run: str, reason: str) -> None:
        """Leave a run where it is: trying it for ever helps nobody, and a later worker may."""
        self._given_up.add(run)
        self._tell(f"{run} cannot go on: {reason}")
