"""Simulate a recording: muscle, motor neurons, action potentials, interference signal, noise, truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forward_models import ForwardModelError
from muemg import __version__
from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_count
from muemg.recording import Recording
from muemg.results import Simulation
from muemg.simulation.convolution import interference_signal, varying_signal
from muemg.simulation.disturbances import add_ecg, add_movement_artefact, add_power_line
from muemg.simulation.noise import add_noise, mean_square
from muemg.simulation.scenario import Scenario
from muemg.spikes import SpikeTrains

if TYPE_CHECKING:
    from muemg.simulation.crew import Crew
    from muemg.simulation.geometry import Scene

__all__ = ["simulate"]


def simulate(
    scenario: str | Path | Scenario | Mapping[str, Any] | None = None,
    seed: int = 0,
    *,
    subject: int | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Simulation:
    """Simulate a high-density surface EMG recording whose every discharge is known.

    Parameters
    ----------
    scenario : str, Path, Scenario, mapping or None
        Name of a preset (`muemg.simulation.preset_names`), a TOML file, nested tables with units in the keys,
        a `Scenario`, or None for its defaults.
    seed : int
        The same scenario and seed give the same bytes on the same machine. Anatomy, discharges and noise draw
        from streams of their own: another drive or noise leaves the muscle as it was.
    subject : int, optional
        Seed of the muscle: recordings with one of it and different seeds are of one person. By default the
        muscle is drawn from `seed` too.
    progress : callable, optional
        Called with the fraction done, 0 … 1, and what is being done.

    Returns
    -------
    Simulation
        The recording (auxiliary ``"force"`` in % of the maximal voluntary force), discharges of all units
        including those not recruited, their action potentials, and a table of their anatomy in SI units.

    Raises
    ------
    InvalidArgumentError, FileFormatError
        If the scenario cannot be read or is impossible; the message names the setting.
    """
    tell = progress if progress is not None else _quiet
    plan = Scenario.load(scenario)
    streams = np.random.default_rng(check_count("seed", seed, minimum=0)).spawn(7)
    anatomy, neural, noise, slow, chain, choice, shaking = streams
    if subject is not None:
        body = np.random.default_rng(check_count("subject", subject, minimum=0)).spawn(7)
        anatomy, choice = body[0], body[5]
    rate, n_samples = plan.recording.sampling_rate, plan.n_samples

    tell(0.0, "drawing muscle and discharges")
    # Here, not above: these load JAX.
    from muemg.simulation.chain import montage, quantise
    from muemg.simulation.crew import recruit
    from muemg.simulation.dynamics import Templates, potentials_of
    from muemg.simulation.geometry import make_scene

    with _refusals_named(plan):
        scene = make_scene(plan.conductor, plan.electrodes, plan.muscle)
        crew = recruit(plan, scene, anatomy, neural, slow, choice)
    trains, motor_units = crew.samples, crew.motor_units

    tell(
        0.05, f"computing the action potentials of {len(trains)} motor units ({len(motor_units.unit)} fibres)"
    )
    shapes, draw = shaking.spawn(2)
    with _refusals_named(plan):
        potentials = potentials_of(plan, scene, motor_units, plan.muscle.architecture(), shapes)
    mixing, electrodes = montage(plan.amplifier.montage, scene.electrodes)

    tell(0.8, f"adding {sum(map(len, trains))} discharges")
    courses: dict[str, np.ndarray] = {}
    if isinstance(potentials, Templates):
        muaps, courses = potentials.reference, potentials.courses
        mixtures = [
            potentials.mixture(train, stream) for train, stream in zip(trains, draw.spawn(len(trains)))
        ]
        samples, first, weights = zip(*mixtures)
        signal = varying_signal(samples, potentials.muaps, first, weights, n_samples)
    else:
        muaps = potentials
        signal = interference_signal(trains, muaps, n_samples)
    tell(0.9, "adding noise")
    record = _disturb(signal, plan, noise, chain)
    if mixing is not None:
        signal = mixing @ signal
        muaps = np.einsum("oc,uct->uot", mixing, muaps)
    record["step"] = quantise(signal, bits=plan.amplifier.bits, full_scale=plan.amplifier.full_scale)
    names = list(scene.regions)
    if len(names) > 1:
        record["muscles"] = names
    parameters = {
        "scenario": _json_ready(plan.to_dict()),
        "seed": int(seed),
        **({} if subject is None else {"subject": int(subject)}),
        **record,
        "versions": {"muemg": __version__, "numpy": np.__version__, "jax": metadata.version("jax")},
    }
    signal.flags.writeable = False
    # Of several muscles the mean, each counting as many times as it has units.
    share = np.bincount(crew.muscle, minlength=len(names)) / len(crew.muscle)
    auxiliary = {"force": 100 * (share @ crew.forces if len(names) > 1 else crew.forces[0])}
    if len(names) > 1:
        auxiliary |= {f"force of {name}": 100 * force for name, force in zip(names, crew.forces)}
    if crew.targets is not None:
        auxiliary["target"] = 100 * (share @ crew.targets if len(names) > 1 else crew.targets[0])
        if len(names) > 1:
            auxiliary |= {f"target of {name}": 100 * one for name, one in zip(names, crew.targets)}
    units = dict.fromkeys(auxiliary, "% MVC")
    auxiliary |= courses
    units |= dict.fromkeys(courses, "1")
    result = Simulation(
        recording=Recording(
            signal,
            rate,
            electrodes,
            auxiliary=auxiliary,
            metadata={
                "scenario": plan.name,
                "seed": int(seed),
                "auxiliary_units": units,
            },
        ),
        spikes=SpikeTrains(tuple(trains), rate, n_samples),
        muaps=muaps,
        motor_units=_unit_table(crew, muaps, scene),
        parameters=parameters,
    )
    tell(1.0, "done")
    return result


def _disturb(
    signal: np.ndarray, plan: Scenario, noise: np.random.Generator, chain: np.random.Generator
) -> dict[str, Any]:
    """Add everything that is not muscle, in place; what was added, for the record."""
    n, rate = plan.noise, plan.recording.sampling_rate
    power = mean_square(signal)
    line, heart, motion, direct, broken = chain.spawn(5)
    deviation = add_noise(signal, plan.recording.snr, rate, noise, exponent=n.exponent)
    disturbed = deviation**2
    add_power_line(
        signal,
        rate,
        amplitude=n.power_line,
        frequency=n.power_line_frequency,
        harmonics=n.harmonics,
        spread=n.channel_spread,
        rng=line,
    )
    beats = np.zeros(0)
    if n.ecg:
        beats = add_ecg(
            signal, rate, amplitude=n.ecg, heart_rate=n.heart_rate, spread=n.channel_spread, rng=heart
        )
    add_movement_artefact(signal, rate, amplitude=n.movement, spread=n.channel_spread, rng=motion)
    if plan.amplifier.offset:
        offsets = plan.amplifier.offset * direct.standard_normal(len(signal))
        signal += offsets[:, None].astype(np.float32)
    dead = np.sort(broken.permutation(len(signal))[: plan.amplifier.dead_channels])
    signal[dead] = 0
    record: dict[str, Any] = {
        "noise_standard_deviation": float(np.sqrt(disturbed)),
        "signal_rms": float(np.sqrt(power)),
    }
    if dead.size:
        record["dead_electrodes"] = dead.tolist()
    if beats.size:
        record["heartbeats"] = beats.round(6).tolist()
    return record


def _unit_table(crew: Crew, muaps: np.ndarray, scene: Scene) -> Table:
    """Anatomy and physiology of every unit in SI units, in the conductor's frame."""
    m = crew.motor_units
    xy = np.column_stack([m.mean_over_fibres(m.fibre_xy[:, i]) + scene.surface[i] for i in (0, 1)])
    columns = {
        "threshold": crew.thresholds,
        "peak_rate": crew.peak_rates,
        "n_fibres": m.n_fibres,
        "x": xy[:, 0],
        "y": xy[:, 1],
        "depth": scene.depth(xy),
        "territory_radius": m.territory_radius,
        "innervation_zone": m.mean_over_fibres(m.fibre_end_plate),
        "proximal_length": m.mean_over_fibres(m.fibre_end_plate - m.fibre_proximal_end),
        "distal_length": m.mean_over_fibres(m.fibre_distal_end - m.fibre_end_plate),
        "velocity": m.mean_over_fibres(m.fibre_velocity),
        "diameter": m.mean_over_fibres(m.fibre_diameter),
        "twitch_force": crew.twitch_forces,
        "contraction_time": crew.contraction_times,
        "peak_to_peak": np.ptp(muaps, axis=2).max(axis=1).astype(np.float64),
    }
    if len(scene.regions) > 1:
        columns["muscle"] = crew.muscle
    if crew.command.max() > 0:
        columns |= {"command": crew.command, "second_command": crew.second_command}
    if not np.array_equal(crew.healthy, np.arange(len(m))):
        columns["healthy_index"] = crew.healthy
    return Table(columns)


def _json_ready(value: Any) -> Any:
    """Infinity as the word that the settings read back; JSON has no number for it."""
    if isinstance(value, Mapping):
        return {key: _json_ready(item) for key, item in value.items()}
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _quiet(fraction: float, what: str) -> None:
    """Report nothing."""


@contextmanager
def _refusals_named(plan: Scenario) -> Iterator[None]:
    """What the forward model refuses is an impossible setting of the scenario."""
    try:
        yield
    except ForwardModelError as error:
        raise InvalidArgumentError(f"scenario {plan.name!r} is impossible: {error}") from error
