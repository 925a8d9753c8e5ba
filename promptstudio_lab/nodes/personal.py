"""Personal data in a value: found by its form, named by its sort, and never repeated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from promptstudio_lab.values import Json

_DEEPEST = 200
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# Digits in groups, as people write numbers; possessive, so that a text is read once.
_DIGITS = re.compile(r"(?<![\w.,])\+?\(?\d(?:[ ()/.-]{0,3}\d){6,18}+(?![\w])")
_TELEPHONE_DIGITS = range(9, 16)  # E.164 allows 15
_CARD_DIGITS = range(13, 20)
_NINE = 9


def personal_data(value: Json) -> tuple[str, ...]:
    """Return the sorts of personal data that a value's texts hold.

    >>> personal_data({"note": "write to ann@example.com or +44 20 7946 0958"})
    ('an e-mail address', 'a telephone number')
    >>> personal_data("card 4111 1111 1111 1111"), personal_data("order 4111 1111 1111 1112")
    (('a card number',), ())
    >>> personal_data("on 2026-11-26 it was 1,250.75")
    ()
    """
    found: dict[str, None] = {}
    for text in _texts(value, 0):
        if _EMAIL.search(text):
            found["an e-mail address"] = None
        for match in _DIGITS.finditer(text):
            if sort := _sort(match[0]):
                found[sort] = None
    return tuple(found)


def _texts(value: Json, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
    elif depth < _DEEPEST and isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item, depth + 1)
    elif depth < _DEEPEST and isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)


def _sort(written: str) -> str | None:
    digits = "".join(filter(str.isdecimal, written))
    if len(digits) in _CARD_DIGITS and luhn(digits):
        return "a card number"
    # A bare row of digits may be any number; a telephone number is written as one.
    told = written.startswith(("+", "0", "(")) or len(re.split(r"[ ()/.-]+", written)) > 2  # noqa: PLR2004 — a date or a range has two
    return "a telephone number" if told and len(digits) in _TELEPHONE_DIGITS else None


def luhn(digits: str) -> bool:
    """Tell whether the last digit checks the others, by Luhn's rule (ISO/IEC 7812-1).

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(number - _NINE if number > _NINE else number for number in doubled) % 10 == 0
