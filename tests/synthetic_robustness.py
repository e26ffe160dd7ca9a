"""Evaluations of robustness and Fourier heat maps, written to a folder; all numbers known."""

from __future__ import annotations

import json
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from freqmaps.inference.proportions import wilson
from freqmaps.publish import Result
from freqmaps.spectra.transforms import frequencies
from freqmaps.stores import ARRAYS, write

ITEMS = ("C22-T3", "C22-T4", "C22-T5", "C22-T6", "C22-T7", "Y19-F1")
N = 400
STANDARD, FGSM = {"kind": "standard", "parameters": {}}, {"kind": "fgsm", "parameters": {"epsilon": 8 / 255}}
FGSM["parameters"] |= {"step": None, "start": "zero"}
PGD = {"kind": "adversarial", "parameters": {"epsilon": 8 / 255, "step": 2 / 255, "steps": 10, "random_start": False}}
ONE_STEP = {"kind": "adversarial", "parameters": {"steps": 1}}
JAFR, LESS = ({"kind": "jafr", "parameters": {"weight": w}} for w in (0.001, -0.001))
ALIGN = {"kind": "grad_align", "parameters": {"weight": 0.2}}
#: By the config's name: regime, regularisers, images that are right by attack (first seed), seconds of a step.
TRAININGS = {
    "plain": (STANDARD, [], {"clean": 380, "fgsm": 60, "pgd": 0, "cw": 0, "autoattack": 0}, 2.0),
    "pgd-at": (PGD, [], {"clean": 320, "fgsm": 220, "pgd": 200, "cw": 198, "autoattack": 190}, 16.0),
    "smooth": (STANDARD, [JAFR], {"clean": 381, "fgsm": 61, "pgd": 1, "cw": 0, "autoattack": 0}, 7.0),
    "quick": (FGSM, [], {"clean": 340, "fgsm": 345, "pgd": 2, "cw": 1, "autoattack": 0}, 5.0),
    "quick-smooth": (FGSM, [JAFR], {"clean": 322, "fgsm": 212, "pgd": 185, "cw": 180, "autoattack": 170}, 8.0),
    "quick-rough": (FGSM, [LESS], {"clean": 330, "fgsm": 300, "pgd": 0, "cw": 0, "autoattack": 0}, 8.0),
    "quick-aligned": (FGSM, [ALIGN], {"clean": 321, "fgsm": 217, "pgd": 188, "cw": 182, "autoattack": 172}, 8.0),
    "own": (ONE_STEP, [JAFR, ALIGN], {"clean": 300, "fgsm": 200, "pgd": 100, "cw": 90, "autoattack": 80}, 8.0),
}


def make(
    root: Path,
    *,
    seeds: int = 1,
    dataset: str = "digits",
    published: bool = False,
    trainings: tuple[str, ...] = tuple(TRAININGS),
    right: dict | None = None,
    failed: str = "",
    name: str = "toy",
) -> list[Result]:
    """Write a study; network ``s`` of a training has ``2 s`` more images right under each attack.

    ``published`` gives the paper's model and settings, ``right`` other numbers by training and attack, ``failed`` a
    check that ``quick`` fails.
    """
    results = [_result(root, "datasets", {"dataset": name}, {"kind": dataset, "parameters": {}})]
    model = {"architecture": "preact_resnet18" if published else "small_cnn", "parameters": {}}
    settings = {"epochs": 30, "schedule": "cyclic", "peak": 0.4, "batch": 128, "drop_last": True, "learning_rate": 0.2}
    for training in trainings:
        regime, regularisers, numbers, seconds = TRAININGS[training]
        numbers = numbers | (right or {}).get(training, {})
        for seed in range(seeds):
            place = {"dataset": name, "model": "net", "training": training, "seed": str(seed)}
            parameters = {"model": model, "regime": regime, "settings": settings}
            parameters |= {"regularisers": regularisers} if regularisers else {}
            trained = _result(root, "training", place, parameters, {"n_train": 1000})
            history = {"epoch": [1, 2, 3], "step_seconds": [9 * seconds, seconds, 0.5 * seconds]}
            pd.DataFrame(history).to_csv(trained.folder / "history.csv", index=False)
            given = {"epsilon": 8 / 255, "steps": 50, "restarts": 10, "step": None}
            spec = {"evaluation": {"kind": "robustness", "parameters": given}, "samples": {}}
            result = _result(root, "evaluation", place | {"evaluation": "robust"}, spec)
            rows = list(_rows(numbers, seed, failed if training == "quick" else ""))
            pd.DataFrame(rows).to_csv(result.folder / "evaluation.csv", index=False)
            results += [trained, result, _heat_map(root, place, training, seed)]
    return results


def _result(root: Path, stage: str, names: dict, parameters: dict, headline: dict | None = None) -> Result:
    folder = root.joinpath(stage, *names.values())
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"stage": stage, "key": folder.name, "headline": headline or {}, "provenance": {"libraries": {}}}
    manifest["spec"] = {"stage": stage, "names": names, "parameters": parameters}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Result(stage, names, folder, manifest)


def _rows(right: dict, seed: int, failed: str):
    about = {"gradient": "network", "lost": 0, "gained": 0, "limit": nan, "reached": nan, "reason": ""}
    for attack, hits in (right | {"worst": right["autoattack"]}).items():
        hits += 2 * seed
        low, high = wilson(hits, N)
        row = {"attack": attack, "measure": "accuracy", "value": hits / N, "n": N, "low": low, "high": high}
        lacks = "without apgd-t: the network has 3 classes" if attack == "autoattack" else ""
        yield row | about | {"reason": lacks}
    row = {"attack": "apgd-t", "measure": "accuracy", "value": nan, "n": 0, "low": nan, "high": nan}
    yield row | about | {"reason": "apgd-t needs 4 classes, the network has 3"}
    for check in ("more steps", "unbounded reaches 0"):
        row = {"attack": check, "measure": "check", "value": float(check != failed), "n": N, "low": nan, "high": nan}
        yield row | about


#: Error rates at low and at high frequencies by the kind of regime; each image errs at as many frequencies.
ERRORS = {"standard": (0.1, 0.7), "adversarial": (0.3, 0.2), "fgsm": (0.2, 0.6)}


def _heat_map(root: Path, place: dict, training: str, seed: int) -> Result:
    given = {"norm": 4.0, "images": N, "clip": False}
    spec = {"evaluation": {"kind": "fourier_heat_map", "parameters": given}, "samples": {}}
    result = _result(root, "evaluation", place | {"evaluation": "heat"}, spec)
    low, high = ERRORS[TRAININGS[training][0]["kind"]]
    radius = np.hypot(frequencies(8)[:, None], frequencies(8)[None])
    error = np.where(radius <= radius.max() / 2, low, high) + 0.02 * seed
    planes = {"error": error, "low": error - 0.05, "high": error + 0.05}
    ds = xr.Dataset({k: (("ky", "kx"), v) for k, v in planes.items()}, {"ky": frequencies(8), "kx": frequencies(8)})
    write(result.folder / "arrays.zarr.zip", ds, ARRAYS)
    values = {"none": 0.05, "all": error.mean(), "low": low + 0.02 * seed, "high": high + 0.02 * seed}
    rows = [
        {"frequencies": name, "measure": "error", "value": v, "n": N, "low": v - 0.03, "high": v + 0.03, "from": nan}
        | {"to": 2.83 if name == "low" else nan, "count": 64}
        for name, v in values.items()
    ]
    apart = {"value": high - low, "low": high - low - 0.04, "high": high - low + 0.04}
    rows.append(rows[0] | apart | {"frequencies": "high less low", "measure": "difference"})
    pd.DataFrame(rows).to_csv(result.folder / "evaluation.csv", index=False)
    return result
