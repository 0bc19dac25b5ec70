"""What went wrong with what the caller gave: one family of errors, and the checks that raise them.

Every message names the argument, says what came and what is allowed. The checks run at the border
(constructors, readers, public functions); code further in trusts its types.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

__all__ = [
    "ConvergenceWarning",
    "FileFormatError",
    "InvalidArgumentError",
    "MuemgError",
    "UnusableRecordingError",
    "check_count",
    "check_fraction",
    "check_instance",
    "check_option",
    "check_positive",
]


class MuemgError(ValueError):
    """Base of every error that muemg raises about its input."""


class InvalidArgumentError(MuemgError):
    """An argument has the wrong type, shape or value."""


class FileFormatError(MuemgError):
    """A file is not what its name says, is truncated, or holds something this version cannot read."""


class UnusableRecordingError(MuemgError):
    """A well-formed recording that cannot be processed: every channel bad, or too short."""


class ConvergenceWarning(UserWarning):
    """A numerical method stopped before it converged; its result says how far it came."""


def check_positive(name: str, value: Any, unit: str = "", *, allow_zero: bool = False) -> float:
    """Return `value` as a finite float > 0 (or ≥ 0), or raise naming it.

    Parameters
    ----------
    name : str
        The argument's name, as the caller wrote it.
    value : object
        What came.
    unit : str
        Unit for the message, such as ``"Hz"``.
    allow_zero : bool
        Whether zero passes.

    Raises
    ------
    InvalidArgumentError
        If `value` is not a real number, not finite, or not positive.
    """
    limit = "≥ 0" if allow_zero else "> 0"
    wanted = f"a finite number {limit}{' ' + unit if unit else ''}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidArgumentError(f"{name} must be {wanted}, got {value!r}")
    number = float(value)
    if not math.isfinite(number) or number < 0 or (number == 0 and not allow_zero):
        raise InvalidArgumentError(f"{name} must be {wanted}, got {value!r}")
    return number


def check_fraction(name: str, value: Any) -> float:
    """Return `value` as a float in [0, 1], or raise `InvalidArgumentError` naming it."""
    number = check_positive(name, value, allow_zero=True)
    if number > 1:
        raise InvalidArgumentError(f"{name} must be between 0 and 1, got {value!r}")
    return number


def check_count(name: str, value: Any, *, minimum: int = 1) -> int:
    """Return `value` as an int ≥ `minimum`, or raise `InvalidArgumentError` naming it."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InvalidArgumentError(f"{name} must be an integer ≥ {minimum}, got {value!r}")
    if int(value) < minimum:
        raise InvalidArgumentError(f"{name} must be an integer ≥ {minimum}, got {value!r}")
    return int(value)


def check_option(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """Return `value` if it is one of `allowed`, or raise `InvalidArgumentError` listing them."""
    options = list(allowed)
    if value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise InvalidArgumentError(f"{name} must be one of {listed}; got {value!r}")
    return value


def check_instance(name: str, value: Any, kind: type, hint: str = "") -> Any:
    """Return `value` if it is a `kind`, or raise `InvalidArgumentError`, with a hint what to pass instead."""
    if not isinstance(value, kind):
        came = type(value).__name__
        raise InvalidArgumentError(
            f"{name} must be a {kind.__name__}, got {came}{'; ' + hint if hint else ''}"
        )
    return value
