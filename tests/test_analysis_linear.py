"""The linear classifier on maps, against scikit-learn's own pipeline and data whose classes are known."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from freqmaps.analysis import half_planes, linear_responses, separability
from freqmaps.analysis.linear import _coordinates, _parts
from freqmaps.core.errors import FreqmapsError
from freqmaps.spectra.planes import to_full


def clouds(sizes=(30, 30, 30), width=40, distance=2.0, seed=0):
    """Gaussian clouds around different corners, in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return rng.normal(size=(len(labels), width)) + distance * np.eye(width)[labels], labels


def test_half_planes_say_everything_once():
    rng = np.random.default_rng(0)
    half = rng.random((3, 2, 6, 4)).astype(np.float32)
    for column in (0, 3):  # their own mirror image: point symmetric
        half[..., column] = (half[..., column] + half[..., -np.arange(6) % 6, column]) / 2
    rows = half_planes(to_full(half, 6))
    assert rows.dtype == np.float32 and np.array_equal(rows, half.reshape(3, -1))
    assert half_planes(np.zeros((2, 5, 5))).shape == (2, 15)
    with pytest.raises(FreqmapsError, match=r"give \(n, \.\.\., h, w\)"):
        half_planes(np.zeros((5, 5)))


def test_accuracy_is_scikit_learns():
    rows, labels = clouds(distance=1.2, width=10, sizes=(60, 60, 60))
    found = separability(rows, labels, splits=30, shuffles=0, test_share=0.2)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    expected = cross_val_score(LogisticRegression(), rows, labels, cv=folds)
    assert 0.5 < expected.mean() < 0.85
    assert found.test.mean() == pytest.approx(expected.mean(), abs=0.05)
    assert found.train.mean() >= found.test.mean()
    assert np.isnan(found.p_value) and found.shuffled_test.shape == (0, 30) and found.unconverged == 0


def test_fewer_columns_are_the_same_classifier():
    """More entries than maps: the coordinates within their span give the predictions of all entries."""
    rows, labels = clouds(width=300, distance=3.0)
    narrow = _coordinates(rows)
    assert narrow.shape == (90, 90) and np.allclose(narrow @ narrow.T, rows @ rows.T)
    train, test = np.arange(60), np.arange(60, 90)
    found, expected = (
        LogisticRegression(tol=1e-8, max_iter=5000).fit(x[train], labels[train]).decision_function(x[test])
        for x in (narrow, rows)
    )
    assert np.allclose(found, expected, atol=1e-3)


def test_classes_that_differ_are_told_apart_and_shuffled_ones_are_not():
    found = separability(*clouds(distance=4.0, sizes=(40, 50, 60)), splits=5, shuffles=19)
    assert found.classes == (0, 1, 2) and found.chance == pytest.approx(1 / 3)
    assert (found.per_class, found.n, found.left_out) == (40, 120, {})
    assert found.test.mean() > 0.9 and found.train.mean() > 0.95
    assert found.p_value == pytest.approx(1 / 20)
    assert found.shuffled_test.shape == found.shuffled_train.shape == (19, 5)
    assert found.shuffled_test.mean() == pytest.approx(1 / 3, abs=0.08)
    assert found.shuffled_train.mean() > found.shuffled_test.mean()  # learned by heart


def test_the_p_value_is_uniform_where_labels_mean_nothing():
    rng = np.random.default_rng(0)
    found = []
    for seed in range(40):
        rows, labels = rng.normal(size=(24, 3)), rng.permutation(np.repeat([0, 1], 12))
        found.append(separability(rows, labels, splits=2, shuffles=9, seed=seed).p_value)
    assert 0.35 < np.mean(found) < 0.75
    assert np.mean(np.array(found) <= 0.1) <= 0.25


def test_a_seed_decides():
    data = clouds()
    one, same, other = (separability(*data, splits=3, shuffles=2, seed=s) for s in (0, 0, 1))
    assert np.array_equal(one.test, same.test) and np.array_equal(one.shuffled_test, same.shuffled_test)
    assert not np.array_equal(one.test, other.test) or not np.array_equal(one.shuffled_test, other.shuffled_test)


def test_small_classes_are_left_out_and_said():
    rows, labels = clouds(sizes=(20, 3, 25, 1))
    names = np.array(["cat", "dog", "eel", "fox"])[labels]
    found = separability(rows, names, splits=2, shuffles=1)
    assert found.classes == ("cat", "eel") and found.left_out == {"dog": 3, "fox": 1}
    assert (found.per_class, found.n) == (20, 40)
    tested = round(0.15 * 20) * 2
    assert np.allclose(found.test * tested, np.round(found.test * tested))


def test_the_smallest_case_works():
    rows = np.array([[0.0, 1], [0, 2], [3, 0], [4, 0]])
    found = separability(rows, [0, 0, 1, 1], splits=3, shuffles=1, test_share=0.5)
    assert found.test.tolist() == [1, 1, 1] and found.per_class == 2


def test_constant_maps_stay_at_chance():
    found = separability(np.ones((40, 6)), np.repeat([0, 1], 20), splits=4, shuffles=3)
    assert found.test.tolist() == [0.5] * 4 and found.p_value == 1


@pytest.mark.parametrize(
    ("labels", "given", "message"),
    [
        ([0] * 10, {}, "two are needed"),
        ([0, 1] * 4 + [2, 3], {"test_share": 0.01}, "0 classes have 50 maps"),
        ([0, 1] * 5, {"test_share": 1.5}, "share in"),
        ([0, 1] * 5, {"splits": 0}, "1 split or more"),
        ([0, 1] * 4, {}, "labels of shape"),
    ],
)
def test_what_cannot_be_classified_is_refused(labels, given, message):
    with pytest.raises(FreqmapsError, match=message):
        separability(np.ones((10, 3)), labels, **given)


def test_nan_is_refused():
    rows = np.ones((10, 3))
    rows[4, 1] = np.nan
    with pytest.raises(FreqmapsError, match="NaN"):
        separability(rows, [0, 1] * 5)


# --- responses


def test_responses_are_of_maps_that_were_not_fitted():
    rows, labels = clouds(distance=1.0, width=60)
    held, fitted = linear_responses(rows, labels), linear_responses(rows, labels, folds=None)
    assert held.shape == fitted.shape == (90, 3)
    assert (fitted.argmax(1) == labels).mean() == 1
    assert 0.4 < (held.argmax(1) == labels).mean() < 0.9
    expected = LogisticRegression(max_iter=1000).fit(rows, labels).decision_function(rows)
    assert np.allclose(fitted, expected, atol=0.02)


def test_each_part_is_answered_by_the_others():
    rows, labels = clouds(width=5, sizes=(13, 12))
    parts = _parts(labels, 4, np.random.default_rng(0))
    assert np.array_equal(np.sum(parts, axis=0), np.ones(25))
    assert {int((labels[p] == 0).sum()) for p in parts} == {3, 4} and {int((labels[p] == 1).sum()) for p in parts} == {
        3
    }
    found = linear_responses(rows, labels, folds=4)
    for part in parts:
        expected = LogisticRegression().fit(rows[~part], labels[~part]).decision_function(rows[part])
        assert np.allclose(found[part], np.stack([-expected, expected], 1))


@pytest.mark.parametrize(("labels", "folds"), [([0] * 6, 2), ([0, 0, 0, 0, 1, 1], 3), ([0, 1] * 3, 1)])
def test_responses_that_cannot_be_had_are_refused(labels, folds):
    with pytest.raises(FreqmapsError, match="linear responses"):
        linear_responses(np.eye(6), labels, folds=folds)
