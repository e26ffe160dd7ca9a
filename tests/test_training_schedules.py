"""Training settings and schedules, against torch's own."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.training import TrainingSettings
from freqmaps.training import _schedule as schedule
from freqmaps.training.settings import NEUTRAL

# --- settings


def test_settings_are_components_and_check_themselves():
    component = components.settings("freqmaps.training.settings", "TrainingSettings")
    resolved = components.fill(component, {"milestones": [3, 5], "schedule": "multistep"}, where="trainings.a")
    assert TrainingSettings(**resolved).milestones == (3, 5)
    defaults = components.fill(component, {}, where="trainings.a")
    assert TrainingSettings(**defaults) == TrainingSettings()
    documented = TrainingSettings.__doc__
    for field in dataclasses.fields(TrainingSettings):
        assert f"\n    {field.name}\n" in documented, f"{field.name} has no description"
    with pytest.raises(ConfigError, match="outside"):
        components.fill(component, {"learning_rate": 0.0}, where="trainings.a")
    with pytest.raises(ConfigError, match="epochs: 0 lies outside"):
        TrainingSettings(epochs=0)
    with pytest.raises(ConfigError, match="belong together"):
        TrainingSettings(schedule="multistep")
    with pytest.raises(ConfigError, match="belong together"):
        TrainingSettings(milestones=(3,))
    with pytest.raises(ConfigError, match="must rise"):
        TrainingSettings(schedule="multistep", milestones=(5, 3))


# --- schedules


def torch_rates(make, steps, per_epoch=1, *, momentum=False):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3, momentum=0.9)
    scheduler = make(optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["momentum" if momentum else "lr"])
        optimizer.step()
        if (step + 1) % per_epoch == 0 and step + 1 < steps:
            scheduler.step()
    return rates


def our_rates(steps, per_epoch=1, **given):
    settings = TrainingSettings(learning_rate=0.3, **given)
    return [schedule.learning_rate(settings, s, steps, per_epoch) for s in range(steps)]


@pytest.mark.parametrize("steps", [7, 40, 101])
def test_schedules_equal_torchs(steps):
    rates = torch.optim.lr_scheduler

    def one_cycle(optimizer):
        return rates.OneCycleLR(optimizer, 0.3, total_steps=steps, pct_start=0.4)

    assert our_rates(steps, schedule="one_cycle", warmup=0.4) == pytest.approx(torch_rates(one_cycle, steps))
    settings = TrainingSettings(schedule="one_cycle", warmup=0.4, cycle_momentum=True)
    assert [schedule.momentum(settings, s, steps) for s in range(steps)] == pytest.approx(
        torch_rates(one_cycle, steps, momentum=True)
    )
    expected = torch_rates(lambda o: rates.CosineAnnealingLR(o, steps), steps)
    assert our_rates(steps, schedule="cosine") == pytest.approx(expected)
    assert our_rates(steps, schedule="constant") == [0.3] * steps


def test_cyclic_equals_torchs():
    def make(optimizer):
        return torch.optim.lr_scheduler.CyclicLR(optimizer, 0.0, 0.3, step_size_up=20, cycle_momentum=False)

    assert our_rates(40, schedule="cyclic") == pytest.approx(torch_rates(make, 40), abs=1e-12)


@pytest.mark.parametrize("peak", [0.0, 0.1, 0.25, 0.75, 1.0])
def test_cyclic_peaks_where_it_is_told(peak):
    """Against numpy's straight lines between the three corners."""
    corners = ([0, 1], [0.3, 0]) if peak == 0 else ([0, 1], [0, 0.3]) if peak == 1 else ([0, peak, 1], [0, 0.3, 0])
    expected = np.interp(np.arange(40) / 40, *corners)
    assert our_rates(40, schedule="cyclic", peak=peak) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 400, 1173])
def test_the_default_peak_is_the_middle_bit_for_bit(steps):
    assert our_rates(steps, schedule="cyclic") == [0.3 * (1.0 - abs(2.0 * s / steps - 1.0)) for s in range(steps)]


def test_one_cycle_may_only_rise_or_only_fall():
    falling = our_rates(40, schedule="one_cycle", warmup=0.0)
    # As in torch, a cycle that only falls starts one step after its peak.
    assert falling[0] == pytest.approx(0.3, rel=0.002) and falling[-1] == pytest.approx(0.3 / 25 / 1e4)
    assert falling == sorted(falling, reverse=True)
    rates = torch.optim.lr_scheduler
    expected = torch_rates(lambda o: rates.OneCycleLR(o, 0.3, total_steps=40, pct_start=1.0), 40)
    rising = our_rates(40, schedule="one_cycle", warmup=1.0)
    assert rising == pytest.approx(expected) and rising[-1] == pytest.approx(0.3)


@pytest.mark.parametrize("name", ["peak", "warmup"])
@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_shares_lie_from_0_to_1(name, value):
    with pytest.raises(ConfigError, match=f"{name}: {value} lies outside"):
        TrainingSettings(**{name: value})


def test_settings_that_joined_later_are_neutral_and_may_be_left_out():
    assert {name: getattr(TrainingSettings(), name) for name in NEUTRAL} == NEUTRAL
    older = {k: v for k, v in dataclasses.asdict(TrainingSettings()).items() if k not in NEUTRAL}
    assert TrainingSettings(**older) == TrainingSettings()


def test_multistep_equals_torchs():
    def make(optimizer):
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5], gamma=0.1)

    ours = our_rates(40, 5, schedule="multistep", milestones=(2, 5))
    assert ours == pytest.approx(torch_rates(make, 40, 5))


def test_momentum_stays_where_it_is_put():
    settings = TrainingSettings(momentum=0.8)
    assert {schedule.momentum(settings, s, 10) for s in range(10)} == {0.8}
