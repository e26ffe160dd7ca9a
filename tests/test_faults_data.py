"""NaN, and empty, tiny or changing data: the right result, or one clear sentence."""

from __future__ import annotations

import copy
import itertools
import json

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch

import freqmaps
from freqmaps import stores
from freqmaps.core.errors import ConfigError, FreqmapsError, StoreError
from freqmaps.datasets import arrays as array_files
from freqmaps.models._verify import main as verify
from freqmaps.provenance import manifest
from freqmaps.stores import MAPS
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.dataset_files import array_file, as_folder, picture, tree
from tests.fault_numbers import same
from tests.fault_tally import survived
from tests.faults import STUDY, Workshop, lab, main_file, undo
from tests.tiny_models import tiny
from tests.workflow import REPOSITORY

pytestmark = pytest.mark.slow

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
    layout = kept.layouts.get("frequencies", {})
    variables = {**kept.variables, **layout}
    floats = [n for n, v in variables.items() if whole[n].dtype.kind == "f" and v.finite and whole[n].size]
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
    survived("NaN or infinity in a network's logits")


@pytest.mark.parametrize("stage", ASKING[1:])
def test_weights_that_are_nan(undisturbed, tmp_path, stage):
    """A checkpoint whose digests agree, as one that another program wrote."""
    done, _, _ = undisturbed
    shop = done.elsewhere(tmp_path / "c")
    training = shop.first("training")
    folder = shop.path(training)
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    name = next(n for n, w in weights.items() if w.dtype.kind == "f")
    weights[name].reshape(-1)[0] = np.nan
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    told = json.loads((folder / "model.json").read_text())
    told["weights_sha256"] = manifest.sha256(folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(told))
    found = manifest.read(folder)
    manifest.write(folder / manifest.NAME, found["spec"], found["headline"], {})
    command = next(c for c in shop.after(training) if c.stage == stage)  # another may attack a snapshot
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
        if len(key) > 3 and path != ("simulations",):  # nothing in a config names a simulation
            broken = copy.deepcopy(value)
            broken[key[:1] + key[2:]] = broken.pop(key)
            yield (*path, key), broken
        if isinstance(below, dict):
            for place, changed in typos(below, (*path, key)):
                yield place, value | {key: changed}


def kinds_of_typos(config):
    """Yield each typo in a section or a name, and one of those in the same setting of a section's entries."""
    seen = set()
    for place, broken in typos(config):
        kind = place if len(place) < 3 else (place[0], *place[2:])
        if kind not in seen:
            seen.add(kind)
            yield place, broken


def test_every_typo_in_a_key_or_name_is_one_sentence_with_the_nearest_name():
    unhelpful, tried = {}, 0
    for place, broken in kinds_of_typos(read_files([REPOSITORY / "config.yaml"])):
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
    (table,) = (shop.folder / "results" / "_items" / "B25-T1").glob("*/B25-T1.csv")
    assert len(pd.read_csv(table)) == 1
    (report,) = (shop.folder / "results" / "_report").glob("*/*/report.html")
    assert "B25-T1" in report.read_text()
    assert freqmaps.open(shop.folder / "results").problems() == []


def test_one_test_image(tmp_path):
    shop = small_study(tmp_path / "lab", run={"samples": {"first": 1}})
    shop.finish()
    essential = freqmaps.open(shop.folder / "results").maps(images="essential").sizes["sample"]
    adversarial = freqmaps.open(shop.folder / "results").maps(images="adversarial").sizes["sample"]
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
