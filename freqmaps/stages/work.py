"""The work of a planned or finished result, for estimates: images, steps, gradient passes, values stored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from freqmaps.core import components
from freqmaps.core.errors import ConfigError
from freqmaps.core.minibatches import count_steps

DECIDES_NUMBERS = False

#: Parameters of an attack or a regime that multiply its gradient passes.
_LOOPS = ("steps", "restarts", "binary_search_steps", "candidates")
#: ASSUME: maps converge a little after the first test for it (medians of 501 to 518 steps after 500 in all runs).
_SETTLED = 1.03
#: A training step is three passes' work, an input gradient two.
_TRAINING = 1.5
#: ASSUME: a regulariser differentiates an input gradient again, as much work as two of them.
_REGULARISER = 2.0
#: Stages that train a network.
TRAINS = ("training", "snapshots")


@dataclass(frozen=True)
class Shape:
    """Shape of a dataset: images (channels, size, size), number of classes, images per split."""

    channels: int
    size: int
    classes: int = 10
    splits: Mapping[str, int] = field(default_factory=dict)

    @property
    def values(self) -> int:
        """Numbers per image."""
        return self.channels * self.size**2

    @classmethod
    def of_dataset(cls, manifest: Mapping[str, Any]) -> Shape | None:
        """Return the shape that the manifest of a finished dataset records; None where it does not."""
        try:
            said = manifest["headline"]
            splits = {str(split): int(n) for split, n in said["n"].items()}
            return cls(int(said["channels"]), int(said["size"]), int(said["classes"]), splits)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


#: Which component of a spec says most about its work.
_ROLES = ("attack", "objective", "regime", "metric", "evaluation", "pairing", "simulation")


@dataclass(frozen=True)
class Network:
    """An architecture with its parameters."""

    architecture: str
    parameters: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """Text that is the same for the same network."""
        return json.dumps([self.architecture, dict(self.parameters)], sort_keys=True)


@dataclass(frozen=True)
class Case:
    """The work of one result.

    Attributes
    ----------
    stage, spec
        Which stage, and what decides its content.
    device
        ``cuda``, ``mps`` or ``cpu``.
    shape, network
        Of its dataset, and of its checkpoint (None: without one).
    images
        How many it works on.
    features
        Numbers per row of its matrices, after pooling; those of an image where there are none.
    steps
        Steps per image that were made, where that is known only afterwards; of a snapshot, the steps of training that
        were made for it, 0 where another result's training has left it.
    """

    stage: str
    spec: Mapping[str, Any]
    device: str
    shape: Shape
    network: Network | None
    images: float
    features: float
    steps: float | None = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What its spec sets."""
        parameters: Mapping[str, Any] = self.spec.get("parameters", {})
        return parameters

    @property
    def runs_network(self) -> bool:
        """Whether its seconds are those of a network: it trains one or reads a checkpoint."""
        return self.stage in TRAINS or "checkpoint" in self.spec.get("inputs", {})

    @property
    def component(self) -> tuple[str, Mapping[str, Any]]:
        """Kind and parameters of the component that it runs: attack, objective, regime, metric; else of the stage."""
        for name in _ROLES:
            value = self.parameters.get(name)
            if isinstance(value, Mapping) and "kind" in value:
                return str(value["kind"]), value.get("parameters", {})
        return str(self.parameters.get("kind", self.stage)), {}

    @property
    def setting(self) -> str:
        """Text that is the same for the same component with the same settings."""
        return json.dumps([*self.component, dict(self.parameters.get("settings", {}))], sort_keys=True)

    @property
    def loops(self) -> float:
        """Passes over its images that the settings ask for: epochs, or steps until a map has settled."""
        settings = self.parameters.get("settings", {})
        if self.steps is not None:
            return self.steps
        if "epochs" in settings:
            return float(settings["epochs"])
        if "max_steps" in settings:
            least = float(settings.get("min_steps", 0))
            return min(_SETTLED * least, settings["max_steps"]) if least else float(settings["max_steps"])
        return 1.0

    @property
    def gradients(self) -> float:
        """Its work in input gradients of one image each."""
        if self.stage == "snapshots":
            return self._seen * self._step
        if self.stage == "training":
            if "settings" not in self.parameters:  # a checkpoint that a user brings is only tested
                return self.images / 2
            return self.images * self.loops * self._step
        return self.images * self.loops * self._inner(default=1.0) * self._starts

    @property
    def _step(self) -> float:
        """Work of a training step per image."""
        return _TRAINING + self._inner(default=0.0) + _REGULARISER * len(self.parameters.get("regularisers", ()))

    @property
    def _seen(self) -> float:
        """Images that the steps of training made for a snapshot go through."""
        settings = self.parameters["settings"]
        per_epoch = count_steps(1, int(self.images), settings["batch"], settings.get("drop_last", False))
        epochs, rest = divmod(self.steps or 0.0, max(per_epoch, 1))
        return epochs * self.images + rest * float(settings["batch"])

    @property
    def declared_seconds(self) -> float | None:
        """The seconds that a simulation says it takes with its default parameters; None where nothing is said."""
        return _cost(self.stage, self.component[0]) if self.stage == "simulation" else None

    @property
    def counted(self) -> bool:
        """Whether its settings say how many passes it makes; an evaluation's do not."""
        return self.stage in (*TRAINS, "attacks") or "settings" in self.parameters

    @property
    def rows(self) -> float:
        """Rows of its store: images, or groups of them."""
        groups = self.parameters.get("settings", {}).get("groups")
        if groups is None:
            return self.images
        return (self.shape.classes if groups == "class" else 1.0) * self._starts

    @property
    def _starts(self) -> float:
        return float(self.parameters.get("settings", {}).get("starts", 1))

    def _inner(self, default: float) -> float:
        """Gradient passes that its component makes per pass."""
        kind, parameters = self.component
        loops = [float(parameters[name]) for name in _LOOPS if parameters.get(name)]
        share = _cost(self.stage, kind)
        if not loops:
            return default if share is None else share
        return math.prod(loops) * (1.0 if share is None else share)


#: Stages whose components say what they take, and the kind of component.
_HAVE_COSTS = {
    "attacks": "attack", "training": "regime", "snapshots": "regime", "maps": "objective", "simulation": "simulation"
}  # fmt: skip


@cache
def _cost(stage: str, kind: str) -> float | None:
    """Return a component's constant ``COST``: the share of its loops that it makes; without loops, its passes.

    That of a simulation, which reads nothing, is its seconds on one thread with its default parameters.
    """
    role = _HAVE_COSTS.get(stage)
    try:
        cost = components.find(role, kind).constants.get("COST") if role else None
    except ConfigError:  # an own component that an older result was made with
        return None
    return None if cost is None else float(cost)


def features(matrices: Mapping[str, Any] | None, shape: Shape) -> float:
    """Return the numbers per row of a matrices result's spec; of an image where there is none."""
    parameters = {} if matrices is None else matrices.get("parameters", {}).get("settings", {})
    pooled = parameters.get("pool", "none") != "none" and "size" in parameters
    return float(shape.channels * parameters["size"] ** 2 if pooled else shape.values)


#: ASSUME: seconds of an input gradient, for any image and per number of it (on two cores .04 to .13 ms for a small
#: network at 8x8, 1.2 ms for ResNet-20 at 32x32).
_GRADIENT, _GRADIENT_PER_NUMBER = 7e-5, 4e-7
#: ASSUME: seconds of a table or a figure.
_ITEM = 4.0


def estimated_seconds(stage: str, spec: Mapping[str, Any], shapes: Mapping[str, Shape]) -> float:
    """Return roughly how long a result takes on a CPU: from its spec alone, so that every estimate agrees.

    Parameters
    ----------
    stage, spec
        Of the result.
    shapes
        The shapes of the study's datasets, by the keys of their results.
    """
    shape = shapes.get(str(spec["inputs"].get("dataset")))
    if shape is None:
        return _ITEM
    samples = spec["parameters"].get("samples")
    images = float(samples["stop"] - samples["start"]) if samples else float(shape.splits.get("train", 0))
    case = Case(stage, spec, "cpu", shape, None, images, float(shape.values))
    return case.gradients * (_GRADIENT + shape.values * _GRADIENT_PER_NUMBER)
