"""Contents: what one file holds, the same record for every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, overload

from muemg.errors import FileFormatError, InvalidArgumentError, check_instance, check_option
from muemg.recording import Recording
from muemg.results import Decomposition, Simulation
from muemg.spikes import SpikeTrains

__all__ = ["Contents", "as_contents"]

_PARTS: dict[str, tuple[type, str]] = {
    "recording": (Recording, "recording"),
    "spikes": (SpikeTrains, "known spike trains"),
    "decomposition": (Decomposition, "decomposition"),
    "simulation": (Simulation, "simulation"),
}


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds; the parts that it does not hold are None.

    Two contents are equal if they hold equal parts and metadata, whatever the format and the path.

    Parameters
    ----------
    format : str
        Name of the format it came from, such as ``"muemg-hdf5"``; empty if it did not come from a file.
    recording : Recording, optional
        The signal. Where a simulation is given and this is not, the simulation's.
    spikes : SpikeTrains, optional
        Trains known from elsewhere: the truth of a simulation, or what a vendor's software exported. Where a
        simulation is given and this is not, the simulation's.
    decomposition : Decomposition, optional
        Motor units that muemg, or another tool that keeps its sources, found.
    simulation : Simulation, optional
        The simulation that the recording comes from.
    path : Path, optional
        The file.
    metadata : mapping of str to JSON values, optional
        What the file says beyond its parts.

    Raises
    ------
    InvalidArgumentError
        If a part has the wrong type, or the parts do not share one clock (sampling rate and length).
    """

    format: str = ""
    recording: Recording | None = None
    spikes: SpikeTrains | None = None
    decomposition: Decomposition | None = None
    simulation: Simulation | None = None
    path: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (kind, _) in _PARTS.items():
            if getattr(self, name) is not None:
                check_instance(name, getattr(self, name), kind)
        if self.simulation is not None:
            if self.recording is None:
                object.__setattr__(self, "recording", self.simulation.recording)
            if self.spikes is None:
                object.__setattr__(self, "spikes", self.simulation.spikes)
        object.__setattr__(self, "path", None if self.path is None else Path(self.path))
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        self._check_one_clock()

    def _check_one_clock(self) -> None:
        clocks: dict[str, tuple[int, float]] = {}
        for name in ("recording", "spikes"):
            part = getattr(self, name)
            if part is not None:
                clocks[name] = (part.n_samples, part.sampling_rate)
        if self.decomposition is not None:
            trains = self.decomposition.spikes
            clocks["decomposition"] = (trains.n_samples, trains.sampling_rate)
        if len(set(clocks.values())) > 1:
            said = "; ".join(f"{name}: {n} samples at {rate:g} Hz" for name, (n, rate) in clocks.items())
            raise InvalidArgumentError(f"the parts must share one clock, got {said}")

    # ------------------------------------------------------------------ parts

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts that are there."""
        return tuple(name for name in _PARTS if getattr(self, name) is not None)

    @overload
    def require(self, part: Literal["recording"]) -> Recording: ...
    @overload
    def require(self, part: Literal["spikes"]) -> SpikeTrains: ...
    @overload
    def require(self, part: Literal["decomposition"]) -> Decomposition: ...
    @overload
    def require(self, part: Literal["simulation"]) -> Simulation: ...
    def require(self, part: str) -> Any:
        """The named part, or a clear error.

        Parameters
        ----------
        part : {"recording", "spikes", "decomposition", "simulation"}
            What is needed.

        Raises
        ------
        FileFormatError
            If the file does not hold it; the message names the file and what it does hold.
        """
        check_option("part", part, _PARTS)
        value = getattr(self, part)
        if value is None:
            raise FileFormatError(f"{self._whose()} holds no {_PARTS[part][1]}, only {self._held()}")
        return value

    def spike_trains(self, prefer: Literal["known", "found"] = "known") -> SpikeTrains:
        """The spike trains: those known from elsewhere, or those of the decomposition, whichever is there.

        Parameters
        ----------
        prefer : {"known", "found"}
            Which ones where both are there: ``"known"`` (`spikes`) to compare with, ``"found"``
            (`decomposition.spikes`) to be compared.

        Raises
        ------
        FileFormatError
            If there are neither.
        """
        check_option("prefer", prefer, ("known", "found"))
        found = None if self.decomposition is None else self.decomposition.spikes
        order = (self.spikes, found) if prefer == "known" else (found, self.spikes)
        for trains in order:
            if trains is not None:
                return trains
        raise FileFormatError(f"{self._whose()} holds no spike trains, only {self._held()}")

    def _whose(self) -> str:
        return str(self.path) if self.path is not None else "this Contents"

    def _held(self) -> str:
        return (
            ", ".join(f"a {_PARTS[name][1]}" for name in self.parts).replace("a known", "known") or "metadata"
        )

    # ------------------------------------------------------------------ comparison and display

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Contents):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _PARTS) and dict(
            self.metadata
        ) == dict(other.metadata)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        origin = " ".join(
            ([f"of {self.path.name}"] if self.path is not None else [])
            + ([f"({self.format})"] if self.format else [])
        )
        lines = [f"<Contents {origin}".rstrip() + (":" if self.parts else ": nothing")]
        for name in self.parts:
            # A decomposition and a simulation print a table or repeat the recording; their first line says
            # enough.
            first = repr(getattr(self, name)).splitlines()[0].removeprefix("<").removesuffix(">")
            lines.append(f"  {name}: {first}")
        return "\n".join(lines) + ">"


def as_contents(what: object) -> Contents:
    """What is to be written, as contents."""
    match what:
        case Contents():
            if not what.parts:
                raise InvalidArgumentError("what must hold at least one part to write, got empty Contents")
            return what
        case Recording():
            return Contents(recording=what)
        case SpikeTrains():
            return Contents(spikes=what)
        case Decomposition():
            return Contents(decomposition=what)
        case Simulation():
            return Contents(simulation=what)
    raise InvalidArgumentError(
        "what must be a Recording, SpikeTrains, Decomposition, Simulation or Contents, "
        f"got {type(what).__name__}"
    )
