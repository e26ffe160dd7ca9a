import json
import re
from dataclasses import replace
from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.inference.proportions import wilson
from freqmaps.papers.b25 import T1 as B25_T1
from freqmaps.papers.b25 import T2 as B25_T2
from freqmaps.papers.b25 import T3 as B25_T3
from freqmaps.papers.b25._relation import VALUES
from freqmaps.provenance import manifest
from freqmaps.publish import write_table
from freqmaps.publish.api import Column, Table
from freqmaps.publish.examples import examples, first_per_class
from freqmaps.publish.latex import escape, latex
from freqmaps.publish.published import AS_PUBLISHED, published
from freqmaps.publish.tables import scope_notes
from freqmaps.results.reader import Inputs
from tests import (
    synthetic_by_size,
    synthetic_c22,
    synthetic_corruptions,
    synthetic_defence,
    synthetic_k22,
    synthetic_low_pass,
    synthetic_robustness,
    synthetic_spectra,
    synthetic_theory,
    tiny_results,
)
from tests import synthetic_study as study
from tests.latex import compiled, needs_latex


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return study.make(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def inputs(results):
    return Inputs(results)


@pytest.fixture(scope="module")
def masks(tmp_path_factory):
    return Inputs(synthetic_k22.make(tmp_path_factory.mktemp("masks"), ("plain", "pgd-at"), starts=1))


@pytest.fixture(scope="module")
def as_published(tmp_path_factory):
    return Inputs(study.make(tmp_path_factory.mktemp("published"), published=True))


# --- statistics


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (7, 10), (1, 3), (9978, 10000), (1, 1)])
def test_wilson_equals_scipy(k, n):
    interval = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert np.allclose(wilson(k, n), interval, atol=1e-12)


def test_wilson_solves_its_quadratic():
    z = stats.norm.ppf(0.975)
    for bound in wilson(13, 20):
        assert abs(13 / 20 - bound) == pytest.approx(z * sqrt(bound * (1 - bound) / 20))
    assert all(isnan(b) for b in wilson(0, 0))


# --- tables


def test_table_1_equals_the_csv(inputs):
    frame = B25_T1.build(inputs).frame
    assert frame["attack"].tolist() == list(study.ATTACKS)
    for number, row in enumerate(frame.to_dict("records")):
        for metric, column in zip(study.METRICS, VALUES, strict=True):
            assert row[column] == pytest.approx(study.value(metric, number))
            assert row[f"{metric}_error"] == 0.012
        assert row["cosine_std"] == 0.2 and row["p_value"] == pytest.approx(1 / 101)
        assert row["n_dropped"] == number and row["n_attacked"] == 24
    assert frame["n"].tolist() == [8, 12, 14]


def test_published_values_follow_what_the_attack_is_not_its_name(inputs):
    frame = B25_T1.build(inputs).frame.set_index("attack")
    assert frame.loc["strong", "published_svcca"] == 0.30  # PGD at 8/255, whatever it is called
    assert frame.loc["fmn-linf", "published_idcor"] == 0.66
    assert isnan(frame.loc["weak", "published_svcca"])  # PGD at 1/255 is not in Table I
    assert frame.loc["weak", "scope"] == "no published value for this attack"
    results = [r for r in inputs.results if r.names.get("attack") != "strong"]
    alone = B25_T1.build(Inputs(results)).frame.set_index("attack")
    assert alone.loc["weak", "published_svcca"] == 0.30  # no better match: beside it, and the difference is said
    assert "attack epsilon 0.003922 (published: 0.03137)" in alone.loc["weak", "scope"]
    scope = frame.loc["strong", "scope"]
    assert scope.startswith("differs: ") and frame.loc["strong", "within_tolerance"] == ""
    for part in ("digits (published: CIFAR-10)", "small_cnn (published: ResNet-20)", "penalty 0.1", "24 images"):
        assert part in scope


def test_verdict_only_where_the_scope_is_the_papers(as_published, monkeypatch):
    row = B25_T1.build(as_published, attacks=["strong"]).frame.iloc[0]
    assert row["scope"] == "differs: 24 images attacked (published: 10000)"
    monkeypatch.setitem(published("B25-T1"), "samples", 24)
    row = B25_T1.build(as_published, attacks=["strong"]).frame.iloc[0]
    assert row["scope"] == AS_PUBLISHED
    # Ours: SVCCA .11 (paper .30), cosine .21 ± .20 (.49 ± .28), IdCor .31 (.60), p .0099 (.01).
    assert row["within_tolerance"] == "no: svcca, cosine_mean, cosine_std, idcor"


def test_an_attack_of_other_settings_is_told(as_published, monkeypatch):
    attack = as_published.related("attacks", {"attack": "fmn-linf"})[0]
    monkeypatch.setitem(attack.manifest["spec"]["parameters"]["attack"]["parameters"], "steps", 30)
    other = as_published.related("attacks", {"attack": "fmn-linf"})[1]
    monkeypatch.setitem(other.manifest["spec"]["parameters"]["attack"]["parameters"], "steps", 30)
    row = B25_T1.build(as_published, attacks=["fmn-linf"]).frame.iloc[0]
    assert "attack steps 30 (published: 100)" in row["scope"]


def imagenette(made, **pretrained):
    """The synthetic study, said to be of the networks and data of Table II."""
    spec = {"datasets": {"kind": "imagenette", "parameters": {"size": 224}}}
    model = {"architecture": "torchvision_model", "parameters": {"name": "vit_b_16", **pretrained}}
    spec["training"] = {"model": model, "settings": {"train": "head"}}
    spec["maps"] = {"objective": {"kind": "cross_entropy", "parameters": {"penalty": 0.01}}}
    spec["matrices"] = {"settings": {"pool": "mean", "size": 32}}

    def changed(result):
        own = result.manifest["spec"]
        parameters = own["parameters"] | spec.get(result.stage, {})
        return replace(result, manifest={**result.manifest, "spec": {**own, "parameters": parameters}})

    return Inputs([changed(r) for r in made.results])


def test_table_2_is_of_a_network_and_its_weights(inputs):
    file = "c867db91" + 56 * "0"
    for given in ({"pretrained": "imagenet"}, {"pretrained": {"sha256": file}}):
        table = B25_T2.build(imagenette(inputs, **given), attacks=["strong", "fmn-linf"])
        frame = table.frame.set_index("attack")
        assert frame["scope"].unique().tolist() == ["differs: 24 images attacked (published: 13394)"]
        assert table.notes[0] == "Maps are pooled to 32×32 (mean)."
        published_values = frame.loc["strong", ["published_cosine_mean", "published_cosine_std", "published_idcor"]]
        assert published_values.tolist() == [0.53, 0.20, 0.58]  # ViT-B/16's, not ResNet-18's
        assert frame.loc["fmn-linf", "published_svcca"] == 0.21
    for given, told in (
        ({"pretrained": {"sha256": "f" * 64}}, "weights of a file (ffffffff…; published: ImageNet-1K)"),
        ({"pretrained": None}, "weights from scratch (published: ImageNet-1K)"),
        ({"pretrained": "IMAGENET1K_SWAG_E2E_V1"}, "weights IMAGENET1K_SWAG_E2E_V1 (published: ImageNet-1K)"),
    ):
        assert B25_T2.build(imagenette(inputs, **given), attacks=["strong"]).frame["scope"][0].endswith(told)


def test_scopes_are_of_rows_by_what_tells_them_apart(inputs):
    frame = B25_T1.build(inputs).frame
    both = pd.concat([frame.assign(model=model, scope=f"of {model}") for model in ("a", "b")])
    assert scope_notes(both, "Table")[1:] == [
        f"Scope of {'; '.join(f'{model}, {attack}' for attack in study.ATTACKS)}: of {model}." for model in "ab"
    ]


def test_table_2_tells_every_other_setting(inputs):
    scope = B25_T2.build(inputs, attacks=["strong"]).frame["scope"][0]
    assert scope == "no published value for this attack"  # of this network
    made = imagenette(inputs, pretrained="imagenet")
    for result in made.results:
        parameters = result.manifest["spec"]["parameters"]
        if result.stage == "training":
            parameters["settings"] = {"train": "all"}
        if result.stage == "matrices":
            parameters["settings"] = {"pool": "max", "size": 32}
    table = B25_T2.build(made, attacks=["strong"])
    assert "settings with train all (published: only the head)" in table.frame["scope"][0]
    assert "settings with pool max (published: the mean to 32×32)" in table.frame["scope"][0]
    assert table.notes[0] == "Maps are pooled to 32×32 (max)."


def test_table_3_counts_successes_by_hand(inputs):
    frame = B25_T3.build(inputs).frame
    assert frame["attack"].tolist() == ["weak", "strong"]  # ascending in epsilon
    assert frame["epsilon_text"].tolist() == ["1/255", "8/255"]
    # Image i is classified correctly unless i % 6 == 5; attack number a fails where i % (a + 2) == 0.
    for row, number in zip(frame.to_dict("records"), (2, 1), strict=True):
        correct = [i for i in range(24) if i % 6 != 5]
        hits = [i for i in correct if i % (number + 2) != 0]
        assert (row["n_success"], row["n_correct"]) == (len(hits), len(correct))
        assert row["success_rate"] == pytest.approx(len(hits) / len(correct))
        interval = stats.binomtest(len(hits), len(correct)).proportion_ci(method="wilson")
        assert (row["success_low"], row["success_high"]) == pytest.approx(tuple(interval))
    assert frame["published_success_rate"].tolist() == [0.6856, 1.0]
    assert frame["published_idcor"].tolist() == [0.59, 0.60]


def test_tables_name_what_they_cannot_do(inputs, results):
    with pytest.raises(FreqmapsError, match=r"attack 'fnm' has no correlation results; there are: fmn-linf"):
        B25_T1.build(inputs, attacks=["fnm"])
    with pytest.raises(FreqmapsError, match="'fmn-linf' \\(fmn\\) has no epsilon"):
        B25_T3.build(inputs, attacks=["fmn-linf"])
    doubled = [r for r in results if r.stage == "correlation"]
    with pytest.raises(FreqmapsError, match="two results of metric"):
        B25_T1.build(Inputs(doubled + doubled))


def test_a_metric_that_was_not_computed_is_noted(results):
    some = [r for r in results if r.names.get("metric") not in ("linear_cka", "svcca")]
    table = B25_T1.build(Inputs(some))
    assert table.frame["linear_cka"].isna().all()
    assert "Not computed: svcca, linear_cka." in table.notes
    assert "linear_cka" not in [c.name for c in table.shown()]


@pytest.mark.parametrize("item", ["B25-T1", "B25-T2", "B25-T3", "B25-T4"])
def test_published_data_are_whole(item):
    entry = published(item)
    assert entry["source"].startswith("Basile et al., Table ") and entry["scope"] and entry["samples"] > 0
    for row in entry["rows"]:
        assert set(row["values"]) == set(entry["tolerance"])
    assert all(0 < t <= 0.1 for t in entry["tolerance"].values())


# --- files


def test_latex_prints_names_as_they_stand():
    assert escape(r"a_b&50%$#{x}~^\ <|>") == (
        r"a\_b\&50\%\$\#\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{} "
        r"\textless{}\textbar{}\textgreater{}"
    )
    frame = pd.DataFrame({"name": ["a_b & c", "50 %"], "value": [0.25, float("nan")], "e": [0.01, 0.02]})
    columns = [Column("name", "Name"), Column("value", "ε", "IdCor_x", ".2f", error="e")]
    text = latex(Table(frame, ["100 % ≤ λ"], columns), title="T_1", label="x")
    assert r"a\_b \& c & 0.25 $\pm$ 0.01 \\" in text and r"50 \% & -- \\" in text
    assert text.isascii()
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in rows)
    assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


#: What users may call their classes, attacks and models: all of ASCII and Latin-1, and some of the rest.
SIGNS = [chr(i) for i in range(1, 256)] + list("ăēğıŁőŒşžαεζηκνξφΣ∂∇∈−–—…‘“”√⊙‖ﬁ犬😀\u0301\ud800")


@needs_latex
def test_every_table_compiles_and_is_no_wider_than_the_text(inputs, masks, tmp_path):
    names = [n for n in components.names("item") if components.find("item", n).constants["KIND"] == "table"]
    study.make_item("B25-T4", Inputs(synthetic_defence.make(tmp_path / "study")), {}, tmp_path)
    study.make_item("F21-TH", Inputs([synthetic_theory.make(tmp_path / "simulated")]), {}, tmp_path)
    robust = Inputs(synthetic_robustness.make(tmp_path / "robust", seeds=2))
    for name in ("C22-T6", "C22-T7"):
        study.make_item(name, robust, {}, tmp_path)
    for name in (n for n in names if n not in OTHERS):
        evaluated = {"group_maps", "evaluation"} & set(components.find("item", name).constants["NEEDS"])
        study.make_item(name, masks if evaluated else inputs, {}, tmp_path)
    # As objects: of half a pair of surrogates no text of Arrow's can be made.
    nasty = pd.DataFrame(
        {"sign": SIGNS, "first": [f"{c}{c} {c}x" for c in SIGNS], "long": ["wide " * 30] * len(SIGNS)}, dtype=object
    )
    every = " ".join(SIGNS)
    parts = [latex(Table(nasty[i : i + 50], [every, "[note]"]), title=every) for i in range(0, 280, 50)]
    tables = [path.read_text() for path in sorted(tmp_path.glob("*.tex"))]
    assert len(tables) > 5
    said = compiled(tmp_path, *tables, *parts, columns=2)
    assert "Overfull \\hbox" not in said


def test_hyphens_stay_hyphens_and_what_has_no_sign_gets_its_number():
    assert escape("a---b") == "a-{}-{}-b"
    assert escape("Čapek, Ångström, 犬, ﬁ") == r"\v{C}apek, \r{A}ngstr\"{o}m, {[}U+72AC{]}, {[}U+FB01{]}"
    assert all(escape(sign).isascii() for sign in SIGNS)


def test_table_files_agree(inputs, tmp_path):
    study.make_item("B25-T1", inputs, {}, tmp_path)
    back = pd.read_csv(tmp_path / "B25-T1.csv", dtype={"seed": str})
    pd.testing.assert_frame_equal(back[["attack", "svcca", "n"]], B25_T1.build(inputs).frame[["attack", "svcca", "n"]])
    sidecar = json.loads((tmp_path / "B25-T1.json").read_text())
    assert sidecar["title"] == B25_T1.TITLE and sidecar["origin"] == manifest.origin()
    tex = (tmp_path / "B25-T1.tex").read_text()
    assert tex.count(r"\\") == 3 + 2 and tex.isascii()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["B25-T1.csv", "B25-T1.json", "B25-T1.tex"]


def test_nothing_is_left_where_writing_fails(inputs, tmp_path):
    class Unwritable:
        frame, notes = pd.DataFrame({"a": [1]}), ["n"]

        def shown(self):
            raise FreqmapsError("no columns")

    with pytest.raises(FreqmapsError):
        write_table(Unwritable(), tmp_path / "a.csv", tmp_path / "a.tex")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("item", ["B25-F1", "B25-F2", "B25-F3"])
def test_figures_are_the_same_bytes_twice(inputs, tmp_path, item):
    parameters = {} if item == "B25-F2" else {"images": 2}
    for name in "ab":
        (tmp_path / name).mkdir()
        study.make_item(item, inputs, parameters, tmp_path / name)
    for form in ("svg", "pdf", "png"):
        one, two = ((tmp_path / name / f"{item}.{form}").read_bytes() for name in "ab")
        assert one == two and len(one) > 5000
    text = (tmp_path / "a" / f"{item}.svg").read_text()
    assert "<image" in text and "<text" not in text and "<dc:date>" not in text
    page = (tmp_path / "a" / f"{item}.pdf").read_bytes()
    assert (
        page.startswith(b"%PDF-") and b"/FontFile2" in page and b"/Type3" not in page and b"/CreationDate" not in page
    )
    sidecar = json.loads((tmp_path / "a" / f"{item}.json").read_text())
    assert sidecar["alt"] and sidecar["notes"] and sidecar["item"] == item


def test_figures_take_rgb_images_and_names_with_dollars(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "CLASSES", ["a$b$", "$x", "c_{", "d"])
    rgb = Inputs(study.make(tmp_path, channels=3, size=9))
    for item in ("B25-F1", "B25-F2", "B25-F3"):
        study.make_item(item, rgb, {}, tmp_path)
        assert (tmp_path / f"{item}.png").stat().st_size > 5000


# --- examples


def test_examples_are_chosen_by_rule(inputs):
    chosen = examples(inputs, 5)
    assert chosen.names["attack"] == "weak"  # the attack with most maps
    both = [i for i in range(24) if i % 6 != 5 and i % 4 != 0 and i % 7 != 0]
    ranked = sorted(both, key=lambda i: ([j for j in both if j % 4 == i % 4].index(i), i % 4))[:5]
    assert chosen.label.tolist() == [i % 4 for i in ranked]
    whole = inputs.dataset("toy").sel(sample=[f"s{i:03d}" for i in ranked])
    assert np.array_equal(chosen.image, whole["image"].values.astype(float))
    assert chosen.essential_kept.all() and chosen.attacking_kept.all()
    assert len(examples(inputs, 1000).label) == len(both)


def test_examples_fall_back_and_say_so(results, monkeypatch):
    inputs = Inputs(results)
    original = inputs.maps

    def nothing_kept(**kwargs):
        store = original(**kwargs)
        return (
            store.assign(keeps_prediction=store["keeps_prediction"] & False) if "keeps_prediction" in store else store
        )

    monkeypatch.setattr(inputs, "maps", nothing_kept)
    assert "none has two maps" in examples(inputs, 2).rule


def test_examples_name_what_is_not_there(inputs, results):
    with pytest.raises(FreqmapsError, match="attack 'pdg' has no adversarial maps"):
        examples(inputs, 2, attack="pdg")
    with pytest.raises(FreqmapsError, match="no essential maps for seed '9'"):
        examples(inputs, 2, seed=9)
    with pytest.raises(FreqmapsError, match="at least 1"):
        examples(inputs, 0)
    with pytest.raises(FreqmapsError, match="no adversarial maps for this setting"):
        examples(Inputs([r for r in results if r.names.get("images", "essential") == "essential"]), 2)


def test_first_per_class_handles_one_class():
    assert first_per_class(np.array([3, 3, 3]), 2) == [0, 1]


# --- contract of all items


#: Those tested on results of their own.
OTHERS = (
    *tiny_results.ITEMS,
    *synthetic_defence.ITEMS,
    *synthetic_low_pass.ITEMS,
    *synthetic_theory.ITEMS,
    *synthetic_spectra.ITEMS,
    *synthetic_robustness.ITEMS,
    *synthetic_c22.ITEMS,
    *synthetic_corruptions.ITEMS,
    *synthetic_by_size.ITEMS,
)


@pytest.mark.parametrize("item", [i for i in components.names("item") if i not in OTHERS])
def test_every_item_keeps_the_contract(item, inputs, masks, tmp_path):
    given = masks if {"group_maps", "evaluation"} & set(components.find("item", item).constants["NEEDS"]) else inputs
    study.check_item(item, given, tmp_path)
