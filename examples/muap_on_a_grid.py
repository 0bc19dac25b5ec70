"""A motor unit action potential on a 13 × 5 grid: 200 fibres under 3 mm of fat.

python examples/muap_on_a_grid.py [figure.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from forward_models import ElectrodeArray, Fibres, motor_unit_potentials, presets
from forward_models.units import mm, ms, um

SAMPLING_RATE, N_SAMPLES = 2048.0, 80


def territory(n_fibres: int, center: tuple[float, float], radius: float, seed: int) -> Fibres:
    """Fibres scattered evenly over a circle, their end-plates and tendon ends around common values."""
    rng = np.random.default_rng(seed)
    distance, angle = radius * np.sqrt(rng.uniform(size=n_fibres)), rng.uniform(0, 2 * np.pi, n_fibres)
    return Fibres(
        transverse=np.column_stack(
            [center[0] + distance * np.cos(angle), center[1] + distance * np.sin(angle)]
        ),
        end_plate=10 * mm + 2 * mm * rng.standard_normal(n_fibres),
        half_lengths=rng.uniform(55 * mm, 65 * mm, (n_fibres, 2)),
        velocity=rng.normal(4.0, 0.1, n_fibres),
        diameter=55 * um,
    )


def main(path: str | None = None) -> None:
    """Compute and draw."""
    electrodes = ElectrodeArray.from_code("GR08MM1305")
    lead_field = presets.planar(fat=3 * mm, skin=1 * mm).lead_field(electrodes)
    fibres = territory(200, center=(4 * mm, -12 * mm), radius=5 * mm, seed=0)
    unit = np.zeros(len(fibres), dtype=int)
    muap = np.asarray(
        motor_unit_potentials(lead_field, fibres, unit, sampling_rate=SAMPLING_RATE, n_samples=N_SAMPLES)
    )[0]
    print(f"largest peak-to-peak: {np.ptp(muap, axis=1).max() * 1e6:.0f} µV")
    figure, axes = plt.subplots(13, 5, figsize=(7, 10), sharex=True, sharey=True, layout="constrained")
    time = np.arange(N_SAMPLES) / SAMPLING_RATE / ms
    for axis in axes.flat:
        axis.axis("off")
    for (row, column), potential in zip(electrodes.grid_index, muap):
        axes[row, column].plot(time, potential * 1e6, color="k", linewidth=0.8)
    figure.suptitle("One motor unit, 13 rows along the fibres, 39 ms each")
    if path is not None:
        figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:2])
