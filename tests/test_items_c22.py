"""Items of C22 on Jacobians: every number on results that are known, what each says in words, and the paper's names."""

import numpy as np
import pytest

from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.c22 import F1, F2, T2, T2F
from freqmaps.papers.c22._drawing import ring_means
from freqmaps.papers.c22._networks import ORDER, cases, named
from freqmaps.publish.nothing import NothingToShow
from freqmaps.publish.published import AS_PUBLISHED, published
from freqmaps.results.reader import Inputs
from freqmaps.spectra.low_bias import first_quadrant, low_quadrant
from freqmaps.spectra.transforms import spectrum
from tests import synthetic_c22
from tests import synthetic_study as study


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(synthetic_c22.make(tmp_path_factory.mktemp("c22")))


@pytest.mark.parametrize("item", synthetic_c22.ITEMS)
def test_every_item_keeps_the_contract(item, inputs, tmp_path):
    study.check_item(item, inputs, tmp_path)


def test_networks_are_called_as_in_the_paper_and_stand_in_its_order(inputs):
    found = cases(inputs)
    assert [case.paper for case in found] == [*ORDER, ""]
    assert found[-1].names["training"] == "turned"
    assert (
        named(("adversarial", {"steps": 1}), []) == "FGSM AT" and named(("adversarial", {"steps": 7}), []) == "PGD AT"
    )
    assert named(("standard", {}), [("gradient_norm", {})]) not in ORDER


def test_table_2_equals_the_evaluations(inputs):
    frame = T2.build(inputs).frame.set_index("training")
    for case in cases(inputs):
        row = frame.loc[case.names["training"]]
        for averaged, column in (
            ("gradients", "log_low_bias"),
            ("magnitudes", "of_mean_spectrum"),
            ("none", "per_image"),
        ):
            wanted = f"spectra_of == 'jacobians' and averaged == '{averaged}' and measure == 'log_low_bias'"
            (value,) = case.rows.query(wanted)["value"]
            assert row[column] == value
        assert np.isnan(row["log_low_bias_sd"]) and row["n"] == synthetic_c22.N
        assert "of" not in case.rows
    assert frame.loc["fast", ["robust_last", "robust_best", "overfitted_epoch"]].tolist() == [0.0, 0.5, 3]
    assert frame.loc["fast-jafr", ["robust_last", "robust_best"]].tolist() == [0.6, 0.6]
    assert frame.loc[["fast-jafr", "plain"], "overfitted_epoch"].isna().all()


def test_table_2_has_the_papers_values_and_says_what_differs(inputs, tmp_path, monkeypatch):
    frame = T2.build(inputs).frame.set_index("training")
    assert frame.loc["plain", "published_log_low_bias"] == 1.56 and frame.loc["align", "published_log_low_bias"] == 7.88
    assert frame.loc["turned", "scope"] == "no published value for this row"
    for part in ("digits (published: CIFAR-10)", "24 images (published: 10000)", "weight 0.01 (published: 0.001)"):
        assert part in frame.loc["jafr", "scope"]
    monkeypatch.setitem(published("C22-T2"), "samples", synthetic_c22.N)
    exact = T2.build(Inputs(synthetic_c22.make(tmp_path, published=True))).frame.set_index("training")
    assert (exact.loc[["plain", "fast", "fast-jafr", "fast-minus", "align", "pgd"], "scope"] == AS_PUBLISHED).all()
    assert exact.loc["jafr", "scope"] == "differs: regulariser's weight 0.01 (published: 0.001)"
    ours = exact.loc["pgd", "log_low_bias"]
    assert exact.loc["pgd", "within_tolerance"] == ("yes" if abs(ours - 7.49) <= 1.6 else "no: log_low_bias")


def test_table_2_says_whether_each_claim_holds(inputs):
    notes = T2.build(inputs).notes
    (jafr,) = [n for n in notes if "(JaFR has a larger low-frequency bias than Standard)" in n]
    assert "holds" in jafr and "one network each" in jafr
    (minus,) = [n for n in notes if "(FGSM AT has a larger low-frequency bias than FGSM AT + JaFR(-))" in n]
    assert "holds" in minus
    assert any("FGSM AT overfitted catastrophically, first in epoch 3" in n for n in notes)
    alone = Inputs([r for r in inputs.results if r.names.get("training") in (None, "jafr")])
    assert any("no two networks" in n for n in T2.build(alone).notes)


def test_seeds_share_a_row_with_their_spread(tmp_path):
    made = Inputs(synthetic_c22.make(tmp_path, seeds=("0", "1", "2")))
    table = T2.build(made)
    row = table.frame.set_index("training").loc["plain"]
    values = [case.row("gradients")["value"] for case in cases(made) if case.names["training"] == "plain"]
    assert row["networks"] == 3 and row["seed"] == "0, 1, 2"
    assert row["log_low_bias"] == pytest.approx(np.mean(values))
    assert row["log_low_bias_sd"] == pytest.approx(np.std(values, ddof=1))
    assert any("Welch's interval" in note for note in table.notes)


def test_figure_1_compares_images_and_jacobians(inputs):
    (note,) = F1.build(inputs).notes
    assert note.startswith("toy, Standard: The published trend (images have lower frequencies") and "holds" in note
    with pytest.raises(NothingToShow, match="trained in the standard way"):
        F1.build(Inputs([r for r in inputs.results if r.names.get("training") != "plain"]))


def test_figure_2_takes_the_first_network_with_jafr(inputs, tmp_path):
    assert "('jafr', seed 0)" in F2.build(inputs).notes[0]
    assert "('pgd', seed 0)" in F2.build(inputs, training="pgd").notes[0]
    without = Inputs(synthetic_c22.make(tmp_path, examples=0, only="plain"))
    for item in (F2, T2F):
        with pytest.raises(NothingToShow, match="'examples'"):
            item.build(without)
    with pytest.raises(FreqmapsError, match="no evaluation of kind jacobian_spectra"):
        F2.build(Inputs([]))


@pytest.mark.parametrize("size", [8, 7])
def test_the_drawn_quadrant_is_the_measured_one(size):
    x = np.random.default_rng(0).normal(size=(2, size, size))
    assert np.allclose(first_quadrant(spectrum(x)), low_quadrant(x))


def test_ring_means_are_those_of_a_slow_loop():
    plane = np.random.default_rng(0).uniform(size=(6, 7))
    radius, means = ring_means(plane)
    for r, mean in zip(radius, means, strict=True):
        values = [plane[i, j] for i in range(6) for j in range(7) if round(np.hypot(i - 3, j - 3)) == r]
        assert mean == pytest.approx(np.mean(values))
