"""Group maps on disk and in little memory: resuming, halving, the store and its script."""

import importlib.util
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from freqmaps.attacks import attack_images
from freqmaps.attacks import to_dataset as attack_dataset
from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.group_maps import (
    GroupMaps,
    GroupMapSettings,
    Pictures,
    class_maps,
    compute_group_maps,
    headline,
    to_dataset,
)
from freqmaps.group_maps._state import load
from freqmaps.job import Job
from freqmaps.maps import to_full
from freqmaps.models import predict, save_classifier
from freqmaps.stores import ADVERSARIAL, DATASET, GROUP_MAPS, read, write
from tests.group_map_cases import make, misled, pictures, settings
from tests.map_cases import small_net
from tests.short_training import SHORT, digits, fit
from tests.workflow import REPOSITORY

ATTRS = {"images": "essential", "objective": "cross_entropy", "parameters": "{}"}


def equal(one: GroupMaps, other: GroupMaps):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in ("map", "loss", "epochs", "kept_epoch", "converged", "filtered_accuracy", "share_of_zeros")
    ) and all(np.array_equal(one.history[n], other.history[n], equal_nan=True) for n in one.history)


# --- resuming --------------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def stop_after(count):
    def progress(done, note):
        assert "maps to go" in note
        if done >= count:
            raise Interrupted

    return progress


@pytest.mark.parametrize("stop", ["none", "k22"])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path, stop):
    net, clean, adversarial = small_net(), pictures(30), misled(20)
    config = settings(groups="class", starts=2, schedule="one_cycle", stop=stop, patience=2, tolerance=5e-3)
    expected = make(net, clean, config, adversarial=adversarial)
    seen = []
    for count in (1, 3):
        with pytest.raises(Interrupted):
            make(net, clean, config, adversarial=adversarial, state=tmp_path, progress=stop_after(count))
    found = make(
        net, clean, config, adversarial=adversarial, state=tmp_path, progress=lambda done, note: seen.append(done)
    )
    assert equal(found, expected)
    assert seen[0] == 4
    again = make(net, clean, config, adversarial=adversarial, state=tmp_path, progress=stop_after(0))
    assert equal(again, expected), "a finished run has nothing left to do"


@pytest.mark.parametrize("other", ["settings", "seed", "penalty", "images", "model", "adversarial"])
def test_the_state_of_other_work_is_not_used(tmp_path, other, caplog):
    given = {"net": small_net(), "clean": pictures(12), "config": settings(epochs=3), "seed": 0}
    make(**given, state=tmp_path)
    changes = {
        "settings": {"config": settings(epochs=4)},
        "seed": {"seed": 1},
        "penalty": {"parameters": {"penalty": 0.02}},
        "images": {"clean": pictures(12, seed=3)},
        "model": {"net": small_net(seed=1)},
        "adversarial": {"adversarial": misled(6)},
    }[other]
    with caplog.at_level(logging.INFO):
        found = make(**(given | changes), state=tmp_path)
    assert "belongs to other work" in caplog.text
    assert equal(found, make(**(given | changes)))


@pytest.mark.parametrize("keep", [0, 10, 0.5])
def test_a_damaged_state_starts_over(tmp_path, keep, caplog):
    net, clean, config = small_net(), pictures(12), settings(epochs=3)
    expected = make(net, clean, config, state=tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    assert equal(make(net, clean, config, state=tmp_path), expected)
    assert "damaged" in caplog.text
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == content
    assert load(None, "") == {}


# --- memory ----------------------------------------------------------------------------------------------------------


class Hungry(nn.Module):
    """Runs out of memory above some batch size, after its first few calls: folding and a first look take some."""

    def __init__(self, limit, allowed_calls=0):
        super().__init__()
        self.inner, self.limit = small_net(), limit
        self.calls, self.failures, self.allowed_calls = [0], [0], allowed_calls

    def __deepcopy__(self, memo):
        return self  # so that the test sees the calls of the engine's copies

    def forward(self, x):
        self.calls[0] += 1
        if int(x.shape[0]) > self.limit and self.calls[0] > self.allowed_calls:
            self.failures[0] += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inner(x)


@pytest.mark.parametrize("allowed_calls", [0, 12])
def test_out_of_memory_halves_the_batch_and_changes_no_map(allowed_calls):
    clean, config = pictures(30), settings(groups="class", starts=2)
    hungry = Hungry(6, allowed_calls).eval()
    found = make(hungry, clean, config, batch=28)
    assert hungry.failures[0] in (2, 3), "28 -> 14 -> 7 -> 3, or from a step that has fewer images"
    expected = make(small_net(), clean, config)
    np.testing.assert_allclose(found.map, expected.map, atol=2e-4)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-5)
    assert np.array_equal(found.filtered_accuracy, expected.filtered_accuracy)


def test_not_even_one_image_fits_and_other_errors_pass():
    with pytest.raises(FreqmapsError, match="not even one image"):
        make(Hungry(0, 4).eval(), pictures(5), settings(), batch=4)

    class Strange(nn.Module):
        def forward(self, x):
            raise RuntimeError("strange")

    with pytest.raises(RuntimeError, match="strange"):
        make(Strange(), pictures(5), settings(), batch=4)


# --- the store -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="maps")
def some_maps():
    return make(small_net(3), pictures(20, 3, (7, 6)), settings(groups="class", starts=2, epochs=3))


def test_a_store_keeps_every_figure(tmp_path, maps):
    dataset = to_dataset(maps, ATTRS)
    write(tmp_path / "g.zarr.zip", dataset, GROUP_MAPS)
    back = read(tmp_path / "g.zarr.zip", GROUP_MAPS)
    for name in dataset.variables:
        values = back[name].values.astype(dataset[name].dtype)
        assert np.array_equal(values, dataset[name].values, equal_nan=values.dtype.kind == "f"), name
    assert back["group"].values.tolist()[:3] == ["class-0-start-0", "class-0-start-1", "class-1-start-0"]
    assert back["map"].dims == ("group", "channel", "ky", "kx")
    assert back["map"].shape == (8, 3, 7, 6)
    assert np.array_equal(back["map"].values, to_full(maps.map, 6))
    assert back["epoch"].values.tolist() == [1, 2, 3]
    one = to_dataset(make(small_net(), pictures(5), settings(epochs=1)), ATTRS)
    assert one["group"].values.tolist() == ["all"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(map=d["map"] * 2), "allowed is"),
        (lambda d: d.assign_coords(kx=np.arange(6)), "signed frequencies"),
        (lambda d: d.assign_coords(group=["a"] * 8), "groups are not unique"),
        (lambda d: d.assign(accuracy=d["accuracy"] + 1), "allowed is"),
        (lambda d: d.drop_vars("history_loss"), "'history_loss' is missing"),
    ],
)
def test_the_contract_is_kept(tmp_path, maps, change, message):
    with pytest.raises(StoreError, match=message):
        write(tmp_path / "g.zarr.zip", change(to_dataset(maps, ATTRS)), GROUP_MAPS)


def test_class_maps_are_in_the_classes_order(maps):
    store = to_dataset(maps, ATTRS)
    shuffled = store.isel(group=np.random.default_rng(0).permutation(8))
    for start in (0, 1):
        assert np.array_equal(class_maps(shuffled, start=start), maps.map[start::2])
    with pytest.raises(FreqmapsError, match="no start 2; the store has 0 to 1"):
        class_maps(store, start=2)
    whole = to_dataset(make(small_net(), pictures(5), settings(epochs=1)), ATTRS)
    with pytest.raises(FreqmapsError, match="one map of all images"):
        class_maps(whole)


def test_headline_figures_leave_out_what_is_not_there(maps):
    given = headline(maps)
    assert given["n_maps"] == 8
    assert given["n_images"] == 20
    assert given["n_adversarial"] == 0
    assert given["adversarial_accuracy"] is None
    assert given["filtered_accuracy"] == pytest.approx(maps.filtered_accuracy.mean())
    rows = np.flatnonzero((clean := pictures(20)).category < 2)
    empty = make(
        small_net(),
        type(clean)(clean.images[rows], clean.targets[rows], clean.category[rows]),
        settings(groups="class", epochs=2),
    )
    assert headline(empty)["n_empty"] == 2
    assert headline(empty)["mean_of_map"] == pytest.approx(empty.mean_of_map[:2].mean())


# --- the script ------------------------------------------------------------------------------------------------------

OPTIMISATION = {"groups": "class", "epochs": 2, "learning_rate": 0.02, "batch": 8, "stop": "none", "only_correct": True}
N, HALF = 80, 48


@pytest.fixture(scope="module", name="study")
def small_study(tmp_path_factory):
    """A dataset, a checkpoint and two ranges of adversarial images, as the stages before leave them."""
    root = tmp_path_factory.mktemp("study")
    net, _ = fit(SHORT)
    _, _, images, labels = digits()
    images, labels = images[:N], labels[:N].astype(np.int64)
    ids = [f"s{i}" for i in range(N)]
    dataset = xr.Dataset(
        {"image": (("sample", "channel", "y", "x"), images), "label": ("sample", labels)},
        {"sample": ids},
        {"classes": [str(i) for i in range(10)], "mean": [0.5], "std": [0.3], "source": "digits", "licence": "BSD"},
    )
    dataset["split"] = ("sample", ["test"] * N)
    folders = {name: root / name for name in ("dataset", "checkpoint", "first", "second")}
    for folder in folders.values():
        folder.mkdir()
    write(folders["dataset"] / "store.zarr.zip", dataset, DATASET)
    save_classifier(folders["checkpoint"], net)
    plan = components.load("attack", "fgsm")(epsilon=0.1)  # weak enough to fail on some
    found = []
    for name, part in (("first", slice(0, HALF)), ("second", slice(HALF, N))):
        result = attack_images(net, images[part], labels[part], plan, seed=0, positions=np.arange(N)[part])
        store = attack_dataset(result, ids[part], labels[part], kind="fgsm", parameters={})
        write(folders[name] / "store.zarr.zip", store, ADVERSARIAL)
        found.append(result)
    adversarial = [np.concatenate([getattr(r, n) for r in found]) for n in ("adversarial", "adversarial_prediction")]
    return SimpleNamespace(root=root, folders=folders, net=net, images=images, labels=labels, adversarial=adversarial)


def job(study, of, stop, name):
    spec = {
        "stage": "group_maps",
        "seed": 5,
        "parameters": {
            "objective": {"kind": "cross_entropy", "parameters": {"penalty": 0.01}},
            "settings": OPTIMISATION,
            "images": of,
            "samples": {"split": "test", "start": 0, "stop": stop},
        },
    }
    inputs = {role: study.folders[role] for role in ("dataset", "checkpoint")}
    if of == "adversarial":
        inputs["adversarial"] = [study.folders["first"], study.folders["second"]]
    (study.root / name).mkdir()
    return Job(spec, inputs, study.root / name, {"device": "cpu"})


def script():
    spec = importlib.util.spec_from_file_location("script", REPOSITORY / "workflow_scripts" / "group_maps.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("of", "stop"), [("essential", 60), ("adversarial", N), ("adversarial", 60)])
def test_the_script_makes_the_maps_of_the_images_that_the_settings_name(study, of, stop):
    work = job(study, of, stop, f"{of}-{stop}")
    figures = script().run(work)
    store = read(work.folder / "store.zarr.zip", GROUP_MAPS)
    images, labels = study.images[:stop], study.labels[:stop]
    correct = predict(study.net, images) == labels
    assert 0 < correct.sum() < stop, "leaving out must be seen"
    adversarial = None
    if of == "adversarial":
        seen, answers = study.adversarial[0][:stop], study.adversarial[1][:stop]
        misled = correct & (answers != labels)
        assert 0 < misled.sum() < correct.sum()
        adversarial = Pictures(seen[misled], labels[misled], answers[misled])
        assert figures["n_adversarial"] == misled.sum()
    clean = Pictures(images[correct], labels[correct], labels[correct])
    expected = compute_group_maps(
        study.net, clean, "cross_entropy", {"penalty": 0.01}, GroupMapSettings(**OPTIMISATION),
        adversarial=adversarial, seed=5, device="cpu",
    )  # fmt: skip
    assert np.array_equal(store["map"].values, to_full(expected.map, 8))
    assert figures["n_images"] == correct.sum() == int(store["n_images"].sum())
    assert (store["accuracy"].values[store["n_images"].values > 0] == 1).all(), "only correct ones were taken"
    assert store.attrs["images"] == of
    assert store.attrs["objective"] == "cross_entropy"
