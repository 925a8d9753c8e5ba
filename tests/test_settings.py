from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from promptstudio_lab import settings
from promptstudio_lab.errors import SettingsError
from promptstudio_lab.settings import WarehouseChoice, choose_warehouse


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the user a home of its own, and stand in a project inside it."""
    at = tmp_path / "home"
    (at / "project" / "notebooks").mkdir(parents=True)
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda name: str(at / "data" / name))
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda name: str(at / "config" / name))
    monkeypatch.delenv("PROMPTSTUDIO_WAREHOUSE", raising=False)
    monkeypatch.chdir(at / "project" / "notebooks")
    return at


def folder_file(folder: Path, text: str) -> Path:
    file = folder / "promptstudio.toml"
    file.write_text(text, encoding="utf-8")
    return file


def user_file(home: Path, text: str) -> None:
    folder = home / "config" / "promptstudio-lab"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text(text, encoding="utf-8")


def test_rules_are_asked_in_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = home / "data" / "promptstudio-lab" / "warehouse.db"
    assert choose_warehouse() == WarehouseChoice(
        f"sqlite:///{expected}", "the user's data directory"
    )
    file = folder_file(home / "project", 'warehouse = "team.db"')
    choice = WarehouseChoice(f"sqlite:///{home}/project/team.db", f"`warehouse` in {file}")
    assert choose_warehouse() == choice
    monkeypatch.setenv("PROMPTSTUDIO_WAREHOUSE", "postgresql://there/db")
    choice = WarehouseChoice("postgresql://there/db", "PROMPTSTUDIO_WAREHOUSE")
    assert choose_warehouse() == choice
    choice = WarehouseChoice(f"sqlite:///{Path.cwd()}/mine.db", "the argument")
    assert choose_warehouse("mine.db") == choice


def test_nothing_is_no_choice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTSTUDIO_WAREHOUSE", "")
    folder_file(home / "project" / "notebooks", 'other = "x"')
    folder_file(home, 'warehouse = ""')
    assert choose_warehouse("").why == "the user's data directory"


def test_nearest_file_upward_decides(home: Path) -> None:
    folder_file(home, 'warehouse = "far.db"')
    folder_file(home / "project" / "notebooks", "[other]\nx = 1")
    assert choose_warehouse().url == f"sqlite:///{home}/far.db"
    folder_file(home / "project", 'warehouse = "near.db"')
    assert choose_warehouse().url == f"sqlite:///{home}/project/near.db"
    assert choose_warehouse(beside=home).url == f"sqlite:///{home}/far.db"


def test_every_folder_of_a_project_finds_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = home / "project"
    for written in ("data/team.db", "sqlite:///data/team.db"):
        folder_file(project, f'warehouse = "{written}"')
        found = set()
        for folder in (project, project / "notebooks"):
            monkeypatch.chdir(folder)
            found.add(choose_warehouse().url)
        assert found == {f"sqlite:///{project}/data/team.db"}


@pytest.mark.parametrize("url", ["memory", "sqlite:////data/w.db", "postgresql://u@h/db?x=1"])
def test_addresses_are_taken_as_they_are(url: str) -> None:
    assert choose_warehouse(url).url == url


def test_home_is_understood(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("HOME", str(home))
    assert choose_warehouse("~/w.db").url == f"sqlite:///{home}/w.db"


@pytest.mark.parametrize("text", ["warehouse = ", "\x00", 'warehouse = "a"\nwarehouse = "b"'])
def test_file_that_cannot_be_read_is_named(home: Path, text: str) -> None:
    file = folder_file(home / "project", text)
    with pytest.raises(SettingsError, match=f"cannot read {file}: "):
        choose_warehouse()


@pytest.mark.parametrize("text", ["warehouse = 5", "warehouse = ['a.db']", "[warehouse]\nx = 1"])
def test_setting_that_means_nothing_is_told(home: Path, text: str) -> None:
    file = folder_file(home / "project", text)
    with pytest.raises(SettingsError, match=str(file)):
        choose_warehouse()


def test_personal_settings_come_from_the_user_alone(home: Path) -> None:
    folder_file(home / "project", 'default_model = "evil:model"\norigin = "http://evil.invalid"')
    assert settings.default_model() == "simulated:small"
    assert settings.personal("origin") is None
    user_file(home, 'default_model = "openai:mine"')
    assert settings.default_model() == "openai:mine"
    assert settings.configuration_directory() == home / "config" / "promptstudio-lab"


def test_users_file_that_cannot_be_read_is_named(home: Path) -> None:
    user_file(home, "default_model")
    with pytest.raises(SettingsError, match=r"cannot read .*settings\.toml"):
        settings.default_model()


@pytest.mark.parametrize("ask", [settings.secret, settings.provider_origin])
def test_environment_is_read_when_asked(ask: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(ask)
    monkeypatch.delenv("PSL_TEST_NAME", raising=False)
    assert ask("PSL_TEST_NAME") is None
    monkeypatch.setenv("PSL_TEST_NAME", "")
    assert ask("PSL_TEST_NAME") is None
    monkeypatch.setenv("PSL_TEST_NAME", "value")
    assert ask("PSL_TEST_NAME") == "value"


def test_hub_user_is_the_hubs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    assert settings.hub_user() is None
    monkeypatch.setenv("JUPYTERHUB_USER", "somebody")
    assert settings.hub_user() == "somebody"
