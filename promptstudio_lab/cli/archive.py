"""`promptstudio archive`: a past month out of the database into Parquet files, or back."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from promptstudio_lab.engine.replay.interrupted import mark_interrupted
from promptstudio_lab.money import format_usd
from promptstudio_lab.settings import choose_warehouse
from promptstudio_lab.warehouse.archive import archive, restore_month
from promptstudio_lab.warehouse.connect import Warehouse
from promptstudio_lab.warehouse.organizations import enter

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("month", help="a whole month that is past, as 2026-03")
    parser.add_argument("--restore", action="store_true", help="bring it back instead")
    parser.add_argument("--folder", help="where cold/ is made; by default beside the SQLite file")
    parser.add_argument("--organization", help="needed only where there are several")
    parser.add_argument("--warehouse", help="its address; by default the one in use")


def run(chosen: argparse.Namespace) -> int:
    """Move the month, and say how much it was."""
    with closing(Warehouse(choose_warehouse(chosen.warehouse).url)) as warehouse:
        actor = enter(warehouse, chosen.organization)
        if chosen.restore:
            back = restore_month(warehouse, actor, chosen.month)
            sys.stdout.write(f"{back.month} is back in the database: {back.rows:,} rows.\n")
            return 0
        mark_interrupted(warehouse, actor)
        done = archive(warehouse, actor, chosen.month, chosen.folder)
    if done.rows == 0:
        sys.stdout.write(f"the database holds no runs of {done.month}; nothing was archived.\n")
        return 0
    sys.stdout.write(
        f"{done.month} is archived: {done.rows:,} rows in {len(done.paths)} files, "
        f"{done.byte_count:,} bytes; its runs had cost {format_usd(done.cost)}.\n"
    )
    return 0
