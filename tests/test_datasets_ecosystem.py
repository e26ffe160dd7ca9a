"""Data as hubs and libraries hold them: parquet, WebDataset, MedMNIST, torchvision's classes, CIFAR-10-C."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.datasets import arrays, medmnist, parquet, torchvision_dataset, webdataset, write_store
from freqmaps.stores import DATASET, open_store
from tests.dataset_files import (  # noqa: F401
    CLASSES,
    as_folder,
    as_tar,
    hub,
    hub_file,
    med_file,
    mnist,
    own_cache,
    picture,
    shards,
    whole,
)


def decoded(data: bytes) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


# --- parquet --------------------------------------------------------------------------------------------------------


def check(got, made, where=None):
    """Compare what was read with the images by split and position, and labels with positions modulo 3."""
    assert len(got.sample) == sum(len(images) for images in made.values())
    for image, sample, label, split in zip(got.image, got.sample, got.label, got.split, strict=True):
        part, _, number = sample.partition("/")
        assert np.array_equal(image, decoded(made[(where or {}).get(part, part)][int(number)]))
        assert (part, label) == (split, int(number) % 3)


def test_parquet_files_of_two_splits(tmp_path):
    made = hub(tmp_path / "data")
    description = parquet.describe(root=str(tmp_path))
    assert description.classes == ("fox", "cat", "dog")
    assert (description.channels, description.size, description.splits) == (3, 8, {"train": 6, "test": 6})
    got = whole(parquet.read(root=str(tmp_path)))
    check(got, made)
    assert got.label[:3].tolist() == [0, 1, 2]
    write_store(tmp_path / "s.zarr.zip", "parquet", {"root": str(tmp_path)}, {}, description.identity)
    with open_store(tmp_path / "s.zarr.zip", DATASET) as store:
        assert store.attrs["classes"] == CLASSES


def test_parquet_in_the_cache_of_hugging_face(tmp_path):
    """Snapshots hold links to blobs; ``refs/main`` names the current one; grey images stay grey."""
    repository = tmp_path / "datasets--someone--toys"
    made = hub(repository / "blobs", splits=("train", "validation"), image="img", label="fine_label")
    for snapshot in ("old", "new"):
        (repository / "snapshots" / snapshot / "plain").mkdir(parents=True)
    for blob in sorted((repository / "blobs").iterdir()):
        (repository / "snapshots" / "new" / "plain" / blob.name).symlink_to(blob)
    with pytest.raises(ConfigError, match="2 snapshots"):
        parquet.describe(root=str(repository))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("new")
    description = parquet.describe(root=str(repository))
    assert description.splits == {"train": 6, "test": 6}
    check(whole(parquet.read(root=str(repository))), made, {"test": "validation"})
    grey = hub_file(tmp_path / "g" / "a.parquet", [picture(i, channels=1) for i in range(6)], [0, 1, 2] * 2, raw=True)
    assert parquet.describe(root=str(grey), test_fraction=0.5).channels == 1
    assert whole(parquet.read(root=str(grey), test_fraction=0.5, channels=3)).image.shape == (6, 3, 8, 8)


def test_parquet_identity_is_that_of_the_images(tmp_path):
    hub(tmp_path / "a", rows=1)
    hub(tmp_path / "b", rows=100)
    first = parquet.describe(root=str(tmp_path / "a")).identity
    assert parquet.describe(root=str(tmp_path / "b")).identity == first
    hub_file(tmp_path / "b" / "test-00001-of-00002.parquet", [picture(900 + i) for i in range(3)], [0, 1, 2])
    assert parquet.describe(root=str(tmp_path / "b")).identity != first


def test_parquet_with_text_labels_and_images_beside_it(tmp_path):
    made = as_folder(tmp_path / "d", {f"i/{n}.png": picture(n) for n in range(6)})
    rows = [{"bytes": None, "path": f"i/{n}.png"} for n in range(6)]
    pq.write_table(pa.table({"image": rows, "class": list("bababa")}), made / "a.parquet")
    description = parquet.describe(root=str(made), test_fraction=0.3)
    assert description.classes == ("a", "b")
    got = whole(parquet.read(root=str(made), test_fraction=0.3))
    for image, sample, label in zip(got.image, got.sample, got.label, strict=True):
        assert np.array_equal(image, decoded(picture(int(sample))))
        assert label == 1 - int(sample) % 2
    plain = pa.table({"image": [row["path"] for row in rows], "class": list("bababa")})
    pq.write_table(plain, made / "b.parquet")
    again = parquet.describe(root=str(made / "b.parquet"), test_fraction=0.3)
    assert again.identity == description.identity
    (made / "b.parquet").unlink()
    rows[2]["path"] = "../out.png"
    pq.write_table(pa.table({"image": rows, "class": list("bababa")}), made / "a.parquet")
    with pytest.raises(ConfigError, match="lies outside"):
        parquet.describe(root=str(made), test_fraction=0.3)


def _parquet_mistakes(root: Path):
    six = [picture(i) for i in range(6)]
    labels = [0, 1, 2, 0, 1, 2]
    yield "absent", {}, "no such file or folder"
    (root / "empty").mkdir(parents=True)
    yield "empty", {}, r"holds no \.parquet files"
    hub_file(root / "one" / "train-0.parquet", six, labels)
    yield "one", {}, "set test_fraction"
    hub(root / "two")
    yield "two", {"test_fraction": 0.2}, "remove test_fraction"
    yield "two", {"test": "tset"}, "no files of a split 'tset' in .* which is to be test; did you mean 'test'"
    yield "two", {"label": "lable"}, "no column 'lable' in .* did you mean 'label'"
    yield "two", {"label": "image"}, "holds {.*}?, not one integer or text per image"
    hub(root / "configs" / "a")
    hub(root / "configs" / "b")
    yield "configs", {}, "give the folder of one data set"
    hub_file(root / "odd" / "a.parquet", six, labels, image="pixels", label="kind", names=None)
    yield "odd", {"test_fraction": 0.5}, "no column that is known to hold the image; set 'image' to one of pixels, kind"
    hub_file(root / "unlabelled" / "a.parquet", six, [-1] * 6, names=None)
    yield "unlabelled", {"test_fraction": 0.5}, "holds -1, so images have no label"
    hub_file(root / "beyond" / "a.parquet", six, [0, 1, 2, 3, 1, 2])
    yield "beyond", {"test_fraction": 0.5}, "has label 3, but there are 3 classes"
    hub_file(root / "broken" / "a.parquet", [*six[:5], six[5][:40]], labels)
    yield "broken", {"test_fraction": 0.5}, "000005' cannot be read as an image"
    hub_file(root / "sizes" / "a.parquet", [*six[:5], picture(7, (9, 9))], labels)
    yield "sizes", {"test_fraction": 0.5}, "is 9x9 pixels, others are 8x8; set 'size'"
    whole_file = hub_file(root / "cut" / "a.parquet", six, labels)
    whole_file.write_bytes(whole_file.read_bytes()[:-20])
    yield "cut", {"test_fraction": 0.5}, "is not a whole parquet file"
    (root / "text").mkdir()
    (root / "text" / "a.parquet").write_text("")
    yield "text", {"test_fraction": 0.5}, "is not a whole parquet file"


def test_parquet_mistakes_are_one_sentence(tmp_path):
    for place, given, message in _parquet_mistakes(tmp_path):
        with pytest.raises(ConfigError, match=message) as caught:
            parquet.describe(root=str(tmp_path / place), **given)
        assert "\n" not in str(caught.value)


def test_without_pyarrow_one_sentence(tmp_path, monkeypatch):
    hub(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install 'pyarrow"):
        parquet.describe(root=str(tmp_path))


# --- WebDataset -----------------------------------------------------------------------------------------------------


def test_tar_shards_of_two_splits(tmp_path):
    made = shards(tmp_path / "s")
    given = {"root": str(tmp_path / "s"), "classes": ["x", "y", "z"]}
    description = webdataset.describe(**given)
    assert (description.classes, description.splits) == (("x", "y", "z"), {"train": 6, "test": 6})
    check(whole(webdataset.read(**given)), made, {"test": "val"})
    assert webdataset.describe(root=given["root"]).classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"0.png": picture(0)}, r"image '0' has no '0\.cls' beside it"),
        ({"0.png": picture(0), "0.cls": b"cat"}, r"'0\.cls' holds 'cat', not the number of a class"),
        ({"0.cls": b"1"}, "holds no images"),
        ({"0.png": picture(0), "0.cls": b"1", "1.png": b"", "1.cls": b"0"}, "empty file"),
    ],
)
def test_tar_shards_with_mistakes(files, message, tmp_path):
    as_tar(tmp_path / "a.tar", files)
    with pytest.raises(ConfigError, match=message):
        webdataset.describe(root=str(tmp_path / "a.tar"), test_fraction=0.5)


def test_samples_of_two_shards_with_one_key(tmp_path):
    for name in ("a", "b"):
        as_tar(tmp_path / f"{name}.tar", {"0.png": picture(0), "0.cls": b"0", "1.png": picture(1), "1.cls": b"1"})
    with pytest.raises(ConfigError, match=r"two shards .* hold the sample '0'"):
        webdataset.describe(root=str(tmp_path), test_fraction=0.5)


# --- MedMNIST -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
@pytest.mark.parametrize("validation", [False, True])
def test_medmnist_file(shape, validation, tmp_path):
    path = med_file(tmp_path / "a.npz", shape)
    description = medmnist.describe(path=path, validation=validation)
    assert description.splits == {"train": 12 if validation else 9, "test": 6}
    assert (description.channels, description.size) == (3 if len(shape) == 3 else 1, 8)
    got = whole(medmnist.read(path=path, validation=validation))
    with np.load(path) as content:
        for image, sample, label, split in zip(got.image, got.sample, got.label, got.split, strict=True):
            part, number = sample.split("/")
            expected = content[f"{part}_images"][int(number)]
            assert np.array_equal(image, expected[None] if expected.ndim == 2 else expected.transpose(2, 0, 1))
            assert label == int(number) % 3
            assert split == ("test" if part == "test" else "train")
    assert len(got.sample) == sum(description.splits.values())


@pytest.mark.parametrize(
    ("changes", "given", "message"),
    [
        ({"test_images": None}, {}, "has no 'test_images' with 'test_labels'"),
        ({"train_labels": np.zeros((9, 14), np.uint8)}, {}, "several labels per image"),
        ({"train_images": np.zeros((9, 8, 8, 8), np.uint8)}, {}, "no volumes"),
        ({"test_labels": np.zeros((6, 1), np.uint8)}, {}, "class '1' is in train but not in test"),
        ({}, {"classes": ["a", "b"]}, "2 names for the 3 classes"),
    ],
)
def test_medmnist_mistakes(changes, given, message, tmp_path):
    path = med_file(tmp_path / "a.npz", **changes)
    with pytest.raises(ConfigError, match=message):
        medmnist.describe(path=path, **given)


def test_medmnist_file_that_is_cut_short(tmp_path):
    path = Path(med_file(tmp_path / "a.npz"))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ConfigError, match=r"not a whole \.npz file"):
        medmnist.describe(path=str(path))


# --- torchvision ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_torchvision_class_with_an_argument_train(name, tmp_path):
    made = mnist(tmp_path, name)
    description = torchvision_dataset.describe(name=name, root=str(tmp_path))
    assert (description.channels, description.size, description.splits) == (1, 28, {"train": 6, "test": 6})
    assert len(description.classes) == 10
    got = whole(torchvision_dataset.read(name=name, root=str(tmp_path)))
    for image, sample, label, split in zip(got.image, got.sample, got.label, got.split, strict=True):
        part, number = sample.split("/")
        assert np.array_equal(image[0], made[part][int(number)])
        assert (split, label) == (part, int(number) % 3)


def test_torchvision_class_with_an_argument_split(tmp_path):
    """GTSRB: folders of numbered classes for training, a table of labels for testing."""
    base, made = tmp_path / "gtsrb" / "GTSRB", {}
    files = {f"Training/{c:05d}/{i}.ppm": picture(10 * c + i, form="ppm") for c in range(2) for i in range(3)}
    files |= {f"Final_Test/Images/{i:05d}.ppm": picture(50 + i, form="ppm") for i in range(4)}
    as_folder(base, files)
    rows = "".join(f"{i:05d}.ppm;8;8;0;0;8;8;{i % 2}\n" for i in range(4))
    header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
    (tmp_path / "gtsrb" / "GT-final_test.csv").write_text(header + rows)
    description = torchvision_dataset.describe(name="GTSRB", root=str(tmp_path))
    assert (description.splits, description.classes, description.channels) == ({"train": 6, "test": 4}, ("0", "1"), 3)
    got = whole(torchvision_dataset.read(name="GTSRB", root=str(tmp_path)))
    made = [decoded(files[f"Final_Test/Images/{i:05d}.ppm"]) for i in range(4)]
    for image, sample, label in zip(got.image, got.sample, got.label, strict=True):
        part, number = sample.split("/")
        if part == "test":
            assert np.array_equal(image, made[int(number)])
            assert label == int(number) % 2


def test_torchvision_class_without_a_split(tmp_path):
    as_folder(
        tmp_path / "eurosat" / "2750", {f"{c}/{c}_{i}.jpg": picture(i, form="jpeg") for c in "AB" for i in range(4)}
    )
    with pytest.raises(ConfigError, match="set test_fraction"):
        torchvision_dataset.describe(name="EuroSAT", root=str(tmp_path))
    description = torchvision_dataset.describe(name="EuroSAT", root=str(tmp_path), test_fraction=0.25, size=4)
    assert (description.splits, description.classes, description.size) == ({"train": 6, "test": 2}, ("A", "B"), 4)
    got = whole(torchvision_dataset.read(name="EuroSAT", root=str(tmp_path), test_fraction=0.25, size=4))
    assert got.image.shape == (8, 3, 4, 4)
    assert sorted(got.label.tolist()) == [0] * 4 + [1] * 4


def test_a_second_description_needs_no_torch(tmp_path):
    root = str(tmp_path / "data")
    mnist(Path(root), "MNIST")
    script = (
        "import sys\n"
        "from freqmaps.datasets import torchvision_dataset\n"
        f"print(torchvision_dataset.describe(name='MNIST', root={root!r}).splits, 'torch' in sys.modules)"
    )
    told = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]
    assert told == ["{'train': 6, 'test': 6} True", "{'train': 6, 'test': 6} False"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "FashionMINST"}, "no classification data set 'FashionMINST'; the nearest are FashionMNIST"),
        ({"name": "MNIST"}, "MNIST cannot be opened for train .*set 'download: true', or correct 'root'"),
        ({"name": "FakeData", "options": {"sise": 4}}, "unexpected keyword.*correct 'options'"),
        ({"name": "STL10", "train": "trian"}, "trian.*name the splits with 'train' and 'test'"),
        ({"name": "CelebA", "options": {}}, "CelebA cannot be opened"),
    ],
)
def test_torchvision_mistakes(given, message, tmp_path):
    with pytest.raises(ConfigError, match=message) as caught:
        torchvision_dataset.describe(root=str(tmp_path), **given)
    assert "\n" not in str(caught.value)


def test_torchvision_images_that_are_made_up():
    """FakeData needs no files: its options arrive, and its labels are those it gives with the images."""
    from torchvision.datasets import FakeData

    given = {
        "name": "FakeData",
        "options": {"size": 40, "image_size": [3, 8, 8], "num_classes": 3},
        "test_fraction": 0.5,
    }
    got = whole(torchvision_dataset.read(**given))
    reference = FakeData(size=40, image_size=(3, 8, 8), num_classes=3)
    for image, sample, label in zip(got.image, got.sample, got.label, strict=True):
        expected, of = reference[int(sample)]
        assert np.array_equal(image, np.asarray(expected).transpose(2, 0, 1))
        assert label == int(of)


# --- arrays: CIFAR-10-C, integers -----------------------------------------------------------------------------------


def test_the_pair_of_files_of_cifar_10_c(tmp_path):
    """``fog.npy`` (5n, 32, 32, 3) holds five severities of the images whose labels ``labels.npy`` repeats."""
    images = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "fog.npy", images)
    np.save(tmp_path / "labels.npy", np.tile(np.arange(10, dtype=np.uint8), 5))
    given = {"path": str(tmp_path / "fog.npy"), "labels": str(tmp_path / "labels.npy"), "test_fraction": 0.6}
    assert arrays.describe(**given).splits == {"train": 20, "test": 30}
    got = whole(arrays.read(**given))
    assert all(np.array_equal(x, images[int(s)].transpose(2, 0, 1)) for x, s in zip(got.image, got.sample, strict=True))


def stack(tmp_path, images, **given):
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(12) % 3)
    return whole(arrays.read(path=str(tmp_path / "a.npz"), test_fraction=0.5, **given))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint16", ">u2"])
def test_integers_that_hold_bytes_are_read_as_bytes(dtype, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8))
    got = stack(tmp_path, images.astype(dtype))
    assert got.image.dtype == np.uint8
    assert all(np.array_equal(x[0], images[int(s)]) for x, s in zip(got.image, got.sample, strict=True))


@pytest.mark.parametrize(
    ("dtype", "high", "white"),
    [("uint16", 4095, 4095), ("uint16", 65535, 65535), ("float64", 255, 255), ("uint8", 1, 1)],
)
def test_images_are_divided_by_the_value_of_white(dtype, high, white, tmp_path):
    images = np.random.default_rng(0).integers(0, high + 1, (12, 8, 8)).astype(dtype)
    got = stack(tmp_path, images, white=white)
    assert got.image.dtype == np.float32
    for x, s in zip(got.image, got.sample, strict=True):
        assert np.array_equal(x[0], (images[int(s)] / white).astype(np.float32))


def test_masks_of_booleans(tmp_path):
    images = np.random.default_rng(0).integers(0, 2, (12, 8, 8)).astype(bool)
    got = stack(tmp_path, images)
    assert all(np.array_equal(x[0], images[int(s)]) for x, s in zip(got.image, got.sample, strict=True))


@pytest.mark.parametrize(
    ("images", "given", "message"),
    [
        (np.full((12, 8, 8), 4000, np.uint16), {}, r"'images' is uint16 and spans \[4000, 4000\]; set 'white'"),
        (np.full((12, 8, 8), -1, np.int32), {}, "set 'white'"),
        (np.ones((12, 8, 8), np.int32), {}, r"spans \[1, 1\]; set 'white'"),
        (
            np.full((12, 8, 8), 5000, np.uint16),
            {"white": 4095},
            r"spans \[5000, 5000\], which does not lie in \[0, 4095\]",
        ),
        (np.full((12, 8, 8), np.nan), {"white": 255}, "does not lie in"),
        (np.full((12, 8, 8), 200.0), {}, "set 'white' to the value of white, such as 255"),
    ],
)
def test_integers_of_unknown_white_are_refused_with_the_choice(images, given, message, tmp_path):
    with pytest.raises(FreqmapsError, match=message):
        stack(tmp_path, images, **given)
