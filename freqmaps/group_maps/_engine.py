"""The maps of all groups at once: each its own problem, all images of a step in one batch of the network.

A group's order of images, steps and schedule are its own, so its map is what it would be if it were made alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.memory import fitting_batch, free_bytes, keep_freed_memory
from freqmaps.group_maps._adam import adam_step, rate_and_beta
from freqmaps.group_maps._batches import Minibatches
from freqmaps.group_maps._noise import uniform
from freqmaps.group_maps._pool import Chunks, Pool
from freqmaps.group_maps._progress import HISTORY, ZERO, Progressed, Tally
from freqmaps.group_maps.selection import Pictures
from freqmaps.group_maps.settings import GroupMapSettings
from freqmaps.models._predict import to_unit
from freqmaps.optimise.frozen import freeze, plain_copy
from freqmaps.optimise.objectives._api import Objective
from freqmaps.spectra.half_planes import filtered, mirrored_, towards_map
from freqmaps.spectra.planes import multiplicity

#: Share of the free memory that F x of all images may take.
CACHE_SHARE = 0.3
#: What sets the random numbers of one purpose apart from those of another.
_SEEDS = {"clean": 0, "adversarial": 1, "initial": 2}


@dataclass(frozen=True)
class Batch:
    """The images of one step.

    Attributes
    ----------
    rows
        (b,) int64 on the CPU: their positions.
    owner
        (b,) int64: the map that each is filtered by.
    share
        (b,) float32: one over the number of images that the map sees in this step.
    live
        The maps that make a step, in ascending order.
    """

    rows: Tensor
    owner: Tensor
    share: Tensor
    live: list[int]


class Run:
    """All groups' maps on their way, from epoch to epoch; problem ``g * starts + s`` is start s of group g.

    Parameters
    ----------
    model
        From images in [0, 1] to logits. Copied: the caller's is left unchanged.
    pictures
        By kind, ``clean`` and ``adversarial``; kinds without images are left out.
    objective
        What to minimise: its data term is averaged over the images of a group in the step.
    settings, seed
        Of the optimisation; the seed decides orders and noise.
    device, batch
        Where, and how many images go through the network at once; None finds a number.
    """

    def __init__(
        self,
        model: nn.Module,
        pictures: Mapping[str, Pictures],
        objective: Objective,
        settings: GroupMapSettings,
        seed: int,
        device: torch.device,
        batch: int | None,
    ) -> None:
        if device.type == "cpu":
            keep_freed_memory()
        self.objective, self.settings, self.seed, self.device = objective, settings, seed, device
        probe = to_unit(torch.from_numpy(next(iter(pictures.values())).images[:2]).to(device))
        self.plain = plain_copy(model, device)
        self.net = freeze(self.plain, probe)
        self.chunks = Chunks(batch or fitting_batch(self.net, probe[:1]), device)
        self.shape = tuple(probe.shape[1:])
        self.weight = torch.from_numpy(multiplicity(*self.shape[-2:])).to(device)
        with torch.no_grad():
            classes = self.plain(probe).shape[1]
        self.labels = [-1] if settings.groups == "all" else list(range(classes))
        self._take(pictures)
        self.state = Progressed.start(self._initial().to(device), settings.epochs)

    def _take(self, pictures: Mapping[str, Pictures]) -> None:
        """Sort the images into groups, and look at each once."""
        entries = sum(p.images.size for p in pictures.values())
        cache = 4 * entries * (self.shape[-1] + 2) / self.shape[-1] < CACHE_SHARE * free_bytes(self.device)
        self.pools = {kind: Pool(p, self.device, cache) for kind, p in pictures.items()}
        self.members = {k: [_members(p, label) for label in self.labels] for k, p in pictures.items()}
        self.batches = {
            kind: [
                Minibatches(m, self.settings.batch, (self.seed, _SEEDS[kind], label + 1))
                for m, label in zip(groups, self.labels, strict=True)
            ]
            for kind, groups in self.members.items()
        }
        for pool in self.pools.values():
            pool.prepare(self.plain, self.objective.prepare, self.chunks)
        # In an epoch, the kind with more minibatches is seen once, and the other goes on from where it was.
        self.rounds = [max(len(kind[g]) for kind in self.batches.values()) for g in range(len(self.labels))]
        kinds = [sum(len(kind[g]) > 0 for kind in self.batches.values()) for g in range(len(self.labels))]
        self.total = [self.settings.epochs * r * k for r, k in zip(self.rounds, kinds, strict=True)]

    def _initial(self) -> Tensor:
        c, h, w = self.shape
        found = np.ones((len(self.labels), self.settings.starts, c, h, w // 2 + 1), dtype=np.float32)
        for g, label in enumerate(self.labels):
            for start in range(self.settings.starts):
                if self.rounds[g] and (start or self.settings.initial == "uniform"):
                    found[g, start] = uniform((c, h, w), (self.seed, _SEEDS["initial"], label + 1, start))
        return torch.from_numpy(found.reshape(-1, c, h, w // 2 + 1))

    def group_of(self, problem: int) -> int:
        """Return the group that a problem belongs to."""
        return problem // self.settings.starts

    def running(self) -> NDArray[np.bool_]:
        """Return (p,) which maps are still to be optimised: not those without images."""
        rounds = np.repeat(self.rounds, self.settings.starts)
        return (rounds > 0) & ~self.state.stopping.converged & (self.state.epoch < self.settings.epochs)

    def unfiltered(self, kind: str) -> NDArray[np.float64]:
        """Return (p,) the accuracy on the unfiltered images of each problem's group; NaN where there are none."""
        if kind not in self.pools:
            return np.full(len(self.labels) * self.settings.starts, np.nan)
        right = self.pools[kind].right.cpu().numpy()
        share = [right[m].mean() if len(m) else np.nan for m in self.members[kind]]
        return np.repeat(np.array(share, dtype=np.float64), self.settings.starts)

    def epoch(self) -> None:
        """Make one pass over all images, then record loss, accuracy and sparsity, and check for convergence."""
        running = self.running()
        tally = Tally.start(len(running), self.device)
        for number in range(max(r for g, r in enumerate(self.rounds) if running[self._problems(g)].any())):
            for kind in self.pools:
                batch = self._batch(kind, number, running)
                if batch is not None:
                    self._step(self.pools[kind], kind, batch, tally)
        self._take_stock(tally, running)

    def _problems(self, group: int) -> slice:
        return slice(group * self.settings.starts, (group + 1) * self.settings.starts)

    def _batch(self, kind: str, number: int, running: NDArray[np.bool_]) -> Batch | None:
        """Put together the next minibatch of every group that has one left in this epoch, once for each start."""
        seen, live = [], []
        for g, batches in enumerate(self.batches[kind]):
            problems = np.arange(len(running))[self._problems(g)][running[self._problems(g)]]
            if number >= self.rounds[g] or not len(batches) or not len(problems):
                continue
            rows = batches.at(self.state.epoch * self.rounds[g] + number)
            seen += [rows] * len(problems)
            live += problems.tolist()
        if not live:
            return None
        sizes = np.array([len(rows) for rows in seen])
        owner = torch.from_numpy(np.repeat(live, sizes)).to(self.device)
        share = torch.from_numpy(np.repeat(1.0 / sizes, sizes).astype(np.float32)).to(self.device)
        return Batch(torch.from_numpy(np.concatenate(seen)), owner, share, live)

    def _step(self, pool: Pool, kind: str, batch: Batch, tally: Tally) -> None:
        """One step of every map that has images: mean loss over them plus penalty, Adam, clamp."""
        data = torch.zeros_like(self.state.map)
        self.chunks.run(len(batch.rows), lambda part: self._accumulate(pool, kind, batch, part, data, tally))
        live = torch.tensor(batch.live, device=self.device)
        with torch.no_grad():
            tensors = (self.state.map, self.state.first, self.state.second)
            maps, first, second = (t.index_select(0, live) for t in tensors)
            penalty, gradient = self.objective.penalty(maps, self.weight)
            gradient += mirrored_(data.index_select(0, live), self.shape[-1])
            tally.add_penalty(live, penalty)
            done = self.state.steps[batch.live]
            plan = [
                rate_and_beta(self.settings, int(n), self.total[self.group_of(p)])
                for p, n in zip(batch.live, done, strict=True)
            ]
            adam_step(maps, first, second, gradient, (done + 1).tolist(), [r for r, _ in plan], [b for _, b in plan])
            for tensor, new in zip(tensors, (maps, first, second), strict=True):
                tensor.index_copy_(0, live, new)
        self.state.steps[batch.live] += 1

    def _accumulate(self, pool: Pool, kind: str, batch: Batch, part: slice, data: Tensor, tally: Tally) -> None:
        """Add the gradient of some images' data terms; what is added to changes only once nothing can fail any more."""
        rows, owner = batch.rows[part], batch.owner[part]
        with torch.no_grad():
            spectra = pool.spectra(rows)
            image = filtered(spectra, self.state.map.index_select(0, owner), self.shape[-1])
        there = rows.to(self.device)
        target = pool.targets.index_select(0, there)
        with torch.enable_grad():
            logits = self.net(image.requires_grad_())
            loss = self.objective.loss(logits, target, pool.context.index_select(0, there))
            (towards_image,) = torch.autograd.grad((loss * batch.share[part]).sum(), image)
        with torch.no_grad():
            each = towards_map(towards_image, spectra, self.shape[-1])
            right = logits.argmax(dim=1) == target
            tally.add(kind, owner, loss.detach() * batch.share[part], right)
            data.index_add_(0, owner, each)

    def _take_stock(self, tally: Tally, running: NDArray[np.bool_]) -> None:
        state, number = self.state, self.state.epoch
        figures = tally.figures() | self._sparsity()
        self._check_finite(figures["loss"], running)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = figures["accuracy"] / self.unfiltered("clean")
        before = state.history["mean_of_map"][:, number - 1]
        change = np.abs(figures["mean_of_map"] - before) if number else np.zeros(len(running))
        for name in HISTORY:
            state.history[name][running, number] = figures[name][running]
        state.epoch += 1
        state.epochs[running] += 1
        if self.settings.stop == "k22":
            kept = state.stopping.after_epoch(self.settings, state.epoch, running, ratio, change)
            chosen = torch.from_numpy(kept).to(self.device)[:, None, None, None]
            state.best = torch.where(chosen, state.map, state.best)

    def _sparsity(self) -> dict[str, NDArray[np.float64]]:
        return sparsity(self.state.map, self.weight)

    def _check_finite(self, loss: NDArray[np.float64], running: NDArray[np.bool_]) -> None:
        bad = np.flatnonzero(running & ~np.isfinite(loss))
        if len(bad):
            label = self.labels[self.group_of(int(bad[0]))]
            who = "all images" if label < 0 else f"class {label}"
            raise FreqmapsError(
                f"group_maps: the loss of the group of {who} is not finite in epoch {self.state.epoch + 1}; "
                "check its images, the checkpoint's weights, the penalty and the learning rate"
            )

    def final(self) -> Tensor:
        """Return the maps to keep: the last ones, but with ``k22`` those of the last epoch that kept the accuracy."""
        kept = torch.from_numpy(self.state.stopping.kept > 0).to(self.device)[:, None, None, None]
        return torch.where(kept, self.state.best, self.state.map)

    def accuracy(self, kind: str, maps: Tensor) -> NDArray[np.float64]:
        """Return (p,) the accuracy on the images of each problem's group, filtered by its map; NaN without images."""
        count = len(maps)
        right, seen = np.zeros(count), np.zeros(count)
        for problem in range(count) if kind in self.pools else ():
            rows = torch.from_numpy(self.members[kind][self.group_of(problem)])
            seen[problem] = len(rows)
            right[problem] = self._right(self.pools[kind], rows, maps[problem : problem + 1])
        with np.errstate(invalid="ignore"):
            return right / seen

    def _right(self, pool: Pool, rows: Tensor, one: Tensor) -> int:
        found: list[Tensor] = []

        def work(part: slice) -> None:
            seen = filtered(pool.spectra(rows[part]), one, self.shape[-1])
            found.append((self.plain(seen).argmax(dim=1) == pool.targets[rows[part].to(self.device)]).sum())

        with torch.no_grad():
            self.chunks.run(len(rows), work)
        return int(sum(int(f) for f in found))


def sparsity(maps: Tensor, weight: Tensor) -> dict[str, NDArray[np.float64]]:
    """Return (p,) each map's mean over channels and full-plane entries, and its share of entries below ``ZERO``."""
    entries = weight.sum() * maps.shape[1]
    mean = (maps * weight).sum(dim=(1, 2, 3)) / entries
    zeros = ((maps < ZERO) * weight).sum(dim=(1, 2, 3)) / entries
    return {"mean_of_map": mean.double().cpu().numpy(), "share_of_zeros": zeros.double().cpu().numpy()}


def _members(pictures: Pictures, label: int) -> NDArray[np.int64]:
    chosen = np.ones(len(pictures), bool) if label < 0 else pictures.category == label
    return np.flatnonzero(chosen).astype(np.int64)
