"""Measured throughputs that ship with the package (`throughput.json`), and what is assumed where nothing is measured.

``python -m benchmarks throughput`` measures them anew, on the device that it runs on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from freqmaps.stages.work import Network, Shape

DECIDES_NUMBERS = False

FILE = Path(__file__).with_name("throughput.json")

#: ASSUME: operations per second of a device that is not in the table: of a GPU, between a desktop's and a data
#: centre's; of other accelerators, a fraction of that.
_OPERATIONS = {"cuda": 5e12, "mps": 1e12}
#: ASSUME: an input gradient takes two forward passes' operations, a training step three.
GRADIENT_PASSES = 2.0


@dataclass(frozen=True)
class Rate:
    """Seconds (or bytes) per unit of work, within a factor, and what it rests on.

    Attributes
    ----------
    value
        Per unit.
    factor
        The truth is expected between ``value / factor`` and ``value * factor``.
    source
        In words, for the table.
    """

    value: float
    factor: float
    source: str


@cache
def content() -> dict[str, Any]:
    """Return the table."""
    read: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return read


def gradient_seconds(network: Network | None, shape: Shape, device: str) -> Rate:
    """Return seconds per image of an input gradient, for a network that no result here has been made with yet."""
    timed = content()["devices"].get(device, {})
    for entry in timed.get("networks", []):
        if network is not None and _describes(entry, network) and entry["size"] == shape.size:
            return Rate(entry["gradient_s"], 2.0, f"measured on {timed['name']}")
    operations, factor, known = _operations(network, shape)
    speed, device_factor, which = _speed(device)
    return Rate(GRADIENT_PASSES * operations / speed, factor * device_factor, f"{known}; {which}")


def weights(network: Network | None, shape: Shape) -> Rate:
    """Return how many weights a network has."""
    entry = _nearest(network, shape)
    if entry is not None:
        return Rate(entry["weights"], 1.5, "counted")
    return Rate(median(e["weights"] for e in content()["networks"]), 10.0, "unknown, guessed from the networks known")


def _operations(network: Network | None, shape: Shape) -> tuple[float, float, str]:
    """Return the operations of a forward pass per image, within which factor, and how that is known."""
    area = shape.size**2
    entry = _nearest(network, shape)
    if entry is None:
        per_pixel = median(e["flops"] / e["size"] ** 2 for e in content()["networks"])
        return per_pixel * area, 10.0, "unknown, guessed from the networks known"
    same = network is not None and _describes(entry, network)
    scaled = entry["flops"] * area / entry["size"] ** 2
    return (
        scaled,
        1.0 if same else 3.0,
        "operations counted" if same else f"operations of another {entry['architecture']}",
    )


def _nearest(network: Network | None, shape: Shape) -> Mapping[str, Any] | None:
    """Return the table's entry for a network, at the nearest size; else for its architecture; else None."""
    listed = content()["networks"]
    of_kind = [e for e in listed if network is not None and e["architecture"] == network.architecture]
    same = [e for e in of_kind if network is not None and _describes(e, network)]
    return min(same or of_kind, key=lambda e: abs(math.log(e["size"] / shape.size)), default=None)


def _describes(entry: Mapping[str, Any], network: Network) -> bool:
    """Return whether an entry is of this network; parameters that the entry does not name do not matter."""
    parameters = network.parameters
    return bool(entry["architecture"] == network.architecture) and all(
        parameters.get(name) == value for name, value in entry["parameters"].items()
    )


def _speed(device: str) -> tuple[float, float, str]:
    """Return a device's operations per second, within which factor, and how that is known."""
    timed = content()["devices"].get(device)
    if timed is None:
        return _OPERATIONS.get(device, _OPERATIONS["cuda"]), 5.0, f"no {device} measured, its speed is a guess"
    flops = {_name(e): e["flops"] for e in content()["networks"]}
    speeds = [GRADIENT_PASSES * flops[_name(e)] / e["gradient_s"] for e in timed["networks"] if _name(e) in flops]
    return median(speeds), 3.0, f"speed of {timed['name']}"


def _name(entry: Mapping[str, Any]) -> str:
    return json.dumps([entry[k] for k in ("architecture", "parameters", "channels", "size")], sort_keys=True)


def metric_seconds(kind: str, samples: float, features: float) -> Rate:
    """Return seconds of a metric: from two measured sizes, the slower growing of n² and what they show."""
    entry = content()["metrics"].get(kind)
    if entry is None:
        slowest = max(content()["metrics"], key=lambda name: content()["metrics"][name]["seconds"][-1])
        rate = metric_seconds(slowest, samples, features)
        return Rate(rate.value, 10.0, f"unknown, guessed from {slowest}")
    (few, many), (short, long) = entry["samples"], entry["seconds"]
    # ASSUME: small sizes are start-up; beyond what was measured a metric over pairs grows with the square.
    power = min(2.0, max(1.0, math.log(long / short) / math.log(many / few)))
    power = 2.0 if power > 1.2 and samples > many else power
    grown = long * (max(samples, 1.0) / many) ** power * max(features / entry["features"], 0.2)
    return Rate(grown, 3.0, "measured at other sizes, scaled")
