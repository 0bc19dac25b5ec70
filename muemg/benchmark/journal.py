"""The file of results: a row is on disk before the next one begins, and a run that was killed is gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muemg.benchmark.cases import BenchmarkError
from muemg.io._atomic import atomic_write

__all__ = ["Journal", "read_rows"]


class Journal:
    """An open file of JSON lines, one row each.

    While a run is at work rows are added at the end as they are there. When it begins, the file is rid of torn lines;
    when it is done, it is written anew in the order of the suite.

    Parameters
    ----------
    path : Path
        The file.
    rows : dict of str to dict
        Rows that are there, by their keys.
    """

    def __init__(self, path: Path, rows: dict[str, dict[str, Any]]) -> None:
        self.path, self.rows = path, rows

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Journal]:
        """The file, made if need be, held until the block ends.

        Raises
        ------
        BenchmarkError
            If another run is at work in it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with _held(path.with_name(f".{path.name}.lock")):
            rows = {row["key"]: row for row in read_rows(path)} if path.exists() else {}
            journal = cls(path, rows)
            journal._write(rows.values())
            yield journal

    def add(self, row: dict[str, Any]) -> None:
        """Put a row on disk."""
        self.rows[row["key"]] = row
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(_line(row))
            stream.flush()
            os.fsync(stream.fileno())

    def finish(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write these rows, in order, and behind them those of other suites that the file holds."""
        keys = {row["key"] for row in rows}
        self._write([*rows, *(row for key, row in self.rows.items() if key not in keys)])

    def _write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        with atomic_write(self.path) as stream:
            for row in rows:
                stream.write(_line(row).encode())


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Rows of a file of results; lines that a sudden end has torn are passed over.

    Raises
    ------
    BenchmarkError
        If the file cannot be read, or holds something else.
    """
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise BenchmarkError(f"cannot read results {str(path)!r}: {error.strerror or error}") from error
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict) or "key" not in row or "method" not in row:
            raise BenchmarkError(f"{path} does not hold results of a benchmark")
        rows.append(row)
    return rows


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    """Only one run writes at a time; the lock falls with the process that holds it."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    busy = BenchmarkError(f"another run is at work in {lock.parent}")
    with open(lock, "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        # Begun at the moment another run ended, this one may hold a file that is gone.
        if not lock.exists() or os.fstat(stream.fileno()).st_ino != lock.stat().st_ino:
            raise busy
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
