"""Conductivities of a limb's tissues by the names that the slices use."""

from __future__ import annotations

from forward_models.presets import conductivities

__all__ = ["limb_conductivities"]

# S/m, blood at low frequency: Gabriel, Lau & Gabriel 1996, Phys. Med. Biol. 41:2251–2269.
_BLOOD = 0.7


def limb_conductivities(name: str = "botelho_2019") -> dict[str, tuple[float, float]]:
    """A published set as (across, along) the fibres in S/m for muscle, fat, skin, bone and vessel.

    Parameters
    ----------
    name : str
        Key of `forward_models.presets.CONDUCTIVITIES`, where its source stands. Blood, for the vessels, is
        0.7 S/m (Gabriel, Lau & Gabriel 1996).

    Raises
    ------
    ForwardModelError
        If the name is unknown.
    """
    values = conductivities(name)
    return {
        "muscle": (values.muscle_across, values.muscle_along),
        "fat": (values.fat, values.fat),
        "skin": (values.skin, values.skin),
        "bone": (values.bone, values.bone),
        "vessel": (_BLOOD, _BLOOD),
    }
