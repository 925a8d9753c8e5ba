"""Runs that a canvas in a cell asks for: they go on in the kernel, and tell what models say."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from promptstudio_lab.errors import Conflict, PromptStudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.lab.running.stream import RunStream
    from promptstudio_lab.values import Json

_EVERY_S = 0.1


class InPlace:
    """The runs of one canvas.

    Args:
        tell: sends a view what has been said since, ten times a second at most, and each end.
    """

    def __init__(self, tell: Callable[[dict[str, Json]], None]) -> None:
        """Begin with none."""
        self._tell = tell
        self._going_on: dict[str, RunStream] = {}

    def begin(self, flow: Flow, inputs: Mapping[str, Json], until: str | None) -> str:
        """Begin a run, of the whole flow or up to a node, and return its id.

        Raises:
            FlowInvalid: with every problem, if what is to run cannot.
        """
        stream = flow.begin(inputs, until)
        self._going_on[stream.id] = stream
        name = f"promptstudio-run-{stream.id}"
        threading.Thread(target=self._follow, args=(stream,), name=name, daemon=True).start()
        return stream.id

    def stop(self, run_id: str) -> None:
        """Cancel a run; calls in flight are broken off.

        Raises:
            Conflict: if it does not go on here.
        """
        if run_id not in self._going_on:
            message = "the run does not go on in this kernel, or is over"
            raise Conflict(message)
        self._going_on[run_id].cancel()

    def _follow(self, stream: RunStream) -> None:
        said: dict[str, str] = {}
        told, reason = time.monotonic(), None
        try:
            for node, text in stream:
                said[node] = said.get(node, "") + text
                if time.monotonic() - told > _EVERY_S:
                    self._tell({"said": {"run": stream.id, "texts": said}})
                    said, told = {}, time.monotonic()
            self._tell({"said": {"run": stream.id, "texts": said}})
            stream.run  # noqa: B018 — waits for the end, and raises what went wrong
        except PromptStudioError as error:
            reason = str(error)
        except CancelledError:
            reason = "stopped"
        finally:
            del self._going_on[stream.id]
            self._tell({"ended": stream.id, "reason": reason})
