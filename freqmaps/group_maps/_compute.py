"""Compute the frequency maps of all groups of images, in a run that can resume after every epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.group_maps._state import fingerprint, load, save
from freqmaps.group_maps.selection import Pictures
from freqmaps.group_maps.settings import GroupMapSettings
from freqmaps.optimise.layouts import Layout
from freqmaps.provenance.unfinished import Place

if TYPE_CHECKING:
    import torch
    from torch import nn

    from freqmaps.group_maps._engine import Run
    from freqmaps.optimise.compiled import Mode


@dataclass(frozen=True)
class GroupMaps:
    """p maps: of every group the ones from its starts, one after another.

    Attributes
    ----------
    map
        (p, ...) float32, as they are made: for amplitudes, half planes (c, h, w // 2 + 1) in [0, 1]. The map that
        changes nothing, which is 1 throughout, for a group without images.
    layout
        How they lie; ``layout.to_store(map)`` gives them with the axes ``layout.dims``, full planes for amplitudes.
    label
        (p,) int64: the class, or -1 for the group of all images.
    start
        (p,) int64: which initial value, from 0.
    n_images, n_adversarial
        (p,) int64: clean and adversarial images in the group. A group that has neither is empty.
    epochs, kept_epoch
        (p,) int64: epochs made, and the one after which the map was as it is here.
    converged
        (p,) bool: finished by the stopping rule.
    loss
        (p,) float64: the mean objective over the steps of the last epoch.
    accuracy, filtered_accuracy
        (p,) float64 in [0, 1]: of the network on the group's clean images, and on them filtered by the map.
    adversarial_accuracy, filtered_adversarial_accuracy
        The same for the group's adversarial images, with the true classes.
    mean_of_map, share_of_zeros
        (p,) float64 in [0, 1]: mean of |M| over channels and coefficients, for amplitudes the full plane's
        (‖M‖₁ / ‖1‖₁), and share of coefficients with |M| < 1e-8.
    history
        ``loss``, ``accuracy``, ``adversarial_accuracy`` (both of the filtered images, counted while the map moves),
        ``mean_of_map`` and ``share_of_zeros``, (p, epochs) float64 each; NaN after a map has stopped.

    Figures about images that a group does not have are NaN.
    """

    map: NDArray[np.float32]
    layout: Layout
    label: NDArray[np.int64]
    start: NDArray[np.int64]
    n_images: NDArray[np.int64]
    n_adversarial: NDArray[np.int64]
    epochs: NDArray[np.int64]
    kept_epoch: NDArray[np.int64]
    converged: NDArray[np.bool_]
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    filtered_accuracy: NDArray[np.float64]
    adversarial_accuracy: NDArray[np.float64]
    filtered_adversarial_accuracy: NDArray[np.float64]
    mean_of_map: NDArray[np.float64]
    share_of_zeros: NDArray[np.float64]
    history: dict[str, NDArray[np.float64]]


def compute_group_maps(
    model: nn.Module,
    clean: Pictures,
    objective_name: str,
    objective_params: Mapping[str, Any],
    settings: GroupMapSettings,
    *,
    basis_name: str = "fourier",
    basis_params: Mapping[str, Any] = MappingProxyType({}),
    adversarial: Pictures | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    batch: int | None = None,
    compile: Mode = "never",
    state: Place | Path | None = None,
    progress: Callable[[int, str], object] | None = None,
) -> GroupMaps:
    """Find one map per group of images (Karantzas et al., eq. 2; Basile et al., section IV-G).

    A step of a group minimises the mean of the objective's data term over the group's next ``settings.batch`` images,
    each filtered by the group's map, plus the penalty, by Adam; the map is put back into its range after each step. All
    groups' steps go through the network together; a group's map is what it would be if it were made alone, and neither
    ``batch`` nor the device change it but by rounding.

    ASSUME: a mean, where eq. 2 of Karantzas et al. writes a sum over the set and Basile et al. write nothing. A sum
    would make λ depend on the number of images; with the mean, λ = 0.2 beside ‖M‖/‖M₀‖ weighs the map as much as a loss
    that differs by 0.43 per image. The code of both papers takes the mean.

    Parameters
    ----------
    model
        From images in [0, 1] to logits. Left unchanged.
    clean
        The clean images; not used where adversarial ones are and ``settings.alternate`` is off.
    objective_name, objective_params
        A component of ``freqmaps/optimise/objectives`` (or ``module:function``) and its parameters.
    settings
        Groups, initial values, optimisation and stopping rule.
    basis_name, basis_params
        A component of ``freqmaps/optimise/bases`` (or ``module:function``) and its parameters.
    adversarial
        Adversarial images that the network misclassifies; their maps learn to give the true class back.
    seed
        Of orders and noise.
    device, batch
        Where, and how many images go through the network at once; None finds a number from the free memory. Out of
        memory, it is halved.
    compile
        Whether to compile the network: ``always``, ``never``, or ``auto``, if the work is worth it.
    state
        Where the state after every epoch is kept: a later call for the same work goes on from there, one for other work
        leaves it alone.
    progress
        Called with the epochs done and a short note.

    Raises
    ------
    FreqmapsError
        Shapes, labels or settings do not fit, there are no images, the basis does not fit the images or the network, a
        loss is not finite, or memory does not hold one image.
    """
    from freqmaps.core.device import pick
    from freqmaps.group_maps._engine import Run
    from freqmaps.group_maps._progress import Progressed

    pictures = _used(clean, adversarial, settings)
    named = (objective_name, objective_params, settings, basis_name, basis_params, seed)
    mark = fingerprint(model, pictures, *named) if state else ""
    objective = components.load("objective", objective_name)(**objective_params)
    basis = components.load("basis", basis_name)(**basis_params)
    run = Run(model, pictures, objective, basis, settings, seed, pick(device), batch, compile)
    saved = load(state, mark)
    if saved:
        run.state = Progressed.restored(saved, run.device)
    while run.running().any():
        run.epoch()
        save(state, mark, run.state.arrays())
        if progress:
            progress(run.state.epoch, _note(run))
    return _finished(run)


def _used(clean: Pictures, adversarial: Pictures | None, settings: GroupMapSettings) -> dict[str, Pictures]:
    by_kind = {"clean": clean} if adversarial is None or settings.alternate else {}
    if adversarial is not None:
        by_kind["adversarial"] = adversarial
    for kind, pictures in by_kind.items():
        n = pictures.images.shape[:1]
        if pictures.images.ndim != 4 or pictures.targets.shape != n or pictures.category.shape != n:
            raise FreqmapsError(
                f"group_maps: {kind} images {pictures.images.shape}, targets {pictures.targets.shape} and categories "
                f"{pictures.category.shape} do not fit; give (n, channels, height, width), (n,) and (n,)"
            )
    if settings.stop == "k22" and "clean" not in by_kind:
        raise FreqmapsError(
            "group_maps: stop 'k22' needs the accuracy on clean images, which alternate: false leaves out; "
            "set stop: none or alternate: true"
        )
    used = {kind: _tidy(pictures) for kind, pictures in by_kind.items() if len(pictures)}
    if not used:
        raise FreqmapsError(
            f"group_maps: there are no {' and no '.join(by_kind)} images to make maps of; "
            "check the range of samples, the checkpoint's accuracy and, of adversarial images, the attack's success"
        )
    if len({p.images.shape[1:] for p in used.values()}) > 1:
        raise FreqmapsError("group_maps: clean and adversarial images differ in size; take them of one dataset")
    return used


def _tidy(pictures: Pictures) -> Pictures:
    return Pictures(
        np.ascontiguousarray(pictures.images, dtype=np.uint8 if pictures.images.dtype == np.uint8 else np.float32),
        np.ascontiguousarray(pictures.targets, dtype=np.int64),
        np.ascontiguousarray(pictures.category, dtype=np.int64),
    )


def _note(run: Run) -> str:
    history, last = run.state.history, run.state.epoch - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = history["accuracy"][:, last] / run.unfiltered("clean")
    shown = {"loss": history["loss"][:, last], "accuracy ratio": ratio, "mean of map": history["mean_of_map"][:, last]}
    means = {name: values[np.isfinite(values)] for name, values in shown.items()}
    text = ", ".join(f"{name} {values.mean():.4g}" for name, values in means.items() if len(values))
    return f"({int(run.running().sum())} maps to go, {text})"


def _finished(run: Run) -> GroupMaps:
    from freqmaps.group_maps._engine import sparsity

    final, state, starts = run.final(), run.state, run.settings.starts
    counts = {
        kind: np.repeat([len(m) for m in run.members[kind]] if kind in run.members else [0] * len(run.labels), starts)
        for kind in ("clean", "adversarial")
    }
    last = np.maximum(state.epochs - 1, 0)
    kept = np.where(state.stopping.kept > 0, state.stopping.kept, state.epochs)
    return GroupMaps(
        map=final.cpu().numpy(),
        layout=run.plan.layout,
        label=np.repeat(np.array(run.labels, dtype=np.int64), starts),
        start=np.tile(np.arange(starts, dtype=np.int64), len(run.labels)),
        n_images=counts["clean"].astype(np.int64),
        n_adversarial=counts["adversarial"].astype(np.int64),
        epochs=state.epochs,
        kept_epoch=kept.astype(np.int64),
        converged=state.stopping.converged,
        loss=state.history["loss"][np.arange(len(final)), last],
        accuracy=run.unfiltered("clean"),
        filtered_accuracy=run.accuracy("clean", final),
        adversarial_accuracy=run.unfiltered("adversarial"),
        filtered_adversarial_accuracy=run.accuracy("adversarial", final),
        **sparsity(run.plan, final),
        history={name: values[:, : state.epoch] for name, values in state.history.items()},
    )
