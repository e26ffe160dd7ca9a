"""Results as items, evaluations and notebooks read them: joined, chosen, ordered; what is not there is named."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import freqmaps
from freqmaps.core import components
from freqmaps.core.errors import ConfigError, FreqmapsError, StoreError
from freqmaps.papers.b25 import T1 as B25_T1
from freqmaps.results.notebook import _paths
from freqmaps.results.reader import Inputs, Results
from freqmaps.stores import MAPS, read, write
from tests import keyed_results
from tests import synthetic_study as study
from tests.small_study import write_studies
from tests.workflow import REPOSITORY


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return study.make(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def inputs(results):
    return Inputs(results)


def test_ranges_are_joined_in_order(inputs):
    store = inputs.adversarial(attack="strong", **study.PLACE)
    assert store["sample"].values.tolist() == [f"s{i:03d}" for i in range(24)]
    maps = inputs.maps(images="essential", maps="small")
    assert maps["sample"].values.tolist() == [f"s{i:03d}" for i in range(24) if i % 6 != 5]


def test_samples_of_two_ranges_count_once(results):
    maps = next(r for r in results if r.stage == "maps" and r.names["images"] == "essential")
    again = replace(maps, names=dict(maps.names) | {"range": "test-0-8"})
    once, twice = (Inputs(r).maps(images="essential") for r in (results, [*results, again]))
    assert twice.identical(once)
    ids = ["s020", "s001"]
    both = Inputs([*results, again]).maps(images="essential", samples=ids)
    assert both["sample"].values.tolist() == ids


def test_samples_are_read_in_the_order_asked(inputs):
    ids = ["s020", "s001", "s013"]
    part = inputs.maps(images="essential", samples=ids)
    whole = inputs.maps(images="essential")
    assert part["sample"].values.tolist() == ids
    assert np.array_equal(part["map"].values, whole.sel(sample=ids)["map"].values)
    assert set(inputs.maps(images="essential", variables=["steps"]).data_vars) == {"steps"}


def test_texts_can_be_masked_aligned_and_asked_for(inputs):
    maps = inputs.maps(images="essential")
    assert maps["sample"].dtype == object and maps["channel"].dtype.kind != "T"
    images = inputs.dataset("toy")
    assert images["split"].dtype == object
    tests = images.where(images["split"] == "test", drop=True)
    assert tests.sizes["sample"] == int((images["split"] == "test").sum()) > 0
    joined = xr.merge([maps["steps"], images["label"]], join="outer")
    assert joined.sizes["sample"] == images.sizes["sample"] and joined["steps"].isnull().any()
    first = maps["sample"].values[0]
    assert maps["steps"].reindex(sample=[first, "nowhere"]).isnull().values.tolist() == [False, True]
    assert images["split"].values.astype(str)[0] in ("train", "test")


def test_maps_of_another_basis_are_refused_unless_any_will_do(tmp_path):
    made = Inputs(study.make(tmp_path))
    for result in made.select("maps", images="essential"):
        path = result.folder / "store.zarr.zip"
        store = read(path, MAPS)
        path.unlink()
        write(path, store.assign_attrs(basis="phase"), MAPS)
    with pytest.raises(FreqmapsError, match="have basis 'phase', and what is asked for needs 'fourier'"):
        made.maps(images="essential")
    assert "map" in made.maps(images="essential", basis=None)
    assert "map" in made.maps(images="essential", basis="phase")
    assert "map" not in made.maps(images="essential", variables=["steps"])
    for name in ("B25-F1", "B25-F2", "B25-F3"):
        with pytest.raises(FreqmapsError, match="name a map setting with basis fourier"):
            components.load("item", name)(made)


def test_what_is_not_there_is_named(inputs):
    with pytest.raises(FreqmapsError, match="no sample 's005'"):
        inputs.maps(images="essential", samples=["s005"])
    with pytest.raises(FreqmapsError, match="name one of them"):
        inputs.maps(maps="small")
    with pytest.raises(FreqmapsError, match="no maps result for attack 'pdg'"):
        inputs.maps(attack="pdg")
    with pytest.raises(FreqmapsError, match="no correlation results"):
        Inputs([]).correlations()
    with pytest.raises(FreqmapsError, match="metric 'idcor-x'"):
        inputs.per_sample("idcor-x")


def test_correlations_carry_the_names_of_this_study(inputs):
    frame = inputs.correlations()
    assert len(frame) == len(study.ATTACKS) * len(study.METRICS)
    assert set(frame["attack"]) == set(study.ATTACKS)
    assert set(frame["seed"]) == {"0"}
    values = inputs.per_sample(attack="weak")
    assert values["value"].tolist() == np.linspace(0, 1, 14).tolist() and set(values["attack"]) == {"weak"}


def test_two_metrics_of_one_kind(results):
    idcor = [r for r in results if r.names.get("metric") == "idcor"]
    other = [replace(r, names=dict(r.names) | {"metric": "idcor-mle"}) for r in idcor]
    kept = [r for r in results if r not in idcor]
    expected = B25_T1.build(Inputs(results)).frame
    # The one named like its kind counts, whatever the order; without it, the first.
    for order in (kept + idcor + other, kept + other + idcor, kept + other):
        pd.testing.assert_frame_equal(B25_T1.build(Inputs(order)).frame, expected, check_like=True)


def test_inputs_are_read_from_folders(results, inputs):
    root = results[0].folder.parent.parent
    again = Inputs.from_folders([r.folder for r in results])
    assert [(r.stage, r.names) for r in again.results] == [(r.stage, r.names) for r in results]
    keys = [one["key"] for one in again.provenance()["results"]]
    assert keys[:2] == ["k0", "k1"]
    pd.testing.assert_frame_equal(again.correlations(), inputs.correlations())
    with pytest.raises(StoreError, match="no manifest"):
        Inputs.from_folders([root])


def test_a_broken_table_is_one_sentence(tmp_path):
    results = [r for r in study.make(tmp_path) if r.stage == "correlation"][:1]
    (results[0].folder / "correlation.csv").write_text("")
    with pytest.raises(StoreError, match=r"correlation\.csv: cannot be read"):
        Inputs(results).correlations()


def test_a_root_with_two_settings_is_read_by_what_tells_them_apart(tmp_path):
    for penalty in (0.1, 0.2):
        keyed_results.make(tmp_path / f"{penalty}", penalty=penalty)
    two = tmp_path / "0.1"
    shutil.copytree(tmp_path / "0.2", two, dirs_exist_ok=True)
    found = freqmaps.open(two)
    with pytest.raises(
        FreqmapsError, match=r"differ in parameters\.objective\.parameters\.penalty \(0\.\d, 0\.\d\); name"
    ):
        found.maps(images="essential")
    with pytest.raises(
        FreqmapsError, match=r"differ in images \(adversarial, essential\), attack \(pgd, none\); name one"
    ):
        found.maps(maps="ce")
    keys = found.list("maps", images="essential", range="test-0-4")["key"]
    assert len(keys) == 2 and found.maps(key=keys[0]).sizes["sample"] == keyed_results.N
    assert found.adversarial(attack="pgd").sizes["sample"] == 2 * keyed_results.N
    assert len(found.correlations()) == 2 and found.correlations()["key"].nunique() == 2
    with pytest.raises(FreqmapsError, match=r"differ in inputs\.matrices\.inputs\.first\.parameters\.objective"):
        found.per_sample("cosine", attack="pgd")


def test_splits_never_mix(tmp_path):
    for split in ("test", "train"):
        keyed_results.make(tmp_path / split, split=split)
    shutil.copytree(tmp_path / "train", tmp_path / "test", dirs_exist_ok=True)
    found = freqmaps.open(tmp_path / "test")
    with pytest.raises(FreqmapsError, match=r"attack 'pgd': fits results that differ in split \(test, train\)"):
        found.adversarial(attack="pgd")
    assert found.adversarial(attack="pgd", split="train").sizes["sample"] == 2 * keyed_results.N
    assert found.adversarial(range="test-0-4").sizes["sample"] == keyed_results.N
    assert set(found.list("attacks", split="train")["range"]) == {"train-0-4", "train-4-8"}


def test_attacks_of_two_budgets_behind_maps_of_one_name_do_not_mix(results):
    """What maps were made from is looked up, however their own specs agree."""
    attacks = [r for r in results if r.stage == "attacks" and r.names["attack"] == "strong"]
    maps = [r for r in results if r.names.get("images") == "adversarial" and r.names["attack"] == "strong"]
    keys = [r.folder.name for r in attacks]
    behind = [_with_spec(r, inputs={"adversarial": key}) for r, key in zip(maps, sorted(keys), strict=True)]
    assert Results([*behind, *attacks]).maps(attack="strong").sizes["sample"] > 0
    parameters = {"attack": {"kind": "pgd", "parameters": {"epsilon": 0.5}}}
    other = [attacks[0], _with_spec(attacks[1], parameters=parameters)]
    with pytest.raises(FreqmapsError, match=r"inputs\.adversarial\.parameters\.attack\.parameters\.epsilon"):
        Results([*behind, *other]).maps(attack="strong")


def _with_spec(result, **changes):
    return replace(result, manifest=result.manifest | {"spec": result.manifest["spec"] | changes})


def test_the_lines_of_the_readme_run_on_a_finished_study(tmp_path, monkeypatch):
    keyed_results.make(tmp_path / "results", dataset="digits", attack="fmn")
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8").split("## Read results from a notebook")[1]
    lines = text.split("```python\n")[1].split("```")[0]
    place = {"small-cnn": "net", "standard": "plain", ', study="config.yaml"': "", "matched": "any-pairing"}
    for word, other in place.items():
        lines = lines.replace(word, other)
    monkeypatch.chdir(tmp_path)
    told: dict = {}
    exec(compile(lines, "README", "exec"), told)
    assert told["maps"].sizes["sample"] == told["attacked"].sizes["sample"] == 2 * keyed_results.N
    assert set(told["found"].data_vars) == {"label", "success", "linf"} and told["images"].sizes["sample"] == 2
    assert len(told["cosines"]) == len(told["table"]) == 1
    assert repr(told["results"]).endswith("10 finished results)")


def test_a_stage_or_variable_that_is_mistyped_is_answered_with_the_nearest(tmp_path):
    keyed_results.make(tmp_path)
    opened = freqmaps.open(tmp_path)
    with pytest.raises(FreqmapsError, match=r"^no stage 'attak'; did you mean 'attacks'\?"):
        opened.list("attak")
    with pytest.raises(FreqmapsError, match=r"^stores of stage attacks have no variable 'lable'; did you mean 'label'"):
        opened.adversarial(attack="pgd", variables=["success", "lable"])
    assert set(opened.adversarial(attack="pgd", variables=["success", "sample"]).data_vars) == {"success"}


def test_a_study_is_read_as_snakemake_reads_it_over_the_config_of_the_folder(tmp_path, monkeypatch):
    write_studies(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    base = str(REPOSITORY / "config.yaml")
    whole = _paths([base, "../small.yaml"])
    with pytest.raises(
        ConfigError, match=r"^\.\./small\.yaml: .*; an overlay is given after the file it was laid over"
    ):
        freqmaps.open(keyed_results.make(tmp_path / "root")["datasets"], study="../small.yaml")
    shutil.copy(base, "config.yaml")
    assert _paths(["../small.yaml"]) == whole and len(whole) > 5


def test_a_sample_that_two_runs_compare_counts_once(results, tmp_path):
    once = Results(results).per_sample("cosine", attack="weak")
    (one,) = [r for r in results if r.names.get("metric") == "cosine" and r.names["attack"] == "weak"]
    lines = (one.folder / "per_sample.csv").read_text().splitlines(keepends=True)
    (tmp_path / "per_sample.csv").write_text("".join(lines[:6]))
    both = Results([*results, replace(one, folder=tmp_path)]).per_sample("cosine", attack="weak")
    pd.testing.assert_frame_equal(both, once)
