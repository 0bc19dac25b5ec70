"""Two neural commands in one muscle: which motor unit follows which, and what the commands were.

python examples/separate_commands.py [figure.png]

A pool of 30 motor neurons; two slow commands, to be told apart from the spikes alone. Ten units hear both.
"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from muemg import SpikeTrains
from muemg.decoding import CommandSeparation
from muemg.drive import count_frames
from muemg.neurons import CommonInput, IntegrateAndFirePool

RATE, SECONDS, FRAMES = 1000.0, 30.0, 50.0

rng = np.random.default_rng(1)
n_samples = int(RATE * SECONDS)
drawn = CommonInput.draw(2, SECONDS, deviation=0.12, correlation=0.0, cutoff=1.0, rng=rng)
commands = np.array([drawn.row(k, n_samples, RATE) for k in range(2)])
shares = np.repeat([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], 10, axis=0)[rng.permutation(30)]
pool = IntegrateAndFirePool(30, last_threshold=0.25)
trains = [
    pool.train(0.35 * (1 + share @ commands), RATE, unit=unit, rng=rng) for unit, share in enumerate(shares)
]
counts = count_frames(SpikeTrains(tuple(trains), RATE, n_samples), FRAMES)

found = CommandSeparation(frame_rate=FRAMES, n_surrogates=20).fit(counts)
courses = found.transform(counts)
time = (np.arange(len(counts)) + 0.5) / FRAMES
true = commands[:, (time * RATE).astype(int)]
agreement = np.corrcoef(courses.T, true)[: found.n_commands_, found.n_commands_ :] ** 2
order = agreement.argmax(axis=0)  # commands have no order: which of those recovered is which of those sent

figure, axes = plt.subplots(1 + found.n_commands_, 1, figsize=(8, 7), layout="constrained")
for k, (axis, column) in enumerate(zip(axes, order)):
    axis.plot(time, true[k] / true[k].std(), color="0.7", lw=3, label="sent")
    axis.plot(time, courses[:, column], lw=1, label=f"recovered, R² = {agreement[column, k]:.2f}")
    axis.set(ylabel=f"command {k + 1}", xlabel="time (s)", xlim=(0, SECONDS))
    axis.legend(loc="upper right")
truth = np.where(shares.max(axis=1) < 1, -1, shares.argmax(axis=1))
for label, name in ((0, "first command"), (1, "second command"), (-1, "both")):
    axes[-1].plot(*found.weights_[truth == label][:, order].T, "o", label=f"sent: {name}")
axes[-1].set(xlabel="weight of command 1", ylabel="weight of command 2", aspect="equal")
axes[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "commands.png", dpi=120)

follows = np.where(found.labels_ >= 0, np.argsort(order)[found.labels_], -1)
print(f"{found.n_commands_} commands; R² to those sent: {np.round(agreement.max(axis=0), 2)}")
print(f"{np.count_nonzero(follows == truth)} of {len(truth)} motor units assigned to what they were sent")
