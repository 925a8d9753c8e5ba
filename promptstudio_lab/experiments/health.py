"""Whether the numbers of an experiment can be believed: what to look at before reading them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from promptstudio_lab.experiments.wording import ITEMS, UNITS, p_value, percent, visible
from promptstudio_lab.shown import named_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.stats.effect import Effect
    from promptstudio_lab.stats.sequential.traffic import TrafficTest
    from promptstudio_lab.stats.srm import SrmResult

State: TypeAlias = Literal["ok", "warn", "bad", "unknown"]

MOST_LOST = 0.05
"""The share of units that may be left out before the rest is no fair sample of them."""

FEW_CLUSTERS, LEAST_CLUSTERS = 30, 5
"""Below the one an interval is rough, below the other it is no interval (Cameron, Miller 2015)."""

IMPLAUSIBLE = 1.0
"""A goal that more than doubles, or vanishes, is more often a broken measurement (Twyman's law)."""

TOO_FAR = 5.0
"""How many times the usual size an effect may have, where the usual one is known."""

DRIFTED, LEAST_HALVED = 0.01, 40
"""How improbable a difference of the halves is a warning, and how many items make two halves."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    Attributes:
        name: what was looked at, such as `traffic`.
        state: `ok`; `warn`, read on with care; `bad`; or `unknown`, which is not `ok`.
        value: what was found, in a few words.
        meaning: what that means for the numbers, or what would make it known.
        voids: whether it makes the whole experiment invalid.
    """

    name: str
    state: State
    value: str
    meaning: str
    voids: bool = False

    _repr_html_ = named_html


@dataclass(frozen=True, slots=True)
class Shares:
    """How many runs each variant had, and how many were promised.

    Attributes:
        observed: the counts.
        expected: the counts that the promised shares come to.
        test: whether they fit, by a fixed or by a sequential test; None when none were promised.
    """

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    test: SrmResult | TrafficTest | None


def traffic(shares: Shares, of: str = "runs") -> Check:
    """Say whether the variants got their promised shares of the runs.

    Args:
        shares: the counts, and what they should be.
        of: what was counted.
    """
    found = " : ".join(f"{count:,}" for count in shares.observed)
    if shares.test is None:
        meaning = "no shares were promised, so none are tested"
        return Check("traffic", "unknown", f"{found} {of}", meaning)
    how = "" if hasattr(shares.test, "statistic") else "sequential "
    p = p_value(shares.test.p_value)
    if shares.test.ok:
        meaning = f"shares as promised ({how}SRM p {p})"
        return Check("traffic", "ok", f"{found} {of}", meaning)
    promised = " : ".join(f"{count:,.0f}" for count in shares.expected)
    equals = p if p.startswith("<") else f"= {p}"
    meaning = (
        f"the variants did not get their promised shares of the {of} ({found} instead of"
        f" {promised}, {how}p {equals})"
    )
    return Check("traffic", "bad", f"{found} {of}", meaning, voids=True)


def exposures(multi: int | None, units: int, *, apart: bool, noun: Noun = UNITS) -> Check:
    """Say whether units met more than one variant.

    Args:
        multi: how many did, or None when nobody counted.
        units: how many units there are.
        apart: whether each unit was meant to meet one variant only.
        noun: what the units are.
    """
    if not apart:
        meaning = f"every {noun.one} meets every variant by design, so none can meet one too many"
        return Check("exposures", "ok", f"each {noun.one}, each variant", meaning)
    if multi is None:
        return Check("exposures", "unknown", "not counted", "nobody counted who met two variants")
    value = f"{multi:,} met two variants"
    if not multi:
        return Check("exposures", "ok", value, f"each {noun.one} met one variant only")
    if multi > MOST_LOST * (units + multi):
        meaning = (
            f"{multi:,} of {noun.counted(units + multi)} met two variants, more than the"
            f" {100 * MOST_LOST:g} % that may be left out"
        )
        return Check("exposures", "bad", value, meaning, voids=True)
    return Check("exposures", "warn", value, "they are left out: they tell about neither variant")


def missing(
    lost: int, units: int, unmeasured: Sequence[str], *, apart: bool, noun: Noun = ITEMS
) -> Check:
    """Say whether scores are missing.

    Args:
        lost: how many units were left out for want of a value or a partner.
        units: how many were compared.
        unmeasured: metrics that no run has a value of.
        apart: whether each unit met one variant only.
        noun: what the units are.
    """
    seen, value = units + lost, f"{noun.counted(lost)} left out"
    if lost > MOST_LOST * seen:
        kind = "lack a value" if apart else "have a result from one variant only"
        meaning = (
            f"{lost} of {noun.counted(seen)} {kind}, more than the {100 * MOST_LOST:g} % that"
            " may be left out"
        )
        return Check("scores", "bad", value, meaning, voids=True)
    if unmeasured:
        names = ", ".join(map(visible, unmeasured))
        return Check("scores", "warn", value, f"no run has a value of {names}, so nothing is said")
    if lost:
        why = "for want of a value" if apart else "for want of a partner"
        return Check("scores", "warn", value, f"left out {why}; few enough to go on without")
    return Check("scores", "ok", "none missing", f"every {noun.one} has every value")


def clusters(count: int, rows: int, noun: Noun = ITEMS) -> Check:
    """Say whether there are enough independent clusters for the intervals.

    Args:
        count: how many there are.
        rows: how many items or units are in them.
        noun: what these are.
    """
    own = f"each {noun.one} its own cluster" if count >= rows else f"{noun.counted(rows)} in them"
    value = f"{count:,} clusters"
    if count < LEAST_CLUSTERS:
        meaning = f"fewer than {LEAST_CLUSTERS} clusters show no spread worth an interval; {own}"
        return Check("clusters", "bad", value, meaning)
    if count < FEW_CLUSTERS:
        return Check("clusters", "warn", value, f"{own}; few, so read the intervals as rough")
    return Check("clusters", "ok", value, own)


def novelty(
    first: Effect | None, second: Effect | None, label: str, items: int, noun: Noun = ITEMS
) -> Check:
    """Say whether the effect of the second half differs from that of the first.

    Args:
        first: the effect on the units of the first half.
        second: that on those of the second, or None when no rows were read.
        label: of the metric.
        items: how many items there are.
        noun: what they are.
    """
    if items < LEAST_HALVED:
        meaning = f"{noun.counted(items)} are too few to compare their halves"
        return Check("novelty", "unknown", "not looked at", meaning)
    if first is None or second is None:
        meaning = "the halves cannot be told apart here; plot the timeline"
        return Check("novelty", "unknown", "not looked at", meaning)
    spread = math.hypot(first.se, second.se)
    if not spread > 0:
        return Check("novelty", "unknown", "no spread", "the halves have no spread to compare")
    from promptstudio_lab.stats.tails import NORMAL, upper_tail

    change = second.estimate - first.estimate
    p = 2 * upper_tail(abs(change) / spread, NORMAL)
    words = f"first and second half, p {p_value(p)}"
    if p >= DRIFTED:
        return Check("novelty", "ok", "steady", f"{visible(label)} changed alike in {words}")
    meaning = (
        f"the effect on {visible(label)} is not the same in {words}: it may be novelty, or the"
        " world changed on the way; look at the timeline before deciding"
    )
    return Check("novelty", "warn", "not steady", meaning)


def plausible(effects: Sequence[tuple[str, Effect]], usual: float | None = None) -> Check:
    """Say whether the goals changed by more than measurements usually can.

    Args:
        effects: the goals' labels and effects.
        usual: how large an effect usually is, as a share: the 95th percentile of earlier ones.
    """
    most = IMPLAUSIBLE if usual is None else TOO_FAR * usual
    for label, effect in effects:
        sure = not effect.low <= 0 <= effect.high
        if sure and effect.relative is not None and abs(effect.relative) > most:
            meaning = (
                f"{visible(label)} changed by {percent(effect.relative)}, more than"
                f" {percent(most).removeprefix('+')}: check instrumentation before celebrating"
            )
            return Check("plausibility", "warn", percent(effect.relative), meaning)
    words = percent(most).removeprefix("+")
    return Check("plausibility", "ok", "usual sizes", f"no goal changed by more than {words}")


def method(remarks: Sequence[str], words: str) -> Check:
    """Say whether the numbers are what was asked for, or what should have been.

    Args:
        remarks: what was asked for and not done, each with why.
        words: the method.
    """
    if remarks:
        return Check("method", "warn", "not as asked", "; ".join(remarks))
    return Check("method", "ok", "as asked", words)
