"""Every basis, by one contract."""

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.core import components
from freqmaps.maps import MapSettings, mean_size, to_dataset
from freqmaps.maps._engine import optimise_maps
from freqmaps.optimise.objectives.cross_entropy import build as cross_entropy
from freqmaps.stores import MAPS, read, write
from tests.basis_cases import BASES, SIZES, bound, build, make, refusal, some_map, tiny
from tests.map_cases import SHORT, small_net, some_images, some_targets


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
    attrs = {"images": "essential", "objective": "cross_entropy", "parameters": {}, "basis": name}
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
