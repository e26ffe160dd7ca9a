"""Evaluations of maps alone, on maps made up here: linear separability, and too few maps for it or an embedding."""

import numpy as np
import pytest
from scipy import stats

from freqmaps.core.images import images_of
from freqmaps.evaluation import checked, embedding, linear_separability
from freqmaps.evaluation._mapped import Mapped
from freqmaps.inference.proportions import wilson


def classes_apart(n=60, classes=3, seed=0, noise=0.05):
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    rows = np.eye(classes, 8)[labels] + noise * generator.random((n, 8))
    return Mapped(images_of("essential"), [f"s{i}" for i in range(n)], labels, rows.astype(np.float32))


def separated(monkeypatch, found, **parameters):
    monkeypatch.setattr(linear_separability, "mapped", lambda *_: found)
    rows = checked(linear_separability.compute(None, None, seed=1, maps="tiny", **parameters), "mine").rows
    return {(row["labels"], row["part"]): row for row in rows}


def test_classes_apart_are_told_and_shuffled_ones_are_not(monkeypatch):
    by = separated(monkeypatch, [classes_apart()], splits=5, shuffles=9)
    true, chance = by["true", "test"], by["shuffled", "test"]
    assert true["value"] == 1 and (true["low"], true["high"]) == wilson(9, 9)
    assert (true["n"], by["true", "train"]["n"], true["per_class"]) == (9, 51, 20)
    assert true["p_value"] == pytest.approx(0.1) and true["chance"] == pytest.approx(1 / 3)
    assert chance["low"] < 1 / 3 < chance["high"] < 0.7


def test_the_interval_of_overlapping_splits_is_the_corrected_one(monkeypatch):
    by = separated(monkeypatch, [classes_apart(noise=3.0)], splits=12, shuffles=0, test_fraction=0.25)
    row = by["true", "test"]
    assert row["sd"] > 0 and row["n"] == 15
    half = stats.t.ppf(0.975, 11) * row["sd"] * np.sqrt(1 / 12 + 15 / 45)
    assert (row["low"], row["high"]) == pytest.approx((max(row["value"] - half, 0), min(row["value"] + half, 1)))
    assert np.isnan(row["p_value"]) and np.isnan(by["shuffled", "test"]["value"])


def test_too_few_maps_are_a_finding(monkeypatch):
    few = classes_apart(3)
    assert all("two are needed" in row["reason"] and row["n"] == 0 for row in separated(monkeypatch, [few]).values())
    nothing = Mapped(
        images_of("transferred", "fgsm", "plain"), [], np.zeros(0, np.int64), np.zeros((0, 40), np.float32)
    )
    assert all(np.isnan(row["value"]) for row in separated(monkeypatch, [nothing]).values())
    for found in (few, nothing):
        monkeypatch.setattr(embedding, "mapped", lambda *_, found=found: [found])
        told = checked(embedding.compute(None, None, seed=0, maps="tiny"), "mine")
        assert len(told.rows) == 4 and not told.samples
        assert all(row["reason"] and np.isnan(row["value"]) and row["n"] == 0 for row in told.rows)


def test_classes_left_out_are_named(monkeypatch):
    found = classes_apart(41, classes=2)
    labels = found.labels.copy()
    labels[:2] = 7
    by = separated(monkeypatch, [Mapped(images_of("essential"), found.ids, labels, found.rows)], splits=2, shuffles=1)
    assert by["true", "test"]["left_out"] == "7: 2" and by["true", "test"]["classes"] == 2
