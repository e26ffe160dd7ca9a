"""Perturbations of FGM and PGD with any loss, and without clipping to the range of images where asked, as F21 has them.

F21 takes cross-entropy and mean squared error, and its FGM is δ = ε ∇ / ‖∇‖ (eq. 6): an attack component clips x + δ
to [0, 1] and always has cross-entropy. The steps are Foolbox's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from freqmaps.attacks._foolbox import attacks, eagerpy, foolbox
from freqmaps.attacks._network import frozen
from freqmaps.attacks._noise import keyed_noise
from freqmaps.core.device import is_out_of_memory, release
from freqmaps.core.errors import FreqmapsError

Method = Literal["fgm", "pgd"]
Norm = Literal["l2", "linf"]
LossName = Literal["cross_entropy", "mse"]

#: Numbers per batch of images.
_BATCH_NUMBERS = {"cpu": 1 << 19, "cuda": 1 << 23}
#: Where perturbed images may lie if nothing bounds them.
_UNBOUNDED = (-1e6, 1e6)


@dataclass(frozen=True)
class Gradient:
    """One of the two attacks with its settings.

    Attributes
    ----------
    method
        ``fgm``: one step of the whole budget; ``pgd``: many, projected onto the budget.
    norm
        Of the budget; in ``linf`` FGM is FGSM.
    loss
        What the steps raise.
    epsilon, step, steps
        The budget, and of PGD the size and number of steps, for images in [0, 1].
    random_start
        Whether PGD starts at a random point of the budget's ball.
    clip
        Whether perturbed images stay in [0, 1].
    """

    method: Method
    norm: Norm
    loss: LossName = "cross_entropy"
    epsilon: float = 0.03137254901960784
    step: float = 0.01568627450980392
    steps: int = 40
    random_start: bool = True
    clip: bool = True

    def build(self) -> Any:
        """Return Foolbox's attack with this loss."""
        kind = {
            ("fgm", "l2"): attacks.L2FastGradientAttack,
            ("fgm", "linf"): attacks.LinfFastGradientAttack,
            ("pgd", "l2"): attacks.L2ProjectedGradientDescentAttack,
            ("pgd", "linf"): attacks.LinfProjectedGradientDescentAttack,
        }[self.method, self.norm]
        if self.method == "fgm":
            attack = kind(random_start=False)
        else:
            attack = kind(abs_stepsize=self.step, steps=self.steps, random_start=self.random_start)
        if self.loss == "mse":
            attack.get_loss_fn = _squared_error
        return attack


def _squared_error(model: Any, labels: Any) -> Callable[[Any], Any]:
    """Return the loss of Foolbox's tensors: squared distance of the logits from one-hot labels, summed over images."""

    def loss(images: Any) -> Any:
        logits = model(images)
        return ((logits - _one_hot(labels, logits)) ** 2).sum()

    return loss


def _one_hot(labels: Any, logits: Any) -> Any:
    hot = F.one_hot(labels.raw, logits.shape[1]).to(logits.raw.dtype)
    return eagerpy.astensor(hot)


def perturbations(
    model: nn.Module,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    attack: Gradient,
    *,
    seed: int,
    positions: NDArray[np.int64],
    device: torch.device,
) -> NDArray[np.float32]:
    """Return what the attack adds to each image, (n, c, h, w) float32.

    Parameters
    ----------
    model
        From images in [0, 1] to logits (n, classes); frozen meanwhile.
    images
        (n, c, h, w) float32 in [0, 1].
    labels
        (n,) the true classes, whose loss is raised.
    attack
        Which, and its budget.
    seed, positions
        Random starts belong to the seed and to each sample's position in the dataset, whatever the batch.
    device
        Where to compute.

    Raises
    ------
    FreqmapsError
        Memory does not suffice for one image, or a perturbation is not finite.
    """
    deltas = np.zeros_like(images)
    bounds = (0.0, 1.0) if attack.clip else _UNBOUNDED
    size = max(1, _BATCH_NUMBERS.get(device.type, 1 << 21) // max(1, images[:1].size))
    built = attack.build()
    start = 0
    with frozen(model, device, images) as net:
        wrapped = foolbox.PyTorchModel(net, bounds=bounds, device=device)
        while start < len(images):
            part = slice(start, start + size)
            batch = (torch.from_numpy(images[part]).to(device), torch.from_numpy(labels[part]).to(device))
            delta = _perturb(built, wrapped, batch, attack.epsilon, seed, positions[part])
            if delta is None:
                release(device)
                if size == 1:
                    raise FreqmapsError("memory does not suffice for the gradient of one image; use a larger device")
                size //= 2
                continue
            deltas[part] = delta
            start += size
    bad = ~np.isfinite(deltas).all(axis=(1, 2, 3))
    if bad.any():
        raise FreqmapsError(
            f"the perturbations of {int(bad.sum())} of {len(deltas)} images are not finite, first at position "
            f"{positions[bad][0]}; the network's gradients overflow there"
        )
    return deltas


def _perturb(
    attack: Any, model: Any, batch: tuple[Tensor, Tensor], epsilon: float, seed: int, positions: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """Perturb one batch; None if memory ran out."""
    images, labels = batch
    try:
        with keyed_noise(seed, positions.tolist(), images.device):
            raw = attack.run(model, images, foolbox.Misclassification(labels), epsilon=epsilon)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None
    delta: NDArray[np.float32] = (raw - images).detach().float().cpu().numpy()
    return delta
