"""Estimated seconds and bytes of a result: from the most similar finished ones, else from a table, else a guess."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from freqmaps.plan import table
from freqmaps.plan.finished import FinishedJob
from freqmaps.plan.table import Rate
from freqmaps.stages import STAGES
from freqmaps.stages.work import TRAINS, Case

DECIDES_NUMBERS = False

_PER_SAMPLE, _PER_JOB = 30.0, 15e3
_TABLES = ("correlation", "evaluation")
#: ASSUME: seconds to check, write and read the weights of a snapshot, and to save it as a checkpoint.
_SAVING = 0.1

Similar = Callable[[Case, Case], bool]


def _same_network(a: Case, b: Case) -> bool:
    if not a.runs_network:
        return True
    networks = [None if c.network is None else c.network.identity for c in (a, b)]
    return networks[0] == networks[1] and a.shape.values == b.shape.values


#: How alike a finished result is to a planned one: what must agree, within which factor it then speaks for the other.
_LEVELS: tuple[tuple[str, float, Similar], ...] = (
    ("same setting", 1.5, lambda a, b: _same_network(a, b) and a.setting == b.setting),
    ("same kind", 2.0, lambda a, b: _same_network(a, b) and a.component[0] == b.component[0]),
    ("same network", 2.5, lambda a, b: a.runs_network and _same_network(a, b)),
)


@dataclass
class Rates:
    """Estimates for results, from finished jobs and from the table of measurements."""

    jobs: Sequence[FinishedJob]

    def __post_init__(self) -> None:
        self._by_stage = collections.defaultdict[tuple[str, str], list[FinishedJob]](list)
        for job in self.jobs:
            self._by_stage[_kin(job.case)].append(job)
        self._rates: dict[tuple[object, ...], Rate] = {}

    def seconds(self, case: Case) -> Rate:
        """Return the seconds that a result takes, its start-up not counted."""
        if case.stage == "snapshots":
            return self._snapshot(case)
        return self._work_seconds(case)

    def _snapshot(self, case: Case) -> Rate:
        """Return the seconds of a snapshot: of the training that is made for it, if any, and of saving it."""
        alike = [
            job.seconds
            for job in self._by_stage[_kin(case)]
            if job.case.stage == "snapshots" and job.case.steps == 0 and _same_network(case, job.case)
        ]
        saving = sum(alike) / len(alike) if alike else _SAVING
        if case.gradients:
            trained = self._work_seconds(case)
            return Rate(trained.value + saving, trained.factor, trained.source)
        return Rate(saving, 1.5, "results here, same network") if alike else Rate(saving, 5.0, "default per snapshot")

    def _work_seconds(self, case: Case) -> Rate:
        rate = self._known("seconds", case, _work, lambda job: job.seconds, case.runs_network)
        if rate is not None:
            return Rate(rate.value * _work(case), rate.factor, rate.source)
        if case.runs_network:
            rate = table.gradient_seconds(case.network, case.shape, case.device)
            if not case.counted:
                rate = Rate(rate.value, 3.0 * rate.factor, f"passes unknown, guessed as one; {rate.source}")
            return Rate(rate.value * case.gradients, rate.factor, rate.source)
        if case.stage == "correlation":
            return table.metric_seconds(case.component[0], case.images, case.features)
        if case.declared_seconds is not None:
            return Rate(case.declared_seconds, 5.0, "what the simulation says of its default parameters")
        per_number = STAGES[case.stage].seconds_per_number
        return Rate(per_number * case.images * case.features, 5.0, "default per number stored")

    def bytes(self, case: Case) -> Rate:
        """Return the bytes that a result takes on disk."""
        rate = self._known("bytes", case, _stored, lambda job: float(job.bytes), False)
        if rate is not None:
            return Rate(rate.value * _stored(case) + _PER_JOB, min(rate.factor, 2.0), rate.source)
        if case.stage in TRAINS:
            rate = table.weights(case.network, case.shape)
            return Rate(4.0 * rate.value + _PER_JOB, rate.factor, f"weights {rate.source}")
        if case.stage == "correlation":
            return Rate(_PER_SAMPLE * case.images + _PER_JOB, 2.0, "default per sample")
        per_number, factor = STAGES[case.stage].stored
        return Rate(
            per_number * case.rows * case.features + _PER_SAMPLE * case.images + _PER_JOB, factor,
            "measured compression",
        )  # fmt: skip

    def steps(self, case: Case) -> float | None:
        """Return the steps per image of finished results of the same settings; None where there are none."""
        alike = [m.case.steps for m in self._by_stage[_kin(case)] if m.case.setting == case.setting]
        known = sorted(steps for steps in alike if steps)
        return known[len(known) // 2] if known else None

    def share(self, case: Case, names: Sequence[str] = ("dataset", "model", "training", "images", "attack")) -> float:
        """Return the share of the images asked for that was eligible in earlier results of the same network; else 1."""
        place = [case.spec["names"].get(name) for name in names]
        alike = [
            job
            for job in self._by_stage[_kin(case)]
            if [job.case.spec["names"].get(name) for name in names] == place and job.asked
        ]
        asked = sum(job.asked for job in alike)
        return sum(job.case.images for job in alike) / asked if asked else 1.0

    def _known(
        self,
        quantity: str,
        case: Case,
        work: Callable[[Case], float],
        took: Callable[[FinishedJob], float],
        across: bool,
    ) -> Rate | None:
        """Return a rate from the most similar results: the sum of their costs divided by the sum of their work."""
        question = (
            quantity,
            case.stage,
            case.device,
            case.setting,
            case.network and case.network.identity,
            case.shape.values,
        )
        if question not in self._rates:
            self._rates[question] = self._look(case, work, took, across) or Rate(0.0, 0.0, "")
        rate = self._rates[question]
        return rate if rate.factor else None

    def _look(
        self, case: Case, work: Callable[[Case], float], took: Callable[[FinishedJob], float], across: bool
    ) -> Rate | None:
        jobs = [job for job in self._by_stage[_kin(case)] if work(job.case)]
        # What other parameters do to the work of a simulation is not known.
        for name, factor, alike in _LEVELS[:1] if case.stage == "simulation" else _LEVELS:
            rate = _sum([job for job in jobs if alike(case, job.case)], work, took)
            if rate is not None:
                return Rate(rate, factor, f"results here, {name}")
        if across:  # a gradient of the same network costs the same in every stage
            others = [job for (_, device), group in self._by_stage.items() if device == case.device for job in group]
            rate = _sum([job for job in others if job.case.runs_network and _same_network(case, job.case)], work, took)
            if rate is not None:
                return Rate(rate, 3.0, "results here, other stages of the network")
        return None


def _kin(case: Case) -> tuple[str, str]:
    """Return stage and device of the results that a case is estimated from; snapshots are taken as trainings."""
    return "training" if case.stage in TRAINS else case.stage, case.device


def _sum(
    jobs: Sequence[FinishedJob], work: Callable[[Case], float], took: Callable[[FinishedJob], float]
) -> float | None:
    total = sum(work(job.case) for job in jobs)
    return sum(took(job) for job in jobs) / total if total > 0 else None


def _work(case: Case) -> float:
    """Return the amount of work that the seconds of a stage are proportional to."""
    if case.stage == "correlation":
        return case.images**2 * case.features
    if case.stage == "simulation":
        return 1.0
    return case.gradients if case.runs_network else case.images * case.features


def _stored(case: Case) -> float:
    """Return the amount that the bytes of a stage are proportional to; 1 for the weights of a network."""
    if case.stage in TRAINS:
        return 1.0
    return case.rows * (1.0 if case.stage in _TABLES else case.features)
