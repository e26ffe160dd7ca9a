"""The result of an attack: checks of its perturbations, their norms, attack success, and the dataset that is stored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from freqmaps.attacks._api import AttackPlan, Norm
from freqmaps.core.errors import FreqmapsError

#: How far float32 arithmetic may lead an image out of [0, 1], or a perturbation over its budget.
SLACK = 1e-6


@dataclass(frozen=True)
class AttackResult:
    """The outcome for n samples, failures included.

    Attributes
    ----------
    adversarial
        (n, c, h, w) float32 in [0, 1]. Where a minimum-norm attack found nothing: its last attempt, or the clean
        image where it returned none.
    label, prediction, adversarial_prediction
        (n,) int64: the true class, the prediction for the clean image, the prediction for ``adversarial`` as stored.
    success
        (n,) bool: ``adversarial_prediction != label``. All perturbations keep the budget, or there is no result.
    linf, l2
        (n,) float32: norms of ``adversarial - clean`` over all channels.
    norm, epsilon
        The plan's norm and budget (None: a minimum-norm attack).
    """

    adversarial: NDArray[np.float32]
    label: NDArray[np.int64]
    prediction: NDArray[np.int64]
    adversarial_prediction: NDArray[np.int64]
    success: NDArray[np.bool_]
    linf: NDArray[np.float32]
    l2: NDArray[np.float32]
    norm: Norm
    epsilon: float | None

    def summary(self) -> dict[str, Any]:
        """Count the outcome.

        Returns
        -------
        dict
            ``samples``; ``correct``: classified correctly before the attack; ``fooled``, ``failed``: of these, those
            on which the attack succeeded or not; ``success_rate``: fooled / correct; ``unchanged``: samples given
            back as they were; ``median_linf``, ``median_l2``: over the fooled. None where nothing is counted.
        """
        correct = self.prediction == self.label
        fooled = correct & self.success
        return {
            "samples": len(self.label),
            "correct": int(correct.sum()),
            "fooled": int(fooled.sum()),
            "failed": int((correct & ~self.success).sum()),
            "success_rate": float(fooled.sum() / correct.sum()) if correct.any() else None,
            "unchanged": int((self.linf == 0).sum()),
            "median_linf": float(np.median(self.linf[fooled])) if fooled.any() else None,
            "median_l2": float(np.median(self.l2[fooled])) if fooled.any() else None,
        }


def norms(difference: NDArray[np.float32], norm: Norm) -> NDArray[np.float64]:
    """Return the norm of each sample's perturbation, in float64: (n, c, h, w) -> (n,)."""
    flat = difference.reshape(len(difference), math.prod(difference.shape[1:])).astype(np.float64)
    order = {"linf": np.inf, "l2": 2, "l1": 1, "l0": 0}[norm]
    return np.asarray(np.linalg.norm(flat, ord=order, axis=1), np.float64)


def settle(
    plan: AttackPlan, clean: NDArray[np.float32], raw: NDArray[np.float32], positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Check what an attack returned and make of it what is stored.

    Parameters
    ----------
    plan
        The attack.
    clean, raw
        (n, c, h, w) float32: the images, and what the attack made of them.
    positions
        (n,) positions in the dataset, for messages.

    Returns
    -------
    ndarray
        (n, c, h, w) float32 in [0, 1]: rounding errors clipped, NaN of a minimum-norm attack (nothing found)
        replaced by the clean image.

    Raises
    ------
    FreqmapsError
        Wrong shape, NaN within a budget, pixels outside [0, 1] or a perturbation over the budget by more than 1e-6.
    """
    if raw.shape != clean.shape:
        raise FreqmapsError(f"attack '{plan.name}' returned shape {raw.shape} for {clean.shape}; keep the shape")
    lost: NDArray[np.bool_] = np.asarray(~np.isfinite(raw).all(axis=(1, 2, 3)))
    if lost.any() and plan.epsilon is not None:
        raise FreqmapsError(
            f"attack '{plan.name}' returned NaN or infinity, first at position {positions[lost][0]}; "
            f"check that the network's gradient is finite there"
        )
    raw = np.where(lost[:, None, None, None], clean, raw)
    outside = np.asarray(np.maximum(raw - 1, -raw).max(axis=(1, 2, 3)))
    if (outside > SLACK).any():
        worst = int(outside.argmax())
        raise FreqmapsError(
            f"attack '{plan.name}' left [0, 1] by {outside[worst]:.3g} at position {positions[worst]}; clip its images"
        )
    raw = np.clip(raw, 0.0, 1.0)
    _check_budget(plan, norms(raw - clean, plan.norm), positions)
    return raw


def _check_budget(plan: AttackPlan, sizes: NDArray[np.float64], positions: NDArray[np.int64]) -> None:
    """Refuse perturbations over the budget; for budgets above 1 the slack for rounding grows with them."""
    if plan.epsilon is None or not len(sizes):
        return
    worst = int(sizes.argmax())
    if sizes[worst] > plan.epsilon + SLACK * max(1.0, plan.epsilon):
        raise FreqmapsError(
            f"attack '{plan.name}' exceeds its budget: {plan.norm} norm {sizes[worst]:.6g} > epsilon "
            f"{plan.epsilon:.6g} at position {positions[worst]}; project its perturbations onto the budget"
        )


def to_dataset(
    result: AttackResult,
    sample: Sequence[str],
    labels: ArrayLike,
    *,
    kind: str,
    parameters: Mapping[str, Any],
) -> xr.Dataset:
    """Return the result as the content of an adversarial store.

    Parameters
    ----------
    result
        Of n samples.
    sample
        (n,) their ids.
    labels
        (n,) their labels: a check that ids and results belong together.
    kind, parameters
        The component's name and resolved parameters.

    Returns
    -------
    xarray.Dataset
        Keeps the contract ``ADVERSARIAL``. Attributes: ``attack``: the kind; ``parameters`` as JSON; ``norm``;
        ``epsilon``: a float, or the word ``none`` for a minimum-norm attack.

    Raises
    ------
    FreqmapsError
        The number of ids is not n, or the labels are not those that were attacked.
    """
    if len(sample) != len(result.label):
        raise FreqmapsError(f"{len(sample)} sample ids for {len(result.label)} results; pass one id for each")
    if not np.array_equal(np.asarray(labels, np.int64), result.label):
        raise FreqmapsError("the labels are not those of the attacked images; pass ids and labels in the same order")
    names = ("label", "prediction", "adversarial_prediction", "success", "linf", "l2")
    variables: dict[str, Any] = {name: ("sample", getattr(result, name)) for name in names}
    variables["adversarial"] = (("sample", "channel", "y", "x"), result.adversarial)
    about = {
        "kind": "adversarial",
        "attack": kind,
        "parameters": json.dumps(dict(parameters), sort_keys=True),
        "norm": result.norm,
        "epsilon": "none" if result.epsilon is None else float(result.epsilon),
    }
    ids = np.asarray([str(s) for s in sample], dtype=object)
    return xr.Dataset(variables, coords={"sample": ("sample", ids)}, attrs=about)
