"""Items of F21 on spectra of perturbations: every number on results that are known, and what each says in words."""

from __future__ import annotations

import numpy as np
import pytest

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.f21 import F1, F2, F3, F4, F5, F7, F8, F10, F11, F12, F13, X1
from freqmaps.papers.f21._examples import stretched
from freqmaps.papers.f21._expectation import ring_means
from freqmaps.papers.f21._spectra import cases, logarithm
from freqmaps.results.reader import Inputs
from freqmaps.spectra.perturbations import lfc_ratio
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
    figure = F13.build(Inputs(synthetic_spectra.make(tmp_path, snapshots=False, flipped=flipped)))
    (told,) = notes(figure, "images have the largest share")
    # In the maximum norm a perturbation is the sign of its network's wave.
    trained, natural = (np.sign(Wave(*f).wave.numpy())[None] for f in ((3, 1) if flipped else (1, 0), (2, 2)))
    change = f"{lfc_ratio(trained, 2) - lfc_ratio(natural, 2):.3f}".replace("-", "−")
    assert "does not hold" in told and f"these the natural network's by {change} (" in told
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
    with pytest.raises(FreqmapsError, match="there are no maps of snapshots"):
        X1.build(Inputs([r for r in inputs.results if r.stage != "maps"]))
    others = [r for r in inputs.results if r.names.get("evaluation") != "along"]
    with pytest.raises(FreqmapsError, match="in a run with snapshots"):
        X1.build(Inputs(others))


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
