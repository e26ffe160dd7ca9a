"""Evaluations of class maps as a defence, written to a folder; all numbers known."""

from __future__ import annotations

import json
from math import nan
from pathlib import Path

import pandas as pd

from freqmaps.inference.proportions import wilson
from freqmaps.publish import Result

ITEMS = ("B25-T4",)
N, M = 400, 100  # images of either evaluation
PLACE = {"dataset": "toy", "model": "net", "training": "plain", "seed": "0"}
ATTACKS = {
    "soft": {"kind": "fmn", "parameters": {"norm": "linf", "steps": 100}},
    "hard": {"kind": "pgd", "parameters": {"norm": "linf", "epsilon": 8 / 255, "steps": 40, "random_start": True}},
}
#: Images that are right, by data and maps.
RIGHT = {
    "clean": {"none": 380, "essential": 380, "soft": 340, "hard": 300},
    "soft": {"none": 10, "essential": 60, "soft": 320, "hard": 290},
    "hard": {"none": 0, "essential": 4, "soft": 80, "hard": 210},
}
#: Images that are right under the strongest attack, and in the check of that name without maps.
WORST = {"none": 20, "soft": 60, "hard": 5}


def make(
    root: Path, *, published: bool = False, adaptive: bool = True, failed: str = "", seeds: int = 1
) -> list[Result]:
    """Write a study; ``published`` gives it the paper's dataset and model, ``failed`` names a check that fails."""
    dataset = {"kind": "cifar10" if published else "digits", "parameters": {}}
    model = {
        "architecture": "resnet_cifar" if published else "small_cnn",
        "parameters": {"depth": 20} if published else {},
    }
    results = [_result(root, "datasets", {"dataset": "toy"}, dataset)]
    for seed in map(str, range(seeds)):
        place = PLACE | {"seed": seed}
        results.append(_result(root, "training", place, {"model": model, "regime": {"kind": "standard"}}))
        for name, attack in ATTACKS.items():
            results.append(
                _result(root, "attacks", place | {"attack": name, "range": "test-0-400"}, {"attack": attack})
            )
        for of in ("essential", *ATTACKS):
            objective = {"kind": "cross_entropy", "parameters": {"penalty": 0.001}}
            parameters = {"objective": objective, "samples": {"split": "train", "start": 0, "stop": 900}}
            results.append(_result(root, "group_maps", place | {"group_maps": "class"} | _images(of), parameters))
        results.append(_evaluation(root, place, "two_pass", {}, N, _unaware()))
        if adaptive:
            budget = {"norm": "linf", "epsilon": 8 / 255}
            results.append(_evaluation(root, place, "adaptive", budget, M, _adaptive(failed)))
    return results


def _images(of: str) -> dict:
    kind = "essential" if of == "essential" else "adversarial"
    return {"images": kind, "attack": "none" if of == "essential" else of}


def _result(root: Path, stage: str, names: dict, parameters: dict) -> Result:
    folder = root.joinpath(stage, *names.values())
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"stage": stage, "key": folder.name, "headline": {}, "provenance": {"libraries": {}}}
    manifest["spec"] = {"stage": stage, "names": names, "parameters": parameters}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Result(stage, names, folder, manifest)


def _evaluation(root: Path, place: dict, kind: str, given: dict, n: int, rows: list[dict]) -> Result:
    evaluation = {"kind": kind, "parameters": {"group_maps": "class"} | given}
    samples = {"split": "test", "start": 0, "stop": n}
    names = place | {"evaluation": kind}
    result = _result(root, "evaluation", names, {"evaluation": evaluation, "samples": samples})
    pd.DataFrame(rows).to_csv(result.folder / "evaluation.csv", index=False)
    return result


def _row(right: int, before: int, n: int, **what: str) -> dict:
    low, high = wilson(right, n)
    row = what | {"measure": "accuracy", "value": right / n, "n": n, "low": low, "high": high}
    return row | {"lost": max(before - right, 0), "gained": max(right - before, 0)}


def _unaware() -> list[dict]:
    return [
        _row(right, by["none"], N, data=data, against="" if data == "clean" else "plain", maps=maps)
        for data, by in RIGHT.items()
        for maps, right in by.items()
    ]


def _adaptive(failed: str) -> list[dict]:
    rows = []
    for maps, worst in WORST.items():
        gradient = "network" if maps == "none" else "chosen map"
        found = [("clean", "none", 95), ("pgd", gradient, worst + 2), ("square", "none", worst + 9)]
        found += [("pgd", "choice", worst + 1)] if maps != "none" else []
        found += [("transfer", "none", worst + 5), ("worst", "none", worst)]
        before = dict(zip(("clean", "pgd", "square", "transfer", "worst"), (95, 22, 29, 25, 20), strict=True))
        empty = {"limit": nan, "reached": nan}
        rows += [_row(r, before[a], M, maps=maps, attack=a, gradient=g) | empty for a, g, r in found]
        for check in ("more steps", "unbounded reaches 0") if maps != "none" else ():
            row = _row(worst, worst, M, maps=maps, attack=check, gradient="none")
            row |= {"measure": "check", "value": float(check != failed), "low": nan, "high": nan}
            rows.append(row | {"limit": 0.11, "reached": worst / M})
    return rows
