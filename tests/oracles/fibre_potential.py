"""Slow oracle: the potential of one fibre, by summing its transmembrane current over a fine grid.

Shares no code with `forward_models`. The axial current σ_i π a² ∂V/∂z (with its sign) is sampled between
nodes, what leaves it is the difference of neighbours, and each node's current meets the lead field at that
node.
"""

import numpy as np


def rosenfalck(s):
    """Membrane potential in volts s metres behind the front."""
    x = np.maximum(s, 0) * 1e3
    return 96e-3 * x**3 * np.exp(-x) - 90e-3


def transmembrane_current(times, *, end_plate, right, left, velocity, diameter, step=2e-5, conductivity=1.01):
    """Current in amperes leaving each node, (n_times, n_nodes), and the nodes' z in metres."""
    n_right, n_left = round(right / step), round(left / step)
    z = end_plate + step * np.arange(-n_left, n_right + 1)
    middle = (z[1:] + z[:-1]) / 2
    potential = rosenfalck(velocity * times[:, None] - np.abs(z - end_plate))
    axial = -conductivity * np.pi * diameter**2 / 4 * np.diff(potential, axis=1) / step
    sealed = np.zeros((len(times), 1))
    assert middle.size == axial.shape[1]
    return -np.diff(np.concatenate([sealed, axial, sealed], axis=1), axis=1), z


def potential(times, lead_field, **fibre):
    """Volts at one electrode; `lead_field(z)` in V/A along the fibre."""
    current, z = transmembrane_current(times, **fibre)
    return current @ lead_field(z)
