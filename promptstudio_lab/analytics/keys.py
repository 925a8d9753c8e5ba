"""What money can be told by: each word stands for columns of ids, which never run together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptstudio_lab.errors import AnalysisError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS: dict[str, tuple[str, ...]] = {
    "template": ("prompt_template_id",),
    "version": ("prompt_template_id", "template_version"),
    "flow": ("flow_id",),
    "node": ("flow_id", "node_id"),
    "model": ("provider", "model"),
    "provider": ("provider",),
    "user": ("user",),
    "day": ("day",),
}
# What the views call it, where that is something else.
IN_SQL = {"user": "requested_by", "day": "CAST(date(created_at) AS TEXT)"}
NAMED = {"prompt_template_id": "template", "flow_id": "flow", "node_id": "node"}


def known(by: str | Sequence[str]) -> tuple[str, ...]:
    """Return the words asked for, each once.

    Raises:
        AnalysisError: if there is none, or one that money cannot be told by.

    >>> known("day"), known(["flow", "day", "flow"])
    (('day',), ('flow', 'day'))
    """
    words = tuple(dict.fromkeys([by] if isinstance(by, str) else by))
    for word in words:
        if word not in KEYS:
            message = f"cost is not told by {word!r}.{did_you_mean(word, KEYS)}"
            raise AnalysisError(message)
    if not words:
        message = f"say what cost is to be told by: {', '.join(KEYS)}"
        raise AnalysisError(message)
    return words


def columns(words: Sequence[str]) -> list[str]:
    """Return the id columns that words stand for, each once.

    >>> columns(("version", "template", "day"))
    ['prompt_template_id', 'template_version', 'day']
    """
    return list(dict.fromkeys(name for word in words for name in KEYS[word]))
