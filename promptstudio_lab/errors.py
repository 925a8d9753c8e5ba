"""Every error a user of PromptStudio Lab can meet, in one tree.

```
PromptStudioError
├── ValueRefused            a value that has no exact JSON form
├── SettingsError           a setting that cannot be read or means nothing
├── WarehouseError
│   ├── WarehouseUnavailable    cannot be opened, or must not be opened this way
│   ├── SchemaMismatch          made by another version of the product
│   ├── NotFound                no such thing, or not for this actor
│   ├── Conflict                somebody else was faster
│   └── AccessDenied            the actor may not do this
├── TemplateError
│   ├── TemplateSyntaxError     the text cannot be parsed
│   └── MissingVariable         a variable has no value
├── FlowError
│   ├── FlowInvalid             validation found problems; `.problems` holds them all
│   ├── OperationRefused        an edit that would break the flow
│   └── ExpressionRefused       an expression that means nothing, or cannot be worked out
├── DatasetError            rows that cannot become a dataset
├── ProviderError           `.reply` keeps what was already paid for
│   ├── UnknownModel
│   ├── MissingKey
│   ├── RateLimited             `.retry_after_s` when the provider named it
│   ├── ProviderUnavailable     the server failed or could not be reached
│   ├── ProviderTimeout
│   └── BadReply                incomplete, refused, or not what was asked for
├── RunError
│   ├── NodeFailed
│   └── BudgetExceeded
└── AnalysisError           the question cannot be answered from these numbers
```

A message says what was found, what was allowed and the next step. `WarehouseUpgraded` is no error
but a warning: what was asked for was done, and something else as well.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class PromptStudioError(Exception):
    """The root: catch this to catch everything the product raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes with everything that the error carries."""
        return _again, (type(self), self.args, self.__dict__)


def _again(
    kind: type[PromptStudioError], arguments: tuple[object, ...], fields: dict[str, object]
) -> PromptStudioError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(fields)
    return error


class ValueRefused(PromptStudioError):
    """A value has no exact JSON form, so it is refused before it is stored."""


class SettingsError(PromptStudioError):
    """A setting cannot be read or means nothing."""


class WarehouseError(PromptStudioError):
    """Something about the warehouse."""


class WarehouseUnavailable(WarehouseError):
    """The warehouse cannot be opened, or must not be opened this way."""


class SchemaMismatch(WarehouseError):
    """The warehouse was made by another version of the product."""


class WarehouseUpgraded(UserWarning):
    """A SQLite warehouse was upgraded when it was opened; the message says where its copy lies."""


class NotFound(WarehouseError):
    """There is no such thing, or the actor may not know of it."""


class Conflict(WarehouseError):
    """Somebody else changed the same thing first."""


class AccessDenied(WarehouseError):
    """The actor may not do this."""


class TemplateError(PromptStudioError):
    """Something about a prompt template."""


class TemplateSyntaxError(TemplateError):
    """The template's text cannot be parsed."""


class MissingVariable(TemplateError):
    """A variable of the template has no value."""


class FlowError(PromptStudioError):
    """Something about a flow."""


class FlowInvalid(FlowError):
    """Validation found problems.

    Attributes:
        problems: every problem found, in one pass.
    """

    def __init__(self, problems: Sequence[object]) -> None:
        """Keep the problems and say them all, one a line."""
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        count = len(self.problems)
        super().__init__(f"the flow has {count} problem{'s' if count != 1 else ''}:\n{lines}")


class OperationRefused(FlowError):
    """An edit would break the flow; the message gives the reason."""


class ExpressionRefused(FlowError):
    """An expression means nothing, or cannot be worked out from these values."""


class DatasetError(PromptStudioError):
    """Rows cannot become a dataset."""


class ProviderError(PromptStudioError):
    """A model call went wrong.

    Attributes:
        code: a short, stable word for the outcome, stored with the call.
        reply: what the provider had already sent and charged for, if anything.
        transient: whether the same call may succeed later.
        free: whether the provider certainly charged nothing; otherwise the cost is unknown.
    """

    code = "provider_error"
    transient = False
    free = False

    def __init__(self, message: str, *, reply: object = None) -> None:
        """Keep the message and whatever was already paid for."""
        super().__init__(message)
        self.reply = reply


class UnknownModel(ProviderError):
    """No provider answers to this model name."""

    code = "unknown_model"
    free = True


class MissingKey(ProviderError):
    """The provider needs a key that is not configured."""

    code = "missing_key"
    free = True


class RateLimited(ProviderError):
    """The provider asks to wait.

    Attributes:
        retry_after_s: seconds to wait, when the provider named them.
    """

    code = "rate_limited"
    transient = True
    free = True

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        """Keep the wait that the provider asked for."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProviderUnavailable(ProviderError):
    """The provider failed or could not be reached."""

    code = "unavailable"
    transient = True


class ProviderTimeout(ProviderError):
    """The call did not finish before its total deadline."""

    code = "timeout"
    transient = True


class BadReply(ProviderError):
    """The reply is incomplete, refused, or not what was asked for."""

    code = "bad_reply"

    def __init__(self, message: str, *, code: str, reply: object = None) -> None:
        """Keep the outcome's own code: `refusal`, `truncated`, `schema`, `incomplete`, …."""
        super().__init__(message, reply=reply)
        self.code = code
        self.transient = code == "incomplete"
        self.free = code in _REFUSED_AT_THE_DOOR


# Outcomes in which the provider did no work.
_REFUSED_AT_THE_DOOR = frozenset({"bad_request", "quota"})


class RunError(PromptStudioError):
    """A run could not go on."""


class NodeFailed(RunError):
    """One node of a run failed."""


class BudgetExceeded(RunError):
    """The next call would break the budget, so it was not made."""


class AnalysisError(PromptStudioError):
    """The question cannot be answered from these numbers."""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return a hint that names the nearest allowed word, or lists what is allowed.

    >>> did_you_mean("temprature", ["temperature", "model"])
    " Hint: did you mean 'temperature'?"
    >>> did_you_mean("zzz", ["model"])
    ' Hint: allowed are model.'
    >>> did_you_mean("zzz", [])
    ''
    """
    names = sorted(allowed)
    near = get_close_matches(word, names, n=1)
    if near:
        return f" Hint: did you mean {near[0]!r}?"
    return f" Hint: allowed are {', '.join(names)}." if names else ""
