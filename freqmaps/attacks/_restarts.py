"""PGD with restarts in ℓ∞ that says which images stay right; images that are fooled leave the batch at once.

An image counts as fooled if the network misclassifies any point on the way, the start included. What is asked for is
the worst case of each image, so it changes nothing to leave a fooled one alone, and saves most of the work where an
attack is strong. The images themselves are not kept: the components ``pgd`` and ``fgsm`` make those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from freqmaps.attacks._network import frozen
from freqmaps.core.device import is_out_of_memory, release
from freqmaps.core.errors import FreqmapsError

LossName = Literal["cross_entropy", "margin"]

#: Numbers in a batch of images to begin with, by kind of device; halved when memory runs out.
_BATCH_NUMBERS = {"cpu": 1 << 19, "cuda": 1 << 24}
#: Tells the stream of random starts from others of the same seed.
_STREAM = 22


@dataclass(frozen=True)
class Restarts:
    """PGD from several starts: x ← Π(x + step · sign ∇ loss), where Π projects onto the budget and [0, 1].

    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, section 2.1. With one step
    of size epsilon from the clean image this is FGSM.

    Attributes
    ----------
    epsilon, step
        The ℓ∞ budget and the size of a step, for images in [0, 1].
    steps
        Of each restart.
    restarts
        How many starts; they are numbered from ``first``.
    loss
        What is raised: ``cross_entropy``, or ``margin``, see :func:`margin`.
    random_start
        Whether starts are uniform in the budget, or the clean image.
    first
        Number of the first restart. Another number is another start.
    """

    epsilon: float
    step: float
    steps: int
    restarts: int = 1
    loss: LossName = "cross_entropy"
    random_start: bool = True
    first: int = 0


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return max_{j ≠ y} z_j − z_y of each image, (n,): positive where it is misclassified.

    Carlini and Wagner, "Towards evaluating the robustness of neural networks", IEEE S&P 2017, f_6 of section V for any
    wrong class, with the opposite sign and without its bound.

    Parameters
    ----------
    logits
        (n, classes), at least 2.
    labels
        (n,) int64.
    """
    true = logits.gather(1, labels[:, None])
    wrong = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
    return wrong - true[:, 0]


def unbroken(
    model: nn.Module,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    attack: Restarts,
    *,
    seed: int,
    positions: NDArray[np.int64],
    device: torch.device,
    leave: bool = True,
) -> NDArray[np.bool_]:
    """Return which images the network has right at every point of every restart, (n,) bool.

    Parameters
    ----------
    model
        From images in [0, 1] to logits (n, classes); frozen meanwhile.
    images
        (n, c, h, w) float32 in [0, 1].
    labels
        (n,) the true classes.
    attack
        Budget, steps and restarts.
    seed, positions
        A random start belongs to the seed, the restart and the sample's position in the dataset, whatever the batch.
    device
        Where to compute.
    leave
        Whether fooled images leave. The result is the same without, but for rounding that depends on the batch.

    Raises
    ------
    FreqmapsError
        A logit or gradient is not finite, or memory does not suffice for one image.
    """
    right = np.ones(len(images), bool)
    size = max(1, _BATCH_NUMBERS.get(device.type, 1 << 21) // max(1, images[:1].size))
    with frozen(model, device, images) as net:
        for restart in range(attack.first, attack.first + attack.restarts):
            rows = np.flatnonzero(right) if leave else np.arange(len(images))
            while len(rows):
                part = rows[:size]
                starts = _starts(images[part], attack, (seed, restart), positions[part])
                batch = [torch.from_numpy(a).to(device) for a in (images[part], starts, labels[part])]
                kept = _restart_or_none(net, batch, attack, leave)
                if kept is None:
                    size = _halved(size, device)
                    continue
                right[part] &= kept
                rows = rows[size:]
    return right


def _starts(
    images: NDArray[np.float32], attack: Restarts, stream: tuple[int, int], positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return where a restart begins: uniform in the budget, image by image, and clipped to [0, 1]."""
    if not attack.random_start:
        return images.copy()
    seed, restart = stream
    starts = np.empty_like(images)
    for row, position in enumerate(positions):
        generator = np.random.default_rng([seed % 2**64, _STREAM, restart, int(position)])
        noise = generator.random(images.shape[1:], np.float32) * 2 - 1
        starts[row] = np.clip(images[row] + np.float32(attack.epsilon) * noise, 0, 1)
    return starts


def _restart_or_none(model: nn.Module, batch: list[Tensor], attack: Restarts, leave: bool) -> NDArray[np.bool_] | None:
    """Run one restart of one batch; None if memory ran out."""
    images, starts, labels = batch
    try:
        return np.asarray(_restart(model, images, starts, labels, attack, leave).cpu().numpy())
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return None


def _restart(model: nn.Module, images: Tensor, starts: Tensor, labels: Tensor, attack: Restarts, leave: bool) -> Tensor:
    """Return which images of a batch are right at every point on the way, (n,) bool."""
    right = torch.ones(len(images), dtype=torch.bool, device=images.device)
    left = torch.arange(len(images), device=images.device)
    low, high = (images - attack.epsilon).clamp(min=0), (images + attack.epsilon).clamp(max=1)
    x = starts
    for number in range(attack.steps + 1):
        last = number == attack.steps
        x = x.detach().requires_grad_(not last)
        logits = model(x)
        correct = logits.argmax(dim=1) == labels
        right[left] &= correct
        _check_finite(logits)
        if last or (leave and not bool(correct.any())):
            break
        x = torch.clamp(x.detach() + attack.step * _gradient(logits, x, labels, attack.loss).sign(), low, high)
        if leave and not bool(correct.all()):
            left, x, low, high, labels = (t[correct] for t in (left, x, low, high, labels))
    return right


def _gradient(logits: Tensor, x: Tensor, labels: Tensor, loss: LossName) -> Tensor:
    summed = (
        F.cross_entropy(logits, labels, reduction="sum") if loss == "cross_entropy" else margin(logits, labels).sum()
    )
    gradient = torch.autograd.grad(summed, x)[0]
    _check_finite(gradient)
    return gradient


def _check_finite(values: Tensor) -> None:
    if not bool(values.isfinite().all()):
        raise FreqmapsError("logits or gradients on attacked images are NaN or infinite; train the network again")


def _halved(size: int, device: torch.device) -> int:
    release(device)
    if size == 1:
        raise FreqmapsError("memory does not suffice for the gradient of one image; use a larger device")
    return size // 2
