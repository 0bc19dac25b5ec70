"""What an EDF header can say: records of samples, physical ranges in eight characters, labels in sixteen.

A recording comes back with its exact number of samples because it is cut into records of equal length that
hold all of it (Kemp et al. 1992 leave the duration of a record free); nothing is ever padded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from muemg.errors import InvalidArgumentError

__all__ = [
    "BITS",
    "DIMENSION_LENGTH",
    "OWN_ENTRY",
    "PREFIX",
    "UNIT_ENTRY",
    "VOLTS_PER",
    "Records",
    "ascii_labels",
    "cut_into_records",
    "finite_range",
    "names_of",
    "physical_range",
    "volts_per_unit",
]

_NUMBER_LENGTH = 8
_LABEL_LENGTH = 16
DIMENSION_LENGTH = 8
_LARGEST_PHYSICAL = 9_999_000.0  # with a sign and some room to round outwards
_LARGEST_COUNT = 10**_NUMBER_LENGTH - 1

BITS = {"EDF": 16, "BDF": 24}
# How EDF+ labels of EMG begin (Kemp & Olivan 2003), and the annotations that muemg writes.
PREFIX = "EMG "
OWN_ENTRY = "muemg "
UNIT_ENTRY = "motor unit "

VOLTS_PER = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "nV": 1e-9}


def volts_per_unit(unit: str) -> float | None:
    """Volts per unit, whichever way micro is written; None if it is no unit of volts."""
    plain = unit.strip().replace("Â", "").replace("µ", "u").replace("μ", "u")
    for name, volts in VOLTS_PER.items():
        if plain in (name, name.replace("V", "v"), name.replace("V", "Volt"), name.replace("V", "Volts")):
            return volts
    return {"volt": 1.0, "volts": 1.0, "millivolt": 1e-3, "microvolt": 1e-6, "microvolts": 1e-6}.get(
        plain.lower()
    )


# ---------------------------------------------------------------------- records


@dataclass(frozen=True)
class Records:
    """How samples are cut: `count` records of `length` samples that last `duration` seconds each.

    `exact` says whether length / duration is the sampling rate, or only as near as eight characters allow.
    """

    count: int
    length: int
    duration: float
    exact: bool


def cut_into_records(n_samples: int, sampling_rate: float) -> Records:
    """Records of equal length that hold exactly `n_samples`.

    Their duration must fit eight characters: among the divisors of `n_samples` the one whose duration is
    exact and nearest to one second is taken, and where none is exact, the one with the smallest error.

    Raises
    ------
    InvalidArgumentError
        If no divisor of `n_samples` gives a duration that the header can hold.
    """
    rate = Fraction(repr(float(sampling_rate)))
    best: tuple[tuple[bool, float], Records] | None = None
    for length in _divisors(n_samples):
        count = n_samples // length
        text = _fixed_point(length / rate)
        if text is None or length > _LARGEST_COUNT or count > _LARGEST_COUNT:
            continue
        duration = Fraction(text)
        error = abs(float(duration * rate / length - 1))
        key = (error > 0, error if error else abs(math.log(duration)))
        if best is None or key < best[0]:
            best = key, Records(count, length, float(text), error == 0)
    if best is None:
        raise InvalidArgumentError(
            f"EDF cannot hold {n_samples} samples at {sampling_rate:g} Hz: no record of equal length has a "
            "duration of eight characters; write .h5, or leave out a sample"
        )
    return best[1]


def _divisors(number: int) -> list[int]:
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def _fixed_point(value: Fraction) -> str | None:
    """The nearest decimal of eight characters, without an exponent; None if it is zero or too long."""
    whole = len(str(int(value)))
    decimals = _NUMBER_LENGTH - 1 - whole
    if whole > _NUMBER_LENGTH:
        return None
    text = f"{float(value):.{max(decimals, 0)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    # Python writes floats below 1e-4 with an exponent, which EDF does not allow.
    return text if len(text) <= _NUMBER_LENGTH and float(text) >= 1e-4 else None


# ---------------------------------------------------------------------- physical ranges


def physical_range(name: str, low: float, high: float) -> tuple[float, float]:
    """The narrowest range that holds `low` to `high` and whose ends are decimals of eight characters.

    A constant gets its own value as the lower end, so that it comes back as a constant.

    Raises
    ------
    InvalidArgumentError
        If a value has more than seven digits before the point.
    """
    if max(abs(low), abs(high)) >= _LARGEST_PHYSICAL:
        raise InvalidArgumentError(
            f"EDF and BDF hold numbers of at most seven digits, {name} reaches {max(low, high, key=abs):g}: "
            "give it in a larger unit"
        )
    first = _outward(low, math.floor)
    last = _outward(high, math.ceil)
    if first == last:
        last = _outward(math.nextafter(high, math.inf) + max(1e-4, abs(high) * 1e-5), math.ceil)
    return first, last


def _outward(value: float, towards: Callable[[Fraction], int]) -> float:
    room = _NUMBER_LENGTH - (value < 0)
    whole = len(str(int(abs(value))))
    decimals = max(0, room - 1 - whole)
    while True:
        # Whole numbers are exact in Fraction, where value * 10**decimals would be rounded.
        scaled = towards(Fraction(value) * 10**decimals)
        number = float(Fraction(scaled, 10**decimals))
        text = f"{number:.{decimals}f}"
        if len(text) <= _NUMBER_LENGTH or not decimals:
            break
        decimals -= 1  # rounding outwards made it one digit longer
    # Below 1e-4 Python would write an exponent: take the next decimal that needs none.
    if 0 < abs(number) < 1e-4:
        number = math.copysign(1e-4, number) if (number > 0) == (towards is math.ceil) else 0.0
    return number


# ---------------------------------------------------------------------- labels


def ascii_labels(names: list[str], taken: set[str]) -> list[str]:
    """One different label of at most 16 printable ASCII characters per name; adds them to `taken`."""
    labels = []
    for name in names:
        plain = "".join(c if " " <= c <= "~" else "_" for c in name).strip() or "_"
        label, number = plain[:_LABEL_LENGTH].strip(), 1
        while label in taken:
            number += 1
            label = f"{plain[: _LABEL_LENGTH - 1 - len(str(number))].strip()}~{number}"
        taken.add(label)
        labels.append(label)
    return labels


def names_of(labels: list[str]) -> list[str]:
    """EDF+ labels begin with the type of signal; a name does without."""
    if all(label.startswith(PREFIX) for label in labels):
        return [label.removeprefix(PREFIX) for label in labels]
    return list(labels)


def finite_range(name: str, values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value, or an error that says how many are no numbers."""
    n_missing = int(np.count_nonzero(~np.isfinite(values)))
    if n_missing:
        raise InvalidArgumentError(
            f"EDF and BDF hold only finite samples, {name} has {n_missing} that are not: "
            "leave the channel out, or write .h5"
        )
    return float(values.min()), float(values.max())
