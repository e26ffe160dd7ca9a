"""Training steps with regularisers of the input gradient, and adversarial ones, against a standard step.

ResNet-20 at 32×32, its weights random: a step costs the same whatever they are. C22's own table 6 has 3.8 for JaFR, 2.7
for FGSM training, 3.8 for both and for GradAlign, 8.5 for PGD training with ten steps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import torch

from benchmarks.bench_maps import seconds
from freqmaps.core.allocator import keep_freed_memory
from freqmaps.models import build_classifier
from freqmaps.training import Batch, Regime, Regulariser, TrainingSettings
from freqmaps.training._data import Images
from freqmaps.training._loop import _Run
from freqmaps.training.regimes.adversarial import build as adversarial
from freqmaps.training.regimes.fgsm import build as fgsm
from freqmaps.training.regimes.standard import build as standard
from freqmaps.training.regularisers.grad_align import build as grad_align
from freqmaps.training.regularisers.jacobian_norm import build as jacobian_norm
from freqmaps.training.regularisers.jafr import build as jafr

CASES: dict[str, tuple[Regime, Mapping[str, Regulariser]]] = {
    "jafr": (standard(), {"jafr": jafr(weight=1e-3)}),
    "jacobian_norm": (standard(), {"norm": jacobian_norm(weight=1e-3)}),
    "grad_align": (standard(), {"align": grad_align(weight=0.2)}),
    "fgsm": (fgsm(), {}),
    "fgsm_jafr": (fgsm(), {"jafr": jafr(weight=1e-3)}),
    "fgsm_grad_align": (fgsm(), {"align": grad_align(weight=0.2)}),
    "pgd_10": (adversarial(random_start=False), {}),
}


class Stepping:
    """One training whose steps can be made one by one on the same batch."""

    def __init__(
        self, regime: Regime, regularisers: Mapping[str, Regulariser], images: int, device: torch.device
    ) -> None:
        generator = np.random.default_rng(0)
        data = Images(generator.random((images, 3, 32, 32), dtype=np.float32), np.arange(images) % 10, device)
        network = build_classifier("resnet_cifar", {"depth": 20}, classes=10, channels=3, size=32, seed=0)
        network.to(device).to(memory_format=torch.channels_last).train()
        settings = TrainingSettings(epochs=1000, batch=images, learning_rate=1e-3)
        self.run = _Run(network, data, Images(data.images[:0], data.labels[:0], device), settings, regime, 0,
                        regularisers, ())  # fmt: skip
        self.batch = Batch(data.images.contiguous(memory_format=torch.channels_last), data.labels)

    def __call__(self) -> None:
        """Make a step."""
        self.run._step(self.batch, self.run.context(0))


def run(device: str = "auto") -> dict[str, float]:
    """Return the time of a step relative to a standard one's: medians of interleaved pairs, a minute on two cores."""
    on_gpu = torch.cuda.is_available() and device in ("auto", "cuda")
    where, images = torch.device("cuda" if on_gpu else "cpu"), 128 if on_gpu else 64
    keep_freed_memory()  # as jobs do
    plain = Stepping(standard(), {}, images, where)
    found = {}
    for name, (regime, regularisers) in CASES.items():
        step = Stepping(regime, regularisers, images, where)
        pairs = [(seconds(plain, where), seconds(step, where)) for _ in range(6)][1:]
        found[f"training_step_{name}_vs_standard"] = float(np.median([s / p for p, s in pairs]))
    return found


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
