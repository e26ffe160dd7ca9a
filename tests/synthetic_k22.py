"""Networks of several regimes, the masks of all images and their evaluation, written to a folder; all numbers known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from freqmaps import stores
from freqmaps.evaluation import group_map_energy
from freqmaps.inference.proportions import wilson
from freqmaps.publish import Inputs, Result

REGIMES = {
    "plain": ("standard", {}),
    "pgd-at": ("adversarial", {"epsilon": 0.125, "step": 0.03125, "steps": 10, "clamp": "unit"}),
    "zoom": ("scale", {"low": 0.5, "high": 1.5, "interpolation": "bilinear"}),
    "move": ("translate", {"fraction": 0.4}),
    "turn": ("rotate", {"low": -180, "high": 180, "interpolation": "bilinear"}),
}
N = 200
#: Share of right answers of each regime's network of seed 0 without a mask; one image less per further seed.
RIGHT = {"plain": 190, "pgd-at": 170, "zoom": 180, "move": 178, "turn": 150}


def counts(training: str, seed: int, masks_of: str, filtered: str) -> tuple[int, int]:
    """The images lost and gained under a filter: few under the own mask, more under another's, many under controls."""
    if filtered == "none":
        return 0, 0
    if filtered == "map":
        far = abs(list(REGIMES).index(training) - list(REGIMES).index(masks_of))
        return 2 + seed + 10 * far, 1
    return {"complement": 90, "shuffled": 60}[filtered], 3


def mask(training: str, seed: int, start: int, channels: int, size: int) -> np.ndarray:
    """A mask whose radius depends on the regime, with a little noise of its own; point symmetric, sparse."""
    k = np.arange(size) - size // 2
    ky, kx = np.meshgrid(k, k, indexing="ij")
    width = {"plain": 0.35, "pgd-at": 0.2, "zoom": 0.25, "move": 0.3, "turn": 0.5}[training]
    squeeze = 2.0 if training == "pgd-at" else 1.0
    smooth = np.exp(-((np.hypot(ky * squeeze, kx) / (width * size)) ** 2))
    rng = np.random.default_rng([list(REGIMES).index(training), seed, start])
    noise = 0.02 * rng.random((channels, size, size))
    noise = noise + np.roll(noise[:, ::-1, ::-1], 1 - size % 2, axis=(1, 2))
    values = smooth[None] + noise
    return np.clip(np.where(values < 0.1, 0, values), 0, 1).astype(np.float32)


def make(
    root: Path,
    trainings: tuple[str, ...] = tuple(REGIMES),
    *,
    seeds: int = 2,
    starts: int = 2,
    channels: int = 1,
    size: int = 8,
    model: str = "net",
    bands: int = 8,
) -> list[Result]:
    """Write a study; every network is evaluated under the masks of all the given trainings.

    The first training's networks have the energies of all masks of their seed.
    """
    results = [_result(root, "datasets", {"dataset": "toy"}, {"kind": "digits", "parameters": {}})]
    for training in trainings:
        for seed in range(seeds):
            place = {"dataset": "toy", "model": model, "training": training, "seed": str(seed)}
            results += [_training(root, place), _masks(root, place, starts, channels, size)]
            results.append(_evaluation(root, place, trainings, starts))
    first = [place | {"training": trainings[0], "seed": str(seed)} for seed in range(seeds)]
    return [*results, *(energies(root, one, results, bands) for one in first)]


def energies(root: Path, place: dict, results: list[Result], bands: int, name: str = "energy") -> Result:
    """Evaluate the energies of all masks of a seed, as the first network's evaluation would."""
    masks = [r for r in results if r.stage == "group_maps" and r.names["seed"] == place["seed"]]
    given = {"group_maps": "global", "masks_of": [r.names["training"] for r in masks], "bands": bands}
    found = group_map_energy.compute(Inputs(masks), None, seed=0, **given)
    evaluation = {"kind": "group_map_energy", "parameters": given}
    network = {key: place[key] for key in ("dataset", "model", "training", "seed")}
    result = _result(root, "evaluation", network | {"evaluation": name}, {"evaluation": evaluation})
    pd.DataFrame(found.rows).to_csv(result.folder / "evaluation.csv", index=False)
    stores.write(result.folder / "arrays.zarr.zip", found.arrays.assign_attrs(kind="arrays"), stores.ARRAYS)
    return result


def _result(root: Path, stage: str, names: dict, parameters: dict) -> Result:
    folder = root.joinpath(stage, *names.values())
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"stage": stage, "key": folder.name, "headline": {}, "provenance": {"libraries": {}}}
    manifest["spec"] = {"stage": stage, "names": names, "parameters": parameters}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Result(stage, names, folder, manifest)


def _training(root: Path, place: dict) -> Result:
    kind, parameters = REGIMES[place["training"]]
    regime = {"kind": kind, "parameters": parameters}
    model = {"architecture": "small_cnn", "parameters": {"width": 32}}
    return _result(root, "training", place, {"model": model, "regime": regime})


def _masks(root: Path, place: dict, starts: int, channels: int, size: int) -> Result:
    k = np.arange(size) - size // 2
    maps = np.stack([mask(place["training"], int(place["seed"]), s, channels, size) for s in range(starts)])
    epochs = 20 + int(place["seed"]) + np.arange(starts)
    share = np.full(starts, 0.9)
    columns = {
        "map": (("group", "channel", "ky", "kx"), maps),
        "label": ("group", np.full(starts, -1)),
        "start": ("group", np.arange(starts)),
        "n_images": ("group", np.full(starts, N)),
        "n_adversarial": ("group", np.zeros(starts, dtype=np.int64)),
        "epochs": ("group", epochs),
        "kept_epoch": ("group", epochs),
        "converged": ("group", np.ones(starts, dtype=bool)),
        "loss": ("group", share),
        "mean_of_map": ("group", maps.mean(axis=(1, 2, 3), dtype=np.float64)),
        "share_of_zeros": ("group", (maps < 1e-8).mean(axis=(1, 2, 3))),
    }
    for name in ("accuracy", "filtered_accuracy", "adversarial_accuracy", "filtered_adversarial_accuracy"):
        columns[name] = ("group", share)
    for name in ("loss", "accuracy", "adversarial_accuracy", "mean_of_map", "share_of_zeros"):
        columns[f"history_{name}"] = (("group", "epoch"), np.full((starts, 3), 0.5))
    groups = ["all"] if starts == 1 else [f"all-start-{s}" for s in range(starts)]
    coordinates = {"group": np.array(groups, dtype=object), "ky": k, "kx": k, "epoch": np.arange(1, 4)}
    attrs = {"kind": "group_maps", "images": "essential", "objective": "invariance", "parameters": "{}"}
    objective = {"kind": "invariance", "parameters": {"penalty": 0.2, "norm": 1}}
    names = place | {"group_maps": "global", "images": "essential", "attack": "none"}
    result = _result(root, "group_maps", names, {"objective": objective, "settings": {"groups": "all"}})
    stores.write(result.folder / "store.zarr.zip", xr.Dataset(columns, coordinates, attrs), stores.GROUP_MAPS)
    return result


def _evaluation(root: Path, place: dict, masks_of: tuple[str, ...], starts: int) -> Result:
    rows = [
        _row(place, training, group, name)
        for training in masks_of
        for group in (["all"] if starts == 1 else [f"all-start-{s}" for s in range(starts)])
        for name in ("none", "map", "complement", "shuffled")
    ]
    evaluation = {"kind": "group_accuracy", "parameters": {"group_maps": "global", "masks_of": list(masks_of)}}
    result = _result(root, "evaluation", place | {"evaluation": "look"}, {"evaluation": evaluation})
    pd.DataFrame(rows).to_csv(result.folder / "evaluation.csv", index=False)
    return result


def _row(place: dict, masks_of: str, group: str, name: str) -> dict:
    training, seed = place["training"], int(place["seed"])
    lost, gained = counts(training, seed, masks_of, name)
    right = RIGHT[training] - seed - lost + gained
    low, high = wilson(right, N)
    row = {
        "masks_of": masks_of,
        "images": "essential",
        "attack": "none",
        "group": group,
        "filter": name,
        "measure": "accuracy",
    }
    return row | {"value": right / N, "n": N, "low": low, "high": high, "lost": lost, "gained": gained}


@pytest.fixture(scope="module", name="inputs")
def all_regimes(tmp_path_factory):
    return Inputs(make(tmp_path_factory.mktemp("five")))


@pytest.fixture(scope="module", name="natural_alone")
def one_network(tmp_path_factory):
    return Inputs(make(tmp_path_factory.mktemp("one"), ("plain",), seeds=1, starts=1))


@pytest.fixture(scope="module", name="two_regimes")
def two_networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    return Inputs(make(folder, ("pgd-at", "plain"), seeds=1, starts=1, channels=3, size=9, bands=32))
