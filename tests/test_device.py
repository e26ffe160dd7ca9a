"""Device code without a device: every kernel on a pretended accelerator, with the numbers that the CPU gives.

Every component that works on tensors is found by its folder and run so: a tensor that it leaves on the CPU, a generator
of the wrong device or a hidden wait within a step fails here and not on somebody's GPU.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from freqmaps.attacks import attack_images
from freqmaps.core import components
from freqmaps.group_maps import GroupMapSettings, Pictures, compute_group_maps
from freqmaps.maps import MapSettings, compute_maps
from freqmaps.models import predict
from freqmaps.optimise import problem
from freqmaps.results.compare import compare, difference, variables
from freqmaps.training import train
from freqmaps.training.regimes.standard import build as standard
from tests import device_cases, tiny_results
from tests.attack_cases import digit_images, trained_net  # noqa: F401
from tests.device_cases import OF_TWO, SETTLING, Looks, atlas, maps_in_two_runs, snapshot
from tests.elsewhere import DEVICE, Elsewhere, accelerator, values
from tests.map_cases import small_net, some_images, some_targets
from tests.short_training import SHORT, digits, network
from tests.test_attacks import tiny as tiny_attack
from tests.test_spectra_tensors import PLANES, QUANTITIES


def tiny(kind, name):
    return dict(components.find(kind, name).constants["TINY"])


# --- the pretended device is as strict as a real one


def test_a_tensor_of_the_cpu_does_not_meet_one_of_the_device():
    with accelerator() as seen:
        there, here = torch.ones(3).to(DEVICE), torch.ones(3)
        for wrong in (lambda: there + here, lambda: torch.stack([there, here]), lambda: here.mul_(there)):
            with pytest.raises(RuntimeError, match="at least two devices"):
                wrong()
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        with pytest.raises(RuntimeError, match="device type for generator"):
            torch.rand(3, device=DEVICE, generator=torch.Generator())
        with pytest.raises(RuntimeError, match="device type for generator"):
            torch.rand(3, generator=torch.Generator(DEVICE))
        assert isinstance(there + 1, Elsewhere) and isinstance(there * torch.tensor(2.0), Elsewhere)
        assert seen.waits == {}
        assert (there + 1).cpu().tolist() == [2, 2, 2] and bool((there > 0).all()) and there[there > 2].numel() == 0
        assert {what for _, what in seen.waits} == {"to the CPU", "item", "mask"}


def test_copies_to_the_device_are_counted():
    ways = {
        "to": lambda there: torch.ones(2).to(DEVICE),
        "tensor": lambda there: torch.tensor([1.0, 2.0], device=DEVICE),
        "new_tensor": lambda there: there.new_tensor([1.0, 2.0]),
        "copy_": lambda there: there.copy_(torch.ones(3)),
        "a list of places": lambda there: there[[0, 2]],
        "places on the CPU": lambda there: there[torch.tensor([0, 2])],
    }
    for name, way in ways.items():
        with accelerator() as seen:
            there = torch.zeros(3, device=DEVICE)
            assert seen.copies == {}
            way(there)
        assert seen.copies == {("elsewhere", "to the device"): 1}, name
    with accelerator() as seen:
        there = torch.zeros(3, device=DEVICE) + 1
        there.index_select(0, torch.arange(2, device=DEVICE)).clone().to(DEVICE).copy_(there[:2]).fill_(2.0).cpu()
    assert seen.copies == {}


def test_gradients_run_through_it_twice():
    with accelerator():
        x = torch.tensor([1.0, 2.0], device=DEVICE, requires_grad=True)
        (first,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), x)
        assert values(second).tolist() == [6, 12]
        net = nn.Linear(2, 1).to(DEVICE)
        net(x).backward()
        assert isinstance(net.weight.grad, Elsewhere)


def test_a_component_that_leaves_a_tensor_behind_is_found(monkeypatch):
    """An objective that forgets where it computes."""
    plain = components.load("objective", "cross_entropy")(penalty=0.1)

    class LeftBehind(type(plain)):
        def loss(self, logits, target, context):
            return super().loss(logits, target, context) + torch.zeros(len(target))

    wrong = LeftBehind(**vars(plain)) if dataclasses.is_dataclass(plain) else LeftBehind(0.1)
    load = components.load
    monkeypatch.setattr(components, "load", lambda k, n: (lambda: wrong) if n == "left_behind" else load(k, n))
    settings = MapSettings(min_steps=2, max_steps=3)
    given = (small_net(), some_images(2), some_targets(2), "left_behind", {}, settings)
    compute_maps(*given, device="cpu")
    with accelerator(), pytest.raises(RuntimeError, match="at least two devices"):
        compute_maps(*given, device=DEVICE)


# --- every kernel


def same(ours, theirs, atol=1e-6):
    for field in dataclasses.fields(theirs):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        if isinstance(b, np.ndarray) and b.dtype.kind == "f":
            np.testing.assert_allclose(a, b, atol=atol, rtol=1e-5, err_msg=field.name)
        elif isinstance(b, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=field.name)


@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
@pytest.mark.parametrize("stop", ["settled", "quiet"])
@pytest.mark.parametrize("objective", components.names("objective"))
def test_maps(objective, stop, schedule):
    settings = MapSettings(min_steps=8, max_steps=20, tolerance=1e-3, patience=3, stop=stop, schedule=schedule)
    given = (small_net(), some_images(7), some_targets(7), objective, tiny("objective", objective), settings)
    theirs = compute_maps(*given, device="cpu", batch=3)
    with accelerator():
        ours = compute_maps(*given, device=DEVICE, batch=3)
    same(ours, theirs)


@pytest.mark.parametrize("basis", components.names("basis"))
def test_maps_in_every_basis(basis):
    named = {"basis_name": basis, "basis_params": tiny("basis", basis)}
    settings = MapSettings(min_steps=8, max_steps=12)
    given = (small_net(2), some_images(5, 2), some_targets(5), "cross_entropy", {"penalty": 0.02}, settings)
    theirs = compute_maps(*given, device="cpu", **named)
    with accelerator():
        ours = compute_maps(*given, device=DEVICE, **named)
    same(ours, theirs)


@pytest.mark.parametrize("basis", components.names("basis"))
@pytest.mark.parametrize("groups", ["all", "class"])
def test_group_maps(basis, groups):
    images, labels = some_images(9, 2), some_targets(9)
    pictures = Pictures(images, labels, labels)
    settings = GroupMapSettings(groups=groups, batch=4, epochs=2, starts=2)
    named = {"basis_name": basis, "basis_params": tiny("basis", basis)}
    # Not invariance: it begins at its minimum, where gradients of factors that no penalty holds are rounding alone.
    given = (small_net(2), pictures, "cross_entropy", {"penalty": 0.1}, settings)
    theirs = compute_group_maps(*given, device="cpu", batch=5, **named)
    with accelerator():
        ours = compute_group_maps(*given, device=DEVICE, batch=5, **named)
    same(ours, theirs)


def trained(device, settings=SHORT, **given):
    classifier = network()
    history = train(classifier, *digits(64), settings=settings, seed=0, device=device,
                    **({"regime": standard()} | given))  # fmt: skip
    return {name: values(t) for name, t in classifier.state_dict().items()}, pd.DataFrame(history)


def train_both(**given):
    theirs, history = trained("cpu", **given)
    with accelerator() as seen:
        ours, again = trained(DEVICE, **given)
    columns = [c for c in history if "seconds" not in c]
    np.testing.assert_allclose(again[columns], history[columns], rtol=1e-4, atol=1e-5)
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
    return seen


@pytest.mark.parametrize("regime", components.names("regime"))
def test_training_by_every_regime(regime):
    parameters = components.resolve("regime", regime, tiny("regime", regime), where="here")
    train_both(regime=components.load("regime", regime)(**parameters))


@pytest.mark.parametrize("regulariser", components.names("regulariser"))
def test_training_with_every_regulariser(regulariser):
    parameters = components.resolve("regulariser", regulariser, tiny("regulariser", regulariser), where="here")
    train_both(regularisers={"term": components.load("regulariser", regulariser)(**parameters)})


@pytest.mark.parametrize(
    "changed", [{"optimizer": "adam", "learning_rate": 0.01}, {"optimizer": "adamw"}, {"loss": "mse"},
                {"robust_images": 20, "robust_steps": 2}, {"keep": "best_accuracy"}, {"train": "head"}],
    ids=str,
)  # fmt: skip
def test_training_by_every_kind_of_setting(changed):
    train_both(settings=dataclasses.replace(SHORT, **changed))


@pytest.mark.parametrize("name", components.names("attack"))
def test_attacks(net, digits, name):
    images, labels = digits
    plan = components.load("attack", name)(**tiny_attack(name))
    n = 12
    given = (net, images[:n], labels[:n], plan)
    more = {"seed": 3, "positions": np.arange(n)}
    theirs = attack_images(*given, device="cpu", **more)
    with accelerator():
        ours = attack_images(*given, device=DEVICE, **more)
    np.testing.assert_allclose(ours.adversarial, theirs.adversarial, atol=1e-5)
    np.testing.assert_array_equal(ours.success, theirs.success)


@pytest.fixture(scope="module", name="study")
def small_study(tmp_path_factory):
    return tiny_results.make(tmp_path_factory.mktemp("device"))


@pytest.mark.parametrize("kind", components.names("evaluation"))
def test_evaluations(study, kind):
    parameters = tiny("evaluation", kind)
    theirs = tiny_results.evaluation(study, tiny_results.PLAIN, kind, f"{kind}-cpu", **parameters)
    with accelerator():
        ours = tiny_results.evaluation(study, tiny_results.PLAIN, kind, f"{kind}-there", device="meta", **parameters)
    far = [d for d in compare(ours, theirs) if d.relative > 1e-4 and d.absolute > 1e-5]
    assert far == []


@pytest.mark.parametrize("name", ["training", "attacks", "maps", "group_maps"])
def test_the_scripts_of_stages(study, name):
    """Each result of the small study made again on the device, from the same inputs."""
    keys = [key for key, call in study.calls.items() if call[0] == name]
    assert keys
    for key in keys:
        _, names, parameters, inputs = study.calls[key]
        options = {"located": {}} if name == "training" else {}
        here = study.folders[key]
        if name == "training":  # two epochs tell as much as twelve
            parameters = parameters | {"settings": parameters["settings"] | {"epochs": 2}}
            here = tiny_results.stage(study, name, names | {"seed": "here"}, parameters, inputs, **options)
        with accelerator():
            there = names | {"seed": "there"}
            again = tiny_results.stage(study, name, there, parameters, inputs, device="meta", **options)
        ours, theirs = dict(variables(again)), dict(variables(here))
        assert ours.keys() == theirs.keys()
        for what in theirs:
            if theirs[what].dtype.kind == "f" and "seconds" not in what:
                # Rounding grows along a training, whose kernels differ by how tensors lie, and a map may fork.
                limit = (0.25 if name == "training" else 0.05) * np.abs(np.nan_to_num(theirs[what])).mean() + 1e-6
                np.testing.assert_array_equal(np.isnan(ours[what]), np.isnan(theirs[what]))
                assert np.abs(np.nan_to_num(ours[what] - theirs[what])).mean() < limit, (key, what)


@pytest.mark.parametrize("basis", ["fourier", "fourier_complex"])
def test_settling(basis):
    given = (small_net(2), some_images(7, 2), some_targets(7), "cross_entropy", {"penalty": 0.1}, SETTLING)
    theirs = compute_maps(*given, device="cpu", batch=3, basis_name=basis)
    with accelerator():
        ours = compute_maps(*given, device=DEVICE, batch=3, basis_name=basis)
    same(ours, theirs)
    assert set(theirs.steps) == {SETTLING.max_steps + 1 + SETTLING.settling}


@pytest.mark.parametrize("settings", [MapSettings(min_steps=8, max_steps=25, tolerance=1e-3), SETTLING], ids=str)
def test_maps_that_go_on_from_an_earlier_run(settings):
    theirs, _ = maps_in_two_runs("cpu", settings)
    with accelerator():
        whole, taken_over = maps_in_two_runs(DEVICE, settings)
    for name, expected in theirs.items():
        np.testing.assert_allclose(whole[name], expected, atol=1e-6, rtol=1e-5)
        np.testing.assert_allclose(taken_over[name], expected, atol=1e-6, rtol=1e-5)


def test_hooks_along_a_training():
    looks = []
    for where in ("cpu", DEVICE):
        looks.append(Looks())
        with accelerator():
            trained(where, hooks=looks[-1:])
    theirs, ours = (look.records for look in looks)
    assert ours["after_epoch"] == theirs["after_epoch"] and len(ours["after_step"]) == len(theirs["after_step"]) == 6
    for step, record in theirs["after_step"].items():
        for name, tensor in record.items():
            found = ours["after_step"][step][name]
            assert not isinstance(found, Elsewhere)
            torch.testing.assert_close(found, tensor, rtol=1e-4, atol=1e-5)


# torch says so of its own device meta: the pretended one, of the same name, does copy the weights.
@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter:UserWarning")
def test_a_snapshot(study):
    theirs = dict(variables(snapshot(study, "cpu", "snapshot-here")))
    with accelerator():
        ours = dict(variables(snapshot(study, DEVICE, "snapshot-there")))
    assert ours.keys() == theirs.keys() and theirs
    for name, values_there in theirs.items():
        np.testing.assert_allclose(ours[name], values_there, rtol=1e-4, atol=1e-5, err_msg=name)


def test_an_atlas(study):
    theirs = atlas(study, "cpu", "here")
    with accelerator():
        assert atlas(study, DEVICE, "there") == theirs


@pytest.mark.parametrize("name", QUANTITIES)
def test_spectral_quantities(name):
    expected = QUANTITIES[name](torch.tensor(PLANES))
    with accelerator():
        found = QUANTITIES[name](torch.tensor(PLANES).to(DEVICE))
    assert isinstance(found, Elsewhere)
    torch.testing.assert_close(values(found), expected)


@pytest.mark.parametrize("name", OF_TWO)
def test_spectral_quantities_of_two(name):
    given = [torch.tensor(planes) for planes in (device_cases.PLANES, device_cases.OTHERS)]
    expected = OF_TWO[name](*given)
    with accelerator():
        found = OF_TWO[name](*(tensor.to(DEVICE) for tensor in given))
    assert isinstance(found, Elsewhere)
    torch.testing.assert_close(values(found), expected)


def test_predictions():
    images = some_images(20)
    expected = predict(small_net(), images, device="cpu")
    with accelerator():
        np.testing.assert_array_equal(predict(small_net().to(DEVICE), images, device=DEVICE), expected)


def test_memory_is_asked_of_the_device(monkeypatch):
    asked = []
    monkeypatch.setattr(problem, "fitting_batch", lambda net, image, numbers: asked.append(image.device) or 3)
    settings = MapSettings(min_steps=2, max_steps=3)
    with accelerator():
        compute_maps(small_net(), some_images(2), some_targets(2), "cross_entropy", {"penalty": 0.1}, settings,
                     device=DEVICE)  # fmt: skip
    assert asked == [DEVICE]


def test_what_is_infinite_in_one_result_alone_is_infinitely_different():
    stored, same = np.array([1.0, np.inf, np.nan]), np.array([1.0, np.inf, np.nan])
    assert difference("loss", stored, same).relative == 0
    for other in ([1.0, 2.0, np.nan], [1.0, -np.inf, np.nan], [1.0, np.inf, 0.0]):
        assert difference("loss", stored, np.array(other)).relative == np.inf
        assert difference("loss", np.array(other), stored).relative == np.inf
    assert difference("loss", np.array([2.0, np.inf]), np.array([2.5, np.inf])).relative == 0.25
