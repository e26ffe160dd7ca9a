"""Class maps as a defence: against slow loops, and attackers that must not be weaker than they can be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from freqmaps.core.components import resolve
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.evaluation import Network, adaptive, two_pass
from freqmaps.evaluation._attackers import PARTS, PARTS_OF_CHOICE, Attacker, Budget, Target, bare, defended
from freqmaps.evaluation._defences import defences
from freqmaps.maps import to_full
from freqmaps.stores.selection import Samples
from tests.attack_cases import answers, digit_images, trained_net  # noqa: F401

N = 24
BUDGET = Budget("linf", 0.06, 6, 2, 20, 32)


class Given:
    """Results as an evaluation sees them: class maps by name, and attacked images."""

    def __init__(self, maps, attacked=(), classes=10):
        self.maps, self.attacked, self.classes = maps, dict(attacked), classes

    def select(self, stage, **names):
        if stage == "attacks":
            return [_named({"attack": a, "training": "other"}) for a in self.attacked]
        return [_named(_images(of)) for of in self.maps]

    def group_maps(self, images, attack):
        half = self.maps["essential" if images == "essential" else attack]
        dims = ("group", "channel", "ky", "kx")
        variables = {"map": (dims, to_full(half, 8)), "label": ("group", np.arange(len(half)))}
        return pd_dataset(variables | {"start": ("group", np.zeros(len(half), np.int64))})

    def adversarial(self, samples, variables, **names):
        assert names["training"] == "other" and variables == ["adversarial"] and len(samples) == N
        return pd_dataset({"adversarial": (("sample", "channel", "y", "x"), self.attacked[names["attack"]])})


def _images(of):
    kind = "essential" if of == "essential" else "adversarial"
    return {"images": kind, "attack": "none" if of == "essential" else of}


def pd_dataset(variables):
    import xarray as xr

    return xr.Dataset(variables)


def _named(names):
    from freqmaps.results.reader import Result

    return Result("", names, None, {})


@pytest.fixture(scope="module", name="samples")
def some_samples(digits):
    return Samples(digits[0][:N], digits[1][:N], [f"s{i}" for i in range(N)], np.arange(N))


@pytest.fixture(scope="module", name="maps")
def low_pass_maps():
    """A map per class that lets low frequencies through, fewer for higher classes; class 3 had no images."""
    ky, kx = np.meshgrid(np.fft.fftfreq(8, 1 / 8), np.arange(5), indexing="ij")
    radius = np.hypot(ky, kx)
    maps = np.stack([(radius <= 5 - c / 4).astype(np.float32)[None] for c in range(10)])
    maps[3] = 1
    return maps


@pytest.fixture(scope="module")
def attacker(samples):
    return Attacker(samples, 3, torch.device("cpu"))


@pytest.fixture(scope="module")
def table(net, attacker, maps):
    return rows(attacker, bare(net, 10), {"pgd": defended(net, maps, 1.0)})


def rows(attacker, plain, models, budget=BUDGET):
    return pd.DataFrame(adaptive.rows_of(attacker, budget, plain, models))


def value(table, maps, attack, gradient=None, column="value"):
    chosen = table[(table["maps"] == maps) & (table["attack"] == attack)]
    chosen = chosen if gradient is None else chosen[chosen["gradient"] == gradient]
    assert len(chosen) == 1
    return chosen.iloc[0][column]


def looks_twice(net, image, maps):
    """The definition, in NumPy's full transform, one image at a time."""
    with torch.no_grad():
        first = int(net(torch.from_numpy(image[None])).argmax())
        mask = np.fft.ifftshift(to_full(maps, 8)[first], axes=(-2, -1))
        seen = np.fft.ifft2(mask * np.fft.fft2(image)).real.astype(np.float32)
        return int(net(torch.from_numpy(seen[None])).argmax())


# --- attackers who do not know the maps


def test_the_table_is_that_of_a_slow_loop(net, samples, maps):
    noisy = np.clip(samples.images + np.random.default_rng(0).normal(0, 0.35, samples.images.shape), 0, 1)
    given = Given({"essential": maps, "pgd": maps[::-1].copy()}, {"pgd": noisy.astype(np.float32)})
    network = Network(net, torch.device("cpu"), {"training": "mine"}, samples)
    found = two_pass.compute(given, network, seed=0, group_maps="tiny")
    assert [(r["data"], r["against"], r["maps"]) for r in found] == [
        (d, a, m) for d, a in (("clean", ""), ("pgd", "other")) for m in ("none", "essential", "pgd")
    ]
    for row in found:
        images = samples.images if row["data"] == "clean" else given.attacked["pgd"]
        before = answers(net, images) == samples.labels
        after = before
        if row["maps"] != "none":
            half = given.maps[row["maps"]]
            after = np.array([looks_twice(net, x, half) for x in images]) == samples.labels
        assert row["value"] == after.mean() and row["n"] == N
        assert (row["lost"], row["gained"]) == ((before & ~after).sum(), (after & ~before).sum())
    assert len({row["value"] for row in found}) > 3
    only = two_pass.compute(given, network, seed=0, group_maps="tiny", attacks=[])
    assert only == found[:3]


def test_maps_are_told_apart_by_the_kind_of_their_images(net, samples, maps):
    network = Network(net, torch.device("cpu"), {}, samples)
    assert list(defences(Given({"pgd": maps, "essential": maps, "noise": maps}), network, "tiny")) == [
        "pgd", "essential", "noise",
    ]  # fmt: skip


def test_unknown_maps_are_one_sentence(net, samples, maps):
    network = Network(net, torch.device("cpu"), {}, samples)
    assert list(defences(Given({"a": maps, "b": maps}), network, "tiny", ["b"])) == ["b"]
    with pytest.raises(FreqmapsError, match=r"no group maps 'tiny' were made from 'pdg'; did you mean 'pgd'"):
        defences(Given({"pgd": maps}), network, "tiny", ["pdg"])


# --- the attacker who knows them


def test_every_attack_is_there_and_the_worst_is_the_worst(table):
    shown = {m: list(zip(t["attack"], t["gradient"], strict=True)) for m, t in table.groupby("maps")}
    network = {("square", "none") if p == "square" else (p, "network") for p in PARTS}
    rest = {("clean", "none"), ("transfer", "none"), ("worst", "none")}
    assert set(shown["none"]) == network | rest
    own = {("square", "none") if p == "square" else (p, "chosen map") for p in PARTS}
    checks = set(table.loc[table["measure"] == "check", "attack"])
    assert set(shown["pgd"]) == own | {(p, "choice") for p in PARTS_OF_CHOICE} | rest | {(c, "none") for c in checks}
    assert len(checks) == 4 and all(len(s) == len(set(s)) for s in shown.values())
    for maps in ("none", "pgd"):
        accuracies = table[(table["maps"] == maps) & (table["measure"] == "accuracy")]
        assert (accuracies["value"] <= value(table, maps, "clean")).all()
        assert (accuracies["value"] >= value(table, maps, "worst")).all()
    assert 0 < value(table, "none", "worst") < value(table, "none", "clean")


def test_adaptive_attacks_are_at_least_as_strong_as_transferred_ones(table):
    transferred = value(table, "pgd", "transfer")
    assert value(table, "pgd", "apgd-ce", "chosen map") <= transferred
    assert value(table, "pgd", "worst") <= min(transferred, value(table, "pgd", "square"))
    assert value(table, "pgd", "unbounded reaches 0", column="reached") == 0
    assert (table.loc[table["measure"] == "check", "value"] == 1).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attacks_stay_in_their_budget(net, attacker, maps, norm):
    budget = Budget(norm, {"linf": 0.06, "l2": 0.4}[norm], 3, 2, 10, 32)
    for trial in attacker.trials(defended(net, maps, 1.0), budget):
        size = trial.images - attacker.samples.images
        flat = np.abs(size).max((1, 2, 3)) if norm == "linf" else np.sqrt((size.astype(float) ** 2).sum((1, 2, 3)))
        assert flat.max() <= budget.epsilon + 1e-6 and trial.images.min() >= 0 and trial.images.max() <= 1
    free = budget.unbounded(64)
    assert free.epsilon >= 0.999 and free.plan("apgd-ce").epsilon == free.epsilon


def test_maps_of_one_are_the_bare_network(net, attacker, maps):
    found = rows(attacker, bare(net, 10), {"ones": defended(net, np.ones_like(maps), 1.0)})
    accuracies = found[found["measure"] == "accuracy"]
    assert (accuracies[["lost", "gained"]] == 0).all(axis=None)
    for part in PARTS:
        gradient = ("none", "none") if part == "square" else ("network", "chosen map")
        assert value(found, "none", part, gradient[0]) == value(found, "ones", part, gradient[1])


def test_without_a_budget_nothing_changes(net, attacker, maps):
    found = rows(
        attacker, bare(net, 10), {"pgd": defended(net, maps, 1.0)}, Budget("linf", 1e-9, 2, 1, 3, 32)
    )  # no step reaches a decision
    for name in ("none", "pgd"):
        accuracies = found[(found["maps"] == name) & (found["measure"] == "accuracy")]
        assert accuracies["value"].nunique() == 1
    with pytest.raises(ConfigError, match=r"epsilon: 0 lies outside"):
        resolve("evaluation", "adaptive", {"group_maps": "x", "epsilon": 0}, where="here", supplied=("seed",))


class Masked(nn.Module):
    """A network behind steps: it answers as before, and its gradient is nothing."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net((x * 16).round() / 16) + 0 * x.sum()


def test_masked_gradients_fail_the_checks(net, attacker, maps):
    """What is transferred from the network, and Square, succeed where gradients do not: the checks must say so."""
    model = defended(net, maps, 1.0)
    masked = {name: (Masked(wrapped), parts) for name, (wrapped, parts) in model.gradients.items()}
    found = rows(
        attacker, bare(net, 10), {"masked": Target(Masked(model.judge), masked)},
        Budget("linf", 0.25, 8, 2, 150, 32),
    )  # fmt: skip
    checks = found[found["measure"] == "check"].set_index("attack")
    assert checks.loc["white-box at least transfer", "value"] == 0
    assert checks.loc["white-box at least black-box", "value"] == 0
    assert checks.loc["unbounded reaches 0", "value"] == 0
    row = checks.loc["white-box at least transfer"]
    assert row["reached"] > row["limit"] and row["reached"] - row["limit"] == pytest.approx(
        (row["gained"] - row["lost"]) / N
    )
    assert value(found, "masked", "worst") <= row["limit"], "what is known of the attack stays in the worst case"
