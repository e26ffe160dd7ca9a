"""Evaluations: the contract of all, and each against slow loops, on a small study made by the workflow's scripts."""

import csv
import textwrap

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from sklearn.metrics import silhouette_score

from freqmaps.analysis.linear import half_planes, linear_responses
from freqmaps.core import components
from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.core.images import called
from freqmaps.evaluation import Evaluated, Network, checked, filtered_accuracy
from freqmaps.evaluation._api import Networks, accuracy
from freqmaps.evaluation._filtered import shuffled
from freqmaps.evaluation.filtered_accuracy import partners
from freqmaps.inference.proportions import wilson
from freqmaps.models import load_classifier
from freqmaps.provenance import manifest
from freqmaps.spectra.masks import complement_mask
from freqmaps.spectra.transforms import frequencies, spectrum
from freqmaps.stores.selection import select
from freqmaps.study import config
from freqmaps.study.build import study as resolve
from tests import tiny_results as tiny
from tests.docs_blocks import block
from tests.workflow import REPOSITORY

SEED = 3  # of every stage of the small study


@pytest.fixture(scope="module", name="study")
def small_study(tmp_path_factory):
    return tiny.make(tmp_path_factory.mktemp("evaluations"))


@pytest.fixture(scope="module")
def networks(study):
    samples = select(study.folders["datasets/toy"], **tiny.SAMPLES)
    device = torch.device("cpu")
    found = {}
    for place in (tiny.PLAIN, tiny.ROBUST):
        folder = study.folders[tiny.network(place)["checkpoint"]]
        found[place["training"]] = Network(load_classifier(folder, device), device, place, samples)
    return found


def rows_of(folder, file="evaluation.csv"):
    return pd.read_csv(folder / file, dtype={"sample": str})


# --- contract of all evaluations


@pytest.mark.parametrize("kind", components.names("evaluation"))
def test_every_evaluation_keeps_the_contract(kind, study):
    component = components.find("evaluation", kind)
    parameters = component.constants["TINY"]
    assert set(component.constants["NEEDS"]) <= {"attacks", "maps", "group_maps"}
    assert set(component.constants.get("RANGES", {})) | set(parameters) <= set(component.parameters)
    first, second = (tiny.evaluation(study, tiny.PLAIN, kind, f"{kind}-{i}", **parameters) for i in range(2))
    for file in ("evaluation.csv", "samples.csv", "arrays.zarr.zip"):
        assert (first / file).read_bytes() == (second / file).read_bytes(), "the same seed, other numbers"
    rows = rows_of(first)
    assert len(rows) and {"measure", "value", "n", "low", "high"} <= set(rows)
    assert (rows["n"] >= 0).all() and np.isfinite(rows.loc[rows["n"] > 0, "value"]).all()
    bounded = rows.dropna(subset=["low", "high"])
    assert (bounded["low"] <= bounded["value"] + 1e-12).all() and (bounded["value"] <= bounded["high"] + 1e-12).all()
    assert manifest.problems(first, manifest.read(first)) == []
    if (first / "samples.csv").stat().st_size:
        assert set(rows_of(first, "samples.csv")["sample"]) <= {f"s{i:03d}" for i in range(180, 180 + tiny.N)}


def test_rows_must_be_rows_of_one_table():
    row = {"measure": "accuracy", "value": 1.0, "n": 1, "low": 0.0, "high": 1.0}
    assert checked([row], "mine") == Evaluated([row])
    for found, message in (
        ([], "returned no rows"),
        ([{"value": 1.0}], "measure, value, n, low, high among them"),
        ([row, row | {"more": 1}], "give all rows the same"),
        (Evaluated([row], [{"label": 1}]), "sample among them"),
    ):
        with pytest.raises(FreqmapsError, match=message):
            checked(found, "mine")


def test_answers_are_the_largest_probabilities(networks):
    network = networks["plain"]
    images = network.samples.images
    classes, probability = network.predict_with_probability(images)
    assert np.array_equal(classes, network.predict(images))
    for i in (0, 7, 59):
        logits = network.classifier(torch.from_numpy(images[i : i + 1]))[0].detach().double().numpy()
        assert classes[i] == logits.argmax()
        assert probability[i] == pytest.approx(
            np.exp(logits - logits.max()).max() / np.exp(logits - logits.max()).sum()
        )
    assert [len(part) for part in network.predict_with_probability(images[:0])] == [0, 0]


# --- filters


@pytest.mark.parametrize("size", [(8, 8), (5, 7), (6, 9), (1, 4)])
def test_shuffling_moves_pairs_of_opposite_frequencies(size):
    generator = np.random.default_rng(0)
    h, w = size
    place = np.arange(h * w).reshape(size)
    mirror = np.roll(place[::-1, ::-1], (1 - h % 2, 1 - w % 2), (0, 1))
    masks = np.minimum(place, mirror)[None, None].repeat(3, axis=0).repeat(2, axis=1).astype(np.float32)
    masks[:, 1] += 100  # the other channel: the same places must be drawn
    found = shuffled(masks, generator)
    assert np.array_equal(np.sort(found.reshape(3, 2, -1)), np.sort(masks.reshape(3, 2, -1)))
    assert np.array_equal(found.reshape(3, 2, -1)[..., mirror.ravel()], found.reshape(3, 2, -1)), "not point symmetric"
    assert np.array_equal(found[:, 1] - 100, found[:, 0])
    if h * w > 30:
        assert (found != masks).any() and (found[0] != found[1]).any()
    own = np.flatnonzero(place.ravel() == mirror.ravel())
    assert set(found[0, 0].ravel()[own]) == set(masks[0, 0].ravel()[own])


def test_partners_are_others_of_the_class_or_of_another():
    labels = np.array([0, 1, 0, 0, 2, 1])
    drawn = [partners(labels, np.random.default_rng(s), same_class=True) for s in range(40)]
    for found in drawn:
        assert found[4] == -1, "alone in its class"
        assert all(labels[found[i]] == labels[i] and found[i] != i for i in (0, 1, 2, 3, 5))
    assert {int(f[0]) for f in drawn} == {2, 3}
    others = partners(labels, np.random.default_rng(0), same_class=False)
    assert (labels[others] != labels).all()
    assert partners(np.zeros(3, int), np.random.default_rng(0), same_class=False).tolist() == [-1, -1, -1]


def look(network, images, masks):
    """Each image through its mask, if it has one, in double precision: answers, and their probabilities."""
    seen = []
    for image, mask in zip(images, masks, strict=True):
        if mask is not None:
            axes = (-2, -1)
            image = np.fft.ifft2(np.fft.ifftshift(mask.astype(np.float64), axes=axes) * np.fft.fft2(image)).real
        seen.append(torch.from_numpy(image.astype(np.float32)))
    with torch.no_grad():
        logits = network.classifier(torch.stack(seen)).double()
    return logits.argmax(1).numpy(), logits.softmax(1).max(1).values.numpy()


def slow_filters(labels, masks, generator):
    """Name, and for each image the mask that filters it; None where it is left out."""
    yield "none", [None] * len(masks), True
    yield "map", list(masks), True
    yield "complement", [np.where(m < 1e-8, 1.0, 0.0) for m in masks], True
    for name, same in (("same class", True), ("other class", False)):
        partner = partners(labels, generator, same_class=same)
        yield name, [masks[p] if p >= 0 else None for p in partner], False
    yield "shuffled", list(shuffled(masks, generator)), True


@pytest.mark.parametrize(
    ("place", "of", "name"),
    [
        (tiny.PLAIN, "essential", {}),
        (tiny.ROBUST, "essential", {}),
        (tiny.ROBUST, "transferred", {"attack": "fgsm", "against": "plain"}),
    ],
)
def test_filtered_accuracy_is_that_of_a_slow_loop(study, networks, place, of, name):
    folder = tiny.evaluation(study, place, "filtered_accuracy", f"loop-{of}", maps="tiny", images=of)
    rows = rows_of(folder).set_index(["data", "filter"])
    told = rows_of(folder, "samples.csv").set_index(["data", "filter", "sample"])
    network = networks[place["training"]]
    attacked = study.inputs.adversarial(attack="fgsm")
    fooled = (attacked["label"] == attacked["prediction"]) & attacked["success"]
    hit = set(attacked["sample"].values[fooled.values])
    maps = study.inputs.maps(**place, maps="tiny", images=of, **name)
    ids = [s for s in maps["sample"].values.tolist() if s in hit]
    assert 5 < len(ids) < tiny.N
    masks, labels = maps.sel(sample=ids)["map"].values, maps.sel(sample=ids)["label"].values
    clean = study.inputs.dataset("toy", samples=ids)["image"].values
    generator = np.random.default_rng(SEED)
    seen = 0
    for data, images in (("x", clean), ("x_A", attacked.sel(sample=ids)["adversarial"].values)):
        own = look(network, images, masks)[0] == labels
        for filtered, used, every in slow_filters(labels, masks, generator):
            members = [i for i in range(len(ids)) if every or used[i] is not None]
            found = look(network, images[members], [used[i] for i in members])
            answers = dict(zip(members, zip(*found, strict=True), strict=True))
            right = {i: answers[i][0] == labels[i] for i in members}
            row = rows.loc[(data, filtered)]
            assert (row["n"], row["value"] * row["n"]) == (len(members), pytest.approx(sum(right.values())))
            assert (row["low"], row["high"]) == pytest.approx(wilson(sum(right.values()), len(members)))
            assert row["lost"] == sum(own[i] and not right[i] for i in members)
            assert row["gained"] == sum(right[i] and not own[i] for i in members)
            assert (row["unmapped"], row["unused"]) == (tiny.N - maps.sizes["sample"], maps.sizes["sample"] - len(ids))
            if filtered in ("none", "map", "complement"):
                for i in members:
                    one = told.loc[(data, filtered, ids[i])]
                    assert (one["prediction"], one["label"]) == (answers[i][0], labels[i])
                    assert one["probability"] == pytest.approx(answers[i][1], abs=1e-4)
                    seen += 1
    assert seen == len(told)
    if place is tiny.PLAIN:  # by choice of the images
        assert rows.loc[("x", "none"), "value"] == 1 and rows.loc[("x_A", "none"), "value"] == 0
    if of == "transferred":
        assert rows.loc[("x_A", "none"), "value"] == 1


def test_filtered_accuracy_of_nothing_is_nan(study, networks, monkeypatch):
    original = study.inputs.adversarial
    monkeypatch.setattr(
        study.inputs,
        "adversarial",
        lambda **names: original(**names).assign(success=original(**names)["success"] & False),
    )
    found = checked(filtered_accuracy.compute(study.inputs, networks["plain"], seed=0, maps="tiny"), "mine")
    assert len(found.rows) == 12 and not found.samples
    assert all(np.isnan(row["value"]) and row["n"] == 0 and row["unused"] > 0 for row in found.rows)


def test_group_accuracy_is_that_of_a_slow_loop(study, networks):
    folder = tiny.evaluation(study, tiny.PLAIN, "group_accuracy", "loop-groups", group_maps="tiny", masks_of=["robust"])
    rows = rows_of(folder).set_index(["masks_of", "group", "filter"])
    network, generator = networks["plain"], np.random.default_rng(SEED)
    samples = network.samples
    assert set(rows.index.get_level_values("masks_of")) == {"plain", "robust"}
    for place in (tiny.PLAIN, tiny.ROBUST):
        store = study.inputs.group_maps(**place, group_maps="tiny", images="essential")
        for group, label, mask in zip(store["group"].values, store["label"].values, store["map"].values, strict=True):
            members = [i for i in range(tiny.N) if samples.labels[i] == label]
            random = shuffled(mask[None], generator)[0]
            for name, used in (
                ("none", None),
                ("map", mask),
                ("complement", complement_mask(mask)),
                ("shuffled", random),
            ):
                right = (look(network, samples.images[members], [used] * len(members))[0] == label).sum()
                row = rows.loc[(place["training"], str(group), name)]
                assert (row["n"], row["value"] * row["n"]) == (len(members), pytest.approx(right))
                assert (row["low"], row["high"]) == pytest.approx(wilson(right, len(members)))
    assert len(rows) == 2 * 10 * 4


# --- maps alone


def test_scores_are_those_of_the_points_told(study):
    folder = tiny.evaluation(
        study,
        tiny.PLAIN,
        "embedding",
        "points",
        maps="tiny",
        neighbours=5,
        folds=2,
        permutations=19,
        score_neighbours=4,
    )
    rows = rows_of(folder).set_index(["what", "space", "measure"])
    points = rows_of(folder, "samples.csv").set_index("sample")
    maps = study.inputs.maps(**tiny.PLAIN, maps="tiny", images="essential")
    labels = maps["label"].values
    kept = np.array([(labels == label).sum() > 1 for label in labels])
    assert points.index.tolist() == maps["sample"].values[kept].tolist()
    assert (rows["left_out"] == (~kept).sum()).all() and (rows["n"] == kept.sum()).all()
    halves = half_planes(maps["map"].values[kept])
    spaces = {
        ("maps", "rows"): halves,
        ("maps", "plane"): points[["maps_x", "maps_y"]].to_numpy(),
        ("responses", "rows"): linear_responses(halves, labels[kept], folds=2, seed=SEED),
        ("responses", "plane"): points[["responses_x", "responses_y"]].to_numpy(),
    }
    for place, values in spaces.items():
        distance = np.linalg.norm(values[:, None] - values[None], axis=-1).astype(np.float64)
        np.fill_diagonal(distance, np.inf)
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :4]
        purity = (labels[kept][nearest] == labels[kept][:, None]).mean()
        assert rows.loc[(*place, "silhouette"), "value"] == pytest.approx(
            silhouette_score(values, labels[kept]), abs=1e-3
        )
        assert rows.loc[(*place, "purity"), "value"] == pytest.approx(purity, abs=0.03)  # ties between equal maps
    assert rows.loc[("maps", "rows", "purity"), "p_value"] == pytest.approx(1 / 20)
    assert rows.loc[("maps", "rows", "purity"), "chance"] == pytest.approx(
        np.mean([((labels[kept] == label).sum() - 1) / (kept.sum() - 1) for label in labels[kept]])
    )


# --- in a config


def default():
    return config.read_files([REPOSITORY / "config.yaml"])


def maps_read(built, evaluation, training):
    (node,) = [
        n
        for n in built.graph.nodes.values()
        if (n.names.get("evaluation"), n.names.get("training")) == (evaluation, training)
    ]
    return {(n.names["maps"], called(n.names)) for n in node.inputs if n.stage == "maps"}


def test_an_evaluation_reads_the_kind_of_maps_that_it_names():
    built = resolve(default())
    assert maps_read(built, "k22-transferred", "adversarial") == {("k22-single", "pgd-2_16@standard")}
    assert maps_read(built, "k22-single", "adversarial") == {("k22-single", "essential")}
    assert maps_read(built, "k22-embedding", "standard") == {("k22-single", "essential")}
    raw = default()
    raw["maps"]["k22-single"]["basis"] = "phase"
    with pytest.raises(
        ConfigError, match=r"k22-single.maps: maps 'k22-single' have basis 'phase', and this .* fourier;"
    ):
        resolve(raw)
    raw = default()
    raw["evaluations"]["k22-linear"]["images"] = "transferred"
    with pytest.raises(ConfigError, match=r"k22-linear: it needs maps, and runs.* makes none"):
        resolve(raw)


def test_evaluations_are_written_as_they_are(study):
    """What is kept of a sample's answer is plain CSV: one row per sample, attack, data and filter."""
    folder = tiny.evaluation(study, tiny.PLAIN, "filtered_accuracy", "plain-csv", maps="tiny")
    with (folder / "samples.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["sample", "label", "attack", "against", "data", "filter", "prediction", "probability"]
    assert len({(r["sample"], r["data"], r["filter"]) for r in rows}) == len(rows)


def test_the_guides_example_is_an_evaluation(study, networks):
    """The code of docs/add-an-evaluation.md runs as it stands there."""
    text = (REPOSITORY / "docs" / "add-an-evaluation.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    module: dict = {}
    exec(compile(code, "guide", "exec"), module)
    network = networks["plain"]
    (every,) = checked(module["compute"](study.inputs, network, seed=0, radius=0.0), "guide").rows
    assert every["value"] == (network.predict(network.samples.images) == network.samples.labels).mean()
    (high,) = checked(module["compute"](study.inputs, network, seed=0, **module["TINY"]), "guide").rows
    assert high["value"] < every["value"] and high["n"] == tiny.N


def test_the_guides_evaluation_along_a_training_looks_at_each_network(study):
    """The second block of docs/add-an-evaluation.md."""
    code = "from __future__ import annotations\n" + block("add-an-evaluation.md", "python", 1)
    module: dict = {"accuracy": accuracy}
    exec(compile(code, "guide", "exec"), module)
    samples = select(study.folders["datasets/toy"], **tiny.SAMPLES)
    folders = {s: study.folders[tiny.network(p)["checkpoint"]] for s, p in ((0, tiny.PLAIN), (None, tiny.ROBUST))}
    rows = module["compute"](None, Networks(folders, torch.device("cpu"), tiny.PLAIN, samples), seed=0)
    assert module["SNAPSHOTS"] and [row["step"] for row in checked(rows, "guide").rows] == [0, ""]
    for row, folder in zip(rows, folders.values(), strict=True):
        net = load_classifier(folder, torch.device("cpu")).eval()
        assert row["value"] == (net(torch.from_numpy(samples.images)).argmax(1).numpy() == samples.labels).mean()


def test_the_guides_arrays_are_kept(networks):
    """The third block of docs/add-an-evaluation.md, which is the end of a function."""
    code = textwrap.indent(block("add-an-evaluation.md", "python", 2), "    ")
    module: dict = {"xr": xr, "spectrum": spectrum, "Evaluated": Evaluated}
    exec(compile(f"def end(rows, images, ky, kx):\n{code}", "guide", "exec"), module)
    images = networks["plain"].samples.images
    ky, kx = (frequencies(n) for n in images.shape[2:])
    found = checked(module["end"]([accuracy(np.ones(3, bool))], images, ky, kx), "guide").arrays
    expected = np.abs(np.fft.fftshift(np.fft.fft2(images), axes=(-2, -1))).mean(axis=(0, 1))
    np.testing.assert_allclose(found["mean"].values, expected, rtol=1e-4)
