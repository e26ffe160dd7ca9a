"""A small finished study, written to a folder through the stores: two attacks and three budgets, all numbers known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from freqmaps import stores
from freqmaps.core import components
from freqmaps.core.images import images_of
from freqmaps.inference.verdicts import Claim
from freqmaps.publish import Inputs, Result, Table, write_figure, write_table
from freqmaps.stages import PATHS

CLASSES = ["zero", "one", "two", "three_&_<more>"]
PLACE = {"dataset": "toy", "model": "net", "training": "plain", "seed": "0"}
ATTACKS = {
    "fmn-linf": {"kind": "fmn", "parameters": {"norm": "linf", "steps": 100}},
    "strong": {"kind": "pgd", "parameters": {"norm": "linf", "epsilon": 8 / 255, "steps": 40, "random_start": True}},
    "weak": {"kind": "pgd", "parameters": {"norm": "linf", "epsilon": 1 / 255, "steps": 40, "random_start": True}},
}
METRICS = (
    "svcca", "cosine", "idcor", "linear_cka", "distance_correlation", "idcor_cleaned", "idcor_released",
    "svcca_released",
)  # fmt: skip
ORIGIN = {"freqmaps": "0.1.0", "commit": "0123456789abcdef", "dirty": False}


def make(root: Path, *, channels: int = 1, size: int = 8, n: int = 24, published: bool = False) -> list[Result]:
    """Write a study of ``n`` test images; ``published`` gives the dataset and the model of the paper."""
    rng = np.random.default_rng(7)
    ids = [f"s{i:03d}" for i in range(n)]
    labels = np.arange(n) % len(CLASSES)
    images = _images(rng, labels, channels, size)
    predictions = np.where(np.arange(n) % 6 == 5, (labels + 1) % len(CLASSES), labels)
    dataset = {"kind": "cifar10" if published else "digits", "parameters": {}}
    model = {
        "architecture": "resnet_cifar" if published else "small_cnn",
        "parameters": {"depth": 20} if published else {},
    }
    results = [_dataset(root, dataset, ids, labels, images), _training(root, model)]
    objective = {"kind": "cross_entropy", "parameters": {"penalty": 0.5 if published else 0.1}}
    correct = np.flatnonzero(predictions == labels)
    results += _maps(root, objective, "essential", ids, labels, labels, correct, rng, channels, size)
    for number, (name, attack) in enumerate(ATTACKS.items()):
        fooled = np.where(np.arange(n) % (number + 2) == 0, labels, (labels + 2) % len(CLASSES))
        success = fooled != labels
        noisy = np.clip(images + rng.normal(0, 0.1, images.shape), 0, 1).astype(np.float32)
        results += _attack(root, name, attack, ids, labels, predictions, fooled, success, noisy, images)
        rows = np.flatnonzero((predictions == labels) & success)
        results += _maps(root, objective, name, ids, labels, fooled, rows, rng, channels, size)
        results += [_matrices(root, name)]
        results += [_correlation(root, name, metric, number, len(rows)) for metric in METRICS]
    return results


#: Items that show examples, pictures or curves, and compute no sentence on them.
EXAMPLES = (
    "B25-F1", "B25-F2", "B25-F3", "C22-F2", "C22-T2F", "F21-F1", "F21-F3", "F21-F5", "F21-F6", "F21-F7", "F21-F9",
    "K22-F3", "K22-F5", "K22-F6",
)  # fmt: skip


def make_item(item: str, inputs: Inputs, parameters: dict, folder: Path) -> str:
    """Build an item and write its files; return its kind."""
    made = components.load("item", item)(inputs, **parameters)
    claims = [note for note in [*made.notes, *getattr(made, "claims", ())] if isinstance(note, Claim)]
    assert made.finding or claims or item in EXAMPLES, f"{item} has notes and says no finding"
    assert not made.finding or (made.finding.endswith(".") and "nan" not in made.finding), made.finding
    for claim in claims:
        assert claim.section and claim.reported and claim.n is not None, claim
    if isinstance(made, Table):
        write_table(made, folder / f"{item}.csv", folder / f"{item}.tex")
        return "table"
    write_figure(made, folder / f"{item}.svg", folder / f"{item}.png")
    return "figure"


def check_item(item: str, inputs: Inputs, folder: Path) -> None:
    """Check what every item owes: its constants, and that it can be built with defaults from the stages it names."""
    constants = components.find("item", item).constants
    assert constants["KIND"] in ("table", "figure") and constants["TITLE"] and constants["CAPTION"].endswith(".")
    assert set(constants["NEEDS"]) <= set(PATHS)
    reads = (*constants["NEEDS"], *constants.get("USES", ()))
    assert ("METRICS" in constants) == ("correlation" in reads)
    assert ("EVALUATIONS" in constants) == ("evaluation" in constants["NEEDS"])
    parameters = components.resolve("item", item, {}, where=item)
    needed = Inputs([r for r in inputs.results if _given(r, constants)])
    assert make_item(item, needed, parameters, folder) == constants["KIND"]


def _given(result: Result, constants: dict) -> bool:
    """Whether the workflow would give an item this result."""
    if result.names.get("images", "essential") not in constants.get("MAPS_OF", ("essential", "adversarial")):
        return False
    if result.stage == "evaluation" and result.component("evaluation")[0] not in constants.get("EVALUATIONS", ()):
        return False
    return result.stage in constants["NEEDS"]


def _images(rng, labels, channels, size):
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(2 * np.pi * (c + 1) * (x * np.cos(c) + y * np.sin(c))) for c in range(len(CLASSES))]
    base = np.stack([waves[c] for c in labels])[:, None] * np.linspace(0.2, 0.4, channels)[None, :, None, None]
    return np.clip(0.5 + base + rng.normal(0, 0.03, base.shape), 0, 1).astype(np.float32)


def _manifest(folder: Path, stage: str, names: dict, parameters: dict, headline: dict) -> Result:
    spec = {"stage": stage, "names": names, "parameters": parameters}
    provenance = ORIGIN | {"wall_s": 1.5, "device": "cpu", "date": "2025-01-02T03:04:05+00:00"}
    provenance |= {"libraries": {"numpy": np.__version__}}
    manifest = {"stage": stage, "key": folder.name, "headline": headline, "provenance": provenance, "spec": spec}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Result(stage, names, folder, manifest)


def _folder(root: Path, *parts: str) -> Path:
    folder = root.joinpath(*parts)
    folder.mkdir(parents=True)
    return folder


def _dataset(root, component, ids, labels, images) -> Result:
    folder = _folder(root, "datasets", "k0")
    ds = xr.Dataset(
        {"image": (("sample", "channel", "y", "x"), images), "label": ("sample", labels.astype(np.int64))},
        coords={"sample": ids},
        attrs={"classes": CLASSES, "mean": [0.5], "std": [0.2], "source": "made up", "licence": "none"},
    )
    ds["split"] = ("sample", ["train" if i % 3 == 0 else "test" for i in range(len(ids))])
    stores.write(folder / "store.zarr.zip", ds, stores.DATASET)
    return _manifest(folder, "datasets", {"dataset": "toy"}, component | {"identity": {"digest": "0"}}, {})


def _training(root, component) -> Result:
    folder = _folder(root, "training", "k1")
    return _manifest(folder, "training", PLACE, {"model": component}, {"test_accuracy": 0.9321})


def _attack(root, name, component, ids, labels, predictions, fooled, success, noisy, images) -> list[Result]:
    made, half = [], len(ids) // 2
    for start in (half, 0):  # out of order on purpose: readers must sort the ranges
        part = slice(start, start + half)
        delta = (noisy - images)[part].reshape(half, -1)
        ds = xr.Dataset(
            {
                "adversarial": (("sample", "channel", "y", "x"), noisy[part]),
                "label": ("sample", labels[part].astype(np.int64)),
                "prediction": ("sample", predictions[part].astype(np.int64)),
                "adversarial_prediction": ("sample", fooled[part].astype(np.int64)),
                "success": ("sample", success[part]),
                "linf": ("sample", np.abs(delta).max(1).astype(np.float32)),
                "l2": ("sample", np.linalg.norm(delta, axis=1).astype(np.float32)),
            },
            coords={"sample": ids[part]},
            attrs={"attack": component["kind"], "parameters": "{}", "epsilon": 0.0, "norm": "linf"},
        )
        folder = _folder(root, "attacks", name, f"k{start}")
        stores.write(folder / "store.zarr.zip", ds, stores.ADVERSARIAL)
        names = PLACE | {"attack": name, "range": f"test-{start}-{start + half}"}
        made.append(_manifest(folder, "attacks", names, {"attack": component}, {}))
    return made


def _maps(root, objective, of, ids, labels, targets, rows, rng, channels, size) -> list[Result]:
    k = np.arange(size) - size // 2
    radius = np.hypot(*np.meshgrid(k, k))
    half = len(ids) // 2
    made = []
    images = images_of("essential") if of == "essential" else images_of("adversarial", of)
    for start in (0, half):
        part = rows[(rows >= start) & (rows < start + half)]
        shape = (len(part), channels, size, size)
        values = rng.random(shape) * (rng.random(shape) < np.exp(-radius / (size / 4)))
        ds = xr.Dataset(
            {
                "map": (("sample", "channel", "ky", "kx"), values.astype(np.float32)),
                "target": ("sample", targets[part].astype(np.int64)),
                "label": ("sample", labels[part].astype(np.int64)),
                "steps": ("sample", (500 + part).astype(np.int64)),
                "loss": ("sample", np.linspace(1, 2, len(part))),
                "converged": ("sample", part % 5 != 0),
                "keeps_prediction": ("sample", part % 7 != 0),
            },
            coords={"sample": [ids[i] for i in part], "ky": k, "kx": k},
            attrs={"images": of, "objective": "cross_entropy", "parameters": "{}"},
        )
        folder = _folder(root, "maps", of, f"k{start}")
        stores.write(folder / "store.zarr.zip", ds, stores.MAPS)
        names = PLACE | {"maps": "small"} | images | {"range": f"test-{start}-{start + half}"}
        made.append(_manifest(folder, "maps", names, {"objective": objective}, {}))
    return made


def value(metric: str, number: int) -> float:
    """The value written for a metric and the attack of this number."""
    return 0.1 * (1 + METRICS.index(metric)) + 0.01 * number


def _matrices(root, attack) -> Result:
    """Only the manifest: of matrices, items read which pairing made them."""
    names = PLACE | {"maps": "small", "attack": attack, "pairing": "matched"}
    made = {"pairing": {"kind": "matched", "parameters": {}}, "settings": {"pool": "mean", "size": 4}}
    return _manifest(_folder(root, "matrices", attack), "matrices", names, made, {})


def _correlation(root, attack, metric, number, n) -> Result:
    folder = _folder(root, "correlation", attack, metric)
    row = {"metric": metric, "value": value(metric, number), "n": n, "n_dropped": number, "error": 0.012}
    row |= {"std": 0.2 if metric == "cosine" else None, "p_value": 1 / 101 if metric == "idcor" else None}
    row |= {"error_method": "half-samples", "extra": "{}", "attack": attack}
    pd.DataFrame([row]).to_csv(folder / "correlation.csv", index=False)
    if metric == "cosine":
        frame = pd.DataFrame({"sample": [f"s{i:03d}" for i in range(n)], "value": np.linspace(0, 1, n)})
        frame.to_csv(folder / "per_sample.csv", index=False)
    names = PLACE | {"maps": "small", "attack": attack, "pairing": "matched", "metric": metric}
    return _manifest(folder, "correlation", names, {"metric": {"kind": metric, "parameters": {}}}, {})
