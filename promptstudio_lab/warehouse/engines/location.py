"""Where the file of a SQLite warehouse may lie, and whether it may be written there."""

from __future__ import annotations

import os
from pathlib import Path

from promptstudio_lab.errors import WarehouseUnavailable

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "ceph", "9p", "fuse.sshfs", "afs"}
)


def settle(path: Path) -> Path:
    """Return the file that is meant, in a folder that is there.

    A link is followed, so that every way to a file leads to the same lock beside it.

    Raises:
        WarehouseUnavailable: if there can be no warehouse.
    """
    try:
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        is_folder = path.is_dir()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot make the folder of the warehouse {path}: {reason}"
        raise WarehouseUnavailable(message) from None
    if is_folder:
        message = f"{path} is a folder; a warehouse is a file, such as {path / 'warehouse.db'}"
        raise WarehouseUnavailable(message)
    return path


def refuse_network(path: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """Refuse a file system where locks cannot be trusted.

    Args:
        path: the file.
        mounts: the machine's table of mounts; a machine without one refuses nothing.

    Raises:
        WarehouseUnavailable: if the file lies on a network file system.
    """
    if not mounts.exists():
        return
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, place, found, *_ = line.split(" ")
        # The table writes a space as \040.
        place = place.encode("latin-1", "replace").decode("unicode_escape")
        inside = os.path.commonpath([place, path.resolve()]) == place.rstrip("/") or place == "/"
        if inside and len(place) >= len(best):
            best, kind = place, found
    if kind in _NETWORK_FILE_SYSTEMS:
        message = (
            f"{path} lies on a network file system ({kind}), where SQLite loses rows. "
            "Use a local path, or PostgreSQL to share a warehouse."
        )
        raise WarehouseUnavailable(message)


def read_only(path: Path) -> str | None:
    """Return why the file can only be read, or nothing if it can be written or made."""
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.W_OK):
            if os.statvfs(place).f_flag & os.ST_RDONLY:
                return f"{place} lies on a file system that is mounted read-only"
            return f"this user may not write to {place}"
    return None
