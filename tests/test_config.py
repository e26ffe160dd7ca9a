"""Configs: files, values as people write them, studies, and what is told before anything starts."""

import os
import subprocess
import sys

import pytest
import yaml

from freqmaps.core.errors import ConfigError
from freqmaps.core.images import called
from freqmaps.core.values import check_value
from freqmaps.study import config, reference
from freqmaps.study.build import study
from tests import starter
from tests.default_config import ANY_BASIS, base, changed
from tests.workflow import REPOSITORY


def test_snakemake_shows_the_sentence_and_starts_nothing(tmp_path):
    line = [starter.python(), "-m", "snakemake", "-n", "--config", "sead=1"]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "unknown key 'sead'; did you mean 'seed'?" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("dry", [["-n"], ["-c1"]])
def test_an_item_that_the_config_does_not_list_is_told_before_anything_is_planned(dry):
    line = [starter.python(), "-m", "snakemake", *dry, "K22-T1", "--config", 'items=["B25-T1"]']
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "the config lists no item 'K22-T1': add it to 'items'" in done.stdout + done.stderr
    assert "Building DAG" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("data", "place"), [(b"# caf\xe9\n", "line 1: byte 0xe9"), (b"seed: 1\nseed: 2\n", "line 2: 'seed' is given twice")]
)
def test_snakemake_shows_a_file_that_is_no_config_in_one_sentence(data, place, tmp_path):
    (tmp_path / "config.yaml").write_bytes(data)
    line = [starter.python(), "-m", "snakemake", "-n", "--snakefile", REPOSITORY / "Snakefile", "--directory", tmp_path]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    text = done.stdout + done.stderr
    assert f"Error: config.yaml, {place}" in text
    assert "Traceback" not in text and " in file " not in text


#: Files that change another study, which must be given before them.
UNDER = {"b25-224-small.yaml": ["b25-imagenette.yaml"]}


@pytest.mark.parametrize("overlay", sorted(p.name for p in (REPOSITORY / "studies").glob("*.yaml")))
def test_studies_are_valid_but_for_data_that_is_not_here(overlay):
    under = UNDER.get(overlay, [])
    given = config.read_files([REPOSITORY / "config.yaml", *(REPOSITORY / "studies" / f for f in [*under, overlay])])
    try:
        assert study(given).items
    except ConfigError as error:
        assert "datasets." in str(error)
        assert "no such" in str(error)


def test_nested_values_of_the_command_line_are_what_they_say():
    """Snakemake hands on what is nested in ``--config`` as text."""
    assert config.check(changed(threads={"training": "null"}))["threads"]["training"] is None
    assert check_value("true", "bool", "here") is True
    with pytest.raises(ConfigError, match=r"here: expected true or false, found 'yes'"):
        check_value("yes", "bool", "here")


def test_a_budget_may_exceed_1_in_l2_but_not_in_linf():
    given = changed(attacks={"pgd-4_16": {"norm": "l2", "epsilon": 2.5}})
    assert study(given).graph.nodes


def test_a_name_that_only_looks_like_a_kind_of_images_is_harmless():
    """Maps of noise as large as ``x`` and those of an attack called ``noise-x`` have different fields."""
    run = base()["runs"][3] | {"attacks": ["x", "noise-x"], "metrics": ["cosine"]}
    attacks = {name: {"kind": "fgsm", "epsilon": size} for name, size in (("x", 0.2), ("noise-x", 0.1))}
    networks = [{**run, "pairings": ["matched", "noise"]}, {**run, "seeds": [1], "pairings": []}]
    graph = study(changed(attacks=attacks, runs=networks, items=[])).graph
    maps = [n for n in graph.nodes.values() if n.stage == "matrices"]
    assert {(n.names["pairing"], n.names["attack"]): [called(m.names) for m in n.inputs] for n in maps} == {
        (pairing, attack): ["essential", f"noise of {attack}" if pairing == "noise" else attack]
        for pairing in ("matched", "noise")
        for attack in ("x", "noise-x")
    }


def test_a_map_setting_has_the_basis_that_it_names():
    def bases(**given):
        runs = [base()["runs"][0] | {"evaluations": []}]
        nodes = study(changed(items=[], pairings=ANY_BASIS, runs=runs, **given)).graph.nodes.values()
        return {str(n.spec["parameters"]["basis"]) for n in nodes if n.stage == "maps" and n.names["maps"] == "ce"}

    assert bases() == {"{'kind': 'fourier', 'parameters': {}}"}
    assert bases(maps={"ce": {"basis": {"kind": "wavelet", "levels": 2}}}) == {
        "{'kind': 'wavelet', 'parameters': {'wavelet': 'haar', 'levels': 2}}"
    }


def test_the_basis_of_group_maps_is_in_the_spec_where_it_is_not_the_amplitudes():
    def specs(**given):
        run = base()["runs"][2] | {"group_maps": ["k22-global"], "evaluations": []}
        nodes = study(changed(items=[], evaluations={}, runs=[run], **given)).graph.nodes.values()
        return {n.key: n.spec["parameters"] for n in nodes if n.stage == "group_maps"}

    without = specs()
    assert without == specs(group_maps={"k22-global": {"basis": "fourier"}})
    assert all("basis" not in parameters for parameters in without.values())
    other = specs(group_maps={"k22-global": {"basis": "dct"}})
    assert not other.keys() & without.keys()
    assert [p["basis"] for p in other.values()] == [{"kind": "dct", "parameters": {}}] * len(without)


def test_a_key_given_twice_is_an_error(tmp_path):
    (tmp_path / "c.yaml").write_text("study: a\nruns: []\nstudy: b\n")
    with pytest.raises(ConfigError, match=f"{tmp_path}/c.yaml, line 3: 'study' is given twice"):
        config.read_files([tmp_path / "c.yaml"])


#: What a config file may hold that is none, and what is said of it after its name.
NO_CONFIGS = {
    "another encoding": (b"seed: 1\n# caf\xe9\n", ", line 2: byte 0xe9 is not UTF-8 text; save the file as UTF-8"),
    "tabs": (b"seed: 1\nattacks:\n\tfmn: 1\n", ", line 3: not valid YAML: .*; indent with spaces, not with tabs"),
    "an open bracket": (b"seed: 1\nitems: [B25-T1\n", ", line 3: not valid YAML: .*; correct this line or the one"),
    "an unknown alias": (b"a: *x\n", ", line 1: not valid YAML: found undefined alias 'x'"),
    "nothing": (b"# only this\n", ": holds no keys"),
    "a list": (b"- a\n", ": expected a mapping of keys, found list"),
    "tabs that other readers take": (b"a: [\n\t1]\nseed: 1\t# x\n", ", line 2: not valid YAML: .*; indent with spaces"),
    "a template": (
        b"seed: 1\nitems: {{ items }}\n",
        ", line 2: not valid YAML: a mapping or a list stands where a key",
    ),
    "no date": (b"a: 1\nstudy: 2026-02-30\n", ", line 2: not valid YAML: day is out of range for month; correct"),
    "no number": (b"seed: 0x_\n", ", line 1: not valid YAML: invalid literal for int"),
    "brackets": (b"a: " + b"[" * 40_000, ": nested too deeply"),
    "a control character": (b"seed: \x01\n", ": not valid YAML: unacceptable character #x0001"),
}


def test_unknown_keys_that_are_no_texts_are_told_like_others():
    with pytest.raises(ConfigError, match="True"):
        config.check(base() | {True: 1, "zzz": 2})


@pytest.mark.parametrize("kind", NO_CONFIGS)
def test_a_file_that_is_no_config_is_told_with_file_line_and_remedy(kind, tmp_path):
    data, message = NO_CONFIGS[kind]
    (tmp_path / "c.yaml").write_bytes(data)
    with pytest.raises(ConfigError, match=f"^{tmp_path}/c.yaml{message}"):
        config.read_files([tmp_path / "c.yaml"])


def test_a_folder_and_a_missing_file_are_told_as_such(tmp_path):
    with pytest.raises(ConfigError, match=f"^{tmp_path}: Is a directory; name a config file that can be read"):
        config.read_files([tmp_path])
    with pytest.raises(ConfigError, match="no such config file"):
        config.read_files([tmp_path / "absent.yaml"])


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfseed: 1\n", b"seed: 1\r\n", b'{\n\t"seed": 1\n}\n', b"seed: 1"])
def test_what_editors_put_around_a_config_changes_nothing(data, tmp_path):
    (tmp_path / "c.yaml").write_bytes(data)
    assert config.read_files([tmp_path / "c.yaml"]) == {"seed": 1}


def test_a_simulation_set_to_null_is_left_out():
    ours = study(changed(simulations={"blue-shift": None}, items=["B25-T1"]))
    assert "blue-shift" in study(changed(items=["B25-T1"])).config["simulations"]
    assert "blue-shift" not in ours.config["simulations"]
    assert "blue-shift" not in {n.names["simulation"] for n in ours.graph.nodes.values() if n.stage == "simulation"}


def test_numbers_as_people_write_them():
    a = study(changed(attacks={"pgd-4_16": {"epsilon": "8/255"}}))
    b = study(changed(attacks={"pgd-4_16": {"epsilon": 8 / 255}}))
    report = {a.report.path, b.report.path}  # it shows the config as it is written
    assert set(a.graph.nodes) - report == set(b.graph.nodes) - report
    assert config.read_files([REPOSITORY / "config.yaml"])["trainings"]["standard"]["weight_decay"] == 1e-4
    read_by_snakemake = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    assert read_by_snakemake["trainings"]["standard"]["weight_decay"] == "1e-4"
    assert config.check(read_by_snakemake) == config.check(config.read_files([REPOSITORY / "config.yaml"]))


def test_resolving_a_study_imports_no_torch_and_is_quick():
    program = (
        "import sys; from freqmaps.study.build import study; from freqmaps.study.config import read_files;"
        "study(read_files(['config.yaml']));"
        "heavy = {'torch', 'torchvision', 'foolbox', 'matplotlib', 'sklearn', 'xarray', 'numba'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize("name", ["b25-cifar10", "b25-imagenette", "k22-imagenette"])
def test_a_dry_run_of_a_full_size_study_answers_within_seconds(name):
    study(config.read_files([REPOSITORY / "config.yaml", REPOSITORY / f"studies/{name}.yaml"]))  # tried once
    before = os.times()
    words = ["-n", "-q", "--configfile", f"studies/{name}.yaml"]
    subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=REPOSITORY, capture_output=True, check=True)
    after = os.times()
    taken = after.children_user + after.children_system - before.children_user - before.children_system
    assert taken < 20  # seconds of CPU, 4 as a rule: this only catches a blow-up, on a busy machine too


def test_the_config_reference_is_up_to_date():
    assert (REPOSITORY / "docs" / "config.md").read_text(encoding="utf-8") == reference.markdown(), (
        "run: freqmaps config > docs/config.md"
    )


def test_the_graph_of_stages_is_up_to_date():
    line = [starter.python(), "-m", "freqmaps.cli", "rulegraph"]
    printed = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert (REPOSITORY / "docs" / "rulegraph.md").read_text(encoding="utf-8") == printed, (
        "run: freqmaps rulegraph > docs/rulegraph.md"
    )


def test_seeds_are_not_negative():
    seeds = {path: part for path, part in config.walk(config.schema()) if path.split(".")[-1] in ("seed", "seeds")}
    assert len(seeds) == 3 and all(part.get("items", part)["minimum"] == 0 for part in seeds.values())


def test_every_key_of_the_schema_is_described():
    assert [path for path, part in config.walk(config.schema()) if not part.get("description")] == []


def test_a_layer_that_the_network_lacks_is_told_before_work_starts():
    basis = {"kind": "features", "layer": "feature.0"}
    message = r"\.basis: .* cannot be cut at layer 'feature\.0'; did you mean 'features\.0'\? Valid: "
    with pytest.raises(ConfigError, match=rf"^maps\.features{message}"):
        study(changed(maps={"features": {"basis": basis}}))
    with pytest.raises(ConfigError, match=rf"^group_maps\.b25-class{message}"):
        study(changed(group_maps={"b25-class": {"basis": basis}}))
