"""Evaluations of Jacobian spectra by training, written to a folder; networks of known gradient, known histories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from freqmaps.evaluation import jacobian_spectra
from freqmaps.publish import Result
from freqmaps.stores import ARRAYS, write
from tests.synthetic_spectra import _result
from tests.test_evaluation_spectra import Wave, several

ITEMS = ("C22-F1", "C22-F2", "C22-T2", "C22-T2F")
N = 24
FGSM = {"kind": "fgsm", "parameters": {"epsilon": 8 / 255}}
PGD = {
    "kind": "adversarial",
    "parameters": {"epsilon": 8 / 255, "step": 2 / 255, "steps": 10, "random_start": False},
}
#: Of each training: regime, regularisers, and the frequency that its network sees.
TRAININGS = {
    "fast-jafr": (FGSM, [{"kind": "jafr", "parameters": {"weight": 0.001}}], (1, 0)),
    "plain": ({"kind": "standard", "parameters": {}}, [], (4, 4)),
    "jafr": ({"kind": "standard", "parameters": {}}, [{"kind": "jafr", "parameters": {"weight": 0.01}}], (1, 0)),
    "fast": (FGSM, [], (2, 1)),
    "fast-minus": (FGSM, [{"kind": "jafr", "parameters": {"weight": -0.001}}], (4, 3)),
    "align": (FGSM, [{"kind": "grad_align", "parameters": {"weight": 0.2}}], (1, 1)),
    "pgd": (PGD, [], (2, 0)),
    "turned": ({"kind": "rotate", "parameters": {}}, [], (2, 2)),
}
PLACE = {"dataset": "toy", "model": "net", "seed": "0"}


def make(
    root: Path, *, seeds: tuple[str, ...] = ("0",), published: bool = False, examples: int = 4, only: str = ""
) -> list[Result]:
    """Write a study; ``published`` gives the paper's dataset, model and settings, ``only`` names the one training."""
    dataset = {"kind": "cifar10" if published else "digits", "parameters": {}}
    results = [_result(root, "datasets", {"dataset": "toy"}, dataset)]
    for training, (regime, regularisers, frequency) in TRAININGS.items():
        for seed in seeds if only in ("", training) else ():
            place = {"dataset": "toy", "model": "net", "training": training, "seed": seed}
            spec = {
                "model": {"architecture": "preact_resnet18" if published else "small_cnn", "parameters": {}},
                "regime": regime,
                "settings": {"epochs": 30, "batch": 128, "schedule": "cyclic", "peak": 0.4 if published else 0.5},
            }
            trained = _result(root, "training", place, spec | ({"regularisers": regularisers} if regularisers else {}))
            _history(training).to_csv(trained.folder / "history.csv", index=False)
            results += [trained, _spectra(root, place, Wave(*frequency), int(seed), examples)]
    return results


def _history(training: str) -> pd.DataFrame:
    history = pd.DataFrame({"epoch": [1, 2, 3], "train_accuracy": [0.4, 0.6, 0.9]})
    if training.startswith("fast"):
        history["robust_accuracy"] = [0.3, 0.5, 0.0 if training == "fast" else 0.6]
        history["overfitted"] = [0, 0, int(training == "fast")]
    return history


def _spectra(root: Path, place: dict, net: Wave, seed: int, examples: int) -> Result:
    options = {"quadrant": "first", "magnitude_epsilon": 1e-5, "exponent_epsilon": 1e-5, "examples": examples}
    generator = np.random.default_rng(seed)
    smooth = np.cumsum(generator.uniform(size=(N, 1, 8, 8)), axis=2).astype(np.float32) / 8
    # Each network sees the others' frequencies a little, each seed otherwise.
    net.wave = net.wave + 0.01 * torch.from_numpy(generator.normal(size=(8, 8)).astype(np.float32))
    found = jacobian_spectra.compute(None, several({None: net}, smooth, generator.integers(0, 2, N)), seed=3, **options)
    parameters = {"evaluation": {"kind": "jacobian_spectra", "parameters": options}, "samples": {}}
    result = _result(root, "evaluation", place | {"evaluation": "jacobians"}, parameters)
    pd.DataFrame(found.rows).to_csv(result.folder / "evaluation.csv", index=False)
    write(result.folder / "arrays.zarr.zip", found.arrays, ARRAYS)
    return result
