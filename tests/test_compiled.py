"""Compiled networks: the same maps to rounding, on every path to them, and a plain run where nothing can compile."""

import logging
import os
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from freqmaps.group_maps import GroupMapSettings, Pictures, compute_group_maps
from freqmaps.maps import MapSettings, compute_maps
from freqmaps.optimise import compiled as module
from freqmaps.optimise.compiled import Compiled, compiled

#: Skips a test where there is no compiler; with FREQMAPS_REQUIRE_COMPILER=1, as in CI, it runs and fails.
needs_compiler = pytest.mark.skipif(
    os.environ.get("FREQMAPS_REQUIRE_COMPILER") != "1" and not (shutil.which("g++") or shutil.which("clang++")),
    reason="no C++ compiler here (on Debian: g++)",
)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(16, 5),
    ).eval().requires_grad_(False)  # fmt: skip


def images(n, seed=0):
    return np.random.default_rng(seed).random((n, 1, 8, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(autouse=True)
def _cached(cache, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache))


def gradient(net, x):
    x = x.clone().requires_grad_()
    logits = net(x)
    return logits.detach(), torch.autograd.grad(logits.exp().sum(), x)[0]


@needs_compiler
def test_every_size_of_batch_has_the_networks_gradients(caplog):
    net, x = network(), torch.from_numpy(images(20))
    fast = Compiled(net, 16)
    with caplog.at_level(logging.INFO, logger="freqmaps"):
        for n in (16, 14, 13, 12, 5, 1, 20):
            for ours, theirs in zip(gradient(fast, x[:n]), gradient(net, x[:n]), strict=True):
                assert ours.shape == theirs.shape
                torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    said = [r.message for r in caplog.records if r.name == "freqmaps"]
    assert said == ["compiling the network for batches of 16 images; that takes up to a minute or two"]


@needs_compiler
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_compiled_maps_are_the_maps_to_rounding(schedule):
    net, x = network(), images(9)
    with torch.no_grad():
        targets = net(torch.from_numpy(x)).argmax(dim=1).numpy()
    settings = MapSettings(min_steps=20, max_steps=40, tolerance=1e-3, schedule=schedule)
    plain, fast = (
        compute_maps(net, x, targets, "cross_entropy", {"penalty": 0.05}, settings, device="cpu", batch=5, compile=mode)
        for mode in ("never", "always")
    )
    np.testing.assert_array_equal(plain.steps, fast.steps)
    np.testing.assert_allclose(plain.map, fast.map, atol=1e-5)
    np.testing.assert_allclose(plain.loss, fast.loss, rtol=1e-5)


@needs_compiler
def test_compiled_group_maps_are_the_group_maps_to_rounding():
    net, x = network(), images(12)
    labels = np.arange(12) % 3
    settings = GroupMapSettings(groups="class", batch=4, epochs=3)
    plain, fast = (
        compute_group_maps(net, Pictures(x, labels, labels), "cross_entropy", {"penalty": 0.01}, settings,
                           device="cpu", batch=6, compile=mode)
        for mode in ("never", "always")
    )  # fmt: skip
    np.testing.assert_allclose(plain.map, fast.map, atol=1e-5)


def test_what_cannot_be_compiled_runs_as_it_is(caplog, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("no such backend\nand more")

    monkeypatch.setattr(torch, "compile", broken)
    net, x = network(), torch.from_numpy(images(4))
    fast = Compiled(net, 4)
    with caplog.at_level(logging.WARNING, logger="freqmaps"):
        for _ in range(2):
            torch.testing.assert_close(gradient(fast, x), gradient(net, x))
    assert [r.message for r in caplog.records] == [
        "the network cannot be compiled, so it runs as it is (RuntimeError: no such backend)"
    ]


def test_running_out_of_memory_is_no_failure_of_the_compiler(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda net, **kwargs: out_of_memory)
    fast = Compiled(network(), 4)
    with pytest.raises(torch.OutOfMemoryError):
        fast(torch.from_numpy(images(4)))
    assert not fast._failed


def out_of_memory(images):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_only_long_jobs_compile_by_themselves(monkeypatch, caplog):
    net, x = network(), torch.from_numpy(images(1))
    operations = 3.0 * module.operations(net, x)
    # A convolution and a linear layer: two operations per weight and place, and twice as much on the way back.
    assert operations == pytest.approx(3 * 2 * (8 * 8 * 4 * 9 + 16 * 5))
    enough = module.WORTHWHILE * module.RATE["cpu"] / operations
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    assert compiled(net, x, 4, 0.99 * enough) is net
    assert isinstance(compiled(net, x, 4, 1.01 * enough), Compiled)
    assert isinstance(compiled(net, x, 4, 1, "always"), Compiled)
    assert compiled(net, x, 4, 2 * enough, "never") is net
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with caplog.at_level(logging.INFO, logger="freqmaps"):
        assert compiled(net, x, 4, 2 * enough) is net
    assert "there is no C++ compiler" in caplog.text


def test_a_network_that_is_cut_at_a_layer_is_not_compiled():
    x, targets = images(3), np.zeros(3, dtype=np.int64)
    settings = MapSettings(min_steps=2, max_steps=3)
    found = [
        compute_maps(network(), x, targets, "cross_entropy", {"penalty": 0.05}, settings, device="cpu", compile=mode,
                     basis_name="features", basis_params={"layer": "0"})
        for mode in ("never", "always")
    ]  # fmt: skip
    np.testing.assert_array_equal(found[0].map, found[1].map)


def test_what_was_compiled_lies_apart_for_each_kind_of_processor(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = module._kept()
    assert first.parent == tmp_path / "freqmaps" and first == module._kept()
    monkeypatch.setattr(module.platform, "machine", lambda: "another")
    assert module._kept() != first


@pytest.mark.gpu
def test_captured_graphs_on_a_gpu_have_the_networks_gradients():
    net, x = network().cuda(), torch.from_numpy(images(16)).cuda()
    fast = compiled(net, x[:1], 16, 1, "always")
    for _ in range(3):
        for ours, theirs in zip(gradient(fast, x), gradient(net, x), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_option_decides_no_key():
    from freqmaps.study.build import study
    from freqmaps.study.config import read_files
    from tests.workflow import REPOSITORY

    config = read_files([REPOSITORY / "config.yaml"])
    plain, fast = (study(config | {"compile": mode}).graph.nodes for mode in ("never", "always"))
    assert set(plain) == set(fast)
    told = {node.stage for node in fast.values() if node.options.get("compile") == "always"}
    assert told == {"maps", "group_maps"}
