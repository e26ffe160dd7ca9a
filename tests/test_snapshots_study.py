"""A study with snapshots, run by the workflow: made, read, checked, planned and handed on like any other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch
import yaml

import freqmaps
from freqmaps.core.errors import FreqmapsError
from freqmaps.models import load_classifier
from freqmaps.plan import plan
from freqmaps.plan.estimate import START_SECONDS
from freqmaps.provenance import keys
from freqmaps.results import refactoring, rows, scan
from freqmaps.results.gc import unreferenced
from freqmaps.results.reader import EVERY_STEP
from freqmaps.study.why import explain
from tests import starter
from tests.docs_blocks import block
from tests.snapshot_study import STEPS, STUDY, changed, config, problems, resolved, weights_below
from tests.workflow import clone, due, snakemake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A clone in which the study has been run."""
    folder = clone(tmp_path_factory.mktemp("finished"))
    (folder / "config.yaml").write_text(yaml.safe_dump(config("results")))
    snakemake(folder, "-c2", "all", "stores")
    return folder


@pytest.fixture(scope="module")
def results(finished):
    return freqmaps.open(finished / "results")


STEPPED = ("snapshots", "attacks", "maps", "group_maps", "matrices", "correlation", "evaluation")


class TestStudy:
    """A study run by the workflow."""

    def test_everything_of_a_run_is_made_of_every_snapshot(self, results):
        for stage in STEPPED:
            steps = [r.names["step"] for r in results.select(stage, step=EVERY_STEP)]
            assert set(steps) == {"0", "2", str(STEPS)}, stage
            assert steps == sorted(steps, key=int)
        assert results.problems() == []

    def test_a_second_run_has_nothing_to_do(self, finished):
        assert due(finished, "all", "stores") == set()

    def test_what_is_made_of_the_last_snapshot_is_what_is_made_of_the_finished_network(self, results):
        """Maps start anywhere but draw nothing; so they are the same to the bit."""
        of = {"images": "essential", "dataset": "digits"}
        last, whole = results.maps(**of, step=STEPS), results.maps(**of)
        assert last["sample"].values.tolist() == whole["sample"].values.tolist()
        assert np.array_equal(last["map"].values, whole["map"].values)
        assert not np.array_equal(results.maps(**of, step=2)["map"].values[0], whole["map"].values[0])
        frames = results.evaluations("filtered_accuracy", step=STEPS), results.evaluations("filtered_accuracy")
        plain = [frame[(frame["filter"] == "none") & (frame["data"] == "x")]["value"].tolist() for frame in frames]
        assert plain[0] == plain[1]

    def test_names_without_a_step_never_mean_a_snapshot(self, results):
        for stage in STEPPED[1:]:
            assert all("step" not in r.names for r in results.select(stage))
        assert results.select("snapshots") == []
        names = {"dataset": "digits", "model": "net", "training": "short", "seed": "0"}
        for stage in STEPPED:
            assert all("step" not in r.names for r in results.related(stage, names))
            steps = {r.names["step"] for r in results.related(stage, names | {"step": "2"}) if "step" in r.names}
            assert steps == {"2"}
        listed = results.list()
        assert "step" not in listed
        assert set(results.list(step=EVERY_STEP)["step"]) == {"0", "2", str(STEPS)}
        assert set(results.list(step=2)["stage"]) == set(STEPPED)

    def test_the_lines_of_the_page_run(self, finished, monkeypatch):
        """Those of docs/snapshots.md, whose study has other steps."""
        told: dict = {}
        lines = block("snapshots.md", "python", 0).replace("step=50", "step=2").splitlines()
        monkeypatch.chdir(finished)
        found = []
        for line in lines:
            code = line.split("#")[0].strip()
            exec(code, told) if re.match(r"import|from|results = |$", code) else found.append(eval(code, told))
        maps, correlations, attacks, listed = found
        assert maps.sizes["sample"] and len(attacks) == len(correlations) == 3 and len(listed) == 6
        assert set(correlations["step"]) == set(listed["step"]) == {"0", "2", str(STEPS)}

    def test_the_command_lists_them_if_asked(self, finished):
        root = finished / "results"
        assert "snapshots" not in {line.split()[0] for line in _command("list", root).splitlines()}
        listed = [
            line.split()[0] for line in _command("list", root, "--stage", "snapshots", "--step", "all").splitlines()
        ]
        assert listed[1:] == ["snapshots"] * 3
        assert len(_command("list", root, "--stage", "maps", "--step", "2").splitlines()) == 3

    def test_tables_of_snapshots_tell_the_step(self, results):
        assert len(results.correlations()) == 1
        assert "step" not in results.correlations()
        every = results.correlations(step=EVERY_STEP)
        assert every["step"].tolist() == ["0", "2", str(STEPS)]
        assert set(results.per_sample(step=EVERY_STEP)["step"]) <= {"0", "2", str(STEPS)}
        masked = results.evaluations("group_accuracy", step=EVERY_STEP)
        assert set(masked["step"]) == {"0", "2", str(STEPS)}
        assert "step" not in results.evaluations("group_accuracy")

    def test_evaluations_along_a_training_are_one_result_with_its_steps(self, results):
        spectra = results.evaluations("perturbation_spectra")
        assert set(spectra["step"].dropna().astype(int)) == {0, 2, STEPS}
        assert spectra["step"].isna().any()  # of the finished network
        assert len(results.select("evaluation", evaluation="spectra")) == 2

    def test_a_name_that_fits_several_steps_says_so(self, results):
        with pytest.raises(FreqmapsError, match="differ in step"):
            results.maps(images="essential", step=EVERY_STEP)
        with pytest.raises(FreqmapsError, match="no attacks result for step '5'"):
            results.adversarial(step=5)

    def test_each_evaluation_of_a_snapshot_reads_its_own_results(self, results):
        """Accuracy of a snapshot on clean images, counted by hand."""
        for step in (0, 2):
            folder = results.select("snapshots", step=step)[0].folder
            classifier = load_classifier(folder)
            masked = results.evaluations("group_accuracy", step=step)
            store = results.dataset("digits")
            chosen = store.isel(sample=np.flatnonzero(store["split"].values == "test")[:40])
            images, labels = chosen["image"].values, chosen["label"].values
            right = (classifier(torch.from_numpy(_unit(images))).argmax(1).numpy() == labels).mean()
            whole = masked[(masked["filter"] == "none") & (masked["group"] == masked["group"].iloc[0])]
            assert whole["value"].iloc[0] == pytest.approx(right)

    def test_the_pages_list_no_snapshot_among_the_networks(self, finished):
        page = (finished / "results" / "report.html").read_text()
        shown = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.S)
        cards = shown[: shown.index("How it was computed")]
        assert "step" not in re.sub(r"[Ss]teps", "", cards.split("Key figures")[-1])
        assert len(re.findall(r"test accuracy of", cards)) == 1
        atlas = next((finished / "results" / "_atlas").rglob("manifest.json"))
        inputs = json.loads(atlas.read_text())["spec"]["inputs"]
        known = {p.parent.name: str(p) for p in (finished / "results").rglob("manifest.json")}
        assert not [key for keys in inputs.values() for key in keys if "/step" in known[key]]

    def test_verify_gc_catalog_and_why_know_the_paths(self, finished):
        root = finished / "results"
        assert problems(root)[0] == []
        listed = {row["folder"]: row for row in rows.rows(scan(root))}
        maps = next(row for path, row in listed.items() if "/step2/maps/" in path)
        assert (maps["stage"], maps["step"], maps["regime"], maps["accuracy"]) == ("maps", "2", "standard", None)
        assert all(row["complete"] for row in listed.values())
        built = resolved(root)
        assert unreferenced([built]) == []
        less = resolved(root, changed({}, {"snapshots": [0, "last"]}))
        gone = {str(one.folder) for one in unreferenced([less])}
        assert any("/step2/snapshots/" in path for path in gone)
        assert not any("/step0/" in path or "/training/" in path for path in gone)
        assert explain(built, "atlas", finished / "results") == ["atlas: up to date"]
        more = resolved(root, changed({}, {"snapshots": [0, 2, 4, "last"]}))
        path = next(p for p in more.graph.nodes if "/step4/maps/" in p)
        assert any("/step4/snapshots/" in line and line.endswith("never made") for line in explain(more, path))

    def test_accept_remakes_a_snapshot_and_finds_the_same_weights(self, finished, tmp_path):
        root = tmp_path / "results"
        shutil.copytree(finished / "results" / "digits", root / "digits")
        built = resolved(root)
        nodes = [n for n in built.graph.nodes.values() if n.stage == "snapshots"]
        for node in nodes:
            _with_older_code(root / node.path)
        (one,) = refactoring.changed(nodes, root)
        told = refactoring.prove(one, root, results=2, why="nothing")
        assert [entry["differs_by"] for entry in told["evidence"]["remade"]] == [0.0, 0.0]

    def test_the_plan_counts_one_training_for_all(self, tmp_path):
        planned = plan(resolved(tmp_path), device="cpu")
        lines = [line for line in planned.lines if line.stage == "snapshots"]
        (training,) = [line for line in planned.lines if line.stage == "training"]
        assert len(lines) == 3
        assert sum(line.starts for line in (*lines, training)) == 1
        assert all(line.bytes == pytest.approx(training.bytes) for line in lines)
        only = changed() | {"runs": STUDY["runs"][1:], "items": []}
        alone = [line for line in plan(resolved(tmp_path, only), device="cpu").lines if line.stage == "snapshots"]
        # Alone, the last of them bears one training, whose job has started anyway.
        extra = sum(line.seconds for line in alone) - sum(line.seconds for line in lines)
        assert extra == pytest.approx(training.seconds + START_SECONDS * (sum(n.starts for n in alone) - 1), rel=1e-6)

    def test_the_plan_learns_from_what_is_made(self, finished):
        root = finished / "results"
        assert all(line.made for line in plan(resolved(root), device="cpu").lines)
        more = plan(resolved(root, changed({}, {"snapshots": [0, 2, 4, "last"]})), device="cpu").lines
        (new,) = [line for line in more if line.stage == "snapshots" and not line.made]
        assert new.starts == 1
        assert new.source == new.bytes_source == "results here, same setting"
        told = {p.parent.name: json.loads(p.read_text()) for p in root.glob("digits/net/**/manifest.json")}
        saved = [m for m in told.values() if m["stage"] == "snapshots"]
        saving = np.mean([m["provenance"]["wall_s"] for m in saved])
        (whole,) = [m for m in told.values() if m["stage"] == "training"]
        images = whole["headline"]["n_train"]
        # Of two epochs of three steps, four steps are one epoch and a batch of 64.
        share = (images + 64) / (2 * images)
        assert new.seconds == pytest.approx(START_SECONDS + saving + whole["provenance"]["wall_s"] * share)
        sizes = [sum(f["bytes"] for f in m["files"].values()) for m in told.values() if "model.json" in m["files"]]
        assert new.bytes == pytest.approx(np.mean(sizes), rel=0.5)

    def test_exports_leave_weights_out_and_say_so(self, finished, tmp_path):
        root = finished / "results"
        told = _command("export", tmp_path / "a.zip", "--root", root, "--stage", "evaluation", "--evaluation", "masked")
        assert re.search(r"^3 snapshots of trainings stay here, \d\.\d MB of weights: .*--with-snapshots", told)
        told = _command("import", tmp_path / "a.zip", tmp_path / "there")
        assert "3 snapshots of trainings that some were made of are not under this root" in told
        assert "inputs are not under" not in told
        assert not list((tmp_path / "there").rglob("snapshots"))
        assert list((tmp_path / "there").glob("digits/net/short/seed0/step2/group_maps/**/manifest.json"))
        found, verifier = problems(tmp_path / "there")
        assert found == []
        assert verifier.counts["missing snapshots"] == 3
        assert "3 snapshots of trainings not here" in verifier.summary(0)
        frame = freqmaps.open(tmp_path / "there").evaluations("group_accuracy", step=EVERY_STEP)
        assert len(set(frame["step"])) == 3
        again = _command("export", tmp_path / "b.zip", "--root", tmp_path / "there", "--all")
        assert "stay here" not in again

    def test_exports_take_weights_along_if_asked(self, finished, tmp_path):
        root = finished / "results"
        told = _command("export", tmp_path / "a.zip", "--root", root, "--all", "--with-snapshots")
        assert "stay here" not in told
        _command("import", tmp_path / "a.zip", tmp_path / "there")
        assert weights_below(tmp_path / "there") == weights_below(root)
        _command("export", tmp_path / "b.zip", "--root", root, "--stage", "snapshots")
        assert "3 results imported" not in _command("import", tmp_path / "b.zip", tmp_path / "there", "-n")
        assert "snapshots of trainings" in _command("export", tmp_path / "c.zip", "--root", root, "--all", "-n")

    def test_a_study_goes_on_from_an_import_without_weights(self, finished, tmp_path):
        _command("export", tmp_path / "a.zip", "--root", finished / "results", "--all")
        folder = clone(tmp_path / "other", of=finished)
        _command("import", tmp_path / "a.zip", folder / "results")
        assert due(folder, "all") == set()
        overlay = changed({}, {}, attacks={"fgsm": {"epsilon": 0.1}})
        (folder / "config.yaml").write_text(yaml.safe_dump(config("results", overlay)))
        wanted = due(folder, "all")
        assert {f"snapshots/0@{step}" for step in (0, 2, STEPS)} <= wanted
        assert not any(one.startswith("training") for one in wanted)


def _command(*words):
    line = [starter.python(), "-m", "freqmaps.cli", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _unit(images):
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images


def _with_older_code(folder):
    """Give a result the key that it would have with other code, as before a refactoring."""
    path = folder / "manifest.json"
    found = json.loads(path.read_text())
    found["spec"]["code"] = "0" * 16
    found["key"] = keys.key(found["spec"])
    path.write_text(json.dumps(found))
    folder.rename(folder.with_name(found["key"]))
