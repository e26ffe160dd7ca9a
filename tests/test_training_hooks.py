"""Hooks along a training: when they are called, what they cannot change, and what remains of a kill."""

import dataclasses
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from freqmaps.core.errors import FreqmapsError
from freqmaps.models import head
from freqmaps.training import Hook
from freqmaps.training.regimes.adversarial import build as adversarial
from freqmaps.training.regularisers.gradient_norm import build as gradient_norm
from tests.short_training import SHORT, digits, equal, fit, network, weights

STEPS = 12
DATA = digits(100)


def dropping(seed=0):
    """A network whose dropout draws from the global generator."""
    classifier = network(seed)
    classifier.net.features.insert(3, nn.Dropout(0.3))
    return classifier


class Trajectory(Hook):
    """Records the weights of the head, and draws from every generator that there is."""

    def look(self, moment):
        assert not any(module.training for module in moment.model.modules())
        drawn = torch.rand(3).tolist(), random.random(), float(np.random.rand())
        own = torch.rand(2, generator=moment.context.generator)
        return {"head": head(moment.model).weight, "drawn": drawn, "own": own, "step": moment.context.step}

    def before_first_step(self, moment):
        assert moment.batch is None and moment.history == []
        return self.look(moment)

    def after_step(self, moment):
        found = self.look(moment) | {"logits": moment.model(moment.batch.images)}
        F.cross_entropy(found["logits"], moment.batch.labels).backward()
        moment.model.requires_grad_(False)
        moment.model.train()
        return found

    def after_epoch(self, moment):
        assert len(moment.history) == moment.context.epoch + 1
        moment.history.clear()
        return self.look(moment)


class Sparse(Hook):
    def wants(self, step):
        return step in (0, 5)

    def after_step(self, moment):
        return np.float64(moment.context.step)


class Stop(Exception):
    pass


class Kill(Hook):
    """Ends a training after a step, as a kill would."""

    def __init__(self, step=None):
        self.step = step

    def after_step(self, moment):
        if moment.context.step == self.step:
            raise Stop


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


GIVEN = {"data": DATA, "regime": adversarial(epsilon=0.1, step=0.05, steps=1)}
PENALISED = GIVEN | {"regularisers": {"gradient_norm": gradient_norm(weight=0.1)}}


def test_hooks_are_called_with_what_the_training_has_then():
    hook, sparse = Trajectory(), Sparse()
    classifier, history = fit(SHORT, classifier=dropping(), hooks=[hook, sparse, Hook()], **GIVEN)
    assert {event: list(found) for event, found in hook.records.items()} == {
        "before_first_step": [0], "after_step": list(range(STEPS)), "after_epoch": [0, 1, 2],
    }  # fmt: skip
    assert torch.equal(hook.records["before_first_step"][0]["head"], head(dropping()).weight)
    last = hook.records["after_step"][STEPS - 1]
    assert torch.equal(last["head"], head(classifier).weight)
    assert not last["logits"].requires_grad
    assert [hook.records["after_epoch"][epoch]["step"] for epoch in range(3)] == [3, 7, 11]
    draws = [tuple(found["drawn"][0]) for found in hook.records["after_step"].values()]
    assert len(set(draws)) == STEPS
    assert sparse.records["after_step"] == {0: 0.0, 5: 5.0}
    assert type(sparse.records["after_step"][5]) is float
    assert len(history) == 3


@pytest.mark.parametrize("given", [GIVEN, PENALISED])
def test_hooks_change_nothing(given):
    plain, plain_history = fit(SHORT, classifier=dropping(), **given)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    watched, history = fit(SHORT, classifier=dropping(), hooks=[Trajectory(), Sparse()], **given)
    assert equal(weights(plain), weights(watched))
    assert without_seconds(history) == without_seconds(plain_history)
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert np.array_equal(states[2], np.random.get_state()[1])


def without_seconds(history):
    return [{k: v for k, v in record.items() if "seconds" not in k} for record in history]


@pytest.mark.parametrize("given", [GIVEN, PENALISED])
@pytest.mark.parametrize("killed_after", [1, 3, 6, 11])
def test_a_kill_leaves_no_hole_in_the_records(tmp_path, given, killed_after):
    settings = dataclasses.replace(SHORT, keep="best_loss")
    whole = Trajectory()
    classifier, history = fit(settings, classifier=dropping(), hooks=[whole, Kill()], **given)
    state = tmp_path
    with pytest.raises(Stop):
        fit(settings, classifier=dropping(), hooks=[Trajectory(), Kill(killed_after)], state=state, **given)
    resumed = Trajectory()
    again, resumed_history = fit(settings, classifier=dropping(), hooks=[resumed, Kill()],
                                 state=state, **given)  # fmt: skip
    assert equal(weights(classifier), weights(again))
    assert without_seconds(history) == without_seconds(resumed_history)
    assert same(whole.records, resumed.records)
    finished = Trajectory()
    fit(settings, classifier=dropping(), hooks=[finished, Kill()], state=state, **given)
    assert same(whole.records, finished.records)


def test_hooks_and_regularisers_belong_to_a_state(tmp_path, caplog):
    given = {"data": DATA, "state": tmp_path}
    fit(SHORT, **given)
    for more in ({"hooks": [Sparse()]}, {"regularisers": {"a": gradient_norm(weight=1.0)}},
                 {"regularisers": {"a": gradient_norm(weight=2.0)}}):  # fmt: skip
        caplog.clear()
        with caplog.at_level("INFO", "freqmaps"):
            fit(SHORT, **given, **more)
        assert "belongs to other work" in caplog.text


def changing(event, change):
    """Return a hook that changes the network in one event."""
    return type("Changing", (Hook,), {event: lambda self, moment: change(moment.model)})()


def _through_data(model):
    head(model).weight.data[0, 0] += 1e-6


def _statistics(model):
    model.net.features[1].running_mean.add_(1.0)


def _a_new_part(model):
    model.net.linear = nn.Linear(model.net.linear.in_features, 10)


@pytest.mark.parametrize("event", ["before_first_step", "after_step", "after_epoch"])
@pytest.mark.parametrize("change", [_through_data, _statistics, _a_new_part])
def test_a_hook_that_changes_the_network_is_named(event, change):
    with pytest.raises(FreqmapsError, match=f"hook 'Changing' changed the network in {event}"):
        fit(SHORT, data=DATA, hooks=[changing(event, change)])


def test_weights_that_a_hook_changed_are_put_back():
    classifier = network()
    before = weights(classifier)
    with pytest.raises(FreqmapsError, match=r"net\.linear\.weight"):
        fit(SHORT, classifier=classifier, data=DATA, hooks=[changing("before_first_step", _through_data)])
    assert equal(before, weights(classifier))


def test_hooks_that_cannot_be_told_apart_or_saved_are_refused():
    with pytest.raises(FreqmapsError, match="share a name"):
        fit(SHORT, data=DATA, hooks=[Sparse(), Sparse()])

    class Arrays(Hook):
        def after_epoch(self, moment):
            return {"values": [np.zeros(3)]}

    with pytest.raises(FreqmapsError, match="hook 'Arrays' returned ndarray from after_epoch"):
        fit(SHORT, data=DATA, hooks=[Arrays()])
