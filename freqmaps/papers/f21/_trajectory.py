"""The share of low frequencies in perturbations along training: figures 2 and 11 of F21."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from pathlib import Path

import safetensors.torch
from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.core.minibatches import count_steps
from freqmaps.inference.verdicts import placed
from freqmaps.papers.f21._spectra import (
    NORMS,
    Case,
    Kind,
    attack_text,
    cases,
    condition,
    difference,
    estimate,
    interval,
    label,
    setting,
    shown,
    trend_in_norm,
)
from freqmaps.publish.api import Figure
from freqmaps.publish.style import BLUE, INK, MUTED, STYLE, VERMILION, new_figure, plain, quiet
from freqmaps.results.reader import EVERY_STEP, Inputs

_COLOURS = {"l2": BLUE, "linf": VERMILION}


def trajectory(inputs: Inputs, kind: Kind) -> Figure:
    """Draw a row of panels per training, a panel per method, a curve per norm."""
    every = cases(inputs, kind, along=True)
    methods = list(dict.fromkeys(method for case in every for method, _ in case.attacks))
    with rc_context(STYLE):
        figure = new_figure(0.9 + 3.0 * len(methods), 0.5 + 2.1 * len(every))
        panels = figure.subplots(len(every), len(methods), sharey=True, sharex="row", squeeze=False)
        for row, case in zip(panels, every, strict=True):
            for axes, method in zip(row, methods, strict=True):
                _panel(axes, case, method)
                axes.set_title(f"{plain(label(every, case))}: {method.upper()}", color=INK)
            row[0].set_ylabel("share of low frequencies", color=MUTED)
        for axes in panels[-1]:
            axes.set_xlabel("training step", color=MUTED)
        panels[0, 0].legend(frameon=False, fontsize=6.5, labelcolor=MUTED)
    notes = [note for case in every for note in _notes(inputs, every, case)]
    alt = f"{panels.size} panels: the share of low frequencies in perturbations over the step of the training."
    return Figure(figure, notes, alt)


def _panel(axes: Axes, case: Case, method: str) -> None:
    for norm in [n for m, n in case.attacks if m == method]:
        rows = case.values("lfc_ratio", method, norm)
        axes.plot(rows["step"], rows["value"], color=_COLOURS[norm], linewidth=1.2, marker="o", markersize=2,
                  label=f"perturbations in {NORMS[norm]}")  # fmt: skip
        axes.fill_between(rows["step"], rows["low"], rows["high"], color=_COLOURS[norm], alpha=0.2, linewidth=0)
    images = case.values("lfc_ratio")
    axes.plot(images["step"], images["value"], color=INK, linewidth=0.9, linestyle="--", label="images")
    axes.axhline(float(case.rows["area"].iloc[0]), color=MUTED, linewidth=0.8, linestyle=":", label="a flat spectrum")
    last = float(images["step"].iloc[-1])
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(0, last)
    ticks = [0, *[10**k for k in range(9) if 10**k <= last]]
    axes.set_xticks(ticks, [f"{t:d}" for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    quiet(axes)


def _notes(inputs: Inputs, every: Sequence[Case], case: Case) -> list[str]:
    start = f"{label(every, case)}: "
    rows = case.values("lfc_ratio")
    accuracy = case.values("accuracy").to_dict("records")
    notes = [
        f"{start}{len(rows)} snapshots, from step {int(rows['step'].iloc[0])} to {int(rows['step'].iloc[-1])}; at each "
        f"{int(rows['n'].min())} images drawn anew, of which the network has {100 * accuracy[0]['value']:.0f} % right "
        f"at the first and {100 * accuracy[-1]['value']:.0f} % at the last. Bands: 95 % intervals of the mean. "
        + setting(case),
        start + condition(case),
    ]
    for method, norm in case.attacks:
        notes += placed(start.removesuffix(": "), [_rise(case, method, norm)])
    return notes + [start + sentence for sentence in _same_weights(inputs, case)]


def _rise(case: Case, method: str, norm: str) -> str:
    """Say whether the share is larger at the end of the training than before it."""
    rows = case.values("lfc_ratio", method, norm)
    known = [row for row in rows.to_dict("records") if row["n"] > 1]
    dropped = int(rows["dropped"].sum())
    left_out = f"; {dropped} perturbations are 0 throughout and not counted" if dropped else ""
    if len(known) < 2:
        return f"{attack_text(case, method, norm)}: no share could be measured{left_out}."
    first, last = known[0], known[-1]
    least = min(known, key=lambda row: float(row["value"]))
    change = difference(last, first)
    evidence = (
        f"{attack_text(case, method, norm)}: {shown(estimate(first))} at step {int(first['step'])}, "
        f"{shown(estimate(last))} at step {int(last['step'])}, a change by {shown(change)}; smallest at step "
        f"{int(least['step'])} with {least['value']:.3f}{left_out}"
    )
    claim = "the share of low frequencies in perturbations rises along training"
    return trend_in_norm(
        claim, [interval(change)], evidence, norm, section="4.1, figures 2 and 11",
        reported="rises, for FGM and for PGD", n=int(last["n"]),
    )  # fmt: skip


def _same_weights(inputs: Inputs, case: Case) -> list[str]:
    """Compare the weights of the last snapshot with those of the finished network, where the study has both."""
    finished = inputs.select("training", **case.names)
    snapshots = inputs.select("snapshots", **case.names, step=EVERY_STEP)
    if not finished or not snapshots:
        return []
    settings = finished[0].manifest["spec"]["parameters"]["settings"]
    images = finished[0].manifest["headline"]["n_train"]
    total = count_steps(settings["epochs"], images, settings["batch"], settings.get("drop_last", False))
    if settings["keep"] != "last" or int(snapshots[-1].names["step"]) != total:
        return []
    apart = _largest_difference(finished[0].folder, snapshots[-1].folder)
    return [f"The last snapshot's weights and the finished network's differ by at most {apart:.2g}."]


def _largest_difference(path: Path, other: Path) -> float:
    first, second = (safetensors.torch.load_file(folder / "model.safetensors") for folder in (path, other))
    if first.keys() != second.keys():
        return nan
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)
