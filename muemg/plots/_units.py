"""Which unit is meant."""

from __future__ import annotations

from muemg.errors import InvalidArgumentError, check_count
from muemg.results import Decomposition

__all__ = ["check_unit"]


def check_unit(decomposition: Decomposition, unit: int) -> int:
    """The index of a unit, or an error that says which there are."""
    index = check_count("unit", unit, minimum=0)
    if index >= len(decomposition):
        have = f"0..{len(decomposition) - 1}" if len(decomposition) else "nothing: there are no units"
        raise InvalidArgumentError(f"unit must be an index in {have}; got {unit}")
    return index
