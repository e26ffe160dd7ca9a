"""Entries that no run uses yet, the words that users type, and what libraries raise: one sentence with the remedy."""

import copy
import subprocess

import pytest
import yaml

from freqmaps.core.errors import ConfigError
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.small_study import STUDY
from tests.workflow import REPOSITORY

MODEL = {"architecture": "torchvision_model", "normalise": "none"}
FOOLBOX = {"kind": "foolbox_attack", "epsilon": 0.1}


def resolve(tmp_path, **sections):
    """Resolve the small study with further entries, which no run uses."""
    given = copy.deepcopy(STUDY) | {"items": []}
    for section, entries in sections.items():
        given[section] = given.get(section, {}) | entries
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(given))
    return study(read_files([REPOSITORY / "config.yaml", tmp_path / "study.yaml"]))


@pytest.mark.parametrize(
    ("section", "entry", "message"),
    [
        ("attacks", FOOLBOX | {"attack": "LinfPDG"}, r"attacks\.x: Foolbox has no attack 'LinfPDG'; did .*'LinfPGD'"),
        ("attacks", FOOLBOX | {"attack": "LinfPGD", "parameters": {"step": 3}}, r"attacks\.x: .*did you mean 'steps'"),
        ("attacks", {"kind": "autoattack", "parts": ["apgd"]}, r"attacks\.x: autoattack: no part 'apgd'"),
        ("models", MODEL | {"name": "resnet8"}, r"models\.x: torchvision_model: no model named 'resnet8'; did"),
        ("models", MODEL | {"name": "resnet18", "pretrained": "imagenet1k"}, r"models\.x: .*no weights 'imagenet1k'"),
        ("models", {"architecture": "resnet_cifar", "depth": 21}, r"models\.x: resnet_cifar: depth 21 is not 6n\+2"),
        ("datasets", {"kind": "torchvision_dataset", "name": "FashionMNITS"}, r"datasets\.x: .*nearest are FashionMNI"),
        ("evaluations", {"kind": "two_pass", "group_maps": "nope"}, r"x\.group_maps: the config's 'group_maps' has no"),
        ("evaluations", {"kind": "idcor_by_size", "maps": "ce", "attacks": ["fsgm"]}, r"x\.attacks: .*mean 'fgsm'"),
        ("evaluations", {"kind": "map_energy", "maps": "cee"}, r"evaluations\.x\.maps: .*no 'cee'; did you mean 'ce'"),
        ("evaluations", {"kind": "group_accuracy", "group_maps": "k22-global", "masks_of": ["standrd"]}, r"'standard'"),
        ("evaluations", {"kind": "corruptions", "corruptions": ["fogg"]}, r"x\.corruptions: .*did you mean 'fog'"),
        ("pairings", {"kind": "other_network", "training": "standrd"}, r"pairings\.x\.training: .*'standard'"),
        ("trainings", {"milestones": [1, 2]}, r"trainings\.x: .*'milestones' and schedule"),
        ("trainings", {"regime": {"kind": "scale", "low": 2, "high": 1}}, r"trainings\.x: .*low 2 lies above high 1"),
        (
            "maps",
            {"objective": "cross_entropy", "basis": {"kind": "wavelet", "wavelet": "harr"}},
            r"maps\.x: .*'harr'; did you mean 'haar'",
        ),
        ("group_maps", {"objective": "invariance", "groups": "all", "penalty": 3, "bound": 0.5}, r"group_maps\.x: inv"),
        ("metrics", {"kind": "idcor", "estimator": "MLe"}, r"metrics\.x: .*did you mean 'MLE'"),
    ],
)  # fmt: skip
def test_an_entry_that_no_run_uses_is_checked_too(tmp_path, section, entry, message):
    with pytest.raises(ConfigError, match=message):
        resolve(tmp_path, **{section: {"x": entry}})


def test_a_name_of_timm_in_an_entry_that_no_run_uses(tmp_path):
    pytest.importorskip("timm")
    given = {"architecture": "timm_model", "normalise": "none", "name": "resnet18.a1_in1kk"}
    with pytest.raises(ConfigError, match=r"models\.x: timm_model: timm knows no weights .* did you mean 'a1_in1k'"):
        resolve(tmp_path, models={"x": given})
    given |= {"name": "resnet18", "pretrained": "imagenet"}
    with pytest.raises(ConfigError, match=r"models\.x: .*pretrained is the path of a file, not 'imagenet'; fetch"):
        resolve(tmp_path, models={"x": given})


def test_files_images_and_own_code_wait_for_the_run_that_uses_the_entry(tmp_path, monkeypatch):
    (tmp_path / "own_waiting.py").write_text("def build(*, strength: float = 1.0):\n    raise ValueError('asked')\n")
    monkeypatch.chdir(tmp_path)
    given = {
        "datasets": {"x": {"kind": "image_folder", "root": "nowhere"}},
        "models": {
            "x": {"architecture": "small_cnn", "normalise": "none", "checkpoint": "nowhere.pt"},
            "y": MODEL | {"name": "vit_b_16", "pretrained": "nowhere.pt"},  # its patches do not fit the digits
            "z": {"architecture": "vgg11_bn", "normalise": "none"},
        },
        "attacks": {"x": {"kind": "own_waiting:build"}, "y": FOOLBOX | {"attack": "LinfPGD"}},
        "evaluations": {"x": {"kind": "adaptive", "group_maps": "b25-class", "defended_by": ["essential"]}},
    }
    resolve(tmp_path, **given)
    monkeypatch.setattr(subprocess, "run", None)  # what was answered is not asked again
    resolve(tmp_path, **given)
