"""What compares maps and networks: matrices, correlations and evaluations of one entry of ``runs``."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError, nearest
from freqmaps.core.images import ADVERSARIAL, ESSENTIAL, NO_ATTACK, NOISE, images_of
from freqmaps.provenance import keys
from freqmaps.study import precheck, reads
from freqmaps.study.graph import Node, entry
from freqmaps.study.networks import options
from freqmaps.study.runs import NetworkResults, Place, Run

DECIDES_NUMBERS = False


def add_comparisons(run: Run) -> None:
    """Add a run's matrices, correlations and evaluations; they may read the maps of other runs."""
    comparisons = [_Comparison(run, results) for results in run.results]
    for comparison in comparisons:
        for setting in run.run["maps"]:
            for pairing in run.run["pairings"]:
                comparison.pairing(setting, pairing)
    if run.run["metrics"] and run.run["pairings"] and not any(comparison.pairs for comparison in comparisons):
        missing = [f"'{section}'" for section in ("maps", "attacks") if not run.run[section]]
        remedy = f"add {' and '.join(missing)}" if missing else "list both kinds of 'images' that its pairings join"
        raise ConfigError(f"{run.where}.metrics: this run has no maps to correlate; {remedy}, or remove 'metrics'")
    for evaluation in run.run["evaluations"]:
        kind = run.config["evaluations"][evaluation]["kind"]
        along = components.find("evaluation", kind, f"evaluations.{evaluation}").constants.get("SNAPSHOTS", False)
        # One result for all snapshots of a training, or one for each network.
        for networks in _trainings(run.results) if along else [[results] for results in run.results]:
            _Evaluation(run, networks).add(evaluation)


def _trainings(networks: list[NetworkResults]) -> Iterable[list[NetworkResults]]:
    """Return the networks that a run looks at by the training that they are of: one, or its snapshots."""
    groups: dict[tuple[str, ...], list[NetworkResults]] = {}
    for network in networks:
        groups.setdefault(tuple(value for name, value in network.names.items() if name != "step"), []).append(network)
    return groups.values()


class _Comparison:
    """The comparisons of one network of a run."""

    def __init__(self, run: Run, results: NetworkResults) -> None:
        self.run, self.results, self.names = run, results, results.names
        self.graph, self.config, self.where = run.graph, run.config, run.where
        self.pairs = 0

    def pairing(self, setting: str, name: str) -> None:
        """Add the matrices and correlations of one map setting and one pairing."""
        configured = dict(self.config["pairings"][name])
        kind, where = configured.pop("kind"), f"pairings.{name}"
        component = components.find("pairing", kind, where)
        parameters = components.resolve("pairing", kind, configured, where=where)
        precheck.component(self.graph.questions, component, parameters, where)
        reads.check_bases(
            self.results.maps(setting, ESSENTIAL), component.constants.get("BASES"), where, "this pairing"
        )
        place = self.names | {"maps": setting, "attack": NO_ATTACK, "pairing": name}
        second = component.constants["SECOND"]
        if second == "other network":
            self._matrices(place, kind, parameters, self._other_maps(setting, parameters, where))
            return
        for attack in self.run.run["attacks"]:
            maps = self.results.maps(setting, {ADVERSARIAL: self.run.adversarial, NOISE: NOISE}[second], attack)
            if not maps and second == NOISE:
                raise ConfigError(f"{self.where}.images: pairing '{name}' needs maps of 'noise'; add it to the list")
            self._matrices(place | {"attack": attack}, kind, parameters, maps)

    def _other_maps(self, setting: str, parameters: Mapping[str, Any], where: str) -> list[Node]:
        """Return the other network's essential maps of the same samples; none for that network itself."""
        if parameters["training"] is None and parameters["network_seed"] is None:
            raise ConfigError(f"{where}: it does not say which other network; give training, network_seed or both")
        other = dict(self.names)
        for parameter, name in (("training", "training"), ("network_seed", "seed")):
            if parameters[parameter] is not None:
                other[name] = str(parameters[parameter])
        if other == self.names:
            return []
        wanted = other | {"maps": setting} | images_of(ESSENTIAL)
        maps = [n for n in self.graph.nodes.values() if n.stage == "maps" and _of_network(n, wanted)]
        network = f"{other['model']}/{other['training']}, seed {other['seed']}"
        if not maps:
            raise ConfigError(f"{where}: no run makes essential maps '{setting}' of {network}; add it to a run")
        split, stop = self.results.samples["split"], self.results.samples["stop"]
        inside = [n for n in maps if _samples(n)["split"] == split and _samples(n)["start"] < stop]
        if not inside or max(_samples(n)["stop"] for n in inside) < stop:
            raise ConfigError(
                f"{where}: the essential maps '{setting}' of {network} are of other samples than those of "
                f"{self.where}; give both runs the same samples"
            )
        return inside

    def _matrices(self, place: Place, kind: str, parameters: Mapping[str, Any], second: list[Node]) -> None:
        first = self.results.maps(place["maps"], ESSENTIAL)
        if not first or not second or not self.run.run["metrics"]:
            return
        self.pairs += 1
        settings = components.settings("freqmaps.matrices.settings", "MatrixSettings")
        spec = {
            "settings": components.fill(settings, self.config["matrices"], where="matrices"),
            "pairing": {"kind": kind, "parameters": dict(parameters)},
        }
        reads.check_pooled(spec["settings"], first, self.graph.shapes[self.results.nodes["datasets"][0].key].size)
        inputs: dict[str, Node | list[Node]] = {"first": first, "second": second}
        if any(_samples(node)["stop"] > self.results.samples["stop"] for node in [*first, *second]):
            # Another run maps more samples; this one compares its own.
            spec["samples"], inputs["dataset"] = self.results.samples, self.results.nodes["datasets"][0]
        matrices = self.graph.add(
            "matrices", place, spec, inputs, parts=[components.find("pairing", kind)],
            seed=keys.seed(self.config["seed"], "matrices", *place.values()), options=options(self.config, "matrices"),
        )  # fmt: skip
        for metric in self.run.run["metrics"]:
            self._correlation(place | {"metric": metric}, matrices)

    def _correlation(self, place: Place, matrices: Node) -> None:
        metric = place["metric"]
        configured = entry(self.config["metrics"], metric, self.where, "metric")
        kind = configured.pop("kind")
        component, where = components.find("metric", kind, f"metrics.{metric}"), f"metrics.{metric}"
        resolved = components.fill(component, configured, where=where, supplied=("seed",))
        precheck.component(self.graph.questions, component, resolved, where)
        self.graph.add(
            "correlation", place, {"metric": {"kind": kind, "parameters": resolved}}, {"matrices": matrices},
            parts=[component],
            seed=keys.seed(self.config["seed"], "correlation", *place.values()),
            options=options(self.config, "correlation"),
        )  # fmt: skip


class _Evaluation:
    """The evaluations of one network of a run, or of all snapshots of one training."""

    def __init__(self, run: Run, networks: list[NetworkResults]) -> None:
        self.run, self.networks, self.results = run, networks, networks[0]
        self.names = self.results.names
        self.graph, self.config, self.where = run.graph, run.config, run.where

    def add(self, name: str) -> None:
        """Add an evaluation: it reads what this run made for the network, and other networks' group maps."""
        configured = dict(self.config["evaluations"][name])
        kind, where = configured.pop("kind"), f"evaluations.{name}"
        component = components.find("evaluation", kind, where)
        parameters = components.resolve("evaluation", kind, configured, where=where, supplied=("seed",))
        named = reads.named_components(component, parameters, where)
        reads.check_names(component, parameters, self.run.run, where, self.run.where)
        for part in (component, *named):
            precheck.component(self.graph.questions, part, parameters if part is component else {}, where)
        unkeyed = {key: parameters.pop(key) for key in component.unkeyed if key in parameters}
        spec = {"kind": kind, "parameters": parameters} | _identity(component, parameters | unkeyed, where)
        unkeyed_options = {"unkeyed": {"evaluation": {"parameters": unkeyed}}} if unkeyed else {}
        along = component.constants.get("SNAPSHOTS", False)
        names = {key: value for key, value in self.names.items() if key != "step"} if along else self.names
        networks = [network.nodes["training"][0] for network in self.networks]
        inputs: dict[str, Node | list[Node]] = {
            "dataset": self.results.nodes["datasets"][0],
            **({"snapshots": networks} if along and "step" in self.results.names else {"checkpoint": networks[0]}),
        }
        for stage in component.constants["NEEDS"]:
            inputs[stage] = self._needed(stage, parameters, where)
        for stage in ("maps", "group_maps"):
            bases = component.constants.get("BASES")
            reads.check_bases(inputs.get(stage, []), bases, f"{where}.{stage}", "this evaluation")
        reads.check_groups(inputs.get("group_maps", []), component.constants.get("GROUPS"), where)
        if component.constants.get("UNSEEN"):
            self._check_unseen(inputs.get("group_maps", []), where)
        self.graph.add(
            "evaluation", names | {"evaluation": name},
            {"evaluation": spec, "samples": self.results.samples}, inputs,
            parts=[component, *named, *self.run.networks.model_parts(self.names["model"])],
            seed=keys.seed(self.config["seed"], "evaluation", *names.values(), name),
            options=options(self.config, "evaluation") | unkeyed_options,
        )  # fmt: skip

    def _needed(self, stage: str, parameters: Mapping[str, Any], where: str) -> list[Node]:
        nodes = [n for network in self.networks for n in network.nodes.get(stage, []) if _named(n, parameters)]
        if not nodes:
            what = stage.replace("_", " ")
            raise ConfigError(f"{where}: it needs {what}, and {self.where} makes none with the names it gives")
        if stage == "group_maps":
            reads.check_sources(nodes, parameters, where)
            for training in parameters.get("masks_of") or []:
                nodes += [n for n in self._masks_of(training, parameters, where) if n not in nodes]
        return nodes

    def _check_unseen(self, maps: Node | list[Node], where: str) -> None:
        """Refuse to evaluate group maps on the samples that they were made from."""
        own = self.results.samples
        for node in maps if isinstance(maps, list) else [maps]:
            other = node.spec["parameters"]["samples"]
            splits = {own["split"], other["split"]}
            if (len(splits) == 1 or "all" in splits) and own["start"] < other["stop"] and other["start"] < own["stop"]:
                name = node.names["group_maps"]
                raise ConfigError(
                    f"{where}: it needs images that the maps have not seen, and group_maps.{name} was made from some "
                    f"of {self.where}.samples; give group_maps.{name} its own, such as 'samples: {{split: train}}'"
                )

    def _masks_of(self, training: str, parameters: Mapping[str, Any], where: str) -> list[Node]:
        """Return the group maps of another training's network, the rest being equal."""
        wanted = self.names | {"training": training}
        candidates = [n for n in self.graph.nodes.values() if n.stage == "group_maps" and _named(n, parameters)]
        group_maps = [n for n in candidates if _of_network(n, wanted)]
        if not group_maps:
            known = {
                n.names["training"]
                for n in candidates
                if _of_network(n, self.names | {"training": n.names["training"]})
            }
            raise ConfigError(
                f"{where}.masks_of: no run makes group maps of training '{training}'; {nearest(training, known)}"
            )
        return group_maps


def _identity(component: components.Component, parameters: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return what the files are that an evaluation reads, from the function that its ``IDENTITY`` names."""
    if "IDENTITY" not in component.constants:
        return {}
    module, _, function = component.constants["IDENTITY"].partition(":")
    try:
        identity = getattr(importlib.import_module(module), function)(**parameters)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return {} if identity is None else {"identity": identity}


def _of_network(node: Node, wanted: Mapping[str, str]) -> bool:
    """Whether a result carries these names, and is of the same snapshot, or of the finished network too."""
    return wanted.items() <= node.names.items() and node.names.get("step") == wanted.get("step")


def _samples(node: Node) -> Mapping[str, Any]:
    samples: Mapping[str, Any] = node.spec["parameters"]["samples"]
    return samples


def _named(node: Node, parameters: Mapping[str, Any]) -> bool:
    """Whether an evaluation that names ``attacks``, ``maps``, ``group_maps`` or a kind of maps means this result."""
    if node.stage == "maps" and node.names["images"] != parameters.get("images", node.names["images"]):
        return False
    for parameter, name in (("attacks", "attack"), ("maps", "maps"), ("group_maps", "group_maps")):
        wanted, name_of_result = parameters.get(parameter), node.names.get(name) if parameter == node.stage else None
        if (
            wanted is not None
            and name_of_result is not None
            and name_of_result not in ([wanted] if isinstance(wanted, str) else wanted)
        ):
            return False
    return True
