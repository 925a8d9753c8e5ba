"""The canonical JSON codec and the content hash: one exact text for one value, on every engine.

JSON as RFC 8259 has it, keys sorted, no spaces, ASCII only. What has no exact form is refused
with the place where it stands, so that SQLite and PostgreSQL never disagree about a value.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from promptstudio_lab.errors import ValueRefused

Json: TypeAlias = Any  # a JSON value: its exact type is recursive and unhelpful to callers

_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
# What CPython encodes with. `encode` makes one for each value, longer work than a small value is.
_parts = json.encoder.c_make_encoder(  # type: ignore[attr-defined]  # typeshed leaves it out
    *(None, _encoder.default, json.encoder.encode_basestring_ascii),
    *(None, ":", ",", _encoder.sort_keys, _encoder.skipkeys, _encoder.allow_nan),
)
_NO_SURROGATES = range(0xD800, 0xE000)


def dumps(value: Json) -> str:
    r"""Return the canonical JSON text of `value`.

    Args:
        value: mappings with text keys, lists or tuples, text, whole numbers of any size,
            finite floats, booleans and None.

    Returns:
        ASCII text; equal values give equal texts.

    Raises:
        ValueRefused: for NaN, infinities, lone surrogates, keys that are not text and any other
            type. The message names the place by JSON pointer.

    >>> dumps({"b": 1, "a": ["\u00e9", 2.5, None]})
    '{"a":["\\u00e9",2.5,null],"b":1}'
    >>> dumps({"score": float("nan")})
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.ValueRefused: /score: NaN has no JSON form
    """
    try:
        text = "".join(_parts(value, 0))
    except (TypeError, ValueError, RecursionError):
        text = ""
    try:
        # The fast encoder lets surrogates and other keys through: look closer when it may have.
        if not text or "\\ud" in text or not _keys_are_text(value):
            _refuse(value, "")
            text = _encoder.encode(_plain(value))
    except RecursionError:
        message = "the value is nested too deeply, or contains itself"
        raise ValueRefused(message) from None
    except ValueError as error:
        message = f"the value has no JSON form: {error}"
        raise ValueRefused(message) from None
    return text


def loads(text: str | bytes) -> Json:
    """Return the value of a JSON text.

    Raises:
        ValueRefused: for text that is not JSON, duplicate keys, NaN and infinities.

    >>> loads('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.ValueRefused: duplicate key 'a'
    """
    try:
        # `json.loads` would make a decoder for every text.
        found = _decoder.decode(text if isinstance(text, str) else _decoded(text))
        if (b"\\u" if isinstance(text, bytes) else "\\u") in text:  # type: ignore[operator]  # both of one kind
            _refuse(found, "")
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {error}"
        raise ValueRefused(message) from None
    return found


def content_hash(value: Json) -> str:
    """Return the SHA-256 of the canonical text, as 64 hexadecimal digits.

    >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(dumps(value).encode("ascii")).hexdigest()


def keyed_hash(key: bytes, text: str) -> bytes:
    """Return 32 bytes that nobody without the key can guess: keyed BLAKE2b, a MAC (RFC 7693)."""
    return hashlib.blake2b(text.encode("utf-8"), key=key, digest_size=32).digest()


def check_text(text: str, name: str = "text") -> str:
    r"""Return `text` unchanged if both engines can store it exactly.

    Raises:
        ValueRefused: for NUL characters and lone surrogates, naming the position.

    >>> check_text("a\ud800", "name")
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.ValueRefused: name holds a lone surrogate at position 1
    """
    if text.isascii() and "\0" not in text:
        return text
    for position, character in enumerate(text):
        if character == "\0":
            message = f"{name} holds a NUL character at position {position}"
            raise ValueRefused(message)
        if ord(character) in _NO_SURROGATES:
            message = f"{name} holds a lone surrogate at position {position}"
            raise ValueRefused(message)
    return text


def total(parts: Iterable[int | None]) -> int | None:
    """Return the sum, or None when a part is unknown: an unknown is never a zero.

    >>> total([1, 2]), total([1, None]), total([])
    (3, None, 0)
    """
    result = 0
    for part in parts:
        if part is None:
            return None
        result += part
    return result


def without_surrogates(text: str) -> str:
    """Return `text` with each lone surrogate replaced, for text that a stranger sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _keys_are_text(value: Json) -> bool:
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                return False
            if type(item) not in _LEAVES and not _keys_are_text(item):
                return False
        return True
    if isinstance(value, (list, tuple)):
        return all(type(item) in _LEAVES or _keys_are_text(item) for item in value)
    return True


_LEAVES = frozenset({str, int, float, bool, type(None)})


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            message = f"duplicate key {key!r}"
            raise ValueRefused(message)
        found[key] = value
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        message = f"{digits} has no JSON form: it is beyond what a number can be"
        raise ValueRefused(message)
    return number


def _no_constant(name: str) -> Json:
    message = f"{name} has no JSON form"
    raise ValueRefused(message)


def _refuse(value: Json, pointer: str) -> None:
    place = pointer or "/"
    if value is None or isinstance(value, (bool, int)):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            name = "NaN" if math.isnan(value) else "Infinity"
            message = f"{place}: {name} has no JSON form"
            raise ValueRefused(message)
    elif isinstance(value, str):
        if any(ord(character) in _NO_SURROGATES for character in value):
            message = f"{place}: a lone surrogate has no exact form"
            raise ValueRefused(message)
    else:
        _refuse_inside(value, pointer)


def _refuse_inside(value: Json, pointer: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                message = f"{pointer or '/'}: the key {key!r} is not text"
                raise ValueRefused(message)
            place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            _refuse(key, place)
            _refuse(item, place)
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        for index, item in enumerate(value):
            _refuse(item, f"{pointer}/{index}")
    else:
        message = f"{pointer or '/'}: {type(value).__name__} has no JSON form"
        raise ValueRefused(message)


def _plain(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _decoded(text: bytes) -> str:
    return text.decode(json.detect_encoding(text), "surrogatepass")  # as `json.loads` does


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)
