"""Labelled arrays of evaluations: what the contract takes, and how an item reads what a user's evaluation made."""

import sys

import numpy as np
import pytest
import xarray as xr

from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.results.reader import Inputs
from freqmaps.stores import ARRAYS, read, write
from tests import tiny_results as tiny

MINE = '''"""The mean spectrum of the images of each class."""

import numpy as np
import xarray as xr

from freqmaps.evaluation import Evaluated
from freqmaps.spectra.transforms import frequencies, spectrum

NEEDS = ()


def mean_spectrum(inputs, network, *, seed: int) -> Evaluated:
    """Mean |F x| by class, channels averaged."""
    images, labels = network.samples.images, network.samples.labels
    planes = spectrum(images).mean(axis=1)
    classes = np.arange(11)  # of the last one there is no image
    means = np.full((11, *planes.shape[1:]), np.nan)
    for c in set(labels.tolist()):
        means[c] = planes[labels == c].mean(axis=0)
    ky, kx = (frequencies(n) for n in planes.shape[1:])
    missing = {"missing": "no image of this class"}
    arrays = xr.Dataset(
        {"mean": (("class", "ky", "kx"), means, missing), "n": ("class", np.bincount(labels, minlength=11))},
        {"class": classes, "ky": ky, "kx": kx},
        {"unit": "gray value times pixels"},
    )
    row = {"measure": "mean magnitude", "value": planes.mean(), "n": len(planes), "low": np.nan, "high": np.nan}
    return Evaluated([row], arrays=arrays)
'''


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tiny.make(tmp_path_factory.mktemp("arrays"))


def test_arrays_go_from_an_evaluation_to_whom_reads_them(study, tmp_path, monkeypatch):
    (tmp_path / "arrays_lab.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    names = {**tiny.PLAIN, "evaluation": "spectrum"}
    parameters = {"evaluation": {"kind": "arrays_lab:mean_spectrum", "parameters": {}}, "samples": tiny.SAMPLES}
    folder = tiny.stage(study, "evaluation", names, parameters, dict(tiny.network(tiny.PLAIN)))
    found = Inputs.from_folders([folder]).arrays(**names)
    assert found.attrs == {"unit": "gray value times pixels", "kind": "arrays"}
    store = Inputs.from_folders([study.folders["datasets/toy"]]).dataset("toy")
    images, labels = store["image"].values[-tiny.N :].astype(np.float64), store["label"].values[-tiny.N :]
    label = int(labels[0])
    slow = np.zeros(images.shape[2:])
    h, w = slow.shape
    rows, columns = np.mgrid[:h, :w]
    for x in images[labels == label]:
        for ky in range(h):
            for kx in range(w):
                turn = np.exp(-2j * np.pi * ((ky - h // 2) * rows / h + (kx - w // 2) * columns / w))
                slow[ky, kx] += np.mean([abs((c * turn).sum()) for c in x]) / (labels == label).sum()
    np.testing.assert_allclose(found["mean"].sel({"class": label}), slow, atol=1e-5)
    assert found["n"].sum() == tiny.N and np.isnan(found["mean"].sel({"class": 10})).all()
    sys.modules.pop("arrays_lab", None)


def test_an_evaluation_without_arrays_has_an_empty_dataset(study):
    folder = tiny.evaluation(study, tiny.PLAIN, "group_accuracy", "no-arrays", group_maps="tiny")
    assert not Inputs.from_folders([folder]).arrays(evaluation="no-arrays").variables
    with pytest.raises(FreqmapsError, match="0 evaluations fit evaluation 'other'; give names that fit one"):
        Inputs.from_folders([folder]).arrays(evaluation="other")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_any_numbers_come_back_as_they_are(tmp_path, dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    given = xr.Dataset({"a": (("regime", "bin"), values)}, {"regime": ["N", "A"]})
    write(tmp_path / "a.zarr.zip", given, ARRAYS)
    found = read(tmp_path / "a.zarr.zip", ARRAYS)
    assert found["a"].dtype == dtype and np.array_equal(found["a"], values)
    assert found["regime"].values.tolist() == ["N", "A"]


@pytest.mark.parametrize(
    ("variable", "coordinates", "message"),
    [
        (("x", ["text"]), {"x": [0]}, "'a' has dtype .*; give numbers, and texts as coordinates"),
        (("x", [1j]), {"x": [0]}, "give numbers"),
        (("x", [1.0]), {}, r"'a' has dims \('x',\) and no coordinate along any"),
        (((), 1.0), {"x": [0]}, "no coordinate along any"),
        (("x", [np.nan]), {"x": [0]}, "say in its attribute 'missing' what NaN stands for"),
        (("x", [np.inf], {"missing": "none"}), {"x": [0]}, "holds NaN or infinity"),
    ],
)
def test_what_the_contract_refuses(tmp_path, variable, coordinates, message):
    with pytest.raises(StoreError, match=message):
        write(tmp_path / "a.zarr.zip", xr.Dataset({"a": variable}, coordinates), ARRAYS)
    assert not (tmp_path / "a.zarr.zip").exists()
