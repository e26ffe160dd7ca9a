"""F21-TH and F21-THF: numbers as the simulation has them, verdicts from its intervals, curves from its arrays."""

import numpy as np
import pandas as pd
import pytest

from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.f21 import TH, THF
from freqmaps.papers.f21._theorem_claims import CLAIMS
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
    assert table.claims == [] and table.finding == "The simulation looks at no claim of the theorems."
    assert "theorem 1: 3 holds, 2 does not hold, 3 cannot be told here" in table.notes[1]
    assert "Draws in which “assumption 3” holds: ReLU 3 of 9." in table.notes
    assert "Theorem 3, condition 12: ReLU 0.5 (0.4 to 0.6)." in table.notes
    loose = TH.build(Inputs([synthetic_theory.make(tmp_path, "other", rows=rows)]), share=0.3, slack=0.5).frame
    found = loose.set_index("claim")["verdict"]
    assert (found["in half of them"], found["between"]) == ("holds", "holds")


def test_only_what_the_paper_says_is_a_claim(inputs):
    table = TH.build(inputs)
    measures = {(claim.theorem, claim.measure) for claim in CLAIMS}
    assert measures <= set(map(tuple, table.frame[["theorem", "claim"]].to_numpy()))  # each is in the simulation
    ours = ("own rates", "sums as printed", "half the printed number", "having risen")
    told = set(map(tuple, table.frame.loc[table.frame["verdict"] != "", ["theorem", "claim"]].to_numpy()))
    rest = {measure for _, measure in told - measures}
    assert len(rest) == len(ours) and all(any(words in measure for measure in rest) for words in ours)
    assert {claim.claim for claim in table.claims} == {claim.claim for claim in CLAIMS}
    assert all(claim.reported and ("theorem" in claim.section or "lemma" in claim.section) for claim in table.claims)
    relu = {claim.claim for claim in CLAIMS if claim.relu_alone}
    assert len(relu) == 3 and all(c.place == "ReLU" for c in table.claims if c.claim in relu)
    tested = {claim.place for claim in table.claims if claim.n}
    assert tested and all(claim.n or claim.place in tested for claim in table.claims)
    rows = table.frame.set_index(["theorem", "claim", "activation"])
    for said in CLAIMS:
        for claim in (c for c in table.claims if c.claim == said.claim):
            row = rows.loc[(said.theorem, said.measure, claim.place)]
            assert (claim.low, claim.high, claim.n) == pytest.approx((row["low"], row["high"], row["n"]), nan_ok=True)
            assert claim.verdict == row["verdict"]
    assert table.finding.startswith("Claims of the theorems, by activation: ReLU: ")


def test_an_activation_without_a_draw_is_passed_over_unless_none_has_one(tmp_path):
    measure = "with condition 12, τ(δ) < τ(x) throughout"
    held = made_up(measure, 1.0, 0.97, 1.0, theorem="3")
    none = made_up(measure, 1.0, np.nan, np.nan, theorem="3", activation="sigmoid", n=0, value=np.nan)
    lemma = made_up("lemma 1: β keeps its sign", 1.0, np.nan, np.nan, theorem="4", activation="sigmoid", n=0)
    table = TH.build(Inputs([synthetic_theory.make(tmp_path, rows=pd.DataFrame([held, none, lemma]))]))
    assert [(claim.place, claim.verdict, claim.evidence) for claim in table.claims] == [
        ("ReLU", "holds", "98.5 % (97.0 to 100.0) of the draws in which the theorem's assumptions hold"),
        ("sigmoid", "cannot be told here", "the theorem's assumptions hold in no draw"),
    ]
    assert table.finding == (
        "Claims of the theorems, by activation: ReLU: 1 holds; sigmoid: 1 cannot be told here; with sigmoid the "
        "assumptions hold in no draw."
    )


def test_evidence_says_what_was_counted(tmp_path):
    rows = [
        made_up("order of the error, equation 9", 2.0, 1.95, 2.2),
        made_up("equation 9: share of steps whose sign is right", 1.0, 0.96, 1.004),
        made_up("equation 11: share of pairs that keep their order until t0", 1.0, 0.4, 0.6, theorem="2"),
    ]
    table = TH.build(Inputs([synthetic_theory.make(tmp_path, rows=pd.DataFrame(rows))]))
    where = "mean over the draws in which the theorem's assumptions hold"
    assert [claim.evidence for claim in table.claims] == [
        f"the error is of order 2.08 (1.95 to 2.20), {where}",
        f"98.2 % of steps (96.0 to 100.0), {where}",
        f"50.0 % of pairs (40.0 to 60.0), {where}",
    ]


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
