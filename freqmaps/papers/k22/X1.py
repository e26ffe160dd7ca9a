"""Networks under each other's masks: a control that Karantzas et al. do not have."""

from __future__ import annotations

from typing import Any

import pandas as pd

from freqmaps.papers.k22._accuracy import Study, accuracy, change, naming, points, prefix, studies
from freqmaps.papers.k22._regimes import described
from freqmaps.publish.api import Column, Table
from freqmaps.results.reader import Inputs

TITLE = "Accuracy of networks under each other's masks (not in the paper)"
CAPTION = (
    "Rows: how the network was trained; columns: which network's mask of all images filters what it sees. N: natural, "
    "A: adversarial, S: random scales, T: random shifts, R: random rotations. Network and mask have the same training "
    "seed; mean over seeds ± standard deviation. If masks said no more than which frequencies images have, all masks "
    "would do for all networks. A mask that removes less does for more networks, whoever it belongs to: K22-T1 has the "
    "masks' means."
)
KIND = "table"
NEEDS = ("evaluation", "training")
EVALUATIONS = ("group_accuracy",)

Row = dict[str, Any]


def build(inputs: Inputs) -> Table:
    """Build the table, one row per dataset, model, mask setting and training.

    Returns
    -------
    Table
        ``none`` (no mask) and ``mask_<label>``: accuracies in [0, 1], shown in percent, each with ``_sd``, ``_low`` and
        ``_high`` (means of Wilson's bounds); ``change_<label>`` from no mask, with bounds as in K22-T1;
        ``n`` images, ``seeds`` networks.
    """
    every = studies(inputs)
    frame = pd.DataFrame([_row(study, name) for study in every for name in study.regimes if len(_plain(study, name))])
    columns, notes = naming(every)
    masks = list(dict.fromkeys(study.labels[name] for study in every for name in _masks(study)))
    findings = {id(study): _finding(study) for study in every}
    for study in every:
        notes += [prefix(every, study) + text for text in (described(study.regimes), findings[id(study)])]
    shown = [
        Column("none", "no mask", "", ".2f", error="none_sd", scale=100),
        *(Column(f"mask_{m}", m, "Mask of, %", ".2f", error=f"mask_{m}_sd", scale=100) for m in masks),
        Column("seeds", "networks", "n", "d"),
        Column("n", "images", "n", "d"),
    ]
    finding = " ".join(prefix(every, study) + findings[id(study)] for study in every)
    return Table(frame, notes, [*columns, *shown], finding=finding)


def _masks(study: Study) -> list[str]:
    there = set(study.rows["masks_of"])
    return [name for name in study.regimes if name in there]


def _plain(study: Study, name: str) -> pd.DataFrame:
    """Return a regime's networks without a mask: the rows say the same whosever mask they stand beside."""
    return next((rows for other in _masks(study) if len(rows := study.of(name, other, "none"))), study.rows[:0])


def _row(study: Study, name: str) -> Row:
    plain = _plain(study, name)
    row: Row = {**study.place, "training": name, "regime": study.labels[name]} | accuracy(plain, "none")
    for other in _masks(study):
        rows, label = study.of(name, other, "map"), study.labels[other]
        row |= accuracy(rows, f"mask_{label}")
        if len(rows):
            paired, _ = change(rows)
            row |= {f"change_{label}": paired.change} | {
                f"change_{label}_{e}": getattr(paired, e) for e in ("low", "high")
            }
    return row | {"seeds": len(plain), "n": int(plain["n"].min())}


def _finding(study: Study) -> str:
    """Say whether each network keeps more under its own mask than under any other's."""
    own: list[float] = []
    others: list[float] = []
    best: list[tuple[str, bool]] = []
    for name in study.regimes:
        by_mask = {o: study.of(name, o, "map") for o in _masks(study)}
        means = {o: change(rows)[0].change for o, rows in by_mask.items() if len(rows)}
        if name in means and len(means) > 1:
            own.append(means.pop(name))
            others += means.values()
            best.append((study.labels[name], own[-1] >= max(means.values())))
    if not best:
        return "No network was evaluated under another regime's mask: set masks_of in the evaluation."
    kept = [label for label, is_best in best if is_best]
    which = f" ({', '.join(kept)})" if kept else ""
    return (
        f"A network's own mask is the best of all for {len(kept)} of {len(best)} regimes{which}: own masks change the "
        f"accuracy by {points(min(own))} to {points(max(own))} points, others' by {points(min(others))} to "
        f"{points(max(others))}, means over seeds."
    )
