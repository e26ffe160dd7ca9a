"""Accuracy under corruptions, made and read from official files; what enters the key; mean corruption error."""

from __future__ import annotations

import math
from io import BytesIO
from math import isnan

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image

from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.corruptions import _official
from freqmaps.corruptions._api import corrupted
from freqmaps.evaluation import Network, checked, corruptions
from freqmaps.inference.corruption_errors import mean_corruption_error
from freqmaps.inference.proportions import wilson
from freqmaps.job import Job
from freqmaps.stores import ARRAYS, open_store
from freqmaps.stores.selection import Samples
from freqmaps.study import config
from freqmaps.study.build import study as resolve
from tests import tiny_results as tiny
from tests.dataset_files import as_folder, own_cache, picture  # noqa: F401
from tests.workflow import REPOSITORY


class Brightest(torch.nn.Module):
    """The class of an image is the channel or column that is brightest."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x):
        return x.mean(dim=(1, 2))[:, : self.classes]


def network_of(images, labels, ids, classes=4):
    samples = Samples(images, np.asarray(labels), list(ids), np.arange(len(ids)) + 100)
    return Network(Brightest(classes).eval(), torch.device("cpu"), {}, samples)


@pytest.fixture(name="network")
def small_network():
    images = np.random.default_rng(0).random((30, 3, 10, 10)).astype(np.float32)
    network = network_of(images, np.zeros(30, int), [f"test/{i:05d}" for i in range(30)])
    labels = network.predict(images)
    labels[:3] = (labels[:3] + 1) % 4
    return network_of(images, labels, network.samples.ids)


def test_accuracy_and_spectra_are_those_of_a_slow_loop(network):
    found = checked(corruptions.compute(None, network, seed=9, corruptions=["fog", "shot_noise"], draw=4), "mine")
    rows = pd.DataFrame(found.rows).set_index(["corruption", "severity"])
    assert rows.loc[("none", 0), "value"] == pytest.approx(0.9) and len(rows) == 11
    assert set(rows["constants"]) == {"none", "cifar"}
    assert dict(rows["group"].groupby("corruption").first()) == {
        "fog": "weather",
        "none": "none",
        "shot_noise": "noise",
    }
    samples = network.samples
    spectra = found.arrays["difference_spectrum"]
    assert spectra.dims == ("corruption", "severity", "ky", "kx") and spectra.shape == (2, 5, 10, 10)
    for name, severity in (("fog", 1), ("shot_noise", 5)):
        right, total = 0, np.zeros((10, 10))
        for i, image in enumerate(samples.images):
            one = corrupted(image[None], name, severity, seed=4, positions=[samples.positions[i]])
            right += int(one[0, :, :, :4].mean(axis=(0, 1)).argmax() == samples.labels[i])
            for channel in range(3):
                total += np.abs(np.fft.fft2(one[0, channel].astype(float) - image[channel])) / 90
        row = rows.loc[(name, severity)]
        assert (row["value"] * 30, row["n"]) == (pytest.approx(right), 30)
        assert (row["low"], row["high"]) == pytest.approx(wilson(right, 30))
        assert np.allclose(np.fft.ifftshift(spectra.sel(corruption=name, severity=severity)), total, atol=1e-9)
        assert float(spectra.sel(corruption=name, severity=severity, ky=0, kx=0)) == pytest.approx(total[0, 0])


def test_images_are_the_same_for_every_seed_and_number_at_once(network, monkeypatch):
    def values(seed, **given):
        return corruptions.compute(None, network, seed=seed, corruptions=["spatter", "snow"], severities=[5], **given)

    first = values(1)
    assert values(2).rows == first.rows and values(2).arrays.identical(first.arrays)
    assert not values(1, draw=1).arrays.equals(first.arrays)
    assert not values(1, constants="imagenet").arrays.equals(first.arrays)
    monkeypatch.setattr(corruptions, "_TOGETHER", 300 * 7)
    assert values(1).rows == first.rows
    xr.testing.assert_allclose(values(1).arrays, first.arrays)


# --- official files


def array_files(folder, n=12, classes=4, side=10):
    """CIFAR-10-C's format: five severities one after the other; each adds 10 to every byte."""
    folder.mkdir()
    clean = np.random.default_rng(1).integers(0, 200, (n, side, side, 3), dtype=np.uint8)
    labels = np.tile(np.arange(n) % classes, 5)
    np.save(folder / "fog.npy", np.concatenate([clean + np.uint8(10 * s) for s in range(1, 6)]))
    np.save(folder / "labels.npy", labels)
    return clean, labels[:n]


def test_official_arrays_are_read(tmp_path):
    clean, labels = array_files(tmp_path / "C")
    images = clean.transpose(0, 3, 1, 2).astype(np.float32) / 255
    rows = [7, 2, 5]
    network = network_of(images[rows], labels[rows], [f"test/{i:05d}" for i in rows])
    found = corruptions.compute(None, network, seed=0, root=str(tmp_path / "C"), severities=[2, 5])
    assert [(r["corruption"], r["severity"], r["n"]) for r in found.rows] == [
        ("none", 0, 3),
        ("fog", 2, 3),
        ("fog", 5, 3),
    ]
    assert {r["constants"] for r in found.rows[1:]} == {"files"}
    # 50/255 are added to every pixel: only the mean changes, and no prediction.
    assert found.rows[0]["value"] == found.rows[2]["value"]
    spectrum = found.arrays["difference_spectrum"].sel(corruption="fog", severity=5)
    assert float(spectrum.sel(ky=0, kx=0)) == pytest.approx(100 * 50 / 255, rel=1e-5)
    assert float(spectrum.sum()) == pytest.approx(100 * 50 / 255, rel=1e-4)


def test_all_official_images_are_taken_where_the_runs_are_not_among_them(tmp_path):
    clean, labels = array_files(tmp_path / "C")
    images = clean.transpose(0, 3, 1, 2).astype(np.float32) / 255
    found = corruptions.compute(
        None, network_of(images[:4], labels[:4], "abcd"), seed=0, root=str(tmp_path / "C"), severities=[1]
    )
    right = (images + np.float32(10 / 255))[..., :4].mean(axis=(1, 2)).argmax(axis=1) == labels
    assert (found.rows[1]["n"], found.rows[1]["value"] * 12) == (12, pytest.approx(right.sum()))
    assert np.isnan(found.arrays["difference_spectrum"]).all()
    with pytest.raises(FreqmapsError, match=r"'fog' in .* are of 4 classes and the network of 3; give the files of"):
        corruptions.compute(
            None, network_of(images[:4], labels[:4], "abcd", classes=3), seed=0, root=str(tmp_path / "C")
        )


def test_official_labels_must_be_the_runs(tmp_path):
    clean, labels = array_files(tmp_path / "C")
    images = clean.transpose(0, 3, 1, 2).astype(np.float32) / 255
    network = network_of(images[:2], labels[[1, 0]], ["test/00000", "test/00001"])
    with pytest.raises(FreqmapsError, match=r"labels.npy in .* does not have the labels of the run's samples"):
        corruptions.compute(None, network, seed=0, root=str(tmp_path / "C"))


def test_all_images_of_official_folders_are_taken_in_the_order_of_their_classes(tmp_path):
    files = {f"fog/1/n{c}/{i}.png": picture(5 * c + i, (10, 10)) for c in range(4) for i in range(2)}
    network = network_of(np.zeros((1, 3, 10, 10), np.float32), [0], ["other"])
    root = as_folder(tmp_path / "C", files)
    found = corruptions.compute(None, network, seed=0, root=str(root), severities=[1])
    right = [
        np.array(Image.open(BytesIO(data)))[:, :4].mean(axis=(0, 2)).argmax() == int(name.split("/")[2][1:])
        for name, data in files.items()
    ]
    assert (found.rows[1]["n"], found.rows[1]["value"]) == (8, pytest.approx(np.mean(right)))
    with pytest.raises(FreqmapsError, match="are of 4 classes and the network of 3"):
        corruptions.compute(
            None, network_of(network.samples.images, [0], ["other"], classes=3), seed=0, root=str(root), severities=[1]
        )


def test_official_folders_are_read(tmp_path):
    names = [f"n{c:08d}/ILSVRC_{i}.JPEG" for c in range(4) for i in range(2)]
    files = {f"{k}/{s}/{name}": picture(7 * s + i, (10, 10), form="png")
             for k in ("fog", "snow") for s in (1, 3) for i, name in enumerate(names)}  # fmt: skip
    root = as_folder(tmp_path / "C", files)
    assert _official.present(str(root)) == ["fog", "snow"]
    images = np.random.default_rng(0).random((2, 3, 10, 10)).astype(np.float32)
    network = network_of(images, [2, 3], [f"test/{names[5]}", f"test/{names[6]}"])
    found = corruptions.compute(None, network, seed=0, root=str(root), corruptions=["snow"], severities=[3])
    assert [row["n"] for row in found.rows] == [2, 2]
    read = [np.array(Image.open(BytesIO(files[f"snow/3/{names[i]}"]))).transpose(2, 0, 1) / 255 for i in (5, 6)]
    slow = np.mean([np.abs(np.fft.fft2(a - b)) for a, b in zip(read, images.astype(float), strict=True)], axis=(0, 1))
    assert np.allclose(np.fft.ifftshift(found.arrays["difference_spectrum"][0, 0]), slow, atol=1e-5)
    right = [np.array(a)[:, :, :4].mean(axis=(0, 1)).argmax() == c for a, c in zip(read, (2, 3), strict=True)]
    assert found.rows[1]["value"] == pytest.approx(np.mean(right))


def test_the_identity_of_files_is_their_content(tmp_path):
    array_files(tmp_path / "C")
    first = _official.identity(root=str(tmp_path / "C"))
    assert set(first["files"]) == {"fog.npy", "labels.npy"}
    (tmp_path / "C").rename(tmp_path / "moved")
    assert _official.identity(root=str(tmp_path / "moved"), corruptions=["fog"]) == first
    images = np.load(tmp_path / "moved" / "fog.npy")
    images[0, 0, 0, 0] ^= 1
    np.save(tmp_path / "moved" / "fog.npy", images)
    assert _official.identity(root=str(tmp_path / "moved")) != first
    assert _official.identity(root=None) is None
    folders = as_folder(tmp_path / "D", {f"fog/{s}/{c}/1.png": picture(s) for s in (1, 2) for c in "ab"})
    seen = _official.identity(root=str(folders))
    assert set(seen["folders"]["fog"]) == {"1", "2"}
    (folders / "fog" / "1" / "a" / "1.png").write_bytes(picture(9))
    assert _official.identity(root=str(folders)) != seen


def test_broken_official_files_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no corruption, neither arrays such as fog.npy"):
        _official.identity(root=str(tmp_path))
    array_files(tmp_path / "C")
    with pytest.raises(ConfigError, match=r"there is no '.*snow.npy'; unpack it there"):
        _official.identity(root=str(tmp_path / "C"), corruptions=["snow"])

    def read(severity=1, size=10):
        return list(_official.blocks(str(tmp_path / "C"), "fog", severity, channels=3, size=size))

    with pytest.raises(ConfigError, match="the network sees 3 channels of 8x8 pixels"):
        read(size=8)
    with pytest.raises(ConfigError, match="severity 6 of 5 was asked for"):
        read(severity=6)
    np.save(tmp_path / "C" / "labels.npy", np.zeros(7, int))
    with pytest.raises(ConfigError, match=r"has 60 images, labels.npy is of shape \(7,\)"):
        read()
    data = (tmp_path / "C" / "fog.npy").read_bytes()
    (tmp_path / "C" / "fog.npy").write_bytes(data[: len(data) // 2])
    with pytest.raises(ConfigError, match="is not a whole NumPy array"):
        read()
    as_folder(tmp_path / "D", {"fog/readme.txt": b"", "fog/x/1.png": picture(0)})
    with pytest.raises(ConfigError, match=r"holds no folders of severities"):
        _official.identity(root=str(tmp_path / "D"))


# --- in a config


def study_with(**given):
    raw = config.read_files([REPOSITORY / "config.yaml"])
    raw["evaluations"]["corrupted"] = {"kind": "corruptions"} | given
    run = {key: raw["runs"][0][key] for key in ("datasets", "models", "trainings", "samples")}
    raw |= {"runs": [run | {"evaluations": ["corrupted"]}], "items": []}
    nodes = [n for n in resolve(raw).graph.nodes.values() if n.names.get("evaluation") == "corrupted"]
    return nodes[0]


def test_files_enter_the_key_and_their_place_does_not(tmp_path):
    array_files(tmp_path / "C")
    before = study_with()
    first = study_with(root=str(tmp_path / "C"))
    (tmp_path / "C").rename(tmp_path / "moved")
    moved = study_with(root=str(tmp_path / "moved"))
    assert before.key != first.key == moved.key
    assert "identity" not in before.spec["parameters"]["evaluation"]
    assert str(tmp_path) not in str(moved.spec)
    job = Job(moved.spec, {}, tmp_path, dict(moved.options))
    assert job.parameters["evaluation"]["parameters"]["root"] == str(tmp_path / "moved")
    assert "root" not in moved.spec["parameters"]["evaluation"]["parameters"]
    with pytest.raises(ConfigError, match=r"evaluations.corrupted: root: '.*nowhere' holds no corruption"):
        study_with(root=str(tmp_path / "nowhere"))


def test_the_code_of_corruptions_enters_the_key(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    code = (
        'GROUP = "extra"\nSEVERITIES = {"cifar": (1, 2, 3, 4, 5)}\n\n\ndef mine(images, draws, c):\n    return images'
    )
    keys = []
    for number, body in enumerate((code, f"# A comment.\n{code}", f"{code} / c")):
        (tmp_path / f"corruption_{number}.py").write_text(body)
        keys.append(study_with(corruptions=[f"corruption_{number}:mine", "fog"]).spec["code"])
    assert keys[0] == keys[1] != keys[2]
    with pytest.raises(ConfigError, match=r"evaluations.corrupted.corruptions: no corruption named 'fogg'"):
        study_with(corruptions=["fogg"])
    for wrong in ([], ["fog", "fog"]):
        with pytest.raises(ConfigError, match=r"corrupted.corruptions: .*; name at least one corruption, each once"):
            study_with(corruptions=wrong)
    with pytest.raises(ConfigError, match=r"evaluations.corrupted.severities"):
        study_with(severities=[0])


def test_the_script_writes_rows_and_arrays(tmp_path):
    study = tiny.make(tmp_path)
    folder = tiny.evaluation(study, tiny.PLAIN, "corruptions", "all")
    rows = pd.read_csv(folder / "evaluation.csv")
    assert len(rows) == 1 + 19 * 5 and set(rows["n"]) == {tiny.N}
    with open_store(folder / "arrays.zarr.zip", ARRAYS, values=True) as arrays:
        assert (
            arrays["difference_spectrum"].shape == (19, 5, 8, 8) and not np.isnan(arrays["difference_spectrum"]).any()
        )
    means = rows.groupby("corruption")["value"].mean()
    assert means["none"] > means.drop(["none", "saturate", "frost"]).mean()


# --- mean corruption error


def test_mean_corruption_error_is_the_papers():
    generator = np.random.default_rng(0)
    own, reference = ({name: generator.random(5).tolist() for name in "abc"} for _ in range(2))
    slow = np.mean([np.sum(own[name]) / np.sum(reference[name]) for name in "abc"]) * 100
    assert mean_corruption_error(own, reference) == pytest.approx(slow)
    assert mean_corruption_error(reference, reference) == pytest.approx(100)
    assert math.isclose(mean_corruption_error({"a": [0.0]}, {"a": [0.5]}), 0)
    assert isnan(mean_corruption_error({"a": [0.1]}, {"a": [0.0]})) and isnan(mean_corruption_error({}, {}))
    for wrong in ({"a": [0.1, 0.2]}, {"b": [0.1]}, {}):
        with pytest.raises(FreqmapsError, match="give those of the same corruptions and severities"):
            mean_corruption_error({"a": [0.1]}, wrong)
