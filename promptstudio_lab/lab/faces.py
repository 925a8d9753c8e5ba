"""How widgets come in: the lab asks for a face by name, and somebody has registered it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.engine.batch import Progress


class Bar(Protocol):
    """A progress bar."""

    def show(self, progress: Progress) -> None:
        """Draw how far it is."""
        ...

    def close(self, progress: Progress) -> None:
        """Leave the final figures standing."""
        ...


# A face is `edit(flow)`, `graph(thing, by)`, `lineage(found, by)` or `progress(title, progress)`.
Face: TypeAlias = "Callable[..., Any]"  # each returns its own widget, Any of them
faces: Registry[Face] = Registry("promptstudio_lab.faces", "face")


def face(name: str) -> Face:
    """Return the face of that name.

    Raises:
        PromptStudioError: with the line that installs it, if it is missing.
    """
    if name not in faces:
        message = f"nothing here can show {name!r}: pip install promptstudio-lab"
        raise PromptStudioError(message)
    return faces[name]


class Silent:
    """A bar that shows nothing: for work that is over before anybody could look."""

    def show(self, progress: Progress) -> None:
        """Show nothing."""

    def close(self, progress: Progress) -> None:
        """Leave nothing."""
