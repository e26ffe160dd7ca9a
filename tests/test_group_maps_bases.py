"""Group maps of every basis, against transforms written otherwise and a slow loop of one group alone."""

from functools import cache

import numpy as np
import pytest
import pywt
import scipy.fft
import torch
from torch import nn

from freqmaps.core.errors import FreqmapsError
from freqmaps.group_maps import Pictures, _engine, class_maps, to_dataset
from freqmaps.optimise.layouts import ComplexFrequencyPlane, FrequencyPlane, Grid
from freqmaps.stores import GROUP_MAPS, read, write
from tests import group_map_cases as cases
from tests.basis_cases import BASES, bound, tiny
from tests.group_map_cases import misled, pictures, settings, slow_group_map
from tests.map_cases import small_net

CONFIG = {"groups": "class", "schedule": "one_cycle", "learning_rate": 0.05}
ATTRS = {"images": "essential", "objective": "cross_entropy", "parameters": {}}
#: In 8×8 images, the entries of a full plane and the coefficients of a real transform are as many as pixels.
SIZE = 8


def make(basis, config=None, net=None, clean=None, **options):
    return cases.make(
        net or small_net(), clean or pictures(40), config or settings(**CONFIG), basis_name=basis,
        basis_params=tiny(basis), **options,
    )  # fmt: skip


# --- the slow loop ---------------------------------------------------------------------------------------------------


def through_phases(net, mask, x):
    spectrum = torch.fft.fft2(x)
    return net(torch.fft.ifft2(spectrum.abs() * torch.exp(1j * mask * spectrum.angle())).real)


@cache
def orthonormal(basis):
    """The transform of an image as one matrix, (pixels, pixels), column by column from a library's own transform."""
    if basis == "dct":
        columns = [scipy.fft.dctn(e.reshape(SIZE, SIZE), norm="ortho") for e in np.eye(SIZE * SIZE)]
    else:
        mode, level = "periodization", tiny("wavelet")["levels"]
        columns = [
            pywt.coeffs_to_array(pywt.wavedec2(e.reshape(SIZE, SIZE), "haar", mode=mode, level=level))[0]
            for e in np.eye(SIZE * SIZE)
        ]
    return torch.from_numpy(np.stack([c.ravel() for c in columns], axis=1)).float()


def through_matrix(basis):
    def through(net, mask, x):
        matrix = orthonormal(basis)
        return net(((mask.flatten(1) * (x.flatten(1) @ matrix.T)) @ matrix).reshape(x.shape))

    return through


def through_features(net, mask, x):
    """The network of the cases, cut after its first layer."""
    features = net[0](x)
    return net[1:](torch.fft.ifft2(mask * torch.fft.fft2(features)).real)


#: What the network of the cases subtracts, for the basis that asks for it.
MEAN = 0.3


def net_with(basis):
    """The network of the cases; for ``fourier_normalised`` one that says that it normalises."""
    net = small_net()
    if basis == "fourier_normalised":
        net.normalises = True
        net.register_buffer("mean", torch.full((1, 1, 1, 1), MEAN))
    return net


def through_normalised(net, mask, x):
    return net(torch.fft.ifft2(mask * torch.fft.fft2(x - MEAN)).real + MEAN)


def in_the_disc(mask):
    return mask / mask.abs().clamp(min=1)


#: By basis: what a map does to images, how it is projected, and the map that changes nothing, as the slow loop has it.
SLOW = {
    "fourier": {},
    "fourier_complex": {"projected": in_the_disc, "initial": np.ones((1, SIZE, SIZE), np.complex64)},
    "fourier_normalised": {"through": through_normalised},
    "phase": {"through": through_phases},
    "dct": {"through": through_matrix("dct")},
    "wavelet": {"through": through_matrix("wavelet")},
    "features": {"through": through_features, "initial": np.ones((6, SIZE, SIZE), np.float32)},
}


def as_slow(layout, half):
    """A map as the slow loop has it: the full plane with the origin in the corner, complex where it is complex."""
    stored = layout.to_store(half[None])[0]
    if isinstance(layout, Grid):
        return stored
    full = stored[0] + 1j * stored[1] if isinstance(layout, ComplexFrequencyPlane) else stored
    return np.fft.ifftshift(full, axes=(-2, -1))


@pytest.mark.parametrize("basis", BASES)
def test_clean_and_adversarial_steps_of_a_class_are_the_slow_loops(basis):
    net, config = net_with(basis), settings(**CONFIG)
    clean, adversarial = pictures(31), misled(52)
    found = make(basis, config, net, clean, adversarial=adversarial)
    for label in (0, 2):
        mask, losses, accuracies = slow_group_map(net, [(0, clean), (1, adversarial)], config, label, **SLOW[basis])
        np.testing.assert_allclose(as_slow(found.layout, found.map[label]), mask, atol=5e-4)
        np.testing.assert_allclose(found.history["loss"][label], losses, rtol=2e-5)
        np.testing.assert_allclose(found.history["accuracy"][label], accuracies)
        assert 0.05 < np.abs(mask).mean() < 0.97, "the case must not be trivial"
        # At 0, a complex entry feels a subgradient that autograd does not have; these cases never get there.
        assert basis != "fourier_complex" or np.abs(mask).min() > 0.01


@pytest.mark.parametrize("basis", [b for b in BASES if b != "fourier_complex"])
def test_a_start_from_noise_is_the_slow_loops(basis):
    net, clean, config = net_with(basis), pictures(23), settings(starts=2, learning_rate=0.05)
    found = make(basis, config, net, clean, seed=4)
    noise = found.layout.draw(np.random.default_rng((4, 2, 0, 1)))
    given = SLOW[basis] | {"initial": as_slow(found.layout, noise)}
    mask, _, _ = slow_group_map(net, [(0, clean)], config, -1, 4, **given)
    np.testing.assert_allclose(as_slow(found.layout, found.map[1]), mask, atol=5e-4)
    assert np.abs(found.map[0] - found.map[1]).max() > 0.1


# --- what holds for every basis --------------------------------------------------------------------------------------


@pytest.mark.parametrize("basis", BASES)
def test_neither_the_batch_nor_the_cache_changes_a_map(basis, monkeypatch):
    expected = make(basis, adversarial=misled(20), batch=16)
    found = make(basis, adversarial=misled(20), batch=3)
    monkeypatch.setattr(_engine, "CACHE_SHARE", 0.0)
    anew = make(basis, adversarial=misled(20), batch=16)
    for other in (found, anew):
        np.testing.assert_allclose(other.map, expected.map, atol=5e-4)
        np.testing.assert_allclose(other.history["loss"], expected.history["loss"], rtol=2e-5)
        assert np.array_equal(other.filtered_accuracy, expected.filtered_accuracy)


@pytest.mark.parametrize("basis", BASES)
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(basis, tmp_path):
    expected = make(basis)

    def interrupt(done, note):
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        make(basis, state=tmp_path, progress=interrupt)
    epochs = []
    found = make(basis, state=tmp_path, progress=lambda done, note: epochs.append(done))
    assert epochs == [4, 5, 6]
    assert np.array_equal(found.map, expected.map)
    make("dct" if basis == "fourier" else "fourier", state=tmp_path, progress=lambda done, note: epochs.append(done))
    assert epochs[3:] == [1, 2, 3, 4, 5, 6], "the state of another basis is not used"


@pytest.mark.parametrize("basis", BASES)
def test_the_store_keeps_its_contract_and_its_figures_are_those_of_the_maps(basis, tmp_path):
    given = pictures(20)
    rows = np.flatnonzero(given.category != 1)
    clean = Pictures(given.images[rows], given.targets[rows], given.category[rows])
    config = settings(groups="class", learning_rate=0.1, epochs=20)
    maps = make(basis, config, clean=clean, parameters={"penalty": 0.1})
    write(tmp_path / "g.zarr.zip", to_dataset(maps, ATTRS | {"basis": basis}), GROUP_MAPS)
    back = read(tmp_path / "g.zarr.zip", GROUP_MAPS)
    values = back["map"].values
    assert back["map"].dims == ("group", *maps.layout.dims)
    assert (back.attrs["basis"], back.attrs["layout"]) == (basis, maps.layout.name)
    np.testing.assert_array_equal(maps.layout.from_store(values), maps.map)
    size = np.hypot(values[:, 0], values[:, 1]) if basis == "fourier_complex" else values
    np.testing.assert_allclose(back["mean_of_map"], size.mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(back["share_of_zeros"], (size < 1e-8).mean(axis=(1, 2, 3)), rtol=1e-5)
    assert (size[1] == 1).all(), "the map of a class without images changes nothing"
    assert 0 < back["share_of_zeros"].values[0] < 1
    if basis != "fourier":
        with pytest.raises(FreqmapsError, match=f"have basis '{basis}'; give maps of basis fourier"):
            class_maps(back)


@pytest.mark.parametrize("basis", BASES)
def test_the_penalty_alone_makes_exact_zeros(basis):
    net = small_net()
    nn.init.zeros_(net[-1].weight)
    found = make(basis, settings(epochs=30, learning_rate=0.05), net, parameters={"penalty": 0.5})
    assert not found.map.any()
    assert found.share_of_zeros.tolist() == [1.0]


@pytest.mark.parametrize("basis", BASES)
def test_a_sum_of_gradients_gets_its_symmetry_back_to_the_last_bit(basis):
    """On a GPU, the gradients of two mirrored entries are summed in different orders."""
    plan, _, images = bound(basis, dtype=torch.float32)
    coefficients = plan.coefficients(images)
    initial = plan.initial(coefficients)
    exact = plan.pull_back(torch.rand_like(plan.synthesise(coefficients, initial)), coefficients, initial)
    assert torch.equal(plan.symmetrise_(exact.clone()), exact)
    noisy = exact * (1 + 1e-6 * torch.rand_like(exact))
    once = plan.symmetrise_(noisy.clone())
    assert torch.equal(plan.symmetrise_(once.clone()), once)
    torch.testing.assert_close(once, exact, rtol=1e-5, atol=1e-7)


LAYOUTS = [FrequencyPlane(2, *s) for s in ((8, 8), (7, 6), (6, 7))] + [
    ComplexFrequencyPlane(2, *s) for s in ((8, 8), (7, 6), (6, 7), (1, 1))
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_noise_is_the_spectrum_of_a_real_image(layout):
    noise = as_slow(layout, layout.draw(np.random.default_rng(0)))
    image = np.fft.ifft2(noise)
    assert np.abs(image.imag).max() < 1e-7 * max(1.0, np.abs(image.real).max())
    assert np.abs(noise).max() <= 1 + 1e-6


def test_complex_noise_fills_the_disc_evenly():
    noise = as_slow(layout := ComplexFrequencyPlane(3, 65, 65), layout.draw(np.random.default_rng(0)))
    # Of a point in the unit disc, |z|² is uniform in [0, 1], and z has mean 0 in every direction.
    assert abs((np.abs(noise) ** 2).mean() - 0.5) < 0.01
    assert abs(((np.abs(noise) ** 2) < 0.25).mean() - 0.25) < 0.015
    assert abs(noise.mean()) < 0.02
