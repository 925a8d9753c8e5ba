"""A team shares a warehouse after two commands; the second analyst pastes one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

import promptstudio_lab as ps
from promptstudio_lab.cli import main
from promptstudio_lab.errors import AccessDenied, WarehouseUnavailable
from tests.warehouse.shared import owned_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import URL


@pytest.fixture
def owned(postgresql_server: URL) -> Iterator[tuple[str, str]]:
    """Give the address of an empty database as its owner, and the suffix of its logins."""
    with owned_database(postgresql_server) as (url, suffix):
        yield url.render_as_string(hide_password=False), suffix


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return what a command prints, which ends well."""
    assert main(list(words)) == 0
    return capsys.readouterr().out


def pasted(text: str) -> str:
    """Return the address in the line that a person pastes."""
    found = re.search(r'lab = ps\.connect\("(.*)"\)', text)
    assert found
    return found[1]


def test_a_second_analyst_reads_first_rows_after_two_commands(
    owned: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url, suffix = owned
    told = said(capsys, "init", url)
    assert "organisation 'default' and its lab 'default'" in told
    assert "promptstudio analyst add NAME" in told
    first = pasted(said(capsys, "analyst", "add", f"ada_{suffix}", "--warehouse", url))
    second = pasted(said(capsys, "analyst", "add", f"bo_{suffix}", "--warehouse", url))
    assert make_url(first).password != make_url(second).password
    ada = ps.connect(first)
    flow = ada.flow("support/greet")
    name = flow.input("name")
    flow.output(greeting=flow.prompt("hello", prompt="Hello {{ name }}!", name=name))
    assert flow.run(name="Bo").outputs == {"greeting": "Hello Bo!"}
    bo = ps.connect(second)
    assert bo.runs()["requested_by"].to_list() == [f"ada_{suffix}"]
    assert bo.flow("support/greet").run(name="Ada").outputs == {"greeting": "Hello Ada!"}
    assert bo.runs()["requested_by"].to_list() == [f"bo_{suffix}", f"ada_{suffix}"]
    assert ps.connect(second, user="somebody else").actor.id == f"bo_{suffix}"
    for lab in (ada, bo):
        lab.warehouse.close()


def test_who_is_let_out_is_out(owned: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    url, suffix = owned
    login = f"ada_{suffix}"
    said(capsys, "init", url)
    line = pasted(said(capsys, "analyst", "add", login, "--role", "viewer", "--warehouse", url))
    assert said(capsys, "analyst", "list", "--warehouse", url) == f"{login}  viewer\n"
    assert "no longer" in said(capsys, "analyst", "remove", login, "--warehouse", url)
    assert said(capsys, "analyst", "list", "--warehouse", url) == ""
    with pytest.raises((AccessDenied, WarehouseUnavailable)):
        ps.connect(line)
    assert main(["analyst", "remove", login, "--warehouse", url]) == 1
    assert "does not work in this organisation" in capsys.readouterr().err


def test_organisations_are_added_by_the_owner_only(
    owned: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url, suffix = owned
    said(capsys, "init", url, "--organization", "acme")
    assert said(capsys, "organization", "add", "beta", "--warehouse", url) == "acme\nbeta\n"
    login = f"ada_{suffix}"
    words = ("analyst", "add", login, "--organization", "beta", "--warehouse", url)
    line = pasted(said(capsys, *words))
    lab = ps.connect(line)
    assert lab.sql("SELECT slug FROM organization")["slug"].to_list() == ["beta"]
    lab.warehouse.close()
    assert main(["organization", "add", "gamma", "--warehouse", line]) == 1
    assert "only the login that owns the warehouse" in capsys.readouterr().err
    assert main(["analyst", "add", "x", "--warehouse", line]) == 1
    assert (
        main(["analyst", "add", "Not A Login", "--organization", "beta", "--warehouse", url]) == 1
    )
    assert "is no login" in capsys.readouterr().err


def test_a_file_has_no_members(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "warehouse.db")
    assert "whoever can read it can read everything" in said(capsys, "init", path)
    assert main(["analyst", "add", "ada", "--warehouse", path]) == 1
    assert "the file is the boundary" in capsys.readouterr().err
    assert "the newest" in said(capsys, "upgrade", path)
