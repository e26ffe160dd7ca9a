"""Figure 1 of Karantzas et al.: the blue shift, what four non-linearities do to the spectrum of a sine."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from freqmaps.inference.verdicts import Claim, trend
from freqmaps.publish.api import Figure
from freqmaps.publish.numbers import number
from freqmaps.publish.style import BLUE, INK, MUTED, STYLE, VERMILION, new_figure, quiet
from freqmaps.results.reader import Inputs
from freqmaps.spectra.harmonics import ACTIVATIONS, LIMIT, Signal, activated, harmonics, share_outside, wave

TITLE = "Blue shift: non-linearities add higher frequencies to a sine"
CAPTION = (
    "Top: a sine (A, and thin and gray in the others) and what softplus (B), tanh (C), ReLU (D) and hardtanh (E) make "
    "of it, over two periods. Bottom: the modulus of each Fourier coefficient on a logarithmic scale, at signed "
    "frequencies in cycles per period of the sine: the driving frequency (blue circles), the mean (gray square) and "
    "what the non-linearity has added (orange diamonds)."
)
KIND = "figure"
NEEDS = ()
USES = ("simulation",)
SIMULATIONS = ("blue_shift",)
RANGES = {"highest": "[1, 100)", "amplitude": "(0, 1000)", "limit": "(0, 1000)"}

_FLOOR = 1e-5
_SINE = "sine"


def build(inputs: Inputs, *, highest: int = 9, amplitude: float = 1.0, limit: float = 0.3) -> Figure:
    """Draw ``σ(a sin(2 π t))`` and its spectrum for the four σ of the paper.

    Parameters
    ----------
    inputs
        The study's results: a simulation of random signals is told in a note, if there is one.
    highest
        The highest frequency shown, in cycles per period.
    amplitude
        Of the sine.
    limit
        Where hardtanh cuts off. Its usual 1 leaves a sine of amplitude 1 as it is; the paper's released code has .3.
    """
    sine = wave(amplitude=amplitude)
    signals = {_SINE: sine} | {name: activated(name, sine, limit=limit) for name in ACTIVATIONS}
    with rc_context(STYLE):
        figure = new_figure(7.75, 3.2)
        panels = figure.subplots(2, len(signals), sharex="row", sharey="row", squeeze=False)
        for number, (name, signal) in enumerate(signals.items()):
            title = f"({'ABCDE'[number]}) {name}" + (f", ±{limit:g}" if name == "hardtanh" else "")
            _signal(panels[0, number], signal, sine, title)
            _spectrum(panels[1, number], harmonics(signal), highest, amplitude)
        panels[0, 0].set_ylabel("value", color=MUTED)
        panels[1, 0].set_ylabel("modulus of coefficient", color=MUTED)
        _label(figure, panels[0, 2], panels[1, 2])
    alt = f"Ten panels: five signals, the sine and {', '.join(ACTIVATIONS)} of it, above their spectra."
    moved = _moved(inputs)
    return Figure(figure, [*_notes(signals, amplitude, limit), *moved], alt, finding=_finding(signals, moved))


def _notes(signals: dict[str, Signal], amplitude: float, limit: float) -> list[str]:
    amplitudes = {name: harmonics(signal) for name, signal in signals.items()}
    parts = [f"{name} {100 * share_outside(amplitudes[name]):.2f} %" for name in ACTIVATIONS]
    means = [f"{name} {amplitudes[name][0]:.3f}" for name in ACTIVATIONS if amplitudes[name][0] > _FLOOR]
    notes = [
        f"Share of the energy outside the driving frequency, the mean not counted: {', '.join(parts)}.",
        f"Mean that a sine of mean 0 gets: {', '.join(means)}; the others, being odd, leave it at 0.",
        "One sine shows harmonics only: odd multiples for odd functions, for softplus and ReLU even ones. Sums and "
        "differences of frequencies (intermodulation) need two.",
    ]
    if limit >= amplitude:
        notes.append(f"Cut off at ±{limit:g}, hardtanh leaves a sine of amplitude {amplitude:g} unchanged.")
    elif limit == LIMIT:
        notes.append(f"hardtanh is cut off at ±{limit:g}, as in the paper's released code; the text does not say.")
    return notes


def _moved(inputs: Inputs) -> list[str]:
    """Return claims and a sentence on where random signals' energy goes: computed from the simulation's intervals."""
    rows = inputs.simulations("blue_shift")
    names = rows["simulation"].unique().tolist() if len(rows) else []
    claims: list[str] = []
    notes: list[str] = []
    for name in names:
        group = rows[rows["simulation"] == name]
        parts = []
        for activation, own in group.groupby("activation", sort=False):
            by = {str(row["measure"]): row for row in own.to_dict("records")}
            claims.append(_shift(by).at(f"{name}, {activation}" if len(names) > 1 else str(activation)))
            above, below = (100 * by[side]["value"] for side in ("above", "below"))
            parts.append(f"{activation} {above:.2f} % above, {below:.2f} % below")
        notes.append(
            f"Simulation {name}, {int(group['n'].iloc[0])} random signals of several sines: share of the energy that "
            f"leaves the band they lie in: {'; '.join(parts)}. The shift is blue where more of it goes above."
        )
    return [*claims, *notes]


def _shift(by: Mapping[str, Mapping[Hashable, Any]]) -> Claim:
    """Say of one non-linearity whether more of the energy that leaves the signals' band goes above than below."""
    above, below, more = (by[measure] for measure in ("above", "below", "above - below"))
    value, low, high = (number(100 * more[key], "+.2f") for key in ("value", "low", "high"))
    return trend(
        "non-linearities move the energy of a signal to higher frequencies (blue shift)",
        [(float(more["low"]), float(more["high"]))],
        f"{100 * above['value']:.2f} % of the energy goes above the signals' band and {100 * below['value']:.2f} % "
        f"below it, {value} points more ({low} to {high})",
        section="2.1, figure 1",
        reported="softplus, tanh, ReLU and hardtanh add higher frequencies to a sine, without numbers",
        n=int(more["n"]),
    )


def _finding(signals: dict[str, Signal], moved: Sequence[str]) -> str:
    """Say in one sentence what the non-linearities do to the sine, and to random signals where they were drawn."""
    shares = [100 * share_outside(harmonics(signals[name])) for name in ACTIVATIONS]
    sine = f"Non-linearities put {min(shares):.2f} to {max(shares):.2f} % of a sine's energy at other frequencies"
    claims = [note for note in moved if isinstance(note, Claim)]
    if not claims:
        return f"{sine}."
    blue = sum(claim.verdict == "holds" for claim in claims)
    return f"{sine}; of random signals' energy more goes above their band than below in {blue} of {len(claims)} cases."


def _signal(axes: Axes, signal: Signal, sine: Signal, title: str) -> None:
    t = np.arange(2 * len(signal)) / len(signal)
    if signal is not sine:
        axes.plot(t, np.tile(sine, 2), color=MUTED, linewidth=0.6, alpha=0.7)
    axes.plot(t, np.tile(signal, 2), color=BLUE, linewidth=1.3)
    axes.set_title(title, color=INK)
    axes.set_xlim(0, 2)
    axes.set_xticks([0, 1, 2])
    quiet(axes)


def _spectrum(axes: Axes, amplitudes: Signal, highest: int, amplitude: float) -> None:
    frequencies, floor = np.arange(-highest, highest + 1), _FLOOR * amplitude
    # Each amplitude but the mean's is shared by a coefficient of the positive and one of the negative frequency.
    modulus = amplitudes[np.abs(frequencies)] / np.where(frequencies == 0, 1, 2)
    kinds = (
        (np.abs(frequencies) == 1, BLUE, "o"),
        (frequencies == 0, MUTED, "s"),
        (np.abs(frequencies) > 1, VERMILION, "D"),
    )
    for chosen, colour, marker in kinds:
        shown = chosen & (modulus > floor)
        axes.vlines(frequencies[shown], floor, modulus[shown], color=colour, linewidth=1.0)
        axes.plot(frequencies[shown], modulus[shown], marker, color=colour, markersize=2.6)
    axes.set_yscale("log")
    axes.set_ylim(floor, 2 * max(amplitude, 1))
    axes.minorticks_off()
    axes.set_xlim(-highest - 0.8, highest + 0.8)
    ends = sorted({-highest, -1, 1, highest, -(highest // 2 + 1), highest // 2 + 1})
    axes.set_xticks(ends, [number(k, "d") for k in ends])
    quiet(axes)


def _label(figure: Canvas, above: Axes, below: Axes) -> None:
    above.set_xlabel("time, periods of the sine", color=MUTED, labelpad=2)
    below.set_xlabel("frequency, cycles per period", color=MUTED, labelpad=2)
