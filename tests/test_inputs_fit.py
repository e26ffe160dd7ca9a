"""Values of a config that do not fit together, or to what a run makes, are told before any work; so is own code."""

import copy
import subprocess

import pytest
import yaml

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.study import precheck
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.small_study import STUDY
from tests.workflow import REPOSITORY

GROUP_MAPS = {
    "every": {"objective": "invariance", "groups": "all", "epochs": 1, "samples": {"split": "train"}},
    "class": {"objective": "invariance", "groups": "class", "epochs": 1, "samples": {"split": "train"}},
}
#: What a user brings, in one module beside the study; each function has its own fault, or none.
OWN = """
import numpy as np

from freqmaps.correlation._api import Metric, undefined

SECOND = "adversarial"
NEEDS = ()


def right(x, y, *, seed, count: int = 100, scale: float = 1.0):
    if len(x) < 200:
        return undefined(len(x), "too few")
    return Metric(scale * float(np.corrcoef(x.ravel(), y.ravel())[0, 1]), len(x))


def raises(x, y, *, seed, kernel: str = "rbf"):
    kernels = {"rbf": 1, "linear": 2}
    return Metric(float(kernels[kernel]), len(x))


def number(x, y, *, seed):
    return 0.5


def pairs(*, shift: int = 1):
    if shift > 3:
        raise ValueError(f"shift {shift} is too far")
    return lambda first, second, generator: second


def measured(inputs, network, *, seed, radius: float = 2.0):
    return []


def seedless(inputs, network, *, radius: float = 2.0):
    return []
"""


def resolve(tmp_path, run=None, **sections):
    given = copy.deepcopy(STUDY) | {"items": []}
    for section, entries in sections.items():
        given[section] = entries
        if section not in ("matrices", "simulations", "trainings"):
            given["runs"][0][section] = list(entries)
    given["runs"][0] |= run or {}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(given))
    return study(read_files([REPOSITORY / "config.yaml", tmp_path / "study.yaml"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "two_pass", "group_maps": "clas"}, r"e\.group_maps: runs\[0\]\.group_maps has no 'clas'"),
        ({"kind": "two_pass", "group_maps": "every"}, r"e\.group_maps: it reads a map of each class.*'groups: all'"),
        ({"kind": "two_pass", "group_maps": "class", "attacks": ["fgsm", "fsgm"]}, r"has no 'fsgm'; did you mean"),
        ({"kind": "idcor_by_size", "maps": "ce", "attacks": ["fsgm"]}, r"e\.attacks: .*did you mean 'fgsm'"),
        ({"kind": "linear_separability", "maps": "cee"}, r"e\.maps: runs\[0\]\.maps has no 'cee'; did you mean 'ce'"),
        ({"kind": "adaptive", "group_maps": "class", "defended_by": ["fgsm"]}, r"not made from 'fgsm'; Valid: "),
        ({"kind": "group_accuracy", "group_maps": "every", "masks_of": ["standrd"]}, r"masks_of: .*mean 'standard'"),
    ],
)  # fmt: skip
def test_names_that_an_evaluation_reads_are_those_of_its_run(tmp_path, given, message):
    with pytest.raises(ConfigError, match=message):
        resolve(tmp_path, group_maps=GROUP_MAPS, evaluations={"e": given})


@pytest.mark.parametrize(
    ("section", "entry", "message"),
    [
        ("matrices", {"pool": "mean", "size": 5}, r"matrices\.size: maps 'ce' are 8x8 and cannot be pooled to 5x5"),
        ("simulations", {"s": {"kind": "blue_shift", "low": 20, "high": 10}}, r"simulations\.s: .*no band from 20"),
        ("simulations", {"s": {"kind": "two_layer_theorems", "cutoff": 15}}, r"simulations\.s: .*cutoff 15 leaves no"),
        ("trainings", {"standard": {"milestones": [1, 2]}}, r"trainings\.standard: .*'milestones' and schedule"),
        ("trainings", {"standard": {"keep": "best_robust"}}, r"trainings\.standard: .*needs 'robust_images'"),
        ("trainings", {"standard": {"regime": {"kind": "scale", "low": 2, "high": 1}}}, r"low 2 lies above high 1"),
        ("trainings", {"standard": {"batch": 10000, "drop_last": True}}, r"standard\.batch: .*1617 training images"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_together_are_told_before_any_work(tmp_path, section, entry, message):
    with pytest.raises(ConfigError, match=message):
        resolve(tmp_path, **{section: entry})


def test_maps_that_cannot_be_pooled_are_told_before_any_work(tmp_path):
    maps = {"w": {"objective": "cross_entropy", "basis": "wavelet"}}
    with pytest.raises(ConfigError, match=r"matrices\.pool: maps 'w' of basis 'wavelet' cannot be pooled by mean"):
        resolve(tmp_path, maps=maps, matrices={"pool": "mean", "size": 4})
    resolve(tmp_path, maps=maps, matrices={"pool": "none", "size": 5})


def test_group_maps_that_cannot_watch_clean_images_are_told_before_any_work(tmp_path):
    given = {"g": {"objective": "invariance", "groups": "all", "alternate": False, "images": ["adversarial"]}}
    with pytest.raises(ConfigError, match=r"group_maps\.g: 'stop: k22' needs the accuracy on clean images"):
        resolve(tmp_path, group_maps=given)
    given["g"]["stop"] = "none"
    resolve(tmp_path, group_maps=given)


@pytest.mark.parametrize(
    ("section", "entry", "message"),
    [
        ("metrics", {"kind": "own_parts:raises", "kernel": "rfb"}, r"metrics\.x: KeyError: 'rfb' \(own_parts\.py, l"),
        ("metrics", {"kind": "own_parts:number"}, r"metrics\.x: metric 'own_parts:number' returned float; .*a Metric"),
        ("pairings", {"kind": "own_parts:pairs", "shift": 4}, r"pairings\.x: ValueError: shift 4 is too far \(own_"),
        ("evaluations", {"kind": "own_parts:seedless"}, r"evaluations\.x: TypeError: .*'seed'"),
        ("metrics", {"kind": "own_broken:right"}, r"metrics\.x: ModuleNotFoundError: No module named 'nonesuch'"),
        ("evaluations", {"kind": "own_ending:measured"}, r"evaluations\.x: SystemExit: 3"),
    ],
)  # fmt: skip
def test_a_user_s_metric_pairing_or_evaluation_is_tried_before_any_work(tmp_path, monkeypatch, section, entry, message):
    for name, first in (("parts", ""), ("broken", "import nonesuch\n"), ("ending", "import sys\nsys.exit(3)\n")):
        (tmp_path / f"own_{name}.py").write_text(first + OWN)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        resolve(tmp_path, **{section: {"x": entry}})


@pytest.mark.asks_anew
def test_a_user_s_right_parts_are_tried_once_and_together(tmp_path, monkeypatch):
    (tmp_path / "own_right.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    given = {
        "metrics": {"m": {"kind": "own_right:right", "scale": 2}},
        "pairings": {"p": {"kind": "own_right:pairs"}},
        "evaluations": {"e": {"kind": "own_right:measured"}},
    }
    started, run = [], subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *line, **given: started.append(line) or run(*line, **given))
    resolve(tmp_path, **given)
    assert len(started) == 1
    monkeypatch.setattr(subprocess, "run", None)
    resolve(tmp_path, **given)


def test_only_what_differs_from_defaults_is_asked():
    idcor = components.find("metric", "idcor")
    assert not precheck.is_open(idcor, {"estimator": "twonn", "permutations": 3})
    assert precheck.is_open(idcor, {"estimator": "MLE"})
    assert not precheck.is_open(components.find("evaluation", "two_pass"), {"group_maps": "class", "attacks": ["fgsm"]})
