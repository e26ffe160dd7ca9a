"""Work that is done on the CPU and on another device, pretended or real, and compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from freqmaps.core import components
from freqmaps.core.images import images_of
from freqmaps.maps import MapSettings, _engine
from freqmaps.spectra import low_bias, low_pass, masks, perturbations
from freqmaps.study.pages import TEMPLATES
from freqmaps.training import Hook
from tests import tiny_results
from tests.map_cases import small_net, some_images, some_targets

#: All maps stop at the same step, so that rounding decides no number of steps.
SETTLING = MapSettings(min_steps=8, max_steps=20, tolerance=0.0, settling=12)

_RNG = np.random.default_rng(4)
PLANES = _RNG.random((3, 2, 6, 5))
OTHERS = PLANES + 0.1 * _RNG.standard_normal(PLANES.shape)

#: Spectral quantities of two sets of tensors, beside those of ``test_spectra_tensors``.
OF_TWO = {
    **{f"low_bias, {q}, {b}": lambda x, y, q=q, b=b: low_bias.image_low_bias(x, quadrant=q, batch=b)
       for q in ("first", "second", "mean") for b in ("mean", "each")},
    "lfc_ratio": lambda x, y: perturbations.lfc_ratio(x, 2.0),
    "log_spectrum_difference": perturbations.log_spectrum_difference,
    "relative_change": perturbations.relative_change,
    "relative_dct_change": perturbations.relative_dct_change,
    "low_pass": lambda x, y: low_pass.low_pass(x, 1.5),
    "low_pass, disc": lambda x, y: low_pass.low_pass(x, 1.5, "circle"),
    "binary_mask": lambda x, y: masks.binary_mask(x, 0.5),
    "complement_mask": lambda x, y: masks.complement_mask(x, 0.5),
}  # fmt: skip


class Looks(Hook):
    """Records the first weights, what it draws on the device, and the loss of the step's images."""

    def after_step(self, moment):
        context, batch = moment.context, moment.batch
        drawn = torch.rand(3, generator=context.generator, device=batch.images.device)
        loss = context.loss(moment.model(batch.images), batch.labels)
        return {"weights": next(moment.model.parameters()), "drawn": drawn, "loss": loss}

    def after_epoch(self, moment):
        return len(moment.history)


def maps_in_two_runs(device, settings, n=7, batch=3):
    """Return the maps of a run as a whole, and the maps of another that takes over what the first had begun."""
    given = (small_net(), some_images(n), some_targets(n), components.load("objective", "cross_entropy")(penalty=0.1))
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_engine, "KEPT_EVERY", 0.0)
        made = {"device": device, "batch": batch}
        whole = _in_order(_engine.optimise_maps(*given, settings, keep=kept.append, **made))
    begun = kept[0]
    assert all(isinstance(part, np.ndarray) for part in begun.values()) and (begun["steps"] > 0).all()
    return whole, _in_order(_engine.optimise_maps(*given, settings, begun=begun, **made))


def _in_order(groups):
    every = list(groups)
    order = np.argsort(np.concatenate([group.index for group in every]))
    names = ("map", "steps", "loss")
    return {name: np.concatenate([getattr(group, name) for group in every])[order] for name in names}


def snapshot(study, device, name):
    """Return the folder of a snapshot after three steps, made by its script."""
    _, _, parameters, inputs = study.calls["/".join(["training", *tiny_results.PLAIN.values()])]
    names = tiny_results.PLAIN | {"seed": name, "step": "3"}
    return tiny_results.stage(
        study, "snapshots", names, parameters | {"step": 3}, inputs, device=str(device), located={}
    )


def atlas(study, device, name):
    """Return the page of an atlas of the plain network and its attack, made by its script."""
    place, attacked = tiny_results.PLAIN, images_of("adversarial", "fgsm")
    if not any("/adversarial/" in key for key in study.folders):
        tiny_results._maps(study, place, attacked)
    chosen = [key for key in study.folders if "/".join(place.values()) in key and key.split("/")[0] in _SHOWN]
    parameters = {
        "attacks": ["fgsm"], "samples": 5, "megabytes": 1, "study": "toy", "names": place | {"maps": "tiny"},
    }  # fmt: skip
    inputs = {"of": ["datasets/toy", *chosen]}
    folder = tiny_results.stage(
        study, "atlas", {"atlas": name}, parameters, inputs, device=str(device), templates=str(TEMPLATES)
    )
    return (folder / "atlas.html").read_text(encoding="utf-8")


_SHOWN = ("training", "attacks", "maps")
