"""Attacks: budgets, closed forms, independence of batches, failures, resume, memory."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from freqmaps import components
from freqmaps.attacks import AttackPlan, attack_images, to_dataset
from freqmaps.attacks._noise import KeyedNoise, keyed_noise
from freqmaps.components import load, resolve
from freqmaps.errors import ConfigError, FreqmapsError
from freqmaps.stores.contracts import ADVERSARIAL

N = 60
ATTACKS = components.names("attack")


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return (images.reshape(-1, 1, 8, 8) / 16).astype(np.float32), labels.astype(np.int64)


@pytest.fixture(scope="module")
def net(digits):
    """A small network with batch norm, dropout and its normalisation inside, about 97 % right."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(512, 10),
    )  # fmt: skip
    x, y = torch.from_numpy(digits[0][200:]), torch.from_numpy(digits[1][200:])
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model.eval()


def attack(net, digits, plan, rows=slice(0, N), **options):
    arguments = {"seed": 3, "positions": np.arange(len(digits[1]))[rows], "device": "cpu"} | options
    return attack_images(net, digits[0][rows], digits[1][rows], plan, **arguments)


def answers(net, images):
    """Predictions one image at a time."""
    with torch.no_grad():
        return np.array([int(net(torch.from_numpy(image[None])).argmax()) for image in images])


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


# ---- failures


def test_failures_are_kept_and_flagged(net, digits):
    result = attack(net, digits, load("attack", "pgd")(epsilon=1e-4, steps=2))
    summary = result.summary()
    assert summary["failed"] >= 0.9 * summary["correct"] and summary["samples"] == N
    failed = (result.prediction == result.label) & ~result.success
    assert (result.linf[failed] > 0).all()  # the attempt is there
    assert summary["success_rate"] == pytest.approx(summary["fooled"] / summary["correct"])


def test_carlini_wagner_failure_is_the_clean_image_not_a_black_one(net, digits):
    plan = load("attack", "cw")(binary_search_steps=1, steps=1, stepsize=1e-6)
    result = attack(net, digits, plan)
    correct = result.prediction == result.label
    np.testing.assert_array_equal(result.adversarial[correct], digits[0][:N][correct])
    assert not result.success[correct].any()


def custom(function, epsilon=None, norm="linf"):
    return AttackPlan("mine", function, norm, epsilon)


def nan_for_first(model, images, labels):
    out = images.clone()
    out[0] = torch.nan
    return out


def test_nan_is_no_answer_without_a_budget_and_an_error_within_one(net, digits):
    result = attack(net, digits, custom(nan_for_first), slice(10, 20))
    np.testing.assert_array_equal(result.adversarial, digits[0][10:20])
    with pytest.raises(FreqmapsError, match=r"'mine' returned NaN.*position 10"):
        attack(net, digits, custom(nan_for_first, 0.1), slice(10, 20))


def test_budget_range_and_shape_are_checked_after_the_fact(net, digits):
    def too_far(model, images, labels):
        out = images.clone()
        out[3, 0, 4, 4] = (images[3, 0, 4, 4] + 0.5) % 1
        return out

    with pytest.raises(
        FreqmapsError, match=r"'mine' exceeds its budget: linf norm 0\.\d+ > epsilon 0.1 at position 23"
    ):
        attack(net, digits, custom(too_far, 0.1), slice(20, 30))
    with pytest.raises(FreqmapsError, match="l2 norm"):
        attack(net, digits, custom(too_far, 0.1, "l2"), slice(20, 30))
    with pytest.raises(FreqmapsError, match=r"left \[0, 1\] by 1 at position 20"):
        attack(net, digits, custom(lambda m, x, y: x - 1), slice(20, 30))
    with pytest.raises(FreqmapsError, match="shape"):
        attack(net, digits, custom(lambda m, x, y: x[:, :, :4]), slice(20, 30))
    rounded = attack(net, digits, custom(lambda m, x, y: x + 5e-7, 0.1), slice(0, 5))
    assert rounded.adversarial.max() <= 1


def test_an_attack_that_writes_in_place_cannot_hide_its_perturbation(net, digits):
    result = attack(net, digits, custom(lambda m, x, y: x.mul_(0.5), 0.9))
    np.testing.assert_allclose(result.adversarial, digits[0][:N] / 2)
    assert result.linf.min() > 0.3


# ---- bad input


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5, -0.1])
def test_unusable_images_are_refused(net, digits, value):
    images = digits[0][:6].copy()
    images[4, 0, 2, 2] = value
    with pytest.raises(FreqmapsError, match=r"1 of 6 images.*position 104"):
        attack_images(
            net, images, digits[1][:6], custom(nan_for_first), seed=0, positions=np.arange(100, 106), device="cpu"
        )


def test_unusable_arguments_are_refused(net, digits):
    plan = load("attack", "fgsm")()
    x, y, where = digits[0][:4], digits[1][:4], np.arange(4)

    def run(model=net, images=x, labels=y, positions=where, **options):
        attack_images(model, images, labels, plan, seed=0, positions=positions, device="cpu", **options)

    with pytest.raises(FreqmapsError, match="label 10 at position 0 is none of the network's 10 classes"):
        run(labels=y + 10)
    with pytest.raises(FreqmapsError, match="label -1"):
        run(labels=np.full(4, -1))
    with pytest.raises(FreqmapsError, match="expected 4 integers"):
        run(labels=y.astype(float))
    with pytest.raises(FreqmapsError, match="positions"):
        run(positions=where[:3])
    with pytest.raises(FreqmapsError, match="at least 0"):
        run(positions=where - 1)
    with pytest.raises(FreqmapsError, match="float32"):
        run(images=(x * 255).astype(np.uint8))
    with pytest.raises(FreqmapsError, match="does not take images"):
        run(images=np.repeat(x, 3, axis=1))
    with pytest.raises(FreqmapsError, match="batch -1"):
        run(batch=-1)
    with pytest.raises(FreqmapsError, match="returns shape"):
        run(model=nn.Conv2d(1, 1, 1))
    with pytest.raises(FreqmapsError, match="NaN"):
        run(model=nn.Sequential(net, Times(float("nan"))))


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def test_no_samples_is_an_empty_result(net, digits, tmp_path):
    result = attack(net, digits, load("attack", "fgsm")(), slice(0, 0), state=tmp_path)
    assert result.adversarial.shape == (0, 1, 8, 8) and result.summary()["success_rate"] is None
    ADVERSARIAL.validate(to_dataset(result, [], [], kind="fgsm", parameters={}), "empty")


def test_tensors_are_taken_and_ids_are_counted(net, digits):
    plan = load("attack", "fgsm")(epsilon=0.1)
    x, y = torch.from_numpy(digits[0][:N]), torch.from_numpy(digits[1][:N])
    result = attack_images(net, x, y, plan, seed=0, positions=torch.arange(N), device="cpu")
    np.testing.assert_array_equal(result.adversarial, attack(net, digits, plan).adversarial)
    with pytest.raises(FreqmapsError, match="2 sample ids for 60"):
        to_dataset(result, ["a", "b"], y[:2], kind="fgsm", parameters={})
    with pytest.raises(FreqmapsError, match="not those of the attacked"):
        to_dataset(result, [str(i) for i in range(N)], np.roll(y, 1), kind="fgsm", parameters={})


# ---- the network is frozen, and given back as it was


def test_network_is_frozen_meanwhile_and_given_back(net, digits):
    seen = []

    def look(model, images, labels):
        seen.append((model.training, any(p.requires_grad for p in model.parameters())))
        return images

    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.train()
    try:
        attack(net, digits, custom(look))
        assert net.training and all(p.requires_grad for p in net.parameters())
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())
    finally:
        net.eval()
    assert seen == [(False, False)]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


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
    assert len(list(tmp_path.glob("*.npz"))) == 2
    counts: list[int] = []
    resumed = attack(net, digits, plan, batch=16, state=tmp_path, progress=counts.append)
    assert counts == [48, 60]  # two batches were there
    np.testing.assert_array_equal(resumed.adversarial, whole.adversarial)
    assert attack(net, digits, plan, state=tmp_path, progress=stop_after(0)).summary() == whole.summary()
    assert not list(tmp_path.glob("*.half"))


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
    victim = sorted(fresh.glob("*.npz"))[0]
    victim.write_bytes(victim.read_bytes()[:200])
    counts: list[int] = []
    again = attack(net, digits, plan, batch=30, state=fresh, progress=counts.append)
    assert counts == [60]
    np.testing.assert_array_equal(again.adversarial, expected.adversarial)


# ---- memory


class Hungry(nn.Module):
    """Runs out of memory for more than ``most`` images at a time."""

    def __init__(self, inner, most, error):
        super().__init__()
        self.inner, self.most, self.error, self.sizes = inner, most, error, []

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > self.most:
            raise self.error
        return self.inner(x)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_batch(net, digits, error):
    plan = load("attack", "pgd")(epsilon=0.08, steps=3)
    hungry = Hungry(net, 9, error)
    result = attack(hungry, digits, plan, batch=60)
    expected = attack(net, digits, plan)
    assert (np.abs(result.adversarial - expected.adversarial).max(axis=(1, 2, 3)) < 1e-5).mean() >= 0.95
    assert {60, 30, 15, 7} <= set(hungry.sizes)
    assert hungry.sizes.count(60) == 1  # it does not try the large batch again


def test_out_of_memory_ends_with_a_clear_message(net, digits):
    error = torch.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(FreqmapsError, match="one sample"):
        attack(net, digits, custom(raising(error)), batch=4)
    blocked = replace(custom(raising(error)), block=8)
    with pytest.raises(FreqmapsError, match="block of 8 samples; set a smaller block"):
        attack(net, digits, blocked)
    with pytest.raises(RuntimeError, match="something else"):
        attack(net, digits, custom(raising(RuntimeError("something else"))))


def raising(error):
    def function(model, images, labels):
        raise error

    return function


# ---- any attack of Foolbox by name


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
    with pytest.raises(FreqmapsError, match=r"LinfPGD'.steps: expected int, found 'many'"):
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
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["fgsm", "pgd", "fmn", "deepfool"])
def test_gpu_agrees_with_cpu(net, digits, name):
    plan = load("attack", name)()
    cpu = attack(net, digits, plan)
    try:
        gpu = attack(net, digits, plan, device="cuda")
    finally:
        net.cpu()
    assert (np.abs(cpu.adversarial - gpu.adversarial).max(axis=(1, 2, 3)) < 1e-3).mean() >= 0.9
