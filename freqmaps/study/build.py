"""From a checked config to the graph of its results, its items and its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freqmaps import components, manifest
from freqmaps.errors import ConfigError, nearest
from freqmaps.study import code, config, keys, precheck
from freqmaps.study.graph import SCRIPTS, Graph, Node, entry, ranges, root_relative

DECIDES_NUMBERS = False

GIVEN = "given"
_SUPPLIED = ("classes", "channels", "size")
_MODEL_KEYS = ("architecture", "normalise", "checkpoint")


@dataclass(frozen=True, eq=False)
class Item:
    """A table or figure of the current config: its parameters, the results that it reads, and its key."""

    name: str
    kind: str
    parameters: Mapping[str, Any]
    inputs: tuple[Node, ...]
    key: str

    @property
    def files(self) -> dict[str, str]:
        """Its files, below ``results/`` of the working directory."""
        if self.kind == "table":
            return {end: f"tables/{self.name}.{end}" for end in ("csv", "tex", "json")}
        return {end: f"figures/{self.name}.{end}" for end in ("svg", "png", "json")}


@dataclass
class Study:
    """A config, resolved."""

    config: dict[str, Any]
    graph: Graph = field(default_factory=Graph)
    items: dict[str, Item] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The results root."""
        return root_relative(self.config["results"])

    def report_key(self, templates: Sequence[str], shown: Mapping[str, Any]) -> str:
        """Return the key of the report: items, results, code, digests of its templates, the config that it shows."""
        spec = {
            "items": {i.name: i.key for i in self.items.values()},
            "results": sorted(self.graph.nodes),
            "code": code.stage_digest([SCRIPTS / "report.py"]),
            "templates": list(templates),
            "config": dict(shown),
        }
        return keys.key(spec)


def study(raw: Mapping[str, Any]) -> Study:
    """Resolve a config: check it, find its components, and derive every result's spec and key.

    Raises
    ------
    ConfigError
        Anything that can be known to fail before work starts.
    """
    built = Study(config.check(raw))
    for number, run in enumerate(built.config["runs"]):
        _Run(built, run, f"runs[{number}]").add()
    for number, given in enumerate(built.config["items"]):
        _add_item(built, {"item": given} if isinstance(given, str) else dict(given), f"items[{number}]")
    return built


def _options(built: Study, stage: str) -> dict[str, Any]:
    options: dict[str, Any] = {"threads": built.config["threads"][stage]}
    if stage in ("training", "attacks", "maps"):
        options["device"] = built.config["device"]
    return options


class _Run:
    """One entry of ``runs``: adds its nodes to the study's graph."""

    def __init__(self, built: Study, run: Mapping[str, Any], where: str) -> None:
        self.built, self.graph, self.run, self.where = built, built.graph, run, where
        self.seed = built.config["seed"]
        for section in ("datasets", "models", "trainings", "attacks", "maps", "metrics"):
            for name in run[section]:
                if (section, name) != ("trainings", GIVEN):
                    entry(built.config.get(section, {}), name, f"{where}.{section}", section.rstrip("s"))

    def add(self) -> None:
        for dataset in self.run["datasets"]:
            node, description = self._dataset(dataset)
            for model in self.run["models"]:
                for training in self.run["trainings"]:
                    for seed in self.run["seeds"]:
                        names = {"dataset": dataset, "model": model, "training": training, "seed": str(seed)}
                        self._network(node, description, names)

    def _dataset(self, name: str) -> tuple[Node, Any]:
        given = entry(self.built.config["datasets"], name, self.where, "dataset")
        where, kind = f"datasets.{name}", given.pop("kind")
        component = components.find("dataset", kind, where)
        parameters = components.resolve("dataset", kind, given, where=where)
        try:
            description = components.load("dataset", kind)(**parameters)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        keyed = {k: v for k, v in parameters.items() if k not in component.unkeyed}
        located = {k: v for k, v in parameters.items() if k in component.unkeyed}
        node = self.graph.add(
            "datasets", {"dataset": name}, {"kind": kind, "parameters": keyed, "identity": description.identity}, {},
            parts=[component], options=_options(self.built, "datasets") | {"located": located},
        )  # fmt: skip
        return node, description

    def _network(self, dataset: Node, description: Any, names: dict[str, str]) -> None:
        checkpoint = self._training(dataset, description, names)
        if not self.run["attacks"] and not self.run["maps"]:
            return
        shards = self._shards(description)
        attacked = {a: self._attack(dataset, checkpoint, names, a, shards) for a in self.run["attacks"]}
        for setting in self.run["maps"]:
            essential = self._maps(dataset, checkpoint, names, setting, "essential", shards, None)
            for attack, stores in attacked.items():
                adversarial = self._maps(dataset, checkpoint, names, setting, attack, shards, stores)
                self._correlate(names | {"maps": setting, "attack": attack}, essential, adversarial)

    def _shards(self, description: Any) -> list[tuple[str, int, int]]:
        samples = self.run["samples"]
        split, first = samples["split"], samples["first"]
        there = sum(description.splits.values()) if split == "all" else description.splits.get(split, 0)
        if there == 0:
            raise ConfigError(f"{self.where}.samples.split: the dataset has no '{split}' samples")
        if first is not None and first > there:
            raise ConfigError(f"{self.where}.samples.first: {first} asked for, but '{split}' has {there} samples")
        return ranges(split, first or there, self.built.config["shard"])

    def _training(self, dataset: Node, description: Any, names: dict[str, str]) -> Node:
        where = f"models.{names['model']}"
        model = entry(self.built.config["models"], names["model"], self.where, "model")
        architecture = components.find("model", model["architecture"], where)
        given = {k: v for k, v in model.items() if k not in _MODEL_KEYS}
        parameters = components.resolve("model", model["architecture"], given, where=where, supplied=_SUPPLIED)
        unkeyed = {k: parameters.pop(k) for k in architecture.unkeyed if k in parameters}
        self._check_normalise(model["normalise"], description, where)
        spec: dict[str, Any] = {
            "model": {"architecture": model["architecture"], "parameters": parameters, "normalise": model["normalise"]},
        }
        options = _options(self.built, "training") | {"located": unkeyed}
        parts = [architecture]
        if (names["training"] == GIVEN) != (model["checkpoint"] is not None):
            raise ConfigError(
                f"{self.where}: training '{GIVEN}' and a model with a 'checkpoint' belong together; "
                f"model '{names['model']}' has checkpoint {model['checkpoint']!r}, training is '{names['training']}'"
            )
        if model["checkpoint"] is not None:
            shape = {"classes": len(description.classes), "channels": description.channels, "size": description.size}
            path = root_relative(model["checkpoint"])
            digest = precheck.checkpoint(path, spec["model"], shape, where)
            spec |= {"checkpoint": {"sha256": digest}}
            options["checkpoint"] = str(path)
        else:
            parts += self._add_training(spec, names["training"])
        weights = parameters.get("pretrained")
        if isinstance(weights, str) and Path(weights).suffix:
            parameters["pretrained"] = {"sha256": precheck.digest(root_relative(weights), f"{where}.pretrained")}
            options["located"]["pretrained"] = weights
        return self.graph.add(
            "training", names, spec, {"dataset": dataset}, parts=parts, options=options,
            seed=keys.seed(self.seed, "training", *names.values()),
        )  # fmt: skip

    def _add_training(self, spec: dict[str, Any], name: str) -> list[components.Component]:
        where = f"trainings.{name}"
        given = entry(self.built.config.get("trainings", {}), name, f"{self.where}.trainings", "training")
        kind, parameters = _split_kind(given.pop("regime"))
        regime = components.find("regime", kind, where)
        loop = components.settings("freqmaps.training.settings", "TrainingSettings")
        spec["regime"] = {"kind": kind, "parameters": components.resolve("regime", kind, parameters, where=where)}
        spec["settings"] = components.fill(loop, given, where=where)
        return [regime]

    @staticmethod
    def _check_normalise(normalise: Any, description: Any, where: str) -> None:
        if isinstance(normalise, Mapping):
            for part in ("mean", "std"):
                if len(normalise[part]) != description.channels:
                    raise ConfigError(
                        f"{where}.normalise.{part}: {len(normalise[part])} numbers for {description.channels} channels"
                    )

    def _attack(
        self, dataset: Node, checkpoint: Node, names: dict[str, str], name: str, shards: list[tuple[str, int, int]]
    ) -> list[Node]:
        given = entry(self.built.config["attacks"], name, self.where, "attack")
        kind = given.pop("kind")
        component = components.find("attack", kind, f"attacks.{name}")
        parameters = components.resolve("attack", kind, given, where=f"attacks.{name}")
        seed = keys.seed(self.seed, "attacks", *names.values(), name)
        return [
            self.graph.add(
                "attacks", names | {"attack": name, "range": shard},
                {"attack": {"kind": kind, "parameters": parameters}, "samples": self._samples(start, stop)},
                {"dataset": dataset, "checkpoint": checkpoint},
                parts=[component, *self._model_parts(names)], seed=seed, options=_options(self.built, "attacks"),
            )
            for shard, start, stop in shards
        ]  # fmt: skip

    def _model_parts(self, names: Mapping[str, str]) -> list[components.Component]:
        """The network's code: it is rebuilt to load a checkpoint."""
        architecture = self.built.config["models"][names["model"]]["architecture"]
        return [components.find("model", architecture, f"models.{names['model']}")]

    def _samples(self, start: int, stop: int) -> dict[str, Any]:
        return {"split": self.run["samples"]["split"], "start": start, "stop": stop}

    def _maps(
        self,
        dataset: Node,
        checkpoint: Node,
        names: dict[str, str],
        setting: str,
        of: str,
        shards: list[tuple[str, int, int]],
        attacked: list[Node] | None,
    ) -> list[Node]:
        where = f"maps.{setting}"
        given = entry(self.built.config["maps"], setting, self.where, "map setting")
        kind, parameters = _split_kind(given.pop("objective"))
        component = components.find("objective", kind, where)
        # Parameters of the objective may stand beside the settings of the optimisation.
        parameters |= {k: given.pop(k) for k in list(given) if k in component.parameters}
        loop = components.settings("freqmaps.maps.settings", "MapSettings")
        unknown = [k for k in given if k not in loop.parameters]
        if unknown:
            allowed = [*component.parameters, *loop.parameters]
            raise ConfigError(f"{where}: unknown key '{unknown[0]}'; {nearest(unknown[0], allowed)}")
        spec = {
            "objective": {"kind": kind, "parameters": components.resolve("objective", kind, parameters, where=where)},
            "settings": components.fill(loop, given, where=where),
            "of": "essential" if attacked is None else "adversarial",
        }
        nodes = []
        for number, (shard, start, stop) in enumerate(shards):
            inputs: dict[str, Node | list[Node]] = {"dataset": dataset, "checkpoint": checkpoint}
            if attacked is not None:
                inputs["adversarial"] = attacked[number]
            nodes.append(
                self.graph.add(
                    "maps", names | {"maps": setting, "of": of, "range": shard},
                    spec | {"samples": self._samples(start, stop)}, inputs,
                    parts=[component, *self._model_parts(names)], options=_options(self.built, "maps"),
                )
            )  # fmt: skip
        return nodes

    def _correlate(self, names: dict[str, str], essential: list[Node], adversarial: list[Node]) -> None:
        settings = components.settings("freqmaps.matrices.settings", "MatrixSettings")
        parameters = components.fill(settings, self.built.config["matrices"], where="matrices")
        matrices = self.graph.add(
            "matrices", names, parameters, {"essential": essential, "adversarial": adversarial},
            options=_options(self.built, "matrices"),
        )  # fmt: skip
        for metric in self.run["metrics"]:
            given = entry(self.built.config["metrics"], metric, self.where, "metric")
            kind = given.pop("kind")
            resolved = components.resolve("metric", kind, given, where=f"metrics.{metric}", supplied=("seed",))
            self.graph.add(
                "correlation", names | {"metric": metric}, {"metric": {"kind": kind, "parameters": resolved}},
                {"matrices": matrices}, parts=[components.find("metric", kind)],
                seed=keys.seed(self.seed, "correlation", *names.values(), metric),
                options=_options(self.built, "correlation"),
            )  # fmt: skip


def _split_kind(value: Any) -> tuple[str, dict[str, Any]]:
    """A component is named alone, or as a mapping of ``kind`` and its parameters."""
    if isinstance(value, str):
        return value, {}
    rest = dict(value)
    return rest.pop("kind"), rest


def _add_item(built: Study, given: dict[str, Any], where: str) -> None:
    name = given.pop("item")
    if name in built.items:
        raise ConfigError(f"{where}: item '{name}' is listed twice")
    component = components.find("item", name, where)
    parameters = components.resolve("item", name, given, where=f"{where} ({name})")
    needs = component.constants["NEEDS"]
    nodes = [n for n in built.graph.nodes.values() if n.stage in needs and _wanted(n, component, parameters)]
    for attack in _attacks(parameters):
        known = {a for run in built.config["runs"] for a in run["attacks"]}
        if attack not in known:
            raise ConfigError(f"{where} ({name}).attacks: no run has attack '{attack}'; {nearest(attack, known)}")
    missing = [stage for stage in needs if not any(n.stage == stage for n in nodes)]
    if missing:
        raise ConfigError(f"{where}: item '{name}' needs results of stage '{missing[0]}', which no run asks for")
    spec = {
        "item": name,
        "parameters": parameters,
        "code": code.stage_digest([SCRIPTS / "items.py", component.path]),
        "data": [manifest.sha256(component.path.parent / name) for name in component.constants.get("DATA", ())],
        "inputs": sorted(n.path for n in nodes),
    }
    built.items[name] = Item(name, component.constants["KIND"], parameters, tuple(nodes), keys.key(spec))


def _wanted(node: Node, component: components.Component, parameters: Mapping[str, Any]) -> bool:
    """Whether an item reads a result: of the dataset, model, ... and attacks that it names, and of its metrics."""
    metrics = component.constants.get("METRICS")
    if node.stage == "correlation" and node.spec["parameters"]["metric"]["kind"] not in (metrics or ()):
        return False
    for name in ("dataset", "model", "training", "seed", "maps"):
        if parameters.get(name) is not None and node.names.get(name) not in (None, str(parameters[name])):
            return False
    attacks = _attacks(parameters)
    attack = node.names.get("attack") or node.names.get("of")
    return not attacks or attack in (None, "essential") or attack in attacks


def _attacks(parameters: Mapping[str, Any]) -> list[str]:
    """The attacks that an item names: as ``attacks`` or, if it shows one, as ``attack``."""
    one = parameters.get("attack")
    return list(parameters.get("attacks") or []) + ([one] if one else [])
