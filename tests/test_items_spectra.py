"""Items of F21 on spectra of perturbations: every number on results that are known, and what each says in words."""

from __future__ import annotations

import numpy as np
import pytest

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.proportions import wilson
from freqmaps.inference.verdicts import Claim
from freqmaps.papers.f21 import F1, F2, F3, F4, F5, F7, F8, F9, F10, F11, F12, F13, X1
from freqmaps.papers.f21._examples import _both, _Shown, stretched
from freqmaps.papers.f21._expectation import ring_means
from freqmaps.papers.f21._spectra import cases, condition, logarithm
from freqmaps.papers.f21.X1 import _Set, _together
from freqmaps.results.reader import Inputs
from freqmaps.spectra.perturbations import lfc_ratio, log_difference_parts
from tests import synthetic_spectra
from tests import synthetic_study as study
from tests.test_evaluation_spectra import Wave


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(synthetic_spectra.make(tmp_path_factory.mktemp("spectra")))


@pytest.mark.parametrize("item", synthetic_spectra.ITEMS)
def test_every_item_keeps_the_contract(item, inputs, tmp_path):
    study.check_item(item, inputs, tmp_path)


def notes(figure, *words):
    return [note for note in figure.notes if all(word in note for word in words)]


def test_cases_are_told_apart_by_network_loss_and_snapshots(inputs):
    assert [c.names["training"] for c in cases(inputs, "deep")] == ["standard", "adversarial"]
    assert [c.names["training"] for c in cases(inputs, "mse")] == ["mse"]
    assert [c.names["model"] for c in cases(inputs, "two-layer", along=True)] == ["two"]
    (along,) = cases(inputs, "deep", along=True)
    assert along.rows["step"].drop_duplicates().tolist() == [0, 4, 9]
    with pytest.raises(
        FreqmapsError, match="of a network attacked with the mean squared error in a run with snapshots"
    ):
        cases(inputs, "mse", along=True)


def test_figure_2_says_that_the_share_rises(inputs):
    figure = F2.build(inputs)
    (rise,) = notes(figure, "FGM in ℓ2", "rises along training")
    assert "holds" in rise and "0.000 (0.000 to 0.000) at step 0, 1.000 (1.000 to 1.000) at step 9" in rise
    assert notes(figure, "Not in the paper", "FGSM in ℓ∞")
    assert notes(figure, "differ by at most 0.25")  # weights of the last snapshot and of the finished network
    assert notes(F11.build(inputs), "sgd: The published trend")
    alone = Inputs([r for r in inputs.results if r.stage != "training"])
    assert not notes(F2.build(alone), "differ by at most")


def test_condition_2_is_said_of_the_images(inputs):
    start = (
        "The theory's condition 2 on the cut-off, that images have more than half of their energy at low frequencies"
    )
    (final,) = notes(F13.build(inputs), start)
    row = cases(inputs, "deep")[0].values("lfc_ratio").iloc[0]
    assert row["low"] > 0.5
    assert final == f"{start}, holds: their mean share is {row.value:.3f} ({row.low:.3f} to {row.high:.3f})."
    (along,) = notes(F2.build(inputs), start)
    (case,) = cases(inputs, "deep", along=True)
    rows = case.values("lfc_ratio").sort_values("value")
    assert along.startswith("standard: ") and ", holds: " in along
    assert f"at step {rows['step'].iloc[0]}, the smallest of 3 snapshots." in along
    assert notes(F11.build(inputs), start)
    case.rows.loc[case.rows.index == rows.index[-1], ["value", "low", "high"]] = (0.4, 0.3, 0.49)
    assert "does not hold: their mean share is 0.400 (0.300 to 0.490) at step" in condition(case)
    case.rows.loc[case.rows.index == rows.index[-1], "high"] = 0.6
    assert "cannot be told here" in condition(case)


def claim(figure, words):
    (told,) = [note for note in figure.notes if isinstance(note, Claim) and words in note.claim]
    return told


def test_figures_3_and_7_count_the_perturbations_of_low_frequency(inputs):
    # The natural network is attacked at (2, 2), within the square up to 2; that of the squared error at (1, 1).
    for item, section in ((F3, "4.1, figure 3"), (F7, "appendix C.1, figure 7")):
        told = claim(item.build(inputs, images=10), "in most of the images shown the spectrum of the perturbation")
        assert told.verdict == "holds" and (told.section, told.n) == (section, 10)
        assert (told.low, told.high) == pytest.approx(wilson(10, 10))
        assert "in 10 of the 10 images shown (95 %: 72 to 100 %) the share of low frequencies, 1.000" in told
        assert told.endswith("that of a flat spectrum, 0.391.")
    few = claim(F3.build(inputs, images=3), "in most of the images shown")
    assert few.verdict == "cannot be told here" and "in 3 of the 3 images" in few
    elsewhere = F3.build(inputs, norm="linf")
    assert notes(elsewhere, "Not in the paper: PGD in ℓ∞") and not any(isinstance(n, Claim) for n in elsewhere.notes)


def test_figures_1_5_and_9_say_the_numbers_of_the_images_shown(inputs):
    arrays = cases(inputs, "deep")[0].arrays
    image = arrays["example_image"].values[2]
    delta = arrays["example_perturbation"].sel(attack="pgd", norm="l2").values[2]
    low, high = (float(v[0]) for v in log_difference_parts(image[None], image[None] + delta[None].astype(float), 2.0))
    figure = F1.build(inputs, example=2)
    share = claim(figure, "in the image shown the spectrum of the perturbation")
    assert (share.verdict, share.section, share.n) == ("holds", "3, figure 1", 1)
    assert share.low == share.high == pytest.approx(lfc_ratio(delta, 2.0) - 25 / 64)
    rise = claim(figure, "in the image shown the difference of log-spectra")
    assert rise.low == rise.high == pytest.approx(high - low, rel=1e-6)
    assert rise.verdict == "does not hold" and f"by {high:.2g} dB at high and {low:.2g} dB at low" in rise
    assert claim(F5.build(inputs), "in the image shown the difference").section == "4.2, figure 5"
    several = claim(F9.build(inputs), "in most of the images shown the difference of log-spectra")
    assert "in 0 of the 4 images shown (95 %: 0 to 49 %)" in several and several.verdict == "does not hold"


def test_images_that_show_nothing_decide_nothing(inputs):
    case = cases(inputs, "deep")[0]
    images, nothing = np.full((3, 1, 8, 8), 0.5), np.zeros((3, 1, 8, 8))
    for told in _both(_Shown(case, images, nothing, "pgd", "l2", "4.1")):
        assert told.verdict == "cannot be told here" and "are 0 throughout" in told and told.n == 0
    with_one = nothing.copy()
    with_one[1, 0, ::2] = 0.1
    for told in _both(_Shown(case, images, with_one, "pgd", "l2", "4.1")):
        assert "in the one image shown" in told and told.n == 1
    case.rows["area"], case.rows["cutoff"] = 1.0, 4.0
    for told in _both(_Shown(case, images, nothing + with_one[1], "pgd", "l2", "4.1")):
        assert told.verdict == "cannot be told here" and "the cut-off keeps every frequency" in told


def test_figure_4_says_where_spectra_are_concentrated(inputs):
    figure = F4.build(inputs)
    (low,) = notes(figure, "standard: The published trend (the spectrum of perturbations", "FGM in ℓ2")
    assert "holds" in low and "1.000 (1.000 to 1.000) of the energy in the 39 % of lowest frequencies" in low
    # Only low frequencies are perturbed, so only their logarithms change.
    (high,) = notes(figure, "standard: The published trend (the difference of log-spectra", "FGM in ℓ2")
    assert "does not hold" in high
    assert notes(F12.build(inputs), "sgd: ") and not notes(F8.build(inputs), "log-spectra is concentrated")
    assert notes(F10.build(inputs), "mse: The published trend (the difference") and not notes(
        F10.build(inputs), "energy"
    )


@pytest.mark.parametrize("flipped", [False, True])
def test_figure_13_compares_images_and_two_trainings(flipped, tmp_path):
    inputs = Inputs(synthetic_spectra.make(tmp_path, snapshots=False, flipped=flipped))
    figure = F13.build(inputs)
    (told,) = notes(figure, "images have the largest share")
    # In the maximum norm a perturbation is the sign of its network's wave.
    trained, natural = (np.sign(Wave(*f).wave.numpy())[None] for f in ((3, 1) if flipped else (1, 0), (2, 2)))
    change = f"{lfc_ratio(trained, 2) - lfc_ratio(natural, 2):.3f}".replace("-", "−")
    assert "does not hold" in told and f"these the natural network's by {change} (" in told
    both = cases(inputs, "deep")
    rows = [both[0].values("log_low_bias"), *(case.values("log_low_bias", "pgd", "linf") for case in both)]
    biases = [float(row["value"].iloc[0]) for row in rows]
    (bias,) = notes(figure, "log B_low (C22")
    assert all(f"{value:.2f} (".replace("-", "−") in bias for value in biases) and len(figure.figure.axes) == 2
    alone = F13.build(Inputs(synthetic_spectra.make(tmp_path / "alone", snapshots=False, adversarial=False)))
    assert notes(alone, "needs a naturally and an adversarially trained network")


def test_examples_that_were_not_kept_are_named(inputs):
    for item, count in ((F3, {"images": 13}), (F5, {"images": 13}), (F1, {"example": 12}), (F7, {"images": 13})):
        with pytest.raises(FreqmapsError, match="keeps 12 images and 13 are to be drawn"):
            item.build(inputs, **count)


def test_maps_along_training_are_counted_and_compared(inputs):
    figure = X1.build(inputs)
    assert notes(figure, "essential", "3 at step 0, 14 at step 4, 14 at step 9")
    (told,) = notes(figure, "From the first snapshot to the last", "FGM in ℓ2")
    assert "perturbations of FGM in ℓ2, ε = 0.5 rises (+1.000" in told
    assert "essential, of the same 13 images from step 4 on, does not clearly move" in told
    flat = [inputs.maps(images="essential", step=str(s))["map"].values.reshape(14, -1).astype(float) for s in (4, 9)]
    # The last image's map is 0 throughout, and has no direction.
    before, last = (rows[:13] / np.linalg.norm(rows[:13], axis=1, keepdims=True) for rows in flat)
    own, other = (before * last).sum(axis=1).mean(), (before[:12] * last[1:]).sum(axis=1).mean()
    assert f"the cosine of maps to those of step 9 is {own:.2f} (" in told
    assert f"at step 4 (13 images; to another image's {other:.2f} (" in told
    with pytest.raises(FreqmapsError, match="there are no maps of snapshots"):
        X1.build(Inputs([r for r in inputs.results if r.stage != "maps"]))
    others = [r for r in inputs.results if r.names.get("evaluation") != "along"]
    with pytest.raises(FreqmapsError, match="in a run with snapshots"):
        X1.build(Inputs(others))


def test_the_cosine_to_the_final_map_is_said_of_two_steps(inputs):
    """Maps that are orthogonal to the last ones, then these themselves: of own images 0 and 1, of others 0."""
    (case,) = cases(inputs, "deep", along=True)
    ids, eye = [f"s{i}" for i in range(12)], np.eye(12, 24)
    half = np.linspace(0.4, 0.6, 12)
    few = _Set(0, ids[:9], half[:9], eye[:9])
    before = [few, _Set(3, ids, half, np.roll(eye, 12, axis=1)), _Set(5, ids, half, eye), _Set(8, ids, half[::-1], eye)]
    told = _together({"essential": before}, case, "fgm", "l2")
    assert "of the same 12 images from step 3 on, does not clearly move" in told
    assert told.endswith(
        "and the cosine of maps to those of step 8 is 0.00 (0.00 to 0.00) at step 3 (12 images; to another image's "
        "0.00 (0.00 to 0.00)) and 1.00 (1.00 to 1.00) at step 5 (12 images; to another image's 0.00 (0.00 to 0.00))."
    )
    assert "are too few before the last step to compare" in _together(
        {"essential": [few, before[3]]}, case, "fgm", "l2"
    )


def test_pieces():
    assert np.allclose(stretched(np.array([-2.0, 0, 1])), [0, 0.5, 0.75]) and (stretched(np.zeros(3)) == 0.5).all()
    assert logarithm(np.array([1.0, 10, 0])).tolist() == [-1, 0, -4]
    radius, means = ring_means(np.ones((8, 8)))
    assert np.allclose(means, 1) and (np.diff(radius) > 0).all()
    plane = np.zeros((9, 9))
    plane[4, 4] = 9
    assert ring_means(plane)[1][0] > 0 and (ring_means(plane)[1][1:] == 0).all()


def test_items_say_that_they_read_snapshots():
    for item in synthetic_spectra.ITEMS:
        constants = components.find("item", item).constants
        assert constants.get("SNAPSHOTS", False) == (item in ("F21-F2", "F21-F11", "F21-X1"))
