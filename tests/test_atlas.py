"""The atlas's arrays: chosen, read, quantised, packed; each against the stores or a slow computation."""

import dataclasses
import json
import re
from collections import Counter

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st

from freqmaps.analysis import angular_energy, radial_energy
from freqmaps.atlas import attacked_set, choose, clean_set, predictions_of, stratified
from freqmaps.atlas._pack import pack, predict
from freqmaps.atlas._page import ONE, band_columns, safe_json
from freqmaps.atlas._planes import STEP, bytes_per_sample, delta16, log8, planes, reduced, scale, unit8
from freqmaps.atlas._predictions import probabilities, top
from freqmaps.core.errors import FreqmapsError, StoreError
from freqmaps.results.reader import Inputs
from freqmaps.spectra import transforms as spectra
from tests import atlas_pages, synthetic_study


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return atlas_pages.from_stores(tmp_path_factory.mktemp("study"), channels=3)


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(0, 70))
def test_every_class_has_the_same_share_as_far_as_it_reaches(labels, count):
    labels = np.array(labels, dtype=int)
    chosen = stratified(labels, count)
    assert len(chosen) == min(count, len(labels))
    assert (np.diff(chosen) > 0).all()
    has, takes = Counter(labels.tolist()), Counter(labels[chosen].tolist())
    for a in has:
        for b in has:
            assert takes[a] <= takes[b] + 1 or takes[b] == has[b]


def test_the_choice_leans_to_neither_end():
    chosen = stratified(np.zeros(1000, int), 10)
    assert chosen.tolist() == list(range(50, 1000, 100))


def test_all_samples_or_as_many_as_are_asked_for_or_fit(stored):
    _, inputs = stored
    every = choose(inputs, 3, samples=1000, megabytes=50)
    assert (len(every.ids), every.available, every.limit) == (20, 20, "")
    few = choose(inputs, 3, samples=8, megabytes=50)
    assert (len(few.ids), few.available, few.limit) == (8, 20, "samples")
    assert [i for i in every.ids if i in few.ids] == few.ids
    tight = choose(inputs, 3, samples=1000, megabytes=5 * bytes_per_sample((3, 8, 8), 3) / 1e6)
    assert (len(tight.ids), tight.limit) == (5, "megabytes")
    assert len(choose(inputs, 3, samples=1000, megabytes=1e-6).ids) == 1
    assert choose(Inputs([]), 3, samples=1, megabytes=1).ids == []


def test_sets_hold_what_the_stores_hold(stored):
    _, inputs = stored
    ids = choose(inputs, 3, samples=7, megabytes=50).ids[::-1]  # any order
    clean, classes = clean_set(inputs, ids)
    data, maps = inputs.dataset("toy", ids), inputs.maps(images="essential", samples=ids)
    assert classes == synthetic_study.CLASSES
    assert np.array_equal(clean.image, data["image"])
    assert np.array_equal(clean.map, maps["map"])
    for name in ("steps", "loss", "converged", "keeps_prediction", "label"):
        assert np.array_equal(clean.columns[name], maps[name])
    zeros = [sum(v <= 1e-8 for v in m.ravel()) / m.size for m in maps["map"].values]
    assert np.allclose(clean.columns["sparsity"], zeros)

    attacked = attacked_set(inputs, "strong", ids)
    store = inputs.adversarial(attack="strong", samples=ids)
    assert np.array_equal(attacked.image, store["adversarial"])
    for ours, theirs in (("fooled", "adversarial_prediction"), ("success", "success"), ("linf", "linf"), ("l2", "l2")):
        assert np.array_equal(attacked.columns[ours], store[theirs])
    there = inputs.maps(images="adversarial", attack="strong")["sample"].values.tolist()
    assert attacked.has_map.tolist() == [i in there for i in ids]
    assert not attacked.map[~attacked.has_map].any()
    assert (attacked.columns["steps"] == -1).tolist() == (~attacked.has_map).tolist()
    cosines = dict(inputs.per_sample("cosine", attack="strong")[["sample", "value"]].to_numpy())
    assert np.array_equal(attacked.columns["cosine"], [cosines.get(i, np.nan) for i in ids], equal_nan=True)


def test_samples_that_an_attack_was_not_run_on_are_left_out(stored):
    _, inputs = stored
    ids = choose(inputs, 3, samples=1000, megabytes=50).ids
    half = Inputs([r for r in inputs.results if not (r.stage == "attacks" and r.names["range"] == "test-0-12")])
    attacked = attacked_set(half, "strong", ids)
    assert [ids[i] for i in attacked.sample] == [i for i in ids if int(i[1:]) >= 12]
    none = attacked_set(half, "strong", ["s000"])
    assert none.image.shape == (0, 3, 8, 8)
    with pytest.raises(FreqmapsError, match="no sample 'elsewhere'"):
        clean_set(inputs, ["elsewhere"])
    with pytest.raises(FreqmapsError, match="no attacks result for attack 'unknown'"):
        attacked_set(inputs, "unknown", ids)


def test_ranges_that_overlap_count_once(stored):
    """Two runs may end at different samples: their last ranges then share some."""
    _, inputs = stored
    again = [r for r in inputs.results if r.stage in ("maps", "attacks")]
    ids = choose(inputs, 3, samples=1000, megabytes=50).ids
    twice = Inputs([*inputs.results, *again])
    assert choose(twice, 3, samples=1000, megabytes=50).ids == ids
    one, two = (attacked_set(results, "weak", ids) for results in (inputs, twice))
    assert np.array_equal(one.map, two.map)
    assert np.array_equal(one.sample, two.sample)


@pytest.mark.parametrize("content", ["sample\ns001\n", "sample,value\ns001,none\n", None])
def test_a_spoilt_file_of_single_values_is_one_sentence(stored, tmp_path, content):
    _, inputs = stored
    if content is not None:
        (tmp_path / "per_sample.csv").write_text(content)
    spoilt = dataclasses.replace(inputs.select("correlation", attack="weak")[0], folder=tmp_path)
    others = [r for r in inputs.results if r.stage != "correlation"]
    with pytest.raises(StoreError, match=r"per_sample\.csv: cannot be read"):
        attacked_set(Inputs([*others, spoilt]), "weak", ["s000"])


def test_a_corrupt_store_is_one_sentence(stored, tmp_path):
    _, inputs = stored
    result = inputs.select("datasets")[0]
    content = bytearray((result.folder / "store.zarr.zip").read_bytes())
    middle = content.index(b"image/c/0/0/0/0") + 200
    content[middle : middle + 20] = bytes(20)
    (tmp_path / "store.zarr.zip").write_bytes(bytes(content))
    with pytest.raises(StoreError, match="corrupt chunk"):
        clean_set(Inputs([dataclasses.replace(result, folder=tmp_path)]), ["s000"])


def test_predictions_are_the_softmax_of_the_logits():
    _, attacked = atlas_pages.sets(70, 2, 6, 6)  # more than one batch
    net = atlas_pages.network(2, 6, 6)
    found = predictions_of(net, attacked)
    with torch.no_grad():
        logits = net(torch.as_tensor(attacked.image)).numpy()
        filtered = np.real(np.fft.ifft2(np.fft.fft2(attacked.image) * np.fft.ifftshift(attacked.map, axes=(-2, -1))))
        seen = net(torch.as_tensor(filtered.astype(np.float32))).numpy()
    expected = scipy.special.softmax(logits.astype(float), axis=1)
    assert found.image_class.shape == (69, 4)
    assert np.array_equal(found.image_class[:, 0], logits.argmax(1))
    assert np.allclose(found.image_p, -np.sort(-expected, axis=1), atol=1e-6)
    assert np.allclose(np.take_along_axis(expected, found.image_class.astype(int), 1), found.image_p, atol=1e-6)
    assert np.array_equal(found.filtered_class[attacked.has_map, 0], seen.argmax(1)[attacked.has_map])
    assert (found.filtered_class[~attacked.has_map] == -1).all()
    assert np.isnan(found.filtered_p[~attacked.has_map]).all()
    assert not np.isnan(found.filtered_p[attacked.has_map]).any()


def test_a_network_without_an_answer_is_one_sentence():
    _, attacked = atlas_pages.sets(3, 1, 4, 4)
    net = atlas_pages.network(1, 4, 4)
    with torch.no_grad():
        net[1].bias[2] = np.nan
    with pytest.raises(FreqmapsError, match="logits are NaN or infinite"):
        predictions_of(net, attacked)


def test_probabilities_of_no_image_and_ties():
    assert probabilities(atlas_pages.network(1, 4, 4), np.zeros((0, 1, 4, 4), np.float32)).shape == (0, 4)
    classes, values = top(np.array([[0.25, 0.5, 0.25]]), 3)
    assert classes.tolist() == [[1, 0, 2]]
    assert values.tolist() == [[0.5, 0.25, 0.25]]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64", "bool"])
def test_arrays_come_back_as_they_were(dtype):
    array = (np.random.default_rng(0).normal(0, 300, (5, 3)) % 100).astype(dtype)
    part = pack("x", array)
    assert np.array_equal(atlas_pages._array(part.text, part.describe()), array)
    empty = pack("x", array[:0])
    assert atlas_pages._array(empty.text, empty.describe()).shape == (0, 3)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pictures_come_back_as_they_were(channels):
    pictures = np.random.default_rng(1).integers(0, 256, (4, channels, 5, 6), dtype=np.uint8)
    before = pictures.copy()
    assert np.array_equal(atlas_pages._undone(predict(pictures)), pictures)
    assert np.array_equal(pictures, before)


def test_changes_are_sent_in_steps_of_a_fifteenth_or_a_quarter_of_a_level():
    rng = np.random.default_rng(2)
    clean = rng.random((4, 1, 6, 6), dtype=np.float32)
    image = clean.copy()
    for i, size in enumerate((0, 1e-4, 0.01, 0.5)):
        image[i] += size * rng.uniform(-1, 1, image[i].shape).astype(np.float32)
    delta, step = delta16(image, clean)
    assert step[[0, 3]] == pytest.approx(STEP)
    error = np.abs(delta * step[:, None, None, None] - (image - clean.astype(float)))
    largest = np.abs(image - clean.astype(float)).max(axis=(1, 2, 3))
    assert (error.max(axis=(1, 2, 3)) <= np.minimum(0.51 * STEP, 0.51 * largest / 15) + 1e-9).all()


def test_quantisation_by_hand():
    assert unit8(np.array([-1, 0, 0.5, 1, 2])).tolist() == [0, 0, 128, 255, 255]
    assert log8(np.array([0, 1e-9, 1e-2, 10**0.5, 1e3, 1e6]), (-2, 3)).tolist() == [0, 0, 0, 128, 255, 255]
    low, high = scale((3, 32, 32))
    assert 10**high == pytest.approx(spectra.spectrum(np.ones((32, 32))).max())
    assert high - low == 5


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_averages_over_blocks(height, width, block):
    values = np.random.default_rng(height * 10 + width).random((2, height, width))
    made = reduced(values, block)
    for i in range(made.shape[1]):
        for j in range(made.shape[2]):
            part = values[:, i * block : (i + 1) * block, j * block : (j + 1) * block]
            assert np.allclose(made[:, i, j], part.mean(axis=(1, 2)))


@pytest.mark.parametrize("size", [(3, 8, 10), (1, 70, 90)])
def test_large_images_are_sent_as_averages_with_what_these_do_not_tell(size):
    clean, attacked = atlas_pages.sets(3, *size)
    own = clean.image[attacked.sample]
    made, changed = planes(clean.image, clean.map), planes(attacked.image, attacked.map, own)
    whole = size[1] <= 64
    assert ("spectrum" in made) != whole
    assert ("filtered" in changed) != whole
    content = {k: v for k, v in changed.items() if k != "step"}
    taken = sum(v[0].nbytes for v in made.values()) + sum(v[0].nbytes for v in content.values())
    assert taken == bytes_per_sample(size, 1)
    if not whole:
        ends = scale(size)
        magnitudes = np.abs(np.fft.fftshift(np.fft.fft2(attacked.image - own), axes=(-2, -1))).mean(axis=1)
        assert np.array_equal(changed["change_spectrum"], log8(reduced(magnitudes, 2), ends))
        seen = reduced(spectra.filter_image(clean.image, clean.map), 2)
        assert np.array_equal(made["filtered"], unit8(seen))


def test_band_energies_are_those_of_the_analysis():
    clean, attacked = atlas_pages.sets(5, 1, 12, 9)
    found = band_columns(clean.map)
    for name, energy in (("radial", radial_energy), ("angular", angular_energy)):
        assert np.allclose(found[name] / ONE, energy(np.square(clean.map[:, 0])), atol=0.51 / ONE)
    empty = band_columns(attacked.map[~attacked.has_map])
    assert not empty["radial"].any()
    several = band_columns(np.repeat(clean.map, 3, axis=1))
    assert np.array_equal(several["radial"], found["radial"])


def test_json_cannot_end_its_script():
    value = {"a": "</script><!--", "b": "&amp; é"}
    text = safe_json(value)
    assert not re.search(r"[<>&]", text)
    assert json.loads(text) == value


def test_the_same_results_give_the_same_page(stored, tmp_path):
    assert atlas_pages.from_stores(tmp_path, channels=3)[0] == stored[0]


def test_a_page_of_photographs_is_small():
    """Budget: 15 MB for 1000 CIFAR-sized samples and three attacks; noise-free maps and images as in the benchmark."""
    from benchmarks.bench_atlas import page

    assert len(page(60, attacks=("a", "b", "c"))) < 60 * 15e3 + 60e3
