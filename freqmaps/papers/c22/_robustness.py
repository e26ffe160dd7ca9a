"""Tables 3 to 7 of Chan et al.: accuracies of networks trained in several ways, without attack and under attacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from statistics import fmean, median
from typing import Any

import pandas as pd

from freqmaps.inference.intervals import mean_interval
from freqmaps.inference.proportions import wilson
from freqmaps.papers.c22._claims import Claim, costs, overfitting
from freqmaps.papers.c22._evaluated import Trained, evaluated
from freqmaps.papers.c22._networks import STANDARD
from freqmaps.publish.api import Column, Table
from freqmaps.publish.published import AS_PUBLISHED, beside, published, same
from freqmaps.results.reader import Inputs

Record = dict[str, Any]
#: The attacks of tables 3 to 6.
ATTACKS = {"clean": "No attack", "fgsm": "FGSM", "pgd": "PGD"}


def table(
    item: str,
    inputs: Inputs,
    attacks: Mapping[str, str],
    *,
    dataset: str = "",
    cost: bool = False,
    claim: Claim | None = None,
) -> Table:
    """Build a table with one row per training.

    Parameters
    ----------
    item
        Its id, for the published values.
    inputs
        The study's results.
    attacks
        Attacks and what to call them; those that no evaluation has are left out.
    dataset
        See :func:`freqmaps.papers.c22._evaluated.evaluated`.
    cost
        Whether to add the seconds of a training step, their ratio to that of standard training, and what is said of
        the paper's claim on them.
    claim
        What is said of a published claim; None: :func:`freqmaps.papers.c22._claims.overfitting`.

    Returns
    -------
    Table
        For each attack the accuracy in [0, 1], the mean over seeds, with ``_sd`` over seeds and ``_low`` and ``_high``
        (of one network Wilson's interval, of several Student's of the mean); ``networks``, ``n``; ``failed``: checks
        for masked gradients that are not passed; the published columns, ``within_tolerance`` and ``scope``.
    """
    every = evaluated(inputs, dataset)
    shown = {attack: text for attack, text in attacks.items() if any(trained.counts(attack) for trained in every)}
    records = [_record(item, inputs, trained, shown) for trained in every]
    if cost:
        _add_cost(item, inputs, every, records)
    frame = pd.DataFrame(records)
    claims = [*(claim or overfitting)(every), *(costs(_steps(inputs, every)) if cost else ())]
    notes = [*_about(every, shown), *claims, *_published(item, frame, cost)]
    return Table(frame, notes, _columns(frame, shown, cost), finding="" if claims else _finding(frame, shown))


def _finding(frame: pd.DataFrame, attacks: Mapping[str, str]) -> str:
    """Name the training with the highest accuracy under the last of the attacks: said where there is no claim."""
    last = list(attacks)[-1] if attacks else ""
    if not last or frame[last].isna().all():
        return "No network was looked at under these attacks."
    best = max(frame.dropna(subset=[last]).to_dict("records"), key=lambda row: float(row[last]))
    told = f"{best['called']} has the highest accuracy ({attacks[last]}: {100 * best[last]:.1f} %)"
    return f"Of {len(frame)} trainings {told}; there are no two that the paper makes a claim on."


def _record(item: str, inputs: Inputs, trained: Trained, attacks: Mapping[str, str]) -> Record:
    record: Record = {**trained.names, "called": trained.called, "networks": len(trained.results)}
    for attack in attacks:
        counts = trained.counts(attack)
        interval = mean_interval([right / n for right, n in counts])
        low, high = wilson(*counts[0]) if len(counts) == 1 else (interval.low, interval.high)
        record |= {attack: interval.mean, f"{attack}_sd": interval.sd, f"{attack}_low": low, f"{attack}_high": high}
    record["n"] = min((n for _, n in trained.counts("clean")), default=0)
    record["failed"] = ", ".join(trained.failed())
    differs = weight_differs(item, trained)
    return record | beside(item, inputs, trained.names, record, row=trained.row, differs=differs)


def weight_differs(item: str, trained: Trained) -> list[str]:
    """Say if the regulariser's weight is not the paper's."""
    theirs = [row["weight"] for row in published(item)["rows"] if row["row"] == trained.row and "weight" in row]
    if not theirs:
        return []
    own = trained.regularisers[0][1]["weight"]
    return [] if same(own, theirs[0]) else [f"regulariser's weight {own:g} (published: {theirs[0]:g})"]


def _add_cost(item: str, inputs: Inputs, every: Sequence[Trained], records: Sequence[Record]) -> None:
    """Add seconds per training step, and ratios to standard training of the same model and data."""
    seconds, theirs = [_seconds(inputs, trained) for trained in every], published(item)["seconds"]
    for trained, record, own in zip(every, records, seconds, strict=True):
        natural = [
            s
            for other, s in zip(every, seconds, strict=True)
            if other.row == STANDARD and all(other.names[k] == trained.names[k] for k in ("dataset", "model"))
        ]
        ratio = own / natural[0] if natural and natural[0] else nan
        record |= {"seconds": own, "ratio": ratio, "published_seconds": theirs.get(trained.row, nan)}
        record["published_ratio"] = theirs.get(trained.row, nan) / theirs[STANDARD]


def _seconds(inputs: Inputs, networks: Trained) -> float:
    """Return the seconds of a training step: the median over epochs, the mean over networks."""
    seconds = [median(epochs) for epochs in _epochs(inputs, networks)]
    return fmean(seconds) if seconds else nan


def _epochs(inputs: Inputs, networks: Trained) -> list[list[float]]:
    """Return of each network the seconds of a training step in each epoch."""
    histories = [
        trained.folder / "history.csv"
        for result in networks.results
        for trained in inputs.related("training", result.names)[:1]
    ]
    tables = [pd.read_csv(path) for path in histories if path.is_file() and path.stat().st_size]
    seconds = [history["step_seconds"].dropna().tolist() for history in tables if "step_seconds" in history]
    return [epochs for epochs in seconds if epochs]


def _steps(inputs: Inputs, every: Sequence[Trained]) -> list[tuple[Trained, list[float]]]:
    """Return the trainings, and the seconds of a step in each epoch of all their networks."""
    return [(trained, [s for epochs in _epochs(inputs, trained) for s in epochs]) for trained in every]


def _about(every: Sequence[Trained], attacks: Mapping[str, str]) -> Iterator[str]:
    """Say how the networks were attacked, what was left out, and whether checks fail."""
    budgets = list(dict.fromkeys(_budget(trained.parameters) for trained in every))
    yield f"Attacks: {'; '.join(budgets)}. An image is right only if it is so at every point of every start."
    failed = [f"{trained.called} ({', '.join(trained.failed())})" for trained in every if trained.failed()]
    if failed:
        yield f"Checks for masked gradients fail, so that accuracies under attack are too high: {'; '.join(failed)}."
    elif any((rows["measure"] == "check").any() for trained in every for rows in trained.rows):
        yield "All checks for masked gradients pass."
    left_out = [rows.loc[rows["attack"].isin(attacks), "reason"].dropna() for trained in every for rows in trained.rows]
    for reason in dict.fromkeys(str(r) for reasons in left_out for r in reasons if str(r)):
        yield f"AutoAttack {reason}."


def _published(item: str, frame: pd.DataFrame, cost: bool) -> Iterator[str]:
    if cost:
        yield (
            "Seconds of a training step: the median over epochs, without evaluations. On the CPU they are seconds of "
            "the processor, summed over threads, so that what else the machine did does not count. Ratios compare "
            "trainings of the same device."
        )
    if not published(item)["rows"]:
        return
    yield f"Published values: {published(item)['source']}."
    scopes: dict[str, list[str]] = {}
    for row in frame.to_dict("records"):
        scopes.setdefault(str(row["scope"]), []).append(str(row["called"]))
    if set(scopes) == {AS_PUBLISHED}:
        yield f"Scope of every row: {AS_PUBLISHED}."
    else:
        yield from (f"Scope of {', '.join(dict.fromkeys(names))}: {scope}." for scope, names in scopes.items())


def _budget(p: Mapping[str, Any]) -> str:
    step = p["epsilon"] / 4 if p["step"] is None else p["step"]
    return f"ℓ∞, ε = {p['epsilon']:.4g}, PGD of {p['steps']} steps of {step:.3g} from {p['restarts']} random starts"


def _columns(frame: pd.DataFrame, attacks: Mapping[str, str], cost: bool) -> list[Column]:
    """Return the columns to show: those with bounds where no training has two networks."""
    varying = [Column(k, k.capitalize()) for k in ("dataset", "model", "evaluation") if frame[k].nunique() > 1]
    shown = [*varying, Column("called", "Training")]
    for attack, text in attacks.items():
        group = f"{text}, %"
        shown.append(Column(attack, "ours", group, ".2f", error=f"{attack}_sd", scale=100))
        if frame[f"{attack}_sd"].isna().all():
            ends = (("low", "from"), ("high", "to"))
            shown += [Column(f"{attack}_{end}", head, group, ".2f", scale=100, paper=False) for end, head in ends]
        shown.append(Column(f"published_{attack}", "paper", group, ".2f", published=True, scale=100))
    if cost:
        shown += [
            Column("seconds", "ours", "Seconds per step", ".4f"),
            Column("published_seconds", "paper", "Seconds per step", ".4f", published=True),
            Column("ratio", "ours", "Ratio to standard", ".2f"),
            Column("published_ratio", "paper", "Ratio to standard", ".2f", published=True),
        ]
    shown += [Column("networks", "networks", "n", "d"), Column("n", "images", "n", "d")]
    return [c for c in shown if c.name in frame and not (c.published and frame[c.name].isna().all())]
