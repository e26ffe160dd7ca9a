"""A study of images that are not on this machine goes on from their finished store."""

import shutil

import numpy as np
import pytest
from PIL import Image

from freqmaps.core.errors import ConfigError
from freqmaps.job import Job
from freqmaps.provenance import manifest
from freqmaps.study.build import study
from freqmaps.study.config import check, merge, read_files
from tests.tiny_results import script
from tests.workflow import REPOSITORY


def draw(root, seed=0, classes=("cat", "dog")):
    rng = np.random.default_rng(seed)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(root / name / f"{number}.png")
    return root


def resolve(tmp_path, root, **dataset):
    config = read_files([REPOSITORY / "config.yaml"])
    given = {"kind": "image_folder", "root": str(root), "test_fraction": 0.5, "stored": True} | dataset
    merge(config, {"datasets": {"photos": given}, "items": [], "simulations": {}, "results": str(tmp_path / "results")})
    for name in ("blue-shift", "f21-theorems"):
        config["simulations"][name] = None
    config["runs"] = [{"datasets": ["photos"], "models": ["small-cnn"], "trainings": ["standard"], "seeds": [0],
                       "samples": {"split": "test"}, "attacks": ["fmn"]}]  # fmt: skip
    check(config)
    return study(config)


def make_dataset(made, root):
    """Do the job of the study's dataset; return its node."""
    node = next(one for one in made.graph.nodes.values() if one.stage == "datasets")
    folder = root / node.path
    folder.mkdir(parents=True)
    headline = script("datasets").run(Job(dict(node.spec), {}, folder, dict(node.options)))
    manifest.write(folder / manifest.NAME, dict(node.spec), headline, {"wall_s": 0.0, "device": "cpu"})
    return node


def test_the_finished_store_stands_for_images_that_are_elsewhere(tmp_path):
    images = draw(tmp_path / "images")
    before = resolve(tmp_path, images)
    node = make_dataset(before, tmp_path / "results")
    assert not before.graph.away
    shutil.move(images, tmp_path / "elsewhere")
    after = resolve(tmp_path, images)
    assert list(after.graph.nodes) == list(before.graph.nodes)
    assert after.graph.shapes == before.graph.shapes
    (warning,) = after.warnings
    assert warning == (
        f"datasets.photos: its images are not on this machine; the finished result {node.path}, of the same name and "
        "parameters, stands for them"
    )
    assert resolve(tmp_path, tmp_path / "elsewhere").warnings == []
    assert resolve(tmp_path, images, stored="true").warnings == [warning]  # as --config has it
    with pytest.raises(ConfigError, match=rf"correct the path; or, if '{node.path}' was made .*say 'stored: true'"):
        resolve(tmp_path, images, stored=False)


def test_without_a_store_or_with_other_parameters_the_path_is_told(tmp_path):
    images = draw(tmp_path / "images")
    with pytest.raises(ConfigError, match=r"datasets\.photos: root: no such folder or archive: .*correct the path"):
        resolve(tmp_path, tmp_path / "nowhere")
    make_dataset(resolve(tmp_path, images), tmp_path / "results")
    shutil.rmtree(images)
    assert resolve(tmp_path, images).graph.away
    with pytest.raises(ConfigError, match=r"datasets\.photos: root: no such folder or archive"):
        resolve(tmp_path, images, test_fraction=0.25)
    (broken,) = (tmp_path / "results").glob("photos/datasets/*/manifest.json")
    broken.write_text(broken.read_text()[:100])
    with pytest.raises(ConfigError, match=r"datasets\.photos: root: no such folder or archive"):
        resolve(tmp_path, images)


def test_two_stores_that_may_be_meant_are_named(tmp_path):
    for seed in (0, 1):
        images = draw(tmp_path / f"images{seed}", seed)
        make_dataset(resolve(tmp_path, images), tmp_path / "results")
    with pytest.raises(ConfigError, match=r"both 'photos/datasets/\w+' and 'photos/datasets/\w+' were made from such"):
        resolve(tmp_path, tmp_path / "nowhere")
