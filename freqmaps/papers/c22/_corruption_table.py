"""Tables 1 and 8 of Chan et al.: accuracies by corruption, with the corruptions ordered by their own log B_low."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from freqmaps.inference.estimates import Estimate
from freqmaps.inference.intervals import mean_interval
from freqmaps.inference.proportions import wilson
from freqmaps.inference.verdicts import Claim, placed
from freqmaps.papers.c22._corruption_claims import claims
from freqmaps.papers.c22._corruptions import CLEAN, Setting, accuracies, error_interval, images, settings
from freqmaps.papers.c22._evaluated import Trained, kind_of_data
from freqmaps.papers.c22._robustness import weight_differs
from freqmaps.publish.api import Column, Table
from freqmaps.publish.published import AS_PUBLISHED, beside, published
from freqmaps.results.reader import Inputs

_PLACE = ("dataset", "model", "evaluation")
#: Rows before the corruptions.
_CLEAN, _MCE = "clean", "mce"
#: The two tables, and the kind of data whose claims each makes.
_DATA = {"C22-T1": "cifar10", "C22-T8": "cifar100"}
Record = dict[str, Any]


def table(item: str, inputs: Inputs, dataset: str, reference: str = "") -> Table:
    """Build the table: a row for clean images, one for mCE, and one per corruption.

    Parameters
    ----------
    item
        Its id, for the published values.
    inputs
        The study's results.
    dataset
        A kind of dataset: where networks of such data were evaluated, the table is of them alone.
    reference
        The config's name of the training that mCE is relative to; empty: the paper's standard training.

    Returns
    -------
    Table
        ``dataset``, ``model``, ``evaluation``; ``corruption`` (``clean``, ``mce`` or a name), ``group``; ``low_bias``,
        log B_low of the corruption, and ``published_low_bias``; for each training, by the config's name, the accuracy
        in [0, 1] (of mCE: 1 is the reference's), the mean over seeds, with ``_sd`` over seeds, ``_low`` and ``_high``
        (of one network Wilson's interval with as many trials as images, of mCE a bootstrap over images; of several
        Student's), ``published_<training>`` and ``published_<training>_sd``. The notes say of each claim of the paper
        whether it holds.

    Raises
    ------
    FreqmapsError
        There is no evaluation of corruptions.
    """
    every = settings(inputs, dataset, reference)
    beside_ours = {
        id(trained): _beside(item, inputs, setting, trained) for setting in every for trained in setting.every
    }
    frame = pd.DataFrame([row for setting in every for row in _rows(item, setting, beside_ours)])
    notes = [note for setting in every for note in _notes(item, inputs, every, setting, beside_ours)]
    finding = "" if any(isinstance(note, Claim) for note in notes) else _finding(every)
    notes.append(f"Published values: {published(item)['source']}.")
    return Table(frame, notes, _columns(every, frame), finding=finding)


def _finding(every: Sequence[Setting]) -> str:
    """Name the training with the lowest mCE, the mean over networks: said where the table makes no claim."""
    told = []
    for setting in every:
        errors = {trained.called: float(np.mean(setting.corruption_errors(trained))) for trained in setting.every}
        known = {called: error for called, error in errors.items() if error == error}
        if known:
            best = min(known, key=lambda called: known[called])
            place = f"{', '.join(setting.names.values())}: " if len(every) > 1 else ""
            told.append(f"{place}{best} has the lowest mCE of {len(known)} trainings ({known[best]:.1f} %)")
    if not told:
        return "Without standard training there is no mCE to compare."
    return f"{'; '.join(told)}."


def _rows(item: str, setting: Setting, beside_ours: Mapping[int, Record]) -> Iterator[Record]:
    theirs = published(item)["low_bias"]
    for name in (_CLEAN, _MCE, *setting.low_bias):
        row: Record = {**setting.names, "corruption": name, "shown": "mCE" if name == _MCE else name.replace("_", " ")}
        row |= {"group": setting.groups.get(name, ""), "low_bias": setting.low_bias.get(name, nan)}
        row["published_low_bias"] = theirs.get(name, nan)
        for trained in setting.every:
            row |= _cell(setting, trained, name) | _published(item, trained, name, beside_ours[id(trained)])
        yield row


def _cell(setting: Setting, trained: Trained, name: str) -> Record:
    key, values = trained.names["training"], _values(setting, trained, name)
    interval = mean_interval(values)
    bounds: Estimate | Any = interval
    if len(values) == 1 and name == _MCE:
        own = error_interval(setting, trained)
        bounds = Estimate(own.value / 100, own.low / 100, own.high / 100)
    elif len(values) == 1:
        n = images(trained)
        bounds = Estimate(interval.mean, *wilson(round(interval.mean * n), n))
    return {key: interval.mean, f"{key}_sd": interval.sd, f"{key}_low": bounds.low, f"{key}_high": bounds.high}


def _values(setting: Setting, trained: Trained, name: str) -> list[float]:
    if name == _MCE:
        return [value / 100 for value in setting.corruption_errors(trained)]
    return accuracies(trained, CLEAN if name == _CLEAN else name)


def _beside(item: str, inputs: Inputs, setting: Setting, trained: Trained) -> Record:
    ours = {name: float(np.mean(_values(setting, trained, name))) for name in (_CLEAN, _MCE, *setting.low_bias)}
    differs = weight_differs(item, trained)
    return beside(item, inputs, trained.names, ours | {"n": images(trained)}, row=trained.row, differs=differs)


def _published(item: str, trained: Trained, name: str, columns: Mapping[str, Any]) -> Record:
    key = trained.names["training"]
    spread: Mapping[str, float] = next(
        (row.get("sd", {}) for row in published(item)["rows"] if row["row"] == trained.row), {}
    )
    return {
        f"published_{key}": columns.get(f"published_{name}", nan),
        f"published_{key}_sd": spread.get(name, nan),
    }


def _judged_by(inputs: Inputs, setting: Setting) -> str:
    """Return which of the two tables makes claims on a setting, so that both do not make them on the same networks.

    Each makes those on its own kind of data; table 1 makes those on all other data that it shows.
    """
    kind = kind_of_data(inputs, setting.every[0].results[0])
    own = [table for table, data in _DATA.items() if data == kind]
    first, second = _DATA
    shown = [other.names for other in settings(inputs, _DATA[first])]
    return own[0] if own else first if setting.names in shown else second


def _notes(
    item: str, inputs: Inputs, every: Sequence[Setting], setting: Setting, beside_ours: Mapping[int, Record]
) -> Iterator[str]:
    start = f"{', '.join(setting.names.values())}: " if len(every) > 1 else ""
    entry = published(item)
    n = min(images(trained) for trained in setting.every)
    rows = setting.every[0].rows[0]
    constants = sorted({str(c) for c in rows["constants"] if c != CLEAN})
    severities = sorted({int(s) for s in rows["severity"] if s})
    yield f"{start}{n} images, severities {', '.join(map(str, severities))}, constants: {', '.join(constants)}."
    if setting.without_effect:
        names = ", ".join(name.replace("_", " ") for name in setting.without_effect)
        yield (
            f"{start}No image is changed at any severity by {names}: without log B_low, and left out of mCE and of all "
            "comparisons."
        )
    if setting.reference is None:
        yield f"{start}No network was trained by the standard regime, so there is no mCE."
    elif setting.relative_to:
        yield f"{start}mCE is relative to training '{setting.relative_to}', in the paper to standard training."
    judged_by = _judged_by(inputs, setting)
    if judged_by == item:
        yield from placed(start.removesuffix(": "), claims(setting, entry))
    else:
        yield f"{start}The claims on these networks are in {judged_by}, so that none is counted twice."
    if not entry["rows"]:
        return
    scopes: dict[str, list[str]] = {}
    for trained in setting.every:
        columns = beside_ours[id(trained)]
        within = f", within tolerance: {columns['within_tolerance']}" if columns["scope"] == AS_PUBLISHED else ""
        scopes.setdefault(f"{columns['scope']}{within}", []).append(trained.called)
    yield from (f"{start}Scope of {', '.join(names)}: {scope}." for scope, names in scopes.items())


def _columns(every: Sequence[Setting], frame: pd.DataFrame) -> list[Column]:
    shown = [Column(name, name.capitalize()) for name in _PLACE if frame[name].nunique() > 1]
    shown += [Column("shown", "Corruption"), Column("low_bias", "ours", "log B_low", ".2f")]
    shown.append(Column("published_low_bias", "paper", "log B_low", ".2f", published=True))
    trainings = {trained.names["training"]: trained.called for setting in every for trained in setting.every}
    for key, called in trainings.items():
        shown.append(Column(key, "ours", called, ".2f", error=f"{key}_sd", scale=100))
        if frame[f"{key}_sd"].isna().all():
            ends = (("low", "from"), ("high", "to"))
            shown += [Column(f"{key}_{end}", head, called, ".2f", scale=100, paper=False) for end, head in ends]
        theirs = f"published_{key}"
        shown.append(Column(theirs, "paper", called, ".2f", error=f"{theirs}_sd", scale=100, published=True))
    return [column for column in shown if not (column.published and frame[column.name].isna().all())]
