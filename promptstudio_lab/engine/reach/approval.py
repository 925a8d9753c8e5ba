"""Which code the user has approved: hashes in the user's own directory, sealed by a local key.

An approval never travels with a flow, and any edit is another hash.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from typing import TYPE_CHECKING

from promptstudio_lab import settings
from promptstudio_lab.errors import NotFound, SettingsError
from promptstudio_lab.flows.facts import code_hash
from promptstudio_lab.values import keyed_hash

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = 12  # digits of a hash that people read and type
_KEY_BYTES = 32
# What was refused here, by its shown digits. An approval by these means that very source: others
# that begin alike are quickly made.
_refused: dict[str, str] = {}


def approved(source: str) -> bool:
    """Tell whether the user has approved this very source.

    Raises:
        SettingsError: if others could have written the approvals.
    """
    whole = code_hash(source)
    if (_directory() / "approved_code").is_file():
        seal = _seal(whole)
        lines = (_directory() / "approved_code").read_text("ascii", "replace").splitlines()
        if any(hmac.compare_digest(seal.encode(), line.encode()) for line in lines):
            return True
    shown = whole[:SHOWN]
    # Two sources that begin alike: neither can be meant by these digits.
    _refused[shown] = whole if _refused.get(shown, whole) == whole else ""
    return False


def approve(source: str) -> str:
    """Approve a source for this user, on this machine, and return the hash as it is shown."""
    return _keep(code_hash(source))


def approve_refused(shown: str) -> str:
    """Approve the source that a run of this process has refused, by the digits it has shown.

    Raises:
        NotFound: if no source with these digits was refused here.
    """
    whole = _refused.get(shown.strip().lower())
    if not whole:
        message = (
            f"this process has refused no code {shown!r}; run the flow first, "
            'or call flow.approve("node")'
        )
        raise NotFound(message)
    return _keep(whole)


def _keep(whole: str) -> str:
    seal = _seal(whole)
    file = os.open(_directory() / "approved_code", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as kept:
        kept.write(f"{seal}\n")
    _refused.pop(whole[:SHOWN], None)
    return whole[:SHOWN]


def _directory() -> Path:
    return settings.configuration_directory()


def _seal(whole: str) -> str:
    return keyed_hash(_key(), whole).hex()


def _key() -> bytes:
    """Return the local key; the first to ask makes it, whole or not at all."""
    at = _directory() / "approval.key"
    if not at.exists():
        at.parent.mkdir(parents=True, exist_ok=True)
        new = at.with_name(f"approval.{secrets.token_hex(8)}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            made.write(secrets.token_bytes(_KEY_BYTES))
        try:
            os.link(new, at)
        except FileExistsError:
            # Another process of the user was faster; its key is the key.
            pass
        finally:
            new.unlink()
    found = at.stat()
    if os.name == "posix" and (stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.getuid()):
        message = f"{at} can be read by others, so its approvals mean nothing; run: chmod 600 {at}"
        raise SettingsError(message)
    return at.read_bytes()[:_KEY_BYTES]
