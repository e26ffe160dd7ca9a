"""Attacks: independent of batches and shards, and of being killed in between."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.attacks import AttackPlan, attack_images
from freqmaps.attacks._noise import KeyedNoise, keyed_noise
from freqmaps.core.components import load
from tests.attack_cases import N, Times, answers, attack, digit_images, trained_net  # noqa: F401

# ---- what an attack differentiates


@dataclass(frozen=True)
class Remembering:
    """An attack that does nothing, and keeps the network that it was given."""

    seen: list = field(default_factory=list)

    def __call__(self, model, images, labels):
        assert not model.training and not any(p.requires_grad for p in model.parameters())
        self.seen.append((model, model(images).detach().numpy()))
        return images


@pytest.mark.parametrize("epsilon", [0.1, None])
def test_attacks_with_a_budget_see_the_network_with_batch_norm_folded(net, digits, epsilon):
    noticed = Remembering()
    attack(net, digits, AttackPlan("none", noticed, "linf", epsilon))
    (model, logits), *_ = noticed.seen
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert bool(norms) == (epsilon is None)
    assert (model is net) == (epsilon is None)
    with torch.no_grad():
        plain = net(torch.from_numpy(digits[0][:N][: len(logits)])).numpy()
    np.testing.assert_allclose(logits, plain, atol=1e-4)


# ---- random numbers belong to the sample


def test_keyed_noise_is_uniform_and_normal_and_repeats():
    draws = []
    for _ in range(2):
        with KeyedNoise(5, range(40)):
            draws.append(
                (torch.rand(40, 500), torch.randn(40, 500), torch.empty(40, 500).uniform_(-2, 4), torch.rand(9))
            )
    for first, second in zip(*draws, strict=True):
        assert torch.equal(first, second)
    uniform, normal, scaled, _ = draws[0]
    assert uniform.min() >= 0 and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.01
    assert abs(uniform.var() - 1 / 12) < 0.002
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1) < 0.02
    assert scaled.min() < -1.99 and scaled.max() > 3.99 and abs(scaled.mean() - 1) < 0.05
    assert abs(torch.corrcoef(uniform)[~torch.eye(40, dtype=torch.bool)]).max() < 0.2  # rows are independent
    assert abs(torch.corrcoef(torch.stack([uniform.flatten(), scaled.flatten()]))[0, 1]) < 0.03  # and so are draws


def test_keyed_noise_depends_on_seed_and_position_only():
    def draw(seed, positions):
        with KeyedNoise(seed, positions):
            return torch.rand(len(positions), 6), torch.zeros(len(positions), 6).normal_(mean=1.0, std=2.0)

    for whole, part in zip(draw(1, range(10)), draw(1, [7, 2]), strict=True):
        assert torch.equal(whole[[7, 2]], part)
    assert not torch.equal(draw(1, [3])[0], draw(2, [3])[0])


def test_keyed_noise_leaves_global_generators_and_own_generators_alone():
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(3), np.random.rand(3)
    own = torch.rand(4, 2, generator=torch.Generator().manual_seed(9))
    torch.manual_seed(1)
    np.random.seed(1)
    with keyed_noise(0, [0, 1, 2, 3], torch.device("cpu")):
        torch.rand(5)
        np.random.rand(5)
        assert torch.equal(torch.rand(4, 2, generator=torch.Generator().manual_seed(9)), own)
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])


def test_random_start_fills_the_ball(net, digits):
    """No step moves: what is left is the start, uniform in the budget (and clipped to [0, 1])."""
    grey = np.full((N, 1, 8, 8), 0.5, np.float32)
    arguments = {"seed": 1, "positions": np.arange(N), "device": "cpu"}
    start = {}
    for norm in ("linf", "l2"):
        plan = load("attack", "pgd")(norm=norm, epsilon=0.2, steps=1, step=1e-12)
        start[norm] = attack_images(net, grey, digits[1][:N], plan, **arguments)
    shift = (start["linf"].adversarial - 0.5) / 0.2
    assert abs(shift.mean()) < 0.03 and abs(shift.var() - 1 / 3) < 0.02 and start["linf"].linf.max() <= 0.2 + 1e-6
    # A uniform point of the 64-dimensional unit ball has a norm of expectation 64/65.
    assert start["l2"].l2.mean() / 0.2 == pytest.approx(64 / 65, abs=0.01)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("pgd", {"epsilon": 0.08, "steps": 10}),
        ("pgd", {"norm": "l2", "epsilon": 0.6, "steps": 10}),
        ("fmn", {"steps": 30}),
        ("deepfool", {}),
        ("cw", {"steps": 20, "binary_search_steps": 3, "stepsize": 0.05, "initial_const": 0.1}),
        ("foolbox_attack", {"attack": "L2AdditiveGaussianNoiseAttack", "epsilon": 3.0, "block": 20}),
        (
            "foolbox_attack",
            {"attack": "SpatialAttack", "block": 20, "parameters": {"grid_search": False, "random_steps": 9}},
        ),
    ],
)
def test_result_does_not_depend_on_batches_or_shards(net, digits, name, parameters):
    plan = load("attack", name)(**parameters)
    whole = attack(net, digits, plan, batch=64)
    shards = [attack(net, digits, plan, rows, batch=16) for rows in (slice(0, 40), slice(40, N))]
    for other in (
        attack(net, digits, plan, batch=7).adversarial,
        np.concatenate([shard.adversarial for shard in shards]),
    ):
        same = np.abs(other - whole.adversarial).max(axis=(1, 2, 3)) < 1e-4
        assert same.mean() >= 0.95
        assert (answers(net, other) == whole.adversarial_prediction).mean() >= 0.95
    moved = np.any(attack(net, digits, plan, seed=4).adversarial != whole.adversarial)
    assert moved == (name in ("pgd", "foolbox_attack"))


def test_blocks_take_samples_in_the_order_of_positions(net, digits):
    plan = load("attack", "foolbox_attack")(
        attack="LinearSearchBlendedUniformNoiseAttack", block=30, parameters={"steps": 20, "directions": 20}
    )
    order = np.random.default_rng(0).permutation(N)
    straight = attack(net, digits, plan).adversarial
    np.testing.assert_array_equal(attack(net, digits, plan, order).adversarial, straight[order])


# ---- resume


class Killed(BaseException):
    pass


def stop_after(samples):
    def progress(done):
        if done >= samples:
            raise Killed

    return progress


def test_a_killed_run_resumes_to_an_equal_result(net, digits, tmp_path):
    plan = load("attack", "pgd")(epsilon=0.08, steps=4)
    whole = attack(net, digits, plan, batch=16)
    with pytest.raises(Killed):
        attack(net, digits, plan, batch=16, state=tmp_path, progress=stop_after(32))
    assert len(list(tmp_path.glob("*.part"))) == 2
    counts: list[int] = []
    resumed = attack(net, digits, plan, batch=16, state=tmp_path, progress=counts.append)
    assert counts == [48, 60]  # two batches were there
    np.testing.assert_array_equal(resumed.adversarial, whole.adversarial)
    assert attack(net, digits, plan, state=tmp_path, progress=stop_after(0)).summary() == whole.summary()
    assert not list(tmp_path.glob(".*"))


def test_state_of_another_run_and_damaged_state_are_ignored(net, digits, tmp_path):
    plan = load("attack", "pgd")(epsilon=0.08, steps=2)
    attack(net, digits, plan, batch=30, state=tmp_path)
    other = nn.Sequential(net, Times(1.0), nn.Linear(10, 10)).eval()
    for change in (
        lambda progress: attack(net, digits, replace(plan, name="x"), state=tmp_path, progress=progress),
        lambda progress: attack(
            net, digits, load("attack", "pgd")(epsilon=0.08, steps=3), state=tmp_path, progress=progress
        ),
        lambda progress: attack(net, digits, plan, seed=9, state=tmp_path, progress=progress),
        lambda progress: attack(net, digits, plan, slice(1, 61), state=tmp_path, progress=progress),
        lambda progress: attack(other, digits, plan, state=tmp_path, progress=progress),
    ):
        with pytest.raises(Killed):
            change(stop_after(1))
    expected = attack(net, digits, plan, batch=30)
    fresh = tmp_path / "fresh"
    attack(net, digits, plan, batch=30, state=fresh)
    victim = sorted(fresh.glob("*.part"))[0]
    victim.write_bytes(victim.read_bytes()[:200])
    counts: list[int] = []
    again = attack(net, digits, plan, batch=30, state=fresh, progress=counts.append)
    assert counts == [60]
    np.testing.assert_array_equal(again.adversarial, expected.adversarial)
