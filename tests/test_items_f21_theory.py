"""F21-TH and F21-THF: numbers as the simulation has them, verdicts from its intervals, curves from its arrays."""

import numpy as np
import pandas as pd
import pytest

from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.f21 import TH, THF
from freqmaps.publish import Inputs
from tests import synthetic_theory


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return synthetic_theory.make(tmp_path_factory.mktemp("theory"), scales=[1.0, 4.0], rates=[0.1, 0.3])


@pytest.fixture(scope="module")
def inputs(result):
    return Inputs([result])


def made_up(measure, predicted, low, high, **more):
    row = {
        "theorem": "1", "measure": measure, "activation": "relu", "scale": "all", "alpha": "all", "width": "all",
        "rate": "all", "among": "assumptions", "predicted": predicted, "value": (low + high) / 2, "n": 9, "low": low,
        "high": high, "truth": 1,
    }  # fmt: skip
    return row | more


def test_numbers_are_those_of_the_simulation(inputs):
    frame, rows = TH.build(inputs).frame, inputs.simulations("two_layer_theorems")
    claims = rows[rows["predicted"].notna()]
    assert len(frame) == claims.groupby(["theorem", "measure", "activation"]).ngroups > 40
    for row in frame.to_dict("records"):
        own = claims[(claims["measure"] == row["claim"]) & (claims["theorem"].astype(str) == row["theorem"])]
        own = own[own["activation"].replace("relu", "ReLU") == row["activation"]]
        for among, start in (("assumptions", ""), ("all", "all_"), ("unsaid", "needed_")):
            one = own[(own["among"] == among) & (own["scale"] == "all")].iloc[0]
            for key in ("value", "low", "high", "n"):
                assert row[f"{start}{key}"] == pytest.approx(one[key], nan_ok=True)
        single = own[(own["among"] == "all") & (own["scale"] != "all")]
        assert len(single) == 4 and row["settings"] == single["value"].notna().sum()
        if row["settings"]:
            assert (row["settings_low"], row["settings_high"]) == (single["value"].min(), single["value"].max())
    assert frame["theorem"].is_monotonic_increasing


def test_verdicts_follow_from_intervals(tmp_path):
    cases = {
        "in every draw": (1.0, 0.97, 1.0, "holds"),
        "in half of them": (1.0, 0.4, 0.6, "does not hold"),
        "in most of them": (1.0, 0.9, 0.99, "cannot be told here"),
        "mean of shares": (1.0, 0.96, 1.004, "holds"),
        "second order": (2.0, 1.95, 2.2, "holds"),
        "first order": (2.0, 0.98, 1.03, "does not hold"),
        "between": (2.0, 1.8, 2.0, "cannot be told here"),
        "no draw": (2.0, np.nan, np.nan, "cannot be told here"),
        "no tolerance": (0.0, 0.1, 0.2, ""),
    }
    rows = pd.DataFrame([made_up(name, *case[:3]) for name, case in cases.items()])
    assumed = made_up("assumption 3", np.nan, 0.0, 0.4, theorem="assumptions", among="all", value=1 / 3)
    beside = made_up("condition 12", np.nan, 0.4, 0.6, theorem="3", among="all")
    rows = pd.concat([rows, pd.DataFrame([assumed, beside])])
    table = TH.build(Inputs([synthetic_theory.make(tmp_path, rows=rows)]))
    assert table.frame.set_index("claim")["verdict"].to_dict() == {name: case[3] for name, case in cases.items()}
    said = {claim.claim: claim.evidence for claim in table.claims}
    assert not any("nan" in evidence for evidence in said.values())
    assert said["theorem 1: no draw"] == "its assumptions hold in no draw"
    assert "theorem 1: 3 holds, 2 does not hold, 3 cannot be told here" in table.notes[1]
    assert "Draws in which “assumption 3” holds: ReLU 3 of 9." in table.notes
    assert "Theorem 3, condition 12: ReLU 0.5 (0.4 to 0.6)." in table.notes
    loose = TH.build(Inputs([synthetic_theory.make(tmp_path, "other", rows=rows)]), share=0.3, slack=0.5).frame
    found = loose.set_index("claim")["verdict"]
    assert (found["in half of them"], found["between"]) == ("holds", "holds")


def test_two_simulations_have_rows_of_their_own(tmp_path, result):
    table = TH.build(Inputs([result, synthetic_theory.make(tmp_path, "wide")]))
    assert table.frame["simulation"].value_counts().nunique() == 1
    assert table.columns[0].name == "simulation"
    assert sum(note.startswith(("theory: ", "wide: ")) for note in table.notes) > 10


def test_curves_are_those_of_the_arrays(inputs):
    made = THF.build(inputs)
    arrays = inputs.arrays(simulation="theory")
    panels = np.array(made.figure.axes).reshape(2, 4)
    for row, scale in zip(panels, (1.0, 4.0), strict=True):
        own = arrays.sel(scale=scale)
        for panel, name in ((row[0], "share"), (row[3], "share_of_attack")):
            for line, activation in zip(panel.lines, ("relu", "softplus", "sigmoid"), strict=False):
                expected = own[name].sel(activation=activation, quantile=0.5).values
                assert np.array_equal(line.get_ydata(), expected)
        points = {tuple(p) for line in row[1].lines[1:] for p in np.round(line.get_xydata(), 9).tolist()}
        measured, predicted = (1000 * own["change"].sel(kind=k).values.ravel() for k in ("measured", "predicted"))
        assert points == {tuple(p) for p in np.round(np.stack([measured, predicted], axis=1), 9).tolist()}
        assert all(abs(v) <= row[1].get_xlim()[1] for p in points for v in p)
        errors = own["error"].sel(activation="softplus", reading="own rates").values
        assert any(np.array_equal(line.get_ydata(), errors) for line in row[2].lines)
    assert "12 networks per curve" in made.notes[0]


def test_without_the_simulation_both_say_what_is_missing(inputs):
    for item in (TH, THF):
        with pytest.raises(FreqmapsError, match=r"no simulation .*of kind 'two_layer_theorems'; add one"):
            item.build(Inputs([]))
    with pytest.raises(FreqmapsError, match="named 'other'"):
        THF.build(inputs, simulation="other")
