"""Attacks whose steps cannot cross their budget are named before any work, in their log, and where they are read."""

import copy
import subprocess

import pytest
import yaml

from freqmaps.study import budgets, doubts
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests import starter
from tests.small_study import STUDY
from tests.workflow import REPOSITORY, snakemake

SHORT = {
    "pgd": {"kind": "pgd", "norm": "linf", "epsilon": 0.2, "steps": 5},  # of epsilon / 30
    "pgd-l2": {"kind": "pgd", "norm": "l2", "epsilon": 1.0, "steps": 39},  # of epsilon / 40
    "pgd-own-step": {"kind": "pgd", "epsilon": 0.2, "steps": 3, "step": 0.05},
    "bim": {"kind": "bim", "epsilon": 0.1, "steps": 4},  # of epsilon / 5
    "foolbox": {"kind": "foolbox_attack", "attack": "LinfPGD", "epsilon": 0.1, "parameters": {"steps": 29}},
    "foolbox-l2": {"kind": "foolbox_attack", "attack": "L2PGD", "epsilon": 1.0, "parameters": {"rel_stepsize": 0.01}},
    "foolbox-step": {
        "kind": "foolbox_attack",
        "attack": "MIFGSM",
        "epsilon": 0.1,
        "parameters": {"abs_stepsize": 0.009},
    },
}
ENOUGH = {
    "pgd": {"kind": "pgd", "epsilon": 0.2, "steps": 30},
    "pgd-l2": {"kind": "pgd", "norm": "l2", "epsilon": 1.0, "steps": 40},
    "bim": {"kind": "bim", "epsilon": 8 / 255, "steps": 5},
    "fgsm": {"kind": "fgsm", "epsilon": 0.2},
    "fmn": {"kind": "fmn", "steps": 2},  # looks for the smallest perturbation: no budget
    "foolbox": {"kind": "foolbox_attack", "attack": "LinfPGD", "epsilon": 0.1},
    "foolbox-other": {"kind": "foolbox_attack", "attack": "L2DeepFoolAttack", "parameters": {"steps": 2}},
}


def config(attacks, **more):
    found = copy.deepcopy(STUDY) | {"attacks": attacks} | more
    found["runs"][0]["attacks"] = list(attacks)
    found["items"] = []
    return found


def resolved(tmp_path, given):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(given))
    return study(read_files([REPOSITORY / "config.yaml", tmp_path / "study.yaml"]))


def test_every_attack_that_falls_short_is_named_and_no_other(tmp_path):
    short = resolved(tmp_path, config(SHORT)).warnings
    assert {text.split(":")[0] for text in short} == {f"attacks.{name}" for name in SHORT}
    assert resolved(tmp_path, config(ENOUGH)).warnings == []


def test_the_sentence_tells_what_would_reach(tmp_path):
    told = budgets.shortfall("pgd", {"epsilon": 0.3, "steps": 5, "step": None, "norm": "linf"})
    assert told.startswith("5 steps of 0.01 reach 0.05 and not the budget, epsilon 0.3")
    assert "at least 30 steps" in told


def test_the_defaults_of_what_attacks_reach_are_those_of_foolbox():
    from freqmaps.attacks._foolbox import attacks

    for name, kind in vars(attacks).items():
        for pattern, part, steps in budgets._FOOLBOX:
            if pattern.fullmatch(name):
                built = kind()
                assert (built.rel_stepsize, built.steps) == (pytest.approx(part), steps), name


def test_trainings_and_evaluations_that_fall_short_are_named(tmp_path):
    given = config({"fgsm": STUDY["attacks"]["fgsm"]})
    given["trainings"] = {
        "standard": {"epochs": 2, "regime": {"kind": "adversarial", "epsilon": 0.3, "steps": 2, "step": 0.1}}
    }
    given["evaluations"] = {"robust": {"kind": "robustness", "epsilon": 0.1, "steps": 3}}
    given["runs"][0]["evaluations"] = ["robust"]
    assert [text.split(":")[0] for text in resolved(tmp_path, given).warnings] == [
        "evaluations.robust",
        "trainings.standard",
    ]


def test_a_budget_beyond_those_in_use_is_named(tmp_path):
    given = config({"slip": {"kind": "fgsm", "epsilon": "8/25"}, "digits": {"kind": "fgsm", "epsilon": 0.3}})
    (sentence,) = resolved(tmp_path, given).warnings
    assert sentence.startswith("attacks.slip: epsilon 0.32 is 82 of 255 grey levels, more than attacks in use have")
    large = {"l2": {"kind": "pgd", "norm": "l2", "epsilon": 0.5, "steps": 40}}
    assert resolved(tmp_path, config(large)).warnings == []


def test_the_result_of_such_an_attack_carries_the_warning():
    spec = {
        "stage": "attacks",
        "names": {"attack": "weak"},
        "parameters": {"attack": {"kind": "pgd", "parameters": SHORT["pgd"] | {"step": None}}},
    }
    ((sentence,), inherited) = doubts.of_result(spec, {}, [])
    assert sentence.startswith("attack 'weak': 5 steps of 0.006667") and not inherited


def test_a_dry_run_and_an_estimate_say_so(tmp_path):
    (tmp_path / "weak.yaml").write_text(
        yaml.safe_dump(config({"weak": SHORT["pgd"]}) | {"results": str(tmp_path / "r")})
    )
    done = snakemake(REPOSITORY, "-n", "all", "--configfile", str(tmp_path / "weak.yaml"))
    assert "Warning: attacks.weak: 5 steps" in done.stdout + done.stderr
    line = [starter.python(), "-m", "freqmaps.cli", "plan", "--configfile", str(tmp_path / "weak.yaml"), "--csv", "-"]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "Warning: attacks.weak: 5 steps" in done.stderr and "Warning" not in done.stdout
