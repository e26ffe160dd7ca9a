"""Networks trained in the paper's ways, with the accuracies that an evaluation found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.c22._training import CALLED, training_row
from freqmaps.results.reader import Inputs, Result

KIND = "robustness"
NAMES = ("dataset", "model", "training", "evaluation")


@dataclass(frozen=True)
class Trained:
    """The networks of one training, which differ by their seed, under one evaluation.

    Attributes
    ----------
    row
        The paper's name of the training, among those of ``_training.CALLED``; empty if it is none of them.
    results
        The evaluations, one per seed.
    rows
        ``evaluation.csv`` of each.
    """

    row: str
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

    @property
    def called(self) -> str:
        """The paper's name of the training, or the config's."""
        return CALLED.get(self.row, self.names["training"])

    def counts(self, attack: str) -> list[tuple[int, int]]:
        """Return how many images are right under an attack, and of how many, network by network."""
        found = [rows[(rows["attack"] == attack) & (rows["measure"] == "accuracy")] for rows in self.rows]
        return [(round(r["value"] * r["n"]), int(r["n"])) for f in found for r in f.to_dict("records") if r["n"]]

    def accuracies(self, attack: str) -> list[float]:
        """Return the accuracy under an attack of each network."""
        return [right / n for right, n in self.counts(attack)]

    def failed(self) -> list[str]:
        """Return the checks for masked gradients that are failed by any of the networks."""
        found = [rows.loc[(rows["measure"] == "check") & (rows["value"] < 1), "attack"] for rows in self.rows]
        return list(dict.fromkeys(str(name) for names in found for name in names))


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
    chosen = [r for r in every if _kind_of_data(inputs, r) == dataset] or every
    for result in chosen:
        groups.setdefault(tuple(result.names[name] for name in NAMES), []).append(result)
    if not groups:
        raise FreqmapsError(f"there is no evaluation of kind {kind}; add one to a run")
    found = [
        Trained(training_row(inputs, results[0].names), results, [Inputs([r]).evaluations(kind) for r in results])
        for results in groups.values()
    ]
    order = [*CALLED, ""]
    return sorted(found, key=lambda one: (one.names["dataset"], one.names["model"], order.index(one.row)))


def _kind_of_data(inputs: Inputs, result: Result) -> str:
    data = inputs.related("datasets", result.names)
    return (data[0].component("dataset") or ("",))[0] if data else ""
