"""The low-pass filter as a defence: against slow loops, and attackers who know it that must not be too weak."""

from __future__ import annotations

from math import inf, isnan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from freqmaps.core.components import resolve
from freqmaps.core.errors import ConfigError
from freqmaps.evaluation import Network, low_pass
from freqmaps.evaluation._attackers import PARTS, Budget
from freqmaps.evaluation.low_pass import LowPassed
from freqmaps.inference.proportions import wilson
from freqmaps.results.reader import Result
from freqmaps.stores.selection import Samples
from tests.attack_cases import answers, attack, digit_images, trained_net  # noqa: F401

N, EPSILON = 24, 0.06
SMALL = {"epsilon": EPSILON, "images": None, "steps": 6, "targets": 2, "queries": 20, "block": 32}
CHECKS = {"more steps", "white-box at least transfer", "white-box at least black-box", "unbounded reaches 0"}


class Given:
    """Results as an evaluation sees them: attacked images by attack, made against the training ``other``."""

    def __init__(self, attacked):
        self.attacked = attacked

    def select(self, stage):
        assert stage == "attacks"
        return [Result("attacks", {"attack": a, "training": "other"}, Path(), {}) for a in self.attacked]

    def adversarial(self, samples, variables, **names):
        assert names["training"] == "other" and len(samples) == N
        return xr.Dataset({"adversarial": (("sample", "channel", "y", "x"), self.attacked[names["attack"]])})


@pytest.fixture(scope="module", name="network")
def some_network(net, digits):
    samples = Samples(digits[0][:N], digits[1][:N], [f"s{i}" for i in range(N)], np.arange(N))
    return Network(net, torch.device("cpu"), {"training": "mine"}, samples)


@pytest.fixture(scope="module", name="attacked")
def some_attacked(net, digits):
    """PGD as strong as the adaptive attacks, and noise that is stronger than they may be."""
    plan = Budget("linf", EPSILON, 10, 2, 20, 32).plan("pgd")
    noise = np.random.default_rng(0).normal(0, 0.3, digits[0][:N].shape)
    noisy = np.clip(digits[0][:N] + noise, 0, 1).astype(np.float32)
    return {"pgd": attack(net, digits, plan, slice(0, N)).adversarial, "noise": noisy}


@pytest.fixture(scope="module", name="table")
def whole_table(network, attacked):
    return run(network, attacked, adaptive=[2, 4])


def run(network, attacked, **options):
    return pd.DataFrame(low_pass.compute(Given(attacked), network, seed=3, **(SMALL | options)))


def through(net, image, cutoff, shape):
    """The definition, in NumPy's full transform, one image at a time: the class."""
    ky, kx = np.meshgrid(np.fft.fftfreq(8, 1 / 8), np.fft.fftfreq(8, 1 / 8), indexing="ij")
    inside = np.maximum(abs(ky), abs(kx)) <= cutoff if shape == "square" else np.hypot(ky, kx) <= cutoff
    seen = np.fft.ifft2(inside * np.fft.fft2(image)).real.astype(np.float32)
    return int(answers(net, [seen])[0]), inside.mean()


@pytest.mark.parametrize(
    ("shape", "given", "cutoffs"), [("square", None, [1, 2, 3, 4]), ("radial", [0, 1.5, 5], [0, 1.5, 5])]
)
def test_accuracies_by_cut_off_are_those_of_a_slow_loop(net, network, attacked, shape, given, cutoffs):
    found = run(network, attacked, shape=shape, cutoffs=given, adaptive=[])
    places = [(c, a, "" if a == "clean" else "other") for c in (inf, *cutoffs) for a in ("clean", "pgd", "noise")]
    assert list(zip(found["cutoff"], found["attack"], found["against"], strict=True)) == places
    labels, values = network.samples.labels, set()
    for row in found.itertuples():
        images = network.samples.images if row.attack == "clean" else attacked[row.attack]
        before = answers(net, images) == labels
        seen, kept = zip(*(through(net, x, row.cutoff, shape) for x in images), strict=True)
        after = np.array(seen) == labels
        assert (row.value, row.n, row.kept) == (after.mean(), N, kept[0])
        assert (row.low, row.high) == pytest.approx(wilson(after.sum(), N))
        assert (row.lost, row.gained) == ((before & ~after).sum(), (after & ~before).sum())
        assert row.attacker == "unaware" and row.measure == "accuracy" and row.gradient == "none" and isnan(row.limit)
        values.add(row.value)
    assert len(values) > 4
    assert len(run(network, attacked, attacks=["noise"], adaptive=[])) == 5 * 2


def test_one_who_knows_the_filter_has_every_attack(table):
    aware = table[table["attacker"] == "aware"]
    accuracies = aware[aware["measure"] == "accuracy"]
    for cutoff, gradient in ((inf, "network"), (2.0, "filter"), (4.0, "filter")):
        rows = accuracies[accuracies["cutoff"] == cutoff].set_index("attack")
        assert set(rows.index) == {"clean", *PARTS, "transfer", "worst"} and rows.index.is_unique
        assert set(rows["gradient"]) == {gradient, "none"} and rows.loc["square", "gradient"] == "none"
        assert (rows["value"] >= rows.loc["worst", "value"]).all() and (
            rows["value"] <= rows.loc["clean", "value"]
        ).all()
        checks = aware[(aware["cutoff"] == cutoff) & (aware["measure"] == "check")]
        assert set(checks["attack"]) == (set() if cutoff == inf else CHECKS) and (checks["value"] == 1).all()
    assert accuracies.set_index(["cutoff", "attack"]).loc[(2.0, "worst"), "value"] > 0


def test_a_filter_that_cuts_nothing_is_no_filter(table):
    aware = table[(table["attacker"] == "aware") & (table["measure"] == "accuracy")]
    rows = {c: aware[aware["cutoff"] == c].set_index("attack")["value"] for c in (inf, 4.0)}
    for part in ("clean", *PARTS, "worst"):
        assert rows[inf][part] == rows[4.0][part]
    every = table[(table["cutoff"] == 4) & (table["measure"] == "accuracy") & (table["attack"] != "transfer")]
    assert (every["kept"] == 1).all() and (every[["lost", "gained"]] == 0).all(axis=None)


def test_knowing_the_filter_helps_the_attacker_and_the_run_s_attack_counts(table):
    rows = table.set_index(["attacker", "cutoff", "attack"])["value"].sort_index()
    unaware, aware = rows.loc["unaware"], rows.loc["aware"]
    assert aware[2.0, "apgd-ce"] <= unaware[2.0, "pgd"], "through the filter it is not weaker than past it"
    assert aware[2.0, "transfer"] <= unaware[2.0, "pgd"] and aware[inf, "transfer"] <= unaware[inf, "pgd"]


def test_what_went_beyond_the_budget_does_not_count(net, network, attacked):
    far = {"noise": attacked["noise"]}
    assert run(network, far, adaptive=[3], attacks=[]).equals(
        run(network, far, adaptive=[3]).query("attack != 'noise'").reset_index(drop=True)
    )
    one = network.samples.images.copy()
    one[:5] = np.clip(one[:5] + 0.9 * EPSILON, 0, 1)
    one[5:] = attacked["noise"][5:]
    kept = low_pass._within(Budget("linf", EPSILON, 1, 1, 1, 1), network.samples.images, one)
    assert np.array_equal(kept[:5], one[:5]) and np.array_equal(kept[5:], network.samples.images[5:])
    l2 = low_pass._within(Budget("l2", EPSILON, 1, 1, 1, 1), network.samples.images, one)
    assert np.array_equal(l2, network.samples.images)


def test_the_attacker_takes_the_cut_off_where_the_defence_seems_best(network, attacked):
    found = run(network, attacked, images=9)
    labels, scores = network.samples.labels, {}
    for cutoff in (1, 2, 3):  # 4 cuts nothing
        hits = [
            [through(network.classifier, x, cutoff, "square")[0] for x in images] == labels
            for images in (network.samples.images, *attacked.values())
        ]
        scores[cutoff] = (np.logical_and.reduce(hits).sum(), hits[0].sum())
    aware = found[found["attacker"] == "aware"]
    assert set(aware["cutoff"]) == {inf, max(scores, key=scores.get)}
    assert set(aware["n"]) == {9} and set(found.loc[found["attacker"] == "unaware", "n"]) == {N}
    assert set(run(network, attacked, cutoffs=[4])["attacker"]) == {"unaware"}, "nothing to know of no filter"


def test_the_gradient_goes_through_the_filter():
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3, bias=False)).eval()
    model = LowPassed(linear, 2)
    assert not model.training
    x = torch.rand(1, 1, 8, 8, requires_grad=True)
    model(x)[0, 1].backward()
    inside = np.abs(np.fft.fftfreq(8, 1 / 8)) <= 2
    weights = linear[1].weight[1].detach().numpy().reshape(8, 8)
    expected = np.fft.ifft2(np.outer(inside, inside) * np.fft.fft2(weights)).real
    np.testing.assert_allclose(x.grad[0, 0].numpy(), expected, atol=1e-6)


def test_parameters_outside_of_their_limits_are_refused():
    for wrong in ({"cutoffs": [1, -1]}, {"adaptive": [-0.5]}, {"epsilon": 0}):
        with pytest.raises(ConfigError, match=r"lies outside"):
            resolve("evaluation", "low_pass", wrong, where="here", supplied=("seed",))
