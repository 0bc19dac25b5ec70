"""The voxel volume: against the layered cylinder's series, its tensors, reading, gradients, bad input."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forward_models import ElectrodeArray, Fibres, ForwardModelError, anatomy, single_fibre_potentials
from forward_models.conductors import LabelledVolume
from forward_models.fibres import CurvedFibres
from tests.oracles.layered_cylinder import transfer

RADII = [12e-3, 15e-3, 17e-3]
TISSUES = ["muscle", "fat", "skin"]
CONDUCTIVITY = anatomy.limb_conductivities("farina_merletti_2001")
LEGEND = {1: ("m", "muscle"), 2: ("f", "fat")}
WINDOW = {"sampling_rate": 2048.0, "n_samples": 60}


@pytest.fixture(autouse=True)
def float64():
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def electrodes(angles):
    angles = np.asarray(angles)
    return ElectrodeArray(
        np.column_stack([RADII[-1] * np.sin(angles), RADII[-1] * np.cos(angles), 0 * angles]), 1.5e-3
    )


def block(n=8, half=4):
    """A block of fat with muscle in its lower half."""
    labels = np.full((n, n, n), 2)
    labels[:, :half] = 1
    return labels


@pytest.fixture(scope="module")
def small():
    jax.config.update("jax_enable_x64", True)
    volume = LabelledVolume(
        block(),
        2e-3,
        LEGEND,
        {"muscle": (0.1, 0.5), "fat": 0.05},
        fibre_direction=(0.2, 0.1, 1.0),
        grounded_ends=False,
        tolerance=1e-11,
    )
    jax.config.update("jax_enable_x64", False)
    return volume, ElectrodeArray([[0.3e-3, 8e-3, -1e-3], [5e-3, 8e-3, 3e-3]], 1e-3)


def test_agrees_with_the_layered_cylinder_and_converges():
    limb = anatomy.layered_cylinder(RADII, TISSUES)
    angles = np.array([0.1, 0.8])
    z = np.linspace(-25e-3, 25e-3, 51)
    depth = np.array([1e-3, 4e-3, 11e-3])
    # ∂b/∂z = −(1/π) ∫ k B sin kz dk; midpoints with the first image 0.63 m away.
    k = (np.arange(300) + 0.5) * 10.0
    exact = []
    for d in depth:
        spectrum = transfer(
            k, RADII[1 - 1] - d, angles, RADII, [CONDUCTIVITY[t] for t in TISSUES], disc_radius=1.5e-3
        )
        exact.append(-10.0 / np.pi * (k[:, None] * spectrum).T @ np.sin(np.outer(k, z)))
    exact = np.array(exact)
    errors = []
    for spacing in ((3e-3, 3e-3, 3e-3), (1.5e-3, 1.5e-3, 2e-3)):
        volume = LabelledVolume.extruded(limb, CONDUCTIVITY, length=0.09, spacing=spacing)
        lead_field = volume.lead_field(electrodes(angles))
        step = 1e-4
        slope = []
        for d in depth:
            points = np.column_stack([0 * z, 0 * z + RADII[0] - d, z])
            ahead, behind = (lead_field.at(points + sign * np.array([0, 0, step])) for sign in (1, -1))
            slope.append(np.asarray(ahead - behind) / (2 * step))
        errors.append(((np.array(slope) - exact) ** 2).sum(axis=(1, 2)) / (exact**2).sum(axis=(1, 2)))
    # The project's limit is 5 %; voxels of 1.5 mm reach below 2 % even 1 mm under the muscle's surface.
    assert (errors[1] < 0.02).all()
    assert errors[1].mean() < errors[0].mean() / 2


def test_energy_of_a_uniform_field_is_exact(small):
    """uᵀA u = V gᵀσg for u = g·r, with an oblique tensor: every term of the element matrices is seen."""
    volume, _ = small
    system = volume._tables.system
    tensors = np.asarray(volume.conductivity)
    gradient = np.array([1.0, -2.0, 0.7])
    nodes = np.argwhere(system.node_index >= 0) * system.spacing
    order = system.node_index[system.node_index >= 0]
    potential = np.empty(system.n_nodes)
    potential[order] = nodes @ gradient
    along = np.array([0.2, 0.1, 1.0]) / np.linalg.norm([0.2, 0.1, 1.0])
    expected = 0.0
    for tissue, (across, axial) in {"muscle": (0.1, 0.5), "fat": (0.05, 0.05)}.items():
        sigma = across * np.eye(3) + (axial - across) * np.outer(along, along)
        count = (system.tissue == volume.tissues.index(tissue)).sum()
        expected += count * 8e-9 * gradient @ sigma @ gradient
    assert potential @ (system.matrix(tensors) @ potential) == pytest.approx(expected, rel=1e-12)


def test_turned_body_gives_the_same_lead_field(small):
    """The same block with fibres along x instead of z, electrodes and points turned with it."""
    volumes = []
    for axes, direction in (((0, 1, 2), (0, 0, 1)), ((2, 1, 0), (1, 0, 0))):
        volume = LabelledVolume(
            np.transpose(block(), axes),
            2e-3,
            LEGEND,
            {"muscle": (0.1, 0.5), "fat": 0.05},
            fibre_direction=direction,
            grounded_ends=False,
            tolerance=1e-10,
        )
        order = list(axes)
        array = ElectrodeArray(np.array([[1e-3, 8e-3, 3e-3]])[:, order], 1e-3)
        points = np.array([[1e-3, -2e-3, 0.5e-3], [-3e-3, -5e-3, 2e-3]])[:, order]
        volumes.append(np.asarray(volume.lead_field(array).at(points)))
    # The disc's samples turn with another phase; what is left is the solver's tolerance and that.
    np.testing.assert_allclose(volumes[0], volumes[1], rtol=1e-3)


def test_reciprocity(small):
    volume, array = small
    system = volume._tables.system
    loads = system.loads(np.asarray(array.positions), array.radius)
    np.testing.assert_allclose(loads.sum(axis=0), 1.0, rtol=1e-12)
    potentials = system.solver(np.asarray(volume.conductivity))(loads)
    mutual = loads.T @ potentials
    assert mutual[0, 1] == pytest.approx(mutual[1, 0], rel=1e-8)


def test_gradient_by_position_and_conductivity(small):
    volume, array = small
    lead_field = volume.lead_field(array)
    weights = jnp.array([[1.0], [-0.6]])

    def by_point(point):
        return jnp.sum(weights * lead_field.at(point[None]))

    for point in ([1.2e-3, -3.1e-3, 0.4e-3], [0.1e-3, -0.2e-3, -2.3e-3]):
        at = jnp.array(point)
        central = [(by_point(at + 1e-6 * e) - by_point(at - 1e-6 * e)) / 2e-6 for e in jnp.eye(3)]
        # 1e-3 is the project's limit for labelled conductors; nothing here is worse than rounding.
        np.testing.assert_allclose(
            jax.grad(by_point)(at), central, rtol=1e-6, atol=1e-6 * np.abs(central).max()
        )

    points = jnp.array([[1e-3, -3e-3, 0.0], [-2e-3, -1e-3, 4e-3]])

    def by_conductivity(tensors):
        other = eqx.tree_at(lambda v: v.conductivity, volume, tensors)
        return jnp.sum(weights * other.lead_field(array).at(points) * jnp.array([1.0, -1.0]))

    tensors = volume.conductivity
    gradient = jax.grad(by_conductivity)(tensors)
    for index in ((0, 0, 0), (0, 2, 2), (1, 1, 1), (1, 2, 2)):
        step = 1e-3 * float(tensors[index])
        central = (
            by_conductivity(tensors.at[index].add(step)) - by_conductivity(tensors.at[index].add(-step))
        ) / (2 * step)
        # Central differences of a relative step 1e-3 are good to 1e-6.
        np.testing.assert_allclose(gradient[index], central, rtol=1e-4, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(jax.jit(by_conductivity)(tensors), by_conductivity(tensors), rtol=1e-10)


def test_straight_and_curved_fibres_agree(small):
    volume, array = small
    lead_field = volume.lead_field(array)
    straight = Fibres(np.array([[1e-3, -3e-3]]), 0.5e-3, np.array([6e-3, 7e-3]), 3.0)
    path = np.column_stack([np.full(400, 1e-3), np.full(400, -3e-3), np.linspace(-6.5e-3, 6.5e-3, 400)])
    curved = CurvedFibres(path[None], 7e-3, 3.0)
    a = np.asarray(single_fibre_potentials(lead_field, straight, **WINDOW))
    b = np.asarray(single_fibre_potentials(lead_field, curved, **WINDOW))
    # Steps of 33 µm against 27 µm along the fibre.
    np.testing.assert_allclose(a, b, atol=2e-3 * np.abs(a).max())


def test_bad_input_is_refused(small):
    volume, array = small
    good = {"muscle": (0.1, 0.5), "fat": 0.05}
    apart = block()
    apart[:, 4] = 0
    with pytest.raises(ForwardModelError, match="one connected piece of tissue, got 2"):
        LabelledVolume(apart, 2e-3, LEGEND, good)
    with pytest.raises(ForwardModelError, match=r"labels \[2\] that the legend does not name"):
        LabelledVolume(block(), 2e-3, {1: ("m", "muscle")}, good)
    with pytest.raises(ForwardModelError, match=r"no value for \['fat'\]"):
        LabelledVolume(block(), 2e-3, LEGEND, {"muscle": 0.1})
    for bad in (np.diag([0.1, -0.1, 0.5]), [[0.1, 0.3, 0], [0.3, 0.1, 0], [0, 0, 0.5]], (0.1, 0.0), -1.0):
        with pytest.raises(
            ForwardModelError, match="conductivity of muscle must be finite, symmetric and positive"
        ):
            LabelledVolume(block(), 2e-3, LEGEND, good | {"muscle": np.asarray(bad)})
    with pytest.raises(ForwardModelError, match="fibre_direction must have shape"):
        LabelledVolume(block(), 2e-3, LEGEND, good, fibre_direction=np.zeros((8, 8, 3)))
    with pytest.raises(ForwardModelError, match="nowhere zero"):
        LabelledVolume(block(), 2e-3, LEGEND, good, fibre_direction=(0.0, 0.0, 0.0))
    with pytest.raises(ForwardModelError, match="label_map must be integers"):
        LabelledVolume(block().astype(float), 2e-3, LEGEND, good)
    with pytest.raises(ForwardModelError, match="sources must name a tissue"):
        LabelledVolume(block(), 2e-3, LEGEND, good, sources=("tendon",))
    with pytest.raises(ForwardModelError, match="electrode 0 is"):
        volume.lead_field(ElectrodeArray([[0.0, 0.0, 0.0]]))
    lead_field = volume.lead_field(array)
    with pytest.raises(ForwardModelError, match="lies in fat"):
        single_fibre_potentials(lead_field, Fibres(np.array([[0.0, 3e-3]]), 0.0, 3e-3), **WINDOW)
    with pytest.raises(ForwardModelError, match="lies in air"):
        single_fibre_potentials(lead_field, Fibres(np.array([[0.0, -3e-3]]), 0.0, 30e-3), **WINDOW)
