"""Numbers and names as people read them: three significant digits, units, nothing hidden.

Names come from people and models, so control and direction characters are spelled out; escaping
for HTML is left to the page that shows them.
"""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from promptstudio_lab.money import NANO_PER_USD, format_usd

if TYPE_CHECKING:
    from promptstudio_lab.stats.effect import Effect

MINUS = "\u2212"
UNKNOWN = "unknown"
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_DIGITS = 3
_LONGEST = 24
_SMALLEST_P = 0.001
_THOUSAND = 1000


class Noun(NamedTuple):
    """What an experiment counts, in words: items of a dataset, users, sessions.

    >>> Noun.of("user_id"), Noun.of("query").counted(1200), Noun.of("id").one
    (Noun(one='user', many='users'), '1,200 queries', 'unit')
    """

    one: str
    many: str

    @classmethod
    def of(cls, column: str) -> Noun:
        """Return what a column such as `user_id` counts."""
        words = visible(column).replace("_", " ").strip()
        for last in (" id", " key"):
            words = words.removesuffix(last)
        if words in {"", "id", "key"}:
            return UNITS
        if words.endswith("y") and words[-2:-1] not in set("aeiou"):
            return cls(words, f"{words[:-1]}ies")
        return cls(words, f"{words}es" if words.endswith(("s", "x", "ch", "sh")) else f"{words}s")

    def counted(self, number: int) -> str:
        """Return a number of them."""
        return f"{number:,} {self.one if number == 1 else self.many}"


ITEMS, UNITS, ROWS = Noun("item", "items"), Noun("unit", "units"), Noun("row", "rows")


def visible(text: str) -> str:
    r"""Return `text` with every character spelled out that shows nothing or turns text around.

    >>> visible("a\u202eb\nc")
    'a\\u202eb\\nc'
    """
    return "".join(
        character.encode("unicode_escape", "surrogatepass").decode("ascii")
        if unicodedata.category(character) in _HIDDEN
        else character
        for character in text
    )


def shortened(name: str) -> str:
    """Return a name that fits a column: its beginning, when it is long.

    >>> shortened("a prompt that nobody named with care")
    'a prompt that nobody na…'
    """
    shown = visible(name)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}\u2026"


def amount(value: float, unit: str) -> str:
    """Return a value with its unit.

    >>> amount(0.48125, "share"), amount(0.00021, "usd"), amount(1234.5, "ms")
    ('48.1 %', '$0.000210', '1,230 ms')
    """
    if math.isnan(value):
        return UNKNOWN
    if _is_money(unit):
        return format_usd(value * NANO_PER_USD).replace("-", MINUS)
    scaled = value * 100 if unit == "share" else value
    return f"{_fixed(scaled, decimals(scaled))}{_after(unit, ' %')}"


def change(value: float, unit: str, beside: tuple[float, ...] = ()) -> str:
    """Return a difference with its sign and unit.

    Args:
        value: the difference.
        unit: the metric's unit; differences of shares are percentage points.
        beside: values shown beside it, so that all have the same decimals.

    >>> change(0.331, "share"), change(0.00002, "usd per success"), change(5, "ms", (120,))
    ('+33.1 points', '+$0.0000200', '+5 ms')
    """
    if math.isnan(value):
        return UNKNOWN
    return f"{_bare(value, unit, beside)}{_after(unit, ' points')}"


def interval(effect: Effect, unit: str) -> str:
    """Return the ends of an effect's interval, without a unit: it stands beside the estimate."""
    if math.isnan(effect.low):
        return UNKNOWN
    ends = effect.low, effect.high
    return " to ".join(_bare(end, unit, (effect.estimate, *ends)) for end in ends)


def estimate(effect: Effect, unit: str) -> str:
    """Return an effect's estimate, with the decimals of its interval."""
    return change(effect.estimate, unit, (effect.low, effect.high))


def percent(value: float, beside: tuple[float, ...] = ()) -> str:
    """Return a relative change.

    >>> percent(0.69), percent(0.051, (0.5,)), percent(0)
    ('+69.0 %', '+5.1 %', '0 %')
    """
    return f"{signed(value * 100, decimals(value * 100, *(100 * other for other in beside)))} %"


def relative(effect: Effect) -> tuple[str, str]:
    """Return an effect's relative estimate and interval, or `unknown` twice."""
    if effect.relative is None or effect.relative_low is None or effect.relative_high is None:
        return UNKNOWN, UNKNOWN
    all_three = effect.relative, effect.relative_low, effect.relative_high
    places = decimals(*(100 * value for value in all_three))
    low, high = (signed(100 * value, places) for value in all_three[1:])
    return percent(effect.relative, all_three), f"{low} to {high} %"


def p_value(value: float) -> str:
    """Return a p-value.

    >>> p_value(0.00001), p_value(0.04971), p_value(1.0)
    ('< 0.001', '0.0497', '1.00')
    """
    if math.isnan(value):
        return UNKNOWN
    return "< 0.001" if value < _SMALLEST_P else f"{value:#.3g}"


def level(alpha: float) -> str:
    """Return a confidence level.

    >>> level(0.05), level(0.025)
    ('95 %', '97.5 %')
    """
    return f"{100 * (1 - alpha):.4g} %"


def times(share: float) -> str:
    """Return how much a change multiplies.

    >>> times(0.9), times(-0.3), times(0.004)
    ('1.9x as much', '30 % less', 'about the same')
    """
    factor, small, large = 1 + share, 0.01, 1.2
    if abs(share) < small:
        return "about the same"
    if factor >= large:
        return f"{factor:.2g}x as much" if factor < _THOUSAND else f"{factor:,.0f}x as much"
    return f"{abs(share) * 100:.2g} % {'more' if share > 0 else 'less'}"


def signed(value: float, places: int) -> str:
    """Return a number with a sign, except when it rounds to 0."""
    text = _fixed(value, places)
    shows_nothing = not any(digit in text for digit in "123456789")
    if shows_nothing:
        return text.removeprefix(MINUS)
    return text if value < 0 else f"+{text}"


def decimals(*values: float) -> int:
    """Return the decimals that give the largest of `values` three significant digits.

    Negative where digits before the point are rounded away.
    """
    size = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if size == 0:
        return 0
    # Rounding may carry into another digit: 99.96 is 100, not 100.0.
    return _DIGITS - 1 - int(f"{size:.{_DIGITS - 1}e}".split("e")[1])


def _fixed(value: float, places: int) -> str:
    text = f"{round(abs(value), places):,.{max(0, places)}f}"
    return f"{MINUS}{text}" if value < 0 else text


def _bare(value: float, unit: str, beside: tuple[float, ...]) -> str:
    scale = 100 if unit == "share" else 1
    text = signed(value * scale, decimals(*(scale * other for other in (value, *beside))))
    if not _is_money(unit):
        return text
    sign = text[0] if text[0] in f"+{MINUS}" else ""
    return f"{sign}${text.removeprefix(sign)}"


def _after(unit: str, share: str) -> str:
    if unit == "share":
        return share
    return f" {visible(unit)}" if unit and not _is_money(unit) else ""


def _is_money(unit: str) -> bool:
    return unit == "usd" or unit.startswith("usd per ")
