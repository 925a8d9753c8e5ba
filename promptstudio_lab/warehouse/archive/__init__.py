"""Cold months: out of the database into Parquet, back by one call, read as if never gone."""

from __future__ import annotations

from promptstudio_lab.warehouse.archive.export import Archived, archive
from promptstudio_lab.warehouse.archive.overview import months
from promptstudio_lab.warehouse.archive.restore import Restored, restore_month
from promptstudio_lab.warehouse.archive.scan import cold_rows

__all__ = ["Archived", "Restored", "archive", "cold_rows", "months", "restore_month"]
