"""Results as items, evaluations and notebooks read them: joined, chosen, ordered; what is not there is named."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.papers.b25 import T1 as B25_T1
from freqmaps.results.reader import Inputs
from freqmaps.stores import MAPS, read, write
from tests import synthetic_study as study


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return study.make(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def inputs(results):
    return Inputs(results)


def test_ranges_are_joined_in_order(inputs):
    store = inputs.adversarial(attack="strong", **study.PLACE)
    assert store["sample"].values.tolist() == [f"s{i:03d}" for i in range(24)]
    maps = inputs.maps(of="essential", maps="small")
    assert maps["sample"].values.tolist() == [f"s{i:03d}" for i in range(24) if i % 6 != 5]


def test_samples_of_two_ranges_count_once(results):
    maps = next(r for r in results if r.stage == "maps" and r.names["of"] == "essential")
    again = replace(maps, names=dict(maps.names) | {"range": "test-0-8"})
    once, twice = (Inputs(r).maps(of="essential") for r in (results, [*results, again]))
    assert twice.identical(once)
    ids = ["s020", "s001"]
    both = Inputs([*results, again]).maps(of="essential", samples=ids)
    assert both["sample"].values.tolist() == ids


def test_samples_are_read_in_the_order_asked(inputs):
    ids = ["s020", "s001", "s013"]
    part = inputs.maps(of="essential", samples=ids)
    whole = inputs.maps(of="essential")
    assert part["sample"].values.tolist() == ids
    assert np.array_equal(part["map"].values, whole.sel(sample=ids)["map"].values)
    assert set(inputs.maps(of="essential", variables=["steps"]).data_vars) == {"steps"}


def test_maps_of_another_basis_are_refused_unless_any_will_do(tmp_path):
    made = Inputs(study.make(tmp_path))
    for result in made.select("maps", of="essential"):
        path = result.folder / "store.zarr.zip"
        store = read(path, MAPS)
        path.unlink()
        write(path, store.assign_attrs(basis="phase"), MAPS)
    with pytest.raises(FreqmapsError, match="have basis 'phase', and what is asked for needs 'fourier'"):
        made.maps(of="essential")
    assert "map" in made.maps(of="essential", basis=None)
    assert "map" in made.maps(of="essential", basis="phase")
    assert "map" not in made.maps(of="essential", variables=["steps"])
    for name in ("B25-F1", "B25-F2", "B25-F3"):
        with pytest.raises(FreqmapsError, match="name a map setting with basis fourier"):
            components.load("item", name)(made)


def test_what_is_not_there_is_named(inputs):
    with pytest.raises(FreqmapsError, match="no sample 's005'"):
        inputs.maps(of="essential", samples=["s005"])
    with pytest.raises(FreqmapsError, match="name one of them"):
        inputs.maps(maps="small")
    with pytest.raises(FreqmapsError, match="no maps result for of 'pdg'"):
        inputs.maps(of="pdg")
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
