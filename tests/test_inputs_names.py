"""Names that people give folders and classes go through the whole study; arrays as others save them; Ctrl-C."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
import yaml

from freqmaps.results.verify import Verifier
from tests.dataset_files import as_folder, picture
from tests.small_study import STUDY
from tests.workflow import SNAKEMAKE, clone, snakemake

pytestmark = pytest.mark.slow

CLASSES = ("$5 & $10 bill", r"$\alpha$ ^_", "a'b\"c <i>#1")


def overlay(folder, name, **changes):
    given = STUDY | {"study": name} | changes
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(given, allow_unicode=True))
    return f"{name}.yaml"


def problems(root):
    """What is wrong below a root, but that a copy of the working tree has no commit."""
    return [problem for problem in Verifier(root).problems() if "no 'commit'" not in problem]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A clone in a folder with every odd character, and a finished study of classes with odd names."""
    folder = clone(tmp_path_factory.mktemp("names") / "my lab's (copy) & Übung")
    names = [f"{c}/{i}.png" for c in CLASSES for i in range(14)]
    as_folder(folder / "my images", {name: picture(i, (8, 8), channels=1) for i, name in enumerate(names)})
    dataset = {"kind": "image_folder", "root": "my images", "channels": 1, "test_fraction": 0.5}
    run = STUDY["runs"][0] | {"datasets": ["odd"], "samples": {"first": 12}}
    items = [{"item": "B25-T1", "attacks": ["fgsm"]}, {"item": "B25-F1", "attack": "fgsm"}]
    attack = {"fgsm": {"kind": "fgsm", "epsilon": 0.9}}
    training = {"standard": {"epochs": 30, "batch": 8}}
    name = overlay(
        folder, "odd", datasets={"odd": dataset}, runs=[run], items=items, attacks=attack, trainings=training,
        atlas={"samples": 6},
    )  # fmt: skip
    snakemake(folder, "-c1", "all", "--configfile", name)
    return folder


def test_odd_names_go_through_figures_tables_report_and_atlas(lab):
    results = lab / "results"
    assert problems(results) == []
    (log,) = (results / "odd" / "datasets").glob("*/log.txt")
    assert all(f"{name} 7" in log.read_text() for name in CLASSES)
    for file in ("figures/B25-F1.svg", "figures/B25-F1.pdf", "tables/B25-T1.tex", "report.html", "atlas.html"):
        assert (results / file).stat().st_size > 300, file
    page = (results / "atlas.html").read_text()
    assert "<i>#1" not in page and r"\u003ci\u003e#1" in page


def test_arrays_stacked_five_times_with_the_checkpoint_of_another_result(lab):
    (weights,) = (lab / "results" / "odd").glob("small-cnn/standard/seed0/training/*/model.safetensors")
    rng = np.random.default_rng(0)
    np.save(lab / "x.npy", np.concatenate([rng.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)] * 5))
    np.save(lab / "y.npy", np.concatenate([np.arange(9) % 3] * 5))
    model = {"architecture": "small_cnn", "width": 32, "normalise": "none", "checkpoint": str(weights)}
    run = STUDY["runs"][0] | {
        "datasets": ["five"],
        "models": ["theirs"],
        "trainings": ["given"],
        "samples": {"first": 9},
    }
    name = overlay(
        lab, "five", datasets={"five": {"kind": "arrays", "path": "x.npy", "labels": "y.npy"}},
        models={"theirs": model}, runs=[run], items=[],
    )  # fmt: skip
    snakemake(lab, "-c1", "stores", "--configfile", name)
    assert list((lab / "results" / "five").glob("theirs/given/seed0/maps/**/manifest.json"))
    assert problems(lab / "results") == []


def test_ctrl_c_in_the_middle_of_a_training_and_the_same_command_again(lab):
    run = {"datasets": ["digits"], "models": ["small-cnn"], "trainings": ["standard"]}
    name = overlay(lab, "long", trainings={"standard": {"epochs": 30, "batch": 16}}, runs=[run], items=[])
    words = [*SNAKEMAKE, "-c1", "stores", "--configfile", name]
    process = subprocess.Popen(
        words, cwd=lab, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
        # Where the tests themselves run in the background, a shell has told them to ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    place = lab / "results" / "digits" / "small-cnn" / "standard" / "seed0" / "training"
    deadline = time.monotonic() + 120
    while (
        not any("INFO training" in log.read_text() for log in place.glob("*/log.txt")) and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    time.sleep(2)  # into the epochs
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it, to all of the command
    process.communicate(timeout=120)
    assert process.returncode != 0 and not list(place.glob("*/manifest.json"))
    snakemake(lab, "-c1", "stores", "--configfile", name)
    assert list(place.glob("*/manifest.json")) and not list(place.glob("*/partial"))
    assert problems(lab / "results") == []
