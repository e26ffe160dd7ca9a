"""Evaluations of corruptions, written to a folder; which images are right is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from freqmaps.inference.proportions import wilson
from freqmaps.publish import Result
from freqmaps.spectra.transforms import frequencies
from freqmaps.stores import ARRAYS, write
from tests.synthetic_robustness import ALIGN, FGSM, JAFR, LESS, PGD, STANDARD

ITEMS = ("C22-T1", "C22-T8", "C22-X1", "C22-X2", "C22-X3")
N, SIZE = 300, 8
SEVERITIES = (1, 2, 3, 4, 5)
#: By corruption: its group, and how fast its spectrum falls: low frequencies first.
CORRUPTIONS = {
    "shot_noise": ("noise", -0.5),
    "fog": ("weather", 2.0),
    "pixelate": ("digital", 0.5),
    "gaussian_noise": ("noise", -1.0),
    "contrast": ("digital", 1.5),
    "zoom_blur": ("blur", 1.0),
}
ORDER = ("fog", "contrast", "zoom_blur", "pixelate", "shot_noise", "gaussian_noise")
#: By the config's name: regime, regularisers, the share of images that is right without a corruption, and under each
#: corruption by ORDER: the share at severity 1; each further severity takes a tenth of it away.
TRAININGS = {
    "pgd-at": (PGD, [], 0.70, (0.40, 0.42, 0.60, 0.60, 0.60, 0.60)),
    "plain": (STANDARD, [], 0.95, (0.90, 0.85, 0.80, 0.70, 0.50, 0.40)),
    "smooth": (STANDARD, [JAFR], 0.95, (0.88, 0.84, 0.82, 0.76, 0.70, 0.64)),
    "quick": (FGSM, [], 0.85, (0.80, 0.75, 0.70, 0.60, 0.50, 0.45)),
    "quick-smooth": (FGSM, [JAFR], 0.80, (0.60, 0.58, 0.71, 0.66, 0.72, 0.70)),
    "quick-rough": (FGSM, [LESS], 0.84, (0.92, 0.90, 0.68, 0.50, 0.30, 0.25)),
    "own": (FGSM, [JAFR, ALIGN], 0.50, (0.50, 0.50, 0.50, 0.50, 0.50, 0.50)),
}


def right(training: str, seed: int) -> dict[tuple[str, int], np.ndarray]:
    """Return which images are right, by corruption and severity; the same ones tend to be wrong everywhere."""
    _, _, clean, shares = TRAININGS[training]
    luck = np.random.default_rng([seed, list(TRAININGS).index(training)]).random(N)
    hard = np.random.default_rng(3).random(N)
    found = {("none", 0): 0.9 * hard + 0.1 * luck < clean}
    for name, share in zip(ORDER, shares, strict=True):
        for level in SEVERITIES:
            found[name, level] = 0.9 * hard + 0.1 * luck < share * (1 - 0.1 * (level - 1)) + 0.01 * seed
    return found


def plane(name: str, severity: int) -> np.ndarray:
    """Return the mean spectrum of what a corruption changes."""
    ky, kx = (frequencies(SIZE)[:, None], frequencies(SIZE)[None])
    return severity * np.exp(-CORRUPTIONS[name][1] * np.maximum(abs(ky), abs(kx)) / 2)


def make(
    root: Path,
    *,
    seeds: int = 1,
    by_image: bool = True,
    published: bool = False,
    known: bool = True,
    trainings: tuple[str, ...] = tuple(TRAININGS),
    dataset: str = "digits",
    name: str = "toy",
    without_effect: str = "",
) -> list[Result]:
    """Write a study.

    ``published``: with the paper's model and settings; ``known``: with what the corruptions change; ``by_image``: with
    the severities at which each image is right; ``without_effect``: a corruption that changes nothing.
    """
    results = [_result(root, "datasets", {"dataset": name}, {"kind": dataset, "parameters": {}})]
    model = {"architecture": "preact_resnet18" if published else "small_cnn", "parameters": {}}
    settings = {"epochs": 30, "schedule": "cyclic", "batch": 128, "drop_last": True, "learning_rate": 0.2}
    for training in trainings:
        regime, regularisers, _, _ = TRAININGS[training]
        for seed in range(seeds):
            place = {"dataset": name, "model": "net", "training": training, "seed": str(seed)}
            spec = {"model": model, "regime": regime, "settings": settings}
            results.append(_result(root, "training", place, spec | {"regularisers": regularisers}))
            results.append(_evaluation(root, place, right(training, seed), by_image, known, without_effect))
    return results


def _evaluation(root: Path, place: dict, hits: dict, by_image: bool, known: bool, without_effect: str) -> Result:
    spec = {"evaluation": {"kind": "corruptions", "parameters": {}}, "samples": {}}
    result = _result(root, "evaluation", place | {"evaluation": "corrupted"}, spec)
    rows = [_row(name, level, hits[name, level]) for name in CORRUPTIONS for level in SEVERITIES]
    pd.DataFrame([_row("none", 0, hits["none", 0]), *rows]).to_csv(result.folder / "evaluation.csv", index=False)
    counts = {name: np.sum([hits[name, level] for level in SEVERITIES], axis=0) for name in CORRUPTIONS}
    samples = pd.DataFrame({"sample": [f"s{i}" for i in range(N)], **counts})
    path = result.folder / "samples.csv"
    samples.to_csv(path, index=False) if by_image else path.write_text("")
    scales = {name: np.nan if not known else float(name != without_effect) for name in CORRUPTIONS}
    planes = [[plane(name, level) * scale for level in SEVERITIES] for name, scale in scales.items()]
    coords = {"corruption": list(CORRUPTIONS), "severity": list(SEVERITIES)}
    coords |= {"ky": frequencies(SIZE), "kx": frequencies(SIZE)}
    variable = (("corruption", "severity", "ky", "kx"), np.array(planes), {"missing": "not known"})
    write(result.folder / "arrays.zarr.zip", xr.Dataset({"difference_spectrum": variable}, coords), ARRAYS)
    return result


def _row(name: str, level: int, hits: np.ndarray) -> dict:
    low, high = wilson(int(hits.sum()), N)
    about = {"corruption": name, "group": CORRUPTIONS[name][0] if level else "none", "severity": level}
    about |= {"constants": "cifar" if level else "none", "measure": "accuracy"}
    return about | {"value": hits.mean(), "n": N, "low": low, "high": high}


def _result(root: Path, stage: str, names: dict, parameters: dict) -> Result:
    folder = root.joinpath(stage, *names.values())
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"stage": stage, "key": folder.name, "headline": {}, "provenance": {"libraries": {}}}
    manifest["spec"] = {"stage": stage, "names": names, "parameters": parameters}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Result(stage, names, folder, manifest)
