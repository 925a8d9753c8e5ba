"""One Parquet file of cold rows: written so that it is whole or not there, and read back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptstudio_lab.errors import WarehouseError
from promptstudio_lab.warehouse.archive.content import (
    AT_ONCE,
    Content,
    Tally,
    canonical,
    columns_of,
    file_types,
    typed,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from promptstudio_lab.warehouse.append import Row
    from promptstudio_lab.warehouse.archive.content import Kind
    from promptstudio_lab.warehouse.archive.month import Month

_GROUP_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cold:
    """A file of one table's rows of one month, and what it holds."""

    table: str
    path: Path
    content: Content
    byte_count: int


def folder_of(root: Path, table: str, organization_id: str, month: Month) -> Path:
    """Return the folder of a table's files, as tools that read hive partitions expect it."""
    return root / table / f"organization_id={organization_id}" / f"month={month}"


def keep(
    folder: Path, table: str, rows: Iterable[list[Row]], taken: Container[Path]
) -> Cold | None:
    """Write rows to a file of their own and read it back; None if there are no rows.

    A file of an earlier try that holds the very same rows is written again; any other file stays,
    because it may belong to a copy of this warehouse.

    Args:
        folder: where.
        table: whose rows.
        rows: the rows in canonical form, sorted by id.
        taken: files that the manifest names.
    """
    batches = (batch for batch in rows if batch)
    first = next(batches, None)
    if first is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / "part.parquet.tmp"
    _write(draft, table, first, batches)
    content = read_back(draft, table)
    path = _free(folder, table, content, taken)
    draft.replace(path)
    for place in (folder, *folder.parents[:4]):
        _sync(place)
    return Cold(table, path, content, path.stat().st_size)


def read_back(path: Path, table: str) -> Content:
    """Return what a file holds."""
    names, batches = read(path, table)
    tally = Tally(table, list(names))
    for batch in batches:
        tally.add(batch)
    return tally.content()


def read(path: Path, table: str) -> tuple[dict[str, Kind], Iterator[list[Row]]]:
    """Return a file's columns and its rows in canonical form, some at a time.

    A file of an older schema has fewer columns than the table has now.

    Raises:
        WarehouseError: if it is gone, or no longer what was written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        message = f"cannot read {path}, which holds archived rows of {table}: {error}"
        raise WarehouseError(message) from None
    known = columns_of(table)
    names = {name: known[name] for name in file.schema_arrow.names if name in known}
    return names, _rows(file, names)


def discard(paths: Iterable[Path], root: Path) -> None:
    """Remove files whose rows are in the database, and the folders that are empty then."""
    for path in paths:
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == root or not folder.is_relative_to(root) or any(folder.iterdir()):
                break
            folder.rmdir()


def _rows(file: object, names: dict[str, Kind]) -> Iterator[list[Row]]:
    import polars as pl

    for batch in file.iter_batches(batch_size=AT_ONCE, columns=list(names)):  # type: ignore[attr-defined]  # pyarrow ships no types
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 — a batch is never one column
        yield canonical(frame, names)


def _write(path: Path, table: str, first: list[Row], rest: Iterable[list[Row]]) -> None:
    import pyarrow.parquet as pq

    schema = file_types(table)
    with path.open("wb") as target:
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for group in _groups(table, schema, first, rest):
                writer.write_table(group)
        target.flush()
        os.fsync(target.fileno())


def _groups(
    table: str, schema: pa.Schema, first: list[Row], rest: Iterable[list[Row]]
) -> Iterator[pa.Table]:
    """Give row groups large enough to scan fast, and small enough for any memory."""
    import pyarrow as pa

    kinds = columns_of(table)
    held = [typed(first, kinds).to_arrow().cast(schema)]
    for batch in rest:
        if sum(part.nbytes for part in held) >= _GROUP_BYTES:
            yield pa.concat_tables(held)
            held = []
        held.append(typed(batch, kinds).to_arrow().cast(schema))
    yield pa.concat_tables(held)


def _free(folder: Path, table: str, content: Content, taken: Container[Path]) -> Path:
    number = 0
    while (path := folder / f"part-{number}.parquet").exists():
        if path not in taken and read_back(path, table) == content:
            break
        number += 1
    return path


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
