"""Separation informed by the forward model, on a simulation: it knows the tissue between fibres and electrodes."""

from __future__ import annotations

from typing import Any

from muemg.methods import decompose
from muemg.results import Decomposition, Simulation
from muemg.simulation import Scenario
from muemg.simulation.geometry import make_scene

__all__ = ["bmiss"]

_REACH = 0.12  # metres along the fibres that the conductor resolves


def bmiss(simulation: Simulation, *, seed: int = 0, **settings: Any) -> Decomposition:
    """`muemg.inversion.BMISS` with the volume conductor of the simulation; of the motor units it knows nothing.

    Parameters
    ----------
    simulation : Simulation
        Its scenario says what the tissue is.
    seed : int
        Of the search.
    **settings
        Parameters of `muemg.inversion.BMISS`.
    """
    plan = Scenario.from_dict(simulation.parameters["scenario"])
    scene = make_scene(plan.conductor, plan.electrodes, plan.muscle)
    return decompose(
        simulation.recording, method="bmiss", seed=seed, conductor=scene.tissue(_REACH), **settings
    )
