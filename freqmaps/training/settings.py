"""Settings of the training loop that a config may set: optimiser, schedule, epochs, batch size, augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from freqmaps.core import limits
from freqmaps.core.errors import ConfigError

RANGES = {
    "epochs": "[1, 100000)",
    "batch": "[1, 1e6)",
    "learning_rate": "(0, 1000)",
    "momentum": "[0, 1)",
    "weight_decay": "[0, 1000)",
    "milestones": "[0, 100000)",
    "factor": "(0, 1)",
    "warmup": "[0, 1]",
    "peak": "[0, 1]",
    "crop_padding": "[0, 1000)",
    "robust_images": "[0, 1e9)",
    "robust_epsilon": "(0, 1)",
    "robust_steps": "[1, 10000)",
}
ASKED = ("schedule", "milestones", "keep", "robust_images")

#: Settings that joined later, with the values at which every training ends in the weights that it had without them.
NEUTRAL = {
    "drop_last": False,
    "peak": 0.5,
    "robust_images": 0,
    "robust_epsilon": 0.03137254901960784,
    "robust_steps": 10,
}


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a network is trained; the regime says on what loss.

    Attributes
    ----------
    epochs
        Passes over the training images.
    batch
        Images per step. The last, smaller batch of an epoch counts too, unless ``drop_last`` says otherwise.
    optimizer
        ``sgd`` (with momentum), ``adam`` (weight decay added to the gradient) or ``adamw`` (decoupled).
    learning_rate
        The largest one that the schedule reaches; ``constant`` and ``multistep`` start with it.
    momentum
        Of SGD; the first beta of Adam.
    weight_decay
        On all parameters.
    schedule
        ``constant``; ``multistep``: times ``factor`` at each of ``milestones``; per step and as in torch:
        ``one_cycle`` (from 1/25 up, then down to 1/250000 of the largest, along cosines), ``cosine`` (down to 0);
        ``cyclic``: straight from 0 up until a share ``peak`` of all steps, and down to 0 again.
    milestones
        Epochs after which ``multistep`` lowers the rate.
    factor
        By how much it does.
    warmup
        Share of the steps in which ``one_cycle`` rises, from 0 to 1.
    cycle_momentum
        Whether ``one_cycle`` also moves the momentum from 0.95 to 0.85 and back, as torch does unless told not to.
    flip
        Mirror half of the images.
    crop_padding
        Shift each image by up to as many pixels, filled with zeros.
    train
        ``all`` parameters, or only the ``head`` (batch norm then keeps its statistics).
    keep
        The weights of the ``last`` epoch, of the one with the ``best_accuracy`` or ``best_loss`` on the test split, or
        of the one with the largest accuracy under PGD on ``robust_images`` (``best_robust``).
    precision
        ``float32``, or ``auto``: on a GPU bfloat16 (float16 on older ones) where it is safe.
    loss
        ``cross_entropy``, or ``mse`` of the logits against one-hot labels.
    drop_last
        Leave out the last batch of each epoch if it is smaller than the others.
    peak
        Share of the steps after which ``cyclic`` reaches its largest rate, from 0 (it only falls) to 1 (it only rises).
    robust_images
        On how many training images, the same after every epoch, the accuracy under PGD is taken for the history: a
        sudden fall of it is catastrophic overfitting, and is reported. 0: on none.
    robust_epsilon
        The budget of that PGD in the maximum norm, for images in [0, 1].
    robust_steps
        How many steps it makes, each of a quarter of the budget.
    """

    epochs: int = 30
    batch: int = 64
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["constant", "multistep", "one_cycle", "cosine", "cyclic"] = "one_cycle"
    milestones: tuple[int, ...] = ()
    factor: float = 0.1
    warmup: float = 0.3
    cycle_momentum: bool = False
    flip: bool = False
    crop_padding: int = 0
    train: Literal["all", "head"] = "all"
    keep: Literal["last", "best_accuracy", "best_loss", "best_robust"] = "last"
    precision: Literal["float32", "auto"] = "float32"
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"
    drop_last: bool = False
    peak: float = 0.5
    robust_images: int = 0
    robust_epsilon: float = 0.03137254901960784
    robust_steps: int = 10

    def __post_init__(self) -> None:
        object.__setattr__(self, "milestones", tuple(self.milestones))
        limits.check(vars(self), RANGES, "training")
        if bool(self.milestones) != (self.schedule == "multistep"):
            raise ConfigError("training: 'milestones' and schedule 'multistep' belong together; give both or neither")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError(f"training: milestones {list(self.milestones)} must rise")
        if self.keep == "best_robust" and not self.robust_images:
            raise ConfigError("training: keep 'best_robust' needs 'robust_images'; say on how many PGD is to be tried")
