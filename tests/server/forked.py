"""Jupyter servers as forks of one process that has loaded them: each starts in a second."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

# What every server here imports before it answers: most of the time that a start takes.
_LOADED = (
    "jupyter_lsp",
    "jupyter_server.serverapp",
    "jupyter_server_terminals",
    "jupyterlab.labapp",
    "notebook.app",
    "notebook_shim",
    "promptstudio_lab.server.routes",
)
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(_LOADED))


def started(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
) -> ForkServerProcess:
    """Start `jupyter server` with these words in a process that shares nothing with another."""
    process = _forks.Process(target=_serve, args=(words, folder, environment, log), daemon=True)
    process.start()
    return process


def _serve(words: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
    with log.open("wb") as out:
        for stream in (1, 2):
            os.dup2(out.fileno(), stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["jupyter-server", *words]
    from jupyter_server.serverapp import ServerApp

    try:
        ServerApp.launch_instance()
    finally:
        # A fork ends without them, and ours end the workers that the server has started.
        atexit._run_exitfuncs()
