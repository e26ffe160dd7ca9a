"""Table 1 of Karantzas et al.: accuracy without and with the mask, for networks trained in five ways."""

from __future__ import annotations

from typing import Any

import pandas as pd

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.verdicts import Claim, trend
from freqmaps.papers.k22._accuracy import Study, accuracy, change, naming, points, prefix, studies
from freqmaps.papers.k22._regimes import described
from freqmaps.publish.api import Column, Table
from freqmaps.publish.published import AS_PUBLISHED, beside, published
from freqmaps.results.reader import Inputs

TITLE = "Accuracy without and with the mask of all images"
CAPTION = (
    "For networks trained naturally (N), on adversarial images (A), on random scales (S), shifts (T) and rotations "
    "(R): accuracy on the images as they are, without a mask and with the network's own. The mask was learned on the "
    "same images, as in the paper. Mean over training seeds ± standard deviation; with one seed the bounds are "
    "Wilson's. Change: of the same images, with its 95 % interval: Tango's, which is over images, and of several "
    "networks also over how these differ (Student's t). "
    "Complement: with the frequencies alone that the mask removed; shuffled: with the mask's entries at random "
    "frequencies."
)
KIND = "table"
NEEDS = ("evaluation", "group_maps", "training", "datasets")
BASES = ("fourier", "fourier_normalised")
EVALUATIONS = ("group_accuracy",)
DATA = ("published.yaml",)

_NAN = float("nan")
_FILTERS = {"accuracy": "none", "filtered_accuracy": "map", "complement": "complement", "shuffled": "shuffled"}
_HEADS = {"accuracy": "Without, %", "filtered_accuracy": "With mask, %"}
_OTHERS = (
    Column("change", "ours", "Change, points", ".2f", scale=100),
    Column("change_low", "from", "Change, points", ".2f", scale=100),
    Column("change_high", "to", "Change, points", ".2f", scale=100),
    Column("published_change", "paper", "Change, points", ".2f", published=True, scale=100),
    Column("complement", "complement", "Not in the paper, %", ".2f", error="complement_sd", scale=100),
    Column("shuffled", "shuffled", "Not in the paper, %", ".2f", error="shuffled_sd", scale=100),
    Column("mean_of_map", "mean", "Mask", ".3f"),
    Column("share_of_zeros", "zeros, %", "Mask", ".1f", scale=100),
    Column("epochs", "epochs", "Mask", ".0f"),
    Column("seeds", "networks", "n", "d"),
    Column("n", "images", "n", "d"),
)


def build(inputs: Inputs) -> Table:
    """Build the table, one row per dataset, model, mask setting and training.

    Returns
    -------
    Table
        Accuracies in [0, 1], shown in percent: ``accuracy``, ``filtered_accuracy``, ``complement``, ``shuffled``, each
        with ``_sd``, ``_low`` and ``_high``; ``change`` with ``_low`` and ``_high``, over images and networks;
        ``networks_changed``: those in which McNemar's exact test finds a change (p < 0.05); ``mean_of_map``,
        ``share_of_zeros``, ``epochs`` and ``converged`` (the share that the stopping rule ended) of the masks, means
        over seeds; the published columns, and ``scope``: what differs from the paper's setting.
    """
    every = studies(inputs)
    rows = [[_row(inputs, study, name) for name in study.regimes if _own(study, name)] for study in every]
    frame = pd.DataFrame([row for of_study in rows for row in of_study])
    if frame.empty:
        raise FreqmapsError("no network was evaluated under its own mask; add its group maps to its run")
    columns, notes = naming(every)
    entry = published("K22-T1")
    for study, of_study in zip(every, rows, strict=True):
        start = prefix(every, study)
        notes += [start + described(study.regimes), _trend(of_study, entry["trend"]).at(start.removesuffix(": "))]
        notes += [start + sentence for sentence in _stopped(of_study)]
    notes += [f"Published values: {entry['source']}.", *_scopes(frame)]
    shown = [c for c in _OTHERS if not frame[c.name].isna().all()]
    return Table(frame, notes, [*columns, *_accuracies(frame), *shown])


def _own(study: Study, name: str) -> bool:
    """Whether a training's networks were evaluated under their own masks."""
    return len(study.of(name, name, "map")) > 0


def _row(inputs: Inputs, study: Study, name: str) -> dict[str, Any]:
    own = {key: study.of(name, name, filtered) for key, filtered in _FILTERS.items()}
    values: dict[str, Any] = {}
    for key, rows in own.items():
        values |= accuracy(rows, key)
    changed, networks = change(own["filtered_accuracy"])
    values |= {"change": changed.change, "change_low": changed.low, "change_high": changed.high}
    values |= {"networks_changed": networks, "seeds": len(own["accuracy"])}
    values |= _masks(inputs, study, name) | {"n": int(own["accuracy"]["n"].min())}
    names = {**study.place, "training": name, "images": "essential"}
    place = {**study.place, "training": name, "regime": study.labels[name]}
    return place | values | beside("K22-T1", inputs, names, values, row=study.regimes[name].letter)


def _masks(inputs: Inputs, study: Study, name: str) -> dict[str, float]:
    """Return what the group map stores say of a training's masks, means over seeds."""
    keys = ("mean_of_map", "share_of_zeros", "epochs", "converged")
    figures: dict[str, list[float]] = {key: [] for key in keys}
    for result in inputs.select("group_maps", **study.place, training=name, images="essential"):
        store = inputs.group_maps(**result.names)
        first = store.isel(group=[int(i) for i in (store["start"].values == 0).nonzero()[0][:1]])
        for key in keys:
            figures[key] += first[key].values.tolist()
    return {key: sum(values) / len(values) if values else _NAN for key, values in figures.items()}


def _trend(rows: list[dict[str, Any]], most: float) -> Claim:
    changes = ", ".join(
        f"{r['regime']} {points(r['change'])} ({points(r['change_low'])} to {points(r['change_high'])})" for r in rows
    )
    changed, networks = sum(r["networks_changed"] for r in rows), sum(r["seeds"] for r in rows)
    return trend(
        f"the mask changes the accuracy by at most {100 * most:.2f} points in each regime",
        [(r["change_low"], r["change_high"]) for r in rows],
        f"{changes} points, 95 % {_over(rows)}; McNemar's test finds a change in {changed} of {networks} networks",
        region=(-most, most),
        section="table 1",
        reported=f"changes of at most {100 * most:.2f} points in five regimes",
        n=min((r["n"] for r in rows), default=None),
        networks=min((r["seeds"] for r in rows), default=None),
    )


def _over(rows: list[dict[str, Any]]) -> str:
    """Say what the intervals of the changes are over."""
    counts = {r["seeds"] for r in rows}
    if 1 not in counts:
        return "over images and networks"
    return "over images, of one network each" if counts == {1} else "over images, and networks where there are several"


def _stopped(rows: list[dict[str, Any]]) -> list[str]:
    """Say how many masks ran out of epochs, if any did: they might have become sparser."""
    known = [(round(r["converged"] * r["seeds"]), r["seeds"]) for r in rows if r["converged"] == r["converged"]]
    ended, masks = sum(e for e, _ in known), sum(m for _, m in known)
    return [f"The stopping rule ended {ended} of {masks} masks; the others ran out of epochs."] if ended < masks else []


def _scopes(frame: pd.DataFrame) -> list[str]:
    scopes: dict[str, list[str]] = {}
    for row in frame.to_dict("records"):
        scopes.setdefault(str(row["scope"]), []).append(str(row["regime"]))
    if set(scopes) == {AS_PUBLISHED}:
        return [f"Scope of every row: {AS_PUBLISHED}."]
    return [f"Scope of {', '.join(dict.fromkeys(names))}: {scope}." for scope, names in scopes.items()]


def _accuracies(frame: pd.DataFrame) -> list[Column]:
    """Return the columns of the paper's two rows: with bounds where no regime has two networks."""
    columns = []
    for key, head in _HEADS.items():
        columns.append(Column(key, "ours", head, ".2f", error=f"{key}_sd", scale=100))
        if frame[f"{key}_sd"].isna().all():
            columns += [
                Column(f"{key}_{end}", label, head, ".2f", scale=100)
                for end, label in (("low", "from"), ("high", "to"))
            ]
        columns.append(Column(f"published_{key}", "paper", head, ".2f", published=True, scale=100))
    return columns
