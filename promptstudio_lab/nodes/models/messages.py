"""Messages: who said what, in order; a template may hold several, one a block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptstudio_lab.values import Json

MESSAGES = "messages"
ROLES = ("system", "user", "assistant")
MESSAGES_SHAPE: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"role": {"enum": list(ROLES)}, "content": {"type": "string"}},
        "required": ["role", "content"],
    },
}

_OPENING = re.compile(rf"^#[ \t]*({'|'.join(ROLES)}):[ \t]*$", re.MULTILINE)


def blocks(template: str) -> list[tuple[str, str]]:
    r"""Return the blocks of a template as pairs of role and text, before anything is filled in.

    What stands before the first role, or a template without any, is the user's.

    >>> blocks("# system:\nBe brief.\n# user:\n{{ question }}\n")
    [('system', 'Be brief.'), ('user', '{{ question }}')]
    >>> blocks("Hello"), blocks("")
    ([('user', 'Hello')], [('user', '')])
    """
    first, *rest = _OPENING.split(template)
    found = [("user", first.strip())] if first.strip() or not rest else []
    return [*found, *zip(rest[::2], (text.strip() for text in rest[1::2]), strict=True)]
