"""K22-F3 and K22-F4, the figures of masks of all images, on a study whose masks are known."""

from math import isnan

import numpy as np
import pytest
from scipy import stats as scipy_stats

from freqmaps import stores
from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.k22 import F3 as K22_F3
from freqmaps.papers.k22 import F4 as K22_F4
from freqmaps.papers.k22 import X2 as K22_X2
from freqmaps.papers.k22._masks import global_masks
from freqmaps.papers.k22._profiles import profiles_of, trends
from freqmaps.publish import Inputs
from freqmaps.publish.published import published
from freqmaps.spectra.bands import radial_energy
from freqmaps.spectra.profiles import low_share, profile_ranges
from tests import synthetic_k22 as k22
from tests.synthetic_k22 import all_regimes, one_network, two_networks  # noqa: F401

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
