"""Spectra of Jacobians: every figure against a slow loop, networks whose gradient is known, snapshots, dead images."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation import jacobian_spectra
from freqmaps.spectra.transforms import spectrum
from tests.attack_cases import digit_images, trained_net  # noqa: F401
from tests.test_evaluation_spectra import Wave, image_set, several
from tests.test_spectra_low_bias import direct

N = 30


def compute(nets, given, labels, **options):
    found = jacobian_spectra.compute(None, several(nets, given, labels), seed=7, **options)
    return pd.DataFrame(found.rows), found.arrays


def value(rows, spectra_of, averaged, measure="log_low_bias"):
    chosen = (rows["spectra_of"] == spectra_of) & (rows["averaged"] == averaged) & (rows["measure"] == measure)
    (row,) = rows[chosen].to_dict("records")
    return row


def quadrant(x):
    return np.abs(np.fft.fft2(x.astype(np.float64)))[..., :5, :5].mean(axis=-3)


def test_every_figure_is_that_of_a_slow_loop(net, digits, monkeypatch):
    images, labels = digits[0][:N], digits[1][:N]
    rows, arrays = compute({None: net}, images, labels, examples=3)
    jacobians = []
    for image, label in zip(images, labels, strict=True):
        x = torch.from_numpy(image[None]).requires_grad_()
        jacobians.append(torch.autograd.grad(F.cross_entropy(net(x), torch.tensor([label])), x)[0][0].numpy())
    j = np.stack(jacobians).astype(np.float64)
    each = [direct(m) for m in quadrant(j)]
    row = value(rows, "jacobians", "none")
    assert row["value"] == pytest.approx(np.mean(each), rel=1e-4) and row["sd"] == pytest.approx(
        np.std(each, ddof=1), 1e-3
    )
    assert row["high"] - row["value"] == pytest.approx(1.959964 * row["sd"] / np.sqrt(N)) and row["n"] == N
    row = value(rows, "jacobians", "magnitudes")
    assert row["value"] == pytest.approx(direct(quadrant(j).mean(axis=0)), rel=1e-4)
    assert row["low"] < row["value"] < row["high"]
    assert value(rows, "jacobians", "gradients")["value"] == pytest.approx(direct(quadrant(j.mean(axis=0))), rel=1e-3)
    norms = np.linalg.norm(j.reshape(N, -1), axis=1)
    assert value(rows, "jacobians", "none", "norm")["value"] == pytest.approx(norms.mean(), rel=1e-4)
    assert value(rows, "images", "magnitudes")["value"] == pytest.approx(direct(quadrant(images).mean(axis=0)))
    assert value(rows, "images", "none")["value"] == pytest.approx(np.mean([direct(m) for m in quadrant(images)]))
    planes = spectrum(j).mean(axis=1)
    assert np.allclose(arrays["spectrum"].sel(step=-1), planes.mean(axis=0), rtol=1e-4)
    assert np.allclose(arrays["spectrum_error"].sel(step=-1), planes.std(axis=0, ddof=1) / np.sqrt(N), rtol=1e-3)
    assert np.allclose(arrays["gradient_spectrum"].sel(step=-1), spectrum(j.mean(axis=0)).mean(axis=0), rtol=1e-3)
    assert np.allclose(arrays["image_spectrum"], spectrum(images).mean(axis=(0, 1)))
    places = arrays["example_position"].values
    assert places.tolist() == [0, 14, 29]
    assert np.allclose(arrays["example_gradient"], j[places], rtol=1e-3, atol=1e-7)
    assert (arrays["example_image"].values == images[places]).all()
    monkeypatch.setattr(jacobian_spectra, "_BLOCK_NUMBERS", 7 * 64)
    again, small = compute({None: net}, images, labels, examples=3)
    assert np.allclose(rows["value"], again["value"], rtol=1e-4)
    assert np.allclose(arrays["example_gradient"], small["example_gradient"], rtol=1e-3, atol=1e-7)


def test_the_interval_is_that_of_resampled_images(net, digits):
    """Against a bootstrap that gathers the images one draw at a time."""
    images, labels = digits[0][:N], digits[1][:N]
    rows, _ = compute({None: net}, images, labels)
    magnitudes, rng = quadrant(images), np.random.default_rng(1)
    drawn = [direct(magnitudes[rng.integers(N, size=N)].mean(axis=0)) for _ in range(1000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    row = value(rows, "images", "magnitudes")
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_networks_of_low_frequencies_have_the_larger_bias():
    images, labels = image_set()
    rows, arrays = compute({0: Wave(0, 0), 4: Wave(4, 4)}, images, labels, images=12)
    assert rows["step"].drop_duplicates().tolist() == [0, 4]
    for averaged in ("gradients", "magnitudes", "none"):
        of_jacobians = (rows["spectra_of"] == "jacobians") & (rows["measure"] == "log_low_bias")
        found = rows[of_jacobians & (rows["averaged"] == averaged)]
        assert found["value"].iloc[0] > found["value"].iloc[1] + 1
        assert (found["n"] == 12).all()
    peak = arrays["spectrum"].sel(step=0)
    assert float(peak.sel(ky=0, kx=0)) == pytest.approx(float(peak.max()))
    assert float(arrays["spectrum"].sel(step=4, ky=-4, kx=-4)) == pytest.approx(
        float(arrays["spectrum"].sel(step=4).max())
    )


def test_images_without_a_gradient_are_dropped_from_the_mean_over_images():
    rows, _ = compute({None: Wave(1, 0, scale=0.0)}, *image_set())
    row = value(rows, "jacobians", "none")
    assert (row["n"], row["dropped"]) == (0, N) and np.isnan(row["value"])
    assert np.isfinite(value(rows, "jacobians", "magnitudes")["value"])  # of the epsilon alone


def test_gradients_that_are_not_finite_are_refused():
    with pytest.raises(FreqmapsError, match="the gradient of 30 images is not finite, first that of 's0'"):
        compute({None: Wave(1, 0, scale=float("nan"))}, *image_set())
