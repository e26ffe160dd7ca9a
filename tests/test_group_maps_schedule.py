"""Orders, rates and stopping of the maps of groups."""

import numpy as np
import pytest
import torch

from freqmaps.group_maps import GroupMapSettings
from freqmaps.group_maps._batches import Minibatches
from freqmaps.group_maps._stop import Stopping
from freqmaps.optimise.adam import BETAS, pace
from tests.group_map_cases import learned_net, make, pictures, settings


@pytest.mark.parametrize(("n", "size"), [(7, 3), (6, 3), (1, 5), (5, 1)])
def test_every_pass_sees_each_image_once_in_an_order_of_its_own(n, size):
    members = np.arange(100, 100 + n)
    batches = Minibatches(members, size, (3, 0, 1))
    passes = []
    for turn in range(3):
        parts = [batches.at(turn * len(batches) + i) for i in range(len(batches))]
        assert all(len(p) == size for p in parts[:-1])
        passes.append(np.concatenate(parts))
        assert sorted(passes[-1]) == members.tolist()
    assert n == 1 or not np.array_equal(passes[0], passes[1])
    again = Minibatches(members, size, (3, 0, 1))
    assert np.array_equal(again.at(2 * len(again)), passes[2][:size]), "any minibatch can be asked for at any time"
    assert not len(Minibatches(members[:0], size, (0,)))


@pytest.mark.parametrize(("total", "warmup"), [(30, 0.1), (20, 0.3), (7, 0.5), (5, 0.1), (1, 0.1), (9, 1.0)])
def test_the_cycle_is_torchs(total, warmup):
    config = GroupMapSettings(learning_rate=0.2, warmup=warmup)
    adam = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=0.2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 0.2, total_steps=total, pct_start=warmup)
    for step in range(total):
        group = adam.param_groups[0]
        share, beta = pace(config, step, total)
        assert (0.2 * share, beta) == pytest.approx((group["lr"], group["betas"][0]), rel=1e-9)
        adam.step()
        if step < total - 1:
            schedule.step()
    assert pace(GroupMapSettings(schedule="constant", learning_rate=0.3), 5, 9) == (1.0, BETAS[0])


def test_a_cycle_may_only_fall():
    shares = [pace(GroupMapSettings(warmup=0.0), step, 40)[0] for step in range(40)]
    assert shares[0] == pytest.approx(1.0, rel=0.002) and shares[-1] == pytest.approx(1 / 25 / 1e4)
    assert shares == sorted(shares, reverse=True)


def test_stopping_counts_as_the_authors_code_does():
    config = GroupMapSettings(patience=2, tolerance=0.1, accuracy_ratio=0.9)
    one = Stopping.start(1)
    running = np.array([True])
    seen = []
    for epoch, (ratio, change) in enumerate(
        [(1.0, 0.0), (1.0, 0.05), (0.5, 0.0), (1.0, 0.2), (0.95, 0.1), (np.nan, 0.0), (0.9, 0.0)], start=1
    ):
        assert not one.converged.any()
        kept = one.after_epoch(config, epoch, running, np.array([ratio]), np.array([change]))
        assert kept.tolist() == [ratio >= 0.9]
        seen.append(int(one.quiet[0]))
    # The first epoch does not count; one that loses the accuracy leaves the count; one that moves takes it back.
    assert seen == [0, 1, 1, 0, 1, 1, 2]
    assert one.converged.tolist() == [True]
    assert one.kept.tolist() == [7]


def test_with_k22_a_map_stops_when_it_is_quiet_and_the_last_one_that_kept_the_accuracy_is_returned():
    clean = pictures(30)
    net = learned_net(clean)
    config = settings(stop="k22", epochs=80, patience=3, tolerance=2e-3, learning_rate=0.02, accuracy_ratio=0.8)
    found = make(net, clean, config, parameters={"penalty": 0.004})
    history = found.history
    assert found.converged.all()
    assert 4 < found.epochs[0] < 80
    assert history["loss"].shape == (1, found.epochs[0])
    ratio = history["accuracy"][0] / found.accuracy[0]
    quiet, expected = 0, None
    for epoch in range(1, len(ratio)):
        change = abs(history["mean_of_map"][0, epoch] - history["mean_of_map"][0, epoch - 1])
        if ratio[epoch] >= 0.8:
            quiet = quiet + 1 if change <= 2e-3 else 0
        if quiet == 3 and expected is None:
            expected = epoch + 1
    assert found.epochs[0] == expected
    assert found.kept_epoch[0] == 1 + np.flatnonzero(ratio >= 0.8)[-1]
    # A penalty that destroys the answers: the map is that of the last epoch that kept them.
    harsh = make(net, clean, settings(stop="k22", epochs=30, accuracy_ratio=0.95), parameters={"penalty": 0.5})
    assert 0 < harsh.kept_epoch[0] < harsh.epochs[0] == 30
    assert not harsh.converged.any()
    shorter = make(net, clean, settings(stop="none", epochs=int(harsh.kept_epoch[0])), parameters={"penalty": 0.5})
    assert np.array_equal(harsh.map, shorter.map)
    assert harsh.loss[0] == harsh.history["loss"][0, -1]


def test_maps_that_have_stopped_do_not_move_while_others_go_on():
    clean = pictures(40)
    net = learned_net(clean)
    config = settings(
        groups="class", stop="k22", epochs=60, patience=2, tolerance=4e-3, learning_rate=0.02, accuracy_ratio=0.5
    )
    found = make(net, clean, config, parameters={"penalty": 0.004})
    assert len(set(found.epochs.tolist())) > 1
    for label in range(4):
        values = found.history["mean_of_map"][label]
        assert np.isfinite(values[: found.epochs[label]]).all()
        assert np.isnan(values[found.epochs[label] :]).all()
        assert found.mean_of_map[label] == values[found.kept_epoch[label] - 1]
