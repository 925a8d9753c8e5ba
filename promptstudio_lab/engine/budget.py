"""A ceiling on what a batch may spend, checked before each call."""

from __future__ import annotations

from promptstudio_lab.errors import BudgetExceeded
from promptstudio_lab.money import format_usd


class Budget:
    """Money that is left; a call reserves the most it may cost and then pays what it did.

    Args:
        limit: nano-dollars, or None for no ceiling.

    >>> budget = Budget(1_000)
    >>> budget.reserve(600); budget.settle(600, 200); budget.reserve(700)
    >>> budget.reserve(200)
    Traceback (most recent call last):
    ...
    promptstudio_lab.errors.BudgetExceeded: the next call may cost $0.000000200; $0.000000200 of \
the budget of $0.00000100 are spent and $0.000000700 reserved
    """

    def __init__(self, limit: int | None = None) -> None:
        """Begin with nothing spent."""
        self.limit = limit
        self.spent = 0
        self._reserved = 0

    def reserve(self, most: int) -> None:
        """Set aside what a call may cost at most.

        Raises:
            BudgetExceeded: if that could break the ceiling; the call must not be made.
        """
        if self.limit is not None and self.spent + self._reserved + most > self.limit:
            message = (
                f"the next call may cost {format_usd(most)}; {format_usd(self.spent)} of the "
                f"budget of {format_usd(self.limit)} are spent and "
                f"{format_usd(self._reserved)} reserved"
            )
            raise BudgetExceeded(message)
        self._reserved += most

    def settle(self, reserved: int, cost: int | None) -> None:
        """Give back what was set aside and pay; a call without a price pays what it reserved."""
        self._reserved -= reserved
        self.spent += reserved if cost is None else cost
