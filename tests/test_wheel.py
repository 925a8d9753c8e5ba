"""The wheel alone, in an empty environment without Node, does the main job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that this tree builds, Node out of reach."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    environment = {**os.environ, "PATH": _without_node(), "SKIP_JUPYTER_BUILDER": "1"}
    subprocess.run([*command, str(ROOT)], check=True, env=environment, capture_output=True)
    return next(out.glob("*.whl"))


def _without_node() -> str:
    bare = Path(sys.prefix) / "bin"
    assert not (bare / "node").exists()
    return f"{bare}:/usr/sbin:/sbin"


def test_it_carries_everything(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    def holds(end: str) -> bool:
        return any(name.endswith(end) for name in names)

    assert holds("promptstudio_lab/sql/views/30_v_trace.sql")
    assert holds("promptstudio_lab/sql/migrations/sqlite/0001_first_slice.sql")
    assert holds("promptstudio_lab/notebooks/00_quickstart.ipynb")
    assert holds("promptstudio_lab/datasets/sample/tickets.jsonl")
    assert holds("share/jupyter/labextensions/@promptstudio/lab/package.json")
    assert holds("share/jupyter/labextensions/@promptstudio/lab/static/widget.js")
    assert holds("etc/jupyter/jupyter_server_config.d/promptstudio_lab.json")


def test_an_empty_environment_reaches_the_decision(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "empty"
    # The locked dependencies are here already; only the product itself is installed anew.
    venv.create(place, with_pip=False, system_site_packages=False)
    site = next((place / "lib").glob("python3*")) / "site-packages"
    here = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    for entry in here.iterdir():
        if "promptstudio" not in entry.name.lower():
            (site / entry.name).symlink_to(entry)
    share = place / "share" / "jupyter"
    share.mkdir(parents=True)
    for name in ("nbconvert", "kernels"):
        (share / name).symlink_to(Path(sys.prefix) / "share" / "jupyter" / name)
    pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python")]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        [str(place / "bin" / "promptstudio"), "demo", "--warehouse", str(tmp_path / "w.db")],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": str(place / "bin"), "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
    )
    assert "SHIP: treatment ships" in done.stdout
    assert shutil.which("node", path=str(place / "bin")) is None
    page = next(tmp_path.rglob("00_quickstart.html"))
    assert "definitions ships:" in page.read_text(encoding="utf-8")
    listed = subprocess.run(
        [str(place / "bin" / "python"), "-m", "jupyterlab.labextensions", "list"],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": str(place / "bin"), "HOME": str(tmp_path)},
    )
    assert "@promptstudio/lab" in listed.stderr + listed.stdout
