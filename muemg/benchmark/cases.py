"""What is decomposed: a scene is a scenario of the simulator, a real recording or a file; a case one recording of it.

Simulating is done once: a case lies in the cache under a name that ends in the digest of everything that decides its
bytes, both as native HDF5 with its truth and as an ``.npz`` with nothing but ``emg`` and ``fs``, for other programs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from muemg.benchmark.methods import source_digest
from muemg.datasets import cache_folder, vastus_lateralis
from muemg.errors import FileFormatError, InvalidArgumentError, MuemgError
from muemg.io import FORMATS, Contents, bids_recordings, read, write
from muemg.io._atomic import atomic_write
from muemg.simulation import Scenario, preset_names, simulate
from muemg.simulation.plan import json_ready

__all__ = ["BenchmarkError", "Case", "Scene", "scene_names", "scenes_of_folder"]

REAL = "vastus-lateralis"
_LIBRARIES = ("numpy", "scipy", "jax", "jaxlib", "numba")


class BenchmarkError(MuemgError):
    """A benchmark cannot be run, or its results cannot be read. What was measured stays."""


@dataclass(frozen=True)
class Case:
    """One recording with its truth, ready to be decomposed.

    Parameters
    ----------
    scene : str
        Name of its scene.
    changes : mapping of str to JSON values
        Settings of the scene's scenario that were changed.
    seed : int
        Of the simulation, and of the methods.
    file, bare : Path
        With the truth, for `muemg.read`, and without it.
    complete : bool
        Whether the truth holds every motor unit that can be found, so that any other is wrong.
    simulated : bool
        Whether the true action potentials are known.
    recording : mapping of str to JSON values
        ``sha256`` of signal and true discharges, ``n_channels``, ``duration_s``, ``sampling_rate_hz``.
    """

    scene: str
    changes: Mapping[str, Any]
    seed: int
    file: Path
    bare: Path
    complete: bool
    simulated: bool
    recording: Mapping[str, Any]


@dataclass(frozen=True)
class Scene:
    """Where recordings come from.

    Parameters
    ----------
    name : str
        As it stands in tables.
    scenario : Scenario, optional
        Of the simulator.
    file : Path, optional
        Instead: a recording with known discharges. Neither: the real vastus lateralis.
    changes : mapping of str to value
        Settings of the scenario that are changed, such as ``{"recording.snr_db": 10}``.
    """

    name: str
    scenario: Scenario | None = None
    file: Path | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str | Path, folder: Path | None = None) -> Scene:
        """A ready-made scene, a preset of the simulator, a scenario file, or a recording, by its name.

        Parameters
        ----------
        name : str or Path
            One of `scene_names`, or a file, relative to `folder`.
        folder : Path, optional
            Of the suite that names it.

        Raises
        ------
        InvalidArgumentError
            If there is no such scene.
        """
        own = resources.files("muemg.benchmark") / "scenes" / f"{name}.toml"
        path = (folder or Path()) / name
        if name == REAL:
            return cls(REAL)
        if own.is_file():
            return cls(str(name), Scenario.from_toml(Path(str(own))))
        if name in preset_names():
            return cls(str(name), Scenario.preset(str(name)))
        if path.suffix == ".toml" and path.is_file():
            return cls(path.stem, Scenario.from_toml(path))
        if path.exists():
            return cls(path.name, file=path)
        raise InvalidArgumentError(
            f"scene must be a file or one of {', '.join(scene_names())}; got {str(name)!r}"
        )

    def changed(self, changes: Mapping[str, Any]) -> Scene:
        """The scene with settings of its scenario changed.

        Raises
        ------
        InvalidArgumentError
            If it is not simulated, or a setting is impossible.
        """
        if not changes:
            return self
        if self.scenario is None:
            raise InvalidArgumentError(f"scene {self.name!r} is a recording: it has no {', '.join(changes)}")
        return replace(self, scenario=self.scenario.override(changes), changes={**self.changes, **changes})

    def case(self, seed: int, cache: Path | None = None) -> Case:
        """Its recording of one seed, simulated unless it is in the cache.

        Parameters
        ----------
        seed : int
            Of the simulation; of no meaning for a file.
        cache : Path, optional
            By default the folder in the environment variable ``MUEMG_BENCHMARK_CACHE``, or one in the user's cache.

        Raises
        ------
        BenchmarkError
            If a file holds no recording with known discharges.
        """
        folder = cache if cache is not None else default_cache()
        folder.mkdir(parents=True, exist_ok=True)
        stem = folder / f"{_file_name(self.name)}_seed-{seed}_{self._digest(seed)}"
        file, note = stem.with_suffix(".h5"), stem.with_suffix(".json")
        bare = stem.with_suffix(".npz")
        if not (file.exists() and bare.exists() and note.exists()):
            contents = self._contents(seed)
            recording = contents.require("recording")
            write(file, contents)
            with atomic_write(bare) as stream:
                np.savez(stream, emg=recording.signal, fs=recording.sampling_rate)
            with atomic_write(note) as stream:
                stream.write(json.dumps(_described(contents)).encode())
        recording = json.loads(note.read_text(encoding="utf-8"))
        simulated = recording.pop("simulated")
        return Case(
            self.name, json_ready(self.changes), seed, file, bare, self.name != REAL, simulated, recording
        )

    def _digest(self, seed: int) -> str:
        """Of everything that decides the bytes."""
        if self.scenario is not None:
            tables = {k: v for k, v in self.scenario.to_dict().items() if k not in ("name", "description")}
            versions = {name: metadata.version(name) for name in _LIBRARIES}
            said = json.dumps([json_ready(tables), seed, source_digest(), versions], sort_keys=True)
            return hashlib.sha256(said.encode()).hexdigest()[:12]
        if self.file is None:
            return "real"
        path = self.file.resolve()
        newest = max((part.stat().st_mtime_ns for part in [path, *path.rglob("*")]), default=0)
        return hashlib.sha256(f"{path} {newest}".encode()).hexdigest()[:12]

    def _contents(self, seed: int) -> Contents:
        if self.scenario is not None:
            return Contents(simulation=simulate(self.scenario, seed=seed))
        contents = vastus_lateralis() if self.file is None else read(self.file)
        if contents.simulation is not None:
            return Contents(simulation=contents.simulation)
        try:
            return Contents(recording=contents.require("recording"), spikes=contents.spike_trains("known"))
        except FileFormatError as error:
            raise BenchmarkError(f"scene {self.name!r} cannot be judged: {error}") from error


def scene_names() -> tuple[str, ...]:
    """Names of the ready-made scenes: those of the suites, the presets of the simulator, and the real recording."""
    own = (resources.files("muemg.benchmark") / "scenes").iterdir()
    suffix = ".toml"
    return (
        *sorted(entry.name.removesuffix(suffix) for entry in own if entry.name.endswith(suffix)),
        *preset_names(),
        REAL,
    )


def scenes_of_folder(folder: Path) -> tuple[Scene, ...]:
    """Every recording with known discharges in a folder: an EMG-BIDS dataset, or files of any format.

    Raises
    ------
    BenchmarkError
        If there is none.
    """
    if (folder / "dataset_description.json").is_file():
        files = list(bids_recordings(folder))
    else:
        endings = {end for known in FORMATS for end in known.extensions}
        files = sorted(
            path for path in folder.rglob("*") if path.suffix.lower() in endings and path.is_file()
        )
    scenes = []
    for path in files:
        contents = read(path)
        if "recording" in contents.parts and {"spikes", "decomposition"} & set(contents.parts):
            scenes.append(Scene(path.relative_to(folder).as_posix(), file=path))
    if not scenes:
        raise BenchmarkError(
            f"{folder} holds no recording with known discharges among its {len(files)} recordings and files"
        )
    return tuple(scenes)


def default_cache() -> Path:
    """Where cases are kept."""
    chosen = os.environ.get("MUEMG_BENCHMARK_CACHE")
    return Path(chosen).expanduser() if chosen else cache_folder() / "benchmark"


def _described(contents: Contents) -> dict[str, Any]:
    recording, spikes = contents.require("recording"), contents.require("spikes")
    digest = hashlib.sha256(np.ascontiguousarray(recording.signal).tobytes())
    for train in spikes:
        digest.update(train.tobytes() + b"|")
    return {
        "sha256": digest.hexdigest(),
        "n_channels": recording.n_channels,
        "duration_s": round(recording.n_samples / recording.sampling_rate, 6),
        "sampling_rate_hz": recording.sampling_rate,
        "simulated": contents.simulation is not None,
    }


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in name)[:80]
