"""Frequency maps along training, beside the spectra of perturbations; in no paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import IMAGES, called
from freqmaps.inference.estimates import Z95, Estimate, paired_difference
from freqmaps.inference.verdicts import finding
from freqmaps.papers.f21._spectra import RISES, Case, attack_text, cases, difference, interval, shown
from freqmaps.publish.api import Figure
from freqmaps.publish.style import BLUE, GREEN, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import EVERY_STEP, Inputs
from freqmaps.spectra.profiles import low_share

TITLE = "Frequency maps along training, beside the spectra of perturbations"
CAPTION = (
    "By the training step (0: the untrained network): (A) the share of the energy of essential and adversarial maps "
    "below half of the highest radius; (B) the cosine of each image's map with its map of the last snapshot, and with "
    "another image's (dashed); (C) the share of low frequencies in perturbations and in images (dashed). Means over "
    "images, bands are their 95 % intervals. Steps are on a logarithmic scale from 1 on."
)
KIND = "figure"
NEEDS = ("maps", "evaluation", "snapshots")
EVALUATIONS = ("perturbation_spectra",)
BASES = ("fourier",)
SNAPSHOTS = True

_PLACE = ("dataset", "model", "training", "seed", "maps")
#: Images that a change of maps rests on at least.
_ENOUGH = 10
_COLOURS = (BLUE, VERMILION, GREEN, "#CC79A7")


@dataclass(frozen=True, eq=False)
class _Set:
    """The maps of one kind of images at one step: ids, (n,) low shares, (n, d) flat maps."""

    step: int
    ids: list[str]
    low: NDArray[np.float64]
    flat: NDArray[np.float64]


def build(inputs: Inputs) -> Figure:
    """Draw the first setting whose maps the study has along a training.

    Parameters
    ----------
    inputs
        The study's results.

    Raises
    ------
    FreqmapsError
        There are no maps of snapshots.
    """
    names, kinds = _first(inputs)
    sets = {called(images): _sets(inputs, names, images) for images in kinds}
    case = _perturbations(inputs, names)
    with rc_context(STYLE):
        figure = new_figure(7.4, 2.5)
        low, cosine, ratio = figure.subplots(1, 3)
        for colour, (name, several) in zip(_COLOURS, sets.items(), strict=False):
            _curve(low, [(of_step.step, of_step.low) for of_step in several], colour, plain(name))
            own, others = zip(*(_cosines(of_step, several[-1]) for of_step in several), strict=True)
            steps = [of_step.step for of_step in several]
            _curve(cosine, list(zip(steps, own, strict=True)), colour, plain(name))
            _curve(cosine, list(zip(steps, others, strict=True)), colour, None, "--")
        _ratios(ratio, case)
        for axes, title in (
            (low, "(A) low share of maps"), (cosine, "(B) cosine to the last map"), (ratio, "(C) low share of δ"),
        ):  # fmt: skip
            axes.set_title(title, color=INK)
            _steps_axis(axes, [of_step.step for several in sets.values() for of_step in several])
        low.set_ylim(0, 1.02)
        low.legend(frameon=False, fontsize=6.5, labelcolor=MUTED)
        ratio.legend(frameon=False, fontsize=6.5, labelcolor=MUTED)
    alt = "Three panels over the training step: low share of maps, cosine to the last map, low share of perturbations."
    notes = _notes(names, sets, case)
    return Figure(figure, notes, alt, finding=notes[-1])


def _first(inputs: Inputs) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return the names of the first setting with maps of snapshots, and which images they are of."""
    results = inputs.select("maps", step=EVERY_STEP)
    if not results:
        raise FreqmapsError("there are no maps of snapshots; add a run with 'snapshots' and 'maps'")
    names = {name: results[0].names[name] for name in _PLACE}
    own = [r for r in results if names.items() <= r.names.items()]
    kinds = dict.fromkeys(tuple(r.names[name] for name in IMAGES) for r in own)
    return names, [dict(zip(IMAGES, kind, strict=True)) for kind in kinds]


def _sets(inputs: Inputs, names: Mapping[str, str], images: Mapping[str, str]) -> list[_Set]:
    steps = {int(r.names["step"]) for r in inputs.select("maps", **names, **images, step=EVERY_STEP)}
    sets = []
    for step in sorted(steps):
        store = inputs.maps(**names, **images, step=str(step), variables=["map"])
        maps = store["map"].values.astype(np.float64)
        flat = maps.reshape(len(maps), int(np.prod(maps.shape[1:])))
        low = low_share(maps**2).mean(axis=1) if len(maps) else np.empty(0)
        sets.append(_Set(step, [str(s) for s in store["sample"].values], low, flat))
    return sets


def _perturbations(inputs: Inputs, names: Mapping[str, str]) -> Case:
    """Return the perturbation spectra along the same training."""
    network = {key: value for key, value in names.items() if key != "maps"}
    for case in cases(inputs, "deep", along=True):
        if case.names == network:
            return case
    raise FreqmapsError(f"no perturbation spectra along training '{names['training']}'; add the evaluation to its run")


def _cosines(of_step: _Set, last: _Set) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cosine of each map with the last one of its image, and with the last one of the next image.

    A map that is 0 throughout has no direction: its cosines are NaN.
    """
    places = {sample: row for row, sample in enumerate(last.ids)}
    rows = [row for row, sample in enumerate(of_step.ids) if sample in places]
    partners = np.array([places[of_step.ids[row]] for row in rows], dtype=np.int64)
    if not rows:
        return np.empty(0), np.empty(0)
    mine, theirs = _unit(of_step.flat[rows]), _unit(last.flat)
    own = (mine * theirs[partners]).sum(axis=1)
    others = (mine * theirs[(partners + 1) % len(theirs)]).sum(axis=1) if len(theirs) > 1 else np.empty(0)
    return own, others


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, nan)


def _mean(values: NDArray[np.float64]) -> Estimate:
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return Estimate(float(values.mean()) if len(values) else nan, nan, nan)
    half = Z95 * float(values.std(ddof=1)) / sqrt(len(values))
    return Estimate(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half)


def _curve(
    axes: Axes, points: Sequence[tuple[int, NDArray[np.float64]]], colour: str, text: str | None, line: str = "-"
) -> None:
    steps = [step for step, _ in points]
    means = [_mean(values) for _, values in points]
    axes.plot(steps, [m.value for m in means], color=colour, linewidth=1.1, linestyle=line, label=text,
              marker="o" if line == "-" else None, markersize=2)  # fmt: skip
    axes.fill_between(steps, [m.low for m in means], [m.high for m in means], color=colour, alpha=0.18, linewidth=0)


def _ratios(axes: Axes, case: Case) -> None:
    for colour, (method, norm) in zip(_COLOURS, case.attacks, strict=False):
        rows = case.values("lfc_ratio", method, norm)
        axes.plot(rows["step"], rows["value"], color=colour, linewidth=1.1, marker="o", markersize=2,
                  label=attack_text(case, method, norm).split(",")[0])  # fmt: skip
        axes.fill_between(rows["step"], rows["low"], rows["high"], color=colour, alpha=0.18, linewidth=0)
    images = case.values("lfc_ratio")
    axes.plot(images["step"], images["value"], color=INK, linewidth=0.9, linestyle="--", label="images")


def _steps_axis(axes: Axes, steps: Sequence[int]) -> None:
    last = max(steps)
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(0, last)
    ticks = [0, *[10**k for k in range(9) if 10**k <= last]]
    axes.set_xticks(ticks, [f"{t:d}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("training step", color=MUTED)
    quiet(axes)


def _notes(names: Mapping[str, str], sets: Mapping[str, Sequence[_Set]], case: Case) -> list[str]:
    notes = [f"Shown: {', '.join(f'{key} {value}' for key, value in names.items())}."]
    for name, several in sets.items():
        counts = ", ".join(f"{len(of_step.ids)} at step {of_step.step}" for of_step in several)
        notes.append(
            f"Maps called {name}, of images that the network has right (attacked: and has wrong then): {counts}."
        )
    return [*notes, _together(sets, case, *case.attacks[0])]


def _together(sets: Mapping[str, Sequence[_Set]], case: Case, method: str, norm: str) -> str:
    """Say in one sentence whether maps and perturbations move to the same side along the training."""
    known = [row for row in case.values("lfc_ratio", method, norm).to_dict("records") if row["n"] > 1]
    if len(known) < 2:
        return f"{attack_text(case, method, norm)}: no share of perturbations could be measured."
    moved = difference(known[-1], known[0])
    parts = [f"the share of low frequencies in perturbations of {attack_text(case, method, norm)} {_moves(moved)}"]
    for name, several in sets.items():
        first = _first_sufficient(several)
        if first is None:
            parts.append(f"maps called {name} are too few before the last step to compare")
            continue
        change = paired_difference(*_low_pairs(first, several[-1]))
        assert change is not None
        parts.append(
            f"the low share of maps called {name}, of the same {change.n} images from step {first.step} on, "
            f"{_moves(change)}, and the cosine of maps to those of step {several[-1].step} is "
            + " and ".join(_beside_others(of_step, several[-1]) for of_step in dict.fromkeys((first, several[-2])))
        )
    return f"From the first snapshot to the last, {'; '.join(parts)}."


def _first_sufficient(several: Sequence[_Set]) -> _Set | None:
    """Return the first step with enough images that have a map at the last step, too; the last one does not count.

    An untrained network has few images right.
    """
    return next((s for s in several[:-1] if len(_low_pairs(s, several[-1])[0]) >= _ENOUGH), None)


def _low_pairs(of_step: _Set, last: _Set) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the low shares, at the last step and at an earlier one, of images that have a map at both."""
    places = {sample: row for row, sample in enumerate(last.ids)}
    pairs = [(row, places[sample]) for row, sample in enumerate(of_step.ids) if sample in places]
    # A map that is 0 throughout has no low share.
    pairs = [(row, other) for row, other in pairs if isfinite(of_step.low[row]) and isfinite(last.low[other])]
    return last.low[[other for _, other in pairs]], of_step.low[[row for row, _ in pairs]]


def _beside_others(of_step: _Set, last: _Set) -> str:
    """Say how near the maps of a step are to the last ones of their images, and to those of other images."""
    own, others = _cosines(of_step, last)
    n = int(np.isfinite(own).sum())
    same, other = (shown(_mean(values), ".2f") for values in (own, others))
    return f"{same} at step {of_step.step} ({n} images; to another image's {other})"


def _moves(change: Estimate) -> str:
    verb = {"holds": "rises", "does not hold": "falls"}.get(finding([interval(change)], RISES), "does not clearly move")
    return f"{verb} ({shown(change, '+.3f')})"
