"""The interface of training regimes: how each prepares a batch, and which loss of it is minimised."""

from __future__ import annotations

from torch import Tensor, nn

from freqmaps.training.context import Batch, StepContext


class Regime:
    """Training on the images as they come. A regime of its own overrides one of the two methods, or both.

    The ``repr`` tells its settings: a half-finished training is resumed only by a regime of equal ``repr``.
    """

    def prepare(self, model: nn.Module, batch: Batch, context: StepContext) -> Tensor:
        """Return the images to train on: the batch's own, transformed ones, or attacked ones.

        Parameters
        ----------
        model
            In training mode; maps images in [0, 1] to logits. It is left in the mode in which it came.
        batch
            The step's images and labels, which are left as they are.
        context
            The step, its random generator and the loss that the settings name.

        Returns
        -------
        Tensor
            (n, c, h, w) float32, without a graph to the model's weights.
        """
        return batch.images

    def loss(self, model: nn.Module, prepared: Tensor, batch: Batch, context: StepContext) -> Tensor:
        """Return a scalar to call ``backward`` on.

        Parameters
        ----------
        model, batch, context
            As for :meth:`prepare`. The model's last forward pass in here on as many images as the batch has is what
            the history's training accuracy counts.
        prepared
            What :meth:`prepare` has returned.
        """
        return context.loss(model(prepared), batch.labels)
