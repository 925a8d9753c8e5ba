"""JSON Schemas that a flow brings along: compiled, and never fetched from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from promptstudio_lab.errors import ValueRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema_rs import Draft202012Validator

    from promptstudio_lab.values import Json


def checker(schema: Mapping[str, Json]) -> Draft202012Validator:
    """Return what checks values against a schema.

    Raises:
        ValueRefused: for what is no schema, and for one that refers outside itself.

    >>> checker({"type": "integer"}).is_valid(5)
    True
    >>> checker({"$ref": "http://localhost/shape"})
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.ValueRefused: the schema refers to 'http://localhost/shape', outside itself
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
        raise ValueRefused(message) from None
