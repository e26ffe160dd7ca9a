"""Attacks: any of Foolbox's by name, and how its refusals read."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from torch import nn

from freqmaps.attacks import attack_images
from freqmaps.core.components import load, resolve
from freqmaps.core.errors import FreqmapsError
from tests.attack_cases import attack, digit_images, trained_net  # noqa: F401


@pytest.mark.parametrize(
    ("name", "epsilon", "parameters", "norm"),
    [
        ("L1FMNAttack", None, {"steps": 10}, "l1"),
        ("LinfMomentumIterativeFastGradientMethod", "8/255", {"steps": 3}, "linf"),
        ("DDNAttack", None, {"steps": 10, "init_epsilon": 1}, "l2"),
        ("EADAttack", None, {"steps": 10, "binary_search_steps": 2}, "l1"),
        ("GaussianBlurAttack", None, {"distance": "linf", "steps": 10}, "linf"),
        ("SpatialAttack", None, {"max_translation": 1}, "linf"),
        ("NewtonFoolAttack", None, {"steps": 5}, "l2"),
        ("FGM", 0.5, {}, "l2"),
    ],
)
def test_foolbox_attack_by_name(net, digits, name, epsilon, parameters, norm):
    given = {"attack": name, "epsilon": epsilon, "parameters": parameters}
    plan = load("attack", "foolbox_attack")(**resolve("attack", "foolbox_attack", given, where="test"))
    result = attack(net, digits, plan, slice(0, 32))
    assert plan.norm == norm and result.adversarial.shape == (32, 1, 8, 8)


def test_foolbox_attack_refuses_what_foolbox_does_not_have():
    build = load("attack", "foolbox_attack")
    with pytest.raises(FreqmapsError, match=r"did you mean 'LinfBasicIterativeAttack'"):
        build(attack="LinfBasicIterativAttack", epsilon=0.1)
    with pytest.raises(FreqmapsError, match=r"no parameter 'step'; did you mean 'steps'"):
        build(attack="LinfPGD", epsilon=0.1, parameters={"step": 3})
    with pytest.raises(FreqmapsError, match=r"LinfPGD'.steps: expected a whole number, found 'many'"):
        build(attack="LinfPGD", epsilon=0.1, parameters={"steps": "many"})
    with pytest.raises(FreqmapsError, match=r"set 'epsilon'"):
        build(attack="LinfPGD")
    with pytest.raises(FreqmapsError, match="needs the parameter 'steps'"):
        build(attack="VirtualAdversarialAttack", epsilon=0.1)
    with pytest.raises(FreqmapsError, match=r"no distance 'l7'"):
        build(attack="InversionAttack", parameters={"distance": "l7"})
    with pytest.raises(FreqmapsError, match=r"outside \(0, 1\)"):
        build(attack="LinfPGD", epsilon=2.0)
    with pytest.raises(FreqmapsError, match=r"block 0"):
        build(attack="LinfPGD", epsilon=0.1, block=0)
    assert build(attack="LinfPGD", epsilon=0.1, parameters={"abs_stepsize": "1/4"}).attack.attack.abs_stepsize == 0.25


def test_foolbox_refusals_are_one_sentence(net, digits):
    one_class = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    with pytest.raises(FreqmapsError, match="Foolbox refuses LinfDeepFool"):
        attack_images(
            one_class,
            digits[0][:2],
            np.zeros(2, int),
            load("attack", "deepfool")(),
            seed=0,
            positions=[0, 1],
            device="cpu",
        )


def test_deepfool_does_not_write_to_the_log(net, digits, caplog):
    with caplog.at_level(logging.INFO):
        attack(net, digits, load("attack", "deepfool")(), slice(0, 4))
    assert not caplog.records
