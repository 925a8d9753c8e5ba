"""A fork in a notebook: what it would give back to its origin, and giving it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import FlowError
from promptstudio_lab.flows.forks.hunks import Hunk
from promptstudio_lab.flows.forks.merging import apart, merge
from promptstudio_lab.shown import card, changes, literal, printable

if TYPE_CHECKING:
    from promptstudio_lab.flows.diff import Diff
    from promptstudio_lab.flows.forks.merging import Apart, Origin
    from promptstudio_lab.lab.facts import Environment
    from promptstudio_lab.values import Json
    from promptstudio_lab.warehouse.history.changelog import Recorded


class Merge:
    """What a fork changed and its origin has not: take all of it, or some.

    >>> import promptstudio_lab as ps
    >>> lab = ps.connect("memory")
    >>> f = lab.flow("support/echo")
    >>> _ = f.output(answer=f.input("question"))
    >>> mine = f.fork("support/mine")
    >>> mine.origin.path, mine.origin.version
    ('support/echo', 1)
    >>> say = mine.head().graph.by_key["question"].id
    >>> _ = mine.apply({"type": "rename", "node": say, "key": "asked"})
    >>> merge = mine.merge_back()
    >>> merge
    support/mine into support/echo@1
    1. ~ question is called asked
    >>> _ = merge.apply(1)
    >>> sorted(f.head().graph.by_key)
    ['asked', 'output']
    """

    def __init__(self, environment: Environment, flow_id: str, path: str, found: Apart) -> None:
        """Bind a fork; `flow.merge_back()` gives this."""
        self._environment, self._flow_id, self._path = environment, flow_id, path
        self._found = found

    @classmethod
    def of(cls, environment: Environment, flow_id: str, path: str) -> Merge:
        """Return what lies between a fork and its origin now."""
        with environment.warehouse.reading(environment.actor) as session:
            return cls(environment, flow_id, path, apart(session, flow_id))

    @property
    def origin(self) -> Origin:
        """Return the version of the flow that it goes into."""
        return self._found.origin

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        """Return the changes of the fork, each of which can be taken by itself."""
        return self._found.hunks

    @property
    def clashes(self) -> tuple[Hunk, ...]:
        """Return the changes of what somebody has changed in the origin as well."""
        return tuple(hunk for hunk in self.hunks if hunk.clash is not None)

    @property
    def theirs(self) -> Diff:
        """Return what changed in the origin meanwhile."""
        return self._found.theirs

    def apply(self, *wanted: int | str | Hunk, client_id: str | None = None) -> Recorded:
        """Take changes into the origin as one operation; `undo` of that flow takes it back.

        Args:
            wanted: numbers as they are listed, from 1, or hunks, or their ids; what they need comes
                with them. By default all that nobody has changed in the origin as well.
            client_id: the view that asks.

        Raises:
            Conflict: if either flow has changed there since this was made: make it again.
            OperationRefused: if they would break the origin.
        """
        here = self._environment
        ids = [self._id(one) for one in wanted]
        ids = ids or [hunk.id for hunk in self.hunks if hunk.clash is None]
        return here.warehouse.transact(
            here.actor, lambda session: merge(session, self._flow_id, ids, client_id)
        )

    def document(self) -> dict[str, Json]:
        """Return it as a canvas shows it."""
        return {
            "origin": origin_view(self.origin),
            "hunks": [
                {
                    "id": hunk.id,
                    "lines": list(hunk.lines),
                    "clash": None if hunk.clash is None else hunk.clash._asdict(),
                    "needs": list(hunk.needs),
                }
                for hunk in self.hunks
            ],
            "theirs": [] if self.theirs.same else str(self.theirs).splitlines(),
        }

    def __str__(self) -> str:
        """List the changes by number, and below them what changed in the origin meanwhile."""
        return "\n".join([printable(f"{self._path} into {self.origin}"), *self._lines()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [
            f"<p>{literal(str(number))}.</p>{changes(str(hunk).splitlines())}"
            for number, hunk in enumerate(self.hunks, start=1)
        ]
        if not self.theirs.same:
            parts.append(f"<p>meanwhile there:</p>{changes(str(self.theirs).splitlines())}")
        return card(f"{self._path} into {self.origin}", *(parts or [literal("nothing differs")]))

    def _lines(self) -> list[str]:
        lines = [
            f"{number}. {str(hunk).replace(chr(10), f'{chr(10)}   ')}"
            for number, hunk in enumerate(self.hunks, start=1)
        ]
        if not self.theirs.same:
            lines += ["meanwhile there:", *(f"   {line}" for line in str(self.theirs).splitlines())]
        return lines or ["nothing differs"]

    def _id(self, wanted: int | str | Hunk) -> str:
        if isinstance(wanted, Hunk):
            return wanted.id
        if isinstance(wanted, str):
            return wanted
        if isinstance(wanted, bool) or not 1 <= wanted <= len(self.hunks):
            message = f"there are changes 1 to {len(self.hunks)}, not {wanted!r}"
            raise FlowError(message)
        return self.hunks[wanted - 1].id


def origin_view(origin: Origin | None) -> Json:
    """Return where a fork came from, as a canvas shows it; None for a flow that is no fork."""
    if origin is None:
        return None
    return {"id": origin.flow_id, "path": origin.path, "version": origin.version}
