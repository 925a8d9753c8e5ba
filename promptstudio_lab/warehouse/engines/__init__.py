"""The two engines behind one seam: how each is opened and written without losing anything."""

from __future__ import annotations

from promptstudio_lab.errors import SchemaMismatch


def moved(where: str, revision: str) -> SchemaMismatch:
    """Return the refusal to work on a schema that has moved under an open warehouse."""
    return SchemaMismatch(
        f"the schema of {where} has moved since this process opened it with {revision}. Nothing "
        "was written; restart the kernel to work with the new one."
    )
