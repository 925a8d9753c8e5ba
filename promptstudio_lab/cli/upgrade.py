"""`promptstudio upgrade`: bring a shared warehouse to the schema of this version."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from promptstudio_lab.settings import choose_warehouse
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.schema.migrate import head

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("warehouse", nargs="?", help="its address; by default the one in use")


def run(chosen: argparse.Namespace) -> int:
    """Upgrade, and say which schema it has now."""
    with closing(Warehouse(choose_warehouse(chosen.warehouse).url, upgrade=True)) as warehouse:
        sys.stdout.write(f"{warehouse.url} has schema {head()}, the newest.\n")
    return 0
