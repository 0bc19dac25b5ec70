"""A scenario: everything that decides what a simulated recording looks like, apart from the seed.

In Python its fields are SI; in TOML files the keys carry the unit (``fat_mm = 3``). Sections left out, and
keys left out of a section, keep their defaults, or what the preset named by ``base`` says.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from muemg.errors import FileFormatError, InvalidArgumentError, check_option
from muemg.simulation._schema import Section, from_table, line_of, to_table, unknown_key
from muemg.simulation.neural import course_of
from muemg.simulation.sections import (
    Amplifier,
    Commands,
    Conductor,
    Drive,
    Electrodes,
    Fatigue,
    Movement,
    Muscle,
    Neurons,
    Noise,
    Pathology,
    Timing,
)

__all__ = ["Scenario", "preset_names"]


_SECTIONS: dict[str, type[Section]] = {
    "recording": Timing,
    "electrodes": Electrodes,
    "conductor": Conductor,
    "muscle": Muscle,
    "neurons": Neurons,
    "drive": Drive,
    "noise": Noise,
    "amplifier": Amplifier,
    "commands": Commands,
    "movement": Movement,
    "fatigue": Fatigue,
    "pathology": Pathology,
}


@dataclass(frozen=True)
class Scenario:
    """Everything that decides a simulated recording, apart from the seed. SI.

    Parameters
    ----------
    name, description : str
        For people.
    recording : Timing
        Duration, sampling rate, noise.
    electrodes : Electrodes
        The array.
    conductor : Conductor
        The tissue.
    muscle : Muscle
        Cross-section, motor units, fibres.
    neurons : Neurons
        Recruitment and discharge.
    drive : Drive
        Excitation, or force, in time.
    noise : Noise
        Interference besides the random noise.
    amplifier : Amplifier
        Montage, offsets, quantisation, dead channels.
    commands : Commands
        Several courses of excitation.
    movement, fatigue, pathology : Movement, Fatigue, Pathology
        What is not isometric, not rested, not healthy.

    Raises
    ------
    InvalidArgumentError
        If a value, or the combination of several, is impossible.
    """

    name: str = "unnamed"
    description: str = ""
    recording: Timing = field(default_factory=Timing)
    electrodes: Electrodes = field(default_factory=Electrodes)
    conductor: Conductor = field(default_factory=Conductor)
    muscle: Muscle = field(default_factory=Muscle)
    neurons: Neurons = field(default_factory=Neurons)
    drive: Drive = field(default_factory=Drive)
    noise: Noise = field(default_factory=Noise)
    amplifier: Amplifier = field(default_factory=Amplifier)
    commands: Commands = field(default_factory=Commands)
    movement: Movement = field(default_factory=Movement)
    fatigue: Fatigue = field(default_factory=Fatigue)
    pathology: Pathology = field(default_factory=Pathology)

    def __post_init__(self) -> None:
        # What only several values together decide is decided where it is used: make it once, here.
        self.muscle.architecture()
        self.neurons.pool(self.muscle.n_units)
        if self.n_samples < 2:
            raise InvalidArgumentError(
                f"recording.duration_s must hold at least two samples, got {self.recording.duration:g} s"
            )
        if self.drive.profile == "trapezoid":
            edges = 2 * (self.drive.rest + self.drive.ramp)
            if edges >= self.recording.duration:
                raise InvalidArgumentError(
                    f"drive.rest_s and drive.ramp_s, twice each, must be shorter than recording.duration_s, "
                    f"got {edges:g} and {self.recording.duration:g} s"
                )
        try:
            course_of(self.drive, self.n_samples, self.recording.sampling_rate)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"drive: {error}") from None

    @property
    def n_samples(self) -> int:
        """Length of the recording in samples."""
        return round(self.recording.duration * self.recording.sampling_rate)

    # ------------------------------------------------------------------ tables and files

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Scenario:
        """A scenario from nested tables with units in the keys, such as ``{"drive": {"level": 0.2}}``.

        Raises
        ------
        InvalidArgumentError
            If a section or key does not exist (the message lists those that do) or a value is impossible.
        """
        return cls._from_tables(settings, lambda section, key: "")

    @classmethod
    def from_toml(cls, path: str | Path) -> Scenario:
        """A scenario from a TOML file.

        Raises
        ------
        FileFormatError
            If the file cannot be read or is not TOML; the message names file and line.
        InvalidArgumentError
            As `from_dict`; the message names file and line.
        """
        file = Path(path)
        try:
            source = file.read_text(encoding="utf-8")
            tables = tomllib.loads(source)
        except OSError as error:
            raise FileFormatError(f"cannot read scenario {str(file)!r}: {error.strerror or error}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise FileFormatError(f"{file.name} is not a TOML file: {error}") from error

        def where(section: str, key: str) -> str:
            line = line_of(source, section, key) or line_of(source, section, "")
            return f"{file.name}, line {line}: " if line else f"{file.name}: "

        return cls._from_tables({"name": file.stem, **tables}, where)

    @classmethod
    def preset(cls, name: str) -> Scenario:
        """One of the ready-made scenarios that `preset_names` lists."""
        check_option("preset", name, preset_names())
        return cls.from_toml(Path(str(resources.files("muemg.simulation.presets") / f"{name}.toml")))

    @classmethod
    def load(cls, scenario: str | Path | Mapping[str, Any] | Scenario | None) -> Scenario:
        """Whatever names a scenario, as one: a preset's name, a TOML file, tables, or None for the defaults.

        Raises
        ------
        InvalidArgumentError, FileFormatError
            If it is none of these, or as `from_dict` and `from_toml`.
        """
        if isinstance(scenario, Scenario):
            return scenario
        if scenario is None:
            return cls(name="default")
        if isinstance(scenario, Mapping):
            return cls.from_dict(scenario)
        if isinstance(scenario, str) and scenario in preset_names():
            return cls.preset(scenario)
        if isinstance(scenario, str | Path):
            if not Path(scenario).exists():
                raise InvalidArgumentError(
                    f"scenario must be an existing TOML file or one of {', '.join(preset_names())}; "
                    f"got {str(scenario)!r}"
                )
            return cls.from_toml(scenario)
        raise InvalidArgumentError(
            f"scenario must be a name, a path, a Scenario or a mapping, got {type(scenario).__name__}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Nested tables with units in the keys; `from_dict` reads them back."""
        tables: dict[str, Any] = {"name": self.name, "description": self.description}
        return tables | {section: to_table(getattr(self, section)) for section in _SECTIONS}

    def override(self, settings: Mapping[str, Any]) -> Scenario:
        """The scenario with some settings replaced, such as ``{"drive.level": 0.2, "conductor.fat_mm": 5}``.

        Parameters
        ----------
        settings : mapping of str to value
            Keys as in a file, section and key joined by a dot. Text is read as TOML where a number is due.

        Raises
        ------
        InvalidArgumentError
            As `from_dict`.
        """
        tables = self.to_dict()
        for dotted, value in settings.items():
            section, _, key = str(dotted).partition(".")
            if section in ("name", "description") and not key:
                tables[section] = value
                continue
            if section not in _SECTIONS:
                raise unknown_key(str(dotted), section, _SECTIONS)
            if isinstance(value, str) and not isinstance(tables[section].get(key), str):
                value = _toml_value(value)
            tables[section] = {**tables[section], key: value}
        return Scenario.from_dict(tables)

    @classmethod
    def _from_tables(cls, settings: Mapping[str, Any], where: Any) -> Scenario:
        tables = dict(settings)
        start = cls()
        if "base" in tables:
            base = tables.pop("base")
            if base not in preset_names():
                listed = ", ".join(preset_names())
                raise InvalidArgumentError(f"{where('', 'base')}base must be one of {listed}; got {base!r}")
            start = cls.preset(base)
        values: dict[str, Any] = {}
        for name in ("name", "description"):
            value = tables.pop(name, getattr(start, name))
            if not isinstance(value, str):
                raise InvalidArgumentError(f"{where('', name)}{name} must be text, got {value!r}")
            values[name] = value
        for section in tables:
            if section not in _SECTIONS:
                message = f"{where(section, '')}{section}"
                raise unknown_key(message, section, ("name", "description", "base", *_SECTIONS))
        for section, kind in _SECTIONS.items():
            given = tables.get(section, {})
            if isinstance(given, Mapping):
                given = {**to_table(getattr(start, section)), **given}
            values[section] = from_table(kind, section, given, lambda key, s=section: where(s, key))
        return cls(**values)


def preset_names() -> tuple[str, ...]:
    """Names of the ready-made scenarios."""
    folder = resources.files("muemg.simulation.presets")
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def _toml_value(written: str) -> Any:
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return written
