"""Intervals of the metrics, and their values on fewer rows, against SciPy, closed forms and direct computation."""

from math import isnan

import numpy as np
import pytest
from scipy import stats

from freqmaps.core import components
from freqmaps.correlation._fewer import on_parts, parts, summarised
from freqmaps.correlation._halves import half_samples, spread
from freqmaps.correlation.metrics import cosine, distance_correlation, idcor, linear_cka, svcca
from freqmaps.inference.bootstrap import bootstrap_means, percentiles
from tests.test_correlation import METRICS, pair
from tests.test_idcor import prepared, slow_twonn, torus


def compute(name, x, y, **parameters):
    return components.load("metric", name)(x, y, seed=3, **parameters)


# --- intervals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_an_interval_and_says_how(name):
    x, y = pair(200)
    found = compute(name, x, y)
    assert found.low < found.value < found.high
    assert found.interval_method == (cosine.INTERVAL if name == "cosine" else "Student's t, delete-half jackknife")
    if name != "cosine":
        reach = stats.t(19).ppf(0.975) * found.error
        assert (found.low, found.high) == pytest.approx((found.value - reach, found.value + reach))


@pytest.mark.parametrize("name", METRICS)
def test_without_resampling_there_is_none(name):
    nothing = {"resamples": 0} if name == "cosine" else {"repeats": 0}
    found = compute(name, *pair(60), subsamples=0, **nothing)
    assert (found.low, found.high, found.interval_method, found.error) == (None, None, "", None)
    assert (found.half, found.quarter, found.half_sd, found.quarter_sd) == (None,) * 4


def test_the_cosines_interval_is_scipys_percentile_bootstrap():
    x, y = pair(150)
    found = cosine.compute(x, y, seed=0)
    drawn = stats.bootstrap(
        (found.per_sample,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    )
    expected = drawn.confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.06 * (found.high - found.low))


def test_few_images_have_no_or_an_empty_interval():
    x, y = pair(3)
    assert cosine.compute(x[:1], y[:1], seed=0).low is None
    same = cosine.compute(x, x, seed=0)
    assert (same.low, same.high) == pytest.approx((1, 1))


def test_columns_are_drawn_together():
    values = np.random.default_rng(0).normal(size=(40, 1))
    drawn = bootstrap_means(np.hstack([values, values + 1, -values]), 100, seed=1)
    np.testing.assert_allclose(drawn[:, 1], drawn[:, 0] + 1)
    np.testing.assert_allclose(drawn[:, 2], -drawn[:, 0])
    np.testing.assert_allclose(bootstrap_means(values[:, 0], 100, seed=1), drawn[:, 0])
    assert len(np.unique(drawn[:, 0])) == 100


def test_draws_do_not_hang_on_how_many_fit_in_memory(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    whole = bootstrap_means(values, 30, seed=1)
    monkeypatch.setattr("freqmaps.inference.bootstrap._DRAWN", 120)
    np.testing.assert_array_equal(bootstrap_means(values, 30, seed=1), whole)


def test_percentiles_of_what_is_not_finite_are_none():
    assert percentiles(np.arange(101.0)) == pytest.approx((2.5, 97.5))
    assert all(isnan(v) for v in (*percentiles(np.array([1.0, np.nan])), *percentiles(np.empty(0))))


def test_the_interval_is_students():
    halves = np.random.default_rng(0).normal(size=9)
    found = spread(5.0, halves, 20)
    expected = stats.t.interval(0.95, 8, loc=5, scale=halves.std(ddof=1))
    assert (found["low"], found["high"]) == pytest.approx(expected)
    assert set(spread(5.0, halves[:1], 20)) == {"reason"}


@pytest.mark.parametrize("name", ["linear_cka", "svcca"])
def test_intervals_hold_the_truth_as_often_as_they_should(name):
    # One feature each: CKA is rho^2 and SVCCA rho. A binomial of 120 at .95 is below 107 once in 250 times.
    rho, held = 0.6, 0
    for seed in range(120):
        x, y = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, rho], [rho, 1]], 100).T[:, :, None]
        found = components.load("metric", name)(x, y, seed=seed, repeats=0)
        held += found.low <= (rho**2 if name == "linear_cka" else rho) <= found.high
    assert 107 <= held < 120


# --- fewer rows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [80, 83])
def test_parts_are_disjoint_and_differ_between_repeats(n):
    chosen = parts(n, 3, seed=0)
    assert [len(part) for part in chosen] == [n // 2] * 6 + [n // 4] * 12
    for start, pieces in ((0, 2), (2, 2), (6, 4), (14, 4)):
        together = np.concatenate(chosen[start : start + pieces])
        assert len(np.unique(together)) == len(together) == pieces * (n // pieces)
    assert all((np.diff(part) > 0).all() for part in chosen)
    assert not np.array_equal(chosen[0], chosen[2])
    assert not np.array_equal(chosen[0], half_samples(n, 1, seed=0)[0])
    assert parts(n, 0, seed=0) == []


def test_mean_and_spread_are_those_of_the_parts():
    found = summarised([1.0, 3.0, 5.0, 5.0, 6.0, 8.0], 1)
    assert (found["half"], found["quarter"]) == (2, 6)
    assert (found["half_sd"], found["quarter_sd"]) == pytest.approx((np.sqrt(2), np.sqrt(2)))
    lost = summarised([1.0, 3.0, 5.0, np.nan, 6.0, 8.0], 1)
    assert (lost["half"], lost["quarter"], lost["quarter_sd"]) == (2, None, None)
    assert on_parts(len, 12, 2, 0, fewest=4) == {"half": 6, "half_sd": 0, "quarter": None, "quarter_sd": None}


@pytest.mark.parametrize("module", [svcca, linear_cka, distance_correlation])
def test_values_on_fewer_rows_are_those_of_the_rows_alone(module):
    x, y = pair(90)
    found = module.compute(x, y, seed=3, repeats=2)
    alone = [module.compute(x[p], y[p], seed=0, subsamples=0, repeats=0).value for p in parts(90, 2, seed=3)]
    assert found.half == pytest.approx(np.mean(alone[:4]), abs=1e-5)
    assert found.half_sd == pytest.approx(np.std(alone[:4], ddof=1), abs=1e-5)
    assert found.quarter == pytest.approx(np.mean(alone[4:]), abs=1e-5)


def test_idcor_on_fewer_rows_keeps_the_standardisation_of_all():
    x, y = pair(120)
    values = []
    for part in parts(120, 2, seed=3)[:4]:
        a, b = prepared(x)[part], prepared(y)[part]
        id_x, id_y, both = slow_twonn(a), slow_twonn(b), slow_twonn(np.hstack([a, b]))
        values.append((id_x + id_y - both) / max(id_x, id_y))
    found = idcor.compute(x, y, seed=3, permutations=2, repeats=2)
    assert found.half == pytest.approx(np.mean(values), abs=1e-3)


def test_a_bias_in_n_shows_on_fewer_rows():
    # Unrelated: plain CKA and SVCCA rise as rows get fewer. One of two angles shared: IdCor is 1/2 at any n.
    x, y = np.random.default_rng(0).standard_normal((2, 400, 30)).astype(np.float32)
    for module in (linear_cka, svcca):
        found = module.compute(x, y, seed=0)
        assert found.quarter > 1.3 * found.half > 1.5 * found.value
    shared, one, other = np.random.default_rng(1).uniform(0, 2 * np.pi, (3, 800))
    found = idcor.compute(torus(np.stack([shared, one], 1)), torus(np.stack([shared, other], 1)), seed=0)
    assert found.low < 0.5 < found.high
    assert (found.half, found.quarter) == (pytest.approx(0.5, abs=0.15), pytest.approx(0.5, abs=0.2))


@pytest.mark.parametrize("name", [m for m in METRICS if m != "cosine"])
def test_too_few_rows_for_parts_have_no_value_on_them(name):
    found = compute(name, *pair(9, d=2))
    assert found.quarter is None
