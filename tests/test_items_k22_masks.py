"""K22-T1, K22-X1 and K22-X2 on a study whose masks and counts are known; its figures: test_items_k22_mask_figures."""

from math import isnan

import numpy as np
import pytest
import xarray as xr
from scipy import stats as scipy_stats

from freqmaps import stores
from freqmaps.core.errors import FreqmapsError
from freqmaps.evaluation.group_accuracy import compute
from freqmaps.inference.intervals import paired_change
from freqmaps.inference.verdicts import Claim
from freqmaps.papers.k22 import T1 as K22_T1
from freqmaps.papers.k22 import X1 as K22_X1
from freqmaps.papers.k22 import X2 as K22_X2
from freqmaps.publish import Inputs
from freqmaps.publish.published import published
from freqmaps.stores.selection import Samples
from tests import synthetic_k22 as k22
from tests import synthetic_study
from tests.synthetic_k22 import all_regimes, one_network, two_networks  # noqa: F401

ITEMS = ("K22-T1", "K22-X1", "K22-X2", "K22-F3", "K22-F4")
LETTERS = dict(zip(k22.REGIMES, "NASTR", strict=True))


# --- Table 1


def test_table_1_counts_by_hand(inputs):
    frame = K22_T1.build(inputs).frame.set_index("regime")
    assert "".join(frame.index) == "NASTR"
    for training, letter in LETTERS.items():
        row, right = frame.loc[letter], np.array([k22.RIGHT[training] - seed for seed in (0, 1)])
        masked = right - [k22.counts(training, seed, training, "map")[0] - 1 for seed in (0, 1)]
        assert row["accuracy"] == pytest.approx(right.mean() / k22.N)
        assert row["accuracy_sd"] == pytest.approx(right.std(ddof=1) / k22.N)
        assert row["filtered_accuracy"] == pytest.approx(masked.mean() / k22.N)
        wilson = [scipy_stats.binomtest(int(r), k22.N).proportion_ci(method="wilson") for r in right]
        assert row["accuracy_low"] == pytest.approx(np.mean([w.low for w in wilson]))
        assert row["complement"] == pytest.approx((right - 87).mean() / k22.N)
        assert row["shuffled"] == pytest.approx((right - 57).mean() / k22.N)
        assert row["change"] == pytest.approx(row["filtered_accuracy"] - row["accuracy"])
        bounds = [paired_change(2 + seed, 1, k22.N) for seed in (0, 1)]
        over_networks = scipy_stats.t.ppf(0.975, 1) * np.std([b.change for b in bounds], ddof=1) / np.sqrt(2)
        for end in ("low", "high"):
            over_images = np.mean([getattr(b, end) - b.change for b in bounds])
            expected = np.sign(over_images) * np.hypot(over_images, over_networks)
            assert row[f"change_{end}"] == pytest.approx(row["change"] + expected)
        maps = np.array([k22.mask(training, seed, 0, 1, 8) for seed in (0, 1)])
        assert row["mean_of_map"] == pytest.approx(maps.mean(), rel=1e-6)
        assert row["share_of_zeros"] == pytest.approx((maps == 0).mean())
        assert (row["epochs"], row["seeds"], row["n"]) == (20.5, 2, k22.N)


def test_published_values_stand_beside_table_1(inputs):
    table = K22_T1.build(inputs)
    frame = table.frame.set_index("regime")
    for row in published("K22-T1")["rows"]:
        assert frame.loc[row["row"], "published_accuracy"] == row["values"]["accuracy"]
    assert "regime adversarial with epsilon 0.125" in frame.loc["A", "scope"]
    assert "regime" not in frame.loc["R", "scope"]
    assert all(frame["within_tolerance"] == "")


def test_the_trend_of_table_1_is_decided_by_its_intervals(inputs, monkeypatch):
    def said():
        return next(n for n in K22_T1.build(inputs).notes if "published trend" in n)

    assert "at most 0.65 points in each regime) cannot be told here: N −0.75 (−4.96 to +3.23)" in said()
    monkeypatch.setitem(published("K22-T1"), "trend", 0.04)
    assert "at most 4.00 points in each regime) cannot be told here" in said()
    monkeypatch.setitem(published("K22-T1"), "trend", 0.05)
    assert "at most 5.00 points in each regime) holds" in said()
    assert "95 % over images and networks; " in said()
    assert said().endswith("McNemar's test finds a change in 0 of 10 networks.")
    assert (said().n, said().networks) == (k22.N, 2)


def test_networks_that_disagree_decide_no_trend(tmp_path, monkeypatch):
    def counts(training, seed, masks_of, name):
        return (0, 0) if name != "map" else (10, 0) if seed == 0 else (0, 10)

    monkeypatch.setattr(k22, "counts", counts)
    monkeypatch.setitem(published("K22-T1"), "trend", 0.1)
    table = K22_T1.build(Inputs(k22.make(tmp_path, ("plain",))))
    assert table.frame.loc[0, "change"] == 0 and table.frame.loc[0, "change_high"] > 0.6
    (claim,) = [note for note in table.notes if isinstance(note, Claim)]
    assert claim.verdict == "cannot be told here" and "in 2 of 2 networks" in claim


def test_one_network_has_the_interval_over_its_images(two_regimes):
    table = K22_T1.build(two_regimes)
    (claim,) = [note for note in table.notes if isinstance(note, Claim)]
    assert claim.networks == 1 and "95 % over images, of one network each; " in claim
    row, bounds = table.frame.iloc[0], paired_change(2, 1, k22.N)
    assert (row["change_low"], row["change_high"]) == pytest.approx((bounds.low, bounds.high))


def test_a_mask_that_costs_much_does_not_keep_the_trend(tmp_path, monkeypatch):
    monkeypatch.setattr(k22, "counts", lambda t, s, m, f: (40, 0) if f == "map" else (0, 0))
    table = K22_T1.build(Inputs(k22.make(tmp_path, ("plain", "turn"))))
    said = next(n for n in table.notes if "published trend" in n)
    assert "does not hold: N −20.00 (" in said and "in 4 of 4 networks" in said
    assert table.frame["networks_changed"].tolist() == [2, 2]


def test_masks_that_ran_out_of_epochs_are_counted(tmp_path):
    inputs = Inputs(k22.make(tmp_path, ("plain",), starts=1))
    assert not any("ran out of epochs" in n for n in K22_T1.build(inputs).notes)
    result = inputs.select("group_maps", seed="1")[0]
    store = inputs.group_maps(**result.names)
    stores.write(result.folder / "store.zarr.zip", store.assign(converged=~store["converged"]), stores.GROUP_MAPS)
    assert "The stopping rule ended 1 of 2 masks; the others ran out of epochs." in K22_T1.build(inputs).notes


def test_one_seed_has_bounds_instead_of_a_spread(two_regimes):
    table = K22_T1.build(two_regimes)
    assert table.frame["regime"].tolist() == ["N", "A"]
    assert table.frame["accuracy_sd"].isna().all()
    assert {"accuracy_low", "filtered_accuracy_high"} <= {c.name for c in table.shown()}


def test_several_models_are_rows_of_one_table(tmp_path):
    both = [r for model in "ab" for r in k22.make(tmp_path / model, ("plain",), seeds=1, model=model)]
    table = K22_T1.build(Inputs(both))
    assert table.frame["model"].tolist() == ["a", "b"] and table.shown()[0].name == "model"
    assert sum(note.startswith("toy, b, global: The published trend") for note in table.notes) == 1
    assert K22_X1.build(Inputs(both)).frame["model"].tolist() == ["a", "b"]


def test_accuracies_name_what_is_not_there(inputs, tmp_path):
    with pytest.raises(FreqmapsError, match="no evaluations of kind 'group_accuracy'"):
        K22_T1.build(Inputs([r for r in inputs.results if r.stage != "evaluation"]))
    with pytest.raises(FreqmapsError, match=r"two evaluations of plain, seed 0, .*select one"):
        K22_X1.build(Inputs([*inputs.results, *inputs.select("evaluation")]))
    foreign = k22.make(tmp_path, ("plain", "turn"), seeds=1)
    for result in foreign:
        if result.stage == "evaluation":
            path = result.folder / "evaluation.csv"
            lines = path.read_text().splitlines()
            own = result.names["training"]
            path.write_text("\n".join(line for line in lines if not line.startswith(f"{own},")) + "\n")
    with pytest.raises(FreqmapsError, match="no network was evaluated under its own mask"):
        K22_T1.build(Inputs(foreign))


# --- the evaluation behind it


class OneOfTwo:
    """A network that says 1 where an image's mean is above a half."""

    classifier = None  # asked only by maps that filter after the normalisation

    def __init__(self, images, labels):
        self.names = {"dataset": "toy", "model": "net", "training": "plain", "seed": "0"}
        self.samples = Samples(images, labels, [str(i) for i in range(len(labels))], np.arange(len(labels)))

    def predict(self, images):
        return (images.mean(axis=(1, 2, 3)) > 0.5).astype(np.int64)


def test_the_evaluation_counts_what_a_filter_loses_and_gains(tmp_path):
    inputs = Inputs(k22.make(tmp_path, ("plain",), seeds=1, starts=1))
    result = inputs.select("group_maps")[0]
    store = inputs.group_maps(**result.names)
    half = xr.zeros_like(store["map"])
    half[..., 4, 4] = 0.5
    half[..., 4, 3], half[..., 4, 5] = 1.0, 1.0
    stores.write(result.folder / "store.zarr.zip", store.assign(map=half), stores.GROUP_MAPS)
    means, labels = np.array([0.2, 0.8, 0.9, 0.7, 0.3]), np.array([0, 1, 0, 1, 1])
    images = np.ones((5, 1, 8, 8), np.float32) * means[:, None, None, None].astype(np.float32)
    rows = {row["filter"]: row for row in compute(inputs, OneOfTwo(images, labels), seed=0, group_maps="global")}
    # Means are halved: images 1 and 3 are lost, image 2 is gained.
    assert (rows["none"]["value"], rows["none"]["lost"], rows["none"]["gained"]) == (0.6, 0, 0)
    assert (rows["map"]["value"], rows["map"]["lost"], rows["map"]["gained"]) == (0.4, 2, 1)
    for row in rows.values():
        assert row["value"] == pytest.approx(0.6 + (row["gained"] - row["lost"]) / 5)


# --- under each other's masks


def test_cross_application_by_hand(inputs):
    table = K22_X1.build(inputs)
    frame = table.frame.set_index("regime")
    for training, letter in LETTERS.items():
        for other, column in LETTERS.items():
            lost = np.array([k22.counts(training, seed, other, "map")[0] for seed in (0, 1)])
            right = np.array([k22.RIGHT[training] - seed for seed in (0, 1)]) - lost + 1
            assert frame.loc[letter, f"mask_{column}"] == pytest.approx(right.mean() / k22.N)
            assert frame.loc[letter, f"change_{column}"] == pytest.approx((1 - lost.mean()) / k22.N)
    assert table.notes[-1] == (
        "A network's own mask is the best of all for 5 of 5 regimes (N, A, S, T, R): own masks change the accuracy by "
        "−0.75 to −0.75 points, others' by −20.75 to −5.75, means over seeds."
    )


def test_cross_application_of_one_regime_says_so(natural_alone):
    table = K22_X1.build(natural_alone)
    assert "No network was evaluated under another regime's mask" in table.notes[-1]
    assert [c.name for c in table.shown()] == ["regime", "none", "mask_N", "seeds", "n"]


# --- stability


def test_stability_by_hand(inputs):
    table = K22_X2.build(inputs, bands=8, permutations=199)
    frame = table.frame.set_index(["differ", "regime"])

    def flat(training, seed, start):
        return k22.mask(training, seed, start, 1, 8).astype(float).ravel()

    def cosine(a, b):
        return a @ b / np.sqrt((a @ a) * (b @ b))

    own = [cosine(flat("turn", s, 0), flat("turn", s, 1)) for s in (0, 1)]
    assert frame.loc[("initial value", "R"), "cosine"] == pytest.approx(np.mean(own))
    assert frame.loc[("initial value", "R"), "cosine_least"] == pytest.approx(np.min(own))
    seeds = np.corrcoef(flat("zoom", 0, 0), flat("zoom", 1, 0))[0, 1]
    assert frame.loc[("seed", "S"), "pearson"] == pytest.approx(seeds)
    names = list(k22.REGIMES)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    across = [cosine(flat(a, s, 0), flat(b, r, 0)) for a, b in pairs for s in (0, 1) for r in (0, 1)]
    assert frame.loc[("regime", "all"), "pairs"] == 40
    assert frame.loc[("regime", "all"), "cosine"] == pytest.approx(np.mean(across))
    one, other = (np.sort(flat("move", s, 0))[-6] <= flat("move", s, 0) for s in (0, 1))
    assert frame.loc[("seed", "T"), "top"] == pytest.approx((one & other).sum() / 6, abs=0.17)
    assert frame.loc[("regime", "all"), "cosine_p"] <= 0.02
    start, seed = frame.loc[("initial value", "all"), "pearson"], frame.loc[("seed", "all"), "pearson"]
    assert f"initial value {start:.3f}, by seed {seed:.3f}, by regime" in table.notes[-3]
    (claim,) = [note for note in table.notes if isinstance(note, Claim)]
    assert claim.n == frame.loc[("initial value", "all"), "pairs"] and "over 5 regimes" in claim


def test_stability_of_one_mask_and_of_constant_ones(natural_alone, tmp_path):
    table = K22_X2.build(natural_alone)
    assert table.frame.empty and "nothing to compare it with" in table.notes[-1]
    inputs = Inputs(k22.make(tmp_path, ("plain",), seeds=2, starts=1))
    for result in inputs.select("group_maps"):
        store = inputs.group_maps(**result.names)
        stores.write(result.folder / "store.zarr.zip", store.assign(map=store["map"] * 0 + 1), stores.GROUP_MAPS)
    table = K22_X2.build(inputs)
    row = table.frame.set_index(["differ", "regime"]).loc[("seed", "all")]
    assert row["cosine"] == 1 and isnan(row["pearson"]) and row["pearson_pairs"] == 0
    assert "nothing tells the regime's part from the seed's" in table.notes[-1]


# --- files


@pytest.mark.parametrize("item", ITEMS)
def test_items_are_made_of_few_and_of_many_results(item, inputs, natural_alone, two_regimes, tmp_path):
    for number, some in enumerate((inputs, natural_alone, two_regimes)):
        folder = tmp_path / str(number)
        folder.mkdir()
        synthetic_study.make_item(item, some, {}, folder)
        assert all(p.stat().st_size > 100 for p in folder.iterdir())
