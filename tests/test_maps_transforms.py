"""Each basis against an independent computation of its transform."""

import numpy as np
import pytest
import pywt
import scipy.fft
import torch
from torch import nn

from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.maps import MapSettings
from freqmaps.optimise.objectives.cross_entropy import build as cross_entropy
from tests.basis_cases import bound, build, make, some_map
from tests.map_cases import some_images

# --- amplitudes, complex factors, phases -----------------------------------------------------------------------------


def full_plane(half, width):
    """Both halves, origin in the corner, straight from the definition of symmetry."""
    h = half.shape[-2]
    full = np.zeros((*half.shape[:-1], width), half.dtype)
    for ky in range(h):
        for kx in range(width):
            mirrored = kx >= half.shape[-1]
            entry = half[..., -ky % h, width - kx] if mirrored else half[..., ky, kx]
            full[..., ky, kx] = np.conj(entry) if mirrored else entry
    return full


@pytest.mark.parametrize("size", [(8, 8), (7, 6), (6, 7)])
def test_fourier_bases_are_their_formulas_on_the_full_plane(size):
    for name, formula in {
        "fourier": lambda m, x: m * np.fft.fft2(x),
        "fourier_complex": lambda m, x: m * np.fft.fft2(x),
        "phase": lambda m, x: np.abs(np.fft.fft2(x)) * np.exp(1j * m * np.angle(np.fft.fft2(x))),
    }.items():
        plan, _, images = bound(name, size)
        coefficients = plan.coefficients(images)
        m = some_map(plan, coefficients)
        half = torch.view_as_complex(m).numpy() if name == "fourier_complex" else m.numpy()
        expected = np.fft.ifft2(formula(full_plane(half, size[1]), images.numpy()))
        np.testing.assert_allclose(plan.synthesise(coefficients, m), expected.real, atol=1e-12)


def test_fourier_and_phase_keep_what_they_do_not_touch():
    plan, _, images = bound("phase")
    coefficients = plan.coefficients(images)
    seen = plan.synthesise(coefficients, some_map(plan, coefficients))
    own = np.ix_(range(3), range(2), [0, 4], [0, 4])  # real entries, whose turned value has a real part only
    amplitude = np.abs(np.fft.fft2(seen)), np.abs(np.fft.fft2(images))
    for plane in amplitude:
        plane[own] = 0
    np.testing.assert_allclose(*amplitude, atol=1e-12)
    none = np.fft.fft2(plan.synthesise(coefficients, torch.zeros(3, *plan.layout.shape)))
    np.testing.assert_allclose(none.imag, 0, atol=1e-12)
    np.testing.assert_allclose(none.real, np.abs(np.fft.fft2(images)), atol=1e-12)


def test_parseval():
    for name in ("dct", "wavelet"):
        plan, _, images = bound(name)
        torch.testing.assert_close((plan.coefficients(images)[0] ** 2).sum((2, 3)), (images**2).sum((2, 3)))
    plan, _, images = bound("fourier", (7, 6))
    energy = (plan.coefficients(images)[0].abs() ** 2 * plan.weight).sum((2, 3))
    torch.testing.assert_close(energy, 42 * (images**2).sum((2, 3)))


def test_complex_maps_stay_in_the_disc_and_hermitian_and_turn_phases():
    maps = make("fourier_complex", settings=MapSettings(min_steps=59, max_steps=59, learning_rate=0.1))
    size = np.hypot(maps.map[..., 0], maps.map[..., 1])
    assert size.max() <= 1 + 1e-6
    assert (size == 0).mean() > 0.2
    assert (np.abs(maps.map[..., 1]) > 0.01).any()
    real, imaginary = np.moveaxis(maps.layout.to_store(maps.map), 1, 0)
    corner = [np.fft.ifftshift(part, axes=(-2, -1)) for part in (real, imaginary)]
    mirrored = [np.roll(part[..., ::-1, ::-1], (1, 1), (-2, -1)) for part in corner]
    np.testing.assert_array_equal(corner[0], mirrored[0])
    np.testing.assert_array_equal(corner[1], -mirrored[1])


def test_a_complex_entry_stops_at_the_origin_and_rests_there():
    plan, _, _ = bound("fourier_complex", channels=1)
    m = torch.zeros(1, *plan.layout.shape, dtype=torch.float64)
    m[0, 0, 1, 1] = torch.tensor([0.01, 0.0])
    m[0, 0, 1, 2] = torch.tensor([0.6, 0.8])
    direction, momentum = torch.zeros_like(m), torch.ones_like(m)
    direction[0, 0, 1, 1, 0], direction[0, 0, 1, 2, 0], direction[0, 0, 2, 2, 1] = 0.05, -1.0, 0.3
    resting = m.clone()
    plan.move_(resting, direction, torch.zeros(1, 1, 1, 1, 1), momentum)
    assert torch.equal(resting, m), "a rate of 0"
    assert momentum.all()
    plan.move_(m, direction, torch.ones(1, 1, 1, 1, 1), momentum)
    assert m[0, 0, 1, 1].tolist() == [0, 0]
    assert momentum[0, 0, 1, 1].tolist() == [0, 0]
    torch.testing.assert_close(m[0, 0, 1, 2], torch.tensor([1.6, 0.8], dtype=torch.float64) / np.hypot(1.6, 0.8))
    assert m[0, 0, 2, 2].tolist() == [0, -0.3], "from 0, an entry may leave in any direction"


@pytest.mark.parametrize("penalty", [0.0, 0.2])
def test_a_complex_entry_at_0_feels_the_smallest_subgradient(penalty):
    plan, _, images = bound("fourier_complex", channels=1)
    coefficients = plan.coefficients(images[:, :1])
    m = torch.zeros(3, *plan.layout.shape, dtype=torch.float64)
    towards = torch.rand(3, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    data = plan.pull_back(towards, coefficients, m)
    value, found = plan.gradient(cross_entropy(penalty=penalty), m, plan.pull_back(towards, coefficients, m))
    assert value.tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    # The point of the disc of radius λ round the data's gradient that lies nearest to 0, by search.
    for place in [(0, 0, 0, 0), (1, 0, 3, 2), (2, 0, 1, 1)]:
        angles = np.linspace(0, 2 * np.pi, 721)
        disc = data[place].numpy() + penalty * np.stack([np.cos(angles), np.sin(angles)], 1)
        inside = np.hypot(*data[place].numpy()) <= penalty
        nearest = 0.0 if inside else np.hypot(*disc.T).min()
        assert float(found[place].norm()) == pytest.approx(nearest, abs=1e-5)


# --- cosines and wavelets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (7, 6), (1, 5), (2, 1)])
def test_dct_is_scipys(size):
    plan, _, _ = bound("dct")
    images = torch.from_numpy(some_images(3, 2, size)).double()
    plan = build("dct").bind(nn.Identity(), images)
    expected = scipy.fft.dctn(images.numpy(), type=2, norm="ortho", axes=(-2, -1))
    np.testing.assert_allclose(plan.coefficients(images)[0], expected, atol=1e-12)
    mask = some_map(plan, plan.coefficients(images))
    seen = scipy.fft.idctn(expected * mask.numpy(), type=2, norm="ortho", axes=(-2, -1))
    np.testing.assert_allclose(plan.synthesise((torch.from_numpy(expected),), mask), seen, atol=1e-12)
    assert plan.layout.coordinates()["row"][1].tolist() == list(range(size[0]))


@pytest.mark.parametrize(
    ("wavelet", "levels", "size"),
    [("haar", 1, (8, 8)), ("haar", 3, (8, 16)), ("db2", 2, (16, 24)), ("sym4", 2, (32, 64)), ("coif1", 1, (12, 10))],
)
def test_wavelets_are_those_of_pywavelets(wavelet, levels, size):
    images = torch.from_numpy(some_images(3, 2, size)).double()
    plan = build("wavelet", wavelet=wavelet, levels=levels).bind(nn.Identity(), images)
    parts = pywt.wavedec2(images.numpy(), wavelet, mode="periodization", level=levels, axes=(-2, -1))
    expected, places = pywt.coeffs_to_array(parts, axes=(-2, -1))
    np.testing.assert_allclose(plan.coefficients(images)[0], expected, atol=1e-12)
    mask = some_map(plan, plan.coefficients(images))
    masked = pywt.array_to_coeffs(expected * mask.numpy(), places, output_format="wavedec2")
    seen = pywt.waverec2(masked, wavelet, mode="periodization", axes=(-2, -1))
    np.testing.assert_allclose(plan.synthesise((torch.from_numpy(expected),), mask), seen, atol=1e-12)


def test_wavelet_labels_say_level_and_orientation():
    plan, _, images = bound("wavelet", (16, 16), levels=3)
    labels = plan.layout.coordinates()
    level, orientation = labels["level"][1], labels["orientation"][1]
    assert [(level == n).sum() for n in (1, 2, 3)] == [192, 48, 16]
    assert (orientation == "approximation").sum() == 4
    parts = pywt.wavedec2(images[0, 0].numpy(), "haar", mode="periodization", level=3)
    found = plan.coefficients(images)[0][0, 0].numpy()
    for number, details in zip((3, 2, 1), parts[1:], strict=True):
        for name, part in zip(("horizontal", "vertical", "diagonal"), details, strict=True):
            here = (level == number) & (orientation == name)
            np.testing.assert_allclose(found[here].reshape(part.shape), part, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"wavelet": "harr"}, ConfigError, "no orthogonal wavelet named 'harr'; did you mean 'haar'"),
        ({"wavelet": "bior2.2"}, ConfigError, "no orthogonal wavelet named 'bior2.2'"),
        ({"levels": 4}, FreqmapsError, "images of 8×8 cannot be halved 4 times"),
    ],
)
def test_wavelets_that_do_not_fit_are_one_sentence(given, error, message):
    with pytest.raises(error) as caught:
        build("wavelet", **given).bind(nn.Identity(), torch.rand(1, 1, 8, 8))
    assert message in str(caught.value)
