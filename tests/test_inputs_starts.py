"""Decision-based attacks keep an image without a starting point as a failure and go on with the others."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.attacks import attack_images
from freqmaps.core.components import load, resolve
from freqmaps.core.errors import FreqmapsError

ATTACKS = {
    "HopSkipJumpAttack": {"steps": 2, "initial_gradient_eval_steps": 10, "max_gradient_eval_steps": 20},
    "BoundaryAttack": {"steps": 20},
    "PointwiseAttack": {},
}


class Bright(nn.Module):
    """Sees whether an image has a pixel above 0.5: noise of any kind, added to one that has, leaves it so."""

    def forward(self, x):
        top = x.flatten(1).amax(dim=1)
        return torch.stack([0.5 - top, top - 0.5], dim=1)


def plan(name, **more):
    given = {"attack": name, "parameters": ATTACKS[name], "block": 8} | more
    return load("attack", "foolbox_attack")(**resolve("attack", "foolbox_attack", given, where="test"))


def images(bright):
    rng = np.random.default_rng(0)
    level = np.where(bright, 0.6, 0.1)[:, None, None, None]
    return (level + rng.uniform(-0.05, 0.05, (len(bright), 1, 6, 6))).astype(np.float32)


def attacked(name, bright, **more):
    x = images(np.array(bright))
    return x, attack_images(
        Bright(), x, np.array(bright).astype(int), plan(name, **more), seed=0, positions=np.arange(len(x)), device="cpu"
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_one_image_without_a_start_stays_and_the_others_are_attacked(name, caplog):
    with caplog.at_level(logging.INFO, logger="freqmaps"):
        x, found = attacked(name, [False, True, False, False])
    assert found.success.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(found.adversarial[1], x[1])
    assert found.summary()["failed"] == 1
    assert "no image of another class to start from for 1 of 4 images" in caplog.text


@pytest.mark.parametrize("name", ["HopSkipJumpAttack", "PointwiseAttack"])
def test_no_image_with_a_start_is_no_error(name):
    x, found = attacked(name, [True, True])
    np.testing.assert_array_equal(found.adversarial, x)
    assert not found.success.any()


def test_within_a_budget_too():
    _, found = attacked("HopSkipJumpAttack", [False, True], epsilon=3.0)
    assert found.success.tolist() == [True, False]


def test_giving_up_for_another_reason_stays_an_error():
    def give_up(*_, **__):
        raise AssertionError("lost its way")

    broken = plan("HopSkipJumpAttack")
    broken.attack.whole.attack.run = give_up
    x = images(np.array([False]))
    with pytest.raises(FreqmapsError, match=r"^Foolbox gives up HopSkipJump.*: lost its way$"):
        attack_images(Bright(), x, np.array([0]), broken, seed=0, positions=np.arange(1), device="cpu")
