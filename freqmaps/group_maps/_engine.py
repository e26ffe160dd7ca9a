"""The maps of all groups at once: each optimised on its own, all images of a step in one batch of the network.

A group's order of images, steps and schedule are its own, so its map is what it would be if it were made alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.memory import free_bytes
from freqmaps.group_maps._batches import Batch, Minibatches, Step, on_device
from freqmaps.group_maps._pool import Chunks, Pool
from freqmaps.group_maps._progress import HISTORY, ZERO, Progressed, Tally
from freqmaps.group_maps.selection import Pictures
from freqmaps.group_maps.settings import GroupMapSettings
from freqmaps.models._predict import to_unit
from freqmaps.optimise import adam
from freqmaps.optimise.bases._api import Basis, Plan
from freqmaps.optimise.compiled import Mode
from freqmaps.optimise.objectives._api import Objective
from freqmaps.optimise.problem import Problem

#: Share of the free memory that the coefficients of all images may take.
CACHE_SHARE = 0.3
#: What sets the random numbers of one purpose apart from those of another.
_SEEDS = {"clean": 0, "adversarial": 1, "initial": 2}


class Run:
    """All groups' maps on their way, from epoch to epoch; map ``g * starts + s`` is start s of group g.

    Parameters
    ----------
    model
        From images in [0, 1] to logits. Copied: the caller's is left unchanged.
    pictures
        By kind, ``clean`` and ``adversarial``; kinds without images are left out.
    objective
        What to minimise: its data term is averaged over the images of a group in the step.
    basis
        The coefficients that the maps multiply.
    settings, seed
        Of the optimisation; the seed decides orders and noise.
    device, batch
        Where, and how many images go through the network at once; None finds a number.
    compile
        Whether to compile the network: see :mod:`freqmaps.optimise.compiled`.
    """

    def __init__(
        self,
        model: nn.Module,
        pictures: Mapping[str, Pictures],
        objective: Objective,
        basis: Basis,
        settings: GroupMapSettings,
        seed: int,
        device: torch.device,
        batch: int | None,
        compile: Mode = "never",
    ) -> None:
        self.settings, self.seed, self.device = settings, seed, device
        probe = to_unit(torch.from_numpy(next(iter(pictures.values())).images[:2]).to(device))
        self.problem = Problem.of("group_maps", model, objective, basis, probe)
        self.plan = self.problem.plan
        self.chunks = Chunks(self.problem, batch or self.problem.batch(probe[:1]), device)
        with torch.no_grad():
            classes = self.problem.plain(probe).shape[1]
            coefficients = self.plan.coefficients(probe[:1])
        self.labels = [-1] if settings.groups == "all" else list(range(classes))
        self._take(pictures, sum(part.numel() * part.element_size() for part in coefficients))
        self.state = Progressed.start(self._initial(self.plan.initial(coefficients)), settings.epochs)
        images = settings.starts * sum(len(p) for p in pictures.values())
        rows = settings.starts * sum(min(settings.batch, len(group)) for group in next(iter(self.members.values())))
        size = min(self.chunks.size, rows)
        self.problem = self.problem.compiled(probe[:1], size, settings.epochs * images, compile)

    def _take(self, pictures: Mapping[str, Pictures], coefficient_bytes: int) -> None:
        """Sort the images into groups, and look at each once."""
        needed = coefficient_bytes * sum(len(p) for p in pictures.values())
        cache = needed < CACHE_SHARE * free_bytes(self.device)
        self.pools = {kind: Pool(p, self.chunks, cache) for kind, p in pictures.items()}
        self.members = {k: [_members(p, label) for label in self.labels] for k, p in pictures.items()}
        self.batches = {
            kind: [
                Minibatches(m, self.settings.batch, (self.seed, _SEEDS[kind], label + 1))
                for m, label in zip(groups, self.labels, strict=True)
            ]
            for kind, groups in self.members.items()
        }
        # In an epoch, the kind with more minibatches is seen once, and the other goes on from where it was.
        self.rounds = [max(len(kind[g]) for kind in self.batches.values()) for g in range(len(self.labels))]
        kinds = [sum(len(kind[g]) > 0 for kind in self.batches.values()) for g in range(len(self.labels))]
        self.total = [self.settings.epochs * r * k for r, k in zip(self.rounds, kinds, strict=True)]

    def _initial(self, unchanging: Tensor) -> Tensor:
        """Return the maps that all optimisations start from, given the one that changes nothing, (1, ...)."""
        maps = torch.cat([unchanging] * len(self.labels) * self.settings.starts)
        for number in range(len(maps)):
            group, start = divmod(number, self.settings.starts)
            if self.rounds[group] and (start or self.settings.initial == "uniform"):
                seed = (self.seed, _SEEDS["initial"], self.labels[group] + 1, start)
                maps[number] = torch.from_numpy(self.plan.layout.draw(np.random.default_rng(seed)))
        return maps

    def group_of(self, number: int) -> int:
        """Return the group that a map belongs to."""
        return number // self.settings.starts

    def running(self) -> NDArray[np.bool_]:
        """Return (p,) which maps are still to be optimised: not those without images."""
        rounds = np.repeat(self.rounds, self.settings.starts)
        return (rounds > 0) & ~self.state.stopping.converged & (self.state.epoch < self.settings.epochs)

    def unfiltered(self, kind: str) -> NDArray[np.float64]:
        """Return (p,) the accuracy on the unfiltered images of each map's group; NaN where there are none."""
        if kind not in self.pools:
            return np.full(len(self.labels) * self.settings.starts, np.nan)
        right = self.pools[kind].right.cpu().numpy()
        share = [right[m].mean() if len(m) else np.nan for m in self.members[kind]]
        return np.repeat(np.array(share, dtype=np.float64), self.settings.starts)

    def epoch(self) -> None:
        """Make one pass over all images, then record loss, accuracy and sparsity, and check for convergence."""
        running = self.running()
        tally = Tally.start(len(running), self.device)
        kinds, steps = self._planned(running)
        for kind, batch in zip(kinds, on_device(steps, self.device), strict=True):
            self._step(self.pools[kind], kind, batch, tally)
        self._end_epoch(tally, running)

    def _planned(self, running: NDArray[np.bool_]) -> tuple[list[str], list[Step]]:
        """Return the steps of an epoch, each with the kind of its images; the maps' numbers of steps count on."""
        kinds, steps = [], []
        for number in range(max(r for g, r in enumerate(self.rounds) if running[self._starts(g)].any())):
            for kind in self.pools:
                step = self._plan(kind, number, running)
                if step is not None:
                    kinds.append(kind)
                    steps.append(step)
        return kinds, steps

    def _starts(self, group: int) -> slice:
        return slice(group * self.settings.starts, (group + 1) * self.settings.starts)

    def _plan(self, kind: str, number: int, running: NDArray[np.bool_]) -> Step | None:
        """Put together the next minibatch of every group that has one left in this epoch, once for each start."""
        seen, live = [], []
        for g, batches in enumerate(self.batches[kind]):
            maps = np.arange(len(running))[self._starts(g)][running[self._starts(g)]]
            if number >= self.rounds[g] or not len(batches) or not len(maps):
                continue
            rows = batches.at(self.state.epoch * self.rounds[g] + number)
            seen += [rows] * len(maps)
            live += maps.tolist()
        if not live:
            return None
        sizes = np.array([len(rows) for rows in seen])
        self.state.steps[live] += 1
        numbers = self.state.steps[live]
        paces = [
            adam.pace(self.settings, n - 1, self.total[self.group_of(p)])
            for p, n in zip(live, numbers.tolist(), strict=True)
        ]
        rate, beta = np.array(paces, dtype=np.float64).T
        return Step(
            rows=np.concatenate(seen),
            owner=np.repeat(live, sizes),
            share=np.repeat(1.0 / sizes, sizes).astype(np.float32),
            live=np.array(live, dtype=np.int64),
            number=numbers.astype(np.float64),
            rate=rate,
            beta=beta,
        )

    def _step(self, pool: Pool, kind: str, batch: Batch, tally: Tally) -> None:
        """One step of every map that has images: mean loss over them plus penalty, Adam, projection."""
        data = torch.zeros_like(self.state.map)
        self.chunks.run(len(batch.rows), lambda part: self._accumulate(pool, kind, batch, part, data, tally))
        live = batch.live
        with torch.no_grad():
            part = self.state.part(live)
            summed = self.plan.symmetrise_(data.index_select(0, live))
            penalty, gradient = self.plan.gradient(self.problem.objective, part.map, summed)
            tally.add_penalty(live, penalty)
            rate = self.settings.learning_rate * batch.rate
            part.step(self.plan, gradient, torch.empty_like(gradient), rate, batch.number, batch.beta)
            self.state.put(live, part)

    def _accumulate(self, pool: Pool, kind: str, batch: Batch, part: slice, data: Tensor, tally: Tally) -> None:
        """Add the gradient of some images' data terms; what is added to changes only once nothing can fail any more."""
        rows, owner, share = batch.rows[part], batch.owner[part], batch.share[part]
        target, context = pool.targets.index_select(0, rows), pool.context.index_select(0, rows)
        maps = self.state.map.index_select(0, owner)
        coefficients = pool.coefficients(batch.here[part], rows)
        term = self.problem.data_term(coefficients, maps, target, context, share)
        tally.add(kind, owner, term.loss * share, term.logits.argmax(dim=1) == target)
        data.index_add_(0, owner, term.gradient)

    def _end_epoch(self, tally: Tally, running: NDArray[np.bool_]) -> None:
        state, number = self.state, self.state.epoch
        figures = tally.figures() | sparsity(self.plan, state.map)
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
            state.best = torch.where(self._rows(kept), state.map, state.best)

    def _rows(self, flags: NDArray[np.bool_]) -> Tensor:
        return adam.rows(torch.from_numpy(flags).to(self.device), self.state.map)

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
        return torch.where(self._rows(self.state.stopping.kept > 0), self.state.best, self.state.map)

    def accuracy(self, kind: str, maps: Tensor) -> NDArray[np.float64]:
        """Return (p,) the accuracy on the images of each map's group, filtered by its map; NaN without images."""
        count = len(maps)
        right, seen = np.zeros(count), np.zeros(count)
        for number in range(count) if kind in self.pools else ():
            rows = torch.from_numpy(self.members[kind][self.group_of(number)])
            seen[number] = len(rows)
            right[number] = self._right(self.pools[kind], rows, maps[number])
        with np.errstate(invalid="ignore"):
            return right / seen

    def _right(self, pool: Pool, rows: Tensor, map_: Tensor) -> int:
        counts: list[Tensor] = []
        there = rows.to(self.device)

        def work(part: slice) -> None:
            coefficients = pool.coefficients(rows[part], there[part])
            predictions = self.problem.predictions(coefficients, map_.expand(len(rows[part]), *map_.shape))
            counts.append((predictions == pool.targets.index_select(0, there[part])).sum())

        self.chunks.run(len(rows), work)
        return int(torch.stack(counts).sum()) if counts else 0


def sparsity(plan: Plan, maps: Tensor) -> dict[str, NDArray[np.float64]]:
    """Return (p,) the mean of |M| over channels and coefficients, and the share of coefficients below ``ZERO``."""
    size, entries = plan.size(maps), plan.weight.sum() * maps.shape[1]
    mean = (size * plan.weight).sum(dim=(1, 2, 3)) / entries
    zeros = ((size < ZERO) * plan.weight).sum(dim=(1, 2, 3)) / entries
    return {"mean_of_map": mean.double().cpu().numpy(), "share_of_zeros": zeros.double().cpu().numpy()}


def _members(pictures: Pictures, label: int) -> NDArray[np.int64]:
    chosen = np.ones(len(pictures), bool) if label < 0 else pictures.category == label
    return np.flatnonzero(chosen).astype(np.int64)
