"""Electrode arrays: where the electrodes are, how large, and how they lie on a grid.

One frame serves every conductor: z runs along the muscle fibres (proximal to distal), x across them and
y out of the tissue. For the layered half-space the skin surface is the plane y = 0; for the cylinder and
the cross-sections the limb's axis is the z axis. This module is plain NumPy: importing it loads no JAX.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forward_models._checks import ForwardModelError, positive

__all__ = ["ElectrodeArray"]


@dataclass(frozen=True, eq=False)
class ElectrodeArray:
    """Positions and size of the electrodes that share one amplifier, in channel order.

    Parameters
    ----------
    positions : array_like, shape (n_channels, 3)
        Centres (x, y, z) in metres, in the conductor's frame.
    radius : float
        Radius in metres of the conducting discs; 0 is a point electrode.
    name : str
        What the array is called, for example a vendor's code.
    grid_index : array_like of int, shape (n_channels, 2), optional
        Row (along z) and column (across) of each electrode, where the array is a grid: plots lay MUAPs out
        by it and differential montages need it.

    Raises
    ------
    ForwardModelError
        If shapes disagree, a position is not finite, the radius is negative, or two electrodes share a cell
        of the grid.
    """

    positions: np.ndarray
    radius: float = 0.0
    name: str = ""
    grid_index: np.ndarray | None = None

    def __post_init__(self) -> None:
        positions = np.array(self.positions, dtype=np.float64)
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise ForwardModelError(f"positions must have shape (n_channels, 3), got {positions.shape}")
        if not np.isfinite(positions).all():
            raise ForwardModelError("positions must be finite, in metres")
        positions.flags.writeable = False
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "radius", positive("radius", self.radius, "m", allow_zero=True))
        object.__setattr__(self, "name", str(self.name))
        if self.grid_index is not None:
            index = np.array(self.grid_index)
            if index.shape != (len(positions), 2) or (index.size and not np.issubdtype(index.dtype, np.integer)):
                raise ForwardModelError(
                    f"grid_index must be integers of shape ({len(positions)}, 2), got {index.dtype} {index.shape}"
                )
            index = index.astype(np.int64)
            if index.size and index.min() < 0:
                raise ForwardModelError("grid_index must be ≥ 0")
            if len(np.unique(index, axis=0)) != len(index):
                raise ForwardModelError("grid_index puts two electrodes on one cell of the grid")
            index.flags.writeable = False
            object.__setattr__(self, "grid_index", index)

    # ------------------------------------------------------------------ constructors

    @classmethod
    def grid(
        cls,
        n_rows: int,
        n_columns: int,
        spacing: float | tuple[float, float],
        *,
        radius: float = 0.0,
        rotation: float = 0.0,
        center: tuple[float, float] = (0.0, 0.0),
        name: str = "",
    ) -> ElectrodeArray:
        """Rectangular grid on the plane y = 0; channels run row by row.

        Parameters
        ----------
        n_rows, n_columns : int
            Rows follow one another along the fibres (z), columns across them (x).
        spacing : float or (float, float)
            Distance in metres between neighbours, along and across.
        radius : float
            Disc radius in metres.
        rotation : float
            Angle in radians by which the rows' axis turns from z towards x, about the grid's centre.
        center : (float, float)
            x and z in metres of the grid's centre.
        name : str
            Name of the array.

        Raises
        ------
        ForwardModelError
            If a count is below 1 or a spacing is not positive.
        """
        for label, count in (("n_rows", n_rows), ("n_columns", n_columns)):
            if int(count) != count or count < 1:
                raise ForwardModelError(f"{label} must be an integer ≥ 1, got {count!r}")
        order = np.stack(np.meshgrid(np.arange(n_rows), np.arange(n_columns), indexing="ij"), axis=-1)
        return cls._on_plane(
            order.reshape(-1, 2), (int(n_rows), int(n_columns)), spacing, radius, rotation, center, name
        )

    @classmethod
    def from_code(
        cls, code: str, *, rotation: float = 0.0, center: tuple[float, float] = (0.0, 0.0)
    ) -> ElectrodeArray:
        """A vendor's grid by its code, with the vendor's channel order.

        ``GR08MM1305`` and ``GR04MM1305`` (OT Bioelettronica): 13 rows × 5 columns at 8 or 4 mm; the corner of the
        first row and column carries no electrode, and the 64 channels snake down the first column, up the
        second, and so on. ``GR10MM0808``: 8 × 8 at 10 mm, no corner missing, each column numbered upwards.
        The connector lies at row 0. The HD codes are the same layouts on another carrier.
        The channel numbers follow the vendor's tables as openhdemg 0.1.2 prints them (orientation 180°).
        The disc radius is half the contact diameter (3 mm for 8 and 10 mm spacing, 2 mm for 4 mm).

        Parameters
        ----------
        code : str
            One of `ElectrodeArray.codes()`.
        rotation, center
            As for `grid`.

        Raises
        ------
        ForwardModelError
            If the code is unknown.
        """
        key = str(code).upper().replace("HD", "GR", 1)
        if key not in _VENDOR_GRIDS:
            raise ForwardModelError(f"code must be one of {', '.join(cls.codes())}; got {code!r}")
        shape, spacing, radius = _VENDOR_GRIDS[key]
        order = _SNAKE_13_BY_5 if shape == (13, 5) else _UPWARDS_8_BY_8
        return cls._on_plane(order, shape, spacing, radius, rotation, center, str(code).upper())

    @staticmethod
    def codes() -> tuple[str, ...]:
        """Vendor codes that `from_code` knows."""
        return tuple(_VENDOR_GRIDS) + tuple(key.replace("GR", "HD", 1) for key in _VENDOR_GRIDS)

    @classmethod
    def _on_plane(
        cls,
        index: np.ndarray,
        shape: tuple[int, int],
        spacing: float | tuple[float, float],
        radius: float,
        rotation: float,
        center: tuple[float, float],
        name: str,
    ) -> ElectrodeArray:
        along, across = spacing if isinstance(spacing, tuple) else (spacing, spacing)
        positive("spacing", along, "m")
        positive("spacing", across, "m")
        z = (index[:, 0] - (shape[0] - 1) / 2) * along
        x = (index[:, 1] - (shape[1] - 1) / 2) * across
        cosine, sine = np.cos(rotation), np.sin(rotation)
        positions = np.column_stack(
            [center[0] + cosine * x + sine * z, np.zeros_like(x), center[1] - sine * x + cosine * z]
        )
        return cls(positions, radius, name, index)

    # ------------------------------------------------------------------ views

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def n_channels(self) -> int:
        """Number of electrodes."""
        return len(self.positions)

    @property
    def grid_shape(self) -> tuple[int, int] | None:
        """(rows, columns) of the grid, or None where the array is not a grid."""
        if self.grid_index is None or not len(self):
            return None
        rows, columns = self.grid_index.max(axis=0) + 1
        return int(rows), int(columns)

    def select(self, channels: npt.ArrayLike) -> ElectrodeArray:
        """The array restricted to some channels (indices or a boolean mask), in the order given."""
        keep = np.asarray(channels)
        index = None if self.grid_index is None else self.grid_index[keep]
        return ElectrodeArray(self.positions[keep], self.radius, self.name, index)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ElectrodeArray):
            return NotImplemented
        if (self.grid_index is None) != (other.grid_index is None):
            return False
        return (
            self.name == other.name
            and self.radius == other.radius
            and np.array_equal(self.positions, other.positions)
            and (self.grid_index is None or np.array_equal(self.grid_index, other.grid_index))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        grid = f", {self.grid_shape[0]} × {self.grid_shape[1]} grid" if self.grid_shape else ""
        name = f" {self.name!r}" if self.name else ""
        return f"<ElectrodeArray{name}: {len(self)} electrodes{grid}, disc radius {self.radius * 1e3:g} mm>"


# rows × columns, spacing (m), disc radius (m)
_VENDOR_GRIDS: dict[str, tuple[tuple[int, int], float, float]] = {
    "GR08MM1305": ((13, 5), 8e-3, 1.5e-3),
    "GR04MM1305": ((13, 5), 4e-3, 1.0e-3),
    "GR10MM0808": ((8, 8), 10e-3, 1.5e-3),
}

# Column by column, alternately down and up; row 0 of column 0 is the missing corner.
_SNAKE_13_BY_5 = np.array(
    [(row if column % 2 == 0 else 12 - row, column) for column in range(5) for row in range(13)][1:]
)
# Each column starts at the last row.
_UPWARDS_8_BY_8 = np.array([(7 - row, column) for column in range(8) for row in range(8)])
