"""Published conductivities and geometries, each with its source, and the conductors made of them.

The numbers for muscle, fat and skin were compared with how others quote the same sources: MyoGen 0.12 for
Botelho et al. 2019 (its table 1) and Andreassen & Rosenfalck 1980, semgsim for Farina & Merletti 2001. That of
bone is quoted from memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike

from forward_models._checks import ForwardModelError
from forward_models.conductors.cylinder import CylinderConductor
from forward_models.conductors.planar import PlanarConductor
from forward_models.conductors.unbounded import UnboundedConductor
from forward_models.units import mm

__all__ = ["CONDUCTIVITIES", "Conductivities", "conductivities", "cylinder", "planar", "unbounded"]


@dataclass(frozen=True)
class Conductivities:
    """Conductivities of a limb's tissues in S/m, and where they were published.

    Parameters
    ----------
    muscle_across, muscle_along : float
        Muscle across and along its fibres.
    fat, skin : float
        Subcutaneous tissue and skin.
    bone : float
        Cortical bone.
    source : str
        Author, year and what the numbers were measured or chosen for.
    """

    muscle_across: float
    muscle_along: float
    fat: float
    skin: float
    bone: float
    source: str


CONDUCTIVITIES: dict[str, Conductivities] = {
    "farina_merletti_2001": Conductivities(
        muscle_across=0.1,
        muscle_along=0.5,
        fat=0.05,
        skin=1.0,
        bone=0.02,
        source="Farina & Merletti 2001 (10.1109/10.923782); skin as conductive as its wet lower layers; "
        "bone from Farina et al. 2004 (10.1109/TBME.2003.820998)",
    ),
    "botelho_2019": Conductivities(
        muscle_across=0.09,
        muscle_along=0.4,
        fat=0.0407,
        skin=4.88e-4,
        bone=0.02,
        source="Pereira Botelho, Curran & Lowery 2019 (10.1371/journal.pcbi.1007267), table 1; dry skin; "
        "bone from Farina et al. 2004 (10.1109/TBME.2003.820998)",
    ),
    "andreassen_rosenfalck_1980": Conductivities(
        muscle_across=0.063,
        muscle_along=0.33,
        fat=0.05,
        skin=1.0,
        bone=0.02,
        source="Muscle: Andreassen & Rosenfalck 1980, for intramuscular recordings; "
        "other tissues as in Farina & Merletti 2001 (10.1109/10.923782)",
    ),
}
"""Published sets by name. Skin spans four decades between them: choose knowingly."""


def conductivities(name: str) -> Conductivities:
    """A published set by its name.

    Raises
    ------
    ForwardModelError
        If the name is unknown; the message lists those that exist.
    """
    if name not in CONDUCTIVITIES:
        raise ForwardModelError(f"tissue must be one of {', '.join(CONDUCTIVITIES)}; got {name!r}")
    return CONDUCTIVITIES[name]


def planar(
    tissue: str = "farina_merletti_2001", *, fat: ArrayLike = 3 * mm, skin: ArrayLike = 1 * mm, **options: Any
) -> PlanarConductor:
    """Layered half-space of a published set of conductivities.

    Parameters
    ----------
    tissue : str
        Key of `CONDUCTIVITIES`.
    fat, skin : float
        Thicknesses in metres; 3 mm and 1 mm are those of Farina & Merletti's examples.
    **options
        `reach` and `k_max` of `PlanarConductor`.
    """
    values = conductivities(tissue)
    return PlanarConductor(
        fat=fat,
        skin=skin,
        muscle_across=values.muscle_across,
        muscle_along=values.muscle_along,
        fat_conductivity=values.fat,
        skin_conductivity=values.skin,
        **options,
    )


def cylinder(
    tissue: str = "farina_merletti_2001",
    *,
    radius: ArrayLike = 40 * mm,
    fat: ArrayLike = 3 * mm,
    skin: ArrayLike = 1 * mm,
    bone_radius: ArrayLike | None = None,
    **options: Any,
) -> CylinderConductor:
    """Layered cylinder of a published set of conductivities.

    Parameters
    ----------
    tissue : str
        Key of `CONDUCTIVITIES`.
    radius : float
        Outer radius of the limb in metres, skin included; 40 mm is a forearm's belly.
    fat, skin : float
        Thicknesses in metres.
    bone_radius : float, optional
        Radius of a bone on the axis in metres.
    **options
        `reach`, `k_max` and `n_max` of `CylinderConductor`.
    """
    values = conductivities(tissue)
    return CylinderConductor(
        muscle_radius=jnp.asarray(radius) - fat - skin,
        fat=fat,
        skin=skin,
        muscle_across=values.muscle_across,
        muscle_along=values.muscle_along,
        fat_conductivity=values.fat,
        skin_conductivity=values.skin,
        bone_radius=bone_radius,
        bone_conductivity=None if bone_radius is None else values.bone,
        **options,
    )


def unbounded(tissue: str = "andreassen_rosenfalck_1980") -> UnboundedConductor:
    """Unbounded muscle of a published set of conductivities, for intramuscular electrodes.

    Parameters
    ----------
    tissue : str
        Key of `CONDUCTIVITIES`.
    """
    values = conductivities(tissue)
    return UnboundedConductor(muscle_across=values.muscle_across, muscle_along=values.muscle_along)
