"""Warnings of a finished result, which its manifest and those of all results made from it record.

Tables, figures and the report repeat them, so that a number is not read without its warning.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from math import sqrt
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.provenance.keys import digest
from freqmaps.study import budgets
from freqmaps.study.graph import Graph

DECIDES_NUMBERS = False

#: Standard errors above chance that an accuracy must have to be told from guessing.
_SURE = 2.0


def of_result(
    spec: Mapping[str, Any], headline: Mapping[str, Any], inputs: Iterable[Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """Return the warnings of a result that has just been made.

    Parameters
    ----------
    spec, headline
        Of the result.
    inputs
        The manifests of its inputs.

    Returns
    -------
    own, inherited
        Sentences that this result gives rise to, and those of its inputs, each once.
    """
    manifests = list(inputs)
    inherited = list(dict.fromkeys(sentence for manifest in manifests for sentence in manifest.get("warnings", ())))
    own = [_given_at_chance(spec, headline, manifests), _short_of_budget(spec)]
    return [sentence for sentence in own if sentence and sentence not in inherited], inherited


def of_datasets(graph: Graph) -> Iterator[str]:
    """Yield a sentence for each data set of a study that may not be read as it is meant.

    A kind of data set names the function that looks at it as ``DOUBTS = "module:function"``.

    Raises
    ------
    ConfigError
        An image that it looks at cannot be read.
    """
    for node in graph.nodes.values():
        if node.stage != "datasets":
            continue
        if node.names["dataset"] in graph.away:
            yield (
                f"datasets.{node.names['dataset']}: its images are not on this machine; the finished result "
                f"{node.path}, of the same name and parameters, stands for them"
            )
            continue
        dataset = node.spec["parameters"]
        module, _, function = components.find("dataset", dataset["kind"]).constants.get("DOUBTS", "").partition(":")
        if module:
            look = getattr(importlib.import_module(module), function)
            try:
                sentence = look(**dataset["parameters"], **node.options["located"])
            except ConfigError as error:
                raise ConfigError(f"datasets.{node.names['dataset']}: {error}") from error
            if sentence:
                yield f"datasets.{node.names['dataset']}: {sentence}"


def of_networks(graph: Graph) -> Iterator[str]:
    """Yield a sentence for each checkpoint that a study has under several names of models."""
    models: dict[tuple[str, str], list[str]] = {}
    for node in graph.nodes.values():
        if node.stage == "training" and "checkpoint" in node.spec["parameters"]:
            models.setdefault((node.names["dataset"], digest(node.spec["parameters"])), []).append(node.names["model"])
    for (dataset, _), names in models.items():
        if len(set(names)) > 1:
            yield (
                f"models {', '.join(sorted(set(names)))} on '{dataset}' are one network, the same checkpoint read in "
                "the same way, and would count as several; keep one of them"
            )


def _given_at_chance(
    spec: Mapping[str, Any], headline: Mapping[str, Any], inputs: Iterable[Mapping[str, Any]]
) -> str | None:
    """Say that a checkpoint somebody brought knows no more of its test images than a guess does."""
    accuracy, n = headline.get("test_accuracy"), headline.get("n_test")
    if spec["stage"] != "training" or "checkpoint" not in spec["parameters"] or accuracy is None or not n:
        return None
    classes = next((m["headline"].get("classes") for m in inputs if m.get("stage") == "datasets"), None)
    if not isinstance(classes, int) or classes < 2:
        return None
    chance = 1 / classes
    if accuracy > chance + _SURE * sqrt(chance * (1 - chance) / n):
        return None
    return (
        f"model '{spec['names']['model']}': the checkpoint classifies {100 * accuracy:.1f} % of {n} test images of "
        f"dataset '{spec['names']['dataset']}' correctly, and guessing among {classes} classes {100 * chance:.1f} %; "
        "the order of the classes, the normalisation or the architecture may not be those it was trained with"
    )


def _short_of_budget(spec: Mapping[str, Any]) -> str | None:
    parameters = spec["parameters"]
    for role in ("attack", "evaluation", "regime"):
        component = parameters.get(role)
        if isinstance(component, Mapping) and spec["stage"] in ("attacks", "evaluation", "training", "snapshots"):
            sentence = budgets.shortfall(str(component["kind"]), component["parameters"])
            if sentence:
                name = spec["names"].get("training" if role == "regime" else role, component["kind"])
                return f"{role} '{name}': {sentence}"
    return None
