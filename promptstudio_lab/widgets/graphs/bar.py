"""The bar above a graph: what colours it, what the colours mean, and what is chosen."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from promptstudio_lab.errors import PromptStudioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.values import Json

_HERE = Path(__file__).parent
BUNDLE = _HERE / "bar.js"
_log = logging.getLogger(__name__)


class GraphBar(anywidget.AnyWidget):
    """A bar of a graph.

    Args:
        hear: is told what the browser asks for, whatever that is.
    """

    _esm = BUNDLE
    _css = _HERE / "bar.css"
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, hear: Callable[[object], None]) -> None:
        """Listen to what is asked for."""
        super().__init__()
        self._hear = hear
        self.on_msg(self._heard)

    def tell(self, **state: Json) -> None:
        """Show how the graph stands."""
        self.state = state

    def _heard(self, _widget: object, content: Any, _buffers: object) -> None:  # a browser's JSON
        try:
            self._hear(content)
        except PromptStudioError as error:
            _log.warning("the graph cannot do %r: %s", content, error)
