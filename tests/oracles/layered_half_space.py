"""Slow oracle: layered half-space, one 4 × 4 boundary-value problem per spatial frequency.

Shares no code with `forward_models`. At (k_x, k_z) the potential is, with y upwards from the muscle's
surface and the source at y = −depth: muscle S e^(−k_a|y + depth|) + M e^(k_a y); fat F₁ e^(k_y y) + F₂
e^(−k_y y); skin G₁, G₂ alike. Unknown M, F, G: five; the outer condition eliminates one (G₁ e^(k_y H) = G₂
e^(−k_y H)).
"""

import numpy as np
from scipy.special import kv


def transfer(kx, kz, depth, *, fat, skin, sx, sz, sf, ss):
    """Potential on the skin per unit current, V·m²/A; growing exponentials scaled by their layer."""
    ky, ka = np.hypot(kx, kz), np.sqrt(kx**2 + sz / sx * kz**2)
    source = np.exp(-ka * depth) / (2 * sx * ka)
    down_fat, down_skin = np.exp(-ky * fat), np.exp(-ky * skin)
    # Columns: M, F_up (1 at the top of the fat), F_down (1 at its bottom), G (skin, cosh about the air).
    cosh, sinh = (1 + down_skin**2) / 2, (1 - down_skin**2) / 2
    system = np.array(
        [
            [1, -down_fat, -1, 0],
            [sx * ka, -sf * ky * down_fat, sf * ky, 0],
            [0, 1, down_fat, -cosh],
            [0, sf * ky, -sf * ky * down_fat, ss * ky * sinh],
        ]
    )
    right = np.array([-source, sx * ka * source, 0, 0])
    return np.linalg.solve(system, right)[3] * down_skin


def homogeneous_spectrum(k, across, depth, *, sx, sz):
    """B of a uniform anisotropic half-space seen from its surface: the image doubles the unbounded one."""
    distance = np.hypot(across, depth)
    return 2 * kv(0, np.sqrt(sz / sx) * k * distance) / (2 * np.pi * sx)


def homogeneous_lead_field(across, depth, z, *, sx, sz):
    """b of the same half-space at a point, V/A."""
    return 2 / (4 * np.pi * np.sqrt(sx * sz * (across**2 + depth**2) + sx**2 * z**2))
