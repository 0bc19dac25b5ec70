"""The example of online decoding runs as it stands: samples over a socket, discharges back."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "decode_socket.py"


@pytest.mark.slow
def test_the_socket_example_decodes_what_arrives(tmp_path):
    answer = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), "11", "8"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    rows = [line.split() for line in answer.stdout.splitlines() if line.startswith("unit")]
    assert len(rows) >= 3
    counts = [(int(row[2]), int(row[-1])) for row in rows]
    # The last 40 ms stay in the decoder.
    assert all(abs(found - true) <= 3 for found, true in counts)
