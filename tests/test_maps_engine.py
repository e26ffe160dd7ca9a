"""The map engine's frozen network, its use of memory, and how it resumes."""

import dataclasses
import itertools
import logging

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.core import components
from freqmaps.core.device import is_out_of_memory
from freqmaps.core.errors import FreqmapsError
from freqmaps.core.frozen import freeze, is_folded
from freqmaps.core.memory import bytes_per_image, fitting_batch, saved_bytes
from freqmaps.evaluation.low_pass import LowPassed
from freqmaps.group_maps.two_pass import ThroughChoice, TwoPass
from freqmaps.maps import MapSettings, _engine
from freqmaps.maps._state import Saved
from freqmaps.optimise.problem import Problem
from tests.map_cases import converging_maps, run, small_net, some_images, some_targets  # noqa: F401

# --- the frozen network ----------------------------------------------------------------------------------------------


def norms(net):
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize(("name", "channels", "size"), [("resnet_cifar", 3, 16), ("small_cnn", 1, 8)])
def test_batch_norm_is_folded_and_answers_stay(name, channels, size):
    torch.manual_seed(0)
    net = components.load("model", name)(classes=5, channels=channels, size=size).train()
    images = torch.from_numpy(some_images(8, channels, (size, size)))
    net(images)
    net.eval()
    frozen = freeze(net, images[:2])
    assert norms(net)
    assert not norms(frozen)
    assert not any(p.requires_grad for p in frozen.parameters())
    torch.testing.assert_close(frozen(images), net(images).detach(), rtol=1e-4, atol=1e-4)


class Branching(nn.Module):
    """A network whose way depends on the data, which cannot be traced as a whole."""

    def __init__(self):
        super().__init__()
        self.inner = small_net()

    def forward(self, x):
        return self.inner(x) if x.mean() > 0.25 else -self.inner(x)


class BranchingNorm(nn.Module):
    """A network whose way depends on the data, and whose norm belongs to no part that can be traced."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        return (self.norm(self.conv(x)) if x.mean() > 0.25 else self.conv(x)).mean((2, 3))


class Shared(nn.Module):
    """One convolution under two norms: tracing works, folding gives other answers."""

    def __init__(self):
        super().__init__()
        self.conv, self.one, self.two = nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.two.running_var.fill_(9.0)

    def forward(self, x):
        return (self.one(self.conv(x)) + self.two(self.conv(x))).mean((2, 3))


@pytest.mark.parametrize(
    ("net", "line"), [(BranchingNorm(), "batch norm cannot be folded away"), (Shared(), "stays unfolded")]
)
def test_what_cannot_be_folded_is_used_as_it_is(net, line, caplog):
    images = torch.from_numpy(some_images(3))
    with caplog.at_level(logging.INFO):
        frozen = freeze(net.eval(), images)
    assert line in caplog.text
    torch.testing.assert_close(frozen(images), net(images).detach())
    assert run(net, images.numpy(), some_targets(3)).map.shape == (3, 1, 8, 5)


def wrapped(kind, net):
    if kind == "branching":
        whole = Branching()
        whole.inner = net
        return whole
    if kind == "low-passed":
        return LowPassed(net, 2)
    maps = np.random.default_rng(0).random((3, 1, 8, 5)).astype(np.float32)
    return TwoPass(net, maps) if kind == "two-pass" else ThroughChoice(net, maps)


@pytest.mark.parametrize("kind", ["branching", "low-passed", "two-pass", "through choice"])
def test_of_a_network_that_cannot_be_traced_its_parts_are_folded(kind):
    torch.manual_seed(0)
    inner = small_net(classes=3).train()
    images = torch.from_numpy(some_images(6))
    inner(images)
    whole = wrapped(kind, inner.eval())
    frozen = freeze(whole, images)
    assert norms(whole)
    assert is_folded(frozen)
    assert not norms(frozen)
    assert not is_folded(whole)
    torch.testing.assert_close(frozen(images), whole(images).detach(), rtol=1e-4, atol=1e-4)


# --- memory ----------------------------------------------------------------------------------------------------------


class Hungry(nn.Module):
    """Runs out of memory above some batch size, for its first few calls or always."""

    def __init__(self, limit, error, allowed_calls=0):
        super().__init__()
        self.inner, self.limit, self.error = small_net(), limit, error
        self.calls, self.failures, self.allowed_calls = [0], [0], allowed_calls

    def __deepcopy__(self, memo):
        return self  # so that the test sees the calls of the engine's copies

    def forward(self, x):
        self.calls[0] += 1
        if int(x.shape[0]) > self.limit and self.calls[0] > self.allowed_calls:
            self.failures[0] += 1
            raise self.error
        return self.inner(x)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
@pytest.mark.parametrize("allowed_calls", [0, 40])
def test_out_of_memory_halves_the_batch_and_changes_no_map(error, allowed_calls):
    images, targets = some_images(11), some_targets(11)
    hungry = Hungry(3, error, allowed_calls).eval()
    maps = run(hungry, images, targets, batch=11)
    assert hungry.failures[0] == 2, "11 -> 5 -> 2"
    expected = run(small_net(), images, targets)
    assert maps.steps.tolist() == expected.steps.tolist()
    np.testing.assert_allclose(maps.map, expected.map, atol=2e-4)


def test_not_even_one_image_fits():
    with pytest.raises(FreqmapsError, match="not even one image"):
        run(Hungry(0, MemoryError()).eval(), some_images(2), some_targets(2), batch=2)


def test_other_errors_are_not_taken_for_lack_of_memory():
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="strange"):
        run(Hungry(0, RuntimeError("strange")).eval(), some_images(2), some_targets(2), batch=2)


def test_batch_size_follows_from_the_activations_and_the_free_memory(monkeypatch):
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Sigmoid(), nn.Flatten(), nn.Linear(512, 2))
    net = net.requires_grad_(False)
    image = torch.rand(1, 1, 8, 8)
    # The sigmoid keeps its output (8x8x8 floats); the convolution may keep its input. Weights do not count.
    assert 8 * 64 * 4 <= saved_bytes(net, image) <= (8 * 64 + 64) * 4
    from freqmaps.core import memory as _memory

    monkeypatch.setattr(_memory, "free_bytes", lambda device: 10**12)
    assert fitting_batch(net, image) == _memory.CPU_BATCH[1]
    monkeypatch.setattr(_memory, "free_bytes", lambda device: 10**6)
    assert 10 < fitting_batch(net, image) < 100
    monkeypatch.setattr(_memory, "free_bytes", lambda device: 10)
    assert fitting_batch(net, image) == 1


def peak_of_a_step(problem, n):
    """The most memory that a step of ``n`` images asks for, and its state, by the profiler's account."""
    from torch.profiler import ProfilerActivity, profile

    from freqmaps.maps._slots import Slots, advance

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        images, target = torch.rand(n, 3, 32, 32), torch.zeros(n, dtype=torch.int64)
        slots = Slots.start(problem.plan, images, target, target.float(), 20)
        for _ in range(2):
            advance(slots, problem, MapSettings())
    events = [e for e in found.profiler.kineto_results.events() if e.name() == "[memory]"]
    return int(np.cumsum([e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]).max())


def transformer():
    from torchvision.models import VisionTransformer

    torch.manual_seed(0)
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 32, "mlp_dim": 128, "num_classes": 4}
    return VisionTransformer(image_size=32, patch_size=4, **sizes).eval()


@pytest.mark.parametrize("kind", ["residual", "transformer"])
def test_the_memory_of_an_image_is_estimated_from_above_and_not_far(kind):
    build = components.load("model", "resnet_cifar")
    net = transformer() if kind == "transformer" else build(classes=4, channels=3, size=32, depth=8).eval()
    images = torch.rand(2, 3, 32, 32)
    objective, basis = components.load("objective", "cross_entropy")(), components.load("basis", "fourier")()
    problem = Problem.of("maps", net, objective, basis, images)
    peak_of_a_step(problem, 1)  # what is made once per process
    measured = (peak_of_a_step(problem, 24) - peak_of_a_step(problem, 8)) / 16
    assert measured <= bytes_per_image(problem.net, images[:1], problem.plan.numbers) <= 2 * measured


def test_keeping_freed_memory_is_undone_at_the_end_and_never_fails(monkeypatch):
    import ctypes

    from freqmaps.core import memory as _memory

    assert _memory.keep_freed_memory() in (True, False)
    _memory.give_freed_memory_back()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # a C library that knows neither call
    assert not _memory.keep_freed_memory()
    _memory.give_freed_memory_back()


# --- resuming --------------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def stop_after(count):
    def progress(done, note):
        if done >= count:
            raise Interrupted

    return progress


def test_resumed_maps_equal_uninterrupted_ones(converging, tmp_path):
    net, images, targets, settings, expected = converging
    with pytest.raises(Interrupted):
        run(net, images, targets, settings, penalty=0.1, batch=4, state=tmp_path / "state", progress=stop_after(6))
    assert list((tmp_path / "state").glob("maps-*.part"))
    (tmp_path / "state" / "maps-0-0.part").write_bytes(b"half a fi")
    said = []
    maps = run(
        net,
        images,
        targets,
        settings,
        penalty=0.1,
        state=tmp_path / "state",
        progress=lambda done, _: said.append(done),
    )
    assert said[0] > 1, "finished maps are not made again"
    assert said[-1] == 12
    assert maps.layout == expected.layout
    for name in ("map", "steps", "loss", "converged", "keeps_prediction"):
        np.testing.assert_allclose(getattr(maps, name), getattr(expected, name), rtol=1e-4, atol=2e-4, err_msg=name)
    again = run(net, images, targets, settings, penalty=0.1, state=tmp_path / "state", progress=stop_after(0))
    np.testing.assert_array_equal(again.map, maps.map)
    assert not [p for p in (tmp_path / "state").iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("what", ["penalty", "settings", "targets", "weights"])
def test_the_state_of_other_work_is_not_used(converging, tmp_path, what):
    net, images, targets, _, _ = converging
    settings = MapSettings(min_steps=2, max_steps=4)
    run(net, images, targets, settings, penalty=0.1, state=tmp_path)
    changed = {
        "penalty": (net, targets, settings, 0.4),
        "settings": (net, targets, MapSettings(min_steps=2, max_steps=5), 0.1),
        "targets": (net, (targets + 1) % 4, settings, 0.1),
        "weights": (small_net(seed=9), targets, settings, 0.1),
    }[what]
    said = []
    maps = run(
        changed[0], images, changed[1], changed[2], penalty=changed[3], state=tmp_path,
        progress=lambda done, _: said.append(done), batch=2,
    )  # fmt: skip
    assert said[0] == 2
    np.testing.assert_allclose(maps.map, run(changed[0], images, *changed[1:]).map, atol=1e-5)


def test_saved_often_enough(tmp_path):
    group = {"index": np.arange(3), "steps": np.arange(3)}
    saved = Saved(tmp_path, "a", interval=1e9, at_most=6)
    saved.add(group)
    assert not list(tmp_path.iterdir())
    saved.add(group)
    assert len(Saved(tmp_path, "a").load()) == 1
    saved.interval = 0.0
    saved.add(group)
    assert [len(g["index"]) for g in Saved(tmp_path, "a").load()] in ([6, 3], [3, 6])
    assert Saved(tmp_path, "b").load() == []


def test_a_run_says_that_it_goes_on_while_no_map_has_finished():
    said = []
    settings = MapSettings(min_steps=250, max_steps=260, tolerance=0.0)
    run(small_net(), some_images(2), some_targets(2), settings, progress=lambda *given: said.append(given))
    assert said[:2] == [(0, "100 steps made"), (0, "200 steps made")]
    assert [done for done, _ in said[2:]] == [2]


LONG = MapSettings(min_steps=150, max_steps=160, tolerance=0.0, settling=20)


def interrupted(monkeypatch, place, settings=LONG, batch=None):
    """Begin five maps of six (one waits), keep them after each step, and stop after a hundred."""
    monkeypatch.setattr(_engine, "KEPT_EVERY", 0.0)
    given = (small_net(), some_images(6), some_targets(6))
    with pytest.raises(Interrupted):
        run(*given, settings, state=place, batch=batch or 5, progress=stop_after(0))
    monkeypatch.setattr(_engine, "KEPT_EVERY", 1e9)
    return given


def counted(monkeypatch):
    """Count the rows that steps are made for, by their number before the step."""
    made, plain = [], _engine.advance

    def advance(slots, *given):
        made.append(slots.steps.tolist())
        plain(slots, *given)

    monkeypatch.setattr(_engine, "advance", advance)
    return made


@pytest.mark.parametrize("settings", [LONG, dataclasses.replace(LONG, stop="quiet", patience=5, settling=0)], ids=str)
def test_maps_that_were_begun_go_on_bit_for_bit(monkeypatch, tmp_path, settings):
    given = interrupted(monkeypatch, tmp_path, settings)
    assert [p.name.split("-")[0] for p in tmp_path.iterdir()] == ["begun"], "no map has finished yet"
    made = counted(monkeypatch)
    maps = run(*given, settings, state=tmp_path, batch=5)
    assert made[0] == [100] * 5 and len(made) > 100  # and the sixth begins when a slot is free
    expected = run(*given, settings, batch=5)
    for name in ("map", "steps", "loss", "converged", "keeps_prediction"):
        np.testing.assert_array_equal(getattr(maps, name), getattr(expected, name), err_msg=name)


def test_of_maps_that_were_begun_those_go_on_that_memory_holds_and_that_are_not_finished(monkeypatch, tmp_path):
    given = interrupted(monkeypatch, tmp_path)
    expected = run(*given, LONG)
    (begun,) = tmp_path.iterdir()
    content = begun.read_bytes()
    made = counted(monkeypatch)
    maps = run(*given, LONG, state=tmp_path, batch=2)
    assert made[0] == [100] * 2
    np.testing.assert_allclose(maps.map, expected.map, atol=1e-4)
    # All are finished now; what had been begun of them is left alone.
    begun.write_bytes(content)
    made.clear()
    np.testing.assert_array_equal(run(*given, LONG, state=tmp_path).map, maps.map)
    assert made == []


@pytest.mark.parametrize("damage", ["truncated", "other work"])
def test_begun_maps_that_are_damaged_or_anothers_are_begun_again(monkeypatch, tmp_path, damage):
    given = interrupted(monkeypatch, tmp_path)
    (begun,) = tmp_path.iterdir()
    if damage == "truncated":
        begun.write_bytes(begun.read_bytes()[:-100])
    made = counted(monkeypatch)
    penalty = 0.02 if damage == "truncated" else 0.03
    maps = run(*given, LONG, state=tmp_path, penalty=penalty)
    assert made[0] == [0] * 6
    np.testing.assert_array_equal(maps.map, run(*given, LONG, penalty=penalty).map)


def test_maps_are_kept_every_few_minutes(monkeypatch, tmp_path):
    clock = iter(np.arange(0, 1e6, 40.0))
    monkeypatch.setattr(_engine.time, "monotonic", lambda: float(next(clock)))
    kept = []
    monkeypatch.setattr(Saved, "keep_begun", lambda self, arrays: kept.append(int(arrays["steps"][0])))
    run(small_net(), some_images(2), some_targets(2), MapSettings(min_steps=30, max_steps=40), state=tmp_path)
    assert len(kept) >= 2 and all(5 <= later - before <= 8 for before, later in itertools.pairwise(kept)), kept
