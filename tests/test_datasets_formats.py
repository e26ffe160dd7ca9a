"""AVIF is read; class folders of formats that are not, such as HEIC, are told before any work."""

import io

import numpy as np
import pytest
from PIL import Image, features

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _splits, image_folder
from tests import dataset_files as files
from tests.dataset_files import own_cache, whole  # noqa: F401

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_has_the_pixels_that_pillow_decodes(tmp_path):
    made = {f"{c}/{i}.avif": files.picture(i, form="avif") for c in "ab" for i in range(3)}
    files.as_folder(tmp_path / "d", made)
    got = whole(image_folder.read(root=str(tmp_path / "d"), test_fraction=0.4))
    for name, image in zip(got.sample, got.image, strict=True):
        expected = np.asarray(Image.open(io.BytesIO(made[name])).convert("RGB"))
        assert np.array_equal(image, expected.transpose(2, 0, 1))


@pytest.mark.parametrize("form", ["folder", "split", "archive", "two places"])
def test_a_class_of_heic_alone_is_refused_with_the_remedy(tmp_path, form):
    splits = ("",) if form in ("folder", "two places") else ("train", "test")
    made = files.tree(splits=splits, classes=("ant", "bee"))
    made = {n.replace(".png", ".HEIC") if "ant" in n else n: HEIC if "ant" in n else d for n, d in made.items()}
    place = str((files.as_tar if form == "archive" else files.as_folder)(tmp_path / "d.tar", made))
    given = {"train": place, "test": place} if form == "two places" else {"root": place}
    with pytest.raises(ConfigError, match=r"class folder '.*ant' holds images of a format .* \(\.heic\).*; convert"):
        image_folder.describe(**given)


def test_heic_is_told_of_classes_whose_accents_are_in_the_other_form(tmp_path):
    classes = ("cafe\u0301", "dog")
    made = files.tree(classes=classes) | {f"train/{classes[0]}/9.heic": HEIC}
    given = {"root": str(files.as_folder(tmp_path / "d", made)), "classes": ["caf\u00e9", "dog"]}
    assert "left out, 1 of .heic" in _splits.unread(**given)
    alone = {n: HEIC if classes[0] in n else d for n, d in files.tree(splits=("",), classes=classes).items()}
    alone = {n.replace(".png", ".heic") if classes[0] in n else n: d for n, d in alone.items()}
    with pytest.raises(ConfigError, match="holds images of a format that is not read"):
        image_folder.describe(root=str(files.as_folder(tmp_path / "e", alone)), classes=given["classes"])


def test_some_heic_among_others_is_warned_of_and_what_lies_beside_is_not(tmp_path):
    made = files.tree() | {"train/cat/9.heic": HEIC, "test/dog/9.heic": HEIC, "originals/cat/9.dng": HEIC}
    files.as_folder(tmp_path / "d", made)
    given = {"root": str(tmp_path / "d")}
    assert image_folder.describe(**given).splits == {"train": 6, "test": 6}
    for _ in range(2):  # found out, and remembered
        assert f"left out, 2 of .heic in '{tmp_path / 'd'}" in _splits.unread(**given)
    files.as_folder(tmp_path / "whole", files.tree())
    assert _splits.unread(root=str(tmp_path / "whole")) is None
