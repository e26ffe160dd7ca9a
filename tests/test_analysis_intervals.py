"""Intervals: Student's against SciPy, Tango's against its definition by a search, McNemar's against SciPy."""

from math import isnan, nan, sqrt

import numpy as np
import pytest
from scipy import optimize, stats

from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.intervals import difference_interval, mean_interval, paired_change

Z = stats.norm.ppf(0.975)


@pytest.mark.parametrize("values", [[0.1, 0.4], [1.0, 2.0, 4.0, nan], list(range(20))])
def test_a_mean_interval_is_students(values):
    known = [v for v in values if not isnan(v)]
    found = mean_interval(values)
    expected = stats.t.interval(0.95, len(known) - 1, np.mean(known), stats.sem(known))
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.mean, found.sd, found.n) == pytest.approx((np.mean(known), np.std(known, ddof=1), len(known)))


def test_a_mean_of_one_or_none_has_no_interval():
    one, none = mean_interval([0.5]), mean_interval([nan])
    assert (one.mean, one.n) == (0.5, 1) and isnan(one.low) and isnan(one.sd)
    assert isnan(none.mean) and none.n == 0
    same = mean_interval([2.0, 2.0, 2.0])
    assert (same.low, same.high, same.sd) == (2.0, 2.0, 0.0)


@pytest.mark.parametrize(
    ("a", "b"), [([1.0, 2.0], [0.5, 0.9]), ([3.0, 4.0, 4.5], [1.0, 9.0]), ([1.0, nan, 2.0], [2.0, 2.5])]
)
def test_a_difference_interval_is_welchs(a, b):
    known = [[v for v in values if not isnan(v)] for values in (a, b)]
    expected = stats.ttest_ind(*known, equal_var=False).confidence_interval(0.95)
    found = difference_interval(a, b)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.mean == pytest.approx(np.mean(known[0]) - np.mean(known[1]))
    assert found.sd == pytest.approx(np.sqrt(np.var(known[0], ddof=1) + np.var(known[1], ddof=1)))


def test_a_difference_of_too_few_or_equal_values():
    few = difference_interval([1.0], [0.5, 0.7])
    assert few.mean == pytest.approx(0.4) and isnan(few.low) and isnan(few.sd) and few.n == 1
    assert isnan(difference_interval([], [1.0]).mean)
    same = difference_interval([2.0, 2.0], [1.5, 1.5])
    assert (same.mean, same.low, same.high, same.sd) == (0.5, 0.5, 0.5, 0.0)


def score(lost, gained, n, delta):
    """Tango's statistic with the restricted estimate found by a search over the likelihood."""

    def unlikely(q):
        parts = [(lost, q), (gained, q + delta), (n - lost - gained, 1 - 2 * q - delta)]
        return -sum(k * np.log(max(p, 1e-300)) for k, p in parts if k)

    low, high = max(0.0, -delta), (1 - delta) / 2
    q = optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (gained - lost - n * delta) / sqrt(n * (2 * q + delta * (1 - delta)))


@pytest.mark.parametrize(("lost", "gained", "n"), [(3, 1, 40), (12, 5, 1258), (0, 4, 30), (20, 20, 60), (7, 0, 9)])
def test_the_bounds_solve_tangos_equation(lost, gained, n):
    found = paired_change(lost, gained, n)
    assert found.change == pytest.approx((gained - lost) / n)
    assert score(lost, gained, n, found.low) == pytest.approx(Z, abs=2e-3)
    assert score(lost, gained, n, found.high) == pytest.approx(-Z, abs=2e-3)


def test_where_nothing_changed_the_interval_is_not_empty():
    found = paired_change(0, 0, 100)
    bound = Z**2 / (100 + Z**2)
    assert (found.change, found.p_value) == (0, 1)
    assert (found.low, found.high) == pytest.approx((-bound, bound))
    swapped, straight = paired_change(2, 9, 100), paired_change(9, 2, 100)
    assert (swapped.low, swapped.high) == pytest.approx((-straight.high, -straight.low))
    assert all(isnan(v) for v in vars(paired_change(0, 0, 0)).values())


def test_everything_lost_reaches_the_end():
    found = paired_change(10, 0, 10)
    # Nothing but losses: the interval is that of one proportion p, Wilson's, as Δ = 1 - 2 p.
    wilson = stats.binomtest(10, 10).proportion_ci(method="wilson")
    assert found.change == found.low == -1 and found.high == pytest.approx(1 - 2 * wilson.low)


@pytest.mark.parametrize(("lost", "gained"), [(0, 5), (3, 8), (6, 6), (500, 450)])
def test_mcnemars_test_is_the_binomial_one(lost, gained):
    assert paired_change(lost, gained, 2000).p_value == pytest.approx(
        stats.binomtest(gained, lost + gained, 0.5).pvalue
    )


def test_it_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    p = np.array([0.05, 0.02, 0.93])  # lost, gained, neither
    drawn = rng.multinomial(150, p, size=600)
    hit = [one.low <= -0.03 <= one.high for one in (paired_change(int(a), int(b), 150) for a, b, _ in drawn)]
    assert 0.92 < np.mean(hit) < 0.98


def test_counts_that_cannot_be_are_refused():
    for counts in ((-1, 0, 3), (2, 2, 3)):
        with pytest.raises(FreqmapsError, match="cannot be"):
            paired_change(*counts)
