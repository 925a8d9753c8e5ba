"""Rows from whatever an analyst has: polars, pandas, lists of mappings, or a JSONL file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptstudio_lab.datasets.items import FrameRows
from promptstudio_lab.errors import DatasetError, ValueRefused
from promptstudio_lab.values import Json, loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Frame = Any  # polars or pandas: neither is imported until one is given


def rows_of(data: Frame | Iterable[dict[str, Json]] | Path | str) -> Sequence[dict[str, Json]]:
    """Return the rows of a frame, a list, or a `.jsonl` file; those of a frame stay in it.

    Args:
        data: a polars or pandas frame, an iterable of mappings, or the path of a JSONL file.

    Raises:
        DatasetError: naming the line or the type that cannot be read.

    >>> rows_of([{"ticket": "Hi"}])
    [{'ticket': 'Hi'}]
    """
    if isinstance(data, (str, Path)):
        return _jsonl(Path(data))
    frame: Frame = data
    if hasattr(frame, "iter_slices"):
        return FrameRows(frame)
    if hasattr(frame, "to_dict") and hasattr(frame, "columns"):
        import polars as pl

        return FrameRows(pl.from_pandas(frame))
    rows = list(data)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            message = f"row {number} is a {type(row).__name__}; a row is a mapping by column"
            raise DatasetError(message)
    return rows


def _jsonl(path: Path) -> list[dict[str, Json]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {path}: {error}"
        raise DatasetError(message) from None
    rows: list[dict[str, Json]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = loads(line)
        except ValueRefused as error:
            message = f"{path.name} line {number}: {error}"
            raise DatasetError(message) from None
        if not isinstance(value, dict):
            message = f"{path.name} line {number} is not an object"
            raise DatasetError(message)
        rows.append(value)
    return rows
