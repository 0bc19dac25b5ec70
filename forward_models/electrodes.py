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
from forward_models._vendor_grids import VENDOR_GRIDS

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
            if index.shape != (len(positions), 2) or (
                index.size and not np.issubdtype(index.dtype, np.integer)
            ):
                raise ForwardModelError(
                    f"grid_index must be integers of shape ({len(positions)}, 2), "
                    f"got {index.dtype} {index.shape}"
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
        shape = _count("n_rows", n_rows), _count("n_columns", n_columns)
        order = np.stack(np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij"), axis=-1)
        return cls._on_plane(order.reshape(-1, 2), shape, spacing, radius, rotation, center, name)

    @classmethod
    def from_code(
        cls, code: str, *, rotation: float = 0.0, center: tuple[float, float] = (0.0, 0.0)
    ) -> ElectrodeArray:
        """A vendor's grid by its code, with the vendor's channel order.

        ``GR08MM1305`` and ``GR04MM1305`` (OT Bioelettronica): 13 rows × 5 columns at 8 or 4 mm; the corner
        of the first row and column carries no electrode, and the 64 channels snake down the first column,
        up the second, and so on. ``GR10MM0808``: 8 × 8 at 10 mm, no corner missing, each column numbered
        upwards. The connector lies at row 0. The HD codes are the same layouts on another carrier. The
        channel numbers follow the vendor's tables as openhdemg 0.1.2 prints them (orientation 180°). The
        disc radius is half the contact diameter (3 mm for 8 and 10 mm spacing, 2 mm for 4 mm).

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
        if key not in VENDOR_GRIDS:
            raise ForwardModelError(f"code must be one of {', '.join(cls.codes())}; got {code!r}")
        grid = VENDOR_GRIDS[key]
        return cls._on_plane(
            grid.order, grid.shape, grid.spacing, grid.radius, rotation, center, str(code).upper()
        )

    @staticmethod
    def codes() -> tuple[str, ...]:
        """Vendor codes that `from_code` knows."""
        return tuple(VENDOR_GRIDS) + tuple(key.replace("GR", "HD", 1) for key in VENDOR_GRIDS)

    @classmethod
    def line(
        cls,
        n_electrodes: int,
        spacing: float,
        *,
        start: tuple[float, float, float] = (0.0, 0.0, 0.0),
        direction: tuple[float, float, float] = (0.0, 0.0, 1.0),
        radius: float = 0.0,
        name: str = "",
    ) -> ElectrodeArray:
        """Electrodes on a straight line: a linear surface array, or a thin-film array inside a muscle.

        Intramuscular thin-film arrays have for example 16 or 40 contacts at 0.5 to 1 mm, inserted
        obliquely; they are points in the muscle (`radius` 0).

        Parameters
        ----------
        n_electrodes : int
            Number of electrodes.
        spacing : float
            Distance in metres between neighbours.
        start : (float, float, float)
            Position (x, y, z) of the first electrode in metres.
        direction : (float, float, float)
            Direction from the first to the last electrode; its length does not matter.
        radius : float
            Disc radius in metres.
        name : str
            Name of the array.

        Raises
        ------
        ForwardModelError
            If the count is below 1, the spacing not positive, or the direction zero.
        """
        count = _count("n_electrodes", n_electrodes)
        axis = _unit_vector("direction", direction)
        steps = np.arange(count)[:, None] * positive("spacing", spacing, "m")
        index = np.column_stack([np.arange(count), np.zeros(count, dtype=np.int64)])
        return cls(np.asarray(start, dtype=np.float64) + steps * axis, radius, name, index)

    @classmethod
    def needle(
        cls,
        tip: tuple[float, float, float],
        *,
        direction: tuple[float, float, float] = (0.0, 1.0, 0.0),
        cannula_length: float = 10e-3,
        n_cannula: int = 20,
        name: str = "concentric needle",
    ) -> ElectrodeArray:
        """Concentric needle: channel 0 is the core at the tip, the others sample the cannula behind it.

        `filters.concentric_needle` makes the recorded potential of it, core minus the mean of the cannula.
        The core's own area (0.07 mm² in a standard needle) is taken as a point.

        Parameters
        ----------
        tip : (float, float, float)
            Position (x, y, z) of the core in metres.
        direction : (float, float, float)
            From the tip towards the shaft; by default straight out of the skin.
        cannula_length : float
            Length of cannula in metres that lies in tissue.
        n_cannula : int
            Number of points that sample it.
        name : str
            Name of the array.

        Raises
        ------
        ForwardModelError
            If a length is not positive, the count below 1, or the direction zero.
        """
        count = _count("n_cannula", n_cannula)
        axis = _unit_vector("direction", direction)
        along = (np.arange(count) + 1.0) / count * positive("cannula_length", cannula_length, "m")
        return cls(np.asarray(tip, dtype=np.float64) + np.append(0.0, along)[:, None] * axis, 0.0, name)

    @classmethod
    def bracelet(
        cls,
        n_rows: int,
        n_columns: int,
        spacing: float,
        *,
        limb_radius: float,
        radius: float = 0.0,
        angle: float = 0.0,
        span: float = 2 * np.pi,
        center: float = 0.0,
        name: str = "",
    ) -> ElectrodeArray:
        """Rings around a limb whose axis is the z axis; channels run row by row.

        Parameters
        ----------
        n_rows, n_columns : int
            Rows follow one another along the limb (z), columns go around it, from +y towards +x.
        spacing : float
            Distance in metres between rows.
        limb_radius : float
            Distance in metres of the electrodes from the axis.
        radius : float
            Disc radius in metres.
        angle : float
            Angle in radians of column 0, measured from +y towards +x.
        span : float
            Part of the circumference in radians over which the columns spread: a full turn leaves a gap
            between the last and the first column, less than a turn puts columns at both ends.
        center : float
            z in metres of the bracelet's middle.
        name : str
            Name of the array.

        Raises
        ------
        ForwardModelError
            If a count is below 1, a length not positive, or the span above a full turn.
        """
        rows, columns = _count("n_rows", n_rows), _count("n_columns", n_columns)
        positive("spacing", spacing, "m")
        distance = positive("limb_radius", limb_radius, "m")
        if positive("span", span, "rad") > 2 * np.pi * (1 + 1e-12):
            raise ForwardModelError(f"span must be at most 2π rad, got {span!r}")
        index = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(
            -1, 2
        )
        gaps = columns if span > 2 * np.pi * (1 - 1e-9) else max(columns - 1, 1)
        around = angle + index[:, 1] * span / gaps
        z = center + (index[:, 0] - (rows - 1) / 2) * spacing
        positions = np.column_stack([distance * np.sin(around), distance * np.cos(around), z])
        return cls(positions, radius, name, index)

    def wrapped(self, limb_radius: float) -> ElectrodeArray:
        """A grid on the plane y = 0 laid around a limb about the z axis: x becomes arc length.

        Parameters
        ----------
        limb_radius : float
            Distance in metres of the skin from the axis.

        Raises
        ------
        ForwardModelError
            If the array is not on the plane y = 0, or wider than the circumference.
        """
        distance = positive("limb_radius", limb_radius, "m")
        x, y, z = self.positions.T
        if len(self) and np.abs(y).max() > 1e-9:
            raise ForwardModelError("only an array on the plane y = 0 can be wrapped around a limb")
        if len(self) and np.ptp(x) > 2 * np.pi * distance:
            raise ForwardModelError(
                f"the array is {np.ptp(x) * 1e3:.1f} mm wide, the limb's circumference only "
                f"{2 * np.pi * distance * 1e3:.1f} mm"
            )
        positions = np.column_stack([distance * np.sin(x / distance), distance * np.cos(x / distance), z])
        return ElectrodeArray(positions, self.radius, self.name, self.grid_index)

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
            and (self.grid_index is None or np.array_equal(self.grid_index, np.asarray(other.grid_index)))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        grid = f", {self.grid_shape[0]} × {self.grid_shape[1]} grid" if self.grid_shape else ""
        name = f" {self.name!r}" if self.name else ""
        return f"<ElectrodeArray{name}: {len(self)} electrodes{grid}, disc radius {self.radius * 1e3:g} mm>"


def _count(name: str, value: int) -> int:
    if int(value) != value or value < 1:
        raise ForwardModelError(f"{name} must be an integer ≥ 1, got {value!r}")
    return int(value)


def _unit_vector(name: str, value: tuple[float, float, float]) -> np.ndarray:
    vector = np.asarray(value, dtype=np.float64)
    length = np.linalg.norm(vector) if vector.shape == (3,) else 0.0
    if not np.isfinite(length) or length == 0:
        raise ForwardModelError(f"{name} must be three numbers, not all 0; got {value!r}")
    return vector / length
