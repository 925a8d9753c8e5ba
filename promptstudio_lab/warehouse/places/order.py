"""Keys that put a thing between two others without touching either."""

from __future__ import annotations

# Small letters and digits sort alike in Python, in SQLite and in every locale of PostgreSQL.
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def between(before: str | None, after: str | None) -> str:
    """Return a key that sorts after one and before the other.

    Args:
        before: the key that it follows; None for the very beginning.
        after: the key that it precedes; None for the very end.

    Raises:
        ValueError: if there is no room: the first is not smaller than the second.

    >>> between(None, None), between("i", None), between(None, "i"), between("i", "j")
    ('i', 'j', 'h', 'ii')
    """
    low = before or ""
    if after is not None and (low >= after or not after.strip("0")):
        message = f"there is no key between {low!r} and {after!r}"
        raise ValueError(message)
    key, last = "", after is None
    for place in range(len(low) + len(after or "") + 1):
        bottom = _DIGITS.index(low[place]) if place < len(low) else 0
        top = len(_DIGITS) if after is None else 0
        if after is not None and place < len(after):
            top = _DIGITS.index(after[place])
        if top - bottom > 1:
            # Whoever always adds at one end goes digit by digit, so that keys stay short.
            middle = bottom + 1 if last and place < len(low) else (bottom + top) // 2
            return key + _DIGITS[top - 1 if not low and after is not None else middle]
        key += _DIGITS[bottom]
        if top > bottom:
            # From here on the key is smaller than the second whatever follows.
            after = None
    return key


def run(before: str | None, after: str | None, count: int) -> list[str]:
    """Return that many keys between two, in their order.

    >>> run(None, None, 3)
    ['i', 'j', 'k']
    """
    keys: list[str] = []
    for _ in range(count):
        keys.append(between(keys[-1] if keys else before, after))
    return keys
