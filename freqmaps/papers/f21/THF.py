"""The checks of Theorems 1 to 4 of F21 as curves: τ along training and PGD, predicted against measured changes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes

from freqmaps.core.errors import FreqmapsError
from freqmaps.publish.api import Figure
from freqmaps.publish.style import BLUE, GREEN, INK, MUTED, STYLE, VERMILION, new_figure, quiet
from freqmaps.results.reader import Inputs, Result

TITLE = "The share of low frequencies along training and PGD, and how well equation 9 predicts its changes"
CAPTION = (
    "Random two-layer networks (F21-TH), one row per scale of the signal; ReLU blue, softplus orange, sigmoid green. "
    "(A) Median τ of the input gradient along training, shaded its middle half; dashed the signal's τ. (B) The change "
    "of τ in single steps as equation 9 predicts it, against the measured one, in units of 10⁻³, on axes that are "
    "linear near 0 and logarithmic elsewhere. (C) Median error of the predicted change of the first step by learning "
    "rate: solid equation 9, dashed with the rate η_r of each hidden unit (for ReLU the two coincide), dotted with the "
    "sums as printed; gray lines have slopes 1 and 2. (D) Median τ of the perturbation along PGD, shaded its middle "
    "half; dashed the median τ of the input gradient. The learning rate is the largest part of ∂ℓ/∂f that a step may "
    "remove."
)
KIND = "figure"
NEEDS = ("simulation",)
SIMULATIONS = ("two_layer_theorems",)

_COLOURS = {"relu": BLUE, "softplus": VERMILION, "sigmoid": GREEN}
_NAMES = {"relu": "ReLU", "softplus": "softplus", "sigmoid": "sigmoid"}
_LINES = {"equation 9": "-", "own rates": "--", "sums as printed": ":"}
_UNIT = 1e-3


def build(inputs: Inputs, *, simulation: str | None = None) -> Figure:
    """Draw the curves of one simulation.

    Parameters
    ----------
    inputs
        The study's results.
    simulation
        Its name; None takes the study's first of this kind.

    Raises
    ------
    FreqmapsError
        The study has none.
    """
    result = _result(inputs, simulation)
    arrays = inputs.arrays(simulation=result.names["simulation"])
    scales = [float(s) for s in arrays["scale"].values]
    most = float(np.abs(arrays["change"]).max()) / _UNIT * 1.3
    with rc_context(STYLE):
        figure = new_figure(7.75, 1.75 * len(scales) + 0.35)
        panels = figure.subplots(len(scales), 4, squeeze=False, sharex="col")
        for row, scale in zip(panels, scales, strict=True):
            own = arrays.sel(scale=scale)
            _paths(row[0], own["share"], "step")
            row[0].axhline(float(own["share_of_signal"][0]), color=MUTED, linewidth=0.7, linestyle="--")
            _changes(row[1], own["change"], most)
            _errors(row[2], own["error"])
            _paths(row[3], own["share_of_attack"], "iteration")
            for name, colour in _COLOURS.items():
                target = float(own["share_of_gradient"].sel(activation=name))
                row[3].axhline(target, color=colour, linewidth=0.7, linestyle="--")
            row[0].set_ylabel(f"scale {scale:g}\nτ of ∇f", color=MUTED)
            row[1].set_ylabel("predicted", color=MUTED, labelpad=0)
            row[2].set_ylabel("error", color=MUTED, labelpad=0)
            row[3].set_ylabel("τ of δ", color=MUTED)
        labels = ("training step", "measured", "learning rate", "iteration of PGD")
        for letter, axes, label in zip("ABCD", panels[-1], labels, strict=True):
            axes.set_xlabel(label, color=MUTED, labelpad=1)
            panels[0, "ABCD".index(letter)].set_title(f"({letter})", color=INK, loc="left")
        handles = [panels[0, 0].plot([], [], color=c)[0] for c in _COLOURS.values()]
        figure.legend(handles, list(_NAMES.values()), frameon=False, ncols=3, loc="outside upper center")
    alt = "Rows of four panels: curves of τ along training and PGD, a scatter of changes, lines of errors by rate."
    notes = _notes(result, arrays)
    return Figure(figure, notes, alt, finding=notes[-1])


def _result(inputs: Inputs, simulation: str | None) -> Result:
    results = [
        r
        for r in inputs.select("simulation")
        if (r.component("simulation") or ("",))[0] in SIMULATIONS and simulation in (None, r.names["simulation"])
    ]
    if not results:
        called = f" named '{simulation}'" if simulation else ""
        raise FreqmapsError(
            f"F21-THF: the study has no simulation{called} of kind '{SIMULATIONS[0]}'; add one to simulations"
        )
    return results[0]


def _paths(axes: Axes, share: xr.DataArray, along: str) -> None:
    for name, colour in _COLOURS.items():
        low, middle, high = share.sel(activation=name).transpose("quantile", along).values
        place = share[along].values
        axes.plot(place, middle, color=colour, linewidth=1.2)
        axes.fill_between(place, low, high, color=colour, alpha=0.18, lw=0)
    axes.set_ylim(0, 1)
    quiet(axes)


def _changes(axes: Axes, change: xr.DataArray, most: float) -> None:
    values = change.transpose("activation", "kind", "point")
    axes.plot([-most, most], [-most, most], color=MUTED, linewidth=0.6)
    for name, colour in _COLOURS.items():
        predicted, measured = values.sel(activation=name).values / _UNIT
        axes.plot(measured, predicted, ".", color=colour, markersize=2, alpha=0.6, markeredgewidth=0)
    for axis in ("x", "y"):
        getattr(axes, f"set_{axis}scale")("symlog", linthresh=0.1)
        getattr(axes, f"set_{axis}lim")(-most, most)
        getattr(axes, f"set_{axis}ticks")([-10, -0.1, 0.1, 10], ["−10", "−.1", ".1", "10"])
    axes.minorticks_off()
    quiet(axes)


def _errors(axes: Axes, error: xr.DataArray) -> None:
    rate = error["rate"].values
    for name, colour in _COLOURS.items():
        for reading, line in _LINES.items():
            values = error.sel(activation=name, reading=reading).values
            axes.plot(rate, np.where(values > 0, values, np.nan), line, color=colour, linewidth=1.0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    for slope in (1, 2):
        line = high * 0.7 * (rate / rate.max()) ** slope
        axes.plot(rate, line, color=MUTED, linewidth=0.6)
        axes.annotate(str(slope), (rate[-1], line[-1]), (-5, -1), textcoords="offset points", color=MUTED, fontsize=6)
    axes.set_ylim(low, high)
    axes.minorticks_off()
    quiet(axes)


def _notes(result: Result, arrays: xr.Dataset) -> list[str]:
    _, parameters = result.component("simulation") or ("", {})
    drawn = (
        f"Simulation {result.names['simulation']}: {parameters['draws']} networks per curve, exponent α "
        f"{parameters['alphas'][0]:g}, width {parameters['widths'][-1]}, learning rate {parameters['rates'][0]:g} "
        "in A, B and D; F21-TH has all settings."
    )
    middle = arrays["share"].sel(quantile=0.5)
    scales = []
    for scale in arrays["scale"].values:
        ends = [
            f"{_NAMES[name]} {float(middle.sel(activation=name, scale=scale)[0]):.2f} to "
            f"{float(middle.sel(activation=name, scale=scale)[-1]):.2f}"
            for name in _COLOURS
        ]
        scales.append(f"scale {float(scale):g}: {', '.join(ends)}")
    return [drawn, f"Median τ before and after training: {'; '.join(scales)}."]
