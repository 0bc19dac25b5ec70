"""Cosine and sine of phases against NumPy's, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forward_models._trigonometry import cosine_sine


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1.5e-7), (np.float64, 1e-13)])
def test_cosine_and_sine(dtype, tolerance):
    with jax.enable_x64(dtype == np.float64):
        # All quadrants, their borders, and the largest phases of a fibre: 4000 rad/m · 0.3 m.
        phase = np.append(np.linspace(-1200, 1200, 30011), np.arange(-20, 21) * np.pi / 4).astype(dtype)
        cosine, sine = cosine_sine(jnp.asarray(phase))
        assert cosine.dtype == dtype
        np.testing.assert_allclose(cosine, np.cos(phase.astype(np.float64)), atol=tolerance)
        np.testing.assert_allclose(sine, np.sin(phase.astype(np.float64)), atol=tolerance)
        slopes = jax.vmap(jax.jacfwd(cosine_sine))(jnp.asarray(phase))
        np.testing.assert_allclose(slopes[0], -sine)
        np.testing.assert_allclose(slopes[1], cosine)
