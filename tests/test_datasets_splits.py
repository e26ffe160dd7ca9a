"""Folders of images as people have them: where splits and classes lie, and what is refused because it is left open."""

from __future__ import annotations

import numpy as np
import pytest

from freqmaps.core import class_names
from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _sources, _splits, deep_image_folder, image_folder
from freqmaps.datasets._dark import of_folders
from freqmaps.study.graph import Graph
from freqmaps.study.networks import Networks
from tests.dataset_files import (  # noqa: F401
    array_file,
    as_folder,
    as_tar,
    as_zip,
    med_file,
    own_cache,
    picture,
    shards,
    tree,
    whole,
)  # fmt: skip

PACKS = {"folder": as_folder, "tar": as_tar, "zip": as_zip}
WORDS = [
    ("images_train", "images_test"), ("train_images", "test_images"), ("Learn", "Eval"), ("my_train", "my_test"),
    ("MyTrain", "MyTest"), ("birds-train", "birds val"), ("train2017", "val2017"), ("Train_Images", "Test_Images"),
    ("seg_train/seg_train", "seg_test/seg_test"), ("train/train", "test/test"), ("train", "my_test"),
]  # fmt: skip


def called(train, test, files):
    """The files of a tree with train/ and test/ called otherwise."""
    return {f"{train if k.startswith('train/') else test}/{k.partition('/')[2]}": v for k, v in files.items()}


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(("train", "test"), WORDS)
def test_folders_with_a_word_for_a_split_are_the_splits(train, test, pack, tmp_path):
    plain = str(as_folder(tmp_path / "plain", tree()))
    root = str(PACKS[pack](tmp_path / "x", called(train, test, tree())))
    assert image_folder.describe(root=root) == image_folder.describe(root=plain)
    got, expected = whole(image_folder.read(root=root)), whole(image_folder.read(root=plain))
    assert got.sample == expected.sample and got.split == expected.split and np.array_equal(got.image, expected.image)


def test_of_wrapped_test_folders_the_one_with_the_classes_of_train_is_taken(tmp_path):
    files = called("train/train", "val/val", tree()) | {"test/test/0.png": picture(9)}
    root = str(as_folder(tmp_path / "a", files))
    assert image_folder.describe(root=root) == image_folder.describe(root=str(as_folder(tmp_path / "b", tree())))
    assert of_folders(root=root) == f"images are read from train/ and val/ of '{root}'; others are not, 1 in test/"


def test_of_several_test_folders_the_first_with_all_classes_of_train_is_taken(tmp_path):
    files = tree(("train", "val")) | {k: v for k, v in tree(("test",)).items() if "/cat/" in k}
    described = image_folder.describe(root=str(as_folder(tmp_path / "a", files)))
    assert described == image_folder.describe(root=str(as_folder(tmp_path / "b", tree())))


def test_a_zip_is_listed_once(tmp_path):
    whole_zip = _sources.source(as_zip(tmp_path / "x", tree()), "root")
    assert whole_zip.listing() is whole_zip.listing()


def test_kaggles_folders_are_read_and_the_ones_without_classes_are_told(tmp_path):
    files = called("seg_train/seg_train", "seg_test/seg_test", tree())
    files |= {f"seg_pred/seg_pred/{i}.png": picture(i) for i in range(5)}
    root = str(as_folder(tmp_path / "intel", files))
    described = image_folder.describe(root=root)
    assert described.classes == ("cat", "dog") and described.splits == {"train": 6, "test": 6}
    assert of_folders(root=root) == (
        f"images are read from seg_test/ and seg_train/ of '{root}'; others are not, 5 in seg_pred/"
    )


def test_a_flat_test_folder_beside_train_and_val_is_told_by_a_dry_run(tmp_path):
    root = str(as_folder(tmp_path / "a", tree(("train", "val")) | {"test/0.png": picture(1)}))
    assert of_folders(root=root) == f"images are read from train/ and val/ of '{root}'; others are not, 1 in test/"
    assert _splits.unread(root=str(as_folder(tmp_path / "b", tree()))) is None
    assert deep_image_folder.DOUBTS == "freqmaps.datasets._splits:unread"


@pytest.mark.parametrize("classes", [("bus", "train", "tram"), ("beaker", "test_tube"), ("test", "train_station", "x"),
                                     ("test_tube", "train")])  # fmt: skip
def test_classes_with_a_word_for_a_split_stay_classes(classes, tmp_path):
    assert image_folder.describe(root=str(as_folder(tmp_path / "a", tree(("",), classes)))).classes == classes


def test_class_folders_with_folders_of_their_own_stay_classes(tmp_path):
    trees = {
        "a": ("cat/video_03", "dog/video_07"),
        "b": ("cat/2019", "dog/2019"),
        "c": ("cat/a/b/c", "dog/a/b/c"),
        "d": ("train_x/v1", "test_x/v2", "bus/v1"),
        "e": ("train/images", "test_tube/images"),
        "f": ("train/front", "test_tube/side"),
        "g": (*(f"cat/v{i}" for i in range(2)), *(f"dog/v{i}" for i in range(9))),
    }
    for name, inner in trees.items():
        described = image_folder.describe(root=str(as_folder(tmp_path / name, tree(("",), inner))))
        assert described.classes == tuple(sorted({i.partition("/")[0] for i in inner}))


@pytest.mark.parametrize("outer", [("fold1", "fold2"), ("part1", "part2", "part3"), ("session_a", "session_b")])
def test_folders_that_all_hold_the_same_folders_are_refused_unless_they_are_named(outer, tmp_path):
    root = str(as_folder(tmp_path / "a", tree(outer)))
    message = f"has {', '.join(f'{o}/' for o in outer)}, which all hold the folders cat/, dog/ and no images beside"
    with pytest.raises(ConfigError, match=message) as caught:
        image_folder.describe(root=root)
    assert f"set classes: [{', '.join(outer)}]" in str(caught.value) and "\n" not in str(caught.value)
    assert image_folder.describe(root=root, classes=list(outer)).classes == outer
    halves = {split: f"{root}/{fold}" for split, fold in zip(("train", "test"), outer, strict=False)}
    assert image_folder.describe(**halves).classes == ("cat", "dog")


def test_folds_below_a_split_are_refused_too(tmp_path):
    root = str(as_folder(tmp_path / "a", tree(("train/fold1", "train/fold2", "test/fold1", "test/fold2"))))
    for given in ({"root": root}, {"train": f"{root}/train", "test": f"{root}/test"}):
        with pytest.raises(ConfigError, match=r"fold1/, fold2/, which all hold the folders cat/, dog/"):
            image_folder.describe(**given)
    assert image_folder.describe(root=root, classes=["fold1", "fold2"]).splits == {"train": 12, "test": 12}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (tree(("my_train", "old_train", "my_test")), "my_train/, old_train/: which one holds the training images"),
        (tree(("my_train", "my_test", "test_b")), "my_test/, test_b/: which one holds the test images"),
        (tree(("",), ("pics_train", "pics_test")), r"called like splits, .* set classes: \[pics_train, pics_test\]"),
        (tree(("my_train",)) | {"my_test/0.png": picture(0)}, "my_train/, my_test/, called like splits"),
        (tree(("my_train", "my_test", "bus")), "my_train/, my_test/, bus/, which hold the same folders: set 'train'"),
        (tree(("",), ("cat", "my_train", "my_test")), r"called like splits, .* classes: \[my_train, my_test, cat\]"),
        (tree(("",), ("trainA", "trainB", "testA", "testB")), "called like splits, but without class folders"),
        (tree(("my_train", "my_test")) | tree(("",)), "my_train/, my_test/, with class folders, beside cat/, dog/"),
        (tree(("",)) | {f"{s}/0.png": picture(0) for s in ("train", "test")}, "train/, test/ without .* cat/, dog/"),
    ],
)
def test_what_is_left_open_is_one_sentence(files, message, tmp_path):
    with pytest.raises(ConfigError, match=message) as caught:
        image_folder.describe(root=str(as_folder(tmp_path / "a", files)))
    assert "\n" not in str(caught.value)


def test_classes_beside_flat_folders_of_splits_can_be_named(tmp_path):
    root = str(as_folder(tmp_path / "a", tree(("",)) | {f"{s}/0.png": picture(0) for s in ("train", "test")}))
    given = {"root": root, "classes": ["cat", "dog"], "test_fraction": 0.4}
    plain = str(as_folder(tmp_path / "b", tree(("",))))
    assert image_folder.describe(**given) == image_folder.describe(**given | {"root": plain})
    assert whole(image_folder.read(**given)).sample == whole(image_folder.read(**given | {"root": plain})).sample
    assert of_folders(**given) is None


@pytest.mark.parametrize("names", [("my_train", "my_test"), ("train", "test"), ("train", "training"), ("val", "dev")])
def test_classes_that_look_like_splits_can_be_named(names, tmp_path):
    root = str(as_folder(tmp_path / "a", tree(("",), names)))
    assert image_folder.describe(root=root, classes=list(names)).classes == names


def test_links_hidden_folders_and_litter(tmp_path):
    files = {k.replace(".png", ".PNG"): v for k, v in tree().items()}
    expected = image_folder.describe(root=str(as_folder(tmp_path / "a", files)))
    places = (".ipynb_checkpoints/0.png", "train/.ipynb_checkpoints/0.png", "__MACOSX/train/cat/1.png", "desktop.ini",
              "train/Thumbs.db", "train/cat/Thumbs.db", "test/dog/desktop.ini")  # fmt: skip
    litter = dict.fromkeys(places, b"?")
    assert image_folder.describe(root=str(as_folder(tmp_path / "b", files | litter))) == expected
    (tmp_path / "c" / "train").mkdir(parents=True)
    for name in ("cat", "dog"):
        (tmp_path / "c" / "train" / name).symlink_to(tmp_path / "a" / "train" / name)
    (tmp_path / "c" / "test").symlink_to(tmp_path / "a" / "test")
    assert image_folder.describe(root=str(tmp_path / "c")) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["fox", "cat", "fox "], "'fox' and 'fox ' differ in nothing but spaces"),
        (["great  tit", "great tit"], "differ in nothing but spaces"),
        (["caf\u00e9", "cafe\u0301"], "with composed and with decomposed accents"),
        (["fox", "\ufefffox"], "differ in nothing but spaces"),
        (["fox", "\u200b"], "is an empty name"),
        (["fox", " "], "' ' is an empty name"),
        (["fox", "fox"], "'fox' is the name of two classes"),
        (["a", "A", "fox "], None),
    ],
)
def test_names_of_classes_that_a_reader_cannot_tell_apart(names, message):
    wrong = class_names.fault(names)
    assert (wrong is None) if message is None else (wrong is not None and message in wrong[0])


@pytest.mark.parametrize("kind", ["arrays", "image_folder"])
def test_a_dry_run_refuses_such_names_of_any_kind_of_data(kind, tmp_path):
    if kind == "arrays":
        given = {"path": array_file(tmp_path / "a.npz", classes=np.array(["cat", "fox", "fox "]))}
    else:
        given = {"root": str(as_folder(tmp_path / "a", tree(classes=("fox", "fox "))))}
    networks = Networks({"datasets": {"mine": {"kind": kind, **given}}}, Graph(), "runs[0]")
    with pytest.raises(ConfigError, match=r"datasets\.mine: .* 'fox' and 'fox ' differ in nothing but spaces; give"):
        networks.dataset("mine")


@pytest.mark.parametrize("kind", ["image_folder", "webdataset", "medmnist"])
def test_classes_of_the_config_may_have_accents_in_either_form(kind, tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    if kind == "image_folder":
        given = {"root": str(as_folder(tmp_path / "a", tree(classes=(composed, "tea", "mate"))))}
    elif kind == "webdataset":
        shards(tmp_path / "s")
        given = {"root": str(tmp_path / "s")}
    else:
        given = {"path": med_file(tmp_path / "m.npz")}
    keys = []
    for name in (composed, decomposed):
        sets = {"mine": {"kind": kind, **given, "classes": ["tea", name, "mate"]}}
        node, description = Networks({"datasets": sets, "threads": {}, "device": "cpu"}, Graph(), "runs[0]").dataset(
            "mine"
        )
        assert description.classes == ("tea", composed, "mate")
        keys.append(node.key)
    assert keys[0] == keys[1]
