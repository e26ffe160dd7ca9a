"""Decision-based attacks, which walk from an image of another class: those images for which there is no such start."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from freqmaps.attacks._foolbox import FoolboxAttack, attacks, foolbox
from freqmaps.core.errors import FreqmapsError

log = logging.getLogger("freqmaps")
#: What Brendel and Bethge's four attacks share.
_BRENDEL = attacks.brendel_bethge.BrendelBethgeAttack


@dataclass(frozen=True)
class StartedAttack:
    """A Foolbox attack that asks another one for its starting points; called like any attack.

    Foolbox gives up a whole batch for one image without a starting point. Here such an image stays as it is, a failure
    that is kept, and the others are attacked.

    Parameters
    ----------
    whole
        The attack as it runs where every image has a start.
    """

    whole: FoolboxAttack

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Return the perturbed images; those without a starting point as they were.

        Raises
        ------
        FreqmapsError
            Foolbox refuses the settings, or gives up for another reason than a starting point.
        """
        with warnings.catch_warnings():
            # Of Foolbox, for an image without a start; what follows tells how many there are.
            warnings.filterwarnings("ignore", "LinearSearchBlendedUniformNoiseAttack failed", UserWarning)
            return self._run(model, images, labels)

    def _run(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        try:
            return self.whole(model, images, labels)
        except (FreqmapsError, AssertionError) as error:  # Pointwise and Brendel & Bethge assert
            starts, has_start = self._starts(model, images, labels)
            if not bool(has_start.any()):
                _log_missing(has_start)
                return images
            try:
                return self._begun(model, images, labels, starts, has_start)
            except AssertionError as again:
                reason = " ".join(str(again or error).split()) or "an assertion of its own fails"
                raise FreqmapsError(f"Foolbox gives up {self.whole.attack!r}: {reason}") from again

    def _begun(self, model: nn.Module, images: Tensor, labels: Tensor, starts: Tensor, has_start: Tensor) -> Tensor:
        """Attack the images that have a start, and leave the others."""
        _log_missing(has_start)
        # A batch of the same size, so that every image keeps its own random numbers.
        rows = torch.where(has_start, torch.arange(len(has_start), device=has_start.device), has_start.nonzero()[0])
        begun = partial(self.whole.attack, starting_points=starts[rows])
        moved = FoolboxAttack(begun, self.whole.epsilon, self.whole.black_if_none)(model, images[rows], labels[rows])
        return torch.where(has_start[:, None, None, None], moved, images)

    def _starts(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (n, c, h, w) candidates, and (n,) whether the network sees another class in them."""
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=images.device)
        starts: Tensor = _initial(self.whole.attack).run(wrapped, images, foolbox.Misclassification(labels))
        with torch.no_grad():
            return starts, model(starts).argmax(dim=1) != labels


def _log_missing(has_start: Tensor) -> None:
    lacking = int((~has_start).sum())
    if lacking:
        log.info("no image of another class to start from for %d of %d images; they stay", lacking, len(has_start))


def needs_start(attack: Any) -> bool:
    """Whether a Foolbox attack cannot begin without an image of another class."""
    return isinstance(attack, (attacks.HopSkipJumpAttack, attacks.BoundaryAttack, attacks.PointwiseAttack, _BRENDEL))


def _initial(attack: Any) -> Any:
    """Return the attack that gives the starting points: the one set, or Foolbox's choice."""
    if attack.init_attack is not None:
        return attack.init_attack
    if isinstance(attack, attacks.PointwiseAttack):
        return attacks.SaltAndPepperNoiseAttack()
    if isinstance(attack, _BRENDEL):
        return attacks.LinearSearchBlendedUniformNoiseAttack()
    return attacks.LinearSearchBlendedUniformNoiseAttack(steps=50)
