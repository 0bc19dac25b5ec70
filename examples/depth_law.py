"""How amplitude falls with depth: steeply for the travelling wave, hardly for the fibre's end.

python examples/depth_law.py [figure.png]
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from forward_models import ElectrodeArray, Fibres, presets, single_fibre_potentials
from forward_models.units import mm, ms

SAMPLING_RATE, N_SAMPLES = 16384.0, 500


def main(path: str | None = None) -> None:
    """Compute, print the exponents and draw."""
    depth = np.geomspace(4 * mm, 12 * mm, 9)  # below the skin
    pair = ElectrodeArray.line(2, 8 * mm, start=(0.0, 0.0, 16 * mm))
    lead_field = presets.planar(fat=1 * mm, skin=1 * mm).lead_field(pair)
    fibres = Fibres(np.column_stack([0 * depth, -depth]), end_plate=0.0, half_lengths=60 * mm, velocity=4.0)
    potentials = np.asarray(
        single_fibre_potentials(lead_field, fibres, sampling_rate=SAMPLING_RATE, n_samples=N_SAMPLES)
    )
    time = np.arange(N_SAMPLES) / SAMPLING_RATE
    monopolar, differential = potentials[:, 0], potentials[:, 1] - potentials[:, 0]
    parts = {
        "travelling wave, monopolar": monopolar[:, time < 14 * ms],
        "travelling wave, single differential": differential[:, time < 14 * ms],
        "end of the fibre, monopolar": monopolar[:, time > 15 * ms],
    }
    figure, axis = plt.subplots(figsize=(6, 4.5), layout="constrained")
    for name, signal in parts.items():
        amplitude = np.ptp(signal, axis=1)
        exponent = np.polyfit(np.log(depth), np.log(amplitude), 1)[0]
        print(f"{name}: depth^{exponent:.2f}")
        axis.loglog(depth / mm, amplitude * 1e6, "o-", label=f"{name} ({exponent:.2f})")
    axis.set(xlabel="depth below the skin (mm)", ylabel="peak to peak (µV)", title="One fibre, 60 + 60 mm")
    axis.legend()
    if path is not None:
        figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main(*sys.argv[1:2])
