"""One entry of ``runs``: adds its datasets, networks, attacks and maps to the graph."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.core.images import ADVERSARIAL, ESSENTIAL, NO_ATTACK, NOISE, TRANSFERRED, images_of
from freqmaps.provenance import code, keys
from freqmaps.study import entries, precheck
from freqmaps.study.graph import Graph, Node, entry
from freqmaps.study.networks import GIVEN, Networks, options

DECIDES_NUMBERS = False

_SECTIONS = ("datasets", "models", "trainings", "attacks", "maps", "group_maps", "metrics", "pairings", "evaluations")

#: The first so many samples of a split.
Part = tuple[str, int]
Place = dict[str, str]


@dataclass(frozen=True)
class NetworkResults:
    """The results of a run for one network: the names of the network, results by stage, the samples that they cover."""

    names: Place
    nodes: dict[str, list[Node]]
    samples: dict[str, Any] = field(default_factory=dict)

    def add(self, stage: str, nodes: list[Node]) -> None:
        """Add results of a stage to those that the run makes for this network."""
        self.nodes.setdefault(stage, []).extend(nodes)

    def maps(self, setting: str, images: str, attack: str = NO_ATTACK) -> list[Node]:
        """Return the maps of a setting and of some images, all ranges."""
        wanted = {"maps": setting, "images": images, "attack": attack}
        return [n for n in self.nodes.get("maps", []) if wanted.items() <= n.names.items()]


class Run:
    """One entry of ``runs``.

    Parameters
    ----------
    config, graph
        The checked config, and the graph to add to.
    run, where
        The entry, and its place in the config, for messages.
    """

    def __init__(self, config: Mapping[str, Any], graph: Graph, run: Mapping[str, Any], where: str) -> None:
        self.config, self.graph, self.run, self.where = config, graph, run, where
        self.networks = Networks(config, graph, where)
        self.results: list[NetworkResults] = []
        for section in _SECTIONS:
            for name in run[section]:
                if (section, name) != ("trainings", GIVEN):
                    entry(config.get(section, {}), name, f"{where}.{section}", section.rstrip("s").replace("_", " "))

        self.datasets = {name: self.networks.dataset(name) for name in run["datasets"]}
        self.places = list(self._places())
        for names in self.places:
            self._ask_samples(names)

    def _places(self) -> Iterator[Place]:
        """Yield the names of the run's networks: the finished ones, or their snapshots."""
        fields = ("dataset", "model", "training", "seed")
        chosen = (self.run[section] for section in ("datasets", "models", "trainings", "seeds"))
        for place in itertools.product(*chosen):
            names = dict(zip(fields, map(str, place), strict=True))
            if self.run["snapshots"] is None:
                yield names
                continue
            description = self.datasets[names["dataset"]][1]
            for step in self.networks.steps(description, names["training"], self.run["snapshots"]):
                yield names | {"step": str(step)}

    def _ask_samples(self, names: Place) -> None:
        """Note the samples that the run attacks and maps; ranges are cut once all runs have been asked."""
        description = self.datasets[names["dataset"]][1]
        if self._looks:
            part = self._part(description, self.run["samples"], f"{self.where}.samples")
            for attack in self.run["attacks"]:
                self.graph.extents.ask(_attack_of(self._target(names), attack), *part)
            for setting in self.run["maps"]:
                for images in self._images():
                    self.graph.extents.ask(_maps_of(names, setting, images), *part)
        for setting in self.run["group_maps"]:
            if ADVERSARIAL in self.config["group_maps"][setting]["images"]:
                part = self._group_part(description, setting)
                for attack in self.run["attacks"]:
                    self.graph.extents.ask(_attack_of(names, attack), *part)

    @property
    def _looks(self) -> bool:
        """Whether the run looks at samples one by one."""
        return any(self.run[wanted] for wanted in ("attacks", "maps", "evaluations"))

    def add_maps(self) -> None:
        """Add the networks, attacks and maps of this run to the study's graph."""
        for names in self.places:
            self._network(*self.datasets[names["dataset"]], names)

    def _target(self, names: Place) -> Place:
        """Return the network that is attacked: the run's own, or another one."""
        return names | ({"training": self.run["against"]} if self.run["against"] else {})

    def _network(self, dataset: Node, description: Any, names: Place) -> None:
        checkpoint = self.networks.training(dataset, description, names)
        results = NetworkResults(names, {"datasets": [dataset], "training": [checkpoint]})
        self.results.append(results)
        if self._looks:
            split, stop = self._part(description, self.run["samples"], f"{self.where}.samples")
            results.samples.update({"split": split, "start": 0, "stop": stop})
            self._attacks_and_maps(results, description, (split, stop))
        self._ask_networks(results, description)
        for setting in self.run["group_maps"]:
            results.add("group_maps", self._group_maps(results, description, setting))

    def _attacks_and_maps(self, results: NetworkResults, description: Any, part: Part) -> None:
        attacked: dict[str, list[Node]] = {}
        target = self._target(results.names)
        for attack in self.run["attacks"]:
            attacked[attack] = self._attack(results.nodes["datasets"][0], description, target, attack, part)
            results.add("attacks", attacked[attack])
        for setting in self.run["maps"]:
            for images in self._images():
                results.add("maps", self._maps(results, setting, images, part, attacked.get(images["attack"])))

    def _ask_networks(self, results: NetworkResults, description: Any) -> None:
        """Check each basis that looks into the network, once the network is known."""
        shape = {"classes": len(description.classes), "channels": description.channels, "size": description.size}
        model, parts = (
            results.nodes["training"][0].spec["parameters"]["model"],
            self.networks.model_parts(results.names["model"]),
        )
        for section, setting in [(part, name) for part in ("maps", "group_maps") for name in self.run[part]]:
            basis, component = entries.basis(self.config, section, setting)
            if component.constants.get("ASKS_NETWORK") or ":" in component.name:
                digest = code.stage_digest([component.path, *(part.path for part in parts)])
                precheck.basis(self.graph.questions, basis, model, shape, digest, f"{section}.{setting}.basis")

    def _images(self) -> list[Place]:
        """Return the names of the images that are mapped: clean ones, and those of each attack."""
        clean = [images_of(ESSENTIAL)] if ESSENTIAL in self.run["images"] else []
        kinds = {ADVERSARIAL: self.adversarial, NOISE: NOISE}
        wanted = [kind for name, kind in kinds.items() if name in self.run["images"]]
        return [*clean, *(images_of(k, attack, self.run["against"]) for attack in self.run["attacks"] for k in wanted)]

    @property
    def adversarial(self) -> str:
        """What this run's adversarial images are: made against the mapped network, or against another."""
        return TRANSFERRED if self.run["against"] else ADVERSARIAL

    def _part(self, description: Any, samples: Mapping[str, Any], place: str) -> Part:
        split, first = samples["split"], samples["first"]
        there = sum(description.splits.values()) if split == "all" else description.splits.get(split, 0)
        if there == 0:
            raise ConfigError(f"{place}.split: the dataset has no '{split}' samples")
        if first is not None and first > there:
            raise ConfigError(
                f"{place}.first: {first} asked for, but '{split}' has {there} samples; lower it or leave it out"
            )
        return split, first or there

    def _group_part(self, description: Any, setting: str) -> Part:
        """Return the samples that group maps are made from: their own, or the run's."""
        own = self.config["group_maps"][setting]["samples"]
        place = f"{self.where}.samples" if own is None else f"group_maps.{setting}"
        return self._part(description, self.run["samples"] if own is None else own, place)

    def _attack(self, dataset: Node, description: Any, names: Place, name: str, part: Part) -> list[Node]:
        """Add an attack on a network, which may be another than the run's own (``against``)."""
        checkpoint = self.networks.training(dataset, description, names)
        configured = entry(self.config["attacks"], name, self.where, "attack")
        kind = configured.pop("kind")
        component = components.find("attack", kind, f"attacks.{name}")
        parameters = components.resolve("attack", kind, configured, where=f"attacks.{name}")
        precheck.component(self.graph.questions, component, parameters, f"attacks.{name}", len(description.classes))
        seed = keys.seed(self.config["seed"], "attacks", *names.values(), name)
        return [
            self.graph.add(
                "attacks", names | {"attack": name, "range": shard},
                {"attack": {"kind": kind, "parameters": parameters}, "samples": _samples(shard, start, stop)},
                {"dataset": dataset, "checkpoint": checkpoint},
                parts=[component, *self.networks.model_parts(names["model"])], seed=seed,
                options=options(self.config, "attacks"),
            )
            for shard, start, stop in self.graph.extents.shards(_attack_of(names, name), *part, self.config["shard"])
        ]  # fmt: skip

    def _maps(
        self, results: NetworkResults, setting: str, images: Place, part: Part, attacked: list[Node] | None
    ) -> list[Node]:
        spec, parts = self._setting("maps", setting)
        drawn = [*results.names.values(), f"noise-{images['attack']}"]
        noise = keys.seed(self.config["seed"], "maps", *drawn) if images["images"] == NOISE else None
        nodes = []
        shards = self.graph.extents.shards(_maps_of(results.names, setting, images), *part, self.config["shard"])
        for number, (shard, start, stop) in enumerate(shards):
            inputs = self._network_inputs(results)
            if attacked is not None:
                inputs["adversarial"] = attacked[number]
            nodes.append(
                self.graph.add(
                    "maps", results.names | {"maps": setting} | images | {"range": shard},
                    spec | {"images": images["images"], "samples": _samples(shard, start, stop)}, inputs,
                    parts=[*parts, *self.networks.model_parts(results.names["model"])], seed=noise,
                    options=options(self.config, "maps"),
                )
            )  # fmt: skip
        return nodes

    @staticmethod
    def _network_inputs(results: NetworkResults) -> dict[str, Node | list[Node]]:
        return {"dataset": results.nodes["datasets"][0], "checkpoint": results.nodes["training"][0]}

    def _group_maps(self, results: NetworkResults, description: Any, setting: str) -> list[Node]:
        group_settings = self.config["group_maps"][setting]
        split, stop = self._group_part(description, setting)
        spec, parts = self._setting("group_maps", setting)
        settings = spec["settings"]
        if settings["stop"] == "k22" and ADVERSARIAL in group_settings["images"] and not settings["alternate"]:
            raise ConfigError(
                f"group_maps.{setting}: 'stop: k22' needs the accuracy on clean images, which 'alternate: false' "
                "leaves out; set stop to none, or alternate to true"
            )
        if spec["basis"]["kind"] == "fourier":  # the field came later; specs from before it stay what they were
            del spec["basis"]
        spec["samples"] = {"split": split, "start": 0, "stop": stop}
        attacked_by: dict[str, list[Node]] = {NO_ATTACK: []} if ESSENTIAL in group_settings["images"] else {}
        if ADVERSARIAL in group_settings["images"]:
            dataset = results.nodes["datasets"][0]
            for attack in self.run["attacks"]:
                attacked_by[attack] = self._attack(dataset, description, results.names, attack, (split, stop))
        return [
            self.graph.add(
                "group_maps", results.names | {"group_maps": setting, "images": _kind(attacked), "attack": attack},
                spec | {"images": _kind(attacked)},
                self._network_inputs(results) | ({"adversarial": attacked} if attacked else {}),
                parts=[*parts, *self.networks.model_parts(results.names["model"])],
                seed=keys.seed(self.config["seed"], "group_maps", *results.names.values(), setting),
                options=options(self.config, "group_maps"),
            )
            for attack, attacked in attacked_by.items()
        ]  # fmt: skip

    def _setting(self, section: str, name: str) -> tuple[dict[str, Any], list[components.Component]]:
        """Resolve an entry of ``maps`` or ``group_maps``, and have its components tried."""
        spec, parts = entries.optimisation(self.config, section, name)
        for part, chosen in zip(parts, (spec["objective"], spec["basis"]), strict=True):
            precheck.component(self.graph.questions, part, chosen["parameters"], f"{section}.{name}")
        return spec, parts


def _attack_of(names: Place, attack: str) -> tuple[str, ...]:
    return ("attacks", *names.values(), attack)


def _maps_of(names: Place, setting: str, images: Place) -> tuple[str, ...]:
    return ("maps", *names.values(), setting, *images.values())


def _kind(attacked: list[Node]) -> str:
    return ADVERSARIAL if attacked else ESSENTIAL


def _samples(name: str, start: int, stop: int) -> dict[str, Any]:
    return {"split": name.split("-")[0], "start": start, "stop": stop}
