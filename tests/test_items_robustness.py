"""Items on robustness and Fourier heat maps: rows against the numbers they were made from, and what they conclude."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.proportions import wilson
from freqmaps.inference.verdicts import Claim
from freqmaps.papers.c22 import T3, T4, T6, T7
from freqmaps.papers.y19 import F1
from freqmaps.papers.y19._heat_maps import heat_maps
from freqmaps.publish.published import AS_PUBLISHED, published
from freqmaps.results.reader import Inputs
from tests import synthetic_robustness as made
from tests import synthetic_study as study

ORDER = [
    "Standard", "JaFR", "FGSM AT", "FGSM AT + JaFR(-)", "FGSM AT + JaFR", "FGSM AT + GradAlign", "PGD AT", "own"
]  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(made.make(tmp_path_factory.mktemp("one")))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return Inputs(made.make(tmp_path_factory.mktemp("three"), seeds=3))


@pytest.mark.parametrize("item", made.ITEMS)
def test_items_keep_the_contract(item, inputs, tmp_path):
    study.check_item(item, inputs, tmp_path)


def test_rows_are_the_papers_trainings_in_its_order(inputs):
    frame = T4.build(inputs).frame
    assert frame["called"].tolist() == ORDER
    for row in frame.to_dict("records"):
        right = made.TRAININGS[row["training"]][2]
        for attack in ("clean", "fgsm", "pgd"):
            assert row[attack] == pytest.approx(right[attack] / made.N)
            assert (row[f"{attack}_low"], row[f"{attack}_high"]) == pytest.approx(wilson(right[attack], made.N))
    assert frame["published_pgd"].dropna().tolist() == [0.0, 0.0, 0.0001, 0.4632, 0.4697, 0.4963]
    assert (
        frame.loc[7, "scope"] == "no published value for this row"
    )  # one step and two regularisers: none of the seven
    assert frame.loc[3, "scope"] == "no published value for this row"  # JaFR(-) is not in table 4


def test_several_networks_are_means_with_student_intervals(seeds):
    row = T4.build(seeds).frame.iloc[0]
    values = np.array([380, 382, 384]) / made.N
    assert (row["clean"], row["clean_sd"], row["networks"]) == (pytest.approx(values.mean()), pytest.approx(0.005), 3)
    low, high = stats.t.interval(0.95, 2, values.mean(), values.std(ddof=1) / sqrt(3))
    assert (row["clean_low"], row["clean_high"]) == pytest.approx((low, high))


def test_trainings_of_one_row_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setitem(made.TRAININGS, "other", made.TRAININGS["smooth"])
    frame = T4.build(Inputs(made.make(tmp_path, trainings=("plain", "smooth", "other")))).frame
    assert frame["called"].tolist() == ["Standard", "JaFR (smooth)", "JaFR (other)"]


def test_the_scope_is_the_papers_or_what_differs_is_said(tmp_path, monkeypatch):
    paper = Inputs(made.make(tmp_path / "a", dataset="cifar10", published=True))
    scopes = T4.build(paper).frame.set_index("called")["scope"]
    assert scopes["Standard"] == "differs: 400 images (published: 10000)"
    assert "learning_rate 0.2 (published: learning rate 0.3)" in scopes["PGD AT"]
    monkeypatch.setitem(published("C22-T4"), "samples", made.N)
    rows = T4.build(paper).frame.set_index("called")
    assert rows.loc["Standard", "scope"] == AS_PUBLISHED == rows.loc["FGSM AT", "scope"]
    assert rows.loc["Standard", "within_tolerance"] == "yes"  # .95, .15 and 0 beside .9311, .1604 and 0
    assert "dataset cifar10 (published: SVHN)" in T3.build(paper).frame["scope"][0]
    jafr = T3.build(paper).frame.set_index("called")["scope"]["FGSM AT + JaFR"]
    assert jafr.endswith("regulariser's weight 0.001 (published: 0.05)")


def test_a_table_takes_its_own_data_where_there_is_any(tmp_path):
    some = ("plain", "quick")
    both = made.make(tmp_path / "a", trainings=some, dataset="svhn", name="houses")
    both += made.make(tmp_path / "b", trainings=some)
    assert T3.build(Inputs(both)).frame["dataset"].unique().tolist() == ["houses"]
    assert T4.build(Inputs(both)).frame["dataset"].unique().tolist() == ["houses", "toy"]


def test_costs_are_medians_over_epochs_beside_standard_training(seeds):
    rows = T6.build(seeds).frame.set_index("called")
    assert rows.loc["Standard", "seconds"] == 2.0
    assert rows["ratio"].round(6).tolist() == [1, 3.5, 2.5, 4, 4, 4, 8, 4]
    assert rows.loc["JaFR", "published_ratio"] == pytest.approx(0.6015 / 0.1575)
    assert rows.loc["PGD AT", "published_seconds"] == 1.34


def trend_of(table, start="The published trend"):
    (note,) = [n for n in table.notes if n.startswith(start)]
    return note


@pytest.mark.parametrize(("many", "right", "found"), [
    (1, {}, "holds"),
    (3, {}, "holds"),
    (1, {"quick-smooth": {"pgd": 3}}, "does not hold"),
    (1, {"quick-smooth": {"pgd": 33}}, "cannot be told here"),
])  # fmt: skip
def test_catastrophic_overfitting_is_decided_by_intervals(tmp_path, many, right, found):
    inputs = Inputs(made.make(tmp_path, seeds=many, right=right))
    sentence = trend_of(T4.build(inputs))
    assert f"FGSM AT + JaFR does not) {found}: toy, net: FGSM AT has " in sentence
    assert ("0.5 % (0.1–1.8) under PGD" if many == 1 else "1.0 ± 0.5 % under PGD") in sentence


@pytest.mark.parametrize(("right", "verdict"), [(150, "does not hold"), (34, "cannot be told here")])
def test_where_fgsm_training_did_not_overfit_there_is_nothing_to_prevent(tmp_path, right, verdict):
    table = T4.build(Inputs(made.make(tmp_path, right={"quick": {"pgd": right}})))
    (claim,) = [note for note in table.notes if isinstance(note, Claim)]
    assert claim.claim == "FGSM AT overfits catastrophically, FGSM AT + JaFR does not"
    assert (claim.verdict, claim.n, claim.section) == (verdict, made.N, "4.2, tables 3 to 6")
    assert "18.86 to 46.32 %" in claim.reported
    # What decides is a tenth of the accuracy without attack less that under PGD.
    low, high = stats.binomtest(right, made.N).proportion_ci(method="wilson")
    clean = table.frame.set_index("called").loc["FGSM AT", "clean"]
    assert (claim.low, claim.high) == pytest.approx((clean / 10 - high, clean / 10 - low))
    nothing = "toy, net: FGSM AT did not overfit, which leaves nothing for JaFR to prevent: FGSM AT has"
    assert (nothing in claim) == (verdict == "does not hold")


def test_stronger_attacks(tmp_path, inputs):
    table = T7.build(inputs)
    assert "resists stronger attacks) holds" in trend_of(table)
    assert trend_of(table).n == made.N
    assert table.frame.set_index("called").loc["PGD AT", ["cw", "autoattack", "worst"]].tolist() == [
        0.495,
        0.475,
        0.475,
    ]
    assert not any(str(c).startswith("published_") for c in table.frame)
    weak = Inputs(made.make(tmp_path, right={"quick-smooth": {"autoattack": 1}}))
    assert "resists stronger attacks) cannot be told here" in trend_of(T7.build(weak))


def test_failed_checks_and_missing_parts_are_said(tmp_path, inputs):
    assert "All checks for masked gradients pass." in T4.build(inputs).notes
    assert "AutoAttack without apgd-t: the network has 3 classes." in T7.build(inputs).notes
    assert not any("apgd-t" in note for note in T4.build(inputs).notes)
    failed = T4.build(Inputs(made.make(tmp_path, failed="more steps")))
    assert (
        "Checks for masked gradients fail, so that accuracies under attack are too high: FGSM AT (more steps)."
    ) in failed.notes
    assert set(failed.frame["failed"]) == {"", "more steps"}


def test_nothing_evaluated_is_an_error(inputs):
    none = Inputs([r for r in inputs.results if r.stage != "evaluation"])
    for build in (T4.build, F1.build):
        with pytest.raises(FreqmapsError, match="there is no evaluation of kind"):
            build(none)


# --- heat maps


def test_heat_maps_of_seeds_are_means_on_one_scale(seeds):
    every = heat_maps(seeds)
    assert [one.names["training"] for one in every] == list(made.TRAININGS) and len(every[0].results) == 3
    assert every[0].error[4, 4] == pytest.approx(0.12) and every[0].error[0, 0] == pytest.approx(0.72)
    assert every[0].widest == pytest.approx(0.05)
    figure = F1.build(seeds).figure
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == len(made.TRAININGS) and len({i.get_clim() for i in images}) == 1
    assert images[0].get_clim() == (0, pytest.approx(0.72))


def test_sentences_on_heat_maps(inputs):
    notes = F1.build(inputs).notes
    assert notes[0] == (
        "plain: error without noise 5.0 % (2.0–8.0), under noise of frequencies up to 2.83 cycles per image 10.0 % "
        "(7.0–13.0), of higher ones 70.0 % (67.0–73.0) (400 images). The 95 % interval of a single frequency reaches "
        "±5.0 points at most."
    )
    (sensitive,) = [n for n in notes if "sensitive to noise of all but the lowest" in n]
    assert (
        ") holds: plain errs more often at high than at low frequencies by +60.0 (+56.0 to +64.0) points" in sensitive
    )
    shifted = [n for n in notes if "adversarial training makes" in n]
    half = 100 * sqrt(2) * 0.03
    assert len(shifted) == 2  # PGD and FGSM; with a regulariser a training is neither natural nor adversarial alone
    assert (
        f") holds: the error of pgd-at less that of plain is −50.0 (−{50 + half:.1f} to −{50 - half:.1f})" in shifted[0]
    )


def test_costs_are_compared_epoch_by_epoch(inputs, tmp_path):
    """The synthetic steps take half as long with FGSM AT + JaFR, with a wide spread over three epochs."""
    (claim,) = [note for note in T6.build(inputs).notes if "less computation" in note]
    logs = [np.log([9 * s, s, 0.5 * s]) for s in (8.0, 16.0)]
    spread = stats.ttest_ind(*logs, equal_var=False).confidence_interval()
    assert f"{np.exp(np.mean(logs[0]) - np.mean(logs[1])):.2f} times" in claim
    assert (claim.low, claim.high) == pytest.approx((np.exp(spread.low), np.exp(spread.high)))
    assert "cannot be told here" in claim and ".6027" in claim.reported
    assert not any("less computation" in note for note in T4.build(inputs).notes)
