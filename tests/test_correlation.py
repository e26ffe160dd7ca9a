"""Metrics against independent computations, and the contract that all of them keep."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import cdist, cosine
from scipy.stats import ortho_group

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.correlation import Metric, to_rows
from freqmaps.correlation._api import check_pair
from freqmaps.correlation._pairs import permuted_products, sums
from freqmaps.correlation.metrics import cosine as cosine_metric
from freqmaps.correlation.metrics import distance_correlation, linear_cka

METRICS = components.names("metric")
COLUMNS = [
    *("value", "low", "high", "interval_method", "std", "p_value", "n", "n_dropped", "error", "error_method"),
    *("half", "half_sd", "quarter", "quarter_sd", "extra"),
]


def pair(n=80, d=6, seed=0, mix=0.5):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    y = mix * x @ rng.standard_normal((d, d)) + rng.standard_normal((n, d))
    return x.astype(np.float32), y.astype(np.float32)


def compute(name, x, y, **parameters):
    component = components.find("metric", name)
    return components.load("metric", name)(x, y, seed=0, **(dict(component.constants.get("TINY", {})) | parameters))


# --- contract ---------------------------------------------------------------------------------------------------------


def test_all_metrics_are_found():
    assert METRICS == [
        "cosine", "distance_correlation", "idcor", "idcor_cleaned", "idcor_released", "linear_cka", "svcca",
        "svcca_released",
    ]  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_defaults_and_tiny_parameters_are_valid(name):
    component = components.find("metric", name)
    for given in ({}, component.constants["TINY"]):
        components.resolve("metric", name, given, where="metrics.x", supplied=("seed",))
    assert set(component.constants["RANGES"]) <= set(component.parameters)


@pytest.mark.parametrize("name", METRICS)
def test_result_is_complete(name):
    x, y = pair()
    found = compute(name, x, y)
    assert isinstance(found, Metric)
    assert np.isfinite(found.value)
    assert found.n + found.n_dropped == len(x)
    assert found.error > 0
    assert found.error_method == "delete-half jackknife"
    row = to_rows(found)
    assert list(row) == COLUMNS
    assert all(isinstance(v, float) for v in json.loads(row["extra"]).values())


@pytest.mark.parametrize("name", METRICS)
def test_same_seed_same_numbers(name):
    x, y = pair()
    one, other = compute(name, x, y), compute(name, x, y)
    assert to_rows(one) == to_rows(other)


@pytest.mark.parametrize("name", METRICS)
def test_inputs_are_left_alone(name):
    x, y = pair()
    copies = x.copy(), y.copy()
    for array in (x, y):
        array.setflags(write=False)
    compute(name, x, y)
    assert np.array_equal(x, copies[0])
    assert np.array_equal(y, copies[1])


@pytest.mark.parametrize("name", METRICS)
def test_identical_matrices_are_fully_correlated(name):
    x, _ = pair(n=200)
    assert compute(name, x, x).value == pytest.approx(1, abs=2e-2 if name == "idcor" else 1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_order_of_rows_does_not_matter(name):
    x, y = pair(n=200)
    order = np.random.default_rng(1).permutation(len(x))
    assert compute(name, x, y).value == pytest.approx(compute(name, x[order], y[order]).value, abs=1e-5)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("place", "message"), [("x", "row 3 of x holds NaN"), ("y", "row 3 of y holds NaN or infinity")]
)
def test_nan_is_refused_with_its_row(name, place, message):
    arrays = dict(zip("xy", pair(), strict=True))
    arrays[place][3, 2] = np.nan if place == "x" else np.inf
    with pytest.raises(FreqmapsError, match=message):
        compute(name, **arrays)


@pytest.mark.parametrize("name", METRICS)
def test_unpaired_rows_are_refused(name):
    x, y = pair()
    with pytest.raises(FreqmapsError, match="x has 80 rows and y has 79"):
        compute(name, x, y[1:])


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_rows_are_no_crash(name, n):
    x, y = pair()
    found = compute(name, x[:n], y[:n])
    if name == "cosine" and n:
        assert np.isfinite(found.value)
        assert found.n == n
        return
    assert np.isnan(found.value)
    assert found.n + found.n_dropped == n
    assert json.loads(to_rows(found)["extra"])["reason"] == found.reason != ""


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("n", [3, 4, 5, 7, 9])
def test_small_samples_are_no_crash(name, n):
    x, y = pair(d=2)
    found = compute(name, x[:n], y[:n])
    assert np.isfinite(found.value) or found.reason
    assert found.error is not None or found.reason


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_constant_data_has_no_value(name, constant):
    x, y = np.full((30, 6), constant, np.float32), pair(30)[1]
    found = compute(name, x, y)
    if name == "cosine" and constant:
        assert np.isfinite(found.value)
        return
    assert np.isnan(found.value)
    assert found.reason


# Cosines compare raw maps, and the released SVCCA reduces them as they are.
@pytest.mark.parametrize("name", [m for m in METRICS if m not in ("cosine", "svcca_released")])
def test_constant_features_change_nothing(name):
    x, y = pair(150)
    wide = np.hstack([x, np.full((150, 3), 0.1, np.float32)])
    assert compute(name, wide, y).value == pytest.approx(compute(name, x, y).value, abs=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_duplicates_and_ties_are_no_crash(name):
    x, y = pair(40)
    found = compute(name, np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0))
    assert np.isfinite(found.value) or found.reason
    binary = compute(name, (x > 0).astype(np.float32), (y > 0).astype(np.float32))
    assert np.isfinite(binary.value) or binary.reason


def test_shapes_and_dtypes():
    x, y = pair()
    assert check_pair(x.astype(np.int64), y)[0].dtype == np.float32
    assert check_pair(x.astype(np.float64), y)[0].dtype == np.float64
    with pytest.raises(FreqmapsError, match="flatten"):
        check_pair(x.reshape(80, 2, 3), y)
    with pytest.raises(FreqmapsError, match="same width"):
        cosine_metric.compute(x, y[:, 1:], seed=0)


def test_rows_are_valid_json_whatever_the_figures():
    row = to_rows(Metric(np.nan, 0, extra={"a": np.nan, "b": np.inf, "c": 1.0}, reason="none"))
    assert json.loads(row["extra"]) == {"a": None, "b": None, "c": 1.0, "reason": "none"}


# --- cosine -----------------------------------------------------------------------------------------------------------


def test_cosine_equals_scipy():
    x, y = pair()
    found = cosine_metric.compute(x, y, seed=0)
    expected = np.array([1 - cosine(a, b) for a, b in zip(x.astype(float), y.astype(float), strict=True)])
    np.testing.assert_allclose(found.per_sample, expected, atol=1e-12)
    assert found.value == pytest.approx(expected.mean())
    assert found.std == pytest.approx(expected.std())
    assert found.error == pytest.approx(found.extra["standard_error"], rel=0.6)


def test_cosine_drops_and_counts_zero_rows():
    x, y = pair()
    x[5], y[9] = 0, 0
    found = cosine_metric.compute(x, y, seed=0)
    assert (found.n, found.n_dropped) == (78, 2)
    assert np.flatnonzero(np.isnan(found.per_sample)).tolist() == [5, 9]
    keep = np.delete(np.arange(80), [5, 9])
    assert found.value == pytest.approx(cosine_metric.compute(x[keep], y[keep], seed=0).value)


# --- linear CKA -------------------------------------------------------------------------------------------------------


def test_cka_equals_its_feature_space_form():
    x, y = pair(90, 7)
    a, b = (m.astype(np.float64) - m.mean(axis=0, dtype=np.float64) for m in (x, y))
    expected = np.linalg.norm(b.T @ a) ** 2 / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b)
    assert linear_cka.compute(x, y, seed=0).value == pytest.approx(expected, abs=1e-6)


def test_cka_of_a_rotated_scaled_shifted_copy_is_one():
    x, _ = pair(90, 7)
    copy = 3 * x @ ortho_group.rvs(7, random_state=0) + 1
    for debiased in (False, True):
        assert linear_cka.compute(x, copy, seed=0, debiased=debiased).value == pytest.approx(1, abs=1e-6)


def test_debiased_cka_equals_the_estimator_as_published():
    x, y = pair(50, 9)

    def hsic(k, m):  # Song et al. 2012, eq. 5
        n = len(k)
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        one = np.ones(n)
        terms = np.trace(k @ m) + one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2))
        return (terms - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))

    a, b = (m.astype(np.float64) @ m.T.astype(np.float64) for m in (x, y))
    expected = hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b))
    assert linear_cka.compute(x, y, seed=0, debiased=True).value == pytest.approx(expected, abs=1e-5)


def test_debiased_cka_of_unrelated_wide_data_is_zero():
    x, y = np.random.default_rng(0).standard_normal((2, 100, 2000)).astype(np.float32)
    assert linear_cka.compute(x, y, seed=0).value > 0.9
    assert abs(linear_cka.compute(x, y, seed=0, debiased=True).value) < 0.1


# --- distance correlation ---------------------------------------------------------------------------------------------


def slow_dcor_squared(x, y, corrected):
    """By centred distance matrices, as defined (2007, and 2013 with U-centring)."""
    centred = []
    for m in (x, y):
        d = cdist(m.astype(np.float64), m.astype(np.float64))
        n = len(d)
        if corrected:
            u = d - d.sum(0) / (n - 2) - d.sum(1)[:, None] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
            np.fill_diagonal(u, 0)
        else:
            u = d - d.mean(0) - d.mean(1)[:, None] + d.mean()
        centred.append(u)
    a, b = centred
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("block", [7, 512])
def test_distance_correlation_equals_its_definition(corrected, block):
    x, y = pair(60)
    found = distance_correlation.compute(x, y, seed=0, bias_corrected=corrected, permutations=5, block=block)
    squared = slow_dcor_squared(x, y, corrected)
    assert found.extra["squared"] == pytest.approx(squared, abs=1e-5)
    assert found.value == pytest.approx(np.sqrt(squared), abs=1e-5)


@pytest.mark.parametrize("corrected", [False, True])
def test_distance_correlation_p_value_equals_the_slow_test(corrected):
    x, y = pair(40, mix=0.12)
    found = distance_correlation.compute(x, y, seed=3, bias_corrected=corrected, permutations=19)
    from freqmaps.correlation._halves import permutations

    observed = slow_dcor_squared(x, y, corrected)
    permuted = np.array([slow_dcor_squared(x, y[p], corrected) for p in permutations(40, 19, 3)])
    assert found.p_value == (1 + (permuted >= observed).sum()) / 20


def test_distance_correlation_sees_what_is_not_linear():
    x = np.random.default_rng(0).standard_normal((300, 1))
    found = distance_correlation.compute(x, x**2, seed=0, permutations=49)
    assert found.value > 0.3
    assert found.p_value == pytest.approx(1 / 50)
    unrelated = distance_correlation.compute(x, np.random.default_rng(1).standard_normal((300, 1)), seed=0)
    assert abs(unrelated.value) < 0.2
    assert unrelated.p_value > 0.05


def test_bias_correction_in_high_dimension():
    x, y = np.random.default_rng(0).standard_normal((2, 60, 1500))
    assert distance_correlation.compute(x, y, seed=0, bias_corrected=False).value > 0.9
    assert distance_correlation.compute(x, y, seed=0).extra["squared"] == pytest.approx(0, abs=0.1)


def test_scale_does_not_matter():
    x, y = pair(60)
    for name in ("distance_correlation", "linear_cka"):
        small = compute(name, x * np.float32(1e-20), y * np.float32(1e15))
        assert small.value == pytest.approx(compute(name, x, y).value, abs=1e-5)


def test_sums_over_pairs_equal_numpy():
    rng = np.random.default_rng(0)
    a, b = (m + m.T for m in rng.random((2, 70, 70)).astype(np.float32))
    chosen = np.sort(rng.permutation(70)[:31]).astype(np.int32)
    u, v = (m[np.ix_(chosen, chosen)].astype(np.float64) for m in (a, b))
    found = sums(a, b, chosen)
    np.testing.assert_allclose(found.diagonal_a, np.diag(u))
    for m in (u, v):
        np.fill_diagonal(m, 0)
    assert [found.ab, found.aa, found.bb] == pytest.approx([(u * v).sum(), (u * u).sum(), (v * v).sum()])
    np.testing.assert_allclose(found.a, u.sum(axis=1))
    np.testing.assert_allclose(found.b, v.sum(axis=1))
    order = rng.permutation(70).astype(np.int32)
    full = a.astype(np.float64) * b[np.ix_(order, order)]
    assert permuted_products(a, b, order[None])[0] == pytest.approx(full.sum() - np.trace(full))
