"""The sections of a scenario: what can be set about recording, electrodes, tissue, muscle, neurons and task.

Fields are SI in Python; in files their keys carry the unit. Where a number comes from is said where it is
used: `MuscleArchitecture`, the pools of `muemg.neurons`, `docs/simulation.md`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from forward_models import ElectrodeArray
from muemg.errors import InvalidArgumentError, check_option
from muemg.muscle.motor_units import MuscleArchitecture
from muemg.neurons.force_control import Pool
from muemg.neurons.integrate_and_fire import IntegrateAndFirePool
from muemg.neurons.onion_skin import ONION_SKINS, OnionSkinPool
from muemg.neurons.pool import MotorNeuronPool
from muemg.simulation._schema import (
    Section,
    choice,
    flag,
    list_of_numbers,
    list_of_words,
    number,
    quantity,
    text,
)

__all__ = [
    "Amplifier",
    "Commands",
    "Conductor",
    "Drive",
    "Electrodes",
    "Fatigue",
    "Movement",
    "Muscle",
    "Neurons",
    "Noise",
    "Pathology",
    "Timing",
]

LIMBS = ("forearm", "lower_leg", "thigh")


@dataclass(frozen=True)
class Timing(Section):
    """How long, how often sampled, how noisy (``[recording]``)."""

    duration: float = quantity(20.0, "s", open_low=True)
    sampling_rate: float = quantity(2048.0, "hz", open_low=True)
    snr: float = quantity(20.0, "db", low=-math.inf)
    """Signal-to-noise ratio as `muemg.simulation.add_noise` defines it; infinity is no noise."""


@dataclass(frozen=True)
class Electrodes(Section):
    """The electrodes (``[electrodes]``): a vendor's code, or rows × columns if `code` is empty."""

    layout: str = choice("grid", ("grid", "bracelet", "intramuscular"))
    """A grid on the skin, rings around a limb, or `columns` lines of `rows` contacts inside the muscle."""
    code: str = text("GR08MM1305")
    rows: int = number(13, low=1)
    columns: int = number(5, low=1)
    spacing: float = quantity(8e-3, "mm", open_low=True)
    column_spacing: float = quantity(0.0, "mm")
    """Between columns, or lines; 0 is as `spacing`. A bracelet's columns are spread evenly."""
    diameter: float = quantity(3e-3, "mm")
    tiles_along: int = number(1, low=1)
    tiles_across: int = number(1, low=1)
    """Several grids side by side, without a gap in the spacing."""
    rotation: float = quantity(0.0, "deg", low=-2 * math.pi, high=2 * math.pi)
    center_x: float = quantity(0.0, "mm", low=-math.inf)
    center_z: float = quantity(0.0, "mm", low=-math.inf)
    depth: float = quantity(2e-3, "mm")
    """Intramuscular: first contact below the muscle's surface."""
    insertion: float = quantity(math.pi / 6, "deg", low=0.0, high=math.pi / 2)
    """Intramuscular: angle between the lines and the fibres."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code:
            check_option("electrodes.code", self.code.upper(), ElectrodeArray.codes())
        if self.code and self.layout != "grid":
            raise InvalidArgumentError(
                f"electrodes.code must be empty for the layout {self.layout!r}, got {self.code!r}"
            )


@dataclass(frozen=True)
class Conductor(Section):
    """The tissue between fibres and electrodes (``[conductor]``)."""

    kind: str = choice("planar", ("planar", "cylinder", "unbounded", *LIMBS))
    fat: float = quantity(3e-3, "mm", high=50e-3)
    skin: float = quantity(1e-3, "mm", high=10e-3)
    conductivities: str = text("farina_merletti_2001")
    """A key of `forward_models.presets.CONDUCTIVITIES`."""
    radius: float = quantity(40e-3, "mm", open_low=True)
    """Of a cylinder, skin included."""
    girth: float = quantity(0.26, "mm", open_low=True)
    """Of a limb."""
    mesh: float = quantity(2e-3, "mm", open_low=True)
    """Edge of a limb's triangles near the skin."""


@dataclass(frozen=True)
class Muscle(Section):
    """Cross-section, motor units and fibres (``[muscle]``); the distributions are `MuscleArchitecture`'s."""

    n_units: int = number(20, low=1)
    shape: str = choice("ellipse", ("ellipse", "circle", "rectangle", "polygon", "label_map"))
    width: float = quantity(40e-3, "mm", open_low=True)
    thickness: float = quantity(25e-3, "mm", open_low=True)
    vertices_x: tuple[float, ...] = list_of_numbers("mm")
    vertices_y: tuple[float, ...] = list_of_numbers("mm", high=0.0)
    """Corners of a polygon; y = 0 is the muscle's surface, y < 0 inside."""
    label_map: str = text("")
    """File of a label map (see `read_label_map`): the muscle's highest pixel touches its surface."""
    label: int = number(1)
    label_slice: int = number(0)
    """Which label of it is the muscle, and in a volume which slice."""
    pixel: float = quantity(0.0, "mm")
    """Side of its pixels; 0 is as the file says."""
    labels: tuple[str, ...] = list_of_words()
    """Muscles of a limb's cross-section; the units are divided among them by area."""
    mean_innervation_number: float = quantity(MuscleArchitecture.mean_innervation_number, open_low=True)
    innervation_range: float = quantity(MuscleArchitecture.innervation_range, low=1.0)
    territory_density: float = quantity(MuscleArchitecture.territory_density, "per_mm2", open_low=True)
    fibre_density: float = quantity(0.0, "per_mm2")
    """Fibres of all units over the cross-section; decides the mean innervation number, unless 0."""
    assignment: str = choice("independent", ("independent", "uniform"))
    """Whether each unit draws its fibres for itself, or all share one evenly filled cross-section."""
    innervation_zone: float = quantity(MuscleArchitecture.innervation_zone, "mm", low=-math.inf)
    zone_width: float = quantity(MuscleArchitecture.zone_width, "mm")
    end_plate_scatter: float = quantity(MuscleArchitecture.end_plate_scatter, "mm")
    proximal_length: float = quantity(MuscleArchitecture.proximal_length, "mm", open_low=True)
    distal_length: float = quantity(MuscleArchitecture.distal_length, "mm", open_low=True)
    tendon_scatter: float = quantity(MuscleArchitecture.tendon_scatter, "mm")
    slowest: float = quantity(MuscleArchitecture.slowest, "m_per_s", low=2.5, high=5.5)
    fastest: float = quantity(MuscleArchitecture.fastest, "m_per_s", low=2.5, high=5.5)
    velocity_scatter: float = quantity(MuscleArchitecture.velocity_scatter, "m_per_s")
    fibre_velocity_scatter: float = quantity(MuscleArchitecture.fibre_velocity_scatter, "m_per_s")
    most_fibres: int = number(100)
    """Fibres that a unit is represented by at most (see `make_motor_units`); 0 is all of them."""

    def architecture(self) -> MuscleArchitecture:
        """The distributions of the fibres."""
        names = [item.name for item in dataclasses.fields(MuscleArchitecture)]
        return MuscleArchitecture(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Neurons(Section):
    """The motor-neuron pool (``[neurons]``); the equations are those of the pools and of `discharges`."""

    model: str = choice("fuglevand_1993", ("fuglevand_1993", "de_luca_contessa_2012", "integrate_and_fire"))
    recruitment_range: float = quantity(MotorNeuronPool.recruitment_range, low=1.0)
    minimum_rate: float = quantity(MotorNeuronPool.minimum_rate, "hz", open_low=True)
    peak_rate: float = quantity(MotorNeuronPool.peak_rate, "hz", open_low=True)
    peak_rate_difference: float = quantity(MotorNeuronPool.peak_rate_difference, "hz")
    gain: float = quantity(MotorNeuronPool.gain, open_low=True)
    onion_skin: str = choice("vastus_lateralis", tuple(ONION_SKINS))
    """Whose constants `de_luca_contessa_2012` takes."""
    last_threshold: float = quantity(IntegrateAndFirePool.last_threshold, high=1.0, open_low=True)
    membrane_noise: float = quantity(IntegrateAndFirePool.noise)
    """Both of `integrate_and_fire`."""
    isi_cov: float = quantity(0.15, high=0.33)
    refractory: float = quantity(5e-3, "ms")
    input_deviation: float = quantity(0.0, high=1.0)
    """Standard deviation of the slow fluctuations of excitation, relative to its mean (see `CommonInput`)."""
    input_correlation: float = quantity(0.6, high=1.0)
    """Correlation of those fluctuations between any two units."""
    input_cutoff: float = quantity(2.5, "hz", open_low=True)

    def pool(self, n_units: int) -> Pool:
        """The pool of so many motor neurons."""
        if self.model == "de_luca_contessa_2012":
            return OnionSkinPool(n_units, self.onion_skin, self.recruitment_range)
        if self.model == "integrate_and_fire":
            return IntegrateAndFirePool(
                n_units,
                self.recruitment_range,
                self.last_threshold,
                self.peak_rate,
                self.peak_rate_difference,
                self.membrane_noise,
            )
        names = [item.name for item in dataclasses.fields(MotorNeuronPool) if item.name != "n_units"]
        return MotorNeuronPool(n_units, **{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Drive(Section):
    """What was asked for in time (``[drive]``); which settings a profile takes: see `muemg.neurons`."""

    profile: str = choice(
        "trapezoid", ("constant", "trapezoid", "triangle", "sine", "ballistic", "staircase", "points")
    )
    controls: str = choice("excitation", ("excitation", "force"))
    """Whether the course is excitation, or a force target that is followed in a closed loop.

    With several muscles each follows its own: the course times the level of its command.
    """
    level: float = quantity(0.3, high=1.0)
    """Fraction of the maximal excitation, or force."""
    rest: float = quantity(1.0, "s")
    ramp: float = quantity(2.0, "s")
    frequency: float = quantity(0.5, "hz", open_low=True)
    depth: float = quantity(1.0, high=1.0)
    interval: float = quantity(2.0, "s", open_low=True)
    time_to_peak: float = quantity(0.1, "s", open_low=True)
    steps: int = number(4, low=1)
    times: tuple[float, ...] = list_of_numbers("s", low=0.0)
    levels: tuple[float, ...] = list_of_numbers(low=0.0, high=1.0)
    """Of `points`: straight between them; without times spread evenly over the recording."""


@dataclass(frozen=True)
class Noise(Section):
    """What else the electrodes hear (``[noise]``); how loud the random noise is says ``recording.snr_db``."""

    exponent: float = quantity(0.0, high=3.0)
    """Power of the random noise falls as frequency to this power above 1 Hz: 0 white, 1 pink, 2 brown."""
    power_line: float = quantity(0.0, "uv")
    """Root mean square of the mains on the average channel."""
    power_line_frequency: float = quantity(50.0, "hz", open_low=True)
    harmonics: int = number(3, low=1)
    """How many odd multiples of the mains frequency, falling as 1/order."""
    ecg: float = quantity(0.0, "uv")
    """Height of the R wave on the average channel."""
    heart_rate: float = quantity(70.0 / 60, "per_min", open_low=True)
    movement: float = quantity(0.0, "uv")
    """Root mean square of movement artefacts, below 20 Hz, on the average channel."""
    channel_spread: float = quantity(0.3, high=1.0)
    """By how much these differ from channel to channel, relative to the average."""


@dataclass(frozen=True)
class Amplifier(Section):
    """What becomes of the potentials (``[amplifier]``)."""

    montage: str = choice(
        "monopolar",
        (
            "monopolar",
            "common_average",
            "single_differential",
            "single_differential_across",
            "double_differential",
            "laplacian",
        ),
    )
    offset: float = quantity(0.0, "mv")
    """Standard deviation of the electrodes' constant offsets."""
    bits: int = number(0)
    """Of the converter; 0 does not quantise."""
    full_scale: float = quantity(0.0, "mv")
    """Largest voltage of either sign that the converter takes; 0 is no limit."""
    dead_channels: int = number(0)
    """Electrodes, drawn at random, that give nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits and not self.full_scale:
            raise InvalidArgumentError("amplifier.full_scale_mv must be > 0 where amplifier.bits quantises")


@dataclass(frozen=True)
class Commands(Section):
    """Neural commands (``[commands]``): courses of excitation for the muscles of a limb, or in one muscle."""

    count: int = number(1, low=1)
    levels: tuple[float, ...] = list_of_numbers(low=0.0, high=1.0)
    """Factor on the drive's course for each command; 1 by default."""
    delays: tuple[float, ...] = list_of_numbers("s", low=0.0)
    """By how much later each command comes."""
    shared_fraction: float = quantity(0.0, high=1.0)
    """In one muscle: fraction of the units that hear a second command too (the two excitations add up)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("levels", "delays"):
            given = getattr(self, name)
            if given and len(given) != self.count:
                key = "commands.delays_s" if name == "delays" else "commands.levels"
                raise InvalidArgumentError(
                    f"{key} must have commands.count = {self.count} values, got {len(given)}"
                )


@dataclass(frozen=True)
class Movement(Section):
    """What moves (``[movement]``): everything below goes m(t) = (1 − cos 2πft)/2 of its way."""

    frequency: float = quantity(0.5, "hz", open_low=True)
    shift_along: float = quantity(0.0, "mm", low=-math.inf)
    """Electrodes, towards larger z."""
    shift_across: float = quantity(0.0, "mm", low=-math.inf)
    """Electrodes, towards larger x, or around the limb."""
    shortening: float = quantity(0.0, high=0.5)
    """Fraction by which the muscle shortens towards its proximal tendon; end-plates travel along."""
    nodes: int = number(7, low=2)
    """Positions at which the action potentials are computed; between them they are interpolated."""

    @property
    def moves(self) -> bool:
        """Whether anything moves."""
        return bool(self.shift_along or self.shift_across or self.shortening)


@dataclass(frozen=True)
class Fatigue(Section):
    """A long contraction (``[fatigue]``): conduction velocity falls linearly in time."""

    velocity_loss: float = quantity(0.0, high=0.5)
    """Fraction lost at the end of the recording."""
    nodes: int = number(5, low=2)


@dataclass(frozen=True)
class Pathology(Section):
    """Diseased muscle or nerve (``[pathology]``)."""

    kind: str = choice("none", ("none", "myopathic", "neurogenic"))
    severity: float = quantity(0.5, high=0.95)
    """Fraction of fibres (myopathic) or of motor units (neurogenic) that are lost."""
    diameter_scatter: float = quantity(0.35, high=1.0)
    """Myopathic: standard deviation of log diameter at full severity."""
    reinnervation: float = quantity(0.8, high=1.0)
    """Neurogenic: fraction of the orphaned fibres that neighbours adopt."""
    compensation: bool = flag(True)
    """Whether excitation rises until the force is the healthy muscle's (early recruitment, higher rates).

    A force target is a fraction of the healthy muscle's maximum, or without compensation of what is left.
    """
    jitter: float = quantity(0.0, "us")
    """Standard deviation of each fibre's end-plate delay from discharge to discharge."""
    blocking: float = quantity(0.0, high=1.0)
    """Chance of each fibre not to follow a discharge."""
    variants: int = number(8, low=2)
    """Different action potentials of each unit that jitter and blocking are drawn from."""
