"""How a new kind of thing comes in: one file, one decorator, one entry point.

Built-in kinds are entry points of this very package, so a third party uses the same door.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from threading import RLock
from typing import TYPE_CHECKING, Generic, TypeVar

from promptstudio_lab.errors import PromptStudioError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

# What a module can fail with while it is imported.
_BROKEN = (
    ImportError,
    SyntaxError,
    NameError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    OSError,
    RuntimeError,
    PromptStudioError,
)


class Registry(Generic[T]):
    """Named things of one sort, loaded from an entry-point group on first use.

    Args:
        group: the entry-point group, such as `promptstudio_lab.nodes`. Each entry names a module;
            importing it registers what it defines.
        noun: what one of them is called in messages.
    """

    def __init__(self, group: str, noun: str) -> None:
        """Remember the group; nothing is imported yet."""
        self.group = group
        self.noun = noun
        self._found: dict[str, T] = {}
        self._loaded = self._loading = False
        self._lock = RLock()
        self._broken: dict[str, Exception] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under `name`.

        Raises:
            PromptStudioError: if another thing already has the name.
        """

        def add(thing: T) -> T:
            if name in self._found and self._found[name] is not thing:
                message = f"two {self.noun}s are called {name!r}"
                raise PromptStudioError(message)
            self._found[name] = thing
            return thing

        return add

    def __getitem__(self, name: str) -> T:
        """Return the thing called `name`.

        Raises:
            PromptStudioError: if there is none; the message names the nearest.
        """
        self._load()
        if name in self._broken:
            message = f"the {self.noun} {name!r} cannot be loaded: {self._broken[name]}"
            raise PromptStudioError(message) from self._broken[name]
        if name not in self._found:
            message = f"there is no {self.noun} {name!r}.{did_you_mean(name, self._found)}"
            raise PromptStudioError(message)
        return self._found[name]

    def get(self, name: str) -> T | None:
        """Return the thing called `name`, or None."""
        self._load()
        return self._found.get(name)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a thing called `name`."""
        self._load()
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        """Give the names in the order in which they came in."""
        self._load()
        return iter(dict(self._found))

    def items(self) -> list[tuple[str, T]]:
        """Return (name, thing) pairs in the order in which they came in."""
        self._load()
        return list(self._found.items())

    def _load(self) -> None:
        if self._loaded:
            return
        with self._lock:
            # What is imported may ask for what is registered: then it sees what there is so far.
            if self._loading:
                return
            self._loading = True
            for entry in entry_points(group=self.group):
                try:
                    import_module(entry.module)
                except _BROKEN as error:
                    # One broken package must not take the others along; asking for it tells why.
                    self._broken[entry.name] = error
            self._loaded = True
