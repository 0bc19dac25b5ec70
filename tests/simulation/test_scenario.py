"""Scenarios: files, tables, presets, and messages a person can act on."""

import dataclasses
import json
import math

import pytest

from muemg import MuemgError
from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.simulation import Drive, Scenario, preset_names


def test_presets_load_and_read_back():
    assert {"demo-64", "tibialis-64", "vastus-64"} <= set(preset_names())
    for name in preset_names():
        scenario = Scenario.preset(name)
        assert scenario.name == name
        assert scenario.description
        assert Scenario.from_dict(scenario.to_dict()) == scenario
        assert scenario.override({}) == scenario


def test_keys_carry_units_and_fields_are_si(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        "[conductor]\nfat_mm = 4\n[neurons]\nrefractory_ms = 3\n[electrodes]\nrotation_deg = 90\n"
    )
    scenario = Scenario.from_toml(file)
    assert scenario.name == "mine"
    assert scenario.conductor.fat == 4e-3
    assert scenario.neurons.refractory == 3e-3
    assert scenario.electrodes.rotation == pytest.approx(math.pi / 2)
    assert scenario.to_dict()["conductor"]["fat_mm"] == 4
    assert scenario.to_dict()["muscle"]["territory_density_per_mm2"] == 20


def test_a_base_is_extended_and_not_replaced():
    scenario = Scenario.from_dict({"base": "vastus-64", "conductor": {"fat_mm": 9}})
    base = Scenario.preset("vastus-64")
    assert scenario.conductor == dataclasses.replace(base.conductor, fat=9e-3)
    assert scenario.muscle == base.muscle


def test_override_takes_what_a_command_line_gives():
    scenario = Scenario.preset("demo-64").override(
        {
            "drive.level": "0.2",
            "muscle.n_units": "7",
            "electrodes.code": "GR10MM0808",
            "recording.snr_db": "inf",
        }
    )
    assert (scenario.drive.level, scenario.muscle.n_units) == (0.2, 7)
    assert scenario.electrodes.code == "GR10MM0808"
    assert scenario.recording.snr == math.inf
    assert scenario.override({"name": "x"}).name == "x"


def test_lists_carry_units_and_are_read_back():
    scenario = Scenario.from_dict(
        {
            "drive": {"profile": "points", "times_s": [0, 5], "levels": [0.1, 0.4]},
            "muscle": {"vertices_x_mm": [1, 2.5]},
        }
    )
    assert scenario.drive.levels == (0.1, 0.4)
    assert scenario.muscle.vertices_x == (1e-3, 2.5e-3)
    assert scenario.to_dict()["muscle"]["vertices_x_mm"] == [1, 2.5]
    assert Scenario.from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario
    assert scenario.override({"drive.levels": "[0.2, 0.3]"}).drive.levels == (0.2, 0.3)


def test_infinity_survives_json():
    quiet = Scenario.from_dict({"recording": {"snr_db": "inf"}})
    assert quiet.recording.snr == math.inf
    assert json.loads(json.dumps({"snr_db": "inf"}, allow_nan=False))["snr_db"] == "inf"


def test_load_takes_every_way_of_naming_a_scenario(tmp_path):
    demo = Scenario.preset("demo-64")
    assert Scenario.load("demo-64") == demo
    assert Scenario.load(demo) is demo
    assert Scenario.load(demo.to_dict()) == demo
    assert Scenario.load(None).drive == Drive()
    file = tmp_path / "demo-64.toml"
    file.write_text('base = "demo-64"\n')
    assert Scenario.load(file).muscle == demo.muscle
    assert Scenario.load(str(file)).muscle == demo.muscle


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"drive": {"levl": 1}},
            r"drive\.levl is not a setting \(did you mean 'level'\?\).*profile, controls, level",
        ),
        (
            {"drive": {"q": 1}},
            r"drive\.q is not a setting; the settings there are profile, controls, level, rest_s",
        ),
        ({"conductr": {}}, r"conductr is not a setting \(did you mean 'conductor'\?\)"),
        ({"conductor": {"fat": 3}}, r"conductor\.fat is not a setting \(did you mean 'fat_mm'\?\)"),
        ({"conductor": {"fat_mm": -1}}, r"conductor\.fat_mm must be a number ≥ 0 and ≤ 50, got -1"),
        ({"conductor": {"fat_mm": "thick"}}, r"conductor\.fat_mm must be a number .* got 'thick'"),
        ({"conductor": {"fat_mm": True}}, r"conductor\.fat_mm must be a number"),
        ({"conductor": {"fat_mm": math.nan}}, r"conductor\.fat_mm must be a number"),
        ({"muscle": {"width_mm": math.inf}}, r"muscle\.width_mm must be a number > 0, got inf"),
        ({"muscle": {"n_units": 2.5}}, r"muscle\.n_units must be a whole number ≥ 1, got 2\.5"),
        ({"muscle": {"n_units": 0}}, r"muscle\.n_units must be a whole number ≥ 1, got 0"),
        ({"muscle": 3}, r"muscle must be a table of settings, got 3"),
        ({"muscle": {"proximal_length_mm": 9}}, r"must be below either half length, got 15\.5 and 9 mm"),
        (
            {"drive": {"profile": "zigzag"}},
            r"drive\.profile must be one of 'constant', 'trapezoid', 'triangle'",
        ),
        ({"drive": {"level": 1.2}}, r"drive\.level must be a number ≥ 0 and ≤ 1, got 1\.2"),
        ({"recording": {"duration_s": 5}}, r"must be shorter than recording\.duration_s, got 6 and 5 s"),
        ({"recording": {"duration_s": 1e-4}, "drive": {"profile": "constant"}}, r"at least two samples"),
        ({"electrodes": {"code": "GR99"}}, r"electrodes\.code must be one of 'GR08MM1305'"),
        ({"neurons": {"minimum_rate_hz": 50}}, r"must be above minimum_rate"),
        ({"base": "nobody"}, r"base must be one of demo-64, .*; got 'nobody'"),
        ({"name": 3}, r"name must be text, got 3"),
        ({"drive": {"levels": 0.3}}, r"drive\.levels must be a list of numbers, got 0\.3"),
        ({"drive": {"levels": [0.3, 2]}}, r"drive\.levels\[1\] must be a number ≥ 0 and ≤ 1, got 2"),
        ({"drive": {"profile": "points", "levels": []}}, r"drive: levels must be one or more numbers"),
        ({"drive": {"profile": "sine", "rest_s": 10}}, r"drive: rest, twice, must be shorter than the 20 s"),
        ({"muscle": {"labels": "soleus"}}, r"muscle\.labels must be a list of words, got 'soleus'"),
        ({"amplifier": {"bits": 16}}, r"amplifier\.full_scale_mv must be > 0"),
        ({"electrodes": {"layout": "bracelet"}}, r"electrodes\.code must be empty for the layout 'bracelet'"),
    ],
)
def test_what_is_wrong_is_named(tables, message):
    with pytest.raises(InvalidArgumentError, match=message):
        Scenario.from_dict(tables)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# a comment\n[drive]\nrest_s = 1\nlevel = 7\n", r"mine\.toml, line 4: drive\.level must be"),
        (
            "[drive]\nlevel = 0.1\n\n[muscle]\nlevel = 1\n",
            r"mine\.toml, line 5: muscle\.level is not a setting",
        ),
        ("[drive]\nlevel = 0.1\n[mussel]\nx = 1\n", r"mine\.toml, line 3: mussel is not a setting"),
        ('drive.level = "high"\n', r"mine\.toml, line 1: drive\.level must be"),
        ('\nbase = "x"\n', r"mine\.toml, line 2: base must be"),
        ("[neurons]\n[electrodes]\ncode = 'GR9'\n", r"mine\.toml, line 2: electrodes\.code must be one of"),
    ],
)
def test_files_are_blamed_by_line(tmp_path, text, message):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InvalidArgumentError, match=message):
        Scenario.from_toml(file)


def test_files_that_are_none(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[drive\n")
    with pytest.raises(FileFormatError, match=r"broken\.toml is not a TOML file: .*line 1"):
        Scenario.load(broken)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(bytes(range(128, 256)))
    with pytest.raises(FileFormatError, match=r"binary\.toml is not a TOML file"):
        Scenario.load(binary)
    with pytest.raises(FileFormatError, match="cannot read scenario"):
        Scenario.load(tmp_path)
    with pytest.raises(
        InvalidArgumentError, match=r"existing TOML file or one of demo-64, .*; got 'tibialis'"
    ):
        Scenario.load("tibialis")
    with pytest.raises(
        InvalidArgumentError, match="scenario must be a name, a path, a Scenario or a mapping, got int"
    ):
        Scenario.load(3)
    with pytest.raises(MuemgError, match="preset must be one of"):
        Scenario.preset("nobody")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"drive.levl": 1}, r"drive\.levl is not a setting"),
        ({"drv.level": 1}, r"drv\.level is not a setting"),
        ({"level": 1}, r"level is not a setting"),
        ({"drive.level": "high"}, r"drive\.level must be a number"),
    ],
)
def test_overrides_are_checked(settings, message):
    with pytest.raises(InvalidArgumentError, match=message):
        Scenario().override(settings)


def test_python_values_are_checked_in_si():
    with pytest.raises(InvalidArgumentError, match=r"Drive\.level must be a number ≥ 0 and ≤ 1, got 3"):
        Drive(level=3)
