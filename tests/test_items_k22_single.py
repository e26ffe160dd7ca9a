"""Items of Karantzas et al. on single images, from results that the workflow's scripts made."""

import json
from dataclasses import replace
from math import inf

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from scipy import stats

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.images import called
from freqmaps.inference.intervals import paired_change
from freqmaps.inference.verdicts import Claim, finding, trend
from freqmaps.papers.k22 import F5 as K22_F5
from freqmaps.papers.k22 import F6 as K22_F6
from freqmaps.papers.k22 import F7 as K22_F7
from freqmaps.papers.k22 import F8 as K22_F8
from freqmaps.papers.k22 import T2 as K22_T2
from freqmaps.papers.k22 import T3 as K22_T3
from freqmaps.papers.k22._exceeding import DESCRIBED, RELEASED, case_of
from freqmaps.papers.k22._single import drawn, evaluations, network_of, stretched, under
from freqmaps.publish import Inputs, Result
from freqmaps.publish.published import published
from freqmaps.publish.style import STYLE, new_figure
from tests import synthetic_study
from tests import tiny_results as tiny
from tests.latex import compiled, needs_latex
from tests.short_training import digits

LINEAR = {"maps": "tiny", "splits": 3, "shuffles": 4, "test_fraction": 0.3}
CLUSTERS = {"maps": "tiny", "neighbours": 4, "folds": 2, "permutations": 19, "score_neighbours": 3}


@pytest.fixture(scope="module", name="study")
def small_study(tmp_path_factory):
    made = tiny.make(tmp_path_factory.mktemp("single"))
    for place in (tiny.ROBUST, tiny.PLAIN):
        tiny.evaluation(made, place, "filtered_accuracy", "look", maps="tiny")
        tiny.evaluation(made, place, "linear_separability", "linear", **LINEAR)
        tiny.evaluation(made, place, "map_energy", "energy", maps="tiny", bands=6)
    tiny.evaluation(made, tiny.ROBUST, "filtered_accuracy", "look-attacked", maps="tiny", images="transferred")
    tiny.evaluation(
        made, tiny.ROBUST, "linear_separability", "few", maps="tiny", images="transferred", test_fraction=0.03
    )
    tiny.evaluation(made, tiny.PLAIN, "embedding", "plane", **CLUSTERS)
    return made


@pytest.fixture(scope="module")
def inputs(study):
    return Inputs.from_folders(list(study.folders.values()))


@pytest.fixture(scope="module")
def natural_alone(inputs):
    return Inputs([r for r in inputs.results if r.names.get("training", "plain") == "plain"])


def rows_of(study, name, place=tiny.PLAIN, file="evaluation.csv"):
    return pd.read_csv(study.folders["/".join(["evaluation", *place.values(), name])] / file, dtype={"sample": str})


@pytest.mark.parametrize("item", tiny.ITEMS)
def test_every_item_keeps_the_contract_and_gives_the_same_bytes(item, inputs, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        synthetic_study.check_item(item, inputs, tmp_path / name)
    for one in (tmp_path / "a").iterdir():
        assert one.read_bytes() == (tmp_path / "b" / one.name).read_bytes(), one.name
    sidecar = json.loads((tmp_path / "a" / f"{item}.json").read_text())
    assert sidecar["notes"] and (sidecar["kind"] == "table" or sidecar["alt"])


@needs_latex
def test_every_table_compiles(inputs, tmp_path):
    for item in ("K22-T2", "K22-T3"):
        synthetic_study.make_item(item, inputs, {}, tmp_path)
    said = compiled(tmp_path, *(path.read_text() for path in sorted(tmp_path.glob("*.tex"))))
    assert "Overfull \\hbox" not in said


@pytest.mark.parametrize("item", ["K22-F6", "K22-F8", "K22-T2", "K22-T3"])
def test_a_natural_network_alone_will_do(item, natural_alone, tmp_path):
    synthetic_study.check_item(item, natural_alone, tmp_path)


def test_figure_7_wants_both_networks(natural_alone):
    with pytest.raises(
        FreqmapsError, match="no adversarially trained network has energies of maps of images attacked on a"
    ):
        K22_F7.build(natural_alone)


# --- table 2


def test_table_2_repeats_the_evaluation(study, inputs):
    frame = K22_T2.build(inputs).frame
    assert frame["network"].tolist() == ["N"] * 6 + ["A"] * 12
    assert frame["images"].tolist() == ["essential"] * 12 + ["transferred"] * 6
    assert "maps_of" not in frame
    for (place, name), part in zip(
        ((tiny.PLAIN, "look"), (tiny.ROBUST, "look"), (tiny.ROBUST, "look-attacked")),
        (frame[:6], frame[6:12], frame[12:]),
        strict=True,
    ):
        by = rows_of(study, name, place).set_index(["filter", "data"])
        for row in part.to_dict("records"):
            for data in ("x", "x_A"):
                one = by.loc[(row["filter"], data)]
                assert (row[data], row[f"{data}_low"], row[f"{data}_n"]) == (one["value"], one["low"], one["n"])
            own = paired_change(int(one["gained"]), int(one["lost"]), int(one["n"]))
            assert (row["x_A_own"], row["x_A_own_high"]) == (own.change, own.high)
            every = by.loc[("map", "x_A")]
            if one["n"] == every["n"]:
                assert own.change == pytest.approx(every["value"] - one["value"])


def test_published_values_stand_in_their_cells_of_table_2(inputs):
    table = K22_T2.build(inputs)
    by = table.frame.set_index(["network", "images", "filter"])
    cells = {("none", "x"): 1.0, ("none", "x_A"): 0.0, ("map", "x"): 1.0, ("map", "x_A"): 0.5883}
    cells[("complement", "x")] = 0.544
    for (network, images, name), row in by.iterrows():
        for data in ("x", "x_A"):
            wanted = cells.get((name, data)) if (network, images) == ("N", "essential") else None
            found = row[f"published_{data}"]
            assert np.isnan(found) if wanted is None else found == wanted
    assert "dataset digits (published: five classes of Imagenette" in by.loc[("N", "essential", "map"), "scope"]
    assert by.loc[("A", "essential", "map"), "scope"] == ""


def test_table_2_says_who_is_left_out_and_what_holds(study, inputs):
    notes = " ".join(K22_T2.build(inputs).notes)
    some = rows_of(study, "look").iloc[0]
    assert (
        f"N, fgsm: {some['n']} images; left out are {some['unmapped']} without a map (it has them wrong) and " in notes
    )
    assert "A, fgsm made against plain, maps of x_A:" in notes and "or which its own network had wrong anyway" in notes
    by = rows_of(study, "look").set_index(["filter", "data"])
    reverted, complement = by.loc[("map", "x_A")], by.loc[("complement", "x")]
    bounds = published("K22-T2")["trend"]
    for row, region in ((reverted, (bounds["map_x_A"], inf)), (complement, (-inf, bounds["complement_x"]))):
        verdict = trend("claim", [(row["low"], row["high"])], "e", region=region).split(")")[1].split(":")[0]
        assert f"){verdict}: {100 * row['value']:.1f} %" in notes


# --- table 3


def test_table_3_repeats_the_evaluation(study, inputs):
    table = K22_T3.build(inputs)
    by = table.frame.set_index(["network", "images"])
    for label, place in (("N", tiny.PLAIN), ("A", tiny.ROBUST)):
        rows = rows_of(study, "linear", place).set_index(["labels", "part"])
        for labels in ("true", "shuffled"):
            for part in ("train", "test"):
                one, row = rows.loc[(labels, part)], by.loc[(label, "essential")]
                assert row[f"{labels}_{part}"] == one["value"] and row[f"{labels}_{part}_high"] == one["high"]
                assert row[f"{labels}_{part}_sd"] == pytest.approx(one["sd"])
    assert by.loc[("N", "essential"), "published_true_test"] == 0.8387
    assert np.isnan(by.loc[("A", "essential"), "published_true_test"])
    assert by.loc[("N", "essential"), "left_out"].count(":") == rows_of(study, "linear").iloc[0]["left_out"].count(":")
    assert not {"published", "called", "maps_of"} & set(table.frame)
    assert [c.name for c in table.shown()][:2] == ["attack", "network"]


def test_table_3_says_what_holds_and_what_has_no_value(study, inputs):
    notes = K22_T3.build(inputs).notes
    rows = rows_of(study, "linear").set_index(["labels", "part"])
    true, shuffled = rows.loc[("true", "test")], rows.loc[("shuffled", "test")]
    bound = max(shuffled["high"], true["chance"])
    verdict = "holds" if true["low"] >= bound else "does not hold" if true["high"] < bound else "cannot be told here"
    (sentence,) = [n for n in notes if "published trend" in n]
    assert f") {verdict}: {100 * true['value']:.1f} % (" in sentence and "p = 0.2" in sentence
    assert any(n.startswith("A, maps of fgsm@plain: no value (separability:") for n in notes)


# --- figure 7


def test_figure_7_counts_images_band_by_band(inputs):
    case = case_of(inputs)
    natural, attacked, clean = (
        inputs.maps(**place, maps="tiny", images=images, variables=["map"])
        for place, images in (
            (tiny.PLAIN, "essential"),
            (tiny.ROBUST, "transferred"),
            (tiny.ROBUST, "essential"),
        )
    )
    common = [s for s in natural["sample"].values if s in attacked["sample"].values and s in clean["sample"].values]
    assert 5 < len(common) == case.n
    assert case.counts == tuple(d.sizes["sample"] for d in (natural, attacked, clean))
    k = np.arange(8) - 4
    low = np.hypot(*np.meshgrid(k, k, indexing="ij")) < np.hypot(4, 4) / 2
    shares = []
    for reading, robust, binary, tied in ((DESCRIBED, attacked, False, 0.5), (RELEASED, clean, True, 0.0)):
        wins, counted, ties = 0.0, 0, 0
        for sample in common:
            one, other = (d.sel(sample=sample)["map"].values.astype(float)[0] for d in (robust, natural))
            if binary:
                other = np.where(other > 1e-8, 1.0, other)
            if not one.any() or not other.any():  # an empty mask has no shares
                continue
            counted += 1
            share, base = ((m[low] ** 2).sum() / (m**2).sum() for m in (one, other))
            ties += abs(share - base) <= 1e-12
            wins += 1.0 if share > base + 1e-12 else tied if abs(share - base) <= 1e-12 else 0.0
        found = case.low(reading)
        assert found.share[0] == pytest.approx(wins / counted) and found.ties[0] == ties
        interval = stats.binomtest(int(wins), counted).proportion_ci(0.95, "exact")
        if wins == int(wins):
            assert (found.low[0], found.high[0]) == pytest.approx((interval.low, interval.high))
        assert 5 < counted == found.n and found.n_dropped == len(common) - counted
        shares.append(found)
    assert shares[0].share[0] != shares[1].share[0], "binary masks have other energies"
    figure = K22_F7.build(inputs)
    assert [axes.get_title() for axes in figure.figure.axes] == ["as described", "as released", "", ""]
    for axes in figure.figure.axes:
        assert [len(line.get_xdata()) for line in axes.lines] == [6, 6, 2]
    notes = figure.notes
    assert f"{len(common)} images have all three masks" in notes[1]
    for reading, found, note in zip((DESCRIBED, RELEASED), shares, notes[2:4], strict=True):
        verdict = finding([(found.low[0], found.high[0])], (0.5, inf))
        assert isinstance(note, Claim) and note.verdict == verdict and note.place == reading.name
    assert f"{100 * found.share[0]:.1f} % ({100 * found.low[0]:.1f}–{100 * found.high[0]:.1f})" in notes[4]


def test_figure_7_with_more_rings_than_radii_leaves_some_out(study):
    results = [r for r in Inputs.from_folders(list(study.folders.values())).results if r.stage != "evaluation"]
    made = [
        tiny.evaluation(study, place, "map_energy", "energy-32", maps="tiny", bands=32)
        for place in (tiny.PLAIN, tiny.ROBUST)
    ]
    notes = K22_F7.build(Inputs([*results, *Inputs.from_folders(made).results])).notes
    assert "of 32 rings hold no frequency" in " ".join(notes)


# --- one network


def test_claims_that_rest_on_one_network_say_so(inputs):
    items = {K22_T2: 2, K22_T3: 1, K22_F7: 2, K22_F8: 1}
    for item, count in items.items():
        claims = [note for note in item.build(inputs).notes if isinstance(note, Claim)]
        assert len(claims) == count
        for claim in claims:
            assert claim.networks == 1
            assert claim.evidence.endswith(("; of this network alone", "; of one network of each training"))


def test_networks_of_one_training_are_told_apart_by_their_names(inputs):
    (one, *_, other) = evaluations(inputs, "filtered_accuracy")
    twin = replace(one, names={**one.names, "seed": "7"})
    assert [network_of(e, [one, twin, other]) for e in (one, twin, other)] == ["N, seed 0", "N, seed 7", "A"]
    assert network_of(one, [one, other]) == "N"


# --- figures 5 and 6


def test_figure_5_shows_masks_of_its_classes(study, inputs):
    shown = K22_F5._read(inputs, 4, 6, 0)
    labels = dict(zip((f"s{180 + i:03d}" for i in range(tiny.N)), digits(n=180)[3][: tiny.N].tolist(), strict=True))
    told = set(rows_of(study, "look", file="samples.csv")["sample"])
    assert shown.labels == sorted({labels[s] for s in told})[:6]
    store = inputs.maps(**tiny.PLAIN, maps="tiny", images="essential")
    groups = inputs.group_maps(**tiny.PLAIN, group_maps="tiny")
    for label in shown.labels:
        assert all(labels[s] == label and s in told for s in shown.ids[label])
        assert len(set(shown.ids[label])) == len(shown.ids[label]) <= 4
        for s in shown.ids[label]:
            assert np.array_equal(shown.masks[s], store.sel(sample=s)["map"].values)
        assert np.array_equal(shown.of_class[label], groups["map"].values[groups["label"].values == label][0])
    assert K22_F5._read(inputs, 4, 6, 1).ids != shown.ids, "another seed, other images"
    figure = K22_F5.build(inputs, masks=4, classes=6)
    below = figure.figure.axes[6 * 5 + 1 :]  # after the masks and their scale
    assert len(below) == 18 and below[0].get_xlabel().startswith("✓ digit ")
    assert all(axes.get_xlabel()[0] in "✓✗" for axes in below)


def test_figure_5_without_masks_of_classes_says_so(inputs):
    without = Inputs([r for r in inputs.results if r.stage != "group_maps"])
    assert "no masks of classes" in " ".join(K22_F5.build(without, masks=2, classes=2).notes)


def test_figure_6_has_a_row_for_each_kind_of_mask(study, inputs):
    rows = K22_F6._rows(inputs)
    assert [(r.evaluation.label, called(r.maps)) for r in rows] == [
        ("N", "essential"),
        ("A", "essential"),
        ("A", "fgsm@plain"),
    ]
    ids, labels = K22_F6._choose(rows, 3)
    samples = [set(rows_of(study, n, p, "samples.csv")["sample"]) for n, p in (
        ("look", tiny.PLAIN), ("look", tiny.ROBUST), ("look-attacked", tiny.ROBUST))]  # fmt: skip
    assert all(set(ids) <= s for s in samples) and labels == sorted(labels) and len(set(labels)) == 3
    figure = K22_F6.build(inputs, images=1)
    axes = figure.figure.axes
    assert len(axes) == 3 * 7
    told = rows_of(study, "look", file="samples.csv").set_index(["sample", "data", "filter"])
    one = K22_F6._choose(rows, 1)[0][0]
    for column, key in ((0, ("x", "none")), (1, ("x_A", "none")), (3, ("x", "map")), (4, ("x_A", "map"))):
        row = told.loc[(one, *key)]
        tick = "✓" if row["prediction"] == row["label"] else "✗"
        assert axes[column].get_xlabel() == rf"{tick} digit \${row['prediction']}\$ {row['probability']:.2f}"
    assert axes[2].get_xlabel().startswith("mean 0.")


def test_figures_of_nothing_say_so(inputs, monkeypatch):
    monkeypatch.setattr(Inputs, "evaluations", nothing_turned(Inputs.evaluations))
    with pytest.raises(FreqmapsError, match="of essential maps has an image"):
        K22_F5.build(inputs)
    with pytest.raises(FreqmapsError, match="no network has an image with a mask on which the attack succeeded"):
        K22_F6.build(inputs)
    assert "0 images; left out are" in " ".join(K22_T2.build(inputs).notes)


def nothing_turned(original):
    def read(self, kind, file="evaluation.csv"):
        return original(self, kind, file).assign(n=0, value=np.nan, low=np.nan, high=np.nan, lost=0, gained=0)

    return read


def test_figure_6_names_what_is_missing(inputs):
    def without(result: Result) -> bool:
        return result.names.get("evaluation") != "look-attacked"

    two = K22_F6._rows(Inputs([r for r in inputs.results if without(r)]))
    assert len(two) == 2
    none = replace(two[1], predictions={})
    with pytest.raises(FreqmapsError, match="no image has masks of all networks"):
        K22_F6._choose([two[0], none], 1)


def test_figures_take_images_with_three_channels(tmp_path):
    made = tiny.make(tmp_path / "rgb", channels=3)
    for place, name, of in ((tiny.PLAIN, "look", "essential"), (tiny.ROBUST, "attacked", "transferred")):
        tiny.evaluation(made, place, "filtered_accuracy", name, maps="tiny", images=of)
        tiny.evaluation(made, place, "map_energy", maps="tiny", bands=6)
    found = Inputs.from_folders(list(made.folders.values()))
    for item, parameters in (("K22-F5", {"masks": 2, "classes": 2}), ("K22-F6", {"images": 1}), ("K22-F7", {})):
        assert synthetic_study.make_item(item, found, parameters, tmp_path) == "figure"
    assert "means over the channels" in (tmp_path / "K22-F5.json").read_text()


def test_helpers_of_the_figures():
    assert drawn(["a", "b", "c"], 9, 3) == drawn(["a", "b", "c"], 3, 3) and len(set(drawn(["a", "b"], 2, 0))) == 2
    assert drawn([], 2, 0) == []
    image = np.array([[[-2.0, 0.0], [1.0, 2.0]]])
    assert stretched(image).tolist() == [[[0.0, 0.5], [0.75, 1.0]]]
    assert stretched(np.full((1, 2, 2), 7.0)).tolist() == [[[0.5, 0.5], [0.5, 0.5]]]
    with rc_context(STYLE):
        axes = new_figure(1, 1).subplots()
        under(axes, {"prediction": 0, "label": 1, "probability": 0.5}, ["English springer", "b"])
    assert axes.get_xlabel() == "✗ English spr… 0.50"


# --- figure 8


def test_figure_8_draws_every_point_once(study, inputs):
    figure = K22_F8.build(inputs)
    points = rows_of(study, "plane", file="samples.csv")
    for axes, what in zip(figure.figure.axes, ("maps", "responses"), strict=True):
        there = np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections])
        expected = points[[f"{what}_x", f"{what}_y"]].to_numpy()
        assert np.array_equal(there[np.lexsort(there.T)], expected[np.lexsort(expected.T)])
        signs = {(c.get_facecolor().tobytes(), len(c.get_paths()[0].vertices)) for c in axes.collections}
        assert len(signs) == points["label"].nunique(), "two classes look alike"
    rows = rows_of(study, "plane").set_index(["what", "space", "measure"])
    silhouette = rows.loc[("responses", "plane", "silhouette"), "value"]
    p_value = rows.loc[("responses", "plane", "purity"), "p_value"]
    verdict = "cannot be told here" if p_value > 0.05 else "holds" if silhouette >= 0 else "does not hold"
    notes = " ".join(figure.notes)
    assert f"cluster by class) {verdict}:" in notes
    assert f"{rows.loc[('maps', 'rows', 'purity'), 'value'] * 100:.1f} %" in notes


def test_figure_8_without_points_names_the_reason(inputs, tmp_path):
    (result,) = inputs.select("evaluation", evaluation="plane")
    names = dict(result.names)
    folder = tmp_path / "none"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(dict(result.manifest)))
    row = {
        "images": "essential",
        "attack": "none",
        "against": "self",
        "what": "maps",
        "space": "rows",
        "measure": "purity",
        "value": None,
        "n": 0,
    }
    row |= {"low": None, "high": None, "chance": None, "p_value": None, "left_out": 0, "reason": "too few of them"}
    pd.DataFrame([row]).to_csv(folder / "evaluation.csv", index=False)
    others = [r for r in inputs.results if r.stage != "evaluation"]
    with pytest.raises(FreqmapsError, match="no masks were embedded: too few of them"):
        K22_F8.build(Inputs([*others, Result("evaluation", names, folder, result.manifest)]))


def test_evaluations_come_natural_first(inputs):
    found = evaluations(inputs, "filtered_accuracy")
    assert [(e.label, e.names["evaluation"]) for e in found] == [("N", "look"), ("A", "look"), ("A", "look-attacked")]
    with pytest.raises(FreqmapsError, match="no evaluations of kind 'nothing'"):
        evaluations(inputs, "nothing")
