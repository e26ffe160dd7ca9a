"""IdCor: the shared-distance engine against direct computations, and what the number means."""

import numpy as np
import pytest
import skdim.id
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from freqmaps.core.errors import FreqmapsError
from freqmaps.correlation import _jit
from freqmaps.correlation._dimensions import by_shared_distances, estimator_names
from freqmaps.correlation._distances import first_equal, inner_products, squared_distances
from freqmaps.correlation._halves import delete_half_error, half_samples, permutations
from freqmaps.correlation._neighbours import two_smallest
from freqmaps.correlation._rows import centred, standardised
from freqmaps.correlation._twonn import twonn
from freqmaps.correlation.metrics import idcor, idcor_cleaned, idcor_released
from freqmaps.correlation.metrics.idcor import compute


def uniform(n, dimension, width, seed=0):
    """Points on a linear image of a cube."""
    rng = np.random.default_rng(seed)
    return (rng.random((n, dimension)) @ rng.standard_normal((dimension, width))).astype(np.float32)


def sparse(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(rng.standard_normal((n, 6)) @ rng.standard_normal((6, d)) - 1, 0, 1).astype(np.float32)


def prepared(x):
    """Standardised features and unit rows, written anew in float64."""
    x = x.astype(np.float64)
    varying = np.ptp(x, axis=0) > 0
    z = np.zeros_like(x)
    z[:, varying] = (x[:, varying] - x[:, varying].mean(axis=0)) / x[:, varying].std(axis=0)
    norm = np.linalg.norm(z, axis=1)
    z[norm > 0] /= norm[norm > 0, None]
    return z


def slow_twonn(points, fraction=0.9):
    """TwoNN as the definition reads: sorted distances, a loop, a sum of squares."""
    ratios = []
    for i, row in enumerate(cdist(points, points)):
        r1, r2 = np.sort(np.delete(row, i))[:2]
        if r1 > 1e-9 and r2 / r1 > 1 + 1e-7:
            ratios.append(r2 / r1)
    n = len(ratios)
    xs = [np.log(mu) for mu in sorted(ratios)][:-1]
    ys = [-np.log(1 - (i + 1) / n) for i in range(n - 1)]
    k = int(n * fraction)
    return np.linalg.lstsq(np.array(xs[:k])[:, None], np.array(ys[:k]), rcond=None)[0][0]


def slow_idcor(x, y, shuffles):
    a, b = prepared(x), prepared(y)
    id_x, id_y, id_xy = slow_twonn(a), slow_twonn(b), slow_twonn(np.hstack([a, b]))
    permuted = np.array([slow_twonn(np.hstack([a, b[p]])) for p in shuffles])
    p_value = (1 + (permuted < id_xy).sum()) / (1 + len(shuffles))
    return (id_x + id_y - id_xy) / max(id_x, id_y), p_value, (id_x, id_y, id_xy), permuted


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.999])
def test_twonn_is_the_slope_of_the_definition(fraction):
    points = uniform(150, 3, 8).astype(np.float64)
    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors()[0] ** 2
    found, n = twonn(nearest[:, 0], nearest[:, 1], fraction)
    assert n == 150
    assert found == pytest.approx(slow_twonn(points, fraction), rel=1e-10)


def test_twonn_equals_scikit_dimension_without_ties():
    # 0.5.0 uses F = i / N as we do (older releases began with F = 0, which gives less: 26.3 for 27.2 at N = 100). It
    # still differs from ours where there are ties: it keeps mu = 1, see the next test.
    points = uniform(400, 5, 30).astype(np.float64)
    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors()[0] ** 2
    theirs = skdim.id.TwoNN(discard_fraction=0.1).fit(points).dimension_
    assert twonn(nearest[:, 0], nearest[:, 1], 0.9)[0] == pytest.approx(theirs, rel=1e-9)


def test_twonn_differs_from_scikit_dimension_by_the_ties():
    # A grid: all points but those near the middle of nothing have tied neighbours; some of them are moved.
    rng = np.random.default_rng(0)
    points = np.argwhere(np.ones((6, 6, 6))).astype(np.float64)
    points[:80] += 0.3 * rng.random((80, 3))
    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors()[0]
    tied = nearest[:, 0] == nearest[:, 1]
    assert 20 < tied.sum() < 180
    ours, n = twonn(nearest[:, 0] ** 2, nearest[:, 1] ** 2, 0.9)
    assert n == (~tied).sum()
    theirs = skdim.id.TwoNN(dist=True).fit(nearest[~tied]).dimension_
    assert ours == pytest.approx(theirs, rel=1e-9)
    assert skdim.id.TwoNN(dist=True).fit(nearest).dimension_ != pytest.approx(theirs, rel=0.05)


@pytest.mark.parametrize("dimension", [2, 5])
def test_twonn_finds_the_dimension_of_a_cube(dimension):
    points = uniform(3000, dimension, 20).astype(np.float64)
    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors()[0] ** 2
    assert twonn(nearest[:, 0], nearest[:, 1], 0.9)[0] == pytest.approx(dimension, rel=0.1)


def test_twonn_drops_zero_tied_and_missing_neighbours():
    first = np.array([0.0, 1.0, 1.0, 1.0, 1.0, np.inf])
    second = np.array([1.0, 1.0, 4.0, 9.0, 16.0, np.inf])
    value, n = twonn(first, second, 0.9)
    x, y = np.log([2.0, 3.0]), -np.log([2 / 3, 1 / 3])
    assert n == 3
    assert value == pytest.approx(x @ y / (x @ x), rel=1e-12)
    assert np.isnan(twonn(first[:4], second[:4], 0.9)[0])


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_squared_distances_equal_cdist(block):
    x = sparse(150, 40)
    expected = cdist(prepared(x), prepared(x)) ** 2
    found = squared_distances(standardised(x), block=block)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-12)
    assert np.array_equal(found, found.T)


@pytest.mark.parametrize("spread", [1e-2, 1e-5])
@pytest.mark.parametrize("pairs", [3, 60])
def test_close_rows_keep_their_distance(spread, pairs):
    # Both ways of getting near pairs right: one by one, and a float64 product for a tile with many.
    rng = np.random.default_rng(3)
    x = rng.standard_normal((120, 50))
    x[:pairs] = x[0] + spread * rng.standard_normal((pairs, 50))
    found = squared_distances(centred(x), block=64)
    rows = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0).sum())
    expected = cdist(rows, rows) ** 2
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=0)


def test_duplicates_are_at_zero_and_tied_to_the_last_bit():
    x = sparse(101, 300, seed=5)
    x[[3, 50, 100]] = x[7]
    x[90] = x[12]
    assert first_equal(x)[[3, 7, 50, 100, 12, 90]].tolist() == [3, 3, 3, 3, 12, 12]
    found = squared_distances(standardised(x), block=32)
    assert found[7, 3] == found[100, 50] == found[12, 90] == 0
    for one, other in ((3, 7), (7, 100), (12, 90)):
        assert np.array_equal(found[one], found[other])
        assert np.array_equal(found[:, one], found[:, other])


def test_negative_zero_equals_zero():
    x = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]], np.float32)
    assert first_equal(x).tolist() == [0, 0, 2]


def test_inner_products_equal_a_product():
    x = sparse(90, 30)
    rows = centred(x).tile(0, 90)
    np.testing.assert_allclose(inner_products(centred(x), block=17), rows @ rows.T, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 33, 300])
def test_two_smallest_equal_a_full_sort(n):
    rng = np.random.default_rng(n)
    a, b = (np.round(m + m.T, 2).astype(np.float32) for m in rng.random((2, n, n)))
    for m in (a, b):
        np.fill_diagonal(m, np.inf)
    cases = permutations(n, 4, seed=1)
    cases = np.vstack([cases, np.where(rng.random((2, n)) < 0.5, np.arange(n), -1)]).astype(np.int32)
    for other in (b, None):
        first, second = two_smallest(a, other, cases)
        for c, partner in enumerate(cases):
            sums = a + (0 if other is None else other[np.ix_(partner, partner)])
            sums[:, partner < 0] = np.inf
            np.fill_diagonal(sums, np.inf)
            smallest = np.sort(np.hstack([sums, np.full((n, 1), np.inf, np.float32)]), axis=1)[:, :2]
            smallest[partner < 0] = np.inf
            assert np.array_equal(smallest, np.stack([first[c], second[c]], axis=1))


def test_two_smallest_of_equal_distances():
    a = np.full((50, 50), 3, np.float32)
    np.fill_diagonal(a, np.inf)
    first, second = two_smallest(a, a, permutations(50, 2, seed=0))
    assert (first == 6).all()
    assert (second == 6).all()


def test_idcor_equals_the_slow_loop_with_the_same_permutations():
    x = sparse(200, 60)
    y = np.clip(x[:, ::-1] + 0.3 * sparse(200, 60, seed=9), 0, 1)
    found = compute(x, y, seed=4, permutations=12)
    value, p_value, dimensions, permuted = slow_idcor(x, y, permutations(200, 12, 4))
    assert found.value == pytest.approx(value, abs=1e-4)
    assert found.p_value == pytest.approx(p_value)
    assert [found.extra[k] for k in ("id_x", "id_y", "id_xy")] == pytest.approx(dimensions, rel=1e-4)
    assert found.extra["permuted_mean"] == pytest.approx(permuted.mean(), rel=1e-4)
    assert found.extra["permuted_sd"] == pytest.approx(permuted.std(), rel=1e-2)


def test_half_samples_equal_the_estimates_on_their_rows():
    x, y = sparse(120, 20), sparse(120, 20, seed=2)
    halves = half_samples(120, 3, seed=0)
    none = np.empty((0, 120), np.int32)
    found = by_shared_distances(standardised(x), standardised(y), none, halves, fraction=0.9, block=50)
    a, b = prepared(x), prepared(y)
    for half, row in zip(halves, found.subsets, strict=True):
        expected = [slow_twonn(a[half]), slow_twonn(b[half]), slow_twonn(np.hstack([a[half], b[half]]))]
        assert row == pytest.approx(expected, rel=1e-4)


def test_duplicates_are_dropped_and_counted():
    # Rows 0, 1, 2 are one point, in X and in Y: their nearest neighbour is at 0. Row 9's neighbours in [X, Y] are tied
    # if the nearest two are a pair of duplicates; the slow loop drops the same.
    x, y = sparse(150, 30), sparse(150, 30, seed=1)
    for rows in ([0, 1, 2], [40, 41], [90, 91]):
        x[rows], y[rows] = x[rows[0]], y[rows[0]]
    found = compute(x, y, seed=0, permutations=5, block=40)
    value, p_value, _, _ = slow_idcor(x, y, permutations(150, 5, 0))
    assert found.n + found.n_dropped == 150
    assert found.n_dropped >= 7
    assert found.value == pytest.approx(value, abs=1e-4)
    assert found.p_value == pytest.approx(p_value)


def torus(angles):
    """A closed surface on which no scale can be divided out of a row: two dimensions, no edge."""
    return np.hstack([np.cos(angles), np.sin(angles)])


def test_one_to_one_is_one_and_independent_is_zero():
    angles, others = np.random.default_rng(0).uniform(0, 2 * np.pi, (2, 2000, 2))
    x = torus(angles)
    related = compute(x, torus(angles @ np.array([[1, 1], [0, 1]]) + 1), seed=0, permutations=30)
    independent = compute(x, torus(others), seed=0, permutations=30)
    assert related.value == pytest.approx(1, abs=0.05)
    assert related.p_value == pytest.approx(1 / 31)
    assert independent.value == pytest.approx(0, abs=0.2)
    # One draw's p-value is uniform and says nothing; that it is uniform is the next test.
    below = (independent.extra["permuted_mean"] - independent.extra["id_xy"]) / independent.extra["permuted_sd"]
    assert abs(below) < 3
    assert related.extra["permuted_mean"] - related.extra["id_xy"] > 10 * related.extra["permuted_sd"]
    assert related.value - independent.value > 5 * (related.error + independent.error)


def test_p_values_of_unrelated_data_are_spread_evenly():
    values = []
    for seed in range(300):
        rng = np.random.default_rng([7, seed])
        x, y = rng.standard_normal((2, 60, 4))
        values.append(compute(x, y, seed=seed, permutations=19, subsamples=0).p_value)
    # 1/20, 2/20 ... 1, each as likely: mean 0.525, standard deviation 0.288; four standard errors either way.
    assert 0.525 - 4 * 0.288 / 300**0.5 < np.mean(values) < 0.525 + 4 * 0.288 / 300**0.5
    assert abs(np.mean(np.array(values) <= 0.2) - 0.2) < 4 * (0.2 * 0.8 / 300) ** 0.5


def test_draws_are_not_those_of_a_caller_with_the_same_seed():
    drawn = permutations(50, 1, seed=7)[0]
    for stream in (7, [7, 0]):
        assert not np.array_equal(np.random.default_rng(stream).permutation(50), drawn)
    assert not np.array_equal(np.sort(drawn[:25]), half_samples(50, 1, seed=7)[0])


@pytest.mark.parametrize("block", [3, 100, 5000])
def test_blocks_give_the_same_numbers(block):
    x, y = sparse(130, 25), sparse(130, 25, seed=1)
    one, other = (compute(x, y, seed=1, permutations=8, block=b) for b in (512, block))
    assert one.value == pytest.approx(other.value, abs=1e-5)
    assert one.error == pytest.approx(other.error, abs=1e-5)
    assert one.p_value == other.p_value


def test_threads_give_the_same_numbers(monkeypatch):
    x, y = sparse(600, 25), sparse(600, 25, seed=1)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(_jit.numba.config, "NUMBA_NUM_THREADS", threads)
        found.append(compute(x, y, seed=1, permutations=8))
    assert found[0] == found[1]


def test_error_is_the_spread_over_new_samples():
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((4, 10))

    def draw():
        z = rng.standard_normal((400, 6))
        return compute(z[:, :4] @ mixing, z[:, 2:] @ mixing, seed=0, permutations=1)

    drawn = [draw() for _ in range(40)]
    spread = np.std([m.value for m in drawn], ddof=1)
    assert 0.6 < np.mean([m.error for m in drawn]) / spread < 1.7


def test_delete_half_error_of_a_mean_is_the_textbook_one():
    data = np.random.default_rng(0).standard_normal(301)
    means = np.array([data[h].mean() for h in half_samples(301, 4000, seed=1)])
    error, reason = delete_half_error(means, 301)
    assert error == pytest.approx(data.std(ddof=1) / np.sqrt(301), rel=0.05)
    assert reason == ""
    assert delete_half_error(means[:1], 301)[0] is None


@pytest.mark.parametrize("name", ["TwoNN", "MLE", "lPCA"])
def test_estimators_of_scikit_dimension(name):
    x, y = uniform(120, 3, 30), uniform(120, 3, 30, seed=1)
    found = compute(x, y, seed=0, estimator=name, permutations=2, subsamples=2)
    a, b = prepared(x), prepared(y)
    expected = [getattr(skdim.id, name)().fit(z).dimension_ for z in (a, b, np.hstack([a, b]))]
    assert [found.extra[k] for k in ("id_x", "id_y", "id_xy")] == pytest.approx(expected, rel=1e-6)
    if name == "TwoNN":
        ours = compute(x, y, seed=0, permutations=2, subsamples=2)
        assert ours.value == pytest.approx(found.value, abs=1e-4)
        assert ours.error == pytest.approx(found.error, abs=1e-4)


def test_unknown_estimator_is_named_with_the_nearest():
    assert "MLE" in estimator_names()
    with pytest.raises(FreqmapsError, match=r"no estimator named 'TwoN'; did you mean 'TwoNN'"):
        compute(sparse(20, 5), sparse(20, 5), seed=0, estimator="TwoN")


@pytest.mark.parametrize("estimator", ["twonn", "TwoNN"])
def test_constant_data_has_no_value(estimator):
    found = compute(np.ones((20, 5)), sparse(20, 5), seed=0, permutations=2, estimator=estimator)
    assert np.isnan(found.value)
    assert found.p_value is None
    assert "no estimate" in found.reason


def test_loops_compile_where_no_cache_can_be_written(monkeypatch):
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])

    def twice(value):
        return 2 * value

    assert _jit.compiled(twice)(4) == 8


def test_cleaned_and_released_readings_are_idcor_of_changed_matrices():
    rng = np.random.default_rng(8)
    x, y = (rng.uniform(size=(60, 6)).astype(np.float32) for _ in range(2))
    jitter = rng.uniform(0, 9e-4, size=(60, 4)).astype(np.float32)
    x, y = np.hstack([x, jitter]), np.hstack([y, jitter])
    few = {"permutations": 9, "subsamples": 0, "repeats": 0}
    made = idcor.compute(x, y, seed=1, **few)
    cleaned = idcor_cleaned.compute(x, y, seed=1, **few)
    without = idcor.compute(np.where(x < 1e-3, 0, x), np.where(y < 1e-3, 0, y), seed=1, **few)
    assert cleaned == without and cleaned.value < made.value  # what both shared was jitter
    assert idcor.compute(x, y, seed=1, cut=1e-3, **few) == cleaned

    def as_released(matrix):
        scaled = (matrix - matrix.mean(0, dtype=np.float64)) / (matrix.std(0, ddof=1, dtype=np.float64) + 1e-6)
        return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)

    released = idcor_released.compute(x, y, seed=1, **few)
    ours, theirs = (standardised(x, constant=1e-6).tile(0, 60), as_released(x))
    assert np.allclose(ours, theirs, rtol=1e-9)
    assert released == idcor.compute(x, y, seed=1, constant=1e-6, **few) and released != made


def test_a_constant_makes_features_that_hardly_vary_count_less():
    rng = np.random.default_rng(9)
    x = np.hstack([rng.uniform(size=(50, 3)), 1e-9 * rng.uniform(size=(50, 3))])
    plain, damped = standardised(x).tile(0, 50), standardised(x, constant=1e-6).tile(0, 50)
    assert abs(plain[:, 3:]).max() > 0.1 and abs(damped[:, 3:]).max() < 1e-2
