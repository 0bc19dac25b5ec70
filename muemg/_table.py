"""A small immutable table, one row per motor unit: what quality and comparison are returned as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table"]


class Table(Mapping[str, np.ndarray]):
    """Named columns of equal length.

    ``table["sil"]`` is a column, ``table.row(3)`` a row as a dictionary, ``len(table.columns)`` the number of
    columns, ``table.n_rows`` the number of rows, and ``table.to_frame()`` a pandas `DataFrame`.

    Parameters
    ----------
    columns : mapping of str to array_like, each of shape (n_rows,)
        The columns, in order.

    Raises
    ------
    InvalidArgumentError
        If the columns differ in length.
    """

    def __init__(self, columns: Mapping[str, npt.ArrayLike]) -> None:
        self._columns: dict[str, np.ndarray] = {}
        for name, values in columns.items():
            column = np.array(values)
            if column.ndim != 1:
                raise InvalidArgumentError(
                    f"column {name!r} must have one dimension, got shape {column.shape}"
                )
            column.flags.writeable = False
            self._columns[name] = column
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidArgumentError(f"columns must have one length, got {lengths}")
        self._n_rows = next(iter(lengths.values()), 0)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self._n_rows

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._columns:
            raise KeyError(f"no column {name!r}; the columns are {', '.join(self._columns)}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def row(self, index: int) -> dict[str, Any]:
        """One row as a dictionary of Python scalars."""
        return {name: column[index].item() for name, column in self._columns.items()}

    def select(self, rows: npt.ArrayLike) -> Table:
        """The table restricted to some rows (indices or a boolean mask)."""
        keep = np.asarray(rows)
        if keep.size == 0:
            keep = keep.astype(np.intp)
        return Table({name: column[keep] for name, column in self._columns.items()})

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas `DataFrame`."""
        import pandas as pd

        return pd.DataFrame(dict(self._columns.items()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return self.columns == other.columns and all(
            np.array_equal(column, other[name], equal_nan=column.dtype.kind == "f")
            for name, column in self._columns.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if not self._n_rows:
            return f"<Table: 0 rows, columns {', '.join(self._columns)}>"
        return str(self.to_frame().round(3))
