"""The looks that a plan allows: when each is due, which one this is, and what it may decide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

from promptstudio_lab.errors import AnalysisError, did_you_mean
from promptstudio_lab.shown import named_html
from promptstudio_lab.stats.sequential.planned import NAMES, Look
from promptstudio_lab.stats.sequential.schedule import inflation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.experiments.wording import Noun
    from promptstudio_lab.stats.looks import Method
    from promptstudio_lab.values import Json

Spending: TypeAlias = Literal["obf", "pocock"]

_WORDS = ("anytime", "fixed")
_ROUNDING = 1e-9
_MOST = 50


@dataclass(frozen=True, slots=True)
class Schedule:
    """A few looks that are planned before the first run, and together spend one alpha.

    Attributes:
        looks: how many, evenly spaced; or the share of the planned units at each, the last 1.
        spending: `obf`, after O'Brien and Fleming, decides early only what is overwhelming and
            costs hardly any units; `pocock` decides early more often and costs more of them.
        n: the units of all variants that are planned for; offline the items of the dataset.

    >>> Schedule(4).shares
    (0.25, 0.5, 0.75, 1.0)
    >>> Schedule(3, spending="pocock")
    Schedule(looks=3, spending='pocock', n=None)
    """

    looks: int | tuple[float, ...]
    spending: Spending = "obf"
    n: int | None = None

    _repr_html_ = named_html

    def __post_init__(self) -> None:
        """Refuse looks that nobody can take.

        Raises:
            AnalysisError: naming what was found and what is allowed.
        """
        if self.spending not in get_args(Spending):
            hint = did_you_mean(self.spending, get_args(Spending))
            message = f"there is no spending {self.spending!r}.{hint}"
            raise AnalysisError(message)
        if not isinstance(self.looks, int):
            object.__setattr__(self, "looks", tuple(map(float, self.looks)))
        shares = self.shares
        rises = all(a < b for a, b in zip((0.0, *shares), shares, strict=False))
        if not (0 < len(shares) <= _MOST and rises and shares[-1] == 1):
            message = (
                f"looks at {self.looks!r}: a number of them from 1 to {_MOST} is needed, or the"
                " shares of the planned units, rising up to 1"
            )
            raise AnalysisError(message)
        if self.n is not None and self.n < len(shares):
            message = f"{self.n} units are too few for {len(shares)} looks"
            raise AnalysisError(message)

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the planned units at which each look is due."""
        if isinstance(self.looks, int):
            return tuple(look / self.looks for look in range(1, self.looks + 1))
        return self.looks

    @property
    def words(self) -> str:
        """What the looks are called."""
        looks = len(self.shares)
        return f"{looks} planned look{'' if looks == 1 else 's'} ({NAMES[self.spending]} spending)"

    def document(self) -> dict[str, Json]:
        """Return the schedule as JSON, for a plan."""
        return {"shares": list(self.shares), "spending": self.spending, "n": self.n}

    def inflation(self, alpha: float, power: float) -> float:
        """Return how many times the units of a single look keep its power."""
        return _inflation(self.shares, self.spending, alpha, power)


@lru_cache
def _inflation(shares: tuple[float, ...], spending: Spending, alpha: float, power: float) -> float:
    return inflation(shares, spending=spending, alpha=alpha, power=power)


Looks: TypeAlias = Schedule | Literal["anytime", "fixed"]


def frozen_looks(looks: Looks, n: int | None = None) -> dict[str, Json]:
    """Return what a plan says of looks: nothing where one may look at any time.

    Args:
        looks: as somebody named them.
        n: the units that are planned for, where the schedule does not say.

    Raises:
        AnalysisError: if nobody says how many units are planned for.

    >>> frozen_looks("anytime"), frozen_looks(Schedule(2, n=80))
    ({}, {'looks': {'shares': [0.5, 1.0], 'spending': 'obf', 'n': 80}})
    """
    if not isinstance(looks, Schedule):
        return {} if looks == "anytime" else {"looks": looks}
    planned = looks.n or n
    if planned is None:
        message = (
            "planned looks are shares of a planned number of units: ps.Schedule(…, n=…) of all"
            " variants together. Hint: .plan(mde) of the experiment says how many"
        )
        raise AnalysisError(message)
    return {"looks": Schedule(looks.looks, looks.spending, planned).document()}


def read(plan: Any) -> Looks:  # a plan's own JSON
    """Return the looks that a plan froze."""
    written = plan.get("looks", "anytime")
    if isinstance(written, str):
        return "fixed" if written == "fixed" else "anytime"
    shares = tuple(written["shares"])
    even = Schedule(len(shares)).shares == shares
    return Schedule(len(shares) if even else shares, written["spending"], written["n"])


def named(looks: Any) -> Looks:  # a caller without a type checker may give anything
    """Return looks if they are any.

    Raises:
        AnalysisError: naming what is allowed.
    """
    if isinstance(looks, Schedule) or looks in _WORDS:
        return looks  # type: ignore[no-any-return] # it is one of them
    message = f"looks={looks!r} is no way to look. Hint: 'anytime', 'fixed' or ps.Schedule(5)"
    raise AnalysisError(message)


class Taken(NamedTuple):
    """A planned look that was taken.

    Attributes:
        state: of the data.
        information: the share of the planned units.
        decision: what it said.
    """

    state: str
    information: float
    decision: str


@dataclass(frozen=True, slots=True)
class Due:
    """Where a plan's looks stand.

    Attributes:
        schedule: what was planned.
        planned: how many units of this comparison.
        have: how many came.
        taken: how many of the looks were taken before this.
        look: this one, or None if none is due.
        said: what the last look said, once it was taken and there is another.
        before: what an earlier look decided, if it did.
        ended: whether no more units come.
        noun: what the units are.
    """

    schedule: Schedule
    planned: int
    have: int
    taken: int
    look: Look | None
    said: str | None
    before: tuple[int, str] | None
    ended: bool
    noun: Noun

    @property
    def method(self) -> Method:
        """How numbers are shown: by the look's boundary, or as one may look at any time."""
        return "anytime" if self.look is None else self.look

    @property
    def last(self) -> bool:
        """Whether this is the last look."""
        return self.look is not None and self.look.number == self.look.of

    @property
    def of(self) -> int:
        """How many looks are planned."""
        return len(self.schedule.shares)

    @property
    def next(self) -> str:
        """When the next look is due, in words; empty if there is none."""
        at = self.taken if self.look is None else self.look.number
        if at >= self.of or self.ended:
            return ""
        units = math.ceil(self.schedule.shares[at] * self.planned - _ROUNDING)
        return f"look {at + 1} of {self.of} is due at {self.noun.counted(units)}"

    @property
    def remark(self) -> str:
        """What is not as planned; empty where all is."""
        share = f"{self.have:,} of {self.noun.counted(self.planned)} planned"
        if self.said is not None:
            return (
                f"all {self.of} planned looks were taken, and the last said"
                f" {self.said.replace('_', ' ')}: this further look decides nothing, and shows"
                " intervals that are right at any time"
            )
        if self.look is None:
            return (
                f"no planned look is due ({self.next}, and there are {self.have:,}): this extra"
                " look decides nothing, and shows intervals that are right at any time"
            )
        if self.last and self.have < self.planned:
            return (
                f"it ended with {share}, so its last look has the boundary of what came, and the"
                " rest of the error stays unspent"
            )
        if self.have > self.planned:
            return f"more came than was planned ({share}): the last look spends what is left, once"
        return ""


def due(  # noqa: PLR0913 — what was planned, what came, and what was taken
    schedule: Schedule,
    planned: int,
    have: int,
    taken: Sequence[Taken],
    *,
    state: str,
    ended: bool,
    noun: Noun,
) -> Due:
    """Return where planned looks stand with so many units.

    A look is due once its share of the planned units has come, and is taken once, whenever that
    is; looks that were passed by are not made up for. What was looked at in between is no look of
    the plan. When no more units come, one more look is due: the last.

    Args:
        schedule: what was planned.
        planned: how many units of this comparison.
        have: how many came.
        taken: the planned looks that were taken, in their order.
        state: of the data; that of a look which was taken is that look again.
        ended: whether no more units come.
        noun: what the units are.
    """
    shares, share = schedule.shares, have / planned
    again = next((at for at, one in enumerate(taken) if one.state == state), None)
    earlier = taken if again is None else taken[:again]
    share = share if again is None else taken[again].information
    done = _reached(schedule, earlier[-1].information) if earlier else 0
    number = len(shares) if ended else _reached(schedule, share)
    times = (*(one.information for one in earlier), share)
    licensed = again is not None or (
        number > done and (not earlier or share > earlier[-1].information)
    )
    look = Look(times, number, len(shares), schedule.spending) if licensed else None
    over = look is None and (ended or done == len(shares))
    decided = [one for one in earlier if one.decision in {"ship", "stop"}]
    before = None
    if decided:
        before = (_reached(schedule, decided[0].information), decided[0].decision)
    said = earlier[-1].decision if over and earlier else None
    return Due(schedule, planned, have, done, look, said, before, ended, noun)


def _reached(schedule: Schedule, share: float) -> int:
    return sum(share >= due - _ROUNDING for due in schedule.shares)
