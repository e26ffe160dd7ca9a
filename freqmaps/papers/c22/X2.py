"""Networks by how they were trained, and what the measurements of all four papers say of each; in no paper."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from statistics import stdev
from typing import Any

import pandas as pd

from freqmaps.papers.c22._across import QUANTITIES, chosen, networks
from freqmaps.papers.c22._across_claims import Group, grouped, in_short, mean, paragraph
from freqmaps.publish.api import Column, Table
from freqmaps.results.reader import Inputs

TITLE = "Networks across the papers: low frequencies of Jacobians, maps, masks and perturbations, and robustness"
CAPTION = (
    "log B_low (natural logarithm) of the mean Jacobian, and the mean over images; the share of energy below half of "
    "the highest radius in essential maps, adversarial maps and the mask of all images; the share of low frequencies "
    "in perturbations of PGD; cosine and IdCor of essential and adversarial maps, the latter as made, of cleaned maps "
    "and with the constant of the authors' code; accuracy under PGD; mCE relative to standard training; accuracy "
    "through a filter that keeps the lower half of each axis. Means over training seeds ± their standard deviation; of "
    "one network ± half of the 95 % interval over images. A dash: the study does not have it."
)
KIND = "table"
NEEDS = ("evaluation", "training", "datasets")
USES = ("maps", "group_maps", "correlation")
BASES = ("fourier",)
METRICS = ("cosine", "idcor", "idcor_cleaned", "idcor_released")
EVALUATIONS = ("jacobian_spectra", "perturbation_spectra", "robustness", "corruptions", "low_pass")

_WHAT = {
    "maps": "maps", "attack": "attacked by", "mask": "masks", "perturbation_spectra": "perturbations",
    "robustness": "accuracy under PGD", "corruptions": "mCE", "low_pass": "accuracy through a filter",
}  # fmt: skip
Record = dict[str, Any]


def build(inputs: Inputs) -> Table:
    """Build the table, one row per training.

    Parameters
    ----------
    inputs
        The study's results.

    Returns
    -------
    Table
        ``dataset``, ``model``, ``training``, ``network`` (the paper's name); ``networks``; each quantity of
        :data:`freqmaps.papers.c22._across.QUANTITIES` with ``_sd`` over seeds and, of one network, the bounds ``_low``
        and ``_high`` of its 95 % interval over images; ``_error``, what is shown behind ±: the former, of one network
        half of that interval. Shares and accuracies are in [0, 1], mCE in percent.

    Raises
    ------
    FreqmapsError
        No network's Jacobians were measured.
    """
    groups = grouped(networks(inputs))
    frame = pd.DataFrame([_record(group) for group in groups])
    notes = _notes(inputs, groups, frame)
    return Table(frame, notes, _columns(frame), finding=in_short(groups) or notes[0])


def _record(group: Group) -> Record:
    first = group.networks[0]
    names = {key: first.case.names[key] for key in ("dataset", "model", "training")}
    record: Record = {**names, "network": first.called, "networks": len(group.networks)}
    for name in QUANTITIES:
        values = group.values(name)
        record |= {name: mean(group, name), f"{name}_sd": stdev(values) if len(values) > 1 else nan}
        bounds = first.values[name] if len(group.networks) == 1 else None
        low, high = (nan, nan) if bounds is None else (bounds.low, bounds.high)
        record |= {f"{name}_low": low, f"{name}_high": high}
        record[f"{name}_error"] = (high - low) / 2 if len(group.networks) == 1 else record[f"{name}_sd"]
    return record


def _notes(inputs: Inputs, groups: Sequence[Group], frame: pd.DataFrame) -> list[str]:
    answers = paragraph(groups)
    notes = [answers] if answers else ["No two trainings differ by JaFR alone, so nothing is said of what it changes."]
    lacking = [quantity.label for name, quantity in QUANTITIES.items() if frame[name].isna().all()]
    if lacking:
        notes.append(f"The study does not have: {'; '.join(lacking)}.")
    some = [q.label for n, q in QUANTITIES.items() if frame[n].isna().any() and not frame[n].isna().all()]
    if some:
        notes.append(f"Not of every network: {'; '.join(some)}.")
    named = [
        f"{text} '{chosen_names[what]}'"
        for chosen_names in [chosen(inputs)]
        for what, text in _WHAT.items()
        if what in chosen_names
    ]
    if named:
        notes.append(f"Of several settings these count, which most networks have: {', '.join(named)}.")
    if (frame["networks"] == 1).all():
        notes.append("One network per row: intervals are over images and say nothing of other training seeds.")
    return notes


def _columns(frame: pd.DataFrame) -> list[Column]:
    shown = [Column(key, key.capitalize()) for key in ("dataset", "model") if frame[key].nunique() > 1]
    shown += [Column("network", "Training"), Column("networks", "Networks", form="d", paper=False)]
    for name, quantity in QUANTITIES.items():
        if frame[name].isna().all():
            continue
        wide = name not in ("low_bias_per_image", "mask_low") and quantity.group != "IdCor"
        shown.append(
            Column(
                name, quantity.head, quantity.group, quantity.form, f"{name}_error", scale=quantity.scale, paper=wide
            )
        )
    return shown
