"""Checks of what a caller gives to the physics; each message names the argument and what is allowed."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ForwardModelError", "positive"]


class ForwardModelError(ValueError):
    """An argument of a forward model has a wrong shape or an impossible value."""


def positive(name: str, value: Any, unit: str, *, allow_zero: bool = False) -> float:
    """Return `value` as a finite float > 0 (or ≥ 0), or raise `ForwardModelError` naming it."""
    limit = "≥ 0" if allow_zero else "> 0"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ForwardModelError(f"{name} must be a finite number {limit} {unit}, got {value!r}") from None
    if not np.isfinite(number) or number < 0 or (number == 0 and not allow_zero):
        raise ForwardModelError(f"{name} must be a finite number {limit} {unit}, got {value!r}")
    return number
