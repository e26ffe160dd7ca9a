"""The workflow as its users meet it: own images, own network, own checkpoint, a kill in the middle, a mistake."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

import freqmaps
from freqmaps.core.errors import FreqmapsError
from freqmaps.models import load_classifier
from freqmaps.stores import MAPS, read
from tests.atlas_pages import unpacked
from tests.workflow import SNAKEMAKE, clone, snakemake

pytestmark = pytest.mark.slow

NETS = '''
"""A lab's own network."""
from torch import nn


def tiny(*, classes, channels, size, width: int = 8):
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(width * size * size, classes)
    )
'''

STUDY = {
    "study": "ours",
    "datasets": {"ours": {"kind": "image_folder", "root": "images", "test_fraction": 0.5}},
    "models": {"tiny": {"architecture": "mylab.nets:tiny", "width": 4}},
    "trainings": {"short": {"epochs": 4, "batch": 32, "learning_rate": 0.05}},
    "attacks": {"fgsm": {"kind": "fgsm", "epsilon": 0.2}},
    "maps": {"ce": {"min_steps": 30, "max_steps": 60, "penalty": 0.01}},
    "group_maps": {
        "waves": {"objective": "cross_entropy", "penalty": 0.01, "basis": "dct", "groups": "class", "epochs": 3}
    },
    "shard": 40,
    "runs": [
        {
            "datasets": ["ours"], "models": ["tiny"], "trainings": ["short"], "attacks": ["fgsm"], "maps": ["ce"],
            "group_maps": ["waves"], "metrics": ["cosine", "svcca"], "samples": {"first": 60},
        }
    ],
    "items": [{"item": "B25-T1", "attacks": ["fgsm"]}, {"item": "B25-F1", "attack": "fgsm"}],
}  # fmt: skip


def images(folder, n=200):
    """Real images in class folders: scikit-learn's digits 0 to 3, tinted, as PNG."""
    from sklearn.datasets import load_digits

    digits, labels = load_digits(return_X_y=True)
    chosen = np.flatnonzero(labels < 4)[:n]
    for i in chosen:
        target = folder / "images" / f"class{labels[i]}"
        target.mkdir(parents=True, exist_ok=True)
        grey = (digits[i].reshape(8, 8) / 16 * 255).astype(np.uint8)
        Image.fromarray(np.stack([grey, grey // 2, 255 - grey], axis=-1)).save(target / f"{i:04d}.png")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A clone with a lab's own images, network and study, run once."""
    folder = clone(tmp_path_factory.mktemp("lab"))
    images(folder)
    (folder / "mylab").mkdir()
    (folder / "mylab" / "nets.py").write_text(NETS)
    (folder / "ours.yaml").write_text(yaml.safe_dump(STUDY))
    run = snakemake(folder, "-c2", "all", "--configfile", "ours.yaml", "--verbose")
    (folder / "verbose.txt").write_text(run.stderr)
    return folder


def test_own_images_and_network_end_in_tables_figures_and_a_report(lab):
    table = pd.read_csv(lab / "results" / "tables" / "B25-T1.csv")
    assert table["attack"].tolist() == ["fgsm"]
    assert np.isfinite(table["cosine_mean"]).all()
    for name in ("figures/B25-F1.svg", "figures/B25-F1.png", "tables/B25-T1.tex", "report.html", "atlas.html"):
        assert (lab / "results" / name).stat().st_size > 500


def test_waiting_jobs_are_looked_at_when_one_has_ended_and_not_every_second(lab):
    said = (lab / "verbose.txt").read_text()
    ended, looked = said.count("Finished jobid: "), said.count("Ready jobs: ")
    assert 0 < looked <= ended + 1 > 5


def test_the_atlas_asks_the_network_that_made_the_stores(lab):
    data = unpacked((lab / "results" / "atlas.html").read_text(encoding="utf-8"))
    assert np.array_equal(data["clean.image_class"][:, 0], data["clean.label"])
    assert np.array_equal(data["row.image_class"][:, 0], data["row.fooled"])
    mapped = data["row.has_map"] == 1
    assert mapped.any()
    kept = data["row.filtered_class"][:, 0] == data["row.fooled"]
    assert np.array_equal(kept[mapped], data["row.keeps_prediction"][mapped] == 1)


def test_results_open_as_xarray_in_two_lines(lab):
    results = freqmaps.open(lab / "results")
    maps = results.maps(dataset="ours", images="essential")
    assert maps["map"].dims == ("sample", "channel", "ky", "kx")
    assert maps.sizes["channel"] == 3
    assert 0 < maps.sizes["sample"] <= 60
    assert len(results.list("maps")) == 4  # two shards, two kinds
    assert set(results.correlations()["metric"]) == {"cosine", "svcca"}
    assert results.problems() == []
    assert {"spec", "commit", "freqmaps"} <= set(maps.attrs)


def test_group_maps_of_cosines_are_told_from_those_of_amplitudes(lab):
    results = freqmaps.open(lab / "results")
    with pytest.raises(FreqmapsError, match="have basis 'dct', and what is asked for needs 'fourier'"):
        results.group_maps(dataset="ours")
    maps = results.group_maps(dataset="ours", basis="dct")
    assert maps["map"].dims == ("group", "channel", "row", "column")
    assert maps["row"].attrs["units"] == "half cycles per image"
    assert maps["map"].shape == (4, 3, 8, 8)
    assert int(maps["n_images"].sum()) == 60
    assert 0 < float(maps["map"].min()) < 1


def test_results_of_one_study_are_told_from_those_of_another(lab, tmp_path, monkeypatch):
    folder = clone(tmp_path / "c", of=lab, results=True)
    snakemake(folder, "-c2", "stores", "--configfile", "ours.yaml", "--config", 'maps={"ce": {"penalty": 0.02}}')
    monkeypatch.chdir(folder)
    with pytest.raises(FreqmapsError, match=r"fits results that differ in parameters\.objective\.parameters\.penalty"):
        freqmaps.open("results").maps(images="essential")
    chosen = freqmaps.open("results", study=["config.yaml", "ours.yaml"])
    assert '"penalty": 0.01' in chosen.maps(images="essential").attrs["spec"]
    alone = freqmaps.open("results", study=Path("ours.yaml"))  # over the folder's config.yaml, as --configfile
    assert alone.list().equals(chosen.list()) and len(alone.results) == len(chosen.results) > 0


def test_an_edit_of_the_lab_network_is_seen(lab, tmp_path):
    other = clone(tmp_path / "c", of=lab, results=True, metadata=True)
    nets = other / "mylab" / "nets.py"
    nets.write_text(NETS.replace("nn.ReLU()", "nn.Tanh()"))
    done = snakemake(other, "-n", "all", "--configfile", "ours.yaml")
    assert "training: ours/tiny" in done.stdout + done.stderr


def test_moved_images_are_the_same_images(lab, tmp_path):
    other = clone(tmp_path / "c", of=lab, results=True)
    (other / "images").rename(other / "elsewhere")
    moved = ("--configfile", "ours.yaml", "--config", 'datasets={"ours": {"root": "elsewhere"}}')
    assert "workflow_scripts/datasets.py" not in snakemake(other, "-n", "-p", "stores", *moved).stdout


def test_a_checkpoint_that_a_user_brings(lab, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(lab)
    folder = clone(tmp_path / "c", of=lab, results=True)
    trained = next((folder / "results").glob("ours/tiny/short/seed0/training/*"))
    network = load_classifier(trained).net
    torch.save(network.state_dict(), folder / "ours.pt")
    study = STUDY | {"models": {"tiny": STUDY["models"]["tiny"] | {"checkpoint": "ours.pt"}}}
    study["runs"] = [STUDY["runs"][0] | {"trainings": ["given"]}]
    (folder / "given.yaml").write_text(yaml.safe_dump(study))
    snakemake(folder, "-c2", "B25-T1", "--configfile", "given.yaml")
    ours = [pd.read_csv(d / "results" / "tables" / "B25-T1.csv")["cosine_mean"][0] for d in (lab, folder)]
    assert ours[0] == pytest.approx(ours[1], abs=1e-6)  # the same weights: only the way they came differs

    torch.save(torch.nn.Linear(3, 3).state_dict(), folder / "ours.pt")
    done = snakemake(folder, "-n", "--configfile", "given.yaml", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "models.tiny.checkpoint: " in text
    assert "mylab.nets:tiny" in text
    assert "Traceback" not in text


def test_an_unreadable_image_is_found_before_any_work(lab, tmp_path):
    folder = clone(tmp_path / "c", of=lab)
    victim = next((folder / "images").rglob("*.png"))
    victim.write_bytes(victim.read_bytes()[:40])
    done = snakemake(folder, "-c2", "all", "--configfile", "ours.yaml", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert victim.name in text
    assert not (folder / "results" / "ours").exists()


def test_killed_and_run_again_it_ends_in_the_same_numbers(lab, tmp_path):
    folder = clone(tmp_path / "c", of=lab)
    line = [*SNAKEMAKE, "-c2", "all", "--configfile", "ours.yaml"]
    for results in (1, 4):
        process = subprocess.Popen(line, cwd=folder, start_new_session=True, stderr=subprocess.DEVNULL)
        # `rglob` fails where a folder goes while it looks; a walk passes over it.
        while sum("manifest.json" in files for _, _, files in os.walk(folder / "results")) < results:
            assert process.poll() is None, "Snakemake ended before it was killed"
            time.sleep(0.05)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        snakemake(folder, "--unlock", "--configfile", "ours.yaml")
    snakemake(folder, "-c2", "all", "--configfile", "ours.yaml")
    for one in sorted((lab / "results").glob("ours/**/maps/**/store.zarr.zip")):
        other = folder / one.relative_to(lab)
        assert np.allclose(read(one, MAPS)["map"], read(other, MAPS)["map"], atol=1e-5)
    tables = [(d / "results" / "tables" / "B25-T1.csv") for d in (lab, folder)]
    a, b = (pd.read_csv(t).select_dtypes("number") for t in tables)
    assert np.allclose(a, b, atol=1e-4, equal_nan=True)
    assert freqmaps.open(folder / "results").problems() == []


def test_results_do_not_depend_on_the_number_of_shards(lab, tmp_path):
    folder = clone(tmp_path / "c", of=lab, results=True)
    snakemake(folder, "-c2", "B25-T1", "--configfile", "ours.yaml", "--config", "shard=16")
    tables = [(d / "results" / "tables" / "B25-T1.csv") for d in (lab, folder)]
    a, b = (pd.read_csv(t) for t in tables)
    assert a["n"].tolist() == b["n"].tolist()
    assert np.allclose(a["cosine_mean"], b["cosine_mean"], atol=1e-3)
