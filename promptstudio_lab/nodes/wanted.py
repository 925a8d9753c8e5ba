"""The inputs that a text in a node's config asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import PromptStudioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from promptstudio_lab.values import Json


def wanted_by(read: Callable[[str], tuple[str, ...]], *config: Json) -> tuple[str, ...] | None:
    """Return the names that texts ask for, or None when one of them cannot be read.

    Args:
        read: returns the names in one text.
        config: the texts.

    >>> from promptstudio_lab.rendering import variables
    >>> (
    ...     wanted_by(variables, "{{ a }}{{ b }}", "{{ a }}"),
    ...     wanted_by(variables, "{{"),
    ...     wanted_by(len, 5),
    ... )
    (('a', 'b'), None, None)
    """
    found: list[str] = []
    for text in config:
        if not isinstance(text, str):
            return None
        try:
            found += read(text)
        except PromptStudioError:
            return None
    return tuple(dict.fromkeys(found))
