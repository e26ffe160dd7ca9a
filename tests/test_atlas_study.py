"""Which results of a study the atlas shows."""

import pytest

from freqmaps.core.errors import ConfigError
from freqmaps.core.images import called
from freqmaps.study.build import study as resolve
from freqmaps.study.config import read_files
from tests.workflow import REPOSITORY


def study(**changes):
    return resolve({**read_files([REPOSITORY / "config.yaml", REPOSITORY / "tests" / "tiny.yaml"]), **changes})


def test_the_first_setting_with_maps_is_shown():
    atlas = study().atlas
    assert atlas.parameters["names"] == {
        "dataset": "digits", "model": "small-cnn", "training": "standard", "seed": "0", "maps": "ce",
    }  # fmt: skip
    assert atlas.parameters["attacks"] == ["fgsm", "pgd-4_16"]
    metrics = {n.names["metric"] for n in atlas.inputs if n.stage == "correlation"}
    assert metrics == {"cosine"}
    whole = study(atlas={"attacks": ["fgsm"]})
    one = whole.atlas
    assert {called(n.names) for n in one.inputs if n.stage == "maps"} == {"essential", "fgsm"}
    assert whole.atlas_node.key != study(atlas={"attacks": ["fgsm", "pgd-4_16"]}).atlas_node.key


def test_another_seed_is_shown_by_name():
    runs = read_files([REPOSITORY / "tests" / "tiny.yaml"])["runs"]
    runs[0]["seeds"] = [0, 1]
    atlas = study(runs=runs, atlas={"seed": 1}).atlas
    assert atlas.parameters["names"]["seed"] == "1"
    assert {n.names["seed"] for n in atlas.inputs if n.stage != "datasets"} == {"1"}


def test_a_study_without_maps_has_no_atlas():
    runs = read_files([REPOSITORY / "tests" / "tiny.yaml"])["runs"]
    assert study(atlas={"samples": 0}).atlas is None
    assert study(runs=[{**runs[0], "maps": [], "metrics": []}], items=[]).atlas is None
    only = study(runs=[{**runs[0], "images": ["essential"], "metrics": []}], items=[]).atlas
    assert only.parameters["attacks"] == []
    assert {n.stage for n in only.inputs} == {"datasets", "training", "maps"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"maps": "cf"}, r"atlas\.maps: no run makes Fourier maps with maps 'cf'; did you mean 'ce'"),
        ({"attacks": ["fgms"]}, r"atlas\.attacks: this setting has no maps of attack 'fgms'; did you mean 'fgsm'"),
        ({"seed": 7}, r"atlas\.seed: no run makes Fourier maps with seed '7'"),
        ({"sample": 7}, r"atlas: unknown key 'sample'; did you mean 'samples'"),
        ({"samples": -1}, r"atlas\.samples: -1 is too small"),
    ],
)
def test_a_wrong_name_is_one_sentence(given, message):
    with pytest.raises(ConfigError, match=message):
        study(atlas=given)


def test_settings_that_exist_apart_but_not_together():
    runs = read_files([REPOSITORY / "tests" / "tiny.yaml"])["runs"]
    other = {**runs[0], "seeds": [1], "maps": ["k22-single"]}
    with pytest.raises(ConfigError, match="no run has seed '0', maps 'k22-single' together"):
        study(runs=[runs[0], other], items=[], atlas={"seed": 0, "maps": "k22-single"})


def test_maps_over_another_basis_are_passed_over():
    tiny = read_files([REPOSITORY / "config.yaml", REPOSITORY / "tests" / "tiny.yaml"])
    maps = {"cosines": tiny["maps"]["ce"] | {"basis": "dct"}} | tiny["maps"]
    run = {**tiny["runs"][0], "maps": ["cosines", "ce"]}
    assert study(maps=maps, runs=[run], items=[]).atlas.parameters["names"]["maps"] == "ce"
    assert study(maps=maps, runs=[{**run, "maps": ["cosines"]}], items=[]).atlas is None
    with pytest.raises(ConfigError, match="no run makes Fourier maps with maps 'cosines'; Valid: ce"):
        study(maps=maps, runs=[run], items=[], atlas={"maps": "cosines"})
