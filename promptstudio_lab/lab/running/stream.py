"""A run while it goes on: what its models say, as they say it."""

from __future__ import annotations

import asyncio
import queue
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.errors import RunError
from promptstudio_lab.shown import card, named_html

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from promptstudio_lab.engine.batch import Progress
    from promptstudio_lab.lab.running.results import Run


class Said(NamedTuple):
    """A piece of a model's answer.

    Attributes:
        node: the name of the node that asked, as `each/classify`.
        text: the next piece of the answer.
    """

    node: str
    text: str

    def _repr_html_(self) -> str:
        return named_html(self)


class RunStream:
    """What a flow's models say while they say it; `for` and `async for` both work.

    Leaving the loop early cancels the run, and with it the calls in flight.

    Attributes:
        id: the run's, known from the start.
        run: how it ended; waits for it.

    >>> import promptstudio_lab as ps
    >>> f = ps.connect("memory").flow("ask")
    >>> answer = f.llm("ask", prompt="Say {{ word }}.", word=f.input("word"))
    >>> _ = f.output(answer=answer)
    >>> stream = f.stream(word="hello")
    >>> "".join(said.text for said in stream) == stream.run.outputs["answer"]
    True
    """

    def __init__(
        self, work: Callable[[Callable[[str, str], None]], Run], progress: Progress, run_id: str
    ) -> None:
        """Begin the run.

        Args:
            work: runs it, telling (node name, text) as models answer.
            progress: of the run; it cancels it.
            run_id: the run's.
        """
        self.id = run_id
        self._progress = progress
        self._said: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        pool = ThreadPoolExecutor(1, "promptstudio-stream")
        self._ended = pool.submit(work, lambda node, text: self._said.put(Said(node, text)))
        self._ended.add_done_callback(lambda _: self._said.put(None))
        pool.shutdown(wait=False)

    def __repr__(self) -> str:
        """Say whether it goes on; nothing is waited for."""
        return f"<RunStream {self.id}: {'over' if self._ended.done() else 'goes on'}>"

    def _repr_html_(self) -> str:
        how = "is over: .run" if self._ended.done() else "goes on: for node, text in …"
        return card(f"Run {self.id} {how}")

    @property
    def run(self) -> Run:
        """Return the run, once it is over.

        Raises:
            RunError: if it was left before its end.
        """
        try:
            return self._ended.result()
        except CancelledError:
            message = "the run was left before its end, and is cancelled"
            raise RunError(message) from None

    def cancel(self) -> None:
        """Cancel the run: calls in flight are broken off."""
        self._progress.stop = True
        self._progress.cancel()

    def __iter__(self) -> Iterator[Said]:
        """Give each piece as it comes."""
        said: Said | None = None
        try:
            while (said := self._said.get()) is not None:
                yield said
        finally:
            if said is not None:
                self.cancel()
        # What went wrong is told here, too.
        self._ended.result()

    async def __aiter__(self) -> AsyncIterator[Said]:
        """Give each piece as it comes, while the notebook's own loop goes on."""
        said: Said | None = None
        try:
            while (said := await asyncio.to_thread(self._said.get)) is not None:
                yield said
        finally:
            if said is not None:
                self.cancel()
        # What went wrong is told here, too.
        self._ended.result()
