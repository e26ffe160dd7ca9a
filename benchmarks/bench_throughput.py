"""What an input gradient, a training step and a metric cost on this device: the table that `freqmaps plan` reads.

Per network: floating point operations of one forward pass and number of weights (counted), seconds per image of an
input gradient of the frozen network and of a training step (timed, one thread on a CPU, the fastest of three). Per
metric: seconds at two numbers of samples. Only what this device has is measured anew; other devices' figures stay.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from freqmaps.core import components
from freqmaps.core.device import full_float32
from freqmaps.core.files import write_text
from freqmaps.plan import table

#: Architecture, its parameters, channels, size, images per batch (CPU, GPU).
NETWORKS: list[tuple[str, dict[str, Any], int, int, tuple[int, int]]] = [
    ("small_cnn", {"width": 32}, 1, 8, (64, 1024)),
    ("resnet_cifar", {"depth": 20, "width": 16}, 3, 32, (64, 1024)),
    ("resnet_cifar", {"depth": 32, "width": 16}, 3, 32, (64, 1024)),
    ("resnet_cifar", {"depth": 56, "width": 16}, 3, 32, (32, 1024)),
    ("preact_resnet18", {}, 3, 32, (16, 512)),
    ("vgg11_bn", {}, 1, 128, (8, 256)),
    ("torchvision_model", {"name": "resnet18"}, 1, 128, (8, 256)),
    ("torchvision_model", {"name": "resnet18"}, 3, 224, (8, 256)),
    ("torchvision_model", {"name": "resnet50"}, 3, 224, (4, 128)),
    ("torchvision_model", {"name": "vit_b_16"}, 3, 224, (2, 128)),
]
SAMPLES, FEATURES = (1000, 2000), 3072


def run() -> dict[str, float]:
    """Measure, and write the table."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if device.type == "cpu" else threads)
    found = json.loads(table.FILE.read_text(encoding="utf-8")) if table.FILE.exists() else {}
    counted, timed = zip(*(time_network(*network, device) for network in NETWORKS), strict=True)
    found["networks"] = list(counted)
    found.setdefault("devices", {})[device.type] = {
        "name": torch.cuda.get_device_name() if device.type == "cuda" else "one thread of an x86-64 server CPU",
        "date": datetime.now(UTC).date().isoformat(),
        "networks": list(timed),
    }
    found["metrics"] = {name: _metric(name) for name in components.names("metric")}
    torch.set_num_threads(threads)
    write_text(table.FILE, json.dumps(found, indent=1) + "\n")
    return {
        f"throughput_{device.type}_{t['label'].replace(' ', '_')}_gradient_ms": 1000 * t["gradient_s"] for t in timed
    }


@full_float32()
def time_network(
    architecture: str, parameters: dict[str, Any], channels: int, size: int, batches: tuple[int, int],
    device: torch.device,
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """Return a network's entries in the table: what is counted of it, and what is timed on the device."""
    classes = 1000 if size == 224 else 10
    torch.manual_seed(0)
    model = components.load("model", architecture)(classes=classes, channels=channels, size=size, **parameters)
    weights = sum(p.numel() for p in model.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.train()(torch.rand(2, channels, size, size))  # in eval mode, fused attention would go uncounted
    model = model.to(device)
    images = torch.rand(batches[device.type == "cuda"], channels, size, size, device=device)
    labels = torch.zeros(len(images), dtype=torch.int64, device=device)
    which = {"architecture": architecture, "parameters": parameters, "channels": channels, "size": size}
    label = f"{parameters.get('name', architecture)}{parameters.get('depth', '')} {channels}x{size}x{size}"
    seconds = {
        "gradient_s": _fastest(lambda: _gradient(model, images, labels), device) / len(images),
        "training_s": _fastest(lambda: _train(model, images, labels), device) / len(images),
    }
    return which | {"flops": counter.get_total_flops() // 2, "weights": weights}, {"label": label} | which | seconds


def _gradient(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    model.eval().requires_grad_(False)
    x = images.clone().requires_grad_()
    torch.nn.functional.cross_entropy(model(x), labels).backward()  # type: ignore[no-untyped-call]


def _train(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    model.train().requires_grad_(True)
    model.zero_grad()
    torch.nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]


def _fastest(work: Callable[[], None], device: torch.device) -> float:
    """Seconds of the fastest call: of the processor on a CPU, where one thread works and others may wait for it."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    times = []
    for _ in range(4):  # the first warms up
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(clock() - start)
    return min(times[1:])


def _metric(name: str) -> dict[str, Any]:
    compute = components.load("metric", name)
    rng = np.random.default_rng(0)
    x = np.maximum(rng.standard_normal((SAMPLES[-1], FEATURES)), 0).astype(np.float32)
    y = np.maximum(x + rng.standard_normal(x.shape), 0).astype(np.float32)
    compute(x[:64], y[:64], seed=0)
    seconds = []
    for n in SAMPLES:
        start = time.process_time()
        compute(x[:n], y[:n], seed=0)
        seconds.append(time.process_time() - start)
    return {"samples": list(SAMPLES), "features": FEATURES, "seconds": seconds}
