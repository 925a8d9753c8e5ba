"""The line between a page and Python, with a hand on it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Route, WebSocketRoute

    from tests.browser.room import Room

KERNELS = re.compile(r"/api/kernels/.*/channels")
MESSAGES = re.compile(r"/promptstudio/flows/[^/]+/messages")
CHANGES = re.compile(r"/promptstudio/flows/[^/]+/changes")


class Line:
    """What goes to and fro between a page and Python, and can be held up or lost.

    In a tab that is requests, the questions for others' changes if no other pattern is given; in a
    cell it is what the kernel says. It must be there before the page is opened.
    """

    def __init__(self, room: Room, asked: re.Pattern[str] = CHANGES) -> None:
        """Let everything pass."""
        self._room = room
        self._does: Literal["pass", "hold", "lose"] = "pass"
        self._told: list[tuple[WebSocketRoute, str | bytes]] = []
        self._asked: list[Route] = []
        room.page.route_web_socket(KERNELS, self._wire)
        room.page.route(asked, self._ask)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold up, in this block, what others do: whoever edits has not heard of it."""
        self.hold()
        if self._room.page.locator(".psl-cell").count() == 0:
            # A tab asks one thing at a time: while this waits, no earlier answer is on its way.
            self.waits()
        yield
        self.mend()

    def hold(self) -> None:
        """Hold up everything from now on."""
        self._does = "hold"

    def waits(self) -> None:
        """Wait until a request is held up."""
        self._room.until(lambda: self._asked, "the page asks something")

    def cut(self) -> None:
        """Lose what is held up, and everything from now on."""
        self._does = "lose"
        for route in self._asked:
            route.abort()
        self._told.clear()
        self._asked.clear()

    def mend(self) -> None:
        """Let pass what is held up, and everything from now on."""
        self._does = "pass"
        for socket, message in self._told:
            socket.send(message)
        for route in self._asked:
            route.continue_()
        self._told.clear()
        self._asked.clear()

    def _wire(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(server.send)
        server.on_message(lambda said: self._tell(socket, said))

    def _tell(self, socket: WebSocketRoute, said: str | bytes) -> None:
        if self._does == "hold":
            self._told.append((socket, said))
        elif self._does == "pass":
            socket.send(said)

    def _ask(self, route: Route) -> None:
        if self._does == "hold":
            self._asked.append(route)
        elif self._does == "pass":
            route.continue_()
        else:
            route.abort()
