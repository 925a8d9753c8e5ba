"""Where things are: which warehouse, and why; what is personal to the user.

The only module that reads the environment. A cloned folder may choose a warehouse by
`promptstudio.toml`, but never where a key is sent or whose code is trusted: those are personal.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from promptstudio_lab.errors import SettingsError

CLASSES = ("public", "internal", "confidential", "restricted")
"""How closely data is kept, from open to closed."""

_OFFLINE, _CLEARED = "simulated", "confidential"
_APP = "promptstudio-lab"
_FOLDER_FILE = "promptstudio.toml"


@dataclass(frozen=True, slots=True)
class WarehouseChoice:
    """The warehouse to open.

    Attributes:
        url: `memory`, or a SQLAlchemy URL for SQLite or PostgreSQL.
        why: the rule that chose it, in words.
    """

    url: str
    why: str


def choose_warehouse(argument: str | None = None, beside: Path | None = None) -> WarehouseChoice:
    """Return the warehouse that every process of this user agrees on.

    The first of these that is there: the argument, `PROMPTSTUDIO_WAREHOUSE`, `warehouse` in the
    nearest `promptstudio.toml` upward, one SQLite file in the user's data directory.

    Args:
        argument: `memory`, a URL, or the path of a SQLite file.
        beside: where the upward search begins: the notebook's folder, by default the current one.

    Raises:
        SettingsError: if the folder's file cannot be read.

    >>> choose_warehouse("memory")
    WarehouseChoice(url='memory', why='the argument')
    """
    if argument:
        return WarehouseChoice(_url(argument, Path.cwd()), "the argument")
    if environment := os.environ.get("PROMPTSTUDIO_WAREHOUSE"):
        return WarehouseChoice(_url(environment, Path.cwd()), "PROMPTSTUDIO_WAREHOUSE")
    start = (beside or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        file = folder / _FOLDER_FILE
        if file.is_file() and (named := _read(file).get("warehouse")):
            if not isinstance(named, str):
                message = f"`warehouse` in {file} is {named!r}; write a path or a URL as text"
                raise SettingsError(message)
            return WarehouseChoice(_url(named, folder), f"`warehouse` in {file}")
    default = Path(platformdirs.user_data_dir(_APP)) / "warehouse.db"
    return WarehouseChoice(_url(str(default), default.parent), "the user's data directory")


def configuration_directory() -> Path:
    """Return the user's own configuration directory, which no shared folder can change."""
    return Path(platformdirs.user_config_dir(_APP))


def personal(name: str) -> object:
    """Return one value of the user's own `settings.toml`, or None.

    Raises:
        SettingsError: if the file cannot be read.
    """
    file = configuration_directory() / "settings.toml"
    return _read(file).get(name) if file.is_file() else None


def default_model() -> str:
    """Return the model of nodes that name none: the user's, else the offline stand-in."""
    return str(personal("default_model") or "simulated:small")


def clearance(provider: str) -> str:
    """Return the closest kept data that a provider may be sent, one of `CLASSES`.

    The user's own `[clearances]` say so; without a word there, what is restricted goes nowhere but
    to the offline provider.
    """
    listed = personal("clearances")
    usual = CLASSES[-1] if provider == _OFFLINE else _CLEARED
    said = listed.get(provider, usual) if isinstance(listed, dict) else usual
    # A word that is no class clears nothing.
    return said if said in CLASSES else CLASSES[0]


def secret(name: str) -> str | None:
    """Return the secret that a reference names, from the environment; never stored, never shown."""
    return os.environ.get(name) or None


def provider_origin(variable: str) -> str | None:
    """Return the server address that this user's own environment names in `variable`."""
    return os.environ.get(variable) or None


def cold_folder() -> Path | None:
    """Return the folder that `PROMPTSTUDIO_COLD` names, where a shared warehouse's months go."""
    named = os.environ.get("PROMPTSTUDIO_COLD")
    return Path(named).expanduser().resolve() if named else None


def notebook() -> str | None:
    """Return the path of the notebook that this kernel belongs to, if its server says so."""
    return os.environ.get("JPY_SESSION_NAME") or None


def hub_user() -> str | None:
    """Return the JupyterHub user of this process, if there is one."""
    return os.environ.get("JUPYTERHUB_USER") or None


def _url(text: str, folder: Path) -> str:
    if text.startswith("sqlite:///") and not text.startswith("sqlite:////"):
        # A relative address means the folder that chose it, not whoever happens to read it.
        text = text.removeprefix("sqlite:///")
    if text == "memory" or "://" in text:
        return text
    path = Path(text).expanduser()
    return f"sqlite:///{(path if path.is_absolute() else folder / path).resolve()}"


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"cannot read {file}: {error}"
        raise SettingsError(message) from None
