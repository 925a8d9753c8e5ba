"""What differs between two texts of a template: as data, and as a unified diff."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

from promptstudio_lab.rendering import variables
from promptstudio_lab.shown import card, changes, printable

if TYPE_CHECKING:
    from promptstudio_lab.templates.store import TemplateVersion


@dataclass(frozen=True, slots=True, repr=False)
class TemplateDiff:
    """What differs between two versions of a template.

    Attributes:
        before: the earlier version, as `support/classify@1`.
        after: the later one.
        text: the unified diff; empty where the texts are the same.
        lines_added: lines that only the later text has, in their order.
        lines_removed: lines that only the earlier one has.
        variables_added: names that rendering needs now.
        variables_removed: names that it needs no more.
    """

    before: str
    after: str
    text: str
    lines_added: tuple[str, ...]
    lines_removed: tuple[str, ...]
    variables_added: tuple[str, ...]
    variables_removed: tuple[str, ...]

    def __str__(self) -> str:
        """Return the unified diff."""
        return printable(self.text) or f"{self.before} and {self.after} have the same text"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return card(f"{self.before} → {self.after}", changes(str(self).split("\n")))


def diff(before: TemplateVersion, after: TemplateVersion) -> TemplateDiff:
    r"""Return what differs between two versions.

    >>> from promptstudio_lab.templates.store import TemplateVersion
    >>> old, new = TemplateVersion("t", 1, "Hi {{ a }}", "x"), TemplateVersion("t", 2, "Hi", "x")
    >>> print(diff(old, new))
    --- x@1
    +++ x@2
    @@ -1 +1 @@
    -Hi {{ a }}
    +Hi
    >>> diff(old, new).variables_removed
    ('a',)
    """
    # Only what ends a line on every system does so here: other breaks are text.
    one, other = before.text.split("\n"), after.text.split("\n")
    lines = list(unified_diff(one, other, before.reference, after.reference, lineterm=""))
    changed = lines[2:]  # after the two references
    old, new = variables(before.text), variables(after.text)
    return TemplateDiff(
        before=before.reference,
        after=after.reference,
        text="\n".join(lines),
        lines_added=tuple(line[1:] for line in changed if line.startswith("+")),
        lines_removed=tuple(line[1:] for line in changed if line.startswith("-")),
        variables_added=tuple(name for name in new if name not in old),
        variables_removed=tuple(name for name in old if name not in new),
    )
