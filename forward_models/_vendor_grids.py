"""Grids that vendors sell: rows, columns, spacing, contact size, and which electrode is which channel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["VENDOR_GRIDS", "VendorGrid"]


class VendorGrid(NamedTuple):
    """Layout of one grid: rows × columns, spacing and disc radius in metres, (row, column) of every channel."""

    shape: tuple[int, int]
    spacing: float
    radius: float
    order: np.ndarray


# Column by column, alternately down and up; row 0 of column 0 is the missing corner.
_SNAKE_13_BY_5 = np.array(
    [(row if column % 2 == 0 else 12 - row, column) for column in range(5) for row in range(13)][1:]
)
# Each column starts at the last row.
_UPWARDS_8_BY_8 = np.array([(7 - row, column) for column in range(8) for row in range(8)])

VENDOR_GRIDS: dict[str, VendorGrid] = {
    "GR08MM1305": VendorGrid((13, 5), 8e-3, 1.5e-3, _SNAKE_13_BY_5),
    "GR04MM1305": VendorGrid((13, 5), 4e-3, 1.0e-3, _SNAKE_13_BY_5),
    "GR10MM0808": VendorGrid((8, 8), 10e-3, 1.5e-3, _UPWARDS_8_BY_8),
}
"""By the vendor's code."""
