"""Two servers that last as long as the session: one for everybody, one with written rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from promptstudio_lab.lab import connect
from tests.server.rights import VARIABLE
from tests.server.visiting import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from promptstudio_lab.lab import Lab
    from tests.server.visiting import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server whose folder chooses its own warehouse."""
    with running(tmp_path_factory.mktemp("server")) as started:
        choose(started.root, "warehouse.db")
        yield started


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """Return a server that allows on our routes only what a file names, and that file."""
    home = tmp_path_factory.mktemp("guarded")
    rights = home / "rights"
    rights.write_text("read write", encoding="utf-8")
    authorizer = "--ServerApp.authorizer_class=tests.server.rights.Written"
    with running(home, authorizer, **{VARIABLE: str(rights)}) as started:
        choose(started.root, "warehouse.db")
        yield started, rights


@pytest.fixture
def lab(server: Server, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Return the lab that a kernel beside the server's root opens."""
    monkeypatch.delenv("PROMPTSTUDIO_WAREHOUSE", raising=False)
    return connect(beside=server.root)


def choose(folder: Path, warehouse: str) -> None:
    """Let a folder choose its warehouse."""
    folder.mkdir(exist_ok=True)
    (folder / "promptstudio.toml").write_text(f'warehouse = "{warehouse}"\n', encoding="utf-8")
