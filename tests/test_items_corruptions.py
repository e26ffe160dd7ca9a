"""Tables 1 and 8 of C22, corruptions against B_low, and networks across the papers, on results that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.proportions import wilson
from freqmaps.papers.c22 import T1, X1, X2, X3
from freqmaps.papers.c22._across import QUANTITIES
from freqmaps.results.reader import Inputs
from freqmaps.spectra.low_bias import log_low_bias, low_quadrant
from tests import synthetic_c22
from tests import synthetic_corruptions as made
from tests import synthetic_study as study


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(made.make(tmp_path_factory.mktemp("corruptions")))


@pytest.fixture(scope="module")
def across(tmp_path_factory):
    folder = tmp_path_factory.mktemp("across")
    return Inputs([*synthetic_c22.make(folder / "jacobians"), *made.make(folder / "corruptions")])


def share(training, name, seed=0):
    return np.mean([made.right(training, seed)[name, level].mean() for level in made.SEVERITIES])


@pytest.mark.parametrize("item", ["C22-T1", "C22-X1"])
def test_the_items_keep_the_contract(item, inputs, tmp_path):
    study.check_item(item, inputs, tmp_path)


def test_table_8_keeps_the_contract(tmp_path):
    study.check_item("C22-T8", Inputs(made.make(tmp_path / "study", dataset="cifar100")), tmp_path)


@pytest.mark.parametrize("item", ["C22-X2", "C22-X3"])
def test_the_items_across_the_papers_keep_the_contract(item, across, tmp_path):
    study.check_item(item, across, tmp_path)


def test_table_1_has_mean_accuracies_in_the_order_of_the_corruptions_own_bias(inputs):
    frame = T1.build(inputs).frame.set_index("corruption")
    assert frame.index.tolist() == ["clean", "mce", *made.ORDER]
    for training in made.TRAININGS:
        for name in made.ORDER:
            assert frame.loc[name, training] == pytest.approx(share(training, name))
    hits = int(made.right("plain", 0)["none", 0].sum())
    low, high = wilson(hits, made.N)
    assert tuple(frame.loc["clean", ["plain", "plain_low", "plain_high"]]) == (hits / made.N, low, high)


def test_the_mce_is_the_mean_ratio_of_errors_to_those_of_standard_training(inputs):
    frame = T1.build(inputs).frame.set_index("corruption")
    for training in made.TRAININGS:
        ratios = [(1 - share(training, name)) / (1 - share("plain", name)) for name in made.ORDER]
        assert frame.loc["mce", training] == pytest.approx(np.mean(ratios))


def test_the_bias_of_a_corruption_is_the_mean_over_severities(inputs):
    frame = T1.build(inputs).frame.set_index("corruption")
    half = made.SIZE // 2
    for name in made.ORDER:
        values = []
        for level in made.SEVERITIES:
            plane = made.plane(name, level)
            # Frequencies 0 to 4 of an 8-pixel axis: the Nyquist frequency lies at the other end of the plane.
            places = [*range(half, made.SIZE), 0]
            values.append(float(log_low_bias(plane[np.ix_(places, places)])))
        assert frame.loc[name, "low_bias"] == pytest.approx(np.mean(values))
    assert low_quadrant(np.ones((8, 8))).shape[-1] == half + 1


def test_a_corruption_without_effect_has_no_bias_and_counts_nowhere(tmp_path):
    """Saturation does nothing to grey images: log B_low of nothing is no small number."""
    inputs = Inputs(made.make(tmp_path / "study", without_effect="gaussian_noise"))
    table = T1.build(inputs)
    frame = table.frame.set_index("corruption")
    assert frame.index.tolist() == ["clean", "mce", *made.ORDER]
    assert np.isnan(frame.loc["gaussian_noise", "low_bias"])
    rest = [name for name in made.ORDER if name != "gaussian_noise"]
    ratios = [(1 - share("smooth", name)) / (1 - share("plain", name)) for name in rest]
    assert frame.loc["mce", "smooth"] == pytest.approx(np.mean(ratios))
    assert any("changed at any severity by gaussian noise" in note for note in table.notes)
    assert any("it is better under 3 of 5" in note for note in table.notes)
    gains = [share("smooth", name) - share("plain", name) for name in rest]
    expected = f"{stats.spearmanr(frame.loc[rest, 'low_bias'], gains).statistic:.2f}".replace("-", "−")
    assert any(f"rank correlation {expected} (" in note for note in X1.build(inputs).notes)
    study.check_item("C22-X1", inputs, tmp_path)


def test_the_mce_can_be_relative_to_another_training(inputs):
    table = T1.build(inputs, reference="pgd-at")
    frame = table.frame.set_index("corruption")
    assert frame.loc["mce", "pgd-at"] == pytest.approx(1)
    ratios = [(1 - share("plain", name)) / (1 - share("pgd-at", name)) for name in made.ORDER]
    assert frame.loc["mce", "plain"] == pytest.approx(np.mean(ratios))
    assert any("relative to training 'pgd-at'" in note for note in table.notes)
    with pytest.raises(FreqmapsError, match="relative to training 'pgd', of which no network"):
        T1.build(inputs, reference="pgd")


def test_table_1_says_what_the_paper_reports(inputs):
    claims = [note for note in T1.build(inputs).notes if hasattr(note, "reported")]
    assert {claim.section for claim in claims} == {"4.1, table 1"}
    assert all(claim.reported for claim in claims)


def test_table_1_says_which_trends_hold(inputs):
    notes = T1.build(inputs).notes
    for words in ("JaFR lowers the mCE", "JaFR makes FGSM AT better", "JaFR(-) makes FGSM AT worse", "PGD AT under 18"):
        (told,) = [note for note in notes if words in note]
        assert ") holds: " in told


def test_several_seeds_are_one_column_with_their_standard_deviation(tmp_path):
    frame = T1.build(Inputs(made.make(tmp_path, seeds=3))).frame.set_index("corruption")
    values = [share("smooth", "fog", seed) for seed in range(3)]
    assert frame.loc["fog", "smooth"] == pytest.approx(np.mean(values))
    assert frame.loc["fog", "smooth_sd"] == pytest.approx(np.std(values, ddof=1))


def test_the_rank_correlation_is_scipys(inputs):
    order = T1.build(inputs).frame.set_index("corruption")["low_bias"][list(made.ORDER)]
    gains = [share("quick-smooth", name) - share("quick", name) for name in made.ORDER]
    expected = f"{stats.spearmanr(order, gains).statistic:.2f}".replace("-", "−")
    assert any(f"rank correlation {expected} (" in note for note in X1.build(inputs).notes)


def test_networks_across_the_papers_have_what_the_study_has(across):
    table = X2.build(across)
    frame = table.frame.set_index("training")
    assert {"log_low_bias", "mce"} <= set(frame)
    assert frame.loc["jafr", "log_low_bias"] > frame.loc["plain", "log_low_bias"]
    assert any("JaFR beside Standard: yes" in note for note in table.notes)
    assert any("The study does not have: low share of essential maps" in note for note in table.notes)
    assert any("rises with log B_low over 8 networks" in note for note in X3.build(across).notes)


READINGS = ("idcor", "idcor_cleaned", "idcor_released")


def _with_maps(across, root):
    """Maps and correlations of the network ``plain``, and the same of ``jafr`` with larger correlations."""
    results = list(across.results)
    for result in study.make(root / "study"):
        if result.stage not in ("maps", "correlation") or result.names.get("attack", "strong") != "strong":
            continue
        other = result.folder
        if result.stage == "correlation":
            other = root / result.names["metric"]
            other.mkdir()
            frame = pd.read_csv(result.folder / "correlation.csv")
            frame.assign(value=frame["value"] + 0.2).to_csv(other / "correlation.csv", index=False)
        names = result.names | {"training": "jafr"}
        manifest = result.manifest | {"spec": result.manifest["spec"] | {"names": names}}
        results += [result, replace(result, names=names, folder=other, manifest=manifest)]
    return Inputs(results)


def test_idcor_across_the_papers_is_shown_in_three_readings(across, tmp_path):
    inputs = _with_maps(across, tmp_path)
    assert set(READINGS) < set(X2.METRICS) == set(X3.METRICS)
    table = X2.build(inputs)
    frame = table.frame.set_index("training")
    for name in READINGS:
        assert frame.loc[["plain", "jafr"], name].tolist() == pytest.approx(
            [study.value(name, 1) + d for d in (0, 0.2)]
        )
    group = [column.label for column in table.shown() if column.group == "IdCor"]
    assert group == ["as made", "cleaned", "released constant"]
    answers = next(note for note in table.notes if note.startswith("A network that is pushed"))
    for question in ("Is their IdCor as made?", "Is it of cleaned maps?", "Is it with the released constant?"):
        assert f"{question} JaFR beside Standard: yes, it is larger (+0.20, " in answers
    drawn = X3.build(inputs)
    titles = [axes.get_title().replace("\n", " ") for axes in drawn.figure.axes]
    assert [title for title in titles if title.startswith("IdCor")] == [QUANTITIES[name].label for name in READINGS]


def test_networks_across_the_papers_need_jacobians(inputs):
    with pytest.raises(FreqmapsError, match="no evaluation of kind jacobian_spectra"):
        X2.build(inputs)
