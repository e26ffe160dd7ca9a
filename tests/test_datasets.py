"""Datasets: original formats, own images and arrays; identity, order, errors, and what a dry run may import."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import inspect
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from freqmaps import components
from freqmaps.datasets import (
    Moments,
    _decode,
    _files,
    _order,
    _originals,
    _pickles,
    arrays,
    cifar10,
    cifar100,
    digits,
    image_folder,
    imagenette,
    svhn,
    write_store,
)
from freqmaps.datasets._api import Block
from freqmaps.errors import ConfigError, FreqmapsError
from freqmaps.stores import DATASET, open_store


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def whole(blocks) -> Block:
    parts = list(blocks)
    return Block(
        np.concatenate([b.image for b in parts]),
        np.concatenate([b.label for b in parts]),
        [s for b in parts for s in b.split],
        [s for b in parts for s in b.sample],
    )


def picture(seed: int, size=(8, 8), channels=3, form="png") -> bytes:
    shape = (size[1], size[0], 3) if channels == 3 else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


def tree(splits=("train", "test"), classes=("cat", "dog"), n=3, size=(8, 8), **more) -> dict[str, bytes]:
    """Make images by name: split/class/number."""
    names = [f"{split}/{c}/{i}.png" if split else f"{c}/{i}.png" for split in splits for c in classes for i in range(n)]
    return {name: picture(i, size, **more) for i, name in enumerate(names)}


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def as_tar(path: Path, files: dict[str, bytes], mode="w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


# --- original formats -----------------------------------------------------------------------------------------------


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 and its NumPy wrote: byte strings as BINSTRING, functions under their old names."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, data):
        self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(data)

    dispatch[bytes] = save_string

    def save_text(self, text):
        self.save_string(text.encode("latin1"))

    dispatch[str] = save_text

    def save_global(self, obj, name=None):
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{name or obj.__qualname__}\n".encode())
        self.memoize(obj)

    dispatch[type] = save_global
    dispatch[type(len)] = save_global
    dispatch[type(picture)] = save_global


def python2_pickle(content) -> bytes:
    out = io.BytesIO()
    Python2Pickler(out, 2).dump(content)
    return out.getvalue()


def batch(seed: int, labels: list[int], key: str) -> dict:
    rows = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), dtype=np.uint8)
    return {"data": rows, key: labels, "filenames": [f"{i}.png" for i in range(len(labels))]}


def cifar_files(kind) -> tuple[dict[str, bytes], np.ndarray, list[int]]:
    """Return the members of a small archive, and the rows and labels in store order."""
    cifar = kind._CIFAR
    names = ["ape", "bee", "cow"]
    files = {cifar.meta: python2_pickle({cifar.names: names})}
    rows, labels = [], []
    for i, name in enumerate([*cifar.batches["train"], *cifar.batches["test"]]):
        content = batch(i, [i % 3, (i + 1) % 3, (i + 2) % 3], cifar.labels)
        files[name] = python2_pickle(content)
        rows.append(content["data"])
        labels += content[cifar.labels]
    # The published archive has its members in no useful order.
    return dict(sorted(files.items(), reverse=True)), np.concatenate(rows), labels


@pytest.mark.parametrize("kind", [cifar10, cifar100])
def test_cifar_archive_in_its_original_format(kind, tmp_path):
    files, rows, labels = cifar_files(kind)
    as_tar(tmp_path / kind.ORIGINAL.name, files, "w:gz")
    description = kind.describe(root=str(tmp_path))
    got = whole(kind.read(root=str(tmp_path)))
    assert np.array_equal(got.image, rows.reshape(-1, 3, 32, 32))
    assert got.image.dtype == np.uint8
    assert got.label.tolist() == labels
    assert description.classes == ("ape", "bee", "cow")
    assert description.splits == {"train": got.split.count("train"), "test": 3}
    assert got.sample[0] == "train/00000"
    assert got.sample[-1] == "test/00002"
    assert len(set(got.sample)) == len(labels)
    md5 = hashlib.md5((tmp_path / kind.ORIGINAL.name).read_bytes()).hexdigest()
    assert description.identity == {"files": {kind.ORIGINAL.name: md5}}


def test_cifar_pickles_agree_with_what_torchvision_reads():
    content = batch(0, [1, 2], "labels")
    data = python2_pickle(content)
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in data
    reference = pickle.load(io.BytesIO(data), encoding="latin1")
    got = _pickles.load(data, "here")
    assert np.array_equal(got["data"], reference["data"])
    assert got["labels"] == reference["labels"] == [1, 2]
    for protocol in (2, 3, 4):
        assert np.array_equal(_pickles.load(pickle.dumps(content, protocol), "here")["data"], content["data"])


class Evil:
    def __reduce__(self):
        return os.system, ("echo pwned",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_would_run_something_is_refused(protocol):
    with pytest.raises(ConfigError, match=r"'here' refers to \w+\.system, which is not an array and is refused"):
        _pickles.load(pickle.dumps({"data": Evil()}, protocol), "here")


def test_a_pickle_may_not_use_other_codecs():
    data = b"c_codecs\nencode\n(Vabc\nVrot13\ntR."
    with pytest.raises(ConfigError, match="the encoding rot13"):
        _pickles.load(data, "here")


def test_cifar_archive_with_a_malicious_batch_is_refused(tmp_path):
    files, *_ = cifar_files(cifar10)
    files["cifar-10-batches-py/data_batch_3"] = pickle.dumps(Evil(), 2)
    as_tar(tmp_path / cifar10.ORIGINAL.name, files, "w:gz")
    with pytest.raises(ConfigError, match="data_batch_3' refers to"):
        cifar10.describe(root=str(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cifar-10-batches-py/test_batch": None}, "lacks 'cifar-10-batches-py/test_batch'"),
        ({"cifar-10-batches-py/test_batch": b"nonsense"}, "is not a whole pickle"),
        ({"cifar-10-batches-py/test_batch": python2_pickle(batch(0, [0, 7], "labels"))}, r"label 7, outside 0\.\.2"),
        (
            {"cifar-10-batches-py/test_batch": python2_pickle(batch(0, [0, 1], "labels"))},
            "'cow' is in train but not in",
        ),
        ({"cifar-10-batches-py/test_batch": python2_pickle({"data": [1], "labels": [1]})}, "holds no 'data'"),
        (
            {"cifar-10-batches-py/test_batch": python2_pickle({**batch(0, [0], "x"), "labels": [0, 1]})},
            "no 'labels' for",
        ),
        ({"cifar-10-batches-py/batches.meta": python2_pickle({})}, "names no classes"),
    ],
)
def test_cifar_archive_that_is_not_one(change, message, tmp_path):
    files, *_ = cifar_files(cifar10)
    files = {k: v for k, v in (files | change).items() if v is not None}
    as_tar(tmp_path / cifar10.ORIGINAL.name, files, "w:gz")
    with pytest.raises(ConfigError, match=message):
        cifar10.describe(root=str(tmp_path))


def test_cut_download_is_one_sentence(tmp_path):
    files, *_ = cifar_files(cifar10)
    path = as_tar(tmp_path / cifar10.ORIGINAL.name, files, "w:gz")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ConfigError, match=r"is not a whole archive .*; fetch it again"):
        cifar10.describe(root=str(tmp_path))


def test_published_figures_are_torchvisions():
    from torchvision import datasets

    for ours, theirs in ((cifar10, datasets.CIFAR10), (cifar100, datasets.CIFAR100)):
        assert _originals.Original(theirs.filename, theirs.url, theirs.tgz_md5) == ours.ORIGINAL
    for split, original in svhn.ORIGINALS.items():
        url, name, md5 = datasets.SVHN.split_list[split]
        assert original == _originals.Original(name, url, md5)
    for version, (url, md5) in datasets.Imagenette._ARCHIVES.items():
        assert imagenette.ORIGINALS[version] == _originals.Original(url.rpartition("/")[2], url, md5)
    assert {w: names[0] for w, names in datasets.Imagenette._WNID_TO_CLASS.items()} == imagenette._CLASSES


def test_absent_archives_are_described_as_published(tmp_path):
    described = {k.__name__: k.describe(root=str(tmp_path)) for k in (cifar10, cifar100, svhn, imagenette)}
    assert [sum(d.splits.values()) for d in described.values()] == [60_000, 60_000, 99_289, 13_394]
    assert [len(set(d.classes)) for d in described.values()] == [10, 100, 10, 10]
    assert list(described["freqmaps.datasets.cifar100"].classes) == sorted(cifar100._CIFAR.classes)
    assert described["freqmaps.datasets.cifar10"].identity == {
        "files": {"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"}
    }
    assert not list(tmp_path.glob("*.gz"))


def test_root_that_is_a_file(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(ConfigError, match=r"is not a folder; give the folder that holds cifar-10-python\.tar\.gz"):
        cifar10.describe(root=str(tmp_path / "x"))


def svhn_file(path: Path, labels: list[int], seed: int) -> np.ndarray:
    images = np.random.default_rng(seed).integers(0, 256, (32, 32, 3, len(labels)), dtype=np.uint8)
    savemat(path, {"X": images, "y": np.array(labels, dtype=np.uint8)[:, None]})
    return images


def test_svhn_files_in_their_original_format(tmp_path):
    labels = list(range(1, 11))
    first = svhn_file(tmp_path / "train_32x32.mat", [*labels, 10], 0)
    svhn_file(tmp_path / "test_32x32.mat", labels, 1)
    description = svhn.describe(root=str(tmp_path))
    got = whole(svhn.read(root=str(tmp_path)))
    assert description.splits == {"train": 11, "test": 10}
    assert got.label[:11].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0]
    assert np.array_equal(got.image[4], first[:, :, :, 4].transpose(2, 0, 1))


def test_svhn_files_that_are_not(tmp_path):
    svhn_file(tmp_path / "train_32x32.mat", [1, 2, 3], 0)
    with pytest.raises(ConfigError, match=r"train_32x32\.mat' has no image of class '0'"):
        svhn.describe(root=str(tmp_path))
    svhn_file(tmp_path / "train_32x32.mat", [0, 11], 0)
    with pytest.raises(ConfigError, match=r"one label 1\.\.10"):
        svhn.describe(root=str(tmp_path))
    savemat(tmp_path / "train_32x32.mat", {"X": np.zeros((3, 3)), "y": np.zeros(3)})
    with pytest.raises(ConfigError, match="not bytes"):
        svhn.describe(root=str(tmp_path))
    (tmp_path / "train_32x32.mat").write_bytes(b"x" * 600)
    with pytest.raises(ConfigError, match=r"not a whole \.mat file"):
        svhn.describe(root=str(tmp_path))


def test_imagenette_archive_in_its_original_format(tmp_path):
    classes = ("n01440764", "n02102040", "n09999999")
    files = {
        f"imagenette2-160/{split}/{c}/{c}_{i}.JPEG": picture(i, (20 + 4 * i, 24), form="jpeg")
        for split in ("val", "train")
        for c in classes
        for i in range(3)
    }
    as_tar(tmp_path / "imagenette2-160.tgz", files | {"imagenette2-160/noisy.csv": b"a,b"}, "w:gz")
    given = {"root": str(tmp_path), "version": "160px", "size": 16}
    description = imagenette.describe(**given)
    got = whole(imagenette.read(**given))
    assert description.classes == ("tench", "English springer", "n09999999")
    assert description.splits == {"train": 9, "test": 9}
    assert got.image.shape == (18, 3, 16, 16)
    assert got.label[:6].tolist() == [0, 1, 2, 0, 1, 2]
    assert got.sample[0] == "train/n01440764/n01440764_0.JPEG"
    grey = whole(imagenette.read(**given, channels=1))
    assert grey.image.shape == (18, 1, 16, 16)


def test_imagenette_archive_without_splits_is_refused(tmp_path):
    as_tar(
        tmp_path / "imagenette2.tgz", {f"imagenette2/{c}/{i}.png": picture(i) for c in "ab" for i in range(2)}, "w:gz"
    )
    with pytest.raises(ConfigError, match="neither train/ nor val/"):
        imagenette.describe(root=str(tmp_path))


# --- downloads ------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    (tmp_path / "www").mkdir()
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "www")))
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield tmp_path / "www", f"http://127.0.0.1:{served.server_address[1]}"
    served.shutdown()
    served.server_close()
    thread.join()


def test_download_appears_whole_or_not_at_all(server, tmp_path):
    folder, url = server
    (folder / "a.tgz").write_bytes(b"payload")
    good = _originals.Original("a.tgz", f"{url}/a.tgz", hashlib.md5(b"payload").hexdigest())
    root = tmp_path / "new" / "data"
    assert _originals.md5(root, good) == good.md5
    assert _originals.fetch(root, good).read_bytes() == b"payload"
    assert [p.name for p in root.iterdir()] == ["a.tgz"]
    (folder / "a.tgz").unlink()
    assert _originals.fetch(root, good) == root / "a.tgz"  # it is there: no second download
    (folder / "b.tgz").write_bytes(b"tampered")
    for bad in ("b.tgz", "absent.tgz"):
        with pytest.raises(FreqmapsError, match=f"{bad} could not be downloaded from .* put the file into"):
            _originals.fetch(root, _originals.Original(bad, f"{url}/{bad}", good.md5))
    assert [p.name for p in root.iterdir()] == ["a.tgz"]


# --- images of one's own --------------------------------------------------------------------------------------------


def test_same_images_anywhere_are_the_same_dataset(tmp_path):
    files = tree()
    wrapped = {f"mine/{k}": v for k, v in files.items()}
    backwards = dict(reversed(wrapped.items()))
    as_folder(tmp_path / "a", files)
    as_folder(tmp_path / "b" / "deep", files)
    places = [
        {"root": str(tmp_path / "a")},
        {"root": str(tmp_path / "b")},
        {"root": str(as_tar(tmp_path / "a.tar", files))},
        {"root": str(as_tar(tmp_path / "b.tar.gz", backwards, "w:gz"))},
        {"root": str(as_tar(tmp_path / "c.tar.xz", backwards, "w:xz"))},
        {"root": str(as_zip(tmp_path / "d.zip", wrapped))},
        {"train": str(tmp_path / "a" / "train"), "test": str(tmp_path / "a" / "test")},
        {
            "train": str(as_tar(tmp_path / "train.tar", {k: v for k, v in files.items() if k.startswith("train")})),
            "test": str(as_zip(tmp_path / "test.zip", {k: v for k, v in files.items() if k.startswith("test")})),
        },
    ]
    described = [image_folder.describe(**place) for place in places]
    assert all(d == described[0] for d in described)
    assert described[0].splits == {"train": 6, "test": 6}
    assert described[0].classes == ("cat", "dog")
    contents = [whole(image_folder.read(**place)) for place in places]
    for content in contents:
        assert content.sample == contents[0].sample
        assert np.array_equal(content.image, contents[0].image)
    assert contents[0].sample[:3] == ["train/cat/0.png", "train/dog/0.png", "train/cat/1.png"]
    with Image.open(io.BytesIO(files["train/dog/0.png"])) as image:
        assert np.array_equal(contents[0].image[1], np.asarray(image).transpose(2, 0, 1))


def test_identity_follows_the_content(tmp_path):
    files = tree()
    first = image_folder.describe(root=str(as_folder(tmp_path / "a", files))).identity
    files["train/cat/0.png"] = picture(99)
    second = image_folder.describe(root=str(as_folder(tmp_path / "b", files))).identity
    renamed = {k.replace("0.png", "zero.png"): v for k, v in files.items()}
    third = image_folder.describe(root=str(as_folder(tmp_path / "c", renamed))).identity
    assert len({json.dumps(i) for i in (first, second, third)}) == 3
    assert str(tmp_path) not in json.dumps(first)


def test_made_split_is_stratified_and_fixed(tmp_path):
    files = tree(splits=("",), classes=("a", "b", "c"), n=10)
    root = as_folder(tmp_path / "a", files)
    description = image_folder.describe(root=str(root), test_fraction=0.3)
    got = whole(image_folder.read(root=str(root), test_fraction=0.3))
    assert description.splits == {"train": 21, "test": 9}
    for label in range(3):
        assert sum(s == "test" for s, k in zip(got.split, got.label, strict=True) if k == label) == 3
    again = whole(image_folder.read(root=str(as_tar(tmp_path / "x.tar", files)), test_fraction=0.3))
    assert (again.sample, again.split) == (got.sample, got.split)
    smaller = whole(image_folder.read(root=str(root), test_fraction=0.2))
    assert set(np.array(smaller.sample)[np.array(smaller.split) == "test"]) <= set(
        np.array(got.sample)[np.array(got.split) == "test"]
    )


def test_any_prefix_of_a_split_is_balanced(tmp_path):
    files = tree(splits=("train",), classes=("a", "b", "c"), n=7) | tree(splits=("test",), classes=("a", "b", "c"), n=2)
    files["train/a/x.png"] = picture(50)
    got = whole(image_folder.read(root=str(as_folder(tmp_path / "a", files))))
    labels = got.label[[s == "train" for s in got.split]]
    for n in range(1, 22):
        counts = np.bincount(labels[:n], minlength=3)
        assert counts.max() - counts.min() <= 1
    assert got.label[-6:].tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("size", [(13, 20), (20, 13), (9, 9), (8, 8)])
def test_scaling_shorter_side_then_centre(size):
    import torch
    from torchvision.transforms import functional

    y, x = np.mgrid[: size[1], : size[0]]
    smooth = np.stack([10 * x, 10 * y, 5 * (x + y)], axis=-1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(smooth).save(out, "png")
    got = _decode.decode(out.getvalue(), "x", channels=3, size=8)
    tensor = torch.from_numpy(smooth.transpose(2, 0, 1).copy())
    expected = functional.center_crop(functional.resize(tensor, [8], antialias=True), [8]).numpy()
    # Cropping at a fraction of a pixel: up to half a pixel of the result, whose grey values differ by 10 per pixel.
    assert np.abs(got.astype(int) - expected.astype(int)).max() <= 13
    if size[0] == size[1]:
        assert np.abs(got.astype(int) - expected.astype(int)).max() <= 1


def test_grey_colour_palette_and_sixteen_bits():
    grey, colour = picture(0, channels=1), picture(0, channels=3)
    assert np.ptp(_decode.decode(grey, "x", channels=3, size=8), axis=0).max() == 0
    rgb = _decode.decode(colour, "x", channels=3, size=8).astype(float)
    luma = _decode.decode(colour, "x", channels=1, size=8)
    assert np.abs(luma[0] - (rgb * [[[0.299]], [[0.587]], [[0.114]]]).sum(axis=0)).max() <= 1
    wide = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    out = io.BytesIO()
    Image.fromarray(wide).save(out, "png")
    assert np.array_equal(_decode.decode(out.getvalue(), "x", channels=1, size=8)[0], np.round(wide / 257))
    out = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.float32)).save(out, "tiff")
    with pytest.raises(ConfigError, match="floating-point"):
        _decode.decode(out.getvalue(), "x", channels=1, size=8)
    out = io.BytesIO()
    with Image.open(io.BytesIO(colour)) as image:
        palette = image.convert("P")
    palette.save(out, "png", transparency=b"\x00\x80")
    expected = np.asarray(palette.convert("RGBA"))[..., :3].transpose(2, 0, 1)
    assert np.array_equal(_decode.decode(out.getvalue(), "x", channels=3, size=8), expected)


def test_hidden_and_foreign_files_are_passed_over(tmp_path):
    files = tree()
    expected = image_folder.describe(root=str(as_folder(tmp_path / "a", files)))
    noise = {"__MACOSX/train/cat/._0.png": b"", "train/cat/._0.png": b"", ".DS_Store": b"", "train/readme.txt": b"x"}
    got = image_folder.describe(root=str(as_zip(tmp_path / "a.zip", files | noise | {"train/sheet.png": b"?"})))
    assert got == expected


def break_png(files):
    files["train/dog/1.png"] = files["train/dog/1.png"][:-100]


def break_jpeg(files):
    files["train/dog/1.jpg"] = picture(1, (40, 40), form="jpeg")[:-40]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f.pop("train/cat/0.png") and [f.pop(f"train/cat/{i}.png") for i in (1, 2)],
            "in test but not in train",
        ),
        (lambda f: [f.pop(f"test/cat/{i}.png") for i in range(3)], "class 'cat' is in train but not in test"),
        (lambda f: [f.pop(k) for k in list(f) if k.startswith("test")], "has train/ but no test/ or val/ beside it"),
        (lambda f: [f.pop(k) for k in list(f) if k.startswith("train")], "has test/ but no train/ beside it"),
        (lambda f: f.update({"train/eel/note.txt": b""}), "class folder '.*train/eel' holds no images"),
        (lambda f: f.update({"test/dog/2.png": b"not an image"}), r"test/dog/2.png' cannot be read as an image"),
        (lambda f: f.update({"test/dog/2.png": b""}), r"test/dog/2.png' cannot be read as an image \(empty file\)"),
        (break_png, "train/dog/1.png' cannot be read as an image"),
        (break_jpeg, "train/dog/1.jpg' cannot be read as an image"),
        (lambda f: f.update({"test/dog/2.png": picture(1, (9, 9))}), "is 9x9 pixels, others are 8x8; set 'size'"),
        (lambda f: f.update(tree(size=(8, 9))), "is 8x9 pixels, not square; set 'size'"),
        (lambda f: f.clear(), "no class folders"),
        (lambda f: [f.pop(k) for k in list(f) if "dog" in k], "is the only class"),
    ],
)
@pytest.mark.parametrize("pack", ["folder", "tar"])
def test_bad_folders_are_one_sentence(change, message, pack, tmp_path):
    files = tree()
    change(files)
    (tmp_path / "a").mkdir()
    root = as_folder(tmp_path / "a", files) if pack == "folder" else as_tar(tmp_path / "a.tar", files)
    with pytest.raises(ConfigError, match=message) as caught:
        image_folder.describe(root=str(root))
    assert "\n" not in str(caught.value)


def test_more_bad_places(tmp_path):
    with pytest.raises(ConfigError, match=r"root: no such folder or archive: .*; correct the path"):
        image_folder.describe(root=str(tmp_path / "absent"))
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"neither a folder nor a \.tar or \.zip"):
        image_folder.describe(root=str(tmp_path / "x.txt"))
    for given in ({}, {"train": "a"}, {"root": "a", "test": "b"}):
        with pytest.raises(ConfigError, match="either 'root', or both 'train' and 'test'"):
            image_folder.describe(**given)
    as_folder(tmp_path / "flat", {"1.png": picture(0)})
    with pytest.raises(ConfigError, match="has no class folders"):
        image_folder.describe(root=str(tmp_path / "flat"))
    as_folder(tmp_path / "single", {"a/1.png": picture(0), "b/1.png": picture(0), "b/2.png": picture(1)})
    with pytest.raises(ConfigError, match="class folder 'a' has one image"):
        image_folder.describe(root=str(tmp_path / "single"))
    as_folder(tmp_path / "one", {"a/1.png": picture(0), "a/2.png": picture(1)})
    with pytest.raises(ConfigError, match="one class folder, 'a'"):
        image_folder.describe(root=str(tmp_path / "one"))
    (tmp_path / "loop" / "a").mkdir(parents=True)
    (tmp_path / "loop" / "a" / "up").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError, match="is a link to a folder that it lies in"):
        image_folder.describe(root=str(tmp_path / "loop"))
    as_folder(tmp_path / "dangling", tree())
    (tmp_path / "dangling" / "train" / "cat" / "9.png").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"9\.png': No such file"):
        image_folder.describe(root=str(tmp_path / "dangling"))


def test_archive_members_that_point_outside_are_refused(tmp_path):
    for name in ("../evil.png", "/etc/evil.png", "train/../../evil.png", "..\\evil.png"):
        for pack, path in ((as_tar, tmp_path / "x.tar"), (as_zip, tmp_path / "x.zip")):
            with pytest.raises(ConfigError, match="points outside the archive, which is refused"):
                image_folder.describe(root=str(pack(path, tree() | {name: picture(0)})))
    as_tar(tmp_path / "l.tar", tree())
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
        with tarfile.open(tmp_path / "l.tar", "a") as archive:
            member = tarfile.TarInfo("train/cat/link.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        with pytest.raises(ConfigError, match="is a link or a special file, which is refused"):
            image_folder.describe(root=str(tmp_path / "l.tar"))
        as_tar(tmp_path / "l.tar", tree())
    assert not (tmp_path.parent / "evil.png").exists()


def test_broken_archives_are_one_sentence(tmp_path):
    whole_tar = as_tar(tmp_path / "a.tar.gz", tree(size=(40, 40)), "w:gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole_tar[: len(whole_tar) // 2])
    with pytest.raises(ConfigError, match="not a whole archive"):
        image_folder.describe(root=str(tmp_path / "a.tar.gz"))
    damaged = bytearray(as_zip(tmp_path / "a.zip", tree()).read_bytes())
    damaged[60] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(damaged)
    with pytest.raises(ConfigError, match="not a whole archive"):
        image_folder.describe(root=str(tmp_path / "a.zip"))
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("train/cat/0.png"))
    with pytest.raises(ConfigError, match=r"holds 'train/cat/0\.png' twice"):
        image_folder.describe(root=str(tmp_path / "b.tar"))


# --- arrays ---------------------------------------------------------------------------------------------------------


def array_file(path: Path, **changes) -> str:
    rng = np.random.default_rng(0)
    content = {"images": rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), "labels": np.arange(12) % 3} | changes
    np.savez(path, **{k: v for k, v in content.items() if v is not None})
    return str(path)


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((12, 8, 8), 1), ((12, 1, 8, 8), 1), ((12, 8, 8, 1), 1), ((12, 3, 8, 8), 3), ((12, 8, 8, 3), 3)],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_array_layouts(shape, channels, dtype, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    images = images if dtype == np.uint8 else (images / 255).astype(dtype)
    path = array_file(tmp_path / "a.npz", images=images, labels=(np.arange(12) % 3).astype(np.int32))
    description = arrays.describe(path=path, test_fraction=0.25)
    got = whole(arrays.read(path=path, test_fraction=0.25))
    assert (description.channels, description.size) == (channels, 8)
    assert description.splits == {"train": 9, "test": 3}
    assert got.image.dtype == (np.uint8 if dtype == np.uint8 else np.float32)
    last = shape[-1] in (1, 3)
    first = images.transpose(0, 3, 1, 2) if last else images.reshape(12, channels, 8, 8)
    for image, sample, label in zip(got.image, got.sample, got.label, strict=True):
        assert np.array_equal(image, first[int(sample)].astype(got.image.dtype))
        assert label == int(sample) % 3
    assert sorted(got.label[:3].tolist()) == [0, 1, 2]


def test_arrays_with_split_and_names(tmp_path):
    split = np.array(["train"] * 6 + ["test"] * 6)
    path = array_file(tmp_path / "a.npz", split=split, classes=np.array(["x", "y", "z"]))
    description = arrays.describe(path=path)
    got = whole(arrays.read(path=path))
    assert description.classes == ("x", "y", "z")
    assert [s for s, p in zip(got.sample, got.split, strict=True) if p == "test"] == [f"{i:06d}" for i in range(6, 12)]
    compressed = tmp_path / "b.npz"
    with np.load(path) as content:
        np.savez_compressed(compressed, **content)
    assert arrays.describe(path=str(compressed)) == description
    other = array_file(tmp_path / "c.npz", split=np.array((["train"] * 3 + ["test"] * 3) * 2))
    assert arrays.describe(path=other).identity != description.identity


def test_two_npy_files(tmp_path):
    path = array_file(tmp_path / "a.npz")
    with np.load(path) as content:
        np.save(tmp_path / "i.npy", content["images"])
        np.save(tmp_path / "l.npy", content["labels"])
    given = {"path": str(tmp_path / "i.npy"), "labels": str(tmp_path / "l.npy")}
    assert arrays.describe(**given) == arrays.describe(path=path)
    assert np.array_equal(whole(arrays.read(**given)).image, whole(arrays.read(path=path)).image)
    with pytest.raises(ConfigError, match=r"set 'labels' to the \.npy file"):
        arrays.describe(path=given["path"])
    with pytest.raises(ConfigError, match=r"is not a \.npy file"):
        arrays.describe(path=path, labels=given["labels"])


NAN = np.full((12, 8, 8), 0.5)
NAN[7, 1, 1] = np.nan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": NAN}, "image 7 holds NaN"),
        ({"images": np.full((12, 8, 8), 3.0)}, r"float images span \[3, 3\]; scale them"),
        ({"images": np.zeros((12, 8, 8), np.int64)}, "'images' is int64; save it as uint8"),
        ({"images": np.zeros((12, 8, 9), np.uint8)}, r"has shape \(12, 8, 9\); expected"),
        ({"images": np.zeros((12, 2, 8, 8), np.uint8)}, "expected .* c 1 or 3"),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, "expected"),
        ({"images": None}, "holds no 'images'; found: labels.npy"),
        ({"images": np.array([object()] * 12, dtype=object)}, "is not a whole array of plain numbers"),
        ({"labels": np.arange(11) % 3}, r"'labels' is int64 \(11,\); expected integers of shape \(12,\)"),
        ({"labels": np.zeros(12)}, "expected integers"),
        ({"labels": np.arange(12) % 2 * 2}, r"0\.\.1 without gaps; found 0\.\.2, but no 1"),
        ({"labels": np.arange(12) % 3 - 1}, "without gaps; found -1"),
        ({"labels": np.zeros(12, int)}, "all images are of one class"),
        ({"labels": np.array([0] * 11 + [1])}, "class '1' has one image"),
        ({"classes": np.array(["a", "b", "c", "d"])}, r"0\.\.3 without gaps; found 0\.\.2, but no 3"),
        ({"classes": np.array(["a", "b", "b"])}, "names a class twice"),
        ({"split": np.array(["train"] * 12)}, "there are no test samples"),
        ({"split": np.array(["train"] * 11 + ["val"])}, "'split' holds 'val'"),
        ({"split": np.array(["train"] * 11 + ["test"])}, "is in train but not in test; correct 'split'"),
        ({"split": np.zeros(12)}, "'split' must hold"),
    ],
)
def test_bad_arrays_are_one_sentence(changes, message, tmp_path):
    path = array_file(tmp_path / "a.npz", **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        arrays.describe(path=path)
    assert "\n" not in str(caught.value)


def test_array_file_that_is_missing_or_cut(tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory; correct the path"):
        arrays.describe(path=str(tmp_path / "absent.npz"))
    path = Path(array_file(tmp_path / "a.npz"))
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ConfigError, match=r"is not a \.npz file"):
        arrays.describe(path=str(path))


# --- digits, and every component ------------------------------------------------------------------------------------


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    reference = load_digits()
    got = whole(digits.read(test_fraction=0.5))
    assert np.array_equal(got.image[:, 0] * 16, reference.images.astype(np.float32))
    assert np.array_equal(got.label, reference.target)
    description = digits.describe()
    assert description.splits == {"train": got.split.count("train"), "test": got.split.count("test")}
    assert abs(description.splits["train"] - description.splits["test"]) <= 1


@pytest.mark.parametrize("kind", components.names("dataset"))
def test_component_contract(kind, tmp_path):
    component = components.find("dataset", kind)
    describe, read = (components.load("dataset", kind, name) for name in ("describe", "read"))
    assert inspect.signature(describe).parameters == inspect.signature(read).parameters
    assert all(p.kind is p.KEYWORD_ONLY for p in inspect.signature(describe).parameters.values())
    assert set(component.unkeyed) <= set(component.parameters)
    if "TINY" not in component.constants:
        return
    given = components.resolve("dataset", kind, component.constants["TINY"], where="datasets.tiny")
    headline = write_store(tmp_path / "store.zarr.zip", kind, given, {"spec": "{}"}, describe(**given).identity)
    with open_store(tmp_path / "store.zarr.zip", DATASET, values=True) as store:
        splits = np.array([str(s) for s in store["split"].values])
        assert headline["n"] == {s: int((splits == s).sum()) for s in ("train", "test")}
        assert store["image"].shape[1:] == (headline["channels"], headline["size"], headline["size"])
        train = store["image"].values[splits == "train"].astype(np.float64)
        assert np.allclose(store.attrs["mean"], train.mean(axis=(0, 2, 3)), atol=1e-12)
        assert np.allclose(store.attrs["std"], train.std(axis=(0, 2, 3)), atol=1e-9)
        assert store.attrs["spec"] == "{}"


def test_datasets_with_a_tiny_example():
    assert "TINY" in components.find("dataset", "digits").constants


def test_store_of_bytes_has_the_moments_of_the_train_split(tmp_path):
    root = str(as_folder(tmp_path / "a", tree(n=5)))
    headline = write_store(tmp_path / "s.zarr.zip", "image_folder", {"root": root}, {})
    got = whole(image_folder.read(root=root))
    train = got.image[[s == "train" for s in got.split]] / 255.0
    assert np.allclose(headline["mean"], train.mean(axis=(0, 2, 3)), rtol=1e-12)
    assert np.allclose(headline["std"], train.std(axis=(0, 2, 3)), rtol=1e-12)
    with open_store(tmp_path / "s.zarr.zip", DATASET) as store:
        assert store["image"].dtype == np.uint8
        assert store.attrs["classes"] == ["cat", "dog"]
        assert np.array_equal(store["image"].values, got.image)


def test_constant_channels_get_a_deviation_that_can_divide():
    for images in (np.full((300, 2, 8, 8), 37, np.uint8), np.full((300, 2, 8, 8), 0.3, np.float32)):
        moments = Moments(2)
        moments.add(images)
        moments.add(images)
        assert moments.std == [1.0, 1.0]


def test_data_that_changed_since_they_were_described(tmp_path):
    root = as_folder(tmp_path / "a", tree())
    identity = image_folder.describe(root=str(root)).identity
    (root / "train" / "cat" / "0.png").write_bytes(picture(77))
    with pytest.raises(FreqmapsError, match="not those that the study was resolved for"):
        write_store(tmp_path / "s.zarr.zip", "image_folder", {"root": str(root)}, {}, identity)
    assert not (tmp_path / "s.zarr.zip").exists()


# --- what a dry run costs -------------------------------------------------------------------------------------------


def test_describing_imports_nothing_heavy(tmp_path):
    root = as_folder(tmp_path / "a", tree())
    path = array_file(tmp_path / "a.npz")
    script = f"""
import sys
from freqmaps import components
given = {{"image_folder": {{"root": {str(root)!r}}}, "arrays": {{"path": {path!r}}}}}
for kind in components.names("dataset"):
    components.load("dataset", kind)(**given.get(kind, {{}}))
heavy = {{"torch", "torchvision", "sklearn", "xarray", "zarr", "pandas"}} & set(sys.modules)
assert not heavy, heavy
if sys.argv[1:]:
    light = {{"numpy", "PIL", "scipy"}} & set(sys.modules)
    assert not light, light
"""
    # The second time, everything is remembered, and not even NumPy is needed.
    for more in ([], ["again"]):
        subprocess.run([sys.executable, "-c", script, *more], check=True, cwd=tmp_path, timeout=60)


def test_second_description_reads_no_image(tmp_path, monkeypatch):
    root = as_folder(tmp_path / "a", tree())
    first = image_folder.describe(root=str(root))
    seen = []
    monkeypatch.setattr(_decode, "check", lambda data, where: seen.append(where) or (8, 8))
    assert image_folder.describe(root=str(root)) == first
    assert not seen
    os.utime(root / "train" / "cat" / "0.png", (1, 1))  # other times, same content: looked at again, same identity
    assert image_folder.describe(root=str(root)) == first
    assert len(seen) == 12


def test_same_size_and_date_but_other_content_is_seen(tmp_path):
    root = as_folder(tmp_path / "a", {k: picture(i, form="bmp") for i, k in enumerate(tree())})
    file = root / "train" / "cat" / "0.png"
    before = file.stat()
    first = image_folder.describe(root=str(root)).identity
    file.write_bytes(picture(500, form="bmp"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert image_folder.describe(root=str(root)).identity != first


def test_empty_class_folder_is_seen_after_a_good_scan(tmp_path):
    root = as_folder(tmp_path / "a", tree())
    image_folder.describe(root=str(root))
    (root / "train" / "eel").mkdir()
    with pytest.raises(ConfigError, match="train/eel' holds no images"):
        image_folder.describe(root=str(root))


def test_cache_that_is_corrupt_or_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    root = str(as_folder(tmp_path / "a", tree()))
    first = image_folder.describe(root=root)
    for file in _files.cache_folder().glob("*.json"):
        file.write_text("{")
    assert image_folder.describe(root=root) == first
    assert json.loads(next(_files.cache_folder().glob("*.json")).read_text())["answer"]["digest"]
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert image_folder.describe(root=root) == first
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert image_folder.describe(root=root) == first


def test_errors_are_not_remembered(tmp_path):
    calls = []

    def fail():
        calls.append(1)
        raise ConfigError("bad")

    for _ in range(2):
        with pytest.raises(ConfigError):
            _files.remembered("x", [1], fail)
    assert len(calls) == 2


def test_a_long_scan_tells_how_far_it_is(capsys):
    patience = _files.Patience("checking the images", 4)
    patience.step()
    assert capsys.readouterr().err == ""
    patience.next = 0.0
    patience.step()
    assert capsys.readouterr().err == "checking the images (this time only): 2 of 4, 50 %\n"


def test_interleave_and_split_by_hand():
    assert _order.interleave(["test", "train", "train", "train"], [0, 1, 1, 0]) == [3, 1, 2, 0]
    samples = [f"s{i}" for i in range(10)]
    split = _order.made_split(samples, [0] * 5 + [1] * 5, 0.4)
    expected = {s for part in (samples[:5], samples[5:]) for s in sorted(part, key=_sha)[:2]}
    assert {s for s, p in zip(samples, split, strict=True) if p == "test"} == expected
    assert [_order.test_count(n, 0.01) for n in (2, 3, 1000)] == [1, 1, 10]
    assert _order.test_count(2, 0.99) == 1


def _sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def test_blocks_are_bounded(tmp_path):
    from freqmaps.datasets._api import BLOCK_BYTES, BLOCK_IMAGES, in_blocks, rows_per_block

    images = np.zeros((1300, 1, 2, 2), np.uint8)
    sizes = [len(b.label) for b in in_blocks(images, [0] * 1300, ["train"] * 1300, ["x"] * 1300, range(1300))]
    assert sizes == [512, 512, 276]
    assert BLOCK_IMAGES == 512
    assert rows_per_block(BLOCK_BYTES) == 1
    assert rows_per_block(3 * 224 * 224) * 3 * 224 * 224 <= BLOCK_BYTES


def test_digits_file_that_is_damaged(tmp_path, monkeypatch):
    (tmp_path / "sklearn" / "datasets" / "data").mkdir(parents=True)
    (tmp_path / "sklearn" / "__init__.py").write_text("")
    data = tmp_path / "sklearn" / "datasets" / "data" / "digits.csv.gz"
    data.write_bytes(gzip.compress(b"1,2,3\n")[:-4])
    script = "from freqmaps.datasets import digits; digits.describe()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )
    assert "install scikit-learn again" in done.stderr
