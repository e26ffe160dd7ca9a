"""Datasets in their original formats, and their download."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import pickle
import struct
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from freqmaps.core.errors import ConfigError, FreqmapsError
from freqmaps.datasets import _originals, _pickles, cifar10, cifar100, imagenette, svhn, tiny_imagenet
from freqmaps.datasets._tiny_imagenet_classes import CLASSES
from tests.dataset_files import as_tar, as_zip, own_cache, picture, whole  # noqa: F401

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
    assert {w: names[0] for w, names in datasets.Imagenette._WNID_TO_CLASS.items()} == {
        folder: name for folder, (name, _, _) in imagenette._CLASSES.items()
    }


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
    chosen = given | {"classes": ["n09999999", "tench"]}
    assert imagenette.describe(**chosen).classes == ("tench", "n09999999")
    assert imagenette.describe(**chosen).splits == {"train": 6, "test": 6}
    part = whole(imagenette.read(**chosen))
    assert part.label.tolist() == [0, 1] * 6
    assert {s.split("/")[1] for s in part.sample} == {"n01440764", "n09999999"}
    with pytest.raises(ConfigError, match="no class 'tensh'; did you mean 'tench'"):
        imagenette.describe(**given, classes=["tensh", "n09999999"])


def test_imagenettes_counts_are_known_before_it_is_downloaded(tmp_path):
    assert imagenette.describe(root=str(tmp_path)).splits == {"train": 9469, "test": 3925}
    five = ["tench", "English springer", "cassette player", "chain saw", "church"]
    assert imagenette.describe(root=str(tmp_path), classes=five).splits == {"train": 4710, "test": 1934}


def test_imagenette_archive_without_splits_is_refused(tmp_path):
    as_tar(
        tmp_path / "imagenette2.tgz", {f"imagenette2/{c}/{i}.png": picture(i) for c in "ab" for i in range(2)}, "w:gz"
    )
    with pytest.raises(ConfigError, match="neither train/ nor val/"):
        imagenette.describe(root=str(tmp_path))


# --- TinyImageNet


def tiny_imagenet_files(*, n=2, **changes):
    """The original layout: class folders for training, a table of classes for validation, and images of no class."""
    classes = ("n01443537", "n03126707", "n02002724")
    top = "tiny-imagenet-200"
    of = [(c, i) for c in classes for i in range(n)]
    files = {f"{top}/train/{c}/images/{c}_{i}.JPEG": picture(i, (64, 64), form="jpeg") for c, i in of}
    files |= {f"{top}/train/{c}/{c}_boxes.txt": b"x.JPEG\t0\t0\t9\t9\n" for c in classes}
    files |= {f"{top}/val/images/val_{i}.JPEG": picture(50 + i, (64, 64), form="jpeg") for i in range(6)}
    files |= {f"{top}/test/images/test_0.JPEG": picture(99, (64, 64), form="jpeg")}
    rows = "".join(f"val_{i}.JPEG\t{classes[(i * 2) % 3]}\t0\t32\t44\t62\n" for i in range(6))
    words = "n01443537\tgoldfish, Carassius auratus\nn02002724\tcrane, bird\nn03126707\tcrane\nn00001740\tentity\n"
    files |= {f"{top}/val/val_annotations.txt": rows.encode(), f"{top}/words.txt": words.encode()}
    files |= {f"{top}/wnids.txt": "\n".join(classes).encode()}
    files |= {f"{top}/{name}": data for name, data in changes.items()}
    return {name: data for name, data in files.items() if data is not None}


def test_tiny_imagenet_archive_in_its_original_format(tmp_path):
    files = tiny_imagenet_files()
    as_zip(tmp_path / "tiny-imagenet-200.zip", files)
    given = {"root": str(tmp_path)}
    description, got = tiny_imagenet.describe(**given), whole(tiny_imagenet.read(**given))
    assert description.classes == ("goldfish", "crane (n02002724)", "crane (n03126707)")
    assert (description.splits, description.size, description.channels) == ({"train": 6, "test": 6}, 64, 3)
    assert got.image.shape == (12, 3, 64, 64) and got.image.dtype == np.uint8
    assert got.label.tolist() == [0, 1, 2] * 4 and got.split == ["train"] * 6 + ["test"] * 6
    assert got.sample[:3] == [f"train/{c}/{c}_0.JPEG" for c in ("n01443537", "n02002724", "n03126707")]
    # Validation image i is of the class of row i of the table.
    place = got.sample.index("test/n02002724/val_1.JPEG")
    pixels = np.array(Image.open(io.BytesIO(files["tiny-imagenet-200/val/images/val_1.JPEG"])))
    assert np.array_equal(got.image[place].transpose(1, 2, 0), pixels)
    assert not any("test_0" in sample for sample in got.sample)
    two = given | {"classes": ["crane (n03126707)", "goldfish"], "channels": 1, "size": 16}
    assert tiny_imagenet.describe(**two).classes == ("crane (n03126707)", "goldfish")
    part = whole(tiny_imagenet.read(**two))
    assert part.image.shape == (8, 1, 16, 16) and part.label.tolist() == [0, 1] * 4
    assert part.sample[:2] == ["train/n03126707/n03126707_0.JPEG", "train/n01443537/n01443537_0.JPEG"]
    with pytest.raises(ConfigError, match="no class 'goldfis'; did you mean 'goldfish'"):
        tiny_imagenet.describe(**given, classes=["goldfis", "crane (n02002724)"])


def test_tiny_imagenet_is_known_before_it_is_downloaded(tmp_path):
    description = tiny_imagenet.describe(root=str(tmp_path))
    assert description.splits == {"train": 100_000, "test": 10_000}
    assert len(set(description.classes)) == 200
    # ImageNet's classes are in the order of their WordNet ids, and TinyImageNet's are some of them.
    from torchvision.models._meta import _IMAGENET_CATEGORIES as imagenet

    assert list(CLASSES) == sorted(CLASSES)
    rest = iter(imagenet)
    assert all(name in rest for name in CLASSES.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val/val_annotations.txt": None}, "lacks 'tiny-imagenet-200/val/val_annotations.txt'; use the original"),
        ({"words.txt": None}, "lacks 'tiny-imagenet-200/words.txt'; use the original"),
        ({"words.txt": b"n01443537 goldfish"}, "words.txt', line 1, has no two columns"),
        ({"val/val_annotations.txt": b"val_0.JPEG\tn01443537\t0\t0\t1\t1\n"}, "has no line for 'val_1.JPEG'"),
        ({"val/images/val_3.JPEG": None}, "lacks the image 'val_3.JPEG' of"),
        ({"val/images/val_3.JPEG": b"no image"}, "val_3.JPEG' cannot be read as an image"),
        ({"train/n02002724/images/n02002724_0.JPEG": None, "train/n02002724/images/n02002724_1.JPEG": None},
         "class 'n02002724' is in test but not in train"),
    ],
)  # fmt: skip
def test_broken_tiny_imagenet_archives_are_refused_in_a_sentence(tmp_path, changes, message):
    as_zip(tmp_path / "tiny-imagenet-200.zip", tiny_imagenet_files(**changes))
    with pytest.raises(ConfigError, match=message):
        tiny_imagenet.describe(root=str(tmp_path))


def test_half_a_tiny_imagenet_archive_is_refused(tmp_path):
    path = as_zip(tmp_path / "tiny-imagenet-200.zip", tiny_imagenet_files())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigError, match=r"neither a folder nor a \.tar or \.zip archive"):
        tiny_imagenet.describe(root=str(tmp_path))


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
