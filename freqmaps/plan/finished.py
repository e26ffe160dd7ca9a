"""The seconds and bytes that finished results took, read from their manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freqmaps.results.scan import KeyedFolder, inputs
from freqmaps.stages.work import TRAINS, Case, Network, Shape, features

DECIDES_NUMBERS = False

#: The shape that stands for that of results without a dataset.
NO_IMAGES = Shape(3, 32)


@dataclass(frozen=True)
class FinishedJob:
    """A finished result: its work, and the seconds and bytes that it took.

    Attributes
    ----------
    case
        The work, with the actual numbers of images and steps.
    seconds, bytes
        Measured wall time, on a CPU times threads, and size on disk.
    asked
        Images that it was to work on; ``case.images`` are those that were eligible.
    """

    case: Case
    seconds: float
    bytes: int
    asked: float


def read(results: Sequence[KeyedFolder]) -> list[FinishedJob]:
    """Return seconds and bytes of all complete results under a root; those whose dataset is missing are left out."""
    by_key = {result.key: result.manifest for result in results if result.manifest is not None}
    jobs = [_finished_job(result.manifest, by_key) for result in results if result.complete and result.manifest]
    return [job for job in jobs if job is not None]


def _finished_job(manifest: Mapping[str, Any], by_key: Mapping[str, Mapping[str, Any]]) -> FinishedJob | None:
    dataset, training = ancestor(manifest, by_key, "datasets"), ancestor(manifest, by_key, *TRAINS)
    seconds = manifest["provenance"].get("wall_s")
    shape = NO_IMAGES if manifest["stage"] == "simulation" else Shape.of_dataset(dataset or {})
    if shape is None or not isinstance(seconds, int | float):
        return None
    network = None if training is None else network_of(training["spec"])
    headline, spec = manifest["headline"], manifest["spec"]
    asked = asked_for(spec, shape)
    images = _number(headline.get("n")) or asked or 0.0
    device = str(manifest["provenance"].get("device", "cpu")).split(":")[0]
    steps = _number(headline.get("trained_steps" if manifest["stage"] == "snapshots" else "median_steps"))
    matrices = ancestor(manifest, by_key, "matrices")
    width = features(None if matrices is None else matrices["spec"], shape)
    case = Case(manifest["stage"], spec, device, shape, network, images, width, steps)
    threads = max(1, int(manifest["provenance"].get("threads") or 1)) if device == "cpu" else 1
    size = sum(file["bytes"] for file in manifest["files"].values())
    return FinishedJob(case, float(seconds) * threads, size, asked or images)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def ancestor(
    manifest: Mapping[str, Any], by_key: Mapping[str, Mapping[str, Any]], *stages: str
) -> Mapping[str, Any] | None:
    """Return the manifest of one of these stages that a result rests on: its own, or that of an input's input."""
    waiting = [manifest]
    while waiting:
        candidate = waiting.pop(0)
        if candidate["stage"] in stages:
            return candidate
        waiting += [by_key[key] for key in inputs(candidate["spec"])[:3] if key in by_key]
    return None


def network_of(spec: Mapping[str, Any]) -> Network:
    """Return the network that a training's spec names."""
    model = spec.get("parameters", {}).get("model", {})
    parameters = {k: v for k, v in model.get("parameters", {}).items() if k != "pretrained"}
    return Network(str(model.get("architecture")), parameters)


def asked_for(spec: Mapping[str, Any], shape: Shape) -> float | None:
    """Return how many images a spec is about; None where its inputs decide that."""
    samples = spec.get("parameters", {}).get("samples")
    if isinstance(samples, Mapping):
        return float(samples["stop"] - samples["start"])
    if spec["stage"] in TRAINS:
        return float(shape.splits.get("train", 0))
    return float(sum(shape.splits.values())) if spec["stage"] == "datasets" else None
