"""Claims of C22 on corruptions: which of its two tables makes them, and what they were measured on."""

import pytest

from freqmaps.inference.verdicts import Claim
from freqmaps.papers.c22 import T1, T8, X1
from freqmaps.results.reader import Inputs
from tests import synthetic_corruptions as made


def claims(item, inputs):
    return [note for note in item.build(inputs).notes if isinstance(note, Claim)]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return Inputs(made.make(tmp_path_factory.mktemp("digits")))


def test_networks_that_both_tables_show_are_judged_by_one(digits):
    assert len(claims(T1, digits)) >= 4 and claims(T8, digits) == []
    table = T8.build(digits)
    assert any("The claims on these networks are in C22-T1" in note for note in table.notes)
    assert table.finding.startswith("JaFR has the lowest mCE of 7 trainings (") and not T1.build(digits).finding


@pytest.mark.parametrize(("dataset", "judge", "other"), [("cifar100", T8, T1), ("cifar10", T1, T8)])
def test_each_table_judges_its_own_data(tmp_path, dataset, judge, other):
    inputs = Inputs(made.make(tmp_path, dataset=dataset))
    assert claims(judge, inputs) and claims(other, inputs) == []


def test_other_data_are_judged_by_the_table_that_shows_them(tmp_path, digits):
    both = Inputs([*made.make(tmp_path, dataset="cifar10", name="photos"), *digits.results])
    shown = {note.place for note in claims(T8, both)}  # table 1 shows CIFAR-10 alone
    assert len(shown) == 1 and "photos" not in shown.pop()
    assert all("photos" in note for note in T8.build(both).notes if "claims on these networks are in C22-T1" in note)


def test_claims_say_their_images_and_corruptions(digits):
    by_text = {note.claim: note for note in claims(T1, digits)}
    lowers = by_text["JaFR lowers the mCE of standard training"]
    assert lowers.n == made.N
    assert all(note.n in (made.N, len(made.ORDER)) and note.low == note.low for note in by_text.values())
    assert {note.n for note in claims(X1, digits)} == {len(made.ORDER)}
