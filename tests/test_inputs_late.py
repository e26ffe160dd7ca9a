"""What building a component can find out is told before any work starts, in a process that has torch, and once."""

import copy
import subprocess

import pytest
import yaml

from freqmaps.core import components, literals
from freqmaps.core.errors import ConfigError
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.small_study import STUDY
from tests.workflow import REPOSITORY

MODEL = {"architecture": "torchvision_model", "normalise": "none"}
OWN = """
import torch
from torch import nn

WIDTH = 4


def build(*, classes: int, channels: int, size: int, width: int = WIDTH, rate: float = 1 / 3) -> nn.Module:
    if width > 8:
        raise ValueError(f"width {width} is too much")
    return Net(classes, width)


class Net(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, classes))

    def forward(self, x):
        assert x.shape[-1] == SIDE, f"images of side {x.shape[-1]}, not SIDE"
        return self.body(x)
"""


def resolve(tmp_path, **changes):
    given = copy.deepcopy(STUDY) | {"items": []}
    for section, entries in changes.items():
        given[section] = entries
        given["runs"][0][section] = list(entries)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(given))
    return study(read_files([REPOSITORY / "config.yaml", tmp_path / "study.yaml"]))


def own(tmp_path, monkeypatch, name, side, code=OWN):
    """Write a module of a user's own, importable from here and from the process that is asked."""
    (tmp_path / f"{name}.py").write_text(code.replace("SIDE", str(side)))
    monkeypatch.chdir(tmp_path)
    return {name: {"architecture": f"{name}:build", "normalise": "none"}}


@pytest.mark.parametrize(
    ("section", "entry", "message"),
    [
        ("models", MODEL | {"name": "resnet8"}, r"models\.x: torchvision_model: no model named 'resnet8'; did"),
        ("models", MODEL | {"name": "resnet18", "pretrained": "imagenet1k"}, r"resnet18 has no weights 'imagenet1k'"),
        ("models", MODEL | {"name": "vit_b_16"}, r"needs a size that is a multiple of 16|cannot be made for 8×8"),
        ("attacks", {"kind": "foolbox_attack", "attack": "LinfPDG"}, r"attacks\.x: Foolbox has no attack 'LinfPDG'"),
        ("attacks", {"kind": "foolbox_attack", "attack": "LinfPGD"}, r"attacks\.x: .*set 'epsilon'"),
        (
            "attacks",
            {"kind": "foolbox_attack", "attack": "LinfPGD", "epsilon": 0.1, "parameters": {"step": 3}},
            r"attacks\.x: .*has no parameter 'step'; did you mean 'steps'",
        ),
        ("attacks", {"kind": "autoattack", "parts": ["apgd"]}, r"attacks\.x: autoattack: no part 'apgd'; did you mean"),
        (
            "maps",
            {"objective": "cross_entropy", "basis": {"kind": "wavelet", "wavelet": "harr"}},
            r"maps\.x\.basis: .*'harr'; did you mean 'haar'",
        ),
        (
            "maps",
            {"objective": "cross_entropy", "basis": {"kind": "wavelet", "levels": 4}},
            r"maps\.x\.basis: .*images of 8×8 cannot be halved 4 times",
        ),
        ("maps", {"objective": "invariance", "penalty": 3, "bound": 0.5}, r"maps\.x: invariance: bound 0\.5 must"),
        ("metrics", {"kind": "idcor", "estimator": "MLe"}, r"x: idcor: no estimator named 'MLe'; did you mean 'MLE'"),
        ("models", {"architecture": "resnet_cifar", "depth": 21}, r"models\.x: resnet_cifar: depth 21 is not 6n\+2"),
        ("models", {"architecture": "vgg11_bn"}, r"models\.x: vgg11_bn: images of 8×8 are too small"),
        ("evaluations", {"kind": "robustness", "parts": ["pdg"]}, r"x\.parts: no 'pdg' in this list; did"),
        ("evaluations", {"kind": "perturbation_spectra", "norms": ["l3"]}, r"norms: no 'l3' in this list"),
    ],
)  # fmt: skip
def test_typos_are_told_before_any_work(tmp_path, section, entry, message):
    with pytest.raises(ConfigError, match=message):
        resolve(tmp_path, **{section: {"x": entry}})


def test_a_user_s_network_that_takes_no_such_images_is_one_sentence_with_file_and_line(tmp_path, monkeypatch):
    resolve(tmp_path, models=own(tmp_path, monkeypatch, "nets_of_8", 8))
    line = OWN.splitlines().index('        assert x.shape[-1] == SIDE, f"images of side {x.shape[-1]}, not SIDE"') + 1
    with pytest.raises(ConfigError) as caught:
        resolve(tmp_path, models=own(tmp_path, monkeypatch, "nets_of_32", 32))
    said = str(caught.value)
    assert "AssertionError: images of side 8, not 32" in said and f"nets_of_32.py, line {line}, in forward" in said
    given = own(tmp_path, monkeypatch, "nets_too_wide", 8)
    given["nets_too_wide"]["width"] = 9
    with pytest.raises(
        ConfigError, match=r"^models\.nets_too_wide: ValueError: width 9 is too much \(nets_too_wide\.py"
    ):
        resolve(tmp_path, models=given)


@pytest.mark.asks_anew
def test_the_question_is_asked_once(tmp_path, monkeypatch):
    given = own(tmp_path, monkeypatch, "nets_once", 8)
    resolve(tmp_path, models=given)
    monkeypatch.setattr(subprocess, "run", None)
    resolve(tmp_path, models=given)


@pytest.mark.asks_anew
def test_what_only_a_machine_with_a_gpu_can_tell_is_not_refused_and_asked_again(tmp_path, monkeypatch):
    code = "def build(*, classes, channels, size):\n    raise RuntimeError('Found no NVIDIA driver on your system.')\n"
    resolve(tmp_path, models=own(tmp_path, monkeypatch, "nets_on_gpu", 8, code))
    monkeypatch.setattr(subprocess, "run", None)
    with pytest.raises(TypeError):
        resolve(tmp_path, models=own(tmp_path, monkeypatch, "nets_on_gpu", 8, code))


@pytest.mark.asks_anew
def test_components_without_open_parameters_ask_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    resolve(tmp_path, attacks={"pgd": {"kind": "pgd"}, "fmn": {"kind": "fmn"}})


def test_defaults_may_be_constants_and_arithmetic(tmp_path, monkeypatch):
    own(tmp_path, monkeypatch, "nets_defaults", 8)
    found = components.find("model", "nets_defaults:build").parameters
    assert (found["width"].default, found["rate"].default) == (4, 1 / 3)
    code = "import math\n\n\ndef build(*, classes, channels, size, width: float = math.sqrt(2)):\n    return None\n"
    own(tmp_path, monkeypatch, "nets_called", 8, code)
    with pytest.raises(ConfigError, match=r"nets_called\.py:4: the default of 'width' cannot be read.*math\.sqrt\(2\)"):
        components.find("model", "nets_called:build")
    own(tmp_path, monkeypatch, "nets_broken", 8, "def build(:\n")
    with pytest.raises(ConfigError, match=r"nets_broken\.py:1: not valid Python"):
        components.find("model", "nets_broken:build")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8 / 255", 8 / 255), ("-2 ** 3", -8), ("(1, A)", (1, 5)), ("[A + 1]", [6]), ("{'a': A}", {"a": 5}), ("'x'", "x")],
)
def test_values_read_without_running(text, expected):
    tree = literals.ast.parse(f"A = B\nB = 5\nC = 1\nC = 2\nx = {text}")
    names = literals.assigned(tree)
    assert literals.value(names["x"], names) == expected and "C" not in names


@pytest.mark.parametrize("text", ["1 / 0", "9 ** 999", "'a' + 'b'", "f()", "x", "y", "2.0 ** 99999"])
def test_what_cannot_be_read_is_refused(text):
    names = literals.assigned(literals.ast.parse(f"x = y\ny = x\nz = {text}"))
    with pytest.raises(ValueError, match=r"is no|cannot be"):
        literals.value(names["z"], names)
