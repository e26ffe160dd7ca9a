"""Estimates, paired differences and decompositions, against SciPy and slow loops."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.decomposition import decompose
from freqmaps.inference.estimates import Estimate, paired_difference

RNG = np.random.default_rng(11)
TERMS = {"own": ("a", "b"), "shared": ("b", None), "absent": ("a", "z")}


def test_a_paired_difference_has_the_normal_interval_of_its_mean():
    one, other = RNG.normal(1, 1, 40), RNG.normal(0, 1, 40)
    found = paired_difference(one, other)
    error = np.std(one - other, ddof=1) / np.sqrt(40)
    assert (found.low, found.high) == pytest.approx(norm.interval(0.95, np.mean(one - other), error))
    assert (found.value, found.n) == (pytest.approx(np.mean(one) - np.mean(other)), 40)
    assert paired_difference(one[:2], other[:2]) is None
    with pytest.raises(FreqmapsError, match="are not paired"):
        paired_difference(one, other[1:])


def test_estimates_are_clear_of_zero_and_overlap_as_their_bounds_say():
    assert Estimate(1, 0.5, 2).clear and Estimate(-1, -2, -0.5).clear and not Estimate(0.1, -1, 1).clear
    assert not Estimate(1, np.nan, np.nan).clear
    for (a, b), (c, d) in product([(0, 1), (1, 2), (3, 4)], repeat=2):
        assert Estimate(a, a, b).overlaps(Estimate(c, c, d)) == bool(set(range(a, b + 1)) & set(range(c, d + 1)))


def test_a_decomposition_adds_up_and_its_interval_covers_the_truth_as_often_as_it_says():
    a = RNG.normal(2, 1, 300)
    found = decompose({"a": a, "b": 0.5 * a}, TERMS, whole="a", summed=("own", "shared"))
    assert set(found.parts) == {"own", "shared"} and set(found.kept) == {"b"}
    assert found.parts["own"].value.value + found.parts["shared"].value.value == pytest.approx(found.whole.value)
    # b is half of a on every sample: the share is certain though neither mean is.
    assert found.parts["own"].share == Estimate(*[pytest.approx(0.5)] * 3)
    assert set(found.overlapping()) == {("own", "shared")}
    hits = 0
    for _ in range(200):
        a, b = RNG.normal(2, 1, 60), RNG.normal(0.5, 1, 60)
        part = decompose({"a": a, "b": b}, TERMS, whole="a", resamples=300).parts["own"].value
        hits += part.low <= 1.5 <= part.high
    assert 0.88 <= hits / 200 <= 0.99


def test_a_whole_that_may_be_zero_has_no_shares():
    found = decompose({"a": RNG.normal(0, 1, 30), "b": np.ones(30)}, TERMS, whole="a")
    assert np.isnan(found.parts["own"].share.value) and np.isfinite(found.parts["own"].value.low)
    assert found.ranked() == []


@pytest.mark.parametrize("values", [{"b": [1.0, 2.0]}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": []}, {"a": [[1.0]]}])
def test_conditions_that_are_not_paired_are_refused(values):
    with pytest.raises(FreqmapsError, match="decomposition: no 'a' among arrays"):
        decompose(values, TERMS, whole="a")
