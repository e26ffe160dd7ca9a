"""B25-T4: every number of the table, what stands beside it, and what is said of the defence."""

from __future__ import annotations

import numpy as np
import pytest

from freqmaps.core.components import load
from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.proportions import wilson
from freqmaps.publish import Inputs, write_table
from freqmaps.publish.published import published
from tests import synthetic_defence as defence
from tests import synthetic_study as study


def table(folder, **options):
    return load("item", "B25-T4")(Inputs(defence.make(folder, **options)))


def row(frame, data, attacker="unaware"):
    chosen = frame[(frame["data"] == data) & frame["attacker"].str.startswith(attacker)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_it_keeps_the_contract_of_items(tmp_path):
    study.check_item("B25-T4", Inputs(defence.make(tmp_path / "study")), tmp_path)


def test_every_number_is_the_evaluations(tmp_path):
    frame = table(tmp_path).frame
    for data, by in defence.RIGHT.items():
        found = row(frame, data)
        assert found["n"] == defence.N
        for maps, right in by.items():
            low, high = wilson(right, defence.N)
            assert found[maps] == right / defence.N
            assert (found[f"{maps}_low"], found[f"{maps}_high"]) == pytest.approx((low, high))
            assert found[f"{maps}_shown"] == f"{right / 4:.1f} ({100 * low:.1f}–{100 * high:.1f})"
    knows = "aware, ℓ∞ ε = 0.03137"
    for maps, worst in defence.WORST.items():
        assert row(frame, "worst on each image", knows)[maps] == worst / defence.M
        assert row(frame, "PGD, chosen map", knows)[maps] == (worst + 2) / defence.M
        through = row(frame, "PGD, choice", knows)[maps]
        assert np.isnan(through) if maps == "none" else through == (worst + 1) / defence.M
    assert row(frame, "more steps", "check")["hard_shown"] == "passed: 5.0, limit 11.0"
    assert row(frame, "more steps", "check")["hard"] == 0.05
    assert list(frame["data"])[-3:] == ["worst on each image", "more steps", "unbounded reaches 0"]


def test_published_values_stand_beside_the_same_attacks(tmp_path):
    theirs = {r["data"]: r["values"] for r in published("B25-T4")["rows"]}
    made = table(tmp_path / "other")
    pairs = {"none": "none", "soft": "fmn", "hard": "pgd"}
    for data, key in {"clean": "clean", "soft": "fmn", "hard": "pgd"}.items():
        found = row(made.frame, data)
        for maps, column in pairs.items():
            assert found[f"published_{maps}"] == theirs[key][column]
        assert np.isnan(found["published_essential"]) and found["within_tolerance"] == ""
        assert "dataset digits (published: CIFAR-10)" in found["scope"]
    assert "published_essential" not in [c.name for c in made.shown()]
    only_n = row(table(tmp_path / "published", published=True).frame, "clean")["scope"]
    assert only_n == "differs: 400 test images (published: 10000)"


def test_within_tolerance_is_said_where_all_else_is_equal(tmp_path, monkeypatch):
    monkeypatch.setitem(published("B25-T4"), "samples", defence.N)
    frame = table(tmp_path, published=True).frame
    assert row(frame, "clean")["scope"] == "as published"
    assert row(frame, "clean")["within_tolerance"] == "yes"  # .95, .85, .75 beside .92, .83, .74
    assert row(frame, "hard")["within_tolerance"] == "no: fmn"  # .00, .20, .525 beside .00, .43, .54


def test_what_is_left_is_said_by_the_interval(tmp_path, monkeypatch):
    notes = table(tmp_path / "a").notes
    gain, harm = (next(n for n in notes if n.startswith(f"Maps of {m}, ℓ∞")) for m in ("soft", "hard"))
    assert "60.0 % (50.2–69.1) are right" in gain and "What is left of the defence is +40.0 (" in gain
    assert "bare network, 20.0 % (13.3–28.9)" in gain
    assert "Nothing is left of the defence, and the maps do harm: −15.0 (−" in harm
    monkeypatch.setitem(defence.WORST, "hard", 21)
    same = next(n for n in table(tmp_path / "b").notes if n.startswith("Maps of hard, ℓ∞"))
    assert "Nothing is left of the defence that 100 images could show: +1.0 (" in same


def test_a_failed_check_is_said(tmp_path):
    made = table(tmp_path, failed="more steps")
    assert row(made.frame, "more steps", "check")["soft_shown"].startswith("failed")
    assert any(
        "checks for masked gradients are failed in more steps: the attacks are too weak" in n for n in made.notes
    )


def test_what_maps_change_where_nobody_knows_them(tmp_path, monkeypatch):
    notes = table(tmp_path / "a").notes
    assert "Maps were made from images 0 to 899 of 'train', and are tested on images 0 to 399 of 'test'." in notes
    hard = next(n for n in notes if n.startswith("Maps of hard, against no maps"))
    assert "clean images −20.0 (−" in hard and "hard +52.5 (" in hard and "soft +70.0 (" in hard
    # soft's maps bring 80 of 210 images under hard, hard's 280 of 310 under soft.
    assert any("does not hold: they bring at least half of what" in n and "in 1 of 2 cases" in n for n in notes)
    monkeypatch.setitem(defence.RIGHT["hard"], "soft", 120)
    assert any("holds: they bring" in n and "in 2 of 2 cases" in n for n in table(tmp_path / "b").notes)


def test_without_an_adaptive_attacker_the_table_says_so(tmp_path):
    made = table(tmp_path, adaptive=False)
    assert set(made.frame["attacker"]) == {"unaware"}
    assert any("No attacker knew the maps" in note for note in made.notes)
    results = [r for r in defence.make(tmp_path / "b") if r.names.get("evaluation") != "two_pass"]
    with pytest.raises(FreqmapsError, match="needs an evaluation of kind two_pass"):
        load("item", "B25-T4")(Inputs(results))


def test_several_networks_are_told_apart_and_latex_has_every_sign(tmp_path):
    made = table(tmp_path, seeds=2)
    assert next(c.name for c in made.shown()) == "seed" and len(made.frame) == 2 * 11
    assert sum(note.startswith("1: Maps of hard, ℓ∞") for note in made.notes) == 2
    write_table(made, tmp_path / "B25-T4.csv", tmp_path / "B25-T4.tex")
    text = (tmp_path / "B25-T4.tex").read_text(encoding="utf-8")
    assert r"$\ell$$\infty$ $\varepsilon$" in text and "ε" not in text
