"""Dask: parts of a batch on a cluster's workers; a part whose worker died runs again elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from promptstudio_lab.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

P = TypeVar("P")
T = TypeVar("T")


def completed(
    client: Any,  # a `distributed.Client`, which has no types
    work: Callable[[P], T],
    parts: Sequence[P],
) -> Iterator[T]:
    """Do parts of some work on a cluster and give each result as it comes.

    Whoever stops listening cancels what has not begun.

    Args:
        client: a `distributed.Client`.
        work: a function of a module that the workers have, too.
        parts: what it is called with; each must be picklable.

    Raises:
        RunError: if this is no client, or Dask is not installed.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        message = "Dask is not installed: pip install 'promptstudio-lab[dask]'"
        raise RunError(message) from None
    if not isinstance(client, Client):
        message = f"on= takes a distributed.Client, not {type(client).__name__}"
        raise RunError(message)
    # The same part of another batch is other work.
    futures = client.map(work, parts, pure=False)
    try:
        for future in as_completed(futures):  # type: ignore[no-untyped-call]  # Dask has no types
            yield future.result()
    finally:
        client.cancel(futures)  # type: ignore[no-untyped-call]  # likewise
