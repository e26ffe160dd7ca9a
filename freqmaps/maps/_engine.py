"""Many maps at once, each its own problem: the loss is a sum over images, so a batch is exactly the sum of single runs.

An image that stops hands its slot to the next in the queue; when the queue is empty the batch shrinks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from freqmaps.core import components
from freqmaps.core.device import is_out_of_memory, pick
from freqmaps.core.errors import FreqmapsError
from freqmaps.core.memory import give_freed_memory_back
from freqmaps.maps._slots import Slots, advance
from freqmaps.maps.settings import MapSettings
from freqmaps.optimise.bases._api import Basis
from freqmaps.optimise.compiled import Mode
from freqmaps.optimise.objectives._api import Objective
from freqmaps.optimise.problem import Problem
from freqmaps.provenance.unfinished import Arrays

#: Steps between two looks at which images have stopped: a look waits for a GPU, and costs nothing on a CPU.
CHECK_EVERY = {"cpu": 1}
CHECK_EVERY_ELSEWHERE = 10
#: Steps after which a run says that it is going on, if no map has finished at that moment.
SAID_EVERY = 100
#: Seconds after which maps that are not finished are kept for a later run.
KEPT_EVERY = 300.0
#: The batch shrinks when this share of its slots is idle; every new size costs the convolutions a new plan.
IDLE_SHARE = 0.1


@dataclass(frozen=True)
class FinishedMaps:
    """Maps whose optimisation has ended, with the steps made, the final loss and whether it converged.

    Attributes
    ----------
    index
        (k,) int64: their places in the images given.
    map
        (k, ...) float32, as the basis's layout has them: for amplitudes, half planes (c, h, w // 2 + 1) in [0, 1].
    steps
        (k,) int64: steps made.
    loss
        (k,) float64: the objective at the last step, before that step's update.
    converged
        (k,) bool: stopped because the loss had settled.
    keeps_prediction
        (k,) bool: the image filtered by the final map is classified as the target.
    """

    index: NDArray[np.int64]
    map: NDArray[np.float32]
    steps: NDArray[np.int64]
    loss: NDArray[np.float64]
    converged: NDArray[np.bool_]
    keeps_prediction: NDArray[np.bool_]


def optimise_maps(
    model: nn.Module,
    images: NDArray[np.float32] | Tensor,
    targets: NDArray[np.int64] | Tensor,
    objective: Objective,
    settings: MapSettings,
    *,
    basis: Basis | None = None,
    device: str | torch.device = "auto",
    batch: int | None = None,
    only: NDArray[np.int64] | None = None,
    compile: Mode = "never",
    begun: Arrays | None = None,
    keep: Callable[[Arrays], object] | None = None,
    progress: Callable[[int, str], object] | None = None,
) -> Iterator[FinishedMaps]:
    """Find the map of each image, and yield maps as they finish, in any order.

    Each image's trajectory is that of its own gradient descent on all coefficients: M starts where it changes nothing;
    x_F is the image with its coefficients times M (for amplitudes, Re F⁻¹(M ⊙ F x): Basile et al., eq. 1); Adam on the
    objective; M put back into its range after each step; the stopping rule of
    :class:`~freqmaps.maps.settings.MapSettings`. The batch, its order and the device change it by rounding only.

    Parameters
    ----------
    model
        From images in [0, 1] to logits (n, k). Copied: the caller's is left unchanged.
    images
        (n, c, h, w) float32.
    targets
        (n,) int64: the class that each map is to keep.
    objective
        What to minimise, from :mod:`freqmaps.optimise.objectives`.
    settings
        Learning rate, its schedule, and the stopping rule.
    basis
        The coefficients that a map multiplies, from :mod:`freqmaps.optimise.bases`; None: amplitudes of the Fourier
        transform.
    device
        ``auto`` (CUDA, else MPS, else CPU) or a torch device.
    batch
        Images optimised together; None finds a number from the memory that is free. Out of memory, it is halved.
    only
        Positions of the images to do; None does all.
    compile
        ``always``, ``never``, or ``auto``: whether to compile the network, if the images and their least steps are
        worth it; see :mod:`freqmaps.optimise.compiled`.
    begun
        Maps that an earlier run of the same work had begun, as it gave them to ``keep``: they go on from there.
    keep
        Called every few minutes with the maps that are not finished, as arrays by name.
    progress
        Called with the number of finished maps (those that ``only`` leaves out included) and a short note, also while
        none has finished: the first ones take ``min_steps``, which of large images are hours.

    Raises
    ------
    FreqmapsError
        Shapes or targets do not fit, the basis does not fit the images or the network, a loss is not finite (names the
        image), or not even one image fits in memory.
    """
    where = pick(device)
    pictures = torch.as_tensor(images, dtype=torch.float32)
    classes = torch.as_tensor(targets, dtype=torch.int64)
    _check(pictures, classes, batch)
    waiting = range(len(pictures)) if only is None else only.tolist()
    if len(waiting) == 0:
        return iter(())
    chosen = basis or components.load("basis", "fourier")()
    return _Run(
        model, pictures, classes, waiting, objective, chosen, settings, where, batch, progress, compile, begun, keep
    ).groups()


def _check(images: Tensor, targets: Tensor, batch: int | None) -> None:
    if images.ndim != 4 or targets.shape != images.shape[:1]:
        raise FreqmapsError(
            f"maps: images {tuple(images.shape)} and targets {tuple(targets.shape)} do not fit; "
            "give (n, channels, height, width) and (n,)"
        )
    if batch is not None and batch < 1:
        raise FreqmapsError(f"maps: batch is {batch}; give at least 1, or nothing to have it found")


class _Run:
    """One call of :func:`optimise_maps`: the queue, the slots, and which image sits in which."""

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        targets: Tensor,
        waiting: Sequence[int],
        objective: Objective,
        basis: Basis,
        settings: MapSettings,
        device: torch.device,
        batch: int | None,
        progress: Callable[[int, str], object] | None,
        compile: Mode = "never",
        begun: Arrays | None = None,
        keep: Callable[[Arrays], object] | None = None,
    ) -> None:
        self.images, self.targets = images, targets
        self.settings, self.device, self.progress = settings, device, progress
        probe = images[:2].to(device)
        self.problem = Problem.of("maps", model, objective, basis, probe)
        self.batch = batch or self.problem.batch(probe[:1])
        gradients = len(images) * min(2 * settings.min_steps, settings.max_steps)
        self.problem = self.problem.compiled(probe[:1], min(self.batch, len(images)), gradients, compile)
        self.check_every = CHECK_EVERY.get(device.type, CHECK_EVERY_ELSEWHERE)
        self.queue = deque(waiting)
        self.slots: Slots | None = None
        #: The image in each slot, -1 for an idle one.
        self.occupant: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.done = len(images) - len(waiting)
        self.advanced = 0
        self.begun, self.keep = begun, keep

    def groups(self) -> Iterator[FinishedMaps]:
        """Yield finished maps until there are none left to make."""
        kept = time.monotonic()
        while self.queue or self.slots is not None:
            if not self._advance():
                self._halve()
                continue
            finished = self._collect()
            if self.keep and self.slots is not None and time.monotonic() - kept >= KEPT_EVERY:
                self.keep(self._unfinished())
                kept = time.monotonic()
            if finished is not None:
                yield finished
            elif self.progress and self.advanced % SAID_EVERY < self.check_every:
                self.progress(self.done, f"{self.advanced} steps made")
        give_freed_memory_back()

    def _advance(self) -> bool:
        """Fill the slots and make some steps; False if memory ran out, with all that was won kept."""
        try:
            self._fill()
            assert self.slots is not None
            for _ in range(self.check_every):
                advance(self.slots, self.problem, self.settings)
                self.advanced += 1
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def _fill(self) -> None:
        """Put waiting images into idle slots; drop slots when too many stay idle."""
        if self.slots is None and self.begun is not None:
            self._go_on(self.begun)
            self.begun = None
        if self.slots is None:
            count = min(self.batch, len(self.queue))
            self.slots, self.occupant = self._enter(count), np.array([self.queue.popleft() for _ in range(count)])
            return
        idle = np.flatnonzero(self.occupant < 0)[: len(self.queue)]
        if len(idle):
            self.slots.write(self._rows(idle), self._enter(len(idle)))
            self.occupant[idle] = [self.queue.popleft() for _ in idle]
        busy = np.flatnonzero(self.occupant >= 0)
        if len(self.occupant) - len(busy) > IDLE_SHARE * len(self.occupant):
            self._keep(busy)

    def _unfinished(self) -> Arrays:
        """Return the maps in the slots as arrays: the place of each image, and what the steps have changed."""
        assert self.slots is not None
        busy = np.flatnonzero(self.occupant >= 0)
        state = self.slots.select(self._rows(busy)).begun()
        return {"image": self.occupant[busy], **{name: part.cpu().numpy() for name, part in state.items()}}

    def _go_on(self, begun: Arrays) -> None:
        """Put maps that an earlier run had begun into slots, as they were; those finished since then are left out."""
        waiting = set(self.queue)
        rows = [row for row, image in enumerate(begun["image"].tolist()) if image in waiting][: self.batch]
        if not rows:
            return
        images = begun["image"][rows].tolist()
        chosen = set(images)
        self.queue = deque([*images, *(image for image in self.queue if image not in chosen)])
        slots = self._enter(len(rows))
        slots.go_on({name: torch.from_numpy(part[rows]) for name, part in begun.items() if name != "image"})
        self.slots, self.occupant = slots, np.array([self.queue.popleft() for _ in rows])

    def _enter(self, count: int) -> Slots:
        """Return the starting state of the next images of the queue, which are left in it."""
        index = torch.tensor([self.queue[i] for i in range(count)])
        images, target = self.images[index].to(self.device), self.targets[index].to(self.device)
        context, _ = self.problem.remember(images, target)
        with torch.no_grad():
            cfg = self.settings
            return Slots.start(self.problem.plan, images, target, context, cfg.window, cfg.settling)

    def _keep(self, rows: NDArray[np.int64]) -> None:
        assert self.slots is not None
        self.slots = self.slots.select(self._rows(rows)) if len(rows) else None
        self.occupant = self.occupant[rows]

    def _rows(self, rows: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(rows)).to(self.device)

    def _collect(self) -> FinishedMaps | None:
        """Take the maps that have stopped out of their slots."""
        assert self.slots is not None
        active, finite = torch.stack([self.slots.active, self.slots.finite]).cpu().numpy()
        busy = self.occupant >= 0
        if not finite[busy].all():
            first = int(self.occupant[busy & ~finite][0])
            raise FreqmapsError(
                f"maps: the loss of image {first} is not finite; "
                "check that image, the checkpoint's weights and the penalty"
            )
        stopped = np.flatnonzero(busy & ~active)
        if len(stopped) == 0:
            return None
        finished = self._finished(self.slots.select(self._rows(stopped)), self.occupant[stopped])
        self.occupant[stopped] = -1
        if not self.queue and (self.occupant < 0).all():
            self.slots = None
        self.done += len(stopped)
        if self.progress:
            self.progress(self.done, f"median steps {int(np.median(finished.steps))}")
        return finished

    def _finished(self, slots: Slots, index: NDArray[np.int64]) -> FinishedMaps:
        predictions = self.problem.predictions(slots.coefficients, slots.map)
        return FinishedMaps(
            index=index,
            map=slots.map.cpu().numpy(),
            steps=slots.steps.cpu().numpy(),
            loss=slots.loss.cpu().numpy().astype(np.float64),
            converged=slots.converged.cpu().numpy(),
            keeps_prediction=(predictions == slots.target).cpu().numpy(),
        )

    def _halve(self) -> None:
        """Out of memory: go on with half the images, and start the others again later."""
        self.batch = self.problem.halved(self.batch if self.slots is None else len(self.slots), self.device)
        if self.slots is None:
            return
        busy = np.flatnonzero(self.occupant >= 0)
        self.queue.extendleft(reversed(self.occupant[busy[self.batch :]].tolist()))
        self._keep(busy[: self.batch])
