"""Spectral quantities of tensors: the numbers that NumPy gives, with gradients; importing them imports no torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra import bands, harmonics, masks, profiles, transforms

RNG = np.random.default_rng(4)
PLANES = RNG.random((3, 2, 6, 5))
REFERENCE = RNG.random((2, 6, 5))
SIGNAL = harmonics.activated("ReLU", harmonics.wave(samples=64) + 0.1)

QUANTITIES = {
    "band_energy": lambda x: bands.band_energy(x, bands.rings(6, 5, 4), 4),
    "shares": lambda x: bands.shares(x),
    "radial_energy": lambda x: bands.radial_energy(x, 4),
    "angular_energy": lambda x: bands.angular_energy(x, 4),
    "low_share": profiles.low_share,
    "mask_differences": lambda x: masks.mask_differences(x, x[0]),
    "mask_differences, range": lambda x: masks.mask_differences(x, x[0], "range"),
    "mask_differences, none": lambda x: masks.mask_differences(x, x[0], "none"),
    "spectrum": transforms.spectrum,
    "filter_image": lambda x: transforms.filter_image(x, REFERENCE),
    "filter_image, map": lambda x: transforms.filter_image(REFERENCE, x),
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_tensors_and_arrays_give_the_same_numbers_and_tensors_a_gradient(name):
    tensor = torch.tensor(PLANES, requires_grad=True)
    of_tensor, of_array = QUANTITIES[name](tensor), QUANTITIES[name](PLANES)
    assert isinstance(of_array, np.ndarray)
    np.testing.assert_allclose(of_tensor.detach().numpy(), of_array, rtol=1e-12, atol=1e-12)
    weights = torch.tensor(RNG.random(of_array.shape))
    (of_tensor * weights).sum().backward()
    step = RNG.standard_normal(PLANES.shape)
    up, down = (float((QUANTITIES[name](PLANES + h * step) * weights.numpy()).sum()) for h in (1e-6, -1e-6))
    slope = float((tensor.grad * torch.tensor(step)).sum())
    assert slope == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("n", [64, 63])
def test_harmonics_of_tensors(n):
    tensor = torch.tensor(SIGNAL[:n], requires_grad=True)
    amplitudes = harmonics.harmonics(tensor)
    np.testing.assert_allclose(amplitudes.detach(), harmonics.harmonics(SIGNAL[:n]), rtol=1e-12, atol=1e-14)
    share = harmonics.share_outside(amplitudes)
    share.backward()
    assert share.item() == pytest.approx(harmonics.share_outside(harmonics.harmonics(SIGNAL[:n])), rel=1e-12)
    assert torch.isfinite(tensor.grad).all() and tensor.grad.any()
    assert np.isnan(harmonics.share_outside(np.array([1.0, 0.0]))) and harmonics.share_outside(torch.zeros(3)).isnan()


def test_complements_of_tensors():
    small = torch.tensor([[1e-9, 0.5], [0.0, 1.0]], dtype=torch.float32)
    found = masks.complement_mask(small)
    assert found.dtype == torch.float32 and np.array_equal(found.numpy(), masks.complement_mask(small.numpy()))
    binary = masks.binary_mask(small)
    assert binary.dtype == torch.float32 and np.array_equal(binary.numpy(), masks.binary_mask(small.numpy()))
    with pytest.raises(FreqmapsError, match="NaN"):
        masks.complement_mask(torch.tensor([float("nan")]))


def test_a_plane_without_energy_has_no_shares_and_spoils_no_gradient():
    planes = torch.tensor(np.stack([np.zeros((4, 4)), np.ones((4, 4))]), requires_grad=True)
    found = bands.radial_energy(planes, 3)
    assert found[0].isnan().all()
    (found[1] * torch.arange(3.0)).sum().backward()
    assert torch.isfinite(planes.grad).all() and planes.grad[1].any()


def test_importing_spectral_quantities_and_inference_imports_no_torch():
    modules = "bands, exceedance, harmonics, low_pass, masks, planes, profiles, transforms"
    code = (
        f"import sys; from freqmaps.spectra import {modules}; "
        "from freqmaps.inference import decomposition, estimates, intervals, proportions, stability, verdicts; "
        "bands.radial_energy([[1.0, 2.0], [3.0, 4.0]]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
