"""Similarity of masks: each measure against another way to compute it, and groups whose answer is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from freqmaps.analysis import mask_stability, radial_energy, similarities
from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.stability import MEASURES


def masks(groups=(4, 4), noise=0.1, size=8, seed=0, channels=2):
    """Masks of a group are one random mask with noise."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(len(groups)), groups)
    base = rng.random((len(groups), channels, size, size))
    return np.clip(base[names] + noise * rng.normal(size=(len(names), channels, size, size)), 0, None), names


def test_cosine_and_pearson_are_scipys():
    values, _ = masks()
    rows = values.reshape(len(values), -1)
    assert np.allclose(similarities(values, "cosine"), 1 - cdist(rows, rows, "cosine"))
    assert np.allclose(similarities(values, "pearson"), np.corrcoef(rows))


def test_radial_is_the_correlation_of_the_profiles():
    values, _ = masks()
    found = similarities(values, "radial", bands=6)
    for i, j in itertools.combinations(range(len(values)), 2):
        profiles = [radial_energy((values[k] ** 2).sum(axis=0), 6) for k in (i, j)]
        assert found[i, j] == pytest.approx(stats.pearsonr(*profiles).statistic)
        assert found[i, j] == pytest.approx(found[j, i])


def test_top_counts_the_entries_in_common():
    values, _ = masks(noise=0.4)
    found = similarities(values, "top", top=0.1)
    wanted = round(0.1 * values[0].size)
    largest = [set(np.argsort(v.ravel())[-wanted:].tolist()) for v in values]
    for i, j in itertools.product(range(len(values)), repeat=2):
        assert found[i, j] == pytest.approx(len(largest[i] & largest[j]) / wanted)


def test_tied_entries_share_the_places():
    a, b = np.array([[1.0, 1], [1, 0]]), np.array([[1.0, 0], [0, 0.5]])
    found = similarities([a, b], "top", top=0.5)  # two places: a's three ones have 2/3 each, b's entries one each
    assert np.allclose(found, [[1, 1 / 3], [1 / 3, 1]])


@given(st.integers(0, 1000), st.sampled_from(MEASURES))
def test_similarities_are_symmetric_and_one_with_oneself(seed, measure):
    values, _ = masks(seed=seed, groups=(3,))
    values *= np.random.default_rng(seed).random(values.shape) < 0.3  # sparse, with ties
    found = similarities(values, measure, bands=4)
    assert np.allclose(found, found.T) and np.allclose(np.diag(found), 1)
    assert found.min() >= -1 and found.max() <= 1
    assert np.allclose(similarities(3 * values, measure, bands=4), found)


def test_empty_and_constant_masks_have_no_similarity():
    values = np.random.default_rng(0).random((4, 5, 5))
    values[1], values[2] = 0, 0.3
    for measure in MEASURES:
        found = similarities(values, measure, bands=4)
        assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all(), measure
        assert np.isfinite(found[0, 3])
        assert np.isnan(found[0, 2]) == (measure == "pearson")
    report = mask_stability(values, [0, 0, 1, 1], measures=["cosine"], permutations=9)["cosine"]
    assert (report.pairs_within, report.pairs_between) == (1, 2)


def test_groups_that_differ_are_found():
    values, names = masks(groups=(4, 4, 4))
    report = mask_stability(values, names, permutations=199, bands=6)
    assert set(report) == set(MEASURES)
    for measure in ("cosine", "pearson", "top"):
        found, pairs = report[measure], similarities(values, measure)
        same = [pairs[i, j] for i, j in itertools.combinations(range(12), 2) if names[i] == names[j]]
        other = [pairs[i, j] for i, j in itertools.combinations(range(12), 2) if names[i] != names[j]]
        assert (found.within, found.between) == pytest.approx((np.mean(same), np.mean(other)))
        assert (found.pairs_within, found.pairs_between) == (len(same), len(other)) == (18, 48)
        assert found.p_value == pytest.approx(1 / 200)
        assert found.within - found.between > found.null_high > 0 > found.null_low


def test_groups_that_mean_nothing_are_not():
    rng = np.random.default_rng(0)
    found = [
        mask_stability(
            rng.random((8, 4, 4)), np.repeat([0, 1], 4), measures=["pearson"], permutations=99, seed=seed
        )["pearson"]
        for seed in range(60)
    ]  # fmt: skip
    assert 0.35 < np.mean([f.p_value for f in found]) < 0.7
    inside = [f.null_low <= f.within - f.between <= f.null_high for f in found]
    assert np.mean(inside) > 0.8


def test_the_error_is_the_jackknifes():
    values, names = masks(groups=(3, 3), noise=0.3)
    found = mask_stability(values, names, measures=["cosine"], permutations=9)["cosine"]
    left = []
    for i in range(6):
        rest = np.delete(np.arange(6), i)
        pairs = similarities(values[rest], "cosine")
        left.append(
            np.mean([pairs[a, b] for a, b in itertools.combinations(range(5), 2) if names[rest][a] == names[rest][b]])
        )
    assert found.within_error == pytest.approx(np.sqrt(5 / 6 * np.sum((np.array(left) - np.mean(left)) ** 2)))


def test_one_group_has_no_other():
    values, names = masks(groups=(3,))
    found = mask_stability(values, names, measures=["cosine"], permutations=9)["cosine"]
    assert found.pairs_within == 3 and found.pairs_between == 0 and found.within > 0.9
    assert np.isnan([found.between, found.p_value, found.null_low, found.null_high]).all()
    assert np.isfinite(found.within_error)


def test_two_masks_are_enough():
    values, _ = masks(groups=(2,))
    found = mask_stability(values, ["a", "b"], measures=["cosine"])["cosine"]
    assert np.isnan(found.within) and found.pairs_between == 1 and np.isnan(found.within_error)


def test_equal_seeds_give_equal_reports():
    values, names = masks(noise=0.5)
    one, same, other = (mask_stability(values, names, measures=["top"], seed=s, permutations=50) for s in (0, 0, 1))
    assert one == same != other


@pytest.mark.parametrize(
    ("values", "groups", "given"),
    [
        (np.ones((1, 4, 4)), [0], {}),
        (np.ones((3, 4, 4)), [0, 1], {}),
        (-np.ones((2, 4, 4)), [0, 1], {}),
        (np.full((2, 4, 4), np.nan), [0, 1], {}),
        (np.ones((2, 4)), [0, 1], {}),
        (np.ones((2, 4, 4)), [0, 1], {"top": 0.0}),
        (np.ones((2, 4, 4)), [0, 1], {"measures": ["euclid"]}),
    ],
)
def test_what_has_no_stability_is_refused(values, groups, given):
    with pytest.raises(FreqmapsError, match="stability"):
        mask_stability(values, groups, permutations=3, **given)
