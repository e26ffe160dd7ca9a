"""Which of the paper's seven ways a network was trained, read from its training's spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freqmaps.results.reader import Inputs

#: What the paper calls each, by the row of ``published.yaml``; in the paper's order.
CALLED = {
    "standard": "Standard",
    "jafr": "JaFR",
    "fgsm": "FGSM-AT",
    "fgsm, jafr": "FGSM-AT + JaFR",
    "fgsm, jafr(-)": "FGSM-AT + JaFR(−)",
    "fgsm, grad_align": "FGSM-AT + GradAlign",
    "pgd": "PGD-AT",
}


def training_row(inputs: Inputs, names: Mapping[str, str]) -> str:
    """Return the row of :data:`CALLED` that a network belongs to; empty if it is none of them.

    Parameters
    ----------
    inputs
        The study's results, those of stage ``training`` among them.
    names
        Names of any result of the network.
    """
    found = inputs.related("training", names)
    if not found:
        return ""
    kind, parameters = found[0].component("regime") or ("", {})
    regularisers = found[0].manifest["spec"]["parameters"].get("regularisers", [])
    row = ", ".join(part for part in (_regime(kind, parameters), *map(_regulariser, regularisers)) if part)
    row = row.removeprefix("standard, ")
    return row if row in CALLED else ""


def _regime(kind: str, parameters: Mapping[str, Any]) -> str:
    """Return what a regime is called in a row: PGD of a single step is FGSM."""
    if kind == "adversarial":
        return "fgsm" if parameters["steps"] == 1 else "pgd"
    return kind


def _regulariser(entry: Mapping[str, Any]) -> str:
    kind = str(entry["kind"])
    return f"{kind}(-)" if kind == "jafr" and entry["parameters"]["weight"] < 0 else kind
