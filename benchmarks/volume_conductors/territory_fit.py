"""Motor units as territories of fibres in one layered half-space, and the search for their parameters.

Many random parameter vectors are scored against all measured MUAPs at once, the best of each are improved by
Adam, the best of these by Levenberg–Marquardt with forward-mode derivatives: first each motor unit alone,
then all together in one conductor, whose parameters (`SHARED`) they have in common. Amplitude is linear and
solved in closed form. `vastus_lateralis_fit.py` uses it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped,unused-ignore]
from scipy import signal as scipy_signal
from scipy.stats import norm

import forward_models as fm
from forward_models.units import mm

N_FIBRES = 16
BEFORE, AFTER = 28, 44  # samples of the fitted window before and after the discharge
MARGIN = 24  # samples more on both sides for the band-pass of the model
BAND = (20.0, 500.0)

SHALLOWEST = 0.5 * mm  # of a fibre's axis below the muscle's surface

# name: (least, most, unit that it is printed in, how many of that unit are one SI unit)
RANGES: dict[str, tuple[float, float, str, float]] = {
    "x": (-25 * mm, 25 * mm, "mm", 1e3),
    "depth": (SHALLOWEST, 20 * mm, "mm", 1e3),  # of the territory's top below the muscle's surface
    "half_width": (0.5 * mm, 16 * mm, "mm", 1e3),
    "half_height": (0.3 * mm, 6 * mm, "mm", 1e3),
    "territory_tilt": (-1.0, 1.0, "mm/mm", 1.0),  # deeper on one side: the muscle curves away from the grid
    "zone": (-48 * mm, 48 * mm, "mm", 1e3),
    "zone_tilt": (-2.0, 2.0, "mm/mm", 1.0),
    "zone_curve": (-100.0, 100.0, "1/m", 1.0),  # zone = … + curve · across²
    "zone_spread": (0.1 * mm, 12 * mm, "mm", 1e3),
    # Fascicles of the vastus lateralis: 99 ± 18 mm (Ward et al. 2009, 10.1007/s11999-008-0594-8).
    "length_up": (20 * mm, 90 * mm, "mm", 1e3),  # towards larger z: higher rows
    "length_down": (20 * mm, 90 * mm, "mm", 1e3),
    "end_spread": (0.1 * mm, 15 * mm, "mm", 1e3),
    "velocity": (3.0, 6.0, "m/s", 1.0),
    "velocity_spread": (0.0, 0.1, "%", 1e2),
    "decay_length": (0.5 * mm, 2.5 * mm, "mm", 1e3),
    "delay": (-25e-3, 8e-3, "ms", 1e3),
    "inclination": (-0.4, 0.4, "°", 180 / np.pi),
    "fat": (1 * mm, 15 * mm, "mm", 1e3),
    # Relative to muscle across its fibres, 0.1 S/m: the amplitude is free. Ranges hold `CONDUCTIVITIES`.
    "muscle_along": (0.25, 1.0, "S/m", 1.0),
    "fat_conductivity": (0.02, 0.1, "S/m", 1.0),
    "skin_conductivity": (-3.5, 0.0, "log10 S/m", 1.0),
}
# One grid on one muscle: the same for all motor units.
SHARED = ("inclination", "fat", "muscle_along", "fat_conductivity", "skin_conductivity")
N_SHAPE = len(RANGES)
# After the ranges' coordinates, for each fibre: its share (logit) and, in units of the unit's spread, how far
# its end-plate, its ends and its velocity deviate from where the fixed scatter puts them.
N_OWN = 5
N_PARAMETERS = N_SHAPE + N_OWN * N_FIBRES
SCATTERED = ("zone", "up", "down", "velocity")


def physical(theta: jax.Array) -> dict[str, jax.Array]:
    """Parameters in SI units from unbounded ones (logistic within `RANGES`)."""
    return {
        name: low + (high - low) * jax.nn.sigmoid(theta[i])
        for i, (name, (low, high, _, _)) in enumerate(RANGES.items())
    }


def _fixed_nodes() -> dict[str, np.ndarray]:
    """Where in the territory each fibre lies (disc of radius 1), and its place in each spread."""
    index = np.arange(N_FIBRES)
    radius, angle = np.sqrt((index + 0.5) / N_FIBRES), index * np.pi * (3 - np.sqrt(5))
    quantiles = norm.ppf((index + 0.5) / N_FIBRES)
    rng = np.random.default_rng(0)
    spreads = {name: rng.permutation(quantiles) for name in SCATTERED}
    return {"across": radius * np.cos(angle), "deep": radius * np.sin(angle), **spreads}


NODES = _fixed_nodes()


def band_pass_matrix(sampling_rate: float) -> np.ndarray:
    """The recording's zero-phase band-pass as a matrix from the model's samples to the window's."""
    sections = scipy_signal.butter(2, BAND, "bandpass", fs=sampling_rate, output="sos")
    length, pad = BEFORE + AFTER + 2 * MARGIN, 400
    impulses = np.zeros((length, length + 2 * pad))
    impulses[np.arange(length), pad + np.arange(length)] = 1
    filtered = scipy_signal.sosfiltfilt(sections, impulses, padtype=None)
    return filtered[:, pad + MARGIN : pad + MARGIN + BEFORE + AFTER]


def model(electrodes: fm.ElectrodeArray, sampling_rate: float) -> Callable[[jax.Array], jax.Array]:
    """Band-passed monopolar MUAP of a parameter vector, shape (n_channels, n_samples), volts per fibre."""
    placed = fm.PlacedElectrodes.of(electrodes)
    band = jnp.asarray(band_pass_matrix(sampling_rate), dtype=float)
    unit = np.zeros(N_FIBRES, dtype=int)
    node = {name: jnp.asarray(values, dtype=float) for name, values in NODES.items()}

    def muap(theta: jax.Array) -> jax.Array:
        p = physical(theta)
        logit, *own = theta[N_SHAPE:].reshape(N_OWN, N_FIBRES)
        share = jax.nn.softmax(logit)
        scatter = {name: node[name] + own[i] for i, name in enumerate(SCATTERED)}
        conductor = fm.PlanarConductor(
            fat=p["fat"],
            skin=1 * mm,
            muscle_across=0.1,
            muscle_along=p["muscle_along"],
            fat_conductivity=p["fat_conductivity"],
            skin_conductivity=10 ** p["skin_conductivity"],
            reach=0.24,
            k_max=2e3,
        )
        lead = conductor.lead_field(placed.rotate(p["inclination"]))
        across = p["half_width"] * node["across"]
        depth = p["depth"] + p["half_height"] * (1 + node["deep"]) + p["territory_tilt"] * across
        below = p["fat"] + 1 * mm + jnp.maximum(depth, SHALLOWEST)
        centre = p["zone"] + p["zone_tilt"] * across + p["zone_curve"] * across**2
        zone = centre + p["zone_spread"] * scatter["zone"]
        up = p["zone"] + p["length_up"] + p["end_spread"] * scatter["up"]
        down = p["zone"] - p["length_down"] + p["end_spread"] * scatter["down"]
        fibres = fm.Fibres(
            jnp.stack([p["x"] + across, -below], axis=1),
            zone,
            jnp.maximum(jnp.stack([up - zone, zone - down], axis=1), 2 * mm),
            p["velocity"] * (1 + p["velocity_spread"] * scatter["velocity"]),
            50e-6 * jnp.sqrt(share),  # the source grows with the square of the diameter
            p["delay"],
        )
        potential = fm.motor_unit_potentials(
            lead,
            fibres,
            unit,
            sampling_rate=sampling_rate,
            n_samples=BEFORE + AFTER + 2 * MARGIN,
            start=-(BEFORE + MARGIN) / sampling_rate,
            action_potential=fm.rosenfalck(decay_length=p["decay_length"]),
        )[0]
        return potential @ band

    return muap


class Fit:
    """The three steps of the search, each compiled once for all units of a montage."""

    def __init__(self, muap: Callable[[jax.Array], jax.Array], matrix: Any, muaps: Any) -> None:
        matrix = jnp.asarray(matrix, dtype=float)
        size = np.sqrt((muaps**2).sum(axis=(1, 2), keepdims=True))
        self.data = jnp.asarray(muaps / size, dtype=float)

        def shape(theta: jax.Array) -> jax.Array:
            return (matrix @ muap(theta)) * 1e6

        def residual(theta: jax.Array, data: jax.Array) -> jax.Array:
            fitted = shape(theta)
            gain = jnp.maximum(jnp.sum(fitted * data) / jnp.sum(fitted * fitted), 0.0)
            return (data - gain * fitted).ravel()

        def prior(theta: jax.Array) -> jax.Array:
            return jnp.concatenate([0.005 * theta[:N_SHAPE], 0.02 * theta[N_SHAPE:]])

        def loss(theta: jax.Array, data: jax.Array) -> jax.Array:
            return jnp.sum(residual(theta, data) ** 2) + jnp.sum(prior(theta) ** 2)

        def score(theta: jax.Array) -> jax.Array:
            """Highest cosine with every unit over whole-sample shifts of the model, and that shift."""
            fitted = shape(theta)
            shifts = range(-10, 11)
            moved = jnp.stack([jnp.roll(fitted, s, axis=1) for s in shifts])
            value = jnp.einsum("soc,uoc->us", moved, self.data) / jnp.linalg.norm(fitted)
            return jnp.stack([value.max(axis=1), value.argmax(axis=1) - 10.0], axis=1)

        optimiser = optax.adam(optax.cosine_decay_schedule(0.08, 120))

        def adam(start: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            theta, data = start

            def step(state: Any, _: None) -> tuple[Any, None]:
                theta, memory = state
                gradient = jax.grad(loss)(theta, data)
                update, memory = optimiser.update(jnp.nan_to_num(gradient), memory)
                return (optax.apply_updates(theta, update), memory), None

            (theta, _), _ = jax.lax.scan(step, (theta, optimiser.init(theta)), length=120)
            return theta, loss(theta, data)

        def whole(theta: jax.Array, data: jax.Array) -> jax.Array:
            return jnp.concatenate([residual(theta, data), prior(theta)])

        def normal(theta: jax.Array, data: jax.Array) -> tuple[jax.Array, jax.Array]:
            r, jacobian = whole(theta, data), jax.jacfwd(whole)(theta, data)
            return jacobian.T @ jacobian, jacobian.T @ r

        # One after another: the model's tables are kept in memory only where nothing is batched.
        self.shape = jax.jit(shape)
        self.loss = jax.jit(loss)
        self.normal = jax.jit(normal)
        self.score = jax.jit(lambda bank: jax.lax.map(score, bank))
        self.adam = jax.jit(lambda starts, data: jax.lax.map(adam, (starts, data)))

    def refine(
        self, starts: np.ndarray, units: Sequence[int], n_steps: int, shared: Sequence[str] = ()
    ) -> tuple[np.ndarray, float]:
        """Levenberg–Marquardt on the sum of the losses of some units, with some parameters in common.

        Parameters
        ----------
        starts : ndarray, shape (len(units), N_PARAMETERS)
            Where to begin; what is shared begins at its mean.
        units : sequence of int
            Which measured MUAP each row is for.
        n_steps : int
            Steps tried.
        shared : sequence of str
            Names in `RANGES`.

        Returns
        -------
        (thetas, loss) : ndarray of the shape of `starts`, and float
        """
        place = np.arange(starts.size).reshape(starts.shape)
        tied = [list(RANGES).index(name) for name in shared]
        place[:, tied] = place[0, tied]
        _, inverse = np.unique(place, return_inverse=True)
        place = inverse.reshape(starts.shape)
        joint = np.bincount(place.ravel(), starts.ravel()) / np.bincount(place.ravel())

        def cost(joint: np.ndarray) -> float:
            rows = jnp.asarray(joint[place], dtype=float)
            return sum(float(self.loss(row, self.data[unit])) for row, unit in zip(rows, units))

        damping, best, moved = 1e-3, cost(joint), True
        for _ in range(n_steps):
            if moved:
                curvature, slope = np.zeros((joint.size, joint.size)), np.zeros(joint.size)
                for row, where, unit in zip(jnp.asarray(joint[place], dtype=float), place, units):
                    h, g = self.normal(row, self.data[unit])
                    curvature[np.ix_(where, where)] += h
                    slope[where] += g
            move = np.linalg.solve(curvature + damping * np.eye(joint.size), slope)
            tried = joint - np.clip(move, -1.0, 1.0)
            value = cost(tried)
            moved = value < best
            damping = float(np.clip(damping / 4 if moved else damping * 5, 1e-6, 1e3))
            if moved:
                joint, best = tried, value
        return joint[place], best

    def search(self, sampling_rate: float, n_bank: int, n_adam: int, n_refined: int, seed: int) -> np.ndarray:
        """Best parameter vector of every unit, shape (n_units, n_parameters)."""
        n_units = len(self.data)
        rng = np.random.default_rng(seed)
        bank = np.zeros((n_bank, N_PARAMETERS))
        bank[:, :N_SHAPE] = rng.logistic(0, 0.8, (n_bank, N_SHAPE))
        began = time.perf_counter()
        scores = np.nan_to_num(np.asarray(self.score(jnp.asarray(bank, dtype=float))), nan=-1.0)
        say(f"bank of {n_bank}: best cosines {np.round(scores[:, :, 0].max(axis=0), 3)}", began)
        delay = list(RANGES).index("delay")
        low, high = RANGES["delay"][:2]
        starts = []
        for unit in range(n_units):
            for choice in np.argsort(scores[:, unit, 0])[: -n_adam - 1 : -1]:
                theta = bank[choice].copy()
                fraction = 1 / (1 + np.exp(-theta[delay]))
                fraction += scores[choice, unit, 1] / sampling_rate / (high - low)
                fraction = np.clip(fraction, 0.05, 0.95)
                theta[delay] = np.log(fraction / (1 - fraction))
                starts.append(theta)
        began = time.perf_counter()
        of_unit = np.repeat(np.arange(n_units), n_adam)
        thetas, losses = self.adam(jnp.asarray(np.array(starts), dtype=float), self.data[of_unit])
        thetas, losses = self._best(thetas, losses, n_adam, n_refined)
        say(f"Adam: losses {np.round(losses, 3)[:, 0]}", began)
        began = time.perf_counter()
        chosen = np.empty((n_units, N_PARAMETERS))
        for unit in range(n_units):
            tried = [self.refine(theta[None], [unit], 12) for theta in thetas[unit]]
            chosen[unit] = min(tried, key=lambda result: result[1])[0][0]
        losses = [float(self.loss(jnp.asarray(t, dtype=float), d)) for t, d in zip(chosen, self.data)]
        say(f"Levenberg–Marquardt, each alone: losses {np.round(losses, 3)}", began)
        return chosen

    @staticmethod
    def _best(
        thetas: jax.Array, losses: jax.Array, n_each: int, n_kept: int
    ) -> tuple[np.ndarray, np.ndarray]:
        values = np.nan_to_num(np.asarray(losses).reshape(-1, n_each), nan=np.inf)
        order = np.argsort(values, axis=1)[:, :n_kept]
        grouped = np.asarray(thetas).reshape(-1, n_each, N_PARAMETERS)
        return (
            np.take_along_axis(grouped, order[:, :, None], axis=1),
            np.take_along_axis(values, order, axis=1),
        )


def say(what: str, began: float) -> None:
    print(f"  {what} ({time.perf_counter() - began:.0f} s)", flush=True)
