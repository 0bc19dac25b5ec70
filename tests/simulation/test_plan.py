"""Plans: what they spread and how evenly, what they refuse and where they say it is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muemg import Scenario, simulate
from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.simulation import Plan
from muemg.simulation.plan import Spread

PLAN = {
    "seed": 4,
    "subjects": 5,
    "recordings": 4,
    "scenario": {
        "muscle": {"n_units": 4, "most_fibres": 4},
        "recording": {"duration_s": 2},
        "drive": {"rest_s": 0.2, "ramp_s": 0.2},
    },
    "each_subject": {"conductor.fat_mm": {"uniform": [1, 6]}, "muscle": {"n_units": {"integers": [3, 7]}}},
    "each_recording": {
        "drive.level": {"uniform": [0.2, 0.4]},
        "recording.snr_db": {"choice": [10, "inf"]},
        "noise.power_line_uv": {"log_uniform": [1, 100]},
    },
}


@pytest.fixture(scope="module")
def plan():
    return Plan.load(PLAN)


def test_every_part_of_every_range_is_visited_once(plan):
    drafts = plan.drafts()
    # Twenty recordings: one in each twentieth of the range. Six digits are kept, so look inside the borders.
    levels = np.array([draft.settings["drive.level"] for draft in drafts])
    assert sorted(np.floor((levels - 0.2) / 0.2 * 20)) == list(range(20))
    line = np.array([draft.settings["noise.power_line_uv"] for draft in drafts])
    assert sorted(np.floor(np.log(line) / np.log(100) * 20)) == list(range(20))
    # a choice of two: ten each; five subjects: each of 3 … 7 units once
    assert sum(draft.settings["recording.snr_db"] == 10 for draft in drafts) == 10
    assert sorted({draft.settings["muscle.n_units"] for draft in drafts}) == [3, 4, 5, 6, 7]


def test_what_is_the_subjects_stays_over_its_recordings(plan):
    drafts = plan.drafts()
    assert [draft.index for draft in drafts] == list(range(20))
    for subject in range(5):
        own = drafts[4 * subject : 4 * subject + 4]
        assert {draft.subject for draft in own} == {subject}
        assert len({draft.subject_seed for draft in own}) == 1
        assert len({draft.settings["conductor.fat_mm"] for draft in own}) == 1
    assert len({draft.seed for draft in drafts}) == 20
    assert len({draft.subject_seed for draft in drafts}) == 5
    assert len({draft.name for draft in drafts}) == 20
    assert drafts[0].scenario.conductor.fat == pytest.approx(drafts[0].settings["conductor.fat_mm"] / 1e3)


def test_more_recordings_leave_the_subjects_as_they_were(plan):
    more = replace(plan, n_recordings=7).drafts()
    for one, other in zip(plan.drafts()[::4], more[::7]):
        assert one.subject_seed == other.subject_seed
        assert one.settings["conductor.fat_mm"] == other.settings["conductor.fat_mm"]


def test_tables_bring_the_plan_back(plan):
    assert Plan.load(plan) is plan
    back = Plan.load(json.loads(json.dumps(plan.to_dict(), allow_nan=False)))
    assert back == plan
    assert back.checksum == plan.checksum
    assert replace(plan, seed=5).checksum != plan.checksum
    assert [d.settings for d in back.drafts()] == [d.settings for d in plan.drafts()]
    assert [d.settings for d in replace(plan, seed=5).drafts()] != [d.settings for d in plan.drafts()]


@given(
    st.sampled_from(["uniform", "log_uniform", "integers"]),
    st.integers(1, 50),
    st.integers(0, 50),
    st.floats(0, 1, exclude_max=True),
)
def test_values_stay_within_their_range(kind, low, width, share):
    spread = Spread(kind, (low, low + width))
    assert low <= spread.at(share) <= low + width
    assert spread.at(0.0) == pytest.approx(low)


def test_recordings_of_one_subject_are_of_one_muscle():
    scenario = Scenario.from_dict(PLAN["scenario"]).override({"drive.level": 0.4})
    one, two = (simulate(scenario, seed=seed, subject=9) for seed in (1, 2))
    assert np.array_equal(one.muaps, two.muaps)
    assert np.array_equal(one.motor_units["x"], two.motor_units["x"])
    assert one.spikes != two.spikes
    assert not np.array_equal(one.recording.signal, two.recording.signal)
    assert one.parameters["subject"] == 9
    other = simulate(scenario, seed=1, subject=10)
    assert not np.array_equal(other.muaps, one.muaps)
    with pytest.raises(InvalidArgumentError, match="subject must be an integer ≥ 0"):
        simulate(scenario, seed=1, subject=-1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "seed = 1\nsubject = 3\n",
            r"plan.toml, line 2: subject is not a setting \(did you mean 'subjects'\?\)",
        ),
        ("seed = 1\nsubjects = 0\n", r"line 2: subjects must be an integer ≥ 1, got 0"),
        (
            "[each_subject]\n\nconductor.fat = { uniform = [1, 2] }\n",
            r"line 3: each_subject.conductor.fat is not a setting \(did you mean 'fat_mm'\?\)",
        ),
        ('[each_subject]\n"conductor.fat_mm" = { uniform = [1, 200] }\n', r"line 2: .*≤ 50, got 200"),
        ("[each_subject.conductor]\n\nfat_mm = { uniform = [3] }\n", r"line 3: .*two numbers, \[low, high\]"),
        ("[each_recording]\ndrive.level = { uniform = [0.4, 0.2] }\n", r"line 2: each_recording.drive.level"),
        ("[each_recording]\nmuscle.n_units = { uniform = [3, 9] }\n", r"line 2: .* must be a whole number"),
        (
            '[each_recording]\ndrive.profile = { choice = ["sine", "x"] }\n',
            r"line 2: .*must be one of 'constant'",
        ),
        ("[each_recording]\nnoise.ecg_uv = { log_uniform = [0, 9] }\n", r"line 2: .*two positive numbers"),
        ("[each_recording]\nnoise.ecg_uv = 3\n", r"line 2: .*must be one of {uniform = \[low, high\]}"),
        ("[each_recording]\nnose.ecg_uv = { choice = [3] }\n", r"line 2: .*did you mean 'noise'"),
        (
            "[scenario]\nconductor.fat_mm = 3\n[each_subject]\nconductor.fat_mm = { uniform = [1, 2] }\n",
            r"line 4: each_subject.conductor.fat_mm is fixed in scenario too",
        ),
        (
            "[each_subject]\ndrive.level = { choice = [0.2] }\n[each_recording]\ndrive.level = { choice = [0.3] }\n",
            r"line 4: each_recording.drive.level is drawn in each_subject too",
        ),
        ("[scenario.conductor]\nfat_mm = -3\n", r"line 2: conductor.fat_mm must be a number ≥ 0"),
        ('[scenario]\nbase = "nobody"\n', r"line 2: base must be one of demo-64"),
        ('scenario = "nobody"\n', r"line 1: scenario must be an existing TOML file or one of demo-64"),
        (
            "subjects = 2\n[each_recording]\nrecording.duration_s = { uniform = [3, 5] }\n",
            r"subject-0_recording-0 is impossible: drive.rest_s and drive.ramp_s.*drawn: recording.duration_s",
        ),
    ],
)
def test_what_is_wrong_is_said_with_key_and_line(text, said, tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(InvalidArgumentError, match=said):
        Plan.load(file).drafts()


def test_files_that_are_no_plan(tmp_path):
    with pytest.raises(FileFormatError, match="cannot read plan"):
        Plan.load(tmp_path / "nothing.toml")
    (tmp_path / "broken.toml").write_text("seed = = 3")
    with pytest.raises(FileFormatError, match=r"broken.toml is not a TOML file"):
        Plan.load(tmp_path / "broken.toml")


def test_a_scenario_of_ones_own_lies_beside_the_plan(tmp_path):
    (tmp_path / "mine.toml").write_text("[conductor]\nfat_mm = 7\n")
    (tmp_path / "plan.toml").write_text('scenario = "mine.toml"\n')
    assert Plan.load(tmp_path / "plan.toml").scenario.conductor.fat == pytest.approx(7e-3)
