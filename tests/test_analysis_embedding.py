"""UMAP of clouds that are known, and cluster scores against slow loops."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples, silhouette_score

from freqmaps.analysis import cluster_scores, umap_embedding
from freqmaps.core.errors import FreqmapsError


def clouds(sizes=(20, 30, 10), width=4, distance=8.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return rng.normal(size=(len(labels), width)) + distance * np.eye(len(sizes), width)[labels], labels


# --- embedding


def test_clusters_stay_clusters_and_the_seed_decides():
    rows, labels = clouds()
    points = umap_embedding(rows, neighbours=10)
    assert points.shape == (60, 2) and points.dtype == np.float64 and np.isfinite(points).all()
    scores = cluster_scores(points, labels, neighbours=5)
    assert scores.purity > 0.95 and scores.silhouette > 0.5 and scores.p_value == pytest.approx(1 / 1000)
    assert np.array_equal(points, umap_embedding(rows, neighbours=10))
    assert not np.array_equal(points, umap_embedding(rows, neighbours=10, seed=1))


def test_noise_has_no_clusters():
    rows, labels = clouds(distance=0.0)
    scores = cluster_scores(umap_embedding(rows), labels)
    assert abs(scores.purity - scores.chance) < 0.12 and scores.silhouette < 0.1 and scores.p_value > 0.01


@pytest.mark.parametrize("n", [4, 9])
def test_few_rows_are_embedded(n):
    points = umap_embedding(np.random.default_rng(0).random((n, 2, 3)))
    assert points.shape == (n, 2) and np.isfinite(points).all()


def test_equal_rows_are_embedded():
    points = umap_embedding(np.ones((12, 3)))
    assert np.isfinite(points).all()


@pytest.mark.parametrize(
    ("rows", "given", "message"),
    [
        (np.ones((3, 2)), {}, "4 rows or more"),
        (np.ones((8, 2)), {"neighbours": 1}, "2 neighbours or more"),
        (np.ones((8, 2)), {"min_distance": 2.0}, "a distance in"),
        (np.full((8, 2), np.nan), {}, "NaN"),
        (np.ones(8), {}, "give"),
    ],
)
def test_what_cannot_be_embedded_is_refused(rows, given, message):
    with pytest.raises(FreqmapsError, match=message):
        umap_embedding(rows, **given)


# --- scores


def test_scores_equal_scikit_learns_and_a_slow_loop():
    rows, labels = clouds(distance=2.0)
    found = cluster_scores(rows, labels, neighbours=7, permutations=99)
    assert found.silhouette == pytest.approx(silhouette_score(rows, labels))
    each = silhouette_samples(rows, labels)
    pure, chance = [], []
    for i in range(60):
        order = sorted((np.linalg.norm(rows[i] - rows[j]), j) for j in range(60) if j != i)
        pure.append(np.mean([labels[j] == labels[i] for _, j in order[:7]]))
        chance.append((np.sum(labels == labels[i]) - 1) / 59)
    pure = np.array(pure)
    assert found.purity == pytest.approx(pure.mean()) and found.chance == pytest.approx(np.mean(chance))
    for c in range(3):
        assert found.purities[c] == pytest.approx(pure[labels == c].mean())
        assert found.silhouettes[c] == pytest.approx(each[labels == c].mean())
    assert found.chances == pytest.approx({0: 19 / 59, 1: 29 / 59, 2: 9 / 59})
    assert (found.n, found.neighbours) == (60, 7) and found.p_value == pytest.approx(1 / 100)


def test_chance_is_what_shuffled_labels_have():
    rows, labels = clouds()
    rng = np.random.default_rng(0)
    shuffled = [cluster_scores(rows, rng.permutation(labels), permutations=0) for _ in range(60)]
    assert np.mean([s.purity for s in shuffled]) == pytest.approx(shuffled[0].chance, abs=0.02)
    assert np.isnan(shuffled[0].p_value)


def test_classes_keep_their_names_and_single_members_count():
    rows = np.array([[0.0, 0], [0, 1], [5, 5]])
    found = cluster_scores(rows, ["a", "a", "b"], neighbours=50, permutations=9)
    assert found.neighbours == 2 and found.purities == {"a": 0.5, "b": 0.0} and found.silhouettes["b"] == 0


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_labels_that_divide_nothing_are_refused(labels):
    with pytest.raises(FreqmapsError, match="two classes or more"):
        cluster_scores(np.eye(4), labels)
