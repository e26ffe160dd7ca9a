"""The matched cosine in parts, B25-X2, and rows of several networks, on studies whose numbers are known."""

from dataclasses import replace
from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.b25 import T1 as B25_T1
from freqmaps.papers.b25 import T3 as B25_T3
from freqmaps.papers.b25 import X1 as B25_X1
from freqmaps.papers.b25 import X2 as B25_X2
from freqmaps.papers.b25._controls import in_words
from freqmaps.publish import NothingToShow
from freqmaps.publish.latex import latex
from freqmaps.publish.networks import over_networks
from freqmaps.publish.pairings import cases, rows
from freqmaps.publish.parts import PARTS, SUMMED, decomposition, ranking
from freqmaps.publish.report import summary_lines
from freqmaps.publish.report._key_figures import cards
from freqmaps.results.reader import Inputs
from tests import synthetic_study
from tests.test_items_controls import MEAN, N, kind, make


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(make(tmp_path_factory.mktemp("parts"), seeds=("0", "1")))


def parts_of(inputs, attack="fmn"):
    found = cases(rows(inputs, B25_X1.METRICS, None))
    return decomposition(inputs, next(case for key, case in found.items() if key[1] == attack))


# --- parts of the cosine ----------------------------------------------------------------------------------------------


def test_parts_add_up_to_the_matched_cosine(inputs):
    found = parts_of(inputs)
    assert found.n == N - 3
    assert sum(found.parts[name].value.value for name in SUMMED) == pytest.approx(found.whole.value)
    assert sum(found.parts[name].share.value for name in SUMMED) == pytest.approx(1)
    expected = {"image": 0.15, "class": 0.1, "common": 0.2, "spectrum": 0.18, "network": 0.3, "attack": 0.25}
    assert {k: p.value.value for k, p in found.parts.items()} == pytest.approx(expected, abs=0.02)
    assert set(found.parts) == set(PARTS) and set(found.kept) == {kind(name) for name in MEAN} - {"matched"}
    assert found.kept["noise"].share.value == pytest.approx(0.7 / 0.45, rel=0.03)


def test_their_intervals_are_those_of_the_differences_image_by_image(inputs):
    found = parts_of(inputs)
    fmn = [row for row in rows(inputs, ["cosine"], ["fmn"]) if row["seed"] == "0"]
    series = {
        row["control"]: inputs.per_sample(**{k: row[k] for k in (*synthetic_study.PLACE, "maps", "attack", "pairing")})
        for row in fmn
    }
    each = {name: frame.set_index("sample")["value"].sort_index() for name, frame in series.items()}
    for name in ("image", "class", "network", "attack"):
        first, without = PARTS[name]
        change = each[first] - each[without]
        expected = stats.t.interval(
            0.95, len(change) - 1, loc=change.mean(), scale=change.std(ddof=1) / sqrt(len(change))
        )
        bounds = found.parts[name].value
        assert (bounds.low, bounds.high) == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]))
    # A ratio of means: the delta method, with the images' common spread.
    top, whole = each["other_class"], each["matched"]
    share = top.mean() / whole.mean()
    error = (top - share * whole).std(ddof=1) / sqrt(len(top)) / whole.mean()
    common = found.parts["common"].share
    assert common.value == pytest.approx(share)
    assert (common.high - common.low) == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_only_images_of_all_pairings_count(inputs, tmp_path):
    made = make(tmp_path, attacks=("fmn",), metrics=("cosine",))
    half = next(r for r in made if r.stage == "correlation" and r.names["pairing"] == "noise")
    frame = pd.read_csv(half.folder / "per_sample.csv")
    frame[frame["sample"].str[1:].astype(int) < 100].to_csv(half.folder / "per_sample.csv", index=False)
    assert parts_of(Inputs(made)).n == 97
    frame[:2].to_csv(half.folder / "per_sample.csv", index=False)
    assert parts_of(Inputs(made)) is None


def test_intervals_that_overlap_are_said_to(tmp_path, monkeypatch, inputs):
    assert parts_of(inputs).overlapping() == []
    assert ranking(parts_of(inputs)) == "the largest part is what images of other classes have in common"
    monkeypatch.setitem(MEAN, "same", 0.3249)
    monkeypatch.setitem(MEAN, "matched", 0.45)
    found = parts_of(Inputs(make(tmp_path, attacks=("fmn",))))
    assert found.overlapping() == [("image", "class")]
    assert ranking(found).startswith("the largest part is what images of other classes have in common; intervals over")
    assert ranking(found).endswith("cannot be ranked: the image and the class")
    even = replace(found, parts={**found.parts, "common": found.parts["class"]})
    assert ranking(even).startswith("no part is the largest; ")


def test_a_share_of_what_may_be_nothing_has_no_interval(tmp_path, monkeypatch):
    monkeypatch.setitem(MEAN, "matched", 0.0)
    found = parts_of(Inputs(make(tmp_path, attacks=("fmn",))))
    assert all(isnan(part.share.value) for part in found.parts.values())
    assert all("%" not in sentence for sentence in in_words(found))
    assert not found.whole.clear or abs(found.whole.value) < 0.02
    assert not [card for card in cards(Inputs(make(tmp_path / "b", attacks=("fmn",)))) if "cosine" in card[1]]


def test_the_report_says_it_in_one_card(inputs):
    value, label, told = next(card for card in cards(inputs) if "cosine" in card[1])
    share = parts_of(inputs).parts["image"].share
    assert value == f"{100 * share.value:.0f} %" and label.endswith("left for the image (fmn)")
    assert f"the image {100 * share.value:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]" in told
    assert told.endswith("; the largest part is what images of other classes have in common.")


def test_studies_without_controls_or_cosines_have_no_card(tmp_path):
    for number, chosen in enumerate(({"names": ("matched",)}, {"metrics": ("svcca",)})):
        made = make(tmp_path / str(number), attacks=("fmn",), **chosen)
        assert not [card for card in cards(Inputs(made)) if "cosine" in card[1]]


# --- B25-X2 -----------------------------------------------------------------------------------------------------------


def drawn(axes, mark, fill="full"):
    """The places of marks on a panel."""
    lines = [line for line in axes.lines if line.get_marker() == mark and line.get_fillstyle() == fill]
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines if not isnan(line.get_xdata()[0])
    ]


def test_the_figure_shows_each_metric_by_pairing_with_intervals(inputs):
    figure = B25_X2.build(inputs, attack="pgd", seed=0)
    cosine, svcca, parts = figure.figure.axes
    assert (cosine.get_title(), svcca.get_title()) == ("Cosine", "SVCCA")
    labels = [text.get_text() for text in cosine.get_yticklabels()]
    assert labels == ["matched", "same class", "other class", "random bands", "other network", "noise"]
    assert drawn(svcca, "o") == [(pytest.approx(0.225), 0)]
    assert [x for x, _ in drawn(svcca, "s")] == pytest.approx([0.15, 0.1, 0.09])
    assert [x for x, _ in drawn(svcca, "^")] == pytest.approx([0.2, 0.35])
    ends = [segment[:, 0].tolist() for c in svcca.collections for segment in c.get_segments()]
    assert ends[0] == pytest.approx([0.225 - 0.03, 0.225 + 0.02])
    assert len(drawn(svcca, "s", "none")) == 3  # the other network's
    bare = Inputs([r for r in inputs.results if r.names["pairing"] == "matched" or r.names.get("metric") != "svcca"])
    assert [axes.get_title() for axes in B25_X2.build(bare).figure.axes] == ["Cosine", ""]
    assert "Open marks: seed 1." in figure.notes and "attack pgd" in figure.notes[0]
    widths = [bar.get_width() for bar in parts.patches]
    assert sum(widths[:3]) == pytest.approx(100)
    assert "% of the matched cosine" in parts.get_xlabel()


def test_readings_of_idcor_share_an_axis_of_the_figure(tmp_path):
    readings = ("idcor", "idcor_cleaned", "idcor_released")
    made = make(tmp_path, attacks=("fmn",), names=("matched", "same"), metrics=("svcca", *readings))
    figure = B25_X2.build(Inputs(made))
    above, *below = figure.figure.axes
    assert above.get_title() == "SVCCA"
    assert [axes.get_title() for axes in below] == ["IdCor, as made", "IdCor, cleaned", "IdCor, released constant"]
    assert all(axes.get_shared_x_axes().joined(axes, below[0]) for axes in below)
    assert not above.get_shared_x_axes().joined(above, below[0])
    assert all(len(drawn(axes, "o")) == len(drawn(axes, "s")) == 1 for axes in (above, *below))
    told = next(note for note in figure.notes if "what is left" in note)
    assert all(f"{axes.get_title()} 0.225: same class" in told for axes in below)


def test_the_figure_marks_chance_and_does_without_parts(tmp_path):
    made = make(tmp_path, attacks=("fmn",), names=("matched", "same"), metrics=("svcca",))
    for result in made:
        if result.stage == "correlation":
            path = result.folder / "correlation.csv"
            pd.read_csv(path).assign(extra='{"chance": 0.07}').to_csv(path, index=False)
    figure = B25_X2.build(Inputs(made))
    assert len(figure.figure.axes) == 1
    assert drawn(figure.figure.axes[0], "x") == [(0.07, 0), (0.07, 1)]
    alone = [r for r in made if (r.names["pairing"], r.names.get("metric")) != ("same", "svcca")]
    assert len(B25_X2.build(Inputs(alone)).figure.axes) == 1
    with pytest.raises(NothingToShow, match="no matched pairs"):
        B25_X2.build(Inputs(made), attack="pgd")
    with pytest.raises(FreqmapsError, match="none of the metrics"):
        B25_X2.build(Inputs([r for r in made if r.stage == "matrices"]))


# --- several networks -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return synthetic_study.make(tmp_path_factory.mktemp("base"))


def with_seeds(base, root, seeds):
    """The synthetic study once per training seed, whose values differ by a known amount; they share all stores."""
    made = [result for result in base if "seed" not in result.names]
    for number, seed in enumerate(seeds):
        for place, result in enumerate(r for r in base if "seed" in r.names):
            names = {**result.names, "seed": seed}
            folder = result.folder
            if result.stage == "correlation":
                folder = root / f"{seed}-{place}"
                _moved(result.folder / "correlation.csv", folder, number)
            manifest = {**result.manifest, "spec": {**result.manifest["spec"], "names": names}}
            made.append(replace(result, names=names, manifest=manifest, folder=folder))
    return made


def _moved(path, folder, number):
    folder.mkdir(parents=True)
    frame = pd.read_csv(path)
    more = {"half": frame["value"] - 0.1, "half_sd": 0.03, "quarter": np.nan, "low": 0.0, "high": 1.0}
    changed = {"value": frame["value"] + 0.02 * number, "n": frame["n"] - number}
    frame.assign(**changed, **more).to_csv(folder / "correlation.csv", index=False)


def test_seeds_share_a_row_with_mean_and_spread(base, tmp_path):
    made = with_seeds(base, tmp_path, ("0", "1", "2"))
    table = B25_T1.build(Inputs(made))
    pd.testing.assert_frame_equal(
        B25_T1.build(Inputs(made[::-1])).frame.sort_values("attack", ignore_index=True),
        table.frame.sort_values("attack", ignore_index=True),
        check_like=True,
    )
    assert table.frame["attack"].tolist() == list(synthetic_study.ATTACKS)
    assert set(table.frame["seed"]) == {"0, 1, 2"} and set(table.frame["networks"]) == {3}
    row = table.frame.iloc[0]
    value = synthetic_study.value("idcor", 0)
    assert row["idcor"] == pytest.approx(value + 0.02)
    assert (row["idcor_networks_sd"], row["idcor_spread"], row["idcor_error"]) == pytest.approx((0.02, 0.02, 0.012))
    assert row["idcor_each"] == f"{value:g}; {value + 0.02:g}; {value + 0.04:g}"
    assert row["idcor_half"] == pytest.approx(value - 0.1) and isnan(row["idcor_quarter"])
    assert row["n"] == B25_T1.build(Inputs(with_seeds(base, tmp_path / "one", ("0",)))).frame["n"].iloc[0] - 2
    assert table.notes[1].startswith("Means over 3 networks, ± their standard deviation")
    shown = [column.name for column in table.shown()]
    assert "idcor_half" in shown and "idcor_quarter" not in shown
    assert "n/2" not in latex(table).split("tabular}")[1]  # too wide for paper
    assert summary_lines(table.frame).splitlines()[0] == "Table I, toy / net / plain / 0, 1, 2 / small"


def test_rows_of_one_and_of_several_networks_stand_side_by_side(base, tmp_path):
    made = with_seeds(base, tmp_path, ("0", "1"))
    made = [r for r in made if (r.names.get("seed"), r.names.get("attack")) not in (("1", "fmn-linf"), ("1", "weak"))]
    table = B25_T3.build(Inputs(made))
    assert dict(zip(table.frame["attack"], table.frame["seed"], strict=True)) == {"weak": "0", "strong": "0, 1"}
    assert table.frame["epsilon"].is_monotonic_increasing
    strong = table.frame.set_index("attack").loc["strong"]
    assert (strong["success_networks_sd"], strong["idcor_networks_sd"]) == pytest.approx((0, 0.02 / sqrt(2)))
    assert any(note.startswith("Rows of several seeds (strong): means over 2 networks") for note in table.notes)
    assert "Other rows: one network, ± its sampling error over images." in table.notes
    both = B25_T1.build(Inputs(made))
    assert [line.split("  ")[1] for line in summary_lines(both.frame).splitlines()[2:3]] == ["fmn-linf (seed 0)"]


def test_a_metric_of_one_network_only_has_no_spread():
    names = dict.fromkeys(("dataset", "model", "training", "maps", "attack"), "a")
    given = [
        names | {"seed": "0", "idcor_value": 0.2, "idcor_p_value": 0.01},
        names | {"seed": "1", "svcca_value": 1.0},
    ]
    (row,) = over_networks(given, ("idcor", "svcca", "cosine"))
    assert (row["idcor_value"], row["idcor_p_value"], row["svcca_value"]) == (0.2, 0.01, 1.0)
    assert isnan(row["idcor_spread"]) and "cosine_value" not in row


def test_one_network_is_said_to_be_one(base, tmp_path):
    table = B25_T1.build(Inputs(with_seeds(base, tmp_path, ("0",))))
    assert table.notes[1].startswith("One network per row: ± is the sampling error over images")
    assert table.frame["idcor_spread"].tolist() == table.frame["idcor_error"].tolist()
    assert set(table.frame["idcor_each"]) == {""}
