"""Which GPU's random generator is put back after a computation: the one that it ran on, without a GPU at hand."""

import contextlib
import re

import pytest
import torch

from freqmaps.attacks import _noise
from freqmaps.core.components import PACKAGE
from freqmaps.core.device import rng_devices
from freqmaps.training import hooks

CURRENT = 2


@pytest.fixture(autouse=True)
def _third_gpu_is_current(monkeypatch):
    monkeypatch.setattr(torch.cuda, "current_device", lambda: CURRENT)


@pytest.mark.parametrize(
    ("name", "devices"), [("cpu", []), ("mps", []), ("cuda", [CURRENT]), ("cuda:0", [0]), ("cuda:1", [1])]
)
def test_a_device_without_a_number_is_the_current_gpu(name, devices):
    assert rng_devices(torch.device(name)) == devices


@pytest.mark.parametrize(("name", "devices"), [("cpu", []), ("cuda", [CURRENT]), ("cuda:0", [0])])
def test_attacks_and_hooks_put_back_the_generator_that_they_draw_from(monkeypatch, name, devices):
    forked = []

    @contextlib.contextmanager
    def fork(devices):
        forked.append(devices)
        yield

    monkeypatch.setattr(torch.random, "fork_rng", fork)
    state = torch.get_rng_state()
    for block in (_noise.keyed_noise(0, [5], torch.device(name)), hooks._own_random_state(torch.device(name), 0)):
        with block:
            pass
    torch.set_rng_state(state)
    assert forked == [devices, devices]


def test_every_fork_of_generators_asks_the_same_function():
    calls = [
        call
        for path in PACKAGE.rglob("*.py")
        for call in re.findall(r"fork_rng\((.*?)\):", path.read_text(encoding="utf-8"))
    ]
    assert len(calls) >= 5
    assert {call for call in calls if not call.startswith("devices=rng_devices(")} == {"devices=[]"}
