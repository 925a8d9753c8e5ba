"""Keys: UUIDv7 made by the client, so that every insert can be repeated safely.

A key that must come out the same twice takes its time from its parent and its tail from a hash.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta

import uuid_utils

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION_7 = 0x7000
_VARIANT = 0x8000000000000000
# What a digit becomes where the variant of a UUID takes its two upper bits.
_MARKED = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}


def new_id() -> str:
    """Return a fresh UUIDv7 as 36 characters; later calls sort after earlier ones.

    >>> new_id() < new_id()
    True
    """
    return str(uuid_utils.uuid7())


def derived_id(parent: str, *parts: object) -> str:
    """Return the UUIDv7 that `parts` always have under `parent`.

    The time is the parent's, so both fall into the same partition; the other 74 bits are a hash.

    >>> parent = new_id()
    >>> derived_id(parent, "node", 1) == derived_id(parent, "node", 1)
    True
    >>> derived_id(parent, "node", 1) == derived_id(parent, "node", 2)
    False
    """
    text = "\0".join([parent, *map(str, parts)])
    digits = hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
    # Digits are put together as text, the bits of 62 to 73 and 0 to 61: every row has such keys.
    middle = int(digits[1:5], 16) >> 2 & 0xFFF
    return f"{parent[:14]}7{middle:03x}-{_MARKED[digits[4]]}{digits[5:8]}-{digits[8:]}"


def hashed_id(digest: bytes) -> str:
    """Return the UUIDv8 made of a digest's first 16 bytes: the key of content-addressed rows.

    >>> hashed_id(bytes(16))
    '00000000-0000-8000-8000-000000000000'
    """
    d = digest[:16].hex()
    return f"{d[:8]}-{d[8:12]}-8{d[13:16]}-{_MARKED[d[16]]}{d[17:20]}-{d[20:]}"


def time_of(key: str) -> datetime:
    """Return the moment (UTC, millisecond) that a UUIDv7 carries.

    >>> abs(time_of(new_id()) - datetime.now(UTC)) < timedelta(seconds=1)
    True
    """
    return _EPOCH + timedelta(milliseconds=int(key[:8] + key[9:13], 16))


def lowest_id(moment: datetime) -> str:
    """Return the smallest UUIDv7 of a moment's millisecond: every later key sorts after it.

    >>> lowest_id(datetime(2026, 1, 1, tzinfo=UTC))
    '019b76da-a800-7000-8000-000000000000'
    """
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    return _text((milliseconds << 16 | _VERSION_7) << 64 | _VARIANT)


def is_id(text: object) -> bool:
    """Tell whether `text` is a key in its canonical form.

    >>> is_id(new_id()), is_id("../etc/passwd")
    (True, False)
    """
    if not isinstance(text, str):
        return False
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _text(number: int) -> str:
    # Several times as quick as making a UUID of it first: every row has some of these.
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
