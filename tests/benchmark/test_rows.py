"""A row says what a method found and what it cost, or why there is nothing to say."""

import os

import numpy as np
import pytest

from muemg.benchmark import Method
from muemg.benchmark.rows import MEASURED, Task, make_row
from tests.benchmark.known import RATE, TRUTH, spike_trains


def row(case, method, time_limit=60.0):
    return make_row(Task("suite", case, method, 1, time_limit))


def finds(*trains):
    """A method that finds these, whatever it is given."""
    return Method("finder", lambda recording, seed: spike_trains(*trains))


def test_what_was_found_is_counted(case):
    first, second, third = TRUTH
    # One unit right but 5 ms late; the same again (a duplicate); half the spikes of another (matched, but not right);
    # and one of nobody. The third true unit is missed.
    nobody = np.arange(7, 2900, 211)
    made = row(case, finds(first + 5, first, second[::2], nobody))
    assert (made["n_true"], made["reported"], made["right"], made["matched"]) == (3, 4, 1, 2)
    assert (made["extra"], made["duplicates"], made["unit_precision"]) == (2, 1, 0.25)
    half = 2 * len(second[::2]) / (len(second) + len(second[::2]))
    assert made["f1"] == pytest.approx((1 + half) / 2, abs=1e-4)
    assert made["f1_of_all"] == pytest.approx((1 + half) / 3, abs=1e-4)
    assert made["precision"] == 1.0
    assert made["status"] == "ok"
    assert [unit["agreement"] for unit in made["units"]] == [1.0, pytest.approx(0.5, abs=0.03), 0.0]
    assert {abs(made["units"][0]["delay_ms"])} <= {0.0, 5.0}
    assert third.size == made["units"][2]["n_spikes"]


def test_a_method_is_given_recording_seed_and_settings(case):
    seen = {}

    def method(recording, seed, extra):
        seen.update(channels=recording.n_channels, rate=recording.sampling_rate, seed=seed, extra=extra)
        return [np.array([1, 2])]

    row(case, Method("curious", method, settings={"extra": 3}))
    assert seen == {"channels": 4, "rate": RATE, "seed": 0, "extra": 3}


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (lambda recording, seed: [], "ok", "no unit was found"),
        (lambda recording, seed: 1 / 0, "failed", "ZeroDivisionError: division by zero"),
        (lambda recording, seed: 7, "failed", "InvalidArgumentError: a method must return"),
    ],
)
def test_a_failure_is_a_row(case, answer, status, reason):
    made = row(case, Method("unlucky", answer))
    assert made["status"] == status
    assert made["reason"].startswith(reason)
    assert made["right"] == (0 if status == "ok" else None)


def test_a_program_is_judged_like_a_function(case, program):
    made = row(case, program())
    other = row(case, finds(*TRUTH[:2]))
    judged = ("reported", "right", "matched", "extra", "duplicates", "f1", "f1_of_all", "units")
    assert {name: made[name] for name in judged} == {name: other[name] for name in judged}
    assert made["right"] == 2
    assert made["version"] == "peer 7"
    # It is a Python with NumPy: more than a bare interpreter and less than this process.
    assert 10 < made["peak_memory_mb"] < 200
    assert 0 < made["cpu_s"] <= made["process_s"] * (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        ("time.sleep(60)", "not done after 1 s"),
        ("raise ValueError('it does not converge')", "ValueError: it does not converge (exit code 1)"),
        ("import os; os.kill(os.getpid(), 9)", "reading done (killed by SIGKILL)"),
        ("sys.exit(0)", "its output cannot be read"),
    ],
)
def test_a_program_that_fails_has_a_row(case, program, do, reason):
    made = row(case, program("sys.stdout.flush(); " + do), time_limit=1.0 if "sleep" in do else 60.0)
    assert made["status"] == "failed"
    assert made["reason"].startswith(reason)
    assert made["right"] is None
    assert made["wall_s"] is None


def test_a_function_in_a_file_runs_in_a_process_of_its_own(case, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import os\nimport numpy as np\n"
        "def find(recording, seed, parent):\n"
        "    assert os.getpid() != parent and os.environ['OMP_NUM_THREADS'] == '1'\n"
        f"    return [np.arange(100, {TRUTH[0][-1] + 1}, 97)]\n"
    )
    made = row(case, Method("mine", f"{file}:find", settings={"parent": os.getpid()}))
    assert (made["status"], made["right"], made["reason"]) == ("ok", 1, "")


def test_a_key_tells_everything_apart_that_decides_a_row(case, program):
    keys = {
        Task("suite", case, program(), 1, 60.0).key,
        Task("suite", case, program(), 2, 60.0).key,
        Task("suite", case, program(), 1, 30.0).key,
        Task("suite", case, program("pass"), 1, 60.0).key,
        Task("suite", case, finds(TRUTH[0]), 1, 60.0).key,
    }
    assert len(keys) == 5
    assert Task("other name", case, program(), 1, 60.0).key in keys
    assert {*MEASURED} < {*row(case, finds(TRUTH[0]))}
