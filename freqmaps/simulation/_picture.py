"""Arrays for a figure of two-layer networks: quantiles of paths, predicted and measured changes, errors by rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from freqmaps.simulation import _two_layer as two
from freqmaps.simulation._pgd_path import Attack
from freqmaps.simulation._training_path import RATES, READINGS, Path
from freqmaps.simulation._two_layer import Flags, Reals

if TYPE_CHECKING:
    import xarray as xr

_QUANTILES = (0.25, 0.5, 0.75)
#: Steps whose predicted and measured changes are shown, per activation and scale.
_POINTS = 300


def picture(rng: np.random.Generator, path: Path, attack: Attack, errors: Reals, living: Flags) -> dict[str, Reals]:
    """Return quantiles over the living networks, and the predicted and measured changes of some steps, drawn by lot.

    Parameters
    ----------
    rng
        Chooses the steps.
    path, attack
        Of n networks.
    errors
        (readings, rates, n).
    living
        (n,) which networks count.
    """
    predicted, measured = (values[:, living].ravel() for values in (path.predicted(), path.measured()))
    chosen = rng.integers(len(measured), size=_POINTS)
    return {
        "share": np.quantile(path.share[:, living], _QUANTILES, axis=1),
        "share_of_signal": np.asarray(np.median(path.share_of_signal)),
        "share_of_attack": np.quantile(attack.share[:, living], _QUANTILES, axis=1),
        "share_of_gradient": np.asarray(np.median(attack.share_of_gradient[living])),
        "change": np.stack([predicted[chosen], measured[chosen]]),
        "error": np.median(errors[..., living], axis=2),
    }


def arrays(pictures: Sequence[dict[str, Reals]], scales: Sequence[float]) -> xr.Dataset:
    """Return the pictures of all activations and scales, in this order, as labelled arrays."""
    import xarray as xr

    place, shape = ("activation", "scale"), (len(two.ACTIVATIONS), len(scales))
    further = {
        "share": ("quantile", "step"), "share_of_signal": (), "share_of_attack": ("quantile", "iteration"),
        "share_of_gradient": (), "change": ("kind", "point"), "error": ("reading", "rate"),
    }  # fmt: skip
    stacked = {name: np.stack([picture[name] for picture in pictures]) for name in further}
    return xr.Dataset(
        {name: ((*place, *dims), _folded(stacked[name], shape)) for name, dims in further.items()},
        {
            "activation": list(two.ACTIVATIONS), "scale": list(scales), "quantile": list(_QUANTILES),
            "step": np.arange(stacked["share"].shape[-1]), "iteration": np.arange(stacked["share_of_attack"].shape[-1]),
            "kind": ["predicted", "measured"], "reading": list(READINGS), "rate": list(RATES),
        },
    )  # fmt: skip


def _folded(values: Reals, shape: tuple[int, int]) -> Reals:
    return values.reshape(*shape, *values.shape[1:])
