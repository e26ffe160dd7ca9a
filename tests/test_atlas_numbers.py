"""What the atlas shows in a browser, against the stores and NumPy."""

import csv
import io

import numpy as np
import pytest

from freqmaps.analysis import angular_energy, radial_energy
from freqmaps.atlas._planes import scale
from freqmaps.spectra import transforms as spectra
from tests import atlas_pages, synthetic_study
from tests.atlas_pages import written

pytest_plugins = ["tests.atlas_browser"]


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 9, 7), (3, 32, 32), (2, 6, 8)])
def test_pictures_computed_in_the_page_are_those_of_numpy(opened, tmp_path, shape):
    clean, attacked = atlas_pages.sets(4, *shape)
    shown = opened(written(tmp_path, atlas_pages.from_arrays(clean, {"noise": attacked})), "#attack=*")
    for row, sample in enumerate(attacked.sample):
        change = attacked.image[row] - clean.image[sample]
        kinds = {"clean": clean.image[sample], "adversarial": attacked.image[row], "change": change}
        for kind, expected in kinds.items():
            found = shown.array(f"imageOf({row}, '{kind}')").reshape(shape)
            assert np.abs(found - expected).max() < (0.001 if kind == "change" else 0.52 / 255 + 0.001)
            # The spectrum of exactly what is shown.
            magnitudes = spectra.spectrum(found).mean(axis=0)
            assert np.allclose(shown.array(f"spectrumOf({row}, '{kind}')").reshape(shape[1:]), magnitudes, atol=1e-4)
        for flag, maps, image in (("false", clean.map[sample], clean.image[sample]),
                                  ("true", attacked.map[row], attacked.image[row])):  # fmt: skip
            assert np.abs(shown.array(f"mapOf({row}, {flag})").reshape(shape) - maps).max() < 0.51 / 255
            seen = shown.array(f"filteredOf({row}, {flag})").reshape(shape)
            assert np.abs(seen - spectra.filter_image(image, maps)).max() < 0.02


def test_spectra_are_near_those_of_the_stores(opened, tmp_path):
    """Eight bits of a clean image blur its spectrum little: less than a colour step where there is any energy."""
    clean, attacked = atlas_pages.sets(6, 3, 16, 16)
    shown = opened(written(tmp_path, atlas_pages.from_arrays(clean, {"noise": attacked})))
    for row, sample in enumerate(attacked.sample):
        for kind, image in (("clean", clean.image[sample]), ("change", attacked.image[row] - clean.image[sample])):
            exact = spectra.spectrum(image).mean(axis=0).ravel()
            error = np.abs(np.log10(shown.array(f"spectrumOf({row}, '{kind}')")) - np.log10(exact))
            assert np.median(error) < 0.01


def test_pictures_of_large_images_come_ready_made(opened, tmp_path):
    clean, attacked = atlas_pages.sets(3, 1, 70, 66)
    shown = opened(written(tmp_path, atlas_pages.from_arrays(clean, {"noise": attacked})), "#attack=*")

    def blocks(values):
        return values.reshape(35, 2, 33, 2).mean(axis=(1, 3))

    low, high = scale((1, 70, 66))
    for row, sample in enumerate(attacked.sample):
        assert (
            np.abs(shown.array(f"imageOf({row}, 'adversarial')") - blocks(attacked.image[row, 0]).ravel()).max() < 0.004
        )
        assert np.abs(shown.array(f"mapOf({row}, true)") - blocks(attacked.map[row, 0]).ravel()).max() < 0.003
        seen = np.clip(blocks(spectra.filter_image(clean.image[sample, 0], clean.map[sample, 0])), 0, 1)
        assert np.abs(shown.array(f"filteredOf({row}, false)") - seen.ravel()).max() < 0.003
        exact = blocks(spectra.spectrum(attacked.image[row, 0] - clean.image[sample, 0])).ravel()
        error = np.abs(np.log10(shown.array(f"spectrumOf({row}, 'change')")) - np.log10(exact))
        assert error.max() < 0.51 * (high - low) / 255
    assert "averages over 2 × 2" in shown.text_content(".legend")
    assert shown.evaluate("frequency(0, FULL_W)") == "−33 to −32"


def test_numbers_in_the_table_are_those_of_the_stores(opened, toy):
    path, inputs = toy
    shown = opened(path, "#view=table&attack=*", viewport={"width": 1280, "height": 2400})
    rows = shown.table()
    assert len(rows) == 3 * 20
    stores = {of: inputs.maps(attack=of) for of in synthetic_study.ATTACKS}
    stores["essential"] = inputs.maps(images="essential")
    attacks = {attack: inputs.adversarial(attack=attack) for attack in synthetic_study.ATTACKS}
    cosines = inputs.per_sample("cosine").set_index(["attack", "sample"])["value"].to_dict()
    for row in rows:
        sample, attack = row["sample"], row["attack"]
        attacked = attacks[attack].sel(sample=sample)
        assert row["class"] == synthetic_study.CLASSES[int(attacked["label"])]
        assert row["seen_as"] == synthetic_study.CLASSES[int(attacked["adversarial_prediction"])]
        assert row["success"] == ("yes" if attacked["success"] else "no")
        assert row["linf"] == f"{float(attacked['linf']):.5f}"
        assert row["l2"] == f"{float(attacked['l2']):.4f}"
        assert row["cosine"] == (f"{cosines[attack, sample]:.4f}" if (attack, sample) in cosines else "–")
        for of, side in (("essential", "essential"), (attack, "adversarial")):
            if sample in stores[of]["sample"]:
                maps = stores[of].sel(sample=sample)
                assert row[f"steps_{side}"] == str(int(maps["steps"]))
                assert row[f"loss_{side}"] == f"{float(maps['loss']):.4f}"
                assert row[f"sparsity_{side}"] == f"{100 * float((maps['map'] <= 1e-8).mean()):.2f} %"
                assert row[f"converged_{side}"] == ("yes" if maps["converged"] else "no")
                assert row[f"keeps_prediction_{side}"] == ("yes" if maps["keeps_prediction"] else "no")
            else:
                assert side == "adversarial"
                assert {row[f"{name}_{side}"] for name in ("steps", "loss", "sparsity", "converged")} == {"–"}


def test_the_csv_has_every_digit(opened, toy):
    path, inputs = toy
    shown = opened(path, "#attack=strong")
    with shown.expect_download() as download:
        shown.click("#export")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    assert len(rows) == 20
    assert download.value.suggested_filename == "atlas.csv"
    cosines = inputs.per_sample("cosine", attack="strong").set_index("sample")["value"]
    for row in rows:
        store = inputs.adversarial(attack="strong", samples=[row["sample"]])
        assert np.float32(row["linf"]) == store["linf"][0]
        assert float(row["cosine"] or "nan") == cosines.get(row["sample"], np.nan) or not row["cosine"]
    shown.focus("#grid")
    for key in ("Enter", "ArrowRight", "ArrowRight", "Enter"):
        shown.keyboard.press(key)
    chosen = list(csv.DictReader(io.StringIO(shown.evaluate("csv()"))))
    assert [r["sample"] for r in chosen] == [rows[0]["sample"], rows[2]["sample"]]
    quoted = shown.evaluate("(DATA.ids[sampleOf(SHOWN[0])] = 'a,\"b\"\\n', csv())")
    assert next(csv.DictReader(io.StringIO(quoted)))["sample"] == 'a,"b"\n'


def test_answers_are_shown_as_the_network_gave_them(opened, tmp_path):
    clean, attacked = atlas_pages.sets(5, 1, 6, 6)
    page = atlas_pages.from_arrays(clean, {"noise": attacked})
    data = atlas_pages.unpacked(page)
    shown = opened(written(tmp_path, page), "#sample=s2&by=noise")
    row = shown.evaluate("CURRENT")
    assert (data["row.sample"][row], row) == (2, 1)
    blocks = shown.eval_on_selector_all(
        "#answers > div",
        "ds => ds.map(d => [...d.querySelectorAll('li')].map(l => [...l.children].map(s => s.textContent)))",
    )
    for block, (name, at) in zip(
        blocks, [("clean.image", 2), ("clean.filtered", 2), ("row.image", row), ("row.filtered", row)], strict=True
    ):
        expected = zip(data[f"{name}_class"][at], data[f"{name}_p"][at], strict=True)
        assert block == [[atlas_pages.CLASSES[c], f"{100 * float(p):.2f} %"] for c, p in expected]
    shown.evaluate("go(0)")  # the attack failed: there is no map to see through
    assert shown.eval_on_selector_all("#answers > div", "ds => ds.map(d => d.textContent)")[3].endswith("no map")
    assert "attack failed" in shown.text_content("#tags")


def test_curves_are_means_of_the_maps_energies(opened, tmp_path):
    clean, attacked = atlas_pages.sets(9, 1, 16, 16)
    shown = opened(written(tmp_path, atlas_pages.from_arrays(clean, {"noise": attacked})))
    rows = [0, 3, 5]
    for which, energy in (("radial", radial_energy), ("angular", angular_energy)):
        expected = energy(np.square(clean.map[attacked.sample[rows], 0].astype(float)))
        assert np.allclose(shown.array(f"meanShares({rows}, KINDS[0], '{which}').mean"), expected.mean(0), atol=1e-5)
        assert np.allclose(shown.array(f"meanShares({rows}, KINDS[0], '{which}').sd"), expected.std(0), atol=1e-4)
        mapped = [r for r in rows if attacked.has_map[r]]  # row 0 has no adversarial map
        expected = energy(np.square(attacked.map[mapped, 0].astype(float)))
        assert np.allclose(shown.array(f"meanShares({rows}, KINDS[1], '{which}').mean"), expected.mean(0), atol=1e-5)
    assert "this image" in shown.text_content("#curves")
    shown.focus("#grid")
    shown.keyboard.press("Control+a")
    assert "8 selected" in shown.text_content("#curves")
    assert shown.locator("#curves svg").count() == 2
    before = shown.inner_html("#curves svg")
    shown.check("#log")
    assert shown.inner_html("#curves svg") != before
    assert shown.evaluate("document.activeElement.id") == "log"
