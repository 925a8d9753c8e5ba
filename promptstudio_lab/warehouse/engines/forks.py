"""Who of this process uses SQLite just now, so that a fork happens when nobody does.

SQLite keeps its locks and mutexes in the process's memory. A child that is forked while another
thread reads or writes gets them as they stood, held for ever, and believes in locks that only
its parent has.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 5.0

_uses: Counter[int] = Counter()  # by thread
_change = threading.Condition(threading.RLock())
_state = {"forking": False, "clean": True}


def enter() -> int:
    """Begin to use SQLite, when no fork is under way; return what to give to `leave`."""
    thread = threading.get_ident()
    with _change:
        # Who is in the middle of something must be able to end it.
        _change.wait_for(lambda: not _state["forking"] or _uses[thread])
        _uses[thread] += 1
    return thread


def leave(thread: int) -> None:
    """Say that a use has ended."""
    with _change:
        _uses[thread] -= 1
        if _uses[thread] <= 0:
            del _uses[thread]
        _change.notify_all()


@contextmanager
def using() -> Iterator[None]:
    """Use SQLite for the length of a `with` block."""
    thread = enter()
    try:
        yield
    finally:
        leave(thread)


def clean() -> bool:
    """Tell whether nobody used SQLite when this process was forked, if it was."""
    return _state["clean"]


def watch() -> None:
    """Have every fork wait; what is registered last goes first, so others must have registered."""
    os.register_at_fork(before=_wait_for_others, after_in_parent=_go_on, after_in_child=_begin_anew)


def _wait_for_others() -> None:
    me, deadline = threading.get_ident(), time.monotonic() + PATIENCE_S
    _change.acquire()
    _state["forking"] = True
    while any(thread != me for thread in _uses):
        if not _change.wait(deadline - time.monotonic()):
            break


def _go_on() -> None:
    _state["forking"] = False
    _change.notify_all()
    _change.release()


def _begin_anew() -> None:
    _state["clean"] = _state["clean"] and not _uses
    _uses.clear()
    _go_on()
