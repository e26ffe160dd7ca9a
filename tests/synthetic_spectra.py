"""Evaluations of perturbation spectra and maps along a training, written to a folder; networks of known gradient."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from safetensors.torch import save_file

from freqmaps.core.images import images_of
from freqmaps.evaluation import perturbation_spectra
from freqmaps.publish import Result
from freqmaps.stores import ARRAYS, MAPS, write
from tests.test_evaluation_spectra import Wave, several

ITEMS = tuple(
    f"F21-{item}" for item in ("F1", "F2", "F3", "F4", "F5", "F7", "F8", "F9", "F10", "F11", "F12", "F13", "X1")
)
N = 24
#: What networks see along a training: first a high frequency, then a low one.
ALONG = {0: Wave(3, 0), 4: Wave(2, 3), 9: Wave(1, 0)}
LAST = 9
PLACE = {"dataset": "toy", "model": "net", "training": "standard", "seed": "0"}
SETTINGS = {"epochs": 3, "batch": 8, "keep": "last", "drop_last": False}


def make(root: Path, *, snapshots: bool = True, adversarial: bool = True, flipped: bool = False) -> list[Result]:
    """Write a study: two deep networks, one trained with the squared error, a two-layer one, and snapshots of two.

    ``flipped``: the adversarially trained network is attacked at a higher frequency than the natural one.
    """
    results = [_result(root, "datasets", {"dataset": "toy"}, {"kind": "digits", "parameters": {}})]
    networks = {"standard": Wave(2, 2), "adversarial": Wave(3, 1) if flipped else Wave(1, 0)}
    for training in networks if adversarial else ("standard",):
        place = PLACE | {"training": training}
        results += [_training(root, place, training), _spectra(root, place, "final", {None: networks[training]})]
    results += [_training(root, PLACE | {"training": "mse"}, "standard")]
    results.append(_spectra(root, PLACE | {"training": "mse"}, "final-mse", {None: Wave(1, 1)}, loss="mse"))
    two = PLACE | {"model": "two", "training": "sgd"}
    results += [_training(root, two, "standard", "two_layer"), _spectra(root, two, "final", {None: Wave(1, 2)})]
    if snapshots:
        results += [_spectra(root, place, "along", ALONG, examples=0) for place in (PLACE, two)]
        for step, net in ALONG.items():
            for place, architecture in ((PLACE, "small_cnn"), (two, "two_layer")):
                result = _snapshot(root, place, step, architecture)
                save_file({"weight": net.wave.clone()}, result.folder / "model.safetensors")
                results.append(result)
            results += _maps(root, step)
    return results


def _snapshot(root: Path, place: dict, step: int, architecture: str) -> Result:
    return _result(root, "snapshots", place | {"step": str(step)}, _trained("standard", architecture) | {"step": step})


def _trained(regime: str, architecture: str) -> dict:
    return {
        "model": {"architecture": architecture, "parameters": {}},
        "regime": {"kind": regime, "parameters": {}},
        "settings": SETTINGS,
    }


def _training(root: Path, place: dict, regime: str, architecture: str = "small_cnn") -> Result:
    result = _result(root, "training", place, _trained(regime, architecture), {"n_train": 24})
    save_file({"weight": ALONG[LAST].wave + 0.25}, result.folder / "model.safetensors")
    return result


def _spectra(root: Path, place: dict, name: str, nets: dict, **options: object) -> Result:
    given = {"images": N, "steps": 3, "step": 0.5, "epsilon": 0.5, "clip": False, "random_start": False, "examples": 12}
    given |= {"loss": "cross_entropy", "shape": "square"} | options
    generator = np.random.default_rng(0)
    smooth = np.cumsum(generator.uniform(size=(N, 1, 8, 8)), axis=2).astype(np.float32) / 8
    found = perturbation_spectra.compute(None, several(nets, smooth, generator.integers(0, 2, N)), seed=3, **given)
    parameters = {"evaluation": {"kind": "perturbation_spectra", "parameters": given}, "samples": {}}
    result = _result(root, "evaluation", place | {"evaluation": name}, parameters)
    pd.DataFrame(found.rows).to_csv(result.folder / "evaluation.csv", index=False)
    write(result.folder / "arrays.zarr.zip", found.arrays, ARRAYS)
    return result


def _maps(root: Path, step: int) -> list[Result]:
    """Write maps of low frequencies from step 4 on; the untrained network has three images right, and none attacked."""
    results = []
    for images, attack in (("essential", "none"), ("adversarial", "pgd")):
        n = {0: 3 if images == "essential" else 0}.get(step, 14)
        generator = np.random.default_rng(step)
        plane = generator.uniform(0.1, 0.2, size=(n, 1, 8, 8)).astype(np.float32)
        plane[:, :, 3:6, 3:6] += 0.7 if step else 0.0
        plane[-1:] = 0  # a map that removes everything
        plane = (plane + np.roll(plane[:, :, ::-1, ::-1], (1, 1), (2, 3))) / 2
        columns = {name: (("sample",), np.zeros(n, np.int64)) for name in ("label", "target", "steps")}
        flags = {name: (("sample",), np.ones(n, bool)) for name in ("converged", "keeps_prediction")}
        store = xr.Dataset(
            {"map": (("sample", "channel", "ky", "kx"), plane), "loss": (("sample",), np.zeros(n))} | columns | flags,
            {"sample": [f"s{i}" for i in range(n)], "ky": np.arange(-4, 4), "kx": np.arange(-4, 4)},
            {"images": images, "objective": "cross_entropy", "parameters": "{}"},
        )
        names = PLACE | {"step": str(step), "maps": "ce"} | images_of(images, attack) | {"range": "test-0-24"}
        basis = {"basis": {"kind": "fourier", "parameters": {}}}
        result = _result(root, "maps", names, basis)
        write(result.folder / "store.zarr.zip", store, MAPS)
        results.append(result)
    return results


def _result(root: Path, stage: str, names: dict, parameters: dict, headline: dict | None = None) -> Result:
    folder = root.joinpath(stage, *names.values())
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"stage": stage, "key": folder.name, "headline": headline or {}, "provenance": {"libraries": {}}}
    manifest["spec"] = {"stage": stage, "names": names, "parameters": parameters}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Result(stage, names, folder, manifest)
