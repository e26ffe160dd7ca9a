"""Correlations by basis, on results whose numbers are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from freqmaps.core import components
from freqmaps.core.errors import FreqmapsError
from freqmaps.papers.b25 import X3 as B25_X3
from freqmaps.results.reader import Inputs
from tests import synthetic_study as study

HAAR = {"kind": "wavelet", "parameters": {"wavelet": "haar", "levels": 2}}


def in_another_basis(result, root):
    """The same result under the map setting ``waves``; cosines are larger, by 0.1 on average."""
    spec = result.manifest["spec"]
    names, parameters = dict(result.names) | {"maps": "waves"}, dict(spec["parameters"])
    headline = dict(result.manifest["headline"])
    if result.stage == "maps":
        parameters["basis"] = HAAR
        headline["mean_of_map"] = 0.25 if result.names["range"] == "test-0-12" else 0.5
    folder = result.folder
    if result.names.get("metric") == "cosine":
        folder = root / result.names["attack"]
        folder.mkdir()
        pd.read_csv(result.folder / "correlation.csv").to_csv(folder / "correlation.csv", index=False)
        values = pd.read_csv(result.folder / "per_sample.csv")
        values["value"] += 0.1 + 0.01 * (-1.0) ** np.arange(len(values))
        values.to_csv(folder / "per_sample.csv", index=False)
    manifest = {**result.manifest, "headline": headline, "spec": {**spec, "names": names, "parameters": parameters}}
    return replace(result, names=names, folder=folder, manifest=manifest)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    made = study.make(tmp_path_factory.mktemp("study"))
    root = tmp_path_factory.mktemp("cosines")
    return made + [in_another_basis(r, root) for r in made if r.stage in ("maps", "correlation")]


@pytest.fixture(scope="module")
def table(results):
    return B25_X3.build(Inputs(results), attacks=["strong"])


def test_a_row_for_each_basis(table):
    assert table.frame["label"].tolist() == ["Fourier amplitudes", "wavelets (haar, 2)"]
    assert table.frame["svcca"].tolist() == [study.value("svcca", 1)] * 2
    assert table.frame["entries"].tolist() == [64, 64]
    assert [c.name for c in table.shown()][:2] == ["attack", "label"]


def test_how_maps_ended_is_counted_over_all_ranges(table):
    waves = table.frame.set_index("basis").loc["wavelet"]
    # Image i is classified correctly unless i % 6 == 5, keeps its class unless i % 7 == 0, settles unless i % 5 == 0.
    correct = [i for i in range(24) if i % 6 != 5]
    assert waves["essential_n"] == len(correct)
    assert waves["essential_kept"] == pytest.approx(np.mean([i % 7 != 0 for i in correct]))
    assert waves["essential_converged"] == pytest.approx(np.mean([i % 5 != 0 for i in correct]))
    assert waves["essential_steps"] == np.median([500 + i for i in correct])
    fooled = [i for i in correct if i % 3 != 0]
    first = sum(i < 12 for i in fooled)
    assert waves["adversarial_size"] == pytest.approx((0.25 * first + 0.5 * (len(fooled) - first)) / len(fooled))


def test_cosines_are_compared_image_by_image(table):
    fourier, waves = (table.frame.set_index("basis").loc[b] for b in ("fourier", "wavelet"))
    assert np.isnan(fourier["cosine_change"]) and waves["cosine_change_n"] == 12
    assert waves["cosine_change"] == pytest.approx(0.1)
    half = 1.959964 * 0.01 * np.sqrt(12 / 11) / np.sqrt(12)  # of twelve differences, half .09 and half .11
    assert (waves["cosine_change_low"], waves["cosine_change_high"]) == pytest.approx((0.1 - half, 0.1 + half))
    told = [note for note in table.notes if "against those of Fourier amplitudes" in note]
    assert told == [
        "Cosines against those of Fourier amplitudes on the same 12 images (mean difference and its 95 % interval): "
        "wavelets (haar, 2), larger (+0.100, +0.094 to +0.106)."
    ]


def test_idcor_is_shown_in_three_readings(table):
    readings = ("idcor", "idcor_cleaned", "idcor_released")
    assert [tuple(table.frame[name]) for name in readings] == [(study.value(name, 1),) * 2 for name in readings]
    assert table.frame["idcor_cleaned_error"].tolist() == [0.012] * 2
    group = [(column.name, column.label) for column in table.shown() if column.group == "IdCor"]
    assert group == [
        ("idcor", "as made"), ("p_value", "p"), ("idcor_cleaned", "cleaned"), ("idcor_released", "released constant"),
    ]  # fmt: skip
    told = [note for note in table.notes if note.startswith("IdCor of")]
    assert [note.split(":")[0] for note in told] == ["IdCor of Fourier amplitudes", "IdCor of wavelets (haar, 2)"]
    assert all("as made +0.31" in note and "cleaned +0.61" in note and "constant +0.71" in note for note in told)


def test_several_attacks_are_told_apart(results):
    table = B25_X3.build(Inputs(results))
    starts = [note.split(":")[0] for note in table.notes if "against those of Fourier amplitudes" in note]
    assert starts == [f"attack {name}" for name in study.ATTACKS]
    assert len(table.frame) == 2 * len(study.ATTACKS)
    assert any(note.startswith("IdCor of wavelets (haar, 2), attack strong: as made") for note in table.notes)


def test_without_the_papers_basis_there_is_nothing_to_compare_with(results):
    alone = B25_X3.build(Inputs([r for r in results if r.names.get("maps") != "small"]), attacks=["strong"])
    assert alone.frame["cosine_change"].isna().all()
    assert not [note for note in alone.notes if "against those of Fourier amplitudes" in note]
    with pytest.raises(FreqmapsError, match="no maps of essential with setting 'small'"):
        B25_X3.build(Inputs([r for r in results if r.stage != "maps"]))


def test_every_basis_has_a_name():
    assert set(B25_X3.LABELS) == set(components.names("basis"))
