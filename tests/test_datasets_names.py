"""Names of classes in every kind of data set: accents in either Unicode form, empty names, spaces around them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _class_names, image_folder, medmnist, parquet, webdataset
from tests.dataset_files import as_folder, hub_file, med_file, own_cache, picture, shards, tree, whole  # noqa: F401

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def texts(folder, labels):
    """Write a parquet file of images whose labels are texts."""
    folder.mkdir()
    pq.write_table(pa.table({"image": [picture(i) for i in range(len(labels))], "label": labels}), folder / "a.parquet")
    return {"root": str(folder), "test_fraction": 0.4}


def test_names_keep_their_order_and_come_back_composed():
    assert _class_names.of_images([DECOMPOSED, "tea", COMPOSED], "x") == [COMPOSED, "tea", COMPOSED]
    assert _class_names.of_classes(["tea", DECOMPOSED, " ice"], "x") == ["tea", COMPOSED, " ice"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", ""], "^x holds '' as the name of image 2; give each class a name$"),
        (["\u00a0", "b"], "as the name of image 0"),
        (["a", "b", "a", "a\n"], r"^x holds 'a' \(image 0\) and 'a\\n' \(image 3\), which differ only in spaces"),
        ([f" {COMPOSED}", DECOMPOSED], r"\(image 0\) and .* \(image 1\), which differ only in spaces"),
    ],
)
def test_what_is_no_name_or_one_name_twice_is_refused_with_its_place(names, message):
    with pytest.raises(ConfigError, match=message) as caught:
        _class_names.of_images(names, "x")
    assert "\n" not in str(caught.value)


def test_texts_and_metadata_of_parquet_files(tmp_path):
    labels = [COMPOSED, "tea", DECOMPOSED, "tea", COMPOSED, "tea"]
    given = texts(tmp_path / "a", labels)
    assert parquet.describe(**given).classes == (COMPOSED, "tea")
    got = whole(parquet.read(**given))
    assert {int(s): int(n) for s, n in zip(got.sample, got.label, strict=True)} == {i: i % 2 for i in range(6)}
    with pytest.raises(ConfigError, match=r"column 'label' .* holds 'tea' \(image 1\) and 'tea ' \(image 3\)"):
        parquet.describe(**texts(tmp_path / "b", [*labels[:3], "tea ", *labels[4:]]))
    with pytest.raises(ConfigError, match="holds '' as the name of image 5"):
        parquet.describe(**texts(tmp_path / "c", [*labels[:5], ""]))
    six = [picture(i) for i in range(6)]
    hub_file(tmp_path / "d" / "a.parquet", six, [0, 1] * 3, names=[DECOMPOSED, "tea"])
    assert parquet.describe(root=str(tmp_path / "d"), test_fraction=0.4).classes == (COMPOSED, "tea")
    hub_file(tmp_path / "e" / "a.parquet", six, [0, 1] * 3, names=["tea", "tea "])
    with pytest.raises(ConfigError, match=r"metadata of 'label' holds 'tea' \(class 0\) and 'tea ' \(class 1\)"):
        parquet.describe(root=str(tmp_path / "e"), test_fraction=0.4)


@pytest.mark.parametrize("kind", ["shards", "medmnist", "folders"])
def test_classes_of_the_config(kind, tmp_path):
    if kind == "shards":
        shards(tmp_path / "s")
        describe, given = webdataset.describe, {"root": str(tmp_path / "s")}
    elif kind == "medmnist":
        describe, given = medmnist.describe, {"path": med_file(tmp_path / "a.npz")}
    else:
        files = tree(classes=(COMPOSED, "tea", "mate"))
        describe, given = image_folder.describe, {"root": str(as_folder(tmp_path / "a", files))}
    assert describe(**given, classes=["tea", DECOMPOSED, "mate"]).classes == ("tea", COMPOSED, "mate")
    for names, message in (
        (["tea", COMPOSED, DECOMPOSED], "^classes: names a class twice, 'caf\u00e9'"),
        (["tea", "", "mate"], "^classes: holds '' as the name of class 1"),
        (["tea", "mate", "tea "], r"^classes: holds 'tea' \(class 0\) and 'tea ' \(class 2\), which differ only"),
    ):
        with pytest.raises(ConfigError, match=message):
            describe(**given, classes=names)


def test_class_folders_that_differ_in_spaces_only(tmp_path):
    root = str(as_folder(tmp_path / "a", tree(classes=("fox", "fox ", "cat"))))
    with pytest.raises(ConfigError, match=r"a' holds 'fox' \(class 1\) and 'fox ' \(class 2\), which differ only"):
        image_folder.describe(root=root)
    assert image_folder.describe(root=root, classes=["cat", "fox"]).classes == ("cat", "fox")
