"""A small muscle under 8 × 4 electrodes: the model, a bank, and units with all of their fibres."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import forward_models as fm
from forward_models import presets
from forward_models.units import mm
from muemg.inversion.bank import Bank
from muemg.inversion.unit_model import UnitModel, band_pass_matrix

RATE = 2048.0
N_LAGS, OFFSET, N_DELAYS = 96, 48, 12
COVER = 4 * mm  # 3 mm of fat and 1 mm of skin


@pytest.fixture(scope="session")
def conductor():
    return presets.planar(fat=3 * mm, skin=1 * mm, reach=0.1, k_max=1.5e3)


@pytest.fixture(scope="session")
def electrodes():
    return fm.ElectrodeArray.grid(8, 4, 8 * mm)


@pytest.fixture(scope="session")
def model(conductor, electrodes):
    return UnitModel.make(conductor, electrodes, RATE, n_lags=N_LAGS, offset=OFFSET, low=20.0, high=500.0)


@pytest.fixture(scope="session")
def bank(model):
    return Bank.make(model, 512, N_DELAYS, seed=0)


@pytest.fixture(scope="session")
def true_units(conductor, electrodes):
    """Three units of 150 fibres each, scattered at random, summed fibre by fibre and band-passed."""
    rng = np.random.default_rng(5)
    anatomy = {
        "lateral": np.array([-9.0, 1.0, 8.0]) * mm,
        "depth": np.array([7.0, 9.0, 11.0]) * mm,
        "zone": np.array([-5.0, 3.0, 8.0]) * mm,
        "distal_length": np.array([50.0, 45.0, 42.0]) * mm,
        "proximal_length": np.array([42.0, 48.0, 52.0]) * mm,
        "velocity": np.array([3.6, 4.1, 4.6]),
        "radius": np.array([1.5, 2.5, 3.5]) * mm,
    }
    n = 150
    margin = (len(band_pass_matrix(RATE, N_LAGS, 20.0, 500.0)) - N_LAGS) // 2
    muaps = []
    lead = conductor.lead_field(electrodes)
    for i in range(3):
        a = {name: values[i] for name, values in anatomy.items()}
        radius, angle = a["radius"] * np.sqrt(rng.uniform(size=n)), rng.uniform(0, 2 * np.pi, n)
        plate = a["zone"] + 1.5 * mm * rng.standard_normal(n)
        ends = np.stack([a["zone"] + a["distal_length"], a["zone"] - a["proximal_length"]])[:, None]
        ends = ends + 2 * mm * rng.standard_normal((2, n))
        x, y = a["lateral"] + radius * np.cos(angle), -(a["depth"] + radius * np.sin(angle))
        fibres = fm.Fibres(
            np.column_stack([x, y]),
            plate,
            np.column_stack([ends[0] - plate, plate - ends[1]]),
            a["velocity"] + 0.1 * rng.standard_normal(n),
        )
        raw = fm.motor_unit_potentials(
            lead,
            fibres,
            np.zeros(n, dtype=int),
            sampling_rate=RATE,
            n_samples=N_LAGS + 2 * margin,
            start=-(OFFSET + margin) / RATE,
        )
        muaps.append(np.asarray(raw[0]) @ band_pass_matrix(RATE, N_LAGS, 20.0, 500.0))
    return SimpleNamespace(anatomy=anatomy, muaps=np.array(muaps, dtype=np.float32))


@pytest.fixture(scope="session")
def at_truth(model, true_units):
    """The model's MUAPs at the true parameters."""
    from muemg.inversion.parameters import INDEX

    theta = np.tile((model.ranges.low + model.ranges.high) / 2, (3, 1))
    theta[:, INDEX["plate_scatter"]], theta[:, INDEX["end_scatter"]] = 1.5 * mm, 2 * mm
    theta[:, INDEX["zone_tilt"]] = 0.0
    for name, values in true_units.anatomy.items():
        theta[:, INDEX[name]] = values
    unbounded = model.ranges.unbounded(theta)
    assert np.allclose(np.asarray(model.ranges.physical(jnp.asarray(unbounded))), theta, rtol=1e-4, atol=1e-6)
    return SimpleNamespace(unbounded=unbounded, muaps=model.muaps(unbounded))
