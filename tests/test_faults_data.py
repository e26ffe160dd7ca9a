"""NaN, empty and tiny data, networks that are none, no memory: the right result, or one clear sentence."""

from __future__ import annotations

import copy
import itertools
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch
import yaml

import freqmaps
from freqmaps import manifest, stores
from freqmaps.datasets import arrays as array_files
from freqmaps.errors import ConfigError, FreqmapsError, StoreError
from freqmaps.models import Classifier, Recipe, check_classifier
from freqmaps.models._verify import main as verify
from freqmaps.stores import MAPS
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests import fault_injections as injections
from tests.dataset_files import array_file, as_folder, picture, tree
from tests.faults import REPOSITORY, STUDY, Workshop, lab, main_file, same, survived, undo
from tests.tiny_models import tiny
from tests.workflow import snakemake

ASKING = ("training", "attacks", "maps", "group_maps", "evaluation")


# --- NaN


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.5, -0.1])
def test_images_that_are_no_images(tmp_path, value):
    images = np.random.default_rng(0).random((12, 8, 8, 3))
    images[7, 3, 2, 1] = value
    with pytest.raises(ConfigError, match=r"holds NaN or infinity|scale them to \[0, 1\]"):
        array_files.describe(path=array_file(tmp_path / "a.npz", images=images))
    survived("NaN, infinity or values outside [0, 1] in images")


@pytest.mark.parametrize("contract", ["DATASET", "ADVERSARIAL", "MAPS", "MATRICES", "GROUP_MAPS"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_store_takes_nan(undisturbed, tmp_path, contract, value):
    shop, _, _ = undisturbed
    kept = getattr(stores, contract)
    stage = {"DATASET": "datasets", "ADVERSARIAL": "attacks"}.get(contract, contract.lower())
    whole = stores.read(main_file(shop, shop.first(stage)), kept)
    floats = [n for n, v in kept.variables.items() if whole[n].dtype.kind == "f" and v.finite and whole[n].size]
    for name in floats:
        broken = whole.copy(deep=True)
        broken[name].values.reshape(-1)[-1] = value
        with pytest.raises(StoreError, match=f"'{name}' holds NaN or infinity, first at index"):
            stores.write(tmp_path / "store.zarr.zip", broken, kept)
        assert list(tmp_path.iterdir()) == []
        survived("NaN or infinity on its way into a store")
    assert floats or contract == "DATASET"  # these images are bytes


def nan_answers(from_call=0):
    """Have the network answer NaN from a number of calls on."""
    plain, calls = torch.nn.Linear.forward, itertools.count()
    torch.nn.Linear.forward = lambda self, x: plain(self, x) * (float("nan") if next(calls) >= from_call else 1.0)


@pytest.mark.parametrize("stage", ASKING)
def test_a_network_that_answers_nan(undisturbed, tmp_path, stage):
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first(stage)
    undo(shop, command)
    sentence = shop.run(command, fault=nan_answers).sentence()
    assert "NaN" in sentence or "not finite" in sentence
    survived("NaN or infinity in a network's answers")


@pytest.mark.parametrize("stage", ASKING[1:])
def test_weights_that_are_nan(undisturbed, tmp_path, stage):
    """A checkpoint whose digests agree, as one that another program wrote."""
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    folder = shop.path(shop.first("training"))
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    name = next(n for n, w in weights.items() if w.dtype.kind == "f")
    weights[name].reshape(-1)[0] = np.nan
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    told = json.loads((folder / "model.json").read_text())
    told["weights_sha256"] = manifest.sha256(folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(told))
    found = manifest.read(folder)
    manifest.write(folder / manifest.NAME, found["spec"], found["headline"], {})
    command = shop.first(stage)
    undo(shop, command)
    shop.run(command).sentence(name, "NaN or infinity")
    survived("NaN in weights")


def test_weights_that_a_user_brings_are_nan(tmp_path):
    net = tiny().net
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] = torch.nan
    torch.save(net.state_dict(), tmp_path / "w.pt")
    question = {"path": str(tmp_path / "w.pt"), "model": {"architecture": "small_cnn", "parameters": {"width": 4}}}
    with pytest.raises(FreqmapsError, match="NaN or infinity: features"):
        verify(json.dumps(question | {"shape": {"classes": 10, "channels": 1, "size": 8}}))
    survived("NaN in weights")


def test_a_training_that_diverges(undisturbed, tmp_path):
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first("training")
    undo(shop, command)
    shop.run(command, fault=nan_answers, given=(16,)).sentence("the loss is not finite in epoch", "lower learning_rate")
    shop.finish([command])  # from the epochs that were done before
    same(numbers, shop.numbers())
    survived("NaN or infinity in losses")


# --- labels, shapes, names


@pytest.mark.parametrize(
    "change",
    [
        {"labels": np.arange(11) % 3},
        {"labels": np.arange(12) % 3 - 1},
        {"labels": np.arange(12) % 3 * 2},
        {"labels": np.arange(12) % 3 / 2},
        {"labels": np.zeros(12, int)},
        {"labels": np.arange(12)},
        {"labels": None},
        {"images": np.zeros((12, 8, 7, 3), np.uint8)},
        {"images": np.zeros((12, 8), np.uint8)},
        {"images": np.zeros((0, 8, 8, 3), np.uint8)},
        {"images": np.zeros((12, 8, 8, 3), np.int32)},
        {"images": np.zeros((12, 2, 8, 8), np.uint8)},
    ],
)
def test_labels_and_shapes_that_do_not_fit(tmp_path, change):
    path = array_file(tmp_path / "a.npz", **change)
    with pytest.raises(ConfigError, match=r"a\.npz") as caught:
        array_files.describe(path=path)
    assert "\n" not in str(caught.value)
    survived("labels or shapes that do not fit")


def test_a_class_without_images(tmp_path):
    folder = as_folder(tmp_path / "images", tree())
    (folder / "train" / "empty").mkdir()
    (folder / "test" / "empty").mkdir()
    config = read_files([REPOSITORY / "config.yaml"])
    config["datasets"]["digits"] = {"kind": "image_folder", "root": str(folder), "test_fraction": 0.5}
    with pytest.raises(
        ConfigError, match=r"^datasets\.digits: class folder .*empty' holds no images; fill or remove it"
    ):
        study(config)
    survived("an empty class")


def typos(value, path=()):
    """Yield a config with one letter of one key missing, for every key of a part of the config."""
    for key, below in value.items():
        if len(key) > 3:
            broken = copy.deepcopy(value)
            broken[key[:1] + key[2:]] = broken.pop(key)
            yield (*path, key), broken
        if isinstance(below, dict):
            for place, changed in typos(below, (*path, key)):
                yield place, value | {key: changed}


def test_every_typo_in_a_key_or_name_is_one_sentence_with_the_nearest_name():
    unhelpful, tried = {}, 0
    for place, broken in typos(read_files([REPOSITORY / "config.yaml"])):
        with pytest.raises(ConfigError) as caught:
            study(broken)
        sentence, tried = str(caught.value), tried + 1
        if "\n" in sentence or f"'{place[-1]}'" not in sentence:
            unhelpful[place] = sentence
    assert not unhelpful
    assert tried > 50
    survived("a typo in the config", tried)


# --- little and nothing


METRICS = ("svcca", "cosine", "idcor", "linear_cka", "distance_correlation")


def small_study(folder, **changes):
    """A study in which there is little or nothing to relate, with every metric."""
    given = copy.deepcopy(STUDY) | {"metrics": {kind: {"kind": kind} for kind in METRICS}}
    given["runs"][0]["metrics"] = list(METRICS)
    given["group_maps"]["sets"]["groups"] = "class"
    for section, change in changes.items():
        if section == "run":
            given["runs"][0] |= change
        elif section == "matrices":
            given["matrices"] = change
        else:
            for entry in given[section].values():
                entry |= change
    return Workshop.of(lab(folder, given))


def check_end(shop, n):
    """All is made; what cannot be computed is empty, and says how many samples it had."""
    correlations = freqmaps.open(shop.folder / "results").correlations()
    assert set(correlations["metric"]) == set(METRICS)
    assert (correlations["n"] == n).all()
    table = pd.read_csv(shop.folder / "results" / "tables" / "B25-T1.csv")
    assert len(table) == 1
    assert "B25-T1" in (shop.folder / "results" / "report.html").read_text()
    assert freqmaps.open(shop.folder / "results").problems() == []


def test_one_test_image(tmp_path):
    shop = small_study(tmp_path / "lab", run={"samples": {"first": 1}})
    shop.finish()
    essential = freqmaps.open(shop.folder / "results").maps(of="essential").sizes["sample"]
    adversarial = freqmaps.open(shop.folder / "results").maps(of="pgd").sizes["sample"]
    check_end(shop, min(essential, adversarial))
    survived("one test image")


def test_an_attack_without_success(tmp_path):
    shop = small_study(tmp_path / "lab", attacks={"epsilon": 1e-9, "random_start": False})
    shop.finish()
    attacked = freqmaps.open(shop.folder / "results").adversarial()
    correct = attacked["label"] == attacked["prediction"]
    assert not attacked["success"].where(correct, False).any()
    check_end(shop, 0)
    survived("an attack with no success")


def test_no_map_keeps_the_prediction(tmp_path):
    shop = small_study(tmp_path / "lab", matrices={"only_kept": True})
    for command in shop.commands:
        shop.finish([command])
        if command.stage == "maps":
            lose_predictions(shop.path(command))
    check_end(shop, 0)
    counted = [manifest.read(shop.path(c))["headline"]["n"] for c in shop.commands if c.stage == "matrices"]
    assert counted == [0]
    survived("no map keeps the prediction")


def lose_predictions(folder):
    """Say of every map that it does not keep the prediction."""
    store = stores.read(folder / "store.zarr.zip", MAPS)
    store["keeps_prediction"].values[:] = False
    stores.write(folder / "store.zarr.zip", store, MAPS)
    found = manifest.read(folder)
    manifest.write(folder / manifest.NAME, found["spec"], found["headline"], {})


def test_images_that_change_under_way(undisturbed, tmp_path):
    """The study was resolved for other images, or one can no longer be read: nothing is made of them."""
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first("datasets")
    victim = sorted((shop.folder / "images").rglob("*.png"))[3]
    whole = victim.read_bytes()
    for content in (picture(9), whole[:40], None):
        undo(shop, command)
        if content is None:
            victim.unlink()
        else:
            victim.write_bytes(content)
        shop.run(command).sentence(";")
        victim.write_bytes(whole)
        survived("images that change or break while a study runs")
    shop.finish([command])
    same(numbers, shop.numbers())


# --- networks that are none


BODY = """
from torch import nn
import torch

class Net(nn.Module):
    def __init__(self, classes, inputs):
        super().__init__()
        self.norm, self.linear, self.drop = nn.BatchNorm2d(3), nn.Linear(inputs, classes), nn.Dropout(0.5)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        {forward}

    {more}

def tiny(*, classes, channels, size, width: int = 4):
    return Net(classes, channels * size * size)
"""
EVAL = "def train(self, mode=True):\n        return super().train(True)"
NETWORKS = {
    "returns probabilities": ("return self.linear(x.flatten(1)).softmax(1)", "", "probabilities; remove its final softmax"),
    "stuck in training mode: batch norm": ("return self.linear(self.norm(x).flatten(1))", EVAL, "training mode after eval"),
    "stuck in training mode: dropout": ("return self.linear(self.drop(x).flatten(1))", EVAL, "training mode after eval"),
    "dropout always on": (
        "return self.linear(nn.functional.dropout(x, 0.5, True).flatten(1))", "", "differently when asked again",
    ),
    "the batch's own statistics": ("return self.linear((x - x.mean(0)).flatten(1))", "", "the rest of its batch"),
    "learns while it answers": ("self.seen += 1; return self.linear(x.flatten(1))", "", "changes 'net.seen' when it is asked"),
    "too few answers": ("return self.linear(x.flatten(1))[:, :2]", "", "expected logits of shape"),
    "two answers": ("return self.linear(x.flatten(1)), x", "", "returns tuple"),
    "no answer to this size": ("return self.linear(x)", "", "does not take images"),
    "not finite": ("return self.linear(x.flatten(1)) / 0", "", "returns NaN or infinity"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_that_cannot_be_attacked(undisturbed, tmp_path, kind):
    """Said before the training starts, not after hours of it."""
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    forward, more, message = NETWORKS[kind]
    (shop.folder / "mylab" / "nets.py").write_text(BODY.replace("{forward}", forward).replace("{more}", more))
    command = shop.first("training")
    undo(shop, command)
    shop.run(command).sentence("model mylab.nets:tiny: ", message)
    assert not (shop.path(command) / "partial").exists()
    survived("a network that returns probabilities, is stuck in training mode, ...")


def test_a_network_that_writes_into_its_images():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(64, 3)

        def forward(self, x):
            return self.linear(x.mul_(2).flatten(1))

    with pytest.raises(FreqmapsError, match="^here: the network writes into its images; take a copy"):
        check_classifier(Classifier(Net(), Recipe("small_cnn", {}, 3, 1, 8)), torch.rand(4, 1, 8, 8), where="here")
    survived("a network that returns probabilities, is stuck in training mode, ...")


def test_weights_of_such_a_network_are_refused_before_any_work(undisturbed, tmp_path):
    done, _, _ = undisturbed
    kind = "returns probabilities"
    folder = tmp_path / "lab"
    shutil.copytree(done.folder, folder, ignore=shutil.ignore_patterns("results", ".cache", ".snakemake"))
    forward, more, message = NETWORKS[kind]
    code = BODY.replace("{forward}", forward).replace("{more}", more)
    (folder / "mylab" / "nets.py").write_text(code)
    scope: dict[str, object] = {}
    exec(code, scope)  # the lab's own file, written two lines above
    torch.save(scope["tiny"](classes=4, channels=3, size=8).state_dict(), folder / "w.pt")
    given = copy.deepcopy(STUDY) | {"models": {"tiny": STUDY["models"]["tiny"] | {"checkpoint": "w.pt"}}}
    given["runs"][0]["trainings"] = ["given"]
    (folder / "ours.yaml").write_text(yaml.safe_dump(given))
    done = snakemake(folder, "-c1", "all", "--configfile", "ours.yaml", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "models.tiny.checkpoint: " in text
    assert message in text
    assert "Traceback" not in text
    assert not (folder / "results" / "ours").exists()
    survived("a network that returns probabilities, is stuck in training mode, ...")


# --- memory


@pytest.mark.parametrize("stage", ASKING[1:])
def test_out_of_memory_in_the_middle(undisturbed, tmp_path, stage):
    """Batches are halved until they fit; what comes out is the same, to rounding."""
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first(stage)
    undo(shop, command)
    outcome = shop.run(command, fault=injections.small_memory, given=(3,))
    assert outcome.code == 0, outcome.text
    agree(done, shop, command)
    undo(shop, command)
    shop.run(command, fault=injections.small_memory, given=(0,)).sentence("memory")
    survived("out of memory in the middle", 2)


def agree(done, shop, command):
    """Check that a job's numbers are those of an undisturbed run, to rounding."""
    one, other = (main_file(w, command) for w in (done, shop))
    if one.suffix == ".csv":
        pd.testing.assert_frame_equal(pd.read_csv(one), pd.read_csv(other), rtol=1e-6)
        return
    contract = {"attacks": stores.ADVERSARIAL, "maps": MAPS, "group_maps": stores.GROUP_MAPS}[command.stage]
    a, b = stores.read(one, contract), stores.read(other, contract)
    for name in a.variables:
        if a[name].dtype.kind == "f":
            assert np.allclose(a[name], b[name], atol=1e-5, equal_nan=True), name
        else:
            assert (a[name].values == b[name].values).all(), name


def test_training_out_of_memory_asks_for_a_smaller_batch(undisturbed, tmp_path):
    done, _, numbers = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    command = shop.first("training")
    undo(shop, command)
    shop.run(command, fault=injections.small_memory, given=(8,)).sentence("batches of 32", "lower 'batch'")
    shop.finish([command])
    same(numbers, shop.numbers())
    survived("out of memory in the middle")
