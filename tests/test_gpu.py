"""Every component and engine on a real GPU, beside the CPU: skipped where there is none.

`test_device.py` shows on a pretended device that no tensor is left behind and nothing waits; this file, that the
numbers are the CPU's up to rounding. What is drawn on the device differs from what is drawn on the CPU, so trainings
are compared by what they learn.
"""

import contextlib
import dataclasses
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import bench_maps
from freqmaps.attacks import attack_images
from freqmaps.core import components
from freqmaps.core.device import full_float32
from freqmaps.core.memory import bytes_per_image
from freqmaps.group_maps import GroupMapSettings, Pictures, compute_group_maps
from freqmaps.group_maps._engine import Run as GroupRun
from freqmaps.maps import MapSettings, compute_maps
from freqmaps.maps._engine import _Run
from freqmaps.plan import estimate
from freqmaps.results.compare import compare, variables
from freqmaps.training import TrainingSettings, train
from freqmaps.training.regimes.standard import build as standard
from tests import atlas_pages, device_cases, tiny_results
from tests.attack_cases import digit_images, trained_net  # noqa: F401
from tests.device_cases import OF_TWO, SETTLING, Looks
from tests.map_cases import small_net, some_images, some_targets
from tests.short_training import digits, network
from tests.test_attacks import tiny as tiny_attack
from tests.test_spectra_tensors import PLANES, QUANTITIES

pytestmark = pytest.mark.gpu
GPU = torch.device("cuda", 0)
LEARNS = TrainingSettings(epochs=4, batch=32, learning_rate=0.05)


def tiny(kind, name):
    return components.resolve(kind, name, dict(components.find(kind, name).constants["TINY"]), where="here")


def alike(ours, theirs, share=0.02, atol=1e-3):
    """Nearly all numbers agree: Adam makes a whole step of the rate along a gradient that is rounding alone."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and np.isfinite(ours).all()
    far = np.abs(ours - theirs) > atol + 1e-3 * np.abs(theirs)
    assert far.mean() <= share, f"{far.mean():.3f} of the numbers are off, by {np.abs(ours - theirs).max():.3g} at most"


@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
@pytest.mark.parametrize("stop", ["settled", "quiet"])
@pytest.mark.parametrize("objective", components.names("objective"))
def test_maps(objective, stop, schedule):
    settings = MapSettings(min_steps=8, max_steps=20, tolerance=1e-3, patience=3, stop=stop, schedule=schedule)
    parameters = dict(components.find("objective", objective).constants["TINY"])
    given = (small_net(), some_images(7), some_targets(7), objective, parameters, settings)
    theirs, ours = (compute_maps(*given, device=where, batch=3) for where in ("cpu", GPU))
    alike(ours.map, theirs.map)
    alike(ours.loss, theirs.loss, share=0.2)


@pytest.mark.parametrize("basis", components.names("basis"))
def test_maps_and_group_maps_in_every_basis(basis):
    named = {"basis_name": basis, "basis_params": dict(components.find("basis", basis).constants["TINY"])}
    images, labels, net = some_images(9, 2), some_targets(9), small_net(2)
    of_maps = (net, images, labels, "cross_entropy", {"penalty": 0.02}, MapSettings(min_steps=8, max_steps=12))
    alike(*(compute_maps(*of_maps, device=where, **named).map for where in (GPU, "cpu")))
    settings = GroupMapSettings(groups="class", batch=4, epochs=2, starts=2)
    of_groups = (net, Pictures(images, labels, labels), "cross_entropy", {"penalty": 0.1}, settings)
    alike(*(compute_group_maps(*of_groups, device=where, **named).map for where in (GPU, "cpu")))


@pytest.mark.parametrize("basis", ["fourier", "fourier_complex"])
def test_settled_maps(basis):
    given = (small_net(2), some_images(7, 2), some_targets(7), "cross_entropy", {"penalty": 0.1}, SETTLING)
    theirs, ours = (compute_maps(*given, device=where, batch=3, basis_name=basis) for where in ("cpu", GPU))
    np.testing.assert_array_equal(ours.steps, theirs.steps)
    alike(ours.map, theirs.map, share=0.2)
    alike(ours.loss, theirs.loss, share=0.3)


@pytest.mark.parametrize("settings", [MapSettings(min_steps=8, max_steps=25, tolerance=0.0), SETTLING], ids=str)
def test_maps_that_go_on_from_an_earlier_run(settings):
    whole, taken_over = device_cases.maps_in_two_runs(GPU, settings)
    theirs, _ = device_cases.maps_in_two_runs("cpu", settings)
    for ours in (whole, taken_over):
        np.testing.assert_array_equal(ours["steps"], theirs["steps"])
        alike(ours["map"], theirs["map"], share=0.2)
    alike(taken_over["map"], whole["map"], share=0.1)


@pytest.mark.filterwarnings("ignore")  # the compiler's, of which one that raises would make the network run as it is
def test_compiled_maps(monkeypatch, tmp_path, caplog):
    """Compiled and captured for batches of 16; the last four images run through the network as it is."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    settings = MapSettings(min_steps=20, max_steps=40, tolerance=0.0)
    given = (small_net(), some_images(20), some_targets(20), "cross_entropy", {"penalty": 0.05}, settings)
    with caplog.at_level(logging.INFO, logger="freqmaps"):
        plain, fast = (compute_maps(*given, device=GPU, batch=16, compile=mode) for mode in ("never", "always"))
    assert "compiling the network for batches of 16 images" in caplog.text
    assert "cannot be compiled" not in caplog.text
    np.testing.assert_array_equal(fast.steps, plain.steps)
    alike(fast.map, plain.map, share=0.1)


@pytest.mark.parametrize("kind", ["regime", "regulariser"])
def test_training_learns_as_on_the_cpu(kind):
    for name in components.names(kind):
        histories = []
        for where in ("cpu", GPU):
            made = components.load(kind, name)(**tiny(kind, name))
            more = {"regime": made} if kind == "regime" else {"regime": standard(), "regularisers": {"term": made}}
            history = pd.DataFrame(train(network(), *digits(300), settings=LEARNS, seed=0, device=where, **more))
            assert np.isfinite(history).all(axis=None), (name, where)
            histories.append(history)
        theirs, ours = histories
        assert list(ours) == list(theirs)
        assert ours["train_loss"].iloc[-1] < ours["train_loss"].iloc[0] or theirs["train_loss"].is_monotonic_increasing
        assert ours["train_loss"].iloc[-1] == pytest.approx(theirs["train_loss"].iloc[-1], rel=0.3, abs=0.2), name


@pytest.mark.parametrize("name", components.names("attack"))
def test_attacks(net, digits, name):
    images, labels = (values[:60] for values in digits)
    plan = components.load("attack", name)(**tiny_attack(name))
    given = {"seed": 3, "positions": np.arange(len(images))}
    theirs = attack_images(net, images, labels, plan, device="cpu", **given)
    try:
        ours = attack_images(net, images, labels, plan, device=GPU, **given)
    finally:
        net.cpu()
    assert np.isfinite(ours.adversarial).all() and ours.adversarial.min() >= 0 and ours.adversarial.max() <= 1
    assert abs(ours.success.mean() - theirs.success.mean()) <= 0.1


@pytest.fixture(scope="module", name="study")
def small_study(tmp_path_factory):
    return tiny_results.make(tmp_path_factory.mktemp("gpu"))


@pytest.mark.parametrize("kind", components.names("evaluation"))
def test_evaluations(study, kind):
    parameters = dict(components.find("evaluation", kind).constants["TINY"])
    ours, theirs = (
        tiny_results.evaluation(study, tiny_results.PLAIN, kind, f"{kind}-{where}", device=where, **parameters)
        for where in ("cuda", "cpu")
    )
    differences = compare(ours, theirs)
    far = [d for d in differences if not (d.relative <= 0.02 or d.absolute <= 0.02)]
    assert len(far) <= 0.1 * len(differences), far


def test_a_hook_looks_on_and_changes_nothing():
    looks, weights = Looks(), []
    for hooks in ([], [looks]):
        made, state = network(), torch.cuda.get_rng_state(GPU)
        train(made, *digits(300), settings=LEARNS, regime=standard(), seed=0, device=GPU, hooks=hooks)
        assert torch.equal(torch.cuda.get_rng_state(GPU), state)
        weights.append(made.cpu().state_dict())
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    records = looks.records["after_step"]
    assert sorted(records) == list(range(40)) and looks.records["after_epoch"] == {0: 1, 1: 2, 2: 3, 3: 4}
    for record in records.values():
        assert all(not tensor.is_cuda and tensor.isfinite().all() for tensor in record.values())
    assert not torch.equal(records[0]["drawn"], records[1]["drawn"])
    assert records[39]["loss"] < records[0]["loss"]


def test_a_snapshot(study):
    """After three steps, which differ by rounding alone."""
    ours, theirs = (dict(variables(device_cases.snapshot(study, where, str(where)))) for where in (GPU, "cpu"))
    assert ours.keys() == theirs.keys() and theirs
    for name, expected in theirs.items():
        if expected.dtype.kind == "f":
            alike(ours[name], expected, share=0.05, atol=1e-2)


def test_an_atlas(study):
    ours, theirs = (atlas_pages.unpacked(device_cases.atlas(study, where, str(where))) for where in (GPU, "cpu"))
    assert ours.keys() == theirs.keys() and theirs
    for name, expected in theirs.items():
        assert ours[name].shape == expected.shape, name
        if expected.dtype.kind in "fiu":
            assert np.isclose(ours[name], expected, rtol=0.01, atol=0.01, equal_nan=True).mean() >= 0.9, name


@pytest.mark.parametrize("name", OF_TWO)
def test_spectral_quantities_of_two(name):
    given = [torch.tensor(planes) for planes in (device_cases.PLANES, device_cases.OTHERS)]
    found = OF_TWO[name](*(tensor.to(GPU) for tensor in given))
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), OF_TWO[name](*given), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", QUANTITIES)
def test_spectral_quantities(name):
    expected = QUANTITIES[name](torch.tensor(PLANES))
    found = QUANTITIES[name](torch.tensor(PLANES, device=GPU))
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)


# --- what only a GPU can show


def test_convolutions_have_full_float32():
    """Within the engines; elsewhere in the process torch's own default stands."""
    before = torch.backends.cudnn.allow_tf32
    net = torch.nn.Conv2d(64, 64, 3, padding=1).requires_grad_(False)
    x = torch.randn(64, 64, 32, 32)
    exact = net.double()(x.double())
    with full_float32():
        found = net.float().to(GPU)(x.to(GPU)).double().cpu()
    assert (found - exact).abs().max() / exact.abs().max() < 1e-5
    assert torch.backends.cudnn.allow_tf32 == before


def started(net, images, objective, basis, settings):
    n = len(images)
    targets = torch.zeros(n, dtype=torch.int64)
    return _Run(net, torch.as_tensor(images), targets, range(n), objective, basis, settings, GPU, n, None)


@pytest.mark.parametrize("stop", ["settled", "quiet"])
@pytest.mark.parametrize("basis", components.names("basis"))
def test_a_step_of_the_maps_does_not_wait(basis, stop):
    """As torch counts it, not as the pretended device does: an operation that waits raises."""
    objective = components.load("objective", "cross_entropy")(penalty=0.1)
    chosen = components.load("basis", basis)(**dict(components.find("basis", basis).constants["TINY"]))
    run = started(small_net(2), some_images(4, 2), objective, chosen, MapSettings(stop=stop))
    run._advance()
    with _waiting_raises():
        run._advance()
    run._collect()


@pytest.mark.parametrize("basis", components.names("basis"))
def test_a_step_of_group_maps_does_not_wait(basis):
    """Nor copies anything to the GPU, which would be a wait of its own: images, rates and step numbers are there."""
    objective = components.load("objective", "cross_entropy")(penalty=0.1)
    chosen = components.load("basis", basis)(**dict(components.find("basis", basis).constants["TINY"]))
    images, labels = some_images(12, 2), some_targets(12)
    pictures = {"clean": Pictures(images, labels, labels)}
    settings = GroupMapSettings(groups="class", batch=2, epochs=3, starts=2)
    run = GroupRun(small_net(2), pictures, objective, chosen, settings, 0, GPU, 32)
    run.epoch()
    step = run._step

    def watched(*given):
        with _waiting_raises():
            step(*given)

    run._step = watched
    run.epoch()
    assert run.state.epoch == 2


@contextlib.contextmanager
def _waiting_raises():
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_batch_that_memory_does_not_hold_is_halved():
    """Memory for a quarter of the images: torch is told that it has no more."""
    net, images = bench_maps.resnet20(10, 3, GPU), torch.rand(1024, 3, 32, 32)
    objective = components.load("objective", "cross_entropy")(penalty=0.5)
    torch.cuda.empty_cache()
    held, total = torch.cuda.memory_reserved(GPU), torch.cuda.get_device_properties(GPU).total_memory
    needed = bytes_per_image(net, images[:1].to(GPU)) * len(images) / 4
    basis, settings = components.load("basis", "fourier")(), MapSettings(min_steps=2, max_steps=3)
    run = started(net, images, objective, basis, settings)
    torch.cuda.set_per_process_memory_fraction((held + needed) / total, GPU)
    try:
        groups = list(run.groups())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, GPU)
    assert sorted(np.concatenate([g.index for g in groups])) == list(range(1024))
    assert run.batch < 1024


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(precision, tmp_path):
    settings = dataclasses.replace(LEARNS, precision=precision, flip=True, crop_padding=1)

    def weights(parts):
        made = network()
        for stop in parts:
            train(made, *digits(300), settings=settings, regime=standard(), seed=0, device=GPU,
                  state=tmp_path / str(len(parts)), stop_after=stop)  # fmt: skip
        return made.cpu().state_dict()

    whole, parts = weights([None]), weights([20, None])
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def test_two_processes_may_share_a_gpu():
    """Maps made at the same time as others are the same."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        one, other = pool.map(_maps_there, [0, 1])
    alike(one, _maps_there(0))
    alike(other, one)


def _maps_there(_):
    settings = MapSettings(min_steps=50, max_steps=60)
    given = (small_net(), some_images(8), some_targets(8), "cross_entropy", {"penalty": 0.1}, settings)
    return compute_maps(*given, device=GPU).map


def test_the_plan_sees_the_gpu_without_torch():
    assert estimate._here() == "cuda"
