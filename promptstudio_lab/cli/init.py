"""`promptstudio init`: make a warehouse that a team shares."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from promptstudio_lab.errors import OperationRefused
from promptstudio_lab.settings import choose_warehouse
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.organizations import DEFAULT, enter, open_lab

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("warehouse", help="postgresql://owner@host/database, which is empty")
    parser.add_argument("--organization", default=DEFAULT, help="its first organisation")


def run(chosen: argparse.Namespace) -> int:
    """Make schema, organisation and lab, and say what to type next."""
    url = choose_warehouse(chosen.warehouse).url
    with closing(Warehouse(url)) as warehouse:
        if not warehouse.owned:
            message = f"{warehouse.login} does not own {warehouse.url}, so it cannot set it up"
            raise OperationRefused(message)
        lab = open_lab(warehouse, enter(warehouse, chosen.organization))
        sys.stdout.write(
            f"{warehouse.url}\n"
            f"  is a warehouse (id {warehouse.id}) with the organisation {chosen.organization!r} "
            f"and its lab {lab.name!r}.\n\n"
        )
        if warehouse.dialect == "sqlite":
            sys.stdout.write(
                "It is one file: whoever can read it can read everything in it. A team shares a "
                "warehouse on PostgreSQL.\n"
            )
        else:
            sys.stdout.write(
                "Let somebody in:\n\n"
                f"  promptstudio analyst add NAME --warehouse {chosen.warehouse}\n"
            )
    return 0
