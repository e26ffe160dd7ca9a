"""Robustness: PGD with restarts against slow loops, early leaving, margins, and networks of known robustness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from freqmaps.attacks._restarts import _STREAM, Restarts, margin, unbroken
from freqmaps.attacks.fgsm import build as fgsm
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation import Network, robustness
from freqmaps.inference.proportions import wilson
from freqmaps.stores.selection import Samples
from tests.attack_cases import Times, answers, attack, digit_images, trained_net  # noqa: F401

N, SEED, EPSILON = 40, 5, 0.05
CPU = torch.device("cpu")
PGD = Restarts(EPSILON, EPSILON / 4, steps=6, restarts=3)
SMALL = {"epsilon": EPSILON, "steps": 6, "restarts": 3, "iterations": 5, "targets": 2, "queries": 20, "block": 8}


def stays_right(net, image, label, plan, position):
    """The definition, one image and restart at a time, by autograd: right at every point of every restart."""
    x0 = torch.from_numpy(image[None])
    for restart in range(plan.first, plan.first + plan.restarts):
        noise = np.random.default_rng([SEED, _STREAM, restart, position]).random(image.shape, np.float32)
        x = torch.clamp(x0 + plan.epsilon * (2 * torch.from_numpy(noise) - 1), 0, 1) if plan.random_start else x0
        for _ in range(plan.steps):
            x = x.detach().requires_grad_()
            logits = net(x)[0]
            if int(logits.argmax()) != label:
                return False
            others = torch.cat([logits[:label], logits[label + 1 :]])
            loss = others.max() - logits[label] if plan.loss == "margin" else -logits.log_softmax(0)[label]
            x = x.detach() + plan.step * torch.autograd.grad(loss, x)[0].sign()
            x = torch.minimum(torch.maximum(x, x0 - plan.epsilon), x0 + plan.epsilon).clamp(0, 1)
        if int(net(x)[0].argmax()) != label:
            return False
    return True


def run(net, images, labels, plan, **options):
    given = {"seed": SEED, "positions": np.arange(len(images)) + 7, "device": CPU} | options
    return unbroken(net, images, labels, plan, **given)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_restarts_equal_one_image_and_restart_at_a_time(net, digits, loss):
    images, labels = digits[0][:N], digits[1][:N]
    plan = replace(PGD, loss=loss)
    slow = [stays_right(net, x, int(y), plan, i + 7) for i, (x, y) in enumerate(zip(images, labels, strict=True))]
    found = run(net, images, labels, plan)
    assert found.tolist() == slow and 0 < sum(slow) < N
    assert np.array_equal(found, run(net, images, labels, plan, leave=False))


def test_restarts_are_numbered_and_belong_to_positions(net, digits):
    images, labels = digits[0][:N], digits[1][:N]
    noise = replace(PGD, epsilon=0.3, step=0.001, steps=1)  # so that it matters where a restart begins
    apart = [run(net, images, labels, replace(noise, restarts=1, first=i)) for i in range(3)]
    assert np.array_equal(np.logical_and.reduce(apart), run(net, images, labels, noise))
    assert len({right.tobytes() for right in apart}) > 1, "every restart began at the same place"
    order = np.random.default_rng(0).permutation(N)
    moved = run(net, images[order], labels[order], noise, positions=order + 7)
    assert np.array_equal(moved, run(net, images, labels, noise)[order])


def test_batches_are_halved_where_memory_runs_out(net, digits):
    class Small(nn.Module):
        def forward(self, x):
            if len(x) > 3:
                raise torch.OutOfMemoryError("out of memory")
            return net(x)

    class None_(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("out of memory")

    images, labels = digits[0][:10], digits[1][:10]
    plan = replace(PGD, restarts=1)
    assert np.array_equal(run(Small(), images, labels, plan), run(net, images, labels, plan))
    with pytest.raises(FreqmapsError, match="memory does not suffice for the gradient of one image"):
        run(None_(), images, labels, plan)


def test_one_step_of_epsilon_from_the_image_is_fgsm(net, digits):
    rows = slice(0, N)
    found = attack(net, digits, fgsm(epsilon=EPSILON), rows)
    once = Restarts(EPSILON, EPSILON, steps=1, random_start=False)
    right = answers(net, digits[0][rows]) == digits[1][rows]
    assert np.array_equal(run(net, digits[0][rows], digits[1][rows], once), right & ~found.success)


def test_margin_and_its_gradient():
    logits = torch.randn(20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(20) % 5
    value = margin(logits, labels)
    slow = [max(z for j, z in enumerate(row) if j != i % 5) - row[i % 5] for i, row in enumerate(logits.tolist())]
    assert value.tolist() == pytest.approx(slow, abs=1e-12)
    assert ((value > 0) == (logits.argmax(dim=1) != labels)).all()
    assert torch.autograd.gradcheck(lambda z: margin(z, labels), logits.requires_grad_())


def test_logits_that_are_not_finite_are_refused(net, digits):
    with pytest.raises(FreqmapsError, match="NaN or infinite"):
        run(nn.Sequential(net, Times(float("inf"))), digits[0][:4], digits[1][:4], PGD)


class Linear(nn.Module):
    """Logits ±w·(x − ½): the smallest ℓ∞ perturbation that moves an image over the boundary is known."""

    def __init__(self, classes=2):
        super().__init__()
        torch.manual_seed(1)
        self.weight = nn.Parameter(torch.randn(9))
        self.classes = classes

    def forward(self, x):
        z = (x.flatten(1) - 0.5) @ self.weight
        return torch.stack([z, -z, *[torch.full_like(z, -50.0)] * (self.classes - 2)], dim=1)


def linear_case(classes=2, n=30):
    """Images in the middle of [0, 1], so that only the budget bounds the attack; and each one's distance."""
    net = Linear(classes)
    images = (0.5 + 0.2 * (np.random.default_rng(2).random((n, 1, 3, 3)) - 0.5)).astype(np.float32)
    margins = (images.reshape(n, 9) - 0.5) @ net.weight.detach().numpy()
    labels = (margins < 0).astype(np.int64)
    distance = np.abs(margins) / np.abs(net.weight.detach().numpy()).sum()
    samples = Samples(images, labels, [f"s{i}" for i in range(n)], np.arange(n))
    return Network(net, CPU, {}, samples), distance


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_linear_networks_robustness_is_its_margin_over_the_l1_norm(classes):
    network, distance = linear_case(classes)
    epsilon = float(np.median(distance))
    found = robustness.compute(None, network, seed=1, **SMALL | {"epsilon": epsilon, "steps": 12, "queries": 200})
    rows = pd.DataFrame(found.rows).set_index("attack")
    # Every white-box attack reaches the corner of the budget, so that exactly the images beyond it stay right.
    robust = distance > epsilon
    for name in ("fgsm", "pgd", "cw", "autoattack", "worst"):
        assert [bool(row[name]) for row in found.samples] == robust.tolist()
        assert rows.loc[name, "value"] == robust.mean() and rows.loc[name, "lost"] == (~robust).sum()
        assert (rows.loc[name, "low"], rows.loc[name, "high"]) == pytest.approx(wilson(robust.sum(), len(robust)))
    assert rows.loc["clean", "value"] == 1 and 0.3 < robust.mean() < 0.7
    assert (rows.loc[rows["measure"] == "check", "value"] == 1).all()
    lacks = classes < 4
    assert rows.loc["apgd-t", "n"] == (0 if lacks else len(robust))
    assert rows.loc["autoattack", "reason"] == (f"without apgd-t: the network has {classes} classes" if lacks else "")


def test_rows_of_a_trained_network(net, digits):
    samples = Samples(digits[0][:N], digits[1][:N], [f"s{i}" for i in range(N)], np.arange(N))
    found = robustness.compute(None, Network(net, CPU, {}, samples), seed=SEED, **SMALL)
    rows = pd.DataFrame(found.rows).set_index("attack")
    accuracies = rows[rows["measure"] == "accuracy"]
    attacks = ["clean", "fgsm", "pgd", "cw", "apgd-ce", "apgd-t", "fab-t", "square", "autoattack", "worst"]
    assert accuracies.index.tolist() == attacks and (accuracies["gained"] == 0).all()
    right = pd.DataFrame(found.samples).set_index("sample").astype(bool)
    assert right.mean().to_dict() == accuracies["value"].to_dict()
    assert right["clean"].tolist() == (answers(net, samples.images) == samples.labels).tolist()
    expected = [
        stays_right(net, x, int(y), PGD, i) for i, (x, y) in enumerate(zip(samples.images, samples.labels, strict=True))
    ]
    assert right["pgd"].tolist() == expected
    parts = right[["apgd-ce", "apgd-t", "fab-t", "square"]].all(axis=1)
    assert (right["autoattack"] == parts).all() and (right["worst"] == right.drop(columns="worst").all(axis=1)).all()
    assert (right["apgd-ce"] >= right["apgd-t"]).all() and (right["apgd-t"] >= right["fab-t"]).all()
    checks = rows[rows["measure"] == "check"]
    assert set(checks.index) == {
        "iterative at least one-step", "more steps", "white-box at least black-box", "unbounded reaches 0"
    }  # fmt: skip
    assert (checks["reached"] <= checks["limit"]).all() or (checks["value"] == 1).all()


def test_masked_gradients_fail_the_checks(net, digits):
    class Masked(nn.Module):
        """The network behind steps of a staircase, whose gradient is zero almost everywhere."""

        def forward(self, x):
            return net(torch.round(x * 16) / 16)

    samples = Samples(digits[0][:100], digits[1][:100], [f"s{i}" for i in range(100)], np.arange(100))
    options = SMALL | {"epsilon": 0.12, "queries": 400, "block": 100}
    found = robustness.compute(None, Network(Masked(), CPU, {}, samples), seed=SEED, **options)
    rows = pd.DataFrame(found.rows).set_index("attack")
    assert rows.loc["square", "value"] < rows.loc["fab-t", "value"]
    assert rows.loc["white-box at least black-box", "value"] == 0
    assert rows.loc["unbounded reaches 0", "value"] == 0


def test_parts_are_chosen_and_checked(net, digits):
    samples = Samples(digits[0][:6], digits[1][:6], [f"s{i}" for i in range(6)], np.arange(6))
    network = Network(net, CPU, {}, samples)
    found = robustness.compute(None, network, seed=1, **SMALL | {"parts": ["cw"], "images": 4})
    assert [row["attack"] for row in found.rows] == ["clean", "cw", "worst"] and found.rows[0]["n"] == 4
    only = robustness.compute(None, network, seed=1, **SMALL | {"parts": ["checks"]})
    assert [row["attack"] for row in only.rows] == ["clean", "worst", "unbounded reaches 0"]
    with pytest.raises(FreqmapsError, match="no part 'pdg'"):
        robustness.compute(None, network, seed=1, parts=["pdg"])
