"""The Fourier heat map: against a slow loop, and of networks that see a single frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation import Network, fourier_heat_map
from freqmaps.evaluation.fourier_heat_map import basis_vectors, half_plane, signs
from freqmaps.inference.proportions import wilson
from freqmaps.spectra.transforms import frequencies, spectrum
from freqmaps.stores.selection import Samples
from tests.attack_cases import Times, answers, digit_images, trained_net  # noqa: F401

CPU = torch.device("cpu")
SIZES = [(8, 8), (5, 7), (6, 5), (1, 4)]


def network_of(model, images, labels, first=0):
    ids = [f"s{i}" for i in range(len(images))]
    return Network(model, CPU, {}, Samples(images, labels, ids, np.arange(len(images)) + first))


@pytest.mark.parametrize("size", SIZES)
def test_basis_vectors_have_norm_one_and_a_single_frequency(size):
    ky, kx = (frequencies(n) for n in size)
    half, place = half_plane(ky, kx, *size)
    pairs = {min((y % size[0], x % size[1]), (-y % size[0], -x % size[1])) for y in ky for x in kx}
    assert len(half) == len(pairs) == place.max() + 1
    vectors = basis_vectors(half, *size)
    assert np.linalg.norm(vectors, axis=(1, 2)) == pytest.approx(np.ones(len(half)), abs=1e-12)
    assert np.allclose(np.tensordot(vectors, vectors, ([1, 2], [1, 2])), np.eye(len(half)), atol=1e-12)
    for i, y in enumerate(ky):
        for j, x in enumerate(kx):
            transform = np.fft.fft2(vectors[place[i, j]])
            there = {(int(y) % size[0], int(x) % size[1]), (int(-y) % size[0], int(-x) % size[1])}
            assert {tuple(k) for k in np.argwhere(abs(transform) > 1e-9).tolist()} == there
            values = np.array([transform[k] for k in there])
            assert np.allclose(values, abs(transform).max(), atol=1e-9), "not the same real value at k and -k"


def slow_wrong(net, images, labels, norm, seed, *, clip=False, first=0):
    """The definition: each frequency's basis vector by an inverse transform, one image and one frequency at a time."""
    n, channels, h, w = images.shape
    ky, kx = frequencies(h), frequencies(w)
    _, place = half_plane(ky, kx, h, w)
    found = np.zeros((n, h, w), bool)
    for i, y in enumerate(ky):
        for j, x in enumerate(kx):
            plane = np.zeros((h, w))
            plane[y, x] = plane[-y, -x] = 1.0
            wave = np.fft.ifft2(plane).real
            wave /= np.sqrt((wave**2).sum())
            for row in range(n):
                sign = signs(seed, row + first, place.max() + 1, channels)[place[i, j]]
                perturbed = images[row] + norm * sign[:, None, None] * wave
                perturbed = np.clip(perturbed, 0, 1) if clip else perturbed
                found[row, i, j] = answers(net, [perturbed.astype(np.float32)])[0] != labels[row]
    return found


@pytest.mark.parametrize("clip", [False, True])
def test_errors_are_those_of_a_slow_loop(net, digits, clip, monkeypatch):
    images, labels = digits[0][:7], digits[1][:7]
    slow = slow_wrong(net, images, labels, 2.0, 4, clip=clip, first=30)
    for numbers in (1 << 16, 64 * 50, 64 * 10, 1):  # several images at once, one, a part of one, one basis vector
        monkeypatch.setitem(fourier_heat_map._BATCH_NUMBERS, "cpu", numbers)
        found = fourier_heat_map.compute(
            None, network_of(net, images, labels, 30), seed=4, norm=2.0, bands=3, clip=clip
        )
        assert np.array_equal(found.arrays["error"].values, slow.mean(axis=0))
    assert found.arrays["ky"].values.tolist() == list(range(-4, 4))
    low, high = wilson(int(slow[:, 4, 6].sum()), 7)
    assert (found.arrays["low"][4, 6], found.arrays["high"][4, 6]) == pytest.approx((low, high))
    rows = pd.DataFrame(found.rows)
    radius = np.hypot(*np.meshgrid(range(-4, 4), range(-4, 4)))
    parts = {"all": radius >= 0, "low": radius <= np.sqrt(8), "high": radius > np.sqrt(8)}
    for name, part in parts.items():
        row = rows[rows["frequencies"] == name].iloc[0]
        each = slow[:, part].mean(axis=1)
        half = 1.959964 * each.std(ddof=1) / np.sqrt(7)
        assert (row["value"], row["count"], row["n"]) == (pytest.approx(each.mean()), part.sum(), 7)
        assert (row["low"], row["high"]) == pytest.approx((max(each.mean() - half, 0), min(each.mean() + half, 1)))
    difference = rows[rows["measure"] == "difference"].iloc[0]
    assert difference["value"] == pytest.approx(slow[:, parts["high"]].mean() - slow[:, parts["low"]].mean())
    ring = rows[rows["frequencies"] == "ring"]
    assert ring["count"].sum() == 64 and (ring["value"] * ring["count"]).sum() / 64 == pytest.approx(slow.mean())
    clean = rows[rows["frequencies"] == "none"].iloc[0]
    assert clean["value"] == (answers(net, images) != labels).mean()


class Hears(nn.Module):
    """Says 1 where the images' correlation with one cosine is larger than a half in size, else 0."""

    def __init__(self, ky, kx, height, width):
        super().__init__()
        self.wave = torch.from_numpy(basis_vectors(np.array([[ky, kx]]), height, width)[0].astype(np.float32))

    def forward(self, x):
        heard = (x * self.wave).sum(dim=(2, 3)).abs().amax(dim=1)
        return torch.stack([torch.full_like(heard, 0.5), heard], dim=1)


@pytest.mark.parametrize(
    ("size", "at"), [((8, 8), (2, -3)), ((8, 8), (-4, -4)), ((8, 8), (0, -4)), ((8, 8), (-4, 1)), ((7, 5), (3, -2))]
)
def test_a_network_that_hears_one_frequency_errs_at_it_and_its_opposite(size, at):
    h, w = size
    images, labels = np.zeros((4, 3, h, w), np.float32), np.zeros(4, np.int64)
    found = fourier_heat_map.compute(None, network_of(Hears(*at, h, w), images, labels), seed=0, norm=1.0, bands=2)
    ky, kx = frequencies(h), frequencies(w)
    mine = [(y % h, x % w) in ((at[0] % h, at[1] % w), (-at[0] % h, -at[1] % w)) for y in ky for x in kx]
    assert found.arrays["error"].values.ravel().tolist() == [float(m) for m in mine]
    # The perturbation of each channel has the norm that was asked for: just below the threshold nothing is heard.
    quiet = fourier_heat_map.compute(None, network_of(Hears(*at, h, w), images, labels), seed=0, norm=0.499, bands=2)
    assert (quiet.arrays["error"] == 0).all()
    loud = fourier_heat_map.compute(None, network_of(Hears(*at, h, w), images, labels), seed=0, norm=0.501, bands=2)
    assert np.array_equal(loud.arrays["error"].values, found.arrays["error"].values)


def test_signs_are_of_the_sample_and_differ_by_channel():
    drawn = signs(3, 11, 500, 3)
    assert set(np.unique(drawn)) == {-1.0, 1.0} and abs(drawn.mean()) < 0.1
    assert np.array_equal(drawn, signs(3, 11, 500, 3)) and (drawn != signs(3, 12, 500, 3)).any()
    assert (drawn[:, 0] != drawn[:, 1]).any() and (drawn != signs(4, 11, 500, 3)).any()


def test_a_part_of_the_plane(net, digits):
    images, labels = digits[0][:6], digits[1][:6]
    network = network_of(net, images, labels)
    whole = fourier_heat_map.compute(None, network, seed=4, norm=2.0, images=5)
    part = fourier_heat_map.compute(None, network, seed=4, norm=2.0, images=5, highest=2)
    assert part.arrays["kx"].values.tolist() == [-2, -1, 0, 1, 2] and part.rows[0]["n"] == 5
    assert spectrum(images).shape[-2:] == whole.arrays["error"].shape
    only = fourier_heat_map.compute(None, network, seed=4, norm=2.0, images=5, highest=0)
    rows = {row["frequencies"]: row for row in only.rows}
    assert (
        rows["high"]["n"] == rows["high less low"]["n"] == 0
        and np.isnan(rows["high less low"]["value"])
        and rows["low"]["count"] == 1
    )


def test_logits_that_are_not_finite_are_refused(net, digits):
    with pytest.raises(FreqmapsError, match="NaN or infinite"):
        network = network_of(nn.Sequential(net, Times(float("nan"))), digits[0][:2], digits[1][:2])
        fourier_heat_map.compute(None, network, seed=0)
