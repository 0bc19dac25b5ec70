"""What does one electrode of a forearm bracelet hear, and where? The lead field through the forearm map."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from forward_models import CrossSection, Fibres, anatomy, single_fibre_potentials

forearm = anatomy.forearm(fat_thickness=3e-3)
conductor = CrossSection(forearm, anatomy.limb_conductivities("botelho_2019"), edge=1.5e-3, inner_edge=3e-3)
bracelet = forearm.bracelet(3, 16, 10e-3, radius=1.5e-3)
lead_field = conductor.lead_field(bracelet)
mesh = conductor.mesh
centres = mesh.points[mesh.triangles].mean(axis=1)
muscle = np.isin(mesh.labels, [forearm.label(name) for name in forearm.muscles])

figure, (where, hears, potential) = plt.subplots(1, 3, figsize=(16, 5), layout="constrained")
millimetres = 1e3 * mesh.points.T

# The map: muscles in colour, and the electrodes on the skin.
where.tripcolor(*millimetres, mesh.triangles, mesh.labels, cmap="tab20", alpha=0.7)
for name in forearm.muscles:
    middle = 1e3 * centres[mesh.labels == forearm.label(name)].mean(axis=0)
    where.annotate(name.replace(" ", "\n"), middle, ha="center", va="center", fontsize=6)
where.plot(*(1e3 * bracelet.positions[:16, :2].T), "ko", markersize=4)
where.set_title("schematic forearm, 16 columns of electrodes")

# The lead field of the electrode over the palm, at its own height, against 4 cm away along the limb.
electrode = 16
here = np.column_stack([centres[muscle], np.zeros(muscle.sum())])
b = np.asarray(lead_field.at(here) - lead_field.at(here + np.array([0, 0, 0.04])))[electrode]
values = np.full(len(centres), np.nan)
values[muscle] = np.log10(b)
shown = hears.tripcolor(*millimetres, mesh.triangles, values, cmap="viridis")
figure.colorbar(shown, ax=hears, label="log₁₀ of the lead field in V/A, against 40 mm away")
for edge in mesh.boundary:
    hears.plot(*millimetres[:, edge], color="0.6", linewidth=0.5)
hears.plot(*(1e3 * bracelet.positions[electrode, :2]), "r^")
hears.set_title("what the red electrode hears")
for axes in (where, hears):
    axes.set(xlabel="towards the thumb's side (mm)", ylabel="towards the palm (mm)", aspect="equal")

# Two fibres under that electrode, 4 and 12 mm deep in the muscle, end-plates 20 mm along the limb.
skin = bracelet.positions[electrode, :2]
depths = np.array([8.5e-3, 16e-3])
fibres = Fibres(skin - np.outer(depths, [0, 1]), -20e-3, np.array([60e-3, 50e-3]))
signals = np.asarray(single_fibre_potentials(lead_field, fibres, sampling_rate=4096.0, n_samples=120))
times = np.arange(120) / 4096 * 1e3
for depth, signal in zip(depths, signals[:, electrode], strict=True):
    potential.plot(times, 1e6 * signal, label=f"{depth * 1e3:g} mm under the skin")
potential.set(xlabel="time after the discharge (ms)", ylabel="potential (µV)", title="one fibre of 50 µm")
potential.legend()

path = sys.argv[1] if len(sys.argv) > 1 else "forearm_lead_field.png"
figure.savefig(path, dpi=120)
print(f"{conductor.mesh.triangles.shape[0]} triangles, {bracelet.n_channels} electrodes: see {path}")
