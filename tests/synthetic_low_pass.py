"""Evaluations through low-pass filters, written to a folder; all numbers known."""

from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path

import pandas as pd

from freqmaps.inference.proportions import wilson
from freqmaps.publish import Result

ITEMS = ("F21-F6", "F21-T6")
N, M = 400, 100  # images, and those that adaptive attacks were made on
CUTOFFS = (1.0, 4.0, 8.0, 16.0)  # 16 cuts nothing
PGD = {"norm": "linf", "epsilon": 8 / 255, "steps": 40, "step": 4 / 255}
#: How the network of ``published`` studies was trained.
TRAINED = {"epsilon": 8 / 255, "steps": 40, "step": 4 / 255}
#: Images that are right, by training, data and cut-off; ``worst``: of those attacked by who knows the filter.
RIGHT = {
    "plain": {
        "clean": {inf: 380, 1.0: 100, 4.0: 320, 8.0: 360, 16.0: 380},
        "pgd": {inf: 0, 1.0: 40, 4.0: 200, 8.0: 160, 16.0: 0},
        "small": {inf: 100, 1.0: 60, 4.0: 260, 8.0: 300, 16.0: 100},
        "worst": {inf: 5, 4.0: 6, 8.0: 4},
    },
    "robust": {
        "clean": {inf: 320, 1.0: 100, 4.0: 300, 8.0: 310, 16.0: 320},
        "pgd": {inf: 190, 1.0: 60, 4.0: 185, 8.0: 191, 16.0: 190},
        "small": {inf: 280, 1.0: 80, 4.0: 270, 8.0: 285, 16.0: 280},
        "worst": {inf: 45, 8.0: 20},
    },
}


def make(
    root: Path,
    *,
    published: bool = False,
    attack: dict | None = None,
    aware: bool = True,
    failed: str = "",
    trainings: tuple[str, ...] = ("plain", "robust"),
    against: str = "",
    small: bool = False,
    trained: dict | None = None,
) -> list[Result]:
    """Write a study.

    ``published`` gives the paper's dataset, model and settings, ``failed`` names a failed check; ``small``: the same
    attack with half the budget, too; ``trained``: parameters of the adversarial regime instead of the paper's.
    """
    dataset = {"kind": "cifar10" if published else "digits", "parameters": {}}
    depth = {"depth": 32} if published else {}
    model = {"architecture": "resnet_cifar" if published else "small_cnn", "parameters": depth}
    results = [_result(root, "datasets", {"dataset": "toy"}, dataset)]
    for training in trainings:
        place = {"dataset": "toy", "model": "net", "training": training, "seed": "0"}
        regime = {"kind": "standard", "parameters": {}}
        if training == "robust":
            regime = {"kind": "adversarial", "parameters": TRAINED if trained is None else trained}
        settings = {"optimizer": "adam" if published else "sgd"}
        results.append(_result(root, "training", place, {"model": model, "regime": regime, "settings": settings}))
        kinds = {"pgd": {"kind": "pgd", "parameters": PGD} if attack is None else attack}
        kinds |= {"small": {"kind": "pgd", "parameters": PGD | {"epsilon": 4 / 255}}} if small else {}
        for name, kind in kinds.items():
            results.append(_result(root, "attacks", place | {"attack": name, "range": "test-0-400"}, {"attack": kind}))
        given = {"shape": "square", "norm": "linf", "epsilon": 8 / 255}
        parameters = {"evaluation": {"kind": "low_pass", "parameters": given}, "samples": {}}
        result = _result(root, "evaluation", place | {"evaluation": "low"}, parameters)
        rows = list(_rows(RIGHT[training], against or training, aware, failed, sorted(kinds, reverse=True)))
        pd.DataFrame(rows).to_csv(result.folder / "evaluation.csv", index=False)
        results.append(result)
    return results


def _result(root: Path, stage: str, names: dict, parameters: dict) -> Result:
    folder = root.joinpath(stage, *names.values())
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"stage": stage, "key": folder.name, "headline": {}, "provenance": {"libraries": {}}}
    manifest["spec"] = {"stage": stage, "names": names, "parameters": parameters}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Result(stage, names, folder, manifest)


def _row(right: int, before: int, n: int, **what: object) -> dict:
    low, high = wilson(right, n)
    row = what | {"measure": "accuracy", "value": right / n, "n": n, "low": low, "high": high}
    return row | {"lost": max(before - right, 0), "gained": max(right - before, 0), "limit": nan, "reached": nan}


def _rows(right: dict, against: str, aware: bool, failed: str, attacks: list[str]):
    for cutoff in (inf, *CUTOFFS):
        about = {"cutoff": cutoff, "kept": min(1.0, (2 * cutoff + 1) ** 2 / 1024 if cutoff < 16 else 1.0)}
        for attack in ("clean", *attacks):
            what = about | {"attacker": "unaware", "against": "" if attack == "clean" else against}
            yield _row(right[attack][cutoff], right[attack][inf], N, **what, attack=attack, gradient="none")
        if not aware or cutoff not in right["worst"]:
            continue
        what = about | {"attacker": "aware", "against": ""}
        for attack, more in (("clean", 50), ("apgd-ce", 2), ("worst", 0)):
            hits, before = (right["worst"][c] + more for c in (cutoff, inf))
            yield _row(hits, before, M, **what, attack=attack, gradient="none")
        if cutoff != inf:
            for check in ("more steps", "unbounded reaches 0"):
                row = _row(0, 0, M, **what, attack=check, gradient="none")
                yield row | {"measure": "check", "value": float(check != failed), "low": nan, "high": nan}
