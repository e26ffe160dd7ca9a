"""B25-X1 on a study whose cosines are made of known parts: what the table and its sentences find again."""

from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from freqmaps.papers.b25 import X1 as B25_X1
from freqmaps.publish.pairings import ORDER, difference, rows
from freqmaps.results.reader import Inputs
from freqmaps.study.build import study as resolve
from freqmaps.study.config import read_files
from tests import synthetic_study
from tests.test_pairings_study import ALL
from tests.workflow import REPOSITORY

N = 400
#: What each control has more than the one before: all maps of the network share .2, the class adds .1, the image .15.
MEAN = {"matched": 0.45, "same": 0.3, "other": 0.2, "rings": 0.18, "seed-1": 0.4, "noise": 0.7}
KINDS = {"same": "same_class", "other": "other_class", "rings": "random_bands", "seed-1": "other_network"}


def kind(name):
    return KINDS.get(name, name)


def make(root, *, attacks=("fmn", "pgd"), names=tuple(MEAN), seeds=("0",), metrics=("cosine", "svcca")):
    """Write correlations whose cosines per image vary much together and little apart."""
    rng = np.random.default_rng(0)
    image = rng.normal(0, 0.1, N)
    made = []
    for seed in seeds:
        for name in names:
            for attack in ("none",) if name == "seed-1" else attacks:
                place = synthetic_study.PLACE | {"seed": seed, "maps": "ce", "attack": attack, "pairing": name}
                folder = synthetic_study._folder(root, "matrices", seed, attack, name)
                parameters = {"pairing": {"kind": kind(name), "parameters": {}}}
                made.append(synthetic_study._manifest(folder, "matrices", place, parameters, {}))
                each = MEAN[name] + image + rng.normal(0, 0.02, N)
                made += [_correlation(root, place, metric, each) for metric in metrics]
    return made


def _correlation(root, place, metric, each):
    folder = synthetic_study._folder(root, "correlation", place["seed"], place["attack"], place["pairing"], metric)
    value = each.mean() if metric == "cosine" else MEAN[place["pairing"]] / 2
    row = {"metric": metric, "value": value, "std": None, "p_value": None, "n": N, "n_dropped": 0, "error": 0.01}
    row |= {"low": value - 0.03, "high": value + 0.02}
    pd.DataFrame([row | {"error_method": "half-samples", "extra": "{}"}]).to_csv(
        folder / "correlation.csv", index=False
    )
    samples = [f"s{i}" for i in range(N)]
    values = pd.DataFrame({"sample": samples, "value": each}).drop(index=range(3))  # some images have no partner
    values.sample(frac=1, random_state=1).to_csv(folder / "per_sample.csv", index=False)
    names = place | {"metric": metric}
    return synthetic_study._manifest(folder, "correlation", names, {"metric": {"kind": metric, "parameters": {}}}, {})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs(make(tmp_path_factory.mktemp("controls")))


def by_pairing(table, attack):
    return table.frame[table.frame["attack"].isin([attack, "none"])].set_index("pairing")


def test_a_row_for_each_attack_and_pairing_the_question_first(inputs):
    table = B25_X1.build(inputs)
    fmn = [("fmn", p) for p in ("matched", "same", "other", "rings", "noise")]
    expected = [*fmn, *(("pgd", p) for _, p in fmn), ("none", "seed-1")]
    assert list(zip(table.frame["attack"], table.frame["pairing"], strict=True)) == expected
    assert B25_X1.PAIRINGS == ORDER and {kind(name) for name in MEAN} == set(ORDER)
    assert set(B25_X1.build(inputs, attacks=["pgd"]).frame["attack"]) == {"pgd", "none"}


def test_shares_and_bounds_follow_from_the_values(inputs):
    found = by_pairing(B25_X1.build(inputs), "fmn")
    for name, mean in MEAN.items():
        row = found.loc[name]
        assert row["svcca"] == mean / 2 and row["svcca_error"] == 0.01
        assert (row["svcca_low"], row["svcca_high"]) == pytest.approx((mean / 2 - 0.03, mean / 2 + 0.02))
        assert row["cosine"] == pytest.approx(mean, abs=0.02)
        if name == "seed-1":
            assert isnan(row["svcca_share"])  # it has no attack, so no matched pair
        else:
            assert row["svcca_share"] == pytest.approx(mean / 0.45)
            # The share's variance is that of a ratio of two independent numbers, each with an error of .01.
            error = mean / 0.45 * sqrt((0.01 / (mean / 2)) ** 2 + (0.01 / 0.225) ** 2)
            ends = (row["svcca_share_low"], row["svcca_share_high"])
            if name == "matched":
                assert isnan(ends[0]) and isnan(ends[1])
            else:
                assert ends == pytest.approx((mean / 0.45 - 1.96 * error, mean / 0.45 + 1.96 * error), rel=1e-3)
    assert found["idcor"].isna().all() and found["idcor_p_value"].isna().all()


def test_changes_are_compared_image_by_image(inputs):
    row = by_pairing(B25_X1.build(inputs), "pgd").loc["same"]
    assert row["cosine_change"] == pytest.approx(-0.15, abs=0.005)
    # The images' own spread of .1 cancels: what is left is that of the two noises of .02.
    width = row["cosine_change_high"] - row["cosine_change_low"]
    assert width == pytest.approx(2 * 1.96 * 0.02 * sqrt(2 / (N - 3)), rel=0.1)


def test_a_difference_equals_scipys_for_paired_samples():
    rng = np.random.default_rng(1)
    ids = [f"s{i}" for i in range(500)]
    one, other = pd.Series(rng.random(500), ids), pd.Series(rng.random(490), ids[10:])
    found = difference(one, other.sample(frac=1, random_state=0))
    expected = stats.ttest_rel(one[ids[10:]], other)
    interval = expected.confidence_interval(0.95)  # Student's t with 489 degrees of freedom, ours is normal
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=0.02)
    assert (found.value, found.n) == (pytest.approx((one[ids[10:]] - other).mean()), 490)
    assert found.clear == (expected.pvalue < 0.05)
    assert difference(one, one[:0]) is None and difference(one[:2], one) is None
    same = difference(one, one)
    assert (same.value, same.low, same.high, same.clear) == (0, 0, 0, False)


def said(parts):
    """The numbers of a sentence by what it says of them."""
    return {part.split(":")[0].strip(): float(part.split(":")[1].split()[0].rstrip(".")) for part in parts.split("; ")}


def test_the_sentence_finds_the_parts_again(inputs):
    notes = B25_X1.build(inputs).notes
    sentence, without = (next(n for n in notes if n.startswith(f"fmn{start}")) for start in (": of", ", cosine"))
    whole = float(sentence.split()[4])
    assert whole == pytest.approx(MEAN["matched"], abs=0.02)
    assert said(sentence.split("pairs, ")[1]) == pytest.approx(
        {
            "the image": 0.15,
            "the class": 0.1,
            "what images of other classes have in common": 0.2,
            "the spectrum alone (random bands)": 0.18,
        },
        abs=0.02,
    )
    # Image, class and what all have in common make up the whole.
    assert sum([*said(sentence.split("pairs, ")[1]).values()][:3]) == pytest.approx(whole, abs=2e-3)
    assert said(without.split("attack: ", 1)[1]) == pytest.approx(
        {
            "the image with noise as large": 0.7,
            "the image in another network": 0.4,
            "so the network": 0.3,
            "the attack takes": 0.25,
        },
        abs=0.02,
    )
    assert "not told from 0" not in sentence + without and "%" in sentence
    shares = next(note for note in notes if note.startswith("fmn, what is left"))
    expected = (
        "same class 67 %, other class 44 %, random bands 40 %, other network 89 % (within the errors), noise 156 %"
    )
    assert f"SVCCA 0.225: {expected}" in shares


def test_a_difference_of_nothing_is_said_to_be_none(tmp_path, monkeypatch):
    monkeypatch.setitem(MEAN, "same", MEAN["matched"])
    names = ("matched", "same")
    notes = B25_X1.build(Inputs(make(tmp_path, attacks=("fmn",), names=names))).notes
    sentence = next(note for note in notes if "of the cosine" in note)
    assert "the image: " in sentence and ", not told from 0" in sentence
    assert "the class" not in sentence
    assert "fmn: not computed: other class, random bands, other network, noise." in notes


@pytest.mark.parametrize(("mean", "text"), [(0.44, "98 % (within the errors)"), (0.37, "82 %;"), (0.53, "118 %;")])
def test_shares_within_the_errors_are_marked(tmp_path, monkeypatch, mean, text):
    # SVCCA is half of these: .225 and .22, .185 or .265, each ± .01, so that up to .0277 is within the errors.
    monkeypatch.setitem(MEAN, "same", mean)
    made = make(tmp_path, attacks=("fmn",), names=("matched", "same"), metrics=("svcca", "linear_cka"))
    shares = next(note for note in B25_X1.build(Inputs(made)).notes if "what is left" in note)
    assert f"SVCCA 0.225: same class {text}" in shares


def test_without_controls_or_without_matched_pairs_it_says_so(tmp_path):
    alone = B25_X1.build(Inputs(make(tmp_path / "a", attacks=("fmn",), names=("matched",))))
    assert "fmn: no control was computed; add pairings to the run." in alone.notes
    other = B25_X1.build(Inputs(make(tmp_path / "b", attacks=("fmn",), names=("same", "seed-1"))))
    assert other.notes[-1].startswith("There are no matched pairs to compare with")
    assert other.frame["cosine_share"].isna().all()


READINGS = ("idcor", "idcor_cleaned", "idcor_released")


def test_no_reading_of_idcor_stands_alone(tmp_path):
    made = make(tmp_path, attacks=("fmn",), names=("matched", "same"), metrics=READINGS)
    table = B25_X1.build(Inputs(made))
    told = next(note for note in table.notes if "what is left" in note)
    for called in ("IdCor, as made", "IdCor, cleaned", "IdCor, released constant"):
        assert f"{called} 0.225: same class 67 %" in told
        labels = [column.label for column in table.shown() if column.group == called]
        assert labels[:4] == ["value", "%", "from", "to"]
    assert {f"{name}_p_value" for name in READINGS} <= set(table.frame)


def test_a_reading_of_idcor_without_shares_is_said_to_have_none(tmp_path):
    made = make(tmp_path, attacks=("fmn",), names=("matched", "same"), metrics=READINGS[:2])
    cleaned = next(r for r in made if r.names.get("metric") == "idcor_cleaned" and r.names["pairing"] == "matched")
    path = cleaned.folder / "correlation.csv"
    pd.read_csv(path).assign(value=-0.3).to_csv(path, index=False)
    told = next(note for note in B25_X1.build(Inputs(made)).notes if "what is left" in note)
    assert "IdCor, as made 0.225: same class 67 %" in told
    assert "; IdCor, cleaned -0.300: no shares, since it is not above 0; IdCor, released constant: not computed" in told


def test_each_network_is_compared_with_its_own_controls(tmp_path):
    found = Inputs(make(tmp_path, attacks=("fmn",), seeds=("0", "1"), metrics=("svcca",)))
    table = B25_X1.build(found)
    assert table.frame["seed"].tolist() == ["0"] * 6 + ["1"] * 6
    assert [note.split(",")[0] for note in table.notes if "what is left" in note] == ["seed 0: fmn"]
    assert table.notes[-1] == "Networks of other seeds: in the table, not in these sentences."
    assert not [note for note in table.notes if "of the cosine" in note]  # it was not computed
    assert "cosine" not in [column.name for column in table.shown()]


def test_a_matched_value_of_nothing_has_no_shares(tmp_path, monkeypatch):
    monkeypatch.setitem(MEAN, "matched", -0.1)
    table = B25_X1.build(Inputs(make(tmp_path, attacks=("fmn",), names=("matched", "same"))))
    assert table.frame["svcca_share"].isna().all()
    assert not [note for note in table.notes if "what is left" in note]
    assert "%" not in next(note for note in table.notes if "of the cosine" in note)


def test_the_workflow_gives_the_item_all_pairings_of_its_attacks():
    given = read_files([REPOSITORY / "config.yaml", REPOSITORY / "tests" / "tiny.yaml"])
    given |= {"pairings": ALL, "items": [{"item": "B25-X1", "attacks": ["fgsm"]}]}
    images = ["essential", "adversarial", "noise"]
    given["runs"][0] |= {"seeds": [0, 1], "images": images, "pairings": [*ALL], "metrics": ["cosine"]}
    item = resolve(given).items["B25-X1"]
    found = {(n.names["seed"], n.names["attack"], n.names["pairing"]) for n in item.inputs if n.stage == "correlation"}
    assert found == {(s, "fgsm", p) for s in "01" for p in ALL if p != "seed-1"} | {("0", "none", "seed-1")}
    assert len([n for n in item.inputs if n.stage == "matrices"]) == len(found)


def test_pairings_are_told_by_what_they_are(inputs, tmp_path):
    frame = B25_X1.build(inputs).frame
    assert dict(zip(frame["pairing"], frame["label"], strict=True))["rings"] == "random bands"
    made = make(tmp_path, attacks=("fmn",), names=("matched", "same", "rings"))
    made[-3].manifest["spec"]["parameters"]["pairing"]["kind"] = "same_class"
    assert B25_X1.build(Inputs(made)).frame["label"].tolist() == [
        "matched",
        "same class (same)",
        "same class (rings)",
    ]
    told = {(row["pairing"], row["control"]) for row in rows(inputs, B25_X1.METRICS, None)}
    assert told == {(name, kind(name)) for name in MEAN}
