"""The routes: reading needs the right to read, writing the right to write; no route runs a node.

| route | answer |
|---|---|
| `GET promptstudio/status` | which warehouse and why, which lab, who one is, which version |
| `GET promptstudio/tree` | labs, libraries, flows and templates |
| `POST promptstudio/flows` | `{path}` → the flow there, made if need be |
| `GET promptstudio/flows/<id>` | the flow as a canvas draws it |
| `GET promptstudio/flows/<id>/changes?since=` | what happened to it after a sequence |
| `POST promptstudio/flows/<id>/messages` | what a canvas asks for |
| `POST promptstudio/flows/<id>/runs` | `{inputs, until}` → the run, queued for a worker |
| `GET promptstudio/flows/<id>/versions` | the saved versions, the labels, and a fork's origin |
| `POST promptstudio/flows/<id>/forks` | `{path, version}` → the fork, with where it came from |
| `POST promptstudio/flows/<id>/labels` | `{name, version}` → the same; null removes the label |
| `GET promptstudio/runs/<id>` | how a run stands, node by node |
| `POST promptstudio/runs/<id>/stop` | ends a run that is queued or goes on |
| `GET promptstudio/questions` | what people are asked by runs that wait for them |
| `POST promptstudio/questions/<id>` | `{value}` → the run, which a worker goes on with |
| `GET promptstudio/templates/<id>` | a template with all its versions |

Every one takes `?beside=` a notebook and `?organization=`, as `ps.connect()` does.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.ioloop import IOLoop

from promptstudio_lab.errors import (
    AccessDenied,
    Conflict,
    NotFound,
    PromptStudioError,
    SettingsError,
    WarehouseError,
)
from promptstudio_lab.ids import new_id
from promptstudio_lab.lab.browsing import flow_by_id, template_by_id, tree, versions_of
from promptstudio_lab.lab.editing import Editing
from promptstudio_lab.lab.running.recorded import answered
from promptstudio_lab.lab.running.seen import open_questions, run_by_id, stop_run
from promptstudio_lab.server.bodies import (
    ANSWER,
    MESSAGE,
    NEW_FLOW,
    NEW_FORK,
    NEW_LABEL,
    NEW_RUN,
    read,
    read_sequence,
)
from promptstudio_lab.server.once import Outcome
from promptstudio_lab.server.rooms import Visitor, established
from promptstudio_lab.values import check_text, dumps, without_surrogates

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from promptstudio_lab.lab import Lab
    from promptstudio_lab.server.rooms import Rooms
    from promptstudio_lab.values import Json

_BAD_REQUEST = 400
_STATUSES: tuple[tuple[type[PromptStudioError], int], ...] = (
    (NotFound, 404),
    (AccessDenied, 403),
    (Conflict, 409),
    (WarehouseError, 503),
    (SettingsError, 503),
)


class Handler(APIHandler):
    """What all routes share: who asks, where, and how an outcome becomes an answer."""

    auth_resource = "promptstudio"

    def initialize(self, rooms: Rooms) -> None:
        """Keep where labs are opened."""
        self._rooms = rooms

    async def answer(self, work: Callable[[Lab], Json]) -> None:
        """Do the work in a lab, away from the event loop, and send its outcome as JSON.

        A request that bears an `Idempotency-Key` is done once, however often it is sent.
        """
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            status, text = await self._outcome(work)
        else:
            whole = (established(self.current_user.username), self.request.uri, key)
            status, text = await self._rooms.once.outcome(whole, lambda: self._outcome(work))
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        await self.finish(text)

    async def _outcome(self, work: Callable[[Lab], Json]) -> Outcome:
        visitor = Visitor(
            beside=self.get_query_argument("beside", ""),
            organization=self.get_query_argument("organization", ""),
            user=established(self.current_user.username),
        )

        def done() -> str:
            # In the order given: an inspector shows a schema's fields as their author wrote them.
            return json.dumps(work(self._rooms.enter(visitor)), allow_nan=False)

        try:
            return Outcome(200, await IOLoop.current().run_in_executor(self._rooms.pool, done))
        except PromptStudioError as error:
            said = {"code": type(error).__name__, "message": without_surrogates(str(error))}
            return Outcome(_status_code(error), dumps(said))
        except Exception:
            # The boundary: whoever reads the log finds the traceback, whoever asked its number.
            number = new_id()
            self.log.exception("PromptStudio Lab could not answer, error %s", number)
            message = f"something unexpected happened; the server's log has it as {number}"
            return Outcome(500, dumps({"code": "Unexpected", "message": message}))


class Status(Handler):
    """Which warehouse, and why; which lab; who one is."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer the question that somebody has whose kernel and tab show different things."""
        await self.answer(_status)


class Tree(Handler):
    """What there is."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return labs, libraries, flows and templates in one answer."""
        await self.answer(tree)


class Flows(Handler):
    """All flows."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Return the flow at a path, making it if need be, as `lab.flow` does."""
        await self.answer(lambda lab: _made(lab, read(self.request.body, NEW_FLOW)["path"]))


class OneFlow(Handler):
    """A flow."""

    @web.authenticated
    @authorized
    async def get(self, flow_id: str) -> None:
        """Return everything that a canvas needs to draw it."""
        await self.answer(lambda lab: Editing(flow_by_id(lab, flow_id), "").view())


class Changes(Handler):
    """What happened to a flow."""

    # A tab asks every second; that alone must not keep an idle server from being culled.
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, flow_id: str) -> None:
        """Return what happened after `?since=`, whoever did it.

        With `&problems_tag=`, the problems that it names are not told again.
        """
        since, tag = (self.get_query_argument(name, "") for name in ("since", "problems_tag"))
        await self.answer(
            lambda lab: Editing(flow_by_id(lab, flow_id), "").changes(read_sequence(since), tag)
        )


class Messages(Handler):
    """What a canvas asks for."""

    @web.authenticated
    @authorized
    async def post(self, flow_id: str) -> None:
        """Do it; a refused edit is an answer that says why."""

        def work(lab: Lab) -> Json:
            message = read(self.request.body, MESSAGE)
            found = Editing(flow_by_id(lab, flow_id), message["client_id"]).answer(message)
            if found["ok"] and (message["do"], message.get("about")) == ("ask", "run"):
                found["data"]["texts"] = self._rooms.workers.said(found["data"]["run"])
            return found

        await self.answer(work)


class Versions(Handler):
    """The versions of a flow."""

    @web.authenticated
    @authorized
    async def get(self, flow_id: str) -> None:
        """Return the saved versions, newest first, and which of them the labels name."""
        await self.answer(lambda lab: versions_of(flow_by_id(lab, flow_id)))


class Labels(Handler):
    """The labels of a flow."""

    @web.authenticated
    @authorized
    async def post(self, flow_id: str) -> None:
        """Let a label name a version, or none any more."""

        def work(lab: Lab) -> Json:
            wanted, flow = read(self.request.body, NEW_LABEL), flow_by_id(lab, flow_id)
            if wanted["version"] is None:
                flow.unlabel(wanted["name"])
            else:
                flow.label(wanted["name"], wanted["version"])
            return versions_of(flow)

        await self.answer(work)


class Forks(Handler):
    """The forks of a flow."""

    @web.authenticated
    @authorized
    async def post(self, flow_id: str) -> None:
        """Return a new flow that begins as a version of this one; no version means as it stands."""

        def work(lab: Lab) -> Json:
            wanted = read(self.request.body, NEW_FORK)
            path = check_text(wanted["path"], "path")
            fork = flow_by_id(lab, flow_id).fork(path, wanted.get("version"))
            return versions_of(fork)

        await self.answer(work)


class Runs(Handler):
    """The runs of a flow."""

    @web.authenticated
    @authorized
    async def post(self, flow_id: str) -> None:
        """Queue a run; a worker executes it, never the server."""

        def work(lab: Lab) -> Json:
            asked = read(self.request.body, NEW_RUN)
            run = flow_by_id(lab, flow_id).enqueue(asked["inputs"], asked.get("until"))
            self._rooms.workers.wanted(lab)
            return {"run": run}

        await self.answer(work)


class OneRun(Handler):
    """A run."""

    # A tab asks while a run goes on; that alone must not keep an idle server from being culled.
    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """Return how it stands, node by node."""
        await self.answer(lambda lab: run_by_id(lab, run_id))


class Stop(Handler):
    """A run that is to end."""

    @web.authenticated
    @authorized
    async def post(self, run_id: str) -> None:
        """End it; the worker that has it in hand breaks off its calls."""

        def work(lab: Lab) -> Json:
            stop_run(lab.environment, run_id)
            return {"run": run_id}

        await self.answer(work)


class Questions(Handler):
    """What people are asked."""

    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return the open questions, oldest first."""
        await self.answer(open_questions)


class OneQuestion(Handler):
    """A question."""

    @web.authenticated
    @authorized
    async def post(self, question_id: str) -> None:
        """Write the answer down; a worker goes on with the run that waits for it."""

        def work(lab: Lab) -> Json:
            value = read(self.request.body, ANSWER)["value"]
            run = answered(lab.environment, question_id, value)
            self._rooms.workers.wanted(lab)
            return {"run": run}

        await self.answer(work)


class OneTemplate(Handler):
    """A template of a library."""

    @web.authenticated
    @authorized
    async def get(self, template_id: str) -> None:
        """Return its versions with their texts, newest first."""
        await self.answer(lambda lab: template_by_id(lab, template_id))


ROUTES: tuple[tuple[str, type[Handler]], ...] = (
    ("status", Status),
    ("tree", Tree),
    ("flows", Flows),
    ("flows/([^/]+)", OneFlow),
    ("flows/([^/]+)/changes", Changes),
    ("flows/([^/]+)/messages", Messages),
    ("flows/([^/]+)/versions", Versions),
    ("flows/([^/]+)/forks", Forks),
    ("flows/([^/]+)/labels", Labels),
    ("flows/([^/]+)/runs", Runs),
    ("runs/([^/]+)", OneRun),
    ("runs/([^/]+)/stop", Stop),
    ("questions", Questions),
    ("questions/([^/]+)", OneQuestion),
    ("templates/([^/]+)", OneTemplate),
)


def routes(
    base_url: str, rooms: Rooms
) -> list[tuple[str, type[Handler], dict[str, Any]]]:  # tornado's own shape
    """Return the routes as tornado takes them, under the server's own address."""
    return [
        (url_path_join(base_url, "promptstudio", pattern), handler, {"rooms": rooms})
        for pattern, handler in ROUTES
    ]


def _status_code(error: PromptStudioError) -> int:
    return next((code for kind, code in _STATUSES if isinstance(error, kind)), _BAD_REQUEST)


def _status(lab: Lab) -> Json:
    warehouse, actor = lab.warehouse, lab.actor
    return {
        "version": version("promptstudio-lab"),
        "warehouse": {
            "id": warehouse.id,
            "url": warehouse.url,
            "why": lab.choice.why,
            "dialect": warehouse.dialect,
        },
        "lab": {"id": lab.id, "name": lab.name},
        "user": {"id": actor.id, "name": actor.name, "kind": actor.kind},
    }


def _made(lab: Lab, path: str) -> Json:
    flow = lab.flow(check_text(path, "path"))
    return {"id": flow.id, "path": flow.head().path}
