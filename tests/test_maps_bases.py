"""Every basis, by one contract; and each against an independent computation of its transform."""

from functools import partial

import numpy as np
import pytest
import pywt
import scipy.fft
import torch
from torch import nn

from freqmaps import components
from freqmaps.errors import ConfigError, FreqmapsError
from freqmaps.maps import MapSettings, compute_maps, mean_size, to_dataset
from freqmaps.maps._engine import optimise_maps, plan_for
from freqmaps.maps.layouts import ComplexFrequencyPlane, Grid
from freqmaps.maps.objectives.cross_entropy import build as cross_entropy
from freqmaps.stores import MAPS, read, write
from tests.map_cases import SHORT, small_net, some_images, some_targets

BASES = components.names("basis")
CPU = torch.device("cpu")


def tiny(name):
    return dict(components.find("basis", name).constants["TINY"])


def build(name, **parameters):
    return components.load("basis", name)(**(tiny(name) | parameters))


def bound(name, size=(8, 8), channels=2, dtype=torch.float64, **parameters):
    """A plan, its network and images."""
    net, images = small_net(channels).to(dtype), torch.from_numpy(some_images(3, channels, size)).to(dtype)
    return plan_for(net, build(name, **parameters), images, CPU), net, images


def refusal(name, size):
    """What a basis says to images of a size that it does not take."""
    try:
        bound(name, size)
    except FreqmapsError as error:
        return str(error)
    return None


SIZES = [(name, size) for name in BASES for size in ((8, 8), (7, 6)) if refusal(name, size) is None]


def some_map(plan, coefficients, seed=0):
    """A map within its range, with the symmetry that it must have."""
    layout, b = plan.layout, len(coefficients[0])
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.rand, generator=generator, dtype=torch.float64)
    if isinstance(layout, Grid):
        return draw(b, *layout.shape)
    spectrum = torch.fft.rfft2(draw(b, layout.channels, layout.height, layout.width) - 0.5)
    spectrum /= spectrum.abs().max()
    return torch.view_as_real(spectrum) if isinstance(layout, ComplexFrequencyPlane) else spectrum.abs()


def make(name, settings=SHORT, n=5, penalty=0.02, images=None, **options):
    images = some_images(n, 2) if images is None else images
    return compute_maps(
        small_net(2), images, some_targets(len(images)), "cross_entropy", {"penalty": penalty}, settings,
        basis_name=name, basis_params=tiny(name), device="cpu", **options,
    )  # fmt: skip


# --- the contract ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BASES)
def test_a_size_that_is_refused_is_named(name):
    assert refusal(name, (8, 8)) is None
    assert "7×6" in (refusal(name, (7, 6)) or "7×6")


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_the_initial_map_changes_nothing(name, size):
    plan, net, images = bound(name, size, dtype=torch.float32)
    coefficients = plan.coefficients(images)
    initial = plan.initial(coefficients)
    assert initial.shape == (3, *plan.layout.shape)
    seen = plan.synthesise(coefficients, initial)
    with torch.no_grad():
        torch.testing.assert_close(plan.logits(net, seen, coefficients), net(images), rtol=1e-5, atol=1e-5)
    if name != "features":
        torch.testing.assert_close(seen, images, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_filtering_is_linear_in_the_map_where_it_says_so(name, size):
    plan, _, images = bound(name, size)
    coefficients = plan.coefficients(images)
    one, other = some_map(plan, coefficients), some_map(plan, coefficients, seed=1)
    both = plan.synthesise(coefficients, 0.3 * one + 0.7 * other)
    parts = 0.3 * plan.synthesise(coefficients, one) + 0.7 * plan.synthesise(coefficients, other)
    assert plan.linear == torch.allclose(both, parts, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_pull_back_is_the_gradient_of_autograd(name, size):
    plan, net, images = bound(name, size)
    coefficients = plan.coefficients(images)
    m = some_map(plan, coefficients).requires_grad_()
    seen = plan.synthesise(coefficients, m)
    answer = plan.logits(net, seen, coefficients)[:, 1].sum()
    towards, expected = torch.autograd.grad(answer, (seen, m))
    found = plan.pull_back(towards, coefficients, m.detach())
    # Moving an entry moves as many coefficients as it stands for; the gradient is that of one.
    weight = plan.weight.reshape(*plan.weight.shape, *[1] * (m.ndim - 4))
    assert expected.abs().max() > 1e-6
    torch.testing.assert_close(found * weight, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", BASES)
def test_images_do_not_touch_each_other(name):
    plan, net, images = bound(name)
    coefficients = plan.coefficients(images)
    m = some_map(plan, coefficients)
    whole = plan.logits(net, plan.synthesise(coefficients, m), coefficients)
    for i in range(3):
        alone = plan.coefficients(images[i : i + 1])
        part = plan.synthesise(alone, m[i : i + 1])
        torch.testing.assert_close(plan.logits(net, part, alone), whole[i : i + 1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", BASES)
def test_a_batch_makes_the_maps_of_single_runs(name):
    together, alone = make(name, batch=5), make(name, batch=1)
    np.testing.assert_allclose(together.map, alone.map, atol=5e-4)
    np.testing.assert_allclose(together.loss, alone.loss, rtol=1e-4)
    assert together.steps.tolist() == alone.steps.tolist() == [SHORT.max_steps + 1] * 5
    assert (together.keeps_prediction == alone.keeps_prediction).all()
    assert 0.01 < np.abs(together.map).mean() < 0.99, "the case must not be trivial"


@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("name", BASES)
def test_the_store_keeps_its_contract_and_gives_the_maps_back(name, n, tmp_path):
    maps = make(name, n=n)
    ids, labels = [f"test/{i}" for i in range(n)], np.zeros(n, np.int64)
    attrs = {"of": "essential", "objective": "cross_entropy", "parameters": {}, "basis": name}
    write(tmp_path / "m.zarr.zip", to_dataset(maps, ids, labels, labels, attrs), MAPS)
    back = read(tmp_path / "m.zarr.zip", MAPS)
    np.testing.assert_array_equal(maps.layout.from_store(back["map"].values), maps.map)
    assert back["map"].dims == ("sample", *maps.layout.dims)
    assert (back.attrs["basis"], back.attrs["layout"]) == (name, maps.layout.name)
    assert set(maps.layout.coordinates()) <= set(back.coords)
    assert n == 0 or 0 < mean_size(back) < 1


@pytest.mark.parametrize("name", BASES)
def test_no_images_one_image_and_one_without_contrast(name):
    none = make(name, n=0)
    assert none.map.shape == (0, *none.layout.shape)
    assert make(name, n=1).map.shape == (1, *none.layout.shape)
    flat = make(name, images=np.full((2, 2, 8, 8), 0.5, np.float32))
    assert np.isfinite(flat.map).all()
    assert np.isfinite(flat.loss).all()


@pytest.mark.parametrize("name", BASES)
def test_the_penalty_alone_makes_exact_zeros(name):
    net = small_net(2)
    nn.init.zeros_(net[-1].weight)
    settings = MapSettings(min_steps=150, max_steps=400)
    (maps,) = optimise_maps(
        net, some_images(2, 2), some_targets(2), cross_entropy(penalty=0.5), settings, basis=build(name), device="cpu"
    )
    assert not maps.map.any()
    assert maps.converged.all()


@pytest.mark.parametrize("name", BASES)
def test_the_state_of_another_basis_is_not_used(name, tmp_path):
    make("fourier" if name != "fourier" else "dct", state=tmp_path)
    said = []
    make(name, state=tmp_path, batch=2, progress=lambda done, note: said.append(done))
    assert said[0] == 2
    assert make(name, state=tmp_path, progress=lambda done, note: pytest.fail("made again")).map.shape[0] == 5


@pytest.mark.parametrize("name", BASES)
def test_parameters_have_descriptions_and_the_tiny_ones_are_valid(name):
    assert components.resolve("basis", name, tiny(name), where="maps.x.basis") is not None
    assert components.find("basis", name).doc


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
    maps = make("fourier_complex", settings=MapSettings(min_steps=60, max_steps=59, learning_rate=0.1))
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
    value, found = plan.gradient(cross_entropy(penalty=penalty), m, towards, coefficients)
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
