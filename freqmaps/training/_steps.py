"""Losses and accuracies of an epoch's steps: their means for the history; an error where one is not finite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from freqmaps.core.errors import FreqmapsError

_LOSS = "the loss is not finite in WHERE; lower learning_rate (or epsilon)"
_TERM = "the term of regulariser '{name}' is not finite in WHERE; lower its weight, or learning_rate"
_DEAD = (
    "the input gradients of all images are 0 in WHERE, so that no regulariser can act on them: the network has died, "
    "or its predictions are saturated; lower learning_rate, or the regulariser's weight"
)


@dataclass(frozen=True)
class Done:
    """What came of a step, on the device and without graphs.

    Attributes
    ----------
    loss, total
        The regime's loss, and with the weighted terms of regularisers.
    terms
        Of each regulariser, before it is weighted.
    alive
        Whether the input gradient that a regulariser needs is other than 0 anywhere; None where none needs one.
    logits
        Of the regime's last forward pass.
    """

    loss: Tensor
    total: Tensor
    terms: dict[str, Tensor]
    alive: Tensor | None
    logits: Tensor | None


class Steps:
    """The steps of an epoch so far.

    Parameters
    ----------
    epoch
        Number of the epoch, from 0.
    regularisers
        Their names.
    scaled
        Whether gradients are scaled: while the scaler looks for its factor a term may overflow, and it skips the step.
    """

    def __init__(self, epoch: int, regularisers: Iterable[str], scaled: bool) -> None:
        self._epoch, self._scaled, self._checked = epoch, scaled, 0
        self._losses: list[Tensor] = []
        self._totals: list[Tensor] = []
        self._terms: dict[str, list[Tensor]] = {name: [] for name in regularisers}
        self._alive: list[Tensor] = []
        self._sizes: list[int] = []

    def add(self, done: Done, size: int) -> None:
        """Take note of a step on so many images."""
        self._losses.append(done.loss)
        self._totals.append(done.total)
        for name, term in done.terms.items():
            self._terms[name].append(term)
        if done.alive is not None:
            self._alive.append(done.alive)
        self._sizes.append(size)

    def check(self) -> None:
        """Check the steps since the last check; it waits for the device.

        Raises
        ------
        FreqmapsError
            A loss or a regulariser's term is not finite, or the input gradients are 0 where a term needs them.
        """
        start, self._checked = self._checked, len(self._losses)
        # Of one step in this order: what comes first is what the others follow from.
        looks = [(self._finite(self._losses[start:]), _LOSS)]
        if self._alive:
            looks.append((_first_false(self._alive[start:]), _DEAD))
        if not self._scaled:
            looks += [(self._finite(terms[start:]), _TERM.format(name=n)) for n, terms in self._terms.items()]
            looks.append((self._finite(self._totals[start:]), _LOSS))
        failures = [(step, sentence) for step, sentence in looks if step is not None]
        if failures:
            step, sentence = min(failures, key=lambda failure: failure[0])
            where = f"epoch {self._epoch + 1}, step {start + step + 1}"
            raise FreqmapsError(f"training: {sentence.replace('WHERE', where)}")

    def means(self) -> dict[str, float]:
        """Return the history's means over images: ``train_loss``, and of each regulariser its term."""
        return {"train_loss": _mean(self._losses, self._sizes)} | {
            f"train_{name}": _mean(terms, self._sizes) for name, terms in self._terms.items()
        }

    @property
    def images(self) -> int:
        """How many images the steps were on."""
        return sum(self._sizes)

    def __len__(self) -> int:
        """Return how many steps there were."""
        return len(self._losses)

    @staticmethod
    def _finite(values: list[Tensor]) -> int | None:
        return _first_false([value.isfinite() for value in values])


def _mean(values: list[Tensor], sizes: list[int]) -> float:
    """Return the mean over images of what is a mean over each batch; batches without a finite value do not count."""
    stacked, weights = torch.stack(values).float().cpu(), torch.tensor(sizes, dtype=torch.float32)
    finite = stacked.isfinite()
    if not finite.all():
        stacked, weights = stacked[finite], weights[finite]
    return float((stacked * weights).sum() / weights.sum())


def _first_false(flags: list[Tensor]) -> int | None:
    false = (~torch.stack(flags)).nonzero()
    return int(false[0]) if len(false) else None
