"""IdCor by size and estimator: against scikit-dimension, against the metric itself, and on relations that are known."""

import math
import warnings

import numpy as np
import pytest

from freqmaps.correlation._distances import squared_distances
from freqmaps.correlation._levina_bickel import levina_bickel
from freqmaps.correlation._rows import standardised
from freqmaps.correlation.metrics import idcor, idcor_cleaned
from freqmaps.evaluation import checked, idcor_by_size


@pytest.mark.parametrize("k", [5, 20, 100])
def test_the_likelihood_estimate_is_that_of_scikit_dimension(k):
    import skdim.id

    points = np.random.default_rng(0).random((300, 3)) @ np.random.default_rng(1).random((3, 8))
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = skdim.id.MLE(K=k, neighborhood_based=True).fit(points, n_neighbors=k, comb="mle").dimension_
    assert levina_bickel(squared, k) == pytest.approx(expected, rel=0.02)
    slow = [math.log(math.sqrt(np.sort(row)[k - 1] / np.sort(row)[j])) for row in squared for j in range(k - 1)]
    assert levina_bickel(squared, k) == pytest.approx(1 / np.mean(slow), rel=1e-9)


def test_too_few_points_and_duplicates_have_no_estimate():
    assert math.isnan(levina_bickel(np.full((3, 3), np.inf), 3))
    assert math.isnan(levina_bickel(np.zeros((5, 5)), 2))


def planes(n=60, seed=0):
    """Maps of which the adversarial ones are a function of the essential ones, with small entries that are not."""
    generator = np.random.default_rng(seed)
    hidden = generator.random((n, 2))
    x, y = hidden @ generator.random((2, 16)), hidden @ generator.random((2, 16))
    small = [9e-4 * generator.random((n, 16)) for _ in range(2)]
    maps = [np.concatenate([m, s], axis=1).astype(np.float32).reshape(n, 1, 4, 8) for m, s in zip((x, y), small)]  # noqa: B905
    return (*maps, np.arange(n) % 3, np.arange(n) % 2 == 0)


def rows_of(monkeypatch, maps, **parameters):
    names = {"images": "adversarial", "attack": "pgd", "against": "self"}
    monkeypatch.setattr(idcor_by_size, "_pairs_of_maps", lambda *_: iter([(names, maps)]))
    options = {"smallest": 25, "permutations": 19, "neighbours": [5]} | parameters
    rows = checked(idcor_by_size.compute(None, None, seed=1, maps="x", **options), "mine").rows
    keys = ("pairs", "used", "entries", "reading", "estimator", "size")
    return {tuple(row[key] for key in keys): row for row in rows}


def test_values_of_all_images_are_those_of_the_metrics(monkeypatch):
    maps = planes()
    rows = rows_of(monkeypatch, maps)
    x, y = (m.reshape(60, -1) for m in maps[:2])
    for reading, metric in (("made", idcor), ("cleaned", idcor_cleaned)):
        row, expected = (
            rows["matched", "all", "all", reading, "twonn", 60],
            metric.compute(x, y, seed=1, permutations=19),
        )
        assert (row["value"], row["p_value"]) == (expected.value, expected.p_value)
        assert row["id_xy"] == expected.extra["id_xy"] and row["parts"] == 1
    a, b = (squared_distances(standardised(m), block=512, diagonal=np.inf) for m in (x, y))
    row = rows["matched", "all", "all", "made", "mle_5", 60]
    assert row["id_xy"] == levina_bickel(a + b, 5) and np.isnan(row["p_value"])


def test_parts_are_disjoint_and_small_entries_decide(monkeypatch):
    rows = rows_of(monkeypatch, planes())
    assert {key[-1] for key in rows if key[:2] == ("matched", "all")} == {25, 50, 60}
    assert rows["matched", "all", "all", "made", "twonn", 25]["parts"] == 2
    assert {key[-1] for key in rows if key[1] == "kept"} == {25, 30}
    made, cleaned = (rows["matched", "all", "all", reading, "mle_5", 60] for reading in ("made", "cleaned"))
    assert made["id_xy"] > cleaned["id_xy"] + 3
    assert cleaned["value"] > made["value"] + 0.1
    other = rows["same_class", "all", "all", "cleaned", "mle_5", 60]["value"]
    assert other < cleaned["value"] - 0.3


def test_the_origin_is_the_middle_entry_of_the_plane(monkeypatch):
    x, y, labels, kept = planes()
    cases = {tuple(case.values()): (a, b) for case, a, b in idcor_by_size._cases(x, y, labels, kept, 0)}
    np.testing.assert_array_equal(cases["matched", "all", "origin"][0][:, 0], x[:, 0, 2, 4])
    assert cases["matched", "all", "no_origin"][0].shape == (60, 31)
    np.testing.assert_array_equal(cases["matched", "kept", "all"][1], y[kept].reshape(30, -1))


def test_no_maps_and_few_maps_are_findings(monkeypatch):
    x, y, labels, kept = planes()
    rows = rows_of(monkeypatch, (x[:3], y[:3], labels[:3], kept[:3]))
    assert rows and all(np.isnan(row["value"]) and row["n"] == 0 for row in rows.values())
    monkeypatch.setattr(idcor_by_size, "_pairs_of_maps", lambda *_: iter([]))
    (row,) = checked(idcor_by_size.compute(None, None, seed=1, maps="x"), "mine").rows
    assert row["n"] == 0 and np.isnan(row["value"])
