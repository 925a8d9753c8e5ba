"""The Python half of the canvas in a cell: it answers requests and says when others edited."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import weakref
from collections import OrderedDict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.flows import store
from promptstudio_lab.lab.editing import Editing
from promptstudio_lab.widgets import twofold
from promptstudio_lab.widgets.inplace import InPlace

if TYPE_CHECKING:
    from promptstudio_lab.lab.flows import Flow
    from promptstudio_lab.values import Json

BUNDLE = Path(__file__).parents[1] / "labextension" / "static" / "widget.js"

_LOOK_S = 1.0
# News that may have been lost is told again after so long.
_TOLD_AGAIN_S = 4.0
_MOST_ANSWERS = 64
_EDITS = ("edit", "undo", "redo", "restore")
_log = logging.getLogger(__name__)


class FlowEditor(anywidget.AnyWidget):
    """The graph editor of one flow; every gesture is an operation on the flow itself.

    Args:
        flow: the flow.
    """

    _esm = Path(__file__).with_name("loader.js")
    version = traitlets.Unicode().tag(sync=True)
    bundle_hash = traitlets.Unicode().tag(sync=True)

    def __init__(self, flow: Flow) -> None:
        """Open the editor; it shows when it is displayed."""
        super().__init__(version=version("promptstudio-lab"), bundle_hash=_bundle_hash())
        self._flow = flow
        self._editing = Editing(flow, client_id=self.model_id)
        # The sequence that the view has, and the one that it was told of.
        self._seen = self._told = 0
        self._told_at = 0.0
        self._answers: OrderedDict[str, dict[str, Json]] = OrderedDict()
        self._in_place = InPlace(lambda news: self.send({"push": news}))
        self.on_msg(self._heard)
        _watch.add(self)

    @property
    def flow(self) -> Flow:
        """Return the flow that is edited."""
        return self._flow

    def tell(self, seq: int) -> None:
        """Say that the flow has reached a sequence; a view that is behind asks what happened."""
        self._told, self._told_at = max(self._told, seq), time.monotonic()
        self.send({"push": {"seq": seq}})

    def look(self) -> None:
        """Tell the view if somebody else edited, unless it has yet to ask about the last time."""
        fresh = time.monotonic() - self._told_at < _TOLD_AGAIN_S
        if not self._seen or (self._told > self._seen and fresh) or self._flow.id is None:
            return
        with self._flow.reading() as session:
            seq = store.head(session, self._flow.id).seq
        if seq > self._seen:
            self.tell(seq)

    def _heard(self, _widget: object, content: Any, _buffers: object) -> None:  # a browser's JSON
        asked = content if isinstance(content, dict) else {}
        key = str(asked.get("id"))
        if key in self._answers:
            # Its answer was lost or late: the same again, and nothing is done twice.
            self.send({"id": asked.get("id"), **self._answers[key]})
            return
        try:
            answer = self._answer(asked)
        except Exception as error:  # noqa: BLE001 — whatever went wrong must not cost the next message
            _log.exception("the canvas of %r asked for %r", self._flow.path, asked.get("do"))
            answer = {"ok": False, "code": type(error).__name__, "message": str(error)}
        self._remember(key, answer)
        self.send({"id": asked.get("id"), **answer})
        change = answer.get("change")
        if asked.get("do") in _EDITS and isinstance(change, dict):
            _watch.spread(self, int(change["seq"]))

    def _remember(self, key: str, answer: dict[str, Json]) -> None:
        self._answers[key] = answer
        while len(self._answers) > _MOST_ANSWERS:
            self._answers.popitem(last=False)

    def _answer(self, asked: dict[str, Json]) -> dict[str, Json]:
        if asked.get("do") == "bundle":
            return {"ok": True, "bundle": _bundle()}
        if asked.get("do") in {"run", "stop"}:
            return self._run_in_place(asked)
        message = {name: value for name, value in asked.items() if name != "id"}
        answer = self._editing.answer(message)
        for part in ("view", "change"):
            if part in answer:
                self._seen = max(self._seen, int(answer[part]["seq"]))
        return answer

    def _run_in_place(self, asked: dict[str, Json]) -> dict[str, Json]:
        try:
            if asked["do"] == "stop":
                self._in_place.stop(str(asked.get("run")))
                return {"ok": True, "data": None}
            inputs, until = asked.get("inputs"), asked.get("until")
            values = inputs if isinstance(inputs, dict) else {}
            run = self._in_place.begin(self._flow, values, None if until is None else str(until))
        except PromptStudioError as error:
            return {"ok": False, "code": type(error).__name__, "message": str(error)}
        return {"ok": True, "data": {"run": run}}

    def __repr__(self) -> str:
        """Name the flow and count its nodes."""
        return repr(self._flow).replace("<Flow", "<FlowEditor of")

    def _repr_mimebundle_(self, **options: Any) -> Any:  # as ipywidgets has it
        """Add a picture, which is what a reader without a kernel sees."""
        shown = super()._repr_mimebundle_(**options)
        if shown is None:
            return None
        data, metadata = shown
        return {**data, "image/svg+xml": self._flow._repr_svg_()}, metadata

    def _ipython_display_(self) -> None:
        shown = super()._repr_mimebundle_()
        if shown is not None:
            twofold.show(shown[0], self._flow._repr_svg_(), self._flow.path)


class _Watch:
    """Looks for edits from elsewhere: other cells, other processes, other people."""

    def __init__(self) -> None:
        self._editors: weakref.WeakSet[FlowEditor] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, editor: FlowEditor) -> None:
        """Look after an editor from now on."""
        with self._lock:
            self._editors.add(editor)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="canvas", daemon=True)
                self._thread.start()

    def spread(self, origin: FlowEditor, seq: int) -> None:
        """Tell every editor of the same flow; the origin may have several views."""
        for editor in self._open():
            if editor.flow.id == origin.flow.id:
                editor.tell(seq)

    def _open(self) -> list[FlowEditor]:
        with self._lock:
            return [editor for editor in self._editors if editor.comm is not None]

    def _run(self) -> None:
        rest = threading.Event()
        while not rest.wait(_LOOK_S):
            for editor in self._open():
                try:
                    editor.look()
                except PromptStudioError as error:
                    _log.warning("cannot look for edits of %r: %s", editor.flow.path, error)


_watch = _Watch()


@cache
def _bundle_hash() -> str:
    """Return what tells one build from another, so that a browser does not keep an old one."""
    return hashlib.sha256(BUNDLE.read_bytes()).hexdigest()[:12] if BUNDLE.exists() else ""


def _bundle() -> str:
    if not BUNDLE.exists():
        message = (
            "the canvas is not built: run `npm ci && npm run build` in extension/, or `make lab`"
        )
        raise PromptStudioError(message)
    return BUNDLE.read_text(encoding="utf-8")
