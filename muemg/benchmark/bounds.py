"""The upper bounds as methods: they are given the simulation, and find what someone who knows every potential finds."""

from __future__ import annotations

from typing import Any

from muemg.results import Decomposition, Simulation
from muemg.separation import upper_bound

__all__ = ["cancelling_upper_bound", "linear_upper_bound"]


def linear_upper_bound(simulation: Simulation, *, seed: int = 0, **settings: Any) -> Decomposition:
    """`muemg.separation.linear_upper_bound` of a simulation; the seed is of no meaning."""
    return upper_bound.linear_upper_bound(*_truth(simulation), muap_offset=simulation.muap_offset, **settings)


def cancelling_upper_bound(simulation: Simulation, *, seed: int = 0, **settings: Any) -> Decomposition:
    """`muemg.separation.cancelling_upper_bound` of a simulation; the seed is of no meaning."""
    return upper_bound.cancelling_upper_bound(
        *_truth(simulation), muap_offset=simulation.muap_offset, **settings
    )


def _truth(simulation: Simulation) -> tuple[Any, Any, Any]:
    return simulation.recording, simulation.spikes, simulation.muaps
