"""K22-F1, the item that reads no result of the study: its numbers, its picture, and its way through the workflow."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from freqmaps.inference.verdicts import Claim
from freqmaps.papers.k22 import F1 as K22_F1
from freqmaps.publish import Inputs
from tests.workflow import clone, due, snakemake


def coefficients(made):
    """Return what each lower panel shows: modulus by signed frequency."""
    lower = made.figure.axes[5:]
    points = [{}, {}, {}, {}, {}]
    for number, axes in enumerate(lower):
        for line in axes.lines:
            points[number].update(zip(map(int, line.get_xdata()), map(float, line.get_ydata()), strict=True))
    return dict(zip(("sine", "softplus", "tanh", "ReLU", "hardtanh"), points, strict=True))


def test_spectra_are_those_of_the_closed_forms():
    shown = coefficients(K22_F1.build(Inputs([]), highest=6))
    assert shown["sine"] == pytest.approx({-1: 0.5, 1: 0.5})
    # ReLU: 1/π, 1/4 at the driving frequency, 1/π/(4 k² - 1) at 2 k.
    half_wave = {0: 1 / np.pi, 1: 0.25} | {2 * k: 1 / np.pi / (4 * k**2 - 1) for k in (1, 2, 3)}
    assert shown["ReLU"] == pytest.approx(half_wave | {-k: v for k, v in half_wave.items()}, abs=1e-5)
    assert set(shown["tanh"]) == set(shown["hardtanh"]) == {-5, -3, -1, 1, 3, 5}
    assert set(shown["softplus"]) == {-4, -2, -1, 0, 1, 2, 4}
    assert shown["softplus"][1] == pytest.approx(0.25)
    for spectrum in shown.values():
        assert all(spectrum[-k] == v for k, v in spectrum.items())


def test_the_note_says_the_share_outside_the_driving_frequency():
    note = K22_F1.build(Inputs([])).notes[0]
    shares = {name: float(value) / 100 for name, value in re.findall(r"(\w+) ([\d.]+) %", note)}
    assert list(shares) == ["softplus", "tanh", "ReLU", "hardtanh"]
    assert shares["ReLU"] == pytest.approx(1 - (1 / 8) / (1 / 4 - 1 / np.pi**2), abs=1e-4)
    # A clipped sine: mean square and fundamental by their integrals, a = arcsin(.3).
    a = np.arcsin(0.3)
    square = 2 / np.pi * (a / 2 - np.sin(2 * a) / 4 + 0.09 * (np.pi / 2 - a))
    fundamental = 2 / np.pi * (a + 0.3 * np.cos(a))
    assert shares["hardtanh"] == pytest.approx(1 - fundamental**2 / 2 / square, abs=1e-4)


def test_a_wide_hardtanh_is_said_to_do_nothing():
    made = K22_F1.build(Inputs([]), amplitude=0.5, limit=1.0)
    assert "leaves a sine of amplitude 0.5 unchanged" in made.notes[-1]
    assert "hardtanh 0.00 %" in made.notes[0]
    shown = coefficients(made)
    assert shown["hardtanh"] == pytest.approx(shown["sine"])


class Simulated:
    """Results with the rows of simulations of random signals."""

    def __init__(self, *rows):
        columns = ["simulation", "activation", "measure", "value", "low", "high", "n"]
        self.rows = pd.DataFrame(rows, columns=columns)

    def simulations(self, kind):
        assert kind == "blue_shift"
        return self.rows


def shares(name, activation, low, high):
    ends = [("above", 0.3), ("below", 0.3 - (low + high) / 2)]
    sides = [(name, activation, measure, value, value, value, 50) for measure, value in ends]
    return [*sides, (name, activation, "above - below", (low + high) / 2, low, high, 50)]


def test_the_blue_shift_is_a_claim_with_an_interval():
    inputs = Simulated(*shares("a", "tanh", 0.1, 0.2), *shares("a", "ReLU", -0.1, 0.2), *shares("a", "abs", -0.2, -0.1))
    made = K22_F1.build(inputs)
    claims = [note for note in made.notes if isinstance(note, Claim)]
    assert [(claim.place, claim.verdict, claim.n) for claim in claims] == [
        ("tanh", "holds", 50), ("ReLU", "cannot be told here", 50), ("abs", "does not hold", 50),
    ]  # fmt: skip
    assert (claims[0].low, claims[0].high, claims[0].section) == (0.1, 0.2, "2.1, figure 1")
    assert "30.00 % of the energy goes above the signals' band and 15.00 % below it, +15.00 points" in claims[0]
    assert "softplus" in claims[0].reported and made.finding.endswith("below in 1 of 3 cases.")
    several = K22_F1.build(Simulated(*shares("a", "tanh", 0.1, 0.2), *shares("b", "tanh", 0.1, 0.2)))
    assert [n.place for n in several.notes if isinstance(n, Claim)] == ["a, tanh", "b, tanh"]
    alone = K22_F1.build(Inputs([]))
    assert not any(isinstance(note, Claim) for note in alone.notes)
    assert alone.finding == "Non-linearities put 0.45 to 15.93 % of a sine's energy at other frequencies."


def test_it_is_made_with_a_simulation_alone(tmp_path):
    folder = clone(tmp_path / "clone")
    overlay = folder / "overlay.yaml"
    overlay.write_text("items: [K22-F1]\n")
    words = ("K22-F1", "--cores", "1", "--configfile", "config.yaml", "overlay.yaml")
    snakemake(folder, *words)
    about = json.loads((folder / "results" / "figures" / "K22-F1.json").read_text())
    assert about["kind"] == "figure"
    assert [result["stage"] for result in about["provenance"]["results"]] == ["simulation"]
    assert "2000 random signals" in about["notes"][-1] and "ReLU" in about["notes"][-1]
    assert [claim["place"] for claim in about["claims"]] == ["softplus", "tanh", "ReLU", "hardtanh"]
    assert {claim["n"] for claim in about["claims"]} == {2000} and "of 4 cases" in about["finding"]
    assert (folder / "results" / "figures" / "K22-F1.png").stat().st_size > 5000
    assert due(folder, *words) == set()
