"""Training data: augmentation, batches, splits, and where the images are held."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import xarray as xr

from freqmaps.core.errors import FreqmapsError
from freqmaps.core.minibatches import bounds
from freqmaps.training import TrainingSettings, split_arrays
from freqmaps.training import _data as data_module
from freqmaps.training._augment import draw, shift_and_flip
from freqmaps.training._data import Images
from tests.short_training import SHORT, digits, fit

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("padding", [0, 2])
def test_shift_and_flip_equals_a_slow_loop(dtype, padding):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(1, 256, (20, 2, 5, 7), generator=generator).to(dtype)
    offsets, flips = draw(20, padding, True, generator)
    found = shift_and_flip(images, offsets, flips, padding)
    expected = torch.zeros_like(images)
    for i in range(20):
        for y in range(5):
            for x in range(7):
                from_y, from_x = y + int(offsets[i, 0]) - padding, x + int(offsets[i, 1]) - padding
                if 0 <= from_y < 5 and 0 <= from_x < 7:
                    expected[i, :, y, 6 - x if flips[i] else x] = images[i, :, from_y, from_x]
    assert found.dtype == dtype
    assert torch.equal(found, expected)


def test_draws_are_uniform_and_within_the_padding():
    offsets, flips = draw(20_000, 2, True, torch.Generator().manual_seed(0))
    counts = torch.bincount(offsets.flatten(), minlength=5).float() / 40_000
    assert len(counts) == 5
    assert torch.allclose(counts, torch.full((5,), 0.2), atol=0.01)
    assert flips.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert not draw(50, 0, False, torch.Generator())[1].any()


def test_batches_cover_each_image_once():
    for n, batch in ((10, 3), (9, 3), (1, 4), (5, 1), (4, 4)):
        found = bounds(n, batch)
        assert [i for a, b in found for i in range(a, b)] == list(range(n))
    assert bounds(10, 3) == [(0, 3), (3, 6), (6, 10)]
    assert bounds(10, 3, drop_last=True) == bounds(11, 3, drop_last=True) == [(0, 3), (3, 6), (6, 9)]
    assert bounds(9, 3, drop_last=True) == bounds(9, 3) and bounds(2, 3, drop_last=True) == []
    images, labels, *_ = digits(50, np.uint8)
    held = Images(images, labels, CPU)
    batches = list(held.epoch(TrainingSettings(batch=16), torch.Generator().manual_seed(1)))
    seen = torch.cat([b for b, _ in batches])
    assert seen.dtype == torch.float32
    expected = sorted(map(tuple, (torch.from_numpy(images).float() / 255).flatten(1).tolist()))
    assert sorted(map(tuple, seen.flatten(1).tolist())) == expected
    rows = {tuple(i): int(t) for i, t in zip(images.reshape(50, -1).tolist(), labels, strict=True)}
    for batch, targets in batches:
        for image, label in zip(batch, targets, strict=True):
            assert rows[tuple((image.flatten() * 255).round().int().tolist())] == int(label)


def test_data_that_do_not_fit():
    images, labels, *_ = digits(10)
    with pytest.raises(FreqmapsError, match="10 images but 9 labels"):
        Images(images, labels[:9], CPU)
    with pytest.raises(FreqmapsError, match="float64"):
        Images(images.astype(np.float64), labels, CPU)
    empty = (images[:0], labels[:0])
    with pytest.raises(FreqmapsError, match="no training images"):
        fit(SHORT, data=(*empty, images, labels))
    with pytest.raises(FreqmapsError, match=r"\.\.10, but the network has 10 classes"):
        fit(SHORT, data=(images, np.where(np.arange(10) == 3, 10, labels), images, labels))
    with pytest.raises(FreqmapsError, match="needs test images"):
        fit(dataclasses.replace(SHORT, keep="best_loss"), data=(images, labels, *empty))
    _, history = fit(SHORT, data=(images, labels, *empty))
    assert math.isnan(history[-1]["test_accuracy"])


def test_split_arrays():
    store = xr.Dataset(
        {
            "image": (("sample", "channel", "y", "x"), np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)),
            "label": ("sample", np.array([0, 1, 0, 1], np.int32)),
            "split": ("sample", np.array(["train", "test", "train", "test"])),
        }
    )
    (images, labels), (test_images, test_labels) = split_arrays(store)
    assert images.ravel().tolist() == [0, 2]
    assert test_images.ravel().tolist() == [1, 3]
    assert (labels.tolist(), test_labels.tolist(), labels.dtype) == ([0, 0], [1, 1], np.int64)
    with pytest.raises(FreqmapsError, match="no samples of split 'train'"):
        split_arrays(store.isel(sample=[1, 3]))


@pytest.mark.gpu
def test_images_that_do_not_fit_stay_in_host_memory(monkeypatch):
    monkeypatch.setattr(data_module, "_SHARE", 0.0)
    images, labels, *_ = digits(100, np.uint8)
    held = Images(images, labels, torch.device("cuda"))
    assert held.images.is_pinned()
    assert sum(len(b) for b, _ in held.epoch(SHORT, torch.Generator())) == 100
