"""A results root on object storage: made once for all clones, exact after an edit, an ordinary root when copied."""

from __future__ import annotations

import json

import pytest
import safetensors.torch
import yaml

import freqmaps
from freqmaps.core.errors import ConfigError
from freqmaps.stages import STAGES
from freqmaps.study.build import study
from freqmaps.study.config import read_files
from tests.object_store import serve
from tests.small_study import STUDY, write_studies
from tests.workflow import REPOSITORY, clone, due, scramble_times, snakemake

pytestmark = pytest.mark.slow

ROOT = ("--config", "results=s3://lab/of/all")
DEFAULT = read_files([REPOSITORY / "config.yaml"])
SHOWN = {"B25-T1", "report"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("server") / "log") as running, pytest.MonkeyPatch.context() as environment:
        for name, value in running.environment.items():
            environment.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def first(server, tmp_path_factory):
    """A clone that has run the small study into an empty bucket."""
    folder = clone(tmp_path_factory.mktemp("first"))
    write_studies(folder)
    snakemake(folder, "-c2", "all", "--configfile", "small.yaml", *ROOT)
    return folder


@pytest.fixture
def second(first, tmp_path):
    """Another clone, with neither results nor records, of another age."""
    folder = clone(tmp_path / "second", of=first)
    scramble_times(folder)
    return folder


def stored(server, stage, name=""):
    """Keys of a stage's objects."""
    return [key for key in server.objects("lab") if f"/{stage}/" in key and key.endswith(name)]


def test_every_file_of_every_result_is_an_object(server, first):
    for stage in ("datasets", "training", "attacks", "maps", "matrices", "correlation"):
        names = {key.rsplit("/", 1)[1] for key in stored(server, stage)}
        assert names == {"manifest.json", *STAGES[stage].files}
    assert (first / "results" / "report.html").stat().st_size > 1000
    assert not list((first / "results").rglob("store.zarr.zip"))
    assert list((first / "results" / "logs").rglob("training/*/log.txt"))


def test_a_second_run_and_a_second_clone_make_nothing_again(first, second):
    assert due(first, "all", "--configfile", "small.yaml", *ROOT) == set()
    assert due(second, "all", "--configfile", "small.yaml", *ROOT) == set()


def test_an_edit_makes_exactly_what_it_touches(second):
    edited = (*ROOT, 'maps={"ce": {"penalty": 0.3}}')
    expected = {"maps/0/essential", "maps/0/fgsm", "matrices/0/fgsm", "correlation/0/fgsm/svcca"}
    assert due(second, "all", "--configfile", "small.yaml", *edited) == expected | SHOWN


def test_a_copy_of_the_bucket_is_an_ordinary_root(server, second):
    server.download("lab", "of/all/", second / "copied")
    results = freqmaps.open(second / "copied")
    assert results.problems() == []
    assert results.maps(images="essential").sizes["sample"] > 0
    assert due(second, "all", "--configfile", "small.yaml", "--config", "results=copied") == set()


def test_a_lost_object_is_made_again_and_the_rest_is_fetched(server, second):
    key = stored(server, "maps/ce/essential", "store.zarr.zip")[0]
    manifest = key.replace("store.zarr.zip", "manifest.json")
    before = json.loads(server.objects("lab")[manifest])
    untouched = {
        k: v
        for k, v in server.objects("lab").items()
        if not any(again in k for again in ("/maps/ce/essential/", "/matrices/", "/_items/", "/_report/"))
    }
    server.bucket("lab").Object(key).delete()
    # What reads it directly is made again with it, though it need not be.
    expected = {"maps/0/essential", "matrices/0/fgsm"}
    assert due(second, "stores", "--configfile", "small.yaml", *ROOT) == expected | SHOWN
    snakemake(second, "-c2", "stores", "--configfile", "small.yaml", *ROOT)
    after = server.objects("lab")
    assert json.loads(after[manifest])["headline"] == before["headline"]
    assert {k: after[k] for k in untouched} == untouched
    assert due(second, "all", "--configfile", "small.yaml", *ROOT) == set()


def test_a_training_and_its_snapshots_are_stored_by_one_job_and_a_new_one_joins_them(server, second):
    def overlay(*steps):
        run = STUDY["runs"][0] | {"snapshots": list(steps), "maps": [], "metrics": []}
        (second / "snaps.yaml").write_text(yaml.safe_dump(STUDY | {"runs": [STUDY["runs"][0], run]}))
        return ("--configfile", "snaps.yaml", *ROOT)

    assert due(second, "stores", *overlay(0, "last")) >= {"snapshots/0@0", "attacks/0@0/fgsm"}
    snakemake(second, "-c2", "stores", *overlay(0, "last"))
    weights = {key: server.objects("lab")[key] for key in stored(server, "snapshots", "model.safetensors")}
    assert len(weights) == 2
    snakemake(second, "-c2", "stores", *overlay(0, 3, "last"))
    after = server.objects("lab")
    assert len(stored(server, "snapshots", "model.safetensors")) == 3
    assert {key: _weights(after[key]) for key in weights} == {key: _weights(weights[key]) for key in weights}
    assert any("/step3/attacks/" in key for key in after)
    assert due(second, "stores", *overlay(0, 3, "last")) == set()


def _weights(content):
    return {name: tensor.numpy().tobytes() for name, tensor in safetensors.torch.load(content).items()}


def test_a_damaged_object_is_one_sentence(server, second):
    key = stored(server, "matrices", "store.zarr.zip")[0]
    whole = server.objects("lab")[key]
    server.bucket("lab").put_object(Key=key, Body=whole[: len(whole) // 2])
    done = snakemake(second, "-c2", "stores", "--configfile", "more.yaml", *ROOT, check=False)
    server.bucket("lab").put_object(Key=key, Body=whole)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert key.removeprefix("of/all/") in text
    assert "Traceback" not in text


def test_commands_that_need_a_folder_say_so():
    with pytest.raises(ConfigError, match="'s3://lab/x' is on object storage, which only the workflow itself reads"):
        _ = study(DEFAULT | {"results": "s3://lab/x"}).root


@pytest.mark.parametrize("results", ["s3://", "s3:///x", "s3://lab/x?versionId=1"])
def test_an_address_that_is_none_is_refused(results):
    with pytest.raises(ConfigError, match="is no address like 's3://bucket/prefix'"):
        study(DEFAULT | {"results": results})
