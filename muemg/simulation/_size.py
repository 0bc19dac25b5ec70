"""How large a recording will be, told from its scenario."""

from __future__ import annotations

from forward_models import ElectrodeArray
from muemg.muscle.pathology import SLOWEST_DISEASED_FIBRE
from muemg.simulation.muaps import window_length
from muemg.simulation.scenario import Scenario
from muemg.simulation.sections import Electrodes

__all__ = ["recording_bytes"]

_SAMPLE = 4  # bytes


def recording_bytes(scenario: Scenario) -> int:
    """Bytes of a scenario's signal and of all action potentials that are computed for it."""
    s = scenario
    architecture, disease = s.muscle.architecture(), s.pathology
    slowing = 1 - s.fatigue.velocity_loss
    if disease.kind == "myopathic":
        slowing = min(slowing, SLOWEST_DISEASED_FIBRE / architecture.slowest_fibre)
    n_lags = window_length(architecture, s.recording.sampling_rate, slowing=slowing)
    templates = 1
    if s.movement.moves:
        templates = s.movement.nodes
    elif s.fatigue.velocity_loss:
        templates = s.fatigue.nodes
    elif disease.jitter or disease.blocking:
        templates = disease.variants
    return _SAMPLE * _n_channels(s.electrodes) * (s.n_samples + templates * s.muscle.n_units * n_lags)


def _n_channels(electrodes: Electrodes) -> int:
    e = electrodes
    one = len(ElectrodeArray.from_code(e.code)) if e.code else e.rows * e.columns
    return one * (e.tiles_along * e.tiles_across if e.layout == "grid" else 1)
