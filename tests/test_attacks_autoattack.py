"""AutoAttack's parts: equal to the library's own ensemble, within budgets, the same for any shard; no seed left set."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.attacks import attack_images
from freqmaps.attacks._autoattack import CLASSES, STANDARD, Ensemble
from freqmaps.core.components import load
from freqmaps.core.errors import FreqmapsError
from tests.attack_cases import N, answers, attack, digit_images, trained_net  # noqa: F401

FEW = {"steps": 4, "targets": 2, "queries": 12}
EPSILON = {"linf": 0.06, "l2": 0.5}


def ensemble(*parts, norm="linf", **changes):
    return Ensemble(parts or STANDARD, norm, **({"epsilon": EPSILON[norm]} | FEW | changes))


def some(digits, n=N):
    return torch.from_numpy(digits[0][:n]), torch.from_numpy(digits[1][:n])


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_standard_ensemble_is_the_librarys(net, digits, norm):
    """Its own run, in one batch and from the same seed: the same images, bit for bit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyautoattack import AutoAttack
    x, y = some(digits, 40)
    net.requires_grad_(False)
    theirs = AutoAttack(net, norm={"linf": "Linf", "l2": "L2"}[norm], eps=EPSILON[norm], seed=0)
    for part in (theirs.apgd, theirs.apgd_targeted, theirs.fab):
        part.n_iter = part.n_iter_orig = FEW["steps"]
    for part in (theirs.apgd, theirs.apgd_targeted):  # what its constructor derives from the number of steps
        part.n_iter_2 = part.n_iter_min = part.size_decr = 1
    theirs.apgd_targeted.n_target_classes = theirs.fab.n_target_classes = FEW["targets"]
    theirs.square.n_queries = FEW["queries"]
    expected, _ = theirs.run_standard_evaluation(x, y, batch_size=40)
    found = ensemble(norm=norm)(net, x, y)
    assert torch.equal(found, expected)
    fooled = net(found).argmax(1) != y
    assert 5 < fooled.sum() < 40


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("part", CLASSES)
def test_each_part_keeps_its_budget_and_fools_some(net, digits, part, norm):
    plan = load("attack", "autoattack")(norm=norm, epsilon=2 * EPSILON[norm], parts=[part], **FEW)
    result = attack(net, digits, plan)
    assert getattr(result, norm).max() <= 2 * EPSILON[norm] + 1e-6
    assert result.summary()["fooled"] > 0
    wrong = result.prediction != digits[1][:N]
    np.testing.assert_array_equal(result.adversarial[wrong], digits[0][:N][wrong])


def test_later_parts_only_add(net, digits):
    fooled = [
        attack(net, digits, load("attack", "autoattack")(epsilon=0.06, parts=list(STANDARD[:k]), **FEW)).success
        for k in (1, 2, 4)
    ]
    for fewer, more in itertools.pairwise(fooled):
        assert (more | ~fewer).all()
    assert fooled[-1].sum() > fooled[0].sum()


def test_random_numbers_are_the_studys_and_shards_change_nothing(net, digits):
    plan = load("attack", "autoattack")(epsilon=0.08, block=20, **FEW)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    whole = attack(net, digits, plan).adversarial
    assert torch.equal(torch.rand(3), expected), "a seed was left set"
    parts = [attack(net, digits, plan, rows, batch=8).adversarial for rows in (slice(0, 40), slice(40, N))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (attack(net, digits, plan, seed=4).adversarial != whole).any()
    torch.manual_seed(5)
    ensemble()(net, *some(digits, 4))  # called directly, too
    assert torch.equal(torch.rand(3), expected)


class FewClasses(nn.Module):
    """Tells dark from bright images, in as many classes as asked for."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, x):
        level = x.mean(dim=(1, 2, 3))[:, None]
        return 20 * level * torch.linspace(-1, 1, self.classes) - torch.arange(self.classes) * 0.01


@pytest.mark.parametrize(("part", "least"), [(p, n) for p, n in CLASSES.items() if n > 2])
def test_too_few_classes_are_one_sentence(part, least):
    x = torch.full((2, 1, 4, 4), 0.5)
    with pytest.raises(FreqmapsError, match=rf"part '{part}' needs {least} classes, the network has {least - 1}; set"):
        ensemble(part)(FewClasses(least - 1), x, torch.zeros(2, dtype=torch.int64))


def test_two_classes_have_one_target():
    x = np.full((3, 1, 8, 8), 0.02, np.float32)
    plan = load("attack", "autoattack")(epsilon=0.3, parts=["fab-t", "apgd-ce", "square"], **(FEW | {"targets": 9}))
    arguments = {"seed": 1, "positions": np.arange(3), "device": "cpu"}
    result = attack_images(FewClasses(2), x, np.array([0, 0, 1]), plan, **arguments)
    assert result.prediction.tolist() == [1, 1, 1]  # all but black images
    assert result.success.all() and result.adversarial[2].mean() < 0.00025
    assert (result.adversarial[:2] == x[:2]).all(), "wrong without an attack"


def test_unknown_parts_are_one_sentence():
    with pytest.raises(FreqmapsError, match="no part 'apgd'; did you mean 'apgd-"):
        load("attack", "autoattack")(parts=["apgd"])
    with pytest.raises(FreqmapsError, match="no parts; name some of apgd-ce"):
        load("attack", "autoattack")(parts=[])


@pytest.mark.parametrize("classes", [2, 3])
def test_the_standard_version_leaves_out_what_few_classes_do_not_allow(classes, caplog):
    from freqmaps.attacks import _autoattack
    from tests.attack_cases import load_digits

    _autoattack._tell_left_out.cache_clear()
    x, _ = load_digits(n_class=classes, return_X_y=True)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))
    images = (x[:8].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    labels = net(torch.from_numpy(images)).argmax(dim=1).numpy()
    plan = load("attack", "autoattack")(epsilon=0.3, steps=3, queries=5, block=4)
    result = attack_images(net, images, labels, plan, seed=0, positions=np.arange(8), device="cpu")
    assert result.success.any()
    assert caplog.text.count("part 'apgd-t' needs 4 classes and is left out") == 1
