"""Who answers a prompt, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import UnknownModel, did_you_mean
from promptstudio_lab.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.providers.chat import Provider

providers: Registry[Callable[[], Provider]] = Registry("promptstudio_lab.providers", "provider")

_made: dict[str, Provider] = {}


def provider_of(name: str) -> Provider:
    """Return the provider called `name`: one for the whole process, so that connections are shared.

    Raises:
        UnknownModel: if there is none; a model is named by provider and model, as in
            `simulated:small`.

    >>> provider_of("simulated") is provider_of("simulated")
    True
    >>> provider_of("simulatd")
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.UnknownModel: there is no provider 'simulatd'. \
Hint: did you mean 'simulated'?
    """
    if name not in _made:
        if name not in providers:
            message = f"there is no provider {name!r}.{did_you_mean(name, providers)}"
            raise UnknownModel(message)
        # Two threads may both make one; the first to arrive is the one that all get.
        _made.setdefault(name, providers[name]())
    return _made[name]
