"""The training loop: data on the device, schedules per step, resumable after each epoch, the same for every run."""

from __future__ import annotations

import copy
import functools
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from freqmaps.core.device import full_float32, is_out_of_memory, pick, rng_devices
from freqmaps.core.errors import FreqmapsError
from freqmaps.core.minibatches import bounds
from freqmaps.models._classifier import Classifier, head
from freqmaps.provenance.unfinished import Place
from freqmaps.training import _progress, _schedule, _state
from freqmaps.training._data import Images
from freqmaps.training._evaluate import evaluate
from freqmaps.training._robust import Watch
from freqmaps.training._steps import Done, Steps
from freqmaps.training.context import Batch, Loss, StepContext
from freqmaps.training.hooks import Event, Hook, Hooks
from freqmaps.training.regimes._api import Regime
from freqmaps.training.regularisers._api import CleanPass, Regulariser, check_term
from freqmaps.training.settings import TrainingSettings

#: Steps between looks at whether the loss is finite; each look waits for the device.
_LOOK = 100


def train(
    classifier: Classifier,
    images: NDArray[Any] | Tensor,
    labels: NDArray[Any] | Tensor,
    test_images: NDArray[Any] | Tensor,
    test_labels: NDArray[Any] | Tensor,
    *,
    settings: TrainingSettings,
    regime: Regime,
    seed: int,
    device: str | torch.device = "auto",
    state: Place | Path | None = None,
    regularisers: Mapping[str, Regulariser] | None = None,
    hooks: Sequence[Hook] = (),
    stop_after: int | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> list[dict[str, float]]:
    """Train a classifier in place; it ends on the device, in eval mode.

    On one device and thread count the result depends on the arguments alone: an interrupted training that goes on
    from its ``state`` ends in the same weights, bit for bit, and the global random generators play no part.

    Parameters
    ----------
    classifier
        With its initial weights.
    images, labels
        Training data: (n, c, h, w) uint8, or float32 in [0, 1]; (n,) integers.
    test_images, test_labels
        Data for the history and for ``settings.keep``; may be empty.
    settings
        Epochs, optimiser, schedule, augmentation, ...
    regime
        How batches are prepared, and the loss of a prepared batch.
    seed
        Of shuffling, augmentation, dropout, the regime, the regularisers and the hooks.
    device
        Where to compute.
    state
        Where the state after each epoch is kept: a later call for the same training goes on from there.
    regularisers
        Terms that are added to the regime's loss, each times its weight, by the names that the history calls them.
    hooks
        What looks on along the training; :class:`~freqmaps.training.hooks.Hook` says when and how.
    stop_after
        Steps after which to stop, before the end of the training that the schedules are made for; None: at its end.
        The epoch in which it stops is not evaluated and has no record.
    progress
        Called with the epochs done and a note.

    Returns
    -------
    list of dict
        Per epoch: epoch (from 1), lr (of its last step), train_loss (of the regime, without regularisers),
        train_accuracy, one column for each regulariser (its term before it is weighted: ``train_gradient_norm``),
        step_seconds (of a training step, without evaluation: seconds of the processor on the CPU, of the clock on a
        GPU), test_loss, test_accuracy, seconds (of the epoch, by the clock); robust_accuracy and overfitted (0 or 1)
        if ``robust_images`` are watched.

    Raises
    ------
    FreqmapsError
        No images, a loss that is not finite, labels or images that do not fit, ``keep`` without test images, or
        a hook that changes the network.
    """
    where = pick(device)
    data, test = Images(images, labels, where), Images(test_images, test_labels, where)
    _check_data(data, test, settings, classifier)
    classifier.to(where).to(memory_format=torch.channels_last)
    run = _Run(classifier, data, test, settings, regime, seed, regularisers, hooks)
    named = [hook.name for hook in hooks]
    owner = _state.fingerprint(settings, [regime, run.regularisers], named, seed, data, str(classifier.recipe))
    run.restore(_state.load(state, owner, lambda epoch: any(hook.lacks(epoch * run.per_epoch) for hook in hooks)))
    with torch.random.fork_rng(devices=rng_devices(where)):
        if not run.state.epoch:
            run.call_hooks("before_first_step", 0, run.context(0))
        last = settings.epochs * run.per_epoch if stop_after is None else stop_after
        while run.state.epoch < settings.epochs and run.state.epoch * run.per_epoch < last:
            record = _within_memory(run, last)
            if record is None:
                break
            if state is not None:
                _state.save(state, run.snapshot(), owner)
            if progress is not None:
                progress(run.state.epoch, f"test accuracy {record['test_accuracy']:.4f}")
    return run.finish()


def _within_memory(run: _Run, last: int) -> dict[str, float] | None:
    """Train for an epoch. The batch size decides the numbers: where memory is short, the user must choose another."""
    try:
        return run.epoch(last)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise FreqmapsError(
            f"training: memory does not suffice for batches of {run.settings.batch} on {run.data.device}; lower "
            "'batch' of this training (and its learning_rate with it), or use a device with more"
        ) from error


def _check_data(data: Images, test: Images, settings: TrainingSettings, classifier: Classifier) -> None:
    if not len(data):
        raise FreqmapsError("training: there are no training images")
    if not bounds(len(data), settings.batch, settings.drop_last):
        raise FreqmapsError(
            f"training: {len(data)} images make no whole batch of {settings.batch}; lower 'batch', or set 'drop_last' "
            "to false"
        )
    classes = classifier.recipe.classes
    if int(data.labels.min()) < 0 or int(data.labels.max()) >= classes:
        span = f"{int(data.labels.min())}..{int(data.labels.max())}"
        raise FreqmapsError(f"training: labels span {span}, but the network has {classes} classes")
    if settings.keep in ("best_accuracy", "best_loss") and not len(test):
        raise FreqmapsError(f"training: keep '{settings.keep}' needs test images, there are none; use 'last'")


def _mse(logits: Tensor, labels: Tensor) -> Tensor:
    return F.mse_loss(logits, F.one_hot(labels, logits.shape[1]).to(logits.dtype))


#: By what the best weights are chosen: a column of the history, and whether it should be large or small.
_SCORES = {"best_accuracy": ("test_accuracy", 1), "best_loss": ("test_loss", -1), "best_robust": ("robust_accuracy", 1)}
_LOSSES: dict[str, Loss] = {"cross_entropy": F.cross_entropy, "mse": _mse}


class _Run:
    """One training: what its epochs share."""

    def __init__(
        self,
        classifier: Classifier,
        data: Images,
        test: Images,
        settings: TrainingSettings,
        regime: Regime,
        seed: int,
        regularisers: Mapping[str, Regulariser] | None,
        hooks: Sequence[Hook],
    ) -> None:
        self.classifier, self.data, self.test = classifier, data, test
        self.settings, self.regime, self.seed = settings, regime, seed
        self.regularisers, self.natural = dict(regularisers or {}), _natural(regime)
        self.hooks = Hooks(hooks, classifier, data.device, functools.partial(_derive, seed))
        self.loss, self.state = _LOSSES[settings.loss], _progress.State()
        self.per_epoch = len(bounds(len(data), settings.batch, settings.drop_last))
        self.generator = torch.Generator(data.device)
        self.watch = Watch(data, settings, _derive(seed, 0, "watch"))
        classifier.requires_grad_(settings.train == "all")
        if settings.train == "head":
            head(classifier).requires_grad_(True)
        self.optimizer = _optimizer(settings, [p for p in classifier.parameters() if p.requires_grad])
        self.reduced = _reduced_precision(settings, data.device)
        self.scaler = torch.amp.GradScaler(data.device.type, enabled=self.reduced == torch.float16)

    def restore(self, state: _progress.State) -> None:
        """Go on from a state."""
        self.state = state
        self.hooks.restore(state.records)
        if state.epoch:
            self.classifier.load_state_dict(state.model)
            self.optimizer.load_state_dict(state.optimizer)
            self.scaler.load_state_dict(state.scaler)

    def snapshot(self) -> _progress.State:
        """Return the state with what the epochs have changed."""
        self.state.model = self.classifier.state_dict()
        self.state.optimizer, self.state.scaler = self.optimizer.state_dict(), self.scaler.state_dict()
        self.state.records = dict(self.hooks.records)
        return self.state

    @full_float32()
    def epoch(self, last: int) -> dict[str, float] | None:
        """Train for one epoch, evaluate, remember the best; return its record, None if it stops after step ``last``."""
        start, number, clock = time.perf_counter(), self.state.epoch, self._clock()
        trained = self._steps(number, last)
        trained["step_seconds"] = round((self._clock() - clock) / self.per_epoch, 6)
        if (number + 1) * self.per_epoch > last:
            return None
        self.classifier.eval()
        test_loss, test_accuracy = evaluate(self.classifier, self.test)
        record = {
            "epoch": number + 1,
            "lr": float(self.optimizer.param_groups[0]["lr"]),
            **trained,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
            **self.watch.record(self.classifier),
            "seconds": round(time.perf_counter() - start, 4),
        }
        self.state.history.append(record)
        self.watch.report(self.state.history)
        self.state.epoch += 1
        self._keep(record)
        self.call_hooks("after_epoch", number, self.context(self.state.epoch * self.per_epoch - 1))
        return record

    def _clock(self) -> float:
        """Return seconds: on the CPU those of the processor, in which other work on the machine does not count."""
        return time.process_time() if self.data.device.type == "cpu" else time.perf_counter()

    def context(self, step: int) -> StepContext:
        """Return the context of a step."""
        return StepContext(
            step=step,
            epoch=step // self.per_epoch,
            steps=self.settings.epochs * self.per_epoch,
            steps_per_epoch=self.per_epoch,
            generator=self.generator,
            loss=self.loss,
            scaler=self.scaler,
        )

    def call_hooks(self, event: Event, number: int, context: StepContext, batch: Batch | None = None) -> None:
        """Call the hooks of an event."""
        self.hooks.call(event, number, context, self.state.history, batch)

    def finish(self) -> list[dict[str, float]]:
        """Leave the classifier with the weights to keep; return the history."""
        if self.state.best_weights:
            self.classifier.load_state_dict(self.state.best_weights)
        self.classifier.to(memory_format=torch.contiguous_format)
        self.classifier.requires_grad_(True).eval()
        return self.state.history

    def _keep(self, record: dict[str, float]) -> None:
        # ASSUME: as in the papers, the best epoch is chosen on the same images on which accuracy is reported.
        if self.settings.keep == "last":
            return
        column, sign = _SCORES[self.settings.keep]
        score = sign * record[column]
        if score > self.state.best:
            self.state.best = score
            self.state.best_weights = copy.deepcopy(self.classifier.state_dict())

    def _steps(self, epoch: int, last: int) -> dict[str, float]:
        """Do the steps of an epoch up to step ``last``; return loss, accuracy, and each regulariser's term."""
        # With a frozen trunk, batch norm must not move either: the whole network stays in eval mode.
        self.classifier.train(self.settings.train == "all")
        torch.manual_seed(_derive(self.seed, epoch, "dropout"))
        drawing = torch.Generator().manual_seed(_derive(self.seed, epoch, "data"))
        self.generator.manual_seed(_derive(self.seed, epoch, "regime"))
        steps = Steps(epoch, self.regularisers, self.scaler.is_enabled())
        right = torch.zeros((), dtype=torch.int64, device=self.data.device)
        for number, (images, labels) in enumerate(self.data.epoch(self.settings, drawing)):
            batch = Batch(images.contiguous(memory_format=torch.channels_last), labels)
            context = self.context(epoch * self.per_epoch + number)
            done = self._step(batch, context)
            steps.add(done, len(labels))
            if done.logits is not None and len(done.logits) == len(labels):
                right += (done.logits.argmax(dim=1) == labels).sum()
            if number % _LOOK == _LOOK - 1:
                steps.check()
            self.call_hooks("after_step", context.step, context, batch)
            if context.step + 1 == last:
                break
        if len(steps) % _LOOK:
            steps.check()
        means = steps.means()
        return {"train_loss": means.pop("train_loss"), "train_accuracy": int(right) / steps.images, **means}

    def _step(self, batch: Batch, context: StepContext) -> Done:
        """Set the rates, and lower the loss of one batch."""
        group = self.optimizer.param_groups[0]
        group["lr"] = _schedule.learning_rate(self.settings, context.step, context.steps, self.per_epoch)
        moment = _schedule.momentum(self.settings, context.step, context.steps)
        group.update({"momentum": moment} if "momentum" in group else {"betas": (moment, group["betas"][1])})
        clean = CleanPass(self.classifier, batch, context, own=self.natural) if self.regularisers else None
        loss, logits = self._loss(batch, context, clean)
        with self._autocast():
            terms = {} if clean is None else self._terms(clean, context)
        total = loss
        for name, term in terms.items():
            total = total + self.regularisers[name].weight * term
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        detached = {name: term.detach() for name, term in terms.items()}
        return Done(loss.detach(), total.detach(), detached, None if clean is None else clean.alive, logits)

    def _loss(self, batch: Batch, context: StepContext, clean: CleanPass | None) -> tuple[Tensor, Tensor | None]:
        """Return the regime's loss and its last logits; natural training shares the pass of the regularisers."""
        if clean is not None and self.natural:
            with self._autocast():
                return clean.loss, clean.logits.detach()
        with self._autocast():
            prepared = self.regime.prepare(self.classifier, batch, context)
        with self._autocast(), _Watching(self.classifier) as watching:
            return self.regime.loss(self.classifier, prepared, batch, context), watching.logits

    def _autocast(self) -> torch.autocast:
        # One for each part of a step: weights that a part has cast without gradients must not serve the next one.
        return torch.autocast(self.data.device.type, dtype=self.reduced, enabled=self.reduced is not None)

    def _terms(self, clean: CleanPass, context: StepContext) -> dict[str, Tensor]:
        return {
            name: check_term(regulariser(self.classifier, clean, context), name)
            for name, regulariser in self.regularisers.items()
        }


def _natural(regime: Regime) -> bool:
    """Whether a regime trains on the images as they come: it overrides nothing of the base class."""
    own = type(regime)
    return isinstance(regime, Regime) and own.prepare is Regime.prepare and own.loss is Regime.loss


class _Watching:
    """Keep the last logits that a network gives within a block: regimes return only their loss."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.logits: Tensor | None = None

    def __enter__(self) -> _Watching:
        self._handle = self.model.register_forward_hook(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _look(self, _model: nn.Module, _given: object, logits: Tensor) -> None:
        self.logits = logits.detach()


def _optimizer(settings: TrainingSettings, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=settings.momentum, weight_decay=decay)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr=rate, betas=(settings.momentum, 0.999), weight_decay=decay)


def _reduced_precision(settings: TrainingSettings, device: torch.device) -> torch.dtype | None:
    if settings.precision == "float32" or device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _derive(seed: int, epoch: int, purpose: str) -> int:
    """Return a seed of its own for each epoch and purpose."""
    digest = hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
