"""Attacks: every component keeps the contract, and budgets and closed forms hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.attacks import to_dataset
from freqmaps.core import components
from freqmaps.core.components import load, resolve
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.stores.contracts import ADVERSARIAL
from tests.attack_cases import N, answers, attack, digit_images, trained_net  # noqa: F401

ATTACKS = components.names("attack")


def gradient(net, images, labels):
    x = torch.from_numpy(images).requires_grad_()
    loss = nn.functional.cross_entropy(net(x), torch.from_numpy(labels), reduction="sum")
    return torch.autograd.grad(loss, x)[0].numpy()


def tiny(name):
    given = dict(components.find("attack", name).constants["TINY"])
    return resolve("attack", name, given, where="test")


# ---- every component keeps the contract


@pytest.mark.parametrize("name", ATTACKS)
def test_component_contract(net, digits, name):
    parameters = tiny(name)
    plan = load("attack", name)(**parameters)
    result = attack(net, digits, plan)
    x, y = digits[0][:N], digits[1][:N]
    delta = result.adversarial - x
    assert result.adversarial.shape == x.shape and result.adversarial.dtype == np.float32
    assert np.isfinite(result.adversarial).all() and result.adversarial.min() >= 0 and result.adversarial.max() <= 1
    np.testing.assert_allclose(result.linf, np.abs(delta).max(axis=(1, 2, 3)), atol=1e-7)
    np.testing.assert_allclose(result.l2, np.sqrt((delta.astype(float) ** 2).sum(axis=(1, 2, 3))), rtol=1e-6)
    if plan.epsilon is not None:
        assert getattr(result, plan.norm).max() <= plan.epsilon + 1e-6
    np.testing.assert_array_equal(result.prediction, answers(net, x))
    again = answers(net, result.adversarial)
    assert (result.adversarial_prediction == again).mean() >= 0.95  # minimum-norm attacks end on the boundary
    np.testing.assert_array_equal(result.success, result.adversarial_prediction != y)
    assert result.summary()["fooled"] > 0
    dataset = to_dataset(result, [f"test/{i}" for i in range(N)], y, kind=name, parameters=parameters)
    ADVERSARIAL.validate(dataset, name)
    assert json.loads(dataset.attrs["parameters"]) == parameters
    assert dataset.attrs["epsilon"] == ("none" if plan.epsilon is None else plan.epsilon)


@pytest.mark.parametrize("name", ATTACKS)
def test_component_declares_itself(name):
    component = components.find("attack", name)
    if "_foolbox" in component.path.read_text(encoding="utf-8"):
        assert component.libraries == ("foolbox", "eagerpy")
    assert set(component.constants["RANGES"]) | set(component.constants["TINY"]) <= set(component.parameters)
    assert len(component.doc.splitlines()) >= 3
    tiny(name)  # TINY lies within RANGES
    plan = load("attack", name)(**tiny(name))
    assert name in plan.name and repr(plan) == repr(load("attack", name)(**tiny(name)))


@pytest.mark.parametrize("name", ["fgsm", "bim", "pgd"])
@pytest.mark.parametrize("epsilon", [0.0, 1.0, -0.1, "255/8"])
def test_budget_outside_the_unit_interval_is_refused_before_work(name, epsilon):
    with pytest.raises(ConfigError, match=r"epsilon.*outside"):
        resolve("attack", name, {"epsilon": epsilon}, where="attacks.x")
    with pytest.raises(FreqmapsError, match="epsilon"):
        load("attack", name)(epsilon=float(epsilon) if not isinstance(epsilon, str) else 31.9)


def test_importing_the_package_leaves_foolbox_alone():
    code = "import sys, freqmaps.attacks; sys.exit('foolbox' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- closed forms


def test_fgsm_is_one_clipped_sign_step(net, digits):
    x, y = digits[0][:N], digits[1][:N]
    result = attack(net, digits, load("attack", "fgsm")(epsilon=0.1))
    expected = np.clip(x + np.float32(0.1) * np.sign(gradient(net, x, y)), 0, 1)
    np.testing.assert_allclose(result.adversarial, expected, atol=1e-6)


def test_fgm_is_one_clipped_step_along_the_unit_gradient(net, digits):
    x, y = digits[0][:N], digits[1][:N]
    result = attack(net, digits, load("attack", "fgm")(epsilon=0.7))
    g = gradient(net, x, y)
    expected = np.clip(x + 0.7 * g / np.sqrt((g**2).sum(axis=(1, 2, 3), keepdims=True)), 0, 1)
    np.testing.assert_allclose(result.adversarial, expected, atol=1e-5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_one_step_of_pgd_from_the_image_is_bim_and_fgsm(net, digits, norm):
    one = {"norm": norm, "epsilon": 0.2, "steps": 1, "step": 0.2}
    pgd = attack(net, digits, load("attack", "pgd")(**one, random_start=False)).adversarial
    np.testing.assert_array_equal(pgd, attack(net, digits, load("attack", "bim")(**one)).adversarial)
    single = load("attack", "fgsm" if norm == "linf" else "fgm")(epsilon=0.2)
    np.testing.assert_allclose(pgd, attack(net, digits, single).adversarial, atol=1e-6)


def test_pgd_equals_a_direct_loop(net, digits):
    x, y, epsilon = digits[0][:N], digits[1][:N], np.float32(0.1)
    current = x
    for _ in range(5):
        current = current + epsilon / np.float32(30) * np.sign(gradient(net, current, y))
        current = np.clip(np.clip(current, x - epsilon, x + epsilon), 0, 1)
    plan = load("attack", "pgd")(epsilon=0.1, steps=5, random_start=False)
    assert np.mean(np.abs(attack(net, digits, plan).adversarial - current) < 1e-5) > 0.999  # sign forks are rare


def test_steps_are_absolute_and_explicit():
    assert load("attack", "pgd")(epsilon=0.3).attack.attack.abs_stepsize == pytest.approx(0.01)
    assert load("attack", "pgd")(epsilon=0.4, norm="l2").attack.attack.abs_stepsize == pytest.approx(0.01)
    assert load("attack", "bim")(epsilon=0.5).attack.attack.abs_stepsize == pytest.approx(0.1)
    assert load("attack", "pgd")(epsilon=0.3, step=0.05).attack.attack.abs_stepsize == 0.05


def test_restarts_fool_at_least_as_many(net, digits):
    rates = [
        attack(net, digits, load("attack", "pgd")(epsilon=0.06, steps=3, step=0.02, restarts=r)).summary()["fooled"]
        for r in (1, 5)
    ]
    assert rates[1] >= rates[0]


@pytest.mark.parametrize("name", ["fmn", "deepfool"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_minimum_norm_attacks_need_less_than_the_fast_ones(net, digits, name, norm):
    smallest = attack(net, digits, load("attack", name)(norm=norm))
    fast = attack(
        net, digits, load("attack", "fgsm" if norm == "linf" else "fgm")(epsilon=0.25 if norm == "linf" else 1.5)
    )
    key = f"median_{norm}"
    assert smallest.summary()["success_rate"] >= 0.95
    assert smallest.summary()[key] < 0.8 * fast.summary()[key]


def test_l2_fmn_is_near_carlini_wagner_and_deepfool(net, digits):
    """Foolbox's own form never projects; ours must find perturbations as small as the other attacks do."""
    size = {
        name: attack(net, digits, load("attack", name)(**parameters)).summary()["median_l2"]
        for name, parameters in {
            "fmn": {"norm": "l2"},
            "deepfool": {"norm": "l2"},
            "cw": {"steps": 60, "binary_search_steps": 4, "stepsize": 0.03, "initial_const": 0.3},
        }.items()
    }
    unprojected = load("attack", "foolbox_attack")(attack="L2FMNAttack")
    assert size["fmn"] < 1.02 * min(size.values())
    assert size["fmn"] < 0.8 * attack(net, digits, unprojected).summary()["median_l2"]


def test_the_guide_s_example_runs(net, digits, tmp_path, monkeypatch):
    text = (Path(__file__).parent.parent / "docs" / "add-an-attack.md").read_text(encoding="utf-8")
    (tmp_path / "guide_attacks.py").write_text(text.split("```python\n")[1].split("```")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    parameters = resolve("attack", "guide_attacks:noise", {"epsilon": "1/4"}, where="attacks.noise")
    assert parameters == {"epsilon": 0.25, "tries": 10}
    plan = load("attack", "guide_attacks:noise")(**parameters)
    result = attack(net, digits, plan)
    assert 0 < result.linf.max() <= 0.25 + 1e-6
    np.testing.assert_array_equal(attack(net, digits, plan, batch=7).adversarial, result.adversarial)
    with pytest.raises(ConfigError, match="outside"):
        resolve("attack", "guide_attacks:noise", {"epsilon": 2}, where="attacks.noise")


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["fgsm", "pgd", "fmn", "deepfool"])
def test_gpu_agrees_with_cpu(net, digits, name):
    plan = load("attack", name)()
    cpu = attack(net, digits, plan)
    try:
        gpu = attack(net, digits, plan, device="cuda")
    finally:
        net.cpu()
    assert (np.abs(cpu.adversarial - gpu.adversarial).max(axis=(1, 2, 3)) < 1e-3).mean() >= 0.9
