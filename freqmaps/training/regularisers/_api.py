"""What a regulariser is, and the pass over the clean images that all regularisers of a step share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Protocol

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from freqmaps.core.errors import FreqmapsError
from freqmaps.training.context import Batch, StepContext
from freqmaps.training.regularisers._second import cheap, of_images_alone


class CleanPass:
    """One pass of the model over a step's clean images. It is made when first asked for, and only once per step.

    Batch norm uses the batch's statistics in it, as in training, and leaves its running statistics alone, unless the
    pass is the regime's own.

    Parameters
    ----------
    model
        As it is trained.
    batch, context
        Of the step.
    own
        Whether the regime trains on the clean images, so that this is its pass as well.

    Attributes
    ----------
    images
        (n, c, h, w) the batch's images, which require a gradient.
    labels
        (n,) int64.
    alive
        Whether the gradient that a regulariser asked for as :attr:`live_gradient` is other than 0 anywhere: a tensor of
        one bool, so that nothing waits for the device; None if no regulariser did.
    """

    def __init__(self, model: nn.Module, batch: Batch, context: StepContext, *, own: bool = False) -> None:
        self.images, self.labels = batch.images.detach().requires_grad_(), batch.labels
        self.alive: Tensor | None = None
        self._model, self._context, self._own = model, context, own

    @cached_property
    def logits(self) -> Tensor:
        """(n, classes), with the graph to the images and to the weights."""
        with cheap(), nullcontext() if self._own else running_statistics_kept(self._model):
            logits: Tensor = self._model(self.images)
        return logits

    @cached_property
    def loss(self) -> Tensor:
        """The mean loss of the clean images, with its graph."""
        return self._context.loss(self.logits, self.labels)

    @cached_property
    def gradient(self) -> Tensor:
        """(n, c, h, w) float32: the gradient of each image's loss in its pixels, with the graph to the weights.

        It is the gradient of the summed loss: where batch norm ties images together, the influence of an image on the
        losses of the others is part of it.
        """
        # The mean is what is differentiated, and its factor taken out afterwards: a sum would overflow in float16.
        with of_images_alone():
            return len(self.images) * self._context.input_gradient(self.loss, self.images, create_graph=True)

    @property
    def live_gradient(self) -> Tensor:
        """The same, for terms that mean nothing if it is 0 throughout: the training then ends with an error."""
        self.alive = self.gradient.detach().any()
        return self.gradient


class Regulariser(Protocol):
    """A term that is added to the loss of every step, times its weight.

    The ``repr`` tells its settings: a half-finished training is resumed only by regularisers of equal ``repr``.

    Attributes
    ----------
    weight
        The term's factor in the loss.
    """

    @property
    def weight(self) -> float: ...

    def __call__(self, model: nn.Module, clean: CleanPass, context: StepContext) -> Tensor:
        """Return the term: a scalar to call ``backward`` on, before it is weighted.

        Parameters
        ----------
        model
            In training mode; it is left in the mode in which it came.
        clean
            Images, labels, logits and input gradient of the images before the regime prepared them.
        context
            The step and its random generator.
        """
        ...


@contextmanager
def running_statistics_kept(model: nn.Module) -> Iterator[None]:
    """Let batch norm use the batch's statistics within a block without moving its running ones."""
    tracking = [m for m in model.modules() if isinstance(m, _NormBase) and m.track_running_stats]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True


def check_term(term: Tensor, name: str) -> Tensor:
    """Return a term if it is a scalar with a graph.

    Raises
    ------
    FreqmapsError
        It is not; the message names the regulariser.
    """
    if not isinstance(term, Tensor) or term.shape != () or not term.requires_grad:
        raise FreqmapsError(f"regulariser '{name}' must return a scalar tensor that depends on the weights")
    return term
