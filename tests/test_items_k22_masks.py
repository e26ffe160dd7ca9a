"""K22-T1, K22-X1, K22-F3, K22-F4 and K22-X2 on a study whose masks and counts are known."""

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
from freqmaps.papers.k22 import F3 as K22_F3
from freqmaps.papers.k22 import F4 as K22_F4
from freqmaps.papers.k22 import T1 as K22_T1
from freqmaps.papers.k22 import X1 as K22_X1
from freqmaps.papers.k22 import X2 as K22_X2
from freqmaps.papers.k22._masks import global_masks
from freqmaps.papers.k22._profiles import profiles_of, trends
from freqmaps.publish import Inputs
from freqmaps.publish.published import published
from freqmaps.spectra.bands import radial_energy
from freqmaps.spectra.profiles import low_share, profile_ranges
from freqmaps.stores.selection import Samples
from tests import synthetic_k22 as k22
from tests import synthetic_study

ITEMS = ("K22-T1", "K22-X1", "K22-X2", "K22-F3", "K22-F4")
LETTERS = dict(zip(k22.REGIMES, "NASTR", strict=True))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(k22.make(tmp_path_factory.mktemp("five")))


@pytest.fixture(scope="module")
def natural_alone(tmp_path_factory):
    return Inputs(k22.make(tmp_path_factory.mktemp("one"), ("plain",), seeds=1, starts=1))


@pytest.fixture(scope="module")
def two_regimes(tmp_path_factory):
    return Inputs(
        k22.make(tmp_path_factory.mktemp("two"), ("pgd-at", "plain"), seeds=1, starts=1, channels=3, size=9, bands=32)
    )


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


# --- Figure 3


def shown_planes(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def test_figure_3_shows_means_and_their_differences(inputs):
    made = K22_F3.build(inputs, center="none")
    planes = shown_planes(made.figure)
    expected = [np.mean([k22.mask(t, s, 0, 1, 8)[0] for s in (0, 1)], axis=0) for t in k22.REGIMES]
    for plane, mean in zip(planes[:5], expected, strict=True):
        assert np.allclose(plane, mean, atol=1e-7)
    for plane, mean in zip(planes[5:], expected[1:], strict=True):
        assert np.allclose(plane, mean - expected[0], atol=1e-7)
    limits = {axes.images[0].get_clim() for axes in made.figure.axes if axes.images}
    assert len(limits) == 2 and {low for low, _ in limits} == {0, -max(high for _, high in limits if high < 1)}
    centred = np.array(shown_planes(K22_F3.build(inputs).figure)[5:])
    assert centred.mean() == pytest.approx(0) and np.allclose(np.diff(centred - np.array(planes[5:])).ravel(), 0)
    ranged = np.array(shown_planes(K22_F3.build(inputs, center="range").figure)[5:])
    assert (ranged.min(), ranged.max()) == pytest.approx((-0.5, 0.5))


def test_figure_3_without_a_natural_network_or_with_it_alone(natural_alone, inputs):
    assert "No network but the natural one" in K22_F3.build(natural_alone).notes[-1]
    assert len(shown_planes(K22_F3.build(natural_alone).figure)) == 1
    others = Inputs([r for r in inputs.results if r.names.get("training") != "plain"])
    made = K22_F3.build(others)
    assert "nothing to take differences from" in made.notes[-1] and len(shown_planes(made.figure)) == 4


def test_figure_4_without_a_natural_network_says_nothing_of_trends(tmp_path):
    found = profiles_of(Inputs(k22.make(tmp_path, ("pgd-at", "turn"), seeds=1, starts=1)))
    assert trends(found) == [] and found.natural is None


def test_masks_that_are_not_there_are_named(inputs):
    with pytest.raises(FreqmapsError, match="no group map of all clean images for model 'nte'"):
        K22_F3.build(inputs, model="nte")
    with pytest.raises(FreqmapsError, match="no training result of 'plain'"):
        global_masks(Inputs(inputs.select("group_maps")))
    with pytest.raises(FreqmapsError, match="no energies of a mask of all clean images for model 'nte'; add an eval"):
        K22_F4.build(inputs, model="nte")
    with pytest.raises(FreqmapsError, match="no training result of 'plain'"):
        K22_F4.build(Inputs(inputs.select("evaluation")))


# --- Figure 4


def lines(axes):
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in axes.lines]


def test_figure_4_shows_shares_of_energy(inputs):
    made = K22_F4.build(inputs)
    panels = made.figure.axes
    k = np.arange(8) - 4
    radius = np.hypot(*np.meshgrid(k, k, indexing="ij"))
    ring = np.minimum((radius / np.hypot(4, 4) * 8 + 1e-9).astype(int), 7)
    shares = {}
    for training in k22.REGIMES:
        energy = np.array([k22.mask(training, s, 0, 1, 8)[0].astype(float) ** 2 for s in (0, 1)])
        shares[training] = np.array([[e[ring == b].sum() / e.sum() for b in range(8)] for e in energy])
    for column, training in enumerate(k22.REGIMES):
        x, y = lines(panels[column])[-1]
        assert np.allclose(y, 100 * shares[training].mean(axis=0), atol=1e-4)
        assert np.allclose(x, (np.arange(8) + 0.5) * np.hypot(4, 4) / 8)
        if training != "plain":
            _, difference = lines(panels[5 + column])[-1]
            assert np.allclose(difference, 100 * (shares[training] - shares["plain"]).mean(axis=0), atol=1e-4)
            band = panels[5 + column].collections[0].get_paths()[0].vertices[:, 1]
            sd = 100 * np.sqrt(shares[training].var(axis=0, ddof=1) + shares["plain"].var(axis=0, ddof=1))
            assert band.max() == pytest.approx((difference + sd).max(), abs=1e-4)


def test_figure_4_says_what_holds(inputs):
    notes = [n for n in K22_F4.build(inputs).notes if "published trend" in n]
    low = {t: [float(low_share(k22.mask(t, s, 0, 1, 8)[0].astype(float) ** 2)) for s in (0, 1)] for t in k22.REGIMES}
    welch = scipy_stats.ttest_ind(low["turn"], low["plain"], equal_var=False).confidence_interval(0.95)
    assert notes[0].startswith("The published trend (adversarial training moves the mask to low frequencies) holds")
    bounds = f"{100 * welch.low:+.1f} to {100 * welch.high:+.1f}".replace("-", "−")
    assert f"95 % interval over seeds {bounds}." in notes[2]
    assert "random rotations moves the mask to high frequencies) holds" in notes[2]
    assert "anisotropically) cannot be told here" in notes[3] and "with probability 0.33 at most" in notes[3]
    assert [note.networks for note in notes] == [2] * len(notes)
    assert len(notes) == len(published("K22-F4")["trends"])


def test_one_seed_cannot_tell_a_trend(two_regimes):
    made = K22_F4.build(two_regimes)
    notes = [n for n in made.notes if "published trend" in n]
    assert len(notes) == 2 and all("cannot be told here" in n for n in notes)
    assert (
        "no interval with fewer than two seeds" in notes[0] and "seeds of each nothing to hold it against" in notes[1]
    )
    assert not any(axes.collections for axes in made.figure.axes)
    assert any(n.endswith("hold no frequency of an image of this size and are left out.") for n in made.notes)


def test_empty_masks_are_left_out_and_counted(tmp_path):
    inputs = Inputs(k22.make(tmp_path, ("plain", "turn"), starts=1))
    result = inputs.select("group_maps", training="turn")[0]
    store = inputs.group_maps(**result.names)
    stores.write(result.folder / "store.zarr.zip", store.assign(map=store["map"] * 0), stores.GROUP_MAPS)
    k22.energies(tmp_path, result.names | {"training": "plain"}, inputs.results, 4)
    made = K22_F4.build(inputs)
    assert "1 of R's masks have no energy by radius; left out." in made.notes
    assert "cannot be told here" in made.notes[-1] and "cannot be told here" in made.notes[-2]
    frame = K22_X2.build(inputs, bands=4).frame
    whole = frame[frame["regime"] == "all"].set_index("differ")
    assert whole.loc["seed", "pairs"] == 2 and whole.loc["seed", "cosine_pairs"] == 1


# --- numbers behind it


def test_low_share_is_that_below_half_the_radius():
    rng = np.random.default_rng(0)
    for size in (8, 9, 32):
        plane = rng.random((3, size, size))
        k = np.arange(size) - size // 2
        radius = np.hypot(*np.meshgrid(k, k, indexing="ij"))
        inside = radius < np.hypot(size // 2, size // 2) / 2
        assert np.allclose(low_share(plane), plane[:, inside].sum(axis=1) / plane.sum(axis=(1, 2)))
        assert np.allclose(low_share(plane), radial_energy(plane, 8)[:, :4].sum(axis=1))
    assert isnan(low_share(np.zeros((4, 4))))


def test_profile_ranges_by_hand():
    between, within = profile_ranges([[0.1, 0.9], [0.2, 0.8]], [[0.5, 0.5]])
    assert between == pytest.approx([0.8, 0.6]) and within == pytest.approx([0.2])
    between, within = profile_ranges(np.ones((1, 4)), np.zeros((1, 4)))
    assert between.tolist() == [0] and len(within) == 0
    for first, second in ((np.ones(3), np.ones((1, 3))), (np.ones((1, 3)), np.ones((1, 2))), ([[np.nan]], [[1.0]])):
        with pytest.raises(FreqmapsError, match="profile ranges"):
            profile_ranges(first, second)


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
