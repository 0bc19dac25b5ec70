"""Which methods decompose a recording: one entry point, a method by its name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from muemg.errors import InvalidArgumentError, check_instance, check_option
from muemg.recording import Recording
from muemg.results import Decomposition

__all__ = ["METHODS", "decompose"]

METHODS = {
    "fastica": ("muemg.separation", "FastICA"),
    "ckc": ("muemg.separation", "CKC"),
    "bmiss": ("muemg.inversion", "BMISS"),
}
"""Module and class of each method; the class takes the parameters and has ``decompose(recording, seed=…)``."""


def decompose(
    recording: Recording,
    method: str = "fastica",
    *,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
    **parameters: Any,
) -> Decomposition:
    """Find the motor units in a recording.

    Parameters
    ----------
    recording : Recording
        A raw recording: bad channels are excluded, the power line removed and the signal band-passed here.
    method : str
        ``"fastica"``: convolutive fastICA with joint peel-off (`muemg.separation.FastICA`). ``"ckc"``: convolution
        kernel compensation, likewise (`muemg.separation.CKC`). ``"bmiss"``: separation
        informed by a forward model (`muemg.inversion.BMISS`), which needs ``conductor``.
    seed : int
        The same seed gives the same result on the same machine.
    progress : callable(float, str), optional
        Told the share done, from 0 to 1, and what is being done.
    **parameters
        Of the method's class, such as ``accepted_only=False``.

    Returns
    -------
    Decomposition
        The accepted units, best silhouette first.

    Raises
    ------
    InvalidArgumentError
        If the method or a parameter is unknown or out of range.
    UnusableRecordingError
        If every channel is bad or the recording is too short.
    """
    check_instance("recording", recording, Recording, "muemg.read(path).recording gives one")
    module, name = METHODS[check_option("method", method, METHODS)]
    kind = getattr(import_module(module), name)
    unknown = sorted(set(parameters) - set(kind.__dataclass_fields__))
    if unknown:
        allowed = ", ".join(kind.__dataclass_fields__)
        raise InvalidArgumentError(
            f"{unknown[0]!r} is no parameter of {method!r}; the parameters are {allowed}"
        )
    return kind(**parameters).decompose(recording, seed=seed, progress=progress)
