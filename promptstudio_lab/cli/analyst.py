"""`promptstudio analyst`: who works in an organisation of a shared warehouse."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from promptstudio_lab.errors import OperationRefused
from promptstudio_lab.settings import choose_warehouse
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.entities.organizations import ROLES
from promptstudio_lab.warehouse.members import Added, add_member, members, remove_member
from promptstudio_lab.warehouse.organizations import enter

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("action", choices=("add", "remove", "list"))
    parser.add_argument("name", nargs="?", help="the login")
    parser.add_argument("--role", choices=ROLES, default="analyst")
    parser.add_argument("--organization", help="needed only where there are several")
    parser.add_argument("--warehouse", help="its address, as its owner; by default the one in use")


def run(chosen: argparse.Namespace) -> int:
    """Let somebody in, or out, and print the line to paste."""
    with closing(Warehouse(choose_warehouse(chosen.warehouse).url)) as warehouse:
        actor = enter(warehouse, chosen.organization)
        if chosen.action != "list" and not chosen.name:
            message = f"whom? Write: promptstudio analyst {chosen.action} NAME"
            raise OperationRefused(message)
        if chosen.action == "add":
            added = add_member(
                warehouse, actor, chosen.name, chosen.role, chosen.organization or ""
            )
            sys.stdout.write(_welcome(added, warehouse))
        elif chosen.action == "remove":
            remove_member(warehouse, actor, chosen.name)
            sys.stdout.write(f"{chosen.name} works here no longer; what they did stays.\n")
        else:
            with warehouse.reading(actor) as session:
                rows = members(session)
            sys.stdout.writelines(f"{login}  {role}\n" for login, role in rows.items())
    return 0


def _welcome(added: Added, warehouse: Warehouse) -> str:
    told = f"{added.login} is {added.role} now. The line to paste:\n\n"
    if added.password is None:
        told = (
            f"{added.login} is {added.role} now, with the password it has. The line to paste:\n\n"
        )
    return f'{told}  lab = ps.connect("{warehouse.address_of(added.login, added.password)}")\n'
