"""The motor units of a muscle: their territories, and every muscle fibre in them.

Straight fibres run along z. Each belongs to one unit, lies in its territory, carries its end-plate somewhere
in the innervation zone, and ends at the two tendons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from muemg.errors import InvalidArgumentError, check_count, check_option, check_positive
from muemg.muscle.cross_section import CrossSection, sample_points
from muemg.muscle.innervation import diameter_of_velocity, innervation_numbers
from muemg.muscle.territories import even_lattice, share_out, spread_centers

__all__ = ["MotorUnits", "MuscleArchitecture", "make_motor_units"]

# Gaussian deviates are clipped at so many standard deviations, so that no fibre turns inside out.
_CLIP = 3.0


@dataclass(frozen=True)
class MuscleArchitecture:
    """What is common to the fibres of a muscle, and how far they scatter. All SI.

    Parameters
    ----------
    mean_innervation_number, innervation_range : float
        As for `innervation_numbers`.
    territory_density : float
        Fibres of one unit per m² of its territory: 20 per mm² (Fuglevand et al. 1993). A unit of n fibres
        then has a territory of n / density; it is cut off where it leaves the muscle, its fibres lie in what
        remains.
    innervation_zone : float
        z in metres of the zone's middle.
    zone_width : float
        Width in metres over which the units' own zones are spread, uniformly.
    end_plate_scatter : float
        Standard deviation in metres of the end-plates of one unit's fibres about the unit's own zone.
    proximal_length, distal_length : float
        Distance in metres from the middle of the zone to the proximal (smaller z) and the distal tendon.
    tendon_scatter : float
        Standard deviation in metres of the fibre ends at either tendon.
    slowest, fastest : float
        Conduction velocity in m/s of the first and the last unit; motor units of the human tibialis anterior
        range from 2.6 to 5.3, growing with twitch force (Andreassen & Arendt-Nielsen 1987).
    velocity_scatter : float
        Standard deviation in m/s of the units about the line between those two.
    fibre_velocity_scatter : float
        Standard deviation in m/s of the fibres of one unit about the unit's velocity.
    """

    mean_innervation_number: float = 562.0
    innervation_range: float = 100.0
    territory_density: float = 20e6
    innervation_zone: float = 0.0
    zone_width: float = 10e-3
    end_plate_scatter: float = 1.5e-3
    proximal_length: float = 60e-3
    distal_length: float = 60e-3
    tendon_scatter: float = 2e-3
    slowest: float = 3.0
    fastest: float = 5.0
    velocity_scatter: float = 0.2
    fibre_velocity_scatter: float = 0.1

    # Bounds for the single fibre, a little beyond what was measured for units.
    velocity_limits = (2.5, 5.5)

    def __post_init__(self) -> None:
        for name in ("mean_innervation_number", "territory_density", "proximal_length", "distal_length"):
            check_positive(name, getattr(self, name))
        for name in (
            "zone_width",
            "end_plate_scatter",
            "tendon_scatter",
            "velocity_scatter",
            "fibre_velocity_scatter",
        ):
            check_positive(name, getattr(self, name), allow_zero=True)
        low, high = self.velocity_limits
        for name in ("slowest", "fastest"):
            value = check_positive(name, getattr(self, name), "m/s")
            if not low <= value <= high:
                raise InvalidArgumentError(f"{name} must lie in {low}…{high} m/s, got {value:g}")
        shortest = min(self.proximal_length, self.distal_length)
        if self._length_scatter >= shortest:
            raise InvalidArgumentError(
                "zone_width / 2 + 3 (end_plate_scatter + tendon_scatter) must be below either half length, "
                f"got {self._length_scatter * 1e3:.3g} and {shortest * 1e3:.3g} mm"
            )

    @property
    def _length_scatter(self) -> float:
        return self.zone_width / 2 + _CLIP * (self.end_plate_scatter + self.tendon_scatter)

    @property
    def longest_half(self) -> float:
        """No fibre is longer, from its end-plate to either end, in metres."""
        return max(self.proximal_length, self.distal_length) + self._length_scatter

    @property
    def slowest_fibre(self) -> float:
        """No fibre is slower, in m/s."""
        spread = _CLIP * (self.velocity_scatter + self.fibre_velocity_scatter)
        return max(self.velocity_limits[0], min(self.slowest, self.fastest) - spread)

    @property
    def extent(self) -> tuple[float, float]:
        """No fibre reaches beyond these z in metres."""
        margin = _CLIP * self.tendon_scatter
        middle = self.innervation_zone
        return middle - self.proximal_length - margin, middle + self.distal_length + margin


@dataclass(frozen=True, eq=False)
class MotorUnits:
    """Motor units and their muscle fibres. All SI; y = 0 is the muscle's surface.

    Parameters
    ----------
    n_fibres : ndarray of int64, shape (n_units,)
        Innervation number of each unit.
    territory_center : ndarray, shape (n_units, 2)
        (x, y).
    territory_radius : ndarray, shape (n_units,)
        Before it is cut off at the muscle's border.
    innervation_zone : ndarray, shape (n_units,)
        z of the middle of each unit's end-plates.
    velocity : ndarray, shape (n_units,)
        Mean conduction velocity of each unit.
    unit : ndarray of int64, shape (n_simulated,)
        Which unit each simulated fibre belongs to, not decreasing.
    fibre_xy : ndarray, shape (n_simulated, 2)
        Position of each simulated fibre.
    fibre_end_plate, fibre_proximal_end, fibre_distal_end : ndarray, shape (n_simulated,)
        z of end-plate and ends.
    fibre_velocity, fibre_diameter : ndarray, shape (n_simulated,)
        Conduction velocity and diameter.
    """

    n_fibres: np.ndarray
    territory_center: np.ndarray
    territory_radius: np.ndarray
    innervation_zone: np.ndarray
    velocity: np.ndarray
    unit: np.ndarray
    fibre_xy: np.ndarray
    fibre_end_plate: np.ndarray
    fibre_proximal_end: np.ndarray
    fibre_distal_end: np.ndarray
    fibre_velocity: np.ndarray
    fibre_diameter: np.ndarray

    def __len__(self) -> int:
        return len(self.n_fibres)

    @classmethod
    def concatenate(cls, parts: Sequence[MotorUnits]) -> MotorUnits:
        """The units of several muscles, one muscle after the other."""
        if len(parts) == 1:
            return parts[0]
        first = np.cumsum([0, *(len(part) for part in parts[:-1])])
        joined = {
            item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(cls)
        }
        joined["unit"] = np.concatenate([part.unit + start for part, start in zip(parts, first)])
        return cls(**joined)

    @property
    def weight(self) -> np.ndarray:
        """How many fibres each simulated one of a unit stands for, shape (n_units,); 1 if all are there."""
        return self.n_fibres / np.bincount(self.unit, minlength=len(self))

    def mean_over_fibres(self, values: np.ndarray) -> np.ndarray:
        """Mean of a fibre property over the simulated fibres of each unit, shape (n_units,)."""
        total = np.bincount(self.unit, weights=values, minlength=len(self))
        return total / np.bincount(self.unit, minlength=len(self))


def make_motor_units(
    n_units: int,
    region: CrossSection,
    architecture: MuscleArchitecture,
    rng: np.random.Generator,
    *,
    most_fibres: int | None = None,
    assignment: str = "independent",
) -> MotorUnits:
    """Draw the motor units of a muscle.

    Parameters
    ----------
    n_units : int
        Number of units, ordered from the first recruited (smallest) to the last.
    region : CrossSection
        The muscle's cross-section; territories' centres are uniform in it.
    architecture : MuscleArchitecture
        Distributions of everything else.
    rng : numpy.random.Generator
        Source of randomness. Every unit draws from a stream of its own.
    most_fibres : int, optional
        Units with more fibres than this are represented by so many, drawn from the same distributions and
        weighted to the unit's number: the mean of the action potential stays, the scatter about it grows.
    assignment : {"independent", "uniform"}
        Whether every unit draws its fibres in its territory for itself, so that the muscle is denser where
        territories happen to meet; or the fibres of all units fill the cross-section evenly and are shared
        out (`muemg.muscle.territories`), which stretches territories where there are too few.

    Returns
    -------
    MotorUnits
    """
    count = check_count("n_units", n_units)
    limit = None if most_fibres is None else check_count("most_fibres", most_fibres)
    a = architecture
    numbers = innervation_numbers(
        count, mean=a.mean_innervation_number, innervation_range=a.innervation_range
    )
    radius = np.sqrt(numbers / (np.pi * a.territory_density))
    along = np.linspace(0, 1, count) if count > 1 else np.array([0.5])
    streams = rng.spawn(count)
    shared: list[np.ndarray] = []
    placed = np.zeros((count, 2))
    if check_option("assignment", assignment, ("independent", "uniform")) == "uniform":
        (common,) = rng.spawn(1)
        placed = spread_centers(region, radius, numbers, common)
        lattice = even_lattice(region, int(numbers.sum()), common)
        owner = share_out(lattice, placed, radius, numbers, common)
        shared = [lattice[owner == i] for i in range(count)]

    centers, zones, velocities, fibres = [], [], [], []
    for i, (number, size, position, stream) in enumerate(zip(numbers, radius, along, streams)):
        center = placed[i] if shared else sample_points(region, 1, stream)[0]
        zone = a.innervation_zone + a.zone_width * stream.uniform(-0.5, 0.5)
        mean_velocity = a.slowest + (a.fastest - a.slowest) * position
        velocity = _bounded(stream, mean_velocity, a.velocity_scatter, 1, a.velocity_limits)[0]
        n = int(number) if limit is None else min(int(number), limit)
        if shared:
            xy = shared[i][stream.permutation(len(shared[i]))[:n]]
        else:
            xy = sample_points(region, n, stream, center=(center[0], center[1]), radius=size)
        speed = _bounded(stream, velocity, a.fibre_velocity_scatter, n, a.velocity_limits)
        end_plate = zone + _clipped(stream, a.end_plate_scatter, n)
        proximal = a.innervation_zone - a.proximal_length + _clipped(stream, a.tendon_scatter, n)
        distal = a.innervation_zone + a.distal_length + _clipped(stream, a.tendon_scatter, n)
        centers.append(center)
        zones.append(zone)
        velocities.append(velocity)
        fibres.append(np.column_stack([xy, end_plate, proximal, distal, speed]))
    table = np.concatenate(fibres)
    return MotorUnits(
        n_fibres=numbers,
        territory_center=np.array(centers),
        territory_radius=radius,
        innervation_zone=np.array(zones),
        velocity=np.array(velocities),
        unit=np.repeat(np.arange(count), [len(block) for block in fibres]),
        fibre_xy=table[:, :2],
        fibre_end_plate=table[:, 2],
        fibre_proximal_end=table[:, 3],
        fibre_distal_end=table[:, 4],
        fibre_velocity=table[:, 5],
        fibre_diameter=diameter_of_velocity(table[:, 5]),
    )


def _clipped(rng: np.random.Generator, deviation: float, n: int) -> np.ndarray:
    return deviation * np.clip(rng.standard_normal(n), -_CLIP, _CLIP)


def _bounded(
    rng: np.random.Generator, mean: float, deviation: float, n: int, limits: tuple[float, float]
) -> np.ndarray:
    return np.clip(mean + _clipped(rng, deviation, n), *limits)
