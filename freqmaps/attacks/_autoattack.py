"""AutoAttack's parts as plain functions of a network, images and labels, one after another.

Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
ICML 2020. The only module that imports pyautoattack. Its class ``AutoAttack`` is passed over: it seeds from the clock,
writes a state file and traces the interpreter; its parts are taken with the settings of its version ``standard``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import torch
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from torch import Tensor, nn

from freqmaps.core.device import rng_devices
from freqmaps.core.errors import FreqmapsError, nearest

log = logging.getLogger("freqmaps")

#: The fewest classes that a part's loss is defined for: DLR divides by a difference of the first and third largest
#: logit, targeted DLR looks at the first four.
CLASSES = {"apgd-ce": 2, "apgd-dlr": 3, "apgd-t": 4, "fab-t": 2, "square": 2}
STANDARD = ("apgd-ce", "apgd-t", "fab-t", "square")

#: Takes what the parts say of single batches (points with zero gradient), and says nothing.
_SILENT = logging.Logger("pyautoattack", logging.CRITICAL)


@dataclass(frozen=True)
class Ensemble:
    """Some of AutoAttack's parts, each on the images that those before it left right.

    The parts draw one random square or start for a whole batch, so an image's result depends on its batch: give the
    plan a ``block``.

    Parameters
    ----------
    parts
        Names of :data:`CLASSES`, in order: ``apgd-ce`` and ``apgd-dlr`` (APGD on the cross-entropy and on the
        difference of logits ratio), ``apgd-t`` (APGD on the targeted ratio), ``fab-t`` (FAB, targeted), ``square``
        (Square, which needs no gradient).
    norm, epsilon
        The budget, for images in [0, 1].
    steps
        Of APGD and FAB, per target.
    targets
        Classes that ``apgd-t`` and ``fab-t`` aim at: the most likely wrong ones; at most all of them.
    queries
        Of Square.

    Raises
    ------
    FreqmapsError
        No such part, or none.
    """

    parts: tuple[str, ...]
    norm: Literal["linf", "l2"]
    epsilon: float
    steps: int = 100
    targets: int = 9
    queries: int = 5000

    def __post_init__(self) -> None:
        for part in self.parts:
            if part not in CLASSES:
                raise FreqmapsError(f"autoattack: no part '{part}'; {nearest(part, CLASSES)}")
        if not self.parts:
            raise FreqmapsError(f"autoattack: no parts; name some of {', '.join(CLASSES)}")

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Return the perturbed images; an image that no part fooled, or that was wrong anyway, as it was.

        Raises
        ------
        FreqmapsError
            The network has too few classes for a part.
        """
        best = images.clone()
        with torch.no_grad():
            logits = model(images)
        self.check_classes(logits.shape[1])
        right = logits.argmax(dim=1) == labels
        aimed = replace(self, targets=min(self.targets, logits.shape[1] - 1))
        for part in self._usable(logits.shape[1]):
            rows = right.nonzero().flatten()
            if not len(rows):
                break
            candidates = aimed.perturb_with(part, model, images[rows], labels[rows])
            with torch.no_grad():
                fooled = model(candidates).argmax(dim=1) != labels[rows]
            best[rows[fooled]] = candidates[fooled]
            right[rows[fooled]] = False
        return best

    def perturb_with(self, part: str, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Return what one part makes of the images. Torch's generators are put back: the parts seed them."""
        attack = _BUILD[part](self, model, _common(self, images.device))
        with torch.random.fork_rng(devices=rng_devices(images.device)):
            perturbed: Tensor = attack.perturb(images.clone(), labels.clone())
        return perturbed.detach()

    def _usable(self, classes: int) -> tuple[str, ...]:
        """Return the parts that are defined for so many classes."""
        return tuple(part for part in self.parts if classes >= CLASSES[part])

    def check_classes(self, classes: int) -> None:
        """Refuse parts that a user names and that need more classes; of the version ``standard`` they are left out.

        Raises
        ------
        FreqmapsError
            A part needs more classes.
        """
        for part in self.parts:
            if classes < CLASSES[part]:
                if self.parts == STANDARD:
                    _tell_left_out(part, classes)
                    continue
                usable = [name for name, least in CLASSES.items() if classes >= least]
                raise FreqmapsError(
                    f"autoattack: part '{part}' needs {CLASSES[part]} classes, the network has {classes}; "
                    f"set parts: [{', '.join(usable)}]"
                )


@cache
def _tell_left_out(part: str, classes: int) -> None:
    """Say once, not for every block, what is not made."""
    log.warning(
        "autoattack: part '%s' needs %d classes and is left out for a network of %d", part, CLASSES[part], classes
    )


def _common(ensemble: Ensemble, device: torch.device) -> dict[str, Any]:
    # The seed only matters outside of keyed_noise, which replaces the draws.
    norm = {"linf": "Linf", "l2": "L2"}[ensemble.norm]
    return {"norm": norm, "eps": ensemble.epsilon, "seed": 0, "device": device, "n_restarts": 1, "verbose": False}


def _apgd(loss: str) -> Callable[[Ensemble, nn.Module, dict[str, Any]], Any]:
    def build(ensemble: Ensemble, model: nn.Module, common: dict[str, Any]) -> Any:
        return APGDAttack(model, n_iter=ensemble.steps, loss=loss, logger=_SILENT, **common)

    return build


def _apgd_targeted(ensemble: Ensemble, model: nn.Module, common: dict[str, Any]) -> Any:
    return APGDAttack_targeted(
        model, n_iter=ensemble.steps, n_target_classes=ensemble.targets, logger=_SILENT, **common
    )


def _fab_targeted(ensemble: Ensemble, model: nn.Module, common: dict[str, Any]) -> Any:
    return FABAttack_PT(model, n_iter=ensemble.steps, n_target_classes=ensemble.targets, targeted=True, **common)


def _square(ensemble: Ensemble, model: nn.Module, common: dict[str, Any]) -> Any:
    return SquareAttack(model, n_queries=ensemble.queries, p_init=0.8, resc_schedule=False, **common)


_BUILD: dict[str, Callable[[Ensemble, nn.Module, dict[str, Any]], Any]] = {
    "apgd-ce": _apgd("ce"),
    "apgd-dlr": _apgd("dlr"),
    "apgd-t": _apgd_targeted,
    "fab-t": _fab_targeted,
    "square": _square,
}
