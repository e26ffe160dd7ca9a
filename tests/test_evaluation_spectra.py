"""Spectra of perturbations: networks whose gradient is known, slow loops, snapshots in order, budgets that are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freqmaps.attacks._gradient import Gradient, perturbations
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation import Network, Networks, perturbation_spectra
from freqmaps.evaluation.perturbation_spectra import _low_bias
from freqmaps.inference.proportions import wilson
from freqmaps.spectra.low_bias import image_low_bias
from freqmaps.spectra.perturbations import lfc_ratio, log_spectrum_difference, relative_dct_change
from freqmaps.spectra.transforms import spectrum
from freqmaps.stores.selection import Samples
from tests.attack_cases import digit_images, trained_net  # noqa: F401

N = 30
CPU = torch.device("cpu")


class Wave(nn.Module):
    """Two classes whose logits differ by the product with one wave: every input gradient is that wave, or 0."""

    def __init__(self, ky, kx, size=8, scale=1.0):
        super().__init__()
        y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        self.wave = scale * torch.cos(2 * torch.pi * (ky * y + kx * x) / size)

    def forward(self, images):
        value = (images * self.wave).sum(dim=(1, 2, 3))
        return torch.stack([value, -value], dim=1)


class Several(Networks):
    """Networks that are at hand."""

    def __iter__(self):
        for step, net in self.nets.items():
            yield step, Network(net, CPU, {"training": "mine"}, self.samples)


def several(nets, images, labels):
    samples = Samples(images, labels, [f"s{i}" for i in range(len(images))], np.arange(len(images)))
    made = Several(dict.fromkeys(nets), CPU, {"training": "mine"}, samples)
    object.__setattr__(made, "nets", nets)
    return made


def compute(nets, given_images, labels, **options):
    given = {"images": N, "steps": 5, "examples": 3} | options
    return perturbation_spectra.compute(None, several(nets, given_images, labels), seed=7, **given)


def table(found):
    return pd.DataFrame(found.rows)


def image_set(n=N, size=8):
    generator = np.random.default_rng(0)
    images = generator.uniform(0.2, 0.8, size=(n, 1, size, size)).astype(np.float32)
    return images, generator.integers(0, 2, n)


@pytest.mark.parametrize(("frequency", "share"), [((1, 0), 1.0), ((2, 2), 1.0), ((3, 0), 0.0), ((1, 3), 0.0)])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_a_network_that_sees_one_frequency_is_attacked_at_it(frequency, share, loss):
    found = table(
        compute({None: Wave(*frequency)}, *image_set(), loss=loss, norms=["l2"], clip=False, random_start=False)
    )
    ratios = found[(found["measure"] == "lfc_ratio") & (found["attack"] != "images")]
    assert ratios["attack"].tolist() == ["fgm", "pgd"]
    assert np.allclose(ratios["value"], share, atol=1e-3)
    assert (ratios["cutoff"] == 2).all() and np.allclose(ratios["area"], 25 / 64)
    assert ratios["n"].tolist() == [N, N] and not ratios["dropped"].any()


def test_the_gradients_are_those_of_autograd(net, digits):
    images, labels = digits[0][:N], digits[1][:N]
    for loss in ("cross_entropy", "mse"):
        plan = Gradient("fgm", "l2", loss, epsilon=0.01, clip=False)
        found = perturbations(net, images, labels, plan, seed=0, positions=np.arange(N), device=CPU)
        for image, label, delta in zip(images, labels, found, strict=True):
            x = torch.from_numpy(image[None]).requires_grad_()
            logits, target = net(x), torch.tensor([label])
            one_hot = F.one_hot(target, logits.shape[1]).float()
            value = F.cross_entropy(logits, target) if loss == "cross_entropy" else ((logits - one_hot) ** 2).sum()
            gradient = torch.autograd.grad(value, x)[0][0].double().numpy()
            assert np.allclose(delta, 0.01 * gradient / np.linalg.norm(gradient), atol=2e-6)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("method", ["fgm", "pgd"])
@pytest.mark.parametrize("clip", [True, False])
def test_budgets_are_kept_and_batches_change_nothing(net, digits, norm, method, clip, monkeypatch):
    images, labels, places = digits[0][:N], digits[1][:N], np.arange(N)
    plan = Gradient(method, norm, epsilon=0.1, step=0.05, steps=4, clip=clip)
    whole = perturbations(net, images, labels, plan, seed=3, positions=places, device=CPU)
    sizes = np.abs(whole).max(axis=(1, 2, 3)) if norm == "linf" else np.linalg.norm(whole.reshape(N, -1), axis=1)
    assert (sizes <= 0.1 + 1e-6).all() and (sizes > 0.01).all()
    inside = (images + whole >= -1e-6).all() and (images + whole <= 1 + 1e-6).all()
    assert inside == clip
    monkeypatch.setattr("freqmaps.attacks._gradient._BATCH_NUMBERS", {"cpu": 7 * 64})
    assert np.allclose(whole, perturbations(net, images, labels, plan, seed=3, positions=places, device=CPU), atol=1e-4)
    some = perturbations(net, images[4:9], labels[4:9], plan, seed=3, positions=places[4:9], device=CPU)
    assert np.allclose(whole[4:9], some, atol=1e-4)


def test_every_figure_is_that_of_a_slow_loop(net, digits):
    images, labels = digits[0][:N], digits[1][:N]
    options = {"epsilon": 0.2, "step": 0.1, "cutoff": 1.0, "methods": ["fgm"], "norms": ["linf"]}
    found = compute({None: net}, images, labels, **options)
    rows = table(found).set_index(["attack", "measure"])
    plan = Gradient("fgm", "linf", epsilon=0.2, step=0.1, steps=5)
    delta = perturbations(net, images, labels, plan, seed=7, positions=np.arange(N), device=CPU)
    ratios = [float(lfc_ratio(d, 1.0)) for d in delta]
    row = rows.loc["fgm", "lfc_ratio"]
    assert row["value"] == pytest.approx(np.mean(ratios)) and row["sd"] == pytest.approx(np.std(ratios, ddof=1))
    assert row["high"] - row["value"] == pytest.approx(1.959964 * np.std(ratios, ddof=1) / np.sqrt(N))
    assert rows.loc["images", "lfc_ratio"]["value"] == pytest.approx(np.mean([lfc_ratio(x, 1.0) for x in images]))
    right = int((net(torch.from_numpy(images + delta)).argmax(1).numpy() == labels).sum())
    assert tuple(rows.loc["fgm", "accuracy"][["value", "low", "high"]]) == (right / N, *wilson(right, N))
    assert rows.loc["fgm", "size"]["value"] == pytest.approx(0.2, abs=1e-3)
    low = np.zeros((8, 8), dtype=bool)
    low[3:6, 3:6] = True
    planes = [log_spectrum_difference(x[0], x[0].astype(float) + d[0]) for x, d in zip(images, delta, strict=True)]
    assert rows.loc["fgm", "log_difference_low"]["value"] == pytest.approx(np.mean([p[low].mean() for p in planes]))
    rise = [p[~low].mean() - p[low].mean() for p in planes]
    assert rows.loc["fgm", "log_difference_rise"]["value"] == pytest.approx(np.mean(rise))
    arrays = found.arrays.sel(step=-1, attack="fgm", norm="linf")
    assert np.allclose(arrays["spectrum"], np.mean([spectrum(d[0]) for d in delta], axis=0))
    assert np.allclose(arrays["log_difference"], np.mean(planes, axis=0))
    error = np.std(planes, axis=0, ddof=1) / np.sqrt(N)
    assert np.allclose(arrays["log_difference_error"], error)
    expected = np.mean(
        [relative_dct_change(x[0], x[0].astype(float) + d[0]) for x, d in zip(images, delta, strict=True)], 0
    )
    assert np.allclose(arrays["relative_dct"], expected)
    assert np.allclose(arrays["image_spectrum"], np.mean([spectrum(x[0]) for x in images], axis=0))
    assert arrays["ky"].values.tolist() == list(range(-4, 4))


def test_log_b_low_is_c22_s_of_images_and_of_perturbations(net, digits):
    images, labels = digits[0][:N], digits[1][:N]
    rows = table(compute({None: net}, images, labels, epsilon=0.2, methods=["fgm"], norms=["linf"]))
    rows = rows[rows["measure"] == "log_low_bias"].set_index("attack")
    plan = Gradient("fgm", "linf", epsilon=0.2, step=0.01568627450980392, steps=5)
    delta = perturbations(net, images, labels, plan, seed=7, positions=np.arange(N), device=CPU)
    for values, row in ((images, rows.loc["images"]), (delta, rows.loc["fgm"])):
        assert row["value"] == pytest.approx(float(image_low_bias(values))) and (row["n"], row["dropped"]) == (N, 0)
        left_out = [float(image_low_bias(np.delete(values, i, axis=0))) for i in range(N)]
        error = np.sqrt((N - 1) / N * ((left_out - np.mean(left_out)) ** 2).sum())
        assert row["high"] - row["value"] == pytest.approx(1.959964 * error, rel=1e-5)
        assert row["value"] - row["low"] == pytest.approx(1.959964 * error, rel=1e-5)


def test_log_b_low_is_larger_for_low_frequencies_and_leaves_out_what_is_0():
    images, labels = image_set()
    low, high = (
        table(compute({None: Wave(*frequency)}, images, labels, norms=["l2"], methods=["fgm"], clip=False))
        for frequency in ((0, 1), (0, 3))
    )
    values = [t[(t["measure"] == "log_low_bias") & (t["attack"] == "fgm")]["value"].iloc[0] for t in (low, high)]
    assert values[0] > values[1]
    nothing = table(compute({None: Wave(1, 0, scale=0.0)}, images, labels, methods=["fgm"], norms=["l2"]))
    row = nothing[(nothing["measure"] == "log_low_bias") & (nothing["attack"] == "fgm")].iloc[0]
    assert (row["n"], row["dropped"]) == (0, N) and np.isnan(row[["value", "low", "high"]].astype(float)).all()
    some = images.copy()
    some[::2] = 0
    row = _low_bias(some)
    assert (row["n"], row["dropped"]) == (N // 2, N // 2)
    assert row["value"] == pytest.approx(float(image_low_bias(images[1::2])))
    alone = _low_bias(images[:1])
    assert alone["n"] == 1 and np.isnan(alone["low"]) and np.isfinite(alone["value"])


def test_each_snapshot_has_fresh_images_and_the_last_one_examples():
    images, labels = image_set(90)
    nets = {0: Wave(1, 0), 5: Wave(3, 0), 9: Wave(0, 2)}
    found = compute(nets, images, labels, norms=["l2"], clip=False, images=20)
    rows = table(found)
    assert rows["step"].drop_duplicates().tolist() == [0, 5, 9]
    ratios = rows[(rows["measure"] == "lfc_ratio") & (rows["attack"] == "fgm")]
    assert np.allclose(ratios["value"], [1, 0, 1], atol=1e-3)
    own = rows[(rows["measure"] == "lfc_ratio") & (rows["attack"] == "images")]["value"]
    assert own.nunique() == 3  # other images each time
    arrays = found.arrays
    assert arrays["step"].values.tolist() == [0, 5, 9] and arrays.sizes["example"] == 3
    delta = arrays["example_perturbation"].sel(attack="fgm", norm="l2").values
    assert np.allclose(lfc_ratio(delta, 2), 1, atol=1e-3)  # of the last network
    for place, image, name in zip(
        arrays["example_position"].values, arrays["example_image"].values, arrays["example"].values, strict=True
    ):
        assert (image == images[place]).all() and name == f"s{place}"


def test_a_network_without_gradient_has_no_ratio():
    found = table(compute({None: Wave(1, 0, scale=0.0)}, *image_set(), methods=["fgm"], norms=["l2"]))
    row = found[(found["measure"] == "lfc_ratio") & (found["attack"] == "fgm")].iloc[0]
    assert (row["n"], row["dropped"]) == (0, N) and np.isnan(row["value"])


def test_what_cannot_be_is_refused():
    with pytest.raises(FreqmapsError, match="methods has 'pdg'"):
        compute({None: Wave(1, 0)}, *image_set(), methods=["pdg"])
    with pytest.raises(FreqmapsError, match="not finite, first at position 0"):
        plan = replace(Gradient("fgm", "l2"), clip=False)
        images, labels = image_set()
        perturbations(Wave(1, 0, scale=float("nan")), images, labels, plan, seed=0, positions=np.arange(N), device=CPU)
