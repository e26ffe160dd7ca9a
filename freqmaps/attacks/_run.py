"""Run an attack over a set of images: batches from memory, resumable, the same result for any batch size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from freqmaps.attacks._api import AttackPlan
from freqmaps.attacks._network import classify, count_classes, frozen
from freqmaps.attacks._noise import keyed_noise
from freqmaps.attacks._result import AttackResult, norms, settle
from freqmaps.attacks._state import Finished, fingerprint
from freqmaps.core.device import is_out_of_memory, pick, release
from freqmaps.core.errors import FreqmapsError
from freqmaps.provenance.unfinished import Place

#: Numbers in a batch of images to begin with, by kind of device; halved when memory runs out.
_BATCH_NUMBERS = {"cpu": 1 << 20, "cuda": 1 << 24, "mps": 1 << 21}


@dataclass(frozen=True)
class _Work:
    """One call's arguments after checking, and the network that the attack differentiates."""

    model: nn.Module
    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    plan: AttackPlan
    seed: int
    positions: NDArray[np.int64]
    device: torch.device
    net: nn.Module


def attack_images(
    model: nn.Module,
    images: Tensor | NDArray[np.float32],
    labels: Tensor | ArrayLike,
    plan: AttackPlan,
    *,
    seed: int,
    positions: ArrayLike,
    device: str | torch.device = "auto",
    batch: int | None = None,
    state: Place | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> AttackResult:
    """Attack images and check what comes out.

    The result does not depend on the batch size, nor on which samples are attacked together, beyond float noise:
    random numbers belong to ``(seed, position)``. For a plan with ``block`` that holds as long as no block is cut.

    Parameters
    ----------
    model
        Maps (n, c, h, w) in [0, 1] to logits (n, classes). It is moved to the device, and frozen meanwhile. Attacks
        with a budget see it with batch norm folded away, which costs a third less and moves gradients by rounding only;
        those of minimum norm end at its very boundary, and see it as it is. Predictions are always its own.
    images
        (n, c, h, w) float32 in [0, 1].
    labels
        (n,) integers in 0..classes-1. Images that are already misclassified are attacked too; they are told by
        ``prediction != label``.
    plan
        What an attack component builds.
    seed
        Of this stage.
    positions
        (n,) integers ≥ 0: each sample's position in the whole dataset.
    device
        ``auto``, ``cpu``, ``cuda``, ``mps``.
    batch
        Samples per batch; None: from the image size. Halved when memory runs out. A plan's ``block`` overrules it.
    state
        Where finished batches are kept: a run that was killed goes on from there. None: nothing is kept.
    progress
        Called with the number of samples finished.

    Returns
    -------
    AttackResult
        One row per sample, failures included.

    Raises
    ------
    FreqmapsError
        Images, labels or positions are unusable; the attack left [0, 1] or its budget by more than 1e-6, or
        returned NaN; memory does not suffice for one sample (or one block).
    """
    work = _checked(model, images, labels, plan, seed, positions, pick(device))
    with frozen(model, work.device):
        if len(work.images):
            _check_labels(work.labels, count_classes(model, work.images[:1], work.device), work.positions)
        prediction = classify(model, work.images, work.device)
    # An attack of minimum norm ends where two logits are equal: there rounding would decide about its success.
    with frozen(model, work.device, work.images if plan.epsilon is not None else None) as net:
        work = replace(work, net=net)
        adversarial = _attack_all(work, batch, state, progress)
        again = classify(model, adversarial, work.device)
    difference = adversarial - work.images
    return AttackResult(
        adversarial=adversarial,
        label=work.labels,
        prediction=prediction,
        adversarial_prediction=again,
        success=again != work.labels,
        linf=norms(difference, "linf").astype(np.float32),
        l2=norms(difference, "l2").astype(np.float32),
        norm=plan.norm,
        epsilon=plan.epsilon,
    )


def _checked(
    model: nn.Module, images: Any, labels: Any, plan: AttackPlan, seed: int, positions: Any, device: torch.device
) -> _Work:
    x, y, where = (
        v.detach().cpu().numpy() if isinstance(v, Tensor) else np.asarray(v) for v in (images, labels, positions)
    )
    if x.ndim != 4 or 0 in x.shape[1:] or x.dtype != np.float32:
        raise FreqmapsError(f"images have shape {x.shape} and dtype {x.dtype}; expected (n, c, h, w) float32 in [0, 1]")
    for name, array in (("labels", y), ("positions", where)):
        if array.shape != x.shape[:1] or (array.dtype.kind not in "iu" and array.size):
            raise FreqmapsError(
                f"{name} have shape {array.shape} and dtype {array.dtype}; expected {len(x)} integers, one per image"
            )
    if where.size and where.min() < 0:
        raise FreqmapsError(f"positions start at {where.min()}; a position in a dataset is at least 0")
    bad = ~((x >= 0) & (x <= 1)).all(axis=(1, 2, 3))  # true for NaN, too
    if bad.any():
        raise FreqmapsError(
            f"{bad.sum()} of {len(x)} images hold NaN, infinity or values outside [0, 1], "
            f"first at position {where[bad][0]}; scale the images to [0, 1] and remove broken ones"
        )
    x, y, where = np.ascontiguousarray(x), y.astype(np.int64), where.astype(np.int64)
    return _Work(model, x, y, plan, int(seed), where, device, model)


def _check_labels(labels: NDArray[np.int64], classes: int, positions: NDArray[np.int64]) -> None:
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        raise FreqmapsError(
            f"label {labels[bad][0]} at position {positions[bad][0]} is none of the network's {classes} classes; "
            f"use the dataset that the network was trained on"
        )


def _attack_all(
    work: _Work, batch: int | None, state: Place | Path | None, progress: Callable[[int], None] | None
) -> NDArray[np.float32]:
    out = np.zeros_like(work.images)
    key = fingerprint(work.model, work.plan, work.seed, work.images, work.labels, work.positions) if state else ""
    finished = Finished(state, key)
    done = finished.load(out)
    todo = deque(_batches(work, done, batch))
    while todo:
        rows = todo.popleft()
        adversarial = _attack_batch(work, rows)
        if adversarial is None:
            limit = _halved(work.plan, len(rows))
            todo = deque(part for whole in (rows, *todo) for part in _split(whole, limit))
            continue
        out[rows] = adversarial
        done[rows] = True
        finished.save(rows, adversarial)
        if progress:
            progress(int(done.sum()))
    return out


def _batches(work: _Work, done: NDArray[np.bool_], batch: int | None) -> list[NDArray[np.int64]]:
    """Row numbers of each batch that is still to do."""
    rows = np.flatnonzero(~done)
    if work.plan.block is None:
        size = batch or _default_batch(work)
        if size < 1:
            raise FreqmapsError(f"batch {size} must be at least 1")
        return _split(rows, size)
    blocks = work.positions[rows] // work.plan.block
    # In the order of positions: a block gives the same result however its samples arrive.
    groups = (rows[blocks == block] for block in np.unique(blocks))
    return [group[np.argsort(work.positions[group], kind="stable")] for group in groups]


def _default_batch(work: _Work) -> int:
    return (
        max(1, _BATCH_NUMBERS.get(work.device.type, 1 << 20) // max(1, work.images[0].size)) if len(work.images) else 1
    )


def _split(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _halved(plan: AttackPlan, size: int) -> int:
    """Return the next batch size after memory ran out."""
    if plan.block is not None and size > 1:
        raise FreqmapsError(
            f"attack '{plan.name}': memory does not suffice for a block of {size} samples; set a smaller block"
        )
    if size == 1:
        raise FreqmapsError(f"attack '{plan.name}': memory does not suffice for one sample; use a larger device")
    return size // 2


def _attack_batch(work: _Work, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """Attack some rows and check the outcome; None if memory ran out."""
    clean, positions = work.images[rows], work.positions[rows]
    try:
        with keyed_noise(work.seed, positions.tolist(), work.device):
            raw = work.plan.attack(
                work.net,
                torch.from_numpy(clean.copy()).to(work.device),
                torch.from_numpy(work.labels[rows]).to(work.device),
            )
        adversarial = raw.detach().float().cpu().numpy()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        adversarial = None
    if adversarial is None:  # here, not above: the error's traceback holds the failed batch's tensors
        release(work.device)
        return None
    return settle(work.plan, clean, adversarial, positions)
