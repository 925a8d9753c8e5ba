"""JSON Schemas that a flow brings along: compiled, and never fetched from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from promptstudio_lab.errors import ValueRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema_rs import Draft202012Validator

    from promptstudio_lab.values import Json


_LONGEST = 160


def checker(schema: Mapping[str, Json]) -> Draft202012Validator:
    """Return what checks values against a schema.

    Raises:
        ValueRefused: for what is no schema, and for one that refers outside itself.

    >>> checker({"type": "integer"}).is_valid(5)
    True
    >>> checker({"$ref": "http://host/x"})
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.ValueRefused: the schema refers to 'http://host/x', outside itself
    """
    from jsonschema_rs import Draft202012Validator

    asked: list[str] = []

    def refuse(uri: str) -> NoReturn:
        asked.append(uri)
        raise LookupError(uri)

    try:
        return Draft202012Validator(dict(schema), retriever=refuse)
    except ValueError as error:
        reason = getattr(error, "message", str(error))
        message = f"the schema refers to {asked[0]!r}, outside itself" if asked else reason
        raise ValueRefused(_shortly(message)) from None


def misfits(against: Draft202012Validator, value: Json) -> Iterator[tuple[str, str]]:
    """Yield the place and the reason of each misfit, but for unknown names at the top.

    >>> list(misfits(checker({"properties": {"n": {"type": "integer"}}}), {"n": "four"}))
    [('/n', '"four" is not of type "integer"')]
    """
    try:
        wrong = list(against.iter_errors(value))
    except ValueError as error:
        yield "", f"this is not JSON: {error}"
        return
    for one in wrong:
        if list(one.schema_path) != ["additionalProperties"]:
            yield "".join(f"/{part}" for part in one.instance_path), _shortly(one.message)


def _shortly(message: str) -> str:
    return message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…"
