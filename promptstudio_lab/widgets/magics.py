"""The cells that are no Python: `%%sql` asks the warehouse, `%%prompt` tries a prompt."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any, TypeVar

import promptstudio_lab.lab as labs
from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.shown import printable
from promptstudio_lab.warehouse.frames.query import OWN, parameters_of
from promptstudio_lab.widgets.prompting import Tried, tried

if TYPE_CHECKING:
    from collections.abc import Callable


T = TypeVar("T")


def register(shell: Any) -> None:  # IPython ships no types
    """Make `%%sql` and `%%prompt` known to a shell."""

    def sql(line: str, cell: str) -> Any:  # a polars frame, imported by whoever has one
        """Run a query: `%%sql [name]`, with `:name` for the notebook's variables."""
        return answer(shell.user_ns, line, cell)

    def prompt(line: str, cell: str | None = None) -> Tried:
        """Save and try a prompt: `%%prompt library/name [-m MODEL] [--name x] [variable=value …]`.

        A text that the newest version has already makes no new one; `--save` asks no model, and
        `%prompt library/name` tries what is there.
        """
        return plainly(lambda: tried(_lab(shell.user_ns), shell.user_ns, line, cell))

    shell.register_magic_function(sql, magic_kind="cell", magic_name="sql")
    shell.register_magic_function(prompt, magic_kind="line_cell", magic_name="prompt")


def plainly(work: Callable[[], T]) -> T:
    """Return what work gives; what goes wrong is one line and no traceback.

    Raises:
        UsageError: with that line.
    """
    from IPython.core.error import UsageError

    try:
        return work()
    except PromptStudioError as error:
        raise UsageError(printable(" ".join(str(error).split()))) from None


def answer(namespace: dict[str, Any], line: str, cell: str) -> Any:  # a polars frame
    """Return the answer to a cell, and keep it in the namespace if the line names it.

    Args:
        namespace: the notebook's variables: `lab` if it is one, and the query's parameters.
        line: what stands behind `%%sql`: a variable's name, or nothing.
        cell: one SELECT.

    Raises:
        UsageError: with one line that says what is wrong.
    """
    return plainly(lambda: _answer(namespace, line, cell))


def _answer(namespace: dict[str, Any], line: str, cell: str) -> Any:  # a polars frame
    name = _variable(line)
    asked = [mark for mark in parameters_of(cell) if mark != OWN]
    bound = {mark: _value(namespace, mark) for mark in asked}
    frame = _lab(namespace).sql(cell, **bound)
    if name:
        namespace[name] = frame
    return frame


def _variable(line: str) -> str:
    name = line.strip()
    if name and (not name.isidentifier() or keyword.iskeyword(name)):
        message = f"%%sql takes the name of one variable or nothing, not {name!r}"
        raise PromptStudioError(message)
    return name


def _value(namespace: dict[str, Any], mark: str) -> Any:  # whatever the variable holds
    if mark not in namespace:
        message = f"the query needs :{mark}, and there is no variable {mark!r}; assign it first"
        raise PromptStudioError(message)
    return namespace[mark]


def _lab(namespace: dict[str, Any]) -> labs.Lab:  # a namespace holds anything
    found = namespace.get("lab")
    return found if isinstance(found, labs.Lab) else labs.connect()
