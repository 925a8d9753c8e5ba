from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from promptstudio_lab import __version__
from promptstudio_lab.cli import VERBS, demo, main
from promptstudio_lab.lab import _warehouses
from tests.lab.parts import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; from promptstudio_lab.cli import main; sys.exit(main())"


@pytest.fixture(autouse=True)
def _close_what_was_opened() -> Iterator[None]:
    before = set(_warehouses)
    yield
    for url in set(_warehouses) - before:
        _warehouses.pop(url).close()


def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from promptstudio_lab.cli import main; sys.exit(main())",
            *list(arguments),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_demo_twice_decides_the_same_and_runs_once(
    warehouse_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for _ in range(2):
        assert main(["demo", "--no-notebook", "--warehouse", warehouse_url]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "480: 240 items under each of 2 variants" in said[0]
    assert "treatment" in said[0]
    assert "stand-in" in said[0]
    with opened(warehouse_url) as lab:
        assert lab.sql("SELECT count(*) AS n FROM flow_execution")["n"].item() == 480
        assert set(lab.runs()["trigger"]) == {"cli"}


def test_the_demos_notebook_finds_the_demos_warehouse(
    warehouse_url: str, warehouse_engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[str] = []

    def execute(name: str, warehouse: str) -> Path:
        given.append(f"{name} {warehouse}")
        return tmp_path / "page.html"

    url = warehouse_url
    if warehouse_engine == "postgresql":
        # A server that trusts its socket takes any password, so it may be said.
        url = warehouse_url.replace("postgres@", "postgres:open@")
        assert url != warehouse_url
    monkeypatch.setattr(demo, "execute_to_html", execute)
    assert main(["demo", "--warehouse", url]) == 0
    assert given == [f"00_quickstart.ipynb {url}"]


def test_doctor_says_which_warehouse_and_why(
    warehouse_url: str, warehouse_engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--warehouse", warehouse_url]) == 0
    facts, _, risks = capsys.readouterr().out.replace("chosen by", "why").partition("\n\n")
    lines = dict(line.split(maxsplit=1) for line in facts.splitlines())
    assert "remedy" in risks or "No risk" in risks
    assert lines["why"] == "the argument"
    assert warehouse_engine in lines["warehouse"]
    assert lines["promptstudio-lab"] == __version__
    assert "simulated" in lines["providers"]
    assert lines["sqlalchemy"]


def test_doctor_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROMPTSTUDIO_WAREHOUSE", str(tmp_path / "mine.db"))
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "PROMPTSTUDIO_WAREHOUSE" in said
    assert "mine.db" in said


@pytest.mark.parametrize(
    "warehouse",
    [
        "mysql://nowhere/x",
        "nonsense://",
        "FOLDER",
        "FILE",
        "postgresql://nobody@127.0.0.1:1/nothing",
    ],
)
def test_an_error_is_one_line_and_exit_1(warehouse: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_text("this is no database, whatever its name says\n" * 50, encoding="utf-8")
    named = {"FOLDER": str(tmp_path), "FILE": str(broken)}.get(warehouse, warehouse)
    done = shell("doctor", "--warehouse", named)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("promptstudio: ")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_verb_that_there_is_not() -> None:
    done = shell("dance")
    assert done.returncode == 2
    assert "demo" in done.stderr
    assert shell().returncode == 2


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(verb in said for verb in VERBS)
