"""How stable the masks of all images are: a number for what Karantzas et al., section 2.1, say without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqmaps.inference.intervals import mean_interval
from freqmaps.inference.stability import MEASURES, mask_stability, similarities
from freqmaps.inference.verdicts import Claim, trend
from freqmaps.papers.k22._masks import Mask, Masks, global_masks
from freqmaps.publish.api import Column, Table
from freqmaps.publish.numbers import with_interval
from freqmaps.results.reader import Inputs

TITLE = "Stability of the masks across initial values, seeds and regimes (not in the paper)"
CAPTION = (
    "How alike two masks are that differ by their initial value alone (same network), by the network's training seed, "
    "or by how it was trained. Cosine and Pearson: of all entries. Top: the share of their largest entries that two "
    "masks have in common; of unrelated masks it is the size of that part. Radial: Pearson's correlation of their "
    "energies in rings. Mean and least over pairs of masks."
)
KIND = "table"
NEEDS = ("group_maps", "training")
BASES = ("fourier", "fourier_normalised")
RANGES = {"top": "(0, 1)", "bands": "[3, 10000)", "permutations": "[1, 1e6)"}

_KINDS: dict[str, Callable[[Mask, Mask], bool]] = {
    "initial value": lambda a, b: (a.training, a.seed) == (b.training, b.seed),
    "seed": lambda a, b: a.training == b.training and a.seed != b.seed and a.start == b.start == 0,
    "regime": lambda a, b: a.training != b.training and a.start == b.start == 0,
}
_NAMES = {"cosine": "Cosine", "pearson": "Pearson", "top": "Top", "radial": "Radial"}
_NAMING, _ENDS = ("differ", "regime", "pairs"), ("", "_least", "_pairs", "_p")
Row = dict[str, Any]
Square = NDArray[np.float64]


def build(
    inputs: Inputs,
    *,
    top: float = 0.1,
    bands: int = 32,
    permutations: int = 999,
    dataset: str | None = None,
    model: str | None = None,
    group_maps: str | None = None,
) -> Table:
    """Build the table: a row for all pairs that differ alike, and one per regime for those within regimes.

    Parameters
    ----------
    inputs
        The study's results.
    top
        Part of the entries that counts as the largest.
    bands
        Rings of the radial energies.
    permutations
        Of the regimes, for the p-value.
    dataset, model, group_maps
        The setting; None takes the study's first.

    Returns
    -------
    Table
        ``differ`` (``initial value``, ``seed``, ``regime``), ``regime`` (``all`` or one), ``pairs``, and ``<measure>``,
        ``<measure>_least``, ``<measure>_pairs`` (pairs of which both masks have such a similarity: a constant mask has
        no Pearson correlation). On the row of regimes ``<measure>_p``: how often regimes shuffled over the masks are as
        much more alike within than between as the true ones.
    """
    masks = global_masks(inputs, dataset=dataset, model=model, group_maps=group_maps)
    values = np.array([m.values for m in masks.every])
    alike: dict[str, Square] = {m: similarities(values, m, top=top, bands=bands) for m in MEASURES}
    rows = [row for kind in _KINDS for row in _rows(masks, alike, kind)]
    p_values = _p_values(masks, top=top, bands=bands, permutations=permutations)
    rows = [row | (p_values if row["differ"] == "regime" else {}) for row in rows]
    frame = pd.DataFrame(rows, columns=[*_NAMING, *(f"{m}{end}" for m in MEASURES for end in _ENDS)])
    notes = [*masks.notes(), f"Top: the {top:.0%} largest entries; radial: {bands} rings.", *_sentences(frame)]
    return Table(frame, notes, _columns(), finding="" if _claims(frame) else _correlations(frame))


def _claims(frame: pd.DataFrame) -> list[Claim]:
    """Say whether masks are stable: as alike where only their initial value differs as where the network's seed does.

    ASSUME: this is what "stable across different runs" means; a run of the algorithm differs from another one by its
    initial value, and another seed of the training sets how much masks vary anyway. A regime is one observation: the
    mean Pearson correlation over its pairs of either kind. Student's interval of their difference is over regimes.
    """
    by = frame[frame["regime"] != "all"].set_index(["differ", "regime"])["pearson"].dropna() if len(frame) else frame
    kinds = {kind: by[kind] if kind in by.index else by[:0] for kind in ("initial value", "seed")} if len(by) else {}
    if not kinds or kinds["initial value"].empty:
        return []
    start, seed = kinds["initial value"], kinds["seed"]
    both = [name for name in start.index if name in seed.index]
    interval = mean_interval([float(start[name] - seed[name]) for name in both])
    means = f"Pearson correlation {start[both or start.index].mean():.3f} with another initial value"
    if both:
        means += f", {seed[both].mean():.3f} with another training seed"
    if interval.low == interval.low:
        bounds = with_interval(interval.mean, interval.low, interval.high, "+.3f")
        told = f"a difference of {bounds} over {len(both)} regimes"
    else:
        told = "no interval with fewer than two regimes of several seeds each"
    pairs = frame.loc[(frame["differ"] == "initial value") & (frame["regime"] == "all"), "pearson_pairs"]
    return [
        trend(
            "masks are stable across runs, from other initial values no less than across seeds of the training",
            [(interval.low, interval.high)],
            f"{means}, {told}",
            section="2.1",
            reported="stable across different runs, without numbers",
            n=int(pairs.iloc[0]),
        )
    ]


def _rows(masks: Masks, alike: dict[str, Square], kind: str) -> list[Row]:
    """Return the rows of the pairs that differ in one way; none if there is no such pair."""
    first, second = np.triu_indices(len(masks.every), 1)
    fits = np.array([_KINDS[kind](masks.every[i], masks.every[j]) for i, j in zip(first, second, strict=True)], bool)
    groups = {"all": fits}
    if kind != "regime":
        of = np.array([m.training for m in masks.every])
        groups |= {masks.labels[name]: fits & (of[first] == name) for name in masks.regimes}
    return [
        {"differ": kind, "regime": group, "pairs": int(chosen.sum())}
        | _means({m: square[first[chosen], second[chosen]] for m, square in alike.items()})
        for group, chosen in groups.items()
        if chosen.any()
    ]


def _means(values: dict[str, Square]) -> Row:
    row: Row = {}
    for measure, every in values.items():
        known = every[np.isfinite(every)]
        mean, least = (float(known.mean()), float(known.min())) if len(known) else (np.nan, np.nan)
        row |= {measure: mean, f"{measure}_least": least, f"{measure}_pairs": len(known)}
    return row


def _p_values(masks: Masks, **options: Any) -> dict[str, float]:
    """Return the p-value of "within regimes as between them" by measure, of the masks from the first initial value."""
    first = [m for m in masks.every if m.start == 0]
    if len(first) < 2:
        return {}
    tests = mask_stability(np.array([m.values for m in first]), [m.training for m in first], **options)
    return {f"{measure}_p": test.p_value for measure, test in tests.items()}


def _correlations(frame: pd.DataFrame) -> str:
    """Say how alike masks are on average, by what they differ in."""
    whole = {str(row["differ"]): row for row in frame[frame["regime"] == "all"].to_dict("records")}
    told = [f"{kind} {whole[kind]['pearson']:.3f}" for kind in _KINDS if kind in whole]
    if not told:
        return "There is one mask only, and nothing to compare it with."
    return f"Mean Pearson correlation of masks that differ by {', by '.join(told)}."


def _sentences(frame: pd.DataFrame) -> list[str]:
    whole = {str(row["differ"]): row for row in frame[frame["regime"] == "all"].to_dict("records")}
    notes = [_correlations(frame)]
    if not whole:
        return notes
    notes += _claims(frame)
    if "regime" in whole and "seed" in whole:
        tests = ", ".join(f"{_NAMES[m].lower()} {whole['regime'][f'{m}_p']:.2g}" for m in MEASURES)
        notes.append(f"Are masks of one regime more alike than those of two? p by shuffled regimes: {tests}.")
    else:
        notes.append("With one seed, or one regime, nothing tells the regime's part from the seed's.")
    return notes


def _columns() -> list[Column]:
    columns = [Column("differ", "Masks differ by"), Column("regime", "Training"), Column("pairs", "Pairs", "", "d")]
    for measure, name in _NAMES.items():
        columns += [Column(measure, "mean", name, ".3f"), Column(f"{measure}_least", "least", name, ".3f")]
    return columns
