"""Entries that no run uses yet, the words that users type, and what libraries raise: one sentence with the remedy."""

import copy
import re
import subprocess
import sys

import pytest
import yaml

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, nearest, one_sentence
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


@pytest.mark.asks_anew
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


# --- the words that users type

_BESIDE = ("architecture", "normalise", "checkpoint", "rename")
_SUPPLIED = ("classes", "channels", "size")


@pytest.mark.parametrize(
    ("kind", "name", "word", "message"),
    [
        ("attack", "pgd", "eps", "did you mean 'epsilon'?"),
        ("attack", "pgd", "num_steps", "did you mean 'steps'?"),
        ("attack", "pgd", "alpha", "did you mean 'step'?"),
        ("attack", "autoattack", "n_iter", "did you mean 'steps'?"),
        ("attack", "foolbox_attack", "eps", "did you mean 'epsilon'?"),
        ("attack", "foolbox_attack", "steps", "go under 'parameters', as in 'parameters: {steps: ...}'; beside it"),
        ("dataset", "torchvision_dataset", "split", "go under 'options', as in 'options: {split: ...}'; beside it"),
        ("dataset", "image_folder", "path", "did you mean 'root'?"),
        ("dataset", "image_folder", "image_size", "did you mean 'size'?"),
        ("dataset", "arrays", "root", "did you mean 'path'?"),
        ("model", "torchvision_model", "weights", "did you mean 'pretrained'?"),
        ("model", "small_cnn", "weights", "did you mean 'checkpoint'?"),
        ("model", "small_cnn", "ckpt", "did you mean 'checkpoint'?"),
        ("model", "small_cnn", "mean", "did you mean 'normalise'?"),
        ("model", "small_cnn", "num_classes", "the workflow itself sets 'classes'"),
        ("model", "small_cnn", "img_size", "the workflow itself sets 'size'"),
    ],
)
def test_other_words_for_a_parameter_lead_to_it(kind, name, word, message):
    supplied, beside = (_SUPPLIED, _BESIDE) if kind == "model" else ((), ())
    with pytest.raises(ConfigError, match=f"^here: {kind} '{name}' has no parameter '{word}'; ") as caught:
        components.resolve(kind, name, {word: 1}, where="here", supplied=supplied, beside=beside)
    assert message in str(caught.value)


def test_what_is_spelt_nearly_alike_comes_before_another_word():
    assert nearest("lr", ["learning_rate", "lrs"]).startswith("did you mean 'lrs'")
    assert nearest("lr", ["learning_rate", "layer"]).startswith("did you mean 'learning_rate'")
    assert nearest("epochs", ["weights", "size"]) == "Valid: size, weights"


def test_pretrained_is_a_name_and_no_yes():
    given = {"name": "resnet18", "pretrained": True}
    with pytest.raises(ConfigError, match=r"^here\.pretrained: expected a word or null, found True; write which one"):
        components.resolve("model", "torchvision_model", given, where="here", supplied=_SUPPLIED)


def test_a_long_list_is_shown_in_part():
    names = [f"network_{number}" for number in range(500)]
    said = nearest("netwrk_77", names)
    assert said.startswith("did you mean 'network_77'? Valid: network_77, ") and len(said) < 300
    shown = said.removeprefix("did you mean 'network_77'? Valid: ").split(" and 492 more (docs/bring-your-own.md")[0]
    assert len(set(shown.split(", ")) & set(names)) == 8
    assert nearest("x", names[:10]) == f"Valid: {', '.join(sorted(names[:10]))}"  # a short one whole


# --- what libraries raise without a word


def test_an_assertion_without_words_names_its_parameters_and_its_condition(tmp_path):
    given = {"kind": "foolbox_attack", "attack": "HopSkipJumpAttack", "parameters": {"constraint": "l3"}}
    with pytest.raises(ConfigError, match=r"^attacks\.x: AssertionError: assert constraint in .*l2") as caught:
        resolve(tmp_path, attacks={"x": given})
    assert '"attack": "HopSkipJumpAttack"' in str(caught.value) and '"constraint": "l3"' in str(caught.value)


def test_an_error_without_words_in_one_sentence():
    with pytest.raises(AssertionError) as caught:
        exec(compile("assert 1 == 2", "nowhere.py", "exec"))
    assert one_sentence(caught.value).startswith("AssertionError (")  # the source is not known
    with pytest.raises(ValueError) as raised:
        raise ValueError
    assert one_sentence(raised.value).startswith("ValueError (")


def test_the_commands_of_the_guide_list_the_names():
    page = (REPOSITORY / "docs" / "bring-your-own.md").read_text(encoding="utf-8")
    commands = re.findall(r"`python -c \"([^\"`]+)\"`", page)
    assert len(commands) == 3
    for code, name in zip(commands, ("LinfPGD", "resnet18", "test_vit"), strict=True):
        if name == "test_vit":
            pytest.importorskip("timm")
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert name in printed.split()
