"""Images of more than 8 bits: kept as floats where white is given, and a warning where a data set comes out dark."""

import re

import numpy as np
import pytest
import yaml

from freqmaps.core.errors import ConfigError
from freqmaps.datasets import _dark, _deep, deep_image_folder, image_folder, write_store
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.dataset_files import encoded as grey
from tests.dataset_files import own_cache, picture, whole  # noqa: F401
from tests.small_study import STUDY
from tests.workflow import REPOSITORY

WHITE = 4095


def colour_png(pixels):
    """Return a PNG of 16 bits with colours, written without Pillow: (h, w, c) uint16."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    h, w, c = pixels.shape
    header = struct.pack(">IIBBBBB", w, h, 16, {2: 4, 3: 2, 4: 6}[c], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def put(root, n=4, high=WHITE, write=grey, shape=(8, 8), dtype=np.uint16):
    """Write class folders of random images; return their pixels by id."""
    rng, made = np.random.default_rng(0), {}
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, high + 1, shape).astype(dtype)
            (root / label / f"{i}.png").write_bytes(write(pixels))
            made[f"{label}/{i}.png"] = pixels
    return made


def test_12_bits_in_grey_files_of_16_keep_all_of_them(tmp_path):
    made = put(tmp_path / "scans")
    given = {"root": str(tmp_path / "scans"), "white": float(WHITE)}
    described = deep_image_folder.describe(**given)
    assert (described.channels, described.size, described.classes) == (1, 8, ("cat", "dog"))
    found = whole(deep_image_folder.read(**given))
    assert found.image.dtype == np.float32 and found.image.shape == (8, 1, 8, 8)
    for image, sample in zip(found.image, found.sample, strict=True):
        assert np.array_equal(image[0], np.float32(made[sample] / WHITE))
    headline = write_store(tmp_path / "store.zarr.zip", "deep_image_folder", given, {})
    assert headline["mean"][0] == pytest.approx(0.5, abs=0.1)


def test_scaling_is_that_of_8_bits(tmp_path):
    pixels = np.random.default_rng(2).integers(0, 256, (12, 20), dtype=np.uint8)
    wide = _deep.decode(grey(pixels.astype(np.uint16)), "x", (1, 6, 6), 255)
    narrow = image_folder._folders._decode.decode(grey(pixels), "x", channels=1, size=6)
    assert np.abs(wide * 255 - narrow).max() <= 1


def test_tiff_of_16_bits_and_of_floats():
    pixels = np.arange(16, dtype=np.uint16).reshape(4, 4) * 273
    assert np.allclose(_deep.decode(grey(pixels, "TIFF"), "x", (1, 4, 4), WHITE)[0], pixels / WHITE)
    assert np.allclose(_deep.decode(grey(np.float32(pixels / WHITE), "TIFF"), "x", (1, 4, 4), 1)[0], pixels / WHITE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (picture(0), "holds 8 bits, or colours, .*image_folder"),
        (
            grey(np.full((4, 4), 4096, np.uint16)),
            r"spans \[4096, 4096\], which does not lie in \[0, 4095\]; correct 'wh",
        ),
        (grey(np.full((4, 4), np.nan, np.float32), "TIFF"), r"spans \[nan, nan\]"),
        (colour_png(np.zeros((4, 4, 3), np.uint16)), "holds 8 bits, or colours, .*arrays"),
        (grey(np.zeros((4, 4), np.uint16))[:48], "cannot be read as an image"),
    ],
)
def test_what_does_not_fit_is_named(data, message):
    with pytest.raises(ConfigError, match=message):
        _deep.decode(data, "x.png", (1, 4, 4), WHITE)


@pytest.mark.parametrize(
    ("write", "shape", "high", "message"),
    [
        (grey, (8, 8), WHITE, r"of 65535, in .* 'deep_image_folder' and 'white', 4095 for 12 bits"),
        (colour_png, (8, 8, 3), WHITE, r"of 65535, in .* 'arrays' \(written as .npz\) and 'white'"),
        (grey, (8, 8), 16383, "deep_image_folder"),
        (grey, (8, 8), 65535, None),
        (colour_png, (8, 8, 3), 65535, None),
    ],
)
def test_dark_files_are_told_and_others_are_not(tmp_path, write, shape, high, message):
    put(tmp_path / "scans", high=high, write=write, shape=shape)
    found = _dark.of_folders(root=str(tmp_path / "scans"))
    assert (found is None) == (message is None)
    if message:
        assert re.search(message, found), found


def test_masks_of_0_and_1_are_told(tmp_path):
    put(tmp_path / "masks", high=1, dtype=np.uint8)
    assert "1 of 255" in _dark.of_folders(root=str(tmp_path / "masks"))


def test_the_warning_comes_before_work_and_stays_with_the_data_set(tmp_path):
    put(tmp_path / "scans")
    given = STUDY | {"items": [], "datasets": {"scans": {"kind": "image_folder", "root": str(tmp_path / "scans")}}}
    given["runs"] = [{"datasets": ["scans"], "models": ["small-cnn"], "trainings": ["standard"]}]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(given))
    resolved = study(read_files([REPOSITORY / "config.yaml", tmp_path / "study.yaml"]))
    (sentence,) = resolved.warnings
    assert sentence.startswith("datasets.scans: the brightest value of 8 images looked at is ")
    folder = tmp_path / "made"
    folder.mkdir()
    write_store(folder / "store.zarr.zip", "image_folder", {"root": str(tmp_path / "scans")}, {})
    assert "% of white" in _dark.of_store(folder)
    (folder / "store.zarr.zip").unlink()
    bright = {"root": str(tmp_path / "scans"), "white": 4095.0}
    write_store(folder / "store.zarr.zip", "deep_image_folder", bright, {})
    assert _dark.of_store(folder) is None
