"""`promptstudio organization`: the organisations that share a warehouse."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from promptstudio_lab.settings import choose_warehouse
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.members import add_organization
from promptstudio_lab.warehouse.organizations import enter, open_lab, organizations

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("action", choices=("add", "list"))
    parser.add_argument("name", nargs="?", help="of the new one")
    parser.add_argument("--warehouse", help="its address; by default the one in use")


def run(chosen: argparse.Namespace) -> int:
    """Add an organisation with its first lab, or list them all."""
    with closing(Warehouse(choose_warehouse(chosen.warehouse).url)) as warehouse:
        if chosen.action == "add" and chosen.name:
            founder = enter(warehouse, next(iter(organizations(warehouse)), None))
            add_organization(warehouse, founder, chosen.name)
            open_lab(warehouse, enter(warehouse, chosen.name))
        sys.stdout.writelines(f"{name}\n" for name in organizations(warehouse))
    return 0
