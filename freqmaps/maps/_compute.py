"""Compute the frequency maps of a set of images, in their order, in a run that can resume."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from freqmaps.core import components
from freqmaps.maps._state import Saved, fingerprint
from freqmaps.maps.settings import MapSettings
from freqmaps.optimise.layouts import Layout
from freqmaps.provenance.unfinished import Arrays, Place

if TYPE_CHECKING:
    import torch
    from torch import nn

    from freqmaps.optimise.compiled import Mode


@dataclass(frozen=True)
class Maps:
    """The maps of n images, in the images' order.

    Attributes
    ----------
    map
        (n, ...) float32, as they are made: for amplitudes, half planes (c, h, w // 2 + 1) in [0, 1].
    layout
        How they lie; ``layout.to_store(map)`` gives them with the axes ``layout.dims``, full planes for amplitudes.
    steps
        (n,) int64: optimisation steps made.
    loss
        (n,) float64: the objective at the last step.
    converged
        (n,) bool: stopped because the loss had settled, not because of ``max_steps``.
    keeps_prediction
        (n,) bool: the image filtered by the final map is classified as the target.
    """

    map: NDArray[np.float32]
    layout: Layout
    steps: NDArray[np.int64]
    loss: NDArray[np.float64]
    converged: NDArray[np.bool_]
    keeps_prediction: NDArray[np.bool_]


def compute_maps(
    model: nn.Module,
    images: NDArray[np.float32],
    targets: NDArray[np.int64],
    objective_name: str,
    objective_params: Mapping[str, Any],
    settings: MapSettings,
    *,
    basis_name: str = "fourier",
    basis_params: Mapping[str, Any] = MappingProxyType({}),
    device: str | torch.device = "auto",
    batch: int | None = None,
    compile: Mode = "never",
    state: Place | Path | None = None,
    progress: Callable[[int, str], object] | None = None,
) -> Maps:
    """Find the map of each image; see :func:`freqmaps.maps._engine.optimise_maps` for how.

    Parameters
    ----------
    model
        From images in [0, 1] to logits.
    images
        (n, c, h, w) float32; n may be 0.
    targets
        (n,) int64: the class that each map is to keep.
    objective_name, objective_params
        A component of ``freqmaps/optimise/objectives`` (or ``module:function``) and its parameters.
    settings
        Learning rate, its schedule, and the stopping rule.
    basis_name, basis_params
        A component of ``freqmaps/optimise/bases`` (or ``module:function``) and its parameters.
    device, batch
        Where, and how many at once; None finds a number from the free memory.
    compile
        Whether to compile the network: ``always``, ``never``, or ``auto``, if the work is worth it.
    state
        Where finished maps are kept, and every few minutes those that are not finished: a later call for the same work
        takes them from there, one for other work leaves them alone. None keeps nothing.
    progress
        Called with the number of finished maps and a short note.

    Raises
    ------
    FreqmapsError
        Shapes or targets do not fit, the basis does not fit the images or the network, a loss is not finite, or memory
        does not hold one image.
    """
    import torch

    from freqmaps.core.device import pick
    from freqmaps.maps._engine import optimise_maps
    from freqmaps.optimise.problem import plan_for

    pictures = np.ascontiguousarray(images, dtype=np.float32)
    classes = np.ascontiguousarray(targets, dtype=np.int64)
    named = (objective_name, objective_params, settings, basis_name, basis_params)
    mark = fingerprint(model, pictures, classes, *named) if state else ""
    basis = components.load("basis", basis_name)(**basis_params)
    saved = Saved(state, mark)
    groups = saved.load()
    try:
        for finished in optimise_maps(
            model,
            pictures,
            classes,
            components.load("objective", objective_name)(**objective_params),
            settings,
            basis=basis,
            device=device,
            batch=batch,
            only=_missing(groups, len(pictures)),
            compile=compile,
            begun=saved.load_begun(),
            keep=saved.keep_begun if state else None,
            progress=progress,
        ):
            arrays = {field.name: getattr(finished, field.name) for field in fields(finished)}
            groups.append(arrays)
            saved.add(arrays)
    finally:
        saved.flush()
    layout = plan_for(model, basis, torch.from_numpy(pictures), pick(device)).layout
    return _in_order(groups, len(pictures), layout)


def _missing(groups: Iterable[Arrays], n: int) -> NDArray[np.int64]:
    finished = np.zeros(n, dtype=bool)
    for group in groups:
        finished[group["index"]] = True
    return np.flatnonzero(~finished).astype(np.int64)


def _in_order(groups: Iterable[Arrays], n: int, layout: Layout) -> Maps:
    result = Maps(
        map=np.ones((n, *layout.shape), dtype=np.float32),
        layout=layout,
        steps=np.zeros(n, dtype=np.int64),
        loss=np.zeros(n, dtype=np.float64),
        converged=np.zeros(n, dtype=bool),
        keeps_prediction=np.zeros(n, dtype=bool),
    )
    for group in groups:
        for name in ("map", "steps", "loss", "converged", "keeps_prediction"):
            getattr(result, name)[group["index"]] = group[name]
    return result
