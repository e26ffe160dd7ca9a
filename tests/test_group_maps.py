"""Maps of groups against a slow loop that is written independently, and what a group may and may not depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.group_maps import GroupMapSettings, Pictures, _engine, select_clean, select_successful
from freqmaps.maps import to_full
from tests.group_map_cases import (
    accuracy_through,
    learned_net,
    make,
    misled,
    pictures,
    settings,
    slow_group_map,
    uniform,
)
from tests.map_cases import corner_full, small_net

# --- the trajectory --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (7, 7), (7, 6)])
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_the_map_of_a_set_is_the_slow_loops(size, schedule):
    net, clean, config = small_net(3), pictures(23, 3, size), settings(schedule=schedule, learning_rate=0.05)
    found = make(net, clean, config)
    mask, losses, accuracies = slow_group_map(net, [(0, clean)], config, -1)
    np.testing.assert_allclose(corner_full(found.map[0], size[1]), mask, atol=2e-4)
    assert 0.05 < mask.mean() < 0.95, "the case must not be trivial"
    np.testing.assert_allclose(found.history["loss"][0], losses, rtol=1e-5)
    np.testing.assert_allclose(found.history["accuracy"][0], accuracies)
    assert found.loss[0] == found.history["loss"][0, -1]
    assert found.label.tolist() == [-1]
    assert found.epochs.tolist() == found.kept_epoch.tolist() == [6]
    assert not found.converged.any()


def test_the_maps_of_all_classes_at_once_are_the_slow_loop_class_by_class():
    net, config = small_net(), settings(groups="class", schedule="one_cycle", learning_rate=0.05)
    clean = pictures(40)
    sizes = np.bincount(clean.category, minlength=4)
    assert len(set(-(-sizes // 5))) > 1, "epochs must differ in length"
    found = make(net, clean, config)
    for label in range(4):
        mask, losses, _ = slow_group_map(net, [(0, clean)], config, label)
        np.testing.assert_allclose(corner_full(found.map[label], 8), mask, atol=2e-4)
        np.testing.assert_allclose(found.history["loss"][label], losses, rtol=1e-5)
    assert found.n_images.tolist() == sizes.tolist()


def test_clean_and_adversarial_steps_alternate_as_in_the_slow_loop():
    net, config = small_net(), settings(groups="class", schedule="one_cycle", learning_rate=0.05)
    clean, adversarial = pictures(31), misled(52)
    found = make(net, clean, config, adversarial=adversarial)
    for label in range(4):
        mask, losses, accuracies = slow_group_map(net, [(0, clean), (1, adversarial)], config, label)
        np.testing.assert_allclose(corner_full(found.map[label], 8), mask, atol=2e-4)
        np.testing.assert_allclose(found.history["loss"][label], losses, rtol=1e-5)
        np.testing.assert_allclose(found.history["accuracy"][label], accuracies)
    assert found.n_adversarial.tolist() == np.bincount(adversarial.category, minlength=4).tolist()
    alone = make(net, clean, settings(groups="class", alternate=False), adversarial=adversarial)
    mask, _, _ = slow_group_map(net, [(1, adversarial)], settings(groups="class"), 2)
    np.testing.assert_allclose(corner_full(alone.map[2], 8), mask, atol=2e-4)
    assert alone.n_images.tolist() == [0] * 4
    assert np.isnan(alone.filtered_accuracy).all()


def test_the_global_mask_of_k22_is_the_slow_loops():
    clean = pictures(30)
    net, config = learned_net(clean), settings(schedule="one_cycle", learning_rate=0.05, epochs=8)
    found = make(net, clean, config, "invariance", {"penalty": 0.2})
    mask, losses, accuracies = slow_group_map(
        net, [(0, clean)], config, -1, objective="invariance", parameters={"penalty": 0.2}
    )
    np.testing.assert_allclose(corner_full(found.map[0], 8), mask, atol=2e-4)
    np.testing.assert_allclose(found.history["loss"][0], losses, rtol=1e-5)
    np.testing.assert_allclose(found.history["accuracy"][0], accuracies)
    assert 0.02 < mask.mean() < 0.95
    assert losses[-1] < losses[0] == pytest.approx(1.2, abs=0.05)


@pytest.mark.parametrize("name", components.names("objective"))
def test_every_objective_makes_maps_that_fit_the_contract(name):
    tiny = components.find("objective", name).constants["TINY"]
    found = make(small_net(), pictures(), settings(epochs=2), name, tiny)
    assert found.map.shape == (1, 1, 8, 5)
    assert found.map.min() >= 0
    assert found.map.max() <= 1
    assert found.map.mean() < 1
    assert np.isfinite(found.loss).all()


class Remembers:
    """The squared distance of the logits from those of the unfiltered image, whose number of looks is counted."""

    looks = 0

    def prepare(self, logits, target):
        Remembers.looks += len(target)
        return logits.clone()

    def loss(self, logits, target, context):
        return ((logits - context) ** 2).sum(1)

    def penalty(self, m, weight):
        return m.new_zeros(len(m)), torch.zeros_like(m)


def test_the_context_is_each_images_own_and_computed_once():
    found = make(small_net(), pictures(23), settings(epochs=4), "tests.test_group_maps:Remembers", {}, batch=4)
    # M = 1 leaves every image alone, so but for rounding the loss is 0 if every image meets its own context.
    assert (found.history["loss"] < 1e-3).all()
    assert Remembers.looks == 23


# --- starts ----------------------------------------------------------------------------------------------------------


def test_starts_differ_by_where_they_start_alone():
    net, clean = small_net(), pictures(20)
    found = make(net, clean, settings(groups="class", starts=3), seed=4)
    assert found.start.tolist() == [0, 1, 2] * 4
    one = make(net, clean, settings(groups="class"), seed=4)
    np.testing.assert_allclose(found.map[::3], one.map, atol=1e-5)
    noise = to_full(uniform((1, 8, 8), (4, 2, 3, 2)), 8)
    mask, _, _ = slow_group_map(net, [(0, clean)], settings(), 2, 4, initial=np.fft.ifftshift(noise, axes=(-2, -1)))
    np.testing.assert_allclose(corner_full(found.map[8], 8), mask, atol=2e-4)
    assert np.abs(found.map[1] - found.map[2]).max() > 0.1
    noisy = make(net, clean, settings(groups="class", initial="uniform", epochs=1, learning_rate=1e-6), seed=4)
    np.testing.assert_allclose(to_full(noisy.map[1], 8), to_full(uniform((1, 8, 8), (4, 2, 2, 0)), 8), atol=1e-4)


@pytest.mark.parametrize("size", [(8, 8), (7, 6), (6, 7), (5, 5), (1, 1), (2, 2)])
def test_noise_is_uniform_and_its_full_plane_point_symmetric(size):
    noise = to_full(uniform((2, *size), (1,)), size[1])
    mirrored = np.fft.fftshift(
        np.roll(np.fft.ifftshift(noise, axes=(-2, -1))[..., ::-1, ::-1], (1, 1), (-2, -1)), axes=(-2, -1)
    )
    assert np.array_equal(noise, mirrored)
    large = uniform((3, 64, 64), (2,))
    assert abs(large.mean() - 0.5) < 0.01
    assert abs(large.var() - 1 / 12) < 0.01
    assert not np.array_equal(uniform((3, 64, 64), (3,)), large)


# --- what a map may not depend on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_any_batch_gives_the_same_maps(batch):
    net, clean, adversarial = small_net(), pictures(30), misled(20)
    config = settings(groups="class", starts=2)
    expected = make(net, clean, config, adversarial=adversarial, batch=16)
    found = make(net, clean, config, adversarial=adversarial, batch=batch)
    np.testing.assert_allclose(found.map, expected.map, atol=2e-4)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-5)
    assert np.array_equal(found.history["accuracy"], expected.history["accuracy"])


def test_a_class_does_not_depend_on_the_others():
    net, clean = small_net(), pictures(30)
    rows = np.flatnonzero(clean.category == 2)
    alone = make(net, Pictures(clean.images[rows], clean.targets[rows], clean.category[rows]), settings(groups="class"))
    # The order within the class is by position in the class, so leaving others out changes nothing.
    np.testing.assert_allclose(alone.map[2], make(net, clean, settings(groups="class")).map[2], atol=2e-4)
    assert alone.n_images.tolist() == [0, 0, len(rows), 0]


def test_seeds_decide_the_order():
    net, clean = small_net(), pictures(30)
    one, same, other = (make(net, clean, settings(), seed=s).map for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("cached", [True, False])
def test_images_as_bytes_give_the_maps_of_the_same_images_as_floats(cached, monkeypatch):
    monkeypatch.setattr(_engine, "CACHE_SHARE", 1.0 if cached else 0.0)
    whole = pictures(channels=3)
    as_bytes = replace(whole, images=np.round(whole.images * 255).astype(np.uint8))
    as_floats = replace(whole, images=as_bytes.images.astype(np.float32) / np.float32(255))
    config = settings(groups="class", epochs=2, batch=8)
    one, two = (make(small_net(3), given, config) for given in (as_bytes, as_floats))
    assert np.array_equal(one.map, two.map)
    assert np.array_equal(one.filtered_accuracy, two.filtered_accuracy, equal_nan=True)


def test_without_room_for_all_spectra_they_are_computed_anew(monkeypatch):
    from freqmaps.group_maps import _engine

    net, clean = small_net(), pictures(30)
    expected = make(net, clean, settings())
    monkeypatch.setattr(_engine, "free_bytes", lambda device: 1)
    np.testing.assert_allclose(make(net, clean, settings()).map, expected.map, atol=2e-4)


def test_the_model_is_left_as_it_was():
    net = small_net().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    make(net, pictures(4), settings(epochs=1))
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


# --- groups and figures ----------------------------------------------------------------------------------------------


def test_a_class_without_images_is_empty_and_its_map_is_one():
    given = pictures(20)
    rows = np.flatnonzero(given.category != 1)
    clean = Pictures(given.images[rows], given.targets[rows], given.category[rows])
    found = make(small_net(), clean, settings(groups="class", starts=2, stop="k22"))
    empty = found.label == 1
    assert (found.n_images[empty] == 0).all()
    assert (found.n_images[~empty] > 0).all()
    assert (found.map[empty] == 1).all()
    assert not found.epochs[empty].any()
    assert not found.converged[empty].any()
    assert np.isnan(found.loss[empty]).all()
    assert np.isnan(found.filtered_accuracy[empty]).all()
    assert np.isnan(found.history["mean_of_map"][empty]).all()
    assert np.isfinite(found.loss[~empty]).all()


@pytest.mark.parametrize("kept", ["clean", "adversarial"])
def test_a_class_with_images_of_one_kind_makes_steps_of_that_kind_only(kept):
    net, clean, adversarial, config = small_net(), pictures(30), misled(30), settings(groups="class")

    def without(given):
        rows = np.flatnonzero(given.category != 3)
        return Pictures(given.images[rows], given.targets[rows], given.category[rows])

    chosen = (clean, without(adversarial)) if kept == "clean" else (without(clean), adversarial)
    found = make(net, chosen[0], config, adversarial=chosen[1])
    kind = (0, clean) if kept == "clean" else (1, adversarial)
    mask, _, _ = slow_group_map(net, [kind], config, 3)
    np.testing.assert_allclose(corner_full(found.map[3], 8), mask, atol=2e-4)


def test_figures_are_those_of_the_final_map():
    clean = pictures(40, 2)
    net = learned_net(clean)
    adversarial = misled(30, channels=2)
    found = make(net, clean, settings(groups="class", learning_rate=0.1, epochs=12), adversarial=adversarial, batch=7)
    full = corner_full(found.map, 8)
    for label in range(4):
        for given, plain, filtered in (
            (clean, found.accuracy, found.filtered_accuracy),
            (adversarial, found.adversarial_accuracy, found.filtered_adversarial_accuracy),
        ):
            rows = np.flatnonzero(given.category == label)
            assert plain[label] == pytest.approx(accuracy_through(net, given, rows, np.ones_like(full[label])))
            assert filtered[label] == pytest.approx(accuracy_through(net, given, rows, full[label]))
        assert found.mean_of_map[label] == pytest.approx(full[label].mean(), rel=1e-5)
        assert found.share_of_zeros[label] == pytest.approx((full[label] < 1e-8).mean(), rel=1e-5)
    assert (found.share_of_zeros > 0).all()
    assert np.array_equal(found.mean_of_map, found.history["mean_of_map"][:, -1])


def test_which_images_take_part():
    labels, predictions = np.array([0, 1, 2, 3]), np.array([0, 1, 0, 3])
    assert select_clean(labels, predictions, only_correct=True).tolist() == [0, 1, 3]
    assert select_clean(labels, predictions, only_correct=False).tolist() == [0, 1, 2, 3]
    assert select_clean(labels, None, only_correct=False).tolist() == [0, 1, 2, 3]
    success = np.array([True, False, True, True])
    assert select_successful(labels, predictions, success, only_correct=True).tolist() == [0, 3]
    assert select_successful(labels, predictions, success, only_correct=False).tolist() == [0, 2, 3]


# --- settings and bad input ------------------------------------------------------------------------------------------


def test_settings_can_be_read_without_importing_them():
    component = components.settings("freqmaps.group_maps.settings", "GroupMapSettings")
    filled = components.fill(component, {"groups": "class", "tolerance": "1e-4"}, where="group_maps.x")
    assert GroupMapSettings(**filled) == GroupMapSettings(groups="class", tolerance=1e-4)
    assert set(component.constants["RANGES"]) <= set(component.parameters)
    with pytest.raises(ConfigError, match="epochs"):
        components.fill(component, {"epochs": 0}, where="group_maps.x")
    with pytest.raises(ConfigError, match="groups"):
        components.fill(component, {"groups": "classes"}, where="group_maps.x")
    with pytest.raises(ConfigError, match=r"warmup: 1\.1 lies outside"):
        GroupMapSettings(warmup=1.1)


def nothing():
    return Pictures(np.zeros((0, 1, 8, 8), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))


@pytest.mark.parametrize(
    ("clean", "options", "changes", "message"),
    [
        (nothing(), {}, {}, "no clean images to make maps of"),
        (nothing(), {"adversarial": nothing()}, {}, "no clean and no adversarial images"),
        (pictures(4), {"adversarial": misled(4, size=(6, 6))}, {}, "differ in size"),
        (
            Pictures(some := np.zeros((3, 1, 8, 8), np.float32), np.zeros(2, int), np.zeros(3, int)),
            {},
            {},
            "do not fit",
        ),
        (Pictures(some, np.array([0, 4, 1]), np.zeros(3, int)), {}, {}, r"0\.\.3, the model's classes; found 4"),
        (pictures(4), {"adversarial": misled(4)}, {"alternate": False, "stop": "k22"}, "stop 'k22' needs"),
    ],
)
def test_bad_input_is_one_clear_sentence(clean, options, changes, message):
    with pytest.raises(FreqmapsError, match=message):
        make(small_net(), clean, settings(**changes), **options)


def test_no_clean_images_but_adversarial_ones():
    found = make(small_net(), nothing(), settings(groups="class"), adversarial=misled(20))
    assert found.n_images.sum() == 0
    assert np.isfinite(found.filtered_adversarial_accuracy).all()


def test_a_loss_that_is_no_number_names_the_group():
    clean = pictures(20)
    clean.images[np.flatnonzero(clean.category == 2)[0], 0, 0, 0] = np.nan
    with pytest.raises(FreqmapsError, match="group of class 2 is not finite in epoch 1"):
        make(small_net(), clean, settings(groups="class"))
    with pytest.raises(FreqmapsError, match="group of all images is not finite"):
        make(small_net(), clean, settings())


# --- a GPU -----------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
def test_a_gpu_gives_the_maps_of_the_cpu():
    net, clean, adversarial = small_net(), pictures(30), misled(30)
    config = settings(groups="class", starts=2)
    expected = make(net, clean, config, adversarial=adversarial)
    from freqmaps.group_maps import compute_group_maps

    found = compute_group_maps(
        net, clean, "cross_entropy", {"penalty": 0.01}, config, adversarial=adversarial, device="cuda"
    )
    np.testing.assert_allclose(found.map, expected.map, atol=5e-3)
