"""Datasets and trained networks of a config: the nodes that everything else of a run rests on."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqmaps.core import class_names, components
from freqmaps.core.errors import ConfigError, NotHereError
from freqmaps.core.paths import expanded
from freqmaps.core.values import check_value
from freqmaps.provenance import code, keys
from freqmaps.stages import STAGES
from freqmaps.stages.work import Shape, estimated_seconds
from freqmaps.study import entries, precheck, snapshots, stored
from freqmaps.study.entries import DATASET_KEYS, MODEL_KEYS, SUPPLIED
from freqmaps.study.graph import Graph, Node, entry

DECIDES_NUMBERS = False

GIVEN = "given"
#: Stages whose jobs may compile the network.
_COMPILES = ("maps", "group_maps")
#: Trainings that take longer on one thread have two: shorter ones are done sooner side by side.
_SHORT_SECONDS = 120


def options(config: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """Return what a stage is told that decides no number."""
    chosen: dict[str, Any] = {"threads": config["threads"].get(stage, 1)}
    if STAGES[stage].on_device:
        chosen["device"] = config["device"]
    if stage in _COMPILES:
        chosen["compile"] = config["compile"]
    return chosen


class Networks:
    """Adds the datasets and the trained networks that one place of the config asks for.

    Parameters
    ----------
    config, graph
        The checked config, and the graph to add to.
    where
        The place in the config, for messages.
    """

    def __init__(self, config: Mapping[str, Any], graph: Graph, where: str) -> None:
        self.config, self.graph, self.where = config, graph, where

    def dataset(self, name: str) -> tuple[Node, Any]:
        """Add a dataset; return its node and its description."""
        configured = entry(self.config["datasets"], name, self.where, "dataset")
        where, kind = f"datasets.{name}", configured.pop("kind")
        allowed = check_value(configured.pop("stored", False), "bool", f"{where}.stored")
        component = components.find("dataset", kind, where)
        parameters = components.resolve("dataset", kind, configured, where=where, beside=DATASET_KEYS)
        if isinstance(parameters.get("classes"), list):  # accents count alike in either Unicode form, as for folders
            parameters["classes"] = [unicodedata.normalize("NFC", name) for name in parameters["classes"]]
        keyed = {k: v for k, v in parameters.items() if k not in component.unkeyed}
        located = {k: v for k, v in parameters.items() if k in component.unkeyed}

        def add(graph: Graph, identity: Mapping[str, Any]) -> Node:
            return graph.add(
                "datasets", {"dataset": name}, {"kind": kind, "parameters": keyed, "identity": identity}, {},
                parts=[component], options=options(self.config, "datasets") | {"located": located},
            )  # fmt: skip

        try:
            description = components.load("dataset", kind)(**parameters)
        except NotHereError as error:
            root = self.config["results"]
            description = stored.stand_in(error, root, name, lambda node: add(Graph(), node).path, allowed=allowed)
            self.graph.away.add(name)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        wrong = class_names.fault(description.classes)
        if wrong:
            raise ConfigError(f"{where}: of the names of classes, {wrong[0]}; give each class one name of its own")
        node = add(self.graph, description.identity)
        self.graph.shapes[node.key] = Shape(
            description.channels, description.size, len(description.classes), description.splits
        )
        return node, description

    def steps(self, description: Any, training: str, requested: Any, of: str = "") -> list[int]:
        """Return the steps of a training that a run looks at: see :func:`freqmaps.study.snapshots.resolve`."""
        where = f"{self.where}.snapshots{of}"
        if training == GIVEN:
            raise ConfigError(f"{where}: training '{GIVEN}' trains nothing, so it has no snapshots; name another one")
        images = description.splits.get("train", 0)
        if not images:
            raise ConfigError(f"{where}: the dataset has no 'train' samples, so nothing is trained; name another one")
        spec: dict[str, Any] = {}
        self._add_training(spec, training)
        return snapshots.resolve(requested, spec["settings"], images, where)

    def training(self, dataset: Node, description: Any, names: Mapping[str, str]) -> Node:
        """Add a trained network (``dataset, model, training, seed``), or its snapshot after a ``step``."""
        where = f"models.{names['model']}"
        model = entry(self.config["models"], names["model"], self.where, "model")
        architecture = components.find("model", model["architecture"], where)
        configured = {k: v for k, v in model.items() if k not in MODEL_KEYS}
        parameters = components.resolve(
            "model", model["architecture"], configured, where=where, supplied=SUPPLIED, beside=MODEL_KEYS
        )
        unkeyed = {k: parameters.pop(k) for k in architecture.unkeyed if k in parameters}
        shape = {"classes": len(description.classes), "channels": description.channels, "size": description.size}
        self._check_normalise(model["normalise"], description, where)
        spec: dict[str, Any] = {
            "model": {"architecture": model["architecture"], "parameters": parameters, "normalise": model["normalise"]},
        }
        if model["normalise"] == "pretrained":
            spec["model"]["normalise"] = self._pretrained_normalisation(architecture, parameters, shape, where)
        unkeyed_options = options(self.config, "training") | {"located": unkeyed}
        parts = [architecture]
        if (names["training"] == GIVEN) != (model["checkpoint"] is not None):
            raise ConfigError(
                f"{self.where}: training '{GIVEN}' and a model with a 'checkpoint' belong together; "
                f"model '{names['model']}' has checkpoint {model['checkpoint']!r}, training is '{names['training']}'"
            )
        if model["rename"] and model["checkpoint"] is None:
            raise ConfigError(f"{where}.rename: there is no checkpoint whose tensors it could rename; remove it")
        if model["checkpoint"] is not None:
            path = expanded(model["checkpoint"], f"{where}.checkpoint: ")
            # As pairs: rules are applied in the order given, which a mapping in a spec does not keep.
            renaming = {"rename": [list(rule) for rule in model["rename"].items()]} if model["rename"] else {}
            spec["checkpoint"], loaded = precheck.checkpoint(path, spec["model"], shape, where, renaming)
            unkeyed_options["checkpoint"] = str(loaded)
        else:
            parts += self._add_training(spec, names["training"])
            self._check_batch(spec["settings"], description, f"trainings.{names['training']}")
        weights = parameters.get("pretrained")
        if isinstance(weights, str) and Path(weights).suffix:
            parameters["pretrained"] = {
                "sha256": precheck.digest(expanded(weights, f"{where}.pretrained: "), f"{where}.pretrained")
            }
            unkeyed_options["located"]["pretrained"] = weights
        if model["checkpoint"] is None and precheck.is_open(architecture, parameters | shape):
            digest = code.stage_digest([architecture.path])
            precheck.network(self.graph.questions, spec["model"], unkeyed_options["located"], shape, digest, where)
        trained = {name: value for name, value in names.items() if name != "step"}
        if "step" in names:
            # The run's own steps are known to fit; those of a training that it names beside may not.
            of = f" (of training '{names['training']}')"
            (spec["step"],) = self.steps(description, names["training"], [int(names["step"])], of)
        return self.graph.add(
            "snapshots" if "step" in names else "training", names, spec, {"dataset": dataset}, parts=parts,
            options=unkeyed_options | {"threads": self._training_threads(dataset, spec)},
            seed=keys.seed(self.config["seed"], "training", *trained.values()),
        )  # fmt: skip

    def _training_threads(self, dataset: Node, spec: Mapping[str, Any]) -> int:
        chosen: int | None = self.config["threads"]["training"]
        seconds = estimated_seconds(
            "training", {"inputs": {"dataset": dataset.key}, "parameters": spec}, self.graph.shapes
        )
        return chosen or (2 if seconds > _SHORT_SECONDS else 1)

    def _add_training(self, spec: dict[str, Any], name: str) -> list[components.Component]:
        where = f"trainings.{name}"
        entry(self.config.get("trainings", {}), name, f"{self.where}.trainings", "training")
        resolved, parts = entries.training(self.config, name)
        spec |= resolved
        for part, chosen in zip(parts, [spec["regime"], *spec.get("regularisers", [])], strict=True):
            precheck.component(self.graph.questions, part, chosen["parameters"], where)
        precheck.settings(self.graph.questions, entries.training_settings(), spec["settings"], where)
        return parts

    @staticmethod
    def _check_batch(settings: Mapping[str, Any], description: Any, where: str) -> None:
        images = description.splits.get("train", 0)
        if settings.get("drop_last") and images < settings["batch"]:
            raise ConfigError(
                f"{where}.batch: {images} training images make no whole batch of {settings['batch']}; lower "
                "'batch', or set 'drop_last' to false"
            )

    @staticmethod
    def _check_normalise(normalise: Any, description: Any, where: str) -> None:
        if isinstance(normalise, Mapping):
            for part in ("mean", "std"):
                if len(normalise[part]) != description.channels:
                    raise ConfigError(
                        f"{where}.normalise.{part}: {len(normalise[part])} numbers for {description.channels} channels"
                    )

    @staticmethod
    def _pretrained_normalisation(
        architecture: components.Component, parameters: Mapping[str, Any], shape: Mapping[str, int], where: str
    ) -> dict[str, list[float]]:
        """Return the numbers that ``normalise: pretrained`` stands for; they, not the word, enter the key."""
        answers = f"{code.stage_digest([architecture.path])} {keys.versions(architecture.libraries)}"
        asked = {"architecture": architecture.name, "parameters": dict(parameters)}
        return precheck.normalisation(asked, shape, answers, f"{where}.normalise")

    def model_parts(self, model: str) -> list[components.Component]:
        """Return the network's code: it is rebuilt to load a checkpoint."""
        architecture = self.config["models"][model]["architecture"]
        return [components.find("model", architecture, f"models.{model}")]
