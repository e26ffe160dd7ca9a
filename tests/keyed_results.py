"""A small results root with real keys and stores, made without the workflow: one network, one attack, two ranges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from freqmaps import stores
from freqmaps.core.images import images_of
from freqmaps.provenance import keys, manifest
from freqmaps.stages import places
from freqmaps.stores import checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PLACE = {"dataset": "toy", "model": "net", "training": "plain", "seed": "0"}
SHAPE, N = (1, 4, 4), 4


def make(
    root: Path, *, penalty: float = 0.1, dataset: str = "toy", attack: str = "pgd", split: str = "test"
) -> dict[str, Path]:
    """Write a study's results under a root; return their folders by stage, and by stage and range for shards."""
    made: dict[str, Path] = {}
    place = PLACE | {"dataset": dataset}
    made["datasets"] = _dataset(root, {"dataset": dataset})
    training = {
        "model": {"architecture": "small_cnn", "parameters": {"width": 32}, "normalise": "none"},
        "regime": {"kind": "standard", "parameters": {}},
        "settings": {"epochs": 2},
    }
    made["training"] = _result(root, "training", place, training, {"dataset": key(made["datasets"])}, _weights, seed=7,
                               headline={"test_accuracy": 0.9, "n_train": 8, "n_test": 8})  # fmt: skip
    before = {"dataset": key(made["datasets"]), "checkpoint": key(made["training"])}
    for start in (0, N):
        name, samples = f"{split}-{start}-{start + N}", {"split": split, "start": start, "stop": start + N}
        parameters = {"attack": {"kind": "pgd", "parameters": {"steps": 5, "epsilon": 0.1}}, "samples": samples}
        names = place | {"attack": attack, "range": name}
        made[f"attacks {start}"] = _result(root, "attacks", names, parameters, before, _adversarial(start), seed=9)
        for of in ("essential", attack):
            inputs = before | ({"adversarial": key(made[f"attacks {start}"])} if of == attack else {})
            maps = {
                "objective": {"kind": "cross_entropy", "parameters": {"penalty": penalty}},
                "settings": {"min_steps": 10, "max_steps": 20}, "samples": samples,
                "images": "essential" if of == "essential" else "adversarial",
            }  # fmt: skip
            names = place | {"maps": "ce"} | _images(of) | {"range": name}
            made[f"maps {of} {start}"] = _result(root, "maps", names, maps, inputs, _maps(of, start),
                                                 headline={"n": N, "median_steps": 12.0})  # fmt: skip
    pair = _names("matrices", place, attack)
    roles = {"first": "essential", "second": attack}
    joined = {role: [key(made[f"maps {of} {start}"]) for start in (0, N)] for role, of in roles.items()}
    made["matrices"] = _result(root, "matrices", pair, {"pool": "none"}, joined, _matrices)
    metric = {"metric": {"kind": "cosine", "parameters": {}}}
    made["correlation"] = _result(root, "correlation", _names("correlation", place, attack), metric,
                                  {"matrices": key(made["matrices"])}, _table, seed=3,
                                  headline={"value": 0.5, "n": 2 * N})  # fmt: skip
    return made


def simulation(root: Path, kind: str, **parameters: Any) -> Path:
    """Make a finished simulation, which reads nothing; return its folder."""
    given = {"simulation": {"kind": kind, "parameters": parameters}}
    return _result(root, "simulation", {"simulation": kind}, given, {}, _simulated, seed=0)


def key(folder: Path) -> str:
    return folder.name


def _images(of: str) -> dict[str, str]:
    return images_of("essential") if of == "essential" else images_of("adversarial", of)


def _names(stage: str, place: dict[str, str], attack: str) -> dict[str, str]:
    """Names of a stage's path; those that only some stages have get a value of their own."""
    given = place | {"maps": "ce", "attack": attack, "metric": "cosine", "images": "essential"}
    return {name: given.get(name, f"any-{name}") for name in places.fields(stage)}


def _result(root, stage, names, parameters, inputs, fill, *, seed=None, headline=None) -> Path:
    spec: dict[str, Any] = {
        "stage": stage, "names": names, "parameters": parameters, "inputs": inputs, "code": "0" * 16,
        "libraries": {"numpy": np.__version__},
    }  # fmt: skip
    if seed is not None:
        spec["seed"] = seed
    folder = root / places.place(stage, names, keys.key(spec))
    folder.mkdir(parents=True)
    fill(folder, {"spec": json.dumps(spec, sort_keys=True), "commit": COMMIT})
    path = folder / manifest.NAME
    manifest.write(path, spec, headline or {"n": N}, {"wall_s": 1.5, "cpu_s": 1.5, "device": "cpu"})
    edit(path, lambda found: found["provenance"].update(commit=COMMIT, dirty=False))
    (folder / "log.txt").write_text("said something\n")
    (folder / ".lock").touch()
    return folder


def edit(path: Path, change) -> None:
    """Change a manifest in place."""
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found, indent=1) + "\n")


def _dataset(root: Path, names: dict[str, str]) -> Path:
    def fill(folder, attributes):
        n = 4 * N
        ds = xr.Dataset(
            {"image": (("sample", "channel", "y", "x"), np.full((n, *SHAPE), 0.5, np.float32)),
             "label": ("sample", np.arange(n) % 2), "split": ("sample", ["train", "test"] * (n // 2))},
            coords={"sample": [f"s{i}" for i in range(n)]},
            attrs={"classes": ["a", "b"], "mean": [0.5], "std": [0.2], "source": "made up", "licence": "none"},
        )  # fmt: skip
        stores.write(folder / "store.zarr.zip", ds.assign_attrs(attributes), stores.DATASET)

    told = {"n": {"train": 2 * N, "test": 2 * N}, "classes": 2, "channels": 1, "size": 4}
    return _result(root, "datasets", names, {"kind": "made_up", "parameters": {}}, {}, fill, headline=told)


def _weights(folder, attributes):
    checkpoint.save(folder, {"weight": torch.ones(3)}, attributes)
    (folder / "history.csv").write_text("epoch,loss\n1,0.5\n")


def _adversarial(start):
    def fill(folder, attributes):
        ds = xr.Dataset(
            {"adversarial": (("sample", "channel", "y", "x"), np.full((N, *SHAPE), 0.6, np.float32)),
             "label": ("sample", np.zeros(N, np.int64)), "prediction": ("sample", np.zeros(N, np.int64)),
             "adversarial_prediction": ("sample", np.ones(N, np.int64)), "success": ("sample", np.ones(N, bool)),
             "linf": ("sample", np.full(N, 0.1, np.float32)), "l2": ("sample", np.full(N, 0.4, np.float32))},
            coords={"sample": [f"s{start + i}" for i in range(N)]},
            attrs={"attack": "pgd", "parameters": "{}", "epsilon": 0.1, "norm": "linf"},
        )  # fmt: skip
        stores.write(folder / "store.zarr.zip", ds.assign_attrs(attributes), stores.ADVERSARIAL)

    return fill


def _maps(of, start):
    def fill(folder, attributes):
        k = np.arange(4) - 2
        values = np.full((N, *SHAPE), 0.25, np.float32)
        ds = xr.Dataset(
            {"map": (("sample", "channel", "ky", "kx"), values), "loss": ("sample", np.ones(N)),
             **{v: ("sample", np.zeros(N, np.int64)) for v in ("target", "label", "steps")},
             **{v: ("sample", np.ones(N, bool)) for v in ("converged", "keeps_prediction")}},
            coords={"sample": [f"s{start + i}" for i in range(N)], "ky": k, "kx": k},
            attrs={"images": "essential" if of == "essential" else "adversarial", "objective": "cross_entropy",
                   "parameters": "{}", "basis": "fourier"},
        )  # fmt: skip
        stores.write(folder / "store.zarr.zip", ds.assign_attrs(attributes), stores.MAPS)

    return fill


def _matrices(folder, attributes):
    rows = np.full((2 * N, 16), 0.25, np.float32)
    ds = xr.Dataset(
        {"first": (("sample", "feature"), rows), "second": (("sample", "feature"), rows),
         "label": ("sample", np.zeros(2 * N, np.int64))},
        coords={"sample": [f"s{i}" for i in range(2 * N)]},
        attrs={"shape": [1, 4, 4], "pool": "none", "first_images": "essential", "second_images": "adversarial",
               "only_first": 0, "only_second": 0},
    )  # fmt: skip
    stores.write(folder / "store.zarr.zip", ds.assign_attrs(attributes), stores.MATRICES)


def _table(folder, attributes):
    (folder / "correlation.csv").write_text(f"metric,value,n\ncosine,0.5,{2 * N}\n")
    (folder / "per_sample.csv").write_text("sample,value\ns0,0.5\n")


def _simulated(folder, attributes):
    (folder / "simulation.csv").write_text("draws,share\n7,0.5\n")
    stores.write(folder / "arrays.zarr.zip", xr.Dataset(attrs=attributes), stores.ARRAYS)
