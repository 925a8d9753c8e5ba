"""A file that is damaged, or may not be written, is refused in words and left as it is."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from promptstudio_lab.errors import WarehouseError, WarehouseUnavailable
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.engines import location
from promptstudio_lab.warehouse.entities import Payload, PromptLab, SubjectKey
from promptstudio_lab.warehouse.organizations import enter
from promptstudio_lab.warehouse.rows import find
from tests.warehouse.foreign import write
from tests.warehouse.parts import Place, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

OFFSETS = 40
HEADER = 100
PAGE = 4096
NOBODY = 65534


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a warehouse with some rows."""
    path = tmp_path_factory.mktemp("sound") / "warehouse.db"
    with opened(f"sqlite:///{path}") as place:
        for _ in range(50):
            write(place, 20)
    return path.read_bytes()


def use(path: Path) -> None:
    """Open, read and write as anybody would."""
    with closing(Warehouse(f"sqlite:///{path}")) as warehouse:
        place = Place(warehouse, enter(warehouse, name="analyst"), "")
        for entity in (SubjectKey, PromptLab, Payload):
            place.see(partial(find, entity=entity))
        write(place)


def flipped(sound: bytes, at: int, chance: random.Random) -> bytes:
    changed = bytearray(sound)
    for offset in range(at, min(at + 16, len(sound))):
        changed[offset] ^= chance.randrange(1, 256)
    return bytes(changed)


def places(sound: bytes, chance: random.Random) -> list[int]:
    """Return offsets in the header, at the head of pages, and anywhere."""
    heads = [page * PAGE for page in chance.sample(range(1, len(sound) // PAGE), 20)]
    return [0, 16, 18, 20, 28, 40, 56, HEADER, HEADER + 3, HEADER + 8, *heads] + [
        chance.randrange(HEADER, len(sound)) for _ in range(OFFSETS - 30)
    ]


def test_flipped_bytes_are_told_and_never_a_strange_error(sound: bytes, tmp_path: Path) -> None:
    chance = random.Random(7)
    refused = 0
    for number, at in enumerate(places(sound, chance)):
        path = tmp_path / str(number) / "warehouse.db"
        path.parent.mkdir()
        path.write_bytes(damaged := flipped(sound, at, chance))
        try:
            use(path)
        except WarehouseError as error:
            refused += 1
            assert str(path) in str(error), f"bytes at {at}: {error}"  # noqa: PT017 — it may be read, too
            if at < 16:
                assert "restore a backup" in str(error)  # noqa: PT017 — as above
                assert path.read_bytes() == damaged
    assert refused >= OFFSETS // 4


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_file_that_ends_early_is_told(sound: bytes, tmp_path: Path, share: float) -> None:
    path = tmp_path / "warehouse.db"
    cut = sound[: int(len(sound) // PAGE * share) * PAGE]
    path.write_bytes(cut)
    with pytest.raises(WarehouseError, match=r"warehouse\.db.*restore a backup"):
        use(path)
    assert path.read_bytes() == cut


def test_file_that_ends_within_its_first_page_is_told(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "warehouse.db"
    path.write_bytes(sound[:HEADER])
    with pytest.raises(WarehouseError, match=r"warehouse\.db.*restore a backup"):
        use(path)
    assert path.read_bytes() == sound[:HEADER]


def test_empty_file_becomes_a_warehouse(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.db"
    path.touch()
    use(path)


LOOK = """
import os, sys
from promptstudio_lab.errors import WarehouseUnavailable
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.engines import location
from promptstudio_lab.warehouse.entities import SubjectKey
from promptstudio_lab.warehouse.organizations import enter, open_lab
from promptstudio_lab.warehouse.rows import find
from tests.warehouse.foreign import write
from tests.warehouse.parts import Place

def work(url):
    warehouse = Warehouse(url)
    actor = enter(warehouse, name="reader")
    place = Place(warehouse, actor, open_lab(warehouse, actor).id)
    yield warehouse.read_only
    yield len(place.see(lambda session: find(session, SubjectKey)))
    for attempt in (write, lambda at: at.do(lambda session: None)):
        try:
            attempt(place)
            yield "WRITTEN"
        except WarehouseUnavailable as error:
            yield error
    warehouse.close()

list(work("memory"))  # whoever comes next may have no right to read the libraries
if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
print(*work(f"sqlite:///{sys.argv[1]}"), sep="\\n")
"""


def look(path: Path, user: int | None = NOBODY) -> subprocess.CompletedProcess[str]:
    """Open the warehouse as somebody who owns nothing."""
    who = [] if user is None or os.geteuid() != 0 else [str(user)]
    return subprocess.run(
        [sys.executable, "-c", LOOK, str(path), *who], capture_output=True, text=True, check=False
    )


@pytest.fixture
def closed() -> Iterator[Path]:
    """Give a warehouse with two rows that everybody may find."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "there" / "warehouse.db"
        with opened(f"sqlite:///{path}") as place:
            write(place)
        yield path


def seen(done: subprocess.CompletedProcess[str], reason: str) -> None:
    assert done.returncode == 0, done.stderr
    told, rows, *refusals = done.stdout.splitlines()
    assert reason in told
    assert rows == "2"
    assert len(refusals) == 2
    assert all("for reading only" in refusal and reason in refusal for refusal in refusals)


def forbid(path: Path, *, folder: bool) -> None:
    for place in path.parent.iterdir():
        place.chmod(0o444)
    path.parent.chmod(0o555 if folder else 0o777)


@pytest.mark.parametrize("folder", [False, True], ids=["file", "file and folder"])
def test_file_that_may_not_be_written_is_read(closed: Path, folder: bool) -> None:
    forbid(closed, folder=folder)
    before = closed.read_bytes()
    seen(look(closed), "this user may not write")
    assert closed.read_bytes() == before
    assert stat.S_IMODE(closed.stat().st_mode) == 0o444


def test_file_is_read_while_its_owner_writes(closed: Path) -> None:
    with opened(f"sqlite:///{closed}") as place:
        write(place)
        forbid(closed, folder=True)
        done = look(closed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "4"


def test_log_that_nobody_here_may_merge_is_told(closed: Path) -> None:
    with opened(f"sqlite:///{closed}") as place:
        write(place)
        log = closed.with_name(closed.name + "-wal").read_bytes()
    closed.with_name(closed.name + "-wal").write_bytes(log)
    forbid(closed, folder=True)
    done = look(closed)
    assert done.returncode == 1
    assert "was not yet merged" in done.stderr
    assert "WarehouseUnavailable" in done.stderr.splitlines()[-1]


def test_mount_that_is_read_only_is_read(closed: Path) -> None:
    folder = closed.parent
    mounting = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && "
    inside = [sys.executable, "-c", LOOK, str(closed)]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounting + 'exec "$0" "$@"', *inside],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"could not run: a read-only mount ({done.stderr.strip()})")
    seen(done, "mounted read-only")


def test_change_under_a_reader_without_a_log_is_told(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write can begin at any time; a file read as it lies has no locks."""
    kept = sqlite3.connect

    def connect(address: str, **more: Any) -> sqlite3.Connection:  # as they were given
        if address.endswith("?mode=ro"):
            # As for a user who may not make the log's index.
            address = f"file:{closed.parent}/nothing/here?mode=ro"
        opened: sqlite3.Connection = kept(address, **more)
        return opened

    with monkeypatch.context() as patch:
        patch.setattr(location, "read_only", lambda _: "of this test")
        patch.setattr(sqlite3, "connect", connect)
        reader = Warehouse(f"sqlite:///{closed}")
        place = Place(reader, enter(reader, name="reader"), "")
        assert len(place.see(lambda session: find(session, SubjectKey))) == 2
        with pytest.raises(WarehouseUnavailable, match="was written while it was read; read again"):
            place.see(lambda session: (find(session, SubjectKey), write_elsewhere(closed)))  # type: ignore[func-returns-value]  # done while it reads
        assert len(place.see(lambda session: find(session, SubjectKey))) == 4
        reader.close()


def write_elsewhere(path: Path) -> None:
    """Write and close, as another process does."""
    done = subprocess.run([sys.executable, "-c", WRITE, str(path)], check=False)
    assert done.returncode == 0


WRITE = """
import sys
from tests.warehouse.foreign import write
from tests.warehouse.parts import opened
with opened(f"sqlite:///{sys.argv[1]}") as place:
    write(place)
"""
