"""B25-X4: sentences on IdCor by the number of images follow from the rows of its evaluation."""

import pytest

from freqmaps.papers.b25 import X4
from freqmaps.results.reader import Inputs
from tests import synthetic_study
from tests.synthetic_by_size import VALUES, inputs_of


@pytest.fixture
def notes(tmp_path):
    return X4.build(inputs_of(tmp_path)).notes


def test_what_it_approaches(notes):
    assert notes[0] == (
        "IdCor as made is −0.90 ± 0.10 over 5 parts on 200 images and −0.40 (p 0.02) on all 1000: nearer to the "
        "published 0.6 to 0.66, by 0.50."
    )
    assert notes[2].endswith("+0.62 (p 0.02) on all 1000: which lies within the published values.")


def test_what_it_sees(notes):
    assert "That IdCor as made sees the image beside its class cannot be told here" in notes[1]
    half = 1.959964 * (2 * 0.1**2 / 5) ** 0.5
    assert notes[3] == (
        "That IdCor cleaned sees the image beside its class holds: +0.30 for maps of one image and +0.00 for those of "
        f"two images of a class, a difference of +0.30 (+{0.3 - half:.2f} to +{0.3 + half:.2f}), on parts of 200 "
        "images."
    )


def test_what_decides_its_sign(notes):
    assert notes[4] == (
        "The sign of IdCor as made on all images (−0.40) is turned by cleaning (+0.62), estimating by maximum "
        "likelihood, k = 20 (+0.30); not by leaving out the origin (−0.30), keeping only images whose prediction both "
        "maps keep (−0.60)."
    )


def test_one_size_and_no_maps_are_said(tmp_path):
    one = {key: values[:1] for key, values in VALUES.items()}
    said = X4.build(inputs_of(tmp_path / "one", one, {200: 1})).notes
    assert "one size only" in said[0] and "no size has three parts" in said[1]
    said = X4.build(inputs_of(tmp_path / "none", {})).notes
    assert said[0] == "No adversarial maps: there is nothing to compare."


def test_two_settings_are_told_apart(tmp_path):
    first = inputs_of(tmp_path / "a").results
    both = X4.build(Inputs([*first, *inputs_of(tmp_path / "b", evaluation="settled").results]))
    assert {n.split(":")[0] for n in both.notes[:-1]} == {"by-size", "settled"}


def test_the_item_keeps_the_contract(tmp_path):
    (tmp_path / "study").mkdir()
    synthetic_study.check_item("B25-X4", inputs_of(tmp_path / "study"), tmp_path)
