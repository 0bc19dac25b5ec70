"""The list of formats: the documented template works, and nothing heavy loads before it is needed."""

import re
import subprocess
import sys
from pathlib import Path

import io_records as records
import numpy as np
import pytest

import muemg
from muemg.io import FORMATS, _files

DOCS = Path(__file__).resolve().parents[2] / "docs" / "file_formats.md"


def test_the_documented_template_is_a_whole_format(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL).group(1)
    namespace: dict = {}
    exec(compile(code, str(DOCS), "exec"), namespace)
    monkeypatch.setattr(_files, "FORMATS", (*FORMATS, namespace["FORMAT"]))
    recording = muemg.Recording(records.recording().signal, 2000.0)
    muemg.write(tmp_path / "x.txt", recording)
    assert muemg.read(tmp_path / "x.txt").require("recording") == recording
    (tmp_path / "x.txt").write_text("# EMG in volts at 2000 Hz\n0.1 0.2\n0.3\n")
    with pytest.raises(muemg.MuemgError, match=r"cannot read .*x\.txt as plain text"):
        muemg.read(tmp_path / "x.txt")


def test_every_format_is_documented():
    text = DOCS.read_text(encoding="utf-8")
    assert all(f"`{ending}`" in text for known in FORMATS for ending in known.extensions)


def test_no_format_claims_anothers_file_or_name(tmp_path):
    for known in FORMATS:
        if known.write is None:
            continue
        finite = records.recording().with_signal(np.nan_to_num(records.recording().signal, posinf=0.0))
        file = muemg.write(tmp_path / f"x{known.extensions[0]}", finite)
        head = file.read_bytes()[:2048]
        assert [other.name for other in FORMATS if other.recognises(head)] == [known.name]
    endings = [ending for known in FORMATS for ending in known.extensions]
    assert len(set(endings)) == len(endings)


def test_libraries_load_when_a_format_needs_them(tmp_path):
    muemg.write(tmp_path / "x.npz", records.recording())
    code = (
        "import sys, muemg\n"
        "muemg.read(sys.argv[1]); muemg.write(sys.argv[1], muemg.read(sys.argv[1]))\n"
        "muemg.datasets.vastus_lateralis\n"
        "print(sorted({'h5py', 'edfio', 'pandas', 'scipy', 'jax', 'matplotlib', 'platformdirs'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x.npz")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
