"""Images of one's own in folders and archives: identity, splits, order, decoding, errors."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _decode, image_folder
from tests.dataset_files import as_folder, as_tar, as_zip, own_cache, picture, tree, whole  # noqa: F401


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


def test_some_classes_only(tmp_path):
    files = tree() | {f"{split}/emu/0.png": picture(7) for split in ("train", "test")}
    root = str(as_folder(tmp_path / "a", files))
    assert image_folder.describe(root=root).classes == ("cat", "dog", "emu")
    description = image_folder.describe(root=root, classes=["emu", "cat"])
    assert description.classes == ("emu", "cat")  # as given: a network brought along has its own order
    assert description.splits == {"train": 4, "test": 4}
    assert image_folder.describe(root=root).splits == {"train": 7, "test": 7}
    got = whole(image_folder.read(root=root, classes=["emu", "cat"]))
    assert {s.split("/")[1]: label for s, label in zip(got.sample, got.label, strict=True)} == {"emu": 0, "cat": 1}
    with pytest.raises(ConfigError, match="no class 'cta'; did you mean 'cat'"):
        image_folder.describe(root=root, classes=["cta", "dog"])
    with pytest.raises(ConfigError, match="at least two classes"):
        image_folder.describe(root=root, classes=["dog"])


@pytest.mark.parametrize(
    "names",
    [("Training", "Testing"), ("TRAIN", "VAL"), ("training_set", "test_set"), ("Train", "Valid"), ("train set", "dev")],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_split_folders_are_known_by_any_of_their_names(names, wrapped, tmp_path):
    files = {
        f"{'mine/' if wrapped else ''}{names[k.startswith('test')]}/{k.split('/', 1)[1]}": v for k, v in tree().items()
    }
    expected = image_folder.describe(root=str(as_folder(tmp_path / "plain", tree())))
    got = image_folder.describe(root=str(as_folder(tmp_path / "a", files)))
    assert got == expected


def test_a_class_may_be_called_like_a_split(tmp_path):
    files = {f"{name}/{i}.png": picture(10 * n + i) for n, name in enumerate(("train", "ship")) for i in range(4)}
    assert image_folder.describe(root=str(as_folder(tmp_path / "a", files))).classes == ("ship", "train")
    both = {f"{split}/{k}": v for split in ("train", "Training") for k, v in files.items()}
    with pytest.raises(ConfigError, match=r"Training/, train/: which one holds the training images\?"):
        image_folder.describe(root=str(as_folder(tmp_path / "b", both)))


def test_what_classes_leave_out_is_not_looked_at(tmp_path):
    files = tree() | {"train/eel/note.txt": b"", "test/fox/1.png": b"broken", "train/fox/1.png": b"broken"}
    root = str(as_folder(tmp_path / "a", files))
    with pytest.raises(ConfigError, match=r"class folder '.*eel' holds no images"):
        image_folder.describe(root=root)
    assert image_folder.describe(root=root, classes=["dog", "cat"]).splits == {"train": 6, "test": 6}
    assert len(whole(image_folder.read(root=root, classes=["dog", "cat"])).sample) == 12


def test_accents_count_the_same_in_either_form(tmp_path):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    files = {k.replace("cat", composed if k.startswith("train") else decomposed): v for k, v in tree().items()}
    assert image_folder.describe(root=str(as_folder(tmp_path / "a", files))).classes == (composed, "dog")
    twice = files | {f"train/{decomposed}/9.png": picture(5)}
    with pytest.raises(ConfigError, match="two folders called 'caf\u00e9', with composed and with decomposed accents"):
        image_folder.describe(root=str(as_folder(tmp_path / "b", twice)))


def test_endings_that_can_be_read_count_and_others_are_named(tmp_path, caplog):
    jpeg = {f"{split}/{c}/{i}.{ending}": picture(i, form="jpeg") for split in ("train", "test") for c in ("cat", "dog")
            for i, ending in enumerate(("jfif", "JPE", "jpg"))}  # fmt: skip
    root = str(as_folder(tmp_path / "a", jpeg | {"train/cat/7.heic": b"x", "train/cat/8.HEIC": b"x", "note": b""}))
    assert image_folder.describe(root=root).splits == {"train": 6, "test": 6}
    with caplog.at_level("INFO", logger="freqmaps"):
        whole(image_folder.read(root=root))
    assert f"not read, 2 files in {root}: train/, of no known image format (.heic)" in caplog.text
    assert f"not read, 1 file in {root}: the folder itself, outside of the splits test/ and train/" in caplog.text


def test_whatever_is_passed_over_is_named_with_its_reason(tmp_path, caplog):
    more = {"train/sheet.png": b"?", "test/bird/9.png": b"broken", "test/bird/8.png": b"", "papers/a.pdf": b""}
    root = str(as_folder(tmp_path / "a", tree() | more | {"train/bird/9.png": b"broken"}))
    with caplog.at_level("INFO", logger="freqmaps"):
        whole(image_folder.read(root=root, classes=["dog", "cat"]))
    assert [record.getMessage().removeprefix("not read, ") for record in caplog.records] == [
        f"1 file in {root}: papers/, outside of the splits test/ and train/",
        f"2 files in {root}: test/bird/, a class that 'classes' leaves out",
        f"1 file in {root}: train/bird/, a class that 'classes' leaves out",
        f"1 file in {root}: train/, beside the class folders",
    ]
    caplog.clear()
    one = str(as_folder(tmp_path / "b", tree(("",)) | {"sheet.png": b"?", "cat/notes.txt": b""}))
    with caplog.at_level("INFO", logger="freqmaps"):
        whole(image_folder.read(root=one))
    assert "1 file in" in caplog.text and "the folder itself, of no known image format (.txt)" in caplog.text
    assert "the folder itself, beside the class folders" in caplog.text


@pytest.mark.parametrize("flat", ["test/0.png", "test/images/0.png"])
def test_a_flat_test_folder_beside_train_and_val_is_passed_over(tmp_path, caplog, flat):
    files = tree(("train", "val"))
    plain = image_folder.describe(root=str(as_folder(tmp_path / "plain", files)))
    root = str(as_folder(tmp_path / "imagenet", files | {flat: picture(1)}))
    assert image_folder.describe(root=root).splits == plain.splits == {"train": 6, "test": 6}
    with caplog.at_level("INFO", logger="freqmaps"):
        assert set(whole(image_folder.read(root=root)).split) == {"train", "test"}
    assert "1 file in" in caplog.text and "test/, outside of the splits train/ and val/" in caplog.text


def test_of_two_test_folders_with_classes_test_is_taken_and_the_other_named(tmp_path, caplog):
    files = tree(("train", "val", "test"))
    root = str(as_folder(tmp_path / "a", files))
    with caplog.at_level("INFO", logger="freqmaps"):
        assert whole(image_folder.read(root=root)).sample[-1].startswith("test/")
    assert f"6 files in {root}: val/, outside of the splits test/ and train/" in caplog.text


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
def test_scaling_without_keeping_the_aspect(size, tmp_path):
    import torch
    from torchvision.transforms import functional

    y, x = np.mgrid[: size[1], : size[0]]
    smooth = np.stack([10 * x, 10 * y, 5 * (x + y)], axis=-1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(smooth).save(out, "png")
    expected = functional.resize(torch.from_numpy(smooth.transpose(2, 0, 1).copy()), [8, 8], antialias=True).numpy()
    got = _decode.decode(out.getvalue(), "x", channels=3, size=8, fit="stretch")
    assert abs(got.astype(int) - expected.astype(int)).max() <= 1
    root = as_folder(tmp_path / "a", {f"{c}/{i}.png": out.getvalue() for c in "ab" for i in range(4)})
    stored = whole(image_folder.read(root=str(root), size=8, fit="stretch"))
    assert all(np.array_equal(image, got) for image in stored.image)


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
