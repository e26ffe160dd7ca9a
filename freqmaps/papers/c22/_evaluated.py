"""Networks trained in the paper's ways, with the accuracies that an evaluation found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.c22._networks import ORDER, named
from freqmaps.results.reader import Inputs, Result

KIND = "robustness"
NAMES = ("dataset", "model", "training", "evaluation")


@dataclass(frozen=True)
class Trained:
    """The networks of one training, which differ by their seed, under one evaluation.

    Attributes
    ----------
    row
        The paper's name of the training, one of ``_networks.ORDER``; empty if it is none of them.
    called
        What to call the training: the paper's name, with the config's where several have the same, or the config's.
    regularisers
        Kinds and parameters, as the training's spec has them.
    results
        The evaluations, one per seed.
    rows
        ``evaluation.csv`` of each.
    """

    row: str
    called: str
    regularisers: Sequence[tuple[str, Mapping[str, Any]]]
    results: Sequence[Result]
    rows: Sequence[pd.DataFrame]

    @property
    def names(self) -> dict[str, str]:
        """Dataset, model, training and evaluation."""
        return {name: self.results[0].names[name] for name in NAMES}

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the evaluation."""
        return (self.results[0].component("evaluation") or ("", {}))[1]

    def counts(self, attack: str) -> list[tuple[int, int]]:
        """Return how many images are right under an attack, and of how many, network by network."""
        tables = [rows[(rows["attack"] == attack) & (rows["measure"] == "accuracy")] for rows in self.rows]
        return [(round(r["value"] * r["n"]), int(r["n"])) for f in tables for r in f.to_dict("records") if r["n"]]

    def accuracies(self, attack: str) -> list[float]:
        """Return the accuracy under an attack of each network."""
        return [right / n for right, n in self.counts(attack)]

    def failed(self) -> list[str]:
        """Return the checks for masked gradients that are failed by any of the networks."""
        failures = [rows.loc[(rows["measure"] == "check") & (rows["value"] < 1), "attack"] for rows in self.rows]
        return list(dict.fromkeys(str(name) for names in failures for name in names))


def evaluated(inputs: Inputs, dataset: str = "", kind: str = KIND) -> list[Trained]:
    """Return the networks of each training, in the paper's order.

    Parameters
    ----------
    inputs
        The study's results.
    dataset
        A kind of dataset: where networks of such data were evaluated, only they are returned.
    kind
        Of evaluation.

    Raises
    ------
    FreqmapsError
        There is no such evaluation.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    every = [r for r in inputs.select("evaluation") if (r.component("evaluation") or ("",))[0] == kind]
    chosen = [r for r in every if kind_of_data(inputs, r) == dataset] or every
    for result in chosen:
        groups.setdefault(tuple(result.names[name] for name in NAMES), []).append(result)
    if not groups:
        raise FreqmapsError(f"there is no evaluation of kind {kind}; add one to a run")
    regularisers = {names: _regularisers(inputs, results[0]) for names, results in groups.items()}
    rows = {names: _row(inputs, results[0], regularisers[names]) for names, results in groups.items()}
    networks = []
    for names, results in groups.items():
        beside = [row for other, row in rows.items() if _apart(other) == _apart(names)]
        evaluations = [Inputs([r]).evaluations(kind) for r in results]
        called = _called(rows[names], names[2], beside)
        networks.append(Trained(rows[names], called, regularisers[names], results, evaluations))
    order = [*ORDER, ""]
    return sorted(
        networks, key=lambda network: (network.names["dataset"], network.names["model"], order.index(network.row))
    )


def _regularisers(inputs: Inputs, result: Result) -> list[tuple[str, dict[str, Any]]]:
    trained = inputs.related("training", result.names)
    spec = trained[0].manifest["spec"]["parameters"] if trained else {}
    return [(term["kind"], dict(term["parameters"])) for term in spec.get("regularisers", [])]


def _row(inputs: Inputs, result: Result, regularisers: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return the paper's name of a network's training; empty if it has none."""
    trained = inputs.related("training", result.names)
    name = named((trained[0].component("regime") if trained else None) or ("", {}), regularisers)
    return name if trained and name in ORDER else ""


def _apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names without the training's."""
    return tuple(name for key, name in zip(NAMES, names, strict=True) if key != "training")


def _called(row: str, training: str, beside: Sequence[str]) -> str:
    """Return what to call a training of a row, given the rows of all trainings of the same model and data."""
    if not row:
        return training
    return row if beside.count(row) == 1 else f"{row} ({training})"


def kind_of_data(inputs: Inputs, result: Result) -> str:
    """Return the kind of dataset that an evaluation's images are of; empty if the dataset is not among the inputs."""
    data = inputs.related("datasets", result.names)
    return (data[0].component("dataset") or ("",))[0] if data else ""
