"""The recorder: the sole writer of executions. One thread, bounded queue, group commits.

Whatever is queued becomes one transaction; a caller hears of its own rows after the commit.
No flush is ever needed: `close` and the interpreter's exit write what is left.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import platform
import queue
import threading
import time
import weakref
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from promptstudio_lab.engine.rows import UPDATES, Rows
from promptstudio_lab.errors import PromptStudioError, WarehouseError, WarehouseUnavailable
from promptstudio_lab.warehouse.append import execute, insert_missing
from promptstudio_lab.warehouse.queries.experiments.exposures import mark_multi, take_turns
from promptstudio_lab.warehouse.queries.experiments.units import fold, still_open
from promptstudio_lab.warehouse.types import now

if TYPE_CHECKING:
    from promptstudio_lab.engine.records import (
        AttemptStarted,
        CallEnded,
        NodeEnded,
        Record,
        RunEnded,
        RunStarted,
    )
    from promptstudio_lab.identity import Actor
    from promptstudio_lab.warehouse.connect import Warehouse
    from promptstudio_lab.warehouse.payloads import PayloadAddress

LEASE = timedelta(seconds=30)
_HEARTBEAT_S = 10.0
_QUEUE = 20_000
_GROUP = 2_000
_FULL_WAIT_S = 0.005
_LINGER_S = 0.01
_LATER = 500
# How long a warehouse that cannot be used just now, with a full disk say, is tried again: shorter
# than a lease, which nobody renews meanwhile.
_PAUSE_S, _TRY_AGAIN_S = 20.0, 0.5
_open: weakref.WeakSet[Recorder] = weakref.WeakSet()
_serial = itertools.count(1)


class _Entry(NamedTuple):
    run_id: str
    record: Record | None
    done: asyncio.Future[None] | None = None


_STOP = _Entry("", None)


class Recorder:
    """A sink that writes everything down.

    Args:
        warehouse: where to.
        actor: who runs.
        address: computes where the organisation's payloads lie.
        ack: `commit` tells a run's caller after its commit; `queued` as soon as it is queued.
            A call is announced by a committed attempt row in both.
    """

    def __init__(
        self, warehouse: Warehouse, actor: Actor, address: PayloadAddress, ack: str = "commit"
    ) -> None:
        """Start the writer thread."""
        self._warehouse, self._actor, self._address, self._ack = warehouse, actor, address, ack
        self.owner = lease_owner()
        self._queue: queue.SimpleQueue[_Entry] = queue.SimpleQueue()
        self._urgent = threading.Event()
        self._later: list[_Entry] = []
        self._failure: Exception | None = None
        self._broken: set[str] = set()
        self._thread = threading.Thread(
            target=self._work, name="promptstudio-recorder", daemon=True
        )
        self._thread.start()
        _open.add(self)

    async def run_started(self, run: RunStarted) -> None:
        """Queue the run as `running`, under this process's lease."""
        await self._put(run, run, wait=False)

    async def attempt_started(self, attempt: AttemptStarted) -> None:
        """Commit the attempt; the call is made when this returns."""
        await self._put(attempt.run, attempt, wait=True)

    async def call_ended(self, call: CallEnded) -> None:
        """Nothing yet: the call's row goes with its node's, which it refers to."""

    async def node_ended(self, node: NodeEnded) -> None:
        """Queue the node with its calls; what has been paid for is written at once."""
        await self._put(node.run, node, wait=False)
        if node.calls:
            self._urgent.set()

    async def run_ended(self, run: RunEnded) -> None:
        """Finish the run by compare-and-set."""
        await self._put(run.run, run, wait=self._ack == "commit")

    def close(self) -> None:
        """Write what is queued and stop.

        Raises:
            WarehouseError: if something could not be written.
        """
        if self._thread.is_alive():
            self._queue.put(_STOP)
            self._urgent.set()
            # An interrupt may end the waiting; the interpreter's exit then waits again.
            self._thread.join()
        _open.discard(self)
        self._raise()

    async def _put(self, run: RunStarted, record: Record, *, wait: bool) -> None:
        self._raise()
        done = asyncio.get_running_loop().create_future() if wait else None
        entry = _Entry(run.input.run_id, record, done)
        while self._queue.qsize() >= _QUEUE:
            # Back-pressure: the engine waits for the disk and not the other way round.
            await asyncio.sleep(_FULL_WAIT_S)
            self._raise()
        self._queue.put(entry)
        if done is not None:
            self._urgent.set()
            await done

    def _raise(self) -> None:
        if self._failure is not None:
            message = f"executions can no longer be recorded: {self._failure}"
            raise WarehouseError(message) from self._failure

    def _work(self) -> None:
        beat, going_on = time.monotonic(), True
        while going_on:
            group = self._take()
            if group and group[-1] is _STOP:
                group.pop()
                going_on = False
            # Whoever can keep nothing any more must not hold on to its runs either.
            extend = time.monotonic() - beat > _HEARTBEAT_S and self._failure is None
            if extend:
                beat = time.monotonic()
            if group or extend:
                self._commit(group, extend=extend)

    def _take(self) -> list[_Entry]:
        """Return what is written next; the last of it may be the sign to stop."""
        group, self._later = self._later, []
        try:
            if not group:
                group.append(self._queue.get(timeout=_HEARTBEAT_S))
                if 1 + self._queue.qsize() < _GROUP:
                    # What cost nothing, and nobody waits for, goes with what comes next.
                    self._urgent.wait(_LINGER_S)
                    self._urgent.clear()
            while group[-1] is not _STOP and len(group) < _GROUP:
                group.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        awaited = {entry.run_id for entry in group if entry.done is not None}
        if not awaited or len(group) > _LATER or group[-1] is _STOP:
            return group
        # Runs that wait go before those that do not, each with all that it told until now.
        self._later = [entry for entry in group if entry.run_id not in awaited]
        return [entry for entry in group if entry.run_id in awaited]

    def _commit(self, entries: list[_Entry], *, extend: bool = False) -> None:
        # A run of which something was lost must not look whole: it stays open, to be gone on with.
        _tell([entry for entry in entries if entry.run_id in self._broken], self._failure)
        entries = [entry for entry in entries if entry.run_id not in self._broken]
        failure: Exception | None = None
        try:
            self._keep(self._rows(entries, extend=extend))
        except (PromptStudioError, OSError) as error:
            if len(entries) > 1 and not isinstance(error, (OSError, WarehouseUnavailable)):
                # One bad entry must not take the others along.
                for entry in entries:
                    self._commit([entry])
                return
            failure = error
            self._broken.update(entry.run_id for entry in entries)
            # What comes after a loss may only be its consequence: the first failure is the reason.
            self._failure = self._failure or error
        _tell(entries, failure)

    def _rows(self, entries: list[_Entry], *, extend: bool) -> Rows:
        until = now() + LEASE
        rows = Rows(self._address, self.owner, until)
        for entry in entries:
            if entry.record is not None:
                rows.add(entry.record)
        if extend:
            rows.extend_leases(until)
        return rows

    def _keep(self, rows: Rows) -> None:
        # Once something could not be kept, nothing waits for the same again.
        until = time.monotonic() + (_PAUSE_S if self._failure is None else 0)
        while True:
            try:
                self._warehouse.append(self._actor, lambda connection: write(connection, rows))
            except WarehouseUnavailable:
                # The engine's queue fills meanwhile, and then it starts no further call.
                if time.monotonic() > until:
                    raise
                time.sleep(_TRY_AGAIN_S)
            else:
                return


def write(connection: Any, rows: Rows) -> None:  # a connection, named only in the warehouse
    """Write a group in the order in which its rows refer to one another."""
    take_turns(connection, rows.exposed)
    for table, (columns, values) in rows.in_order():
        insert_missing(connection, table, columns, values)
    mark_multi(connection, rows.exposed)
    finished = still_open(connection, rows.endings)
    for name, values in rows.updates.items():
        execute(connection, UPDATES[name], values)
    fold(connection, finished)


def lease_owner() -> str:
    """Return a name in leases that nobody else has: host, process, and which of its recorders."""
    return f"{platform.node()}:{os.getpid()}:{next(_serial)}"


def _tell(entries: list[_Entry], failure: Exception | None) -> None:
    waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for entry in entries:
        if entry.done is not None:
            waiting.setdefault(entry.done.get_loop(), []).append(entry.done)
    for loop, futures in waiting.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, futures, failure)


def _resolve(futures: list[asyncio.Future[None]], failure: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(WarehouseError(f"could not record the run: {failure}"))


def _close_all() -> None:
    for recorder in list(_open):
        recorder.close()


atexit.register(_close_all)
