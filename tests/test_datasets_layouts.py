"""Which folders hold splits and which hold classes, where names alone do not say it."""

from __future__ import annotations

import pytest

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _doubts, deep_image_folder, image_folder
from tests.dataset_files import as_folder, as_tar, as_zip, own_cache, picture, tree, whole  # noqa: F401


def lay(root, *places, n=3):
    """Write images into folders; the content of each depends on its place alone."""
    files = {f"{place}/{i}.png": picture(100 * number + i) for number, place in enumerate(places) for i in range(n)}
    return str(as_folder(root, files))


def named(train, test, extra=()):
    """Return the images of train/ and test/ under other names of these folders."""
    files = {f"{test if k.startswith('test') else train}/{k.split('/', 1)[1]}": v for k, v in tree().items()}
    return files | {name: picture(50 + i) for i, name in enumerate(extra)}


SPLITS = {
    "Intel": ("seg_train/seg_train", "seg_test/seg_test", ("seg_pred/seg_pred/1.jpg", "seg_pred/seg_pred/2.jpg")),
    "twice": ("train/train", "test/test", ()),
    "images within": ("train/images", "test/images", ()),
    "twice and flat": ("train/train", "val/val", ("test/test/1.png",)),
    "word last": ("images_train", "images_test", ()),
    "word first": ("train_images", "test_images", ()),
    "learn": ("Learn", "Eval", ()),
    "one's own": ("my_train", "my_test", ()),
    "three": ("images_train", "images_val", ("images_test/1.png",)),
    "camel case": ("DataTrain", "DataTest", ()),
    "years": ("train2017", "val2017", ("test2017/1.png",)),
    "hyphens": ("birds-training", "birds-validation", ()),
    "upper case": ("IMG_TRAIN", "IMG_TEST", ("masks/1.png",)),
    "only one has more words": ("train", "final test", ()),
}


@pytest.mark.parametrize("case", SPLITS)
@pytest.mark.parametrize("pack", ["folder", "zip", "tar.gz"])
def test_split_folders_are_known_by_a_word_of_their_names_and_what_is_in_them(case, pack, tmp_path):
    plain = {"root": str(as_folder(tmp_path / "plain", tree()))}
    files = named(*SPLITS[case])
    root = {
        "folder": lambda: as_folder(tmp_path / "a", files),
        "zip": lambda: as_zip(tmp_path / "a.zip", {f"wrapped/{k}": v for k, v in files.items()}),
        "tar.gz": lambda: as_tar(tmp_path / "a.tar.gz", dict(reversed(files.items())), "w:gz"),
    }[pack]()
    got, expected = image_folder.describe(root=str(root)), image_folder.describe(**plain)
    assert got == expected
    content, same = whole(image_folder.read(root=str(root))), whole(image_folder.read(**plain))
    assert (content.sample, content.split) == (same.sample, same.split)
    assert (content.image == same.image).all() and (content.label == same.label).all()


CLASSES = {
    "vehicles": (["train", "tram", "bus"], ["bus", "train", "tram"]),
    "laboratory": (["test_tube", "beaker"], ["beaker", "test_tube"]),
    "both words": (["train", "test_tube"], ["test_tube", "train"]),
    "sports": (["training", "dev board", "running"], ["dev board", "running", "training"]),
    "quality": (["valid", "invalid"], ["invalid", "valid"]),
    "other subfolders": (["cat/video_03", "cat/video_04", "dog/video_01", "dog/x"], ["cat", "dog"]),
    "only a subfolder": (["train/images", "test_tube/images"], ["test_tube", "train"]),
    "nested vehicles": (["train/front", "train/side", "test_tube/a", "test_tube/b"], ["test_tube", "train"]),
    "images beside subfolders": (["cat", "cat/2019", "cat/2020", "dog/2019", "dog/2020"], ["cat", "dog"]),
    "tiny": (["cat/images", "dog/images"], ["cat", "dog"]),
}


@pytest.mark.parametrize("case", CLASSES)
def test_classes_may_have_words_for_splits_in_their_names(case, tmp_path):
    places, classes = CLASSES[case]
    assert image_folder.describe(root=lay(tmp_path / "a", *places)).classes == tuple(classes)


DOUBTFUL = {
    "folds": (["fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"], "fold1/ and fold2/ hold no .* each, cat/ and dog/"),
    "years": (["cat/2019", "cat/2020", "dog/2019", "dog/2020"], r"folders each, 2019/ and 2020/: .*\[cat, dog\]$"),
    "folds of train": (["train/a/cat", "train/a/dog", "train/b/cat", "train/b/dog", "test/a/cat", "test/b/cat"],
                       "train/a/ and train/b/ hold no images themselves"),
    "splits within": (["cat/train", "cat/test", "dog/train", "dog/test"],
                      r"test/ and train/: put the images into train/CLASS/ and test/CLASS/, .*\[cat, dog\]$"),
    "one split": (["test/cat", "test/dog", "part1/cat", "part1/dog"], "part1/ and test/ hold no images themselves"),
    "two trainings": (["train_a/cat", "train_a/dog", "train_b/cat", "train_b/dog", "test_a/cat", "test_a/dog"],
                      "train_a/, train_b/ and test_a/, which hold the same folders: instead of 'root', name"),
    "more than splits": (["my_train/1", "my_train/2", "my_test/1", "my_test/2", "bus/1", "bus/2"],
                         "my_train/, my_test/ and bus/, which hold the same folders"),
    "flat beside classes": (["cat", "dog", "train", "test"],
                            r"train/ and test/ beside cat/ and dog/ hold images, but no class folders; .*\[cat, dog\]"),
    "flat": (["my_train", "my_test"], r"my_train/ and my_test/ hold images, .* train/CLASS/ .*\[my_test, my_train\]$"),
    "one flat": (["my_train/cat", "my_train/dog", "my_test"], "my_test/ hold images, but no class folders"),
    "pix2pix": (["trainA", "trainB", "testA", "testB"], "trainA/ and testA/ hold images, but no class folders"),
    "others": (["my_train/a", "my_train/b", "my_test/c", "my_test/d"], "but not the same two or more class folders"),
}  # fmt: skip


@pytest.mark.parametrize("case", DOUBTFUL)
def test_what_may_be_splits_or_classes_is_refused_with_the_folders_and_the_remedy(case, tmp_path):
    places, message = DOUBTFUL[case]
    with pytest.raises(ConfigError, match=message) as caught:
        image_folder.describe(root=lay(tmp_path / "a", *places))
    assert "\n" not in str(caught.value) and str(tmp_path / "a") in str(caught.value)


@pytest.mark.parametrize("case", ["folds", "years", "two trainings", "more than splits", "flat beside classes", "flat",
                                  "pix2pix", "others"])  # fmt: skip
def test_classes_that_the_config_names_are_the_classes(case, tmp_path):
    places, _ = DOUBTFUL[case]
    root = lay(tmp_path / "a", *places)
    outer = ["cat", "dog"] if case == "flat beside classes" else sorted({place.split("/")[0] for place in places})
    described = image_folder.describe(root=root, classes=outer[::-1], test_fraction=0.34)
    assert described.classes == tuple(outer[::-1])
    got = whole(image_folder.read(root=root, classes=outer[::-1], test_fraction=0.34))
    assert {(s.split("/")[0], int(n)) for s, n in zip(got.sample, got.label, strict=True)} == {
        (name, n) for n, name in enumerate(outer[::-1])
    }
    assert len(got.sample) == 3 * sum(place.split("/")[0] in outer for place in places)


def test_naming_some_of_the_folds_as_classes_needs_all_names_to_be_theirs(tmp_path):
    root = lay(tmp_path / "a", *DOUBTFUL["folds"][0])
    with pytest.raises(ConfigError, match="fold1/ and fold2/ hold no images themselves"):
        image_folder.describe(root=root, classes=["cat", "dog"])


def test_folds_are_given_as_train_and_test_and_looked_for_there_too(tmp_path):
    root = lay(tmp_path / "a", *DOUBTFUL["folds"][0])
    described = image_folder.describe(train=f"{root}/fold1", test=f"{root}/fold2")
    assert (described.classes, described.splits) == (("cat", "dog"), {"train": 6, "test": 6})
    with pytest.raises(ConfigError, match="fold1/ and fold2/ hold no images themselves"):
        image_folder.describe(train=root, test=root)
    assert image_folder.describe(train=root, test=root, classes=["fold2", "fold1"]).classes == ("fold2", "fold1")


def test_contact_sheets_beside_class_folders_do_not_make_classes_of_splits(tmp_path):
    files = tree()
    expected = image_folder.describe(root=str(as_folder(tmp_path / "plain", files)))
    for train, test in (("train", "test"), ("my_train", "my_test")):
        more = named(train, test, (f"{train}/sheet.png", f"{test}/sheet.png"))
        assert image_folder.describe(root=str(as_folder(tmp_path / train, more))) == expected


@pytest.mark.parametrize(
    ("train", "test", "extra", "told"),
    [
        ("train", "val", ["test/0.png"], r"^test/ in '.*' is not read: the splits lie in train/ and val/$"),
        ("train", "val", ["test/images/0.png"], r"^test/ in '.*' is not read"),
        (
            "seg_train/seg_train",
            "seg_test",
            ["seg_pred/1.png"],
            "^seg_pred/ in .* in seg_train/seg_train/ and seg_test/$",
        ),
        ("train", "test", ["val/cat/0.png", "more/0.png"], "^more/ and val/ in .* are not read"),
        ("train", "test", ["sheet.png"], None),
        ("my_train", "my_test", ["notes/a.txt"], None),
    ],
)
def test_a_dry_run_tells_folders_that_are_not_read(train, test, extra, told, tmp_path, caplog):
    import re

    root = str(as_folder(tmp_path / "a", named(train, test, extra)))
    for said in (_doubts.of_folders(root=root), _doubts.of_deep_folders(root=root, white=4095.0)):
        assert (said is None) == (told is None)
        assert told is None or re.search(told, said), said
    with caplog.at_level("INFO", logger="freqmaps"):
        whole(image_folder.read(root=root))
    assert told is None or ("not read" in caplog.text and extra[0].split("/")[0] in caplog.text)


def test_class_folders_alone_and_both_places_are_no_cause_to_say_anything(tmp_path):
    root = str(as_folder(tmp_path / "a", tree()))
    assert _doubts.of_folders(root=f"{root}/train") is None
    assert _doubts.of_folders(train=f"{root}/train", test=f"{root}/test") is None


def test_links_upper_case_endings_and_what_file_managers_leave_behind(tmp_path):
    files = tree()
    expected = image_folder.describe(root=str(as_folder(tmp_path / "plain", files)))
    noise = [".ipynb_checkpoints/cat-checkpoint.png", "train/.ipynb_checkpoints/0.png", "__MACOSX/train/cat/._0.png",
             "train/cat/.thumbs/0.png"]  # fmt: skip
    root = as_folder(tmp_path / "a", files | dict.fromkeys(noise, picture(9)))
    for name in ("Thumbs.db", "train/desktop.ini", "train/cat/Thumbs.db", "train/dog/desktop.ini"):
        (root / name).write_bytes(b"x")
    assert image_folder.describe(root=str(root)) == expected
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "train").symlink_to(tmp_path / "plain" / "train")
    (tmp_path / "linked" / "test").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "linked" / "test" / name).symlink_to(tmp_path / "plain" / "test" / name)
    assert image_folder.describe(root=str(tmp_path / "linked")) == expected
    upper = {k.replace(".png", ".PNG"): v for k, v in files.items()}
    assert image_folder.describe(root=str(as_folder(tmp_path / "b", upper))).splits == {"train": 6, "test": 6}
    jpeg = {f"{c}/{i}.{e}": picture(i, form="jpeg") for c in "ab" for i, e in enumerate(("JPG", "Jpeg", "JPEG"))}
    assert image_folder.describe(root=str(as_folder(tmp_path / "c", jpeg))).splits == {"train": 4, "test": 2}


def test_deep_images_lie_in_the_same_layouts(tmp_path):
    import numpy as np

    from tests.dataset_files import encoded

    deep = {f"seg_{split}/seg_{split}/{c}/{i}.png": encoded(np.full((4, 4), 100 * i + n, np.uint16))
            for split in ("train", "test") for n, c in enumerate(("cat", "dog")) for i in range(2)}  # fmt: skip
    root = str(as_folder(tmp_path / "a", deep))
    assert deep_image_folder.describe(root=root, white=4095.0).splits == {"train": 4, "test": 4}
    got = whole(deep_image_folder.read(root=root, white=4095.0))
    assert got.sample[:2] == ["train/cat/0.png", "train/dog/0.png"]
    assert got.image[1, 0, 0, 0] == pytest.approx(1 / 4095)
