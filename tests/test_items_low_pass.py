"""F21-F6 and F21-T6: every number of figure and table, what stands beside it, and what is said of the defence."""

from __future__ import annotations

from math import inf, isnan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from freqmaps.core.components import load
from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.intervals import paired_change
from freqmaps.inference.proportions import difference_bounds, wilson
from freqmaps.publish import Inputs, NothingToShow, write_table
from freqmaps.publish.published import published
from tests import synthetic_low_pass as low
from tests import synthetic_study as study


def table(folder, **options):
    return load("item", "F21-T6")(Inputs(low.make(folder, **options)))


def figure(folder, **options):
    return load("item", "F21-F6")(Inputs(low.make(folder, **options)))


def row(frame, network, cutoff):
    chosen = frame[(frame["network"] == network) & (frame["cutoff"] == cutoff)]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.mark.parametrize("item", low.ITEMS)
def test_they_keep_the_contract_of_items(item, tmp_path):
    study.check_item(item, Inputs(low.make(tmp_path / "study")), tmp_path)


# --- the table


def test_every_number_is_the_evaluation_s(tmp_path):
    frame = table(tmp_path).frame
    assert list(zip(frame["network"], frame["cutoff"], frame["filter"], strict=True)) == [
        ("plain", inf, "none"), ("plain", 4, "best"), ("plain", 8, "other"), ("robust", inf, "none"),
        ("robust", 8, "best"),
    ]  # fmt: skip
    for found in frame.to_dict("records"):
        right = low.RIGHT[found["network"]]
        for name, data, n in (("clean", "clean", low.N), ("attacked", "pgd", low.N), ("aware", "worst", low.M)):
            hits = right[data][found["cutoff"]]
            bounds = wilson(hits, n)
            assert (found[name], found[f"{name}_n"]) == (hits / n, n)
            assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx(bounds)
            low_, high = (100 * b for b in bounds)
            assert found[f"{name}_shown"] == f"{100 * hits / n:.1f} ({low_:.1f}–{high:.1f})"
    assert frame["cutoff_shown"].tolist() == ["none", "4 (best)", "8", "none", "8 (best)"]
    assert set(frame["attack_label"]) == {"pgd (ℓ∞, ε = 0.03137)"}


def test_what_nobody_knew_has_no_number(tmp_path):
    made = table(tmp_path, aware=False)
    assert made.frame["filter"].tolist() == ["none", "best", "none", "best"] and made.frame["aware"].isna().all()
    assert sum("No attacker knew the filter" in note for note in made.notes) == 2
    with pytest.raises(FreqmapsError, match="no evaluation of kind low_pass"):
        load("item", "F21-T6")(Inputs([]))


def test_no_attack_and_nothing_cut_are_sentences(tmp_path, monkeypatch):
    results = low.make(tmp_path / "a", aware=False)
    for result in results:
        if result.stage == "evaluation":
            rows = pd.read_csv(result.folder / "evaluation.csv")
            rows[rows["attack"] == "clean"].to_csv(result.folder / "evaluation.csv", index=False)
    with pytest.raises(NothingToShow, match="were given no attack"):
        load("item", "F21-T6")(Inputs(results))
    monkeypatch.setattr(low, "CUTOFFS", (16.0,))
    made = table(tmp_path / "b", aware=False)
    assert made.frame["filter"].tolist() == ["none", "none"]
    assert sum("No cut-off below 16 was evaluated: nothing is cut." in note for note in made.notes) == 2


def test_published_values_stand_beside_the_same_network_and_filter(tmp_path, monkeypatch):
    frame = table(tmp_path / "a", published=True).frame
    expected = {
        ("plain", inf): (0.9303, None, None),
        ("plain", 4): (0.8181, 0.517, 12),
        ("robust", inf): (0.79, 0.48, None),
    }
    for found in frame.to_dict("records"):
        theirs = expected.get((found["network"], found["cutoff"]), (None,) * 3)
        ours = [found[f"published_{key}"] for key in ("clean", "attacked", "cutoff")]
        assert [None if isnan(v) else v for v in ours] == list(theirs)
    best = row(frame, "plain", 4)
    assert best["scope"] == "differs: 400 images (published: 10000)" and best["within_tolerance"] == ""
    monkeypatch.setitem(published("F21-T6"), "samples", low.N)
    frame = table(tmp_path / "b", published=True).frame
    assert row(frame, "plain", inf)["within_tolerance"] == "yes"  # .95 beside .9303
    assert row(frame, "plain", 4)["within_tolerance"] == "no: cutoff"  # 4, .80, .50 beside 12, .8181, .517
    assert row(frame, "robust", inf)["within_tolerance"] == "yes"  # .80, .475 beside .79, .48


def test_a_network_trained_with_another_attack_is_not_the_paper_s(tmp_path, monkeypatch):
    monkeypatch.setitem(published("F21-T6"), "samples", low.N)
    frame = table(tmp_path, published=True, trained=low.TRAINED | {"steps": 10, "step": 2 / 255}).frame
    scope = row(frame, "robust", inf)["scope"]
    assert scope.startswith("differs: regime adversarial with step 0.00784") and "steps 10" in scope
    assert "(published: trained with PGD, ε 8/255, 40 steps of 4/255)" in scope
    assert row(frame, "robust", inf)["within_tolerance"] == ""
    assert row(frame, "plain", inf)["scope"] == "as published"  # the paper's other rows are of another network


def test_each_attack_has_its_rows_and_one_of_them_stands_beside_who_knows_the_filter(tmp_path):
    made = table(tmp_path, published=True, small=True)
    shown = made.frame[["network", "attack", "cutoff", "filter"]].to_records(index=False).tolist()
    assert shown == [
        ("plain", "small", inf, "none"), ("plain", "small", 8, "best"), ("plain", "pgd", inf, "none"),
        ("plain", "pgd", 4, "best"), ("plain", "pgd", 8, "other"), ("robust", "small", inf, "none"),
        ("robust", "small", 8, "best"), ("robust", "pgd", inf, "none"), ("robust", "pgd", 8, "best"),
    ]  # fmt: skip
    weaker = made.frame["attack"] == "small"
    # Attackers who know the filter have PGD's budget, so nothing of them stands beside half of it.
    assert made.frame.loc[weaker, "aware"].isna().all() and made.frame.loc[~weaker, "aware"].notna().all()
    assert made.frame.loc[weaker, "published_clean"].isna().all()
    assert not isnan(made.frame.loc[~weaker, "published_clean"].iloc[0])
    helps = [n for n in made.notes if n.startswith("plain: The published trend (a low-pass filter")]
    assert len(helps) == 2 and "under small (ℓ∞, ε = 0.01569) 25.0 %" in helps[0]
    left = [n for n in made.notes if n.startswith("plain: Cut-off 4, an attacker who knows the filter")]
    assert len(left) == 1 and "that the filter brings under pgd (" in left[0]


def test_without_the_paper_s_budget_its_values_stand_beside_one_attack(tmp_path):
    ours = {"kind": "pgd", "parameters": low.PGD | {"epsilon": 0.125}}
    frame = table(tmp_path, small=True, attack=ours).frame
    beside = frame[frame["published_clean"].notna()]
    # None has the budget of those who know the filter: the first one.
    assert set(beside["attack"]) == {"small"} and set(frame.loc[frame["aware"].notna(), "attack"]) == {"small"}


@pytest.mark.parametrize(
    ("kind", "parameters", "called"),
    [
        ("fgsm", {"epsilon": 8 / 255}, "pgd (ℓ∞, ε = 0.03137)"), ("fgm", {"epsilon": 0.5}, "pgd (ℓ2, ε = 0.5)"),
        ("foolbox_attack", {"epsilon": 0.1}, "pgd (ε = 0.1)"), ("foolbox_attack", {"epsilon": None}, "pgd"),
    ],
)  # fmt: skip
def test_attacks_are_called_by_their_budget(kind, parameters, called, tmp_path):
    made = table(tmp_path, attack={"kind": kind, "parameters": parameters})
    assert set(made.frame["attack_label"]) == {called}


def test_another_setting_is_told_and_another_attack_has_no_published_value(tmp_path):
    weak = {"kind": "pgd", "parameters": low.PGD | {"epsilon": 0.125, "step": None}}
    made = table(tmp_path / "weak", attack=weak)
    scope = row(made.frame, "plain", 4)["scope"]
    for part in ("dataset digits (published: CIFAR-10)", "small_cnn (published: ResNet-32)", "optimizer sgd",
                 "attack epsilon 0.125 (published: 0.03137)", "attack step None (published: 0.01569)"):  # fmt: skip
        assert part in scope
    assert sum(note.startswith("Scope differs: dataset digits") for note in made.notes) == 1
    other = table(tmp_path / "other", attack={"kind": "fmn", "parameters": {"norm": "linf", "steps": 10}})
    assert other.frame["published_attacked"].isna().all() and set(other.frame["attack_label"]) == {"pgd"}
    assert "published_attacked" not in [c.name for c in other.shown()]
    foreign = table(tmp_path / "foreign", against="robust", trainings=("robust", "plain")).frame
    assert row(foreign, "plain", inf)["attack_label"] == "pgd (ℓ∞, ε = 0.03137) on robust"
    assert (
        isnan(row(foreign, "plain", 4)["published_attacked"]) and row(foreign, "robust", inf)["published_clean"] == 0.79
    )


def test_whether_the_filter_helps_is_said_by_the_interval_of_the_best_of_three(tmp_path, monkeypatch):
    notes = table(tmp_path / "a").notes
    gain = paired_change(0, 200, low.N, 1 - 0.05 / 3)
    (told,) = [n for n in notes if n.startswith("plain: The published trend (a low-pass filter")]
    assert (
        ") holds: under pgd (ℓ∞, ε = 0.03137) 0.0 %" in told
        and "50.0 % (45.1–54.9) at cut-off 4, the best of 3" in told
    )
    assert f"+50.0 (+{100 * gain.low:.1f} to +{100 * gain.high:.1f}) points, 95 % for all 3 together" in told
    (other,) = [n for n in notes if n.startswith("robust: That a filter raises")]
    assert "is not in the paper and cannot be told here" in other and "at cut-off 8" in other
    monkeypatch.setitem(low.RIGHT["plain"], "pgd", {inf: 150, 1.0: 10, 4.0: 20, 8.0: 90, 16.0: 150})
    notes = table(tmp_path / "b").notes
    assert any("The published trend (a low-pass filter" in n and ") does not hold: under" in n for n in notes)


def test_what_is_left_is_said_by_the_interval(tmp_path, monkeypatch):
    def told(folder, cutoff, **options):
        start = f"plain: Cut-off {cutoff}, an attacker who knows the filter (ℓ∞, ε = 0.03137)"
        return next(n for n in table(tmp_path / folder, **options).notes if n.startswith(start))

    lost = told("a", 4)
    assert "on each of 100 images the accuracy is 6.0 % (2.8–12.5), without a filter 5.0 % (2.2–11.2)" in lost
    assert "half is left of the 50.0 points that the filter brings under pgd" in lost and ": does not hold. All" in lost
    assert "does harm" not in lost and "All checks for masked gradients pass." in lost
    monkeypatch.setitem(low.RIGHT["plain"], "worst", {inf: 5, 4.0: 50, 8.0: 27})
    assert ": holds. All" in told("b", 4) and ": cannot be told here. All" in told("b", 8)
    failed = told("c", 4, failed="more steps")
    assert "cannot be told here: checks for masked gradients fail (more steps)" in failed and "holds" not in failed
    monkeypatch.setitem(low.RIGHT["plain"], "worst", {inf: 50, 4.0: 20, 8.0: 20})
    assert ": does not hold, and the filter does harm." in told("d", 4)
    monkeypatch.setitem(low.RIGHT["plain"], "pgd", {inf: 10, 1.0: 0, 4.0: 10, 8.0: 11, 16.0: 10})
    assert "There is no defence to lose: under pgd" in told("e", 4)


def test_the_filter_beside_adversarial_training(tmp_path, monkeypatch):
    start = "plain and robust: The published trend (with a low-pass filter a naturally trained network does better"
    (told,) = [n for n in table(tmp_path / "a").notes if n.startswith(start)]
    assert ") cannot be told here: at cut-off 4 without attack 80.0 %" in told and "beside 47.5 % (42.7–52.4)" in told
    monkeypatch.setitem(low.RIGHT["plain"], "clean", dict.fromkeys((inf, *low.CUTOFFS), 380))
    monkeypatch.setitem(low.RIGHT["plain"], "pgd", {inf: 0, 1.0: 0, 4.0: 300, 8.0: 0, 16.0: 0})
    assert any(n.startswith(start) and ") holds: at cut-off 4" in n for n in table(tmp_path / "b").notes)
    assert not any("adversarially trained one" in n for n in table(tmp_path / "c", trainings=("plain",)).notes)
    # A minimum-norm attack fools every network without a filter.
    unlimited = {"kind": "fmn", "parameters": {"norm": "linf", "steps": 10}}
    assert not any("adversarially trained one" in n for n in table(tmp_path / "d", attack=unlimited).notes)


def test_differences_of_shares_are_newcombe_s():
    """His examples (1998, table II, method 10), and the distances from scipy's Wilson bounds."""
    for first, second, expected in (
        ((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)), ((10, 10), (0, 10), (0.6075, 1.0)),
    ):  # fmt: skip
        assert difference_bounds(first, second) == pytest.approx(expected, abs=6e-5)
    (a, b), (c, d) = (stats.binomtest(*s).proportion_ci(method="wilson") for s in ((37, 90), (50, 80)))
    p, q = 37 / 90, 50 / 80
    expected = p - q - np.hypot(p - a, d - q), p - q + np.hypot(b - p, q - c)
    assert difference_bounds((37, 90), (50, 80)) == pytest.approx(expected)
    assert all(isnan(v) for v in difference_bounds((0, 0), (1, 2)))


def test_latex_has_every_sign(tmp_path):
    write_table(table(tmp_path / "a"), tmp_path / "t.csv", tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert "4 (best)" in text and "ε" not in text


# --- the figure


def drawn(axes):
    """Heights by what the legend calls them: lines, and points with their places and bars."""
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines() if not line.get_label().startswith("_")}
    points = [box.lines[0].get_xydata() for box in axes.containers]
    bars = [np.array(box.lines[2][0].get_segments()) for box in axes.containers]
    return lines, points, bars


def test_every_curve_and_point_is_the_evaluation_s(tmp_path):
    made = figure(tmp_path)
    shown = [axes for axes in made.figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == ["plain", "robust"]
    for axes in shown:
        right = low.RIGHT[axes.get_title()]
        lines, points, bars = drawn(axes)
        for text, data in (("no attack", "clean"), ("pgd (ℓ∞, ε = 0.03137), filter not known", "pgd")):
            assert lines[text][:, 0].tolist() == list(low.CUTOFFS)
            assert lines[text][:, 1] == pytest.approx([100 * right[data][c] / low.N for c in low.CUTOFFS])
        places = {axes.get_xticklabels()[i].get_text(): tick for i, tick in enumerate(axes.get_xticks())}
        assert list(places) == ["1", "4", "8", "16", "no filter"]
        for number, data in enumerate(("clean", "pgd")):
            assert points[number] == pytest.approx(np.array([[places["no filter"], 100 * right[data][inf] / low.N]]))
        worst = right["worst"]
        order = [c for c in (*low.CUTOFFS, inf) if c in worst]
        assert points[2][:, 1] == pytest.approx([100 * worst[c] / low.M for c in order])
        # Joined from cut-off to cut-off, not to the value without a filter.
        joined = next(line.get_xydata() for line in axes.get_lines() if line.get_linestyle() == "--")
        assert joined == pytest.approx(points[2][:-1])
        ends = np.array([[100 * b for b in wilson(worst[c], low.M)] for c in order])
        assert bars[2][:, :, 1] == pytest.approx(ends)
    texts = [text.get_text() for text in made.figure.legends[0].get_texts()]
    assert len(texts) == 3 and texts[2] == "strongest of several attacks (ℓ∞, ε = 0.03137), filter known"


def test_notes_say_counts_and_where_nothing_is_cut(tmp_path):
    notes = figure(tmp_path / "a").notes
    assert "plain: 400 images, a square of frequencies, attacks that know the filter on the first 100." in notes
    assert sum("From cut-off 16 on nothing is cut" in note for note in notes) == 2
    alone = figure(tmp_path / "b", aware=False, trainings=("plain",))
    assert alone.notes[0] == "400 images, a square of frequencies."
    assert len(alone.figure.legends[0].get_texts()) == 2


def test_every_attack_has_a_curve_of_its_own(tmp_path):
    made = figure(tmp_path, small=True)
    texts = [text.get_text() for text in made.figure.legends[0].get_texts()]
    assert texts[:3] == [
        "no attack",
        "small (ℓ∞, ε = 0.01569), filter not known",
        "pgd (ℓ∞, ε = 0.03137), filter not known",
    ]
    for axes in (axes for axes in made.figure.axes if axes.get_visible()):
        lines, _, _ = drawn(axes)
        right = low.RIGHT[axes.get_title()]["small"]
        assert lines[texts[1]][:, 1] == pytest.approx([100 * right[c] / low.N for c in low.CUTOFFS])
        shown = [line.get_color() for line in axes.get_lines() if line.get_label() in texts]
        assert len(set(shown)) == len(shown) == 3
