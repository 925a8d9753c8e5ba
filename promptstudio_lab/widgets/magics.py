"""`%%sql`: a cell of SQL over the lab's warehouse, its answer displayed and kept in a variable."""

from __future__ import annotations

import keyword
from typing import Any

import promptstudio_lab.lab as labs
from promptstudio_lab.errors import PromptStudioError
from promptstudio_lab.warehouse.frames.query import OWN, parameters_of


def register(shell: Any) -> None:  # IPython ships no types
    """Make `%%sql` known to a shell."""

    def sql(line: str, cell: str) -> Any:  # a polars frame, imported by whoever has one
        """Run a query: `%%sql [name]`, with `:name` for the notebook's variables."""
        return answer(shell.user_ns, line, cell)

    shell.register_magic_function(sql, magic_kind="cell", magic_name="sql")


def answer(namespace: dict[str, Any], line: str, cell: str) -> Any:  # a polars frame
    """Return the answer to a cell, and keep it in the namespace if the line names it.

    Args:
        namespace: the notebook's variables: `lab` if it is one, and the query's parameters.
        line: what stands behind `%%sql`: a variable's name, or nothing.
        cell: one SELECT.

    Raises:
        UsageError: with one line that says what is wrong.
    """
    from IPython.core.error import UsageError

    try:
        name = _variable(line)
        asked = [mark for mark in parameters_of(cell) if mark != OWN]
        bound = {mark: _value(namespace, mark) for mark in asked}
        frame = _lab(namespace).sql(cell, **bound)
    except PromptStudioError as error:
        raise UsageError(" ".join(str(error).split())) from None
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
