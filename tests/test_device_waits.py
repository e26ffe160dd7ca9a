"""What a step makes Python wait for, on a pretended device: values that are looked at, and copies in either direction.

A copy of a tensor to a GPU waits until the numbers have left the memory of the CPU, so copies count in both directions.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from freqmaps.attacks import _restarts
from freqmaps.core import components
from freqmaps.group_maps import GroupMapSettings, Pictures, _engine, compute_group_maps
from freqmaps.maps import MapSettings
from freqmaps.maps._engine import _Run
from freqmaps.training import TrainingSettings
from tests.elsewhere import DEVICE, accelerator
from tests.map_cases import small_net, some_images, some_targets
from tests.test_device import tiny, trained


def waits(seen):
    """Return what was waited for within the package, by place: values, and copies from and to the device."""
    return {f"{place}, {what}": count for (place, what), count in (seen.waits + seen.copies).items() if count}


def of_further_steps(work, few, many):
    """Return what the further steps of a longer run wait for, by place, given runs with a number of steps each.

    Whatever a process keeps on the device from its first run is there before.
    """
    counts = []
    for given in (few, few, many):
        with accelerator() as seen:
            work(given)
        counts.append(waits(seen))
    _, before, after = counts
    return {place: count - before.get(place, 0) for place, count in after.items() if count != before.get(place, 0)}


@pytest.mark.parametrize("stop", ["settled", "quiet"])
@pytest.mark.parametrize("basis", components.names("basis"))
def test_a_step_of_the_maps_waits_for_nothing_but_its_looks(basis, stop):
    """Ten steps between two looks at which maps have stopped; a look is one copy."""
    images, objective = torch.from_numpy(some_images(4, 2)), components.load("objective", "cross_entropy")(penalty=0.1)
    chosen = components.load("basis", basis)(**tiny("basis", basis))
    with accelerator() as seen:
        run = _Run(small_net(2), images, torch.zeros(4, dtype=torch.int64), range(4), objective, chosen,
                   MapSettings(stop=stop), DEVICE, 4, None)  # fmt: skip
        run._advance()  # fills the slots
        seen.waits.clear()
        seen.copies.clear()
        run._advance()
        assert waits(seen) == {}
        run._collect()
    assert waits(seen) == {"maps/_engine.py:_collect, to the CPU": 1}
    assert run.check_every == 10


@pytest.mark.parametrize("kind", ["regime", "regulariser"])
def test_a_step_of_training_waits_for_nothing(kind):
    """By every regime and with every regulariser: two steps and four."""
    for name in components.names(kind):
        made = components.load(kind, name)(**components.resolve(kind, name, tiny(kind, name), where="here"))
        given = {"regime": made} if kind == "regime" else {"regularisers": {"term": made}}

        def work(batch, given=given):
            trained(DEVICE, settings=TrainingSettings(epochs=1, batch=batch, learning_rate=0.05), **given)

        assert of_further_steps(work, 32, 16) == {}, name


def group_maps(basis="fourier"):
    """Return a function that makes group maps of clean and adversarial images, given the images per step."""
    images, labels = some_images(16, 2), some_targets(16)
    pictures = Pictures(images, labels, labels)
    named = {"basis_name": basis, "basis_params": tiny("basis", basis)}

    def work(batch):
        settings = GroupMapSettings(groups="all", batch=batch, epochs=1, starts=2)
        compute_group_maps(small_net(2), pictures, "cross_entropy", {"penalty": 0.1}, settings, adversarial=pictures,
                           device=DEVICE, batch=32, **named)  # fmt: skip

    return work


@pytest.mark.parametrize("basis", components.names("basis"))
def test_a_step_of_group_maps_waits_for_nothing(basis):
    """Its images, rates and step numbers are on the device since the epoch began."""
    assert of_further_steps(group_maps(basis), 8, 4) == {}


def test_a_step_of_group_maps_copies_its_images_where_the_device_does_not_hold_their_coefficients(monkeypatch):
    """Two kinds, and two and four steps of each: one copy a step."""
    monkeypatch.setattr(_engine, "CACHE_SHARE", 0.0)
    assert of_further_steps(group_maps(), 8, 4) == {"group_maps/_pool.py:_unit, to the device": 4}


@pytest.mark.parametrize("leave", [True, False])
def test_a_step_with_restarts_waits_for_what_the_docs_say(leave):
    """Whether numbers are finite, twice a step; where fooled images leave, also which are left (docs/gpu.md)."""
    images = some_images(6)

    def work(steps):
        attack = _restarts.Restarts(epsilon=1e-6, step=1e-7, steps=steps)
        _restarts.unbroken(small_net(), images, predicted, attack, seed=0, positions=np.arange(6), device=DEVICE,
                           leave=leave)  # fmt: skip

    with torch.no_grad():
        predicted = small_net()(torch.from_numpy(images)).argmax(dim=1).numpy()
    looks = {"attacks/_restarts.py:_check_finite, item": 2}
    assert of_further_steps(work, 3, 4) == looks | ({"attacks/_restarts.py:_restart, item": 2} if leave else {})
