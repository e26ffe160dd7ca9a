"""The map engine against a slow loop that is written independently: one image, full plane, autograd, torch's Adam."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.schedules import CYCLED_BETA, CYCLED_RATE, one_cycle
from freqmaps.maps import MapSettings, _engine, compute_maps
from freqmaps.maps._engine import optimise_maps
from freqmaps.optimise.objectives.cross_entropy import build as cross_entropy
from tests.map_cases import (  # noqa: F401
    SHORT,
    converging_maps,
    corner_full,
    cosine,
    run,
    slow_map,
    small_net,
    some_images,
    some_targets,
)

# --- the trajectory --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (7, 7), (8, 7), (7, 6)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_is_the_slow_loop_image_by_image(size, channels):
    net, images, targets = small_net(channels), some_images(4, channels, size), some_targets(4)
    maps = run(net, images, targets)
    for i in range(4):
        mask, steps, loss, converged = slow_map(net, images[i], targets[i], SHORT, 0.02)
        np.testing.assert_allclose(corner_full(maps.map[i], size[1]), mask, atol=2e-4)
        assert 0.01 < mask.mean() < 0.99, "the case must not be trivial"
        assert maps.steps[i] == steps == SHORT.max_steps + 1
        assert maps.loss[i] == pytest.approx(loss, rel=1e-5)
        assert not converged
        assert not maps.converged[i]


def test_stopping_times_are_those_of_the_slow_loop(converging):
    net, images, targets, settings, maps = converging
    expected = [slow_map(net, images[i], targets[i], settings, 0.1) for i in range(12)]
    assert maps.steps.tolist() == [e[1] for e in expected]
    assert maps.converged.tolist() == [e[3] for e in expected]
    assert len(set(maps.steps.tolist())) > 3
    assert 0 < maps.converged.sum() < 12
    np.testing.assert_allclose(maps.loss, [e[2] for e in expected], rtol=1e-4)
    assert cosine(corner_full(maps.map, 8), np.stack([e[0] for e in expected])).min() > 0.9999


@pytest.mark.parametrize("batch", [1, 2, 5, 11, 100])
def test_slots_refill_and_any_batch_gives_the_same_maps(converging, batch):
    net, images, targets, settings, expected = converging
    maps = run(net, images, targets, settings, penalty=0.1, batch=batch)
    assert maps.steps.tolist() == expected.steps.tolist()
    assert cosine(maps.map, expected.map).min() > 0.9999
    assert (maps.keeps_prediction == expected.keeps_prediction).all()


def test_any_order_gives_the_same_maps(converging):
    net, images, targets, settings, expected = converging
    order = np.random.default_rng(0).permutation(12)
    maps = run(net, images[order], targets[order], settings, penalty=0.1, batch=3)
    assert maps.steps.tolist() == expected.steps[order].tolist()
    assert cosine(maps.map, expected.map[order]).min() > 0.9999


def test_looking_at_the_batch_less_often_changes_nothing(converging, monkeypatch):
    net, images, targets, settings, expected = converging
    monkeypatch.setattr(_engine, "CHECK_EVERY", {"cpu": 7})
    maps = run(net, images, targets, settings, penalty=0.1, batch=12)
    assert maps.steps.tolist() == expected.steps.tolist()
    assert cosine(maps.map, expected.map).min() > 0.9999
    np.testing.assert_allclose(maps.loss, expected.loss, rtol=1e-5)


def test_groups_are_yielded_as_they_finish_and_cover_each_image_once(converging):
    net, images, targets, settings, _ = converging
    said = []
    groups = list(
        optimise_maps(
            net,
            images,
            targets,
            cross_entropy(penalty=0.1),
            settings,
            device="cpu",
            batch=4,
            progress=lambda done, note: said.extend([done] if "median" in note else []),
        )
    )
    assert sorted(np.concatenate([g.index for g in groups])) == list(range(12))
    assert len(groups) > 2
    assert said == list(np.cumsum([len(g.index) for g in groups]))


@pytest.mark.parametrize(("min_steps", "max_steps", "expected"), [(0, 0, 1), (5, 5, 6), (3, 4, 5)])
def test_max_steps_ends_after_one_more_step_as_in_the_authors_code(min_steps, max_steps, expected):
    settings = MapSettings(min_steps=min_steps, max_steps=max_steps, tolerance=0.0)
    maps = run(small_net(), some_images(2), some_targets(2), settings)
    assert maps.steps.tolist() == [expected] * 2
    assert not maps.converged.any()


def test_min_steps_ends_after_one_more_step_when_the_loss_is_quiet_at_once():
    maps = run(small_net(), some_images(2), some_targets(2), MapSettings(min_steps=9, max_steps=99, tolerance=1e9))
    assert maps.steps.tolist() == [10, 10]
    assert maps.converged.all()


# --- schedules and stopping rules ------------------------------------------------------------------------------------

SINGLE = MapSettings(learning_rate=0.1, schedule="one_cycle", min_steps=5, max_steps=80, tolerance=0.02, window=5)


@pytest.mark.parametrize(
    ("steps", "warmup"), [(n, w) for n in (1, 2, 3, 13, 81, 5001) for w in (0.1, 0.3, 1.0) if (n, w) != (1, 1.0)]
)  # torch divides by 0 in a cycle of one step that only rises
def test_one_cycle_is_torchs(steps, warmup):
    adam = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=1.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, 0.2, total_steps=steps, pct_start=warmup)
    expected = []
    for step in range(steps):
        expected.append((adam.param_groups[0]["lr"], adam.param_groups[0]["betas"][0]))
        if step + 1 < steps:
            adam.step()
            cycle.step()
    place = (torch.arange(steps, dtype=torch.float64), steps, warmup)
    found = torch.stack([0.2 * one_cycle(*place, CYCLED_RATE), one_cycle(*place, CYCLED_BETA)], dim=1)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    plain = [
        (0.2 * one_cycle(float(s), *place[1:], CYCLED_RATE), one_cycle(float(s), *place[1:], CYCLED_BETA))
        for s in range(steps)
    ]
    np.testing.assert_allclose(found, plain, rtol=1e-14)


@pytest.mark.parametrize("batch", [2, 5])
def test_each_map_has_its_own_place_in_the_cycle(converging, batch):
    net, images, targets, _, _ = converging
    maps = run(net, images, targets, SINGLE, penalty=0.1, batch=batch)
    expected = [slow_map(net, images[i], targets[i], SINGLE, 0.1) for i in range(12)]
    assert maps.steps.tolist() == [e[1] for e in expected]
    assert len(set(maps.steps.tolist())) > 3
    assert cosine(corner_full(maps.map, 8), np.stack([e[0] for e in expected])).min() > 0.9999


@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_quiet_maps_stop_after_their_patience_with_the_prediction_kept(converging, schedule):
    net, images, targets, _, _ = converging
    settings = replace(SINGLE, schedule=schedule, stop="quiet", patience=7, learning_rate=0.05)
    maps = run(net, images, targets, settings, penalty=0.1, batch=5)
    expected = [slow_map(net, images[i], targets[i], settings, 0.1) for i in range(12)]
    assert maps.steps.tolist() == [e[1] for e in expected]
    assert maps.converged.tolist() == [e[3] for e in expected]
    np.testing.assert_allclose(maps.loss, [e[2] for e in expected], rtol=1e-4)
    assert cosine(corner_full(maps.map, 8), np.stack([e[0] for e in expected])).min() > 0.9999
    assert maps.keeps_prediction[maps.converged].all()
    assert 0 < maps.converged.sum() < 12


def test_a_quiet_map_that_loses_the_prediction_goes_on():
    net = small_net()
    nn.init.zeros_(net[-1].weight)
    with torch.no_grad():
        net[-1].bias.copy_(torch.tensor([1.0, 0, 0, 0]))  # always class 0
    settings = MapSettings(stop="quiet", patience=3, min_steps=0, max_steps=50, tolerance=1e9)
    maps = run(net, some_images(2), np.array([0, 1]), settings)
    assert maps.steps.tolist() == [3, 51]
    assert maps.converged.tolist() == maps.keeps_prediction.tolist() == [True, False]


# --- limits ----------------------------------------------------------------------------------------------------------


def test_penalty_alone_drives_every_entry_to_zero():
    net = small_net()
    nn.init.zeros_(net[-1].weight)
    maps = run(net, some_images(3), some_targets(3), MapSettings(min_steps=120, max_steps=400), penalty=0.5)
    assert not maps.map.any()
    assert maps.converged.all()


def test_without_penalty_what_the_network_uses_stays_and_the_target_is_kept():
    net, images = small_net(), some_images(5)
    with torch.no_grad():
        targets = net(torch.from_numpy(images)).argmax(1).numpy()
    maps = run(net, images, targets, MapSettings(min_steps=30, max_steps=300, tolerance=1e-3), penalty=0.0)
    assert maps.keeps_prediction.all()
    assert maps.converged.all()
    assert maps.map.mean() > 0.3


def test_keeps_prediction_is_that_of_the_final_map():
    net, images, targets = small_net(3), some_images(20, 3), some_targets(20)
    maps = run(net, images, targets, penalty=0.05)
    seen = np.fft.ifft2(corner_full(maps.map, 8) * np.fft.fft2(images)).real.astype(np.float32)
    with torch.no_grad():
        answers = net(torch.from_numpy(seen)).argmax(1).numpy()
    assert (maps.keeps_prediction == (answers == targets)).all()
    assert 0 < maps.keeps_prediction.sum() < 20


def test_no_images_and_one_image():
    net = small_net()
    none = run(net, some_images(4)[:0], some_targets(4)[:0])
    assert none.map.shape == (0, 1, 8, 5)
    assert len(none.steps) == 0
    assert run(net, some_images(1), some_targets(1)).map.shape == (1, 1, 8, 5)


def test_a_loss_that_is_no_number_names_the_image():
    images = some_images(6)
    images[4, 0, 0, 0] = np.nan
    with pytest.raises(FreqmapsError, match="image 4 is not finite"):
        run(small_net(), images, some_targets(6), batch=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.array([0, 4])}, r"0\.\.3, the model's classes; found 4"),
        ({"targets": np.array([0, -1])}, r"0\.\.3, the model's classes; found -1"),
        ({"targets": np.array([0])}, "do not fit"),
        ({"images": some_images(2)[0]}, "do not fit"),
        ({"batch": 0}, "batch is 0"),
    ],
)
def test_bad_input_is_one_clear_sentence(change, message):
    given = {"images": some_images(2), "targets": np.array([0, 1]), "settings": SHORT} | change
    with pytest.raises(FreqmapsError, match=message):
        run(small_net(), **given)


def test_the_model_is_left_as_it_was():
    net = small_net().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    run(net, some_images(2), some_targets(2), MapSettings(min_steps=1, max_steps=2))
    assert net.training
    assert all(p.requires_grad for p in net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


# --- a GPU -----------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("batch", [None, 5])
def test_a_gpu_gives_the_maps_of_the_cpu(converging, batch):
    net, images, targets, settings, expected = converging
    maps = compute_maps(net, images, targets, "cross_entropy", {"penalty": 0.1}, settings, device="cuda", batch=batch)
    assert np.median(cosine(maps.map, expected.map)) > 0.999
    assert np.abs(maps.steps - expected.steps).max() <= 2
    assert (maps.keeps_prediction == expected.keeps_prediction).mean() > 0.9
