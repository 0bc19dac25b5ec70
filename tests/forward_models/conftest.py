"""What every test of the physics shares: float64, the reference tissue, and the reference fibre."""

import jax
import pytest


@pytest.fixture
def float64():
    """Double precision inside the test, whatever it was before."""
    with jax.enable_x64(True):
        yield
